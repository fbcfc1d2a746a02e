// BullMQ: jobs at once, later, again and again, by priority, with children, that fail, at a limited rate, and that stall.
const { Queue, Worker, QueueEvents, FlowProducer, UnrecoverableError } = require("bullmq");
const { fork } = require("node:child_process");
const { eq, port, rejects, run, until } = require("./checks.cjs");

const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };

// Everything that is open, so that it can be closed.
const open = [];
const opened = (one) => {
  one.on("error", (error) => { throw error; });
  open.push(one);
  return one;
};
const queue = (name) => opened(new Queue(name, { connection }));
const events = (name) => opened(new QueueEvents(name, { connection }));
const worker = (name, work, options = {}) => opened(new Worker(name, work, { connection, ...options }));

async function atOnce() {
  const q = queue("many");
  const seen = events("many");
  await seen.waitUntilReady();
  const completed = new Set();
  seen.on("completed", ({ jobId, returnvalue }) => completed.add(`${jobId}=${returnvalue}`));
  const jobs = await q.addBulk(Array.from({ length: 200 }, (_, n) => ({ name: "square", data: { n } })));
  eq(jobs.length, 200, "jobs are added at once");
  worker("many", async (job) => job.data.n ** 2, { concurrency: 10 });
  const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(seen, 60_000)));
  eq(results, jobs.map((_, n) => n ** 2), "results");
  await until(() => completed.size === 200, "an event for each");
  await until(async () => (await q.getCompletedCount()) === 200, "all are completed");
  const counts = await q.getJobCounts("wait", "active", "delayed", "failed", "completed");
  eq(counts, { wait: 0, active: 0, delayed: 0, failed: 0, completed: 200 }, "counts");
  const again = await q.add("square", { n: 2 }, { jobId: "mine" });
  eq(await again.waitUntilFinished(seen, 60_000), 4, "a job with an ID of its own");
  eq((await q.add("square", { n: 3 }, { jobId: "mine" })).id, "mine", "the same ID again");
  eq((await q.getJob("mine")).returnvalue, 4, "is the same job");
  const progress = [];
  seen.on("progress", ({ data }) => progress.push(data));
  const steps = queue("steps");
  eq(await q.clean(0, 1000, "completed").then((ids) => ids.length), 201, "completed jobs are cleaned away");
  await steps.add("one", {}, { removeOnComplete: true });
  worker("steps", async (job) => { await job.updateProgress(50); await job.log("half"); return job.updateData({ half: 1 }); });
  await until(async () => Object.values(await steps.getJobCounts()).every((count) => count === 0), "a job removes itself");
}

async function later() {
  const q = queue("later");
  const seen = events("later");
  await seen.waitUntilReady();
  const order = [];
  worker("later", async (job) => { order.push(job.name); });
  const jobs = await Promise.all([["third", 600], ["first", 0], ["second", 300]].map(([name, delay]) => q.add(name, {}, { delay })));
  eq(await q.getDelayedCount() > 0, true, "jobs are delayed");
  await Promise.all(jobs.map((job) => job.waitUntilFinished(seen, 60_000)));
  eq(order, ["first", "second", "third"], "each in its time");
  for (const job of jobs) {
    const done = await q.getJob(job.id);
    eq(done.processedOn - done.timestamp >= done.opts.delay, true, "not before its time");
  }
  const waiting = await q.add("promoted", {}, { delay: 3_600_000 });
  eq(await waiting.getState(), "delayed", "a job for later");
  await waiting.promote();
  await waiting.waitUntilFinished(seen, 60_000);
  eq(await waiting.getState(), "completed", "is promoted");
}

async function repeated() {
  const q = queue("repeated");
  const ticks = [];
  worker("repeated", async (job) => { ticks.push(job.name); });
  await q.upsertJobScheduler("every", { every: 100 }, { name: "tick", data: { n: 1 } });
  await q.upsertJobScheduler("pattern", { pattern: "* * * * * *" }, { name: "tock" });
  eq((await q.getJobSchedulers()).map(({ key }) => key).sort(), ["every", "pattern"], "schedulers");
  await until(() => ticks.filter((name) => name === "tick").length >= 5, "a job every 100 ms");
  await until(() => ticks.includes("tock"), "a job each second");
  await q.upsertJobScheduler("every", { every: 200 }, { name: "tack" });
  eq(await q.getJobSchedulersCount(), 2, "a scheduler is changed");
  await until(() => ticks.includes("tack"), "a changed scheduler");
  eq(await q.removeJobScheduler("every"), true, "a scheduler is removed");
  eq(await q.removeJobScheduler("pattern"), true, "and the other");
  await until(async () => (await q.getDelayedCount()) === 0, "nothing is left of them");
}

async function priorities() {
  const q = queue("priorities");
  await q.pause();
  for (const priority of [5, 1, 3, 2, 4, 1]) await q.add(`p${priority}`, {}, { priority });
  await q.add("p0", {});
  await q.add("last in", {}, { lifo: true });
  const order = [];
  worker("priorities", async (job) => { order.push(job.name); });
  eq(await q.isPaused(), true, "a queue is paused");
  await q.resume();
  await until(() => order.length === 8, "all are done");
  eq(order, ["last in", "p0", "p1", "p1", "p2", "p3", "p4", "p5"], "by priority");
}

