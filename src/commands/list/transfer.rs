//! Moving elements from one list to another, or within one, and waiting until there are some.

use crate::keyspace::Notify;
use crate::resp::CommandError;
use crate::server::context::timeout_ms;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::Type;
use crate::types::list::{self, End};

use super::pop::{parse_count, parse_end, popped, wait_for};
use super::{delete_if_empty, len_to_change, limits, push_all, pushed, write};

/// How many elements LMOVEM and BLMOVEM move, and in what order.
const HOW_MANY: Argument = block(
    "how-many",
    &[
        oneof("selector", &[integer("count").token("COUNT"), integer("exactly").token("EXACTLY")]),
        oneof("ordering", &[token("obo", "OBO"), token("bulk", "BULK")]),
    ],
)
.optional();

pub(super) const BLMOVE: Command = Command {
    info: CommandInfo {
        name: "blmove",
        arity: Arity::Exactly(6),
        since: "6.2.0",
        group: Group::List,
        complexity: "O(1)",
        summary: "Moves an element between two lists, waiting until there is one.",
        flags: Flags::BLOCKING.or(Flags::DENYOOM).or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[
            KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
            KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT)),
        ],
        arguments: &[
            key("source", 0),
            key("destination", 1),
            oneof("wherefrom", &[token("left", "LEFT"), token("right", "RIGHT")]),
            oneof("whereto", &[token("left", "LEFT"), token("right", "RIGHT")]),
            double("timeout"),
        ],
        ..INFO
    },
    handler: Handler::Data(blmove),
};

pub(super) const BLMOVEM: Command = Command {
    info: CommandInfo {
        name: "blmovem",
        arity: Arity::AtLeast(6),
        since: "8.10.0",
        group: Group::List,
        complexity: "O(N) where N is the number of elements moved",
        summary: "Moves several elements between two lists, waiting until there are some.",
        flags: Flags::BLOCKING.or(Flags::DENYOOM).or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[
            KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
            KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT)),
        ],
        arguments: &[
            key("source", 0),
            key("destination", 1),
            oneof("wherefrom", &[token("left", "LEFT"), token("right", "RIGHT")]),
            oneof("whereto", &[token("left", "LEFT"), token("right", "RIGHT")]),
            double("timeout"),
            HOW_MANY,
        ],
        ..INFO
    },
    handler: Handler::Data(blmovem),
};

pub(super) const BRPOPLPUSH: Command = Command {
    info: CommandInfo {
        name: "brpoplpush",
        arity: Arity::Exactly(4),
        since: "2.2.0",
        group: Group::List,
        complexity: "O(1)",
        summary: "Moves the last element of a list to the front of another, waiting until there is one.",
        flags: Flags::BLOCKING.or(Flags::DENYOOM).or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[
            KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
            KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT)),
        ],
        arguments: &[key("source", 0), key("destination", 1), double("timeout")],
        deprecated: Some(("6.2.0", "BLMOVE with RIGHT and LEFT")),
        ..INFO
    },
    handler: Handler::Data(brpoplpush),
};

pub(super) const LMOVE: Command = Command {
    info: CommandInfo {
        name: "lmove",
        arity: Arity::Exactly(5),
        since: "6.2.0",
        group: Group::List,
        complexity: "O(1)",
        summary: "Takes an element from an end of a list and adds it to an end of another.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[
            KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
            KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT)),
        ],
        arguments: &[
            key("source", 0),
            key("destination", 1),
            oneof("wherefrom", &[token("left", "LEFT"), token("right", "RIGHT")]),
            oneof("whereto", &[token("left", "LEFT"), token("right", "RIGHT")]),
        ],
        ..INFO
    },
    handler: Handler::Data(lmove),
};

pub(super) const LMOVEM: Command = Command {
    info: CommandInfo {
        name: "lmovem",
        arity: Arity::AtLeast(5),
        since: "8.10.0",
        group: Group::List,
        complexity: "O(N) where N is the number of elements moved",
        summary: "Takes several elements from an end of a list and adds them to an end of another.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[
            KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
            KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT)),
        ],
        arguments: &[
            key("source", 0),
            key("destination", 1),
            oneof("wherefrom", &[token("left", "LEFT"), token("right", "RIGHT")]),
            oneof("whereto", &[token("left", "LEFT"), token("right", "RIGHT")]),
            HOW_MANY,
        ],
        ..INFO
    },
    handler: Handler::Data(lmovem),
};

