//! What a server does by itself: due keys, idle clients, samples of rates, memory limits.

use crate::base::time::{MonoTime, Now};
use crate::dispatch::{appending, backup, memory, saving};
use crate::server::{ClientFlags, ClientId, tracking};

use super::{Node, settle};

/// Microseconds of expiry in one turn.
const EXPIRE_SLICE_US: u64 = 500;
const EXPIRE_SLICE_KEYS: usize = 64;
/// The owner's sleep ends at full milliseconds: for less than this it is not worth it, where clients wait meanwhile.
const LEAST_SLEEP_US: u64 = 500;
/// Microseconds until it is looked again whether what clients wait for is freed.
const FREED_LOOK_US: u64 = 200;
/// So long after a turn without requests a cut that gave way to them looks again.
const HELD_BACK_US: u64 = 1000;
/// Clients looked at in one run of cron, at most.
const CLIENTS_PER_CRON: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Cron {
    last: Option<MonoTime>,
    runs: u64,
    next_client: ClientId,
}

/// Microseconds until a time in milliseconds, which a client may have put at the end of time.
fn us_until(at_ms: i64, now: Now) -> u64 {
    (at_ms.saturating_sub(now.unix().0).max(0) as u64).saturating_mul(1000)
}

impl Node {
    /// Microseconds between two runs of `cron`.
    fn cron_period_us(&self) -> u64 {
        1_000_000 / self.server.config.hz.clamp(1, 500) as u64
    }

    /// How long the owner may sleep if no bytes come, in microseconds.
    pub fn sleep_us(&self, now: MonoTime) -> u64 {
        let server = &self.server;
        // Who waited for the disk, and has its answer since, goes on in the next turn.
        let has_more = !self.input_left.is_empty() || !server.pending_writes.is_empty() || !server.unblocked.is_empty();
        if has_more || self.is_script_parked() {
            return 0;
        }
        let mut wait = self.cron.last.map_or(0, |last| (last.0 + self.cron_period_us()).saturating_sub(now.0));
        if let Some((deadline, _)) = server.blocking.next_deadline() {
            wait = wait.min(deadline.0.saturating_sub(now.0));
        }
        if server.debug.active_expire
            && let Some(at) = [server.keyspace.next_due(), server.keyspace.next_field_due()].into_iter().flatten().min()
        {
            // The index knows the time of a leaf, not of its first key: look again in a millisecond at the soonest.
            wait = wait.min(us_until(at, server.now).max(1000));
        }
        if server.persistence.loading.as_ref().is_some_and(|state| state.has_more) {
            return 0;
        }
        if saving::wants_slice(server) {
            if !saving::is_held_back(server) {
                return 0;
            }
            wait = wait.min(HELD_BACK_US);
        }
        // By the turn's time, which decided whether the sync was due; it may be by now.
        let gathers_until = server.persistence.aof.gathers_until(server.held.len());
        if let Some(until) = gathers_until.filter(|&until| until > server.now.mono) {
            let left = until.since(now);
            wait = wait.min(if left < LEAST_SLEEP_US { 0 } else { left });
        }
        if !server.awaiting_freed.is_empty() {
            wait = wait.min(FREED_LOOK_US);
        }
        if server.eviction.left_over > 0 {
            // What another thread is freeing may be enough.
            wait = wait.min(if server.keyspace.garbage.pending() > 0 { FREED_LOOK_US } else { 0 });
        }
        if let Some(until) = server.pause.until {
            wait = wait.min(until.since(now));
        }
        wait
    }

    /// Deletes keys and fields of hashes whose time has come, for a slice of time.
    pub(super) fn expire_due(&mut self) {
        let server = &mut self.server;
        if !server.debug.active_expire || !server.keyspace.is_any_due() {
            return;
        }
        if server.persistence.loading.is_some() {
            return;
        }
        // While CLIENT PAUSE holds writes back, keys stay too.
        if server.pause.until.is_some() {
            return;
        }
        let start = server.host.mono_us();
        loop {
            let removed = server
                .keyspace
                .active_expire_slice(EXPIRE_SLICE_KEYS)
                .max(server.keyspace.active_expire_fields_slice(EXPIRE_SLICE_KEYS));
            settle(server);
            let spent = server.host.mono_us() - start;
            if removed < EXPIRE_SLICE_KEYS || spent >= EXPIRE_SLICE_US {
                server.keyspace.stats.expire_cycle_cpu_us += spent;
                server.keyspace.stats.expired_time_cap_reached_count += u64::from(removed >= EXPIRE_SLICE_KEYS);
                let threshold = server.config.latency_monitor_threshold.max(0) as u64;
                server.latency.add_if_slow("expire-cycle", spent / 1000, threshold, server.now.unix().seconds());
                return;
            }
        }
    }

