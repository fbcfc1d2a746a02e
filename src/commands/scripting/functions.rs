//! Functions: FCALL, FUNCTION. <https://redis.io/docs/latest/develop/programmability/functions-intro/>

use crate::base::glob::{Case, is_match};
use crate::base::shown::shown;
use crate::dispatch::gates;
use crate::dispatch::script_libraries::{self as libraries, OnLibrary};
use crate::persistence::rdb::functions;
use crate::resp::{CommandError, Reply};
use crate::scripting::{Kind, Library, Run};
use crate::server::scripting::{Freeing, ScriptRequest};
use crate::server::{Command, CommandResult, Handler, Outcome, ServerContext};
use crate::spec::*;

use super::{KEYS, KEYS_READ, RUNNER, kill, split_keys};
use crate::commands::help;

pub(super) const FCALL: Command = Command {
    info: CommandInfo {
        name: "fcall",
        arity: Arity::AtLeast(3),
        since: "7.0.0",
        group: Group::Scripting,
        complexity: "Depends on the function",
        summary: "Runs a function.",
        flags: RUNNER,
        categories: Categories::SCRIPTING,
        keys: KEYS,
        arguments: &[
            string("function"),
            integer("numkeys"),
            key("key", 0).optional().multiple(),
            string("arg").optional().multiple(),
        ],
        ..INFO
    },
    handler: Handler::Server(|cx| fcall(cx, false)),
};
pub(super) const FCALL_RO: Command = Command {
    info: CommandInfo {
        name: "fcall_ro",
        summary: "Runs a function that only reads.",
        flags: RUNNER.or(Flags::READONLY),
        keys: KEYS_READ,
        ..FCALL.info
    },
    handler: Handler::Server(|cx| fcall(cx, true)),
};
fn fcall(cx: &mut ServerContext<'_>, by_read_only: bool) -> CommandResult {
    cx.server.keyspace.unsynced.see_libraries();
    let Some(function) = cx.server.scripting.libraries.function(cx.argv[1]) else {
        return Err(CommandError::err("Function not found"));
    };
    let (flags, name, slot) = (Some(function.flags), function.name.clone(), function.slot);
    let Some(count) = crate::base::number::parse_i64(cx.argv[2]) else {
        return Err(CommandError::err("Bad number of keys provided"));
    };
    let (keys, args) = split_keys(cx.argv, count)?;
    let run = Run { slot, id: name, keys, args, proto: cx.reply.proto() };
    Ok(Outcome::RunScript(Box::new(ScriptRequest { kind: Kind::Functions, run, flags, by_read_only })))
}

pub(super) const FUNCTION: Command = Command {
    info: CommandInfo {
        name: "function",
        arity: Arity::AtLeast(2),
        since: "7.0.0",
        group: Group::Scripting,
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about libraries of functions.",
        ..INFO
    },
    handler: Handler::Container(&[
        FUNCTION_DELETE,
        FUNCTION_DUMP,
        FUNCTION_FLUSH,
        FUNCTION_HELP,
        FUNCTION_KILL,
        FUNCTION_LIST,
        FUNCTION_LOAD,
        FUNCTION_RESTORE,
        FUNCTION_STATS,
    ]),
};

/// What the subcommands share.
const PART: CommandInfo =
    CommandInfo { since: "7.0.0", group: Group::Scripting, categories: Categories::SCRIPTING, ..INFO };
const EVERYWHERE: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

const FUNCTION_DELETE: Command = Command {
    info: CommandInfo {
        name: "delete",
        arity: Arity::Exactly(3),
        complexity: "O(1)",
        summary: "Deletes a library and its functions.",
        flags: Flags::NOSCRIPT.or(Flags::WRITE),
        arguments: &[string("library-name")],
        tips: EVERYWHERE,
        ..PART
    },
    handler: Handler::Server(delete),
};
fn delete(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.server.keyspace.unsynced.change_libraries();
    let Some(library) = cx.server.scripting.libraries.remove(cx.argv[2]) else {
        return Err(CommandError::err("Library not found"));
    };
    forget(cx, &library);
    cx.server.keyspace.dirty += 1;
    cx.reply.ok();
    Ok(Outcome::Done)
}

fn forget(cx: &mut ServerContext<'_>, library: &Library) {
    if let Some(engine) = &mut cx.server.scripting.functions {
        library.functions.iter().for_each(|function| engine.forget(function.slot));
    }
}

const FUNCTION_DUMP: Command = Command {
    info: CommandInfo {
        name: "dump",
        arity: Arity::Exactly(2),
        complexity: "O(N) where N is the number of functions",
        summary: "Serialises all libraries.",
        flags: Flags::NOSCRIPT,
        ..PART
    },
    handler: Handler::Server(dump),
};
fn dump(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.server.keyspace.unsynced.see_libraries();
    let codes = cx.server.scripting.libraries.iter().map(|library| library.code.as_slice());
    cx.reply.bulk(&functions::dump(codes));
    Ok(Outcome::Done)
}

