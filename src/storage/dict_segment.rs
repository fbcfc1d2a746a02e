//! A segment of a `Dict`: up to 64 entries whose hashes agree in their leading bits, in one allocation.
//!
//! ```text
//! | count u16 | slots u16 | end u16 | large u16 | tags: slots x u8 | offsets: slots x u16 | entries: end bytes | slack |
//! ```
//! What an entry is made of stands in `dict_entry`.
//!
//! Tags are the low byte of the hash and are compared sixteen at a time. Entries lie in the order of their offsets
//! and without gaps, so an entry ends where the next begins. `large` counts the entries of kind 3, so that
//! segments without any are copied and freed without being looked at.

use super::block::{Block, capacity_for};
use super::dict_entry::{FieldRef, KIND_EXPIRING, KIND_FIELD, KIND_LARGE, NEVER, Parts, unpack, unpack_field};
use super::directory::Segment;
use super::large;
use super::segment_view::{self, HEAD, Layout, put_u16, set_count, set_end, set_slots, u16_at};
use crate::base::hash::HashSeed;

/// Bits of the hash that a segment may cover at most, and that a scan cursor has. With a keyed hash nobody can make more
/// than a handful of fields agree in so many bits.
pub const DEPTH_MAX: u32 = 48;

/// Entries of a segment, unless it is as deep as can be.
pub const ENTRIES_MAX: usize = 64;

/// Field and value together, in bytes, of the longest entry that lies in its segment.
pub const INLINE_MAX: usize = 512;

const BYTES_MAX: usize = 4096 - 8;
/// Tags are read sixteen at a time: with so many slots the last read ends within the offsets.
const SLOTS_MIN: usize = 6;
const SLACK: usize = 4;
const _: () = assert!(ENTRIES_MAX >= SLOTS_MIN && BYTES_MAX < u16::MAX as usize);

/// What `DictSegment::upsert` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upsert {
    /// The field is new.
    Added,
    /// The field was there and had this expiry.
    Replaced(Option<i64>),
    /// Nothing: the segment must be split first.
    Full,
}

/// The packed entries; see the file's head.
#[derive(Clone)]
pub struct DictSegment {
    block: Block<Entries>,
}

struct Entries;

type View<'a> = segment_view::View<'a, Entries>;

// SAFETY: entries of kind 3, and no others, are a byte and a pointer.
unsafe impl Layout for Entries {
    fn for_each_large(bytes: &[u8], mut visit: impl FnMut(&[u8])) {
        let view = View::of(bytes);
        if view.large() == 0 {
            return;
        }
        for index in 0..view.count() {
            let entry = view.entry_bytes(index);
            if entry[0] & 3 == KIND_LARGE {
                visit(&entry[1..]);
            }
        }
    }
}

impl Segment for DictSegment {
    const DEPTH_MAX: u32 = DEPTH_MAX;

    #[inline]
    fn count(&self) -> usize {
        self.view().count()
    }

    fn memory_bytes(&self) -> usize {
        segment_view::memory_bytes(&self.block)
    }

    fn prefetch_refs(&self) {
        self.block.prefetch(0);
    }
}

impl DictSegment {
    /// A segment without entries.
    pub fn new() -> DictSegment {
        DictSegment::with_room(0, 0)
    }

    fn with_room(count: usize, entries_bytes: usize) -> DictSegment {
        let (capacity, slots) = shape_for(count, entries_bytes);
        let mut segment = DictSegment { block: Block::zeroed(capacity) };
        set_slots(segment.block.bytes_mut(), slots);
        segment
    }