    /// Evicts on where commands stopped above `maxmemory`.
    pub(super) fn evict_left_over(&mut self) {
        if self.server.eviction.left_over > 0 {
            memory::make_room(&mut self.server);
            settle(&mut self.server);
        }
    }

    /// Runs what is due `hz` times a second.
    pub fn cron(&mut self) {
        let now = self.server.now;
        if self.is_script_parked() {
            return;
        }
        if self.cron.last.is_some_and(|last| now.mono.since(last) < self.cron_period_us()) {
            return;
        }
        self.cron.last = Some(now.mono);
        self.cron.runs += 1;
        let server = &mut self.server;
        if server.debug.pause_cron {
            return;
        }
        if let Some(request) = server.shutdown_asap.take()
            && saving::prepare_shutdown(server, request)
        {
            server.shutdown = Some(request);
        }
        let start = server.host.mono_us();
        let stats = &mut server.stats;
        stats.ops_rate.sample(stats.total_commands_processed, now.mono);
        stats.input_rate.sample(stats.total_net_input_bytes, now.mono);
        stats.output_rate.sample(stats.total_net_output_bytes, now.mono);
        stats.cycle_rate.sample(stats.eventloop_cycles, now.mono);
        stats.busy_rate.sample(stats.eventloop_duration_sum_us, now.mono);
        let used = server.used_memory();
        server.stats.peak_memory = server.stats.peak_memory.max(used);
        if self.cron.runs.is_multiple_of(10) {
            server.keyspace.sample_avg_ttl();
        }
        if server.config.maxmemory > 0 {
            memory::make_room(server);
            settle(server);
        }
        self.clients_cron();
        tracking::forget_beyond_limit(&mut self.server);
        saving::cron(&mut self.server);
        appending::cron(&mut self.server);
        backup::cron(&mut self.server);
        let server = &mut self.server;
        server.stats.eventloop_duration_cron_sum_us += server.host.mono_us().saturating_sub(start);
    }

    /// Looks at a share of the clients: closes idle ones, counts memory, enforces soft limits.
    fn clients_cron(&mut self) {
        let hz = self.server.config.hz.clamp(1, 500) as usize;
        let count = (self.server.clients.len() / hz + 5).min(CLIENTS_PER_CRON.max(self.server.clients.len() / hz));
        let timeout = self.server.config.timeout.max(0) as u64;
        let now = self.server.now.mono;
        for _ in 0..count.min(self.server.clients.len()) {
            let server = &mut self.server;
            let Some(id) = server.clients.next_after(self.cron.next_client) else { return };
            self.cron.next_client = id;
            let Some(place) = server.clients.place(id) else { continue };
            crate::dispatch::deliver::check_output_limit(server, place);
            memory::count_client(server, place);
            let Some(client) = server.clients.at(place) else { continue };
            let spared = ClientFlags::BLOCKED.or(ClientFlags::MONITOR).or(ClientFlags::CLOSING);
            let output = client.out.len();
            let reset_ms = server.debug.replybuffer_peak_reset_ms;
            if server.debug.replybuffer_resizing
                && reset_ms >= 0
                && now.since(client.buf_peak_since) / 1000 >= reset_ms as u64
            {
                client.buf_peak = output;
                client.buf_peak_since = now;
            }
            if timeout > 0
                && !client.flags.has(spared)
                && !client.is_subscriber()
                && now.since(client.last_interaction) / 1_000_000 > timeout
            {
                super::log_closing(client, "idle");
                server.close_client(id, false);
            }
            server.stats.client_recent_max_output_buffer = server.stats.client_recent_max_output_buffer.max(output);
        }
    }
}
