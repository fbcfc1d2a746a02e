//! `Zset`: a large sorted set. A tree holds the members in order (`score_tree`); an index finds a member's score
//! (`score_index`) by its hash alone, so that each member is stored once. A cut needs only the tree.

use std::ops::{Bound, Range};

use super::score_index::ScoreIndex;
use super::score_tree::ScoreTree;
use crate::base::hash::HashSeed;

/// Segments of the index without a member to return that one call of `scan` passes at most, beyond the count asked for.
const SCAN_EMPTY_MAX: usize = 16;
/// Members that `scan` looks at for each that it visits, at most on average.
const SCAN_EFFORT: u64 = 64;

/// What `Zset::insert` did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// The member is new.
    Added,
    /// The member was there with this other score.
    Updated(f64),
    /// The member was there with an equal score.
    Unchanged,
}

/// A sorted set: each member once, with one score that is not NaN.
#[derive(Clone)]
pub struct Zset {
    tree: ScoreTree,
    index: ScoreIndex,
    seed: HashSeed,
}

impl Zset {
    /// An empty sorted set.
    pub fn new(seed: HashSeed) -> Zset {
        Zset { tree: ScoreTree::new(), index: ScoreIndex::new(), seed }
    }

    /// Number of members.
    pub fn len(&self) -> u64 {
        self.tree.len()
    }

    /// Is there no member?
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// A clone that shows its members in order and can find none by its name, whose score whoever goes on writing need not copy.
    pub fn clone_in_order(&self) -> Zset {
        Zset { tree: self.tree.clone(), index: ScoreIndex::new(), seed: self.seed }
    }

    /// Shows all members, the greatest first: see `ScoreTree::consume_backward`.
    pub fn consume_backward(self, visit: impl FnMut(f64, &[u8])) {
        drop(self.index);
        self.tree.consume_backward(visit);
    }

    /// The members in order: ranks, ranges, iteration.
    pub fn tree(&self) -> &ScoreTree {
        &self.tree
    }

