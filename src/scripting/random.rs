//! The numbers of `math.random`: those of drand48, so that scripts that seed it get the same everywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What it begins with.
const SEED: u64 = 0x1234_abcd_330e;

/// A generator that all Lua states of a server share, one at a time.
#[derive(Clone, Debug)]
pub struct Random(Arc<AtomicU64>);

impl Default for Random {
    fn default() -> Random {
        Random(Arc::new(AtomicU64::new(SEED)))
    }
}

impl Random {
    /// Begins anew.
    pub fn seed(&self, seed: u64) {
        self.0.store(((seed & 0xffff_ffff) << 16) | 0x330e, Ordering::Relaxed);
    }

    /// The next number, of 31 bits.
    pub fn next(&self) -> u64 {
        let last = self.0.load(Ordering::Relaxed);
        let next = last.wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & 0xffff_ffff_ffff;
        self.0.store(next, Ordering::Relaxed);
        next >> 17
    }
}
