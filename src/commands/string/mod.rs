//! Strings: reading them, and changing a part of them. Whole strings are set in `set`, numbers counted in `number`.

mod condition;
pub(super) mod expiration;
mod lcs;
mod number;
mod set;

use std::ops::Range;

use crate::keyspace::Notify;
use crate::resp::{CommandError, Reply};
use crate::server::context::integer as parse_integer;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::{EntryMut, EntryRef, Object, Type, Value};
use crate::types;
use crate::types::bitmap::{change_bytes, new_bytes};

/// The family.
pub const COMMANDS: &[Command] = &[
    APPEND,
    number::DECR,
    number::DECRBY,
    set::DELEX,
    set::DELIFEQ,
    DIGEST,
    GET,
    set::GETDEL,
    set::GETEX,
    GETRANGE,
    set::GETSET,
    number::INCR,
    number::INCRBY,
    number::INCRBYFLOAT,
    number::INCREX,
    lcs::LCS,
    MGET,
    set::MSET,
    set::MSETEX,
    set::MSETNX,
    set::PSETEX,
    set::SET,
    set::SETEX,
    set::SETNX,
    SETRANGE,
    STRLEN,
    SUBSTR,
];

const APPEND: Command = Command {
    info: CommandInfo {
        name: "append",
        arity: Arity::Exactly(3),
        since: "2.0.0",
        group: Group::String,
        complexity: "O(1) amortized; O(N) when the string must move",
        summary: "Adds bytes to the end of a string, creating it when absent.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::INSERT))],
        arguments: &[key("key", 0), string("value")],
        ..INFO
    },
    handler: Handler::Data(append),
};

const DIGEST: Command = Command {
    info: CommandInfo {
        name: "digest",
        arity: Arity::Exactly(2),
        since: "8.4.0",
        group: Group::String,
        complexity: "O(N) where N is the length of the string",
        summary: "Computes the XXH3 hash of a string, in hexadecimal.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(digest),
};

const GET: Command = Command {
    info: CommandInfo {
        name: "get",
        arity: Arity::Exactly(2),
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Reads a string.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(get),
};

const GETRANGE: Command = Command {
    info: CommandInfo {
        name: "getrange",
        arity: Arity::Exactly(4),
        since: "2.4.0",
        group: Group::String,
        complexity: "O(N) where N is the length of the part read",
        summary: "Reads the part of a string between two offsets.",
        flags: Flags::READONLY,
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), integer("start"), integer("end")],
        ..INFO
    },
    handler: Handler::Data(getrange),
};

const MGET: Command = Command {
    info: CommandInfo {
        name: "mget",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::String,
        complexity: "O(N) where N is the number of keys",
        summary: "Reads the strings of several keys.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::STRING,
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0).multiple()],
        tips: &["request_policy:multi_shard"],
        ..INFO
    },
    handler: Handler::Data(mget),
};

const SETRANGE: Command = Command {
    info: CommandInfo {
        name: "setrange",
        arity: Arity::Exactly(4),
        since: "2.2.0",
        group: Group::String,
        complexity: "O(N) where N is the length of the new part",
        summary: "Overwrites a part of a string from an offset on, padding with zero bytes.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), integer("offset"), string("value")],
        ..INFO
    },
    handler: Handler::Data(setrange),
};

const STRLEN: Command = Command {
    info: CommandInfo {
        name: "strlen",
        arity: Arity::Exactly(2),
        since: "2.2.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Tells the length of a string.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RO)],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(strlen),
};

const SUBSTR: Command = Command {
    info: CommandInfo {
        name: "substr",
        arity: Arity::Exactly(4),
        since: "1.0.0",
        group: Group::String,
        complexity: "O(N) where N is the length of the part read",
        summary: "Reads the part of a string between two offsets.",
        flags: Flags::READONLY,
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), integer("start"), integer("end")],
        deprecated: Some(("2.0.0", "GETRANGE")),
        ..INFO
    },
    handler: Handler::Data(substr),
};

/// Writes a string value as it lies.
#[inline]
pub(super) fn reply_string(reply: &mut Reply<'_>, entry: EntryRef<'_>) {
    match entry.value() {
        Value::Bytes(bytes) => reply.bulk(bytes),
        Value::Int(number) => reply.bulk_int(number),
        Value::Object(Object::Blob(blob)) => reply.bulk_shared(blob),
        Value::Object(_) => reply.null(),
    }
}

