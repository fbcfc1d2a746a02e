//! The server's state: the rooms' states side by side, what a client is, what a command gets to see. Deliberately absent:
//! logic beyond bookkeeping; dispatch and commands have it. Called by `dispatch`, `commands`, `node`.

mod absent;
pub mod apply;
pub mod blocking;
pub mod certificates;
pub mod client;
pub mod command;
pub mod commandlog;
pub mod context;
pub mod describe;
pub mod info;
pub mod latency;
pub mod messages;
pub mod permission;
pub mod propagation;
pub mod scripting;
pub mod stats;
pub mod table;
pub mod tracking;
pub mod transaction;
pub mod wake;
pub mod watch;

pub use blocking::{Block, Blocking, TimeoutReply};
pub use client::{Client, ClientFlags, ClientId, Clients};
pub use command::{Command, CommandResult, Handler, Outcome};
pub use context::{DataContext, ServerContext};
pub use propagation::Propagation;
pub use stats::Stats;
pub use table::{CommandId, CommandTable};

use std::collections::VecDeque;

use crate::acl::Acl;
use crate::base::host::Host;
use crate::base::rng::Rng;
use crate::base::time::{MonoTime, Now};
use crate::config::Config;
use crate::keyspace::{Keyspace, OnDue};
use crate::persistence::Persistence;
use crate::pubsub::Pubsub;
use crate::resp::Output;
use crate::tracking::Tracking;

/// The Redis whose replies, files and protocol this server speaks.
pub const REDIS_VERSION: &str = "7.4.0";
/// The version that files of Valkey's dialect name: the first whose types they may hold.
pub const VALKEY_VERSION: &str = "9.0.0";

/// What is known of this process from its start.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Identity {
    /// 40 hexadecimal digits, new at each start.
    pub run_id: String,
    pub process_id: u32,
    pub executable: String,
    /// Absolute path of the configuration file; empty without one.
    pub config_file: String,
    pub started: MonoTime,
    /// Who supervises the process, as INFO's process_supervised names it.
    pub supervised: &'static str,
    /// As DEBUG's and INFO's `os` line shows it.
    pub os: String,
    /// What tells the time that passes, as INFO's monotonic_clock names it.
    pub monotonic_clock: String,
}

/// Something only the reactor can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Close this connection; what its output holds is sent first if `flush`.
    Close { client: ClientId, flush: bool },
    /// End the process.
    Exit { code: u8 },
}

/// How a shutdown was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ShutdownRequest {
    pub nosave: bool,
    pub save: bool,
    pub now: bool,
    pub force: bool,
    pub abort: bool,
}

/// CLIENT PAUSE in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    /// Until when; `None`: not at all.
    pub until: Option<MonoTime>,
    /// Writes only?
    pub writes_only: bool,
}

/// How eviction gets on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Eviction {
    /// Microseconds spent on it in this turn.
    pub spent_us: u64,
    /// Bytes in use when it last stopped above `maxmemory` with more to evict; zero when it did not.
    pub left_over: usize,
    /// Since when that is so.
    pub over_since: Option<MonoTime>,
    /// Was there nothing left to evict when the last request came? What it executes, however many commands that are, goes by it.
    pub is_exhausted: bool,
}

/// Switches that DEBUG sets, for tests.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct DebugSwitches {
    pub active_expire: bool,
    pub pause_cron: bool,
    pub skip_checksum_validation: bool,
    pub quicklist_packed_threshold: usize,
    pub disable_deny_scripts: bool,
    /// 0: as built; a time in milliseconds otherwise; -1: never; see DEBUG REPLYBUFFER.
    pub replybuffer_peak_reset_ms: i64,
    pub replybuffer_resizing: bool,
    /// Microseconds to sleep before each write of the append-only file.
    pub aof_flush_sleep_us: u64,
}

impl Default for DebugSwitches {
    fn default() -> DebugSwitches {
        DebugSwitches {
            active_expire: true,
            pause_cron: false,
            skip_checksum_validation: false,
            quicklist_packed_threshold: 0,
            disable_deny_scripts: false,
            replybuffer_peak_reset_ms: 5000,
            replybuffer_resizing: true,
            aof_flush_sleep_us: 0,
        }
    }
}

