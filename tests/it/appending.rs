//! The append-only file: what is written, what is held back, what a failing disk does, what is found after a crash.

use std::path::Path;

use russet::base::disk::{MemoryDisk, read_all};
use russet::base::rng::Rng;
use russet::dispatch::memory;
use russet::resp::parser::split_args;

use crate::runner::{TestNode, check_with, encode, run};

const YES: (&str, &str) = ("appendonly", "yes");
const ALWAYS: [(&str, &str); 2] = [YES, ("appendfsync", "always")];
const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";
const INCREMENTAL: &str = "appendonlydir/appendonly.aof.1.incr.aof";

fn start(lines: &[(&str, &str)]) -> TestNode {
    TestNode::start_on(MemoryDisk::default(), lines)
}

fn text_of(disk: &MemoryDisk, path: &str) -> String {
    String::from_utf8_lossy(&read_all(disk, Path::new(path)).expect("the file")).into_owned()
}

fn digest(node: &mut TestNode) -> String {
    node.ask("DEBUG DIGEST")
}

/// The data that a server finds which starts on this disk.
fn found_on(disk: MemoryDisk, lines: &[(&str, &str)]) -> TestNode {
    let mut node = TestNode::start_on(disk, lines);
    assert_eq!(node.exit_code, None, "the server does not start");
    assert_eq!(node.ask("PING"), "PONG");
    node
}

const DEBUG: (&str, &str) = ("enable-debug-command", "yes");

#[test]
fn a_new_file_has_a_base_an_incremental_file_and_a_manifest() {
    let mut node = start(&[YES]);
    assert_eq!(
        text_of(&node.host.disk, MANIFEST),
        "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
    );
    run(
        &mut node,
        "
        > SET a 1
        OK
        > SELECT 3
        OK
        > MULTI
        OK
        > INCR n
        QUEUED
        > GET n
        QUEUED
        > INCR n
        QUEUED
        > EXEC
        [(int) 1 1 (int) 2]
        > SET t 1 PX 100
        OK
        ~ 200
        > GET t
        (nil)
        > PUBLISH c m
        (int) 0
        > SET nosuch 1 XX
        (nil)
        ",
    );
    assert_eq!(
        node.commands_of(INCREMENTAL),
        ["SELECT 0", "SET a 1", "MULTI", "SELECT 3", "INCR n", "INCR n", "EXEC", "SET t 1 PXAT 1700000000100", "DEL t"]
    );
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let lines = [YES, DEBUG];
    let mut node = start(&lines);
    run(
        &mut node,
        "
        > RPUSH l a b c
        (int) 3
        > LPOP l
        a
        > HSET h f 1 g 2
        (int) 2
        > HPEXPIRE h 100000 FIELDS 1 f
        [(int) 1]
        > HINCRBY h f 5
        (int) 6
        > SADD s 1 2 3
        (int) 3
        > SPOP s 3
        ...
        > ZADD z 1.5 a
        (int) 1
        > SET e 1 EX 100
        OK
        > SELECT 5
        OK
        > SET other db
        OK
        ",
    );
    let before = digest(&mut node);
    let mut again = found_on(node.host.disk.after_kill(), &lines);
    assert_eq!(digest(&mut again), before);
    assert_eq!(again.ask("SET more 1"), "OK");
    let before = digest(&mut again);
    assert_eq!(again.ask("DEBUG LOADAOF"), "OK");
    assert_eq!(digest(&mut again), before);
}

#[test]
fn a_key_lives_until_the_file_is_repeated_to_its_end() {
    let disk = MemoryDisk::default();
    let commands: [&[&[u8]]; 6] = [
        &[b"SET", b"kept", b"1"],
        &[b"PEXPIREAT", b"kept", b"1000"],
        &[b"PERSIST", b"kept"],
        &[b"RPUSH", b"gone", b"foo"],
        &[b"PEXPIREAT", b"gone", b"1000"],
        &[b"RPUSH", b"gone", b"bar"],
    ];
    let text: Vec<u8> =
        commands.iter().flat_map(|argv| encode(&argv.iter().map(|arg| arg.to_vec()).collect::<Vec<_>>())).collect();
    disk.put(Path::new(INCREMENTAL), &text);
    disk.put(Path::new(MANIFEST), b"file appendonly.aof.1.incr.aof seq 1 type i\n");
    let mut node = found_on(disk, &[YES]);
    assert_eq!((node.ask("GET kept"), node.ask("LLEN gone")), ("1".to_owned(), "(int) 0".to_owned()));
}

#[test]
fn nothing_that_could_be_lost_is_shown_to_anyone() {
    let mut node = start(&ALWAYS);
    run(&mut node, "> SET old 1\nOK\n> SET k before\nOK\nd> SUBSCRIBE c\n[subscribe c (int) 1]");
    run(&mut node, "e> BLPOP queue 0\n(none)\nf> MONITOR\nOK");
    node.host.holds_jobs.set(true);
    let asks = |node: &mut TestNode, client: &str, request: &[&[u8]]| {
        node.send(client, &encode(&request.iter().map(|arg| arg.to_vec()).collect::<Vec<_>>()));
        node.read(client)
    };
    assert_eq!(asks(&mut node, "a", &[b"SET", b"k", b"after"]), None);
    assert_eq!(asks(&mut node, "b", &[b"GET", b"k"]), None, "the value could still be lost");
    assert_eq!(asks(&mut node, "b", &[b"GET", b"old"]), None, "it comes after what waits");
    assert_eq!(asks(&mut node, "c", &[b"GET", b"old"]).as_deref(), Some("1"));
    assert_eq!(asks(&mut node, "c", &[b"PING"]).as_deref(), Some("PONG"));
    assert_eq!(asks(&mut node, "c", &[b"SET", b"old", b"2", b"NX"]).as_deref(), Some("(nil)"));
    for (client, request) in [("g", b"DBSIZE".as_slice()), ("h", b"RANDOMKEY")] {
        assert_eq!(asks(&mut node, client, &[request]), None, "it tells of all keys");
    }
    assert!(asks(&mut node, "i", &[b"INFO"]).is_some(), "it tells of the server");
    assert_eq!(asks(&mut node, "a", &[b"PUBLISH", b"c", b"m"]), None);
    assert_eq!(node.read("d"), None, "what a writer says may follow from what it wrote");
    assert_eq!(asks(&mut node, "j", &[b"RPUSH", b"queue", b"x"]), None);
    assert_eq!((node.read("e"), node.read("f")), (None, None));
    node.host.holds_jobs.set(false);
    node.advance_ms(2);
    let mut read = |client: &str| node.read(client).unwrap_or_else(|| panic!("{client} waits for ever"));
    assert_eq!((read("a"), read("b"), read("b")), ("OK".to_owned(), "after".to_owned(), "1".to_owned()));
    assert_eq!((read("d"), read("e")), ("[message c m]".to_owned(), "[queue x]".to_owned()));
    assert!(read("f").contains("\"SET\" \"k\" \"after\""));
    for client in ["g", "h", "j"] {
        read(client);
    }
}

