//! Taking elements from the ends of lists, and waiting until there are some.

use crate::keyspace::Notify;
use crate::resp::CommandError;
use crate::server::context::{Args, integer as parse_integer, timeout_ms};
use crate::server::{Block, Command, CommandResult, DataContext, Handler, Outcome, TimeoutReply};
use crate::spec::*;
use crate::storage::Type;
use crate::types::list::{self, End};

use super::{delete_if_empty, len_to_change, limits, reply_entry, write};

pub(super) const BLMPOP: Command = Command {
    info: CommandInfo {
        name: "blmpop",
        arity: Arity::AtLeast(5),
        since: "7.0.0",
        group: Group::List,
        complexity: "O(N+M) where N is the number of keys and M the number of elements taken",
        summary: "Takes elements from the first of several lists that has any, waiting until one has.",
        flags: Flags::BLOCKING.or(Flags::MOVABLEKEYS).or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[KeySpec::counted(2, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[
            double("timeout"),
            integer("numkeys"),
            key("key", 0).multiple(),
            oneof("where", &[token("left", "LEFT"), token("right", "RIGHT")]),
            integer("count").token("COUNT").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(blmpop),
};

pub(super) const BLPOP: Command = Command {
    info: CommandInfo {
        name: "blpop",
        arity: Arity::AtLeast(3),
        since: "2.0.0",
        group: Group::List,
        complexity: "O(N) where N is the number of keys",
        summary: "Takes the first element of the first list that has one, waiting until one has.",
        flags: Flags::BLOCKING.or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[KeySpec::range(1, -2, 1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[key("key", 0).multiple(), double("timeout")],
        ..INFO
    },
    handler: Handler::Data(blpop),
};

pub(super) const BRPOP: Command = Command {
    info: CommandInfo {
        name: "brpop",
        arity: Arity::AtLeast(3),
        since: "2.0.0",
        group: Group::List,
        complexity: "O(N) where N is the number of keys",
        summary: "Takes the last element of the first list that has one, waiting until one has.",
        flags: Flags::BLOCKING.or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[KeySpec::range(1, -2, 1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[key("key", 0).multiple(), double("timeout")],
        ..INFO
    },
    handler: Handler::Data(brpop),
};

pub(super) const LMPOP: Command = Command {
    info: CommandInfo {
        name: "lmpop",
        arity: Arity::AtLeast(4),
        since: "7.0.0",
        group: Group::List,
        complexity: "O(N+M) where N is the number of keys and M the number of elements taken",
        summary: "Takes elements from the first of several lists that has any.",
        flags: Flags::MOVABLEKEYS.or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[KeySpec::counted(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[
            integer("numkeys"),
            key("key", 0).multiple(),
            oneof("where", &[token("left", "LEFT"), token("right", "RIGHT")]),
            integer("count").token("COUNT").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(lmpop),
};

pub(super) const LPOP: Command = Command {
    info: CommandInfo {
        name: "lpop",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::List,
        complexity: "O(N) where N is the number of elements taken",
        summary: "Takes elements from the front of a list.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), integer("count").optional().since("6.2.0")],
        ..INFO
    },
    handler: Handler::Data(lpop),
};

pub(super) const RPOP: Command = Command {
    info: CommandInfo {
        name: "rpop",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::List,
        complexity: "O(N) where N is the number of elements taken",
        summary: "Takes elements from the back of a list.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), integer("count").optional().since("6.2.0")],
        ..INFO
    },
    handler: Handler::Data(rpop),
};

/// The end that an argument names.
pub(super) fn parse_end(arg: &[u8]) -> Result<End, CommandError> {
    if arg.eq_ignore_ascii_case(b"LEFT") {
        Ok(End::Front)
    } else if arg.eq_ignore_ascii_case(b"RIGHT") {
        Ok(End::Back)
    } else {
        Err(CommandError::Syntax)
    }
}

/// The event of taking from an end.
pub(super) fn popped(end: End) -> &'static str {
    if end == End::Front { "lpop" } else { "rpop" }
}

/// The command that takes from an end.
fn pop_name(end: End) -> &'static [u8] {
    if end == End::Front { b"LPOP" } else { b"RPOP" }
}

/// Takes up to `count` elements of a list that exists, and writes them. Returns how many.
fn pop_into_reply(cx: &mut DataContext<'_>, key: &[u8], end: End, count: usize) -> Result<usize, CommandError> {
    let limits = limits(cx);
    let mut taken = 0;
    if let Some(mut entry) = write(&mut cx.db, key)? {
        while taken < count && list::pop(&mut entry, end, |entry| reply_entry(&mut cx.reply, entry)).is_some() {
            taken += 1;
        }
        list::shrink(&mut entry, limits);
    }
    cx.db.modified_times(key, taken as u64);
    cx.db.notify(Notify::LIST, popped(end), key);
    delete_if_empty(&mut cx.db, key);
    Ok(taken)
}

fn lpop(cx: &mut DataContext<'_>) -> CommandResult {
    pop(cx, End::Front, "lpop")
}

fn rpop(cx: &mut DataContext<'_>) -> CommandResult {
    pop(cx, End::Back, "rpop")
}

fn pop(cx: &mut DataContext<'_>, end: End, command: &'static str) -> CommandResult {
    let key = cx.argv[1];
    let count = match *cx.argv {
        [_, _] => None,
        [_, _, count] => {
            let count = parse_integer(count).ok().and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(CommandError::NotPositive)?)
        }
        _ => return Err(CommandError::Arity(command.into())),
    };
    let Some(len) = len_to_change(&mut cx.db, key)? else {
        if count.is_some() {
            cx.reply.null_array()
        } else {
            cx.reply.null()
        }
        return Ok(Outcome::Done);
    };
    match count {
        None => {
            pop_into_reply(cx, key, end, 1)?;
        }
        Some(0) => cx.reply.array(0),
        Some(count) => {
            cx.reply.array(count.min(len));
            pop_into_reply(cx, key, end, count)?;
        }
    }
    Ok(Outcome::Done)
}

/// The first of several keys that holds a list, and its length.
fn first_list<'k>(cx: &mut DataContext<'_>, keys: &[&'k [u8]]) -> Result<Option<(&'k [u8], usize)>, CommandError> {
    for key in keys {
        if let Some(len) = len_to_change(&mut cx.db, key)? {
            return Ok(Some((key, len)));
        }
    }
    Ok(None)
}

/// Waits until one of the keys holds a list.
pub(super) fn wait_for(keys: &[&[u8]], timeout_ms: u64) -> CommandResult {
    Ok(Outcome::Block(Box::new(Block {
        keys: keys.iter().map(|key| key.to_vec()).collect(),
        wanted: Some(Type::List),
        timeout_ms,
        timeout_reply: TimeoutReply::NullArray,
        unblock_on_nokey: false,
        request: None,
        retry_ms: None,
    })))
}

fn blpop(cx: &mut DataContext<'_>) -> CommandResult {
    blocking_pop(cx, End::Front)
}

fn brpop(cx: &mut DataContext<'_>) -> CommandResult {
    blocking_pop(cx, End::Back)
}

fn blocking_pop(cx: &mut DataContext<'_>, end: End) -> CommandResult {
    let last = cx.argv.len() - 1;
    let timeout = timeout_ms(cx.argv[last], cx.now)?;
    let keys = &cx.argv[1..last];
    let Some((key, _)) = first_list(cx, keys)? else { return wait_for(keys, timeout) };
    cx.reply.array(2);
    cx.reply.bulk(key);
    pop_into_reply(cx, key, end, 1)?;
    cx.propagate_as(&[pop_name(end), key]);
    Ok(Outcome::Done)
}

fn lmpop(cx: &mut DataContext<'_>) -> CommandResult {
    pop_many(cx, 1, false)
}

fn blmpop(cx: &mut DataContext<'_>) -> CommandResult {
    pop_many(cx, 2, true)
}

/// LMPOP and BLMPOP; the number of keys is argument `at`.
fn pop_many(cx: &mut DataContext<'_>, at: usize, is_blocking: bool) -> CommandResult {
    let count =
        parse_integer(cx.argv[at]).ok().and_then(|count| usize::try_from(count).ok()).filter(|&count| count > 0);
    let count = count.ok_or(CommandError::err("numkeys should be greater than 0"))?;
    let end_at = at.saturating_add(1).saturating_add(count);
    let keys = cx.argv.get(at + 1..end_at).ok_or(CommandError::Syntax)?;
    let end = parse_end(cx.argv.get(end_at).ok_or(CommandError::Syntax)?)?;
    let mut args = Args::new(cx.argv, end_at + 1);
    let mut wanted = None;
    while args.left() > 0 {
        if wanted.is_some() || args.left() < 2 || !args.take_word("COUNT") {
            return Err(CommandError::Syntax);
        }
        wanted = Some(parse_count(args.required()?)?);
    }
    let timeout = if is_blocking { timeout_ms(cx.argv[1], cx.now)? } else { 0 };
    let Some((key, len)) = first_list(cx, keys)? else {
        if is_blocking {
            return wait_for(keys, timeout);
        }
        cx.reply.null_array();
        return Ok(Outcome::Done);
    };
    let count = wanted.unwrap_or(1).min(len);
    cx.reply.array(2);
    cx.reply.bulk(key);
    cx.reply.array(count);
    pop_into_reply(cx, key, end, count)?;
    if cx.propagates() {
        let count = count.to_string();
        cx.propagate_as(&[pop_name(end), key, count.as_bytes()]);
    }
    Ok(Outcome::Done)
}

/// A number of elements to take, at least one.
pub(super) fn parse_count(arg: &[u8]) -> Result<usize, CommandError> {
    let count = parse_integer(arg).ok().and_then(|count| usize::try_from(count).ok()).filter(|&count| count > 0);
    count.ok_or(CommandError::err("count should be greater than 0"))
}
