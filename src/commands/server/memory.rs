//! MEMORY: what takes memory, and how much of it.

use crate::keyspace::{Db, DbIndex};
use crate::resp::{CommandError, Reply};
use crate::server::context::Args;
use crate::server::info::{MemoryUse, excess, human, ratio};
use crate::server::{Command, CommandResult, Handler, Outcome, ServerContext};
use crate::spec::*;
use crate::storage::{EntryRef, Value, alloc};

use crate::commands::help;

pub(super) const MEMORY: Command = Command {
    info: CommandInfo {
        name: "memory",
        arity: Arity::AtLeast(2),
        since: "4.0.0",
        group: Group::Server,
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about memory.",
        flags: Flags::NONE,
        ..INFO
    },
    handler: Handler::Container(&[
        MEMORY_DOCTOR,
        MEMORY_HELP,
        MEMORY_MALLOC_STATS,
        MEMORY_PURGE,
        MEMORY_STATS,
        MEMORY_USAGE,
    ]),
};

const MEMORY_DOCTOR: Command = Command {
    info: CommandInfo {
        name: "doctor",
        arity: Arity::Exactly(2),
        since: "4.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Tells in words whether memory is used well.",
        flags: Flags::NONE,
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..INFO
    },
    handler: Handler::Server(memory_doctor),
};
fn memory_doctor(cx: &mut ServerContext<'_>) -> CommandResult {
    let text = diagnosis(&MemoryUse::of(cx.server, 0));
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Outcome::Done)
}

/// Below this much memory nothing can be said.
const DOCTOR_BYTES_MIN: usize = 5 << 20;

fn diagnosis(memory: &MemoryUse) -> String {
    if memory.used < DOCTOR_BYTES_MIN {
        return "This instance is empty or holds next to nothing: there is nothing to find fault with yet.\n"
            .to_owned();
    }
    let mut findings: Vec<String> = Vec::new();
    if ratio(memory.peak, memory.used) > 1.5 {
        let peak = human(memory.peak as u64);
        findings.push(format!("Peak: at some time {peak} were in use, more than half as much again as there are."));
    }
    if memory.used > 0 && ratio(memory.process.rss, memory.allocator.active.max(1)) > 1.4 {
        findings.push("Resident memory: the process holds much more than the allocator needs.".to_owned());
    }
    if ratio(memory.allocator.active, memory.allocator.allocated) > 1.4 {
        findings.push("Fragmentation: pages of the allocator are sparsely filled. MEMORY PURGE may help.".to_owned());
    }
    if memory.clients_normal > 0 && memory.clients_normal > memory.used / 5 {
        findings.push("Clients: requests and replies take a fifth of all memory or more.".to_owned());
    }
    if findings.is_empty() {
        return "Nothing to find fault with in how memory is used.\n".to_owned();
    }
    format!("{} finding(s):\n\n * {}\n", findings.len(), findings.join("\n * "))
}

const MEMORY_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "4.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Lists the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(memory_help),
};
fn memory_help(cx: &mut ServerContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "MEMORY",
        &[
            ("DOCTOR", &["Problems with memory, in words."]),
            ("MALLOC-STATS", &["The allocator's own figures."]),
            ("PURGE", &["Gives unused pages back to the system."]),
            ("STATS", &["What memory is used for."]),
            ("USAGE <key> [SAMPLES <count>]", &["Bytes that a key takes with all it holds."]),
        ],
    );
    Ok(Outcome::Done)
}

const MEMORY_MALLOC_STATS: Command = Command {
    info: CommandInfo {
        name: "malloc-stats",
        arity: Arity::Exactly(2),
        since: "4.0.0",
        group: Group::Server,
        complexity: "Depends on how much memory is allocated, could be slow",
        summary: "Tells the allocator's own figures.",
        flags: Flags::NONE,
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..INFO
    },
    handler: Handler::Server(memory_malloc_stats),
};
fn memory_malloc_stats(cx: &mut ServerContext<'_>) -> CommandResult {
    let stats = alloc::allocator_stats();
    let text = format!(
        "Allocated: {}, active: {}, resident: {}, retained: {}\n",
        stats.allocated, stats.active, stats.resident, stats.retained
    );
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Outcome::Done)
}

