//! Scripts: EVAL and its variants, SCRIPT. <https://redis.io/docs/latest/develop/programmability/eval-intro/>

mod functions;

use crate::base::shown::shown;
use crate::dispatch::gates;
use crate::resp::CommandError;
use crate::scripting::{Kind, Run, Sha, Shebang, Stay, Words};
use crate::server::scripting::{Freeing, ScriptRequest};
use crate::server::{Command, CommandResult, Handler, Outcome, Server, ServerContext, context};
use crate::spec::*;

use super::help;

/// The family.
pub const COMMANDS: &[Command] =
    &[EVAL, EVAL_RO, EVALSHA, EVALSHA_RO, functions::FCALL, functions::FCALL_RO, functions::FUNCTION, SCRIPT];

const RUNNER: Flags = Flags::MOVABLEKEYS
    .or(Flags::NO_MANDATORY_KEYS)
    .or(Flags::NOSCRIPT)
    .or(Flags::SCRIPT_RUNNER)
    .or(Flags::SKIP_MONITOR)
    .or(Flags::STALE);
const KEYS: &[KeySpec] = &[KeySpec::counted(2, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))];
const KEYS_READ: &[KeySpec] = &[KeySpec::counted(2, KeyFlags::RO.or(KeyFlags::ACCESS))];

const EVAL: Command = Command {
    info: CommandInfo {
        name: "eval",
        arity: Arity::AtLeast(3),
        since: "2.6.0",
        group: Group::Scripting,
        complexity: "Depends on the script",
        summary: "Runs a script in Lua.",
        flags: RUNNER,
        categories: Categories::SCRIPTING,
        keys: KEYS,
        arguments: &[
            string("script"),
            integer("numkeys"),
            key("key", 0).optional().multiple(),
            string("arg").optional().multiple(),
        ],
        ..INFO
    },
    handler: Handler::Server(|cx| eval(cx, false)),
};
const EVAL_RO: Command = Command {
    info: CommandInfo {
        name: "eval_ro",
        since: "7.0.0",
        summary: "Runs a script in Lua that only reads.",
        flags: RUNNER.or(Flags::READONLY),
        keys: KEYS_READ,
        ..EVAL.info
    },
    handler: Handler::Server(|cx| eval(cx, true)),
};
fn eval(cx: &mut ServerContext<'_>, by_read_only: bool) -> CommandResult {
    let (keys, args) = keys_and_args(cx.argv)?;
    let sha = compile(cx.server, cx.argv[1], Stay::ForNow)?;
    request(cx, sha, keys, args, by_read_only)
}

const EVALSHA: Command = Command {
    info: CommandInfo {
        name: "evalsha",
        summary: "Runs a script in Lua that the server knows, by its digest.",
        arguments: &[
            string("sha1"),
            integer("numkeys"),
            key("key", 0).optional().multiple(),
            string("arg").optional().multiple(),
        ],
        ..EVAL.info
    },
    handler: Handler::Server(|cx| evalsha(cx, false)),
};
const EVALSHA_RO: Command = Command {
    info: CommandInfo {
        name: "evalsha_ro",
        since: "7.0.0",
        summary: "Runs a script in Lua that the server knows and that only reads, by its digest.",
        flags: RUNNER.or(Flags::READONLY),
        keys: KEYS_READ,
        ..EVALSHA.info
    },
    handler: Handler::Server(|cx| evalsha(cx, true)),
};
fn evalsha(cx: &mut ServerContext<'_>, by_read_only: bool) -> CommandResult {
    // Whatever is no digest names no script, however many keys it says it has.
    let sha = Sha::parse(cx.argv[1]).ok_or_else(unknown_script)?;
    let (keys, args) = keys_and_args(cx.argv)?;
    request(cx, sha, keys, args, by_read_only)
}

fn unknown_script() -> CommandError {
    CommandError::coded("NOSCRIPT No matching script. Please use EVAL.")
}

fn request(
    cx: &mut ServerContext<'_>,
    sha: Sha,
    keys: Vec<Vec<u8>>,
    args: Vec<Vec<u8>>,
    by_read_only: bool,
) -> CommandResult {
    let script = cx.server.scripting.scripts.get(&sha).ok_or_else(unknown_script)?;
    let flags = script.shebang.flags;
    let run = Run { slot: script.slot, id: sha.0.to_vec(), keys, args, proto: cx.reply.proto() };
    Ok(Outcome::RunScript(Box::new(ScriptRequest { kind: Kind::Eval, run, flags, by_read_only, words: Words::Redis })))
}

