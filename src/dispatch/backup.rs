//! Backups: a rewrite of the append-only file makes the base, which gets a second name in the backup's directory; sealing
//! gives one to what happened since, and writes a manifest of the two. Where there is no append-only file, there is one
//! while the backup is made.

use std::path::{Path, PathBuf};

use crate::base::disk::reason;
use crate::base::log;
use crate::persistence::Backup;
use crate::persistence::aof::background::{NewManifest, Order, Pin, PinFailure};
use crate::persistence::aof::manifest::{Manifest, Names, path_of};
use crate::persistence::aof::{AofState, Trust};
use crate::persistence::backup::BackupState;
use crate::resp::CommandError;
use crate::server::Server;
use crate::server::wake::refuse_carried_out;

use super::{appending, rewriting, saving};

const CANNOT_SYNC: &str = "Can't fsync the INCR file for the backup";

/// BACKUP START.
///
/// # Errors
/// Why it cannot begin.
pub fn start(server: &mut Server) -> Result<(), CommandError> {
    let state = server.persistence.backup.state;
    if state.is_in_progress() {
        return Err(CommandError::err("A backup is already in progress, ABORT it first"));
    }
    if state == BackupState::Sealed {
        return Err(CommandError::err("A sealed backup exists, CLEANUP it first"));
    }
    let disk = server.host.disk();
    let name = server.config.backupdirname.display().into_owned();
    let dir = disk.absolute(Path::new(&name));
    let names = disk
        .create_dir(&dir)
        .and_then(|_| disk.list(&dir))
        .map_err(|error| CommandError::err(format!("Can't create backup directory {name}: {}", reason(&error))))?;
    if !names.is_empty() {
        return Err(CommandError::err(format!("Backup directory {name} is not empty, CLEANUP it first")));
    }
    // The numbers of what is pinned go on: an answer to the last backup must not be taken for one to this.
    let pin = server.persistence.backup.pin;
    server.persistence.backup = Backup { state: BackupState::Pending, dir, pin, ..Backup::default() };
    begin_pending(server);
    match server.persistence.backup.state {
        BackupState::Failed => Err(CommandError::err("Can't start the AOF rewrite for the backup")),
        _ => Ok(()),
    }
}

/// Begins a backup that was asked for, once nothing else goes on.
pub(super) fn begin_pending(server: &mut Server) {
    if server.persistence.backup.state != BackupState::Pending {
        return;
    }
    let persistence = &server.persistence;
    let is_busy = !saving::is_free(server)
        || persistence.loading.is_some()
        || persistence.aof.is_rewriting()
        || persistence.aof.trust != Trust::Good
        || server.propagation.is_within_unit();
    if is_busy {
        return;
    }
    let aof = &persistence.aof;
    let turns_on = aof.state == AofState::Off;
    let removes_aof = turns_on && aof.manifest.is_empty() && aof.manifest.history.is_empty();
    let backup = &mut server.persistence.backup;
    (backup.turned_on_aof, backup.removes_aof) = (turns_on, removes_aof);
    let has_begun = if turns_on { rewriting::turn_on(server).is_ok() } else { rewriting::request(server).is_ok() };
    if !has_begun {
        return fail(
            server,
            if turns_on {
                "failed to temporarily enable AOF for backup"
            } else {
                "failed to start AOF rewrite for backup"
            },
        );
    }
    server.persistence.backup.state = BackupState::Snapshotting;
    server.persistence.backup.start_time = server.now.unix().seconds();
}

/// The rewrite's files are in place: its base is what the backup begins with.
pub(super) fn base_is_there(server: &mut Server) {
    if server.persistence.backup.state != BackupState::Snapshotting {
        return;
    }
    if let Some(base) = &server.persistence.aof.manifest.base {
        let name = base.name.clone();
        pin(server, vec![name], None);
    }
}

/// Gives files of the append-only file second names in the backup's directory, then puts a manifest there.
fn pin(server: &mut Server, mut names: Vec<Vec<u8>>, manifest: Option<&Manifest>) {
    let disk = server.host.disk();
    let backup = &mut server.persistence.backup;
    let aof = &mut server.persistence.aof;
    let links =
        names.iter().map(|name| (disk.absolute(&aof.names.path(name)), backup.dir.join(path_of(name)))).collect();
    let there = Names::new(&backup.dir, aof.names.stem());
    let manifest = manifest.map(|manifest| {
        names.push(there.manifest());
        NewManifest {
            temp: there.path(&there.temp_manifest()),
            path: there.path(&there.manifest()),
            text: manifest.emit(),
        }
    });
    backup.pin += 1;
    backup.pinning = names;
    aof.send(Order::Pin(Box::new(Pin { number: backup.pin, links, manifest, dir: backup.dir.clone() })));
    backup.pin_orders = aof.orders();
}

