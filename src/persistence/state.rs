//! What is known of saving: what goes on, how the last one ended, and when the next is due.

use std::path::PathBuf;

use crate::base::time::{MonoTime, Now};
use crate::config::SavePoints;
use crate::keyspace::DbIndex;
use crate::keyspace::load::OnExisting;

use super::aof::reader::CommandBatch;
use super::aof::{Aof, Trust};
use super::backup::Backup;
use super::load::Loading;
use super::pace::Pace;
use super::snapshot::Snapshot;

/// Seconds after a failed save before a save point tries again.
const RETRY_SECONDS: i64 = 5;

/// See `Persistence::copies_max`.
const COPIES_MAX: usize = 64 << 20;

/// What a snapshot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// BGSAVE, SAVE or a save point.
    Rdb,
    /// A rewrite of the append-only file.
    AofRewrite,
}

/// A snapshot that is being taken or written.
pub struct Running {
    /// Where its pieces go.
    pub snapshot: Snapshot,
    /// What it is for.
    pub purpose: Purpose,
    /// When it began.
    pub started: MonoTime,
    /// Keys it will hold.
    pub keys: usize,
    /// Changes of the keyspace when it began.
    pub dirty: u64,
    /// Is the cut complete, so that only the writing is left?
    pub all_taken: bool,
    /// The most bytes of copies that were on their way at a time.
    pub copied_peak: usize,
    /// Keys written when that number was last seen to change, and when, in microseconds of the host's clock.
    pub last_sign: (usize, u64),
}

/// What is being loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadedFrom {
    /// An RDB file.
    Rdb,
    /// The append-only file.
    Aof,
}

/// A loading that goes on.
pub struct LoadingState {
    /// Where keys come from.
    pub loading: Loading,
    /// What they come from.
    pub from: LoadedFrom,
    /// When it began.
    pub started: Now,
    /// When the file in hand was begun.
    pub file_started: MonoTime,
    /// The database that its commands selected.
    pub db: DbIndex,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// What becomes of keys that exist.
    pub on_existing: OnExisting,
    /// Commands that came and are not repeated yet.
    pub commands: Option<CommandBatch>,
    /// Did the last slice end for want of time, so that more may be there?
    pub has_more: bool,
}

/// The state of saving and loading.
pub struct Persistence {
    /// How much of the time the cut which goes on gets.
    pub pace: Pace,
    /// The loading that goes on.
    pub loading: Option<LoadingState>,
    /// Keys that the last loading made, and left out because their time had come.
    pub last_load: (u64, u64),
    /// The append-only file.
    pub aof: Aof,
    /// The last backup.
    pub backup: Backup,
    /// The snapshot that goes on.
    pub running: Option<Running>,
    /// Is a BGSAVE to begin when what goes on has ended? (BGSAVE SCHEDULE)
    pub rdb_scheduled: bool,
    /// Has a save begun that waits for an abandoned cut to be walked to its end?
    pub rdb_waits: bool,
    /// Bytes that a snapshot may cost at most, where a part of the memory in use is not more: beyond that it is given up.
    pub copies_max: usize,
    /// Changes of the keyspace that the last save holds.
    pub dirty_saved: u64,
    /// When the last successful save ended (or the server began), seconds since the epoch: what clients are told.
    pub last_save: i64,
    /// The same on the clock that save points go by.
    pub last_save_at: MonoTime,
    /// When one was last begun.
    pub last_try_at: Option<MonoTime>,
    /// Did the last background save succeed?
    pub last_bgsave_ok: bool,
    /// Seconds that the last background save took; -1 if there was none.
    pub last_bgsave_seconds: i64,
    /// Successful saves.
    pub saves: u64,
    /// Failed ones since the last success.
    pub consecutive_failures: u64,
    /// Bytes that the last save copied at most at a time.
    pub last_copied: usize,
    /// Saves begun so far.
    pub saves_begun: u64,
    /// Where the last one begun writes until it is whole.
    pub temp_file: Option<PathBuf>,
}

impl Persistence {
    /// Nothing saved yet.
    pub fn new(now: Now) -> Persistence {
        Persistence {
            pace: Pace::new(),
            loading: None,
            last_load: (0, 0),
            aof: Aof::default(),
            backup: Backup::default(),
            running: None,
            rdb_scheduled: false,
            rdb_waits: false,
            copies_max: COPIES_MAX,
            dirty_saved: 0,
            last_save: now.unix().seconds(),
            last_save_at: now.mono,
            last_try_at: None,
            last_bgsave_ok: true,
            last_bgsave_seconds: -1,
            saves: 0,
            consecutive_failures: 0,
            last_copied: 0,
            saves_begun: 0,
            temp_file: None,
        }
    }

    /// Do writes fail, to the RDB file or the append-only file?
    #[inline]
    pub fn is_failing(&self) -> bool {
        !self.last_bgsave_ok || self.aof.trust != Trust::Good
    }

    /// Is a snapshot for this purpose going on?
    pub fn is_running(&self, purpose: Purpose) -> bool {
        self.running.as_ref().is_some_and(|running| running.purpose == purpose)
    }

    /// Is a save going on in the background, or about to as soon as the last cut is out of the way?
    pub fn is_saving(&self) -> bool {
        self.rdb_waits || self.is_running(Purpose::Rdb)
    }

    /// The save point that is reached after `dirty` changes in all: its changes and seconds.
    pub fn due_save_point(&self, points: &SavePoints, dirty: u64, now: MonoTime) -> Option<(i64, i64)> {
        let changes = i64::try_from(dirty - self.dirty_saved).unwrap_or(i64::MAX);
        let seconds_since = |at: MonoTime| (now.0 / 1_000_000) as i64 - (at.0 / 1_000_000) as i64;
        let may_try = self.last_bgsave_ok || self.last_try_at.is_none_or(|at| seconds_since(at) > RETRY_SECONDS);
        let elapsed = seconds_since(self.last_save_at);
        let point = points.0.iter().find(|point| changes >= point.changes && elapsed > point.seconds);
        point.filter(|_| may_try).map(|point| (point.changes, point.seconds))
    }
}
