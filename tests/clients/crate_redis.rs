//! The `redis` crate: commands, pipelines, transactions, pub/sub, blocking calls.

use redis::Commands;

use super::ours;

#[test]
fn the_redis_crate_works() {
    let server = ours();
    let client = redis::Client::open(format!("redis://127.0.0.1:{}/", server.port())).expect("a client");
    let mut conn = client.get_connection().expect("a connection");
    let _: () = conn.set("s", "v").expect("set");
    assert_eq!(conn.get::<_, String>("s").expect("get"), "v");
    assert_eq!(conn.incr::<_, _, i64>("n", 5).expect("incr"), 5);
    assert_eq!(conn.rpush::<_, _, i64>("l", &["a", "b", "c"]).expect("rpush"), 3);
    assert_eq!(conn.lrange::<_, Vec<String>>("l", 0, -1).expect("lrange"), ["a", "b", "c"]);
    let _: () = conn.hset_multiple("h", &[("a", 1), ("b", 2)]).expect("hset");
    let all: std::collections::BTreeMap<String, i64> = conn.hgetall("h").expect("hgetall");
    assert_eq!(all.into_iter().collect::<Vec<_>>(), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    let _: () = conn.zadd_multiple("z", &[(1.5, "x"), (0.5, "y")]).expect("zadd");
    let ranked: Vec<(String, f64)> = conn.zrange_withscores("z", 0, -1).expect("zrange");
    assert_eq!(ranked, [("y".to_owned(), 0.5), ("x".to_owned(), 1.5)]);
    let (a, b): (i64, i64) = redis::pipe().atomic().incr("n", 1).incr("n", 1).query(&mut conn).expect("a transaction");
    assert_eq!((a, b), (6, 7));
    let mut pipe = redis::pipe();
    (0..1000).for_each(|n| {
        pipe.set(format!("k{n}"), n).ignore();
    });
    let _: () = pipe.query(&mut conn).expect("a pipeline");
    assert_eq!(conn.get::<_, i64>("k999").expect("get"), 999);
    let error = conn.lpush::<_, _, i64>("s", 1).expect_err("a string is no list");
    assert_eq!(error.code(), Some("WRONGTYPE"));

    let mut waiting = client.get_connection().expect("a connection");
    let waiter = std::thread::spawn(move || waiting.blpop::<_, (String, String)>("queue", 10.0));
    let _: i64 = conn.rpush("queue", "job").expect("rpush");
    assert_eq!(waiter.join().expect("the waiter").expect("blpop"), ("queue".to_owned(), "job".to_owned()));

    let mut listener = client.get_connection().expect("a connection");
    let mut pubsub = listener.as_pubsub();
    pubsub.subscribe("news").expect("subscribe");
    assert_eq!(conn.publish::<_, _, i64>("news", "hello").expect("publish"), 1);
    assert_eq!(pubsub.get_message().expect("a message").get_payload::<String>().expect("text"), "hello");
}

#[test]
fn the_redis_crate_works_with_resp3() {
    let server = ours();
    let url = format!("redis://127.0.0.1:{}/?protocol=resp3", server.port());
    let mut conn = redis::Client::open(url).expect("a client").get_connection().expect("a connection");
    let _: () = conn.hset("h", "f", "v").expect("hset");
    let all: std::collections::BTreeMap<String, String> = conn.hgetall("h").expect("hgetall");
    assert_eq!(all.get("f").map(String::as_str), Some("v"));
    let _: () = conn.zadd("z", "m", 2.5).expect("zadd");
    assert_eq!(conn.zscore::<_, _, f64>("z", "m").expect("zscore"), 2.5);
}
