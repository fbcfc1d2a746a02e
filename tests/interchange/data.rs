//! The data that travel: a hundred thousand keys of every type and encoding, always the same.

use redis::{Connection, Pipeline};
use russet::base::rng::Rng;

/// Expiries lie this far in the future.
const EXPIRE_AT: u64 = 4_000_000_000_000;
const STRINGS: u64 = 85_000;
const EXPIRING_EVERY: u64 = 7;
const FIELD_HASHES: u64 = 1000;
const EXPIRED: u64 = 500;
const STREAMS: u64 = 200;

/// Requests, a thousand to a pipeline.
#[derive(Default)]
pub struct Requests {
    full: Vec<Pipeline>,
    pipe: Pipeline,
    waiting: usize,
}

impl Requests {
    fn add(&mut self, words: &[&[u8]]) {
        self.pipe.cmd(std::str::from_utf8(words[0]).expect("a name")).arg(&words[1..]).ignore();
        self.waiting += 1;
        if self.waiting == 1000 {
            self.full.push(std::mem::take(&mut self.pipe));
            self.waiting = 0;
        }
    }

    fn say(&mut self, line: &str) {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.add(&words);
    }

    /// One command with a key and many arguments.
    fn elements(&mut self, name: &str, key: &str, elements: &[Vec<u8>]) {
        for part in elements.chunks(1000) {
            let mut words: Vec<&[u8]> = vec![name.as_bytes(), key.as_bytes()];
            words.extend(part.iter().map(Vec::as_slice));
            self.add(&words);
        }
    }

    fn send(&self, conn: &mut Connection) {
        self.send_half(conn, 0);
        self.send_half(conn, 1);
    }

    /// Sends the first half (0) or the second.
    pub fn send_half(&self, conn: &mut Connection, half: usize) {
        let (first, second) = self.full.split_at(self.full.len() / 2);
        let last = (half == 1 && self.waiting > 0).then_some(&self.pipe);
        for pipe in [first, second][half].iter().chain(last) {
            pipe.query::<()>(conn).expect("every request succeeds");
        }
    }
}

fn bytes(rng: &mut Rng, len: u64) -> Vec<u8> {
    (0..len).map(|_| rng.next_u64() as u8).collect()
}

/// A string of the n-th kind.
fn string(rng: &mut Rng, n: u64) -> Vec<u8> {
    let numbers = [0, -1, 127, -128, 128, 32_767, -32_769, 2_147_483_647, -2_147_483_649, i64::MAX, i64::MIN];
    match n % 10 {
        0 => numbers[(n / 10) as usize % numbers.len()].to_string().into_bytes(),
        1 => (rng.next_u64() as i64 >> rng.below(64)).to_string().into_bytes(),
        2 => Vec::new(),
        3 => format!("value:{n}").into_bytes(),
        4 => format!("0{n}").into_bytes(),
        5 => {
            let len = rng.below(45);
            bytes(rng, len)
        }
        6 => b"abc".repeat(5 + rng.below(40) as usize),
        7 => {
            let len = 40 + rng.below(200);
            bytes(rng, len)
        }
        8 => format!("{{\"id\":{n},\"name\":\"user {n}\",\"mail\":\"user{n}@example.com\"}}").into_bytes(),
        _ => format!("{}.5e10", n).into_bytes(),
    }
}

fn element(rng: &mut Rng, n: u64) -> Vec<u8> {
    match rng.below(4) {
        0 => (n as i64 - 100).to_string().into_bytes(),
        1 => (rng.next_u64() as i64 >> rng.below(60)).to_string().into_bytes(),
        2 => format!("element:{n}").into_bytes(),
        _ => {
            let len = rng.below(60);
            [bytes(rng, len), n.to_string().into_bytes()].concat()
        }
    }
}

/// Different elements.
fn elements(rng: &mut Rng, count: u64) -> Vec<Vec<u8>> {
    let all: std::collections::BTreeSet<Vec<u8>> = (0..count).map(|n| element(rng, n)).collect();
    all.into_iter().collect()
}