    #[inline]
    fn view(&self) -> View<'_> {
        self.block.view()
    }

    /// The place of `field`, whose hash is `hash`.
    #[inline]
    pub fn find(&self, hash: u64, field: &[u8]) -> Option<usize> {
        self.block.prefetch(HEAD + 3 * ENTRIES_MAX);
        let view = self.view();
        let count = view.count();
        let tag = hash as u8;
        let mut base = 0;
        while base < count {
            let mut matches = matches_of(&view.bytes[HEAD + base..HEAD + base + 16], tag);
            if count - base < 16 {
                matches &= (1 << (count - base)) - 1;
            }
            while matches != 0 {
                let index = base + matches.trailing_zeros() as usize;
                if view.field(index) == field {
                    return Some(index);
                }
                matches &= matches - 1;
            }
            base += 16;
        }
        None
    }

    /// The entry at `index`.
    #[inline]
    pub fn entry(&self, index: usize) -> FieldRef<'_> {
        self.view().entry(index)
    }

    /// All entries, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = FieldRef<'_>> {
        (0..self.count()).map(|index| self.entry(index))
    }

    /// Adds the field or gives it this value and expiry. A segment that is `deepest` cannot be split, and takes more
    /// entries than others do.
    pub fn upsert(&mut self, hash: u64, field: &[u8], value: &[u8], expire_at: Option<i64>, deepest: bool) -> Upsert {
        let is_large = deepest || field.len() + value.len() > INLINE_MAX;
        let new = Parts { field, value, expire_at, is_large };
        let new_bytes = new.bytes();
        let found = self.find(hash, field);
        let view = self.view();
        let (count, end) = (view.count(), view.end());
        if let Some(index) = found {
            let old = view.entry(index).expire_at;
            let old_bytes = view.entry_bytes(index).len();
            if count > 1 && !deepest && HEAD + 3 * count + end - old_bytes + new_bytes > BYTES_MAX {
                return Upsert::Full;
            }
            self.replace(index, &new);
            return Upsert::Replaced(old);
        }
        if !deepest && (count >= ENTRIES_MAX || (count > 0 && HEAD + 3 * (count + 1) + end + new_bytes > BYTES_MAX)) {
            return Upsert::Full;
        }
        // Only a broken hash leads here: thousands of fields that agree in 48 keyed bits.
        assert!(end + new_bytes <= usize::from(u16::MAX), "too many fields of one hash");
        self.reserve(1, new_bytes);
        let bytes = self.block.bytes_mut();
        let view = View::of(bytes);
        let (offsets, entries) = (view.offsets_at(), view.entries_at());
        bytes[HEAD + count] = hash as u8;
        put_u16(bytes, offsets + 2 * count, end);
        set_count(bytes, count + 1);
        set_end(bytes, end + new_bytes);
        new.write(&mut bytes[entries + end..entries + end + new_bytes]);
        self.count_large(isize::from(is_large));
        Upsert::Added
    }

    /// Gives the entry at `index` another expiry. False, and nothing done, when the segment must be split first.
    pub fn set_expire(&mut self, index: usize, expire_at: Option<i64>, deepest: bool) -> bool {
        let view = self.view();
        let range = view.entry_range(index);
        let kind = view.bytes[range.start] & 3;
        if kind == KIND_LARGE || (kind == KIND_EXPIRING && expire_at.is_some()) {
            let at = expire_at.unwrap_or(NEVER).to_le_bytes();
            self.block.bytes_mut()[range.end - 8..range.end].copy_from_slice(&at);
            return true;
        }
        let entry = view.entry(index);
        if entry.expire_at == expire_at {
            return true;
        }
        let longest = HEAD + 3 * view.count() + view.end() + 10;
        if longest > BYTES_MAX && view.count() > 1 && !deepest {
            return false;
        }
        let (field, value) = (entry.field.to_vec(), entry.value.to_vec());
        self.replace(index, &Parts { field: &field, value: &value, expire_at, is_large: false });
        true
    }

    /// The value of the entry at `index`, to be overwritten in place.
    pub fn value_mut(&mut self, index: usize) -> &mut [u8] {
        let view = self.view();
        let range = view.entry_range(index);
        if view.bytes[range.start] & 3 == KIND_LARGE {
            let at = &mut self.block.bytes_mut()[range.start + 1..];
            // SAFETY: an entry of kind 3 holds the pointer there.
            return unsafe { large::at_mut(at) }.value_mut();
        }
        let value_bytes = view.entry(index).value.len();
        let expiry_bytes = if view.bytes[range.start] & 3 == KIND_EXPIRING { 8 } else { 0 };
        let end = range.end - expiry_bytes;
        &mut self.block.bytes_mut()[end - value_bytes..end]
    }

    /// Removes the entry at `index`.
    pub fn remove(&mut self, index: usize) {
        self.release_large(index);
        let bytes = self.block.bytes_mut();
        let view = View::of(bytes);
        let (count, range) = (view.count(), view.entry_range(index));
        let offsets = view.offsets_at();
        resize_entry(bytes, index, range.len(), 0);
        bytes.copy_within(HEAD + index + 1..HEAD + count, HEAD + index);
        bytes.copy_within(offsets + 2 * (index + 1)..offsets + 2 * count, offsets + 2 * index);
        set_count(bytes, count - 1);
        let view = View::of(bytes);
        let needed = HEAD + 3 * (count - 1).max(SLOTS_MIN) + view.end();
        if capacity_for(needed + needed / 2) < bytes.len() {
            self.rebuild(0, 0);
        }
    }

    /// Leaves the entries here whose hash has bit `bit` (from the most significant) clear and returns the others.
    pub fn part(&mut self, bit: u32, seed: HashSeed) -> DictSegment {
        // Sole ownership first: the entries' references move from here to the two new segments.
        self.block.bytes_mut();
        let view = self.view();
        let (mut counts, mut sizes) = ([0; 2], [0; 2]);
        let count = view.count();
        let sides: Vec<bool> = (0..count).map(|i| super::directory::bit(seed.hash(view.field(i)), bit)).collect();
        for (index, &side) in sides.iter().enumerate() {
            counts[usize::from(side)] += 1;
            sizes[usize::from(side)] += view.entry_range(index).len();
        }
        let mut halves = [0, 1].map(|side: usize| DictSegment::with_room(counts[side], sizes[side]));
        for (index, &side) in sides.iter().enumerate() {
            halves[usize::from(side)].push_packed(view.bytes[HEAD + index], view.entry_bytes(index));
        }
        let [low, high] = halves;
        self.become_moved(low);
        high
    }

    /// Puts all entries of `other`, which has none of this one's fields, into this segment.
    pub fn absorb(&mut self, mut other: DictSegment) {
        other.block.bytes_mut();
        let view = other.view();
        self.reserve(view.count(), view.end());
        for index in 0..view.count() {
            self.push_packed(view.bytes[HEAD + index], view.entry_bytes(index));
        }
        set_large(other.block.bytes_mut(), 0);
    }

    /// Is it worth asking whether the neighbour would fit in here too?
    pub fn is_sparse(&self) -> bool {
        self.count() <= ENTRIES_MAX / 4
    }

    /// Would both together be a segment of at most half the entries and bytes that one may have?
    pub fn fits_with(&self, other: &DictSegment) -> bool {
        let (a, b) = (self.view(), other.view());
        let count = a.count() + b.count();
        count <= ENTRIES_MAX / 2 && HEAD + 3 * count + a.end() + b.end() <= BYTES_MAX / 2
    }

    /// Appends an entry in its packed form; the room is reserved, and a reference of its moves here with it.
    fn push_packed(&mut self, tag: u8, entry: &[u8]) {
        let bytes = self.block.bytes_mut();
        let view = View::of(bytes);
        let (count, end, large) = (view.count(), view.end(), view.large());
        let (offsets, entries) = (view.offsets_at(), view.entries_at());
        bytes[HEAD + count] = tag;
        put_u16(bytes, offsets + 2 * count, end);
        bytes[entries + end..entries + end + entry.len()].copy_from_slice(entry);
        set_count(bytes, count + 1);
        set_end(bytes, end + entry.len());
        set_large(bytes, large + usize::from(entry[0] & 3 == KIND_LARGE));
    }

    fn replace(&mut self, index: usize, new: &Parts<'_>) {
        let old_bytes = self.view().entry_range(index).len();
        let new_bytes = new.bytes();
        self.release_large(index);
        if new_bytes != old_bytes {
            self.reserve(0, new_bytes.saturating_sub(old_bytes));
            resize_entry(self.block.bytes_mut(), index, old_bytes, new_bytes);
        }
        let range = self.view().entry_range(index);
        new.write(&mut self.block.bytes_mut()[range]);
        self.count_large(isize::from(new.is_large));
    }

    /// Gives back what the entry at `index` holds out of line and makes it an entry that holds nothing.
    fn release_large(&mut self, index: usize) {
        let range = self.view().entry_range(index);
        let bytes = self.block.bytes_mut();
        if bytes[range.start] & 3 != KIND_LARGE {
            return;
        }
        // SAFETY: an entry of kind 3 holds the pointer there; the next line makes sure that it is not used again.
        unsafe { large::release(&bytes[range.start + 1..]) };
        bytes[range.start] = KIND_FIELD;
        self.count_large(-1);
    }

    fn count_large(&mut self, by: isize) {
        if by != 0 {
            let bytes = self.block.bytes_mut();
            let large = View::of(bytes).large().wrapping_add_signed(by);
            set_large(bytes, large);
        }
    }

    fn reserve(&mut self, more_entries: usize, more_bytes: usize) {
        let view = self.view();
        let has_slots = view.count() + more_entries <= view.slots();
        if !has_slots || view.entries_at() + view.end() + more_bytes > view.bytes.len() {
            self.rebuild(more_entries, more_bytes);
        }
    }

    /// Moves everything to an allocation with just this much more room.
    fn rebuild(&mut self, more_entries: usize, more_bytes: usize) {
        self.block.bytes_mut();
        let view = self.view();
        let (count, end) = (view.count(), view.end());
        let (capacity, slots) = shape_for(count + more_entries, end + more_bytes);
        let mut head = [0; HEAD];
        set_count(&mut head, count);
        set_slots(&mut head, slots);
        set_end(&mut head, end);
        set_large(&mut head, view.large());
        let tags = &view.bytes[HEAD..HEAD + count];
        let offsets = &view.bytes[view.offsets_at()..][..2 * count];
        let entries = &view.bytes[view.entries_at()..][..end];
        let parts = [(&head[..], HEAD), (tags, slots), (offsets, 2 * slots), (entries, end)];
        let new = DictSegment { block: Block::of_parts(capacity, &parts) };
        self.become_moved(new);
    }

    /// Takes the place of `self`, whose references `new` has by now.
    fn become_moved(&mut self, new: DictSegment) {
        set_large(self.block.bytes_mut(), 0);
        *self = new;
    }

    /// Panics unless the packed bytes are sound and belong where hashes agree with `prefix` in `depth` bits.
    pub fn check_invariants(&self, seed: HashSeed, prefix: u64, depth: u32) {
        let view = self.view();
        assert!(view.count() <= view.slots() && view.slots() >= SLOTS_MIN);
        assert!(view.entries_at() + view.end() <= view.bytes.len());
        let (mut end, mut large) = (0, 0);
        for index in 0..view.count() {
            let range = view.entry_range(index);
            assert_eq!(range.start - view.entries_at(), end);
            end += range.len();
            let entry = view.entry(index);
            let hash = seed.hash(entry.field);
            assert!(depth == 0 || (hash ^ prefix) >> (64 - depth) == 0);
            assert_eq!(view.bytes[HEAD + index], hash as u8);
            assert_eq!(self.find(hash, entry.field), Some(index));
            let is_large = view.bytes[range.start] & 3 == KIND_LARGE;
            large += usize::from(is_large);
            let parts = Parts { field: entry.field, value: entry.value, expire_at: entry.expire_at, is_large };
            assert_eq!(parts.bytes(), range.len());
        }
        assert_eq!((end, large), (view.end(), view.large()));
    }
}

