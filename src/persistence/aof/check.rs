//! Checking an append-only file without a server (`russet check-aof`): how far each file is in order, and cutting off the
//! rest, or what came after a time.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::base::disk::{Disk, reason};
use crate::persistence::rdb;
use crate::persistence::rdb::load::{LoadOptions, RdbLoader};
use crate::persistence::rdb::reader::Reader;

use super::manifest::{Manifest, path_of};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To tell what is found.
    Check,
    /// To cut off what is not in order.
    Fix,
    /// To cut off what came after this time, seconds since the epoch.
    TruncateTo(i64),
}

/// Bytes of a command's name that are looked at: no name that matters here is longer.
const NAME_MAX: usize = 64;

/// Where it is told, and who is asked.
pub trait Console {
    /// Shows text; it brings its own line ends.
    fn show(&mut self, text: &str);

    /// The answer of the operator, one line.
    fn answer(&mut self) -> String;
}

/// How the check of one file ended.
enum Found {
    Valid,
    Empty,
    Truncated,
}

/// What follows an RDB file: what was read of it, the rest, and where it begins.
type Tail = (Vec<u8>, Box<dyn Read + Send>, u64);

/// The check ends here, with this exit code.
struct End(u8);

/// One run of the program.
pub struct Check<'a> {
    /// The disk.
    pub disk: &'a dyn Disk,
    /// How RDB files are read.
    pub options: LoadOptions,
    /// What is asked for.
    pub mode: Mode,
    /// Where it is told.
    pub console: &'a mut dyn Console,
    /// The line of the file in hand; goes on from file to file.
    line: u64,
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

