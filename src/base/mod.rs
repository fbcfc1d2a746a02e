//! The ground: time, chance, hashing, numbers, patterns, checksums. Deliberately absent: IO, clocks, anything that
//! knows of Redis commands. Everybody calls it.

pub mod hash;
pub mod rng;
pub mod time;
