//! CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR: client-side caching.
//! <https://redis.io/docs/latest/develop/reference/client-side-caching/>

use crate::base::shown::shown;
use crate::resp::CommandError;
use crate::server::context::Args;
use crate::server::tracking::{self, TrackingOptions};
use crate::server::{ClientFlags, ClientId, Command, CommandResult, Handler, Outcome, ServerContext};
use crate::spec::*;

pub(super) const CLIENT_CACHING: Command = Command {
    info: CommandInfo {
        name: "caching",
        arity: Arity::Exactly(3),
        since: "6.0.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Says whether what the next command reads is tracked.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[oneof("mode", &[token("yes", "YES"), token("no", "NO")])],
        ..INFO
    },
    handler: Handler::Server(client_caching),
};
fn client_caching(cx: &mut ServerContext<'_>) -> CommandResult {
    let argv = cx.argv;
    let options = cx.client().tracking.as_mut().ok_or(CommandError::err(
        "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    ))?;
    let yes = match argv[2].to_ascii_lowercase().as_slice() {
        b"yes" => true,
        b"no" => false,
        _ => return Err(CommandError::Syntax),
    };
    if yes && !options.opt_in {
        return Err(CommandError::err("CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."));
    }
    if !yes && !options.opt_out {
        return Err(CommandError::err("CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."));
    }
    options.caching = Some(yes);
    cx.reply.ok();
    Ok(Outcome::Done)
}

pub(super) const CLIENT_TRACKING: Command = Command {
    info: CommandInfo {
        name: "tracking",
        arity: Arity::AtLeast(3),
        since: "6.0.0",
        group: Group::Connection,
        complexity: "O(1). Some options may introduce additional complexity.",
        summary: "Lets the server tell of changes of the keys that the client caches.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        arguments: &[
            oneof("status", &[token("on", "ON"), token("off", "OFF")]),
            integer("client-id").token("REDIRECT").optional(),
            string("prefix").token("PREFIX").multiple_token().optional(),
            token("bcast", "BCAST").optional(),
            token("optin", "OPTIN").optional(),
            token("optout", "OPTOUT").optional(),
            token("noloop", "NOLOOP").optional(),
        ],
        ..INFO
    },
    handler: Handler::Server(client_tracking),
};
fn client_tracking(cx: &mut ServerContext<'_>) -> CommandResult {
    let (mut options, mut prefixes) = (TrackingOptions::default(), Vec::new());
    let mut args = Args::new(cx.argv, 3);
    while let Some(option) = args.next() {
        match option.to_ascii_lowercase().as_slice() {
            b"redirect" if args.left() > 0 => {
                if options.redirect.is_some() {
                    return Err(CommandError::err("A client can only redirect to a single other client"));
                }
                let target = ClientId(args.integer()?.max(0) as u64);
                if cx.server.clients.get_mut(target).is_none() {
                    return Err(CommandError::err("The client ID you want redirect to does not exist"));
                }
                options.redirect = Some(target);
            }
            b"bcast" => options.broadcast = true,
            b"optin" => options.opt_in = true,
            b"optout" => options.opt_out = true,
            b"noloop" => options.no_loop = true,
            b"prefix" if args.left() > 0 => prefixes.push(args.required()?.to_vec()),
            _ => return Err(CommandError::Syntax),
        }
    }
    match cx.argv[2].to_ascii_lowercase().as_slice() {
        b"on" => {}
        b"off" => {
            tracking::disable(cx.server, cx.client);
            cx.reply.ok();
            return Ok(Outcome::Done);
        }
        _ => return Err(CommandError::Syntax),
    }
    if !options.broadcast && !prefixes.is_empty() {
        return Err(CommandError::err("PREFIX option requires BCAST mode to be enabled"));
    }
    let old = cx.client().tracking.as_ref();
    if old.is_some_and(|old| old.broadcast != options.broadcast) {
        return Err(CommandError::err(
            "You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a \
             different mode.",
        ));
    }
    if options.broadcast && (options.opt_in || options.opt_out) {
        return Err(CommandError::err("OPTIN and OPTOUT are not compatible with BCAST"));
    }
    if options.opt_in && options.opt_out {
        return Err(CommandError::err("You can't specify both OPTIN mode and OPTOUT mode"));
    }
    if old.is_some_and(|old| (old.opt_in && options.opt_out) || (old.opt_out && options.opt_in)) {
        return Err(CommandError::err(
            "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a \
             different mode.",
        ));
    }
    options.prefixes = old.map(|old| old.prefixes.clone()).unwrap_or_default();
    check_prefixes(&options, &prefixes)?;
    // Who asks for none is told of all keys, whichever prefixes it has: of some twice then, as in Redis.
    if options.broadcast && prefixes.is_empty() {
        prefixes.push(Vec::new());
    }
    options.prefixes.extend(prefixes);
    tracking::enable(cx.server, cx.client, options);
    cx.reply.ok();
    Ok(Outcome::Done)
}

/// No prefix may begin with another of the same client: it would be told twice. There may be many: only the one that is
/// refused is compared with each.
fn check_prefixes(options: &TrackingOptions, new: &[Vec<u8>]) -> Result<(), CommandError> {
    let Some(index) = first_overlapping(options, new) else { return Ok(()) };
    let prefix = &new[index];
    let overlaps = |other: &&Vec<u8>| other.starts_with(prefix) || prefix.starts_with(other);
    let old = options.prefixes.iter().find(overlaps).map(|old| ("an existing", old));
    let other = || new[index + 1..].iter().find(overlaps).map(|other| ("another provided", other));
    let Some((which, other)) = old.or_else(other) else { return Ok(()) };
    Err(CommandError::err(format!(
        "Prefix '{}' overlaps with {which} prefix '{}'. Prefixes for a single client must not overlap.",
        shown(prefix),
        shown(other)
    )))
}

/// The first of the new prefixes that begins with another prefix of the client, or another with it.
fn first_overlapping(options: &TrackingOptions, new: &[Vec<u8>]) -> Option<usize> {
    let old = options.prefixes.iter().map(|prefix| (prefix, None));
    let mut sorted: Vec<(&Vec<u8>, Option<usize>)> =
        old.chain(new.iter().enumerate().map(|(index, prefix)| (prefix, Some(index)))).collect();
    // What begins with a prefix stands right behind it.
    sorted.sort_unstable();
    let mut sorted = sorted.into_iter();
    let mut first: Option<usize> = None;
    let mut note = |index: Option<usize>| first = first.into_iter().chain(index).min();
    let (mut root, mut root_index) = sorted.next()?;
    for (prefix, index) in sorted {
        if prefix.starts_with(root) {
            note(root_index);
            note(index);
        } else {
            (root, root_index) = (prefix, index);
        }
    }
    first
}

pub(super) const CLIENT_TRACKINGINFO: Command = Command {
    info: CommandInfo {
        name: "trackinginfo",
        arity: Arity::Exactly(2),
        since: "6.2.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Tells what the client asked for by CLIENT TRACKING.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        ..INFO
    },
    handler: Handler::Server(client_trackinginfo),
};
fn client_trackinginfo(cx: &mut ServerContext<'_>) -> CommandResult {
    let client = cx.client();
    let is_broken = client.flags.has(ClientFlags::TRACKING_BROKEN);
    let options = client.tracking.clone();
    let mut flags = vec![if options.is_some() { "on" } else { "off" }];
    if let Some(options) = &options {
        let words = [
            (options.broadcast, "bcast"),
            (options.opt_in, "optin"),
            (options.opt_in && options.caching == Some(true), "caching-yes"),
            (options.opt_out, "optout"),
            (options.opt_out && options.caching == Some(false), "caching-no"),
            (options.no_loop, "noloop"),
            (is_broken, "broken_redirect"),
        ];
        flags.extend(words.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| *word));
    }
    cx.reply.map(3);
    cx.reply.bulk(b"flags");
    cx.reply.set(flags.len());
    flags.iter().for_each(|flag| cx.reply.bulk(flag.as_bytes()));
    cx.reply.bulk(b"redirect");
    cx.reply.int(redirect_number(options.as_deref()));
    cx.reply.bulk(b"prefixes");
    let prefixes = options.map(|options| options.prefixes).unwrap_or_default();
    cx.reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| cx.reply.bulk(prefix));
    Ok(Outcome::Done)
}

/// The number of the client that is told: 0 for the client itself, -1 for nobody.
fn redirect_number(options: Option<&TrackingOptions>) -> i64 {
    options.map_or(-1, |options| options.redirect.map_or(0, |target| target.0 as i64))
}

pub(super) const CLIENT_GETREDIR: Command = Command {
    info: CommandInfo {
        name: "getredir",
        arity: Arity::Exactly(2),
        since: "6.0.0",
        group: Group::Connection,
        complexity: "O(1)",
        summary: "Tells which client gets the invalidation messages of this one.",
        flags: Flags::LOADING.or(Flags::NOSCRIPT).or(Flags::STALE),
        categories: Categories::CONNECTION,
        ..INFO
    },
    handler: Handler::Server(client_getredir),
};
fn client_getredir(cx: &mut ServerContext<'_>) -> CommandResult {
    let number = redirect_number(cx.client().tracking.as_deref());
    cx.reply.int(number);
    Ok(Outcome::Done)
}
