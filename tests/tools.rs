//! What the program does beside serving, run as a user would: `check-rdb` and `convert`. Where `RUSSET_TEST_REDIS_7` names a
//! server, the redis-check-rdb beside it must say the same as ours.

#[path = "support/server.rs"]
mod server;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use russet::base::crc::crc64;
use server::Server;

/// A folder that is gone when it goes out of scope.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("russet-tools-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn put(&self, name: &str, content: &[u8]) {
        std::fs::write(self.0.join(name), content).expect("a file");
    }

    fn get(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).expect("a file")
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(program);
        let Output { status, stdout, .. } = command.current_dir(&self.0).args(arguments).output().expect("it runs");
        (status.code(), String::from_utf8_lossy(&stdout).into_owned())
    }

    fn russet(&self, arguments: &[&str]) -> (Option<i32>, String) {
        self.run(Path::new(env!("CARGO_BIN_EXE_russet")), arguments)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const HEAD: &[u8] = b"\xfa\x09redis-ver\x067.0.15\xfe\x00\xfb\x03\x02";
const STRING: &[u8] = b"\xfc\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01a\x01b";
const LIST: &[u8] =
    b"\xfc\xff\xff\xff\xff\xff\xff\x00\x00\x12\x01l\x01\x02\x0b\x0b\x00\x00\x00\x02\x00\x01\x01\x02\x01\xff";
const ZSET: &[u8] = b"\xfe\x05\xfb\x01\x00\x05\x01z\x01\x01m\x00\x00\x00\x00\x00\x00\xf0?";

fn file(signature: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut content = [signature, &parts.concat(), b"\xff"].concat();
    content.extend_from_slice(&crc64(0, &content).to_le_bytes());
    content
}

#[test]
fn check_rdb_tells_what_a_file_holds() {
    let folder = Folder::new("check");
    let whole = file(b"REDIS0010", &[HEAD, STRING, LIST, ZSET]);
    folder.put("dump.rdb", &whole);
    let (code, text) = folder.russet(&["check-rdb", "dump.rdb"]);
    let wanted = [
        "[offset 0] Checking RDB file dump.rdb",
        "[offset 27] AUX FIELD redis-ver = '7.0.15'",
        "[offset 29] Selecting DB ID 0",
        "[offset 74] Selecting DB ID 5",
        "[offset 100] Checksum OK",
        "[offset 100] \\o/ RDB looks OK! \\o/",
        "[info] 3 keys read",
        "[info] 2 expires",
        "[info] 1 already expired",
        "[info] 0 subexpires",
    ];
    assert_eq!((code, text.lines().collect::<Vec<_>>()), (Some(0), wanted.to_vec()));
    assert_eq!(folder.russet(&["check-rdb", "nothing.rdb"]).0, Some(1));
    assert_eq!(folder.russet(&["check-rdb"]).0, Some(1));
}

#[test]
fn check_rdb_says_what_the_real_one_says() {
    let Some(real) =
        std::env::var_os("RUSSET_TEST_REDIS_7").map(|path| Path::new(&path).with_file_name("redis-check-rdb"))
    else {
        return;
    };
    let folder = Folder::new("same");
    let whole = file(b"REDIS0010", &[HEAD, STRING, LIST, ZSET]);
    let mut files: Vec<Vec<u8>> = (0..whole.len()).map(|len| whole[..len].to_vec()).collect();
    files.push(whole.clone());
    files.push([&whole[..whole.len() - 8], &[0; 8]].concat());
    files.push([&whole[..whole.len() - 1], &[7]].concat());
    files.push(file(b"REDIS0099", &[HEAD]));
    files.push(file(b"XEDIS0010", &[HEAD]));
    files.push(file(b"REDIS0010", &[HEAD, b"\x63\x01k\x01v"]));
    for (number, content) in files.iter().enumerate() {
        folder.put("t.rdb", content);
        let (code, text) = folder.russet(&["check-rdb", "t.rdb"]);
        let (wanted_code, wanted) = folder.run(&real, &["t.rdb"]);
        // Newer ones count expiring fields too.
        let ours: Vec<&str> = text.lines().filter(|line| !line.ends_with("subexpires")).collect();
        // Which of its layers met the end differs.
        let same = |line: &&str| !line.contains("Internal error") && !line.contains("Unexpected EOF");
        let theirs: Vec<&str> = wanted.lines().filter(same).collect();
        let ours: Vec<&str> = ours.into_iter().filter(same).collect();
        assert_eq!((code, ours), (wanted_code, theirs), "file {number} of {} bytes", content.len());
    }
}

#[test]
fn check_aof_tells_of_an_rdb_file_what_check_rdb_tells() {
    let folder = Folder::new("preamble");
    let whole = file(b"REDIS0010", &[HEAD, STRING, LIST, ZSET]);
    let set = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
    let good = [whole.as_slice(), set].concat();
    folder.put("t.aof", &good);
    let (_, rdb) = {
        folder.put("t.rdb", &whole);
        folder.russet(&["check-rdb", "t.rdb"])
    };
    let rest = "RDB preamble is OK, proceeding with AOF tail...\n\
                AOF analyzed: filename=t.aof, size=127, ok_up_to=127, ok_up_to_line=8, diff=0\nAOF t.aof is valid\n";
    let expected = format!("Start checking Old-Style AOF\n{}{rest}", rdb.replace("t.rdb", "t.aof"));
    assert_eq!(folder.russet(&["check-aof", "t.aof"]), (Some(0), expected));
    let Some(real) =
        std::env::var_os("RUSSET_TEST_REDIS_7").map(|path| Path::new(&path).with_file_name("redis-check-aof"))
    else {
        return;
    };
    let manifest = b"file t.aof seq 1 type b\nfile i.aof seq 1 type i\n";
    folder.put("m", manifest);
    folder.put("i.aof", set);
    let unknown_version = file(b"REDIS0099", &[HEAD]);
    let cuts = (9..whole.len()).step_by(7).map(|len| whole[..len].to_vec());
    let files = cuts.chain([good, unknown_version, [&whole[..whole.len() - 8], &[7; 8]].concat()]);
    for content in files {
        folder.put("t.aof", &content);
        for name in ["t.aof", "m"] {
            let (code, text) = folder.russet(&["check-aof", name]);
            let (wanted_code, wanted) = folder.run(&real, &[name]);
            // Newer ones count expiring fields too; which of its layers met the end differs.
            let same = |line: &&str| {
                !line.ends_with("subexpires") && !line.contains("Internal error") && !line.contains("Unexpected EOF")
            };
            let (ours, theirs): (Vec<&str>, Vec<&str>) =
                (text.lines().filter(same).collect(), wanted.lines().filter(same).collect());
            assert_eq!((code, ours), (wanted_code, theirs), "{name} with {} bytes", content.len());
        }
    }
}

#[test]
fn convert_keeps_what_the_other_dialect_can_hold() {
    let folder = Folder::new("convert");
    // A hash with an expiring field, as Redis 7.4 writes it, and keys with notes of their use.
    let hash = b"\x18\x00\x10\x00\x00\x00\x02\x00\x00\x01h\x02\x01\x01f\x01v\x00\x01g\x01w";
    let hash = [&b"\x18\x01h"[..], &hash[1..9], &hash[11..]].concat();
    let noted = b"\xf8\x05\x00\x01n\x01v";
    folder.put("in.rdb", &file(b"REDIS0012", &[HEAD, STRING, LIST, noted, &hash, ZSET]));
    let convert = |from: &str, to: &str, dialect: &str| {
        let (code, text) = folder.russet(&["convert", from, to, "--to", dialect]);
        assert_eq!((code, text), (Some(0), format!("5 keys written to {to}\n")), "{from} as {dialect}");
        let (code, text) = folder.russet(&["check-rdb", to]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("[info] 5 keys read\n[info] 2 expires\n[info] 1 already expired\n"), "{text}");
        text.contains("[info] 1 subexpires")
    };
    assert!(convert("in.rdb", "valkey.rdb", "valkey"));
    assert!(folder.get("valkey.rdb").starts_with(b"VALKEY080\xfa\x0avalkey-ver"));
    assert!(convert("valkey.rdb", "redis.rdb", "redis"));
    assert!(folder.get("redis.rdb").starts_with(b"REDIS0012"));
    assert!(folder.get("redis.rdb").windows(7).any(|part| part == noted));
    assert!(!convert("redis.rdb", "old.rdb", "redis-7.0"));
    assert!(folder.get("old.rdb").starts_with(b"REDIS0010"));
    let (code, _) = folder.russet(&["convert", "redis.rdb", "out.aof", "--to", "aof"]);
    let commands = folder.get("out.aof");
    assert_eq!((code, commands.starts_with(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n")), (Some(0), true));
    let rpush = b"*4\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\n1\r\n$1\r\n2\r\n";
    assert!(commands.windows(rpush.len()).any(|part| part == rpush), "{}", commands.escape_ascii());
    folder.put("broken.rdb", &folder.get("in.rdb")[..60]);
    assert_eq!(folder.russet(&["convert", "broken.rdb", "x.rdb"]).0, Some(1));
    assert_eq!(folder.russet(&["convert", "in.rdb", "x.rdb", "--to", "nobody"]).0, Some(1));
    assert!(!folder.0.join("x.rdb").exists() && !folder.0.join("x.rdb.temp").exists());
}

/// What a server that starts on this folder says of its data, and of what a digest leaves out.
fn found_in(folder: &Folder, options: &[&str]) -> [String; 4] {
    let dir = folder.0.display().to_string();
    let options = [["--dir", &dir, "--enable-debug-command", "yes"].as_slice(), options].concat();
    let server = Server::start(env!("CARGO_BIN_EXE_russet"), &options);
    let mut conn = BufReader::new(server.connect());
    while ask(&mut conn, "PING").starts_with("-LOADING") {}
    ["DEBUG DIGEST", "DBSIZE", "PEXPIRETIME e", "OBJECT ENCODING l"].map(|request| ask(&mut conn, request))
}

/// Sends an inline request and returns its reply: a line, the content of a bulk string, or the elements of an array.
fn ask(conn: &mut BufReader<TcpStream>, request: &str) -> String {
    conn.get_mut().write_all(format!("{request}\r\n").as_bytes()).expect("the server reads");
    reply(conn)
}

fn reply(conn: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    conn.read_line(&mut line).expect("a reply");
    let line = line.trim_end();
    match line.split_at(1) {
        ("$", _) => reply(conn),
        ("*", count) => (0..count.parse().expect("a count")).map(|_: u32| reply(conn)).collect::<Vec<_>>().join(" "),
        _ => line.to_owned(),
    }
}

#[test]
fn convert_goes_from_any_form_to_any_other_and_back() {
    let folder = Folder::new("forms");
    let dir = folder.0.display().to_string();
    let options = ["--dir", &dir, "--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "yes"];
    let server = Server::start(env!("CARGO_BIN_EXE_russet"), &options);
    let mut conn = BufReader::new(server.connect());
    let big = "b".repeat(20_000);
    let fill = [
        "DEBUG POPULATE 3000 string 100".to_owned(),
        format!("RPUSH l 1 two {big} 4"),
        "HSET h f 1 g 2".to_owned(),
        "HPEXPIREAT h 33000000000000 FIELDS 1 f".to_owned(),
        "ZADD z 1.5 a -inf b 3 c".to_owned(),
        "SADD s 1 2 3 x".to_owned(),
        "SADD n 1 2 3".to_owned(),
        "SET e 1 PXAT 33000000000000".to_owned(),
        "APPEND i 12345".to_owned(),
    ];
    fill.iter().for_each(|request| assert!(!ask(&mut conn, request).starts_with('-'), "{request}"));
    // What comes after the rewrite is in an incremental file.
    assert_eq!(ask(&mut conn, "BGREWRITEAOF"), "+Background append only file rewriting started");
    let more = ["INCRBY i 5", "LPUSH l first", "SELECT 3", "SET other db", "MULTI", "SET a 1", "SET b 2", "EXEC"];
    more.iter().for_each(|request| assert!(!ask(&mut conn, request).starts_with('-'), "{request}"));
    let manifest = folder.0.join("appendonlydir/appendonly.aof.manifest");
    while !std::fs::read_to_string(&manifest).is_ok_and(|text| text.contains("seq 2 type b")) {}
    drop((conn, server));
    let before = found_in(&folder, &["--appendonly", "yes"]);
    let convert = |from: &str, to: &str, form: &str| {
        let (code, text) = folder.russet(&["convert", from, to, "--to", form]);
        assert_eq!((code, text), (Some(0), format!("3010 keys written to {to}\n")), "{from} as {form}");
    };
    convert("appendonlydir", "one.rdb", "redis");
    assert_eq!(found_in(&folder, &["--dbfilename", "one.rdb"]), before);
    convert("appendonlydir/appendonly.aof.manifest", "two.rdb", "valkey");
    assert_eq!(found_in(&folder, &["--dbfilename", "two.rdb"]), before);
    convert("one.rdb", "three.aof", "aof");
    convert("three.aof", "four.rdb", "redis");
    assert_eq!(found_in(&folder, &["--dbfilename", "four.rdb"]), before);
    // A file of the old form may begin as an RDB file.
    folder.put("five.aof", &[folder.get("one.rdb"), b"*2\r\n$3\r\nDEL\r\n$1\r\ne\r\n".to_vec()].concat());
    let (code, text) = folder.russet(&["convert", "five.aof", "six.rdb"]);
    assert_eq!((code, text.as_str()), (Some(0), "3009 keys written to six.rdb\n"));
}

#[test]
fn convert_refuses_what_is_not_whole_and_leaves_it_alone() {
    let folder = Folder::new("refusals");
    let set = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
    let torn = [set.as_slice(), b"*3\r\n$3\r\nSET"].concat();
    folder.put("torn.aof", &torn);
    folder.put("text", b"hello");
    folder.put("empty", b"");
    folder.put("unknown.aof", b"*1\r\n$6\r\nNOSUCH\r\n");
    folder.put("manifest", b"file nosuch.aof seq 1 type i\n");
    for name in ["torn.aof", "text", "empty", "unknown.aof", "manifest", "nosuch", "."] {
        assert_eq!(folder.russet(&["convert", name, "x.rdb"]).0, Some(1), "{name}");
    }
    assert!(folder.get("torn.aof") == torn && !folder.0.join("x.rdb").exists());
    folder.put("whole.aof", &[b"#TS:1\r\n".as_slice(), set].concat());
    assert_eq!(folder.russet(&["convert", "whole.aof", "x.rdb"]).0, Some(0));
    std::fs::create_dir(folder.0.join("taken")).expect("a folder");
    assert_eq!(folder.russet(&["convert", "whole.aof", "taken"]).0, Some(1));
    assert!(!folder.0.join("taken.temp").exists(), "a file that cannot get its name leaves nothing behind");
}