#[test]
fn a_turn_waits_for_a_quick_sync_and_not_long_for_a_slow_one() {
    let mut node = start(&ALWAYS);
    let set = encode(&[b"SET".to_vec(), b"k".to_vec(), b"v".to_vec()]);
    node.host.holds_jobs.set(true);
    node.host.tick_us.set(1);
    // Microseconds that a turn waits in which a client writes and nothing comes of its sync.
    let waits = |node: &mut TestNode, client: &str| {
        let before = *node.host.clock_us.borrow();
        node.send(client, &set);
        assert_eq!(node.read(client), None, "its sync has not returned");
        let waited = *node.host.clock_us.borrow() - before;
        node.host.holds_jobs.set(false);
        node.turn();
        node.host.holds_jobs.set(true);
        assert_eq!(node.read(client).as_deref(), Some("OK"));
        waited
    };
    let first = waits(&mut node, "a");
    assert!((300..600).contains(&first), "{first} us");
    let again = waits(&mut node, "a");
    assert!(again < 200, "{again} us, after the last was slow");
    let mut pauses = 0;
    for _ in 0..200 {
        *node.host.clock_us.borrow_mut() += 1000;
        pauses += u64::from(waits(&mut node, "a") >= 300);
    }
    assert!((5..=9).contains(&pauses), "{pauses} turns waited for slow syncs");
    *node.host.clock_us.borrow_mut() += 200_000;
    node.host.quick_jobs.set(true);
    for _ in 0..5 {
        node.send("b", &set);
        assert_eq!(node.read("b").as_deref(), Some("OK"), "in the turn that wrote");
    }
}

#[test]
fn who_writes_without_pause_is_answered_all_the_same() {
    let mut node = start(&ALWAYS);
    let set = encode(&[b"SET".to_vec(), b"k".to_vec(), b"v".to_vec()]);
    for turn in 0..20 {
        // The sync of every second turn ends only after the next has written again.
        node.host.holds_jobs.set(turn % 2 == 0);
        node.send("a", &set);
    }
    let mut answers = 0;
    while node.read("a").is_some() {
        answers += 1;
    }
    assert!(answers >= 18, "{answers} answers to 20 writes");
}

const MISCONF: &str = "(error) MISCONF Errors writing to the AOF file: ";

#[test]
fn a_failed_write_stops_writers_until_there_is_room() {
    let mut node = start(&[YES]);
    assert_eq!(node.ask("SET a 1"), "OK");
    node.host.disk.set_room(5);
    assert_eq!(node.ask("SET a 2"), "OK");
    assert!(node.ask("SET a 3").starts_with(MISCONF));
    assert!(node.ask("PING").starts_with(MISCONF));
    assert_eq!(node.ask("GET a"), "2");
    assert_eq!(node.commands_of(INCREMENTAL), ["SELECT 0", "SET a 1"]);
    node.host.disk.set_full(false);
    assert!(node.ask("SET a 3").starts_with(MISCONF), "it is tried again once a second");
    node.advance_ms(1100);
    assert_eq!(node.ask("SET a 4"), "OK");
    assert_eq!(node.commands_of(INCREMENTAL), ["SELECT 0", "SET a 1", "SET a 2", "SET a 4"]);
}

#[test]
fn a_failed_write_is_never_acknowledged_under_always() {
    let mut node = start(&ALWAYS);
    assert_eq!(node.ask("SET a 1"), "OK");
    node.host.disk.set_room(5);
    assert_eq!(node.ask("SET a 2"), "(none)");
    assert!(node.ask("SET b 3").starts_with(MISCONF), "a connection of its own, as the first was closed");
    assert_eq!(node.commands_of(INCREMENTAL), ["SELECT 0", "SET a 1"]);
    run(&mut node, "b> GET a\n(error) MISCONF Errors writing to the AOF file: no storage space");
    node.advance_ms(2100);
    run(&mut node, "b> GET a\n(error) MISCONF Errors writing to the AOF file: no storage space");
    node.host.disk.set_full(false);
    node.advance_ms(1100);
    run(&mut node, "b> GET a\n2");
    assert_eq!(node.ask("SET b 3"), "OK");
}

