//! A consumer group: how far it has read, what its consumers were given and have not acknowledged.
//!
//! Pending entries stand in the group by their IDs, with their owner; in another map by time of delivery, for whoever looks
//! for those that lie long; and in each consumer's set of IDs. All of them change together, in `put` and `remove`.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::Bound;

use super::StreamId;
use crate::storage::ordered::OrderedMap;
use crate::storage::shared::Shared;

/// The name of a group or consumer, shared by all that mention it.
#[derive(Clone, Debug)]
pub struct Name(Shared<Box<[u8]>>);

impl Name {
    /// This name.
    pub fn new(name: &[u8]) -> Name {
        Name(Shared::new(name.into()))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Name) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        self.bytes()
    }
}

/// An entry that was delivered and is not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Whose it is; None when its consumer gave it back.
    pub consumer: Option<Name>,
    /// When it was delivered last, in milliseconds since the epoch; of one that was given back its place in their line,
    /// which comes before all times.
    pub time: i64,
    /// How often it was delivered.
    pub deliveries: u64,
}

impl Pending {
    /// When it was delivered last; 0 if it was given back.
    pub fn delivered_at(&self) -> i64 {
        if self.consumer.is_some() { self.time } else { 0 }
    }
}

/// A consumer.
#[derive(Clone)]
pub struct Consumer {
    /// When it asked last.
    pub seen_time: i64,
    /// When it was given something last.
    pub active_time: Option<i64>,
    pending: OrderedMap<StreamId, ()>,
}

impl Consumer {
    /// The IDs of its pending entries.
    pub fn pending(&self) -> &OrderedMap<StreamId, ()> {
        &self.pending
    }
}

/// A group.
#[derive(Clone)]
pub struct ConsumerGroup {
    /// The last ID that was delivered.
    pub last_id: StreamId,
    /// How many entries it has read; None if that cannot be told.
    pub entries_read: Option<u64>,
    pending: OrderedMap<StreamId, Pending>,
    by_time: OrderedMap<(i64, StreamId), ()>,
    consumers: OrderedMap<Name, Shared<Consumer>>,
}

impl ConsumerGroup {
    /// A group without consumers that has read up to this ID.
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> ConsumerGroup {
        ConsumerGroup {
            last_id,
            entries_read,
            pending: OrderedMap::default(),
            by_time: OrderedMap::default(),
            consumers: OrderedMap::default(),
        }
    }

    /// The pending entries by ID.
    pub fn pending(&self) -> &OrderedMap<StreamId, Pending> {
        &self.pending
    }

    /// The IDs of the pending entries, by time of delivery.
    pub fn by_time(&self) -> &OrderedMap<(i64, StreamId), ()> {
        &self.by_time
    }

    /// The consumers by name.
    pub fn consumers(&self) -> impl Iterator<Item = (&Name, &Consumer)> {
        self.consumers.iter().map(|(name, consumer)| (name, &**consumer))
    }

    /// Number of consumers.
    pub fn consumer_count(&self) -> usize {
        self.consumers.len()
    }

