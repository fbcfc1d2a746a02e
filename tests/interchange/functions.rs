//! Libraries of functions between real servers and ours, in RDB files, in append-only files of both kinds, and as the payload of
//! FUNCTION DUMP.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redis::{Connection, Value};

use super::process::Process;
use super::{Kind, OPTIONS, kinds, text};

/// How the libraries travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rdb,
    /// A base that is an RDB file, and increments.
    Aof,
    /// A base of commands, and increments.
    AofOfCommands,
    Dump,
}

const LIBRARIES: [&str; 3] = [
    "#!lua name=counter\n\
     redis.register_function('add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)\n\
     redis.register_function{function_name='get', callback=function(keys) return redis.call('GET', keys[1]) end, \
     flags={'no-writes', 'allow-stale'}, description='what it is by now'}",
    "#!lua name=bytes\nredis.register_function('bytes', function() return '\u{e9}\u{1F600}\\0\\255\\r\\n' end)",
    // Long, and much the same all over, so that it is compressed.
    "#!lua name=table\nlocal t = {'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', \
     'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}\n\
     redis.register_function('length', function() return #t[1] + #t[2] end)",
];

/// What FUNCTION LIST tells, whatever its order.
fn sorted(value: &Value) -> String {
    let Value::Array(items) = value else { return format!("{value:?}") };
    let mut texts: Vec<String> = items.iter().map(sorted).collect();
    texts.sort();
    format!("[{}]", texts.join(" "))
}

fn list(conn: &mut Connection) -> String {
    sorted(&redis::cmd("FUNCTION").arg("LIST").arg("WITHCODE").query(conn).expect("FUNCTION LIST answers"))
}

/// Calls each function.
fn calls(conn: &mut Connection) -> Vec<String> {
    let requests: [&[&str]; 4] = [
        &["FCALL", "add", "1", "counted", "5"],
        &["FCALL_RO", "get", "1", "counted"],
        &["FCALL", "bytes", "0"],
        &["FCALL", "LENGTH", "0"],
    ];
    requests.iter().map(|request| text(conn, request)).collect()
}

struct Written {
    folder: PathBuf,
    /// The first bytes of the RDB file that holds them.
    signature: String,
    dump: Vec<u8>,
    list: String,
}

fn options(kind: &Kind, by: By) -> Vec<&'static str> {
    let aof: &[&str] = match by {
        By::Rdb | By::Dump => &[],
        By::Aof => &["--appendonly", "yes", "--aof-use-rdb-preamble", "yes"],
        By::AofOfCommands => &["--appendonly", "yes", "--aof-use-rdb-preamble", "no"],
    };
    [&OPTIONS, kind.options, aof].concat()
}

fn load(conn: &mut Connection, code: &str) {
    text(conn, &["FUNCTION", "LOAD", "REPLACE", code]);
}

