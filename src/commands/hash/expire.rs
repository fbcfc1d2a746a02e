//! Hashes: fields that expire.

use crate::base::number;
use crate::base::shown::shown;
use crate::keyspace::{Notify, OnDue};
use crate::resp::CommandError;
use crate::server::context;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::types::hash::{self, Field, FieldTtl, HashRef};

use super::read::{reply_value, reply_values};
use super::{delete_if_empty, limits, lookup, write};

/// The latest expiry of a field, in milliseconds since the epoch: Redis keeps 46 bits of it.
const FIELD_EXPIRE_MAX: i64 = (1 << 46) - 1;

pub(super) const HEXPIRE: Command = Command {
    info: CommandInfo {
        name: "hexpire",
        arity: Arity::AtLeast(6),
        since: "7.4.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Lets fields of a hash expire after a number of seconds.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            integer("seconds"),
            oneof("condition", &[token("nx", "NX"), token("xx", "XX"), token("gt", "GT"), token("lt", "LT")])
                .optional(),
            block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS"),
        ],
        ..INFO
    },
    handler: Handler::Data(hexpire),
};

pub(super) const HPEXPIRE: Command = Command {
    info: CommandInfo {
        name: "hpexpire",
        arity: Arity::AtLeast(6),
        since: "7.4.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Lets fields of a hash expire after a number of milliseconds.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            integer("milliseconds"),
            oneof("condition", &[token("nx", "NX"), token("xx", "XX"), token("gt", "GT"), token("lt", "LT")])
                .optional(),
            block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS"),
        ],
        ..INFO
    },
    handler: Handler::Data(hpexpire),
};

pub(super) const HEXPIREAT: Command = Command {
    info: CommandInfo {
        name: "hexpireat",
        arity: Arity::AtLeast(6),
        since: "7.4.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Lets fields of a hash expire at a time given in seconds since the epoch.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            unix_time("unix-time-seconds"),
            oneof("condition", &[token("nx", "NX"), token("xx", "XX"), token("gt", "GT"), token("lt", "LT")])
                .optional(),
            block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS"),
        ],
        ..INFO
    },
    handler: Handler::Data(hexpireat),
};

pub(super) const HPEXPIREAT: Command = Command {
    info: CommandInfo {
        name: "hpexpireat",
        arity: Arity::AtLeast(6),
        since: "7.4.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Lets fields of a hash expire at a time given in milliseconds since the epoch.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            unix_time("unix-time-milliseconds"),
            oneof("condition", &[token("nx", "NX"), token("xx", "XX"), token("gt", "GT"), token("lt", "LT")])
                .optional(),
            block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS"),
        ],
        ..INFO
    },
    handler: Handler::Data(hpexpireat),
};

pub(super) const HPERSIST: Command = Command {
    info: CommandInfo {
        name: "hpersist",
        arity: Arity::AtLeast(5),
        since: "7.4.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Lets fields of a hash expire no more.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS"),
        ],
        ..INFO
    },
    handler: Handler::Data(hpersist),
};

pub(super) const HTTL: Command = Command {
    info: CommandInfo {
        name: "httl",
        arity: Arity::AtLeast(5),
        since: "7.4.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Tells in how many seconds fields of a hash expire.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS"),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(httl),
};

pub(super) const HPTTL: Command = Command {
    info: CommandInfo {
        name: "hpttl",
        arity: Arity::AtLeast(5),
        since: "7.4.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Tells in how many milliseconds fields of a hash expire.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS"),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(hpttl),
};

pub(super) const HEXPIRETIME: Command = Command {
    info: CommandInfo {
        name: "hexpiretime",
        arity: Arity::AtLeast(5),
        since: "7.4.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Tells at which second since the epoch fields of a hash expire.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS"),
        ],
        ..INFO
    },
    handler: Handler::Data(hexpiretime),
};

pub(super) const HPEXPIRETIME: Command = Command {
    info: CommandInfo {
        name: "hpexpiretime",
        arity: Arity::AtLeast(5),
        since: "7.4.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Tells at which millisecond since the epoch fields of a hash expire.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS"),
        ],
        ..INFO
    },
    handler: Handler::Data(hpexpiretime),
};

