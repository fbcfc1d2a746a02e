//! Data on disk: RDB files, append-only files, snapshots and when they are taken. Deliberately absent: commands, threads (jobs are
//! handed to the host), the disk itself (it is handed in). Called by `dispatch`, `node`, and by `commands` (DUMP, RESTORE).

pub mod aof;
pub mod backup;
pub mod convert;
pub mod load;
pub mod pace;
pub mod rdb;
pub mod snapshot;
pub mod state;

pub use backup::Backup;
pub use state::Persistence;
