//! Fields of hashes that expire: an index of hashes by their earliest field expiry, kept right by `change_hash` and by every
//! function of `Db` that adds or removes an entry; fields that are due go when they are met or in slices.

use crate::base::time::UnixMillis;
use crate::storage::table::prefix_of_hash;
use crate::storage::{EntryMut, Type};
use crate::types::hash::{self, HashRef, next_field_expiry};

use super::db::{change_expire, is_due};
use super::event::Vanished;
use super::{Db, DbIndex, DbState, Keyspace, Notify, OnDue};

impl Db<'_> {
    /// Changes the hash of a key that exists. None if it does not.
    #[inline]
    pub fn change_hash<R>(&mut self, key: &[u8], change: impl FnOnce(&mut EntryMut<'_>) -> R) -> Option<R> {
        let mut entry = self.lookup_write(key)?;
        let old = next_field_expiry(entry.read());
        let result = change(&mut entry);
        let new = next_field_expiry(entry.read());
        if old != new {
            let DbState { table, field_expires, .. } = self.state();
            let prefix = prefix_of_hash(table.hash(key));
            change_expire(field_expires, prefix, old, new);
        }
        Some(result)
    }

    /// Adds a hash for a key that does not exist, and fills it.
    #[inline]
    pub fn add_hash<R>(&mut self, key: &[u8], fill: impl FnOnce(&mut EntryMut<'_>) -> R) -> R {
        let mut entry = self.add(key, Type::Hash, hash::NEW, None);
        let result = fill(&mut entry);
        if let Some(at) = next_field_expiry(entry.read()) {
            let DbState { table, field_expires, .. } = self.state();
            let prefix = prefix_of_hash(table.hash(key));
            field_expires.insert(at, prefix);
        }
        result
    }

    /// The time by which fields of hashes are due here: none ever is while a master decides.
    #[inline]
    pub fn field_clock(&self) -> UnixMillis {
        if self.keyspace.policy.on_due == OnDue::Ignore { UnixMillis(i64::MIN) } else { self.keyspace.now }
    }

    /// Deletes those of these fields whose time has come, and the hash with its last field.
    pub fn expire_fields<'f>(&mut self, key: &[u8], names: impl IntoIterator<Item = &'f [u8]>) {
        let now = self.keyspace.now.0;
        if self.keyspace.policy.on_due != OnDue::Delete
            || self.peek(key).and_then(next_field_expiry).is_none_or(|at| at >= now)
        {
            return;
        }
        let mut expired = Vec::new();
        let is_empty = self.change_hash(key, |entry| {
            for name in names {
                let found = HashRef::of(entry.read()).and_then(|hash| hash.get(name));
                if found.is_some_and(|field| is_due(field.expire_at, now)) && hash::remove(entry, name) {
                    expired.push(name.to_vec());
                }
            }
            HashRef::of(entry.read()).is_some_and(HashRef::is_empty)
        });
        self.announce_expired(key, expired, is_empty == Some(true));
    }

    /// Deletes up to `limit` fields of a hash whose time has come. Returns how many.
    pub fn expire_due_fields(&mut self, key: &[u8], limit: usize) -> usize {
        let now = self.keyspace.now.0;
        if self.keyspace.policy.on_due != OnDue::Delete
            || self.peek(key).and_then(next_field_expiry).is_none_or(|at| at >= now)
        {
            return 0;
        }
        let mut expired = Vec::new();
        let is_empty = self.change_hash(key, |entry| {
            hash::pop_due(entry, now - 1, limit, |name| expired.push(name.to_vec()));
            HashRef::of(entry.read()).is_some_and(HashRef::is_empty)
        });
        let count = expired.len();
        self.announce_expired(key, expired, is_empty == Some(true));
        count
    }

    fn announce_expired(&mut self, key: &[u8], expired: Vec<Vec<u8>>, is_empty: bool) {
        if expired.is_empty() {
            return;
        }
        let index = self.index;
        let Keyspace { stats, events, .. } = &mut *self.keyspace;
        stats.expired_subkeys += expired.len() as u64;
        for name in &expired {
            events.vanished(index, key, Vanished::FieldExpired(name.clone()));
        }
        events.notify_subkeys(Notify::HASH, "hexpired", key, index, || expired);
        events.touched_by_nobody(index, key);
        if is_empty {
            self.delete(key);
            self.notify(Notify::GENERIC, "del", key);
        }
    }
}

impl Keyspace {
    /// Deletes up to `limit` fields of hashes whose time has come. Returns how many; fewer than `limit` means that no field
    /// is due.
    pub fn active_expire_fields_slice(&mut self, limit: usize) -> usize {
        if self.policy.on_due != OnDue::Delete {
            return 0;
        }
        let (mut due, mut removed) = (Vec::new(), 0);
        for index in 0..self.dbs.len() {
            while removed < limit {
                let now = self.now.0;
                self.dbs[index].field_expires.pop_due(now - 1, 1, &mut due);
                let Some((at, prefix)) = due.pop() else { break };
                let state = &mut self.dbs[index];
                let is_it = |entry: crate::storage::EntryRef<'_>| {
                    entry.type_() == Type::Hash && next_field_expiry(entry) == Some(at)
                };
                let Some(entry) = state.table.find_by_prefix(prefix, is_it) else { continue };
                let key = entry.key().to_vec();
                // Changing the hash removes the record, or moves it to the next field's time.
                state.field_expires.insert(at, prefix);
                let mut db = self.db(DbIndex(index as u16));
                if db.peek(&key).is_some() {
                    removed += db.expire_due_fields(&key, limit - removed).max(1);
                }
            }
        }
        removed
    }

    /// The earliest time at which a field of a hash may be due.
    pub fn next_field_due(&self) -> Option<i64> {
        self.dbs.iter().filter_map(|db| db.field_expires.next_due()).min()
    }

    /// May a key or a field of a hash be due?
    pub fn is_any_due(&self) -> bool {
        [self.next_due(), self.next_field_due()].into_iter().flatten().any(|at| at < self.now.0)
    }
}
