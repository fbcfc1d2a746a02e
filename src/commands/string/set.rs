//! Setting and removing whole strings: SET with its options and its older forms, many keys at a time, and on conditions.

use crate::keyspace::{Db, Freeing, KeepTtl, Notify};
use crate::resp::CommandError;
use crate::server::context::{Args, integer as parse_integer};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::{EntryMut, Type};
use crate::types;

use super::condition::Condition;
use super::expiration::{Base, Expiration, Unit};
use super::{reply_string, string_mut, string_of};

pub(super) const DELEX: Command = Command {
    info: CommandInfo {
        name: "delex",
        arity: Arity::AtLeast(2),
        since: "8.4.0",
        group: Group::String,
        complexity: "O(1); O(N) in the length of the string for conditions on its digest",
        summary: "Removes a key if a condition on its string holds.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE).or(KeyFlags::VARIABLE_FLAGS))],
        arguments: &[
            key("key", 0),
            oneof(
                "condition",
                &[
                    string("ifeq-value").token("IFEQ"),
                    string("ifne-value").token("IFNE"),
                    string("ifdeq-digest").token("IFDEQ"),
                    string("ifdne-digest").token("IFDNE"),
                ],
            )
            .optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(delex),
};

pub(super) const DELIFEQ: Command = Command {
    info: CommandInfo {
        name: "delifeq",
        arity: Arity::Exactly(3),
        since: "9.0.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Removes a key if its string equals a given one.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RM.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), string("value")],
        ..INFO
    },
    handler: Handler::Data(delifeq),
};

pub(super) const GETDEL: Command = Command {
    info: CommandInfo {
        name: "getdel",
        arity: Arity::Exactly(2),
        since: "6.2.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Reads a string and removes its key.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(getdel),
};

pub(super) const GETEX: Command = Command {
    info: CommandInfo {
        name: "getex",
        arity: Arity::AtLeast(2),
        since: "6.2.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Reads a string and sets or removes its expiry.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            oneof(
                "expiration",
                &[
                    integer("seconds").token("EX"),
                    integer("milliseconds").token("PX"),
                    unix_time("unix-time-seconds").token("EXAT"),
                    unix_time("unix-time-milliseconds").token("PXAT"),
                    token("persist", "PERSIST"),
                ],
            )
            .optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(getex),
};

pub(super) const GETSET: Command = Command {
    info: CommandInfo {
        name: "getset",
        arity: Arity::Exactly(3),
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Sets a string and answers the one it replaces.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), string("value")],
        deprecated: Some(("6.2.0", "SET with GET")),
        ..INFO
    },
    handler: Handler::Data(getset),
};

pub(super) const MSET: Command = Command {
    info: CommandInfo {
        name: "mset",
        arity: Arity::AtLeast(3),
        since: "1.0.1",
        group: Group::String,
        complexity: "O(N) where N is the number of keys",
        summary: "Sets the strings of several keys in one step.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::range(1, -1, 2, KeyFlags::OW.or(KeyFlags::UPDATE))],
        arguments: &[block("data", &[key("key", 0), string("value")]).multiple()],
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Data(mset),
};

pub(super) const MSETEX: Command = Command {
    info: CommandInfo {
        name: "msetex",
        arity: Arity::AtLeast(4),
        since: "8.4.0",
        group: Group::String,
        complexity: "O(N) where N is the number of keys",
        summary: "Sets the strings of several keys with one expiry and an optional condition.",
        flags: Flags::DENYOOM.or(Flags::MOVABLEKEYS).or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec {
            flags: KeyFlags::OW.or(KeyFlags::UPDATE),
            begin: Begin::Index(1),
            find: Find::KeyNum { index: 0, first: 1, step: 2 },
        }],
        arguments: &[
            integer("numkeys"),
            block("data", &[key("key", 0), string("value")]).multiple(),
            oneof("condition", &[token("nx", "NX"), token("xx", "XX")]).optional(),
            oneof(
                "expiration",
                &[
                    integer("seconds").token("EX"),
                    integer("milliseconds").token("PX"),
                    unix_time("unix-time-seconds").token("EXAT"),
                    unix_time("unix-time-milliseconds").token("PXAT"),
                    token("keepttl", "KEEPTTL"),
                ],
            )
            .optional(),
        ],
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Data(msetex),
};

pub(super) const MSETNX: Command = Command {
    info: CommandInfo {
        name: "msetnx",
        arity: Arity::AtLeast(3),
        since: "1.0.1",
        group: Group::String,
        complexity: "O(N) where N is the number of keys",
        summary: "Sets the strings of several keys if none of them exists.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::range(1, -1, 2, KeyFlags::OW.or(KeyFlags::INSERT))],
        arguments: &[block("data", &[key("key", 0), string("value")]).multiple()],
        ..INFO
    },
    handler: Handler::Data(msetnx),
};

pub(super) const PSETEX: Command = Command {
    info: CommandInfo {
        name: "psetex",
        arity: Arity::Exactly(4),
        since: "2.6.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Sets a string that expires after so many milliseconds.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::OW.or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), integer("milliseconds"), string("value")],
        deprecated: Some(("2.6.12", "SET with PX")),
        ..INFO
    },
    handler: Handler::Data(psetex),
};

pub(super) const SET: Command = Command {
    info: CommandInfo {
        name: "set",
        arity: Arity::AtLeast(3),
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Sets a string, on conditions and with an expiry if asked.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE).or(KeyFlags::VARIABLE_FLAGS))],
        arguments: &[
            key("key", 0),
            string("value"),
            oneof(
                "condition",
                &[
                    token("nx", "NX"),
                    token("xx", "XX"),
                    string("ifeq-value").token("IFEQ").since("8.4.0"),
                    string("ifne-value").token("IFNE").since("8.4.0"),
                    string("ifdeq-digest").token("IFDEQ").since("8.4.0"),
                    string("ifdne-digest").token("IFDNE").since("8.4.0"),
                ],
            )
            .optional()
            .since("2.6.12"),
            token("get", "GET").optional().since("6.2.0"),
            oneof(
                "expiration",
                &[
                    integer("seconds").token("EX").since("2.6.12"),
                    integer("milliseconds").token("PX").since("2.6.12"),
                    unix_time("unix-time-seconds").token("EXAT").since("6.2.0"),
                    unix_time("unix-time-milliseconds").token("PXAT").since("6.2.0"),
                    token("keepttl", "KEEPTTL").since("6.0.0"),
                ],
            )
            .optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(set),
};

pub(super) const SETEX: Command = Command {
    info: CommandInfo {
        name: "setex",
        arity: Arity::Exactly(4),
        since: "2.0.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Sets a string that expires after so many seconds.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::OW.or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), integer("seconds"), string("value")],
        deprecated: Some(("2.6.12", "SET with EX")),
        ..INFO
    },
    handler: Handler::Data(setex),
};

pub(super) const SETNX: Command = Command {
    info: CommandInfo {
        name: "setnx",
        arity: Arity::Exactly(3),
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Sets a string if its key does not exist.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::OW.or(KeyFlags::INSERT))],
        arguments: &[key("key", 0), string("value")],
        deprecated: Some(("2.6.12", "SET with NX")),
        ..INFO
    },
    handler: Handler::Data(setnx),
};

