//! `Directory`: extendible hashing whose directory is itself made of shared nodes. It maps the leading bits of a hash
//! to the segment that covers them.
//!
//! A node covers all hashes with one prefix and maps the next `bits` (1 to 8) bits of the hash to its children; a
//! child that covers 2^k slots is named in each of them. A child that must split and has but one slot makes the map
//! double; a map of 256 slots makes the node split in its parent instead, and the root grows a new root, so all
//! segments lie equally deep, as in a B-tree. Joining goes the same way back.
//!
//! Therefore cloning costs one reference count whatever the size, a later writer copies one node per level (256
//! children at most) and the segment that it changes, and no step ever touches more than that: there is no rehash.
//!
//! Each node counts the elements below each child: picking the n-th element, and so a fair random one, is direct.

use super::shared::Shared;

/// A bucket of elements that share the leading bits of their hashes.
pub trait Segment: Clone {
    /// Leading bits of the hash that a segment may cover at most.
    const DEPTH_MAX: u32;
    /// Elements in it.
    fn count(&self) -> usize;
    /// Bytes of its allocations.
    fn memory_bytes(&self) -> usize;
    /// Asks the processor for what cloning it will write: its reference count.
    fn prefetch_refs(&self);
}

const BITS_MAX: u32 = 8;
const JOIN_CHILDREN_MAX: usize = 64;
/// Segments looked at to estimate the memory of a directory.
const MEMORY_SAMPLES: usize = 256;

/// A map from hashes to segments.
#[derive(Clone)]
pub struct Directory<S: Segment> {
    root: Child<S>,
    len: u64,
}

#[derive(Clone)]
enum Child<S: Segment> {
    Segment(S),
    Node(Shared<Node<S>>),
}

struct Node<S: Segment> {
    /// Leading bits of the hash that all elements below have in common.
    depth: u32,
    /// The map has 2^bits slots.
    bits: u32,
    map: Vec<u8>,
    children: Vec<Child<S>>,
    counts: Vec<u64>,
}

impl<S: Segment> Clone for Node<S> {
    fn clone(&self) -> Node<S> {
        // Counting references one after the other would wait for memory at each of up to 256 children.
        self.children.iter().for_each(Child::prefetch_refs);
        Node {
            depth: self.depth,
            bits: self.bits,
            map: self.map.clone(),
            children: self.children.clone(),
            counts: self.counts.clone(),
        }
    }
}

impl<S: Segment> Directory<S> {
    /// A directory whose only segment, `first`, covers all hashes.
    pub fn new(first: S) -> Directory<S> {
        Directory { len: first.count() as u64, root: Child::Segment(first) }
    }

    /// Elements in all segments, as told by `adjust`.
    #[inline]
    pub fn element_count(&self) -> u64 {
        self.len
    }

    /// The segment that covers `hash`.
    #[inline]
    pub fn segment(&self, hash: u64) -> &S {
        let mut child = &self.root;
        loop {
            match child {
                Child::Segment(segment) => return segment,
                Child::Node(node) => child = &node.children[node.slot(hash)],
            }
        }
    }

    /// The segment that covers `hash` and the number of leading bits that it covers.
    pub fn covering(&self, hash: u64) -> (&S, u32) {
        let (mut child, mut depth) = (&self.root, 0);
        loop {
            match child {
                Child::Segment(segment) => return (segment, depth),
                Child::Node(node) => {
                    let index = node.slot(hash);
                    (child, depth) = (&node.children[index], node.child_depth(index));
                }
            }
        }
    }

    /// The segment that covers `hash`, writable. Whoever changes its count says so to `adjust`.
    #[inline]
    pub fn segment_mut(&mut self, hash: u64) -> &mut S {
        let mut child = &mut self.root;
        loop {
            match child {
                Child::Segment(segment) => return segment,
                Child::Node(node) => {
                    let node = node.make_mut();
                    let index = node.slot(hash);
                    child = &mut node.children[index];
                }
            }
        }
    }

    /// Notes that `by` elements were added (or removed) in the segment that covers `hash`.
    #[inline]
    pub fn adjust(&mut self, hash: u64, by: i64) {
        self.len = self.len.wrapping_add_signed(by);
        let mut child = &mut self.root;
        while let Child::Node(node) = child {
            let node = node.make_mut();
            let index = node.slot(hash);
            node.counts[index] = node.counts[index].wrapping_add_signed(by);
            child = &mut node.children[index];
        }
    }

