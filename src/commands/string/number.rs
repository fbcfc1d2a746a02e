//! Strings that are numbers. An integer is changed in place.

use crate::base::long_double::LongDouble;
use crate::base::number::parse_i64;
use crate::keyspace::{KeepTtl, Notify};
use crate::resp::CommandError;
use crate::server::context::{Args, integer as parse_integer};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::{Encoding, EntryMut, EntryRef, NewValue, Type, Value};
use crate::types;

use super::expiration::Expiration;
use super::{string_mut, string_of};

pub(super) const DECR: Command = Command {
    info: CommandInfo {
        name: "decr",
        arity: Arity::Exactly(2),
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Lowers an integer by one, counting an absent key as 0.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(decr),
};

pub(super) const DECRBY: Command = Command {
    info: CommandInfo {
        name: "decrby",
        arity: Arity::Exactly(3),
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Lowers an integer by a given amount, counting an absent key as 0.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), integer("decrement")],
        ..INFO
    },
    handler: Handler::Data(decrby),
};

pub(super) const INCR: Command = Command {
    info: CommandInfo {
        name: "incr",
        arity: Arity::Exactly(2),
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Raises an integer by one, counting an absent key as 0.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(incr),
};

pub(super) const INCRBY: Command = Command {
    info: CommandInfo {
        name: "incrby",
        arity: Arity::Exactly(3),
        since: "1.0.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Raises an integer by a given amount, counting an absent key as 0.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), integer("increment")],
        ..INFO
    },
    handler: Handler::Data(incrby),
};

pub(super) const INCRBYFLOAT: Command = Command {
    info: CommandInfo {
        name: "incrbyfloat",
        arity: Arity::Exactly(3),
        since: "2.6.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Adds a decimal fraction to a number, counting an absent key as 0.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), double("increment")],
        ..INFO
    },
    handler: Handler::Data(incrbyfloat),
};

pub(super) const INCREX: Command = Command {
    info: CommandInfo {
        name: "increx",
        arity: Arity::AtLeast(2),
        since: "8.8.0",
        group: Group::String,
        complexity: "O(1)",
        summary: "Changes a number within bounds and sets its expiry in the same step.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::STRING,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            oneof("increment", &[double("float").token("BYFLOAT"), integer("integer").token("BYINT")]).optional(),
            token("saturate", "SATURATE").optional(),
            string("lowerbound").token("LBOUND").optional(),
            string("upperbound").token("UBOUND").optional(),
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
            token("enx", "ENX").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(increx),
};

/// The integer that a string is.
fn integer_of(entry: EntryRef<'_>) -> Result<i64, CommandError> {
    match entry.value() {
        Value::Int(number) => Ok(number),
        Value::Bytes(bytes) => parse_i64(bytes).ok_or(CommandError::NotInteger),
        Value::Object(_) => Err(CommandError::NotInteger),
    }
}

/// The float that a string is; 0 if it is not there.
fn float_of(entry: Option<EntryRef<'_>>) -> Result<LongDouble, CommandError> {
    match entry {
        None => Ok(LongDouble::from_i64(0)),
        Some(entry) => LongDouble::parse(&types::string::bytes(entry)).ok_or(CommandError::NotFloat),
    }
}

fn incr(cx: &mut DataContext<'_>) -> CommandResult {
    add_integer(cx, 1)
}

fn decr(cx: &mut DataContext<'_>) -> CommandResult {
    add_integer(cx, -1)
}

fn incrby(cx: &mut DataContext<'_>) -> CommandResult {
    let by = parse_integer(cx.argv[2])?;
    add_integer(cx, by)
}

fn decrby(cx: &mut DataContext<'_>) -> CommandResult {
    let by = parse_integer(cx.argv[2])?;
    let by = by.checked_neg().ok_or(CommandError::err("decrement would overflow"))?;
    add_integer(cx, by)
}

#[inline]
fn add_integer(cx: &mut DataContext<'_>, by: i64) -> CommandResult {
    let key = cx.argv[1];
    let new = match string_mut(cx.db.lookup_write(key))? {
        None => {
            cx.db.add(key, Type::String, NewValue::Int(by), None);
            by
        }
        Some(mut entry) => {
            let new = integer_of(entry.read())?.checked_add(by).ok_or(CommandError::IncrOverflow)?;
            put_integer(&mut entry, new);
            new
        }
    };
    cx.db.modified(key);
    cx.db.notify(Notify::STRING, "incrby", key);
    cx.reply.int(new);
    Ok(Outcome::Done)
}

/// Makes a string this integer, in place if it is one already.
#[inline]
fn put_integer(entry: &mut EntryMut<'_>, number: i64) {
    if entry.encoding() == Encoding::Int {
        entry.set_int(number);
    } else {
        entry.set_value(Type::String, NewValue::Int(number));
    }
}

fn incrbyfloat(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let old = float_of(string_of(cx.db.lookup_write(key).map(EntryMut::into_ref))?)?;
    let by = LongDouble::parse(cx.argv[2]).ok_or(CommandError::NotFloat)?;
    let new = old.add(by);
    if !new.is_finite() {
        return Err(CommandError::err("increment would produce NaN or Infinity"));
    }
    let text = new.format();
    put_text(cx, key, text.as_bytes());
    cx.db.modified(key);
    cx.db.notify(Notify::STRING, "incrbyfloat", key);
    // Decimal fractions differ between machines: others are told the result.
    cx.propagate_as(&[b"SET", key, text.as_bytes(), b"KEEPTTL"]);
    cx.reply.bulk(text.as_bytes());
    Ok(Outcome::Done)
}

/// Stores the text of a float. It stays text even if it reads as an integer.
fn put_text(cx: &mut DataContext<'_>, key: &[u8], text: &[u8]) {
    let value = NewValue::Bytes(Encoding::Inline, text);
    match cx.db.lookup_write(key) {
        Some(mut entry) => {
            entry.set_value(Type::String, value);
        }
        None => {
            cx.db.add(key, Type::String, value, None);
        }
    }
}

/// The arguments of INCREX, not yet taken for numbers.
#[derive(Default)]
struct Increx<'a> {
    by: Option<&'a [u8]>,
    is_float: bool,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturate: bool,
    expiration: Option<Expiration<'a>>,
    persist: bool,
    only_without_expiry: bool,
}

impl<'a> Increx<'a> {
    fn parse(argv: &'a [&'a [u8]]) -> Result<Increx<'a>, CommandError> {
        let mut options = Increx::default();
        let mut args = Args::new(argv, 2);
        while args.left() > 0 {
            let has_operand = args.left() > 1;
            if has_operand && options.by.is_none() && args.take_word("BYINT") {
                options.by = args.next();
            } else if has_operand && options.by.is_none() && args.take_word("BYFLOAT") {
                (options.by, options.is_float) = (args.next(), true);
            } else if has_operand && options.lower.is_none() && args.take_word("LBOUND") {
                options.lower = args.next();
            } else if has_operand && options.upper.is_none() && args.take_word("UBOUND") {
                options.upper = args.next();
            } else if !options.saturate && args.take_word("SATURATE") {
                options.saturate = true;
            } else if !options.only_without_expiry && !options.persist && args.take_word("ENX") {
                options.only_without_expiry = true;
            } else if options.expiration.is_none()
                && !options.persist
                && !options.only_without_expiry
                && args.take_word("PERSIST")
            {
                options.persist = true;
            } else if options.expiration.is_none()
                && !options.persist
                && let Some(expiration) = Expiration::take(&mut args)
            {
                options.expiration = Some(expiration);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if options.only_without_expiry && options.expiration.is_none() {
            return Err(CommandError::err("ENX flag requires an expiration"));
        }
        Ok(options)
    }
}

/// What INCREX makes of a number.
enum Sum<N> {
    /// The new number, and by how much it differs.
    New(N, N),
    /// It would lie out of bounds.
    Outside,
}

/// A number in the reply and as it is stored.
enum Number {
    Int(i64),
    Float(String),
}

fn increx(cx: &mut DataContext<'_>) -> CommandResult {
    let options = Increx::parse(cx.argv)?;
    if options.is_float { increx_float(cx, &options) } else { increx_integer(cx, &options) }
}

fn increx_integer(cx: &mut DataContext<'_>, options: &Increx<'_>) -> CommandResult {
    let parse = |text: Option<&[u8]>, what: &'static str, default: i64| match text {
        None => Ok(default),
        Some(text) => {
            parse_i64(text).ok_or_else(|| CommandError::err(format!("{what} is not an integer or out of range")))
        }
    };
    let by = parse(options.by, "Increment", 1)?;
    let lower = parse(options.lower, "LBOUND", i64::MIN)?;
    let upper = parse(options.upper, "UBOUND", i64::MAX)?;
    if lower > upper {
        return Err(bounds_crossed());
    }
    let at = options.expiration.map(|expiration| expiration.at(cx.now, "increx")).transpose()?;
    let old = match string_of(cx.db.lookup_write(cx.argv[1]).map(EntryMut::into_ref))? {
        None => 0,
        Some(entry) => integer_of(entry)?,
    };
    let sum = old.checked_add(by).filter(|new| (lower..=upper).contains(new));
    let sum = match sum {
        Some(new) => Sum::New(new, by),
        None if options.saturate => {
            let new = old.saturating_add(by).clamp(lower, upper);
            let applied = new.checked_sub(old).ok_or(CommandError::err("applied increment would overflow"))?;
            Sum::New(new, applied)
        }
        None => Sum::Outside,
    };
    finish_increx(
        cx,
        options,
        at,
        match sum {
            Sum::New(new, by) => Sum::New(Number::Int(new), Number::Int(by)),
            Sum::Outside => Sum::Outside,
        },
        &Number::Int(old),
    )
}

