//! Saving: begins a cut and the job that writes it, takes it slice by slice, looks for its end. The one place that knows
//! both the keyspace and what becomes of its pieces.

use std::path::{Path, PathBuf};

use crate::base::disk::reason;
use crate::base::job::Urgency;
use crate::base::log;
use crate::config::RdbDialect;
use crate::keyspace::{AccessPolicy, CutSize, CutStep};
use crate::persistence::aof::AofState;
use crate::persistence::pace::Pace;
use crate::persistence::rdb::encode::{Compression, Form};
use crate::persistence::rdb::save::FileSink;
use crate::persistence::rdb::writer::{AccessNote, RdbOptions, RdbWriter};
use crate::persistence::snapshot::{PieceSink, Snapshot, SnapshotEnd, SnapshotOptions};
use crate::persistence::state::{Purpose, Running};
use crate::server::{REDIS_VERSION, Server, ShutdownRequest, VALKEY_VERSION};

use super::{appending, backup, rewriting};

/// Bytes of copies on their way at which the walk waits for whoever writes them.
const IN_FLIGHT_MAX: usize = 8 << 20;
/// Bytes at which commands slow down as well, so that a snapshot's memory stays bounded: the pause after a turn, and twice as
/// many bytes for the long one.
const FALLING_BEHIND: usize = 16 << 20;
const PAUSES_US: [u64; 2] = [100, 500];
/// A snapshot may cost this part of the memory in use, or `Persistence::copies_max`.
const COPIES_PART: usize = 50;
/// So long after its last sign the writer waits for the disk rather than for a processor, and commands do not wait for it.
const SIGN_OF_LIFE_US: u64 = 20_000;

/// Why a save did not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaveRefusal {
    /// Another save goes on.
    Busy,
    /// The system gave no thread, or the dialect cannot hold the data.
    Failed(String),
}

/// Begins a save in the background, of the data as they are now.
///
/// # Errors
/// Why it cannot begin.
pub fn begin_rdb(server: &mut Server) -> Result<(), SaveRefusal> {
    begin(server, Waiting::No)
}

/// Does everybody wait for a save?
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    Yes,
    No,
}

fn begin(server: &mut Server, how: Waiting) -> Result<(), SaveRefusal> {
    if server.persistence.running.is_some() || server.persistence.rdb_waits {
        return Err(SaveRefusal::Busy);
    }
    server.persistence.last_try_at = Some(server.now.mono);
    if !is_free(server) {
        server.persistence.rdb_waits = true;
        return Ok(());
    }
    let dirty = server.keyspace.dirty;
    let size = server.keyspace.begin_cut();
    let sink = rdb_sink(server, size.clone(), how);
    start(server, sink, Purpose::Rdb, how, &size, dirty).map_err(|why| {
        log::warning(&format!("Can't save in background: {why}"));
        note_failure(server);
        SaveRefusal::Failed(why)
    })
}

/// May a snapshot begin? Not while another goes on, nor before the rest of one that was given up is marked, which takes a few
/// slices, and what it copied is written or dropped, for which a disk that hangs lets it wait.
pub(super) fn is_free(server: &Server) -> bool {
    let has_room = server.keyspace.cut_bytes_held() < IN_FLIGHT_MAX / 2;
    server.persistence.running.is_none() && !server.keyspace.is_cutting() && has_room
}

/// Begins to write the pieces of the cut that has begun.
pub(super) fn start(
    server: &mut Server,
    sink: Box<dyn PieceSink>,
    purpose: Purpose,
    how: Waiting,
    size: &CutSize,
    dirty: u64,
) -> Result<(), String> {
    let config = &server.config;
    let options = SnapshotOptions {
        key_delay_us: config.rdb_key_save_delay,
        urgency: match how {
            Waiting::Yes => Urgency::Usual,
            Waiting::No => Urgency::Low,
        },
        processors: match purpose {
            Purpose::AofRewrite => ("aof-rewrite-cpulist", config.aof_rewrite_cpulist.display().into_owned()),
            Purpose::Rdb => ("bgsave-cpulist", config.bgsave_cpulist.display().into_owned()),
        },
    };
    let (snapshot, job) = Snapshot::new(sink, options, server.host.wake(), server.host.sleep());
    if let Err(error) = server.host.spawn("snapshot", job) {
        server.keyspace.discard_cut();
        return Err(reason(&error));
    }
    server.persistence.running = Some(Running {
        snapshot,
        purpose,
        started: server.now.mono,
        keys: size.keys(),
        dirty,
        all_taken: false,
        copied_peak: 0,
        last_sign: (0, 0),
    });
    Ok(())
}

