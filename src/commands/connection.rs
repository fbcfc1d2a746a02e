//! Connections: who the client is, in which protocol it speaks, and what it may know of itself.

use crate::server::{Command, CommandResult, Handler, Outcome, ServerContext};
use crate::spec::{Arity, Categories, CommandInfo, Flags, Group, INFO, string};

/// The family.
pub const COMMANDS: &[Command] = &[PING];

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
        return Err(crate::resp::CommandError::Arity("ping".into()));
    }
    let message = cx.argv.get(1).copied();
    let is_subscriber = !cx.reply.is_resp3() && cx.client().is_subscriber();
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
