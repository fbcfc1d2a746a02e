//! Instructions per request, counted by valgrind's callgrind, against the bounds of `instructions.tsv`.
//!
//! `cargo test --bench instructions` counts the development build, `cargo bench --bench instructions` the release build, and
//! both fail above a bound. With `RUSSET_REWRITE=1` the bounds of that build become what was counted and 5 %.
//!
//! The program runs itself under callgrind twice for each case, with one and with two rounds of work: the difference is
//! free of what starting up costs. Requests are bytes handed to a node without sockets; replies are taken as the reactor
//! takes them. The allocator is the server's own (jemalloc), whose instructions count like any other, but for its tidying
//! by the clock: with that turned off a count is the same each time.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use russet::node::{NewConnection, Node};
use russet::resp::Proto;
use russet::resp::output::Output;
use russet::resp::parser::{Parser, RequestLimits, Status};
use russet::resp::reply::Reply;

#[path = "../tests/support/node.rs"]
mod node;

/// Operations of one round.
const ROUND: usize = 2048;
/// Requests that arrive together.
const PIPELINE: usize = 16;
/// Keys, and members of the sorted set.
const KEYS: usize = 512;
/// Lists, so that each one stays a listpack.
const LISTS: usize = 128;

struct Case {
    name: &'static str,
    run: fn(rounds: usize),
}

const CASES: &[Case] = &[
    Case { name: "get", run: |rounds| serve(rounds, PIPELINE, |n| request(&["GET", &key(n)])) },
    Case { name: "get-alone", run: |rounds| serve(rounds, 1, |n| request(&["GET", &key(n)])) },
    Case { name: "set", run: |rounds| serve(rounds, PIPELINE, set) },
    Case {
        name: "hset",
        run: |rounds| serve(rounds, PIPELINE, |n| request(&["HSET", &hash(n), "field:3", &value(n)])),
    },
    Case { name: "zadd", run: |rounds| serve(rounds, PIPELINE, zadd) },
    Case { name: "lpush", run: |rounds| serve(rounds, PIPELINE, |n| request(&["LPUSH", &list(n), &value(n)])) },
    Case { name: "incr", run: |rounds| serve(rounds, PIPELINE, |n| request(&["INCR", &counter(n)])) },
    Case {
        name: "xadd",
        run: |rounds| serve(rounds, PIPELINE, |n| request(&["XADD", "stream", "*", "item", &value(n)])),
    },
    Case { name: "parse-set", run: parse },
    Case { name: "reply", run: reply },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, rounds] = arguments.as_slice()
        && flag == "--run"
    {
        let case = CASES.iter().find(|case| case.name == name).expect("a case");
        (case.run)(rounds.parse().expect("a number of rounds"));
        return ExitCode::SUCCESS;
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        println!("instructions are counted on x86-64 Linux only: the bounds are of that machine");
        return ExitCode::SUCCESS;
    }
    // What follows the program's name chooses cases, as it chooses tests.
    let filters: Vec<&String> = arguments.iter().filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    check(&CASES.iter().map(|case| case.name).filter(|name| is_wanted(name)).collect::<Vec<_>>())
}

/// Counts the cases, shows them, and holds them against the bounds.
fn check(names: &[&'static str]) -> ExitCode {
    let counted = count_all(names);
    let mut bounds = Bounds::read();
    if std::env::var_os("RUSSET_REWRITE").is_some() {
        counted.into_iter().for_each(|(name, count)| bounds.set(name, count + count.div_ceil(20)));
        bounds.write();
        return ExitCode::SUCCESS;
    }
    let mut is_exceeded = false;
    for (name, count) in counted {
        let bound = bounds.of(name);
        let verdict = if count <= bound { "" } else { "  ABOVE THE BOUND" };
        is_exceeded |= count > bound;
        println!("{name:<12} {count:>8} instructions, at most {bound:>8}{verdict}");
    }
    if is_exceeded {
        println!("If the work is worth it, run again with RUSSET_REWRITE=1 and commit benches/instructions.tsv.");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Counts on as many processors as there are: callgrind's count does not depend on what else runs.
fn count_all(names: &[&'static str]) -> Vec<(&'static str, u64)> {
    let next = AtomicUsize::new(0);
    let counted = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let count = (callgrind(name, 2) - callgrind(name, 1)) / ROUND as u64;
                    counted.lock().expect("no other count failed").push((name, count));
                }
            });
        }
    });
    let mut counted = counted.into_inner().expect("no count failed");
    counted.sort_by_key(|(name, _)| names.iter().position(|known| known == name));
    counted
}

/// jemalloc without what it does when it finds that time has passed.
const MALLOC_CONF: &str = "tcache_gc_incr_bytes:1073741824,dirty_decay_ms:-1,muzzy_decay_ms:-1";

/// All instructions of this program while it runs one case.
fn callgrind(name: &str, rounds: usize) -> u64 {
    let program = std::env::current_exe().expect("the path of this program");
    let output = Command::new("valgrind")
        .env("_RJEM_MALLOC_CONF", MALLOC_CONF)
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["--run", name, &rounds.to_string()])
        .output()
        .unwrap_or_else(|error| panic!("valgrind counts the instructions and does not start: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} fails under valgrind:\n{text}");
    let collected = text.lines().find_map(|line| line.split_once("Collected :")).expect("what callgrind counted");
    collected.1.trim().parse().expect("a number")
}

