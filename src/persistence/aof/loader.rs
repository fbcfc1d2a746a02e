//! Loading an append-only file: base, then incremental files, each an RDB file, commands, or the one followed by the
//! other. A torn end of the last file is cut off if that is allowed.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::disk::{Disk, reason};
use crate::base::log;
use crate::persistence::load::{LoadSource, Loaded, RdbSource};
use crate::persistence::rdb::load::{LoadError, LoadOptions, LoadReport, RdbLoader};
use crate::persistence::rdb::reader::Reader;

use super::manifest::Manifest;
use super::reader::{ARGUMENT_MAX, CommandReader, Source, Stop};

/// A file to load.
#[derive(Clone, Debug)]
pub struct FileToLoad {
    /// Its name as logs show it.
    pub name: Arc<str>,
    /// Where it is.
    pub path: PathBuf,
    /// Is it the base?
    pub is_base: bool,
}

impl FileToLoad {
    /// A file of this name; and how many bytes it is.
    ///
    /// # Errors
    /// If it is not there.
    pub fn find(disk: &dyn Disk, name: &[u8], path: &Path, is_base: bool) -> Result<(FileToLoad, u64), LoadError> {
        let name = String::from_utf8_lossy(name).into_owned();
        let bytes = disk.size(path).map_err(|error| {
            LoadError::Aof(format!("Unable to obtain the AOF file {name} length. stat: {}", reason(&error)))
        })?;
        Ok((FileToLoad { name: name.into(), path: path.to_owned(), is_base }, bytes))
    }

    /// Its name and that of its directory.
    fn in_directory(&self) -> String {
        let dir = self.path.parent().and_then(Path::file_name).unwrap_or_default();
        format!("{}/{}", dir.display(), self.name)
    }

    /// The files of a manifest in the order in which they are loaded, and how many bytes they are. `path` tells where a file
    /// of a name is.
    ///
    /// # Errors
    /// If one of them is not there.
    pub fn all(
        disk: &dyn Disk,
        manifest: &Manifest,
        path: impl Fn(&[u8]) -> PathBuf,
    ) -> Result<(Vec<FileToLoad>, u64), LoadError> {
        let (mut files, mut total) = (Vec::new(), 0);
        for file in manifest.files() {
            let is_base = manifest.base.as_ref() == Some(file);
            let (file, bytes) = FileToLoad::find(disk, &file.name, &path(&file.name), is_base)?;
            files.push(file);
            total += bytes;
        }
        Ok((files, total))
    }
}

/// What is done about an end that is not whole.
#[derive(Clone, Copy, Debug)]
pub struct TornEnd {
    /// Is a command that is not whole cut off? (aof-load-truncated)
    pub truncate: bool,
    /// So many bytes that are no commands are cut off (aof-load-corrupt-tail-max-size).
    pub corrupt_max: u64,
}

/// A file on a disk, as its reader sees it.
struct FileSource {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    len: u64,
}

impl Source for FileSource {
    fn open_at(&self, offset: u64) -> std::io::Result<Box<dyn Read + Send>> {
        self.disk.open_at(&self.path, offset)
    }

    fn bytes(&self) -> u64 {
        self.len
    }
}

enum Current {
    /// An RDB file in a file of so many bytes; commands may follow it.
    Rdb {
        source: Box<RdbSource>,
        size: u64,
    },
    Commands(CommandReader),
}

/// The content of all files.
pub struct AofSource {
    disk: Arc<dyn Disk>,
    files: VecDeque<FileToLoad>,
    options: LoadOptions,
    torn_end: TornEnd,
    /// No argument of a command is longer.
    argument_max: u64,
    current: Option<(FileToLoad, Current)>,
    /// Bytes of files that are done.
    bytes_done: u64,
    report: LoadReport,
}

impl AofSource {
    /// What these files hold, in this order. Arguments may be as long as the server lets clients send them (proto-max-bulk-len),
    /// if that is more than usual.
    pub fn new(
        disk: Arc<dyn Disk>,
        files: Vec<FileToLoad>,
        options: LoadOptions,
        torn_end: TornEnd,
        bulk_max: u64,
    ) -> AofSource {
        AofSource {
            disk,
            files: files.into(),
            options,
            torn_end,
            argument_max: bulk_max.max(ARGUMENT_MAX),
            current: None,
            bytes_done: 0,
            report: LoadReport::default(),
        }
    }

    fn open(&self, file: &FileToLoad) -> Result<Current, LoadError> {
        let name = &file.name;
        let failed = |error| {
            LoadError::Aof(format!(
                "Fatal error: can't open the append log file {name} for reading: {}",
                reason(&error)
            ))
        };
        let mut head = Vec::new();
        self.disk.open(&file.path).and_then(|stream| stream.take(6).read_to_end(&mut head)).map_err(failed)?;
        let stream = self.disk.open(&file.path).map_err(failed)?;
        let size = self.disk.size(&file.path).map_err(failed)?;
        if !head.starts_with(b"REDIS") && !head.starts_with(b"VALKEY") {
            return Ok(Current::Commands(self.commands_of(file, size, (Vec::new(), stream), 0)));
        }
        log::notice(if name.contains(".base.") {
            "Reading RDB base file on AOF loading..."
        } else {
            "Reading RDB preamble from AOF file..."
        });
        let loader = RdbLoader::new(Reader::of_stream(stream, Some(size)), self.options);
        Ok(Current::Rdb { source: Box::new(RdbSource::new(loader)), size })
    }

