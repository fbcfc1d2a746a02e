//! A client in one line, as CLIENT LIST and the log show it.

use crate::resp::Proto;

use super::{Client, ClientFlags, Server};

/// Replies up to this size are told of as one buffer, longer ones as a list.
const BUFFER_MAX: usize = 16 * 1024;

/// The size of a buffer that holds what a client's replies took lately. Buffers go from client to client; this is what
/// one of its own would be.
fn buffer_size(peak: usize) -> usize {
    peak.next_power_of_two().clamp(1024, BUFFER_MAX)
}

/// The letters of what a client is; `N` for nothing in particular.
pub fn flag_letters(client: &Client) -> String {
    let mut flags = client.flags;
    if flags.has(ClientFlags::PAUSED) {
        flags = flags.or(ClientFlags::BLOCKED);
    }
    let letters: String = flags.names().collect();
    if letters.is_empty() { "N".to_owned() } else { letters }
}

/// The line about a client, without its end.
pub fn describe(server: &Server, client: &Client) -> String {
    let now = server.now.mono;
    let seconds = |since| now.since(since) / 1_000_000;
    let (channels, patterns, shard_channels) = client
        .subscriptions
        .as_ref()
        .map_or((0, 0, 0), |all| (all.channels.len(), all.patterns.len(), all.shard_channels.len()));
    let text = String::from_utf8_lossy;
    let list_bytes = client.out.limited_bytes();
    let buffer = client.out.len() - list_bytes;
    let list = if list_bytes > 0 { client.out.piece_count() + 1 } else { 0 };
    let queued =
        client.flags.has(ClientFlags::MULTI).then(|| client.multi.as_ref().map_or(0, |multi| multi.queue.len()));
    let command = client.last_command.map_or("NULL", |id| server.commands.entry(id).full_name.as_str());
    let query = client.unparsed_bytes() + client.request_bytes.0;
    format!(
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={channels} psub={patterns} \
         ssub={shard_channels} multi={} watch={} qbuf={query} qbuf-free={} argv-mem={} multi-mem={} rbs={} rbp={} \
         obl={buffer} oll={list} omem={list_bytes} tot-mem={} events={} cmd={command} user={} redir={} resp={} \
         lib-name={} lib-ver={} io-thread=0 tot-net-in={} tot-net-out={} tot-cmds={}",
        client.id.0,
        client.addr,
        client.laddr,
        client.fd,
        text(&client.name),
        seconds(client.created),
        seconds(client.last_interaction),
        flag_letters(client),
        client.db.0,
        queued.map_or(-1, |count| count as i64),
        client.watched.len(),
        client.query_capacity().saturating_sub(client.query_bytes()),
        client.blocked.as_ref().map_or(client.request_bytes.1, |blocked| blocked.argv.iter().map(Vec::len).sum()),
        client.multi.as_ref().map_or(0, |multi| multi.bytes),
        buffer_size(client.buf_peak),
        client.buf_peak.min(BUFFER_MAX),
        client.memory_bytes(),
        if client.pending_write { "rw" } else { "r" },
        text(&client.user),
        client.tracking.as_ref().map_or(-1, |options| options.redirect.map_or(0, |target| target.0 as i64)),
        if client.proto == Proto::Resp3 { 3 } else { 2 },
        text(&client.lib_name),
        text(&client.lib_ver),
        client.net_input_bytes,
        client.net_output_bytes,
        client.commands_processed,
    )
}
