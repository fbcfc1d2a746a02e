//! Loading as the server sees it: begins a job, puts what it decodes into the keyspace slice by slice, answers for the end.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::base::disk::{self, parent, reason};
use crate::base::log;
use crate::base::time::MonoTime;
use crate::config::RdbVersionCheck;
use crate::keyspace::load::OnExisting;
use crate::keyspace::{DbIndex, OnDue};
use crate::persistence::aof::AofState;
use crate::persistence::aof::loader::{AofSource, FileToLoad, TornEnd};
use crate::persistence::aof::manifest::{Manifest, path_of};
use crate::persistence::aof::reader::CommandBatch;
use crate::persistence::load::{LoadSource, Loaded, Loading, RdbSource};
use crate::persistence::rdb::build::BuildLimits;
use crate::persistence::rdb::load::{LoadError, LoadOptions, LoadReport, RdbLoader};
use crate::persistence::rdb::reader::Reader;
use crate::persistence::state::{LoadedFrom, LoadingState};
use crate::server::scripting::Freeing;
use crate::server::{Action, Client, ClientFlags, Server};

use super::{appending, backup, call, rewriting, script_libraries};

/// Microseconds of inserting in one turn.
const SLICE_US: u64 = 500;
/// Commands of an append-only file between two looks at the clock.
const STEP_COMMANDS: usize = 32;

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
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(LoadError::Io(error)),
    };
    let stream = disk.open(path).map_err(LoadError::Io)?;
    let loader = RdbLoader::new(Reader::of_stream(stream, Some(size)), load_options(server));
    begin(server, Box::new(RdbSource::new(loader)), LoadedFrom::Rdb, size, on_existing)?;
    Ok(true)
}

/// Begins to load what `source` yields, so many bytes of files.
///
/// # Errors
/// If the system gives no thread.
pub fn begin(
    server: &mut Server,
    source: Box<dyn LoadSource>,
    from: LoadedFrom,
    total_bytes: u64,
    on_existing: OnExisting,
) -> Result<(), LoadError> {
    let delay = server.config.key_load_delay.into();
    let (loading, job) = Loading::new(source, delay, server.host.wake(), server.host.sleep());
    server.host.spawn("load", job).map_err(LoadError::Io)?;
    server.persistence.loading = Some(LoadingState {
        loading,
        from,
        started: server.now,
        file_started: MonoTime(server.host.mono_us()),
        db: DbIndex(0),
        total_bytes,
        on_existing,
        commands: None,
        has_more: true,
    });
    // What is due waits until everything is there.
    server.keyspace.policy.on_due = OnDue::Ignore;
    Ok(())
}

/// Begins to load the append-only file. False if there is none.
///
/// # Errors
/// Why it cannot be loaded.
fn begin_aof(server: &mut Server) -> Result<bool, LoadError> {
    let disk = server.host.disk();
    let aof = &server.persistence.aof;
    let (files, total_bytes) = FileToLoad::all(&*disk, &aof.manifest, |name| disk.absolute(&aof.names.path(name)))?;
    if files.is_empty() {
        return Ok(false);
    }
    let torn_end = TornEnd {
        truncate: server.config.aof_load_truncated,
        corrupt_max: server.config.aof_load_corrupt_tail_max_size.max(0) as u64,
    };
    // Keys that are due stay until all commands are repeated: one of them may have let a key live on.
    let options = LoadOptions { drop_before: None, ..load_options(server) };
    let source = Box::new(AofSource::new(disk, files, options, torn_end, server.config.proto_max_bulk_len));
    begin(server, source, LoadedFrom::Aof, total_bytes, OnExisting::Refuse)?;
    Ok(true)
}

/// Reads the manifest, if there is one. False (the log says why) if it cannot be understood.
fn read_manifest(server: &mut Server) -> bool {
    let names = appending::names(server);
    let path = names.path(&names.manifest());
    server.persistence.aof.names = names;
    let parsed = match disk::read_all(&*server.host.disk(), &path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Manifest::default()),
        Err(error) => {
            let (name, why) = (path.display(), reason(&error));
            log::warning(&format!("Fatal error: can't open the AOF manifest file {name} for reading: {why}"));
            return false;
        }
        Ok(text) => Manifest::parse(&text),
    };
    match parsed {
        Ok(manifest) => {
            server.persistence.aof.manifest = manifest;
            true
        }
        Err(bad) => {
            bad.report().iter().for_each(|line| log::warning(line));
            false
        }
    }
}

