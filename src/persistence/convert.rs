//! One file into another, without a server: through a keyspace of its own, by the loader and the writers that the server
//! uses. Deliberately absent: where the files are, and how the progress is shown.

use std::io;

use crate::base::hash::HashSeed;
use crate::base::time::UnixMillis;
use crate::config::Config;
use crate::keyspace::load::OnExisting;
use crate::keyspace::{AccessPolicy, CutSize, CutStep, Keyspace, KeyspacePolicy, OnDue};

use super::rdb::build::BuildLimits;
use super::rdb::encode::{Compression, Form};
use super::rdb::load::{Item, LoadError, LoadOptions, LoadReport, RdbLoader};
use super::rdb::writer::{AccessNote, RdbOptions};
use super::snapshot::PieceSink;

/// Keys that are put in together.
const BATCH_KEYS: usize = 512;
/// Databases that a file may have.
const DATABASES_MAX: usize = 1024;

/// A keyspace for what files hold, due or not.
pub fn keyspace(seed: u64) -> Keyspace {
    let mut keyspace = Keyspace::new(DATABASES_MAX, seed);
    keyspace.policy.on_due = OnDue::Ignore;
    keyspace
}

/// How a file is read for such a keyspace, or only to be checked: whole, with the encodings of the default configuration.
pub fn load_options(seed: HashSeed, databases: usize, now: UnixMillis) -> LoadOptions {
    LoadOptions {
        limits: BuildLimits::new(&Config::default(), seed),
        seed,
        databases,
        drop_before: None,
        checksum: true,
        any_version: false,
        policy: KeyspacePolicy::default(),
        now,
    }
}

/// Loads all that `loader` reads. `progress` is told how many bytes were.
///
/// # Errors
/// Why the rest cannot be loaded.
pub fn load(
    mut loader: RdbLoader<'_>,
    keyspace: &mut Keyspace,
    progress: &mut dyn FnMut(u64),
) -> Result<LoadReport, LoadError> {
    let mut batch = Vec::with_capacity(BATCH_KEYS);
    loop {
        let is_end = match loader.next_item()? {
            Some(Item::Key(key)) => {
                batch.push(key);
                false
            }
            Some(Item::Room(..) | Item::Function(_) | Item::Aux(..) | Item::Selected(_)) => false,
            None => true,
        };
        if batch.len() == BATCH_KEYS || is_end {
            let keys = std::mem::replace(&mut batch, Vec::with_capacity(BATCH_KEYS));
            let inserted = keyspace.insert_loaded(keys, OnExisting::Refuse);
            inserted.map_err(|(db, key)| LoadError::Duplicate { db, key })?;
            progress(loader.offset());
        }
        if is_end {
            return Ok(loader.report());
        }
    }
}

/// How the keys of a file with this report are written. The AUX fields are the caller's.
pub fn rdb_options(
    form: Form,
    aux: Vec<(&'static str, Vec<u8>)>,
    size: CutSize,
    report: &LoadReport,
    now: UnixMillis,
) -> RdbOptions {
    let mut policy = KeyspacePolicy::default();
    let access = match (report.notes_frequency, report.notes_idle) {
        (true, _) => {
            policy.access = AccessPolicy::Lfu;
            AccessNote::Frequency
        }
        (_, true) => AccessNote::Idle,
        _ => AccessNote::None,
    };
    let functions = report.functions.clone();
    RdbOptions { form, compression: Compression::Lzf, checksum: true, aux, functions, size, access, policy, now }
}

/// Writes what the cut that has begun holds. `progress` is told how many keys were. Returns the bytes written.
///
/// # Errors
/// As the sink's; what was written is gone then.
pub fn write(keyspace: &mut Keyspace, sink: &mut dyn PieceSink, progress: &mut dyn FnMut(u64)) -> io::Result<u64> {
    let mut keys = 0;
    loop {
        let step = keyspace.cut_step();
        for piece in keyspace.take_cut_pieces() {
            let written = sink.piece(&piece, &mut || keys += 1);
            if let Err(error) = written {
                sink.abandon();
                return Err(error);
            }
            progress(keys);
        }
        if step == CutStep::Done {
            return sink.finish().inspect_err(|_| sink.abandon());
        }
    }
}
