//! Checking a file: everything is read and decoded, counted and dropped; no keyspace is built. The lines are those of
//! redis-check-rdb, so that whoever parses them finds what they look for.

use crate::base::time::UnixMillis;

use super::TOO_EARLY;
use super::load::{Item, LoadError, RdbLoader};

/// What was counted.
#[derive(Default)]
struct Counts {
    keys: u64,
    expires: u64,
    expired: u64,
    field_expires: u64,
}

/// Checks the file that `loader` reads and tells of it line by line. True if it is in order.
pub fn check(loader: &mut RdbLoader<'_>, name: &str, now: UnixMillis, line: &mut dyn FnMut(&str)) -> bool {
    line(&format!("[offset 0] Checking RDB file {name}"));
    loader.tell_all();
    let mut counts = Counts::default();
    let result = loop {
        match loader.next_item() {
            Ok(Some(Item::Key(key))) => {
                counts.keys += 1;
                counts.expires += u64::from(key.expire.is_some());
                counts.expired += u64::from(key.expire.is_some_and(|at| at < now.0));
                counts.field_expires += u64::from(key.field_expire.is_some());
            }
            Ok(Some(Item::Aux(name, value))) => line(&format!(
                "[offset {}] AUX FIELD {} = '{}'",
                loader.offset(),
                name.escape_ascii(),
                value.escape_ascii()
            )),
            Ok(Some(Item::Selected(db))) => line(&format!("[offset {}] Selecting DB ID {}", loader.offset(), db.0)),
            Ok(Some(Item::Room(..) | Item::Function(_))) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    match &result {
        Ok(()) => {
            match loader.report().has_checksum {
                Some(true) => line(&format!("[offset {}] Checksum OK", loader.offset())),
                Some(false) => line(&format!(
                    "[offset {}] RDB file was saved with checksum disabled: no check performed.",
                    loader.offset()
                )),
                None => {}
            }
            line(&format!("[offset {}] \\o/ RDB looks OK! \\o/", loader.offset()));
        }
        Err(error) => {
            // The key whose value cannot be read was read itself.
            counts.keys += u64::from(loader.key_in_hand().is_some());
            tell_error(loader, error, line);
        }
    }
    line(&format!("[info] {} keys read", counts.keys));
    line(&format!("[info] {} expires", counts.expires));
    line(&format!("[info] {} already expired", counts.expired));
    line(&format!("[info] {} subexpires", counts.field_expires));
    result.is_ok()
}

fn tell_error(loader: &RdbLoader<'_>, error: &LoadError, line: &mut dyn FnMut(&str)) {
    line("--- RDB ERROR DETECTED ---");
    let (offset, text) = match error {
        LoadError::Format(bad) if bad.what == TOO_EARLY => {
            (bad.offset as u64, "Unexpected EOF reading RDB file".to_owned())
        }
        LoadError::Format(bad) => (bad.offset as u64, format!("Internal error in RDB reading: {}", bad.what)),
        LoadError::Kind(kind) => (loader.offset(), format!("Invalid object type: {kind}")),
        LoadError::Signature if loader.offset() < 9 => (loader.offset(), "Unexpected EOF reading RDB file".to_owned()),
        LoadError::Checksum { .. } => (loader.offset(), "RDB CRC error".to_owned()),
        other => (loader.offset(), other.to_string()),
    };
    line(&format!("[offset {offset}] {text}"));
    line(&format!("[additional info] While doing: {}", loader.doing().name()));
    if let Some(key) = loader.key_in_hand() {
        line(&format!("[additional info] Reading key '{}'", key.escape_ascii()));
    }
    if let Some(kind) = loader.kind_in_hand() {
        line(&format!("[additional info] Reading type {kind} ({})", kind_name(kind)));
    }
}

/// What redis-check-rdb calls a type byte.
pub(super) fn kind_name(kind: u8) -> &'static str {
    const NAMES: [&str; 33] = [
        "string",
        "list-linked",
        "set-hashtable",
        "zset-v1",
        "hash-hashtable",
        "zset-v2",
        "module-pre-release",
        "module-value",
        "",
        "hash-zipmap",
        "list-ziplist",
        "set-intset",
        "zset-ziplist",
        "hash-ziplist",
        "quicklist",
        "stream",
        "hash-listpack",
        "zset-listpack",
        "quicklist-v2",
        "stream-v2",
        "set-listpack",
        "stream-v3",
        "hash-hashtable-md-pre-release",
        "hash-listpack-md-pre-release",
        "hash-hashtable-md",
        "hash-listpack-md",
        "stream-v4",
        "stream-v5",
        "array",
        "hash-tmpl-lp",
        "hash-tmpl-lp-ref",
        "hash-tmpl-array",
        "hash-tmpl-array-ref",
    ];
    NAMES.get(usize::from(kind)).copied().unwrap_or("unknown")
}
