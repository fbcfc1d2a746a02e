//! XREAD and XREADGROUP: what is new in several streams, waiting until there is something.

use std::ops::Bound;

use crate::base::number::parse_i64;
use crate::base::shown::shown;
use crate::base::time::UnixMillis;
use crate::resp::{CommandError, Reply};
use crate::server::context::{self, Args};
use crate::server::{Block, Command, CommandResult, DataContext, Handler, Outcome, TimeoutReply};
use crate::spec::*;
use crate::storage::Type;
use crate::storage::stream::{ConsumerGroup, Entry, Name, Stream, StreamId};
use crate::types::stream;

use super::claim::{Claimed, announce_consumer, propagate_claim, propagate_group};
use super::{id, read_stream, reply_entry, reply_id, streams_after, write_entry};

pub(super) const XREAD: Command = Command {
    info: CommandInfo {
        name: "xread",
        arity: Arity::AtLeast(4),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(log N + M) where N is the number of nodes and M the number of entries read",
        summary: "Reads entries of several streams, waiting until there are some.",
        flags: Flags::BLOCKING.or(Flags::MOVABLEKEYS).or(Flags::READONLY),
        categories: Categories::STREAM,
        keys: &[streams_after(1)],
        arguments: &[
            integer("count").token("COUNT").optional(),
            integer("maxcount").token("MAXCOUNT").optional().since("8.10.0"),
            integer("maxsize").token("MAXSIZE").optional().since("8.10.0"),
            integer("milliseconds").token("BLOCK").optional(),
            block("streams", &[key("key", 0).multiple(), string("id").multiple()]).token("STREAMS"),
        ],
        ..INFO
    },
    handler: Handler::Data(xread),
};

pub(super) const XREADGROUP: Command = Command {
    info: CommandInfo {
        name: "xreadgroup",
        arity: Arity::AtLeast(7),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(M log N) where M is the number of entries read and N that of pending ones",
        summary: "Reads entries of several streams for a consumer of a group, waiting until there are some.",
        flags: Flags::BLOCKING.or(Flags::MOVABLEKEYS).or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[streams_after(4)],
        arguments: &[
            block("group-block", &[string("group"), string("consumer")]).token("GROUP"),
            integer("count").token("COUNT").optional(),
            integer("maxcount").token("MAXCOUNT").optional().since("8.10.0"),
            integer("maxsize").token("MAXSIZE").optional().since("8.10.0"),
            integer("milliseconds").token("BLOCK").optional(),
            integer("min-idle-time").token("CLAIM").optional().since("8.4.0"),
            token("noack", "NOACK").optional(),
            block("streams", &[key("key", 0).multiple(), string("id").multiple()]).token("STREAMS"),
        ],
        ..INFO
    },
    handler: Handler::Data(xreadgroup),
};

/// How many pending entries are looked at to tell when the first of them will lie long enough.
const LOOK_AHEAD: usize = 64;
/// When to look again if none of these has its entry any more.
const LOOK_AGAIN_MS: i64 = 1000;

/// The options of both commands.
struct ReadOptions<'a> {
    /// Entries of each stream.
    count: usize,
    /// Entries of all streams.
    max_count: usize,
    /// Bytes of the reply from which on nothing is added.
    max_size: Option<usize>,
    block_ms: Option<u64>,
    group: Option<(&'a [u8], &'a [u8])>,
    noack: bool,
    /// For how long a pending entry must lie to be claimed.
    claim: Option<i64>,
    keys: &'a [&'a [u8]],
    ids: &'a [&'a [u8]],
    /// Where the IDs stand.
    ids_at: usize,
}

fn positive(args: &mut Args<'_>, name: &str) -> Result<usize, CommandError> {
    let number = usize::try_from(args.integer()?).ok().filter(|&number| number > 0);
    number.ok_or_else(|| CommandError::err(format!("{name} must be a positive integer")))
}

