//! ACL: users and what they may do. <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>

use std::path::Path;

use crate::acl::selector::Selector;
use crate::acl::{self, DEFAULT_USER, User, catalog, file};
use crate::base::number::format_f64;
use crate::base::shown::shown;
use crate::base::{disk, log, sha};
use crate::resp::{CommandError, Reply};
use crate::server::{Command, CommandResult, Handler, Outcome, Server, ServerContext, context, permission};
use crate::spec::*;

use super::help;

/// The family.
pub const COMMANDS: &[Command] = &[ACL];

/// Bits of a password of ACL GENPASS, and the most that may be asked for.
const GENPASS_BITS: i64 = 256;
const GENPASS_BITS_MAX: i64 = 4096;
/// Entries that ACL LOG shows.
const LOG_COUNT: usize = 10;

const ACL: Command = Command {
    info: CommandInfo {
        name: "acl",
        arity: Arity::AtLeast(2),
        since: "6.0.0",
        group: Group::Server,
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about users and what they may do.",
        flags: Flags::NONE,
        ..INFO
    },
    handler: Handler::Container(&[
        ACL_CAT,
        ACL_DELUSER,
        ACL_DRYRUN,
        ACL_GENPASS,
        ACL_GETUSER,
        ACL_HELP,
        ACL_LIST,
        ACL_LOAD,
        ACL_LOG,
        ACL_SAVE,
        ACL_SETUSER,
        ACL_USERS,
        ACL_WHOAMI,
    ]),
};

const ACL_CAT: Command = Command {
    info: CommandInfo {
        name: "cat",
        arity: Arity::AtLeast(2),
        since: "6.0.0",
        group: Group::Server,
        complexity: "O(1) since the categories and commands are a fixed set.",
        summary: "Lists the categories, or the commands of one.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[string("category").optional()],
        ..INFO
    },
    handler: Handler::Server(acl_cat),
};
fn acl_cat(cx: &mut ServerContext<'_>) -> CommandResult {
    match *cx.argv {
        [_, _] => {
            cx.reply.array(Categories::ALL.len());
            Categories::ALL.iter().for_each(|(_, name)| cx.reply.bulk(name.as_bytes()));
        }
        [_, _, name] => {
            let unknown = || CommandError::err(format!("Unknown category '{}'", shown(name)));
            let category = catalog::category(name).ok_or_else(unknown)?;
            let there = cx.server.acl.catalog.iter().zip(cx.server.commands.iter()).map(|(known, _)| known);
            let members = there.filter(|(_, entry)| entry.categories.has(category));
            let names: Vec<&str> = members.map(|(_, entry)| entry.name.as_str()).collect();
            cx.reply.array(names.len());
            names.iter().for_each(|name| cx.reply.bulk(name.as_bytes()));
        }
        _ => return Err(CommandError::subcommand_syntax("ACL", cx.argv[1])),
    }
    Ok(Outcome::Done)
}

