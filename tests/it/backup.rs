//! BACKUP: what a backup consists of, what it holds, and what ends it.

use std::path::Path;

use russet::base::disk::{MemoryDisk, read_all};
use russet::resp::parser::split_args;

use crate::runner::{TestNode, check, encode, run};

const YES: (&str, &str) = ("appendonly", "yes");
const DEBUG: (&str, &str) = ("enable-debug-command", "yes");

fn start(lines: &[(&str, &str)]) -> TestNode {
    TestNode::start_on(MemoryDisk::default(), lines)
}

/// Names below a directory.
fn names_in(node: &TestNode, dir: &str) -> Vec<String> {
    let names = node.host.disk.names();
    names.iter().filter_map(|name| name.strip_prefix(dir)?.strip_prefix('/')).map(str::to_owned).collect()
}

fn state(node: &mut TestNode) -> String {
    let status = node.ask("BACKUP STATUS");
    status.split(' ').nth(1).expect("a state").to_owned()
}

/// A server that starts with the files of the backup.
fn restored(disk: &MemoryDisk) -> TestNode {
    let other = MemoryDisk::default();
    for name in disk.names().iter().filter(|name| name.starts_with("backupdir/")) {
        let content = read_all(disk, Path::new(name)).expect("a file");
        other.put(Path::new(&name.replace("backupdir", "appendonlydir")), &content);
    }
    let node = TestNode::start_on(other, &[YES, DEBUG]);
    assert_eq!(node.exit_code, None, "the server does not start");
    node
}