fn increx_float(cx: &mut DataContext<'_>, options: &Increx<'_>) -> CommandResult {
    let parse = |text: Option<&[u8]>, what: &'static str| {
        let parse_one =
            |text| LongDouble::parse(text).ok_or_else(|| CommandError::err(format!("{what} is not a valid float")));
        text.map(parse_one).transpose()
    };
    let by = parse(options.by, "Increment")?.unwrap_or(LongDouble::from_i64(1));
    if !by.is_finite() {
        return Err(CommandError::err("BYFLOAT increment cannot be Infinity"));
    }
    let (lower, upper) = (parse(options.lower, "LBOUND")?, parse(options.upper, "UBOUND")?);
    if let (Some(lower), Some(upper)) = (lower, upper)
        && upper.is_less(lower)
    {
        return Err(bounds_crossed());
    }
    let at = options.expiration.map(|expiration| expiration.at(cx.now, "increx")).transpose()?;
    let old = float_of(string_of(cx.db.lookup_write(cx.argv[1]).map(EntryMut::into_ref))?)?;
    let new = old.add(by);
    let bound = match (lower, upper) {
        (Some(lower), _) if new.is_less(lower) => Some(lower),
        (_, Some(upper)) if upper.is_less(new) => Some(upper),
        _ => None,
    };
    // What is said to be added is what the sum, rounded, differs by.
    let text = |number: LongDouble| Number::Float(number.format());
    let sum = match bound {
        None if new.is_finite() => Sum::New(text(new), text(new.add(old.negated()))),
        Some(bound) if options.saturate && bound.is_finite() => Sum::New(text(bound), text(bound.add(old.negated()))),
        _ => Sum::Outside,
    };
    finish_increx(cx, options, at, sum, &text(old))
}

