//! What scripts find beside Lua's own: `redis` and `server`, the libraries, and the functions of `string` that need a bound.

use mlua::{Function, Lua, MultiValue, Result, Table, Value};

use crate::base::log::{self, Level};
use crate::base::sha::sha1_hex;
use crate::base::shown::shown;
use crate::resp::Proto;
use crate::storage::lua_tables;

use super::engine::{Call, Mode, Registration, Versions};
use super::raise::{self, Raised, error_table, fail_table, integer_arg, number_arg, string_arg};
use super::random::Random;
use super::words::Words;
use super::{bit, bounds, cjson, cmsgpack, convert, functions, patterns, structs, tables};

const REPL_AOF: i64 = 1;
const REPL_REPLICA: i64 = 2;

/// The table that the prelude begins with.
pub(super) fn natives(lua: &Lua, versions: Versions, random: Random) -> Result<Table> {
    let native = lua.create_table()?;
    native.raw_set("value_of", lua.create_function(raise::value_of)?)?;
    native.raw_set("bad_argument", lua.create_function(bad_argument)?)?;
    let is_killed = |lua: &Lua, (): ()| Ok(lua.app_data_ref::<Mode>().is_some_and(|mode| mode.killed().is_some()));
    native.raw_set("is_killed", lua.create_function(is_killed)?)?;
    native.raw_set("pause", lua.create_function(|lua, (): ()| bounds::pause(lua))?)?;
    native.raw_set("where", lua.create_function(|lua, (): ()| Ok(raise::place_of_script(lua, 1).unzip()))?)?;
    let state = random.clone();
    native.raw_set("random", lua.create_function(move |lua, args: MultiValue| random_number(lua, &args, &state))?)?;
    native.raw_set(
        "randomseed",
        lua.create_function(move |lua, args: MultiValue| {
            random.seed(integer_arg(lua, &args, 0)? as u64);
            Ok(())
        })?,
    )?;
    native.raw_set("string", patterns::library(lua)?)?;
    native.raw_set("concat", lua.create_function(tables::concat)?)?;
    let sort = |lua: &Lua, (quickly, slowly, counted)| lua_tables::sort(lua, quickly, slowly, counted);
    native.raw_set("sort", lua.create_function(sort)?)?;
    let moving =
        |lua: &Lua, (function, given, readonly, refusal)| lua_tables::moving(lua, function, given, readonly, refusal);
    native.raw_set("moving", lua.create_function(moving)?)?;
    native.raw_set("bit", bit::library(lua)?)?;
    native.raw_set("struct", structs::library(lua)?)?;
    native.raw_set("cmsgpack", cmsgpack::library(lua)?)?;
    native.raw_set("cjson", cjson::library(lua)?)?;
    for words in [Words::Redis, Words::Valkey] {
        native.raw_set(words.table(), commands(lua, versions, words)?)?;
        native.raw_set(format!("{}_loading", words.table()), loading(lua, versions, words)?)?;
    }
    Ok(native)
}

/// Raises the complaint of a function of the prelude: of which argument, what it expected, and all that it got.
fn bad_argument(lua: &Lua, args: MultiValue) -> Result<()> {
    let index = integer_arg(lua, &args, 0)?;
    let mut what = string_arg(lua, &args, 1)?.to_string_lossy();
    if !what.contains(' ') {
        let got = args.get(index as usize + 1).map_or("no value", raise::type_name);
        what = format!("{what} expected, got {got}");
    }
    let names = lua.inspect_stack(1, |this| {
        let names = this.names();
        (names.name.map(|name| name.into_owned()), names.name_what == Some("method"))
    });
    let (name, is_method) = names.unwrap_or_default();
    let name = name.as_deref().unwrap_or("?");
    let at = lua
        .inspect_stack(2, |caller| match (caller.source().short_src, caller.current_line()) {
            (Some(source), Some(line)) => format!("{source}:{line}: "),
            _ => String::new(),
        })
        .unwrap_or_default();
    let text = match index {
        // What a method is called on is no argument.
        1 if is_method => format!("{at}calling '{name}' on bad self ({what})"),
        _ => format!("{at}bad argument #{} to '{name}' ({what})", index - i64::from(is_method)),
    };
    Err(mlua::Error::external(Raised::Text(text.into_bytes())))
}

