//! The same random commands go to our server and to a real one; every reply and the final state must agree.
//!
//! `RUSSET_TEST_ORACLE` names the real server's program (scripts/test sets it); `RUSSET_DIFF_COMMANDS` and
//! `RUSSET_DIFF_SEED` choose how many commands and which. A difference that is meant stands in `ALLOWED` with its reason.

mod commands;
mod lua;
mod scripts;
#[path = "../support/server.rs"]
mod server;
mod sessions;
mod users;
mod wire;

use commands::{Compare, Generator};
use russet::base::rng::Rng;
use server::Server;
use wire::{Conn, Reply};

/// A difference that is meant: which commands, when it is one (request, our reply, theirs), and why.
type Allowance = (&'static str, fn(&[Vec<u8>], &Reply, &Reply) -> bool, &'static str);

const ALLOWED: &[Allowance] = &[
    (
        "SORT",
        |_, got, wanted| [got, wanted].iter().any(|reply| reply.texts().iter().any(|text| text.contains('\0'))),
        "ALPHA compares whole strings; Redis's strcoll stops at a NUL byte",
    ),
    (
        "SORT",
        |_, got, _| got.show() == "-ERR One or more scores can't be converted into double",
        "Redis 8.2 reads a number up to a NUL byte, and more than a double holds as infinity; Redis 8.10 refuses both as we do",
    ),
    (
        "SORT",
        |argv, got, wanted| argv.iter().any(|arg| arg == b"nosort") && got.sorted(1) == wanted.sorted(1),
        "a set that was renamed to a list's key has no order of its own",
    ),
    (
        "OBJECT",
        |_, got, wanted| got.show() == "\"embstr\"" && wanted.show() == "\"raw\"",
        "embstr is what has up to 44 bytes, as up to Redis 7; from 8 on it depends on the key's length, and in 8.2 on its expiry",
    ),
    (
        "EXPIRETIME",
        |_, got, wanted| matches!((got, wanted), (Reply::Int(got), Reply::Int(wanted)) if got.abs_diff(*wanted) <= 1),
        "a relative expiry is counted from when each server saw the command",
    ),
    (
        "OBJECT",
        |_, got, wanted| got.show() == "\"listpack\"" && wanted.show() == "\"skiplist\"",
        "ZDIFFSTORE packs a result that fits, also when a member that was taken away would not have",
    ),
];

/// Earlier commands shown with a difference: those that named the same key.
const HISTORY: usize = 12;

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
    let ours = Server::start(env!("CARGO_BIN_EXE_russet"), &[]);
    let theirs = Server::start(&oracle_program(), &[]);
    let (mut us, mut them) = (Conn::new(ours.connect()), Conn::new(theirs.connect()));
    let mut generator = Generator::new(Rng::new(seed), &mut them);
    let (mut differences, mut history) = (Vec::new(), Vec::new());
    let mut done = 0;
    while done < total && differences.len() < 20 {
        let batch: Vec<_> = (0..BATCH).map(|_| generator.next()).collect();
        let requests: Vec<_> = batch.iter().map(|(argv, _)| argv.clone()).collect();
        let (got, wanted) = (us.pipeline(&requests), them.pipeline(&requests));
        for (((argv, compare), got), wanted) in batch.iter().zip(&got).zip(&wanted) {
            if !is_same(*compare, got, wanted) && !is_allowed(argv, got, wanted) {
                differences.push(format!(
                    "command {done}: {}\n  ours:   {}\n  theirs: {}\n  after:{}",
                    wire::show_request(argv),
                    got.show(),
                    wanted.show(),
                    led_here(&history, argv)
                ));
            }
            done += 1;
            history.push(argv.clone());
        }
    }
    assert!(differences.is_empty(), "seed {seed}, after {done} commands:\n{}", differences.join("\n"));
    compare_state(&mut us, &mut them, seed);
    println!("{done} commands answered alike (seed {seed})");
}

/// The last commands that named the key of `argv`.
fn led_here(history: &[Vec<Vec<u8>>], argv: &[Vec<u8>]) -> String {
    let Some(key) = argv.last().filter(|_| argv[0] == b"OBJECT").or(argv.get(1)) else { return String::new() };
    let named = history.iter().rev().filter(|earlier| earlier[1..].contains(key)).take(HISTORY);
    let mut lines: Vec<String> = named.map(|earlier| format!("\n    {}", wire::show_request(earlier))).collect();
    lines.reverse();
    lines.concat()
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
    ALLOWED
        .iter()
        .any(|(word, is_meant, _)| argv[0].eq_ignore_ascii_case(word.as_bytes()) && is_meant(argv, got, wanted))
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
                "stream" => conn.ask(&["XRANGE", key, "-", "+"]),
                other => panic!("seed {seed}: {key} is a {other}"),
            };
            (kind, content)
        };
        assert_eq!(read(us), read(them), "seed {seed}: the key {key} differs");
        let expiry = |conn: &mut Conn| match conn.ask(&["PEXPIRETIME", key]) {
            Reply::Int(at) => at,
            other => panic!("seed {seed}: PEXPIRETIME {key} answers {}", other.show()),
        };
        // Relative expiries are counted from when each server saw the command.
        let (ours, theirs) = (expiry(us), expiry(them));
        assert!(ours.abs_diff(theirs) < 10_000, "seed {seed}: the key {key} expires at {ours}, not {theirs}");
    }
}
