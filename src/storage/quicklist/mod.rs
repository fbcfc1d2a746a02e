//! The quicklist: a list of any length, as a sequence of listpack nodes and big plain elements behind shared pointers.
//!
//! ```text
//! head node | spine: counted B+tree of nodes | tail node
//! ```
//!
//! The first and the last node stand outside the tree, so that pushing and popping touch no branch; a node that fills
//! up moves into the spine, one that runs empty is replaced from it. Cloning copies three pointers, whatever the
//! length; a later writer copies the node that it changes and the branches above it.
//!
//! Elements are named by their number, from 0. Deliberately absent: negative indexes, replies, the choice between
//! this and a lone listpack (`types` makes it).

mod iter;
mod leaf;
mod node;
mod spine;

use super::listpack::{self, Element, Needle, Order};
use super::region::ByteRegion;
use super::shared::Shared;
use node::Node;
use spine::{Slot, Spine};

pub use iter::{Iter, Nodes};

/// How big the nodes of a list may get: `list-max-listpack-size`, and the threshold that DEBUG
/// QUICKLIST-PACKED-THRESHOLD sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// From -1 to -5: at most 4, 8, 16, 32 or 64 KiB. Positive: so many elements, in at most 8 KiB. 0 counts as 1.
    pub fill: i32,
    /// If set, an element of at least so many bytes gets a plain node; else one that exceeds the node size does.
    pub packed_threshold: Option<u32>,
}

impl NodeLimits {
    /// The limits of `list-max-listpack-size fill`.
    pub const fn new(fill: i32) -> NodeLimits {
        NodeLimits { fill, packed_threshold: None }
    }

    /// Must an element of `len` bytes have a plain node of its own?
    #[inline]
    pub fn is_large(self, len: usize) -> bool {
        match self.packed_threshold {
            Some(threshold) => len >= threshold as usize || len >= LARGE_ALWAYS,
            None => len > self.bytes_max(),
        }
    }

    /// May a listpack be of so many bytes and elements?
    #[inline]
    pub fn allow(self, bytes: usize, elements: usize) -> bool {
        bytes <= self.bytes_max() && (self.fill < 0 || elements <= self.fill.max(1) as usize)
    }

    #[inline]
    fn bytes_max(self) -> usize {
        match self.fill {
            -1 => 4 << 10,
            ..=-5 => 64 << 10,
            -4 => 32 << 10,
            -3 => 16 << 10,
            // -2, and the safety limit of nodes that are counted.
            _ => 8 << 10,
        }
    }
}

impl Default for NodeLimits {
    fn default() -> NodeLimits {
        NodeLimits::new(-2)
    }
}

/// Whatever the threshold, an element of so many bytes is plain: no listpack may come near 4 GiB.
const LARGE_ALWAYS: usize = listpack::BYTES_MAX;

/// One element of a list.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// An element of a listpack node.
    Packed(Element<'a>),
    /// A big element, which a reply may share instead of copying.
    Plain(&'a Shared<Vec<u8>>),
}

impl<'a> Entry<'a> {
    /// The text of the element; `scratch` holds the digits of a number.
    #[inline]
    pub fn as_bytes<'b>(self, scratch: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Entry::Packed(element) => element.as_bytes(scratch),
            Entry::Plain(text) => text,
        }
    }

    /// Is this element the text of `needle`?
    #[inline]
    pub fn is(self, needle: &Needle<'_>) -> bool {
        match self {
            Entry::Packed(element) => needle.matches(element),
            Entry::Plain(text) => needle.matches(Element::Str(text)),
        }
    }
}

