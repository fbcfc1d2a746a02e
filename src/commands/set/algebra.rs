//! Sets: intersections, unions and differences, returned, stored or counted.

use crate::base::number;
use crate::commands::elements::reply_element;
use crate::commands::store_nothing;
use crate::keyspace::{Db, KeepTtl, Notify};
use crate::resp::CommandError;
use crate::server::context::Args;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::Type;
use crate::types::set::{SetBuilder, SetRef};

use super::{limits, lookup};

pub(super) const SINTER: Command = Command {
    info: CommandInfo {
        name: "sinter",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(N*M), N the size of the smallest set, M the number of sets",
        summary: "Lists the members that all of several sets share.",
        flags: Flags::READONLY,
        categories: Categories::SET,
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0).multiple()],
        tips: &["nondeterministic_output_order"],
        ..INFO
    },
    handler: Handler::Data(sinter),
};

pub(super) const SINTERSTORE: Command = Command {
    info: CommandInfo {
        name: "sinterstore",
        arity: Arity::AtLeast(3),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(N*M), N the size of the smallest set, M the number of sets",
        summary: "Stores the members that all of several sets share.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::SET,
        keys: &[
            KeySpec::first(KeyFlags::OW.or(KeyFlags::UPDATE)),
            KeySpec::range(2, -1, 1, KeyFlags::RO.or(KeyFlags::ACCESS)),
        ],
        arguments: &[key("destination", 0), key("key", 1).multiple()],
        ..INFO
    },
    handler: Handler::Data(sinterstore),
};

pub(super) const SINTERCARD: Command = Command {
    info: CommandInfo {
        name: "sintercard",
        arity: Arity::AtLeast(3),
        since: "7.0.0",
        group: Group::Set,
        complexity: "O(N*M), N the size of the smallest set, M the number of sets",
        summary: "Counts the members that all of several sets share.",
        flags: Flags::MOVABLEKEYS.or(Flags::READONLY),
        categories: Categories::SET,
        keys: &[KeySpec::counted(1, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[integer("numkeys"), key("key", 0).multiple(), integer("limit").token("LIMIT").optional()],
        ..INFO
    },
    handler: Handler::Data(sintercard),
};

pub(super) const SUNION: Command = Command {
    info: CommandInfo {
        name: "sunion",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(N), N the number of members of all sets",
        summary: "Lists the members of several sets, each once.",
        flags: Flags::READONLY,
        categories: Categories::SET,
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0).multiple()],
        tips: &["nondeterministic_output_order"],
        ..INFO
    },
    handler: Handler::Data(sunion),
};

pub(super) const SUNIONSTORE: Command = Command {
    info: CommandInfo {
        name: "sunionstore",
        arity: Arity::AtLeast(3),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(N), N the number of members of all sets",
        summary: "Stores the members of several sets in one.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::SET,
        keys: &[
            KeySpec::first(KeyFlags::OW.or(KeyFlags::UPDATE)),
            KeySpec::range(2, -1, 1, KeyFlags::RO.or(KeyFlags::ACCESS)),
        ],
        arguments: &[key("destination", 0), key("key", 1).multiple()],
        ..INFO
    },
    handler: Handler::Data(sunionstore),
};