    /// The score of the member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.score_of(self.seed.hash(member), member)
    }

    /// How many members come before this one, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(u64, f64)> {
        let ranked = |score| self.tree.rank(score, member).map(|rank| (rank, score));
        self.index.candidates(self.seed.hash(member)).find_map(ranked)
    }

    /// Gives the member this score, which must not be NaN.
    pub fn insert(&mut self, member: &[u8], score: f64) -> Change {
        debug_assert!(!score.is_nan());
        let hash = self.seed.hash(member);
        let Some(old) = self.score_of(hash, member) else {
            self.tree.insert(score, member);
            self.index.insert(hash, score);
            return Change::Added;
        };
        if old == score {
            return Change::Unchanged;
        }
        self.tree.remove(old, member);
        self.tree.insert(score, member);
        self.index.update(hash, old, score);
        Change::Updated(old)
    }

    /// Removes the member and returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let hash = self.seed.hash(member);
        let score = self.score_of(hash, member)?;
        self.tree.remove(score, member);
        self.index.remove(hash, score);
        Some(score)
    }

    /// Removes the members of these ranks, calling `removed` for each in order. Returns how many there were. The work grows
    /// with the range: whoever must not stall takes it in slices.
    pub fn remove_range(&mut self, ranks: Range<u64>, mut removed: impl FnMut(f64, &[u8])) -> u64 {
        let Zset { tree, index, seed } = self;
        tree.remove_range(ranks, |score, member| {
            index.remove(seed.hash(member), score);
            removed(score, member);
        })
    }

    /// Visits about `count` members from `cursor` on and returns the cursor to go on from; 0 begins and 0 ends. A member that
    /// is there all through a scan is visited, whatever is added, removed or changed meanwhile.
    ///
    /// The cursor is a position in the order of the members' fingerprints, which no change moves. The index tells the scores
    /// of those that come next; a member is then found by its hash among those of its score. Where many share a score that
    /// costs as much as there are, so as many more are visited at once as make it worth the effort: a whole scan takes at
    /// most `SCAN_EFFORT` steps a member. (Walking such members by rank instead would miss one whose score changes from one
    /// large group, not walked yet, to another that was.)
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(f64, &[u8])) -> u64 {
        let mut wanted: Vec<(u32, f64)> = Vec::new();
        let (mut position, mut target) = (Some(cursor as u32), count.max(1));
        while let Some(from) = position {
            position = self.gather(from, target, &mut wanted);
            // Adding zero makes -0 equal to 0 for `total_cmp`, too.
            wanted.sort_unstable_by(|a, b| (a.1 + 0.0).total_cmp(&(b.1 + 0.0)).then(a.0.cmp(&b.0)));
            let effort: u64 = groups(&wanted).map(|group| self.ranks_of(group[0].1)).map(|r| r.end - r.start).sum();
            target = (effort / SCAN_EFFORT) as usize;
            if wanted.len() >= target {
                break;
            }
        }
        for group in groups(&wanted) {
            for (score, member) in self.tree.range(self.ranks_of(group[0].1)) {
                let fingerprint = (self.seed.hash(member) >> 32) as u32;
                if group.binary_search_by_key(&fingerprint, |entry| entry.0).is_ok() {
                    visit(score, member);
                }
            }
        }
        position.map_or(0, u64::from)
    }

    /// Adds entries of the index from a fingerprint on to `wanted`, until there are `target`; those of one fingerprint together.
    /// Returns the fingerprint to go on from, if any is left.
    fn gather(&self, from: u32, target: usize, wanted: &mut Vec<(u32, f64)>) -> Option<u32> {
        let (mut position, mut passed) = (from, 0);
        while wanted.len() < target && passed < target.saturating_add(SCAN_EMPTY_MAX) {
            let (entries, next) = self.index.segment_at(position);
            let mut entries: Vec<(u32, f64)> = entries.filter(|entry| entry.0 >= position).collect();
            entries.sort_unstable_by_key(|entry| entry.0);
            let end = match entries.get(target - wanted.len() - 1) {
                Some(last) => entries.partition_point(|entry| entry.0 <= last.0),
                None => entries.len(),
            };
            wanted.extend_from_slice(&entries[..end]);
            position = entries.get(end).map(|entry| entry.0).or(next)?;
            passed += 1;
        }
        Some(position)
    }

    fn ranks_of(&self, score: f64) -> Range<u64> {
        self.tree.score_range(Bound::Included(score), Bound::Included(score))
    }

    /// Bytes of all allocations: exact for small sets, an estimate from a sample for large ones.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Zset>() + self.tree.memory_bytes() + self.index.memory_bytes()
    }

    /// Panics unless the structure is sound.
    pub fn check_invariants(&self) {
        self.tree.check_invariants();
        self.index.check_invariants();
        assert_eq!(self.tree.len(), self.index.len());
        for (score, member) in self.tree.iter() {
            assert_eq!(self.score(member).map(f64::to_bits), Some(score.to_bits()));
        }
    }

    #[inline]
    fn score_of(&self, hash: u64, member: &[u8]) -> Option<f64> {
        self.index.candidates(hash).find(|&score| self.tree.contains(score, member))
    }
}

