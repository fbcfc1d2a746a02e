//! One entry of a dictionary's segment, packed.
//!
//! ```text
//! entry  := head field                                kind 0: the value is empty
//!         | head field value_len value                kind 1
//!         | head field value_len value expire_at      kind 2: i64 milliseconds, little endian
//!         | 0x03 pointer expire_at                    kind 3: field and value lie out of line (see `large`)
//! head   := bits 0-1 kind, bits 2-6 low bits of the field's length, bit 7 more: the rest as LEB128 follows
//! ```
//! Packed bytes are written by `Parts::write` alone, so reading them back trusts their lengths.

use super::large::{self, LARGE_POINTER_BYTES, LargeEntry};

/// The expiry of an entry out of line that does not expire.
pub(super) const NEVER: i64 = i64::MIN;
const LARGE_BYTES: usize = 1 + LARGE_POINTER_BYTES + 8;

pub(super) const KIND_FIELD: u8 = 0;
const KIND_VALUE: u8 = 1;
pub(super) const KIND_EXPIRING: u8 = 2;
pub(super) const KIND_LARGE: u8 = 3;

/// A field of a dictionary as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRef<'a> {
    /// The field, or the member of a set.
    pub field: &'a [u8],
    /// Its value; empty for the members of a set.
    pub value: &'a [u8],
    /// When it expires, in milliseconds since the epoch.
    pub expire_at: Option<i64>,
}

/// An entry to be packed.
pub(super) struct Parts<'a> {
    pub field: &'a [u8],
    pub value: &'a [u8],
    pub expire_at: Option<i64>,
    /// Does it lie out of line?
    pub is_large: bool,
}

impl Parts<'_> {
    fn kind(&self) -> u8 {
        match (self.expire_at, self.value.is_empty()) {
            _ if self.is_large => KIND_LARGE,
            (Some(_), _) => KIND_EXPIRING,
            (None, true) => KIND_FIELD,
            (None, false) => KIND_VALUE,
        }
    }

    /// How many bytes it takes packed.
    pub fn bytes(&self) -> usize {
        let head = 1 + if self.field.len() < 32 { 0 } else { leb_bytes(self.field.len() >> 5) };
        let value = leb_bytes(self.value.len()) + self.value.len();
        match self.kind() {
            KIND_LARGE => LARGE_BYTES,
            KIND_FIELD => head + self.field.len(),
            KIND_VALUE => head + self.field.len() + value,
            _ => head + self.field.len() + value + 8,
        }
    }

    /// Fills `at`, which has just the bytes that this entry needs.
    pub fn write(&self, at: &mut [u8]) {
        let kind = self.kind();
        if kind == KIND_LARGE {
            at[0] = KIND_LARGE;
            large::put(&mut at[1..], LargeEntry::new(self.field, self.value));
            at[1 + LARGE_POINTER_BYTES..].copy_from_slice(&self.expire_at.unwrap_or(NEVER).to_le_bytes());
            return;
        }
        let low = kind | ((self.field.len() & 31) << 2) as u8;
        let mut to = 1;
        if self.field.len() < 32 {
            at[0] = low;
        } else {
            at[0] = low | 0x80;
            to += put_leb(&mut at[1..], self.field.len() >> 5);
        }
        at[to..to + self.field.len()].copy_from_slice(self.field);
        to += self.field.len();
        if kind == KIND_FIELD {
            return;
        }
        to += put_leb(&mut at[to..], self.value.len());
        at[to..to + self.value.len()].copy_from_slice(self.value);
        if let Some(expire_at) = self.expire_at {
            at[to + self.value.len()..].copy_from_slice(&expire_at.to_le_bytes());
        }
    }
}

/// The field of a packed entry, which may have more bytes after it.
///
/// # Safety
/// `entry` begins with what `Parts::write` wrote, or a byte copy of it, whose reference (kind 3) is not given back.
#[inline]
pub(super) unsafe fn unpack_field(entry: &[u8]) -> &[u8] {
    if entry[0] & 3 == KIND_LARGE {
        // SAFETY: an entry of kind 3 holds the pointer there, and the caller says that it is one.
        return unsafe { large::at(&entry[1..]) }.field();
    }
    let (field_bytes, at) = field_head(entry);
    &entry[at..at + field_bytes]
}

/// What a packed entry holds.
///
/// # Safety
/// As for `unpack_field`.
#[inline]
pub(super) unsafe fn unpack(entry: &[u8]) -> FieldRef<'_> {
    let kind = entry[0] & 3;
    if kind == KIND_LARGE {
        // SAFETY: an entry of kind 3 holds the pointer there, and the caller says that it is one.
        let large = unsafe { large::at(&entry[1..]) };
        let expire_at = Some(i64_at(entry, 1 + LARGE_POINTER_BYTES)).filter(|&at| at != NEVER);
        return FieldRef { field: large.field(), value: large.value(), expire_at };
    }
    let (field_bytes, at) = field_head(entry);
    let (field, rest) = entry[at..].split_at(field_bytes);
    if kind == KIND_FIELD {
        return FieldRef { field, value: &[], expire_at: None };
    }
    let (value_bytes, used) = leb_at(rest);
    let value = &rest[used..used + value_bytes];
    let expire_at = (kind == KIND_EXPIRING).then(|| i64_at(rest, used + value_bytes));
    FieldRef { field, value, expire_at }
}

/// The field's length and where it begins.
#[inline]
fn field_head(entry: &[u8]) -> (usize, usize) {
    let low = usize::from(entry[0] >> 2 & 31);
    if entry[0] & 0x80 == 0 {
        return (low, 1);
    }
    let (high, used) = leb_at(&entry[1..]);
    (low | high << 5, 1 + used)
}

fn leb_bytes(n: usize) -> usize {
    1 + usize::from(n >= 1 << 7) + usize::from(n >= 1 << 14)
}

/// Writes `n`, below 2^21, and returns how many bytes it took.
fn put_leb(at: &mut [u8], n: usize) -> usize {
    debug_assert!(n < 1 << 21);
    let bytes = leb_bytes(n);
    for (index, byte) in at[..bytes].iter_mut().enumerate() {
        *byte = (n >> (7 * index)) as u8 & 0x7f | if index + 1 < bytes { 0x80 } else { 0 };
    }
    bytes
}

#[inline]
fn leb_at(bytes: &[u8]) -> (usize, usize) {
    if bytes[0] & 0x80 == 0 {
        return (usize::from(bytes[0]), 1);
    }
    let (mut n, mut at) = (usize::from(bytes[0] & 0x7f), 1);
    loop {
        n |= usize::from(bytes[at] & 0x7f) << (7 * at);
        at += 1;
        if bytes[at - 1] & 0x80 == 0 {
            return (n, at);
        }
    }
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    i64::from_le_bytes(eight)
}