const ACL_DELUSER: Command = Command {
    info: CommandInfo {
        name: "deluser",
        arity: Arity::AtLeast(3),
        since: "6.0.0",
        group: Group::Server,
        complexity: "O(1) amortized time considering the typical user.",
        summary: "Removes users and closes their connections.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[string("username").multiple()],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(acl_deluser),
};
fn acl_deluser(cx: &mut ServerContext<'_>) -> CommandResult {
    redact_all(cx);
    if cx.argv[2..].contains(&DEFAULT_USER) {
        return Err(CommandError::err("The 'default' user cannot be removed"));
    }
    let removed = cx.argv[2..].iter().filter(|name| cx.server.acl.remove(name)).count();
    let is_lost = permission::follow_users(cx.server, Some(cx.client));
    cx.reply.int(removed as i64);
    Ok(if is_lost { Outcome::Close } else { Outcome::Done })
}

const ACL_DRYRUN: Command = Command {
    info: CommandInfo {
        name: "dryrun",
        arity: Arity::AtLeast(4),
        since: "7.0.0",
        group: Group::Server,
        complexity: "O(1).",
        summary: "Tells whether a user might run a command, without running it.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[string("username"), string("command"), string("arg").multiple().optional()],
        ..INFO
    },
    handler: Handler::Server(acl_dryrun),
};
fn acl_dryrun(cx: &mut ServerContext<'_>) -> CommandResult {
    let (name, request) = (cx.argv[2], &cx.argv[3..]);
    let db = i64::from(cx.db_index().0);
    let server = &*cx.server;
    let Some(user) = server.acl.user(name) else {
        return Err(CommandError::err(format!("User '{}' not found", shown(name))));
    };
    let table = &server.commands;
    let known = table.lookup(request[0]).and_then(|id| match request.get(1) {
        Some(sub) if !table.entry(id).subcommands.is_empty() => table.lookup_sub(id, sub),
        _ => Some(id),
    });
    let Some(id) = known else {
        return Err(CommandError::err(format!("Command '{}' not found", shown(request[0]))));
    };
    let entry = table.entry(id);
    if !entry.info().arity.allows(request.len()) {
        return Err(CommandError::err(format!("wrong number of arguments for '{}' command", entry.full_name)));
    }
    match user.check(&permission::request_of(table, id, request, db, server.config.databases)) {
        Ok(()) => cx.reply.ok(),
        Err(denied) => {
            let text = permission::verbose_refusal(server, name, id, request, denied);
            cx.reply.bulk_shown(&text);
        }
    }
    Ok(Outcome::Done)
}

const ACL_GENPASS: Command = Command {
    info: CommandInfo {
        name: "genpass",
        arity: Arity::AtLeast(2),
        since: "6.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Makes up a password that nobody can guess.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[integer("bits").optional()],
        ..INFO
    },
    handler: Handler::Server(acl_genpass),
};
fn acl_genpass(cx: &mut ServerContext<'_>) -> CommandResult {
    let bits = match *cx.argv {
        [_, _] => GENPASS_BITS,
        [_, _, bits] => context::integer(bits)?,
        _ => return Err(CommandError::subcommand_syntax("ACL", cx.argv[1])),
    };
    if !(1..=GENPASS_BITS_MAX).contains(&bits) {
        return Err(CommandError::err(format!(
            "ACL GENPASS argument must be the number of bits for the output password, a positive number up to \
             {GENPASS_BITS_MAX}"
        )));
    }
    let mut secret = [0; GENPASS_BITS_MAX as usize / 8];
    let error =
        |error: std::io::Error| CommandError::err(format!("No source of random numbers: {}", disk::reason(&error)));
    cx.server.host.fill_secret(&mut secret).map_err(error)?;
    let digits = sha::hex(&secret);
    cx.reply.bulk(&digits.as_bytes()[..(bits as usize).div_ceil(4)]);
    Ok(Outcome::Done)
}

const ACL_GETUSER: Command = Command {
    info: CommandInfo {
        name: "getuser",
        arity: Arity::Exactly(3),
        since: "6.0.0",
        group: Group::Server,
        complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
        summary: "Shows what makes a user.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[string("username")],
        ..INFO
    },
    handler: Handler::Server(acl_getuser),
};
fn acl_getuser(cx: &mut ServerContext<'_>) -> CommandResult {
    redact_all(cx);
    let reply = &mut cx.reply;
    let Some(user) = cx.server.acl.user(cx.argv[2]) else {
        reply.null();
        return Ok(Outcome::Done);
    };
    let dbs = user.root.dbs_text();
    reply.map(6 + usize::from(dbs.is_some()));
    reply.bulk(b"flags");
    let flags = user.flags();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(user.passwords.len());
    user.passwords.iter().for_each(|hash| reply.bulk(hash.as_bytes()));
    write_selector(reply, &user.root);
    write_databases(reply, dbs);
    reply.bulk(b"selectors");
    reply.array(user.selectors.len());
    for selector in &user.selectors {
        let dbs = selector.dbs_text();
        reply.map(3 + usize::from(dbs.is_some()));
        write_selector(reply, selector);
        write_databases(reply, dbs);
    }
    Ok(Outcome::Done)
}

/// The databases of a selector, where they are limited. That there are none is told by an empty text, not by the rule.
fn write_databases(reply: &mut Reply<'_>, dbs: Option<String>) {
    if let Some(dbs) = dbs {
        reply.bulk(b"databases");
        reply.bulk(if dbs == "resetdbs" { b"" } else { dbs.as_bytes() });
    }
}

fn write_selector(reply: &mut Reply<'_>, selector: &Selector) {
    reply.bulk(b"commands");
    reply.bulk(selector.commands_text().as_bytes());
    reply.bulk(b"keys");
    reply.bulk(&selector.keys_text());
    reply.bulk(b"channels");
    reply.bulk(&selector.channels_text());
}

const ACL_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "6.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Lists the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(acl_help),
};
fn acl_help(cx: &mut ServerContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "ACL",
        &[
            ("CAT [<category>]", &["The categories, or the commands of one."]),
            ("DELUSER <username> [<username> ...]", &["Removes users and closes their connections."]),
            ("DRYRUN <username> <command> [<arg> ...]", &["Might this user run this?"]),
            ("GETUSER <username>", &["What makes a user."]),
            ("GENPASS [<bits>]", &["A password that nobody can guess, of 256 bits or as many as are asked for."]),
            ("LIST", &["All users as rules."]),
            ("LOAD", &["Reads the users from the ACL file."]),
            ("LOG [<count> | RESET]", &["Who was turned away lately; RESET forgets it."]),
            ("SAVE", &["Writes the users to the ACL file."]),
            ("SETUSER <username> <attribute> [<attribute> ...]", &["Makes or changes a user."]),
            ("USERS", &["The names of all users."]),
            ("WHOAMI", &["Which user the client is."]),
        ],
    );
    Ok(Outcome::Done)
}

