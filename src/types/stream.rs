//! What streams mean: their IDs as text, and what can be told of how far a group has read.

use crate::base::number::parse_u64;
use crate::storage::stream::{ConsumerGroup, NodeLimits, Stream, StreamId};
use crate::storage::{EntryMut, EntryRef, NewValue, Object, Value};

/// No ID is written with more bytes.
const ID_BYTES_MAX: usize = 127;
/// A node never grows beyond this many bytes, nor does an entry.
pub const NODE_BYTES_MAX: usize = 1 << 30;

/// The stream that an entry holds; None if it holds another type.
pub fn read<'a>(entry: EntryRef<'a>) -> Option<&'a Stream> {
    match entry.value() {
        Value::Object(Object::Stream(stream)) => Some(stream),
        _ => None,
    }
}

/// The stream that an entry holds, to change.
pub fn write<'e>(entry: &'e mut EntryMut<'_>) -> Option<&'e mut Stream> {
    match entry.object_mut() {
        Some(Object::Stream(stream)) => Some(stream),
        _ => None,
    }
}

/// This stream, for a key about to be added.
pub fn new_value(stream: Stream) -> NewValue<'static> {
    NewValue::Object(crate::storage::Encoding::Stream, Box::new(Object::Stream(Box::new(stream))))
}

/// The limits that two directives set (0: none).
pub fn node_limits(bytes: u64, entries: i64) -> NodeLimits {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let bytes = if bytes == 0 || bytes > NODE_BYTES_MAX { NODE_BYTES_MAX } else { bytes };
    NodeLimits { bytes, entries: usize::try_from(entries).unwrap_or(usize::MAX) }
}

/// For how many seconds, and how many of each producer, a stream remembers additions if nobody says otherwise.
pub const IDMP_DEFAULTS: (u32, u32) = (100, 100);

/// Has this stream something that was not known before Redis 8.6: additions that it remembers, or for how long, entries that
/// were given back?
pub fn has_extras(stream: &Stream) -> bool {
    (stream.idmp_duration, stream.idmp_maxsize) != IDMP_DEFAULTS
        || stream.additions.is_some()
        || stream.groups().any(|(_, group)| group.given_back().next().is_some())
}

/// An ID in full, or the beginning of one with `seq` as its number.
pub fn parse_id(text: &[u8], seq: u64) -> Option<StreamId> {
    if text.len() > ID_BYTES_MAX {
        return None;
    }
    match text.iter().position(|&byte| byte == b'-') {
        Some(dash) => Some(StreamId::new(parse_part(&text[..dash])?, parse_part(&text[dash + 1..])?)),
        None => Some(StreamId::new(parse_part(text)?, seq)),
    }
}

/// A part of an ID. White space, a plus sign and zeros may come before it, as C's `strtoull` has it.
pub fn parse_part(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    parse_u64(&digits[zeros.min(digits.len().saturating_sub(1))..])
}

/// The same, or `-` for the least and `+` for the greatest.
pub fn parse_id_or_end(text: &[u8], seq: u64) -> Option<StreamId> {
    match text {
        b"-" => Some(StreamId::MIN),
        b"+" => Some(StreamId::MAX),
        _ => parse_id(text, seq),
    }
}

/// Was an entry between these IDs deleted, as far as that is known?
pub fn has_tombstones(stream: &Stream, from: StreamId, to: StreamId) -> bool {
    let deleted = stream.max_deleted_id;
    !stream.is_empty() && deleted != StreamId::MIN && from <= deleted && deleted <= to
}

/// How many entries were ever added up to this ID; None if that cannot be told.
pub fn entries_before(stream: &Stream, id: StreamId) -> Option<u64> {
    if stream.entries_added == 0 {
        return Some(0);
    }
    let Some(first) = stream.first_id() else {
        return (id <= stream.last_id).then_some(stream.entries_added);
    };
    if id != StreamId::MIN && id < stream.max_deleted_id {
        return None;
    }
    if id == stream.last_id {
        return Some(stream.entries_added);
    }
    if id > stream.last_id || stream.max_deleted_id >= first {
        return None;
    }
    let gone = stream.entries_added.wrapping_sub(stream.len());
    match id.cmp(&first) {
        std::cmp::Ordering::Less => Some(gone),
        std::cmp::Ordering::Equal => Some(gone.wrapping_add(1)),
        std::cmp::Ordering::Greater => None,
    }
}