impl<'a> Check<'a> {
    /// A run.
    pub fn new(disk: &'a dyn Disk, options: LoadOptions, mode: Mode, console: &'a mut dyn Console) -> Check<'a> {
        Check { disk, options, mode, console, line: 1 }
    }

    /// Checks a manifest with all its files, or one file. Returns the exit code.
    pub fn run(&mut self, path: &Path) -> u8 {
        let mut head = Vec::new();
        if let Err(error) = self.disk.open(path).and_then(|file| file.take(64 * 1024).read_to_end(&mut head)) {
            self.console.show(&format!("Cannot open file {}: {}\n", path.display(), reason(&error)));
            return 1;
        }
        let first = head.split(|&byte| byte == b'\n').find(|line| line.first() != Some(&b'#'));
        let result = if first.is_some_and(|line| line.starts_with(b"file")) {
            self.all(path)
        } else {
            self.console.show("Start checking Old-Style AOF\n");
            self.file("AOF", path, head.starts_with(b"REDIS") || head.starts_with(b"VALKEY"), true)
        };
        match result {
            Ok(()) => 0,
            Err(End(code)) => code,
        }
    }

    fn all(&mut self, path: &Path) -> Result<(), End> {
        self.console.show("Start checking Multi Part AOF\n");
        let text = crate::base::disk::read_all(self.disk, path).map_err(|_| End(1))?;
        let manifest = Manifest::parse(&text).map_err(|bad| {
            bad.report().iter().for_each(|line| self.console.show(&format!("{line}\n")));
            End(1)
        })?;
        let place = |name: &[u8]| -> PathBuf { path.with_file_name(path_of(name)) };
        if let Some(base) = &manifest.base {
            let path = place(&base.name);
            let mut head = Vec::new();
            // What cannot be opened is told below.
            let _ = self.disk.open(&path).and_then(|file| file.take(6).read_to_end(&mut head));
            let is_rdb = head.starts_with(b"REDIS") || head.starts_with(b"VALKEY");
            let format = if is_rdb { "RDB" } else { "RESP" };
            self.console.show(&format!("Start to check BASE AOF ({format} format).\n"));
            self.file("BASE AOF", &path, is_rdb, manifest.incremental.is_empty())?;
        }
        if let Some((last, _)) = manifest.incremental.split_last() {
            self.console.show("Start to check INCR files.\n");
            for file in &manifest.incremental {
                self.file("INCR AOF", &place(&file.name), false, file == last)?;
            }
        }
        self.console.show("All AOF files and manifest are valid\n");
        Ok(())
    }

    fn file(&mut self, label: &str, path: &Path, is_rdb: bool, is_last: bool) -> Result<(), End> {
        let name = name_of(path);
        let found = self.one(path, &name, is_rdb, is_last)?;
        self.console.show(&match found {
            Found::Valid => format!("{label} {name} is valid\n"),
            Found::Empty => format!("{label} {name} is empty\n"),
            Found::Truncated => format!("Successfully truncated AOF {name}\n"),
        });
        Ok(())
    }

    fn fail(&mut self, text: &str) -> End {
        self.console.show(text);
        End(1)
    }

    fn one(&mut self, path: &Path, name: &str, is_rdb: bool, is_last: bool) -> Result<Found, End> {
        let opened = self.disk.size(path).and_then(|size| Ok((size, self.disk.open(path)?)));
        let (size, stream) = opened.map_err(|error| {
            self.fail(&format!("Cannot open file {}: {}, aborting...\n", path.display(), reason(&error)))
        })?;
        if size == 0 {
            return Ok(Found::Empty);
        }
        let (rest, stream, begin) = if is_rdb { self.preamble(path, stream, size)? } else { (Vec::new(), stream, 0) };
        let mut scan = Scan {
            source: BufReader::new(Box::new(io::Cursor::new(rest).chain(stream))),
            at: begin,
            mark: begin,
            line: self.line,
        };
        let until = if let Mode::TruncateTo(time) = self.mode { Some(time) } else { None };
        let (valid, problem) = scan.run(begin, until);
        self.line = scan.line;
        match problem {
            Some(Problem::Later) => return self.truncate_to_time(path, name, valid, is_last),
            Some(Problem::Format) => self.console.show(&format!("AOF {name} format error\n")),
            Some(Problem::At(offset, what)) => {
                self.console.show(&format!("0x{offset:16x}: {what} \n").replace(" \n", "\n"))
            }
            Some(Problem::Unexpected(offset, what)) => {
                self.console.show(&format!("0x{offset:16x}: Unexpected {what} in AOF {name}\n"));
            }
            None => {}
        }
        let excess = size.saturating_sub(valid);
        if let (0, Some(time)) = (excess, until) {
            self.console.show(&format!("Truncate nothing in AOF {name} to timestamp {time}\n"));
            return Ok(Found::Valid);
        }
        let line = self.line;
        self.console.show(&format!(
            "AOF analyzed: filename={name}, size={size}, ok_up_to={valid}, ok_up_to_line={line}, diff={excess}\n"
        ));
        if excess == 0 {
            return Ok(Found::Valid);
        }
        if self.mode != Mode::Fix {
            return Err(self.fail(&format!("AOF {name} is not valid. Use the --fix option to try fixing it.\n")));
        }
        if !is_last {
            return Err(self.fail(&format!("Failed to truncate AOF {name} because it is not the last file\n")));
        }
        self.console.show(&format!(
            "This will shrink the AOF {name} from {size} bytes, with {excess} bytes, to {valid} bytes\nContinue? [y/N]: "
        ));
        if !self.console.answer().starts_with(['y', 'Y']) {
            return Err(self.fail("Aborting...\n"));
        }
        match self.disk.truncate(path, valid) {
            Ok(()) => Ok(Found::Truncated),
            Err(_) => Err(self.fail(&format!("Failed to truncate AOF {name}\n"))),
        }
    }

    fn truncate_to_time(&mut self, path: &Path, name: &str, valid: u64, is_last: bool) -> Result<Found, End> {
        let Mode::TruncateTo(time) = self.mode else { return Ok(Found::Valid) };
        if !is_last {
            return Err(self.fail(&format!(
                "Failed to truncate AOF {} to timestamp {time} to offset {valid} because it is not the last file.\n\
                 If you insist, please delete all files after this file according to the manifest file and delete the \
                 corresponding records in manifest file manually. Then re-run redis-check-aof.\n",
                path.display()
            )));
        }
        if valid == 0 {
            return Err(self.fail(&format!("AOF {name} has nothing before timestamp {time}, aborting...\n")));
        }
        if self.disk.truncate(path, valid).is_err() {
            return Err(self.fail(&format!("Failed to truncate AOF {name} to timestamp {time}\n")));
        }
        self.console.show(&format!("Successfully truncated AOF {name} to timestamp {time}\n"));
        Err(End(0))
    }

    /// Reads an RDB file to its end. Returns what follows it.
    fn preamble(&mut self, path: &Path, stream: Box<dyn Read + Send>, size: u64) -> Result<Tail, End> {
        let mut loader = RdbLoader::new(Reader::of_stream(stream, Some(size)), self.options);
        let (console, now) = (&mut *self.console, self.options.now);
        let path = path.display().to_string();
        if !rdb::check::check(&mut loader, &path, now, &mut |line| console.show(&format!("{line}\n"))) {
            return Err(self.fail("RDB preamble of AOF file is not sane, aborting.\n"));
        }
        self.console.show("RDB preamble is OK, proceeding with AOF tail...\n");
        let offset = loader.offset();
        let (rest, stream) = loader.into_reader().into_rest();
        Ok((rest, stream.unwrap_or_else(|| Box::new(io::empty())), offset))
    }
}