pub(super) const HGETEX: Command = Command {
    info: CommandInfo {
        name: "hgetex",
        arity: Arity::AtLeast(5),
        since: "8.0.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Reads fields of a hash and changes when they expire.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::HASH,
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
            block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS"),
        ],
        ..INFO
    },
    handler: Handler::Data(hgetex),
};

pub(super) const HSETEX: Command = Command {
    info: CommandInfo {
        name: "hsetex",
        arity: Arity::AtLeast(6),
        since: "8.0.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields set",
        summary: "Sets fields of a hash together with when they expire.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            oneof("condition", &[token("fnx", "FNX"), token("fxx", "FXX")]).optional(),
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
            block("fields", &[integer("numfields"), block("data", &[string("field"), string("value")]).multiple()])
                .token("FIELDS"),
        ],
        ..INFO
    },
    handler: Handler::Data(hsetex),
};

pub(super) const HGETDEL: Command = Command {
    info: CommandInfo {
        name: "hgetdel",
        arity: Arity::AtLeast(5),
        since: "8.0.0",
        group: Group::Hash,
        complexity: "O(N), N the number of fields named",
        summary: "Reads fields of a hash and removes them.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::HASH,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[
            key("key", 0),
            block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS"),
        ],
        ..INFO
    },
    handler: Handler::Data(hgetdel),
};

/// The unit of a time, and what it counts from.
#[derive(Clone, Copy)]
struct TimeUnit {
    ms: i64,
    is_absolute: bool,
}

const SECONDS: TimeUnit = TimeUnit { ms: 1000, is_absolute: false };
const MILLISECONDS: TimeUnit = TimeUnit { ms: 1, is_absolute: false };
const SECONDS_AT: TimeUnit = TimeUnit { ms: 1000, is_absolute: true };
const MILLISECONDS_AT: TimeUnit = TimeUnit { ms: 1, is_absolute: true };

impl TimeUnit {
    /// The unit that an option of HGETEX and HSETEX names.
    fn of_option(word: &[u8]) -> Option<TimeUnit> {
        let units: [(&[u8], TimeUnit); 4] =
            [(b"EX", SECONDS), (b"PX", MILLISECONDS), (b"EXAT", SECONDS_AT), (b"PXAT", MILLISECONDS_AT)];
        units.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, unit)| unit)
    }

    /// The time that an argument gives, in milliseconds since the epoch.
    fn parse(self, arg: &[u8], now: i64, name: &'static str) -> Result<i64, CommandError> {
        let time = context::integer(arg)?;
        if time < 0 {
            return Err(CommandError::err("invalid expire time, must be >= 0"));
        }
        let base = if self.is_absolute { 0 } else { now };
        let at = time.checked_mul(self.ms).and_then(|ms| ms.checked_add(base));
        at.filter(|&at| at <= FIELD_EXPIRE_MAX).ok_or(CommandError::InvalidExpire(name))
    }
}

/// When a field's expiry is to be changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    Nx,
    Xx,
    Gt,
    Lt,
}

impl Condition {
    fn parse(word: &[u8]) -> Option<Condition> {
        let words: [(&[u8], Condition); 4] =
            [(b"NX", Condition::Nx), (b"XX", Condition::Xx), (b"GT", Condition::Gt), (b"LT", Condition::Lt)];
        words.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, condition)| condition)
    }

    /// Without an expiry a field lives longest.
    fn allows(self, old: Option<i64>, new: i64) -> bool {
        match self {
            Condition::Always => true,
            Condition::Nx => old.is_none(),
            Condition::Xx => old.is_some(),
            Condition::Gt => old.is_some_and(|old| new > old),
            Condition::Lt => old.is_none_or(|old| new < old),
        }
    }
}

const NUM_FIELDS: &str = "Number of fields must be a positive integer";

/// The fields named from argument `at` on: `FIELDS numfields field ...`, to the end of the request. Counts above `most` are
/// refused like those below one.
fn parse_fields<'a>(
    argv: &'a [&'a [u8]],
    at: usize,
    most: i64,
    not_positive: &'static str,
) -> Result<&'a [&'a [u8]], CommandError> {
    if argv.get(at).is_none_or(|word| !word.eq_ignore_ascii_case(b"FIELDS")) {
        return Err(CommandError::err("Mandatory argument FIELDS is missing or not at the right position"));
    }
    let count = argv.get(at + 1).and_then(|count| number::parse_i64(count)).filter(|&count| count > 0);
    let count = count.filter(|&count| count <= most).ok_or(CommandError::err(not_positive))?;
    let names = &argv[at + 2..];
    if names.len() != count as usize {
        return Err(CommandError::err("The `numfields` parameter must match the number of arguments"));
    }
    Ok(names)
}

