//! One entry of a listpack: its body, its backlen, and steps from entry to entry. The picture is at the top of the
//! parent module.

use super::Element;

const STR_32: u8 = 0xf0;
const INT_16: u8 = 0xf1;
const INT_24: u8 = 0xf2;
const INT_32: u8 = 0xf3;
const INT_64: u8 = 0xf4;

/// The bytes that `element` takes in a listpack.
#[inline]
pub fn entry_bytes(element: Element<'_>) -> usize {
    let body = body_bytes(element);
    body + backlen_bytes(body)
}

/// The element at `at` and the offset behind its entry.
#[inline]
pub(super) fn decode(lp: &[u8], at: usize) -> (Element<'_>, usize) {
    let int = |body, value| (Element::Int(value), at + body + 1);
    let string = |head: usize, len: usize| {
        let body = head + len;
        (Element::Str(&lp[at + head..at + body]), at + body + backlen_bytes(body))
    };
    let b = lp[at];
    match b {
        0..=0x7f => int(1, i64::from(b)),
        0x80..=0xbf => {
            // At most 64 bytes, so the backlen is one.
            let body = 1 + usize::from(b & 0x3f);
            (Element::Str(&lp[at + 1..at + body]), at + body + 1)
        }
        0xc0..=0xdf => {
            let bits = (u16::from(b & 0x1f) << 8) | u16::from(lp[at + 1]);
            int(2, i64::from((bits << 3) as i16 >> 3))
        }
        0xe0..=0xef => string(2, (usize::from(b & 0x0f) << 8) | usize::from(lp[at + 1])),
        STR_32 => string(5, read_u32(lp, at + 1) as usize),
        INT_16 => int(3, i64::from(i16::from_le_bytes([lp[at + 1], lp[at + 2]]))),
        INT_24 => int(4, i64::from(i32::from_le_bytes([0, lp[at + 1], lp[at + 2], lp[at + 3]]) >> 8)),
        INT_32 => int(5, i64::from(read_u32(lp, at + 1) as i32)),
        INT_64 => int(9, (u64::from(read_u32(lp, at + 1)) | (u64::from(read_u32(lp, at + 5)) << 32)) as i64),
        _ => panic!("listpack entry of unknown kind"),
    }
}

/// The offset behind the entry at `at`.
#[inline]
pub(super) fn skip(lp: &[u8], at: usize) -> usize {
    let b = lp[at];
    match b {
        0..=0x7f => at + 2,
        0x80..=0xbf => at + 2 + usize::from(b & 0x3f),
        _ => {
            let body = checked_body_bytes(&lp[at..]).expect("listpack entry of a known kind");
            at + body + backlen_bytes(body)
        }
    }
}

/// The offset of the entry that ends at `end`.
#[inline]
pub(super) fn entry_before(lp: &[u8], end: usize) -> usize {
    let mut at = end - 1;
    let mut body = usize::from(lp[at] & 0x7f);
    let mut shift = 7;
    while lp[at] & 0x80 != 0 {
        at -= 1;
        body |= usize::from(lp[at] & 0x7f) << shift;
        shift += 7;
    }
    at - body
}

/// The length of the body that `rest` begins with, if it is of a known kind and `rest` holds its head.
pub(super) fn checked_body_bytes(rest: &[u8]) -> Option<usize> {
    let b = *rest.first()?;
    Some(match b {
        0..=0x7f => 1,
        0x80..=0xbf => 1 + usize::from(b & 0x3f),
        0xc0..=0xdf => 2,
        0xe0..=0xef => 2 + ((usize::from(b & 0x0f) << 8) | usize::from(*rest.get(1)?)),
        STR_32 => 5 + u32::from_le_bytes(rest.get(1..5)?.try_into().ok()?) as usize,
        INT_16 => 3,
        INT_24 => 4,
        INT_32 => 5,
        INT_64 => 9,
        _ => return None,
    })
}

#[inline]
fn body_bytes(element: Element<'_>) -> usize {
    match element {
        Element::Int(value) => match value {
            0..=127 => 1,
            -4096..=4095 => 2,
            -0x8000..=0x7fff => 3,
            -0x80_0000..=0x7f_ffff => 4,
            -0x8000_0000..=0x7fff_ffff => 5,
            _ => 9,
        },
        Element::Str(text) => match text.len() {
            len @ 0..=63 => 1 + len,
            len @ 64..=4095 => 2 + len,
            len => 5 + len,
        },
    }
}

/// The bytes of a backlen. The steps are those of Redis, one short of what 7-bit groups could hold from the second on.
#[inline]
pub(super) fn backlen_bytes(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..16383 => 2,
        16383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

#[inline]
pub(super) fn write_backlen(out: &mut [u8], body: usize) {
    if let [only] = out {
        *only = body as u8;
        return;
    }
    let mut rest = body;
    for byte in out.iter_mut().rev() {
        *byte = 0x80 | (rest & 0x7f) as u8;
        rest >>= 7;
    }
    out[0] &= 0x7f;
}

/// Writes the entry of `element` into `out`, which has its exact size.
#[inline]
pub(super) fn write_entry(out: &mut [u8], element: Element<'_>) {
    let body = body_bytes(element);
    match element {
        Element::Int(value) => match body {
            1 => out[0] = value as u8,
            2 => {
                out[0] = 0xc0 | ((value >> 8) as u8 & 0x1f);
                out[1] = value as u8;
            }
            _ => {
                out[0] = match body {
                    3 => INT_16,
                    4 => INT_24,
                    5 => INT_32,
                    _ => INT_64,
                };
                out[1..body].copy_from_slice(&value.to_le_bytes()[..body - 1]);
            }
        },
        Element::Str(text) => {
            let head = body - text.len();
            match head {
                1 => out[0] = 0x80 | text.len() as u8,
                2 => {
                    out[0] = 0xe0 | (text.len() >> 8) as u8;
                    out[1] = text.len() as u8;
                }
                _ => {
                    out[0] = STR_32;
                    let len = u32::try_from(text.len()).expect("callers keep longer elements out of listpacks");
                    out[1..5].copy_from_slice(&len.to_le_bytes());
                }
            }
            out[head..body].copy_from_slice(text);
        }
    }
    write_backlen(&mut out[body..], body);
}

#[inline]
fn read_u32(lp: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([lp[at], lp[at + 1], lp[at + 2], lp[at + 3]])
}