fn scored(rng: &mut Rng, members: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let scores =
        ["inf", "-inf", "0", "-0.0", "1.5", "3", "65536", "-2.5e-300", "0.30000000000000004", "9007199254740993"];
    let score = |rng: &mut Rng| match rng.below(2) {
        0 => scores[rng.below(scores.len() as u64) as usize].to_owned(),
        _ => format!("{}", rng.below(1_000_000) as f64 / 64.0),
    };
    members.into_iter().flat_map(|member| [score(rng).into_bytes(), member]).collect()
}

fn with_values(rng: &mut Rng, names: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    names.into_iter().flat_map(|name| [name, element(rng, 7)]).collect()
}

/// How many elements the n-th collection has: mostly few, some beyond every limit of the small encodings.
fn size(rng: &mut Rng, n: u64) -> u64 {
    match n {
        0..3 => 20_000,
        3..60 => 500 + rng.below(300),
        60..300 => 100 + rng.below(60),
        _ => 1 + rng.below(12),
    }
}

/// Everything whose content DEBUG DIGEST tells.
pub fn requests() -> Requests {
    let mut rng = Rng::new(20);
    let mut to = Requests::default();
    for n in 0..STRINGS {
        let (key, value) = (format!("string:{n}"), string(&mut rng, n));
        let mut words: Vec<&[u8]> = vec![b"SET", key.as_bytes(), &value];
        let at = (EXPIRE_AT + n).to_string();
        if n % EXPIRING_EVERY == 0 {
            words.extend([&b"PXAT"[..], at.as_bytes()]);
        }
        to.add(&words);
    }
    for n in 0..6u32 {
        to.add(&[b"SET", format!("long:{n}").as_bytes(), &bytes(&mut rng, 100_000)]);
        to.add(&[b"SET", format!("zeros:{n}").as_bytes(), &vec![b'0' + n as u8; 300_000]]);
        let longs: Vec<Vec<u8>> = (0..5).map(|n| bytes(&mut rng, 9000 * n)).collect();
        to.elements("RPUSH", &format!("list:long:{n}"), &longs);
        let bits = [n.to_string(), (n * 10_000).to_string(), (n * 13 + 7).to_string()];
        bits.iter().for_each(|bit| to.say(&format!("SETBIT bits:{n} {bit} 1")));
        let counted = elements(&mut rng, 40 << (2 * n));
        to.elements("PFADD", &format!("hll:{n}"), &counted);
    }
    for n in 0..3000 {
        if n % 1000 == 500 {
            to.say(&format!("SELECT {}", n / 180));
        }
        let count = size(&mut rng, n);
        let list: Vec<Vec<u8>> = (0..count).map(|n| element(&mut rng, n)).collect();
        to.elements("RPUSH", &format!("list:{n}"), &list);
        let members = elements(&mut rng, count);
        to.elements("SADD", &format!("set:{n}"), &members);
        let shift = rng.below(50);
        let numbers: Vec<Vec<u8>> = (0..count).map(|n| ((n as i64 - 5) << shift).to_string().into_bytes()).collect();
        to.elements("SADD", &format!("numbers:{n}"), &numbers);
        let names = elements(&mut rng, count);
        let pairs = with_values(&mut rng, names);
        to.elements("HSET", &format!("hash:{n}"), &pairs);
        let members = elements(&mut rng, count);
        let scored = scored(&mut rng, members);
        to.elements("ZADD", &format!("zset:{n}"), &scored);
    }
    streams(&mut rng, &mut to);
    to.say("SELECT 0");
    to.say("HSET one-long-field f v");
    to.add(&[b"HSET", b"one-long-field", b"long", &bytes(&mut rng, 5000)]);
    to.say("SET idle v");
    to
}

