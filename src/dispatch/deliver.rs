//! What follows a command: propagation, keyspace notifications, watchers, blocked clients, messages to other clients.

use crate::keyspace::event::{Notification, Vanished};
use crate::keyspace::{DbIndex, Notify};
use crate::pubsub::Kind;
use crate::resp::{Output, Proto, Reply};
use crate::server::{ClientFlags, ClientId, CommandId, Server};

use super::unblock;

/// Carries on everything that a command (or a slice of background work) left in the keyspace's queues.
pub fn after_command(server: &mut Server) {
    // Serving a blocked client changes keys again: until nothing is left.
    while !server.keyspace.events.is_quiet() {
        propagate_vanished(server);
        for (db, key) in std::mem::take(&mut server.keyspace.events.touched) {
            touch_watched(server, db, &key);
        }
        for db in std::mem::take(&mut server.keyspace.events.flushed) {
            flush_watched(server, db);
        }
        for (a, b) in std::mem::take(&mut server.keyspace.events.swapped) {
            swap_watched(server, a, b);
        }
        for notification in std::mem::take(&mut server.keyspace.events.notifications) {
            publish_notification(server, &notification);
        }
        unblock::serve_ready_keys(server);
    }
}

/// Repeats what vanished by itself as deletions. They precede the command that met them: it may have made the key anew.
fn propagate_vanished(server: &mut Server) {
    for (db, key, why) in std::mem::take(&mut server.keyspace.events.vanished) {
        let lazy = match why {
            Vanished::Expired => server.keyspace.policy.lazyfree_lazy_expire,
            Vanished::Evicted => server.keyspace.policy.lazyfree_lazy_eviction,
            Vanished::FieldExpired(field) => {
                server.propagation.log.push((db, vec![b"HDEL".to_vec(), key, field]));
                continue;
            }
        };
        let name: &[u8] = if lazy { b"UNLINK" } else { b"DEL" };
        server.propagation.log.push((db, vec![name.to_vec(), key]));
    }
}

fn touch_watched(server: &mut Server, db: DbIndex, key: &[u8]) {
    for &id in server.watches.of(db, key) {
        if let Some(client) = server.clients.get_mut(id) {
            client.flags = client.flags.or(ClientFlags::DIRTY_CAS);
        }
    }
    if server.blocking.nokey_count() > 0 {
        server.keyspace.events.ready(db, key);
    }
}

/// Watchers of a database whose keys are all gone. A key that did not exist when it was watched has not changed: such
/// watchers were told so by the keyspace's own touch of each key only if it existed; here all watched keys count.
fn flush_watched(server: &mut Server, db: DbIndex) {
    let ids: Vec<ClientId> = server.watches.in_db(db).flat_map(|(_, ids)| ids.iter().copied()).collect();
    for id in ids {
        if let Some(client) = server.clients.get_mut(id) {
            client.flags = client.flags.or(ClientFlags::DIRTY_CAS);
        }
    }
}

fn swap_watched(server: &mut Server, a: DbIndex, b: DbIndex) {
    for db in [a, b] {
        let watched: Vec<(Vec<u8>, Vec<ClientId>)> =
            server.watches.in_db(db).map(|(key, ids)| (key.to_vec(), ids.to_vec())).collect();
        for (key, ids) in watched {
            // The key changed if it exists on either side.
            if !server.keyspace.db(a).exists(&key) && !server.keyspace.db(b).exists(&key) {
                continue;
            }
            for id in ids {
                if let Some(client) = server.clients.get_mut(id) {
                    client.flags = client.flags.or(ClientFlags::DIRTY_CAS);
                }
            }
        }
        for key in server.blocking.keys_in(db) {
            if server.keyspace.db(db).exists(&key) {
                server.keyspace.events.ready(db, &key);
            }
        }
    }
}

