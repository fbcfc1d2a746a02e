//! Sorted sets: ranges by rank, score or member: shown, stored, counted, removed.

use std::ops::{Bound, Range};

use crate::base::number;
use crate::commands::elements::{reply_double, reply_element};
use crate::commands::store_nothing;
use crate::keyspace::{KeepTtl, Notify};
use crate::resp::CommandError;
use crate::server::context::{self, Args};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::Type;
use crate::types::zset::{self, Direction, LexBound, ZsetRef};

use super::{delete_if_empty, limits, lookup};

pub(super) const ZRANGE: Command = Command {
    info: CommandInfo {
        name: "zrange",
        arity: Arity::AtLeast(4),
        since: "1.2.0",
        group: Group::SortedSet,
        complexity: "O(log(N)+M), M members returned of N",
        summary: "Lists a range of a sorted set by rank, score or member.",
        flags: Flags::READONLY,
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            string("start"),
            string("stop"),
            oneof("sortby", &[token("byscore", "BYSCORE"), token("bylex", "BYLEX")]).optional().since("6.2.0"),
            token("rev", "REV").optional().since("6.2.0"),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional().since("6.2.0"),
            token("withscores", "WITHSCORES").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(zrange),
};

pub(super) const ZRANGESTORE: Command = Command {
    info: CommandInfo {
        name: "zrangestore",
        arity: Arity::AtLeast(5),
        since: "6.2.0",
        group: Group::SortedSet,
        complexity: "O(log(N)+M), M members stored of N",
        summary: "Stores a range of a sorted set in another one.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::OW.or(KeyFlags::UPDATE)), KeySpec::at(2, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("dst", 0),
            key("src", 1),
            string("min"),
            string("max"),
            oneof("sortby", &[token("byscore", "BYSCORE"), token("bylex", "BYLEX")]).optional(),
            token("rev", "REV").optional(),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(zrangestore),
};

pub(super) const ZREVRANGE: Command = Command {
    info: CommandInfo {
        name: "zrevrange",
        arity: Arity::AtLeast(4),
        since: "1.2.0",
        group: Group::SortedSet,
        complexity: "O(log(N)+M), M members returned of N",
        summary: "Lists a range of ranks of a sorted set, the greatest score first.",
        flags: Flags::READONLY,
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), integer("start"), integer("stop"), token("withscores", "WITHSCORES").optional()],
        deprecated: Some(("6.2.0", "`ZRANGE` with `REV`")),
        ..INFO
    },
    handler: Handler::Data(zrevrange),
};

pub(super) const ZRANGEBYSCORE: Command = Command {
    info: CommandInfo {
        name: "zrangebyscore",
        arity: Arity::AtLeast(4),
        since: "1.0.5",
        group: Group::SortedSet,
        complexity: "O(log(N)+M), M members returned of N",
        summary: "Lists the members of a sorted set whose scores lie in a range.",
        flags: Flags::READONLY,
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            double("min"),
            double("max"),
            token("withscores", "WITHSCORES").optional().since("2.0.0"),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
        ],
        deprecated: Some(("6.2.0", "`ZRANGE` with `BYSCORE`")),
        ..INFO
    },
    handler: Handler::Data(zrangebyscore),
};

pub(super) const ZREVRANGEBYSCORE: Command = Command {
    info: CommandInfo {
        name: "zrevrangebyscore",
        arity: Arity::AtLeast(4),
        since: "2.2.0",
        group: Group::SortedSet,
        complexity: "O(log(N)+M), M members returned of N",
        summary: "Lists the members of a sorted set whose scores lie in a range, the greatest first.",
        flags: Flags::READONLY,
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            double("max"),
            double("min"),
            token("withscores", "WITHSCORES").optional(),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
        ],
        deprecated: Some(("6.2.0", "`ZRANGE` with `REV` and `BYSCORE`")),
        ..INFO
    },
    handler: Handler::Data(zrevrangebyscore),
};

pub(super) const ZRANGEBYLEX: Command = Command {
    info: CommandInfo {
        name: "zrangebylex",
        arity: Arity::AtLeast(4),
        since: "2.8.9",
        group: Group::SortedSet,
        complexity: "O(log(N)+M), M members returned of N",
        summary: "Lists the members of a sorted set of equal scores between two in byte order.",
        flags: Flags::READONLY,
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            string("min"),
            string("max"),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
        ],
        deprecated: Some(("6.2.0", "`ZRANGE` with `BYLEX`")),
        ..INFO
    },
    handler: Handler::Data(zrangebylex),
};

