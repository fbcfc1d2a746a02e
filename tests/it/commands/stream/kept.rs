//! Streams that go through payloads, files and repeated commands come back as they were, with all that is told of them.

use russet::base::disk::MemoryDisk;

use crate::runner::{TestNode, encode, run};

const DEBUG: (&str, &str) = ("enable-debug-command", "yes");
const KEYS: [&str; 4] = ["s", "empty", "ids", "plain"];

/// A stream with gaps, groups of every kind and entries that were given back; one without entries, one that remembers
/// additions, one of many nodes.
fn fill(node: &mut TestNode) {
    let requests = [
        "XADD s 1-1 a 1 b two",
        "XADD s 2-1 a 2 b two",
        "XADD s 3-7 other \"\"",
        "XADD s 4-1 a -5 b 99999999999",
        "XADD s 5-1 a x b y",
        "XDEL s 2-1",
        "XGROUP CREATE s g 0",
        "XGROUP CREATE s 12 $ ENTRIESREAD 3",
        "XGROUP CREATE s \"\" 3-7",
        "XREADGROUP GROUP g one COUNT 2 STREAMS s >",
        "XADD s 6-1 a 1",
        "XREADGROUP GROUP g two STREAMS s >",
        "XGROUP CREATECONSUMER s g three",
        "XREADGROUP GROUP \"\" one STREAMS s >",
        "XCLAIM s g one 0 5-1 TIME 1700000000000 RETRYCOUNT 9",
        "XNACK s g FATAL IDS 1 4-1",
        "XNACK s g FAIL IDS 1 1-1",
        "XADD empty MAXLEN 0 7-7 a b",
        "XGROUP CREATE empty g $",
        "XADD ids IDMP p 1 * a 1",
        "XADD ids IDMP p second * a 1",
        "XADD ids IDMP q 1 * a 1",
        "XCFGSET plain IDMP-MAXSIZE 5",
    ];
    for request in requests {
        node.ask(request);
    }
    for n in 1..=250 {
        node.ask(&format!("XADD plain {n}-{n} item {n} value v{n}"));
    }
    node.ask("XTRIM plain MAXLEN 230");
    node.ask("XCFGSET plain IDMP-MAXSIZE 5 IDMP-DURATION 7");
}

fn told(node: &mut TestNode) -> Vec<String> {
    KEYS.iter().map(|key| node.ask(&format!("XINFO STREAM {key} FULL COUNT 0"))).collect()
}

/// What is told, without what commands cannot repeat: how many additions there were, of which nothing is left.
fn without_counts(told: Vec<String>) -> Vec<String> {
    let cut = |text: String| match (text.find("iids-added"), text.find(" entries ")) {
        (Some(from), Some(to)) => format!("{}{}", &text[..from], &text[to..]),
        _ => text,
    };
    told.into_iter().map(cut).collect()
}

#[test]
fn payloads_hold_all_of_a_stream() {
    let mut node = TestNode::new(&[DEBUG]);
    fill(&mut node);
    let before = told(&mut node);
    for key in KEYS {
        node.send("a", &encode(&[b"DUMP".to_vec(), key.as_bytes().to_vec()]));
        let payload = node.take_bulk("a");
        let restore = ["RESTORE", key, "0"].map(|word| word.as_bytes().to_vec());
        node.send("a", &encode(&[restore.to_vec(), vec![payload, b"REPLACE".to_vec()]].concat()));
        assert_eq!(node.read("a").as_deref(), Some("OK"), "{key}");
    }
    assert_eq!(told(&mut node), before);
    run(
        &mut node,
        "
        > COPY s copy
        (int) 1
        > DEL s
        (int) 1
        > RENAME copy s
        OK
        ",
    );
    assert_eq!(told(&mut node), before);
}

#[test]
fn files_hold_all_of_a_stream() {
    for dialect in ["redis", "valkey", "redis-7.0"] {
        let mut node = TestNode::new(&[DEBUG, ("rdb-dialect", dialect), ("save", "")]);
        fill(&mut node);
        if dialect == "redis" {
            let before = told(&mut node);
            assert_eq!(node.ask("DEBUG RELOAD"), "OK");
            assert_eq!(told(&mut node), before);
            continue;
        }
        // These dialects know no entries without an owner: a consumer without a name has them.
        let pending = node.ask("XPENDING s g - + 10");
        assert_eq!(node.ask("DEBUG RELOAD"), "OK");
        assert_eq!(node.ask("XPENDING s g - + 10").matches("\"\"").count(), 2, "{pending}");
        assert_eq!(node.ask("XPENDING s g"), "[(int) 5 1-1 6-1 [[\"\" 2] [one 2] [two 1]]]");
        assert!(node.ask("XINFO STREAM ids").contains("pids-tracked (int) 0"));
    }
}

