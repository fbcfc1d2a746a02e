//! `Dict`: a large set or hash. Extendible hashing (`directory`) over packed segments (`dict_segment`).
//!
//! Cloning it costs a few reference counts, whatever its size; a later writer copies the nodes on the way to the
//! segment that it changes, and that segment. No step rehashes more than one segment of 64 entries.
//!
//! Fields that expire are also listed in order of time, in a tree of (expiry, hash) that exists only while there are any.

use super::dict_segment::{DEPTH_MAX, DictSegment, Upsert};
use super::directory::{Directory, end_of};
use super::score_tree::ScoreTree;
use crate::base::hash::HashSeed;
use crate::base::rng::Rng;

pub use super::dict_entry::FieldRef;

/// Segments without a field to return that one call of `scan` passes at most, beyond the count asked for.
const SCAN_EMPTY_MAX: usize = 16;
/// The earliest expiry kept as given; earlier ones become this. The number below it means none to a segment.
const EXPIRY_MIN: i64 = i64::MIN + 1;
const POSITION_SHIFT: u32 = 64 - DEPTH_MAX;

/// A dictionary of byte strings. Set elements are fields with an empty value.
#[derive(Clone)]
pub struct Dict {
    directory: Directory<DictSegment>,
    seed: HashSeed,
    /// (expiry, hash) of each field that expires.
    due: Option<Box<ScoreTree>>,
}

impl Dict {
    /// An empty dictionary whose order and placement follow from `seed`.
    pub fn new(seed: HashSeed) -> Dict {
        Dict { directory: Directory::new(DictSegment::new()), seed, due: None }
    }

    /// Number of fields.
    #[inline]
    pub fn len(&self) -> usize {
        self.directory.element_count() as usize
    }

