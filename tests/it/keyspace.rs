//! The keyspace as a whole: a cut that is taken slice by slice while random commands change everything, compared with the
//! state at the instant it began. `RUSSET_CUT_ROUNDS` runs it for longer.

use std::collections::BTreeMap;

use russet::base::rng::Rng;
use russet::keyspace::{CutStep, DbIndex};
use russet::persistence::rdb::encode;
use russet::storage::EntryRef;

use crate::runner::{TestNode, encode as request, run};

/// Commands over all types; `{k}` is a key of the family of that letter, `{n}` a number, `{v}` a value, `{m}` a member.
const GRAMMAR: &[&str] = &[
    "SET s{k} {v}",
    "SET s{k} {n} PX {ttl}",
    "SETRANGE s{k} {n} {v}",
    "APPEND s{k} {v}",
    "APPEND s{k} {big}",
    "SET w{k} {huge}",
    "SETRANGE w{k} {n} {v}",
    "INCR n{k}",
    "GETDEL s{k}",
    "MSET s{k} {v} s{k} {v} s{k} {n}",
    "SETBIT b{k} {n} 1",
    "PFADD p{k} {m} {m}",
    "RPUSH l{k} {v} {v} {n} {big}",
    "LPUSH l{k} {v} {n}",
    "LPOP l{k} {small}",
    "LTRIM l{k} 1 -2",
    "LSET l{k} 0 {v}",
    "LINSERT l{k} AFTER {n} {v}",
    "LMOVE l{k} l{k} LEFT RIGHT",
    "SADD t{k} {m} {m} {n} {n}",
    "SADD t{k} {n} {n} {n}",
    "SREM t{k} {m} {n}",
    "SPOP t{k}",
    "SUNIONSTORE t{k} t{k} t{k}",
    "SMOVE t{k} t{k} {m}",
    "HSET h{k} {m} {v} {m} {n}",
    "HDEL h{k} {m}",
    "HINCRBY h{k} count {n}",
    "HPEXPIRE h{k} {ttl} FIELDS 2 {m} {m}",
    "ZADD z{k} {n} {m} {n} {m}",
    "ZINCRBY z{k} {n} {m}",
    "ZREM z{k} {m}",
    "ZPOPMIN z{k} {small}",
    "ZUNIONSTORE z{k} 2 z{k} z{k}",
    "XADD x{k} * {m} {v} {m} {n}",
    "XADD x{k} MAXLEN ~ {n} * f {v} g {big}",
    "XADD x{k} IDMP {m} {n} * f {v}",
    "XGROUP CREATE x{k} g 0",
    "XREADGROUP GROUP g c{small} COUNT {n} STREAMS x{k} >",
    "XREADGROUP GROUP g c{small} COUNT {n} STREAMS x{k} 0",
    "XAUTOCLAIM x{k} g c{small} 0 0 COUNT 10",
    "XAUTOCLAIM x{k} g c{small} 2 {ttl} JUSTID",
    "XTRIM x{k} MAXLEN {n} DELREF",
    "XSETID x{k} 9000000000000-1",
    "XGROUP DELCONSUMER x{k} g c{small}",
    "XGROUP DESTROY x{k} g",
    "COPY x{k} x{k} REPLACE",
    "DEL s{k} l{k} h{k} x{k}",
    "UNLINK z{k} t{k}",
    "RENAME s{k} s{k}",
    "COPY h{k} h{k} REPLACE",
    "MOVE l{k} {db}",
    "PEXPIRE l{k} {ttl}",
    "PERSIST s{k}",
    "GET s{k}",
    "SELECT {db}",
    "SELECT {db}",
];

const RARE: &[&str] = &["SWAPDB {db} {db}", "FLUSHDB", "FLUSHDB ASYNC", "FLUSHALL"];

fn generate(rng: &mut Rng, keys: u64) -> Vec<Vec<u8>> {
    let line = if rng.below(3000) == 0 {
        RARE[rng.below(RARE.len() as u64) as usize]
    } else {
        GRAMMAR[rng.below(GRAMMAR.len() as u64) as usize]
    };
    let mut words = Vec::new();
    for word in line.split(' ') {
        let Some((before, rest)) = word.split_once('{') else {
            words.push(word.as_bytes().to_vec());
            continue;
        };
        let content = match rest.trim_end_matches('}') {
            // Few keys are large, many small.
            "k" => if rng.below(3) == 0 { rng.below(3) } else { rng.below(keys) }.to_string(),
            "n" => rng.below(2000).to_string(),
            "small" => rng.below(4).to_string(),
            "db" => rng.below(3).to_string(),
            "ttl" => (1 + rng.below(60)).to_string(),
            "m" => format!("member:{}", rng.below(3000)),
            "v" => "v".repeat(rng.below(40) as usize),
            // The longest that lie in their entries, and some beyond.
            "huge" => "h".repeat(rng.below(17 << 10) as usize),
            "big" => "large".repeat(rng.below(400) as usize),
            other => panic!("an unknown kind {other}"),
        };
        words.push(format!("{before}{content}").into_bytes());
    }
    words
}

type State = BTreeMap<(u16, Vec<u8>), (Vec<u8>, Option<i64>)>;

