//! `ScoreTree`: the members of a sorted set in order of (score, member), as a counted B+tree of shared nodes.
//!
//! Leaves are packed (see `score_leaf`). An inner node holds up to 128 children, the number of members below each, and
//! a separator between each two: all members to its left are less, all others are not. A separator is cut down to
//! what tells its neighbours apart, which is the score alone when the scores differ.
//!
//! The counts make rank, selection by rank and counting a range O(log n). Cloning takes one reference to the root; a
//! later writer copies one node per level and the leaf that it changes.

use std::ops::{Bound, Range};

use super::score_leaf::{MEMBERS_MAX, ScoreLeaf, compare};
use super::shared::Shared;

const CHILDREN_MAX: usize = 128;
const CHILDREN_SPARSE: usize = CHILDREN_MAX / 4;
/// Leaves looked at to estimate the memory of a tree.
const MEMORY_SAMPLES: u64 = 256;

/// An ordered set of members with scores. Scores must not be NaN; 0 and -0 are equal. A member may occur with several
/// scores: that each has only one is up to `Zset`.
#[derive(Clone)]
pub struct ScoreTree {
    root: Node,
    len: u64,
}

#[derive(Clone)]
enum Node {
    Leaf(ScoreLeaf),
    Inner(Shared<Inner>),
}

/// Child `i` lies between the separators `i - 1` and `i`.
struct Inner {
    children: Vec<Node>,
    counts: Vec<u64>,
    scores: Vec<f64>,
    members: Vec<Box<[u8]>>,
}

impl Clone for Inner {
    fn clone(&self) -> Inner {
        // Counting references one after the other would wait for memory at each child.
        for child in &self.children {
            match child {
                Node::Leaf(leaf) => leaf.prefetch_refs(),
                Node::Inner(inner) => inner.prefetch_refs(),
            }
        }
        Inner {
            children: self.children.clone(),
            counts: self.counts.clone(),
            scores: self.scores.clone(),
            members: self.members.clone(),
        }
    }
}

type Separator = (f64, Box<[u8]>);

enum Inserted {
    Present,
    Added,
    Split(Separator, Node),
}

impl ScoreTree {
    /// A tree without members.
    pub fn new() -> ScoreTree {
        ScoreTree { root: Node::Leaf(ScoreLeaf::new()), len: 0 }
    }

    /// Number of members.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Is there no member?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds the member with this score. False if it was there.
    pub fn insert(&mut self, score: f64, member: &[u8]) -> bool {
        match self.root.insert(score, member) {
            Inserted::Present => return false,
            Inserted::Added => {}
            Inserted::Split(separator, right) => {
                let left = std::mem::replace(&mut self.root, Node::Leaf(ScoreLeaf::new()));
                let counts = vec![left.count(), right.count()];
                let (scores, members) = (vec![separator.0], vec![separator.1]);
                self.root = Node::Inner(Shared::new(Inner { children: vec![left, right], counts, scores, members }));
            }
        }
        self.len += 1;
        true
    }

    /// Removes the member with this score. False if it was not there.
    pub fn remove(&mut self, score: f64, member: &[u8]) -> bool {
        if !self.root.remove(score, member) {
            return false;
        }
        self.len -= 1;
        self.collapse();
        true
    }

    /// Removes the members of these ranks, calling `removed` for each in order. Returns how many there were.
    pub fn remove_range(&mut self, ranks: Range<u64>, mut removed: impl FnMut(f64, &[u8])) -> u64 {
        let end = ranks.end.min(self.len);
        let mut left = end.saturating_sub(ranks.start);
        let total = left;
        while left > 0 {
            let run = self.root.remove_run(ranks.start, left, &mut removed);
            self.len -= run;
            left -= run;
            self.collapse();
        }
        total
    }

