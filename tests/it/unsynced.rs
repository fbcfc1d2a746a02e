//! Appendfsync `always`: which replies wait for the disk, and what is answered while it takes nothing.

use std::collections::BTreeSet;

use russet::base::disk::MemoryDisk;
use russet::resp::parser::split_args;
use russet::server::Handler;

use crate::runner::{TestNode, encode, run};

const ALWAYS: [(&str, &str); 3] = [("appendonly", "yes"), ("appendfsync", "always"), ("enable-debug-command", "yes")];
const MISCONF: &str = "(error) MISCONF Errors writing to the AOF file: no storage space";
const LIBRARY: &str = "\"#!lua name=lib\\nserver.register_function{function_name='f', callback=function() return 1 end, \
                       flags={'no-writes'}}\"";

/// Requests that name no keys and tell of the server, or of the client: none waits for the disk.
const OF_THE_SERVER: &[&str] = &[
    "ACL CAT",
    "ACL DELUSER nobody",
    "ACL DRYRUN default GET k",
    "ACL GENPASS",
    "ACL GETUSER default",
    "ACL HELP",
    "ACL LIST",
    "ACL LOAD",
    "ACL LOG",
    "ACL SAVE",
    "ACL SETUSER someone",
    "ACL USERS",
    "ACL WHOAMI",
    "AUTH secret",
    "BACKUP ABORT",
    "BACKUP CLEANUP",
    "BACKUP HELP",
    "BACKUP LIST",
    "BACKUP SEAL",
    "BACKUP START",
    "BACKUP STATUS",
    "BGREWRITEAOF",
    "BGSAVE",
    "CLIENT CACHING YES",
    "CLIENT CAPA redirect",
    "CLIENT GETNAME",
    "CLIENT GETREDIR",
    "CLIENT HELP",
    "CLIENT ID",
    "CLIENT IMPORT-SOURCE OFF",
    "CLIENT INFO",
    "CLIENT KILL ID 999",
    "CLIENT LIST",
    "CLIENT NO-EVICT ON",
    "CLIENT NO-TOUCH ON",
    "CLIENT PAUSE 0",
    "CLIENT REPLY ON",
    "CLIENT SETINFO LIB-NAME x",
    "CLIENT SETNAME x",
    "CLIENT TRACKING OFF",
    "CLIENT TRACKINGINFO",
    "CLIENT UNBLOCK 999",
    "CLIENT UNPAUSE",
    "COMMAND",
    "COMMAND COUNT",
    "COMMAND DOCS get",
    "COMMAND GETKEYS GET k",
    "COMMAND GETKEYSANDFLAGS GET k",
    "COMMAND HELP",
    "COMMAND INFO get",
    "COMMAND LIST",
    "COMMANDLOG GET 1 slow",
    "COMMANDLOG HELP",
    "COMMANDLOG LEN slow",
    "COMMANDLOG RESET slow",
    "CONFIG GET port",
    "CONFIG HELP",
    "CONFIG RESETSTAT",
    "CONFIG REWRITE",
    "CONFIG SET hz 20",
    "DEBUG SET-ACTIVE-EXPIRE 1",
    "DISCARD",
    "ECHO hello",
    "FUNCTION HELP",
    "FUNCTION KILL",
    "FUNCTION STATS",
    "HELLO 3",
    "INFO",
    "INFO everything",
    "LASTSAVE",
    "LATENCY DOCTOR",
    "LATENCY GRAPH x",
    "LATENCY HELP",
    "LATENCY HISTOGRAM",
    "LATENCY HISTORY x",
    "LATENCY LATEST",
    "LATENCY RESET",
    "MEMORY DOCTOR",
    "MEMORY HELP",
    "MEMORY MALLOC-STATS",
    "MEMORY PURGE",
    "MEMORY STATS",
    "MONITOR",
    "MULTI",
    "OBJECT HELP",
    "PFSELFTEST",
    "PSUBSCRIBE p*",
    "PUBLISH channel message",
    "PUBSUB CHANNELS",
    "PUBSUB HELP",
    "PUBSUB NUMPAT",
    "PUBSUB NUMSUB",
    "PUBSUB SHARDCHANNELS",
    "PUBSUB SHARDNUMSUB",
    "PUNSUBSCRIBE p*",
    "QUIT",
    "RESET",
    "ROLE",
    "SCRIPT DEBUG NO",
    "SCRIPT EXISTS 0",
    "SCRIPT FLUSH",
    "SCRIPT HELP",
    "SCRIPT KILL",
    "SCRIPT LOAD 'return 1'",
    "SCRIPT SHOW 0",
    "SELECT 1",
    "SLOWLOG GET",
    "SLOWLOG HELP",
    "SLOWLOG LEN",
    "SLOWLOG RESET",
    "SUBSCRIBE channel",
    "TIME",
    "UNSUBSCRIBE channel",
    "UNWATCH",
    "WAIT 0 10",
    "WAITAOF 0 0 10",
    "XGROUP HELP",
    "XINFO HELP",
];