    /// Splits the segment that covers `hash`: `part(segment, bit)` leaves in it what has bit number `bit` of the hash
    /// (counted from the most significant) clear and returns the rest. False when it is as deep as can be.
    pub fn split(&mut self, hash: u64, mut part: impl FnMut(&mut S, u32) -> S) -> bool {
        if self.covering(hash).1 >= S::DEPTH_MAX {
            return false;
        }
        let sibling = match &mut self.root {
            Child::Segment(segment) => Some(Child::Segment(part(segment, 0))),
            Child::Node(node) => split_below(node, hash, &mut part).map(Child::Node),
        };
        if let Some(sibling) = sibling {
            let old = std::mem::replace(&mut self.root, Child::Node(Shared::new(Node::empty())));
            let counts = vec![old.count(), sibling.count()];
            let node = Node { depth: 0, bits: 1, map: vec![0, 1], children: vec![old, sibling], counts };
            self.root = Child::Node(Shared::new(node));
        }
        true
    }

    /// Merges the segment that covers `hash` with its neighbour as long as `fits(a, b)`, and then the nodes above.
    /// `absorb(a, b)` puts all elements of `b` into `a`.
    pub fn merge(&mut self, hash: u64, fits: impl Fn(&S, &S) -> bool, mut absorb: impl FnMut(&mut S, S)) {
        while let Child::Node(root) = &mut self.root {
            let merged = merge_below(root, hash, &fits, &mut absorb);
            while let Child::Node(root) = &mut self.root
                && root.children.len() == 1
            {
                let Some(only) = root.make_mut().children.pop() else { break };
                self.root = only;
            }
            if !merged {
                return;
            }
        }
    }

    /// The segment that holds the element number `index` in an arbitrary but fixed order, and its place in there.
    pub fn nth(&self, mut index: u64) -> Option<(&S, usize)> {
        if index >= self.len {
            return None;
        }
        let mut child = &self.root;
        loop {
            match child {
                Child::Segment(segment) => return Some((segment, index as usize)),
                Child::Node(node) => {
                    let mut at = 0;
                    while index >= node.counts[at] {
                        index -= node.counts[at];
                        at += 1;
                    }
                    child = &node.children[at];
                }
            }
        }
    }

    /// All segments in order of the hashes that they cover, from the one that covers `hash` on.
    pub fn segments_from(&self, hash: u64) -> impl Iterator<Item = &S> {
        let mut next = Some(hash);
        std::iter::from_fn(move || {
            let (segment, depth) = self.covering(next?);
            next = end_of(next?, depth);
            Some(segment)
        })
    }

    /// Shows all segments, and lets go of each as soon as it was shown: those that nobody else holds are freed on the way.
    pub fn consume(self, visit: &mut impl FnMut(&S)) {
        self.root.consume(visit);
    }

    /// Bytes of all allocations: exact up to a few hundred segments, above that an estimate from as many.
    pub fn memory_bytes(&self) -> usize {
        let (mut bytes, mut elements, mut segments) = (0, 0, 0);
        for segment in self.segments_from(0).take(MEMORY_SAMPLES) {
            bytes += segment.memory_bytes() + size_of::<Child<S>>() + size_of::<u64>() + 2;
            elements += segment.count();
            segments += 1;
        }
        if segments < MEMORY_SAMPLES || elements == 0 {
            return bytes;
        }
        (bytes as u128 * u128::from(self.len) / elements as u128) as usize
    }

    /// Panics unless the structure is sound; `check(segment, hash, depth)` looks at each segment, which covers the
    /// hashes that agree with `hash` in `depth` leading bits.
    pub fn check_invariants(&self, check: &mut dyn FnMut(&S, u64, u32)) {
        assert_eq!(self.root.check(0, 0, check).0, self.len);
    }
}

/// The first hash after the interval of `depth` leading bits that holds `hash`; none after the last.
pub fn end_of(hash: u64, depth: u32) -> Option<u64> {
    if depth == 0 {
        return None;
    }
    ((hash >> (64 - depth)) + 1).checked_mul(1 << (64 - depth))
}

fn split_below<S: Segment>(
    shared: &mut Shared<Node<S>>,
    hash: u64,
    part: &mut impl FnMut(&mut S, u32) -> S,
) -> Option<Shared<Node<S>>> {
    let node = shared.make_mut();
    let index = node.slot(hash);
    let depth = node.child_depth(index);
    let sibling = match &mut node.children[index] {
        Child::Segment(segment) => Child::Segment(part(segment, depth)),
        Child::Node(child) => Child::Node(split_below(child, hash, part)?),
    };
    if depth < node.depth + node.bits || node.bits < BITS_MAX {
        node.place(index, hash, sibling);
        return None;
    }
    let in_right = bit(hash, node.depth);
    let mut right = node.halve();
    let half = if in_right { &mut right } else { node };
    half.place(half.slot(hash), hash, sibling);
    Some(Shared::new(right))
}

