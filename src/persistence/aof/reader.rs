//! Commands out of a file of the append-only form: requests in RESP, lines that begin with `#` between them, transactions.
//! What is read is handed on in batches of whole commands; of a transaction all or nothing is. One that is longer than a batch is
//! looked through to its end first, by a second reader that keeps nothing, so that memory is bounded by the longest command.

use std::io::{self, Read};
use std::sync::Arc;

/// Commands that travel together, unless a transaction holds more, and how many bytes of them.
const BATCH_COMMANDS: usize = 256;
const BATCH_BYTES: usize = 128 * 1024;
/// How much is read at a time.
const STEP_BYTES: usize = 256 * 1024;
/// Of what was read already, so much is looked through for the end of a transaction before the file is opened once more.
const AHEAD_BYTES: usize = 32 * 1024;
/// Longest line that holds a number; longest that is passed over.
const LINE_MAX: usize = 128;
const NOTE_MAX: usize = 64 * 1024;

/// No argument is longer, whatever its length says: that of the longest string, unless the configuration allows more.
pub const ARGUMENT_MAX: u64 = 512 << 20;

/// Commands in the order in which they are to be repeated. MULTI and EXEC are left out: nobody sees what is between.
pub struct CommandBatch {
    /// The file they come from.
    pub file: Arc<str>,
    bytes: Vec<u8>,
    /// Start and length of each argument.
    args: Vec<(usize, usize)>,
    /// Of how many arguments each command is.
    commands: Vec<usize>,
    /// Commands and arguments that were visited.
    visited: (usize, usize),
}

impl CommandBatch {
    /// Number of commands.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Visits the next commands, at most so many, until one is refused. Returns whether there are more.
    ///
    /// # Errors
    /// As `visit`'s.
    pub fn visit_some<E>(
        &mut self,
        count_max: usize,
        mut visit: impl FnMut(&[&[u8]]) -> Result<(), E>,
    ) -> Result<bool, E> {
        let mut argv = Vec::new();
        for _ in 0..count_max {
            let (command, first) = self.visited;
            let Some(&count) = self.commands.get(command) else { return Ok(false) };
            let args = self.args.iter().skip(first).take(count);
            argv.clear();
            argv.extend(args.filter_map(|&(start, len)| self.bytes.get(start..start + len)));
            self.visited = (command + 1, first + count);
            visit(&argv)?;
        }
        Ok(self.visited.0 < self.commands.len())
    }
}

/// Why there are no more commands.
#[derive(Debug)]
pub enum Stop {
    /// The file ends here, in good order.
    End,
    /// The file ends within a command, or (the flag) within a transaction. Up to `valid` it is whole.
    Short {
        /// How many bytes are whole.
        valid: u64,
        /// Is it a transaction that is not whole?
        in_transaction: bool,
    },
    /// What follows `valid` is no command.
    Format {
        /// How many bytes are in order.
        valid: u64,
    },
    /// It cannot be read.
    Io(io::Error),
}

/// Where bytes of a file come from.
pub trait Source: Send + Sync {
    /// The file from this offset on.
    ///
    /// # Errors
    /// As the disk's.
    fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>>;

    /// Bytes of the file.
    fn bytes(&self) -> u64;
}

/// A file from an offset on, opened when it is read.
struct Later {
    file: Arc<dyn Source>,
    offset: u64,
    stream: Option<Box<dyn Read + Send>>,
}

impl Read for Later {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.file.open_at(self.offset)?,
        };
        self.stream.insert(stream).read(into)
    }
}

/// A transaction that has begun.
#[derive(Clone, Copy, Debug)]
enum Multi {
    /// Here: position in the window, arguments and commands before it. Nothing of it is handed on yet.
    Begun(usize, usize, usize),
    /// Its end was seen by a reader that went ahead, so that it may be handed on as it is read.
    Whole,
}

/// Reads one file.
pub struct CommandReader {
    file: Arc<dyn Source>,
    name: Arc<str>,
    /// No argument may be longer.
    argument_max: u64,
    stream: Box<dyn Read + Send>,
    /// Bytes of the batch in the making, and what was read beyond.
    window: Vec<u8>,
    at: usize,
    /// Offset of the window's first byte.
    start: u64,
    args: Vec<(usize, usize)>,
    commands: Vec<usize>,
    multi: Option<Multi>,
    /// Why there is nothing after the batch that was handed out.
    stop: Option<Stop>,
}

