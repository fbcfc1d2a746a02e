//! The append-only file as the server sees it: takes each turn's commands on before replies go out, asks for syncs by
//! appendfsync, holds back what could still be lost, deals with a disk that fails.
//!
//! With `always` the replies of a turn that wrote wait for one sync, made by a background job, and so do replies that tell
//! of such a write to anybody else; all others go out. While a sync goes on, the turns that come form the next group.

use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

use crate::base::disk::{parent, reason};
use crate::base::log;
use crate::config::AppendFsync;
use crate::keyspace::CutSize;
use crate::persistence::aof::background::{Background, Order};
use crate::persistence::aof::manifest::Names;
use crate::persistence::aof::writer::Writer;
use crate::persistence::aof::{AofState, Trust};
use crate::persistence::rdb::save::FileSink;
use crate::persistence::rdb::writer::RdbWriter;
use crate::persistence::snapshot::PieceSink;
use crate::resp::output::Mark;
use crate::server::Server;
use crate::server::wake::{refuse_all_carried_out, wake_carried_out, wake_synced};

use super::{backup, gates, rewriting, saving, write_error};

/// A second: what `everysec` means, and between two attempts after a failure.
const SECOND_US: u64 = 1_000_000;
/// A sync under `always` waits this part of the last one's time, at most so long, for those who were just answered: all who
/// write are in one group then, instead of two that take turns.
const GATHERING_PART: u64 = 4;
const GATHERING_MAX_US: u64 = 1000;
/// A turn waits so long at most for the sync that it asked for under `always`, so that its replies go out with it: a disk may be
/// quicker than the way back through the poll, and than whoever else wants the processor.
const SYNC_WAIT_MAX_US: u64 = 300;
/// After a sync that took longer no turn waits for one, for so long; the more such syncs in a row, the longer.
const SYNC_WAIT_PAUSES_US: RangeInclusive<u64> = 1000..=128_000;
/// So long a write waits for a sync that goes on, as it could stall behind it.
const POSTPONE_US: u64 = 2 * SECOND_US;

/// The names that the configuration gives the files.
pub fn names(server: &Server) -> Names {
    let config = &server.config;
    Names::new(Path::new(config.appenddirname.display().as_ref()), &config.appendfilename.0)
}

/// Makes the directory of the files, and the job that syncs them, if they are not there.
pub(super) fn prepare(server: &mut Server) -> io::Result<()> {
    server.persistence.aof.names = names(server);
    let disk = server.host.disk();
    let dir = disk.absolute(server.persistence.aof.names.dir());
    let is_new = disk.create_dir(&dir).inspect_err(|error| {
        let dir = server.persistence.aof.names.dir().display();
        log::warning(&format!("Can't open or create append-only dir {dir}: {}", reason(error)));
    })?;
    start_background(server)?;
    if is_new {
        // Before any sync that it is asked for later: no file is safe in a directory that may be gone after a crash.
        server.persistence.aof.send(Order::SyncDir(parent(&dir).to_owned()));
    }
    Ok(())
}

/// Starts the jobs that do what may take long, if they are not there.
pub(super) fn start_background(server: &mut Server) -> io::Result<()> {
    if server.persistence.aof.background.is_none() {
        let (background, job, freeing) = Background::new(server.host.disk(), server.host.wake());
        server.host.spawn("aof", job)?;
        server.host.spawn("aof-free", freeing)?;
        server.persistence.aof.background = Some(background);
    }
    Ok(())
}