    /// Is the member there with just this score?
    #[inline]
    pub fn contains(&self, score: f64, member: &[u8]) -> bool {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.search(score, member).is_ok(),
                Node::Inner(inner) => node = inner.descend(inner.child_of(score, member)),
            }
        }
    }

    /// How many members come before this one; none if it is not there with this score.
    pub fn rank(&self, score: f64, member: &[u8]) -> Option<u64> {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.search(score, member).ok().map(|index| rank + index as u64),
                Node::Inner(inner) => {
                    let child = inner.child_of(score, member);
                    rank += inner.counts[..child].iter().sum::<u64>();
                    node = inner.descend(child);
                }
            }
        }
    }

    /// The member that `rank` others come before.
    pub fn select(&self, rank: u64) -> Option<(f64, &[u8])> {
        let (leaf, index) = self.leaf_at(rank)?;
        Some(leaf.entry(index))
    }

    /// The least member.
    pub fn first(&self) -> Option<(f64, &[u8])> {
        self.select(0)
    }

    /// The greatest member.
    pub fn last(&self) -> Option<(f64, &[u8])> {
        self.select(self.len.checked_sub(1)?)
    }

    /// How many members come before the first for which `before(score, member)` is false. `before` must be true up to
    /// some point in the order and false from there on, also for keys that no member has.
    pub fn partition_point(&self, before: impl Fn(f64, &[u8]) -> bool) -> u64 {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return rank + leaf.partition_point(&before) as u64,
                Node::Inner(inner) => {
                    let child = inner.partition_point(&before);
                    rank += inner.counts[..child].iter().sum::<u64>();
                    node = inner.descend(child);
                }
            }
        }
    }

    /// The ranks of the members whose scores lie between the bounds; empty when the bounds are crossed.
    pub fn score_range(&self, min: Bound<f64>, max: Bound<f64>) -> Range<u64> {
        self.ranks_between(min, max, |score, _, bound| score < bound, |score, _, bound| score <= bound)
    }

    /// The ranks of the members between the bounds in byte order; empty when the bounds are crossed. Means something
    /// only while all scores are equal.
    pub fn lex_range(&self, min: Bound<&[u8]>, max: Bound<&[u8]>) -> Range<u64> {
        // Separators are cut down to less than a member only where scores differ: with equal scores they are
        // prefixes, which compare as members do.
        self.ranks_between(min, max, |_, member, bound| member < bound, |_, member, bound| member <= bound)
    }

    fn ranks_between<B: Copy>(
        &self,
        min: Bound<B>,
        max: Bound<B>,
        is_less: impl Fn(f64, &[u8], B) -> bool,
        is_not_greater: impl Fn(f64, &[u8], B) -> bool,
    ) -> Range<u64> {
        let start = match min {
            Bound::Unbounded => 0,
            Bound::Included(min) => self.partition_point(|score, member| is_less(score, member, min)),
            Bound::Excluded(min) => self.partition_point(|score, member| is_not_greater(score, member, min)),
        };
        let end = match max {
            Bound::Unbounded => self.len,
            Bound::Included(max) => self.partition_point(|score, member| is_not_greater(score, member, max)),
            Bound::Excluded(max) => self.partition_point(|score, member| is_less(score, member, max)),
        };
        start..end.max(start)
    }

    /// The members of these ranks in order, from both ends.
    pub fn range(&self, ranks: Range<u64>) -> Members<'_> {
        let end = ranks.end.min(self.len);
        Members { tree: self, front: None, back: None, ranks: ranks.start.min(end)..end }
    }

    /// All members in order.
    pub fn iter(&self) -> Members<'_> {
        self.range(0..self.len)
    }

    /// Shows all members, the greatest first, and lets go of them on the way: leaves that nobody else holds are freed as soon as
    /// they were shown.
    pub fn consume_backward(self, mut visit: impl FnMut(f64, &[u8])) {
        self.root.consume_backward(&mut visit);
    }

    /// Bytes of all allocations: exact up to a few hundred leaves, above that an estimate from as many.
    pub fn memory_bytes(&self) -> usize {
        let per_leaf = size_of::<Node>() + 2 * size_of::<u64>() + size_of::<Box<[u8]>>();
        let (mut bytes, mut seen, mut rank, mut leaves) = (0, 0, 0, 0);
        while let Some((leaf, index)) = self.leaf_at(rank) {
            bytes += leaf.memory_bytes() + per_leaf;
            seen += leaf.count() as u64;
            leaves += 1;
            let next = rank + (leaf.count() - index) as u64;
            if leaves >= MEMORY_SAMPLES {
                return (bytes as u128 * u128::from(self.len) / u128::from(seen.max(1))) as usize;
            }
            rank = next;
        }
        bytes
    }

    /// Panics unless the structure is sound.
    pub fn check_invariants(&self) {
        assert_eq!(self.root.check(None, None).0, self.len);
        let mut last: Option<(f64, &[u8])> = None;
        for entry in self.iter() {
            assert!(last.is_none_or(|last| compare(last, entry).is_lt()));
            last = Some(entry);
        }
    }

    #[inline]
    fn leaf_at(&self, mut rank: u64) -> Option<(&ScoreLeaf, usize)> {
        if rank >= self.len {
            return None;
        }
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return Some((leaf, rank as usize)),
                Node::Inner(inner) => {
                    let child;
                    (child, rank) = inner.child_at(rank);
                    node = &inner.children[child];
                }
            }
        }
    }

    fn collapse(&mut self) {
        if self.len == 0 {
            *self = ScoreTree::new();
        }
        while let Node::Inner(inner) = &mut self.root
            && inner.children.len() == 1
        {
            let Some(only) = inner.make_mut().children.pop() else { return };
            self.root = only;
        }
    }
}