/// One node, as it is written to an RDB file.
#[derive(Clone, Copy, Debug)]
pub enum NodeRef<'a> {
    /// The bytes of a listpack.
    Listpack(&'a [u8]),
    /// The text of one big element.
    Plain(&'a Shared<Vec<u8>>),
}

/// A list; see the top of the file.
#[derive(Clone, Debug, Default)]
pub struct Quicklist {
    head: Option<Shared<Node>>,
    spine: Spine,
    tail: Option<Shared<Node>>,
    /// The number of elements.
    len: usize,
}

impl Quicklist {
    /// The empty list.
    pub fn new() -> Quicklist {
        Quicklist::default()
    }

    /// The list of the elements of a valid listpack, in one node whatever its size.
    pub fn from_listpack(lp: Vec<u8>) -> Quicklist {
        let mut list = Quicklist::new();
        list.push_listpack(lp);
        list
    }

    /// The whole list as a listpack, if it has exactly one node and that is packed.
    pub fn single_node_listpack(&self) -> Option<&[u8]> {
        match (&self.head, self.spine.elements(), &self.tail) {
            (Some(only), 0, None) | (None, 0, Some(only)) => only.listpack(),
            (None, n, None) if n > 0 && self.spine.nodes() == 1 => self.spine.locate(0).0.listpack(),
            _ => None,
        }
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Has the list no elements?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of nodes.
    pub fn node_count(&self) -> usize {
        self.spine.nodes() + usize::from(self.head.is_some()) + usize::from(self.tail.is_some())
    }

    /// Element number `index`; O(log n).
    pub fn get(&self, index: usize) -> Option<Entry<'_>> {
        self.iter_from(index, Order::Forward).next()
    }

    /// All elements from the first to the last.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(0, Order::Forward)
    }

    /// The elements from number `index` on, itself included, to the last or back to the first. None if there is no
    /// such element.
    pub fn iter_from(&self, index: usize, order: Order) -> Iter<'_> {
        Iter::new(self, index, order)
    }

    /// Hands up to `count` elements from number `start` on to `visit`: what LRANGE needs, and several times faster
    /// than an iterator that must ask at each element which kind of node it is in.
    pub fn for_range(&self, start: usize, count: usize, mut visit: impl FnMut(Entry<'_>)) {
        let end = start.saturating_add(count).min(self.len);
        let mut index = start;
        while index < end {
            let (node, offset) = self.locate(index);
            let here = (node.count() - offset).min(end - index);
            match &**node {
                Node::Plain(text) => visit(Entry::Plain(text)),
                Node::Packed { bytes, .. } => iter::part(bytes.bytes(), offset, Order::Forward)
                    .take(here)
                    .for_each(|element| visit(Entry::Packed(element))),
            }
            index += here;
        }
    }

    /// All nodes from the first to the last.
    pub fn nodes(&self) -> Nodes<'_> {
        Nodes::new(self)
    }

    /// Inserts `value` before the first element.
    #[inline]
    pub fn push_front(&mut self, value: &[u8], limits: NodeLimits) {
        if self.head.is_none() {
            self.refill_head();
        }
        let end = self.head.as_mut().or(self.tail.as_mut());
        match end {
            Some(node) if node.accepts(value.len(), limits) => node.make_mut().insert(0, value),
            _ => {
                let full = self.head.replace(Shared::new(Node::single(value, limits)));
                if let Some(full) = full {
                    self.spine.push_front(full);
                }
            }
        }
        self.len += 1;
    }

    /// Appends `value`.
    #[inline]
    pub fn push_back(&mut self, value: &[u8], limits: NodeLimits) {
        if self.tail.is_none() {
            self.refill_tail();
        }
        match self.tail.as_mut().or(self.head.as_mut()) {
            Some(node) if node.accepts(value.len(), limits) => {
                let node = node.make_mut();
                node.insert(node.count(), value);
            }
            _ => self.append_node(Node::single(value, limits)),
        }
        self.len += 1;
    }

    /// Appends the nodes of a valid listpack as they are, an empty one not at all. For loading.
    pub fn push_listpack(&mut self, lp: Vec<u8>) {
        let count = listpack::count(&lp);
        if count > 0 {
            self.append_node(Node::from_listpack(lp, count));
            self.len += count;
        }
    }

    /// Appends one big element as it is, without copying it.
    pub fn push_plain(&mut self, text: Shared<Vec<u8>>) {
        self.append_node(Node::Plain(text));
        self.len += 1;
    }

    /// Removes the first element and returns what `read` makes of it; `None` if the list is empty.
    pub fn pop_front<R>(&mut self, read: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
        if self.head.is_none() {
            self.refill_head();
        }
        let end = if self.head.is_some() { &mut self.head } else { &mut self.tail };
        let result = pop_from(end, Order::Forward, read)?;
        self.len -= 1;
        Some(result)
    }

    /// Removes the last element and returns what `read` makes of it; `None` if the list is empty.
    pub fn pop_back<R>(&mut self, read: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
        if self.tail.is_none() {
            self.refill_tail();
        }
        let end = if self.tail.is_some() { &mut self.tail } else { &mut self.head };
        let result = pop_from(end, Order::Backward, read)?;
        self.len -= 1;
        Some(result)
    }

    /// Inserts `value` so that it becomes element number `index`; beyond the end it is appended.
    pub fn insert(&mut self, index: usize, value: &[u8], limits: NodeLimits) {
        if index == 0 {
            self.push_front(value, limits);
        } else if index >= self.len {
            self.push_back(value, limits);
        } else {
            self.edit(index, |slots, at, offset| leaf::insert(slots, at, offset, value, limits));
            self.len += 1;
        }
    }

    /// Overwrites element number `index`; false if there is none.
    pub fn replace(&mut self, index: usize, value: &[u8], limits: NodeLimits) -> bool {
        if index >= self.len {
            return false;
        }
        self.edit(index, |slots, at, offset| leaf::replace(slots, at, offset, value, limits));
        true
    }

    /// Removes up to `count` elements from number `start` on; returns how many there were.
    pub fn remove_range(&mut self, start: usize, count: usize, limits: NodeLimits) -> usize {
        let count = count.min(self.len.saturating_sub(start));
        let mut left = count;
        while left > 0 {
            let removed = self.edit(start, |slots, at, offset| leaf::remove(slots, at, offset, left, limits));
            self.len -= removed;
            left -= removed;
        }
        if count > 0 {
            self.join_ends(limits);
        }
        count
    }

    /// Keeps the `count` elements from number `start` on and removes all others.
    pub fn trim(&mut self, start: usize, count: usize, limits: NodeLimits) {
        let behind = start.saturating_add(count);
        self.remove_range(behind, usize::MAX, limits);
        self.remove_range(0, start, limits);
    }

    /// Removes up to `count` elements that are `value`, from the first or from the last on; returns how many.
    pub fn remove_values(&mut self, value: &[u8], count: usize, order: Order, limits: NodeLimits) -> usize {
        let needle = Needle::new(value);
        let mut removed = 0;
        // How many elements, counted from the end where the walk began, are behind us.
        let mut passed = 0;
        while removed < count && passed < self.len {
            let index = match order {
                Order::Forward => passed,
                Order::Backward => self.len - 1 - passed,
            };
            let (node, offset) = self.locate(index);
            // A node that was merged may reach into what is behind us; there is no match left in that part.
            let ahead = match order {
                Order::Forward => node.count() - offset,
                Order::Backward => offset + 1,
            };
            if !node.contains(&needle) {
                passed += ahead;
                continue;
            }
            let left = count - removed;
            let here = self.edit(index, |slots, at, _| leaf::remove_matches(slots, at, &needle, left, order, limits));
            self.len -= here;
            removed += here;
            passed += ahead - here;
        }
        if removed > 0 {
            self.join_ends(limits);
        }
        removed
    }

    /// An estimate of the bytes that the list takes beside itself: exact for up to `samples` nodes from the head, and
    /// by their average for the others.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        let nodes = self.node_count();
        let (mut seen, mut bytes) = (0, 0);
        let mut index = 0;
        while index < self.len && seen < samples.max(1) {
            let (node, _) = self.locate(index);
            bytes += size_of::<Node>() + 8 + node.heap_bytes();
            index += node.count();
            seen += 1;
        }
        let average = bytes.checked_div(seen).unwrap_or(0);
        bytes + average * (nodes - seen) + self.spine.branch_bytes()
    }

    /// Asserts what must hold between the parts, and within each.
    pub fn check_invariants(&self) {
        let count = |end: &Option<Shared<Node>>| end.as_ref().map_or(0, |node| node.count());
        assert_eq!(self.len, count(&self.head) + self.spine.elements() + count(&self.tail));
        for end in [&self.head, &self.tail].into_iter().flatten() {
            end.check_invariants();
        }
        self.spine.check_invariants();
    }

    /// The node of element number `index`, which must exist, and the element's number within it.
    fn locate(&self, index: usize) -> (&Shared<Node>, usize) {
        let mut rest = index;
        if let Some(head) = &self.head {
            if rest < head.count() {
                return (head, rest);
            }
            rest -= head.count();
        }
        if rest < self.spine.elements() {
            return self.spine.locate(rest);
        }
        let tail = self.tail.as_ref().expect("an index within the list");
        (tail, rest - self.spine.elements())
    }

    /// Hands element number `index`, which must exist, to `change`; see [`Spine::edit`]. An end node is handed over
    /// as a leaf of its own; what becomes of it beyond one node goes into the spine.
    fn edit<R>(&mut self, index: usize, change: impl FnOnce(&mut Vec<Slot>, usize, usize) -> R) -> R {
        let in_head = self.head.as_ref().map_or(0, |head| head.count());
        if index < in_head {
            let mut slots: Vec<Slot> = self.head.take().map(Slot::new).into_iter().collect();
            let result = change(&mut slots, 0, index);
            let mut nodes = slots.into_iter().map(|slot| slot.node);
            self.head = nodes.next();
            nodes.rev().for_each(|node| self.spine.push_front(node));
            return result;
        }
        let index = index - in_head;
        if index < self.spine.elements() {
            return self.spine.edit(index, change);
        }
        let mut slots: Vec<Slot> = self.tail.take().map(Slot::new).into_iter().collect();
        let result = change(&mut slots, 0, index - self.spine.elements());
        self.tail = slots.pop().map(|slot| slot.node);
        slots.into_iter().for_each(|slot| self.spine.push_back(slot.node));
        result
    }

    fn append_node(&mut self, node: Node) {
        if self.tail.is_none() {
            self.refill_tail();
        }
        if let Some(full) = self.tail.replace(Shared::new(node)) {
            self.spine.push_back(full);
        }
    }

    #[cold]
    fn refill_head(&mut self) {
        self.head = self.spine.pop_front();
    }

    #[cold]
    fn refill_tail(&mut self) {
        self.tail = self.spine.pop_back();
    }

    /// After removals, when only the end nodes are left: makes them one, if they fit.
    fn join_ends(&mut self, limits: NodeLimits) {
        if self.spine.elements() == 0
            && let (Some(head), Some(tail)) = (&mut self.head, &self.tail)
            && head.may_absorb(tail, limits)
        {
            head.make_mut().absorb(tail);
            self.tail = None;
        }
    }
}

/// Removes the first (or, backward, the last) element of the node at an end of the list.
#[inline]
fn pop_from<R>(end: &mut Option<Shared<Node>>, order: Order, read: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
    let node = end.as_mut()?;
    let last = node.count() - 1;
    let result = read(node.end_entry(order));
    if last == 0 {
        *end = None;
    } else {
        let offset = if order == Order::Forward { 0 } else { last };
        node.make_mut().remove(offset, 1);
    }
    Some(result)
}

#[cfg(test)]
mod tests;
