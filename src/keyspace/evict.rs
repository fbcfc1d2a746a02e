//! Eviction: which key goes when memory is short, by Redis's policies and sampling.
//!
//! For the LRU, LFU and TTL policies a few keys are sampled and the best candidates kept in a pool between rounds, which comes
//! close to the exact order at a fraction of its cost.

use super::{DbIndex, Keyspace, lru};

const POOL_SIZE: usize = 16;

/// How the victim is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VictimOrder {
    /// Longest unused (or unmodified) first.
    Lru,
    /// Least frequently used first.
    Lfu,
    /// Soonest to expire first.
    Ttl,
    /// Any.
    Random,
}

/// An eviction policy other than `noeviction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionPolicy {
    /// The order.
    pub order: VictimOrder,
    /// Only keys with an expiry?
    pub volatile_only: bool,
    /// Keys sampled a round (maxmemory-samples).
    pub samples: usize,
}

#[derive(Debug)]
struct Candidate {
    /// The greater, the sooner it goes.
    score: u64,
    db: DbIndex,
    key: Vec<u8>,
}

/// The best candidates so far, the best last.
#[derive(Debug, Default)]
pub struct Pool {
    candidates: Vec<Candidate>,
}

impl Pool {
    fn offer(&mut self, score: u64, db: DbIndex, key: &[u8]) {
        let full = self.candidates.len() == POOL_SIZE;
        if full && score <= self.candidates[0].score {
            return;
        }
        if self.candidates.iter().any(|candidate| candidate.db == db && candidate.key == key) {
            return;
        }
        if full {
            self.candidates.remove(0);
        }
        let at = self.candidates.partition_point(|candidate| candidate.score < score);
        self.candidates.insert(at, Candidate { score, db, key: key.to_vec() });
    }
}

impl Keyspace {
    /// Evicts one key by this policy; false if there is none to evict.
    pub fn evict_one(&mut self, policy: EvictionPolicy) -> bool {
        if policy.order == VictimOrder::Random {
            return self.evict_random(policy.volatile_only);
        }
        // The pool may hold keys that are gone by now: each round refills it, and every round evicts or runs dry.
        for _ in 0..POOL_SIZE + 1 {
            if !self.fill_pool(policy) {
                return false;
            }
            while let Some(best) = self.evict_pool.candidates.pop() {
                let volatile = {
                    let table = &self.dbs[usize::from(best.db.0)].table;
                    table.get(table.hash(&best.key), &best.key).map(|entry| entry.expire_at().is_some())
                };
                if volatile.is_some_and(|volatile| volatile || !policy.volatile_only)
                    && self.db(best.db).evict(&best.key)
                {
                    return true;
                }
            }
        }
        false
    }

