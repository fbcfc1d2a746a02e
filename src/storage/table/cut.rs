//! The table's part in a cut: what has been taken. A cut flips the table's parity; a segment whose buckets' cut bits differ
//! from it has not been walked yet. In such a segment an entry that is about to change is taken alone, and marked; what is
//! born there is born marked. The walk takes a segment whole, passes over what is marked and takes the marks away, so an
//! entry is shown exactly once, as it was when the cut began, and no mark outlives the cut.
//!
//! Marks travel with their entries, so a segment may be rebuilt or split before it is walked; its cut bit is handed on.

use super::{CUT, EntryMut, EntryRef, OVERFLOW, Position, SegmentPtr, Table, match_tags, prefetch, tag_of};

/// How many buckets ahead of the one that is taken the processor is asked for entries.
const AHEAD: usize = 3;
/// Of a segment whose entries are more bytes than this, the walk takes a part at a time: copying all would take too long.
const STEP_BYTES: usize = 256 * 1024;

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

    /// Returns the bytes of what was shown, with those of long strings that a copy shares.
    fn walk_bucket(&mut self, segment: SegmentPtr, index: usize, visit: &mut impl FnMut(EntryRef<'_>)) -> usize {
        let mut shown = 0;
        // SAFETY: the segment is live and exclusively held by `&mut self`.
        let bucket = unsafe { &mut *segment.bucket(index) };
        bucket.meta ^= CUT;
        for raw in bucket.slots.iter_mut().flatten() {
            // SAFETY: entries in slots are live, and exclusively held as the bucket is.
            let mut entry = unsafe { EntryMut::from_slot(raw) };
            if entry.read().is_taken() {
                entry.set_taken(false);
            } else {
                shown += entry.read().used() + entry.read().shared_bytes();
                visit(entry.read());
            }
        }
        shown
    }

    /// Leaves a segment of whose buckets so many were walked for later: they count as not walked, their entries as taken alone.
    #[cold]
    fn walk_back(&mut self, segment: SegmentPtr, buckets: usize) {
        for index in 0..buckets {
            // SAFETY: as in walk_bucket.
            let bucket = unsafe { &mut *segment.bucket(index) };
            bucket.meta ^= CUT;
            for raw in bucket.slots.iter_mut().flatten() {
                // SAFETY: as in walk_bucket.
                unsafe { EntryMut::from_slot(raw) }.set_taken(true);
            }
        }
    }

    /// Shows what a change of an entry of this hash may touch and has not been taken: the entries whose tag is the same,
    /// which is that entry, if there is one, and rarely another.
    #[inline]
    pub fn take_before_change(&mut self, hash: u64, mut visit: impl FnMut(EntryRef<'_>)) {
        let segment = self.segment_of(hash);
        let buckets = usize::from(segment.buckets());
        let mut index = self.home_of(segment, hash);
        for _ in 0..buckets {
            // SAFETY: as in walk_bucket.
            let bucket = unsafe { &mut *segment.bucket(index) };
            if bucket.meta & CUT == self.parity {
                return;
            }
            let mut matches = match_tags(bucket, tag_of(hash));
            while matches != 0 {
                let slot = (matches.trailing_zeros() / 8) as usize;
                matches &= matches - 1;
                let Some(raw) = &mut bucket.slots[slot] else { continue };
                // SAFETY: as in walk_bucket.
                let mut entry = unsafe { EntryMut::from_slot(raw) };
                if !entry.read().is_taken() {
                    visit(entry.read());
                    entry.set_taken(true);
                }
            }
            if bucket.meta & OVERFLOW == 0 {
                return;
            }
            index = if index + 1 == buckets { 0 } else { index + 1 };
        }
    }

    /// Marks the entry that was placed here while a cut goes on.
    #[cold]
    pub(super) fn mark_born(&mut self, position: Position) {
        // SAFETY: as in walk_bucket.
        let walked = unsafe { (*position.segment.bucket(position.bucket)).meta } & CUT == self.parity;
        // SAFETY: the slot holds the live entry that was just placed, and is held exclusively.
        unsafe { EntryMut::from_slot(self.slot_at(position)) }.set_taken(!walked);
    }

    /// Shows what has not been taken of the segment that holds the cursor, and returns the cursor of the next segment (0 at
    /// the end). Of a segment with large entries it shows a part, and returns a cursor within that segment: never zero.
    pub fn take_segment(&mut self, cursor: u64, mut visit: impl FnMut(EntryRef<'_>)) -> u64 {
        let hash = cursor << 16;
        let segment = self.segment_of(hash);
        let buckets = usize::from(segment.buckets());
        let mut shown = 0;
        // SAFETY: as in walk_bucket. A segment has a bucket at least, and all have the same cut bit.
        if unsafe { (*segment.bucket(0)).meta } & CUT != self.parity {
            for index in 0..buckets + AHEAD {
                if index < buckets {
                    // SAFETY: as in walk_bucket.
                    let bucket = unsafe { &*segment.bucket(index) };
                    bucket.slots.iter().flatten().for_each(|entry| prefetch(entry.as_ptr()));
                }
                if let Some(behind) = index.checked_sub(AHEAD) {
                    shown += self.walk_bucket(segment, behind, &mut visit);
                    if shown >= STEP_BYTES && behind + 1 < buckets {
                        self.walk_back(segment, behind + 1);
                        // A segment spans many cursors.
                        return cursor | 1;
                    }
                }
            }
        }
        let depth = self.depth_of(hash);
        let next = (u128::from(hash >> (63 - depth) >> 1) + 1) << (64 - depth);
        if next >> 64 != 0 { 0 } else { (next >> 16) as u64 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::SLOTS;
    use super::STEP_BYTES;
    use crate::base::hash::HashSeed;
    use crate::base::rng::Rng;
    use crate::storage::{Encoding, EntryRef, NewValue, Table, Type, Value};

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
                    table.check_invariants();
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

    #[test]
    fn large_entries_are_shown_a_part_of_a_segment_at_a_time() {
        const LEN: usize = 8000;
        let mut rng = Rng::new(29);
        let mut table = Table::new(HashSeed::new(4));
        let keys = if cfg!(miri) { 70 } else { 3000 };
        let add = |table: &mut Table, n: u64, fill: u8| {
            let (key, value) = (format!("key:{n}").into_bytes(), vec![fill; LEN]);
            let hash = table.hash(&key);
            table.insert(hash, &key, NewValue::Bytes(Encoding::Inline, &value), Type::String, None, 0);
        };
        (0..keys).for_each(|n| add(&mut table, n, 1));
        table.begin_cut();
        let (mut seen, mut cursor) = (Vec::new(), 0);
        loop {
            // Some are replaced, and as many are new to the table: segments grow and split under the walk.
            for _ in 0..4 {
                let n = rng.below(keys);
                let key = format!("key:{n}").into_bytes();
                let hash = table.hash(&key);
                table.take_before_change(hash, |entry| seen.push(entry.key().to_vec()));
                if rng.below(2) == 0 && table.remove(hash, &key).is_some() {
                    add(&mut table, n, 2);
                }
                let new = keys + seen.len() as u64;
                if table.get(table.hash(format!("key:{new}").as_bytes()), format!("key:{new}").as_bytes()).is_none() {
                    add(&mut table, new, 2);
                }
            }
            let mut bytes = 0;
            cursor = table.take_segment(cursor, |entry| {
                assert!(matches!(entry.value(), Value::Bytes([1, ..])), "it is shown as it was");
                bytes += entry.used();
                seen.push(entry.key().to_vec());
            });
            table.check_invariants();
            assert!(bytes < STEP_BYTES + SLOTS * (LEN + 100), "{bytes} bytes in one step");
            if cursor == 0 {
                break;
            }
        }
        table.end_cut();
        table.check_invariants();
        let mut expected: Vec<_> = (0..keys).map(|n| format!("key:{n}").into_bytes()).collect();
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected);
    }
}
