//! Lists: adding, reading, searching and changing elements. Taking and moving them, and waiting for them, is in `pop` and
//! `transfer`.

mod pop;
mod transfer;

use crate::keyspace::{Db, Notify};
use crate::resp::{CommandError, Reply};
use crate::server::context::{Args, integer as parse_integer};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::listpack::{Needle, Order};
use crate::storage::quicklist::{Entry, NodeLimits};
use crate::storage::{EntryMut, Type};
use crate::types::list::{self, End, ListRef};

use super::elements::{beyond_negation, reply_element};

/// The family.
pub const COMMANDS: &[Command] = &[
    transfer::BLMOVE,
    transfer::BLMOVEM,
    pop::BLMPOP,
    pop::BLPOP,
    pop::BRPOP,
    transfer::BRPOPLPUSH,
    LINDEX,
    LINSERT,
    LLEN,
    transfer::LMOVE,
    transfer::LMOVEM,
    pop::LMPOP,
    pop::LPOP,
    LPOS,
    LPUSH,
    LPUSHX,
    LRANGE,
    LREM,
    LSET,
    LTRIM,
    pop::RPOP,
    transfer::RPOPLPUSH,
    RPUSH,
    RPUSHX,
];

const LINDEX: Command = Command {
    info: CommandInfo {
        name: "lindex",
        arity: Arity::Exactly(3),
        since: "1.0.0",
        group: Group::List,
        complexity: "O(log N) where N is the number of nodes",
        summary: "Reads the element at an index of a list.",
        flags: Flags::READONLY,
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), integer("index")],
        ..INFO
    },
    handler: Handler::Data(lindex),
};

const LINSERT: Command = Command {
    info: CommandInfo {
        name: "linsert",
        arity: Arity::Exactly(5),
        since: "2.2.0",
        group: Group::List,
        complexity: "O(N) where N is the number of elements before the pivot",
        summary: "Inserts an element next to another one.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::INSERT))],
        arguments: &[
            key("key", 0),
            oneof("where", &[token("before", "BEFORE"), token("after", "AFTER")]),
            string("pivot"),
            string("element"),
        ],
        ..INFO
    },
    handler: Handler::Data(linsert),
};

const LLEN: Command = Command {
    info: CommandInfo {
        name: "llen",
        arity: Arity::Exactly(2),
        since: "1.0.0",
        group: Group::List,
        complexity: "O(1)",
        summary: "Tells the length of a list.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RO)],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(llen),
};

const LPOS: Command = Command {
    info: CommandInfo {
        name: "lpos",
        arity: Arity::AtLeast(3),
        since: "6.0.6",
        group: Group::List,
        complexity: "O(N) where N is the number of elements looked at",
        summary: "Finds where a list holds an element.",
        flags: Flags::READONLY,
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            string("element"),
            integer("rank").token("RANK").optional(),
            integer("num-matches").token("COUNT").optional(),
            integer("len").token("MAXLEN").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(lpos),
};

const LPUSH: Command = Command {
    info: CommandInfo {
        name: "lpush",
        arity: Arity::AtLeast(3),
        since: "1.0.0",
        group: Group::List,
        complexity: "O(1) for each element",
        summary: "Adds elements to the front of a list, creating it when absent.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::INSERT))],
        arguments: &[key("key", 0), string("element").multiple()],
        ..INFO
    },
    handler: Handler::Data(lpush),
};

const LPUSHX: Command = Command {
    info: CommandInfo {
        name: "lpushx",
        arity: Arity::AtLeast(3),
        since: "2.2.0",
        group: Group::List,
        complexity: "O(1) for each element",
        summary: "Adds elements to the front of a list that exists.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::INSERT))],
        arguments: &[key("key", 0), string("element").multiple()],
        ..INFO
    },
    handler: Handler::Data(lpushx),
};

const LRANGE: Command = Command {
    info: CommandInfo {
        name: "lrange",
        arity: Arity::Exactly(4),
        since: "1.0.0",
        group: Group::List,
        complexity: "O(log S+N) where S is the number of nodes and N the number of elements read",
        summary: "Reads the elements of a list between two indexes.",
        flags: Flags::READONLY,
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), integer("start"), integer("stop")],
        ..INFO
    },
    handler: Handler::Data(lrange),
};

const LREM: Command = Command {
    info: CommandInfo {
        name: "lrem",
        arity: Arity::Exactly(4),
        since: "1.0.0",
        group: Group::List,
        complexity: "O(N) where N is the length of the list",
        summary: "Removes elements that equal a given one.",
        flags: Flags::WRITE,
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), integer("count"), string("element")],
        ..INFO
    },
    handler: Handler::Data(lrem),
};

