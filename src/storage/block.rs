//! `Block`: one reference-counted allocation of raw bytes, which is what a segment of a large collection is made of.
//! Its content is packed by whoever owns it; the block knows only how to share, copy and free it. Against
//! `Shared<Vec<u8>>` it saves an allocation, a pointer and a length per segment.
//!
//! ```text
//! | refs u32 | capacity u32 | content: capacity bytes, always initialised ... |
//! ```
//! The content may hold pointers to bytes out of line (see `large`). `Contents` is told when the bytes were copied
//! and when they are about to go, so that it can count those pointers.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use super::prefetch;

/// What a block's bytes own beyond themselves.
pub trait Contents {
    /// `bytes` is a fresh copy of another block's content: take a reference to all that it points to.
    fn copied(bytes: &[u8]);
    /// `bytes` is about to be freed: give back all that it points to.
    fn freed(bytes: &mut [u8]);
}

#[repr(C, align(8))]
struct Header {
    refs: AtomicU32,
    capacity: u32,
}

const HEADER_BYTES: usize = size_of::<Header>();
const ALIGN: usize = align_of::<Header>();
const _: () = assert!(HEADER_BYTES == 8 && ALIGN == 8);

/// Shared bytes, made writable again by copying when someone else holds them too.
pub struct Block<C: Contents> {
    header: NonNull<Header>,
    contents: PhantomData<C>,
}

// SAFETY: a Block hands out `&[u8]` on any thread that holds a clone and `&mut [u8]` only to a sole owner, as Arc
// does. The only things its content may point to are `Arc<LargeEntry>` (see `large`), which are Send and Sync.
unsafe impl<C: Contents> Send for Block<C> {}
// SAFETY: as above.
unsafe impl<C: Contents> Sync for Block<C> {}

impl<C: Contents> Block<C> {
    /// A block of `capacity` zero bytes. Take the capacity from `capacity_for`, so that none of the allocation is wasted.
    pub fn zeroed(capacity: usize) -> Block<C> {
        let layout = Self::layout(capacity);
        // SAFETY: the layout has at least the header's bytes, so it is not of size zero; zeroed memory is initialised.
        unsafe { Self::begin(alloc_zeroed(layout), layout, capacity) }
    }

    /// A block of `capacity` bytes made of these parts one after the other, each filled up with zeros to the length that
    /// stands with it, and zeros after the last. Spares a large block the zeros that would be overwritten at once.
    ///
    /// # Panics
    /// When a part is longer than its length, or all together longer than the capacity.
    pub fn of_parts(capacity: usize, parts: &[(&[u8], usize)]) -> Block<C> {
        let layout = Self::layout(capacity);
        assert!(parts.iter().all(|(bytes, length)| bytes.len() <= *length));
        assert!(parts.iter().map(|part| part.1).sum::<usize>() <= capacity);
        // SAFETY: the layout has at least the header's bytes, so it is not of size zero. The content is filled below,
        // by steps that cannot fail, before anybody reads it.
        let block = unsafe { Self::begin(alloc(layout), layout, capacity) };
        let content = block.content();
        let mut at = 0;
        for &(bytes, length) in parts {
            // SAFETY: `at + length <= capacity`, so both writes stay in the content, which nobody else can see.
            unsafe {
                content.add(at).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                content.add(at + bytes.len()).write_bytes(0, length - bytes.len());
            }
            at += length;
        }
        // SAFETY: `at <= capacity`: this fills the rest of the content.
        unsafe { content.add(at).write_bytes(0, capacity - at) };
        block
    }

    /// # Safety
    /// `raw` is null or was allocated with `layout`, which is `Self::layout(capacity)`. The content is initialised
    /// before it is read.
    unsafe fn begin(raw: *mut u8, layout: Layout, capacity: usize) -> Block<C> {
        let Some(header) = NonNull::new(raw.cast::<Header>()) else { handle_alloc_error(layout) };
        // SAFETY: the allocation is aligned for Header and large enough; nobody else knows of it.
        unsafe { header.write(Header { refs: AtomicU32::new(1), capacity: capacity as u32 }) };
        Block { header, contents: PhantomData }
    }

