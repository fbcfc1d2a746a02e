//! A client: one connection with what it said of itself, what it subscribed to, and what it waits for.

use std::collections::VecDeque;

use crate::base::bits::bits;
use crate::base::time::MonoTime;
use crate::keyspace::DbIndex;
use crate::pubsub::Subscriptions;
use crate::resp::{Output, Parser, Proto};
use crate::storage::{Incoming, Shared};

use super::blocking::Blocked;
use super::table::CommandId;
use super::tracking::TrackingOptions;
use super::watch::WatchedKey;

/// The number of a client: never used twice in a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

bits! {
    /// What a client is and what happens to it, with the letters of CLIENT LIST.
    ClientFlags: u32 {
        MONITOR = 0, "O";
        PUBSUB = 1, "P";
        MULTI = 2, "x";
        BLOCKED = 3, "b";
        DIRTY_CAS = 4, "d";
        CLOSE_AFTER_REPLY = 5, "c";
        CLOSING = 6, "A";
        UNIX_SOCKET = 7, "U";
        NO_EVICT = 8, "e";
        NO_TOUCH = 9, "T";
        DIRTY_EXEC = 10, "";
        REPLY_OFF = 11, "";
        REPLY_SKIP_NEXT = 12, "";
        REPLY_SKIP = 13, "";
        AUTHENTICATED = 14, "";
        PAUSED = 15, "";
        DENY_BLOCKING = 16, "";
        PROTOCOL_ERROR = 17, "";
        INPUT_LEFT = 18, "";
        RESTRICTED = 19, "";
        TRACKING = 20, "t";
        TRACKING_BROKEN = 21, "R";
        TRACKING_BCAST = 22, "B";
        SCRIPT = 23, "";
    }
}

impl ClientFlags {
    /// Those of these that are in `others`.
    pub const fn of(self, others: ClientFlags) -> ClientFlags {
        ClientFlags(self.0 & others.0)
    }

    /// These without `other`.
    pub const fn without(self, other: ClientFlags) -> ClientFlags {
        ClientFlags(self.0 & !other.0)
    }
}

/// A command queued by MULTI.
#[derive(Clone, Debug)]
pub struct QueuedCommand {
    /// Which.
    pub id: CommandId,
    /// The request.
    pub argv: Vec<Vec<u8>>,
}

/// A transaction in the making.
#[derive(Clone, Debug, Default)]
pub struct MultiState {
    /// The commands so far.
    pub queue: Vec<QueuedCommand>,
    /// Bytes of their arguments.
    pub bytes: usize,
}

/// What a client sent and is not executed: requests that must wait, or the beginning of one.
#[derive(Debug, Default)]
pub struct Partial {
    /// The bytes.
    pub buf: Vec<u8>,
    /// Bytes of `buf` that are executed: the next request begins here. Zero while it has long arguments.
    pub done: usize,
    /// How far the next request is parsed.
    pub parser: Parser,
    /// Long arguments complete so far.
    pub bigs: Vec<Shared<Vec<u8>>>,
    /// The long argument being read, with its line end.
    pub big: Option<Incoming>,
}

/// A connection.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Client {
    pub id: ClientId,
    pub db: DbIndex,
    pub proto: Proto,
    /// The protocol that it speaks itself, while a script runs for it and `proto` is that of the script's calls.
    pub own_proto: Option<Proto>,
    pub flags: ClientFlags,
    pub out: Output,
    pub partial: Option<Box<Partial>>,
    pub multi: Option<Box<MultiState>>,
    pub watched: Vec<WatchedKey>,
    pub subscriptions: Option<Box<Subscriptions>>,
    pub blocked: Option<Box<Blocked>>,
    pub tracking: Option<Box<TrackingOptions>>,
    /// Has it ever tracked?
    pub has_tracked: bool,
    pub name: Vec<u8>,
    pub lib_name: Vec<u8>,
    pub lib_ver: Vec<u8>,
    pub user: Vec<u8>,
    pub addr: String,
    pub laddr: String,
    pub fd: i64,
    pub created: MonoTime,
    pub last_interaction: MonoTime,
    pub last_command: Option<CommandId>,
    pub net_input_bytes: u64,
    pub net_output_bytes: u64,
    pub commands_processed: u64,
    /// Messages that came while its transaction ran: they follow the whole reply.
    pub deferred: Option<Box<Output>>,
    /// Bytes of the request in hand and of its arguments alone, where a reply tells of them.
    pub request_bytes: (usize, usize),
    /// When its output first exceeded the soft limit.
    pub soft_limit_since: Option<MonoTime>,
    /// Bytes last added to the sum that maxmemory-clients bounds.
    pub counted_memory: usize,
    /// From which positions of its output on it must wait, and for which epochs of the append-only file, in order.
    pub holds: VecDeque<(u64, u64)>,
    /// The offset of propagation after its last write.
    pub write_offset: u64,
    /// Is it in the list of clients whose output is to be written?
    pub pending_write: bool,
    /// Most bytes that waited to be sent lately.
    pub buf_peak: usize,
    /// Since when `buf_peak` is looked for.
    pub buf_peak_since: MonoTime,
}

