//! Transactions: MULTI gathers commands, EXEC runs them, unless a watched key changed.

use crate::resp::CommandError;
use crate::server::watch::Watched;
use crate::server::{ClientFlags, Command, CommandResult, Handler, Outcome, ServerContext, tracking, transaction};
use crate::spec::*;

/// The family.
pub const COMMANDS: &[Command] = &[DISCARD, EXEC, MULTI, UNWATCH, WATCH];

fn place_of(cx: &mut ServerContext<'_>) -> Option<u32> {
    cx.server.clients.place(cx.client)
}

const DISCARD: Command = Command {
    info: CommandInfo {
        name: "discard",
        arity: Arity::Exactly(1),
        since: "2.0.0",
        group: Group::Transactions,
        complexity: "O(N) where N is the number of queued commands",
        summary: "Drops the queued commands and ends the transaction.",
        flags: Flags::ALLOW_BUSY.or(Flags::FAST).or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::TRANSACTION,
        ..INFO
    },
    handler: Handler::Server(discard),
};
fn discard(cx: &mut ServerContext<'_>) -> CommandResult {
    if !cx.client().flags.has(ClientFlags::MULTI) {
        return Err(CommandError::err("DISCARD without MULTI"));
    }
    if let Some(place) = place_of(cx) {
        transaction::discard(cx.server, place);
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}

const EXEC: Command = Command {
    info: CommandInfo {
        name: "exec",
        arity: Arity::Exactly(1),
        since: "1.2.0",
        group: Group::Transactions,
        complexity: "Depends on commands in the transaction",
        summary: "Runs the queued commands with nothing in between.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::SKIP_SLOWLOG).or(Flags::STALE),
        categories: Categories::TRANSACTION,
        ..INFO
    },
    handler: Handler::Server(exec),
};
fn exec(cx: &mut ServerContext<'_>) -> CommandResult {
    let flags = cx.client().flags;
    if !flags.has(ClientFlags::MULTI) {
        return Err(CommandError::err("EXEC without MULTI"));
    }
    let Some(place) = place_of(cx) else { return Ok(Outcome::Done) };
    let is_changed = flags.has(ClientFlags::DIRTY_CAS) || a_watched_key_expired(cx);
    if flags.has(ClientFlags::DIRTY_EXEC) {
        transaction::discard(cx.server, place);
        return Err(CommandError::coded("EXECABORT Transaction discarded because of previous errors."));
    }
    if is_changed {
        transaction::discard(cx.server, place);
        // That a key changed may be what could still be lost.
        cx.server.keyspace.unsynced.see_all();
        cx.reply.null_array();
        return Ok(Outcome::Done);
    }
    transaction::unwatch(cx.server, place);
    Ok(Outcome::RunQueued)
}

/// Is a watched key due that was there when it was watched? It counts as changed even before anything deletes it.
fn a_watched_key_expired(cx: &mut ServerContext<'_>) -> bool {
    let id = cx.client;
    // They are lent out for the moment, since looking at a key may change what is known of it.
    let watched = std::mem::take(&mut cx.client().watched);
    let is_expired = watched.iter().any(|place| {
        cx.server.watches.state(place, id) == Some(Watched::Present)
            && Watched::of(&mut cx.server.keyspace.db(place.0), &place.1) == Watched::Due
    });
    cx.client().watched = watched;
    is_expired
}

const MULTI: Command = Command {
    info: CommandInfo {
        name: "multi",
        arity: Arity::Exactly(1),
        since: "1.2.0",
        group: Group::Transactions,
        complexity: "O(1)",
        summary: "Begins a transaction.",
        flags: Flags::ALLOW_BUSY.or(Flags::FAST).or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::TRANSACTION,
        ..INFO
    },
    handler: Handler::Server(multi),
};
fn multi(cx: &mut ServerContext<'_>) -> CommandResult {
    let client = cx.client();
    if client.flags.has(ClientFlags::MULTI) {
        return Err(CommandError::err("MULTI calls can not be nested"));
    }
    client.flags = client.flags.or(ClientFlags::MULTI);
    client.multi = Some(Box::default());
    cx.reply.ok();
    Ok(Outcome::Done)
}

const UNWATCH: Command = Command {
    info: CommandInfo {
        name: "unwatch",
        arity: Arity::Exactly(1),
        since: "2.2.0",
        group: Group::Transactions,
        complexity: "O(1)",
        summary: "Forgets all watched keys.",
        flags: Flags::ALLOW_BUSY.or(Flags::FAST).or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::TRANSACTION,
        ..INFO
    },
    handler: Handler::Server(unwatch),
};
fn unwatch(cx: &mut ServerContext<'_>) -> CommandResult {
    if let Some(place) = place_of(cx) {
        transaction::unwatch(cx.server, place);
    }
    let client = cx.client();
    client.flags = client.flags.without(ClientFlags::DIRTY_CAS);
    cx.reply.ok();
    Ok(Outcome::Done)
}

const WATCH: Command = Command {
    info: CommandInfo {
        name: "watch",
        arity: Arity::AtLeast(2),
        since: "2.2.0",
        group: Group::Transactions,
        complexity: "O(1) for every key.",
        summary: "Lets the next EXEC run only if none of these keys changes until then.",
        flags: Flags::ALLOW_BUSY.or(Flags::FAST).or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::TRANSACTION,
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
        arguments: &[key("key", 0).multiple()],
        ..INFO
    },
    handler: Handler::Server(watch),
};
fn watch(cx: &mut ServerContext<'_>) -> CommandResult {
    if cx.client().flags.has(ClientFlags::MULTI) {
        return Err(CommandError::err("WATCH inside MULTI is not allowed"));
    }
    // A transaction that cannot run any more watches nothing more.
    if cx.client().flags.has(ClientFlags::DIRTY_CAS) {
        cx.reply.ok();
        return Ok(Outcome::Done);
    }
    let db = cx.db_index();
    for &key in &cx.argv[1..] {
        let state = Watched::of(&mut cx.server.keyspace.db(db), key);
        if cx.server.watches.add(db, key, cx.client, state) {
            cx.client().watched.push((db, key.to_vec()));
        }
    }
    tracking::follow(cx.server);
    cx.reply.ok();
    Ok(Outcome::Done)
}
