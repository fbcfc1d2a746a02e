//! The allocator: jemalloc, with the byte counts that `used_memory` is made of.
//!
//! jemalloc keeps, per thread, the bytes ever allocated and ever freed, in usable sizes. Reading the two numbers of
//! one's own thread costs two loads, so `used_memory` is exact and free. Other threads publish their balance after
//! each piece of work (`publish_thread`).
//!
//! jemalloc is built with size classes 8 bytes apart (.cargo/config.toml), so a class need not be 16-byte aligned:
//! every alignment above 8 is asked for explicitly.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering};

use tikv_jemalloc_sys as ffi;

/// The global allocator of the program and of its tests.
pub struct Jemalloc;

const PLAIN_ALIGN_MAX: usize = 8;
/// Above this size, allocations take whole pages.
const PAGED_FROM: usize = 32 * 1024;

fn flags_of(align: usize) -> libc::c_int {
    if align <= PLAIN_ALIGN_MAX { 0 } else { ffi::MALLOCX_ALIGN(align) }
}

// SAFETY: mallocx, rallocx and sdallocx fulfil GlobalAlloc's contract for the flags that carry the alignment, and the
// same flags are derived from the same layout at every call. A layout of size zero never reaches a GlobalAlloc.
unsafe impl GlobalAlloc for Jemalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let flags = flags_of(layout.align());
        // SAFETY: the size is positive, by the caller's contract.
        unsafe {
            if flags == 0 { ffi::malloc(layout.size()).cast() } else { ffi::mallocx(layout.size(), flags).cast() }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let flags = flags_of(layout.align());
        // SAFETY: as in alloc.
        unsafe {
            if flags == 0 {
                ffi::calloc(1, layout.size()).cast()
            } else {
                ffi::mallocx(layout.size(), flags | ffi::MALLOCX_ZERO).cast()
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from this allocator with this layout.
        unsafe { ffi::sdallocx(ptr.cast(), layout.size(), flags_of(layout.align())) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the pointer came from this allocator with this layout; the new size is positive.
        unsafe { ffi::rallocx(ptr.cast(), new_size, flags_of(layout.align())).cast() }
    }
}

/// The usable size of an allocation of `size` bytes: the next size class (8 bytes apart up to 64, then four classes
/// per doubling, from 32 KiB on whole pages). Asking for exactly this many bytes wastes none.
#[inline]
pub const fn good_size(size: usize) -> usize {
    if size <= 8 {
        return 8;
    }
    if size <= 64 {
        return (size + 7) & !7;
    }
    if size > PAGED_FROM {
        return (size + 4095) & !4095;
    }
    let step = 1usize << ((size - 1).ilog2() - 2);
    (size + step - 1) & !(step - 1)
}

thread_local! {
    static COUNTERS: Cell<Option<(*const u64, *const u64)>> = const { Cell::new(None) };
    static PUBLISHED: Cell<i64> = const { Cell::new(0) };
}

/// Balance of all threads that publish, and of memory that changed hands.
static OTHERS: AtomicI64 = AtomicI64::new(0);

#[cfg(not(any(miri, fuzzing)))]
fn counters() -> (*const u64, *const u64) {
    COUNTERS.with(|cell| {
        cell.get().unwrap_or_else(|| {
            let read = |name: &[u8]| {
                let mut pointer: *const u64 = std::ptr::null();
                let mut len = size_of::<*const u64>();
                // SAFETY: the name is NUL-terminated; the two controls write one pointer of that size.
                let code = unsafe {
                    ffi::mallctl(name.as_ptr().cast(), (&raw mut pointer).cast(), &mut len, std::ptr::null_mut(), 0)
                };
                assert!(code == 0 && !pointer.is_null(), "jemalloc is built with thread statistics");
                pointer
            };
            let pair = (read(b"thread.allocatedp\0"), read(b"thread.deallocatedp\0"));
            cell.set(Some(pair));
            pair
        })
    })
}

/// Bytes allocated minus bytes freed by this thread, in usable sizes. Negative on a thread that frees what others
/// allocated.
#[cfg(not(any(miri, fuzzing)))]
pub fn thread_balance() -> i64 {
    let (allocated, freed) = counters();
    // SAFETY: jemalloc guarantees both pointers for the life of the thread, and only this thread writes there.
    unsafe { (*allocated).wrapping_sub(*freed) as i64 }
}

/// Without jemalloc (Miri, fuzzing) nothing is counted.
#[cfg(any(miri, fuzzing))]
pub fn thread_balance() -> i64 {
    let _ = &COUNTERS;
    0
}

/// Adds this thread's balance to what `used_memory` reports on other threads. Background threads call it after each
/// piece of work, and never `used_memory`.
pub fn publish_thread() {
    let balance = thread_balance();
    PUBLISHED.with(|published| {
        OTHERS.fetch_add(balance - published.get(), Ordering::Relaxed);
        published.set(balance);
    });
}

/// Takes `bytes` more (or fewer, if negative) out of what `used_memory` tells: memory that was asked for and holds
/// nothing yet, and so has no pages.
pub fn set_aside(bytes: i64) {
    OTHERS.fetch_sub(bytes, Ordering::Relaxed);
}

/// Bytes in use by the program: this thread's balance plus what the others published.
pub fn used_memory() -> usize {
    (thread_balance() + OTHERS.load(Ordering::Relaxed)).max(0) as usize
}

/// What jemalloc itself reports, for INFO and MEMORY STATS.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllocatorStats {
    /// Bytes handed out.
    pub allocated: usize,
    /// Bytes in pages that hold at least one allocation.
    pub active: usize,
    /// Bytes mapped and resident, as the allocator believes.
    pub resident: usize,
    /// Bytes in pages kept but unused, returned lazily.
    pub retained: usize,
}

/// Reads the allocator's statistics (refreshing its epoch: some microseconds).
#[cfg(not(any(miri, fuzzing)))]
pub fn allocator_stats() -> AllocatorStats {
    let mut epoch: u64 = 1;
    let mut len = size_of::<u64>();
    // SAFETY: "epoch" reads and writes one u64.
    unsafe {
        ffi::mallctl(c"epoch".as_ptr(), (&raw mut epoch).cast(), &mut len, (&raw mut epoch).cast(), len);
    }
    let read = |name: &std::ffi::CStr| {
        let mut value: usize = 0;
        let mut len = size_of::<usize>();
        // SAFETY: the statistics named below are of type size_t.
        unsafe {
            ffi::mallctl(name.as_ptr(), (&raw mut value).cast(), &mut len, std::ptr::null_mut(), 0);
        }
        value
    };
    AllocatorStats {
        allocated: read(c"stats.allocated"),
        active: read(c"stats.active"),
        resident: read(c"stats.resident"),
        retained: read(c"stats.retained"),
    }
}

/// Without jemalloc there is nothing to report.
#[cfg(any(miri, fuzzing))]
pub fn allocator_stats() -> AllocatorStats {
    AllocatorStats::default()
}

/// Gives unused pages back to the system (MEMORY PURGE).
#[cfg(not(any(miri, fuzzing)))]
pub fn purge() {
    // SAFETY: MALLCTL_ARENAS_ALL is 4096 in jemalloc's public interface; "purge" takes no value.
    unsafe {
        ffi::mallctl(c"arena.4096.purge".as_ptr(), std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut(), 0);
    }
}

/// Lets jemalloc give unused pages back on a thread of its own, or on the threads that free memory, in between.
///
/// # Errors
/// The thread cannot be started or stopped; everything goes on as before then.
#[cfg(not(any(miri, fuzzing)))]
pub fn set_background_thread(runs: bool) -> Result<(), std::io::Error> {
    let mut runs = runs;
    // SAFETY: "background_thread" takes one bool; nothing is read back.
    let code = unsafe {
        ffi::mallctl(
            c"background_thread".as_ptr(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            (&raw mut runs).cast(),
            size_of::<bool>(),
        )
    };
    if code == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(code)) }
}

/// Without jemalloc there are no such threads.
#[cfg(any(miri, fuzzing))]
pub fn set_background_thread(_: bool) -> Result<(), std::io::Error> {
    Ok(())
}

/// Without jemalloc there is nothing to give back.
#[cfg(any(miri, fuzzing))]
pub fn purge() {}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn good_sizes_are_size_classes() {
        for size in (1..20_000).chain((20_000..300_000).step_by(511)).chain([64 << 20, (64 << 20) + 2]) {
            let good = good_size(size);
            assert!(good >= size && good_size(good) == good);
            // SAFETY: nallocx has no precondition beyond a positive size.
            assert_eq!(good, unsafe { ffi::nallocx(size, 0) }, "class of {size}");
        }
    }

    #[test]
    fn the_balance_follows_allocations() {
        let before = thread_balance();
        let block = vec![1u8; 1000];
        assert_eq!(thread_balance() - before, good_size(1000) as i64);
        drop(block);
        assert_eq!(thread_balance(), before);
    }
}