type KeysAndArgs = (Vec<Vec<u8>>, Vec<Vec<u8>>);

/// What follows a script: the number of keys, the keys, and further arguments.
fn keys_and_args(argv: &[&[u8]]) -> Result<KeysAndArgs, CommandError> {
    let count = context::integer(argv[2])?;
    split_keys(argv, count)
}

fn split_keys(argv: &[&[u8]], count: i64) -> Result<KeysAndArgs, CommandError> {
    let rest = &argv[3..];
    let Ok(count) = usize::try_from(count) else {
        return Err(CommandError::err("Number of keys can't be negative"));
    };
    let Some((keys, args)) = rest.split_at_checked(count) else {
        return Err(CommandError::err("Number of keys can't be greater than number of args"));
    };
    let owned = |from: &[&[u8]]| from.iter().map(|arg| arg.to_vec()).collect();
    Ok((owned(keys), owned(args)))
}

/// The digest of a script that is compiled, by now or before.
fn compile(server: &mut Server, script: &[u8], stay: Stay) -> Result<Sha, CommandError> {
    let sha = Sha::of(script);
    if server.scripting.scripts.get(&sha).is_some() {
        if stay == Stay::ForGood {
            server.scripting.scripts.keep(&sha);
        }
        return Ok(sha);
    }
    let shebang = Shebang::of_script(script).map_err(CommandError::err)?;
    let code = script.get(shebang.code_at..).unwrap_or_default();
    let Some(engine) = server.lua_engine(Kind::Eval) else {
        return Err(CommandError::err("There is no memory for a Lua state"));
    };
    let slot = engine
        .compile(code)
        .map_err(|why| CommandError::err(format!("Error compiling script (new function): {}", shown(&why))))?;
    if let Some(old) = server.scripting.scripts.add(sha, script, shebang, slot, stay) {
        server.scripting.evicted_scripts += 1;
        if let Some(engine) = server.lua_engine(Kind::Eval) {
            engine.forget(old);
        }
    }
    Ok(sha)
}

const SCRIPT: Command = Command {
    info: CommandInfo {
        name: "script",
        arity: Arity::AtLeast(2),
        since: "2.6.0",
        group: Group::Scripting,
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about the scripts that the server knows.",
        ..INFO
    },
    handler: Handler::Container(&[
        SCRIPT_DEBUG,
        SCRIPT_EXISTS,
        SCRIPT_FLUSH,
        SCRIPT_HELP,
        SCRIPT_KILL,
        SCRIPT_LOAD,
        SCRIPT_SHOW,
    ]),
};

const SCRIPT_DEBUG: Command = Command {
    info: CommandInfo {
        name: "debug",
        arity: Arity::Exactly(3),
        since: "3.2.0",
        group: Group::Scripting,
        complexity: "O(1)",
        summary: "Sets how the scripts of this connection are debugged.",
        flags: Flags::NOSCRIPT,
        categories: Categories::SCRIPTING,
        arguments: &[oneof("mode", &[token("yes", "YES"), token("sync", "SYNC"), token("no", "NO")])],
        ..INFO
    },
    handler: Handler::Server(script_debug),
};
fn script_debug(cx: &mut ServerContext<'_>) -> CommandResult {
    let is = |word: &str| cx.argv[2].eq_ignore_ascii_case(word.as_bytes());
    if is("no") {
        cx.reply.ok();
        return Ok(Outcome::Done);
    }
    Err(CommandError::err(if is("yes") || is("sync") {
        "SCRIPT DEBUG is not supported: this server has no debugger for scripts"
    } else {
        "Use SCRIPT DEBUG YES/SYNC/NO"
    }))
}

const SCRIPT_EXISTS: Command = Command {
    info: CommandInfo {
        name: "exists",
        arity: Arity::AtLeast(3),
        since: "2.6.0",
        group: Group::Scripting,
        complexity: "O(N) where N is the number of digests",
        summary: "Tells which scripts the server knows.",
        flags: Flags::NOSCRIPT,
        categories: Categories::SCRIPTING,
        arguments: &[string("sha1").multiple()],
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
        ..INFO
    },
    handler: Handler::Server(script_exists),
};
fn script_exists(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.reply.array(cx.argv.len() - 2);
    for sha in &cx.argv[2..] {
        let is_known = Sha::parse(sha).is_some_and(|sha| cx.server.scripting.scripts.get(&sha).is_some());
        cx.reply.int(i64::from(is_known));
    }
    Ok(Outcome::Done)
}

