//! Rewriting the append-only file: a cut becomes the new base, what happens after it goes to a new incremental file, and a
//! manifest that names the two takes the place of the old one. Until then the old files count, and the new incremental one
//! after them, so that a crash at any point finds a whole set.
//!
//! Where there is no old set (the file was just turned on) or none that can be trusted, the new incremental file has a
//! temporary name and counts only with the base.

use std::path::PathBuf;

use crate::base::disk::reason;
use crate::base::log;
use crate::persistence::aof::background::{Commit, Order};
use crate::persistence::aof::rewrite::CommandSink;
use crate::persistence::aof::writer::Writer;
use crate::persistence::aof::{AofState, Committing, Rewrite, Trust};
use crate::persistence::rdb::save::FileSink;
use crate::persistence::rdb::writer::RdbWriter;
use crate::persistence::snapshot::{PieceSink, SnapshotEnd};
use crate::persistence::state::{Purpose, Running};
use crate::server::Server;

use super::saving::{self, Waiting};
use super::{appending, backup};

/// Between two attempts to mend a loss, or to turn the file on.
const RETRY_US: u64 = 1_000_000;

/// Why a rewrite did not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RewriteRefusal {
    /// Something else goes on; it is scheduled.
    Scheduled,
    /// A rewrite goes on.
    Busy,
    /// The system refused something.
    Failed(String),
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Begins a rewrite, or lets it begin when what goes on has ended.
///
/// # Errors
/// Why it does not begin now.
pub fn request(server: &mut Server) -> Result<(), RewriteRefusal> {
    if server.persistence.aof.is_rewriting() {
        return Err(RewriteRefusal::Busy);
    }
    let is_free = saving::is_free(server);
    // A backup that is being made needs the files that there are.
    let is_needed = server.persistence.backup.state.needs_files();
    if !is_free || is_needed || server.propagation.is_within_unit() {
        server.persistence.aof.rewrite_scheduled = true;
        return Err(RewriteRefusal::Scheduled);
    }
    begin(server)
}

fn begin(server: &mut Server) -> Result<(), RewriteRefusal> {
    server.persistence.aof.rewrite_scheduled = false;
    let result = try_begin(server);
    if let Err(why) = &result {
        log::warning(&format!("Can't rewrite append only file in background: {why}"));
        note_failure(server);
    }
    result.map_err(RewriteRefusal::Failed)
}

fn try_begin(server: &mut Server) -> Result<(), String> {
    appending::prepare(server).map_err(|error| reason(&error))?;
    // What was written so far is part of the base: it must not come after it.
    appending::write_now(server);
    let aof = &server.persistence.aof;
    if aof.trust == Trust::Good && aof.writer.as_ref().is_some_and(|writer| writer.pending() > 0) {
        return Err("the commands before it cannot be written".to_owned());
    }
    if matches!(aof.trust, Trust::WriteFailed(_)) {
        return Err("the append only file cannot be written".to_owned());
    }
    let incremental_is_temp = aof.state == AofState::WaitRewrite || matches!(aof.trust, Trust::Lost(_));
    if aof.state != AofState::Off {
        open_incremental(server, incremental_is_temp).map_err(|error| reason(&error))?;
    }
    let offset = server.propagation.offset();
    let base_is_rdb = server.config.aof_use_rdb_preamble;
    // Each rewrite has files of its own: the writer of one that was given up may still be about to remove them.
    server.persistence.saves_begun += 1;
    let (process, number) = (server.identity.process_id, server.persistence.saves_begun);
    let temp_base = PathBuf::from(format!("temp-rewriteaof-bg-{process}.{number}.aof"));
    let size = server.keyspace.begin_cut();
    let disk = server.host.disk();
    let partial = PathBuf::from(format!("temp-rewriteaof-{process}.{number}.aof"));
    let temp_base = disk.absolute(&temp_base);
    let (syncs, breathe) = (server.config.aof_rewrite_incremental_fsync, server.host.breathe());
    let file = FileSink::new(disk, &partial, &temp_base, syncs, breathe);
    let sink: Box<dyn PieceSink> = if base_is_rdb {
        Box::new(RdbWriter::new(saving::rdb_options(server, size.clone(), true), Box::new(file)))
    } else {
        let now = server.config.aof_timestamp_enabled.then_some(server.now.unix().seconds());
        Box::new(CommandSink::new(Box::new(file), now, server.scripting.libraries.codes()))
    };
    let dirty = server.keyspace.dirty;
    let started = server.now.mono;
    let epoch = server.persistence.aof.epoch - 1;
    server.persistence.aof.rewrite =
        Some(Rewrite { base_is_rdb, incremental_is_temp, epoch, offset, started, temp_base });
    if let Err(why) = saving::start(server, sink, Purpose::AofRewrite, Waiting::No, &size, dirty) {
        server.persistence.aof.rewrite = None;
        drop_temp_incremental(server, incremental_is_temp);
        return Err(why);
    }
    appending::follow(server);
    log::notice("Background append only file rewriting started");
    Ok(())
}

