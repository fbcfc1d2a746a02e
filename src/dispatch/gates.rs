//! What stands between a request and its command: one function per refusal, in Redis's order.

use crate::acl::Context;
use crate::resp::{CommandError, Proto};
use crate::scripting::Kind;
use crate::server::{Client, ClientFlags, CommandId, Server, permission, tracking};
use crate::spec::{CommandInfo, Flags};

use super::{deliver, memory, script};

/// The gates' answer.
pub(super) enum Verdict {
    /// Execute it.
    Pass,
    /// Keep it for EXEC.
    Queue,
    /// The server is paused: offer it again later.
    Postpone,
    /// The client was closed meanwhile.
    Stop,
    /// Tell the client.
    Refuse(CommandError),
}

/// Commands that run at once in MULTI.
const NEVER_QUEUED: [&str; 6] = ["exec", "discard", "multi", "watch", "quit", "reset"];

/// Passes a request through all gates.
#[inline]
pub(super) fn check(server: &mut Server, place: u32, id: CommandId, info: &CommandInfo, argv: &[&[u8]]) -> Verdict {
    if is_usual(server, place, info) { Verdict::Pass } else { check_each(server, place, id, argv) }
}

/// Do all gates stand open, as most of the time? Each of them is looked at here.
#[inline]
fn is_usual(server: &mut Server, place: u32, info: &CommandInfo) -> bool {
    const LOOKED_AT: ClientFlags =
        ClientFlags::AUTHENTICATED.or(ClientFlags::RESTRICTED).or(ClientFlags::MULTI).or(ClientFlags::CLOSING);
    let Some(client) = server.clients.at(place) else { return false };
    client.flags.of(LOOKED_AT) == ClientFlags::AUTHENTICATED
        && client.subscriptions.is_none()
        && !info.flags.has(Flags::ADMIN)
        && server.config.maxmemory == 0
        && server.tracking.clients == 0
        && server.scripting.parked.is_none()
        && server.persistence.loading.is_none()
        && !server.persistence.is_failing()
        && server.pause.until.is_none()
}

#[inline(never)]
fn check_each(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]]) -> Verdict {
    let info = server.commands.entry(id).info();
    let Some(client) = server.clients.at(place) else { return Verdict::Stop };
    let in_multi = client.flags.has(ClientFlags::MULTI);
    let is_restricted = client.flags.has(ClientFlags::RESTRICTED);
    let needs_authentication = needs_authentication(client, info);
    if let Some(error) =
        protected_command(server, place, id).or(needs_authentication).or_else(|| not_in_transaction(info, in_multi))
    {
        return Verdict::Refuse(error);
    }
    if is_restricted {
        let context = if in_multi { Context::Multi } else { Context::Toplevel };
        if let Some(error) = not_permitted(server, place, id, argv, context) {
            return Verdict::Refuse(error);
        }
    }
    // A script that is at work, or the transaction around it, is not to miss what it has seen.
    if server.config.maxmemory > 0 && server.scripting.parked.is_none() {
        server.eviction.is_exhausted = memory::make_room(server) == memory::Room::None;
        if server.eviction.is_exhausted && is_of_kind(server, place, id, argv, Flags::DENYOOM) {
            return Verdict::Refuse(CommandError::coded("OOM command not allowed when used memory > 'maxmemory'."));
        }
    }
    if server.tracking.clients > 0 {
        // Who caches a key that was evicted, or is no longer tracked, hears of it before the reply.
        tracking::forget_beyond_limit(server);
        deliver::after_command(server);
    }
    let Some(client) = server.clients.at(place) else { return Verdict::Stop };
    if client.flags.has(ClientFlags::CLOSING) {
        return Verdict::Stop;
    }
    if server.persistence.loading.is_some() && !info.flags.has(Flags::LOADING) {
        return Verdict::Refuse(CommandError::coded("LOADING Redis is loading the dataset in memory"));
    }
    if let Some(running) = &server.scripting.parked
        && !info.flags.has(Flags::ALLOW_BUSY)
    {
        return Verdict::Refuse(is_busy(running.request.kind));
    }
    if server.persistence.is_failing()
        && let Some(error) = cannot_persist(server, place, id, argv)
    {
        return Verdict::Refuse(error);
    }
    let Some(client) = server.clients.at(place) else { return Verdict::Stop };
    if let Some(error) = only_subscriptions(client, server.commands.entry(id).full_name.as_str()) {
        return Verdict::Refuse(error);
    }
    if server.pause.until.is_some() && is_paused(server, place, id, argv) {
        return Verdict::Postpone;
    }
    if in_multi && !NEVER_QUEUED.contains(&info.name) {
        return Verdict::Queue;
    }
    Verdict::Pass
}

#[inline]
fn needs_authentication(client: &Client, info: &CommandInfo) -> Option<CommandError> {
    (!client.is_authenticated() && !info.flags.has(Flags::NO_AUTH))
        .then(|| CommandError::coded("NOAUTH Authentication required."))
}

/// As `not_permitted`, for a request that was permitted once and waited.
#[inline]
pub(super) fn still_permitted(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]]) -> Option<CommandError> {
    let is_restricted = server.clients.at(place).is_some_and(|client| client.flags.has(ClientFlags::RESTRICTED));
    if is_restricted { not_permitted(server, place, id, argv, Context::Toplevel) } else { None }
}

/// What the rules of the client's user keep it from.
#[cold]
pub(super) fn not_permitted(
    server: &mut Server,
    place: u32,
    id: CommandId,
    argv: &[&[u8]],
    context: Context,
) -> Option<CommandError> {
    let denied = permission::check(server, place, id, argv).err()?;
    permission::note_denied(server, place, id, argv, denied, context);
    let user = server.clients.at(place).map(|client| client.user.clone()).unwrap_or_default();
    Some(permission::refusal(server, &user, id, denied))
}

