//! The append-only file in Redis 7's form of several files: what is known of it while the server runs. Deliberately absent:
//! commands, clients, clocks, when things are done (`dispatch` decides that).
//!
//! Commands are counted in epochs, one for each turn that wrote any. An epoch counts as released once its replies may be
//! seen: with appendfsync `always` when it is on the disk. The file is distrusted after a sync or a manifest failed: no
//! command is written to it any more, and only a rewrite, which makes a new base, mends that.

pub mod background;
pub mod check;
pub mod loader;
pub mod manifest;
pub mod reader;
pub mod rewrite;
pub mod writer;

use crate::base::time::MonoTime;

use background::{Background, NewManifest, Order};
use manifest::{Manifest, Names};
use writer::Writer;

/// Is there an append-only file?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AofState {
    /// No.
    Off,
    /// Yes.
    On,
    /// There will be one when the rewrite that goes on (or is to begin) is done.
    WaitRewrite,
}

/// Can the file be written?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Yes.
    Good,
    /// The last write failed, for this reason; it is tried again.
    WriteFailed(String),
    /// A sync or a manifest failed, for this reason; a rewrite must make a new base.
    Lost(String),
}

/// A rewrite that goes on, or is being committed.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// Is the new base an RDB file, or made of commands?
    pub base_is_rdb: bool,
    /// Does what happens meanwhile go to a file that counts only if the rewrite succeeds?
    pub incremental_is_temp: bool,
    /// The last epoch, and the offset of propagation, that the base holds.
    pub epoch: u64,
    /// See `epoch`.
    pub offset: u64,
    /// When it began.
    pub started: MonoTime,
    /// Where the base lies until it is committed.
    pub temp_base: std::path::PathBuf,
}

/// A rewrite whose files are there, while the manifest is put in place.
#[derive(Clone, Debug)]
pub struct Committing {
    /// The rewrite.
    pub rewrite: Rewrite,
    /// The manifest as it will be.
    pub manifest: Manifest,
    /// Bytes of the new base.
    pub base_bytes: u64,
    /// Are its files on their way out again?
    pub is_unwanted: bool,
}

/// Bounds automatic rewrites after failures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limit {
    /// Failures since the last success.
    pub consecutive_failures: u64,
    /// Minutes to wait between attempts; grows.
    minutes: u64,
    /// When the next may begin.
    next: Option<MonoTime>,
}

impl Limit {
    /// Failures after which automatic rewrites are slowed down.
    const THRESHOLD: u64 = 3;
    const MINUTES_MAX: u64 = 60;

    /// Must an automatic rewrite wait? With a number of minutes if that is news.
    pub fn holds_back(&mut self, now: MonoTime) -> (bool, Option<u64>) {
        if self.consecutive_failures < Limit::THRESHOLD {
            (self.minutes, self.next) = (0, None);
            return (false, None);
        }
        match self.next {
            Some(next) if now < next => (true, None),
            Some(_) => {
                self.next = None;
                (false, None)
            }
            None => {
                self.minutes = (self.minutes * 2).clamp(1, Limit::MINUTES_MAX);
                self.next = Some(now.plus_us(self.minutes * 60_000_000));
                (true, Some(self.minutes))
            }
        }
    }
}

/// The append-only file.
pub struct Aof {
    /// Is there one?
    pub state: AofState,
    /// What its files are called.
    pub names: Names,
    /// Its files.
    pub manifest: Manifest,
    /// The file that is being written.
    pub writer: Option<Writer>,
    /// What may take long.
    pub background: Option<Background>,
    /// Can it be written?
    pub trust: Trust,
    /// The epoch of the turn in hand.
    pub epoch: u64,
    /// The last epoch whose replies may be seen.
    pub released: u64,
    /// Offset of propagation up to which everything was written, and up to which everything is on the disk.
    pub written_offset: u64,
    /// See `written_offset`.
    pub synced_offset: u64,
    /// When the sync that goes on began; None if none does.
    pub syncing_since: Option<MonoTime>,
    /// With appendfsync `always`, the next sync waits until so many clients wait for it, or until this time: whoever was just
    /// answered is about to write again.
    pub gathering: (usize, MonoTime),
    /// Until then syncs count as slow, and no turn waits for its own.
    pub slow_until: MonoTime,
    /// For how many microseconds the next slow one makes it so.
    pub sync_wait_pause_us: u64,
    /// Was something written since the last sync was asked for?
    pub unsynced: bool,
    /// When the last sync was asked for.
    pub last_sync: MonoTime,
    /// When a failed write was last tried again, or a rewrite after a loss.
    pub last_retry: MonoTime,
    /// Is a rewrite to begin when it can?
    pub rewrite_scheduled: bool,
    /// The file is off, and all that was written to it is safe once the background has carried out so many orders.
    pub turning_off: Option<u64>,
    /// The rewrite that goes on.
    pub rewrite: Option<Rewrite>,
    /// The rewrite that is being committed.
    pub committing: Option<Committing>,
    /// Bounds automatic rewrites.
    pub limit: Limit,
    /// Rewrites that succeeded.
    pub rewrites: u64,
    /// Did the last one?
    pub last_rewrite_ok: bool,
    /// Seconds that the last one took; -1 if there was none.
    pub last_rewrite_seconds: i64,
    /// Bytes that it copied at most at a time.
    pub last_copied: usize,
    /// Bytes of base and incremental files but the one being written.
    pub other_bytes: u64,
    /// Bytes of all files after the last rewrite, or at the start.
    pub rewrite_base_bytes: u64,
    /// Writes that did not wait any longer for a sync to end.
    pub delayed_fsync: u64,
}

