//! Hashes: reading fields, all of them, some by chance, a part at a time.

use crate::base::time::UnixMillis;
use crate::commands::elements::{
    RandomChoice, ScanOptions, fork_rng, random_options, reply_element, reply_nothing, reply_scan, scan_cursor,
};
use crate::resp::{CommandError, Reply};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::listpack::Element;
use crate::storage::{EntryRef, OwnedEntry};
use crate::types::hash::{self, Field, HashRef};

use super::lookup;

pub(super) const HGET: Command = Command {
    info: CommandInfo {
        name: "hget",
        arity: Arity::Exactly(3),
        since: "2.0.0",
        group: Group::Hash,
        complexity: "O(1)",
        summary: "Reads the value of a field of a hash.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("field")],
        ..INFO
    },
    handler: Handler::Data(hget),
};

pub(super) const HMGET: Command = Command {
    info: CommandInfo {
        name: "hmget",
        arity: Arity::AtLeast(3),
        since: "2.0.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Reads the values of several fields of a hash.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("field").multiple()],
        ..INFO
    },
    handler: Handler::Data(hmget),
};

pub(super) const HGETALL: Command = Command {
    info: CommandInfo {
        name: "hgetall",
        arity: Arity::Exactly(2),
        since: "2.0.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields",
        summary: "Reads all fields of a hash with their values.",
        flags: Flags::READONLY,
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        tips: &["nondeterministic_output_order"],
        ..INFO
    },
    handler: Handler::Data(hgetall),
};

pub(super) const HKEYS: Command = Command {
    info: CommandInfo {
        name: "hkeys",
        arity: Arity::Exactly(2),
        since: "2.0.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields",
        summary: "Lists the names of all fields of a hash.",
        flags: Flags::READONLY,
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        tips: &["nondeterministic_output_order"],
        ..INFO
    },
    handler: Handler::Data(hkeys),
};

pub(super) const HVALS: Command = Command {
    info: CommandInfo {
        name: "hvals",
        arity: Arity::Exactly(2),
        since: "2.0.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields",
        summary: "Lists the values of all fields of a hash.",
        flags: Flags::READONLY,
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        tips: &["nondeterministic_output_order"],
        ..INFO
    },
    handler: Handler::Data(hvals),
};