#[test]
fn after_a_failed_sync_only_a_new_file_is_trusted() {
    for lines in [&ALWAYS[..], &[YES]] {
        let mut node = start(lines);
        assert_eq!(node.ask("SET a 1"), "OK");
        node.advance_ms(1100);
        node.host.disk.fail_syncs(true);
        let is_always = lines.len() > 1;
        assert_eq!(node.ask("SET a 2"), if is_always { "(none)" } else { "OK" });
        node.advance_ms(1100);
        assert!(node.ask("SET a 3").starts_with(MISCONF));
        node.host.disk.fail_syncs(false);
        for _ in 0..40 {
            node.advance_ms(100);
        }
        assert_eq!(node.ask("SET b 4"), "OK");
        node.advance_ms(1100);
        let manifest = text_of(&node.host.disk, MANIFEST);
        assert!(manifest.starts_with("file appendonly.aof.2.base.rdb seq 2 type b\n"), "{manifest}");
        let mut again = found_on(node.host.disk.after_crash(), lines);
        assert_eq!((again.ask("GET a"), again.ask("GET b")), ("2".to_owned(), "4".to_owned()));
    }
}

#[test]
fn a_rewrite_goes_on_beside_commands_and_can_be_interrupted_anywhere() {
    for preamble in ["yes", "no"] {
        let lines = [YES, ("appendfsync", "always"), ("aof-use-rdb-preamble", preamble), DEBUG];
        let mut node = start(&lines);
        for n in 0..200 {
            node.ask(&format!("RPUSH l {n}"));
            node.ask(&format!("HSET h f{n} {n}"));
            node.ask(&format!("ZADD z {n} m{n}"));
        }
        node.ask("HPEXPIRE h 100000 FIELDS 1 f7");
        node.ask("SET s v PX 100000");
        node.ask("INCR n");
        node.host.disk.record();
        let mut counted = 1;
        assert_eq!(node.ask("BGREWRITEAOF"), "Background append only file rewriting started");
        let mut acknowledged = Vec::new();
        while node.ask("INFO persistence").contains("aof_rewrite_in_progress:1") || acknowledged.len() < 3 {
            counted += 1;
            assert_eq!(node.ask("INCR n"), format!("(int) {counted}"));
            acknowledged.push(counted);
        }
        let end = digest(&mut node);
        let kind = if preamble == "yes" { "rdb" } else { "aof" };
        assert_eq!(
            text_of(&node.host.disk, MANIFEST),
            format!("file appendonly.aof.2.base.{kind} seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n")
        );
        let records = node.host.disk.take_records();
        assert!(records.len() > 20);
        let mut last = 1;
        for (index, record) in records.into_iter().enumerate() {
            let mut again = found_on(record, &lines);
            assert_eq!(again.ask("LLEN l"), "(int) 200");
            assert_eq!((again.ask("HLEN h"), again.ask("ZCARD z")), ("(int) 200".to_owned(), "(int) 200".to_owned()));
            let n: i64 = again.ask("GET n").parse().expect("a number");
            if index % 2 == 0 {
                assert!((last..=counted).contains(&n), "step {index}: {n} after {last}");
                last = n;
            }
        }
        let names = node.host.disk.names();
        assert_eq!(names.len(), 3, "nothing is left behind: {names:?}");
        let mut again = found_on(node.host.disk.after_crash(), &lines);
        assert_eq!(digest(&mut again), end);
    }
}

#[test]
fn libraries_of_functions_are_part_of_a_base() {
    for preamble in ["yes", "no"] {
        let lines = [YES, ("aof-use-rdb-preamble", preamble)];
        let mut node = start(&lines);
        run(
            &mut node,
            "
            > FUNCTION LOAD \"#!lua name=lib\\nserver.register_function('f', function() return 7 end)\"
            lib
            > BGREWRITEAOF
            Background append only file rewriting started
            ~ 20
            ",
        );
        assert_eq!(found_on(node.host.disk.after_crash(), &lines).ask("FCALL f 0"), "(int) 7", "{preamble}");
    }
}

#[test]
fn what_was_acknowledged_survives_a_crash_at_any_moment() {
    for seed in 0..30 {
        let mut rng = Rng::new(seed);
        let mut node = start(&ALWAYS);
        let (mut sent, mut acknowledged) = (0, 0);
        for _ in 0..60 {
            node.host.holds_jobs.set(rng.below(3) == 0);
            match rng.below(12) {
                0 => drop(node.ask("BGREWRITEAOF")),
                1 => node.advance_ms(50),
                _ => {
                    sent += 1;
                    node.send("w", &encode(&[b"SET".to_vec(), b"k".to_vec(), sent.to_string().into_bytes()]));
                }
            }
            while let Some(reply) = node.read("w") {
                assert_eq!(reply, "OK");
                acknowledged += 1;
            }
            if rng.below(6) == 0 {
                let mut again = found_on(node.host.disk.after_crash(), &ALWAYS);
                let found: i64 = again.ask("GET k").parse().unwrap_or(0);
                assert!((acknowledged..=sent).contains(&found), "{found} of {sent}, {acknowledged} acknowledged");
            }
        }
    }
}

fn put_incremental(text: &str) -> MemoryDisk {
    let disk = MemoryDisk::default();
    disk.put(Path::new(INCREMENTAL), text.replace(' ', "\r\n").as_bytes());
    disk.put(Path::new(MANIFEST), b"file appendonly.aof.1.incr.aof seq 1 type i\n");
    disk
}

const SET_A: &str = "*3 $3 SET $1 a $1 1 ";

#[test]
fn loading_the_file_is_no_command_to_write_to_it() {
    let mut node = start(&[YES, DEBUG]);
    for n in 0..3 {
        assert_eq!(node.ask(&format!("SET k {n}")), "OK");
        assert_eq!(node.ask("DEBUG LOADAOF"), "OK");
        assert_eq!(node.ask("GET k"), n.to_string());
    }
    assert_eq!(node.commands_of(INCREMENTAL), ["SELECT 0", "SET k 0", "SET k 1", "SET k 2"]);
}

#[test]
fn a_file_that_asks_to_be_loaded_is_loaded_once() {
    let text = format!("{SET_A}*2 $5 DEBUG $7 LOADAOF *2 $5 DEBUG $6 RELOAD *3 $3 SET $1 b $1 2 ");
    let mut node = found_on(put_incremental(&text), &[YES, DEBUG]);
    assert_eq!(node.ask("MGET a b"), "[1 2]");
}

