//! The log of refusals (ACL LOG): the newest first, like ones counted together.

use std::collections::VecDeque;

use crate::base::time::UnixMillis;

/// Refusals of one kind within so many milliseconds are one entry.
const SAME_MS: i64 = 60_000;

/// Why somebody was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reason {
    Auth,
    Command,
    Key,
    Channel,
    TlsCert,
    Database,
}

impl Reason {
    /// As ACL LOG shows it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Auth => "auth",
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Channel => "channel",
            Reason::TlsCert => "tls-cert",
            Reason::Database => "database",
        }
    }
}

/// Where the request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Context {
    Toplevel,
    Multi,
    Lua,
}

impl Context {
    /// As ACL LOG shows it.
    pub fn name(self) -> &'static str {
        match self {
            Context::Toplevel => "toplevel",
            Context::Multi => "multi",
            Context::Lua => "lua",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Refusal {
    pub reason: Reason,
    pub context: Context,
    /// The command, key, channel or database.
    pub object: Vec<u8>,
    pub user: Vec<u8>,
}

/// One entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What.
    pub refusal: Refusal,
    /// How often.
    pub count: u64,
    /// Its number.
    pub id: u64,
    /// When first and when last.
    pub created: UnixMillis,
    /// See `created`.
    pub updated: UnixMillis,
    /// The client that was turned away last, as CLIENT LIST shows it.
    pub client: String,
}

/// See the file's head.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl Log {
    /// Notes a refusal; at most `max` entries are kept.
    pub fn add(&mut self, refusal: Refusal, client: String, now: UnixMillis, max: usize) {
        let is_same = |entry: &Entry| entry.refusal == refusal && now.0 - entry.created.0 <= SAME_MS;
        let known = self.entries.iter().position(is_same).and_then(|at| self.entries.remove(at));
        let entry = match known {
            Some(entry) => Entry { count: entry.count + 1, updated: now, client, ..entry },
            None => {
                self.next_id += 1;
                Entry { refusal, count: 1, id: self.next_id - 1, created: now, updated: now, client }
            }
        };
        self.entries.push_front(entry);
        self.entries.truncate(max);
    }

    /// Forgets all entries.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The entries, the newest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }
}
