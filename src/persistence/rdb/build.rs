//! Entries out of elements, on any thread: what RESTORE and loading make of decoded values. Elements come in batches; a
//! small collection is made in one go, a large one grows batch by batch.

use crate::base::hash::HashSeed;
use crate::config::Config;
use crate::storage::OwnedEntry;
use crate::storage::packed::{self, Item};
use crate::storage::quicklist::{NodeLimits, Quicklist};
use crate::storage::stream::Stream;
use crate::storage::zset::Change;
use crate::storage::{Encoding, NewValue, Object, Shared, Type, Value, listpack};
use crate::types::hash::{self, FieldTtl};
use crate::types::list::{self, End};
use crate::types::set::{self, SetLimits};
use crate::types::{Limits, string, zset};

/// Where small encodings end, as configured.
#[derive(Clone, Copy, Debug)]
pub struct BuildLimits {
    list: NodeLimits,
    set: SetLimits,
    zset: Limits,
    hash: Limits,
    idmp: (u32, u32),
    seed: HashSeed,
}

impl BuildLimits {
    /// As this configuration says. `seed` is that of the keyspace.
    pub fn new(config: &Config, seed: HashSeed) -> BuildLimits {
        let packed = Limits::new(config.set_max_listpack_entries, config.set_max_listpack_value);
        let intset = config.set_max_intset_entries.min(1 << 27) as usize;
        BuildLimits {
            list: NodeLimits::new(config.list_max_listpack_size),
            set: SetLimits { intset, packed },
            zset: Limits::new(config.zset_max_listpack_entries, config.zset_max_listpack_value),
            hash: Limits::new(config.hash_max_listpack_entries, config.hash_max_listpack_value),
            idmp: (
                config.stream_idmp_duration.clamp(1, 86_400) as u32,
                config.stream_idmp_maxsize.clamp(1, 10_000) as u32,
            ),
            seed,
        }
    }

    /// For how many seconds, and how many of each producer, streams remember additions that say nothing of it.
    pub fn idmp(&self) -> (u32, u32) {
        self.idmp
    }
}

/// What an entry is beside its value.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its expiry.
    pub expire: Option<i64>,
    /// Its access bits.
    pub lru: u32,
}

impl Head<'_> {
    fn entry(self, type_: Type, value: NewValue<'_>) -> OwnedEntry {
        OwnedEntry::new(self.key, value, type_, self.expire, self.lru)
    }
}

/// Strings, one after the other in one buffer that is used again.
#[derive(Default)]
pub struct Elements {
    pub(super) bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Elements {
    /// Ends the string that was appended to `bytes`.
    pub(super) fn close(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Adds a string.
    pub fn push(&mut self, element: &[u8]) {
        self.bytes.extend_from_slice(element);
        self.close();
    }

    /// Forgets all strings.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    /// The strings.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }
}

/// An element that a collection has twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate;

/// A stream.
pub fn stream_entry(head: Head<'_>, stream: Stream) -> OwnedEntry {
    head.entry(Type::Stream, crate::types::stream::new_value(stream))
}

/// A string.
pub fn string_entry(head: Head<'_>, bytes: &[u8]) -> OwnedEntry {
    head.entry(Type::String, string::new_value(bytes, None))
}

/// A string of whose bytes the caller has no further use.
pub fn owned_string_entry(head: Head<'_>, bytes: Vec<u8>) -> OwnedEntry {
    let shared = (bytes.len() > string::INLINE_MAX).then(|| Shared::new(bytes.clone()));
    head.entry(Type::String, string::new_value(&bytes, shared))
}

/// A collection that grows.
pub struct Building<'l> {
    limits: &'l BuildLimits,
    entry: OwnedEntry,
}

impl<'l> Building<'l> {
    /// A collection of this type that will have about `count` elements, of which `first` is one.
    pub fn new(limits: &'l BuildLimits, head: Head<'_>, type_: Type, count: usize, first: &[u8]) -> Building<'l> {
        let seed = limits.seed;
        let value = match type_ {
            Type::Set => set::new_value(first, count, limits.set, seed),
            Type::Zset => zset::new_value(count, limits.zset, seed),
            Type::Hash => hash::NEW,
            Type::List | Type::String | Type::Stream => list::EMPTY,
        };
        let mut entry = head.entry(type_, value);
        if type_ == Type::Hash {
            hash::reserve(&mut entry.edit(), count, limits.hash, seed);
        }
        Building { limits, entry }
    }