impl Default for ScoreTree {
    fn default() -> ScoreTree {
        ScoreTree::new()
    }
}

impl Node {
    fn count(&self) -> u64 {
        match self {
            Node::Leaf(leaf) => leaf.count() as u64,
            Node::Inner(inner) => inner.counts.iter().sum(),
        }
    }

    fn insert(&mut self, score: f64, member: &[u8]) -> Inserted {
        match self {
            Node::Leaf(leaf) => insert_in_leaf(leaf, score, member),
            Node::Inner(inner) => {
                let index = inner.child_of(score, member);
                let inner = inner.make_mut();
                match inner.children[index].insert(score, member) {
                    Inserted::Present => Inserted::Present,
                    Inserted::Added => {
                        inner.counts[index] += 1;
                        Inserted::Added
                    }
                    Inserted::Split(separator, right) => inner.place(index, separator, right),
                }
            }
        }
    }

    fn remove(&mut self, score: f64, member: &[u8]) -> bool {
        match self {
            Node::Leaf(leaf) => {
                let Ok(index) = leaf.search(score, member) else { return false };
                leaf.remove(index..index + 1);
                true
            }
            Node::Inner(inner) => {
                let index = inner.child_of(score, member);
                let inner = inner.make_mut();
                if !inner.children[index].remove(score, member) {
                    return false;
                }
                inner.counts[index] -= 1;
                inner.mend(index);
                true
            }
        }
    }

    /// Removes up to `limit` members from `rank` on, all in one leaf; returns how many.
    fn remove_run(&mut self, rank: u64, limit: u64, removed: &mut impl FnMut(f64, &[u8])) -> u64 {
        match self {
            Node::Leaf(leaf) => {
                let start = rank as usize;
                let end = leaf.count().min(start + limit.min(MEMBERS_MAX as u64) as usize);
                for index in start..end {
                    let (score, member) = leaf.entry(index);
                    removed(score, member);
                }
                leaf.remove(start..end);
                (end - start) as u64
            }
            Node::Inner(inner) => {
                let (index, rank) = inner.child_at(rank);
                let inner = inner.make_mut();
                let run = inner.children[index].remove_run(rank, limit, removed);
                inner.counts[index] -= run;
                inner.mend(index);
                run
            }
        }
    }

    fn consume_backward(self, visit: &mut impl FnMut(f64, &[u8])) {
        let mut inner = match self {
            Node::Leaf(leaf) => {
                for index in (0..leaf.count()).rev() {
                    let (score, member) = leaf.entry(index);
                    visit(score, member);
                }
                return;
            }
            Node::Inner(inner) => inner,
        };
        for index in (0..inner.children.len()).rev() {
            // Who shared the node at first may have made a copy of it meanwhile.
            let child = match inner.get_mut() {
                Some(inner) => {
                    inner.children.truncate(index + 1);
                    inner.children.pop()
                }
                None => inner.children.get(index).cloned(),
            };
            if let Some(child) = child {
                child.consume_backward(visit);
            }
        }
    }

