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
        TimeoutReply::Freed => writer.ok(),
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
    // A command is counted when it ends; one that waits for freeing has done its work before.
    if blocked.block.timeout_reply != TimeoutReply::Freed {
        count_unserved(server, place, error.is_some());
    }
    match error {
        Some(line) => write_error(server, place, line),
        None => write_timeout(server, place, blocked.block.timeout_reply),
    }
    woken(server, id);
    true
}

/// Lets a client wait until everything thrown away so far is freed.
pub fn wait_for_freeing(server: &mut Server, place: u32) {
    let Some(client) = server.clients.at(place) else { return };
    if client.flags.has(ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP)) {
        return;
    }
    let block = Block {
        keys: Vec::new(),
        wanted: None,
        timeout_ms: 0,
        timeout_reply: TimeoutReply::Freed,
        unblock_on_nokey: false,
        request: None,
        retry_ms: None,
    };
    let blocked = Blocked { block, db: client.db, argv: Vec::new(), deadline: None, retry_at: None };
    client.flags = client.flags.or(ClientFlags::BLOCKED);
    client.blocked = Some(Box::new(blocked));
    server.awaiting_freed.push_back((server.keyspace.garbage.thrown(), client.id));
}

/// Answers the clients whose garbage is freed.
pub fn wake_freed(server: &mut Server) {
    while let Some(&(thrown, id)) = server.awaiting_freed.front()
        && server.keyspace.garbage.done() >= thrown
    {
        server.awaiting_freed.pop_front();
        let waits = |client: &Client| {
            client.blocked.as_ref().is_some_and(|blocked| blocked.block.timeout_reply == TimeoutReply::Freed)
        };
        if server.clients.get(id).is_some_and(waits) {
            unblock_client(server, id, None);
        }
    }
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
