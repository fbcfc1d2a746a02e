//! Entries too long to lie in a segment: they are held out of line behind an `Arc`, and the segment's packed bytes
//! hold the pointer. Moving packed bytes moves the pointers in them; only whoever copies or frees a segment
//! counts references, once for each pointer.

use std::mem::ManuallyDrop;
use std::sync::Arc;

/// Bytes of a pointer in packed bytes.
pub const LARGE_POINTER_BYTES: usize = size_of::<*const LargeEntry>();

/// A long entry: a field (or member) and its value, in one run of bytes.
#[derive(Clone)]
pub struct LargeEntry {
    field_bytes: usize,
    bytes: Box<[u8]>,
}

impl LargeEntry {
    /// An entry of these two parts.
    pub fn new(field: &[u8], value: &[u8]) -> Arc<LargeEntry> {
        Arc::new(LargeEntry { field_bytes: field.len(), bytes: [field, value].concat().into_boxed_slice() })
    }

    /// The field, or the member of a sorted set.
    pub fn field(&self) -> &[u8] {
        &self.bytes[..self.field_bytes]
    }

    /// The value; empty for a member.
    pub fn value(&self) -> &[u8] {
        &self.bytes[self.field_bytes..]
    }

    /// The value, writable.
    pub fn value_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.field_bytes..]
    }

    /// Bytes of its allocations.
    pub fn memory_bytes(&self) -> usize {
        2 * size_of::<usize>() + size_of::<LargeEntry>() + self.bytes.len()
    }
}

/// Writes the pointer into the first bytes of `at`, which from here own a reference.
pub fn put(at: &mut [u8], entry: Arc<LargeEntry>) {
    let at = &mut at[..LARGE_POINTER_BYTES];
    // SAFETY: the slice has room for a pointer; unaligned is allowed for.
    unsafe { at.as_mut_ptr().cast::<*const LargeEntry>().write_unaligned(Arc::into_raw(entry)) };
}

/// The entry whose pointer `put` wrote at the start of `at`.
///
/// # Safety
/// The bytes at the start of `at` were written by `put`, or moved from there by a byte copy, and their
/// reference has not been given back.
pub unsafe fn at(at: &[u8]) -> &LargeEntry {
    // SAFETY: the caller says that this is a live pointer; the result lives no longer than the bytes that own it.
    unsafe { &*raw(at) }
}

/// The entry, writable; copied first when someone else holds it too.
///
/// # Safety
/// As for `at`.
pub unsafe fn at_mut(at: &mut [u8]) -> &mut LargeEntry {
    // SAFETY: the caller says that this is a live pointer that owns a reference; ManuallyDrop leaves it there.
    let mut held = ManuallyDrop::new(unsafe { Arc::from_raw(raw(at)) });
    if Arc::get_mut(&mut held).is_none() {
        let copy = Arc::new(LargeEntry::clone(&held));
        drop(ManuallyDrop::into_inner(held));
        put(at, copy);
    }
    // SAFETY: the pointer at `at` is live, and it is the only one to its entry by the lines above.
    unsafe { &mut *raw(at).cast_mut() }
}

/// Takes one more reference for the copied pointer at the start of `at`.
///
/// # Safety
/// As for `at`, but for the reference: this call makes it.
pub unsafe fn retain(at: &[u8]) {
    // SAFETY: the pointer came from Arc::into_raw and its entry is alive, since the bytes copied from still own one.
    unsafe { Arc::increment_strong_count(raw(at)) };
}

/// Gives back the reference of the pointer at the start of `at`, which must not be used again.
///
/// # Safety
/// As for `at`.
pub unsafe fn release(at: &[u8]) {
    // SAFETY: the pointer came from Arc::into_raw, and the caller gives up the reference that the bytes own.
    drop(unsafe { Arc::from_raw(raw(at)) });
}

fn raw(at: &[u8]) -> *const LargeEntry {
    let at = &at[..LARGE_POINTER_BYTES];
    // SAFETY: the slice holds the bytes of a pointer; unaligned is allowed for. Any bytes are a valid raw pointer.
    unsafe { at.as_ptr().cast::<*const LargeEntry>().read_unaligned() }
}
