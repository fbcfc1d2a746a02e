//! The listpack: a list of short strings and integers in one run of bytes, byte for byte the format that Redis keeps
//! in memory and in RDB files (<https://github.com/antirez/listpack/blob/master/listpack.md>).
//!
//! ```text
//! [total bytes: u32 LE] [elements: u16 LE, 65535 = unknown] entry* [0xff]
//! entry   = body backlen
//! body    = 0xxxxxxx                         integer 0..127
//!           10llllll bytes                   string of up to 63 bytes
//!           110xxxxx xxxxxxxx                integer of 13 bits, signed, high bits first
//!           1110llll llllllll bytes          string of up to 4095 bytes, high bits first
//!           0xf0 u32-LE bytes                string
//!           0xf1 / 0xf2 / 0xf3 / 0xf4        integer of 16 / 24 / 32 / 64 bits, LE, signed
//! backlen = the body's length in groups of 7 bits, highest group first; all bytes but the first have the top bit
//!           set, so that it can be read backwards
//! ```
//!
//! Readers take `&[u8]`, writers any [`ByteRegion`]. Elements are named by the offset of their entry. All functions
//! but [`validate`] assume a valid listpack; on any other bytes they may panic, but read nothing out of bounds.

mod entry;

use super::decimal::parse_canonical;
use super::malformed::Malformed;
use super::region::ByteRegion;
use entry::{backlen_bytes, checked_body_bytes, decode, entry_before, skip, write_backlen, write_entry};

pub use entry::entry_bytes;

/// Bytes before the first entry.
pub const HEADER: usize = 6;
/// Longer elements never stand in a listpack: `quicklist` gives them nodes of their own.
pub const BYTES_MAX: usize = 1 << 30;
/// The listpack without elements.
pub const EMPTY: [u8; 7] = [7, 0, 0, 0, 0, 0, END];

const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = u16::MAX;

/// One element. Strings that are canonical integers are stored, and come back, as `Int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// A number; its text is its decimal form.
    Int(i64),
    /// Any bytes.
    Str(&'a [u8]),
}

impl<'a> Element<'a> {
    /// The element that stores `text`.
    #[inline]
    pub fn from_text(text: &'a [u8]) -> Element<'a> {
        match parse_canonical(text) {
            Some(value) => Element::Int(value),
            None => Element::Str(text),
        }
    }

    /// The text of the element; `scratch` holds the digits of a number.
    #[inline]
    pub fn as_bytes<'b>(self, scratch: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Element::Int(value) => scratch.format(value).as_bytes(),
            Element::Str(text) => text,
        }
    }

    /// Appends the text of the element to `out`.
    pub fn write_to(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes(&mut itoa::Buffer::new()));
    }
}

/// A text to compare elements with, parsed once.
#[derive(Clone, Copy, Debug)]
pub struct Needle<'a> {
    text: &'a [u8],
    int: Option<i64>,
}

impl<'a> Needle<'a> {
    /// A needle for elements whose text is `text`.
    pub fn new(text: &'a [u8]) -> Needle<'a> {
        Needle { text, int: parse_canonical(text) }
    }

    /// Is `element` this text? A payload from elsewhere may hold an integer as a string, so both forms count.
    #[inline]
    pub fn matches(&self, element: Element<'_>) -> bool {
        match element {
            Element::Int(value) => self.int == Some(value),
            Element::Str(text) => text == self.text,
        }
    }
}

/// The number of elements; O(1) up to 65534, else a walk.
pub fn count(lp: &[u8]) -> usize {
    match header_count(lp) {
        COUNT_UNKNOWN => iter(lp).count(),
        known => usize::from(known),
    }
}

/// The offset behind the last entry, where [`insert_at`] appends.
#[inline]
pub fn end(lp: &[u8]) -> usize {
    lp.len() - 1
}

/// The first element's offset.
pub fn first(lp: &[u8]) -> Option<usize> {
    (lp.len() > EMPTY.len()).then_some(HEADER)
}

/// The last element's offset.
pub fn last(lp: &[u8]) -> Option<usize> {
    prev(lp, end(lp))
}

/// The offset of the element after the one at `at`.
#[inline]
pub fn next(lp: &[u8], at: usize) -> Option<usize> {
    let next = skip(lp, at);
    (next < end(lp)).then_some(next)
}

/// The offset of the element before the one at `at`; `at` may be the [`end`].
pub fn prev(lp: &[u8], at: usize) -> Option<usize> {
    (at > HEADER).then(|| entry_before(lp, at))
}

/// The element at `at`.
#[inline]
pub fn get(lp: &[u8], at: usize) -> Element<'_> {
    decode(lp, at).0
}