#[test]
fn torn_ends_are_cut_off_and_broken_files_refused() {
    let starts = |text: String, lines: &[(&str, &str)]| {
        let disk = put_incremental(&text);
        let mut node = TestNode::start_on(disk.clone(), &[&[YES], lines].concat());
        (node.exit_code.is_none() && node.ask("GET a") == "1", text_of(&disk, INCREMENTAL).len())
    };
    let whole = SET_A.replace(' ', "\r\n").len();
    let torn = format!("{SET_A}*3 $3 SET $1 b");
    let in_transaction = format!("{SET_A}*1 $5 MULTI *3 $3 SET $1 b $1 2 ");
    for text in [torn, in_transaction] {
        assert_eq!(starts(text.clone(), &[]), (true, whole));
        assert!(!starts(text, &[("aof-load-truncated", "no")]).0);
    }
    let broken = format!("{SET_A}garbage");
    assert!(!starts(broken.clone(), &[]).0);
    assert!(!starts(broken.clone(), &[("aof-load-corrupt-tail-max-size", "6")]).0);
    assert_eq!(starts(broken, &[("aof-load-corrupt-tail-max-size", "7")]), (true, whole));
    assert!(!starts(format!("{SET_A}*1 $3 foo "), &[]).0, "an unknown command");
    assert!(starts(format!("{SET_A}*3 $5 LPUSH $1 a $1 b "), &[]).0, "an error is told and passed over");
}

#[test]
fn a_file_of_the_old_form_becomes_a_base() {
    let disk = MemoryDisk::default();
    disk.put(Path::new("appendonly.aof"), SET_A.replace(' ', "\r\n").as_bytes());
    let mut node = found_on(disk.clone(), &[YES]);
    assert_eq!(node.ask("GET a"), "1");
    assert_eq!(
        text_of(&disk, MANIFEST),
        "file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
    );
    assert_eq!(disk.names(), ["appendonlydir/appendonly.aof", INCREMENTAL, MANIFEST]);
}

#[test]
fn the_file_can_be_turned_on_and_off_while_the_server_runs() {
    let mut node = start(&[DEBUG]);
    run(
        &mut node,
        "
        > SET a 1
        OK
        > WAITAOF 1 0 0
        (error) ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.
        > CONFIG SET appendonly yes
        OK
        > WAITAOF 1 0 0
        [(int) 1 (int) 0]
        > SET b 2
        OK
        ",
    );
    let text = node.ask("INFO persistence");
    assert!(text.contains("aof_enabled:1") && text.contains("aof_rewrites:1"), "{text}");
    assert!(text_of(&node.host.disk, MANIFEST).starts_with("file appendonly.aof.1.base.rdb seq 1 type b\n"));
    let before = digest(&mut node);
    assert_eq!(node.ask("DEBUG LOADAOF"), "OK");
    assert_eq!(digest(&mut node), before);
    assert_eq!(node.ask("CONFIG SET appendonly no"), "OK");
    assert_eq!(node.ask("SET c 3"), "OK");
    assert_eq!(node.ask("BGREWRITEAOF"), "Background append only file rewriting started");
    node.advance_ms(10);
    assert_eq!(text_of(&node.host.disk, MANIFEST), "file appendonly.aof.2.base.rdb seq 2 type b\n");
    let mut again = found_on(node.host.disk.after_crash(), &[YES]);
    assert_eq!(again.ask("GET c"), "3");
}

#[test]
fn who_turns_the_file_off_waits_for_the_disk_and_nobody_else_does() {
    let mut node = start(&ALWAYS);
    let request = |text: &str| encode(&split_args(text.as_bytes()).expect("a request"));
    run(&mut node, "> SET a 1\nOK\n> MULTI\nOK\n> CONFIG SET appendonly no\nQUEUED\n> EXEC\n[OK]");
    assert!(node.ask("INFO persistence").contains("aof_enabled:0"));
    run(&mut node, "> CONFIG SET appendonly yes\nOK\n> SET b 2\nOK");
    node.host.holds_jobs.set(true);
    node.send("w", &request("SET c 3"));
    node.send("a", &request("CONFIG SET appendonly no"));
    node.send("b", &request("GET a"));
    node.send("w", &request("SET d 4"));
    assert_eq!((node.read("a"), node.read("b").as_deref(), node.read("w")), (None, Some("1"), None));
    node.host.holds_jobs.set(false);
    node.advance_ms(2);
    let mut read = |client: &str| node.read(client).unwrap_or_else(|| panic!("{client} waits for ever"));
    assert_eq!((read("a"), read("w"), read("w")), ("OK".to_owned(), "OK".to_owned(), "OK".to_owned()));
    assert!(node.ask("INFO persistence").contains("aof_enabled:0"));
    let mut again = found_on(node.host.disk.after_crash(), &ALWAYS);
    assert_eq!((again.ask("GET b"), again.ask("GET c")), ("2".to_owned(), "3".to_owned()));
    // Whoever turns it on again in the meantime has a file of all that there is.
    node = again;
    node.host.holds_jobs.set(true);
    node.send("a", &request("SET e 5"));
    node.send("b", &request("CONFIG SET appendonly no"));
    node.send("c", &request("SET f 6"));
    node.send("d", &request("CONFIG SET appendonly yes"));
    assert_eq!((node.read("a"), node.read("b")), (None, None));
    node.host.holds_jobs.set(false);
    node.advance_ms(20);
    assert_eq!((node.read("a").as_deref(), node.read("b").as_deref()), (Some("OK"), Some("OK")));
    let mut again = found_on(node.host.disk.after_crash(), &ALWAYS);
    assert_eq!((again.ask("GET e"), again.ask("GET f")), ("5".to_owned(), "6".to_owned()));
}