impl<'a> ReadOptions<'a> {
    fn parse(argv: &'a [&'a [u8]], command: &str, now: UnixMillis) -> Result<ReadOptions<'a>, CommandError> {
        let is_group = command == "xreadgroup";
        let mut options = ReadOptions {
            count: usize::MAX,
            max_count: usize::MAX,
            max_size: None,
            block_ms: None,
            group: None,
            noack: false,
            claim: None,
            keys: &[],
            ids: &[],
            ids_at: 0,
        };
        let mut args = Args::new(argv, 1);
        let only_group = |name: &str| {
            let name = name.to_owned();
            CommandError::err(format!("The {name} option is only supported by XREADGROUP. You called XREAD instead."))
        };
        while args.left() > 0 {
            let has_operand = args.left() > 1;
            if has_operand && args.take_word("BLOCK") {
                options.block_ms = Some(context::timeout_whole_ms(args.required()?, now)?);
            } else if has_operand && args.take_word("COUNT") {
                let count = usize::try_from(args.integer()?.max(0)).unwrap_or(usize::MAX);
                options.count = if count == 0 { usize::MAX } else { count };
            } else if has_operand && args.take_word("MAXCOUNT") {
                options.max_count = positive(&mut args, "MAXCOUNT")?;
            } else if has_operand && args.take_word("MAXSIZE") {
                options.max_size = Some(positive(&mut args, "MAXSIZE")?);
            } else if has_operand && args.take_word("STREAMS") {
                let left = args.left();
                if !left.is_multiple_of(2) {
                    let wanted = if is_group { "or '>'" } else { "'+', or '$'" };
                    let comma = if is_group { "" } else { "," };
                    return Err(CommandError::err(format!(
                        "Unbalanced '{command}' list of streams: for each stream key an ID{comma} {wanted} must be specified."
                    )));
                }
                (options.keys, options.ids) = argv[args.position()..].split_at(left / 2);
                options.ids_at = args.position() + left / 2;
                break;
            } else if args.left() > 2 && args.take_word("GROUP") {
                if !is_group {
                    return Err(only_group("GROUP"));
                }
                options.group = Some((args.required()?, args.required()?));
            } else if args.take_word("NOACK") {
                if !is_group {
                    return Err(only_group("NOACK"));
                }
                options.noack = true;
            } else if has_operand && args.take_word("CLAIM") {
                if !is_group {
                    return Err(only_group("CLAIM"));
                }
                let idle = parse_i64(args.required()?);
                let idle = idle.ok_or(CommandError::err("min-idle-time is not an integer or out of range"))?;
                if idle < 0 {
                    return Err(CommandError::err("min-idle-time must be a positive integer"));
                }
                options.claim = Some(idle);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if options.keys.is_empty() {
            return Err(CommandError::Syntax);
        }
        if is_group && options.group.is_none() {
            return Err(CommandError::err("Missing GROUP option for XREADGROUP"));
        }
        if options.count != usize::MAX && options.max_count < options.count {
            return Err(CommandError::err("MAXCOUNT must be greater than or equal to COUNT"));
        }
        Ok(options)
    }
}

/// Where reading of a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// After this ID: entries of the stream or, for a group, what its consumer has pending.
    After(StreamId),
    /// The last entry (`+`).
    Last,
    /// What the group was not given yet (`>`).
    New,
}

impl Start {
    fn parse(arg: &[u8], last: StreamId, is_group: bool) -> Result<Start, CommandError> {
        let meaningless = |id: &str| {
            CommandError::err(format!(
                "The {id} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
                 specifying a proper ID, or use the > ID to get new messages. The {id} ID would just return an empty result \
                 set."
            ))
        };
        match (arg, is_group) {
            (b"$", true) => Err(meaningless("$")),
            (b"$", false) => Ok(Start::After(last)),
            (b"+", true) => Err(meaningless("+")),
            (b"+", false) => Ok(Start::Last),
            (b">", true) => Ok(Start::New),
            (b">", false) => Err(CommandError::err(
                "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
            )),
            _ => id(arg, 0).map(Start::After),
        }
    }
}

/// What the reply may still take.
struct Budget {
    count: usize,
    size: Option<usize>,
    /// Length of the output before the streams.
    start: usize,
    given: usize,
}

impl Budget {
    fn is_used_up(&self, reply: &Reply<'_>) -> bool {
        let is_full = self.size.is_some_and(|size| reply.len() - self.start >= size);
        self.count == 0 || (is_full && self.given > 0)
    }

    fn take(&mut self) {
        self.count -= 1;
        self.given += 1;
    }
}

fn xread(cx: &mut DataContext<'_>) -> CommandResult {
    read(cx, "xread")
}

fn xreadgroup(cx: &mut DataContext<'_>) -> CommandResult {
    read(cx, "xreadgroup")
}

