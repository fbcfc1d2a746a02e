//! One node of a stream: some tens of entries in a listpack, byte for byte as RDB files hold them.
//!
//! ```text
//! head   = count of entries, count of deleted ones, number of fields, each field's name, 0
//! entry  = flags, ms and seq less those of the node's ID, content, number of elements before this one in the entry
//! flags  = 1 deleted, 2 same fields as in the head
//! content, same fields  = the values
//! content, else         = number of fields, then name and value of each
//! ```
//!
//! A deleted entry keeps its bytes; a node whose last entry is deleted goes. Deliberately absent: which node an entry
//! belongs to (`Stream` knows).

use super::StreamId;
use crate::storage::block::{Block, Contents, capacity_for};
use crate::storage::listpack::{self, Element, Needle};
use crate::storage::malformed::Malformed;
use crate::storage::region::ByteRegion;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// When a node is full.
#[derive(Clone, Copy, Debug)]
pub struct NodeLimits {
    /// Bytes; the listpack's own bound if there is no other.
    pub bytes: usize,
    /// Entries, deleted ones included; 0 for no limit.
    pub entries: usize,
}

/// The bytes of a node hold no pointers.
struct Plain;

impl Contents for Plain {
    fn copied(_: &[u8]) {}
    fn freed(_: &mut [u8]) {}
}

/// A node. Cloning shares its bytes; a writer then copies them.
#[derive(Clone)]
pub struct Node {
    /// Begins with the listpack, whose header says how long it is.
    block: Block<Plain>,
}

/// The head of a node, read.
#[derive(Clone, Copy, Debug)]
struct Head {
    count: i64,
    deleted: i64,
    fields: usize,
    /// Offset of the first field's name.
    fields_at: usize,
    /// Offset of the first entry.
    entries_at: usize,
}

impl Node {
    /// A node of one entry, whose ID becomes the node's. `pairs` are its fields and values in turns.
    pub(super) fn new(pairs: &[&[u8]]) -> Node {
        let fields = pairs.len() / 2;
        let names = pairs.iter().step_by(2).map(|name| Element::from_text(name));
        let head = [1, 0, fields as i64].map(Element::Int);
        let mut lp = listpack::EMPTY.to_vec();
        listpack::push_back_all(&mut lp, head.into_iter().chain(names).chain([Element::Int(0)]));
        push_entry(&mut lp, StreamId::MIN, pairs, true);
        Node::copy_of(&lp)
    }

    fn copy_of(lp: &[u8]) -> Node {
        Node { block: Block::of_parts(capacity_for(lp.len()), &[(lp, lp.len())]) }
    }

    /// The node of a listpack that comes from outside, checked in depth. `id` is the node's. Returns the number of entries
    /// with it.
    ///
    /// # Errors
    /// Where the bytes are no node.
    pub fn from_listpack(id: StreamId, lp: &[u8]) -> Result<(Node, u64), Malformed> {
        listpack::validate(lp)?;
        let count = check(id, lp)?;
        Ok((Node::copy_of(lp), count))
    }

    /// The listpack.
    #[inline]
    pub fn listpack(&self) -> &[u8] {
        let bytes = self.block.bytes();
        &bytes[..u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize]
    }

    fn head(&self) -> Head {
        let lp = self.listpack();
        let mut cursor = Cursor { lp, at: listpack::HEADER };
        let [count, deleted, fields] = [cursor.int(), cursor.int(), cursor.int()];
        let fields_at = cursor.at;
        cursor.skip(fields as usize + 1);
        Head { count, deleted, fields: fields as usize, fields_at, entries_at: cursor.at }
    }

    /// Number of entries that are not deleted.
    #[inline]
    pub fn count(&self) -> u64 {
        Cursor { lp: self.listpack(), at: listpack::HEADER }.int() as u64
    }

    /// May an entry of so many bytes of fields and values be added?
    pub(super) fn accepts(&self, bytes: usize, limits: NodeLimits) -> bool {
        let mut cursor = Cursor { lp: self.listpack(), at: listpack::HEADER };
        let all = (cursor.int() + cursor.int()) as usize;
        cursor.lp.len() + bytes < limits.bytes && (limits.entries == 0 || all < limits.entries)
    }

    /// Adds an entry whose ID is greater than all; `id` is the node's.
    pub(super) fn push(&mut self, id: StreamId, entry: StreamId, pairs: &[&[u8]]) {
        let head = self.head();
        let is_same = head.fields == pairs.len() / 2 && {
            let mut names = Cursor { lp: self.listpack(), at: head.fields_at };
            pairs.iter().step_by(2).all(|name| Needle::new(name).matches(names.element()))
        };
        let delta = StreamId { ms: entry.ms.wrapping_sub(id.ms), seq: entry.seq.wrapping_sub(id.seq) };
        let mut region = Region::of(self);
        push_entry(&mut region, delta, pairs, is_same);
        listpack::replace(&mut region, listpack::HEADER, Element::Int(head.count + 1));
    }

