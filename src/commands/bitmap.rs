//! Bitmaps: strings seen as rows of bits, the most significant bit of each byte first.

use smallvec::SmallVec;

use crate::base::number::parse_i64;
use crate::commands::store_nothing;
use crate::keyspace::{KeepTtl, Notify};
use crate::resp::CommandError;
use crate::server::context;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::{EntryRef, Type};
use crate::types::bitmap::{self, Field, Overflow, Unit};
use crate::types::string;

/// The family.
pub const COMMANDS: &[Command] = &[BITCOUNT, BITFIELD, BITFIELD_RO, BITOP, BITPOS, GETBIT, SETBIT];

const BITCOUNT: Command = Command {
    info: CommandInfo {
        name: "bitcount",
        arity: Arity::AtLeast(2),
        since: "2.6.0",
        group: Group::Bitmap,
        complexity: "O(N)",
        summary: "Counts the bits that are set in a string, or in a part of it.",
        flags: Flags::READONLY,
        categories: Categories::BITMAP,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            block(
                "range",
                &[
                    integer("start"),
                    integer("end"),
                    oneof("unit", &[token("byte", "BYTE"), token("bit", "BIT")]).optional().since("7.0.0"),
                ],
            )
            .optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(bitcount),
};

const BITFIELD: Command = Command {
    info: CommandInfo {
        name: "bitfield",
        arity: Arity::AtLeast(2),
        since: "3.2.0",
        group: Group::Bitmap,
        complexity: "O(1) for each operation",
        summary: "Reads, sets and increments integers of any width at any bit of a string.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::BITMAP,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE).or(KeyFlags::VARIABLE_FLAGS))],
        arguments: &[
            key("key", 0),
            oneof(
                "operation",
                &[
                    block("get-block", &[string("encoding"), integer("offset")]).token("GET"),
                    block(
                        "write",
                        &[
                            oneof(
                                "overflow-block",
                                &[token("wrap", "WRAP"), token("sat", "SAT"), token("fail", "FAIL")],
                            )
                            .token("OVERFLOW")
                            .optional(),
                            oneof(
                                "write-operation",
                                &[
                                    block("set-block", &[string("encoding"), integer("offset"), integer("value")])
                                        .token("SET"),
                                    block(
                                        "incrby-block",
                                        &[string("encoding"), integer("offset"), integer("increment")],
                                    )
                                    .token("INCRBY"),
                                ],
                            ),
                        ],
                    ),
                ],
            )
            .multiple()
            .optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(bitfield),
};

const BITFIELD_RO: Command = Command {
    info: CommandInfo {
        name: "bitfield_ro",
        arity: Arity::AtLeast(2),
        since: "6.0.0",
        group: Group::Bitmap,
        complexity: "O(1) for each operation",
        summary: "Reads integers of any width at any bit of a string.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::BITMAP,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            block("get-block", &[string("encoding"), integer("offset")]).token("GET").multiple_token().optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(bitfield_ro),
};

const BITOP: Command = Command {
    info: CommandInfo {
        name: "bitop",
        arity: Arity::AtLeast(4),
        since: "2.6.0",
        group: Group::Bitmap,
        complexity: "O(N)",
        summary: "Combines strings bit by bit and stores the result.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::BITMAP,
        keys: &[
            KeySpec::at(2, KeyFlags::OW.or(KeyFlags::UPDATE)),
            KeySpec::range(3, -1, 1, KeyFlags::RO.or(KeyFlags::ACCESS)),
        ],
        arguments: &[
            oneof(
                "operation",
                &[
                    token("and", "AND"),
                    token("or", "OR"),
                    token("xor", "XOR"),
                    token("not", "NOT"),
                    token("diff", "DIFF"),
                    token("diff1", "DIFF1"),
                    token("andor", "ANDOR"),
                    token("one", "ONE"),
                ],
            ),
            key("destkey", 0),
            key("key", 1).multiple(),
        ],
        ..INFO
    },
    handler: Handler::Data(bitop),
};

const BITPOS: Command = Command {
    info: CommandInfo {
        name: "bitpos",
        arity: Arity::AtLeast(3),
        since: "2.8.7",
        group: Group::Bitmap,
        complexity: "O(N)",
        summary: "Finds the first bit that is set, or that is clear.",
        flags: Flags::READONLY,
        categories: Categories::BITMAP,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            integer("bit"),
            block(
                "range",
                &[
                    integer("start"),
                    block(
                        "end-unit-block",
                        &[
                            integer("end"),
                            oneof("unit", &[token("byte", "BYTE"), token("bit", "BIT")]).optional().since("7.0.0"),
                        ],
                    )
                    .optional(),
                ],
            )
            .optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(bitpos),
};

const GETBIT: Command = Command {
    info: CommandInfo {
        name: "getbit",
        arity: Arity::Exactly(3),
        since: "2.2.0",
        group: Group::Bitmap,
        complexity: "O(1)",
        summary: "Reads one bit of a string.",
        flags: Flags::FAST.or(Flags::READONLY),
        categories: Categories::BITMAP,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0), integer("offset")],
        ..INFO
    },
    handler: Handler::Data(getbit),
};

const SETBIT: Command = Command {
    info: CommandInfo {
        name: "setbit",
        arity: Arity::Exactly(4),
        since: "2.2.0",
        group: Group::Bitmap,
        complexity: "O(1)",
        summary: "Sets or clears one bit of a string and returns what it was.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::BITMAP,
        keys: &[KeySpec::first(KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))],
        arguments: &[key("key", 0), integer("offset"), integer("value")],
        ..INFO
    },
    handler: Handler::Data(setbit),
};

/// The bytes of a string key; empty if it does not exist.
fn string_of<'a>(entry: Option<EntryRef<'a>>) -> Result<std::borrow::Cow<'a, [u8]>, CommandError> {
    match entry {
        None => Ok(std::borrow::Cow::Borrowed(&[])),
        Some(entry) if entry.type_() != Type::String => Err(CommandError::WrongType),
        Some(entry) => Ok(string::bytes(entry)),
    }
}