fn bounds_crossed() -> CommandError {
    CommandError::err("LBOUND can't be greater than UBOUND")
}

fn finish_increx(
    cx: &mut DataContext<'_>,
    options: &Increx<'_>,
    at: Option<i64>,
    sum: Sum<Number>,
    old: &Number,
) -> CommandResult {
    let key = cx.argv[1];
    cx.reply.array(2);
    let (new, by) = match &sum {
        Sum::New(new, by) => (new, by),
        Sum::Outside => {
            reply_number(cx, old);
            match old {
                Number::Int(_) => cx.reply.int(0),
                Number::Float(_) => cx.reply.double_text(b"0"),
            }
            return Ok(Outcome::Done);
        }
    };
    reply_number(cx, new);
    reply_number(cx, by);
    if at.is_some_and(|at| cx.has_passed(at)) {
        let had = cx.db.delete(key);
        if had {
            cx.db.modified(key);
            cx.db.notify(Notify::GENERIC, "del", key);
            cx.propagate_as(&[b"DEL", key]);
        }
        return Ok(Outcome::Done);
    }
    let mut digits = itoa::Buffer::new();
    let (text, event) = match new {
        Number::Int(number) => {
            match cx.db.lookup_write(key) {
                Some(mut entry) => put_integer(&mut entry, *number),
                None => cx.db.set_value(key, Type::String, NewValue::Int(*number), KeepTtl::Clear),
            }
            (digits.format(*number), "incrby")
        }
        Number::Float(text) => {
            put_text(cx, key, text.as_bytes());
            (text.as_str(), "incrbyfloat")
        }
    };
    let had_expiry = cx.db.view(key).is_some_and(|entry| entry.expire_at().is_some());
    cx.db.modified(key);
    cx.db.notify(Notify::STRING, event, key);
    match at {
        Some(at) if !(options.only_without_expiry && had_expiry) => {
            cx.db.set_expire(key, Some(at));
            cx.db.notify(Notify::GENERIC, "expire", key);
            let at = at.to_string();
            cx.propagate_as(&[b"SET", key, text.as_bytes(), b"PXAT", at.as_bytes()]);
        }
        None if options.persist => {
            if had_expiry {
                cx.db.set_expire(key, None);
                cx.db.notify(Notify::GENERIC, "persist", key);
            }
            cx.propagate_as(&[b"SET", key, text.as_bytes()]);
        }
        _ => cx.propagate_as(&[b"SET", key, text.as_bytes(), b"KEEPTTL"]),
    }
    Ok(Outcome::Done)
}

fn reply_number(cx: &mut DataContext<'_>, number: &Number) {
    match number {
        Number::Int(number) => cx.reply.int(*number),
        Number::Float(text) => cx.reply.double_text(text.as_bytes()),
    }
}
