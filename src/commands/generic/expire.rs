//! Times to live.

use crate::base::shown::shown;
use crate::keyspace::{Freeing, Notify};
use crate::resp::CommandError;
use crate::server::context;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;

pub(super) const EXPIRE: Command = Command {
    info: CommandInfo {
        name: "expire",
        arity: Arity::AtLeast(3),
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Lets a key expire after so many seconds.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            integer("seconds"),
            oneof("condition", &[token("nx", "NX"), token("xx", "XX"), token("gt", "GT"), token("lt", "LT")])
                .optional()
                .since("7.0.0"),
        ],
        ..INFO
    },
    handler: Handler::Data(expire),
};
pub(super) const EXPIREAT: Command = Command {
    info: CommandInfo {
        name: "expireat",
        arity: Arity::AtLeast(3),
        since: "1.2.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Lets a key expire at a Unix time in seconds.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            unix_time("unix-time-seconds"),
            oneof("condition", &[token("nx", "NX"), token("xx", "XX"), token("gt", "GT"), token("lt", "LT")])
                .optional()
                .since("7.0.0"),
        ],
        ..INFO
    },
    handler: Handler::Data(expireat),
};
pub(super) const EXPIRETIME: Command = Command {
    info: CommandInfo {
        name: "expiretime",
        arity: Arity::Exactly(2),
        since: "7.0.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Tells the Unix time in seconds at which a key expires.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(expiretime),
};
pub(super) const PERSIST: Command = Command {
    info: CommandInfo {
        name: "persist",
        arity: Arity::Exactly(2),
        since: "2.2.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Removes the expiry of a key.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(persist),
};
pub(super) const PEXPIRE: Command = Command {
    info: CommandInfo {
        name: "pexpire",
        arity: Arity::AtLeast(3),
        since: "2.6.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Lets a key expire after so many milliseconds.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            integer("milliseconds"),
            oneof("condition", &[token("nx", "NX"), token("xx", "XX"), token("gt", "GT"), token("lt", "LT")])
                .optional()
                .since("7.0.0"),
        ],
        ..INFO
    },
    handler: Handler::Data(pexpire),
};
pub(super) const PEXPIREAT: Command = Command {
    info: CommandInfo {
        name: "pexpireat",
        arity: Arity::AtLeast(3),
        since: "2.6.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Lets a key expire at a Unix time in milliseconds.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            unix_time("unix-time-milliseconds"),
            oneof("condition", &[token("nx", "NX"), token("xx", "XX"), token("gt", "GT"), token("lt", "LT")])
                .optional()
                .since("7.0.0"),
        ],
        ..INFO
    },
    handler: Handler::Data(pexpireat),
};
pub(super) const PEXPIRETIME: Command = Command {
    info: CommandInfo {
        name: "pexpiretime",
        arity: Arity::Exactly(2),
        since: "7.0.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Tells the Unix time in milliseconds at which a key expires.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(pexpiretime),
};
pub(super) const PTTL: Command = Command {
    info: CommandInfo {
        name: "pttl",
        arity: Arity::Exactly(2),
        since: "2.6.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Tells in how many milliseconds a key expires.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(pttl),
};
pub(super) const TTL: Command = Command {
    info: CommandInfo {
        name: "ttl",
        arity: Arity::Exactly(2),
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Tells in how many seconds a key expires.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(ttl),
};

/// When an expiry is set at all.
#[derive(Default)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(words: &[&[u8]]) -> Result<Condition, CommandError> {
        let mut condition = Condition::default();
        for word in words {
            match word.to_ascii_uppercase().as_slice() {
                b"NX" => condition.nx = true,
                b"XX" => condition.xx = true,
                b"GT" => condition.gt = true,
                b"LT" => condition.lt = true,
                _ => {
                    let word = shown(word);
                    return Err(CommandError::err(format!("Unsupported option {word}")));
                }
            }
        }
        if condition.nx && (condition.xx || condition.gt || condition.lt) {
            return Err(CommandError::err("NX and XX, GT or LT options at the same time are not compatible"));
        }
        if condition.gt && condition.lt {
            return Err(CommandError::err("GT and LT options at the same time are not compatible"));
        }
        Ok(condition)
    }

    /// May `new` take the place of `old`? No expiry counts as an endless one.
    fn allows(&self, old: Option<i64>, new: i64) -> bool {
        match old {
            Some(end) => !self.nx && (!self.lt || new < end) && (!self.gt || new > end),
            None => !self.xx && !self.gt,
        }
    }
}

/// The time that an argument names, in milliseconds since the epoch.
pub(super) fn expire_time(arg: &[u8], unit_ms: i64, base_ms: i64, command: &'static str) -> Result<i64, CommandError> {
    let number = context::integer(arg)?;
    let invalid = || CommandError::InvalidExpire(command);
    number.checked_mul(unit_ms).and_then(|ms| ms.checked_add(base_ms)).ok_or_else(invalid)
}

fn set_expiry(cx: &mut DataContext<'_>, unit_ms: i64, is_relative: bool, command: &'static str) -> CommandResult {
    let key = cx.argv[1];
    let condition = Condition::parse(&cx.argv[3..])?;
    let base = if is_relative { cx.now.0 } else { 0 };
    let at = expire_time(cx.argv[2], unit_ms, base, command)?;
    let Some(entry) = cx.db.lookup_write(key) else {
        cx.reply.int(0);
        return Ok(Outcome::Done);
    };
    if !condition.allows(entry.read().expire_at(), at) {
        cx.reply.int(0);
        return Ok(Outcome::Done);
    }
    if cx.has_passed(at) {
        let lazy = cx.db.keyspace().policy.lazyfree_lazy_expire;
        cx.db.delete_by(key, if lazy { Freeing::Lazy } else { Freeing::Sync });
        cx.db.notify(Notify::GENERIC, "del", key);
        cx.propagate_as(&[if lazy { b"UNLINK" } else { b"DEL" }, key]);
    } else {
        cx.db.set_expire(key, Some(at));
        cx.db.notify(Notify::GENERIC, "expire", key);
        if cx.propagates() {
            cx.propagate_as(&[b"PEXPIREAT", key, at.to_string().as_bytes()]);
        }
    }
    cx.db.modified(key);
    cx.reply.int(1);
    Ok(Outcome::Done)
}

fn expire(cx: &mut DataContext<'_>) -> CommandResult {
    set_expiry(cx, 1000, true, "expire")
}

fn pexpire(cx: &mut DataContext<'_>) -> CommandResult {
    set_expiry(cx, 1, true, "pexpire")
}

fn expireat(cx: &mut DataContext<'_>) -> CommandResult {
    set_expiry(cx, 1000, false, "expireat")
}

fn pexpireat(cx: &mut DataContext<'_>) -> CommandResult {
    set_expiry(cx, 1, false, "pexpireat")
}

/// Answers -2 for no key, -1 for no expiry, or what `show` makes of the time.
fn reply_expiry(cx: &mut DataContext<'_>, show: impl Fn(i64, i64) -> i64) -> CommandResult {
    let now = cx.now.0;
    let shown = match cx.db.peek(cx.argv[1]).map(|entry| entry.expire_at()) {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => show(at, now),
    };
    cx.reply.int(shown);
    Ok(Outcome::Done)
}

fn ttl(cx: &mut DataContext<'_>) -> CommandResult {
    reply_expiry(cx, |at, now| ((at - now).max(0) + 500) / 1000)
}

fn pttl(cx: &mut DataContext<'_>) -> CommandResult {
    reply_expiry(cx, |at, now| (at - now).max(0))
}

fn expiretime(cx: &mut DataContext<'_>) -> CommandResult {
    reply_expiry(cx, |at, _| (at.max(0).unsigned_abs().saturating_add(500) / 1000) as i64)
}

fn pexpiretime(cx: &mut DataContext<'_>) -> CommandResult {
    reply_expiry(cx, |at, _| at)
}

fn persist(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let expires = cx.db.lookup_write(key).is_some_and(|entry| entry.read().expire_at().is_some());
    if expires {
        cx.db.set_expire(key, None);
        cx.db.modified(key);
        cx.db.notify(Notify::GENERIC, "persist", key);
    }
    cx.reply.int(i64::from(expires));
    Ok(Outcome::Done)
}