/// A bit offset; with `#` before it, one that counts in fields of `bits`.
fn bit_offset(cx: &DataContext<'_>, arg: &[u8], bits: Option<u32>) -> Result<u64, CommandError> {
    let refusal = || CommandError::err("bit offset is not an integer or out of range");
    let (digits, scale) = match (arg.strip_prefix(b"#"), bits) {
        (Some(rest), Some(bits)) => (rest, i64::from(bits)),
        _ => (arg, 1),
    };
    let offset = parse_i64(digits).and_then(|n| n.checked_mul(scale)).filter(|&n| n >= 0).ok_or_else(refusal)?;
    if (offset >> 3) as u64 >= cx.config.proto_max_bulk_len {
        return Err(refusal());
    }
    Ok(offset as u64)
}

fn setbit(cx: &mut DataContext<'_>) -> CommandResult {
    let key = cx.argv[1];
    let offset = bit_offset(cx, cx.argv[2], None)?;
    let on = match cx.argv[3] {
        b"0" => false,
        b"1" => true,
        _ => return Err(CommandError::err("bit is not an integer or out of range")),
    };
    let (len_before, exists) = prepare(cx, key)?;
    let (byte, mask) = ((offset >> 3) as usize, 128u8 >> (offset & 7));
    let old = change(cx, key, exists, byte + 1, |bytes| {
        let old = bytes[byte] & mask != 0;
        bytes[byte] = if on { bytes[byte] | mask } else { bytes[byte] & !mask };
        old
    });
    if old != on || len_before <= byte || !exists {
        cx.db.modified(key);
        cx.db.notify(Notify::STRING, "setbit", key);
    }
    cx.reply.int(i64::from(old));
    Ok(Outcome::Done)
}

/// The length of a string that is about to change, and whether it exists.
fn prepare(cx: &mut DataContext<'_>, key: &[u8]) -> Result<(usize, bool), CommandError> {
    match cx.db.lookup_write(key) {
        None => Ok((0, false)),
        Some(entry) if entry.type_() != Type::String => Err(CommandError::WrongType),
        Some(entry) => Ok((string::bytes(entry.read()).len(), true)),
    }
}

/// Changes the bytes of a string, made or grown to `len` bytes first.
fn change<R>(cx: &mut DataContext<'_>, key: &[u8], exists: bool, len: usize, edit: impl FnOnce(&mut [u8]) -> R) -> R {
    if !exists {
        let zeros = vec![0; len];
        let value = bitmap::new_bytes(&zeros);
        let mut entry = cx.db.add(key, Type::String, value, None);
        return bitmap::change_bytes(&mut entry, len, edit);
    }
    match cx.db.lookup_write(key) {
        Some(mut entry) => bitmap::change_bytes(&mut entry, len, edit),
        None => edit(&mut vec![0; len]),
    }
}

