//! From a request to its effects: find the command, pass the gates in Redis's order, call the handler, carry on what follows.
//! Deliberately absent: what commands do (`commands`), bytes of the wire (`resp`), sockets. Called by `node`.

pub mod appending;
pub mod backup;
pub mod call;
pub mod deliver;
pub mod gates;
pub mod loading;
pub mod memory;
pub mod rewriting;
pub mod saving;
pub mod script;
pub mod script_libraries;
pub mod transaction;
pub mod unblock;

use crate::base::log;
use crate::base::shown::shown;
use crate::resp::CommandError;
use crate::server::client::QueuedCommand;
use crate::server::context::BigArg;
pub(crate) use crate::server::messages::write_error;
use crate::server::{ClientFlags, CommandId, Server};

/// What the connection does after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Goes on with the next request.
    Next,
    /// Takes no further request for now: it waits for keys, or is closing.
    Stop,
    /// The request was not executed (the server is paused) and must be offered again later.
    Postpone,
}

/// Executes one request of the client at `place`. Its reply is in the client's output afterwards.
pub fn execute_request(server: &mut Server, place: u32, argv: &[&[u8]], bigs: &[BigArg]) -> Flow {
    let Some(client) = server.clients.at(place) else { return Flow::Stop };
    client.last_interaction = server.now.mono;
    let plain = server.commands.lookup(argv[0]).filter(|&id| server.commands.entry(id).subcommands.is_empty());
    let id = match plain.map_or_else(|| lookup_command(server, argv), Ok) {
        Ok(id) => id,
        Err(_) if is_other_protocol(argv[0]) => return close_intruder(server, place),
        Err(error) => {
            reject(server, place, None, &error);
            return Flow::Next;
        }
    };
    if let Err(error) = check_arity(server, id, argv) {
        reject(server, place, Some(id), &error);
        return Flow::Next;
    }
    match gates::check(server, place, id, server.commands.entry(id).info(), argv) {
        gates::Verdict::Pass => {}
        gates::Verdict::Queue => return queue(server, place, id, argv),
        gates::Verdict::Postpone => return Flow::Postpone,
        gates::Verdict::Stop => return Flow::Stop,
        gates::Verdict::Refuse(error) => {
            reject(server, place, Some(id), &error);
            return Flow::Next;
        }
    }
    server.propagation.begin_unit();
    let called = call::call(server, place, id, argv, bigs, call::Mode::Client);
    if !matches!(called, call::Called::RunQueued | call::Called::Parked) {
        server.propagation.end_unit();
    }
    if !server.keyspace.events.is_quiet() || !server.keyspace.garbage.is_empty() {
        deliver::after_command(server);
    }
    match called {
        call::Called::Done => flow_of(server, place),
        call::Called::RunQueued => {
            if !transaction::run_queued(server, place, argv) {
                return Flow::Stop;
            }
            server.propagation.end_unit();
            deliver::after_command(server);
            flow_of(server, place)
        }
        call::Called::Parked => Flow::Stop,
        call::Called::Block(block) => {
            unblock::block_client(server, place, *block, argv);
            Flow::Stop
        }
    }
}

fn flow_of(server: &mut Server, place: u32) -> Flow {
    let stopped =
        ClientFlags::CLOSING.or(ClientFlags::CLOSE_AFTER_REPLY).or(ClientFlags::BLOCKED).or(ClientFlags::SCRIPT);
    match server.clients.at(place) {
        Some(client) if !client.flags.has(stopped) => Flow::Next,
        _ => Flow::Stop,
    }
}

/// The command or subcommand that a request names, with a request long enough for it.
///
/// # Errors
/// If there is no such command or the number of arguments is wrong.
pub fn find_command(server: &Server, argv: &[&[u8]]) -> Result<CommandId, CommandError> {
    let id = lookup_command(server, argv)?;
    check_arity(server, id, argv)?;
    Ok(id)
}

#[inline]
fn check_arity(server: &Server, id: CommandId, argv: &[&[u8]]) -> Result<(), CommandError> {
    let entry = server.commands.entry(id);
    if entry.info().arity.allows(argv.len()) {
        return Ok(());
    }
    Err(CommandError::Arity(entry.full_name.clone().into()))
}

#[inline(never)]
fn lookup_command(server: &Server, argv: &[&[u8]]) -> Result<CommandId, CommandError> {
    let table = &server.commands;
    let Some(mut id) = table.lookup(argv[0]) else { return Err(unknown_command(argv)) };
    if !table.entry(id).subcommands.is_empty()
        && let Some(sub) = argv.get(1)
    {
        let container = table.entry(id);
        id = table.lookup_sub(id, sub).ok_or_else(|| CommandError::unknown_subcommand(&container.full_name, sub))?;
    }
    Ok(id)
}

/// Is this the beginning of a line of HTTP? A browser may have been made to send it, with requests in what follows.
fn is_other_protocol(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Closes the connection of a client that does not mean this server, before it does what somebody else made it send.
#[cold]
fn close_intruder(server: &mut Server, place: u32) -> Flow {
    if let Some(client) = server.clients.at(place) {
        let id = client.id;
        log::warning(&format!(
            "Possible SECURITY ATTACK: {} sends HTTP (POST or Host:), as a browser does that was made to speak to this \
             server. Its connection is closed.",
            client.addr
        ));
        server.close_client(id, false);
    }
    Flow::Stop
}

/// The answer to a command that does not exist: its name and the beginning of its arguments.
fn unknown_command(argv: &[&[u8]]) -> CommandError {
    let mut args = String::new();
    for arg in &argv[1..] {
        if args.len() >= 128 {
            break;
        }
        let room = 128 - args.len();
        args.push_str(&format!("'{}' ", shown(&arg[..arg.len().min(room)])));
    }
    let name = shown(&argv[0][..argv[0].len().min(128)]);
    CommandError::err(format!("unknown command '{name}', with args beginning with: {args}"))
}

/// Answers a request that is not executed. In MULTI the transaction fails: now if it is EXEC, else when EXEC comes.
pub(crate) fn reject(server: &mut Server, place: u32, id: Option<CommandId>, error: &CommandError) {
    if let Some(id) = id {
        let entry = server.commands.entry_mut(id);
        entry.stats.rejected_calls += 1;
        if entry.info().name == "exec" {
            transaction::discard(server, place);
            let text = error.to_string();
            let why = text.strip_prefix("ERR ").unwrap_or(&text);
            return write_error(server, place, &format!("EXECABORT Transaction discarded because of: {why}"));
        }
    }
    if let Some(client) = server.clients.at(place)
        && client.flags.has(ClientFlags::MULTI)
    {
        client.flags = client.flags.or(ClientFlags::DIRTY_EXEC);
    }
    write_error(server, place, &error.to_string());
}

fn queue(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]]) -> Flow {
    let Some(client) = server.clients.at(place) else { return Flow::Stop };
    // After a refusal the transaction cannot run: nothing more is kept.
    if !client.flags.has(ClientFlags::DIRTY_EXEC.or(ClientFlags::DIRTY_CAS)) {
        let multi = client.multi.get_or_insert_default();
        multi.bytes += argv.iter().map(|arg| arg.len() + 24).sum::<usize>();
        multi.queue.push(QueuedCommand { id, argv: argv.iter().map(|arg| arg.to_vec()).collect() });
    }
    if !client.flags.has(ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP)) {
        client.out.tail().extend_from_slice(b"+QUEUED\r\n");
    }
    client.flags = client.flags.without(ClientFlags::REPLY_SKIP);
    Flow::Next
}