    /// Samples every database into the pool; false if none holds a key that may go.
    fn fill_pool(&mut self, policy: EvictionPolicy) -> bool {
        let mut any = false;
        let (now, keep) = (self.now, self.policy);
        for (index, db) in self.dbs.iter().enumerate() {
            let eligible = if policy.volatile_only { db.expires.len() } else { db.table.len() };
            if eligible == 0 {
                continue;
            }
            any = true;
            // Where few keys are volatile, more must be looked at to meet some.
            let rarity = (db.table.len() / eligible).clamp(1, 64);
            let pool = &mut self.evict_pool;
            let mut left = policy.samples;
            let mut offer = |entry: crate::storage::EntryRef<'_>| {
                let expire = entry.expire_at();
                if left == 0 || (policy.volatile_only && expire.is_none()) {
                    return;
                }
                left -= 1;
                let score = match policy.order {
                    VictimOrder::Lru => lru::idle_ms(entry.lru(), now),
                    VictimOrder::Lfu => 255 - u64::from(lru::lfu_counter(entry.lru(), &keep, now)),
                    VictimOrder::Ttl => u64::MAX - expire.unwrap_or(i64::MAX).max(0) as u64,
                    VictimOrder::Random => 0,
                };
                pool.offer(score, DbIndex(index as u16), entry.key());
            };
            for _ in 0..rarity {
                db.table.sample(&mut self.rng, policy.samples, &mut offer);
            }
        }
        if any && self.evict_pool.candidates.is_empty() && policy.volatile_only {
            // Sampling missed the few volatile keys: the index knows the soonest.
            return self.offer_soonest();
        }
        any
    }

    fn offer_soonest(&mut self) -> bool {
        for index in 0..self.dbs.len() {
            let mut due = Vec::new();
            self.dbs[index].expires.pop_due(i64::MAX, 1, &mut due);
            let Some((at, prefix)) = due.pop() else { continue };
            let state = &mut self.dbs[index];
            state.expires.insert(at, prefix);
            if let Some(entry) = state.table.find_by_prefix(prefix, |entry| entry.expire_at() == Some(at)) {
                self.evict_pool.offer(0, DbIndex(index as u16), entry.key());
                return true;
            }
        }
        false
    }

    fn evict_random(&mut self, volatile_only: bool) -> bool {
        let start = self.rng.below(self.dbs.len() as u64) as usize;
        for step in 0..self.dbs.len() {
            let index = (start + step) % self.dbs.len();
            let db = &self.dbs[index];
            let eligible = if volatile_only { db.expires.len() } else { db.table.len() };
            if eligible == 0 {
                continue;
            }
            for _ in 0..(db.table.len() / eligible).clamp(1, 64) * 4 {
                let Some(entry) = self.dbs[index].table.random(&mut self.rng) else { break };
                if volatile_only && entry.expire_at().is_none() {
                    continue;
                }
                let key = entry.key().to_vec();
                return self.db(DbIndex(index as u16)).evict(&key);
            }
        }
        // What other policies left in the pool must not stand in the way of the one key offered here.
        self.reset_eviction_pool();
        volatile_only && self.offer_soonest() && self.evict_offered()
    }

    fn evict_offered(&mut self) -> bool {
        match self.evict_pool.candidates.pop() {
            Some(best) => self.db(best.db).evict(&best.key),
            None => false,
        }
    }

    /// Forgets all candidates: the policy changed, and scores of different policies do not compare.
    pub fn reset_eviction_pool(&mut self) {
        self.evict_pool = Pool::default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::KeepTtl;
    use super::*;
    use crate::base::time::UnixMillis;
    use crate::storage::{NewValue, Type};

    fn filled(policy: EvictionPolicy) -> Keyspace {
        let mut keyspace = Keyspace::new(1, 4);
        for n in 0..2000i64 {
            keyspace.now = UnixMillis(n * 1000 + 1);
            let ttl = if n % 2 == 0 { KeepTtl::At(10_000_000 + n * 1000) } else { KeepTtl::Clear };
            keyspace.db(DbIndex(0)).set_value(format!("{n}").as_bytes(), Type::String, NewValue::Int(n), ttl);
        }
        for _ in 0..800 {
            assert!(keyspace.evict_one(policy));
        }
        keyspace
    }

    fn survivors(keyspace: &mut Keyspace, range: std::ops::Range<usize>) -> usize {
        range.filter(|n| keyspace.db(DbIndex(0)).exists(format!("{n}").as_bytes())).count()
    }

    #[test]
    fn old_keys_go_before_young_ones() {
        let policy = EvictionPolicy { order: VictimOrder::Lru, volatile_only: false, samples: 10 };
        let mut keyspace = filled(policy);
        assert!(survivors(&mut keyspace, 0..500) < 60);
        assert!(survivors(&mut keyspace, 1500..2000) > 490);
    }

    #[test]
    fn volatile_policies_spare_keys_without_expiry_and_run_dry() {
        for order in [VictimOrder::Ttl, VictimOrder::Lru, VictimOrder::Lfu, VictimOrder::Random] {
            let policy = EvictionPolicy { order, volatile_only: true, samples: 5 };
            let mut keyspace = filled(policy);
            let mut more = 0;
            while keyspace.evict_one(policy) {
                more += 1;
            }
            assert_eq!((more, keyspace.total_keys()), (200, 1000), "{order:?}");
        }
    }
}
