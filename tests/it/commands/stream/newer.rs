use crate::runner::check;

#[test]
fn references_decide_what_is_deleted() {
    check(
        r#"
        > XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 2
        2-1
        > XADD s 3-1 a 3
        3-1
        > XADD s 4-1 a 4
        4-1
        > XADD s 5-1 a 5
        5-1
        > XGROUP CREATE s g 0
        OK
        > XGROUP CREATE s h 0
        OK
        > XREADGROUP GROUP g c COUNT 3 STREAMS s >
        [[s [[1-1 [a 1]] [2-1 [a 2]] [3-1 [a 3]]]]]
        > XREADGROUP GROUP h d COUNT 2 STREAMS s >
        [[s [[1-1 [a 1]] [2-1 [a 2]]]]]
        > XDELEX s IDS 1 1-1
        [(int) 1]
        > XPENDING s g
        [(int) 3 1-1 3-1 [[c 3]]]
        > XDELEX s DELREF IDS 2 2-1 9-9
        [(int) 1 (int) -1]
        > XPENDING s g
        [(int) 2 1-1 3-1 [[c 2]]]
        > XPENDING s h
        [(int) 1 1-1 1-1 [[d 1]]]
        > XDELEX s ACKED IDS 3 3-1 4-1 9-9
        [(int) 2 (int) 2 (int) 2]
        > XDELEX nokey IDS 2 1-1 x
        [(int) -1 (int) -1]
        > XDELEX s IDS 0 1-1
        (error) ERR Number of IDs must be a positive integer
        > XDELEX s IDS x 1-1
        (error) ERR Number of IDs must be a positive integer
        > XDELEX s IDS 2 1-1
        (error) ERR The `numids` parameter must match the number of arguments
        > XDELEX s IDS 1 1-1 2-1
        (error) ERR syntax error
        > XDELEX s IDS 1 x
        (error) ERR Invalid stream ID specified as stream command argument
        > XDELEX s FOO IDS 1 1-1
        (error) ERR syntax error
        > XDELEX s KEEPREF DELREF IDS 1 1-1
        (error) ERR syntax error
        > XDELEX s KEEPREF
        (error) ERR wrong number of arguments for 'xdelex' command
        > XACKDEL s g IDS 2 3-1 3-1
        [(int) 1 (int) -1]
        > XACKDEL s nog IDS 1 3-1
        [(int) -1]
        > XACKDEL nokey g IDS 1 x
        [(int) -1]
        > XACKDEL s g IDS 1 x
        (error) ERR Invalid stream ID specified as stream command argument
        > XACKDEL s g IDS 0 1
        (error) ERR Number of IDs must be a positive integer
        > XACKDEL s g DELREF IDS 2 3-1
        (error) ERR The `numids` parameter must match the number of arguments
        > XACKDEL s g DELREF FOO 1 3-1
        (error) ERR syntax error
        > XREADGROUP GROUP g c STREAMS s >
        [[s [[4-1 [a 4]] [5-1 [a 5]]]]]
        > XACKDEL s g ACKED IDS 1 4-1
        [(int) 2]
        > XREADGROUP GROUP h d STREAMS s >
        [[s [[4-1 [a 4]] [5-1 [a 5]]]]]
        > XACKDEL s h ACKED IDS 2 4-1 5-1
        [(int) 1 (int) 2]
        > XACKDEL s g ACKED IDS 1 5-1
        [(int) 1]
        > XRANGE s - +
        []
        > XPENDING s g - + 10
        [[1-1 c (int) ... (int) 1]]
        > XPENDING s h - + 10
        [[1-1 d (int) ... (int) 1]]
        > SET str x
        OK
        > XDELEX str IDS 1 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XACKDEL str g IDS 1 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn trimming_minds_references() {
    check(
        r#"
        > XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 2
        2-1
        > XADD s 3-1 a 3
        3-1
        > XADD s 4-1 a 4
        4-1
        > XGROUP CREATE s g 0
        OK
        > XREADGROUP GROUP g c COUNT 3 STREAMS s >
        [[s [[1-1 [a 1]] [2-1 [a 2]] [3-1 [a 3]]]]]
        > XACK s g 2-1
        (int) 1
        > XTRIM s MAXLEN 1 ACKED
        (int) 1
        > XRANGE s - +
        [[1-1 [a 1]] [3-1 [a 3]] [4-1 [a 4]]]
        > XTRIM s MAXLEN 2 DELREF
        (int) 1
        > XPENDING s g
        [(int) 1 3-1 3-1 [[c 1]]]
        > XTRIM s MAXLEN 1 KEEPREF
        (int) 1
        > XPENDING s g
        [(int) 1 3-1 3-1 [[c 1]]]
        > XADD s MAXLEN 1 DELREF 5-1 a 1
        5-1
        > XADD s ACKED MAXLEN 0 6-1 a 1
        6-1
        > XRANGE s - +
        [[5-1 [a 1]] [6-1 [a 1]]]
        > XPENDING s g
        [(int) 1 3-1 3-1 [[c 1]]]
        > XTRIM s MAXLEN 0 KEEPREF DELREF
        (error) ERR syntax error
        > XADD s ACKED KEEPREF 7-1 a 1
        (error) ERR Invalid stream ID specified as stream command argument
        "#,
    );
}

#[test]
fn entries_are_given_back() {
    check(
        r#"
        !reference ends: what comes is newer than Redis 8.2
        > XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 2
        2-1
        > XADD s 3-1 a 3
        3-1
        > XADD s 4-1 a 4
        4-1
        > XADD s 5-1 a 5
        5-1
        > XGROUP CREATE s g 0
        OK
        > XREADGROUP GROUP g c COUNT 4 STREAMS s >
        [[s [[1-1 [a 1]] [2-1 [a 2]] [3-1 [a 3]] [4-1 [a 4]]]]]
        > XNACK s g FAIL IDS 1 3-1
        (int) 1
        > XNACK s g SILENT IDS 1 2-1
        (int) 1
        > XNACK s g FATAL IDS 1 1-1
        (int) 1
        > XPENDING s g - + 10
        [[1-1 "" (int) -1 (int) 9223372036854775807] [2-1 "" (int) -1 (int) 0] [3-1 "" (int) -1 (int) 1] [4-1 c (int) ... (int) 1]]
        > XPENDING s g
        [(int) 4 1-1 4-1 [[c 1]]]
        > XPENDING s g - + 10 c
        [[4-1 c (int) ... (int) 1]]
        > XNACK s g FAIL IDS 1 5-1
        (int) 0
        > XNACK s g FAIL IDS 2 5-1 9-9 FORCE
        (int) 1
        > XNACK s g FAIL IDS 1 4-1 RETRYCOUNT 7
        (int) 1
        > XPENDING s g IDLE 99999999 - + 10
        [[1-1 "" (int) -1 (int) 9223372036854775807] [2-1 "" (int) -1 (int) 0] [3-1 "" (int) -1 (int) 1] [4-1 "" (int) -1 (int) 7] [5-1 "" (int) -1 (int) 0]]
        > XINFO STREAM s FULL
        [length (int) 5 radix-tree-keys (int) 1 radix-tree-nodes (int) 1 last-generated-id 5-1 max-deleted-entry-id 0-0 entries-added (int) 5 recorded-first-entry-id 1-1 idmp-duration (int) 100 idmp-maxsize (int) 100 pids-tracked (int) 0 iids-tracked (int) 0 iids-added (int) 0 iids-duplicates (int) 0 entries [[1-1 [a 1]] [2-1 [a 2]] [3-1 [a 3]] [4-1 [a 4]] [5-1 [a 5]]] groups [[name g last-delivered-id 4-1 entries-read (int) 4 lag (int) 1 pel-count (int) 5 nacked-count (int) 5 pending [[1-1 "" (int) 0 (int) 9223372036854775807] [2-1 "" (int) 0 (int) 0] [3-1 "" (int) 0 (int) 1] [4-1 "" (int) 0 (int) 7] [5-1 "" (int) 0 (int) 0]] consumers [[name c seen-time (int) ... active-time (int) ... pel-count (int) 0 pending []]]]]]
        > XREADGROUP GROUP g d COUNT 3 CLAIM 100000 STREAMS s >
        [[s [[3-1 [a 3] (int) ... (int) 1] [2-1 [a 2] (int) ... (int) 0] [1-1 [a 1] (int) ... (int) 9223372036854775807]]]]
        > XPENDING s g - + 10
        [[1-1 d (int) ... (int) 9223372036854775807] [2-1 d (int) ... (int) 1] [3-1 d (int) ... (int) 2] [4-1 "" (int) -1 (int) 7] [5-1 "" (int) -1 (int) 0]]
        > XCLAIM s g e 99999999 5-1
        [[5-1 [a 5]]]
        > XAUTOCLAIM s g e 99999999 0
        [0-0 [[4-1 [a 4]]] []]
        > XPENDING s g - + 10
        [[1-1 d (int) ... (int) 9223372036854775807] [2-1 d (int) ... (int) 1] [3-1 d (int) ... (int) 2] [4-1 e (int) ... (int) 8] [5-1 e (int) ... (int) 1]]
        > XNACK s g FAIL IDS 1 1-1 FOO
        (error) ERR Unrecognized XNACK option 'FOO'
        > XNACK s g FOO IDS 1 1-1
        (error) ERR mode must be SILENT, FAIL, or FATAL
        > XNACK s g FAIL IDS 0 1-1
        (error) ERR numids must be a positive integer
        > XNACK s g FAIL IDS 2 1-1
        (error) ERR number of IDs doesn't match numids
        > XNACK s g FAIL IDS 1 x
        (error) ERR Invalid stream ID specified as stream command argument
        > XNACK s g FAIL FOO 1 1-1
        (error) ERR Unrecognized XNACK option 'FOO'
        > XNACK s g FAIL IDS 1 1-1 RETRYCOUNT -1
        (error) ERR Invalid RETRYCOUNT value, must be >= 0
        > XNACK s g FAIL IDS 1 1-1 RETRYCOUNT x
        (error) ERR value is not an integer or out of range
        > XNACK s nog FAIL IDS 1 1-1
        (error) NOGROUP No such key 's' or consumer group 'nog'
        > XNACK nokey g FAIL IDS 1 1-1
        (error) NOGROUP No such key 'nokey' or consumer group 'g'
        > SET str x
        OK
        > XNACK str g FAIL IDS 1 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XNACK s g FAIL IDS 2 1-1 2-1
        (int) 2
        > XACK s g 1-1
        (int) 1
        > XGROUP DELCONSUMER s g d
        (int) 1
        > XPENDING s g
        [(int) 3 2-1 5-1 [[e 2]]]
        "#,
    );
}

#[test]
fn what_lies_long_is_claimed_on_reading() {
    check(
        r#"
        !reference ends: what comes is newer than Redis 8.2
        > XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 2
        2-1
        > XADD s 3-1 a 3
        3-1
        > XADD t 1-1 b 1
        1-1
        > XGROUP CREATE s g 0
        OK
        > XGROUP CREATE t g 0
        OK
        > XREADGROUP GROUP g c COUNT 2 STREAMS s >
        [[s [[1-1 [a 1]] [2-1 [a 2]]]]]
        > XREADGROUP GROUP g d CLAIM 0 STREAMS s t > >
        [[s [[1-1 [a 1] (int) ... (int) 1] [2-1 [a 2] (int) ... (int) 1] [3-1 [a 3] (int) ... (int) 0]]] [t [[1-1 [b 1] (int) ... (int) 0]]]]
        > XREADGROUP GROUP g d CLAIM 100000 STREAMS s t > >
        (nil)
        > XREADGROUP GROUP g d CLAIM 0 STREAMS s 0
        [[s [[1-1 [a 1]] [2-1 [a 2]] [3-1 [a 3]]]]]
        > XCLAIM s g x 0 2-1 TIME 1000 JUSTID
        [2-1]
        > XCLAIM s g x 0 3-1 TIME 500 JUSTID
        [3-1]
        > XREADGROUP GROUP g e CLAIM 100000 COUNT 1 NOACK STREAMS s >
        [[s [[3-1 [a 3] (int) ... (int) 2]]]]
        > XDEL s 2-1
        (int) 1
        > XREADGROUP GROUP g e CLAIM 100000 STREAMS s >
        (nil)
        > XPENDING s g - + 10
        [[1-1 d (int) ... (int) 3] [2-1 x (int) ... (int) 3] [3-1 e (int) ... (int) 3]]
        > XREADGROUP GROUP g c CLAIM x STREAMS s >
        (error) ERR min-idle-time is not an integer or out of range
        > XREADGROUP GROUP g c CLAIM -1 STREAMS s >
        (error) ERR min-idle-time must be a positive integer
        > XREAD CLAIM 10 STREAMS s 0
        (error) ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.
        "#,
    );
}

#[test]
fn replies_are_bounded() {
    check(
        r#"
        !reference ends: what comes is newer than Redis 8.2
        > XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 2
        2-1
        > XADD s 3-1 a 3
        3-1
        > XADD t 1-1 b 1
        1-1
        > XREAD MAXCOUNT 2 STREAMS s t 0 0
        [[s [[1-1 [a 1]] [2-1 [a 2]]]]]
        > XREAD MAXCOUNT 3 STREAMS s t 0 0
        [[s [[1-1 [a 1]] [2-1 [a 2]] [3-1 [a 3]]]]]
        > XREAD MAXCOUNT 4 STREAMS s t 0 0
        [[s [[1-1 [a 1]] [2-1 [a 2]] [3-1 [a 3]]]] [t [[1-1 [b 1]]]]]
        > XREAD COUNT 1 MAXCOUNT 1 STREAMS s t 0 0
        [[s [[1-1 [a 1]]]]]
        > XREAD COUNT 2 MAXCOUNT 1 STREAMS s t 0 0
        (error) ERR MAXCOUNT must be greater than or equal to COUNT
        > XREAD MAXCOUNT 0 STREAMS s 0
        (error) ERR MAXCOUNT must be a positive integer
        > XREAD MAXCOUNT x STREAMS s 0
        (error) ERR value is not an integer or out of range
        > XREAD MAXCOUNT 1 STREAMS s t + +
        [[s [[3-1 [a 3]]]]]
        > XREAD MAXSIZE 1 STREAMS s t 0 0
        [[s [[1-1 [a 1]]]]]
        > XREAD MAXSIZE 42 STREAMS s t 0 0
        [[s [[1-1 [a 1]]]]]
        > XREAD MAXSIZE 43 STREAMS s t 0 0
        [[s [[1-1 [a 1]] [2-1 [a 2]]]]]
        > XREAD MAXSIZE 74 STREAMS s t 0 0
        [[s [[1-1 [a 1]] [2-1 [a 2]] [3-1 [a 3]]]]]
        > XREAD MAXSIZE 108 STREAMS s t 0 0
        [[s [[1-1 [a 1]] [2-1 [a 2]] [3-1 [a 3]]]]]
        > XREAD MAXSIZE 109 STREAMS s t 0 0
        [[s [[1-1 [a 1]] [2-1 [a 2]] [3-1 [a 3]]]] [t []]]
        > XREAD MAXSIZE 1000 STREAMS s t 0 0
        [[s [[1-1 [a 1]] [2-1 [a 2]] [3-1 [a 3]]]] [t [[1-1 [b 1]]]]]
        > XREAD MAXSIZE 0 STREAMS s 0
        (error) ERR MAXSIZE must be a positive integer
        > XREAD MAXSIZE x STREAMS s 0
        (error) ERR value is not an integer or out of range
        > XGROUP CREATE s g 0
        OK
        > XREADGROUP GROUP g c MAXCOUNT 2 STREAMS s >
        [[s [[1-1 [a 1]] [2-1 [a 2]]]]]
        > XREADGROUP GROUP g c MAXCOUNT 1 STREAMS s 0
        [[s [[1-1 [a 1]]]]]
        > XREADGROUP GROUP g c MAXSIZE 1 STREAMS s 0
        [[s [[1-1 [a 1]]]]]
        "#,
    );
}

#[test]
fn additions_are_not_repeated() {
    check(
        r#"
        !reference ends: what comes is newer than Redis 8.2
        > XADD s IDMP p i1 * a 1
        ...
        > XADD s IDMP p i1 * a 1
        ...
        > XLEN s
        (int) 1
        > XADD s IDMP p i1 * a 2
        ...
        > XADD s IDMP p i2 * a 2
        ...
        > XADD s IDMP q i1 * a 2
        ...
        > XLEN s
        (int) 3
        > XADD s IDMPAUTO p * a 1 b 2
        ...
        > XADD s IDMPAUTO p * b 2 a 1
        ...
        > XADD s IDMPAUTO p * b 1 a 2
        ...
        > XLEN s
        (int) 5
        > XINFO STREAM s
        [length (int) 5 radix-tree-keys (int) 1 radix-tree-nodes (int) 1 last-generated-id ... max-deleted-entry-id 0-0 entries-added (int) 5 recorded-first-entry-id ... idmp-duration (int) 100 idmp-maxsize (int) 100 pids-tracked (int) 2 iids-tracked (int) 5 iids-added (int) 5 iids-duplicates (int) 3 groups (int) 0 first-entry [... [a 1]] last-entry [... [b 1 a 2]]]
        > XADD s IDMP p i1 5-5 a 1
        (error) ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs
        > XADD s IDMP p i9 IDMP p i9 * a 1
        (error) ERR syntax error, IDMP/IDMPAUTO specified multiple times
        > XADD s IDMPAUTO p IDMP p i9 * a 1
        (error) ERR syntax error, IDMP/IDMPAUTO specified multiple times
        > XADD s IDMP "" i9 * a 1
        (error) ERR syntax error, IDMP requires a non-empty producer ID
        > XADD s IDMP p "" * a 1
        (error) ERR syntax error, IDMP requires a non-empty idempotent ID
        > XADD s IDMPAUTO "" * a 1
        (error) ERR syntax error, IDMPAUTO requires a non-empty producer ID
        > XADD s IDMP p
        (error) ERR wrong number of arguments for 'xadd' command
        > XADD n NOMKSTREAM IDMP p a * a 1
        (nil)
        > XADD s MAXLEN 3 IDMP p b KEEPREF * a 1
        ...
        > XCFGSET s
        (error) ERR At least one parameter must be specified
        > XCFGSET s IDMP-DURATION
        (error) ERR syntax error
        > XCFGSET s IDMP-DURATION x
        (error) ERR value is not an integer or out of range
        > XCFGSET s IDMP-DURATION 0
        (error) ERR IDMP-DURATION must be between 1 and 86400 seconds
        > XCFGSET s IDMP-DURATION 86401
        (error) ERR IDMP-DURATION must be between 1 and 86400 seconds
        > XCFGSET s IDMP-MAXSIZE 0
        (error) ERR IDMP-MAXSIZE must be between 1 and 10000 entries
        > XCFGSET s IDMP-MAXSIZE 10001
        (error) ERR IDMP-MAXSIZE must be between 1 and 10000 entries
        > XCFGSET s IDMP-MAXSIZE 3 IDMP-MAXSIZE 4
        (error) ERR IDMP-MAXSIZE specified multiple times
        > XCFGSET s IDMP-DURATION 3 IDMP-DURATION 4
        (error) ERR IDMP-DURATION specified multiple times
        > XCFGSET s FOO 3
        (error) ERR syntax error
        > XCFGSET nokey IDMP-MAXSIZE 3
        (error) ERR no such key
        > XCFGSET s IDMP-MAXSIZE 2
        OK
        > XINFO STREAM s
        [length (int) 3 radix-tree-keys (int) 1 radix-tree-nodes (int) 1 last-generated-id ... max-deleted-entry-id 0-0 entries-added (int) 6 recorded-first-entry-id ... idmp-duration (int) 100 idmp-maxsize (int) 2 pids-tracked (int) 0 iids-tracked (int) 0 iids-added (int) 6 iids-duplicates (int) 3 groups (int) 0 first-entry [... [a 1 b 2]] last-entry [... [a 1]]]
        > XADD s IDMP q 1 * a 1
        ...
        > XADD s IDMP q 2 * a 1
        ...
        > XADD s IDMP q 3 * a 1
        ...
        > XADD s IDMP q 2 * a 1
        ...
        > XADD s IDMP q 1 * a 1
        ...
        > XINFO STREAM s
        [length (int) 7 radix-tree-keys (int) 1 radix-tree-nodes (int) 1 last-generated-id ... max-deleted-entry-id 0-0 entries-added (int) 10 recorded-first-entry-id ... idmp-duration (int) 100 idmp-maxsize (int) 2 pids-tracked (int) 1 iids-tracked (int) 2 iids-added (int) 10 iids-duplicates (int) 4 groups (int) 0 first-entry [... [a 1 b 2]] last-entry [... [a 1]]]
        > XCFGSET s IDMP-MAXSIZE 2
        OK
        > XADD v 4000000000000-1 a 1
        4000000000000-1
        > XADD v 4000000000001-1 a 1
        4000000000001-1
        > XIDMPRECORD v p x 4000000000000-1
        OK
        > XIDMPRECORD v p x 4000000000000-1
        OK
        > XIDMPRECORD v p x 4000000000001-1
        (error) ERR IID already exists for this producer with a different stream ID
        > XIDMPRECORD v p y 4000000000009-1
        (error) ERR No such message in stream
        > XIDMPRECORD v p y x
        (error) ERR Invalid stream ID specified as stream command argument
        > XIDMPRECORD v "" y 4000000000000-1
        (error) ERR producer ID must be non-empty
        > XIDMPRECORD v p "" 4000000000000-1
        (error) ERR idempotent ID must be non-empty
        > XIDMPRECORD nokey p x 1-1
        (error) ERR no such key
        > XADD v IDMP p x * a 1
        4000000000000-1
        > SET str x
        OK
        > XIDMPRECORD str p x 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XCFGSET str IDMP-MAXSIZE 3
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn clients_wait_until_something_lies_long_enough() {
    check(
        r#"
        !reference ends: what comes is newer than Redis 8.2
        > XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 2
        2-1
        > XGROUP CREATE s g 0
        OK
        > XREADGROUP GROUP g c STREAMS s >
        [[s [[1-1 [a 1]] [2-1 [a 2]]]]]
        > XDEL s 1-1
        (int) 1
        b> XREADGROUP GROUP g b BLOCK 0 CLAIM 60000 STREAMS s >
        (none)
        > XNACK s g FAIL IDS 1 2-1
        (int) 1
        < b [[s [[2-1 [a 2] (int) ... (int) 1]]]]
        b> XREADGROUP GROUP g b BLOCK 0 CLAIM 300 STREAMS s >
        (none)
        c> XREADGROUP GROUP g c BLOCK 100 CLAIM 300 STREAMS s >
        (none)
        ~ 150
        < c (nil)
        ~ 200
        < b [[s [[2-1 [a 2] (int) 300 (int) 2]]]]
        b> XREADGROUP GROUP g b BLOCK 0 CLAIM 300 STREAMS s t >  >
        (error) NOGROUP No such key 't' or consumer group 'g' in XREADGROUP with GROUP option
        "#,
    );
}