const SCRIPT_FLUSH: Command = Command {
    info: CommandInfo {
        name: "flush",
        arity: Arity::AtLeast(2),
        since: "2.6.0",
        group: Group::Scripting,
        complexity: "O(N) where N is the number of scripts",
        summary: "Forgets all scripts.",
        flags: Flags::NOSCRIPT,
        categories: Categories::SCRIPTING,
        arguments: &[oneof("flush-type", &[token("async", "ASYNC"), token("sync", "SYNC")]).optional().since("6.2.0")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(script_flush),
};
fn script_flush(cx: &mut ServerContext<'_>) -> CommandResult {
    let freeing = if cx.argv.len() > 3 { None } else { Freeing::of(cx.server, cx.argv.get(2).copied()) };
    let Some(freeing) = freeing else {
        return Err(CommandError::err("SCRIPT FLUSH only support SYNC|ASYNC option"));
    };
    let Server { scripting, keyspace, .. } = cx.server;
    let count = freeing.count(scripting.scripts.len());
    keyspace.garbage.push_other((scripting.eval.take(), std::mem::take(&mut scripting.scripts)), count);
    cx.reply.ok();
    Ok(Outcome::Done)
}

const SCRIPT_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "5.0.0",
        group: Group::Scripting,
        complexity: "O(1)",
        summary: "Tells of the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::SCRIPTING,
        ..INFO
    },
    handler: Handler::Server(script_help),
};
fn script_help(cx: &mut ServerContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "SCRIPT",
        &[
            ("DEBUG (YES|SYNC|NO)", &["Sets how scripts are debugged."]),
            ("EXISTS <sha1> [<sha1> ...]", &["Tells which scripts are known."]),
            ("FLUSH [ASYNC|SYNC]", &["Forgets all scripts."]),
            ("KILL", &["Ends the script that runs."]),
            ("LOAD <script>", &["Takes a script in without running it."]),
            ("SHOW <sha1>", &["Shows a script."]),
        ],
    );
    Ok(Outcome::Done)
}

const SCRIPT_KILL: Command = Command {
    info: CommandInfo {
        name: "kill",
        arity: Arity::Exactly(2),
        since: "2.6.0",
        group: Group::Scripting,
        complexity: "O(1)",
        summary: "Ends the script that runs.",
        flags: Flags::ALLOW_BUSY.or(Flags::NOSCRIPT),
        categories: Categories::SCRIPTING,
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..INFO
    },
    handler: Handler::Server(|cx| kill(cx, Kind::Eval)),
};

/// Lets the script of this kind that runs too long end with an error.
fn kill(cx: &mut ServerContext<'_>, kind: Kind) -> CommandResult {
    let Some(running) = &mut cx.server.scripting.parked else {
        return Err(CommandError::coded("NOTBUSY No scripts in execution right now."));
    };
    if running.has_written {
        return Err(CommandError::coded(
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the \
             script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
        ));
    }
    if running.request.kind != kind {
        return Err(gates::is_busy(running.request.kind));
    }
    running.killed = Some(running.request.words.killed(kind));
    cx.reply.ok();
    Ok(Outcome::Done)
}

const SCRIPT_LOAD: Command = Command {
    info: CommandInfo {
        name: "load",
        arity: Arity::Exactly(3),
        since: "2.6.0",
        group: Group::Scripting,
        complexity: "O(N) where N is the length of the script",
        summary: "Takes a script in without running it.",
        flags: Flags::NOSCRIPT.or(Flags::STALE),
        categories: Categories::SCRIPTING,
        arguments: &[string("script")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(script_load),
};
fn script_load(cx: &mut ServerContext<'_>) -> CommandResult {
    let sha = compile(cx.server, cx.argv[2], Stay::ForGood)?;
    cx.reply.bulk(&sha.0);
    Ok(Outcome::Done)
}

const SCRIPT_SHOW: Command = Command {
    info: CommandInfo {
        name: "show",
        arity: Arity::Exactly(3),
        since: "8.0.0",
        group: Group::Scripting,
        complexity: "O(1)",
        summary: "Shows a script.",
        flags: Flags::NOSCRIPT.or(Flags::STALE),
        categories: Categories::SCRIPTING,
        arguments: &[string("sha1")],
        ..INFO
    },
    handler: Handler::Server(script_show),
};
fn script_show(cx: &mut ServerContext<'_>) -> CommandResult {
    let script = Sha::parse(cx.argv[2]).and_then(|sha| cx.server.scripting.scripts.get(&sha));
    let script = script.ok_or_else(|| CommandError::coded("NOSCRIPT No matching script."))?;
    cx.reply.bulk(&script.body);
    Ok(Outcome::Done)
}
