//! A leaf of a `ScoreTree`: up to 64 members in order, in one allocation.
//!
//! ```text
//! | count u16 | slots u16 | end u16 | width u8 | large u8 | scores: slots x width | offsets: slots x u16 | members: end bytes | slack |
//! ```
//! `width` is 4 when all scores of the leaf are whole numbers that fit an i32, and 8 (f64) otherwise. Members lie in order
//! and without gaps, so one ends where the next begins. The top bit of an offset says that the member lies out of line
//! and that the bytes here are the pointer to it (see `large`); `large` counts these.

use std::cmp::Ordering;
use std::ops::Range;

use super::block::{Block, capacity_for};
use super::large::{self, LARGE_POINTER_BYTES, LargeEntry};
use super::segment_view::{self, HEAD, Layout, put_u16, set_count, set_end, set_slots, u16_at};

/// Members of a full leaf.
pub const MEMBERS_MAX: usize = 64;

/// Bytes of the longest member that lies in its leaf.
const INLINE_MAX: usize = 512;
const BYTES_MAX: usize = 4096 - 8;
const IS_LARGE: u16 = 1 << 15;

const _: () = assert!(BYTES_MAX < IS_LARGE as usize && MEMBERS_MAX <= u8::MAX as usize);

/// The packed members; see the file's head.
#[derive(Clone)]
pub struct ScoreLeaf {
    block: Block<Members>,
}

struct Members;

type View<'a> = segment_view::View<'a, Members>;

// SAFETY: members whose offset is marked, and no others, are a pointer.
unsafe impl Layout for Members {
    fn for_each_large(bytes: &[u8], mut visit: impl FnMut(&[u8])) {
        let view = View::of(bytes);
        if view.large() == 0 {
            return;
        }
        for index in (0..view.count()).filter(|&index| view.is_large(index)) {
            visit(view.packed(index));
        }
    }
}

/// The order of a sorted set: by score, then by the bytes of the member. Scores are never NaN.
#[inline]
pub fn compare(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    debug_assert!(!a.0.is_nan() && !b.0.is_nan());
    if a.0 < b.0 {
        Ordering::Less
    } else if a.0 > b.0 {
        Ordering::Greater
    } else {
        a.1.cmp(b.1)
    }
}

impl ScoreLeaf {
    /// A leaf without members.
    pub fn new() -> ScoreLeaf {
        ScoreLeaf::with_room(0, 0, 4)
    }

    fn with_room(count: usize, members_bytes: usize, width: usize) -> ScoreLeaf {
        let slots_min = count.max(1);
        let per_slot = width + 2;
        let capacity = capacity_for(HEAD + per_slot * slots_min + members_bytes);
        // As many slots as members of the present mean length will fill the slack, so that both run out together.
        let mean = if count == 0 { 16 } else { members_bytes.div_ceil(count) };
        let spare = capacity - HEAD - per_slot * slots_min - members_bytes;
        let slots = slots_min + spare.div_ceil(mean + per_slot).min(spare / per_slot);
        let mut leaf = ScoreLeaf { block: Block::zeroed(capacity) };
        let bytes = leaf.block.bytes_mut();
        set_slots(bytes, slots.min(MEMBERS_MAX.max(slots_min)));
        bytes[6] = width as u8;
        leaf
    }

