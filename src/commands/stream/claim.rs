//! Giving pending entries to another consumer.

use std::ops::Bound;

use crate::base::number::parse_i64;
use crate::base::shown::shown;
use crate::keyspace::Notify;
use crate::resp::CommandError;
use crate::server::context::Args;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::stream::{Name, Stream, StreamId};
use crate::types::stream::{self, parse_id};

use super::pending::no_group;
use super::{id, read_stream, reply_entry, reply_id, start, write_entry};

pub(super) const XAUTOCLAIM: Command = Command {
    info: CommandInfo {
        name: "xautoclaim",
        arity: Arity::AtLeast(6),
        since: "6.2.0",
        group: Group::Stream,
        complexity: "O(N) where N is the count",
        summary: "Gives pending entries that lie long to another consumer, walking through them.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[
            key("key", 0),
            string("group"),
            string("consumer"),
            string("min-idle-time"),
            string("start"),
            integer("count").token("COUNT").optional(),
            token("justid", "JUSTID").optional(),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(xautoclaim),
};

pub(super) const XCLAIM: Command = Command {
    info: CommandInfo {
        name: "xclaim",
        arity: Arity::AtLeast(6),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(N log M) where N is the number of IDs and M the number of pending entries",
        summary: "Gives pending entries to another consumer.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            string("group"),
            string("consumer"),
            string("min-idle-time"),
            string("id").multiple(),
            integer("ms").token("IDLE").optional(),
            unix_time("unix-time-milliseconds").token("TIME").optional(),
            integer("count").token("RETRYCOUNT").optional(),
            token("force", "FORCE").optional(),
            token("justid", "JUSTID").optional(),
            string("lastid").token("LASTID").optional(),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(xclaim),
};

/// XAUTOCLAIM looks at so many times as many entries as it may give.
const ATTEMPTS_FACTOR: usize = 10;

/// What XAUTOCLAIM takes for a number of entries,
const COUNT_MAX: i64 = i64::MAX / 16;
/// and for one that could ever be met.
const COUNT_LIKELY_MAX: usize = 1 << 40;

/// A change of a pending entry, to be repeated as what came of it.
pub(super) struct Claimed {
    pub id: StreamId,
    pub time: i64,
    pub deliveries: u64,
    /// Whose it was, of one whose entry is gone: it is no longer pending.
    pub dropped_from: Option<Name>,
}

/// Repeats that an entry is pending with this consumer since this time. Where the entry is gone, this makes it be forgotten.
pub(super) fn propagate_claim(
    cx: &mut DataContext<'_>,
    key: &[u8],
    group: &[u8],
    consumer: &[u8],
    claimed: &Claimed,
    last: StreamId,
) {
    let consumer = claimed.dropped_from.as_ref().map_or(consumer, Name::bytes);
    let (id, time) = (claimed.id.to_string(), claimed.time.to_string());
    let (deliveries, last) = (claimed.deliveries.to_string(), last.to_string());
    cx.propagate_as(&[
        b"XCLAIM",
        key,
        group,
        consumer,
        b"0",
        id.as_bytes(),
        b"TIME",
        time.as_bytes(),
        b"RETRYCOUNT",
        deliveries.as_bytes(),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        last.as_bytes(),
    ]);
}

/// Repeats how far a group has read.
pub(super) fn propagate_group(
    cx: &mut DataContext<'_>,
    key: &[u8],
    group: &[u8],
    last: StreamId,
    entries_read: Option<u64>,
) {
    let last = last.to_string();
    let read = entries_read.map_or_else(|| "-1".to_owned(), |read| read.to_string());
    cx.propagate_as(&[b"XGROUP", b"SETID", key, group, last.as_bytes(), b"ENTRIESREAD", read.as_bytes()]);
}

/// Tells that a consumer was made by naming it.
pub(super) fn announce_consumer(cx: &mut DataContext<'_>, key: &[u8]) {
    cx.db.count_changes(1);
    cx.db.notify(Notify::STREAM, "xgroup-createconsumer", key);
}

/// The options of XCLAIM.
#[derive(Default)]
struct ClaimOptions {
    min_idle: i64,
    ids: Vec<StreamId>,
    /// When the entries are said to have been delivered.
    time: Option<i64>,
    deliveries: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: Option<StreamId>,
}

impl ClaimOptions {
    fn parse(argv: &[&[u8]], now: i64) -> Result<ClaimOptions, CommandError> {
        let mut options = ClaimOptions { min_idle: min_idle(argv[4], "XCLAIM")?, ..ClaimOptions::default() };
        let is_id = |arg: &&&[u8]| parse_id(arg, 0).is_some();
        options.ids = argv[5..].iter().take_while(is_id).filter_map(|arg| parse_id(arg, 0)).collect();
        let mut args = Args::new(argv, 5 + options.ids.len());
        while args.left() > 0 {
            let has_operand = args.left() > 1;
            let number = |args: &mut Args<'_>, name| {
                let number = parse_i64(args.required()?);
                number.ok_or_else(|| CommandError::err(format!("Invalid {name} option argument for XCLAIM")))
            };
            if args.take_word("FORCE") {
                options.force = true;
            } else if args.take_word("JUSTID") {
                options.just_id = true;
            } else if has_operand && args.take_word("IDLE") {
                options.time = Some(now.saturating_sub(number(&mut args, "IDLE")?));
            } else if has_operand && args.take_word("TIME") {
                options.time = Some(number(&mut args, "TIME")?);
            } else if has_operand && args.take_word("RETRYCOUNT") {
                options.deliveries = u64::try_from(number(&mut args, "RETRYCOUNT")?).ok();
            } else if has_operand && args.take_word("LASTID") {
                options.last_id = Some(id(args.required()?, 0)?);
            } else {
                let word = args.required()?;
                return Err(CommandError::err(format!("Unrecognized XCLAIM option '{}'", shown(word))));
            }
        }
        // A time that has not come yet, or never was, is the present.
        options.time = options.time.filter(|time| (0..=now).contains(time));
        Ok(options)
    }
}

fn min_idle(arg: &[u8], command: &str) -> Result<i64, CommandError> {
    let min = parse_i64(arg).map(|min| min.max(0));
    min.ok_or_else(|| CommandError::err(format!("Invalid min-idle-time argument for {command}")))
}

/// Refuses if there is no stream with this group.
fn group_exists(cx: &mut DataContext<'_>, key: &[u8], group: &[u8]) -> Result<(), CommandError> {
    let stream = read_stream(&mut cx.db, key)?;
    stream.and_then(|stream| stream.group(group)).map(drop).ok_or_else(|| no_group(key, group))
}

/// What a claim came to.
#[derive(Default)]
struct Outcomes {
    claimed: Vec<Claimed>,
    made_consumer: bool,
    last_id: StreamId,
    entries_read: Option<u64>,
    moved_last_id: bool,
}

/// Names a consumer, who is made if there is none.
fn seen_consumer(stream: &mut Stream, group: &[u8], consumer: &[u8], now: i64) -> Option<(Name, bool)> {
    let group = stream.group_mut(group)?;
    let is_new = group.add_consumer(consumer, now);
    group.consumer_mut(consumer)?.seen_time = now;
    Some((group.name_of(consumer)?, is_new))
}

fn xclaim(cx: &mut DataContext<'_>) -> CommandResult {
    let [_, key, group, consumer, ..] = *cx.argv else { return Err(CommandError::Syntax) };
    group_exists(cx, key, group)?;
    let now = cx.now.0;
    let options = ClaimOptions::parse(cx.argv, now)?;
    let Some(mut entry) = write_entry(&mut cx.db, key)? else { return Err(no_group(key, group)) };
    let Some(stream) = stream::write(&mut entry) else { return Err(CommandError::WrongType) };
    let outcomes = claim(stream, group, consumer, &options, now);
    let outcomes = outcomes.ok_or_else(|| no_group(key, group))?;
    reply_claimed(cx, key, &outcomes.claimed, options.just_id);
    if outcomes.made_consumer {
        announce_consumer(cx, key);
    }
    tell_claims(cx, key, group, consumer, &outcomes);
    Ok(Outcome::Done)
}

fn claim(stream: &mut Stream, name: &[u8], consumer: &[u8], options: &ClaimOptions, now: i64) -> Option<Outcomes> {
    let (owner, made_consumer) = seen_consumer(stream, name, consumer, now)?;
    let mut outcomes = Outcomes { made_consumer, ..Outcomes::default() };
    let group = stream.group_mut(name)?;
    if let Some(last) = options.last_id.filter(|last| *last > group.last_id) {
        group.last_id = last;
        outcomes.moved_last_id = true;
    }
    (outcomes.last_id, outcomes.entries_read) = (group.last_id, group.entries_read);
    for &id in &options.ids {
        let old = stream.group(name)?.pending().get(&id).cloned();
        if stream.get(id).is_none() {
            if let Some(old) = old {
                stream.group_mut(name)?.remove(id);
                outcomes.claimed.push(Claimed {
                    id,
                    time: old.delivered_at(),
                    deliveries: old.deliveries,
                    dropped_from: Some(old.consumer.unwrap_or_else(|| owner.clone())),
                });
            }
            continue;
        }
        let deliveries = match &old {
            None if !options.force => continue,
            None => 1,
            Some(old) if old.consumer.is_some() && now - old.time < options.min_idle => continue,
            Some(old) => old.deliveries,
        };
        let deliveries = options.deliveries.unwrap_or(deliveries.saturating_add(u64::from(!options.just_id)));
        let (time, deliveries) = (options.time.unwrap_or(now), deliveries.min(i64::MAX as u64));
        let group = stream.group_mut(name)?;
        group.assign(id, owner.clone(), time, deliveries);
        group.consumer_mut(consumer)?.active_time = Some(now);
        outcomes.claimed.push(Claimed { id, time, deliveries, dropped_from: None });
    }
    Some(outcomes)
}

/// Writes the entries that were claimed.
fn reply_claimed(cx: &mut DataContext<'_>, key: &[u8], claimed: &[Claimed], just_id: bool) {
    let DataContext { db, reply, .. } = cx;
    let given = || claimed.iter().filter(|claimed| claimed.dropped_from.is_none());
    reply.array(given().count());
    let entry = db.view(key);
    let stream = entry.and_then(stream::read);
    for claimed in given() {
        match stream.and_then(|stream| stream.get(claimed.id)) {
            Some(entry) if !just_id => reply_entry(reply, entry),
            _ => reply_id(reply, claimed.id),
        }
    }
}

/// Counts and repeats claims.
fn tell_claims(cx: &mut DataContext<'_>, key: &[u8], group: &[u8], consumer: &[u8], outcomes: &Outcomes) {
    let Outcomes { claimed, last_id, entries_read, .. } = outcomes;
    if outcomes.moved_last_id && claimed.is_empty() {
        propagate_group(cx, key, group, *last_id, *entries_read);
        cx.db.count_changes(1);
    }
    for claimed in claimed {
        propagate_claim(cx, key, group, consumer, claimed, *last_id);
    }
    if !claimed.is_empty() {
        cx.db.count_changes(claimed.len() as u64);
        cx.db.ready(key);
    }
    if outcomes.made_consumer && claimed.iter().all(|claimed| claimed.dropped_from.is_some()) {
        cx.propagate_as(&[b"XGROUP", b"CREATECONSUMER", key, group, consumer]);
    }
}

fn xautoclaim(cx: &mut DataContext<'_>) -> CommandResult {
    let [_, key, group, consumer, idle, from, ..] = *cx.argv else { return Err(CommandError::Syntax) };
    let min_idle = min_idle(idle, "XAUTOCLAIM")?;
    let from = start(from)?;
    let (mut count, mut just_id) = (100, false);
    let mut args = Args::new(cx.argv, 6);
    while args.left() > 0 {
        if args.left() > 1 && args.take_word("COUNT") {
            let given = parse_i64(args.required()?).filter(|count| (1..=COUNT_MAX).contains(count));
            count = given.ok_or(CommandError::err("COUNT must be > 0"))? as usize;
            if count > COUNT_LIKELY_MAX {
                return Err(CommandError::err(
                    "Insufficient memory, failed allocating transient memory, COUNT too high.",
                ));
            }
        } else if args.take_word("JUSTID") {
            just_id = true;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    group_exists(cx, key, group)?;
    let now = cx.now.0;
    let Some(mut entry) = write_entry(&mut cx.db, key)? else { return Err(no_group(key, group)) };
    let Some(stream) = stream::write(&mut entry) else { return Err(CommandError::WrongType) };
    let found = claim_from(stream, group, consumer, from, count, min_idle, just_id, now);
    let (outcomes, next) = found.ok_or_else(|| no_group(key, group))?;
    cx.reply.array(3);
    reply_id(&mut cx.reply, next);
    reply_claimed(cx, key, &outcomes.claimed, just_id);
    let dropped = || outcomes.claimed.iter().filter(|claimed| claimed.dropped_from.is_some());
    cx.reply.array(dropped().count());
    dropped().for_each(|claimed| reply_id(&mut cx.reply, claimed.id));
    if outcomes.made_consumer {
        announce_consumer(cx, key);
    }
    tell_claims(cx, key, group, consumer, &outcomes);
    Ok(Outcome::Done)
}

/// Claims up to `count` entries that lie long enough, from an ID on. Returns where the next call goes on.
#[allow(clippy::too_many_arguments)]
fn claim_from(
    stream: &mut Stream,
    name: &[u8],
    consumer: &[u8],
    from: StreamId,
    count: usize,
    min_idle: i64,
    just_id: bool,
    now: i64,
) -> Option<(Outcomes, StreamId)> {
    let (owner, made_consumer) = seen_consumer(stream, name, consumer, now)?;
    let group = stream.group(name)?;
    let (last_id, entries_read) = (group.last_id, group.entries_read);
    let mut outcomes = Outcomes { made_consumer, last_id, entries_read, ..Outcomes::default() };
    let mut attempts = count.saturating_mul(ATTEMPTS_FACTOR);
    let mut pending = group.pending().iter_from(Bound::Included(&from));
    let mut next = StreamId::MIN;
    for (&id, old) in &mut pending {
        if attempts == 0 || outcomes.claimed.len() == count {
            next = id;
            break;
        }
        attempts -= 1;
        if stream.get(id).is_none() {
            let dropped_from = Some(old.consumer.clone().unwrap_or_else(|| owner.clone()));
            let (time, deliveries) = (old.delivered_at(), old.deliveries);
            outcomes.claimed.push(Claimed { id, time, deliveries, dropped_from });
        } else if old.consumer.is_none() || now - old.time >= min_idle {
            let deliveries = old.deliveries.saturating_add(u64::from(!just_id)).min(i64::MAX as u64);
            outcomes.claimed.push(Claimed { id, time: now, deliveries, dropped_from: None });
        }
    }
    let group = stream.group_mut(name)?;
    for claimed in &outcomes.claimed {
        if claimed.dropped_from.is_some() {
            group.remove(claimed.id);
        } else {
            group.assign(claimed.id, owner.clone(), claimed.time, claimed.deliveries);
        }
    }
    if outcomes.claimed.iter().any(|claimed| claimed.dropped_from.is_none()) {
        group.consumer_mut(consumer)?.active_time = Some(now);
    }
    Some((outcomes, next))
}
