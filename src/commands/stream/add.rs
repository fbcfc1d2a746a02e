//! Adding entries, and what a stream remembers of that.

use crate::base::number::parse_i64;
use crate::keyspace::Notify;
use crate::resp::CommandError;
use crate::server::context::{Args, integer as parse_integer};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::Type;
use crate::storage::stream::{Additions, Stream, StreamId};
use crate::types::stream::{self, NODE_BYTES_MAX, parse_part};

use super::trim::{self, TrimOptions};
use super::{change, id, invalid_id, look_at_stream, node_limits, note_extras, reply_id, write_entry};

pub(super) const XADD: Command = Command {
    info: CommandInfo {
        name: "xadd",
        arity: Arity::AtLeast(5),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(log N) where N is the number of nodes, and the entries cut off",
        summary: "Adds an entry to a stream, which is made if there is none.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            token("nomkstream", "NOMKSTREAM").optional().since("6.2.0"),
            oneof("condition", &[token("keepref", "KEEPREF"), token("delref", "DELREF"), token("acked", "ACKED")])
                .optional(),
            oneof(
                "idmp",
                &[string("pid").token("IDMPAUTO"), block("idmp", &[string("pid"), string("iid")]).token("IDMP")],
            )
            .optional()
            .since("8.6.0"),
            block(
                "trim",
                &[
                    oneof("strategy", &[token("maxlen", "MAXLEN"), token("minid", "MINID").since("6.2.0")]),
                    oneof("operator", &[token("equal", "="), token("approximately", "~")]).optional(),
                    string("threshold"),
                    integer("count").token("LIMIT").optional().since("6.2.0"),
                ],
            )
            .optional(),
            oneof("id-selector", &[token("auto-id", "*"), string("id")]),
            block("data", &[string("field"), string("value")]).multiple(),
        ],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(xadd),
};

pub(super) const XCFGSET: Command = Command {
    info: CommandInfo {
        name: "xcfgset",
        arity: Arity::AtLeast(2),
        since: "8.6.0",
        group: Group::Stream,
        complexity: "O(1)",
        summary: "Sets how long and how many additions of a stream are remembered.",
        flags: Flags::FAST.or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            integer("idmp-duration").token("IDMP-DURATION").optional(),
            integer("idmp-maxsize").token("IDMP-MAXSIZE").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(xcfgset),
};

pub(super) const XIDMPRECORD: Command = Command {
    info: CommandInfo {
        name: "xidmprecord",
        arity: Arity::Exactly(5),
        since: "8.6.2",
        group: Group::Stream,
        complexity: "O(log N) where N is the number of additions remembered",
        summary: "Remembers which entry an addition made.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), string("pid"), string("iid"), string("stream-id")],
        ..INFO
    },
    handler: Handler::Data(xidmprecord),
};

pub(super) const XSETID: Command = Command {
    info: CommandInfo {
        name: "xsetid",
        arity: Arity::AtLeast(3),
        since: "5.0.0",
        group: Group::Stream,
        complexity: "O(1)",
        summary: "Sets the last ID of a stream.",
        flags: Flags::DENYOOM.or(Flags::FAST).or(Flags::WRITE),
        categories: Categories::STREAM,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            string("last-id"),
            integer("entries-added").token("ENTRIESADDED").optional().since("7.0.0"),
            string("max-deleted-id").token("MAXDELETEDID").optional().since("7.0.0"),
        ],
        ..INFO
    },
    handler: Handler::Data(xsetid),
};

/// The ID that XADD was given.
#[derive(Clone, Copy)]
enum GivenId {
    Auto,
    /// The next one of this millisecond.
    Next(u64),
    Exact(StreamId),
}

impl GivenId {
    fn parse(arg: &[u8]) -> Result<GivenId, CommandError> {
        if arg == b"*" {
            return Ok(GivenId::Auto);
        }
        if let Some(ms) = arg.strip_suffix(b"-*") {
            return parse_part(ms).map(GivenId::Next).ok_or_else(invalid_id);
        }
        id(arg, 0).map(GivenId::Exact)
    }

