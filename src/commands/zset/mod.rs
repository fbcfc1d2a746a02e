//! Sorted sets: members and their scores. `range` shows and removes ranges, `pop` the ends, `algebra` combines several.

mod algebra;
mod pop;
pub(super) mod range;

use crate::base::hash::HashSeed;
use crate::base::number;
use crate::commands::elements::{
    RandomChoice, ScanOptions, fork_rng, random_options, reply_double, reply_element, reply_nothing, reply_scan,
    scan_cursor,
};
use crate::keyspace::{Db, Notify};
use crate::resp::CommandError;
use crate::server::context;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::listpack::Element;
use crate::storage::{EntryMut, OwnedEntry, Type};
use crate::types::Limits;
use crate::types::zset::{self, Change, ZsetRef};

/// The family.
pub const COMMANDS: &[Command] = &[
    ZADD,
    ZINCRBY,
    ZREM,
    ZSCORE,
    ZMSCORE,
    ZRANK,
    ZREVRANK,
    ZCARD,
    ZRANDMEMBER,
    ZSCAN,
    range::ZRANGE,
    range::ZRANGESTORE,
    range::ZREVRANGE,
    range::ZRANGEBYSCORE,
    range::ZREVRANGEBYSCORE,
    range::ZRANGEBYLEX,
    range::ZREVRANGEBYLEX,
    range::ZCOUNT,
    range::ZLEXCOUNT,
    range::ZREMRANGEBYRANK,
    range::ZREMRANGEBYSCORE,
    range::ZREMRANGEBYLEX,
    pop::ZPOPMIN,
    pop::ZPOPMAX,
    pop::ZMPOP,
    pop::BZPOPMIN,
    pop::BZPOPMAX,
    pop::BZMPOP,
    algebra::ZUNION,
    algebra::ZUNIONSTORE,
    algebra::ZINTER,
    algebra::ZINTERSTORE,
    algebra::ZINTERCARD,
    algebra::ZDIFF,
    algebra::ZDIFFSTORE,
];

const ZADD: Command = Command {
    info: CommandInfo {
        name: "zadd",
        arity: Arity::AtLeast(4),
        since: "1.2.0",
        group: Group::SortedSet,
        complexity: "O(log(N)) for each member, N the number of members",
        summary: "Gives members of a sorted set their scores, adding those that are new.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            oneof("condition", &[token("nx", "NX"), token("xx", "XX")]).optional().since("3.0.2"),
            oneof("comparison", &[token("gt", "GT"), token("lt", "LT")]).optional().since("6.2.0"),
            token("change", "CH").optional().since("3.0.2"),
            token("increment", "INCR").optional().since("3.0.2"),
            block("data", &[double("score"), string("member")]).multiple(),
        ],
        ..INFO
    },
    handler: Handler::Data(zadd),
};

const ZINCRBY: Command = Command {
    info: CommandInfo {
        name: "zincrby",
        arity: Arity::Exactly(4),
        since: "1.2.0",
        group: Group::SortedSet,
        complexity: "O(log(N)), N the number of members",
        summary: "Adds a number to the score of a member of a sorted set; a missing one counts as 0.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), integer("increment"), string("member")],
        ..INFO
    },
    handler: Handler::Data(zincrby),
};

const ZREM: Command = Command {
    info: CommandInfo {
        name: "zrem",
        arity: Arity::AtLeast(3),
        since: "1.2.0",
        group: Group::SortedSet,
        complexity: "O(M*log(N)), M members removed of N",
        summary: "Removes members from a sorted set, and the sorted set with its last member.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), string("member").multiple()],
        ..INFO
    },
    handler: Handler::Data(zrem),
};

const ZSCORE: Command = Command {
    info: CommandInfo {
        name: "zscore",
        arity: Arity::Exactly(3),
        since: "1.2.0",
        group: Group::SortedSet,
        complexity: "O(1)",
        summary: "Tells the score of a member of a sorted set.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("member")],
        ..INFO
    },
    handler: Handler::Data(zscore),
};

const ZMSCORE: Command = Command {
    info: CommandInfo {
        name: "zmscore",
        arity: Arity::AtLeast(3),
        since: "6.2.0",
        group: Group::SortedSet,
        complexity: "O(N), N the number of members named",
        summary: "Tells the scores of several members of a sorted set.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("member").multiple()],
        ..INFO
    },
    handler: Handler::Data(zmscore),
};

const ZRANK: Command = Command {
    info: CommandInfo {
        name: "zrank",
        arity: Arity::AtLeast(3),
        since: "2.0.0",
        group: Group::SortedSet,
        complexity: "O(log(N)), N the number of members",
        summary: "Tells how many members of a sorted set come before one, by ascending score.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("member"), token("withscore", "WITHSCORE").optional()],
        ..INFO
    },
    handler: Handler::Data(zrank),
};

