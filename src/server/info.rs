//! INFO: the state of the server as text, section by section. What other rooms keep (files, replicas, nodes) stands
//! here with the values of a server that does without them.

use std::fmt::Write;

use crate::base::host::ProcessFacts;
use crate::keyspace::DbIndex;
use crate::persistence::aof::AofState;
use crate::persistence::state::Purpose;
use crate::pubsub::Kind;
use crate::storage::alloc::{self, AllocatorStats};

use super::certificates::Certificates;
use super::client::Client;
use super::stats::Stall;
use super::{ClientFlags, REDIS_VERSION, Server};

/// A section: its name as clients ask for it, its heading, whether INFO alone shows it, and its text.
type Section = (&'static str, &'static str, Shown, fn(&mut Server, &mut String));

/// When a section is shown that nobody named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Always.
    Default,
    /// By `all` and `everything`.
    All,
    /// Never.
    Named,
}

const SECTIONS: &[Section] = &[
    ("server", "Server", Shown::Default, write_server),
    ("tls", "TLS", Shown::All, write_tls),
    ("clients", "Clients", Shown::Default, write_clients),
    ("memory", "Memory", Shown::Default, write_memory),
    ("persistence", "Persistence", Shown::Default, write_persistence),
    ("threads", "Threads", Shown::All, write_threads),
    ("stats", "Stats", Shown::Default, write_stats),
    ("stalls", "Stalls", Shown::All, write_stalls),
    ("replication", "Replication", Shown::Default, write_replication),
    ("cpu", "CPU", Shown::Default, write_cpu),
    ("modules", "Modules", Shown::Default, write_modules),
    ("commandstats", "Commandstats", Shown::All, write_commandstats),
    ("errorstats", "Errorstats", Shown::Default, write_errorstats),
    ("latencystats", "Latencystats", Shown::All, write_latencystats),
    ("cluster", "Cluster", Shown::Default, write_cluster),
    ("keyspace", "Keyspace", Shown::Default, write_keyspace),
    ("debug", "Debug", Shown::Named, write_debug),
];

/// The text of these sections; none means the usual ones.
pub fn text(server: &mut Server, wanted: &[&[u8]]) -> String {
    let asks = |word: &str| wanted.iter().any(|name| name.eq_ignore_ascii_case(word.as_bytes()));
    let (default, all) = (wanted.is_empty() || asks("default"), asks("all") || asks("everything"));
    let mut text = String::with_capacity(4096);
    for (name, heading, shown, write) in SECTIONS {
        let is_shown = match shown {
            Shown::Default => default || all,
            Shown::All => all,
            Shown::Named => false,
        };
        if !is_shown && !asks(name) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str("# ");
        text.push_str(heading);
        text.push_str("\r\n");
        write(server, &mut text);
    }
    text
}

/// Appends `name:value` lines.
macro_rules! fields {
    ($out:expr; $($name:literal: $value:expr;)*) => {
        $(
            $out.push_str(concat!($name, ":"));
            // Writing to a string cannot fail.
            let _ = write!($out, "{}", $value);
            $out.push_str("\r\n");
        )*
    };
}

/// Bytes for people.
pub fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    for unit in ["K", "M", "G", "T", "P"] {
        if value < 1024.0 || unit == "P" {
            return format!("{value:.2}{unit}");
        }
        value /= 1024.0;
    }
    format!("{bytes}B")
}

fn write_server(server: &mut Server, out: &mut String) {
    let now_us = server.now.unix_us;
    let uptime = server.now.mono.since(server.identity.started) / 1_000_000;
    let (config, identity) = (&server.config, &server.identity);
    let api = if cfg!(target_os = "linux") { "epoll" } else { "kqueue" };
    fields! { out;
        "redis_version": REDIS_VERSION;
        "russet_version": env!("CARGO_PKG_VERSION");
        "server_name": "russet";
        "redis_git_sha1": "00000000";
        "redis_git_dirty": 0;
        "redis_build_id": "0";
        "redis_mode": "standalone";
        "os": identity.os;
        "arch_bits": usize::BITS;
        "monotonic_clock": identity.monotonic_clock;
        "multiplexing_api": api;
        "atomicvar_api": "rust-core";
        "gcc_version": "0.0.0";
        "process_id": identity.process_id;
        "process_supervised": identity.supervised;
        "run_id": identity.run_id;
        "tcp_port": if config.port != 0 { config.port } else { config.tls_port };
        "server_time_usec": now_us;
        "uptime_in_seconds": uptime;
        "uptime_in_days": uptime / 86_400;
        "hz": config.hz;
        "configured_hz": config.hz;
        "lru_clock": crate::keyspace::lru::lru_clock(server.now.unix());
        "executable": identity.executable;
        "config_file": identity.config_file;
        "availability_zone": config.availability_zone.display();
        "io_threads_active": 0;
    }
    let mut listeners = 0;
    for (name, port) in [("tcp", config.port), ("tls", config.tls_port)] {
        if port == 0 {
            continue;
        }
        let _ = write!(out, "listener{listeners}:name={name}");
        config.bind.0.iter().for_each(|address| {
            let _ = write!(out, ",bind={}", address.display());
        });
        let _ = write!(out, ",port={port}\r\n");
        listeners += 1;
    }
    if !config.unixsocket.is_empty() {
        let _ = write!(out, "listener{listeners}:name=unix,bind={}\r\n", config.unixsocket.display());
    }
}

