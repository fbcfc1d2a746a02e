//! EXEC: the queued commands run one after the other, with nothing in between.

use crate::resp::Reply;
pub use crate::server::transaction::discard;
use crate::server::{ClientFlags, Server};

use super::call::{self, Called};
use super::{deliver, write_error};

/// Runs what MULTI queued. EXEC's handler has checked that it may.
pub(super) fn run_queued(server: &mut Server, place: u32, argv: &[&[u8]]) {
    let Some(client) = server.clients.at(place) else { return };
    let exec = client.last_command;
    let queue = client.multi.take().map(|multi| multi.queue).unwrap_or_default();
    client.flags = client.flags.without(ClientFlags::MULTI.or(ClientFlags::DIRTY_EXEC).or(ClientFlags::DIRTY_CAS));
    client.flags = client.flags.or(ClientFlags::DENY_BLOCKING);
    if !client.flags.has(ClientFlags::REPLY_OFF) {
        Reply::new(&mut client.out, client.proto).array(queue.len());
    }
    for queued in &queue {
        let argv: Vec<&[u8]> = queued.argv.iter().map(Vec::as_slice).collect();
        match call::call(server, place, queued.id, &argv, &[], call::Mode::Transaction) {
            Called::Done | Called::Block(_) => {}
            Called::RunQueued => write_error(server, place, "ERR Command not allowed inside a transaction"),
        }
    }
    let Some(client) = server.clients.at(place) else { return };
    client.flags = client.flags.without(ClientFlags::DENY_BLOCKING);
    client.last_command = exec;
    if let Some(mut deferred) = client.deferred.take() {
        client.out.append(&mut deferred);
    }
    let db = client.db;
    // Monitors see EXEC after what it ran.
    if !server.monitors.is_empty() {
        deliver::feed_monitors(server, place, db, argv);
    }
}