/// Would a field that expires then be gone at once? Not where a master decides.
fn is_past(cx: &mut DataContext<'_>, at: i64) -> bool {
    let decides = cx.db.keyspace().policy.on_due == OnDue::Delete;
    decides && at <= cx.now.0
}

/// Removes these fields because the time set for them has passed.
fn remove_fields(cx: &mut DataContext<'_>, key: &[u8], names: &[&[u8]]) {
    cx.db.change_hash(key, |entry| {
        names.iter().for_each(|name| {
            hash::remove(entry, name);
        })
    });
    tell_removed(cx, key, names);
}

/// Tells of fields that were removed because the time set for them has passed.
fn tell_removed(cx: &mut DataContext<'_>, key: &[u8], names: &[&[u8]]) {
    for name in names {
        cx.propagate_as(&[b"HDEL", key, name]);
    }
    cx.db.notify_subkeys(Notify::HASH, "hdel", key, || names.iter().map(|name| name.to_vec()).collect());
}

/// Repeats a change of expiry at an absolute time.
fn propagate_expiry(cx: &mut DataContext<'_>, key: &[u8], at: i64, condition: Option<&[u8]>, names: &[&[u8]]) {
    if !cx.propagates() {
        return;
    }
    let (at, count) = (at.to_string(), names.len().to_string());
    let mut argv: Vec<&[u8]> = vec![b"HPEXPIREAT", key, at.as_bytes()];
    argv.extend(condition);
    argv.extend([b"FIELDS".as_slice(), count.as_bytes()]);
    argv.extend(names);
    cx.propagate_as(&argv);
}

fn set_expiry(cx: &mut DataContext<'_>, unit: TimeUnit, name: &'static str) -> CommandResult {
    let (argv, key) = (cx.argv, cx.argv[1]);
    lookup(&mut cx.db, key)?;
    let at = unit.parse(argv[2], cx.now.0, name)?;
    let condition = Condition::parse(argv[3]);
    let fields_at = if condition.is_some() { 4 } else { 3 };
    let not_positive = "Parameter `numFields` should be greater than 0";
    let names = parse_fields(argv, fields_at, i64::from(i32::MAX), not_positive)?;
    cx.db.expire_fields(key, names.iter().copied());
    if !cx.db.exists(key) {
        reply_missing(cx, names.len());
        return Ok(Outcome::Done);
    }
    let past = is_past(cx, at);
    let mut answers = Vec::with_capacity(names.len());
    let mut changed: Vec<&[u8]> = Vec::new();
    cx.db.change_hash(key, |entry| {
        hash::make_expirable(entry);
        for &name in names {
            let found = HashRef::of(entry.read()).and_then(|hash| hash.get(name)).map(|field| field.expire_at);
            answers.push(match found {
                None => -2,
                // A field removed by its earlier mention is gone.
                Some(_) if past && changed.contains(&name) => -2,
                Some(old) if !condition.unwrap_or(Condition::Always).allows(old, at) => 0,
                Some(_) => {
                    changed.push(name);
                    if past {
                        2
                    } else {
                        hash::set_expire(entry, name, Some(at));
                        1
                    }
                }
            });
        }
    });
    cx.reply.array(answers.len());
    answers.iter().for_each(|&answer| cx.reply.int(answer));
    if changed.is_empty() {
        return Ok(Outcome::Done);
    }
    cx.db.modified_times(key, changed.len() as u64);
    if past {
        remove_fields(cx, key, &changed);
        delete_if_empty(cx, key);
    } else {
        propagate_expiry(cx, key, at, condition.map(|_| argv[3]), &changed);
        cx.db.notify_subkeys(Notify::HASH, "hexpire", key, || changed.iter().map(|name| name.to_vec()).collect());
    }
    Ok(Outcome::Done)
}

fn reply_missing(cx: &mut DataContext<'_>, count: usize) {
    cx.reply.array(count);
    (0..count).for_each(|_| cx.reply.int(-2));
}

