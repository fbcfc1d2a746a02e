//! The ground: time, chance, hashing, numbers, patterns, checksums. Deliberately absent: IO, clocks, anything that
//! knows of Redis commands. Everybody calls it.

pub mod bits;
pub mod crc;
pub mod glob;
mod grisu;
pub mod hash;
pub mod host;
pub mod log;
pub mod long_double;
pub mod lzf;
pub mod notify;
pub mod number;
pub mod rng;
pub mod sha;
pub mod shown;
pub mod time;
