//! The manifest: which files the append-only file consists of, in the text form that Redis 7 and later write.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.1.incr.aof seq 1 type h
//! file appendonly.aof.2.incr.aof seq 2 type i
//! ```
//! `b` is the base, `h` a file that is not needed any more and not removed yet, `i` an incremental file. A name with spaces or
//! other special bytes stands in double quotes, with escapes. Unknown pairs of words are passed over.
//!
//! `startoffset 5 endoffset 9` may follow, as Redis 8.2 writes it: the replication offset at the beginning of the file, and at
//! its end if nothing is written to it any more. They are written where the files that were found had them, and in backups;
//! otherwise the text is what Redis 7 and Valkey write.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::base::quote::quoted;
use crate::resp::parser::split_args;

/// Longest line, with its end.
const LINE_MAX: usize = 1024;

/// What a file is part of the data for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The data at one instant.
    Base,
    /// Nothing: it is to be removed.
    History,
    /// What happened from one instant on.
    Incremental,
}

impl FileKind {
    fn letter(self) -> char {
        match self {
            FileKind::Base => 'b',
            FileKind::History => 'h',
            FileKind::Incremental => 'i',
        }
    }
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Its name in the directory of the manifest.
    pub name: Vec<u8>,
    /// Its number among those of its kind.
    pub seq: u64,
    /// What it is for.
    pub kind: FileKind,
    /// Replication offsets of its first byte and of the byte after its last, where they are known.
    pub offsets: (Option<i64>, Option<i64>),
}

impl FileInfo {
    fn new(name: Vec<u8>, seq: u64, kind: FileKind) -> FileInfo {
        FileInfo { name, seq, kind, offsets: (None, None) }
    }

    fn emit(&self, text: &mut Vec<u8>, with_offsets: bool) {
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        text.extend_from_slice(b"file ");
        if !self.name.is_empty() && self.name.iter().all(is_plain) {
            text.extend_from_slice(&self.name);
        } else {
            text.extend_from_slice(quoted(&self.name).as_bytes());
        }
        text.extend_from_slice(format!(" seq {} type {}", self.seq, self.kind.letter()).as_bytes());
        for (word, offset) in [("startoffset", self.offsets.0), ("endoffset", self.offsets.1)] {
            if let Some(offset) = offset.filter(|_| with_offsets) {
                text.extend_from_slice(format!(" {word} {offset}").as_bytes());
            }
        }
        text.push(b'\n');
    }

    fn parse(line: &[u8]) -> Result<FileInfo, &'static str> {
        const BAD: &str = "Invalid AOF manifest file format";
        let words = split_args(line).ok_or(BAD)?;
        if words.len() < 6 || !words.len().is_multiple_of(2) {
            return Err(BAD);
        }
        let number = |word: &[u8]| std::str::from_utf8(word).ok().and_then(|word| word.parse::<i64>().ok());
        let (mut name, mut seq, mut kind, mut offsets) = (Vec::new(), 0, None, (None, None));
        for pair in words.chunks_exact(2) {
            let [key, value] = pair else { continue };
            match key.to_ascii_lowercase().as_slice() {
                b"file" => {
                    if value.contains(&b'/') {
                        return Err("File can't be a path, just a filename");
                    }
                    name.clone_from(value);
                }
                b"seq" => seq = number(value).unwrap_or(0),
                b"type" => {
                    kind = Some(match value.first() {
                        Some(b'b') => FileKind::Base,
                        Some(b'h') => FileKind::History,
                        Some(b'i') => FileKind::Incremental,
                        _ => return Err("Unknown AOF file type"),
                    });
                }
                b"startoffset" => offsets.0 = number(value),
                b"endoffset" => offsets.1 = number(value),
                _ => {}
            }
        }
        let seq = u64::try_from(seq).ok().filter(|&seq| seq > 0);
        match (name.is_empty(), seq, kind) {
            (false, Some(seq), Some(kind)) => Ok(FileInfo { name, seq, kind, offsets }),
            _ => Err(BAD),
        }
    }
}