/// An entry that must be a string, if it is there at all.
#[inline]
fn string_of(entry: Option<EntryRef<'_>>) -> Result<Option<EntryRef<'_>>, CommandError> {
    match entry {
        Some(entry) if entry.type_() != Type::String => Err(CommandError::WrongType),
        entry => Ok(entry),
    }
}

/// As `string_of`, to change.
#[inline]
fn string_mut(entry: Option<EntryMut<'_>>) -> Result<Option<EntryMut<'_>>, CommandError> {
    match entry {
        Some(entry) if entry.type_() != Type::String => Err(CommandError::WrongType),
        entry => Ok(entry),
    }
}

fn get(cx: &mut DataContext<'_>) -> CommandResult {
    match string_of(cx.db.lookup_read(cx.argv[1]))? {
        None => cx.reply.null(),
        Some(entry) => reply_string(&mut cx.reply, entry),
    }
    Ok(Outcome::Done)
}

fn mget(cx: &mut DataContext<'_>) -> CommandResult {
    cx.reply.array(cx.argv.len() - 1);
    for key in &cx.argv[1..] {
        match cx.db.lookup_read(key) {
            Some(entry) if entry.type_() == Type::String => reply_string(&mut cx.reply, entry),
            _ => cx.reply.null(),
        }
    }
    Ok(Outcome::Done)
}

fn strlen(cx: &mut DataContext<'_>) -> CommandResult {
    let len = string_of(cx.db.lookup_read(cx.argv[1]))?.map_or(0, types::string::len);
    cx.reply.int(len as i64);
    Ok(Outcome::Done)
}

/// The part of a string of `len` bytes between two offsets, each counted from the end if negative.
fn clip(len: usize, start: i64, end: i64) -> Option<Range<usize>> {
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let len = len as i64;
    let from_end = |offset: i64| if offset < 0 { offset.saturating_add(len).max(0) } else { offset };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    (start <= end).then(|| start as usize..end as usize + 1)
}

fn getrange(cx: &mut DataContext<'_>) -> CommandResult {
    let (start, end) = (parse_integer(cx.argv[2])?, parse_integer(cx.argv[3])?);
    match string_of(cx.db.lookup_read(cx.argv[1]))? {
        None => cx.reply.bulk(b""),
        Some(entry) => {
            let bytes = types::string::bytes(entry);
            let range = clip(bytes.len(), start, end).unwrap_or(0..0);
            cx.reply.bulk(&bytes[range]);
        }
    }
    Ok(Outcome::Done)
}

fn substr(cx: &mut DataContext<'_>) -> CommandResult {
    getrange(cx)
}

fn digest(cx: &mut DataContext<'_>) -> CommandResult {
    match string_of(cx.db.lookup_read(cx.argv[1]))? {
        None => cx.reply.null(),
        Some(entry) => cx.reply.bulk(&types::string::digest(entry)),
    }
    Ok(Outcome::Done)
}

/// The length of a string grown to hold `more` bytes from `offset` on.
///
/// # Errors
/// If no string may be so long.
fn grown_len(cx: &DataContext<'_>, offset: usize, more: usize) -> Result<usize, CommandError> {
    let len = offset.checked_add(more).ok_or(CommandError::StringTooLong)?;
    if len as u64 > cx.config.proto_max_bulk_len { Err(CommandError::StringTooLong) } else { Ok(len) }
}

fn append(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, more) = (cx.argv[1], cx.argv[2]);
    let old_len = string_of(cx.db.lookup_write(key).map(EntryMut::into_ref))?.map(types::string::len);
    let len = match old_len {
        None => {
            let value = types::string::new_value(more, cx.big_arg(2));
            cx.db.add(key, Type::String, value, None);
            more.len()
        }
        Some(old_len) => {
            let len = grown_len(cx, old_len, more.len())?;
            if let Some(mut entry) = cx.db.lookup_write(key) {
                change_bytes(&mut entry, len, |bytes| bytes[old_len..len].copy_from_slice(more));
            }
            len
        }
    };
    cx.db.modified(key);
    cx.db.notify(Notify::STRING, "append", key);
    cx.reply.int(len as i64);
    Ok(Outcome::Done)
}

fn setrange(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, part) = (cx.argv[1], cx.argv[3]);
    let offset = parse_integer(cx.argv[2])?;
    let Ok(offset) = usize::try_from(offset) else {
        return Err(CommandError::err("offset is out of range"));
    };
    let old_len = string_of(cx.db.lookup_write(key).map(EntryMut::into_ref))?.map(types::string::len);
    if part.is_empty() {
        cx.reply.int(old_len.unwrap_or(0) as i64);
        return Ok(Outcome::Done);
    }
    let end = grown_len(cx, offset, part.len())?;
    if old_len.is_none() {
        cx.db.add(key, Type::String, new_bytes(&[]), None);
    }
    if let Some(mut entry) = cx.db.lookup_write(key) {
        change_bytes(&mut entry, end, |bytes| bytes[offset..end].copy_from_slice(part));
    }
    cx.db.modified(key);
    cx.db.notify(Notify::STRING, "setrange", key);
    cx.reply.int(end.max(old_len.unwrap_or(0)) as i64);
    Ok(Outcome::Done)
}
