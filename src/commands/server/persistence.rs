//! Saving on demand.

use crate::base::log;
use crate::dispatch::rewriting::{self, RewriteRefusal};
use crate::dispatch::saving::{self, SaveRefusal};
use crate::resp::CommandError;
use crate::server::{Command, CommandResult, Handler, Outcome, ServerContext};
use crate::spec::*;

const IN_PROGRESS: &str = "Background save already in progress";

pub(super) const SAVE: Command = Command {
    info: CommandInfo {
        name: "save",
        arity: Arity::Exactly(1),
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(N), N being the keys of all databases",
        summary: "Writes all data to the RDB file while everybody waits.",
        flags: Flags::ADMIN.or(Flags::NO_ASYNC_LOADING).or(Flags::NO_MULTI).or(Flags::NOSCRIPT),
        ..INFO
    },
    handler: Handler::Server(save),
};

fn save(cx: &mut ServerContext<'_>) -> CommandResult {
    match saving::save_now(cx.server) {
        Ok(()) => cx.reply.ok(),
        Err(SaveRefusal::Busy) => return Err(CommandError::err(IN_PROGRESS)),
        Err(SaveRefusal::Failed(_)) => return Err(CommandError::coded("ERR")),
    }
    Ok(Outcome::Done)
}

pub(super) const BGSAVE: Command = Command {
    info: CommandInfo {
        name: "bgsave",
        arity: Arity::AtLeast(1),
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(1); the writing goes on beside the commands",
        summary: "Writes all data, as they are at this instant, to the RDB file in the background.",
        flags: Flags::ADMIN.or(Flags::NO_ASYNC_LOADING).or(Flags::NOSCRIPT),
        arguments: &[token("schedule", "SCHEDULE").optional().since("3.2.2")],
        ..INFO
    },
    handler: Handler::Server(bgsave),
};

fn bgsave(cx: &mut ServerContext<'_>) -> CommandResult {
    let option = cx.argv.get(1).map(|word| word.to_ascii_lowercase());
    let schedule = match (option.as_deref(), cx.argv.len()) {
        (None, _) => false,
        (Some(b"schedule"), 2) => true,
        (Some(b"cancel"), 2) => return cancel(cx),
        _ => return Err(CommandError::Syntax),
    };
    let persistence = &mut cx.server.persistence;
    if persistence.is_saving() {
        return Err(CommandError::err(IN_PROGRESS));
    }
    if persistence.running.is_some() {
        if !schedule {
            return Err(CommandError::err(
                "Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a \
                 BGSAVE whenever possible.",
            ));
        }
        persistence.rdb_scheduled = true;
        cx.reply.simple("Background saving scheduled");
        return Ok(Outcome::Done);
    }
    match saving::begin_rdb(cx.server) {
        Ok(()) => {
            log::notice("Background saving started");
            cx.reply.simple("Background saving started");
            Ok(Outcome::Done)
        }
        Err(SaveRefusal::Busy) => Err(CommandError::err(IN_PROGRESS)),
        Err(SaveRefusal::Failed(_)) => Err(CommandError::coded("ERR")),
    }
}

fn cancel(cx: &mut ServerContext<'_>) -> CommandResult {
    let persistence = &mut cx.server.persistence;
    if persistence.is_saving() {
        saving::cancel(cx.server);
        log::notice("Background saving will be aborted due to user request");
        cx.reply.simple("Background saving cancelled");
    } else if std::mem::take(&mut persistence.rdb_scheduled) {
        cx.reply.simple("Scheduled background saving cancelled");
    } else {
        return Err(CommandError::err("Background saving is currently not in progress or scheduled"));
    }
    Ok(Outcome::Done)
}

pub(super) const BGREWRITEAOF: Command = Command {
    info: CommandInfo {
        name: "bgrewriteaof",
        arity: Arity::Exactly(1),
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(1); the writing goes on beside the commands",
        summary: "Makes the append-only file as short as the data allow, in the background.",
        flags: Flags::ADMIN.or(Flags::NO_ASYNC_LOADING).or(Flags::NOSCRIPT),
        ..INFO
    },
    handler: Handler::Server(bgrewriteaof),
};

fn bgrewriteaof(cx: &mut ServerContext<'_>) -> CommandResult {
    match rewriting::request(cx.server) {
        Ok(()) => cx.reply.simple("Background append only file rewriting started"),
        Err(RewriteRefusal::Scheduled) => cx.reply.simple("Background append only file rewriting scheduled"),
        Err(RewriteRefusal::Busy) => {
            return Err(CommandError::err("Background append only file rewriting already in progress"));
        }
        Err(RewriteRefusal::Failed(_)) => {
            return Err(CommandError::err(
                "Can't execute an AOF background rewriting. Please check the server logs for more information.",
            ));
        }
    }
    Ok(Outcome::Done)
}

pub(super) const LASTSAVE: Command = Command {
    info: CommandInfo {
        name: "lastsave",
        arity: Arity::Exactly(1),
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Tells when data were last saved, in seconds since the epoch.",
        flags: Flags::FAST.or(Flags::LOADING).or(Flags::STALE),
        categories: Categories::ADMIN.or(Categories::DANGEROUS),
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Server(lastsave),
};

fn lastsave(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.reply.int(cx.server.persistence.last_save);
    Ok(Outcome::Done)
}