const FUNCTION_FLUSH: Command = Command {
    info: CommandInfo {
        name: "flush",
        arity: Arity::AtLeast(2),
        complexity: "O(N) where N is the number of functions deleted",
        summary: "Deletes all libraries.",
        flags: Flags::NOSCRIPT.or(Flags::WRITE),
        arguments: &[oneof("flush-type", &[token("async", "ASYNC"), token("sync", "SYNC")]).optional()],
        tips: EVERYWHERE,
        ..PART
    },
    handler: Handler::Server(flush),
};
fn flush(cx: &mut ServerContext<'_>) -> CommandResult {
    if cx.argv.len() > 3 {
        return Err(CommandError::subcommand_syntax("FUNCTION", cx.argv[1]));
    }
    let Some(freeing) = Freeing::of(cx.server, cx.argv.get(2).copied()) else {
        return Err(CommandError::err("FUNCTION FLUSH only supports SYNC|ASYNC option"));
    };
    libraries::flush_libraries(cx.server, freeing);
    cx.server.keyspace.dirty += 1;
    cx.reply.ok();
    Ok(Outcome::Done)
}

const FUNCTION_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        complexity: "O(1)",
        summary: "Tells of the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        ..PART
    },
    handler: Handler::Server(function_help),
};
fn function_help(cx: &mut ServerContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "FUNCTION",
        &[
            ("LOAD [REPLACE] <FUNCTION CODE>", &["Takes a library in."]),
            ("DELETE <LIBRARY NAME>", &["Deletes a library."]),
            ("LIST [LIBRARYNAME PATTERN] [WITHCODE]", &["Lists libraries with their functions."]),
            ("STATS", &["Tells of the function that runs, and of what there is."]),
            ("KILL", &["Ends the function that runs."]),
            ("FLUSH [ASYNC|SYNC]", &["Deletes all libraries."]),
            ("DUMP", &["Serialises all libraries."]),
            (
                "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
                &["Takes serialised libraries in: in place of all, beside those that are there, or in place of some."],
            ),
        ],
    );
    Ok(Outcome::Done)
}

const FUNCTION_KILL: Command = Command {
    info: CommandInfo {
        name: "kill",
        arity: Arity::Exactly(2),
        complexity: "O(1)",
        summary: "Ends the function that runs.",
        flags: Flags::ALLOW_BUSY.or(Flags::NOSCRIPT),
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..PART
    },
    handler: Handler::Server(|cx| kill(cx, Kind::Functions)),
};

const FUNCTION_LIST: Command = Command {
    info: CommandInfo {
        name: "list",
        arity: Arity::AtLeast(2),
        complexity: "O(N) where N is the number of functions",
        summary: "Lists libraries with their functions.",
        flags: Flags::NOSCRIPT,
        arguments: &[
            string("library-name-pattern").token("LIBRARYNAME").optional(),
            token("withcode", "WITHCODE").optional(),
        ],
        tips: &["nondeterministic_output_order"],
        ..PART
    },
    handler: Handler::Server(list),
};
fn list(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.server.keyspace.unsynced.see_libraries();
    let (mut pattern, mut with_code) = (None, false);
    let mut args = cx.argv[2..].iter();
    while let Some(&arg) = args.next() {
        if !with_code && arg.eq_ignore_ascii_case(b"withcode") {
            with_code = true;
        } else if pattern.is_none() && arg.eq_ignore_ascii_case(b"libraryname") {
            let missing = || CommandError::err("library name argument was not given");
            pattern = Some(*args.next().ok_or_else(missing)?);
        } else {
            return Err(CommandError::err(format!("Unknown argument {}", shown(arg))));
        }
    }
    let all = &cx.server.scripting.libraries;
    let is_wanted = |library: &&Library| pattern.is_none_or(|pattern| is_match(pattern, &library.name, Case::Ignored));
    let wanted: Vec<&Library> = all.iter().filter(is_wanted).collect();
    cx.reply.array(wanted.len());
    for library in wanted {
        write_library(&mut cx.reply, library, with_code);
    }
    Ok(Outcome::Done)
}

fn write_library(reply: &mut Reply<'_>, library: &Library, with_code: bool) {
    reply.map(if with_code { 4 } else { 3 });
    reply.bulk(b"library_name");
    reply.bulk(&library.name);
    reply.bulk(b"engine");
    reply.bulk(b"LUA");
    reply.bulk(b"functions");
    reply.array(library.functions.len());
    for function in &library.functions {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(&function.name);
        reply.bulk(b"description");
        match &function.description {
            Some(text) => reply.bulk(text),
            None => reply.null(),
        }
        reply.bulk(b"flags");
        reply.set(function.flags.names().count());
        function.flags.names().for_each(|name| reply.simple(name));
    }
    if with_code {
        reply.bulk(b"library_code");
        reply.bulk(&library.code);
    }
}

