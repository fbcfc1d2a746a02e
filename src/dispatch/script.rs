//! Running a script: what it may call, what it leaves behind, and what happens while it takes too long.
//!
//! A script that has run for `busy-reply-threshold` is parked: its Lua state is left standing in `server.scripting.parked`, the node goes on
//! with its turns, in which all but a few commands are refused, and each turn gives the script a slice of time.

use crate::acl::Context;
use crate::base::log;
use crate::base::shown::shown;
use crate::resp::{CommandError, Output, Reply};
use crate::scripting::{Call, End, Kind, ScriptFlags, Sha, Shebang, Step, Words};
use crate::server::scripting::{CallBefore, ClientBefore, Remaining, Running, ScriptRequest};
use crate::server::{ClientFlags, CommandId, Server, permission};
use crate::spec::{CommandInfo, Flags};

use super::call::{self, Mode};
use super::{deliver, gates, lookup_command, memory, transaction, write_error};

/// Microseconds that a parked script gets in each turn.
const SLICE_US: u64 = 1000;

/// How running a script ended.
pub(super) enum Ran {
    /// Its reply is written, or its error; did it fail?
    Done { failed: bool },
    /// It takes too long and goes on in later turns.
    Parked,
}

/// Runs a script for the client at `place`. With `call` it may be parked, and the command that runs it ends later.
///
/// # Errors
/// Why it may not run.
pub(super) fn run(
    server: &mut Server,
    place: u32,
    request: ScriptRequest,
    call: Option<(CallBefore, &[&[u8]])>,
) -> Result<Ran, CommandError> {
    let is_out_of_memory = memory::is_exhausted(server);
    may_begin(server, &request, is_out_of_memory)?;
    let kind = request.kind;
    // One that may not begin is not used.
    if kind == Kind::Eval
        && let Some(sha) = Sha::parse(&request.run.id)
    {
        server.scripting.scripts.touch(&sha);
    }
    let Some(mut engine) = server.scripting.engine(kind).take() else {
        return Err(CommandError::err("There is no Lua state to run the script"));
    };
    let Some(client) = server.clients.at(place) else { return Ok(Ran::Done { failed: false }) };
    let before =
        ClientBefore { db: client.db, proto: client.proto, flags: client.flags, out: std::mem::take(&mut client.out) };
    client.own_proto = Some(client.proto);
    client.flags = client.flags.or(ClientFlags::DENY_BLOCKING).or(ClientFlags::SCRIPT).without(
        // What the script's commands answer is for the script.
        ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP).or(ClientFlags::REPLY_SKIP_NEXT),
    );
    let client = client.id;
    let step = engine.start(request.run.clone());
    let is_read_only = request.by_read_only || request.flags.is_some_and(|flags| flags.has(ScriptFlags::NO_WRITES));
    let may_park = call.is_some();
    let running = Box::new(Running {
        is_read_only,
        is_out_of_memory,
        request,
        engine,
        client,
        before,
        now: server.now,
        started_us: server.host.mono_us(),
        has_written: false,
        is_slow: false,
        killed: None,
        is_told: false,
        step,
        call: None,
        remaining: None,
        unit: None,
        seen: 0,
        is_orphan: false,
    });
    match drive(server, place, running, may_park) {
        Driven::Ended(running, end) => Ok(Ran::Done { failed: finish(server, place, *running, end).0 }),
        Driven::Parked(mut running) => {
            running.unit = server.propagation.suspend_unit();
            running.seen = server.keyspace.unsynced.take_seen();
            running.call = call.map(|(call, argv)| CallBefore { argv: owned(argv), ..call });
            server.scripting.parked = Some(running);
            Ok(Ran::Parked)
        }
    }
}

fn owned(argv: &[&[u8]]) -> Vec<Vec<u8>> {
    argv.iter().map(|arg| arg.to_vec()).collect()
}

