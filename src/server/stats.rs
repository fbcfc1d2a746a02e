//! Counters of the server, as INFO stats shows them.

use std::collections::BTreeMap;

use crate::base::time::MonoTime;

/// Kinds of error replies that are counted by name before the rest are lumped together.
const ERROR_KINDS_MAX: usize = 128;

/// A value sampled ten times a second and averaged over sixteen samples.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    samples: [u64; 16],
    next: usize,
    last_total: u64,
    last: Option<MonoTime>,
}

impl Rate {
    /// Takes a sample of a counter.
    pub fn sample(&mut self, total: u64, now: MonoTime) {
        if let Some(last) = self.last {
            let elapsed_ms = (now.since(last) / 1000).max(1);
            self.samples[self.next] = total.saturating_sub(self.last_total) * 1000 / elapsed_ms;
            self.next = (self.next + 1) % self.samples.len();
        }
        self.last_total = total;
        self.last = Some(now);
    }

    /// The mean per second.
    pub fn per_second(&self) -> u64 {
        self.samples.iter().sum::<u64>() / self.samples.len() as u64
    }
}

/// Turns of the reactor that took longer than a millisecond, by what they did.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Stalls {
    pub count: u64,
    pub worst_us: u64,
    pub worst_cause: &'static str,
    pub by_cause: BTreeMap<&'static str, Stall>,
}

/// The turns that one cause made long.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stall {
    /// How many.
    pub count: u64,
    /// Microseconds of the longest.
    pub worst_us: u64,
    /// The most that one of them worked, in microseconds of processor time, where that was measured: while a snapshot is
    /// written. The rest of such a turn was a wait, most often for a processor.
    pub worst_cpu_us: Option<u64>,
}

impl Stalls {
    /// Notes that `cause` held the reactor for this long, and how much of it was work if that is known.
    pub fn record(&mut self, cause: &'static str, us: u64, cpu_us: Option<u64>) {
        self.count += 1;
        if us > self.worst_us {
            self.worst_us = us;
            self.worst_cause = cause;
        }
        let stall = self.by_cause.entry(cause).or_default();
        stall.count += 1;
        stall.worst_us = stall.worst_us.max(us);
        stall.worst_cpu_us = stall.worst_cpu_us.max(cpu_us);
    }
}

/// How often somebody was turned away, by what was not theirs.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Denials {
    pub auth: u64,
    pub command: u64,
    pub key: u64,
    pub channel: u64,
    pub tls_cert: u64,
    pub database: u64,
}

/// The counters.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Stats {
    pub total_connections_received: u64,
    pub total_commands_processed: u64,
    pub total_net_input_bytes: u64,
    pub total_net_output_bytes: u64,
    pub rejected_connections: u64,
    pub client_query_buffer_limit_disconnections: u64,
    pub client_output_buffer_limit_disconnections: u64,
    pub evicted_clients: u64,
    /// Time during which `maxmemory` was exceeded with more to evict, as far as it is over.
    pub eviction_exceeded_us: u64,
    pub total_error_replies: u64,
    pub total_reads_processed: u64,
    pub total_writes_processed: u64,
    pub acl_access_denied: Denials,
    pub eventloop_cycles: u64,
    pub eventloop_duration_sum_us: u64,
    pub eventloop_duration_cmd_sum_us: u64,
    pub eventloop_duration_cron_sum_us: u64,
    pub eventloop_duration_max_us: u64,
    pub eventloop_cmd_per_cycle_max: u64,
    pub peak_memory: usize,
    pub stalls: Stalls,
    pub ops_rate: Rate,
    pub input_rate: Rate,
    pub output_rate: Rate,
    pub cycle_rate: Rate,
    pub busy_rate: Rate,
    pub errors: BTreeMap<String, u64>,
    pub errors_overflowed: bool,
    /// Largest input and output buffers of clients seen lately.
    pub client_recent_max_input_buffer: usize,
    pub client_recent_max_output_buffer: usize,
}

impl Stats {
    /// Counts anew. What is no count of events stays: the peak of memory.
    pub fn reset(&mut self) {
        *self = Stats { peak_memory: self.peak_memory, ..Stats::default() };
    }

    /// Mean microseconds of a turn, lately.
    pub fn cycle_duration_us(&self) -> u64 {
        self.busy_rate.per_second().checked_div(self.cycle_rate.per_second()).unwrap_or(0)
    }

    /// Counts an error reply by its first word. True the first time that there are too many kinds to tell apart.
    pub fn count_error(&mut self, line: &str) -> bool {
        self.total_error_replies += 1;
        if self.errors_overflowed {
            return false;
        }
        let code = line.split(' ').next().unwrap_or("ERR");
        if let Some(count) = self.errors.get_mut(code) {
            *count += 1;
            return false;
        }
        if self.errors.len() >= ERROR_KINDS_MAX {
            self.errors_overflowed = true;
            self.errors.clear();
            self.errors.insert("ERRORSTATS_DISABLED".to_owned(), 1);
            return true;
        }
        self.errors.insert(code.to_owned(), 1);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_too_many_kinds_are_not_told_apart() {
        let mut stats = Stats::default();
        let announced = (0..2 * ERROR_KINDS_MAX).filter(|kind| stats.count_error(&format!("E{kind} text"))).count();
        assert_eq!(announced, 1);
        let told: Vec<_> = stats.errors.iter().map(|(code, count)| (code.as_str(), *count)).collect();
        assert_eq!(told, [("ERRORSTATS_DISABLED", 1)]);
        assert_eq!(stats.total_error_replies, 2 * ERROR_KINDS_MAX as u64);
    }
}