/// On what condition keys are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When<'a> {
    Always,
    Absent,
    Present,
    If(Condition<'a>),
}

/// What becomes of the expiry.
#[derive(Clone, Copy, Debug)]
enum Ttl<'a> {
    Clear,
    Keep,
    At(Expiration<'a>),
}

/// The options of SET and MSETEX.
struct Options<'a> {
    when: When<'a>,
    ttl: Ttl<'a>,
    get: bool,
}

impl<'a> Options<'a> {
    /// The options from argument `at` on; those that only SET has if `is_set`.
    fn parse(argv: &'a [&'a [u8]], at: usize, is_set: bool) -> Result<Options<'a>, CommandError> {
        let mut options = Options { when: When::Always, ttl: Ttl::Clear, get: false };
        let mut args = Args::new(argv, at);
        while args.left() > 0 {
            if matches!(options.when, When::Always | When::Absent) && args.take_word("NX") {
                options.when = When::Absent;
            } else if matches!(options.when, When::Always | When::Present) && args.take_word("XX") {
                options.when = When::Present;
            } else if matches!(options.ttl, Ttl::Clear | Ttl::Keep) && args.take_word("KEEPTTL") {
                options.ttl = Ttl::Keep;
            } else if is_set && args.take_word("GET") {
                options.get = true;
            } else if !matches!(options.ttl, Ttl::Keep)
                && let Some(expiration) = Expiration::take(&mut args)
            {
                if let Ttl::At(before) = options.ttl
                    && !before.is_same_form(expiration)
                {
                    return Err(CommandError::Syntax);
                }
                options.ttl = Ttl::At(expiration);
            } else {
                let word = args.required()?;
                let condition = args.next().and_then(|operand| Condition::parse(word, operand));
                match condition {
                    Some(condition) if is_set && options.may_be_on(condition) => options.when = When::If(condition),
                    _ => return Err(CommandError::Syntax),
                }
            }
        }
        Ok(options)
    }

    /// May this condition be added? Only to none, or to one of its kind, which it replaces.
    fn may_be_on(&self, condition: Condition<'_>) -> bool {
        match self.when {
            When::Always => true,
            When::If(before) => std::mem::discriminant(&before) == std::mem::discriminant(&condition),
            When::Absent | When::Present => false,
        }
    }

    /// As the keyspace takes it.
    fn keep_ttl(&self, cx: &DataContext<'_>, command: &'static str) -> Result<KeepTtl, CommandError> {
        Ok(match self.ttl {
            Ttl::Clear => KeepTtl::Clear,
            Ttl::Keep => KeepTtl::Keep,
            Ttl::At(expiration) => KeepTtl::At(expiration.at(cx.now, command)?),
        })
    }
}