/// From here on commands go to a new file.
pub(super) fn open_incremental(server: &mut Server, is_temp: bool) -> std::io::Result<()> {
    let (disk, offset) = (server.host.disk(), server.propagation.offset());
    let aof = &mut server.persistence.aof;
    let mut manifest = aof.manifest.clone();
    let name = if is_temp { aof.names.temp_incremental() } else { manifest.new_incremental(&aof.names, offset) };
    log::notice(&format!("Creating AOF incr file {} on background rewrite", text(&name)));
    let file = disk.create(&aof.names.path(&name))?;
    let old = aof.writer.replace(Writer::new(file, 0));
    if is_temp {
        return Ok(());
    }
    aof.manifest = manifest;
    if let Some(old) = old {
        aof.other_bytes += old.len();
        aof.send(Order::Sync { file: old.file().clone(), epoch: aof.epoch - 1, offset: aof.written_offset });
    }
    let manifest = aof.new_manifest(&aof.manifest, |path| disk.absolute(path));
    aof.send(Order::Persist(manifest));
    // Where `always` released nothing yet, that sync does.
    aof.syncing_since = Some(server.now.mono);
    Ok(())
}

/// The snapshot of a rewrite has ended.
pub(super) fn finish(server: &mut Server, running: &Running, end: SnapshotEnd) {
    let Some(rewrite) = server.persistence.aof.rewrite.take() else { return };
    let aof = &mut server.persistence.aof;
    aof.last_rewrite_seconds = (server.now.mono.since(rewrite.started) / 1_000_000) as i64;
    aof.last_copied = running.copied_peak;
    match end {
        SnapshotEnd::Written(base_bytes) => {
            log::notice("Background AOF rewrite terminated with success");
            commit(server, rewrite, base_bytes);
        }
        SnapshotEnd::Failed(why) => {
            server.keyspace.discard_cut();
            log::warning(&format!("Background AOF rewrite terminated with error: {why}"));
            failed(server, rewrite.incremental_is_temp, &why);
        }
    }
}

/// Asks for the new files to take the place of the old ones.
fn commit(server: &mut Server, rewrite: Rewrite, base_bytes: u64) {
    let disk = server.host.disk();
    let keeps_history = server.config.aof_disable_auto_gc;
    let aof = &mut server.persistence.aof;
    let absolute = |name: &[u8]| disk.absolute(&aof.names.path(name));
    let mut manifest = aof.manifest.clone();
    let base = manifest.new_base(&aof.names, rewrite.base_is_rdb);
    let mut renames = vec![(rewrite.temp_base.clone(), absolute(&base))];
    log::notice(&format!("The new AOF base file is {}", text(&base)));
    let is_on = aof.state != AofState::Off;
    if rewrite.incremental_is_temp && is_on {
        let name = manifest.new_incremental(&aof.names, rewrite.offset);
        log::notice(&format!("The new AOF incr file is {}", text(&name)));
        renames.push((absolute(&aof.names.temp_incremental()), absolute(&name)));
    }
    manifest.retire_incrementals(usize::from(is_on));
    let removals = manifest.history.iter().map(|file| absolute(&file.name)).collect();
    let new_manifest = aof.new_manifest(&manifest, |path| disk.absolute(path));
    let cleaned = if keeps_history {
        None
    } else {
        for file in std::mem::take(&mut manifest.history) {
            log::notice(&format!("Removing the history file {} in the background", text(&file.name)));
        }
        Some(aof.new_manifest(&manifest, |path| disk.absolute(path)))
    };
    aof.committing = Some(Committing { rewrite, manifest, base_bytes, is_unwanted: false });
    aof.send(Order::Commit(Box::new(Commit { renames, manifest: new_manifest, removals, cleaned })));
}

