use crate::runner::{check, check3};

#[test]
fn members_are_added_found_moved_and_removed() {
    check(
        r#"
        > SADD s 3 1 2 2
        (int) 3
        > SADD s 1
        (int) 0
        > SMEMBERS s
        [1 2 3]
        > SISMEMBER s 1
        (int) 1
        > SISMEMBER s 9
        (int) 0
        > SISMEMBER nokey 1
        (int) 0
        > SMISMEMBER s 1 9 3
        [(int) 1 (int) 0 (int) 1]
        > SMISMEMBER nokey 1 2
        [(int) 0 (int) 0]
        > SCARD s
        (int) 3
        > SCARD nokey
        (int) 0
        > SREM s 1 9
        (int) 1
        > SMEMBERS nokey
        []
        > SADD t c a b
        (int) 3
        > SMEMBERS t
        [c a b]
        > SREM t a b c
        (int) 3
        > SREM t a
        (int) 0
        > SCARD t
        (int) 0
        > SADD m 1 x
        (int) 2
        > SMOVE m n x
        (int) 1
        > SMOVE m n x
        (int) 0
        > SMOVE m n 1
        (int) 1
        > SCARD m
        (int) 0
        > SMEMBERS n
        [x 1]
        > SMOVE nokey n x
        (int) 0
        > SMOVE n n x
        (int) 1
        > SMOVE n n zz
        (int) 0
        > SADD s
        (error) ERR wrong number of arguments for 'sadd' command
        > SET str x
        OK
        > SADD str 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SREM str 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SCARD str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SMEMBERS str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SISMEMBER str 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SMISMEMBER str 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SMOVE n str x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SMOVE str n x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SMOVE nokey str x
        (int) 0
        "#,
    );
}

#[test]
fn sets_are_combined() {
    check(
        r#"
        > SADD a 1 2 3
        (int) 3
        > SADD b 2 3 4
        (int) 3
        > SADD c 3
        (int) 1
        > SINTER a b
        [2 3]
        > SINTER a b c
        [3]
        > SINTER a nokey
        []
        > SUNION a b
        [1 2 3 4]
        > SUNION nokey a
        [1 2 3]
        > SDIFF a b
        [1]
        > SDIFF a nokey
        [1 2 3]
        > SDIFF nokey a
        []
        > SDIFF a a
        []
        > SINTERSTORE d a b
        (int) 2
        > SMEMBERS d
        [2 3]
        > SUNIONSTORE d a b
        (int) 4
        > SMEMBERS d
        [1 2 3 4]
        > SDIFFSTORE d a b
        (int) 1
        > SMEMBERS d
        [1]
        > SINTERSTORE d a nokey
        (int) 0
        > SMEMBERS d
        []
        > SDIFFSTORE d nokey a
        (int) 0
        > SUNIONSTORE a a b
        (int) 4
        > SMEMBERS a
        [1 2 3 4]
        > SINTERCARD 2 a b
        (int) 3
        > SINTERCARD 2 a b LIMIT 1
        (int) 1
        > SINTERCARD 2 a b LIMIT 0
        (int) 3
        > SINTERCARD 2 a nokey
        (int) 0
        > SINTERCARD 0 a
        (error) ERR numkeys should be greater than 0
        > SINTERCARD x a
        (error) ERR numkeys should be greater than 0
        > SINTERCARD 2 a
        (error) ERR Number of keys can't be greater than number of args
        > SINTERCARD 1 a LIMIT -1
        (error) ERR LIMIT can't be negative
        > SINTERCARD 1 a LIMIT x
        (error) ERR LIMIT can't be negative
        > SINTERCARD 1 a FOO
        (error) ERR syntax error
        > SINTERCARD 1 a b
        (error) ERR syntax error
        > SINTERCARD 1 a LIMIT
        (error) ERR syntax error
        > SET str x
        OK
        > SINTER a str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SINTER nokey str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SINTERSTORE d nokey str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SUNION a str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SDIFF a str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SDIFF str a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SINTERCARD 2 nokey str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SINTERSTORE str a b
        (int) 3
        > SMEMBERS str
        [2 3 4]
        "#,
    );
}

