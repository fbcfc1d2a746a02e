//! One database as commands see it: lookups that expire and touch, and the few functions through which every change goes.

use crate::storage::table::{Lookup, prefix_of_hash};
use crate::storage::{EntryMut, EntryRef, NewValue, Type, Value};
use crate::storage::{Object, OwnedEntry};
use crate::types::hash::next_field_expiry;

use super::event::Vanished;
use super::lazyfree::{LAZYFREE_EFFORT_MAX, LAZYFREE_EFFORT_MIN};
use super::{DbState, Keyspace, KeyspaceStats, Notify, announce_change, lru};

/// The number of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DbIndex(pub u16);

/// What happens to the expiry of a key that is overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepTtl {
    /// It stays.
    Keep,
    /// It goes.
    Clear,
    /// It becomes this time, in milliseconds since the epoch.
    At(i64),
}

/// What happens to a key that is met after its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDue {
    /// It is deleted.
    Delete,
    /// It is treated as absent and left to the master.
    Hide,
    /// It is treated as alive: commands of the master, loading, DEBUG.
    Ignore,
}

/// Which thread frees a deleted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeing {
    /// This one.
    Sync,
    /// Another one, if it is worth it.
    Lazy,
}

/// A database, borrowed from the keyspace.
pub struct Db<'a> {
    pub(super) keyspace: &'a mut Keyspace,
    pub(super) index: DbIndex,
}