impl Default for DictSegment {
    fn default() -> DictSegment {
        DictSegment::new()
    }
}

/// Capacity and slots for so many entries of so many bytes, with some slack: a quarter, and what the allocator's size
/// class adds. Against an eighth that costs 9 % more memory and saves a third of the time of an insert, most of
/// which goes into moving segments to larger allocations.
fn shape_for(count: usize, entries_bytes: usize) -> (usize, usize) {
    let slots_min = count.max(SLOTS_MIN);
    let needed = HEAD + 3 * slots_min + entries_bytes;
    let capacity = capacity_for(needed + if count < ENTRIES_MAX { needed / SLACK } else { 0 });
    // As many slots as entries of the present mean length will fill the slack, so that both run out together.
    let mean = if count == 0 { 16 } else { entries_bytes.div_ceil(count) };
    let spare = capacity - needed;
    let slots = (slots_min + spare.div_ceil(mean + 3)).min(slots_min + spare / 3).min(ENTRIES_MAX.max(slots_min));
    (capacity, slots)
}

/// Moves the entries after `index` so that it has `new` bytes in place of `old`; the room is reserved.
fn resize_entry(bytes: &mut [u8], index: usize, old: usize, new: usize) {
    let view = View::of(bytes);
    let (count, end, offsets, entries) = (view.count(), view.end(), view.offsets_at(), view.entries_at());
    let after = view.entry_range(index).end;
    bytes.copy_within(after..entries + end, after - old + new);
    for offset in bytes[offsets + 2 * (index + 1)..offsets + 2 * count].chunks_exact_mut(2) {
        let moved = u16::from_le_bytes([offset[0], offset[1]]).wrapping_add(new as u16).wrapping_sub(old as u16);
        offset.copy_from_slice(&moved.to_le_bytes());
    }
    set_end(bytes, end - old + new);
}

