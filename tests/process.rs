//! The program as a process among others: sockets that close, what `ps` shows, what it says of its memory.

#[path = "support/server.rs"]
mod server;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use server::Server;

fn ours() -> Server {
    Server::start(env!("CARGO_BIN_EXE_russet"), &["--enable-debug-command", "yes"])
}

/// Sends an inline request and returns its reply: a line, or the content of a bulk string.
fn ask(conn: &mut BufReader<TcpStream>, request: &str) -> String {
    conn.get_mut().write_all(format!("{request}\r\n").as_bytes()).expect("the server reads");
    let mut line = String::new();
    conn.read_line(&mut line).expect("a reply");
    let Some(len) = line.strip_prefix('$') else { return line.trim_end().to_owned() };
    let mut content = vec![0; len.trim_end().parse::<usize>().expect("a length") + 2];
    conn.read_exact(&mut content).expect("the whole reply");
    content.truncate(content.len() - 2);
    String::from_utf8(content).expect("text")
}

/// What INFO or CLIENT INFO tells under a name.
fn told(text: &str, name: &str) -> u64 {
    let field = text.split_whitespace().find_map(|field| field.strip_prefix(name)?.strip_prefix([':', '=']));
    field.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} in {text}"))
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
    }
}

#[test]
fn a_peer_that_closes_right_after_its_last_bytes_is_forgotten() {
    let server = ours();
    let mut conn = BufReader::new(server.connect());
    let mut leaving = server.connect();
    wait_for("both are connected", || told(&ask(&mut conn, "INFO clients"), "connected_clients") == 2);
    // What it sends and the end of the connection arrive while the server sleeps: one event tells of both, and no reply
    // makes another.
    conn.get_mut().write_all(b"DEBUG SLEEP 0.2\r\n").expect("the server reads");
    leaving.write_all(b"PIN").expect("the server reads");
    drop(leaving);
    let mut line = String::new();
    conn.read_line(&mut line).expect("a reply");
    assert_eq!(line, "+OK\r\n");
    wait_for("only one is left", || told(&ask(&mut conn, "INFO clients"), "connected_clients") == 1);
}

#[test]
fn a_file_that_redis_rewrote_names_the_default_user() {
    let hash = "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let user = ["--user", "default", "on", hash, "sanitize-payload", "~*", "&*", "+@all"];
    let server = Server::start(env!("CARGO_BIN_EXE_russet"), &[["--requirepass", "secret"].as_slice(), &user].concat());
    let mut conn = BufReader::new(server.connect());
    assert_eq!(ask(&mut conn, "PING"), "-NOAUTH Authentication required.");
    assert_eq!(ask(&mut conn, "AUTH secret"), "+OK");
}