fn hexpire(cx: &mut DataContext<'_>) -> CommandResult {
    set_expiry(cx, SECONDS, "hexpire")
}

fn hpexpire(cx: &mut DataContext<'_>) -> CommandResult {
    set_expiry(cx, MILLISECONDS, "hpexpire")
}

fn hexpireat(cx: &mut DataContext<'_>) -> CommandResult {
    set_expiry(cx, SECONDS_AT, "hexpireat")
}

fn hpexpireat(cx: &mut DataContext<'_>) -> CommandResult {
    set_expiry(cx, MILLISECONDS_AT, "hpexpireat")
}

fn hpersist(cx: &mut DataContext<'_>) -> CommandResult {
    let (argv, key) = (cx.argv, cx.argv[1]);
    lookup(&mut cx.db, key)?;
    let names = parse_fields(argv, 2, i64::MAX, NUM_FIELDS)?;
    cx.db.expire_fields(key, names.iter().copied());
    if !cx.db.exists(key) {
        reply_missing(cx, names.len());
        return Ok(Outcome::Done);
    }
    let persisted = persist(cx, key, names);
    cx.reply.array(names.len());
    persisted.iter().for_each(|&answer| cx.reply.int(answer));
    let changed = persisted.iter().filter(|&&answer| answer == 1).count();
    tell_persisted(cx, key, names, &persisted, changed);
    Ok(Outcome::Done)
}

/// Removes the expiry of these fields. Returns the answer of HPERSIST for each.
fn persist(cx: &mut DataContext<'_>, key: &[u8], names: &[&[u8]]) -> Vec<i64> {
    let answers = cx.db.change_hash(key, |entry| {
        let mut answers = Vec::with_capacity(names.len());
        for name in names {
            let found = HashRef::of(entry.read()).and_then(|hash| hash.get(name)).map(|field| field.expire_at);
            answers.push(match found {
                None => -2,
                Some(None) => -1,
                Some(Some(_)) => {
                    hash::set_expire(entry, name, None);
                    1
                }
            });
        }
        answers
    });
    answers.unwrap_or_default()
}

fn tell_persisted(cx: &mut DataContext<'_>, key: &[u8], names: &[&[u8]], answers: &[i64], changed: usize) {
    if changed > 0 {
        cx.db.modified_times(key, changed as u64);
        cx.db.notify_subkeys(Notify::HASH, "hpersist", key, || {
            names.iter().zip(answers).filter(|(_, answer)| **answer == 1).map(|(name, _)| name.to_vec()).collect()
        });
    }
}

/// Writes something of the expiry of each field named: -2 where there is no field, -1 where it does not expire.
fn reply_expiry(cx: &mut DataContext<'_>, show: impl Fn(i64, i64) -> i64) -> CommandResult {
    let (key, now, clock) = (cx.argv[1], cx.now.0, cx.db.field_clock());
    let hash = lookup(&mut cx.db, key)?;
    let names = parse_fields(cx.argv, 2, i64::MAX, NUM_FIELDS)?;
    cx.reply.array(names.len());
    for name in names {
        let found = hash.and_then(|hash| hash.get(name));
        cx.reply.int(match found {
            None => -2,
            Some(Field { expire_at: None, .. }) => -1,
            Some(Field { expire_at: Some(at), .. }) if clock.0 > at => -2,
            Some(Field { expire_at: Some(at), .. }) => show(at, now),
        });
    }
    Ok(Outcome::Done)
}

fn httl(cx: &mut DataContext<'_>) -> CommandResult {
    reply_expiry(cx, |at, now| ((at - now).max(0) + 999) / 1000)
}

fn hpttl(cx: &mut DataContext<'_>) -> CommandResult {
    reply_expiry(cx, |at, now| (at - now).max(0))
}

fn hexpiretime(cx: &mut DataContext<'_>) -> CommandResult {
    reply_expiry(cx, |at, _| (at + 999) / 1000)
}

fn hpexpiretime(cx: &mut DataContext<'_>) -> CommandResult {
    reply_expiry(cx, |at, _| at)
}

