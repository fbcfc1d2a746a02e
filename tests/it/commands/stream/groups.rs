use crate::runner::check;

#[test]
fn groups_are_made_and_removed() {
    check(
        r#"
        > XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 2
        2-1
        > XGROUP CREATE s g 0
        OK
        > XGROUP CREATE s g 0
        (error) BUSYGROUP Consumer Group name already exists
        > XGROUP CREATE s h $ ENTRIESREAD 1
        OK
        > XGROUP CREATE s i 1-1 ENTRIESREAD 100
        OK
        > XGROUP CREATE s j 99 ENTRIESREAD -1
        OK
        > XGROUP CREATE s k 1 ENTRIESREAD -2
        (error) ERR value for ENTRIESREAD must be positive or -1
        > XGROUP CREATE s k 1 ENTRIESREAD x
        (error) ERR value is not an integer or out of range
        > XGROUP CREATE s k 1 FOO
        (error) ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.
        > XGROUP CREATE s k x
        (error) ERR Invalid stream ID specified as stream command argument
        > XGROUP CREATE s k -
        (error) ERR Invalid stream ID specified as stream command argument
        > XGROUP CREATE s k +
        (error) ERR Invalid stream ID specified as stream command argument
        > XGROUP CREATE nokey g $
        (error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XGROUP CREATE m g $ MKSTREAM
        OK
        > XGROUP CREATE n g 5-5 MKSTREAM
        OK
        > XINFO GROUPS s
        [[name g consumers (int) 0 pending (int) 0 last-delivered-id 0-0 entries-read (nil) lag (int) 2] [name h consumers (int) 0 pending (int) 0 last-delivered-id 2-1 entries-read (int) 1 lag (int) 1] [name i consumers (int) 0 pending (int) 0 last-delivered-id 1-1 entries-read (int) 2 lag (int) 0] [name j consumers (int) 0 pending (int) 0 last-delivered-id 99-0 entries-read (nil) lag (nil)]]
        > XINFO GROUPS m
        [[name g consumers (int) 0 pending (int) 0 last-delivered-id 0-0 entries-read (nil) lag (int) 0]]
        > XGROUP SETID s g 1-1
        OK
        > XGROUP SETID s g $ ENTRIESREAD 2
        OK
        > XGROUP SETID s h -
        OK
        > XGROUP SETID s i + ENTRIESREAD 300
        OK
        > XGROUP SETID s g x
        (error) ERR Invalid stream ID specified as stream command argument
        > XGROUP SETID s nog 1
        (error) NOGROUP No such consumer group 'nog' for key name 's'
        > XGROUP SETID nokey g 1
        (error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XGROUP SETID s g 1 MKSTREAM
        (error) ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.
        > XINFO GROUPS s
        [[name g consumers (int) 0 pending (int) 0 last-delivered-id 2-1 entries-read (int) 2 lag (int) 0] [name h consumers (int) 0 pending (int) 0 last-delivered-id 0-0 entries-read (nil) lag (int) 2] [name i consumers (int) 0 pending (int) 0 last-delivered-id 18446744073709551615-18446744073709551615 entries-read (int) 2 lag (int) 0] [name j consumers (int) 0 pending (int) 0 last-delivered-id 99-0 entries-read (nil) lag (nil)]]
        > XGROUP CREATECONSUMER s g c
        (int) 1
        > XGROUP CREATECONSUMER s g c
        (int) 0
        > XGROUP CREATECONSUMER s nog c
        (error) NOGROUP No such consumer group 'nog' for key name 's'
        > XGROUP CREATECONSUMER nokey g c
        (error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XGROUP DELCONSUMER s g c
        (int) 0
        > XGROUP DELCONSUMER s g c
        (int) 0
        > XGROUP DELCONSUMER s nog c
        (error) NOGROUP No such consumer group 'nog' for key name 's'
        > XGROUP DELCONSUMER nokey g c
        (error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > XGROUP DESTROY s nog
        (int) 0
        > XGROUP DESTROY s g
        (int) 1
        > XGROUP DESTROY nokey g
        (error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.
        > SET str x
        OK
        > XGROUP CREATE str g $ MKSTREAM
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XGROUP SETID str g 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XGROUP DESTROY str g
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn entries_are_given_to_consumers() {
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
        > XADD t 1-1 b 1
        1-1
        > XGROUP CREATE s g 0
        OK
        > XGROUP CREATE t g 0
        OK
        > XREADGROUP GROUP g c STREAMS s 0
        [[s []]]
        > XREADGROUP GROUP g c COUNT 1 STREAMS s t > >
        [[s [[1-1 [a 1]]]] [t [[1-1 [b 1]]]]]
        > XREADGROUP GROUP g d COUNT 2 STREAMS s >
        [[s [[2-1 [a 2]] [3-1 [a 3]]]]]
        > XREADGROUP GROUP g e NOACK STREAMS s >
        [[s [[4-1 [a 4]]]]]
        > XREADGROUP GROUP g e STREAMS s t > >
        (nil)
        > XREADGROUP GROUP g d STREAMS s 0
        [[s [[2-1 [a 2]] [3-1 [a 3]]]]]
        > XREADGROUP GROUP g d COUNT 1 STREAMS s 2-1
        [[s [[3-1 [a 3]]]]]
        > XREADGROUP GROUP g c STREAMS s t 0 0
        [[s [[1-1 [a 1]]]] [t [[1-1 [b 1]]]]]
        > XPENDING s g
        [(int) 3 1-1 3-1 [[c 1] [d 2]]]
        > XPENDING s g - + 10
        [[1-1 c (int) ... (int) 2] [2-1 d (int) ... (int) 2] [3-1 d (int) ... (int) 3]]
        > XPENDING s g - + 10 d
        [[2-1 d (int) ... (int) 2] [3-1 d (int) ... (int) 3]]
        > XINFO GROUPS s
        [[name g consumers (int) 3 pending (int) 3 last-delivered-id 4-1 entries-read (int) 4 lag (int) 0]]
        > XINFO CONSUMERS s g
        [[name c pending (int) 1 idle (int) ... inactive (int) ...] [name d pending (int) 2 idle (int) ... inactive (int) ...] [name e pending (int) 0 idle (int) ... inactive (int) -1]]
        > XDEL s 2-1
        (int) 1
        > XREADGROUP GROUP g d STREAMS s 0
        [[s [[2-1 (nil)] [3-1 [a 3]]]]]
        > XGROUP SETID s g 0
        OK
        > XREADGROUP GROUP g c STREAMS s >
        [[s [[1-1 [a 1]] [3-1 [a 3]] [4-1 [a 4]]]]]
        > XPENDING s g - + 10
        [[1-1 c (int) ... (int) 1] [2-1 d (int) ... (int) 2] [3-1 c (int) ... (int) 1] [4-1 c (int) ... (int) 1]]
        > XREADGROUP GROUP g c STREAMS s $
        (error) ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.
        > XREADGROUP GROUP g c STREAMS s +
        (error) ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.
        > XREADGROUP GROUP g c STREAMS s -
        (error) ERR Invalid stream ID specified as stream command argument
        > XREADGROUP GROUP g c STREAMS s x
        (error) ERR Invalid stream ID specified as stream command argument
        > XREADGROUP GROUP nog c STREAMS s >
        (error) NOGROUP No such key 's' or consumer group 'nog' in XREADGROUP with GROUP option
        > XREADGROUP GROUP g c STREAMS nokey >
        (error) NOGROUP No such key 'nokey' or consumer group 'g' in XREADGROUP with GROUP option
        > XREADGROUP GROUP g c BLOCK 9223372036854775807 STREAMS s >
        (error) ERR timeout is out of range
        > XREAD BLOCK 9223372036854775807 STREAMS s 9
        (error) ERR timeout is out of range
        > XREAD BLOCK -1 STREAMS s 9
        (error) ERR timeout is negative
        > XREADGROUP COUNT 1 BLOCK 1 NOACK STREAMS s >
        (error) ERR Missing GROUP option for XREADGROUP
        > XREADGROUP GROUP g c STREAMS s
        (error) ERR wrong number of arguments for 'xreadgroup' command
        > XREADGROUP GROUP g c COUNT 1 STREAMS s
        (error) ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.
        > SET str x
        OK
        > XREADGROUP GROUP g c STREAMS str >
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XINFO STREAM s FULL
        !reference differs: Redis 8.2 says less of it
        [length (int) 3 radix-tree-keys (int) 1 radix-tree-nodes (int) 1 last-generated-id 4-1 max-deleted-entry-id 2-1 entries-added (int) 4 recorded-first-entry-id 1-1 idmp-duration (int) 100 idmp-maxsize (int) 100 pids-tracked (int) 0 iids-tracked (int) 0 iids-added (int) 0 iids-duplicates (int) 0 entries [[1-1 [a 1]] [3-1 [a 3]] [4-1 [a 4]]] groups [[name g last-delivered-id 4-1 entries-read (int) 4 lag (int) 0 pel-count (int) 4 nacked-count (int) 0 pending [[1-1 c (int) ... (int) 1] [2-1 d (int) ... (int) 2] [3-1 c (int) ... (int) 1] [4-1 c (int) ... (int) 1]] consumers [[name c seen-time (int) ... active-time (int) ... pel-count (int) 3 pending [[1-1 (int) ... (int) 1] [3-1 (int) ... (int) 1] [4-1 (int) ... (int) 1]]] [name d seen-time (int) ... active-time (int) ... pel-count (int) 1 pending [[2-1 (int) ... (int) 2]]] [name e seen-time (int) ... active-time (int) -1 pel-count (int) 0 pending []]]]]]
        > XGROUP DELCONSUMER s g c
        (int) 3
        > XPENDING s g
        [(int) 1 2-1 2-1 [[d 1]]]
        "#,
    );
}

#[test]
fn pending_entries_are_acknowledged_and_listed() {
    check(
        r#"
        > XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 2
        2-1
        > XADD s 3-1 a 3
        3-1
        > XGROUP CREATE s g 0
        OK
        > XGROUP CREATE s h 0
        OK
        > XREADGROUP GROUP g c COUNT 2 STREAMS s >
        [[s [[1-1 [a 1]] [2-1 [a 2]]]]]
        > XREADGROUP GROUP g d STREAMS s >
        [[s [[3-1 [a 3]]]]]
        > XPENDING s g
        [(int) 3 1-1 3-1 [[c 2] [d 1]]]
        > XPENDING s h
        [(int) 0 (nil) (nil) (nil)]
        > XPENDING s g - + 10
        [[1-1 c (int) ... (int) 1] [2-1 c (int) ... (int) 1] [3-1 d (int) ... (int) 1]]
        > XPENDING s g - + 2
        [[1-1 c (int) ... (int) 1] [2-1 c (int) ... (int) 1]]
        > XPENDING s g - + 0
        []
        > XPENDING s g - + -1
        []
        > XPENDING s g (1-1 (3-1 10
        [[2-1 c (int) ... (int) 1]]
        > XPENDING s g - + 10 d
        [[3-1 d (int) ... (int) 1]]
        > XPENDING s g - + 10 nosuch
        []
        > XPENDING s g - + 10 d x
        [[3-1 d (int) ... (int) 1]]
        > XPENDING s g IDLE 0 - + 10
        [[1-1 c (int) ... (int) 1] [2-1 c (int) ... (int) 1] [3-1 d (int) ... (int) 1]]
        > XPENDING s g IDLE -1 - + 10 c
        [[1-1 c (int) ... (int) 1] [2-1 c (int) ... (int) 1]]
        > XPENDING s g IDLE 99999999 - + 10
        []
        > XPENDING s g IDLE x - + 10
        (error) ERR value is not an integer or out of range
        > XPENDING s g IDLE 0 - +
        (error) ERR syntax error
        > XPENDING s g IDLE 0
        (error) ERR syntax error
        > XPENDING s g - +
        (error) ERR syntax error
        > XPENDING s g - + x
        (error) ERR value is not an integer or out of range
        > XPENDING s g FOO 0 - + 10
        (error) ERR value is not an integer or out of range
        > XPENDING s g x + 10
        (error) ERR Invalid stream ID specified as stream command argument
        > XPENDING s nog
        (error) NOGROUP No such key 's' or consumer group 'nog'
        > XPENDING nokey g
        (error) NOGROUP No such key 'nokey' or consumer group 'g'
        > XPENDING nokey g x + 10
        (error) ERR Invalid stream ID specified as stream command argument
        > XACK s g 1-1 1-1 9-9
        (int) 1
        > XACK s g 1-1
        (int) 0
        > XACK s g 2-1 x
        (error) ERR Invalid stream ID specified as stream command argument
        > XACK s nog 1-1
        (int) 0
        > XACK s nog x
        (int) 0
        > XACK nokey g 1-1
        (int) 0
        > XPENDING s g
        [(int) 2 2-1 3-1 [[c 1] [d 1]]]
        > XACK s g 2-1 3-1
        (int) 2
        > XPENDING s g
        [(int) 0 (nil) (nil) (nil)]
        > SET str x
        OK
        > XACK str g x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XPENDING str g
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn pending_entries_are_claimed() {
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
        > XREADGROUP GROUP g c COUNT 4 STREAMS s >
        [[s [[1-1 [a 1]] [2-1 [a 2]] [3-1 [a 3]] [4-1 [a 4]]]]]
        > XCLAIM s g d 0 1-1 99-1
        [[1-1 [a 1]]]
        > XCLAIM s g d 9999999 2-1
        []
        > XCLAIM s g d 0 2-1 JUSTID
        [2-1]
        > XCLAIM s g d -5 2-1 3-1 RETRYCOUNT 7
        [[2-1 [a 2]] [3-1 [a 3]]]
        > XCLAIM s g d 0 2-1 RETRYCOUNT -7
        [[2-1 [a 2]]]
        > XCLAIM s g d 0 3-1 IDLE 5000 JUSTID
        [3-1]
        > XCLAIM s g d 0 3-1 TIME 1000 JUSTID
        [3-1]
        > XCLAIM s g d 0 3-1 TIME -5 JUSTID
        [3-1]
        > XCLAIM s g d 0 5-1
        []
        > XCLAIM s g d 0 5-1 55-1 FORCE
        [[5-1 [a 5]]]
        > XCLAIM s g d 0 1-1 LASTID 9-1
        [[1-1 [a 1]]]
        > XCLAIM s g e 0 77-1
        []
        > XPENDING s g - + 10
        [[1-1 d (int) ... (int) 3] [2-1 d (int) ... (int) 8] [3-1 d (int) ... (int) 7] [4-1 c (int) ... (int) 1] [5-1 d (int) ... (int) 2]]
        > XINFO GROUPS s
        [[name g consumers (int) 3 pending (int) 5 last-delivered-id 9-1 entries-read (int) 4 lag (int) 1]]
        > XINFO CONSUMERS s g
        [[name c pending (int) 1 idle (int) ... inactive (int) ...] [name d pending (int) 4 idle (int) ... inactive (int) ...] [name e pending (int) 0 idle (int) ... inactive (int) -1]]
        > XDEL s 3-1
        (int) 1
        > XCLAIM s g c 0 3-1
        []
        > XPENDING s g - + 10
        [[1-1 d (int) ... (int) 3] [2-1 d (int) ... (int) 8] [4-1 c (int) ... (int) 1] [5-1 d (int) ... (int) 2]]
        > XCLAIM s g d x 1-1
        (error) ERR Invalid min-idle-time argument for XCLAIM
        > XCLAIM s g d 0 x
        (error) ERR Unrecognized XCLAIM option 'x'
        > XCLAIM s g d 0 1-1 FOO
        (error) ERR Unrecognized XCLAIM option 'FOO'
        > XCLAIM s g d 0 1-1 IDLE x
        (error) ERR Invalid IDLE option argument for XCLAIM
        > XCLAIM s g d 0 1-1 RETRYCOUNT x
        (error) ERR Invalid RETRYCOUNT option argument for XCLAIM
        > XCLAIM s g d 0 1-1 RETRYCOUNT
        (error) ERR Unrecognized XCLAIM option 'RETRYCOUNT'
        > XCLAIM s g d 0 1-1 LASTID x
        (error) ERR Invalid stream ID specified as stream command argument
        > XCLAIM s nog d 0 1-1
        (error) NOGROUP No such key 's' or consumer group 'nog'
        > XCLAIM nokey g d 0 x
        (error) NOGROUP No such key 'nokey' or consumer group 'g'
        > SET str x
        OK
        > XCLAIM str g d 0 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XAUTOCLAIM s g f 0 0 COUNT 1
        [2-1 [[1-1 [a 1]]] []]
        > XAUTOCLAIM s g f 0 (1-1 COUNT 1
        [4-1 [[2-1 [a 2]]] []]
        > XAUTOCLAIM s g f 0 - COUNT 2 JUSTID
        [4-1 [1-1 2-1] []]
        > XAUTOCLAIM s g f 9999999 -
        [0-0 [] []]
        > XDEL s 2-1
        (int) 1
        > XAUTOCLAIM s g h 0 - COUNT 2
        [4-1 [[1-1 [a 1]]] [2-1]]
        > XAUTOCLAIM s g h 0 -
        [0-0 [[1-1 [a 1]] [4-1 [a 4]] [5-1 [a 5]]] []]
        > XPENDING s g - + 10
        [[1-1 h (int) ... (int) 6] [4-1 h (int) ... (int) 2] [5-1 h (int) ... (int) 3]]
        > XAUTOCLAIM s g d 0 x
        (error) ERR Invalid stream ID specified as stream command argument
        > XAUTOCLAIM s g d x 0
        (error) ERR Invalid min-idle-time argument for XAUTOCLAIM
        > XAUTOCLAIM s g d 0 0 COUNT 0
        (error) ERR COUNT must be > 0
        > XAUTOCLAIM s g d 0 0 COUNT x
        (error) ERR COUNT must be > 0
        > XAUTOCLAIM s g d 0 0 COUNT
        (error) ERR syntax error
        > XAUTOCLAIM s g d 0 0 COUNT 8070450532247928833
        (error) ERR COUNT must be > 0
        > XAUTOCLAIM s g d 0 0 FOO
        (error) ERR syntax error
        > XAUTOCLAIM s nog d 0 0
        (error) NOGROUP No such key 's' or consumer group 'nog'
        > XAUTOCLAIM nokey g d 0 0
        (error) NOGROUP No such key 'nokey' or consumer group 'g'
        > XAUTOCLAIM str g d 0 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XGROUP DELCONSUMER s g h
        (int) 3
        > XGROUP DELCONSUMER s g f
        (int) 0
        "#,
    );
}

#[test]
fn lags_follow_reading_deleting_and_trimming() {
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
        > XGROUP CREATE s h $
        OK
        > XGROUP CREATE s i 2-1
        OK
        > XINFO GROUPS s
        [[name g consumers (int) 0 pending (int) 0 last-delivered-id 0-0 entries-read (nil) lag (int) 5] [name h consumers (int) 0 pending (int) 0 last-delivered-id 5-1 entries-read (nil) lag (int) 0] [name i consumers (int) 0 pending (int) 0 last-delivered-id 2-1 entries-read (nil) lag (nil)]]
        > XREADGROUP GROUP g c COUNT 2 STREAMS s >
        [[s [[1-1 [a 1]] [2-1 [a 2]]]]]
        > XREADGROUP GROUP i c COUNT 1 STREAMS s >
        [[s [[3-1 [a 3]]]]]
        > XINFO GROUPS s
        [[name g consumers (int) 1 pending (int) 2 last-delivered-id 2-1 entries-read (int) 2 lag (int) 3] [name h consumers (int) 0 pending (int) 0 last-delivered-id 5-1 entries-read (nil) lag (int) 0] [name i consumers (int) 1 pending (int) 1 last-delivered-id 3-1 entries-read (nil) lag (nil)]]
        > XDEL s 4-1
        (int) 1
        > XINFO GROUPS s
        [[name g consumers (int) 1 pending (int) 2 last-delivered-id 2-1 entries-read (int) 2 lag (nil)] [name h consumers (int) 0 pending (int) 0 last-delivered-id 5-1 entries-read (nil) lag (int) 0] [name i consumers (int) 1 pending (int) 1 last-delivered-id 3-1 entries-read (nil) lag (nil)]]
        > XREADGROUP GROUP g c COUNT 1 STREAMS s >
        [[s [[3-1 [a 3]]]]]
        > XREADGROUP GROUP i c COUNT 1 STREAMS s >
        [[s [[5-1 [a 5]]]]]
        > XINFO GROUPS s
        [[name g consumers (int) 1 pending (int) 3 last-delivered-id 3-1 entries-read (nil) lag (nil)] [name h consumers (int) 0 pending (int) 0 last-delivered-id 5-1 entries-read (nil) lag (int) 0] [name i consumers (int) 1 pending (int) 2 last-delivered-id 5-1 entries-read (int) 5 lag (int) 0]]
        > XTRIM s MAXLEN 1
        (int) 3
        > XINFO GROUPS s
        [[name g consumers (int) 1 pending (int) 3 last-delivered-id 3-1 entries-read (nil) lag (int) 1] [name h consumers (int) 0 pending (int) 0 last-delivered-id 5-1 entries-read (nil) lag (int) 0] [name i consumers (int) 1 pending (int) 2 last-delivered-id 5-1 entries-read (int) 5 lag (int) 0]]
        > XREADGROUP GROUP g c STREAMS s >
        [[s [[5-1 [a 5]]]]]
        > XADD s 6-1 a 6
        6-1
        > XINFO GROUPS s
        [[name g consumers (int) 1 pending (int) 4 last-delivered-id 5-1 entries-read (int) 5 lag (int) 1] [name h consumers (int) 0 pending (int) 0 last-delivered-id 5-1 entries-read (nil) lag (int) 1] [name i consumers (int) 1 pending (int) 2 last-delivered-id 5-1 entries-read (int) 5 lag (int) 1]]
        > XTRIM s MAXLEN 0
        (int) 2
        > XINFO GROUPS s
        [[name g consumers (int) 1 pending (int) 4 last-delivered-id 5-1 entries-read (int) 5 lag (int) 0] [name h consumers (int) 0 pending (int) 0 last-delivered-id 5-1 entries-read (nil) lag (int) 0] [name i consumers (int) 1 pending (int) 2 last-delivered-id 5-1 entries-read (int) 5 lag (int) 0]]
        > XADD s 7-1 a 7
        7-1
        > XINFO GROUPS s
        [[name g consumers (int) 1 pending (int) 4 last-delivered-id 5-1 entries-read (int) 5 lag (int) 1] [name h consumers (int) 0 pending (int) 0 last-delivered-id 5-1 entries-read (nil) lag (int) 1] [name i consumers (int) 1 pending (int) 2 last-delivered-id 5-1 entries-read (int) 5 lag (int) 1]]
        "#,
    );
}

#[test]
fn clients_wait_for_entries_as_consumers() {
    check(
        r#"
        > XGROUP CREATE s g $ MKSTREAM
        OK
        b> XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        (none)
        c> XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        (none)
        > MULTI
        OK
        > XADD s 1-1 a 1
        QUEUED
        > XADD s 2-1 a 1
        QUEUED
        > EXEC
        [1-1 2-1]
        < b [[s [[1-1 [a 1]] [2-1 [a 1]]]]]
        > XADD s 3-1 a 1
        3-1
        < c [[s [[3-1 [a 1]]]]]
        > XPENDING s g
        [(int) 3 1-1 3-1 [[b 2] [c 1]]]
        b> XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        (none)
        > XGROUP SETID s g 0
        OK
        > XGROUP DESTROY s g
        (int) 1
        < b (error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        > XGROUP CREATE s g $
        OK
        b> XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        (none)
        > DEL s
        (int) 1
        < b (error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        > XGROUP CREATE s g $ MKSTREAM
        OK
        b> XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        (none)
        > SET s x
        OK
        < b (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > DEL s
        (int) 1
        > XGROUP CREATE s g $ MKSTREAM
        OK
        b> XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        (none)
        > FLUSHALL
        OK
        < b (error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        > XGROUP CREATE s g $ MKSTREAM
        OK
        > XGROUP CREATE t g $ MKSTREAM
        OK
        > XADD t 100-0 f v
        100-0
        b> XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        (none)
        > RENAME t s
        OK
        < b [[s [[100-0 [f v]]]]]
        b> XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        (none)
        > SWAPDB 0 5
        OK
        < b (error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        b> XREADGROUP GROUP g b BLOCK 0 STREAMS s 0
        (error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option
        > XGROUP CREATE s g $ MKSTREAM
        OK
        b> XREADGROUP GROUP g b BLOCK 0 STREAMS s 0
        [[s []]]
        > MULTI
        OK
        > XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        QUEUED
        > EXEC
        [(nil)]
        b> XREADGROUP GROUP g b BLOCK 10 STREAMS s >
        (none)
        ~ 20
        < b (nil)
        "#,
    );
}

/// Each of these changes groups, and not what the stream holds.
#[test]
fn watchers_of_a_stream_do_not_hear_of_its_groups() {
    let before = "> XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 2
        2-1
        > XGROUP CREATE s g 0
        OK
        > XGROUP CREATE s h 0
        OK
        > XREADGROUP GROUP g c COUNT 1 STREAMS s >
        [[s [[1-1 [a 1]]]]]
        > WATCH s
        OK
        ";
    let after = "
        > MULTI
        OK
        > XLEN s
        QUEUED
        > EXEC
        [(int) 2]";
    for change in [
        "XREADGROUP GROUP g c STREAMS s >\n[[s [[2-1 [a 2]]]]]",
        "XREADGROUP GROUP g d STREAMS s >\n[[s [[2-1 [a 2]]]]]",
        "XREADGROUP GROUP g d STREAMS s 0\n[[s []]]",
        "XREADGROUP GROUP g c NOACK STREAMS s >\n[[s [[2-1 [a 2]]]]]",
        "XACK s g 1-1\n(int) 1",
        "XACKDEL s g ACKED IDS 1 1-1\n[(int) 2]",
        "XCLAIM s g d 0 1-1 JUSTID\n[1-1]",
        "XCLAIM s g d 0 9-9 LASTID 9-9\n[]",
        "XAUTOCLAIM s g d 0 0 JUSTID\n[0-0 [1-1] []]",
        "XGROUP CREATE s i 0\nOK",
        "XGROUP SETID s g 2-1\nOK",
        "XGROUP CREATECONSUMER s g d\n(int) 1",
        "XGROUP DELCONSUMER s g c\n(int) 1",
        "XGROUP DESTROY s g\n(int) 1",
        "XSETID s 9-9\nOK",
    ] {
        check(&format!("{before}b> {change}{after}"));
    }
    check("> WATCH s\nOK\nb> XGROUP CREATE s g 0 MKSTREAM\nOK\n> MULTI\nOK\n> EXEC\n(nil)");
}