pub(super) const ZREVRANGEBYLEX: Command = Command {
    info: CommandInfo {
        name: "zrevrangebylex",
        arity: Arity::AtLeast(4),
        since: "2.8.9",
        group: Group::SortedSet,
        complexity: "O(log(N)+M), M members returned of N",
        summary: "Lists the members of a sorted set of equal scores between two in reverse byte order.",
        flags: Flags::READONLY,
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            string("max"),
            string("min"),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
        ],
        deprecated: Some(("6.2.0", "`ZRANGE` with `REV` and `BYLEX`")),
        ..INFO
    },
    handler: Handler::Data(zrevrangebylex),
};

pub(super) const ZCOUNT: Command = Command {
    info: CommandInfo {
        name: "zcount",
        arity: Arity::Exactly(4),
        since: "2.0.0",
        group: Group::SortedSet,
        complexity: "O(log(N)), N the number of members",
        summary: "Counts the members of a sorted set whose scores lie in a range.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), double("min"), double("max")],
        ..INFO
    },
    handler: Handler::Data(zcount),
};

pub(super) const ZLEXCOUNT: Command = Command {
    info: CommandInfo {
        name: "zlexcount",
        arity: Arity::Exactly(4),
        since: "2.8.9",
        group: Group::SortedSet,
        complexity: "O(log(N)), N the number of members",
        summary: "Counts the members of a sorted set of equal scores between two in byte order.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("min"), string("max")],
        ..INFO
    },
    handler: Handler::Data(zlexcount),
};

pub(super) const ZREMRANGEBYRANK: Command = Command {
    info: CommandInfo {
        name: "zremrangebyrank",
        arity: Arity::Exactly(4),
        since: "2.0.0",
        group: Group::SortedSet,
        complexity: "O(log(N)+M), M members removed of N",
        summary: "Removes a range of ranks from a sorted set.",
        flags: Flags::WRITE,
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), integer("start"), integer("stop")],
        ..INFO
    },
    handler: Handler::Data(zremrangebyrank),
};

pub(super) const ZREMRANGEBYSCORE: Command = Command {
    info: CommandInfo {
        name: "zremrangebyscore",
        arity: Arity::Exactly(4),
        since: "1.2.0",
        group: Group::SortedSet,
        complexity: "O(log(N)+M), M members removed of N",
        summary: "Removes the members of a sorted set whose scores lie in a range.",
        flags: Flags::WRITE,
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), double("min"), double("max")],
        ..INFO
    },
    handler: Handler::Data(zremrangebyscore),
};

pub(super) const ZREMRANGEBYLEX: Command = Command {
    info: CommandInfo {
        name: "zremrangebylex",
        arity: Arity::Exactly(4),
        since: "2.8.9",
        group: Group::SortedSet,
        complexity: "O(log(N)+M), M members removed of N",
        summary: "Removes the members of a sorted set of equal scores between two in byte order.",
        flags: Flags::WRITE,
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), string("min"), string("max")],
        ..INFO
    },
    handler: Handler::Data(zremrangebylex),
};

/// What a range is measured by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// A range with its bounds, from the lesser to the greater.
#[derive(Clone, Copy)]
enum Bounds<'a> {
    /// Negative ranks count from the end.
    Rank(i64, i64),
    Score(Bound<f64>, Bound<f64>),
    Lex(LexBound<'a>, LexBound<'a>),
}

impl<'a> Bounds<'a> {
    fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Bounds<'a>, CommandError> {
        Ok(match by {
            By::Rank => Bounds::Rank(context::integer(min)?, context::integer(max)?),
            By::Score => Bounds::Score(parse_score_bound(min)?, parse_score_bound(max)?),
            By::Lex => Bounds::Lex(parse_lex_bound(min)?, parse_lex_bound(max)?),
        })
    }

    /// The ranks that lie between the bounds.
    fn ranks(self, zset: ZsetRef<'_>, direction: Direction) -> Range<usize> {
        match self {
            Bounds::Score(min, max) => zset.score_range(min, max),
            Bounds::Lex(min, max) => zset.lex_range(min, max),
            Bounds::Rank(start, end) => {
                let len = zset.len() as i64;
                let from_start = |rank: i64| if rank < 0 { rank.saturating_add(len) } else { rank };
                let (start, end) = (from_start(start).max(0), from_start(end).min(len - 1));
                if start > end {
                    return 0..0;
                }
                match direction {
                    Direction::Forward => start as usize..end as usize + 1,
                    Direction::Backward => (len - 1 - end) as usize..(len - start) as usize,
                }
            }
        }
    }
}