/// The element at `at`, and the offset behind it, which may be the [`end`].
#[inline]
pub fn get_and_next(lp: &[u8], at: usize) -> (Element<'_>, usize) {
    decode(lp, at)
}

/// The offset behind the element at `at`, which may be the [`end`].
#[inline]
pub fn behind(lp: &[u8], at: usize) -> usize {
    skip(lp, at)
}

/// The offset of element number `index`, walking from the nearer end.
pub fn seek(lp: &[u8], index: usize) -> Option<usize> {
    let known = header_count(lp);
    if known != COUNT_UNKNOWN {
        let count = usize::from(known);
        if index >= count {
            return None;
        }
        if index > count / 2 {
            return Some((index..count).fold(end(lp), |at, _| entry_before(lp, at)));
        }
    }
    let mut at = HEADER;
    for _ in 0..index {
        if at >= end(lp) {
            return None;
        }
        at = skip(lp, at);
    }
    (at < end(lp)).then_some(at)
}

/// The offset of the first element from `at` on (an element's offset or the [`end`]) that is `needle`, looking at one
/// element and then passing over `skipped`, and so on.
pub fn find(lp: &[u8], mut at: usize, needle: &Needle<'_>, skipped: usize) -> Option<usize> {
    let end = end(lp);
    while at < end {
        let (element, mut next) = decode(lp, at);
        if needle.matches(element) {
            return Some(at);
        }
        for _ in 0..skipped {
            if next >= end {
                return None;
            }
            next = skip(lp, next);
        }
        at = next;
    }
    None
}

/// All elements, from either end.
pub fn iter(lp: &[u8]) -> Iter<'_> {
    iter_between(lp, HEADER, end(lp))
}

/// The elements from offset `from` up to, without, offset `to` (which may be the [`end`]), from either end.
pub fn iter_between(lp: &[u8], from: usize, to: usize) -> Iter<'_> {
    debug_assert!(from <= to && to <= end(lp));
    Iter { lp, front: from, back: to }
}

/// See [`iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    lp: &'a [u8],
    front: usize,
    back: usize,
}

impl Iter<'_> {
    /// The offset of the element that `next` will return, or where the iteration ends.
    pub fn offset(&self) -> usize {
        self.front
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.front >= self.back {
            return None;
        }
        let (element, next) = decode(self.lp, self.front);
        self.front = next;
        Some(element)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        self.back = entry_before(self.lp, self.back);
        Some(decode(self.lp, self.back).0)
    }
}

/// Makes `region`, whatever it holds, the empty listpack.
pub fn clear<R: ByteRegion>(region: &mut R) {
    let len = region.bytes().len();
    region.splice(0, len, EMPTY.len());
    region.bytes_mut().copy_from_slice(&EMPTY);
}

/// Inserts `element` before the entry at `at`, which may be the [`end`].
#[inline]
pub fn insert_at<R: ByteRegion>(region: &mut R, at: usize, element: Element<'_>) {
    let bytes = entry_bytes(element);
    let len = region.bytes().len();
    // An append grows the region at its very end and writes the end mark anew, rather than moving it.
    let gap = if at + 1 == len { len } else { at };
    region.splice(gap, 0, bytes);
    let lp = region.bytes_mut();
    let total = lp.len();
    lp[total - 1] = END;
    write_entry(&mut lp[at..at + bytes], element);
    write_total(lp, total);
    let count = header_count(lp);
    if count != COUNT_UNKNOWN {
        write_count(lp, usize::from(count) + 1);
    }
}

