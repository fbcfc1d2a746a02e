//! Clients that wait for keys: putting them to sleep, serving them in the order in which they came, waking them when their
//! time is up.
//!
//! When you add a blocking command: its handler returns `Outcome::Block` while it cannot be served, and is simply run
//! again when one of its keys may serve it; it must not have changed anything before it returns `Block`.

use std::collections::BTreeSet;

use crate::base::time::MonoTime;
use crate::keyspace::DbIndex;
use crate::server::blocking::{Block, Blocked};
pub use crate::server::wake::forget_blocked;
use crate::server::wake::{note_listeners, unblock_client, woken};
use crate::server::{ClientFlags, ClientId, Server};

use super::call::{self, Called};
use super::deliver::after_command;
use super::{find_command, gates, reject};

/// Rounds of serving one command's keys may cause, each a chain of moves: a bound against endless circles.
const ROUNDS_MAX: usize = 1_000_000;

/// Puts the client at `place` to sleep.
pub(super) fn block_client(server: &mut Server, place: u32, block: Block, argv: &[&[u8]]) {
    let now = server.now.mono;
    let Some(client) = server.clients.at(place) else { return };
    let after_ms = |ms: u64| now.plus_us(ms.saturating_mul(1000));
    let deadline = (block.timeout_ms > 0).then(|| after_ms(block.timeout_ms));
    let retry_at = block.retry_ms.map(after_ms);
    let argv = block.request.clone().unwrap_or_else(|| argv.iter().map(|arg| arg.to_vec()).collect());
    let blocked = Blocked { block, db: client.db, argv, deadline, retry_at };
    server.blocking.add(client.id, &blocked);
    client.flags = client.flags.or(ClientFlags::BLOCKED);
    client.blocked = Some(Box::new(blocked));
    note_listeners(server);
}

/// Serves waiting clients from the keys that became ready, until none is left.
pub(super) fn serve_ready_keys(server: &mut Server) {
    for _ in 0..ROUNDS_MAX {
        let ready = std::mem::take(&mut server.keyspace.events.ready_keys);
        if ready.is_empty() {
            return;
        }
        // A key may be due that was not when the transaction that made it ready began.
        server.catch_up_clocks();
        let mut served = BTreeSet::new();
        for (db, key) in &ready {
            if served.insert((*db, key)) {
                serve_key(server, *db, key);
            }
        }
    }
}

fn serve_key(server: &mut Server, db: DbIndex, key: &[u8]) {
    for id in server.blocking.of(db, key) {
        let type_ = server.keyspace.db(db).peek(key).map(|entry| entry.type_());
        let Some(client) = server.clients.get(id) else { continue };
        let Some(blocked) = &client.blocked else { continue };
        let may_serve = match type_ {
            Some(type_) => blocked.block.wanted == Some(type_) || blocked.block.unblock_on_nokey,
            None => blocked.block.unblock_on_nokey,
        };
        if may_serve {
            run_again(server, id);
        }
    }
}

/// Runs a waiting client's command again; it is served or goes on waiting where it was.
fn run_again(server: &mut Server, id: ClientId) {
    let Some(place) = server.clients.place(id) else { return };
    let Some(client) = server.clients.at(place) else { return };
    let Some(mut blocked) = client.blocked.take() else { return };
    client.flags = client.flags.without(ClientFlags::BLOCKED);
    let argv: Vec<&[u8]> = blocked.argv.iter().map(Vec::as_slice).collect();
    server.propagation.begin_unit();
    let called = match find_command(server, &argv) {
        // The user's rules may be others by now.
        Ok(command) => match gates::still_permitted(server, place, command, &argv) {
            Some(error) => {
                reject(server, place, Some(command), &error);
                Called::Done
            }
            None => call::call(server, place, command, &argv, &[], call::Mode::Unblocked),
        },
        Err(_) => Called::Done,
    };
    server.propagation.end_unit();
    let now = server.now.mono;
    let Some(client) = server.clients.at(place) else { return };
    if let Called::Block(block) = called {
        let retry_at = block.retry_ms.map(|ms| now.plus_us(ms.saturating_mul(1000)));
        server.blocking.set_retry(id, &mut blocked, retry_at);
        client.flags = client.flags.or(ClientFlags::BLOCKED);
        client.blocked = Some(blocked);
        return;
    }
    server.blocking.remove(id, &blocked);
    woken(server, id);
}

/// Wakes the clients whose time is up, and serves those who wait for time to pass.
pub fn handle_deadlines(server: &mut Server, now: MonoTime) {
    while let Some((at, id)) = server.blocking.next_deadline()
        && at <= now
    {
        let blocked = server.clients.get(id).and_then(|client| client.blocked.as_ref());
        if blocked.is_some_and(|blocked| blocked.deadline.is_none_or(|deadline| deadline > now)) {
            run_again(server, id);
            after_command(server);
        } else if !unblock_client(server, id, None) {
            forget_blocked(server, id);
        }
    }
}
