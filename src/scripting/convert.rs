//! Replies as Lua values, and Lua values as replies.

use mlua::{Error, Lua, Result, Table, Value};

use crate::base::number::{format_shortest, parse_f64, parse_i64};
use crate::resp::{Output, Proto, Reply};

use super::bounds::{self, Bounds};
use super::engine::End;
use super::raise::{Raised, error_table};

/// Tables within tables that a reply may have.
const DEPTH_MAX: usize = 7900;
/// Whole numbers up to here are written with all their digits.
const INTEGER_MAX: f64 = 4_611_686_018_427_387_904.0;
/// Arrays within arrays that the reply to a command may have.
const REPLY_DEPTH_MAX: usize = 1000;

/// The value that a command's reply is for a script. An error is raised, or else is a value too.
pub(super) fn from_reply(lua: &Lua, reply: &[u8], raises: bool) -> Result<Value> {
    if let Some(line) = reply.strip_prefix(b"-")
        && raises
    {
        let err = line.strip_suffix(b"\r\n").unwrap_or(line).to_vec();
        return Err(Error::external(Raised::Table { err, is_counted: true }));
    }
    let value = Reader { lua, rest: reply }.value(0)?;
    bounds::made(lua, reply.len())?;
    Ok(value)
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> &'a [u8] {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        line
    }

    fn bulk(&mut self, len: usize) -> &'a [u8] {
        let bytes = &self.rest[..len.min(self.rest.len())];
        self.rest = self.rest.get(len + 2..).unwrap_or_default();
        bytes
    }

    fn string(&self, bytes: &[u8]) -> Result<Value> {
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    /// `{name = value}`.
    fn named(&self, name: &str, value: Value) -> Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        let Some(&kind) = self.rest.first() else { return Ok(Value::Nil) };
        if depth > REPLY_DEPTH_MAX {
            self.rest = &[];
            return Ok(Value::Nil);
        }
        self.rest = &self.rest[1..];
        let line = self.line();
        let count = parse_i64(line).and_then(|count| usize::try_from(count).ok());
        // An element takes a byte at least.
        let count_max = self.rest.len();
        match (kind, count) {
            (b'+', _) => self.named("ok", self.string(line)?),
            (b'-', _) => Ok(Value::Table(error_table(self.lua, line, true)?)),
            (b':', _) => Ok(Value::Number(parse_i64(line).unwrap_or_default() as f64)),
            (b'$', Some(len)) => {
                let bytes = self.bulk(len);
                self.string(bytes)
            }
            (b'$' | b'*', None) => Ok(Value::Boolean(false)),
            (b'*' | b'>', Some(count)) => {
                let table = self.lua.create_table_with_capacity(count.min(count_max), 0)?;
                for index in 1..=count.min(count_max) {
                    let value = self.value(depth + 1)?;
                    table.raw_set(index, value)?;
                }
                Ok(Value::Table(table))
            }
            (b'%', Some(count)) => {
                let table = self.lua.create_table()?;
                for _ in 0..count.min(count_max) {
                    let (key, value) = (self.value(depth + 1)?, self.value(depth + 1)?);
                    if key != Value::Nil {
                        table.raw_set(key, value)?;
                    }
                }
                self.named("map", Value::Table(table))
            }
            (b'~', Some(count)) => {
                let table = self.lua.create_table()?;
                for _ in 0..count.min(count_max) {
                    let member = self.value(depth + 1)?;
                    if member != Value::Nil {
                        table.raw_set(member, true)?;
                    }
                }
                self.named("set", Value::Table(table))
            }
            (b'|', Some(count)) => {
                // What a reply tells beside itself is no value.
                for _ in 0..count.saturating_mul(2).min(count_max) {
                    self.value(depth + 1)?;
                }
                self.value(depth + 1)
            }
            (b',', _) => {
                let number = parse_f64(line).unwrap_or(f64::NAN);
                self.named("double", Value::Number(number))
            }
            (b'#', _) => Ok(Value::Boolean(line == b"t")),
            (b'(', _) => self.named("big_number", self.string(line)?),
            (b'=', Some(len)) => {
                let bytes = self.bulk(len);
                let (format, text) = bytes.split_at(bytes.len().min(4));
                let table = self.lua.create_table_with_capacity(0, 2)?;
                table.raw_set("format", self.string(format.get(..3).unwrap_or_default())?)?;
                table.raw_set("string", self.string(text)?)?;
                self.named("verbatim_string", Value::Table(table))
            }
            _ => Ok(Value::Nil),
        }
    }
}

/// A number as a script's integer: cut off towards zero; what does not fit is the least.
pub(super) fn whole(number: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) { number as i64 } else { i64::MIN }
}

/// A number as the argument of a command.
pub(super) fn number_text(number: f64) -> Vec<u8> {
    if number.abs() <= INTEGER_MAX && whole(number) as f64 == number {
        return whole(number).to_string().into_bytes();
    }
    if number.is_nan() {
        return if number.is_sign_negative() { b"-nan".to_vec() } else { b"nan".to_vec() };
    }
    format_shortest(number).into_bytes()
}

