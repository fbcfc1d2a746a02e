// node-redis with RESP3: commands, transactions, pub/sub, blocking calls.
const { createClient } = require("redis");
const assert = require("node:assert");
const url = `redis://127.0.0.1:${process.argv[2]}`;
let checks = 0;
const eq = (got, wanted, what) => {
  assert.deepStrictEqual(JSON.parse(JSON.stringify(got)), wanted, what);
  checks += 1;
};

(async () => {
  const r = createClient({ url, RESP: 3 });
  await r.connect();
  const other = r.duplicate();
  await other.connect();
  await r.flushAll();
  eq(await r.set("s", "v", { EX: 100 }), "OK", "set");
  eq(await r.get("s"), "v", "get");
  eq(await r.hSet("h", { a: "1", b: "2" }), 2, "hSet");
  eq(await r.hGetAll("h"), { a: "1", b: "2" }, "hGetAll");
  eq(await r.zAdd("z", [{ score: 1, value: "a" }, { score: 2.5, value: "b" }]), 2, "zAdd");
  eq(await r.zRangeWithScores("z", 0, -1), [{ value: "a", score: 1 }, { value: "b", score: 2.5 }], "zRange");
  eq(await r.lPush("l", ["a", "b"]), 2, "lPush");
  eq(await r.lRange("l", 0, -1), ["b", "a"], "lRange");
  eq(await r.sAdd("t", ["1", "2"]), 2, "sAdd");
  eq((await r.sMembers("t")).length, 2, "sMembers");
  eq(await r.multi().incr("n").get("n").exec(), [1, "1"], "multi");
  eq(await r.exists(["s", "nope"]), 1, "exists");
  eq((await r.configGet("maxmemory")).maxmemory, "0", "configGet");
  const waiting = other.blPop("queue", 10);
  await new Promise((resolve) => setImmediate(resolve));
  await r.rPush("queue", "job");
  eq(await waiting, { key: "queue", element: "job" }, "blPop");
  const subscriber = r.duplicate();
  await subscriber.connect();
  let published;
  const arrived = new Promise((resolve) => {
    published = subscriber.subscribe("news", resolve).then(() => r.publish("news", "hello"));
  });
  eq(await arrived, "hello", "message");
  eq(await published, 1, "publish");
  await subscriber.unsubscribe();
  for (const client of [r, other, subscriber]) await client.close();
  console.log(`${checks} checks passed`);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
