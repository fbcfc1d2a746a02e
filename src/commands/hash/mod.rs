//! Hashes: writing fields. `read` reads them, `expire` has the fields that expire.

mod expire;
mod read;

use crate::base::long_double::LongDouble;
use crate::base::number;
use crate::keyspace::{Db, Notify};
use crate::resp::CommandError;
use crate::server::context;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::listpack::Element;
use crate::storage::{EntryMut, Type};
use crate::types::Limits;
use crate::types::hash::{self, FieldTtl, HashRef};

/// The family.
pub const COMMANDS: &[Command] = &[
    HSET,
    HSETNX,
    HMSET,
    HDEL,
    HINCRBY,
    HINCRBYFLOAT,
    read::HGET,
    read::HMGET,
    read::HGETALL,
    read::HKEYS,
    read::HVALS,
    read::HLEN,
    read::HSTRLEN,
    read::HEXISTS,
    read::HRANDFIELD,
    read::HSCAN,
    expire::HEXPIRE,
    expire::HPEXPIRE,
    expire::HEXPIREAT,
    expire::HPEXPIREAT,
    expire::HPERSIST,
    expire::HTTL,
    expire::HPTTL,
    expire::HEXPIRETIME,
    expire::HPEXPIRETIME,
    expire::HGETEX,
    expire::HSETEX,
    expire::HGETDEL,
];

const HSET: Command = Command {
    info: CommandInfo {
        name: "hset",
        arity: Arity::AtLeast(4),
        since: "2.0.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields set",
        summary: "Sets fields of a hash, making the hash if there is none.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), block("data", &[string("field"), string("value")]).multiple()],
        ..INFO
    },
    handler: Handler::Data(hset),
};

const HSETNX: Command = Command {
    info: CommandInfo {
        name: "hsetnx",
        arity: Arity::Exactly(4),
        since: "2.0.0",
        group: Group::Hash,
        complexity: "O(1)",
        summary: "Sets a field of a hash unless the hash has that field.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::INSERT))],
        arguments: &[key("key", 0), string("field"), string("value")],
        ..INFO
    },
    handler: Handler::Data(hsetnx),
};

const HMSET: Command = Command {
    info: CommandInfo {
        name: "hmset",
        arity: Arity::AtLeast(4),
        since: "2.0.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields set",
        summary: "Sets several fields of a hash.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), block("data", &[string("field"), string("value")]).multiple()],
        deprecated: Some(("4.0.0", "`HSET` with several fields and values")),
        ..INFO
    },
    handler: Handler::Data(hmset),
};

const HDEL: Command = Command {
    info: CommandInfo {
        name: "hdel",
        arity: Arity::AtLeast(3),
        since: "2.0.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Removes fields from a hash, and the hash with its last field.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), string("field").multiple()],
        ..INFO
    },
    handler: Handler::Data(hdel),
};

const HINCRBY: Command = Command {
    info: CommandInfo {
        name: "hincrby",
        arity: Arity::Exactly(4),
        since: "2.0.0",
        group: Group::Hash,
        complexity: "O(1)",
        summary: "Adds an integer to the integer in a field of a hash; a missing field counts as 0.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), string("field"), integer("increment")],
        ..INFO
    },
    handler: Handler::Data(hincrby),
};

const HINCRBYFLOAT: Command = Command {
    info: CommandInfo {
        name: "hincrbyfloat",
        arity: Arity::Exactly(4),
        since: "2.6.0",
        group: Group::Hash,
        complexity: "O(1)",
        summary: "Adds a number to the number in a field of a hash; a missing field counts as 0.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), string("field"), double("increment")],
        ..INFO
    },
    handler: Handler::Data(hincrbyfloat),
};

/// The hash of a key, to read.
#[inline]
fn lookup<'a>(db: &'a mut Db<'_>, key: &[u8]) -> Result<Option<HashRef<'a>>, CommandError> {
    match db.lookup_read(key) {
        None => Ok(None),
        Some(entry) => HashRef::of(entry).map(Some).ok_or(CommandError::WrongType),
    }
}

fn limits(cx: &DataContext<'_>) -> Limits {
    Limits::new(cx.config.hash_max_listpack_entries, cx.config.hash_max_listpack_value)
}

/// Runs `write` on the hash of a key, which is made if there is none. `write` must leave at least one field in it.
#[inline]
fn write<R>(cx: &mut DataContext<'_>, key: &[u8], write: impl Fn(&mut EntryMut<'_>) -> R) -> Result<R, CommandError> {
    let written = cx.db.change_hash(key, |entry| (entry.type_() == Type::Hash).then(|| write(entry)));
    match written {
        Some(written) => written.ok_or(CommandError::WrongType),
        None => Ok(cx.db.add_hash(key, write)),
    }
}

/// Deletes a hash that lost its last field.
fn delete_if_empty(cx: &mut DataContext<'_>, key: &[u8]) {
    if cx.db.peek(key).and_then(HashRef::of).is_some_and(HashRef::is_empty) {
        cx.db.delete(key);
        cx.db.notify(Notify::GENERIC, "del", key);
    }
}

