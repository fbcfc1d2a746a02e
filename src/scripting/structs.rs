//! `struct`: numbers and strings as bytes of a fixed layout, as in C.

use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

use super::bounds::Bounds;
use super::raise::{bad_argument, expected, fail, integer_arg, number_arg, string_arg};

/// Bytes of an integer, at most.
const INTEGER_MAX: usize = 32;
/// Bytes to which `!` aligns by itself.
const ALIGN: usize = 8;
/// Values that `unpack` returns at most.
const RESULTS_MAX: usize = 7900;

/// The table `struct`.
///
/// # Errors
/// If there is no memory for it.
pub fn library(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(unpack)?)?;
    table.raw_set("size", lua.create_function(size)?)?;
    Ok(table)
}

/// A walk through a format.
struct Format<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
    is_big_endian: bool,
    align: usize,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, text: &'a [u8]) -> Format<'a> {
        Format { lua, text, at: 0, is_big_endian: false, align: 1 }
    }

    /// The next option, with the size of what it stands for.
    fn next(&mut self) -> Result<Option<(u8, usize)>> {
        let Some(&option) = self.text.get(self.at) else { return Ok(None) };
        self.at += 1;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > INTEGER_MAX {
                    return fail(self.lua, format!("integral size {size} is larger than limit of {INTEGER_MAX}"));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((option, size)))
    }

    /// The number that follows an option.
    fn number(&mut self, or: usize) -> Result<usize> {
        let digits = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(or);
        }
        let number = self.text[self.at..self.at + digits]
            .iter()
            .try_fold(0i32, |number, digit| number.checked_mul(10)?.checked_add(i32::from(digit - b'0')));
        self.at += digits;
        match number {
            Some(number) => Ok(number as usize),
            None => fail(self.lua, "integral size overflow"),
        }
    }

    /// An option that stands for nothing but says how what follows is laid out.
    fn control(&mut self, option: u8) -> Result<()> {
        match option {
            b' ' => {}
            b'>' => self.is_big_endian = true,
            b'<' => self.is_big_endian = false,
            b'!' => {
                let align = self.number(ALIGN)?;
                if !align.is_power_of_two() {
                    return fail(self.lua, format!("alignment {align} is not a power of 2"));
                }
                self.align = align;
            }
            other => {
                return bad_argument(self.lua, 1, [b"invalid format option '".as_slice(), &[other], b"'"].concat());
            }
        }
        Ok(())
    }

    /// Bytes to skip before something of this size.
    fn padding(&self, position: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        size.wrapping_sub(position & (size - 1)) & (size - 1)
    }

    fn put(&self, out: &mut Vec<u8>, little: &[u8]) {
        if self.is_big_endian {
            out.extend(little.iter().rev());
        } else {
            out.extend_from_slice(little);
        }
    }
}

fn pack(lua: &Lua, args: MultiValue) -> Result<LuaString> {
    let text = string_arg(lua, &args, 0)?;
    let text = text.as_bytes();
    let mut format = Format::new(lua, &text);
    let mut out = Vec::new();
    let mut bounds = Bounds::new(lua);
    let mut arg = 1;
    // What is missing is nil here.
    let is_there = |arg: usize, kind: &str| match args.get(arg) {
        None => expected(lua, arg + 1, kind, Some(&Value::Nil)),
        Some(_) => Ok(()),
    };
    let number = |arg: usize| is_there(arg, "number").and_then(|()| number_arg(lua, &args, arg));
    while let Some((option, size)) = format.next()? {
        let padding = format.padding(out.len(), option, size);
        bounds.step_of(out.len() + padding + size)?;
        out.resize(out.len() + padding, 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let mut bytes = [0; INTEGER_MAX];
                bytes[..8].copy_from_slice(&bits_of(number(arg)?).to_le_bytes());
                format.put(&mut out, &bytes[..size]);
                arg += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                format.put(&mut out, &(number(arg)? as f32).to_le_bytes());
                arg += 1;
            }
            b'd' => {
                format.put(&mut out, &number(arg)?.to_le_bytes());
                arg += 1;
            }
            b'c' | b's' => {
                is_there(arg, "string")?;
                let string = string_arg(lua, &args, arg)?;
                arg += 1;
                let string = string.as_bytes();
                let size = if size == 0 { string.len() } else { size };
                let Some(part) = string.get(..size) else { return bad_argument(lua, arg + 1, "string too short") };
                bounds.step_of(out.len() + part.len())?;
                out.extend_from_slice(part);
                if option == b's' {
                    out.push(0);
                }
            }
            control => format.control(control)?,
        }
    }
    lua.create_string(out)
}