fn hgetex(cx: &mut DataContext<'_>) -> CommandResult {
    let (argv, key) = (cx.argv, cx.argv[1]);
    lookup(&mut cx.db, key)?;
    let unit = TimeUnit::of_option(argv[2]);
    let is_persist = argv[2].eq_ignore_ascii_case(b"PERSIST");
    let expire_at = unit.map(|unit| unit.parse(argv[3], cx.now.0, "hgetex")).transpose()?;
    let fields_at = 2 + usize::from(is_persist) + 2 * usize::from(unit.is_some());
    let names = parse_fields(argv, fields_at, i64::MAX, NUM_FIELDS)?;
    cx.db.expire_fields(key, names.iter().copied());
    if is_persist || expire_at.is_some() {
        cx.db.change_hash(key, hash::make_expirable);
    }
    if expire_at.is_some_and(|at| is_past(cx, at)) {
        let removed = take_values(cx, key, names);
        if !removed.is_empty() {
            cx.db.modified_times(key, removed.len() as u64);
            tell_removed(cx, key, &removed);
            delete_if_empty(cx, key);
        }
        return Ok(Outcome::Done);
    }
    reply_values(cx, key, names)?;
    if is_persist {
        let answers = persist(cx, key, names);
        let changed = answers.iter().filter(|&&answer| answer == 1).count();
        tell_persisted(cx, key, names, &answers, changed);
        if changed > 0 && cx.propagates() {
            let count = names.len().to_string();
            let mut rewritten: Vec<&[u8]> = vec![b"HPERSIST", key, b"FIELDS", count.as_bytes()];
            rewritten.extend(names);
            cx.propagate_as(&rewritten);
        }
        return Ok(Outcome::Done);
    }
    let Some(at) = expire_at else { return Ok(Outcome::Done) };
    let mut present: Vec<&[u8]> = Vec::new();
    cx.db.change_hash(key, |entry| present.extend(names.iter().filter(|name| hash::set_expire(entry, name, Some(at)))));
    if !present.is_empty() {
        cx.db.modified_times(key, present.len() as u64);
        propagate_expiry(cx, key, at, None, names);
        cx.db.notify_subkeys(Notify::HASH, "hexpire", key, || present.iter().map(|name| name.to_vec()).collect());
    }
    Ok(Outcome::Done)
}

/// Which of the fields must be there already for HSETEX to set any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Any,
    None,
    All,
}

/// A request of HSETEX, taken apart.
struct SetEx<'a> {
    presence: Presence,
    ttl: FieldTtl,
    /// Where the unit of the expiry stands, if there is one.
    unit_at: Option<usize>,
    pairs: &'a [&'a [u8]],
}

impl<'a> SetEx<'a> {
    fn parse(argv: &'a [&'a [u8]], now: i64) -> Result<SetEx<'a>, CommandError> {
        let mut request = SetEx { presence: Presence::Any, ttl: FieldTtl::Clear, unit_at: None, pairs: &[] };
        let mut has_ttl = false;
        let mut at = 2;
        while at < argv.len() {
            let word = argv[at];
            if word.eq_ignore_ascii_case(b"FIELDS") {
                let Some(count) = argv.get(at + 1) else { break };
                let count = number::parse_i64(count).filter(|count| (1..=i64::from(i32::MAX)).contains(count));
                let count = count.ok_or(CommandError::err("invalid number of fields"))?;
                request.pairs = &argv[at + 2..];
                if request.pairs.len() != 2 * count as usize {
                    break;
                }
                return Ok(request);
            }
            if word.eq_ignore_ascii_case(b"FNX") || word.eq_ignore_ascii_case(b"FXX") {
                if request.presence != Presence::Any {
                    return Err(CommandError::err("Only one of FXX or FNX arguments can be specified"));
                }
                request.presence = if word.eq_ignore_ascii_case(b"FNX") { Presence::None } else { Presence::All };
                at += 1;
                continue;
            }
            let unit = TimeUnit::of_option(word);
            if unit.is_none() && !word.eq_ignore_ascii_case(b"KEEPTTL") {
                let word = shown(word);
                return Err(CommandError::err(format!("unknown argument: {word}")));
            }
            if has_ttl {
                let text = "Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
                return Err(CommandError::err(text));
            }
            has_ttl = true;
            request.ttl = match unit {
                None => FieldTtl::Keep,
                Some(unit) => {
                    let Some(time) = argv.get(at + 1) else { break };
                    request.unit_at = Some(at);
                    at += 1;
                    FieldTtl::At(unit.parse(time, now, "hsetex")?)
                }
            };
            at += 1;
        }
        Err(CommandError::Arity("hsetex".into()))
    }

    fn names(&self) -> impl Iterator<Item = &'a [u8]> {
        self.pairs.chunks_exact(2).map(|pair| pair[0])
    }
}