/// The new files are in place, or could not be put there.
pub(super) fn committed(server: &mut Server, result: Result<(), String>) {
    let Some(Committing { rewrite, manifest, base_bytes, is_unwanted }) = server.persistence.aof.committing.take()
    else {
        return;
    };
    if is_unwanted {
        return;
    }
    if let Err(why) = result {
        log::warning(&format!("Error trying to put the rewritten AOF in place: {why}"));
        return failed(server, rewrite.incremental_is_temp, &why);
    }
    let aof = &mut server.persistence.aof;
    aof.manifest = manifest;
    aof.other_bytes = base_bytes;
    aof.last_rewrite_ok = true;
    aof.rewrites += 1;
    aof.limit.consecutive_failures = 0;
    // It may have been turned off meanwhile, and on again: that begins with a rewrite of its own.
    if aof.state != AofState::Off && aof.writer.is_some() {
        let was_waiting = aof.state == AofState::WaitRewrite;
        aof.state = AofState::On;
        // What was lost may be part of an incremental file that counts beside the new base: only one that was not written to
        // before is above suspicion.
        let is_lost = matches!(aof.trust, Trust::Lost(_));
        aof.rewrite_scheduled |= is_lost && !rewrite.incremental_is_temp;
        if is_lost && rewrite.incremental_is_temp {
            log::notice("The append only file is whole again: writes are let in");
            aof.send(Order::Trust);
            aof.trust = Trust::Good;
        }
        aof.released = aof.released.max(rewrite.epoch);
        aof.synced_offset = aof.synced_offset.max(rewrite.offset);
        aof.unsynced = true;
        aof.rewrite_base_bytes = aof.current_bytes();
        if was_waiting {
            aof.last_sync = server.now.mono;
        }
    }
    log::notice("Background AOF rewrite finished successfully");
    appending::follow(server);
    backup::base_is_there(server);
}

fn note_failure(server: &mut Server) {
    let aof = &mut server.persistence.aof;
    aof.last_rewrite_ok = false;
    aof.limit.consecutive_failures += 1;
    aof.last_retry = server.now.mono;
    // Without it the file could not come into being, or be trusted again.
    aof.rewrite_scheduled = aof.state == AofState::WaitRewrite || matches!(aof.trust, Trust::Lost(_));
}

fn failed(server: &mut Server, incremental_is_temp: bool, why: &str) {
    drop_temp_incremental(server, incremental_is_temp);
    note_failure(server);
    appending::follow(server);
    if server.persistence.backup.state.needs_files() {
        backup::fail(server, &format!("snapshot rewrite failed: {why}"));
    }
}

/// The incremental file of a rewrite that came to nothing goes with it.
fn drop_temp_incremental(server: &mut Server, is_temp: bool) {
    if !is_temp {
        return;
    }
    let disk = server.host.disk();
    let aof = &mut server.persistence.aof;
    let name = aof.names.temp_incremental();
    log::notice(&format!("Removing the temp incr aof file {}", text(&name)));
    aof.writer = None;
    // What could not be written to it need not be.
    if matches!(aof.trust, Trust::WriteFailed(_)) {
        aof.trust = Trust::Good;
    }
    // The name goes at once, as the next rewrite makes a file of the same one. If it stays, that one empties it.
    if let Ok(content) = disk.unlink(&aof.names.path(&name)) {
        aof.send(Order::Free(content));
    }
}

/// Gives up the rewrite that goes on, if one does.
pub(super) fn abandon(server: &mut Server) {
    let Some(rewrite) = server.persistence.aof.rewrite.take() else { return };
    server.persistence.running = None;
    server.keyspace.discard_cut();
    drop_temp_incremental(server, rewrite.incremental_is_temp);
    // It may have been written to its end.
    server.persistence.aof.send(Order::Remove(vec![rewrite.temp_base]));
}

/// Other data are about to take the place of those that a rewrite writes. One whose files share nothing with those in force begins
/// anew after that; any other goes on, as what is loaded is what its files hold.
pub(super) fn begin_anew(server: &mut Server) {
    if server.persistence.aof.rewrite.as_ref().is_some_and(|rewrite| rewrite.incremental_is_temp) {
        abandon(server);
        server.persistence.aof.rewrite_scheduled = true;
    }
}