/// What the program says, on standard error and in its log, when it refuses to start with these options.
fn refusal(options: &[&str]) -> (String, String) {
    let socket = std::env::temp_dir().join(format!("russet-refusal-{}.sock", std::process::id()));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_russet"))
        .args(["--port", "0", "--unixsocket", &socket.display().to_string()])
        .args(options)
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1), "{options:?}");
    (String::from_utf8_lossy(&output.stderr).into_owned(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn what_keeps_the_server_from_starting_is_said_once() {
    let (said, log) = refusal(&["--unixsocket", "/nonexistent/socket"]);
    assert_eq!(said, "");
    assert!(log.ends_with("# Failed opening Unix socket: bind: No such file or directory\n"), "{log}");
    let (said, log) = refusal(&["--hz", "x"]);
    assert!(said.ends_with(">>> 'hz \"x\"'\nargument couldn't be parsed into an integer\n"), "{said}");
    assert_eq!(log, "");
}

#[test]
fn a_server_that_cannot_keep_strangers_out_or_load_a_module_does_not_start() {
    let (said, _) = refusal(&["--user", "alice", "on", "+nosuch"]);
    assert!(said.ends_with("\nError in user declaration 'alice': Unknown command or category name in ACL\n"), "{said}");
    let (_, log) = refusal(&["--aclfile", "/nonexistent/users.acl"]);
    assert!(log.ends_with("opening file '/nonexistent/users.acl': No such file or directory\n"), "{log}");
    let (_, log) = refusal(&["--tls-port", "6380"]);
    assert!(log.ends_with("# Failed to configure TLS. Check logs for more info.\n"), "{log}");
    let (_, log) = refusal(&["--loadmodule", "/nonexistent/module.so"]);
    assert!(log.ends_with("# Can't load module from /nonexistent/module.so: server aborting\n"), "{log}");
    let (_, log) = refusal(&["--search.threads", "2"]);
    assert!(log.ends_with("no ApplyConfig call: aborting\n"), "{log}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_title_follows_its_template() {
    let server = ours();
    let mut conn = BufReader::new(server.connect());
    let pid = told(&ask(&mut conn, "INFO server"), "process_id");
    let title = || {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).expect("the server's title");
        String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()
    };
    let port = server.port();
    assert_eq!(title(), format!("{} *:{port}", env!("CARGO_BIN_EXE_russet")));
    // Longer than the arguments were: the title goes on where the environment was.
    let long = "x".repeat(600);
    assert_eq!(ask(&mut conn, &format!("CONFIG SET proc-title-template \"{long} {{port}}\"")), "+OK");
    assert_eq!(title(), format!("{long} {port}"));
    assert_eq!(ask(&mut conn, "CONFIG SET proc-title-template {port}"), "+OK");
    assert_eq!(title(), port.to_string());
}

#[test]
fn used_memory_is_told_without_what_the_telling_takes() {
    let server = ours();
    let mut conn = BufReader::new(server.connect());
    // MEMORY STATS builds no text.
    let total = |conn: &mut BufReader<TcpStream>| -> u64 {
        conn.get_mut().write_all(b"MEMORY STATS\r\nPING\r\n").expect("the server reads");
        let lines = conn.lines().map(|line| line.expect("a line")).take_while(|line| line != "+PONG");
        let lines: Vec<String> = lines.collect();
        let at = lines.iter().position(|line| line == "total.allocated").expect("the total");
        lines[at + 1][1..].parse().expect("bytes")
    };
    // Buffers and statistics find their sizes first.
    wait_for("both tell the same", || {
        told(&ask(&mut conn, "INFO memory"), "used_memory").abs_diff(total(&mut conn)) < 1024
    });
}

#[test]
fn a_client_that_sends_too_much_is_gone_for_whoever_asks_next() {
    let server = ours();
    let mut conn = BufReader::new(server.connect());
    assert_eq!(ask(&mut conn, "CONFIG SET maxmemory-clients 400000"), "+OK");
    for _ in 0..20 {
        let mut greedy = server.connect();
        greedy.write_all(b"CLIENT SETNAME greedy\r\n").expect("the server reads");
        let mut ok = [0; 5];
        greedy.read_exact(&mut ok).expect("a reply");
        // Both wait for the server while it sleeps: the greedy one is read first.
        let mut sleeper = BufReader::new(server.connect());
        sleeper.get_mut().write_all(b"DEBUG SLEEP 0.05\r\n").expect("the server reads");
        let argument = [b"*2\r\n$3\r\nGET\r\n$400000\r\n".as_slice(), &[b'x'; 399_999]].concat();
        // The server may close while this is written.
        let _ = greedy.write_all(&argument);
        assert!(!ask(&mut conn, "CLIENT LIST").contains("name=greedy"));
    }
}

/// The server's folder.
fn dir(conn: &mut BufReader<TcpStream>) -> std::path::PathBuf {
    conn.get_mut().write_all(b"CONFIG GET dir\r\n").expect("the server reads");
    let lines: Vec<String> = conn.lines().take(5).map(|line| line.expect("a line")).collect();
    lines[4].clone().into()
}

fn signal(name: &str, pid: u64) {
    let status = std::process::Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(status.expect("kill runs").success());
}

#[cfg(unix)]
#[test]
fn shutdown_abort_takes_a_signal_back() {
    let server = ours();
    let mut conn = BufReader::new(server.connect());
    assert_eq!(ask(&mut conn, "DEBUG PAUSE-CRON 1"), "+OK");
    let pid = told(&ask(&mut conn, "INFO server"), "process_id");
    signal("TERM", pid);
    wait_for("the signal comes", || ask(&mut conn, "SHUTDOWN ABORT") == "+OK");
    assert_eq!(ask(&mut conn, "DEBUG PAUSE-CRON 0"), "+OK");
    assert_eq!(ask(&mut conn, "PING"), "+PONG");
    // The next one is no second one: it is obeyed in order.
    signal("INT", pid);
    let mut rest = String::new();
    assert_eq!(conn.read_to_string(&mut rest).expect("the connection ends"), 0);
}

#[cfg(unix)]
#[test]
fn a_second_interrupt_ends_the_last_save_and_leaves_no_file() {
    let server = Server::start(env!("CARGO_BIN_EXE_russet"), &["--save", "900 1", "--rdb-key-save-delay", "10000000"]);
    let mut conn = BufReader::new(server.connect());
    assert_eq!(ask(&mut conn, "SET k v"), "+OK");
    let pid = told(&ask(&mut conn, "INFO server"), "process_id");
    let temp = dir(&mut conn).join(format!("temp-{pid}.rdb"));
    signal("INT", pid);
    wait_for("the save begins", || temp.exists());
    signal("INT", pid);
    wait_for("its file is gone", || !temp.exists());
    let mut rest = String::new();
    assert_eq!(conn.read_to_string(&mut rest).unwrap_or(0), 0);
}

#[test]
fn a_save_that_sleeps_can_be_cancelled_and_another_begun() {
    let options = ["--save", "900 1", "--rdb-key-save-delay", "10000000"];
    let server = Server::start(env!("CARGO_BIN_EXE_russet"), &options);
    let mut conn = BufReader::new(server.connect());
    assert_eq!(ask(&mut conn, "SET k v"), "+OK");
    assert_eq!(ask(&mut conn, "BGSAVE"), "+Background saving started");
    wait_for("the key is written", || told(&ask(&mut conn, "INFO persistence"), "current_save_keys_processed") == 1);
    assert_eq!(ask(&mut conn, "BGSAVE CANCEL"), "+Background saving cancelled");
    assert_eq!(ask(&mut conn, "BGSAVE"), "+Background saving started");
    wait_for("the key is written", || told(&ask(&mut conn, "INFO persistence"), "current_save_keys_processed") == 1);
    assert_eq!(ask(&mut conn, "CONFIG SET rdb-key-save-delay 0"), "+OK");
    wait_for("the save ends", || told(&ask(&mut conn, "INFO persistence"), "rdb_bgsave_in_progress") == 0);
    assert!(dir(&mut conn).join("dump.rdb").exists());
    wait_for("nothing else is left", || std::fs::read_dir(dir(&mut conn)).is_ok_and(|names| names.count() == 1));
}

#[test]
fn a_save_waits_for_what_a_cancelled_one_leaves() {
    let server = ours();
    let mut conn = BufReader::new(server.connect());
    assert_eq!(ask(&mut conn, "DEBUG POPULATE 5 key 200000"), "+OK");
    assert_eq!(ask(&mut conn, "CONFIG SET rdbcompression no rdb-key-save-delay 50000"), "+OK");
    // The first one has written to its file and goes on with it when the second begins, and would take its file away.
    assert_eq!(ask(&mut conn, "BGSAVE"), "+Background saving started");
    wait_for("a key is written", || told(&ask(&mut conn, "INFO persistence"), "current_save_keys_processed") > 0);
    assert_eq!(ask(&mut conn, "BGSAVE CANCEL"), "+Background saving cancelled");
    assert_eq!(ask(&mut conn, "SAVE"), "+OK");
    assert_eq!(ask(&mut conn, "DEBUG RELOAD NOSAVE"), "+OK");
    assert_eq!(ask(&mut conn, "DBSIZE"), ":5");
}

#[cfg(unix)]
#[test]
fn a_save_keeps_to_its_processors_and_stalls_beside_it_tell_their_work() {
    let options = ["--enable-debug-command", "yes", "--bgsave-cpulist", "0", "--rdb-key-save-delay", "10000000"];
    let server = Server::start(env!("CARGO_BIN_EXE_russet"), &options);
    let mut conn = BufReader::new(server.connect());
    assert_eq!(ask(&mut conn, "SET key value"), "+OK");
    let pid = told(&ask(&mut conn, "INFO server"), "process_id");
    assert_eq!(ask(&mut conn, "BGSAVE"), "+Background saving started");
    // A thread has its name before it has its processors.
    wait_for("the thread is bound", || {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process goes on").flatten();
        let mut states = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("status")).ok());
        states.any(|state| state.starts_with("Name:\tsnapshot\n") && state.contains("\nCpus_allowed_list:\t0\n"))
    });
    assert_eq!(ask(&mut conn, "DEBUG SLEEP 0.01"), "+OK");
    let stalls = ask(&mut conn, "INFO stalls");
    assert!(stalls.contains("stall_command:count=1,worst_usec=") && stalls.contains(",worst_cpu_usec="), "{stalls}");
}