fn write_tls(server: &mut Server, out: &mut String) {
    let Certificates { server: own, client, ca } = &server.certificates;
    let now = server.now.unix().seconds();
    for (name, certificate) in [("server", own), ("client", client), ("ca", ca)] {
        let (serial, not_after) = certificate.as_ref().map_or(("none", now), |one| (&one.serial, one.not_after));
        let _ = write!(out, "tls_{name}_cert_serial:{serial}\r\n");
        let _ = write!(out, "tls_{name}_cert_expires_in_seconds:{}\r\n", not_after.saturating_sub(now).max(0));
    }
}

fn count_clients(server: &Server, which: impl Fn(&Client) -> bool) -> usize {
    server.clients.iter().filter(|client| which(client)).count()
}

fn write_clients(server: &mut Server, out: &mut String) {
    let waiting = ClientFlags::BLOCKED.or(ClientFlags::PAUSED);
    fields! { out;
        "connected_clients": count_clients(server, |client| !client.flags.has(ClientFlags::CLOSING));
        "cluster_connections": 0;
        "maxclients": server.config.maxclients;
        "client_recent_max_input_buffer": server.stats.client_recent_max_input_buffer;
        "client_recent_max_output_buffer": server.stats.client_recent_max_output_buffer;
        "blocked_clients": count_clients(server, |client| client.flags.has(waiting));
        "tracking_clients": server.tracking.clients;
        "pubsub_clients": count_clients(server, |client| client.flags.has(ClientFlags::PUBSUB));
        "watching_clients": count_clients(server, |client| !client.watched.is_empty());
        "clients_in_timeout_table": server.blocking.deadline_count();
        "total_watched_keys": server.watches.len();
        "total_blocking_keys": server.blocking.key_count();
        "total_blocking_keys_on_nokey": server.blocking.nokey_count();
    }
    let pause_us = server.pause.until.map_or(0, |until| until.since(server.now.mono));
    let paused = pause_us > 0;
    fields! { out;
        "paused_reason": if paused { "client_pause" } else { "none" };
        "paused_actions": match (paused, server.pause.writes_only) {
            (false, _) => "none",
            (true, true) => "write",
            (true, false) => "all",
        };
        "paused_timeout_milliseconds": pause_us.div_ceil(1000);
    }
}

/// What memory is used for, as far as INFO memory and MEMORY STATS tell.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct MemoryUse {
    pub used: usize,
    pub peak: usize,
    pub startup: usize,
    pub clients_normal: usize,
    pub overhead: usize,
    pub dataset: usize,
    pub keys: usize,
    pub allocator: AllocatorStats,
    pub process: ProcessFacts,
}

impl MemoryUse {
    /// Looks at the server as it is, but for so many bytes of the answer being written.
    pub fn of(server: &mut Server, answer_bytes: usize) -> MemoryUse {
        let used = server.used_memory().saturating_sub(answer_bytes);
        let process = server.host.process_facts();
        let clients_normal: usize = server.clients.iter().map(Client::memory_bytes).sum();
        let startup = server.startup_memory;
        let overhead = startup + clients_normal + server.keyspace.overhead_bytes();
        server.stats.peak_memory = server.stats.peak_memory.max(used);
        MemoryUse {
            used,
            peak: server.stats.peak_memory,
            startup,
            clients_normal,
            overhead,
            dataset: used.saturating_sub(overhead),
            keys: server.keyspace.total_keys(),
            allocator: alloc::allocator_stats(),
            process,
        }
    }

