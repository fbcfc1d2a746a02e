//! WATCH: which clients look at which keys.

use std::collections::BTreeMap;

use crate::keyspace::db::is_due;
use crate::keyspace::{Db, DbIndex, OnDue};

use super::client::ClientId;

/// What a key was when it was watched, and is as long as its watcher's transaction may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    Absent,
    Present,
    /// There, but its time had come: it is as good as absent, and deleting it changes nothing.
    Due,
}

impl Watched {
    /// The state of a key at this moment.
    pub fn of(db: &mut Db<'_>, key: &[u8]) -> Watched {
        let ignores_time = db.keyspace().policy.on_due == OnDue::Ignore;
        let now = db.keyspace().now.0;
        match db.inspect(key).map(|entry| entry.expire_at()) {
            None => Watched::Absent,
            Some(expire) if !ignores_time && is_due(expire, now) => Watched::Due,
            Some(_) => Watched::Present,
        }
    }
}

/// A key that a client watches.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Watch {
    pub db: DbIndex,
    pub key: Vec<u8>,
    pub state: Watched,
}

/// Keys with the clients that watch them.
#[derive(Debug, Default)]
pub struct Watches {
    by_key: BTreeMap<(DbIndex, Vec<u8>), Vec<ClientId>>,
}

impl Watches {
    /// Does nobody watch anything?
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Number of keys watched.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Notes that a client watches a key; false if it did already.
    pub fn add(&mut self, db: DbIndex, key: &[u8], client: ClientId) -> bool {
        let watchers = self.by_key.entry((db, key.to_vec())).or_default();
        let new = !watchers.contains(&client);
        if new {
            watchers.push(client);
        }
        new
    }

    /// Notes that a client no longer watches a key.
    pub fn remove(&mut self, db: DbIndex, key: &[u8], client: ClientId) {
        let place = (db, key.to_vec());
        if let Some(watchers) = self.by_key.get_mut(&place) {
            watchers.retain(|&id| id != client);
            if watchers.is_empty() {
                self.by_key.remove(&place);
            }
        }
    }

    /// The clients that watch a key.
    pub fn of(&self, db: DbIndex, key: &[u8]) -> &[ClientId] {
        self.by_key.get(&(db, key.to_vec())).map_or(&[], Vec::as_slice)
    }

    /// All keys watched in a database, with their watchers.
    pub fn in_db(&self, db: DbIndex) -> impl Iterator<Item = (&[u8], &[ClientId])> {
        let range = (db, Vec::new())..(DbIndex(db.0 + 1), Vec::new());
        self.by_key.range(range).map(|((_, key), watchers)| (key.as_slice(), watchers.as_slice()))
    }
}
