//! CLIENT: what clients are connected, and what one may set, ask and do about them.

use crate::base::shown::shown;
use crate::resp::CommandError;
use crate::server::context;
use crate::server::describe::describe;
use crate::server::{ClientFlags, ClientId, Command, CommandResult, Handler, Outcome, Pause, ServerContext, wake};
use crate::spec::*;

use super::filter::{Filter, Skip};
use super::tracking;
use crate::commands::help;

pub(super) const CLIENT: Command = Command {
    info: CommandInfo {
        name: "client",
        arity: Arity::AtLeast(2),
        since: "2.4.0",
        group: Group::Connection,
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about connected clients.",
        flags: Flags::NONE,
        ..INFO
    },
    handler: Handler::Container(&[
        CLIENT_GETNAME,
        tracking::CLIENT_CACHING,
        tracking::CLIENT_GETREDIR,
        CLIENT_HELP,
        CLIENT_ID,
        CLIENT_INFO,
        CLIENT_KILL,
        CLIENT_LIST,
        CLIENT_NO_EVICT,
        CLIENT_NO_TOUCH,
        CLIENT_PAUSE,
        CLIENT_REPLY,
        CLIENT_SETINFO,
        CLIENT_SETNAME,
        tracking::CLIENT_TRACKING,
        tracking::CLIENT_TRACKINGINFO,
        CLIENT_UNBLOCK,
        CLIENT_UNPAUSE,
    ]),
};

const CLIENT_GETNAME: Command = Command {
    info: CommandInfo {
        name: "getname",
        arity: Arity::Exactly(2),
        since: "2.6.9",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Tells the name of the connection.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        ..INFO
    },
    handler: Handler::Server(client_getname),
};
fn client_getname(cx: &mut ServerContext<'_>) -> CommandResult {
    let name = std::mem::take(&mut cx.client().name);
    if name.is_empty() {
        cx.reply.null()
    } else {
        cx.reply.bulk(&name)
    }
    cx.client().name = name;
    Ok(Outcome::Done)
}

const CLIENT_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "5.0.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Lists the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        categories: Categories::CONNECTION,
        ..INFO
    },
    handler: Handler::Server(client_help),
};
fn client_help(cx: &mut ServerContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "CLIENT",
        &[
            ("GETNAME", &["The name of this connection."]),
            ("CACHING (YES|NO)", &["Says whether what the next command reads is tracked."]),
            ("GETREDIR", &["The client to which invalidation messages go, if any."]),
            ("ID", &["The number of this connection."]),
            ("INFO", &["The line of CLIENT LIST about this connection."]),
            ("KILL <ip:port>", &["Closes the connection from this address."]),
            (
                "KILL <option> <value> [<option> <value> [...]]",
                &[
                    "Closes the connections to which all options apply:",
                    "* ADDR, LADDR (<ip:port>|<unixsocket>:0): the remote or local address.",
                    "* ID <client-id>: one connection.",
                    "* MAXAGE <seconds>: connections at least this old.",
                    "* SKIPME (YES|NO): whether this connection is spared (default: yes).",
                    "* TYPE (NORMAL|MASTER|REPLICA|PUBSUB): the kind of connection.",
                    "* USER <username>: connections of a user.",
                ],
            ),
            ("LIST [<option> <value> [...]]", &["One line for each connection; options as with KILL."]),
            ("NO-EVICT (ON|OFF)", &["Spares this connection when clients take too much memory."]),
            ("NO-TOUCH (ON|OFF)", &["Lets commands of this connection leave the access time of keys alone."]),
            ("PAUSE <timeout> [WRITE|ALL]", &["Holds back all commands, or those that write, for some milliseconds."]),
            ("REPLY (ON|OFF|SKIP)", &["Turns replies to this connection on or off."]),
            ("SETINFO <option> <value>", &["Tells about the client's library: LIB-NAME or LIB-VER."]),
            ("SETNAME <name>", &["Names this connection."]),
            (
                "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]] [OPTIN] [OPTOUT] [NOLOOP]",
                &["Lets the server tell of changes of the keys that this client caches."],
            ),
            ("TRACKINGINFO", &["What this client asked for by TRACKING."]),
            ("UNBLOCK <client-id> [TIMEOUT|ERROR]", &["Ends the waiting of a blocked connection."]),
            ("UNPAUSE", &["Ends a pause."]),
        ],
    );
    Ok(Outcome::Done)
}