const MEMORY_PURGE: Command = Command {
    info: CommandInfo {
        name: "purge",
        arity: Arity::Exactly(2),
        since: "4.0.0",
        group: Group::Server,
        complexity: "Depends on how much memory is allocated, could be slow",
        summary: "Gives unused memory back to the system.",
        flags: Flags::NONE,
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(memory_purge),
};
fn memory_purge(cx: &mut ServerContext<'_>) -> CommandResult {
    alloc::purge();
    cx.reply.ok();
    Ok(Outcome::Done)
}

const MEMORY_STATS: Command = Command {
    info: CommandInfo {
        name: "stats",
        arity: Arity::Exactly(2),
        since: "4.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Tells what memory is used for.",
        flags: Flags::NONE,
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..INFO
    },
    handler: Handler::Server(memory_stats),
};
fn memory_stats(cx: &mut ServerContext<'_>) -> CommandResult {
    let memory = MemoryUse::of(cx.server, 0);
    let own = cx.db_index();
    let server = &mut *cx.server;
    let reply = &mut cx.reply;
    let mark = reply.mark();
    let mut count = 0;
    let mut int = |reply: &mut Reply<'_>, name: &str, value: i64| {
        reply.bulk(name.as_bytes());
        reply.int(value);
        count += 1;
    };
    int(reply, "peak.allocated", memory.peak as i64);
    int(reply, "total.allocated", memory.used as i64);
    int(reply, "startup.allocated", memory.startup as i64);
    int(reply, "replication.backlog", 0);
    int(reply, "clients.slaves", 0);
    int(reply, "clients.normal", memory.clients_normal as i64);
    int(reply, "cluster.links", 0);
    int(reply, "aof.buffer", 0);
    let scripts = server.scripting.memory();
    int(reply, "lua.caches", scripts.eval as i64);
    int(reply, "functions.caches", scripts.functions as i64);
    let mut databases = 0;
    let mut table_bytes = 0;
    for index in 0..server.keyspace.databases() {
        let db = DbIndex(index as u16);
        let (_, table, expires) = server.keyspace.db_overhead(db);
        let is_empty = server.keyspace.db_size(db).0 == 0;
        // Of empty databases only the caller's own is told of: it may still hold a table.
        if is_empty && db != own {
            continue;
        }
        if !is_empty {
            table_bytes += table;
        }
        databases += 1;
        reply.bulk(format!("db.{index}").as_bytes());
        reply.map(2);
        reply.bulk(b"overhead.hashtable.main");
        reply.int(table as i64);
        reply.bulk(b"overhead.hashtable.expires");
        reply.int(expires as i64);
    }
    int(reply, "overhead.db.hashtable.lut", table_bytes as i64);
    int(reply, "overhead.db.hashtable.rehashing", 0);
    int(reply, "overhead.total", memory.overhead as i64);
    int(reply, "db.dict.rehashing.count", 0);
    int(reply, "keys.count", memory.keys as i64);
    int(
        reply,
        "keys.bytes-per-key",
        memory.used.saturating_sub(memory.startup).checked_div(memory.keys).unwrap_or(0) as i64,
    );
    int(reply, "dataset.bytes", memory.dataset as i64);
    let mut ratios = 0;
    let mut float = |reply: &mut Reply<'_>, name: &str, value: f64| {
        reply.bulk(name.as_bytes());
        reply.double_text(crate::base::number::format_f64(value).as_bytes());
        ratios += 1;
    };
    let (allocator, rss) = (memory.allocator, memory.process.rss);
    float(reply, "dataset.percentage", memory.dataset_percent());
    float(reply, "peak.percentage", memory.peak_percent());
    int(reply, "allocator.allocated", allocator.allocated as i64);
    int(reply, "allocator.active", allocator.active as i64);
    int(reply, "allocator.resident", allocator.resident as i64);
    int(reply, "allocator.muzzy", 0);
    float(reply, "allocator-fragmentation.ratio", ratio(allocator.active, allocator.allocated));
    int(reply, "allocator-fragmentation.bytes", excess(allocator.active, allocator.allocated));
    float(reply, "allocator-rss.ratio", ratio(allocator.resident, allocator.active));
    int(reply, "allocator-rss.bytes", excess(allocator.resident, allocator.active));
    float(reply, "rss-overhead.ratio", ratio(rss, allocator.resident));
    int(reply, "rss-overhead.bytes", excess(rss, allocator.resident));
    float(reply, "fragmentation", ratio(rss, memory.used));
    int(reply, "fragmentation.bytes", excess(rss, memory.used));
    reply.map_at(mark, count + ratios + databases);
    Ok(Outcome::Done)
}

const MEMORY_USAGE: Command = Command {
    info: CommandInfo {
        name: "usage",
        arity: Arity::AtLeast(3),
        since: "4.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of samples.",
        summary: "Estimates the bytes that a key takes with all it holds.",
        flags: Flags::READONLY,
        keys: &[KeySpec::at(2, KeyFlags::RO)],
        arguments: &[key("key", 0), integer("count").token("SAMPLES").optional()],
        ..INFO
    },
    handler: Handler::Server(memory_usage),
};
fn memory_usage(cx: &mut ServerContext<'_>) -> CommandResult {
    let mut args = Args::new(cx.argv, 3);
    while args.left() > 0 {
        // What a value takes is known without samples; the number is only checked.
        if !args.take_word("samples") || args.left() == 0 {
            return Err(CommandError::Syntax);
        }
        if args.integer()? < 0 {
            return Err(CommandError::Syntax);
        }
    }
    let db = cx.db_index();
    match cx.server.keyspace.db(db).peek(cx.argv[2]) {
        Some(entry) => cx.reply.int(usage(entry) as i64),
        None => cx.reply.null(),
    }
    Ok(Outcome::Done)
}

/// Bytes of an entry and its value.
fn usage(entry: EntryRef<'_>) -> usize {
    let value = match entry.value() {
        Value::Object(object) => object.memory_bytes(),
        Value::Int(_) | Value::Bytes(_) => 0,
    };
    Db::entry_overhead(entry) + value
}
