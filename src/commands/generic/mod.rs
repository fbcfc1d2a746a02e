//! Keys of any type: deleting, renaming, copying, expiring, finding, sorting, and whole databases.

mod expire;
mod flush;
mod object;
mod scan;
mod sort;

use crate::keyspace::{Db, DbIndex, Freeing, KeepTtl, Notify};
use crate::resp::CommandError;
use crate::server::context::{self, Args};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::{Encoding, NewValue, Type, Value};

/// The family.
pub const COMMANDS: &[Command] = &[
    COPY,
    DEL,
    EXISTS,
    MOVE,
    RENAME,
    RENAMENX,
    TOUCH,
    TYPE,
    UNLINK,
    expire::EXPIRE,
    expire::EXPIREAT,
    expire::EXPIRETIME,
    expire::PERSIST,
    expire::PEXPIRE,
    expire::PEXPIREAT,
    expire::PEXPIRETIME,
    expire::PTTL,
    expire::TTL,
    flush::DBSIZE,
    flush::FLUSHALL,
    flush::FLUSHDB,
    flush::SWAPDB,
    flush::WAIT,
    flush::WAITAOF,
    object::OBJECT,
    scan::KEYS,
    scan::RANDOMKEY,
    scan::SCAN,
    sort::SORT,
    sort::SORT_RO,
];

const COPY: Command = Command {
    info: CommandInfo {
        name: "copy",
        arity: Arity::AtLeast(3),
        since: "6.2.0",
        group: Group::Generic,
        complexity: "O(1) for large collections, which share their parts; O(N) for short values",
        summary: "Gives another key a copy of a value and its expiry.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS)), KeySpec::at(2, KeyFlags::OW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("source", 0),
            key("destination", 1),
            integer("destination-db").token("DB").optional(),
            token("replace", "REPLACE").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(copy),
};
const DEL: Command = Command {
    info: CommandInfo {
        name: "del",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(N) where N is the number of keys, and of the elements freed with them",
        summary: "Removes keys.",
        flags: Flags::WRITE,
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RM.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0).multiple()],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..INFO
    },
    handler: Handler::Data(del),
};
const EXISTS: Command = Command {
    info: CommandInfo {
        name: "exists",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(N) where N is the number of keys",
        summary: "Counts which of the given keys exist.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
        arguments: &[key("key", 0).multiple()],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..INFO
    },
    handler: Handler::Data(exists),
};
const MOVE: Command = Command {
    info: CommandInfo {
        name: "move",
        arity: Arity::Exactly(3),
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Moves a key to another database.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), integer("db")],
        ..INFO
    },
    handler: Handler::Data(move_),
};
const RENAME: Command = Command {
    info: CommandInfo {
        name: "rename",
        arity: Arity::Exactly(3),
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(1), and freeing the value that is overwritten",
        summary: "Gives a key another name, overwriting any key that has it.",
        flags: Flags::WRITE,
        categories: Categories::KEYSPACE,
        keys: &[
            KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
            KeySpec::at(2, KeyFlags::OW.or(KeyFlags::UPDATE)),
        ],
        arguments: &[key("key", 0), key("newkey", 1)],
        ..INFO
    },
    handler: Handler::Data(rename),
};
const RENAMENX: Command = Command {
    info: CommandInfo {
        name: "renamenx",
        arity: Arity::Exactly(3),
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Gives a key another name if no key has it.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::KEYSPACE,
        keys: &[
            KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
            KeySpec::at(2, KeyFlags::OW.or(KeyFlags::INSERT)),
        ],
        arguments: &[key("key", 0), key("newkey", 1)],
        ..INFO
    },
    handler: Handler::Data(renamenx),
};
const TOUCH: Command = Command {
    info: CommandInfo {
        name: "touch",
        arity: Arity::AtLeast(2),
        since: "3.2.1",
        group: Group::Generic,
        complexity: "O(N) where N is the number of keys",
        summary: "Marks keys as accessed and counts which exist.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
        arguments: &[key("key", 0).multiple()],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..INFO
    },
    handler: Handler::Data(touch),
};
const TYPE: Command = Command {
    info: CommandInfo {
        name: "type",
        arity: Arity::Exactly(2),
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Tells the type of a value.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RO)],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(type_),
};
const UNLINK: Command = Command {
    info: CommandInfo {
        name: "unlink",
        arity: Arity::AtLeast(2),
        since: "4.0.0",
        group: Group::Generic,
        complexity: "O(1) for each key; another thread frees the values",
        summary: "Removes keys and frees them in the background.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RM.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0).multiple()],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..INFO
    },
    handler: Handler::Data(unlink),
};

