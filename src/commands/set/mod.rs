//! Sets: members of one set. `algebra` combines several.

mod algebra;

use crate::commands::elements::{
    RandomChoice, ScanOptions, fork_rng, random_count, reply_element, reply_nothing, reply_scan, scan_cursor,
};
use crate::keyspace::{Db, Notify};
use crate::resp::CommandError;
use crate::server::context;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::listpack::Element;
use crate::storage::{EntryMut, Object, OwnedEntry, Type};
use crate::types::Limits;
use crate::types::set::{self, SetLimits, SetRef};

/// The family.
pub const COMMANDS: &[Command] = &[
    SADD,
    SREM,
    SMOVE,
    SISMEMBER,
    SMISMEMBER,
    SCARD,
    SMEMBERS,
    SPOP,
    SRANDMEMBER,
    SSCAN,
    algebra::SINTER,
    algebra::SINTERSTORE,
    algebra::SINTERCARD,
    algebra::SUNION,
    algebra::SUNIONSTORE,
    algebra::SUNIONCARD,
    algebra::SDIFF,
    algebra::SDIFFSTORE,
    algebra::SDIFFCARD,
];

/// Members that one propagated SREM of a SPOP names at most.
const SREM_MEMBERS_MAX: usize = 1024;

const SADD: Command = Command {
    info: CommandInfo {
        name: "sadd",
        arity: Arity::AtLeast(3),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(N), N the number of members given",
        summary: "Adds members to a set, making the set if there is none.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::SET,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::INSERT))],
        arguments: &[key("key", 0), string("member").multiple()],
        ..INFO
    },
    handler: Handler::Data(sadd),
};

const SREM: Command = Command {
    info: CommandInfo {
        name: "srem",
        arity: Arity::AtLeast(3),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(N), N the number of members given",
        summary: "Removes members from a set, and the set with its last member.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::SET,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), string("member").multiple()],
        ..INFO
    },
    handler: Handler::Data(srem),
};

const SMOVE: Command = Command {
    info: CommandInfo {
        name: "smove",
        arity: Arity::Exactly(4),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(1)",
        summary: "Moves a member from one set to another.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::SET,
        keys: &[
            KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
            KeySpec::at(2, KeyFlags::RW.or(KeyFlags::INSERT)),
        ],
        arguments: &[key("source", 0), key("destination", 1), string("member")],
        ..INFO
    },
    handler: Handler::Data(smove),
};

const SISMEMBER: Command = Command {
    info: CommandInfo {
        name: "sismember",
        arity: Arity::Exactly(3),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(1)",
        summary: "Tells whether something is a member of a set.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::SET,
        keys: &[KeySpec::first(KeyFlags::RO)],
        arguments: &[key("key", 0), string("member")],
        ..INFO
    },
    handler: Handler::Data(sismember),
};

const SMISMEMBER: Command = Command {
    info: CommandInfo {
        name: "smismember",
        arity: Arity::AtLeast(3),
        since: "6.2.0",
        group: Group::Set,
        complexity: "O(N), N the number of members given",
        summary: "Tells of each of several things whether it is a member of a set.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::SET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), string("member").multiple()],
        ..INFO
    },
    handler: Handler::Data(smismember),
};

const SCARD: Command = Command {
    info: CommandInfo {
        name: "scard",
        arity: Arity::Exactly(2),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(1)",
        summary: "Counts the members of a set.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::SET,
        keys: &[KeySpec::first(KeyFlags::RO)],
        arguments: &[key("key", 0)],
        ..INFO
    },
    handler: Handler::Data(scard),
};

const SMEMBERS: Command = Command {
    info: CommandInfo {
        name: "smembers",
        arity: Arity::Exactly(2),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(N), N the number of members",
        summary: "Lists all members of a set.",
        flags: Flags::READONLY,
        categories: Categories::SET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        tips: &["nondeterministic_output_order"],
        ..INFO
    },
    handler: Handler::Data(smembers),
};