/// Goes on with the files that were loaded, or makes the first ones.
///
/// # Errors
/// Why they cannot be written.
pub fn open_at_start(server: &mut Server) -> io::Result<()> {
    prepare(server)?;
    let disk = server.host.disk();
    let mut manifest = std::mem::take(&mut server.persistence.aof.manifest);
    let names = server.persistence.aof.names.clone();
    let before = manifest.clone();
    if manifest.is_empty() {
        let is_rdb = server.config.aof_use_rdb_preamble;
        let name = manifest.new_base(&names, is_rdb);
        log::notice(&format!("Creating AOF base file {} on server start", String::from_utf8_lossy(&name)));
        let path = names.path(&name);
        if is_rdb {
            let size = CutSize { dbs: Vec::new(), has_field_expiry: false, has_stream_extras: false };
            let temp = names.path(&names.temp_manifest());
            let file = FileSink::new(disk.clone(), &temp, &path, false, server.host.breathe());
            RdbWriter::new(saving::rdb_options(server, size, true), Box::new(file)).finish()?;
        } else {
            disk.create(&path)?.sync()?;
        }
    }
    // What a process left that was killed may not have reached the disk; from here on it counts as if it had.
    manifest.files().try_for_each(|file| disk.sync(&names.path(&file.name)))?;
    let (file, len) = match manifest.incremental.last() {
        Some(last) => {
            log::notice(&format!("Opening AOF incr file {} on server start", String::from_utf8_lossy(&last.name)));
            let path = names.path(&last.name);
            let (file, len) = (disk.open_append(&path)?, disk.size(&path)?);
            server.propagation.resume(manifest.reopen_last_incremental(len));
            (file, len)
        }
        None => {
            let name = manifest.new_incremental(&names, server.propagation.offset());
            log::notice(&format!("Creating AOF incr file {} on server start", String::from_utf8_lossy(&name)));
            (disk.create(&names.path(&name))?, 0)
        }
    };
    if manifest != before {
        server.persistence.aof.new_manifest(&manifest, |path| disk.absolute(path)).persist(&*disk)?;
    }
    let others = manifest.incremental.len().saturating_sub(1);
    let sized = manifest.base.iter().chain(&manifest.incremental[..others]);
    let other_bytes = sized.filter_map(|file| disk.size(&names.path(&file.name)).ok()).sum();
    let aof = &mut server.persistence.aof;
    aof.manifest = manifest;
    aof.writer = Some(Writer::new(file, len));
    aof.other_bytes = other_bytes;
    aof.rewrite_base_bytes = aof.current_bytes();
    aof.state = AofState::On;
    aof.synced_offset = server.propagation.offset();
    aof.last_sync = server.now.mono;
    rewriting::remove_history(server);
    follow(server);
    Ok(())
}

/// Brings what depends on the state and on appendfsync in line with them.
pub fn follow(server: &mut Server) {
    let aof = &mut server.persistence.aof;
    let enabled = aof.writer.is_some();
    server.propagation.enabled = enabled;
    server.keyspace.events.propagate_vanished = enabled;
    let holds_back = aof.state == AofState::On || aof.turning_off.is_some();
    let always = holds_back && server.config.appendfsync == AppendFsync::Always;
    let is_clean = !aof.unsynced && aof.syncing_since.is_none() && aof.trust == Trust::Good;
    // Where nothing waits any more, what this turn wrote does not either.
    aof.released = match (always, is_clean) {
        (false, _) => aof.epoch,
        (true, true) => aof.epoch - 1,
        (true, false) => aof.released.min(aof.epoch - 1),
    };
    server.keyspace.unsynced.set_active(always, aof.epoch);
}

/// After a command of the client at `place`: its reply, which begins at `position`, waits if the command wrote, or saw
/// something that could still be lost. What it saw is what the keyspace noted: keys that were looked up, or all of them
/// (`Unsynced::see_all`), as every command does that reads and names no keys. What tells of the server and not of its data (INFO,
/// CONFIG, CLIENT, BGSAVE) sees nothing, and is answered at once; counts of keys in INFO and MEMORY STATS are gauges.
#[cold]
pub(super) fn hold_reply(server: &mut Server, place: u32, position: u64, wrote: bool) {
    let seen = server.keyspace.unsynced.take_seen();
    let until = if wrote { server.persistence.aof.epoch } else { seen };
    if until > 0 {
        server.hold_output(place, position, until);
    }
}

