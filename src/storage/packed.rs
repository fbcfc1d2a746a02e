//! The packed sequence: our own form of small hashes, sets and sorted sets, usually inline in the key's entry. It
//! never leaves the process, so it spends nothing on walking backwards or on its own length:
//!
//! ```text
//! [number of items: 7 bits a byte, low bits first, top bit = more] item*
//! item  = 0..=189 bytes                string of that length
//!         190 u16-LE bytes             string of 190..=65535 bytes
//!         191 u32-LE bytes             longer string
//!         192 f64-LE                   number that no integer item can hold exactly
//!         193..=200 bytes              integer of 1..=8 bytes, LE, signed
//!         201..=255                    the integer code - 202, from -1 to 53
//! ```
//!
//! Every value has exactly one encoding, so that looking for it is comparing bytes. Items stand in groups of a
//! `stride`: 1 for the members of a set, 2 for field and value or member and score, 3 for field, value and expiry in
//! milliseconds (0 for none). Items are named by their offset; readers take `&[u8]`, writers any [`ByteRegion`].

use super::decimal::parse_canonical;
use super::listpack::Element;
use super::region::ByteRegion;

/// The sequence without items.
pub const EMPTY: [u8; 1] = [0];

const SHORT_MAX: usize = 189;
const STR_16: u8 = 190;
const STR_32: u8 = 191;
const FLOAT: u8 = 192;
const INT_BASE: u8 = 192;
const SMALL_ZERO: u8 = 202;
const SMALL_MIN: i64 = -1;
const SMALL_MAX: i64 = (u8::MAX - SMALL_ZERO) as i64;

/// Bytes of a number by its first byte, from [`FLOAT`] on.
const NUMBER_BYTES: [u8; 64] = {
    let mut table = [1; 64];
    table[0] = 9;
    let mut bytes = 1;
    while bytes <= 8 {
        table[bytes] = 1 + bytes as u8;
        bytes += 1;
    }
    table
};

const _: () = assert!(FLOAT as usize + NUMBER_BYTES.len() == 256);
const _: () = assert!(SMALL_ZERO as i64 + SMALL_MIN == INT_BASE as i64 + 9);

/// One item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    /// A number; as text, its decimal form.
    Int(i64),
    /// A number that is not an integer of 64 bits, or is -0.0.
    Float(f64),
    /// Any bytes but a canonical integer.
    Str(&'a [u8]),
}

impl<'a> Item<'a> {
    /// The item that stores `text`.
    #[inline]
    pub fn from_text(text: &'a [u8]) -> Item<'a> {
        match parse_canonical(text) {
            Some(value) => Item::Int(value),
            None => Item::Str(text),
        }
    }

    /// The item that stores `number`, exactly.
    #[inline]
    pub fn from_f64(number: f64) -> Item<'static> {
        // The cast saturates and drops fractions: equal bits after the way back mean that nothing was lost. 2^63
        // itself would saturate to 2^63 - 1 and round up again, so the range is open above.
        let int = number as i64;
        if (int as f64).to_bits() == number.to_bits() && int != i64::MAX { Item::Int(int) } else { Item::Float(number) }
    }

    /// The number, if this is one.
    #[inline]
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Item::Int(value) => Some(value as f64),
            Item::Float(value) => Some(value),
            Item::Str(_) => None,
        }
    }

    /// The item as an element of text; none for a float, whose text is not ours to choose.
    #[inline]
    pub fn element(self) -> Option<Element<'a>> {
        match self {
            Item::Int(value) => Some(Element::Int(value)),
            Item::Str(text) => Some(Element::Str(text)),
            Item::Float(_) => None,
        }
    }
}

impl<'a> From<Element<'a>> for Item<'a> {
    fn from(element: Element<'a>) -> Item<'a> {
        match element {
            Element::Int(value) => Item::Int(value),
            // A listpack from elsewhere may hold an integer as a string.
            Element::Str(text) => Item::from_text(text),
        }
    }
}

/// The number of items: groups times stride.
#[inline]
pub fn count(packed: &[u8]) -> usize {
    let first = packed[0];
    if first < 0x80 {
        return usize::from(first);
    }
    let mut count = 0;
    for (i, &byte) in packed[..start(packed)].iter().enumerate() {
        count |= usize::from(byte & 0x7f) << (7 * i);
    }
    count
}

/// The offset of the first item, or of the end.
#[inline]
pub fn start(packed: &[u8]) -> usize {
    let mut at = 0;
    while packed[at] & 0x80 != 0 {
        at += 1;
    }
    at + 1
}

/// The offset behind the item at `at`; the length of `packed` if that was the last.
#[inline]
pub fn next(packed: &[u8], at: usize) -> usize {
    match packed[at] {
        // Most items are short strings: a predicted branch to this line takes the table out of the chain of loads.
        len @ 0..STR_16 => at + 1 + usize::from(len),
        code @ FLOAT.. => at + usize::from(NUMBER_BYTES[usize::from(code - FLOAT)]),
        _ => at + wide_item_bytes(packed, at),
    }
}

