//! Sorted sets. Small ones are packed inline in the entry: pairs of member and score in order of (score, member). Large ones
//! are a `Zset`. A sorted set never goes back.

use std::cmp::Ordering;
use std::ops::{Bound, Range};

use crate::base::hash::HashSeed;
use crate::storage::listpack::Element;
use crate::storage::packed::{self, Item};
use crate::storage::zset::Zset;
use crate::storage::{ByteRegion, Encoding, EntryMut, EntryRef, NewValue, Object, Type, Value};

use super::{Limits, PACKED_BYTES_MAX};

pub use crate::storage::zset::Change;

const STRIDE: usize = 2;

/// A sorted set, to read.
#[derive(Clone, Copy)]
pub enum ZsetRef<'a> {
    /// A small one.
    Packed(&'a [u8]),
    /// A large one.
    Tree(&'a Zset),
}

/// An end of a range of members in byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before all members.
    Min,
    /// After all members.
    Max,
    /// This member.
    Included(&'a [u8]),
    /// Next to this member.
    Excluded(&'a [u8]),
}

impl<'a> ZsetRef<'a> {
    /// The sorted set that an entry holds; none if it holds another type.
    #[inline]
    pub fn of(entry: EntryRef<'a>) -> Option<ZsetRef<'a>> {
        if entry.type_() != Type::Zset {
            return None;
        }
        Some(match entry.value() {
            Value::Bytes(bytes) => ZsetRef::Packed(bytes),
            Value::Object(Object::Zset(zset)) => ZsetRef::Tree(zset),
            _ => ZsetRef::Packed(&packed::EMPTY),
        })
    }

    /// Number of members.
    pub fn len(self) -> usize {
        match self {
            ZsetRef::Packed(bytes) => packed::count(bytes) / STRIDE,
            ZsetRef::Tree(zset) => zset.len() as usize,
        }
    }

    /// Has it no members?
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The score of a member.
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            ZsetRef::Packed(bytes) => {
                let at = packed::find(bytes, STRIDE, member)?;
                Some(score_at(bytes, packed::next(bytes, at)))
            }
            ZsetRef::Tree(zset) => zset.score(member),
        }
    }

    /// How many members come before this one, and its score.
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            ZsetRef::Packed(bytes) => {
                let at = packed::find(bytes, STRIDE, member)?;
                Some((packed::index_of(bytes, at) / STRIDE, score_at(bytes, packed::next(bytes, at))))
            }
            ZsetRef::Tree(zset) => zset.rank(member).map(|(rank, score)| (rank as usize, score)),
        }
    }

    /// The ranks of the members whose scores lie between the bounds.
    pub fn score_range(self, min: Bound<f64>, max: Bound<f64>) -> Range<usize> {
        match self {
            ZsetRef::Packed(_) => {
                let below = |score: f64| match min {
                    Bound::Unbounded => false,
                    Bound::Included(min) => score < min,
                    Bound::Excluded(min) => score <= min,
                };
                let within = |score: f64| match max {
                    Bound::Unbounded => true,
                    Bound::Included(max) => score <= max,
                    Bound::Excluded(max) => score < max,
                };
                self.packed_range(|_, score| below(score), |_, score| within(score))
            }
            ZsetRef::Tree(zset) => to_usize(zset.tree().score_range(min, max)),
        }
    }

    /// The ranks of the members between the bounds in byte order; means something only while all scores are equal.
    pub fn lex_range(self, min: LexBound<'_>, max: LexBound<'_>) -> Range<usize> {
        let below = |member: &[u8]| match min {
            LexBound::Min => false,
            LexBound::Max => true,
            LexBound::Included(min) => member < min,
            LexBound::Excluded(min) => member <= min,
        };
        let within = |member: &[u8]| match max {
            LexBound::Min => false,
            LexBound::Max => true,
            LexBound::Included(max) => member <= max,
            LexBound::Excluded(max) => member < max,
        };
        match self {
            ZsetRef::Packed(_) => self.packed_range(|member, _| below(member), |member, _| within(member)),
            ZsetRef::Tree(zset) => {
                let start = zset.tree().partition_point(|_, member| below(member));
                let end = zset.tree().partition_point(|_, member| within(member));
                to_usize(start..end.max(start))
            }
        }
    }

    /// The ranks from the first member that is not `below` to the first after that that is not `within`.
    fn packed_range(self, below: impl Fn(&[u8], f64) -> bool, within: impl Fn(&[u8], f64) -> bool) -> Range<usize> {
        let (mut start, mut end) = (0, 0);
        let mut digits = itoa::Buffer::new();
        for (member, score) in self.range(0..self.len(), Direction::Forward) {
            let text = member.as_bytes(&mut digits);
            if below(text, score) {
                start += 1;
            } else if !within(text, score) {
                break;
            }
            end += 1;
        }
        start..end.max(start)
    }

    /// The members of these ranks with their scores.
    pub fn range(self, ranks: Range<usize>, direction: Direction) -> Box<dyn Iterator<Item = (Element<'a>, f64)> + 'a> {
        match self {
            ZsetRef::Packed(bytes) => {
                let at = packed::skip(bytes, packed::start(bytes), ranks.start * STRIDE);
                let forward = PackedMembers { bytes, at }.take(ranks.len());
                match direction {
                    Direction::Forward => Box::new(forward),
                    Direction::Backward => Box::new(forward.collect::<Vec<_>>().into_iter().rev()),
                }
            }
            ZsetRef::Tree(zset) => {
                let members = zset.tree().range(ranks.start as u64..ranks.end as u64);
                let members = members.map(|(score, member)| (Element::Str(member), score));
                match direction {
                    Direction::Forward => Box::new(members),
                    Direction::Backward => Box::new(members.rev()),
                }
            }
        }
    }

    /// All members in order with their scores.
    pub fn iter(self) -> Box<dyn Iterator<Item = (Element<'a>, f64)> + 'a> {
        self.range(0..self.len(), Direction::Forward)
    }

    /// The member that `rank` others come before, and its score.
    pub fn nth(self, rank: usize) -> Option<(Element<'a>, f64)> {
        match self {
            ZsetRef::Packed(_) => self.range(rank..rank + 1, Direction::Forward).next(),
            ZsetRef::Tree(zset) => zset.tree().select(rank as u64).map(|(score, member)| (Element::Str(member), score)),
        }
    }
}

/// In which order members are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the least score on.
    Forward,
    /// From the greatest score on.
    Backward,
}