pub(super) const HLEN: Command = Command {
    info: CommandInfo {
        name: "hlen",
        arity: Arity::Exactly(2),
        since: "2.0.0",
        group: Group::Hash,
        complexity: "O(1)",
        summary: "Counts the fields of a hash.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO)],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(hlen),
};

pub(super) const HSTRLEN: Command = Command {
    info: CommandInfo {
        name: "hstrlen",
        arity: Arity::Exactly(3),
        since: "3.2.0",
        group: Group::Hash,
        complexity: "O(1)",
        summary: "Tells how many bytes the value of a field of a hash has.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO)],
        arguments: &[key("key", 0), string("field")],
        ..INFO
    },
    handler: Handler::Data(hstrlen),
};

pub(super) const HEXISTS: Command = Command {
    info: CommandInfo {
        name: "hexists",
        arity: Arity::Exactly(3),
        since: "2.0.0",
        group: Group::Hash,
        complexity: "O(1)",
        summary: "Tells whether a hash has a field.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO)],
        arguments: &[key("key", 0), string("field")],
        ..INFO
    },
    handler: Handler::Data(hexists),
};

pub(super) const HRANDFIELD: Command = Command {
    info: CommandInfo {
        name: "hrandfield",
        arity: Arity::AtLeast(2),
        since: "6.2.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields returned",
        summary: "Picks fields of a hash by chance.",
        flags: Flags::READONLY,
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            block("options", &[integer("count"), token("withvalues", "WITHVALUES").optional()]).optional(),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(hrandfield),
};

pub(super) const HSCAN: Command = Command {
    info: CommandInfo {
        name: "hscan",
        arity: Arity::AtLeast(3),
        since: "2.8.0",
        group: Group::Hash,
        complexity: "O(1) per call, O(N) for a whole scan of N fields",
        summary: "Walks through the fields of a hash, a part with each call.",
        flags: Flags::READONLY,
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            integer("cursor"),
            pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
            token("novalues", "NOVALUES").optional(),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(hscan),
};

/// Due fields that HRANDFIELD deletes before it picks; it passes over more of them.
const EXPIRE_FIELDS_MAX: usize = 1024;

/// Is this field to be treated as absent?
fn is_due(field: &Field<'_>, clock: UnixMillis) -> bool {
    field.expire_at.is_some_and(|at| clock.0 > at)
}

/// Does any field of the hash have to be treated as absent?
fn has_due(hash: HashRef<'_>, clock: UnixMillis) -> bool {
    hash.next_expiry().is_some_and(|at| clock.0 > at)
}

/// The field of this name as it lies, if it is not due; due ones go.
#[inline]
fn with_field<R>(
    cx: &mut DataContext<'_>,
    key: &[u8],
    name: &[u8],
    show: impl FnOnce(&mut Reply<'_>, Option<Element<'_>>) -> R,
) -> Result<R, CommandError> {
    let clock = cx.db.field_clock();
    let found = lookup(&mut cx.db, key)?.and_then(|hash| hash.get(name));
    if found.is_some_and(|field| is_due(&field, clock)) {
        cx.db.expire_fields(key, [name]);
        return Ok(show(&mut cx.reply, None));
    }
    Ok(show(&mut cx.reply, found.map(|field| field.value)))
}

pub(super) fn reply_value(reply: &mut Reply<'_>, value: Option<Element<'_>>) {
    match value {
        Some(value) => reply_element(reply, value),
        None => reply.null(),
    }
}

fn hget(cx: &mut DataContext<'_>) -> CommandResult {
    with_field(cx, cx.argv[1], cx.argv[2], reply_value)?;
    Ok(Outcome::Done)
}

fn hexists(cx: &mut DataContext<'_>) -> CommandResult {
    with_field(cx, cx.argv[1], cx.argv[2], |reply, value| reply.int(i64::from(value.is_some())))?;
    Ok(Outcome::Done)
}

fn hstrlen(cx: &mut DataContext<'_>) -> CommandResult {
    with_field(cx, cx.argv[1], cx.argv[2], |reply, value| {
        let len = value.map_or(0, |value| value.as_bytes(&mut itoa::Buffer::new()).len());
        reply.int(len as i64);
    })?;
    Ok(Outcome::Done)
}

fn hmget(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, names) = (cx.argv[1], &cx.argv[2..]);
    reply_values(cx, key, names)?;
    Ok(Outcome::Done)
}

/// Writes an array of the values of these fields. Due ones are null, and go.
pub(super) fn reply_values(cx: &mut DataContext<'_>, key: &[u8], names: &[&[u8]]) -> Result<(), CommandError> {
    let clock = cx.db.field_clock();
    let hash = lookup(&mut cx.db, key)?;
    let any_due = hash.is_some_and(|hash| has_due(hash, clock));
    cx.reply.array(names.len());
    for name in names {
        let found = hash.and_then(|hash| hash.get(name)).filter(|field| !is_due(field, clock));
        reply_value(&mut cx.reply, found.map(|field| field.value));
    }
    if any_due {
        cx.db.expire_fields(key, names.iter().copied());
    }
    Ok(())
}

fn hlen(cx: &mut DataContext<'_>) -> CommandResult {
    let len = lookup(&mut cx.db, cx.argv[1])?.map_or(0, HashRef::len);
    cx.reply.int(len as i64);
    Ok(Outcome::Done)
}

/// The fields that are not due, and how many they are.
fn alive(hash: HashRef<'_>, clock: UnixMillis) -> (usize, impl Iterator<Item = Field<'_>>) {
    let filter = has_due(hash, clock);
    let count = if filter { hash.iter().filter(|field| !is_due(field, clock)).count() } else { hash.len() };
    (count, hash.iter().filter(move |field| !filter || !is_due(field, clock)))
}

fn hgetall(cx: &mut DataContext<'_>) -> CommandResult {
    let clock = cx.db.field_clock();
    let Some(hash) = lookup(&mut cx.db, cx.argv[1])? else {
        cx.reply.map(0);
        return Ok(Outcome::Done);
    };
    let (count, fields) = alive(hash, clock);
    cx.reply.map(count);
    for field in fields {
        reply_element(&mut cx.reply, field.name);
        reply_element(&mut cx.reply, field.value);
    }
    Ok(Outcome::Done)
}

fn hkeys(cx: &mut DataContext<'_>) -> CommandResult {
    reply_each(cx, |field| field.name)
}

fn hvals(cx: &mut DataContext<'_>) -> CommandResult {
    reply_each(cx, |field| field.value)
}

fn reply_each(cx: &mut DataContext<'_>, part: impl Fn(Field<'_>) -> Element<'_>) -> CommandResult {
    let clock = cx.db.field_clock();
    let Some(hash) = lookup(&mut cx.db, cx.argv[1])? else {
        cx.reply.array(0);
        return Ok(Outcome::Done);
    };
    let (count, fields) = alive(hash, clock);
    cx.reply.array(count);
    for field in fields {
        reply_element(&mut cx.reply, part(field));
    }
    Ok(Outcome::Done)
}

fn hrandfield(cx: &mut DataContext<'_>) -> CommandResult {
    let (count, with_values) = random_options(cx.argv, "WITHVALUES")?;
    let (mut rng, bin, clock) = (fork_rng(cx), cx.db.keyspace().garbage.bin(), cx.db.field_clock());
    cx.db.expire_due_fields(cx.argv[1], EXPIRE_FIELDS_MAX);
    let entry = cx.db.lookup_read(cx.argv[1]);
    let hash = entry.map(|entry| HashRef::of(entry).ok_or(CommandError::WrongType)).transpose()?;
    let size = hash.map_or(0, |hash| alive(hash, clock).0);
    let (Some(entry), Some(hash), 1..) = (entry, hash, size) else {
        reply_nothing(&mut cx.reply, count);
        return Ok(Outcome::Done);
    };
    let Some(count) = count else {
        if let Some(field) = Alive::of(hash, clock).nth(rng.below(size as u64) as usize) {
            reply_element(&mut cx.reply, field.name);
        }
        return Ok(Outcome::Done);
    };
    // Each slice of a long reply would have to list the fields of a large hash of which some are due.
    let copy = |entry: EntryRef<'_>| {
        let mut copy = OwnedEntry::copy_of(entry);
        hash::pop_due(&mut copy.edit(), clock.0.saturating_sub(1), usize::MAX, |_| {});
        copy
    };
    let choice = RandomChoice { rng, count, size, pairs: with_values, bin };
    choice.reply(&mut cx.reply, entry, copy, move |entry, next, reply| {
        let Some(hash) = HashRef::of(entry) else { return };
        let alive = Alive::of(hash, clock);
        while let Some(index) = next(reply.len()) {
            let Some(field) = alive.nth(index) else { continue };
            if with_values && reply.is_resp3() {
                reply.array(2);
            }
            reply_element(reply, field.name);
            if with_values {
                reply_element(reply, field.value);
            }
        }
    });
    Ok(Outcome::Done)
}

