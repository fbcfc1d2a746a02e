//! Keys whose last change is not yet where the configuration promised it to be (appendfsync `always`): a reader of one of
//! them must wait, as the value could still be lost. Keys are known by their hashes, in whatever database; two that share one
//! wait for each other. Who looks at all keys at once (KEYS, DEBUG DIGEST) says so by `see_all`; the libraries of functions,
//! which are in the file too, count as one more key.

use std::collections::BTreeMap;

/// Stands for the libraries of functions.
const LIBRARIES: u64 = u64::MAX;

/// Keys changed in epochs that are not released.
#[derive(Debug, Default)]
pub struct Unsynced {
    active: bool,
    /// The epoch in which changes are made now.
    epoch: u64,
    /// The last epoch that changed a key of this hash.
    by_hash: BTreeMap<u64, u64>,
    /// Hashes noted in this epoch, and the epoch that each was noted in before (0: none).
    fresh: Vec<(u64, u64)>,
    /// The last epoch that changed all keys at once (FLUSHALL, SWAPDB), 0 for none.
    all: u64,
    /// The latest epoch that the command in hand saw something of.
    seen: u64,
    /// The last epoch that was released.
    released: u64,
}

impl Unsynced {
    /// Is anything noted?
    #[inline]
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Begins to note changes, in this epoch, or stops and forgets them.
    pub fn set_active(&mut self, active: bool, epoch: u64) {
        if active && self.active {
            return;
        }
        *self = Unsynced { active, epoch, ..Unsynced::default() };
    }

    /// A key of this hash is looked at.
    #[inline]
    pub(super) fn note_read(&mut self, hash: u64) {
        if !self.by_hash.is_empty() || self.all > 0 {
            let epoch = self.by_hash.get(&hash).copied().unwrap_or(0).max(self.all);
            self.seen = self.seen.max(epoch);
        }
    }

    /// A key of this hash is looked at and may be changed.
    #[cold]
    pub(super) fn note_change(&mut self, hash: u64) {
        self.note_read(hash);
        let before = self.by_hash.insert(hash, self.epoch).unwrap_or(0);
        if before != self.epoch {
            self.fresh.push((hash, before));
        }
    }

    /// Every key may be changed.
    #[cold]
    pub(super) fn note_all(&mut self) {
        self.seen = self.seen.max(self.all);
        self.all = self.epoch;
    }

    /// All keys are looked at, or something that depends on any of them.
    pub fn see_all(&mut self) {
        if self.active {
            self.seen = self.epoch;
        }
    }

    /// The libraries of functions are looked at.
    pub fn see_libraries(&mut self) {
        if self.active {
            self.note_read(LIBRARIES);
        }
    }

    /// The libraries of functions may be changed.
    pub fn change_libraries(&mut self) {
        if self.active {
            self.note_change(LIBRARIES);
        }
    }

    /// The latest epoch that was seen something of since `take_seen`; 0 for none.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// As `seen`, which begins anew.
    pub fn take_seen(&mut self) -> u64 {
        std::mem::take(&mut self.seen)
    }

    /// Goes on from what `take_seen` returned, after other commands.
    pub fn resume_seen(&mut self, seen: u64) {
        self.seen = seen;
    }

    /// Ends the epoch; its changes were written. The next is `epoch`.
    pub fn end_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.fresh.clear();
    }

    /// Nothing was written in the turn: what was noted in it were no changes.
    pub fn forget_fresh(&mut self) {
        for (hash, before) in self.fresh.drain(..) {
            if before == 0 {
                self.by_hash.remove(&hash);
            } else {
                self.by_hash.insert(hash, before);
            }
        }
        if self.all == self.epoch {
            self.all = self.epoch - 1;
        }
    }

    /// Everything up to this epoch may be seen. Asked for each turn; looks at all keys only if that is news.
    pub fn release(&mut self, epoch: u64) {
        if epoch <= self.released {
            return;
        }
        self.released = epoch;
        self.by_hash.retain(|_, last| *last > epoch);
        if self.all <= epoch {
            self.all = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_learn_of_the_last_change_that_is_not_released() {
        let mut unsynced = Unsynced::default();
        unsynced.set_active(true, 1);
        unsynced.note_change(10);
        assert_eq!(unsynced.take_seen(), 0);
        unsynced.note_read(10);
        unsynced.note_read(11);
        assert_eq!(unsynced.take_seen(), 1);
        unsynced.end_epoch(2);
        unsynced.note_change(11);
        unsynced.forget_fresh();
        unsynced.note_read(11);
        assert_eq!(unsynced.take_seen(), 0);
        unsynced.note_all();
        unsynced.end_epoch(3);
        unsynced.release(1);
        unsynced.note_read(99);
        assert_eq!(unsynced.take_seen(), 2);
        unsynced.release(2);
        unsynced.note_read(10);
        assert_eq!(unsynced.take_seen(), 0);
    }
}