#[test]
fn a_sync_that_fails_while_the_file_is_turned_off_is_not_acknowledged() {
    let mut node = start(&ALWAYS);
    assert_eq!(node.ask("SET a 1"), "OK");
    node.host.disk.fail_syncs(true);
    node.host.holds_jobs.set(true);
    let request = |text: &str| encode(&split_args(text.as_bytes()).expect("a request"));
    node.send("w", &request("SET a 2"));
    node.send("b", &request("CONFIG SET appendonly no"));
    node.host.holds_jobs.set(false);
    node.advance_ms(2);
    assert_eq!((node.read("w"), node.is_connected("w")), (None, false));
    assert!(node.ask("INFO persistence").contains("aof_enabled:0"));
    // A file that is made later is not distrusted for it.
    node.host.disk.fail_syncs(false);
    assert_eq!(node.ask("CONFIG SET appendonly yes"), "OK");
    assert_eq!(node.ask("SET a 3"), "OK");
    assert_eq!(found_on(node.host.disk.after_crash(), &ALWAYS).ask("GET a"), "3");
}

#[test]
fn the_file_can_be_turned_off_and_on_while_a_rewrite_is_committed() {
    let mut node = start(&ALWAYS);
    let request = |text: &str| encode(&split_args(text.as_bytes()).expect("a request"));
    node.ask("SET a 1");
    node.host.holds_jobs.set(true);
    node.send("r", &request("BGREWRITEAOF"));
    node.turn();
    node.host.holds_jobs.set(false);
    node.host.run_jobs();
    node.host.holds_jobs.set(true);
    node.turn();
    assert!(node.node.server.persistence.aof.committing.is_some(), "its files are there, the manifest is not");
    node.send("b", &request("CONFIG SET appendonly no"));
    node.host.holds_jobs.set(false);
    node.advance_ms(2);
    node.host.holds_jobs.set(true);
    node.send("b", &request("CONFIG SET appendonly yes"));
    node.host.holds_jobs.set(false);
    node.advance_ms(20);
    assert_eq!(node.ask("SET b 2"), "OK");
    let mut again = found_on(node.host.disk.after_crash(), &ALWAYS);
    assert_eq!((again.ask("GET a"), again.ask("GET b")), ("1".to_owned(), "2".to_owned()));
}

/// Runs the jobs once, with what the last turn asked of them, and the turn that sees what they did.
fn run_held_jobs(node: &mut TestNode) {
    node.host.holds_jobs.set(false);
    node.host.run_jobs();
    node.host.holds_jobs.set(true);
    node.turn();
}

#[test]
fn a_file_that_finds_no_room_when_it_is_turned_on_is_there_when_there_is_room() {
    let mut node = start(&[]);
    assert_eq!(node.ask("SET a 1"), "OK");
    node.host.holds_jobs.set(true);
    assert_eq!(node.ask("CONFIG SET appendonly yes"), "OK");
    node.host.disk.set_full(true);
    assert_eq!(node.ask("SET a 2"), "OK");
    assert!(node.ask("SET a 3").starts_with(MISCONF));
    node.host.holds_jobs.set(false);
    node.advance_ms(10);
    assert!(node.ask("INFO persistence").contains("aof_last_bgrewrite_status:err"));
    node.host.disk.set_full(false);
    for _ in 0..40 {
        node.advance_ms(100);
    }
    assert_eq!(node.ask("SET a 4"), "OK");
    node.advance_ms(1100);
    assert_eq!(found_on(node.host.disk.after_crash(), &[YES]).ask("GET a"), "4");
}

/// A node whose file was lost, and that begins a rewrite which mends it, held before its first step. The key `t` expires soon.
fn mending() -> TestNode {
    let mut node = start(&ALWAYS);
    assert_eq!((node.ask("SET a 1"), node.ask("SET t 5 PX 2000")), ("OK".to_owned(), "OK".to_owned()));
    node.host.disk.fail_syncs(true);
    assert_eq!(node.ask("SET a 2"), "(none)");
    node.host.disk.fail_syncs(false);
    node.host.holds_jobs.set(true);
    node.advance_ms(1100);
    let aof = &node.node.server.persistence.aof;
    assert!(aof.rewrite.as_ref().is_some_and(|rewrite| rewrite.incremental_is_temp));
    node
}

#[test]
fn a_loss_is_mended_although_the_new_file_cannot_be_written_for_a_while() {
    let mut node = mending();
    node.host.disk.set_full(true);
    node.advance_ms(1500);
    assert!(node.ask("SET b 1").starts_with(MISCONF));
    node.host.disk.set_full(false);
    node.advance_ms(1100);
    assert!(node.ask("SET b 2").starts_with(MISCONF), "nothing is mended before the new base is there");
    node.host.holds_jobs.set(false);
    for _ in 0..40 {
        node.advance_ms(100);
    }
    assert_eq!(node.ask("SET b 4"), "OK");
    let mut again = found_on(node.host.disk.after_crash(), &ALWAYS);
    assert_eq!((again.ask("GET a"), again.ask("GET b")), ("2".to_owned(), "4".to_owned()));
}

#[test]
fn what_happens_while_a_loss_is_mended_is_in_the_new_file_to_the_end() {
    let mut node = mending();
    run_held_jobs(&mut node);
    assert!(node.node.server.persistence.aof.committing.is_some(), "its files are there, the manifest is not");
    node.advance_ms(1500);
    node.host.holds_jobs.set(false);
    node.advance_ms(20);
    assert_eq!(node.ask("INCR t"), "(int) 1");
    let mut again = found_on(node.host.disk.after_crash(), &ALWAYS);
    assert_eq!(again.ask("GET t"), "1", "the key that expired during the commit is another one");
}

