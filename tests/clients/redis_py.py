"""redis-py over many commands, pipelines, transactions, pub/sub, blocking calls, RESP2 and RESP3."""
import sys
import threading

import redis

checks = 0


def eq(got, wanted, what):
    global checks
    checks += 1
    if got != wanted:
        raise SystemExit(f"{what}: got {got!r}, wanted {wanted!r}")


def core(r, proto):
    r.flushall()
    eq(r.ping(), True, "ping")
    eq(r.set("s", "v", ex=100), True, "set")
    eq(r.get("s"), "v", "get")
    eq(0 < r.ttl("s") <= 100, True, "ttl")
    eq(r.set("s", "w", xx=True, get=True), "v", "set get")
    eq(r.incrbyfloat("f", "1.5"), 1.5, "incrbyfloat")
    eq(r.mset({"a": 1, "b": 2}), True, "mset")
    eq(r.mget("a", "b", "nope"), ["1", "2", None], "mget")
    eq(r.append("s", "xyz"), 4, "append")
    eq(r.getrange("s", 1, -1), "xyz", "getrange")
    eq(r.setbit("bits", 7, 1), 0, "setbit")
    eq(r.bitcount("bits"), 1, "bitcount")
    eq(r.rpush("l", *"abcde"), 5, "rpush")
    eq(r.lrange("l", 1, -2), list("bcd"), "lrange")
    eq(r.lpos("l", "c"), 2, "lpos")
    eq(r.lmove("l", "l2", "LEFT", "RIGHT"), "a", "lmove")
    eq(r.hset("h", mapping={"x": 1, "y": 2}), 2, "hset")
    eq(r.hgetall("h"), {"x": "1", "y": "2"}, "hgetall")
    eq(r.hincrby("h", "x", 5), 6, "hincrby")
    eq(r.hexpire("h", 100, "x"), [1], "hexpire")
    eq(r.sadd("t", 1, 2, 3), 3, "sadd")
    eq(r.smembers("t"), {"1", "2", "3"}, "smembers")
    eq(r.zadd("z", {"one": 1, "two": 2, "three": 3.5}), 3, "zadd")
    pairs = r.zrange("z", 0, -1, withscores=True)
    eq([tuple(pair) for pair in pairs], [("one", 1.0), ("two", 2.0), ("three", 3.5)], "zrange")
    eq(r.zscore("z", "three"), 3.5, "zscore")
    eq(r.zrangebyscore("z", 1, "(3.5"), ["one", "two"], "zrangebyscore")
    eq(r.pfadd("p", "a", "b"), 1, "pfadd")
    eq(r.pfcount("p"), 2, "pfcount")
    eq(r.geoadd("g", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")), 2, "geoadd")
    eq(round(r.geodist("g", "Palermo", "Catania", "km")), 166, "geodist")
    eq(sorted(r.scan_iter(match="[ab]")), ["a", "b"], "scan")
    eq(r.sort("t", desc=True), ["3", "2", "1"], "sort")
    eq(r.rename("a", "a2"), True, "rename")
    eq(r.copy("a2", "a3"), True, "copy")
    eq(r.object("encoding", "a2"), "int", "object encoding")
    value = r.dump("z") if proto == 2 else None
    if value is not None:
        eq(isinstance(value, (str, bytes)), True, "dump")
    eq(r.type("z"), "zset", "type")
    eq(r.delete("a2", "a3", "nope"), 2, "delete")
    eq(r.config_get("maxmemory")["maxmemory"], "0", "config get")
    eq("redis_version" in r.info(), True, "info")
    eq(r.client_setname("tester"), True, "client setname")
    eq(r.client_getname(), "tester", "client getname")
    eq(any(c["name"] == "tester" for c in r.client_list()), True, "client list")
    eq(r.memory_usage("z") > 0, True, "memory usage")
    eq(r.command_count() > 200, True, "command count")
    eq(isinstance(r.slowlog_get(), list), True, "slowlog")
    try:
        r.lpush("s", 1)
        raise SystemExit("lpush to a string succeeded")
    except redis.ResponseError as error:
        eq("WRONGTYPE" in str(error), True, "wrong type")


def pipelines(r):
    with r.pipeline(transaction=False) as p:
        for i in range(500):
            p.set(f"k{i}", i)
        for i in range(500):
            p.get(f"k{i}")
        eq(p.execute()[500:], [str(i) for i in range(500)], "pipeline")

    def bump(p):
        value = int(p.get("counter") or 0)
        p.multi()
        p.set("counter", value + 1)
    for _ in range(5):
        r.transaction(bump, "counter")
    eq(r.get("counter"), "5", "transaction")
    with r.pipeline() as p:
        p.watch("counter")
        r.set("counter", 99)
        p.multi()
        p.get("counter")
        try:
            p.execute()
            raise SystemExit("a dirty transaction ran")
        except redis.WatchError:
            eq(True, True, "watch")


def blocking(r, other):
    got = []
    waiter = threading.Thread(target=lambda: got.append(r.blpop(["queue1", "queue2"], timeout=10)))
    waiter.start()
    while other.info("clients")["blocked_clients"] == 0:
        pass
    other.rpush("queue2", "job")
    waiter.join()
    eq(list(got[0]), ["queue2", "job"], "blpop")
    eq(r.blpop("queue1", timeout=0.05), None, "blpop timeout")
    other.zadd("zq", {"m": 5})
    eq(list(r.bzpopmin("zq", timeout=1)), ["zq", "m", 5.0], "bzpopmin")


def pubsub(r, other):
    p = r.pubsub(ignore_subscribe_messages=True)
    p.subscribe("news")
    p.psubscribe("new*")
    while other.pubsub_numpat() == 0 or dict(other.pubsub_numsub("news"))["news"] == 0:
        p.get_message(timeout=0.1)
    eq(other.publish("news", "hello"), 2, "publish")
    kinds = set()
    while len(kinds) < 2:
        message = p.get_message(timeout=5)
        if message:
            eq(message["data"], "hello", "message")
            kinds.add(message["type"])
    eq(kinds, {"message", "pmessage"}, "kinds of messages")
    p.close()


for proto in (2, 3):
    def connect():
        return redis.Redis(port=int(sys.argv[1]), protocol=proto, decode_responses=True)
    client, second = connect(), connect()
    core(redis.Redis(port=int(sys.argv[1]), protocol=proto, decode_responses=True, encoding_errors="replace"), proto)
    pipelines(client)
    blocking(client, second)
    pubsub(client, second)
print(f"{checks} checks passed")
