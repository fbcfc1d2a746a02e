//! Sorted sets: taking members from the ends, waiting for some if need be.

use crate::base::number;
use crate::commands::elements::{reply_double, reply_element};
use crate::keyspace::Notify;
use crate::resp::CommandError;
use crate::server::blocking::{Block, TimeoutReply};
use crate::server::context::{self, Args};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::Type;
use crate::types::zset::{self, Direction, ZsetRef};

use super::{delete_if_empty, lookup};

pub(super) const ZPOPMIN: Command = Command {
    info: CommandInfo {
        name: "zpopmin",
        arity: Arity::AtLeast(2),
        since: "5.0.0",
        group: Group::SortedSet,
        complexity: "O(log(N)*M), M members returned of N",
        summary: "Removes the members of the lowest scores from a sorted set and returns them.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), integer("count").optional()],
        ..INFO
    },
    handler: Handler::Data(zpopmin),
};

pub(super) const ZPOPMAX: Command = Command {
    info: CommandInfo {
        name: "zpopmax",
        arity: Arity::AtLeast(2),
        since: "5.0.0",
        group: Group::SortedSet,
        complexity: "O(log(N)*M), M members returned of N",
        summary: "Removes the members of the highest scores from a sorted set and returns them.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), integer("count").optional()],
        ..INFO
    },
    handler: Handler::Data(zpopmax),
};

