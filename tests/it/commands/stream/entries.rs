use crate::runner::{check, check3};

#[test]
fn entries_are_added_and_read() {
    check(
        r#"
        > XADD s 1-1 a 1
        1-1
        > XADD s 1-2 a 2 b 3
        1-2
        > XADD s 2-* a 3
        2-0
        > XADD s 2-* a 4
        2-1
        > XADD s 5 "" ""
        5-0
        > XLEN s
        (int) 5
        > XLEN nokey
        (int) 0
        > TYPE s
        stream
        > OBJECT ENCODING s
        stream
        > XRANGE s - +
        [[1-1 [a 1]] [1-2 [a 2 b 3]] [2-0 [a 3]] [2-1 [a 4]] [5-0 ["" ""]]]
        > XREVRANGE s + -
        [[5-0 ["" ""]] [2-1 [a 4]] [2-0 [a 3]] [1-2 [a 2 b 3]] [1-1 [a 1]]]
        > XRANGE s 1-2 2
        [[1-2 [a 2 b 3]] [2-0 [a 3]] [2-1 [a 4]]]
        > XRANGE s (1-1 (2-1
        [[1-2 [a 2 b 3]] [2-0 [a 3]]]
        > XREVRANGE s (5 (1-1
        [[5-0 ["" ""]] [2-1 [a 4]] [2-0 [a 3]] [1-2 [a 2 b 3]]]
        > XRANGE s 2 1
        []
        > XRANGE s - + COUNT 2
        [[1-1 [a 1]] [1-2 [a 2 b 3]]]
        > XREVRANGE s + - COUNT 1
        [[5-0 ["" ""]]]
        > XRANGE s - + COUNT 0
        (nil)
        > XRANGE s - + COUNT -1
        (nil)
        > XRANGE s - + COUNT 1 COUNT 2
        [[1-1 [a 1]] [1-2 [a 2 b 3]]]
        > XRANGE nokey - +
        []
        > XREVRANGE nokey + - COUNT 0
        []
        > XADD big 18446744073709551615-18446744073709551615 a 1
        18446744073709551615-18446744073709551615
        > XADD big * a 1
        (error) ERR The stream has exhausted the last possible ID, unable to add more items
        > XADD big 5 a 1
        (error) ERR The stream has exhausted the last possible ID, unable to add more items
        > XADD zero 0-* a 1
        0-1
        > XADD seq 1-18446744073709551615 a 1
        1-18446744073709551615
        > XADD seq 1-* a 1
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD seq 2-* a 1
        2-0
        > DEBUG DIGEST-VALUE nokey
        (error) ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.
        "#,
    );
}

#[test]
fn entries_are_refused() {
    check(
        r#"
        > XADD s * a
        (error) ERR wrong number of arguments for 'xadd' command
        > XADD s * a 1 b
        (error) ERR wrong number of arguments for 'xadd' command
        > XADD s 0-0 a 1
        (error) ERR The ID specified in XADD must be greater than 0-0
        > XADD s 0 a 1
        (error) ERR The ID specified in XADD must be greater than 0-0
        > XADD s - a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s + a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s *-1 a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s -* a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s 1-2-3 a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s abc a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s 9- a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s -9 a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s "7 " a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XADD s 18446744073709551616 a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > EXISTS s
        (int) 0
        > XADD s " +06-\t 07" a 1
        6-7
        > XADD s 6-7 a 1
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD s 6-6 a 1
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD s 5-* a 1
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD n NOMKSTREAM 1-1 a 1
        (nil)
        > XADD n NOMKSTREAM * a
        (error) ERR wrong number of arguments for 'xadd' command
        > EXISTS n
        (int) 0
        > SET str x
        OK
        > XADD str * a 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XADD str 0-0 a 1
        (error) ERR The ID specified in XADD must be greater than 0-0
        > XADD str 1-1 a
        (error) ERR wrong number of arguments for 'xadd' command
        > XLEN str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XRANGE str - +
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XRANGE str x +
        (error) ERR Invalid stream ID specified as stream command argument
        > XRANGE s x +
        (error) ERR Invalid stream ID specified as stream command argument
        > XRANGE s - +x
        (error) ERR Invalid stream ID specified as stream command argument
        > XRANGE s ( +
        (error) ERR Invalid stream ID specified as stream command argument
        > XRANGE s (- +
        (error) ERR Invalid stream ID specified as stream command argument
        > XRANGE s - (0-0
        (error) ERR invalid end ID for the interval
        > XRANGE s - (0
        []
        > XRANGE s (18446744073709551615-18446744073709551615 +
        (error) ERR invalid start ID for the interval
        > XRANGE s - + COUNT
        (error) ERR syntax error
        > XRANGE s - + COUNT x
        (error) ERR value is not an integer or out of range
        > XRANGE s - + FOO 1
        (error) ERR syntax error
        > XTRIM s FOO 1
        (error) ERR syntax error
        > XTRIM s MAXLEN x
        (error) ERR value is not an integer or out of range
        > XTRIM s MAXLEN -1
        (error) ERR The MAXLEN argument must be >= 0.
        > XTRIM s MINID x
        (error) ERR Invalid stream ID specified as stream command argument
        > XTRIM s MAXLEN 1 LIMIT 2
        (error) ERR syntax error, LIMIT cannot be used without the special ~ option
        > XTRIM s MAXLEN = 1 LIMIT 2
        (error) ERR syntax error, LIMIT cannot be used without the special ~ option
        > XTRIM s MAXLEN ~ 1 LIMIT -2
        (error) ERR The LIMIT argument must be >= 0.
        > XTRIM s MAXLEN ~ 1 LIMIT x
        (error) ERR value is not an integer or out of range
        > XTRIM s MAXLEN 5 MINID 5
        (error) ERR syntax error, MAXLEN and MINID options at the same time are not compatible
        > XTRIM s MINID 5 FOO
        (error) ERR syntax error
        > XTRIM str MAXLEN 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XTRIM nokey MAXLEN 0
        (int) 0
        > XADD s MAXLEN x * a 1
        (error) ERR value is not an integer or out of range
        > XADD s MAXLEN ~ -1 * a 1
        (error) ERR The MAXLEN argument must be >= 0.
        > XADD s MAXLEN 5 LIMIT 3 * a 1
        (error) ERR syntax error, LIMIT cannot be used without the special ~ option
        > XADD s MAXLEN 5 MINID 3 * a 1
        (error) ERR syntax error, MAXLEN and MINID options at the same time are not compatible
        > XADD s LIMIT 5 * a 1
        (error) ERR syntax error, LIMIT cannot be used without specifying a trimming strategy
        > XADD s MINID - 103-1 a 1
        (error) ERR Invalid stream ID specified as stream command argument
        > XDEL s x
        (error) ERR Invalid stream ID specified as stream command argument
        > XDEL nokey x
        (int) 0
        > XDEL str 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SORT s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > INCR s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn entries_are_deleted_and_cut_off() {
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
        > XDEL s 2-1 2-1 9-9
        (int) 1
        > XRANGE s - +
        [[1-1 [a 1]] [3-1 [a 3]] [4-1 [a 4]] [5-1 [a 5]]]
        > XREVRANGE s + -
        [[5-1 [a 5]] [4-1 [a 4]] [3-1 [a 3]] [1-1 [a 1]]]
        > XTRIM s MAXLEN 3
        (int) 1
        > XRANGE s - +
        [[3-1 [a 3]] [4-1 [a 4]] [5-1 [a 5]]]
        > XTRIM s MAXLEN ~ 1
        (int) 0
        > XTRIM s MINID 4-1
        (int) 1
        > XRANGE s - +
        [[4-1 [a 4]] [5-1 [a 5]]]
        > XTRIM s MINID = 5-0
        (int) 1
        > XTRIM s MAXLEN 0
        (int) 1
        > XLEN s
        (int) 0
        > EXISTS s
        (int) 1
        > XADD s 5-1 a 1
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD s MAXLEN 2 6-1 a 1
        6-1
        > XADD s MAXLEN = 2 7-1 a 1
        7-1
        > XADD s MAXLEN 2 8-1 a 1
        8-1
        > XRANGE s - +
        [[7-1 [a 1]] [8-1 [a 1]]]
        > XADD s MINID 8-1 9-1 a 1
        9-1
        > XADD s MINID ~ 9-1 10-1 a 1
        10-1
        > XLEN s
        (int) 3
        > XADD e MAXLEN 0 1-1 a 1
        1-1
        > XLEN e
        (int) 0
        > XDEL s 8-1 9-1 10-1
        (int) 3
        > XLEN s
        (int) 0
        > EXISTS s
        (int) 1
        > XRANGE s - +
        []
        > XADD s 10-1 a 1
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > CONFIG SET stream-node-max-entries 2
        OK
        > XADD t 1-1 a 1
        1-1
        > XADD t 2-1 a 1
        2-1
        > XADD t 3-1 a 1
        3-1
        > XADD t 4-1 a 1
        4-1
        > XADD t 5-1 a 1
        5-1
        > XTRIM t MAXLEN ~ 2
        (int) 2
        > XTRIM t MAXLEN ~ 0 LIMIT 1
        (int) 0
        > XTRIM t MAXLEN ~ 0 LIMIT 2
        (int) 2
        > XLEN t
        (int) 1
        > XADD t MAXLEN ~ 0 LIMIT 0 6-1 a 1
        6-1
        > XLEN t
        (int) 0
        "#,
    );
}

#[test]
fn the_last_id_is_set() {
    check(
        r#"
        > XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 1
        2-1
        > XADD s 3-1 a 1
        3-1
        > XDEL s 2-1
        (int) 1
        > XSETID s 2-9
        (error) ERR The ID specified in XSETID is smaller than the target stream top item
        > XSETID s 9-9
        OK
        > XADD s 9-9 a 1
        (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
        > XADD s 9-* a 1
        9-10
        > XSETID nokey 1-1
        (error) ERR no such key
        > XSETID s x
        (error) ERR Invalid stream ID specified as stream command argument
        > XSETID s 99-9 ENTRIESADDED 400 MAXDELETEDID 100-1
        (error) ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id
        > XSETID s 99-9 ENTRIESADDED 1 MAXDELETEDID 1-1
        (error) ERR The entries_added specified in XSETID is smaller than the target stream length
        > XSETID s 99-9 ENTRIESADDED -1 MAXDELETEDID 1-1
        (error) ERR entries_added must be positive
        > XSETID s 99-9 ENTRIESADDED x MAXDELETEDID 1-1
        (error) ERR value is not an integer or out of range
        > XSETID s 99-9 ENTRIESADDED 400 MAXDELETEDID 99-9
        OK
        > XSETID s 99-8
        (error) ERR The ID specified in XSETID is smaller than current max_deleted_entry_id
        > XSETID s 99-9 FOO
        (error) ERR syntax error
        > SET str x
        OK
        > XSETID str 1-1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn streams_are_read_from_where_one_is() {
    check(
        r#"
        > XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 2
        2-1
        > XADD t 1-1 x 1
        1-1
        > XREAD STREAMS s t 0 0
        [[s [[1-1 [a 1]] [2-1 [a 2]]]] [t [[1-1 [x 1]]]]]
        > XREAD STREAMS s t 1 1-1
        [[s [[1-1 [a 1]] [2-1 [a 2]]]]]
        > XREAD COUNT 1 STREAMS s t 0 0
        [[s [[1-1 [a 1]]]] [t [[1-1 [x 1]]]]]
        > XREAD COUNT 0 STREAMS s 0
        [[s [[1-1 [a 1]] [2-1 [a 2]]]]]
        > XREAD COUNT -5 STREAMS s 0
        [[s [[1-1 [a 1]] [2-1 [a 2]]]]]
        > XREAD STREAMS s $
        (nil)
        > XREAD STREAMS s nokey t + + +
        [[s [[2-1 [a 2]]]] [t [[1-1 [x 1]]]]]
        > XREAD COUNT 5 STREAMS s +
        [[s [[2-1 [a 2]]]]]
        > XREAD STREAMS nokey 0
        (nil)
        > XREAD STREAMS nokey $
        (nil)
        > XREAD STREAMS s 18446744073709551615-18446744073709551615
        (nil)
        > XREAD STREAMS s
        (error) ERR wrong number of arguments for 'xread' command
        > XREAD STREAMS s t 0
        (error) ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.
        > XREAD COUNT x STREAMS s 0
        (error) ERR value is not an integer or out of range
        > XREAD BLOCK x STREAMS s 0
        (error) ERR timeout is not an integer or out of range
        > XREAD BLOCK -1 STREAMS s 0
        (error) ERR timeout is negative
        > XREAD FOO STREAMS s 0
        (error) ERR syntax error
        > XREAD COUNT 1 s 0
        (error) ERR syntax error
        > XREAD NOACK STREAMS s 0
        (error) ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.
        > XREAD GROUP g c STREAMS s 0
        (error) ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.
        > XREAD STREAMS s >
        (error) ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.
        > XREAD STREAMS s x
        (error) ERR Invalid stream ID specified as stream command argument
        > XREAD STREAMS s -
        (error) ERR Invalid stream ID specified as stream command argument
        > SET str x
        OK
        > XREAD STREAMS str 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XREAD STREAMS s str 0 x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > MULTI
        OK
        > XREAD BLOCK 0 STREAMS nokey $
        QUEUED
        > EXEC
        [(nil)]
        > XDEL s 2-1
        (int) 1
        > XREAD STREAMS s 1-1
        (nil)
        > XREAD STREAMS s +
        [[s [[1-1 [a 1]]]]]
        > COMMAND GETKEYS XREAD COUNT 1 STREAMS a b 0 0
        [a b]
        "#,
    );
}

#[test]
fn maps_are_read_in_resp3() {
    check3(
        r#"
        > XADD s 1-1 a 1
        1-1
        > XADD t 1-1 b 2
        1-1
        > XREAD STREAMS s t 0 0
        {s: [[1-1 [a 1]]], t: [[1-1 [b 2]]]}
        > XREAD STREAMS s $
        (nil)
        > XRANGE s - +
        [[1-1 [a 1]]]
        > XGROUP CREATE s g 0
        OK
        > XREADGROUP GROUP g c STREAMS s >
        {s: [[1-1 [a 1]]]}
        > XDEL s 1-1
        (int) 1
        > XREADGROUP GROUP g c STREAMS s 0
        {s: [[1-1 (nil)]]}
        > XPENDING s g
        [(int) 1 1-1 1-1 [[c 1]]]
        > XPENDING s g - + 10
        [[1-1 c (int) ... (int) 1]]
        > XINFO STREAM s
        !reference differs: Redis 8.2 says less of it
        {length: (int) 0, radix-tree-keys: (int) 0, radix-tree-nodes: (int) 1, last-generated-id: 1-1, max-deleted-entry-id: 1-1, entries-added: (int) 1, recorded-first-entry-id: 0-0, idmp-duration: (int) 100, idmp-maxsize: (int) 100, pids-tracked: (int) 0, iids-tracked: (int) 0, iids-added: (int) 0, iids-duplicates: (int) 0, groups: (int) 1, first-entry: (nil), last-entry: (nil)}
        > XINFO STREAM s FULL
        !reference differs: Redis 8.2 says less of it
        {length: (int) 0, radix-tree-keys: (int) 0, radix-tree-nodes: (int) 1, last-generated-id: 1-1, max-deleted-entry-id: 1-1, entries-added: (int) 1, recorded-first-entry-id: 0-0, idmp-duration: (int) 100, idmp-maxsize: (int) 100, pids-tracked: (int) 0, iids-tracked: (int) 0, iids-added: (int) 0, iids-duplicates: (int) 0, entries: [], groups: [{name: g, last-delivered-id: 1-1, entries-read: (int) 1, lag: (int) 0, pel-count: (int) 1, nacked-count: (int) 0, pending: [[1-1 c (int) ... (int) 1]], consumers: [{name: c, seen-time: (int) ..., active-time: (int) ..., pel-count: (int) 1, pending: [[1-1 (int) ... (int) 1]]}]}]}
        > XINFO GROUPS s
        [{name: g, consumers: (int) 1, pending: (int) 1, last-delivered-id: 1-1, entries-read: (int) 1, lag: (int) 0}]
        > XINFO CONSUMERS s g
        [{name: c, pending: (int) 1, idle: (int) ..., inactive: (int) ...}]
        > XAUTOCLAIM s g d 0 0
        [0-0 [] [1-1]]
        > XPENDING s g
        [(int) 0 (nil) (nil) (nil)]
        "#,
    );
}

#[test]
fn clients_wait_for_entries() {
    check(
        r#"
        b> XREAD BLOCK 0 STREAMS s $
        (none)
        c> XREAD COUNT 1 BLOCK 0 STREAMS nokey s 0 0
        (none)
        > XADD s 1-1 a 1
        1-1
        < b [[s [[1-1 [a 1]]]]]
        < c [[s [[1-1 [a 1]]]]]
        b> XREAD BLOCK 0 STREAMS s $
        (none)
        > XADD s MAXLEN 0 1-2 a 1
        1-2
        > XADD s 1-3 a 1
        1-3
        < b [[s [[1-3 [a 1]]]]]
        b> XREAD BLOCK 0 STREAMS s 1-3
        (none)
        > MULTI
        OK
        > XADD s 1-4 a 1
        QUEUED
        > DEL s
        QUEUED
        > EXEC
        [1-4 (int) 1]
        > XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 1
        2-1
        < b [[s [[2-1 [a 1]]]]]
        b> XREAD BLOCK 0 STREAMS l +
        (none)
        > LPUSH l x
        (int) 1
        > DEL l
        (int) 1
        > MULTI
        OK
        > XADD l 1-1 a 1
        QUEUED
        > XADD l 2-1 a 1
        QUEUED
        > EXEC
        [1-1 2-1]
        < b [[l [[2-1 [a 1]]]]]
        b> XREAD BLOCK 0 STREAMS m $
        (none)
        > XGROUP CREATE m g $ MKSTREAM
        OK
        > XADD m 1-1 a 1
        1-1
        < b [[m [[1-1 [a 1]]]]]
        b> XREAD BLOCK 0 STREAMS r $
        (none)
        > RENAME m r
        OK
        < b [[r [[1-1 [a 1]]]]]
        b> XREAD BLOCK 10 STREAMS s 2-1
        (none)
        ~ 20
        < b (nil)
        "#,
    );
}

#[test]
fn a_stream_is_told_of() {
    check(
        r#"
        > XADD s 1-1 a 1
        1-1
        > XADD s 2-1 a 2
        2-1
        > XADD s 3-1 a 3
        3-1
        > XDEL s 2-1
        (int) 1
        > XINFO STREAM s
        !reference differs: Redis 8.2 says less of it
        [length (int) 2 radix-tree-keys (int) 1 radix-tree-nodes (int) 1 last-generated-id 3-1 max-deleted-entry-id 2-1 entries-added (int) 3 recorded-first-entry-id 1-1 idmp-duration (int) 100 idmp-maxsize (int) 100 pids-tracked (int) 0 iids-tracked (int) 0 iids-added (int) 0 iids-duplicates (int) 0 groups (int) 0 first-entry [1-1 [a 1]] last-entry [3-1 [a 3]]]
        > XINFO STREAM s FULL
        !reference differs: Redis 8.2 says less of it
        [length (int) 2 radix-tree-keys (int) 1 radix-tree-nodes (int) 1 last-generated-id 3-1 max-deleted-entry-id 2-1 entries-added (int) 3 recorded-first-entry-id 1-1 idmp-duration (int) 100 idmp-maxsize (int) 100 pids-tracked (int) 0 iids-tracked (int) 0 iids-added (int) 0 iids-duplicates (int) 0 entries [[1-1 [a 1]] [3-1 [a 3]]] groups []]
        > XINFO STREAM s FULL COUNT 1
        !reference differs: Redis 8.2 says less of it
        [length (int) 2 radix-tree-keys (int) 1 radix-tree-nodes (int) 1 last-generated-id 3-1 max-deleted-entry-id 2-1 entries-added (int) 3 recorded-first-entry-id 1-1 idmp-duration (int) 100 idmp-maxsize (int) 100 pids-tracked (int) 0 iids-tracked (int) 0 iids-added (int) 0 iids-duplicates (int) 0 entries [[1-1 [a 1]]] groups []]
        > XINFO STREAM s FULL COUNT 0
        !reference differs: Redis 8.2 says less of it
        [length (int) 2 radix-tree-keys (int) 1 radix-tree-nodes (int) 1 last-generated-id 3-1 max-deleted-entry-id 2-1 entries-added (int) 3 recorded-first-entry-id 1-1 idmp-duration (int) 100 idmp-maxsize (int) 100 pids-tracked (int) 0 iids-tracked (int) 0 iids-added (int) 0 iids-duplicates (int) 0 entries [[1-1 [a 1]] [3-1 [a 3]]] groups []]
        > XINFO STREAM s FOO
        (error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        > XINFO STREAM s FULL FOO
        (error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        > XINFO STREAM s FULL COUNT
        (error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.
        > XINFO STREAM s FULL COUNT x
        (error) ERR value is not an integer or out of range
        > XINFO STREAM nokey
        (error) ERR no such key
        > XINFO GROUPS nokey
        (error) ERR no such key
        > XINFO CONSUMERS nokey g
        (error) ERR no such key
        > XINFO CONSUMERS s g
        (error) NOGROUP No such consumer group 'g' for key name 's'
        > XINFO GROUPS s
        []
        > XTRIM s MAXLEN 0
        (int) 2
        > XINFO STREAM s
        !reference differs: Redis 8.2 says less of it
        [length (int) 0 radix-tree-keys (int) 0 radix-tree-nodes (int) 1 last-generated-id 3-1 max-deleted-entry-id 2-1 entries-added (int) 3 recorded-first-entry-id 0-0 idmp-duration (int) 100 idmp-maxsize (int) 100 pids-tracked (int) 0 iids-tracked (int) 0 iids-added (int) 0 iids-duplicates (int) 0 groups (int) 0 first-entry (nil) last-entry (nil)]
        > SET str x
        OK
        > XINFO STREAM str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > XINFO FOO
        (error) ERR unknown subcommand 'FOO'. Try XINFO HELP.
        > XINFO
        (error) ERR wrong number of arguments for 'xinfo' command
        > XINFO HELP x
        (error) ERR wrong number of arguments for 'xinfo|help' command
        > XGROUP FOO
        (error) ERR unknown subcommand 'FOO'. Try XGROUP HELP.
        > XGROUP
        (error) ERR wrong number of arguments for 'xgroup' command
        "#,
    );
}
