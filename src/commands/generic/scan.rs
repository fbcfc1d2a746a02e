//! Finding keys.

use crate::base::glob::{self, Case};
use crate::base::number::parse_u64;
use crate::resp::CommandError;
use crate::server::context::Args;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;

pub(super) const KEYS: Command = Command {
    info: CommandInfo {
        name: "keys",
        arity: Arity::Exactly(2),
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(N) where N is the number of keys in the database",
        summary: "Lists all keys that match a pattern.",
        flags: Flags::READONLY,
        categories: Categories::DANGEROUS.or(Categories::KEYSPACE),
        arguments: &[pattern("pattern")],
        tips: &["nondeterministic_output_order", "request_policy:all_shards"],
        ..INFO
    },
    handler: Handler::Data(keys),
};
pub(super) const RANDOMKEY: Command = Command {
    info: CommandInfo {
        name: "randomkey",
        arity: Arity::Exactly(1),
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(1)",
        summary: "Picks a key of the database at random.",
        flags: Flags::READONLY,
        categories: Categories::KEYSPACE,
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..INFO
    },
    handler: Handler::Data(randomkey),
};
pub(super) const SCAN: Command = Command {
    info: CommandInfo {
        name: "scan",
        arity: Arity::AtLeast(2),
        since: "2.8.0",
        group: Group::Generic,
        complexity: "O(1) for each call, O(N) for a whole iteration",
        summary: "Visits the keys of the database a few at a time.",
        flags: Flags::READONLY,
        categories: Categories::KEYSPACE,
        arguments: &[
            integer("cursor"),
            pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
            string("type").token("TYPE").optional().since("6.0.0"),
        ],
        tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
        ..INFO
    },
    handler: Handler::Data(scan),
};

fn keys(cx: &mut DataContext<'_>) -> CommandResult {
    let pattern = cx.argv[1];
    let all = pattern == b"*";
    let now = cx.now.0;
    let mark = cx.reply.mark();
    let mut count = 0;
    let reply = &mut cx.reply;
    cx.db.for_each(|entry| {
        let is_due = entry.expire_at().is_some_and(|at| now > at);
        if !is_due && (all || glob::is_match(pattern, entry.key(), Case::Sensitive)) {
            reply.bulk(entry.key());
            count += 1;
        }
    });
    reply.array_at(mark, count);
    Ok(Outcome::Done)
}

fn randomkey(cx: &mut DataContext<'_>) -> CommandResult {
    match cx.db.random_key() {
        Some(key) => cx.reply.bulk(&key),
        None => cx.reply.null(),
    }
    Ok(Outcome::Done)
}

fn scan(cx: &mut DataContext<'_>) -> CommandResult {
    let cursor = parse_u64(cx.argv[1]).ok_or_else(|| CommandError::err("invalid cursor"))?;
    let (mut pattern, mut wanted, mut type_) = (None, 10, None);
    let mut args = Args::new(cx.argv, 2);
    while args.left() >= 2 {
        if args.take_word("COUNT") {
            wanted = args.integer()?;
            if wanted < 1 {
                return Err(CommandError::Syntax);
            }
        } else if args.take_word("MATCH") {
            pattern = args.next().filter(|pattern| *pattern != b"*");
        } else if args.take_word("TYPE") {
            type_ = args.next();
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if args.left() > 0 {
        return Err(CommandError::Syntax);
    }
    // A cursor beyond the last position ends the scan, as an unknown one does in Redis.
    let (mut cursor, mut looked_at) = if cursor >> 48 == 0 { (cursor, 0) } else { (0, i64::MAX) };
    let (mut found, mut due) = (Vec::new(), Vec::new());
    let now = cx.now.0;
    // Where keys are sparse, buckets without any are passed over, up to a bound of ten for each key asked for.
    let mut buckets_left = wanted.saturating_mul(10);
    while looked_at < wanted && buckets_left > 0 {
        cursor = cx.db.scan(cursor, |entry| {
            looked_at += 1;
            let is_wanted = pattern.is_none_or(|pattern| glob::is_match(pattern, entry.key(), Case::Sensitive))
                && type_.is_none_or(|name| name.eq_ignore_ascii_case(entry.type_().name().as_bytes()));
            if is_wanted {
                let is_due = entry.expire_at().is_some_and(|at| now > at);
                if is_due { due.push(entry.key().to_vec()) } else { found.push(entry.key().to_vec()) }
            }
        });
        buckets_left -= 1;
        if cursor == 0 {
            break;
        }
    }
    for key in due {
        // Looking at a due key deletes it, where keys may be deleted.
        cx.db.exists(&key);
    }
    cx.reply.array(2);
    cx.reply.bulk_int(cursor as i64);
    cx.reply.array(found.len());
    found.iter().for_each(|key| cx.reply.bulk(key));
    Ok(Outcome::Done)
}
