//! Calling a command: freeze the time, run the handler, time it, count it, keep what it leaves behind.

use crate::resp::output::Mark;
use crate::resp::{CommandError, Output, Reply};
use crate::server::blocking::Block;
use crate::server::commandlog::{self, LogEntry, LogKind};
use crate::server::context::BigArg;
use crate::server::scripting::CallBefore;
use crate::server::wake::{wait_for_freeing, wait_for_orders, write_timeout};
use crate::server::{
    ClientFlags, CommandId, DataContext, Handler, Outcome, Server, ServerContext, TimeoutReply, messages, tracking,
};
use crate::spec::Flags;

use super::{appending, deliver, saving, script, write_error};

/// Commands that monitors do not see, or see by other means.
const UNSHOWN: Flags = Flags::SKIP_MONITOR.or(Flags::ADMIN);

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A client, directly.
    Client,
    /// EXEC: the command may not wait.
    Transaction,
    /// A client that waited, served by a key.
    Unblocked,
    /// A script: the reply is for it, and may not wait.
    Script,
}

/// How the call ended.
#[derive(Debug)]
pub(super) enum Called {
    /// The reply (or error) is written.
    Done,
    /// The client wants to wait.
    Block(Box<Block>),
    /// EXEC.
    RunQueued,
    /// A script goes on in later turns, and the command ends with it.
    Parked,
}

