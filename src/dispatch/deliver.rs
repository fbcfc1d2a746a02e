//! What follows a command: propagation, keyspace notifications, watchers, blocked clients, messages to other clients.

use crate::keyspace::event::{Notification, Vanished};
use crate::keyspace::{DbIndex, Notify};
use crate::pubsub::Kind;
pub use crate::server::messages::{check_output_limit, note_output, note_output_at};
use crate::server::messages::{publish, quoted, send};
use crate::server::{ClientFlags, ClientId, CommandId, Server};

use super::unblock;

/// Carries on everything that a command (or a slice of background work) left in the keyspace's queues.
pub fn after_command(server: &mut Server) {
    // Serving a blocked client changes keys again: until nothing is left.
    while !server.keyspace.events.is_quiet() {
        for (db, key, why) in std::mem::take(&mut server.keyspace.events.vanished) {
            let lazy = match why {
                Vanished::Expired => server.keyspace.policy.lazyfree_lazy_expire,
                Vanished::Evicted => server.keyspace.policy.lazyfree_lazy_eviction,
            };
            let name: &[u8] = if lazy { b"UNLINK" } else { b"DEL" };
            server.propagation.log.push((db, vec![name.to_vec(), key]));
        }
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

/// Puts what a command leaves behind into the log of propagation: its rewriting, or itself if it changed anything.
pub(super) fn propagate(server: &mut Server, db: DbIndex, argv: &[&[u8]], changed: bool) {
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