/// What is wrong with a file.
enum Problem {
    /// Neither a command nor a note.
    Format,
    /// This, at this offset.
    At(u64, String),
    /// MULTI or EXEC where there cannot be one.
    Unexpected(u64, &'static str),
    /// A note of a later time than asked for.
    Later,
}

/// A walk through one file.
struct Scan {
    source: BufReader<Box<dyn Read>>,
    at: u64,
    /// Where what was read last began.
    mark: u64,
    line: u64,
}

impl Scan {
    /// How far the file is in order, and what is wrong there.
    fn run(&mut self, begin: u64, until: Option<i64>) -> (u64, Option<Problem>) {
        let (mut valid, mut in_multi) = (begin, false);
        loop {
            if !in_multi {
                valid = self.at;
            }
            let first = match self.source.fill_buf() {
                Ok(bytes) => bytes.first().copied(),
                Err(error) => {
                    return (valid, Some(Problem::At(self.at, format!("Reading failed: {}", reason(&error)))));
                }
            };
            let problem = match first {
                None if in_multi => {
                    Some(Problem::At(self.mark, "Reached EOF before reading EXEC for MULTI".to_owned()))
                }
                None => return (valid, None),
                Some(b'#') => self.note(until).err(),
                Some(b'*') => match self.command() {
                    Ok(name) if name.eq_ignore_ascii_case(b"multi") && in_multi => {
                        Some(Problem::Unexpected(self.mark, "MULTI"))
                    }
                    Ok(name) if name.eq_ignore_ascii_case(b"exec") && !in_multi => {
                        Some(Problem::Unexpected(self.mark, "EXEC"))
                    }
                    Ok(name) => {
                        in_multi =
                            name.eq_ignore_ascii_case(b"multi") || in_multi && !name.eq_ignore_ascii_case(b"exec");
                        None
                    }
                    Err(problem) => Some(problem),
                },
                Some(_) => Some(Problem::Format),
            };
            if problem.is_some() {
                return (valid, problem);
            }
        }
    }

    fn read_line(&mut self) -> Result<Vec<u8>, Problem> {
        self.mark = self.at;
        let mut line = Vec::new();
        let result = (&mut self.source).take(64 * 1024).read_until(b'\n', &mut line);
        result.map_err(|error| Problem::At(self.mark, format!("Reading failed: {}", reason(&error))))?;
        self.at += line.len() as u64;
        Ok(line)
    }

    fn note(&mut self, until: Option<i64>) -> Result<(), Problem> {
        let begin = self.at;
        let line = self.read_line()?;
        if !line.ends_with(b"\n") {
            self.at = begin;
            return Err(Problem::Format);
        }
        let time = line.strip_prefix(b"#TS:").map(|rest| String::from_utf8_lossy(rest).trim().parse::<i64>());
        match (time, until) {
            (Some(Ok(time)), Some(until)) if time > until => Err(Problem::Later),
            _ => Ok(()),
        }
    }

