//! Time per operation and bytes per element of the large collections: `cargo bench --bench storage [elements]`.
//! Bytes are what the allocator really takes, size classes included.

use std::hint::black_box;
use std::time::Instant;

use russet::base::hash::HashSeed;
use russet::base::rng::Rng;
use russet::storage::alloc::thread_balance;
use russet::storage::dict::Dict;
use russet::storage::zset::Zset;

/// Prints nanoseconds per operation of `count` operations.
fn time(what: &str, count: usize, mut run: impl FnMut()) {
    let start = Instant::now();
    run();
    println!("{what:<52} {:>9.1} ns", start.elapsed().as_nanos() as f64 / count as f64);
}

/// Prints bytes per element of what `build` makes.
fn space<T>(what: &str, count: usize, build: impl FnOnce() -> T) -> T {
    let before = thread_balance();
    let built = build();
    let bytes = thread_balance() - before;
    println!("{what:<52} {:>9.1} bytes", bytes as f64 / count as f64);
    built
}

fn shuffled(count: usize, rng: &mut Rng) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    for at in (1..count).rev() {
        order.swap(at, rng.below(at as u64 + 1) as usize);
    }
    order
}

/// Keys of one length one after the other, so that reading them costs no cache miss that is not the collection's.
struct Keys {
    flat: Vec<u8>,
    width: usize,
}

impl Keys {
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.flat.chunks_exact(self.width)
    }
}

fn keys(prefix: &str, order: &[u32]) -> Keys {
    let digits = (order.len() - 1).to_string().len().max(6);
    let flat = order.iter().flat_map(|n| format!("{prefix}:{n:0digits$}").into_bytes()).collect();
    Keys { flat, width: prefix.len() + 1 + digits }
}

fn dicts(count: usize, seed: HashSeed, rng: &mut Rng) {
    let order = shuffled(count, rng);
    let members = keys("member", &order);
    let (fields, values) = (keys("field", &order), keys("value", &order));
    space("set of member:123456", count, || {
        let mut dict = Dict::new(seed);
        time("set: insert", count, || members.iter().for_each(|member| assert!(dict.insert(member, b"", None))));
        dict
    });
    let mut hash = space("hash of field:123456 -> value:123456", count, || {
        let mut dict = Dict::new(seed);
        let mut worst = 0;
        for (field, value) in fields.iter().zip(values.iter()) {
            let start = Instant::now();
            dict.insert(field, value, None);
            worst = worst.max(start.elapsed().as_nanos());
        }
        println!("{:<52} {:>9.1} us", "hash: worst insert, scheduling included", worst as f64 / 1e3);
        dict
    });
    println!("{:<52} {:>9.1} bytes", "hash: memory_bytes says", hash.memory_bytes() as f64 / count as f64);
    let size = 1000.min(count);
    space("hash of 1000 fields", size, || {
        let mut dict = Dict::new(seed);
        fields.iter().zip(values.iter()).take(size).for_each(|(field, value)| assert!(dict.insert(field, value, None)));
        dict
    });
    let order = shuffled(count, rng);
    let (fields, values) = (keys("field", &order), keys("value", &order));
    time("hash: get", count, || {
        fields.iter().for_each(|field| assert!(black_box(hash.get(field)).is_some()));
    });
    time("hash: get what is not there", count, || {
        members.iter().for_each(|member| assert!(hash.get(member).is_none()));
    });
    time("hash: overwrite", count, || {
        fields.iter().zip(values.iter()).for_each(|(field, value)| assert!(!hash.insert(field, value, None)));
    });
    let more = keys("another-new-field", &order);
    let mut more = more.iter();
    // At first the segments move to new pages of the next size classes; the kernel's time for these is in the figure.
    for round in ["first", "second", "third"] {
        let fields: Vec<&[u8]> = more.by_ref().take(count / 10).collect();
        time(&format!("hash: insert new fields of 24 bytes, {round} tenth"), count / 10, || {
            fields.iter().for_each(|field| assert!(hash.insert(field, b"value", None)));
        });
    }
    time("hash: random", count / 10, || {
        for _ in 0..count / 10 {
            black_box(hash.random(rng));
        }
    });
    time("hash: scan, count 100", count, || {
        let mut cursor = 0;
        loop {
            cursor = hash.scan(cursor, 100, |entry| {
                black_box(entry);
            });
            if cursor == 0 {
                break;
            }
        }
    });
    let mut cut = None;
    time("hash: clone", 1, || cut = Some(hash.clone()));
    time("hash: first insert after the clone", 1, || assert!(hash.insert(b"first", b"", None)));
    time("hash: later overwrites of untouched segments", 1000, || {
        fields.iter().take(1000).for_each(|field| assert!(!hash.insert(field, b"other", None)));
    });
    drop(cut);
    time("hash: remove", count, || {
        fields.iter().for_each(|field| assert!(hash.remove(field)));
    });
}

fn zsets(count: usize, seed: HashSeed, rng: &mut Rng) {
    let members = keys("member", &shuffled(count, rng));
    let whole: Vec<f64> = (0..count).map(|_| rng.below(1 << 30) as f64).collect();
    let broken: Vec<f64> = (0..count).map(|_| rng.unit()).collect();
    for (name, scores) in [("whole", &whole), ("broken", &broken)] {
        let mut zset = space(&format!("zset of member:123456, {name} scores"), count, || {
            let mut zset = Zset::new(seed);
            time("zset: insert", count, || {
                members.iter().zip(scores).for_each(|(member, &score)| {
                    zset.insert(member, score);
                });
            });
            zset
        });
        println!("{:<52} {:>9.1} bytes", "  of these the tree", zset.tree().memory_bytes() as f64 / count as f64);
        println!("{:<52} {:>9.1} bytes", "  memory_bytes says", zset.memory_bytes() as f64 / count as f64);
        let order = shuffled(count, rng);
        let members = keys("member", &order);
        time("zset: score", count, || {
            members.iter().for_each(|member| assert!(black_box(zset.score(member)).is_some()));
        });
        time("zset: rank", count, || {
            members.iter().for_each(|member| assert!(black_box(zset.rank(member)).is_some()));
        });
        time("zset: select", count, || {
            for &n in &order {
                black_box(zset.tree().select(u64::from(n)));
            }
        });
        time("zset: iterate", count, || {
            black_box(zset.tree().iter().map(|(score, _)| score).sum::<f64>());
        });
        time("zset: update", count, || {
            members.iter().zip(scores).for_each(|(member, &score)| {
                zset.insert(member, score);
            });
        });
        time("zset: remove", count, || {
            members.iter().for_each(|member| assert!(zset.remove(member).is_some()));
        });
    }
    space("zset in order of rank", count, || {
        let mut zset = Zset::new(seed);
        time("zset: insert in order", count, || {
            members.iter().enumerate().for_each(|(n, member)| {
                zset.insert(member, n as f64);
            });
        });
        zset
    });
}

fn main() {
    let count = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1_000_000);
    let (seed, mut rng) = (HashSeed::new(1), Rng::new(1));
    dicts(count, seed, &mut rng);
    zsets(count, seed, &mut rng);
}