pub(super) const ZMPOP: Command = Command {
    info: CommandInfo {
        name: "zmpop",
        arity: Arity::AtLeast(4),
        since: "7.0.0",
        group: Group::SortedSet,
        complexity: "O(K)+O(M*log(N)), K keys, M members returned of N",
        summary: "Removes members from an end of the first of several sorted sets that has some.",
        flags: Flags::MOVABLEKEYS.or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::counted(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[
            integer("numkeys"),
            key("key", 0).multiple(),
            oneof("where", &[token("min", "MIN"), token("max", "MAX")]),
            integer("count").token("COUNT").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(zmpop),
};

pub(super) const BZPOPMIN: Command = Command {
    info: CommandInfo {
        name: "bzpopmin",
        arity: Arity::AtLeast(3),
        since: "5.0.0",
        group: Group::SortedSet,
        complexity: "O(log(N)), N the number of members",
        summary: "Removes the member of the lowest score from one of several sorted sets, waiting for one if all are empty.",
        flags: Flags::BLOCKING.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::range(1, -2, 1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[key("key", 0).multiple(), double("timeout")],
        ..INFO
    },
    handler: Handler::Data(bzpopmin),
};

pub(super) const BZPOPMAX: Command = Command {
    info: CommandInfo {
        name: "bzpopmax",
        arity: Arity::AtLeast(3),
        since: "5.0.0",
        group: Group::SortedSet,
        complexity: "O(log(N)), N the number of members",
        summary: "Removes the member of the highest score from one of several sorted sets, waiting for one if all are empty.",
        flags: Flags::BLOCKING.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::range(1, -2, 1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[key("key", 0).multiple(), double("timeout")],
        ..INFO
    },
    handler: Handler::Data(bzpopmax),
};

pub(super) const BZMPOP: Command = Command {
    info: CommandInfo {
        name: "bzmpop",
        arity: Arity::AtLeast(5),
        since: "7.0.0",
        group: Group::SortedSet,
        complexity: "O(K)+O(M*log(N)), K keys, M members returned of N",
        summary: "Removes members from an end of the first of several sorted sets that has some, waiting for one if all are empty.",
        flags: Flags::BLOCKING.or(Flags::MOVABLEKEYS).or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::counted(2, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[
            double("timeout"),
            integer("numkeys"),
            key("key", 0).multiple(),
            oneof("where", &[token("min", "MIN"), token("max", "MAX")]),
            integer("count").token("COUNT").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(bzmpop),
};

/// Which end members are taken from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

impl End {
    fn parse(word: &[u8]) -> Result<End, CommandError> {
        if word.eq_ignore_ascii_case(b"MIN") {
            Ok(End::Min)
        } else if word.eq_ignore_ascii_case(b"MAX") {
            Ok(End::Max)
        } else {
            Err(CommandError::Syntax)
        }
    }

    fn event(self) -> &'static str {
        if self == End::Min { "zpopmin" } else { "zpopmax" }
    }

    fn command(self) -> &'static [u8] {
        if self == End::Min { b"ZPOPMIN" } else { b"ZPOPMAX" }
    }
}

/// Whether a member and its score make an array of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pairs {
    Flat,
    Nested,
}

/// Writes up to `count` members of an end of a sorted set that has some, and removes them. Returns how many.
fn pop(cx: &mut DataContext<'_>, key: &[u8], end: End, count: usize, pairs: Pairs) -> Result<usize, CommandError> {
    let Some(zset) = lookup(&mut cx.db, key)? else { return Ok(0) };
    let (len, count) = (zset.len(), count.min(zset.len()));
    let (ranks, direction) = match end {
        End::Min => (0..count, Direction::Forward),
        End::Max => (len - count..len, Direction::Backward),
    };
    for (member, score) in zset.range(ranks.clone(), direction) {
        if pairs == Pairs::Nested {
            cx.reply.array(2);
        }
        reply_element(&mut cx.reply, member);
        reply_double(&mut cx.reply, score);
    }
    if let Some(mut entry) = cx.db.lookup_write(key) {
        zset::remove_range(&mut entry, ranks);
    }
    cx.db.modified_times(key, count as u64);
    cx.db.notify(Notify::ZSET, end.event(), key);
    delete_if_empty(cx, key);
    Ok(count)
}

fn pop_counted(cx: &mut DataContext<'_>, end: End) -> CommandResult {
    let key = cx.argv[1];
    if cx.argv.len() > 3 {
        return Err(CommandError::Syntax);
    }
    let count = match cx.argv.get(2) {
        None => None,
        Some(count) => {
            let count = number::parse_i64(count).and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(CommandError::NotPositive)?)
        }
    };
    let len = lookup(&mut cx.db, key)?.map_or(0, ZsetRef::len);
    let wanted = count.unwrap_or(1).min(len);
    if wanted == 0 {
        cx.reply.array(0);
        return Ok(Outcome::Done);
    }
    let pairs = if count.is_some() && cx.reply.is_resp3() { Pairs::Nested } else { Pairs::Flat };
    cx.reply.array(if pairs == Pairs::Nested { wanted } else { wanted * 2 });
    pop(cx, key, end, wanted, pairs)?;
    Ok(Outcome::Done)
}

fn zpopmin(cx: &mut DataContext<'_>) -> CommandResult {
    pop_counted(cx, End::Min)
}

fn zpopmax(cx: &mut DataContext<'_>) -> CommandResult {
    pop_counted(cx, End::Max)
}

/// The first of the keys that holds a sorted set. Keys of other types before it are an error.
fn first_served<'k>(cx: &mut DataContext<'_>, keys: &[&'k [u8]]) -> Result<Option<&'k [u8]>, CommandError> {
    for key in keys {
        if lookup(&mut cx.db, key)?.is_some_and(|zset| !zset.is_empty()) {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// The keys and options of ZMPOP and BZMPOP.
struct MultiPop<'a> {
    keys: &'a [&'a [u8]],
    end: End,
    count: usize,
}

impl<'a> MultiPop<'a> {
    /// The request whose number of keys is argument `at`.
    fn parse(argv: &'a [&'a [u8]], at: usize) -> Result<MultiPop<'a>, CommandError> {
        let positive = |arg: &[u8]| number::parse_i64(arg).filter(|&n| n > 0).and_then(|n| usize::try_from(n).ok());
        let num_keys = positive(argv[at]).ok_or(CommandError::err("numkeys should be greater than 0"))?;
        let end_at = num_keys.checked_add(at + 1).filter(|&end_at| end_at < argv.len()).ok_or(CommandError::Syntax)?;
        let end = End::parse(argv[end_at])?;
        let mut args = Args::new(argv, end_at + 1);
        let mut count = None;
        while args.left() > 0 {
            if count.is_none() && args.left() > 1 && args.take_word("COUNT") {
                let given = args.next().and_then(positive);
                count = Some(given.ok_or(CommandError::err("count should be greater than 0"))?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(MultiPop { keys: &argv[at + 1..end_at], end, count: count.unwrap_or(1) })
    }

    /// Serves the request from the first key that can. False if none can.
    fn serve(&self, cx: &mut DataContext<'_>) -> Result<bool, CommandError> {
        let Some(key) = first_served(cx, self.keys)? else { return Ok(false) };
        let len = lookup(&mut cx.db, key)?.map_or(0, ZsetRef::len);
        cx.reply.array(2);
        cx.reply.bulk(key);
        cx.reply.array(self.count.min(len));
        let popped = pop(cx, key, self.end, self.count, Pairs::Nested)?;
        cx.propagate_as(&[self.end.command(), key, number::Decimal::new().u64(popped as u64)]);
        Ok(true)
    }
}

fn zmpop(cx: &mut DataContext<'_>) -> CommandResult {
    let request = MultiPop::parse(cx.argv, 1)?;
    if !request.serve(cx)? {
        cx.reply.null_array();
    }
    Ok(Outcome::Done)
}

/// The outcome of a command that waits for any of these keys to be a sorted set.
fn wait_for(keys: &[&[u8]], timeout_ms: u64) -> Outcome {
    Outcome::Block(Box::new(Block {
        keys: keys.iter().map(|key| key.to_vec()).collect(),
        wanted: Some(Type::Zset),
        timeout_ms,
        timeout_reply: TimeoutReply::NullArray,
        unblock_on_nokey: false,
        request: None,
        retry_ms: None,
    }))
}

fn bzmpop(cx: &mut DataContext<'_>) -> CommandResult {
    let timeout_ms = context::timeout_ms(cx.argv[1], cx.now)?;
    let request = MultiPop::parse(cx.argv, 2)?;
    if request.serve(cx)? {
        return Ok(Outcome::Done);
    }
    Ok(wait_for(request.keys, timeout_ms))
}

fn pop_or_wait(cx: &mut DataContext<'_>, end: End) -> CommandResult {
    let Some((timeout, keys)) = cx.argv[1..].split_last() else { return Err(CommandError::Syntax) };
    let timeout_ms = context::timeout_ms(timeout, cx.now)?;
    let Some(key) = first_served(cx, keys)? else { return Ok(wait_for(keys, timeout_ms)) };
    cx.reply.array(3);
    cx.reply.bulk(key);
    pop(cx, key, end, 1, Pairs::Flat)?;
    cx.propagate_as(&[end.command(), key]);
    Ok(Outcome::Done)
}

fn bzpopmin(cx: &mut DataContext<'_>) -> CommandResult {
    pop_or_wait(cx, End::Min)
}

fn bzpopmax(cx: &mut DataContext<'_>) -> CommandResult {
    pop_or_wait(cx, End::Max)
}
