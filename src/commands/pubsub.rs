//! Publish and subscribe: messages to whoever listens to a channel, a pattern or a shard channel.

use crate::base::glob::{self, Case};
use crate::pubsub::Kind;
use crate::server::{ClientFlags, ClientId, Command, CommandResult, Handler, Outcome, Server, ServerContext, messages};
use crate::spec::*;

use super::help;

/// The family.
pub const COMMANDS: &[Command] =
    &[PSUBSCRIBE, PUBLISH, PUBSUB, PUNSUBSCRIBE, SPUBLISH, SSUBSCRIBE, SUBSCRIBE, SUNSUBSCRIBE, UNSUBSCRIBE];

const PSUBSCRIBE: Command = Command {
    info: CommandInfo {
        name: "psubscribe",
        arity: Arity::AtLeast(2),
        since: "2.0.0",
        group: Group::Pubsub,
        complexity: "O(N) where N is the number of patterns to subscribe to.",
        summary: "Listens to all channels whose names match patterns.",
        flags: Flags::DENYOOM.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::PUBSUB).or(Flags::STALE),
        arguments: &[pattern("pattern").multiple()],
        ..INFO
    },
    handler: Handler::Server(psubscribe),
};
fn psubscribe(cx: &mut ServerContext<'_>) -> CommandResult {
    subscribe_to(cx, Kind::Pattern, b"psubscribe")
}

const PUBLISH: Command = Command {
    info: CommandInfo {
        name: "publish",
        arity: Arity::Exactly(3),
        since: "2.0.0",
        group: Group::Pubsub,
        complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).",
        summary: "Sends a message to all who listen to a channel.",
        flags: Flags::FAST.or(Flags::LOADING).or(Flags::PUBSUB).or(Flags::STALE),
        arguments: &[string("channel"), string("message")],
        ..INFO
    },
    handler: Handler::Server(publish),
};
fn publish(cx: &mut ServerContext<'_>) -> CommandResult {
    publish_to(cx, Kind::Channel)
}

const PUBSUB: Command = Command {
    info: CommandInfo {
        name: "pubsub",
        arity: Arity::AtLeast(2),
        since: "2.8.0",
        group: Group::Pubsub,
        complexity: "Depends on subcommand.",
        summary: "Holds the commands that tell who listens to what.",
        flags: Flags::NONE,
        ..INFO
    },
    handler: Handler::Container(&[
        PUBSUB_CHANNELS,
        PUBSUB_HELP,
        PUBSUB_NUMPAT,
        PUBSUB_NUMSUB,
        PUBSUB_SHARDCHANNELS,
        PUBSUB_SHARDNUMSUB,
    ]),
};

const PUBSUB_CHANNELS: Command = Command {
    info: CommandInfo {
        name: "channels",
        arity: Arity::AtLeast(2),
        since: "2.8.0",
        group: Group::Pubsub,
        complexity: "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)",
        summary: "Lists the channels that somebody listens to.",
        flags: Flags::LOADING.or(Flags::PUBSUB).or(Flags::STALE),
        arguments: &[pattern("pattern").optional()],
        ..INFO
    },
    handler: Handler::Server(pubsub_channels),
};
fn pubsub_channels(cx: &mut ServerContext<'_>) -> CommandResult {
    list(cx, Kind::Channel)
}

