use crate::runner::{TestNode, check, encode, run};

#[test]
fn what_dump_writes_restore_reads() {
    let mut node = TestNode::new(&[("enable-debug-command", "yes")]);
    run(
        &mut node,
        r#"
        > SET int 12345
        OK
        > SET text "some text that is long enough to be packed packed packed packed packed packed packed"
        OK
        > SADD numbers 1 2 3
        (int) 3
        > SADD names a b c
        (int) 3
        > HSET hash f1 v1 f2 2
        (int) 2
        > HSET ttls f1 v1 f2 2
        (int) 2
        > HPEXPIREAT ttls 4000000000000 FIELDS 1 f1
        [(int) 1]
        > ZADD zset 1 a 2.5 b -inf c
        (int) 3
        > CONFIG SET zset-max-listpack-entries 1 hash-max-listpack-entries 1 set-max-listpack-entries 1
        OK
        > ZADD bigzset 1 a 2.5 b -inf c
        (int) 3
        > HSET bighash f1 v1 f2 2
        (int) 2
        > HSET bigttls f1 v1 f2 2 f3 3
        (int) 3
        > HPEXPIREAT bigttls 4000000000000 FIELDS 1 f2
        [(int) 1]
        > SADD bigset a b c
        (int) 3
        "#,
    );
    for key in ["int", "text", "numbers", "names", "hash", "ttls", "zset", "bigzset", "bighash", "bigttls", "bigset"] {
        node.send("a", &encode(&[b"DUMP".to_vec(), key.as_bytes().to_vec()]));
        let payload = node.take_bulk("a");
        assert!(payload.len() > 10, "{key}");
        let restore = ["RESTORE", "copy", "0"].map(|word| word.as_bytes().to_vec());
        node.send("a", &encode(&[restore.to_vec(), vec![payload, b"REPLACE".to_vec()]].concat()));
        assert_eq!(node.read("a").as_deref(), Some("OK"), "{key}");
        let same = node.ask(&format!("DEBUG DIGEST-VALUE {key}")) == node.ask("DEBUG DIGEST-VALUE copy");
        assert!(same, "{key} came back another");
    }
}

#[test]
fn restore_refuses_what_is_wrong() {
    check(
        r#"
        > RESTORE k 0 abc
        (error) ERR DUMP payload version or checksum are wrong
        > RESTORE k -1 abc
        (error) ERR Invalid TTL value, must be >= 0
        > RESTORE k x abc
        (error) ERR value is not an integer or out of range
        > RESTORE k 0 abc IDLETIME -1
        (error) ERR Invalid IDLETIME value, must be >= 0
        > RESTORE k 0 abc FREQ 256
        (error) ERR Invalid FREQ value, must be >= 0 and <= 255
        > RESTORE k 0 abc IDLETIME 5 FREQ 3
        (error) ERR syntax error
        > SET k v
        OK
        > RESTORE k 0 abc
        (error) BUSYKEY Target key name already exists.
        > DUMP nokey
        (nil)
        "#,
    );
}

#[test]
fn restore_refuses_packed_strings_of_lengths_beyond_all_memory() {
    let mut node = lenient_node();
    for lengths in [
        &b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00"[..],
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x05\x81\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let body = [b"\x00\xc3", lengths, b"\x04abcd"].concat();
        assert_eq!(restore(&mut node, &body).as_deref(), Some("(error) ERR Bad data format"));
    }
}

/// A node that takes payloads with any checksum.
fn lenient_node() -> TestNode {
    let mut node = TestNode::new(&[("enable-debug-command", "yes")]);
    assert_eq!(node.ask("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1"), "OK");
    node
}

fn restore(node: &mut TestNode, body: &[u8]) -> Option<String> {
    let payload = [body, b"\x0b\x00", &[0; 8]].concat();
    let words = ["RESTORE", "k", "0"].map(|word| word.as_bytes().to_vec());
    node.send("a", &encode(&[words.to_vec(), vec![payload, b"REPLACE".to_vec()]].concat()));
    node.read("a")
}

#[test]
fn restore_refuses_fields_that_expire_when_no_field_can() {
    let mut node = lenient_node();
    let time = 2_000_000_000_000_i64;
    for (at, expected) in [
        (time, "OK"),
        ((1 << 48) - 1, "OK"),
        (1 << 48, "(error) ERR Bad data format"),
        (-1, "(error) ERR Bad data format"),
        (i64::MAX, "(error) ERR Bad data format"),
    ] {
        // A hash of one field: as a packed list, and as pairs whose expiry is told relative to the soonest one.
        let packed = [
            b"\x19",
            &time.to_le_bytes()[..],
            b"\x17\x17\0\0\0\x03\0\x81f\x02\x81v\x02\xf4",
            &at.to_le_bytes(),
            b"\x09\xff",
        ];
        assert_eq!(restore(&mut node, &packed.concat()).as_deref(), Some(expected), "{at}");
        let pairs = [b"\x18", &at.to_le_bytes()[..], b"\x01\x01\x01f\x01v"];
        assert_eq!(restore(&mut node, &pairs.concat()).as_deref(), Some(expected), "{at}");
    }
    let overflowing =
        [b"\x18", &time.to_le_bytes()[..], b"\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01f\x01v"].concat();
    assert_eq!(restore(&mut node, &overflowing).as_deref(), Some("(error) ERR Bad data format"));
}

#[test]
fn a_restored_group_has_not_read_more_than_was_added() {
    let mut node = lenient_node();
    // Valkey writes such a group after XGROUP CREATE with a large ENTRIESREAD.
    let group = [&b"\x01\x01g\0\0"[..], b"\x43\xe7", b"\0\0"].concat();
    let stream = [&b"\x13\0\0"[..], b"\x02\0", b"\0\0", b"\0\0", b"\x02", &group].concat();
    assert_eq!(restore(&mut node, &stream).as_deref(), Some("OK"));
    assert_eq!(
        node.ask("XINFO GROUPS k"),
        "[[name g consumers (int) 0 pending (int) 0 last-delivered-id 0-0 entries-read (int) 2 lag (int) 0]]"
    );
}

#[test]
fn restore_checks_payloads_for_everybody() {
    // Redis would take this set of numbers out of order from one whose payloads it does not look through.
    let damaged = b"\x0b\x0c\x02\0\0\0\x02\0\0\0\x05\0\x03\0";
    let mut node = lenient_node();
    for (directive, flag) in [("no", "skip-sanitize-payload"), ("clients", "skip-sanitize-payload")] {
        node.ask(&format!("CONFIG SET sanitize-dump-payload {directive}"));
        node.ask(&format!("ACL SETUSER default {flag}"));
        assert_eq!(restore(&mut node, damaged).as_deref(), Some("(error) ERR Bad data format"));
    }
}
