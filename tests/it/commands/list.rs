use crate::runner::{check, check3};

#[test]
fn elements_are_added_read_and_changed() {
    check(
        r#"
        > RPUSH l a b c
        (int) 3
        > LPUSH l 1 2
        (int) 5
        > LPUSHX l x
        (int) 6
        > RPUSHX l ""
        (int) 7
        > LPUSHX nokey a
        (int) 0
        > LLEN l
        (int) 7
        > LLEN nokey
        (int) 0
        > LRANGE l 0 -1
        [x 2 1 a b c ""]
        > LRANGE l -3 100
        [b c ""]
        > LRANGE l 5 2
        []
        > LRANGE l a 2
        (error) ERR value is not an integer or out of range
        > LRANGE nokey 0 -1
        []
        > LINDEX l 0
        x
        > LINDEX l -1
        ""
        > LINDEX l 100
        (nil)
        > LINDEX l abc
        (error) ERR value is not an integer or out of range
        > LINDEX nokey abc
        (nil)
        > LSET l -1 z
        OK
        > LSET l 100 a
        (error) ERR index out of range
        > LSET l abc a
        (error) ERR value is not an integer or out of range
        > LSET nokey abc a
        (error) ERR no such key
        > LINSERT l BEFORE b B
        (int) 8
        > LINSERT l after z 9223372036854775808
        (int) 9
        > LINSERT l BEFORE nothere x
        (int) -1
        > LINSERT l FOO a b
        (error) ERR syntax error
        > LINSERT nokey BEFORE a b
        (int) 0
        > LRANGE l 0 -1
        [x 2 1 a B b c z 9223372036854775808]
        > LREM l -1 b
        (int) 1
        > LREM l 0 nothere
        (int) 0
        > LREM nokey abc a
        (error) ERR value is not an integer or out of range
        > LREM nokey 1 a
        (int) 0
        > RPUSH m a b a c a d a
        (int) 7
        > LREM m -2 a
        (int) 2
        > LRANGE m 0 -1
        [a b a c d]
        > LREM m 0 a
        (int) 2
        > LTRIM m 1 -1
        OK
        > LRANGE m 0 -1
        [c d]
        > LTRIM m 5 10
        OK
        > EXISTS m
        (int) 0
        > LTRIM m 0 a
        (error) ERR value is not an integer or out of range
        > SET s x
        OK
        > LPUSH s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > RPUSHX s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LRANGE s 0 -1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LLEN s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LINDEX s abc
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LSET s 0 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LINSERT s BEFORE a b
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LREM s 0 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LTRIM s 0 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn elements_are_taken_from_the_ends() {
    check(
        r#"
        > RPUSH l 1 2 3 4 5 6 7 8 9
        (int) 9
        > LPOP l
        1
        > RPOP l
        9
        > LPOP l 2
        [2 3]
        > RPOP l 2
        [8 7]
        > LPOP l 0
        []
        > LPOP l -1
        (error) ERR value is out of range, must be positive
        > LPOP l abc
        (error) ERR value is out of range, must be positive
        > LPOP l 1 2
        (error) ERR wrong number of arguments for 'lpop' command
        > LPOP nokey
        (nil)
        > LPOP nokey 0
        (nil)
        > LPOP nokey -1
        (error) ERR value is out of range, must be positive
        > LMPOP 2 nokey l RIGHT COUNT 2
        [l [6 5]]
        > LMPOP 1 l LEFT
        [l [4]]
        > EXISTS l
        (int) 0
        > LMPOP 1 l LEFT
        (nil)
        > LMPOP 0 l LEFT
        (error) ERR numkeys should be greater than 0
        > LMPOP abc l LEFT
        (error) ERR numkeys should be greater than 0
        > LMPOP 2 l LEFT
        (error) ERR syntax error
        > LMPOP 1 l FOO
        (error) ERR syntax error
        > LMPOP 1 l LEFT COUNT 0
        (error) ERR count should be greater than 0
        > LMPOP 1 l LEFT COUNT
        (error) ERR syntax error
        > LMPOP 1 l LEFT COUNT 1 COUNT 1
        (error) ERR syntax error
        > SET s x
        OK
        > LPOP s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > RPOP s 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LMPOP 2 nokey s LEFT
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn nothing_is_a_null_of_its_own_in_resp3() {
    check3(
        r#"
        > LPOP nokey
        (nil)
        > LPOP nokey 2
        (nil)
        > LMPOP 1 nokey LEFT
        (nil)
        > LMOVEM nokey d LEFT LEFT
        (nil)
        > LPOS nokey a
        (nil)
        "#,
    );
}

#[test]
fn elements_move_between_lists() {
    check(
        r#"
        > RPUSH s 1 2 3 4 5 6 7 8 9
        (int) 9
        > LMOVE s d LEFT RIGHT
        1
        > LMOVE s d RIGHT LEFT
        9
        > RPOPLPUSH s d
        8
        > LRANGE d 0 -1
        [8 9 1]
        > LMOVE d d LEFT RIGHT
        8
        > RPOPLPUSH d d
        8
        > LRANGE d 0 -1
        [8 9 1]
        > LMOVEM s d LEFT RIGHT
        [2]
        > LMOVEM s d LEFT LEFT COUNT 2 BULK
        [3 4]
        > LRANGE d 0 -1
        [3 4 8 9 1 2]
        > LMOVEM s d RIGHT LEFT COUNT 2 OBO
        [6 7]
        > LRANGE d 0 -1
        [6 7 3 4 8 9 1 2]
        > LMOVEM s d LEFT RIGHT EXACTLY 2 OBO
        (nil)
        > LMOVEM d d LEFT LEFT COUNT 3 OBO
        [3 7 6]
        > LRANGE d 0 -1
        [3 7 6 4 8 9 1 2]
        > LMOVEM d d LEFT LEFT COUNT 3 BULK
        [3 7 6]
        > LMOVEM d d RIGHT RIGHT COUNT 3 OBO
        [2 1 9]
        > LRANGE d 0 -1
        [3 7 6 4 8 2 1 9]
        > LMOVEM d d RIGHT LEFT COUNT 3 BULK
        [2 1 9]
        > LRANGE d 0 -1
        [2 1 9 3 7 6 4 8]
        > LMOVEM d e RIGHT RIGHT COUNT 3 BULK
        [6 4 8]
        > LMOVEM d d RIGHT LEFT COUNT 30 OBO
        [2 1 9 3 7]
        > LMOVEM d s LEFT RIGHT COUNT 30 OBO
        [2 1 9 3 7]
        > EXISTS d
        (int) 0
        > LMOVEM s d LEFT RIGHT COUNT 2
        (error) ERR syntax error
        > LMOVEM s d LEFT RIGHT COUNT 0 OBO
        (error) ERR count should be greater than 0
        > LMOVEM s d LEFT RIGHT EXACTLY abc OBO
        (error) ERR count should be greater than 0
        > LMOVEM s d LEFT FOO COUNT 1 OBO
        (error) ERR syntax error
        > LMOVEM s d LEFT RIGHT COUNT 1 FOO
        (error) ERR syntax error
        > LMOVE s d FOO LEFT
        (error) ERR syntax error
        > SET str x
        OK
        > LMOVE s str LEFT LEFT
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LMOVE str s LEFT LEFT
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LMOVE nokey str LEFT LEFT
        (nil)
        > LMOVEM s str LEFT LEFT
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LMOVEM s str LEFT LEFT EXACTLY 99 OBO
        (nil)
        > RPOPLPUSH nokey str
        (nil)
        > LLEN s
        (int) 6
        "#,
    );
}

#[test]
fn lpos_finds_elements() {
    check(
        r#"
        > RPUSH l a b c 1 2 3 c c
        (int) 8
        > LPOS l c
        (int) 2
        > LPOS l c RANK 2
        (int) 6
        > LPOS l c RANK -1
        (int) 7
        > LPOS l c RANK -2 COUNT 0
        [(int) 6 (int) 2]
        > LPOS l c COUNT 0
        [(int) 2 (int) 6 (int) 7]
        > LPOS l c COUNT 2
        [(int) 2 (int) 6]
        > LPOS l c COUNT 0 MAXLEN 3
        [(int) 2]
        > LPOS l c RANK -1 MAXLEN 1
        (int) 7
        > LPOS l 1
        (int) 3
        > LPOS l zz
        (nil)
        > LPOS l zz COUNT 1
        []
        > LPOS l c RANK 4
        (nil)
        > LPOS nokey a
        (nil)
        > LPOS nokey a COUNT 1
        []
        > LPOS l c RANK 0
        (error) ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list
        > LPOS l c RANK -9223372036854775808
        (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > LPOS l c COUNT -1
        (error) ERR COUNT can't be negative
        > LPOS l c MAXLEN -1
        (error) ERR MAXLEN can't be negative
        > LPOS l c RANK abc
        (error) ERR value is not an integer or out of range
        > LPOS l c COUNT
        (error) ERR syntax error
        > LPOS l c FOO 1
        (error) ERR syntax error
        > SET s x
        OK
        > LPOS s a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn blocking_commands_do_not_wait_for_what_is_there() {
    check(
        r#"
        > RPUSH l 1 2 3 4 5 6 7 8
        (int) 8
        > BLPOP nokey l 0
        [l 1]
        > BRPOP l nokey 1
        [l 8]
        > BLMPOP 1 2 nokey l LEFT COUNT 2
        [l [2 3]]
        > BLMOVE l d LEFT RIGHT 1
        4
        > BRPOPLPUSH l d 1
        7
        > BLMOVEM l d LEFT RIGHT 1
        [5]
        > BLMOVEM d l RIGHT RIGHT 1 EXACTLY 2 OBO
        [5 4]
        > LRANGE l 0 -1
        [6 5 4]
        > BLPOP l abc
        (error) ERR timeout is not a float or out of range
        > BLPOP l -1
        (error) ERR timeout is negative
        > BLPOP l 1e300
        (error) ERR timeout is out of range
        > BLMOVE l d FOO RIGHT abc
        (error) ERR syntax error
        > BLMPOP abc 0 l LEFT
        (error) ERR numkeys should be greater than 0
        > BLMPOP abc 1 l LEFT
        (error) ERR timeout is not a float or out of range
        > BLMOVEM l d LEFT RIGHT abc COUNT 0 OBO
        (error) ERR timeout is not a float or out of range
        > SET s x
        OK
        > BLPOP nokey s l 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BLMOVE l s LEFT LEFT 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > MULTI
        OK
        > BLPOP nokey 0
        QUEUED
        > BLMOVE nokey d LEFT LEFT 0
        QUEUED
        > BRPOPLPUSH nokey d 0
        QUEUED
        > BLMPOP 0 1 nokey LEFT
        QUEUED
        > BLMOVEM nokey d LEFT LEFT 0
        QUEUED
        > EXEC
        [(nil) (nil) (nil) (nil) (nil)]
        "#,
    );
}

#[test]
fn big_and_many_elements_change_the_encoding() {
    check(
        r#"
        > RPUSH l 1
        (int) 1
        > OBJECT ENCODING l
        listpack
        > CONFIG SET list-max-listpack-size 4
        OK
        > RPUSH l 2 3 4
        (int) 4
        > OBJECT ENCODING l
        listpack
        > RPUSH l 5
        (int) 5
        > OBJECT ENCODING l
        quicklist
        > LPOP l
        1
        > LPOP l
        2
        > OBJECT ENCODING l
        quicklist
        > LPOP l
        3
        > OBJECT ENCODING l
        quicklist
        > LINSERT l BEFORE 4 a
        (int) 3
        > LINSERT l BEFORE 4 b
        (int) 4
        > LINSERT l BEFORE 4 c
        (int) 5
        > OBJECT ENCODING l
        quicklist
        > LTRIM l 0 1
        OK
        > OBJECT ENCODING l
        listpack
        > CONFIG SET list-max-listpack-size -2
        OK
        "#,
    );
}

#[test]
fn waiting_clients_are_served_in_order() {
    check(
        r#"
        b> BLPOP l m 0
        (none)
        c> BRPOP l 0
        (none)
        > RPUSH l 1 2 3
        (int) 3
        < b [l 1]
        < c [l 3]
        > LRANGE l 0 -1
        [2]
        b> BLMOVE x y LEFT RIGHT 0
        (none)
        c> BLMPOP 0 2 z y LEFT COUNT 5
        (none)
        > RPUSH x v
        (int) 1
        < b v
        < c [y [v]]
        > EXISTS x y
        (int) 0
        b> BLMOVEM x y LEFT RIGHT 0 EXACTLY 2 BULK
        (none)
        > RPUSH x 1
        (int) 1
        > RPUSH x 2 3
        (int) 3
        < b [1 2]
        b> BRPOPLPUSH w s 0
        (none)
        > SET s x
        OK
        > RPUSH w 1
        (int) 1
        < b (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LLEN w
        (int) 1
        "#,
    );
}

#[test]
fn waiting_ends_with_the_time_and_with_other_ways_to_get_a_list() {
    check(
        r#"
        b> BLPOP l 0.5
        (none)
        c> BLMOVE l k LEFT LEFT 0.6
        (none)
        ~ 700
        < b (nil)
        < c (nil)
        b> BLPOP l 0
        (none)
        > RPUSH m a
        (int) 1
        > RENAME m l
        OK
        < b [l a]
        b> BLPOP l 0
        (none)
        > RPUSH m 2 1
        (int) 2
        > SORT m STORE l
        (int) 2
        < b [l 1]
        b> BLPOP n 0
        (none)
        > COPY m n
        (int) 1
        < b [n 2]
        "#,
    );
}

#[test]
fn waiting_in_vain_counts_as_one_call() {
    check(
        r##"
        b> CLIENT ID
        (int) $b
        b> BLPOP l 0
        (none)
        > CLIENT UNBLOCK $b TIMEOUT
        (int) 1
        < b (nil)
        b> BLPOP l 0
        (none)
        > CLIENT UNBLOCK $b ERROR
        (int) 1
        < b (error) UNBLOCKED client unblocked via CLIENT UNBLOCK
        > CONFIG RESETSTAT
        OK
        b> BLPOP l 0
        (none)
        > CLIENT UNBLOCK $b ERROR
        (int) 1
        < b (error) UNBLOCKED client unblocked via CLIENT UNBLOCK
        b> BLPOP l 0.1
        (none)
        ~ 200
        < b (nil)
        b> INFO commandstats
        "# Commandstats\r\ncmdstat_client|unblock:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0\r\ncmdstat_blpop:calls=2,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1...
        > CONFIG SET list-max-listpack-size 3
        OK
        > RPUSH l a b c
        (int) 3
        > LSET l 0 d
        OK
        > OBJECT ENCODING l
        quicklist
        "##,
    );
}

#[test]
fn lpos_words_every_bad_number_alike() {
    check(
        r#"
        > RPUSH l a
        (int) 1
        > LPOS l a COUNT x
        (error) ERR COUNT can't be negative
        > LPOS l a MAXLEN x
        (error) ERR MAXLEN can't be negative
        > LPOS l a RANK x
        (error) ERR value is not an integer or out of range
        "#,
    );
}
