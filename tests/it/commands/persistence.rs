//! SAVE, BGSAVE, LASTSAVE, and what a full disk does to writers.

use std::path::Path;

use russet::base::disk::read_all;

use crate::runner::{TestNode, check, encode, run};

fn saved(node: &TestNode) -> Vec<u8> {
    read_all(&node.host.disk, Path::new("dump.rdb")).expect("a file was saved")
}

#[test]
fn save_writes_a_file_that_ends_in_its_checksum() {
    let mut node = TestNode::new(&[]);
    run(
        &mut node,
        "
        > SET a b
        OK
        > SELECT 3
        OK
        > SET c d PX 100000
        OK
        > SAVE
        OK
        > LASTSAVE
        (int) 1700000000
        ",
    );
    let file = saved(&node);
    assert!(file.starts_with(b"REDIS0011\xfa\x09redis-ver\x057.4.0\xfa\x0aredis-bits\xc0\x40\xfa\x05ctime"));
    let keys = b"\xfe\x00\xfb\x01\x00\x00\x01a\x01b\xfe\x03\xfb\x01\x01\xfc";
    assert!(file.windows(keys.len()).any(|part| part == keys), "{}", file.escape_ascii());
    let (content, checksum) = file.split_at(file.len() - 8);
    assert!(content.ends_with(b"\x00\x01c\x01d\xff"));
    assert_eq!(russet::base::crc::crc64(0, content).to_le_bytes(), checksum);
    assert_eq!(node.host.disk.clone().names(), ["dump.rdb"]);
}

#[test]
fn background_saves_are_of_the_instant_they_began() {
    let mut node = TestNode::new(&[("rdbcompression", "no")]);
    run(
        &mut node,
        "
        > SET k before
        OK
        > MULTI
        OK
        > BGSAVE
        QUEUED
        > SET k after
        QUEUED
        > BGSAVE
        QUEUED
        > BGSAVE SCHEDULE
        QUEUED
        > SAVE
        (error) ERR Command not allowed inside a transaction
        ",
    );
    let mut node = TestNode::new(&[("rdbcompression", "no")]);
    run(
        &mut node,
        "
        > SET k before
        OK
        > MULTI
        OK
        > BGSAVE
        QUEUED
        > SET k after
        QUEUED
        > BGSAVE
        QUEUED
        > BGSAVE SCHEDULE
        QUEUED
        > EXEC
        [Background saving started OK (error) ERR Background save already in progress (error) ERR Background save already in progress]
        > GET k
        after
        ",
    );
    let file = saved(&node);
    assert!(file.windows(8).any(|part| part == b"k\x06before") && !file.windows(5).any(|part| part == b"after"));
}

#[test]
fn a_save_that_goes_on_can_be_cancelled_and_ends_with_flushall() {
    check(
        "
        > BGSAVE foo
        (error) ERR syntax error
        !reference ends: BGSAVE CANCEL is Valkey's
        > BGSAVE CANCEL
        (error) ERR Background saving is currently not in progress or scheduled
        > SET a b
        OK
        > MULTI
        OK
        > BGSAVE
        QUEUED
        > BGSAVE CANCEL
        QUEUED
        > BGSAVE
        QUEUED
        > FLUSHALL
        QUEUED
        > BGSAVE CANCEL
        QUEUED
        > EXEC
        [Background saving started Background saving cancelled Background saving started OK (error) ERR Background saving is currently not in progress or scheduled]
        ",
    );
}

#[test]
fn a_failed_save_stops_writers_until_one_succeeds() {
    let mut node = TestNode::new(&[]);
    run(&mut node, "> SET k v\nOK");
    node.host.disk.set_full(true);
    run(
        &mut node,
        "
        > BGSAVE
        Background saving started
        > SET k w
        (error) MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.
        > PING
        (error) MISCONF...
        > GET k
        v
        > SAVE
        (error) ERR
        > CONFIG SET stop-writes-on-bgsave-error no
        OK
        > SET k w
        OK
        > CONFIG SET stop-writes-on-bgsave-error yes
        OK
        > SET k w
        (error) MISCONF...
        ",
    );
    assert!(node.host.disk.names().is_empty(), "a failed save leaves no file");
    node.host.disk.set_full(false);
    run(
        &mut node,
        "
        > BGSAVE
        Background saving started
        > SET k x
        OK
        ",
    );
}