/// Appends `element`.
#[inline]
pub fn push_back<R: ByteRegion>(region: &mut R, element: Element<'_>) {
    let end = end(region.bytes());
    insert_at(region, end, element);
}

/// Appends several elements in one step.
pub fn push_back_all<'e, R: ByteRegion>(region: &mut R, elements: impl Iterator<Item = Element<'e>> + Clone) {
    let bytes: usize = elements.clone().map(entry_bytes).sum();
    let len = region.bytes().len();
    region.splice(len, 0, bytes);
    let lp = region.bytes_mut();
    let (mut at, mut added) = (len - 1, 0);
    for element in elements {
        let end = at + entry_bytes(element);
        write_entry(&mut lp[at..end], element);
        (at, added) = (end, added + 1);
    }
    lp[at] = END;
    let total = lp.len();
    write_total(lp, total);
    let count = header_count(lp);
    if count != COUNT_UNKNOWN {
        write_count(lp, usize::from(count) + added);
    }
}

/// Inserts `element` before all others.
#[inline]
pub fn push_front<R: ByteRegion>(region: &mut R, element: Element<'_>) {
    insert_at(region, HEADER, element);
}

/// Overwrites the element at `at` by `element`.
pub fn replace<R: ByteRegion>(region: &mut R, at: usize, element: Element<'_>) {
    let old = skip(region.bytes(), at) - at;
    let new = entry_bytes(element);
    if new != old {
        region.splice(at, old, new);
    }
    let lp = region.bytes_mut();
    write_entry(&mut lp[at..at + new], element);
    let total = lp.len();
    write_total(lp, total);
}

/// Removes up to `n` elements from offset `at` (an element's or the [`end`]) on; returns how many there were. What
/// follows them is then at `at`.
pub fn remove<R: ByteRegion>(region: &mut R, at: usize, n: usize) -> usize {
    let lp = region.bytes();
    let (mut to, mut removed) = (at, 0);
    while removed < n && to < end(lp) {
        to = skip(lp, to);
        removed += 1;
    }
    remove_between(region, at, to, removed);
    removed
}

/// Removes up to `n` elements that are `needle`, counted from the front or from the back; returns how many. One pass, however many match.
pub fn remove_matches<R: ByteRegion>(region: &mut R, needle: &Needle<'_>, n: usize, order: Order) -> usize {
    let lp = region.bytes();
    let mut gaps: Vec<(usize, usize)> = Vec::new();
    let mut elements = iter(lp);
    while gaps.len() < n {
        let (from, element, to) = match order {
            Order::Forward => {
                let from = elements.front;
                let Some(element) = elements.next() else {
                    break;
                };
                (from, element, elements.front)
            }
            Order::Backward => {
                let to = elements.back;
                let Some(element) = elements.next_back() else {
                    break;
                };
                (elements.back, element, to)
            }
        };
        if needle.matches(element) {
            gaps.push((from, to));
        }
    }
    if order == Order::Backward {
        gaps.reverse();
    }
    let Some(&(mut write, _)) = gaps.first() else {
        return 0;
    };
    let end = end(lp);
    let lp = region.bytes_mut();
    for (i, &(_, from)) in gaps.iter().enumerate() {
        let to = gaps.get(i + 1).map_or(end, |gap| gap.0);
        lp.copy_within(from..to, write);
        write += to - from;
    }
    remove_between(region, write, end, gaps.len());
    gaps.len()
}

/// Which end a walk begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the first element to the last.
    Forward,
    /// From the last element to the first.
    Backward,
}