/// The table of bounds: for each case that of the development and that of the release build.
struct Bounds {
    rows: BTreeMap<String, [u64; 2]>,
}

const HEAD: &str = "# Most instructions per operation: case, development build, release build (see instructions.rs).\n";
/// Which of the two this build is.
const BUILD: usize = if cfg!(debug_assertions) { 0 } else { 1 };

impl Bounds {
    fn path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.tsv")
    }

    fn read() -> Bounds {
        let text = std::fs::read_to_string(Bounds::path()).unwrap_or_default();
        let row = |line: &str| {
            let mut words = line.split('\t');
            let name = words.next()?.to_owned();
            Some((name, [words.next()?.parse().ok()?, words.next()?.parse().ok()?]))
        };
        Bounds { rows: text.lines().filter_map(row).collect() }
    }

    fn of(&self, name: &str) -> u64 {
        self.rows.get(name).map_or(0, |row| row[BUILD])
    }

    fn set(&mut self, name: &str, bound: u64) {
        self.rows.entry(name.to_owned()).or_default()[BUILD] = bound;
    }

    fn write(&self) {
        let rows = self.rows.iter().filter(|(name, _)| CASES.iter().any(|case| case.name == name.as_str()));
        let lines: String = rows.map(|(name, [dev, release])| format!("{name}\t{dev}\t{release}\n")).collect();
        std::fs::write(Bounds::path(), format!("{HEAD}{lines}")).expect("the table can be written");
    }
}

fn key(n: usize) -> String {
    format!("key:{:012}", n * 7 % KEYS)
}

fn hash(n: usize) -> String {
    format!("hash:{:011}", n * 7 % KEYS)
}

fn list(n: usize) -> String {
    format!("list:{:011}", n * 7 % LISTS)
}

fn counter(n: usize) -> String {
    format!("count:{:010}", n * 7 % KEYS)
}

fn value(n: usize) -> String {
    format!("value:{n:026}")
}

fn set(n: usize) -> Vec<u8> {
    request(&["SET", &key(n), &value(n)])
}

/// Gives each member another score than the round before.
fn zadd(n: usize) -> Vec<u8> {
    request(&["ZADD", "zset", &(n * 7919 % 9973).to_string(), &key(n)])
}

fn request(argv: &[&str]) -> Vec<u8> {
    let args = argv.iter().map(|arg| format!("${}\r\n{arg}\r\n", arg.len()));
    format!("*{}\r\n{}", argv.len(), args.collect::<String>()).into_bytes()
}

/// Rounds of requests through a node, so many in each turn.
fn serve(rounds: usize, pipeline: usize, request_of: fn(usize) -> Vec<u8>) {
    let (mut node, _) = node::new(&[]);
    let connection = NewConnection { is_loopback: true, ..NewConnection::default() };
    let (_, place) = node.accept(connection).expect("room for a client");
    for n in 0..KEYS {
        let fields: Vec<String> = (0..10).flat_map(|field| [format!("field:{field}"), value(field)]).collect();
        let key = hash(n);
        let hset: Vec<&str> = ["HSET", &key].into_iter().chain(fields.iter().map(String::as_str)).collect();
        let first = [set(n), request(&hset), zadd(n), request(&["SET", &counter(n), "1000"])];
        turn(&mut node, place, &first.concat());
    }
    let turns: Vec<Vec<u8>> = (0..2 * ROUND / pipeline)
        .map(|turn| (0..pipeline).flat_map(|at| request_of(turn * pipeline + at)).collect())
        .collect();
    turns[..rounds * ROUND / pipeline].iter().for_each(|bytes| turn(&mut node, place, bytes));
}

/// One turn of a node: bytes in, replies out.
fn turn(node: &mut Node, place: u32, bytes: &[u8]) {
    node.begin_turn(node.server.now);
    node.receive(place, bytes);
    node.end_turn();
    node.server.pending_writes.clear();
    let client = node.server.clients.at(place).expect("the client is still there");
    client.pending_write = false;
    let (slices, count) = client.out.slices::<64>(usize::MAX);
    let len: usize = black_box(&slices[..count]).iter().map(|slice| slice.len()).sum();
    assert!(len > 0, "no reply");
    client.out.advance(len);
}

/// Parses requests that came together; one operation is one SET.
fn parse(rounds: usize) {
    let bytes: Vec<u8> = (0..PIPELINE).flat_map(set).collect();
    let limits = RequestLimits { bulk_max: 512 << 20, authenticated: true };
    let mut parser = Parser::default();
    for _ in 0..rounds * ROUND / PIPELINE {
        let mut rest = black_box(bytes.as_slice());
        while !rest.is_empty() {
            let Ok(Status::Complete { consumed }) = parser.parse(rest, limits) else { panic!("a whole request") };
            rest = &rest[consumed..];
            black_box(&parser.args);
            parser.reset();
        }
    }
}

/// Writes replies: one operation is an array of a short string, a number and nothing.
fn reply(rounds: usize) {
    let mut out = Output::default();
    let value = value(1);
    for _ in 0..rounds * ROUND / PIPELINE {
        for n in 0..PIPELINE {
            let mut reply = Reply::new(&mut out, Proto::Resp2);
            reply.array(3);
            reply.bulk(black_box(value.as_bytes()));
            reply.int(black_box(1000 + n as i64));
            reply.null();
        }
        let len = out.len();
        out.advance(len);
    }
}
