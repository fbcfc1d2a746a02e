//! Sorted sets: unions, intersections and differences of sorted sets and sets, returned, stored or counted.

use std::collections::BTreeMap;

use crate::base::number;
use crate::commands::elements::reply_double;
use crate::keyspace::Db;
use crate::resp::CommandError;
use crate::server::context::{self, Args};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::EntryRef;
use crate::types::set::SetRef;
use crate::types::zset::{ZsetRef, compare};

use super::range::store_sorted;

pub(super) const ZUNION: Command = Command {
    info: CommandInfo {
        name: "zunion",
        arity: Arity::AtLeast(3),
        since: "6.2.0",
        group: Group::SortedSet,
        complexity: "O(N)+O(M*log(M)), N members of all sets, M members returned",
        summary: "Lists the members of several sorted sets with their scores put together.",
        flags: Flags::MOVABLEKEYS.or(Flags::READONLY),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::counted(1, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            integer("numkeys"),
            key("key", 0).multiple(),
            integer("weight").token("WEIGHTS").multiple().optional(),
            oneof(
                "aggregate",
                &[
                    token("sum", "SUM"),
                    token("min", "MIN"),
                    token("max", "MAX"),
                    token("count", "COUNT").since("8.8.0"),
                ],
            )
            .token("AGGREGATE")
            .optional(),
            token("withscores", "WITHSCORES").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(zunion),
};

pub(super) const ZUNIONSTORE: Command = Command {
    info: CommandInfo {
        name: "zunionstore",
        arity: Arity::AtLeast(4),
        since: "2.0.0",
        group: Group::SortedSet,
        complexity: "O(N)+O(M*log(M)), N members of all sets, M members stored",
        summary: "Stores the members of several sorted sets with their scores put together.",
        flags: Flags::DENYOOM.or(Flags::MOVABLEKEYS).or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[
            KeySpec::first(KeyFlags::OW.or(KeyFlags::UPDATE)),
            KeySpec::counted(2, KeyFlags::RO.or(KeyFlags::ACCESS)),
        ],
        arguments: &[
            key("destination", 0),
            integer("numkeys"),
            key("key", 1).multiple(),
            integer("weight").token("WEIGHTS").multiple().optional(),
            oneof(
                "aggregate",
                &[
                    token("sum", "SUM"),
                    token("min", "MIN"),
                    token("max", "MAX"),
                    token("count", "COUNT").since("8.8.0"),
                ],
            )
            .token("AGGREGATE")
            .optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(zunionstore),
};

pub(super) const ZINTER: Command = Command {
    info: CommandInfo {
        name: "zinter",
        arity: Arity::AtLeast(3),
        since: "6.2.0",
        group: Group::SortedSet,
        complexity: "O(N*K)+O(M*log(M)), N members of the smallest of K sets, M members returned",
        summary: "Lists the members that several sorted sets share with their scores put together.",
        flags: Flags::MOVABLEKEYS.or(Flags::READONLY),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::counted(1, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            integer("numkeys"),
            key("key", 0).multiple(),
            integer("weight").token("WEIGHTS").multiple().optional(),
            oneof(
                "aggregate",
                &[
                    token("sum", "SUM"),
                    token("min", "MIN"),
                    token("max", "MAX"),
                    token("count", "COUNT").since("8.8.0"),
                ],
            )
            .token("AGGREGATE")
            .optional(),
            token("withscores", "WITHSCORES").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(zinter),
};

pub(super) const ZINTERSTORE: Command = Command {
    info: CommandInfo {
        name: "zinterstore",
        arity: Arity::AtLeast(4),
        since: "2.0.0",
        group: Group::SortedSet,
        complexity: "O(N*K)+O(M*log(M)), N members of the smallest of K sets, M members stored",
        summary: "Stores the members that several sorted sets share with their scores put together.",
        flags: Flags::DENYOOM.or(Flags::MOVABLEKEYS).or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[
            KeySpec::first(KeyFlags::OW.or(KeyFlags::UPDATE)),
            KeySpec::counted(2, KeyFlags::RO.or(KeyFlags::ACCESS)),
        ],
        arguments: &[
            key("destination", 0),
            integer("numkeys"),
            key("key", 1).multiple(),
            integer("weight").token("WEIGHTS").multiple().optional(),
            oneof(
                "aggregate",
                &[
                    token("sum", "SUM"),
                    token("min", "MIN"),
                    token("max", "MAX"),
                    token("count", "COUNT").since("8.8.0"),
                ],
            )
            .token("AGGREGATE")
            .optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(zinterstore),
};

pub(super) const ZINTERCARD: Command = Command {
    info: CommandInfo {
        name: "zintercard",
        arity: Arity::AtLeast(3),
        since: "7.0.0",
        group: Group::SortedSet,
        complexity: "O(N*K), N members of the smallest of K sets",
        summary: "Counts the members that several sorted sets share.",
        flags: Flags::MOVABLEKEYS.or(Flags::READONLY),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::counted(1, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[integer("numkeys"), key("key", 0).multiple(), integer("limit").token("LIMIT").optional()],
        ..INFO
    },
    handler: Handler::Data(zintercard),
};

pub(super) const ZDIFF: Command = Command {
    info: CommandInfo {
        name: "zdiff",
        arity: Arity::AtLeast(3),
        since: "6.2.0",
        group: Group::SortedSet,
        complexity: "O(L+(N-K)*log(N)), L members of all sets, N of the first, K returned",
        summary: "Lists the members of a sorted set that no other of several has.",
        flags: Flags::MOVABLEKEYS.or(Flags::READONLY),
        categories: Categories::SORTEDSET,
        keys: &[KeySpec::counted(1, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[integer("numkeys"), key("key", 0).multiple(), token("withscores", "WITHSCORES").optional()],
        ..INFO
    },
    handler: Handler::Data(zdiff),
};

pub(super) const ZDIFFSTORE: Command = Command {
    info: CommandInfo {
        name: "zdiffstore",
        arity: Arity::AtLeast(4),
        since: "6.2.0",
        group: Group::SortedSet,
        complexity: "O(L+(N-K)*log(N)), L members of all sets, N of the first, K stored",
        summary: "Stores the members of a sorted set that no other of several has.",
        flags: Flags::DENYOOM.or(Flags::MOVABLEKEYS).or(Flags::WRITE),
        categories: Categories::SORTEDSET,
        keys: &[
            KeySpec::first(KeyFlags::OW.or(KeyFlags::UPDATE)),
            KeySpec::counted(2, KeyFlags::RO.or(KeyFlags::ACCESS)),
        ],
        arguments: &[key("destination", 0), integer("numkeys"), key("key", 1).multiple()],
        ..INFO
    },
    handler: Handler::Data(zdiffstore),
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// What becomes of a command's result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Reply,
    Store(&'static str),
    Count,
}

/// How scores of one member are put together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
    /// The weights of the sets that have it.
    Count,
}

impl Aggregate {
    fn parse(word: &[u8]) -> Result<Aggregate, CommandError> {
        let words: [(&[u8], Aggregate); 4] = [
            (b"SUM", Aggregate::Sum),
            (b"MIN", Aggregate::Min),
            (b"MAX", Aggregate::Max),
            (b"COUNT", Aggregate::Count),
        ];
        let found = words.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        found.map(|(_, aggregate)| aggregate).ok_or(CommandError::Syntax)
    }

    /// A score as its set contributes it. May be NaN: zero times infinity.
    fn weigh(self, score: f64, weight: f64) -> f64 {
        if self == Aggregate::Count { weight } else { score * weight }
    }

    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Aggregate::Min => a.min(b),
            Aggregate::Max => a.max(b),
            // Opposite infinities make nothing.
            Aggregate::Sum | Aggregate::Count => or_zero(a + b),
        }
    }
}

/// NaN counts as nothing.
fn or_zero(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number }
}

/// A source of members with scores; those of a plain set are 1.
#[derive(Clone, Copy)]
enum Source<'a> {
    Zset(ZsetRef<'a>),
    Set(SetRef<'a>),
}

impl<'a> Source<'a> {
    fn of(entry: EntryRef<'a>) -> Option<Source<'a>> {
        ZsetRef::of(entry).map(Source::Zset).or_else(|| SetRef::of(entry).map(Source::Set))
    }

    fn len(self) -> usize {
        match self {
            Source::Zset(zset) => zset.len(),
            Source::Set(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Zset(zset) => zset.score(member),
            Source::Set(set) => set.contains(member).then_some(1.0),
        }
    }

    /// Shows all members until `show` returns false.
    fn each(self, mut show: impl FnMut(&[u8], f64) -> bool) {
        let mut digits = itoa::Buffer::new();
        match self {
            Source::Zset(zset) => _ = zset.iter().all(|(member, score)| show(member.as_bytes(&mut digits), score)),
            Source::Set(set) => _ = set.iter().all(|member| show(member.as_bytes(&mut digits), 1.0)),
        }
    }
}

/// A request taken apart.
struct Request<'a> {
    keys: &'a [&'a [u8]],
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: usize,
}

impl<'a> Request<'a> {
    /// The request whose number of keys is argument `at`. As in Redis, the keys are looked at before the options are.
    fn parse(
        cx: &mut DataContext<'a>,
        at: usize,
        operation: Operation,
        use_: Use,
        name: &str,
    ) -> Result<Request<'a>, CommandError> {
        let argv = cx.argv;
        let count = context::integer(argv[at])?;
        if count < 1 {
            return Err(CommandError::err(format!("at least 1 input key is needed for '{name}' command")));
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count > argv.len() - at - 1 {
            return Err(CommandError::Syntax);
        }
        let keys = &argv[at + 1..][..count];
        look_at(&mut cx.db, keys)?;
        let mut request = Request {
            keys,
            weights: vec![1.0; count],
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: usize::MAX,
        };
        let may_weigh = operation != Operation::Diff && use_ != Use::Count;
        let mut args = Args::new(argv, at + 1 + count);
        while args.left() > 0 {
            if may_weigh && args.left() > count && args.take_word("WEIGHTS") {
                for weight in &mut request.weights {
                    let given = number::parse_f64(args.required()?);
                    *weight = given.ok_or(CommandError::err("weight value is not a float"))?;
                }
            } else if may_weigh && args.left() > 1 && args.take_word("AGGREGATE") {
                request.aggregate = Aggregate::parse(args.required()?)?;
            } else if use_ == Use::Reply && args.take_word("WITHSCORES") {
                request.with_scores = true;
            } else if use_ == Use::Count && args.left() > 1 && args.take_word("LIMIT") {
                let limit = args.next().and_then(number::parse_i64).and_then(|limit| usize::try_from(limit).ok());
                let limit = limit.ok_or(CommandError::err("LIMIT can't be negative"))?;
                request.limit = if limit == 0 { usize::MAX } else { limit };
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(request)
    }
}

/// Looks every key up, for expiry and counters, and refuses other types.
fn look_at(db: &mut Db<'_>, keys: &[&[u8]]) -> Result<(), CommandError> {
    for key in keys {
        if db.lookup_read(key).is_some_and(|entry| Source::of(entry).is_none()) {
            return Err(CommandError::WrongType);
        }
    }
    Ok(())
}

type Scored = (f64, Vec<u8>);

fn unite(sources: &[(Option<Source<'_>>, f64)], aggregate: Aggregate) -> Vec<Scored> {
    let mut scores: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
    // The smallest first, as in Redis: sums are rounded, so their order shows.
    let mut sources: Vec<(Source<'_>, f64)> =
        sources.iter().filter_map(|(source, weight)| Some(((*source)?, *weight))).collect();
    sources.sort_by_key(|(source, _)| source.len());
    for (source, weight) in sources {
        source.each(|member, score| {
            let score = or_zero(aggregate.weigh(score, weight));
            match scores.get_mut(member) {
                Some(sum) => *sum = aggregate.join(*sum, score),
                None => _ = scores.insert(member.to_vec(), score),
            }
            true
        });
    }
    sorted(scores.into_iter().map(|(member, score)| (score, member)).collect())
}

/// Shows the members that all sources have, with their scores put together, until `show` returns false.
fn intersect(sources: &[(Option<Source<'_>>, f64)], aggregate: Aggregate, mut show: impl FnMut(&[u8], f64) -> bool) {
    let sources = sources.iter().map(|(source, weight)| source.map(|source| (source, *weight)));
    let Some(mut sources) = sources.collect::<Option<Vec<(Source<'_>, f64)>>>() else { return };
    sources.sort_by_key(|(source, _)| source.len());
    let Some(((smallest, weight), others)) = sources.split_first() else { return };
    smallest.each(|member, score| {
        let mut sum = or_zero(aggregate.weigh(score, *weight));
        for (source, weight) in others {
            let Some(score) = source.score(member) else { return true };
            sum = aggregate.join(sum, aggregate.weigh(score, *weight));
        }
        show(member, sum)
    });
}

fn subtract(sources: &[(Option<Source<'_>>, f64)]) -> Vec<Scored> {
    let Some(((Some(first), _), others)) = sources.split_first() else { return Vec::new() };
    let others: Vec<Source<'_>> = others.iter().filter_map(|(source, _)| *source).collect();
    let all: usize = others.iter().map(|source| source.len()).sum();
    let mut result = Vec::new();
    // Either look every member of the first set up in the others, or remove all members of the others from a copy.
    if first.len().saturating_mul(others.len()) / 2 <= first.len() + all {
        first.each(|member, score| {
            if !others.iter().any(|source| source.score(member).is_some()) {
                result.push((score, member.to_vec()));
            }
            true
        });
    } else {
        let mut left: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
        first.each(|member, score| left.insert(member.to_vec(), score).is_none());
        for source in others {
            source.each(|member, _| {
                left.remove(member);
                !left.is_empty()
            });
        }
        result.extend(left.into_iter().map(|(member, score)| (score, member)));
    }
    sorted(result)
}

fn sorted(mut members: Vec<Scored>) -> Vec<Scored> {
    members.sort_unstable_by(|a, b| compare((a.0, &a.1), (b.0, &b.1)));
    members
}

fn run(cx: &mut DataContext<'_>, name: &'static str, operation: Operation, use_: Use) -> CommandResult {
    let at = if matches!(use_, Use::Store(_)) { 2 } else { 1 };
    let request = Request::parse(cx, at, operation, use_, name)?;
    let db = &cx.db;
    let views = request.keys.iter().map(|key| db.view(key).and_then(Source::of));
    let sources: Vec<(Option<Source<'_>>, f64)> = views.zip(request.weights.iter().copied()).collect();
    if use_ == Use::Count {
        let mut count = 0;
        intersect(&sources, Aggregate::Sum, |_, _| {
            count += 1;
            count < request.limit
        });
        cx.reply.int(count as i64);
        return Ok(Outcome::Done);
    }
    let members = match operation {
        Operation::Union => unite(&sources, request.aggregate),
        Operation::Diff => subtract(&sources),
        Operation::Inter => {
            let mut members = Vec::new();
            intersect(&sources, request.aggregate, |member, score| {
                members.push((score, member.to_vec()));
                true
            });
            sorted(members)
        }
    };
    if let Use::Store(event) = use_ {
        store_sorted(cx, cx.argv[1], &members, event);
        cx.reply.int(members.len() as i64);
        return Ok(Outcome::Done);
    }
    let is_nested = request.with_scores && cx.reply.is_resp3();
    cx.reply.array(if request.with_scores && !is_nested { members.len() * 2 } else { members.len() });
    for (score, member) in &members {
        if is_nested {
            cx.reply.array(2);
        }
        cx.reply.bulk(member);
        if request.with_scores {
            reply_double(&mut cx.reply, *score);
        }
    }
    Ok(Outcome::Done)
}

fn zunion(cx: &mut DataContext<'_>) -> CommandResult {
    run(cx, "zunion", Operation::Union, Use::Reply)
}

fn zunionstore(cx: &mut DataContext<'_>) -> CommandResult {
    run(cx, "zunionstore", Operation::Union, Use::Store("zunionstore"))
}

fn zinter(cx: &mut DataContext<'_>) -> CommandResult {
    run(cx, "zinter", Operation::Inter, Use::Reply)
}

fn zinterstore(cx: &mut DataContext<'_>) -> CommandResult {
    run(cx, "zinterstore", Operation::Inter, Use::Store("zinterstore"))
}

fn zintercard(cx: &mut DataContext<'_>) -> CommandResult {
    run(cx, "zintercard", Operation::Inter, Use::Count)
}

fn zdiff(cx: &mut DataContext<'_>) -> CommandResult {
    run(cx, "zdiff", Operation::Diff, Use::Reply)
}

fn zdiffstore(cx: &mut DataContext<'_>) -> CommandResult {
    run(cx, "zdiffstore", Operation::Diff, Use::Store("zdiffstore"))
}
