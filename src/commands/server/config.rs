//! CONFIG: reading and changing directives while the server runs.

use std::path::Path;

use crate::base::disk::reason;
use crate::base::quote::quoted;
use crate::config::rewrite::{self, Extent, Owned};
use crate::config::set::{self, Permit};
use crate::config::{Directive, Flags as DirectiveFlags, ProtectedFrom};
use crate::dispatch::{appending, rewriting};
use crate::resp::CommandError;
use crate::server::{Command, CommandResult, Handler, Outcome, Server, ServerContext, apply};
use crate::spec::*;

use crate::commands::help;

pub(super) const CONFIG: Command = Command {
    info: CommandInfo {
        name: "config",
        arity: Arity::AtLeast(2),
        since: "2.0.0",
        group: Group::Server,
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about the configuration.",
        flags: Flags::NONE,
        ..INFO
    },
    handler: Handler::Container(&[CONFIG_GET, CONFIG_HELP, CONFIG_RESETSTAT, CONFIG_REWRITE, CONFIG_SET]),
};

const CONFIG_GET: Command = Command {
    info: CommandInfo {
        name: "get",
        arity: Arity::AtLeast(3),
        since: "2.0.0",
        group: Group::Server,
        complexity: "O(N) when N is the number of configuration parameters provided",
        summary: "Tells the values of directives, by name or pattern.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[string("parameter").multiple()],
        ..INFO
    },
    handler: Handler::Server(config_get),
};
fn config_get(cx: &mut ServerContext<'_>) -> CommandResult {
    let found = set::get(&cx.server.config, &cx.argv[2..]);
    cx.reply.map(found.len());
    for (name, value) in found {
        cx.reply.bulk(&name);
        cx.reply.bulk(&value);
    }
    Ok(Outcome::Done)
}

const CONFIG_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "5.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Lists the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(config_help),
};
fn config_help(cx: &mut ServerContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "CONFIG",
        &[
            ("GET <pattern> [<pattern> ...]", &["Directives whose names match, with their values."]),
            ("SET <directive> <value> [<directive> <value> ...]", &["Changes directives, all of them or none."]),
            ("RESETSTAT", &["Begins to count anew what INFO tells."]),
            ("REWRITE", &["Writes changed directives to the configuration file."]),
        ],
    );
    Ok(Outcome::Done)
}

const CONFIG_RESETSTAT: Command = Command {
    info: CommandInfo {
        name: "resetstat",
        arity: Arity::Exactly(2),
        since: "2.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Begins to count anew what INFO tells.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(config_resetstat),
};
fn config_resetstat(cx: &mut ServerContext<'_>) -> CommandResult {
    let server = &mut *cx.server;
    server.stats.reset();
    server.keyspace.stats = Default::default();
    server.keyspace.garbage.reset_stats();
    server.commands.reset_stats();
    server.scripting.evicted_scripts = 0;
    cx.reply.ok();
    Ok(Outcome::Done)
}

const CONFIG_REWRITE: Command = Command {
    info: CommandInfo {
        name: "rewrite",
        arity: Arity::Exactly(2),
        since: "2.8.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Writes the configuration in force to the configuration file.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(config_rewrite),
};
fn config_rewrite(cx: &mut ServerContext<'_>) -> CommandResult {
    rewrite_file(cx.server, Extent::Needed)?;
    cx.reply.ok();
    Ok(Outcome::Done)
}

/// Writes the configuration file anew.
pub(super) fn rewrite_file(server: &mut Server, extent: Extent) -> Result<(), CommandError> {
    let path = server.identity.config_file.clone();
    if path.is_empty() {
        return Err(CommandError::err("The server is running without a config file"));
    }
    let path = Path::new(&path);
    let old = match server.host.read_file(path) {
        Ok(old) => old,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(not_rewritten(&reason(&error))),
    };
    let name = path.as_os_str().as_encoded_bytes();
    let mut owned = Vec::new();
    // With an ACL file the users are kept there.
    if server.config.aclfile.is_empty() {
        let lines = server.acl.users().map(|user| as_arguments(&user.file_text())).collect();
        owned.push(Owned { name: "user", lines });
    }
    let new = rewrite::rewrite_file(name, &old, &server.config, &owned, extent).map_err(|why| not_rewritten(&why))?;
    server.host.replace_file(path, &new).map_err(|error| not_rewritten(&reason(&error)))?;
    crate::base::log::notice("CONFIG REWRITE executed with success.");
    Ok(())
}

/// Words so that a configuration file means them: in quotes where they have such.
fn as_arguments(words: &[u8]) -> Vec<u8> {
    let word = |word: &[u8]| match word.iter().any(|byte| matches!(byte, b'"' | b'\'')) {
        true => quoted(word).into_bytes(),
        false => word.to_vec(),
    };
    words.split(|&byte| byte == b' ').map(word).collect::<Vec<_>>().join(&b' ')
}

fn not_rewritten(why: &str) -> CommandError {
    crate::base::log::warning(&format!("CONFIG REWRITE failed: {why}"));
    CommandError::err(format!("Rewriting config file: {why}"))
}

const CONFIG_SET: Command = Command {
    info: CommandInfo {
        name: "set",
        arity: Arity::AtLeast(4),
        since: "2.0.0",
        group: Group::Server,
        complexity: "O(N) when N is the number of configuration parameters provided",
        summary: "Changes directives, all of them or none.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[block("data", &[string("parameter"), string("value")]).multiple()],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(config_set),
};
/// Brings the append-only file in line with changed directives. It is once its job has carried out the orders that are returned.
fn follow_append_only(server: &mut Server, changed: &[&str]) -> Result<Option<u64>, CommandError> {
    let mut orders = None;
    if changed.contains(&"appendfsync") {
        appending::follow(server);
    }
    if changed.contains(&"aof-disable-auto-gc") {
        orders = rewriting::remove_history(server);
    }
    if !changed.contains(&"appendonly") {
        return Ok(orders);
    }
    let on = server.config.appendonly;
    let turned = appending::set_enabled(server, on).map_err(|why| {
        server.config.appendonly = !on;
        CommandError::err(format!("CONFIG SET failed (possibly related to argument 'appendonly') - {why}"))
    })?;
    Ok(turned.or(orders))
}

fn config_set(cx: &mut ServerContext<'_>) -> CommandResult {
    let rest = &cx.argv[2..];
    for (index, pair) in rest.chunks(2).enumerate() {
        if Directive::find(pair[0]).is_some_and(|directive| directive.flags.contains(DirectiveFlags::SENSITIVE)) {
            cx.redact(2 + index * 2 + 1);
        }
    }
    if !rest.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let pairs: Vec<(&[u8], &[u8])> = rest.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let protected = match cx.server.config.enable_protected_configs {
        ProtectedFrom::Yes => true,
        ProtectedFrom::No => false,
        ProtectedFrom::Local => cx.client().is_local(),
    };
    let permit = Permit { protected, loading: cx.server.persistence.loading.is_some() };
    let mut changed: Vec<&'static str> = Vec::new();
    let Server { config, host, .. } = &mut *cx.server;
    set::set(config, &pairs, permit, &mut |directive, config| {
        host.apply(&[directive.name()], config)?;
        changed.push(directive.name());
        Ok(())
    })
    .map_err(CommandError::coded)?;
    if !changed.is_empty() {
        apply::apply_changes(cx.server, &changed);
        if let Some(orders) = follow_append_only(cx.server, &changed)? {
            return Ok(Outcome::WhenCarriedOut(orders));
        }
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}