const ZREVRANK: Command = Command {
    info: CommandInfo {
        name: "zrevrank",
        arity: Arity::AtLeast(3),
        since: "2.0.0",
        group: Group::SortedSet,
        complexity: "O(log(N)), N the number of members",
        summary: "Tells how many members of a sorted set come before one, by descending score.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("member"), token("withscore", "WITHSCORE").optional()],
        ..INFO
    },
    handler: Handler::Data(zrevrank),
};

const ZCARD: Command = Command {
    info: CommandInfo {
        name: "zcard",
        arity: Arity::Exactly(2),
        since: "1.2.0",
        group: Group::SortedSet,
        complexity: "O(1)",
        summary: "Counts the members of a sorted set.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO)],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(zcard),
};

const ZRANDMEMBER: Command = Command {
    info: CommandInfo {
        name: "zrandmember",
        arity: Arity::AtLeast(2),
        since: "6.2.0",
        group: Group::SortedSet,
        complexity: "O(N), N the number of members returned",
        summary: "Picks members of a sorted set by chance.",
        flags: Flags::READONLY,
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            block("options", &[integer("count"), token("withscores", "WITHSCORES").optional()]).optional(),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(zrandmember),
};

const ZSCAN: Command = Command {
    info: CommandInfo {
        name: "zscan",
        arity: Arity::AtLeast(3),
        since: "2.8.0",
        group: Group::SortedSet,
        complexity: "O(1) per call, O(N) for a whole scan of N members",
        summary: "Walks through the members of a sorted set, a part with each call.",
        flags: Flags::READONLY,
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            integer("cursor"),
            pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(zscan),
};

/// The sorted set of a key, to read.
#[inline]
pub(super) fn lookup<'a>(db: &'a mut Db<'_>, key: &[u8]) -> Result<Option<ZsetRef<'a>>, CommandError> {
    match db.lookup_read(key) {
        None => Ok(None),
        Some(entry) => ZsetRef::of(entry).map(Some).ok_or(CommandError::WrongType),
    }
}

pub(super) fn limits(cx: &DataContext<'_>) -> Limits {
    Limits::new(cx.config.zset_max_listpack_entries, cx.config.zset_max_listpack_value)
}

/// Deletes a sorted set that lost its last member.
fn delete_if_empty(cx: &mut DataContext<'_>, key: &[u8]) {
    if cx.db.peek(key).and_then(ZsetRef::of).is_some_and(ZsetRef::is_empty) {
        cx.db.delete(key);
        cx.db.notify(Notify::GENERIC, "del", key);
    }
}

/// Which scores ZADD sets.
#[derive(Clone, Copy, Default)]
pub(super) struct AddFlags {
    /// Only of new members.
    pub nx: bool,
    /// Only of members there.
    pub xx: bool,
    /// Only to greater ones; new members are added.
    pub gt: bool,
    /// Only to smaller ones; new members are added.
    pub lt: bool,
    /// Count changed members, too.
    pub ch: bool,
    /// Add to the score.
    pub incr: bool,
}

impl AddFlags {
    /// The options from argument 2 on, and where they end.
    pub fn parse(argv: &[&[u8]]) -> (AddFlags, usize) {
        let mut flags = AddFlags::default();
        let mut at = 2;
        while let Some(word) = argv.get(at) {
            let flag = match word.to_ascii_lowercase().as_slice() {
                b"nx" => &mut flags.nx,
                b"xx" => &mut flags.xx,
                b"gt" => &mut flags.gt,
                b"lt" => &mut flags.lt,
                b"ch" => &mut flags.ch,
                b"incr" => &mut flags.incr,
                _ => break,
            };
            *flag = true;
            at += 1;
        }
        (flags, at)
    }
}

/// What `add_scores` did.
#[derive(Default)]
struct Added {
    added: u64,
    updated: u64,
    /// The score of the last member, unless the flags kept it from being set.
    score: Option<f64>,
}

fn add_one(
    entry: &mut EntryMut<'_>,
    member: &[u8],
    score: f64,
    flags: AddFlags,
    limits: Limits,
    seed: HashSeed,
    outcome: &mut Added,
) -> Result<(), CommandError> {
    outcome.score = None;
    let mut score = score;
    if flags.nx || flags.xx || flags.gt || flags.lt || flags.incr {
        match ZsetRef::of(entry.read()).and_then(|zset| zset.score(member)) {
            None if flags.xx => return Ok(()),
            None => {}
            Some(_) if flags.nx => return Ok(()),
            Some(old) => {
                if flags.incr {
                    score += old;
                    if score.is_nan() {
                        return Err(CommandError::err("resulting score is not a number (NaN)"));
                    }
                }
                if (flags.gt && score <= old) || (flags.lt && score >= old) {
                    return Ok(());
                }
            }
        }
    }
    outcome.score = Some(score);
    match zset::insert(entry, member, score, limits, seed) {
        Change::Added => outcome.added += 1,
        Change::Updated(_) => outcome.updated += 1,
        Change::Unchanged => {}
    }
    Ok(())
}

/// Sets scores of members (pairs of score and member) and tells of it.
fn add_scores(
    cx: &mut DataContext<'_>,
    key: &[u8],
    pairs: &[&[u8]],
    scores: impl Fn(usize) -> Result<f64, CommandError>,
    flags: AddFlags,
) -> Result<Added, CommandError> {
    let count = pairs.len() / 2;
    for index in 0..count {
        scores(index)?;
    }
    let (limits, seed) = (limits(cx), cx.db.keyspace().hash_seed());
    let mut outcome = Added::default();
    let mut fill = |entry: &mut EntryMut<'_>| {
        for (index, pair) in pairs.chunks_exact(2).enumerate() {
            add_one(entry, pair[1], scores(index)?, flags, limits, seed, &mut outcome)?;
        }
        Ok(())
    };
    match cx.db.lookup_write(key) {
        Some(entry) if entry.type_() != Type::Zset => return Err(CommandError::WrongType),
        Some(mut entry) => {
            zset::reserve(&mut entry, count, limits, seed);
            fill(&mut entry)?;
        }
        None if flags.xx => return Ok(outcome),
        None => fill(&mut cx.db.add(key, Type::Zset, zset::new_value(count, limits, seed), None))?,
    }
    if outcome.added + outcome.updated > 0 {
        cx.db.modified_times(key, outcome.added + outcome.updated);
        cx.db.notify(Notify::ZSET, if flags.incr { "zincr" } else { "zadd" }, key);
    }
    Ok(outcome)
}

fn zadd(cx: &mut DataContext<'_>) -> CommandResult {
    let (flags, at) = AddFlags::parse(cx.argv);
    add(cx, flags, &cx.argv[at..], context::float)
}

/// ZADD and GEOADD once the options are known.
pub(super) fn add(
    cx: &mut DataContext<'_>,
    flags: AddFlags,
    pairs: &[&[u8]],
    parse: impl Fn(&[u8]) -> Result<f64, CommandError>,
) -> CommandResult {
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    if flags.nx && flags.xx {
        return Err(CommandError::err("XX and NX options at the same time are not compatible"));
    }
    if [flags.gt, flags.lt, flags.nx].into_iter().filter(|&flag| flag).count() > 1 {
        return Err(CommandError::err("GT, LT, and/or NX options at the same time are not compatible"));
    }
    if flags.incr && pairs.len() > 2 {
        return Err(CommandError::err("INCR option supports a single increment-element pair"));
    }
    let outcome = add_scores(cx, cx.argv[1], pairs, |index| parse(pairs[2 * index]), flags)?;
    match outcome.score {
        Some(score) if flags.incr => reply_double(&mut cx.reply, score),
        None if flags.incr => cx.reply.null(),
        _ => cx.reply.int((outcome.added + if flags.ch { outcome.updated } else { 0 }) as i64),
    }
    Ok(Outcome::Done)
}

fn zincrby(cx: &mut DataContext<'_>) -> CommandResult {
    let flags = AddFlags { incr: true, ..AddFlags::default() };
    add(cx, flags, &cx.argv[2..], context::float)
}

fn zrem(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, members) = (cx.argv[1], &cx.argv[2..]);
    let removed = match cx.db.lookup_write(key) {
        None => 0,
        Some(entry) if entry.type_() != Type::Zset => return Err(CommandError::WrongType),
        Some(mut entry) => {
            let mut removed = 0;
            for member in members {
                removed += u64::from(zset::remove(&mut entry, member).is_some());
            }
            removed
        }
    };
    if removed > 0 {
        cx.db.modified_times(key, removed);
        cx.db.notify(Notify::ZSET, "zrem", key);
        delete_if_empty(cx, key);
    }
    cx.reply.int(removed as i64);
    Ok(Outcome::Done)
}

fn zscore(cx: &mut DataContext<'_>) -> CommandResult {
    match lookup(&mut cx.db, cx.argv[1])?.and_then(|zset| zset.score(cx.argv[2])) {
        Some(score) => reply_double(&mut cx.reply, score),
        None => cx.reply.null(),
    }
    Ok(Outcome::Done)
}

fn zmscore(cx: &mut DataContext<'_>) -> CommandResult {
    let zset = lookup(&mut cx.db, cx.argv[1])?;
    cx.reply.array(cx.argv.len() - 2);
    for member in &cx.argv[2..] {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => reply_double(&mut cx.reply, score),
            None => cx.reply.null(),
        }
    }
    Ok(Outcome::Done)
}