impl CommandReader {
    /// Reads a file from `start` on: first `read`, bytes that were read before, then `stream`, which goes on after them.
    pub fn new(
        file: Arc<dyn Source>,
        name: Arc<str>,
        argument_max: u64,
        (read, stream): (Vec<u8>, Box<dyn Read + Send>),
        start: u64,
    ) -> CommandReader {
        CommandReader {
            file,
            name,
            argument_max,
            stream,
            window: read,
            at: 0,
            start,
            args: Vec::new(),
            commands: Vec::new(),
            multi: None,
            stop: None,
        }
    }

    /// How far the file is read.
    pub fn offset(&self) -> u64 {
        self.start + self.at as u64
    }

    /// The next commands.
    ///
    /// # Errors
    /// Why there are no more.
    pub fn next_batch(&mut self) -> Result<CommandBatch, Stop> {
        if let Some(stop) = self.stop.take() {
            return Err(stop);
        }
        let stop = loop {
            let (begin, args) = (self.at, self.args.len());
            match self.command() {
                Ok(()) => self.note_command(begin, args),
                Err(stop) => {
                    self.args.truncate(args);
                    break Some(self.settle_stop(begin, stop));
                }
            }
            if self.commands.len() < BATCH_COMMANDS && self.at < BATCH_BYTES {
                continue;
            }
            match self.multi {
                None | Some(Multi::Whole) => {}
                Some(Multi::Begun(_, _, 0)) => {
                    if let Err(stop) = self.look_ahead() {
                        break Some(self.settle_stop(self.at, stop));
                    }
                    self.multi = Some(Multi::Whole);
                }
                // It may be a short one, and is read again at the head of the next batch.
                Some(Multi::Begun(at, args, commands)) => {
                    self.multi = None;
                    self.at = at;
                    self.args.truncate(args);
                    self.commands.truncate(commands);
                }
            }
            if !self.commands.is_empty() {
                break None;
            }
            // Notes, and nothing else.
            self.forget_read();
        };
        match stop {
            Some(stop) if self.commands.is_empty() => Err(stop),
            stop => {
                self.stop = stop;
                Ok(self.take_batch())
            }
        }
    }

    /// Reads to the end of the transaction in hand, and forgets what it read.
    fn look_ahead(&self) -> Result<(), Stop> {
        let rest = self.window.get(self.at..).unwrap_or_default();
        let read = rest[..rest.len().min(AHEAD_BYTES)].to_vec();
        let offset = self.offset() + read.len() as u64;
        let stream = Box::new(Later { file: self.file.clone(), offset, stream: None });
        let (file, name) = (self.file.clone(), self.name.clone());
        let mut ahead = CommandReader::new(file, name, self.argument_max, (read, stream), self.offset());
        loop {
            ahead.command()?;
            if ahead.is_last_named(b"exec", 0) {
                return Ok(());
            }
            ahead.args.clear();
            if ahead.at >= BATCH_BYTES {
                ahead.forget_read();
            }
        }
    }

    /// Takes out of the window what was read.
    fn forget_read(&mut self) -> Vec<u8> {
        let rest = self.window.split_off(self.at);
        self.start += self.at as u64;
        self.at = 0;
        std::mem::replace(&mut self.window, rest)
    }

    fn take_batch(&mut self) -> CommandBatch {
        CommandBatch {
            file: self.name.clone(),
            bytes: self.forget_read(),
            args: std::mem::take(&mut self.args),
            commands: std::mem::take(&mut self.commands),
            visited: (0, 0),
        }
    }

    /// Is this the name of the command whose arguments are those from `args` on?
    fn is_last_named(&self, name: &[u8], args: usize) -> bool {
        let first = self.args.get(args).and_then(|&(start, len)| self.window.get(start..start + len));
        first.is_some_and(|first| first.eq_ignore_ascii_case(name))
    }

    /// Looks at the command that was read: MULTI and EXEC bound a transaction, others are to be repeated.
    fn note_command(&mut self, begin: usize, args: usize) {
        let count = self.args.len() - args;
        if self.is_last_named(b"multi", args) {
            self.args.truncate(args);
            self.multi.get_or_insert(Multi::Begun(begin, args, self.commands.len()));
        } else if self.is_last_named(b"exec", args) {
            self.args.truncate(args);
            self.multi = None;
        } else if count > 0 {
            self.commands.push(count);
        }
    }