    /// Members below and height; panics unless all members lie between the separators.
    fn check(&self, low: Option<(f64, &[u8])>, high: Option<(f64, &[u8])>) -> (u64, u32) {
        let inner = match self {
            Node::Leaf(leaf) => {
                leaf.check_invariants();
                for index in 0..leaf.count() {
                    assert!(low.is_none_or(|low| compare(low, leaf.entry(index)).is_le()));
                    assert!(high.is_none_or(|high| compare(leaf.entry(index), high).is_lt()));
                }
                return (leaf.count() as u64, 0);
            }
            Node::Inner(inner) => inner,
        };
        let children = inner.children.len();
        assert!((1..=CHILDREN_MAX).contains(&children));
        assert_eq!(
            (inner.counts.len(), inner.scores.len(), inner.members.len()),
            (children, children - 1, children - 1)
        );
        let separator = |index: usize| (inner.scores[index], &*inner.members[index]);
        let mut height = None;
        for (index, child) in inner.children.iter().enumerate() {
            let low = if index > 0 { Some(separator(index - 1)) } else { low };
            let high = if index + 1 < children { Some(separator(index)) } else { high };
            let (count, below) = child.check(low, high);
            assert!(count > 0);
            assert_eq!(count, inner.counts[index]);
            assert_eq!(*height.get_or_insert(below), below, "all leaves lie equally deep");
        }
        (inner.counts.iter().sum(), height.unwrap_or(0) + 1)
    }
}

fn insert_in_leaf(leaf: &mut ScoreLeaf, score: f64, member: &[u8]) -> Inserted {
    let Err(index) = leaf.search(score, member) else { return Inserted::Present };
    if leaf.insert(index, score, member) {
        return Inserted::Added;
    }
    // Members that come in order leave full leaves behind. Otherwise both halves have room: see `middle`.
    let at = if index == leaf.count() { index } else { leaf.middle() };
    let mut right = leaf.split_off(at);
    let to_left = index < at || (index == at && right.count() > 0);
    let fits = if to_left { leaf.insert(index, score, member) } else { right.insert(index - at, score, member) };
    assert!(fits, "half of a full leaf has room");
    Inserted::Split(separator_between(leaf, &right), Node::Leaf(right))
}

/// The shortest key that is greater than all of `left` and not greater than any of `right`.
fn separator_between(left: &ScoreLeaf, right: &ScoreLeaf) -> Separator {
    let (low_score, low) = left.entry(left.count() - 1);
    let (high_score, high) = right.entry(0);
    if low_score < high_score {
        return (high_score, Box::default());
    }
    let common = low.iter().zip(high).take_while(|(a, b)| a == b).count();
    (high_score, high[..(common + 1).min(high.len())].into())
}