/// A score, or one with `(` before it for a bound that is left out. As `strtod` reads it: nothing is zero, and what is too
/// large for a number is infinite.
pub(super) fn parse_score_bound(text: &[u8]) -> Result<Bound<f64>, CommandError> {
    let (is_excluded, digits) = match text {
        [b'(', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let trimmed = digits.trim_ascii_start();
    let score = match trimmed {
        [] if digits.is_empty() => Some(0.0),
        _ => number::parse_f64(trimmed).or_else(|| std::str::from_utf8(trimmed).ok()?.parse().ok()),
    };
    let score = score.filter(|score: &f64| !score.is_nan()).ok_or(CommandError::err("min or max is not a float"))?;
    Ok(if is_excluded { Bound::Excluded(score) } else { Bound::Included(score) })
}

fn parse_lex_bound(text: &[u8]) -> Result<LexBound<'_>, CommandError> {
    match text {
        b"-" => Ok(LexBound::Min),
        b"+" => Ok(LexBound::Max),
        [b'[', member @ ..] => Ok(LexBound::Included(member)),
        [b'(', member @ ..] => Ok(LexBound::Excluded(member)),
        _ => Err(CommandError::err("min or max not valid string range item")),
    }
}

/// What to show of which range.
struct RangeRequest<'a> {
    bounds: Bounds<'a>,
    direction: Direction,
    /// How many members to pass over, and how many to show at most (negative: all).
    limit: (i64, i64),
    with_scores: bool,
}

/// What a command of the family leaves to options.
#[derive(Clone, Copy)]
struct Defaults {
    by: Option<By>,
    direction: Option<Direction>,
    is_store: bool,
}

