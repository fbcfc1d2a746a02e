use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::storage::Value;

fn number_of(entry: EntryRef<'_>) -> i64 {
    match entry.value() {
        Value::Int(number) => number,
        _ => panic!("the test stores integers"),
    }
}

fn add(table: &mut Table, key: &[u8], number: i64) {
    let hash = table.hash(key);
    table.insert(hash, key, NewValue::Int(number), Type::String, None, 0);
}

#[test]
fn it_behaves_as_a_map_while_growing_and_shrinking() {
    let mut rng = Rng::new(3);
    let mut table = Table::new(HashSeed::new(5));
    let mut model = BTreeMap::new();
    let top = if cfg!(miri) { 300 } else { 20_000 };
    for phase in 0..4 {
        for step in 0..top {
            let key = format!("key:{}", rng.below(top as u64)).into_bytes();
            let hash = table.hash(&key);
            if rng.below(10) < if phase % 2 == 0 { 8 } else { 2 } {
                if let Some(mut entry) = table.get_mut(hash, &key) {
                    entry.set_int(step);
                } else {
                    add(&mut table, &key, step);
                }
                model.insert(key, step);
            } else {
                let gone = table.remove(hash, &key).map(|entry| number_of(entry.read()));
                assert_eq!(gone, model.remove(&key));
            }
            if step % 997 == 0 {
                table.check_invariants();
            }
        }
        table.check_invariants();
        assert_eq!(table.len(), model.len());
        for (key, number) in &model {
            assert_eq!(table.get(table.hash(key), key).map(number_of), Some(*number));
        }
    }
    for key in model.keys() {
        table.remove(table.hash(key), key);
    }
    table.check_invariants();
    assert!(table.is_empty() && table.directory.len() <= 16, "{}", table.directory.len());
}

#[test]
fn a_scan_returns_all_that_stays_whatever_happens_between() {
    let mut rng = Rng::new(11);
    for round in 0..if cfg!(miri) { 1 } else { 12 } {
        let mut table = Table::new(HashSeed::new(round));
        let stay = if cfg!(miri) { 100 } else { 3000 };
        for n in 0..stay {
            add(&mut table, format!("stay:{n}").as_bytes(), n);
        }
        let mut seen = BTreeSet::new();
        let (mut cursor, mut extra) = (0, 0);
        loop {
            cursor = table.scan(cursor, |entry| {
                seen.insert(number_of(entry));
            });
            if cursor == 0 {
                break;
            }
            if rng.below(100) < 5 {
                // Grow or shrink the rest by a lot.
                if extra == 0 {
                    extra = rng.below(6000) as i64;
                    (0..extra).for_each(|n| add(&mut table, format!("extra:{n}").as_bytes(), -1));
                } else {
                    for n in 0..extra {
                        let key = format!("extra:{n}").into_bytes();
                        table.remove(table.hash(&key), &key);
                    }
                    extra = 0;
                }
            }
        }
        assert_eq!(seen.range(0..).count(), stay as usize, "round {round}");
    }
}

#[test]
fn keys_may_come_in_the_order_of_their_hashes() {
    for backwards in [false, true] {
        let mut table = Table::new(HashSeed::new(8));
        let count = if cfg!(miri) { 600 } else { 30_000 };
        let mut keys: Vec<(u64, String)> = (0..count).map(|n| (0, format!("key:{n}"))).collect();
        keys.iter_mut().for_each(|(hash, key)| *hash = table.hash(key.as_bytes()));
        keys.sort();
        if backwards {
            keys.reverse();
        }
        for (place, (_, key)) in keys.iter().enumerate() {
            add(&mut table, key.as_bytes(), place as i64);
        }
        table.check_invariants();
        assert_eq!(table.len(), count as usize);
        let slots = table.capacity().0;
        assert!(slots < table.len() * 3, "{slots} slots");
    }
}

#[test]
fn a_reserved_table_takes_its_keys_without_growing() {
    let count = if cfg!(miri) { 2000 } else { 100_000 };
    let mut table = Table::new(HashSeed::new(8));
    table.reserve(count);
    let (slots, bytes) = table.capacity();
    assert!(bytes < count * 16 && slots > count, "{bytes} bytes");
    (0..count).for_each(|n| add(&mut table, format!("key:{n}").as_bytes(), n as i64));
    table.check_invariants();
    let grown = table.capacity().1 - bytes;
    assert!(grown < bytes / 6, "grew by {grown} of {bytes} bytes");
    // With keys it stays as it is.
    let before = table.capacity();
    table.reserve(count * 10);
    assert_eq!(table.capacity(), before);
}

#[test]
fn random_picks_are_fair() {
    let mut rng = Rng::new(17);
    let mut table = Table::new(HashSeed::new(1));
    let keys = if cfg!(miri) { 20 } else { 1000 };
    (0..keys).for_each(|n| add(&mut table, format!("{n}").as_bytes(), n));
    let mut hits = vec![0u64; keys as usize];
    let draws = if cfg!(miri) { 20 } else { 300_000u64 };
    for _ in 0..draws {
        hits[number_of(table.random(&mut rng).unwrap()) as usize] += 1;
    }
    let mean = draws as f64 / keys as f64;
    let chi: f64 = hits.iter().map(|&n| (n as f64 - mean).powi(2) / mean).sum();
    assert!(cfg!(miri) || chi < keys as f64 * 1.25, "chi square {chi} of {keys}");
}

#[test]
fn emptying_in_slices_returns_everything() {
    let mut table = Table::new(HashSeed::new(2));
    let keys = if cfg!(miri) { 50 } else { 5000 };
    (0..keys).for_each(|n| add(&mut table, format!("{n}").as_bytes(), n));
    let (mut cursor, mut taken) = (0, 0);
    loop {
        cursor = table.drain_segment(cursor, |_| taken += 1);
        table.check_invariants();
        if cursor == 0 {
            break;
        }
    }
    assert_eq!((taken, table.len()), (keys, 0));
}
