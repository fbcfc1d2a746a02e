//! DEBUG DIGEST: a SHA-1 of what keys hold that does not depend on the order of what has no order, nor on encodings.
//! Two servers with the same data answer the same, whichever of them is Redis.

use sha1::{Digest as _, Sha1};

use crate::storage::packed::{self, Item};
use crate::storage::stream::StreamId;
use crate::storage::{Encoding, EntryRef, Object, Type, Value, intset, listpack};

use super::{stream, string};

/// Twenty bytes into which parts are mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Adds a part whose place among others does not matter.
    pub fn add(&mut self, part: &[u8]) {
        let hash = Sha1::digest(part);
        self.0.iter_mut().zip(hash).for_each(|(byte, other)| *byte ^= other);
    }

    /// Adds a part that comes after what is there.
    pub fn chain(&mut self, part: &[u8]) {
        self.add(part);
        let hash = Sha1::digest(self.0);
        self.0.copy_from_slice(&hash);
    }

    /// Adds another digest, as a part whose place among others does not matter.
    pub fn merge(&mut self, other: Digest) {
        self.add(&other.0);
    }

    /// Forty hexadecimal digits.
    pub fn hex(&self) -> String {
        crate::base::sha::hex(&self.0)
    }
}

/// Mixes type, value and whether it expires into a digest.
pub fn mix_value(digest: &mut Digest, entry: EntryRef<'_>) {
    digest.chain(&(entry.type_() as u32).to_be_bytes());
    match entry.type_() {
        Type::String => digest.chain(&string::bytes(entry)),
        Type::List => mix_list(digest, entry),
        Type::Set => mix_set(digest, entry),
        Type::Hash => mix_hash(digest, entry),
        Type::Zset => mix_zset(digest, entry),
        Type::Stream => mix_stream(digest, entry),
    }
    if entry.expire_at().is_some() {
        digest.add(b"!!expire!!");
    }
}

fn mix_list(digest: &mut Digest, entry: EntryRef<'_>) {
    let mut digits = itoa::Buffer::new();
    match entry.value() {
        Value::Bytes(bytes) => listpack::iter(bytes).for_each(|element| digest.chain(element.as_bytes(&mut digits))),
        Value::Object(Object::List(list)) => {
            list.iter().for_each(|element| digest.chain(element.as_bytes(&mut digits)))
        }
        _ => {}
    }
}

fn mix_set(digest: &mut Digest, entry: EntryRef<'_>) {
    let mut digits = itoa::Buffer::new();
    match entry.value() {
        Value::Bytes(bytes) if entry.encoding() == Encoding::Intset => {
            intset::iter(bytes).for_each(|member| digest.add(digits.format(member).as_bytes()));
        }
        Value::Bytes(bytes) => packed::iter(bytes).for_each(|member| digest.add(text(member, &mut digits))),
        Value::Object(Object::Dict(dict)) => dict.iter().for_each(|member| digest.add(member.field)),
        _ => {}
    }
}

fn mix_hash(digest: &mut Digest, entry: EntryRef<'_>) {
    let mut digits = itoa::Buffer::new();
    let mut mix = |name: &[u8], value: &[u8], expires: bool| {
        let mut field = Digest::default();
        field.chain(name);
        field.chain(value);
        if expires {
            field.add(b"!!hexpire!!");
        }
        digest.merge(field);
    };
    match entry.value() {
        Value::Bytes(bytes) => {
            let has_expiries = entry.encoding() == Encoding::PackedEx;
            let mut items = packed::iter(bytes);
            while let (Some(name), Some(value)) = (items.next(), items.next()) {
                let expires = has_expiries && items.next().is_some_and(|at| at != Item::Int(0));
                let name = text(name, &mut digits).to_vec();
                mix(&name, text(value, &mut digits), expires);
            }
        }
        Value::Object(Object::Dict(dict)) => {
            dict.iter().for_each(|field| mix(field.field, field.value, field.expire_at.is_some()));
        }
        _ => {}
    }
}

fn mix_zset(digest: &mut Digest, entry: EntryRef<'_>) {
    let mut digits = itoa::Buffer::new();
    let mut mix = |member: &[u8], score: f64| {
        let mut both = Digest::default();
        both.chain(member);
        both.chain(crate::base::number::format_shortest(score).as_bytes());
        digest.merge(both);
    };
    match entry.value() {
        Value::Bytes(bytes) => {
            let mut items = packed::iter(bytes);
            while let (Some(member), Some(score)) = (items.next(), items.next()) {
                mix(text(member, &mut digits), score.as_f64().unwrap_or(0.0));
            }
        }
        Value::Object(Object::Zset(zset)) => zset.tree().iter().for_each(|(score, member)| mix(member, score)),
        _ => {}
    }
}

fn mix_stream(digest: &mut Digest, entry: EntryRef<'_>) {
    let Some(stream) = stream::read(entry) else { return };
    let mut digits = itoa::Buffer::new();
    for entry in stream.range(StreamId::MIN, StreamId::MAX) {
        digest.chain(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
        for (name, value) in entry.fields() {
            digest.chain(name.as_bytes(&mut digits));
            digest.chain(value.as_bytes(&mut digits));
        }
    }
}

fn text<'a>(item: Item<'a>, digits: &'a mut itoa::Buffer) -> &'a [u8] {
    item.element().map_or(&[], |element| element.as_bytes(digits))
}