/// Runs one command for the client at `place`.
pub(super) fn call(
    server: &mut Server,
    place: u32,
    id: CommandId,
    argv: &[&[u8]],
    bigs: &[BigArg],
    mode: Mode,
) -> Called {
    let command = server.commands.entry(id).command;
    let Some(client) = server.clients.at(place) else { return Called::Done };
    client.last_command = Some(id);
    let (client_id, db, proto, flags) = (client.id, client.db, client.proto, client.flags);
    let (out_before, position) = (client.out.len(), client.out.position());
    let deny_blocking = mode == Mode::Transaction || flags.has(ClientFlags::DENY_BLOCKING);
    let reads_every_key = !flags.has(ClientFlags::RESTRICTED)
        || server.acl.user(&client.user).is_some_and(crate::acl::User::reads_every_key);
    let muted = flags.has(ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP));
    let mut refusable = None;
    if server.keyspace.unsynced.is_active() && mode != Mode::Script {
        server.keyspace.unsynced.take_seen();
        refusable = server.persistence.aof.refusal().filter(|_| !muted).map(|_| client.out.mark());
    }
    let mut dirty_before = server.keyspace.dirty;
    server.keyspace.now = server.now.unix();
    server.keyspace.no_touch = flags.has(ClientFlags::NO_TOUCH) && command.info.name != "touch";
    let start_us = server.host.mono_us();
    let mut silent = muted.then(Output::default);
    let mut result = match command.handler {
        Handler::Data(run) => {
            let out = silent.as_mut().unwrap_or(&mut client.out);
            run(&mut DataContext {
                db: server.keyspace.db(db),
                argv,
                reply: Reply::new(out, proto),
                now: server.now.unix(),
                config: &server.config,
                deny_blocking,
                reads_every_key,
                debug: &server.debug,
                propagation: &mut server.propagation,
                bigs,
            })
        }
        Handler::Server(run) | Handler::ContainerOr(_, run) => {
            // The client's output is lent to the reply, since the handler may look at any client.
            let mut out = std::mem::take(&mut client.out);
            let now = server.now;
            let reply = Reply::new(silent.as_mut().unwrap_or(&mut out), proto);
            let mut cx = ServerContext { server, client: client_id, argv, reply, now, command: id, deny_blocking };
            let result = run(&mut cx);
            if let Some(client) = server.clients.at(place) {
                // What others sent to this client meanwhile comes after its reply.
                let mut others = std::mem::replace(&mut client.out, out);
                if let Some(silent) = &mut silent
                    && !client.flags.has(ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP))
                {
                    // CLIENT REPLY ON is the first to be answered again.
                    client.out.append(silent);
                }
                if !others.is_empty() {
                    client.out.append(&mut others);
                }
            }
            result
        }
        Handler::Container(_) => Err(CommandError::Arity(command.info.name.into())),
    };
    let (mut failed, mut wrote) = (result.is_err(), false);
    if let Ok(Outcome::RunScript(_)) = result {
        let offset_before = server.propagation.offset();
        let before =
            CallBefore { id, argv: Vec::new(), db, start_us, out_bytes: out_before, position, offset: offset_before };
        match run_script(server, place, argv, mode, before, &mut result) {
            script::Ran::Parked => return Called::Parked,
            script::Ran::Done { failed: has_failed } => failed = has_failed,
        }
        // What its commands changed is gathered already; of the script itself nothing is repeated.
        dirty_before = server.keyspace.dirty;
        wrote = server.propagation.offset() != offset_before;
    }
    server.clock_us = server.host.mono_us();
    let us = server.clock_us - start_us;
    let mut called = finish(server, place, result, deny_blocking);
    let mut refused = false;
    if server.keyspace.unsynced.is_active() {
        if command.info.keys.is_empty() && command.info.flags.has(Flags::READONLY) {
            server.keyspace.unsynced.see_all();
        }
        let changed = wrote || server.keyspace.dirty != dirty_before || server.keyspace.events.has_vanished();
        let mark = refusable.filter(|_| matches!(called, Called::Done | Called::Block(_)));
        refused = mark.is_some_and(|mark| appending::refuse_unsynced(server, place, mark, changed));
        if refused {
            // Whoever would have waited is answered.
            called = Called::Done;
        }
    }
    let request = argv;
    let shown = if server.redacted.is_empty() { Vec::new() } else { shown_argv(server, argv) };
    let argv = if shown.is_empty() { argv } else { &shown };
    let is_shown = mode != Mode::Unblocked && !matches!(called, Called::RunQueued);
    if !server.monitors.is_empty() && is_shown && !command.info.flags.has(UNSHOWN) {
        let writes = command.info.flags.has(Flags::WRITE);
        let after = if writes { server.persistence.aof.epoch } else { messages::known_to(server, place) };
        deliver::feed_monitors(server, place, db, argv, after);
    }
    if matches!(called, Called::Block(_)) {
        // Who waits may have left something behind nonetheless: the name of a consumer.
        if server.keyspace.dirty != dirty_before {
            deliver::propagate(server, db, request, false);
        }
        return called;
    }
    if flags.has(ClientFlags::TRACKING) {
        deliver::tell_trackers(server, Some(client_id));
        tracking::note_command(server, place, id, request);
    }
    count(server, place, id, argv, us, failed || refused, out_before);
    if server.keyspace.dirty != dirty_before || server.propagation.enabled {
        wrote |= deliver::propagate(server, db, request, server.keyspace.dirty != dirty_before && !failed);
        if wrote && let Some(client) = server.clients.at(place) {
            client.write_offset = server.propagation.offset();
        }
    }
    // Of a transaction each command has a reply of its own, and what nobody reads waits for nothing.
    let is_told = mode != Mode::Script && !refused && (wrote || !muted) && !matches!(called, Called::RunQueued);
    if server.keyspace.unsynced.is_active() && is_told {
        appending::hold_reply(server, place, position, wrote);
    }
    called
}

/// Runs the script that a handler asked for, and puts what it came to in the place of its outcome.
#[cold]
#[inline(never)]
fn run_script(
    server: &mut Server,
    place: u32,
    argv: &[&[u8]],
    mode: Mode,
    before: CallBefore,
    result: &mut Result<Outcome, CommandError>,
) -> script::Ran {
    let Ok(Outcome::RunScript(request)) = std::mem::replace(result, Ok(Outcome::Done)) else {
        return script::Ran::Done { failed: false };
    };
    // Monitors see it before what it runs.
    if !server.monitors.is_empty() {
        let after = messages::known_to(server, place);
        deliver::feed_monitors(server, place, before.db, argv, after);
    }
    let id = before.id;
    let may_park = mode != Mode::Unblocked;
    match script::run(server, place, *request, may_park.then_some((before, argv))) {
        Ok(ran) => {
            if matches!(ran, script::Ran::Done { .. })
                && let Some(client) = server.clients.at(place)
            {
                client.last_command = Some(id);
            }
            ran
        }
        Err(error) => {
            *result = Err(error);
            script::Ran::Done { failed: true }
        }
    }
}