fn getbit(cx: &mut DataContext<'_>) -> CommandResult {
    let offset = bit_offset(cx, cx.argv[2], None)?;
    let bytes = string_of(cx.db.lookup_read(cx.argv[1]))?;
    let byte = bytes.get((offset >> 3) as usize).copied().unwrap_or(0);
    cx.reply.int(i64::from(byte >> (7 - (offset & 7)) & 1));
    Ok(Outcome::Done)
}

fn unit_of(arg: Option<&&[u8]>) -> Result<Unit, CommandError> {
    match arg {
        None => Ok(Unit::Byte),
        Some(word) if word.eq_ignore_ascii_case(b"BYTE") => Ok(Unit::Byte),
        Some(word) if word.eq_ignore_ascii_case(b"BIT") => Ok(Unit::Bit),
        Some(_) => Err(CommandError::Syntax),
    }
}

fn bitcount(cx: &mut DataContext<'_>) -> CommandResult {
    let range = match cx.argv.len() {
        2 => None,
        4 | 5 => Some((context::integer(cx.argv[2])?, context::integer(cx.argv[3])?, unit_of(cx.argv.get(4))?)),
        _ => return Err(CommandError::Syntax),
    };
    let bytes = string_of(cx.db.lookup_read(cx.argv[1]))?;
    let (start, end, unit) = range.unwrap_or((0, -1, Unit::Byte));
    // Both negative and in the wrong order: nothing, whatever they would be clipped to. (BITPOS clips them.)
    let is_nothing = start < 0 && end < 0 && start > end;
    let range = bitmap::bit_range(bytes.len(), start, end, unit).filter(|_| !is_nothing);
    let count = range.map_or(0, |range| bitmap::count(&bytes, range));
    cx.reply.int(count as i64);
    Ok(Outcome::Done)
}

fn bitpos(cx: &mut DataContext<'_>) -> CommandResult {
    let wanted = match context::integer(cx.argv[2])? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::err("The bit argument must be 1 or 0.")),
    };
    if cx.argv.len() > 6 {
        return Err(CommandError::Syntax);
    }
    let start = cx.argv.get(3).map_or(Ok(0), |arg| context::integer(arg))?;
    let unit = unit_of(cx.argv.get(5))?;
    let end = cx.argv.get(4).map(|arg| context::integer(arg)).transpose()?;
    let entry = cx.db.lookup_read(cx.argv[1]);
    if entry.is_none() {
        // An absent key is an endless row of zeros.
        cx.reply.int(if wanted { -1 } else { 0 });
        return Ok(Outcome::Done);
    }
    let bytes = string_of(entry)?;
    let found = bitmap::bit_range(bytes.len(), start, end.unwrap_or(-1), unit)
        .map(|range| bitmap::position(&bytes, range.clone(), wanted).unwrap_or(range.end));
    let position = match found {
        None => -1,
        Some(at)
            if bitmap::bit_range(bytes.len(), start, end.unwrap_or(-1), unit).is_none_or(|range| at < range.end) =>
        {
            at as i64
        }
        // Without an end, the string is taken to be followed by zeros.
        Some(at) if !wanted && end.is_none() => at as i64,
        Some(_) => -1,
    };
    cx.reply.int(position);
    Ok(Outcome::Done)
}

fn bitop(cx: &mut DataContext<'_>) -> CommandResult {
    let name = cx.argv[1].to_ascii_uppercase();
    let operation = bitmap::Operation::parse(&name).ok_or(CommandError::Syntax)?;
    let sources = &cx.argv[3..];
    if operation == bitmap::Operation::Not && sources.len() != 1 {
        return Err(CommandError::err("BITOP NOT must be called with a single source key."));
    }
    if operation.needs_two() && sources.len() < 2 {
        let name = String::from_utf8_lossy(&name).into_owned();
        return Err(CommandError::err(format!("BITOP {name} must be called with at least two source keys.")));
    }
    let mut strings: SmallVec<[Vec<u8>; 4]> = SmallVec::new();
    for key in sources {
        strings.push(string_of(cx.db.lookup_read(key))?.into_owned());
    }
    let result = bitmap::combine(operation, &strings);
    let destination = cx.argv[2];
    if result.is_empty() {
        store_nothing(cx, destination);
    } else {
        cx.db.set_value(destination, Type::String, bitmap::new_bytes(&result), KeepTtl::Clear);
        if let Some(mut entry) = cx.db.lookup_write(destination) {
            entry.set_raw(true);
        }
        cx.db.modified(destination);
        cx.db.notify(Notify::STRING, "set", destination);
    }
    cx.reply.int(result.len() as i64);
    Ok(Outcome::Done)
}

