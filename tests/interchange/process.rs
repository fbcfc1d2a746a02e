//! A server process in a folder that the test prepared, which may refuse what it finds there.

use std::cell::RefCell;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::Connection;

/// A program that takes Redis's options.
#[derive(Clone)]
pub struct Program(PathBuf);

impl Program {
    pub fn new(path: &str) -> Program {
        Program(PathBuf::from(path))
    }
}

pub struct Process {
    child: RefCell<Child>,
    port: u16,
    log: PathBuf,
}

impl Process {
    /// Starts it with these options; what comes before the first `--` is a configuration file.
    pub fn start(program: &Program, folder: &Path, options: &[&str]) -> Process {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        drop(listener);
        let log = folder.join("log");
        // Logs are appended to: the one of an earlier process is of no use.
        let _ = std::fs::remove_file(&log);
        let is_file = options.first().is_some_and(|first| !first.starts_with("--"));
        let (file, options) = options.split_at(usize::from(is_file));
        let child = Command::new(&program.0)
            .args(file)
            .args(["--port", &port.to_string()])
            .arg("--dir")
            .arg(folder)
            .arg("--logfile")
            .arg(&log)
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.0.display()));
        Process { child: RefCell::new(child), port, log }
    }

    /// A connection once everything is loaded. None if the process ends before.
    pub fn connect(&self) -> Option<Connection> {
        let client = redis::Client::open(("127.0.0.1", self.port)).expect("an address");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            if self.child.borrow_mut().try_wait().is_ok_and(|ended| ended.is_some()) {
                return None;
            }
            if let Ok(mut conn) = client.get_connection()
                && redis::cmd("PING").query::<String>(&mut conn).is_ok()
            {
                return Some(conn);
            }
            std::thread::yield_now();
        }
        panic!("a server neither answers nor ends: {}", self.log());
    }

    /// Returns when the process has ended, as it was asked to.
    pub fn wait_for_end(&self) {
        let begun = Instant::now();
        while !self.child.borrow_mut().try_wait().is_ok_and(|ended| ended.is_some()) {
            assert!(begun.elapsed() < Duration::from_secs(60), "a server does not end: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// The last lines that it logged.
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(4)..].join(" / ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.borrow_mut().kill();
        let _ = self.child.borrow_mut().wait();
    }
}