    fn commands_of(
        &self,
        file: &FileToLoad,
        len: u64,
        read: (Vec<u8>, Box<dyn Read + Send>),
        start: u64,
    ) -> CommandReader {
        let source = FileSource { disk: self.disk.clone(), path: file.path.clone(), len };
        CommandReader::new(Arc::new(source), file.name.clone(), self.argument_max, read, start)
    }

    /// What comes next of a file, or None at its end.
    fn go_on(&mut self, file: &FileToLoad, current: Current) -> Option<Loaded> {
        match current {
            Current::Rdb { mut source, size } => match source.next() {
                Loaded::End(report) => {
                    self.report.keys_loaded += report.keys_loaded;
                    self.report.keys_expired += report.keys_expired;
                    self.report.empty_keys_skipped += report.empty_keys_skipped;
                    self.report.notes_idle |= report.notes_idle;
                    self.report.notes_frequency |= report.notes_frequency;
                    let (loaded, expired) = (report.keys_loaded, report.keys_expired);
                    log::notice(&format!("Done loading RDB, keys loaded: {loaded}, keys expired: {expired}."));
                    let loader = source.into_loader();
                    let offset = loader.offset();
                    let (rest, stream) = loader.into_reader().into_rest();
                    let stream = stream.unwrap_or_else(|| Box::new(std::io::empty()));
                    let reader = self.commands_of(file, size, (rest, stream), offset);
                    self.current = Some((file.clone(), Current::Commands(reader)));
                    Some(self.next())
                }
                loaded => {
                    self.current = Some((file.clone(), Current::Rdb { source, size }));
                    Some(loaded)
                }
            },
            Current::Commands(mut reader) => match reader.next_batch() {
                Ok(batch) => {
                    self.current = Some((file.clone(), Current::Commands(reader)));
                    Some(Loaded::Commands(batch))
                }
                Err(stop) => {
                    self.bytes_done += reader.offset();
                    self.end_of(file, stop).map(Loaded::Failed)
                }
            },
        }
    }

    /// What the end of a file means: None if it is a good one, or made so.
    fn end_of(&self, file: &FileToLoad, stop: Stop) -> Option<LoadError> {
        let (name, shown, is_last) = (&file.name, file.in_directory(), self.files.is_empty());
        match stop {
            Stop::End => None,
            Stop::Io(error) => Some(LoadError::Aof(format!(
                "Unrecoverable error reading the append only file {name}: {}",
                reason(&error)
            ))),
            Stop::Short { valid, in_transaction } => {
                if in_transaction {
                    log::warning(&format!("Revert incomplete MULTI/EXEC transaction in AOF file {name}"));
                }
                if !self.torn_end.truncate {
                    return Some(LoadError::Aof(format!(
                        "Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF \
                         file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the \
                         'aof-load-truncated' configuration option to yes and restart the server."
                    )));
                }
                log::warning(&format!("!!! Warning: short read while loading the AOF file {name}!!!"));
                if !is_last {
                    return Some(LoadError::Aof("Fatal error: the truncated file is not the last file".to_owned()));
                }
                log::warning(&format!("!!! Truncating the AOF {name} at offset {valid} !!!"));
                self.cut_off(file, valid, "aof-load-truncated")
            }
            Stop::Format { valid } => {
                let size = self.disk.size(&file.path).unwrap_or(u64::MAX);
                let rest = size.saturating_sub(valid);
                if is_last && rest <= self.torn_end.corrupt_max {
                    log::warning("!!! Warning: corrupt AOF file tail!!!");
                    log::warning(&format!("!!! Truncating the AOF {shown} at offset {valid} (remaining {rest}) !!!"));
                    return self.cut_off(file, valid, "aof-load-corrupt-tail-max-size");
                }
                // Only in the last file may something be cut off.
                let other = match is_last {
                    true => format!(
                        " Alternatively you can set the 'aof-load-corrupt-tail-max-size' configuration option to {rest} and \
                         restart the server."
                    ),
                    false => String::new(),
                };
                Some(LoadError::Aof(format!(
                    "Bad file format reading the append only file {shown} at offset {valid}. make a backup of your AOF file, \
                     then use ./redis-check-aof --fix <filename.manifest>.{other}"
                )))
            }
        }
    }

    /// Cuts the file, as this directive allows.
    fn cut_off(&self, file: &FileToLoad, valid: u64, directive: &str) -> Option<LoadError> {
        let name = &file.name;
        if let Err(error) = self.disk.truncate(&file.path, valid) {
            return Some(LoadError::Aof(format!("Error truncating the AOF file {name}: {}", reason(&error))));
        }
        log::warning(&format!("AOF {} loaded anyway because {directive} is enabled", file.in_directory()));
        None
    }
}

impl LoadSource for AofSource {
    fn next(&mut self) -> Loaded {
        let (file, current) = match self.current.take() {
            Some(current) => current,
            None => {
                let Some(file) = self.files.pop_front() else { return Loaded::End(self.report.clone()) };
                match self.open(&file) {
                    Ok(current) => (file, current),
                    Err(error) => return Loaded::Failed(error),
                }
            }
        };
        self.go_on(&file, current).unwrap_or(Loaded::FileEnd(file))
    }

    fn bytes(&self) -> u64 {
        self.bytes_done
            + match &self.current {
                Some((_, Current::Rdb { source, .. })) => source.bytes(),
                Some((_, Current::Commands(reader))) => reader.offset(),
                None => 0,
            }
    }
}