fn zrank(cx: &mut DataContext<'_>) -> CommandResult {
    reply_rank(cx, "zrank", |rank, _| rank)
}

fn zrevrank(cx: &mut DataContext<'_>) -> CommandResult {
    reply_rank(cx, "zrevrank", |rank, len| len - 1 - rank)
}

fn reply_rank(cx: &mut DataContext<'_>, name: &'static str, of: impl Fn(usize, usize) -> usize) -> CommandResult {
    if cx.argv.len() > 4 {
        return Err(CommandError::Arity(name.into()));
    }
    let with_score = match cx.argv.get(3) {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"WITHSCORE") => true,
        Some(_) => return Err(CommandError::Syntax),
    };
    let found = lookup(&mut cx.db, cx.argv[1])?.and_then(|zset| {
        let (rank, score) = zset.rank(cx.argv[2])?;
        Some((of(rank, zset.len()), score))
    });
    match found {
        None if with_score => cx.reply.null_array(),
        None => cx.reply.null(),
        Some((rank, score)) => {
            if with_score {
                cx.reply.array(2);
            }
            cx.reply.int(rank as i64);
            if with_score {
                reply_double(&mut cx.reply, score);
            }
        }
    }
    Ok(Outcome::Done)
}

fn zcard(cx: &mut DataContext<'_>) -> CommandResult {
    let len = lookup(&mut cx.db, cx.argv[1])?.map_or(0, ZsetRef::len);
    cx.reply.int(len as i64);
    Ok(Outcome::Done)
}

