//! Values as bytes on disk and on the wire. Deliberately absent: files, threads, keys' places. Called by `commands` (DUMP,
//! RESTORE).

pub mod rdb;