/// Files got their names, or did not.
pub(super) fn pinned(server: &mut Server, number: u64, result: Result<(), PinFailure>) {
    let now = server.now;
    let backup = &mut server.persistence.backup;
    if number != backup.pin {
        return;
    }
    match (backup.state, result) {
        (BackupState::Snapshotting, Ok(())) => {
            backup.files.append(&mut backup.pinning);
            backup.state = BackupState::Incrementing;
            let name = backup.files.first().map(|name| String::from_utf8_lossy(name)).unwrap_or_default();
            log::notice(&format!("BACKUP: snapshot pinned ({name}), now accumulating writes"));
        }
        (BackupState::Snapshotting, Err(_)) => fail(server, "failed to pin snapshot file"),
        (BackupState::Sealing, Ok(())) => {
            backup.files.append(&mut backup.pinning);
            backup.state = BackupState::Sealed;
            (backup.end_time, backup.sealed) = (now.unix().seconds(), now.mono);
            log::notice(&format!("BACKUP: sealed backup in {}", server.config.backupdirname.display()));
        }
        (BackupState::Sealing, Err(failure)) => {
            let (reply, why) = match failure {
                PinFailure::Distrust => (CANNOT_SYNC, "failed to fsync INCR AOF"),
                PinFailure::Link => ("Can't pin the INCR AOF for the backup", "failed to pin INCR AOF"),
                PinFailure::Manifest => ("Can't write the backup manifest", "failed to write backup manifest"),
            };
            refuse_seal(server, reply);
            fail(server, why);
        }
        // It was given up meanwhile, and what it got is removed.
        _ => {}
    }
}

/// BACKUP SEAL. It is done once the append-only file's job has carried out the orders that are returned; None if it is to be
/// done at the end of the turn, as a transaction is not to be torn apart.
///
/// # Errors
/// Why it cannot be done.
pub fn seal(server: &mut Server, in_transaction: bool) -> Result<Option<u64>, CommandError> {
    if server.persistence.backup.state != BackupState::Incrementing {
        return Err(CommandError::err("No backup ready to seal (must be in the incrementing state)"));
    }
    if in_transaction {
        server.persistence.backup.state = BackupState::Sealing;
        server.persistence.backup.seals_after_turn = true;
        return Ok(None);
    }
    seal_now(server).map(Some)
}

/// Seals what was to be sealed at the end of the turn.
pub(super) fn seal_after_turn(server: &mut Server) {
    if std::mem::take(&mut server.persistence.backup.seals_after_turn) {
        // STATUS and the log tell if it fails: the reply is written already, though it goes out only after this.
        let _ = seal_now(server);
        appending::wait_for_background(server);
    }
}

fn seal_now(server: &mut Server) -> Result<u64, CommandError> {
    appending::write_now(server);
    let is_written = |server: &Server| {
        let aof = &server.persistence.aof;
        aof.trust == Trust::Good && aof.writer.as_ref().is_some_and(|writer| writer.pending() == 0)
    };
    if !is_written(server) {
        fail(server, "failed to fsync INCR AOF");
        return Err(CommandError::err(CANNOT_SYNC));
    }
    let offset = server.propagation.offset();
    server.persistence.aof.manifest.end_last_incremental(offset);
    let manifest = server.persistence.aof.manifest.for_backup();
    let names = manifest.incremental.iter().map(|file| file.name.clone()).collect();
    if is_temporary(server) {
        appending::write_and_sync(server);
    } else if rewriting::open_incremental(server, false).is_err() {
        server.persistence.aof.manifest.reopen_last_incremental(0);
        fail(server, "failed to rotate the live AOF");
        return Err(CommandError::err("Can't rotate the live AOF after sealing the backup"));
    }
    server.persistence.backup.state = BackupState::Sealing;
    pin(server, names, Some(&manifest));
    stop_temporary_file(server);
    Ok(server.persistence.backup.pin_orders)
}

/// Is the append-only file there for the backup alone?
fn is_temporary(server: &Server) -> bool {
    server.persistence.backup.turned_on_aof && !server.config.appendonly
}