const PUBSUB_HELP: Command = Command {
    info: CommandInfo {
        name: "help",
        arity: Arity::Exactly(2),
        since: "6.2.0",
        group: Group::Pubsub,
        complexity: "O(1)",
        summary: "Lists the subcommands.",
        flags: Flags::LOADING.or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(pubsub_help),
};
fn pubsub_help(cx: &mut ServerContext<'_>) -> CommandResult {
    help::write(
        &mut cx.reply,
        "PUBSUB",
        &[
            ("CHANNELS [<pattern>]", &["Channels that somebody listens to, by name (default: all)."]),
            ("NUMPAT", &["The number of patterns that somebody listens to."]),
            ("NUMSUB [<channel> ...]", &["How many clients listen to each of these channels by name."]),
            ("SHARDCHANNELS [<pattern>]", &["Shard channels that somebody listens to (default: all)."]),
            ("SHARDNUMSUB [<shardchannel> ...]", &["How many clients listen to each of these shard channels."]),
        ],
    );
    Ok(Outcome::Done)
}

const PUBSUB_NUMPAT: Command = Command {
    info: CommandInfo {
        name: "numpat",
        arity: Arity::Exactly(2),
        since: "2.8.0",
        group: Group::Pubsub,
        complexity: "O(1)",
        summary: "Counts the patterns that somebody listens to.",
        flags: Flags::LOADING.or(Flags::PUBSUB).or(Flags::STALE),
        ..INFO
    },
    handler: Handler::Server(pubsub_numpat),
};
fn pubsub_numpat(cx: &mut ServerContext<'_>) -> CommandResult {
    cx.reply.int(cx.server.pubsub.names(Kind::Pattern).len() as i64);
    Ok(Outcome::Done)
}

const PUBSUB_NUMSUB: Command = Command {
    info: CommandInfo {
        name: "numsub",
        arity: Arity::AtLeast(2),
        since: "2.8.0",
        group: Group::Pubsub,
        complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        summary: "Counts who listens to each of some channels.",
        flags: Flags::LOADING.or(Flags::PUBSUB).or(Flags::STALE),
        arguments: &[string("channel").multiple().optional()],
        ..INFO
    },
    handler: Handler::Server(pubsub_numsub),
};
fn pubsub_numsub(cx: &mut ServerContext<'_>) -> CommandResult {
    count(cx, Kind::Channel)
}

const PUBSUB_SHARDCHANNELS: Command = Command {
    info: CommandInfo {
        name: "shardchannels",
        arity: Arity::AtLeast(2),
        since: "7.0.0",
        group: Group::Pubsub,
        complexity: "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).",
        summary: "Lists the shard channels that somebody listens to.",
        flags: Flags::LOADING.or(Flags::PUBSUB).or(Flags::STALE),
        arguments: &[pattern("pattern").optional()],
        ..INFO
    },
    handler: Handler::Server(pubsub_shardchannels),
};
fn pubsub_shardchannels(cx: &mut ServerContext<'_>) -> CommandResult {
    list(cx, Kind::Shard)
}

const PUBSUB_SHARDNUMSUB: Command = Command {
    info: CommandInfo {
        name: "shardnumsub",
        arity: Arity::AtLeast(2),
        since: "7.0.0",
        group: Group::Pubsub,
        complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        summary: "Counts who listens to each of some shard channels.",
        flags: Flags::LOADING.or(Flags::PUBSUB).or(Flags::STALE),
        arguments: &[string("shardchannel").multiple().optional()],
        ..INFO
    },
    handler: Handler::Server(pubsub_shardnumsub),
};
fn pubsub_shardnumsub(cx: &mut ServerContext<'_>) -> CommandResult {
    count(cx, Kind::Shard)
}

const PUNSUBSCRIBE: Command = Command {
    info: CommandInfo {
        name: "punsubscribe",
        arity: Arity::AtLeast(1),
        since: "2.0.0",
        group: Group::Pubsub,
        complexity: "O(N) where N is the number of patterns to unsubscribe.",
        summary: "Listens no longer to channels by patterns.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::PUBSUB).or(Flags::STALE),
        arguments: &[pattern("pattern").multiple().optional()],
        ..INFO
    },
    handler: Handler::Server(punsubscribe),
};
fn punsubscribe(cx: &mut ServerContext<'_>) -> CommandResult {
    unsubscribe_from(cx, Kind::Pattern, b"punsubscribe")
}

const SPUBLISH: Command = Command {
    info: CommandInfo {
        name: "spublish",
        arity: Arity::Exactly(3),
        since: "7.0.0",
        group: Group::Pubsub,
        complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
        summary: "Sends a message to all who listen to a shard channel.",
        flags: Flags::FAST.or(Flags::LOADING).or(Flags::PUBSUB).or(Flags::STALE),
        keys: &[KeySpec::first(KeyFlags::NOT_KEY)],
        arguments: &[string("shardchannel"), string("message")],
        ..INFO
    },
    handler: Handler::Server(spublish),
};
fn spublish(cx: &mut ServerContext<'_>) -> CommandResult {
    publish_to(cx, Kind::Shard)
}

const SSUBSCRIBE: Command = Command {
    info: CommandInfo {
        name: "ssubscribe",
        arity: Arity::AtLeast(2),
        since: "7.0.0",
        group: Group::Pubsub,
        complexity: "O(N) where N is the number of shard channels to subscribe to.",
        summary: "Listens to shard channels.",
        flags: Flags::DENYOOM.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::PUBSUB).or(Flags::STALE),
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::NOT_KEY)],
        arguments: &[string("shardchannel").multiple()],
        ..INFO
    },
    handler: Handler::Server(ssubscribe),
};
fn ssubscribe(cx: &mut ServerContext<'_>) -> CommandResult {
    subscribe_to(cx, Kind::Shard, b"ssubscribe")
}

