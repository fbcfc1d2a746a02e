//! What groups have pending: acknowledging it, giving it back, looking at it.

use std::ops::Bound;

use crate::base::number::parse_i64;
use crate::base::shown::shown;
use crate::resp::CommandError;
use crate::server::context::{Args, integer as parse_integer};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::stream::{ConsumerGroup, Deletion, Pending, StreamId};

use super::delete::{IdsOptions, code, tell_deleted};
use super::{change, end, ids, look_at_stream, note_extras, read_stream, reply_id, start};

pub(super) const XACK: Command = Command {
    info: CommandInfo {
        name: "xack",
        arity: Arity::AtLeast(4),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(N log M) where N is the number of IDs and M the number of pending entries",
        summary: "Acknowledges entries that a group was given.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), string("group"), string("id").multiple()],
        ..INFO
    },
    handler: Handler::Data(xack),
};

pub(super) const XACKDEL: Command = Command {
    info: CommandInfo {
        name: "xackdel",
        arity: Arity::AtLeast(6),
        since: "8.2.0",
        group: Group::Stream,
        complexity: "O(N log M) where N is the number of IDs and M the number of pending entries",
        summary: "Acknowledges entries for a group and deletes them as the groups allow.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE).or(KeyFlags::DELETE))],
        arguments: &[
            key("key", 0),
            string("group"),
            oneof("condition", &[token("keepref", "KEEPREF"), token("delref", "DELREF"), token("acked", "ACKED")])
                .optional(),
            block("ids", &[integer("numids"), string("id").multiple()]).token("IDS"),
        ],
        ..INFO
    },
    handler: Handler::Data(xackdel),
};

pub(super) const XNACK: Command = Command {
    info: CommandInfo {
        name: "xnack",
        arity: Arity::AtLeast(7),
        since: "8.8.0",
        group: Group::Stream,
        complexity: "O(N log M) where N is the number of IDs and M the number of pending entries",
        summary: "Gives entries back to their group, for others to take.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            string("group"),
            oneof("mode", &[token("silent", "SILENT"), token("fail", "FAIL"), token("fatal", "FATAL")]),
            block("ids", &[integer("numids"), string("id").multiple()]).token("IDS"),
            integer("count").token("RETRYCOUNT").optional(),
            token("force", "FORCE").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(xnack),
};

pub(super) const XPENDING: Command = Command {
    info: CommandInfo {
        name: "xpending",
        arity: Arity::AtLeast(3),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(N) where N is the number of entries looked at",
        summary: "Tells of entries that were given and not acknowledged.",
        flags: Flags::READONLY,
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            string("group"),
            block(
                "filters",
                &[
                    integer("min-idle-time").token("IDLE").optional().since("6.2.0"),
                    string("start"),
                    string("end"),
                    integer("count"),
                    string("consumer").optional(),
                ],
            )
            .optional(),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(xpending),
};

/// The refusal of whoever names a group that is not there.
pub(super) fn no_group(key: &[u8], group: &[u8]) -> CommandError {
    CommandError::coded(format!("NOGROUP No such key '{}' or consumer group '{}'", shown(key), shown(group)))
}

fn xack(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, group) = (cx.argv[1], cx.argv[2]);
    let is_there = read_stream(&mut cx.db, key)?.is_some_and(|stream| stream.group(group).is_some());
    let mut acknowledged = 0;
    if is_there {
        let ids = ids(&cx.argv[3..])?;
        let count = change(&mut cx.db, key, |stream| {
            let group = stream.group_mut(group)?;
            Some(ids.iter().filter(|&&id| group.remove(id)).count())
        })?;
        acknowledged = count.flatten().unwrap_or(0);
    }
    if acknowledged > 0 {
        cx.db.count_changes(acknowledged as u64);
    }
    cx.reply.int(acknowledged as i64);
    Ok(Outcome::Done)
}

fn xackdel(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, group) = (cx.argv[1], cx.argv[2]);
    let is_there = read_stream(&mut cx.db, key)?.is_some_and(|stream| stream.group(group).is_some());
    let options = IdsOptions::parse(cx.argv, 3)?;
    if !is_there {
        cx.reply.array(options.ids.len());
        options.ids.iter().for_each(|_| cx.reply.int(-1));
        return Ok(Outcome::Done);
    }
    let ids = ids(options.ids)?;
    let mut deleted = 0;
    let outcomes = change(&mut cx.db, key, |stream| {
        let mut acknowledge = |id: StreamId| {
            if !stream.group_mut(group).is_some_and(|group| group.remove(id)) {
                return -1;
            }
            let deletion = stream.delete(id, options.references);
            deleted += u64::from(deletion == Deletion::Deleted);
            // An entry that was gone before is as good as deleted.
            code(if deletion == Deletion::Absent { Deletion::Deleted } else { deletion })
        };
        ids.iter().map(|&id| acknowledge(id)).collect::<Vec<_>>()
    })?
    .unwrap_or_default();
    tell_deleted(cx, key, deleted);
    let only_acknowledged = outcomes.iter().filter(|&&outcome| outcome > 0).count() as u64 - deleted;
    if only_acknowledged > 0 {
        cx.db.count_changes(only_acknowledged);
    }
    cx.reply.array(outcomes.len());
    outcomes.into_iter().for_each(|outcome| cx.reply.int(outcome));
    Ok(Outcome::Done)
}