const CLIENT_ID: Command = Command {
    info: CommandInfo {
        name: "id",
        arity: Arity::Exactly(2),
        since: "5.0.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Tells the number of the connection.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        ..INFO
    },
    handler: Handler::Server(client_id),
};
fn client_id(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.reply.int(cx.client.0 as i64);
    Ok(Outcome::Done)
}

const CLIENT_INFO: Command = Command {
    info: CommandInfo {
        name: "info",
        arity: Arity::Exactly(2),
        since: "6.2.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Describes the connection in one line.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Server(client_info),
};
fn client_info(cx: &mut ServerContext<'_>) -> CommandResult {
    note_request(cx);
    let line = cx.server.clients.get(cx.client).map(|client| describe(cx.server, client));
    cx.client().request_bytes = (0, 0);
    cx.reply.verbatim(b"txt", format!("{}\n", line.unwrap_or_default()).as_bytes());
    Ok(Outcome::Done)
}

const CLIENT_KILL: Command = Command {
    info: CommandInfo {
        name: "kill",
        arity: Arity::AtLeast(3),
        since: "2.4.0",
        group: Group::Connection,
        complexity: "O(N) where N is the number of client connections",
        summary: "Closes connections.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[oneof(
            "filter",
            &[
                string("old-format").deprecated("2.8.12").display("ip:port"),
                oneof(
                    "new-format",
                    &[
                        integer("client-id").token("ID").optional().since("2.8.12"),
                        oneof(
                            "client-type",
                            &[
                                token("normal", "NORMAL"),
                                token("master", "MASTER").since("3.2.0"),
                                token("slave", "SLAVE"),
                                token("replica", "REPLICA").since("5.0.0"),
                                token("pubsub", "PUBSUB"),
                            ],
                        )
                        .token("TYPE")
                        .optional()
                        .since("2.8.12"),
                        string("username").token("USER").optional(),
                        string("addr").token("ADDR").optional().display("ip:port"),
                        string("laddr").token("LADDR").optional().since("6.2.0").display("ip:port"),
                        oneof("skipme", &[token("yes", "YES"), token("no", "NO")]).token("SKIPME").optional(),
                        integer("maxage").token("MAXAGE").optional().since("7.4.0"),
                    ],
                )
                .multiple(),
            ],
        )],
        ..INFO
    },
    handler: Handler::Server(client_kill),
};
fn client_kill(cx: &mut ServerContext<'_>) -> CommandResult {
    let is_old_form = cx.argv.len() == 3;
    let filter = if is_old_form { Filter::of_addr(cx.argv[2]) } else { Filter::parse(cx, Skip::Me)? };
    let mut victims: Vec<ClientId> = Vec::new();
    for client in cx.server.clients.iter() {
        if !client.flags.has(ClientFlags::CLOSING) && filter.matches(cx.server, client, cx.client) {
            victims.push(client.id);
        }
    }
    if is_old_form && victims.is_empty() {
        return Err(CommandError::err("No such client"));
    }
    let mut close_me = false;
    for &id in &victims {
        if id == cx.client {
            close_me = true;
        } else {
            wake::forget_blocked(cx.server, id);
            cx.server.close_client(id, false);
        }
    }
    if is_old_form {
        cx.reply.ok()
    } else {
        cx.reply.int(victims.len() as i64)
    }
    Ok(if close_me { Outcome::Close } else { Outcome::Done })
}

const CLIENT_LIST: Command = Command {
    info: CommandInfo {
        name: "list",
        arity: Arity::AtLeast(2),
        since: "2.4.0",
        group: Group::Connection,
        complexity: "O(N) where N is the number of client connections",
        summary: "Describes each connection in a line.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[
            oneof(
                "client-type",
                &[
                    token("normal", "NORMAL"),
                    token("master", "MASTER"),
                    token("replica", "REPLICA"),
                    token("pubsub", "PUBSUB"),
                ],
            )
            .token("TYPE")
            .optional()
            .since("5.0.0"),
            integer("client-id").token("ID").multiple().optional().since("6.2.0"),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Server(client_list),
};
fn client_list(cx: &mut ServerContext<'_>) -> CommandResult {
    let filter = Filter::parse(cx, Skip::Nobody)?;
    note_request(cx);
    let mut text = String::new();
    for client in cx.server.clients.iter() {
        if !client.flags.has(ClientFlags::CLOSING) && filter.matches(cx.server, client, cx.client) {
            text.push_str(&describe(cx.server, client));
            text.push('\n');
        }
    }
    cx.client().request_bytes = (0, 0);
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Outcome::Done)
}

