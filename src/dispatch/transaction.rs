//! EXEC: the queued commands run one after the other, with nothing in between.

use crate::acl::{Context, Denied};
use crate::resp::Reply;
use crate::server::client::QueuedCommand;
use crate::server::scripting::Remaining;
pub use crate::server::transaction::discard;
use crate::server::{ClientFlags, CommandId, Server, messages, permission};

use super::call::{self, Called};
use super::{deliver, script, write_error};

/// Runs what MULTI queued. EXEC's handler has checked that it may. False if a script in it takes so long that the rest is left.
pub(super) fn run_queued(server: &mut Server, place: u32, argv: &[&[u8]]) -> bool {
    let Some(client) = server.clients.at(place) else { return true };
    let exec = client.last_command;
    let queue = client.multi.take().map(|multi| multi.queue).unwrap_or_default();
    client.flags = client.flags.without(ClientFlags::MULTI.or(ClientFlags::DIRTY_EXEC).or(ClientFlags::DIRTY_CAS));
    client.flags = client.flags.or(ClientFlags::DENY_BLOCKING);
    let position = client.out.position();
    if !client.flags.has(ClientFlags::REPLY_OFF) {
        Reply::new(&mut client.out, client.proto).array(queue.len());
    }
    let mut queue = std::collections::VecDeque::from(queue);
    if !run_commands(server, place, &mut queue) {
        let argv = argv.iter().map(|arg| arg.to_vec()).collect();
        script::leave_remaining(server, Remaining { queue, argv, exec, position });
        return false;
    }
    end(server, place, exec, argv, position);
    true
}

/// Goes on after a script that took long has ended. False if another does.
pub(super) fn go_on(server: &mut Server, place: u32, mut remaining: Remaining) -> bool {
    if !run_commands(server, place, &mut remaining.queue) {
        script::leave_remaining(server, remaining);
        return false;
    }
    let argv: Vec<&[u8]> = remaining.argv.iter().map(Vec::as_slice).collect();
    end(server, place, remaining.exec, &argv, remaining.position);
    true
}

/// Runs queued commands, one after the other. False if one of them goes on in later turns.
fn run_commands(server: &mut Server, place: u32, queue: &mut std::collections::VecDeque<QueuedCommand>) -> bool {
    while let Some(queued) = queue.pop_front() {
        let argv: Vec<&[u8]> = queued.argv.iter().map(Vec::as_slice).collect();
        if let Some(why) = no_longer_permitted(server, place, queued.id, &argv) {
            write_error(server, place, &why);
            continue;
        }
        match call::call(server, place, queued.id, &argv, &[], call::Mode::Transaction) {
            Called::Done | Called::Block(_) => {}
            Called::Parked => return false,
            Called::RunQueued => write_error(server, place, "ERR Command not allowed inside a transaction"),
        }
    }
    true
}

/// Ends the transaction, whose reply began at `position`.
fn end(server: &mut Server, place: u32, exec: Option<CommandId>, argv: &[&[u8]], position: u64) {
    let Some(client) = server.clients.at(place) else { return };
    client.flags = client.flags.without(ClientFlags::DENY_BLOCKING);
    client.last_command = exec;
    if let Some(tracking) = &mut client.tracking {
        tracking.caching = None;
    }
    if let Some(mut deferred) = client.deferred.take() {
        client.out.append(&mut deferred);
    }
    let db = client.db;
    // Monitors see EXEC after what it ran.
    if !server.monitors.is_empty() {
        let epoch = messages::known_to(server, place);
        deliver::feed_monitors(server, place, db, argv, epoch);
    }
    // Its reply goes out in one.
    server.hold_whole(place, position);
}

/// The answer to a command that the user's rules allowed when it was queued, and do not now.
fn no_longer_permitted(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]]) -> Option<String> {
    if !server.clients.at(place).is_some_and(|client| client.flags.has(ClientFlags::RESTRICTED)) {
        return None;
    }
    let denied = permission::check(server, place, id, argv).err()?;
    permission::note_denied(server, place, id, argv, denied, Context::Multi);
    let why = match denied {
        Denied::Command => "no permission to execute the command or subcommand",
        Denied::Key(_) => "no permission to touch the specified keys",
        Denied::Channel(_) => "no permission to access one of the channels used as argument to the command",
        Denied::Database(_) => "no permission to access database",
    };
    Some(format!(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no \
         longer allowed for the following reason: {why}"
    ))
}
