//! Client-side caching: who has read which key and wants to hear when it changes, and who wants to hear of all keys with some
//! prefix. Deliberately absent: what clients said of it (`server::Client`), telling them (`server::tracking` writes the messages).
//! Called by that. <https://redis.io/docs/latest/develop/reference/client-side-caching/>

use std::collections::{BTreeMap, BTreeSet};

use crate::base::hash::HashSeed;
use crate::base::rng::Rng;

/// A client, by its number.
pub type Reader = u64;

/// Keys with their hashes, and who has read each.
pub type Keys = BTreeMap<(u64, Vec<u8>), Vec<Reader>>;

/// Bytes of a set with one reader.
const READERS_BYTES: usize = 112;

/// What changed under one prefix since the last broadcast.
#[derive(Debug, Default)]
struct Prefix {
    readers: BTreeSet<Reader>,
    /// Changed keys, and the one client that changed each (none: several, or nobody).
    changed: BTreeMap<Vec<u8>, Option<Reader>>,
}

/// Something to tell the readers of a prefix.
#[derive(Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// Who listens.
    pub readers: Vec<Reader>,
    /// Which keys changed, and who changed them.
    pub changed: Vec<(Vec<u8>, Option<Reader>)>,
}

/// Who has read what. Keys of all databases are one: a message names no database.
#[derive(Debug)]
pub struct Tracking {
    seed: HashSeed,
    /// In the order of their hashes, so that a random one is soon found.
    keys: Keys,
    items: usize,
    prefixes: BTreeMap<Vec<u8>, Prefix>,
    /// How many prefixes have each length.
    lengths: BTreeMap<usize, usize>,
    has_changes: bool,
    /// Clients that track.
    pub clients: usize,
    /// Clients that have ever tracked and are still there.
    pub readers: usize,
}

impl Tracking {
    /// Nobody tracks anything.
    pub fn new(seed: u64) -> Tracking {
        Tracking {
            seed: HashSeed::new(seed),
            keys: BTreeMap::new(),
            items: 0,
            prefixes: BTreeMap::new(),
            lengths: BTreeMap::new(),
            has_changes: false,
            clients: 0,
            readers: 0,
        }
    }

    /// Does anybody want to hear of changes?
    pub fn is_active(&self) -> bool {
        self.clients > 0 || !self.keys.is_empty()
    }