impl Client {
    /// The protocol of messages that it is sent.
    #[inline]
    pub fn message_proto(&self) -> Proto {
        self.own_proto.unwrap_or(self.proto)
    }

    /// Bytes of output that may be sent.
    #[inline]
    pub fn sendable(&self) -> usize {
        self.holds.front().map_or(self.out.len(), |&(position, _)| self.out.len_before(position))
    }

    /// Bytes of requests read and not yet executed.
    pub fn query_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            partial.buf.len() - partial.done
                + partial.big.as_ref().map_or(0, Incoming::len)
                + partial.bigs.iter().map(|big| big.len()).sum::<usize>()
        })
    }

    /// Bytes of requests read and not yet taken apart into arguments.
    pub fn unparsed_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| match &partial.big {
            Some(big) => big.len(),
            None => (partial.buf.len() - partial.done).saturating_sub(partial.parser.parsed()),
        })
    }

    /// Bytes of memory held for requests.
    pub fn query_capacity(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            partial.buf.capacity()
                + partial.parser.args.capacity() * 24
                + partial.big.as_ref().map_or(0, Incoming::len)
                + partial.bigs.iter().map(|big| big.capacity()).sum::<usize>()
        })
    }

    /// All bytes of memory that this client is the cause of: what is announced of a long argument counts before it comes.
    pub fn memory_bytes(&self) -> usize {
        let multi = self.multi.as_ref().map_or(0, |multi| multi.bytes + multi.queue.capacity() * 32);
        let watched: usize = self.watched.iter().map(|(_, key)| key.capacity() + 64).sum();
        let subscribed = self.subscriptions.as_ref().map_or(0, |subscriptions| subscriptions.memory_bytes());
        let prefixes = self.tracking.as_ref().map_or(0, |options| options.prefix_bytes);
        let announced = self.partial.as_ref().and_then(|partial| partial.big.as_ref()).map_or(0, Incoming::missing);
        size_of::<Client>()
            + self.query_capacity()
            + announced
            + self.out.memory_bytes()
            + multi
            + watched
            + subscribed
            + prefixes
            + self.name.capacity()
            + self.lib_name.capacity()
            + self.lib_ver.capacity()
            + self.addr.capacity()
            + self.laddr.capacity()
    }

    /// Is it in a mode in which RESP2 allows only pub/sub commands?
    pub fn is_subscriber(&self) -> bool {
        self.subscriptions.as_ref().is_some_and(|subscriptions| !subscriptions.is_empty())
    }

    /// Does it come from this machine?
    pub fn is_local(&self) -> bool {
        let is_loopback = self.addr.starts_with("127.") || self.addr.starts_with("[::1]");
        self.flags.has(ClientFlags::UNIX_SOCKET) || is_loopback
    }

    /// Has it said who it is, or need not?
    pub fn is_authenticated(&self) -> bool {
        self.flags.has(ClientFlags::AUTHENTICATED)
    }
}

/// All clients, by number. A client keeps its place while it is connected, so that looking it up is an index.
#[derive(Debug, Default)]
pub struct Clients {
    places: Vec<Option<Box<Client>>>,
    free: Vec<u32>,
    /// Place of each client, in order of their numbers.
    by_id: std::collections::BTreeMap<ClientId, u32>,
    next_id: u64,
}

impl Clients {
    /// Adds a client, gives it its number, and returns both number and place.
    pub fn add(&mut self, mut client: Client) -> (ClientId, u32) {
        self.next_id += 1;
        let id = ClientId(self.next_id);
        client.id = id;
        let place = self.free.pop().unwrap_or(self.places.len() as u32);
        if place as usize == self.places.len() {
            self.places.push(None);
        }
        self.places[place as usize] = Some(Box::new(client));
        self.by_id.insert(id, place);
        (id, place)
    }

    /// Removes a client.
    pub fn remove(&mut self, id: ClientId) -> Option<Box<Client>> {
        let place = self.by_id.remove(&id)?;
        self.free.push(place);
        self.places[place as usize].take()
    }

    /// The place of a client.
    pub fn place(&self, id: ClientId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// The client at a place.
    #[inline]
    pub fn at(&mut self, place: u32) -> Option<&mut Client> {
        self.places.get_mut(place as usize)?.as_deref_mut()
    }

    /// One client.
    pub fn get(&self, id: ClientId) -> Option<&Client> {
        self.places[*self.by_id.get(&id)? as usize].as_deref()
    }

    /// One client, to change.
    pub fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.places[*self.by_id.get(&id)? as usize].as_deref_mut()
    }

    /// All clients, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.by_id.values().filter_map(|&place| self.places[place as usize].as_deref())
    }

    /// The numbers of all clients, the oldest first.
    pub fn ids(&self) -> Vec<ClientId> {
        self.by_id.keys().copied().collect()
    }

    /// The first client after `id`, for walks that go on later; wraps around.
    pub fn next_after(&self, id: ClientId) -> Option<ClientId> {
        let after = (std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded);
        self.by_id.range(after).next().or_else(|| self.by_id.iter().next()).map(|(&id, _)| id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Is nobody connected?
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