/// The whole state of one server.
#[allow(missing_docs)]
pub struct Server {
    pub config: Config,
    pub keyspace: Keyspace,
    pub commands: CommandTable,
    pub clients: Clients,
    pub pubsub: Pubsub,
    pub acl: Acl,
    pub tracking: Tracking,
    pub blocking: Blocking,
    pub scripting: scripting::Scripting,
    pub watches: watch::Watches,
    pub propagation: Propagation,
    pub persistence: Persistence,
    pub stats: Stats,
    pub commandlog: commandlog::CommandLog,
    pub latency: latency::Latency,
    /// Clients in MONITOR.
    pub monitors: Vec<ClientId>,
    pub pause: Pause,
    pub eviction: Eviction,
    pub debug: DebugSwitches,
    pub identity: Identity,
    pub certificates: certificates::Certificates,
    pub host: Box<dyn Host>,
    pub rng: Rng,
    /// The clocks as read at the start of this turn, or of the command in hand.
    pub now: Now,
    /// The monotonic clock as of the end of the last command, in microseconds.
    pub clock_us: u64,
    pub actions: Vec<Action>,
    /// Places of the clients whose output is to be written at the end of the turn.
    pub pending_writes: Vec<u32>,
    /// Clients that no longer wait, whose further requests are to be executed.
    pub unblocked: Vec<ClientId>,
    /// Clients that wait for values to be freed: how many keys must be, in the order in which they came.
    pub awaiting_freed: VecDeque<(u64, ClientId)>,
    /// Clients that wait for what they asked of the append-only file's job: how many orders it must have carried out, in the
    /// order in which they came.
    pub awaiting_orders: VecDeque<(u64, ClientId)>,
    /// Clients that wait for their writes to be synced: up to which offset of propagation (WAITAOF).
    pub awaiting_sync: Vec<(u64, ClientId)>,
    /// Places of the clients of whose output something is held back.
    pub held: Vec<u32>,
    /// Bytes of empty reply buffers kept for the next turn: part of nobody's data, so `used_memory` leaves them out.
    pub pooled_bytes: usize,
    /// Set by SHUTDOWN or a signal until it is carried out.
    pub shutdown: Option<ShutdownRequest>,
    /// What a signal asked for, until cron looks at it: SHUTDOWN ABORT may come first.
    pub shutdown_asap: Option<ShutdownRequest>,
    /// The name of this data's history, 40 hexadecimal digits.
    pub replid: String,
    /// Bytes in use when the server began.
    pub startup_memory: usize,
    /// Arguments of the command in hand that logs and monitors must not show.
    pub redacted: Vec<usize>,
    /// Bytes of client output and input that `maxmemory` does not count, and all that maxmemory-clients does.
    pub client_memory: usize,
}

impl Server {
    /// Notes that this client's connection is to be closed. It gets no further turn.
    pub fn close_client(&mut self, id: ClientId, flush: bool) {
        if let Some(client) = self.clients.get_mut(id)
            && !client.flags.has(ClientFlags::CLOSING)
        {
            client.flags = client.flags.or(ClientFlags::CLOSING);
            if !flush {
                client.out = Output::default();
                client.deferred = None;
            }
            self.actions.push(Action::Close { client: id, flush });
        }
    }

    /// Holds back what a client reads from this position of its output on, until the epoch is released.
    pub fn hold_output(&mut self, place: u32, position: u64, epoch: u64) {
        let Some(client) = self.clients.at(place) else { return };
        if client.holds.is_empty() {
            self.held.push(place);
        }
        if client.holds.back().is_none_or(|&(_, last)| last < epoch) {
            client.holds.push_back((position, epoch));
        }
    }

    /// Holds back what a client reads from this position on, if anything after it is held back.
    pub fn hold_whole(&mut self, place: u32, position: u64) {
        let Some(client) = self.clients.at(place) else { return };
        if let Some(hold) = client.holds.iter_mut().find(|(at, _)| *at >= position) {
            hold.0 = position;
        }
    }

    /// Brings the treatment of due keys in line with a pause: while writes are held back, keys only seem to be gone.
    pub fn follow_pause(&mut self) {
        let paused = self.pause.until.is_some();
        self.keyspace.policy.on_due = if paused { OnDue::Hide } else { OnDue::Delete };
    }

    /// Brings the clocks up to the moment, when what ran in this turn may have taken a while.
    pub fn catch_up_clocks(&mut self) {
        let elapsed = self.host.mono_us().saturating_sub(self.now.mono.0);
        self.now.mono = self.now.mono.plus_us(elapsed);
        self.now.unix_us = self.now.unix_us.saturating_add_unsigned(elapsed);
        self.keyspace.now = self.now.unix();
    }

    /// Bytes in use as `maxmemory` counts them.
    pub fn used_memory(&self) -> usize {
        // Copies on their way to a file are no data either: nobody is to be evicted for them.
        let aside = self.pooled_bytes + self.keyspace.cut_bytes_in_flight();
        crate::storage::alloc::used_memory().saturating_sub(aside)
    }
}