/// What keeps a script from beginning, by what it says of itself.
fn may_begin(server: &mut Server, request: &ScriptRequest, is_out_of_memory: bool) -> Result<(), CommandError> {
    let Some(flags) = request.flags else { return Ok(()) };
    if !flags.has(ScriptFlags::NO_WRITES) {
        if request.by_read_only {
            return Err(CommandError::err("Can not execute a script with write flag using *_ro command."));
        }
        if server.persistence.is_failing()
            && let Some(error) = gates::disk_refusal(server)
        {
            return Err(error);
        }
        if is_out_of_memory && !flags.has(ScriptFlags::ALLOW_OOM) {
            return Err(CommandError::coded(
                "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
            ));
        }
    }
    Ok(())
}

enum Driven {
    Ended(Box<Running>, End),
    Parked(Box<Running>),
}

/// Goes on with a script until it ends, or has run too long, or has used up its slice of the turn.
fn drive(server: &mut Server, place: u32, mut running: Box<Running>, may_park: bool) -> Driven {
    let mut turn = server.now;
    server.now = running.now;
    let slice_start = server.host.mono_us();
    // Whoever was parked gets on by a tick at least.
    let mut is_resumed = running.is_slow;
    let driven = loop {
        running.step = match std::mem::replace(&mut running.step, Step::Tick) {
            Step::End(end) => break Driven::Ended(running, end),
            Step::Call(call) => {
                let reply = call_command(server, place, &mut running, call);
                // Time stands still for the script also if a command let it pass.
                turn = turn.plus_us(server.now.mono.since(running.now.mono));
                server.now = running.now;
                running.engine.answer(reply)
            }
            Step::MayCall(call) => running.engine.permit(may_call(server, place, &call)),
            Step::Tick => {
                if let Some(why) = running.killed.filter(|_| !running.is_told) {
                    running.is_told = true;
                    running.engine.kill(why)
                } else if std::mem::take(&mut is_resumed) {
                    running.engine.go_on()
                } else if may_park && takes_too_long(server, &mut running, slice_start) {
                    running.step = Step::Tick;
                    break Driven::Parked(running);
                } else {
                    running.engine.go_on()
                }
            }
        };
    };
    server.now = turn;
    server.keyspace.now = turn.unix();
    driven
}

fn takes_too_long(server: &mut Server, running: &mut Running, slice_start: u64) -> bool {
    let now = server.host.mono_us();
    if running.is_slow {
        return now.saturating_sub(slice_start) >= SLICE_US;
    }
    let elapsed_ms = now.saturating_sub(running.started_us) / 1000;
    if (elapsed_ms as i64) < server.config.busy_reply_threshold {
        return false;
    }
    running.is_slow = true;
    let (what, how) = match running.request.kind {
        Kind::Eval => ("script", "SCRIPT KILL"),
        Kind::Functions => ("script", "FUNCTION KILL"),
    };
    log::warning(&format!(
        "Slow {what} detected: still in execution after {elapsed_ms} milliseconds. You can try killing the script using the \
         {how} command. Script name is: {}.",
        shown(&running.request.run.id)
    ));
    true
}

/// Ends a script: the client is as before, and reads the reply. Did it fail, and is the client gone meanwhile?
fn finish(server: &mut Server, place: u32, running: Running, end: End) -> (bool, bool) {
    let Running { request, engine, client: id, before, is_orphan, .. } = running;
    *server.scripting.engine(request.kind) = Some(engine);
    let Some(client) = server.clients.at(place).filter(|client| client.id == id) else { return (true, true) };
    client.db = before.db;
    client.proto = before.proto;
    client.own_proto = None;
    let own = ClientFlags::DENY_BLOCKING
        .or(ClientFlags::SCRIPT)
        .or(ClientFlags::REPLY_OFF)
        .or(ClientFlags::REPLY_SKIP)
        .or(ClientFlags::REPLY_SKIP_NEXT);
    client.flags = client.flags.without(own).or(ClientFlags(before.flags.0 & own.0));
    client.out = before.out;
    let is_muted = client.flags.has(ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP));
    let failed = matches!(end, End::Failed { .. });
    match end {
        End::Reply(bytes) if !is_muted => Reply::new(&mut client.out, client.proto).raw(&bytes),
        End::Failed { line, is_counted: false } => write_error(server, place, &shown(&line)),
        End::Failed { line, .. } if !is_muted => Reply::new(&mut client.out, client.proto).error(&shown(&line)),
        _ => {}
    }
    if let Some(client) = server.clients.at(place)
        && !client.flags.has(ClientFlags::DENY_BLOCKING)
        && let Some(mut deferred) = client.deferred.take()
    {
        client.out.append(&mut deferred);
    }
    (failed, is_orphan)
}

