//! Users between real servers and ours: in `user` lines that CONFIG REWRITE leaves, and in files of users that ACL SAVE does. Each server
//! reads its own again as well.

use std::path::Path;

use redis::Connection;

use super::process::Process;
use super::{Kind, kinds, text};

const USERS: [&[&str]; 8] = [
    &[
        "alice",
        "on",
        ">pw",
        ">other",
        "~a:*",
        "%R~r:*",
        "%W~w:*",
        "resetchannels",
        "&ch:*",
        "+@read",
        "-get",
        "+config|get",
    ],
    &["bob", "off", "nopass", "allkeys", "allchannels", "+@all", "-@dangerous", "+info"],
    &["chooser", "on", "nopass", "+get", "~x", "(resetchannels &c* %R~r* +@hash)", "(~y +set)", "(allchannels)"],
    &["skipper", "on", "nopass", "skip-sanitize-payload", "~*", "+@all", "-client|kill", "-client|list"],
    &["sharp#", "on", "~#a", "~a\\b", "+@all", "resetchannels"],
    &["nothing"],
    &["reset", "on", ">pw", "+@all", "~*", "reset"],
    &["default", "-debug"],
];

/// Valkey's rules of databases.
const WITH_DATABASES: [&[&str]; 3] = [
    &["some", "on", "nopass", "+@all", "~*", "db=1,3"],
    &["none", "on", "nopass", "+get", "~*", "resetdbs"],
    &["many", "on", "nopass", "+get", "~x", "alldbs", "(+set ~y db=2)"],
];

/// What Redis and Valkey write so that they do not read it again.
const WITH_QUOTES: [&[&str]; 1] = [&["q\"uo'te", "on", "nopass", "~sp\"ace", "~'", "+get"]];

fn knows_databases(kind: &Kind) -> bool {
    kind.name.starts_with("Russet") || kind.name.starts_with("Valkey")
}

/// What ACL LIST tells. Valkey has no flags of payloads.
fn list(conn: &mut Connection) -> Vec<String> {
    let lines: Vec<String> = redis::cmd("ACL").arg("LIST").query(conn).expect("ACL LIST answers");
    lines.iter().map(|line| line.replace(" sanitize-payload", "").replace(" skip-sanitize-payload", "")).collect()
}

fn start(kind: &Kind, folder: &Path) -> Process {
    let file = folder.join("server.conf").display().to_string();
    Process::start(&kind.program, folder, &[&file])
}

/// One server writes its users, another reads them.
fn exchange(writer: &Kind, reader: &Kind, in_file: bool, channels: &str, folder: &Path) -> Result<(), String> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).expect("a folder");
    let mut lines = format!("save \"\"\nacl-pubsub-default {channels}\n");
    let users = folder.join("users.acl");
    if in_file {
        std::fs::write(&users, "").expect("a file");
        lines += &format!("aclfile {}\n", users.display());
    }
    std::fs::write(folder.join("server.conf"), lines).expect("a file");
    let server = start(writer, folder);
    let mut conn = server.connect().ok_or_else(|| format!("does not start: {}", server.log()))?;
    let mut rules: Vec<&[&str]> = USERS.to_vec();
    if knows_databases(writer) && knows_databases(reader) {
        rules.extend(WITH_DATABASES);
    }
    if in_file || writer.name.starts_with("Russet") {
        rules.extend(WITH_QUOTES);
    }
    for rule in rules {
        let reply = text(&mut conn, &[&["ACL", "SETUSER"], rule].concat());
        assert_eq!(reply, "OK", "{}: {rule:?}", writer.name);
    }
    if in_file {
        assert_eq!(text(&mut conn, &["ACL", "SAVE"]), "OK", "{}", writer.name);
    }
    assert_eq!(text(&mut conn, &["CONFIG", "REWRITE"]), "OK", "{}", writer.name);
    let written = list(&mut conn);
    drop(server);
    let server = start(reader, folder);
    let mut conn = server.connect().ok_or_else(|| format!("does not start with it: {}", server.log()))?;
    let read = list(&mut conn);
    // Redis 7.0 puts rules of its own finding in the place of those that were given.
    let name = |line: &String| line.split(' ').nth(1).map(str::to_owned);
    let is_same = match reader.name {
        "Redis 7.0" => read.iter().map(name).eq(written.iter().map(name)),
        _ => read == written,
    };
    if is_same { Ok(()) } else { Err(format!("\n{}\nbecame\n{}", written.join("\n"), read.join("\n"))) }
}

#[test]
fn users_go_between_all_servers() {
    let root = std::env::temp_dir().join(format!("russet-interchange-users-{}", std::process::id()));
    let all: Vec<Kind> = kinds().into_iter().filter(|kind| !kind.name.starts_with("Russet,")).collect();
    let mut wrong = Vec::new();
    for writer in &all {
        for reader in &all {
            if !writer.name.starts_with("Russet") && !reader.name.starts_with("Russet") {
                continue;
            }
            for (in_file, channels) in
                [(false, "resetchannels"), (false, "allchannels"), (true, "resetchannels"), (true, "allchannels")]
            {
                if let Err(why) = exchange(writer, reader, in_file, channels, &root) {
                    let place = if in_file { "a file of users" } else { "user lines" };
                    wrong.push(format!("{} reads {place} of {}, {channels}: {why}", reader.name, writer.name));
                }
            }
        }
    }
    let _ = std::fs::remove_dir_all(&root);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
