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
pub type WatchedKey = (DbIndex, Vec<u8>);

/// A client that watches a key.
#[derive(Clone, Copy, Debug)]
struct Watcher {
    client: ClientId,
    /// What the key was when this client began.
    state: Watched,
}

/// Keys with the clients that watch them.
#[derive(Debug, Default)]
pub struct Watches {
    by_key: BTreeMap<WatchedKey, Vec<Watcher>>,
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

    /// Notes that a client watches a key, which is `state` at this moment; false if it did already.
    pub fn add(&mut self, db: DbIndex, key: &[u8], client: ClientId, state: Watched) -> bool {
        let watchers = self.by_key.entry((db, key.to_vec())).or_default();
        let new = !watchers.iter().any(|watcher| watcher.client == client);
        if new {
            watchers.push(Watcher { client, state });
        }
        new
    }

    /// Notes that a client no longer watches a key.
    pub fn remove(&mut self, place: &WatchedKey, client: ClientId) {
        if let Some(watchers) = self.by_key.get_mut(place) {
            watchers.retain(|watcher| watcher.client != client);
            if watchers.is_empty() {
                self.by_key.remove(place);
            }
        }
    }

    /// Does anybody watch this key?
    pub fn has(&self, db: DbIndex, key: &[u8]) -> bool {
        !self.is_empty() && self.by_key.contains_key(&(db, key.to_vec()))
    }

    /// What a key was when a client began to watch it, if it does.
    pub fn state(&self, place: &WatchedKey, client: ClientId) -> Option<Watched> {
        let watchers = self.by_key.get(place)?;
        watchers.iter().find(|watcher| watcher.client == client).map(|watcher| watcher.state)
    }

    /// Tells the watchers of a key that it is `after` at this moment: those to whom that is no change from what it was before
    /// (`is_same`) take note, and `on_change` hears of the others.
    pub fn review(
        &mut self,
        place: &WatchedKey,
        after: Watched,
        is_same: impl Fn(Watched) -> bool,
        mut on_change: impl FnMut(ClientId),
    ) {
        for watcher in self.by_key.get_mut(place).into_iter().flatten() {
            if is_same(watcher.state) {
                watcher.state = after;
            } else {
                on_change(watcher.client);
            }
        }
    }

    /// All keys watched in a database.
    pub fn in_db(&self, db: DbIndex) -> Vec<WatchedKey> {
        let range = (db, Vec::new())..(DbIndex(db.0 + 1), Vec::new());
        self.by_key.range(range).map(|(place, _)| place.clone()).collect()
    }
}