impl Db<'_> {
    /// Which database this is.
    pub fn index(&self) -> DbIndex {
        self.index
    }

    /// The keyspace this database belongs to.
    pub fn keyspace(&mut self) -> &mut Keyspace {
        self.keyspace
    }

    /// Another database of the same keyspace.
    pub fn at(&mut self, index: DbIndex) -> Db<'_> {
        self.keyspace.db(index)
    }

    #[inline]
    pub(super) fn state(&mut self) -> &mut DbState {
        &mut self.keyspace.dbs[usize::from(self.index.0)]
    }

    /// Number of keys, due ones included.
    pub fn len(&mut self) -> usize {
        self.state().table.len()
    }

    /// Has it no keys?
    pub fn is_empty(&mut self) -> bool {
        self.len() == 0
    }

    /// The entry of a key, to read: expires it if due, counts a hit or miss, and notes the access.
    #[inline]
    pub fn lookup_read(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        let hash = self.state().table.hash(key);
        self.find(hash, key, true).map(EntryMut::into_ref)
    }

    /// As `lookup_read` without counting hits and misses or noting the access: TYPE, TTL, OBJECT, EXISTS of others.
    pub fn peek(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        let touch = std::mem::replace(&mut self.keyspace.no_touch, true);
        let index = usize::from(self.index.0);
        let hash = self.keyspace.dbs[index].table.hash(key);
        if self.keyspace.unsynced.is_active() {
            self.keyspace.unsynced.note_read(hash);
        }
        self.expire_if_due(hash, key);
        self.keyspace.no_touch = touch;
        let (now, on_due) = (self.keyspace.now.0, self.keyspace.policy.on_due);
        let entry = self.keyspace.dbs[index].table.get(hash, key)?;
        (on_due != OnDue::Hide || !is_due(entry.expire_at(), now)).then_some(entry)
    }

    /// Is there such a key?
    pub fn exists(&mut self, key: &[u8]) -> bool {
        self.peek(key).is_some()
    }

    /// The entry of a key that was looked up before: expires and counts nothing, so that several can be held at a time.
    pub fn view(&self, key: &[u8]) -> Option<EntryRef<'_>> {
        let table = &self.keyspace.dbs[usize::from(self.index.0)].table;
        let entry = table.get(table.hash(key), key)?;
        (self.keyspace.policy.on_due == OnDue::Ignore || !self.is_due(entry)).then_some(entry)
    }

    /// The entry of a key even if it is due; nothing is expired, counted or touched (DEBUG).
    pub fn inspect(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        let table = &self.state().table;
        table.get(table.hash(key), key)
    }

    /// The entry of a key, to change. The caller tells of the change by `modified`.
    #[inline]
    pub fn lookup_write(&mut self, key: &[u8]) -> Option<EntryMut<'_>> {
        let hash = self.state().table.hash(key);
        self.keyspace.before_change(self.index, hash);
        self.find(hash, key, false)
    }

    #[inline]
    fn find(&mut self, hash: u64, key: &[u8], count: bool) -> Option<EntryMut<'_>> {
        let index = self.index;
        let Keyspace {
            dbs, now, no_touch, policy, stats, events, rng, garbage, cut, unsynced, changes_announced, ..
        } = &mut *self.keyspace;
        let DbState { table, expires, field_expires, .. } = &mut dbs[usize::from(index.0)];
        // Who looks a key up to change it has announced that, and the key was looked at then.
        if count && unsynced.is_active() {
            unsynced.note_read(hash);
        }
        let found = table.lookup(hash, key, |entry| {
            let read = entry.read();
            if policy.on_due != OnDue::Ignore && is_due(read.expire_at(), now.0) {
                return false;
            }
            if !*no_touch {
                let old = read.lru();
                let new = lru::accessed(old, policy, *now, rng);
                if new != old {
                    entry.set_lru(new);
                }
            }
            true
        });
        match found {
            Lookup::Found(entry) => {
                if count {
                    stats.keyspace_hits += 1;
                }
                Some(entry)
            }
            Lookup::Absent(_) => {
                if count {
                    stats.keyspace_misses += 1;
                    events.notify(Notify::KEY_MISS, "keymiss", key, index);
                }
                None
            }
            Lookup::Refused(table) => {
                if policy.on_due == OnDue::Delete {
                    if let Some(cut) = announce_change(changes_announced, unsynced, cut, hash) {
                        cut.take_before_change(table, index, hash);
                    }
                    if let Some(entry) = take_from(table, expires, field_expires, hash, key) {
                        announce_expired(stats, events, index, key);
                        discard(entry, policy.lazyfree_lazy_expire, garbage);
                    }
                }
                if count {
                    stats.keyspace_misses += 1;
                    events.notify(Notify::KEY_MISS, "keymiss", key, index);
                }
                None
            }
        }
    }

    /// Deletes the key if its time has come.
    fn expire_if_due(&mut self, hash: u64, key: &[u8]) {
        let now = self.keyspace.now.0;
        let due = self.state().table.get(hash, key).is_some_and(|entry| is_due(entry.expire_at(), now));
        if due && self.keyspace.policy.on_due == OnDue::Delete {
            self.expire(key);
        }
    }

    /// Deletes a key because its time has come.
    pub(super) fn expire(&mut self, key: &[u8]) {
        let Some(entry) = self.take(key) else { return };
        let keyspace = &mut *self.keyspace;
        announce_expired(&mut keyspace.stats, &mut keyspace.events, self.index, key);
        discard(entry, keyspace.policy.lazyfree_lazy_expire, &mut keyspace.garbage);
    }

    /// Deletes a key because memory is short. Returns whether it was there.
    pub(super) fn evict(&mut self, key: &[u8]) -> bool {
        let Some(entry) = self.take(key) else { return false };
        let keyspace = &mut *self.keyspace;
        keyspace.stats.evicted_keys += 1;
        keyspace.events.vanished(self.index, key, Vanished::Evicted);
        keyspace.events.notify(Notify::EVICTED, "evicted", key, self.index);
        keyspace.events.touched_by_nobody(self.index, key);
        discard(entry, keyspace.policy.lazyfree_lazy_eviction, &mut keyspace.garbage);
        true
    }

    /// Adds a key that does not exist.
    pub fn add(&mut self, key: &[u8], type_: Type, value: NewValue<'_>, expire: Option<i64>) -> EntryMut<'_> {
        self.drop_hidden(key);
        let index = self.index;
        let hash = self.state().table.hash(key);
        self.keyspace.before_change(index, hash);
        let Keyspace { dbs, now, policy, events, .. } = &mut *self.keyspace;
        let DbState { table, expires, field_expires, .. } = &mut dbs[usize::from(index.0)];
        let clock = lru::initial(policy, *now);
        let entry = add_to(table, expires, events, index, hash, key, type_, value, expire, clock);
        if let Some(at) = next_field_expiry(entry.read()) {
            field_expires.insert(at, prefix_of_hash(hash));
        }
        entry
    }

    /// Makes room for a key that is added. Where due keys are hidden, one that does not exist for commands may still be here.
    fn drop_hidden(&mut self, key: &[u8]) {
        if self.keyspace.policy.on_due == OnDue::Hide {
            self.delete(key);
        }
    }

    /// Gives a key this value, whether it exists or not (SET and all commands that store a result).
    pub fn set_value(&mut self, key: &[u8], type_: Type, value: NewValue<'_>, ttl: KeepTtl) {
        let index = self.index;
        let hash = self.state().table.hash(key);
        self.keyspace.before_change(index, hash);
        let Keyspace { dbs, now, no_touch, policy, events, garbage, rng, .. } = &mut *self.keyspace;
        let DbState { table, expires, field_expires, .. } = &mut dbs[usize::from(index.0)];
        let may_overwrite =
            |entry: &mut EntryMut<'_>| policy.on_due != OnDue::Delete || !is_due(entry.read().expire_at(), now.0);
        let mut entry = match table.lookup(hash, key, may_overwrite) {
            Lookup::Found(entry) => entry,
            Lookup::Refused(_) => {
                // A key whose time has come goes first: it is a new one that is set.
                self.expire(key);
                return self.set_value(key, type_, value, ttl);
            }
            Lookup::Absent(table) => {
                let expire = if let KeepTtl::At(at) = ttl { Some(at) } else { None };
                let clock = lru::initial(policy, *now);
                let entry = add_to(table, expires, events, index, hash, key, type_, value, expire, clock);
                change_expire(field_expires, prefix_of_hash(hash), None, next_field_expiry(entry.read()));
                return;
            }
        };
        let old_field_expiry = next_field_expiry(entry.read());
        events.notify(Notify::OVERWRITTEN, "overwritten", key, index);
        if entry.type_() != type_ {
            events.notify(Notify::TYPE_CHANGED, "type_changed", key, index);
            if is_waited_for(type_) {
                events.ready(index, key);
            }
        }
        if !*no_touch {
            let clock = match policy.access {
                lru::AccessPolicy::Lfu => lru::accessed(entry.read().lru(), policy, *now, rng),
                lru::AccessPolicy::Lru | lru::AccessPolicy::Lrm => lru::lru_clock(*now),
            };
            entry.set_lru(clock);
        }
        let old = entry.read().expire_at();
        let new = match ttl {
            KeepTtl::Keep => old,
            KeepTtl::Clear => None,
            KeepTtl::At(at) => Some(at),
        };
        if old != new {
            change_expire(expires, prefix_of_hash(hash), old, new);
            entry.set_expire(new);
        }
        let object = entry.set_value(type_, value);
        let new_field_expiry = next_field_expiry(entry.read());
        if old_field_expiry != new_field_expiry {
            change_expire(field_expires, prefix_of_hash(hash), old_field_expiry, new_field_expiry);
        }
        if let Some(object) = object
            && object.free_effort() >= least_effort(policy.lazyfree_lazy_server_del)
        {
            garbage.push_object(object);
        }
    }

    /// Sets or removes the expiry of a key that exists. False if it does not.
    pub fn set_expire(&mut self, key: &[u8], expire: Option<i64>) -> bool {
        let hash = self.state().table.hash(key);
        self.keyspace.before_change(self.index, hash);
        let DbState { table, expires, .. } = self.state();
        let Some(mut entry) = table.get_mut(hash, key) else { return false };
        let old = entry.read().expire_at();
        if old != expire {
            change_expire(expires, prefix_of_hash(hash), old, expire);
            entry.set_expire(expire);
        }
        true
    }

    /// Deletes a key as a consequence of a command: `lazyfree-lazy-server-del` decides who frees it.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        let freeing = if self.keyspace.policy.lazyfree_lazy_server_del { Freeing::Lazy } else { Freeing::Sync };
        self.delete_by(key, freeing)
    }

    /// Deletes a key, due or not; false if there was none. Says nothing to subscribers and watchers.
    pub fn delete_by(&mut self, key: &[u8], freeing: Freeing) -> bool {
        let Some(entry) = self.take(key) else { return false };
        discard(entry, freeing == Freeing::Lazy, &mut self.keyspace.garbage);
        true
    }

    /// Frees a part that was taken out of a value, on another thread if that takes long.
    pub fn discard_part(&mut self, part: Box<Object>) {
        if part.free_effort() >= LAZYFREE_EFFORT_MAX {
            self.keyspace.garbage.push_object(part);
        }
    }

    /// Takes a key with all it has out of the database.
    pub fn take(&mut self, key: &[u8]) -> Option<OwnedEntry> {
        let hash = self.state().table.hash(key);
        self.keyspace.before_change(self.index, hash);
        let DbState { table, expires, field_expires, .. } = self.state();
        take_from(table, expires, field_expires, hash, key)
    }

    /// Puts an entry under `key`, which must not exist.
    pub fn put_back(&mut self, key: &[u8], entry: OwnedEntry) {
        self.drop_hidden(key);
        self.keyspace.note_stream(&entry);
        let hash = self.state().table.hash(key);
        self.keyspace.before_change(self.index, hash);
        let entry = if entry.read().key() == key { entry } else { entry.with_key(key) };
        let (type_, expire) = (entry.read().type_(), entry.read().expire_at());
        let field_expiry = next_field_expiry(entry.read());
        let DbState { table, expires, field_expires, .. } = self.state();
        if let Some(at) = expire {
            expires.insert(at, prefix_of_hash(hash));
        }
        if let Some(at) = field_expiry {
            field_expires.insert(at, prefix_of_hash(hash));
        }
        table.reinsert(entry);
        self.keyspace.events.notify(Notify::NEW, "new", key, self.index);
        if is_waited_for(type_) {
            self.keyspace.events.ready(self.index, key);
        }
    }

    /// Tells watchers and trackers that a key changed (Redis: signalModifiedKey), and counts one change.
    #[inline]
    pub fn modified(&mut self, key: &[u8]) {
        self.keyspace.dirty += 1;
        self.keyspace.events.touched(self.index, key);
    }

    /// As `modified` for a command that counts its changes itself.
    #[inline]
    pub fn modified_times(&mut self, key: &[u8], changes: u64) {
        self.keyspace.dirty += changes;
        self.keyspace.events.touched(self.index, key);
    }

    /// Counts changes that neither watchers nor trackers hear of: those of consumer groups, whose stream stays as it is.
    #[inline]
    pub fn count_changes(&mut self, changes: u64) {
        self.keyspace.dirty += changes;
    }

    /// Tells subscribers of an event of this class.
    #[inline]
    pub fn notify(&mut self, class: Notify, event: &'static str, key: &[u8]) {
        self.keyspace.events.notify(class, event, key, self.index);
    }

    /// As `notify`, of an event that concerns members or fields.
    #[inline]
    pub fn notify_subkeys(
        &mut self,
        class: Notify,
        event: &'static str,
        key: &[u8],
        subkeys: impl FnOnce() -> Vec<Vec<u8>>,
    ) {
        self.keyspace.events.notify_subkeys(class, event, key, self.index, subkeys);
    }

    /// Does anyone want to know the members or fields that events of this class concern?
    #[inline]
    pub fn wants_subkeys(&self, class: Notify) -> bool {
        self.keyspace.events.wants_subkeys(class)
    }

    /// Tells blocked clients that this key may serve them.
    #[inline]
    pub fn ready(&mut self, key: &[u8]) {
        self.keyspace.events.ready(self.index, key);
    }

    /// Visits one bucket of keys (see `Table::scan`); due keys are shown too. Returns the next cursor.
    pub fn scan(&mut self, cursor: u64, visit: impl FnMut(EntryRef<'_>)) -> u64 {
        self.state().table.scan(cursor, visit)
    }

    /// Visits every key, due ones included.
    pub fn for_each(&mut self, visit: impl FnMut(EntryRef<'_>)) {
        self.state().table.for_each(visit);
    }

    /// A key, each equally likely, that is not due; None if there is none (or none was found in 100 picks).
    pub fn random_key(&mut self) -> Option<Vec<u8>> {
        for _ in 0..100 {
            let index = usize::from(self.index.0);
            let Keyspace { dbs, now, rng, policy, .. } = &mut *self.keyspace;
            let entry = dbs[index].table.random(rng)?;
            if !is_due(entry.expire_at(), now.0) || policy.on_due == OnDue::Ignore {
                return Some(entry.key().to_vec());
            }
            let key = entry.key().to_vec();
            if self.keyspace.policy.on_due == OnDue::Delete {
                self.expire(&key);
            } else if self.keyspace.dbs[index].table.len() == self.keyspace.dbs[index].expires.len() {
                // All keys may be due here, and none may be deleted.
                return Some(key);
            }
        }
        None
    }

    /// Has this key's time come?
    pub fn is_due(&self, entry: EntryRef<'_>) -> bool {
        is_due(entry.expire_at(), self.keyspace.now.0)
    }

    /// Bytes that this entry takes outside its value's object.
    pub fn entry_overhead(entry: EntryRef<'_>) -> usize {
        // A slot and a tag, at the mean load of a segment.
        let slot = 12;
        entry.allocated_bytes() + slot + if entry.expire_at().is_some() { 9 } else { 0 }
    }
}

/// Do clients block on keys of this type?
fn is_waited_for(type_: Type) -> bool {
    matches!(type_, Type::List | Type::Zset | Type::Stream)
}

/// Has this time come?
#[inline]
pub fn is_due(expire: Option<i64>, now: i64) -> bool {
    expire.is_some_and(|at| now > at)
}

pub(super) fn change_expire(
    expires: &mut crate::storage::expiry::ExpiryIndex,
    prefix: u64,
    old: Option<i64>,
    new: Option<i64>,
) {
    if let Some(at) = old {
        expires.remove(at, prefix);
    }
    if let Some(at) = new {
        expires.insert(at, prefix);
    }
}

/// Takes a key with its place in the indexes out of its table.
fn take_from(
    table: &mut crate::storage::Table,
    expires: &mut crate::storage::expiry::ExpiryIndex,
    field_expires: &mut crate::storage::expiry::ExpiryIndex,
    hash: u64,
    key: &[u8],
) -> Option<OwnedEntry> {
    let entry = table.remove(hash, key)?;
    if let Some(at) = entry.read().expire_at() {
        expires.remove(at, prefix_of_hash(hash));
    }
    if let Some(at) = next_field_expiry(entry.read()) {
        field_expires.remove(at, prefix_of_hash(hash));
    }
    Some(entry)
}

/// Counts a key that went because its time has come, and tells of it.
fn announce_expired(stats: &mut KeyspaceStats, events: &mut super::Events, index: DbIndex, key: &[u8]) {
    stats.expired_keys += 1;
    events.vanished(index, key, Vanished::Expired);
    events.notify(Notify::EXPIRED, "expired", key, index);
    events.touched_by_nobody(index, key);
}

#[allow(clippy::too_many_arguments)]
fn add_to<'t>(
    table: &'t mut crate::storage::Table,
    expires: &mut crate::storage::expiry::ExpiryIndex,
    events: &mut super::Events,
    index: DbIndex,
    hash: u64,
    key: &[u8],
    type_: Type,
    value: NewValue<'_>,
    expire: Option<i64>,
    lru: u32,
) -> EntryMut<'t> {
    if let Some(at) = expire {
        expires.insert(at, prefix_of_hash(hash));
    }
    events.notify(Notify::NEW, "new", key, index);
    if is_waited_for(type_) {
        events.ready(index, key);
    }
    table.insert(hash, key, value, type_, expire, lru)
}

