//! May this user do that?

use super::selector::{KeyAccess, Selector};
use super::user::User;

pub use super::selector::KeyAccess as Access;

/// A request, as far as rules speak of it. Numbers are positions in `argv`.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The number of the command or subcommand.
    pub command: u16,
    /// May everybody run it, whatever the rules say (AUTH and the like)?
    pub is_free: bool,
    /// The request.
    pub argv: &'a [&'a [u8]],
    /// The position of the argument after the names of command and subcommand.
    pub first_arg: usize,
    /// Keys, and what is done with each.
    pub keys: Vec<(usize, KeyAccess)>,
    /// Channels, and whether each is a pattern.
    pub channels: Vec<(usize, bool)>,
    /// Databases, and the argument that names each.
    pub dbs: Vec<(usize, i64)>,
    /// Does it touch all databases?
    pub all_dbs: bool,
}

/// What a user may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denied {
    /// Use the database that this argument names (0: the selected one, or all).
    Database(usize),
    /// Run the command.
    Command,
    /// Touch this key.
    Key(usize),
    /// Use this channel.
    Channel(usize),
}

impl User {
    /// May it do this?
    ///
    /// # Errors
    /// What is denied: by the selector that got furthest.
    pub fn check(&self, request: &Request<'_>) -> Result<(), Denied> {
        let mut furthest = None;
        for selector in self.all_selectors() {
            match selector.check(request) {
                Ok(()) => return Ok(()),
                Err(denied) => furthest = furthest.max(Some(denied)),
            }
        }
        Err(furthest.unwrap_or(Denied::Command))
    }
}

impl Selector {
    fn check(&self, request: &Request<'_>) -> Result<(), Denied> {
        let argv = request.argv;
        if let Some(&(at, _)) = request.dbs.iter().find(|&&(_, db)| !self.allows_db(db)) {
            return Err(Denied::Database(at));
        }
        if request.all_dbs && !self.allows_all_dbs() {
            return Err(Denied::Database(0));
        }
        if !request.is_free && !self.allows_command(request.command, argv.get(request.first_arg).copied()) {
            return Err(Denied::Command);
        }
        if let Some(&(at, _)) = request.keys.iter().find(|&&(at, access)| !self.allows_key(argv[at], access)) {
            return Err(Denied::Key(at));
        }
        if let Some(&(at, _)) = request.channels.iter().find(|&&(at, pattern)| !self.allows_channel(argv[at], pattern))
        {
            return Err(Denied::Channel(at));
        }
        Ok(())
    }
}
