//! `table.concat`: Lua's own cannot be interrupted, and makes strings of any length out of one that a table holds many times.

use mlua::{Lua, LuaString, MultiValue, Result, Value};

use super::bounds::{self, Bounds};
use super::raise::{expected, fail, integer_arg, optional_integer, string_arg, type_name};

pub(super) fn concat(lua: &Lua, args: MultiValue) -> Result<LuaString> {
    let Some(Value::Table(table)) = args.front() else { return expected(lua, 1, "table", args.front()) };
    let is_given = |index: usize| args.get(index).is_some_and(|value| *value != Value::Nil);
    let separator = if is_given(1) { Some(string_arg(lua, &args, 1)?) } else { None };
    let separator = separator.as_ref().map(|text| text.as_bytes());
    let separator = separator.as_deref().unwrap_or_default();
    // Positions are cut off to 32 bits, as in C.
    let first = optional_integer(lua, &args, 2, 1)? as i32;
    let last = if is_given(3) { integer_arg(lua, &args, 3)? as i32 } else { table.raw_len() as i32 };
    let (mut out, mut bounds) = (Vec::new(), Bounds::new(lua));
    for index in first..=last {
        let value = table.raw_get::<Value>(index)?;
        match &value {
            Value::String(text) => out.extend_from_slice(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                if let Some(text) = lua.coerce_string(value)? {
                    out.extend_from_slice(&text.as_bytes());
                }
            }
            other => {
                let kind = type_name(other);
                return fail(lua, format!("invalid value ({kind}) at index {index} in table for 'concat'"));
            }
        }
        if index < last {
            out.extend_from_slice(separator);
        }
        bounds.step_of(out.len())?;
    }
    let made = lua.create_string(&out)?;
    bounds::made(lua, out.len())?;
    Ok(made)
}
