//! Additions that are remembered, so that whoever repeats one does not add its entry twice: for each producer, the IDs that
//! it gave its additions, with the entries that came of them.

use std::ops::Bound;

use super::{Name, StreamId};
use crate::storage::ordered::OrderedMap;
use crate::storage::shared::Shared;

/// How many forgotten additions one new one may drop beyond its own producer's.
const SWEEP_MAX: usize = 16;

/// The additions of all producers.
#[derive(Clone, Default)]
pub struct Additions {
    /// How many were ever remembered.
    pub added: u64,
    /// How many were repeated.
    pub duplicates: u64,
    producers: OrderedMap<Name, Shared<Producer>>,
    /// The producer that was swept last.
    swept: Option<Name>,
}

#[derive(Clone, Default)]
struct Producer {
    by_id: OrderedMap<Name, (u64, StreamId)>,
    /// The same in the order in which they came.
    in_order: OrderedMap<u64, (Name, StreamId)>,
}

impl Producer {
    fn push(&mut self, id: &[u8], entry: StreamId) {
        let place = self.in_order.last().map_or(0, |(last, _)| last + 1);
        let name = Name::new(id);
        self.by_id.insert(name.clone(), (place, entry));
        self.in_order.insert(place, (name, entry));
    }

    fn pop(&mut self) -> bool {
        let Some((&place, (name, _))) = self.in_order.first() else { return false };
        let name = name.clone();
        self.in_order.remove(&place);
        self.by_id.remove(&name);
        true
    }

    /// Drops up to `max` of those whose entry is of a time before `since`.
    fn drop_before(&mut self, since: u64, max: usize) {
        let mut left = max;
        while left > 0 && self.in_order.first().is_some_and(|(_, (_, entry))| entry.ms < since) {
            self.pop();
            left -= 1;
        }
    }
}

impl Additions {
    /// The entry that an addition made, unless it is of a time before `since`.
    pub fn find(&self, producer: &[u8], id: &[u8], since: u64) -> Option<StreamId> {
        let (_, entry) = self.producers.get(producer)?.by_id.get(id)?;
        (entry.ms >= since).then_some(*entry)
    }

    /// Remembers an addition; its producer's oldest go where there are more than `max`, and some that are of a time before
    /// `since`.
    pub fn remember(&mut self, producer: &[u8], id: &[u8], entry: StreamId, since: u64, max: usize) {
        if !self.producers.contains(producer) {
            self.producers.insert(Name::new(producer), Shared::default());
        }
        if let Some(producer) = self.producers.get_mut(producer) {
            let producer = producer.make_mut();
            if let Some((place, _)) = producer.by_id.remove(id) {
                producer.in_order.remove(&place);
            }
            producer.drop_before(since, SWEEP_MAX);
            producer.push(id, entry);
            while producer.in_order.len() > max && producer.pop() {}
        }
        self.sweep(since);
    }

    /// Drops some old additions of the next producer in turn: two of them for each new one, so that those who fell silent are
    /// forgotten.
    fn sweep(&mut self, since: u64) {
        for _ in 0..2 {
            let from = self.swept.as_ref().map_or(Bound::Unbounded, |name| Bound::Excluded(name.bytes()));
            let next = self.producers.iter_from::<[u8]>(from).next().map(|(name, _)| name.clone());
            self.swept.clone_from(&next);
            let Some(name) = next else { return };
            let Some(producer) = self.producers.get_mut(name.bytes()) else { return };
            if producer.in_order.first().is_some_and(|(_, (_, entry))| entry.ms < since) {
                producer.make_mut().drop_before(since, SWEEP_MAX);
            }
            if producer.in_order.is_empty() {
                self.producers.remove(name.bytes());
            }
        }
    }

    /// Forgets all additions, but not how many there were.
    pub fn forget(&mut self) {
        *self = Additions { added: self.added, duplicates: self.duplicates, ..Additions::default() };
    }

    /// The producers, with the additions of each that are not of a time before `since`, the oldest first.
    pub fn producers(
        &self,
        since: u64,
    ) -> impl Iterator<Item = (&Name, impl Iterator<Item = (&Name, StreamId)> + Clone)> {
        self.producers.iter().map(move |(name, producer)| {
            let live = producer.in_order.iter().map(|(_, (id, entry))| (id, *entry));
            (name, live.filter(move |(_, entry)| entry.ms >= since))
        })
    }

    /// Roughly how many allocations freeing this takes.
    pub fn free_effort(&self) -> usize {
        self.producers.iter().map(|(_, producer)| 2 * producer.by_id.len() + 2).sum()
    }

    /// Bytes of all allocations.
    pub fn memory_bytes(&self) -> usize {
        let producers = self.producers.iter().map(|(name, producer)| {
            let each = 32 * producer.by_id.len();
            name.bytes().len() + 64 + producer.by_id.memory_bytes() + producer.in_order.memory_bytes() + each
        });
        size_of::<Additions>() + self.producers.memory_bytes() + producers.sum::<usize>()
    }

    /// Asserts that both views of each producer agree.
    pub fn check_invariants(&self) {
        self.producers.check_invariants();
        for (_, producer) in self.producers.iter() {
            assert_eq!(producer.by_id.len(), producer.in_order.len());
            for (place, (id, entry)) in producer.in_order.iter() {
                assert_eq!(producer.by_id.get(id.bytes()), Some(&(*place, *entry)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_producer_are_remembered() {
        let mut additions = Additions::default();
        let id = |ms| StreamId::new(ms, 0);
        for n in 0..10u64 {
            additions.remember(b"p", n.to_string().as_bytes(), id(n), 0, 3);
            additions.remember(format!("q{n}").as_bytes(), b"x", id(n), 0, 3);
            additions.check_invariants();
        }
        assert_eq!(additions.find(b"p", b"6", 0), None);
        assert_eq!(additions.find(b"p", b"7", 0), Some(id(7)));
        assert_eq!(additions.find(b"p", b"7", 8), None);
        assert_eq!(additions.find(b"q3", b"x", 0), Some(id(3)));
        let kept = additions.clone();
        for n in 10..40u64 {
            additions.remember(b"p", b"again", id(n), n, 3);
            additions.check_invariants();
        }
        assert_eq!(additions.producers(0).map(|(name, _)| name.bytes().to_vec()).collect::<Vec<_>>(), [b"p"]);
        assert_eq!(additions.producers(0).flat_map(|(_, live)| live).count(), 1);
        assert_eq!(kept.find(b"q3", b"x", 0), Some(id(3)));
        additions.forget();
        assert_eq!(additions.producers(0).count(), 0);
    }
}
