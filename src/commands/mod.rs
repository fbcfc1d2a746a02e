//! The commands: one file per family; each command declared beside its handler. Deliberately absent: when a command may run
//! and what follows it (`dispatch`), how values are stored (`types`, `keyspace`). Called by `dispatch` through the table.

pub mod acl;
pub mod bitmap;
pub mod connection;
pub mod dump;
mod elements;
pub mod generic;
pub mod geo;
pub mod hash;
mod help;
pub mod hyperloglog;
pub mod list;
pub mod pubsub;
pub mod scripting;
pub mod server;
pub mod set;
pub mod stream;
pub mod string;
pub mod transactions;
pub mod zset;

use crate::keyspace::Notify;
use crate::server::{Command, DataContext};

/// Every command of the server, by family.
pub const FAMILIES: &[&[Command]] = &[
    acl::COMMANDS,
    bitmap::COMMANDS,
    connection::COMMANDS,
    dump::COMMANDS,
    generic::COMMANDS,
    geo::COMMANDS,
    hash::COMMANDS,
    hyperloglog::COMMANDS,
    list::COMMANDS,
    pubsub::COMMANDS,
    scripting::COMMANDS,
    server::COMMANDS,
    set::COMMANDS,
    stream::COMMANDS,
    string::COMMANDS,
    transactions::COMMANDS,
    zset::COMMANDS,
];

/// Deletes the key that was to hold a result where there is none.
fn store_nothing(cx: &mut DataContext<'_>, destination: &[u8]) {
    if cx.db.exists(destination) && cx.db.delete(destination) {
        cx.db.modified(destination);
        cx.db.notify(Notify::GENERIC, "del", destination);
    }
}