/// Stores argument number `value` under a key.
#[inline]
fn store(cx: &mut DataContext<'_>, key: &[u8], value: usize, ttl: KeepTtl) {
    let bytes = types::string::new_value(cx.argv[value], cx.big_arg(value));
    cx.db.set_value(key, Type::String, bytes, ttl);
    cx.db.modified(key);
}

/// Deletes a key whose new expiry has passed already.
fn delete_passed(cx: &mut DataContext<'_>, key: &[u8]) {
    if cx.db.delete(key) {
        cx.db.modified(key);
        cx.db.notify(Notify::GENERIC, "del", key);
        cx.propagate_as(&[b"DEL", key]);
    }
}

/// Sets a key that expires at `at`; one that would be gone at once is deleted instead.
fn set_expiring(cx: &mut DataContext<'_>, key: &[u8], value: usize, at: i64) {
    if cx.has_passed(at) {
        return delete_passed(cx, key);
    }
    store(cx, key, value, KeepTtl::At(at));
    cx.db.notify(Notify::STRING, "set", key);
    cx.db.notify(Notify::GENERIC, "expire", key);
    if cx.propagates() {
        let at = at.to_string();
        cx.propagate_as(&[b"SET", key, cx.argv[value], b"PXAT", at.as_bytes()]);
    }
}

fn set(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    if cx.argv.len() == 3 {
        store(cx, key, 2, KeepTtl::Clear);
        cx.db.notify(Notify::STRING, "set", key);
        cx.reply.ok();
        return Ok(Outcome::Done);
    }
    let options = Options::parse(cx.argv, 3, true)?;
    let ttl = options.keep_ttl(cx, "set")?;
    let old = if options.get { cx.db.lookup_read(key) } else { cx.db.lookup_write(key).map(EntryMut::into_ref) };
    let holds = match options.when {
        When::Always => true,
        When::Absent => old.is_none(),
        When::Present => old.is_some(),
        When::If(condition) => condition.holds(old)?,
    };
    if options.get {
        match string_of(old)? {
            Some(entry) => reply_string(&mut cx.reply, entry),
            None => cx.reply.null(),
        }
    }
    if holds {
        if let KeepTtl::At(at) = ttl {
            set_expiring(cx, key, 2, at);
        } else {
            store(cx, key, 2, ttl);
            cx.db.notify(Notify::STRING, "set", key);
            if options.get && cx.propagates() {
                let argv: Vec<&[u8]> = without_get(cx.argv);
                cx.propagate_as(&argv);
            }
        }
    }
    match (options.get, holds) {
        (true, _) => {}
        (false, true) => cx.reply.ok(),
        (false, false) => cx.reply.null(),
    }
    Ok(Outcome::Done)
}

