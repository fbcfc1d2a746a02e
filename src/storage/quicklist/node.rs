//! One node of a quicklist: a listpack of many small elements, or one big element on its own.

use super::{Entry, NodeLimits};
use crate::storage::listpack::{self, Element, Needle, Order};
use crate::storage::region::ByteRegion;
use crate::storage::shared::Shared;

/// A node. Cloning copies a listpack and shares a plain element.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A listpack and the number of its elements, which is its header's count wherever that is known.
    Packed { bytes: NodeBytes, count: u32 },
    /// One element, shared with the replies that send it.
    Plain(Shared<Vec<u8>>),
}

impl Node {
    /// The node that holds only `value`.
    pub(super) fn single(value: &[u8], limits: NodeLimits) -> Node {
        if limits.is_large(value.len()) {
            return Node::Plain(Shared::new(value.to_vec()));
        }
        let element = Element::from_text(value);
        let mut bytes = NodeBytes::with_room(listpack::EMPTY.len() + listpack::entry_bytes(element));
        listpack::clear(&mut bytes);
        listpack::push_back(&mut bytes, element);
        Node::Packed { bytes, count: 1 }
    }

    /// The node of a valid listpack of `count` elements.
    pub(super) fn from_listpack(mut bytes: Vec<u8>, count: usize) -> Node {
        bytes.shrink_to(capacity_for(bytes.len()));
        Node::Packed { bytes: NodeBytes { buf: bytes, start: 0 }, count: count as u32 }
    }

    #[inline]
    pub(super) fn count(&self) -> usize {
        match self {
            Node::Packed { count, .. } => *count as usize,
            Node::Plain(_) => 1,
        }
    }

    /// The listpack of a packed node.
    #[inline]
    pub(super) fn listpack(&self) -> Option<&[u8]> {
        match self {
            Node::Packed { bytes, .. } => Some(bytes.bytes()),
            Node::Plain(_) => None,
        }
    }

    /// The first element or, backward, the last.
    #[inline]
    pub(super) fn end_entry(&self, order: Order) -> Entry<'_> {
        let lp = match self {
            Node::Packed { bytes, .. } => bytes.bytes(),
            Node::Plain(text) => return Entry::Plain(text),
        };
        let at = match order {
            Order::Forward => listpack::HEADER,
            Order::Backward => listpack::last(lp).expect("a node is never empty"),
        };
        Entry::Packed(listpack::get(lp, at))
    }

    /// May an element of `len` bytes join this node?
    #[inline]
    pub(super) fn accepts(&self, len: usize, limits: NodeLimits) -> bool {
        match self {
            Node::Packed { bytes, count } => {
                !limits.is_large(len) && limits.allow(bytes.len() + len + ENTRY_OVERHEAD, *count as usize + 1)
            }
            Node::Plain(_) => false,
        }
    }

    /// May `next` be appended to this node?
    pub(super) fn may_absorb(&self, next: &Node, limits: NodeLimits) -> bool {
        match (self, next) {
            (Node::Packed { bytes: a, count: n }, Node::Packed { bytes: b, count: m }) => {
                let bytes = a.len() + b.len() - listpack::EMPTY.len();
                limits.allow(bytes, *n as usize + *m as usize)
            }
            _ => false,
        }
    }

    /// Appends the elements of `next`; see [`Node::may_absorb`].
    pub(super) fn absorb(&mut self, next: &Node) {
        if let (Node::Packed { bytes, count }, Node::Packed { bytes: more, count: n }) = (self, next) {
            listpack::append(bytes, more.bytes());
            *count += n;
        }
    }

    /// Inserts `value` before element number `offset`, or at the end; see [`Node::accepts`].
    #[inline]
    pub(super) fn insert(&mut self, offset: usize, value: &[u8]) {
        let Node::Packed { bytes, count } = self else { unreachable!("a plain node accepts nothing") };
        let element = Element::from_text(value);
        if offset == 0 {
            listpack::push_front(bytes, element);
        } else if offset == *count as usize {
            listpack::push_back(bytes, element);
        } else {
            let at = seek(bytes.bytes(), offset);
            listpack::insert_at(bytes, at, element);
        }
        *count += 1;
    }

    /// Overwrites element number `offset` if the node stays within its limits; else changes nothing.
    pub(super) fn replace(&mut self, offset: usize, value: &[u8], limits: NodeLimits) -> bool {
        let Node::Packed { bytes, count } = self else {
            return false;
        };
        if limits.is_large(value.len()) {
            return false;
        }
        let at = seek(bytes.bytes(), offset);
        let element = Element::from_text(value);
        let old = listpack::entry_bytes(listpack::get(bytes.bytes(), at));
        let grown = (bytes.len() + listpack::entry_bytes(element)).saturating_sub(old);
        if *count > 1 && grown > bytes.len() && !limits.allow(grown, *count as usize) {
            return false;
        }
        listpack::replace(bytes, at, element);
        true
    }

    /// Removes up to `n` elements from number `offset` on; returns how many. The node may end up empty.
    pub(super) fn remove(&mut self, offset: usize, n: usize) -> usize {
        let Node::Packed { bytes, count } = self else { unreachable!("a plain node is removed whole") };
        let removed = if offset + n >= *count as usize {
            let removed = *count as usize - offset;
            let at = if removed == 1 {
                listpack::last(bytes.bytes()).unwrap_or(listpack::HEADER)
            } else {
                seek(bytes.bytes(), offset)
            };
            let end = listpack::end(bytes.bytes());
            listpack::remove_between(bytes, at, end, removed);
            removed
        } else {
            let at = seek(bytes.bytes(), offset);
            listpack::remove(bytes, at, n)
        };
        *count -= removed as u32;
        removed
    }

    /// Removes up to `n` elements that are `needle`; returns how many. The node may end up empty.
    pub(super) fn remove_matches(&mut self, needle: &Needle<'_>, n: usize, order: Order) -> usize {
        let Node::Packed { bytes, count } = self else { unreachable!("a plain node is removed whole") };
        let removed = listpack::remove_matches(bytes, needle, n, order);
        *count -= removed as u32;
        removed
    }

    /// Is any element of this node `needle`?
    pub(super) fn contains(&self, needle: &Needle<'_>) -> bool {
        match self {
            Node::Packed { bytes, .. } => listpack::find(bytes.bytes(), listpack::HEADER, needle, 0).is_some(),
            Node::Plain(text) => needle.matches(Element::Str(text)),
        }
    }

    /// Keeps the first `offset` elements and returns the others, of which there is at least one.
    pub(super) fn split_off(&mut self, offset: usize) -> Node {
        let Node::Packed { bytes, count } = self else { unreachable!("a plain node has nothing to split") };
        let lp = bytes.bytes();
        let (at, end, moved) = (seek(lp, offset), listpack::end(lp), *count as usize - offset);
        let rest = listpack::copy_between(lp, at, end, moved);
        listpack::remove_between(bytes, at, end, moved);
        *count = offset as u32;
        Node::from_listpack(rest, moved)
    }

    /// Bytes of the heap that this node holds besides itself.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Node::Packed { bytes, .. } => bytes.buf.capacity(),
            Node::Plain(text) => text.capacity() + size_of::<Vec<u8>>() + 8,
        }
    }

    /// Asserts what must hold within a node.
    pub(super) fn check_invariants(&self) {
        if let Node::Packed { bytes, count } = self {
            assert_eq!(listpack::validate(bytes.bytes()), Ok(*count as usize));
            assert!(*count > 0, "an empty node is removed");
            assert!(bytes.buf.capacity() <= capacity_for(bytes.len()).max(2 * bytes.len()).max(SMALL));
        }
    }
}

