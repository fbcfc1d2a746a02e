//! The clients' side of client-side caching: what each asked for, what it has read, and the messages about changes.

use std::collections::BTreeSet;

use crate::spec::Flags;

use super::table::CommandId;
use super::{ClientFlags, ClientId, Server, messages};

/// The channel on which clients of RESP2 hear of changes.
const CHANNEL: &[u8] = b"__redis__:invalidate";
/// Keys that one command or one cron forgets at most when there are too many.
const FORGET_MAX: usize = 1000;

/// What a client asked for by CLIENT TRACKING.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackingOptions {
    /// Who is told in its place.
    pub redirect: Option<ClientId>,
    /// Is it told of all keys with its prefixes, read or not?
    pub broadcast: bool,
    /// Only what is read after CLIENT CACHING YES counts.
    pub opt_in: bool,
    /// What is read after CLIENT CACHING NO does not count.
    pub opt_out: bool,
    /// It is not told of its own changes.
    pub no_loop: bool,
    /// What CLIENT CACHING said of the next command.
    pub caching: Option<bool>,
    /// Its prefixes.
    pub prefixes: BTreeSet<Vec<u8>>,
}

/// Begins to track for a client, or changes what it asked for.
pub fn enable(server: &mut Server, id: ClientId, options: TrackingOptions) {
    let Some(client) = server.clients.get_mut(id) else { return };
    if !client.flags.has(ClientFlags::TRACKING) {
        server.tracking.clients += 1;
    }
    if !std::mem::replace(&mut client.has_tracked, true) {
        server.tracking.readers += 1;
    }
    client.flags = client.flags.without(ClientFlags::TRACKING_BROKEN).or(ClientFlags::TRACKING);
    if options.broadcast {
        client.flags = client.flags.or(ClientFlags::TRACKING_BCAST);
    }
    options.prefixes.iter().for_each(|prefix| server.tracking.add_prefix(prefix, id.0));
    client.tracking = Some(Box::new(options));
    follow(server);
}

/// Ends tracking for a client.
pub fn disable(server: &mut Server, id: ClientId) {
    let Some(client) = server.clients.get_mut(id) else { return };
    let Some(options) = client.tracking.take() else { return };
    let gone = ClientFlags::TRACKING.or(ClientFlags::TRACKING_BCAST).or(ClientFlags::TRACKING_BROKEN);
    client.flags = client.flags.without(gone);
    server.tracking.clients -= 1;
    options.prefixes.iter().for_each(|prefix| server.tracking.remove_prefix(prefix, id.0));
    follow(server);
}

/// Ends tracking for a client that is about to be removed. Who ends it and stays may begin again, and hears of what it has
/// read before.
pub fn leave(server: &mut Server, id: ClientId) {
    disable(server, id);
    if !server.clients.get_mut(id).is_some_and(|client| client.has_tracked) {
        return;
    }
    server.tracking.readers -= 1;
    if server.tracking.readers == 0 {
        // Nobody is left to be told. Redis remembers the keys until they change.
        forget_keys(server);
        follow(server);
    }
}

/// Asks the keyspace to tell of changes as long as anybody wants to hear of them.
pub fn follow(server: &mut Server) {
    server.keyspace.events.track_touched =
        !server.watches.is_empty() || server.tracking.is_active() || server.blocking.nokey_count() > 0;
}

/// After a command of a client that tracks: notes the keys that it has read.
#[cold]
pub fn note_command(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]]) {
    let info = server.commands.entry(id).info();
    let Some(client) = server.clients.at(place) else { return };
    let (reader, in_multi) = (client.id, client.flags.has(ClientFlags::MULTI.or(ClientFlags::DENY_BLOCKING)));
    let Some(options) = &mut client.tracking else { return };
    let is_meant = if options.opt_in { options.caching == Some(true) } else { options.caching != Some(false) };
    let is_client_command = server.commands.entry(id).full_name.starts_with("client|");
    if !in_multi && !is_client_command {
        options.caching = None;
    }
    // Of a script counts what its commands read.
    let reads = info.flags.has(Flags::READONLY) && !info.flags.has(Flags::SCRIPT_RUNNER);
    if options.broadcast || !is_meant || !reads {
        return;
    }
    for (at, _) in info.find_keys(argv).unwrap_or_default() {
        server.tracking.note_read(argv[at], reader.0);
    }
    forget_beyond_limit(server);
}

