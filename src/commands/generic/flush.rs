//! Whole databases, and waiting for replicas.

use crate::dispatch::{appending, saving};
use crate::keyspace::{DbIndex, Keyspace};
use crate::persistence::aof::AofState;
use crate::resp::CommandError;
use crate::server::blocking::{Block, TimeoutReply};
use crate::server::context;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome, ServerContext};
use crate::spec::*;

pub(super) const DBSIZE: Command = Command {
    info: CommandInfo {
        name: "dbsize",
        arity: Arity::Exactly(1),
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Counts the keys of the database.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::KEYSPACE,
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        ..INFO
    },
    handler: Handler::Data(dbsize),
};
pub(super) const FLUSHALL: Command = Command {
    info: CommandInfo {
        name: "flushall",
        arity: Arity::AtLeast(1),
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of keys, or O(1) when another thread frees them",
        summary: "Removes all keys of all databases.",
        flags: Flags::WRITE,
        categories: Categories::DANGEROUS.or(Categories::KEYSPACE),
        arguments: &[oneof(
            "flush-type",
            &[token("async", "ASYNC").since("4.0.0"), token("sync", "SYNC").since("6.2.0")],
        )
        .optional()],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(flushall),
};
pub(super) const FLUSHDB: Command = Command {
    info: CommandInfo {
        name: "flushdb",
        arity: Arity::AtLeast(1),
        since: "1.0.0",
        group: Group::Server,
        complexity: "O(N) where N is the number of keys, or O(1) when another thread frees them",
        summary: "Removes all keys of the database.",
        flags: Flags::WRITE,
        categories: Categories::DANGEROUS.or(Categories::KEYSPACE),
        arguments: &[oneof(
            "flush-type",
            &[token("async", "ASYNC").since("4.0.0"), token("sync", "SYNC").since("6.2.0")],
        )
        .optional()],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Data(flushdb),
};
pub(super) const SWAPDB: Command = Command {
    info: CommandInfo {
        name: "swapdb",
        arity: Arity::Exactly(3),
        since: "4.0.0",
        group: Group::Server,
        complexity: "O(1), and the clients that watch keys in either database",
        summary: "Exchanges two databases.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::DANGEROUS.or(Categories::KEYSPACE),
        arguments: &[integer("index1"), integer("index2")],
        ..INFO
    },
    handler: Handler::Data(swapdb),
};
pub(super) const WAIT: Command = Command {
    info: CommandInfo {
        name: "wait",
        arity: Arity::Exactly(3),
        since: "3.0.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Waits until replicas have acknowledged the writes of this connection.",
        flags: Flags::BLOCKING,
        categories: Categories::CONNECTION,
        arguments: &[integer("numreplicas"), integer("timeout")],
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..INFO
    },
    handler: Handler::Data(wait),
};
pub(super) const WAITAOF: Command = Command {
    info: CommandInfo {
        name: "waitaof",
        arity: Arity::Exactly(4),
        since: "7.2.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Waits until the writes of this connection are synced to append-only files.",
        flags: Flags::BLOCKING,
        categories: Categories::CONNECTION,
        arguments: &[integer("numlocal"), integer("numreplicas"), integer("timeout")],
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..INFO
    },
    handler: Handler::Server(waitaof),
};

fn dbsize(cx: &mut DataContext<'_>) -> CommandResult {
    let size = cx.db.len();
    cx.reply.int(size as i64);
    Ok(Outcome::Done)
}

/// How a flush answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// At once.
    Now,
    /// Once all is freed, by another thread.
    WhenFreed,
}

fn flush(
    keyspace: &mut Keyspace,
    which: Option<DbIndex>,
    argv: &[&[u8]],
    lazy_by_default: bool,
    may_wait: bool,
) -> Result<Answer, CommandError> {
    let lazy = match argv.get(1).map(|word| word.to_ascii_uppercase()).as_deref() {
        None => lazy_by_default,
        Some(b"ASYNC") => true,
        Some(b"SYNC") => false,
        Some(_) => return Err(CommandError::Syntax),
    };
    if argv.len() > 2 {
        return Err(CommandError::Syntax);
    }
    let removed = keyspace.flush(which, lazy || may_wait);
    // Replicas are told even if there was nothing here to remove.
    keyspace.dirty += removed as u64 + 1;
    Ok(if !lazy && may_wait { Answer::WhenFreed } else { Answer::Now })
}

fn flushdb(cx: &mut DataContext<'_>) -> CommandResult {
    let index = cx.db.index();
    let (lazy, may_wait) = (cx.config.lazyfree_lazy_user_flush, !cx.deny_blocking);
    if flush(cx.db.keyspace(), Some(index), cx.argv, lazy, may_wait)? == Answer::WhenFreed {
        return Ok(Outcome::WhenFreed);
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}

fn flushall(cx: &mut ServerContext<'_>) -> CommandResult {
    let server = &mut *cx.server;
    let lazy = server.config.lazyfree_lazy_user_flush;
    let answer = flush(&mut server.keyspace, None, cx.argv, lazy, !cx.deny_blocking)?;
    // What is being saved is not wanted any more; the file is brought in line at once.
    if server.persistence.loading.is_none() {
        saving::cancel(server);
        if !server.config.save.0.is_empty() {
            // The log tells of a failure, and writes are refused after it.
            let _ = saving::save_now(server);
        }
    }
    if answer == Answer::WhenFreed {
        return Ok(Outcome::WhenFreed);
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}

fn swapdb(cx: &mut DataContext<'_>) -> CommandResult {
    let number = |arg, text| context::database_number(arg).map_err(|_| CommandError::err(text));
    let first = number(cx.argv[1], "invalid first DB index")?;
    let second = number(cx.argv[2], "invalid second DB index")?;
    let databases = cx.db.keyspace().databases() as i64;
    if !(0..databases).contains(&first) || !(0..databases).contains(&second) {
        return Err(CommandError::err("DB index is out of range"));
    }
    if first != second {
        cx.db.keyspace().swap(DbIndex(first as u16), DbIndex(second as u16));
    }
    cx.db.keyspace().dirty += 1;
    cx.reply.ok();
    Ok(Outcome::Done)
}

/// What waits for time alone, or for what is not a key.
fn block(timeout_ms: u64, timeout_reply: TimeoutReply) -> Outcome {
    let keys = Vec::new();
    Outcome::Block(Box::new(Block {
        keys,
        wanted: None,
        timeout_ms,
        timeout_reply,
        unblock_on_nokey: false,
        request: None,
        retry_ms: None,
    }))
}

/// Waits for what will not come: this server has no replicas.
fn wait(cx: &mut DataContext<'_>) -> CommandResult {
    let replicas = context::integer(cx.argv[1])?;
    let timeout_ms = context::timeout_whole_ms(cx.argv[2], cx.now)?;
    if replicas <= 0 || cx.deny_blocking {
        cx.reply.int(0);
        return Ok(Outcome::Done);
    }
    Ok(block(timeout_ms, TimeoutReply::Int(0)))
}

fn waitaof(cx: &mut ServerContext<'_>) -> CommandResult {
    let local = context::integer(cx.argv[1])?;
    if !(0..=1).contains(&local) {
        return Err(CommandError::err("value is out of range, value must between 0 and 1"));
    }
    let replicas = context::integer(cx.argv[2])?;
    if replicas < 0 {
        return Err(CommandError::NotPositive);
    }
    let timeout_ms = context::timeout_whole_ms(cx.argv[3], cx.now.unix())?;
    let (id, offset) = (cx.client, cx.client().write_offset);
    let aof = &cx.server.persistence.aof;
    if local > 0 && !cx.server.config.appendonly {
        return Err(CommandError::coded(appending::WAITAOF_OFF));
    }
    let is_synced = aof.state != AofState::Off && aof.synced_offset >= offset;
    if (i64::from(is_synced) >= local && replicas == 0) || cx.deny_blocking {
        cx.reply.array(2);
        cx.reply.int(i64::from(is_synced));
        cx.reply.int(0);
        return Ok(Outcome::Done);
    }
    if replicas == 0 {
        cx.server.awaiting_sync.push((offset, id));
    }
    Ok(block(timeout_ms, TimeoutReply::Synced { offset }))
}