fn read(cx: &mut DataContext<'_>, command: &str) -> CommandResult {
    let options = ReadOptions::parse(cx.argv, command, cx.now)?;
    let froms = check_streams(cx, &options)?;
    let mark = cx.reply.mark();
    let mut budget = Budget { count: options.max_count, size: options.max_size, start: cx.reply.len(), given: 0 };
    let mut streams = 0;
    for (key, from) in options.keys.iter().zip(&froms) {
        if budget.is_used_up(&cx.reply) {
            break;
        }
        let is_served = match options.group {
            None => serve(cx, key, *from, options.count, &mut budget)?,
            Some(group) => serve_group(cx, key, group, *from, &options, &mut budget)?,
        };
        streams += usize::from(is_served);
    }
    if streams > 0 {
        if cx.reply.is_resp3() {
            cx.reply.map_at(mark, streams);
        } else {
            cx.reply.array_at(mark, streams);
        }
        return Ok(Outcome::Done);
    }
    let Some(timeout_ms) = options.block_ms else {
        cx.reply.null_array();
        return Ok(Outcome::Done);
    };
    Ok(Outcome::Block(Box::new(Block {
        keys: options.keys.iter().map(|key| key.to_vec()).collect(),
        wanted: Some(Type::Stream),
        timeout_ms,
        timeout_reply: TimeoutReply::NullArray,
        unblock_on_nokey: options.group.is_some(),
        request: settled_request(cx.argv, &options, &froms),
        retry_ms: retry_ms(cx, &options),
    })))
}

/// Looks at all streams before the first is read: types, groups, IDs.
fn check_streams(cx: &mut DataContext<'_>, options: &ReadOptions<'_>) -> Result<Vec<Start>, CommandError> {
    let mut froms = Vec::with_capacity(options.keys.len());
    for (key, arg) in options.keys.iter().zip(options.ids) {
        let stream = read_stream(&mut cx.db, key)?;
        if let Some((group, _)) = options.group
            && stream.is_none_or(|stream| stream.group(group).is_none())
        {
            let (key, group) = (shown(key), shown(group));
            return Err(CommandError::coded(format!(
                "NOGROUP No such key '{key}' or consumer group '{group}' in XREADGROUP with GROUP option"
            )));
        }
        let last = stream.map_or(StreamId::MIN, |stream| stream.last_id);
        froms.push(Start::parse(arg, last, options.group.is_some())?);
    }
    Ok(froms)
}

/// The request with what `$` stands for, to be run again when there may be something.
fn settled_request(argv: &[&[u8]], options: &ReadOptions<'_>, froms: &[Start]) -> Option<Vec<Vec<u8>>> {
    if !options.ids.contains(&&b"$"[..]) {
        return None;
    }
    let mut argv: Vec<Vec<u8>> = argv.iter().map(|arg| arg.to_vec()).collect();
    for (arg, from) in argv[options.ids_at..].iter_mut().zip(froms) {
        if let Start::After(id) = from {
            *arg = id.to_string().into_bytes();
        }
    }
    Some(argv)
}

/// In how many milliseconds the first pending entry lies long enough to be claimed.
fn retry_ms(cx: &mut DataContext<'_>, options: &ReadOptions<'_>) -> Option<u64> {
    let ((name, _), min_idle, now) = (options.group?, options.claim?, cx.now.0);
    let mut soonest: Option<i64> = None;
    for key in options.keys {
        let Some(stream) = cx.db.view(key).and_then(stream::read) else { continue };
        let Some(group) = stream.group(name) else { continue };
        let mut looked_at = 0;
        let mut in_line = group.by_time().iter().map(|((time, id), ())| (*time, *id)).take(LOOK_AHEAD);
        let first = in_line.find(|(_, id)| {
            looked_at += 1;
            stream.get(*id).is_some()
        });
        let wait = match first {
            Some((time, _)) => time.saturating_add(min_idle).saturating_sub(now).max(1),
            None if looked_at == LOOK_AHEAD => LOOK_AGAIN_MS,
            None => continue,
        };
        soonest = Some(soonest.map_or(wait, |soonest| soonest.min(wait)));
    }
    soonest.map(|ms| ms as u64)
}

/// The header of a stream's part of the reply.
fn write_key(reply: &mut Reply<'_>, key: &[u8]) {
    if !reply.is_resp3() {
        reply.array(2);
    }
    reply.bulk(key);
}

/// Reads entries of a stream. Returns whether there were any.
fn serve(
    cx: &mut DataContext<'_>,
    key: &[u8],
    from: Start,
    count: usize,
    budget: &mut Budget,
) -> Result<bool, CommandError> {
    let DataContext { db, reply, .. } = cx;
    let Some(stream) = read_stream(db, key)? else { return Ok(false) };
    match from {
        Start::After(id) => {
            let Some(from) = id.next().filter(|from| *from <= stream.last_id) else { return Ok(false) };
            Ok(write_entries(reply, key, stream.range(from, StreamId::MAX).take(count), budget))
        }
        Start::Last => Ok(write_entries(reply, key, stream.range_back(StreamId::MIN, StreamId::MAX).take(1), budget)),
        Start::New => Ok(false),
    }
}