/// The file that a save writes.
fn rdb_sink(server: &mut Server, size: CutSize, how: Waiting) -> Box<dyn PieceSink> {
    let path = path_of(&server.config.dbfilename.display());
    // Each save has a file of its own: the writer of one that was cancelled may still be about to remove it.
    server.persistence.saves_begun += 1;
    let (process, number) = (server.identity.process_id, server.persistence.saves_begun);
    let temp = match how {
        Waiting::Yes => PathBuf::from(format!("temp-{process}.rdb")),
        Waiting::No => PathBuf::from(format!("temp-{process}.{number}.rdb")),
    };
    server.persistence.temp_file = Some(server.host.disk().absolute(&temp));
    let incremental = server.config.rdb_save_incremental_fsync;
    let file = FileSink::new(server.host.disk(), &temp, &path, incremental, server.host.breathe());
    Box::new(RdbWriter::new(rdb_options(server, size, false), Box::new(file)))
}

fn path_of(name: &str) -> PathBuf {
    Path::new(name).to_owned()
}

/// How the configuration wants files written.
pub fn rdb_options(server: &Server, size: CutSize, is_aof_base: bool) -> RdbOptions {
    let config = &server.config;
    let by_access = config.maxmemory_policy.name();
    let access = match server.keyspace.policy.access {
        AccessPolicy::Lfu if by_access.ends_with("lfu") => AccessNote::Frequency,
        AccessPolicy::Lru if by_access.ends_with("lru") => AccessNote::Idle,
        _ => AccessNote::None,
    };
    let number = |value: usize| value.to_string().into_bytes();
    let version = match config.rdb_dialect {
        RdbDialect::Valkey => ("valkey-ver", VALKEY_VERSION.as_bytes().to_vec()),
        RdbDialect::Redis | RdbDialect::Redis70 => ("redis-ver", REDIS_VERSION.as_bytes().to_vec()),
    };
    if config.rdb_dialect == RdbDialect::Redis70 && size.has_field_expiry {
        log::warning("rdb-dialect redis-7.0 has no fields that expire: they are written as fields that do not.");
    }
    if config.rdb_dialect != RdbDialect::Redis && size.has_stream_extras {
        log::warning(
            "Only the rdb-dialect redis knows what streams remember of additions, and entries that were given back: the one \
             is not written, the others are written as those of a consumer without a name.",
        );
    }
    RdbOptions {
        form: match config.rdb_dialect {
            RdbDialect::Redis => Form::Redis,
            RdbDialect::Valkey => Form::Valkey,
            RdbDialect::Redis70 => Form::Redis70,
        },
        compression: if config.rdbcompression { Compression::Lzf } else { Compression::None },
        checksum: config.rdbchecksum,
        functions: server.scripting.libraries.codes(),
        aux: vec![
            version,
            ("redis-bits", number(usize::BITS as usize)),
            ("ctime", number(server.now.unix().seconds().max(0) as usize)),
            ("used-mem", number(server.used_memory())),
            ("aof-base", number(usize::from(is_aof_base))),
        ],
        size,
        access,
        policy: server.keyspace.policy,
        now: server.now.unix(),
    }
}

/// Saves, and returns when it is done (SAVE, DEBUG RELOAD, SHUTDOWN).
///
/// # Errors
/// Why it failed.
pub fn save_now(server: &mut Server) -> Result<(), SaveRefusal> {
    // A rewrite of the append-only file has the one cut: it ends first.
    while server.persistence.is_running(Purpose::AofRewrite) {
        take_all(server);
        end_if_written(server);
        server.host.wait_for_jobs();
    }
    while server.persistence.running.is_none() && !is_free(server) {
        if server.keyspace.cut_step() == CutStep::Done {
            server.host.wait_for_jobs();
        }
    }
    // It saves what the one that waits would.
    server.persistence.rdb_waits = false;
    begin(server, Waiting::Yes)?;
    loop {
        take_all(server);
        let Some(running) = &server.persistence.running else { return Ok(()) };
        if let Some(end) = running.snapshot.end() {
            server.persistence.running = None;
            return match end {
                SnapshotEnd::Written(_) => {
                    note_success(server, server.keyspace.dirty);
                    log::notice("DB saved on disk");
                    Ok(())
                }
                SnapshotEnd::Failed(why) => {
                    // The caller is told; only background saves that fail stop writers.
                    log::warning(&format!("Error saving DB on disk: {why}"));
                    Err(SaveRefusal::Failed(why))
                }
            };
        }
        server.host.wait_for_jobs();
    }
}