/// SET without its GET, which means nothing where the reply goes nowhere.
fn without_get<'a>(argv: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let is_operand = |at: usize| Condition::parse(argv[at - 1], b"").is_some();
    let is_get = |at: usize| at >= 3 && argv[at].eq_ignore_ascii_case(b"GET") && !(at > 3 && is_operand(at));
    (0..argv.len()).filter(|&at| !is_get(at)).map(|at| argv[at]).collect()
}

fn setnx(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let is_absent = cx.db.lookup_write(key).is_none();
    if is_absent {
        store(cx, key, 2, KeepTtl::Clear);
        cx.db.notify(Notify::STRING, "set", key);
    }
    cx.reply.int(i64::from(is_absent));
    Ok(Outcome::Done)
}

fn setex(cx: &mut DataContext<'_>) -> CommandResult {
    set_for_a_time(cx, Unit::Seconds, "setex")
}

fn psetex(cx: &mut DataContext<'_>) -> CommandResult {
    set_for_a_time(cx, Unit::Milliseconds, "psetex")
}

fn set_for_a_time(cx: &mut DataContext<'_>, unit: Unit, command: &'static str) -> CommandResult {
    let at = Expiration::new(cx.argv[2], unit, Base::Now).at(cx.now, command)?;
    set_expiring(cx, cx.argv[1], 3, at);
    cx.reply.ok();
    Ok(Outcome::Done)
}

fn getset(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    match string_of(cx.db.lookup_read(key))? {
        Some(entry) => reply_string(&mut cx.reply, entry),
        None => cx.reply.null(),
    }
    store(cx, key, 2, KeepTtl::Clear);
    cx.db.notify(Notify::STRING, "set", key);
    cx.propagate_as(&[b"SET", key, cx.argv[2]]);
    Ok(Outcome::Done)
}

fn getdel(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    match string_of(cx.db.lookup_read(key))? {
        Some(entry) => reply_string(&mut cx.reply, entry),
        None => {
            cx.reply.null();
            return Ok(Outcome::Done);
        }
    }
    cx.db.delete(key);
    cx.db.modified(key);
    cx.db.notify(Notify::GENERIC, "del", key);
    cx.propagate_as(&[b"DEL", key]);
    Ok(Outcome::Done)
}

fn getex(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let mut args = Args::new(cx.argv, 2);
    let mut persist = false;
    let mut expiration: Option<Expiration<'_>> = None;
    while args.left() > 0 {
        if expiration.is_none() && args.take_word("PERSIST") {
            persist = true;
            continue;
        }
        let next = if persist { None } else { Expiration::take(&mut args) };
        match (expiration, next) {
            (_, None) => return Err(CommandError::Syntax),
            (Some(before), Some(next)) if !before.is_same_form(next) => return Err(CommandError::Syntax),
            (_, next) => expiration = next,
        }
    }
    let Some(entry) = string_of(cx.db.lookup_read(key))? else {
        cx.reply.null();
        return Ok(Outcome::Done);
    };
    let at = match expiration {
        Some(expiration) => Some(expiration.at(cx.now, "getex")?),
        None => None,
    };
    let had_expiry = entry.expire_at().is_some();
    reply_string(&mut cx.reply, entry);
    match at {
        Some(at) if cx.has_passed(at) => delete_passed(cx, key),
        Some(at) => {
            cx.db.set_expire(key, Some(at));
            cx.db.modified(key);
            cx.db.notify(Notify::GENERIC, "expire", key);
            if cx.propagates() {
                let at = at.to_string();
                cx.propagate_as(&[b"PEXPIREAT", key, at.as_bytes()]);
            }
        }
        None if persist && had_expiry => {
            cx.db.set_expire(key, None);
            cx.db.modified(key);
            cx.db.notify(Notify::GENERIC, "persist", key);
            cx.propagate_as(&[b"PERSIST", key]);
        }
        None => {}
    }
    Ok(Outcome::Done)
}

fn mset(cx: &mut DataContext<'_>) -> CommandResult {
    set_pairs(cx, "mset")?;
    cx.reply.ok();
    Ok(Outcome::Done)
}