fn write_entries<'s>(
    reply: &mut Reply<'_>,
    key: &[u8],
    entries: impl Iterator<Item = Entry<'s>>,
    budget: &mut Budget,
) -> bool {
    let mut entries = entries.peekable();
    if entries.peek().is_none() {
        return false;
    }
    write_key(reply, key);
    let mark = reply.mark();
    let mut written = 0;
    for entry in entries {
        if budget.is_used_up(reply) {
            break;
        }
        reply_entry(reply, entry);
        budget.take();
        written += 1;
    }
    reply.array_at(mark, written);
    true
}

/// What a consumer was given, to be noted and repeated.
#[derive(Default)]
struct Given {
    /// Entries that are the consumer's from here on.
    assigned: Vec<Claimed>,
    /// Has the group read further?
    is_new: bool,
    before: StreamId,
    last: StreamId,
    entries_read: Option<u64>,
}

/// Reads entries for a consumer. Returns whether the stream is part of the reply.
fn serve_group(
    cx: &mut DataContext<'_>,
    key: &[u8],
    (group, consumer): (&[u8], &[u8]),
    from: Start,
    options: &ReadOptions<'_>,
    budget: &mut Budget,
) -> Result<bool, CommandError> {
    let now = cx.now.0;
    let DataContext { db, reply, .. } = cx;
    // A look that is counted as reading, as in Redis, though what is read is noted in the group.
    read_stream(db, key)?;
    let Some(mut entry) = write_entry(db, key)? else { return Ok(false) };
    let Some(stream) = stream::write(&mut entry) else { return Ok(false) };
    let Some(state) = stream.group_mut(group) else { return Ok(false) };
    let made_consumer = state.add_consumer(consumer, now);
    if let Some(consumer) = state.consumer_mut(consumer) {
        consumer.seen_time = now;
    }
    let Some(owner) = state.name_of(consumer) else { return Ok(false) };
    let (given, is_served) = match from {
        Start::After(id) => (history(reply, stream, key, group, &owner, id, options.count, budget, now), true),
        Start::Last | Start::New => match news(reply, stream, key, group, options, budget, now) {
            Some(given) => (given, true),
            None => (Given::default(), false),
        },
    };
    note(stream, group, &owner, &given, from, now);
    if made_consumer {
        announce_consumer(cx, key);
    }
    if from == Start::New {
        repeat(cx, key, (group, consumer), &given, made_consumer, options.noack);
    } else if made_consumer {
        cx.propagate_as(&[b"XGROUP", b"CREATECONSUMER", key, group, consumer]);
    }
    Ok(is_served)
}

/// Writes what the consumer has pending after an ID.
#[allow(clippy::too_many_arguments)]
fn history(
    reply: &mut Reply<'_>,
    stream: &Stream,
    key: &[u8],
    group: &[u8],
    owner: &Name,
    after: StreamId,
    count: usize,
    budget: &mut Budget,
    now: i64,
) -> Given {
    let mut given = Given::default();
    write_key(reply, key);
    let mark = reply.mark();
    let mut written = 0;
    let group = stream.group(group);
    let consumer = group.and_then(|group| group.consumer(owner.bytes()));
    if let (Some(group), Some(consumer)) = (group, consumer) {
        for (&id, ()) in consumer.pending().iter_from(Bound::Excluded(&after)).take(count) {
            if budget.is_used_up(reply) {
                break;
            }
            match stream.get(id) {
                Some(entry) => {
                    reply_entry(reply, entry);
                    let deliveries = group.pending().get(&id).map_or(0, |pending| pending.deliveries);
                    let deliveries = deliveries.saturating_add(1).min(i64::MAX as u64);
                    given.assigned.push(Claimed { id, time: now, deliveries, dropped_from: None });
                }
                None => {
                    reply.array(2);
                    reply_id(reply, id);
                    reply.null_array();
                }
            }
            budget.take();
            written += 1;
        }
    }
    reply.array_at(mark, written);
    given
}