/// What an element is taken to need beside its text when a node decides whether it still fits, as in Redis.
const ENTRY_OVERHEAD: usize = 8;

/// Buffers up to this size are not given back in part.
const SMALL: usize = 128;

/// The offset of element number `index` of a node that has it.
fn seek(lp: &[u8], index: usize) -> usize {
    listpack::seek(lp, index).unwrap_or_else(|| listpack::end(lp))
}

/// The bytes of a listpack with room at both ends: pushing and popping at the head of a list moves the six bytes of
/// the header, not the whole node. Room is at most what the allocator rounds up to.
#[derive(Debug)]
pub(super) struct NodeBytes {
    /// The listpack is `buf[start..]`; the room behind it is the vector's spare capacity.
    buf: Vec<u8>,
    start: usize,
}

impl NodeBytes {
    fn with_room(len: usize) -> NodeBytes {
        NodeBytes { buf: Vec::with_capacity(capacity_for(len)), start: 0 }
    }

    #[inline]
    fn len(&self) -> usize {
        self.buf.len() - self.start
    }

    /// Moves the bytes to an allocation made for `len` bytes, with all room at the front or all at the back, and
    /// splices on the way.
    #[cold]
    fn rebuild(&mut self, at: usize, remove: usize, insert: usize, room_in_front: bool) {
        let old = &self.buf[self.start..];
        let len = old.len() - remove + insert;
        let capacity = capacity_for(len);
        let start = if room_in_front { capacity - len } else { 0 };
        let mut buf = Vec::with_capacity(capacity);
        buf.resize(start, 0);
        buf.extend_from_slice(&old[..at]);
        buf.resize(start + at + insert, 0);
        buf.extend_from_slice(&old[at + remove..]);
        *self = NodeBytes { buf, start };
    }
}

impl Clone for NodeBytes {
    fn clone(&self) -> NodeBytes {
        let mut copy = NodeBytes::with_room(self.len());
        copy.buf.extend_from_slice(self.bytes());
        copy
    }
}

impl ByteRegion for NodeBytes {
    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.buf[self.start..]
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.start..]
    }

    #[inline]
    fn splice(&mut self, at: usize, remove: usize, insert: usize) {
        let (old, len, start) = (self.buf.len(), self.len(), self.start);
        assert!(at <= len && remove <= len - at);
        let behind = len - at - remove;
        let front = at < behind;
        if insert > remove {
            let more = insert - remove;
            if front && start >= more {
                self.buf.copy_within(start..start + at, start - more);
                self.start -= more;
            } else if !front && self.buf.capacity() - old >= more {
                self.buf.resize(old + more, 0);
                if behind > 0 {
                    self.buf.copy_within(old - behind..old, old - behind + more);
                }
            } else {
                self.rebuild(at, remove, insert, front);
            }
        } else {
            let less = remove - insert;
            if self.buf.capacity() > SMALL && (len - less) * 2 < self.buf.capacity() {
                self.rebuild(at, remove, insert, front);
            } else if front {
                self.buf.copy_within(start..start + at, start + less);
                self.start += less;
            } else {
                self.buf.copy_within(old - behind..old, old - behind - less);
                self.buf.truncate(old - less);
            }
        }
    }
}

/// `len` rounded up to an eighth of the next power of two: the allocator's size classes, so that no byte of a class
/// goes unused, and growth is amortised.
#[inline]
fn capacity_for(len: usize) -> usize {
    len.next_multiple_of((len.next_power_of_two() / 8).max(16))
}