/// Requests that name no keys and tell of data.
const OF_DATA: &[&str] = &[
    "DBSIZE",
    "DEBUG DIGEST",
    "DEBUG DIGEST-VALUE k",
    "DEBUG HTSTATS 0",
    "DEBUG OBJECT k",
    "EVAL \"return redis.call('DBSIZE')\" 0",
    "EVAL_RO \"return redis.call('KEYS', '*')\" 0",
    "FCALL f 0",
    "FCALL_RO f 0",
    "FUNCTION DUMP",
    "FUNCTION LIST",
    "KEYS *",
    "LOLWUT",
    "RANDOMKEY",
    "SCAN 0",
];

/// Requests that name the key whose change is not on the disk, or come to it by another.
const OF_THE_KEY: &[&str] = &[
    "GET k",
    "EXISTS old k",
    "TYPE k",
    "TTL k",
    "DUMP k",
    "STRLEN k",
    "GETRANGE k 0 1",
    "OBJECT ENCODING k",
    "OBJECT REFCOUNT k",
    "MEMORY USAGE k",
    "TOUCH k",
    "MGET old k",
    "SORT_RO names BY nosort GET *",
    "EVAL_RO \"return redis.call('GET', KEYS[1])\" 1 k",
    "EVAL \"return redis.call('GET', 'k')\" 0",
];

/// Requests that change data and name no keys: none is let in while nothing can be written.
const CHANGES: &[&str] = &[
    "FLUSHALL",
    "FLUSHDB",
    "FUNCTION DELETE lib",
    "FUNCTION FLUSH",
    "FUNCTION LOAD code",
    "FUNCTION RESTORE payload",
    "SWAPDB 0 1",
];

/// Requests that name no keys and are looked at elsewhere: they end the server, wait for their files, or end a transaction.
const OTHERS: &[&str] = &["EXEC", "PING", "SAVE", "SHUTDOWN"];

fn ask(node: &mut TestNode, client: &str, request: &str) -> Option<String> {
    node.send(client, &encode(&split_args(request.as_bytes()).expect("a request that can be split")));
    node.read(client)
}

/// A node with data that are on the disk.
fn start() -> TestNode {
    let mut node = TestNode::start_on(MemoryDisk::default(), &ALWAYS);
    run(
        &mut node,
        "
        > SET old 1
        OK
        > SET k before
        OK
        > RPUSH names k
        (int) 1
        s> SUBSCRIBE channel
        [subscribe channel (int) 1]
        m> MONITOR
        OK
        ",
    );
    while node.read("m").is_some() {}
    node
}

/// A write of a key and of a library that does not reach the disk, since that stands still.
fn waiting() -> TestNode {
    let mut node = start();
    node.host.holds_jobs.set(true);
    assert_eq!(ask(&mut node, "w", "SET k after"), None);
    assert_eq!(ask(&mut node, "w", &format!("FUNCTION LOAD {LIBRARY}")), None);
    node
}