fn write(kind: &Kind, by: By, root: &Path) -> Written {
    let folder = root.join(format!("{}_{by:?}", kind.name).replace([' ', ','], "_"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let server = Process::start(&kind.program, &folder, &options(kind, by));
    let mut conn = server.connect().expect("an empty server starts");
    load(&mut conn, LIBRARIES[0]);
    load(&mut conn, LIBRARIES[1]);
    if by == By::Rdb {
        load(&mut conn, LIBRARIES[2]);
        assert_eq!(text(&mut conn, &["SAVE"]), "OK", "{}", kind.name);
    } else {
        load(&mut conn, "#!lua name=gone\nredis.register_function('gone', function() end)");
        if by != By::Dump {
            rewrite(&mut conn);
        }
        assert_eq!(text(&mut conn, &["FUNCTION", "DELETE", "gone"]), "OK");
        load(&mut conn, LIBRARIES[2]);
    }
    let dump = redis::cmd("FUNCTION").arg("DUMP").query(&mut conn).expect("FUNCTION DUMP answers");
    let list = list(&mut conn);
    assert_eq!(list.matches("library_name").count(), LIBRARIES.len(), "{}", kind.name);
    drop(server);
    let file = match by {
        By::Rdb => folder.join("dump.rdb"),
        _ => folder.join("appendonlydir/appendonly.aof.2.base.rdb"),
    };
    let head = std::fs::read(file).unwrap_or_default();
    let signature = head.get(..9).map(|head| String::from_utf8_lossy(head).into_owned()).unwrap_or_default();
    Written { folder, signature, dump, list }
}

/// Rewrites the append-only file and waits until that is done.
fn rewrite(conn: &mut Connection) {
    let begun = Instant::now();
    text(conn, &["BGREWRITEAOF"]);
    loop {
        let info = text(conn, &["INFO", "persistence"]);
        if info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0") {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the rewrite does not end: {info}");
        std::thread::yield_now();
    }
}

/// Reads what another server wrote. What is wrong, or how it went.
fn read(kind: &Kind, by: By, written: &Written, root: &Path) -> Result<&'static str, String> {
    let folder = root.join(format!("read_{}_{by:?}", kind.name).replace(' ', "_"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let files: &[&str] = match by {
        By::Rdb => &["dump.rdb"],
        By::Aof | By::AofOfCommands => &["appendonlydir"],
        By::Dump => &[],
    };
    for file in files {
        let to = folder.join(file);
        // There is none from an earlier file to begin with.
        let _ = std::fs::remove_dir_all(&to);
        copy(&written.folder.join(file), &to);
    }
    let server = Process::start(&kind.program, &folder, &options(kind, by));
    let is_readable = written.signature.is_empty() || (kind.reads)(&written.signature);
    let Some(mut conn) = server.connect() else {
        return if is_readable { Err(format!("refused: {}", server.log())) } else { Ok("-") };
    };
    if !is_readable {
        return Err("loaded, though it should not".to_owned());
    }
    if by == By::Dump {
        let restored = redis::cmd("FUNCTION").arg("RESTORE").arg(&written.dump).query::<String>(&mut conn);
        // The payload tells the version of the files that its writer writes.
        let version = written.dump.len().checked_sub(10).and_then(|at| written.dump.get(at)).copied().unwrap_or(0);
        let signature = if version == 80 { "VALKEY080".to_owned() } else { format!("REDIS{version:04}") };
        let is_readable = (kind.reads)(&signature);
        match restored {
            Ok(_) if is_readable => {}
            Err(_) if !is_readable => return Ok("-"),
            other => return Err(format!("FUNCTION RESTORE of version {version}: {other:?}")),
        }
    }
    let found = list(&mut conn);
    if found != written.list {
        return Err(format!("{found}, not {}", written.list));
    }
    let (got, wanted) = (calls(&mut conn), ["5", "5", "é😀\0\u{fffd}\r\n", "184"]);
    if got != wanted {
        return Err(format!("the functions answer {got:?}"));
    }
    Ok("equal")
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        std::fs::copy(from, to).expect("a copy");
        return;
    }
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

#[test]
fn libraries_of_functions_go_between_all_servers() {
    let root = std::env::temp_dir().join(format!("russet-libraries-{}", std::process::id()));
    let kinds = kinds();
    let readers: Vec<&Kind> =
        kinds.iter().filter(|kind| kind.name == "Russet" || !kind.name.starts_with("Russet")).collect();
    let names: Vec<&str> = readers.iter().map(|kind| kind.name).collect();
    println!("| functions written by | in | as | read by {} |", names.join(" | "));
    let mut wrong = Vec::new();
    for kind in &kinds {
        for by in [By::Rdb, By::Aof, By::AofOfCommands, By::Dump] {
            let written = write(kind, by, &root);
            let mut cells = Vec::new();
            for reader in &readers {
                cells.push(read(reader, by, &written, &root).unwrap_or_else(|why| {
                    wrong.push(format!("{by:?} by {}, read by {}: {why}", kind.name, reader.name));
                    "WRONG"
                }));
            }
            println!("| {} | {by:?} | {} | {} |", kind.name, written.signature, cells.join(" | "));
        }
    }
    // What cannot be removed is in the folder for such things.
    let _ = std::fs::remove_dir_all(&root);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