    /// Numbers of keys that were read, of pairs of key and reader, and of prefixes.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.keys.len(), self.items, self.prefixes.len())
    }

    fn place_of(&self, key: &[u8]) -> (u64, Vec<u8>) {
        (self.seed.hash(key), key.to_vec())
    }

    /// Notes that a client has read a key.
    pub fn note_read(&mut self, key: &[u8], reader: Reader) {
        let place = self.place_of(key);
        let readers = self.keys.entry(place).or_default();
        if !readers.contains(&reader) {
            readers.push(reader);
            self.items += 1;
        }
    }

    /// A key changes: those who have read it, to be told; they are forgotten.
    pub fn take_readers(&mut self, key: &[u8]) -> Vec<Reader> {
        if self.keys.is_empty() {
            return Vec::new();
        }
        let place = self.place_of(key);
        let readers = self.keys.remove(&place).unwrap_or_default();
        self.items -= readers.len();
        readers
    }

    /// Forgets some key, any equally likely, if there are more than `max`: its readers are to be told.
    pub fn take_any_beyond(&mut self, max: usize, rng: &mut Rng) -> Option<(Vec<u8>, Vec<Reader>)> {
        if self.keys.len() <= max {
            return None;
        }
        let from = (rng.next_u64(), Vec::new());
        let place =
            self.keys.range(from..).next().or_else(|| self.keys.iter().next()).map(|(place, _)| place.clone())?;
        let readers = self.keys.remove(&place)?;
        self.items -= readers.len();
        Some((place.1, readers))
    }

    /// Forgets all keys, and gives what was known of them to be freed elsewhere.
    pub fn take_keys(&mut self) -> Keys {
        self.items = 0;
        std::mem::take(&mut self.keys)
    }

    /// Bytes of memory that a client's prefix takes: here, with a set for who listens, and in what is known of the client.
    pub fn prefix_bytes(prefix: &[u8]) -> usize {
        2 * (size_of::<Vec<u8>>() + prefix.len()) + size_of::<Prefix>() + READERS_BYTES
    }

    /// Notes that a client wants to hear of keys with this prefix.
    pub fn add_prefix(&mut self, prefix: &[u8], reader: Reader) {
        if !self.prefixes.contains_key(prefix) {
            *self.lengths.entry(prefix.len()).or_default() += 1;
        }
        self.prefixes.entry(prefix.to_vec()).or_default().readers.insert(reader);
    }

    /// Forgets that.
    pub fn remove_prefix(&mut self, prefix: &[u8], reader: Reader) {
        let Some(known) = self.prefixes.get_mut(prefix) else { return };
        known.readers.remove(&reader);
        if !known.readers.is_empty() {
            return;
        }
        self.prefixes.remove(prefix);
        if let Some(count) = self.lengths.get_mut(&prefix.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&prefix.len());
            }
        }
    }

    /// A key changes, by the doing of a client or nobody's: notes it for the next broadcast.
    pub fn note_change(&mut self, key: &[u8], by: Option<Reader>) {
        let Tracking { prefixes, lengths, has_changes, .. } = self;
        for prefix in lengths.keys().filter_map(|&length| key.get(..length)) {
            let Some(known) = prefixes.get_mut(prefix) else { continue };
            *has_changes = true;
            let all = known.changed.entry(key.to_vec()).or_insert(by);
            if *all != by {
                *all = None;
            }
        }
    }

    /// What is to be broadcast.
    pub fn take_broadcasts(&mut self) -> Vec<Broadcast> {
        if !std::mem::take(&mut self.has_changes) {
            return Vec::new();
        }
        let all = self.prefixes.values_mut().filter(|prefix| !prefix.changed.is_empty());
        all.map(|prefix| Broadcast {
            readers: prefix.readers.iter().copied().collect(),
            changed: std::mem::take(&mut prefix.changed).into_iter().collect(),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_told_once() {
        let mut tracking = Tracking::new(1);
        tracking.note_read(b"a", 1);
        tracking.note_read(b"a", 2);
        tracking.note_read(b"a", 1);
        tracking.note_read(b"b", 1);
        assert_eq!(tracking.counts(), (2, 3, 0));
        assert_eq!(tracking.take_readers(b"a"), [1, 2]);
        assert!(tracking.take_readers(b"a").is_empty() && tracking.take_readers(b"c").is_empty());
        assert_eq!(tracking.counts(), (1, 1, 0));
    }

    #[test]
    fn too_many_keys_go_at_random() {
        let (mut tracking, mut rng) = (Tracking::new(1), Rng::new(5));
        for number in 0..1000u32 {
            tracking.note_read(format!("key:{number:04}").as_bytes(), 7);
        }
        let mut gone = Vec::new();
        while let Some((key, readers)) = tracking.take_any_beyond(500, &mut rng) {
            assert_eq!(readers, [7]);
            gone.push(key);
        }
        assert_eq!((gone.len(), tracking.counts().0), (500, 500));
        let low = gone.iter().filter(|key| key.as_slice() < b"key:0500".as_slice()).count();
        assert!((150..350).contains(&low), "{low} of the first half");
    }

    #[test]
    fn broadcasts_gather_the_keys_of_each_prefix() {
        let mut tracking = Tracking::new(1);
        tracking.add_prefix(b"", 1);
        tracking.add_prefix(b"a:", 2);
        tracking.add_prefix(b"b:", 2);
        tracking.note_change(b"a:1", Some(9));
        tracking.note_change(b"a:1", Some(2));
        tracking.note_change(b"c", Some(2));
        let expected = [
            Broadcast { readers: vec![1], changed: vec![(b"a:1".to_vec(), None), (b"c".to_vec(), Some(2))] },
            Broadcast { readers: vec![2], changed: vec![(b"a:1".to_vec(), None)] },
        ];
        assert_eq!(tracking.take_broadcasts(), expected);
        assert!(tracking.take_broadcasts().is_empty());
        tracking.remove_prefix(b"a:", 2);
        tracking.note_change(b"a:2", None);
        assert_eq!(tracking.take_broadcasts().len(), 1);
        assert_eq!(tracking.counts(), (0, 0, 2));
    }
}