#[test]
fn a_file_that_is_turned_off_while_a_rewrite_is_committed_is_whole() {
    let disk = put_incremental(SET_A);
    disk.put(Path::new(MANIFEST), b"file appendonly.aof.1.incr.aof seq 1 type i startoffset 0\n");
    let mut node = found_on(disk, &ALWAYS);
    let request = |text: &str| encode(&split_args(text.as_bytes()).expect("a request"));
    node.host.holds_jobs.set(true);
    node.send("r", &request("BGREWRITEAOF"));
    node.turn();
    run_held_jobs(&mut node);
    assert!(node.node.server.persistence.aof.committing.is_some(), "its files are there, the manifest is not");
    node.send("b", &request("CONFIG SET appendonly no"));
    node.host.holds_jobs.set(false);
    node.advance_ms(20);
    assert_eq!(node.read("b").as_deref(), Some("OK"));
    assert_eq!(found_on(node.host.disk.after_crash(), &ALWAYS).ask("GET a"), "1");
}

#[test]
fn who_lets_history_go_waits_for_the_disk_and_nobody_else_does() {
    let mut node = start(&[YES, ("aof-disable-auto-gc", "yes")]);
    assert_eq!(node.ask("BGREWRITEAOF"), "Background append only file rewriting started");
    node.advance_ms(2);
    assert_eq!(node.host.disk.names().len(), 5);
    node.host.holds_jobs.set(true);
    let argv = ["CONFIG", "SET", "aof-disable-auto-gc", "no"].map(|word| word.as_bytes().to_vec());
    node.send("b", &encode(&argv));
    assert_eq!((node.read("b"), node.ask("PING")), (None, "PONG".to_owned()));
    node.host.holds_jobs.set(false);
    node.turn();
    assert_eq!(node.read("b").as_deref(), Some("OK"));
    assert_eq!(node.host.disk.names().len(), 3);
    assert!(!text_of(&node.host.disk, MANIFEST).contains("type h"));
}

#[test]
fn a_sync_waits_a_moment_for_those_who_were_just_answered() {
    let mut node = start(&ALWAYS);
    let request = |text: &str| encode(&split_args(text.as_bytes()).expect("a request"));
    for comes_back in [true, false] {
        node.host.holds_jobs.set(true);
        node.send("a", &request("SET a 1"));
        node.send("b", &request("SET b 1"));
        // The first sync takes four milliseconds.
        node.advance_ms(4);
        node.host.holds_jobs.set(false);
        node.turn();
        assert_eq!((node.read("a").as_deref(), node.read("b")), (Some("OK"), None));
        if comes_back {
            node.send("a", &request("SET a 2"));
            assert_eq!((node.read("a").as_deref(), node.read("b").as_deref()), (Some("OK"), Some("OK")));
        } else {
            node.advance_ms(1);
            assert_eq!(node.read("b").as_deref(), Some("OK"), "nobody else comes");
        }
        node.advance_ms(2);
    }
}

#[test]
fn what_was_found_at_the_start_is_brought_to_the_disk() {
    let killed = {
        let mut node = start(&[YES, ("appendfsync", "no")]);
        assert_eq!(node.ask("SET a 1"), "OK");
        node.host.disk
    };
    assert_eq!(found_on(killed.after_crash(), &[YES]).ask("GET a"), "(nil)", "nobody promised it");
    // The process ends, the machine does not: what it wrote is there, and not on the disk.
    let mut node = found_on(killed, &[YES, ("appendfsync", "no")]);
    assert_eq!(node.ask("WAITAOF 1 0 0"), "[(int) 1 (int) 0]");
    assert_eq!(found_on(node.host.disk.after_crash(), &[YES]).ask("GET a"), "1");
}

#[test]
fn the_directory_of_the_files_is_safe_before_anything_in_it_counts() {
    let mut node = start(&ALWAYS);
    assert_eq!(node.ask("SET a 1"), "OK");
    assert_eq!(found_on(node.host.disk.after_crash(), &ALWAYS).ask("GET a"), "1");
    let disk = MemoryDisk::default();
    disk.put(Path::new("appendonly.aof"), SET_A.replace(' ', "\r\n").as_bytes());
    disk.record();
    found_on(disk.clone(), &[YES]);
    for record in disk.take_records() {
        assert_eq!(found_on(record, &[YES]).ask("GET a"), "1");
    }
}

#[test]
fn a_job_that_goes_without_an_end_is_a_failure_that_is_told_and_mended() {
    let mut node = start(&[YES, ALWAYS[1], ("save", "")]);
    assert_eq!(node.ask("SET a 1"), "OK");
    node.host.holds_jobs.set(true);
    assert_eq!(node.ask("BGSAVE"), "Background saving started");
    node.send("w", &encode(&[b"SET".to_vec(), b"a".to_vec(), b"2".to_vec()]));
    node.host.jobs.borrow_mut().clear();
    node.turn();
    assert_eq!((node.read("w"), node.is_connected("w")), (None, false));
    let text = node.ask("INFO persistence");
    assert!(text.contains("rdb_bgsave_in_progress:0") && text.contains("rdb_last_bgsave_status:err"), "{text}");
    assert!(text.contains("aof_last_write_status:err"), "{text}");
    node.host.holds_jobs.set(false);
    for _ in 0..40 {
        node.advance_ms(100);
    }
    assert_eq!(node.ask("SET b 3"), "OK");
    let mut again = found_on(node.host.disk.after_crash(), &ALWAYS);
    assert_eq!((again.ask("GET a"), again.ask("GET b")), ("2".to_owned(), "3".to_owned()));
}