/// An append-only file of the old form, in one piece, becomes the base of one of the new form.
fn upgrade_old_file(server: &mut Server) -> std::io::Result<()> {
    let disk = server.host.disk();
    let aof = &mut server.persistence.aof;
    let old = path_of(aof.names.stem());
    if disk.size(&old).is_err() {
        return Ok(());
    }
    let is_begun = aof.manifest.incremental.is_empty()
        && aof.manifest.base.as_ref().is_some_and(|base| base.name == aof.names.stem())
        && disk.size(&aof.names.path(aof.names.stem())).is_err();
    let has_manifest = disk.size(&aof.names.path(&aof.names.manifest())).is_ok();
    if has_manifest && !is_begun {
        return Ok(());
    }
    if disk.create_dir(aof.names.dir())? {
        disk.sync_dir(parent(aof.names.dir()))?;
    }
    if !has_manifest {
        let mut manifest = Manifest::default();
        manifest.adopt_base(aof.names.stem());
        aof.manifest = manifest;
        aof.new_manifest(&aof.manifest, |path| disk.absolute(path)).persist(&*disk)?;
    }
    disk.rename(&old, &aof.names.path(aof.names.stem()))?;
    disk.sync_dir(aof.names.dir())?;
    let (file, dir) = (String::from_utf8_lossy(aof.names.stem()).into_owned(), aof.names.dir().display());
    log::notice(&format!("Successfully migrated an old-style AOF file ({file}) into the AOF directory ({dir})."));
    Ok(())
}