/// Why a text is no manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadManifest {
    /// What is wrong.
    pub what: &'static str,
    /// Where: the number of the line and its text.
    pub line: Option<(usize, String)>,
}

impl BadManifest {
    /// What the log says of it, one message each.
    pub fn report(&self) -> Vec<String> {
        let mut lines = vec!["\n*** FATAL AOF MANIFEST FILE ERROR ***\n".to_owned()];
        if let Some((number, text)) = &self.line {
            lines.push(format!("Reading the manifest file, at line {number}\n"));
            lines.push(format!(">>> '{text}'\n"));
        }
        lines.push(format!("{}\n", self.what));
        lines
    }
}

/// The files of an append-only file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The data at one instant.
    pub base: Option<FileInfo>,
    /// Files to be removed, the latest first.
    pub history: Vec<FileInfo>,
    /// What happened since, in order.
    pub incremental: Vec<FileInfo>,
    /// The last numbers given out.
    base_seq: u64,
    incremental_seq: u64,
    /// Are offsets part of the text?
    shows_offsets: bool,
}

impl Manifest {
    /// Reads a manifest's text.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &[u8]) -> Result<Manifest, BadManifest> {
        if text.is_empty() {
            return Err(BadManifest { what: "Found an empty AOF manifest", line: None });
        }
        let mut manifest = Manifest::default();
        for (index, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if line.first() == Some(&b'#') {
                continue;
            }
            if line.last() != Some(&b'\n') || line.len() >= LINE_MAX {
                return Err(BadManifest { what: "The AOF manifest file contains too long line", line: None });
            }
            let line = line.trim_ascii();
            let file = FileInfo::parse(line).and_then(|file| manifest.add(file));
            file.map_err(|what| BadManifest {
                what,
                line: Some((index + 1, String::from_utf8_lossy(line).into_owned())),
            })?;
        }
        Ok(manifest)
    }

    fn add(&mut self, file: FileInfo) -> Result<(), &'static str> {
        self.shows_offsets |= file.offsets != (None, None);
        match file.kind {
            FileKind::Base if self.base.is_some() => return Err("Found duplicate base file information"),
            FileKind::Base => {
                self.base_seq = file.seq;
                self.base = Some(file);
            }
            FileKind::History => self.history.push(file),
            FileKind::Incremental if file.seq <= self.incremental_seq => {
                return Err("Found a non-monotonic sequence number");
            }
            FileKind::Incremental => {
                self.incremental_seq = file.seq;
                self.incremental.push(file);
            }
        }
        Ok(())
    }

    /// The text.
    pub fn emit(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let files = self.base.iter().chain(&self.history).chain(&self.incremental);
        files.for_each(|file| file.emit(&mut text, self.shows_offsets));
        text
    }

    /// Is there nothing to load?
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.incremental.is_empty()
    }

    /// The files to load, in order.
    pub fn files(&self) -> impl Iterator<Item = &FileInfo> {
        self.base.iter().chain(&self.incremental)
    }

    /// A base of the old form, in one file, becomes the base.
    pub fn adopt_base(&mut self, name: &[u8]) {
        self.base_seq = 1;
        self.base = Some(FileInfo::new(name.to_vec(), 1, FileKind::Base));
    }

    /// A new base takes the place of the old one. Returns its name.
    pub fn new_base(&mut self, names: &Names, is_rdb: bool) -> Vec<u8> {
        if let Some(mut old) = self.base.take() {
            old.kind = FileKind::History;
            self.history.insert(0, old);
        }
        self.base_seq += 1;
        let name = names.base(self.base_seq, is_rdb);
        self.base = Some(FileInfo::new(name.clone(), self.base_seq, FileKind::Base));
        name
    }

    /// A new incremental file, which begins at this offset. Returns its name.
    pub fn new_incremental(&mut self, names: &Names, offset: u64) -> Vec<u8> {
        self.incremental_seq += 1;
        let name = names.incremental(self.incremental_seq);
        let offsets = (i64::try_from(offset).ok(), None);
        self.incremental
            .push(FileInfo { offsets, ..FileInfo::new(name.clone(), self.incremental_seq, FileKind::Incremental) });
        name
    }

    /// Nothing more is written to the last incremental file, which ends at this offset. Does that change the text?
    pub fn end_last_incremental(&mut self, offset: u64) -> bool {
        match self.incremental.last_mut() {
            Some(file) if file.offsets.0.is_some() => {
                file.offsets.1 = i64::try_from(offset).ok();
                self.shows_offsets
            }
            _ => false,
        }
    }

    /// The last incremental file is written to again. Returns the offset at which it ended, if it is so many bytes long.
    pub fn reopen_last_incremental(&mut self, bytes: u64) -> u64 {
        let Some(file) = self.incremental.last_mut() else { return 0 };
        let noted = file.offsets.1.take().and_then(|end| u64::try_from(end).ok());
        let start = file.offsets.0.and_then(|start| u64::try_from(start).ok()).unwrap_or(0);
        noted.unwrap_or_else(|| start.saturating_add(bytes))
    }

    /// What a backup of these files consists of.
    pub fn for_backup(&self) -> Manifest {
        Manifest { history: Vec::new(), shows_offsets: true, ..self.clone() }
    }

    /// All incremental files but the last `keep` are not needed any more.
    pub fn retire_incrementals(&mut self, keep: usize) {
        let count = self.incremental.len().saturating_sub(keep);
        for mut file in self.incremental.drain(..count) {
            file.kind = FileKind::History;
            self.history.insert(0, file);
        }
    }
}