#[test]
fn unused_memory_is_given_back_by_a_thread_of_its_own_if_so_configured() {
    let server = ours();
    let mut conn = BufReader::new(server.connect());
    let pid = told(&ask(&mut conn, "INFO server"), "process_id");
    let has_thread = || {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process goes on").flatten();
        let mut names = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
        names.any(|name| name == "jemalloc_bg_thd\n")
    };
    wait_for("the thread runs", has_thread);
    assert_eq!(ask(&mut conn, "CONFIG SET jemalloc-bg-thread no"), "+OK");
    wait_for("the thread has ended", || !has_thread());
    assert_eq!(ask(&mut conn, "CONFIG SET jemalloc-bg-thread yes"), "+OK");
    wait_for("the thread runs again", has_thread);
}

#[test]
fn a_terminal_that_hangs_up_does_not_end_it() {
    let server = ours();
    let mut conn = BufReader::new(server.connect());
    let process = told(&ask(&mut conn, "INFO server"), "process_id").to_string();
    let sent = std::process::Command::new("kill").args(["-HUP", &process]).status().expect("kill runs");
    assert!(sent.success());
    assert_eq!(ask(&mut conn, "PING"), "+PONG");
    assert_eq!(ask(&mut BufReader::new(server.connect()), "PING"), "+PONG");
}

