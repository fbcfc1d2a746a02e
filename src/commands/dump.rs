//! DUMP and RESTORE: a value as bytes, and back.

use crate::keyspace::{KeepTtl, Notify, lru};
use crate::persistence::rdb::decode::{self, Decoded};
use crate::persistence::rdb::encode;
use crate::resp::CommandError;
use crate::server::context::{self, Args};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::quicklist::{NodeLimits, Quicklist};
use crate::storage::{Encoding, NewValue, Object, Shared, Type};
use crate::types::hash::{self, FieldTtl};
use crate::types::set::{SetBuilder, SetLimits};
use crate::types::{Limits, string, zset};

/// The family.
pub const COMMANDS: &[Command] = &[DUMP, RESTORE, RESTORE_ASKING];

const DUMP: Command = Command {
    info: CommandInfo {
        name: "dump",
        arity: Arity::Exactly(2),
        since: "2.6.0",
        group: Group::Generic,
        complexity: "O(1) to find the key, O(N) to write its value",
        summary: "Serialises a value in the format of RDB files.",
        flags: Flags::READONLY,
        categories: Categories::KEYSPACE,
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[key("key", 0)],
        tips: &["nondeterministic_output"],
        ..INFO
    },
    handler: Handler::Data(dump),
};

const RESTORE: Command = Command {
    info: CommandInfo {
        name: "restore",
        arity: Arity::AtLeast(4),
        since: "2.6.0",
        group: Group::Generic,
        complexity: "O(1) to make the key, O(N) to read its value",
        summary: "Makes a key of a value serialised by DUMP.",
        flags: Flags::DENYOOM.or(Flags::WRITE),
        categories: Categories::DANGEROUS.or(Categories::KEYSPACE),
        keys: &[KeySpec::first(KeyFlags::OW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            integer("ttl"),
            string("serialized-value"),
            token("replace", "REPLACE").optional().since("3.0.0"),
            token("absttl", "ABSTTL").optional().since("5.0.0"),
            integer("seconds").token("IDLETIME").optional().since("5.0.0"),
            integer("frequency").token("FREQ").optional().since("5.0.0"),
        ],
        ..INFO
    },
    handler: Handler::Data(restore),
};

const RESTORE_ASKING: Command = Command {
    info: CommandInfo {
        name: "restore-asking",
        arity: Arity::AtLeast(4),
        since: "3.0.0",
        group: Group::Server,
        complexity: "O(1) to make the key, O(N) to read its value",
        summary: "Makes a key of a value serialised by DUMP, while its slot is being imported.",
        flags: Flags::ASKING.or(Flags::DENYOOM).or(Flags::WRITE),
        categories: Categories::DANGEROUS.or(Categories::KEYSPACE),
        keys: &[KeySpec::first(KeyFlags::OW.or(KeyFlags::UPDATE))],
        arguments: &[
            key("key", 0),
            integer("ttl"),
            string("serialized-value"),
            token("replace", "REPLACE").optional().since("3.0.0"),
            token("absttl", "ABSTTL").optional().since("5.0.0"),
            integer("seconds").token("IDLETIME").optional().since("5.0.0"),
            integer("frequency").token("FREQ").optional().since("5.0.0"),
        ],
        ..INFO
    },
    handler: Handler::Data(restore),
};

fn dump(cx: &mut DataContext<'_>) -> CommandResult {
    match cx.db.lookup_read(cx.argv[1]) {
        Some(entry) => cx.reply.bulk(&encode::dump(entry)),
        None => cx.reply.null(),
    }
    Ok(Outcome::Done)
}

/// The options of RESTORE.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(argv: &[&[u8]]) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut args = Args::new(argv, 4);
        while args.left() > 0 {
            if args.take_word("REPLACE") {
                options.replace = true;
            } else if args.take_word("ABSTTL") {
                options.absolute = true;
            } else if args.left() >= 2 && options.frequency.is_none() && args.take_word("IDLETIME") {
                let seconds = u64::try_from(args.integer()?);
                let refusal = || CommandError::err("Invalid IDLETIME value, must be >= 0");
                options.idle_seconds = Some(seconds.map_err(|_| refusal())?);
            } else if args.left() >= 2 && options.idle_seconds.is_none() && args.take_word("FREQ") {
                let frequency = u8::try_from(args.integer()?);
                let refusal = || CommandError::err("Invalid FREQ value, must be >= 0 and <= 255");
                options.frequency = Some(frequency.map_err(|_| refusal())?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

fn restore(cx: &mut DataContext<'_>) -> CommandResult {
    let (key, payload) = (cx.argv[1], cx.argv[3]);
    let options = Options::parse(cx.argv)?;
    if !options.replace && cx.db.exists(key) {
        return Err(CommandError::coded("BUSYKEY Target key name already exists."));
    }
    let ttl = context::integer(cx.argv[2])?;
    if ttl < 0 {
        return Err(CommandError::err("Invalid TTL value, must be >= 0"));
    }
    if !decode::has_valid_footer(payload, cx.debug.skip_checksum_validation) {
        return Err(CommandError::err("DUMP payload version or checksum are wrong"));
    }
    let decoded = decode::payload(payload).map_err(|bad| {
        crate::base::log::warning(&format!("RESTORE was given a broken payload: {bad}"));
        CommandError::err("Bad data format")
    })?;
    let expire = match ttl {
        0 => None,
        _ if options.absolute => Some(ttl),
        _ => Some(cx.now.0.saturating_add(ttl)),
    };
    let had = options.replace && cx.db.delete(key);
    if expire.is_some_and(|at| at < cx.now.0) {
        // It would be gone at once: all that is left to do is to delete what was there.
        if had {
            cx.db.modified(key);
            cx.db.notify(Notify::GENERIC, "del", key);
            cx.propagate_as(&[b"DEL", key]);
        }
        cx.reply.ok();
        return Ok(Outcome::Done);
    }
    store(cx, key, decoded);
    cx.db.set_expire(key, expire);
    set_access(cx, key, &options);
    if let (Some(at), false) = (expire, options.absolute) {
        let at = at.to_string();
        let mut argv = cx.argv.to_vec();
        argv[2] = at.as_bytes();
        argv.push(b"ABSTTL");
        cx.propagate_as(&argv);
    }
    cx.db.modified(key);
    cx.db.notify(Notify::GENERIC, "restore", key);
    cx.reply.ok();
    Ok(Outcome::Done)
}

/// Makes a key that does not exist of a value taken apart.
pub(super) fn store(cx: &mut DataContext<'_>, key: &[u8], decoded: Decoded) {
    let seed = cx.db.keyspace().hash_seed();
    let config = cx.config;
    match decoded {
        Decoded::String(bytes) => {
            let shared = (bytes.len() > string::INLINE_MAX).then(|| Shared::new(bytes.clone()));
            cx.db.set_value(key, Type::String, string::new_value(&bytes, shared), KeepTtl::Clear);
        }
        Decoded::List(elements) => {
            let limits = NodeLimits::new(config.list_max_listpack_size);
            let mut list = Quicklist::new();
            elements.iter().for_each(|element| list.push_back(element, limits));
            let small = list.single_node_listpack().map(<[u8]>::to_vec);
            let value = match &small {
                Some(bytes) => NewValue::Bytes(Encoding::Listpack, bytes),
                None => NewValue::Object(Encoding::Quicklist, Box::new(Object::List(list))),
            };
            cx.db.set_value(key, Type::List, value, KeepTtl::Clear);
        }
        Decoded::Set(members) => {
            let packed = Limits::new(config.set_max_listpack_entries, config.set_max_listpack_value);
            let intset = config.set_max_intset_entries.min(1 << 27) as usize;
            let mut set = SetBuilder::new(SetLimits { intset, packed }, seed);
            members.iter().for_each(|member| {
                set.add(member);
            });
            set.store(|value| cx.db.set_value(key, Type::Set, value, KeepTtl::Clear));
        }
        Decoded::Zset(mut members) => {
            let limits = Limits::new(config.zset_max_listpack_entries, config.zset_max_listpack_value);
            members.sort_by(|a, b| zset::compare((a.1, &a.0), (b.1, &b.0)));
            let members: Vec<(f64, Vec<u8>)> = members.into_iter().map(|(member, score)| (score, member)).collect();
            zset::store_sorted(&members, limits, seed, |value| cx.db.set_value(key, Type::Zset, value, KeepTtl::Clear));
        }
        Decoded::Hash(fields) => {
            let limits = Limits::new(config.hash_max_listpack_entries, config.hash_max_listpack_value);
            cx.db.add_hash(key, |entry| {
                hash::reserve(entry, fields.len(), limits, seed);
                for (field, value, expire) in &fields {
                    let ttl = expire.map_or(FieldTtl::Clear, FieldTtl::At);
                    hash::set(entry, field, value, ttl, limits, seed);
                }
            });
        }
    }
}

/// Sets what RESTORE says of the last access, as far as the policy in force keeps it.
fn set_access(cx: &mut DataContext<'_>, key: &[u8], options: &Options) {
    let (now, access) = (cx.now, cx.db.keyspace().policy.access);
    let Some(mut entry) = cx.db.lookup_write(key) else { return };
    match (options.idle_seconds, options.frequency, access) {
        (Some(seconds), _, lru::AccessPolicy::Lru | lru::AccessPolicy::Lrm) => {
            entry.set_lru(lru::lru_of_idle(seconds, now));
        }
        (_, Some(frequency), lru::AccessPolicy::Lfu) => entry.set_lru(lru::lfu_of_counter(frequency, now)),
        _ => {}
    }
}
