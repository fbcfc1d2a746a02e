//! Real clients against our server: redis-py, ioredis, node-redis and the `redis` crate, each with its own small suite.

mod crate_redis;

#[path = "../support/server.rs"]
mod server;
#[path = "../support/suite.rs"]
mod suite;

use server::Server;

fn ours() -> Server {
    Server::start(env!("CARGO_BIN_EXE_russet"), &[])
}

#[test]
fn redis_py_works() {
    suite::run(suite::python("clients/redis_py.py", "RUSSET_TEST_PYTHON"), "redis-py");
}

#[test]
fn ioredis_works() {
    suite::run(suite::node("clients/ioredis.cjs", "RUSSET_TEST_NODE_DIR"), "ioredis");
}

#[test]
fn node_redis_works() {
    suite::run(suite::node("clients/node_redis.cjs", "RUSSET_TEST_NODE_DIR"), "node-redis");
}
