//! What the program does beside serving: it checks RDB files, and makes other files of what files hold. Nobody is served.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use crate::base::disk::{Disk, reason};
use crate::base::hash::HashSeed;
use crate::base::log::{self, Level};
use crate::config::Config;
use crate::dispatch::loading;
use crate::keyspace::load::OnExisting;
use crate::node::Node;
use crate::persistence::aof::loader::{AofSource, FileToLoad, TornEnd};
use crate::persistence::aof::rewrite::CommandSink;
use crate::persistence::convert;
use crate::persistence::rdb::check;
use crate::persistence::rdb::encode::Form;
use crate::persistence::rdb::load::{LoadError, LoadOptions, LoadReport, RdbLoader};
use crate::persistence::rdb::reader::Reader;
use crate::persistence::rdb::save::FileSink;
use crate::persistence::rdb::writer::RdbWriter;
use crate::persistence::snapshot::PieceSink;
use crate::persistence::state::LoadedFrom;
use crate::server::{Identity, REDIS_VERSION, VALKEY_VERSION};

use super::disk::RealDisk;
use super::host::{Clock, RealHost};
use super::jobs::Jobs;
use super::main_loop::JOBS;

/// How long keys are put in before the bar moves.
const SLICE_US: u64 = 100_000;
/// Databases that files may have.
const DATABASES_MAX: i32 = 1024;

const CONVERT_USAGE: &str = "\
Usage: russet convert IN OUT [--to redis|valkey|redis-7.0|aof]

Makes an RDB file OUT of what IN holds, in the oldest version that the named servers read and that holds the data; or a
file of the commands that make its keys. IN is an RDB file, an append-only file, a manifest, or the directory of one.
";