#[test]
fn commands_repeat_all_of_a_stream() {
    let config = [DEBUG, ("appendonly", "yes"), ("aof-use-rdb-preamble", "no")];
    let mut node = TestNode::start_on(MemoryDisk::default(), &config);
    fill(&mut node);
    let before = told(&mut node);
    // Every consumer was seen when it was made; the commands that make it again are of the same instant.
    assert_eq!(node.ask("DEBUG LOADAOF"), "OK");
    assert_eq!(told(&mut node), before);
    assert_eq!(node.ask("BGREWRITEAOF"), "Background append only file rewriting started");
    node.settle();
    assert!(node.ask("INFO persistence").contains("aof_rewrite_in_progress:0"));
    assert_eq!(node.ask("DEBUG LOADAOF"), "OK");
    assert_eq!(without_counts(told(&mut node)), without_counts(before));
}

/// What Redis 5 wrote, and Redis 7.0: without some of what is counted since.
#[test]
fn payloads_of_old_versions_are_read() {
    const REDIS_5: &[u8] = b"\x0F\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x1d\x1d\x00\x00\x00\x0a\x00\
        \x01\x01\x00\x01\x01\x01\x81\x66\x02\x00\x01\x02\x01\x00\x01\x00\x01\x81\x76\x02\x04\x01\xff\x01\x01\x00\x01\x01\x67\x01\x00\
        \x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x3E\xF7\x83\x43\x7A\x01\x00\x00\x01\x01\x03\x63\x31\x31\
        \x3E\xF7\x83\x43\x7A\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x09\x00";
    let mut node = TestNode::new(&[]);
    let mut payload = REDIS_5.to_vec();
    payload.extend(russet::base::crc::crc64(0, REDIS_5).to_le_bytes());
    let restore = ["RESTORE", "s", "0"].map(|word| word.as_bytes().to_vec());
    node.send("a", &encode(&[restore.to_vec(), vec![payload]].concat()));
    assert_eq!(node.read("a").as_deref(), Some("OK"));
    run(
        &mut node,
        "
        > XRANGE s - +
        [[1-0 [f v]]]
        > XINFO GROUPS s
        [[name g consumers (int) 1 pending (int) 1 last-delivered-id 1-0 entries-read (int) 1 lag (int) 0]]
        > XINFO STREAM s FULL
        [length (int) 1 ... active-time (int) 1624630359870 pel-count (int) 1 pending [[1-0 (int) 1624630359870 (int) 1]]]]]]]
        ",
    );
}

/// Numbers of a payload are anyone's: at their bounds nothing overflows that counts with them.
#[test]
fn counts_and_times_of_a_payload_may_be_any() {
    let mut node = TestNode::new(&[("enable-debug-command", "yes")]);
    run(
        &mut node,
        "
        > DEBUG SET-SKIP-CHECKSUM-VALIDATION 1
        OK
        > XADD s IDMP p i * f v
        ...
        > XGROUP CREATE s g 0
        OK
        > XGROUP CREATECONSUMER s g c
        (int) 1
        ",
    );
    node.send("a", &encode(&[b"DUMP".to_vec(), b"s".to_vec()]));
    let payload = node.take_bulk("a");
    let seen = (node.now().unix_us / 1000).to_le_bytes();
    let at = payload.windows(8).position(|bytes| bytes == seen).expect("when the consumer was seen");
    // One addition, none repeated, and the footer.
    let (body, footer) = payload.split_at(payload.len() - 12);
    assert_eq!(footer[..2], [1, 0]);
    let most: &[u8] = &[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let payload = [&body[..at], &i64::MIN.to_le_bytes(), &body[at + 8..], most, most, &footer[2..]].concat();
    let restore = ["RESTORE", "t", "0"].map(|word| word.as_bytes().to_vec());
    node.send("a", &encode(&[restore.to_vec(), vec![payload]].concat()));
    assert_eq!(node.read("a").as_deref(), Some("OK"));
    run(
        &mut node,
        "
        > XINFO CONSUMERS t g
        [[name c pending (int) 0 idle (int) 9223372036854775807 inactive (int) -1]]
        > XADD t IDMP p j * f v
        ...
        > XADD t IDMP p j * f v
        ...
        > XLEN t
        (int) 2
        ",
    );
}
