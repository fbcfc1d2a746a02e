//! What SCAN, HSCAN, SSCAN and ZSCAN promise, over a socket: whatever comes and goes meanwhile, and however the table grows and
//! shrinks, every element that is there from the first call to the last is shown, and none that never was.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use russet::base::rng::Rng;

use crate::runner::encode;
use crate::server::Server;

struct Conn(BufReader<TcpStream>);

impl Conn {
    fn send(&mut self, requests: &[Vec<String>]) {
        let encoded =
            |words: &Vec<String>| encode(&words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
        let bytes: Vec<u8> = requests.iter().flat_map(encoded).collect();
        self.0.get_mut().write_all(&bytes).expect("the server reads");
    }

    /// The bulk strings and integers of one reply, in order.
    fn read(&mut self) -> Vec<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a reply");
        let (kind, rest) = line.trim_end().split_at(1);
        let number = || rest.parse::<usize>().expect("a number");
        match kind {
            "*" => (0..number()).flat_map(|_| self.read()).collect(),
            "$" => {
                let mut content = vec![0; number() + 2];
                self.0.read_exact(&mut content).expect("the whole reply");
                content.truncate(content.len() - 2);
                vec![String::from_utf8(content).expect("text")]
            }
            ":" | "+" => vec![rest.to_owned()],
            _ => panic!("{line}"),
        }
    }

    fn run(&mut self, requests: &[Vec<String>]) {
        for batch in requests.chunks(1000) {
            self.send(batch);
            batch.iter().for_each(|_| drop(self.read()));
        }
    }

    fn ask(&mut self, request: &str) -> Vec<String> {
        self.send(&[words(request)]);
        self.read()
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// What is scanned.
struct Kind {
    /// The request up to the cursor.
    scan: &'static str,
    add: fn(&str) -> String,
    remove: fn(&str) -> String,
    /// Words of the reply for one element.
    parts: usize,
}

const KINDS: [Kind; 4] = [
    Kind { scan: "SCAN", add: |name| format!("SET {name} v"), remove: |name| format!("DEL {name}"), parts: 1 },
    Kind { scan: "HSCAN h", add: |name| format!("HSET h {name} v"), remove: |name| format!("HDEL h {name}"), parts: 2 },
    Kind { scan: "SSCAN s", add: |name| format!("SADD s {name}"), remove: |name| format!("SREM s {name}"), parts: 1 },
    Kind {
        scan: "ZSCAN z",
        add: |name| format!("ZADD z {} {name}", name.len()),
        remove: |name| format!("ZREM z {name}"),
        parts: 2,
    },
];

/// How many other elements there are, from call to call of a scan.
type Tide = fn(step: usize, rng: &mut Rng) -> usize;

const TIDES: [(&str, Tide); 5] = [
    ("rising", |step, _| step * 80),
    ("falling", |step, _| 2400usize.saturating_sub(step * 80)),
    ("rising and falling", |step, _| if step % 20 < 10 { step % 20 * 250 } else { (20 - step % 20) * 250 }),
    ("coming and going at once", |step, _| step % 2 * 2500),
    ("anyhow", |_, rng| rng.below(2500) as usize),
];

#[test]
fn scans_show_all_that_stays_and_nothing_else() {
    let server = Server::start(env!("CARGO_BIN_EXE_russet"), &[]);
    let mut conn = Conn(BufReader::new(server.connect()));
    for (round, kind) in KINDS.iter().enumerate() {
        for (name, tide) in TIDES {
            for staying in [40, 700] {
                scan_once(&mut conn, kind, name, tide, staying, round as u64);
            }
        }
    }
}

fn scan_once(conn: &mut Conn, kind: &Kind, name: &str, tide: Tide, staying: usize, seed: u64) {
    let what = format!("{} with others {name}, {staying} staying", kind.scan);
    let mut rng = Rng::new(seed);
    conn.ask("FLUSHALL");
    let stays: BTreeSet<String> = (0..staying).map(|n| format!("stays:{n}")).collect();
    conn.run(&stays.iter().map(|stay| words(&(kind.add)(stay))).collect::<Vec<_>>());
    let (mut others, mut cursor, mut seen, mut steps) = (0, "0".to_owned(), BTreeSet::new(), 0);
    loop {
        // The others are numbered from zero on.
        let wanted = tide(steps, &mut rng);
        let changes: Vec<Vec<String>> = if wanted > others {
            (others..wanted).map(|n| words(&(kind.add)(&format!("other:{n}")))).collect()
        } else {
            (wanted..others).map(|n| words(&(kind.remove)(&format!("other:{n}")))).collect()
        };
        conn.run(&changes);
        others = wanted;
        let count = 1 + rng.below(if steps % 7 == 0 { 300 } else { 100 });
        let reply = conn.ask(&format!("{} {cursor} COUNT {count}", kind.scan));
        let (next, elements) = reply.split_first().expect("a cursor");
        for element in elements.iter().step_by(kind.parts) {
            let is_other = element.strip_prefix("other:").is_some_and(|n| n.parse::<usize>().is_ok_and(|n| n < others));
            assert!(is_other || stays.contains(element), "{what}: {element} is not there");
            seen.insert(element.clone());
        }
        cursor.clone_from(next);
        steps += 1;
        if cursor == "0" {
            break;
        }
        assert!(steps < 2000, "{what}: no end");
    }
    let missing: Vec<&String> = stays.difference(&seen).collect();
    assert!(missing.is_empty(), "{what}: {} of {staying} are missing, {:?}", missing.len(), missing.first());
}
