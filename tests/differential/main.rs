//! The same random commands go to our server and to a real one; every reply and the final state must agree.
//!
//! `RUSSET_TEST_ORACLE` names the real server's program (scripts/test sets it); `RUSSET_DIFF_COMMANDS` and
//! `RUSSET_DIFF_SEED` choose how many commands and which. A difference that is meant stands in `ALLOWED` with its reason.

mod commands;
#[path = "../support/server.rs"]
mod server;
mod wire;

use commands::{Compare, Generator};
use russet::base::rng::Rng;
use server::Server;
use wire::{Conn, Reply};

/// Differences that are meant: a word of the request, and why the replies differ.
const ALLOWED: &[(&str, &str)] = &[
    // Redis prints some doubles with more digits than needed to read them back; ours are always the shortest.
    ("ZINCRBY", "digits of doubles"),
];

const BATCH: usize = 100;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn oracle_program() -> String {
    std::env::var("RUSSET_TEST_ORACLE").unwrap_or_else(|_| "redis-server".to_owned())
}

#[test]
fn random_commands_are_answered_alike() {
    let seed = number("RUSSET_DIFF_SEED", 1);
    let total = number("RUSSET_DIFF_COMMANDS", 200_000);
    let ours = Server::start(env!("CARGO_BIN_EXE_russet"));
    let theirs = Server::start(&oracle_program());
    let (mut us, mut them) = (Conn::new(ours.connect()), Conn::new(theirs.connect()));
    let mut generator = Generator::new(Rng::new(seed), &mut them);
    let mut differences = Vec::new();
    let mut done = 0;
    while done < total && differences.len() < 20 {
        let batch: Vec<_> = (0..BATCH).map(|_| generator.next()).collect();
        let requests: Vec<_> = batch.iter().map(|(argv, _)| argv.clone()).collect();
        let (got, wanted) = (us.pipeline(&requests), them.pipeline(&requests));
        for (((argv, compare), got), wanted) in batch.iter().zip(&got).zip(&wanted) {
            if !is_same(*compare, got, wanted) && !is_allowed(argv, got, wanted) {
                differences.push(format!(
                    "command {done}: {}\n  ours:   {}\n  theirs: {}",
                    wire::show_request(argv),
                    got.show(),
                    wanted.show()
                ));
            }
            done += 1;
        }
    }
    assert!(differences.is_empty(), "seed {seed}, after {done} commands:\n{}", differences.join("\n"));
    compare_state(&mut us, &mut them, seed);
    println!("{done} commands answered alike (seed {seed})");
}

fn is_same(compare: Compare, got: &Reply, wanted: &Reply) -> bool {
    match compare {
        Compare::Exact => got == wanted,
        Compare::Unordered => got.sorted(1) == wanted.sorted(1),
        Compare::UnorderedPairs => got.sorted(2) == wanted.sorted(2),
        Compare::Shape => got.shape() == wanted.shape(),
    }
}

fn is_allowed(argv: &[Vec<u8>], got: &Reply, wanted: &Reply) -> bool {
    let known = |(word, _): &(&str, &str)| argv[0].eq_ignore_ascii_case(word.as_bytes());
    // The only meant difference so far is in digits: the numbers must be equal.
    ALLOWED.iter().any(|entry| known(entry)) && got.as_number().is_some() && got.as_number() == wanted.as_number()
}

/// Reads every key of both servers in full.
fn compare_state(us: &mut wire::Conn, them: &mut wire::Conn, seed: u64) {
    let mut keys = us.ask(&["KEYS", "*"]).texts();
    let mut their_keys = them.ask(&["KEYS", "*"]).texts();
    keys.sort();
    their_keys.sort();
    assert_eq!(keys, their_keys, "seed {seed}: the keys differ");
    for key in &keys {
        let read = |conn: &mut wire::Conn| {
            let kind = conn.ask(&["TYPE", key]).show();
            let content = match kind.trim_start_matches('+') {
                "string" => conn.ask(&["GET", key]),
                "list" => conn.ask(&["LRANGE", key, "0", "-1"]),
                "set" => conn.ask(&["SMEMBERS", key]).sorted(1),
                "zset" => conn.ask(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
                "hash" => conn.ask(&["HGETALL", key]).sorted(2),
                other => panic!("seed {seed}: {key} is a {other}"),
            };
            (kind, content, conn.ask(&["PEXPIRETIME", key]))
        };
        let (ours, theirs) = (read(us), read(them));
        assert_eq!(ours, theirs, "seed {seed}: the key {key} differs");
    }
}