/// A database that an argument names.
pub(super) fn database(cx: &mut DataContext<'_>, arg: &[u8]) -> Result<DbIndex, CommandError> {
    let number = context::database_number(arg)?;
    let known = u16::try_from(number).ok().filter(|&n| usize::from(n) < cx.db.keyspace().databases());
    known.map(DbIndex).ok_or_else(|| CommandError::err("DB index is out of range"))
}

fn delete(cx: &mut DataContext<'_>, freeing: Freeing) -> CommandResult {
    let mut removed = 0;
    for key in &cx.argv[1..] {
        // A key whose time has come expires; it is not deleted by this command.
        if cx.db.exists(key) && cx.db.delete_by(key, freeing) {
            cx.db.modified(key);
            cx.db.notify(Notify::GENERIC, "del", key);
            removed += 1;
        }
    }
    cx.reply.int(removed);
    Ok(Outcome::Done)
}

fn del(cx: &mut DataContext<'_>) -> CommandResult {
    let lazy = cx.db.keyspace().policy.lazyfree_lazy_user_del;
    delete(cx, if lazy { Freeing::Lazy } else { Freeing::Sync })
}

fn unlink(cx: &mut DataContext<'_>) -> CommandResult {
    delete(cx, Freeing::Lazy)
}

/// Counts the keys that exist, with or without noting an access.
fn count_existing(cx: &mut DataContext<'_>, touch: bool) -> CommandResult {
    let no_touch = std::mem::replace(&mut cx.db.keyspace().no_touch, !touch);
    let count = cx.argv[1..].iter().filter(|key| cx.db.lookup_read(key).is_some()).count();
    cx.db.keyspace().no_touch = no_touch;
    cx.reply.int(count as i64);
    Ok(Outcome::Done)
}

fn exists(cx: &mut DataContext<'_>) -> CommandResult {
    count_existing(cx, false)
}

fn touch(cx: &mut DataContext<'_>) -> CommandResult {
    count_existing(cx, true)
}

fn type_(cx: &mut DataContext<'_>) -> CommandResult {
    let name = cx.db.peek(cx.argv[1]).map_or("none", |entry| entry.type_().name());
    cx.reply.simple(name);
    Ok(Outcome::Done)
}

/// Moves a key to another name. False if that one exists and must not be replaced.
fn rename_key(cx: &mut DataContext<'_>, replace: bool) -> Result<bool, CommandError> {
    let (from, to) = (cx.argv[1], cx.argv[2]);
    if !cx.db.exists(from) {
        return Err(CommandError::NoSuchKey);
    }
    if from == to {
        return Ok(false);
    }
    let replaced = cx.db.peek(to).map(|entry| entry.type_());
    if replaced.is_some() {
        if !replace {
            return Ok(false);
        }
        cx.db.delete(to);
    }
    let Some(entry) = cx.db.take(from) else { return Err(CommandError::NoSuchKey) };
    let type_ = entry.read().type_();
    cx.db.put_back(to, entry);
    cx.db.modified(from);
    cx.db.modified_times(to, 0);
    cx.db.notify(Notify::GENERIC, "rename_from", from);
    cx.db.notify(Notify::GENERIC, "rename_to", to);
    notify_replaced(&mut cx.db, to, replaced, type_);
    Ok(true)
}