struct PackedMembers<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for PackedMembers<'a> {
    type Item = (Element<'a>, f64);

    fn next(&mut self) -> Option<(Element<'a>, f64)> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let member = element_at(self.bytes, self.at);
        let score_item = packed::next(self.bytes, self.at);
        self.at = packed::next(self.bytes, score_item);
        Some((member, score_at(self.bytes, score_item)))
    }
}

/// What OBJECT ENCODING calls a sorted set.
pub fn encoding_name(entry: EntryRef<'_>) -> &'static str {
    if entry.encoding() == Encoding::Packed { "listpack" } else { "skiplist" }
}

/// A value without members for a key that is to get `count` members.
pub fn new_value(count: usize, limits: Limits, seed: HashSeed) -> NewValue<'static> {
    if count <= limits.entries {
        return NewValue::Bytes(Encoding::Packed, &packed::EMPTY);
    }
    NewValue::Object(Encoding::Tree, Box::new(Object::Zset(Box::new(Zset::new(seed)))))
}

/// Makes the sorted set large ahead of `count` members being added, if so many could not be small.
pub fn reserve(entry: &mut EntryMut<'_>, count: usize, limits: Limits, seed: HashSeed) {
    if count > limits.entries && entry.encoding() == Encoding::Packed {
        make_tree(entry, seed);
    }
}

/// Gives a member this score, which must not be NaN.
#[inline]
pub fn insert(entry: &mut EntryMut<'_>, member: &[u8], score: f64, limits: Limits, seed: HashSeed) -> Change {
    if entry.encoding() == Encoding::Packed {
        if let Some(change) = insert_packed(&mut entry.region(), member, score, limits) {
            return change;
        }
        make_tree(entry, seed);
    }
    match entry.object_mut() {
        Some(Object::Zset(zset)) => zset.insert(member, score),
        _ => Change::Unchanged,
    }
}

/// Removes a member and returns its score. The caller deletes a sorted set without members.
pub fn remove(entry: &mut EntryMut<'_>, member: &[u8]) -> Option<f64> {
    if let Some(Object::Zset(zset)) = entry.object_mut() {
        return zset.remove(member);
    }
    let mut region = entry.region();
    let at = packed::find(region.bytes(), STRIDE, member)?;
    let score = score_at(region.bytes(), packed::next(region.bytes(), at));
    packed::remove(&mut region, at, STRIDE);
    Some(score)
}

