//! What is known of a backup: how far it is, and which files of the append-only file it keeps. A backup is a directory with
//! a base, what happened since, and a manifest: an append-only file that nothing is written to any more. Its files are second
//! names of those of the server, so that it takes no room of its own until a rewrite replaces them. Deliberately absent: when
//! it begins and ends (`dispatch`).

use std::path::PathBuf;

use crate::base::time::MonoTime;

/// How far a backup is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupState {
    /// There is none.
    #[default]
    Idle,
    /// It begins when what goes on has ended.
    Pending,
    /// The rewrite that makes its base goes on.
    Snapshotting,
    /// It has its base; what happens since gathers.
    Incrementing,
    /// What happened since gets its names.
    Sealing,
    /// It is whole.
    Sealed,
    /// It came to nothing.
    Failed,
}

impl BackupState {
    /// As BACKUP STATUS names it.
    pub fn name(self) -> &'static str {
        match self {
            BackupState::Idle => "idle",
            BackupState::Pending => "pending",
            BackupState::Snapshotting => "snapshotting",
            // Until it is whole, nothing may be done to it but what may be done before.
            BackupState::Incrementing | BackupState::Sealing => "incrementing",
            BackupState::Sealed => "sealed",
            BackupState::Failed => "failed",
        }
    }

    /// Is one being made?
    pub fn is_in_progress(self) -> bool {
        !matches!(self, BackupState::Idle | BackupState::Sealed | BackupState::Failed)
    }

    /// Does it need the base and the incremental file that the server has? No rewrite may replace them then.
    pub fn needs_files(self) -> bool {
        matches!(self, BackupState::Snapshotting | BackupState::Incrementing | BackupState::Sealing)
    }
}

/// A backup.
#[derive(Clone, Debug, Default)]
pub struct Backup {
    /// How far it is.
    pub state: BackupState,
    /// Why it failed.
    pub error: String,
    /// When its snapshot began, and when it was whole, seconds since the epoch.
    pub start_time: i64,
    /// See `start_time`.
    pub end_time: i64,
    /// When it was whole by the clock that no one sets: its age is counted from there.
    pub sealed: MonoTime,
    /// Its directory, wherever one is.
    pub dir: PathBuf,
    /// The names that it has there, in the order in which they came.
    pub files: Vec<Vec<u8>>,
    /// The names that are on their way there, with which number they were asked for, and how many orders the append-only file's
    /// job had then.
    pub pinning: Vec<Vec<u8>>,
    /// See `pinning`.
    pub pin: u64,
    /// See `pinning`.
    pub pin_orders: u64,
    /// Was the append-only file turned on for it?
    pub turned_on_aof: bool,
    /// Were there no files of it before, so that none are left behind?
    pub removes_aof: bool,
    /// Is it to be sealed at the end of the turn? (BACKUP SEAL in a transaction)
    pub seals_after_turn: bool,
}