/// A folder of a server's own that nobody can write to, not even root.
#[cfg(target_os = "linux")]
const UNWRITABLE: &str = "/sys";

const MISCONF: &str =
    "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.";

/// What holds of a server whose folder takes no files: readers are served, savers are told, writers too where a save point asks
/// for files, and what is in memory stays.
fn check_without_a_folder(conn: &mut BufReader<TcpStream>) {
    assert_eq!(ask(conn, "SET k v"), "+OK");
    assert_eq!(ask(conn, "SAVE"), "-ERR");
    assert_eq!(ask(conn, "BGSAVE"), "+Background saving started");
    wait_for("the save fails", || {
        let told = ask(conn, "INFO persistence");
        told.contains("rdb_bgsave_in_progress:0") && told.contains("rdb_last_bgsave_status:err")
    });
    // Without save points nobody counts on files.
    assert_eq!(ask(conn, "SET k v2"), "+OK");
    assert_eq!(
        ask(conn, "CONFIG SET appendonly yes"),
        "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable to turn on AOF. Check server logs."
    );
    assert!(ask(conn, "INFO persistence").contains("aof_enabled:0"));
    assert_eq!(
        ask(conn, "BGREWRITEAOF"),
        "-ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
    );
    assert_eq!(ask(conn, "CONFIG SET save \"900 1\""), "+OK");
    assert!(ask(conn, "SET k v3").starts_with(MISCONF));
    assert_eq!(ask(conn, "SHUTDOWN"), "-ERR Errors trying to SHUTDOWN. Check logs.");
    assert_eq!(ask(conn, "GET k"), "v2");
    assert_eq!(ask(conn, "CONFIG SET stop-writes-on-bgsave-error no"), "+OK");
    assert_eq!(ask(conn, "SET k v3"), "+OK");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_to_costs_no_data() {
    let server = Server::start(env!("CARGO_BIN_EXE_russet"), &["--dir", UNWRITABLE]);
    check_without_a_folder(&mut BufReader::new(server.connect()));
}

#[test]
fn a_folder_that_goes_away_costs_no_data() {
    let folder = std::env::temp_dir().join(format!("russet-gone-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let config = folder.join("russet.conf");
    std::fs::write(&config, "timeout 100\n").expect("a file");
    let options = [config.display().to_string(), "--dir".to_owned(), folder.display().to_string()];
    let server = Server::start(env!("CARGO_BIN_EXE_russet"), &options.each_ref().map(String::as_str));
    let mut conn = BufReader::new(server.connect());
    assert_eq!(ask(&mut conn, "SET k v"), "+OK");
    assert_eq!(ask(&mut conn, "SAVE"), "+OK");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    assert_eq!(ask(&mut conn, "CONFIG REWRITE"), "-ERR Rewriting config file: No such file or directory");
    check_without_a_folder(&mut conn);
}

#[test]
fn an_append_only_file_whose_folder_goes_away_goes_on() {
    let server = Server::start(env!("CARGO_BIN_EXE_russet"), &["--appendonly", "yes"]);
    let mut conn = BufReader::new(server.connect());
    assert_eq!(ask(&mut conn, "SET k v"), "+OK");
    let folder = dir(&mut conn);
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    // The file is open and takes what is written.
    assert_eq!(ask(&mut conn, "SET k v2"), "+OK");
    assert_eq!(
        ask(&mut conn, "BGREWRITEAOF"),
        "-ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
    );
    let told = ask(&mut conn, "INFO persistence");
    assert!(told.contains("aof_last_bgrewrite_status:err") && told.contains("aof_last_write_status:ok"), "{told}");
    assert_eq!(ask(&mut conn, "SET k v3"), "+OK");
}

#[test]
fn a_server_without_a_place_for_its_files_does_not_start() {
    for (dir, why) in [("/nonexistent", "No such file or directory"), ("/etc/hostname", "Not a directory")] {
        let (said, log) = refusal(&["--dir", dir]);
        assert!(said.ends_with(&format!(">>> 'dir \"{dir}\"'\n{why}\n")), "{said}");
        assert_eq!(log, "");
    }
    let (said, log) = refusal(&["--logfile", "/nonexistent/russet.log"]);
    assert!(said.ends_with("Can't open the log file: No such file or directory\n"), "{said}");
    assert_eq!(log, "");
    let folder = std::env::temp_dir().join(format!("russet-place-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.display().to_string();
    // Neither takes the place of what is there: the operator may need it.
    std::fs::write(folder.join("appendonlydir"), "a file").expect("a file");
    let (_, log) = refusal(&["--dir", &path, "--appendonly", "yes"]);
    assert!(log.contains("Not a directory"), "{log}");
    std::fs::create_dir(folder.join("dump.rdb")).expect("a folder");
    let (_, log) = refusal(&["--dir", &path]);
    assert!(log.contains("# Is a directory\n"), "{log}");
    assert!(folder.join("appendonlydir").is_file() && folder.join("dump.rdb").is_dir());
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_whose_append_only_file_cannot_be_made_does_not_start() {
    let (_, log) = refusal(&["--dir", UNWRITABLE, "--appendonly", "yes"]);
    assert!(log.contains("# Can't open or create append-only dir appendonlydir: "), "{log}");
}

#[test]
fn room_for_arguments_that_never_come_is_no_used_memory_before_nor_after_their_clients_leave() {
    let server = ours();
    let mut conn = BufReader::new(server.connect());
    let used = |conn: &mut BufReader<TcpStream>| told(&ask(conn, "INFO memory"), "used_memory");
    let before = used(&mut conn);
    let mut announcing: Vec<TcpStream> = (0..4).map(|_| server.connect()).collect();
    for client in &mut announcing {
        client.write_all(b"*2\r\n$500000000\r\n").expect("the server reads");
        client.write_all(&vec![b'x'; 3 << 20]).expect("the server reads");
    }
    wait_for("all has come", || used(&mut conn) > before + (12 << 20));
    assert!(used(&mut conn) < before + (20 << 20));
    drop(announcing);
    wait_for("they are forgotten", || told(&ask(&mut conn, "INFO clients"), "connected_clients") == 1);
    let after = used(&mut conn);
    assert!(after.abs_diff(before) < 1 << 20, "{before} bytes before, {after} after");
}

#[test]
fn a_long_reply_takes_many_turns_however_fast_it_is_read() {
    const LEN: u64 = 32 << 20;
    const WRITTEN_PER_TURN: u64 = 256 << 10;
    let server = ours();
    let mut conn = BufReader::new(server.connect());
    assert_eq!(ask(&mut conn, &format!("SETRANGE key {} x", LEN - 1)), format!(":{LEN}"));
    let before = told(&ask(&mut conn, "INFO stats"), "total_writes_processed");
    assert_eq!(ask(&mut conn, "GET key").len() as u64, LEN);
    let writes = told(&ask(&mut conn, "INFO stats"), "total_writes_processed") - before;
    assert!(writes >= LEN / WRITTEN_PER_TURN, "{writes} writes");
}

#[test]
fn what_was_answered_before_the_end_reaches_its_client_though_it_is_more_than_a_turn_writes() {
    const LEN: usize = 640 << 10;
    let server = ours();
    let mut conn = BufReader::new(server.connect());
    assert_eq!(ask(&mut conn, &format!("SETRANGE key {} x", LEN - 1)), format!(":{LEN}"));
    conn.get_mut().write_all(b"GET key\r\nSHUTDOWN NOSAVE\r\n").expect("the server reads");
    let mut told = Vec::new();
    conn.read_to_end(&mut told).expect("the server ends");
    assert_eq!(told.len(), format!("${LEN}\r\n").len() + LEN + 2);
}

#[test]
fn a_reply_without_end_neither_fills_memory_nor_keeps_others_waiting() {
    let server = ours();
    let mut conn = BufReader::new(server.connect());
    assert_eq!(ask(&mut conn, "SADD s a b c"), ":3");
    let used = told(&ask(&mut conn, "INFO memory"), "used_memory");
    // One takes what it gets, the other nothing.
    let mut taking = BufReader::new(server.connect());
    let mut waiting = server.connect();
    for asking in [taking.get_mut(), &mut waiting] {
        asking.write_all(b"SRANDMEMBER s -9223372036854775807\r\n").expect("the server reads");
    }
    let mut line = String::new();
    taking.read_line(&mut line).expect("a reply");
    assert_eq!(line, "*9223372036854775807\r\n");
    let mut element = [0; 7];
    for n in 0..3_000_000u32 {
        taking.read_exact(&mut element).expect("the server goes on");
        assert!(element.starts_with(b"$1\r\n") && element.ends_with(b"\r\n") && (b'a'..=b'c').contains(&element[4]));
        match n {
            1_000_000 => assert_eq!(ask(&mut conn, "DEL s"), ":1"),
            n if n % 500_000 == 0 => {
                let more = told(&ask(&mut conn, "INFO memory"), "used_memory").saturating_sub(used);
                assert!(more < 2_000_000, "{more} bytes more");
            }
            _ => {}
        }
    }
    drop(taking);
    wait_for("who left is forgotten", || told(&ask(&mut conn, "INFO clients"), "connected_clients") == 2);
    waiting.shutdown(std::net::Shutdown::Both).expect("the connection ends");
    wait_for("who left is forgotten", || told(&ask(&mut conn, "INFO clients"), "connected_clients") == 1);
}