const LSET: Command = Command {
    info: CommandInfo {
        name: "lset",
        arity: Arity::Exactly(4),
        since: "1.0.0",
        group: Group::List,
        complexity: "O(log N) where N is the number of nodes",
        summary: "Overwrites the element at an index of a list.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), integer("index"), string("element")],
        ..INFO
    },
    handler: Handler::Data(lset),
};

const LTRIM: Command = Command {
    info: CommandInfo {
        name: "ltrim",
        arity: Arity::Exactly(4),
        since: "1.0.0",
        group: Group::List,
        complexity: "O(N) where N is the number of elements removed",
        summary: "Keeps only the elements of a list between two indexes.",
        flags: Flags::WRITE,
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), integer("start"), integer("stop")],
        ..INFO
    },
    handler: Handler::Data(ltrim),
};

const RPUSH: Command = Command {
    info: CommandInfo {
        name: "rpush",
        arity: Arity::AtLeast(3),
        since: "1.0.0",
        group: Group::List,
        complexity: "O(1) for each element",
        summary: "Adds elements to the back of a list, creating it when absent.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::INSERT))],
        arguments: &[key("key", 0), string("element").multiple()],
        ..INFO
    },
    handler: Handler::Data(rpush),
};

const RPUSHX: Command = Command {
    info: CommandInfo {
        name: "rpushx",
        arity: Arity::AtLeast(3),
        since: "2.2.0",
        group: Group::List,
        complexity: "O(1) for each element",
        summary: "Adds elements to the back of a list that exists.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::INSERT))],
        arguments: &[key("key", 0), string("element").multiple()],
        ..INFO
    },
    handler: Handler::Data(rpushx),
};

/// The sizes of nodes that configuration and DEBUG ask for.
#[inline]
fn limits(cx: &DataContext<'_>) -> NodeLimits {
    let threshold = cx.debug.quicklist_packed_threshold;
    NodeLimits {
        fill: cx.config.list_max_listpack_size,
        packed_threshold: (threshold > 0).then(|| u32::try_from(threshold).unwrap_or(u32::MAX)),
    }
}

/// The list of a key, to read.
#[inline]
fn read<'a>(db: &'a mut Db<'_>, key: &[u8]) -> Result<Option<ListRef<'a>>, CommandError> {
    db.lookup_read(key).map(|entry| ListRef::of(entry).ok_or(CommandError::WrongType)).transpose()
}

/// The list of a key, to change.
#[inline]
fn write<'a>(db: &'a mut Db<'_>, key: &[u8]) -> Result<Option<EntryMut<'a>>, CommandError> {
    match db.lookup_write(key) {
        Some(entry) if entry.type_() != Type::List => Err(CommandError::WrongType),
        entry => Ok(entry),
    }
}

/// The length of the list of a key that is about to be changed.
fn len_to_change(db: &mut Db<'_>, key: &[u8]) -> Result<Option<usize>, CommandError> {
    Ok(write(db, key)?.and_then(|entry| ListRef::of(entry.read()).map(ListRef::len)))
}

/// Writes an element.
#[inline]
fn reply_entry(reply: &mut Reply<'_>, entry: Entry<'_>) {
    match entry {
        Entry::Packed(element) => reply_element(reply, element),
        Entry::Plain(text) => reply.bulk_shared(text),
    }
}

/// Deletes a list that has no elements left.
fn delete_if_empty(db: &mut Db<'_>, key: &[u8]) {
    if db.view(key).and_then(ListRef::of).is_some_and(ListRef::is_empty) {
        db.delete(key);
        db.notify(Notify::GENERIC, "del", key);
    }
}

/// The number of the element at an index counted from the end if negative.
fn number_of(index: i64, len: usize) -> Option<usize> {
    let number = if index < 0 { index + len as i64 } else { index };
    usize::try_from(number).ok().filter(|&number| number < len)
}

/// The first of the elements between two indexes, and how many they are.
fn clip(start: i64, end: i64, len: usize) -> (usize, usize) {
    let from_end = |index: i64| if index < 0 { index.saturating_add(len as i64) } else { index };
    let (start, end) = (from_end(start).max(0), from_end(end).min(len as i64 - 1));
    if start > end { (0, 0) } else { (start as usize, (end - start + 1) as usize) }
}

fn lpush(cx: &mut DataContext<'_>) -> CommandResult {
    push(cx, End::Front, true)
}

