//! Copies of entries, one after the other in one buffer: how a cut carries entries to the thread that writes them. A small
//! value is copied with its entry; a large one is a clone of its root, whose nodes stay shared with the original.

use std::ptr::NonNull;

use super::{EntryRef, Object, Shared};

/// A list of copied entries, in the order in which they came.
#[derive(Default)]
pub struct EntryCopies {
    bytes: Vec<u8>,
    len: usize,
}

impl EntryCopies {
    /// An empty list with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> EntryCopies {
        EntryCopies { bytes: Vec::with_capacity(bytes), len: 0 }
    }

    /// Adds a copy of an entry.
    #[inline]
    pub fn push(&mut self, entry: EntryRef<'_>) {
        entry.copy_to(&mut self.bytes);
        self.len += 1;
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the buffer in use.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = EntryRef<'_>> {
        entries(&self.bytes)
    }

    /// The entries, whose objects can be taken out of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = EntryCopy<'_>> {
        entries(&self.bytes).map(|entry| EntryCopy { entry })
    }
}

fn entries(bytes: &[u8]) -> impl Iterator<Item = EntryRef<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        // SAFETY: the buffer holds whole copies only, each as long as its `used` says, and `at` is where one begins.
        let entry = unsafe { EntryRef::from_raw(NonNull::from(rest).cast()) };
        at += entry.used();
        Some(entry)
    })
}

/// One copied entry of a list that is lent out as a whole.
pub struct EntryCopy<'a> {
    entry: EntryRef<'a>,
}

impl EntryCopy<'_> {
    /// The entry.
    pub fn entry(&self) -> EntryRef<'_> {
        self.entry
    }

    /// Takes the object out, if the value is one. The entry holds an empty one then, of no type that it should be.
    pub fn take_object(&mut self) -> Option<Object> {
        // SAFETY: this is a copy, each is lent out once by `iter_mut`, and what `entry` shows of it ends before `&mut self` begins.
        let object = unsafe { self.entry.copied_object_mut() }?;
        Some(std::mem::replace(object, Object::Blob(Shared::default())))
    }
}

impl Drop for EntryCopies {
    fn drop(&mut self) {
        // SAFETY: these are copies, and the list that lends them out dies here.
        self.iter().for_each(|entry| unsafe { entry.drop_copied_object() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::HashSeed;
    use crate::storage::{Encoding, NewValue, Table, Type, Value};

    #[test]
    fn copies_outlive_their_originals() {
        let mut table = Table::new(HashSeed::new(1));
        let blob = Box::new(Object::Blob(Shared::new(vec![7; 5000])));
        let long = vec![b'v'; 700];
        let values = [
            (&b"int"[..], NewValue::Int(-5), None),
            (b"inline", NewValue::Bytes(Encoding::Inline, b"value"), Some(77)),
            (b"long", NewValue::Bytes(Encoding::Inline, &long), None),
            (b"blob", NewValue::Object(Encoding::Blob, blob), Some(1)),
        ];
        let mut copies = EntryCopies::default();
        for (key, value, expire) in values {
            let hash = table.hash(key);
            copies.push(table.insert(hash, key, value, Type::String, expire, 3).into_ref());
        }
        drop(table);
        let seen: Vec<(Vec<u8>, Option<i64>, usize)> = copies
            .iter()
            .map(|entry| {
                let size = match entry.value() {
                    Value::Int(number) => number.unsigned_abs() as usize,
                    Value::Bytes(bytes) => bytes.len(),
                    Value::Object(Object::Blob(blob)) => blob.len() + usize::from(blob[4999]),
                    Value::Object(_) => 0,
                };
                (entry.key().to_vec(), entry.expire_at(), size)
            })
            .collect();
        let expected =
            [(&b"int"[..], None, 5), (b"inline", Some(77), 5), (b"long", None, 700), (b"blob", Some(1), 5007)];
        assert_eq!(seen, expected.map(|(key, expire, size)| (key.to_vec(), expire, size)));
        assert_eq!((copies.len(), copies.is_empty()), (4, false));
        let taken: Vec<bool> = copies
            .iter_mut()
            .map(|mut copy| matches!(copy.take_object(), Some(Object::Blob(blob)) if blob.len() == 5000))
            .collect();
        assert_eq!(taken, [false, false, false, true]);
        assert!(
            matches!(copies.iter().last().map(EntryRef::value), Some(Value::Object(Object::Blob(blob))) if blob.is_empty())
        );
    }
}
