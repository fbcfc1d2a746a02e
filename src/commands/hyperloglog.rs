//! HyperLogLog: counting what is different in little room.

use crate::base::shown::shown;
use crate::keyspace::{KeepTtl, Notify};
use crate::resp::CommandError;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::Type;
use crate::types::hyperloglog::{self as hll, Invalid, Layout};
use crate::types::{bitmap, string};

/// The family.
pub const COMMANDS: &[Command] = &[PFADD, PFCOUNT, PFDEBUG, PFMERGE, PFSELFTEST];

const PFADD: Command = Command {
    info: CommandInfo {
        name: "pfadd",
        arity: Arity::AtLeast(2),
        since: "2.8.9",
        group: Group::Hyperloglog,
        complexity: "O(1) for each element",
        summary: "Adds elements to a HyperLogLog.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::HYPERLOGLOG,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::INSERT))],
        arguments: &[key("key", 0), string("element").multiple().optional()],
        ..INFO
    },
    handler: Handler::Data(pfadd),
};

const PFCOUNT: Command = Command {
    info: CommandInfo {
        name: "pfcount",
        arity: Arity::AtLeast(2),
        since: "2.8.9",
        group: Group::Hyperloglog,
        complexity: "O(1) for one key, O(N) for several",
        summary: "Estimates how many different elements were added to HyperLogLogs.",
        flags: Flags::READONLY,
        categories: Categories::HYPERLOGLOG,
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RW.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0).multiple()],
        ..INFO
    },
    handler: Handler::Data(pfcount),
};

const PFDEBUG: Command = Command {
    info: CommandInfo {
        name: "pfdebug",
        arity: Arity::Exactly(3),
        since: "2.8.9",
        group: Group::Hyperloglog,
        complexity: "O(N)",
        summary: "Shows the inside of a HyperLogLog, for tests.",
        flags: Flags::ADMIN.or(Flags::DENYOOM).or(Flags::WRITE),
        categories: Categories::HYPERLOGLOG,
        keys: &[KeySpec::at(2, KeyFlags::RW.or(KeyFlags::ACCESS))],
        arguments: &[string("subcommand"), key("key", 0)],
        is_internal: true,
        ..INFO
    },
    handler: Handler::Data(pfdebug),
};

const PFMERGE: Command = Command {
    info: CommandInfo {
        name: "pfmerge",
        arity: Arity::AtLeast(2),
        since: "2.8.9",
        group: Group::Hyperloglog,
        complexity: "O(N)",
        summary: "Merges HyperLogLogs into one.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::HYPERLOGLOG,
        keys: &[
            KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::INSERT)),
            KeySpec::range(2, -1, 1, KeyFlags::RO.or(KeyFlags::ACCESS)),
        ],
        arguments: &[key("destkey", 0), key("sourcekey", 1).multiple().optional()],
        ..INFO
    },
    handler: Handler::Data(pfmerge),
};

const PFSELFTEST: Command = Command {
    info: CommandInfo {
        name: "pfselftest",
        arity: Arity::Exactly(1),
        since: "2.8.9",
        group: Group::Hyperloglog,
        complexity: "O(N)",
        summary: "Checks the HyperLogLog code against itself, for tests.",
        flags: Flags::ADMIN,
        categories: Categories::HYPERLOGLOG,
        is_internal: true,
        ..INFO
    },
    handler: Handler::Data(pfselftest),
};

const NOT_ONE: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";

fn refusal(invalid: Invalid) -> CommandError {
    CommandError::coded(match invalid {
        Invalid::NotHyperLogLog => NOT_ONE,
        Invalid::Corrupted => "INVALIDOBJ Corrupted HLL object detected",
    })
}

/// The bytes of a HyperLogLog key; None if it does not exist.
fn read(cx: &mut DataContext<'_>, key: &[u8]) -> Result<Option<Vec<u8>>, CommandError> {
    let Some(entry) = cx.db.lookup_read(key) else { return Ok(None) };
    if entry.type_() != Type::String {
        return Err(CommandError::WrongType);
    }
    let bytes = string::bytes(entry).into_owned();
    hll::layout(&bytes).map_err(refusal)?;
    Ok(Some(bytes))
}

/// Stores a HyperLogLog; one that exists keeps its expiry.
fn store(cx: &mut DataContext<'_>, key: &[u8], bytes: &[u8]) {
    cx.db.set_value(key, Type::String, bitmap::new_bytes(bytes), KeepTtl::Keep);
    if let Some(mut entry) = cx.db.lookup_write(key) {
        entry.set_raw(true);
    }
}

fn sparse_max(cx: &DataContext<'_>) -> usize {
    cx.config.hll_sparse_max_bytes as usize
}

fn pfadd(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let sparse_max = sparse_max(cx);
    let found = read(cx, key)?;
    let mut changed = found.is_none();
    let mut bytes = found.unwrap_or_else(hll::new);
    if hll::layout(&bytes) == Ok(Layout::Dense) {
        changed |= add_in_place(cx, key);
    } else {
        for element in &cx.argv[2..] {
            let (index, value) = hll::register_of(element);
            changed |= hll::raise(&mut bytes, index, value, sparse_max).map_err(refusal)?;
        }
        if changed {
            hll::invalidate_cache(&mut bytes);
            store(cx, key, &bytes);
        }
    }
    if changed {
        cx.db.modified(key);
        cx.db.notify(Notify::STRING, "pfadd", key);
    }
    cx.reply.int(i64::from(changed));
    Ok(Outcome::Done)
}