/// `math.random`.
fn random_number(lua: &Lua, args: &MultiValue, random: &Random) -> Result<f64> {
    let max = f64::from(i32::MAX);
    // One is drawn even if the arguments will not do.
    let part = (random.next() % (i32::MAX as u64)) as f64 / max;
    let (low, high) = match args.len() {
        0 => (None, 0.0),
        1 => (Some(1.0), number_arg(lua, args, 0)?.trunc()),
        2 => (Some(number_arg(lua, args, 0)?.trunc()), number_arg(lua, args, 1)?.trunc()),
        _ => return raise::fail(lua, "wrong number of arguments"),
    };
    if let Some(low) = low
        && low > high
    {
        return raise::bad_argument(lua, args.len(), "interval is empty");
    }
    Ok(low.map_or(part, |low| (part * (high - low + 1.0)).floor() + low))
}

fn constants(lua: &Lua, table: &Table, versions: Versions, words: Words) -> Result<()> {
    for (level, name) in ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"].into_iter().enumerate() {
        table.raw_set(name, level)?;
    }
    let number = |version: &str| {
        version.split('.').take(3).fold(0u32, |sum, part| sum * 256 + part.parse::<u32>().unwrap_or_default())
    };
    table.raw_set("REDIS_VERSION", versions.redis)?;
    table.raw_set("REDIS_VERSION_NUM", number(versions.redis))?;
    table.raw_set("SERVER_NAME", versions.server_name)?;
    table.raw_set("SERVER_VERSION", versions.server)?;
    table.raw_set("SERVER_VERSION_NUM", number(versions.server))?;
    table.raw_set("log", lua.create_function(move |lua, args: MultiValue| write_log(lua, &args, words))?)
}

/// What a library finds while it is loaded.
fn loading(lua: &Lua, versions: Versions, words: Words) -> Result<Table> {
    let table = lua.create_table()?;
    constants(lua, &table, versions, words)?;
    let register = move |lua: &Lua, args: MultiValue| register_function(lua, &args, words);
    table.raw_set("register_function", lua.create_function(register)?)?;
    Ok(table)
}

/// The table `redis` or `server`, without what needs the server.
fn commands(lua: &Lua, versions: Versions, words: Words) -> Result<Table> {
    let table = lua.create_table()?;
    constants(lua, &table, versions, words)?;
    let flags = [("NONE", 0), ("AOF", REPL_AOF), ("SLAVE", REPL_REPLICA), ("REPLICA", REPL_REPLICA)];
    for (name, flag) in flags.into_iter().chain([("ALL", REPL_AOF | REPL_REPLICA)]) {
        table.raw_set(format!("REPL_{name}"), flag)?;
    }
    table.raw_set("error_reply", lua.create_function(|lua, args: MultiValue| single_field(lua, &args, "err"))?)?;
    table.raw_set("status_reply", lua.create_function(|lua, args: MultiValue| single_field(lua, &args, "ok"))?)?;
    table.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    table.raw_set("setresp", lua.create_function(move |lua, args: MultiValue| set_resp(lua, &args, words))?)?;
    table.raw_set("set_repl", lua.create_function(move |lua, args: MultiValue| set_repl(lua, &args, words))?)?;
    table.raw_set("replicate_commands", lua.create_function(|_, _: MultiValue| Ok(true))?)?;
    table.raw_set("breakpoint", lua.create_function(|_, _: MultiValue| Ok(false))?)?;
    table.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    Ok(table)
}

fn single_field(lua: &Lua, args: &MultiValue, field: &str) -> Result<Table> {
    let (Some(Value::String(text)), 1) = (args.front(), args.len()) else {
        return error_table(lua, b"ERR wrong number or type of arguments", false);
    };
    if field == "ok" {
        let table = lua.create_table()?;
        table.raw_set(field, text)?;
        return Ok(table);
    }
    let text = text.as_bytes();
    let line = convert::up_to_nul(text.strip_prefix(b"-").unwrap_or(&text));
    let (code, message) = match memchr::memchr(b' ', line) {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (b"ERR".as_slice(), line),
    };
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = message.iter().position(|byte| !is_end(byte)).unwrap_or(message.len());
    let end = message.iter().rposition(|byte| !is_end(byte)).map_or(start, |last| last + 1);
    error_table(lua, &[code, b" ", &message[start..end]].concat(), false)
}