    /// Is there no field?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The field as it is stored.
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<FieldRef<'_>> {
        let hash = self.seed.hash(field);
        let segment = self.directory.segment(hash);
        segment.find(hash, field).map(|index| segment.entry(index))
    }

    /// Is there such a field?
    #[inline]
    pub fn contains(&self, field: &[u8]) -> bool {
        let hash = self.seed.hash(field);
        self.directory.segment(hash).find(hash, field).is_some()
    }

    /// Gives the field this value and expiry (milliseconds since the epoch; `None`: it stays). True if it is new.
    pub fn insert(&mut self, field: &[u8], value: &[u8], expire_at: Option<i64>) -> bool {
        let hash = self.seed.hash(field);
        let expire_at = expire_at.map(|at| at.max(EXPIRY_MIN));
        let mut deepest = false;
        loop {
            match self.directory.segment_mut(hash).upsert(hash, field, value, expire_at, deepest) {
                Upsert::Added => {
                    self.directory.adjust(hash, 1);
                    self.move_due(hash, None, expire_at);
                    return true;
                }
                Upsert::Replaced(old) => {
                    self.move_due(hash, old, expire_at);
                    return false;
                }
                Upsert::Full => deepest = !self.split(hash),
            }
        }
    }

    /// Gives the field another expiry, or none. False if there is no such field.
    pub fn set_expire(&mut self, field: &[u8], expire_at: Option<i64>) -> bool {
        let hash = self.seed.hash(field);
        let expire_at = expire_at.map(|at| at.max(EXPIRY_MIN));
        let Some(old) = self.get(field).map(|entry| entry.expire_at) else { return false };
        if old == expire_at {
            return true;
        }
        let mut deepest = false;
        loop {
            let segment = self.directory.segment_mut(hash);
            let Some(index) = segment.find(hash, field) else { return false };
            if segment.set_expire(index, expire_at, deepest) {
                self.move_due(hash, old, expire_at);
                return true;
            }
            deepest = !self.split(hash);
        }
    }

    /// The value of the field, to be overwritten in place by one of the same length.
    pub fn value_mut(&mut self, field: &[u8]) -> Option<&mut [u8]> {
        let hash = self.seed.hash(field);
        let index = self.directory.segment(hash).find(hash, field)?;
        Some(self.directory.segment_mut(hash).value_mut(index))
    }

    /// Removes the field. False if there is no such field.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let hash = self.seed.hash(field);
        let Some(index) = self.directory.segment(hash).find(hash, field) else { return false };
        self.remove_at(hash, index);
        true
    }

    /// All fields in order of their hashes' leading bits.
    pub fn iter(&self) -> impl Iterator<Item = FieldRef<'_>> {
        self.directory.segments_from(0).flat_map(DictSegment::iter)
    }

    /// Shows all fields and lets go of them on the way: see `Directory::consume`.
    pub fn consume(self, mut visit: impl FnMut(FieldRef<'_>)) {
        drop(self.due);
        self.directory.consume(&mut |segment| segment.iter().for_each(&mut visit));
    }

    /// Visits about `count` fields from `cursor` on and returns the cursor to go on from; 0 begins and 0 ends. A field
    /// that is there all through a scan is visited, whatever is added or removed meanwhile.
    ///
    /// The cursor is a position in the order of hashes: their 48 leading bits. All fields of smaller positions have
    /// been visited. Splits and merges move fields between segments but never change a position.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(FieldRef<'_>)) -> u64 {
        let mut position = cursor & ((1 << DEPTH_MAX) - 1);
        let (mut visited, mut passed) = (0, 0);
        let count = count.max(1);
        let mut order = Vec::new();
        loop {
            let (segment, depth) = self.directory.covering(position << POSITION_SHIFT);
            order.clear();
            let places = segment.iter().enumerate().map(|(i, e)| (self.seed.hash(e.field) >> POSITION_SHIFT, i));
            order.extend(places.filter(|place| place.0 >= position));
            order.sort_unstable();
            for (at, &(place, index)) in order.iter().enumerate() {
                // Fields of one position are visited together.
                if visited >= count && order[at - 1].0 != place {
                    return place;
                }
                visit(segment.entry(index));
                visited += 1;
            }
            let Some(next) = end_of(position << POSITION_SHIFT, depth) else { return 0 };
            position = next >> POSITION_SHIFT;
            passed += 1;
            if visited >= count || passed >= count.saturating_add(SCAN_EMPTY_MAX) {
                return position;
            }
        }
    }

    /// The field number `index` in an arbitrary order, which no reading changes.
    pub fn nth(&self, index: u64) -> Option<FieldRef<'_>> {
        let (segment, index) = self.directory.nth(index)?;
        Some(segment.entry(index))
    }

    /// A field, each equally likely.
    pub fn random(&self, rng: &mut Rng) -> Option<FieldRef<'_>> {
        if self.is_empty() {
            return None;
        }
        let (segment, index) = self.directory.nth(rng.below(self.directory.element_count()))?;
        Some(segment.entry(index))
    }

    /// Removes a field, each equally likely, after showing it to `visit`.
    pub fn take_random<R>(&mut self, rng: &mut Rng, visit: impl FnOnce(FieldRef<'_>) -> R) -> Option<R> {
        if self.is_empty() {
            return None;
        }
        let (segment, index) = self.directory.nth(rng.below(self.directory.element_count()))?;
        let entry = segment.entry(index);
        let hash = self.seed.hash(entry.field);
        let result = visit(entry);
        self.remove_at(hash, index);
        Some(result)
    }

    /// The earliest expiry of any field, in milliseconds since the epoch; rounded to 53 bits of precision, which is exact for
    /// the next 285,000 years.
    pub fn next_expiry(&self) -> Option<i64> {
        self.due.as_ref()?.first().map(|(at, _)| at as i64)
    }

    /// Removes up to `limit` fields whose expiry is `now` or earlier, in order of time, showing each to `visit`. Returns how
    /// many were removed: less than `limit` means that no more are due.
    pub fn pop_due(&mut self, now: i64, limit: usize, mut visit: impl FnMut(FieldRef<'_>)) -> usize {
        let mut popped = 0;
        while popped < limit {
            let Some(due) = &mut self.due else { break };
            let Some((at, member)) = due.first().filter(|&(at, _)| at <= now as f64) else { break };
            let mut eight = [0; 8];
            eight.copy_from_slice(member);
            let hash = u64::from_be_bytes(eight);
            let segment = self.directory.segment(hash);
            let is_it =
                |e: FieldRef<'_>| e.expire_at.is_some_and(|e| e as f64 == at) && self.seed.hash(e.field) == hash;
            let Some(index) = segment.iter().position(is_it) else {
                // Two fields of one hash and one expiry share their place in the list; the second comes here.
                due.remove(at, &eight);
                continue;
            };
            visit(segment.entry(index));
            self.remove_at(hash, index);
            popped += 1;
        }
        popped
    }

    /// Bytes of all allocations: exact for small dictionaries, an estimate from a sample for large ones.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Dict>() + self.directory.memory_bytes() + self.due.as_ref().map_or(0, |due| due.memory_bytes())
    }

    /// Panics unless the structure is sound.
    pub fn check_invariants(&self) {
        let mut expiring = 0;
        self.directory.check_invariants(&mut |segment, prefix, depth| {
            segment.check_invariants(self.seed, prefix, depth);
            for entry in segment.iter() {
                let Some(at) = entry.expire_at else { continue };
                expiring += 1;
                let hash = self.seed.hash(entry.field).to_be_bytes();
                assert!(self.due.as_ref().is_some_and(|due| due.contains(at as f64, &hash)));
            }
        });
        assert_eq!(self.due.as_ref().map_or(0, |due| due.len()), expiring);
        if let Some(due) = &self.due {
            due.check_invariants();
        }
    }

    fn split(&mut self, hash: u64) -> bool {
        let seed = self.seed;
        self.directory.split(hash, |segment, bit| segment.part(bit, seed))
    }

    fn remove_at(&mut self, hash: u64, index: usize) {
        let segment = self.directory.segment_mut(hash);
        let expire_at = segment.entry(index).expire_at;
        segment.remove(index);
        let may_merge = segment.is_sparse();
        self.directory.adjust(hash, -1);
        if may_merge {
            self.directory.merge(hash, DictSegment::fits_with, DictSegment::absorb);
        }
        self.move_due(hash, expire_at, None);
    }

    #[inline]
    fn move_due(&mut self, hash: u64, old: Option<i64>, new: Option<i64>) {
        if old != new {
            self.list_due(hash, old, new);
        }
    }

    #[cold]
    fn list_due(&mut self, hash: u64, old: Option<i64>, new: Option<i64>) {
        let due = self.due.get_or_insert_default();
        let hash = hash.to_be_bytes();
        if let Some(old) = old {
            due.remove(old as f64, &hash);
        }
        if let Some(new) = new {
            due.insert(new as f64, &hash);
        }
        if due.is_empty() {
            self.due = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

    fn bytes_of(rng: &mut Rng, prefix: &str, spread: u64) -> Vec<u8> {
        let mut bytes = format!("{prefix}{}", rng.below(spread)).into_bytes();
        let pad = match rng.below(100) {
            0 => 400 + rng.below(300),
            1..5 => rng.below(200),
            _ => 0,
        };
        bytes.resize(bytes.len() + pad as usize, b'-');
        bytes
    }

    fn assert_same(dict: &Dict, model: &Model) {
        dict.check_invariants();
        assert_eq!(dict.len(), model.len());
        assert_eq!(dict.iter().count(), model.len());
        for entry in dict.iter() {
            assert_eq!(model.get(entry.field), Some(&(entry.value.to_vec(), entry.expire_at)));
        }
        assert_eq!(dict.next_expiry(), model.values().filter_map(|entry| entry.1).min());
    }

    #[test]
    fn fields_may_come_in_the_order_of_their_hashes() {
        let seed = HashSeed::new(4);
        let count = if cfg!(miri) { 300 } else { 20_000 };
        let mut fields: Vec<(u64, String)> = (0..count).map(|n| (0, format!("field:{n}"))).collect();
        fields.iter_mut().for_each(|(hash, field)| *hash = seed.hash(field.as_bytes()));
        fields.sort();
        for backwards in [false, true] {
            let mut dict = Dict::new(seed);
            for (_, field) in &fields {
                assert!(dict.insert(field.as_bytes(), b"v", None));
            }
            dict.check_invariants();
            assert_eq!(dict.len(), count, "{backwards}");
            fields.reverse();
        }
    }

    fn run(seed: u64, steps: usize, spread: u64, expiring: bool) {
        let mut rng = Rng::new(seed);
        let (mut dict, mut model) = (Dict::new(HashSeed::new(seed)), Model::new());
        let mut cut: Option<(Dict, Model)> = None;
        for step in 0..steps {
            let growing = (step / (steps / 4)).is_multiple_of(2);
            let field = bytes_of(&mut rng, "field:", spread);
            let some_expiry = |rng: &mut Rng| (expiring && rng.below(2) == 0).then(|| rng.below(1 << 20) as i64);
            match rng.below(20) {
                0..10 if growing => {
                    let value = if rng.below(3) == 0 { Vec::new() } else { bytes_of(&mut rng, "", 1 << 30) };
                    let at = some_expiry(&mut rng);
                    assert_eq!(dict.insert(&field, &value, at), model.insert(field, (value, at)).is_none());
                }
                0..11 => assert_eq!(dict.remove(&field), model.remove(&field).is_some()),
                11..14 => {
                    let taken = dict.take_random(&mut rng, |entry| entry.field.to_vec());
                    assert_eq!(taken.is_some(), !model.is_empty());
                    if !growing && let Some(field) = &taken {
                        assert!(model.remove(field).is_some());
                    } else if let Some(field) = &taken {
                        let (value, at) = &model[field];
                        assert!(dict.insert(field, value, *at));
                    }
                }
                14 => {
                    let at = some_expiry(&mut rng);
                    let there = model.get_mut(&field);
                    assert_eq!(dict.set_expire(&field, at), there.is_some());
                    there.into_iter().for_each(|entry| entry.1 = at);
                }
                15 => {
                    let there = model.get_mut(&field).map(|entry| &mut entry.0[..]);
                    let value = dict.value_mut(&field);
                    assert_eq!(value.as_deref(), there.as_deref());
                    value.into_iter().chain(there).for_each(|value| value.fill(b'v'));
                }
                16 if rng.below(20) == 0 => {
                    let now = dict.next_expiry().unwrap_or(0) + rng.below(1 << 14) as i64;
                    let mut last = 0;
                    let popped = dict.pop_due(now, 20, |entry| {
                        assert_eq!(model.remove(entry.field), Some((entry.value.to_vec(), entry.expire_at)));
                        let at = entry.expire_at.expect("due fields expire");
                        assert!(last <= at && at <= now);
                        last = at;
                    });
                    assert!(popped == 20 || dict.next_expiry().is_none_or(|at| at > now));
                }
                17 if rng.below(steps as u64 / 8) == 0 => {
                    if let Some((dict, model)) = &cut {
                        assert_same(dict, model);
                    }
                    cut = Some((dict.clone(), model.clone()));
                }
                _ => {
                    let there = dict.get(&field).map(|entry| (entry.value.to_vec(), entry.expire_at));
                    assert_eq!(there.as_ref(), model.get(&field));
                }
            }
            if step % (steps / 100) == 0 || model.len() < 4 {
                assert_same(&dict, &model);
            }
        }
        assert_same(&dict, &model);
        if let Some((dict, model)) = &cut {
            assert_same(dict, model);
        }
        while dict.take_random(&mut rng, |_| ()).is_some() {}
        assert_same(&dict, &Model::new());
        assert!(dict.memory_bytes() < 300, "an emptied dictionary is one small segment");
    }

    #[test]
    fn behaves_as_a_map() {
        let steps = if cfg!(miri) { 400 } else { 60_000 };
        run(1, steps, 1 << 20, false);
        run(2, steps, 1 << 13, true);
        run(3, steps / 10, 50, true);
    }

    #[test]
    fn the_directory_grows_in_levels_and_shrinks_again() {
        let mut dict = Dict::new(HashSeed::new(6));
        let size = if cfg!(miri) { 200 } else { 120_000 };
        let field = |n: i32| format!("field:{n}").into_bytes();
        for n in 0..size {
            assert!(dict.insert(&field(n), b"", None));
            if n % (size / 10) == 0 {
                dict.check_invariants();
            }
        }
        let cut = dict.clone();
        for n in 0..size {
            assert!(dict.remove(&field(n)));
            if n % (size / 10) == 0 {
                dict.check_invariants();
            }
        }
        assert!(dict.memory_bytes() < 300);
        cut.check_invariants();
        assert_eq!((cut.len(), cut.iter().count()), (size as usize, size as usize));
    }

    #[test]
    fn a_scan_returns_all_that_stays_whatever_splits_and_merges() {
        let mut rng = Rng::new(11);
        let size = if cfg!(miri) { 100 } else { 4000 };
        for round in 0..6 {
            let mut dict = Dict::new(HashSeed::new(round));
            let stays: Vec<Vec<u8>> = (0..size).map(|n| format!("stays:{n}").into_bytes()).collect();
            stays.iter().for_each(|field| assert!(dict.insert(field, b"", None)));
            let (mut seen, mut cursor, mut calls) = (BTreeMap::new(), 0, 0);
            loop {
                let mut batch = 0;
                cursor = dict.scan(cursor, 10, |entry| {
                    *seen.entry(entry.field.to_vec()).or_insert(0) += 1;
                    batch += 1;
                });
                assert!(batch <= 11 && cursor < 1 << 48);
                calls += 1;
                for n in 0..rng.below(200) {
                    let field = format!("goes:{}", if round % 2 == 0 { n } else { rng.below(20_000) });
                    if (calls / 20) % 2 == 0 {
                        dict.insert(field.as_bytes(), b"", None)
                    } else {
                        dict.remove(field.as_bytes())
                    };
                }
                if cursor == 0 {
                    break;
                }
            }
            dict.check_invariants();
            assert!(stays.iter().all(|field| seen.get(field) == Some(&1)));
        }
    }

    #[test]
    fn random_picks_are_fair() {
        let mut dict = Dict::new(HashSeed::new(5));
        let mut rng = Rng::new(5);
        let (fields, picks) = if cfg!(miri) { (70, 700) } else { (500, 500_000) };
        (0..fields).for_each(|n| assert!(dict.insert(format!("{n}").as_bytes(), b"", None)));
        let mut counts = BTreeMap::new();
        for _ in 0..picks {
            *counts.entry(dict.random(&mut rng).unwrap().field.to_vec()).or_insert(0) += 1;
        }
        // The sum of squared deviations of a fair choice has mean fields - 1 and variance 2 (fields - 1).
        let mean = f64::from(picks) / f64::from(fields);
        let present: f64 = counts.values().map(|&n: &i32| (f64::from(n) - mean).powi(2) / mean).sum();
        let deviation = present + (f64::from(fields) - counts.len() as f64) * mean;
        assert!((deviation - f64::from(fields)).abs() < 6.0 * (2.0 * f64::from(fields)).sqrt());
    }

    #[test]
    fn what_is_consumed_is_all_that_there_was_whoever_writes_meanwhile() {
        let (mut rng, len) = (Rng::new(8), if cfg!(miri) { 500 } else { 60_000 });
        let mut dict = Dict::new(HashSeed::new(3));
        for number in 0..len {
            dict.insert(format!("field:{number}").as_bytes(), b"before", None);
        }
        let cut = dict.clone();
        let mut seen = BTreeSet::new();
        cut.consume(|field| {
            // The root is shared at first; from the first change on it is not.
            assert_eq!(field.value, b"before");
            assert!(seen.insert(field.field.to_vec()));
            if seen.len() > len / 10 {
                let changed = format!("field:{}", rng.below(len as u64 * 2));
                dict.insert(changed.as_bytes(), b"after", None);
            }
        });
        assert_eq!(seen.len(), len);
        dict.check_invariants();
    }
}