/// The same, since the disk is full: who waited for it is disconnected, and MONITOR, which would have shown the writes.
fn full() -> TestNode {
    let mut node = start();
    node.host.disk.set_full(true);
    let requests = ["SET k after".to_owned(), format!("FUNCTION LOAD {LIBRARY}")];
    let bytes: Vec<u8> =
        requests.iter().flat_map(|text| encode(&split_args(text.as_bytes()).expect("a request"))).collect();
    node.send("w", &bytes);
    assert_eq!((node.read("w"), node.is_connected("w")), (None, false));
    while node.read("m").is_some() {}
    node
}

#[test]
fn every_command_that_names_no_keys_is_known_to_tell_of_data_or_not() {
    let node = start();
    let table = &node.node.server.commands;
    let mut known = BTreeSet::new();
    for request in [OF_THE_SERVER, OF_DATA, CHANGES, OTHERS].concat() {
        let argv = split_args(request.as_bytes()).expect("a request");
        let id = table.lookup(&argv[0]).expect("a command");
        let sub = argv.get(1).and_then(|word| table.lookup_sub(id, word));
        known.insert(sub.unwrap_or(id));
    }
    let is_container = |entry: &russet::server::table::CommandEntry| {
        matches!(entry.command.handler, Handler::Container(_)) && !entry.subcommands.is_empty()
    };
    let unknown: Vec<&str> = table
        .iter()
        .filter(|(id, entry)| entry.info().keys.is_empty() && !is_container(entry) && !known.contains(id))
        .map(|(_, entry)| entry.full_name.as_str())
        .collect();
    assert!(unknown.is_empty(), "they are to be put into one of the lists: {unknown:?}");
}

#[test]
fn what_tells_of_data_waits_for_the_disk_and_nothing_else_does() {
    for request in [OF_DATA, OF_THE_KEY].concat() {
        let mut node = waiting();
        assert_eq!(ask(&mut node, "b", request), None, "{request} shows what could be lost");
        node.host.holds_jobs.set(false);
        node.advance_ms(2);
        assert!(node.read("b").is_some(), "{request} waits for ever");
    }
    for request in OF_THE_SERVER {
        let mut node = waiting();
        assert!(ask(&mut node, "b", request).is_some(), "{request} waits for the disk");
    }
}

#[test]
fn while_the_disk_is_full_only_what_tells_of_data_is_refused() {
    for request in [OF_DATA, OF_THE_KEY, CHANGES].concat() {
        let mut node = full();
        for _ in 0..2 {
            assert_eq!(ask(&mut node, "b", request).as_deref(), Some(MISCONF), "{request}");
            node.advance_ms(1500);
        }
        assert!(node.is_connected("b"), "{request}");
    }
    for request in OF_THE_SERVER {
        let mut node = full();
        let reply = ask(&mut node, "b", request);
        assert!(reply.as_ref().is_some_and(|reply| reply != MISCONF), "{request} reads {reply:?}");
        node.advance_ms(1500);
        assert!(node.is_connected("b") || *request == "QUIT", "{request}");
    }
}

#[test]
fn everything_recovers_when_there_is_room_again() {
    let mut node = full();
    run(
        &mut node,
        "
        > GET k
        (error) MISCONF Errors writing to the AOF file: no storage space
        > GET old
        1
        > SAVE
        (error) ERR
        > MULTI
        OK
        > GET k
        QUEUED
        > GET old
        QUEUED
        > CLIENT GETNAME
        QUEUED
        > EXEC
        [(error) MISCONF Errors writing to the AOF file: no storage space 1 (nil)]
        > SUBSCRIBE c
        [subscribe c (int) 1]
        m> MONITOR
        OK
        b> PUBLISH channel message
        (int) 1
        < s [message channel message]
        ",
    );
    let shown: Vec<String> = std::iter::from_fn(|| node.read("m")).collect();
    assert!(shown.iter().any(|line| line.contains("PUBLISH")), "{shown:?}");
    node.advance_ms(3000);
    assert!(node.is_connected("s") && node.is_connected("m"), "who listens is not closed");
    node.host.disk.set_full(false);
    node.advance_ms(1100);
    run(&mut node, "b> GET k\nafter\nb> FCALL f 0\n(int) 1\nb> SET k again\nOK\nb> DBSIZE\n(int) 3\nb> SAVE\nOK");
    let mut again = TestNode::start_on(node.host.disk.after_crash(), &ALWAYS);
    assert_eq!((again.ask("GET k"), again.ask("FCALL f 0")), ("again".to_owned(), "(int) 1".to_owned()));
}

