use crate::runner::{TestNode, check, check3};

#[test]
fn set_takes_conditions_and_expiries() {
    check(
        r#"
        > SET k v
        OK
        > GET k
        v
        > SET k v NX
        (nil)
        > SET nokey v XX
        (nil)
        > SET k 5 XX GET
        v
        > SET k w EX 100
        OK
        > TTL k
        (int) 100
        > SET k w KEEPTTL
        OK
        > TTL k
        (int) 100
        > SET k w
        OK
        > TTL k
        (int) -1
        > SET k w PX 5000 NX
        (nil)
        > SET k w EXAT 99999999999
        OK
        > EXPIRETIME k
        (int) 99999999999
        > SET k w PXAT 99999999999999
        OK
        > PEXPIRETIME k
        (int) 99999999999999
        > SET k v PXAT 1
        OK
        > EXISTS k
        (int) 0
        > SET k v NX NX GET
        (nil)
        > SET k v EX 10 EX 20
        OK
        > SET k v KEEPTTL KEEPTTL
        OK
        > SET k v EX 10 PX 10
        (error) ERR syntax error
        > SET k v EX 10 KEEPTTL
        (error) ERR syntax error
        > SET k v NX XX
        (error) ERR syntax error
        > SET k v NX IFEQ v
        (error) ERR syntax error
        > SET k v EX
        (error) ERR syntax error
        > SET k v FOO
        (error) ERR syntax error
        > SET k v EX 0
        (error) ERR invalid expire time in 'set' command
        > SET k v PX -1
        (error) ERR invalid expire time in 'set' command
        > SET k v EX abc
        (error) ERR value is not an integer or out of range
        > SET k v EX 9223372036854775807
        (error) ERR invalid expire time in 'set' command
        > SET k v PX 9223372036854775807
        (error) ERR invalid expire time in 'set' command
        > SET k v EXAT 9223372036854775807
        (error) ERR invalid expire time in 'set' command
        > RPUSH l a
        (int) 1
        > SET l v NX GET
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SET l v GET
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SET l v EXAT 1
        OK
        > EXISTS l
        (int) 0
        > SETEX k 0 v
        (error) ERR invalid expire time in 'setex' command
        > SETEX k abc v
        (error) ERR value is not an integer or out of range
        > SETEX k 10 v
        OK
        > TTL k
        (int) 10
        > PSETEX k -5 v
        (error) ERR invalid expire time in 'psetex' command
        > PSETEX k 5000 v
        OK
        > SETNX k w
        (int) 0
        > SETNX k2 w
        (int) 1
        > GETSET k2 x
        w
        > GETSET k3 x
        (nil)
        > GETSET k3
        (error) ERR wrong number of arguments for 'getset' command
        > RPUSH l a
        (int) 1
        > GETSET l a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GET l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SETNX l a
        (int) 0
        "#,
    );
}

#[test]
fn set_compares_values_and_digests() {
    check(
        r#"
        > SET s hello
        OK
        !reference ends: conditions on values came with Redis 8.4
        > SET s x IFEQ foo
        (nil)
        > SET s x IFEQ hello GET
        hello
        > SET s y IFNE x
        (nil)
        > SET s y IFNE q GET
        x
        > DIGEST s
        272b57e6d7c0a9e5
        > SET s hello
        OK
        > DIGEST s
        9555e8555c62dcfd
        > DIGEST nokey
        (nil)
        > SET s y IFDEQ zz
        (error) ERR must be exactly 16 hexadecimal characters
        > SET s y IFDEQ 0000000000000000
        (nil)
        > SET s y IFDEQ 9555E8555C62DCFD
        OK
        > SET s z IFDNE 9555e8555c62dcfd
        OK
        > SET nokey4 v IFEQ x
        (nil)
        > SET nokey4 v IFNE x
        OK
        > SET nokey5 v IFDEQ x
        (nil)
        > SET nokey5 v IFDNE x
        OK
        > SET s v IFEQ z IFEQ z
        OK
        > RPUSH l a
        (int) 1
        > SET l v IFEQ a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SET l v IFNE a GET
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > DIGEST l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SET s hello
        OK
        > DELEX s IFEQ foo
        (int) 0
        > DELEX s IFDEQ abc
        (error) ERR must be exactly 16 hexadecimal characters
        > DELEX s IFNE hello
        (int) 0
        > DELEX s IFEQ
        (error) ERR wrong number of arguments for 'delex' command
        > DELEX s FOO a
        (error) ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE
        > DELEX s IFEQ a IFNE b
        (error) ERR wrong number of arguments for 'delex' command
        > DELEX s IFDEQ 9555e8555c62dcfd
        (int) 1
        > DELEX s
        (int) 0
        > DELEX l IFEQ a
        (error) ERR Key should be of string type if conditions are specified
        > DELEX l
        (int) 1
        > DELEX nokey IFDEQ zz
        (int) 0
        "#,
    );
}

