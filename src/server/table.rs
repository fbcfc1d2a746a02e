//! The table of commands as this server runs them: names (after `rename-command`), numbers, and statistics.

use std::collections::BTreeMap;

use crate::spec::CommandInfo;

use super::command::Command;
use super::latency::Histogram;

/// The number of a command or subcommand in this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandId(pub u16);

/// Counters of one command.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct CommandStats {
    pub calls: u64,
    pub usec: u64,
    pub rejected_calls: u64,
    pub failed_calls: u64,
    /// Durations in nanoseconds, if latency-tracking is on.
    pub histogram: Option<Box<Histogram>>,
}

/// One command of the table.
pub struct CommandEntry {
    /// `get`, `config|get`.
    pub full_name: String,
    /// As declared.
    pub command: &'static Command,
    /// Its container.
    pub parent: Option<CommandId>,
    /// Its subcommands by name.
    pub subcommands: BTreeMap<Vec<u8>, CommandId>,
    /// Counters.
    pub stats: CommandStats,
}

impl CommandEntry {
    /// What the command says of itself.
    pub fn info(&self) -> &'static CommandInfo {
        &self.command.info
    }
}

/// All commands of a server.
pub struct CommandTable {
    entries: Vec<CommandEntry>,
    /// Open addressing over the lower-case name's hash; `u16::MAX` is empty.
    slots: Vec<u16>,
    names: Vec<(Vec<u8>, CommandId)>,
}

fn name_hash(name: &[u8]) -> u64 {
    name.iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte | 0x20)).wrapping_mul(0x0000_0100_0000_01b3))
}

impl CommandTable {
    /// A table of all these families.
    pub fn new(families: &[&'static [Command]]) -> CommandTable {
        let mut table = CommandTable { entries: Vec::new(), slots: Vec::new(), names: Vec::new() };
        for command in families.iter().copied().flatten() {
            let id = table.add(command.info.name.to_owned(), command, None);
            table.names.push((command.info.name.as_bytes().to_vec(), id));
            for sub in command.handler.subcommands() {
                let full_name = format!("{}|{}", command.info.name, sub.info.name);
                let sub_id = table.add(full_name, sub, Some(id));
                table.entries[usize::from(id.0)].subcommands.insert(sub.info.name.as_bytes().to_vec(), sub_id);
            }
        }
        table.index();
        table
    }

    fn add(&mut self, full_name: String, command: &'static Command, parent: Option<CommandId>) -> CommandId {
        let id = CommandId(self.entries.len() as u16);
        self.entries.push(CommandEntry {
            full_name,
            command,
            parent,
            subcommands: BTreeMap::new(),
            stats: CommandStats::default(),
        });
        id
    }

    fn index(&mut self) {
        let size = (self.names.len() * 4).next_power_of_two();
        self.slots = vec![u16::MAX; size];
        for (number, (name, _)) in self.names.iter().enumerate() {
            let mut at = name_hash(name) as usize % size;
            while self.slots[at] != u16::MAX {
                at = (at + 1) % size;
            }
            self.slots[at] = number as u16;
        }
    }

    /// The command of this name, whatever its case.
    #[inline]
    pub fn lookup(&self, name: &[u8]) -> Option<CommandId> {
        let mask = self.slots.len() - 1;
        let mut at = name_hash(name) as usize & mask;
        loop {
            let number = self.slots[at];
            if number == u16::MAX {
                return None;
            }
            let (known, id) = &self.names[usize::from(number)];
            if known.eq_ignore_ascii_case(name) {
                return Some(*id);
            }
            at = (at + 1) & mask;
        }
    }

    /// The subcommand of a container, whatever its case.
    pub fn lookup_sub(&self, id: CommandId, name: &[u8]) -> Option<CommandId> {
        self.entry(id).subcommands.get(&name.to_ascii_lowercase()).copied()
    }

    /// A command by its full name, as `config|get` or `config get`.
    pub fn lookup_full(&self, name: &[u8]) -> Option<CommandId> {
        match name.iter().position(|&byte| byte == b'|') {
            None => self.lookup(name),
            Some(bar) => self.lookup_sub(self.lookup(&name[..bar])?, &name[bar + 1..]),
        }
    }

    /// One command.
    #[inline]
    pub fn entry(&self, id: CommandId) -> &CommandEntry {
        &self.entries[usize::from(id.0)]
    }

    /// One command, to count.
    #[inline]
    pub fn entry_mut(&mut self, id: CommandId) -> &mut CommandEntry {
        &mut self.entries[usize::from(id.0)]
    }

    /// The subcommands of a container, in order of their names.
    pub fn children(&self, id: CommandId) -> Vec<CommandId> {
        self.entry(id).subcommands.values().copied().collect()
    }

    /// All commands and subcommands, in order of declaration.
    pub fn iter(&self) -> impl Iterator<Item = (CommandId, &CommandEntry)> {
        self.entries.iter().enumerate().map(|(index, entry)| (CommandId(index as u16), entry))
    }

    /// Number of commands, subcommands not counted.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Gives a command another name, or takes it away (an empty one). False if there is no such command or the
    /// new name is taken.
    pub fn rename(&mut self, name: &[u8], to: &[u8]) -> bool {
        let Some(at) = self.names.iter().position(|(known, _)| known.eq_ignore_ascii_case(name)) else { return false };
        if !to.is_empty() && self.lookup(to).is_some() {
            return false;
        }
        let (_, id) = self.names.remove(at);
        if !to.is_empty() {
            self.names.push((to.to_ascii_lowercase(), id));
        }
        self.index();
        true
    }

    /// Forgets how long commands took.
    pub fn forget_histograms(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.stats.histogram = None);
    }

    /// Forgets all counters.
    pub fn reset_stats(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.stats = CommandStats::default());
    }
}
