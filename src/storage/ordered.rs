//! `OrderedMap`: keys in order with their values, as a B+tree of shared nodes. What streams are made of: their nodes by first
//! ID, pending entries by ID and by time, groups and consumers by name.
//!
//! Cloning takes one reference to the root; a later writer copies one branch per level and the leaf that it changes. Keys
//! that come in order leave full leaves behind.

use std::borrow::Borrow;
use std::ops::Bound;

use super::shared::Shared;

/// The most items of a leaf and children of a branch. Tests make deep trees of few items.
const FANOUT: usize = if cfg!(test) { 8 } else { 128 };
/// A node with fewer is merged with a neighbour when both fit into one.
const FANOUT_MIN: usize = FANOUT / 4;
/// Leaves looked at to estimate the memory of a map.
const MEMORY_SAMPLES: usize = 64;

/// A map in order of its keys.
#[derive(Clone)]
pub struct OrderedMap<K, V> {
    root: Option<Shared<Node<K, V>>>,
    len: usize,
}

#[derive(Clone)]
enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    /// Children, each with a key that none below it is less than.
    Inner(Vec<Child<K, V>>),
}

type Child<K, V> = (K, Shared<Node<K, V>>);

impl<K, V> Default for OrderedMap<K, V> {
    fn default() -> OrderedMap<K, V> {
        OrderedMap { root: None, len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone> OrderedMap<K, V> {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Has it no keys?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let mut node = self.root.as_ref()?;
        loop {
            match &**node {
                Node::Leaf(items) => {
                    let at = items.binary_search_by(|item| item.0.borrow().cmp(key)).ok()?;
                    return Some(&items[at].1);
                }
                Node::Inner(children) => node = &children[child_of(children, key)].1,
            }
        }
    }

    /// Is there such a key?
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The value of a key, to change.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        // What is not there must not make a shared branch be copied.
        self.get(key)?;
        let mut node = self.root.as_mut()?;
        loop {
            match node.make_mut() {
                Node::Leaf(items) => {
                    let at = items.binary_search_by(|item| item.0.borrow().cmp(key)).ok()?;
                    return Some(&mut items[at].1);
                }
                Node::Inner(children) => {
                    let at = child_of(children, key);
                    node = &mut children[at].1;
                }
            }
        }
    }

    /// Gives a key this value. Returns the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Some(root) = &mut self.root else {
            self.root = Some(Shared::new(Node::Leaf(vec![(key, value)])));
            self.len = 1;
            return None;
        };
        let (old, sibling) = root.make_mut().insert(key, value);
        if let Some(sibling) = sibling {
            let least = root.least().clone();
            let children = vec![(least, root.clone()), sibling];
            self.root = Some(Shared::new(Node::Inner(children)));
        }
        self.len += usize::from(old.is_none());
        old
    }

    /// Removes a key. Returns the value that it had.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.get(key)?;
        let root = self.root.as_mut()?;
        let old = root.make_mut().remove(key);
        self.len -= usize::from(old.is_some());
        while let Node::Inner(children) = &**root
            && let [(_, only)] = &children[..]
        {
            *root = only.clone();
        }
        if self.len == 0 {
            self.root = None;
        }
        old
    }

    /// The least key and its value.
    pub fn first(&self) -> Option<(&K, &V)> {
        self.run_from(Bound::Unbounded::<&K>).first().map(|(key, value)| (key, value))
    }

    /// The greatest key and its value.
    pub fn last(&self) -> Option<(&K, &V)> {
        self.run_to(Bound::Unbounded::<&K>).last().map(|(key, value)| (key, value))
    }

    /// The value of the greatest key, to change.
    pub fn last_mut(&mut self) -> Option<(&K, &mut V)> {
        let mut node = self.root.as_mut()?;
        loop {
            match node.make_mut() {
                Node::Leaf(items) => return items.last_mut().map(|(key, value)| (&*key, value)),
                Node::Inner(children) => node = &mut children.last_mut()?.1,
            }
        }
    }

    /// The greatest key that is not greater than this one, and its value.
    pub fn at_or_before<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        self.run_to(Bound::Included(key)).last().map(|(key, value)| (key, value))
    }

    /// The items from a key on, in order.
    pub fn iter_from<Q: Ord + ?Sized>(&self, from: Bound<&Q>) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        Iter { map: self, run: self.run_from(from) }
    }

    /// The items up to a key, the last first.
    pub fn iter_back_from<Q: Ord + ?Sized>(&self, to: Bound<&Q>) -> IterBack<'_, K, V>
    where
        K: Borrow<Q>,
    {
        IterBack { map: self, run: self.run_to(to) }
    }

    /// All items in order.
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.iter_from(Bound::Unbounded::<&K>)
    }

    /// Those of the items from a key on that lie in one leaf; empty only if there are none.
    fn run_from<Q: Ord + ?Sized>(&self, from: Bound<&Q>) -> &[(K, V)]
    where
        K: Borrow<Q>,
    {
        let Some(mut node) = self.root.as_ref() else { return &[] };
        let mut behind = None;
        loop {
            match &**node {
                Node::Inner(children) => {
                    let at = match from {
                        Bound::Unbounded => 0,
                        Bound::Included(key) | Bound::Excluded(key) => child_of(children, key),
                    };
                    behind = children.get(at + 1).map(|child| &child.1).or(behind);
                    node = &children[at].1;
                }
                Node::Leaf(items) => {
                    let at = match from {
                        Bound::Unbounded => 0,
                        Bound::Included(key) => items.partition_point(|item| item.0.borrow() < key),
                        Bound::Excluded(key) => items.partition_point(|item| item.0.borrow() <= key),
                    };
                    return match (&items[at..], behind) {
                        ([], Some(behind)) => behind.first_leaf(),
                        (run, _) => run,
                    };
                }
            }
        }
    }

    /// Those of the items up to a key that lie in one leaf; empty only if there are none.
    fn run_to<Q: Ord + ?Sized>(&self, to: Bound<&Q>) -> &[(K, V)]
    where
        K: Borrow<Q>,
    {
        let Some(mut node) = self.root.as_ref() else { return &[] };
        let mut before = None;
        loop {
            match &**node {
                Node::Inner(children) => {
                    let at = match to {
                        Bound::Unbounded => children.len() - 1,
                        Bound::Included(key) | Bound::Excluded(key) => child_of(children, key),
                    };
                    before = at.checked_sub(1).map(|left| &children[left].1).or(before);
                    node = &children[at].1;
                }
                Node::Leaf(items) => {
                    let end = match to {
                        Bound::Unbounded => items.len(),
                        Bound::Included(key) => items.partition_point(|item| item.0.borrow() <= key),
                        Bound::Excluded(key) => items.partition_point(|item| item.0.borrow() < key),
                    };
                    return match (&items[..end], before) {
                        ([], Some(before)) => before.last_leaf(),
                        (run, _) => run,
                    };
                }
            }
        }
    }

    /// Bytes of the nodes, without what keys and values hold out of line: exact for some leaves, an estimate beyond.
    pub fn memory_bytes(&self) -> usize {
        let (mut bytes, mut items, mut leaves) = (0, 0, 0);
        let mut run = self.run_from(Bound::Unbounded::<&K>);
        while let Some((last, _)) = run.last()
            && leaves < MEMORY_SAMPLES
        {
            let room = run.len().next_power_of_two().min(FANOUT).max(run.len());
            bytes += room * size_of::<(K, V)>() + size_of::<Node<K, V>>() + 8 + size_of::<Child<K, V>>();
            items += run.len();
            leaves += 1;
            run = self.run_from(Bound::Excluded(last));
        }
        if items == self.len { bytes } else { (bytes as u128 * self.len as u128 / items.max(1) as u128) as usize }
    }

    /// Roughly how many allocations freeing the map takes.
    pub fn free_effort(&self) -> usize {
        self.len / (FANOUT / 2) + 1
    }

    /// Asserts order, limits and that all leaves lie equally deep.
    pub fn check_invariants(&self) {
        assert_eq!(self.iter().count(), self.len);
        assert_eq!(self.root.is_none(), self.len == 0);
        let mut before = None;
        for (key, _) in self.iter() {
            assert!(before.is_none_or(|before| before < key));
            before = Some(key);
        }
        if let Some(root) = &self.root {
            root.check(None, None);
        }
    }
}