#[test]
fn members_are_picked_by_chance_and_scanned() {
    check(
        r#"
        > SADD s 7
        (int) 1
        > SPOP nokey
        (nil)
        > SPOP nokey 3
        []
        > SPOP s -1
        (error) ERR value is out of range, must be positive
        > SPOP s x
        (error) ERR value is out of range, must be positive
        > SPOP s 1 2
        (error) ERR syntax error
        > SPOP s 0
        []
        > SRANDMEMBER s
        7
        > SRANDMEMBER s 5
        [7]
        > SRANDMEMBER s -3
        [7 7 7]
        > SRANDMEMBER s 0
        []
        > SRANDMEMBER s x
        (error) ERR value is not an integer or out of range
        > SRANDMEMBER s 1 2
        (error) ERR syntax error
        > SRANDMEMBER nokey
        (nil)
        > SRANDMEMBER nokey 3
        []
        > SRANDMEMBER s -9223372036854775808
        (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > SRANDMEMBER s 9223372036854775807
        [7]
        > SSCAN s 0
        [0 [7]]
        > SSCAN s 0 NOVALUES
        (error) ERR NOVALUES option can only be used in HSCAN
        > SSCAN s 0 MATCH 8*
        [0 []]
        > SSCAN s 0 COUNT 0
        (error) ERR syntax error
        > SSCAN s x
        (error) ERR invalid cursor
        > SSCAN nokey 0 foo
        [0 []]
        > SPOP s
        7
        > SCARD s
        (int) 0
        > SADD s 1 2 3
        (int) 3
        > SPOP s 10
        [1 2 3]
        > SCARD s
        (int) 0
        > SADD s x
        (int) 1
        > SPOP s 1
        [x]
        > SET str x
        OK
        > SPOP str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SPOP str 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SPOP str -1
        (error) ERR value is out of range, must be positive
        > SRANDMEMBER str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SSCAN str 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn combinations_are_counted() {
    check(
        r#"
        > SADD a 1 2 3
        (int) 3
        > SADD b 2 3 4
        (int) 3
        > SDIFFCARD 2 a b
        (int) 1
        > SDIFFCARD 2 a b LIMIT 1
        (int) 1
        > SDIFFCARD 0 a b
        (error) ERR numkeys should be greater than 0
        > SDIFFCARD 1 nokey
        (int) 0
        > SDIFFCARD 1 a b
        (error) ERR syntax error
        > SUNIONCARD 2 a b
        (int) 4
        > SUNIONCARD 2 a b LIMIT 2
        (int) 2
        > SUNIONCARD 2 a b APPROX
        (int) 4
        > SUNIONCARD 2 a b APPROX LIMIT 2
        (int) 2
        > SUNIONCARD 2 a b APPROX APPROX
        (int) 4
        > SUNIONCARD 2 a b LIMIT -1
        (error) ERR LIMIT can't be negative
        > SUNIONCARD 2 a b LIMIT 1 LIMIT 2
        (int) 2
        > SDIFFCARD 2 a b APPROX
        (error) ERR syntax error
        > SUNIONCARD 2 a
        (error) ERR Number of keys can't be greater than number of args
        > SUNIONCARD x a
        (error) ERR numkeys should be greater than 0
        > SET str x
        OK
        > SUNIONCARD 2 a str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SDIFFCARD 2 nokey str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SDIFFCARD 2 str nokey
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn resp3_has_sets() {
    check3(
        r#"
        > SADD s 1
        (int) 1
        > SMEMBERS s
        ~[1]
        > SMEMBERS nokey
        ~[]
        > SINTER s s
        ~[1]
        > SUNION s nokey
        ~[1]
        > SDIFF s nokey
        ~[1]
        > SPOP s 1
        ~[1]
        > SPOP s 1
        ~[]
        > SPOP s
        (nil)
        > SRANDMEMBER s 1
        []
        > SRANDMEMBER s
        (nil)
        "#,
    );
}

#[test]
fn sets_that_do_not_exist_do_not_count_in_a_difference() {
    check(
        "> SADD a x 1 2
         (int) 3
         > SADD b x y
         (int) 2
         > SDIFFSTORE d a b none none
         (int) 2
         > OBJECT ENCODING d
         intset
         > SADD c x
         (int) 1
         > SADD e z
         (int) 1
         > SDIFFSTORE d a c e
         (int) 2
         > OBJECT ENCODING d
         intset
         > SADD long x y z 1 2 3 4 5 6
         (int) 9
         > SADD other x y z
         (int) 3
         > SDIFFSTORE d long other e c
         (int) 6
         > OBJECT ENCODING d
         listpack",
    );
}