/// Tells of the value that a key had before, if it had one.
fn notify_replaced(db: &mut Db<'_>, key: &[u8], replaced: Option<Type>, type_: Type) {
    let Some(replaced) = replaced else { return };
    db.notify(Notify::OVERWRITTEN, "overwritten", key);
    if replaced != type_ {
        db.notify(Notify::TYPE_CHANGED, "type_changed", key);
    }
}

fn rename(cx: &mut DataContext<'_>) -> CommandResult {
    rename_key(cx, true)?;
    cx.reply.ok();
    Ok(Outcome::Done)
}

fn renamenx(cx: &mut DataContext<'_>) -> CommandResult {
    let moved = rename_key(cx, false)?;
    cx.reply.int(i64::from(moved));
    Ok(Outcome::Done)
}

fn same_objects() -> CommandError {
    CommandError::err("source and destination objects are the same")
}

fn move_(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let target = database(cx, cx.argv[2])?;
    if target == cx.db.index() {
        return Err(same_objects());
    }
    if !cx.db.exists(key) || cx.db.at(target).exists(key) {
        cx.reply.int(0);
        return Ok(Outcome::Done);
    }
    if let Some(entry) = cx.db.take(key) {
        let mut other = cx.db.at(target);
        other.put_back(key, entry);
        other.modified_times(key, 0);
    }
    cx.db.modified(key);
    cx.db.notify(Notify::GENERIC, "move_from", key);
    cx.db.at(target).notify(Notify::GENERIC, "move_to", key);
    cx.reply.int(1);
    Ok(Outcome::Done)
}

/// A value copied out of its entry.
enum Copied {
    Int(i64),
    Bytes(Encoding, Vec<u8>),
    Object(Encoding, Box<crate::storage::Object>),
}

fn copy(cx: &mut DataContext<'_>) -> CommandResult {
    let (from, to) = (cx.argv[1], cx.argv[2]);
    let (mut target, mut replace) = (cx.db.index(), false);
    let mut args = Args::new(cx.argv, 3);
    while args.left() > 0 {
        if args.take_word("REPLACE") {
            replace = true;
        } else if args.left() >= 2 && args.take_word("DB") {
            let arg = args.required()?;
            target = database(cx, arg)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if target == cx.db.index() && from == to {
        return Err(same_objects());
    }
    let Some(entry) = cx.db.lookup_read(from) else {
        cx.reply.int(0);
        return Ok(Outcome::Done);
    };
    let (type_, expire, is_raw): (Type, _, _) = (entry.type_(), entry.expire_at(), entry.is_raw());
    let copied = match entry.value() {
        Value::Int(number) => Copied::Int(number),
        Value::Bytes(bytes) => Copied::Bytes(entry.encoding(), bytes.to_vec()),
        // The nodes are shared until one of the two changes.
        Value::Object(object) => Copied::Object(entry.encoding(), Box::new(object.clone())),
    };
    let mut other = cx.db.at(target);
    let replaced = other.peek(to).map(|entry| entry.type_());
    if replaced.is_some() {
        if !replace {
            cx.reply.int(0);
            return Ok(Outcome::Done);
        }
        other.delete(to);
    }
    let ttl = expire.map_or(KeepTtl::Clear, KeepTtl::At);
    match copied {
        Copied::Int(number) => other.set_value(to, type_, NewValue::Int(number), ttl),
        Copied::Bytes(encoding, bytes) => other.set_value(to, type_, NewValue::Bytes(encoding, &bytes), ttl),
        Copied::Object(encoding, object) => other.set_value(to, type_, NewValue::Object(encoding, object), ttl),
    }
    if is_raw && let Some(mut entry) = other.lookup_write(to) {
        entry.set_raw(true);
    }
    other.modified(to);
    other.notify(Notify::GENERIC, "copy_to", to);
    notify_replaced(&mut other, to, replaced, type_);
    cx.reply.int(1);
    Ok(Outcome::Done)
}
