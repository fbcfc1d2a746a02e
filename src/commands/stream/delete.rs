//! Deleting entries: by ID, and from the beginning on.

use crate::keyspace::Notify;
use crate::resp::CommandError;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::stream::{Deletion, References};
use crate::types::stream;

use super::trim::{self, TrimOptions};
use super::{change, ids, look_at_stream, write_entry};

pub(super) const XDEL: Command = Command {
    info: CommandInfo {
        name: "xdel",
        arity: Arity::AtLeast(3),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(N log M) where N is the number of IDs and M the number of nodes",
        summary: "Deletes entries of a stream.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), string("id").multiple()],
        ..INFO
    },
    handler: Handler::Data(xdel),
};

pub(super) const XDELEX: Command = Command {
    info: CommandInfo {
        name: "xdelex",
        arity: Arity::AtLeast(5),
        since: "8.2.0",
        group: Group::Stream,
        complexity: "O(N log M) where N is the number of IDs and M the number of nodes",
        summary: "Deletes entries of a stream as its groups allow.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[
            key("key", 0),
            oneof("condition", &[token("keepref", "KEEPREF"), token("delref", "DELREF"), token("acked", "ACKED")])
                .optional(),
            block("ids", &[integer("numids"), string("id").multiple()]).token("IDS"),
        ],
        ..INFO
    },
    handler: Handler::Data(xdelex),
};

pub(super) const XTRIM: Command = Command {
    info: CommandInfo {
        name: "xtrim",
        arity: Arity::AtLeast(4),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(N) where N is the number of entries cut off",
        summary: "Cuts entries off at the beginning of a stream.",
        flags: Flags::WRITE,
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[
            key("key", 0),
            block(
                "trim",
                &[
                    oneof("strategy", &[token("maxlen", "MAXLEN"), token("minid", "MINID").since("6.2.0")]),
                    oneof("operator", &[token("equal", "="), token("approximately", "~")]).optional(),
                    string("threshold"),
                    integer("count").token("LIMIT").optional().since("6.2.0"),
                    oneof(
                        "condition",
                        &[token("keepref", "KEEPREF"), token("delref", "DELREF"), token("acked", "ACKED")],
                    )
                    .optional(),
                ],
            ),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(xtrim),
};

fn xdel(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let mut deleted = 0;
    if look_at_stream(&mut cx.db, key)?.is_some() {
        let ids = ids(&cx.argv[2..])?;
        deleted = change(&mut cx.db, key, |stream| {
            ids.iter().filter(|&&id| stream.delete(id, References::Keep) == Deletion::Deleted).count()
        })?
        .unwrap_or(0);
    }
    tell_deleted(cx, key, deleted as u64);
    cx.reply.int(deleted as i64);
    Ok(Outcome::Done)
}

pub(super) fn tell_deleted(cx: &mut DataContext<'_>, key: &[u8], deleted: u64) {
    if deleted > 0 {
        cx.db.modified_times(key, deleted);
        cx.db.notify(Notify::STREAM, "xdel", key);
    }
}

/// The IDs of XDELEX and XACKDEL, and what becomes of references.
pub(super) struct IdsOptions<'a> {
    pub references: References,
    pub ids: &'a [&'a [u8]],
}

impl<'a> IdsOptions<'a> {
    /// The arguments from `at` on.
    pub fn parse(argv: &'a [&'a [u8]], mut at: usize) -> Result<IdsOptions<'a>, CommandError> {
        let (mut references, mut ids) = (None, None);
        while at < argv.len() {
            if let Some(given) = trim::references(argv[at]).filter(|_| references.is_none()) {
                references = Some(given);
                at += 1;
            } else if argv[at].eq_ignore_ascii_case(b"IDS") && at + 1 < argv.len() && ids.is_none() {
                let count = crate::base::number::parse_i64(argv[at + 1]).and_then(|count| usize::try_from(count).ok());
                let count = count.filter(|&count| count > 0);
                let count = count.ok_or(CommandError::err("Number of IDs must be a positive integer"))?;
                let all = argv.get(at + 2..(at + 2).saturating_add(count));
                let mismatch = "The `numids` parameter must match the number of arguments";
                ids = Some(all.ok_or(CommandError::err(mismatch))?);
                at += 2 + count;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(IdsOptions { references: references.unwrap_or(References::Keep), ids: ids.ok_or(CommandError::Syntax)? })
    }
}

/// What became of an entry, as a number.
pub(super) fn code(deletion: Deletion) -> i64 {
    match deletion {
        Deletion::Absent => -1,
        Deletion::Deleted => 1,
        Deletion::Referenced => 2,
    }
}

fn xdelex(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let is_there = look_at_stream(&mut cx.db, key)?.is_some();
    let options = IdsOptions::parse(cx.argv, 2)?;
    if !is_there {
        cx.reply.array(options.ids.len());
        options.ids.iter().for_each(|_| cx.reply.int(-1));
        return Ok(Outcome::Done);
    }
    let ids = ids(options.ids)?;
    let outcomes = change(&mut cx.db, key, |stream| {
        ids.iter().map(|&id| stream.delete(id, options.references)).collect::<Vec<_>>()
    })?
    .unwrap_or_default();
    let deleted = outcomes.iter().filter(|outcome| **outcome == Deletion::Deleted).count();
    tell_deleted(cx, key, deleted as u64);
    cx.reply.array(outcomes.len());
    outcomes.into_iter().for_each(|outcome| cx.reply.int(code(outcome)));
    Ok(Outcome::Done)
}

fn xtrim(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let mut options = TrimOptions::default();
    let mut at = 2;
    while at < cx.argv.len() {
        at = options.take(cx.argv, at)?.ok_or(CommandError::Syntax)?;
    }
    options.check(cx.is_repeated())?;
    let trim = options
        .trim(cx.config.stream_node_max_entries)
        .ok_or_else(|| CommandError::err("syntax error, XTRIM must be called with a trimming strategy"))?;
    let mut argv = trim::owned(cx.argv);
    let trimmed = match write_entry(&mut cx.db, key)? {
        Some(mut entry) => match stream::write(&mut entry) {
            Some(stream) => {
                let trimmed = stream.trim(trim);
                options.settle(stream, &mut argv);
                trimmed
            }
            None => 0,
        },
        None => 0,
    };
    trim::announce(cx, key, trimmed);
    if trimmed > 0 && options.is_approximate() {
        trim::propagate_owned(cx, &argv);
    }
    cx.reply.int(trimmed as i64);
    Ok(Outcome::Done)
}
