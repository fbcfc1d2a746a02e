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
    let mut node = TestNode::new(&[("enable-debug-command", "yes")]);
    assert_eq!(node.ask("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1"), "OK");
    for lengths in [
        &b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00"[..],
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x05\x81\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let payload = [b"\x00\xc3", lengths, b"\x04abcd", b"\x0b\x00", &[0; 8]].concat();
        let restore = ["RESTORE", "k", "0"].map(|word| word.as_bytes().to_vec());
        node.send("a", &encode(&[restore.to_vec(), vec![payload]].concat()));
        assert_eq!(node.read("a").as_deref(), Some("(error) ERR Bad data format"));
    }
}