#[test]
fn a_transaction_that_a_watched_key_ends_tells_of_data() {
    let mut node = start();
    run(&mut node, "b> WATCH k\nOK\nb> MULTI\nOK\nb> ECHO x\nQUEUED");
    node.host.disk.set_full(true);
    assert_eq!(ask(&mut node, "w", "SET k after"), None);
    assert_eq!(ask(&mut node, "b", "EXEC").as_deref(), Some(MISCONF));
}

#[test]
fn the_reply_of_a_transaction_waits_as_a_whole() {
    let mut node = start();
    node.host.holds_jobs.set(true);
    let requests = ["MULTI", "GET old", "SET k after", "GET old", "EXEC"];
    node.send(
        "b",
        &requests.iter().flat_map(|text| encode(&split_args(text.as_bytes()).expect("one"))).collect::<Vec<_>>(),
    );
    let queued: Vec<String> = std::iter::from_fn(|| node.read("b")).collect();
    assert_eq!(queued, ["OK", "QUEUED", "QUEUED", "QUEUED"]);
    assert_eq!(node.read_raw("b"), b"");
    node.host.holds_jobs.set(false);
    node.advance_ms(2);
    assert_eq!(node.read("b").as_deref(), Some("[1 OK 1]"));
}

#[test]
fn a_key_whose_time_comes_while_the_disk_is_full_is_not_said_to_be_gone() {
    let mut node = start();
    run(&mut node, "> DEBUG SET-ACTIVE-EXPIRE 0\nOK\n> SET t 1 PX 50\nOK");
    node.host.disk.set_full(true);
    assert_eq!(ask(&mut node, "w", "SET k after"), None);
    node.advance_ms(100);
    for _ in 0..2 {
        assert_eq!(ask(&mut node, "b", "GET t").as_deref(), Some(MISCONF));
    }
    node.host.disk.set_full(false);
    node.advance_ms(1100);
    assert_eq!(ask(&mut node, "b", "GET t").as_deref(), Some("(nil)"));
}

#[test]
fn who_wants_no_reply_reads_no_refusal() {
    let mut node = full();
    let requests = ["CLIENT REPLY SKIP", "GET k", "CLIENT ID", "CLIENT REPLY OFF", "GET k", "CLIENT REPLY ON"];
    let bytes: Vec<u8> = requests.iter().flat_map(|text| encode(&split_args(text.as_bytes()).expect("one"))).collect();
    node.send("b", &bytes);
    let read: Vec<String> = std::iter::from_fn(|| node.read("b")).collect();
    assert!(matches!(read.as_slice(), [number, ok] if number.starts_with("(int)") && ok == "OK"), "{read:?}");
}

#[test]
fn the_server_can_be_ended_while_the_disk_is_full() {
    let mut node = full();
    assert_eq!(ask(&mut node, "b", "SHUTDOWN NOSAVE"), None);
    assert!(node.node.server.shutdown.is_some(), "it is on its way");
    let mut again = TestNode::start_on(node.host.disk.after_crash(), &ALWAYS);
    assert_eq!(again.ask("GET k"), "before");
}

#[test]
fn who_would_wait_for_a_key_is_refused_once_and_waits_for_nothing() {
    let mut node = start();
    run(&mut node, "> XADD s 1-1 f v\n1-1");
    node.host.disk.set_full(true);
    assert_eq!(ask(&mut node, "w", "XADD s 2-1 f v"), None);
    assert_eq!(ask(&mut node, "b", "XREAD BLOCK 100 STREAMS s $").as_deref(), Some(MISCONF));
    assert_eq!(ask(&mut node, "b", "CLIENT GETNAME").as_deref(), Some("(nil)"));
    node.advance_ms(300);
    assert_eq!(node.read("b"), None, "one request has two replies");
    assert_eq!(ask(&mut node, "b", "ECHO x").as_deref(), Some("x"));
}

