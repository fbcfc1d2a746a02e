//! The keyed hash of every table: rapidhash with secrets drawn at start, so that a client cannot choose keys that
//! collide. <https://github.com/Nicoshev/rapidhash>

use rapidhash::v3::{RapidSecrets, rapidhash_v3_nano_inline};

/// The key of the hash: a pointer to secrets that live as long as the process.
#[derive(Clone, Copy, Debug)]
pub struct HashSeed(&'static RapidSecrets);

impl HashSeed {
    /// Secrets expanded from 64 random bits. They are never freed: make one per node, not per table.
    pub fn new(seed: u64) -> HashSeed {
        HashSeed(Box::leak(Box::new(RapidSecrets::seed(seed))))
    }

    /// The hash of `bytes`: all 64 bits are usable.
    #[inline]
    pub fn hash(self, bytes: &[u8]) -> u64 {
        rapidhash_v3_nano_inline::<true, true>(bytes, self.0)
    }
}
