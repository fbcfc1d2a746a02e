//! Errors that Rust functions raise in Lua. A script that catches one sees a string or a table, as from Redis's own functions:
//! the prelude asks for it by `value_of`.

use std::fmt;

use mlua::{Error, Lua, MultiValue, Result, Table, Value};

/// What was raised.
#[derive(Clone, Debug)]
pub(super) enum Raised {
    /// A message, which tells where if that is known.
    Text(Vec<u8>),
    /// A table with `err`; was it counted among the error replies already?
    Table { err: Vec<u8>, is_counted: bool },
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Raised::Text(text) | Raised::Table { err: text, .. }) = self;
        f.write_str(&String::from_utf8_lossy(text))
    }
}

impl std::error::Error for Raised {}

/// Raises a message that begins with the place of the call, if a script made it.
pub(super) fn fail<T>(lua: &Lua, text: impl AsRef<[u8]>) -> Result<T> {
    let mut message = lua
        .inspect_stack(1, |caller| match (caller.source().short_src, caller.current_line()) {
            (Some(source), Some(line)) => format!("{source}:{line}: ").into_bytes(),
            _ => Vec::new(),
        })
        .unwrap_or_default();
    message.extend_from_slice(text.as_ref());
    Err(Error::external(Raised::Text(message)))
}

/// Raises a table with this `err`.
pub(super) fn fail_table<T>(err: impl Into<Vec<u8>>) -> Result<T> {
    Err(Error::external(Raised::Table { err: err.into(), is_counted: false }))
}

/// Raises the complaint about argument `index` of the function that runs.
pub(super) fn bad_argument<T>(lua: &Lua, index: usize, what: impl AsRef<[u8]>) -> Result<T> {
    let names = lua.inspect_stack(0, |this| {
        let names = this.names();
        (names.name.map(|name| name.into_owned()), names.name_what == Some("method"))
    });
    let (name, is_method) = names.unwrap_or_default();
    let name = name.as_deref().unwrap_or("?");
    let text = match index - usize::from(is_method && index > 0) {
        // What a method is called on is no argument.
        0 if is_method => format!("calling '{name}' on bad self ("),
        index => format!("bad argument #{index} to '{name}' ("),
    };
    fail(lua, [text.as_bytes(), what.as_ref(), b")"].concat())
}

/// The complaint about an argument that should be `expected`.
pub(super) fn expected<T>(lua: &Lua, index: usize, expected: &str, value: Option<&Value>) -> Result<T> {
    let got = value.map_or("no value", type_name);
    bad_argument(lua, index, format!("{expected} expected, got {got}"))
}

/// The type of a value as Lua names it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) => "userdata",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "no value",
    }
}

/// What a script sees of an error.
pub(super) fn value_of(lua: &Lua, value: Value) -> Result<Value> {
    let Value::Error(error) = value else { return Ok(value) };
    match error.downcast_ref::<Raised>() {
        Some(Raised::Text(text)) => Ok(Value::String(lua.create_string(text)?)),
        Some(Raised::Table { err, is_counted }) => Ok(Value::Table(error_table(lua, err, *is_counted)?)),
        None if error.chain().any(|link| link.to_string().contains("not enough memory")) => {
            Ok(Value::String(lua.create_string("not enough memory")?))
        }
        None => Ok(Value::String(lua.create_string(text_of(&error))?)),
    }
}

/// What Lua itself raised where a function of ours ran, as in a tick that finds no room on the stack: without the trace of
/// calls that comes with it.
fn text_of(error: &Error) -> String {
    let raised = error.chain().find_map(|link| match link.downcast_ref::<Error>() {
        Some(Error::RuntimeError(text)) => Some(text),
        _ => None,
    });
    let Some(text) = raised else { return error.to_string() };
    text.split_once("\nstack traceback:").map_or(text.as_str(), |(text, _)| text).to_owned()
}

/// `{err = ...}`.
pub(super) fn error_table(lua: &Lua, err: &[u8], is_counted: bool) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("err", lua.create_string(err)?)?;
    if is_counted {
        table.raw_set("ignore_error_stats_update", true)?;
    }
    Ok(table)
}

/// Where the script is that runs: the innermost function that is its own, not one of ours.
pub(super) fn place_of_script(lua: &Lua, from: usize) -> Option<(String, usize)> {
    for level in from.. {
        let found = lua.inspect_stack(level, |at| {
            let source = at.source().source.map(|source| source.into_owned());
            source.filter(|source| at.source().what != "C" && source != "=russet").zip(at.current_line())
        })?;
        if found.is_some() {
            return found;
        }
    }
    None
}

/// An argument as the bytes of a string: numbers are strings too.
pub(super) fn string_arg(lua: &Lua, args: &MultiValue, index: usize) -> Result<mlua::LuaString> {
    match args.get(index) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(number @ (Value::Integer(_) | Value::Number(_))) => match lua.coerce_string(number.clone())? {
            Some(text) => Ok(text),
            None => expected(lua, index + 1, "string", Some(number)),
        },
        other => expected(lua, index + 1, "string", other),
    }
}

/// An argument as a number: strings that read as one are numbers too.
pub(super) fn number_arg(lua: &Lua, args: &MultiValue, index: usize) -> Result<f64> {
    match args.get(index) {
        Some(Value::Integer(number)) => Ok(*number as f64),
        Some(Value::Number(number)) => Ok(*number),
        Some(text @ Value::String(_)) => match lua.coerce_number(text.clone())? {
            Some(number) => Ok(number),
            None => expected(lua, index + 1, "number", Some(text)),
        },
        other => expected(lua, index + 1, "number", other),
    }
}

/// An argument as a whole number, cut off towards zero.
pub(super) fn integer_arg(lua: &Lua, args: &MultiValue, index: usize) -> Result<i64> {
    Ok(number_arg(lua, args, index)? as i64)
}

/// The same, with what stands for an argument that is not there.
pub(super) fn optional_integer(lua: &Lua, args: &MultiValue, index: usize, or: i64) -> Result<i64> {
    match args.get(index) {
        None | Some(Value::Nil) => Ok(or),
        Some(_) => integer_arg(lua, args, index),
    }
}

/// What a script raised, to be raised once more.
pub(super) fn raise_again(lua: &Lua, value: Value) -> Result<Error> {
    let value = value_of(lua, value)?;
    if let Value::Table(table) = &value
        && let Ok(Value::String(err)) = table.raw_get::<Value>("err")
    {
        let is_counted = table.raw_get::<Value>("ignore_error_stats_update").is_ok_and(|set| set != Value::Nil);
        return Ok(Error::external(Raised::Table { err: err.as_bytes().to_vec(), is_counted }));
    }
    let text = lua.coerce_string(value)?.map(|text| text.as_bytes().to_vec());
    Ok(Error::external(Raised::Text(text.unwrap_or_else(|| b"unknown error".to_vec()))))
}