impl<'a> View<'a> {
    #[inline]
    fn large(self) -> usize {
        u16_at(self.bytes, 6)
    }

    #[inline]
    fn offsets_at(self) -> usize {
        HEAD + self.slots()
    }

    #[inline]
    fn entries_at(self) -> usize {
        HEAD + 3 * self.slots()
    }

    /// From where to where the entry lies in the content.
    #[inline]
    fn entry_range(self, index: usize) -> std::ops::Range<usize> {
        let (offsets, entries) = (self.offsets_at(), self.entries_at());
        let start = u16_at(self.bytes, offsets + 2 * index);
        let end = if index + 1 < self.count() { u16_at(self.bytes, offsets + 2 * index + 2) } else { self.end() };
        entries + start..entries + end
    }

    #[inline]
    fn entry_bytes(self, index: usize) -> &'a [u8] {
        &self.bytes[self.entry_range(index)]
    }

    #[inline]
    fn field(self, index: usize) -> &'a [u8] {
        let start = self.entries_at() + u16_at(self.bytes, self.offsets_at() + 2 * index);
        let entry = &self.bytes[start..];
        // SAFETY: an offset leads to an entry that `Parts::write` wrote, in a segment that still owns its references.
        unsafe { unpack_field(entry) }
    }

    #[inline]
    fn entry(self, index: usize) -> FieldRef<'a> {
        // SAFETY: as in `field`.
        unsafe { unpack(self.entry_bytes(index)) }
    }
}