fn merge_below<S: Segment>(
    shared: &mut Shared<Node<S>>,
    hash: u64,
    fits: &impl Fn(&S, &S) -> bool,
    absorb: &mut impl FnMut(&mut S, S),
) -> bool {
    let index = shared.slot(hash);
    let merged = match &shared.children[index] {
        Child::Segment(_) => false,
        Child::Node(_) => match &mut shared.make_mut().children[index] {
            Child::Node(child) => merge_below(child, hash, fits, absorb),
            Child::Segment(_) => false,
        },
    };
    let Some(neighbour) = shared.neighbour(index, hash) else { return merged };
    match (&shared.children[index], &shared.children[neighbour]) {
        (Child::Segment(a), Child::Segment(b)) if fits(a, b) => {}
        (Child::Node(a), Child::Node(b)) if a.can_join(b) => {}
        _ => return merged,
    }
    let node = shared.make_mut();
    // The lower one stays: joining nodes keeps their order.
    let (low, high) = if bit(hash, node.child_depth(index) - 1) { (neighbour, index) } else { (index, neighbour) };
    let (high, low) = node.take(high, low);
    match (&mut node.children[low], high) {
        (Child::Segment(a), Child::Segment(b)) => absorb(a, b),
        (Child::Node(a), Child::Node(b)) => a.make_mut().join(&b),
        _ => unreachable!("all children of a node are of one kind"),
    }
    node.counts[low] = node.children[low].count();
    node.shrink_map();
    true
}

/// Bit number `index` of the hash, counted from the most significant.
#[inline]
pub fn bit(hash: u64, index: u32) -> bool {
    (hash << index) >> 63 == 1
}

impl<S: Segment> Node<S> {
    fn empty() -> Node<S> {
        Node { depth: 0, bits: 0, map: Vec::new(), children: Vec::new(), counts: Vec::new() }
    }

    #[inline]
    fn slot(&self, hash: u64) -> usize {
        usize::from(self.map[self.map_index(hash)])
    }

    #[inline]
    fn map_index(&self, hash: u64) -> usize {
        ((hash << self.depth) >> (64 - self.bits)) as usize
    }

    fn child_depth(&self, index: usize) -> u32 {
        let run: usize = self.map.iter().map(|&slot| usize::from(usize::from(slot) == index)).sum();
        self.depth + self.bits - run.trailing_zeros()
    }

    /// Gives `sibling` the upper half of the slots of child `index`, to which `hash` leads.
    fn place(&mut self, index: usize, hash: u64, sibling: Child<S>) {
        if self.child_depth(index) == self.depth + self.bits {
            self.map = self.map.iter().flat_map(|&slot| [slot, slot]).collect();
            self.bits += 1;
        }
        let run = 1 << (self.depth + self.bits - self.child_depth(index));
        let start = self.map_index(hash) & !(run - 1);
        self.map[start + run / 2..start + run].fill(self.children.len() as u8);
        self.counts[index] = self.children[index].count();
        self.counts.push(sibling.count());
        self.children.push(sibling);
    }

    /// Keeps the lower half of the hashes covered and returns a node of the upper half. The map must be full, so that
    /// no child lies in both.
    fn halve(&mut self) -> Node<S> {
        let old = std::mem::replace(self, Node::empty());
        let mut children: Vec<Option<Child<S>>> = old.children.into_iter().map(Some).collect();
        let (low, high) = old.map.split_at(old.map.len() / 2);
        let mut half = |slots: &[u8]| {
            let mut node = Node { depth: old.depth + 1, bits: old.bits - 1, ..Node::empty() };
            let mut last = None;
            for &slot in slots {
                if last != Some(slot) {
                    node.children.extend(children[usize::from(slot)].take());
                    node.counts.push(old.counts[usize::from(slot)]);
                    last = Some(slot);
                }
                node.map.push((node.children.len() - 1) as u8);
            }
            node
        };
        *self = half(low);
        half(high)
    }

    /// The child that covers the other half of the interval that child `index` is one half of, if there is one.
    fn neighbour(&self, index: usize, hash: u64) -> Option<usize> {
        let depth = self.child_depth(index);
        if depth == self.depth {
            return None;
        }
        let run = 1 << (self.depth + self.bits - depth);
        let neighbour = usize::from(self.map[self.map_index(hash) ^ run]);
        (self.child_depth(neighbour) == depth).then_some(neighbour)
    }