/// The child that holds this key if any does.
#[inline]
fn child_of<K: Borrow<Q>, V, Q: Ord + ?Sized>(children: &[Child<K, V>], key: &Q) -> usize {
    children.partition_point(|child| child.0.borrow() <= key).saturating_sub(1)
}

/// Makes room for one more, without more than a node may hold.
fn reserve<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() {
        let room = (items.len() * 2).clamp(items.len() + 1, FANOUT.max(items.len() + 1));
        items.reserve_exact(room - items.len());
    }
}

/// Inserts an item; what does not fit any more is returned, to stand behind.
fn place<T>(items: &mut Vec<T>, at: usize, item: T) -> Option<Vec<T>> {
    if items.len() < FANOUT {
        reserve(items);
        items.insert(at, item);
        return None;
    }
    if at == items.len() {
        return Some(vec![item]);
    }
    let half = items.len() / 2;
    let mut right = items.split_off(half);
    if at <= half {
        items.insert(at, item);
    } else {
        reserve(&mut right);
        right.insert(at - half, item);
    }
    Some(right)
}

impl<K: Ord + Clone, V: Clone> Node<K, V> {
    /// The least key that may be below.
    fn least(&self) -> &K {
        match self {
            Node::Leaf(items) => &items[0].0,
            Node::Inner(children) => &children[0].0,
        }
    }

