//! Configuration files, standard input and the command line, into a [`Config`].
//!
//! A redis.conf is lines of words ([`super::words`]); `#` begins a comment only at the start of a line; names are in
//! any case; a repeated directive overrides, or adds where it is a list of rules. The command line is turned into such
//! lines and read last. A file whose name ends in `.toml` is read by [`super::toml`].

use crate::base::disk::reason;

use super::choice::not_one_of;
use super::directive::Directive;
use super::setting::{Origin, Shape};
use super::table::Config;
use super::words::{quote, split_words};
use std::fmt::Write as _;
use std::io;

/// The world as the loader needs it.
pub trait ConfigFiles {
    /// The content of a file.
    fn read(&mut self, path: &[u8]) -> io::Result<Vec<u8>>;
    /// The paths that a pattern of `include` matches, in order; none is no error.
    fn expand(&mut self, pattern: &[u8]) -> Vec<Vec<u8>>;
    /// Makes `dir` the working directory: later relative paths start there.
    fn enter(&mut self, dir: &[u8]) -> io::Result<()>;
}

/// Whether the process is a server or a sentinel: only the latter may have `sentinel` lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An ordinary server.
    Server,
    /// Started as redis-sentinel or with `--sentinel`.
    Sentinel,
}

/// Where a configuration comes from. All may be absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'a> {
    /// Path of the file.
    pub path: Option<&'a [u8]>,
    /// What standard input held, if it was asked for.
    pub stdin: Option<&'a [u8]>,
    /// Lines made of the command line.
    pub options: &'a [u8],
}

/// A line that other rooms interpret, with what an error about it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Line number in its file, from 1.
    pub number: usize,
    /// The line as written.
    pub text: Vec<u8>,
    /// Its words, the first in lower case.
    pub words: Vec<Vec<u8>>,
}

impl Entry {
    /// The error that this line is wrong.
    pub fn error(&self, message: impl Into<String>) -> LoadError {
        LoadError::Line { number: self.number, text: self.text.clone(), message: message.into() }
    }
}

/// A configuration and the lines that are not directives of the table, in order of appearance.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The directives.
    pub config: Config,
    /// `user` lines: ACL users, no name twice.
    pub users: Vec<Entry>,
    /// `rename-command` lines, three words each; whether the command exists is not checked.
    pub rename_commands: Vec<Entry>,
    /// `loadmodule` lines.
    pub load_modules: Vec<Entry>,
    /// `sentinel` lines.
    pub sentinel: Vec<Entry>,
    /// Names with a dot: settings of modules.
    pub module_settings: Vec<Entry>,
}

/// Why a configuration was refused.
#[derive(Debug)]
pub enum LoadError {
    /// A line is wrong.
    Line {
        /// Line number in its file, from 1.
        number: usize,
        /// The line as written.
        text: Vec<u8>,
        /// What is wrong.
        message: String,
    },
    /// The lines contradict each other.
    Whole(String),
    /// A file cannot be read.
    Open {
        /// Its path.
        path: Vec<u8>,
        /// Why.
        error: io::Error,
    },
}

impl LoadError {
    /// The text for standard error. `product` names the server, as in `Redis 7.4.0`.
    pub fn report(&self, product: &str) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = match self {
            LoadError::Open { path, error } => {
                let path = String::from_utf8_lossy(path);
                writeln!(out, "Fatal error, can't open config file '{path}': {}", reason(error))
            }
            LoadError::Whole(message) => writeln!(out, "\n*** FATAL CONFIG FILE ERROR ({product}) ***\n{message}"),
            LoadError::Line { number, text, message } => {
                let text = String::from_utf8_lossy(text);
                writeln!(
                    out,
                    "\n*** FATAL CONFIG FILE ERROR ({product}) ***\n\
                     Reading the configuration file, at line {number}\n>>> '{text}'\n{message}"
                )
            }
        };
        out
    }
}