/// Does the script that a request names say that it only reads?
pub(super) fn only_reads(server: &Server, command: &str, argv: &[&[u8]]) -> bool {
    declared_flags(server, command, argv).is_some_and(|flags| flags.has(ScriptFlags::NO_WRITES))
}

/// What the script that a request names says of itself.
fn declared_flags(server: &Server, command: &str, argv: &[&[u8]]) -> Option<ScriptFlags> {
    let named = argv.get(1)?;
    match command {
        "eval" | "eval_ro" => Shebang::of_script(named).ok()?.flags,
        "evalsha" | "evalsha_ro" => server.scripting.scripts.get(&Sha::parse(named)?)?.shebang.flags,
        _ => Some(server.scripting.libraries.function(named)?.flags),
    }
}

/// The flags by which a request is admitted: those of its command, or what the script that it runs says of itself.
pub(super) fn admission_flags(server: &Server, info: &CommandInfo, argv: &[&[u8]]) -> Flags {
    if !info.flags.has(Flags::SCRIPT_RUNNER) {
        return info.flags;
    }
    let Some(declared) = declared_flags(server, info.name, argv) else { return info.flags };
    if declared.has(ScriptFlags::NO_WRITES) {
        info.flags
    } else if declared.has(ScriptFlags::ALLOW_OOM) {
        info.flags.or(Flags::WRITE)
    } else {
        info.flags.or(Flags::WRITE).or(Flags::DENYOOM)
    }
}

/// Gives the parked script its slice of the turn. Returns the client whose script ended, and whether it is gone.
pub fn go_on(server: &mut Server) -> Option<(crate::server::ClientId, bool)> {
    let running = server.scripting.parked.take()?;
    let id = running.client;
    let Some(place) = server.clients.place(id) else { return Some((id, true)) };
    server.propagation.resume_unit(running.unit);
    server.keyspace.unsynced.resume_seen(running.seen);
    let (mut running, end) = match drive(server, place, running, true) {
        Driven::Parked(mut running) => {
            running.unit = server.propagation.suspend_unit();
            running.seen = server.keyspace.unsynced.take_seen();
            server.scripting.parked = Some(running);
            return None;
        }
        Driven::Ended(running, end) => (running, end),
    };
    let (before, remaining) = (running.call.take(), running.remaining.take());
    let mark = running.before.out.mark();
    let (failed, is_orphan) = finish(server, place, *running, end);
    if let Some(before) = before {
        call::end_script(server, place, &before, mark, failed);
    }
    if let Some(remaining) = remaining
        && !transaction::go_on(server, place, remaining)
    {
        return None;
    }
    server.propagation.end_unit();
    deliver::after_command(server);
    Some((id, is_orphan))
}

/// Keeps what an EXEC has left to do until the script that it runs has ended.
pub(super) fn leave_remaining(server: &mut Server, remaining: Remaining) {
    if let Some(running) = &mut server.scripting.parked {
        running.remaining = Some(remaining);
    }
}

/// A refusal as a reply, counted among the error replies.
fn refused(server: &mut Server, error: &CommandError) -> Vec<u8> {
    let line = error.to_string();
    server.stats.count_error(&line);
    let mut out = Output::default();
    Reply::new(&mut out, crate::resp::Proto::Resp2).error(&line);
    out.to_vec()
}

