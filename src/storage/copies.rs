//! Copies of entries, one after the other in one buffer: how a cut carries entries to the thread that writes them. A small
//! value is copied with its entry; a large one is a clone of its root, whose nodes stay shared with the original.

use std::ptr::NonNull;

use super::EntryRef;

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
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
            // SAFETY: the buffer holds whole copies only, each as long as its `used` says, and `at` is where one begins.
            let entry = unsafe { EntryRef::from_raw(NonNull::from(rest).cast()) };
            at += entry.used();
            Some(entry)
        })
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
    use crate::storage::{Encoding, NewValue, Object, Shared, Table, Type, Value};

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
    }
}