/// Reads all sources in order: file, standard input, command line.
pub fn load(sources: Sources<'_>, role: Role, files: &mut dyn ConfigFiles) -> Result<Loaded, LoadError> {
    let mut loader = Loader { loaded: Loaded::default(), seen: Vec::new(), role, files_left: FILES_MAX, files };
    let mut text = Vec::new();
    if let Some(path) = sources.path {
        let content = loader.open(path)?;
        if is_toml(path) {
            loader.read_toml(&content)?;
        } else {
            text = content;
        }
    }
    if let Some(stdin) = sources.stdin {
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend_from_slice(stdin);
    }
    // The options follow a line end of their own, so that errors name the lines that they name in Redis.
    text.push(b'\n');
    text.extend_from_slice(sources.options);
    loader.read_lines(&text, 0)?;
    let mut loaded = loader.loaded;
    loaded.config.settle();
    if loaded.config.cluster_enabled && !loaded.config.replicaof.host.is_empty() {
        return Err(LoadError::Whole("replicaof directive not allowed in cluster mode".to_owned()));
    }
    Ok(loaded)
}

/// What the command line says, before any file is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The file, if the first argument names one.
    pub path: Option<Vec<u8>>,
    /// A lone `-`, first or last: read standard input too.
    pub reads_stdin: bool,
    /// The options as lines of a file.
    pub options: Vec<u8>,
}

/// Turns the arguments after the program's name into a [`CommandLine`]. `--name` begins a line, what follows are its
/// values; the argument straight after a lone `--name` is a value even if it begins with dashes, except after
/// `--save` and `--sentinel`, which may stand alone.
pub fn parse_command_line(arguments: &[&[u8]]) -> CommandLine {
    let mut line = CommandLine::default();
    let mut rest = arguments;
    if let [first, tail @ ..] = arguments
        && !first.starts_with(b"-")
    {
        line.path = Some(first.to_vec());
        rest = tail;
    }
    let has_path = line.path.is_some();
    let mut may_begin_name = true;
    for (place, argument) in rest.iter().enumerate() {
        let is_last = place + 1 == rest.len();
        if *argument == b"-" && (is_last || (place == 0 && !has_path)) {
            line.reads_stdin = true;
            continue;
        }
        let Some(name) = argument.strip_prefix(b"--").filter(|_| may_begin_name) else {
            line.options.extend(quote(argument));
            line.options.push(b' ');
            may_begin_name = true;
            continue;
        };
        if !line.options.is_empty() {
            line.options.push(b'\n');
        }
        line.options.extend_from_slice(name);
        line.options.push(b' ');
        let is_alone = split_words(argument).is_ok_and(|words| words.len() == 1);
        let next_is_name = rest.get(place + 1).is_none_or(|next| next.starts_with(b"--"));
        let may_stand_alone = match name.to_ascii_lowercase().as_slice() {
            b"save" => {
                if next_is_name {
                    line.options.extend_from_slice(b"\"\"");
                }
                true
            }
            name => name == b"sentinel",
        };
        may_begin_name = !is_alone || (may_stand_alone && next_is_name);
    }
    line
}

/// Files read for one configuration, so that one including itself twice comes to an end.
const FILES_MAX: usize = 1000;
/// Files including files.
const DEPTH_MAX: usize = 32;

/// Names that older servers knew and that mean nothing: taken with one value.
const FORGOTTEN: [&[u8]; 3] = [b"list-max-ziplist-entries", b"list-max-ziplist-value", b"lua-replicate-commands"];

struct Loader<'a> {
    loaded: Loaded,
    /// Directives that had a line.
    seen: Vec<&'static Directive>,
    role: Role,
    files_left: usize,
    files: &'a mut dyn ConfigFiles,
}