/// The offset `items` items after `at`, or the end if there are fewer.
#[inline]
pub fn skip(packed: &[u8], mut at: usize, items: usize) -> usize {
    for _ in 0..items {
        if at >= packed.len() {
            break;
        }
        at = next(packed, at);
    }
    at
}

/// The offset of item number `index`.
pub fn seek(packed: &[u8], index: usize) -> Option<usize> {
    let at = skip(packed, start(packed), index);
    (at < packed.len()).then_some(at)
}

/// The number of items before offset `at`.
pub fn index_of(packed: &[u8], at: usize) -> usize {
    let (mut here, mut index) = (start(packed), 0);
    while here < at {
        here = next(packed, here);
        index += 1;
    }
    index
}

/// The item at `at`.
#[inline]
pub fn get(packed: &[u8], at: usize) -> Item<'_> {
    let code = packed[at];
    match code {
        0..STR_16 => Item::Str(&packed[at + 1..at + 1 + usize::from(code)]),
        STR_16 => Item::Str(&packed[at + 3..at + wide_item_bytes(packed, at)]),
        STR_32 => Item::Str(&packed[at + 5..at + wide_item_bytes(packed, at)]),
        FLOAT => Item::Float(f64::from_bits(little_endian(&packed[at + 1..at + 9]))),
        193..=200 => {
            let bytes = usize::from(code - INT_BASE);
            let unused = 64 - 8 * bytes as u32;
            let raw = little_endian(&packed[at + 1..at + 1 + bytes]);
            Item::Int((raw << unused) as i64 >> unused)
        }
        _ => Item::Int(i64::from(code) - i64::from(SMALL_ZERO)),
    }
}

/// The offset of the group of `stride` items whose first item is the text `needle`.
pub fn find(packed: &[u8], stride: usize, needle: &[u8]) -> Option<usize> {
    find_from(packed, start(packed), stride, needle)
}

/// As [`find`], from the group at offset `at` on.
#[inline]
pub fn find_from(packed: &[u8], at: usize, stride: usize, needle: &[u8]) -> Option<usize> {
    let item = Item::from_text(needle);
    match item {
        Item::Str(text) if text.len() <= SHORT_MAX => find_short(packed, at, stride, text),
        _ => {
            let mut encoded = [0; 9];
            let head = write_head(&mut encoded, item);
            let text = if let Item::Str(text) = item { text } else { &[] };
            find_encoded(packed, at, stride, &encoded[..head], text)
        }
    }
}

/// All items in order.
pub fn iter(packed: &[u8]) -> Iter<'_> {
    iter_from(packed, start(packed))
}

/// The items from offset `at` (an item's or the end) on.
pub fn iter_from(packed: &[u8], at: usize) -> Iter<'_> {
    Iter { packed, at }
}

/// See [`iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    packed: &'a [u8],
    at: usize,
}

impl Iter<'_> {
    /// The offset of the item that `next` will return, or of the end.
    pub fn offset(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.at >= self.packed.len() {
            return None;
        }
        let item = get(self.packed, self.at);
        self.at = next(self.packed, self.at);
        Some(item)
    }
}

/// The bytes that `item` takes.
#[inline]
pub fn item_bytes(item: Item<'_>) -> usize {
    match item {
        Item::Int(SMALL_MIN..=SMALL_MAX) => 1,
        Item::Int(value) => 1 + int_bytes(value),
        Item::Float(_) => 9,
        Item::Str(text) => match text.len() {
            len @ 0..=SHORT_MAX => 1 + len,
            len @ 190..=0xffff => 3 + len,
            len => 5 + len,
        },
    }
}

/// Makes `region`, whatever it holds, the empty sequence.
pub fn clear<R: ByteRegion>(region: &mut R) {
    let len = region.bytes().len();
    region.splice(0, len, EMPTY.len());
    region.bytes_mut().copy_from_slice(&EMPTY);
}