fn msetnx(cx: &mut DataContext<'_>) -> CommandResult {
    if cx.argv.len().is_multiple_of(2) {
        return Err(CommandError::Arity("msetnx".into()));
    }
    let any = cx.argv[1..].chunks(2).any(|pair| cx.db.lookup_write(pair[0]).is_some());
    if !any {
        set_pairs(cx, "msetnx")?;
    }
    cx.reply.int(i64::from(!any));
    Ok(Outcome::Done)
}

fn set_pairs(cx: &mut DataContext<'_>, command: &'static str) -> Result<(), CommandError> {
    if cx.argv.len().is_multiple_of(2) {
        return Err(CommandError::Arity(command.into()));
    }
    for at in (1..cx.argv.len()).step_by(2) {
        let key = cx.argv[at];
        store(cx, key, at + 1, KeepTtl::Clear);
        cx.db.notify(Notify::STRING, "set", key);
    }
    Ok(())
}

fn msetex(cx: &mut DataContext<'_>) -> CommandResult {
    let pairs = parse_integer(cx.argv[1]).ok().filter(|&count| (1..=i64::from(i32::MAX)).contains(&count));
    let Some(pairs) = pairs else {
        return Err(CommandError::err("invalid numkeys value"));
    };
    let end = 2 + 2 * pairs as usize;
    if end > cx.argv.len() {
        return Err(CommandError::err("wrong number of key-value pairs"));
    }
    let options = Options::parse(cx.argv, end, false)?;
    let ttl = options.keep_ttl(cx, "msetex")?;
    let mut exists = (2..end).step_by(2).map(|at| cx.db.lookup_write(cx.argv[at]).is_some());
    let holds = match options.when {
        When::Absent => !exists.any(|exists| exists),
        When::Present => exists.all(|exists| exists),
        When::Always | When::If(_) => true,
    };
    drop(exists);
    if holds {
        for at in (2..end).step_by(2) {
            let key = cx.argv[at];
            store(cx, key, at + 1, ttl);
            if matches!(ttl, KeepTtl::At(_)) {
                cx.db.notify(Notify::GENERIC, "expire", key);
            }
            cx.db.notify(Notify::STRING, "set", key);
        }
        if let KeepTtl::At(at) = ttl
            && cx.propagates()
        {
            let at = at.to_string();
            let mut argv = cx.argv[..end].to_vec();
            argv.extend([&b"PXAT"[..], at.as_bytes()]);
            cx.propagate_as(&argv);
        }
    }
    cx.reply.int(i64::from(holds));
    Ok(Outcome::Done)
}

/// Deletes a key as its user asked for.
fn delete_for_user(db: &mut Db<'_>, key: &[u8]) -> bool {
    let lazy = db.keyspace().policy.lazyfree_lazy_user_del;
    let is_deleted = db.delete_by(key, if lazy { Freeing::Lazy } else { Freeing::Sync });
    if is_deleted {
        db.modified(key);
        db.notify(Notify::GENERIC, "del", key);
    }
    is_deleted
}

fn delex(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let condition = match *cx.argv {
        [_, _] => None,
        [_, _, word, operand] => Some((word, operand)),
        _ => return Err(CommandError::Arity("delex".into())),
    };
    let entry = cx.db.lookup_write(key).map(EntryMut::into_ref);
    let holds = match (entry, condition) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(entry), Some(_)) if entry.type_() != Type::String => {
            return Err(CommandError::err("Key should be of string type if conditions are specified"));
        }
        (entry, Some((word, operand))) => Condition::parse(word, operand)
            .ok_or(CommandError::err("Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"))?
            .holds(entry)?,
    };
    if holds {
        delete_for_user(&mut cx.db, key);
        if condition.is_some() {
            cx.propagate_as(&[b"DEL", key]);
        }
    }
    cx.reply.int(i64::from(holds));
    Ok(Outcome::Done)
}

fn delifeq(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let entry = string_mut(cx.db.lookup_write(key))?.map(EntryMut::into_ref);
    let holds = entry.is_some() && Condition::Equals(cx.argv[2]).holds(entry)?;
    if holds {
        delete_for_user(&mut cx.db, key);
        cx.propagate_as(&[b"DEL", key]);
    }
    cx.reply.int(i64::from(holds));
    Ok(Outcome::Done)
}
