//! What is repeated in the append-only file and on replicas in place of commands on collections.

use russet::base::disk::MemoryDisk;

use crate::runner::TestNode;

/// What each of these requests is repeated as, one line each; `->` and nothing for requests that change nothing.
fn check_repeated(lines: &str) {
    let mut node = TestNode::start_on(MemoryDisk::default(), &[("appendonly", "yes")]);
    let mut seen = 0;
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(ms) = line.strip_prefix("~ ") {
            node.advance_ms(ms.parse().expect("milliseconds"));
            continue;
        }
        let (request, expected) = line.split_once(" ->").expect("a request and what is repeated");
        let reply = node.ask(request);
        let log = node.commands_of("appendonlydir/appendonly.aof.1.incr.aof").split_off(seen);
        seen += log.len();
        let got: Vec<String> =
            log.into_iter().filter(|line| !["MULTI", "EXEC", "SELECT 0"].contains(&line.as_str())).collect();
        assert_eq!(got.join("; "), expected.trim(), "{request}: {reply}");
    }
}

#[test]
fn fields_are_repeated_with_absolute_times() {
    check_repeated(
        "
        HSET h a 1 b 2 c 3 d 4 -> HSET h a 1 b 2 c 3 d 4
        HINCRBYFLOAT h a 1.5 -> HSETEX h KEEPTTL FIELDS 1 a 2.5
        HINCRBY h b 1 -> HINCRBY h b 1
        HEXPIRE h 100 NX FIELDS 2 a nosuch -> HPEXPIREAT h 1700000100000 NX FIELDS 1 a
        HEXPIRE h 100 NX FIELDS 1 a ->
        HPERSIST h FIELDS 2 a nosuch -> HPERSIST h FIELDS 2 a nosuch
        HPERSIST h FIELDS 1 a ->
        HPEXPIRE h 0 FIELDS 2 a b -> HDEL h a; HDEL h b
        HGETEX h EX 10 FIELDS 2 c nosuch -> HPEXPIREAT h 1700000010000 FIELDS 2 c nosuch
        HGETEX h PERSIST FIELDS 1 c -> HPERSIST h FIELDS 1 c
        HGETEX h FIELDS 1 c ->
        HGETEX h PXAT 1 FIELDS 1 c -> HDEL h c
        HSETEX h FNX EX 10 FIELDS 1 x 1 -> HSETEX h FNX PXAT 1700000010000 FIELDS 1 x 1
        HSETEX h FNX FIELDS 1 x 1 ->
        HSETEX h PXAT 1 FIELDS 1 x 1 -> HDEL h x
        HGETDEL h FIELDS 2 d nosuch -> HDEL h d nosuch
        HGETDEL h FIELDS 1 d ->
        HDEL h d ->
        ",
    );
}

#[test]
fn chance_and_waiting_are_repeated_as_what_came_of_them() {
    check_repeated(
        "
        SADD s a -> SADD s a
        SPOP s -> SREM s a
        SADD s a b -> SADD s a b
        SPOP s 2 -> DEL s
        SPOP s ->
        SADD s a -> SADD s a
        SMOVE s t a -> SMOVE s t a
        SINTERSTORE d nosuch ->
        ZADD z 1 a 2 b 3 c 4 d 5 e -> ZADD z 1 a 2 b 3 c 4 d 5 e
        ZADD z XX 9 nosuch ->
        ZINCRBY z 1 a -> ZINCRBY z 1 a
        ZPOPMIN z -> ZPOPMIN z
        ZMPOP 1 z MAX COUNT 2 -> ZPOPMAX z 2
        BZPOPMIN z 0 -> ZPOPMIN z
        BZMPOP 0 1 z MIN COUNT 5 -> ZPOPMIN z 1
        GEOADD g CH 13.361389 38.115556 Palermo -> ZADD g CH 3479099956230698 Palermo
        GEOADD g NX 1 1 Palermo ->
        ",
    );
}

#[test]
fn streams_are_repeated_with_what_came_of_times_and_reading() {
    check_repeated(
        "
        XADD s * a 1 -> XADD s 1700000000000-0 a 1
        XADD s 1700000000000-* a 2 -> XADD s 1700000000000-1 a 2
        XADD s 1700000000001-5 a 3 -> XADD s 1700000000001-5 a 3
        XADD s MAXLEN ~ 5 * a 4 -> XADD s MAXLEN = 4 1700000000001-6 a 4
        XADD s MINID ~ 5 LIMIT 3 * a 5 -> XADD s MINID = 1700000000000-0 LIMIT 3 1700000000001-7 a 5
        XADD nosuch NOMKSTREAM * a 1 ->
        XDEL s 1700000000001-7 9-9 -> XDEL s 1700000000001-7 9-9
        XDEL s 9-9 ->
        XTRIM s MAXLEN ~ 4 ->
        XTRIM s MAXLEN 3 -> XTRIM s MAXLEN 3
        XGROUP CREATE s g 0 -> XGROUP CREATE s g 0
        XREADGROUP GROUP g c COUNT 1 STREAMS s > -> XCLAIM s g c 0 1700000000000-1 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 0-0; XGROUP SETID s g 1700000000000-1 ENTRIESREAD -1
        XREADGROUP GROUP g d NOACK COUNT 1 STREAMS s > -> XGROUP SETID s g 1700000000001-5 ENTRIESREAD -1; XGROUP CREATECONSUMER s g d
        XREADGROUP GROUP g c STREAMS s 0 ->
        XREADGROUP GROUP g e STREAMS s 0 -> XGROUP CREATECONSUMER s g e
        XREADGROUP GROUP g e BLOCK 5 STREAMS nosuch > ->
        XCLAIM s g e 0 1700000000000-1 RETRYCOUNT 7 -> XCLAIM s g e 0 1700000000000-1 TIME 1700000000000 RETRYCOUNT 7 FORCE JUSTID LASTID 1700000000001-5
        XCLAIM s g e 9999 1700000000000-1 ->
        XDEL s 1700000000000-1 -> XDEL s 1700000000000-1
        XAUTOCLAIM s g c 0 0 -> XCLAIM s g e 0 1700000000000-1 TIME 1700000000000 RETRYCOUNT 7 FORCE JUSTID LASTID 1700000000001-5
        XREADGROUP GROUP g c STREAMS s > -> XCLAIM s g c 0 1700000000001-6 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1700000000001-5; XGROUP SETID s g 1700000000001-6 ENTRIESREAD -1
        XNACK s g FAIL IDS 1 1700000000001-6 -> XNACK s g FAIL IDS 1 1700000000001-6
        XNACK s g FAIL IDS 1 9-9 ->
        XACK s g 1700000000001-6 9-9 -> XACK s g 1700000000001-6 9-9
        XACK s g 9-9 ->
        XCLAIM s g new 0 9-9 LASTID 1800000000000-0 -> XGROUP SETID s g 1800000000000-0 ENTRIESREAD -1; XGROUP CREATECONSUMER s g new
        XADD t IDMP p i * a 1 -> XADD t IDMP p i 1700000000000-0 a 1
        XADD t IDMP p i * a 1 -> XADD t IDMP p i * a 1
        XCFGSET t IDMP-MAXSIZE 100 ->
        ",
    );
}