impl<'a> RangeRequest<'a> {
    /// The request whose lower bound is argument `at`.
    fn parse(argv: &'a [&'a [u8]], at: usize, defaults: Defaults) -> Result<RangeRequest<'a>, CommandError> {
        let (mut by, mut direction) = (defaults.by, defaults.direction);
        let (mut limit, mut with_scores) = (None, false);
        let mut args = Args::new(argv, at + 2);
        while args.left() > 0 {
            if !defaults.is_store && args.take_word("WITHSCORES") {
                with_scores = true;
            } else if args.left() > 2 && args.take_word("LIMIT") {
                limit = Some((args.integer()?, args.integer()?));
            } else if direction.is_none() && args.take_word("REV") {
                direction = Some(Direction::Backward);
            } else if by.is_none() && args.take_word("BYLEX") {
                by = Some(By::Lex);
            } else if by.is_none() && args.take_word("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let (by, direction) = (by.unwrap_or(By::Rank), direction.unwrap_or(Direction::Forward));
        // A limit that asks for everything is none, wherever it begins.
        if limit.is_some_and(|(_, count)| count != -1) && by == By::Rank {
            let text = "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
            return Err(CommandError::err(text));
        }
        if with_scores && by == By::Lex {
            return Err(CommandError::err("syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        // Backwards, the greater bound is given first.
        let is_swapped = direction == Direction::Backward && by != By::Rank;
        let (min, max) = if is_swapped { (argv[at + 1], argv[at]) } else { (argv[at], argv[at + 1]) };
        let bounds = Bounds::parse(by, min, max)?;
        let limit = limit.filter(|_| by != By::Rank).unwrap_or((0, -1));
        Ok(RangeRequest { bounds, direction, limit, with_scores })
    }

    /// The ranks asked for.
    fn ranks(&self, zset: ZsetRef<'_>) -> Range<usize> {
        let ranks = self.bounds.ranks(zset, self.direction);
        let (Ok(offset), count) = (usize::try_from(self.limit.0), self.limit.1) else { return 0..0 };
        let offset = offset.min(ranks.len());
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(ranks.len() - offset);
        match self.direction {
            Direction::Forward => ranks.start + offset..ranks.start + offset + count,
            Direction::Backward => ranks.end - offset - count..ranks.end - offset,
        }
    }
}

fn reply_range(cx: &mut DataContext<'_>, defaults: Defaults) -> CommandResult {
    let request = RangeRequest::parse(cx.argv, 2, defaults)?;
    let Some(zset) = lookup(&mut cx.db, cx.argv[1])? else {
        cx.reply.array(0);
        return Ok(Outcome::Done);
    };
    let ranks = request.ranks(zset);
    let is_nested = request.with_scores && cx.reply.is_resp3();
    cx.reply.array(if request.with_scores && !is_nested { ranks.len() * 2 } else { ranks.len() });
    for (member, score) in zset.range(ranks, request.direction) {
        if is_nested {
            cx.reply.array(2);
        }
        reply_element(&mut cx.reply, member);
        if request.with_scores {
            reply_double(&mut cx.reply, score);
        }
    }
    Ok(Outcome::Done)
}

fn zrange(cx: &mut DataContext<'_>) -> CommandResult {
    reply_range(cx, Defaults { by: None, direction: None, is_store: false })
}

fn zrevrange(cx: &mut DataContext<'_>) -> CommandResult {
    reply_range(cx, Defaults { by: Some(By::Rank), direction: Some(Direction::Backward), is_store: false })
}

fn zrangebyscore(cx: &mut DataContext<'_>) -> CommandResult {
    reply_range(cx, Defaults { by: Some(By::Score), direction: Some(Direction::Forward), is_store: false })
}

fn zrevrangebyscore(cx: &mut DataContext<'_>) -> CommandResult {
    reply_range(cx, Defaults { by: Some(By::Score), direction: Some(Direction::Backward), is_store: false })
}

fn zrangebylex(cx: &mut DataContext<'_>) -> CommandResult {
    reply_range(cx, Defaults { by: Some(By::Lex), direction: Some(Direction::Forward), is_store: false })
}

fn zrevrangebylex(cx: &mut DataContext<'_>) -> CommandResult {
    reply_range(cx, Defaults { by: Some(By::Lex), direction: Some(Direction::Backward), is_store: false })
}

fn zrangestore(cx: &mut DataContext<'_>) -> CommandResult {
    let request = RangeRequest::parse(cx.argv, 3, Defaults { by: None, direction: None, is_store: true })?;
    let members: Vec<(f64, Vec<u8>)> = match lookup(&mut cx.db, cx.argv[2])? {
        None => Vec::new(),
        Some(zset) => {
            let members = zset.range(request.ranks(zset), Direction::Forward);
            let mut digits = itoa::Buffer::new();
            members.map(|(member, score)| (score, member.as_bytes(&mut digits).to_vec())).collect()
        }
    };
    store_sorted(cx, cx.argv[1], &members, "zrangestore");
    cx.reply.int(members.len() as i64);
    Ok(Outcome::Done)
}

/// Gives a key these members, in order, or deletes it if there are none.
pub(in crate::commands) fn store_sorted<M: AsRef<[u8]>>(
    cx: &mut DataContext<'_>,
    destination: &[u8],
    members: &[(f64, M)],
    event: &'static str,
) {
    if !members.is_empty() {
        let (limits, seed) = (limits(cx), cx.db.keyspace().hash_seed());
        zset::store_sorted(members, limits, seed, |value| {
            cx.db.set_value(destination, Type::Zset, value, KeepTtl::Clear);
        });
        cx.db.modified(destination);
        cx.db.notify(Notify::ZSET, event, destination);
    } else {
        store_nothing(cx, destination);
    }
}

fn reply_count(cx: &mut DataContext<'_>, by: By) -> CommandResult {
    let bounds = Bounds::parse(by, cx.argv[2], cx.argv[3])?;
    let zset = lookup(&mut cx.db, cx.argv[1])?;
    let count = zset.map_or(0, |zset| bounds.ranks(zset, Direction::Forward).len());
    cx.reply.int(count as i64);
    Ok(Outcome::Done)
}

fn zcount(cx: &mut DataContext<'_>) -> CommandResult {
    reply_count(cx, By::Score)
}

fn zlexcount(cx: &mut DataContext<'_>) -> CommandResult {
    reply_count(cx, By::Lex)
}

fn remove_range(cx: &mut DataContext<'_>, by: By, event: &'static str) -> CommandResult {
    let key = cx.argv[1];
    let bounds = Bounds::parse(by, cx.argv[2], cx.argv[3])?;
    let removed = match cx.db.lookup_write(key) {
        None => 0,
        Some(mut entry) => {
            let ranks = ZsetRef::of(entry.read()).map(|zset| bounds.ranks(zset, Direction::Forward));
            let ranks = ranks.ok_or(CommandError::WrongType)?;
            zset::remove_range(&mut entry, ranks.clone());
            ranks.len()
        }
    };
    if removed > 0 {
        cx.db.modified_times(key, removed as u64);
        cx.db.notify(Notify::ZSET, event, key);
        delete_if_empty(cx, key);
    }
    cx.reply.int(removed as i64);
    Ok(Outcome::Done)
}

fn zremrangebyrank(cx: &mut DataContext<'_>) -> CommandResult {
    remove_range(cx, By::Rank, "zremrangebyrank")
}

fn zremrangebyscore(cx: &mut DataContext<'_>) -> CommandResult {
    remove_range(cx, By::Score, "zremrangebyscore")
}

fn zremrangebylex(cx: &mut DataContext<'_>) -> CommandResult {
    remove_range(cx, By::Lex, "zremrangebylex")
}
