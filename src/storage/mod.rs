//! Data structures, and all unsafe code of the keyspace: the table and its entries, the packed encodings, and the
//! shared nodes of large collections. Deliberately absent: commands, clocks, configuration, IO. Called by
//! `types` and `keyspace`.
#![allow(unsafe_code)]

pub mod block;
pub mod dict;
pub mod dict_entry;
pub mod dict_segment;
pub mod directory;
pub mod large;
pub mod region;
pub mod score_index;
pub mod score_leaf;
pub mod score_tree;
pub mod shared;
pub mod zset;

pub use region::ByteRegion;
pub use shared::Shared;
