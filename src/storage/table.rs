//! The table of keys: extendible hashing over segments of 64-byte buckets.
//!
//! A bucket is one cache line: seven entry pointers, seven one-byte tags of the hash (0 is empty) and a byte with the
//! cut bit and a count of entries that would live here but overflowed into later buckets. A segment is a line of
//! header and up to 63 buckets: one page. A directory, indexed by the top bits of the hash, points to the segments;
//! the pointer's low six bits hold the segment's number of buckets, so that a lookup touches the directory, one bucket
//! (rarely a second) and the entry, and never the header.
//!
//! Within a segment a bucket is chosen by the hash bits below the segment's prefix, in order. **So the buckets of the
//! whole table stand in hash order**, and a SCAN cursor is a position in that order: splitting, growing, shrinking or
//! merging segments never changes which side of the cursor an entry is on. Against a table that doubles: no step is
//! ever larger than one segment (some 400 entries), no second table lives during growth, and memory grows smoothly.
//!
//! Deliberately absent: expiry (the keyspace looks at it) and the bookkeeping of a cut beyond the bits of buckets (`cut`).

mod cut;

use std::alloc::Layout;
use std::ptr::NonNull;

use super::entry::{self, EntryMut, EntryRef, NewValue, RawEntry, Type};
use super::owned::OwnedEntry;
use super::prefetch::prefetch;
use crate::base::hash::HashSeed;
use crate::base::rng::Rng;

const SLOTS: usize = 7;
/// Bucket counts of a segment, as it grows; beyond the last it splits.
const SIZES: [u8; 10] = [1, 2, 4, 6, 10, 16, 24, 32, 44, 63];
const DEPTH_MAX: u32 = 40;
/// Entries for which `reserve` makes one segment, at most, and the most segments that it makes: 2^20 take 4 GiB.
const RESERVE_PER_SEGMENT: usize = 256;
const RESERVE_DEPTH_MAX: u32 = 20;
const CUT: u8 = 0x80;
const OVERFLOW: u8 = 0x7f;
const PREFIX_HASH_BITS: u32 = 40;

#[repr(C, align(64))]
struct Bucket {
    slots: [Option<RawEntry>; SLOTS],
    tags: [u8; SLOTS],
    meta: u8,
}

#[repr(C, align(64))]
struct Header {
    depth: u32,
    count: u32,
}

const _: () = assert!(size_of::<Bucket>() == 64 && size_of::<Header>() == 64);

/// A pointer to a segment's header, with the number of buckets in the low six bits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct SegmentPtr(NonNull<Header>);

impl SegmentPtr {
    fn allocate(buckets: u8, depth: u32) -> SegmentPtr {
        let layout = Self::layout(buckets);
        // SAFETY: the layout's size is positive. Zeroed memory is a valid header and valid empty buckets.
        let raw = unsafe { std::alloc::alloc_zeroed(layout) }.cast::<Header>();
        let Some(header) = NonNull::new(raw) else { std::alloc::handle_alloc_error(layout) };
        // SAFETY: freshly allocated, exclusively ours.
        unsafe { (*header.as_ptr()).depth = depth };
        SegmentPtr(header.map_addr(|address| address | usize::from(buckets)))
    }

    fn layout(buckets: u8) -> Layout {
        // SAFETY: at most 64 lines of 64 bytes.
        unsafe { Layout::from_size_align_unchecked((usize::from(buckets) + 1) * 64, 64) }
    }

    /// Frees the segment; its entries must have moved or died.
    fn free(self) {
        // SAFETY: allocated with this layout, and the caller drops every copy of the pointer.
        unsafe { std::alloc::dealloc(self.header().as_ptr().cast(), Self::layout(self.buckets())) };
    }

    #[inline]
    fn buckets(self) -> u8 {
        (self.0.addr().get() & 63) as u8
    }

    #[inline]
    fn header(self) -> NonNull<Header> {
        // SAFETY: the header is 64-byte aligned and never at address zero, so clearing six bits keeps it non-null.
        unsafe { NonNull::new_unchecked(self.0.as_ptr().map_addr(|address| address & !63)) }
    }

    #[inline]
    fn bucket(self, index: usize) -> *mut Bucket {
        debug_assert!(index < usize::from(self.buckets()));
        // SAFETY: the buckets follow the header line; the index is below their number.
        unsafe { self.header().as_ptr().cast::<Bucket>().add(1 + index) }
    }