    /// Takes child `index` out and gives its slots to `heir`; returns it and where `heir` lies then.
    fn take(&mut self, index: usize, heir: usize) -> (Child<S>, usize) {
        let last = self.children.len() - 1;
        let child = self.children.swap_remove(index);
        self.counts.swap_remove(index);
        let heir = if heir == last { index } else { heir };
        for slot in &mut self.map {
            match usize::from(*slot) {
                old if old == index => *slot = heir as u8,
                old if old == last => *slot = index as u8,
                _ => {}
            }
        }
        (child, heir)
    }

    fn can_join(&self, other: &Node<S>) -> bool {
        self.bits.max(other.bits) < BITS_MAX && self.children.len() + other.children.len() <= JOIN_CHILDREN_MAX
    }

    /// Puts the children of `high`, the node of the next interval, into this one.
    fn join(&mut self, high: &Node<S>) {
        let bits = self.bits.max(high.bits);
        let shift = self.children.len();
        let low = self.map.iter().flat_map(|&slot| std::iter::repeat_n(slot, 1 << (bits - self.bits)));
        let high_map = high.map.iter().map(|&slot| slot + shift as u8);
        let high_slots = high_map.flat_map(|slot| std::iter::repeat_n(slot, 1 << (bits - high.bits)));
        self.map = low.chain(high_slots).collect();
        self.children.extend(high.children.iter().cloned());
        self.counts.extend(&high.counts);
        self.depth -= 1;
        self.bits = bits + 1;
    }

    fn shrink_map(&mut self) {
        while self.bits > 1 && self.map.chunks(2).all(|pair| pair[0] == pair[1]) {
            self.map = self.map.chunks(2).map(|pair| pair[0]).collect();
            self.bits -= 1;
        }
        self.children.shrink_to(2 * self.children.len());
        self.counts.shrink_to(2 * self.counts.len());
    }
}

impl<S: Segment> Child<S> {
    fn consume(self, visit: &mut impl FnMut(&S)) {
        let mut node = match self {
            Child::Segment(segment) => return visit(&segment),
            Child::Node(node) => node,
        };
        for index in (0..node.children.len()).rev() {
            // Who shared the node at first may have made a copy of it meanwhile.
            let child = match node.get_mut() {
                Some(node) => {
                    node.children.truncate(index + 1);
                    node.children.pop()
                }
                None => node.children.get(index).cloned(),
            };
            if let Some(child) = child {
                child.consume(visit);
            }
        }
    }

    fn prefetch_refs(&self) {
        match self {
            Child::Segment(segment) => segment.prefetch_refs(),
            Child::Node(node) => node.prefetch_refs(),
        }
    }

    fn count(&self) -> u64 {
        match self {
            Child::Segment(segment) => segment.count() as u64,
            Child::Node(node) => node.counts.iter().sum(),
        }
    }

    /// Elements below and height; panics unless sound.
    fn check(&self, hash: u64, depth: u32, check: &mut dyn FnMut(&S, u64, u32)) -> (u64, u32) {
        let node = match self {
            Child::Segment(segment) => {
                check(segment, hash, depth);
                return (segment.count() as u64, 0);
            }
            Child::Node(node) => node,
        };
        assert_eq!(node.depth, depth);
        assert!((1..=BITS_MAX).contains(&node.bits));
        assert_eq!(node.map.len(), 1 << node.bits);
        assert_eq!(node.children.len(), node.counts.len());
        let (mut at, mut seen, mut height, mut total) = (0, vec![false; node.children.len()], None, 0);
        while at < node.map.len() {
            let index = usize::from(node.map[at]);
            assert!(!seen[index], "the slots of a child lie together");
            seen[index] = true;
            let run = node.map[at..].iter().take_while(|&&slot| usize::from(slot) == index).count();
            assert!(run.is_power_of_two() && at.is_multiple_of(run));
            let start = hash | ((at as u64) << (64 - node.depth - node.bits));
            let (count, below) = node.children[index].check(start, node.child_depth(index), check);
            assert_eq!(count, node.counts[index]);
            assert_eq!(*height.get_or_insert(below), below, "all segments lie equally deep");
            total += count;
            at += run;
        }
        assert!(seen.iter().all(|&seen| seen), "each child has a slot");
        (total, height.unwrap_or(0) + 1)
    }
}
