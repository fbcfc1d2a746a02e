//! XINFO: what there is to tell of a stream, its groups and their consumers.

use crate::base::shown::shown;
use crate::commands::help;
use crate::resp::{CommandError, Reply};
use crate::server::context::integer as parse_integer;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::stream::{ConsumerGroup, Stream, StreamId};
use crate::types::stream;

use super::add::remembered_since;
use super::{read_stream, reply_entries, reply_entry, reply_id};

pub(super) const XINFO: Command = Command {
    info: CommandInfo {
        name: "xinfo",
        arity: Arity::AtLeast(2),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "Depends on the subcommand",
        summary: "Looks at a stream and its groups.",
        ..INFO
    },
    handler: Handler::Container(&[XINFO_CONSUMERS, XINFO_GROUPS, XINFO_HELP, XINFO_STREAM]),
};

const XINFO_CONSUMERS: Command = Command {
    info: CommandInfo {
        name: "consumers",
        arity: Arity::Exactly(4),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(N) where N is the number of consumers",
        summary: "Tells of the consumers of a group.",
        flags: Flags::READONLY,
        categories: Categories::STREAM,
        keys: &[KeySpec::at(2, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("group")],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(xinfo_consumers),
};

const XINFO_GROUPS: Command = Command {
    info: CommandInfo {
        name: "groups",
        arity: Arity::Exactly(3),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(N) where N is the number of groups",
        summary: "Tells of the groups of a stream.",
        flags: Flags::READONLY,
        categories: Categories::STREAM,
        keys: &[KeySpec::at(2, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(xinfo_groups),
};

const XINFO_HELP: Command = Command {
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
    handler: Handler::Data(xinfo_help),
};

const XINFO_STREAM: Command = Command {
    info: CommandInfo {
        name: "stream",
        arity: Arity::AtLeast(3),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(N) where N is the number of nodes",
        summary: "Tells of a stream.",
        flags: Flags::READONLY,
        categories: Categories::STREAM,
        keys: &[KeySpec::at(2, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            block("full-block", &[token("full", "FULL"), integer("count").token("COUNT").optional()]).optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(xinfo_stream),
};

/// Entries, pending entries and the like that XINFO STREAM FULL shows of each kind.
const COUNT: usize = 10;

fn name(reply: &mut Reply<'_>, name: &str) {
    reply.bulk(name.as_bytes());
}

fn number(reply: &mut Reply<'_>, label: &str, number: i64) {
    name(reply, label);
    reply.int(number);
}

fn maybe(reply: &mut Reply<'_>, label: &str, number: Option<i64>) {
    name(reply, label);
    match number {
        Some(number) => reply.int(number),
        None => reply.null(),
    }
}

fn labelled_id(reply: &mut Reply<'_>, label: &str, id: StreamId) {
    name(reply, label);
    reply_id(reply, id);
}

fn xinfo_stream(cx: &mut DataContext<'_>) -> CommandResult {
    let now = cx.now.0;
    let DataContext { db, reply, .. } = cx;
    let stream = read_stream(db, cx.argv[2])?.ok_or(CommandError::NoSuchKey)?;
    let full = parse_full(cx.argv)?;
    reply.map(if full.is_some() { 15 } else { 16 });
    number(reply, "length", stream.len() as i64);
    number(reply, "radix-tree-keys", stream.node_count() as i64);
    number(reply, "radix-tree-nodes", stream::radix_nodes(stream.nodes().map(|(id, _)| id)) as i64);
    labelled_id(reply, "last-generated-id", stream.last_id);
    labelled_id(reply, "max-deleted-entry-id", stream.max_deleted_id);
    number(reply, "entries-added", stream.entries_added as i64);
    labelled_id(reply, "recorded-first-entry-id", stream.first_id().unwrap_or(StreamId::MIN));
    write_additions(reply, stream, now);
    match full {
        None => {
            number(reply, "groups", stream.group_count() as i64);
            let first = stream.range(StreamId::MIN, StreamId::MAX).next();
            let last = stream.range_back(StreamId::MIN, StreamId::MAX).next();
            for (label, entry) in [("first-entry", first), ("last-entry", last)] {
                name(reply, label);
                match entry {
                    Some(entry) => reply_entry(reply, entry),
                    None => reply.null(),
                }
            }
        }
        Some(count) => {
            name(reply, "entries");
            reply_entries(reply, stream.range(StreamId::MIN, StreamId::MAX).take(count));
            name(reply, "groups");
            reply.array(stream.group_count());
            stream.groups().for_each(|(name, group)| write_group(reply, stream, name.bytes(), group, count));
        }
    }
    Ok(Outcome::Done)
}

/// FULL, and how much of each kind is shown then.
fn parse_full(argv: &[&[u8]]) -> Result<Option<usize>, CommandError> {
    match *argv {
        [_, _, _] => Ok(None),
        [_, _, _, word, ref rest @ ..] if word.eq_ignore_ascii_case(b"FULL") => match *rest {
            [] => Ok(Some(COUNT)),
            [word, count] if word.eq_ignore_ascii_case(b"COUNT") => match parse_integer(count)? {
                0 => Ok(Some(usize::MAX)),
                count => Ok(Some(usize::try_from(count).unwrap_or(COUNT))),
            },
            _ => Err(CommandError::subcommand_syntax("XINFO", argv[1])),
        },
        _ => Err(CommandError::subcommand_syntax("XINFO", argv[1])),
    }
}

/// What is remembered of additions.
fn write_additions(reply: &mut Reply<'_>, stream: &Stream, now: i64) {
    let since = remembered_since(stream, now);
    let (mut producers, mut tracked) = (0, 0);
    for (_, additions) in stream.additions.iter().flat_map(|additions| additions.producers(since)) {
        let count = additions.count();
        tracked += count;
        producers += usize::from(count > 0);
    }
    let (added, duplicates) = stream.additions.as_ref().map_or((0, 0), |all| (all.added, all.duplicates));
    number(reply, "idmp-duration", i64::from(stream.idmp_duration));
    number(reply, "idmp-maxsize", i64::from(stream.idmp_maxsize));
    number(reply, "pids-tracked", producers as i64);
    number(reply, "iids-tracked", tracked as i64);
    number(reply, "iids-added", added as i64);
    number(reply, "iids-duplicates", duplicates as i64);
}

/// A group in full.
fn write_group(reply: &mut Reply<'_>, stream: &Stream, label: &[u8], group: &ConsumerGroup, count: usize) {
    reply.map(8);
    name(reply, "name");
    reply.bulk(label);
    labelled_id(reply, "last-delivered-id", group.last_id);
    maybe(reply, "entries-read", group.entries_read.map(|read| read as i64));
    maybe(reply, "lag", stream::lag(stream, group));
    number(reply, "pel-count", group.pending().len() as i64);
    number(reply, "nacked-count", group.given_back().count() as i64);
    name(reply, "pending");
    reply.array(group.pending().len().min(count));
    for (id, pending) in group.pending().iter().take(count) {
        reply.array(4);
        reply_id(reply, *id);
        reply.bulk(pending.consumer.as_ref().map_or(&[], |name| name.bytes()));
        reply.int(pending.delivered_at());
        reply.int(pending.deliveries as i64);
    }
    name(reply, "consumers");
    reply.array(group.consumer_count());
    for (label, consumer) in group.consumers() {
        reply.map(5);
        name(reply, "name");
        reply.bulk(label.bytes());
        number(reply, "seen-time", consumer.seen_time);
        number(reply, "active-time", consumer.active_time.unwrap_or(-1));
        number(reply, "pel-count", consumer.pending().len() as i64);
        name(reply, "pending");
        let shown =
            || consumer.pending().iter().take(count).filter_map(|(id, ())| group.pending().get(id).map(|p| (id, p)));
        reply.array(shown().count());
        for (id, pending) in shown() {
            reply.array(3);
            reply_id(reply, *id);
            reply.int(pending.delivered_at());
            reply.int(pending.deliveries as i64);
        }
    }
}

fn xinfo_groups(cx: &mut DataContext<'_>) -> CommandResult {
    let DataContext { db, reply, .. } = cx;
    let stream = read_stream(db, cx.argv[2])?.ok_or(CommandError::NoSuchKey)?;
    reply.array(stream.group_count());
    for (label, group) in stream.groups() {
        reply.map(6);
        name(reply, "name");
        reply.bulk(label.bytes());
        number(reply, "consumers", group.consumer_count() as i64);
        number(reply, "pending", group.pending().len() as i64);
        labelled_id(reply, "last-delivered-id", group.last_id);
        maybe(reply, "entries-read", group.entries_read.map(|read| read as i64));
        maybe(reply, "lag", stream::lag(stream, group));
    }
    Ok(Outcome::Done)
}

fn xinfo_consumers(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, group, now) = (cx.argv[2], cx.argv[3], cx.now.0);
    let DataContext { db, reply, .. } = cx;
    let stream = read_stream(db, key)?.ok_or(CommandError::NoSuchKey)?;
    let group = stream.group(group).ok_or_else(|| {
        let (group, key) = (shown(group), shown(key));
        CommandError::coded(format!("NOGROUP No such consumer group '{group}' for key name '{key}'"))
    })?;
    reply.array(group.consumer_count());
    for (label, consumer) in group.consumers() {
        reply.map(4);
        name(reply, "name");
        reply.bulk(label.bytes());
        number(reply, "pending", consumer.pending().len() as i64);
        number(reply, "idle", now.saturating_sub(consumer.seen_time).max(0));
        number(reply, "inactive", consumer.active_time.map_or(-1, |active| now.saturating_sub(active).max(0)));
    }
    Ok(Outcome::Done)
}

fn xinfo_help(cx: &mut DataContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "XINFO",
        &[
            ("CONSUMERS <key> <groupname>", &["The consumers of a group."]),
            ("GROUPS <key>", &["The groups of a stream."]),
            ("STREAM <key> [FULL [COUNT <count>]", &["What there is to tell of a stream."]),
        ],
    );
    Ok(Outcome::Done)
}