    /// Marks the entries at these offsets as deleted. Returns how many are left.
    pub(super) fn delete(&mut self, places: &[usize]) -> u64 {
        let (head, gone) = (self.head(), places.len() as i64);
        let mut region = Region::of(self);
        for &at in places {
            let flags = Cursor { lp: region.bytes(), at }.int();
            listpack::replace(&mut region, at, Element::Int(flags | DELETED));
        }
        // The counts go last: they may come to take a byte more or less, which moves all that follows.
        listpack::replace(&mut region, listpack::HEADER, Element::Int(head.count - gone));
        let second = listpack::behind(region.bytes(), listpack::HEADER);
        listpack::replace(&mut region, second, Element::Int(head.deleted + gone));
        (head.count - gone) as u64
    }

    /// All entries, deleted ones included; `id` is the node's.
    pub fn entries(&self, id: StreamId) -> Entries<'_> {
        let (lp, head) = (self.listpack(), self.head());
        Entries { lp, id, head, front: head.entries_at, back: listpack::end(lp) }
    }

    /// Bytes of the allocation.
    pub fn memory_bytes(&self) -> usize {
        self.block.memory_bytes()
    }
}

fn push_entry<R: ByteRegion>(region: &mut R, delta: StreamId, pairs: &[&[u8]], is_same: bool) {
    let ids = [delta.ms as i64, delta.seq as i64].map(Element::Int);
    let fields = pairs.len() / 2;
    if is_same {
        let values = pairs.iter().skip(1).step_by(2).map(|value| Element::from_text(value));
        let elements = [Element::Int(SAME_FIELDS)].into_iter().chain(ids).chain(values);
        listpack::push_back_all(region, elements.chain([Element::Int(fields as i64 + 3)]));
    } else {
        let all = pairs.iter().map(|text| Element::from_text(text));
        let head = [Element::Int(0), ids[0], ids[1], Element::Int(fields as i64)];
        listpack::push_back_all(region, head.into_iter().chain(all).chain([Element::Int(pairs.len() as i64 + 4)]));
    }
}

/// Steps from element to element of a valid node.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    lp: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn element(&mut self) -> Element<'a> {
        let (element, next) = listpack::get_and_next(self.lp, self.at);
        self.at = next;
        element
    }

    /// An element that is a number.
    #[inline]
    fn int(&mut self) -> i64 {
        match self.element() {
            Element::Int(number) => number,
            Element::Str(_) => unreachable!("a node was checked when it came"),
        }
    }

    #[inline]
    fn skip(&mut self, elements: usize) {
        self.at = (0..elements).fold(self.at, |at, _| listpack::behind(self.lp, at));
    }
}

/// One entry.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// Its ID.
    pub id: StreamId,
    /// Is it marked as deleted?
    pub is_deleted: bool,
    /// Number of its fields.
    pub field_count: usize,
    /// Where it begins in its node.
    pub(super) at: usize,
    /// The first name, if they are those of the head.
    names: Option<Cursor<'a>>,
    content: Cursor<'a>,
}

impl<'a> Entry<'a> {
    /// Its fields and values.
    #[inline]
    pub fn fields(&self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> + use<'a> {
        let (mut names, mut content) = (self.names, self.content);
        (0..self.field_count).map(move |_| {
            let name = match &mut names {
                Some(names) => names.element(),
                None => content.element(),
            };
            (name, content.element())
        })
    }
}

/// Entries of a node, from either end. See `Node::entries`.
#[derive(Clone)]
pub struct Entries<'a> {
    lp: &'a [u8],
    id: StreamId,
    head: Head,
    front: usize,
    back: usize,
}

impl<'a> Entries<'a> {
    #[inline]
    fn read(&self, at: usize) -> Entry<'a> {
        let mut cursor = Cursor { lp: self.lp, at };
        let [flags, ms, seq] = [cursor.int(), cursor.int(), cursor.int()];
        let id = StreamId { ms: self.id.ms.wrapping_add(ms as u64), seq: self.id.seq.wrapping_add(seq as u64) };
        let is_same = flags & SAME_FIELDS != 0;
        let field_count = if is_same { self.head.fields } else { cursor.int() as usize };
        let names = is_same.then_some(Cursor { lp: self.lp, at: self.head.fields_at });
        Entry { id, is_deleted: flags & DELETED != 0, field_count, at, names, content: cursor }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        if self.front >= self.back {
            return None;
        }
        let entry = self.read(self.front);
        let mut cursor = entry.content;
        cursor.skip(entry.field_count * if entry.names.is_some() { 1 } else { 2 } + 1);
        self.front = cursor.at;
        Some(entry)
    }
}