/// Gives up the rewrite that goes on because there is to be no append-only file.
pub(super) fn cancel(server: &mut Server) {
    if server.persistence.aof.rewrite.is_some() {
        log::notice(&format!("Killing running AOF rewrite child: {}", server.identity.process_id));
        abandon(server);
    }
}

/// Turns the file on: a rewrite makes it.
///
/// # Errors
/// What the client reads if it cannot.
pub(super) fn turn_on(server: &mut Server) -> Result<(), String> {
    server.persistence.aof.state = AofState::WaitRewrite;
    // What failed before it was turned off was about other files.
    server.persistence.aof.send(Order::Trust);
    match request(server) {
        Ok(()) => Ok(()),
        Err(RewriteRefusal::Scheduled | RewriteRefusal::Busy) => {
            server.persistence.aof.rewrite_scheduled = true;
            log::notice(
                "AOF was enabled but there is already another background operation. An AOF background was scheduled to \
                 start when possible.",
            );
            Ok(())
        }
        Err(RewriteRefusal::Failed(_)) => {
            let aof = &mut server.persistence.aof;
            aof.state = AofState::Off;
            aof.rewrite_scheduled = false;
            aof.writer = None;
            appending::follow(server);
            Err("Unable to turn on AOF. Check server logs.".to_owned())
        }
    }
}

/// Begins what was scheduled, once nothing else goes on.
pub(super) fn begin_scheduled(server: &mut Server) {
    let is_free = saving::is_free(server);
    let aof = &server.persistence.aof;
    let waits = aof.limit.consecutive_failures > 0 || matches!(aof.trust, Trust::Lost(_));
    let may_try = !waits || server.now.mono.since(aof.last_retry) >= RETRY_US;
    let is_needed = server.persistence.backup.state.needs_files();
    if aof.rewrite_scheduled && is_free && aof.committing.is_none() && may_try && !is_needed {
        // The log tells why, if it does not begin.
        let _ = begin(server);
    }
}

/// Begins a rewrite if the files have grown enough since the last one.
pub(super) fn cron(server: &mut Server) {
    let percentage = i64::from(server.config.auto_aof_rewrite_percentage);
    let min_bytes = server.config.auto_aof_rewrite_min_size.max(0) as u64;
    let is_needed = server.persistence.backup.state.needs_files();
    let is_free = saving::is_free(server) && !is_needed;
    let aof = &mut server.persistence.aof;
    let bytes = aof.current_bytes();
    if aof.state != AofState::On || percentage == 0 || !is_free || aof.is_rewriting() || bytes <= min_bytes {
        return;
    }
    let base = aof.rewrite_base_bytes.max(1);
    let growth = (bytes as i64).saturating_mul(100) / base as i64 - 100;
    if growth < percentage {
        return;
    }
    match aof.limit.holds_back(server.now.mono) {
        (true, Some(minutes)) => {
            let count = aof.limit.consecutive_failures;
            log::warning(&format!(
                "Background AOF rewrite has repeatedly failed {count} times and triggered the limit, will retry in {minutes} \
                 minutes"
            ));
        }
        (true, None) => {}
        (false, _) => {
            log::notice(&format!("Starting automatic rewriting of AOF on {growth}% growth"));
            // The log tells why, if it does not begin.
            let _ = begin(server);
        }
    }
}

/// Removes files that are not needed, unless the operator wants to keep them. It is done once the background has carried out
/// the orders that are returned.
pub fn remove_history(server: &mut Server) -> Option<u64> {
    let disk = server.host.disk();
    let keeps = server.config.aof_disable_auto_gc;
    let aof = &mut server.persistence.aof;
    if keeps || aof.manifest.history.is_empty() || aof.is_rewriting() || aof.background.is_none() {
        return None;
    }
    let mut paths = Vec::new();
    for file in std::mem::take(&mut aof.manifest.history) {
        log::notice(&format!("Removing the history file {} in the background", text(&file.name)));
        paths.push(disk.absolute(&aof.names.path(&file.name)));
    }
    let manifest = aof.new_manifest(&aof.manifest, |path| disk.absolute(path));
    aof.send(Order::Remove(paths));
    aof.send(Order::Persist(manifest));
    Some(aof.orders())
}
