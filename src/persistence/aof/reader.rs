//! Commands out of a file of the append-only form: requests in RESP, lines that begin with `#` between them, transactions.
//! What is read is handed on in batches of whole commands; of a transaction all or nothing is.

use std::io::{self, Read};
use std::sync::Arc;

/// Commands that travel together, unless a transaction holds more, and how many bytes of them.
const BATCH_COMMANDS: usize = 256;
const BATCH_BYTES: usize = 128 * 1024;
/// How much is read at a time.
const STEP_BYTES: usize = 256 * 1024;
/// Longest line that holds a number; longest that is passed over.
const LINE_MAX: usize = 128;
const NOTE_MAX: usize = 64 * 1024;

/// Commands in the order in which they are to be repeated. MULTI and EXEC are left out: nobody sees what is between.
pub struct CommandBatch {
    /// The file they come from.
    pub file: Arc<str>,
    bytes: Vec<u8>,
    /// Start and length of each argument.
    args: Vec<(usize, usize)>,
    /// Of how many arguments each command is.
    commands: Vec<usize>,
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

    /// Visits each command, until one is refused.
    ///
    /// # Errors
    /// As `visit`'s.
    pub fn try_for_each<E>(&self, mut visit: impl FnMut(&[&[u8]]) -> Result<(), E>) -> Result<(), E> {
        let (mut args, mut argv) = (self.args.as_slice(), Vec::new());
        for &count in &self.commands {
            let (these, rest) = args.split_at(count.min(args.len()));
            argv.clear();
            argv.extend(these.iter().filter_map(|&(start, len)| self.bytes.get(start..start + len)));
            args = rest;
            visit(&argv)?;
        }
        Ok(())
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

/// Reads one file.
pub struct CommandReader {
    source: Box<dyn Read + Send>,
    /// Bytes of the batch in the making, and what was read beyond.
    window: Vec<u8>,
    at: usize,
    /// Offset of the window's first byte.
    start: u64,
    file: Arc<str>,
    args: Vec<(usize, usize)>,
    commands: Vec<usize>,
    /// Where a transaction began: position in the window, arguments and commands before it.
    multi: Option<(usize, usize, usize)>,
    /// Why there is nothing after the batch that was handed out.
    stop: Option<Stop>,
}

impl CommandReader {
    /// Reads what follows `read`, bytes of the file from `start` on that were read before.
    pub fn new(source: Box<dyn Read + Send>, read: Vec<u8>, start: u64, file: Arc<str>) -> CommandReader {
        CommandReader {
            source,
            window: read,
            at: 0,
            start,
            file,
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
            let is_full = self.commands.len() >= BATCH_COMMANDS || self.at >= BATCH_BYTES;
            if is_full && self.multi.is_none() {
                break None;
            }
        };
        match stop {
            Some(stop) if self.commands.is_empty() => Err(stop),
            stop => {
                self.stop = stop;
                Ok(self.take_batch())
            }
        }
    }

    fn take_batch(&mut self) -> CommandBatch {
        let rest = self.window.split_off(self.at);
        self.start += self.at as u64;
        self.at = 0;
        CommandBatch {
            file: self.file.clone(),
            bytes: std::mem::replace(&mut self.window, rest),
            args: std::mem::take(&mut self.args),
            commands: std::mem::take(&mut self.commands),
        }
    }

    /// Looks at the command that was read: MULTI and EXEC bound a transaction, others are to be repeated.
    fn note_command(&mut self, begin: usize, args: usize) {
        let count = self.args.len() - args;
        let is = |word: &[u8]| {
            let name = self.args.get(args).and_then(|&(start, len)| self.window.get(start..start + len));
            name.is_some_and(|name| name.eq_ignore_ascii_case(word))
        };
        if is(b"multi") {
            self.args.truncate(args);
            self.multi.get_or_insert((begin, args, self.commands.len()));
        } else if is(b"exec") {
            self.args.truncate(args);
            self.multi = None;
        } else if count > 0 {
            self.commands.push(count);
        }
    }

    /// Where the file is whole up to, if it ends while a transaction is open.
    fn settle_stop(&mut self, begin: usize, stop: Stop) -> Stop {
        let Some((multi, args, commands)) = self.multi.take() else {
            self.at = begin;
            return match stop {
                Stop::Short { .. } => Stop::Short { valid: self.start + begin as u64, in_transaction: false },
                Stop::Format { .. } => Stop::Format { valid: self.start + begin as u64 },
                other => other,
            };
        };
        self.args.truncate(args);
        self.commands.truncate(commands);
        self.at = multi;
        let valid = self.start + multi as u64;
        match stop {
            Stop::End | Stop::Short { .. } => Stop::Short { valid, in_transaction: true },
            Stop::Format { .. } => Stop::Format { valid },
            Stop::Io(error) => Stop::Io(error),
        }
    }

    /// Reads on. False at the end of the file.
    fn fill(&mut self) -> Result<bool, Stop> {
        let from = self.window.len();
        self.window.resize(from + STEP_BYTES.max(from / 4), 0);
        loop {
            let read = self.source.read(&mut self.window[from..]);
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
            let Some(end) = self.at.checked_add(len).and_then(|end| end.checked_add(2)) else {
                return Err(Stop::Format { valid: 0 });
            };
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
    use super::*;

    fn read(text: &str) -> (Vec<String>, Stop) {
        let bytes = text.replace(' ', "\r\n").into_bytes();
        let mut reader = CommandReader::new(Box::new(io::Cursor::new(bytes)), Vec::new(), 100, "f".into());
        let mut commands = Vec::new();
        loop {
            match reader.next_batch() {
                Ok(batch) => {
                    let visit = |argv: &[&[u8]]| {
                        commands
                            .push(argv.iter().map(|arg| String::from_utf8_lossy(arg)).collect::<Vec<_>>().join(" "));
                        Ok::<(), ()>(())
                    };
                    batch.try_for_each(visit).unwrap();
                }
                Err(stop) => return (commands, stop),
            }
        }
    }

    const SET: &str = "*3 $3 SET $1 k $1 v ";
    const MULTI: &str = "*1 $5 MULTI ";

    #[test]
    fn commands_and_transactions_are_read_and_notes_passed_over() {
        let (commands, stop) = read(&format!("#TS:12 {SET}{MULTI}{SET}*1 $4 exec #TS:14 "));
        assert_eq!(commands, ["SET k v", "SET k v"]);
        assert!(matches!(stop, Stop::End));
    }

    #[test]
    fn an_unfinished_end_is_told_from_a_broken_one() {
        let whole = 100 + SET.replace(' ', "\r\n").len() as u64;
        for cut in 1..SET.len() - 1 {
            let (commands, stop) = read(&format!("{SET}{}", &SET[..cut]));
            assert_eq!(commands.len(), 1);
            assert!(matches!(stop, Stop::Short { valid, in_transaction: false } if valid == whole), "{cut}: {stop:?}");
        }
        let (commands, stop) = read(&format!("{SET}{MULTI}{SET}"));
        assert!(commands.len() == 1 && matches!(stop, Stop::Short { valid, in_transaction: true } if valid == whole));
        for bad in ["!!!", "*x ", "*0 ", "*1 $x ", "*1 $-1 ", "*1 $1 abc ", "*1 :1 ", "*99999999999999999999 "] {
            let (commands, stop) = read(&format!("{SET}{bad}{SET}"));
            assert_eq!(commands.len(), 1);
            assert!(matches!(stop, Stop::Format { valid } if valid == whole), "{bad}: {stop:?}");
        }
    }
}