const ACL_LIST: Command = Command {
    info: CommandInfo {
        name: "list",
        arity: Arity::Exactly(2),
        since: "6.0.0",
        group: Group::Server,
        complexity: "O(N). Where N is the number of configured users.",
        summary: "Shows all users as rules.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(acl_list),
};
fn acl_list(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.reply.array(cx.server.acl.users().len());
    for user in cx.server.acl.users() {
        cx.reply.bulk(&[b"user ".as_slice(), &user.text()].concat());
    }
    Ok(Outcome::Done)
}

const ACL_LOAD: Command = Command {
    info: CommandInfo {
        name: "load",
        arity: Arity::Exactly(2),
        since: "6.0.0",
        group: Group::Server,
        complexity: "O(N). Where N is the number of configured users.",
        summary: "Reads the users from the ACL file.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(acl_load),
};
fn acl_load(cx: &mut ServerContext<'_>) -> CommandResult {
    let path = acl_file(cx.server)?;
    let users = users_of_file(cx.server, &path).map_err(CommandError::err)?;
    cx.server.acl.replace_all(users);
    let is_lost = permission::follow_users(cx.server, Some(cx.client));
    cx.reply.ok();
    Ok(if is_lost { Outcome::Close } else { Outcome::Done })
}

/// Where the users are kept.
fn acl_file(server: &Server) -> Result<String, CommandError> {
    if server.config.aclfile.is_empty() {
        return Err(CommandError::err(
            "This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER \
             command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store \
             users in the Redis configuration.",
        ));
    }
    Ok(server.config.aclfile.display().into_owned())
}

/// The users of an ACL file.
///
/// # Errors
/// All that is wrong with it.
pub fn users_of_file(server: &mut Server, path: &str) -> Result<Vec<User>, String> {
    let content = server
        .host
        .read_file(Path::new(path))
        .map_err(|error| format!("Error loading ACLs, opening file '{path}': {}", disk::reason(&error)))?;
    file::parse(&server.acl, path, &content, permission::new_channels(server))
}

const ACL_LOG: Command = Command {
    info: CommandInfo {
        name: "log",
        arity: Arity::AtLeast(2),
        since: "6.0.0",
        group: Group::Server,
        complexity: "O(N) with N being the number of entries shown.",
        summary: "Shows who was turned away lately, or forgets it.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[oneof("operation", &[integer("count"), token("reset", "RESET")]).optional()],
        ..INFO
    },
    handler: Handler::Server(acl_log),
};
fn acl_log(cx: &mut ServerContext<'_>) -> CommandResult {
    let count = match *cx.argv {
        [_, _] => LOG_COUNT,
        [_, _, word] if word.eq_ignore_ascii_case(b"reset") => {
            cx.server.acl.log.clear();
            cx.reply.ok();
            return Ok(Outcome::Done);
        }
        [_, _, count] => context::integer(count)?.max(0) as usize,
        _ => return Err(CommandError::subcommand_syntax("ACL", cx.argv[1])),
    };
    let log = &cx.server.acl.log;
    let (reply, now) = (&mut cx.reply, cx.now.unix());
    reply.array(count.min(log.entries().len()));
    for entry in log.entries().take(count) {
        reply.map(10);
        reply.bulk(b"count");
        reply.int(entry.count as i64);
        reply.bulk(b"reason");
        reply.bulk(entry.refusal.reason.name().as_bytes());
        reply.bulk(b"context");
        reply.bulk(entry.refusal.context.name().as_bytes());
        reply.bulk(b"object");
        reply.bulk(&entry.refusal.object);
        reply.bulk(b"username");
        reply.bulk(&entry.refusal.user);
        reply.bulk(b"age-seconds");
        reply.double_text(format_f64((now.0 - entry.created.0) as f64 / 1000.0).as_bytes());
        reply.bulk(b"client-info");
        reply.bulk(entry.client.as_bytes());
        reply.bulk(b"entry-id");
        reply.int(entry.id as i64);
        reply.bulk(b"timestamp-created");
        reply.int(entry.created.0);
        reply.bulk(b"timestamp-last-updated");
        reply.int(entry.updated.0);
    }
    Ok(Outcome::Done)
}

const ACL_SAVE: Command = Command {
    info: CommandInfo {
        name: "save",
        arity: Arity::Exactly(2),
        since: "6.0.0",
        group: Group::Server,
        complexity: "O(N). Where N is the number of configured users.",
        summary: "Writes the users to the ACL file.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(acl_save),
};
fn acl_save(cx: &mut ServerContext<'_>) -> CommandResult {
    let path = acl_file(cx.server)?;
    let content = file::write(&cx.server.acl);
    if let Err(error) = cx.server.host.replace_file(Path::new(&path), &content) {
        log::warning(&format!("Writing the ACL file {path} failed: {}", disk::reason(&error)));
        return Err(CommandError::err(
            "There was an error trying to save the ACLs. Please check the server logs for more information",
        ));
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}

const ACL_SETUSER: Command = Command {
    info: CommandInfo {
        name: "setuser",
        arity: Arity::AtLeast(3),
        since: "6.0.0",
        group: Group::Server,
        complexity: "O(N). Where N is the number of rules provided.",
        summary: "Makes a user, or changes one, by rules.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        arguments: &[string("username"), string("rule").multiple().optional()],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(acl_setuser),
};
fn acl_setuser(cx: &mut ServerContext<'_>) -> CommandResult {
    redact_all(cx);
    let name = cx.argv[2];
    if !acl::is_name(name) {
        return Err(CommandError::err("Usernames can't contain spaces or null characters"));
    }
    let new = permission::new_channels(cx.server);
    let user = cx.server.acl.edited(name, &cx.argv[3..], new).map_err(|error| CommandError::err(error.text()))?;
    cx.server.acl.put(user);
    let is_lost = permission::follow_users(cx.server, Some(cx.client));
    cx.reply.ok();
    Ok(if is_lost { Outcome::Close } else { Outcome::Done })
}

const ACL_USERS: Command = Command {
    info: CommandInfo {
        name: "users",
        arity: Arity::Exactly(2),
        since: "6.0.0",
        group: Group::Server,
        complexity: "O(N). Where N is the number of configured users.",
        summary: "Lists the names of all users.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(acl_users),
};
fn acl_users(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.reply.array(cx.server.acl.users().len());
    cx.server.acl.users().for_each(|user| cx.reply.bulk(&user.name));
    Ok(Outcome::Done)
}

const ACL_WHOAMI: Command = Command {
    info: CommandInfo {
        name: "whoami",
        arity: Arity::Exactly(2),
        since: "6.0.0",
        group: Group::Server,
        complexity: "O(1)",
        summary: "Says which user the client is.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(acl_whoami),
};
fn acl_whoami(cx: &mut ServerContext<'_>) -> CommandResult {
    let user = cx.client().user.clone();
    cx.reply.bulk(&user);
    Ok(Outcome::Done)
}

/// Rules hold passwords: none of them is shown anywhere.
fn redact_all(cx: &mut ServerContext<'_>) {
    (2..cx.argv.len()).for_each(|index| cx.redact(index));
}
