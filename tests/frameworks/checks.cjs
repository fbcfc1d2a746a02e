// What the suites in JavaScript share: counted checks, and waiting for a condition.
const assert = require("node:assert");

let count = 0;
// A suite that hangs says so.
const SECONDS_MAX = 150;
setTimeout(() => {
  console.error(`not done in ${SECONDS_MAX} seconds`);
  process.exit(1);
}, SECONDS_MAX * 1000).unref();

exports.port = Number(process.argv[2]);

exports.eq = (got, wanted, what) => {
  assert.deepStrictEqual(got, wanted, what);
  count += 1;
};

exports.rejects = async (promise, wanted, what) => {
  await assert.rejects(promise, wanted, what);
  count += 1;
};

exports.until = async (condition, what) => {
  const end = Date.now() + 60_000;
  for (;;) {
    const got = await condition();
    if (got) return got;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

exports.run = (suite) => {
  suite().then(() => {
    console.log(`${count} checks passed`);
    process.exit(0);
  }, (error) => {
    console.error(error);
    process.exit(1);
  });
};