/// Writes what is to be claimed, and what the group was not given yet. None, and nothing is written, if there is neither.
fn news(
    reply: &mut Reply<'_>,
    stream: &Stream,
    key: &[u8],
    name: &[u8],
    options: &ReadOptions<'_>,
    budget: &mut Budget,
    now: i64,
) -> Option<Given> {
    let group = stream.group(name)?;
    let claims = claimable(stream, group, options, now);
    let from = group.last_id.next();
    let mut entries = from.map(|from| stream.range(from, StreamId::MAX)).into_iter().flatten().peekable();
    let has_news = group.last_id < stream.last_id && entries.peek().is_some();
    let mut claims = claims.peekable();
    if claims.peek().is_none() && !has_news {
        return None;
    }
    write_key(reply, key);
    let mark = reply.mark();
    let mut written = 0;
    let mut given =
        Given { before: group.last_id, last: group.last_id, entries_read: group.entries_read, ..Given::default() };
    for (entry, time, deliveries) in claims {
        if budget.is_used_up(reply) || written == options.count {
            break;
        }
        write_delivery(reply, entry, Some(((now - time).max(0), deliveries)));
        let deliveries = deliveries.saturating_add(1).min(i64::MAX as u64);
        given.assigned.push(Claimed { id: entry.id, time: now, deliveries, dropped_from: None });
        budget.take();
        written += 1;
    }
    for entry in entries {
        if budget.is_used_up(reply) || written == options.count {
            break;
        }
        write_delivery(reply, entry, options.claim.map(|_| (0, 0)));
        given.entries_read = stream::count_read(stream, given.last, given.entries_read, entry.id);
        given.last = entry.id;
        given.is_new = true;
        if !options.noack {
            given.assigned.push(Claimed { id: entry.id, time: now, deliveries: 1, dropped_from: None });
        }
        budget.take();
        written += 1;
    }
    reply.array_at(mark, written);
    Some(given)
}

/// The pending entries that lie long enough, the longest first, with when and how often they were delivered.
fn claimable<'s>(
    stream: &'s Stream,
    group: &'s ConsumerGroup,
    options: &ReadOptions<'_>,
    now: i64,
) -> impl Iterator<Item = (Entry<'s>, i64, u64)> + use<'s> {
    let latest = options.claim.map_or(i64::MIN, |min_idle| now.saturating_sub(min_idle));
    let is_asked = options.claim.is_some();
    let in_line = group.by_time().iter().take_while(move |((time, _), ())| is_asked && *time <= latest.max(-1));
    in_line.filter_map(move |((_, id), ())| {
        let pending = group.pending().get(id)?;
        Some((stream.get(*id)?, pending.delivered_at(), pending.deliveries))
    })
}

/// Writes an entry with, where that is asked for, for how long it lay and how often it was delivered before.
fn write_delivery(reply: &mut Reply<'_>, entry: Entry<'_>, before: Option<(i64, u64)>) {
    let Some((idle, deliveries)) = before else { return reply_entry(reply, entry) };
    reply.array(4);
    super::reply_entry_parts(reply, entry);
    reply.int(idle);
    reply.int(deliveries as i64);
}

/// Notes in the group what its consumer was given.
fn note(stream: &mut Stream, name: &[u8], owner: &Name, given: &Given, from: Start, now: i64) {
    let Some(group) = stream.group_mut(name) else { return };
    for claimed in &given.assigned {
        group.assign(claimed.id, owner.clone(), claimed.time, claimed.deliveries);
    }
    if given.is_new {
        (group.last_id, group.entries_read) = (given.last, given.entries_read);
    }
    let is_active = from == Start::New && !given.assigned.is_empty();
    if is_active && let Some(consumer) = group.consumer_mut(owner.bytes()) {
        consumer.active_time = Some(now);
    }
}

/// Counts what was given, and repeats it.
fn repeat(
    cx: &mut DataContext<'_>,
    key: &[u8],
    (group, consumer): (&[u8], &[u8]),
    given: &Given,
    made_consumer: bool,
    noack: bool,
) {
    for claimed in &given.assigned {
        propagate_claim(cx, key, group, consumer, claimed, given.before);
    }
    if given.is_new {
        propagate_group(cx, key, group, given.last, given.entries_read);
    }
    if made_consumer && (given.assigned.is_empty() || noack) {
        cx.propagate_as(&[b"XGROUP", b"CREATECONSUMER", key, group, consumer]);
    }
    if given.is_new || !given.assigned.is_empty() {
        cx.db.count_changes(1);
    }
    if !given.assigned.is_empty() {
        // Others may wait until these lie long enough.
        cx.db.ready(key);
    }
}
