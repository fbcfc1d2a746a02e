//! Connections: who the client is, in which protocol it speaks, which database it sees.

mod client;
mod filter;
mod tracking;

use crate::acl::{Context, DEFAULT_USER};
use crate::base::shown::shown;
use crate::resp::{CommandError, Proto};
use crate::server::{self, context, permission, transaction};
use crate::server::{Client, ClientFlags, Command, CommandResult, Handler, Outcome, REDIS_VERSION, ServerContext};
use crate::spec::*;

use super::pubsub;

/// The family.
pub const COMMANDS: &[Command] = &[AUTH, client::CLIENT, ECHO, HELLO, PING, QUIT, RESET, SELECT];

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";

/// As this user the nodes of a cluster of Redis 8 speak with each other; no user can be called so.
const INTERNAL_CONNECTION: &[u8] = b"internal connection";

const AUTH: Command = Command {
    info: CommandInfo {
        name: "auth",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::Connection,
        complexity: "O(N) where N is the number of passwords of the user",
        summary: "Says who the client is by a password, and perhaps a user's name.",
        flags: Flags::ALLOW_BUSY
            .or(Flags::FAST)
            .or(Flags::LOADING)
            .or(Flags::NO_AUTH)
            .or(Flags::NOSCRIPT)
            .or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[string("username").optional().since("6.0.0"), string("password")],
        ..INFO
    },
    handler: Handler::Server(auth),
};
fn auth(cx: &mut ServerContext<'_>) -> CommandResult {
    (1..cx.argv.len()).for_each(|index| cx.redact(index));
    let (user, password) = match *cx.argv {
        [_, password] => {
            if cx.server.acl.default_user().no_password {
                return Err(CommandError::err(
                    "AUTH <password> called without any password configured for the default user. Are you sure your \
                     configuration is correct?",
                ));
            }
            (DEFAULT_USER, password)
        }
        [_, INTERNAL_CONNECTION, _] => {
            return Err(CommandError::err("Cannot authenticate as an internal connection on non-cluster instances"));
        }
        [_, user, password] => (user, password),
        _ => return Err(CommandError::Syntax),
    };
    authenticate(cx, user, password)?;
    cx.reply.ok();
    Ok(Outcome::Done)
}

/// Makes the client this user, if the password is right. Without a password any will do.
fn authenticate(cx: &mut ServerContext<'_>, user: &[u8], password: &[u8]) -> Result<(), CommandError> {
    if !cx.server.acl.user(user).is_some_and(|user| user.admits(password)) {
        let context = if cx.deny_blocking { Context::Multi } else { Context::Toplevel };
        permission::note_failed_login(cx.server, cx.client, cx.argv[0], user, context);
        return Err(CommandError::coded(WRONG_PASSWORD));
    }
    permission::log_in(cx.server, cx.client, user);
    Ok(())
}

const ECHO: Command = Command {
    info: CommandInfo {
        name: "echo",
        arity: Arity::Exactly(2),
        since: "1.0.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Repeats a message.",
        flags: Flags::FAST.or(Flags::LOADING).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[string("message")],
        ..INFO
    },
    handler: Handler::Server(echo),
};
fn echo(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.reply.bulk(cx.argv[1]);
    Ok(Outcome::Done)
}