#[test]
fn who_stops_to_sync_always_leaves_nobody_without_a_reply() {
    for policy in ["no", "everysec"] {
        let mut node = start();
        let requests = ["SET k after", &format!("CONFIG SET appendfsync {policy}"), "GET k"];
        node.send(
            "b",
            &requests.iter().flat_map(|text| encode(&split_args(text.as_bytes()).expect("one"))).collect::<Vec<_>>(),
        );
        let replies: Vec<String> = std::iter::from_fn(|| node.read("b")).collect();
        assert_eq!(replies, ["OK", "OK", "after"], "{policy}");
    }
}

#[test]
fn a_script_that_takes_long_does_not_show_what_it_saw_before_others_were_served() {
    let mut node = waiting();
    let_scripts_be_slow(&mut node);
    let script = "local v = redis.call('GET', KEYS[1]) for i=1,3000000 do end return v";
    node.send("b", &encode(&["EVAL", script, "1", "k"].map(|word| word.as_bytes().to_vec())));
    assert!(node.node.is_script_parked());
    assert_eq!(ask(&mut node, "c", "HELLO 2").map(drop), Some(()));
    for _ in 0..10_000 {
        if !node.node.is_script_parked() {
            break;
        }
        node.turn();
    }
    assert_eq!(node.read("b"), None, "it shows what could be lost");
    node.host.holds_jobs.set(false);
    node.advance_ms(2);
    assert_eq!(node.read("b").as_deref(), Some("after"));
}

/// From here on a script is slow after a hundred looks at the clock.
fn let_scripts_be_slow(node: &mut TestNode) {
    node.node.server.config.busy_reply_threshold = 10;
    node.host.tick_us.set(100);
}

const SLOW: &str = "for i=1,3000000 do end return 'end'";

#[test]
fn nothing_that_is_not_written_is_let_go_of_while_a_script_takes_long() {
    let mut node = start();
    // Long enough for turns to wait for their syncs again.
    node.advance_ms(500);
    node.host.holds_jobs.set(true);
    node.host.quick_jobs.set(true);
    // In one turn: a sync of what was written so far is asked for, somebody writes, and a script begins that keeps it from being written.
    node.node.begin_turn(node.now());
    for (client, request) in [("w", "SET other 1"), ("a", "BGREWRITEAOF"), ("b", "SET k after")] {
        let place = node.client(client);
        node.node.receive(place, &encode(&split_args(request.as_bytes()).expect("a request")));
    }
    let_scripts_be_slow(&mut node);
    node.send("c", &encode(&["EVAL", SLOW, "0"].map(|word| word.as_bytes().to_vec())));
    assert!(node.node.is_script_parked());
    assert_eq!(node.read("b"), None, "what is not even written is acknowledged");
    for _ in 0..10_000 {
        if !node.node.is_script_parked() {
            break;
        }
        node.turn();
    }
    node.host.holds_jobs.set(false);
    node.advance_ms(2);
    for (client, reply) in [("w", "OK"), ("b", "OK"), ("c", "end")] {
        assert_eq!(node.read(client).as_deref(), Some(reply));
    }
}

#[test]
fn a_sync_that_waits_for_other_writers_is_not_slept_through() {
    let mut node = start();
    node.host.holds_jobs.set(true);
    for client in ["a", "b"] {
        assert_eq!(ask(&mut node, client, "SET k after"), None);
    }
    *node.host.clock_us.borrow_mut() += 2000;
    node.host.holds_jobs.set(false);
    node.turn();
    assert_eq!((node.read("a").as_deref(), node.read("b")), (Some("OK"), None), "one waits for the next sync");
    let server = &node.node.server;
    let until = server.persistence.aof.gathers_until(server.held.len()).expect("the sync waits for the other");
    // The turn has lasted until the moment at which the sync is due.
    assert_eq!(node.node.sleep_us(until), 0);
    assert_eq!(node.node.sleep_us(until.plus_us(1)), 0);
}