/// Ends the command that ran a script which was parked: what `call` does when a command is done. Its reply begins at `mark`.
pub(super) fn end_script(server: &mut Server, place: u32, before: &CallBefore, mark: Mark, failed: bool) {
    server.clock_us = server.host.mono_us();
    let us = server.clock_us.saturating_sub(before.start_us);
    let argv: Vec<&[u8]> = before.argv.iter().map(Vec::as_slice).collect();
    let mut muted = false;
    if let Some(client) = server.clients.at(place) {
        client.last_command = Some(before.id);
        muted = client.flags.has(ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP));
    }
    finish(server, place, Ok(Outcome::Done), false);
    let is_active = server.keyspace.unsynced.is_active();
    let is_refusable = is_active && !muted && server.persistence.aof.refusal().is_some();
    let changed = server.propagation.offset() != before.offset || server.keyspace.events.has_vanished();
    let refused = is_refusable && appending::refuse_unsynced(server, place, mark, changed);
    count(server, place, before.id, &argv, us, failed || refused, before.out_bytes);
    deliver::propagate(server, before.db, &argv, false);
    let wrote = server.propagation.offset() != before.offset;
    if wrote && let Some(client) = server.clients.at(place) {
        client.write_offset = server.propagation.offset();
    }
    if is_active && !refused && (wrote || !muted) {
        appending::hold_reply(server, place, before.position, wrote);
    }
}

/// Runs one command of an append-only file as the client at `place`: nobody sees it, it leaves nothing behind but its change.
///
/// # Errors
/// What a client would read.
pub(super) fn replay(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]]) -> Result<(), CommandError> {
    let command = server.commands.entry(id).command;
    let Some(client) = server.clients.at(place) else { return Ok(()) };
    let (client_id, db, proto) = (client.id, client.db, client.proto);
    let mut silent = Output::default();
    let reply = Reply::new(&mut silent, proto);
    let result = match command.handler {
        Handler::Data(run) => run(&mut DataContext {
            db: server.keyspace.db(db),
            argv,
            reply,
            now: server.now.unix(),
            config: &server.config,
            deny_blocking: true,
            reads_every_key: true,
            debug: &server.debug,
            propagation: &mut server.propagation,
            bigs: &[],
        }),
        Handler::Server(run) | Handler::ContainerOr(_, run) => {
            let now = server.now;
            run(&mut ServerContext { server, client: client_id, argv, reply, now, command: id, deny_blocking: true })
        }
        Handler::Container(_) => Err(CommandError::Arity(command.info.name.into())),
    };
    // Files of servers that repeat scripts as such hold them.
    if let Outcome::RunScript(request) = result? {
        script::run(server, place, *request, None)?;
    }
    Ok(())
}

/// The request without what must not be seen.
#[cold]
fn shown_argv<'a>(server: &mut Server, argv: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut shown = argv.to_vec();
    for index in std::mem::take(&mut server.redacted) {
        if let Some(arg) = shown.get_mut(index) {
            *arg = b"(redacted)";
        }
    }
    shown
}

#[inline]
fn finish(server: &mut Server, place: u32, result: Result<Outcome, CommandError>, deny_blocking: bool) -> Called {
    let called = match result {
        Ok(Outcome::Done) => Called::Done,
        other => finish_otherwise(server, place, other, deny_blocking),
    };
    // CLIENT REPLY SKIP mutes the reply of the next command, once.
    const SKIPS: ClientFlags = ClientFlags::REPLY_SKIP.or(ClientFlags::REPLY_SKIP_NEXT);
    if let Some(client) = server.clients.at(place)
        && client.flags.has(SKIPS)
    {
        let skips_next = client.flags.has(ClientFlags::REPLY_SKIP_NEXT);
        let flags = client.flags.without(SKIPS);
        client.flags = if skips_next { flags.or(ClientFlags::REPLY_SKIP) } else { flags };
    }
    called
}

