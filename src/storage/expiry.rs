//! The expiry index: which keys are due, in order of time, at about eight bytes a key.
//!
//! A record is a key's expiry and 40 bits of its hash, by which the table finds the entry again. Records lie unsorted
//! in leaves of up to 512; a leaf covers an interval of (expiry, hash bits) and packs a record into 64 bits, as the
//! milliseconds since the leaf's base (24 bits) and the hash bits. Adding and removing cost a search among leaves and a
//! look through one; due records are taken leaf by leaf, from the first.

use std::collections::BTreeMap;

const LEAF_MAX: usize = 512;
const SPAN_BITS: u32 = 24;
const HASH_BITS: u32 = 40;
const MEMORY_SAMPLES: usize = 256;

/// An ordered multiset of (expiry in ms, 40 hash bits).
#[derive(Debug, Default)]
pub struct ExpiryIndex {
    leaves: BTreeMap<(i64, u64), Vec<u64>>,
    len: usize,
}

impl ExpiryIndex {
    /// Number of records: the keys with an expiry.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Does no key expire?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn leaf_of(&mut self, at: i64, hash: u64) -> Option<((i64, u64), &mut Vec<u64>)> {
        let (&key, leaf) = self.leaves.range_mut(..=(at, hash)).next_back()?;
        (at.abs_diff(key.0) >> SPAN_BITS == 0).then_some((key, leaf))
    }

    /// Notes that a key expires at `at`. `hash` holds 40 bits.
    pub fn insert(&mut self, at: i64, hash: u64) {
        debug_assert!(hash >> HASH_BITS == 0);
        self.len += 1;
        let Some((key, leaf)) = self.leaf_of(at, hash) else {
            let base = at >> SPAN_BITS << SPAN_BITS;
            self.leaves.insert((base, 0), vec![record(at, base, hash)]);
            return;
        };
        if leaf.len() == leaf.capacity() {
            leaf.reserve_exact((leaf.len() / 8).max(3));
        }
        leaf.push(record(at, key.0, hash));
        if leaf.len() > LEAF_MAX {
            leaf.sort_unstable();
            let right = leaf.split_off(LEAF_MAX / 2);
            leaf.shrink_to_fit();
            let (first_at, first_hash) = unpack(right[0], key.0);
            let right = right.into_iter().map(|r| unpack(r, key.0)).map(|(at, hash)| record(at, first_at, hash));
            self.leaves.insert((first_at, first_hash), right.collect());
        }
    }

    /// Forgets one record; false if there is none such.
    pub fn remove(&mut self, at: i64, hash: u64) -> bool {
        let Some((key, leaf)) = self.leaf_of(at, hash) else { return false };
        let wanted = record(at, key.0, hash);
        let Some(index) = leaf.iter().position(|&r| r == wanted) else { return false };
        leaf.swap_remove(index);
        if leaf.is_empty() {
            self.leaves.remove(&key);
        } else if leaf.capacity() > 16 && leaf.len() < leaf.capacity() / 2 {
            leaf.shrink_to(leaf.len() + leaf.len() / 4);
        }
        self.len -= 1;
        true
    }

    /// A time before which nothing is due: exact to within one leaf.
    pub fn next_due(&self) -> Option<i64> {
        self.leaves.keys().next().map(|key| key.0)
    }

    /// Takes up to `limit` records due at or before `now` into `due`, earliest leaves first.
    pub fn pop_due(&mut self, now: i64, limit: usize, due: &mut Vec<(i64, u64)>) {
        let mut left = limit;
        while left > 0 {
            let Some(mut first) = self.leaves.first_entry() else { return };
            let base = first.key().0;
            if base > now {
                return;
            }
            let before = due.len();
            first.get_mut().retain(|&r| {
                let (at, hash) = unpack(r, base);
                let take = at <= now && left > 0;
                if take {
                    due.push((at, hash));
                    left -= 1;
                }
                !take
            });
            if first.get().is_empty() {
                first.remove();
            }
            self.len -= due.len() - before;
            if due.len() == before {
                return;
            }
        }
    }

    /// Bytes of the index's own allocations: exact up to a few hundred leaves, above that an estimate from as many.
    pub fn memory_bytes(&self) -> usize {
        let samples = self.leaves.len().min(MEMORY_SAMPLES);
        let bytes: usize = self.leaves.values().take(samples).map(|leaf| leaf.capacity() * 8 + 48).sum();
        if samples == 0 { 0 } else { (bytes as u128 * self.leaves.len() as u128 / samples as u128) as usize }
    }

    /// Panics unless every record lies in its leaf's interval.
    pub fn check_invariants(&self) {
        let keys: Vec<_> = self.leaves.keys().copied().collect();
        let mut total = 0;
        for (index, (&key, leaf)) in self.leaves.iter().enumerate() {
            assert!(!leaf.is_empty() && leaf.len() <= LEAF_MAX);
            total += leaf.len();
            for &r in leaf {
                let whole = unpack(r, key.0);
                assert!(whole >= key && keys.get(index + 1).is_none_or(|next| whole < *next));
            }
        }
        assert_eq!(total, self.len);
    }
}

fn record(at: i64, base: i64, hash: u64) -> u64 {
    let delta = at.wrapping_sub(base) as u64;
    debug_assert!(delta >> SPAN_BITS == 0);
    delta << HASH_BITS | hash
}

fn unpack(record: u64, base: i64) -> (i64, u64) {
    (base + (record >> HASH_BITS) as i64, record & ((1 << HASH_BITS) - 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn it_behaves_as_an_ordered_multiset() {
        let mut rng = Rng::new(23);
        for spread in [1u64, 50, 100_000, 1 << 40] {
            let mut index = ExpiryIndex::default();
            let mut model: BTreeMap<(i64, u64), usize> = BTreeMap::new();
            for step in 0..if cfg!(miri) { 300 } else { 8000 } {
                let at = rng.below(spread) as i64;
                let hash = rng.below(1 << 40);
                match rng.below(10) {
                    0..6 => {
                        index.insert(at, hash);
                        *model.entry((at, hash)).or_default() += 1;
                    }
                    6..9 => {
                        let pick = model.range((at, hash)..).next().map(|(&key, _)| key);
                        let (at, hash) = pick.unwrap_or((at, hash));
                        let had = model.get(&(at, hash)).copied().unwrap_or(0);
                        assert_eq!(index.remove(at, hash), had > 0);
                        match had {
                            0 => {}
                            1 => {
                                model.remove(&(at, hash));
                            }
                            _ => {
                                model.insert((at, hash), had - 1);
                            }
                        }
                    }
                    _ => {
                        let now = at / 8;
                        let mut due = Vec::new();
                        index.pop_due(now, 40, &mut due);
                        assert!(due.len() == 40 || model.range(..=(now, u64::MAX)).count() <= due.len());
                        for key in due {
                            assert!(key.0 <= now && model.contains_key(&key));
                            let left = model[&key] - 1;
                            if left == 0 {
                                model.remove(&key);
                            } else {
                                model.insert(key, left);
                            }
                        }
                    }
                }
                if step % 64 == 0 {
                    index.check_invariants();
                }
                assert_eq!(index.len(), model.values().sum::<usize>());
                assert!(index.next_due().is_none_or(|at| at <= model.keys().next().unwrap().0));
            }
        }
    }
}