    /// Where the file is whole up to, if it ends after `begin`, maybe while a transaction is open.
    fn settle_stop(&mut self, begin: usize, stop: Stop) -> Stop {
        let (at, in_transaction) = match self.multi.take() {
            None => (begin, false),
            Some(Multi::Begun(multi, args, commands)) => {
                self.args.truncate(args);
                self.commands.truncate(commands);
                (multi, true)
            }
            Some(Multi::Whole) => {
                self.at = begin;
                return Stop::Io(io::Error::other("the file changes while it is read"));
            }
        };
        self.at = at;
        let valid = self.start + at as u64;
        match stop {
            Stop::End if in_transaction => Stop::Short { valid, in_transaction },
            Stop::Short { .. } => Stop::Short { valid, in_transaction },
            Stop::Format { .. } => Stop::Format { valid },
            other => other,
        }
    }

    /// Reads on. False at the end of the file.
    fn fill(&mut self) -> Result<bool, Stop> {
        let from = self.window.len();
        self.window.resize(from + STEP_BYTES.max(from / 4), 0);
        loop {
            let read = self.stream.read(&mut self.window[from..]);
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(count) => {
                    self.window.truncate(from + count);
                    return Ok(count > 0);
                }
                Err(error) => {
                    self.window.truncate(from);
                    return Err(Stop::Io(error));
                }
            }
        }
    }

    /// The first byte of what follows; None at the end of the file.
    fn first(&mut self) -> Result<Option<u8>, Stop> {
        while self.at == self.window.len() {
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(Some(self.window[self.at]))
    }

    /// Steps over a line; returns where it was, without its end.
    fn line(&mut self, len_max: usize) -> Result<(usize, usize), Stop> {
        let from = self.at;
        let mut looked = from;
        loop {
            if let Some(len) = memchr::memchr(b'\n', &self.window[looked..]) {
                let end = looked + len;
                if end - from > len_max {
                    return Err(Stop::Format { valid: 0 });
                }
                self.at = end + 1;
                let has_return = end > from && self.window[end - 1] == b'\r';
                return Ok((from, end - usize::from(has_return)));
            }
            looked = self.window.len();
            if looked - from > len_max {
                return Err(Stop::Format { valid: 0 });
            }
            if !self.fill()? {
                return Err(Stop::Short { valid: 0, in_transaction: false });
            }
        }
    }

    /// A line of one mark and a number.
    fn number(&mut self, mark: u8) -> Result<usize, Stop> {
        match self.first()? {
            None => return Err(Stop::Short { valid: 0, in_transaction: false }),
            Some(first) if first != mark => return Err(Stop::Format { valid: 0 }),
            Some(_) => {}
        }
        let (from, end) = self.line(LINE_MAX)?;
        let digits = &self.window[from + 1..end.max(from + 1)];
        let number = crate::base::number::parse_u64(digits).and_then(|number| usize::try_from(number).ok());
        number.ok_or(Stop::Format { valid: 0 })
    }

    /// Reads one command or one note; a note leaves no arguments.
    fn command(&mut self) -> Result<(), Stop> {
        match self.first()? {
            None => return Err(Stop::End),
            Some(b'#') => return self.line(NOTE_MAX).map(drop),
            Some(_) => {}
        }
        let count = self.number(b'*')?;
        if count == 0 {
            return Err(Stop::Format { valid: 0 });
        }
        for _ in 0..count {
            let len = self.number(b'$')?;
            if len as u64 > self.argument_max {
                return Err(Stop::Format { valid: 0 });
            }
            let Some(end) = self.at.checked_add(len).and_then(|end| end.checked_add(2)) else {
                return Err(Stop::Format { valid: 0 });
            };
            // What the file does not hold is not read on for.
            if self.start + end as u64 > self.file.bytes() {
                return Err(Stop::Short { valid: 0, in_transaction: false });
            }
            while self.window.len() < end {
                if !self.fill()? {
                    return Err(Stop::Short { valid: 0, in_transaction: false });
                }
            }
            if !self.window[..end].ends_with(b"\r\n") {
                return Err(Stop::Format { valid: 0 });
            }
            self.args.push((self.at, len));
            self.at = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A file of bytes; counts how often it is opened.
    struct Bytes(Vec<u8>, AtomicUsize);

    impl Source for Bytes {
        fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(io::Cursor::new(self.0[offset as usize..].to_vec())))
        }

        fn bytes(&self) -> u64 {
            self.0.len() as u64
        }
    }

    fn file(text: &str) -> Arc<Bytes> {
        Arc::new(Bytes(text.replace(' ', "\r\n").into_bytes(), AtomicUsize::new(0)))
    }

    fn reader(file: &Arc<Bytes>) -> CommandReader {
        let stream = file.open_at(0).unwrap();
        CommandReader::new(file.clone(), "f".into(), 1 << 20, (Vec::new(), stream), 0)
    }

    fn read(text: &str) -> (Vec<String>, Stop) {
        let mut reader = reader(&file(text));
        let mut commands = Vec::new();
        loop {
            match reader.next_batch() {
                Ok(mut batch) => {
                    let mut visit = |argv: &[&[u8]]| {
                        commands
                            .push(argv.iter().map(|arg| String::from_utf8_lossy(arg)).collect::<Vec<_>>().join(" "));
                        Ok::<(), ()>(())
                    };
                    while batch.visit_some(2, &mut visit).unwrap() {}
                }
                Err(stop) => return (commands, stop),
            }
        }
    }

    const SET: &str = "*3 $3 SET $1 k $1 v ";
    const MULTI: &str = "*1 $5 MULTI ";
    const EXEC: &str = "*1 $4 exec ";

    #[test]
    fn commands_and_transactions_are_read_and_notes_passed_over() {
        let (commands, stop) = read(&format!("#TS:12 {SET}{MULTI}{SET}{EXEC}#TS:14 "));
        assert_eq!(commands, ["SET k v", "SET k v"]);
        assert!(matches!(stop, Stop::End));
    }

    #[test]
    fn an_unfinished_end_is_told_from_a_broken_one() {
        let whole = SET.replace(' ', "\r\n").len() as u64;
        for cut in 1..SET.len() - 1 {
            let (commands, stop) = read(&format!("{SET}{}", &SET[..cut]));
            assert_eq!(commands.len(), 1);
            assert!(matches!(stop, Stop::Short { valid, in_transaction: false } if valid == whole), "{cut}: {stop:?}");
        }
        let (commands, stop) = read(&format!("{SET}{MULTI}{SET}"));
        assert!(commands.len() == 1 && matches!(stop, Stop::Short { valid, in_transaction: true } if valid == whole));
        let bad = [
            "!!!",
            "*x ",
            "*0 ",
            "*1 $x ",
            "*1 $-1 ",
            "*1 $1 abc ",
            "*1 :1 ",
            "*99999999999999999999 ",
            "*1 $1048577 ",
            "*1 $18446744073709551615 ",
        ];
        for bad in bad {
            let (commands, stop) = read(&format!("{SET}{bad}{SET}"));
            assert_eq!(commands.len(), 1);
            assert!(matches!(stop, Stop::Format { valid } if valid == whole), "{bad}: {stop:?}");
        }
    }

    #[test]
    fn a_length_beyond_the_end_of_the_file_is_not_read_for() {
        let file = file(&format!("{SET}*1 $1000000 {}", SET.repeat(30_000)));
        let mut reader = reader(&file);
        assert_eq!(reader.next_batch().unwrap().len(), 1);
        assert!(matches!(reader.next_batch(), Err(Stop::Short { in_transaction: false, .. })));
        assert!(reader.window.len() < 3 * STEP_BYTES, "{} bytes are kept", reader.window.len());
    }

    #[test]
    fn long_transactions_are_read_in_batches_and_wholly_or_not_at_all() {
        let many = SET.repeat(40_000);
        let before = SET.replace(' ', "\r\n").len() as u64;
        for (tail, taken) in [(EXEC, 40_001), ("", 1), ("*1 $4 exe", 1), ("!!!", 1)] {
            let file = file(&format!("{SET}{MULTI}{many}{tail}"));
            let mut reader = reader(&file);
            let (commands, longest) = (Cell::new(0), Cell::new(0));
            let stop = loop {
                match reader.next_batch() {
                    Ok(mut batch) => {
                        longest.set(longest.get().max(batch.len()));
                        let visit = |_: &[&[u8]]| {
                            commands.set(commands.get() + 1);
                            Ok::<(), ()>(())
                        };
                        assert_eq!(batch.visit_some(usize::MAX, visit), Ok(false));
                    }
                    Err(stop) => break stop,
                }
            };
            assert_eq!(commands.get(), taken, "{tail:?}");
            assert!(longest.get() <= BATCH_COMMANDS && reader.window.capacity() < 4 * STEP_BYTES);
            match tail {
                EXEC => assert!(matches!(stop, Stop::End)),
                "!!!" => assert!(matches!(stop, Stop::Format { valid } if valid == before)),
                _ => assert!(matches!(stop, Stop::Short { valid, in_transaction: true } if valid == before)),
            }
        }
    }

    #[test]
    fn short_transactions_are_read_once() {
        let file = file(&format!("{MULTI}{SET}{SET}{EXEC}").repeat(5000));
        let mut reader = reader(&file);
        let mut commands = 0;
        while let Ok(batch) = reader.next_batch() {
            commands += batch.len();
        }
        assert_eq!((commands, file.1.load(Ordering::Relaxed)), (10_000, 1));
    }
}
