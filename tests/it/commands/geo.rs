use crate::runner::{check, check3};

#[test]
fn places_have_positions_and_distances() {
    check(
        r#"
        > GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
        (int) 2
        > GEOADD g CH 13.3 38.1 Palermo
        (int) 1
        > GEOADD g NX 13.361389 38.115556 Palermo
        (int) 0
        > GEOADD g XX CH 13.361389 38.115556 Palermo 2 3 nosuch
        (int) 1
        > GEOPOS g Palermo nosuch
        [[13.361389338970184 38.1155563954963] (nil)]
        > GEOPOS nokey a
        [(nil)]
        > GEOPOS g
        []
        > GEODIST g Palermo Catania
        166274.1516
        > GEODIST g Palermo Catania km
        166.2742
        > GEODIST g Palermo Catania mi
        103.3182
        > GEODIST g Palermo Catania FT
        545518.8700
        > GEODIST g Palermo Palermo
        0.0000
        > GEODIST g Palermo Catania foo
        (error) ERR unsupported unit provided. please use M, KM, FT, MI
        > GEODIST g Palermo Catania km x
        (error) ERR syntax error
        > GEODIST g Palermo nosuch
        (nil)
        > GEODIST nokey a b
        (nil)
        > GEOHASH g Palermo nosuch
        [sqc8b49rny0 (nil)]
        > GEOHASH nokey x
        [(nil)]
        > GEOHASH g
        []
        > GEOADD g 200 10 x
        (error) ERR invalid longitude,latitude pair 200.000000,10.000000
        > GEOADD g 10 100 x
        (error) ERR invalid longitude,latitude pair 10.000000,100.000000
        > GEOADD g x 10 x
        (error) ERR value is not a valid float
        > GEOADD g 1 2 a 3
        (error) ERR syntax error
        > GEOADD g NX XX 1 2 a
        (error) ERR syntax error
        > GEOADD g INCR 1 2 a
        (error) ERR syntax error
        > GEOADD e 180 85.05112878 ne -180 -85.05112878 sw
        (int) 2
        > GEOPOS e ne sw
        [[180 85.05112878] [-179.99999731779099 -85.05112751263943]]
        > ZRANGE e 0 -1 WITHSCORES
        [sw 0 ne 13510798882111488]
        > SET str x
        OK
        > GEOADD str 1 2 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GEOPOS str a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GEODIST str a b
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GEOHASH str a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn places_are_searched() {
    check(
        r#"
        > GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 2.349014 48.864716 Paris 12.758489 38.788135 edge1 17.241510 38.788135 edge2
        (int) 5
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC
        [Catania Palermo]
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHDIST WITHHASH
        [[Catania 56.4413 (int) 3479447370796909 [15.087267458438873 37.50266842333162]] [Palermo 190.4424 (int) 3479099956230698 [13.361389338970184 38.1155563954963]]]
        > GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km DESC COUNT 3 WITHDIST
        [[edge1 279.7405] [edge2 279.7403] [Palermo 190.4424]]
        > GEOSEARCH g FROMMEMBER Palermo BYRADIUS 200 km
        [Palermo edge1 Catania]
        > GEOSEARCH g FROMMEMBER Paris BYRADIUS 5000 mi
        [Palermo edge1 Catania edge2 Paris]
        > GEOSEARCH g BYRADIUS 20000 km FROMLONLAT 15 37 DESC
        [Paris edge1 edge2 Palermo Catania]
        > GEOSEARCH g FROMMEMBER nosuch BYRADIUS 200 km
        (error) ERR could not decode requested zset member
        > GEOSEARCH nokey FROMMEMBER nosuch BYRADIUS 200 km
        []
        > GEOSEARCH g BYRADIUS 200 km ASC WITHDIST WITHCOORD
        (error) ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH
        > GEOSEARCH g FROMLONLAT 15 37 ASC WITHDIST WITHCOORD
        (error) ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km BYBOX 1 1 km
        (error) ERR syntax error
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS -1 km
        (error) ERR radius cannot be negative
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS x km
        (error) ERR need numeric radius
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 1 foo
        (error) ERR unsupported unit provided. please use M, KM, FT, MI
        > GEOSEARCH g FROMLONLAT 15 37 BYBOX 1 -1 km
        (error) ERR height or width cannot be negative
        > GEOSEARCH g FROMLONLAT 15 37 BYBOX x 1 km
        (error) ERR need numeric width
        > GEOSEARCH g FROMLONLAT 15 37 BYBOX 1 x km
        (error) ERR need numeric height
        > GEOSEARCH g FROMLONLAT 200 37 BYRADIUS 1 km
        (error) ERR invalid longitude,latitude pair 200.000000,37.000000
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km COUNT 0
        (error) ERR COUNT must be > 0
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km COUNT x
        (error) ERR value is not an integer or out of range
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ANY
        (error) ERR the ANY argument requires COUNT argument
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1 ANY
        [Palermo]
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST
        (error) ERR syntax error
        > GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km WITHDIST
        (error) ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options
        > GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST
        (int) 2
        > ZRANGE d 0 -1 WITHSCORES
        [Catania 56.4412578701582 Palermo 190.44242984775784]
        > GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1 ASC
        (int) 1
        > ZRANGE d 0 -1 WITHSCORES
        [Catania 3479447370796909]
        > GEOSEARCHSTORE d nokey FROMLONLAT 15 37 BYRADIUS 200 km
        (int) 0
        > ZCARD d
        (int) 0
        > GEORADIUS g 15 37 200 km
        [Palermo Catania]
        > GEORADIUS g 15 37 200 km WITHDIST WITHCOORD WITHHASH ASC
        [[Catania 56.4413 (int) 3479447370796909 [15.087267458438873 37.50266842333162]] [Palermo 190.4424 (int) 3479099956230698 [13.361389338970184 38.1155563954963]]]
        > GEORADIUS g 15 37 200 km COUNT 1 DESC
        [Palermo]
        > GEORADIUS g 15 37 200 km STORE d
        (int) 2
        > ZRANGE d 0 -1 WITHSCORES
        [Palermo 3479099956230698 Catania 3479447370796909]
        > GEORADIUS g 15 37 200 km STOREDIST d
        (int) 2
        > ZRANGE d 0 -1 WITHSCORES
        [Catania 56.4412578701582 Palermo 190.44242984775784]
        > GEORADIUS g 15 37 200 km WITHDIST STORE d
        (error) ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options
        > GEORADIUS g 15 37 200 km STORE
        (error) ERR syntax error
        > GEORADIUS g 15 37 200 foo
        (error) ERR unsupported unit provided. please use M, KM, FT, MI
        > GEORADIUS_RO g 15 37 200 km STORE d
        (error) ERR syntax error
        > GEORADIUS_RO g 15 37 200 km ASC
        [Catania Palermo]
        > GEORADIUSBYMEMBER g Palermo 200 km WITHDIST
        [[Palermo 0.0000] [edge1 91.4007] [Catania 166.2742]]
        > GEORADIUSBYMEMBER_RO g Palermo 200 km
        [Palermo edge1 Catania]
        > GEORADIUSBYMEMBER g nosuch 200 km
        (error) ERR could not decode requested zset member
        > GEORADIUSBYMEMBER nokey nosuch 200 km
        []
        > GEORADIUS nokey 15 37 200 km STORE d
        (int) 0
        > GEORADIUS g 15 37 200 km FROMMEMBER Palermo
        (error) ERR syntax error
        > SET str x
        OK
        > GEORADIUS str x 2 3 km
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GEOSEARCH str FOO 1 2 3 4 5
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GEOSEARCH nokey FOO 1 2 3 4 5
        (error) ERR syntax error
        "#,
    );
}

#[test]
fn resp3_has_doubles_for_positions() {
    check3(
        r#"
        > GEOADD g 13.361389 38.115556 P
        (int) 1
        > GEOPOS g P x
        [[(double) 13.361389338970184 (double) 38.1155563954963] (nil)]
        > GEODIST g P P
        0.0000
        > GEOHASH g P x
        [sqc8b49rny0 (nil)]
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km WITHCOORD WITHDIST WITHHASH
        [[P 190.4424 (int) 3479099956230698 [(double) 13.361389338970184 (double) 38.1155563954963]]]
        "#,
    );
}

#[test]
fn the_radius_around_a_member_of_nothing_is_not_read() {
    check(
        r#"
        > GEORADIUSBYMEMBER nokey m x km
        []
        > GEORADIUSBYMEMBER_RO nokey m -1 km WITHDIST
        []
        > GEORADIUSBYMEMBER nokey m 1 xx
        []
        > GEORADIUSBYMEMBER nokey m nan km STORE d
        (int) 0
        > GEORADIUSBYMEMBER nokey m x km foo
        (error) ERR syntax error
        > GEORADIUSBYMEMBER nokey m x km COUNT 0
        (error) ERR COUNT must be > 0
        > GEORADIUS nokey 1 1 x km
        (error) ERR need numeric radius
        "#,
    );
}

#[test]
fn of_places_equally_far_away_a_count_picks_those_that_redis_picks() {
    // Which of them these are follows from how it sorts, as far as COUNT asks for less than all.
    check(
        "> GEOADD g 1 1 a 0 0 b 1 1 c 0 0 d 1 1 e 0 0 f 1 1 g 0 0 h 1 1 i 0 0 j
         (int) 10
         > GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 500 km ASC COUNT 3
         [d f h]
         > GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 500 km ASC COUNT 7
         [d f h j b i a]
         > GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 500 km DESC COUNT 3
         [i a c]
         > GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 500 km ASC COUNT 10
         [b d f h j a c e g i]
         > GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 500 km COUNT 2
         [d f]",
    );
}

#[test]
fn distances_halfway_between_two_decimals_are_rounded_to_the_even_one() {
    check(
        "> GEOADD g 170.549 4.588 a 66.109 47.711 b -38.355 -43.894 c 115.644 22.255 d -113.366 55.333 e 54.278 19.225 f
         (int) 6
         > GEODIST g a b ft
         35106580.9256
         > GEODIST g c d ft
         54571090.0784
         > GEODIST g e f ft
         38208061.3780
         > GEODIST g a a
         0.0000",
    );
}
