//! RDB files, append-only directories and users between real servers and ours: each writes the same data, each reads every file that
//! its version allows, and what it then holds is compared. Prints who reads whose files.
//!
//! `RUSSET_TEST_REDIS_7`, `RUSSET_TEST_ORACLE`, `RUSSET_TEST_REDIS_8_10` and `RUSSET_TEST_VALKEY` name programs
//! (scripts/test sets them); those that are not set are left out.

mod data;
mod functions;
mod process;
mod users;

use std::path::{Path, PathBuf};

use process::{Process, Program};
use redis::Connection;

/// What a server reads, by the first nine bytes of a file.
type Reads = fn(&str) -> bool;

struct Kind {
    name: &'static str,
    program: Program,
    reads: Reads,
    /// Does it write more than one dialect, and which does it have here?
    options: &'static [&'static str],
    /// Can fields of hashes expire there?
    has_field_ttl: bool,
}

fn version(signature: &str) -> u32 {
    signature.strip_prefix("REDIS").and_then(|digits| digits.parse().ok()).unwrap_or(u32::MAX)
}

fn kinds() -> Vec<Kind> {
    let mut all = Vec::new();
    let mut add = |name, program: Option<String>, options, reads: Reads, has_field_ttl| {
        let program = program.filter(|path| !path.is_empty()).map(|path| Program::new(&path));
        all.extend(program.map(|program| Kind { name, program, reads, options, has_field_ttl }));
    };
    let named = |name: &str| std::env::var(name).ok();
    let ours = || Some(env!("CARGO_BIN_EXE_russet").to_owned());
    add("Redis 7.0", named("RUSSET_TEST_REDIS_7"), &[], |s| version(s) <= 10, false);
    add("Redis 8.2", named("RUSSET_TEST_ORACLE"), &[], |s| version(s) <= 12, true);
    add("Redis 8.10", named("RUSSET_TEST_REDIS_8_10"), &[], |s| version(s) <= 15, true);
    add("Valkey 9.1", named("RUSSET_TEST_VALKEY"), &[], |s| version(s) <= 11 || s == "VALKEY080", true);
    add("Russet", ours(), &[], |_| true, true);
    add("Russet, valkey", ours(), &["--rdb-dialect", "valkey", "--rdbcompression", "no"], |_| true, true);
    add("Russet, redis-7.0", ours(), &["--rdb-dialect", "redis-7.0", "--rdbchecksum", "no"], |_| true, true);
    all
}

/// A file, and what its reader must hold.
struct Written {
    by: String,
    /// Its folder holds `dump.rdb`, and `lfu.rdb` of a few keys with their frequencies.
    folder: PathBuf,
    signature: String,
    digest: String,
    /// What was told of groups of streams.
    groups: Vec<String>,
    /// Did fields of hashes have an expiry when it was written?
    field_ttls: bool,
    /// Are those in the file?
    keeps_field_ttls: bool,
}