/// Takes what is left of the cut while everybody waits.
fn take_all(server: &mut Server) {
    while !all_is_taken(server) {
        take_step(server);
        if server.keyspace.cut_bytes_held() >= IN_FLIGHT_MAX {
            server.host.wait_for_jobs();
        }
    }
}

fn all_is_taken(server: &Server) -> bool {
    server.persistence.running.as_ref().is_none_or(|running| running.all_taken)
}

/// Takes one step of the cut and sends what is ready.
fn take_step(server: &mut Server) -> CutStep {
    let step = server.keyspace.cut_step();
    send_pieces(server);
    if let Some(running) = &mut server.persistence.running
        && step == CutStep::Done
        && !running.all_taken
    {
        running.all_taken = true;
        running.snapshot.finish();
    }
    step
}

/// Sends what the walk and writers have taken.
fn send_pieces(server: &mut Server) {
    let Some(running) = &mut server.persistence.running else { return };
    running.copied_peak = running.copied_peak.max(server.keyspace.cut_bytes_in_flight());
    server.keyspace.take_cut_pieces().into_iter().for_each(|piece| running.snapshot.send(piece));
}

/// Is there a cut to take, and room for what is taken?
pub fn wants_slice(server: &Server) -> bool {
    let has_cut =
        server.keyspace.is_discarding_cut() || (server.persistence.running.is_some() && server.keyspace.is_cutting());
    has_cut && server.keyspace.cut_bytes_held() < IN_FLIGHT_MAX
}

/// Must the next slice wait for a part of the load to pass?
pub fn is_held_back(server: &Server) -> bool {
    server.persistence.pace.is_held_back()
}

/// After a turn of so many microseconds: goes on with the cut for as long as its pace allows.
pub fn slice(server: &mut Server, turn_us: u64) {
    keep_pace(server);
    give_up_beyond_bound(server);
    if !server.keyspace.is_cutting() {
        server.persistence.pace = Pace::new();
        return;
    }
    // Also while the walk waits for room: what writers take would pile up.
    send_pieces(server);
    let mut before = server.host.mono_us();
    server.persistence.pace.turn(before, turn_us);
    while server.persistence.pace.may_go_on() && wants_slice(server) {
        if take_step(server) == CutStep::Done {
            return;
        }
        let after = server.host.mono_us();
        server.persistence.pace.spent(after - before, after);
        before = after;
    }
}

/// Leaves the processor to the writer of a snapshot that has fallen behind: a moment of it if both share one, and longer if
/// what commands take piles up.
fn keep_pace(server: &mut Server) {
    let in_flight = server.keyspace.cut_bytes_in_flight();
    let Some(running) = server.persistence.running.as_mut().filter(|_| in_flight >= IN_FLIGHT_MAX / 2) else { return };
    let now = server.host.mono_us();
    let written = running.snapshot.keys_written();
    if written != running.last_sign.0 {
        running.last_sign = (written, now);
    }
    if in_flight < FALLING_BEHIND {
        server.host.give_way();
    } else if now - running.last_sign.1 < SIGN_OF_LIFE_US {
        server.host.sleep_us(PAUSES_US[usize::from(in_flight >= 2 * FALLING_BEHIND)]);
    }
}

/// Gives a snapshot up that would cost more memory than was promised: what is changed meanwhile is copied, and commands do not wait
/// for the disk that does not take it.
fn give_up_beyond_bound(server: &mut Server) {
    if server.persistence.running.is_none() || !server.keyspace.is_cutting() {
        return;
    }
    let bytes = server.keyspace.cut_bytes_held();
    if bytes >= server.persistence.copies_max.max(server.used_memory() / COPIES_PART) {
        let why = format!("the disk does not keep up with the changes made meanwhile ({bytes} bytes wait for it)");
        finish(server, SnapshotEnd::Failed(why));
    }
}

/// Looks whether what goes on has ended, and begins what is due.
pub fn settle(server: &mut Server) {
    end_if_written(server);
    if server.persistence.rdb_waits && is_free(server) && std::mem::take(&mut server.persistence.rdb_waits) {
        // The log tells if it does not begin after all.
        let _ = begin_rdb(server);
    }
    backup::begin_pending(server);
    rewriting::begin_scheduled(server);
    if server.persistence.rdb_scheduled && is_free(server) {
        server.persistence.rdb_scheduled = false;
        if begin_rdb(server).is_ok() {
            log::notice("Background saving started");
        }
    }
}

fn end_if_written(server: &mut Server) {
    if let Some(running) = &server.persistence.running
        && let Some(end) = running.snapshot.end()
    {
        finish(server, end);
    }
}