    /// A line of one mark and a number.
    fn number(&mut self, mark: u8) -> Result<u64, Problem> {
        let line = self.read_line()?;
        if line.first() != Some(&mark) {
            let (want, got) = (char::from(mark), line.first().copied().map(char::from));
            return Err(Problem::At(self.mark, format!("Expected prefix '{want}', got: '{}'", got.unwrap_or(' '))));
        }
        let digits = line[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.line_end(&line[1 + digits..])?;
        let number = String::from_utf8_lossy(&line[1..1 + digits]).parse();
        number.map_err(|_| Problem::At(self.mark, format!("Expected a number, got: {}", line.escape_ascii())))
    }

    fn line_end(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        if bytes.starts_with(b"\r\n") {
            self.line += 1;
            return Ok(());
        }
        let got: String = bytes.iter().take(2).map(|byte| format!("{byte:02x}")).collect();
        Err(Problem::At(self.mark, format!("Expected \\r\\n, got: {got}")))
    }

    /// A command; returns its name.
    fn command(&mut self) -> Result<Vec<u8>, Problem> {
        let count = self.number(b'*')?;
        let mut name = Vec::new();
        for index in 0..count {
            let len = self.number(b'$')?.saturating_add(2);
            self.mark = self.at;
            let kept = if index == 0 { NAME_MAX } else { 0 };
            let (content, end, got) = self
                .pass(len, kept)
                .map_err(|error| Problem::At(self.mark, format!("Reading failed: {}", reason(&error))))?;
            self.at += got;
            if got < len {
                return Err(Problem::At(self.mark, format!("Expected to read {len} bytes, got {got} bytes")));
            }
            self.line_end(&end)?;
            if index == 0 {
                name = content;
                name.truncate(usize::try_from(len - 2).unwrap_or(usize::MAX));
            }
        }
        Ok(name)
    }

    /// Passes over so many bytes, without keeping more than the first of them, `kept`, and the last two. Returns those, and how many
    /// bytes there were.
    fn pass(&mut self, len: u64, kept: usize) -> io::Result<(Vec<u8>, [u8; 2], u64)> {
        let (mut first, mut last, mut got) = (Vec::new(), [0; 2], 0);
        while got < len {
            let bytes = match self.source.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                bytes => bytes?,
            };
            let bytes = &bytes[..bytes.len().min(usize::try_from(len - got).unwrap_or(usize::MAX))];
            match bytes {
                [] => break,
                [only] => last = [last[1], *only],
                [.., before, end] => last = [*before, *end],
            }
            first.extend_from_slice(&bytes[..bytes.len().min(kept - first.len())]);
            let count = bytes.len();
            self.source.consume(count);
            got += count as u64;
        }
        Ok((first, last, got))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::disk::MemoryDisk;
    use crate::base::hash::HashSeed;
    use crate::base::time::UnixMillis;
    use crate::persistence::convert;

    #[derive(Default)]
    struct Shown(String);

    impl Console for Shown {
        fn show(&mut self, text: &str) {
            self.0 += text;
        }

        fn answer(&mut self) -> String {
            "y\n".to_owned()
        }
    }

    fn check(disk: &MemoryDisk, path: &str, mode: Mode) -> (u8, String) {
        let options = convert::load_options(HashSeed::new(1), 16, UnixMillis(0));
        let mut shown = Shown::default();
        let code = Check::new(disk, options, mode, &mut shown).run(Path::new(path));
        (code, shown.0)
    }

    fn put(disk: &MemoryDisk, path: &str, text: &str) {
        disk.put(Path::new(path), text.replace(' ', "\r\n").as_bytes());
    }

    const SET: &str = "*3 $3 set $3 foo $5 hello ";

    #[test]
    fn what_is_wrong_is_told_as_redis_check_aof_tells_it() {
        let disk = MemoryDisk::default();
        let cases = [
            ("", "a size=33, ok_up_to=33, ok_up_to_line=8, diff=0"),
            ("!!!", "AOF a format error|size=36, ok_up_to=33, ok_up_to_line=8, diff=3"),
            (
                "*1 $5 multi *3 $3 set $1 a $1 b ",
                "0x              48: Reached EOF before reading EXEC for MULTI|size=75, ok_up_to=33, ok_up_to_line=18, diff=42",
            ),
            ("*1 $5 multi *1 $5 multi ", "0x              38: Unexpected MULTI in AOF a|ok_up_to=33"),
            ("*1 $4 exec ", "0x              29: Unexpected EXEC in AOF a|ok_up_to_line=11"),
            ("*1 $100 abc", "0x              2b: Expected to read 102 bytes, got 3 bytes|ok_up_to_line=10, diff=13"),
            ("*1 $x abc", "0x              25: Expected \\r\\n, got: 780d|ok_up_to_line=9"),
            ("*1 $3 abcxx", "0x              29: Expected \\r\\n, got: 7878|ok_up_to_line=10"),
        ];
        for (tail, expected) in cases {
            put(&disk, "a", &format!("{SET}{tail}"));
            let (code, text) = check(&disk, "a", Mode::Check);
            assert_eq!(code, u8::from(!tail.is_empty()));
            for part in expected.trim_start_matches("a ").split('|') {
                assert!(text.contains(part), "{tail}: {text}");
            }
        }
        assert!(check(&disk, "a", Mode::Fix).1.ends_with("Continue? [y/N]: Successfully truncated AOF a\n"));
        assert_eq!(disk.size(Path::new("a")).unwrap(), 33);
    }

    #[test]
    fn only_the_last_file_of_a_manifest_is_cut() {
        let disk = MemoryDisk::default();
        disk.put(Path::new("d/m"), b"file b seq 1 type b\nfile i seq 1 type i\n");
        put(&disk, "d/b", &format!("#TS:100 {SET}#TS:200 {SET}"));
        put(&disk, "d/i", &format!("{SET}!!!"));
        let (code, text) = check(&disk, "d/m", Mode::Fix);
        assert!(
            code == 0 && text.ends_with("Successfully truncated AOF i\nAll AOF files and manifest are valid\n"),
            "{text}"
        );
        let (code, text) = check(&disk, "d/m", Mode::TruncateTo(150));
        assert!(code == 1 && text.contains("to timestamp 150 to offset 42 because it is not the last file"), "{text}");
        let (code, text) = check(&disk, "d/b", Mode::TruncateTo(150));
        assert!(code == 0 && text.ends_with("Successfully truncated AOF b to timestamp 150\n"), "{text}");
        assert!(
            check(&disk, "d/b", Mode::TruncateTo(50))
                .1
                .ends_with("AOF b has nothing before timestamp 50, aborting...\n")
        );
    }
}