const SUBSCRIBE: Command = Command {
    info: CommandInfo {
        name: "subscribe",
        arity: Arity::AtLeast(2),
        since: "2.0.0",
        group: Group::Pubsub,
        complexity: "O(N) where N is the number of channels to subscribe to.",
        summary: "Listens to channels.",
        flags: Flags::DENYOOM.or(Flags::LOADING).or(Flags::NOSCRIPT).or(Flags::PUBSUB).or(Flags::STALE),
        arguments: &[string("channel").multiple()],
        ..INFO
    },
    handler: Handler::Server(subscribe),
};
fn subscribe(cx: &mut ServerContext<'_>) -> CommandResult {
    subscribe_to(cx, Kind::Channel, b"subscribe")
}

const SUNSUBSCRIBE: Command = Command {
    info: CommandInfo {
        name: "sunsubscribe",
        arity: Arity::AtLeast(1),
        since: "7.0.0",
        group: Group::Pubsub,
        complexity: "O(N) where N is the number of shard channels to unsubscribe.",
        summary: "Listens no longer to shard channels.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::PUBSUB).or(Flags::STALE),
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::NOT_KEY)],
        arguments: &[string("shardchannel").multiple().optional()],
        ..INFO
    },
    handler: Handler::Server(sunsubscribe),
};
fn sunsubscribe(cx: &mut ServerContext<'_>) -> CommandResult {
    unsubscribe_from(cx, Kind::Shard, b"sunsubscribe")
}

const UNSUBSCRIBE: Command = Command {
    info: CommandInfo {
        name: "unsubscribe",
        arity: Arity::AtLeast(1),
        since: "2.0.0",
        group: Group::Pubsub,
        complexity: "O(N) where N is the number of channels to unsubscribe.",
        summary: "Listens no longer to channels.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::PUBSUB).or(Flags::STALE),
        arguments: &[string("channel").multiple().optional()],
        ..INFO
    },
    handler: Handler::Server(unsubscribe),
};
fn unsubscribe(cx: &mut ServerContext<'_>) -> CommandResult {
    unsubscribe_from(cx, Kind::Channel, b"unsubscribe")
}

fn publish_to(cx: &mut ServerContext<'_>, kind: Kind) -> CommandResult {
    let epoch = cx.server.clients.place(cx.client).map_or(0, |place| messages::known_to(cx.server, place));
    let receivers = messages::publish(cx.server, kind, cx.argv[1], cx.argv[2], epoch);
    cx.reply.int(receivers as i64);
    Ok(Outcome::Done)
}

