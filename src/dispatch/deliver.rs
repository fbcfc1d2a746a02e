//! What follows a command: propagation, keyspace notifications, watchers, blocked clients, messages to other clients.

use crate::keyspace::event::{Notification, Touched, Vanished};
use crate::keyspace::{DbIndex, Notify};
use crate::pubsub::Kind;
pub use crate::server::messages::{check_output_limit, note_output, note_output_at};
use crate::server::messages::{publish, quoted, send};
use crate::server::watch::{Watched, WatchedKey};
use crate::server::{ClientFlags, ClientId, Server, tracking};
use crate::storage::{EntryRef, Type};

use super::unblock;

/// Carries on everything that a command (or a slice of background work) left in the keyspace's queues.
pub fn after_command(server: &mut Server) {
    // Others learn what a script does when it is done.
    if server.scripting.parked.is_some() {
        return;
    }
    // Serving a blocked client changes keys again: until nothing is left.
    while !server.keyspace.events.is_quiet() {
        propagate_vanished(server);
        if server.tracking.is_active() {
            tell_trackers(server, None);
        }
        server.keyspace.events.touched_told = 0;
        server.keyspace.events.flushed_at.clear();
        for Touched { db, key, .. } in std::mem::take(&mut server.keyspace.events.touched) {
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

/// Tells those who cache keys of changes so far, which are the doing of a client that caches keys itself, or of nobody who
/// would mind to be told. What a transaction reads afterwards is read as it is by then.
pub(super) fn tell_trackers(server: &mut Server, acting: Option<ClientId>) {
    let first = server.keyspace.events.touched_told;
    let touched = std::mem::take(&mut server.keyspace.events.touched);
    let mut flushed_at = std::mem::take(&mut server.keyspace.events.flushed_at).into_iter().peekable();
    for at in first..=touched.len() {
        while flushed_at.next_if(|&flushed_at| flushed_at <= at).is_some() {
            tracking::invalidate_all(server);
        }
        if let Some(Touched { key, by_client, .. }) = touched.get(at) {
            let by = acting.filter(|_| *by_client);
            tracking::invalidate(server, key, by);
        }
    }
    server.keyspace.events.touched_told = touched.len();
    server.keyspace.events.touched = touched;
}

/// Repeats what vanished by itself as deletions. They precede the command that met them: it may have made the key anew.
fn propagate_vanished(server: &mut Server) {
    let vanished = std::mem::take(&mut server.keyspace.events.vanished);
    if !server.propagation.enabled {
        return;
    }
    for (db, key, why) in vanished {
        let lazy = match why {
            Vanished::Expired => server.keyspace.policy.lazyfree_lazy_expire,
            Vanished::Evicted => server.keyspace.policy.lazyfree_lazy_eviction,
            Vanished::FieldExpired(field) => {
                server.propagation.command(db, &[b"HDEL", &key, &field]);
                continue;
            }
        };
        let name: &[u8] = if lazy { b"UNLINK" } else { b"DEL" };
        server.propagation.command(db, &[name, &key]);
    }
}

fn touch_watched(server: &mut Server, db: DbIndex, key: &[u8]) {
    if server.watches.has(db, key) {
        let after = Watched::of(&mut server.keyspace.db(db), key);
        let is_same = |before| before == Watched::Due && after == Watched::Absent;
        review_watch(server, &(db, key.to_vec()), after, is_same);
    }
    let is_stream = |entry: EntryRef<'_>| entry.type_() == Type::Stream;
    if server.blocking.nokey_count() > 0 && !server.keyspace.db(db).peek(key).is_some_and(is_stream) {
        server.keyspace.events.ready(db, key);
    }
}

/// Tells the watchers of a key what it is `after` a change: transactions of those to whom it `is_same` as before still run.
fn review_watch(server: &mut Server, place: &WatchedKey, after: Watched, is_same: impl Fn(Watched) -> bool) {
    let Server { watches, clients, .. } = server;
    watches.review(place, after, is_same, |id| {
        if let Some(client) = clients.get_mut(id) {
            client.flags = client.flags.or(ClientFlags::DIRTY_CAS);
        }
    });
}

/// Watchers of a database that was emptied: a key that was not there, or was due, has not changed.
fn flush_watched(server: &mut Server, db: DbIndex) {
    for place in server.watches.in_db(db) {
        review_watch(server, &place, Watched::Absent, |before| before != Watched::Present);
    }
    for key in server.blocking.keys_in(db) {
        server.keyspace.events.ready(db, &key);
    }
}

fn swap_watched(server: &mut Server, a: DbIndex, b: DbIndex) {
    for db in [a, b] {
        for place in server.watches.in_db(db) {
            let after = Watched::of(&mut server.keyspace.db(db), &place.1);
            let is_same = |before| before != Watched::Present && after != Watched::Present;
            review_watch(server, &place, after, is_same);
        }
        for key in server.blocking.keys_in(db) {
            server.keyspace.events.ready(db, &key);
        }
    }
}

fn publish_notification(server: &mut Server, notification: &Notification) {
    let Notification { class: _, event, key, db, subkeys } = notification;
    let flags = server.keyspace.events.notify_flags;
    // It tells of what this turn does.
    let epoch = server.persistence.aof.epoch;
    let db = db.0;
    if flags.has(Notify::KEYSPACE) {
        let mut channel = format!("__keyspace@{db}__:").into_bytes();
        channel.extend_from_slice(key);
        publish(server, Kind::Channel, &channel, event.as_bytes(), epoch);
    }
    if flags.has(Notify::KEYEVENT) {
        let channel = format!("__keyevent@{db}__:{event}").into_bytes();
        publish(server, Kind::Channel, &channel, key, epoch);
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
        publish(server, Kind::Channel, &channel, &payload, epoch);
    }
    if flags.has(Notify::SUBKEYEVENT) {
        let channel = format!("__subkeyevent@{db}__:{event}").into_bytes();
        let mut payload = format!("{}:", key.len()).into_bytes();
        payload.extend_from_slice(key);
        payload.push(b'|');
        list(&mut payload);
        publish(server, Kind::Channel, &channel, &payload, epoch);
    }
    if flags.has(Notify::SUBKEYSPACEITEM) {
        for subkey in subkeys {
            let mut channel = format!("__subkeyspaceitem@{db}__:").into_bytes();
            channel.extend_from_slice(key);
            channel.push(b'\n');
            channel.extend_from_slice(subkey);
            publish(server, Kind::Channel, &channel, event.as_bytes(), epoch);
        }
    }
    if flags.has(Notify::SUBKEYSPACEEVENT) {
        let mut channel = format!("__subkeyspaceevent@{db}__:{event}|").into_bytes();
        channel.extend_from_slice(key);
        let mut payload = Vec::new();
        list(&mut payload);
        publish(server, Kind::Channel, &channel, &payload, epoch);
    }
}

/// Shows a command, which tells of nothing after this epoch, to all clients in MONITOR.
pub(super) fn feed_monitors(server: &mut Server, place: u32, db: DbIndex, argv: &[&[u8]], epoch: u64) {
    let Some(client) = server.clients.at(place) else { return };
    let us = server.now.unix_us;
    let mut line = format!(
        "{}.{:06} [{} {}]",
        us.div_euclid(1_000_000),
        us.rem_euclid(1_000_000),
        db.0,
        if client.flags.has(ClientFlags::SCRIPT) {
            "lua".to_owned()
        } else if client.flags.has(ClientFlags::UNIX_SOCKET) {
            format!("unix:{}", client.addr.strip_suffix(":0").unwrap_or(&client.addr))
        } else {
            client.addr.clone()
        }
    );
    for arg in argv {
        line.push(' ');
        line.push_str(&quoted(arg));
    }
    for monitor in server.monitors.clone() {
        send(server, monitor, epoch, |reply| reply.simple(&line));
    }
}

/// Lets what a command leaves behind be repeated: its rewriting, or itself if it changed anything. Returns whether it left
/// anything.
pub(super) fn propagate(server: &mut Server, db: DbIndex, argv: &[&[u8]], changed: bool) -> bool {
    let before = server.propagation.offset();
    // A key that the command met due went before the command did anything.
    propagate_vanished(server);
    server.propagation.settle(db, argv, changed);
    server.propagation.offset() != before
}
