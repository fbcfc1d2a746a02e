//! Many clients, slow clients and hostile ones against our program, over real sockets.

#[path = "../support/server.rs"]
mod server;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use server::Server;

fn ours(options: &[&str]) -> Server {
    Server::start(env!("CARGO_BIN_EXE_russet"), options)
}

/// As many as asked for, unless the machine allows fewer open files to this process.
fn allowed(count: usize) -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live rlimit.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the pointer is to a live rlimit.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    count.min((limit.rlim_max as usize).saturating_sub(500))
}

/// A client that sends lines and reads replies of one line, or bulk strings.
struct Client(TcpStream);

impl Client {
    fn new(server: &Server) -> Client {
        let stream = server.connect();
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        Client(stream)
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("a reply");
            line.push(byte[0]);
        }
        String::from_utf8_lossy(&line[..line.len() - 2]).into_owned()
    }

    fn ask(&mut self, request: &str) -> String {
        self.0.write_all(format!("{request}\r\n").as_bytes()).expect("a request");
        let line = self.line();
        let Some(len) = line.strip_prefix('$') else { return line };
        let mut content = vec![0; len.parse::<usize>().expect("a length") + 2];
        self.0.read_exact(&mut content).expect("the rest of a reply");
        String::from_utf8_lossy(&content[..content.len() - 2]).into_owned()
    }

    fn info(&mut self, field: &str) -> u64 {
        let text = self.ask("INFO everything");
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("INFO shows no {field}"))
    }
}

#[test]
fn thousands_of_idle_connections_take_little_memory_and_all_speak_at_once() {
    let server = ours(&["--maxclients", "12000"]);
    let mut watcher = Client::new(&server);
    let count = allowed(10_000);
    let mut clients: Vec<TcpStream> = Vec::with_capacity(count);
    let before = (watcher.info("used_memory"), watcher.info("used_memory_rss"));
    let mut pong = [0; 7];
    for _ in 0..count {
        let mut client = server.connect();
        client.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        // Buffers that were lent for a request must be back.
        client.write_all(b"PING\r\n").expect("a request");
        client.read_exact(&mut pong).expect("a reply");
        clients.push(client);
    }
    let after = (watcher.info("used_memory"), watcher.info("used_memory_rss"));
    let each = |before: u64, after: u64| after.saturating_sub(before) / count as u64;
    let (used, resident) = (each(before.0, after.0), each(before.1, after.1));
    assert!(used <= 1024 && resident <= 1536, "{used} bytes used and {resident} resident for each connection");
    let request = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    for client in &mut clients[..count / 2] {
        client.write_all(request).expect("a request");
    }
    for client in &mut clients[..count / 2] {
        let mut reply = [0; 12];
        client.read_exact(&mut reply).expect("a reply");
        assert_eq!(&reply, b"+OK\r\n$1\r\nv\r\n");
    }
    assert_eq!(watcher.info("connected_clients"), count as u64 + 1);
}

#[test]
fn a_slow_reader_is_cut_off_at_its_limit() {
    let limit = 8 << 20;
    let server = ours(&["--client-output-buffer-limit", &format!("normal {limit} 0 0")]);
    let mut other = Client::new(&server);
    for (kind, request) in [("long value", "GET long"), ("many small ones", "LRANGE list 0 -1")] {
        other.ask(&format!("SET long {}", "x".repeat(60_000)));
        for _ in 0..20 {
            other.ask(&format!("APPEND long {}", "x".repeat(50_000)));
            other.ask(&format!("RPUSH list {}", "abcdefghij ".repeat(5_000)));
        }
        let (cut, base) = (other.info("client_output_buffer_limit_disconnections"), other.info("used_memory"));
        // It asks for a gigabyte and reads nothing.
        let mut slow = server.connect();
        let written = slow.write_all(format!("{request}\r\n").repeat(1000).as_bytes());
        assert!(written.is_ok() || written.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
        let mut most = 0;
        while other.info("client_output_buffer_limit_disconnections") == cut {
            most = most.max(other.info("used_memory").saturating_sub(base));
        }
        assert!(most < 3 * limit, "{kind}: {most} bytes for one slow reader");
        slow.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        // What the kernel had taken may still come, then the end.
        let mut rest = vec![0; 1 << 20];
        while slow.read(&mut rest).is_ok_and(|count| count > 0) {}
        assert_eq!(other.ask("PING"), "+PONG");
    }
}

#[test]
fn a_transaction_with_endless_replies_is_cut_off_too() {
    let limit = 8 << 20;
    let server = ours(&["--client-output-buffer-limit", &format!("normal {limit} 0 0")]);
    let mut other = Client::new(&server);
    for _ in 0..20 {
        other.ask(&format!("RPUSH list {}", "abcdefghij ".repeat(5_000)));
    }
    let peak = other.info("used_memory");
    let mut greedy = server.connect();
    greedy.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let queue = "LRANGE list 0 -1\r\n".repeat(500);
    greedy.write_all(format!("MULTI\r\n{queue}EXEC\r\n").as_bytes()).expect("a request");
    let mut rest = vec![0; 1 << 20];
    while greedy.read(&mut rest).is_ok_and(|count| count > 0) {}
    assert_eq!(other.info("client_output_buffer_limit_disconnections"), 1);
    let most = other.info("used_memory_peak") - peak;
    assert!(most < 6 * limit, "{most} bytes for one transaction");
}

#[test]
fn strangers_with_half_requests_are_bounded() {
    let server = ours(&["--requirepass", "secret", "--maxclients", "5000"]);
    let mut watcher = Client::new(&server);
    assert_eq!(watcher.ask("AUTH secret"), "+OK");
    let before = watcher.info("used_memory");
    let count = allowed(2_000);
    let half = [b"*3\r\n$4\r\nAUTH\r\n$1\r\nx\r\n$16384\r\n".as_slice(), &[b'x'; 16_000]].concat();
    let mut strangers: Vec<TcpStream> = (0..count).map(|_| server.connect()).collect();
    for stranger in &mut strangers {
        stranger.write_all(&half).expect("half a request");
    }
    while watcher.info("total_net_input_bytes") < (count * half.len()) as u64 {}
    let each = (watcher.info("used_memory") - before) / count as u64;
    assert!(each < 24 * 1024, "{each} bytes for each stranger");
    // One who asks for more is sent away.
    let mut greedy = Client::new(&server);
    greedy.0.write_all(b"*1000\r\n").expect("a request");
    assert_eq!(greedy.line(), "-ERR Protocol error: unauthenticated multibulk length");
    drop(strangers);
    while watcher.info("connected_clients") > 2 {}
    assert!(watcher.info("used_memory") < before + (1 << 20));
}

#[test]
fn clients_together_stay_below_their_limit() {
    let server = ours(&["--maxmemory-clients", "20mb"]);
    let mut watcher = Client::new(&server);
    assert_eq!(watcher.ask("CLIENT NO-EVICT ON"), "+OK");
    let before = watcher.info("used_memory");
    let mut hogs: Vec<TcpStream> = (0..60).map(|_| server.connect()).collect();
    for hog in &mut hogs {
        // Whoever is evicted meanwhile cannot be written to.
        let _ = hog.write_all(b"*2\r\n$3\r\nGET\r\n$10000000\r\n").and_then(|()| hog.write_all(&[b'x'; 1_000_000]));
    }
    while watcher.info("evicted_clients") < 30 {}
    let used = watcher.info("used_memory") - before;
    assert!(used < 30 << 20, "{used} bytes for all clients");
}
