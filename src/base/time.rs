//! Points in time as types. Nothing here reads a clock: the reactor does, and hands the values in.

/// Milliseconds since the Unix epoch: what TTLs are measured in. May be negative in hostile input, never in a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

/// Microseconds on a clock that never goes back, from an arbitrary start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(pub u64);

impl UnixMillis {
    /// Whole seconds since the epoch, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl MonoTime {
    /// Microseconds from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: MonoTime) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time `us` microseconds later.
    pub fn plus_us(self, us: u64) -> MonoTime {
        MonoTime(self.0.saturating_add(us))
    }
}

/// Both clocks as read at one moment. A command sees one frozen `Now`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Monotonic.
    pub mono: MonoTime,
    /// Wall clock, microseconds since the epoch.
    pub unix_us: i64,
}

impl Now {
    /// Both clocks `us` microseconds later.
    pub fn plus_us(self, us: u64) -> Now {
        Now { mono: self.mono.plus_us(us), unix_us: self.unix_us.saturating_add_unsigned(us) }
    }

    /// The wall clock in milliseconds.
    pub fn unix(self) -> UnixMillis {
        UnixMillis(self.unix_us.div_euclid(1000))
    }
}
