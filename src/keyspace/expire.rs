//! Active expiry: due keys go by themselves, in order of time and in slices.
//!
//! Redis samples keys with an expiry; here the index yields exactly the due ones, so a key is gone within one cycle of
//! its time, whatever the others do, and nothing is looked at in vain.

use super::db::is_due;
use super::{DbIndex, Keyspace};

impl Keyspace {
    /// Deletes up to `limit` keys whose time has come. Returns how many; fewer than `limit` means that no key is due.
    pub fn active_expire_slice(&mut self, limit: usize) -> usize {
        let mut due = Vec::new();
        let mut removed = 0;
        for index in 0..self.dbs.len() {
            // A key is due when its time lies before now.
            self.dbs[index].expires.pop_due(self.now.0 - 1, limit - removed, &mut due);
            for (at, prefix) in due.drain(..) {
                let now = self.now.0;
                let state = &mut self.dbs[index];
                let found = state.table.find_by_prefix(prefix, |entry| entry.expire_at() == Some(at));
                let Some(entry) = found.filter(|entry| is_due(entry.expire_at(), now)) else { continue };
                let key = entry.key().to_vec();
                // Two keys may share time and hash bits: put the record back, so that `expire` finds it to remove.
                state.expires.insert(at, prefix);
                self.db(DbIndex(index as u16)).expire(&key);
                removed += 1;
            }
            if removed >= limit {
                break;
            }
        }
        removed
    }

    /// The earliest time at which a key may be due.
    pub fn next_due(&self) -> Option<i64> {
        self.dbs.iter().filter_map(|db| db.expires.next_due()).min()
    }

    /// Refreshes the average time to live of each database from a sample, as INFO shows it.
    pub fn sample_avg_ttl(&mut self) {
        for db in &mut self.dbs {
            let (mut sum, mut count) = (0i64, 0i64);
            if !db.expires.is_empty() {
                db.table.sample(&mut self.rng, 20, |entry| {
                    if let Some(at) = entry.expire_at()
                        && at > self.now.0
                    {
                        sum = sum.saturating_add(at - self.now.0);
                        count += 1;
                    }
                });
            }
            if count == 0 {
                if db.expires.is_empty() {
                    db.avg_ttl_ms = 0;
                }
                continue;
            }
            let average = sum / count;
            db.avg_ttl_ms = if db.avg_ttl_ms == 0 { average } else { (db.avg_ttl_ms / 50) * 49 + average / 50 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{KeepTtl, Keyspace};
    use super::*;
    use crate::base::time::UnixMillis;
    use crate::storage::{NewValue, Type};

    #[test]
    fn slices_delete_exactly_what_is_due() {
        let mut keyspace = Keyspace::new(2, 9);
        keyspace.now = UnixMillis(0);
        for n in 0..5000i64 {
            let mut db = keyspace.db(DbIndex((n % 2) as u16));
            let at = if n % 5 == 0 { 777 } else { n };
            db.set_value(format!("k{n}").as_bytes(), Type::String, NewValue::Int(at), KeepTtl::At(at));
        }
        keyspace.now = UnixMillis(1000);
        let expected = (0..5000).filter(|n| if n % 5 == 0 { true } else { *n < 1000 }).count();
        let mut removed = 0;
        loop {
            let slice = keyspace.active_expire_slice(100);
            assert!(slice <= 100);
            removed += slice;
            if slice < 100 {
                break;
            }
        }
        assert_eq!((removed, keyspace.total_keys()), (expected, 5000 - expected));
        assert_eq!(keyspace.dbs[0].expires.len() + keyspace.dbs[1].expires.len(), 5000 - expected);
    }
}