/// Runs of entries of one score.
fn groups(entries: &[(u32, f64)]) -> impl Iterator<Item = &[(u32, f64)]> {
    entries.chunk_by(|a, b| a.1 == b.1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::rng::Rng;

    fn score_from(rng: &mut Rng, whole: bool) -> f64 {
        let n = rng.below(2000) as f64 - 1000.0;
        if whole || rng.below(50) > 0 { n } else { n * 1e10 + 0.5 }
    }

    fn run(seed: u64, steps: usize, spread: u64, whole: bool) {
        let mut rng = Rng::new(seed);
        let (mut zset, mut model) = (Zset::new(HashSeed::new(seed)), BTreeMap::<Vec<u8>, f64>::new());
        for step in 0..steps {
            let growing = (step / (steps / 4)).is_multiple_of(2);
            let member = format!("member:{}", rng.below(spread)).into_bytes();
            let score = score_from(&mut rng, whole);
            match rng.below(10) {
                0..6 if growing => {
                    let expected = match model.insert(member.clone(), score) {
                        None => Change::Added,
                        Some(old) if old == score => Change::Unchanged,
                        Some(old) => Change::Updated(old),
                    };
                    assert_eq!(zset.insert(&member, score), expected);
                }
                6 | 7 => assert_eq!(zset.remove(&member), model.remove(&member)),
                0 | 1 => {
                    let start = rng.below(zset.len() + 1);
                    zset.remove_range(start..start + rng.below(20), |score, member| {
                        assert_eq!(model.remove(member), Some(score));
                    });
                }
                2 => {
                    let victim = zset.tree().select(rng.below(zset.len() + 1)).map(|entry| entry.1.to_vec());
                    if let Some(member) = victim {
                        let new = score + 0.5;
                        assert!(zset.insert(&member, new) != Change::Added);
                        model.insert(member, new);
                    }
                }
                _ => {
                    assert_eq!(zset.score(&member), model.get(&member).copied());
                    let rank = zset.rank(&member);
                    assert_eq!(rank.map(|(_, score)| score), model.get(&member).copied());
                    assert!(rank.is_none_or(|(rank, score)| zset.tree().select(rank) == Some((score, &member[..]))));
                }
            }
            assert_eq!(zset.len(), model.len() as u64);
            if step % (steps / 50) == 0 {
                zset.check_invariants();
                assert!(zset.tree().iter().all(|(score, member)| model.get(member) == Some(&score)));
            }
        }
        zset.remove_range(0..u64::MAX, |_, _| {});
        zset.check_invariants();
        assert!(zset.is_empty() && zset.memory_bytes() < 400);
    }

    #[test]
    fn a_scan_returns_all_that_stays_whatever_changes() {
        let mut rng = Rng::new(7);
        let size = if cfg!(miri) { 200 } else { 5000 };
        // Few different scores, then many.
        for scores in [1, 3, 100, 1 << 30] {
            let mut zset = Zset::new(HashSeed::new(scores));
            let score = |rng: &mut Rng| rng.below(scores) as f64 - 1.0;
            for n in 0..size {
                zset.insert(format!("stays:{n}").as_bytes(), score(&mut rng));
            }
            let (mut seen, mut cursor, mut calls) = (BTreeMap::<Vec<u8>, u32>::new(), 0, 0);
            loop {
                cursor = zset.scan(cursor, 10, |_, member| *seen.entry(member.to_vec()).or_insert(0) += 1);
                calls += 1;
                for _ in 0..20 {
                    let other = format!("goes:{}", rng.below(2000)).into_bytes();
                    let stays = format!("stays:{}", rng.below(size)).into_bytes();
                    match rng.below(3) {
                        0 => _ = zset.insert(&other, score(&mut rng)),
                        1 => _ = zset.remove(&other),
                        _ => _ = zset.insert(&stays, score(&mut rng)),
                    }
                }
                if cursor == 0 {
                    break;
                }
            }
            assert!((0..size).all(|n| seen.get(format!("stays:{n}").as_bytes()) == Some(&1)), "{scores} scores");
            assert!(calls >= 40 || cfg!(miri), "{scores} scores in {calls} calls");
        }
    }

    #[test]
    fn behaves_as_a_map_with_scores() {
        let steps = if cfg!(miri) { 300 } else { 60_000 };
        run(1, steps, 1 << 20, true);
        run(2, steps, 1 << 14, false);
        run(3, steps / 10, 100, false);
    }

    #[test]
    fn what_is_consumed_is_all_that_there_was_from_the_greatest_on() {
        let (mut rng, len) = (Rng::new(9), if cfg!(miri) { 300 } else { 30_000 });
        let mut zset = Zset::new(HashSeed::new(5));
        for number in 0..len {
            zset.insert(format!("member:{number}").as_bytes(), number as f64 / 2.0);
        }
        let cut = zset.clone_in_order();
        let mut next = len;
        cut.consume_backward(|score, member| {
            next -= 1;
            assert_eq!((score, member), (next as f64 / 2.0, format!("member:{next}").as_bytes()));
            if next < len - len / 10 {
                zset.insert(format!("member:{}", rng.below(len as u64)).as_bytes(), -1.0);
            }
        });
        assert_eq!(next, 0);
        zset.check_invariants();
    }
}
