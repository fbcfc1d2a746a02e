//! Loading as the server sees it: begins a job, puts what it decodes into the keyspace slice by slice, answers for the end.

use std::path::{Path, PathBuf};

use crate::base::log;
use crate::config::RdbVersionCheck;
use crate::keyspace::OnDue;
use crate::keyspace::load::OnExisting;
use crate::persistence::load::{Loaded, Loading, RdbSource};
use crate::persistence::rdb::build::BuildLimits;
use crate::persistence::rdb::load::{LoadError, LoadOptions, LoadReport, RdbLoader};
use crate::persistence::rdb::reader::Reader;
use crate::persistence::state::LoadingState;
use crate::server::Server;

/// Microseconds of inserting in one turn.
const SLICE_US: u64 = 500;

/// How files are read as the configuration is.
pub fn load_options(server: &Server) -> LoadOptions {
    let config = &server.config;
    LoadOptions {
        limits: BuildLimits::new(config, server.keyspace.hash_seed()),
        seed: server.keyspace.hash_seed(),
        databases: server.keyspace.databases(),
        drop_before: Some(server.now.unix().0),
        checksum: config.rdbchecksum,
        any_version: config.rdb_version_check == RdbVersionCheck::Relaxed,
        policy: server.keyspace.policy,
        now: server.now.unix(),
    }
}

/// The path of the RDB file.
pub fn rdb_path(server: &Server) -> PathBuf {
    Path::new(server.config.dbfilename.display().as_ref()).to_owned()
}

/// Begins to load the RDB file. False if there is none.
///
/// # Errors
/// Why it cannot be opened.
pub fn begin_rdb(server: &mut Server, path: &Path, on_existing: OnExisting) -> Result<bool, LoadError> {
    let disk = server.host.disk();
    let size = match disk.size(path) {
        Ok(size) => size,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(LoadError::Io(error)),
    };
    let stream = disk.open(path).map_err(LoadError::Io)?;
    let loader = RdbLoader::new(Reader::of_stream(stream, Some(size)), load_options(server));
    let source = Box::new(RdbSource::new(loader));
    let delay = server.config.key_load_delay.into();
    let (loading, job) = Loading::new(source, delay, server.host.wake(), server.host.sleep());
    server.host.spawn("load", job).map_err(LoadError::Io)?;
    server.persistence.loading =
        Some(LoadingState { loading, started: server.now, total_bytes: size, on_existing, has_more: true });
    // What is due waits until everything is there.
    server.keyspace.policy.on_due = OnDue::Ignore;
    Ok(true)
}

/// Puts what was decoded into the keyspace, for a slice of time. The end, once it is reached.
pub fn slice(server: &mut Server, budget_us: u64) -> Option<Result<LoadReport, LoadError>> {
    let start = server.host.mono_us();
    loop {
        let state = server.persistence.loading.as_mut()?;
        state.has_more = false;
        let end = match state.loading.poll()? {
            Loaded::Room(db, table) => {
                server.keyspace.adopt_table(db, *table);
                None
            }
            Loaded::Keys(keys) => match server.keyspace.insert_loaded(keys, state.on_existing) {
                Ok(()) => None,
                Err((db, key)) => Some(Err(LoadError::Duplicate { db, key })),
            },
            Loaded::End(report) => Some(Ok(report)),
            Loaded::Failed(error) => Some(Err(error)),
        };
        if let Some(end) = end {
            server.persistence.loading = None;
            server.follow_pause();
            return Some(end);
        }
        if server.host.mono_us() - start >= budget_us {
            if let Some(state) = &mut server.persistence.loading {
                state.has_more = true;
            }
            return None;
        }
    }
}

/// Loads the RDB file while everybody waits (DEBUG RELOAD).
///
/// # Errors
/// Why it was not loaded to its end.
pub fn load_now(server: &mut Server, path: &Path, on_existing: OnExisting) -> Result<(), LoadError> {
    if !begin_rdb(server, path, on_existing)? {
        return Ok(());
    }
    loop {
        if let Some(end) = slice(server, u64::MAX) {
            let report = end.inspect_err(|error| log::warning(&error.to_string()))?;
            note_loaded(server, &report);
            return Ok(());
        }
        server.host.wait_for_jobs();
    }
}

fn note_loaded(server: &mut Server, report: &LoadReport) {
    let (loaded, expired) = (report.keys_loaded, report.keys_expired);
    let skipped = match report.empty_keys_skipped {
        0 => String::new(),
        count => format!(", empty keys skipped: {count}"),
    };
    log::notice(&format!("Done loading RDB, keys loaded: {loaded}, keys expired: {expired}{skipped}."));
    server.persistence.last_load = (loaded, expired);
    server.persistence.dirty_saved = server.keyspace.dirty;
}

/// Begins to load what the last run left. The server answers LOADING until `work` has put in the last key.
pub fn begin_at_start(server: &mut Server) {
    let path = rdb_path(server);
    match begin_rdb(server, &path, OnExisting::Refuse) {
        Ok(true) => {}
        Ok(false) => announce_ready(server),
        Err(error) => give_up(server, &error),
    }
}

/// Goes on loading at a turn's end.
pub fn work(server: &mut Server) {
    let Some(state) = &server.persistence.loading else { return };
    let started = state.started.mono;
    state.loading.set_key_delay(server.config.key_load_delay.into());
    match slice(server, SLICE_US) {
        None => {}
        Some(Ok(report)) => {
            note_loaded(server, &report);
            let seconds = server.host.mono_us().saturating_sub(started.0) as f64 / 1e6;
            log::notice(&format!("DB loaded from disk: {seconds:.3} seconds"));
            announce_ready(server);
        }
        Some(Err(error)) => give_up(server, &error),
    }
}

fn give_up(server: &mut Server, error: &LoadError) {
    log::warning(&error.to_string());
    log::warning("Terminating server after rdb file reading failure.");
    log::warning("Fatal error loading the DB, check server logs. Exiting.");
    server.actions.push(crate::server::Action::Exit { code: 1 });
}

/// Tells the operator that clients are served.
fn announce_ready(server: &Server) {
    if server.config.port != 0 {
        log::notice("Ready to accept connections tcp");
    }
    if !server.config.unixsocket.is_empty() {
        log::notice("Ready to accept connections unix");
    }
}
