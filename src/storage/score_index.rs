//! `ScoreIndex`: from a member of a sorted set to its score, without storing the member again.
//!
//! Extendible hashing (`directory`) over segments of (fingerprint, score). The fingerprint is the leading half of the
//! member's hash, so a segment can split without knowing its members. Different members may share a fingerprint: what
//! the index yields are candidates, and `Zset` looks (score, member) up in its tree to know. In a segment of depth d
//! a stranger matches with probability 2^(d-32) per entry: one lookup in 3000 meets one in a set of a million.
//!
//! ```text
//! | count u16 | width u16 | fingerprints: slots x u32 | scores: slots x width | slack below one slot |
//! ```
//! `width` is 4 when all scores of the segment are whole numbers that fit an i32, and 8 (f64) otherwise.

use super::block::{Block, Contents, capacity_for};
use super::directory::{Directory, Segment, bit, end_of};
use super::score_leaf::{is_narrow, put_score, score_at};
use super::segment_view::{put_u16, u16_at};

const ENTRIES_MAX: usize = 128;
const HEAD: usize = 4;

/// Scores by the hash of their member.
#[derive(Clone)]
pub struct ScoreIndex {
    directory: Directory<IndexSegment>,
}

impl ScoreIndex {
    /// An index without entries.
    pub fn new() -> ScoreIndex {
        ScoreIndex { directory: Directory::new(IndexSegment::of(&[], 0)) }
    }

    /// Number of entries.
    pub fn len(&self) -> u64 {
        self.directory.element_count()
    }

    /// Is there no entry?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The scores that a member of this hash may have.
    #[inline]
    pub fn candidates(&self, hash: u64) -> impl Iterator<Item = f64> {
        let segment = self.directory.segment(hash);
        let mut next = 0;
        std::iter::from_fn(move || {
            let index = segment.find(hash, next)?;
            next = index + 1;
            Some(segment.score(index))
        })
    }

    /// The entries of the segment that covers a fingerprint (the leading half of a hash): fingerprint and score, unordered; and
    /// the first fingerprint that it does not cover, if any is left.
    pub fn segment_at(&self, fingerprint: u32) -> (impl Iterator<Item = (u32, f64)>, Option<u32>) {
        let (segment, depth) = self.directory.covering(u64::from(fingerprint) << 32);
        let entries = (0..segment.count()).map(|index| (segment.fingerprint(index), segment.score(index)));
        (entries, end_of(u64::from(fingerprint) << 32, depth).map(|end| (end >> 32) as u32))
    }

    /// Adds a score for a member of this hash.
    pub fn insert(&mut self, hash: u64, score: f64) {
        let mut deepest = false;
        while !self.directory.segment_mut(hash).insert(hash, score, deepest) {
            deepest = !self.directory.split(hash, IndexSegment::part);
        }
        self.directory.adjust(hash, 1);
    }

    /// Removes this score of a member of this hash. False if it is not there.
    pub fn remove(&mut self, hash: u64, score: f64) -> bool {
        let segment = self.directory.segment_mut(hash);
        let Some(index) = segment.position(hash, score) else { return false };
        segment.remove(index);
        let may_merge = segment.count() <= ENTRIES_MAX / 4;
        self.directory.adjust(hash, -1);
        if may_merge {
            let fits = |a: &IndexSegment, b: &IndexSegment| a.count() + b.count() <= ENTRIES_MAX / 2;
            self.directory.merge(hash, fits, IndexSegment::absorb);
        }
        true
    }

    /// Replaces one score of a member of this hash by another. False if it is not there.
    pub fn update(&mut self, hash: u64, old: f64, new: f64) -> bool {
        let segment = self.directory.segment_mut(hash);
        let Some(index) = segment.position(hash, old) else { return false };
        segment.set_score(index, new);
        true
    }

    /// Bytes of all allocations: exact for small indexes, an estimate from a sample for large ones.
    pub fn memory_bytes(&self) -> usize {
        self.directory.memory_bytes()
    }

    /// Panics unless the structure is sound.
    pub fn check_invariants(&self) {
        self.directory.check_invariants(&mut |segment, prefix, depth| segment.check_invariants(prefix, depth));
    }
}

impl Default for ScoreIndex {
    fn default() -> ScoreIndex {
        ScoreIndex::new()
    }
}

#[derive(Clone)]
struct IndexSegment {
    block: Block<Scores>,
}

struct Scores;

impl Contents for Scores {
    fn copied(_: &[u8]) {}
    fn freed(_: &mut [u8]) {}
}

impl Segment for IndexSegment {
    const DEPTH_MAX: u32 = 32;

    #[inline]
    fn count(&self) -> usize {
        u16_at(self.block.bytes(), 0)
    }