impl Loader<'_> {
    fn open(&mut self, path: &[u8]) -> Result<Vec<u8>, LoadError> {
        let content = match self.files_left.checked_sub(1) {
            Some(left) => {
                self.files_left = left;
                self.files.read(path)
            }
            None => Err(io::Error::other("too many included files")),
        };
        content.map_err(|error| LoadError::Open { path: path.to_vec(), error })
    }

    fn read_lines(&mut self, text: &[u8], depth: usize) -> Result<(), LoadError> {
        for (place, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            let entry = Entry { number: place + 1, text: line.to_vec(), words: Vec::new() };
            let words = split_words(line).map_err(|_| entry.error("Unbalanced quotes in configuration line"))?;
            if !words.is_empty() {
                self.read_entry(Entry { words, ..entry }, depth)?;
            }
        }
        Ok(())
    }

    fn read_toml(&mut self, content: &[u8]) -> Result<(), LoadError> {
        for entry in super::toml::parse(content)? {
            self.read_entry(entry, 0)?;
        }
        Ok(())
    }

    fn read_entry(&mut self, mut entry: Entry, depth: usize) -> Result<(), LoadError> {
        entry.words[0].make_ascii_lowercase();
        if let Some(directive) = Directive::find(&entry.words[0]) {
            return self.read_directive(directive, &entry);
        }
        match (entry.words[0].as_slice(), entry.words.len()) {
            (b"include", 2) => return self.include(&entry, depth),
            (b"rename-command", 3) => self.loaded.rename_commands.push(entry),
            (b"loadmodule", 2..) => self.loaded.load_modules.push(entry),
            (b"user", 2..) => return self.add_user(entry),
            (b"sentinel", 1) if self.role == Role::Sentinel => {}
            (b"sentinel", _) if self.role == Role::Sentinel => self.loaded.sentinel.push(entry),
            (b"sentinel", 2..) => return Err(entry.error("sentinel directive while not in sentinel mode")),
            (name, 2) if FORGOTTEN.contains(&name) => {}
            (name, 2..) if name.contains(&b'.') => self.loaded.module_settings.push(entry),
            _ => return Err(entry.error("Bad directive or wrong number of arguments")),
        }
        Ok(())
    }

    fn read_directive(&mut self, directive: &'static Directive, entry: &Entry) -> Result<(), LoadError> {
        let words = words_of(directive, &entry.words[1..]).map_err(|message| entry.error(message))?;
        let is_seen = self.seen.iter().any(|known| std::ptr::eq(*known, directive));
        let origin = if is_seen { Origin::FurtherLine } else { Origin::FirstLine };
        directive.read(&mut self.loaded.config, &words, origin).map_err(|message| entry.error(message))?;
        if !is_seen {
            self.seen.push(directive);
        }
        if directive.name() == "dir" {
            self.files.enter(&self.loaded.config.dir).map_err(|error| entry.error(reason(&error)))?;
        }
        Ok(())
    }

    fn include(&mut self, entry: &Entry, depth: usize) -> Result<(), LoadError> {
        if depth == DEPTH_MAX {
            return Err(entry.error("include files are nested too deeply"));
        }
        let pattern = entry.words[1].as_slice();
        let is_pattern = pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['));
        let paths = if is_pattern { self.files.expand(pattern) } else { vec![pattern.to_vec()] };
        for path in paths {
            let content = self.open(&path)?;
            if is_toml(&path) {
                self.read_toml(&content)?;
            } else {
                self.read_lines(&content, depth + 1)?;
            }
        }
        Ok(())
    }

    fn add_user(&mut self, entry: Entry) -> Result<(), LoadError> {
        if self.loaded.users.iter().any(|known| known.words[1] == entry.words[1]) {
            let name = String::from_utf8_lossy(&entry.words[1]);
            let found = "Duplicate user found. A user can only be defined once in config files";
            return Err(entry.error(format!("Error in user declaration '{name}': {found}")));
        }
        self.loaded.users.push(entry);
        Ok(())
    }
}

/// What stands behind a directive's name in a file, as the words that its field reads.
pub(super) fn words_of<'a>(directive: &Directive, values: &'a [Vec<u8>]) -> Result<Vec<&'a [u8]>, String> {
    match values {
        [] if directive.is_list && matches!(directive.shape, Shape::Choice(_)) => Err(not_one_of(&directive.shape)),
        // No save point at all may be written as nothing at all.
        [] if directive.name() == "save" => Ok(vec![b""]),
        [] => Err("wrong number of arguments".to_owned()),
        [value] if directive.is_list => Ok(value.split(|byte| *byte == b' ').collect()),
        _ => Ok(values.iter().map(Vec::as_slice).collect()),
    }
}

/// Whether a path names a TOML file.
pub fn is_toml(path: &[u8]) -> bool {
    path.to_ascii_lowercase().ends_with(b".toml")
}

#[cfg(test)]
pub(crate) mod tests;