#[test]
fn a_rewrite_whose_job_goes_without_an_end_has_failed() {
    let mut node = start(&[YES]);
    assert_eq!(node.ask("SET a 1"), "OK");
    node.host.held_job.set(Some("snapshot"));
    assert_eq!(node.ask("BGREWRITEAOF"), "Background append only file rewriting started");
    node.host.jobs.borrow_mut().retain(|(name, _)| *name != "snapshot");
    node.turn();
    let text = node.ask("INFO persistence");
    assert!(text.contains("aof_rewrite_in_progress:0") && text.contains("aof_last_bgrewrite_status:err"), "{text}");
    node.host.held_job.set(None);
    assert_eq!(node.ask("BGREWRITEAOF"), "Background append only file rewriting started");
    node.advance_ms(10);
    assert!(node.ask("INFO persistence").contains("aof_last_bgrewrite_status:ok"));
}

#[test]
fn who_waits_for_a_job_that_goes_without_an_end_reads_an_error() {
    let mut node = start(&[YES]);
    node.host.holds_jobs.set(true);
    let argv = ["CONFIG", "SET", "appendonly", "no"].map(|word| word.as_bytes().to_vec());
    node.send("b", &encode(&argv));
    node.host.jobs.borrow_mut().clear();
    node.turn();
    assert_eq!(node.read("b").as_deref(), Some("(error) ERR the background thread is gone"));
}

#[test]
fn syncs_are_spared_while_a_snapshot_is_written_if_that_is_wanted() {
    for (spares, policy) in [("no", "everysec"), ("yes", "everysec"), ("no", "always"), ("yes", "always")] {
        let mut node = start(&[YES, ("appendfsync", policy), ("no-appendfsync-on-rewrite", spares)]);
        let syncs_of = |node: &mut TestNode| {
            let before = node.host.disk.syncs();
            for n in 0..5 {
                assert_eq!(node.ask(&format!("SET k {n}")), "OK");
                node.advance_ms(1100);
            }
            node.host.disk.syncs() - before
        };
        assert_eq!(syncs_of(&mut node), 5);
        node.host.held_job.set(Some("snapshot"));
        for begin in ["BGSAVE", "BGREWRITEAOF"] {
            assert!(node.ask(begin).ends_with("started"));
            // A rewrite begins with a sync of the old file.
            node.advance_ms(10);
            assert_eq!(syncs_of(&mut node), if spares == "yes" { 0 } else { 5 }, "{policy} {begin}");
            node.host.held_job.set(None);
            node.advance_ms(10);
            assert_eq!(syncs_of(&mut node), 5);
            node.host.held_job.set(Some("snapshot"));
        }
    }
}

#[test]
fn a_transaction_that_is_longer_than_a_batch_is_loaded_wholly_or_not_at_all() {
    let many: String = (0..3000).map(|n| format!("*3 $5 RPUSH $1 l $4 {} ", 1000 + n)).collect();
    let text = format!("{SET_A}*1 $5 MULTI *2 $6 SELECT $1 3 {many}");
    let mut node = found_on(put_incremental(&format!("{text}*1 $4 EXEC ")), &[YES]);
    run(&mut node, "> GET a\n1\n> SELECT 3\nOK\n> LLEN l\n(int) 3000\n> LRANGE l 2999 2999\n[3999]");
    let disk = put_incremental(&text);
    let mut node = found_on(disk.clone(), &[YES]);
    run(&mut node, "> GET a\n1\n> SELECT 3\nOK\n> LLEN l\n(int) 0");
    assert_eq!(text_of(&disk, INCREMENTAL).len(), SET_A.replace(' ', "\r\n").len());
}

#[test]
fn commands_of_a_file_are_repeated_a_slice_of_time_each() {
    let many: String = (0..5000).map(|n| format!("*3 $5 RPUSH $1 l $4 {} ", 1000 + n)).collect();
    let (mut node, host) = crate::node::new_on(put_incremental(&format!("*1 $5 MULTI {many}*1 $4 EXEC ")), &[YES]);
    // Each look at the clock takes a hundred microseconds.
    host.tick_us.set(100);
    node.load_at_start();
    let mut turns = 0;
    while node.server.persistence.loading.is_some() {
        host.run_jobs();
        node.work_on_files();
        turns += 1;
    }
    assert!((20..200).contains(&turns), "{turns} turns");
}

#[test]
fn nothing_is_evicted_while_a_file_is_loaded() {
    let sets: String = (0..1000).map(|n| format!("*3 $3 SET $4 {} $1 5 ", 1000 + n)).collect();
    let adds: String = (0..1000).map(|n| format!("*2 $4 INCR $4 {} ", 1000 + n)).collect();
    let lines = [YES, ("maxmemory", "1"), ("maxmemory-policy", "allkeys-random")];
    let (mut node, host) = crate::node::new_on(put_incremental(&format!("{sets}{adds}")), &lines);
    host.tick_us.set(100);
    node.load_at_start();
    while node.server.persistence.loading.is_some() {
        assert_eq!(memory::make_room(&mut node.server), memory::Room::Enough);
        host.run_jobs();
        node.work_on_files();
        assert_eq!(node.server.keyspace.stats.evicted_keys, 0);
    }
    assert_eq!(memory::make_room(&mut node.server), memory::Room::Coming);
    assert!(node.server.keyspace.stats.evicted_keys > 0);
}

#[test]
fn a_file_that_is_turned_on_while_another_is_loaded_holds_what_was_loaded() {
    let mut node = start(&[DEBUG]);
    assert_eq!(node.ask("SET a 1"), "OK");
    node.host.held_job.set(Some("snapshot"));
    run(&mut node, "> CONFIG SET appendonly yes\nOK\n> SET b 2\nOK\n> DEBUG LOADAOF\nOK\n> DBSIZE\n(int) 0");
    node.host.held_job.set(None);
    assert_eq!(node.ask("SET c 3"), "OK");
    node.advance_ms(1100);
    assert_eq!(node.ask("SET d 4"), "OK");
    assert!(node.ask("INFO persistence").contains("aof_rewrite_in_progress:0"));
    let mut again = found_on(node.host.disk.after_kill(), &[YES, DEBUG]);
    assert_eq!(digest(&mut again), digest(&mut node));
}