pub(super) const RPOPLPUSH: Command = Command {
    info: CommandInfo {
        name: "rpoplpush",
        arity: Arity::Exactly(3),
        since: "1.2.0",
        group: Group::List,
        complexity: "O(1)",
        summary: "Takes the last element of a list and adds it to the front of another.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::LIST,
        keys: &[
            KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
            KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT)),
        ],
        arguments: &[key("source", 0), key("destination", 1)],
        deprecated: Some(("6.2.0", "LMOVE with RIGHT and LEFT")),
        ..INFO
    },
    handler: Handler::Data(rpoplpush),
};

/// From where to where elements move.
#[derive(Clone, Copy)]
struct Route<'a> {
    source: &'a [u8],
    destination: &'a [u8],
    from: End,
    to: End,
}

impl<'a> Route<'a> {
    fn parse(argv: &[&'a [u8]]) -> Result<Route<'a>, CommandError> {
        Ok(Route { source: argv[1], destination: argv[2], from: parse_end(argv[3])?, to: parse_end(argv[4])? })
    }

    fn tail_to_head(argv: &[&'a [u8]]) -> Route<'a> {
        Route { source: argv[1], destination: argv[2], from: End::Back, to: End::Front }
    }

    /// The length of the source; None if there is no list.
    fn available(self, cx: &mut DataContext<'_>) -> Result<Option<usize>, CommandError> {
        len_to_change(&mut cx.db, self.source)
    }
}

/// In which order several elements arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    /// As if they were moved one by one.
    OneByOne,
    /// As they stood.
    Bulk,
}

/// Moves `count` elements, which are there, and returns them as they now stand.
fn transfer(
    cx: &mut DataContext<'_>,
    route: Route<'_>,
    count: usize,
    arrival: Arrival,
) -> Result<Vec<Vec<u8>>, CommandError> {
    // Everything that may be refused is, before the first element leaves.
    len_to_change(&mut cx.db, route.destination)?;
    let limits = limits(cx);
    let mut moved: Vec<Vec<u8>> = Vec::with_capacity(count);
    let mut digits = itoa::Buffer::new();
    if let Some(mut entry) = write(&mut cx.db, route.source)? {
        while moved.len() < count
            && list::pop(&mut entry, route.from, |entry| moved.push(entry.as_bytes(&mut digits).to_vec())).is_some()
        {
        }
        if route.source != route.destination {
            list::shrink(&mut entry, limits);
        }
    }
    // Pushed one by one, elements arrive as they stood when they are taken from one end and pushed to the other.
    if arrival == Arrival::Bulk && route.from == route.to {
        moved.reverse();
    }
    match write(&mut cx.db, route.destination)? {
        Some(mut entry) => push_all(&mut entry, route.to, &moved, limits),
        None => push_all(&mut cx.db.add(route.destination, Type::List, list::EMPTY, None), route.to, &moved, limits),
    };
    cx.db.ready(route.destination);
    cx.db.modified_times(route.source, count as u64);
    cx.db.modified_times(route.destination, 0);
    if route.to == End::Front {
        moved.reverse();
    }
    Ok(moved)
}

/// Tells of elements that arrived and left.
fn announce(cx: &mut DataContext<'_>, route: Route<'_>) {
    cx.db.notify(Notify::LIST, pushed(route.to), route.destination);
    cx.db.notify(Notify::LIST, popped(route.from), route.source);
    delete_if_empty(&mut cx.db, route.source);
}

/// Moves one element and writes it.
fn move_one(cx: &mut DataContext<'_>, route: Route<'_>) -> Result<(), CommandError> {
    for element in transfer(cx, route, 1, Arrival::OneByOne)? {
        cx.reply.bulk(&element);
    }
    announce(cx, route);
    Ok(())
}

fn lmove(cx: &mut DataContext<'_>) -> CommandResult {
    let route = Route::parse(cx.argv)?;
    move_if_there(cx, route)
}

fn rpoplpush(cx: &mut DataContext<'_>) -> CommandResult {
    move_if_there(cx, Route::tail_to_head(cx.argv))
}

fn move_if_there(cx: &mut DataContext<'_>, route: Route<'_>) -> CommandResult {
    match route.available(cx)? {
        Some(_) => move_one(cx, route)?,
        None => cx.reply.null(),
    }
    Ok(Outcome::Done)
}

fn blmove(cx: &mut DataContext<'_>) -> CommandResult {
    let route = Route::parse(cx.argv)?;
    let timeout = timeout_ms(cx.argv[5], cx.now)?;
    let argv = [&b"LMOVE"[..], cx.argv[1], cx.argv[2], cx.argv[3], cx.argv[4]];
    move_or_wait(cx, route, timeout, &argv)
}

fn brpoplpush(cx: &mut DataContext<'_>) -> CommandResult {
    let timeout = timeout_ms(cx.argv[3], cx.now)?;
    let argv = [&b"RPOPLPUSH"[..], cx.argv[1], cx.argv[2]];
    move_or_wait(cx, Route::tail_to_head(cx.argv), timeout, &argv)
}

fn move_or_wait(cx: &mut DataContext<'_>, route: Route<'_>, timeout: u64, argv: &[&[u8]]) -> CommandResult {
    match route.available(cx)? {
        Some(_) => {
            move_one(cx, route)?;
            cx.propagate_as(argv);
        }
        None if cx.deny_blocking => cx.reply.null(),
        None => return wait_for(&[route.source], timeout),
    }
    Ok(Outcome::Done)
}

/// How many elements LMOVEM moves.
#[derive(Clone, Copy)]
enum Quantity {
    /// At most so many.
    UpTo(usize),
    /// So many or none.
    Exactly(usize),
}

/// The options of LMOVEM from argument `at` on.
fn parse_quantity(argv: &[&[u8]], at: usize) -> Result<(Quantity, Arrival), CommandError> {
    let [selector, count, arrival] = *argv.get(at..).unwrap_or_default() else {
        return if argv.len() == at { Ok((Quantity::UpTo(1), Arrival::Bulk)) } else { Err(CommandError::Syntax) };
    };
    let quantity = match selector.to_ascii_uppercase().as_slice() {
        b"COUNT" => Quantity::UpTo,
        b"EXACTLY" => Quantity::Exactly,
        _ => return Err(CommandError::Syntax),
    };
    let count = parse_count(count)?;
    let arrival = match arrival.to_ascii_uppercase().as_slice() {
        b"OBO" => Arrival::OneByOne,
        b"BULK" => Arrival::Bulk,
        _ => return Err(CommandError::Syntax),
    };
    Ok((quantity(count), arrival))
}

fn lmovem(cx: &mut DataContext<'_>) -> CommandResult {
    let route = Route::parse(cx.argv)?;
    let (quantity, arrival) = parse_quantity(cx.argv, 5)?;
    if move_many(cx, route, quantity, arrival)?.is_none() {
        cx.reply.null_array();
    }
    Ok(Outcome::Done)
}

fn blmovem(cx: &mut DataContext<'_>) -> CommandResult {
    let route = Route::parse(cx.argv)?;
    let timeout = timeout_ms(cx.argv[5], cx.now)?;
    let (quantity, arrival) = parse_quantity(cx.argv, 6)?;
    let Some(count) = move_many(cx, route, quantity, arrival)? else { return wait_for(&[route.source], timeout) };
    if cx.propagates() {
        let count = count.to_string();
        let arrival: &[u8] = if arrival == Arrival::Bulk { b"BULK" } else { b"OBO" };
        let (from, to) = (cx.argv[3], cx.argv[4]);
        cx.propagate_as(&[b"LMOVEM", route.source, route.destination, from, to, b"EXACTLY", count.as_bytes(), arrival]);
    }
    Ok(Outcome::Done)
}

/// Moves what is there, writes it, and returns how many; None, and nothing is written, if it is not enough.
fn move_many(
    cx: &mut DataContext<'_>,
    route: Route<'_>,
    quantity: Quantity,
    arrival: Arrival,
) -> Result<Option<usize>, CommandError> {
    let count = match (route.available(cx)?, quantity) {
        (None, _) => return Ok(None),
        (Some(len), Quantity::Exactly(count)) if len < count => return Ok(None),
        (Some(len), Quantity::UpTo(count) | Quantity::Exactly(count)) => count.min(len),
    };
    let moved = transfer(cx, route, count, arrival)?;
    cx.reply.array(moved.len());
    moved.iter().for_each(|element| cx.reply.bulk(element));
    if route.source == route.destination {
        cx.db.notify(Notify::LIST, popped(route.from), route.source);
        cx.db.notify(Notify::LIST, pushed(route.to), route.destination);
    } else {
        announce(cx, route);
    }
    Ok(Some(count))
}
