//! SLOWLOG and COMMANDLOG: the latest commands that took long, or whose request or reply was large.

use std::collections::VecDeque;

/// Which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    Slow,
    LargeRequest,
    LargeReply,
}

/// One logged command.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct LogEntry {
    pub id: u64,
    /// Seconds since the epoch.
    pub time: i64,
    /// Microseconds, or bytes.
    pub value: u64,
    pub argv: Vec<Vec<u8>>,
    pub client_addr: String,
    pub client_name: Vec<u8>,
}

/// One log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    entries: VecDeque<LogEntry>,
    next_id: u64,
}

/// The three logs.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct CommandLog {
    pub slow: Log,
    pub large_request: Log,
    pub large_reply: Log,
}

impl CommandLog {
    /// One of them.
    pub fn of(&mut self, kind: LogKind) -> &mut Log {
        match kind {
            LogKind::Slow => &mut self.slow,
            LogKind::LargeRequest => &mut self.large_request,
            LogKind::LargeReply => &mut self.large_reply,
        }
    }
}

impl Log {
    /// Logs a command if its value reaches the threshold (negative: never), keeping at most `len_max`.
    pub fn add_if_over(&mut self, threshold: i64, len_max: usize, value: u64, entry: impl FnOnce() -> LogEntry) {
        if threshold < 0 || value < threshold as u64 || len_max == 0 {
            return;
        }
        self.entries.push_front(LogEntry { id: self.next_id, value, ..entry() });
        self.next_id += 1;
        self.entries.truncate(len_max);
    }

    /// The latest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &LogEntry> {
        self.entries.iter()
    }

    /// Forgets all.
    pub fn reset(&mut self) {
        self.entries.clear();
    }
}

/// A request as the logs keep it: so many arguments of so many bytes, with a note of what was left out.
pub fn abridged(argv: &[&[u8]], args_max: usize, arg_bytes_max: usize) -> Vec<Vec<u8>> {
    let mut kept: Vec<Vec<u8>> = Vec::with_capacity(argv.len().min(args_max));
    for (index, arg) in argv.iter().enumerate() {
        if index + 1 == args_max && argv.len() > args_max {
            kept.push(format!("... ({} more arguments)", argv.len() - index).into_bytes());
            break;
        }
        if arg.len() > arg_bytes_max {
            let mut short = arg[..arg_bytes_max].to_vec();
            short.extend_from_slice(format!("... ({} more bytes)", arg.len() - arg_bytes_max).as_bytes());
            kept.push(short);
        } else {
            kept.push(arg.to_vec());
        }
    }
    kept
}