impl Inner {
    /// The child that holds this key if any does.
    #[inline]
    fn child_of(&self, score: f64, member: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.scores.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let there = self.scores[middle];
            if there < score || (there == score && *self.members[middle] <= *member) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The child in which `before` turns false.
    fn partition_point(&self, before: impl Fn(f64, &[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.scores.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.scores[middle], &self.members[middle]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The child that holds the member of this rank, and the member's rank in there.
    fn child_at(&self, mut rank: u64) -> (usize, u64) {
        let last = self.counts.len() - 1;
        let mut child = 0;
        while child < last && rank >= self.counts[child] {
            rank -= self.counts[child];
            child += 1;
        }
        (child, rank)
    }

    #[inline]
    fn descend(&self, child: usize) -> &Node {
        let node = &self.children[child];
        if let Node::Leaf(leaf) = node {
            leaf.prefetch();
        }
        node
    }

    /// Puts `right`, which split off from child `index` when it took a member, after it; splits when that is too many.
    fn place(&mut self, index: usize, separator: Separator, right: Node) -> Inserted {
        self.counts[index] = self.children[index].count();
        self.counts.insert(index + 1, right.count());
        self.children.insert(index + 1, right);
        self.scores.insert(index, separator.0);
        self.members.insert(index, separator.1);
        let children = self.children.len();
        if children <= CHILDREN_MAX {
            return Inserted::Added;
        }
        let at = if index + 2 == children { children * 7 / 8 } else { children / 2 };
        let right = Inner {
            children: self.children.split_off(at),
            counts: self.counts.split_off(at),
            scores: self.scores.split_off(at),
            members: self.members.split_off(at),
        };
        let separator = (self.scores.pop(), self.members.pop());
        let (Some(score), Some(member)) = separator else { unreachable!("a separator stands before child `at`") };
        Inserted::Split((score, member), Node::Inner(Shared::new(right)))
    }

    /// Drops child `index` if it is empty, and merges it with a neighbour if it is sparse and they fit in one.
    fn mend(&mut self, index: usize) {
        if self.counts[index] == 0 {
            self.counts.remove(index);
            self.children.remove(index);
            if !self.scores.is_empty() {
                let separator = index.saturating_sub(1);
                self.scores.remove(separator);
                self.members.remove(separator);
            }
            return;
        }
        let is_sparse = match &self.children[index] {
            Node::Leaf(leaf) => leaf.is_sparse(),
            Node::Inner(inner) => inner.children.len() < CHILDREN_SPARSE,
        };
        if !is_sparse {
            return;
        }
        for left in [index.checked_sub(1), (index + 1 < self.children.len()).then_some(index)].into_iter().flatten() {
            if self.can_merge(left) {
                self.merge(left);
                return;
            }
        }
    }

    fn can_merge(&self, left: usize) -> bool {
        match (&self.children[left], &self.children[left + 1]) {
            (Node::Leaf(a), Node::Leaf(b)) => a.fits_with(b),
            (Node::Inner(a), Node::Inner(b)) => a.children.len() + b.children.len() <= CHILDREN_MAX * 3 / 4,
            _ => unreachable!("all children of a node are of one kind"),
        }
    }

    fn merge(&mut self, left: usize) {
        let right = self.children.remove(left + 1);
        self.counts[left] += self.counts.remove(left + 1);
        let (score, member) = (self.scores.remove(left), self.members.remove(left));
        match (&mut self.children[left], right) {
            (Node::Leaf(a), Node::Leaf(b)) => a.append(b),
            (Node::Inner(a), Node::Inner(b)) => {
                let a = a.make_mut();
                a.scores.push(score);
                a.members.push(member);
                a.children.extend(b.children.iter().cloned());
                a.counts.extend(&b.counts);
                a.scores.extend(&b.scores);
                a.members.extend(b.members.iter().cloned());
            }
            _ => unreachable!("all children of a node are of one kind"),
        }
    }
}

/// Members in order; see `ScoreTree::range`.
#[derive(Clone)]
pub struct Members<'a> {
    tree: &'a ScoreTree,
    /// The leaf of the next member from this end and its place in there.
    front: Option<(&'a ScoreLeaf, usize)>,
    back: Option<(&'a ScoreLeaf, usize)>,
    ranks: Range<u64>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (f64, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(f64, &'a [u8])> {
        let rank = self.ranks.next()?;
        let (leaf, index) = match self.front {
            Some((leaf, index)) if index < leaf.count() => (leaf, index),
            _ => self.tree.leaf_at(rank)?,
        };
        self.front = Some((leaf, index + 1));
        Some(leaf.entry(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.ranks.end - self.ranks.start) as usize;
        (left, Some(left))
    }
}

impl<'a> DoubleEndedIterator for Members<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<(f64, &'a [u8])> {
        let rank = self.ranks.next_back()?;
        let (leaf, index) = match self.back {
            Some((leaf, index)) if index > 0 => (leaf, index - 1),
            _ => self.tree.leaf_at(rank)?,
        };
        self.back = Some((leaf, index));
        Some(leaf.entry(index))
    }
}

impl ExactSizeIterator for Members<'_> {}

#[cfg(test)]
mod tests;