    fn len(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Inner(children) => children.len(),
        }
    }

    fn first_leaf(&self) -> &[(K, V)] {
        match self {
            Node::Leaf(items) => items,
            Node::Inner(children) => children[0].1.first_leaf(),
        }
    }

    fn last_leaf(&self) -> &[(K, V)] {
        match self {
            Node::Leaf(items) => items,
            Node::Inner(children) => children[children.len() - 1].1.last_leaf(),
        }
    }

    /// Returns what the key had, and what belongs behind this node because it would be too wide with it.
    fn insert(&mut self, key: K, value: V) -> (Option<V>, Option<Child<K, V>>) {
        match self {
            Node::Leaf(items) => match items.binary_search_by(|item| item.0.cmp(&key)) {
                Ok(at) => (Some(std::mem::replace(&mut items[at].1, value)), None),
                Err(at) => (None, place(items, at, (key, value)).map(|right| Node::Leaf(right).into_child())),
            },
            Node::Inner(children) => {
                let at = child_of(children, &key);
                if key < children[at].0 {
                    children[at].0 = key.clone();
                }
                let (old, sibling) = children[at].1.make_mut().insert(key, value);
                let right = sibling.and_then(|sibling| place(children, at + 1, sibling));
                (old, right.map(|right| Node::Inner(right).into_child()))
            }
        }
    }

    fn into_child(self) -> Child<K, V> {
        (self.least().clone(), Shared::new(self))
    }

    /// Removes a key; the node may end up empty.
    fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Node::Leaf(items) => {
                let at = items.binary_search_by(|item| item.0.borrow().cmp(key)).ok()?;
                Some(items.remove(at).1)
            }
            Node::Inner(children) => {
                let at = child_of(children, key);
                let old = children[at].1.make_mut().remove(key);
                match children[at].1.len() {
                    0 => {
                        children.remove(at);
                    }
                    len if len < FANOUT_MIN => merge_neighbours(children, at),
                    _ => {}
                }
                old
            }
        }
    }

    /// Moves all of `next` behind this node's own.
    fn absorb(&mut self, next: &Node<K, V>) {
        match (self, next) {
            (Node::Leaf(items), Node::Leaf(more)) => items.extend_from_slice(more),
            (Node::Inner(children), Node::Inner(more)) => children.extend_from_slice(more),
            _ => unreachable!("neighbours are equally deep"),
        }
    }

    /// Returns the height.
    fn check(&self, low: Option<&K>, high: Option<&K>) -> usize {
        assert!((1..=FANOUT).contains(&self.len()));
        match self {
            Node::Leaf(items) => {
                assert!(low.is_none_or(|low| *low <= items[0].0));
                assert!(high.is_none_or(|high| items[items.len() - 1].0 < *high));
                0
            }
            Node::Inner(children) => {
                let mut height = None;
                for (at, (least, child)) in children.iter().enumerate() {
                    let below = child.check(Some(least), children.get(at + 1).map(|next| &next.0).or(high));
                    assert_eq!(*height.get_or_insert(below), below, "all leaves lie equally deep");
                }
                height.unwrap_or(0) + 1
            }
        }
    }
}