    fn memory_bytes(&self) -> usize {
        self.block.memory_bytes()
    }

    fn prefetch_refs(&self) {
        self.block.prefetch(0);
    }
}

impl IndexSegment {
    /// A segment of these entries with room for some more.
    fn of(entries: &[(u32, f64)], more: usize) -> IndexSegment {
        let width = if entries.iter().all(|entry| is_narrow(entry.1)) { 4 } else { 8 };
        let capacity = capacity_for(HEAD + (4 + width) * (entries.len() + more));
        let mut segment = IndexSegment { block: Block::zeroed(capacity) };
        let bytes = segment.block.bytes_mut();
        put_u16(bytes, 0, entries.len());
        put_u16(bytes, 2, width);
        let scores = scores_at(bytes);
        for (index, &(fingerprint, score)) in entries.iter().enumerate() {
            bytes[HEAD + 4 * index..][..4].copy_from_slice(&fingerprint.to_le_bytes());
            put_score(&mut bytes[scores + width * index..][..width], score);
        }
        segment
    }

    fn entries(&self) -> Vec<(u32, f64)> {
        (0..self.count()).map(|index| (self.fingerprint(index), self.score(index))).collect()
    }

    #[inline]
    fn fingerprint(&self, index: usize) -> u32 {
        let mut four = [0; 4];
        four.copy_from_slice(&self.block.bytes()[HEAD + 4 * index..][..4]);
        u32::from_le_bytes(four)
    }

    #[inline]
    fn score(&self, index: usize) -> f64 {
        let bytes = self.block.bytes();
        let width = width(bytes);
        score_at(bytes, scores_at(bytes) + width * index, width)
    }

    /// The first entry of this hash's fingerprint at `from` or after.
    #[inline]
    fn find(&self, hash: u64, from: usize) -> Option<usize> {
        self.block.prefetch(HEAD + 4 * ENTRIES_MAX);
        let wanted = ((hash >> 32) as u32).to_le_bytes();
        let fingerprints = &self.block.bytes()[HEAD..HEAD + 4 * self.count()];
        let mut at = from;
        // Sixteen at a time without a branch, which compilers turn into vector compares.
        for sixteen in fingerprints.get(4 * from..)?.chunks(64) {
            let any = sixteen.chunks_exact(4).fold(false, |any, four| any | (four == wanted));
            if any && let Some(place) = sixteen.chunks_exact(4).position(|four| four == wanted) {
                return Some(at + place);
            }
            at += 16;
        }
        None
    }

    fn position(&self, hash: u64, score: f64) -> Option<usize> {
        let mut from = 0;
        while let Some(index) = self.find(hash, from) {
            if self.score(index) == score {
                return Some(index);
            }
            from = index + 1;
        }
        None
    }

    /// False, and nothing done, when the segment must be split first.
    fn insert(&mut self, hash: u64, score: f64, deepest: bool) -> bool {
        let count = self.count();
        if count >= ENTRIES_MAX && !deepest {
            return false;
        }
        // Only a broken hash leads here: tens of thousands of members that agree in 32 keyed bits.
        assert!(count < usize::from(u16::MAX), "too many members of one hash");
        let bytes = self.block.bytes_mut();
        if count >= slots(bytes) || (width(bytes) == 4 && !is_narrow(score)) {
            let mut entries = self.entries();
            entries.push(((hash >> 32) as u32, score));
            *self = IndexSegment::of(&entries, 0);
            return true;
        }
        let (width, scores) = (width(bytes), scores_at(bytes));
        bytes[HEAD + 4 * count..][..4].copy_from_slice(&((hash >> 32) as u32).to_le_bytes());
        put_score(&mut bytes[scores + width * count..][..width], score);
        put_u16(bytes, 0, count + 1);
        true
    }

    fn remove(&mut self, index: usize) {
        let last = self.count() - 1;
        let bytes = self.block.bytes_mut();
        let (width, scores) = (width(bytes), scores_at(bytes));
        bytes.copy_within(HEAD + 4 * last..HEAD + 4 * (last + 1), HEAD + 4 * index);
        bytes.copy_within(scores + width * last..scores + width * (last + 1), scores + width * index);
        put_u16(bytes, 0, last);
        let needed = HEAD + (4 + width) * last;
        if capacity_for(needed + needed / 2) < bytes.len() {
            *self = IndexSegment::of(&self.entries(), 0);
        }
    }

    fn set_score(&mut self, index: usize, score: f64) {
        let bytes = self.block.bytes_mut();
        let (width, scores) = (width(bytes), scores_at(bytes));
        if width == 4 && !is_narrow(score) {
            let mut entries = self.entries();
            entries[index].1 = score;
            *self = IndexSegment::of(&entries, 0);
            return;
        }
        put_score(&mut bytes[scores + width * index..][..width], score);
    }