    /// A consumer.
    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumers.get(name).map(|consumer| &**consumer)
    }

    /// A consumer, to set its times.
    pub fn consumer_mut(&mut self, name: &[u8]) -> Option<&mut Consumer> {
        self.consumers.get_mut(name).map(Shared::make_mut)
    }

    /// Adds a consumer; false if there is such a one.
    pub fn add_consumer(&mut self, name: &[u8], seen_time: i64) -> bool {
        if self.consumers.contains(name) {
            return false;
        }
        let consumer = Consumer { seen_time, active_time: None, pending: OrderedMap::default() };
        self.consumers.insert(Name::new(name), Shared::new(consumer));
        true
    }

    /// Removes a consumer with its pending entries. Returns how many there were; None if there is no such consumer.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<u64> {
        let consumer = self.consumers.remove(name)?;
        for (id, ()) in consumer.pending.iter() {
            if let Some(pending) = self.pending.remove(id) {
                self.by_time.remove(&(pending.time, *id));
            }
        }
        Some(consumer.pending.len() as u64)
    }

    /// The name of a consumer, as pending entries hold it.
    pub fn name_of(&self, consumer: &[u8]) -> Option<Name> {
        self.consumers.at_or_before(consumer).map(|(name, _)| name.clone()).filter(|name| name.bytes() == consumer)
    }

    /// Makes an entry pending for this consumer, which must exist, or changes what it is.
    pub fn assign(&mut self, id: StreamId, consumer: Name, time: i64, deliveries: u64) {
        self.put(id, Pending { consumer: Some(consumer), time: time.max(0), deliveries });
    }

    fn put(&mut self, id: StreamId, pending: Pending) {
        let old = self.pending.get(&id).cloned();
        if let Some(old) = &old
            && old.time != pending.time
        {
            self.by_time.remove(&(old.time, id));
        }
        if old.as_ref().is_none_or(|old| old.time != pending.time) {
            self.by_time.insert((pending.time, id), ());
        }
        let before = old.and_then(|old| old.consumer);
        if before != pending.consumer {
            self.disown(before.as_ref(), id);
            if let Some(name) = &pending.consumer
                && let Some(consumer) = self.consumers.get_mut(name.bytes())
            {
                consumer.make_mut().pending.insert(id, ());
            }
        }
        self.pending.insert(id, pending);
    }

    /// Takes a pending entry from its owner, or makes one that has none. It stands last in the line of those.
    pub fn give_back(&mut self, id: StreamId, deliveries: u64) {
        self.remove(id);
        let line = self.by_time.iter_back_from(Bound::Excluded(&(0, StreamId::MIN))).next();
        let time = line.map_or(i64::MIN, |((last, _), ())| (last + 1).min(-1));
        self.put(id, Pending { consumer: None, time, deliveries });
    }

    /// The IDs of the entries that were given back, as they stand in line.
    pub fn given_back(&self) -> impl Iterator<Item = StreamId> {
        self.by_time.iter().map(|((time, id), ())| (*time, *id)).take_while(|(time, _)| *time < 0).map(|(_, id)| id)
    }

    /// Forgets a pending entry; false if there is none.
    pub fn remove(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        self.by_time.remove(&(pending.time, id));
        self.disown(pending.consumer.as_ref(), id);
        true
    }

    fn disown(&mut self, name: Option<&Name>, id: StreamId) {
        if let Some(name) = name
            && let Some(consumer) = self.consumers.get_mut(name.bytes())
        {
            consumer.make_mut().pending.remove(&id);
        }
    }

    /// Roughly how many allocations freeing the group takes.
    pub fn free_effort(&self) -> usize {
        3 * self.pending.free_effort() + 2 * self.consumers.len()
    }

    /// Bytes of all allocations, estimated where there are many.
    pub fn memory_bytes(&self) -> usize {
        let consumers = self.consumers().map(|(name, consumer)| {
            name.bytes().len() + 24 + size_of::<Consumer>() + 8 + consumer.pending.memory_bytes()
        });
        let own = size_of::<ConsumerGroup>() + 8 + self.pending.memory_bytes() + self.by_time.memory_bytes();
        own + self.consumers.memory_bytes() + consumers.sum::<usize>()
    }

    /// Asserts that the views of pending entries agree.
    pub fn check_invariants(&self) {
        self.pending.check_invariants();
        self.by_time.check_invariants();
        self.consumers.check_invariants();
        assert_eq!(self.pending.len(), self.by_time.len());
        for (id, pending) in self.pending.iter() {
            assert!(self.by_time.contains(&(pending.time, *id)));
            if let Some(name) = &pending.consumer {
                assert!(self.consumer(name.bytes()).is_some_and(|consumer| consumer.pending.contains(id)));
            }
        }
        let owned = self.pending.iter().filter(|(_, pending)| pending.consumer.is_some()).count();
        assert_eq!(self.consumers().map(|(_, consumer)| consumer.pending.len()).sum::<usize>(), owned);
        self.consumers().for_each(|(_, consumer)| consumer.pending.check_invariants());
    }
}