    #[inline]
    fn view(&self) -> View<'_> {
        self.block.view()
    }

    /// Members in the leaf.
    #[inline]
    pub fn count(&self) -> usize {
        self.view().count()
    }

    /// Bytes of its allocations.
    pub fn memory_bytes(&self) -> usize {
        segment_view::memory_bytes(&self.block)
    }

    /// The score and the member at `index`.
    #[inline]
    pub fn entry(&self, index: usize) -> (f64, &[u8]) {
        let view = self.view();
        (view.score(index), view.member(index))
    }

    /// Asks the processor for the head and the scores.
    #[inline]
    pub fn prefetch(&self) {
        self.block.prefetch(HEAD + 6 * MEMBERS_MAX);
    }

    /// Asks the processor for what cloning writes: the reference count.
    #[inline]
    pub fn prefetch_refs(&self) {
        self.block.prefetch(0);
    }

    /// How many members come before the first for which `before` is false.
    #[inline]
    pub fn partition_point(&self, before: impl Fn(f64, &[u8]) -> bool) -> usize {
        let view = self.view();
        let (mut low, mut high) = (0, view.count());
        while low < high {
            let middle = low + (high - low) / 2;
            if before(view.score(middle), view.member(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Where the member is, or where it would be inserted.
    #[inline]
    pub fn search(&self, score: f64, member: &[u8]) -> Result<usize, usize> {
        let view = self.view();
        let (mut low, mut high) = (0, view.count());
        while low < high {
            let middle = low + (high - low) / 2;
            let there = view.score(middle);
            let order = if there < score {
                Ordering::Less
            } else if there > score {
                Ordering::Greater
            } else {
                view.member(middle).cmp(member)
            };
            match order {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Puts the member at `index`, where `search` says it belongs. False, and nothing done, when the leaf is full.
    pub fn insert(&mut self, index: usize, score: f64, member: &[u8]) -> bool {
        let is_large = member.len() > INLINE_MAX;
        let member_bytes = if is_large { LARGE_POINTER_BYTES } else { member.len() };
        let view = self.view();
        let (count, end) = (view.count(), view.end());
        if count == MEMBERS_MAX || (count > 0 && HEAD + 10 * (count + 1) + end + member_bytes > BYTES_MAX) {
            return false;
        }
        let is_wide = view.width() == 4 && !is_narrow(score);
        let is_tight = count == view.slots() || view.members_at() + end + member_bytes > view.bytes.len();
        if is_wide || is_tight {
            let width = if is_narrow(score) { 4 } else { 8 };
            let new = gather(&[(view, 0..count)], 1, member_bytes, width);
            self.become_moved(new);
        }
        let bytes = self.block.bytes_mut();
        let view = View::of(bytes);
        let (width, offsets, members) = (view.width(), view.offsets_at(), view.members_at());
        let at = if index < count { view.offset(index) } else { end };
        bytes.copy_within(members + at..members + end, members + at + member_bytes);
        bytes.copy_within(offsets + 2 * index..offsets + 2 * count, offsets + 2 * (index + 1));
        bytes.copy_within(HEAD + width * index..HEAD + width * count, HEAD + width * (index + 1));
        move_offsets(&mut bytes[offsets + 2 * (index + 1)..offsets + 2 * (count + 1)], member_bytes as u16);
        put_score(&mut bytes[HEAD + width * index..][..width], score);
        put_u16(bytes, offsets + 2 * index, at | if is_large { usize::from(IS_LARGE) } else { 0 });
        set_count(bytes, count + 1);
        set_end(bytes, end + member_bytes);
        if is_large {
            large::put(&mut bytes[members + at..], LargeEntry::new(member, b""));
            bytes[7] += 1;
        } else {
            bytes[members + at..members + at + member_bytes].copy_from_slice(member);
        }
        true
    }

    /// Removes the members at these places.
    pub fn remove(&mut self, range: Range<usize>) {
        let mut released = 0;
        let bytes = self.block.bytes_mut();
        let view = View::of(bytes);
        for index in range.clone().filter(|&index| view.is_large(index)) {
            // SAFETY: a member out of line has its pointer there; its bytes are cut out below.
            unsafe { large::release(view.packed(index)) };
            released += 1;
        }
        let (count, end, width) = (view.count(), view.end(), view.width());
        let (offsets, members) = (view.offsets_at(), view.members_at());
        let place = |index| if index < count { view.offset(index) } else { end };
        let (from, to) = (place(range.start), place(range.end));
        bytes[7] -= released;
        bytes.copy_within(members + to..members + end, members + from);
        bytes.copy_within(offsets + 2 * range.end..offsets + 2 * count, offsets + 2 * range.start);
        bytes.copy_within(HEAD + width * range.end..HEAD + width * count, HEAD + width * range.start);
        let left = count - range.len();
        move_offsets(
            &mut bytes[offsets + 2 * range.start..offsets + 2 * left],
            ((from as u16).wrapping_sub(to as u16)) & !IS_LARGE,
        );
        set_count(bytes, left);
        set_end(bytes, end - (to - from));
        let view = View::of(bytes);
        let needed = HEAD + (width + 2) * left.max(1) + view.end();
        if capacity_for(needed + needed / 2) < bytes.len() {
            let new = gather(&[(view, 0..left)], 0, 0, 4);
            self.become_moved(new);
        }
    }

    /// Where to split a full leaf: about half of the packed bytes lie on each side, and at least one member. Each side
    /// then has room for one more member, since none takes more than an eighth of a leaf.
    pub fn middle(&self) -> usize {
        let view = self.view();
        let half = view.end() / 2;
        let at = (0..view.count()).take_while(|&index| view.offset(index) < half).count();
        if view.end() < BYTES_MAX / 2 { view.count() / 2 } else { at.clamp(1, view.count() - 1) }
    }

    /// Leaves the first `index` members here and returns the others.
    pub fn split_off(&mut self, index: usize) -> ScoreLeaf {
        // Sole ownership first: the members' references move from here to the two new leaves.
        self.block.bytes_mut();
        let view = self.view();
        let low = gather(&[(view, 0..index)], 0, 0, 4);
        let high = gather(&[(view, index..view.count())], 0, 0, 4);
        self.become_moved(low);
        high
    }

    /// Puts the members of `other`, which all come after these, into this leaf.
    pub fn append(&mut self, mut other: ScoreLeaf) {
        self.block.bytes_mut();
        other.block.bytes_mut();
        let (a, b) = (self.view(), other.view());
        let new = gather(&[(a, 0..a.count()), (b, 0..b.count())], 0, 0, 4);
        other.block.bytes_mut()[7] = 0;
        self.become_moved(new);
    }

    /// Is the leaf so empty that it should look for a neighbour to merge with?
    pub fn is_sparse(&self) -> bool {
        let view = self.view();
        view.count() < MEMBERS_MAX / 4 && view.end() < BYTES_MAX / 4
    }

    /// Would both together be a leaf of at most three quarters of what one may hold?
    pub fn fits_with(&self, other: &ScoreLeaf) -> bool {
        let (a, b) = (self.view(), other.view());
        let count = a.count() + b.count();
        count <= MEMBERS_MAX * 3 / 4 && HEAD + 10 * count + a.end() + b.end() <= BYTES_MAX * 3 / 4
    }

    /// Takes the place of `self`, whose references `new` has by now.
    fn become_moved(&mut self, new: ScoreLeaf) {
        self.block.bytes_mut()[7] = 0;
        *self = new;
    }

    /// Panics unless the packed bytes are sound and in order.
    pub fn check_invariants(&self) {
        let view = self.view();
        assert!(view.count() <= view.slots() && matches!(view.width(), 4 | 8));
        assert!(view.members_at() + view.end() <= view.bytes.len());
        let mut end = 0;
        for index in 0..view.count() {
            assert_eq!(view.offset(index), end);
            end += view.packed(index).len();
            if index > 0 {
                assert_eq!(compare(self.entry(index - 1), self.entry(index)), Ordering::Less);
            }
        }
        assert_eq!(end, view.end());
        assert_eq!((0..view.count()).filter(|&index| view.is_large(index)).count(), view.large());
    }
}

impl Default for ScoreLeaf {
    fn default() -> ScoreLeaf {
        ScoreLeaf::new()
    }
}

/// A new leaf of these pieces, with room for so much more; `width` is the least width wanted. The references of
/// the members out of line move to it.
fn gather(pieces: &[(View<'_>, Range<usize>)], more_members: usize, more_bytes: usize, width: usize) -> ScoreLeaf {
    let (mut count, mut size, mut width) = (0, 0, width);
    for (view, range) in pieces {
        count += range.len();
        size += view.span(range).len();
        let is_wide = view.width() == 8 && range.clone().any(|index| !is_narrow(view.score(index)));
        width = if is_wide { 8 } else { width };
    }
    let mut leaf = ScoreLeaf::with_room(count + more_members, size + more_bytes, width);
    let bytes = leaf.block.bytes_mut();
    let to = View::of(bytes);
    let (offsets, members) = (to.offsets_at(), to.members_at());
    let (mut at, mut end, mut large) = (0, 0, 0);
    for (view, range) in pieces {
        let span = view.span(range);
        bytes[members + end..members + end + span.len()].copy_from_slice(&view.bytes[span.clone()]);
        for index in range.clone() {
            put_score(&mut bytes[HEAD + width * at..][..width], view.score(index));
            let is_large = view.is_large(index);
            let offset = view.members_at() + view.offset(index) - span.start + end;
            put_u16(bytes, offsets + 2 * at, offset | if is_large { usize::from(IS_LARGE) } else { 0 });
            large += u8::from(is_large);
            at += 1;
        }
        end += span.len();
    }
    set_count(bytes, count);
    set_end(bytes, end);
    bytes[7] = large;
    leaf
}

/// Adds `by` to the offsets modulo 2^15, leaving their top bits alone.
fn move_offsets(offsets: &mut [u8], by: u16) {
    for offset in offsets.chunks_exact_mut(2) {
        let old = u16::from_le_bytes([offset[0], offset[1]]);
        let new = (old & IS_LARGE) | (old.wrapping_add(by) & !IS_LARGE);
        offset.copy_from_slice(&new.to_le_bytes());
    }
}

/// Is the score a whole number that an i32 holds, sign of zero and all?
#[inline]
pub(super) fn is_narrow(score: f64) -> bool {
    f64::from(score as i32).to_bits() == score.to_bits()
}

/// Writes a score in the width of its place.
pub(super) fn put_score(at: &mut [u8], score: f64) {
    if at.len() == 4 {
        at.copy_from_slice(&(score as i32).to_le_bytes());
    } else {
        at.copy_from_slice(&score.to_le_bytes());
    }
}

/// The score of this width at `at`.
#[inline]
pub(super) fn score_at(bytes: &[u8], at: usize, width: usize) -> f64 {
    if width == 4 {
        let mut four = [0; 4];
        four.copy_from_slice(&bytes[at..at + 4]);
        return f64::from(i32::from_le_bytes(four));
    }
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    f64::from_le_bytes(eight)
}

impl<'a> View<'a> {
    #[inline]
    fn width(self) -> usize {
        usize::from(self.bytes[6])
    }

    #[inline]
    fn large(self) -> usize {
        usize::from(self.bytes[7])
    }

    #[inline]
    fn offsets_at(self) -> usize {
        HEAD + self.width() * self.slots()
    }

    #[inline]
    fn members_at(self) -> usize {
        HEAD + (self.width() + 2) * self.slots()
    }

    #[inline]
    fn score(self, index: usize) -> f64 {
        let width = self.width();
        score_at(self.bytes, HEAD + width * index, width)
    }

    #[inline]
    fn offset(self, index: usize) -> usize {
        u16_at(self.bytes, self.offsets_at() + 2 * index) & !usize::from(IS_LARGE)
    }

    #[inline]
    fn is_large(self, index: usize) -> bool {
        u16_at(self.bytes, self.offsets_at() + 2 * index) & usize::from(IS_LARGE) != 0
    }

    /// Where the packed members of these places lie in the content.
    fn span(self, range: &Range<usize>) -> Range<usize> {
        let place = |index| if index < self.count() { self.offset(index) } else { self.end() };
        self.members_at() + place(range.start)..self.members_at() + place(range.end)
    }

    /// The bytes of the member as they lie here: the member, or the pointer to it.
    #[inline]
    fn packed(self, index: usize) -> &'a [u8] {
        &self.bytes[self.span(&(index..index + 1))]
    }

    #[inline]
    fn member(self, index: usize) -> &'a [u8] {
        if self.is_large(index) {
            // SAFETY: a member out of line has its pointer there.
            return unsafe { large::at(self.packed(index)) }.field();
        }
        self.packed(index)
    }
}