fn subscribe_to(cx: &mut ServerContext<'_>, kind: Kind, label: &[u8]) -> CommandResult {
    for &name in &cx.argv[1..] {
        let id = cx.client;
        let client = cx.client();
        let subscriptions = client.subscriptions.get_or_insert_default();
        let is_new = subscriptions.of(kind).insert(name.to_vec());
        let total = subscriptions.count_like(kind);
        client.flags = client.flags.or(ClientFlags::PUBSUB);
        if is_new {
            cx.server.pubsub.subscribe(kind, name, id.0);
        }
        confirm(cx, label, Some(name), total);
    }
    Ok(Outcome::Done)
}

fn unsubscribe_from(cx: &mut ServerContext<'_>, kind: Kind, label: &[u8]) -> CommandResult {
    let named: Vec<Vec<u8>> = if cx.argv.len() > 1 {
        cx.argv[1..].iter().map(|name| name.to_vec()).collect()
    } else {
        cx.client().subscriptions.iter_mut().flat_map(|all| all.of(kind).iter().cloned()).collect()
    };
    for name in &named {
        let total = forget(cx.server, cx.client, kind, name);
        confirm(cx, label, Some(name), total);
    }
    if named.is_empty() {
        let total = cx.client().subscriptions.as_ref().map_or(0, |all| all.count_like(kind));
        confirm(cx, label, None, total);
    }
    Ok(Outcome::Done)
}

/// Ends one subscription. Returns how many of this sort are left.
fn forget(server: &mut Server, id: ClientId, kind: Kind, name: &[u8]) -> usize {
    server.pubsub.unsubscribe(kind, name, id.0);
    let Some(client) = server.clients.get_mut(id) else { return 0 };
    let Some(subscriptions) = &mut client.subscriptions else { return 0 };
    subscriptions.of(kind).remove(name);
    let left = subscriptions.count_like(kind);
    if subscriptions.is_empty() {
        client.subscriptions = None;
        client.flags = client.flags.without(ClientFlags::PUBSUB);
    }
    left
}

/// Ends all subscriptions without a word (RESET).
pub(super) fn unsubscribe_from_all(server: &mut Server, id: ClientId) {
    for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
        let Some(client) = server.clients.get_mut(id) else { return };
        let names: Vec<Vec<u8>> =
            client.subscriptions.iter_mut().flat_map(|all| all.of(kind).iter().cloned()).collect();
        names.iter().for_each(|name| {
            forget(server, id, kind, name);
        });
    }
}

/// Tells the client what it listens to. This is a message, not a reply: CLIENT REPLY does not mute it.
fn confirm(cx: &mut ServerContext<'_>, label: &[u8], name: Option<&[u8]>, total: usize) {
    messages::send_now(cx.server, cx.client, 0, |reply| {
        reply.push(3);
        reply.bulk(label);
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.int(total as i64);
    });
}

fn list(cx: &mut ServerContext<'_>, kind: Kind) -> CommandResult {
    if cx.argv.len() > 3 {
        return Err(crate::resp::CommandError::subcommand_syntax("PUBSUB", cx.argv[1]));
    }
    let pattern = cx.argv.get(2).copied();
    let is_wanted = |name: &[u8]| pattern.is_none_or(|pattern| glob::is_match(pattern, name, Case::Sensitive));
    let mark = cx.reply.mark();
    let mut count = 0;
    for (name, _) in cx.server.pubsub.names(kind).filter(|(name, _)| is_wanted(name)) {
        cx.reply.bulk(name);
        count += 1;
    }
    cx.reply.array_at(mark, count);
    Ok(Outcome::Done)
}

fn count(cx: &mut ServerContext<'_>, kind: Kind) -> CommandResult {
    cx.reply.array((cx.argv.len() - 2) * 2);
    for name in &cx.argv[2..] {
        cx.reply.bulk(name);
        cx.reply.int(cx.server.pubsub.listeners(kind, name).len() as i64);
    }
    Ok(Outcome::Done)
}