/// While the file cannot be written or synced nobody knows when what was seen will be safe: an error takes the place of a reply,
/// which begins at `mark`, that would have to wait. Returns whether it did. `changed`: the command did something itself, such
/// as meeting a key after its time.
#[cold]
pub(super) fn refuse_unsynced(server: &mut Server, place: u32, mark: Mark, changed: bool) -> bool {
    let seen = server.keyspace.unsynced.seen();
    let aof = &server.persistence.aof;
    let waits = changed || (seen > 0 && !aof.is_released(seen));
    let Some(error) = gates::append_only_refusal(server).filter(|_| waits) else { return false };
    if let Some(client) = server.clients.at(place) {
        client.out.truncate(mark);
    }
    write_error(server, place, &error.to_string());
    true
}

/// Takes on what the turn wrote, before its replies go out.
pub fn write_turn(server: &mut Server) {
    settle(server);
    gather(server);
    // Whom the last sync was for does not wait for the next one.
    release(server);
    flush(server, Postpone::Allowed);
    backup::seal_after_turn(server);
}

/// Waits a little for the sync that this turn asked for, if replies wait for it and the last ones were quick.
pub fn wait_for_quick_sync(server: &mut Server) {
    let now = server.now.mono;
    let aof = &server.persistence.aof;
    if server.held.is_empty() || aof.syncing_since != Some(now) || now < aof.slow_until {
        return;
    }
    let is_done = |server: &Server| server.persistence.aof.background.as_ref().is_none_or(|job| job.waiting() == 0);
    let start = server.host.mono_us();
    while !is_done(server) {
        let waited = server.host.mono_us().saturating_sub(start);
        if waited >= SYNC_WAIT_MAX_US {
            let aof = &mut server.persistence.aof;
            let pause = aof.sync_wait_pause_us.max(*SYNC_WAIT_PAUSES_US.start());
            aof.slow_until = now.plus_us(pause);
            aof.sync_wait_pause_us = (pause * 2).min(*SYNC_WAIT_PAUSES_US.end());
            return;
        }
        server.host.wait_for_jobs_at_most(SYNC_WAIT_MAX_US - waited);
    }
    server.persistence.aof.sync_wait_pause_us = 0;
    settle(server);
    release(server);
}

fn gather(server: &mut Server) {
    let aof = &mut server.persistence.aof;
    let (commands, marks) = server.propagation.gathered();
    if commands.is_empty() {
        if server.keyspace.unsynced.is_active() {
            server.keyspace.unsynced.forget_fresh();
        }
        return;
    }
    let takes_commands = aof.takes_commands();
    if let Some(writer) = aof.writer.as_mut().filter(|_| takes_commands) {
        let now = server.config.aof_timestamp_enabled.then_some(server.now.unix().seconds());
        writer.gather(commands, marks, now);
    }
    server.propagation.clear();
    aof.epoch += 1;
    server.keyspace.unsynced.end_epoch(aof.epoch);
}

/// May a write wait for a sync that goes on?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Postpone {
    Allowed,
    Never,
}