    /// Percent of the memory gained since the start that is data.
    pub fn dataset_percent(&self) -> f64 {
        let net = self.used.saturating_sub(self.startup);
        if net == 0 { 0.0 } else { (self.dataset as f64 * 100.0 / net as f64).min(100.0) }
    }

    /// Percent of the peak that is in use.
    pub fn peak_percent(&self) -> f64 {
        ratio(self.used, self.peak) * 100.0
    }
}

/// One number to another; 0 where there is nothing to compare with.
pub fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// How much more the first is, negative if less.
pub fn excess(one: usize, other: usize) -> i64 {
    one as i64 - other as i64
}

fn write_memory(server: &mut Server, out: &mut String) {
    let memory = MemoryUse::of(server, out.capacity());
    let scripts = server.scripting.memory();
    let (allocator, rss) = (memory.allocator, memory.process.rss);
    let (maxmemory, policy) = (server.config.maxmemory, crate::config::Directive::find(b"maxmemory-policy"));
    let policy = policy.map(|directive| directive.show(&server.config)).unwrap_or_default();
    let human = |bytes: usize| human(bytes as u64);
    fields! { out;
        "used_memory": memory.used;
        "used_memory_human": human(memory.used);
        "used_memory_rss": rss;
        "used_memory_rss_human": human(rss);
        "used_memory_peak": memory.peak;
        "used_memory_peak_human": human(memory.peak);
        "used_memory_peak_perc": format_args!("{:.2}%", memory.peak_percent());
        "used_memory_overhead": memory.overhead;
        "used_memory_startup": memory.startup;
        "used_memory_dataset": memory.dataset;
        "used_memory_dataset_perc": format_args!("{:.2}%", memory.dataset_percent());
        "allocator_allocated": allocator.allocated;
        "allocator_active": allocator.active;
        "allocator_resident": allocator.resident;
        "allocator_muzzy": 0;
        "total_system_memory": memory.process.total_memory;
        "total_system_memory_human": human(memory.process.total_memory);
        "used_memory_lua": scripts.eval_vm;
        "used_memory_vm_eval": scripts.eval_vm;
        "used_memory_lua_human": human(scripts.eval_vm);
        "used_memory_scripts_eval": scripts.eval;
        "number_of_cached_scripts": server.scripting.scripts.len();
        "number_of_functions": server.scripting.libraries.function_count();
        "number_of_libraries": server.scripting.libraries.len();
        "used_memory_vm_functions": scripts.functions_vm;
        "used_memory_vm_total": scripts.eval_vm + scripts.functions_vm;
        "used_memory_vm_total_human": human(scripts.eval_vm + scripts.functions_vm);
        "used_memory_functions": scripts.functions;
        "used_memory_scripts": scripts.eval + scripts.functions;
        "used_memory_scripts_human": human(scripts.eval + scripts.functions);
        "maxmemory": maxmemory;
        "maxmemory_human": human(maxmemory as usize);
        "maxmemory_policy": String::from_utf8_lossy(&policy);
        "allocator_frag_ratio": format_args!("{:.2}", ratio(allocator.active, allocator.allocated));
        "allocator_frag_bytes": excess(allocator.active, allocator.allocated);
        "allocator_rss_ratio": format_args!("{:.2}", ratio(allocator.resident, allocator.active));
        "allocator_rss_bytes": excess(allocator.resident, allocator.active);
        "rss_overhead_ratio": format_args!("{:.2}", ratio(rss, allocator.resident));
        "rss_overhead_bytes": excess(rss, allocator.resident);
        "mem_fragmentation_ratio": format_args!("{:.2}", ratio(rss, memory.used));
        "mem_fragmentation_bytes": excess(rss, memory.used);
        "mem_not_counted_for_evict": 0;
        "mem_replication_backlog": 0;
        "mem_total_replication_buffers": 0;
        "mem_clients_slaves": 0;
        "mem_clients_normal": memory.clients_normal;
        "mem_cluster_links": 0;
        "mem_aof_buffer": server.persistence.aof.writer.as_ref().map_or(0, |writer| writer.pending());
        // Tools that read `jemalloc` here expect its arenas to be defragmented on request.
        "mem_allocator": "russet";
        "mem_overhead_db_hashtable_rehashing": 0;
        "active_defrag_running": 0;
        "lazyfree_pending_objects": server.keyspace.garbage.pending();
        "lazyfreed_objects": server.keyspace.garbage.freed();
    }
}

