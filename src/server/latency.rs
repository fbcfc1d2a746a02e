//! Latency: events that took long (LATENCY), and the distribution of each command's durations (LATENCY HISTOGRAM).

use std::collections::BTreeMap;

const SAMPLES_MAX: usize = 160;

/// Durations in nanoseconds, in buckets of powers of two with eight steps each: errors below one eighth.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: vec![0; 8 * 40], count: 0 }
    }
}

impl Histogram {
    fn index(ns: u64) -> usize {
        let ns = ns.max(8);
        let power = ns.ilog2();
        let step = (ns >> (power - 3)) & 7;
        (((power - 3) * 8) as usize + step as usize).min(8 * 40 - 1)
    }

    fn upper(index: usize) -> u64 {
        let power = index as u32 / 8;
        ((8 + (index as u64 & 7) + 1) << power) - 1
    }

    /// Adds one duration.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.buckets[Self::index(ns)] += 1;
        self.count += 1;
    }

    /// Number of durations.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The duration that this share (0 to 100) of all does not exceed, in nanoseconds.
    pub fn percentile_ns(&self, percent: f64) -> u64 {
        let rank = ((percent / 100.0 * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (index, &count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Self::upper(index);
            }
        }
        0
    }

    /// For each power of two microseconds up to which something changes: how many durations were not longer.
    pub fn cumulative_us(&self) -> Vec<(u64, u64)> {
        let mut rows = Vec::new();
        let (mut seen, mut index) = (0, 0);
        let mut power = 0u32;
        while seen < self.count && power < 40 {
            let limit_ns = (1u64 << power) * 1024;
            let before = seen;
            while index < self.buckets.len() && Self::upper(index) <= limit_ns {
                seen += self.buckets[index];
                index += 1;
            }
            if seen > before {
                rows.push((1 << power, seen));
            }
            power += 1;
        }
        rows
    }
}

/// One spike: when (seconds since the epoch) and how long (ms).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Spike {
    pub at: i64,
    pub ms: u64,
}

/// One kind of event.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct EventSeries {
    /// The latest spikes, oldest first; at most one a second, the worst.
    pub spikes: Vec<Spike>,
    pub max_ms: u64,
}

/// Events longer than latency-monitor-threshold.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    /// By event name.
    pub events: BTreeMap<&'static str, EventSeries>,
}

impl Latency {
    /// Notes an event of `ms` at `at`, if the threshold (ms; 0: off) is reached.
    pub fn add_if_slow(&mut self, event: &'static str, ms: u64, threshold_ms: u64, at: i64) {
        if threshold_ms == 0 || ms < threshold_ms {
            return;
        }
        let series = self.events.entry(event).or_default();
        series.max_ms = series.max_ms.max(ms);
        if let Some(last) = series.spikes.last_mut()
            && last.at == at
        {
            last.ms = last.ms.max(ms);
            return;
        }
        if series.spikes.len() == SAMPLES_MAX {
            series.spikes.remove(0);
        }
        series.spikes.push(Spike { at, ms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_one_eighth() {
        let mut histogram = Histogram::default();
        (1..=1000u64).for_each(|n| histogram.record(n * 1000));
        for percent in [1.0, 50.0, 99.0, 100.0] {
            let (exact, got) = (percent * 10_000.0, histogram.percentile_ns(percent) as f64);
            assert!(got >= exact * 0.99 && got <= exact * 1.14, "{percent}: {got}");
        }
        assert_eq!(histogram.cumulative_us().last().map(|row| row.1), Some(1000));
    }
}