fn flush(server: &mut Server, postpone: Postpone) {
    let now = server.now.mono;
    let policy = server.config.appendfsync;
    let aof = &mut server.persistence.aof;
    let takes_commands = aof.takes_commands();
    let Some(writer) = aof.writer.as_mut().filter(|_| takes_commands) else { return };
    if writer.pending() == 0 {
        return sync_if_due(server);
    }
    if policy == AppendFsync::EverySec
        && let (Postpone::Allowed, Some(since)) = (postpone, aof.syncing_since)
    {
        if now.since(since) < POSTPONE_US {
            return;
        }
        aof.delayed_fsync += 1;
        log::notice(
            "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync \
             to complete, this may slow down the server.",
        );
    }
    let is_retry = matches!(aof.trust, Trust::WriteFailed(_));
    // A file that is to take a lost one's place counts for nothing yet: whether it can be written changes nothing of the loss.
    let is_lost = matches!(aof.trust, Trust::Lost(_));
    if (is_retry || is_lost) && postpone == Postpone::Allowed && now.since(aof.last_retry) < SECOND_US {
        return;
    }
    if server.debug.aof_flush_sleep_us > 0 {
        server.host.sleep_us(server.debug.aof_flush_sleep_us);
    }
    let start = server.host.mono_us();
    let result = writer.write();
    let ms = server.host.mono_us().saturating_sub(start) / 1000;
    let event = match (aof.syncing_since, &server.persistence.running) {
        (Some(_), _) => "aof-write-pending-fsync",
        (None, Some(_)) => "aof-write-active-child",
        (None, None) => "aof-write-alone",
    };
    let aof = &mut server.persistence.aof;
    let seconds = server.now.unix().seconds();
    let threshold = server.config.latency_monitor_threshold.max(0) as u64;
    server.latency.add_if_slow(event, ms, threshold, seconds);
    server.latency.add_if_slow("aof-write", ms, threshold, seconds);
    match result {
        Ok(()) => {
            if is_retry {
                log::warning("AOF write error looks solved. The server can write again.");
                aof.trust = Trust::Good;
            }
            aof.unsynced = true;
            aof.written_offset = server.propagation.offset();
            sync_if_due(server);
        }
        Err(error) => {
            if !is_retry {
                log::warning(&format!("Error writing to the AOF file: {}", reason(&error)));
            }
            aof.last_retry = now;
            if !is_lost {
                aof.trust = Trust::WriteFailed(reason(&error));
                drop_unacknowledged(server);
            }
        }
    }
}

/// Asks for a sync if appendfsync wants one and none goes on.
fn sync_if_due(server: &mut Server) {
    let now = server.now.mono;
    let spared = server.config.no_appendfsync_on_rewrite && server.persistence.running.is_some();
    let aof = &mut server.persistence.aof;
    let may_sync = aof.state == AofState::On && aof.trust == Trust::Good && aof.unsynced && aof.syncing_since.is_none();
    let is_due = match server.config.appendfsync {
        AppendFsync::No => false,
        AppendFsync::Always => aof.gathers_until(server.held.len()).is_none_or(|until| now >= until),
        AppendFsync::EverySec => now.since(aof.last_sync) >= SECOND_US,
    };
    if !may_sync || !is_due {
        return;
    }
    if spared {
        aof.released = aof.epoch - 1;
        return release(server);
    }
    order_sync(server);
}

fn order_sync(server: &mut Server) {
    let now = server.now.mono;
    let aof = &mut server.persistence.aof;
    let Some(writer) = &aof.writer else { return };
    let order = Order::Sync { file: writer.file().clone(), epoch: aof.epoch - 1, offset: aof.written_offset };
    aof.unsynced = false;
    aof.last_sync = now;
    aof.syncing_since = Some(now);
    aof.send(order);
}

/// Looks at what the background did.
pub fn settle(server: &mut Server) {
    let Some(background) = &server.persistence.aof.background else { return };
    if background.is_gone() {
        return replace_background(server);
    }
    let (waiting, done, (epoch, offset)) = (background.waiting(), background.done(), background.synced());
    let failure = background.take_failure();
    let (commit, pin) = (background.take_commit(), background.take_pin());
    if let Some(why) = failure {
        if server.persistence.aof.turning_off.is_some() {
            drop_unacknowledged(server);
        }
        lose(server, why);
    }
    if let Some(result) = commit {
        rewriting::committed(server, result);
    }
    if let Some((number, result)) = pin {
        backup::pinned(server, number, result);
    }
    let always = server.config.appendfsync == AppendFsync::Always;
    let aof = &mut server.persistence.aof;
    if waiting == 0
        && let Some(since) = aof.syncing_since.take()
        && always
    {
        let us = server.now.mono.since(since);
        let threshold = server.config.latency_monitor_threshold.max(0) as u64;
        server.latency.add_if_slow("aof-fsync-always", us / 1000, threshold, server.now.unix().seconds());
        let patience = (us / GATHERING_PART).min(GATHERING_MAX_US);
        aof.gathering = (server.held.len(), server.now.mono.plus_us(patience));
    }
    if aof.state == AofState::On {
        aof.synced_offset = aof.synced_offset.max(offset);
    }
    if aof.state == AofState::On || aof.turning_off.is_some() {
        aof.released = aof.released.max(epoch);
    }
    if aof.turning_off.is_some_and(|orders| done >= orders) {
        aof.turning_off = None;
        follow(server);
    }
    wake_carried_out(server, done);
}

