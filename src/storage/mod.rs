//! Data structures, and all unsafe code of the keyspace: the table and its entries, the packed encodings, and the
//! shared nodes of large collections; and the stacks that scripts run on. Deliberately absent: commands, clocks, configuration, IO. Called by
//! `types`, `keyspace` and `scripting`.
#![allow(unsafe_code)]

pub mod alloc;
pub mod block;
mod c_strings;
pub mod copies;
pub mod decimal;
pub mod dict;
pub mod dict_entry;
pub mod dict_segment;
pub mod directory;
pub mod entry;
pub mod expiry;
pub mod incoming;
pub mod intset;
pub mod large;
pub mod listpack;
pub mod lua_tables;
pub mod machine;
pub mod malformed;
pub mod object;
pub mod ordered;
pub mod owned;
pub mod packed;
mod prefetch;
pub mod quicklist;
pub mod region;
pub mod score_index;
pub mod score_leaf;
pub mod score_tree;
pub mod segment_view;
pub mod shared;
pub mod stream;
pub mod table;
pub mod zset;

pub use copies::{EntryCopies, EntryCopy};
pub use entry::{Encoding, EntryMut, EntryRef, NewValue, Type, Value};
pub use incoming::Incoming;
pub use object::Object;
pub use owned::OwnedEntry;
pub use region::ByteRegion;
pub use shared::Shared;
pub use table::Table;
