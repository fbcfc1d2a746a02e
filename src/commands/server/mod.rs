//! The server itself: its commands, configuration, state, memory, logs, and its end.

mod backup;
mod command;
mod config;
mod debug;
mod latency;
mod memory;
mod persistence;
mod slowlog;

use crate::base::log;
use crate::dispatch::gates;
use crate::resp::CommandError;
use crate::server::{
    ClientFlags, Command, CommandResult, Handler, Outcome, REDIS_VERSION, ServerContext, ShutdownRequest, info as text,
};
use crate::spec::*;

/// The family.
pub const COMMANDS: &[Command] = &[
    backup::BACKUP,
    persistence::BGREWRITEAOF,
    persistence::BGSAVE,
    command::COMMAND,
    slowlog::COMMANDLOG,
    config::CONFIG,
    debug::DEBUG,
    INFO_COMMAND,
    persistence::LASTSAVE,
    latency::LATENCY,
    LOLWUT,
    memory::MEMORY,
    MONITOR,
    ROLE,
    persistence::SAVE,
    SHUTDOWN,
    slowlog::SLOWLOG,
    TIME,
];

const INFO_COMMAND: Command = Command {
    info: CommandInfo {
        name: "info",
        arity: Arity::AtLeast(1),
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Tells the state of the server, section by section.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::DANGEROUS,
        arguments: &[string("section").multiple().optional()],
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..INFO
    },
    handler: Handler::Server(info),
};
fn info(cx: &mut ServerContext<'_>) -> CommandResult {
    let text = text::text(cx.server, &cx.argv[1..]);
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Outcome::Done)
}

const LOLWUT_COLUMNS: usize = 64;
const LOLWUT_ROWS: usize = 16;

const LOLWUT: Command = Command {
    info: CommandInfo {
        name: "lolwut",
        arity: Arity::AtLeast(1),
        since: "5.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Draws something, and tells the version.",
        flags: Flags::FAST.or(Flags::READONLY),
        arguments: &[integer("version").token("VERSION").optional()],
        ..INFO
    },
    handler: Handler::Server(lolwut),
};
fn lolwut(cx: &mut ServerContext<'_>) -> CommandResult {
    if cx.argv.len() > 2 && cx.argv[1].eq_ignore_ascii_case(b"version") {
        crate::server::context::integer(cx.argv[2])?;
    }
    // A cellular automaton, grown downwards from a few random seeds.
    let rule = [30u8, 54, 90, 110, 150][cx.server.rng.below(5) as usize];
    let mut cells = [false; LOLWUT_COLUMNS];
    for _ in 0..3 {
        cells[cx.server.rng.below(LOLWUT_COLUMNS as u64) as usize] = true;
    }
    let mut text = String::new();
    for _ in 0..LOLWUT_ROWS {
        text.extend(cells.iter().map(|&alive| if alive { '#' } else { ' ' }));
        text.push('\n');
        let before = cells;
        for (at, cell) in cells.iter_mut().enumerate() {
            let neighbour = |step: usize| usize::from(before[(at + step) % LOLWUT_COLUMNS]);
            let pattern = neighbour(LOLWUT_COLUMNS - 1) << 2 | neighbour(0) << 1 | neighbour(1);
            *cell = rule >> pattern & 1 == 1;
        }
    }
    text.push_str(&format!("\nRedis ver. {REDIS_VERSION}\n"));
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Outcome::Done)
}

const MONITOR: Command = Command {
    info: CommandInfo {
        name: "monitor",
        arity: Arity::Exactly(1),
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Shows every command that the server runs, as it runs it.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(monitor),
};
fn monitor(cx: &mut ServerContext<'_>) -> CommandResult {
    if cx.deny_blocking {
        return Err(CommandError::err("MONITOR isn't allowed for DENY BLOCKING client"));
    }
    // Who monitors already is not answered.
    if cx.client().flags.has(ClientFlags::MONITOR) {
        return Ok(Outcome::Done);
    }
    let client = cx.client();
    client.flags = client.flags.or(ClientFlags::MONITOR);
    let id = cx.client;
    cx.server.monitors.push(id);
    cx.reply.ok();
    Ok(Outcome::Done)
}

const ROLE: Command = Command {
    info: CommandInfo {
        name: "role",
        arity: Arity::Exactly(1),
        since: "2.8.12",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Tells the part that the server plays in replication.",
        flags: Flags::FAST.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::ADMIN.or(Categories::DANGEROUS),
        ..INFO
    },
    handler: Handler::Server(role),
};
fn role(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.reply.array(3);
    cx.reply.bulk(b"master");
    cx.reply.int(0);
    cx.reply.array(0);
    Ok(Outcome::Done)
}

const SHUTDOWN: Command = Command {
    info: CommandInfo {
        name: "shutdown",
        arity: Arity::AtLeast(1),
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
        summary: "Ends the server.",
        flags: Flags::ADMIN
            .or(Flags::ALLOW_BUSY)
            .or(Flags::LOADING)
            .or(Flags::NO_MULTI)
            .or(Flags::NOSCRIPT)
            .or(Flags::STALE),
        arguments: &[
            oneof("save-selector", &[token("nosave", "NOSAVE"), token("save", "SAVE")]).optional(),
            token("now", "NOW").optional().since("7.0.0"),
            token("force", "FORCE").optional().since("7.0.0"),
            token("abort", "ABORT").optional().since("7.0.0"),
        ],
        ..INFO
    },
    handler: Handler::Server(shutdown),
};
fn shutdown(cx: &mut ServerContext<'_>) -> CommandResult {
    let mut request = ShutdownRequest::default();
    for option in &cx.argv[1..] {
        let field = match option.to_ascii_lowercase().as_slice() {
            b"nosave" => &mut request.nosave,
            b"save" => &mut request.save,
            b"now" => &mut request.now,
            b"force" => &mut request.force,
            b"abort" => &mut request.abort,
            _ => return Err(CommandError::Syntax),
        };
        *field = true;
    }
    let others = request.nosave || request.save || request.now || request.force;
    if (request.nosave && request.save) || (request.abort && others) {
        return Err(CommandError::Syntax);
    }
    if request.abort {
        if cx.server.shutdown.take().or(cx.server.shutdown_asap.take()).is_none() {
            return Err(CommandError::err("No shutdown in progress."));
        }
        log::notice("Shutdown manually aborted.");
        cx.reply.ok();
        return Ok(Outcome::Done);
    }
    if let Some(running) = &cx.server.scripting.parked
        && !request.nosave
    {
        return Err(gates::is_busy(running.request.kind));
    }
    Ok(Outcome::Shutdown(request))
}

const TIME: Command = Command {
    info: CommandInfo {
        name: "time",
        arity: Arity::Exactly(1),
        since: "2.6.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Tells the server's time: seconds since the epoch, and microseconds.",
        flags: Flags::FAST.or(Flags::LOADING).or(Flags::STALE),
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Server(time),
};
fn time(cx: &mut ServerContext<'_>) -> CommandResult {
    let us = cx.now.unix_us;
    cx.reply.array(2);
    cx.reply.bulk_int(us.div_euclid(1_000_000));
    cx.reply.bulk_int(us.rem_euclid(1_000_000));
    Ok(Outcome::Done)
}
