//! `Shared`: a reference-counted pointer without weak references, for the nodes of large collections.
//! A cut clones the root of a collection; a later writer copies only the node that it touches (`make_mut`).
//! Against `std::sync::Arc` it saves a word per node and a read-modify-write per `make_mut`.

use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use super::prefetch::prefetch;

struct Inner<T> {
    refs: AtomicU32,
    value: T,
}

/// A shared, immutable value, made mutable again by copying when someone else holds it too.
pub struct Shared<T> {
    inner: NonNull<Inner<T>>,
    owns: PhantomData<Inner<T>>,
}

// SAFETY: a Shared hands out `&T` on any thread that holds a clone and `&mut T` only to a sole owner, exactly as
// std's Arc does; the bounds are Arc's.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Moves `value` into a new shared allocation.
    pub fn new(value: T) -> Shared<T> {
        let inner = Box::new(Inner { refs: AtomicU32::new(1), value });
        Shared { inner: NonNull::from(Box::leak(inner)), owns: PhantomData }
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: the allocation lives until the last Shared to it is dropped.
        unsafe { self.inner.as_ref() }
    }

    /// Does nobody else hold this value?
    pub fn is_unique(&self) -> bool {
        self.inner().refs.load(Ordering::Acquire) == 1
    }

    /// Asks the processor for the reference count, which cloning writes.
    #[inline]
    pub fn prefetch_refs(&self) {
        prefetch(self.inner.as_ptr().cast());
    }

    /// The value, writable, if nobody else holds it.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        if !self.is_unique() {
            return None;
        }
        // SAFETY: the count is one and we hold it by `&mut`, so no other thread can read or clone it.
        Some(unsafe { &mut self.inner.as_mut().value })
    }
}

impl<T: Default> Default for Shared<T> {
    fn default() -> Shared<T> {
        Shared::new(T::default())
    }
}

impl<T: Clone> Shared<T> {
    /// The value, writable; copied first when someone else holds it too.
    pub fn make_mut(&mut self) -> &mut T {
        if !self.is_unique() {
            *self = Shared::new(self.inner().value.clone());
        }
        // SAFETY: unique, by the test or because it was just made.
        unsafe { &mut self.inner.as_mut().value }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        let old = self.inner().refs.fetch_add(1, Ordering::Relaxed);
        assert!(old < u32::MAX / 2, "reference count overflow");
        Shared { inner: self.inner, owns: PhantomData }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if self.inner().refs.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        fence(Ordering::Acquire);
        // SAFETY: the count reached zero: this was the last owner, and the box came from `new`.
        drop(unsafe { Box::from_raw(self.inner.as_ptr()) });
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn make_mut_copies_only_when_shared() {
        let mut a = Shared::new(vec![1]);
        a.make_mut().push(2);
        let b = a.clone();
        assert!(!a.is_unique() && a.get_mut().is_none());
        a.make_mut().push(3);
        assert_eq!((&*a, &*b), (&vec![1, 2, 3], &vec![1, 2]));
        drop(b);
        assert!(a.is_unique());
    }
}
