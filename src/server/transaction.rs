//! Ending a transaction that does not run, and letting go of watched keys.

use super::{ClientFlags, Server, tracking};

/// Lets go of everything a client watches.
pub fn unwatch(server: &mut Server, place: u32) {
    let Some(client) = server.clients.at(place) else { return };
    let id = client.id;
    for place in std::mem::take(&mut client.watched) {
        server.watches.remove(&place, id);
    }
    tracking::follow(server);
}

/// Ends a transaction without running it.
pub fn discard(server: &mut Server, place: u32) {
    if let Some(client) = server.clients.at(place) {
        client.multi = None;
        let ended = ClientFlags::MULTI.or(ClientFlags::DIRTY_CAS).or(ClientFlags::DIRTY_EXEC);
        client.flags = client.flags.without(ended);
    }
    unwatch(server, place);
}
