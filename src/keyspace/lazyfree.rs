//! Values on their way to the thread that frees them. The reactor takes what has gathered here and hands it over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::storage::Object;
use crate::storage::table::OwnedEntry;

use super::DbState;

/// From this many allocations on, freeing a value is another thread's work.
pub const LAZYFREE_EFFORT_MIN: usize = 64;

/// One thing to free.
pub enum Waste {
    /// A removed entry.
    Entry(OwnedEntry),
    /// A replaced value.
    Object(Box<Object>),
    /// A whole database.
    Db(Box<dyn Send>, u64),
}

/// What waits to be freed elsewhere, and how many keys that is.
#[derive(Default)]
pub struct Garbage {
    waiting: Vec<Waste>,
    /// Keys handed over and not freed yet (lazyfree_pending_objects); the freeing thread lowers it.
    pub pending: Arc<AtomicU64>,
    /// Keys freed elsewhere (lazyfreed_objects); the freeing thread raises it.
    pub freed: Arc<AtomicU64>,
}

impl Garbage {
    /// Is there nothing to hand over?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push_entry(&mut self, entry: OwnedEntry) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        self.waiting.push(Waste::Entry(entry));
    }

    pub(super) fn push_object(&mut self, object: Box<Object>) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        self.waiting.push(Waste::Object(object));
    }

    pub(super) fn push_db(&mut self, db: DbState) {
        let keys = db.table.len() as u64;
        self.pending.fetch_add(keys, Ordering::Relaxed);
        self.waiting.push(Waste::Db(Box::new(db), keys));
    }

    /// Everything that waits, to be dropped by another thread with `free`.
    pub fn take(&mut self) -> Vec<Waste> {
        std::mem::take(&mut self.waiting)
    }
}

impl Waste {
    /// Number of keys this was.
    fn keys(&self) -> u64 {
        match self {
            Waste::Entry(_) | Waste::Object(_) => 1,
            Waste::Db(_, keys) => *keys,
        }
    }

    /// Frees it, and counts. Called on the lazy-free thread.
    pub fn free(self, pending: &AtomicU64, freed: &AtomicU64) {
        let keys = self.keys();
        drop(self);
        pending.fetch_sub(keys, Ordering::Relaxed);
        freed.fetch_add(keys, Ordering::Relaxed);
    }
}
