//! What clients may do by their users' rules: the requests' side of `acl`, and what follows for clients when users change.

use crate::acl::{Access, Acl, Context, DEFAULT_USER, Denied, NewChannels, Reason, Request, User, log::Refusal};
use crate::base::shown::shown;
use crate::config::AclPubsubDefault;
use crate::resp::CommandError;
use crate::spec::{Categories, Flags, KeyFlags};

use super::absent::ABSENT;
use super::describe::describe;
use super::table::{CommandId, CommandTable};
use super::{Client, ClientFlags, ClientId, Server};

/// Bytes of a key, channel or name of a user that ACL LOG shows.
const LOGGED_MAX: usize = 64 * 1024;

/// The catalog of all commands of a table, under their original names, and behind them those that rules may name besides.
pub fn catalog(table: &CommandTable) -> crate::acl::Catalog {
    let there = table.iter().map(|(_, entry)| (entry.full_name.clone(), entry.info().all_categories()));
    let absent =
        ABSENT.iter().flat_map(|(categories, names)| names.iter().map(|name| ((*name).to_owned(), *categories)));
    crate::acl::Catalog::new(there.chain(absent))
}

/// Which channels a new user may use.
pub fn new_channels(server: &Server) -> NewChannels {
    match server.config.acl_pubsub_default {
        AclPubsubDefault::AllChannels => NewChannels::All,
        AclPubsubDefault::ResetChannels => NewChannels::None,
    }
}

/// A request in the terms of rules. `db` is the selected database of so many.
pub fn request_of<'a>(
    table: &CommandTable,
    id: CommandId,
    argv: &'a [&'a [u8]],
    db: i64,
    databases: i32,
) -> Request<'a> {
    let entry = table.entry(id);
    let info = entry.info();
    let mut request = Request {
        command: id.0,
        is_free: info.flags.has(Flags::NO_AUTH),
        argv,
        first_arg: if entry.parent.is_some() { 2 } else { 1 },
        ..Request::default()
    };
    for (at, flags) in info.find_keys(argv).unwrap_or_default() {
        if !flags.has(KeyFlags::NOT_KEY) {
            let writes = flags.has(KeyFlags::UPDATE.or(KeyFlags::INSERT).or(KeyFlags::DELETE));
            request.keys.push((at, Access { reads: flags.has(KeyFlags::ACCESS), writes }));
        }
    }
    let number = |at: usize| argv.get(at).and_then(|arg| crate::base::number::parse_i64(arg)).map(|db| (at, db));
    match entry.full_name.as_str() {
        "publish" | "spublish" => request.channels.push((1, false)),
        "subscribe" | "ssubscribe" => request.channels.extend((1..argv.len()).map(|at| (at, false))),
        "psubscribe" => request.channels.extend((1..argv.len()).map(|at| (at, true))),
        "select" => request.dbs.extend(number(1)),
        "move" => request.dbs.extend(number(2)),
        "swapdb" => request.dbs.extend([number(1), number(2)].into_iter().flatten()),
        "flushall" => request.all_dbs = true,
        "copy" => {
            // Of several the last counts; each of them must be allowed.
            let words = (3..argv.len()).filter(|&at| argv[at].eq_ignore_ascii_case(b"db"));
            request.dbs.extend(words.filter_map(|at| number(at + 1)));
        }
        _ => {}
    }
    // One that is not there is refused by the command itself.
    request.dbs.retain(|(_, db)| (0..i64::from(databases)).contains(db));
    let on_keys = Categories::KEYSPACE.or(Categories::READ).or(Categories::WRITE);
    let takes_keys = info.keys.iter().any(|spec| !spec.flags.has(KeyFlags::NOT_KEY));
    if takes_keys || (info.all_categories().has(on_keys) && request.dbs.is_empty() && !request.all_dbs) {
        request.dbs.push((0, db));
    }
    request
}

/// May this client run this command? It is asked only for clients that are restricted.
#[cold]
pub fn check(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]]) -> Result<(), Denied> {
    let Some(client) = server.clients.at(place) else { return Ok(()) };
    let request = request_of(&server.commands, id, argv, i64::from(client.db.0), server.config.databases);
    // A user that is gone takes its clients along; until they are closed they may do nothing.
    server.acl.user(&client.user).map_or(Err(Denied::Command), |user| user.check(&request))
}

/// The answer to a request that is denied.
pub fn refusal(server: &Server, user: &[u8], id: CommandId, denied: Denied) -> CommandError {
    CommandError::coded(match denied {
        Denied::Command => {
            let name = &server.commands.entry(id).full_name;
            format!("NOPERM User {} has no permissions to run the '{name}' command", shown(user))
        }
        Denied::Key(_) => "NOPERM No permissions to access a key".to_owned(),
        Denied::Channel(_) => "NOPERM No permissions to access a channel".to_owned(),
        Denied::Database(_) => "NOPERM No permissions to access database".to_owned(),
    })
}

/// The same with what it is that may not be touched (ACL DRYRUN).
pub fn verbose_refusal(server: &Server, user: &[u8], id: CommandId, argv: &[&[u8]], denied: Denied) -> String {
    let (user, arg) = (shown(user), |at: usize| shown(argv[at]));
    match denied {
        Denied::Command => {
            format!("User {user} has no permissions to run the '{}' command", server.commands.entry(id).full_name)
        }
        Denied::Key(at) => format!("User {user} has no permissions to access the '{}' key", arg(at)),
        Denied::Channel(at) => format!("User {user} has no permissions to access the '{}' channel", arg(at)),
        Denied::Database(at) => format!("User {user} has no permissions to access database {}", arg(at)),
    }
}