/// Joins `children[at]` with the neighbour before or behind it, if both fit into one node.
fn merge_neighbours<K: Ord + Clone, V: Clone>(children: &mut Vec<Child<K, V>>, at: usize) {
    for left in [at.wrapping_sub(1), at] {
        let Some([a, b]) = children.get(left..).and_then(|rest| rest.first_chunk::<2>()) else { continue };
        if a.1.len() + b.1.len() <= FANOUT * 3 / 4 {
            let (_, right) = children.remove(left + 1);
            children[left].1.make_mut().absorb(&right);
            return;
        }
    }
}

/// See `OrderedMap::iter_from`.
#[derive(Clone)]
pub struct Iter<'a, K, V> {
    map: &'a OrderedMap<K, V>,
    run: &'a [(K, V)],
}

impl<'a, K: Ord + Clone, V: Clone> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<(&'a K, &'a V)> {
        let ((key, value), rest) = self.run.split_first()?;
        self.run = if rest.is_empty() { self.map.run_from(Bound::Excluded(key)) } else { rest };
        Some((key, value))
    }
}

/// See `OrderedMap::iter_back_from`.
pub struct IterBack<'a, K, V> {
    map: &'a OrderedMap<K, V>,
    run: &'a [(K, V)],
}

impl<'a, K: Ord + Clone, V: Clone> Iterator for IterBack<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<(&'a K, &'a V)> {
        let ((key, value), rest) = self.run.split_last()?;
        self.run = if rest.is_empty() { self.map.run_to(Bound::Excluded(key)) } else { rest };
        Some((key, value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn agrees_with_a_btree_and_clones_do_not_change() {
        for seed in 0..if cfg!(miri) { 3 } else { 60 } {
            let mut rng = Rng::new(seed);
            let (mut map, mut model) = (OrderedMap::<u64, u64>::default(), BTreeMap::new());
            let mut copies: Vec<(OrderedMap<u64, u64>, BTreeMap<u64, u64>)> = Vec::new();
            let range = 1 + rng.below(500);
            let grow = 1 + rng.below(9);
            for step in 0..if cfg!(miri) { 100 } else { 1500 } {
                let key = if rng.below(3) == 0 { range + step } else { rng.below(range) };
                if rng.below(10) < grow {
                    assert_eq!(map.insert(key, step), model.insert(key, step));
                } else {
                    assert_eq!(map.remove(&key), model.remove(&key));
                    let first = model.first_key_value().map(|(&key, _)| key);
                    if let Some(first) = first.filter(|_| rng.below(2) == 0) {
                        assert_eq!(map.remove(&first), model.remove(&first));
                    }
                }
                if let Some(value) = map.get_mut(&key) {
                    *value += 1;
                }
                if let Some(value) = model.get_mut(&key) {
                    *value += 1;
                }
                assert_eq!(map.get(&key), model.get(&key));
                assert_eq!(map.first(), model.first_key_value());
                assert_eq!(map.last(), model.last_key_value());
                assert_eq!(map.at_or_before(&key), model.range(..=key).next_back());
                let bound = if rng.below(2) == 0 { Bound::Included(&key) } else { Bound::Excluded(&key) };
                assert!(map.iter_from(bound).take(20).eq(model.range((bound, Bound::Unbounded)).take(20)));
                assert!(map.iter_back_from(bound).take(20).eq(model.range((Bound::Unbounded, bound)).rev().take(20)));
                if rng.below(200) == 0 {
                    map.check_invariants();
                    copies.push((map.clone(), model.clone()));
                }
            }
            for (map, model) in copies {
                map.check_invariants();
                assert!(map.iter().eq(model.iter()));
            }
        }
    }

    #[test]
    fn keys_in_order_fill_their_leaves() {
        let mut map = OrderedMap::<u64, ()>::default();
        (0..800).for_each(|key| assert_eq!(map.insert(key, ()), None));
        let least = 800 / FANOUT * (FANOUT * size_of::<(u64, ())>());
        assert!((least..least * 5).contains(&map.memory_bytes()));
        assert!(map.last_mut().is_some_and(|(key, ())| *key == 799));
    }
}
