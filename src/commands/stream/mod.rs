//! Streams. Adding is in `add`, deleting and trimming in `delete`, reading by ID in `range`, reading what is new in `read`,
//! groups in `group`, what groups have pending in `pending` and `claim`, and XINFO in `info`.

mod add;
mod claim;
mod delete;
mod group;
mod info;
mod pending;
mod range;
mod read;
mod trim;

use crate::keyspace::Db;
use crate::resp::{CommandError, Reply};
use crate::server::{Command, DataContext};
use crate::spec::*;
use crate::storage::stream::{Entry, NodeLimits, Stream, StreamId};
use crate::storage::{EntryMut, Type};
use crate::types::stream::{self, parse_id, parse_id_or_end};

use super::elements::reply_element;

/// The family.
pub const COMMANDS: &[Command] = &[
    pending::XACK,
    pending::XACKDEL,
    add::XADD,
    claim::XAUTOCLAIM,
    add::XCFGSET,
    claim::XCLAIM,
    delete::XDEL,
    delete::XDELEX,
    group::XGROUP,
    add::XIDMPRECORD,
    info::XINFO,
    range::XLEN,
    pending::XNACK,
    pending::XPENDING,
    range::XRANGE,
    read::XREAD,
    read::XREADGROUP,
    range::XREVRANGE,
    add::XSETID,
    delete::XTRIM,
];

/// The keys between STREAMS and as many IDs.
const fn streams_after(from: i64) -> KeySpec {
    KeySpec {
        flags: KeyFlags::RO.or(KeyFlags::ACCESS).or(KeyFlags::INCOMPLETE),
        begin: Begin::Keyword("STREAMS", from),
        find: Find::Range { last: -1, step: 1, limit: 2 },
    }
}

/// The stream at a key, to read.
fn read_stream<'a>(db: &'a mut Db<'_>, key: &[u8]) -> Result<Option<&'a Stream>, CommandError> {
    match db.lookup_read(key) {
        None => Ok(None),
        Some(entry) => stream::read(entry).map(Some).ok_or(CommandError::WrongType),
    }
}

/// The stream at a key that is about to be changed: not counted as read.
fn look_at_stream<'a>(db: &'a mut Db<'_>, key: &[u8]) -> Result<Option<&'a Stream>, CommandError> {
    match db.peek(key) {
        None => Ok(None),
        Some(entry) => stream::read(entry).map(Some).ok_or(CommandError::WrongType),
    }
}

/// The entry of a stream, to change.
fn write_entry<'a>(db: &'a mut Db<'_>, key: &[u8]) -> Result<Option<EntryMut<'a>>, CommandError> {
    match db.lookup_write(key) {
        Some(entry) if entry.type_() != Type::Stream => Err(CommandError::WrongType),
        found => Ok(found),
    }
}

/// Changes the stream at a key that holds one; None if it holds none.
fn change<R>(db: &mut Db<'_>, key: &[u8], change: impl FnOnce(&mut Stream) -> R) -> Result<Option<R>, CommandError> {
    let mut entry = write_entry(db, key)?;
    Ok(entry.as_mut().and_then(stream::write).map(change))
}

/// Notes that a stream has what files of old versions cannot hold.
fn note_extras(cx: &mut DataContext<'_>) {
    cx.db.keyspace().has_stream_extras = true;
}

/// The limits of nodes, as configured.
fn node_limits(cx: &DataContext<'_>) -> NodeLimits {
    stream::node_limits(cx.config.stream_node_max_bytes, cx.config.stream_node_max_entries)
}

fn invalid_id() -> CommandError {
    CommandError::err("Invalid stream ID specified as stream command argument")
}

/// An ID; `seq` is its number if the argument has none.
fn id(arg: &[u8], seq: u64) -> Result<StreamId, CommandError> {
    parse_id(arg, seq).ok_or_else(invalid_id)
}

/// An ID, `-` or `+`.
fn id_or_end(arg: &[u8]) -> Result<StreamId, CommandError> {
    parse_id_or_end(arg, 0).ok_or_else(invalid_id)
}

/// Several IDs, without special ones.
fn ids(args: &[&[u8]]) -> Result<Vec<StreamId>, CommandError> {
    args.iter().map(|arg| id(arg, 0)).collect()
}

/// The beginning of an interval: an ID, `-`, `+`, or `(` and an ID that does not belong to it.
fn start(arg: &[u8]) -> Result<StreamId, CommandError> {
    match arg {
        [b'(', rest @ ..] => {
            let id = id(rest, 0)?;
            id.next().ok_or(CommandError::err("invalid start ID for the interval"))
        }
        _ => parse_id_or_end(arg, 0).ok_or_else(invalid_id),
    }
}

/// The end of an interval.
fn end(arg: &[u8]) -> Result<StreamId, CommandError> {
    match arg {
        [b'(', rest @ ..] => {
            let id = id(rest, u64::MAX)?;
            id.previous().ok_or(CommandError::err("invalid end ID for the interval"))
        }
        _ => parse_id_or_end(arg, u64::MAX).ok_or_else(invalid_id),
    }
}

/// Writes an ID.
fn reply_id(reply: &mut Reply<'_>, id: StreamId) {
    let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (ms, seq) = (ms.format(id.ms).as_bytes(), seq.format(id.seq).as_bytes());
    let mut text = [0; 41];
    text[..ms.len()].copy_from_slice(ms);
    text[ms.len()] = b'-';
    text[ms.len() + 1..][..seq.len()].copy_from_slice(seq);
    reply.bulk(&text[..ms.len() + 1 + seq.len()]);
}

/// Writes an entry: its ID, its fields and values.
#[inline]
fn reply_entry(reply: &mut Reply<'_>, entry: Entry<'_>) {
    reply.array(2);
    reply_entry_parts(reply, entry);
}

fn reply_entry_parts(reply: &mut Reply<'_>, entry: Entry<'_>) {
    reply_id(reply, entry.id);
    reply.array(entry.field_count * 2);
    for (name, value) in entry.fields() {
        reply_element(reply, name);
        reply_element(reply, value);
    }
}

/// Writes entries. Returns how many.
fn reply_entries<'a>(reply: &mut Reply<'_>, entries: impl Iterator<Item = Entry<'a>>) -> usize {
    let mark = reply.mark();
    let mut count = 0;
    for entry in entries {
        reply_entry(reply, entry);
        count += 1;
    }
    reply.array_at(mark, count);
    count
}
