//! Memory limits: evicting keys when `maxmemory` is exceeded, and clients when `maxmemory-clients` is.

use crate::config::MaxmemoryPolicy;
use crate::keyspace::evict::{EvictionPolicy, VictimOrder};
use crate::server::{ClientFlags, ClientId, Server};

/// Microseconds of eviction for one command, however much it must make up for: what `maxmemory-eviction-tenacity` is; 10
/// for 500, less in proportion, more by 15 % a step, 100 for no end. What earlier turns left over gets half as much of a turn.
fn slice_us(tenacity: i32) -> u64 {
    match tenacity {
        ..=10 => 50 * tenacity.max(0) as u64,
        100.. => u64::MAX,
        _ => (500.0 * 1.15f64.powi(tenacity - 10)) as u64,
    }
}

/// How eviction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Memory is below the limit.
    Enough,
    /// Above it, and more will be evicted.
    Coming,
    /// Above it, and nothing can be evicted.
    None,
}

/// The eviction policy in force; None for `noeviction`.
pub fn eviction_policy(server: &Server) -> Option<EvictionPolicy> {
    use VictimOrder::{Lfu, Lru, Random, Ttl};
    let (order, volatile_only) = match server.config.maxmemory_policy {
        MaxmemoryPolicy::NoEviction => return None,
        MaxmemoryPolicy::AllkeysLru | MaxmemoryPolicy::AllkeysLrm => (Lru, false),
        MaxmemoryPolicy::AllkeysLfu => (Lfu, false),
        MaxmemoryPolicy::AllkeysRandom => (Random, false),
        MaxmemoryPolicy::VolatileLru | MaxmemoryPolicy::VolatileLrm => (Lru, true),
        MaxmemoryPolicy::VolatileLfu => (Lfu, true),
        MaxmemoryPolicy::VolatileRandom => (Random, true),
        MaxmemoryPolicy::VolatileTtl => (Ttl, true),
    };
    Some(EvictionPolicy { order, volatile_only, samples: server.config.maxmemory_samples.max(1) as usize })
}

/// Evicts until memory is below `maxmemory`, or for a slice of time. The commands of a turn share one slice for what was
/// left over before; beside it, each evicts as much as was added since the last of them, so that what is left over does not
/// grow. While a file is loaded nothing is evicted: a later command of the file would make a key anew that was there.
pub fn make_room(server: &mut Server) -> Room {
    let limit = server.config.maxmemory as usize;
    if limit == 0 || server.persistence.loading.is_some() || counted_memory(server) <= limit {
        note_left_over(server, 0);
        return Room::Enough;
    }
    let policy = eviction_policy(server);
    let (start, slice_us) = (server.host.mono_us(), slice_us(server.config.maxmemory_eviction_tenacity));
    let before = server.eviction;
    let mut evicted = 0u32;
    let room = loop {
        let used = counted_memory(server);
        if used <= limit {
            break Room::Enough;
        }
        let is_old_excess = used <= before.left_over;
        if is_old_excess && before.spent_us > slice_us / 2 {
            break Room::Coming;
        }
        // So many go in any case: time that the process did not get must not look like work.
        if evicted > 0 && evicted.is_multiple_of(16) {
            let spent = server.host.mono_us() - start;
            if spent > slice_us || (is_old_excess && before.spent_us + spent > slice_us / 2) {
                break Room::Coming;
            }
        }
        if !policy.is_some_and(|policy| server.keyspace.evict_one(policy)) {
            // What another thread is about to free counts for the room to come.
            let freeing = server.keyspace.garbage.pending() > 0;
            break if freeing { Room::Coming } else { Room::None };
        }
        // What the eviction left to be told takes memory itself, sometimes more than the key did. It is on its way out with
        // the end of the turn: were it counted before that, keys would be evicted for the news of keys.
        let untold = server.used_memory();
        super::deliver::after_command(server);
        server.eviction.told_bytes += server.used_memory().saturating_sub(untold);
        evicted += 1;
    };
    server.eviction.spent_us += server.host.mono_us() - start;
    let left_over = if room == Room::Coming { counted_memory(server) } else { 0 };
    note_left_over(server, left_over);
    room
}

/// Was there no room when the request in hand came? Nothing is evicted while it is executed: what a transaction or a script has seen
/// stays, and what it began is not refused in its middle.
pub fn is_exhausted(server: &Server) -> bool {
    server.config.maxmemory > 0 && server.eviction.is_exhausted
}

/// The memory that eviction keeps within bounds.
fn counted_memory(server: &Server) -> usize {
    server.used_memory().saturating_sub(server.eviction.told_bytes)
}

/// Notes how much memory was in use when eviction stopped above `maxmemory`, and since when it does.
fn note_left_over(server: &mut Server, bytes: usize) {
    let now = server.now.mono;
    server.eviction.left_over = bytes;
    if bytes > 0 {
        server.eviction.over_since.get_or_insert(now);
    } else if let Some(since) = server.eviction.over_since.take() {
        server.stats.eviction_exceeded_us += now.since(since);
    }
}

/// Closes the clients that hold most memory until all together hold no more than `maxmemory-clients`.
pub fn evict_clients(server: &mut Server) {
    let limit = server.config.maxmemory_clients.bytes(server.config.maxmemory) as usize;
    if limit == 0 {
        return;
    }
    // Messages may have come to clients that asked for nothing in this turn.
    for index in 0..server.pending_writes.len() {
        count_client(server, server.pending_writes[index]);
    }
    if server.client_memory <= limit {
        return;
    }
    let mut by_size: Vec<(usize, ClientId)> = server
        .clients
        .iter()
        .filter(|client| !client.flags.has(ClientFlags::NO_EVICT.or(ClientFlags::CLOSING)))
        .map(|client| (client.counted_memory, client.id))
        .collect();
    by_size.sort_unstable();
    while server.client_memory > limit {
        let Some((bytes, id)) = by_size.pop() else { return };
        if bytes == 0 {
            return;
        }
        crate::base::log::notice(&format!("Evicting client: id={} tot-mem={bytes}", id.0));
        forget_memory(server, id);
        server.close_client(id, false);
        server.stats.evicted_clients += 1;
    }
}

/// Brings the sum of client memory up to date with one client.
pub fn count_client(server: &mut Server, place: u32) {
    if let Some(client) = server.clients.at(place) {
        // What is about to be closed is as good as gone.
        let is_closing = client.flags.has(ClientFlags::CLOSING);
        let bytes = if is_closing { 0 } else { client.memory_bytes() };
        server.client_memory = server.client_memory + bytes - client.counted_memory;
        client.counted_memory = bytes;
    }
}

/// Counts a client that sent something. If it holds more than before and clients hold too much, some go at once: whoever
/// asks next in the same turn finds them gone.
pub fn count_sender(server: &mut Server, place: u32) {
    let before = server.client_memory;
    count_client(server, place);
    let limit = server.config.maxmemory_clients.bytes(server.config.maxmemory) as usize;
    if server.client_memory > before && limit > 0 && server.client_memory > limit {
        evict_clients(server);
    }
}

/// Takes a client out of the sum.
pub fn forget_memory(server: &mut Server, id: ClientId) {
    if let Some(client) = server.clients.get_mut(id) {
        server.client_memory -= client.counted_memory;
        client.counted_memory = 0;
    }
}