const SPOP: Command = Command {
    info: CommandInfo {
        name: "spop",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(N), N the number of members returned",
        summary: "Removes members of a set chosen by chance and returns them.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::SET,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))],
        arguments: &[key("key", 0), integer("count").optional().since("3.2.0")],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(spop),
};

const SRANDMEMBER: Command = Command {
    info: CommandInfo {
        name: "srandmember",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::Set,
        complexity: "O(N), N the number of members returned",
        summary: "Picks members of a set by chance.",
        flags: Flags::READONLY,
        categories: Categories::SET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), integer("count").optional().since("2.6.0")],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(srandmember),
};

const SSCAN: Command = Command {
    info: CommandInfo {
        name: "sscan",
        arity: Arity::AtLeast(3),
        since: "2.8.0",
        group: Group::Set,
        complexity: "O(1) per call, O(N) for a whole scan of N members",
        summary: "Walks through the members of a set, a part with each call.",
        flags: Flags::READONLY,
        categories: Categories::SET,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            integer("cursor"),
            pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(sscan),
};

/// The set of a key, to read.
#[inline]
fn lookup<'a>(db: &'a mut Db<'_>, key: &[u8]) -> Result<Option<SetRef<'a>>, CommandError> {
    match db.lookup_read(key) {
        None => Ok(None),
        Some(entry) => SetRef::of(entry).map(Some).ok_or(CommandError::WrongType),
    }
}

fn limits(cx: &DataContext<'_>) -> SetLimits {
    let packed = Limits::new(cx.config.set_max_listpack_entries, cx.config.set_max_listpack_value);
    SetLimits { intset: cx.config.set_max_intset_entries.min(1 << 27) as usize, packed }
}

/// Deletes a set that lost its last member.
fn delete_if_empty(cx: &mut DataContext<'_>, key: &[u8]) {
    if cx.db.peek(key).and_then(SetRef::of).is_some_and(SetRef::is_empty) {
        cx.db.delete(key);
        cx.db.notify(Notify::GENERIC, "del", key);
    }
}

/// Adds members to the set of a key, which is made if there is none. Returns how many are new.
#[inline]
fn add_members(cx: &mut DataContext<'_>, key: &[u8], members: &[&[u8]]) -> Result<u64, CommandError> {
    let (limits, seed) = (limits(cx), cx.db.keyspace().hash_seed());
    let fill = |entry: &mut EntryMut<'_>| {
        let mut added = 0;
        for member in members {
            added += u64::from(set::add(entry, member, limits, seed));
        }
        added
    };
    if let Some(mut entry) = cx.db.lookup_write(key) {
        if entry.type_() != Type::Set {
            return Err(CommandError::WrongType);
        }
        set::reserve(&mut entry, members.len(), limits, seed);
        return Ok(fill(&mut entry));
    }
    let value = set::new_value(members[0], members.len(), limits, seed);
    Ok(fill(&mut cx.db.add(key, Type::Set, value, None)))
}

/// Removes members from the set of a key. Returns how many there were.
fn remove_members(cx: &mut DataContext<'_>, key: &[u8], members: &[&[u8]]) -> Result<u64, CommandError> {
    let Some(mut entry) = cx.db.lookup_write(key) else { return Ok(0) };
    if entry.type_() != Type::Set {
        return Err(CommandError::WrongType);
    }
    Ok(members.iter().map(|member| u64::from(set::remove(&mut entry, member))).sum())
}

fn sadd(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let added = add_members(cx, key, &cx.argv[2..])?;
    if added > 0 {
        cx.db.modified_times(key, added);
        cx.db.notify(Notify::SET, "sadd", key);
    }
    cx.reply.int(added as i64);
    Ok(Outcome::Done)
}