/// How XNACK changes the number of deliveries.
#[derive(Clone, Copy)]
enum NackMode {
    /// As if it had not been delivered.
    Silent,
    Fail,
    /// As if it had been delivered as often as can be.
    Fatal,
}

impl NackMode {
    fn parse(word: &[u8]) -> Result<NackMode, CommandError> {
        match word.to_ascii_uppercase().as_slice() {
            b"SILENT" => Ok(NackMode::Silent),
            b"FAIL" => Ok(NackMode::Fail),
            b"FATAL" => Ok(NackMode::Fatal),
            _ => Err(CommandError::err("mode must be SILENT, FAIL, or FATAL")),
        }
    }

    fn deliveries(self, before: u64) -> u64 {
        match self {
            NackMode::Silent => before.saturating_sub(1),
            NackMode::Fail => before,
            NackMode::Fatal => i64::MAX as u64,
        }
    }
}

/// The options of XNACK.
struct NackOptions<'a> {
    mode: NackMode,
    ids: &'a [&'a [u8]],
    deliveries: Option<u64>,
    force: bool,
}

impl<'a> NackOptions<'a> {
    fn parse(argv: &'a [&'a [u8]]) -> Result<NackOptions<'a>, CommandError> {
        let mut options = NackOptions { mode: NackMode::parse(argv[3])?, ids: &[], deliveries: None, force: false };
        let mut args = Args::new(argv, 4);
        while args.left() > 0 {
            if options.ids.is_empty() && args.left() > 1 && args.take_word("IDS") {
                let count = parse_i64(args.required()?).and_then(|count| usize::try_from(count).ok());
                let count = count.filter(|&count| count > 0);
                let count = count.ok_or(CommandError::err("numids must be a positive integer"))?;
                let from = args.position();
                options.ids = argv
                    .get(from..from.saturating_add(count))
                    .ok_or(CommandError::err("number of IDs doesn't match numids"))?;
                args = Args::new(argv, from + count);
            } else if args.left() > 1 && args.take_word("RETRYCOUNT") {
                let count = u64::try_from(args.integer()?);
                options.deliveries =
                    Some(count.map_err(|_| CommandError::err("Invalid RETRYCOUNT value, must be >= 0"))?);
            } else if args.take_word("FORCE") {
                options.force = true;
            } else {
                let word = args.required()?;
                return Err(CommandError::err(format!("Unrecognized XNACK option '{}'", shown(word))));
            }
        }
        if options.ids.is_empty() {
            return Err(CommandError::Syntax);
        }
        Ok(options)
    }
}