async function flows() {
  const seen = events("parents");
  await seen.waitUntilReady();
  const producer = opened(new FlowProducer({ connection }));
  worker("children", async (job) => job.data.n * 10, { concurrency: 3 });
  worker("parents", async (job) => {
    const values = Object.values(await job.getChildrenValues());
    return values.reduce((sum, value) => sum + value, 0);
  });
  const child = (n) => ({ name: "child", queueName: "children", data: { n } });
  const middle = { name: "middle", queueName: "parents", children: [child(1), child(2)] };
  const flow = await producer.add({ name: "root", queueName: "parents", children: [middle, child(3), child(4)] });
  eq(await flow.job.waitUntilFinished(seen, 60_000), 100, "a parent comes after its children");
  const { processed } = await flow.job.getDependencies();
  eq(Object.values(processed).sort(), [30, 30, 40], "what the children gave");
  // A child that fails takes its parent along, if it is told to.
  const failing = queue("failing children");
  worker("failing children", async () => { throw new Error("the child's"); });
  const other = await producer.add({
    name: "root", queueName: "parents",
    children: [{ name: "child", queueName: "failing children", opts: { failParentOnFailure: true } }],
  });
  await until(async () => (await other.job.getState()) === "failed", "the parent fails");
  eq(await failing.getFailedCount(), 1, "as its child did");
}

async function failures() {
  const q = queue("failures");
  const seen = events("failures");
  await seen.waitUntilReady();
  const attempts = {};
  worker("failures", async (job) => {
    attempts[job.name] = (attempts[job.name] ?? 0) + 1;
    if (job.name === "hopeless") throw new UnrecoverableError("never");
    if (attempts[job.name] < job.data.succeedsAt) throw new Error(`attempt ${attempts[job.name]}`);
    return attempts[job.name];
  });
  const flaky = await q.add("flaky", { succeedsAt: 3 }, { attempts: 3, backoff: { type: "exponential", delay: 20 } });
  eq(await flaky.waitUntilFinished(seen, 60_000), 3, "the third attempt");
  const short = await q.add("short", { succeedsAt: 3 }, { attempts: 2, backoff: 10 });
  await rejects(short.waitUntilFinished(seen, 60_000), /attempt 2/, "too few attempts");
  const hopeless = await q.add("hopeless", {}, { attempts: 10 });
  await rejects(hopeless.waitUntilFinished(seen, 60_000), /never/, "one that is not to be tried again");
  eq(attempts, { flaky: 3, short: 2, hopeless: 1 }, "attempts");
  const failed = await q.getFailed();
  eq(failed.map(({ name, attemptsMade }) => [name, attemptsMade]).sort(), [["hopeless", 1], ["short", 2]], "failed jobs");
  eq(failed.every(({ stacktrace, failedReason }) => stacktrace.length > 0 && failedReason.length > 0), true, "why they failed");
  await (await q.getJob(short.id)).retry();
  await until(async () => (await q.getJob(short.id)).returnvalue === 3, "tried again by hand");
  eq(await q.getFailedCount(), 1, "it does not count as failed any more");
}

async function limited() {
  const q = queue("limited");
  await q.addBulk(Array.from({ length: 9 }, () => ({ name: "one", data: {} })));
  const times = [];
  worker("limited", async () => { times.push(Date.now()); }, { concurrency: 9, limiter: { max: 3, duration: 300 } });
  await until(() => times.length === 9, "all are done");
  eq(times[8] - times[0] >= 300, true, "but not all at once");
  await until(async () => (await q.getCompletedCount()) === 9, "and completed");
}

async function stalled() {
  const q = queue("stalled");
  const seen = events("stalled");
  await seen.waitUntilReady();
  const names = [];
  seen.on("stalled", ({ jobId }) => names.push(jobId));
  const child = fork(__filename, [String(port), "hang"], { stdio: "inherit" });
  const gone = new Promise((resolve) => child.on("exit", resolve));
  const job = await q.add("patient", {});
  await until(() => job.isActive(), "a worker takes the job");
  child.kill("SIGKILL");
  await gone;
  worker("stalled", async () => "done after all", { lockDuration: 400, stalledInterval: 200 });
  eq(await job.waitUntilFinished(seen, 60_000), "done after all", "another worker does it");
  await until(() => names.length > 0, "an event tells of it");
  eq(names, [job.id], "which job stalled");
  // The lock of one who works for long is renewed: that job does not stall.
  const slow = queue("slow");
  const long = await slow.add("long", {});
  let runs = 0;
  worker("slow", async () => {
    runs += 1;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }, { lockDuration: 400, stalledInterval: 200 });
  await until(() => long.isCompleted(), "a long job");
  eq(runs, 1, "is done once");
}

async function deduplicated() {
  const q = queue("deduplicated");
  const one = await q.add("one", { n: 1 }, { deduplication: { id: "same", ttl: 60_000 } });
  const two = await q.add("one", { n: 2 }, { deduplication: { id: "same", ttl: 60_000 } });
  eq(two.id, one.id, "the same job");
  eq(await q.getWaitingCount(), 1, "waits once");
  eq(await q.removeDeduplicationKey("same"), 1, "what was remembered is removed");
  await q.add("one", { n: 3 }, { deduplication: { id: "same", ttl: 60_000 } });
  eq(await q.getWaitingCount(), 2, "and it waits again");
  await q.drain();
  await q.obliterate({ force: true });
  eq(await q.getJobCountByTypes("waiting", "delayed", "completed"), 0, "nothing is left of the queue");
}

if (process.argv[3] === "hang") {
  worker("stalled", () => new Promise(() => {}), { lockDuration: 400, stalledInterval: 200 });
  process.on("disconnect", () => process.exit(0));
} else {
  run(async () => {
    await Promise.all([
      atOnce(), later(), repeated(), priorities(), flows(), failures(), limited(), stalled(), deduplicated(),
    ]);
    await Promise.all(open.map((one) => one.close()));
  });
}
