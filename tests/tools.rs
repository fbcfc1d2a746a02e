//! What the program does beside serving, run as a user would: `check-rdb` and `convert`. Where `RUSSET_TEST_REDIS_7` names a
//! server, the redis-check-rdb beside it must say the same as ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use russet::base::crc::crc64;

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
