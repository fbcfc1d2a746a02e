//! The keyspace: databases of keys, expiry, eviction, and the events that follow from changes.
//!
//! **Every change of a key goes through one of the functions of `Db`**: `lookup_write`, `add`, `set_value`,
//! `set_expire`, `delete`, `take`, `put_back`, and through `Keyspace::{flush, swap}`. Each of them first calls
//! `Keyspace::before_change`, where a cut takes the entry that is about to change. Storage hands out no other write
//! access (`EntryMut` comes from `lookup_write` and `add` only), and a test counts the calls.
//!
//! Deliberately absent: what values mean (`types`), commands, clients. Called by `commands` and `dispatch`.

pub mod cut;
pub mod db;
pub mod event;
pub mod evict;
pub mod expire;
pub mod fields;
pub mod lazyfree;
pub mod load;
pub mod lru;
pub mod unsynced;

pub use cut::{CutPiece, CutSize, CutStep};
pub use db::{Db, DbIndex, Freeing, KeepTtl, OnDue};
pub use event::{Events, Notify};
pub use lazyfree::Garbage;
pub use lru::AccessPolicy;

use std::sync::Arc;

use crate::base::hash::HashSeed;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::storage::expiry::ExpiryIndex;
use crate::storage::{EntryRef, Table};

/// One database.
pub(crate) struct DbState {
    pub(crate) table: Table,
    pub(crate) expires: ExpiryIndex,
    /// Sum and count of time-to-live seen, for INFO's avg_ttl.
    pub(crate) avg_ttl_ms: i64,
    /// Hash fields that expire: keys of hashes by their earliest field expiry.
    pub(crate) field_expires: ExpiryIndex,
}

impl DbState {
    fn new(seed: HashSeed) -> DbState {
        DbState {
            table: Table::new(seed),
            expires: ExpiryIndex::default(),
            avg_ttl_ms: 0,
            field_expires: ExpiryIndex::default(),
        }
    }
}

/// Counters that INFO stats shows.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct KeyspaceStats {
    pub keyspace_hits: u64,
    pub keyspace_misses: u64,
    pub expired_keys: u64,
    pub expired_subkeys: u64,
    pub evicted_keys: u64,
    pub expire_cycle_cpu_us: u64,
    pub expired_time_cap_reached_count: u64,
}

/// What the rest of the server decides about how keys are kept. Set by `CONFIG`, read on every access.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct KeyspacePolicy {
    pub access: AccessPolicy,
    pub lfu_log_factor: u32,
    pub lfu_decay_time: u32,
    pub lazyfree_lazy_expire: bool,
    pub lazyfree_lazy_eviction: bool,
    pub lazyfree_lazy_server_del: bool,
    pub lazyfree_lazy_user_del: bool,
    /// What happens to a key that is met after its time.
    pub on_due: OnDue,
}

impl Default for KeyspacePolicy {
    fn default() -> KeyspacePolicy {
        KeyspacePolicy {
            access: AccessPolicy::Lru,
            lfu_log_factor: 10,
            lfu_decay_time: 1,
            lazyfree_lazy_expire: false,
            lazyfree_lazy_eviction: false,
            lazyfree_lazy_server_del: false,
            lazyfree_lazy_user_del: false,
            on_due: OnDue::Delete,
        }
    }
}

/// All databases with what they share.
pub struct Keyspace {
    pub(crate) dbs: Vec<DbState>,
    /// The frozen time of the command in hand.
    pub now: UnixMillis,
    /// Does this access leave clock and counters of keys alone (CLIENT NO-TOUCH)?
    pub no_touch: bool,
    /// Does a script ask?
    pub for_script: bool,
    /// How keys are kept.
    pub policy: KeyspacePolicy,
    /// Counters.
    pub stats: KeyspaceStats,
    /// Changes so far: what save points, propagation and WATCH go by.
    pub dirty: u64,
    /// Keys touched, notifications, keys that blocked clients wait for, keys expired or evicted.
    pub events: Events,
    /// Values to be freed by the lazy-free thread.
    pub garbage: Garbage,
    /// Was there ever a stream that files of old versions cannot hold in full?
    pub has_stream_extras: bool,
    /// Changes that could still be lost and must not be shown.
    pub unsynced: unsynced::Unsynced,
    /// The node's chance.
    pub rng: Rng,
    pub(crate) evict_pool: evict::Pool,
    /// The cut that is going on. Boxed: one word to test on every change.
    cut: Option<Box<cut::Cut>>,
    /// Bytes of copied entries that were handed over and not dropped yet.
    cut_in_flight: Arc<cut::InFlight>,
    /// The last pieces of a cut that is complete.
    cut_pieces: Vec<CutPiece>,
    seed: HashSeed,
    /// Calls of `before_change`: the test that no change bypasses it compares this with what changed.
    changes_announced: u64,
}

impl Keyspace {
    /// `databases` empty databases. `seed` decides hashing and every random choice.
    pub fn new(databases: usize, seed: u64) -> Keyspace {
        let hash_seed = HashSeed::new(seed);
        Keyspace {
            dbs: (0..databases).map(|_| DbState::new(hash_seed)).collect(),
            now: UnixMillis(0),
            no_touch: false,
            for_script: false,
            policy: KeyspacePolicy::default(),
            stats: KeyspaceStats::default(),
            dirty: 0,
            events: Events::default(),
            garbage: Garbage::default(),
            has_stream_extras: false,
            unsynced: unsynced::Unsynced::default(),
            rng: Rng::new(seed ^ 0x5eed),
            evict_pool: evict::Pool::default(),
            cut: None,
            cut_in_flight: Arc::default(),
            cut_pieces: Vec::new(),
            seed: hash_seed,
            changes_announced: 0,
        }
    }