    /// The ID of an entry that comes after `last`.
    fn after(self, last: StreamId, now: i64) -> Result<StreamId, CommandError> {
        const EXHAUSTED: &str = "The stream has exhausted the last possible ID, unable to add more items";
        const SMALLER: &str = "The ID specified in XADD is equal or smaller than the target stream top item";
        let Some(next) = last.next() else { return Err(CommandError::err(EXHAUSTED)) };
        match self {
            GivenId::Auto => Ok(StreamId::new(now.max(0) as u64, 0).max(next)),
            GivenId::Next(ms) if ms > last.ms => Ok(StreamId::new(ms, 0)),
            GivenId::Next(ms) if ms == next.ms => Ok(next),
            GivenId::Exact(id) if id > last => Ok(id),
            GivenId::Next(_) | GivenId::Exact(_) => Err(CommandError::err(SMALLER)),
        }
    }
}

/// Who adds, and under which name of its own.
#[derive(Clone, Copy)]
struct Addition<'a> {
    producer: &'a [u8],
    /// None: a name made of the fields.
    id: Option<&'a [u8]>,
}

/// The options of XADD.
struct AddOptions<'a> {
    create: bool,
    trim: TrimOptions,
    addition: Option<Addition<'a>>,
    id: GivenId,
    /// Where the ID stands.
    id_at: usize,
}

