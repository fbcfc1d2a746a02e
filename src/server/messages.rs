//! Writing to clients: errors to the one who asks, messages to any other, and the limits on output that waits.

pub use crate::base::quote::quoted;
use crate::pubsub::Kind;
use crate::resp::Reply;

use super::{ClientFlags, ClientId, Server};

/// Writes an error line to a client and counts it.
pub fn write_error(server: &mut Server, place: u32, line: &str) {
    if server.stats.count_error(line) {
        crate::base::log::warning(
            "Errorstats stopped adding new errors because the number of errors reached the limit (128). \
             Current errors code list: see INFO errorstats",
        );
    }
    if let Some(client) = server.clients.at(place) {
        let muted = ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP);
        if !client.flags.has(muted) {
            Reply::new(&mut client.out, client.proto).error(line);
        }
        client.flags = client.flags.without(ClientFlags::REPLY_SKIP);
    }
}

/// The last epoch of the append-only file that this client may know something of: that of its own writes, or of those that
/// what it reads next tells of. A message that it makes us send waits as long as the client itself does.
pub fn known_to(server: &mut Server, place: u32) -> u64 {
    let epoch = server.persistence.aof.epoch;
    match server.clients.at(place) {
        // A script has read what its reply does not tell yet.
        Some(client) if client.flags.has(ClientFlags::SCRIPT) => epoch,
        Some(client) => client.holds.back().map_or(0, |&(_, last)| last),
        None => epoch,
    }
}

/// Sends a message to all who listen, which tells of nothing after this epoch. Returns to how many clients.
pub fn publish(server: &mut Server, kind: Kind, channel: &[u8], message: &[u8], epoch: u64) -> usize {
    if server.pubsub.is_empty() {
        return 0;
    }
    let mut receivers = 0;
    let label: &[u8] = if kind == Kind::Shard { b"smessage" } else { b"message" };
    for listener in server.pubsub.listeners(kind, channel) {
        receivers += usize::from(send(server, ClientId(listener), epoch, |reply| {
            reply.push(3);
            reply.bulk(label);
            reply.bulk(channel);
            reply.bulk(message);
        }));
    }
    if kind == Kind::Shard {
        return receivers;
    }
    for (pattern, listeners) in server.pubsub.matching(channel) {
        for listener in listeners {
            receivers += usize::from(send(server, ClientId(listener), epoch, |reply| {
                reply.push(4);
                reply.bulk(b"pmessage");
                reply.bulk(&pattern);
                reply.bulk(channel);
                reply.bulk(message);
            }));
        }
    }
    receivers
}

/// Sends a message to any client: now, or after the reply of its transaction that runs. It waits until `epoch` is released. False
/// if the client is gone.
pub fn send(server: &mut Server, id: ClientId, epoch: u64, write: impl FnOnce(&mut Reply<'_>)) -> bool {
    match server.clients.get_mut(id) {
        Some(client) if client.flags.has(ClientFlags::CLOSING) => false,
        Some(client) if client.flags.has(ClientFlags::DENY_BLOCKING) => {
            let proto = client.message_proto();
            let deferred = client.deferred.get_or_insert_default();
            write(&mut Reply::new(deferred, proto));
            let deferred_bytes = deferred.limited_bytes();
            if let Some(place) = server.clients.place(id) {
                check_limit(server, place, deferred_bytes);
            }
            true
        }
        Some(_) => send_now(server, id, epoch, write),
        None => false,
    }
}

/// Writes something to any client outside the order of its requests. It waits until `epoch` is released. False if the client is
/// gone.
pub fn send_now(server: &mut Server, id: ClientId, epoch: u64, write: impl FnOnce(&mut Reply<'_>)) -> bool {
    let Some(client) = server.clients.get_mut(id) else { return false };
    if client.flags.has(ClientFlags::CLOSING) {
        return false;
    }
    if epoch > 0 && server.keyspace.unsynced.is_active() {
        let position = client.out.position();
        if let Some(place) = server.clients.place(id) {
            server.hold_output(place, position, epoch);
        }
    }
    let Some(client) = server.clients.get_mut(id) else { return false };
    // CLIENT REPLY mutes replies, not what is sent unasked.
    write(&mut Reply::new(&mut client.out, client.proto));
    note_output(server, id);
    true
}

/// Puts a client on the list of those whose output is written at the end of the turn, and checks its limits.
pub fn note_output(server: &mut Server, id: ClientId) {
    let Some(place) = server.clients.place(id) else { return };
    note_output_at(server, place);
}

/// As `note_output`, for the client at a place.
#[inline]
pub fn note_output_at(server: &mut Server, place: u32) {
    let Some(client) = server.clients.at(place) else { return };
    if client.out.is_empty() {
        return;
    }
    client.buf_peak = client.buf_peak.max(client.out.len());
    if !client.pending_write {
        client.pending_write = true;
        server.pending_writes.push(place);
    }
    check_output_limit(server, place);
}

/// Closes a client whose output exceeds client-output-buffer-limit.
#[inline]
pub fn check_output_limit(server: &mut Server, place: u32) {
    check_limit(server, place, 0);
}

/// As `check_output_limit`, with so many bytes that follow its output.
#[inline]
fn check_limit(server: &mut Server, place: u32, deferred_bytes: usize) {
    let now = server.now.mono;
    let Some(client) = server.clients.at(place) else { return };
    // What a long reply will come to counts in advance: Redis would hold all of it at once.
    let bytes = (client.out.limited_bytes() + deferred_bytes) as u64;
    let bytes = bytes.saturating_add(client.out.unwritten_bytes_min());
    let limits = &server.config.client_output_buffer_limit;
    let limit = if client.is_subscriber() { &limits.pubsub } else { &limits.normal };
    let is_hard = limit.hard_bytes > 0 && bytes >= limit.hard_bytes;
    let is_soft = limit.soft_bytes > 0 && bytes >= limit.soft_bytes;
    if !is_hard && !is_soft {
        client.soft_limit_since = None;
        return;
    }
    let since = *client.soft_limit_since.get_or_insert(now);
    let is_over = is_hard || now.since(since) / 1_000_000 >= limit.soft_seconds.max(0) as u64 && since != now;
    if !is_over || client.flags.has(ClientFlags::CLOSING) {
        return;
    }
    let id = client.id;
    crate::base::log::warning(&format!(
        "Client id={} addr={} omem={bytes} scheduled to be closed ASAP for overcoming of output buffer limits.",
        id.0, client.addr
    ));
    server.stats.client_output_buffer_limit_disconnections += 1;
    server.close_client(id, false);
}
