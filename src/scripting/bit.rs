//! `bit`: operations on numbers taken as 32 bits.

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::raise::{expected, number_arg, optional_integer};

type Unary = fn(u32) -> u32;
type Binary = fn(u32, u32) -> u32;

/// The table `bit`.
///
/// # Errors
/// If there is no memory for it.
pub fn library(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let one: [(&str, Unary); 3] = [("tobit", |x| x), ("bnot", |x| !x), ("bswap", u32::swap_bytes)];
    for (name, f) in one {
        table.raw_set(
            name,
            lua.create_function(move |lua, args: MultiValue| Ok(signed(f(bits_arg(lua, &args, 0)?))))?,
        )?;
    }
    let many: [(&str, Binary); 3] = [("band", |x, y| x & y), ("bor", |x, y| x | y), ("bxor", |x, y| x ^ y)];
    for (name, f) in many {
        let all = move |lua: &Lua, args: MultiValue| {
            let mut result = bits_arg(lua, &args, 0)?;
            // From the last on: that decides which bad one is told.
            for index in (1..args.len()).rev() {
                result = f(result, bits_arg(lua, &args, index)?);
            }
            Ok(signed(result))
        };
        table.raw_set(name, lua.create_function(all)?)?;
    }
    let shifts: [(&str, Binary); 5] = [
        ("lshift", |x, n| x << n),
        ("rshift", |x, n| x >> n),
        ("arshift", |x, n| ((x as i32) >> n) as u32),
        ("rol", u32::rotate_left),
        ("ror", u32::rotate_right),
    ];
    for (name, f) in shifts {
        let shift = move |lua: &Lua, args: MultiValue| {
            let (bits, by) = (bits_arg(lua, &args, 0)?, bits_arg(lua, &args, 1)?);
            Ok(signed(f(bits, by & 31)))
        };
        table.raw_set(name, lua.create_function(shift)?)?;
    }
    table.raw_set("tohex", lua.create_function(to_hex)?)?;
    Ok(table)
}

fn signed(bits: u32) -> f64 {
    f64::from(bits as i32)
}

/// A number as 32 bits: rounded to the nearest even, then cut.
fn bits_arg(lua: &Lua, args: &MultiValue, index: usize) -> Result<u32> {
    if let text @ Some(Value::String(_)) = args.get(index)
        && lua.coerce_number(text.cloned().unwrap_or(Value::Nil))?.is_none()
    {
        return expected(lua, index + 1, "number", text);
    }
    Ok(to_bits(number_arg(lua, args, index)?))
}

/// Adding 1.5 * 2^52 leaves the number, rounded, in the low bits.
fn to_bits(number: f64) -> u32 {
    (number + 6_755_399_441_055_744.0).to_bits() as u32
}

fn to_hex(lua: &Lua, args: MultiValue) -> Result<String> {
    let bits = bits_arg(lua, &args, 0)?;
    let count = if args.len() > 1 {
        to_bits(number_arg(lua, &args, 1)?) as i32
    } else {
        optional_integer(lua, &args, 1, 8)? as i32
    };
    let digits = if count < 0 { format!("{bits:08X}") } else { format!("{bits:08x}") };
    Ok(digits[8 - (count.unsigned_abs() as usize).min(8)..].to_owned())
}