/// From how many allocations on another thread frees a value.
fn least_effort(lazy: bool) -> usize {
    if lazy { LAZYFREE_EFFORT_MIN } else { LAZYFREE_EFFORT_MAX }
}

/// Frees an entry here, or queues it for the lazy-free thread if that was asked for and is worth it.
pub(super) fn discard(entry: OwnedEntry, lazy: bool, garbage: &mut super::Garbage) {
    let effort = match entry.read().value() {
        Value::Object(object) => object.free_effort(),
        Value::Int(_) | Value::Bytes(_) => 1,
    };
    if effort >= least_effort(lazy) {
        garbage.push_entry(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::UnixMillis;

    fn keyspace() -> Keyspace {
        let mut keyspace = Keyspace::new(2, 1);
        keyspace.now = UnixMillis(1000);
        keyspace
    }

    #[test]
    fn due_keys_are_gone_when_met_and_the_index_follows() {
        let mut keyspace = keyspace();
        keyspace.events.propagate_vanished = true;
        let mut db = keyspace.db(DbIndex(0));
        db.set_value(b"k", Type::String, NewValue::Int(1), KeepTtl::At(1500));
        db.set_value(b"k", Type::String, NewValue::Int(2), KeepTtl::Keep);
        assert_eq!(db.lookup_read(b"k").unwrap().expire_at(), Some(1500));
        db.keyspace.now = UnixMillis(1501);
        assert!(db.lookup_read(b"k").is_none());
        assert_eq!((keyspace.total_keys(), keyspace.dbs[0].expires.len(), keyspace.stats.expired_keys), (0, 0, 1));
        assert_eq!(keyspace.events.vanished.len(), 1);
    }

    #[test]
    fn a_due_key_is_expired_before_it_is_overwritten() {
        let mut keyspace = keyspace();
        keyspace.events.notify_flags = Notify(u32::MAX);
        let mut db = keyspace.db(DbIndex(0));
        db.set_value(b"k", Type::String, NewValue::Int(1), KeepTtl::At(1500));
        db.keyspace.now = UnixMillis(1501);
        db.set_value(b"k", Type::String, NewValue::Int(2), KeepTtl::Keep);
        assert_eq!(db.lookup_read(b"k").unwrap().expire_at(), None);
        let events: Vec<&str> = keyspace.events.notifications.iter().map(|notification| notification.event).collect();
        assert_eq!((events, keyspace.stats.expired_keys), (vec!["new", "expired", "new"], 1));
    }

    /// All keys with their values and expiries, as a cut would hold them.
    type Content = Vec<(DbIndex, Vec<u8>, i64, Option<i64>)>;

    fn note(content: &mut Content, db: DbIndex, entry: EntryRef<'_>) {
        let Value::Int(number) = entry.value() else { panic!("the test stores integers") };
        content.push((db, entry.key().to_vec(), number, entry.expire_at()));
        content.sort();
    }

    fn content(keyspace: &mut Keyspace) -> Content {
        let mut content = Content::new();
        for db in [DbIndex(0), DbIndex(1)] {
            keyspace.db(db).for_each(|entry| note(&mut content, db, entry));
        }
        content
    }

    #[test]
    fn every_change_is_announced_before_it_happens() {
        type Step = (&'static str, fn(&mut Keyspace));
        const DB: DbIndex = DbIndex(0);
        const NEW: NewValue<'_> = NewValue::Int(7);
        // A key that stays, one with a time to come, one that is due.
        let prepare = |keyspace: &mut Keyspace| {
            let mut db = keyspace.db(DB);
            db.set_value(b"a", Type::String, NewValue::Int(1), KeepTtl::Clear);
            db.set_value(b"later", Type::String, NewValue::Int(2), KeepTtl::At(5000));
            db.set_value(b"due", Type::String, NewValue::Int(3), KeepTtl::At(999));
        };
        let steps: [Step; 21] = [
            ("expiry in lookup_read", |k| assert!(k.db(DB).lookup_read(b"due").is_none())),
            ("expiry in lookup_write", |k| assert!(k.db(DB).lookup_write(b"due").is_none())),
            ("expiry in peek", |k| assert!(k.db(DB).peek(b"due").is_none())),
            ("expiry in set_value", |k| k.db(DB).set_value(b"due", Type::String, NEW, KeepTtl::Keep)),
            ("expiry in random_key", |k| {
                while k.db(DB).inspect(b"due").is_some() {
                    assert!(k.db(DB).random_key().is_some());
                }
            }),
            ("active expiry", |k| assert_eq!(k.active_expire_slice(10), 1)),
            ("eviction", |k| assert!(k.db(DB).evict(b"a"))),
            ("add", |k| {
                k.db(DB).add(b"new", Type::String, NEW, None);
            }),
            ("add of a hidden key", |k| {
                k.policy.on_due = OnDue::Hide;
                k.db(DB).add(b"due", Type::String, NEW, None);
            }),
            ("set_value of a new key", |k| k.db(DB).set_value(b"new", Type::String, NEW, KeepTtl::Clear)),
            ("set_value", |k| k.db(DB).set_value(b"a", Type::String, NEW, KeepTtl::Clear)),
            ("set_value with a time", |k| k.db(DB).set_value(b"later", Type::String, NEW, KeepTtl::At(9999))),
            ("lookup_write", |k| k.db(DB).lookup_write(b"a").unwrap().set_int(7)),
            ("set_expire", |k| assert!(k.db(DB).set_expire(b"a", Some(9999)))),
            ("set_expire to nothing", |k| assert!(k.db(DB).set_expire(b"later", None))),
            ("delete", |k| assert!(k.db(DB).delete(b"a"))),
            ("take", |k| drop(k.db(DB).take(b"later"))),
            ("put_back", |k| {
                let entry = k.db(DB).take(b"a").unwrap();
                k.db(DB).put_back(b"b", entry);
            }),
            ("swap", |k| k.swap(DB, DbIndex(1))),
            ("flush of one", |k| assert_eq!(k.flush(Some(DB), false), 3)),
            ("flush", |k| assert_eq!(k.flush(None, false), 3)),
        ];
        for (name, step) in steps {
            let mut keyspace = keyspace();
            prepare(&mut keyspace);
            let before = content(&mut keyspace);
            keyspace.begin_cut();
            let announced = keyspace.changes_announced();
            step(&mut keyspace);
            assert!(keyspace.changes_announced() > announced, "{name} changes keys behind the cut's back");
            assert!(content(&mut keyspace) != before, "{name} changes nothing");
            while keyspace.cut_step() == crate::keyspace::CutStep::More {}
            let mut cut = Content::new();
            for piece in keyspace.take_cut_pieces() {
                piece.iter().for_each(|(db, entry)| note(&mut cut, db, entry));
            }
            assert_eq!(cut, before, "{name} is announced after it has happened");
        }
    }

    #[test]
    fn tables_that_do_not_shrink_go_on_so_after_a_flush() {
        let mut keyspace = keyspace();
        keyspace.set_resizing(false);
        keyspace.flush(None, false);
        assert!(keyspace.dbs.iter().all(|db| !db.table.resizing));
        keyspace.set_resizing(true);
        keyspace.flush(Some(DbIndex(1)), true);
        assert!(keyspace.dbs.iter().all(|db| db.table.resizing));
    }
}
