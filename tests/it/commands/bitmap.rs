use crate::runner::check;

#[test]
fn single_bits() {
    check(
        r#"
        > SETBIT b 7 1
        (int) 0
        > SETBIT b 7 1
        (int) 1
        > GET b
        "\x01"
        > GETBIT b 7
        (int) 1
        > GETBIT b 100
        (int) 0
        > GETBIT nokey 0
        (int) 0
        > SETBIT b -1 1
        (error) ERR bit offset is not an integer or out of range
        > SETBIT b 4294967296 1
        (error) ERR bit offset is not an integer or out of range
        > SETBIT b 0 2
        (error) ERR bit is not an integer or out of range
        > SET n 12
        OK
        > SETBIT n 6 1
        (int) 0
        > GET n
        32
        "#,
    );
}

#[test]
fn counting_and_finding() {
    check(
        r#"
        > SET s foobar
        OK
        > BITCOUNT s
        (int) 26
        > BITCOUNT s 1 1
        (int) 6
        > BITCOUNT s 5 30 BIT
        (int) 17
        > BITCOUNT s 0
        (error) ERR syntax error
        > BITCOUNT nokey
        (int) 0
        > SET p "\xff\xf0\x00"
        OK
        > BITPOS p 0
        (int) 12
        > BITPOS p 1 2
        (int) -1
        > BITPOS p 0 0 0
        (int) -1
        > SET ones "\xff\xff"
        OK
        > BITPOS ones 0
        (int) 16
        > BITPOS ones 0 0 -1
        (int) -1
        > BITPOS nokey 1
        (int) -1
        > BITPOS nokey 0
        (int) 0
        > BITPOS p 2
        (error) ERR The bit argument must be 1 or 0.
        "#,
    );
}

#[test]
fn combining() {
    check(
        r#"
        > SET a "\xf0\x0f"
        OK
        > SET b "\xff"
        OK
        > BITOP AND d a b
        (int) 2
        > GET d
        "\xf0\x00"
        > BITOP XOR d a b
        (int) 2
        > GET d
        "\x0f\x0f"
        > BITOP NOT d a
        (int) 2
        > GET d
        "\x0f\xf0"
        > BITOP DIFF d b a
        (int) 2
        > GET d
        "\x0f\x00"
        > BITOP ONE d a b b
        (int) 2
        > GET d
        "\x00\x0f"
        > BITOP NOT d a b
        (error) ERR BITOP NOT must be called with a single source key.
        > BITOP OR d nokey
        (int) 0
        > GET d
        (nil)
        "#,
    );
}

#[test]
fn fields() {
    check(
        r#"
        > BITFIELD f SET i8 0 100 GET i8 0
        [(int) 0 (int) 100]
        > BITFIELD f INCRBY i8 0 100
        [(int) -56]
        > BITFIELD f OVERFLOW SAT INCRBY u8 #1 300
        [(int) 255]
        > BITFIELD f OVERFLOW FAIL INCRBY u8 #1 1
        [(nil)]
        > BITFIELD_RO f GET u4 0
        [(int) 12]
        > BITFIELD_RO f SET u4 0 1
        (error) ERR BITFIELD_RO only supports the GET subcommand
        > BITFIELD f GET u64 0
        (error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.
        > BITFIELD f
        []
        "#,
    );
}

#[test]
fn a_new_string_takes_no_more_than_its_length() {
    let mut node = crate::runner::TestNode::new(&[]);
    for (key, request) in [("a", "SETRANGE a 100000 x"), ("b", "SETBIT b 800007 1")] {
        node.ask(request);
        let told = node.ask(&format!("MEMORY USAGE {key}"));
        let bytes: usize = told.trim_start_matches("(int) ").parse().expect("bytes");
        assert!((100_001..120_000).contains(&bytes), "{request}: {bytes}");
    }
}
