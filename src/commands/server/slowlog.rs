//! SLOWLOG and COMMANDLOG: the latest commands that were slow, or large.

use crate::resp::CommandError;
use crate::server::commandlog::LogKind;
use crate::server::{Command, CommandResult, Handler, Outcome, ServerContext};
use crate::spec::*;

use crate::commands::help;

const COUNT_DEFAULT: i64 = 10;

pub(super) const SLOWLOG: Command = Command {
    info: CommandInfo {
        name: "slowlog",
        arity: Arity::AtLeast(2),
        since: "2.2.12",
        group: Group::Server,
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about the slow log.",
        flags: Flags::NONE,
        ..INFO
    },
    handler: Handler::Container(&[SLOWLOG_GET, SLOWLOG_HELP, SLOWLOG_LEN, SLOWLOG_RESET]),
};

const SLOWLOG_GET: Command = Command {
    info: CommandInfo {
        name: "get",
        arity: Arity::AtLeast(2),
        since: "2.2.12",
        group: Group::Server,
        complexity: "O(N) where N is the number of entries returned",
        summary: "Shows the latest slow commands.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
        arguments: &[integer("count").optional()],
        tips: &["nondeterministic_output", "request_policy:all_nodes"],
        ..INFO
    },
    handler: Handler::Server(slowlog_get),
};
fn slowlog_get(cx: &mut ServerContext<'_>) -> CommandResult {
    if cx.argv.len() > 3 {
        return Err(CommandError::subcommand_syntax("SLOWLOG", cx.argv[1]));
    }
    let count = cx.argv.get(2).copied();
    write_entries(cx, LogKind::Slow, count)
}

const SLOWLOG_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "6.2.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Lists the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(slowlog_help),
};
fn slowlog_help(cx: &mut ServerContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "SLOWLOG",
        &[
            (
                "GET [<count>]",
                &[
                    "The latest entries (default: 10, -1: all), each of number, time, microseconds, arguments,",
                    "client address and client name.",
                ],
            ),
            ("LEN", &["The number of entries."]),
            ("RESET", &["Forgets all entries."]),
        ],
    );
    Ok(Outcome::Done)
}

const SLOWLOG_LEN: Command = Command {
    info: CommandInfo {
        name: "len",
        arity: Arity::Exactly(2),
        since: "2.2.12",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Counts the entries of the slow log.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:agg_sum"],
        ..INFO
    },
    handler: Handler::Server(slowlog_len),
};
fn slowlog_len(cx: &mut ServerContext<'_>) -> CommandResult {
    write_len(cx, LogKind::Slow)
}

const SLOWLOG_RESET: Command = Command {
    info: CommandInfo {
        name: "reset",
        arity: Arity::Exactly(2),
        since: "2.2.12",
        group: Group::Server,
        complexity: "O(N) where N is the number of entries in the slowlog",
        summary: "Forgets all entries of the slow log.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(slowlog_reset),
};
fn slowlog_reset(cx: &mut ServerContext<'_>) -> CommandResult {
    reset(cx, LogKind::Slow)
}

pub(super) const COMMANDLOG: Command = Command {
    info: CommandInfo {
        name: "commandlog",
        arity: Arity::AtLeast(2),
        since: "8.1.0",
        group: Group::Server,
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about the logs of slow and large commands.",
        flags: Flags::NONE,
        ..INFO
    },
    handler: Handler::Container(&[COMMANDLOG_GET, COMMANDLOG_HELP, COMMANDLOG_LEN, COMMANDLOG_RESET]),
};

const COMMANDLOG_GET: Command = Command {
    info: CommandInfo {
        name: "get",
        arity: Arity::Exactly(4),
        since: "8.1.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of entries returned",
        summary: "Shows the latest entries of a log of commands.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
        arguments: &[
            integer("count"),
            oneof(
                "type",
                &[token("slow", "SLOW"), token("large-request", "LARGE-REQUEST"), token("large-reply", "LARGE-REPLY")],
            ),
        ],
        tips: &["nondeterministic_output", "request_policy:all_nodes"],
        ..INFO
    },
    handler: Handler::Server(commandlog_get),
};
fn commandlog_get(cx: &mut ServerContext<'_>) -> CommandResult {
    let kind = kind_of(cx.argv[3])?;
    write_entries(cx, kind, Some(cx.argv[2]))
}

const COMMANDLOG_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "8.1.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Lists the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(commandlog_help),
};
fn commandlog_help(cx: &mut ServerContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "COMMANDLOG",
        &[
            (
                "GET <count> <type>",
                &[
                    "The latest entries of a log (-1: all), each of number, time, microseconds or bytes, arguments,",
                    "client address and client name. The type is slow, large-request or large-reply.",
                ],
            ),
            ("LEN <type>", &["The number of entries."]),
            ("RESET <type>", &["Forgets all entries."]),
        ],
    );
    Ok(Outcome::Done)
}