/// The request in hand counts as input that is not used yet.
fn note_request(cx: &mut ServerContext<'_>) {
    let digits = |number: usize| number.checked_ilog10().unwrap_or(0) as usize + 1;
    let args: usize = cx.argv.iter().map(|arg| arg.len()).sum();
    let lengths: usize = cx.argv.iter().map(|arg| digits(arg.len()) + 5).sum();
    cx.client().request_bytes = (digits(cx.argv.len()) + 3 + lengths + args, args);
}

const CLIENT_NO_EVICT: Command = Command {
    info: CommandInfo {
        name: "no-evict",
        arity: Arity::Exactly(3),
        since: "7.0.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Spares the connection when clients take too much memory, or does so no longer.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[oneof("enabled", &[token("on", "ON"), token("off", "OFF")])],
        ..INFO
    },
    handler: Handler::Server(client_no_evict),
};
fn client_no_evict(cx: &mut ServerContext<'_>) -> CommandResult {
    switch(cx, ClientFlags::NO_EVICT)
}

const CLIENT_NO_TOUCH: Command = Command {
    info: CommandInfo {
        name: "no-touch",
        arity: Arity::Exactly(3),
        since: "7.2.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Lets commands of the connection leave access times alone, or does so no longer.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[oneof("enabled", &[token("on", "ON"), token("off", "OFF")])],
        ..INFO
    },
    handler: Handler::Server(client_no_touch),
};
fn client_no_touch(cx: &mut ServerContext<'_>) -> CommandResult {
    switch(cx, ClientFlags::NO_TOUCH)
}

