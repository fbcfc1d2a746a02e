//! How much of the time a cut may have. Where nobody asks for anything it gets all of it; under load a small part, since what it
//! copies must also be encoded and written by a processor that the load may want as well.
//!
//! Deliberately absent: a clock (times are handed in, in microseconds).

/// A turn that took less had no request in it.
const EMPTY_TURN_US: u64 = 5;
/// How long load is watched before the share follows it.
const WINDOW_US: u64 = 2000;
/// Shares of the time, in thousandths.
const WHOLE: u64 = 1000;
const SHARE_MIN: u64 = 40;
/// Below this load a cut gets all the time that is left.
const CALM: u64 = 150;
/// The most that a cut is owed, and so the longest slice.
const CREDIT_MAX_US: i64 = 200;

/// The pace of one cut.
pub struct Pace {
    share: u64,
    credit_us: i64,
    /// When the last turn was accounted for.
    last_us: Option<u64>,
    window_us: u64,
    busy_us: u64,
}

impl Pace {
    /// The pace of a cut that begins now: a careful one after the first slice, until the load is known.
    pub fn new() -> Pace {
        Pace { share: SHARE_MIN, credit_us: CREDIT_MAX_US, last_us: None, window_us: 0, busy_us: 0 }
    }

    /// A turn of so many microseconds ends.
    pub fn turn(&mut self, now_us: u64, turn_us: u64) {
        let passed = self.last_us.map_or(turn_us, |last| now_us.saturating_sub(last)).max(turn_us);
        self.last_us = Some(now_us);
        self.window_us += passed;
        if turn_us >= EMPTY_TURN_US {
            self.busy_us += turn_us;
        }
        if self.window_us >= WINDOW_US {
            let load = self.busy_us * WHOLE / self.window_us;
            self.share = if load < CALM { WHOLE } else { (WHOLE.saturating_sub(load) / 2).max(SHARE_MIN) };
            (self.window_us, self.busy_us) = (0, 0);
        }
        let owed = if self.share == WHOLE { CREDIT_MAX_US } else { (passed * self.share / WHOLE) as i64 };
        self.credit_us = self.credit_us.saturating_add(owed).min(CREDIT_MAX_US);
    }

    /// May the cut go on now? A step may take longer than what it is owed; the next ones wait for that.
    pub fn may_go_on(&self) -> bool {
        self.credit_us > 0
    }

    /// Is it the load that the cut waits for?
    pub fn is_held_back(&self) -> bool {
        self.share < WHOLE && self.credit_us <= 0
    }

    /// The cut took so many microseconds, until now.
    pub fn spent(&mut self, us: u64, now_us: u64) {
        self.credit_us -= us as i64;
        self.last_us = Some(now_us);
    }
}

impl Default for Pace {
    fn default() -> Pace {
        Pace::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of the time, in thousandths, that a cut gets beside turns of so many microseconds with pauses between them.
    fn part_beside(turn_us: u64, pause_us: u64) -> u64 {
        let (mut pace, mut now, mut spent) = (Pace::new(), 0, 0);
        for _ in 0..20_000 {
            now += pause_us + turn_us;
            pace.turn(now, turn_us);
            while pace.may_go_on() {
                now += 15;
                spent += 15;
                pace.spent(15, now);
            }
        }
        spent * 1000 / now
    }

    #[test]
    fn the_share_follows_the_load() {
        assert!(part_beside(1, 1) > 950, "nobody asks for anything");
        assert!(part_beside(10, 990) > 150, "calm, with a millisecond between requests");
        let half = part_beside(100, 100);
        assert!((150..250).contains(&half), "{half}");
        let full = part_beside(300, 0);
        assert!((25..=40).contains(&full), "{full}");
        let swamped = part_beside(5000, 10);
        assert!((12..=40).contains(&swamped), "{swamped}");
    }
}