impl Default for Aof {
    fn default() -> Aof {
        Aof {
            state: AofState::Off,
            names: Names::default(),
            manifest: Manifest::default(),
            writer: None,
            background: None,
            trust: Trust::Good,
            epoch: 1,
            released: 0,
            written_offset: 0,
            synced_offset: 0,
            syncing_since: None,
            gathering: (0, MonoTime(0)),
            slow_until: MonoTime(0),
            sync_wait_pause_us: 0,
            unsynced: false,
            last_sync: MonoTime(0),
            last_retry: MonoTime(0),
            rewrite_scheduled: false,
            turning_off: None,
            rewrite: None,
            committing: None,
            limit: Limit::default(),
            rewrites: 0,
            last_rewrite_ok: true,
            last_rewrite_seconds: -1,
            last_copied: 0,
            other_bytes: 0,
            rewrite_base_bytes: 0,
            delayed_fsync: 0,
        }
    }
}

impl Aof {
    /// Bytes of all files that count.
    pub fn current_bytes(&self) -> u64 {
        self.other_bytes + self.writer.as_ref().map_or(0, Writer::len)
    }

    /// Why writes are refused, if they are.
    pub fn refusal(&self) -> Option<&str> {
        match &self.trust {
            Trust::WriteFailed(why) | Trust::Lost(why) if self.state != AofState::Off => Some(why),
            _ => None,
        }
    }

    /// Are commands written, to a file that counts or will count?
    pub fn takes_commands(&self) -> bool {
        self.writer.is_some() && (!matches!(self.trust, Trust::Lost(_)) || self.is_mending())
    }

    /// Does a rewrite go on, or wait to be in force, whose files share nothing with those that were lost?
    fn is_mending(&self) -> bool {
        let committing = self.committing.as_ref().map(|committing| &committing.rewrite);
        self.rewrite.as_ref().or(committing).is_some_and(|rewrite| rewrite.incremental_is_temp)
    }

    /// Is a rewrite going on, or not yet in force?
    pub fn is_rewriting(&self) -> bool {
        self.rewrite.is_some() || self.committing.is_some()
    }

    /// Until when a sync that is due waits for more clients to wait for it.
    pub fn gathers_until(&self, waiting: usize) -> Option<MonoTime> {
        let (wanted, until) = self.gathering;
        (self.unsynced && self.syncing_since.is_none() && waiting < wanted).then_some(until)
    }

    /// May replies of this epoch be seen? One that wrote nothing depends on those before it.
    pub fn is_released(&self, epoch: u64) -> bool {
        self.released >= epoch.min(self.epoch - 1)
    }

    /// The manifest as it is to be written.
    pub fn new_manifest(
        &self,
        manifest: &Manifest,
        absolute: impl Fn(&std::path::Path) -> std::path::PathBuf,
    ) -> NewManifest {
        let path = |name: &[u8]| absolute(&self.names.path(name));
        NewManifest {
            temp: path(&self.names.temp_manifest()),
            path: path(&self.names.manifest()),
            text: manifest.emit(),
        }
    }

    /// Asks the background for something.
    pub fn send(&mut self, order: Order) {
        if let Some(background) = &mut self.background {
            background.send(order);
        }
    }

    /// Orders that the background was given so far.
    pub fn orders(&self) -> u64 {
        self.background.as_ref().map_or(0, Background::sent)
    }
}
