//! What the packed segments of a `Dict` and the leaves of a `ScoreTree` have in common: the head of their blocks.
//!
//! ```text
//! | count u16 | slots u16 | end u16 | two bytes of the layout's own | slots ... | packed elements: end bytes | slack |
//! ```
//! There is room for as many elements as there are slots; `count` of them are used, and the packed elements take `end` bytes.

use std::marker::PhantomData;

use super::block::{Block, Contents};
use super::large;

/// Bytes of the head.
pub const HEAD: usize = 8;

/// The packed bytes, read. `C` says what follows the head; its file adds the methods that know.
pub struct View<'a, C> {
    /// All of the block's content.
    pub bytes: &'a [u8],
    layout: PhantomData<C>,
}

impl<C> Clone for View<'_, C> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for View<'_, C> {}

impl<'a, C> View<'a, C> {
    /// Reads these bytes.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> View<'a, C> {
        View { bytes, layout: PhantomData }
    }

    /// Elements.
    #[inline]
    pub fn count(self) -> usize {
        u16_at(self.bytes, 0)
    }

    /// Elements that there is room for.
    #[inline]
    pub fn slots(self) -> usize {
        u16_at(self.bytes, 2)
    }

    /// Bytes of the packed elements.
    #[inline]
    pub fn end(self) -> usize {
        u16_at(self.bytes, 4)
    }
}

/// What follows the head, as far as blocks must know it.
///
/// # Safety
/// `for_each_large` shows each pointer to an element out of line (see `large`) that the bytes hold, once, and nothing else.
pub unsafe trait Layout {
    /// Shows where pointers to elements out of line begin.
    fn for_each_large(bytes: &[u8], visit: impl FnMut(&[u8]));
}

impl<L: Layout> Contents for L {
    fn copied(bytes: &[u8]) {
        L::for_each_large(bytes, |at| {
            // SAFETY: `at` begins with a pointer, just copied bytewise from a live block.
            unsafe { large::retain(at) }
        });
    }

    fn freed(bytes: &mut [u8]) {
        L::for_each_large(bytes, |at| {
            // SAFETY: `at` begins with a pointer, and the block goes with its references.
            unsafe { large::release(at) }
        });
    }
}

/// Bytes of a block with all elements out of line.
pub fn memory_bytes<L: Layout>(block: &Block<L>) -> usize {
    let mut bytes = block.memory_bytes();
    L::for_each_large(block.bytes(), |at| {
        // SAFETY: `at` begins with a pointer of this live block.
        bytes += unsafe { large::at(at) }.memory_bytes();
    });
    bytes
}

impl<C: Contents> Block<C> {
    /// The content, to be read as its layout says.
    #[inline]
    pub fn view(&self) -> View<'_, C> {
        View::of(self.bytes())
    }
}

/// Writes the count.
#[inline]
pub fn set_count(bytes: &mut [u8], count: usize) {
    put_u16(bytes, 0, count);
}

/// Writes the number of slots.
#[inline]
pub fn set_slots(bytes: &mut [u8], slots: usize) {
    put_u16(bytes, 2, slots);
}

/// Writes how many bytes the packed elements take.
#[inline]
pub fn set_end(bytes: &mut [u8], end: usize) {
    put_u16(bytes, 4, end);
}

/// The little-endian number at `at`.
#[inline]
pub fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

/// Writes a little-endian number at `at`.
#[inline]
pub fn put_u16(bytes: &mut [u8], at: usize, n: usize) {
    debug_assert!(n <= usize::from(u16::MAX));
    bytes[at..at + 2].copy_from_slice(&(n as u16).to_le_bytes());
}
