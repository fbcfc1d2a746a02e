//! Waking clients that wait for keys without serving them: their time is up, or another client asked for it.

use crate::persistence::aof::AofState;
use crate::resp::Reply;

use super::blocking::{Block, Blocked, TimeoutReply};
use super::messages::{note_output, write_error};
use super::{Client, ClientFlags, ClientId, Server, tracking};

/// Writes what a client reads that waited in vain.
pub fn write_timeout(server: &mut Server, place: u32, reply: TimeoutReply) {
    let Some(client) = server.clients.at(place) else { return };
    let mut writer = Reply::new(&mut client.out, client.proto);
    match reply {
        TimeoutReply::Null => writer.null(),
        TimeoutReply::NullArray => writer.null_array(),
        TimeoutReply::Freed | TimeoutReply::CarriedOut => writer.ok(),
        TimeoutReply::Int(number) => writer.int(number),
        TimeoutReply::Synced { offset } => {
            let aof = &server.persistence.aof;
            let is_synced = aof.state != AofState::Off && aof.synced_offset >= offset;
            writer.array(2);
            writer.int(i64::from(is_synced));
            writer.int(0);
        }
    }
}

/// What follows when a client no longer waits: its output is sent, its further requests are executed.
pub fn woken(server: &mut Server, id: ClientId) {
    note_listeners(server);
    note_output(server, id);
    server.unblocked.push(id);
}

/// Wakes a client without serving it. `error` instead of the timeout's reply, if given. False if it does not wait.
pub fn unblock_client(server: &mut Server, id: ClientId, error: Option<&str>) -> bool {
    let Some(place) = server.clients.place(id) else { return false };
    let Some(client) = server.clients.at(place) else { return false };
    let Some(blocked) = client.blocked.take() else { return false };
    client.flags = client.flags.without(ClientFlags::BLOCKED);
    server.blocking.remove(id, &blocked);
    // A command is counted when it ends; one that waits for its consequences has done its work before.
    if !matches!(blocked.block.timeout_reply, TimeoutReply::Freed | TimeoutReply::CarriedOut) {
        count_unserved(server, place, error.is_some());
    }
    match error {
        Some(line) => write_error(server, place, line),
        None => write_timeout(server, place, blocked.block.timeout_reply),
    }
    woken(server, id);
    true
}

/// Lets a client wait, for no key and no time, until somebody writes this reply. None if it reads no reply.
fn wait_for(server: &mut Server, place: u32, reply: TimeoutReply) -> Option<ClientId> {
    let client = server.clients.at(place)?;
    if client.flags.has(ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP)) {
        return None;
    }
    let block = Block {
        keys: Vec::new(),
        wanted: None,
        timeout_ms: 0,
        timeout_reply: reply,
        unblock_on_nokey: false,
        request: None,
        retry_ms: None,
    };
    let blocked = Blocked { block, db: client.db, argv: Vec::new(), deadline: None, retry_at: None };
    client.flags = client.flags.or(ClientFlags::BLOCKED);
    client.blocked = Some(Box::new(blocked));
    Some(client.id)
}

/// Writes the reply that a client waits for, or this error, if it still waits for it.
fn answer(server: &mut Server, id: ClientId, reply: TimeoutReply, error: Option<&str>) {
    let waits = |client: &Client| client.blocked.as_ref().is_some_and(|blocked| blocked.block.timeout_reply == reply);
    if server.clients.get(id).is_some_and(waits) {
        unblock_client(server, id, error);
    }
}

/// Lets a client wait until everything thrown away so far is freed.
pub fn wait_for_freeing(server: &mut Server, place: u32) {
    if let Some(id) = wait_for(server, place, TimeoutReply::Freed) {
        server.awaiting_freed.push_back((server.keyspace.garbage.thrown(), id));
    }
}

/// Answers the clients whose garbage is freed.
pub fn wake_freed(server: &mut Server) {
    while let Some(&(thrown, id)) = server.awaiting_freed.front()
        && server.keyspace.garbage.done() >= thrown
    {
        server.awaiting_freed.pop_front();
        answer(server, id, TimeoutReply::Freed, None);
    }
}

/// Lets a client wait until the append-only file's job has carried out this many orders.
pub fn wait_for_orders(server: &mut Server, place: u32, orders: u64) {
    if let Some(id) = wait_for(server, place, TimeoutReply::CarriedOut) {
        server.awaiting_orders.push_back((orders, id));
    }
}

/// Answers the clients whose orders are carried out.
pub fn wake_carried_out(server: &mut Server, done: u64) {
    while let Some(&(orders, id)) = server.awaiting_orders.front()
        && done >= orders
    {
        server.awaiting_orders.pop_front();
        answer(server, id, TimeoutReply::CarriedOut, None);
    }
}

/// Tells the client that waits for exactly these orders that they came to nothing.
pub fn refuse_carried_out(server: &mut Server, orders: u64, error: &str) {
    if let Some(at) = server.awaiting_orders.iter().position(|&(awaited, _)| awaited == orders)
        && let Some((_, id)) = server.awaiting_orders.remove(at)
    {
        answer(server, id, TimeoutReply::CarriedOut, Some(error));
    }
}

/// Tells all who wait for orders that they came to nothing.
pub fn refuse_all_carried_out(server: &mut Server, error: &str) {
    for (_, id) in std::mem::take(&mut server.awaiting_orders) {
        answer(server, id, TimeoutReply::CarriedOut, Some(error));
    }
}

/// Answers a client in WAITAOF.
pub fn wake_synced(server: &mut Server, offset: u64, id: ClientId, error: Option<&str>) {
    answer(server, id, TimeoutReply::Synced { offset }, error);
}

/// Counts the call that ends without having been served.
fn count_unserved(server: &mut Server, place: u32, failed: bool) {
    let Some(client) = server.clients.at(place) else { return };
    client.commands_processed += 1;
    let Some(command) = client.last_command else { return };
    server.stats.total_commands_processed += 1;
    let stats = &mut server.commands.entry_mut(command).stats;
    stats.calls += 1;
    stats.failed_calls += u64::from(failed);
}

/// Lets a client forget what it waits for, because it goes away.
pub fn forget_blocked(server: &mut Server, id: ClientId) {
    let blocked = server.clients.get_mut(id).and_then(|client| client.blocked.take());
    if let Some(blocked) = blocked {
        server.blocking.remove(id, &blocked);
        note_listeners(server);
    }
}

/// Tells the keyspace who waits for its keys.
pub fn note_listeners(server: &mut Server) {
    server.keyspace.events.blocked_keys = server.blocking.key_count();
    tracking::follow(server);
}
