//! Clients that wait for keys. A waiting client's command is run again when one of its keys may serve it, in the order in
//! which clients came; it either is served or goes on waiting at its old place.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::time::MonoTime;
use crate::keyspace::DbIndex;
use crate::storage::Type;

use super::client::ClientId;

/// What a client reads when its time is up (or in MULTI, at once).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutReply {
    Null,
    NullArray,
    /// OK, when everything thrown away is freed.
    Freed,
    /// OK, when the append-only file's job has done what was asked of it.
    CarriedOut,
    /// This integer (WAIT).
    Int(i64),
    /// Whether the append-only file is on the disk up to this offset of propagation, and that no replica is (WAITAOF).
    Synced {
        offset: u64,
    },
}

/// A handler's wish to wait.
#[derive(Clone, Debug)]
pub struct Block {
    /// The keys, any of which may serve.
    pub keys: Vec<Vec<u8>>,
    /// The type of key that serves; `None`: waits for time alone.
    pub wanted: Option<Type>,
    /// Milliseconds until it gives up; 0: never.
    pub timeout_ms: u64,
    /// The reply then.
    pub timeout_reply: TimeoutReply,
    /// Is it served also when the key is deleted or becomes another type (XREADGROUP)?
    pub unblock_on_nokey: bool,
    /// The request to run again, if it is not the one that was sent (XREAD `$`).
    pub request: Option<Vec<Vec<u8>>>,
    /// In how many milliseconds it may be served though none of its keys changed (XREADGROUP CLAIM).
    pub retry_ms: Option<u64>,
}

/// A client that waits.
#[derive(Clone, Debug)]
pub struct Blocked {
    /// What it asked for.
    pub block: Block,
    /// The database of its keys.
    pub db: DbIndex,
    /// Its request, to run again.
    pub argv: Vec<Vec<u8>>,
    /// When it gives up.
    pub deadline: Option<MonoTime>,
    /// When it may be served though nothing happened.
    pub retry_at: Option<MonoTime>,
}

impl Blocked {
    /// When something is to be done about it.
    fn wakes_at(&self) -> Option<MonoTime> {
        self.deadline.into_iter().chain(self.retry_at).min()
    }
}

/// Who waits for what.
#[derive(Debug, Default)]
pub struct Blocking {
    by_key: BTreeMap<(DbIndex, Vec<u8>), Vec<ClientId>>,
    deadlines: BTreeSet<(MonoTime, ClientId)>,
    on_nokey: usize,
}

impl Blocking {
    /// Notes that a client waits.
    pub fn add(&mut self, client: ClientId, blocked: &Blocked) {
        for key in &blocked.block.keys {
            let waiting = self.by_key.entry((blocked.db, key.clone())).or_default();
            if !waiting.contains(&client) {
                waiting.push(client);
                self.on_nokey += usize::from(blocked.block.unblock_on_nokey);
            }
        }
        if let Some(at) = blocked.wakes_at() {
            self.deadlines.insert((at, client));
        }
    }

    /// Notes that a client waits no longer.
    pub fn remove(&mut self, client: ClientId, blocked: &Blocked) {
        for key in &blocked.block.keys {
            let place = (blocked.db, key.clone());
            let Some(waiting) = self.by_key.get_mut(&place) else { continue };
            let before = waiting.len();
            waiting.retain(|&id| id != client);
            self.on_nokey -= if blocked.block.unblock_on_nokey { before - waiting.len() } else { 0 };
            if waiting.is_empty() {
                self.by_key.remove(&place);
            }
        }
        if let Some(at) = blocked.wakes_at() {
            self.deadlines.remove(&(at, client));
        }
    }

    /// Sets when a waiting client may be served though nothing happened.
    pub fn set_retry(&mut self, client: ClientId, blocked: &mut Blocked, at: Option<MonoTime>) {
        if let Some(before) = blocked.wakes_at() {
            self.deadlines.remove(&(before, client));
        }
        blocked.retry_at = at;
        if let Some(at) = blocked.wakes_at() {
            self.deadlines.insert((at, client));
        }
    }

    /// The clients that wait for a key, the longest waiting first.
    pub fn of(&self, db: DbIndex, key: &[u8]) -> Vec<ClientId> {
        self.by_key.get(&(db, key.to_vec())).cloned().unwrap_or_default()
    }

    /// All keys waited for in a database.
    pub fn keys_in(&self, db: DbIndex) -> Vec<Vec<u8>> {
        let range = (db, Vec::new())..(DbIndex(db.0 + 1), Vec::new());
        self.by_key.range(range).map(|((_, key), _)| key.clone()).collect()
    }

    /// Number of keys waited for.
    pub fn key_count(&self) -> usize {
        self.by_key.len()
    }

    /// Number of those whose deletion serves, too.
    pub fn nokey_count(&self) -> usize {
        self.on_nokey
    }

    /// Number of clients that wait for a limited time.
    pub fn deadline_count(&self) -> usize {
        self.deadlines.len()
    }

    /// The client whose time is up first.
    pub fn next_deadline(&self) -> Option<(MonoTime, ClientId)> {
        self.deadlines.first().copied()
    }
}