const COMMANDLOG_LEN: Command = Command {
    info: CommandInfo {
        name: "len",
        arity: Arity::Exactly(3),
        since: "8.1.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Counts the entries of a log of commands.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
        arguments: &[oneof(
            "type",
            &[token("slow", "SLOW"), token("large-request", "LARGE-REQUEST"), token("large-reply", "LARGE-REPLY")],
        )],
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:agg_sum"],
        ..INFO
    },
    handler: Handler::Server(commandlog_len),
};
fn commandlog_len(cx: &mut ServerContext<'_>) -> CommandResult {
    let kind = kind_of(cx.argv[2])?;
    write_len(cx, kind)
}

const COMMANDLOG_RESET: Command = Command {
    info: CommandInfo {
        name: "reset",
        arity: Arity::Exactly(3),
        since: "8.1.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of entries in the commandlog",
        summary: "Forgets all entries of a log of commands.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
        arguments: &[oneof(
            "type",
            &[token("slow", "SLOW"), token("large-request", "LARGE-REQUEST"), token("large-reply", "LARGE-REPLY")],
        )],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(commandlog_reset),
};
fn commandlog_reset(cx: &mut ServerContext<'_>) -> CommandResult {
    let kind = kind_of(cx.argv[2])?;
    reset(cx, kind)
}

fn kind_of(word: &[u8]) -> Result<LogKind, CommandError> {
    match word.to_ascii_lowercase().as_slice() {
        b"slow" => Ok(LogKind::Slow),
        b"large-request" => Ok(LogKind::LargeRequest),
        b"large-reply" => Ok(LogKind::LargeReply),
        _ => Err(CommandError::err("type should be one of the following: slow, large-request, large-reply")),
    }
}

fn write_entries(cx: &mut ServerContext<'_>, kind: LogKind, count: Option<&[u8]>) -> CommandResult {
    let count = match count {
        None => COUNT_DEFAULT,
        Some(word) => crate::base::number::parse_i64(word)
            .filter(|&count| count >= -1)
            .ok_or(CommandError::err("count should be greater than or equal to -1"))?,
    };
    let entries = cx.server.commandlog.of(kind).iter();
    let count = if count < 0 { entries.len() } else { entries.len().min(count as usize) };
    cx.reply.array(count);
    for entry in entries.take(count) {
        cx.reply.array(6);
        cx.reply.int(entry.id as i64);
        cx.reply.int(entry.time);
        cx.reply.int(entry.value as i64);
        cx.reply.array(entry.argv.len());
        entry.argv.iter().for_each(|arg| cx.reply.bulk(arg));
        cx.reply.bulk(entry.client_addr.as_bytes());
        cx.reply.bulk(&entry.client_name);
    }
    Ok(Outcome::Done)
}

fn write_len(cx: &mut ServerContext<'_>, kind: LogKind) -> CommandResult {
    cx.reply.int(cx.server.commandlog.of(kind).iter().len() as i64);
    Ok(Outcome::Done)
}

fn reset(cx: &mut ServerContext<'_>, kind: LogKind) -> CommandResult {
    cx.server.commandlog.of(kind).reset();
    cx.reply.ok();
    Ok(Outcome::Done)
}
