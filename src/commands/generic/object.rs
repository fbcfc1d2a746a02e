//! OBJECT: how a value is kept, and when it was last used.

use crate::commands::help;
use crate::keyspace::{AccessPolicy, lru};
use crate::resp::CommandError;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::{Encoding, EntryRef, Type};
use crate::types;

pub(super) const OBJECT: Command = Command {
    info: CommandInfo {
        name: "object",
        arity: Arity::AtLeast(2),
        since: "2.2.3",
        group: Group::Generic,
        complexity: "Depends on the subcommand",
        summary: "Looks at how a value is kept.",
        flags: Flags::NONE,
        ..INFO
    },
    handler: Handler::Container(&[OBJECT_ENCODING, OBJECT_FREQ, OBJECT_HELP, OBJECT_IDLETIME, OBJECT_REFCOUNT]),
};
const OBJECT_ENCODING: Command = Command {
    info: CommandInfo {
        name: "encoding",
        arity: Arity::Exactly(3),
        since: "2.2.3",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Tells the encoding of a value.",
        flags: Flags::READONLY,
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::at(2, KeyFlags::RO)],
        arguments: &[key("key", 0)],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(object_encoding),
};
const OBJECT_FREQ: Command = Command {
    info: CommandInfo {
        name: "freq",
        arity: Arity::Exactly(3),
        since: "4.0.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Tells the logarithmic access counter of a key.",
        flags: Flags::READONLY,
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::at(2, KeyFlags::RO)],
        arguments: &[key("key", 0)],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(object_freq),
};
const OBJECT_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "6.2.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Describes the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::KEYSPACE,
        ..INFO
    },
    handler: Handler::Data(object_help),
};
const OBJECT_IDLETIME: Command = Command {
    info: CommandInfo {
        name: "idletime",
        arity: Arity::Exactly(3),
        since: "2.2.3",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Tells the seconds since the last access of a key.",
        flags: Flags::READONLY,
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::at(2, KeyFlags::RO)],
        arguments: &[key("key", 0)],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(object_idletime),
};
const OBJECT_REFCOUNT: Command = Command {
    info: CommandInfo {
        name: "refcount",
        arity: Arity::Exactly(3),
        since: "2.2.3",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Tells the number of references to a value.",
        flags: Flags::READONLY,
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::at(2, KeyFlags::RO)],
        arguments: &[key("key", 0)],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(object_refcount),
};

/// What OBJECT ENCODING calls the way a value is kept.
pub(in crate::commands) fn encoding_name(entry: EntryRef<'_>) -> &'static str {
    match entry.type_() {
        Type::String => types::string::encoding_name(entry),
        Type::List if entry.encoding() == Encoding::Listpack => "listpack",
        Type::List => "quicklist",
        Type::Set => types::set::encoding_name(entry),
        Type::Zset => types::zset::encoding_name(entry),
        Type::Hash => types::hash::encoding_name(entry),
        Type::Stream => "stream",
    }
}

fn object_encoding(cx: &mut DataContext<'_>) -> CommandResult {
    match cx.db.peek(cx.argv[2]).map(encoding_name) {
        Some(name) => cx.reply.bulk(name.as_bytes()),
        None => cx.reply.null(),
    }
    Ok(Outcome::Done)
}

fn object_refcount(cx: &mut DataContext<'_>) -> CommandResult {
    match cx.db.peek(cx.argv[2]) {
        Some(_) => cx.reply.int(1),
        None => cx.reply.null(),
    }
    Ok(Outcome::Done)
}

const LATER: &str =
    "Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";

fn object_freq(cx: &mut DataContext<'_>) -> CommandResult {
    let (policy, now) = (cx.db.keyspace().policy, cx.now);
    let Some(entry) = cx.db.peek(cx.argv[2]) else {
        cx.reply.null();
        return Ok(Outcome::Done);
    };
    if policy.access != AccessPolicy::Lfu {
        let text = "An LFU maxmemory policy is not selected, access frequency not tracked.";
        return Err(CommandError::err(format!("{text} {LATER}")));
    }
    cx.reply.int(i64::from(lru::lfu_counter(entry.lru(), &policy, now)));
    Ok(Outcome::Done)
}

fn object_idletime(cx: &mut DataContext<'_>) -> CommandResult {
    let (access, now) = (cx.db.keyspace().policy.access, cx.now);
    let Some(entry) = cx.db.peek(cx.argv[2]) else {
        cx.reply.null();
        return Ok(Outcome::Done);
    };
    if access == AccessPolicy::Lfu {
        let text = "An LFU maxmemory policy is selected, idle time not tracked.";
        return Err(CommandError::err(format!("{text} {LATER}")));
    }
    cx.reply.int((lru::idle_ms(entry.lru(), now) / 1000) as i64);
    Ok(Outcome::Done)
}

fn object_help(cx: &mut DataContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "OBJECT",
        &[
            ("ENCODING <key>", &["How the value of a key is kept."]),
            ("FREQ <key>", &["How often a key is used, as a logarithmic counter."]),
            ("IDLETIME <key>", &["Seconds since a key was last used."]),
            ("REFCOUNT <key>", &["How many times the value of a key is referred to."]),
        ],
    );
    Ok(Outcome::Done)
}