fn set_large(bytes: &mut [u8], large: usize) {
    put_u16(bytes, 6, large);
}

/// Bit i is set when `tags[i] == tag`, of sixteen tags.
#[inline]
fn matches_of(tags: &[u8], tag: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};
        let tags = &tags[..16];
        // SAFETY: sixteen bytes are readable by the line above; SSE2 is part of x86-64.
        unsafe {
            let tags = _mm_loadu_si128(tags.as_ptr().cast());
            _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(tag as i8))) as u32
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    tags[..16].iter().enumerate().map(|(i, &other)| u32::from(other == tag) << i).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deepest_segment_takes_more_than_others() {
        let seed = HashSeed::new(3);
        let mut segment = DictSegment::new();
        let fields = if cfg!(miri) { 80 } else { 300 };
        for n in 0..fields {
            let field = format!("{n}").into_bytes();
            let hash = seed.hash(&field);
            let deepest = n >= ENTRIES_MAX;
            if deepest {
                assert_eq!(segment.upsert(hash, &field, b"v", None, false), Upsert::Full);
            }
            assert_eq!(segment.upsert(hash, &field, b"v", Some(7), deepest), Upsert::Added);
            assert_eq!(segment.upsert(hash, &field, b"w", None, deepest), Upsert::Replaced(Some(7)));
            segment.check_invariants(seed, 0, 0);
        }
        let copy = segment.clone();
        let index = segment.find(seed.hash(b"70"), b"70").unwrap();
        segment.value_mut(index).fill(b'x');
        assert_eq!((segment.entry(index).value, copy.entry(index).value), (&b"x"[..], &b"w"[..]));
        while segment.count() > 0 {
            segment.remove(segment.count() / 2);
            segment.check_invariants(seed, 0, 0);
        }
        assert!(copy.iter().all(|entry| entry.value == b"w"));
    }

    #[test]
    fn entries_of_all_lengths_are_read_as_written() {
        let seed = HashSeed::new(4);
        let mut segment = DictSegment::new();
        for field_bytes in [0, 1, 31, 32, 63, 127, 128, 255, 511, 512, 513, 5000] {
            for value_bytes in [0, 1, 127, 128, 300, 513, 20_000] {
                for expire_at in [None, Some(-1), Some(1 << 41)] {
                    let (field, value) = (vec![b'f'; field_bytes], vec![b'v'; value_bytes]);
                    let hash = seed.hash(&field);
                    assert_ne!(segment.upsert(hash, &field, &value, expire_at, false), Upsert::Full);
                    let index = segment.find(hash, &field).unwrap();
                    assert_eq!(segment.entry(index), FieldRef { field: &field, value: &value, expire_at });
                    segment.check_invariants(seed, 0, 0);
                    for other in [Some(5), None, expire_at] {
                        assert!(segment.set_expire(index, other, false));
                        assert_eq!(segment.entry(index), FieldRef { field: &field, value: &value, expire_at: other });
                    }
                }
            }
            while segment.count() > 3 {
                segment.remove(0);
            }
        }
    }
}