/// The job has ended by a fault of ours. What it had not done is not done: the files are not trusted any more, and another job takes
/// its place.
#[cold]
fn replace_background(server: &mut Server) {
    let why = "the background thread is gone".to_owned();
    log::warning(&format!("Append only file: {why}"));
    let aof = &mut server.persistence.aof;
    aof.background = None;
    if aof.turning_off.take().is_some() {
        drop_unacknowledged(server);
    }
    if let Err(error) = start_background(server) {
        log::warning(&format!("Can't start another: {}", reason(&error)));
    }
    rewriting::committed(server, Err(why.clone()));
    lose(server, why.clone());
    follow(server);
    refuse_all_carried_out(server, &format!("ERR {why}"));
}

/// Lets go of what is safe: replies, keys, and clients that wait for it. What the turn wrote must have been gathered: a reply
/// of the epoch in hand would seem to depend on nothing.
fn release(server: &mut Server) {
    let aof = &server.persistence.aof;
    let (released, synced) = (aof.released, aof.synced_offset);
    if server.keyspace.unsynced.is_active() {
        server.keyspace.unsynced.release(released);
    }
    let mut held = std::mem::take(&mut server.held);
    held.retain(|&place| {
        let aof = &server.persistence.aof;
        let Some(client) = server.clients.at(place) else { return false };
        while client.holds.front().is_some_and(|&(_, epoch)| aof.is_released(epoch)) {
            client.holds.pop_front();
        }
        if client.sendable() > 0 && !client.pending_write {
            client.pending_write = true;
            server.pending_writes.push(place);
        }
        !client.holds.is_empty()
    });
    server.held = held;
    let served = |offset: u64| offset <= synced;
    if server.awaiting_sync.iter().any(|&(offset, _)| served(offset)) {
        let (done, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut server.awaiting_sync).into_iter().partition(|&(offset, _)| served(offset));
        server.awaiting_sync = rest;
        done.into_iter().for_each(|(offset, id)| wake_synced(server, offset, id, None));
    }
}

/// Whoever waits for a reply about what may be lost does not get one: their connections are closed.
fn drop_unacknowledged(server: &mut Server) {
    if !server.keyspace.unsynced.is_active() {
        return;
    }
    for place in std::mem::take(&mut server.held) {
        let aof = &server.persistence.aof;
        let Some(client) = server.clients.at(place) else { continue };
        if client.holds.iter().any(|&(_, epoch)| !aof.is_released(epoch)) {
            let id = client.id;
            log::warning(&format!("Closing client id={}: its writes did not reach the disk", id.0));
            server.close_client(id, false);
        }
    }
}

/// What was written may not have reached the disk, and never will: a rewrite must make a new base.
fn lose(server: &mut Server, why: String) {
    let aof = &mut server.persistence.aof;
    if aof.state == AofState::Off || matches!(aof.trust, Trust::Lost(_)) {
        return;
    }
    log::warning(&format!("The append only file is not trusted any more ({why}): a rewrite makes a new one"));
    aof.trust = Trust::Lost(why);
    aof.syncing_since = None;
    aof.last_retry = server.now.mono;
    aof.rewrite_scheduled = true;
    rewriting::abandon(server);
    if let Some(writer) = &mut server.persistence.aof.writer {
        writer.forget_pending();
    }
    drop_unacknowledged(server);
    backup::lost(server);
}

