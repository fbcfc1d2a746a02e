//! Values on their way to the thread that frees them. The reactor takes what has gathered here and hands it over.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::storage::{EntryRef, Object, OwnedEntry};

use super::DbState;

/// From this many allocations on, freeing a value is another thread's work.
pub const LAZYFREE_EFFORT_MIN: usize = 64;

/// From this many on it always is: freeing them would take longer than a command, or a slice of expiry or eviction, should.
pub const LAZYFREE_EFFORT_MAX: usize = 1024;

/// One thing to free.
pub enum Waste {
    /// A removed entry.
    Entry(OwnedEntry),
    /// A replaced value.
    Object(Box<Object>),
    /// A whole database.
    Db(Box<dyn Send>, u64),
    /// What is no data but takes long to free as well, and how many keys it counts as.
    Other(Box<dyn Send>, u64),
}

/// Where copies of entries go that are kept beyond their command.
#[derive(Clone, Default)]
pub struct Bin(Rc<RefCell<Vec<OwnedEntry>>>);

impl Bin {
    /// Takes charge of a copy: whoever drops it need not fear how long that takes.
    pub fn keep(&self, entry: OwnedEntry) -> KeptEntry {
        KeptEntry { entry: Some(entry), bin: self.clone() }
    }
}

/// A copy of an entry. By the time it goes, what it shared with its original may be its own.
pub struct KeptEntry {
    /// Some until it is dropped.
    entry: Option<OwnedEntry>,
    bin: Bin,
}

impl KeptEntry {
    /// Read access.
    pub fn read(&self) -> Option<EntryRef<'_>> {
        self.entry.as_ref().map(OwnedEntry::read)
    }
}

impl Drop for KeptEntry {
    fn drop(&mut self) {
        self.bin.0.borrow_mut().extend(self.entry.take());
    }
}

/// What waits to be freed elsewhere, and how many keys that is.
#[derive(Default)]
pub struct Garbage {
    waiting: Vec<Waste>,
    bin: Bin,
    /// Keys that ever came here.
    thrown: u64,
    /// Keys freed of these; the freeing thread raises it.
    done: Arc<AtomicU64>,
    /// What `done` was when statistics were reset.
    done_before: u64,
}

impl Garbage {
    /// Is there nothing to hand over?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keys that came here since the start, freed or not.
    pub fn thrown(&self) -> u64 {
        self.thrown
    }

    /// Keys freed since the start, in the order in which they came.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Keys not freed yet (lazyfree_pending_objects).
    pub fn pending(&self) -> u64 {
        self.thrown - self.done()
    }

    /// Keys freed since statistics were reset (lazyfreed_objects).
    pub fn freed(&self) -> u64 {
        self.done() - self.done_before
    }

    /// Counts from here on.
    pub fn reset_stats(&mut self) {
        self.done_before = self.done();
    }

    /// The counter that whoever frees hands to `Waste::free`.
    pub fn counter(&self) -> Arc<AtomicU64> {
        self.done.clone()
    }

    pub(super) fn push_entry(&mut self, entry: OwnedEntry) {
        self.thrown += 1;
        self.waiting.push(Waste::Entry(entry));
    }

    pub(super) fn push_object(&mut self, object: Box<Object>) {
        self.thrown += 1;
        self.waiting.push(Waste::Object(object));
    }

    pub(super) fn push_db(&mut self, db: DbState) {
        let keys = db.table.len() as u64;
        self.thrown += keys;
        self.waiting.push(Waste::Db(Box::new(db), keys));
    }

    /// Takes what is no data: a Lua state with all that scripts left in it. It counts as so many keys.
    pub fn push_other(&mut self, other: impl Send + 'static, count: u64) {
        self.thrown += count;
        self.waiting.push(Waste::Other(Box::new(other), count));
    }

    /// Where copies of entries go.
    pub fn bin(&self) -> Bin {
        self.bin.clone()
    }

    /// Everything that waits, to be dropped by another thread with `free`.
    pub fn take(&mut self) -> Vec<Waste> {
        while let Some(entry) = self.take_from_bin() {
            self.push_entry(entry);
        }
        std::mem::take(&mut self.waiting)
    }

    fn take_from_bin(&mut self) -> Option<OwnedEntry> {
        self.bin.0.borrow_mut().pop()
    }
}

impl Waste {
    /// Number of keys this was.
    fn keys(&self) -> u64 {
        match self {
            Waste::Entry(_) | Waste::Object(_) => 1,
            Waste::Db(_, keys) | Waste::Other(_, keys) => *keys,
        }
    }

    /// Frees it, and counts. Called on the lazy-free thread.
    pub fn free(self, done: &AtomicU64) {
        let keys = self.keys();
        drop(self);
        done.fetch_add(keys, Ordering::Relaxed);
    }
}