/// DEBUG only where the operator allows it.
#[inline]
fn protected_command(server: &mut Server, place: u32, id: CommandId) -> Option<CommandError> {
    let entry = server.commands.entry(id);
    if !entry.info().flags.has(Flags::ADMIN) || !entry.full_name.starts_with("debug") {
        return None;
    }
    let allowed = match server.config.enable_debug_command {
        crate::config::ProtectedFrom::Yes => true,
        crate::config::ProtectedFrom::No => false,
        crate::config::ProtectedFrom::Local => server.clients.at(place).is_some_and(|client| client.is_local()),
    };
    (!allowed).then(|| {
        CommandError::err(
            "DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a \
             local connection, otherwise you need to set this option in the configuration file, and then restart the \
             server.",
        )
    })
}

#[inline]
fn not_in_transaction(info: &CommandInfo, in_multi: bool) -> Option<CommandError> {
    (in_multi && info.flags.has(Flags::NO_MULTI)).then(|| CommandError::err("Command not allowed inside a transaction"))
}

/// Is this a request of such a kind, or an EXEC with one that is?
fn is_of_kind(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]], kind: Flags) -> bool {
    let info = server.commands.entry(id).info();
    if info.name != "exec" {
        return script::admission_flags(server, info, argv).has(kind);
    }
    any_queued(server, place, |server, info, argv| script::admission_flags(server, info, argv).has(kind))
}

/// After a failed save, or while the append-only file cannot be written, no more is written that could not be kept either;
/// PING tells of it too.
#[cold]
fn cannot_persist(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]]) -> Option<CommandError> {
    let refusal = disk_refusal(server)?;
    let is_ping = server.commands.entry(id).info().name == "ping";
    (is_ping || is_of_kind(server, place, id, argv, Flags::WRITE)).then_some(refusal)
}

/// Why nothing may be written that could not be kept, if that is so.
#[cold]
pub(super) fn disk_refusal(server: &Server) -> Option<CommandError> {
    let persistence = &server.persistence;
    let stops_writes = server.config.stop_writes_on_bgsave_error && !server.config.save.0.is_empty();
    let is_rdb = !persistence.last_bgsave_ok && stops_writes;
    if !is_rdb {
        return append_only_refusal(server);
    }
    Some(CommandError::coded(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that \
             may modify the data set are disabled, because this instance is configured to report errors during writes if RDB \
             snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB \
             error.",
    ))
}

/// The same of the append-only file alone.
#[cold]
pub(super) fn append_only_refusal(server: &Server) -> Option<CommandError> {
    let why = server.persistence.aof.refusal()?;
    Some(CommandError::coded(format!("MISCONF Errors writing to the AOF file: {why}")))
}

/// The answer to almost everything while a script takes too long.
pub fn is_busy(kind: Kind) -> CommandError {
    CommandError::coded(match kind {
        Kind::Eval => "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        Kind::Functions => "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
    })
}

/// A RESP2 subscriber reads messages, not replies.
#[inline]
fn only_subscriptions(client: &Client, name: &str) -> Option<CommandError> {
    const ALLOWED: [&str; 9] = [
        "subscribe",
        "unsubscribe",
        "psubscribe",
        "punsubscribe",
        "ssubscribe",
        "sunsubscribe",
        "ping",
        "quit",
        "reset",
    ];
    if client.proto == Proto::Resp3 || client.subscriptions.is_none() || !client.is_subscriber() {
        return None;
    }
    (!ALLOWED.contains(&name)).then(|| {
        CommandError::err(format!(
            "Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this \
             context"
        ))
    })
}

/// Does CLIENT PAUSE hold this request back?
fn is_paused(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]]) -> bool {
    if server.pause.until.is_none_or(|until| server.now.mono >= until) {
        return false;
    }
    let info = server.commands.entry(id).info();
    let Some(client) = server.clients.at(place) else { return false };
    let in_multi = client.flags.has(ClientFlags::MULTI);
    if in_multi && info.name != "exec" {
        return false;
    }
    if !server.pause.writes_only {
        // Nothing ends such a pause before its time: CLIENT UNPAUSE is held back too.
        return true;
    }
    if info.name != "exec" {
        return leaves_something(server, info, argv);
    }
    any_queued(server, place, leaves_something)
}

/// May a command leave something behind? Publishing, and caching a cardinality, are no writes and yet do.
pub(super) fn leaves_something(server: &Server, info: &CommandInfo, argv: &[&[u8]]) -> bool {
    if info.flags.has(Flags::SCRIPT_RUNNER) {
        return !info.flags.has(Flags::READONLY) && !script::only_reads(server, info.name, argv);
    }
    info.flags.has(Flags::WRITE) || matches!(info.name, "publish" | "spublish" | "pfcount")
}

/// Is any of the commands that the client queued such a one?
fn any_queued(server: &mut Server, place: u32, is_such: impl Fn(&Server, &CommandInfo, &[&[u8]]) -> bool) -> bool {
    let Some(multi) = server.clients.at(place).and_then(|client| client.multi.take()) else { return false };
    let any = multi.queue.iter().any(|queued| {
        let argv: Vec<&[u8]> = queued.argv.iter().map(Vec::as_slice).collect();
        is_such(server, server.commands.entry(queued.id).info(), &argv)
    });
    if let Some(client) = server.clients.at(place) {
        client.multi = Some(multi);
    }
    any
}