fn rpush(cx: &mut DataContext<'_>) -> CommandResult {
    push(cx, End::Back, true)
}

fn lpushx(cx: &mut DataContext<'_>) -> CommandResult {
    push(cx, End::Front, false)
}

fn rpushx(cx: &mut DataContext<'_>) -> CommandResult {
    push(cx, End::Back, false)
}

/// Adds elements, to a new list only if it may `create` one.
#[inline]
fn push(cx: &mut DataContext<'_>, end: End, create: bool) -> CommandResult {
    let (key, values) = (cx.argv[1], &cx.argv[2..]);
    let limits = limits(cx);
    let len = match write(&mut cx.db, key)? {
        Some(mut entry) => push_all(&mut entry, end, values, limits),
        None if create => push_all(&mut cx.db.add(key, Type::List, list::EMPTY, None), end, values, limits),
        None => {
            cx.reply.int(0);
            return Ok(Outcome::Done);
        }
    };
    // A client may wait for more elements than the list had (BLMOVEM EXACTLY).
    cx.db.ready(key);
    cx.db.modified_times(key, values.len() as u64);
    cx.db.notify(Notify::LIST, pushed(end), key);
    cx.reply.int(len as i64);
    Ok(Outcome::Done)
}

/// Adds elements at an end, one after the other, and returns the new length.
#[inline]
fn push_all<V: AsRef<[u8]>>(entry: &mut EntryMut<'_>, end: End, values: &[V], limits: NodeLimits) -> usize {
    let bytes = values.iter().map(|value| value.as_ref().len()).sum();
    list::reserve(entry, bytes, values.len(), limits);
    for value in values {
        list::push(entry, end, value.as_ref(), limits);
    }
    ListRef::of(entry.read()).map_or(0, ListRef::len)
}

/// The event of adding at an end.
fn pushed(end: End) -> &'static str {
    if end == End::Front { "lpush" } else { "rpush" }
}

fn llen(cx: &mut DataContext<'_>) -> CommandResult {
    let len = read(&mut cx.db, cx.argv[1])?.map_or(0, ListRef::len);
    cx.reply.int(len as i64);
    Ok(Outcome::Done)
}

fn lindex(cx: &mut DataContext<'_>) -> CommandResult {
    let Some(list) = read(&mut cx.db, cx.argv[1])? else {
        cx.reply.null();
        return Ok(Outcome::Done);
    };
    let index = parse_integer(cx.argv[2])?;
    match number_of(index, list.len()).and_then(|number| list.get(number)) {
        Some(entry) => reply_entry(&mut cx.reply, entry),
        None => cx.reply.null(),
    }
    Ok(Outcome::Done)
}

fn lrange(cx: &mut DataContext<'_>) -> CommandResult {
    let (start, end) = (parse_integer(cx.argv[2])?, parse_integer(cx.argv[3])?);
    let Some(list) = read(&mut cx.db, cx.argv[1])? else {
        cx.reply.array(0);
        return Ok(Outcome::Done);
    };
    let (start, count) = clip(start, end, list.len());
    cx.reply.array(count);
    list.for_range(start, count, |entry| reply_entry(&mut cx.reply, entry));
    Ok(Outcome::Done)
}

fn lset(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, value) = (cx.argv[1], cx.argv[3]);
    let limits = limits(cx);
    let mut entry = write(&mut cx.db, key)?.ok_or(CommandError::NoSuchKey)?;
    let index = parse_integer(cx.argv[2])?;
    let len = ListRef::of(entry.read()).map_or(0, ListRef::len);
    let number = number_of(index, len).ok_or(CommandError::OutOfRange)?;
    list::replace(&mut entry, number, value, limits);
    cx.db.modified(key);
    cx.db.notify(Notify::LIST, "lset", key);
    cx.reply.ok();
    Ok(Outcome::Done)
}

fn linsert(cx: &mut DataContext<'_>) -> CommandResult {
    let [_, key, place, pivot, value] = *cx.argv else { return Err(CommandError::Arity("linsert".into())) };
    let after = match place.to_ascii_uppercase().as_slice() {
        b"AFTER" => 1,
        b"BEFORE" => 0,
        _ => return Err(CommandError::Syntax),
    };
    let limits = limits(cx);
    let Some(mut entry) = write(&mut cx.db, key)? else {
        cx.reply.int(0);
        return Ok(Outcome::Done);
    };
    let needle = Needle::new(pivot);
    let list = ListRef::of(entry.read());
    let Some(number) = list.and_then(|list| list.iter().position(|entry| entry.is(&needle))) else {
        cx.reply.int(-1);
        return Ok(Outcome::Done);
    };
    let len = list.map_or(0, ListRef::len) + 1;
    list::insert(&mut entry, number + after, value, limits);
    cx.db.ready(key);
    cx.db.modified(key);
    cx.db.notify(Notify::LIST, "linsert", key);
    cx.reply.int(len as i64);
    Ok(Outcome::Done)
}