/// Adds what an entry holds; the order of a set's or hash's elements is that of its structure.
fn note(state: &mut State, db: DbIndex, entry: EntryRef<'_>) {
    let old = state.insert((db.0, entry.key().to_vec()), (encode::dump(entry), entry.expire_at()));
    assert!(old.is_none(), "the key {:?} of database {} is shown twice", entry.key().escape_ascii().to_string(), db.0);
}

fn state_of(node: &mut TestNode) -> State {
    let mut state = State::new();
    for index in 0..node.node.server.keyspace.databases() {
        let db = DbIndex(index as u16);
        node.node.server.keyspace.db(db).for_each(|entry| note(&mut state, db, entry));
    }
    state
}

#[test]
fn a_cut_is_the_state_at_the_instant_it_began() {
    let rounds = std::env::var("RUSSET_CUT_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6u64);
    for round in 0..rounds {
        let mut rng = Rng::new(round);
        let small = [("hash-max-listpack-entries", "64"), ("set-max-intset-entries", "64"), ("save", "")];
        let mut node = TestNode::new(&small);
        let keys = 20 + rng.below(1500);
        let mut changed_meanwhile = 0;
        for _ in 0..4 {
            for _ in 0..3000 {
                node.send("a", &request(&generate(&mut rng, keys)));
            }
            let expected = state_of(&mut node);
            let size = node.node.server.keyspace.begin_cut();
            assert_eq!(size.keys(), expected.len());
            let (mut seen, mut steps) = (State::new(), CutStep::More);
            while steps == CutStep::More {
                for _ in 0..rng.below(120) {
                    node.send("a", &request(&generate(&mut rng, keys)));
                    changed_meanwhile += 1;
                    if rng.below(40) == 0 {
                        node.advance_ms(5);
                    }
                }
                steps = node.node.server.keyspace.cut_step();
                for piece in node.node.server.keyspace.take_cut_pieces() {
                    piece.iter().for_each(|(db, entry)| note(&mut seen, db, entry));
                }
            }
            assert!(seen == expected, "round {round}: the cut differs from the state when it began");
            assert!(!node.node.server.keyspace.is_cutting());
        }
        assert!(changed_meanwhile > 0);
    }
}

#[test]
fn a_discarded_cut_leaves_the_next_one_whole() {
    let mut node = TestNode::new(&[]);
    let mut rng = Rng::new(77);
    for _ in 0..5000 {
        node.send("a", &request(&generate(&mut rng, 900)));
    }
    for stop_after in [0, 1, 3] {
        node.node.server.keyspace.begin_cut();
        for _ in 0..stop_after {
            node.node.server.keyspace.cut_step();
        }
        node.node.server.keyspace.discard_cut();
        for _ in 0..200 {
            node.send("a", &request(&generate(&mut rng, 900)));
        }
        while node.node.server.keyspace.cut_step() == CutStep::More {}
        assert!(node.node.server.keyspace.take_cut_pieces().is_empty());
        let expected = state_of(&mut node);
        node.node.server.keyspace.begin_cut();
        while node.node.server.keyspace.cut_step() == CutStep::More {}
        let mut seen = State::new();
        for piece in node.node.server.keyspace.take_cut_pieces() {
            piece.iter().for_each(|(db, entry)| note(&mut seen, db, entry));
        }
        assert!(seen == expected, "after a cut discarded at step {stop_after}");
    }
}

#[test]
fn a_database_emptied_and_flushed_during_a_cut_gives_it_nothing_new() {
    let mut node = TestNode::new(&[]);
    assert_eq!(node.ask("SET old 1"), "OK");
    let expected = state_of(&mut node);
    node.node.server.keyspace.begin_cut();
    assert_eq!(node.ask("DEL old"), "(int) 1");
    assert_eq!(node.ask("FLUSHDB ASYNC"), "OK");
    assert_eq!(node.ask("SET new 2"), "OK");
    let mut seen = State::new();
    while node.node.server.keyspace.cut_step() == CutStep::More {}
    for piece in node.node.server.keyspace.take_cut_pieces() {
        piece.iter().for_each(|(db, entry)| note(&mut seen, db, entry));
    }
    assert!(seen == expected, "{:?} {:?}", seen, expected);
    assert_eq!(node.ask("GET new"), "2");
}

#[test]
fn a_key_that_is_due_in_a_pause_is_replaced() {
    let mut node = TestNode::new(&[("enable-debug-command", "yes")]);
    run(
        &mut node,
        "> DEBUG SET-ACTIVE-EXPIRE 0
         OK
         > MSETEX 6 s v a v l v h v z v t v PX 10
         (int) 1
         > SET from v
         OK
         ~ 20
         > MULTI
         OK
         > CLIENT PAUSE 1000 WRITE
         QUEUED
         > EXISTS s a l h z t
         QUEUED
         > SETRANGE s 0 new
         QUEUED
         > APPEND a new
         QUEUED
         > RPUSH l new
         QUEUED
         > HSET h new v
         QUEUED
         > ZADD z 1 new
         QUEUED
         > RENAMENX from t
         QUEUED
         > DBSIZE
         QUEUED
         > EXEC
         [OK (int) 0 (int) 3 (int) 3 (int) 1 (int) 1 (int) 1 (int) 1 (int) 6]
         > MGET s a t
         [new new v]
         > EXISTS l h z
         (int) 3
         ~ 2000
         > DEL s a l h z t
         (int) 6
         > DBSIZE
         (int) 0",
    );
}