fn sha1hex(lua: &Lua, args: MultiValue) -> Result<mlua::LuaString> {
    if args.len() != 1 {
        return fail_table("ERR wrong number of arguments");
    }
    let text = match args.front() {
        Some(Value::String(_) | Value::Integer(_) | Value::Number(_)) => string_arg(lua, &args, 0)?.as_bytes().to_vec(),
        _ => Vec::new(),
    };
    lua.create_string(sha1_hex(&text))
}

/// What reads as a number, cut off towards zero.
fn whole_number(lua: &Lua, value: Option<&Value>) -> Result<Option<i64>> {
    Ok(match value {
        Some(value @ (Value::Integer(_) | Value::Number(_) | Value::String(_))) => {
            // What is no number is as far off as can be.
            lua.coerce_number(value.clone())?.map(|number| if number.is_nan() { i64::MIN } else { number as i64 })
        }
        _ => None,
    })
}

fn set_resp(lua: &Lua, args: &MultiValue, words: Words) -> Result<()> {
    if args.len() != 1 {
        return fail_table(format!("ERR {}.setresp() requires one argument.", words.table()));
    }
    let proto = match whole_number(lua, args.front())? {
        Some(2) => Proto::Resp2,
        Some(3) => Proto::Resp3,
        _ => return fail_table("ERR RESP version must be 2 or 3."),
    };
    if let Some(mut mode) = lua.app_data_mut::<Mode>() {
        mode.proto = proto;
    }
    Ok(())
}