/// A number as a reply of its own kind.
fn double_text(number: f64) -> Vec<u8> {
    match number {
        _ if number.is_nan() => b"nan".to_vec(),
        _ if number == 0.0 && number.is_sign_negative() => b"-0".to_vec(),
        _ => number_text(number),
    }
}

/// What a script returned, for a client of this protocol. `is_resp3`: the script spoke the newer one.
pub(super) fn to_reply(lua: &Lua, value: &Value, proto: Proto, is_resp3: bool) -> End {
    if let Value::Table(table) = value
        && let Ok(Value::String(err)) = table.raw_get::<Value>("err")
    {
        let is_counted = table.raw_get::<Value>("ignore_error_stats_update").is_ok_and(|set| set != Value::Nil);
        return End::Failed { line: error_line(&err.as_bytes()), is_counted };
    }
    let mut out = Output::default();
    let mut writer = Writer { reply: Reply::new(&mut out, proto), is_resp3, bounds: Bounds::new(lua) };
    let written = writer.write(value, 0);
    drop(writer);
    match written {
        Ok(()) => End::Reply(out.to_vec()),
        Err(_) => End::Failed { line: b"ERR The reply of the script is too long".to_vec(), is_counted: false },
    }
}

/// A text as C takes it, up to its first zero byte.
pub(super) fn up_to_nul(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }).collect()
}

/// An error loses the line ends at its end.
fn error_line(text: &[u8]) -> Vec<u8> {
    let text = up_to_nul(text);
    let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    one_line(&text[..end])
}

/// Writes a value as a reply, within bounds: a table may hold itself, or another one many times.
struct Writer<'a> {
    reply: Reply<'a>,
    is_resp3: bool,
    bounds: Bounds<'a>,
}

impl Writer<'_> {
    fn write(&mut self, value: &Value, depth: usize) -> Result<()> {
        let reply = &mut self.reply;
        self.bounds.step_of(reply.len())?;
        match value {
            Value::String(text) => reply.bulk(&text.as_bytes()),
            Value::Integer(number) => reply.int(*number),
            Value::Number(number) => reply.int(whole(*number)),
            Value::Boolean(flag) if self.is_resp3 => reply.bool(*flag),
            Value::Boolean(true) => reply.int(1),
            Value::Table(_) if depth >= DEPTH_MAX => reply.error("ERR reached lua stack limit"),
            Value::Table(table) => self.table(table, depth)?,
            _ => reply.null(),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<()> {
        let field = |name: &str| table.raw_get::<Value>(name).unwrap_or(Value::Nil);
        if let Value::String(err) = field("err") {
            self.reply.raw(&[b"-", error_line(&err.as_bytes()).as_slice(), b"\r\n"].concat());
            return Ok(());
        }
        if let Value::String(ok) = field("ok") {
            self.reply.raw(&[b"+", one_line(up_to_nul(&ok.as_bytes())).as_slice(), b"\r\n"].concat());
            return Ok(());
        }
        match field("double") {
            Value::Integer(number) => {
                self.reply.double_text(&double_text(number as f64));
                return Ok(());
            }
            Value::Number(number) => {
                self.reply.double_text(&double_text(number));
                return Ok(());
            }
            _ => {}
        }
        if let Value::Table(map) = field("map") {
            let (mark, mut count) = (self.reply.mark(), 0);
            for (key, value) in map.pairs::<Value, Value>().flatten() {
                self.write(&key, depth + 1)?;
                self.write(&value, depth + 1)?;
                count += 1;
            }
            self.reply.map_at(mark, count);
            return Ok(());
        }
        if let Value::Table(set) = field("set") {
            let (mark, mut count) = (self.reply.mark(), 0);
            for (member, _) in set.pairs::<Value, Value>().flatten() {
                self.write(&member, depth + 1)?;
                count += 1;
            }
            self.reply.set_at(mark, count);
            return Ok(());
        }
        if let Value::String(digits) = field("big_number") {
            self.reply.big_number(&one_line(&digits.as_bytes()));
            return Ok(());
        }
        if let Value::Table(verbatim) = field("verbatim_string") {
            let part = |name: &str| verbatim.raw_get::<Value>(name).unwrap_or(Value::Nil);
            if let (Value::String(format), Value::String(text)) = (part("format"), part("string")) {
                let format = format.as_bytes();
                let format = up_to_nul(&format);
                let mut kind = [b' '; 3];
                kind.iter_mut().zip(format.iter()).for_each(|(to, from)| *to = *from);
                self.reply.verbatim(&kind, &text.as_bytes());
                return Ok(());
            }
        }
        // The elements up to the first that is not there.
        let mark = self.reply.mark();
        let mut count = 0;
        for index in 1.. {
            match table.raw_get::<Value>(index) {
                Ok(Value::Nil) | Err(_) => break,
                Ok(value) => self.write(&value, depth + 1)?,
            }
            count = index;
        }
        self.reply.array_at(mark, usize::try_from(count).unwrap_or_default());
        Ok(())
    }
}