/// Puts what was decoded into the keyspace, for a slice of time. The end, once it is reached.
pub fn slice(server: &mut Server, budget_us: u64) -> Option<Result<LoadReport, LoadError>> {
    let start = server.host.mono_us();
    loop {
        let state = server.persistence.loading.as_mut()?;
        state.has_more = false;
        let next = match state.commands.take() {
            Some(batch) => Loaded::Commands(batch),
            None => state.loading.poll()?,
        };
        let end = match next {
            Loaded::Room(db, table) => {
                server.keyspace.adopt_table(db, *table);
                None
            }
            Loaded::Keys(keys) => match server.keyspace.insert_loaded(keys, state.on_existing) {
                Ok(()) => None,
                Err((db, key)) => Some(Err(LoadError::Duplicate { db, key })),
            },
            Loaded::Function(code) => {
                let on_existing = state.on_existing;
                let added = script_libraries::add_library_of_file(server, &code, on_existing);
                added.err().map(|why| Err(LoadError::Function(format!("Failed loading functions: {why}"))))
            }
            Loaded::Commands(batch) => repeat_commands(server, batch).err().map(Err),
            Loaded::FileEnd(file) => {
                note_file(server, &file);
                None
            }
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

/// Repeats some commands as a client that nobody sees, and keeps the others for the next step.
fn repeat_commands(server: &mut Server, mut batch: CommandBatch) -> Result<(), LoadError> {
    let Some(db) = server.persistence.loading.as_ref().map(|state| state.db) else { return Ok(()) };
    let flags = ClientFlags::AUTHENTICATED.or(ClientFlags::DENY_BLOCKING);
    let (id, place) = server.clients.add(Client { db, flags, ..Client::default() });
    server.keyspace.now = server.now.unix();
    server.keyspace.no_touch = false;
    // What is repeated is no change of the data: the command that has it repeated (DEBUG LOADAOF) must not be written.
    let dirty = server.keyspace.dirty;
    let enabled = std::mem::take(&mut server.propagation.enabled);
    let file = batch.file.clone();
    let result = batch.visit_some(STEP_COMMANDS, |argv| repeat(server, place, argv, &file));
    server.propagation.enabled = enabled;
    server.keyspace.dirty = dirty;
    let db = server.clients.remove(id).map_or(db, |client| client.db);
    if let Some(state) = &mut server.persistence.loading {
        state.db = db;
        state.commands = matches!(result, Ok(true)).then_some(batch);
    }
    result.map(drop)
}

fn repeat(server: &mut Server, place: u32, argv: &[&[u8]], file: &str) -> Result<(), LoadError> {
    let unknown = || {
        let name = argv.first().map(|name| String::from_utf8_lossy(name)).unwrap_or_default();
        LoadError::Aof(format!("Unknown command '{name}' reading the append only file {file}"))
    };
    let id = super::lookup_command(server, argv).map_err(|_| unknown())?;
    let result = super::check_arity(server, id, argv).and_then(|()| call::replay(server, place, id, argv));
    if let Err(error) = result {
        let name = &server.commands.entry(id).full_name;
        log::warning(&format!(
            "== CRITICAL == This server is sending an error to its AOF-loading-client: '-{error}' after processing the \
             command '{name}'"
        ));
    }
    // What a command told others of itself is no news now.
    if !server.keyspace.events.is_quiet() {
        server.keyspace.events.forget();
    }
    Ok(())
}

fn note_file(server: &mut Server, file: &FileToLoad) {
    let now = MonoTime(server.host.mono_us());
    let Some(state) = &mut server.persistence.loading else { return };
    let seconds = now.since(state.file_started) as f64 / 1e6;
    state.file_started = now;
    let kind = if file.is_base { "base" } else { "incr" };
    log::notice(&format!("DB loaded from {kind} file {}: {seconds:.3} seconds", file.name));
}

/// Loads the RDB file while everybody waits (DEBUG RELOAD).
///
/// # Errors
/// Why it was not loaded to its end.
pub fn load_now(server: &mut Server, path: &Path, on_existing: OnExisting) -> Result<(), LoadError> {
    if !begin_rdb(server, path, on_existing)? {
        return Ok(());
    }
    let report = run_to_end(server)?;
    note_loaded(server, &report);
    Ok(())
}

fn run_to_end(server: &mut Server) -> Result<LoadReport, LoadError> {
    loop {
        if let Some(end) = slice(server, u64::MAX) {
            return end.inspect_err(|error| log::warning(&error.to_string()));
        }
        server.host.wait_for_jobs();
    }
}

/// Forgets everything and loads the append-only file as it is on the disk, while everybody waits (DEBUG LOADAOF).
///
/// # Errors
/// Why it was not loaded to its end.
pub fn reload_aof(server: &mut Server) -> Result<(), LoadError> {
    appending::settle_files(server);
    if !read_manifest(server) {
        return Err(LoadError::Aof("the manifest cannot be understood".to_owned()));
    }
    rewriting::begin_anew(server);
    server.keyspace.flush(None, false);
    script_libraries::flush_libraries(server, Freeing::Sync);
    server.keyspace.events.forget();
    let result = begin_aof(server).and_then(|begun| if begun { run_to_end(server).map(drop) } else { Ok(()) });
    // Only now, since the file may be there for the backup alone.
    backup::fail(server, "debug loadaof executed");
    server.persistence.dirty_saved = server.keyspace.dirty;
    result
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
    if !read_manifest(server) {
        return server.actions.push(Action::Exit { code: 1 });
    }
    let begun = if server.config.appendonly {
        upgrade_old_file(server).map_err(LoadError::Io).and_then(|()| begin_aof(server))
    } else {
        let path = rdb_path(server);
        begin_rdb(server, &path, OnExisting::Refuse)
    };
    match begun {
        Ok(true) => {}
        Ok(false) => finish_start(server, LoadedFrom::Aof),
        Err(error) => give_up(server, &error),
    }
}

/// Goes on loading at a turn's end.
pub fn work(server: &mut Server) {
    let Some(state) = &server.persistence.loading else { return };
    let (started, from) = (state.started.mono, state.from);
    state.loading.set_key_delay(server.config.key_load_delay.into());
    match slice(server, SLICE_US) {
        None => {}
        Some(Ok(report)) => {
            let seconds = server.host.mono_us().saturating_sub(started.0) as f64 / 1e6;
            match from {
                LoadedFrom::Rdb => {
                    note_loaded(server, &report);
                    log::notice(&format!("DB loaded from disk: {seconds:.3} seconds"));
                }
                LoadedFrom::Aof => {
                    server.persistence.last_load = (report.keys_loaded, report.keys_expired);
                    server.persistence.dirty_saved = server.keyspace.dirty;
                    log::notice(&format!("DB loaded from append only file: {seconds:.3} seconds"));
                }
            }
            finish_start(server, from);
        }
        Some(Err(error)) => give_up(server, &error),
    }
}

/// Everything is there: opens the append-only file, if there is to be one, and serves clients.
fn finish_start(server: &mut Server, from: LoadedFrom) {
    if server.config.appendonly && server.persistence.aof.state == AofState::Off {
        let opened = match from {
            LoadedFrom::Aof => appending::open_at_start(server).map_err(|error| reason(&error)),
            // It was turned on meanwhile: what was loaded is not in it yet.
            LoadedFrom::Rdb => rewriting::turn_on(server),
        };
        if let Err(why) = opened {
            log::warning(&format!("Can't open the append-only file: {why}"));
            return server.actions.push(Action::Exit { code: 1 });
        }
    }
    announce_ready(server);
}

fn give_up(server: &mut Server, error: &LoadError) {
    log::warning(&error.to_string());
    if !matches!(error, LoadError::Aof(_)) {
        log::warning("Terminating server after rdb file reading failure.");
        log::warning("Fatal error loading the DB, check server logs. Exiting.");
    }
    server.actions.push(Action::Exit { code: 1 });
}

/// Tells the operator that clients are served.
fn announce_ready(server: &Server) {
    if server.config.port != 0 {
        log::notice("Ready to accept connections tcp");
    }
    if server.config.tls_port != 0 {
        log::notice("Ready to accept connections tls");
    }
    if !server.config.unixsocket.is_empty() {
        log::notice("Ready to accept connections unix");
    }
}
