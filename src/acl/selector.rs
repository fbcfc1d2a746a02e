//! A selector: which commands, on which keys, channels and databases. A user has one, and may have more: what one of them
//! allows as a whole is allowed.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::glob::{self, Case};
use crate::base::quote::quoted;
use crate::base::shown::shown;
use crate::spec::Categories;

use super::catalog::Catalog;

/// What is done with a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct KeyAccess {
    pub reads: bool,
    pub writes: bool,
}

/// Keys that may be touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern {
    /// As a glob.
    pub pattern: Vec<u8>,
    /// In this way.
    pub access: KeyAccess,
}

/// Does a rule give or take away?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Grant {
    Allow,
    Deny,
}

/// Which channels a new user may use (acl-pubsub-default).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NewChannels {
    All,
    None,
}

/// See the file's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// One bit for each command and subcommand.
    allowed: Vec<u64>,
    /// All commands, also those that do not exist yet.
    all_commands: bool,
    /// Began the rules with all commands (or with none)?
    from_all: bool,
    /// The rules since then that are not superseded, as they are shown.
    rules: Vec<String>,
    /// Commands that are allowed only with one of these first arguments.
    first_args: BTreeMap<u16, Vec<String>>,
    keys: Vec<KeyPattern>,
    all_keys: bool,
    channels: Vec<Vec<u8>>,
    all_channels: bool,
    /// The only databases; none: all.
    dbs: Option<BTreeSet<i64>>,
}

impl Selector {
    /// One that allows nothing, on all databases.
    pub fn none(catalog: &Catalog) -> Selector {
        Selector { allowed: vec![0; catalog.len().div_ceil(64)], ..Selector::default() }
    }

    /// Is nothing kept from it?
    pub fn is_unrestricted(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels && self.dbs.is_none()
    }

    /// Gives or takes away all commands.
    pub fn set_all_commands(&mut self, grant: Grant) {
        let allow = grant == Grant::Allow;
        self.allowed.fill(if allow { u64::MAX } else { 0 });
        (self.all_commands, self.from_all) = (allow, allow);
        self.rules.clear();
        self.first_args.clear();
    }

    fn set_bit(&mut self, number: u16, grant: Grant) {
        if let Some(word) = self.allowed.get_mut(usize::from(number) / 64) {
            let bit = 1 << (number % 64);
            *word = if grant == Grant::Allow { *word | bit } else { *word & !bit };
        }
        self.first_args.remove(&number);
    }

    /// Sets a command with its subcommands; leaves no word about it.
    fn set_with_subcommands(&mut self, catalog: &Catalog, number: u16, grant: Grant) {
        self.set_bit(number, grant);
        let subcommands = catalog.entry(number).map(|entry| entry.subcommands.as_slice()).unwrap_or_default();
        subcommands.iter().for_each(|&sub| self.set_bit(sub, grant));
        if grant == Grant::Deny {
            self.all_commands = false;
        }
    }

    /// Gives or takes away one command (with its subcommands) or one subcommand.
    pub fn set_command(&mut self, catalog: &Catalog, number: u16, grant: Grant) {
        self.set_with_subcommands(catalog, number, grant);
        if let Some(entry) = catalog.entry(number) {
            self.note_rule(&entry.name, grant);
        }
    }

    /// Gives or takes away all commands of a category.
    pub fn set_category(&mut self, catalog: &Catalog, category: Categories, name: &str, grant: Grant) {
        for (number, entry) in catalog.iter() {
            if entry.categories.has(category) {
                self.set_with_subcommands(catalog, number, grant);
            }
        }
        self.note_rule(&format!("@{name}"), grant);
    }

    /// Allows a command with this first argument.
    pub fn allow_first_arg(&mut self, catalog: &Catalog, number: u16, arg: &str) {
        let args = self.first_args.entry(number).or_default();
        if !args.iter().any(|known| known.eq_ignore_ascii_case(arg)) {
            args.push(arg.to_owned());
        }
        if let Some(entry) = catalog.entry(number) {
            let name = format!("{}|{arg}", entry.name);
            self.note_rule(&name, Grant::Allow);
        }
    }

    /// Notes a rule in the place of those that it supersedes: that of the same name, and those of parts of it.
    fn note_rule(&mut self, name: &str, grant: Grant) {
        self.rules.retain(|rule| {
            let rest = rule[1..].strip_prefix(name);
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
        });
        self.rules.push(format!("{}{name}", if grant == Grant::Allow { '+' } else { '-' }));
    }

    /// May the command of this number run with these arguments? `first` is the argument after its name.
    pub fn allows_command(&self, number: u16, first: Option<&[u8]>) -> bool {
        if self.all_commands {
            return true;
        }
        let word = self.allowed.get(usize::from(number) / 64).copied().unwrap_or(0);
        if word >> (number % 64) & 1 == 1 {
            return true;
        }
        let (Some(args), Some(first)) = (self.first_args.get(&number), first) else { return false };
        args.iter().any(|arg| arg.as_bytes().eq_ignore_ascii_case(first))
    }

    /// Allows all keys.
    pub fn set_all_keys(&mut self) {
        self.keys.clear();
        self.all_keys = true;
    }

