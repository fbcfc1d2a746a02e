// rate-limiter-flexible: points by scripts, for ioredis and node-redis.
const Redis = require("ioredis");
const { createClient } = require("redis");
const { RateLimiterRedis, BurstyRateLimiter } = require("rate-limiter-flexible");
const { eq, port, run, until } = require("./checks.cjs");

async function limits(storeClient, name, options) {
  const limiter = new RateLimiterRedis({ storeClient, keyPrefix: name, points: 5, duration: 600, ...options });
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => limiter.consume("user")));
  eq(outcomes.filter(({ status }) => status === "fulfilled").length, 5, `${name}: five points`);
  const refused = outcomes.find(({ status }) => status === "rejected").reason;
  eq([refused.remainingPoints, refused.msBeforeNext > 0 && refused.msBeforeNext <= 600_000], [0, true], `${name}: refused`);
  eq((await limiter.get("user")).consumedPoints, 8, `${name}: what was asked for`);
  eq((await limiter.reward("user", 4)).remainingPoints, 1, `${name}: a reward`);
  eq((await limiter.consume("user")).remainingPoints, 0, `${name}: the last point`);
  eq((await limiter.penalty("other", 2)).consumedPoints, 2, `${name}: a penalty`);
  await limiter.block("other", 100);
  eq((await limiter.get("other")).consumedPoints > 5, true, `${name}: blocked`);
  eq(await limiter.delete("user"), true, `${name}: forgotten`);
  eq(await limiter.get("user"), null, `${name}: nothing is known`);
  const short = new RateLimiterRedis({ storeClient, keyPrefix: `${name}-short`, points: 1, duration: 1, ...options });
  await short.consume("user");
  await until(() => short.consume("user").then(() => true, () => false), `${name}: a point in the next second`);
  const blocking = new RateLimiterRedis({ storeClient, keyPrefix: `${name}-block`, points: 1, duration: 1, blockDuration: 900, ...options });
  await blocking.consume("user");
  const blocked = await blocking.consume("user").catch((reason) => reason);
  eq(blocked.msBeforeNext > 1000, true, `${name}: longer than the window`);
}

run(async () => {
  const ioredis = new Redis(port);
  await limits(ioredis, "ioredis", {});
  const node = createClient({ url: `redis://127.0.0.1:${port}` });
  await node.connect();
  await limits(node, "node-redis", { useRedisPackage: true });
  const bursty = new BurstyRateLimiter(
    new RateLimiterRedis({ storeClient: ioredis, keyPrefix: "steady", points: 2, duration: 600 }),
    new RateLimiterRedis({ storeClient: ioredis, keyPrefix: "burst", points: 3, duration: 600 }),
  );
  const outcomes = [];
  for (let n = 0; n < 7; n += 1) outcomes.push(await bursty.consume("user").then(() => true, () => false));
  eq(outcomes, [true, true, true, true, true, false, false], "two, and a burst of three");
  ioredis.disconnect();
  await node.close();
});
