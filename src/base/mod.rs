//! The ground: time, chance, hashing, numbers, patterns, checksums, and the traits by which a node touches the machine.
//! Deliberately absent: IO, clocks, anything that
//! knows of Redis commands. Everybody calls it.

pub mod bits;
pub mod crc;
pub mod disk;
pub mod glob;
mod grisu;
pub mod hash;
pub mod host;
pub mod job;
pub mod log;
pub mod long_double;
pub mod lzf;
pub mod notify;
pub mod number;
pub mod partial_sort;
pub mod quote;
pub mod rng;
pub mod sha;
pub mod shown;
pub mod time;
