use crate::runner::check;

#[test]
fn keys_are_deleted_renamed_moved_and_copied() {
    check(
        r#"
        > SET a 1
        OK
        > SADD s x y
        (int) 2
        > EXISTS a a nokey s
        (int) 3
        > TYPE s
        set
        > TYPE nokey
        none
        > RENAME a b
        OK
        > RENAME a b
        (error) ERR no such key
        > RENAMENX b s
        (int) 0
        > COPY s s2
        (int) 1
        > COPY s s2
        (int) 0
        > SADD s2 z
        (int) 1
        > SCARD s
        (int) 2
        > COPY s s
        (error) ERR source and destination objects are the same
        > COPY s t DB 99
        (error) ERR DB index is out of range
        > MOVE b 1
        (int) 1
        > MOVE b 1
        (int) 0
        > MOVE s 0
        (error) ERR source and destination objects are the same
        > DEL s nokey
        (int) 1
        > UNLINK s2
        (int) 1
        > DBSIZE
        (int) 0
        > SELECT 1
        OK
        > GET b
        1
        > SWAPDB 0 1
        OK
        > GET b
        (nil)
        > FLUSHALL
        OK
        > SWAPDB 0 99
        (error) ERR DB index is out of range
        > FLUSHDB NOW
        (error) ERR syntax error
        "#,
    );
}

#[test]
fn keys_expire() {
    check(
        r#"
        > SET a 1
        OK
        > TTL a
        (int) -1
        > EXPIRE a 10
        (int) 1
        > TTL a
        (int) 10
        > EXPIRE a 5 GT
        (int) 0
        > EXPIRE a 20 NX
        (int) 0
        > EXPIRE a 20 XX
        (int) 1
        > PERSIST a
        (int) 1
        > PERSIST a
        (int) 0
        > PEXPIREAT a 4000000000000 GT
        (int) 0
        > PEXPIREAT a 4000000000000 LT
        (int) 1
        > PEXPIRETIME a
        (int) 4000000000000
        > EXPIRETIME a
        (int) 4000000000
        > DEL a
        (int) 1
        > TTL a
        (int) -2
        > EXPIRE a 10
        (int) 0
        > SET a 1
        OK
        > EXPIRE a -1
        (int) 1
        > EXISTS a
        (int) 0
        > SET a 1
        OK
        > EXPIRE a 9223372036854775807
        (error) ERR invalid expire time in 'expire' command
        > EXPIRE a 1 NX GT
        (error) ERR NX and XX, GT or LT options at the same time are not compatible
        > EXPIRE a 1 FOO
        (error) ERR Unsupported option FOO
        > EXPIRE a x
        (error) ERR value is not an integer or out of range
        > SET a 1
        OK
        > PEXPIRE a 100
        (int) 1
        ~ 99
        > GET a
        1
        ~ 2
        > GET a
        (nil)
        > TTL a
        (int) -2
        > SET a 1 PXAT 1700000016000
        OK
        > PTTL a
        (int) 15899
        "#,
    );
}

#[test]
fn keys_are_found() {
    check(
        r#"
        > SET key 1
        OK
        > KEYS k?y
        [key]
        > KEYS z*
        []
        > RANDOMKEY
        key
        > SCAN 0 COUNT 100
        [0 [key]]
        > SCAN 0 MATCH z*
        [0 []]
        > SCAN 0 TYPE list
        [0 []]
        > SCAN x
        (error) ERR invalid cursor
        > SCAN 0 COUNT 0
        (error) ERR syntax error
        > OBJECT ENCODING key
        int
        > OBJECT REFCOUNT key
        (int) 1
        > OBJECT IDLETIME key
        (int) 0
        > OBJECT FREQ key
        (error) ERR An LFU maxmemory policy is not selected...
        > OBJECT ENCODING nokey
        (nil)
        "#,
    );
}

#[test]
fn elements_are_sorted() {
    check(
        r#"
        > SADD s 3 1 2
        (int) 3
        > SORT s
        [1 2 3]
        > SORT s DESC LIMIT 0 2
        [3 2]
        > SET w1 9
        OK
        > SET w2 8
        OK
        > HSET h3 f 7
        (int) 1
        > SORT s BY w*
        [3 2 1]
        > SORT s GET # GET w* GET h*->f
        [1 9 (nil) 2 8 (nil) 3 (nil) 7]
        > SORT s STORE dest
        (int) 3
        > TYPE dest
        list
        > SADD t b a
        (int) 2
        > SORT t
        (error) ERR One or more scores can't be converted into double
        > SORT t ALPHA
        [a b]
        > SORT_RO t ALPHA STORE x
        (error) ERR syntax error
        > SORT nokey
        []
        > HSET h f v
        (int) 1
        > SORT h
        (error) WRONGTYPE...
        "#,
    );
}