fn srem(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let removed = remove_members(cx, key, &cx.argv[2..])?;
    if removed > 0 {
        cx.db.modified_times(key, removed);
        cx.db.notify(Notify::SET, "srem", key);
        delete_if_empty(cx, key);
    }
    cx.reply.int(removed as i64);
    Ok(Outcome::Done)
}

fn smove(cx: &mut DataContext<'_>) -> CommandResult {
    let (source, destination, member) = (cx.argv[1], cx.argv[2], cx.argv[3]);
    let Some(is_member) = lookup(&mut cx.db, source)?.map(|set| set.contains(member)) else {
        cx.reply.int(0);
        return Ok(Outcome::Done);
    };
    lookup(&mut cx.db, destination)?;
    if !is_member || source == destination {
        cx.reply.int(i64::from(is_member));
        return Ok(Outcome::Done);
    }
    remove_members(cx, source, &[member])?;
    cx.db.notify(Notify::SET, "srem", source);
    delete_if_empty(cx, source);
    cx.db.modified(source);
    if add_members(cx, destination, &[member])? > 0 {
        cx.db.modified(destination);
        cx.db.notify(Notify::SET, "sadd", destination);
    }
    cx.reply.int(1);
    Ok(Outcome::Done)
}

fn sismember(cx: &mut DataContext<'_>) -> CommandResult {
    let is_member = lookup(&mut cx.db, cx.argv[1])?.is_some_and(|set| set.contains(cx.argv[2]));
    cx.reply.int(i64::from(is_member));
    Ok(Outcome::Done)
}

fn smismember(cx: &mut DataContext<'_>) -> CommandResult {
    let set = lookup(&mut cx.db, cx.argv[1])?;
    cx.reply.array(cx.argv.len() - 2);
    for member in &cx.argv[2..] {
        cx.reply.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(Outcome::Done)
}

fn scard(cx: &mut DataContext<'_>) -> CommandResult {
    let len = lookup(&mut cx.db, cx.argv[1])?.map_or(0, SetRef::len);
    cx.reply.int(len as i64);
    Ok(Outcome::Done)
}

fn smembers(cx: &mut DataContext<'_>) -> CommandResult {
    let Some(set) = lookup(&mut cx.db, cx.argv[1])? else {
        cx.reply.set(0);
        return Ok(Outcome::Done);
    };
    cx.reply.set(set.len());
    set.iter().for_each(|member| reply_element(&mut cx.reply, member));
    Ok(Outcome::Done)
}

fn spop(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let count = match cx.argv.get(2) {
        None => None,
        Some(_) if cx.argv.len() > 3 => return Err(CommandError::Syntax),
        Some(count) => {
            let count = context::integer(count).ok().and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(CommandError::NotPositive)?)
        }
    };
    let size = lookup(&mut cx.db, key)?.map_or(0, SetRef::len);
    if size == 0 || count == Some(0) {
        if count.is_some() {
            cx.reply.set(0)
        } else {
            cx.reply.null()
        }
        return Ok(Outcome::Done);
    }
    let wanted = count.unwrap_or(1);
    if count.is_some() {
        cx.reply.set(wanted.min(size));
    }
    if wanted >= size && count.is_some() {
        pop_all(cx, key, size)?;
        return Ok(Outcome::Done);
    }
    let popped = pop_some(cx, key, wanted);
    for member in &popped {
        cx.reply.bulk(member);
    }
    cx.db.modified_times(key, popped.len() as u64);
    cx.db.notify(Notify::SET, "spop", key);
    delete_if_empty(cx, key);
    if cx.propagates() {
        for members in popped.chunks(SREM_MEMBERS_MAX) {
            let mut argv: Vec<&[u8]> = vec![b"SREM", key];
            argv.extend(members.iter().map(Vec::as_slice));
            cx.propagate_as(&argv);
        }
    }
    Ok(Outcome::Done)
}