/// Logs and counts a refusal of a request of this client.
pub fn note_denied(server: &mut Server, place: u32, id: CommandId, argv: &[&[u8]], denied: Denied, context: Context) {
    let (reason, object) = match denied {
        Denied::Command => (Reason::Command, server.commands.entry(id).full_name.clone().into_bytes()),
        Denied::Key(at) => (Reason::Key, logged(argv[at])),
        Denied::Channel(at) => (Reason::Channel, logged(argv[at])),
        Denied::Database(at) => (Reason::Database, logged(argv[at])),
    };
    let Some(client) = server.clients.at(place) else { return };
    if context == Context::Toplevel {
        client.last_command = Some(id);
    }
    let user = client.user.clone();
    note(server, place, Refusal { reason, context, object, user });
}

/// Logs and counts a login that failed. `object` is the command that tried.
pub fn note_failed_login(server: &mut Server, client: ClientId, object: &[u8], user: &[u8], context: Context) {
    let Some(place) = server.clients.place(client) else { return };
    let (object, user) = (logged(object), logged(user));
    note(server, place, Refusal { reason: Reason::Auth, context, object, user });
}

/// The part of a text that the log keeps: who is turned away does not choose how much memory that takes.
fn logged(text: &[u8]) -> Vec<u8> {
    text.get(..LOGGED_MAX).unwrap_or(text).to_vec()
}

fn note(server: &mut Server, place: u32, refusal: Refusal) {
    let denied = &mut server.stats.acl_access_denied;
    let count = match refusal.reason {
        Reason::Auth => &mut denied.auth,
        Reason::Command => &mut denied.command,
        Reason::Key => &mut denied.key,
        Reason::Channel => &mut denied.channel,
        Reason::TlsCert => &mut denied.tls_cert,
        Reason::Database => &mut denied.database,
    };
    *count += 1;
    let (max, now) = (server.config.acllog_max_len.max(0) as usize, server.now.unix());
    let Some(client) = server.clients.at(place).map(std::mem::take) else { return };
    let line = describe(server, &client);
    if let Some(place) = server.clients.at(place) {
        *place = client;
    }
    server.acl.log.add(refusal, line, now, max);
}

/// Makes the client this user. It is known to be who it says.
pub fn log_in(server: &mut Server, id: ClientId, user: &[u8]) {
    let Some(client) = server.clients.get_mut(id) else { return };
    client.user = user.to_vec();
    client.flags = client.flags.or(ClientFlags::AUTHENTICATED);
    restrict(&server.acl, client);
}

/// Makes the client the first of these users, whom its certificate names, that is there and on. Where none is, it stays who it
/// is, and that is noted if the certificate names anybody at all.
pub fn log_in_by_certificate(server: &mut Server, id: ClientId, names: &[Vec<u8>]) {
    let known = names.iter().find(|name| server.acl.user(name).is_some_and(|user| user.is_on));
    if let Some(user) = known {
        return log_in(server, id, user);
    }
    let (Some(place), Some(user)) = (server.clients.place(id), names.first().cloned()) else { return };
    note(server, place, Refusal { reason: Reason::TlsCert, context: Context::Toplevel, object: Vec::new(), user });
}

/// Makes the client the default user, authenticated only where no password is needed.
pub fn log_out(server: &mut Server, id: ClientId) {
    let Some(client) = server.clients.get_mut(id) else { return };
    client.user = DEFAULT_USER.to_vec();
    client.flags = client.flags.without(ClientFlags::AUTHENTICATED).or(initial_flags(&server.acl));
    restrict(&server.acl, client);
}

/// What is true of a connection that has not said who it is.
pub fn initial_flags(acl: &Acl) -> ClientFlags {
    let user = acl.default_user();
    let mut flags = ClientFlags::NONE;
    if user.is_on && user.no_password {
        flags = flags.or(ClientFlags::AUTHENTICATED);
    }
    if !user.is_unrestricted() {
        flags = flags.or(ClientFlags::RESTRICTED);
    }
    flags
}

fn restrict(acl: &Acl, client: &mut Client) {
    let is_free = acl.user(&client.user).is_some_and(User::is_unrestricted);
    client.flags = client.flags.without(ClientFlags::RESTRICTED);
    if !is_free {
        client.flags = client.flags.or(ClientFlags::RESTRICTED);
    }
}

/// Brings all clients in line with users that have changed: subscribers who lost a channel are closed, and so are the clients of
/// users that are gone. True if `asking` is one of them: it reads its reply first.
pub fn follow_users(server: &mut Server, asking: Option<ClientId>) -> bool {
    let open = initial_flags(&server.acl).has(ClientFlags::AUTHENTICATED);
    let mut lost = Vec::new();
    for id in server.clients.ids() {
        let Some(client) = server.clients.get_mut(id) else { continue };
        let Some(user) = server.acl.user(&client.user) else {
            lost.push(id);
            continue;
        };
        if open && client.user == DEFAULT_USER {
            // Without a password everybody is who they say they are.
            client.flags = client.flags.or(ClientFlags::AUTHENTICATED);
        }
        if let Some(all) = &client.subscriptions {
            let mut channels = all.channels.iter().chain(&all.shard_channels);
            let keeps = channels.all(|channel| user.allows_channel(channel, false))
                && all.patterns.iter().all(|pattern| user.allows_channel(pattern, true));
            if !keeps {
                lost.push(id);
            }
        }
        restrict(&server.acl, client);
    }
    for &id in lost.iter().filter(|&&id| asking != Some(id)) {
        server.close_client(id, false);
    }
    asking.is_some_and(|id| lost.contains(&id))
}