/// Turns the append-only file off that was turned on for a backup. Where no files were before, none are left.
fn stop_temporary_file(server: &mut Server) {
    if !is_temporary(server) || server.persistence.aof.state == AofState::Off {
        return;
    }
    server.persistence.backup.turned_on_aof = false;
    appending::turn_off(server);
    if !server.persistence.backup.removes_aof {
        return;
    }
    let disk = server.host.disk();
    let aof = &mut server.persistence.aof;
    let manifest = std::mem::take(&mut aof.manifest);
    let committing = aof.committing.as_mut().map(|committing| {
        committing.is_unwanted = true;
        std::mem::take(&mut committing.manifest)
    });
    let all = [Some(manifest), committing].into_iter().flatten();
    let names = all.flat_map(|manifest| manifest.files().chain(&manifest.history).cloned().collect::<Vec<_>>());
    let mut paths: Vec<PathBuf> = names.map(|file| disk.absolute(&aof.names.path(&file.name))).collect();
    paths.push(disk.absolute(&aof.names.path(&aof.names.manifest())));
    aof.send(Order::Remove(paths));
}

/// Whoever waits for SEAL is told that it failed.
fn refuse_seal(server: &mut Server, why: &str) {
    let orders = server.persistence.backup.pin_orders;
    refuse_carried_out(server, orders, &format!("ERR {why}"));
}

/// The append-only file is not to be trusted any more.
pub(super) fn lost(server: &mut Server) {
    if server.persistence.backup.state == BackupState::Sealing {
        refuse_seal(server, CANNOT_SYNC);
    }
    fail(server, "failed to fsync INCR AOF");
}

/// Gives up what is being made, if anything is, and removes what is there of it.
pub fn fail(server: &mut Server, why: &str) {
    let backup = &mut server.persistence.backup;
    if !backup.state.is_in_progress() {
        return;
    }
    log::warning(&format!("BACKUP: failed: {why}"));
    backup.state = BackupState::Failed;
    backup.error = why.to_owned();
    backup.seals_after_turn = false;
    let names = std::mem::take(&mut backup.files).into_iter().chain(std::mem::take(&mut backup.pinning));
    let paths: Vec<PathBuf> = names.map(|name| backup.dir.join(path_of(&name))).collect();
    if !paths.is_empty() {
        server.persistence.aof.send(Order::Remove(paths));
    }
    stop_temporary_file(server);
}

/// BACKUP ABORT.
///
/// # Errors
/// If there is nothing to give up.
pub fn abort(server: &mut Server) -> Result<(), CommandError> {
    let state = server.persistence.backup.state;
    if !state.is_in_progress() {
        return Err(CommandError::err("No backup in progress"));
    }
    if state == BackupState::Sealing {
        refuse_seal(server, "aborted by user");
    }
    fail(server, "aborted by user");
    Ok(())
}

/// BACKUP CLEANUP: removes all files of the backup's directory, whoever made them. It is done once the append-only file's job
/// has carried out the orders that are returned.
///
/// # Errors
/// If a backup is being made.
pub fn clean_up(server: &mut Server) -> Result<Option<u64>, CommandError> {
    if server.persistence.backup.state.is_in_progress() {
        return Err(CommandError::err("Backup is in progress"));
    }
    let disk = server.host.disk();
    let backup = std::mem::take(&mut server.persistence.backup);
    server.persistence.backup.pin = backup.pin;
    let dir = if backup.dir.as_os_str().is_empty() {
        disk.absolute(Path::new(server.config.backupdirname.display().as_ref()))
    } else {
        backup.dir
    };
    // Where there is no directory, there is nothing to remove.
    let paths: Vec<PathBuf> = disk.list(&dir).unwrap_or_default().iter().map(|name| dir.join(name)).collect();
    if paths.is_empty() {
        return Ok(None);
    }
    appending::start_background(server).map_err(|error| CommandError::err(reason(&error)))?;
    server.persistence.aof.send(Order::Remove(paths));
    Ok(Some(server.persistence.aof.orders()))
}

/// Removes a backup that is older than the operator wants.
pub fn cron(server: &mut Server) {
    let (ttl, backup) = (server.config.backup_sealed_ttl, &server.persistence.backup);
    let age = server.now.mono.since(backup.sealed) / 1_000_000;
    if backup.state != BackupState::Sealed || ttl <= 0 || age < ttl.unsigned_abs() {
        return;
    }
    log::notice(&format!("BACKUP: auto cleaning sealed backup after {ttl} seconds"));
    // It is not being made, so it is not refused; without a thread it stays until the next attempt.
    let _ = clean_up(server);
}
