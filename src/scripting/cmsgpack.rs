//! `cmsgpack`: values as MessagePack. <https://github.com/msgpack/msgpack/blob/master/spec.md>, without binary and extended types.

use mlua::{Error, Lua, LuaString, MultiValue, Result, Table, Value};

use super::bounds::Bounds;
use super::raise::{Raised, bad_argument, fail, integer_arg, optional_integer, string_arg};

/// Tables within tables that are packed; what lies deeper is nil.
const NESTING_MAX: usize = 16;
/// Arrays and maps within one another that are unpacked.
const DEPTH_MAX: usize = 3900;
/// Values that are unpacked at once, at most.
const RESULTS_MAX: usize = 7900;

/// The table `cmsgpack`.
///
/// # Errors
/// If there is no memory for it.
pub fn library(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(|lua, args: MultiValue| unpack(lua, &args, 0, 0))?)?;
    table.raw_set(
        "unpack_one",
        lua.create_function(|lua, args: MultiValue| {
            let offset = optional_integer(lua, &args, 1, 0)?;
            unpack(lua, &args, 1, offset)
        })?,
    )?;
    table.raw_set(
        "unpack_limit",
        lua.create_function(|lua, args: MultiValue| {
            let limit = integer_arg(lua, &args, 1)?;
            let offset = optional_integer(lua, &args, 2, 0)?;
            unpack(lua, &args, limit, offset)
        })?,
    )?;
    Ok(table)
}

fn pack(lua: &Lua, args: MultiValue) -> Result<LuaString> {
    if args.is_empty() {
        return bad_argument(lua, 0, "MessagePack pack needs input.");
    }
    let mut out = Vec::new();
    let mut bounds = Bounds::new(lua);
    for arg in &args {
        write(&mut out, arg, 0, &mut bounds)?;
    }
    lua.create_string(out)
}