#[test]
fn getex_and_getdel_change_the_key_they_read() {
    check(
        r#"
        > SETEX k 100 v
        OK
        > GETEX k
        v
        > TTL k
        (int) 100
        > GETEX k PERSIST
        v
        > TTL k
        (int) -1
        > GETEX k EX 50
        v
        > TTL k
        (int) 50
        > GETEX k PX 99000
        v
        > TTL k
        (int) 99
        > GETEX k EX 10 EX 20
        v
        > GETEX k PERSIST PERSIST
        v
        > GETEX k EX 0
        (error) ERR invalid expire time in 'getex' command
        > GETEX k EX abc
        (error) ERR value is not an integer or out of range
        > GETEX k PERSIST EX 10
        (error) ERR syntax error
        > GETEX k EX 10 PERSIST
        (error) ERR syntax error
        > GETEX k FOO
        (error) ERR syntax error
        > GETEX nokey EX 0
        (nil)
        > GETEX k EXAT 1
        v
        > EXISTS k
        (int) 0
        > GETDEL k
        (nil)
        > SET k 12
        OK
        > GETDEL k
        12
        > EXISTS k
        (int) 0
        > RPUSH l a
        (int) 1
        > GETEX l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GETDEL l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn many_keys_are_set_at_once() {
    check(
        r#"
        > MSET a 1 b 2
        OK
        > MSET a
        (error) ERR wrong number of arguments for 'mset' command
        > MSET a b c
        (error) ERR wrong number of arguments for 'mset' command
        > MSETNX a x c y
        (int) 0
        > MSETNX c x d y
        (int) 1
        > MSETNX c x d
        (error) ERR wrong number of arguments for 'msetnx' command
        > RPUSH l a
        (int) 1
        > MGET a b c d l nokey
        [1 2 x y (nil) (nil)]
        > MSET a b a c
        OK
        > GET a
        c
        > MSETEX 2 a 1 b 2 EX 100
        (int) 1
        > TTL b
        (int) 100
        > MSETEX 2 a b c d EX 10 NX
        (int) 0
        > MSETEX 2 a 1 nokey d XX
        (int) 0
        > MSETEX 2 a 3 b 4 KEEPTTL XX
        (int) 1
        > TTL a
        (int) 100
        > MSETEX 1 e f NX NX
        (int) 1
        > MSETEX 1 e f XX NX
        (error) ERR syntax error
        > MSETEX 1 e f GET
        (error) ERR syntax error
        > MSETEX 1 e f EX 10 EX 20
        (int) 1
        > MSETEX 2 a b c d EX 10 PX 10
        (error) ERR syntax error
        > MSETEX 0 a b
        (error) ERR invalid numkeys value
        > MSETEX x a b
        (error) ERR invalid numkeys value
        > MSETEX -1 a b
        (error) ERR invalid numkeys value
        > MSETEX 3 a b c d EX 10
        (int) 1
        > MSETEX 1 a
        (error) ERR wrong number of arguments for 'msetex' command
        > MSETEX 2 a b c d FOO
        (error) ERR syntax error
        > MSETEX 2 a b c d EX 0
        (error) ERR invalid expire time in 'msetex' command
        > MSETEX 2 a b c d EX abc
        (error) ERR value is not an integer or out of range
        > MSETEX 2 a b c d PXAT 1
        (int) 1
        > EXISTS a b
        (int) 1
        "#,
    );
}

#[test]
fn numbers_are_counted() {
    check(
        r#"
        > INCR n
        (int) 1
        > INCRBY n 10
        (int) 11
        > DECR n
        (int) 10
        > DECRBY n 20
        (int) -10
        > OBJECT ENCODING n
        int
        > SET n 9223372036854775807
        OK
        > INCR n
        (error) ERR increment or decrement would overflow
        > DECRBY n -1
        (error) ERR increment or decrement would overflow
        > DECRBY n -9223372036854775808
        (error) ERR decrement would overflow
        > INCRBY n abc
        (error) ERR value is not an integer or out of range
        > INCRBYFLOAT n 1
        9223372036854775808
        > SET n abc
        OK
        > INCR n
        (error) ERR value is not an integer or out of range
        > SET n " 10"
        OK
        > INCR n
        (error) ERR value is not an integer or out of range
        > INCRBYFLOAT n 1
        (error) ERR value is not a valid float
        > SET n 10.50
        OK
        > INCR n
        (error) ERR value is not an integer or out of range
        > INCRBYFLOAT n 0.1
        10.6
        > INCRBYFLOAT n -5e-1
        10.1
        > INCRBYFLOAT n abc
        (error) ERR value is not a valid float
        > INCRBYFLOAT n inf
        (error) ERR increment would produce NaN or Infinity
        > INCRBYFLOAT n nan
        (error) ERR value is not a valid float
        > INCRBYFLOAT new 3
        3
        > OBJECT ENCODING new
        embstr
        > INCRBYFLOAT new 0.1
        3.1
        > APPEND new 5
        (int) 4
        > OBJECT ENCODING new
        raw
        > RPUSH l a
        (int) 1
        > INCR l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > INCRBYFLOAT l 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SETEX t 100 5
        OK
        > INCR t
        (int) 6
        > INCRBYFLOAT t 0.5
        6.5
        > TTL t
        (int) 100
        "#,
    );
}

#[test]
fn increx_keeps_within_bounds() {
    check(
        r#"
        > INCREX k
        [(int) 1 (int) 1]
        > INCREX k BYINT 5
        [(int) 6 (int) 5]
        > INCREX k BYFLOAT 1.5
        [7.5 1.5]
        > INCREX k BYINT 5
        (error) ERR value is not an integer or out of range
        > SET k 10
        OK
        > INCREX k BYINT 5 UBOUND 12
        [(int) 10 (int) 0]
        > INCREX k BYINT 5 UBOUND 12 SATURATE
        [(int) 12 (int) 2]
        > INCREX k BYINT 5 UBOUND 5 SATURATE
        [(int) 5 (int) -7]
        > INCREX k BYINT -100 LBOUND 0 SATURATE EX 100
        [(int) 0 (int) -5]
        > TTL k
        (int) 100
        > INCREX k BYINT 1 EX 50 ENX
        [(int) 1 (int) 1]
        > TTL k
        (int) 100
        > INCREX k PERSIST
        [(int) 2 (int) 1]
        > TTL k
        (int) -1
        > INCREX k EX 50 ENX
        [(int) 3 (int) 1]
        > TTL k
        (int) 50
        > INCREX k BYINT 5 BYFLOAT 3
        (error) ERR syntax error
        > INCREX k 5
        (error) ERR syntax error
        > INCREX k ENX
        (error) ERR ENX flag requires an expiration
        > INCREX k PERSIST ENX
        (error) ERR syntax error
        > INCREX k PERSIST EX 10
        (error) ERR syntax error
        > INCREX k EX 10 EX 10
        (error) ERR syntax error
        > INCREX k SATURATE SATURATE
        (error) ERR syntax error
        > INCREX k EX 0
        (error) ERR invalid expire time in 'increx' command
        > INCREX k EX abc LBOUND 5 UBOUND 2
        (error) ERR LBOUND can't be greater than UBOUND
        > INCREX k BYINT abc EX abc
        (error) ERR Increment is not an integer or out of range
        > INCREX k BYFLOAT abc
        (error) ERR Increment is not a valid float
        > INCREX k LBOUND abc
        (error) ERR LBOUND is not an integer or out of range
        > INCREX k BYFLOAT 1 LBOUND abc
        (error) ERR LBOUND is not a valid float
        > INCREX k BYFLOAT 1 LBOUND 10 UBOUND 5
        (error) ERR LBOUND can't be greater than UBOUND
        > INCREX k BYFLOAT inf
        (error) ERR BYFLOAT increment cannot be Infinity
        > INCREX k EXAT 1
        [(int) 4 (int) 1]
        > EXISTS k
        (int) 0
        > SET k 9223372036854775807
        OK
        > INCREX k
        [(int) 9223372036854775807 (int) 0]
        > INCREX k SATURATE
        [(int) 9223372036854775807 (int) 0]
        > SET k -9223372036854775808
        OK
        > INCREX k SATURATE LBOUND 9223372036854775807
        (error) ERR applied increment would overflow
        > SET k 1.5
        OK
        > INCREX k BYFLOAT 0.1 UBOUND 1.55
        [1.5 0]
        > INCREX k BYFLOAT 0.1 UBOUND 1.55 SATURATE
        [1.55 0.05]
        > SET big 2147483647.999
        OK
        > INCREX big BYFLOAT -7.537
        [2147483640.46199999994132668 -7.53700000001117587]
        > INCREX nokey LBOUND 5
        [(int) 0 (int) 0]
        > EXISTS nokey
        (int) 0
        > INCREX nokey LBOUND 5 SATURATE
        [(int) 5 (int) 5]
        > RPUSH l a
        (int) 1
        > INCREX l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SET k abc
        OK
        > INCREX k
        (error) ERR value is not an integer or out of range
        > INCREX k BYFLOAT 1
        (error) ERR value is not a valid float
        "#,
    );
}

#[test]
fn increx_answers_doubles_in_resp3() {
    check3(
        r#"
        > INCREX k BYINT 5
        [(int) 5 (int) 5]
        > INCREX k BYFLOAT 1.5
        [(double) 6.5 (double) 1.5]
        > INCREX k BYFLOAT 1.5 UBOUND 7
        [(double) 6.5 (double) 0]
        "#,
    );
}

#[test]
fn parts_of_strings_are_read_and_written() {
    check(
        r#"
        > SET x ohmytext
        OK
        > GETRANGE x 0 3
        ohmy
        > SUBSTR x -3 -1
        ext
        > GETRANGE x 5 2
        ""
        > GETRANGE x -1 -3
        ""
        > GETRANGE x -100 100
        ohmytext
        > GETRANGE x 100 200
        ""
        > GETRANGE x -9223372036854775808 9223372036854775807
        ohmytext
        > GETRANGE nokey a 1
        (error) ERR value is not an integer or out of range
        > GETRANGE nokey 0 1
        ""
        > STRLEN x
        (int) 8
        > SET n -120
        OK
        > STRLEN n
        (int) 4
        > GETRANGE n 0 1
        -1
        > APPEND x !
        (int) 9
        > APPEND x ""
        (int) 9
        > APPEND q 55
        (int) 2
        > OBJECT ENCODING q
        int
        > APPEND q 6
        (int) 3
        > OBJECT ENCODING q
        raw
        > SETRANGE q 1 00
        (int) 3
        > GET q
        500
        > INCR q
        (int) 501
        > OBJECT ENCODING q
        int
        > SETRANGE p 5 a
        (int) 6
        > GET p
        "\x00\x00\x00\x00\x00a"
        > SETRANGE nk 0 ""
        (int) 0
        > EXISTS nk
        (int) 0
        > SETRANGE nk -1 a
        (error) ERR offset is out of range
        > SETRANGE nk abc aaaa
        (error) ERR value is not an integer or out of range
        > SETRANGE nk 536870912 a
        (error) ERR string exceeds maximum allowed size (proto-max-bulk-len)
        > SETRANGE nk 9223372036854775807 aaaa
        (error) ERR string exceeds maximum allowed size (proto-max-bulk-len)
        > SETRANGE nk 536870911 ""
        (int) 0
        > RPUSH l a
        (int) 1
        > SETRANGE l -1 a
        (error) ERR offset is out of range
        > SETRANGE l 0 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > APPEND l a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > STRLEN l
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GETRANGE l 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SUBSTR l 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn lcs_finds_what_two_strings_share() {
    check(
        r#"
        > MSET x ohmytext y mynewtext
        OK
        > LCS x y
        mytext
        > LCS x y LEN
        (int) 6
        > LCS x y IDX
        [matches [[[(int) 4 (int) 7] [(int) 5 (int) 8]] [[(int) 2 (int) 3] [(int) 0 (int) 1]]] len (int) 6]
        > LCS x y IDX MINMATCHLEN 4 WITHMATCHLEN
        [matches [[[(int) 4 (int) 7] [(int) 5 (int) 8] (int) 4]] len (int) 6]
        > LCS x y IDX MINMATCHLEN -5
        [matches [[[(int) 4 (int) 7] [(int) 5 (int) 8]] [[(int) 2 (int) 3] [(int) 0 (int) 1]]] len (int) 6]
        > LCS x nokey
        ""
        > LCS x nokey IDX
        [matches [] len (int) 0]
        > LCS x y IDX LEN
        (error) ERR If you want both the length and indexes, please just use IDX.
        > LCS x y MINMATCHLEN abc
        (error) ERR value is not an integer or out of range
        > LCS x y MINMATCHLEN
        (error) ERR syntax error
        > LCS x y FOO
        (error) ERR syntax error
        > RPUSH l a
        (int) 1
        > LCS x l FOO
        (error) ERR The specified keys must contain string values
        "#,
    );
}

#[test]
fn lcs_answers_a_map_in_resp3() {
    check3(
        r#"
        > MSET x ohmytext y mynewtext
        OK
        > LCS x y IDX WITHMATCHLEN
        {matches: [[[(int) 4 (int) 7] [(int) 5 (int) 8] (int) 4] [[(int) 2 (int) 3] [(int) 0 (int) 1] (int) 2]], len: (int) 6}
        "#,
    );
}

#[test]
fn a_long_string_that_grows_has_little_to_spare() {
    let mut node = TestNode::new(&[]);
    assert_eq!(node.ask("SETRANGE k 9999999 x"), "(int) 10000000");
    for grown in 1..=100 {
        assert_eq!(node.ask("APPEND k x"), format!("(int) {}", 10_000_000 + grown));
    }
    let usage = node.ask("MEMORY USAGE k");
    let bytes: usize = usage.trim_start_matches("(int) ").parse().expect("a number of bytes");
    assert!((10_000_100..13_000_000).contains(&bytes), "{bytes} bytes");
}