#[test]
fn a_save_ends_and_holds_what_was_there_when_its_writer_fell_behind() {
    let mut node = TestNode::new(&[("rdbcompression", "no"), ("save", "")]);
    let keys = 60_000;
    let value = "v".repeat(200);
    for n in 0..keys {
        node.send("a", &encode(&[b"SET".to_vec(), format!("key:{n}").into_bytes(), value.clone().into_bytes()]));
    }
    node.host.holds_jobs.set(true);
    node.send("a", &encode(&[b"BGSAVE".to_vec()]));
    // The walk stops when much is on its way; writers do not.
    for n in 0..keys {
        node.send("a", &encode(&[b"SET".to_vec(), format!("key:{n}").into_bytes(), b"changed".to_vec()]));
    }
    node.host.holds_jobs.set(false);
    node.advance_ms(100);
    assert!(node.node.server.persistence.running.is_none(), "the save has ended");
    let file = saved(&node);
    assert!(file.len() > keys * 200 && !file.windows(7).any(|part| part == b"changed"));
}

#[test]
fn a_save_that_fails_is_told_to_who_asked_and_stops_nobody() {
    let mut node = TestNode::new(&[]);
    node.host.disk.set_full(true);
    run(
        &mut node,
        "
        > SET k v
        OK
        > SAVE
        (error) ERR
        > SET k w
        OK
        > PING
        PONG
        > SHUTDOWN
        (error) ERR Errors trying to SHUTDOWN. Check logs.
        > SET k x
        OK
        ",
    );
}

#[test]
fn fields_that_are_due_come_in_and_expire_then() {
    let mut node = TestNode::new(&[("enable-debug-command", "yes")]);
    run(
        &mut node,
        "
        > HSET h a 1 b 2
        (int) 2
        > HPEXPIRE h 10 FIELDS 1 a
        [(int) 1]
        > SAVE
        OK
        > DEBUG SET-ACTIVE-EXPIRE 0
        OK
        ~ 20
        > DEBUG RELOAD NOSAVE
        OK
        > HGETALL h
        [b 2]
        > DEBUG SET-ACTIVE-EXPIRE 1
        OK
        ~ 200
        > HLEN h
        (int) 1
        ",
    );
    assert_eq!(node.node.server.persistence.last_load, (1, 0));
}

#[test]
fn a_save_that_is_cancelled_while_its_end_is_written_leaves_no_file() {
    let mut node = TestNode::new(&[]);
    run(&mut node, "> SET k v\nOK");
    node.host.holds_jobs.set(true);
    // Everything is on its way to the file before anybody changes their mind.
    run(&mut node, "> BGSAVE\nBackground saving started");
    node.turn();
    run(&mut node, "> BGSAVE CANCEL\nBackground saving cancelled");
    node.host.holds_jobs.set(false);
    node.turn();
    assert!(node.host.disk.clone().names().is_empty(), "{:?}", node.host.disk.clone().names());
}

