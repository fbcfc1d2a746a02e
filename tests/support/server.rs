//! A server process with a port and a folder of its own, ended when it goes out of scope.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub struct Server {
    child: Child,
    port: u16,
    dir: PathBuf,
}

impl Server {
    /// Starts a program that takes Redis's options with these, without persistence. A configuration file may come first;
    /// `{port}` in an option stands for the port.
    pub fn start(program: &str, options: &[&str]) -> Server {
        for attempt in 0..5 {
            let port = free_port();
            let dir = std::env::temp_dir().join(format!("russet-diff-{}-{port}", std::process::id()));
            std::fs::create_dir_all(&dir).expect("a folder for the server");
            let is_file = options.first().is_some_and(|first| !first.starts_with("--"));
            let (file, options) = options.split_at(usize::from(is_file));
            let child = Command::new(program)
                .args(file)
                .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no"])
                .args(["--dir", &dir.display().to_string()])
                .args(options.iter().map(|word| word.replace("{port}", &port.to_string())))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
            let mut server = Server { child, port, dir };
            if server.is_ready() {
                return server;
            }
            assert!(attempt < 4, "{program} does not answer");
        }
        unreachable!("the last attempt returns or panics")
    }

    fn is_ready(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port())).is_ok() {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port())).expect("a connection")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The ports that servers listen at: below those that the system gives to connections.
const PORTS: std::ops::Range<u32> = 11_000..32_000;

/// A port that was free a moment ago. No two calls of one process get the same one soon, and processes begin far from each other:
/// else a server that came too late would not be missed where another one answers at its port.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(7919).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = (PORTS.start + number % PORTS.len() as u32) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
