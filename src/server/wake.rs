//! Waking clients that wait for keys without serving them: their time is up, or another client asked for it.

use crate::resp::Reply;

use super::blocking::TimeoutReply;
use super::messages::{note_output, write_error};
use super::{ClientFlags, ClientId, Server};

/// Writes what a client reads that waited in vain.
pub fn write_timeout(server: &mut Server, place: u32, reply: TimeoutReply) {
    let Some(client) = server.clients.at(place) else { return };
    let mut writer = Reply::new(&mut client.out, client.proto);
    match reply {
        TimeoutReply::Null => writer.null(),
        TimeoutReply::NullArray => writer.null_array(),
        TimeoutReply::Int(number) => writer.int(number),
        TimeoutReply::Ints(first, second) => {
            writer.array(2);
            writer.int(first);
            writer.int(second);
        }
    }
}

/// What follows when a client no longer waits: its output is sent, its further requests are executed.
pub fn woken(server: &mut Server, id: ClientId) {
    server.keyspace.events.blocked_keys = server.blocking.key_count();
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
    count_unserved(server, place, error.is_some());
    match error {
        Some(line) => write_error(server, place, line),
        None => write_timeout(server, place, blocked.block.timeout_reply),
    }
    woken(server, id);
    true
}

/// Counts the call that ends without having been served.
fn count_unserved(server: &mut Server, place: u32, failed: bool) {
    let Some(command) = server.clients.at(place).and_then(|client| client.last_command) else { return };
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
        server.keyspace.events.blocked_keys = server.blocking.key_count();
    }
}