#[test]
fn what_is_refused_without_a_backup() {
    check(
        "
        !reference ends: BACKUP is Redis 8.10's
        > BACKUP
        (error) ERR wrong number of arguments for 'backup' command
        > BACKUP START x
        (error) ERR wrong number of arguments for 'backup|start' command
        > BACKUP NOSUCH
        (error) ERR unknown subcommand 'NOSUCH'. Try BACKUP HELP.
        > BACKUP STATUS
        [state idle error \"\" start_time (int) 0 end_time (int) 0]
        > BACKUP LIST
        []
        > BACKUP SEAL
        (error) ERR No backup ready to seal (must be in the incrementing state)
        > BACKUP ABORT
        (error) ERR No backup in progress
        > BACKUP CLEANUP
        OK
        > HELLO 3
        ...
        > BACKUP STATUS
        {state: idle, error: \"\", start_time: (int) 0, end_time: (int) 0}
        > CONFIG GET backup*
        ...
        ",
    );
}

#[test]
fn a_backup_holds_what_was_there_when_it_was_sealed() {
    for lines in [&[DEBUG][..], &[DEBUG, YES], &[DEBUG, YES, ("appendfsync", "always"), ("aof-use-rdb-preamble", "no")]]
    {
        let is_on = lines.len() > 1;
        let mut node = start(lines);
        run(
            &mut node,
            "
            > RPUSH l a b c
            (int) 3
            > BACKUP START
            OK
            > BACKUP STATUS
            [state incrementing error \"\" start_time (int) 1700000000 end_time (int) 0]
            > BACKUP START
            (error) ERR A backup is already in progress, ABORT it first
            > BACKUP CLEANUP
            (error) ERR Backup is in progress
            > LPOP l
            a
            > SELECT 4
            OK
            > SET other db
            OK
            > BGREWRITEAOF
            Background append only file rewriting scheduled
            ",
        );
        assert_eq!(node.ask("BACKUP LIST").matches(".base.").count(), 1);
        assert!(node.ask("INFO persistence").contains("backup_in_progress:1"));
        let before = node.ask("DEBUG DIGEST");
        run(
            &mut node,
            "
            > BACKUP SEAL
            OK
            > SET later 1
            OK
            > BACKUP STATUS
            [state sealed error \"\" start_time (int) 1700000000 end_time (int) 1700000000]
            > BACKUP START
            (error) ERR A sealed backup exists, CLEANUP it first
            ",
        );
        let (names, kind) = (names_in(&node, "backupdir"), if lines.len() > 3 { "aof" } else { "rdb" });
        let number = if is_on { 2 } else { 1 };
        let [base, incremental] =
            [format!("base.{kind}"), "incr.aof".to_owned()].map(|end| format!("appendonly.aof.{number}.{end}"));
        assert_eq!(names, [base.clone(), incremental.clone(), "appendonly.aof.manifest".to_owned()]);
        let manifest = read_all(&node.host.disk, Path::new("backupdir/appendonly.aof.manifest")).expect("the manifest");
        let text = String::from_utf8(manifest).expect("text");
        let begins = format!("file {base} seq {number} type b\nfile {incremental} seq {number} type i startoffset ");
        assert!(text.starts_with(&begins) && text.contains(" endoffset "), "{text}");
        assert_eq!(
            node.ask("BACKUP LIST"),
            format!("[backupdir/{base} backupdir/{incremental} backupdir/appendonly.aof.manifest]")
        );
        assert_eq!(restored(&node.host.disk.after_crash()).ask("DEBUG DIGEST"), before);
        let info = node.ask("INFO persistence");
        assert!(info.contains("backup_in_progress:0") && info.contains(&format!("aof_enabled:{}", u8::from(is_on))));
        assert_eq!(info.contains("aof_rewrites:2"), is_on, "what was scheduled has gone on");
        assert_eq!(names_in(&node, "appendonlydir").is_empty(), !is_on, "nothing is left that was not there before");
        let end = node.ask("DEBUG DIGEST");
        if is_on {
            node.advance_ms(1100);
            let mut again = TestNode::start_on(node.host.disk.after_crash(), lines);
            assert_eq!(again.ask("DEBUG DIGEST"), end);
        }
        assert_eq!(node.ask("BACKUP CLEANUP"), "OK");
        assert!(names_in(&node, "backupdir").is_empty());
        assert_eq!(state(&mut node), "idle");
    }
}

#[test]
fn a_crash_at_any_moment_of_a_backup_loses_nothing() {
    let lines = [YES, ("appendfsync", "always"), DEBUG];
    let mut node = start(&lines);
    node.ask("SET n 0");
    node.host.disk.record();
    node.ask("BACKUP START");
    for _ in 0..3 {
        node.ask("INCR n");
    }
    assert_eq!(node.ask("BACKUP SEAL"), "OK");
    node.ask("INCR n");
    let mut last = 0;
    for (index, record) in node.host.disk.take_records().into_iter().enumerate() {
        let mut again = TestNode::start_on(record.clone(), &lines);
        assert_eq!(again.exit_code, None);
        let n: i64 = again.ask("GET n").parse().expect("a number");
        // Every second record is a crash of the machine.
        if index % 2 == 0 {
            assert!(n >= last, "step {index}: {n} after {last}");
            last = n;
        }
        if names_in(&again, "backupdir").iter().any(|name| name == "appendonly.aof.manifest") {
            assert_eq!(restored(&record).ask("GET n"), "3", "step {index}");
        }
    }
}

#[test]
fn a_backup_waits_for_what_goes_on() {
    let mut node = start(&[]);
    node.ask("SET a 1");
    node.host.holds_jobs.set(true);
    assert_eq!(node.ask("BGSAVE"), "Background saving started");
    assert_eq!(node.ask("BACKUP START"), "OK");
    assert_eq!(node.ask("BACKUP STATUS"), "[state pending error \"\" start_time (int) 0 end_time (int) 0]");
    node.host.holds_jobs.set(false);
    node.advance_ms(20);
    assert_eq!(state(&mut node), "incrementing");
}

#[test]
fn what_ends_a_backup_leaves_nothing_of_it() {
    for (end, why) in [
        ("BACKUP ABORT", "aborted by user"),
        ("CONFIG SET appendonly no", "appendonly is stopped"),
        ("DEBUG LOADAOF", "debug loadaof executed"),
    ] {
        for lines in [&[DEBUG][..], &[DEBUG, YES]] {
            let mut node = start(lines);
            run(&mut node, "> SET a 1\nOK\n> BACKUP START\nOK\n> SET b 2\nOK");
            if end.starts_with("CONFIG") {
                // Who wants it on, and then off, ends what was turned on for the backup too.
                assert_eq!(node.ask("CONFIG SET appendonly yes"), "OK");
            }
            assert_eq!(node.ask(end), "OK");
            let status = format!("[state failed error \"{why}\" start_time (int) 1700000000 end_time (int) 0]");
            assert_eq!(node.ask("BACKUP STATUS"), status, "{end}");
            assert!(names_in(&node, "backupdir").is_empty() && node.ask("BACKUP LIST") == "[]");
            let is_on = lines.len() > 1 && !end.starts_with("CONFIG");
            assert!(node.ask("INFO persistence").contains(&format!("aof_enabled:{}", u8::from(is_on))), "{end}");
            assert_eq!(names_in(&node, "appendonlydir").is_empty(), lines.len() == 1, "{end}");
            assert_eq!((node.ask("GET b"), node.ask("BACKUP START")), ("2".to_owned(), "OK".to_owned()), "{end}");
        }
    }
}

#[test]
fn an_aborted_backup_can_be_begun_again_at_once() {
    let mut node = start(&[]);
    node.ask("SET a 1");
    node.host.holds_jobs.set(true);
    run(&mut node, "> BACKUP START\nOK\n> BACKUP ABORT\nOK\n> BACKUP START\nOK");
    node.host.holds_jobs.set(false);
    node.advance_ms(20);
    assert_eq!((state(&mut node).as_str(), node.ask("BACKUP SEAL").as_str()), ("incrementing", "OK"));
    assert_eq!(restored(&node.host.disk).ask("GET a"), "1");
}

#[test]
fn a_disk_that_fails_is_told_to_who_seals() {
    let mut node = start(&[YES]);
    run(&mut node, "> SET a 1\nOK\n> BACKUP START\nOK\n> SET b 2\nOK");
    node.host.disk.fail_syncs(true);
    assert_eq!(node.ask("BACKUP SEAL"), "(error) ERR Can't fsync the INCR file for the backup");
    assert!(node.ask("BACKUP STATUS").starts_with("[state failed error \"failed to fsync INCR AOF\""));
    assert!(names_in(&node, "backupdir").is_empty());
    let mut node = start(&[]);
    node.ask("SET a 1");
    node.host.disk.set_full(true);
    node.ask("BACKUP START");
    assert!(node.ask("BACKUP STATUS").starts_with("[state failed error \"snapshot rewrite failed: "));
    assert!(node.ask("INFO persistence").contains("aof_enabled:0"));
    node.host.disk.set_full(false);
    assert_eq!((node.ask("BACKUP START"), state(&mut node)), ("OK".to_owned(), "incrementing".to_owned()));
}

#[test]
fn nobody_waits_for_the_disk_but_who_seals() {
    let mut node = start(&[YES]);
    run(&mut node, "> SET a 1\nOK\n> BACKUP START\nOK\n> SET b 2\nOK");
    node.host.holds_jobs.set(true);
    let request = |text: &str| encode(&split_args(text.as_bytes()).expect("a request"));
    node.send("s", &request("BACKUP SEAL"));
    assert_eq!((node.read("s"), node.ask("SET c 3")), (None, "OK".to_owned()));
    assert_eq!(state(&mut node), "incrementing");
    assert_eq!(node.ask("BACKUP SEAL"), "(error) ERR No backup ready to seal (must be in the incrementing state)");
    node.host.holds_jobs.set(false);
    node.advance_ms(2);
    assert_eq!((node.read("s").as_deref(), state(&mut node).as_str()), (Some("OK"), "sealed"));
    let mut again = restored(&node.host.disk);
    assert_eq!((again.ask("GET b"), again.ask("GET c")), ("2".to_owned(), "(nil)".to_owned()));
    // Who gives it up while it is sealed leaves nothing, and whoever waits is told.
    run(&mut node, "> BACKUP CLEANUP\nOK\n> BACKUP START\nOK");
    node.host.holds_jobs.set(true);
    node.send("s", &request("BACKUP SEAL"));
    assert_eq!(node.ask("BACKUP ABORT"), "OK");
    node.host.holds_jobs.set(false);
    node.advance_ms(2);
    assert_eq!(node.read("s").as_deref(), Some("(error) ERR aborted by user"));
    assert!(names_in(&node, "backupdir").is_empty() && state(&mut node) == "failed");
}

#[test]
fn a_transaction_is_in_a_backup_as_a_whole() {
    let mut node = start(&[]);
    run(
        &mut node,
        "
        > BACKUP START
        OK
        > MULTI
        OK
        > SET a 1
        QUEUED
        > BACKUP SEAL
        QUEUED
        > SET b 2
        QUEUED
        > EXEC
        [OK OK OK]
        > BACKUP STATUS
        [state sealed ...
        ",
    );
    let mut again = restored(&node.host.disk);
    assert_eq!((again.ask("GET a"), again.ask("GET b")), ("1".to_owned(), "2".to_owned()));
}

#[test]
fn a_directory_in_use_is_left_alone_until_it_is_cleaned_up() {
    let mut node = start(&[]);
    node.host.disk.put(Path::new("backupdir/appendonly.aof.1.base.rdb"), b"of somebody else");
    run(
        &mut node,
        "
        > BACKUP START
        (error) ERR Backup directory backupdir is not empty, CLEANUP it first
        > BACKUP STATUS
        [state idle error \"\" start_time (int) 0 end_time (int) 0]
        > BACKUP CLEANUP
        OK
        > BACKUP START
        OK
        > BACKUP SEAL
        OK
        ",
    );
}

#[test]
fn a_sealed_backup_is_removed_when_it_is_old_enough() {
    let mut node = start(&[("backup-sealed-ttl", "10")]);
    run(&mut node, "> BACKUP START\nOK\n> BACKUP SEAL\nOK");
    node.advance_ms(9_000);
    assert_eq!(state(&mut node), "sealed");
    node.advance_ms(2_000);
    assert_eq!((state(&mut node).as_str(), names_in(&node, "backupdir").len()), ("idle", 0));
}
