//! What a handler gets to see. Data families see keys; only server-side commands see the server.

use crate::base::time::{Now, UnixMillis};
use crate::config::Config;
use crate::keyspace::{Db, DbIndex, OnDue};
use crate::resp::{CommandError, Reply};
use crate::storage::Shared;

use super::client::{Client, ClientId};
use super::propagation::Propagation;
use super::table::CommandId;
use super::{DebugSwitches, Server};

/// An argument that came in an allocation of its own.
pub type BigArg = (usize, Shared<Vec<u8>>);

/// The view of a data command.
pub struct DataContext<'a> {
    /// The selected database; `db.at` leads to others, `db.keyspace()` to what they share.
    pub db: Db<'a>,
    /// The request; `argv[0]` is the command's name as the client wrote it.
    pub argv: &'a [&'a [u8]],
    /// Where the reply goes. Nothing may be written before an error is returned.
    pub reply: Reply<'a>,
    /// The frozen time.
    pub now: UnixMillis,
    /// The limits that the operator set.
    pub config: &'a Config,
    /// May the command not wait (MULTI, scripts)?
    pub deny_blocking: bool,
    /// May the client's user read every key?
    pub reads_every_key: bool,
    /// Switches of DEBUG.
    pub debug: &'a DebugSwitches,
    pub(crate) propagation: &'a mut Propagation,
    pub(crate) bigs: &'a [BigArg],
}

impl DataContext<'_> {
    /// Repeats this in the append-only file and on replicas instead of the request.
    pub fn propagate_as(&mut self, argv: &[&[u8]]) {
        self.propagation.instead(self.db.index(), argv);
    }

    /// Has this time come, so that what expires then is gone at once? Never while an append-only file is repeated: later
    /// commands of it may count on the key.
    pub fn has_passed(&mut self, at: i64) -> bool {
        at <= self.now.0 && self.db.keyspace().policy.on_due != OnDue::Ignore
    }

    /// Is this a command of a master or an append-only file, which says what came of it there?
    pub fn is_repeated(&mut self) -> bool {
        self.db.keyspace().policy.on_due == OnDue::Ignore
    }

    /// Does anyone listen to what is propagated? If not, a rewriting need not be made.
    pub fn propagates(&self) -> bool {
        self.propagation.enabled
    }

    /// The allocation of a long argument, to be kept without copying.
    pub fn big_arg(&self, index: usize) -> Option<Shared<Vec<u8>>> {
        self.bigs.iter().find(|(at, _)| *at == index).map(|(_, bytes)| bytes.clone())
    }
}

/// The view of a server-side command.
pub struct ServerContext<'a> {
    /// The server; its clients hold the current one, whose output is lent to `reply` meanwhile.
    pub server: &'a mut Server,
    /// Who asks.
    pub client: ClientId,
    /// The request.
    pub argv: &'a [&'a [u8]],
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// The frozen time.
    pub now: Now,
    /// The command in hand.
    pub command: CommandId,
    /// May the command not wait (MULTI, scripts)?
    pub deny_blocking: bool,
}

impl ServerContext<'_> {
    /// The client who asks. Its `out` is empty: the reply goes to `reply`.
    ///
    /// # Panics
    /// Never: the asking client exists while its command runs.
    pub fn client(&mut self) -> &mut Client {
        self.server.clients.get_mut(self.client).expect("the asking client is connected")
    }

    /// Keeps an argument out of logs and from monitors.
    pub fn redact(&mut self, index: usize) {
        self.server.redacted.push(index);
    }

    /// The selected database.
    pub fn db_index(&mut self) -> DbIndex {
        self.client().db
    }
}

/// A cursor over arguments, for options.
pub struct Args<'a> {
    argv: &'a [&'a [u8]],
    at: usize,
}

impl<'a> Args<'a> {
    /// Begins at argument `at`.
    pub fn new(argv: &'a [&'a [u8]], at: usize) -> Args<'a> {
        Args { argv, at }
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.argv.len().saturating_sub(self.at)
    }

    /// The position of the next one.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next argument, if any.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<&'a [u8]> {
        let arg = self.argv.get(self.at).copied();
        self.at += usize::from(arg.is_some());
        arg
    }

    /// The next argument.
    ///
    /// # Errors
    /// A syntax error if there is none.
    pub fn required(&mut self) -> Result<&'a [u8], CommandError> {
        self.next().ok_or(CommandError::Syntax)
    }

    /// The next argument, an integer.
    ///
    /// # Errors
    /// If there is none, or it is no integer.
    pub fn integer(&mut self) -> Result<i64, CommandError> {
        integer(self.required()?)
    }

    /// Steps over the next argument if it is this word, in any case.
    pub fn take_word(&mut self, word: &str) -> bool {
        let is_word = self.argv.get(self.at).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
        self.at += usize::from(is_word);
        is_word
    }
}

/// The number of a database: an integer of 32 bits, whether there is such a database or not.
///
/// # Errors
/// If it is none.
pub fn database_number(arg: &[u8]) -> Result<i64, CommandError> {
    let number = integer(arg)?;
    if i32::try_from(number).is_err() {
        let text = format!("value is out of range, value must between {} and {}", i32::MIN, i32::MAX);
        return Err(CommandError::err(text));
    }
    Ok(number)
}

/// An argument that must be an integer.
///
/// # Errors
/// If it is not.
#[inline]
pub fn integer(arg: &[u8]) -> Result<i64, CommandError> {
    crate::base::number::parse_i64(arg).ok_or(CommandError::NotInteger)
}

/// The timeout of a blocking command, given in seconds: milliseconds, rounded up; 0 for none.
///
/// # Errors
/// If it is no number, negative, or reaches beyond the end of time.
pub fn timeout_ms(arg: &[u8], now: UnixMillis) -> Result<u64, CommandError> {
    let seconds = crate::base::number::parse_f64(arg).ok_or(CommandError::TimeoutNotFloat)?;
    if seconds < 0.0 {
        return Err(CommandError::TimeoutNegative);
    }
    let ms = (seconds * 1000.0).ceil();
    if ms >= (i64::MAX - now.0.max(0)) as f64 {
        return Err(CommandError::TimeoutRange);
    }
    Ok(ms as u64)
}

/// The same, given in whole milliseconds.
///
/// # Errors
/// If it is no integer, negative, or reaches beyond the end of time.
pub fn timeout_whole_ms(arg: &[u8], now: UnixMillis) -> Result<u64, CommandError> {
    let refusal = || CommandError::err("timeout is not an integer or out of range");
    let ms = crate::base::number::parse_i64(arg).ok_or_else(refusal)?;
    if ms.checked_add(now.0.max(0)).is_none() {
        return Err(CommandError::TimeoutRange);
    }
    u64::try_from(ms).map_err(|_| CommandError::TimeoutNegative)
}

/// An argument that must be a number.
///
/// # Errors
/// If it is not.
pub fn float(arg: &[u8]) -> Result<f64, CommandError> {
    crate::base::number::parse_f64(arg).ok_or(CommandError::NotFloat)
}