/// Executes a command for a script. Returns its reply.
fn call_command(server: &mut Server, place: u32, running: &mut Running, call: Call) -> Vec<u8> {
    let argv: Vec<&[u8]> = call.argv.iter().map(Vec::as_slice).collect();
    let id = match may_execute(server, place, running, &argv, call.words) {
        Ok(id) => id,
        Err((id, error)) => {
            if let Some(id) = id {
                server.commands.entry_mut(id).stats.rejected_calls += 1;
            }
            return refused(server, &error);
        }
    };
    if server.commands.entry(id).info().flags.has(Flags::WRITE) {
        running.has_written = true;
    }
    let Some(client) = server.clients.at(place) else { return Vec::new() };
    client.proto = call.proto;
    let is_enabled = server.propagation.enabled;
    server.propagation.enabled = is_enabled && call.is_repeated;
    server.keyspace.for_script = true;
    call::call(server, place, id, &argv, &[], Mode::Script);
    server.keyspace.for_script = false;
    server.propagation.enabled = is_enabled;
    let Some(client) = server.clients.at(place) else { return Vec::new() };
    std::mem::take(&mut client.out).to_vec()
}

type Refusal = (Option<CommandId>, CommandError);

/// The command that a script calls, if it may be executed.
fn may_execute(
    server: &mut Server,
    place: u32,
    running: &Running,
    argv: &[&[u8]],
    words: Words,
) -> Result<CommandId, Refusal> {
    let Ok(id) = lookup_command(server, argv) else {
        return Err((None, CommandError::err(words.unknown_command())));
    };
    let info = server.commands.entry(id).info();
    let refuse = |text: &'static str| Err((Some(id), CommandError::err(text)));
    if !info.arity.allows(argv.len()) {
        return refuse(words.wrong_arity());
    }
    if info.flags.has(Flags::NOSCRIPT) && !server.debug.disable_deny_scripts {
        return refuse(words.not_allowed());
    }
    if server.persistence.loading.is_some() {
        return Ok(id);
    }
    if server.clients.at(place).is_some_and(|client| client.flags.has(ClientFlags::RESTRICTED))
        && let Err(denied) = permission::check(server, place, id, argv)
    {
        permission::note_denied(server, place, id, argv, denied, Context::Lua);
        let user = server.clients.at(place).map(|client| client.user.clone()).unwrap_or_default();
        let line = permission::refusal(server, &user, id, denied).to_string();
        let why = line.strip_prefix("NOPERM ").unwrap_or(&line);
        return Err((Some(id), CommandError::err(format!("ACL failure in script: {why}"))));
    }
    if running.is_read_only && gates::leaves_something(server, info, argv) {
        return refuse("Write commands are not allowed from read-only scripts.");
    }
    if info.flags.has(Flags::WRITE)
        && server.persistence.is_failing()
        && let Some(error) = gates::disk_refusal(server)
    {
        return Err((Some(id), error));
    }
    let may_grow = running.request.flags.is_some_and(|flags| flags.has(ScriptFlags::ALLOW_OOM)) || running.has_written;
    if info.flags.has(Flags::DENYOOM) && running.is_out_of_memory && !may_grow {
        let text = "OOM command not allowed when used memory > 'maxmemory'.";
        return Err((Some(id), CommandError::coded(text)));
    }
    Ok(id)
}

/// Might the client's user call this?
fn may_call(server: &mut Server, place: u32, call: &Call) -> Result<bool, String> {
    let argv: Vec<&[u8]> = call.argv.iter().map(Vec::as_slice).collect();
    let Ok(id) = lookup_command(server, &argv) else {
        return Err(format!("ERR Invalid command passed to {}.acl_check_cmd()", call.words.table()));
    };
    if !server.commands.entry(id).info().arity.allows(argv.len()) {
        return Err(format!("ERR Wrong number of args for {}.acl_check_cmd()", call.words.table()));
    }
    Ok(permission::check(server, place, id, &argv).is_ok())
}