impl<'a> DoubleEndedIterator for Entries<'a> {
    fn next_back(&mut self) -> Option<Entry<'a>> {
        if self.front >= self.back {
            return None;
        }
        let mut at = listpack::prev(self.lp, self.back)?;
        let elements = Cursor { lp: self.lp, at }.int();
        for _ in 0..elements {
            at = listpack::prev(self.lp, at)?;
        }
        self.back = at;
        Some(self.read(at))
    }
}

/// Checks that a valid listpack is a node with this ID: every step of `Entries` from either end finds what it looks for, the
/// counts are right, the IDs go up. Returns the number of entries.
fn check(id: StreamId, lp: &[u8]) -> Result<u64, Malformed> {
    let mut elements = listpack::iter(lp);
    let fail = |offset, what| Malformed { offset, what };
    let int = |elements: &mut listpack::Iter<'_>, what| {
        let offset = elements.offset();
        match elements.next() {
            Some(Element::Int(number)) => Ok(number),
            _ => Err(fail(offset, what)),
        }
    };
    let skip = |elements: &mut listpack::Iter<'_>, count: i64| {
        let offset = elements.offset();
        let left = (lp.len() - offset) as i64;
        let is_there = (0..=left).contains(&count) && (0..count).all(|_| elements.next().is_some());
        if is_there { Ok(()) } else { Err(fail(offset, "a stream node with too few elements")) }
    };
    let count = int(&mut elements, "a stream node without a count")?;
    let deleted = int(&mut elements, "a stream node without a count of deleted entries")?;
    let fields = int(&mut elements, "a stream node without a number of fields")?;
    skip(&mut elements, fields)?;
    if int(&mut elements, "a stream node without the end of its head")? != 0 {
        return Err(fail(elements.offset(), "a stream node without the end of its head"));
    }
    let (mut there, mut gone, mut before) = (0, 0, None);
    while elements.offset() < listpack::end(lp) {
        let start = elements.offset();
        let flags = int(&mut elements, "a stream entry without flags")?;
        let ms = int(&mut elements, "a stream entry without its ID")?;
        let seq = int(&mut elements, "a stream entry without its ID")?;
        if flags & !(DELETED | SAME_FIELDS) != 0 {
            return Err(fail(start, "a stream entry with unknown flags"));
        }
        let written = if flags & SAME_FIELDS != 0 {
            skip(&mut elements, fields)?;
            fields.saturating_add(3)
        } else {
            let own = int(&mut elements, "a stream entry without a number of fields")?;
            skip(&mut elements, own.saturating_mul(2))?;
            own.saturating_mul(2).saturating_add(4)
        };
        if int(&mut elements, "a stream entry without its length")? != written {
            return Err(fail(start, "a stream entry whose length differs from its elements"));
        }
        let entry = StreamId { ms: id.ms.wrapping_add(ms as u64), seq: id.seq.wrapping_add(seq as u64) };
        if entry < id || before.is_some_and(|before| entry <= before) {
            return Err(fail(start, "stream entries out of order"));
        }
        before = Some(entry);
        *if flags & DELETED == 0 { &mut there } else { &mut gone } += 1;
    }
    if (there, gone) != (count, deleted) {
        return Err(fail(listpack::HEADER, "a stream node whose counts differ from its entries"));
    }
    Ok(there as u64)
}

/// The listpack of a node, to change. The allocation grows and shrinks by the allocator's classes.
struct Region<'a> {
    node: &'a mut Node,
    len: usize,
}

impl Region<'_> {
    fn of(node: &mut Node) -> Region<'_> {
        let len = node.listpack().len();
        Region { node, len }
    }
}

impl ByteRegion for Region<'_> {
    fn bytes(&self) -> &[u8] {
        &self.node.block.bytes()[..self.len]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.node.block.bytes_mut()[..self.len]
    }

    fn splice(&mut self, at: usize, remove: usize, insert: usize) {
        assert!(at <= self.len && remove <= self.len - at);
        let len = self.len - remove + insert;
        let capacity = capacity_for(len);
        if capacity == self.node.block.bytes().len() {
            let bytes = self.node.block.bytes_mut();
            bytes.copy_within(at + remove..self.len, at + insert);
        } else {
            let old = self.bytes();
            let parts = [(&old[..at], at + insert), (&old[at + remove..], self.len - at - remove)];
            self.node.block = Block::of_parts(capacity, &parts);
        }
        self.len = len;
    }
}
