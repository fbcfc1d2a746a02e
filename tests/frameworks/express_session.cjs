// Sessions of express in connect-redis, between two servers that share them.
const express = require("express");
const session = require("express-session");
const { RedisStore } = require("connect-redis");
const { createClient } = require("redis");
const { eq, port, run, until } = require("./checks.cjs");

async function serve(client) {
  const store = new RedisStore({ client, prefix: "sess:", ttl: 600 });
  const app = express();
  app.use(session({ store, secret: "for this suite", resave: false, saveUninitialized: false, rolling: true }));
  app.get("/visit", (request, reply) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    reply.json({ visits: request.session.visits, id: request.sessionID });
  });
  app.get("/peek", (request, reply) => reply.json({ visits: request.session.visits ?? 0 }));
  app.get("/renew", (request, reply) => request.session.regenerate(() => {
    request.session.visits = 100;
    reply.json({ id: request.sessionID });
  }));
  app.get("/short", (request, reply) => {
    request.session.cookie.maxAge = 100;
    reply.json({});
  });
  app.get("/leave", (request, reply) => request.session.destroy(() => reply.json({})));
  const server = await new Promise((resolve) => {
    const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
  });
  return { server, store };
}

// One who keeps the cookie.
class Browser {
  cookie = "";

  async get({ server }, path) {
    const reply = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers: { cookie: this.cookie } });
    for (const set of reply.headers.getSetCookie()) this.cookie = set.split(";")[0];
    return reply.json();
  }
}

run(async () => {
  const client = await createClient({ url: `redis://127.0.0.1:${port}` }).connect();
  const [one, two] = [await serve(client), await serve(client)];
  const alice = new Browser();
  const bob = new Browser();
  eq((await alice.get(one, "/peek")).visits, 0, "nobody is known at first");
  eq(await client.dbSize(), 0, "and nothing is kept of them");
  const first = await alice.get(one, "/visit");
  eq(first.visits, 1, "a first visit");
  eq((await alice.get(two, "/visit")).visits, 2, "the other server knows of it");
  eq((await bob.get(two, "/visit")).visits, 1, "somebody else");
  const ttl = await client.ttl(`sess:${first.id}`);
  eq(ttl > 0 && ttl <= 600, true, "a session's time");
  await client.expire(`sess:${first.id}`, 10);
  await alice.get(one, "/peek");
  await until(async () => (await client.ttl(`sess:${first.id}`)) > 10, "being there makes it last");
  const ids = () => new Promise((resolve, reject) => one.store.ids((error, found) => (error ? reject(error) : resolve(found))));
  eq((await ids()).includes(first.id), true, "the store lists it");
  const length = () => new Promise((resolve, reject) => one.store.length((error, found) => (error ? reject(error) : resolve(found))));
  eq(await length(), 2, "two sessions");
  const all = () => new Promise((resolve, reject) => one.store.all((error, found) => (error ? reject(error) : resolve(found))));
  eq((await all()).map(({ visits }) => visits).sort(), [1, 2], "what they hold");
  const renewed = await alice.get(one, "/renew");
  eq([renewed.id !== first.id, await client.exists(`sess:${first.id}`)], [true, 0], "a session under a new name");
  eq((await alice.get(two, "/visit")).visits, 101, "goes on");
  await bob.get(one, "/leave");
  eq((await bob.get(one, "/peek")).visits, 0, "one that was left is gone");
  await alice.get(one, "/short");
  await until(async () => (await client.dbSize()) === 0, "a session's time is over");
  eq((await alice.get(two, "/peek")).visits, 0, "and it is forgotten");
  const many = await Promise.all(Array.from({ length: 30 }, () => new Browser().get(one, "/visit")));
  eq(new Set(many.map(({ id }) => id)).size, 30, "thirty at once");
  await new Promise((resolve) => one.store.clear(resolve));
  eq(await client.dbSize(), 0, "all are cleared");
  for (const { server } of [one, two]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await client.close();
});
