//! Russet: a server for the Redis protocol that does not fork and does not stall. ARCHITECTURE.md is the map;
//! the modules below stand in reading order, and a room imports only rooms of lower lines (tests/tidy.rs).
#![deny(unsafe_code)]

pub mod acl;
pub mod base;
pub mod commands;
pub mod config;
pub mod dispatch;
pub mod keyspace;
pub mod node;
pub mod persistence;
pub mod pubsub;
pub mod reactor;
pub mod resp;
pub mod scripting;
pub mod server;
pub mod spec;
pub mod storage;
pub mod tracking;
pub mod types;

#[cfg(not(any(miri, fuzzing)))]
#[global_allocator]
static ALLOCATOR: storage::alloc::Jemalloc = storage::alloc::Jemalloc;