fn set_repl(lua: &Lua, args: &MultiValue, words: Words) -> Result<()> {
    if args.len() != 1 {
        return fail_table(format!("ERR {}.set_repl() requires one argument.", words.table()));
    }
    let flags = whole_number(lua, args.front())?.unwrap_or(0);
    if flags & !(REPL_AOF | REPL_REPLICA) != 0 {
        return fail_table("ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
    }
    if let Some(mut mode) = lua.app_data_mut::<Mode>() {
        mode.is_repeated = flags & REPL_AOF != 0;
    }
    Ok(())
}

fn write_log(lua: &Lua, args: &MultiValue, words: Words) -> Result<()> {
    if args.len() < 2 {
        return fail_table(format!("ERR {}.log() requires two arguments or more.", words.table()));
    }
    let Some(level) = whole_number(lua, args.front())? else {
        return fail_table("ERR First argument must be a number (log level).");
    };
    let level = match level {
        0 => Level::Debug,
        1 => Level::Verbose,
        2 => Level::Notice,
        3 => Level::Warning,
        _ => return fail_table("ERR Invalid log level."),
    };
    let mut parts = Vec::new();
    for index in 1..args.len() {
        if let Some(Value::String(_) | Value::Integer(_) | Value::Number(_)) = args.get(index) {
            parts.push(shown(&string_arg(lua, args, index)?.as_bytes()));
        }
    }
    log::log(level, &parts.join(" "));
    Ok(())
}

/// The call that these arguments make.
pub(super) fn call_of(lua: &Lua, args: &MultiValue, words: Words) -> Result<Call> {
    if args.is_empty() {
        return fail_table(words.no_argument());
    }
    let mut argv: Vec<Vec<u8>> = Vec::with_capacity(args.len());
    let (mut bytes, built_max) = (0, bounds::built_max(lua));
    for arg in args {
        let arg = match arg {
            Value::String(text) => text.as_bytes().to_vec(),
            Value::Integer(number) => convert::number_text(*number as f64),
            Value::Number(number) => convert::number_text(*number),
            _ => return fail_table(words.bad_argument()),
        };
        bytes += arg.len();
        if bytes > built_max {
            return fail_table("ERR The arguments of the command are too long");
        }
        argv.push(arg);
    }
    let (proto, is_repeated) =
        lua.app_data_ref::<Mode>().map_or((Proto::Resp2, true), |mode| (mode.proto, mode.is_repeated));
    Ok(Call { argv, proto, is_repeated, words })
}

/// The value of a call that failed before it was made, where failures are values.
pub(super) fn caught(lua: &Lua, error: mlua::Error) -> Result<Value> {
    match error.downcast_ref::<Raised>() {
        Some(Raised::Table { err, is_counted }) => Ok(Value::Table(error_table(lua, err, *is_counted)?)),
        _ => Err(error),
    }
}

/// `redis.register_function(name, callback)` or with a table of named arguments.
fn register_function(lua: &Lua, args: &MultiValue, words: Words) -> Result<()> {
    let table = words.table();
    if !lua.app_data_ref::<Mode>().is_some_and(|mode| mode.is_loading) {
        return fail_table(format!("ERR {table}.register_function can only be called on FUNCTION LOAD command"));
    }
    let mut registration = Registration { words, ..Registration::default() };
    let callback = match (args.len(), args.front(), args.get(1)) {
        (1, Some(Value::Table(named)), _) => named_arguments(lua, named, &mut registration)?,
        (1, ..) => {
            return fail_table(format!(
                "ERR calling {table}.register_function with a single argument is only applicable to Lua table \
                 (representing named arguments)."
            ));
        }
        (2, Some(name), callback) => {
            let Some(name) = text_of(lua, name)? else {
                return fail_table(format!("ERR first argument to {table}.register_function must be a string"));
            };
            registration.name = name;
            match callback {
                Some(Value::Function(callback)) => callback.clone(),
                _ => return fail_table(format!("ERR second argument to {table}.register_function must be a function")),
            }
        }
        _ => return fail_table(format!("ERR wrong number of arguments to {table}.register_function")),
    };
    if !functions::is_valid_name(&registration.name) {
        return fail_table(format!("ERR {}", functions::BAD_NAME));
    }
    let register: Function = lua.named_registry_value("russet.register")?;
    if !register.call::<bool>((lua.create_string(&registration.name)?, callback))? {
        return fail_table("ERR Function already exists in the library");
    }
    if let Some(mut mode) = lua.app_data_mut::<Mode>() {
        mode.registered.push(registration);
    }
    Ok(())
}

fn text_of(lua: &Lua, value: &Value) -> Result<Option<Vec<u8>>> {
    match value {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => {
            Ok(lua.coerce_string(value.clone())?.map(|text| text.as_bytes().to_vec()))
        }
        _ => Ok(None),
    }
}

fn named_arguments(lua: &Lua, named: &Table, registration: &mut Registration) -> Result<Function> {
    let (table, mut has_name, mut callback) = (registration.words.table(), false, None);
    for pair in named.pairs::<Value, Value>() {
        let (name, value) = pair?;
        let Some(name) = text_of(lua, &name)? else {
            return fail_table(format!("ERR named argument key given to {table}.register_function is not a string"));
        };
        match (name.to_ascii_lowercase().as_slice(), value) {
            (b"function_name", name) => {
                let Some(name) = text_of(lua, &name)? else {
                    return fail_table(format!(
                        "ERR function_name argument given to {table}.register_function must be a string"
                    ));
                };
                registration.name = name;
                has_name = true;
            }
            (b"description", text) => {
                let Some(text) = text_of(lua, &text)? else {
                    return fail_table(format!(
                        "ERR description argument given to {table}.register_function must be a string"
                    ));
                };
                registration.description = Some(text);
            }
            (b"callback", Value::Function(function)) => callback = Some(function),
            (b"callback", _) => {
                return fail_table(format!(
                    "ERR callback argument given to {table}.register_function must be a function"
                ));
            }
            (b"flags", Value::Table(flags)) => registration.flags = flags_of(&flags)?,
            (b"flags", _) => {
                return fail_table(format!(
                    "ERR flags argument to {table}.register_function must be a table representing function flags"
                ));
            }
            _ => return fail_table(format!("ERR unknown argument given to {table}.register_function")),
        }
    }
    if !has_name {
        return fail_table(format!("ERR {table}.register_function must get a function name argument"));
    }
    callback.map_or_else(|| fail_table(format!("ERR {table}.register_function must get a callback argument")), Ok)
}

fn flags_of(flags: &Table) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for index in 1..=flags.raw_len() {
        match flags.raw_get(index)? {
            Value::String(name) if super::ScriptFlags::named(&name.as_bytes()).is_some() => {
                names.push(name.as_bytes().to_vec());
            }
            Value::Nil => break,
            _ => return fail_table("ERR unknown flag given"),
        }
    }
    Ok(names)
}