/// One operation of BITFIELD.
struct FieldStep {
    field: Field,
    offset: u64,
    verb: Verb,
    overflow: Overflow,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Set(i64),
    Increment(i64),
}

fn bitfield(cx: &mut DataContext<'_>) -> CommandResult {
    let steps = parse_steps(cx)?;
    run_steps(cx, &steps)
}

fn bitfield_ro(cx: &mut DataContext<'_>) -> CommandResult {
    let steps = parse_steps(cx)?;
    if steps.iter().any(|step| step.verb != Verb::Get) {
        return Err(CommandError::err("BITFIELD_RO only supports the GET subcommand"));
    }
    run_steps(cx, &steps)
}

fn parse_steps(cx: &DataContext<'_>) -> Result<Vec<FieldStep>, CommandError> {
    let mut args = crate::server::context::Args::new(cx.argv, 2);
    let mut overflow = Overflow::Wrap;
    let mut steps = Vec::new();
    while let Some(word) = args.next() {
        let word = word.to_ascii_uppercase();
        let left = args.left();
        match word.as_slice() {
            b"OVERFLOW" if left >= 1 => {
                overflow = match args.required()?.to_ascii_uppercase().as_slice() {
                    b"WRAP" => Overflow::Wrap,
                    b"SAT" => Overflow::Saturate,
                    b"FAIL" => Overflow::Fail,
                    _ => return Err(CommandError::err("Invalid OVERFLOW type specified")),
                };
                continue;
            }
            b"GET" if left >= 2 => {}
            b"SET" | b"INCRBY" if left >= 3 => {}
            _ => return Err(CommandError::Syntax),
        }
        let field = Field::parse(args.required()?).ok_or_else(|| {
            CommandError::err(
                "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
            )
        })?;
        let offset = bit_offset(cx, args.required()?, Some(field.bits))?;
        let verb = match word.as_slice() {
            b"GET" => Verb::Get,
            b"SET" => Verb::Set(args.integer()?),
            _ => Verb::Increment(args.integer()?),
        };
        steps.push(FieldStep { field, offset, verb, overflow });
    }
    Ok(steps)
}

fn run_steps(cx: &mut DataContext<'_>, steps: &[FieldStep]) -> CommandResult {
    let key = cx.argv[1];
    let last = steps.iter().filter(|step| step.verb != Verb::Get).map(|step| step.offset + u64::from(step.field.bits));
    let Some(last) = last.max() else {
        let bytes = string_of(cx.db.lookup_read(key))?;
        cx.reply.array(steps.len());
        steps.iter().for_each(|step| cx.reply.int(step.field.read(&bytes, step.offset)));
        return Ok(Outcome::Done);
    };
    if (last >> 3) >= cx.config.proto_max_bulk_len {
        return Err(CommandError::err("bit offset is not an integer or out of range"));
    }
    let (len_before, exists) = prepare(cx, key)?;
    let len = last.div_ceil(8) as usize;
    let mut changes = 0;
    let mut results = Vec::with_capacity(steps.len());
    let before = if exists { string_of(cx.db.peek(key))?.into_owned() } else { Vec::new() };
    change(cx, key, exists, len, |bytes| {
        for step in steps {
            let old = step.field.read(bytes, step.offset);
            let (result, new) = match step.verb {
                Verb::Get => (Some(old), None),
                Verb::Set(value) => {
                    let new = step.field.fit(value, step.overflow);
                    (new.map(|_| old), new)
                }
                Verb::Increment(by) => {
                    let new = step.field.add(old, by, step.overflow);
                    (new, new)
                }
            };
            if let Some(new) = new {
                step.field.write(bytes, step.offset, new);
            }
            results.push(result);
        }
        changes = u64::from(bytes != before.as_slice());
    });
    cx.reply.array(results.len());
    for result in results {
        match result {
            Some(number) => cx.reply.int(number),
            None => cx.reply.null(),
        }
    }
    if changes > 0 || len > len_before {
        cx.db.modified(key);
        cx.db.notify(Notify::STRING, "setbit", key);
    }
    Ok(Outcome::Done)
}
