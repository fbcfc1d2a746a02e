//! Tests of the server as clients see it. The modules mirror `src`.

mod appending;
mod backup;
mod bounds;
mod clock;
mod commands;
mod keyspace;
#[path = "../support/node.rs"]
mod node;
mod remote;
mod resp;
mod runner;
mod scan;
#[path = "../support/server.rs"]
mod server;
mod turns;
mod unsynced;