const HELLO: Command = Command {
    info: CommandInfo {
        name: "hello",
        arity: Arity::AtLeast(1),
        since: "6.0.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Chooses the protocol version, perhaps authenticates and names the client, and tells about the server.",
        flags: Flags::ALLOW_BUSY
            .or(Flags::FAST)
            .or(Flags::LOADING)
            .or(Flags::NO_AUTH)
            .or(Flags::NOSCRIPT)
            .or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[block(
            "arguments",
            &[
                integer("protover"),
                block("auth", &[string("username"), string("password")]).token("AUTH").optional(),
                string("clientname").token("SETNAME").optional(),
            ],
        )
        .optional()],
        ..INFO
    },
    handler: Handler::Server(hello),
};
fn hello(cx: &mut ServerContext<'_>) -> CommandResult {
    let mut proto = None;
    let mut args = context::Args::new(cx.argv, 1);
    if let Some(version) = args.next() {
        proto = Some(match crate::base::number::parse_i64(version) {
            Some(2) => Proto::Resp2,
            Some(3) => Proto::Resp3,
            Some(_) => return Err(CommandError::coded("NOPROTO unsupported protocol version")),
            None => return Err(CommandError::err("Protocol version is not an integer or out of range")),
        });
    }
    let (mut credentials, mut name) = (None, None);
    while let Some(option) = args.next() {
        if option.eq_ignore_ascii_case(b"auth") && args.left() >= 2 {
            let at = args.position();
            (at..at + 2).for_each(|index| cx.redact(index));
            credentials = Some((args.required()?, args.required()?));
        } else if option.eq_ignore_ascii_case(b"setname") && args.left() >= 1 {
            let given = args.required()?;
            client::check_name(given)?;
            name = Some(given);
        } else {
            let option = shown(option);
            return Err(CommandError::err(format!("Syntax error in HELLO option '{option}'")));
        }
    }
    if let Some((user, password)) = credentials {
        authenticate(cx, user, password)?;
    }
    if !cx.client().is_authenticated() {
        return Err(CommandError::coded(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> \
             <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        cx.client().name = name.to_vec();
    }
    if let Some(proto) = proto {
        cx.client().proto = proto;
        cx.reply.set_proto(proto);
    }
    let id = cx.client.0;
    let zone = &cx.server.config.availability_zone;
    let reply = &mut cx.reply;
    reply.map(if zone.is_empty() { 7 } else { 8 });
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.int(if reply.is_resp3() { 3 } else { 2 });
    reply.bulk(b"id");
    reply.int(id as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
    if !zone.is_empty() {
        reply.bulk(b"availability_zone");
        reply.bulk(zone);
    }
    Ok(Outcome::Done)
}

const PING: Command = Command {
    info: CommandInfo {
        name: "ping",
        arity: Arity::AtLeast(1),
        since: "1.0.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Tells whether the server is alive, or repeats a message.",
        flags: Flags::FAST,
        categories: Categories::CONNECTION,
        arguments: &[string("message").optional()],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..INFO
    },
    handler: Handler::Server(ping),
};
fn ping(cx: &mut ServerContext<'_>) -> CommandResult {
    if cx.argv.len() > 2 {
        return Err(CommandError::Arity("ping".into()));
    }
    let message = cx.argv.get(1).copied();
    // A script is none, whoever runs it.
    let client = cx.client();
    let is_subscriber = client.is_subscriber() && client.own_proto.is_none();
    let is_subscriber = is_subscriber && !cx.reply.is_resp3();
    match message {
        _ if is_subscriber => {
            cx.reply.array(2);
            cx.reply.bulk(b"pong");
            cx.reply.bulk(message.unwrap_or_default());
        }
        Some(message) => cx.reply.bulk(message),
        None => cx.reply.simple("PONG"),
    }
    Ok(Outcome::Done)
}

const QUIT: Command = Command {
    info: CommandInfo {
        name: "quit",
        arity: Arity::AtLeast(1),
        since: "1.0.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Closes the connection.",
        flags: Flags::ALLOW_BUSY
            .or(Flags::FAST)
            .or(Flags::LOADING)
            .or(Flags::NO_AUTH)
            .or(Flags::NOSCRIPT)
            .or(Flags::STALE),
        categories: Categories::CONNECTION,
        deprecated: Some(("7.2.0", "just closing the connection")),
        ..INFO
    },
    handler: Handler::Server(quit),
};
fn quit(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.reply.ok();
    Ok(Outcome::Close)
}

const RESET: Command = Command {
    info: CommandInfo {
        name: "reset",
        arity: Arity::Exactly(1),
        since: "6.2.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Brings the connection back to the state of a new one.",
        flags: Flags::ALLOW_BUSY
            .or(Flags::FAST)
            .or(Flags::LOADING)
            .or(Flags::NO_AUTH)
            .or(Flags::NOSCRIPT)
            .or(Flags::STALE),
        categories: Categories::CONNECTION,
        ..INFO
    },
    handler: Handler::Server(reset),
};
fn reset(cx: &mut ServerContext<'_>) -> CommandResult {
    let id = cx.client;
    if let Some(place) = cx.server.clients.place(id) {
        transaction::discard(cx.server, place);
    }
    cx.server.monitors.retain(|&monitor| monitor != id);
    pubsub::unsubscribe_from_all(cx.server, id);
    server::tracking::disable(cx.server, id);
    permission::log_out(cx.server, id);
    let client = cx.client();
    let gone = [
        ClientFlags::MONITOR,
        ClientFlags::REPLY_OFF,
        ClientFlags::REPLY_SKIP,
        ClientFlags::REPLY_SKIP_NEXT,
        ClientFlags::NO_EVICT,
        ClientFlags::NO_TOUCH,
    ];
    client.flags = gone.into_iter().fold(client.flags, ClientFlags::without);
    let fresh = Client::default();
    client.db = fresh.db;
    client.proto = fresh.proto;
    client.name.clear();
    cx.reply.set_proto(Proto::Resp2);
    cx.reply.simple("RESET");
    Ok(Outcome::Done)
}

const SELECT: Command = Command {
    info: CommandInfo {
        name: "select",
        arity: Arity::Exactly(2),
        since: "1.0.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Chooses the database that the client's commands work on.",
        flags: Flags::FAST.or(Flags::LOADING).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[integer("index")],
        ..INFO
    },
    handler: Handler::Server(select),
};
fn select(cx: &mut ServerContext<'_>) -> CommandResult {
    let number = context::database_number(cx.argv[1])?;
    let index = cx.server.keyspace.index_of(number).ok_or(CommandError::err("DB index is out of range"))?;
    cx.client().db = index;
    cx.reply.ok();
    Ok(Outcome::Done)
}