fn publish_notification(server: &mut Server, notification: &Notification) {
    let Notification { class: _, event, key, db, subkeys } = notification;
    let flags = server.keyspace.events.notify_flags;
    let db = db.0;
    if flags.has(Notify::KEYSPACE) {
        let mut channel = format!("__keyspace@{db}__:").into_bytes();
        channel.extend_from_slice(key);
        publish(server, Kind::Channel, &channel, event.as_bytes());
    }
    if flags.has(Notify::KEYEVENT) {
        let channel = format!("__keyevent@{db}__:{event}").into_bytes();
        publish(server, Kind::Channel, &channel, key);
    }
    if subkeys.is_empty() {
        return;
    }
    let list = |payload: &mut Vec<u8>| {
        for (index, subkey) in subkeys.iter().enumerate() {
            if index > 0 {
                payload.push(b',');
            }
            payload.extend_from_slice(format!("{}:", subkey.len()).as_bytes());
            payload.extend_from_slice(subkey);
        }
    };
    if flags.has(Notify::SUBKEYSPACE) {
        let mut channel = format!("__subkeyspace@{db}__:").into_bytes();
        channel.extend_from_slice(key);
        let mut payload = format!("{event}|").into_bytes();
        list(&mut payload);
        publish(server, Kind::Channel, &channel, &payload);
    }
    if flags.has(Notify::SUBKEYEVENT) {
        let channel = format!("__subkeyevent@{db}__:{event}").into_bytes();
        let mut payload = format!("{}:", key.len()).into_bytes();
        payload.extend_from_slice(key);
        payload.push(b'|');
        list(&mut payload);
        publish(server, Kind::Channel, &channel, &payload);
    }
    if flags.has(Notify::SUBKEYSPACEITEM) {
        for subkey in subkeys {
            let mut channel = format!("__subkeyspaceitem@{db}__:").into_bytes();
            channel.extend_from_slice(key);
            channel.push(b'\n');
            channel.extend_from_slice(subkey);
            publish(server, Kind::Channel, &channel, event.as_bytes());
        }
    }
    if flags.has(Notify::SUBKEYSPACEEVENT) {
        let mut channel = format!("__subkeyspaceevent@{db}__:{event}|").into_bytes();
        channel.extend_from_slice(key);
        let mut payload = Vec::new();
        list(&mut payload);
        publish(server, Kind::Channel, &channel, &payload);
    }
}

/// Sends a message to all who listen. Returns to how many clients.
pub fn publish(server: &mut Server, kind: Kind, channel: &[u8], message: &[u8]) -> usize {
    if server.pubsub.is_empty() {
        return 0;
    }
    let mut receivers = 0;
    let label: &[u8] = if kind == Kind::Shard { b"smessage" } else { b"message" };
    for listener in server.pubsub.listeners(kind, channel) {
        receivers += usize::from(send(server, ClientId(listener), |reply| {
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
            receivers += usize::from(send(server, ClientId(listener), |reply| {
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

/// Writes something to any client outside the order of its requests. False if it is gone.
pub fn send(server: &mut Server, id: ClientId, write: impl FnOnce(&mut Reply<'_>)) -> bool {
    let Some(client) = server.clients.get_mut(id) else { return false };
    if client.flags.has(ClientFlags::CLOSING) {
        return false;
    }
    let mut silent = Output::default();
    // CLIENT REPLY OFF mutes replies, not pushes.
    let out = if client.flags.has(ClientFlags::REPLY_OFF) && client.proto == Proto::Resp2 {
        &mut silent
    } else {
        &mut client.out
    };
    write(&mut Reply::new(out, client.proto));
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
    if !client.pending_write {
        client.pending_write = true;
        server.pending_writes.push(place);
    }
    check_output_limit(server, place);
}

/// Closes a client whose output exceeds client-output-buffer-limit.
#[inline]
pub fn check_output_limit(server: &mut Server, place: u32) {
    let now = server.now.mono;
    let Some(client) = server.clients.at(place) else { return };
    let bytes = client.out.len() as u64;
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

/// Shows a command to all clients in MONITOR.
pub(super) fn feed_monitors(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]]) {
    let info = server.commands.entry(id).info();
    if info.flags.has(crate::spec::Flags::SKIP_MONITOR.or(crate::spec::Flags::ADMIN)) {
        return;
    }
    let Some(client) = server.clients.at(place) else { return };
    let us = server.now.unix_us;
    let mut line = format!(
        "{}.{:06} [{} {}]",
        us.div_euclid(1_000_000),
        us.rem_euclid(1_000_000),
        client.db.0,
        if client.flags.has(ClientFlags::UNIX_SOCKET) { format!("unix:{}", client.addr) } else { client.addr.clone() }
    );
    let secret = ["auth", "hello"].contains(&info.name);
    for (index, arg) in argv.iter().enumerate() {
        line.push(' ');
        line.push_str(&if secret && index > 0 { "\"(redacted)\"".to_owned() } else { quoted(arg) });
    }
    for monitor in server.monitors.clone() {
        send(server, monitor, |reply| reply.simple(&line));
    }
}

/// An argument in double quotes, with escapes for what is not printable.
pub fn quoted(arg: &[u8]) -> String {
    let mut text = String::with_capacity(arg.len() + 2);
    text.push('"');
    for &byte in arg {
        match byte {
            b'\\' | b'"' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            7 => text.push_str("\\a"),
            8 => text.push_str("\\b"),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}

/// Puts what a command leaves behind into the log of propagation: its rewriting, or itself if it changed anything.
pub(super) fn propagate(server: &mut Server, db: DbIndex, argv: &[&[u8]], changed: bool) {
    propagate_vanished(server);
    let propagation = &mut server.propagation;
    if propagation.enabled {
        let instead = std::mem::take(&mut propagation.instead);
        if !instead.is_empty() {
            propagation.log.extend(instead);
        } else if changed && !propagation.prevented {
            propagation.log.push((db, argv.iter().map(|arg| arg.to_vec()).collect()));
        }
    }
    propagation.prevented = false;
}
