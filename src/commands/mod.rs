//! The commands: one file per family; each command declared beside its handler. Deliberately absent: when a command may run
//! and what follows it (`dispatch`), how values are stored (`types`, `keyspace`). Called by `dispatch` through the table.

pub mod connection;
mod elements;
pub mod hash;
pub mod set;
pub mod string;
pub mod zset;

use crate::server::Command;

/// Every command of the server, by family.
pub const FAMILIES: &[&[Command]] =
    &[connection::COMMANDS, hash::COMMANDS, set::COMMANDS, zset::COMMANDS, string::COMMANDS];