/// Removes the members of these ranks.
pub fn remove_range(entry: &mut EntryMut<'_>, ranks: Range<usize>) {
    if let Some(Object::Zset(zset)) = entry.object_mut() {
        zset.remove_range(ranks.start as u64..ranks.end as u64, |_, _| {});
        return;
    }
    let mut region = entry.region();
    let start = packed::start(region.bytes());
    let at = packed::skip(region.bytes(), start, ranks.start * STRIDE);
    packed::remove(&mut region, at, ranks.len() * STRIDE);
}

/// Shows a value of these members, which must be in order of (score, member) and each there once.
pub fn store_sorted<M: AsRef<[u8]>, R>(
    members: &[(f64, M)],
    limits: Limits,
    seed: HashSeed,
    store: impl FnOnce(NewValue<'_>) -> R,
) -> R {
    let longest = members.iter().map(|(_, member)| member.as_ref().len()).max().unwrap_or(0);
    if members.len() <= limits.entries && longest <= limits.bytes {
        let mut bytes = packed::EMPTY.to_vec();
        for (score, member) in members {
            packed::push_back(&mut bytes, &[Item::from_text(member.as_ref()), Item::from_f64(*score + 0.0)]);
        }
        return store(NewValue::Bytes(Encoding::Packed, &bytes));
    }
    let mut zset = Zset::new(seed);
    for (score, member) in members {
        zset.insert(member.as_ref(), *score);
    }
    store(NewValue::Object(Encoding::Tree, Box::new(Object::Zset(Box::new(zset)))))
}

/// The order of members.
pub fn compare(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal).then_with(|| a.1.cmp(b.1))
}

/// `None`, and nothing done, if the member does not fit.
#[inline]
fn insert_packed<R: ByteRegion>(region: &mut R, member: &[u8], score: f64, limits: Limits) -> Option<Change> {
    let mut change = Change::Added;
    // A packed zero has no sign.
    let score = score + 0.0;
    let bytes = region.bytes();
    if let Some(at) = packed::find(bytes, STRIDE, member) {
        let old = score_at(bytes, packed::next(bytes, at));
        if old == score {
            return Some(Change::Unchanged);
        }
        change = Change::Updated(old);
        packed::remove(region, at, STRIDE);
    } else if packed::count(bytes) / STRIDE >= limits.entries
        || member.len() > limits.bytes
        || bytes.len() + member.len() >= PACKED_BYTES_MAX
    {
        return None;
    }
    let bytes = region.bytes();
    let mut at = packed::start(bytes);
    let mut digits = itoa::Buffer::new();
    while at < bytes.len() {
        let score_item = packed::next(bytes, at);
        let there = score_at(bytes, score_item);
        if there > score || (there == score && element_at(bytes, at).as_bytes(&mut digits) > member) {
            break;
        }
        at = packed::next(bytes, score_item);
    }
    packed::insert_at(region, at, &[Item::from_text(member), Item::from_f64(score)]);
    Some(change)
}

#[cold]
fn make_tree(entry: &mut EntryMut<'_>, seed: HashSeed) {
    let mut zset = Zset::new(seed);
    let mut digits = itoa::Buffer::new();
    for (member, score) in ZsetRef::of(entry.read()).into_iter().flat_map(ZsetRef::iter) {
        zset.insert(member.as_bytes(&mut digits), score);
    }
    entry.set_value(Type::Zset, NewValue::Object(Encoding::Tree, Box::new(Object::Zset(Box::new(zset)))));
}

/// Members are packed by `Item::from_text`, so that they are never floats.
#[inline]
fn element_at(bytes: &[u8], at: usize) -> Element<'_> {
    packed::get(bytes, at).element().unwrap_or(Element::Str(&[]))
}

/// Scores are packed by `Item::from_f64`, so that they are always numbers.
#[inline]
fn score_at(bytes: &[u8], at: usize) -> f64 {
    packed::get(bytes, at).as_f64().unwrap_or(0.0)
}

fn to_usize(ranks: Range<u64>) -> Range<usize> {
    ranks.start as usize..ranks.end as usize
}
