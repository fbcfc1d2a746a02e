//! Real clients against our server: redis-py, ioredis, node-redis and the `redis` crate, each with its own small suite.

mod crate_redis;

use std::process::Command;

#[path = "../support/server.rs"]
mod server;

use std::io::{Read, Write};

use server::Server;

fn ours() -> Server {
    Server::start(env!("CARGO_BIN_EXE_russet"), &[])
}

/// Runs a script with the server's port as its argument; it ends with a status of zero if all is well.
fn run(mut command: Command, what: &str) {
    let server = ours();
    let output = command.arg(server.port().to_string()).output().unwrap_or_else(|error| panic!("{what}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what} failed:\n{text}");
    assert!(text.contains("checks passed"), "{what} ran no check:\n{text}");
    let mut conn = server.connect();
    conn.write_all(b"PING\r\n").expect("the server still reads");
    let mut pong = [0; 7];
    conn.read_exact(&mut pong).expect("the server still answers");
    assert_eq!(&pong, b"+PONG\r\n");
    println!("{what}: {}", text.lines().last().unwrap_or_default());
}

fn script(name: &str) -> String {
    format!("{}/tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn redis_py_works() {
    let python = std::env::var("RUSSET_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(python);
    command.arg(script("redis_py.py"));
    run(command, "redis-py");
}

fn node(name: &str) {
    let mut command = Command::new("node");
    let modules = std::env::var("RUSSET_TEST_NODE_DIR")
        .unwrap_or_else(|_| format!("{}/target/test-node", env!("CARGO_MANIFEST_DIR")));
    command.env("NODE_PATH", format!("{modules}/node_modules")).arg(script(name));
    run(command, name);
}

#[test]
fn ioredis_works() {
    node("ioredis.cjs");
}

#[test]
fn node_redis_works() {
    node("node_redis.cjs");
}