    /// The content, all of it: `capacity` bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the content follows the header in the same live allocation, is `capacity` bytes long and always
        // initialised; while a `&self` lives nobody gets a `&mut [u8]` (see `bytes_mut`).
        unsafe { slice::from_raw_parts(self.content(), self.capacity()) }
    }

    /// The content, writable; copied first when someone else holds it too.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        if !self.is_unique() {
            self.unshare();
        }
        // SAFETY: as in `bytes`; we are the sole owner, and we hold it by `&mut`.
        unsafe { slice::from_raw_parts_mut(self.content(), self.capacity()) }
    }

    /// Does nobody else hold these bytes?
    #[inline]
    pub fn is_unique(&self) -> bool {
        // Acquire: what former owners did to the bytes happened before we write them.
        self.header().refs.load(Ordering::Acquire) == 1
    }

    /// Bytes of the whole allocation.
    pub fn memory_bytes(&self) -> usize {
        HEADER_BYTES + self.capacity()
    }

    /// Asks the processor for the first `bytes` of the content.
    #[inline]
    pub fn prefetch(&self, bytes: usize) {
        for line in 0..(HEADER_BYTES + bytes).div_ceil(64) {
            prefetch::prefetch(self.header.as_ptr().cast::<u8>().wrapping_add(line * 64));
        }
    }

    #[cold]
    fn unshare(&mut self) {
        let copy = Block::<C>::of_parts(self.capacity(), &[(self.bytes(), self.capacity())]);
        C::copied(copy.bytes());
        *self = copy;
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the allocation lives until the last Block to it is dropped; the header is never written but
        // through its atomic.
        unsafe { self.header.as_ref() }
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.header().capacity as usize
    }

    #[inline]
    fn content(&self) -> *mut u8 {
        // SAFETY: HEADER_BYTES is within the allocation (or one past its end when the capacity is zero).
        unsafe { self.header.as_ptr().cast::<u8>().add(HEADER_BYTES) }
    }

    fn layout(capacity: usize) -> Layout {
        assert!(capacity <= u32::MAX as usize - HEADER_BYTES, "a block holds less than 4 GiB");
        Layout::from_size_align(HEADER_BYTES + capacity, ALIGN).expect("below isize::MAX by the line above")
    }
}

impl<C: Contents> Clone for Block<C> {
    fn clone(&self) -> Block<C> {
        let old = self.header().refs.fetch_add(1, Ordering::Relaxed);
        assert!(old < u32::MAX / 2, "reference count overflow");
        Block { header: self.header, contents: PhantomData }
    }
}

impl<C: Contents> Drop for Block<C> {
    fn drop(&mut self) {
        if self.header().refs.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        fence(Ordering::Acquire);
        let capacity = self.capacity();
        // SAFETY: the count reached zero: nobody else can see these bytes.
        C::freed(unsafe { slice::from_raw_parts_mut(self.content(), capacity) });
        // SAFETY: allocated in `zeroed` with this very layout, and this was the last owner.
        unsafe { dealloc(self.header.as_ptr().cast(), Self::layout(capacity)) };
    }
}

/// The content capacity of the smallest allocation that holds `content` bytes and wastes nothing: allocation
/// sizes are jemalloc's classes, 8 bytes apart up to 64 and then four to each doubling.
pub fn capacity_for(content: usize) -> usize {
    size_class(content + HEADER_BYTES) - HEADER_BYTES
}

/// The least allocator size class that holds `bytes`.
pub fn size_class(bytes: usize) -> usize {
    if bytes <= 64 {
        return bytes.next_multiple_of(8).max(8);
    }
    let step = bytes.next_power_of_two() / 8;
    bytes.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Plain;
    impl Contents for Plain {
        fn copied(_: &[u8]) {}
        fn freed(_: &mut [u8]) {}
    }

    #[test]
    fn a_writer_copies_only_what_is_shared() {
        let mut a = Block::<Plain>::zeroed(capacity_for(20));
        assert_eq!(a.bytes().len(), 24);
        a.bytes_mut()[3] = 7;
        let b = a.clone();
        a.bytes_mut()[3] = 8;
        assert_eq!((a.bytes()[3], b.bytes()[3]), (8, 7));
        assert!(a.is_unique() && b.is_unique());
    }

    #[test]
    fn parts_are_filled_up_with_zeros() {
        let block = Block::<Plain>::of_parts(12, &[(b"ab", 3), (b"", 1), (b"cd", 4)]);
        assert_eq!(block.bytes(), b"ab\0\0cd\0\0\0\0\0\0");
    }

    #[test]
    fn size_classes_are_those_of_the_allocator() {
        let classes = [8, 16, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 2048, 2560];
        for class in classes {
            assert_eq!(size_class(class), class);
            assert_eq!(size_class(class - 7), class);
        }
        assert_eq!((size_class(0), size_class(65), size_class(129)), (8, 80, 160));
    }
}