#[test]
fn a_save_right_after_a_cancelled_one_is_in_progress_at_once() {
    let mut node = TestNode::new(&[("save", ""), ("enable-debug-command", "yes")]);
    run(&mut node, "> DEBUG POPULATE 20000\nOK");
    // Each look at the clock takes longer than a slice, so that the walk is one step a turn.
    node.host.tick_us.set(300);
    node.host.holds_jobs.set(true);
    run(
        &mut node,
        "
        > BGSAVE
        Background saving started
        > BGSAVE CANCEL
        Background saving cancelled
        > BGSAVE
        Background saving started
        > BGSAVE
        (error) ERR Background save already in progress
        > BGSAVE SCHEDULE
        (error) ERR Background save already in progress
        ",
    );
    assert!(node.node.server.persistence.rdb_waits, "the walk of the first is not at its end");
    assert!(node.ask("INFO persistence").contains("rdb_bgsave_in_progress:1"));
    node.host.tick_us.set(0);
    node.host.holds_jobs.set(false);
    node.advance_ms(20);
    let text = node.ask("INFO persistence");
    assert!(text.contains("rdb_bgsave_in_progress:0") && text.contains("rdb_saves:1"), "{text}");
    assert!(saved(&node).len() > 20_000);
    // One that waits can be cancelled too.
    node.host.tick_us.set(300);
    run(
        &mut node,
        "
        > BGSAVE
        Background saving started
        > BGSAVE CANCEL
        Background saving cancelled
        > BGSAVE
        Background saving started
        > BGSAVE CANCEL
        Background saving cancelled
        > BGSAVE CANCEL
        (error) ERR Background saving is currently not in progress or scheduled
        ",
    );
}

#[test]
fn a_save_that_a_hanging_disk_would_make_too_dear_is_given_up() {
    // Strings that are copied, and longer ones that are held.
    for bytes in [10_000, 40_000] {
        let mut node = TestNode::new(&[("save", ""), ("rdbcompression", "no")]);
        let bound = 16 << 20;
        node.node.server.persistence.copies_max = bound;
        let keys = (24 << 20) / bytes;
        let set = |node: &mut TestNode, key: usize, byte: u8| {
            let argv = [b"SET".to_vec(), format!("k{key}").into_bytes(), vec![byte; bytes]];
            node.send("a", &encode(&argv));
            assert_eq!(node.read("a").as_deref(), Some("OK"));
        };
        (0..keys).for_each(|key| set(&mut node, key, b'1'));
        node.host.holds_jobs.set(true);
        assert_eq!(node.ask("BGSAVE"), "Background saving started");
        let mut most = 0;
        for key in 0..keys {
            set(&mut node, key, b'2');
            most = most.max(node.node.server.keyspace.cut_bytes_held());
        }
        let near = bound - (1 << 20)..bound + (1 << 20);
        assert!(near.contains(&most), "{most} bytes are held for a disk that hangs");
        let text = node.ask("INFO persistence");
        assert!(text.contains("rdb_bgsave_in_progress:0") && text.contains("rdb_last_bgsave_status:err"), "{text}");
        node.host.holds_jobs.set(false);
        node.advance_ms(10);
        assert_eq!(node.node.server.keyspace.cut_bytes_held(), 0);
        assert_eq!(node.ask("BGSAVE"), "Background saving started");
        (0..100).for_each(|_| node.turn());
        assert!(node.ask("INFO persistence").contains("rdb_last_bgsave_status:ok"));
    }
}

#[test]
fn no_snapshot_begins_before_what_another_copied_is_written_or_dropped() {
    let mut node = TestNode::new(&[("save", ""), ("appendonly", "no")]);
    let value = "v".repeat(10_000);
    for key in 0..2000 {
        assert_eq!(node.ask(&format!("SET k{key} {value}")), "OK");
    }
    node.host.holds_jobs.set(true);
    assert_eq!(node.ask("BGSAVE"), "Background saving started");
    (0..200).for_each(|_| node.turn());
    assert_eq!(node.ask("BGSAVE CANCEL"), "Background saving cancelled");
    for (request, reply) in
        [("BGSAVE", "Background saving started"), ("BGREWRITEAOF", "Background append only file rewriting scheduled")]
    {
        assert_eq!(node.ask(request), reply);
        (0..200).for_each(|_| node.turn());
        assert!(node.node.server.persistence.running.is_none(), "{request}");
    }
    assert!(node.ask("INFO persistence").contains("rdb_bgsave_in_progress:1"));
    node.host.holds_jobs.set(false);
    node.advance_ms(100);
    let text = node.ask("INFO persistence");
    assert!(text.contains("rdb_saves:1") && text.contains("aof_rewrites:1"), "{text}");
    assert_eq!(node.ask("SAVE"), "OK");
}