fn xnack(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, group) = (cx.argv[1], cx.argv[2]);
    let is_there = look_at_stream(&mut cx.db, key)?.is_some_and(|stream| stream.group(group).is_some());
    if !is_there {
        return Err(no_group(key, group));
    }
    let options = NackOptions::parse(cx.argv)?;
    let ids = ids(options.ids)?;
    let given_back = change(&mut cx.db, key, |stream| {
        let mut count = 0;
        for &id in &ids {
            let before = stream.group(group).and_then(|group| group.pending().get(&id)).map(|old| old.deliveries);
            if before.is_none() && !(options.force && stream.get(id).is_some()) {
                continue;
            }
            let deliveries = options.deliveries.unwrap_or(options.mode.deliveries(before.unwrap_or(0)));
            if let Some(group) = stream.group_mut(group) {
                group.give_back(id, deliveries);
                count += 1;
            }
        }
        count
    })?
    .unwrap_or(0);
    if given_back > 0 {
        note_extras(cx);
        cx.db.count_changes(given_back);
        cx.db.ready(key);
    }
    cx.reply.int(given_back as i64);
    Ok(Outcome::Done)
}

/// What XPENDING is to list.
struct PendingFilter<'a> {
    min_idle: Option<i64>,
    from: StreamId,
    to: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> PendingFilter<'a> {
    fn parse(argv: &[&'a [u8]]) -> Result<Option<PendingFilter<'a>>, CommandError> {
        if argv.len() == 3 {
            return Ok(None);
        }
        let mut args = Args::new(argv, 3);
        let min_idle = if args.left() >= 3 && args.take_word("IDLE") { Some(args.integer()?) } else { None };
        if args.left() < 3 {
            return Err(CommandError::Syntax);
        }
        let at = args.position();
        let count = usize::try_from(parse_integer(argv[at + 2])?.max(0)).unwrap_or(usize::MAX);
        let (from, to) = (start(argv[at])?, end(argv[at + 1])?);
        Ok(Some(PendingFilter { min_idle, from, to, count, consumer: argv.get(at + 3).copied() }))
    }
}

fn xpending(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, name, now) = (cx.argv[1], cx.argv[2], cx.now.0);
    let filter = PendingFilter::parse(cx.argv)?;
    let DataContext { db, reply, .. } = cx;
    let group = read_stream(db, key)?.and_then(|stream| stream.group(name));
    let group = group.ok_or_else(|| no_group(key, name))?;
    let Some(filter) = filter else {
        let ends = group.pending().first().zip(group.pending().last());
        reply.array(4);
        reply.int(group.pending().len() as i64);
        let Some(((first, _), (last, _))) = ends else {
            reply.null();
            reply.null();
            reply.null_array();
            return Ok(Outcome::Done);
        };
        reply_id(reply, *first);
        reply_id(reply, *last);
        let holding = || group.consumers().filter(|(_, consumer)| !consumer.pending().is_empty());
        reply.array(holding().count());
        for (name, consumer) in holding() {
            reply.array(2);
            reply.bulk(name.bytes());
            reply.bulk_int(consumer.pending().len() as i64);
        }
        return Ok(Outcome::Done);
    };
    let mark = reply.mark();
    let mut count = 0;
    for (id, pending) in pending_between(group, &filter).take_while(|(id, _)| **id <= filter.to) {
        let idle = if pending.consumer.is_some() { (now - pending.time).max(0) } else { -1 };
        let is_idle = filter.min_idle.is_none_or(|min| pending.consumer.is_none() || idle >= min);
        if count == filter.count {
            break;
        }
        if !is_idle {
            continue;
        }
        count += 1;
        reply.array(4);
        reply_id(reply, *id);
        reply.bulk(pending.consumer.as_ref().map_or(&[], |name| name.bytes()));
        reply.int(idle);
        reply.int(pending.deliveries as i64);
    }
    reply.array_at(mark, count);
    Ok(Outcome::Done)
}

/// The pending entries of the group, or of one consumer, from the filter's beginning on.
fn pending_between<'g>(
    group: &'g ConsumerGroup,
    filter: &PendingFilter<'_>,
) -> Box<dyn Iterator<Item = (&'g StreamId, &'g Pending)> + 'g> {
    let from = Bound::Included(&filter.from);
    match filter.consumer {
        None => Box::new(group.pending().iter_from(from)),
        Some(name) => match group.consumer(name) {
            None => Box::new(std::iter::empty()),
            Some(consumer) => {
                let pending = |id| group.pending().get(id).map(|pending| (id, pending));
                Box::new(consumer.pending().iter_from(from).filter_map(move |(id, ())| pending(id)))
            }
        },
    }
}