fn hsetex(cx: &mut DataContext<'_>) -> CommandResult {
    let (argv, key) = (cx.argv, cx.argv[1]);
    let request = SetEx::parse(argv, cx.now.0)?;
    lookup(&mut cx.db, key)?;
    if request.presence != Presence::Any {
        cx.db.expire_fields(key, request.names());
        let hash = lookup(&mut cx.db, key)?;
        let mut found = request.names().map(|name| hash.is_some_and(|hash| hash.get(name).is_some()));
        let fits = match request.presence {
            Presence::All => found.all(|found| found),
            _ => !found.any(|found| found),
        };
        if !fits {
            cx.reply.int(0);
            return Ok(Outcome::Done);
        }
    }
    let past = matches!(request.ttl, FieldTtl::At(at) if is_past(cx, at));
    let ttl = if past { FieldTtl::Clear } else { request.ttl };
    let (limits, seed) = (limits(cx), cx.db.keyspace().hash_seed());
    write(cx, key, |entry| {
        if past {
            hash::make_expirable(entry);
        }
        hash::reserve(entry, request.pairs.len() / 2, limits, seed);
        for pair in request.pairs.chunks_exact(2) {
            hash::set(entry, pair[0], pair[1], ttl, limits, seed);
        }
    })?;
    cx.reply.int(1);
    let names = || request.names().map(<[u8]>::to_vec).collect();
    cx.db.modified_times(key, request.pairs.len() as u64 / 2);
    cx.db.notify_subkeys(Notify::HASH, "hset", key, names);
    if past {
        let names: Vec<&[u8]> = request.names().collect();
        remove_fields(cx, key, &names);
        delete_if_empty(cx, key);
        return Ok(Outcome::Done);
    }
    if let FieldTtl::At(at) = request.ttl {
        cx.db.notify_subkeys(Notify::HASH, "hexpire", key, names);
        if let Some(unit_at) = request.unit_at.filter(|_| cx.propagates()) {
            let at = at.to_string();
            let mut rewritten = argv.to_vec();
            rewritten[unit_at] = b"PXAT";
            rewritten[unit_at + 1] = at.as_bytes();
            cx.propagate_as(&rewritten);
        }
    }
    Ok(Outcome::Done)
}

/// Writes an array of the values of these fields and removes them. Returns those that were there.
fn take_values<'n>(cx: &mut DataContext<'_>, key: &[u8], names: &[&'n [u8]]) -> Vec<&'n [u8]> {
    let mut removed = Vec::new();
    let reply = &mut cx.reply;
    reply.array(names.len());
    let found = cx.db.change_hash(key, |entry| {
        for &name in names {
            reply_value(reply, HashRef::of(entry.read()).and_then(|hash| hash.get(name)).map(|field| field.value));
            if hash::remove(entry, name) {
                removed.push(name);
            }
        }
    });
    if found.is_none() {
        names.iter().for_each(|_| reply.null());
    }
    removed
}

fn hgetdel(cx: &mut DataContext<'_>) -> CommandResult {
    let (argv, key) = (cx.argv, cx.argv[1]);
    lookup(&mut cx.db, key)?;
    let names = parse_fields(argv, 2, i64::MAX, NUM_FIELDS)?;
    cx.db.expire_fields(key, names.iter().copied());
    let removed = take_values(cx, key, names);
    if removed.is_empty() {
        return Ok(Outcome::Done);
    }
    cx.db.modified_times(key, removed.len() as u64);
    cx.db.notify_subkeys(Notify::HASH, "hdel", key, || removed.iter().map(|name| name.to_vec()).collect());
    delete_if_empty(cx, key);
    if cx.propagates() {
        let mut rewritten: Vec<&[u8]> = vec![b"HDEL", key];
        rewritten.extend(names);
        cx.propagate_as(&rewritten);
    }
    Ok(Outcome::Done)
}
