// ioredis over many commands, pipelines, transactions, pub/sub, blocking calls.
const Redis = require("ioredis");
const assert = require("node:assert");
const port = Number(process.argv[2]);
let checks = 0;
const eq = (got, wanted, what) => {
  assert.deepStrictEqual(got, wanted, what);
  checks += 1;
};

(async () => {
  const r = new Redis(port);
  const other = new Redis(port);
  await r.flushall();
  eq(await r.set("s", "v", "EX", 100), "OK", "set");
  eq(await r.get("s"), "v", "get");
  eq(await r.getBuffer("s"), Buffer.from("v"), "get as a buffer");
  eq(await r.mset("a", 1, "b", 2), "OK", "mset");
  eq(await r.mget("a", "b", "c"), ["1", "2", null], "mget");
  eq(await r.rpush("l", "x", "y", "z"), 3, "rpush");
  eq(await r.lrange("l", 0, -1), ["x", "y", "z"], "lrange");
  eq(await r.hset("h", { f: "1", g: "2" }), 2, "hset");
  eq(await r.hgetall("h"), { f: "1", g: "2" }, "hgetall");
  eq((await r.hscan("h", 0))[0], "0", "hscan");
  eq(await r.sadd("t", 1, 2), 2, "sadd");
  eq(await r.zadd("z", 1, "a", 2, "b"), 2, "zadd");
  eq(await r.zrange("z", 0, -1, "WITHSCORES"), ["a", "1", "b", "2"], "zrange");
  eq(await r.zrangebyscore("z", "(1", "+inf"), ["b"], "zrangebyscore");
  eq(await r.geoadd("g", 13.361389, 38.115556, "Palermo"), 1, "geoadd");
  eq(await r.pfadd("p", "a", "b", "c"), 1, "pfadd");
  eq((await r.scan(0, "MATCH", "s", "COUNT", 1000))[1], ["s"], "scan");
  await assert.rejects(r.lpush("s", 1), /WRONGTYPE/);
  const piped = await r.pipeline().set("n", 1).incr("n").get("n").exec();
  eq(piped.map(([, value]) => value), ["OK", 2, "2"], "pipeline");
  const done = await r.multi().incr("n").incr("n").exec();
  eq(done.map(([, value]) => value), [3, 4], "multi");
  await r.watch("n");
  await other.set("n", 50);
  eq(await r.multi().incr("n").exec(), null, "a dirty transaction");
  const waiting = r.blpop("queue", 10);
  while (!/blocked_clients:[1-9]/.test(await other.info("clients"))) {}
  await other.rpush("queue", "job");
  eq(await waiting, ["queue", "job"], "blpop");
  const subscriber = new Redis(port);
  const messages = [];
  await subscriber.subscribe("news");
  const arrived = new Promise((resolve) => subscriber.on("message", (channel, text) => {
    messages.push([channel, text]);
    if (messages.length === 3) resolve();
  }));
  for (const text of ["one", "two", "three"]) eq(await other.publish("news", text), 1, "publish");
  await arrived;
  eq(messages.map(([, text]) => text), ["one", "two", "three"], "messages");
  eq(/redis_version:/.test(await r.info()), true, "info");
  const big = "x".repeat(3_000_000);
  await r.set("big", big);
  eq((await r.get("big")).length, big.length, "a long value");
  for (const client of [r, other, subscriber]) client.disconnect();
  console.log(`${checks} checks passed`);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