#[test]
fn waiting_for_replicas_is_in_vain() {
    check(
        r#"
        > WAIT 0 0
        (int) 0
        > WAIT 1 100
        (none)
        ~ 150
        < a (int) 0
        > WAIT 1 -1
        (error) ERR timeout is negative
        > WAITAOF 1 0 0
        (error) ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.
        > WAITAOF 0 0 0
        [(int) 0 (int) 0]
        "#,
    );
}

#[test]
fn keys_may_expire_at_the_end_of_time() {
    check(
        r#"
        > SET k v
        OK
        > PEXPIREAT k 9223372036854775807
        (int) 1
        > PEXPIRETIME k
        (int) 9223372036854775807
        > EXPIRETIME k
        (int) 9223372036854776
        > PERSIST k
        (int) 1
        > SET k v PXAT 9223372036854775807
        OK
        > GETEX k PXAT 9223372036854775806
        v
        > PEXPIRETIME k
        (int) 9223372036854775806
        "#,
    );
}
#[test]
fn sorting_takes_patterns_and_limits() {
    check(
        r#"
        > RPUSH l 3 1 2 10
        (int) 4
        > SORT l
        [1 2 3 10]
        > SORT l ALPHA DESC
        [3 2 10 1]
        > SORT l LIMIT -1 2
        [1 2]
        > SORT l LIMIT 1 -2
        [2 3 10]
        > SORT l LIMIT 10 2
        []
        > SORT l LIMIT a 2
        (error) ERR value is not an integer or out of range
        > SORT l LIMIT 1
        (error) ERR syntax error
        > SORT l BY nosort
        [3 1 2 10]
        > SORT l BY nosort DESC LIMIT 0 2
        [10 2]
        > SORT l BY
        (error) ERR syntax error
        > SORT l FOO
        (error) ERR syntax error
        > MSET w_1 5 w_2 4 w_3 x
        OK
        > SORT l BY w_*
        (error) ERR One or more scores can't be converted into double
        > SORT l BY w_* ALPHA GET # GET w_* GET h_*->f GET nopattern
        [10 (nil) (nil) (nil) 2 4 (nil) (nil) 1 5 (nil) (nil) 3 x (nil) (nil)]
        > HSET h_1 f 1 g 9
        (int) 2
        > HSET h_2 f 0 g 8
        (int) 2
        > SORT l BY h_*->f GET # GET h_*->g
        [10 (nil) 2 8 3 (nil) 1 9]
        > SORT l STORE dst GET # GET w_*
        (int) 8
        > LRANGE dst 0 -1
        [1 5 2 4 3 x 10 ""]
        > SORT nokey STORE dst
        (int) 0
        > EXISTS dst
        (int) 0
        > ZADD z 3 a 1 b 2 c 2 d
        (int) 4
        > SORT z BY nosort DESC LIMIT 1 2
        [d c]
        > SORT z BY nosort GET nokey_* STORE l9
        (int) 4
        > LRANGE l9 0 -1
        ["" "" "" ""]
        > SORT w_1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > RPUSH n 1.5 -inf +3 0x10 1e2
        (int) 5
        > SORT n
        !reference differs: Redis 8.2 and Valkey take no hexadecimal numbers here, 7.0 and 8.10 do
        [-inf 1.5 +3 0x10 1e2]
        > RPUSH n nan
        (int) 6
        > SORT n
        (error) ERR One or more scores can't be converted into double
        "#,
    );
}

#[test]
fn expiries_are_set_on_conditions() {
    check(
        r#"
        > SET a 1
        OK
        > EXPIRE a abc
        (error) ERR value is not an integer or out of range
        > EXPIRE a 10 FOO
        (error) ERR Unsupported option FOO
        > EXPIRE a 10 NX XX
        (error) ERR NX and XX, GT or LT options at the same time are not compatible
        > EXPIRE a 10 GT LT
        (error) ERR GT and LT options at the same time are not compatible
        > EXPIRE a 10 NX GT
        (error) ERR NX and XX, GT or LT options at the same time are not compatible
        > EXPIRE a 10 XX GT
        (int) 0
        > EXPIRE a 100 NX
        (int) 1
        > EXPIRE a 100 NX
        (int) 0
        > EXPIRE a 50 GT
        (int) 0
        > EXPIRE a 200 XX GT
        (int) 1
        > EXPIRE a 10 LT
        (int) 1
        > EXPIRE a 9223372036854775807
        (error) ERR invalid expire time in 'expire' command
        > PEXPIRE a 9223372036854775807
        (error) ERR invalid expire time in 'pexpire' command
        > EXPIREAT a 9223372036854775807
        (error) ERR invalid expire time in 'expireat' command
        > EXPIRE a -9223372036854775808
        (error) ERR invalid expire time in 'expire' command
        > EXPIRE nokey 10 FOO
        (error) ERR Unsupported option FOO
        > EXPIRE nokey 10
        (int) 0
        > PERSIST a
        (int) 1
        > PERSIST a
        (int) 0
        > EXPIRE a 10 GT
        (int) 0
        > EXPIRE a 10 LT
        (int) 1
        > EXPIRE a -1 GT
        (int) 0
        > EXPIRE a 0 XX
        (int) 1
        > EXISTS a
        (int) 0
        "#,
    );
}