#[test]
fn who_has_waited_for_the_disk_goes_on_at_once() {
    for request in ["WAITAOF 1 0 0", "CONFIG SET appendonly no"] {
        let mut node = start(&ALWAYS);
        node.host.holds_jobs.set(true);
        let requests = ["SET a 1", request, "ECHO next"];
        node.send(
            "a",
            &requests.iter().flat_map(|text| encode(&split_args(text.as_bytes()).expect("one"))).collect::<Vec<_>>(),
        );
        assert_eq!(node.read("a"), None, "{request} waits");
        node.host.holds_jobs.set(false);
        node.host.run_jobs();
        // One turn, as the job's end causes it, after which replies are written and the reactor asks how long it may sleep.
        node.node.begin_turn(node.now());
        node.node.go_on();
        node.node.end_turn();
        node.node.write_append_only_file();
        let written = std::mem::take(&mut node.node.server.pending_writes);
        assert!(!written.is_empty(), "{request} is answered");
        assert_eq!(node.node.sleep_us(node.now().mono), 0, "what follows {request} is slept over");
        node.node.server.pending_writes = written;
        node.turn();
        let replies: Vec<String> = std::iter::from_fn(|| node.read("a")).collect();
        assert!(replies.len() == 3 && replies[2] == "next", "{replies:?}");
    }
}

#[test]
fn waitaof_tells_when_the_writes_of_a_client_are_on_the_disk() {
    let mut node = start(&[YES]);
    run(
        &mut node,
        "
        > WAITAOF 1 0 0
        [(int) 1 (int) 0]
        > SET a 1
        OK
        > WAITAOF 1 0 50
        (none)
        ",
    );
    node.advance_ms(60);
    assert_eq!(node.read("a").as_deref(), Some("[(int) 0 (int) 0]"));
    node.send("a", &encode(&[b"WAITAOF".to_vec(), b"1".to_vec(), b"0".to_vec(), b"0".to_vec()]));
    assert_eq!(node.read("a"), None);
    node.advance_ms(1500);
    assert_eq!(node.read("a").as_deref(), Some("[(int) 1 (int) 0]"));
    run(&mut node, "> SET a 2\nOK\nb> GET a\n2\n> WAITAOF 1 0 0\n(none)\nb> CONFIG SET appendonly no\nOK");
    assert_eq!(
        node.read("a").as_deref(),
        Some("(error) ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
    );
}

#[test]
fn files_are_rewritten_when_they_have_grown() {
    let mut node = start(&[YES, ("auto-aof-rewrite-min-size", "1000"), ("auto-aof-rewrite-percentage", "100")]);
    for _ in 0..60 {
        assert_eq!(node.ask("SET k aaaaaaaaaaaaaaaaaaaa"), "OK");
    }
    node.advance_ms(1000);
    let text = node.ask("INFO persistence");
    assert!(text.contains("aof_rewrites:1") && text.contains("aof_last_bgrewrite_status:ok"), "{text}");
}

#[test]
fn replies_of_the_commands_about_the_file() {
    check_with(
        &ALWAYS,
        "
        > SET a 1
        OK
        > BGREWRITEAOF x
        (error) ERR wrong number of arguments for 'bgrewriteaof' command
        > MULTI
        OK
        > BGREWRITEAOF
        QUEUED
        > SET b 1
        QUEUED
        > EXEC
        ...
        > WAITAOF 2 0 0
        (error) ERR value is out of range, value must between 0 and 1
        > WAITAOF 1 0 -1
        (error) ERR timeout is negative
        > WAITAOF 0 0 0
        ...
        > WAITAOF 1 0 10000
        [(int) 1 (int) 0]
        ",
    );
}

/// A process that is killed while clients write: what they were told is there when it starts again.
#[test]
fn a_killed_server_has_everything_it_acknowledged() {
    use std::io::{BufRead, BufReader, Write};

    let dir = std::env::temp_dir().join(format!("russet-killed-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let path = dir.display().to_string();
    let lines =
        ["--dir", &path, "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-min-size", "1kb"];
    let start = || crate::server::Server::start(env!("CARGO_BIN_EXE_russet"), &lines);
    let mut server = start();
    let mut sent = 0;
    for _ in 0..3 {
        let mut connection = server.connect();
        let replies = BufReader::new(connection.try_clone().expect("a second handle"));
        let (told, acknowledged) = std::sync::mpsc::channel();
        let reading = std::thread::spawn(move || {
            for line in replies.lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        let mut last = sent;
        while last < sent + 200 {
            let batch: Vec<u8> = (1..=20)
                .flat_map(|n| encode(&[b"SET".to_vec(), b"k".to_vec(), (last + n).to_string().into_bytes()]))
                .collect();
            connection.write_all(&batch).expect("a server that reads");
            last += 20;
        }
        // The rest is not waited for.
        let mut known = 0;
        while known < 100 {
            assert_eq!(acknowledged.recv().expect("a reply"), "+OK");
            known += 1;
        }
        // Its end is a kill.
        drop(server);
        reading.join().expect("a thread that ended");
        known += acknowledged.iter().count() as u64;
        server = start();
        let mut connection = server.connect();
        let mut lines = BufReader::new(connection.try_clone().expect("a second handle")).lines().map_while(Result::ok);
        let found: u64 = loop {
            connection.write_all(&encode(&[b"GET".to_vec(), b"k".to_vec()])).expect("a server that reads");
            if !lines.next().expect("a reply").starts_with("-LOADING") {
                break lines.next().and_then(|line| line.parse().ok()).expect("a number");
            }
        };
        assert!((sent + known..=last).contains(&found), "{found} of {last}, {known} acknowledged");
        sent = last;
    }
    drop(server);
    std::fs::remove_dir_all(&dir).expect("the folder is there");
}
