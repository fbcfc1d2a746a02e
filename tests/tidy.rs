//! The house rules that a machine can check: who imports whom, where unsafe code, clocks and hash maps may be.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms by line. A room imports only rooms of lower lines. (STYLE of the house; ARCHITECTURE.md explains it.)
const LINES: &[&[&str]] = &[
    &["base"],
    &["storage", "spec", "config"],
    &["resp", "types"],
    &["keyspace"],
    &["persistence", "replication", "cluster", "sentinel", "acl", "pubsub", "scripting", "tracking"],
    &["server"],
    &["dispatch"],
    &["commands"],
    &["node"],
    &["reactor"],
];

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("src"), &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root).expect("inside the repository").display().to_string();
        (name, fs::read_to_string(&path).expect("a source file"))
    };
    found.into_iter().map(read).collect()
}

/// Code lines, without comments, and without the tests at the foot of the file.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("#[cfg(test)]").or_else(|| text.find("#[cfg(all(test")).unwrap_or(text.len());
    let lines = text[..end].lines().enumerate();
    lines.map(|(index, line)| (index + 1, line.split("//").next().unwrap_or(line)))
}

fn is_test_file(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/")
}

fn line_of(room: &str) -> Option<usize> {
    LINES.iter().position(|line| line.contains(&room))
}

#[test]
fn rooms_import_only_lower_rooms() {
    let mut wrong = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| !is_test_file(name)) {
        let Some(room) = name.strip_prefix("src/").and_then(|rest| rest.split_once('/')).map(|(room, _)| room) else {
            continue;
        };
        let own = line_of(room).unwrap_or_else(|| panic!("{name}: the room {room} stands on no line of tests/tidy.rs"));
        for (number, line) in code(text) {
            for part in line.split("crate::").skip(1) {
                let other: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if other != room && line_of(&other).is_some_and(|line| line >= own) {
                    wrong.push(format!("{name}:{number}: {room} imports {other}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports that go up or sideways:\n{}", wrong.join("\n"));
}

fn forbid(words: &[&str], allowed: impl Fn(&str) -> bool, why: &str) {
    let mut wrong = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| !allowed(name) && !is_test_file(name)) {
        for (number, line) in code(text) {
            let is_word = |word: &&&str| {
                line.match_indices(**word).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                })
            };
            if let Some(word) = words.iter().find(is_word) {
                wrong.push(format!("{name}:{number}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{why}:\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stays_in_storage_and_sys() {
    let allowed = |name: &str| name.starts_with("src/storage/") || name == "src/reactor/sys.rs";
    forbid(&["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code)"], allowed, "unsafe code");
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            if !code.contains("unsafe {") && !code.contains("unsafe impl") {
                continue;
            }
            // The reason stands within the few lines above, or at the head of the same chain of unsafe calls.
            let from = index.saturating_sub(12);
            if !lines[from..=index].iter().any(|line| line.contains("SAFETY")) {
                wrong.push(format!("{name}:{}", index + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "unsafe without SAFETY:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_reactor_reads_clocks_and_draws_entropy() {
    let allowed = |name: &str| name.starts_with("src/reactor/");
    let words =
        ["Instant::now", "SystemTime::now", "thread_rng", "getrandom", "/dev/urandom", "thread::spawn", "std::fs"];
    forbid(&words, allowed, "clocks, entropy, threads or files outside the reactor");
}

#[test]
fn nothing_iterates_a_hash_map() {
    // Order must follow from the seed alone: ordered maps and our own tables are used instead.
    forbid(&["HashMap", "HashSet", "RandomState"], |_| false, "std's hash maps");
}

#[test]
fn nothing_is_left_unfinished_or_muted() {
    forbid(&["todo!(", "unimplemented!(", "allow(dead_code)", "allow(unused", "dbg!("], |_| false, "left unfinished");
}

#[test]
fn each_room_opens_with_what_it_is() {
    for (name, text) in sources().iter().filter(|(name, _)| name.ends_with("mod.rs")) {
        assert!(text.starts_with("//! "), "{name} says nothing of itself");
    }
}

#[test]
fn each_family_of_commands_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, text) in sources() {
        let Some(family) = name.strip_prefix("src/commands/").and_then(|rest| rest.split(['/', '.']).next()) else {
            continue;
        };
        if family == "mod" || !text.contains("pub const COMMANDS") {
            continue;
        }
        let tests = root.join("tests/it/commands");
        let found = tests.join(format!("{family}.rs")).exists() || tests.join(family).is_dir();
        assert!(found, "tests/it/commands/{family}.rs is missing");
    }
}
