use crate::runner::{check, check3};

#[test]
fn fields_are_set_read_and_removed() {
    check(
        r#"
        > HSET h a 1 b two
        (int) 2
        > HSET h a 3 c 4
        (int) 1
        > HGET h a
        3
        > HGET h nosuch
        (nil)
        > HGET nokey a
        (nil)
        > HMGET h a nosuch b
        [3 (nil) two]
        > HMGET nokey a
        [(nil)]
        > HLEN h
        (int) 3
        > HLEN nokey
        (int) 0
        > HSTRLEN h b
        (int) 3
        > HSTRLEN h nosuch
        (int) 0
        > HEXISTS h a
        (int) 1
        > HEXISTS h nosuch
        (int) 0
        > HGETALL h
        [a 3 b two c 4]
        > HGETALL nokey
        []
        > HKEYS h
        [a b c]
        > HVALS h
        [3 two 4]
        > HKEYS nokey
        []
        > HSETNX h a 9
        (int) 0
        > HSETNX h d 9
        (int) 1
        > HMSET h e 5
        OK
        > HDEL h a nosuch b
        (int) 2
        > HDEL h c d e
        (int) 3
        > HDEL nokey a
        (int) 0
        > HSET h a
        (error) ERR wrong number of arguments for 'hset' command
        > HSET h a 1 b
        (error) ERR wrong number of arguments for 'hset' command
        > HMSET h a 1 b
        (error) ERR wrong number of arguments for 'hmset' command
        > HSET h "" ""
        (int) 1
        > HGETALL h
        ["" ""]
        > HMGET h ""
        [""]
        > SET str x
        OK
        > HSET str a 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HGET str a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HDEL str a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HLEN str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HGETALL str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HSETNX str a 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HMGET str a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn numbers_in_fields_are_added_to() {
    check(
        r#"
        > HSET h n 10 f 1.5 s abc big 9223372036854775807 sp "1 "
        (int) 5
        > HINCRBY h n 5
        (int) 15
        > HINCRBY h new -3
        (int) -3
        > HINCRBY h f 1
        (error) ERR hash value is not an integer
        > HINCRBY h s 1
        (error) ERR hash value is not an integer
        > HINCRBY h sp 1
        (error) ERR hash value is not an integer
        > HINCRBY h big 1
        (error) ERR increment or decrement would overflow
        > HINCRBY h n x
        (error) ERR value is not an integer or out of range
        > HINCRBYFLOAT h n 0.1
        15.1
        > HINCRBYFLOAT h fresh 3.0e3
        3000
        > HINCRBYFLOAT h s 1
        (error) ERR hash value is not a float
        > HINCRBYFLOAT h n x
        (error) ERR value is not a valid float
        > HINCRBYFLOAT h n inf
        (error) ERR value is NaN or Infinity
        > HINCRBYFLOAT h sp 1
        (error) ERR hash value is not a float
        > SET str x
        OK
        > HINCRBY str a x
        (error) ERR value is not an integer or out of range
        > HINCRBY str a 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HINCRBYFLOAT str a 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HSET g g 1e4932
        (int) 1
        > HINCRBYFLOAT g g 1e4932
        (error) ERR increment would produce NaN or Infinity
        > HGETALL h
        [n 15.1 f 1.5 s abc big 9223372036854775807 sp "1 " new -3 fresh 3000]
        "#,
    );
}

#[test]
fn fields_are_picked_by_chance_and_scanned() {
    check(
        r#"
        > HSET h a 1
        (int) 1
        > HRANDFIELD h
        a
        > HRANDFIELD h 5
        [a]
        > HRANDFIELD h -3
        [a a a]
        > HRANDFIELD h -2 WITHVALUES
        [a 1 a 1]
        > HRANDFIELD h 2 WITHVALUES
        [a 1]
        > HRANDFIELD h 0
        []
        > HRANDFIELD h 10 foo
        (error) ERR syntax error
        > HRANDFIELD h 10 WITHVALUES foo
        (error) ERR syntax error
        > HRANDFIELD h -9223372036854775808
        (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > HRANDFIELD h 9223372036854775807 WITHVALUES
        (error) ERR value is out of range
        > HRANDFIELD h x
        (error) ERR value is not an integer or out of range
        > HRANDFIELD nokey
        (nil)
        > HRANDFIELD nokey 3
        []
        > HRANDFIELD nokey 3 foo
        (error) ERR syntax error
        > HSCAN h 0
        [0 [a 1]]
        > HSCAN h 0 NOVALUES
        [0 [a]]
        > HSCAN h 0 MATCH b* COUNT 100
        [0 []]
        > HSCAN h 0 MATCH * COUNT 1
        [0 [a 1]]
        > HSCAN nokey 0 foo
        [0 []]
        > HSCAN nokey x
        (error) ERR invalid cursor
        > HSCAN h x
        (error) ERR invalid cursor
        > HSCAN h -1
        (error) ERR invalid cursor
        > HSCAN h 0 foo
        (error) ERR syntax error
        > HSCAN h 0 MATCH
        (error) ERR syntax error
        > HSCAN h 0 COUNT 0
        (error) ERR syntax error
        > HSCAN h 0 COUNT x
        (error) ERR value is not an integer or out of range
        > SET str x
        OK
        > HSCAN str 0 foo
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HRANDFIELD str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn fields_expire() {
    check(
        r#"
        > HSET h a 1 b 2 c 3 d 4
        (int) 4
        > HEXPIRE h 100 FIELDS 3 a b nosuch
        [(int) 1 (int) 1 (int) -2]
        > HTTL h FIELDS 4 a b c nosuch
        [(int) 100 (int) 100 (int) -1 (int) -2]
        > HEXPIRE h 50 GT FIELDS 2 a c
        [(int) 0 (int) 0]
        > HEXPIRE h 200 GT FIELDS 2 a c
        [(int) 1 (int) 0]
        > HEXPIRE h 150 LT FIELDS 2 a c
        [(int) 1 (int) 1]
        > HEXPIRE h 10 NX FIELDS 2 a d
        [(int) 0 (int) 1]
        > HEXPIRE h 20 XX FIELDS 1 d
        [(int) 1]
        > HPERSIST h FIELDS 3 a d nosuch
        [(int) 1 (int) 1 (int) -2]
        > HTTL h FIELDS 2 a d
        [(int) -1 (int) -1]
        > HTTL nokey FIELDS 1 a
        [(int) -2]
        > HPERSIST nokey FIELDS 1 a
        [(int) -2]
        > HEXPIRE nokey 10 FIELDS 2 a b
        [(int) -2 (int) -2]
        > HPEXPIREAT h 70368744177663 FIELDS 1 a
        [(int) 1]
        > HPEXPIRETIME h FIELDS 1 a
        [(int) 70368744177663]
        > HEXPIRETIME h FIELDS 1 a
        [(int) 70368744178]
        > HPEXPIREAT h 70368744177664 FIELDS 1 a
        (error) ERR invalid expire time in 'hpexpireat' command
        > HEXPIRE h 9223372036854775807 FIELDS 1 a
        (error) ERR invalid expire time in 'hexpire' command
        > HEXPIRE h -1 FIELDS 1 a
        (error) ERR invalid expire time, must be >= 0
        > HEXPIRE h x FIELDS 1 a
        (error) ERR value is not an integer or out of range
        > HEXPIRE h 100 FIELDS 2 a
        (error) ERR The `numfields` parameter must match the number of arguments
        > HEXPIRE h 100 FIELDS -1 a
        (error) ERR Parameter `numFields` should be greater than 0
        > HEXPIRE h 100 FOO 1 a
        (error) ERR Mandatory argument FIELDS is missing or not at the right position
        > HEXPIRE h 100 NX XX FIELDS 1 a
        (error) ERR Mandatory argument FIELDS is missing or not at the right position
        > HTTL h FIELDS 0 a
        (error) ERR Number of fields must be a positive integer
        > HTTL h FIELDS 2 a
        (error) ERR The `numfields` parameter must match the number of arguments
        > HTTL h FOO 1 a
        (error) ERR Mandatory argument FIELDS is missing or not at the right position
        > HPEXPIRE h 0 FIELDS 2 a nosuch
        [(int) 2 (int) -2]
        > HEXPIREAT h 1 FIELDS 3 b c d
        [(int) 2 (int) 2 (int) 2]
        > HGETALL h
        []
        > HSET h a 1 b 2 c 3
        (int) 3
        > HPEXPIRE h 40 FIELDS 2 a b
        [(int) 1 (int) 1]
        > HSET h b 5
        (int) 0
        ~ 60
        > HGET h a
        (nil)
        > HGETALL h
        [c 3 b 5]
        > HLEN h
        (int) 2
        > HEXISTS h a
        (int) 0
        > HSCAN h 0
        [0 [c 3 b 5]]
        > HTTL h FIELDS 2 a b
        [(int) -2 (int) -1]
        > SET str x
        OK
        > HEXPIRE str 10 FIELDS 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HTTL str FIELDS 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HPERSIST str FIELDS 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn fields_are_read_and_set_with_their_expiry() {
    check(
        r#"
        > HSET h a 1 b 2 c 3
        (int) 3
        > HGETEX h FIELDS 2 a nosuch
        [1 (nil)]
        > HGETEX h EX 100 FIELDS 2 a b
        [1 2]
        > HTTL h FIELDS 3 a b c
        [(int) 100 (int) 100 (int) -1]
        > HGETEX h PERSIST FIELDS 1 a
        [1]
        > HTTL h FIELDS 3 a b c
        [(int) -1 (int) 100 (int) -1]
        > HGETEX h PXAT 1 FIELDS 1 a
        [1]
        > HGETALL h
        [b 2 c 3]
        > HGETEX nokey FIELDS 2 a b
        [(nil) (nil)]
        > HGETEX h FIELDS 0 a
        (error) ERR Number of fields must be a positive integer
        > HGETEX h FIELDS 2 a
        (error) ERR The `numfields` parameter must match the number of arguments
        > HGETEX h FOO 1 a
        (error) ERR Mandatory argument FIELDS is missing or not at the right position
        > HGETEX h EX 10 PX 10 FIELDS 1 a
        (error) ERR Mandatory argument FIELDS is missing or not at the right position
        > HGETEX h EX -1 FIELDS 1 a
        (error) ERR invalid expire time, must be >= 0
        > HGETEX h EX x FIELDS 1 a
        (error) ERR value is not an integer or out of range
        > HGETDEL h FIELDS 2 b nosuch
        [2 (nil)]
        > HGETDEL h FIELDS 1 c
        [3]
        > HGETDEL nokey FIELDS 1 c
        [(nil)]
        > HGETDEL h FIELDS x c
        (error) ERR Number of fields must be a positive integer
        > HSETEX h EX 100 FIELDS 2 a 1 b 2
        (int) 1
        > HTTL h FIELDS 2 a b
        [(int) 100 (int) 100]
        > HSETEX h KEEPTTL FIELDS 1 a 3
        (int) 1
        > HSETEX h FIELDS 1 b 3
        (int) 1
        > HTTL h FIELDS 2 a b
        [(int) 100 (int) -1]
        > HSETEX h FNX FIELDS 2 a 9 z 9
        (int) 0
        > HSETEX h FXX FIELDS 2 a 9 z 9
        (int) 0
        > HSETEX h FXX PX 10000 FIELDS 2 a 9 b 9
        (int) 1
        > HSETEX h FNX FIELDS 1 z 9
        (int) 1
        > HSETEX nokey FXX FIELDS 1 a b
        (int) 0
        > HSETEX h PXAT 1 FIELDS 1 z 9
        (int) 1
        > HMGET h a b z
        [9 9 (nil)]
        > HSETEX h FIELDS 0 a b
        (error) ERR invalid number of fields
        > HSETEX h FIELDS 1 a
        (error) ERR wrong number of arguments for 'hsetex' command
        > HSETEX h FIELDS 1 a b c
        (error) ERR wrong number of arguments for 'hsetex' command
        > HSETEX h FOO 1 a b
        (error) ERR unknown argument: FOO
        > HSETEX h FNX FXX FIELDS 1 a b
        (error) ERR Only one of FXX or FNX arguments can be specified
        > HSETEX h EX 1 KEEPTTL FIELDS 1 a b
        (error) ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified
        > HSETEX h PXAT 99999999999999999 FIELDS 1 a b
        (error) ERR invalid expire time in 'hsetex' command
        > HSETEX h PXAT -5 FIELDS 1 a b
        (error) ERR invalid expire time, must be >= 0
        > HSETEX new PXAT 1 FIELDS 1 a b
        (int) 1
        > HLEN new
        (int) 0
        > SET str x
        OK
        > HGETEX str FIELDS 0 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HSETEX str FIELDS 1 a b
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HGETDEL str FIELDS 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn resp3_has_maps_of_fields() {
    check3(
        r#"
        > HSET h a 1 b 2
        (int) 2
        > HGETALL h
        {a: 1, b: 2}
        > HGETALL nokey
        {}
        > HKEYS h
        [a b]
        > HRANDFIELD nokey
        (nil)
        > HINCRBYFLOAT h c 1.5
        1.5
        > HGET h nosuch
        (nil)
        > HSCAN h 0
        [0 [a 1 b 2 c 1.5]]
        "#,
    );
}
