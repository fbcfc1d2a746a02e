//! The types of values: their encodings and when they change. Deliberately absent: keys, commands, replies, clocks. Called by
//! `keyspace` and `commands`.

pub mod bitmap;
pub mod digest;
pub mod hyperloglog;
pub mod string;