    /// The bucket where an entry of this hash belongs.
    #[inline]
    fn home(self, hash: u64, depth: u32) -> usize {
        ((((hash << depth) >> 32) * u64::from(self.buckets())) >> 32) as usize
    }

    fn capacity(self) -> usize {
        usize::from(self.buckets()) * SLOTS
    }
}

/// Each item twice, side by side.
fn doubled<T: Copy>(items: &[T]) -> Vec<T> {
    let mut all = Vec::with_capacity(items.len() * 2);
    for &item in items {
        all.extend_from_slice(&[item, item]);
    }
    all
}

#[inline]
fn tag_of(hash: u64) -> u8 {
    (hash as u8).max(1)
}

/// Bit i*8+7 is set where tag i equals `tag`.
#[inline]
fn match_tags(bucket: &Bucket, tag: u8) -> u64 {
    let tags_and_meta = (&raw const *bucket).cast::<u64>();
    // SAFETY: the tags and the meta byte are the last, aligned eight bytes of the bucket.
    let word = u64::from_le(unsafe { *tags_and_meta.add(SLOTS) }) & !(0xff << 56);
    // The eighth byte, cleared, never matches a tag that is at least one.
    let x = word ^ (u64::from(tag) * 0x0101_0101_0101_0101);
    // Exact zero-byte test (no false positives across byte borders).
    !(((x & 0x7f7f_7f7f_7f7f_7f7f).wrapping_add(0x7f7f_7f7f_7f7f_7f7f)) | x | 0x7f7f_7f7f_7f7f_7f7f)
}

/// Where an entry stands: valid until the table changes.
#[derive(Clone, Copy)]
struct Position {
    segment: SegmentPtr,
    bucket: usize,
    slot: usize,
}