const FUNCTION_LOAD: Command = Command {
    info: CommandInfo {
        name: "load",
        arity: Arity::AtLeast(3),
        complexity: "O(1) (considering compilation time is redundant)",
        summary: "Takes a library in.",
        flags: Flags::DENYOOM.or(Flags::NOSCRIPT).or(Flags::WRITE),
        arguments: &[token("replace", "REPLACE").optional(), string("function-code")],
        tips: EVERYWHERE,
        ..PART
    },
    handler: Handler::Server(load),
};
fn load(cx: &mut ServerContext<'_>) -> CommandResult {
    let [_, _, options @ .., code] = cx.argv else { return Err(CommandError::Syntax) };
    if let Some(option) = options.iter().find(|option| !option.eq_ignore_ascii_case(b"replace")) {
        return Err(CommandError::err(format!("Unknown option given: {}", shown(option))));
    }
    let name = libraries::add_library(cx.server, code, !options.is_empty()).map_err(CommandError::err)?;
    cx.server.keyspace.dirty += 1;
    cx.reply.bulk(&name);
    Ok(Outcome::Done)
}

const FUNCTION_RESTORE: Command = Command {
    info: CommandInfo {
        name: "restore",
        arity: Arity::AtLeast(3),
        complexity: "O(N) where N is the number of functions on the payload",
        summary: "Takes serialised libraries in.",
        flags: Flags::DENYOOM.or(Flags::NOSCRIPT).or(Flags::WRITE),
        arguments: &[
            string("serialized-value"),
            oneof("policy", &[token("flush", "FLUSH"), token("append", "APPEND"), token("replace", "REPLACE")])
                .optional(),
        ],
        tips: EVERYWHERE,
        ..PART
    },
    handler: Handler::Server(restore),
};
fn restore(cx: &mut ServerContext<'_>) -> CommandResult {
    let payload = cx.argv[2];
    let policy = match *cx.argv {
        [_, _, _] => OnLibrary::Append,
        [_, _, _, word] if word.eq_ignore_ascii_case(b"append") => OnLibrary::Append,
        [_, _, _, word] if word.eq_ignore_ascii_case(b"replace") => OnLibrary::Replace,
        [_, _, _, word] if word.eq_ignore_ascii_case(b"flush") => OnLibrary::Flush,
        [_, _, _, _] => {
            return Err(CommandError::err(
                "Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            ));
        }
        _ => return Err(CommandError::subcommand_syntax("FUNCTION", cx.argv[1])),
    };
    if !crate::persistence::rdb::decode::has_valid_footer(payload, cx.server.debug.skip_checksum_validation) {
        return Err(CommandError::err("DUMP payload version or checksum are wrong"));
    }
    let codes = functions::read(payload).map_err(CommandError::err)?;
    libraries::restore_libraries(cx.server, &codes, policy).map_err(CommandError::err)?;
    cx.server.keyspace.dirty += 1;
    cx.reply.ok();
    Ok(Outcome::Done)
}

const FUNCTION_STATS: Command = Command {
    info: CommandInfo {
        name: "stats",
        arity: Arity::Exactly(2),
        complexity: "O(1)",
        summary: "Tells of the function that runs, and of what there is.",
        flags: Flags::ALLOW_BUSY.or(Flags::NOSCRIPT),
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..PART
    },
    handler: Handler::Server(stats),
};
fn stats(cx: &mut ServerContext<'_>) -> CommandResult {
    let now = cx.server.host.mono_us();
    let scripting = &cx.server.scripting;
    if scripting.parked.as_ref().is_some_and(|running| running.request.kind == Kind::Eval) {
        return Err(gates::is_busy(Kind::Eval));
    }
    cx.reply.map(2);
    cx.reply.bulk(b"running_script");
    match &scripting.parked {
        Some(running) => {
            cx.reply.map(3);
            cx.reply.bulk(b"name");
            cx.reply.bulk(&running.request.run.id);
            cx.reply.bulk(b"command");
            let argv = running.call.as_ref().map(|call| call.argv.as_slice()).unwrap_or_default();
            cx.reply.array(argv.len());
            argv.iter().for_each(|arg| cx.reply.bulk(arg));
            cx.reply.bulk(b"duration_ms");
            cx.reply.int((now.saturating_sub(running.started_us) / 1000) as i64);
        }
        None => cx.reply.null(),
    }
    cx.reply.bulk(b"engines");
    cx.reply.map(1);
    cx.reply.bulk(b"LUA");
    cx.reply.map(2);
    cx.reply.bulk(b"libraries_count");
    cx.reply.int(scripting.libraries.len() as i64);
    cx.reply.bulk(b"functions_count");
    cx.reply.int(scripting.libraries.function_count() as i64);
    Ok(Outcome::Done)
}