/// A number as 64 bits, cut off towards zero.
fn bits_of(number: f64) -> u64 {
    match number {
        _ if number.is_nan() => 1 << 63,
        _ if number < -9_223_372_036_854_775_808.0 => 1 << 63,
        _ if number < 0.0 => (number as i64) as u64,
        _ if number < 18_446_744_073_709_551_616.0 => number as u64,
        _ => 0,
    }
}

fn unpack(lua: &Lua, args: MultiValue) -> Result<MultiValue> {
    let (text, data) = (string_arg(lua, &args, 0)?, string_arg(lua, &args, 1)?);
    let (text, data) = (text.as_bytes(), data.as_bytes());
    let start = match args.get(2) {
        None | Some(Value::Nil) => 1,
        Some(_) => integer_arg(lua, &args, 2)?,
    };
    if start == 0 {
        return bad_argument(lua, 3, "offset must be 1 or greater");
    }
    let mut at = usize::try_from(start - 1).unwrap_or(usize::MAX);
    let mut format = Format::new(lua, &text);
    let mut results: Vec<Value> = Vec::new();
    let too_short = |lua: &Lua| bad_argument(lua, 2, "data string too short");
    while let Some((option, size)) = format.next()? {
        at = at.saturating_add(format.padding(at, option, size));
        let part = at.checked_add(size).and_then(|end| data.get(at..end));
        let Some(part) = part else { return too_short(lua) };
        if results.len() >= RESULTS_MAX {
            return fail(lua, "too many results");
        }
        at += size;
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = integer(part, format.is_big_endian, option.is_ascii_lowercase());
                results.push(Value::Number(number));
            }
            b'x' => {}
            b'f' => results.push(Value::Number(f64::from(f32::from_le_bytes(ordered(part, format.is_big_endian))))),
            b'd' => results.push(Value::Number(f64::from_le_bytes(ordered(part, format.is_big_endian)))),
            b'c' if size == 0 => {
                let Some(previous) = results.pop() else { return fail(lua, "format 'c0' needs a previous size") };
                let Some(len) = lua.coerce_number(previous)? else {
                    return fail(lua, "format 'c0' needs a previous size");
                };
                let end = if len > -1.0 { at.checked_add(len as usize) } else { None };
                let Some(part) = end.and_then(|end| data.get(at..end)) else { return too_short(lua) };
                at += part.len();
                results.push(Value::String(lua.create_string(part)?));
            }
            b'c' => results.push(Value::String(lua.create_string(part)?)),
            b's' => {
                let rest = data.get(at..).unwrap_or_default();
                let Some(len) = memchr::memchr(0, rest) else { return fail(lua, "unfinished string in data") };
                results.push(Value::String(lua.create_string(&rest[..len])?));
                at += len + 1;
            }
            control => format.control(control)?,
        }
    }
    results.push(Value::Number(at.saturating_add(1) as f64));
    Ok(results.into_iter().collect())
}

/// These bytes, the least significant first.
fn ordered<const N: usize>(part: &[u8], is_big_endian: bool) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
    if is_big_endian {
        bytes.reverse();
    }
    bytes
}

fn integer(part: &[u8], is_big_endian: bool, is_signed: bool) -> f64 {
    let mut little = [0; 8];
    if is_big_endian {
        little.iter_mut().zip(part.iter().rev()).for_each(|(to, from)| *to = *from);
    } else {
        little.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
    }
    let bits = u64::from_le_bytes(little);
    if !is_signed {
        return bits as f64;
    }
    let unused = 64 - 8 * part.len().clamp(1, 8) as u32;
    (((bits << unused) as i64) >> unused) as f64
}

fn size(lua: &Lua, args: MultiValue) -> Result<f64> {
    let text = string_arg(lua, &args, 0)?;
    let text = text.as_bytes();
    let mut format = Format::new(lua, &text);
    let mut total = 0usize;
    while let Some((option, size)) = format.next()? {
        total = total.saturating_add(format.padding(total, option, size)).saturating_add(size);
        match option {
            b's' => return bad_argument(lua, 1, "option 's' has no fixed size"),
            b'c' if size == 0 => return bad_argument(lua, 1, "option 'c0' has no fixed size"),
            letter if letter.is_ascii_alphanumeric() => {}
            control => format.control(control)?,
        }
    }
    Ok(total as f64)
}