/// What the end of a call that is no plain success comes to.
#[inline(never)]
fn finish_otherwise(
    server: &mut Server,
    place: u32,
    result: Result<Outcome, CommandError>,
    deny_blocking: bool,
) -> Called {
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => {
            write_error(server, place, &error.to_string());
            return Called::Done;
        }
    };
    let mut called = Called::Done;
    match outcome {
        Outcome::Done => {}
        Outcome::Block(block) if deny_blocking => write_timeout(server, place, block.timeout_reply),
        Outcome::Block(block) => called = Called::Block(block),
        Outcome::WhenFreed => wait_for_freeing(server, place),
        Outcome::WhenCarriedOut(_) if deny_blocking => write_timeout(server, place, TimeoutReply::CarriedOut),
        Outcome::WhenCarriedOut(orders) => wait_for_orders(server, place, orders),
        Outcome::RunQueued => called = Called::RunQueued,
        Outcome::RunScript(_) => {}
        Outcome::Close => {
            if let Some(client) = server.clients.at(place) {
                client.flags = client.flags.or(ClientFlags::CLOSE_AFTER_REPLY);
                let id = client.id;
                server.close_client(id, true);
            }
        }
        Outcome::Shutdown(request) => {
            if saving::prepare_shutdown(server, request) {
                server.shutdown = Some(request);
            } else {
                write_error(server, place, "ERR Errors trying to SHUTDOWN. Check logs.");
            }
        }
    }
    called
}

#[inline(always)]
fn count(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]], us: u64, failed: bool, out_before: usize) {
    server.stats.total_commands_processed += 1;
    if let Some(client) = server.clients.at(place) {
        client.commands_processed += 1;
    }
    server.stats.eventloop_duration_cmd_sum_us += us;
    let tracking = server.config.latency_tracking;
    let entry = server.commands.entry_mut(id);
    let info = entry.info();
    entry.stats.calls += 1;
    entry.stats.usec += us;
    if failed {
        entry.stats.failed_calls += 1;
    }
    if tracking {
        entry.stats.histogram.get_or_insert_default().record(us * 1000);
    }
    let config = &server.config;
    if config.latency_monitor_threshold > 0 {
        let event = if info.flags.has(Flags::FAST) { "fast-command" } else { "command" };
        let threshold = config.latency_monitor_threshold as u64;
        server.latency.add_if_slow(event, us / 1000, threshold, server.now.unix().seconds());
    }
    if info.flags.has(Flags::SKIP_SLOWLOG) {
        return;
    }
    let config = &server.config;
    let is_slow = config.slowlog_log_slower_than >= 0 && us >= config.slowlog_log_slower_than as u64;
    let Some(client) = server.clients.at(place) else { return };
    let reply_bytes = client.out.len().saturating_sub(out_before);
    let is_large =
        config.commandlog_reply_larger_than >= 0 && reply_bytes as u64 >= config.commandlog_reply_larger_than as u64;
    let request_bytes: usize =
        if config.commandlog_request_larger_than >= 0 { argv.iter().map(|arg| arg.len()).sum() } else { 0 };
    let is_long = config.commandlog_request_larger_than >= 0
        && request_bytes as u64 >= config.commandlog_request_larger_than as u64;
    if is_slow || is_large || is_long {
        log_command(server, place, argv, [us, request_bytes as u64, reply_bytes as u64]);
    }
}

#[cold]
fn log_command(server: &mut Server, place: u32, argv: &[&[u8]], values: [u64; 3]) {
    let Some(client) = server.clients.at(place) else { return };
    let (addr, name) = (client.addr.clone(), client.name.clone());
    let time = server.now.unix().seconds();
    let config = &server.config;
    let kinds = [
        (LogKind::Slow, config.slowlog_log_slower_than, config.slowlog_max_len),
        (LogKind::LargeRequest, config.commandlog_request_larger_than, config.commandlog_large_request_max_len),
        (LogKind::LargeReply, config.commandlog_reply_larger_than, config.commandlog_large_reply_max_len),
    ];
    let args_max = config.slowlog_entry_max_argc.max(1) as usize;
    let arg_bytes_max = usize::try_from(config.slowlog_entry_max_string_len).unwrap_or(0);
    for ((kind, threshold, len_max), value) in kinds.into_iter().zip(values) {
        server.commandlog.of(kind).add_if_over(threshold, len_max.max(0) as usize, value, || LogEntry {
            id: 0,
            time,
            value,
            argv: commandlog::abridged(argv, args_max, arg_bytes_max),
            client_addr: addr.clone(),
            client_name: name.clone(),
        });
    }
}
