//! Strings.

use crate::keyspace::{KeepTtl, Notify};
use crate::resp::{CommandError, Reply};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::{EntryRef, Object, Type, Value};
use crate::types;

/// The family.
pub const COMMANDS: &[Command] = &[GET, SET];

const GET: Command = Command {
    info: CommandInfo {
        name: "get",
        arity: Arity::Exactly(2),
        since: "1.0.0",
        group: Group::String,
        complexity: "TODO",
        summary: "TODO",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(get),
};

const SET: Command = Command {
    info: CommandInfo {
        name: "set",
        arity: Arity::AtLeast(3),
        since: "1.0.0",
        group: Group::String,
        complexity: "TODO",
        summary: "TODO",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE).or(KeyFlags::VARIABLE_FLAGS))],
        arguments: &[
            key("key", 0),
            string("value"),
            oneof(
                "condition",
                &[
                    token("nx", "NX"),
                    token("xx", "XX"),
                    string("ifeq-value").token("IFEQ").since("8.4.0"),
                    string("ifne-value").token("IFNE").since("8.4.0"),
                    string("ifdeq-digest").token("IFDEQ").since("8.4.0"),
                    string("ifdne-digest").token("IFDNE").since("8.4.0"),
                ],
            )
            .optional()
            .since("2.6.12"),
            token("get", "GET").optional().since("6.2.0"),
            oneof(
                "expiration",
                &[
                    integer("seconds").token("EX").since("2.6.12"),
                    integer("milliseconds").token("PX").since("2.6.12"),
                    unix_time("unix-time-seconds").token("EXAT").since("6.2.0"),
                    unix_time("unix-time-milliseconds").token("PXAT").since("6.2.0"),
                    token("keepttl", "KEEPTTL").since("6.0.0"),
                ],
            )
            .optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(set),
};

/// Writes a string value as it lies.
pub(super) fn reply_string(reply: &mut Reply<'_>, entry: EntryRef<'_>) {
    match entry.value() {
        Value::Bytes(bytes) => reply.bulk(bytes),
        Value::Int(number) => reply.bulk_int(number),
        Value::Object(Object::Blob(blob)) => reply.bulk_shared(blob),
        Value::Object(_) => reply.null(),
    }
}

fn get(cx: &mut DataContext<'_>) -> CommandResult {
    match cx.db.lookup_read(cx.argv[1]) {
        None => cx.reply.null(),
        Some(entry) if entry.type_() != Type::String => return Err(CommandError::WrongType),
        Some(entry) => reply_string(&mut cx.reply, entry),
    }
    Ok(Outcome::Done)
}

fn set(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, value) = (cx.argv[1], cx.argv[2]);
    if cx.argv.len() > 3 {
        return Err(CommandError::Syntax);
    }
    let value = types::string::new_value(value, cx.big_arg(2));
    cx.db.set_value(key, Type::String, value, KeepTtl::Clear);
    cx.db.modified(key);
    cx.db.notify(Notify::STRING, "set", key);
    cx.reply.ok();
    Ok(Outcome::Done)
}
