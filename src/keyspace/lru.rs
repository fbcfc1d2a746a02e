//! The 24 bits of access information in every entry.
//!
//! LRU: seconds of the wall clock, modulo 2^24 (194 days). LFU: 16 bits of minutes since the last decrement and an
//! 8-bit counter that grows with the logarithm of accesses (a probabilistic counter after Morris) and decays with time.
//!
//! An access that lies ahead means that the clock was set back since, not that its bits went round: else the keys in use
//! would be the first to be evicted. Both clocks give up the last day of their range for that.

use crate::base::rng::Rng;
use crate::base::time::UnixMillis;

use super::KeyspacePolicy;

const CLOCK_MAX: u32 = (1 << 24) - 1;
const MINUTES_MAX: u32 = (1 << 16) - 1;
const LFU_INIT: u32 = 5;
/// By so much the clock may be set back.
const BACK_SECONDS_MAX: u32 = 24 * 60 * 60;

/// The longest time that a key can be seen to be idle.
const IDLE_SECONDS_MAX: u32 = CLOCK_MAX - BACK_SECONDS_MAX;

/// What the access bits mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessPolicy {
    /// Time of the last access.
    Lru,
    /// Frequency of accesses.
    Lfu,
    /// Time of the last modification; reads leave it alone.
    Lrm,
}

/// The clock of the access bits, in seconds.
pub fn lru_clock(now: UnixMillis) -> u32 {
    (now.0 / 1000) as u32 & CLOCK_MAX
}

/// Milliseconds since the last access, to the second.
pub fn idle_ms(lru: u32, now: UnixMillis) -> u64 {
    let seconds = lru_clock(now).wrapping_sub(lru) & CLOCK_MAX;
    if seconds > IDLE_SECONDS_MAX { 0 } else { u64::from(seconds) * 1000 }
}

/// The bits that say "accessed so many seconds ago".
pub fn lru_of_idle(idle_seconds: u64, now: UnixMillis) -> u32 {
    lru_clock(now).wrapping_sub(idle_seconds.min(u64::from(IDLE_SECONDS_MAX)) as u32) & CLOCK_MAX
}

fn minutes(now: UnixMillis) -> u32 {
    (now.0 / 60_000) as u32 & MINUTES_MAX
}

/// The bits of a frequency counter, accessed now.
pub fn lfu_of_counter(counter: u8, now: UnixMillis) -> u32 {
    minutes(now) << 8 | u32::from(counter)
}

/// The frequency counter, decayed to now.
pub fn lfu_counter(lru: u32, policy: &KeyspacePolicy, now: UnixMillis) -> u8 {
    let counter = lru & 255;
    if policy.lfu_decay_time == 0 {
        return counter as u8;
    }
    let elapsed = minutes(now).wrapping_sub(lru >> 8) & MINUTES_MAX;
    let elapsed = if elapsed > MINUTES_MAX - BACK_SECONDS_MAX / 60 { 0 } else { elapsed };
    counter.saturating_sub(elapsed / policy.lfu_decay_time) as u8
}

/// The bits of a new key.
pub fn initial(policy: &KeyspacePolicy, now: UnixMillis) -> u32 {
    match policy.access {
        AccessPolicy::Lfu => lfu_of_counter(LFU_INIT as u8, now),
        AccessPolicy::Lru | AccessPolicy::Lrm => lru_clock(now),
    }
}

/// The bits after an access.
#[inline]
pub fn accessed(lru: u32, policy: &KeyspacePolicy, now: UnixMillis, rng: &mut Rng) -> u32 {
    match policy.access {
        AccessPolicy::Lru => lru_clock(now),
        AccessPolicy::Lrm => lru,
        AccessPolicy::Lfu => {
            let counter = lfu_counter(lru, policy, now);
            let base = u32::from(counter).saturating_sub(LFU_INIT);
            let chance = 1.0 / f64::from(base * policy.lfu_log_factor + 1);
            let counter = if counter < 255 && rng.unit() < chance { counter + 1 } else { counter };
            lfu_of_counter(counter, now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_grow_with_use_and_decay_with_time() {
        let policy = KeyspacePolicy { access: AccessPolicy::Lfu, ..KeyspacePolicy::default() };
        let (mut rng, mut now) = (Rng::new(1), UnixMillis(1_700_000_000_000));
        let mut lru = initial(&policy, now);
        (0..10_000).for_each(|_| lru = accessed(lru, &policy, now, &mut rng));
        let hot = lfu_counter(lru, &policy, now);
        assert!((30..100).contains(&hot), "{hot}");
        now.0 += 10 * 60_000;
        assert_eq!(lfu_counter(lru, &policy, now), hot - 10);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_key_idle() {
        let policy = KeyspacePolicy { access: AccessPolicy::Lfu, ..KeyspacePolicy::default() };
        let now = UnixMillis(1_700_000_000_000);
        for back_ms in [1000, 61_000, 3_600_000, 86_400_000] {
            let before = UnixMillis(now.0 - back_ms);
            assert_eq!(idle_ms(lru_clock(now), before), 0);
            assert_eq!(lfu_counter(lfu_of_counter(200, now), &policy, before), 200);
        }
        assert_eq!(idle_ms(lru_of_idle(u64::MAX, now), now), u64::from(IDLE_SECONDS_MAX) * 1000);
        let month = 30 * 86_400_000;
        assert_eq!(idle_ms(lru_clock(now), UnixMillis(now.0 + month)), month as u64);
        assert_eq!(lfu_counter(lfu_of_counter(200, now), &policy, UnixMillis(now.0 + month)), 0);
    }

    #[test]
    fn idle_time_survives_the_wrap_of_the_clock() {
        let now = UnixMillis((i64::from(CLOCK_MAX) + 5) * 1000);
        assert_eq!(idle_ms(lru_of_idle(100, now), now), 100_000);
    }
}