/// Streams of few and many entries, some with groups. DEBUG DIGEST tells their entries; `check_groups` looks at the rest.
fn streams(rng: &mut Rng, to: &mut Requests) {
    to.say("SELECT 0");
    for n in 0..STREAMS {
        let key = format!("stream:{n}");
        let count = if n == 0 { 5000 } else { 1 + rng.below(150) };
        for entry in 1..=count {
            let id = format!("{}-{}", entry * 1000, rng.below(4));
            let (first, second) = (element(rng, entry), element(rng, entry));
            let names: [&[u8]; 2] = if rng.below(10) == 0 { [b"other", b"17"] } else { [b"item", b"value"] };
            to.add(&[b"XADD", key.as_bytes(), id.as_bytes(), names[0], &first, names[1], &second]);
        }
        if n % 3 == 0 {
            to.say(&format!("XTRIM {key} MINID 2000"));
            to.say(&format!("XDEL {key} 3000-0 4000-1 5000-2"));
        }
        if n % 4 == 0 {
            to.say(&format!("XGROUP CREATE {key} readers 0"));
            to.say(&format!("XGROUP CREATE {key} 12 $"));
            to.say(&format!("XREADGROUP GROUP readers one COUNT 20 STREAMS {key} >"));
            to.say(&format!("XREADGROUP GROUP readers two COUNT 3 STREAMS {key} >"));
            to.say(&format!("XGROUP CREATECONSUMER {key} readers three"));
        }
    }
    to.say("XADD stream:empty MAXLEN 0 7-7 a b");
}

/// What is told of the groups of streams, without what depends on when it was.
pub fn groups(conn: &mut Connection) -> Result<Vec<String>, String> {
    let mut told = Vec::new();
    for n in (0..STREAMS).step_by(4) {
        let key = format!("stream:{n}");
        let mut ask = |words: &[&str]| {
            let mut command = redis::cmd(words[0]);
            command.arg(&words[1..]);
            command.query::<redis::Value>(conn).map_err(|error| error.to_string())
        };
        told.push(format!("{:?}", ask(&["XINFO", "GROUPS", &key])?));
        told.push(format!("{:?}", ask(&["XPENDING", &key, "readers"])?));
    }
    Ok(told)
}

/// Sends these and makes a key whose last access was a while ago.
pub fn fill(conn: &mut Connection, requests: &Requests) {
    requests.send(conn);
    // Only RESTORE can say so.
    let payload: Vec<u8> = redis::cmd("DUMP").arg("idle").query(conn).expect("DUMP");
    let restore =
        redis::cmd("RESTORE").arg("idle").arg(0).arg(payload).arg("REPLACE").arg("IDLETIME").arg(5000).clone();
    restore.query::<()>(conn).expect("RESTORE");
}

/// When the n-th field of a hash expires, if it does.
fn field_expiry(hash: u64, field: u64) -> Option<u64> {
    (field % 3 != 1).then_some(EXPIRE_AT + hash * 1000 + (field * 7919) % 1000)
}

fn field_count(hash: u64) -> u64 {
    if hash == 0 { 3000 } else { 1 + hash % 9 }
}

/// Hashes some of whose fields expire; one of them is large.
pub fn fill_field_ttls(conn: &mut Connection) {
    let mut to = Requests::default();
    for hash in 0..FIELD_HASHES {
        for field in 0..field_count(hash) {
            to.say(&format!("HSET fields:{hash} f{field} {}", field * 3));
            if let Some(at) = field_expiry(hash, field) {
                to.say(&format!("HPEXPIREAT fields:{hash} {at} FIELDS 1 f{field}"));
            }
        }
    }
    to.send(conn);
}

/// Keys whose time comes before they are saved.
pub fn fill_expired(conn: &mut Connection) {
    let mut to = Requests::default();
    (0..EXPIRED).for_each(|n| to.say(&format!("SET due:{n} v PX 1")));
    to.send(conn);
    let last = format!("due:{}", EXPIRED - 1);
    while redis::cmd("EXISTS").arg(&last).query::<i64>(conn).expect("EXISTS") == 1 {
        std::thread::yield_now();
    }
}

/// How many of those are there, by a count of all keys of database 0 that begin so.
pub fn count_expired(conn: &mut Connection) -> usize {
    let (mut cursor, mut found) = (0u64, 0);
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg("due:*").arg("COUNT").arg(10_000);
        let (next, keys): (u64, Vec<String>) = scan.query(conn).expect("SCAN");
        (cursor, found) = (next, found + keys.len());
        if cursor == 0 {
            return found;
        }
    }
}