/// Adds to a dense one without copying it.
fn add_in_place(cx: &mut DataContext<'_>, key: &[u8]) -> bool {
    let elements = &cx.argv[2..];
    let Some(mut entry) = cx.db.lookup_write(key) else { return false };
    bitmap::change_bytes(&mut entry, 0, |bytes| {
        let mut changed = false;
        for element in elements {
            let (index, value) = hll::register_of(element);
            changed |= hll::raise_dense(bytes, index, value);
        }
        if changed {
            hll::invalidate_cache(bytes);
        }
        changed
    })
}

fn pfcount(cx: &mut DataContext<'_>) -> CommandResult {
    let keys = &cx.argv[1..];
    if let [key] = keys {
        let Some(bytes) = read(cx, key)? else {
            cx.reply.int(0);
            return Ok(Outcome::Done);
        };
        if let Some(cardinality) = hll::cached(&bytes) {
            cx.reply.int(cardinality as i64);
            return Ok(Outcome::Done);
        }
        let cardinality = hll::estimate(&hll::registers(&bytes).map_err(refusal)?);
        // Caching the answer changes the value: it is propagated like a write.
        if let Some(mut entry) = cx.db.lookup_write(key) {
            bitmap::change_bytes(&mut entry, 0, |bytes| hll::set_cached(bytes, cardinality));
        }
        cx.db.modified(key);
        cx.reply.int(cardinality as i64);
        return Ok(Outcome::Done);
    }
    let union = union_of(cx, keys)?.0;
    cx.reply.int(hll::estimate(&union) as i64);
    Ok(Outcome::Done)
}

/// The greatest of each register over all keys, and whether any of them is dense.
fn union_of(cx: &mut DataContext<'_>, keys: &[&[u8]]) -> Result<(Vec<u8>, bool), CommandError> {
    let mut union = vec![0; hll::REGISTERS];
    let mut dense = false;
    for key in keys {
        let Some(bytes) = read(cx, key)? else { continue };
        dense |= hll::layout(&bytes) == Ok(Layout::Dense);
        let registers = hll::registers(&bytes).map_err(refusal)?;
        union.iter_mut().zip(registers).for_each(|(most, value)| *most = value.max(*most));
    }
    Ok((union, dense))
}

fn pfmerge(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let sparse_max = sparse_max(cx);
    let (union, dense) = union_of(cx, &cx.argv[1..])?;
    let mut bytes = read(cx, key)?.unwrap_or_else(hll::new);
    if dense {
        hll::to_dense(&mut bytes).map_err(refusal)?;
    }
    for (index, &value) in union.iter().enumerate().filter(|(_, value)| **value > 0) {
        hll::raise(&mut bytes, index, value, sparse_max).map_err(refusal)?;
    }
    hll::invalidate_cache(&mut bytes);
    store(cx, key, &bytes);
    cx.db.modified(key);
    // Redis names the event of the merge as that of an addition.
    cx.db.notify(Notify::STRING, "pfadd", key);
    cx.reply.ok();
    Ok(Outcome::Done)
}

fn pfdebug(cx: &mut DataContext<'_>) -> CommandResult {
    let (word, key) = (cx.argv[1].to_ascii_lowercase(), cx.argv[2]);
    let Some(mut bytes) = read(cx, key)? else { return Err(CommandError::err("The specified key does not exist")) };
    if cx.argv.len() != 3 {
        return Err(CommandError::err("Wrong number of arguments for the given subcommand"));
    }
    let layout = hll::layout(&bytes).map_err(refusal)?;
    match word.as_slice() {
        b"getreg" | b"todense" => {
            hll::to_dense(&mut bytes).map_err(refusal)?;
            if layout == Layout::Sparse {
                store(cx, key, &bytes);
                cx.db.modified(key);
            }
            if word == b"todense" {
                cx.reply.int(i64::from(layout == Layout::Sparse));
            } else {
                let registers = hll::registers(&bytes).map_err(refusal)?;
                cx.reply.array(registers.len());
                registers.iter().for_each(|&value| cx.reply.int(i64::from(value)));
            }
        }
        b"decode" if layout == Layout::Sparse => {
            let text = hll::describe_sparse(&bytes).map_err(refusal)?;
            cx.reply.bulk(text.as_bytes());
        }
        b"decode" => return Err(CommandError::err("HLL encoding is not sparse")),
        b"encoding" => cx.reply.simple(if layout == Layout::Dense { "dense" } else { "sparse" }),
        _ => {
            let word = shown(cx.argv[1]);
            return Err(CommandError::err(format!("Unknown PFDEBUG subcommand '{word}'")));
        }
    }
    Ok(Outcome::Done)
}

/// Adds the same numbers to a sparse and a dense one and compares registers and estimates.
fn pfselftest(cx: &mut DataContext<'_>) -> CommandResult {
    let (mut sparse, mut dense) = (hll::new(), hll::new());
    hll::to_dense(&mut dense).map_err(refusal)?;
    for n in 1..=20_000u32 {
        let (index, value) = hll::register_of(&n.to_le_bytes());
        let raised = hll::raise(&mut sparse, index, value, usize::MAX).map_err(refusal)?;
        if raised != hll::raise_dense(&mut dense, index, value) {
            return Err(CommandError::err("TESTFAILED sparse and dense registers differ"));
        }
        if n.is_power_of_two() || n % 5000 == 0 {
            let registers = hll::registers(&dense).map_err(refusal)?;
            let error = (hll::estimate(&registers) as f64 - f64::from(n)).abs();
            // Four times the standard error of 0.81 %.
            if registers != hll::registers(&sparse).map_err(refusal)? || error > (0.0325 * f64::from(n)).max(2.0) {
                return Err(CommandError::err("TESTFAILED Too big error"));
            }
        }
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}