fn write(out: &mut Vec<u8>, value: &Value, depth: usize, bounds: &mut Bounds<'_>) -> Result<()> {
    bounds.step_of(out.len())?;
    match value {
        Value::String(text) => write_string(out, &text.as_bytes()),
        Value::Boolean(flag) => out.push(if *flag { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => write_integer(out, *number),
        Value::Number(number) => write_number(out, *number),
        Value::Table(table) if depth < NESTING_MAX => write_table(out, table, depth, bounds)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        len @ 0..32 => out.push(0xa0 | len as u8),
        len @ 32..256 => out.extend_from_slice(&[0xd9, len as u8]),
        len @ 256..65536 => {
            out.push(0xda);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0xdb);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

fn write_integer(out: &mut Vec<u8>, number: i64) {
    let (kind, bytes): (u8, usize) = match number {
        -32..=127 => return out.push(number as u8),
        0x80..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        0x1_0000_0000.. => (0xcf, 8),
        -128..=-33 => (0xd0, 1),
        -32_768..=-129 => (0xd1, 2),
        -2_147_483_648..=-32_769 => (0xd2, 4),
        ..=-2_147_483_649 => (0xd3, 8),
    };
    out.push(kind);
    out.extend_from_slice(&number.to_be_bytes()[8 - bytes..]);
}

fn write_number(out: &mut Vec<u8>, number: f64) {
    let is_whole =
        (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) && number.trunc() == number;
    if is_whole {
        return write_integer(out, number as i64);
    }
    let short = number as f32;
    if f64::from(short) == number {
        out.push(0xca);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn write_table(out: &mut Vec<u8>, table: &Table, depth: usize, bounds: &mut Bounds<'_>) -> Result<()> {
    let (mut count, mut last, mut is_array) = (0usize, 0, true);
    for pair in table.pairs::<Value, Value>() {
        count += 1;
        match pair?.0 {
            Value::Integer(index) if index > 0 => last = last.max(index),
            _ => is_array = false,
        }
    }
    if is_array && last == count as i64 {
        write_header(out, count, [0x90, 0xdc, 0xdd]);
        for index in 1..=count {
            write(out, &table.raw_get::<Value>(index)?, depth + 1, bounds)?;
        }
        return Ok(());
    }
    write_header(out, count, [0x80, 0xde, 0xdf]);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        write(out, &key, depth + 1, bounds)?;
        write(out, &value, depth + 1, bounds)?;
    }
    Ok(())
}

fn write_header(out: &mut Vec<u8>, count: usize, kinds: [u8; 3]) {
    match count {
        0..16 => out.push(kinds[0] | count as u8),
        16..65536 => {
            out.push(kinds[1]);
            out.extend_from_slice(&(count as u16).to_be_bytes());
        }
        _ => {
            out.push(kinds[2]);
            out.extend_from_slice(&(count as u32).to_be_bytes());
        }
    }
}

/// Unpacks so many values from here on, and tells where the next is; without both it unpacks all.
fn unpack(lua: &Lua, args: &MultiValue, limit: i64, offset: i64) -> Result<MultiValue> {
    let is_all = limit == 0 && offset == 0;
    let data = string_arg(lua, args, 0)?;
    let data = data.as_bytes();
    let start = match usize::try_from(offset) {
        Ok(start) if limit >= 0 => start,
        _ => {
            let len = data.len();
            return fail(lua, format!("Invalid request to unpack with offset of {offset} and limit of {len}."));
        }
    };
    let Some(rest) = data.get(start..) else {
        return fail(lua, format!("Start offset {start} greater than input length {}.", data.len()));
    };
    let mut reader = Reader { lua, rest, bounds: Bounds::new(lua) };
    let mut values = Vec::new();
    while !reader.rest.is_empty() && (is_all || (values.len() as i64) < limit) {
        if values.len() >= RESULTS_MAX {
            return fail(lua, "stack overflow (in function mp_unpack)");
        }
        values.push(reader.value(0)?);
    }
    let next = if reader.rest.is_empty() { -1 } else { (data.len() - reader.rest.len()) as i64 };
    Ok((!is_all).then_some(Value::Integer(next)).into_iter().chain(values).collect())
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    bounds: Bounds<'a>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return fail(self.lua, "Missing bytes in input.");
        };
        self.rest = rest;
        Ok(taken)
    }

    fn unsigned(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn signed(&mut self, bytes: usize) -> Result<i64> {
        let unused = 64 - 8 * bytes as u32;
        Ok(((self.unsigned(bytes)? << unused) as i64) >> unused)
    }

    fn string(&mut self, len: u64) -> Result<Value> {
        let bytes = self.take(usize::try_from(len).unwrap_or(usize::MAX))?;
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        self.bounds.step()?;
        let kind = self.unsigned(1)? as u8;
        Ok(match kind {
            0x00..=0x7f => Value::Integer(i64::from(kind)),
            0xe0..=0xff => Value::Integer(i64::from(kind as i8)),
            0xc0 => Value::Nil,
            0xc2 | 0xc3 => Value::Boolean(kind == 0xc3),
            0xcc..=0xce => Value::Number(self.unsigned(1 << (kind - 0xcc))? as f64),
            // What has the highest bit is negative here.
            0xcf => Value::Number(self.signed(8)? as f64),
            0xd0..=0xd3 => Value::Number(self.signed(1 << (kind - 0xd0))? as f64),
            0xca => Value::Number(f64::from(f32::from_bits(self.unsigned(4)? as u32))),
            0xcb => Value::Number(f64::from_bits(self.unsigned(8)?)),
            0xa0..=0xbf => self.string(u64::from(kind & 31))?,
            0xd9..=0xdb => {
                let len = self.unsigned(1 << (kind - 0xd9))?;
                self.string(len)?
            }
            0x90..=0x9f => self.array(u64::from(kind & 15), depth)?,
            0x80..=0x8f => self.map(u64::from(kind & 15), depth)?,
            0xdc | 0xdd => {
                let count = self.unsigned(2 << (kind - 0xdc))?;
                self.array(count, depth)?
            }
            0xde | 0xdf => {
                let count = self.unsigned(2 << (kind - 0xde))?;
                self.map(count, depth)?
            }
            _ => return fail(self.lua, "Bad data format in input."),
        })
    }

    fn array(&mut self, count: u64, depth: usize) -> Result<Value> {
        if depth > DEPTH_MAX {
            return fail(self.lua, "stack overflow (in function mp_decode_to_lua_array)");
        }
        let table = self.lua.create_table()?;
        for index in 1..=count {
            let value = self.value(depth + 1)?;
            table.raw_set(index, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, count: u64, depth: usize) -> Result<Value> {
        if depth > DEPTH_MAX {
            return fail(self.lua, "stack overflow (in function mp_decode_to_lua_hash)");
        }
        let table = self.lua.create_table()?;
        for _ in 0..count {
            let (key, value) = (self.value(depth + 1)?, self.value(depth + 1)?);
            let bad = match key {
                Value::Nil => Some("table index is nil"),
                Value::Number(number) if number.is_nan() => Some("table index is NaN"),
                _ => None,
            };
            if let Some(bad) = bad {
                return Err(Error::external(Raised::Text(bad.into())));
            }
            table.raw_set(key, value)?;
        }
        Ok(Value::Table(table))
    }
}