fn text(conn: &mut Connection, words: &[&str]) -> String {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    match command.query(conn) {
        Ok(redis::Value::BulkString(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(redis::Value::SimpleString(text)) => text,
        Ok(redis::Value::Okay) => "OK".to_owned(),
        Ok(redis::Value::Int(number)) => number.to_string(),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("{error}"),
    }
}

/// The options that all servers start with. Nothing is freed or expired behind the test's back.
const OPTIONS: [&str; 8] =
    ["--enable-debug-command", "yes", "--maxmemory-policy", "allkeys-lru", "--save", "", "--list-compress-depth", "0"];

fn write(kind: &Kind, requests: &data::Requests, field_ttls: bool, root: &Path) -> Written {
    let by =
        if field_ttls || !kind.has_field_ttl { kind.name.to_owned() } else { format!("{}, no HPEXPIRE", kind.name) };
    let folder = root.join(by.replace(' ', "_"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let server = Process::start(&kind.program, &folder, &[&OPTIONS, kind.options].concat());
    let mut conn = server.connect().expect("an empty server starts");
    text(&mut conn, &["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    data::fill(&mut conn, requests);
    let digest = text(&mut conn, &["DEBUG", "DIGEST"]);
    let groups = data::groups(&mut conn).expect("streams have groups");
    if field_ttls {
        data::fill_field_ttls(&mut conn);
    }
    data::fill_expired(&mut conn);
    assert_eq!(text(&mut conn, &["SAVE"]), "OK", "{by}");
    let head = std::fs::read(folder.join("dump.rdb")).expect("a file was written");
    let signature = String::from_utf8_lossy(&head[..9]).into_owned();
    std::fs::rename(folder.join("dump.rdb"), folder.join("lru.rdb")).expect("two names");
    data::fill_frequencies(&mut conn);
    assert_eq!(text(&mut conn, &["SAVE"]), "OK", "{by}");
    std::fs::rename(folder.join("dump.rdb"), folder.join("lfu.rdb")).expect("two names");
    let keeps_field_ttls = field_ttls && !kind.options.contains(&"redis-7.0");
    Written { by, folder, signature, digest, groups, field_ttls, keeps_field_ttls }
}

/// Loads a file and compares. What is wrong, or how it went.
fn read(kind: &Kind, file: &Written, root: &Path) -> Result<&'static str, String> {
    let folder = root.join(format!("read_{}", kind.name.replace(' ', "_")));
    std::fs::create_dir_all(&folder).expect("a folder");
    let at = folder.join("dump.rdb");
    std::fs::copy(file.folder.join("lru.rdb"), &at).expect("a copy");
    let server = Process::start(&kind.program, &folder, &[&OPTIONS, kind.options].concat());
    let Some(mut conn) = server.connect() else {
        return if (kind.reads)(&file.signature) { Err(format!("refused: {}", server.log())) } else { Ok("-") };
    };
    if !(kind.reads)(&file.signature) {
        return Err("loaded, though it should not".to_owned());
    }
    data::check_expiries(&mut conn)?;
    data::check_idle(&mut conn)?;
    if file.field_ttls {
        data::check_field_ttls(&mut conn, file.keeps_field_ttls)?;
    }
    let expired = data::count_expired(&mut conn);
    if expired != 0 {
        return Err(format!("{expired} keys that were due came back"));
    }
    let digest = text(&mut conn, &["DEBUG", "DIGEST"]);
    if digest != file.digest {
        return Err(format!("DEBUG DIGEST was {} and is {digest}", file.digest));
    }
    if data::groups(&mut conn)? != file.groups {
        return Err("the groups of streams differ".to_owned());
    }
    std::fs::copy(file.folder.join("lfu.rdb"), &at).expect("a copy");
    text(&mut conn, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"]);
    let reloaded = text(&mut conn, &["DEBUG", "RELOAD", "NOSAVE"]);
    if reloaded != "OK" {
        return Err(format!("DEBUG RELOAD: {reloaded}"));
    }
    data::check_frequencies(&mut conn)?;
    Ok("equal")
}

#[test]
fn files_go_between_all_servers() {
    let root = std::env::temp_dir().join(format!("russet-interchange-{}", std::process::id()));
    let kinds = kinds();
    let requests = data::requests();
    let mut files = Vec::new();
    for kind in &kinds {
        files.push(write(kind, &requests, kind.has_field_ttl, &root));
        if kind.name == "Russet" || kind.name == "Redis 8.2" {
            files.push(write(kind, &requests, false, &root));
        }
    }
    let readers: Vec<&Kind> =
        kinds.iter().filter(|kind| kind.name == "Russet" || !kind.name.starts_with("Russet")).collect();
    let names: Vec<&str> = readers.iter().map(|kind| kind.name).collect();
    println!("| written by | as | read by {} |", names.join(" | "));
    let mut wrong = Vec::new();
    for file in &files {
        let mut cells = Vec::new();
        for kind in &readers {
            cells.push(read(kind, file, &root).unwrap_or_else(|why| {
                wrong.push(format!("{} by {}: {why}", file.by, kind.name));
                "WRONG"
            }));
        }
        println!("| {} | {} | {} |", file.by, file.signature, cells.join(" | "));
    }
    // What cannot be removed is in the folder for such things.
    let _ = std::fs::remove_dir_all(&root);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Options for an append-only file that is rewritten when it is told to.
const APPENDING: [&str; 4] = ["--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"];

/// Lets a server write half of the data, rewrite its file, and write the rest behind that.
fn append(kind: &Kind, requests: &data::Requests, preamble: &'static str, root: &Path) -> Written {
    let by = format!("{}, base of {}", kind.name, if preamble == "yes" { "RDB" } else { "commands" });
    let folder = root.join(by.replace(' ', "_"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let options = [&OPTIONS, kind.options, &APPENDING, &["--aof-use-rdb-preamble", preamble]].concat();
    let server = Process::start(&kind.program, &folder, &options);
    let mut conn = server.connect().expect("an empty server starts");
    let field_ttls = kind.has_field_ttl && !kind.options.contains(&"redis-7.0");
    if field_ttls {
        data::fill_field_ttls(&mut conn);
    }
    requests.send_half(&mut conn, 0);
    text(&mut conn, &["BGREWRITEAOF"]);
    let is = |conn: &mut Connection, field: &str| text(conn, &["INFO", "persistence"]).contains(field);
    while is(&mut conn, "aof_rewrite_in_progress:1") || is(&mut conn, "aof_rewrite_scheduled:1") {
        std::thread::yield_now();
    }
    assert!(is(&mut conn, "aof_last_bgrewrite_status:ok"), "{by}: {}", server.log());
    requests.send_half(&mut conn, 1);
    let mut groups = data::groups(&mut conn).expect("streams have groups");
    // The connection ends before the reply.
    text(&mut conn, &["SHUTDOWN", "NOSAVE"]);
    server.wait_for_end();
    if !kind.name.starts_with("Russet") {
        // What some leave out of the file they do not find in it either.
        let server = Process::start(&kind.program, &folder, &options);
        groups = data::groups(&mut server.connect().expect("it reads its own files")).expect("streams have groups");
    }
    let appended = folder.join("appendonlydir");
    let manifest = std::fs::read_to_string(appended.join("appendonly.aof.manifest")).expect("a manifest");
    let base = manifest.lines().find(|line| line.ends_with(" type b")).expect("a base");
    let name = base.split(' ').nth(1).expect("its name");
    let head = std::fs::read(appended.join(name)).expect("the base");
    let signature = if preamble == "yes" { String::from_utf8_lossy(&head[..9]).into_owned() } else { String::new() };
    Written { by, folder, signature, digest: String::new(), groups, field_ttls, keeps_field_ttls: field_ttls }
}

/// The digest of all requests' data in a server that got them one by one.
fn digest_of(kind: &Kind, requests: &data::Requests, root: &Path) -> String {
    let server = Process::start(&kind.program, root, &OPTIONS);
    let mut conn = server.connect().expect("an empty server starts");
    requests.send_half(&mut conn, 0);
    requests.send_half(&mut conn, 1);
    text(&mut conn, &["DEBUG", "DIGEST"])
}

fn copy_folder(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).expect("a folder");
    for file in std::fs::read_dir(from).expect("a folder") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
    }
}

/// Loads an append-only directory and compares, goes on writing to it, and loads it again.
fn read_appended(kind: &Kind, files: &Written, digest: &str, root: &Path) -> Result<&'static str, String> {
    let folder = root.join(format!("load_{}", kind.name.replace(' ', "_")));
    copy_folder(&files.folder.join("appendonlydir"), &folder.join("appendonlydir"));
    let options = [&OPTIONS, kind.options, &APPENDING].concat();
    let is_known =
        (files.signature.is_empty() || (kind.reads)(&files.signature)) && (kind.has_field_ttl || !files.field_ttls);
    for round in ["loads it", "loads it again"] {
        let server = Process::start(&kind.program, &folder, &options);
        let Some(mut conn) = server.connect() else {
            return if is_known { Err(format!("{round}, refused: {}", server.log())) } else { Ok("-") };
        };
        if !is_known {
            return Err("loaded, though it should not".to_owned());
        }
        data::check_expiries(&mut conn)?;
        if data::groups(&mut conn)? != files.groups {
            return Err(format!("{round}: the groups of streams differ"));
        }
        let appended = text(&mut conn, &["GET", "appended"]);
        if round == "loads it" {
            text(&mut conn, &["SET", "appended", "later"]);
        } else if appended == "later" {
            text(&mut conn, &["DEL", "appended"]);
        } else {
            return Err(format!("what was appended is {appended}"));
        }
        if round == "loads it again" {
            if files.field_ttls {
                data::check_field_ttls(&mut conn, true)?;
            }
            let found = text(&mut conn, &["DEBUG", "DIGEST"]);
            if found != digest {
                return Err(format!("DEBUG DIGEST is {found}, not {digest}"));
            }
        }
        text(&mut conn, &["SHUTDOWN", "NOSAVE"]);
        server.wait_for_end();
    }
    Ok("equal")
}

#[test]
fn append_only_directories_go_between_all_servers() {
    let root = std::env::temp_dir().join(format!("russet-interchange-aof-{}", std::process::id()));
    let kinds = kinds();
    let requests = data::requests();
    let files: Vec<Written> = kinds
        .iter()
        .filter(|kind| kind.name != "Russet, valkey")
        .flat_map(|kind| ["yes", "no"].map(|preamble| append(kind, &requests, preamble, &root)))
        .collect();
    let readers: Vec<&Kind> =
        kinds.iter().filter(|kind| kind.name == "Russet" || !kind.name.starts_with("Russet")).collect();
    // What a server calls the same data: versions print scores differently.
    let digests: Vec<String> = readers.iter().map(|kind| digest_of(kind, &requests, &root)).collect();
    println!("| appended by | {} |", readers.iter().map(|kind| kind.name).collect::<Vec<_>>().join(" | "));
    let mut wrong = Vec::new();
    for file in &files {
        let mut cells = Vec::new();
        for (kind, digest) in readers.iter().zip(&digests) {
            if !file.by.starts_with("Russet") && kind.name != "Russet" {
                cells.push("not ours");
                continue;
            }
            cells.push(read_appended(kind, file, digest, &root).unwrap_or_else(|why| {
                wrong.push(format!("{} by {}: {why}", file.by, kind.name));
                "WRONG"
            }));
        }
        println!("| {} | {} |", file.by, cells.join(" | "));
    }
    // What cannot be removed is in the folder for such things.
    let _ = std::fs::remove_dir_all(&root);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