fn zrandmember(cx: &mut DataContext<'_>) -> CommandResult {
    let (count, with_scores) = random_options(cx.argv, "WITHSCORES")?;
    let (mut rng, bin) = (fork_rng(cx), cx.db.keyspace().garbage.bin());
    let Some(entry) = cx.db.lookup_read(cx.argv[1]) else {
        reply_nothing(&mut cx.reply, count);
        return Ok(Outcome::Done);
    };
    let zset = ZsetRef::of(entry).ok_or(CommandError::WrongType)?;
    let size = zset.len();
    let Some(count) = count else {
        if let Some((member, _)) = zset.nth(rng.below(size as u64) as usize) {
            reply_element(&mut cx.reply, member);
        }
        return Ok(Outcome::Done);
    };
    let choice = RandomChoice { rng, count, size, pairs: with_scores, bin };
    choice.reply(&mut cx.reply, entry, OwnedEntry::copy_of, move |entry, next, reply| {
        let Some(zset) = ZsetRef::of(entry) else { return };
        // Finding a packed member by its rank means walking there: several are better looked up in a list.
        let listed: Vec<(Element<'_>, f64)> =
            if matches!(zset, ZsetRef::Packed(_)) { zset.iter().collect() } else { Vec::new() };
        while let Some(index) = next(reply.len()) {
            let Some((member, score)) = listed.get(index).copied().or_else(|| zset.nth(index)) else { continue };
            if with_scores && reply.is_resp3() {
                reply.array(2);
            }
            reply_element(reply, member);
            if with_scores {
                reply_double(reply, score);
            }
        }
    });
    Ok(Outcome::Done)
}

fn zscan(cx: &mut DataContext<'_>) -> CommandResult {
    let cursor = scan_cursor(cx.argv[2])?;
    let Some(zset) = lookup(&mut cx.db, cx.argv[1])? else {
        reply_scan(&mut cx.reply, 0, &[]);
        return Ok(Outcome::Done);
    };
    let options = ScanOptions::parse(cx.argv, Group::SortedSet)?;
    let mut elements = Vec::new();
    let mut visit = |member: &[u8], score: String| {
        if options.wants(member) {
            elements.push(member.to_vec());
            if !options.alone {
                elements.push(score.into_bytes());
            }
        }
    };
    let next = match zset {
        // Redis prints the scores of large sorted sets with 17 digits here, and only here.
        ZsetRef::Tree(zset) => {
            zset.scan(cursor, options.count, |score, member| visit(member, number::format_17g(score)))
        }
        ZsetRef::Packed(_) => {
            let mut digits = itoa::Buffer::new();
            zset.iter().for_each(|(member, score)| visit(member.as_bytes(&mut digits), number::format_f64(score)));
            0
        }
    };
    reply_scan(&mut cx.reply, next, &elements);
    Ok(Outcome::Done)
}
