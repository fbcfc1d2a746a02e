//! BACKUP: a whole copy of the data, base and changes, that the server keeps aside while it goes on.

use std::os::unix::ffi::OsStrExt;

use crate::commands::help;
use crate::dispatch::backup;
use crate::persistence::aof::manifest::path_of;
use crate::server::{Command, CommandResult, Handler, Outcome, ServerContext};
use crate::spec::*;

pub(super) const BACKUP: Command = Command {
    info: CommandInfo {
        name: "backup",
        arity: Arity::Exactly(2),
        since: "8.10.0",
        group: Group::Server,
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about backups.",
        flags: Flags::NONE,
        ..INFO
    },
    handler: Handler::Container(&[
        BACKUP_ABORT,
        BACKUP_CLEANUP,
        BACKUP_HELP,
        BACKUP_LIST,
        BACKUP_SEAL,
        BACKUP_START,
        BACKUP_STATUS,
    ]),
};

const BACKUP_ABORT: Command = Command {
    info: CommandInfo {
        name: "abort",
        arity: Arity::Exactly(2),
        since: "8.10.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Gives up the backup that is being made.",
        flags: Flags::ADMIN.or(Flags::NOSCRIPT),
        ..INFO
    },
    handler: Handler::Server(backup_abort),
};
fn backup_abort(cx: &mut ServerContext<'_>) -> CommandResult {
    backup::abort(cx.server)?;
    cx.reply.ok();
    Ok(Outcome::Done)
}

const BACKUP_CLEANUP: Command = Command {
    info: CommandInfo {
        name: "cleanup",
        arity: Arity::Exactly(2),
        since: "8.10.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Removes the files of the last backup.",
        flags: Flags::ADMIN.or(Flags::NOSCRIPT),
        ..INFO
    },
    handler: Handler::Server(backup_cleanup),
};
fn backup_cleanup(cx: &mut ServerContext<'_>) -> CommandResult {
    if let Some(orders) = backup::clean_up(cx.server)? {
        return Ok(Outcome::WhenCarriedOut(orders));
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}

const BACKUP_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "8.10.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Lists the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(backup_help),
};
fn backup_help(cx: &mut ServerContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "BACKUP",
        &[
            ("ABORT", &["Gives up the backup that is being made."]),
            ("CLEANUP", &["Removes all files of the directory that backupdirname names."]),
            ("LIST", &["The files that the backup has so far."]),
            ("SEAL", &["Ends the backup: it holds everything up to this moment."]),
            ("START", &["Begins a backup in the directory that backupdirname names."]),
            ("STATUS", &["How far the backup is."]),
        ],
    );
    Ok(Outcome::Done)
}

const BACKUP_LIST: Command = Command {
    info: CommandInfo {
        name: "list",
        arity: Arity::Exactly(2),
        since: "8.10.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Lists the files that the backup has so far.",
        flags: Flags::ADMIN.or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(backup_list),
};
fn backup_list(cx: &mut ServerContext<'_>) -> CommandResult {
    let backup = &cx.server.persistence.backup;
    cx.reply.array(backup.files.len());
    for name in &backup.files {
        cx.reply.bulk(backup.dir.join(path_of(name)).as_os_str().as_bytes());
    }
    Ok(Outcome::Done)
}

const BACKUP_SEAL: Command = Command {
    info: CommandInfo {
        name: "seal",
        arity: Arity::Exactly(2),
        since: "8.10.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Ends the backup with what happened up to this moment.",
        flags: Flags::ADMIN.or(Flags::NOSCRIPT),
        ..INFO
    },
    handler: Handler::Server(backup_seal),
};
fn backup_seal(cx: &mut ServerContext<'_>) -> CommandResult {
    if let Some(orders) = backup::seal(cx.server, cx.deny_blocking)? {
        return Ok(Outcome::WhenCarriedOut(orders));
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}

const BACKUP_START: Command = Command {
    info: CommandInfo {
        name: "start",
        arity: Arity::Exactly(2),
        since: "8.10.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Begins a backup.",
        flags: Flags::ADMIN.or(Flags::NOSCRIPT),
        ..INFO
    },
    handler: Handler::Server(backup_start),
};
fn backup_start(cx: &mut ServerContext<'_>) -> CommandResult {
    backup::start(cx.server)?;
    cx.reply.ok();
    Ok(Outcome::Done)
}

const BACKUP_STATUS: Command = Command {
    info: CommandInfo {
        name: "status",
        arity: Arity::Exactly(2),
        since: "8.10.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Tells how far the backup is.",
        flags: Flags::ADMIN.or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(backup_status),
};
fn backup_status(cx: &mut ServerContext<'_>) -> CommandResult {
    let backup = &cx.server.persistence.backup;
    cx.reply.map(4);
    cx.reply.bulk(b"state");
    cx.reply.bulk(backup.state.name().as_bytes());
    cx.reply.bulk(b"error");
    cx.reply.bulk(backup.error.as_bytes());
    cx.reply.bulk(b"start_time");
    cx.reply.int(backup.start_time);
    cx.reply.bulk(b"end_time");
    cx.reply.int(backup.end_time);
    Ok(Outcome::Done)
}
