//! The intset: a small set of integers, sorted, all of one width, in the bytes that Redis keeps in memory and in
//! RDB files.
//!
//! ```text
//! [width: u32 LE, 2 4 or 8] [members: u32 LE] member* (each `width` bytes, LE, signed, strictly ascending)
//! ```
//!
//! The width grows to that of the widest member ever added and does not shrink again. Readers take `&[u8]`, writers
//! any [`ByteRegion`]. All functions but [`validate`] assume valid bytes.

use super::malformed::Malformed;
use super::region::ByteRegion;
use crate::base::rng::Rng;

/// The set without members.
pub const EMPTY: [u8; HEADER] = [2, 0, 0, 0, 0, 0, 0, 0];

const HEADER: usize = 8;

/// The number of members.
#[inline]
pub fn len(set: &[u8]) -> usize {
    (set.len() - HEADER) / width(set)
}

/// Member number `index` in ascending order.
pub fn get(set: &[u8], index: usize) -> Option<i64> {
    (index < len(set)).then(|| member(set, width(set), index))
}

/// The smallest member.
pub fn min(set: &[u8]) -> Option<i64> {
    get(set, 0)
}

/// The largest member.
pub fn max(set: &[u8]) -> Option<i64> {
    get(set, len(set).wrapping_sub(1))
}

/// A member, each equally likely.
pub fn random(set: &[u8], rng: &mut Rng) -> Option<i64> {
    match len(set) {
        0 => None,
        n => get(set, rng.below(n as u64) as usize),
    }
}

/// The index of `value`, or the index at which it would be inserted.
///
/// # Errors
/// The place where `value` belongs, if it is not a member.
pub fn find(set: &[u8], value: i64) -> Result<usize, usize> {
    let width = width(set);
    let (mut low, mut high) = (0, len(set));
    while low < high {
        let middle = low + (high - low) / 2;
        match member(set, width, middle).cmp(&value) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Equal => return Ok(middle),
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Err(low)
}

/// Is `value` a member?
pub fn contains(set: &[u8], value: i64) -> bool {
    find(set, value).is_ok()
}

/// All members, ascending.
pub fn iter(set: &[u8]) -> impl ExactSizeIterator<Item = i64> + DoubleEndedIterator + '_ {
    let width = width(set);
    (0..len(set)).map(move |index| member(set, width, index))
}

/// Makes `region`, whatever it holds, the empty set.
pub fn clear<R: ByteRegion>(region: &mut R) {
    let len = region.bytes().len();
    region.splice(0, len, EMPTY.len());
    region.bytes_mut().copy_from_slice(&EMPTY);
}

/// Adds `value`; false if it is a member already.
pub fn insert<R: ByteRegion>(region: &mut R, value: i64) -> bool {
    if width_of(value) > width(region.bytes()) {
        widen(region, width_of(value));
    }
    let set = region.bytes();
    let Err(index) = find(set, value) else {
        return false;
    };
    let (width, members) = (width(set), len(set));
    let at = HEADER + index * width;
    region.splice(at, 0, width);
    let set = region.bytes_mut();
    put(set, width, index, value);
    write_len(set, members + 1);
    true
}

/// Removes `value`; false if it was no member.
pub fn remove<R: ByteRegion>(region: &mut R, value: i64) -> bool {
    match find(region.bytes(), value) {
        Ok(index) => {
            remove_range(region, index, 1);
            true
        }
        Err(_) => false,
    }
}

/// Removes up to `n` members from number `index` on; returns how many there were.
pub fn remove_range<R: ByteRegion>(region: &mut R, index: usize, n: usize) -> usize {
    let (width, members) = (width(region.bytes()), len(region.bytes()));
    let removed = n.min(members.saturating_sub(index));
    if removed > 0 {
        region.splice(HEADER + index * width, removed * width, 0);
        write_len(region.bytes_mut(), members - removed);
    }
    removed
}

