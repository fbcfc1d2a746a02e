//! Strings: integers, short strings inline in the entry, long ones in a shared allocation.

use std::borrow::Cow;

use crate::base::number::{decimal_len, parse_i64};
use crate::storage::{Encoding, EntryRef, NewValue, Object, Shared, Value};

/// Strings up to this length lie in their entry.
pub const INLINE_MAX: usize = 16 * 1024;
/// Up to this length OBJECT ENCODING says `embstr`.
const EMBSTR_MAX: usize = 44;

/// How a value is best stored: as an integer if it is one, inline if short. `shared` is the value in an allocation of its
/// own, if there is one already.
#[inline]
pub fn new_value<'a>(value: &'a [u8], shared: Option<Shared<Vec<u8>>>) -> NewValue<'a> {
    if value.len() <= 20
        && let Some(number) = parse_i64(value)
    {
        return NewValue::Int(number);
    }
    if value.len() <= INLINE_MAX {
        return NewValue::Bytes(Encoding::Inline, value);
    }
    let blob = shared.unwrap_or_else(|| Shared::new(value.to_vec()));
    NewValue::Object(Encoding::Blob, Box::new(Object::Blob(blob)))
}

/// The bytes of a string, integers in decimal. Empty for other types: callers have looked at the type.
pub fn bytes<'a>(entry: EntryRef<'a>) -> Cow<'a, [u8]> {
    match entry.value() {
        Value::Int(number) => Cow::Owned(itoa::Buffer::new().format(number).as_bytes().to_vec()),
        Value::Bytes(bytes) => Cow::Borrowed(bytes),
        Value::Object(Object::Blob(blob)) => Cow::Borrowed(blob),
        Value::Object(_) => Cow::Borrowed(&[]),
    }
}

/// The length of a string.
#[inline]
pub fn len(entry: EntryRef<'_>) -> usize {
    match entry.value() {
        Value::Int(number) => decimal_len(number),
        Value::Bytes(bytes) => bytes.len(),
        Value::Object(Object::Blob(blob)) => blob.len(),
        Value::Object(_) => 0,
    }
}

/// Bytes of a digest.
pub const DIGEST_LEN: usize = 16;

/// The XXH3 hash of a string, in hexadecimal.
pub fn digest(entry: EntryRef<'_>) -> [u8; DIGEST_LEN] {
    let hash = xxhash_rust::xxh3::xxh3_64(&bytes(entry));
    std::array::from_fn(|digit| b"0123456789abcdef"[(hash >> (60 - 4 * digit)) as usize & 15])
}

/// What OBJECT ENCODING calls a string.
pub fn encoding_name(entry: EntryRef<'_>) -> &'static str {
    match entry.value() {
        Value::Int(_) => "int",
        Value::Bytes(bytes) if bytes.len() <= EMBSTR_MAX && !entry.is_raw() => "embstr",
        _ => "raw",
    }
}