/// Forgets keys that are too many for tracking-table-max-keys (0: no limit), and tells their readers.
pub fn forget_beyond_limit(server: &mut Server) {
    let max = match server.config.tracking_table_max_keys as usize {
        0 => return,
        max => max,
    };
    for _ in 0..FORGET_MAX {
        let Some((key, readers)) = server.tracking.take_any_beyond(max, &mut server.rng) else { return };
        readers.iter().for_each(|&reader| tell(server, ClientId(reader), Some(&[&key])));
    }
}

/// A key changed; `by` is the client whose doing that is.
pub fn invalidate(server: &mut Server, key: &[u8], by: Option<ClientId>) {
    // What a script of its own changes a client cannot know: where all changes are told, those are, too.
    let knows =
        |id: &ClientId| !server.clients.get_mut(*id).is_some_and(|client| client.flags.has(ClientFlags::SCRIPT));
    server.tracking.note_change(key, by.filter(knows).map(|id| id.0));
    for reader in server.tracking.take_readers(key) {
        let id = ClientId(reader);
        let Some(client) = server.clients.get_mut(id) else { continue };
        // It may track in another way by now, or not at all.
        let Some(options) = client.tracking.as_ref().filter(|options| !options.broadcast) else { continue };
        if !(options.no_loop && by == Some(id)) {
            tell(server, id, Some(&[key]));
        }
    }
}

/// Forgets who has read which key. There may be a million of them: another thread frees them.
fn forget_keys(server: &mut Server) {
    let keys = server.tracking.take_keys();
    if !keys.is_empty() {
        server.keyspace.garbage.push_other(keys, 0);
    }
}

/// All keys changed.
pub fn invalidate_all(server: &mut Server) {
    forget_keys(server);
    for id in server.clients.ids() {
        if server.clients.get_mut(id).is_some_and(|client| client.tracking.is_some()) {
            tell(server, id, None);
        }
    }
}

/// At the end of a turn: tells of what changed under prefixes.
pub fn broadcast(server: &mut Server) {
    for broadcast in server.tracking.take_broadcasts() {
        for &reader in &broadcast.readers {
            let id = ClientId(reader);
            let no_loop = server.clients.get_mut(id).and_then(|client| client.tracking.as_ref());
            let Some(no_loop) = no_loop.map(|options| options.no_loop) else { continue };
            let is_wanted = |by: &Option<u64>| !(no_loop && *by == Some(reader));
            let keys: Vec<&[u8]> =
                broadcast.changed.iter().filter(|(_, by)| is_wanted(by)).map(|(key, _)| key.as_slice()).collect();
            if !keys.is_empty() {
                tell(server, id, Some(&keys));
            }
        }
    }
}

/// Tells a client, or the one it named, that these keys changed; without keys: all of them.
fn tell(server: &mut Server, id: ClientId, keys: Option<&[&[u8]]>) {
    let Some(client) = server.clients.get_mut(id) else { return };
    let Some(options) = &client.tracking else { return };
    let redirect = options.redirect;
    let target = redirect.unwrap_or(id);
    let Some(receiver) = server.clients.get_mut(target) else {
        return tell_of_broken_redirect(server, id, target);
    };
    let is_resp3 = receiver.message_proto() == crate::resp::Proto::Resp3;
    // In RESP2 a message can only come between replies where a client expects messages.
    if !is_resp3 && (redirect.is_none() || !receiver.is_subscriber()) {
        return;
    }
    let epoch = server.persistence.aof.epoch;
    messages::send(server, target, epoch, |reply| {
        if is_resp3 {
            reply.push(2);
            reply.bulk(b"invalidate");
        } else {
            reply.array(3);
            reply.bulk(b"message");
            reply.bulk(CHANNEL);
        }
        match keys {
            Some(keys) => {
                reply.array(keys.len());
                keys.iter().for_each(|key| reply.bulk(key));
            }
            // Redis writes the null of strings here, in RESP2 as well.
            None => reply.null(),
        }
    });
}

fn tell_of_broken_redirect(server: &mut Server, id: ClientId, target: ClientId) {
    let Some(client) = server.clients.get_mut(id) else { return };
    client.flags = client.flags.or(ClientFlags::TRACKING_BROKEN);
    if client.message_proto() == crate::resp::Proto::Resp3 {
        messages::send(server, id, 0, |reply| {
            reply.push(2);
            reply.bulk(b"tracking-redir-broken");
            reply.int(target.0 as i64);
        });
    }
}