/// The answer of `Table::lookup`.
pub enum Lookup<'t> {
    /// The key's entry.
    Found(EntryMut<'t>),
    /// The key has an entry that was not accepted.
    Refused(&'t mut Table),
    /// The key has no entry.
    Absent(&'t mut Table),
}

/// A table of entries. See the head of this file.
pub struct Table {
    directory: Vec<SegmentPtr>,
    /// The depth of each place's segment, beside the directory so that a lookup never waits for a header.
    depths: Vec<u8>,
    /// The directory has 2^depth places.
    depth: u32,
    len: usize,
    /// Segments, and buckets of all of them.
    segment_count: usize,
    bucket_count: usize,
    seed: HashSeed,
    /// May segments shrink and merge? (DEBUG DICT-RESIZING)
    pub resizing: bool,
    /// The cut bit of buckets that have been walked: it changes with each cut. A segment that is rebuilt or split hands on its own.
    parity: u8,
    /// Is a cut going on?
    cutting: bool,
}

// SAFETY: the table owns its segments and entries, whose content (bytes and Objects) is Send and Sync.
unsafe impl Send for Table {}
// SAFETY: `&Table` gives read access only.
unsafe impl Sync for Table {}

impl Table {
    /// An empty table whose keys are hashed with `seed`.
    pub fn new(seed: HashSeed) -> Table {
        Table {
            directory: vec![SegmentPtr::allocate(SIZES[0], 0)],
            depths: vec![0],
            depth: 0,
            len: 0,
            segment_count: 1,
            bucket_count: usize::from(SIZES[0]),
            seed,
            resizing: true,
            parity: 0,
            cutting: false,
        }
    }

    /// Makes room for so many entries, if there are none yet.
    pub fn reserve(&mut self, count: usize) {
        if self.len > 0 || self.cutting || count <= RESERVE_PER_SEGMENT {
            return;
        }
        let depth = count.div_ceil(RESERVE_PER_SEGMENT).next_power_of_two().ilog2().min(RESERVE_DEPTH_MAX);
        let mean = count >> depth;
        // Most segments get no more than the mean and its root; the others grow by one size.
        let is_enough = |size: &u8| usize::from(*size) * SLOTS * 9 / 10 > mean + mean.isqrt();
        let size = SIZES.iter().copied().find(is_enough).unwrap_or(SIZES[SIZES.len() - 1]);
        let old: Vec<SegmentPtr> = self.segments().collect();
        self.directory = (0..1usize << depth).map(|_| SegmentPtr::allocate(size, depth)).collect();
        self.directory.iter().for_each(|&segment| mark_cut(segment, self.parity));
        self.depths = vec![depth as u8; 1 << depth];
        self.depth = depth;
        self.segment_count = 1 << depth;
        self.bucket_count = usize::from(size) << depth;
        old.into_iter().for_each(SegmentPtr::free);
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Has it no entries?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The hash that this table places `key` by.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.seed.hash(key)
    }

    #[inline]
    fn directory_index(&self, hash: u64) -> usize {
        // Two shifts, because a shift by 64 is not defined when the depth is zero.
        ((hash >> 1) >> (63 - self.depth)) as usize
    }

    #[inline]
    fn segment_of(&self, hash: u64) -> SegmentPtr {
        let index = self.directory_index(hash);
        debug_assert!(index < self.directory.len());
        // SAFETY: the directory has 2^depth entries and the index has depth bits.
        unsafe { *self.directory.get_unchecked(index) }
    }

    /// The depth of the segment of this hash.
    #[inline]
    fn depth_of(&self, hash: u64) -> u32 {
        let index = self.directory_index(hash);
        debug_assert!(index < self.depths.len());
        // SAFETY: as in segment_of.
        u32::from(unsafe { *self.depths.get_unchecked(index) })
    }

    #[inline]
    fn home_of(&self, segment: SegmentPtr, hash: u64) -> usize {
        segment.home(hash, self.depth_of(hash))
    }

    /// Asks the processor for the bucket of this hash, ahead of its use.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        let segment = self.segment_of(hash);
        prefetch(segment.bucket(self.home_of(segment, hash)).cast());
    }

    /// Asks the processor for the entry of this hash, whose bucket was asked for before.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        let segment = self.segment_of(hash);
        // SAFETY: buckets of a directory's segment are live; this only reads.
        let bucket = unsafe { &*segment.bucket(self.home_of(segment, hash)) };
        let matches = match_tags(bucket, tag_of(hash));
        if matches != 0
            && let Some(entry) = bucket.slots[(matches.trailing_zeros() / 8) as usize]
        {
            prefetch(entry.as_ptr());
        }
    }

    #[inline]
    fn find(&self, hash: u64, mut is_it: impl FnMut(EntryRef<'_>) -> bool) -> Option<Position> {
        let segment = self.segment_of(hash);
        let tag = tag_of(hash);
        let buckets = usize::from(segment.buckets());
        let mut index = self.home_of(segment, hash);
        for _ in 0..buckets {
            // SAFETY: buckets of a directory's segment are live, and `&self` excludes writers.
            let bucket = unsafe { &*segment.bucket(index) };
            let mut matches = match_tags(bucket, tag);
            while matches != 0 {
                let slot = (matches.trailing_zeros() / 8) as usize;
                matches &= matches - 1;
                if let Some(raw) = bucket.slots[slot]
                    // SAFETY: entries in slots are live.
                    && is_it(unsafe { EntryRef::from_raw(raw) })
                {
                    return Some(Position { segment, bucket: index, slot });
                }
            }
            if bucket.meta & OVERFLOW == 0 {
                return None;
            }
            index = if index + 1 == buckets { 0 } else { index + 1 };
        }
        None
    }

    #[inline]
    fn entry_at(&self, position: Position) -> EntryRef<'_> {
        // SAFETY: a position was found in this table, which has not changed since; its slot is occupied.
        unsafe {
            EntryRef::from_raw((*position.segment.bucket(position.bucket)).slots[position.slot].unwrap_unchecked())
        }
    }

    fn slot_at(&mut self, position: Position) -> &mut RawEntry {
        // SAFETY: as in entry_at, and `&mut self` makes the borrow exclusive. Option<NonNull> is occupied.
        unsafe {
            let slot = &mut (*position.segment.bucket(position.bucket)).slots[position.slot];
            slot.as_mut().unwrap_unchecked()
        }
    }

    /// The entry of a key.
    #[inline]
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<EntryRef<'_>> {
        self.find(hash, |entry| entry.key() == key).map(|position| self.entry_at(position))
    }

    /// The entry of a key, to change.
    #[inline]
    pub fn get_mut(&mut self, hash: u64, key: &[u8]) -> Option<EntryMut<'_>> {
        let position = self.find(hash, |entry| entry.key() == key)?;
        // SAFETY: the slot is occupied by a live entry, borrowed with self.
        Some(unsafe { EntryMut::from_slot(self.slot_at(position)) })
    }

    /// The entry of a key if there is one and `judge` accepts it (it may change what it is shown); otherwise the table
    /// comes back, so that the caller can go on without a second borrow.
    #[inline]
    pub fn lookup(&mut self, hash: u64, key: &[u8], judge: impl FnOnce(&mut EntryMut<'_>) -> bool) -> Lookup<'_> {
        let Some(position) = self.find(hash, |entry| entry.key() == key) else { return Lookup::Absent(self) };
        // SAFETY: the slot is occupied by a live entry, borrowed with self.
        let accepted = judge(&mut unsafe { EntryMut::from_slot(self.slot_at(position)) });
        if !accepted {
            return Lookup::Refused(self);
        }
        // SAFETY: as above; the judge could not move the entry to another slot.
        Lookup::Found(unsafe { EntryMut::from_slot(self.slot_at(position)) })
    }

    /// The entry whose hash begins with these 40 bits (32 at the top, 8 for the tag) and that `is_it`.
    pub fn find_by_prefix(&self, prefix: u64, mut is_it: impl FnMut(EntryRef<'_>) -> bool) -> Option<EntryRef<'_>> {
        // The bits between the prefix and the tag are unknown: the home lies between that of all zeros and of all ones.
        let least = hash_of_prefix(prefix);
        let most = least | 0xffff_ff00;
        let segment = self.segment_of(least);
        let mut found = self.find(least, &mut is_it);
        if found.is_none() && self.home_of(segment, least) != self.home_of(segment, most) {
            found = self.find(most, is_it);
        }
        found.map(|position| self.entry_at(position))
    }

    /// Adds an entry for a key that has none.
    pub fn insert(
        &mut self,
        hash: u64,
        key: &[u8],
        value: NewValue<'_>,
        type_: Type,
        expire: Option<i64>,
        lru: u32,
    ) -> EntryMut<'_> {
        debug_assert!(self.get(hash, key).is_none());
        let entry = entry::create(key, value, type_, expire, lru);
        let position = self.place(hash, entry);
        // SAFETY: the slot was just filled with a live entry.
        unsafe { EntryMut::from_slot(self.slot_at(position)) }
    }

    /// Puts an entry into its segment, which grows or splits before it is too full.
    fn place(&mut self, hash: u64, entry: RawEntry) -> Position {
        loop {
            let segment = self.segment_of(hash);
            // SAFETY: live, and exclusive by &mut self.
            let header = unsafe { segment.header().as_mut() };
            let count = header.count as usize;
            if count < segment.capacity() - segment.capacity() / 10 {
                header.count += 1;
                self.len += 1;
                let position = put(segment, header.depth, hash, entry);
                if self.cutting {
                    self.mark_born(position);
                }
                return position;
            }
            self.grow(hash);
        }
    }

    fn grow(&mut self, hash: u64) {
        let segment = self.segment_of(hash);
        let size = SIZES.iter().position(|&size| size == segment.buckets());
        match size.and_then(|index| SIZES.get(index + 1)) {
            Some(&bigger) => self.resize(hash, bigger),
            None => self.split(hash),
        }
    }

    /// Rebuilds one segment with another number of buckets.
    fn resize(&mut self, hash: u64, buckets: u8) {
        let old = self.segment_of(hash);
        // SAFETY: live.
        let depth = unsafe { old.header().as_ref().depth };
        let new = SegmentPtr::allocate(buckets, depth);
        let cut = self.rehash_into(old, |_| new);
        mark_cut(new, cut);
        self.replace(hash, depth, new);
        self.bucket_count = self.bucket_count + usize::from(buckets) - usize::from(old.buckets());
        old.free();
    }

    /// Moves every entry of a segment to the one that `target` names for its hash. Returns the cut bit of the segment, which
    /// is the same in all its buckets: a cut walks segments whole.
    fn rehash_into(&self, old: SegmentPtr, mut target: impl FnMut(u64) -> SegmentPtr) -> u8 {
        let mut cut = 0;
        let buckets = usize::from(old.buckets());
        for index in 0..buckets {
            // SAFETY: live, and the caller holds the table exclusively.
            let bucket = unsafe { &*old.bucket(index) };
            bucket.slots.iter().flatten().for_each(|entry| prefetch(entry.as_ptr()));
        }
        for index in 0..buckets {
            // SAFETY: as above.
            let bucket = unsafe { &*old.bucket(index) };
            cut = bucket.meta & CUT;
            for raw in bucket.slots.iter().flatten() {
                // SAFETY: entries in slots are live.
                let hash = self.seed.hash(unsafe { EntryRef::from_raw(*raw) }.key());
                let new = target(hash);
                // SAFETY: the target is a live segment of this table, not yet or exclusively reachable.
                let header = unsafe { new.header().as_mut() };
                header.count += 1;
                put(new, header.depth, hash, *raw);
            }
        }
        cut
    }

    /// Points all directory places of a segment (those with the first `depth` bits of `hash`) to `new`.
    fn replace(&mut self, hash: u64, depth: u32, new: SegmentPtr) {
        let span = 1usize << (self.depth - depth);
        let first = self.directory_index(hash) & !(span - 1);
        self.directory[first..first + span].fill(new);
        self.depths[first..first + span].fill(depth as u8);
    }

    fn split(&mut self, hash: u64) {
        let old = self.segment_of(hash);
        // SAFETY: live.
        let depth = unsafe { old.header().as_ref().depth };
        assert!(depth < DEPTH_MAX, "the hash spreads keys over segments");
        if depth == self.depth {
            self.directory = doubled(&self.directory);
            self.depths = doubled(&self.depths);
            self.depth += 1;
        }
        let bit = 63 - depth;
        // Keys that come in the order of their hashes (loaded from a file, copied along a scan) all fall to one side.
        let mut counts = [0; 2];
        for index in 0..usize::from(old.buckets()) {
            // SAFETY: live, and exclusive by &mut self.
            for raw in unsafe { &*old.bucket(index) }.slots.iter().flatten() {
                // SAFETY: entries in slots are live.
                let hash = self.seed.hash(unsafe { EntryRef::from_raw(*raw) }.key());
                counts[(hash >> bit) as usize & 1] += 1;
            }
        }
        let halves = counts.map(|count| SegmentPtr::allocate(size_for(count), depth + 1));
        let cut = self.rehash_into(old, |hash| halves[(hash >> bit) as usize & 1]);
        halves.into_iter().for_each(|half| mark_cut(half, cut));
        for (half, value) in [(0, 0), (1, 1u64 << bit)] {
            self.replace(hash & !(1 << bit) | value, depth + 1, halves[half]);
        }
        self.segment_count += 1;
        let new_buckets: usize = halves.iter().map(|half| usize::from(half.buckets())).sum();
        self.bucket_count = self.bucket_count + new_buckets - usize::from(old.buckets());
        old.free();
    }

    fn detach(&mut self, hash: u64, key: &[u8]) -> Option<RawEntry> {
        let position = self.find(hash, |entry| entry.key() == key)?;
        let mut raw = *self.slot_at(position);
        let segment = position.segment;
        // SAFETY: the position's segment is live and exclusively held.
        unsafe {
            let bucket = &mut *segment.bucket(position.bucket);
            bucket.slots[position.slot] = None;
            bucket.tags[position.slot] = 0;
            let mut index = self.home_of(segment, hash);
            while index != position.bucket {
                let passed = &mut *segment.bucket(index);
                // A saturated count is never lowered: it only costs a look at the next bucket.
                if passed.meta & OVERFLOW != OVERFLOW {
                    passed.meta -= 1;
                }
                index = (index + 1) % usize::from(segment.buckets());
            }
            segment.header().as_mut().count -= 1;
        }
        self.len -= 1;
        if self.cutting {
            // SAFETY: the live entry was just detached, so nobody else holds it.
            unsafe { EntryMut::from_slot(&mut raw) }.set_taken(false);
        }
        Some(raw)
    }

    /// Removes a key and returns its entry. The segment may shrink or merge with its neighbour.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<OwnedEntry> {
        // SAFETY: a detached entry is live, and nobody else has it any more.
        let entry = unsafe { OwnedEntry::from_raw(self.detach(hash, key)?) };
        self.shrink(hash);
        Some(entry)
    }

    /// Gives a removed entry back to the table under its own key.
    pub fn reinsert(&mut self, entry: OwnedEntry) {
        let hash = self.seed.hash(entry.read().key());
        debug_assert!(self.get(hash, entry.read().key()).is_none());
        self.place(hash, entry.into_raw());
    }

    /// Places an entry of this hash, whose key has none.
    pub fn insert_owned(&mut self, hash: u64, entry: OwnedEntry) {
        debug_assert!(self.get(hash, entry.read().key()).is_none());
        self.place(hash, entry.into_raw());
    }

    /// Lets a sparse segment shrink or merge with its neighbour. Bounded by one segment's entries.
    fn shrink(&mut self, hash: u64) {
        let segment = self.segment_of(hash);
        // SAFETY: live.
        let (count, depth) = unsafe { (segment.header().as_ref().count as usize, segment.header().as_ref().depth) };
        // During a cut nothing shrinks: one of two neighbours may have been walked.
        if !self.resizing || self.cutting || count * 4 > segment.capacity() || segment.buckets() == SIZES[0] {
            return;
        }
        if depth > 0 {
            let bit = 64 - depth;
            let buddy = self.segment_of(hash ^ (1 << bit));
            // SAFETY: live.
            let (other, other_depth) =
                unsafe { (buddy.header().as_ref().count as usize, buddy.header().as_ref().depth) };
            if other_depth == depth && count + other <= segment.capacity().max(buddy.capacity()) / 2 {
                self.merge(hash, segment, buddy, depth);
                return;
            }
            // A child never falls below half of what it was born with, so that the next write does not grow it at once.
            return self.shrink_to_fit(hash, segment, count, 16);
        }
        self.shrink_to_fit(hash, segment, count, 1);
    }

    fn shrink_to_fit(&mut self, hash: u64, segment: SegmentPtr, count: usize, least: u8) {
        let fits = |size: u8| size >= least && usize::from(size) * SLOTS > count * 2;
        if let Some(&size) = SIZES.iter().find(|&&size| fits(size))
            && size < segment.buckets()
        {
            self.resize(hash, size);
        }
    }

    fn merge(&mut self, hash: u64, a: SegmentPtr, b: SegmentPtr, depth: u32) {
        let new = SegmentPtr::allocate(a.buckets().max(b.buckets()), depth - 1);
        let cut = self.rehash_into(a, |_| new);
        let other_cut = self.rehash_into(b, |_| new);
        debug_assert_eq!(cut, other_cut, "no segments merge during a cut, and after it all bits are alike");
        mark_cut(new, cut);
        self.replace(hash, depth - 1, new);
        self.segment_count -= 1;
        self.bucket_count = self.bucket_count + usize::from(new.buckets()) - usize::from(a.buckets() + b.buckets());
        a.free();
        b.free();
        // Halving walks the directory: worth a look only when the table has become small for it.
        if self.directory.len() > 16 && self.len < self.directory.len() * 8 {
            self.halve_directory();
        }
    }

    fn halve_directory(&mut self) {
        while self.depth > 0 && self.directory.chunks_exact(2).all(|pair| pair[0] == pair[1]) {
            self.directory = self.directory.iter().step_by(2).copied().collect();
            self.depths = self.depths.iter().step_by(2).copied().collect();
            self.depth -= 1;
        }
    }

    /// Visits every entry, in hash order.
    pub fn for_each(&self, mut visit: impl FnMut(EntryRef<'_>)) {
        let mut cursor = 0;
        loop {
            cursor = self.scan(cursor, &mut visit);
            if cursor == 0 {
                return;
            }
        }
    }

    /// Visits the entries of one bucket, the one that holds the cursor, and returns the cursor of the next (0 at the
    /// end). An entry that stays in the table through a whole scan is visited, however the table changes in between.
    /// A cursor is the top 48 bits of a hash.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(EntryRef<'_>)) -> u64 {
        let hash = cursor << 16;
        let segment = self.segment_of(hash);
        // SAFETY: live.
        let depth = unsafe { segment.header().as_ref().depth };
        let buckets = usize::from(segment.buckets());
        let home = segment.home(hash, depth);
        let mut index = home;
        for _ in 0..buckets {
            // SAFETY: live.
            let bucket = unsafe { &*segment.bucket(index) };
            for raw in bucket.slots.iter().flatten() {
                // SAFETY: entries in slots are live.
                let entry = unsafe { EntryRef::from_raw(*raw) };
                if segment.home(self.seed.hash(entry.key()), depth) == home {
                    visit(entry);
                }
            }
            if bucket.meta & OVERFLOW == 0 {
                break;
            }
            index = (index + 1) % buckets;
        }
        // The first hash of the next bucket: home + 1 buckets into the segment's interval, rounded up.
        let prefix = if depth == 0 { 0 } else { (hash >> (64 - depth)) << (64 - depth) };
        let into = if home + 1 == buckets {
            1u128 << (64 - depth)
        } else {
            (((home as u128 + 1) << 32).div_ceil(buckets as u128) << 32) >> depth
        };
        let next = u128::from(prefix) + into;
        // Rounded up to the cursor's 48 bits this still lies in the next bucket, which is visited whole: even at the
        // greatest depth a bucket spans more than 2^16 hashes.
        let next = next.div_ceil(1 << 16) as u64;
        if next >> 48 != 0 { 0 } else { next }
    }

    /// An entry, each equally likely.
    pub fn random(&self, rng: &mut Rng) -> Option<EntryRef<'_>> {
        if self.len == 0 {
            return None;
        }
        loop {
            let hash = rng.next_u64();
            let segment = self.segment_of(hash);
            // SAFETY: live.
            let depth = unsafe { segment.header().as_ref().depth };
            // A segment is met in proportion to 2^-depth and one of its slots to 1/buckets: even both out.
            let buckets = u64::from(segment.buckets());
            let chance = (1u64 << 40 >> (self.depth - depth).min(40)) / 63 * buckets;
            if rng.below(1 << 40) >= chance {
                continue;
            }
            let (index, slot) = (rng.below(buckets) as usize, rng.below(SLOTS as u64) as usize);
            // SAFETY: live.
            if let Some(raw) = unsafe { (*segment.bucket(index)).slots[slot] } {
                // SAFETY: entries in slots are live.
                return Some(unsafe { EntryRef::from_raw(raw) });
            }
        }
    }

    /// Visits up to `count` entries that stand together at a random place: for sampling.
    pub fn sample(&self, rng: &mut Rng, count: usize, mut visit: impl FnMut(EntryRef<'_>)) {
        let mut cursor = rng.next_u64() >> 16;
        let mut seen = 0;
        // At most a segment's worth of empty buckets are looked at.
        for _ in 0..64 + count {
            if seen >= count || self.len == 0 {
                return;
            }
            cursor = self.scan(cursor, |entry| {
                if seen < count {
                    visit(entry);
                }
                seen += 1;
            });
        }
    }

    /// Takes all entries out of one segment, the one that holds the cursor, and returns the next cursor (0 at the
    /// end). For emptying a table in slices; the table stays usable.
    pub fn drain_segment(&mut self, cursor: u64, mut take: impl FnMut(OwnedEntry)) -> u64 {
        let hash = cursor << 16;
        let segment = self.segment_of(hash);
        // SAFETY: live.
        let depth = unsafe { segment.header().as_ref().depth };
        for index in 0..usize::from(segment.buckets()) {
            // SAFETY: live and exclusively held.
            let bucket = unsafe { &mut *segment.bucket(index) };
            bucket.tags = [0; SLOTS];
            bucket.meta &= CUT;
            for slot in &mut bucket.slots {
                if let Some(raw) = slot.take() {
                    self.len -= 1;
                    // SAFETY: the slot that held the live entry was just emptied.
                    take(unsafe { OwnedEntry::from_raw(raw) });
                }
            }
        }
        // SAFETY: as above.
        unsafe { segment.header().as_mut().count = 0 };
        let next = (u128::from(hash >> (63 - depth) >> 1) + 1) << (64 - depth);
        if next >> 64 != 0 { 0 } else { (next >> 16) as u64 }
    }

    /// Slots in all segments, and bytes of segments and directory.
    pub fn capacity(&self) -> (usize, usize) {
        let directory = self.directory.capacity() * size_of::<SegmentPtr>() + self.depths.capacity();
        (self.bucket_count * SLOTS, directory + (self.bucket_count + self.segment_count) * size_of::<Bucket>())
    }

    fn segments(&self) -> impl Iterator<Item = SegmentPtr> + '_ {
        let mut index = 0;
        std::iter::from_fn(move || {
            let segment = *self.directory.get(index)?;
            // SAFETY: live.
            index += 1 << (self.depth - unsafe { segment.header().as_ref().depth });
            Some(segment)
        })
    }

    /// Panics unless every entry can be found, counts agree and the directory is whole.
    pub fn check_invariants(&self) {
        assert_eq!(self.directory.len(), 1 << self.depth);
        let buckets = self.segments().map(|segment| usize::from(segment.buckets())).sum();
        assert_eq!((self.segment_count, self.bucket_count), (self.segments().count(), buckets));
        let mut total = 0;
        for segment in self.segments() {
            // SAFETY: live.
            let header = unsafe { segment.header().as_ref() };
            assert!(
                self.directory.iter().zip(&self.depths).all(|(&s, &d)| s != segment || u32::from(d) == header.depth)
            );
            assert!(header.depth <= self.depth && SIZES.contains(&segment.buckets()));
            let mut count = 0;
            let mut passes = vec![0u32; usize::from(segment.buckets())];
            for index in 0..usize::from(segment.buckets()) {
                // SAFETY: live.
                let bucket = unsafe { &*segment.bucket(index) };
                // SAFETY: as above.
                assert_eq!(bucket.meta & CUT, unsafe { (*segment.bucket(0)).meta } & CUT);
                for slot in 0..SLOTS {
                    assert_eq!(bucket.slots[slot].is_some(), bucket.tags[slot] != 0);
                    let Some(raw) = bucket.slots[slot] else { continue };
                    // SAFETY: entries in slots are live.
                    let entry = unsafe { EntryRef::from_raw(raw) };
                    let hash = self.seed.hash(entry.key());
                    assert!(self.segment_of(hash) == segment && bucket.tags[slot] == tag_of(hash));
                    assert!(!entry.is_taken() || (self.cutting && bucket.meta & CUT != self.parity));
                    assert!(self.get(hash, entry.key()).is_some());
                    let mut home = segment.home(hash, header.depth);
                    while home != index {
                        passes[home] += 1;
                        home = (home + 1) % passes.len();
                    }
                    count += 1;
                }
            }
            for (index, &passed) in passes.iter().enumerate() {
                // SAFETY: live.
                let noted = u32::from(unsafe { (*segment.bucket(index)).meta } & OVERFLOW);
                assert!(noted == passed || noted == u32::from(OVERFLOW));
            }
            assert_eq!(count, header.count as usize);
            total += count;
        }
        assert_eq!(total, self.len);
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let mut cursor = 0;
        loop {
            cursor = self.drain_segment(cursor, drop);
            if cursor == 0 {
                break;
            }
        }
        let segments: Vec<_> = self.segments().collect();
        segments.into_iter().for_each(SegmentPtr::free);
    }
}

