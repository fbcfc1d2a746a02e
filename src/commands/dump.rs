//! DUMP and RESTORE: a value as bytes, and back.

use crate::keyspace::{Notify, lru};
use crate::persistence::rdb::build::{BuildLimits, Head};
use crate::persistence::rdb::{decode, encode};
use crate::resp::CommandError;
use crate::server::context::{self, Args};
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;

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
        is_internal: true,
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
    let expire = match ttl {
        0 => None,
        _ if options.absolute => Some(ttl),
        _ => Some(cx.now.0.saturating_add(ttl)),
    };
    let limits = BuildLimits::new(cx.config, cx.db.keyspace().hash_seed());
    let head = Head { key, expire, lru: access_bits(cx, &options) };
    let entry = decode::payload(payload, head, &limits).map_err(|bad| {
        crate::base::log::warning(&format!("RESTORE: integrity check failed: {bad}"));
        CommandError::err("Bad data format")
    })?;
    let had = options.replace && cx.db.delete(key);
    if expire.is_some_and(|at| at != cx.now.0 && cx.has_passed(at)) {
        // It would be gone at once: all that is left to do is to delete what was there.
        if had {
            cx.db.modified(key);
            cx.db.notify(Notify::GENERIC, "del", key);
            let lazy = cx.config.lazyfree_lazy_server_del;
            cx.propagate_as(&[if lazy { b"UNLINK" } else { b"DEL" }, key]);
        }
        cx.reply.ok();
        return Ok(Outcome::Done);
    }
    cx.db.put_back(key, entry);
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

/// What the entry says of the last access: what RESTORE was told, as far as the policy in force keeps it.
fn access_bits(cx: &mut DataContext<'_>, options: &Options) -> u32 {
    let policy = cx.db.keyspace().policy;
    match (options.idle_seconds, options.frequency, policy.access) {
        (Some(seconds), _, lru::AccessPolicy::Lru | lru::AccessPolicy::Lrm) => lru::lru_of_idle(seconds, cx.now),
        (_, Some(frequency), lru::AccessPolicy::Lfu) => lru::lfu_of_counter(frequency, cx.now),
        _ => lru::initial(&policy, cx.now),
    }
}
