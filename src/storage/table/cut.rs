//! The table's part in a cut: which buckets have been taken. A cut flips the table's parity; a bucket whose cut bit
//! differs from it has not been taken yet. Segments are taken whole before they are rebuilt, and what is born in
//! between is born taken, so an entry is shown exactly once, as it was when the cut began.

use super::{CUT, EntryRef, OVERFLOW, SLOTS, SegmentPtr, Table, prefetch};

/// How many buckets ahead of the one that is taken the processor is asked for entries.
const AHEAD: usize = 3;

impl Table {
    /// Begins a cut: nothing has been taken.
    pub fn begin_cut(&mut self) {
        assert!(!self.cutting, "a cut ends before the next begins");
        self.parity ^= CUT;
        self.cutting = true;
    }

    /// Ends a cut in which everything was taken.
    pub fn end_cut(&mut self) {
        self.cutting = false;
    }

    fn take_bucket(&mut self, segment: SegmentPtr, index: usize, visit: &mut impl FnMut(EntryRef<'_>)) {
        // SAFETY: the segment is live and exclusively held by `&mut self`.
        let bucket = unsafe { &mut *segment.bucket(index) };
        if bucket.meta & CUT == self.parity {
            return;
        }
        bucket.meta ^= CUT;
        for raw in bucket.slots.iter().flatten() {
            // SAFETY: entries in slots are live.
            visit(unsafe { EntryRef::from_raw(*raw) });
        }
    }

    fn take_all(&mut self, segment: SegmentPtr, visit: &mut impl FnMut(EntryRef<'_>)) {
        let buckets = usize::from(segment.buckets());
        for index in 0..buckets + AHEAD {
            if index < buckets {
                // SAFETY: as in take_bucket.
                let bucket = unsafe { &*segment.bucket(index) };
                if bucket.meta & CUT != self.parity {
                    bucket.slots.iter().flatten().for_each(|entry| prefetch(entry.as_ptr()));
                }
            }
            if let Some(behind) = index.checked_sub(AHEAD) {
                self.take_bucket(segment, behind, visit);
            }
        }
    }

    /// Shows what a change of an entry of this hash may touch and has not been taken: the buckets where it is or would
    /// be placed, or the whole segment if that may be rebuilt.
    pub fn take_before_change(&mut self, hash: u64, mut visit: impl FnMut(EntryRef<'_>)) {
        let segment = self.segment_of(hash);
        // SAFETY: live.
        let count = unsafe { segment.header().as_ref().count } as usize;
        if count >= segment.capacity() - segment.capacity() / 10 {
            return self.take_all(segment, &mut visit);
        }
        let buckets = usize::from(segment.buckets());
        let mut index = self.home_of(segment, hash);
        for _ in 0..buckets {
            self.take_bucket(segment, index, &mut visit);
            // SAFETY: as in take_bucket.
            let bucket = unsafe { &*segment.bucket(index) };
            let is_full = bucket.tags.iter().filter(|&&tag| tag != 0).count() == SLOTS;
            if !is_full && bucket.meta & OVERFLOW == 0 {
                return;
            }
            index = if index + 1 == buckets { 0 } else { index + 1 };
        }
    }

    /// Shows what has not been taken of the segment that holds the cursor, and returns the cursor of the next segment (0 at
    /// the end).
    pub fn take_segment(&mut self, cursor: u64, mut visit: impl FnMut(EntryRef<'_>)) -> u64 {
        let hash = cursor << 16;
        let segment = self.segment_of(hash);
        self.take_all(segment, &mut visit);
        let depth = self.depth_of(hash);
        let next = (u128::from(hash >> (63 - depth) >> 1) + 1) << (64 - depth);
        if next >> 64 != 0 { 0 } else { (next >> 16) as u64 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::base::hash::HashSeed;
    use crate::base::rng::Rng;
    use crate::storage::{EntryRef, NewValue, Table, Type, Value};

    fn number_of(entry: EntryRef<'_>) -> i64 {
        match entry.value() {
            Value::Int(number) => number,
            _ => panic!("the test stores integers"),
        }
    }

    #[test]
    fn a_cut_shows_every_entry_once_as_it_was() {
        let mut rng = Rng::new(23);
        for round in 0..if cfg!(miri) { 2 } else { 30 } {
            let mut table = Table::new(HashSeed::new(round));
            let mut model = BTreeMap::new();
            let keys = 1 + rng.below(if cfg!(miri) { 200 } else { 4000 });
            let change = |table: &mut Table, model: &mut BTreeMap<Vec<u8>, i64>, rng: &mut Rng, adds: u64| {
                let key = format!("key:{}", rng.below(keys)).into_bytes();
                let (hash, number) = (table.hash(&key), rng.below(1 << 40) as i64);
                let mut taken = Vec::new();
                table.take_before_change(hash, |entry| taken.push((entry.key().to_vec(), number_of(entry))));
                if rng.below(10) >= adds {
                    table.remove(hash, &key);
                    model.remove(&key);
                } else if let Some(mut entry) = table.get_mut(hash, &key) {
                    entry.set_int(number);
                    model.insert(key, number);
                } else {
                    table.insert(hash, &key, NewValue::Int(number), Type::String, None, 0);
                    model.insert(key, number);
                }
                taken
            };
            // Several cuts one after the other, the table growing and shrinking in between.
            for cut in 0..4 {
                for _ in 0..keys * 2 {
                    let taken = change(&mut table, &mut model, &mut rng, if cut % 2 == 0 { 9 } else { 3 });
                    assert!(taken.is_empty(), "no cut is going on");
                }
                table.begin_cut();
                let expected = model.clone();
                let mut seen = Vec::new();
                let mut cursor = 0;
                loop {
                    for _ in 0..rng.below(60) {
                        seen.extend(change(&mut table, &mut model, &mut rng, 6));
                    }
                    cursor = table.take_segment(cursor, |entry| seen.push((entry.key().to_vec(), number_of(entry))));
                    if cursor == 0 {
                        break;
                    }
                }
                table.end_cut();
                table.check_invariants();
                let count = seen.len();
                assert_eq!(seen.into_iter().collect::<BTreeMap<_, _>>(), expected, "round {round}");
                assert_eq!(count, expected.len(), "round {round}: shown twice");
            }
        }
    }
}
