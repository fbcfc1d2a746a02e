//! XGROUP: groups and their consumers.

use crate::commands::help;
use crate::keyspace::Notify;
use crate::resp::CommandError;
use crate::server::context::Args;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::stream::{ConsumerGroup, Stream, StreamId};
use crate::storage::{Object, Type};
use crate::types::stream;

use super::add::new_stream;
use super::{change, id, id_or_end, look_at_stream};

pub(super) const XGROUP: Command = Command {
    info: CommandInfo {
        name: "xgroup",
        arity: Arity::AtLeast(2),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "Depends on the subcommand",
        summary: "Manages groups that read a stream.",
        ..INFO
    },
    handler: Handler::Container(&[
        XGROUP_CREATE,
        XGROUP_CREATECONSUMER,
        XGROUP_DELCONSUMER,
        XGROUP_DESTROY,
        XGROUP_HELP,
        XGROUP_SETID,
    ]),
};

const XGROUP_CREATE: Command = Command {
    info: CommandInfo {
        name: "create",
        arity: Arity::AtLeast(5),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(log N) where N is the number of groups",
        summary: "Makes a group.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT))],
        arguments: &[
            key("key", 0),
            string("group"),
            oneof("id-selector", &[string("id"), token("new-id", "$")]),
            token("mkstream", "MKSTREAM").optional(),
            integer("entriesread").token("ENTRIESREAD").optional().display("entries-read"),
        ],
        ..INFO
    },
    handler: Handler::Data(xgroup_create),
};

const XGROUP_CREATECONSUMER: Command = Command {
    info: CommandInfo {
        name: "createconsumer",
        arity: Arity::Exactly(5),
        since: "6.2.0",
        group: Group::Stream,
        complexity: "O(log N) where N is the number of consumers",
        summary: "Makes a consumer of a group.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT))],
        arguments: &[key("key", 0), string("group"), string("consumer")],
        ..INFO
    },
    handler: Handler::Data(xgroup_createconsumer),
};

const XGROUP_DELCONSUMER: Command = Command {
    info: CommandInfo {
        name: "delconsumer",
        arity: Arity::Exactly(5),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(N log M) where N is what the consumer was given and M the number of pending entries",
        summary: "Removes a consumer of a group.",
        flags: Flags::WRITE,
        categories: Categories::STREAM,
        keys: &[KeySpec::at(2, KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), string("group"), string("consumer")],
        ..INFO
    },
    handler: Handler::Data(xgroup_delconsumer),
};

const XGROUP_DESTROY: Command = Command {
    info: CommandInfo {
        name: "destroy",
        arity: Arity::Exactly(4),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(N) where N is the number of pending entries",
        summary: "Removes a group.",
        flags: Flags::WRITE,
        categories: Categories::STREAM,
        keys: &[KeySpec::at(2, KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), string("group")],
        ..INFO
    },
    handler: Handler::Data(xgroup_destroy),
};

const XGROUP_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(1)",
        summary: "Describes the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::STREAM,
        ..INFO
    },
    handler: Handler::Data(xgroup_help),
};