/// The number of buckets of a new segment that begins with so many entries.
fn size_for(count: usize) -> u8 {
    // An even half of a full segment gets the size before the last: it grows once before it splits.
    let roomy = |size: &u8| usize::from(*size) * SLOTS * 2 >= count * 3;
    SIZES.iter().copied().find(roomy).unwrap_or(SIZES[SIZES.len() - 1])
}

/// Sets or keeps clear the cut bit of every bucket of a new segment.
fn mark_cut(segment: SegmentPtr, cut: u8) {
    for index in 0..usize::from(segment.buckets()) {
        // SAFETY: the segment is new: live, and reachable only by the caller.
        unsafe { (*segment.bucket(index)).meta |= cut };
    }
}

/// Puts an entry into the first free slot from its home on. The segment must have one.
fn put(segment: SegmentPtr, depth: u32, hash: u64, entry: RawEntry) -> Position {
    let buckets = usize::from(segment.buckets());
    let mut index = segment.home(hash, depth);
    loop {
        // SAFETY: the caller holds the live segment exclusively.
        let bucket = unsafe { &mut *segment.bucket(index) };
        let free = match_tags(bucket, 0) & 0x0080_8080_8080_8080;
        if free != 0 {
            let slot = (free.trailing_zeros() / 8) as usize;
            bucket.slots[slot] = Some(entry);
            bucket.tags[slot] = tag_of(hash);
            return Position { segment, bucket: index, slot };
        }
        if bucket.meta & OVERFLOW != OVERFLOW {
            bucket.meta += 1;
        }
        index = if index + 1 == buckets { 0 } else { index + 1 };
    }
}

/// The 40 bits of a hash by which an index outside the table finds an entry again: 32 at the top and the tag.
pub fn prefix_of_hash(hash: u64) -> u64 {
    const _: () = assert!(PREFIX_HASH_BITS == 32 + 8);
    (hash >> 32) << 8 | u64::from(tag_of(hash))
}

fn hash_of_prefix(prefix: u64) -> u64 {
    (prefix >> 8) << 32 | (prefix & 0xff)
}

#[cfg(test)]
mod tests;
