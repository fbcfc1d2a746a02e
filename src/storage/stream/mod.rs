//! Streams: entries with growing IDs, in nodes that are the listpacks of RDB files, and the groups that read them.
//!
//! Nodes, groups, consumers and pending entries stand in `OrderedMap`s, so that a clone is a few references whatever the
//! length, and a later writer copies the node and the branches that it touches. No entry and no pending entry has an
//! allocation of its own. Deliberately absent: which IDs are allowed, what a group's lag is, replies (`types`, `commands`).

mod additions;
mod group;
mod id;
mod node;

use std::ops::Bound;

use super::ordered::{self, OrderedMap};
use super::shared::Shared;

pub use additions::Additions;
pub use group::{Consumer, ConsumerGroup, Name, Pending};
pub use id::StreamId;
pub use node::{Entries, Entry, Node, NodeLimits};

/// Nodes looked at to estimate the memory of a stream.
const MEMORY_SAMPLES: usize = 64;

/// A stream.
#[derive(Clone, Default)]
pub struct Stream {
    nodes: OrderedMap<StreamId, Node>,
    len: u64,
    /// The greatest ID that was ever given to an entry.
    pub last_id: StreamId,
    /// The greatest ID of the entries that were deleted one by one.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
    /// For how many seconds additions are remembered, and how many of each producer.
    pub idmp_duration: u32,
    pub idmp_maxsize: u32,
    /// The remembered additions, once there were any.
    pub additions: Option<Box<Additions>>,
    groups: OrderedMap<Name, Shared<ConsumerGroup>>,
}

/// How far a stream is cut off at its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// To so many entries.
    MaxLen(u64),
    /// To the entries from this ID on.
    MinId(StreamId),
}

/// What becomes of pending entries whose entry is to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum References {
    /// They stay.
    Keep,
    /// They go, too.
    Delete,
    /// The entry stays until every group has read and acknowledged it.
    Acknowledged,
}

/// What deleting one entry came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// There is no such entry.
    Absent,
    Deleted,
    /// If it is there it stays: a group has not read or not acknowledged it.
    Referenced,
}

/// One trimming.
#[derive(Clone, Copy, Debug)]
pub struct Trim {
    pub threshold: Threshold,
    /// Are only whole nodes removed, and how many entries at most (0: any number)?
    pub approximate: Option<u64>,
    pub references: References,
}

impl Stream {
    /// A stream without entries that remembers additions for so many seconds, and so many of each producer.
    pub fn new(idmp_duration: u32, idmp_maxsize: u32) -> Stream {
        Stream { idmp_duration, idmp_maxsize, ..Stream::default() }
    }

    /// Number of entries.
    #[inline]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Has it no entries?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ID of the first entry.
    pub fn first_id(&self) -> Option<StreamId> {
        self.range(StreamId::MIN, StreamId::MAX).next().map(|entry| entry.id)
    }