const XGROUP_SETID: Command = Command {
    info: CommandInfo {
        name: "setid",
        arity: Arity::AtLeast(5),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(log N) where N is the number of groups",
        summary: "Sets the last ID that a group was given.",
        flags: Flags::WRITE,
        categories: Categories::STREAM,
        keys: &[KeySpec::at(2, KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            string("group"),
            oneof("id-selector", &[string("id"), token("new-id", "$")]),
            integer("entriesread").token("ENTRIESREAD").optional().display("entries-read"),
        ],
        ..INFO
    },
    handler: Handler::Data(xgroup_setid),
};

const KEY_NEEDED: &str = "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the \
                          MKSTREAM option to create an empty stream automatically.";

/// The options of CREATE and SETID.
#[derive(Default)]
struct GroupOptions {
    make: bool,
    entries_read: Option<i64>,
}

impl GroupOptions {
    fn parse(argv: &[&[u8]], may_make: bool) -> Result<GroupOptions, CommandError> {
        let mut options = GroupOptions::default();
        let mut args = Args::new(argv, 5);
        while args.left() > 0 {
            if may_make && args.take_word("MKSTREAM") {
                options.make = true;
            } else if args.left() > 1 && args.take_word("ENTRIESREAD") {
                let count = args.integer()?;
                if count < -1 {
                    return Err(CommandError::err("value for ENTRIESREAD must be positive or -1"));
                }
                options.entries_read = Some(count);
            } else {
                return Err(CommandError::subcommand_syntax("XGROUP", argv[1]));
            }
        }
        Ok(options)
    }

    /// What the group has read: never more than was added.
    fn entries_read(&self, stream: &Stream) -> Option<u64> {
        u64::try_from(self.entries_read?).ok().map(|count| count.min(stream.entries_added))
    }
}

fn no_group(group: &[u8], key: &[u8]) -> CommandError {
    let shown = crate::base::shown::shown;
    CommandError::coded(format!("NOGROUP No such consumer group '{}' for key name '{}'", shown(group), shown(key)))
}

/// The stream at a key and the group that must be in it.
fn existing_group(cx: &mut DataContext<'_>, key: &[u8], group: &[u8]) -> Result<(), CommandError> {
    let stream = look_at_stream(&mut cx.db, key)?.ok_or(CommandError::err(KEY_NEEDED))?;
    stream.group(group).map(drop).ok_or_else(|| no_group(group, key))
}

fn xgroup_create(cx: &mut DataContext<'_>) -> CommandResult {
    let [_, _, key, group, given, ..] = *cx.argv else { return Err(CommandError::Syntax) };
    let options = GroupOptions::parse(cx.argv, true)?;
    let found = look_at_stream(&mut cx.db, key)?.map(|stream| (stream.last_id, stream.group(group).is_some()));
    if found.is_none() && !options.make {
        return Err(CommandError::err(KEY_NEEDED));
    }
    let last = if given == b"$" { found.map_or(StreamId::MIN, |(last, _)| last) } else { id(given, 0)? };
    match found {
        Some((_, true)) => return Err(CommandError::coded("BUSYGROUP Consumer Group name already exists")),
        Some((_, false)) => {}
        None => {
            let stream = new_stream(cx);
            cx.db.add(key, Type::Stream, stream::new_value(stream), None);
        }
    }
    change(&mut cx.db, key, |stream| {
        let entries_read = options.entries_read(stream);
        stream.add_group(group, ConsumerGroup::new(last, entries_read))
    })?;
    match found {
        Some(_) => cx.db.count_changes(1),
        None => cx.db.modified(key),
    }
    cx.db.notify(Notify::STREAM, "xgroup-create", key);
    cx.reply.ok();
    Ok(Outcome::Done)
}

fn xgroup_setid(cx: &mut DataContext<'_>) -> CommandResult {
    let [_, _, key, group, given, ..] = *cx.argv else { return Err(CommandError::Syntax) };
    let options = GroupOptions::parse(cx.argv, false)?;
    existing_group(cx, key, group)?;
    let given = if given == b"$" { None } else { Some(id_or_end(given)?) };
    change(&mut cx.db, key, |stream| {
        let (last, entries_read) = (given.unwrap_or(stream.last_id), options.entries_read(stream));
        if let Some(group) = stream.group_mut(group) {
            (group.last_id, group.entries_read) = (last, entries_read);
        }
    })?;
    cx.db.count_changes(1);
    cx.db.notify(Notify::STREAM, "xgroup-setid", key);
    cx.reply.ok();
    Ok(Outcome::Done)
}

fn xgroup_destroy(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, group) = (cx.argv[2], cx.argv[3]);
    if look_at_stream(&mut cx.db, key)?.is_none() {
        return Err(CommandError::err(KEY_NEEDED));
    }
    let removed = change(&mut cx.db, key, |stream| stream.remove_group(group))?.flatten();
    let is_removed = removed.is_some();
    if let Some(removed) = removed {
        cx.db.discard_part(Box::new(Object::Stream(Box::new(removed))));
        cx.db.count_changes(1);
        cx.db.notify(Notify::STREAM, "xgroup-destroy", key);
        // Those who wait for this group learn that it is gone.
        cx.db.ready(key);
    }
    cx.reply.int(i64::from(is_removed));
    Ok(Outcome::Done)
}

fn xgroup_createconsumer(cx: &mut DataContext<'_>) -> CommandResult {
    let [_, _, key, group, consumer] = *cx.argv else { return Err(CommandError::Syntax) };
    existing_group(cx, key, group)?;
    let now = cx.now.0;
    let is_added = change(&mut cx.db, key, |stream| {
        stream.group_mut(group).is_some_and(|group| group.add_consumer(consumer, now))
    })? == Some(true);
    if is_added {
        cx.db.count_changes(1);
        cx.db.notify(Notify::STREAM, "xgroup-createconsumer", key);
    }
    cx.reply.int(i64::from(is_added));
    Ok(Outcome::Done)
}

fn xgroup_delconsumer(cx: &mut DataContext<'_>) -> CommandResult {
    let [_, _, key, group, consumer] = *cx.argv else { return Err(CommandError::Syntax) };
    existing_group(cx, key, group)?;
    let removed =
        change(&mut cx.db, key, |stream| stream.group_mut(group).and_then(|group| group.remove_consumer(consumer)))?
            .flatten();
    if removed.is_some() {
        cx.db.count_changes(1);
        cx.db.notify(Notify::STREAM, "xgroup-delconsumer", key);
    }
    cx.reply.int(removed.unwrap_or(0) as i64);
    Ok(Outcome::Done)
}

fn xgroup_help(cx: &mut DataContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "XGROUP",
        &[
            (
                "CREATE <key> <groupname> <id|$> [option]",
                &[
                    "Make a group that has read up to an ID. Options:",
                    "* MKSTREAM",
                    "  Make an empty stream if there is none.",
                    "* ENTRIESREAD entries_read",
                    "  How many entries the group has read.",
                ],
            ),
            ("CREATECONSUMER <key> <groupname> <consumer>", &["Make a consumer of a group."]),
            ("DELCONSUMER <key> <groupname> <consumer>", &["Remove a consumer and what it has pending."]),
            ("DESTROY <key> <groupname>", &["Remove a group."]),
            (
                "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
                &["Set up to which ID, and how many entries, a group has read."],
            ),
        ],
    );
    Ok(Outcome::Done)
}
