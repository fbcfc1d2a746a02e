//! What follows from changes: notifications to subscribers, keys that watchers and trackers must hear of, keys that blocked
//! clients wait for, keys that vanished by themselves. Kept in queues while a command runs; dispatch carries them on.

pub use crate::base::notify::Notify;

use super::DbIndex;

/// One keyspace notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The class, one flag.
    pub class: Notify,
    /// The event's name, as `del`.
    pub event: &'static str,
    /// The key.
    pub key: Vec<u8>,
    /// Its database.
    pub db: DbIndex,
    /// Members or fields concerned, for the subkey channels.
    pub subkeys: Vec<Vec<u8>>,
}

/// Why a key, or a field of a hash, vanished without a command that named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vanished {
    /// Its time came.
    Expired,
    /// Memory was short.
    Evicted,
    /// The time of this field came; the hash went with its last one.
    FieldExpired(Vec<u8>),
}

/// A key that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Its database.
    pub db: DbIndex,
    /// The key.
    pub key: Vec<u8>,
    /// Is it a client's doing? (Not if its time came or memory was short, whoever met it.)
    pub by_client: bool,
}

/// The queues. Bounded by what one command (or one slice of background work) can change; dispatch empties them after it.
#[derive(Debug, Default)]
pub struct Events {
    /// Which notifications anyone may want (notify-keyspace-events).
    pub notify_flags: Notify,
    /// Does anyone watch or track keys?
    pub track_touched: bool,
    /// Number of keys that blocked clients wait for.
    pub blocked_keys: usize,
    /// Keys changed, for WATCH and client-side caching.
    pub touched: Vec<Touched>,
    /// How many of them those have heard of who cache keys.
    pub touched_told: usize,
    /// Databases emptied, for WATCH.
    pub flushed: Vec<DbIndex>,
    /// Where among `touched` databases were emptied, for those who cache keys.
    pub flushed_at: Vec<usize>,
    /// Databases exchanged.
    pub swapped: Vec<(DbIndex, DbIndex)>,
    /// Notifications to publish.
    pub notifications: Vec<Notification>,
    /// Keys that came into being or grew, and may serve a blocked client.
    pub ready_keys: Vec<(DbIndex, Vec<u8>)>,
    /// Keys deleted by expiry or eviction, to be propagated as deletions; lazily if so freed.
    pub vanished: Vec<(DbIndex, Vec<u8>, Vanished)>,
    /// Does anyone want `vanished`?
    pub propagate_vanished: bool,
}

impl Events {
    /// Is there nothing to carry on?
    #[inline]
    pub fn is_quiet(&self) -> bool {
        self.touched.is_empty()
            && self.notifications.is_empty()
            && self.ready_keys.is_empty()
            && self.vanished.is_empty()
            && self.flushed.is_empty()
            && self.swapped.is_empty()
    }

    /// Forgets everything that is queued.
    pub fn forget(&mut self) {
        self.touched.clear();
        self.touched_told = 0;
        self.flushed.clear();
        self.flushed_at.clear();
        self.swapped.clear();
        self.notifications.clear();
        self.ready_keys.clear();
        self.vanished.clear();
    }

    /// Queues a notification if its class is wanted.
    #[inline]
    pub fn notify(&mut self, class: Notify, event: &'static str, key: &[u8], db: DbIndex) {
        if self.notify_flags.has(class) {
            self.notify_slow(class, event, key, db, Vec::new());
        }
    }

    /// Queues a notification that names members or fields.
    pub fn notify_subkeys(
        &mut self,
        class: Notify,
        event: &'static str,
        key: &[u8],
        db: DbIndex,
        subkeys: impl FnOnce() -> Vec<Vec<u8>>,
    ) {
        if self.notify_flags.has(class) {
            let subkeys = if self.wants_subkeys(class) { subkeys() } else { Vec::new() };
            self.notify_slow(class, event, key, db, subkeys);
        }
    }

    /// Does anyone want to know the members or fields that events of this class concern?
    #[inline]
    pub fn wants_subkeys(&self, class: Notify) -> bool {
        let any = Notify::SUBKEYSPACE.or(Notify::SUBKEYEVENT).or(Notify::SUBKEYSPACEITEM).or(Notify::SUBKEYSPACEEVENT);
        self.notify_flags.has(class) && self.notify_flags.has(any)
    }

    #[cold]
    fn notify_slow(&mut self, class: Notify, event: &'static str, key: &[u8], db: DbIndex, subkeys: Vec<Vec<u8>>) {
        self.notifications.push(Notification { class, event, key: key.to_vec(), db, subkeys });
    }

    /// Notes that a command changed a key.
    #[inline]
    pub fn touched(&mut self, db: DbIndex, key: &[u8]) {
        if self.track_touched {
            self.touched.push(Touched { db, key: key.to_vec(), by_client: true });
        }
    }

    /// Notes that a key, or a part of it, went by itself.
    pub(super) fn touched_by_nobody(&mut self, db: DbIndex, key: &[u8]) {
        if self.track_touched {
            self.touched.push(Touched { db, key: key.to_vec(), by_client: false });
        }
    }

    /// Notes that a key may now serve a blocked client.
    #[inline]
    pub fn ready(&mut self, db: DbIndex, key: &[u8]) {
        if self.blocked_keys > 0 {
            self.ready_keys.push((db, key.to_vec()));
        }
    }

    /// Notes that one database, or all, are about to be emptied.
    pub(super) fn flushing(&mut self) {
        if self.track_touched {
            self.flushed_at.push(self.touched.len());
        }
    }

    pub(super) fn flushed(&mut self, db: DbIndex) {
        if self.track_touched || self.blocked_keys > 0 {
            self.flushed.push(db);
        }
    }

    pub(super) fn swapped(&mut self, a: DbIndex, b: DbIndex) {
        if self.track_touched || self.blocked_keys > 0 {
            self.swapped.push((a, b));
        }
    }

    /// Did anything vanish that is not repeated yet?
    pub fn has_vanished(&self) -> bool {
        !self.vanished.is_empty()
    }

    pub(super) fn vanished(&mut self, db: DbIndex, key: &[u8], why: Vanished) {
        if self.propagate_vanished {
            self.vanished.push((db, key.to_vec(), why));
        }
    }
}