    /// The entries from one ID up to another.
    pub fn range(&self, from: StreamId, to: StreamId) -> Range<'_> {
        let start = self.nodes.at_or_before(&from).map_or(Bound::Unbounded, |(id, _)| Bound::Included(id));
        Range { nodes: self.nodes.iter_from(start), entries: None, from, to }
    }

    /// The same, the last first.
    pub fn range_back(&self, from: StreamId, to: StreamId) -> RangeBack<'_> {
        RangeBack { nodes: self.nodes.iter_back_from(Bound::Included(&to)), entries: None, from, to }
    }

    /// The entry of an ID.
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The nodes with their IDs.
    pub fn nodes(&self) -> impl Iterator<Item = (StreamId, &Node)> {
        self.nodes.iter().map(|(id, node)| (*id, node))
    }

    /// Number of nodes.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Adds an entry. Its ID is greater than the last. `pairs` are its fields and values in turns.
    pub fn push(&mut self, id: StreamId, pairs: &[&[u8]], limits: NodeLimits) {
        debug_assert!(id > self.last_id);
        let bytes: usize = pairs.iter().map(|text| text.len()).sum();
        let joins = self.nodes.last().is_some_and(|(_, node)| node.accepts(bytes, limits));
        match self.nodes.last_mut() {
            Some((first, node)) if joins => node.push(*first, id, pairs),
            _ => {
                self.nodes.insert(id, Node::new(pairs));
            }
        }
        self.len += 1;
        self.last_id = id;
        self.entries_added = self.entries_added.wrapping_add(1);
    }

    /// Adds a node that was checked, of so many entries, behind all others. False, and nothing is added, if it does not
    /// belong there. One whose entries are all deleted is left out.
    pub fn push_node(&mut self, id: StreamId, node: Node, count: u64) -> bool {
        let before = self.nodes.last().and_then(|(first, node)| node.entries(*first).next_back());
        if before.is_some_and(|before| before.id >= id) {
            return false;
        }
        if count > 0 {
            self.nodes.insert(id, node);
        }
        self.len += count;
        true
    }

    /// Deletes an entry; false if there is none.
    fn remove(&mut self, id: StreamId) -> bool {
        let Some((&first, node)) = self.nodes.at_or_before(&id) else { return false };
        let found = node.entries(first).take_while(|entry| entry.id <= id).find(|entry| entry.id == id);
        let Some(entry) = found.filter(|entry| !entry.is_deleted) else { return false };
        let at = entry.at;
        self.delete_places(first, &[at]);
        true
    }

    /// Deletes an entry that is named.
    pub fn delete(&mut self, id: StreamId, references: References) -> Deletion {
        match references {
            References::Acknowledged if self.is_referenced(id) => return Deletion::Referenced,
            References::Keep | References::Acknowledged => {}
            References::Delete => self.forget_references(id),
        }
        if !self.remove(id) {
            return Deletion::Absent;
        }
        self.max_deleted_id = self.max_deleted_id.max(id);
        Deletion::Deleted
    }

    /// Has a group not read this entry, or not acknowledged it?
    pub fn is_referenced(&self, id: StreamId) -> bool {
        self.groups.iter().any(|(_, group)| group.last_id < id || group.pending().contains(&id))
    }

    /// Makes all groups forget a pending entry.
    fn forget_references(&mut self, id: StreamId) {
        let holding: Vec<Name> = self
            .groups
            .iter()
            .filter(|(_, group)| group.pending().contains(&id))
            .map(|(name, _)| name.clone())
            .collect();
        for name in holding {
            if let Some(group) = self.groups.get_mut(name.bytes()) {
                group.make_mut().remove(id);
            }
        }
    }

    /// Cuts entries off at the beginning. Returns how many.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        let mut trimmed = 0;
        let mut next = self.nodes.first().map(|(id, _)| *id);
        // What a group has not read it needs: behind there is nothing to be cut off.
        let needed = self.groups().map(|(_, group)| group.last_id).min();
        let needed = needed.filter(|_| trim.references == References::Acknowledged);
        while let Some(first) = next.filter(|first| needed.is_none_or(|needed| *first <= needed)) {
            let Some(node) = self.nodes.get(&first) else { break };
            let count = node.count();
            let goes_whole = match trim.threshold {
                Threshold::MaxLen(len) if self.len <= len => break,
                Threshold::MaxLen(len) => self.len - count >= len,
                Threshold::MinId(id) if first >= id => break,
                Threshold::MinId(id) => node.entries(first).next_back().is_none_or(|last| last.id < id),
            };
            // Where pending entries matter each entry is looked at anyway: only the limit tells this from an exact trimming.
            if let Some(limit) = trim.approximate
                && ((!goes_whole && trim.references == References::Keep) || (limit > 0 && trimmed + count > limit))
            {
                break;
            }
            next = self.nodes.iter_from(Bound::Excluded(&first)).next().map(|(id, _)| *id);
            if goes_whole && trim.references == References::Keep {
                self.nodes.remove(&first);
                self.len -= count;
                trimmed += count;
                continue;
            }
            trimmed += self.trim_node(first, trim);
            if !goes_whole {
                break;
            }
        }
        trimmed
    }

    /// Deletes the entries of one node, one by one, as far as the threshold wants it.
    fn trim_node(&mut self, first: StreamId, trim: Trim) -> u64 {
        let Some(node) = self.nodes.get(&first) else { return 0 };
        let (mut places, mut doomed) = (Vec::new(), Vec::new());
        for entry in node.entries(first).filter(|entry| !entry.is_deleted) {
            let is_enough = match trim.threshold {
                Threshold::MaxLen(len) => self.len - places.len() as u64 <= len,
                Threshold::MinId(least) => entry.id >= least,
            };
            if is_enough {
                break;
            }
            if trim.references != References::Acknowledged || !self.is_referenced(entry.id) {
                places.push(entry.at);
                doomed.push(entry.id);
            }
        }
        if places.is_empty() {
            return 0;
        }
        if trim.references == References::Delete {
            doomed.into_iter().for_each(|id| self.forget_references(id));
        }
        self.delete_places(first, &places);
        places.len() as u64
    }

    /// Deletes entries of a node, and the node with its last one.
    fn delete_places(&mut self, first: StreamId, places: &[usize]) {
        if self.nodes.get_mut(&first).map(|node| node.delete(places)) == Some(0) {
            self.nodes.remove(&first);
        }
        self.len -= places.len() as u64;
    }

    /// The groups by name.
    pub fn groups(&self) -> impl Iterator<Item = (&Name, &ConsumerGroup)> {
        self.groups.iter().map(|(name, group)| (name, &**group))
    }

    /// Number of groups.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// A group.
    pub fn group(&self, name: &[u8]) -> Option<&ConsumerGroup> {
        self.groups.get(name).map(|group| &**group)
    }

    /// A group, to change.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut ConsumerGroup> {
        self.groups.get_mut(name).map(Shared::make_mut)
    }

    /// Adds a group; false if there is one of this name.
    pub fn add_group(&mut self, name: &[u8], group: ConsumerGroup) -> bool {
        if self.groups.contains(name) {
            return false;
        }
        self.groups.insert(Name::new(name), Shared::new(group));
        true
    }

    /// Removes a group. Returns it, as all there is of a stream, so that the caller decides which thread frees it; None if
    /// there is none of this name.
    pub fn remove_group(&mut self, name: &[u8]) -> Option<Stream> {
        let group = self.groups.remove(name)?;
        let mut removed = Stream::default();
        removed.groups.insert(Name::new(name), group);
        Some(removed)
    }

    /// Roughly how many allocations freeing the stream takes.
    pub fn free_effort(&self) -> usize {
        let additions = self.additions.as_ref().map_or(0, |additions| additions.free_effort());
        self.nodes.len() + additions + self.groups().map(|(_, group)| group.free_effort()).sum::<usize>()
    }

    /// Bytes of all allocations: exact up to some nodes, above that an estimate from as many.
    pub fn memory_bytes(&self) -> usize {
        // Those at either end: what is added now may be longer than what was.
        let all = self.nodes.len();
        let (first, last) = (all.min(MEMORY_SAMPLES), all.saturating_sub(MEMORY_SAMPLES).min(MEMORY_SAMPLES));
        let from_end = self.nodes.iter_back_from(Bound::Unbounded::<&StreamId>).take(last);
        let sampled = self.nodes.iter().take(first).chain(from_end);
        let bytes: usize = sampled.map(|(_, node)| node.memory_bytes()).sum();
        let content = (bytes as u128 * all as u128 / (first + last).max(1) as u128) as usize;
        let groups = self.groups().map(|(name, group)| name.bytes().len() + 24 + group.memory_bytes());
        let additions = self.additions.as_ref().map_or(0, |additions| additions.memory_bytes());
        let trees = self.nodes.memory_bytes() + self.groups.memory_bytes();
        size_of::<Stream>() + content + trees + groups.sum::<usize>() + additions
    }

    /// Asserts that counts, order and the views of pending entries agree.
    pub fn check_invariants(&self) {
        self.nodes.check_invariants();
        self.groups.check_invariants();
        let (mut len, mut last) = (0, StreamId::MIN);
        for (id, node) in self.nodes() {
            let (_, count) = Node::from_listpack(id, node.listpack()).expect("a valid node");
            assert!(count > 0, "an empty node is removed");
            assert!(id > last || len == 0);
            last = node.entries(id).next_back().expect("a node has entries").id;
            len += count;
        }
        assert_eq!(len, self.len);
        assert!(last <= self.last_id);
        self.groups().for_each(|(_, group)| group.check_invariants());
        self.additions.iter().for_each(|additions| additions.check_invariants());
    }
}

/// Entries in order; see `Stream::range`.
pub struct Range<'a> {
    nodes: ordered::Iter<'a, StreamId, Node>,
    entries: Option<Entries<'a>>,
    from: StreamId,
    to: StreamId,
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            for entry in self.entries.iter_mut().flatten() {
                if entry.id > self.to {
                    return None;
                }
                if !entry.is_deleted && entry.id >= self.from {
                    return Some(entry);
                }
            }
            let (id, node) = self.nodes.next().filter(|(id, _)| **id <= self.to)?;
            self.entries = Some(node.entries(*id));
        }
    }
}

/// Entries, the last first; see `Stream::range_back`.
pub struct RangeBack<'a> {
    nodes: ordered::IterBack<'a, StreamId, Node>,
    entries: Option<Entries<'a>>,
    from: StreamId,
    to: StreamId,
}

impl<'a> Iterator for RangeBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            while let Some(entry) = self.entries.as_mut().and_then(Entries::next_back) {
                if entry.id < self.from {
                    return None;
                }
                if !entry.is_deleted && entry.id <= self.to {
                    return Some(entry);
                }
            }
            let (id, node) = self.nodes.next()?;
            self.entries = Some(node.entries(*id));
        }
    }
}

#[cfg(test)]
mod tests;