/// The names of the files: what `appenddirname` and `appendfilename` say.
#[derive(Clone, Debug, Default)]
pub struct Names {
    dir: PathBuf,
    file: Vec<u8>,
}

fn with_suffix(stem: &[u8], suffix: &str) -> Vec<u8> {
    [stem, suffix.as_bytes()].concat()
}

impl Names {
    /// The files of this name in this directory.
    pub fn new(dir: &Path, file: &[u8]) -> Names {
        Names { dir: dir.to_owned(), file: file.to_vec() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The name that all others begin with: that of an append-only file of the old form.
    pub fn stem(&self) -> &[u8] {
        &self.file
    }

    /// Where a file of the directory is.
    pub fn path(&self, name: &[u8]) -> PathBuf {
        self.dir.join(path_of(name))
    }

    /// The manifest.
    pub fn manifest(&self) -> Vec<u8> {
        with_suffix(&self.file, ".manifest")
    }

    /// The manifest while it is being written.
    pub fn temp_manifest(&self) -> Vec<u8> {
        [b"temp-", self.file.as_slice(), b".manifest"].concat()
    }

    /// The incremental file of a rewrite whose outcome decides whether it counts.
    pub fn temp_incremental(&self) -> Vec<u8> {
        [b"temp-", self.file.as_slice(), b".incr"].concat()
    }

    fn base(&self, seq: u64, is_rdb: bool) -> Vec<u8> {
        with_suffix(&self.file, &format!(".{seq}.base.{}", if is_rdb { "rdb" } else { "aof" }))
    }

    fn incremental(&self, seq: u64) -> Vec<u8> {
        with_suffix(&self.file, &format!(".{seq}.incr.aof"))
    }
}

/// A name as a path, whatever bytes it is of.
pub fn path_of(name: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Manifest::parse(text.as_bytes()).unwrap_err().report().concat()
    }

    #[test]
    fn a_manifest_comes_out_as_it_went_in() {
        let texts: [&[u8]; 3] = [
            b"file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
            b"file a.7.base.rdb seq 7 type b\nfile a.2.incr.aof seq 2 type h\nfile a.3.incr.aof seq 3 type i startoffset 5 endoffset 9\n",
            b"file \" file seq \\n\\n.aof .2.base.rdb\" seq 2 type b\n",
        ];
        for text in texts {
            assert_eq!(Manifest::parse(text).unwrap().emit(), text);
        }
        let loose = b"# a comment\n  FILE a SEQ 1 TYPE incr newkey newvalue \r\n";
        assert_eq!(Manifest::parse(loose).unwrap().emit(), b"file a seq 1 type i\n");
    }

    #[test]
    fn offsets_are_noted_where_they_were_found_and_in_backups() {
        let names = Names::new(Path::new("dir"), b"a");
        let mut manifest = Manifest::default();
        manifest.new_incremental(&names, 5);
        assert!(!manifest.end_last_incremental(9));
        assert_eq!(manifest.emit(), b"file a.1.incr.aof seq 1 type i\n");
        let noted = b"file a.1.incr.aof seq 1 type i startoffset 5 endoffset 9\n";
        assert_eq!(manifest.for_backup().emit(), noted);
        let mut manifest = Manifest::parse(noted).unwrap();
        assert_eq!((manifest.reopen_last_incremental(100), manifest.reopen_last_incremental(100)), (9, 105));
        assert_eq!(manifest.emit(), b"file a.1.incr.aof seq 1 type i startoffset 5\n");
        manifest.new_incremental(&names, 110);
        assert!(manifest.end_last_incremental(112));
        assert!(manifest.emit().ends_with(b"file a.2.incr.aof seq 2 type i startoffset 110 endoffset 112\n"));
    }

    #[test]
    fn what_is_no_manifest_is_refused_with_its_line() {
        let line = "file a.1.incr.aof seq 1 type i\n";
        assert_eq!(
            refusal(&format!("{line}\n")),
            "\n*** FATAL AOF MANIFEST FILE ERROR ***\nReading the manifest file, at line 2\n>>> ''\nInvalid AOF manifest file format\n"
        );
        assert!(refusal("").contains("Found an empty AOF manifest"));
        assert!(refusal(line.trim()).contains("The AOF manifest file contains too long line"));
        assert!(refusal(&format!("file {} seq 1 type i\n", "a".repeat(1024))).contains("too long line"));
        assert!(
            refusal(&format!("{line}{line}")).contains(">>> 'file a.1.incr.aof seq 1 type i'\nFound a non-monotonic")
        );
        let base = "file a.1.base.aof seq 1 type b\n";
        assert!(refusal(&format!("{base}{base}")).contains("Found duplicate base file information"));
        assert!(refusal("file a seq 1 type x\n").contains("Unknown AOF file type"));
        assert!(refusal("file a/b seq 1 type i\n").contains("File can't be a path, just a filename"));
        for bad in [
            "filx a seq 1 type i",
            "file a seq 0 type i",
            "file a type i",
            "file a seq 1 type i x",
            "file \"a seq 1 type i",
        ] {
            assert!(refusal(&format!("{bad}\n")).contains("Invalid AOF manifest file format"), "{bad}");
        }
    }

    #[test]
    fn rewrites_retire_what_came_before_them() {
        let names = Names::new(Path::new("dir"), b"appendonly.aof");
        let mut manifest = Manifest::default();
        manifest.new_base(&names, true);
        manifest.new_incremental(&names, 0);
        for _ in 0..2 {
            manifest.new_incremental(&names, 7);
            manifest.new_base(&names, true);
            manifest.retire_incrementals(1);
        }
        assert_eq!(
            String::from_utf8(manifest.emit()).unwrap(),
            "file appendonly.aof.3.base.rdb seq 3 type b\n\
             file appendonly.aof.2.incr.aof seq 2 type h\n\
             file appendonly.aof.2.base.rdb seq 2 type h\n\
             file appendonly.aof.1.incr.aof seq 1 type h\n\
             file appendonly.aof.1.base.rdb seq 1 type h\n\
             file appendonly.aof.3.incr.aof seq 3 type i\n"
        );
    }
}