fn switch(cx: &mut ServerContext<'_>, flag: ClientFlags) -> CommandResult {
    let word = cx.argv[2];
    let client = cx.client();
    if word.eq_ignore_ascii_case(b"on") {
        client.flags = client.flags.or(flag);
    } else if word.eq_ignore_ascii_case(b"off") {
        client.flags = client.flags.without(flag);
    } else {
        return Err(CommandError::Syntax);
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}

const CLIENT_PAUSE: Command = Command {
    info: CommandInfo {
        name: "pause",
        arity: Arity::AtLeast(3),
        since: "3.0.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Holds back commands of all clients for a while.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[
            integer("timeout"),
            oneof("mode", &[token("write", "WRITE"), token("all", "ALL")]).optional().since("6.2.0"),
        ],
        ..INFO
    },
    handler: Handler::Server(client_pause),
};
fn client_pause(cx: &mut ServerContext<'_>) -> CommandResult {
    let writes_only = match cx.argv.get(3) {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"all") => false,
        Some(word) if word.eq_ignore_ascii_case(b"write") => true,
        Some(_) => return Err(CommandError::err("CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let ms = context::timeout_whole_ms(cx.argv[2], cx.now.unix())?;
    let until = cx.now.mono.plus_us(ms.saturating_mul(1000));
    // A pause in force is only ever made stronger.
    let before = cx.server.pause;
    let in_force = before.until.filter(|&before| before > cx.now.mono);
    cx.server.pause = Pause {
        until: Some(in_force.map_or(until, |before| before.max(until))),
        writes_only: writes_only && (in_force.is_none() || before.writes_only),
    };
    cx.server.follow_pause();
    cx.reply.ok();
    Ok(Outcome::Done)
}

const CLIENT_REPLY: Command = Command {
    info: CommandInfo {
        name: "reply",
        arity: Arity::Exactly(3),
        since: "3.2.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Turns replies to the connection on or off, or skips one.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[oneof("action", &[token("on", "ON"), token("off", "OFF"), token("skip", "SKIP")])],
        ..INFO
    },
    handler: Handler::Server(client_reply),
};
fn client_reply(cx: &mut ServerContext<'_>) -> CommandResult {
    let word = cx.argv[2];
    let client = cx.client();
    let off = ClientFlags::REPLY_OFF;
    if word.eq_ignore_ascii_case(b"on") {
        client.flags = client.flags.without(off.or(ClientFlags::REPLY_SKIP));
        cx.reply.ok();
    } else if word.eq_ignore_ascii_case(b"off") {
        client.flags = client.flags.or(off);
    } else if word.eq_ignore_ascii_case(b"skip") {
        if !client.flags.has(off) {
            client.flags = client.flags.or(ClientFlags::REPLY_SKIP_NEXT);
        }
    } else {
        return Err(CommandError::Syntax);
    }
    Ok(Outcome::Done)
}

const CLIENT_SETINFO: Command = Command {
    info: CommandInfo {
        name: "setinfo",
        arity: Arity::Exactly(4),
        since: "7.2.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Tells the server about the client's library.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[oneof("attr", &[string("libname").token("LIB-NAME"), string("libver").token("LIB-VER")])],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(client_setinfo),
};
fn client_setinfo(cx: &mut ServerContext<'_>) -> CommandResult {
    let (option, value) = (cx.argv[2], cx.argv[3]);
    let is_name = option.eq_ignore_ascii_case(b"lib-name");
    if !is_name && !option.eq_ignore_ascii_case(b"lib-ver") {
        return Err(CommandError::err(format!("Unrecognized option '{}'", shown(option))));
    }
    if !is_printable(value) {
        let option = if is_name { "lib-name" } else { "lib-ver" };
        return Err(CommandError::err(format!("{option} cannot contain spaces, newlines or special characters.")));
    }
    let client = cx.client();
    *(if is_name { &mut client.lib_name } else { &mut client.lib_ver }) = value.to_vec();
    cx.reply.ok();
    Ok(Outcome::Done)
}

const CLIENT_SETNAME: Command = Command {
    info: CommandInfo {
        name: "setname",
        arity: Arity::Exactly(3),
        since: "2.6.9",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Names the connection.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[string("connection-name")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(client_setname),
};
fn client_setname(cx: &mut ServerContext<'_>) -> CommandResult {
    check_name(cx.argv[2])?;
    cx.client().name = cx.argv[2].to_vec();
    cx.reply.ok();
    Ok(Outcome::Done)
}

/// May a connection be called this?
pub(super) fn check_name(name: &[u8]) -> Result<(), CommandError> {
    if is_printable(name) {
        return Ok(());
    }
    Err(CommandError::err("Client names cannot contain spaces, newlines or special characters."))
}

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

const CLIENT_UNBLOCK: Command = Command {
    info: CommandInfo {
        name: "unblock",
        arity: Arity::AtLeast(3),
        since: "5.0.0",
        group: Group::Connection,
        complexity: "O(log N) where N is the number of client connections",
        summary: "Ends the waiting of a blocked client.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[
            integer("client-id"),
            oneof("unblock-type", &[token("timeout", "TIMEOUT"), token("error", "ERROR")]).optional(),
        ],
        ..INFO
    },
    handler: Handler::Server(client_unblock),
};
fn client_unblock(cx: &mut ServerContext<'_>) -> CommandResult {
    if cx.argv.len() > 4 {
        return Err(CommandError::subcommand_syntax("CLIENT", cx.argv[1]));
    }
    let error = match cx.argv.get(3) {
        None => None,
        Some(word) if word.eq_ignore_ascii_case(b"timeout") => None,
        Some(word) if word.eq_ignore_ascii_case(b"error") => Some("UNBLOCKED client unblocked via CLIENT UNBLOCK"),
        Some(_) => return Err(CommandError::err("CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
    };
    let id = ClientId(context::integer(cx.argv[2])? as u64);
    let done = wake::unblock_client(cx.server, id, error);
    cx.reply.int(i64::from(done));
    Ok(Outcome::Done)
}

const CLIENT_UNPAUSE: Command = Command {
    info: CommandInfo {
        name: "unpause",
        arity: Arity::Exactly(2),
        since: "6.2.0",
        group: Group::Connection,
        complexity: "O(N) where N is the number of paused clients",
        summary: "Ends a pause.",
        flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        ..INFO
    },
    handler: Handler::Server(client_unpause),
};
fn client_unpause(cx: &mut ServerContext<'_>) -> CommandResult {
    if let Some(until) = &mut cx.server.pause.until {
        // The turn's end lets the clients go on that were held back.
        *until = cx.now.mono;
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}