/// Sets all pairs of the request; returns how many fields are new.
fn set_pairs(cx: &mut DataContext<'_>, name: &'static str) -> Result<usize, CommandError> {
    if !cx.argv.len().is_multiple_of(2) {
        return Err(CommandError::Arity(name.into()));
    }
    let (key, pairs) = (cx.argv[1], &cx.argv[2..]);
    let (limits, seed) = (limits(cx), cx.db.keyspace().hash_seed());
    let created = write(cx, key, |entry| {
        hash::reserve(entry, pairs.len() / 2, limits, seed);
        let mut created = 0;
        for pair in pairs.chunks_exact(2) {
            created += usize::from(hash::set(entry, pair[0], pair[1], FieldTtl::Clear, limits, seed));
        }
        created
    })?;
    cx.db.modified_times(key, pairs.len() as u64 / 2);
    cx.db.notify_subkeys(Notify::HASH, "hset", key, || pairs.chunks_exact(2).map(|pair| pair[0].to_vec()).collect());
    Ok(created)
}

fn hset(cx: &mut DataContext<'_>) -> CommandResult {
    let created = set_pairs(cx, "hset")?;
    cx.reply.int(created as i64);
    Ok(Outcome::Done)
}

fn hmset(cx: &mut DataContext<'_>) -> CommandResult {
    set_pairs(cx, "hmset")?;
    cx.reply.ok();
    Ok(Outcome::Done)
}

/// Sets one field, which keeps its expiry, and tells of it.
fn set_one(cx: &mut DataContext<'_>, value: &[u8], event: &'static str) -> Result<(), CommandError> {
    let (key, name) = (cx.argv[1], cx.argv[2]);
    let (limits, seed) = (limits(cx), cx.db.keyspace().hash_seed());
    write(cx, key, |entry| hash::set(entry, name, value, FieldTtl::Keep, limits, seed))?;
    cx.db.modified(key);
    cx.db.notify_subkeys(Notify::HASH, event, key, || vec![name.to_vec()]);
    Ok(())
}

fn hsetnx(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, name) = (cx.argv[1], cx.argv[2]);
    cx.db.expire_fields(key, [name]);
    let is_there = lookup(&mut cx.db, key)?.is_some_and(|hash| hash.get(name).is_some());
    if !is_there {
        set_one(cx, cx.argv[3], "hset")?;
    }
    cx.reply.int(i64::from(!is_there));
    Ok(Outcome::Done)
}

fn hdel(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, names) = (cx.argv[1], &cx.argv[2..]);
    let mut removed = Vec::new();
    let wants_names = cx.db.wants_subkeys(Notify::HASH);
    let mut count = 0;
    let found = cx.db.change_hash(key, |entry| {
        if entry.type_() != Type::Hash {
            return Err(CommandError::WrongType);
        }
        for name in names {
            if hash::remove(entry, name) {
                count += 1;
                if wants_names {
                    removed.push(name.to_vec());
                }
            }
        }
        Ok(())
    });
    found.unwrap_or(Ok(()))?;
    if count > 0 {
        cx.db.modified_times(key, count);
        cx.db.notify_subkeys(Notify::HASH, "hdel", key, || removed);
        delete_if_empty(cx, key);
    }
    cx.reply.int(count as i64);
    Ok(Outcome::Done)
}

fn hincrby(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, name) = (cx.argv[1], cx.argv[2]);
    let increment = context::integer(cx.argv[3])?;
    cx.db.expire_fields(key, [name]);
    let old = match lookup(&mut cx.db, key)?.and_then(|hash| hash.get(name)).map(|field| field.value) {
        None => 0,
        Some(Element::Int(number)) => number,
        Some(Element::Str(text)) => number::parse_i64(text).ok_or(CommandError::err("hash value is not an integer"))?,
    };
    let new = old.checked_add(increment).ok_or(CommandError::IncrOverflow)?;
    set_one(cx, number::Decimal::new().i64(new), "hincrby")?;
    cx.reply.int(new);
    Ok(Outcome::Done)
}

fn hincrbyfloat(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, name) = (cx.argv[1], cx.argv[2]);
    let increment = LongDouble::parse(cx.argv[3]).ok_or(CommandError::NotFloat)?;
    if !increment.is_finite() {
        return Err(CommandError::err("value is NaN or Infinity"));
    }
    cx.db.expire_fields(key, [name]);
    let old = match lookup(&mut cx.db, key)?.and_then(|hash| hash.get(name)).map(|field| field.value) {
        None => LongDouble::from_i64(0),
        Some(Element::Int(number)) => LongDouble::from_i64(number),
        Some(Element::Str(text)) => LongDouble::parse(text).ok_or(CommandError::err("hash value is not a float"))?,
    };
    let new = old.add(increment);
    if !new.is_finite() {
        return Err(CommandError::err("increment would produce NaN or Infinity"));
    }
    let text = new.format();
    set_one(cx, text.as_bytes(), "hincrbyfloat")?;
    cx.reply.bulk(text.as_bytes());
    cx.propagate_as(&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", name, text.as_bytes()]);
    Ok(Outcome::Done)
}