fn write_persistence(server: &mut Server, out: &mut String) {
    let persistence = &server.persistence;
    let running = persistence.running.as_ref();
    let keys = running.map_or(0, |running| running.snapshot.keys_written());
    let keys_total = running.map_or(0, |running| running.keys);
    let seconds = running.filter(|running| running.purpose == Purpose::Rdb);
    let seconds = seconds.map_or(-1, |running| (server.now.mono.since(running.started) / 1_000_000) as i64);
    let aof = &persistence.aof;
    let rewriting =
        aof.rewrite.as_ref().map_or(-1, |rewrite| (server.now.mono.since(rewrite.started) / 1_000_000) as i64);
    fields! { out;
        "loading": u8::from(persistence.loading.is_some());
        "async_loading": 0;
        "current_cow_peak": running.map_or(0, |running| running.copied_peak);
        "current_cow_size": running.map_or(0, |_| server.keyspace.cut_bytes_in_flight());
        "current_cow_size_age": 0;
        "current_fork_perc": format_args!("{:.2}", ratio(keys, keys_total) * 100.0);
        "current_save_keys_processed": keys;
        "current_save_keys_total": keys_total;
        "rdb_changes_since_last_save": server.keyspace.dirty - persistence.dirty_saved;
        "rdb_bgsave_in_progress": u8::from(persistence.is_saving());
        "rdb_last_save_time": persistence.last_save;
        "rdb_last_bgsave_status": if persistence.last_bgsave_ok { "ok" } else { "err" };
        "rdb_last_bgsave_time_sec": persistence.last_bgsave_seconds;
        "rdb_current_bgsave_time_sec": seconds;
        "rdb_saves": persistence.saves;
        "rdb_saves_consecutive_failures": persistence.consecutive_failures;
        "rdb_last_cow_size": persistence.last_copied;
        "rdb_last_load_keys_expired": persistence.last_load.1;
        "rdb_last_load_keys_loaded": persistence.last_load.0;
        "aof_enabled": u8::from(aof.state != AofState::Off);
        "aof_rewrite_in_progress": u8::from(aof.is_rewriting());
        "aof_rewrite_scheduled": u8::from(aof.rewrite_scheduled);
        "aof_last_rewrite_time_sec": aof.last_rewrite_seconds;
        "aof_current_rewrite_time_sec": rewriting;
        "aof_last_bgrewrite_status": if aof.last_rewrite_ok { "ok" } else { "err" };
        "aof_rewrites": aof.rewrites;
        "aof_rewrites_consecutive_failures": aof.limit.consecutive_failures;
        "aof_last_write_status": if aof.refusal().is_none() { "ok" } else { "err" };
        "aof_last_cow_size": aof.last_copied;
        "backup_in_progress": u8::from(persistence.backup.state.is_in_progress());
        "module_fork_in_progress": 0;
        "module_fork_last_cow_size": 0;
    }
    if server.config.appendonly {
        fields! { out;
            "aof_current_size": aof.current_bytes();
            "aof_base_size": aof.rewrite_base_bytes;
            "aof_pending_rewrite": u8::from(aof.rewrite_scheduled);
            "aof_buffer_length": aof.writer.as_ref().map_or(0, |writer| writer.pending());
            "aof_pending_bio_fsync": u8::from(aof.syncing_since.is_some());
            "aof_delayed_fsync": aof.delayed_fsync;
        }
    }
    if let Some(state) = &persistence.loading {
        let (loaded, total) = (state.loading.bytes(), state.total_bytes);
        let elapsed = server.now.mono.since(state.started.mono) as f64 / 1e6;
        let rest = total.saturating_sub(loaded) as f64;
        // As long again as so far, in proportion to the bytes.
        let eta = if loaded == 0 { 1.0 } else { elapsed * rest / loaded as f64 };
        fields! { out;
            "loading_start_time": state.started.unix().seconds();
            "loading_total_bytes": total;
            "loading_rdb_used_mem": 0;
            "loading_loaded_bytes": loaded;
            "loading_loaded_perc": format_args!("{:.2}", ratio(loaded as usize, total as usize) * 100.0);
            "loading_eta_seconds": eta as u64;
        }
    }
}

