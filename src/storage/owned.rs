//! An entry outside any table: on its way into one, out of one, or to the thread that frees it.

use super::entry::{self, EntryMut, EntryRef, NewValue, RawEntry, Type, Value};

/// An entry outside any table.
pub struct OwnedEntry(RawEntry);

// SAFETY: an owned entry is plain bytes and a boxed Object, which is Send.
unsafe impl Send for OwnedEntry {}

impl OwnedEntry {
    /// An entry that is to be placed later.
    pub fn new(key: &[u8], value: NewValue<'_>, type_: Type, expire: Option<i64>, lru: u32) -> OwnedEntry {
        OwnedEntry(entry::create(key, value, type_, expire, lru))
    }

    /// The same key with the same value. The nodes of a large one are shared until they change.
    pub fn copy_of(entry: EntryRef<'_>) -> OwnedEntry {
        let value = match entry.value() {
            Value::Int(number) => NewValue::Int(number),
            Value::Bytes(bytes) => NewValue::Bytes(entry.encoding(), bytes),
            Value::Object(object) => NewValue::Object(entry.encoding(), Box::new(object.clone())),
        };
        let mut copy = OwnedEntry::new(entry.key(), value, entry.type_(), entry.expire_at(), entry.lru());
        copy.edit().set_raw(entry.is_raw());
        copy
    }

    /// Read access.
    pub fn read(&self) -> EntryRef<'_> {
        // SAFETY: owned and live.
        unsafe { EntryRef::from_raw(self.0) }
    }

    /// Write access.
    pub fn edit(&mut self) -> EntryMut<'_> {
        // SAFETY: owned and live.
        unsafe { EntryMut::from_slot(&mut self.0) }
    }

    /// # Safety
    /// `raw` must be a live entry that nobody else owns or looks at.
    pub(super) unsafe fn from_raw(raw: RawEntry) -> OwnedEntry {
        OwnedEntry(raw)
    }

    /// Gives the entry up to a slot of a table.
    pub(super) fn into_raw(self) -> RawEntry {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }

    /// Gives up the entry for its value, which is shown to be stored elsewhere.
    pub fn into_value<R>(mut self, store: impl FnOnce(NewValue<'_>) -> R) -> R {
        let (type_, encoding) = (self.read().type_(), self.read().encoding());
        let taken = match self.read().value() {
            Value::Object(_) => self.edit().set_value(type_, NewValue::Int(0)),
            _ => None,
        };
        store(match (taken, self.read().value()) {
            (Some(object), _) => NewValue::Object(encoding, object),
            (None, Value::Bytes(bytes)) => NewValue::Bytes(encoding, bytes),
            (None, Value::Int(number)) => NewValue::Int(number),
            (None, Value::Object(_)) => unreachable!("objects were taken out above"),
        })
    }

    /// The same value, expiry and access information under another key.
    pub fn with_key(self, key: &[u8]) -> OwnedEntry {
        let (type_, expire, lru, raw) =
            (self.read().type_(), self.read().expire_at(), self.read().lru(), self.read().is_raw());
        let mut renamed = self.into_value(|value| OwnedEntry(entry::create(key, value, type_, expire, lru)));
        renamed.edit().set_raw(raw);
        renamed
    }
}

impl Drop for OwnedEntry {
    fn drop(&mut self) {
        entry::destroy(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::HashSeed;
    use crate::storage::table::prefix_of_hash;
    use crate::storage::{Encoding, Table};

    #[test]
    fn an_entry_moves_to_another_key() {
        let mut table = Table::new(HashSeed::new(2));
        let hash = table.hash(b"a");
        table.insert(hash, b"a", NewValue::Bytes(Encoding::Packed, b"xyz"), Type::Hash, Some(5), 77);
        let entry = table.remove(hash, b"a").unwrap().with_key(b"other");
        table.reinsert(entry);
        let entry = table.get(table.hash(b"other"), b"other").unwrap();
        assert!(matches!(entry.value(), Value::Bytes(b"xyz")));
        assert_eq!((entry.expire_at(), entry.lru(), entry.type_()), (Some(5), 77, Type::Hash));
        let prefix = prefix_of_hash(table.hash(b"other"));
        assert!(table.find_by_prefix(prefix, |entry| entry.expire_at() == Some(5)).is_some());
    }
}