    fn part(&mut self, number: u32) -> IndexSegment {
        let (high, low): (Vec<_>, Vec<_>) =
            self.entries().into_iter().partition(|entry| bit(u64::from(entry.0) << 32, number));
        *self = IndexSegment::of(&low, 0);
        IndexSegment::of(&high, 0)
    }

    fn absorb(&mut self, other: IndexSegment) {
        let mut entries = self.entries();
        entries.extend(other.entries());
        *self = IndexSegment::of(&entries, 0);
    }

    fn check_invariants(&self, prefix: u64, depth: u32) {
        let bytes = self.block.bytes();
        assert!(matches!(width(bytes), 4 | 8) && self.count() <= slots(bytes));
        for (fingerprint, score) in self.entries() {
            let hash = u64::from(fingerprint) << 32;
            assert!(depth == 0 || (hash ^ prefix) >> (64 - depth) == 0);
            assert!(!score.is_nan() && self.position(hash, score).is_some());
        }
    }
}

#[inline]
fn width(bytes: &[u8]) -> usize {
    u16_at(bytes, 2)
}

#[inline]
fn slots(bytes: &[u8]) -> usize {
    if width(bytes) == 4 { (bytes.len() - HEAD) / 8 } else { (bytes.len() - HEAD) / 12 }
}

#[inline]
fn scores_at(bytes: &[u8]) -> usize {
    HEAD + 4 * slots(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::rng::Rng;

    fn assert_same(index: &ScoreIndex, model: &BTreeMap<u32, Vec<f64>>) {
        index.check_invariants();
        assert_eq!(index.len(), model.values().map(|scores| scores.len() as u64).sum::<u64>());
        for (&fingerprint, scores) in model {
            let mut found: Vec<f64> = index.candidates(u64::from(fingerprint) << 32).collect();
            found.sort_by(f64::total_cmp);
            let mut scores = scores.clone();
            scores.sort_by(f64::total_cmp);
            assert_eq!(found, scores);
        }
    }

    #[test]
    fn members_may_come_in_the_order_of_their_hashes() {
        let mut index = ScoreIndex::new();
        let count = if cfg!(miri) { 300 } else { 20_000 };
        for n in 0..count {
            index.insert(n * (u64::MAX / count), n as f64);
        }
        index.check_invariants();
        assert_eq!(index.len(), count);
    }

    /// `mask` picks the bits in which fingerprints differ: few of them make many members share one.
    fn run(seed: u64, steps: usize, mask: u32, whole: bool) {
        let mut rng = Rng::new(seed);
        let (mut index, mut model) = (ScoreIndex::new(), BTreeMap::<u32, Vec<f64>>::new());
        for step in 0..steps {
            let growing = (step / (steps / 4)).is_multiple_of(2);
            let hash = rng.next_u64() & (u64::from(mask) << 32 | u64::from(u32::MAX));
            let score = rng.below(1000) as f64 + if whole || rng.below(30) > 0 { 0.0 } else { 0.25 };
            let bound = rng.next_u64() as u32 & mask;
            let known = model.range(bound..).next().map(|(&fingerprint, scores)| (fingerprint, scores[0]));
            match (rng.below(4), known) {
                (0 | 1, _) if growing => {
                    index.insert(hash, score);
                    model.entry((hash >> 32) as u32).or_default().push(score);
                }
                (0..=2, Some((fingerprint, old))) => {
                    assert!(index.remove(u64::from(fingerprint) << 32, old));
                    let scores = model.get_mut(&fingerprint).unwrap();
                    scores.swap_remove(0);
                    if scores.is_empty() {
                        model.remove(&fingerprint);
                    }
                }
                (_, Some((fingerprint, old))) => {
                    assert!(index.update(u64::from(fingerprint) << 32, old, score));
                    model.get_mut(&fingerprint).unwrap()[0] = score;
                }
                _ => assert!(!index.remove(hash, 0.125) && !index.update(hash, 0.125, 1.0)),
            }
            if step % (steps / 50) == 0 {
                assert_same(&index, &model);
            }
        }
        assert_same(&index, &model);
    }

    #[test]
    fn behaves_as_a_map_of_many_scores() {
        let steps = if cfg!(miri) { 400 } else { 40_000 };
        run(1, steps, u32::MAX, true);
        run(2, steps, u32::MAX, false);
    }

    #[test]
    fn members_that_share_a_fingerprint_go_to_the_deepest_segment() {
        let steps = if cfg!(miri) { 400 } else { 8000 };
        run(3, steps, 0b11, false);
        run(4, steps, 0xc000_0001, false);
    }
}