fn write_threads(server: &mut Server, out: &mut String) {
    let stats = &server.stats;
    fields! { out;
        "io_thread_0": format_args!(
            "clients={},reads={},writes={}",
            server.clients.len(), stats.total_reads_processed, stats.total_writes_processed
        );
    }
}

fn write_stats(server: &mut Server, out: &mut String) {
    let (stats, keyspace) = (&server.stats, &server.keyspace.stats);
    let kbps = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    let cycles = stats.cycle_rate.per_second();
    let exceeded_us = server.eviction.over_since.map_or(0, |since| server.now.mono.since(since));
    let tracked = server.tracking.counts();
    fields! { out;
        "total_connections_received": stats.total_connections_received;
        "total_commands_processed": stats.total_commands_processed;
        "instantaneous_ops_per_sec": stats.ops_rate.per_second();
        "total_net_input_bytes": stats.total_net_input_bytes;
        "total_net_output_bytes": stats.total_net_output_bytes;
        "total_net_repl_input_bytes": 0;
        "total_net_repl_output_bytes": 0;
        "instantaneous_input_kbps": kbps(stats.input_rate.per_second());
        "instantaneous_output_kbps": kbps(stats.output_rate.per_second());
        "instantaneous_input_repl_kbps": kbps(0);
        "instantaneous_output_repl_kbps": kbps(0);
        "rejected_connections": stats.rejected_connections;
        "sync_full": 0;
        "sync_partial_ok": 0;
        "sync_partial_err": 0;
        "expired_subkeys": keyspace.expired_subkeys;
        "expired_keys": keyspace.expired_keys;
        "expired_stale_perc": "0.00";
        "expired_time_cap_reached_count": keyspace.expired_time_cap_reached_count;
        "expire_cycle_cpu_milliseconds": keyspace.expire_cycle_cpu_us / 1000;
        "evicted_keys": keyspace.evicted_keys;
        "evicted_clients": stats.evicted_clients;
        "evicted_scripts": server.scripting.evicted_scripts;
        "total_eviction_exceeded_time": (stats.eviction_exceeded_us + exceeded_us) / 1000;
        "current_eviction_exceeded_time": exceeded_us / 1000;
        "keyspace_hits": keyspace.keyspace_hits;
        "keyspace_misses": keyspace.keyspace_misses;
        "pubsub_channels": server.pubsub.names(Kind::Channel).len();
        "pubsub_patterns": server.pubsub.names(Kind::Pattern).len();
        "pubsubshard_channels": server.pubsub.names(Kind::Shard).len();
        "latest_fork_usec": 0;
        "total_forks": 0;
        "migrate_cached_sockets": 0;
        "slave_expires_tracked_keys": 0;
        "active_defrag_hits": 0;
        "active_defrag_misses": 0;
        "active_defrag_key_hits": 0;
        "active_defrag_key_misses": 0;
        "total_active_defrag_time": 0;
        "current_active_defrag_time": 0;
        "tracking_total_keys": tracked.0;
        "tracking_total_items": tracked.1;
        "tracking_total_prefixes": tracked.2;
        "unexpected_error_replies": 0;
        "total_error_replies": stats.total_error_replies;
        "dump_payload_sanitizations": 0;
        "total_reads_processed": stats.total_reads_processed;
        "total_writes_processed": stats.total_writes_processed;
        "io_threaded_reads_processed": 0;
        "io_threaded_writes_processed": 0;
        "client_query_buffer_limit_disconnections": stats.client_query_buffer_limit_disconnections;
        "client_output_buffer_limit_disconnections": stats.client_output_buffer_limit_disconnections;
        "reply_buffer_shrinks": 0;
        "reply_buffer_expands": 0;
        "eventloop_cycles": stats.eventloop_cycles;
        "eventloop_duration_sum": stats.eventloop_duration_sum_us;
        "eventloop_duration_cmd_sum": stats.eventloop_duration_cmd_sum_us;
        "instantaneous_eventloop_cycles_per_sec": cycles;
        "instantaneous_eventloop_duration_usec": stats.cycle_duration_us();
        "acl_access_denied_auth": stats.acl_access_denied.auth;
        "acl_access_denied_cmd": stats.acl_access_denied.command;
        "acl_access_denied_key": stats.acl_access_denied.key;
        "acl_access_denied_channel": stats.acl_access_denied.channel;
        "acl_access_denied_tls_cert": stats.acl_access_denied.tls_cert;
        "acl_access_denied_db": stats.acl_access_denied.database;
    }
}

