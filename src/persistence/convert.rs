//! One file into another, by the loaders and the writers that the server uses: which files what the operator names stands
//! for, and how they are read and written. Deliberately absent: the loading, since commands are repeated by a whole server, and
//! how the progress is shown.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::base::disk::{Disk, parent, read_all};
use crate::base::hash::HashSeed;
use crate::base::time::UnixMillis;
use crate::config::Config;
use crate::keyspace::{AccessPolicy, CutSize, CutStep, Keyspace, KeyspacePolicy};

use super::aof::loader::FileToLoad;
use super::aof::manifest::{Manifest, path_of};
use super::rdb::build::BuildLimits;
use super::rdb::encode::{Compression, Form};
use super::rdb::load::{LoadError, LoadOptions, LoadReport};
use super::rdb::writer::{AccessNote, RdbOptions};
use super::snapshot::PieceSink;

/// So much of a file tells what it is.
const HEAD_BYTES: u64 = 64 * 1024;

/// The files that a path stands for, and how many bytes they are: an RDB file or an append-only file in one piece, a manifest
/// with the files that it names, a directory with one manifest.
///
/// # Errors
/// If it is none of these, or not whole.
pub fn files_of(disk: &dyn Disk, path: &Path) -> Result<(Vec<FileToLoad>, u64), LoadError> {
    let Ok(names) = disk.list(path) else { return files_of_file(disk, path) };
    let is_manifest = |name: &PathBuf| {
        let name = name.to_string_lossy();
        name.ends_with(".manifest") && !name.starts_with("temp-")
    };
    let manifests: Vec<PathBuf> = names.into_iter().filter(is_manifest).collect();
    match manifests.as_slice() {
        [name] => files_of_file(disk, &path.join(name)),
        [] => Err(LoadError::Aof("there is no manifest of an append-only file in this directory".to_owned())),
        _ => Err(LoadError::Aof("there are several manifests in this directory: name one of them".to_owned())),
    }
}

fn files_of_file(disk: &dyn Disk, path: &Path) -> Result<(Vec<FileToLoad>, u64), LoadError> {
    let mut head = Vec::new();
    disk.open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head)).map_err(LoadError::Io)?;
    // Both kinds of text have lines that only people read.
    let line = head.split(|&byte| byte == b'\n').find(|line| line.first() != Some(&b'#')).unwrap_or_default();
    if line.starts_with(b"file ") {
        let text = read_all(disk, path).map_err(LoadError::Io)?;
        let manifest = Manifest::parse(&text).map_err(|bad| LoadError::Aof(bad.report().concat()))?;
        return FileToLoad::all(disk, &manifest, |name| parent(path).join(path_of(name)));
    }
    let is_known = [b"REDIS".as_slice(), b"VALKEY", b"*", b"#"].iter().any(|start| head.starts_with(start));
    if !is_known {
        return Err(LoadError::Aof("it is neither an RDB file nor an append-only file".to_owned()));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (file, bytes) = FileToLoad::find(disk, name.as_bytes(), path, true)?;
    Ok((vec![file], bytes))
}

/// How a file is read to be converted or checked: whole, due keys and all, with the encodings of the default configuration.
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

/// How the keys of a file with this report are written. The AUX fields, and the code of libraries of functions, are the caller's.
pub fn rdb_options(
    form: Form,
    aux: Vec<(&'static str, Vec<u8>)>,
    functions: Vec<Vec<u8>>,
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
        for mut piece in keyspace.take_cut_pieces() {
            let written = sink.piece(&mut piece, &mut || keys += 1);
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
