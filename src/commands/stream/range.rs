//! Reading entries by their IDs.

use crate::resp::CommandError;
use crate::server::context::Args;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;

use super::{end, read_stream, reply_entries, start};

pub(super) const XLEN: Command = Command {
    info: CommandInfo {
        name: "xlen",
        arity: Arity::Exactly(2),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(1)",
        summary: "Counts the entries of a stream.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RO)],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(xlen),
};

pub(super) const XRANGE: Command = Command {
    info: CommandInfo {
        name: "xrange",
        arity: Arity::AtLeast(4),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(log N + M) where N is the number of nodes and M the number of entries read",
        summary: "Reads the entries between two IDs.",
        flags: Flags::READONLY,
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("start"), string("end"), integer("count").token("COUNT").optional()],
        ..INFO
    },
    handler: Handler::Data(xrange),
};

pub(super) const XREVRANGE: Command = Command {
    info: CommandInfo {
        name: "xrevrange",
        arity: Arity::AtLeast(4),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(log N + M) where N is the number of nodes and M the number of entries read",
        summary: "Reads the entries between two IDs, the last first.",
        flags: Flags::READONLY,
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("end"), string("start"), integer("count").token("COUNT").optional()],
        ..INFO
    },
    handler: Handler::Data(xrevrange),
};

fn xlen(cx: &mut DataContext<'_>) -> CommandResult {
    let len = read_stream(&mut cx.db, cx.argv[1])?.map_or(0, |stream| stream.len());
    cx.reply.int(len as i64);
    Ok(Outcome::Done)
}

fn xrange(cx: &mut DataContext<'_>) -> CommandResult {
    let (from, to) = (start(cx.argv[2])?, end(cx.argv[3])?);
    let count = parse_count(cx.argv)?;
    let Some(stream) = read_stream(&mut cx.db, cx.argv[1])? else { return empty(cx) };
    if count == Some(0) {
        cx.reply.null_array();
        return Ok(Outcome::Done);
    }
    reply_entries(&mut cx.reply, stream.range(from, to).take(count.unwrap_or(usize::MAX)));
    Ok(Outcome::Done)
}

fn xrevrange(cx: &mut DataContext<'_>) -> CommandResult {
    let (from, to) = (start(cx.argv[3])?, end(cx.argv[2])?);
    let count = parse_count(cx.argv)?;
    let Some(stream) = read_stream(&mut cx.db, cx.argv[1])? else { return empty(cx) };
    if count == Some(0) {
        cx.reply.null_array();
        return Ok(Outcome::Done);
    }
    reply_entries(&mut cx.reply, stream.range_back(from, to).take(count.unwrap_or(usize::MAX)));
    Ok(Outcome::Done)
}

fn empty(cx: &mut DataContext<'_>) -> CommandResult {
    cx.reply.array(0);
    Ok(Outcome::Done)
}

/// COUNT; a negative one is none.
fn parse_count(argv: &[&[u8]]) -> Result<Option<usize>, CommandError> {
    let mut args = Args::new(argv, 4);
    let mut count = None;
    while args.left() > 0 {
        if args.left() < 2 || !args.take_word("COUNT") {
            return Err(CommandError::Syntax);
        }
        count = Some(usize::try_from(args.integer()?.max(0)).unwrap_or(usize::MAX));
    }
    Ok(count)
}