/// Turns of the reactor above a millisecond: only this server has the section.
fn write_stalls(server: &mut Server, out: &mut String) {
    let stalls = &server.stats.stalls;
    fields! { out;
        "stalls": stalls.count;
        "stall_worst_usec": stalls.worst_us;
        "stall_worst_cause": stalls.worst_cause;
    }
    for (cause, Stall { count, worst_us, worst_cpu_us }) in &stalls.by_cause {
        let _ = write!(out, "stall_{cause}:count={count},worst_usec={worst_us}");
        if let Some(us) = worst_cpu_us {
            let _ = write!(out, ",worst_cpu_usec={us}");
        }
        out.push_str("\r\n");
    }
}

fn write_replication(server: &mut Server, out: &mut String) {
    fields! { out;
        "role": "master";
        "connected_slaves": 0;
        "master_failover_state": "no-failover";
        "master_replid": server.replid;
        "master_replid2": "0".repeat(40);
        "master_repl_offset": 0;
        "second_repl_offset": -1;
        "repl_backlog_active": 0;
        "repl_backlog_size": server.config.repl_backlog_size;
        "repl_backlog_first_byte_offset": 0;
        "repl_backlog_histlen": 0;
    }
}

fn write_cpu(server: &mut Server, out: &mut String) {
    let [sys, user, sys_main, user_main, sys_children, user_children] = server.host.process_facts().cpu;
    let seconds = |value: f64| format!("{value:.6}");
    fields! { out;
        "used_cpu_sys": seconds(sys);
        "used_cpu_user": seconds(user);
        "used_cpu_sys_children": seconds(sys_children);
        "used_cpu_user_children": seconds(user_children);
        "used_cpu_sys_main_thread": seconds(sys_main);
        "used_cpu_user_main_thread": seconds(user_main);
    }
}

/// There are no modules.
fn write_modules(_: &mut Server, _: &mut String) {}

fn write_commandstats(server: &mut Server, out: &mut String) {
    for (_, entry) in server.commands.iter() {
        let stats = &entry.stats;
        if stats.calls + stats.rejected_calls + stats.failed_calls == 0 {
            continue;
        }
        let per_call = if stats.calls == 0 { 0.0 } else { stats.usec as f64 / stats.calls as f64 };
        let _ = write!(
            out,
            "cmdstat_{}:calls={},usec={},usec_per_call={per_call:.2},rejected_calls={},failed_calls={}\r\n",
            entry.full_name, stats.calls, stats.usec, stats.rejected_calls, stats.failed_calls
        );
    }
}

fn write_errorstats(server: &mut Server, out: &mut String) {
    for (code, count) in &server.stats.errors {
        let _ = write!(out, "errorstat_{code}:count={count}\r\n");
    }
}

fn write_latencystats(server: &mut Server, out: &mut String) {
    if !server.config.latency_tracking {
        return;
    }
    for (_, entry) in server.commands.iter() {
        let Some(histogram) = &entry.stats.histogram else { continue };
        let _ = write!(out, "latency_percentiles_usec_{}:", entry.full_name);
        for (index, &percent) in server.config.latency_tracking_info_percentiles.0.iter().enumerate() {
            let us = histogram.percentile_ns(percent) as f64 / 1000.0;
            let _ = write!(out, "{}p{percent}={us:.3}", if index > 0 { "," } else { "" });
        }
        out.push_str("\r\n");
    }
}

fn write_cluster(_: &mut Server, out: &mut String) {
    fields! { out; "cluster_enabled": 0; }
}

fn write_keyspace(server: &mut Server, out: &mut String) {
    for index in 0..server.keyspace.databases() {
        let db = DbIndex(index as u16);
        let (keys, expires, avg_ttl) = server.keyspace.db_size(db);
        if keys > 0 {
            let subexpiry = server.keyspace.keys_with_field_expiry(db);
            let _ = write!(out, "db{index}:keys={keys},expires={expires},avg_ttl={avg_ttl},subexpiry={subexpiry}\r\n");
        }
    }
}

fn write_debug(server: &mut Server, out: &mut String) {
    let stats = &server.stats;
    fields! { out;
        "eventloop_duration_aof_sum": 0;
        "eventloop_duration_cron_sum": stats.eventloop_duration_cron_sum_us;
        "eventloop_duration_max": stats.eventloop_duration_max_us;
        "eventloop_cmd_per_cycle_max": stats.eventloop_cmd_per_cycle_max;
    }
}
