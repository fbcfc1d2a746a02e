//! What is no request, or pretends to be one: the answers of Redis, and the end of the connection where Redis ends it.

use crate::runner::{TestNode, check};

/// Sends bytes at once, then byte by byte to a fresh server: the same comes back. Returns it, with `closed` at its end if the
/// connection is.
fn answer(config: &[(&str, &str)], bytes: &[u8]) -> String {
    let whole = answer_to_parts(config, &[bytes]);
    if bytes.len() < 1000 {
        assert_eq!(answer_to_parts(config, &bytes.chunks(1).collect::<Vec<_>>()), whole);
    }
    whole
}

fn answer_to_parts(config: &[(&str, &str)], parts: &[&[u8]]) -> String {
    let mut node = TestNode::new(config);
    let mut answers = Vec::new();
    for part in parts {
        node.send("a", part);
        answers.extend(std::iter::from_fn(|| node.read("a")));
        if !node.is_connected("a") {
            answers.push("closed".to_owned());
            break;
        }
    }
    answers.join(", ")
}

fn refused(bytes: &[u8], reason: &str) {
    assert_eq!(answer(&[], bytes), format!("(error) ERR Protocol error: {reason}, closed"), "{}", bytes.escape_ascii());
}

#[test]
fn counts_and_lengths_that_cannot_be_are_refused() {
    for bytes in
        ["*2147483648\r\n", "*a\r\n", "* 1\r\n", "*+1\r\n$4\r\nPING\r\n", "*01\r\n$4\r\nPING\r\n", "*-0\r\n", "*\r\n"]
    {
        refused(bytes.as_bytes(), "invalid multibulk length");
    }
    for length in ["-1", "-2", "536870913", "9223372036854775808", "", "a", " 4", "04"] {
        refused(format!("*1\r\n${length}\r\nPING\r\n").as_bytes(), "invalid bulk length");
    }
    refused(b"*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$', got '*'");
    refused(b"*1\r\nPING\r\n", "expected '$', got 'P'");
    // A byte that is no character comes back as it is.
    let mut node = TestNode::new(&[]);
    node.send("a", b"*1\r\n\xff\r\n");
    assert_eq!(node.read_raw("a"), b"-ERR Protocol error: expected '$', got '\xff'\r\n");
    refused(&[b"*", [b'1'; 70_000].as_slice()].concat(), "too big mbulk count string");
    refused(&[b"*1\r\n$", [b'1'; 70_000].as_slice()].concat(), "too big bulk count string");
    refused(&[b"*1\r\n", [b'x'; 70_000].as_slice()].concat(), "too big bulk count string");
    refused(&[b'x'; 65_537], "too big inline request");
    refused(b"SET a \"b\r\n", "unbalanced quotes in request");
    refused(b"SET a 'b'c\r\n", "unbalanced quotes in request");
}

#[test]
fn what_may_still_become_a_request_waits() {
    for bytes in [
        "*2147483647\r\n",
        "*1048577\r\n$4\r\nPING\r\n",
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nab",
        "*1\r\n$536870912\r\nx",
    ] {
        assert_eq!(answer(&[], bytes.as_bytes()), "", "{bytes:?}");
    }
    assert_eq!(answer(&[], &[b'x'; 65_536]), "");
    // A line with a NUL in it never ends.
    for bytes in [
        &b"PING\0PONG\r\n"[..],
        b"\0\r\nPING\r\n",
        b"*1\0\r\n$4\r\nPING\r\n",
        b"*1\r\n\0\r\n",
        b"*1\r\n$4\0\r\nPING\r\n",
    ] {
        assert_eq!(answer(&[], bytes), "", "{}", bytes.escape_ascii());
    }
    refused(&[b"x\0".as_slice(), &[b'y'; 70_000]].concat(), "too big inline request");
}

#[test]
fn what_asks_for_nothing_is_skipped() {
    assert_eq!(answer(&[], b"\r\n\r\n\n   \r\n*0\r\n*-1\r\n*-2147483649\r\nPING\r\n"), "PONG");
    assert_eq!(answer(&[], &[[b'\n'; 60_000].as_slice(), b"PING\r\n"].concat()), "PONG");
    assert_eq!(answer(&[], b"*1\n$4\nPING\n"), "");
    assert_eq!(answer(&[], b"*1\rX$4\rXPING\rX"), "PONG");
}

#[test]
fn an_inline_request_may_be_long_if_it_comes_at_once() {
    let long = "x".repeat(200_000);
    assert_eq!(answer(&[], format!("ECHO {long}\r\nPING\r\n").as_bytes()), format!("{long}, PONG"));
}

#[test]
fn browsers_are_shown_the_door() {
    assert_eq!(answer(&[], b"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET k v\r\n"), "closed");
    assert_eq!(answer(&[], b"*1\r\n$5\r\nhost:\r\nPING\r\n"), "closed");
    assert_eq!(answer_to_parts(&[], &[b"GET / HTTP/1.1\r\nHost: x\r\n\r\nPING\r\n"]), "closed");
}