/// `russet check-rdb FILE`, also as redis-check-rdb.
pub(super) fn check_rdb(called: &str, arguments: &[String]) -> ExitCode {
    let [name] = arguments else {
        eprintln!("Usage: {called} <rdb-file-name>");
        return ExitCode::FAILURE;
    };
    if name == "-v" || name == "--version" {
        println!("redis-check-rdb v={REDIS_VERSION} (Russet {})", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let now = Clock::new().now().unix();
    let options = convert::load_options(HashSeed::new(now.0 as u64), usize::from(u16::MAX), now);
    let is_ok = match open(Path::new(name), options) {
        Ok((mut loader, _)) => check::check(&mut loader, name, now, &mut |line| println!("{line}")),
        Err(error) => {
            println!("[offset 0] Checking RDB file {name}");
            eprintln!("Cannot open {name}: {error}");
            false
        }
    };
    if is_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn open(path: &Path, options: LoadOptions) -> Result<(RdbLoader<'static>, u64), LoadError> {
    let size = RealDisk.size(path).map_err(LoadError::Io)?;
    let stream = RealDisk.open(path).map_err(LoadError::Io)?;
    Ok((RdbLoader::new(Reader::of_stream(stream, Some(size)), options), size))
}

/// `russet convert`.
pub(super) fn convert(arguments: &[String], seed: u64) -> ExitCode {
    let (input, output, to) = match arguments {
        [input, output] => (input, output, "redis"),
        [input, output, option, to] if option == "--to" => (input, output, to.as_str()),
        _ => {
            eprint!("{CONVERT_USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let form = match to {
        "redis" => Some(Form::Redis),
        "redis-7.0" => Some(Form::Redis70),
        "valkey" => Some(Form::Valkey),
        "aof" => None,
        _ => {
            eprint!("{CONVERT_USAGE}");
            return ExitCode::FAILURE;
        }
    };
    // Commands that fail while they are repeated are told there.
    log::set_sink(Box::new(|level, text| {
        if level == Level::Warning {
            eprintln!("{text}");
        }
    }));
    match convert_files(Path::new(input), Path::new(output), form, seed) {
        Ok(keys) => {
            println!("{keys} keys written to {output}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// A server of which nobody knows, for what files hold.
fn node(seed: u64) -> io::Result<Node> {
    let clock = Clock::new();
    let now = clock.now();
    let poll = mio::Poll::new()?;
    let jobs = Jobs::new(mio::Waker::new(poll.registry(), JOBS)?);
    let host = Box::new(RealHost { clock, changes: Rc::default(), jobs, title: None });
    let config = Config { databases: DATABASES_MAX, ..Config::default() };
    Ok(Node::new(config, seed, now, Identity::default(), host))
}

/// Puts all that these files hold into the node's keyspace.
fn load(node: &mut Node, files: Vec<FileToLoad>, bytes: u64) -> Result<LoadReport, LoadError> {
    let server = &mut node.server;
    let options = convert::load_options(server.keyspace.hash_seed(), server.keyspace.databases(), server.now.unix());
    let torn_end = TornEnd { truncate: false, corrupt_max: 0 };
    let source = AofSource::new(Arc::new(RealDisk), files, options, torn_end, server.config.proto_max_bulk_len);
    loading::begin(server, Box::new(source), LoadedFrom::Aof, bytes, OnExisting::Refuse)?;
    let bar = bar("reading", bytes, "{bytes} of {total_bytes}");
    let end = loop {
        let end = loading::slice(&mut node.server, SLICE_US);
        drop(node.take_garbage());
        if let Some(end) = end {
            break end;
        }
        let state = node.server.persistence.loading.as_ref();
        state.iter().for_each(|state| bar.set_position(state.loading.bytes()));
        if state.is_none_or(|state| !state.has_more) {
            node.server.host.wait_for_jobs();
        }
    };
    bar.finish_and_clear();
    end
}

fn convert_files(input: &Path, output: &Path, form: Option<Form>, seed: u64) -> Result<usize, String> {
    let failed = |error: LoadError| match error {
        LoadError::Io(error) => format!("Cannot read {}: {}", input.display(), reason(&error)),
        other => format!("{}: {other}", input.display()),
    };
    let (files, bytes) = convert::files_of(&RealDisk, input).map_err(failed)?;
    let mut node = node(seed).map_err(|error| reason(&error))?;
    let report = load(&mut node, files, bytes).map_err(failed)?;
    let functions = node.server.scripting.libraries.codes();
    let (keyspace, now) = (&mut node.server.keyspace, node.server.now.unix());
    let size = keyspace.begin_cut();
    if form == Some(Form::Redis70) && size.has_field_expiry {
        eprintln!("Redis 7.0 has no fields that expire: they are written as fields that do not.");
    }
    if form.is_some_and(|form| form != Form::Redis) && size.has_stream_extras {
        eprintln!(
            "Only Redis 8.10 knows what streams remember of additions, and entries that were given back: the one is not \
             written, the others are written as those of a consumer without a name."
        );
    }
    let keys = size.keys();
    let bar = bar("writing", keys as u64, "{pos} of {len} keys");
    let version = match form {
        Some(Form::Valkey) => ("valkey-ver", VALKEY_VERSION.as_bytes().to_vec()),
        _ => ("redis-ver", REDIS_VERSION.as_bytes().to_vec()),
    };
    let aux = vec![
        version,
        ("redis-bits", usize::BITS.to_string().into_bytes()),
        ("ctime", now.seconds().to_string().into_bytes()),
        ("used-mem", crate::storage::alloc::used_memory().to_string().into_bytes()),
        ("aof-base", b"0".to_vec()),
    ];
    let mut temp = output.as_os_str().to_owned();
    temp.push(".temp");
    let sink = FileSink::new(Arc::new(RealDisk), Path::new(&temp), output, true, Arc::new(|| {}));
    let mut writer: Box<dyn PieceSink> = match form {
        Some(form) => {
            Box::new(RdbWriter::new(convert::rdb_options(form, aux, functions, size, &report, now), Box::new(sink)))
        }
        None => Box::new(CommandSink::new(Box::new(sink), None, functions)),
    };
    let written = convert::write(keyspace, &mut *writer, &mut |keys| bar.set_position(keys));
    bar.finish_and_clear();
    written.map_err(|error| format!("Cannot write {}: {}", output.display(), reason(&error)))?;
    Ok(keys)
}

/// A bar on the terminal, if there is one.
fn bar(what: &'static str, total: u64, amount: &str) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(what);
    match ProgressStyle::with_template(&format!("{{msg}} [{{bar:40}}] {amount}, {{eta}} left")) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