#[test]
fn keys_are_copied_moved_and_renamed_within_bounds() {
    check(
        r#"
        > SET a 1
        OK
        > COPY a a
        (error) ERR source and destination objects are the same
        > COPY a b
        (int) 1
        > COPY a b DB 0
        (int) 0
        > COPY a b REPLACE DB 1
        (int) 1
        > COPY a b DB 100
        (error) ERR DB index is out of range
        > COPY a b DB abc
        (error) ERR value is not an integer or out of range
        > COPY a b FOO
        (error) ERR syntax error
        > COPY a b DB
        (error) ERR syntax error
        > COPY nokey b
        (int) 0
        > RENAME nokey a
        (error) ERR no such key
        > RENAME a a
        OK
        > RENAMENX a a
        (int) 0
        > RENAMENX a b
        (int) 0
        > MOVE a 0
        (error) ERR source and destination objects are the same
        > MOVE a abc
        (error) ERR value is not an integer or out of range
        > MOVE a -1
        (error) ERR DB index is out of range
        > MOVE nokey 1
        (int) 0
        > MOVE b 1
        (int) 0
        > SCAN abc
        (error) ERR invalid cursor
        > SCAN 0 COUNT 0
        (error) ERR syntax error
        > SCAN 0 MATCH
        (error) ERR syntax error
        > SCAN 0 TYPE foo
        [0 []]
        > WAIT 0 abc
        (error) ERR timeout is not an integer or out of range
        > WAIT 0 9223372036854775807
        (error) ERR timeout is out of range
        > WAITAOF 0 0 abc
        (error) ERR timeout is not an integer or out of range
        > WAITAOF 2 0 0
        (error) ERR value is out of range, value must between 0 and 1
        > WAITAOF 0 -1 0
        (error) ERR value is out of range, must be positive
        > SWAPDB 0 abc
        (error) ERR invalid second DB index
        > SWAPDB abc 0
        (error) ERR invalid first DB index
        > SWAPDB 0 100
        (error) ERR DB index is out of range
        > FLUSHDB FOO
        (error) ERR syntax error
        > FLUSHALL ASYNC FOO
        (error) ERR syntax error
        "#,
    );
}

#[test]
fn flushing_waits_for_what_it_frees() {
    check(
        "> MSET a 1 b 2
        OK
        > FLUSHALL
        OK
        > SET a 1
        OK
        > MULTI
        OK
        > FLUSHALL
        QUEUED
        > FLUSHDB SYNC
        QUEUED
        > EXEC
        [OK OK]
        > SET a 1
        OK
        b> FLUSHDB
        OK
        > EXISTS a
        (int) 0",
    );
}

#[test]
fn odd_expiries_and_patterns_are_survived() {
    check(
        "> SET a 1
        OK
        > PEXPIREAT a 9223372036854770000
        (int) 1
        ~ 10
        > PEXPIREAT a -9223372036854770000
        (int) 1
        > TTL a
        (int) -2
        > BITPOS a 1 0 x hello
        (error) ERR syntax error
        > BITPOS a 1 0 x BIT
        (error) ERR value is not an integer or out of range
        > COMMAND GETKEYSANDFLAGS set a 1
        [[a [OW update]]]
        > COMMAND GETKEYS eval s 1
        []
        > COMMAND GETKEYS fcall f x a
        []
        > COMMAND GETKEYS zunion 2 a
        (error) ERR Invalid arguments specified for command
        > COMMAND GETKEYSANDFLAGS set a 1 EX 1 get
        [[a [RW access update]]]
        > COMMAND GETKEYSANDFLAGS bitfield a get u8 0
        [[a [RO access]]]
        > COMMAND GETKEYSANDFLAGS bitfield a get u8
        [[a [RW access update]]]",
    );
}

#[test]
fn of_elements_with_the_same_text_a_limit_picks_those_that_redis_picks() {
    check(
        "> RPUSH l 1 2 3 4 5 6 7 8 9 10
         (int) 10
         > MSET w1 a w2 b w3 a w4 b w5 a w6 b w7 a
         OK
         > SORT l BY w* ALPHA LIMIT 0 3
         [10 8 9]
         > SORT l BY w* ALPHA LIMIT 2 5
         [9 7 1 3 5]
         > SORT l BY w* ALPHA DESC LIMIT 0 4
         [2 6 4 7]
         > SORT l BY w* ALPHA LIMIT 0 10
         [8 9 10 1 3 5 7 2 4 6]
         > SORT l BY w* ALPHA DESC
         [2 4 6 1 3 5 7 8 9 10]",
    );
}
