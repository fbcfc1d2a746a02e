use crate::runner::{check, check_with, check3};

#[test]
fn members_have_scores() {
    check(
        r#"
        > ZADD z 1 a 2 b 3 c
        (int) 3
        > ZADD z 1 a 2.5 b 4 d
        (int) 1
        > ZADD z CH 1 a 2 b 5 e
        (int) 2
        > ZADD z NX 9 a 9 f
        (int) 1
        > ZADD z XX 9 g
        (int) 0
        > ZADD z XX CH 1.5 a
        (int) 1
        > ZADD z GT CH 1 a 2 a 0 new
        (int) 2
        > ZADD z LT CH 9 a 1 a
        (int) 1
        > ZADD z INCR 2 a
        3
        > ZADD z NX INCR 5 a
        (nil)
        > ZADD z XX INCR 5 nosuch
        (nil)
        > ZADD z GT INCR -5 a
        (nil)
        > ZINCRBY z 1.5 a
        4.5
        > ZINCRBY z -2 fresh
        -2
        > ZINCRBY z x a
        (error) ERR value is not a valid float
        > ZRANGE z 0 -1 WITHSCORES
        [fresh -2 new 0 b 2 c 3 d 4 a 4.5 e 5 f 9]
        > ZSCORE z a
        4.5
        > ZSCORE z nosuch
        (nil)
        > ZSCORE nokey a
        (nil)
        > ZMSCORE z a nosuch b
        [4.5 (nil) 2]
        > ZMSCORE nokey a
        [(nil)]
        > ZCARD z
        (int) 8
        > ZCARD nokey
        (int) 0
        > ZRANK z a
        (int) 5
        > ZRANK z a WITHSCORE
        [(int) 5 4.5]
        > ZREVRANK z a
        (int) 2
        > ZREVRANK z a WITHSCORE
        [(int) 2 4.5]
        > ZRANK z nosuch
        (nil)
        > ZRANK z nosuch WITHSCORE
        (nil)
        > ZRANK nokey a WITHSCORE
        (nil)
        > ZRANK z a FOO
        (error) ERR syntax error
        > ZRANK z a WITHSCORE x
        (error) ERR wrong number of arguments for 'zrank' command
        > ZREM z a nosuch
        (int) 1
        > ZREM nokey a
        (int) 0
        > ZADD z 1 a 2
        (error) ERR syntax error
        > ZADD z NX XX 1 a
        (error) ERR XX and NX options at the same time are not compatible
        > ZADD z NX GT 1 a
        (error) ERR GT, LT, and/or NX options at the same time are not compatible
        > ZADD z GT LT 1 a
        (error) ERR GT, LT, and/or NX options at the same time are not compatible
        > ZADD z INCR 1 a 2 b
        (error) ERR INCR option supports a single increment-element pair
        > ZADD z x a
        (error) ERR value is not a valid float
        > ZADD z nan a
        (error) ERR value is not a valid float
        > ZADD new 1 a x b
        (error) ERR value is not a valid float
        > ZCARD new
        (int) 0
        > ZADD z NX
        (error) ERR wrong number of arguments for 'zadd' command
        > ZADD z NX 1
        (error) ERR syntax error
        > ZADD new XX 1 a
        (int) 0
        > ZADD inf inf a -inf b
        (int) 2
        > ZADD inf INCR -inf a
        (error) ERR resulting score is not a number (NaN)
        > ZINCRBY inf -inf a
        (error) ERR resulting score is not a number (NaN)
        > ZRANGE inf 0 -1 WITHSCORES
        [b -inf a inf]
        > ZADD n -0 m0 1e400 q
        (error) ERR value is not a valid float
        > ZADD n -0 m0 0x10 q 1.1 r 3.0e20 s 1e5 t 123456789012 u 0.1 v 1e17 w 17179869184.5 y
        (int) 9
        > ZRANGE n 0 -1 WITHSCORES
        [m0 0 v 0.1 r 1.1 q 16 t 100000 y 17179869184.5 u 123456789012 w 100000000000000000 s 3e+20]
        > SET str x
        OK
        > ZADD str x a
        (error) ERR value is not a valid float
        > ZADD str 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZINCRBY str 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZREM str a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZSCORE str a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZMSCORE str a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANK str a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZCARD str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn ranges_are_shown_stored_counted_and_removed() {
    check(
        r#"
        > ZADD z 1 a 2 b 3 c 4 d 5 e
        (int) 5
        > ZRANGE z 0 -1
        [a b c d e]
        > ZRANGE z 1 2
        [b c]
        > ZRANGE z -2 -1
        [d e]
        > ZRANGE z 3 1
        []
        > ZRANGE z -100 0
        [a]
        > ZRANGE z 10 20
        []
        > ZRANGE z 0 1 REV
        [e d]
        > ZRANGE z 0 1 REV WITHSCORES
        [e 5 d 4]
        > ZRANGE z 2 4 BYSCORE
        [b c d]
        > ZRANGE z (2 4 BYSCORE LIMIT 1 5
        [d]
        > ZRANGE z 4 2 BYSCORE REV WITHSCORES
        [d 4 c 3 b 2]
        > ZRANGE z 4 2 BYSCORE REV LIMIT 1 1
        [c]
        > ZRANGE z 2 4 BYSCORE REV
        []
        > ZREVRANGE z 0 1
        [e d]
        > ZREVRANGE z 0 1 WITHSCORES
        [e 5 d 4]
        > ZREVRANGE z 0 1 REV
        (error) ERR syntax error
        > ZRANGEBYSCORE z -inf +inf LIMIT 1 2
        [b c]
        > ZRANGEBYSCORE z (1 (3 WITHSCORES
        [b 2]
        > ZRANGEBYSCORE z -inf +inf LIMIT -1 2
        []
        > ZRANGEBYSCORE z -inf +inf LIMIT 3 -1
        [d e]
        > ZRANGEBYSCORE z "" 1
        [a]
        > ZRANGEBYSCORE z -1e400 " 2"
        !reference differs: Redis 8.2 and Valkey take no space before a bound, 7.0 and 8.10 do
        [a b]
        > ZRANGEBYSCORE z 1 "1 "
        (error) ERR min or max is not a float
        > ZRANGEBYSCORE z nan 1
        (error) ERR min or max is not a float
        > ZRANGEBYSCORE z a b
        (error) ERR min or max is not a float
        > ZRANGEBYSCORE z 0 1 FOO
        (error) ERR syntax error
        > ZRANGEBYSCORE z 0 1 LIMIT 0
        (error) ERR syntax error
        > ZRANGEBYSCORE z 0 1 LIMIT x 1
        (error) ERR value is not an integer or out of range
        > ZREVRANGEBYSCORE z 4 2
        [d c b]
        > ZREVRANGEBYSCORE z +inf -inf LIMIT 1 2 WITHSCORES
        [d 4 c 3]
        > ZCOUNT z 2 4
        (int) 3
        > ZCOUNT z (2 inf
        (int) 3
        > ZCOUNT nokey 1 2
        (int) 0
        > ZCOUNT nokey a b
        (error) ERR min or max is not a float
        > ZADD l 0 a 0 b 0 c 0 d
        (int) 4
        > ZRANGEBYLEX l - +
        [a b c d]
        > ZRANGEBYLEX l [b (d
        [b c]
        > ZRANGEBYLEX l (a + LIMIT 1 1
        [c]
        > ZRANGEBYLEX l + -
        []
        > ZRANGEBYLEX l [ +
        [a b c d]
        > ZRANGEBYLEX l a b
        (error) ERR min or max not valid string range item
        > ZRANGEBYLEX l - + WITHSCORES
        (error) ERR syntax error, WITHSCORES not supported in combination with BYLEX
        > ZREVRANGEBYLEX l + [b
        [d c b]
        > ZRANGE l [c [a BYLEX REV
        [c b a]
        > ZRANGE l [c [a BYLEX REV LIMIT 1 1
        [b]
        > ZLEXCOUNT l [b +
        (int) 3
        > ZLEXCOUNT l + -
        (int) 0
        > ZLEXCOUNT l a b
        (error) ERR min or max not valid string range item
        > ZRANGE z 0 -1 LIMIT 0 1
        (error) ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
        > ZRANGE z 0 -1 BYLEX
        (error) ERR min or max not valid string range item
        > ZRANGE z x 1
        (error) ERR value is not an integer or out of range
        > ZRANGE z a b BYSCORE
        (error) ERR min or max is not a float
        > ZRANGE z 0 1 FOO
        (error) ERR syntax error
        > ZRANGE z 0 1 BYSCORE BYLEX
        (error) ERR syntax error
        > ZRANGE z 0 1 REV REV
        (error) ERR syntax error
        > ZRANGE nokey 0 1
        []
        > ZRANGESTORE d z 1 2
        (int) 2
        > ZRANGE d 0 -1 WITHSCORES
        [b 2 c 3]
        > ZRANGESTORE d z 0 -1 WITHSCORES
        (error) ERR syntax error
        > ZRANGESTORE d z 2 (4 BYSCORE
        (int) 2
        > ZRANGESTORE d z 9 10
        (int) 0
        > ZCARD d
        (int) 0
        > ZRANGESTORE d nokey 0 -1
        (int) 0
        > SET str x
        OK
        > ZRANGE str 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANGE str x 1
        (error) ERR value is not an integer or out of range
        > ZRANGESTORE d str 0 -1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANGESTORE str z 0 1
        (int) 2
        > ZCARD str
        (int) 2
        > ZREMRANGEBYRANK z 0 1
        (int) 2
        > ZREMRANGEBYSCORE z (3 4
        (int) 1
        > ZRANGE z 0 -1
        [c e]
        > ZREMRANGEBYLEX l [b [c
        (int) 2
        > ZREMRANGEBYLEX l - +
        (int) 2
        > ZCARD l
        (int) 0
        > ZREMRANGEBYRANK z x 1
        (error) ERR value is not an integer or out of range
        > ZREMRANGEBYSCORE z a b
        (error) ERR min or max is not a float
        > ZREMRANGEBYLEX z a b
        (error) ERR min or max not valid string range item
        > ZREMRANGEBYRANK nokey 0 1
        (int) 0
        > SET str x
        OK
        > ZREMRANGEBYSCORE str a b
        (error) ERR min or max is not a float
        > ZREMRANGEBYSCORE str 1 2
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZCOUNT str 1 2
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn ends_are_popped() {
    check(
        r#"
        > ZADD z 1 a 2 b 3 c 4 d
        (int) 4
        > ZPOPMIN z
        [a 1]
        > ZPOPMAX z 2
        [d 4 c 3]
        > ZPOPMAX z 0
        []
        > ZPOPMIN nokey
        []
        > ZPOPMIN z -1
        (error) ERR value is out of range, must be positive
        > ZPOPMIN z x
        (error) ERR value is out of range, must be positive
        > ZPOPMIN z 1 2
        (error) ERR syntax error
        > ZPOPMIN z 9
        [b 2]
        > ZCARD z
        (int) 0
        > ZADD z 1 a 2 b 3 c 4 d
        (int) 4
        > ZMPOP 2 nokey z MIN
        [z [[a 1]]]
        > ZMPOP 1 z MAX COUNT 2
        [z [[d 4] [c 3]]]
        > ZMPOP 1 nokey MIN
        (nil)
        > ZMPOP 0 z MIN
        (error) ERR numkeys should be greater than 0
        > ZMPOP x z MIN
        (error) ERR numkeys should be greater than 0
        > ZMPOP 2 z MIN
        (error) ERR syntax error
        > ZMPOP 1 z FOO
        (error) ERR syntax error
        > ZMPOP 1 z MIN COUNT 0
        (error) ERR count should be greater than 0
        > ZMPOP 1 z MIN COUNT x
        (error) ERR count should be greater than 0
        > ZMPOP 1 z MIN COUNT 1 COUNT 2
        (error) ERR syntax error
        > ZMPOP 1 z MIN FOO
        (error) ERR syntax error
        > BZPOPMIN nokey z 0
        [z b 2]
        > ZADD z 1 a 2 b
        (int) 2
        > BZPOPMAX z 0
        [z b 2]
        > BZMPOP 0 2 nokey z MIN COUNT 5
        [z [[a 1]]]
        > BZMPOP 0.01 1 nokey MIN
        (none)
        ~ 20
        < a (nil)
        > BZPOPMIN nokey x
        (error) ERR timeout is not a float or out of range
        > BZPOPMIN nokey -1
        (error) ERR timeout is negative
        > BZPOPMIN nokey inf
        (error) ERR timeout is out of range
        > BZMPOP x 1 z MIN
        (error) ERR timeout is not a float or out of range
        > BZMPOP 0 0 z MIN
        (error) ERR numkeys should be greater than 0
        > SET str x
        OK
        > ZPOPMIN str 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZPOPMIN str -1
        (error) ERR value is out of range, must be positive
        > ZMPOP 1 str MIN
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BZPOPMIN str 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        b> BZPOPMIN w1 w2 0
        (none)
        > ZADD w2 2 y 1 x
        (int) 2
        < b [w2 x 1]
        > ZRANGE w2 0 -1
        [y]
        b> BZMPOP 0 1 w3 MAX COUNT 2
        (none)
        c> BZPOPMAX w3 0
        (none)
        > ZADD w3 1 a 2 b 3 c
        (int) 3
        < b [w3 [[c 3] [b 2]]]
        < c [w3 a 1]
        > ZCARD w3
        (int) 0
        "#,
    );
}

#[test]
fn sorted_sets_are_combined() {
    check(
        r#"
        > ZADD a 1 x 2 y
        (int) 2
        > ZADD b 3 x 4 z
        (int) 2
        > SADD s x y w
        (int) 3
        > ZUNION 2 a b
        [y x z]
        > ZUNION 2 a b WITHSCORES
        [y 2 x 4 z 4]
        > ZUNION 2 a b WEIGHTS 2 3 WITHSCORES
        [y 4 x 11 z 12]
        > ZUNION 2 a b AGGREGATE MIN WITHSCORES
        [x 1 y 2 z 4]
        > ZUNION 2 a b AGGREGATE MAX WITHSCORES
        [y 2 x 3 z 4]
        > ZUNION 2 a b WEIGHTS 2 3 AGGREGATE COUNT WITHSCORES
        !reference differs: COUNT came with Redis 8.10
        [y 2 z 3 x 5]
        > ZUNION 2 a b WEIGHTS inf -inf WITHSCORES
        [z -inf x 0 y inf]
        > ZUNION 2 a s WITHSCORES
        [w 1 x 2 y 3]
        > ZUNION 2 nokey a
        [x y]
        > ZINTER 2 a b WITHSCORES
        [x 4]
        > ZINTER 3 a b s WITHSCORES
        [x 5]
        > ZINTER 2 a nokey
        []
        > ZINTER 2 a b WEIGHTS 2 3 AGGREGATE MAX WITHSCORES
        [x 9]
        > ZDIFF 2 a b WITHSCORES
        [y 2]
        > ZDIFF 2 a s
        []
        > ZDIFF 2 nokey a
        []
        > ZDIFF 1 a
        [x y]
        > ZUNIONSTORE d 2 a b
        (int) 3
        > ZRANGE d 0 -1 WITHSCORES
        [y 2 x 4 z 4]
        > ZINTERSTORE d 2 a b WEIGHTS 2 1
        (int) 1
        > ZRANGE d 0 -1 WITHSCORES
        [x 5]
        > ZDIFFSTORE d 2 a b
        (int) 1
        > ZRANGE d 0 -1 WITHSCORES
        [y 2]
        > ZDIFFSTORE d 2 a a
        (int) 0
        > ZCARD d
        (int) 0
        > ZINTERCARD 2 a b
        (int) 1
        > ZINTERCARD 2 a s LIMIT 1
        (int) 1
        > ZINTERCARD 2 a s LIMIT 0
        (int) 2
        > ZUNION 0 a
        (error) ERR at least 1 input key is needed for 'zunion' command
        > ZUNION x a
        (error) ERR value is not an integer or out of range
        > ZUNION 2 a
        (error) ERR syntax error
        > ZUNION 1 a WEIGHTS
        (error) ERR syntax error
        > ZUNION 1 a WEIGHTS x
        (error) ERR weight value is not a float
        > ZUNION 1 a WEIGHTS 1 2
        (error) ERR syntax error
        > ZUNION 1 a AGGREGATE FOO
        (error) ERR syntax error
        > ZUNION 1 a FOO
        (error) ERR syntax error
        > ZUNIONSTORE d 1 a WITHSCORES
        (error) ERR syntax error
        > ZUNIONSTORE d 0 a
        (error) ERR at least 1 input key is needed for 'zunionstore' command
        > ZINTER 0 a
        (error) ERR at least 1 input key is needed for 'zinter' command
        > ZDIFF 0 a
        (error) ERR at least 1 input key is needed for 'zdiff' command
        > ZDIFF 1 a WEIGHTS 1
        (error) ERR syntax error
        > ZINTERCARD 0 a
        (error) ERR at least 1 input key is needed for 'zintercard' command
        > ZINTERCARD 2 a
        (error) ERR syntax error
        > ZINTERCARD 1 a LIMIT -1
        (error) ERR LIMIT can't be negative
        > ZINTERCARD 1 a LIMIT x
        (error) ERR LIMIT can't be negative
        > ZINTERCARD 1 a WEIGHTS 1
        (error) ERR syntax error
        > SET str x
        OK
        > ZUNION 2 a str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZDIFF 2 a str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZINTER 2 nokey str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZUNIONSTORE str 1 a
        (int) 2
        > ZCARD str
        (int) 2
        "#,
    );
}

#[test]
fn members_are_picked_by_chance_and_scanned() {
    check(
        r#"
        > ZADD z 1.5 a
        (int) 1
        > ZRANDMEMBER z
        a
        > ZRANDMEMBER z 5
        [a]
        > ZRANDMEMBER z -3
        [a a a]
        > ZRANDMEMBER z -2 WITHSCORES
        [a 1.5 a 1.5]
        > ZRANDMEMBER z 0
        []
        > ZRANDMEMBER z x
        (error) ERR value is not an integer or out of range
        > ZRANDMEMBER z 1 FOO
        (error) ERR syntax error
        > ZRANDMEMBER z -9223372036854775808
        (error) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807
        > ZRANDMEMBER z 4611686018427387904 WITHSCORES
        (error) ERR value is out of range
        > ZRANDMEMBER nokey
        (nil)
        > ZRANDMEMBER nokey 1
        []
        > ZSCAN z 0
        [0 [a 1.5]]
        > ZSCAN z 0 NOVALUES
        (error) ERR NOVALUES option can only be used in HSCAN
        !reference differs: only Valkey knows NOSCORES
        > ZSCAN z 0 NOSCORES
        [0 [a]]
        > ZSCAN z 0 MATCH b*
        [0 []]
        > ZSCAN z 0 COUNT 0
        (error) ERR syntax error
        > ZSCAN z x
        (error) ERR invalid cursor
        > ZSCAN nokey 0 FOO
        [0 []]
        > SET str x
        OK
        > ZSCAN str 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANDMEMBER str
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn resp3_has_doubles_and_pairs() {
    check3(
        r#"
        > ZADD z 1 a 2 b
        (int) 2
        > ZADD z INCR 1 a
        (double) 2
        > ZADD z NX INCR 1 a
        (nil)
        > ZINCRBY z 1 a
        (double) 3
        > ZRANGE z 0 -1 WITHSCORES
        [[b (double) 2] [a (double) 3]]
        > ZRANGEBYSCORE z 0 9 WITHSCORES
        [[b (double) 2] [a (double) 3]]
        > ZSCORE z a
        (double) 3
        > ZSCORE z nosuch
        (nil)
        > ZMSCORE z a nosuch
        [(double) 3 (nil)]
        > ZRANK z a WITHSCORE
        [(int) 1 (double) 3]
        > ZRANK z nosuch WITHSCORE
        (nil)
        > ZRANK z nosuch
        (nil)
        > ZUNION 1 z WITHSCORES
        [[b (double) 2] [a (double) 3]]
        > ZUNION 1 z
        [b a]
        > ZDIFF 1 z WITHSCORES
        [[b (double) 2] [a (double) 3]]
        > ZINTER 1 z WITHSCORES
        [[b (double) 2] [a (double) 3]]
        > ZSCAN z 0
        [0 [b 2 a 3]]
        > ZMPOP 1 nokey MIN
        (nil)
        > ZMPOP 1 z MIN
        [z [[b (double) 2]]]
        > ZPOPMIN z
        [a (double) 3]
        > ZPOPMIN z
        []
        > ZPOPMIN z 2
        []
        > ZADD z 1 a 2 b
        (int) 2
        > ZPOPMAX z 2
        [[b (double) 2] [a (double) 1]]
        > ZADD z 1 a
        (int) 1
        > BZPOPMIN z 0
        [z a (double) 1]
        > BZPOPMIN z 0.01
        (none)
        ~ 20
        < a (nil)
        > BZMPOP 0.01 1 z MIN
        (none)
        ~ 20
        < a (nil)
        > ZADD z 1 a
        (int) 1
        > BZMPOP 0.01 1 z MIN
        [z [[a (double) 1]]]
        > ZADD z 1.5 x
        (int) 1
        > ZSCAN z 0
        [0 [x 1.5]]
        > ZRANGE z 0 -1 WITHSCORES
        [[x (double) 1.5]]
        "#,
    );
}

#[test]
fn a_key_that_expired_before_the_turn_ends_serves_nobody() {
    check_with(
        &[("enable-debug-command", "yes")],
        r#"
        b> BZPOPMIN z 1
        (none)
        > MULTI
        OK
        > ZADD z 1 one
        QUEUED
        > PEXPIRE z 100
        QUEUED
        > DEBUG SLEEP 0.2
        QUEUED
        > EXEC
        [(int) 1 (int) 1 OK]
        > EXISTS z
        (int) 0
        ~ 1500
        < b (nil)
        > MULTI
        OK
        > BZPOPMIN z 0
        QUEUED
        > EXEC
        [(nil)]
        "#,
    );
}

#[test]
fn a_range_by_rank_takes_a_limit_that_asks_for_all() {
    check(
        r#"
        > ZADD z 1 a 2 b 3 c
        (int) 3
        > ZRANGE z 0 1 LIMIT 5 -1
        [a b]
        > ZRANGESTORE d z 0 1 LIMIT 0 -1
        (int) 2
        > ZRANGE z 0 1 LIMIT 0 1
        (error) ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
        > ZRANGE z 0 1 LIMIT 0 -2
        (error) ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
        "#,
    );
}