pub(super) const SUNIONCARD: Command = Command {
    info: CommandInfo {
        name: "sunioncard",
        arity: Arity::AtLeast(3),
        since: "8.10.0",
        group: Group::Set,
        complexity: "O(N), N the number of members of all sets",
        summary: "Counts the members of several sets, each once.",
        flags: Flags::MOVABLEKEYS.or(Flags::READONLY),
        categories: Categories::SET,
        keys: &[KeySpec::counted(1, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            integer("numkeys"),
            key("key", 0).multiple(),
            token("approx", "APPROX").optional(),
            integer("limit").token("LIMIT").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(sunioncard),
};

pub(super) const SDIFF: Command = Command {
    info: CommandInfo {
        name: "sdiff",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(N), N the number of members of all sets",
        summary: "Lists the members of a set that no other of several sets has.",
        flags: Flags::READONLY,
        categories: Categories::SET,
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0).multiple()],
        tips: &["nondeterministic_output_order"],
        ..INFO
    },
    handler: Handler::Data(sdiff),
};

pub(super) const SDIFFSTORE: Command = Command {
    info: CommandInfo {
        name: "sdiffstore",
        arity: Arity::AtLeast(3),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(N), N the number of members of all sets",
        summary: "Stores the members of a set that no other of several sets has.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::SET,
        keys: &[
            KeySpec::first(KeyFlags::OW.or(KeyFlags::UPDATE)),
            KeySpec::range(2, -1, 1, KeyFlags::RO.or(KeyFlags::ACCESS)),
        ],
        arguments: &[key("destination", 0), key("key", 1).multiple()],
        ..INFO
    },
    handler: Handler::Data(sdiffstore),
};

pub(super) const SDIFFCARD: Command = Command {
    info: CommandInfo {
        name: "sdiffcard",
        arity: Arity::AtLeast(3),
        since: "8.10.0",
        group: Group::Set,
        complexity: "O(N), N the number of members of all sets",
        summary: "Counts the members of a set that no other of several sets has.",
        flags: Flags::MOVABLEKEYS.or(Flags::READONLY),
        categories: Categories::SET,
        keys: &[KeySpec::counted(1, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[integer("numkeys"), key("key", 0).multiple(), integer("limit").token("LIMIT").optional()],
        ..INFO
    },
    handler: Handler::Data(sdiffcard),
};

/// How sets are combined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Inter,
    Union,
    Diff,
}

/// The sets of these keys, none where there is no key.
fn lookup_all<'a>(db: &'a mut Db<'_>, keys: &[&[u8]]) -> Result<Vec<Option<SetRef<'a>>>, CommandError> {
    for key in keys {
        lookup(db, key)?;
    }
    let db = &*db;
    Ok(keys.iter().map(|key| db.view(key).and_then(SetRef::of)).collect())
}

/// Shows the members that all sets share until `show` returns false.
fn intersect(sets: &[Option<SetRef<'_>>], mut show: impl FnMut(&[u8]) -> bool) {
    let Some(mut sets) = sets.iter().copied().collect::<Option<Vec<SetRef<'_>>>>() else { return };
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    let mut digits = itoa::Buffer::new();
    for member in smallest.iter() {
        let text = member.as_bytes(&mut digits);
        if others.iter().all(|set| set.contains(text)) && !show(text) {
            return;
        }
    }
}

/// Puts the members of all sets together, up to `limit`.
fn unite(sets: &[Option<SetRef<'_>>], result: &mut SetBuilder, limit: usize) {
    let mut digits = itoa::Buffer::new();
    let mut count = 0;
    for set in sets.iter().flatten() {
        for member in set.iter() {
            count += usize::from(result.add(member.as_bytes(&mut digits)));
            if count == limit {
                return;
            }
        }
    }
}

/// Shows the members of the first set that no other has until `show` returns false, by looking each up in the others.
fn subtract(sets: &[Option<SetRef<'_>>], mut show: impl FnMut(&[u8]) -> bool) {
    let Some((Some(first), others)) = sets.split_first() else { return };
    // The largest set is the likeliest to have it.
    let mut others: Vec<SetRef<'_>> = others.iter().flatten().copied().collect();
    others.sort_by_key(|set| std::cmp::Reverse(set.len()));
    let mut digits = itoa::Buffer::new();
    for member in first.iter() {
        let text = member.as_bytes(&mut digits);
        if !others.iter().any(|set| set.contains(text)) && !show(text) {
            return;
        }
    }
}

fn combine(operation: Operation, sets: &[Option<SetRef<'_>>], result: &mut SetBuilder) {
    match operation {
        Operation::Inter => intersect(sets, |member| {
            result.add(member);
            true
        }),
        Operation::Union => unite(sets, result, usize::MAX),
        Operation::Diff => {
            let Some(Some(first)) = sets.first() else { return };
            let (count, all) = sets.iter().flatten().fold((0, 0), |(count, all), set| (count + 1, all + set.len()));
            // Either look every member of the first set up in the others, or remove all members of the others from a copy.
            // Which it is shows in the encoding of the result.
            if first.len().saturating_mul(count) / 2 <= all {
                return subtract(sets, |member| {
                    result.add(member);
                    true
                });
            }
            unite(&sets[..1], result, usize::MAX);
            let mut digits = itoa::Buffer::new();
            for member in sets[1..].iter().flatten().flat_map(|set| set.iter()) {
                result.remove(member.as_bytes(&mut digits));
            }
        }
    }
}

fn reply_combined(cx: &mut DataContext<'_>, operation: Operation) -> CommandResult {
    let mut result = SetBuilder::new(limits(cx), cx.db.keyspace().hash_seed());
    let sets = lookup_all(&mut cx.db, &cx.argv[1..])?;
    if operation == Operation::Inter {
        let (mark, mut count) = (cx.reply.mark(), 0);
        intersect(&sets, |member| {
            cx.reply.bulk(member);
            count += 1;
            true
        });
        cx.reply.set_at(mark, count);
        return Ok(Outcome::Done);
    }
    combine(operation, &sets, &mut result);
    let result = result.view();
    cx.reply.set(result.len());
    result.iter().for_each(|member| reply_element(&mut cx.reply, member));
    Ok(Outcome::Done)
}

fn store_combined(cx: &mut DataContext<'_>, operation: Operation, event: &'static str) -> CommandResult {
    let destination = cx.argv[1];
    let mut result = SetBuilder::new(limits(cx), cx.db.keyspace().hash_seed());
    let sets = lookup_all(&mut cx.db, &cx.argv[2..])?;
    combine(operation, &sets, &mut result);
    let count = result.view().len();
    if count > 0 {
        result.store(|value| cx.db.set_value(destination, Type::Set, value, KeepTtl::Clear));
        cx.db.modified(destination);
        cx.db.notify(Notify::SET, event, destination);
    } else {
        store_nothing(cx, destination);
    }
    cx.reply.int(count as i64);
    Ok(Outcome::Done)
}

fn reply_cardinality(cx: &mut DataContext<'_>, operation: Operation) -> CommandResult {
    let count = number::parse_i64(cx.argv[1]).and_then(|count| usize::try_from(count).ok()).filter(|&count| count > 0);
    let count = count.ok_or(CommandError::err("numkeys should be greater than 0"))?;
    if count > cx.argv.len() - 2 {
        return Err(CommandError::err("Number of keys can't be greater than number of args"));
    }
    let mut args = Args::new(cx.argv, 2 + count);
    let mut limit = 0;
    while args.left() > 0 {
        if args.left() > 1 && args.take_word("LIMIT") {
            let given = args.next().and_then(number::parse_i64).and_then(|limit| usize::try_from(limit).ok());
            limit = given.ok_or(CommandError::err("LIMIT can't be negative"))?;
        } else if operation != Operation::Union || !args.take_word("APPROX") {
            // APPROX allows a cheaper, inexact answer; the exact one serves as well.
            return Err(CommandError::Syntax);
        }
    }
    let limit = if limit == 0 { usize::MAX } else { limit };
    let mut united = SetBuilder::new(limits(cx), cx.db.keyspace().hash_seed());
    let sets = lookup_all(&mut cx.db, &cx.argv[2..2 + count])?;
    let mut found = 0;
    let mut tally = |_: &[u8]| {
        found += 1;
        found < limit
    };
    match operation {
        Operation::Inter => intersect(&sets, &mut tally),
        Operation::Diff => subtract(&sets, &mut tally),
        Operation::Union => {
            unite(&sets, &mut united, limit);
            found = united.view().len();
        }
    }
    cx.reply.int(found as i64);
    Ok(Outcome::Done)
}

fn sinter(cx: &mut DataContext<'_>) -> CommandResult {
    reply_combined(cx, Operation::Inter)
}

fn sinterstore(cx: &mut DataContext<'_>) -> CommandResult {
    store_combined(cx, Operation::Inter, "sinterstore")
}

fn sintercard(cx: &mut DataContext<'_>) -> CommandResult {
    reply_cardinality(cx, Operation::Inter)
}

fn sunion(cx: &mut DataContext<'_>) -> CommandResult {
    reply_combined(cx, Operation::Union)
}

fn sunionstore(cx: &mut DataContext<'_>) -> CommandResult {
    store_combined(cx, Operation::Union, "sunionstore")
}

fn sunioncard(cx: &mut DataContext<'_>) -> CommandResult {
    reply_cardinality(cx, Operation::Union)
}

fn sdiff(cx: &mut DataContext<'_>) -> CommandResult {
    reply_combined(cx, Operation::Diff)
}

fn sdiffstore(cx: &mut DataContext<'_>) -> CommandResult {
    store_combined(cx, Operation::Diff, "sdiffstore")
}

fn sdiffcard(cx: &mut DataContext<'_>) -> CommandResult {
    reply_cardinality(cx, Operation::Diff)
}