    /// Allows no key.
    pub fn reset_keys(&mut self) {
        self.keys.clear();
        self.all_keys = false;
    }

    /// Does it allow all keys?
    pub fn has_all_keys(&self) -> bool {
        self.all_keys
    }

    /// Allows keys of this pattern. The same pattern for reading and for writing becomes one for both.
    pub fn add_keys(&mut self, pattern: &[u8], access: KeyAccess) {
        match self.keys.iter_mut().find(|known| known.pattern == pattern) {
            Some(known) => {
                known.access.reads |= access.reads;
                known.access.writes |= access.writes;
            }
            None => self.keys.push(KeyPattern { pattern: pattern.to_vec(), access }),
        }
    }

    /// May this key be touched so?
    pub fn allows_key(&self, key: &[u8], access: KeyAccess) -> bool {
        let is_enough = |given: KeyAccess| (given.reads || !access.reads) && (given.writes || !access.writes);
        self.all_keys
            || self
                .keys
                .iter()
                .any(|known| is_enough(known.access) && glob::is_match(&known.pattern, key, Case::Sensitive))
    }

    /// May every key be touched so?
    pub fn allows_every_key(&self, access: KeyAccess) -> bool {
        let is_enough = |given: KeyAccess| (given.reads || !access.reads) && (given.writes || !access.writes);
        self.all_keys || self.keys.iter().any(|known| is_enough(known.access) && known.pattern == b"*")
    }

    /// Allows all channels.
    pub fn set_all_channels(&mut self) {
        self.channels.clear();
        self.all_channels = true;
    }

    /// Allows no channel.
    pub fn reset_channels(&mut self) {
        self.channels.clear();
        self.all_channels = false;
    }

    /// Does it allow all channels?
    pub fn has_all_channels(&self) -> bool {
        self.all_channels
    }

    /// Allows channels of this pattern.
    pub fn add_channels(&mut self, pattern: &[u8]) {
        if !self.channels.iter().any(|known| known == pattern) {
            self.channels.push(pattern.to_vec());
        }
    }

    /// May this channel be used? A pattern to subscribe to must be one that is allowed, word for word.
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        let fits = |known: &Vec<u8>| {
            if is_pattern { known == channel } else { glob::is_match(known, channel, Case::Sensitive) }
        };
        self.all_channels || self.channels.iter().any(fits)
    }

    /// Limits it to these databases, or to none of them (`None`).
    pub fn set_dbs(&mut self, dbs: Option<BTreeSet<i64>>) {
        self.dbs = dbs;
    }

    /// May this database be used?
    pub fn allows_db(&self, db: i64) -> bool {
        self.dbs.as_ref().is_none_or(|dbs| dbs.contains(&db))
    }

    /// May all databases be used?
    pub fn allows_all_dbs(&self) -> bool {
        self.dbs.is_none()
    }

    /// The rules about commands, as they are shown.
    pub fn commands_text(&self) -> String {
        let mut text = if self.from_all { "+@all".to_owned() } else { "-@all".to_owned() };
        for rule in &self.rules {
            text.push(' ');
            text.push_str(rule);
        }
        text
    }

    /// The patterns of keys, as they are shown.
    pub fn keys_text(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let shown = self.keys.iter().map(|known| {
            let sigil: &[u8] = match (known.access.reads, known.access.writes) {
                (true, false) => b"%R~",
                (false, true) => b"%W~",
                _ => b"~",
            };
            [sigil, &known.pattern].concat()
        });
        shown.collect::<Vec<_>>().join(&b' ')
    }

    /// The patterns of channels, as they are shown.
    pub fn channels_text(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        self.channels.iter().map(|channel| [b"&", channel.as_slice()].concat()).collect::<Vec<_>>().join(&b' ')
    }

    /// The databases, as they are shown. None where there is no limit.
    pub fn dbs_text(&self) -> Option<String> {
        let dbs = self.dbs.as_ref()?;
        if dbs.is_empty() {
            return Some("resetdbs".to_owned());
        }
        Some(format!("db={}", dbs.iter().map(i64::to_string).collect::<Vec<_>>().join(",")))
    }

    /// All of it as rules, from which an equal one can be made.
    pub fn text(&self) -> Vec<u8> {
        let mut parts = Vec::new();
        if self.all_keys || !self.keys.is_empty() {
            parts.push(self.keys_text());
        }
        if !self.all_channels {
            parts.push(b"resetchannels".to_vec());
        }
        if self.all_channels || !self.channels.is_empty() {
            parts.push(self.channels_text());
        }
        parts.extend(self.dbs_text().map(String::into_bytes));
        parts.push(self.commands_text().into_bytes());
        parts.join(&b' ')
    }

    /// The same in quotes where words would end the parentheses around them, or be taken for quoted.
    pub fn quoted_text(&self) -> Vec<u8> {
        let text = self.text();
        let words = text.split(|&byte| byte == b' ').map(|word| {
            let is_plain = !word.ends_with(b")") && !word.iter().any(|byte| matches!(byte, b'"' | b'\''));
            if is_plain { word.to_vec() } else { quoted(word).into_bytes() }
        });
        words.collect::<Vec<_>>().join(&b' ')
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&shown(&self.text()))
    }
}