/// The fields of a hash that are not due, by number.
struct Alive<'a> {
    hash: HashRef<'a>,
    /// Fields of a large hash are picked directly, unless some are due; this then stays empty.
    listed: Vec<Field<'a>>,
}

impl<'a> Alive<'a> {
    fn of(hash: HashRef<'a>, clock: UnixMillis) -> Alive<'a> {
        let is_listed = !matches!(hash, HashRef::Dict(_)) || has_due(hash, clock);
        Alive { hash, listed: if is_listed { alive(hash, clock).1.collect() } else { Vec::new() } }
    }

    fn nth(&self, index: usize) -> Option<Field<'a>> {
        match self.hash {
            HashRef::Dict(dict) if self.listed.is_empty() => dict.nth(index as u64).map(Field::from),
            _ => self.listed.get(index).copied(),
        }
    }
}

fn hscan(cx: &mut DataContext<'_>) -> CommandResult {
    let cursor = scan_cursor(cx.argv[2])?;
    let clock = cx.db.field_clock();
    let Some(hash) = lookup(&mut cx.db, cx.argv[1])? else {
        reply_scan(&mut cx.reply, 0, &[]);
        return Ok(Outcome::Done);
    };
    let options = ScanOptions::parse(cx.argv, Group::Hash)?;
    let mut elements = Vec::new();
    let mut digits = itoa::Buffer::new();
    let mut visit = |field: Field<'_>| {
        if is_due(&field, clock) || !options.wants(field.name.as_bytes(&mut digits)) {
            return;
        }
        elements.push(field.name.as_bytes(&mut digits).to_vec());
        if !options.alone {
            elements.push(field.value.as_bytes(&mut digits).to_vec());
        }
    };
    let next = match hash {
        HashRef::Dict(dict) => dict.scan(cursor, options.count, |field| visit(Field::from(field))),
        HashRef::Packed(..) => {
            hash.iter().for_each(visit);
            0
        }
    };
    reply_scan(&mut cx.reply, next, &elements);
    Ok(Outcome::Done)
}