/// What is due from time to time: rewrites that grew due, or that must mend a loss.
pub fn cron(server: &mut Server) {
    if server.persistence.loading.is_none() {
        rewriting::cron(server);
    }
}

/// Writes everything and asks for a sync of it.
pub(super) fn write_and_sync(server: &mut Server) {
    write_now(server);
    let aof = &server.persistence.aof;
    if aof.state == AofState::On && aof.trust == Trust::Good && aof.writer.is_some() {
        order_sync(server);
    }
}

/// Writes and syncs everything, and returns when that is done (SHUTDOWN).
pub(super) fn sync_now(server: &mut Server) {
    write_and_sync(server);
    wait_for_background(server);
    release(server);
}

/// Returns when everything that was asked of the background is done.
pub(super) fn wait_for_background(server: &mut Server) {
    while server.persistence.aof.background.as_ref().is_some_and(|background| background.waiting() > 0) {
        server.host.wait_for_jobs();
    }
    settle(server);
}

/// Writes what waits.
pub(super) fn write_now(server: &mut Server) {
    gather(server);
    flush(server, Postpone::Never);
}

/// Writes what waits, and lets a manifest on its way take its place, so that the files are as if the server ended here.
pub fn settle_files(server: &mut Server) {
    write_now(server);
    wait_for_background(server);
}

/// CONFIG SET appendonly. What is written is safe once the background has carried out the orders that are returned.
///
/// # Errors
/// What the client reads if it cannot be turned on.
pub fn set_enabled(server: &mut Server, on: bool) -> Result<Option<u64>, String> {
    if server.persistence.loading.is_some() {
        // The end of loading looks at the configuration again.
        return Ok(None);
    }
    match (server.persistence.aof.state, on) {
        (AofState::Off, true) => rewriting::turn_on(server).map(|()| None),
        (AofState::On | AofState::WaitRewrite, false) => {
            backup::fail(server, "appendonly is stopped");
            Ok(turn_off(server))
        }
        _ => Ok(None),
    }
}

/// Notes where the file ends, as nothing more comes (SHUTDOWN).
pub(super) fn note_end(server: &mut Server) {
    order_end(server);
    wait_for_background(server);
}

/// Asks for the offset at which the file ends to be noted, where offsets are. Not while a rewrite is committed: the manifest that
/// would tell it names files that are on their way out.
fn order_end(server: &mut Server) {
    let (disk, offset) = (server.host.disk(), server.propagation.offset());
    let aof = &mut server.persistence.aof;
    let is_whole = aof.state == AofState::On && aof.trust == Trust::Good && aof.committing.is_none();
    if is_whole && aof.manifest.end_last_incremental(offset) {
        let manifest = aof.new_manifest(&aof.manifest, |path| disk.absolute(path));
        aof.send(Order::Persist(manifest));
    }
}

/// From here on no command is written. Replies that wait for a sync go on waiting for the last one.
pub(super) fn turn_off(server: &mut Server) -> Option<u64> {
    write_and_sync(server);
    rewriting::cancel(server);
    order_end(server);
    let aof = &mut server.persistence.aof;
    if aof.writer.take().is_some() {
        log::notice("The append only file is closed");
    }
    aof.state = AofState::Off;
    aof.trust = Trust::Good;
    aof.rewrite_scheduled = false;
    aof.unsynced = false;
    let orders = aof.background.as_ref().filter(|background| background.waiting() > 0).map(Background::sent);
    aof.turning_off = orders;
    follow(server);
    for (offset, id) in std::mem::take(&mut server.awaiting_sync) {
        wake_synced(server, offset, id, Some(WAITAOF_OFF));
    }
    orders
}

/// What WAITAOF answers without an append-only file.
pub const WAITAOF_OFF: &str = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