/// Returns all members and deletes the set.
fn pop_all(cx: &mut DataContext<'_>, key: &[u8], size: usize) -> Result<(), CommandError> {
    if let Some(set) = lookup(&mut cx.db, key)? {
        set.iter().for_each(|member| reply_element(&mut cx.reply, member));
    }
    cx.db.notify(Notify::SET, "spop", key);
    cx.db.delete(key);
    cx.db.notify(Notify::GENERIC, "del", key);
    cx.db.modified_times(key, size as u64);
    let is_lazy = cx.db.keyspace().policy.lazyfree_lazy_server_del;
    cx.propagate_as(&[if is_lazy { b"UNLINK" } else { b"DEL" }, key]);
    Ok(())
}

/// Removes `count` members chosen by chance, fewer than there are (or one), and returns them.
fn pop_some(cx: &mut DataContext<'_>, key: &[u8], count: usize) -> Vec<Vec<u8>> {
    let mut rng = fork_rng(cx);
    let mut popped = Vec::with_capacity(count);
    let Some(mut entry) = cx.db.lookup_write(key) else { return popped };
    for _ in 0..count {
        if let Some(Object::Dict(dict)) = entry.object_mut() {
            popped.extend(dict.take_random(&mut rng, |member| member.field.to_vec()));
            continue;
        }
        let Some(set) = SetRef::of(entry.read()).filter(|set| !set.is_empty()) else { break };
        let mut member = Vec::new();
        if let Some(element) = set.nth(rng.below(set.len() as u64) as usize) {
            element.write_to(&mut member);
        }
        set::remove(&mut entry, &member);
        popped.push(member);
    }
    popped
}

fn srandmember(cx: &mut DataContext<'_>) -> CommandResult {
    if cx.argv.len() > 3 {
        return Err(CommandError::Syntax);
    }
    let count = cx.argv.get(2).map(|count| random_count(count)).transpose()?;
    let (mut rng, bin) = (fork_rng(cx), cx.db.keyspace().garbage.bin());
    let Some(entry) = cx.db.lookup_read(cx.argv[1]) else {
        reply_nothing(&mut cx.reply, count);
        return Ok(Outcome::Done);
    };
    let set = SetRef::of(entry).ok_or(CommandError::WrongType)?;
    let size = set.len();
    let Some(count) = count else {
        if let Some(member) = set.nth(rng.below(size as u64) as usize) {
            reply_element(&mut cx.reply, member);
        }
        return Ok(Outcome::Done);
    };
    let choice = RandomChoice { rng, count, size, pairs: false, bin };
    choice.reply(&mut cx.reply, entry, OwnedEntry::copy_of, |entry, next, reply| {
        let Some(set) = SetRef::of(entry) else { return };
        // Finding a packed member by its number means walking there: several are better looked up in a list.
        let listed: Vec<Element<'_>> = if matches!(set, SetRef::Packed(_)) { set.iter().collect() } else { Vec::new() };
        while let Some(index) = next(reply.len()) {
            if let Some(member) = listed.get(index).copied().or_else(|| set.nth(index)) {
                reply_element(reply, member);
            }
        }
    });
    Ok(Outcome::Done)
}

fn sscan(cx: &mut DataContext<'_>) -> CommandResult {
    let cursor = scan_cursor(cx.argv[2])?;
    let Some(set) = lookup(&mut cx.db, cx.argv[1])? else {
        reply_scan(&mut cx.reply, 0, &[]);
        return Ok(Outcome::Done);
    };
    let options = ScanOptions::parse(cx.argv, Group::Set)?;
    let mut members = Vec::new();
    let mut visit = |text: &[u8]| {
        if options.wants(text) {
            members.push(text.to_vec());
        }
    };
    let next = match set {
        SetRef::Dict(dict) => dict.scan(cursor, options.count, |entry| visit(entry.field)),
        _ => {
            set.iter().for_each(|member| visit(member.as_bytes(&mut itoa::Buffer::new())));
            0
        }
    };
    reply_scan(&mut cx.reply, next, &members);
    Ok(Outcome::Done)
}