/// Inserts `items` before the item at `at`, which may be the end. Returns the offset of the first of them: `at`,
/// unless the count has outgrown its bytes.
pub fn insert_at<R: ByteRegion>(region: &mut R, at: usize, items: &[Item<'_>]) -> usize {
    let bytes: usize = items.iter().map(|&item| item_bytes(item)).sum();
    region.splice(at, 0, bytes);
    let mut out = &mut region.bytes_mut()[at..at + bytes];
    for &item in items {
        let (here, rest) = out.split_at_mut(item_bytes(item));
        write_item(here, item);
        out = rest;
    }
    let count = count(region.bytes()) + items.len();
    at.wrapping_add_signed(write_count(region, count))
}

/// Appends `items`. Returns the offset of the first of them.
pub fn push_back<R: ByteRegion>(region: &mut R, items: &[Item<'_>]) -> usize {
    let end = region.bytes().len();
    insert_at(region, end, items)
}

/// Overwrites the item at `at` by `item`.
pub fn replace<R: ByteRegion>(region: &mut R, at: usize, item: Item<'_>) {
    let old = next(region.bytes(), at) - at;
    let new = item_bytes(item);
    if new != old {
        region.splice(at, old, new);
    }
    write_item(&mut region.bytes_mut()[at..at + new], item);
}

/// Removes up to `n` items from offset `at` (an item's or the end) on. Returns the offset of what followed them: `at`,
/// unless the count takes fewer bytes than before.
pub fn remove<R: ByteRegion>(region: &mut R, at: usize, n: usize) -> usize {
    let packed = region.bytes();
    let (mut to, mut removed) = (at, 0);
    while removed < n && to < packed.len() {
        to = next(packed, to);
        removed += 1;
    }
    let count = count(packed) - removed;
    region.splice(at, to - at, 0);
    at.wrapping_add_signed(write_count(region, count))
}

/// Asserts that `packed` is a valid sequence of whole groups of `stride`; for tests.
pub fn check_invariants(packed: &[u8], stride: usize) {
    let (mut at, mut items) = (start(packed), 0);
    while at < packed.len() {
        let item = get(packed, at);
        let mut again = vec![0; item_bytes(item)];
        write_item(&mut again, item);
        assert_eq!(again, packed[at..next(packed, at)], "one value, one encoding");
        at = next(packed, at);
        items += 1;
    }
    assert_eq!(at, packed.len());
    assert_eq!(items, count(packed));
    assert_eq!(items % stride, 0);
}

/// Looks for a string of at most [`SHORT_MAX`] bytes: its first byte is its length. The last byte is compared before
/// the rest, since names in one key tend to be equally long and to differ at the end.
#[inline]
fn find_short(packed: &[u8], mut at: usize, stride: usize, text: &[u8]) -> Option<usize> {
    let code = text.len() as u8;
    // The empty string is its own code, which is then its last byte as well.
    let last = text.last().copied().unwrap_or(code);
    while at < packed.len() {
        if packed[at] == code && packed[at + text.len()] == last && packed[at + 1..at + 1 + text.len()] == *text {
            return Some(at);
        }
        for _ in 0..stride {
            at = next(packed, at);
        }
    }
    None
}

fn find_encoded(packed: &[u8], mut at: usize, stride: usize, head: &[u8], text: &[u8]) -> Option<usize> {
    while at < packed.len() {
        let rest = &packed[at..];
        if rest.starts_with(head) && rest[head.len()..].starts_with(text) {
            return Some(at);
        }
        for _ in 0..stride {
            at = next(packed, at);
        }
    }
    None
}

/// The bytes of the long string at `at`.
#[cold]
fn wide_item_bytes(packed: &[u8], at: usize) -> usize {
    match packed[at] {
        STR_16 => 3 + little_endian(&packed[at + 1..at + 3]) as usize,
        _ => 5 + little_endian(&packed[at + 1..at + 5]) as usize,
    }
}

#[inline]
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| (value << 8) | u64::from(byte))
}

/// The fewest bytes that hold `value`, signed.
#[inline]
fn int_bytes(value: i64) -> usize {
    let magnitude = if value < 0 { !value } else { value };
    (64 - magnitude.leading_zeros() as usize) / 8 + 1
}

/// Writes all of `item` but the bytes of a string into `out`; returns how many bytes those are.
#[inline]
fn write_head(out: &mut [u8], item: Item<'_>) -> usize {
    match item {
        Item::Int(value @ SMALL_MIN..=SMALL_MAX) => {
            out[0] = (i64::from(SMALL_ZERO) + value) as u8;
            1
        }
        Item::Int(value) => {
            let bytes = int_bytes(value);
            out[0] = INT_BASE + bytes as u8;
            out[1..1 + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
            1 + bytes
        }
        Item::Float(value) => {
            out[0] = FLOAT;
            out[1..9].copy_from_slice(&value.to_le_bytes());
            9
        }
        Item::Str(text) => match text.len() {
            len @ 0..=SHORT_MAX => {
                out[0] = len as u8;
                1
            }
            len @ 190..=0xffff => {
                out[0] = STR_16;
                out[1..3].copy_from_slice(&(len as u16).to_le_bytes());
                3
            }
            len => {
                let len = u32::try_from(len).expect("callers pack no string beyond 4 GiB");
                out[0] = STR_32;
                out[1..5].copy_from_slice(&len.to_le_bytes());
                5
            }
        },
    }
}

/// Writes `item` into `out`, which has its exact size.
#[inline]
fn write_item(out: &mut [u8], item: Item<'_>) {
    let head = write_head(out, item);
    if let Item::Str(text) = item {
        out[head..].copy_from_slice(text);
    }
}

/// Writes the number of items; returns by how much the items moved.
#[inline]
fn write_count<R: ByteRegion>(region: &mut R, count: usize) -> isize {
    let old = start(region.bytes());
    if old == 1 && count < 0x80 {
        region.bytes_mut()[0] = count as u8;
        return 0;
    }
    let new = (usize::BITS as usize - count.leading_zeros() as usize).div_ceil(7).max(1);
    if new != old {
        region.splice(0, old, new);
    }
    for (i, byte) in region.bytes_mut()[..new].iter_mut().enumerate() {
        let more = if i + 1 < new { 0x80 } else { 0 };
        *byte = ((count >> (7 * i)) & 0x7f) as u8 | more;
    }
    new as isize - old as isize
}

#[cfg(test)]
mod tests;