fn lrem(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, count) = (cx.argv[1], parse_integer(cx.argv[2])?);
    if count == i64::MIN {
        return Err(beyond_negation());
    }
    let limits = limits(cx);
    let removed = match write(&mut cx.db, key)? {
        Some(mut entry) => {
            let order = if count < 0 { Order::Backward } else { Order::Forward };
            let most = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
            list::remove_values(&mut entry, cx.argv[3], most, order, limits)
        }
        None => 0,
    };
    if removed > 0 {
        cx.db.modified_times(key, removed as u64);
        cx.db.notify(Notify::LIST, "lrem", key);
        delete_if_empty(&mut cx.db, key);
    }
    cx.reply.int(removed as i64);
    Ok(Outcome::Done)
}

fn ltrim(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let (start, end) = (parse_integer(cx.argv[2])?, parse_integer(cx.argv[3])?);
    let limits = limits(cx);
    if let Some(mut entry) = write(&mut cx.db, key)? {
        let len = ListRef::of(entry.read()).map_or(0, ListRef::len);
        let (start, count) = clip(start, end, len);
        list::trim(&mut entry, start, count, limits);
        cx.db.modified_times(key, (len - count) as u64);
        cx.db.notify(Notify::LIST, "ltrim", key);
        delete_if_empty(&mut cx.db, key);
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}

/// The options of LPOS.
struct PosOptions {
    rank: i64,
    count: Option<usize>,
    max_len: usize,
}

impl PosOptions {
    fn parse(argv: &[&[u8]]) -> Result<PosOptions, CommandError> {
        let mut options = PosOptions { rank: 1, count: None, max_len: usize::MAX };
        let mut args = Args::new(argv, 3);
        while args.left() > 0 {
            let has_operand = args.left() > 1;
            if has_operand && args.take_word("RANK") {
                options.rank = args.integer()?;
                if options.rank == i64::MIN {
                    return Err(beyond_negation());
                }
                if options.rank == 0 {
                    return Err(CommandError::err(
                        "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative \
                         to start from the end of the list",
                    ));
                }
            } else if has_operand && args.take_word("COUNT") {
                let count = natural(&mut args, "COUNT can't be negative")?;
                options.count = Some(if count == 0 { usize::MAX } else { count });
            } else if has_operand && args.take_word("MAXLEN") {
                let max_len = natural(&mut args, "MAXLEN can't be negative")?;
                options.max_len = if max_len == 0 { usize::MAX } else { max_len };
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

/// A number that is not negative; what is no number is refused in the same words.
fn natural(args: &mut Args<'_>, refusal: &'static str) -> Result<usize, CommandError> {
    let number = args.integer().ok().and_then(|number| usize::try_from(number).ok());
    number.ok_or(CommandError::err(refusal))
}

fn lpos(cx: &mut DataContext<'_>) -> CommandResult {
    let options = PosOptions::parse(cx.argv)?;
    let needle = Needle::new(cx.argv[2]);
    let Some(list) = read(&mut cx.db, cx.argv[1])? else {
        if options.count.is_some() {
            cx.reply.array(0)
        } else {
            cx.reply.null()
        }
        return Ok(Outcome::Done);
    };
    let len = list.len();
    let (from, order) = if options.rank > 0 { (0, Order::Forward) } else { (len.saturating_sub(1), Order::Backward) };
    let found = list
        .iter_from(from, order)
        .take(options.max_len)
        .enumerate()
        .filter(|(_, entry)| entry.is(&needle))
        .map(|(passed, _)| if order == Order::Forward { passed } else { len - 1 - passed })
        .skip(options.rank.unsigned_abs() as usize - 1);
    match options.count {
        Some(count) => {
            let found: Vec<usize> = found.take(count).collect();
            cx.reply.array(found.len());
            found.into_iter().for_each(|number| cx.reply.int(number as i64));
        }
        None => match { found }.next() {
            Some(number) => cx.reply.int(number as i64),
            None => cx.reply.null(),
        },
    }
    Ok(Outcome::Done)
}