    /// Number of databases.
    pub fn databases(&self) -> usize {
        self.dbs.len()
    }

    /// The key of all hashes, for the structures that types build.
    pub fn hash_seed(&self) -> HashSeed {
        self.seed
    }

    /// The database of this number, if there is one.
    pub fn index_of(&self, number: i64) -> Option<DbIndex> {
        let index = u16::try_from(number).ok()?;
        (usize::from(index) < self.dbs.len()).then_some(DbIndex(index))
    }

    /// One database.
    ///
    /// # Panics
    /// When there is no such database: `SELECT` checks it.
    #[inline]
    pub fn db(&mut self, index: DbIndex) -> Db<'_> {
        assert!(usize::from(index.0) < self.dbs.len());
        Db { keyspace: self, index }
    }

    /// The entry of a key even if it is due; nothing is expired, counted or touched.
    pub fn inspect(&self, index: DbIndex, key: &[u8]) -> Option<EntryRef<'_>> {
        let table = &self.dbs.get(usize::from(index.0))?.table;
        table.get(table.hash(key), key)
    }

    /// Keys in one database some of whose fields expire.
    pub fn keys_with_field_expiry(&self, index: DbIndex) -> usize {
        self.dbs[usize::from(index.0)].field_expires.len()
    }

    /// Keys in one database, with those that expire and the average time to live in milliseconds.
    pub fn db_size(&self, index: DbIndex) -> (usize, usize, i64) {
        let db = &self.dbs[usize::from(index.0)];
        (db.table.len(), db.expires.len(), db.avg_ttl_ms)
    }

    /// Keys in all databases.
    pub fn total_keys(&self) -> usize {
        self.dbs.iter().map(|db| db.table.len()).sum()
    }

    /// The one place that every change passes before it happens. A cut takes the entry of `hash` in database `db`
    /// here, if it has not yet.
    #[inline]
    pub(crate) fn before_change(&mut self, db: DbIndex, hash: u64) {
        if let Some(cut) = announce_change(&mut self.changes_announced, &mut self.unsynced, &mut self.cut, hash) {
            cut.take_before_change(&mut self.dbs[usize::from(db.0)].table, db, hash);
        }
    }

    /// How often a change was announced: for tests.
    pub fn changes_announced(&self) -> u64 {
        self.changes_announced
    }

    /// Removes all keys of one database (or of all) and returns how many there were. With `lazy` another thread frees
    /// them.
    pub fn flush(&mut self, which: Option<DbIndex>, lazy: bool) -> usize {
        let mut removed = 0;
        self.events.flushing();
        for index in 0..self.dbs.len() {
            if which.is_some_and(|only| usize::from(only.0) != index) {
                continue;
            }
            let db = DbIndex(index as u16);
            // A database without keys may still have room for those that it had.
            let old = std::mem::replace(&mut self.dbs[index], DbState::new(self.seed));
            self.dbs[index].table.resizing = old.table.resizing;
            let keys = old.table.len();
            // Who caches keys is told even if there were none.
            self.events.flushed(db);
            if keys > 0 {
                self.changes_announced += 1;
                if self.unsynced.is_active() {
                    self.unsynced.note_all();
                }
            }
            removed += keys;
            if let Some(old) = self.keep_for_cut(db, old)
                && lazy
                && keys > 0
            {
                self.garbage.push_db(old);
            }
        }
        removed
    }

    /// Exchanges two databases (SWAPDB).
    pub fn swap(&mut self, a: DbIndex, b: DbIndex) {
        self.changes_announced += 1;
        if self.unsynced.is_active() {
            self.unsynced.note_all();
        }
        self.swap_in_cut(a, b);
        self.dbs.swap(usize::from(a.0), usize::from(b.0));
        self.events.swapped(a, b);
    }

    /// Bytes of tables and indexes that are no entry: what INFO calls overhead.
    pub fn overhead_bytes(&self) -> usize {
        self.dbs.iter().map(|db| db.table.capacity().1 + db.expires.memory_bytes()).sum()
    }

    /// Slots and bytes of one database's table, and bytes of its expiry index.
    pub fn db_overhead(&self, index: DbIndex) -> (usize, usize, usize) {
        let db = &self.dbs[usize::from(index.0)];
        let (slots, bytes) = db.table.capacity();
        (slots, bytes, db.expires.memory_bytes())
    }

    /// May tables shrink? (DEBUG DICT-RESIZING)
    pub fn set_resizing(&mut self, on: bool) {
        self.dbs.iter_mut().for_each(|db| db.table.resizing = on);
    }

    /// Asks the processor for the bucket of a key, ahead of a command that will look it up. Returns the hash.
    #[inline]
    pub fn prefetch_bucket(&self, db: DbIndex, key: &[u8]) -> u64 {
        let table = &self.dbs[usize::from(db.0)].table;
        let hash = table.hash(key);
        table.prefetch_bucket(hash);
        hash
    }

    /// Asks the processor for the entry of a key whose bucket was asked for before.
    #[inline]
    pub fn prefetch_entry(&self, db: DbIndex, hash: u64) {
        self.dbs[usize::from(db.0)].table.prefetch_entry(hash);
    }
}

/// Counts and notes a change of a key of this hash; yields the cut that must take its entry first. Apart from the keyspace
/// for whoever has borrowed the table already.
#[inline]
fn announce_change<'c>(
    announced: &mut u64,
    unsynced: &mut unsynced::Unsynced,
    cut: &'c mut Option<Box<cut::Cut>>,
    hash: u64,
) -> Option<&'c mut cut::Cut> {
    *announced += 1;
    if unsynced.is_active() {
        unsynced.note_change(hash);
    }
    cut.as_deref_mut()
}