/// Checks every byte of an intset that comes from outside, and returns the number of its members.
///
/// # Errors
/// Says where the first offence is: an unknown width, a length that differs from the bytes, members out of order.
pub fn validate(bytes: &[u8]) -> Result<usize, Malformed> {
    let fail = |offset, what| Err(Malformed { offset, what });
    if bytes.len() < HEADER {
        return fail(0, "intset too short");
    }
    let header = [bytes[0], bytes[1], bytes[2], bytes[3]];
    let width = match u32::from_le_bytes(header) {
        width @ (2 | 4 | 8) => width as usize,
        _ => return fail(0, "intset of unknown width"),
    };
    let members = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) as usize;
    if members.checked_mul(width) != Some(bytes.len() - HEADER) {
        return fail(4, "intset length differs from its bytes");
    }
    for index in 1..members {
        if member(bytes, width, index - 1) >= member(bytes, width, index) {
            return fail(HEADER + index * width, "intset members out of order");
        }
    }
    Ok(members)
}

/// Asserts that `set` is a valid intset; for tests.
pub fn check_invariants(set: &[u8]) {
    assert_eq!(validate(set), Ok(len(set)));
}

#[inline]
fn width(set: &[u8]) -> usize {
    usize::from(set[0])
}

fn width_of(value: i64) -> usize {
    match value {
        -0x8000..=0x7fff => 2,
        -0x8000_0000..=0x7fff_ffff => 4,
        _ => 8,
    }
}

#[inline]
fn member(set: &[u8], width: usize, index: usize) -> i64 {
    let bytes = &set[HEADER + index * width..][..width];
    match *bytes {
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => panic!("intset of unknown width"),
    }
}

fn put(set: &mut [u8], width: usize, index: usize, value: i64) {
    set[HEADER + index * width..][..width].copy_from_slice(&value.to_le_bytes()[..width]);
}

fn write_len(set: &mut [u8], members: usize) {
    let members = u32::try_from(members).expect("an intset has at most 2^32 members");
    set[4..8].copy_from_slice(&members.to_le_bytes());
}

/// Gives every member `to` bytes.
fn widen<R: ByteRegion>(region: &mut R, to: usize) {
    let (from, members) = (width(region.bytes()), len(region.bytes()));
    let end = region.bytes().len();
    region.splice(end, 0, members * (to - from));
    let set = region.bytes_mut();
    set[0] = to as u8;
    // From the last on, so that no member is overwritten before it is read.
    for index in (0..members).rev() {
        let value = member(set, from, index);
        put(set, to, index, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn bytes_are_those_of_the_format() {
        let mut set = EMPTY.to_vec();
        assert!(insert(&mut set, 5) && insert(&mut set, -1) && !insert(&mut set, 5));
        assert_eq!(set, [2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 5, 0]);
        assert!(insert(&mut set, 0x1_0000));
        let widened = [4, 0, 0, 0, 3, 0, 0, 0, 255, 255, 255, 255, 5, 0, 0, 0, 0, 0, 1, 0];
        assert_eq!(set, widened);
    }

    #[test]
    fn agrees_with_a_btree_under_random_changes() {
        for seed in 0..if cfg!(miri) { 3 } else { 200 } {
            let mut rng = Rng::new(seed);
            let mut set = EMPTY.to_vec();
            let mut model = BTreeSet::new();
            let shift = rng.below(64);
            for _ in 0..if cfg!(miri) { 50 } else { 300 } {
                let value = ((rng.next_u64() as i64) >> shift) >> rng.below(64);
                match rng.below(5) {
                    0..=2 => assert_eq!(insert(&mut set, value), model.insert(value)),
                    3 => assert_eq!(remove(&mut set, value), model.remove(&value)),
                    _ => {
                        if let Some(member) = random(&set, &mut rng) {
                            assert!(model.remove(&member) && remove(&mut set, member));
                        }
                    }
                }
                check_invariants(&set);
                assert!(iter(&set).eq(model.iter().copied()));
                assert_eq!((min(&set), max(&set)), (model.first().copied(), model.last().copied()));
                assert_eq!(contains(&set, value), model.contains(&value));
            }
            let whole = len(&set);
            assert_eq!(remove_range(&mut set, whole / 2, usize::MAX), whole - whole / 2);
            assert!(iter(&set).eq(model.iter().copied().take(whole / 2)));
        }
    }

    #[test]
    fn validate_refuses_what_is_not_an_intset() {
        let refused: [&[u8]; 6] = [
            &[],
            &[3, 0, 0, 0, 0, 0, 0, 0],
            &[2, 0, 0, 0, 1, 0, 0, 0],
            &[2, 0, 0, 0, 1, 0, 0, 0, 1],
            &[2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 0],
            &[2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0],
        ];
        for bytes in refused {
            assert!(validate(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(validate(&EMPTY), Ok(0));
    }
}