/// How many entries a group has still to read; None if that cannot be told.
pub fn lag(stream: &Stream, group: &ConsumerGroup) -> Option<i64> {
    let added = stream.entries_added;
    if added == 0 || stream.is_empty() {
        return Some(0);
    }
    let first = stream.first_id().unwrap_or(StreamId::MIN);
    if group.last_id < first && stream.max_deleted_id < first {
        return Some(stream.len() as i64);
    }
    let read = match group.entries_read {
        Some(read) if !has_tombstones(stream, group.last_id, StreamId::MAX) => Some(read),
        _ => entries_before(stream, group.last_id),
    };
    read.map(|read| added.wrapping_sub(read) as i64)
}

/// What a group that was given `last` and has read so many is to have read when it is given this entry, the next one. It can
/// only be counted on from an entry that is there.
pub fn count_read(stream: &Stream, last: StreamId, entries_read: Option<u64>, id: StreamId) -> Option<u64> {
    match entries_read {
        Some(read)
            if !has_tombstones(stream, last, StreamId::MAX) && stream.first_id().is_none_or(|first| last >= first) =>
        {
            Some(read.wrapping_add(1))
        }
        _ if stream.entries_added > 0 => entries_before(stream, id),
        read => read,
    }
}

/// How many nodes a radix tree of these keys has, as Redis counts them: leaves are none of their own, what has no branches
/// is one.
pub fn radix_nodes(mut keys: impl Iterator<Item = StreamId>) -> usize {
    const KEY_BYTES: usize = 16;
    let Some(first) = keys.next() else { return 1 };
    let (mut last, mut nodes) = (first.to_bytes(), 0);
    // Depths of the branches on the way to the last key, the lowest last.
    let mut branches: Vec<usize> = Vec::new();
    // An edge of more than one byte is a node: it ends at `to`, and begins behind a byte of the branch at `from`.
    let edge = |from: Option<usize>, to: usize| usize::from(to > from.map_or(0, |from| from + 1));
    for key in keys {
        let key = key.to_bytes();
        let common = last.iter().zip(&key).take_while(|(a, b)| a == b).count();
        let mut to = KEY_BYTES;
        while let Some(&from) = branches.last().filter(|from| **from > common) {
            nodes += edge(Some(from), to) + 1;
            to = from;
            branches.pop();
        }
        nodes += edge(Some(common), to);
        if branches.last() != Some(&common) {
            branches.push(common);
        }
        last = key;
    }
    let mut to = KEY_BYTES;
    while let Some(from) = branches.pop() {
        nodes += edge(Some(from), to) + 1;
        to = from;
    }
    nodes + edge(None, to)
}

/// A name for an addition that was given none: the same for the same fields and values in any order.
pub fn content_id(pairs: &[&[u8]]) -> Vec<u8> {
    let mut sum = 0u128;
    for pair in pairs.chunks(2) {
        let mut bytes = Vec::new();
        for text in pair {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text);
        }
        sum = sum.wrapping_add(xxhash_rust::xxh3::xxh3_128(&bytes));
    }
    sum.to_be_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_a_radix_tree_are_counted_as_redis_counts_them() {
        let keys = [(1, 1), (1, 2), (1, 3), (1, 300), (2, 1), (70_000, 1)].map(|(ms, seq)| StreamId::new(ms, seq));
        let counts: Vec<usize> = (0..=6).map(|n| radix_nodes(keys[..n].iter().copied())).collect();
        assert_eq!(counts, [1, 1, 2, 2, 4, 7, 10]);
    }

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        assert_eq!(parse_id(b"5", 7), Some(StreamId::new(5, 7)));
        assert_eq!(parse_id(b"5-3", 7), Some(StreamId::new(5, 3)));
        assert_eq!(parse_id(b"18446744073709551615-18446744073709551615", 0), Some(StreamId::MAX));
        assert_eq!(parse_id(b" +06-\t007", 0), Some(StreamId::new(6, 7)));
        for wrong in ["", "-", "+", "5-", "-5", "5-x", "x", "5-3-1", "5 ", "6--7", "18446744073709551616", "(5"] {
            assert_eq!(parse_id(wrong.as_bytes(), 0), None, "{wrong}");
        }
        assert_eq!(parse_id_or_end(b"-", 0), Some(StreamId::MIN));
        assert_eq!(parse_id_or_end(b"+", 0), Some(StreamId::MAX));
    }
}