/// Appends all elements of the listpack `other`.
pub fn append<R: ByteRegion>(region: &mut R, other: &[u8]) {
    let (count, more) = (header_count(region.bytes()), header_count(other));
    let entries = &other[HEADER..end(other)];
    let at = end(region.bytes());
    region.splice(at, 0, entries.len());
    let lp = region.bytes_mut();
    lp[at..at + entries.len()].copy_from_slice(entries);
    let total = lp.len();
    write_total(lp, total);
    let known = count != COUNT_UNKNOWN && more != COUNT_UNKNOWN;
    write_count(lp, if known { usize::from(count) + usize::from(more) } else { usize::MAX });
}

/// The elements from offset `from` up to offset `to`, `elements` in number, as a listpack of their own.
pub fn copy_between(lp: &[u8], from: usize, to: usize, elements: usize) -> Vec<u8> {
    let mut copy = Vec::with_capacity(to - from + EMPTY.len());
    copy.extend_from_slice(&EMPTY[..HEADER]);
    copy.extend_from_slice(&lp[from..to]);
    copy.push(END);
    let total = copy.len();
    write_total(&mut copy, total);
    write_count(&mut copy, elements);
    copy
}

/// Checks every byte of a listpack that comes from outside, and returns the number of its elements.
///
/// # Errors
/// Says where the first offence is: sizes that disagree, an entry beyond the end, a backlen that does not match.
pub fn validate(bytes: &[u8]) -> Result<usize, Malformed> {
    let fail = |offset, what| Err(Malformed { offset, what });
    if bytes.len() < EMPTY.len() {
        return fail(0, "listpack too short");
    }
    if u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize != bytes.len() {
        return fail(0, "listpack size differs from its bytes");
    }
    let end = bytes.len() - 1;
    if bytes[end] != END {
        return fail(end, "listpack without end mark");
    }
    let (mut at, mut elements) = (HEADER, 0);
    while at < end {
        let rest = &bytes[at..end];
        let Some(body) = checked_body_bytes(rest) else {
            return fail(at, "listpack entry of unknown kind or beyond the end");
        };
        let backlen = backlen_bytes(body);
        if body + backlen > rest.len() {
            return fail(at, "listpack entry beyond the end");
        }
        let mut expected = [0; 5];
        write_backlen(&mut expected[..backlen], body);
        if rest[body..body + backlen] != expected[..backlen] {
            return fail(at + body, "listpack backlen differs from its entry");
        }
        at += body + backlen;
        elements += 1;
    }
    let counted = header_count(bytes);
    if counted != COUNT_UNKNOWN && usize::from(counted) != elements {
        return fail(4, "listpack count differs from its entries");
    }
    Ok(elements)
}

/// Asserts that `lp` is a valid listpack; for tests.
pub fn check_invariants(lp: &[u8]) {
    let elements = validate(lp).expect("a valid listpack");
    assert_eq!(elements, count(lp));
}

/// Removes the bytes `from..to`, which hold `elements` elements.
pub(super) fn remove_between<R: ByteRegion>(region: &mut R, from: usize, to: usize, elements: usize) {
    region.splice(from, to - from, 0);
    let lp = region.bytes_mut();
    let total = lp.len();
    write_total(lp, total);
    let count = header_count(lp);
    if count != COUNT_UNKNOWN {
        write_count(lp, usize::from(count) - elements);
    }
}

fn header_count(lp: &[u8]) -> u16 {
    u16::from_le_bytes([lp[4], lp[5]])
}

#[inline]
fn write_count(lp: &mut [u8], count: usize) {
    let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
    lp[4..6].copy_from_slice(&count.to_le_bytes());
}

#[inline]
fn write_total(lp: &mut [u8], total: usize) {
    assert!(total <= u32::MAX as usize, "listpack beyond 4 GiB");
    lp[..4].copy_from_slice(&(total as u32).to_le_bytes());
}

#[cfg(test)]
pub(super) mod tests;