/// In place of all data: keys with a known frequency.
pub fn fill_frequencies(conn: &mut Connection) {
    redis::cmd("FLUSHALL").query::<()>(conn).expect("FLUSHALL");
    let policy = redis::cmd("CONFIG").arg(&["SET", "maxmemory-policy", "allkeys-lfu"]).clone();
    policy.query::<()>(conn).expect("CONFIG SET");
    redis::cmd("SET").arg("k").arg("v").query::<()>(conn).expect("SET");
    let payload: Vec<u8> = redis::cmd("DUMP").arg("k").query(conn).expect("DUMP");
    for frequency in [1, 77, 200] {
        let mut restore = redis::cmd("RESTORE");
        restore.arg(format!("freq:{frequency}")).arg(0).arg(&payload).arg("FREQ").arg(frequency);
        restore.query::<()>(conn).expect("RESTORE");
    }
}

pub fn check_frequencies(conn: &mut Connection) -> Result<(), String> {
    for wanted in [1, 77, 200] {
        let got = redis::cmd("OBJECT").arg("FREQ").arg(format!("freq:{wanted}")).query::<i64>(conn);
        // It decays by one a minute.
        if !got.as_ref().is_ok_and(|&got| (wanted - 1..=wanted).contains(&got)) {
            return Err(format!("a frequency of {wanted} became {got:?}"));
        }
    }
    Ok(())
}

pub fn check_idle(conn: &mut Connection) -> Result<(), String> {
    match redis::cmd("OBJECT").arg("IDLETIME").arg("idle").query::<i64>(conn) {
        Ok(5000..5600) => Ok(()),
        other => Err(format!("an idle time of 5000 became {other:?}")),
    }
}

pub fn check_expiries(conn: &mut Connection) -> Result<(), String> {
    let numbers: Vec<u64> = (0..STRINGS).step_by(EXPIRING_EVERY as usize).collect();
    for part in numbers.chunks(1000) {
        let mut pipe = Pipeline::new();
        for n in part {
            pipe.cmd("PEXPIRETIME").arg(format!("string:{n}"));
        }
        let got: Vec<u64> = pipe.query(conn).map_err(|error| error.to_string())?;
        if let Some((n, got)) = part.iter().zip(got).find(|(n, got)| EXPIRE_AT + **n != *got) {
            return Err(format!("string:{n} expires at {got}"));
        }
    }
    Ok(())
}

/// Compares hashes whose fields expire, and removes them: DEBUG DIGEST is of the rest.
pub fn check_field_ttls(conn: &mut Connection, kept: bool) -> Result<(), String> {
    for hash in 0..FIELD_HASHES {
        let key = format!("fields:{hash}");
        let fields: Vec<String> = (0..field_count(hash)).map(|field| format!("f{field}")).collect();
        let values: Vec<Option<u64>> =
            redis::cmd("HMGET").arg(&key).arg(&fields).query(conn).map_err(|e| e.to_string())?;
        let wanted: Vec<Option<u64>> = (0..field_count(hash)).map(|field| Some(field * 3)).collect();
        if values != wanted {
            return Err(format!("the values of {key} are {values:?}"));
        }
        let mut ask = redis::cmd("HPEXPIRETIME");
        ask.arg(&key).arg("FIELDS").arg(fields.len()).arg(&fields);
        if let Ok(expiries) = ask.query::<Vec<i64>>(conn) {
            let at = |field| field_expiry(hash, field).filter(|_| kept).map_or(-1, |at| at as i64);
            if !expiries.iter().copied().eq((0..field_count(hash)).map(at)) {
                return Err(format!("the fields of {key} expire at {expiries:?}"));
            }
        } else if kept {
            return Err("no HPEXPIRETIME".to_owned());
        }
        redis::cmd("DEL").arg(&key).query::<()>(conn).map_err(|error| error.to_string())?;
    }
    Ok(())
}
