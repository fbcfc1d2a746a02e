//! Suites in other languages: a script that is told our server's port, and ends with a count of its checks.

use std::io::{Read, Write};
use std::process::Command;

use super::server::Server;

/// Runs a script against a server of its own; it ends with a status of zero if all is well, and the server goes on.
pub fn run(mut command: Command, what: &str) {
    let server = Server::start(env!("CARGO_BIN_EXE_russet"), &[]);
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

/// A script in Python, with the interpreter that a variable names.
pub fn python(path: &str, interpreter: &str) -> Command {
    let mut command = Command::new(std::env::var(interpreter).unwrap_or_else(|_| "python3".to_owned()));
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(in_tests(path));
    command
}

/// A script in JavaScript, with the packages in the folder that a variable names.
pub fn node(path: &str, packages: &str) -> Command {
    let packages =
        std::env::var(packages).unwrap_or_else(|_| format!("{}/target/test-node", env!("CARGO_MANIFEST_DIR")));
    let mut command = Command::new("node");
    command.env("NODE_PATH", format!("{packages}/node_modules")).arg(in_tests(path));
    command
}

fn in_tests(path: &str) -> String {
    format!("{}/tests/{path}", env!("CARGO_MANIFEST_DIR"))
}
