//! `russet check-aof`, also under the name `redis-check-aof`: the tool in a terminal.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use crate::base::hash::HashSeed;
use crate::persistence::aof::check::{Check, Console, Mode};
use crate::persistence::convert;

use super::disk::RealDisk;
use super::host::Clock;

struct Terminal;

impl Console for Terminal {
    fn show(&mut self, text: &str) {
        // Who reads no more is told nothing more.
        let _ = std::io::stdout().write_all(text.as_bytes());
        let _ = std::io::stdout().flush();
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        // No answer is no consent.
        let _ = std::io::stdin().read_line(&mut line);
        line
    }
}

/// Checks an append-only file as these arguments say.
pub(super) fn aof(arguments: &[OsString]) -> ExitCode {
    let usage = || {
        println!("Usage: redis-check-aof [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>");
        ExitCode::FAILURE
    };
    let words: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
    let (mode, path) = match words.as_slice() {
        [_] => (Mode::Check, 0),
        [b"--fix", _] => (Mode::Fix, 1),
        [b"--truncate-to-timestamp", time, _] => match String::from_utf8_lossy(time).parse() {
            Ok(time) if time > 0 => (Mode::TruncateTo(time), 2),
            _ => {
                println!("Invalid timestamp, aborting...");
                return ExitCode::FAILURE;
            }
        },
        _ => return usage(),
    };
    let Some(path) = arguments.get(path) else { return usage() };
    let now = Clock::new().now().unix();
    let options = convert::load_options(HashSeed::new(0), usize::from(u16::MAX), now);
    ExitCode::from(Check::new(&RealDisk, options, mode, &mut Terminal).run(Path::new(path)))
}