impl<'a> AddOptions<'a> {
    fn parse(argv: &[&'a [u8]], is_repeated: bool) -> Result<AddOptions<'a>, CommandError> {
        let (mut create, mut trim, mut addition) = (true, TrimOptions::default(), None);
        let mut at = 2;
        let id = loop {
            let Some(&arg) = argv.get(at) else { return Err(CommandError::Arity("xadd".into())) };
            let words = match arg.to_ascii_uppercase().as_slice() {
                b"NOMKSTREAM" => {
                    create = false;
                    at += 1;
                    continue;
                }
                b"IDMP" => 2,
                b"IDMPAUTO" => 1,
                _ => 0,
            };
            if words > 0 && at + words < argv.len() {
                if addition.is_some() {
                    return Err(CommandError::err("syntax error, IDMP/IDMPAUTO specified multiple times"));
                }
                let name = if words == 2 { "IDMP" } else { "IDMPAUTO" };
                let (producer, id) = (argv[at + 1], (words == 2).then(|| argv[at + 2]));
                let empty = |what| CommandError::err(format!("syntax error, {name} requires a non-empty {what}"));
                if producer.is_empty() {
                    return Err(empty("producer ID"));
                }
                if id.is_some_and(<[u8]>::is_empty) {
                    return Err(empty("idempotent ID"));
                }
                addition = Some(Addition { producer, id });
                at += words + 1;
                continue;
            }
            match trim.take(argv, at)? {
                Some(next) => at = next,
                None => break GivenId::parse(arg)?,
            }
        };
        trim.check(is_repeated)?;
        if addition.is_some() && !matches!(id, GivenId::Auto) && !is_repeated {
            return Err(CommandError::err("syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs"));
        }
        let pairs = argv.len() - at - 1;
        if pairs < 2 || !pairs.is_multiple_of(2) {
            return Err(CommandError::Arity("xadd".into()));
        }
        if matches!(id, GivenId::Exact(StreamId::MIN)) {
            return Err(CommandError::err("The ID specified in XADD must be greater than 0-0"));
        }
        Ok(AddOptions { create, trim, addition, id, id_at: at })
    }
}

/// Additions of entries before this time are forgotten.
pub(super) fn remembered_since(stream: &Stream, now: i64) -> u64 {
    (now.max(0) as u64).saturating_sub(u64::from(stream.idmp_duration) * 1000)
}

/// The same for a command that may change what is remembered: nothing is forgotten while commands are repeated, as they tell
/// what was remembered.
fn forgotten_before(stream: &Stream, now: i64, is_repeated: bool) -> u64 {
    if is_repeated { 0 } else { remembered_since(stream, now) }
}

/// A stream without entries.
pub(super) fn new_stream(cx: &mut DataContext<'_>) -> Stream {
    let stream = Stream::new(
        cx.config.stream_idmp_duration.clamp(1, 86_400) as u32,
        cx.config.stream_idmp_maxsize.clamp(1, 10_000) as u32,
    );
    if stream::has_extras(&stream) {
        note_extras(cx);
    }
    stream
}

fn xadd(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, is_repeated, now, limits) = (cx.argv[1], cx.is_repeated(), cx.now.0, node_limits(cx));
    let options = AddOptions::parse(cx.argv, is_repeated)?;
    let pairs = &cx.argv[options.id_at + 1..];
    let addition = options.addition.map(|addition| {
        let id = addition.id.map_or_else(|| stream::content_id(pairs), <[u8]>::to_vec);
        (addition.producer, id)
    });
    let last = match read_stream_to_add(cx, key)? {
        None if !options.create => {
            cx.reply.null();
            return Ok(Outcome::Done);
        }
        None => StreamId::MIN,
        Some((last, additions_since)) => {
            if let (Some((producer, id)), GivenId::Auto) = (&addition, options.id)
                && let Some(entry) = repeated_addition(cx, key, producer, id, additions_since)?
            {
                reply_id(&mut cx.reply, entry);
                return Ok(Outcome::Done);
            }
            last
        }
    };
    let id = options.id.after(last, now)?;
    if pairs.iter().map(|text| text.len()).sum::<usize>() > NODE_BYTES_MAX {
        return Err(CommandError::err("Elements are too large to be stored"));
    }
    if write_entry(&mut cx.db, key)?.is_none() {
        let stream = new_stream(cx);
        cx.db.add(key, Type::Stream, stream::new_value(stream), None);
    }
    let mut argv = Vec::new();
    if cx.propagates() && (options.trim.is_approximate() || !matches!(options.id, GivenId::Exact(_))) {
        argv = trim::owned(cx.argv);
        if !matches!(options.id, GivenId::Exact(_)) {
            argv[options.id_at] = id.to_string().into_bytes();
        }
    }
    let trim = options.trim.trim(cx.config.stream_node_max_entries);
    let trimmed = change(&mut cx.db, key, |stream| {
        stream.push(id, pairs, limits);
        if let Some((producer, name)) = &addition {
            let since = forgotten_before(stream, now, is_repeated);
            remember(stream, producer, name, id, since);
        }
        let trimmed = trim.map_or(0, |trim| stream.trim(trim));
        if !argv.is_empty() {
            options.trim.settle(stream, &mut argv);
        }
        trimmed
    })?;
    if addition.is_some() {
        note_extras(cx);
    }
    cx.db.ready(key);
    cx.db.modified(key);
    cx.db.notify(Notify::STREAM, "xadd", key);
    trim::announce(cx, key, trimmed.unwrap_or(0));
    if !argv.is_empty() {
        trim::propagate_owned(cx, &argv);
    }
    reply_id(&mut cx.reply, id);
    Ok(Outcome::Done)
}

/// The last ID of the stream at a key, and since when its additions are remembered.
fn read_stream_to_add(cx: &mut DataContext<'_>, key: &[u8]) -> Result<Option<(StreamId, u64)>, CommandError> {
    let (now, is_repeated) = (cx.now.0, cx.is_repeated());
    let Some(mut entry) = write_entry(&mut cx.db, key)? else { return Ok(None) };
    let stream = stream::write(&mut entry);
    Ok(stream.map(|stream| (stream.last_id, forgotten_before(stream, now, is_repeated))))
}

/// The entry of an addition that is remembered, which is counted as a repetition.
fn repeated_addition(
    cx: &mut DataContext<'_>,
    key: &[u8],
    producer: &[u8],
    id: &[u8],
    since: u64,
) -> Result<Option<StreamId>, CommandError> {
    let found = change(&mut cx.db, key, |stream| {
        let additions = stream.additions.as_mut()?;
        let found = additions.find(producer, id, since)?;
        additions.duplicates = additions.duplicates.wrapping_add(1);
        Some(found)
    })?
    .flatten();
    if found.is_some() {
        cx.db.count_changes(1);
    }
    Ok(found)
}

fn remember(stream: &mut Stream, producer: &[u8], name: &[u8], id: StreamId, since: u64) {
    let max = stream.idmp_maxsize as usize;
    let additions = stream.additions.get_or_insert_with(|| Box::new(Additions::default()));
    additions.remember(producer, name, id, since, max);
    additions.added = additions.added.wrapping_add(1);
}

fn xidmprecord(cx: &mut DataContext<'_>) -> CommandResult {
    let [_, key, producer, name, entry] = *cx.argv else { return Err(CommandError::Arity("xidmprecord".into())) };
    let (now, is_repeated) = (cx.now.0, cx.is_repeated());
    if producer.is_empty() {
        return Err(CommandError::err("producer ID must be non-empty"));
    }
    if name.is_empty() {
        return Err(CommandError::err("idempotent ID must be non-empty"));
    }
    let entry = id(entry, 0)?;
    let stream = look_at_stream(&mut cx.db, key)?.ok_or(CommandError::NoSuchKey)?;
    if stream.get(entry).is_none() {
        return Err(CommandError::err("No such message in stream"));
    }
    match stream.additions.as_ref().and_then(|additions| additions.find(producer, name, 0)) {
        Some(known) if known == entry => {}
        Some(_) => return Err(CommandError::err("IID already exists for this producer with a different stream ID")),
        None => {
            change(&mut cx.db, key, |stream| {
                let since = forgotten_before(stream, now, is_repeated);
                remember(stream, producer, name, entry, since);
            })?;
            note_extras(cx);
            cx.db.count_changes(1);
        }
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}

fn xcfgset(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    if look_at_stream(&mut cx.db, key)?.is_none() {
        return Err(CommandError::NoSuchKey);
    }
    let (mut duration, mut maxsize) = (None, None);
    let mut args = Args::new(cx.argv, 2);
    while args.left() > 0 {
        let (place, name, bounds, unit) = if args.left() > 1 && args.take_word("IDMP-DURATION") {
            (&mut duration, "IDMP-DURATION", 1..=86_400, "seconds")
        } else if args.left() > 1 && args.take_word("IDMP-MAXSIZE") {
            (&mut maxsize, "IDMP-MAXSIZE", 1..=10_000, "entries")
        } else {
            return Err(CommandError::Syntax);
        };
        if place.is_some() {
            return Err(CommandError::err(format!("{name} specified multiple times")));
        }
        let value = parse_integer(args.required()?)?;
        if !bounds.contains(&value) {
            let (least, most) = bounds.into_inner();
            return Err(CommandError::err(format!("{name} must be between {least} and {most} {unit}")));
        }
        *place = Some(value as u32);
    }
    if duration.is_none() && maxsize.is_none() {
        return Err(CommandError::err("At least one parameter must be specified"));
    }
    let is_changed = change(&mut cx.db, key, |stream| {
        let new = (duration.unwrap_or(stream.idmp_duration), maxsize.unwrap_or(stream.idmp_maxsize));
        if new == (stream.idmp_duration, stream.idmp_maxsize) {
            return false;
        }
        (stream.idmp_duration, stream.idmp_maxsize) = new;
        stream.additions.iter_mut().for_each(|additions| additions.forget());
        true
    })?;
    if is_changed == Some(true) {
        note_extras(cx);
        cx.db.count_changes(1);
    }
    cx.reply.ok();
    Ok(Outcome::Done)
}

fn xsetid(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let last = id(cx.argv[2], 0)?;
    let (mut added, mut max_deleted) = (None, None);
    let mut args = Args::new(cx.argv, 3);
    while args.left() > 0 {
        if args.left() > 1 && args.take_word("ENTRIESADDED") {
            let count = parse_i64(args.required()?).ok_or(CommandError::NotInteger)?;
            let count = u64::try_from(count).map_err(|_| CommandError::err("entries_added must be positive"))?;
            added = Some(count);
        } else if args.left() > 1 && args.take_word("MAXDELETEDID") {
            let deleted = id(args.required()?, 0)?;
            if last < deleted {
                return Err(CommandError::err(
                    "The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            max_deleted = Some(deleted);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let stream = look_at_stream(&mut cx.db, key)?.ok_or(CommandError::NoSuchKey)?;
    if last < stream.max_deleted_id {
        return Err(CommandError::err("The ID specified in XSETID is smaller than current max_deleted_entry_id"));
    }
    if stream.range_back(StreamId::MIN, StreamId::MAX).next().is_some_and(|entry| last < entry.id) {
        return Err(CommandError::err("The ID specified in XSETID is smaller than the target stream top item"));
    }
    if added.is_some_and(|added| added < stream.len()) {
        return Err(CommandError::err(
            "The entries_added specified in XSETID is smaller than the target stream length",
        ));
    }
    change(&mut cx.db, key, |stream| {
        stream.last_id = last;
        stream.entries_added = added.unwrap_or(stream.entries_added);
        stream.max_deleted_id = max_deleted.unwrap_or(stream.max_deleted_id);
    })?;
    cx.db.count_changes(1);
    cx.db.notify(Notify::STREAM, "xsetid", key);
    cx.reply.ok();
    Ok(Outcome::Done)
}
