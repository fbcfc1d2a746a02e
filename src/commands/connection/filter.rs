//! The options of CLIENT LIST and CLIENT KILL that choose connections.

use crate::base::shown::shown;
use crate::resp::CommandError;
use crate::server::context::Args;
use crate::server::describe::flag_letters;
use crate::server::{Client, ClientFlags, ClientId, Server, ServerContext};

/// Who is spared unless SKIPME says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Skip {
    #[default]
    Nobody,
    Me,
}

/// Kinds of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientType {
    Normal,
    Master,
    Replica,
    Pubsub,
}

impl ClientType {
    fn parse(word: &[u8]) -> Result<ClientType, CommandError> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(ClientType::Normal),
            b"master" | b"primary" => Ok(ClientType::Master),
            b"slave" | b"replica" => Ok(ClientType::Replica),
            b"pubsub" => Ok(ClientType::Pubsub),
            _ => Err(CommandError::err(format!("Unknown client type '{}'", shown(word)))),
        }
    }

    fn of(client: &Client) -> ClientType {
        if client.flags.has(ClientFlags::PUBSUB) { ClientType::Pubsub } else { ClientType::Normal }
    }
}

/// Conditions that a connection meets all of. What is None or empty does not matter.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    ids: Vec<ClientId>,
    type_: Option<ClientType>,
    addr: Option<Vec<u8>>,
    laddr: Option<Vec<u8>>,
    user: Option<Vec<u8>>,
    maxage: Option<i64>,
    idle: Option<i64>,
    name: Option<Vec<u8>>,
    lib_name: Option<Vec<u8>>,
    lib_ver: Option<Vec<u8>>,
    ip: Option<Vec<u8>>,
    db: Option<i64>,
    flags: Option<Vec<u8>>,
    skip: Skip,
}

impl Filter {
    /// The connection from this address.
    pub fn of_addr(addr: &[u8]) -> Filter {
        Filter { addr: Some(addr.to_vec()), ..Filter::default() }
    }

    /// Reads the options from the third argument on.
    pub fn parse(cx: &ServerContext<'_>, skip: Skip) -> Result<Filter, CommandError> {
        let mut filter = Filter { skip, ..Filter::default() };
        let for_list = skip == Skip::Nobody;
        let mut args = Args::new(cx.argv, 2);
        while let Some(option) = args.next() {
            let option = option.to_ascii_lowercase();
            if args.left() == 0 {
                return Err(CommandError::Syntax);
            }
            match option.as_slice() {
                b"id" => filter.parse_ids(&mut args, for_list)?,
                b"type" => filter.type_ = Some(ClientType::parse(args.required()?)?),
                b"addr" => filter.addr = Some(args.required()?.to_vec()),
                b"laddr" => filter.laddr = Some(args.required()?.to_vec()),
                b"user" => filter.user = Some(known_user(cx, args.required()?)?),
                b"maxage" => filter.maxage = Some(positive(args.required()?, "maxage")?),
                b"idle" => filter.idle = Some(positive(args.required()?, "idle")?),
                b"name" => filter.name = Some(args.required()?.to_vec()),
                b"lib-name" => filter.lib_name = Some(args.required()?.to_vec()),
                b"lib-ver" => filter.lib_ver = Some(args.required()?.to_vec()),
                b"ip" => filter.ip = Some(args.required()?.to_vec()),
                b"db" => filter.db = Some(args.integer()?),
                b"flags" => filter.flags = Some(args.required()?.to_vec()),
                b"skipme" => filter.skip = parse_skip(args.required()?)?,
                _ => return Err(CommandError::Syntax),
            }
        }
        Ok(filter)
    }

    fn parse_ids(&mut self, args: &mut Args<'_>, for_list: bool) -> Result<(), CommandError> {
        let id_of = |word: &[u8]| crate::base::number::parse_i64(word);
        if !for_list {
            let id = id_of(args.required()?).filter(|&id| id > 0);
            let id = id.ok_or(CommandError::err("client-id should be greater than 0"))?;
            self.ids.push(ClientId(id as u64));
            return Ok(());
        }
        // LIST takes any number of them.
        while let Some(word) = args.next() {
            let id = id_of(word).ok_or(CommandError::err("Invalid client ID"))?;
            self.ids.push(ClientId(id.max(0) as u64));
        }
        Ok(())
    }

    /// Does a connection meet all conditions? `me` is the one that asks.
    pub fn matches(&self, server: &Server, client: &Client, me: ClientId) -> bool {
        let is = |wanted: &Option<Vec<u8>>, value: &[u8]| wanted.as_deref().is_none_or(|wanted| wanted == value);
        let seconds = |since: crate::base::time::MonoTime| (server.now.mono.since(since) / 1_000_000) as i64;
        let ip = client.addr.rsplit_once(':').map_or("", |(ip, _)| ip.trim_matches(['[', ']']));
        (self.ids.is_empty() || self.ids.contains(&client.id))
            && self.type_.is_none_or(|wanted| wanted == ClientType::of(client))
            && is(&self.addr, client.addr.as_bytes())
            && is(&self.laddr, client.laddr.as_bytes())
            && is(&self.user, &client.user)
            && is(&self.name, &client.name)
            && is(&self.lib_name, &client.lib_name)
            && is(&self.lib_ver, &client.lib_ver)
            && is(&self.ip, ip.as_bytes())
            && self.maxage.is_none_or(|age| seconds(client.created) >= age)
            && self.idle.is_none_or(|idle| seconds(client.last_interaction) >= idle)
            && self.db.is_none_or(|db| i64::from(client.db.0) == db)
            && self.flags.as_ref().is_none_or(|wanted| {
                let letters = flag_letters(client);
                wanted.iter().all(|letter| letters.as_bytes().contains(letter))
            })
            && !(self.skip == Skip::Me && client.id == me)
    }
}

fn known_user(cx: &ServerContext<'_>, name: &[u8]) -> Result<Vec<u8>, CommandError> {
    if cx.server.acl.user(name).is_some() {
        return Ok(name.to_vec());
    }
    Err(CommandError::err(format!("No such user '{}'", shown(name))))
}

fn positive(word: &[u8], what: &str) -> Result<i64, CommandError> {
    let number = crate::base::number::parse_i64(word)
        .ok_or_else(|| CommandError::err(format!("{what} is not an integer or out of range")))?;
    if number <= 0 {
        return Err(CommandError::err(format!("{what} should be greater than 0")));
    }
    Ok(number)
}

fn parse_skip(word: &[u8]) -> Result<Skip, CommandError> {
    if word.eq_ignore_ascii_case(b"yes") {
        Ok(Skip::Me)
    } else if word.eq_ignore_ascii_case(b"no") {
        Ok(Skip::Nobody)
    } else {
        Err(CommandError::Syntax)
    }
}