    /// Adds an element at the end of a list.
    pub fn push(&mut self, element: &[u8]) {
        let mut entry = self.entry.edit();
        list::reserve(&mut entry, element.len(), 1, self.limits.list);
        list::push(&mut entry, End::Back, element, self.limits.list);
    }

    /// Adds elements of a valid listpack at the end of a list, as a node of its own where that fits.
    pub fn push_listpack(&mut self, bytes: &[u8]) {
        let whole = self.limits.list.allow(bytes.len(), listpack::count(bytes));
        let mut entry = self.entry.edit();
        if whole && let Some(Object::List(list)) = entry.object_mut() {
            return list.push_listpack(bytes.to_vec());
        }
        let is_empty = matches!(entry.value(), Value::Bytes(held) if listpack::count(held) == 0);
        if whole && is_empty {
            entry.set_value(Type::List, NewValue::Bytes(Encoding::Listpack, bytes));
            return;
        }
        if whole && let Value::Bytes(held) = entry.value() {
            let mut list = Quicklist::from_listpack(held.to_vec());
            list.push_listpack(bytes.to_vec());
            entry.set_value(Type::List, NewValue::Object(Encoding::Quicklist, Box::new(Object::List(list))));
            return;
        }
        for element in listpack::iter(bytes) {
            match element {
                listpack::Element::Int(number) => self.push(itoa::Buffer::new().format(number).as_bytes()),
                listpack::Element::Str(bytes) => self.push(bytes),
            }
        }
    }

    /// Adds a member to a set.
    ///
    /// # Errors
    /// If it has it.
    pub fn member(&mut self, member: &[u8]) -> Result<(), Duplicate> {
        let is_new = set::add(&mut self.entry.edit(), member, self.limits.set, self.limits.seed);
        if is_new { Ok(()) } else { Err(Duplicate) }
    }

    /// Adds a member to a sorted set.
    ///
    /// # Errors
    /// If it has it.
    pub fn scored(&mut self, member: &[u8], score: f64) -> Result<(), Duplicate> {
        let change = zset::insert(&mut self.entry.edit(), member, score, self.limits.zset, self.limits.seed);
        if matches!(change, Change::Added) { Ok(()) } else { Err(Duplicate) }
    }

    /// Adds a field to a hash.
    ///
    /// # Errors
    /// If it has it.
    pub fn field(&mut self, name: &[u8], value: &[u8], expire: Option<i64>) -> Result<(), Duplicate> {
        let ttl = expire.map_or(FieldTtl::Clear, FieldTtl::At);
        let is_new = hash::set(&mut self.entry.edit(), name, value, ttl, self.limits.hash, self.limits.seed);
        if is_new { Ok(()) } else { Err(Duplicate) }
    }

    /// The entry.
    pub fn finish(self) -> OwnedEntry {
        self.entry
    }
}

fn has_duplicates<'a>(names: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut sorted: Vec<&[u8]> = names.collect();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}

/// A hash of these fields and values in turns, made in one go; None if it is too large for that.
pub fn small_hash(
    limits: &BuildLimits,
    head: Head<'_>,
    pairs: &Elements,
    packed: &mut Vec<u8>,
) -> Option<Result<OwnedEntry, Duplicate>> {
    let fits = pairs.len() / 2 <= limits.hash.entries && pairs.iter().all(|element| element.len() <= limits.hash.bytes);
    if !fits {
        return None;
    }
    if has_duplicates(pairs.iter().step_by(2)) {
        return Some(Err(Duplicate));
    }
    packed.clear();
    packed.extend_from_slice(&packed::EMPTY);
    for element in pairs.iter() {
        packed::push_back(packed, &[Item::from_text(element)]);
    }
    Some(Ok(head.entry(Type::Hash, NewValue::Bytes(Encoding::Packed, packed))))
}

/// A sorted set of these members, made in one go; None if it is too large for that or they are out of order.
pub fn small_zset(
    limits: &BuildLimits,
    head: Head<'_>,
    members: &Elements,
    scores: &[f64],
) -> Option<Result<OwnedEntry, Duplicate>> {
    let fits = members.len() <= limits.zset.entries && members.iter().all(|member| member.len() <= limits.zset.bytes);
    let pairs: Vec<(f64, &[u8])> = scores.iter().copied().zip(members.iter()).collect();
    if !fits || !pairs.is_sorted_by(|&a, &b| zset::compare(a, b).is_lt()) {
        return None;
    }
    if has_duplicates(members.iter()) {
        return Some(Err(Duplicate));
    }
    Some(Ok(zset::store_sorted(&pairs, limits.zset, limits.seed, |value| head.entry(Type::Zset, value))))
}