fn finish(server: &mut Server, end: SnapshotEnd) {
    let Some(running) = server.persistence.running.take() else { return };
    if running.purpose == Purpose::AofRewrite {
        return rewriting::finish(server, &running, end);
    }
    let seconds = server.now.mono.since(running.started) / 1_000_000;
    server.persistence.last_bgsave_seconds = seconds as i64;
    server.persistence.last_copied = running.copied_peak;
    match end {
        SnapshotEnd::Written(_) => {
            note_success(server, running.dirty);
            log::notice("DB saved on disk");
            log::notice("Background saving terminated with success");
        }
        SnapshotEnd::Failed(why) => {
            server.keyspace.discard_cut();
            log::warning(&format!("Write error saving DB on disk: {why}"));
            log::warning("Background saving error");
            note_failure(server);
        }
    }
}

/// Ends a save that goes on, as if it had never begun. Returns whether there was one.
pub fn cancel(server: &mut Server) -> bool {
    server.persistence.rdb_scheduled = false;
    let waited = std::mem::take(&mut server.persistence.rdb_waits);
    if !server.persistence.is_running(Purpose::Rdb) {
        return waited;
    }
    server.persistence.running = None;
    server.keyspace.discard_cut();
    true
}

fn note_success(server: &mut Server, dirty: u64) {
    let now = server.now;
    let persistence = &mut server.persistence;
    persistence.dirty_saved = dirty;
    persistence.last_save = now.unix().seconds();
    persistence.last_save_at = now.mono;
    persistence.saves += 1;
    persistence.consecutive_failures = 0;
    persistence.last_bgsave_ok = true;
}

fn note_failure(server: &mut Server) {
    server.persistence.last_bgsave_ok = false;
    server.persistence.consecutive_failures += 1;
}

/// Begins a save if a save point is reached.
pub fn cron(server: &mut Server) {
    if server.persistence.loading.is_some() {
        return;
    }
    if server.persistence.running.is_some() {
        if let Some(running) = &server.persistence.running {
            running.snapshot.set_key_delay(server.config.rdb_key_save_delay);
        }
        return;
    }
    if server.persistence.rdb_waits {
        return;
    }
    let now = server.now.mono;
    if let Some((changes, seconds)) = server.persistence.due_save_point(&server.config.save, server.keyspace.dirty, now)
    {
        log::notice(&format!("{changes} changes in {seconds} seconds. Saving..."));
        if begin_rdb(server).is_ok() {
            log::notice("Background saving started");
        }
    }
}

/// Gives up a rewrite and syncs the append-only file. False if the first rewrite, which makes it, must not be given up.
fn prepare_append_only_file(server: &mut Server, request: ShutdownRequest) -> bool {
    if server.persistence.aof.is_rewriting() {
        if server.persistence.aof.state == AofState::WaitRewrite {
            // While a script is busy nothing goes on, so that waiting would not help.
            if !request.force && server.scripting.parked.is_none() {
                log::warning("Writing initial AOF, can't exit.");
                return false;
            }
            log::warning("Writing initial AOF. Exiting anyway.");
        }
        log::warning("There is a child rewriting the AOF. Killing it!");
        rewriting::abandon(server);
    }
    if server.persistence.aof.state != AofState::Off {
        log::notice("Calling fsync() on the AOF file.");
        appending::sync_now(server);
    }
    true
}

/// What must be done before the server may end. False if it may not: the operator reads why in the log.
pub fn prepare_shutdown(server: &mut Server, request: ShutdownRequest) -> bool {
    log::warning("User requested shutdown...");
    if let Some(running) = &server.scripting.parked {
        // It will never have ended: nothing of what it did is kept.
        server.propagation.discard_unit(running.unit);
    }
    if cancel(server) {
        log::warning("There is a background save in progress. It is abandoned.");
        if let Some(temp) = server.persistence.temp_file.take() {
            // Its writer may not come to it before the process ends. It may also have been quicker.
            let _ = server.host.disk().remove(&temp);
        }
    }
    if !prepare_append_only_file(server, request) {
        return false;
    }
    let wants_save = request.save || (!request.nosave && !server.config.save.0.is_empty());
    if wants_save {
        log::notice("Saving the final RDB snapshot before exiting.");
        if save_now(server).is_err() {
            log::warning("Error trying to save the DB, can't exit.");
            if !request.force {
                return false;
            }
            log::warning("Exiting all the same: it was asked for by FORCE.");
        }
    }
    appending::note_end(server);
    true
}