#[test]
fn strangers_may_ask_for_little() {
    let password = [("requirepass", "secret")];
    let error = |reason| format!("(error) ERR Protocol error: {reason}, closed");
    assert_eq!(answer(&password, b"*11\r\n"), error("unauthenticated multibulk length"));
    assert_eq!(answer(&password, b"*2\r\n$4\r\nAUTH\r\n$16385\r\n"), error("unauthenticated bulk length"));
    // Whoever has said who he is may ask for more at once.
    let pipeline = b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*12\r\n$3\r\nDEL\r\n".to_vec();
    let keys = b"$1\r\nk\r\n".repeat(11);
    assert_eq!(answer(&password, &[pipeline, keys].concat()), "OK, (int) 0");
}

#[test]
fn errors_repeat_bytes_as_they_were_sent() {
    let mut node = TestNode::new(&[]);
    node.send("a", b"*2\r\n$3\r\n\xff\xfeO\r\n$6\r\na\n\xe2\x82\xac\x01\r\n");
    assert_eq!(
        node.read_raw("a"),
        b"-ERR unknown command '\xff\xfeO', with args beginning with: 'a \xe2\x82\xac\x01' \r\n"
    );
    node.send("a", b"*3\r\n$3\r\nNO\0\r\n$3\r\na\0b\r\n$1\r\nc\r\n");
    assert_eq!(node.read_raw("a"), b"-ERR unknown command 'NO', with args beginning with: 'a' 'c' \r\n");
    node.send("a", b"*3\r\n$6\r\nOBJECT\r\n$2\r\n\xff\xfe\r\n$1\r\nx\r\n");
    assert_eq!(node.read_raw("a"), b"-ERR unknown subcommand '\xff\xfe'. Try OBJECT HELP.\r\n");
    node.send("a", b"*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$2\r\n\xffa\r\n$1\r\n1\r\n");
    assert_eq!(node.read_raw("a"), b"-ERR Unknown option or number of arguments for CONFIG SET - '\xffa'\r\n");
}

#[test]
fn unfinished_requests_are_bounded() {
    let mut node = TestNode::new(&[("client-query-buffer-limit", "1mb")]);
    node.send("a", b"*1000000\r\n");
    let mut sent = 0;
    while node.is_connected("a") {
        node.send(
            "a",
            &b"$100\r\n".iter().chain(&[b'x'; 100]).chain(b"\r\n").copied().collect::<Vec<u8>>().repeat(500),
        );
        sent += 500 * 108;
        assert!(sent < 1_200_000);
    }
    assert_eq!(node.ask("PING"), "PONG");
    assert_eq!(node.node.server.stats.client_query_buffer_limit_disconnections, 1);
}

#[test]
fn enormous_arguments_get_their_errors() {
    check(
        "> SET s hello
         OK
         > RPUSH l a b c
         (int) 3
         > SADD st a b c
         (int) 3
         > ZADD z 1 a 2 b
         (int) 2
         > HSET h f1 v1 f2 v2
         (int) 2
         > SETRANGE s 9223372036854775807 x
         (error) ERR string exceeds maximum allowed size (proto-max-bulk-len)
         > SETRANGE s 536870912 x
         (error) ERR string exceeds maximum allowed size (proto-max-bulk-len)
         > SETBIT s 4294967296 1
         (error) ERR bit offset is not an integer or out of range
         > BITFIELD s GET u8 #9223372036854775807
         (error) ERR bit offset is not an integer or out of range
         > LREM l -9223372036854775808 a
         (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
         > LPOS l a RANK -9223372036854775808
         (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
         > LRANGE l -9223372036854775808 9223372036854775807
         [a b c]
         > LMPOP 9223372036854775807 l LEFT
         (error) ERR syntax error
         > SRANDMEMBER st -9223372036854775808
         (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
         > HRANDFIELD h -9223372036854775807 WITHVALUES
         (error) ERR value is out of range
         > ZRANDMEMBER z 9223372036854775807 WITHSCORES
         (error) ERR value is out of range
         > ZUNIONSTORE d 9223372036854775807 z
         (error) ERR syntax error
         > ZUNION 2147483648 z
         (error) ERR syntax error
         > SINTERCARD 9223372036854775807 st
         (error) ERR Number of keys can't be greater than number of args
         > HTTL h FIELDS 9223372036854775807 f1
         (error) ERR The `numfields` parameter must match the number of arguments
         > HEXPIRE h 1 FIELDS 9223372036854775807 f1
         !reference differs: 8.2 says what it says of HTTL, 8.10 this
         (error) ERR Parameter `numFields` should be greater than 0
         > SORT l LIMIT -9223372036854775808 9223372036854775807 ALPHA
         [a b c]
         > SCAN 18446744073709551616
         (error) ERR invalid cursor
         > SELECT 9223372036854775807
         (error) ERR value is out of range, value must between -2147483648 and 2147483647
         > MOVE s 2147483648
         (error) ERR value is out of range, value must between -2147483648 and 2147483647
         > COPY s d DB -2147483649
         (error) ERR value is out of range, value must between -2147483648 and 2147483647
         > SWAPDB 2147483648 0
         (error) ERR invalid first DB index
         > SWAPDB 0 2147483648
         (error) ERR invalid second DB index
         > SWAPDB 0 2147483647
         (error) ERR DB index is out of range
         > RESTORE d 0 xxxxxxxxxxx
         (error) ERR DUMP payload version or checksum are wrong
         > CLIENT KILL ID 9223372036854775808
         (error) ERR client-id should be greater than 0",
    );
}
