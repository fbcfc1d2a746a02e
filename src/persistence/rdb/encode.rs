//! Values to RDB bytes, in the oldest types that hold them.

use crate::base::{crc, lzf};
use crate::storage::listpack::{self, Element};
use crate::storage::quicklist::NodeRef;
use crate::storage::stream::{ConsumerGroup, Stream, StreamId};
use crate::storage::{Encoding, EntryCopy, EntryRef, Object, Type, Value, packed};
use crate::types::hash::{Field, HashRef, next_field_expiry};
use crate::types::set::SetRef;
use crate::types::stream;
use crate::types::zset::{Direction, ZsetRef};

use super::{code, version_of};

/// Strings shorter than this are not worth compressing.
const COMPRESS_MIN: usize = 21;

/// Whether long strings are compressed (rdbcompression).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Lzf,
    None,
}

/// Whose types a value is written in, where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Redis's newest that are needed.
    Redis,
    /// Valkey's newest that are needed.
    Valkey,
    /// Those that Redis 7.0 reads. Fields that expire have none there.
    Redis70,
}

/// Where encoded bytes gather. A large value is written in parts: `spill` is called between its elements.
pub trait Out {
    /// What has gathered.
    fn buffer(&mut self) -> &mut Vec<u8>;

    /// Takes away what has gathered, if it is much.
    fn spill(&mut self);

    /// Appends a compressed string, if that saves anything.
    fn compressed(&mut self, bytes: &[u8]) -> bool;
}

/// Appends a string that `lzf` compresses, if that saves anything.
pub(super) fn compress_to(out: &mut Vec<u8>, lzf: &mut lzf::Compressor, bytes: &[u8]) -> bool {
    let Some(packed) = lzf.compress(bytes, bytes.len() - 4) else { return false };
    out.push(0xc3);
    length(out, packed.len() as u64);
    length(out, bytes.len() as u64);
    out.extend_from_slice(packed);
    true
}

impl Out for Vec<u8> {
    fn buffer(&mut self) -> &mut Vec<u8> {
        self
    }

    fn spill(&mut self) {}

    fn compressed(&mut self, bytes: &[u8]) -> bool {
        compress_to(self, &mut lzf::Compressor::default(), bytes)
    }
}

/// The payload of DUMP: the value with its type, version and checksum.
pub fn dump(entry: EntryRef<'_>) -> Vec<u8> {
    let kind = kind_of(entry, Form::Redis);
    let mut out = vec![kind];
    value(&mut out, entry, kind, Compression::Lzf);
    out.extend_from_slice(&version_of(kind).to_le_bytes());
    let checksum = crc::crc64(0, &out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// The type byte under which a value is written.
pub fn kind_of(entry: EntryRef<'_>, form: Form) -> u8 {
    match entry.type_() {
        Type::String => code::STRING,
        Type::Stream if form == Form::Redis70 => code::STREAM_2,
        Type::Stream if form == Form::Redis && stream::read(entry).is_some_and(stream::has_extras) => code::STREAM_5,
        Type::Stream => code::STREAM_3,
        Type::List => code::LIST_QUICKLIST_2,
        Type::Set => match SetRef::of(entry) {
            Some(SetRef::Intset(_)) => code::SET_INTSET,
            Some(SetRef::Packed(_)) if form != Form::Redis70 => code::SET_LISTPACK,
            _ => code::SET,
        },
        Type::Zset if entry.encoding() == Encoding::Tree => code::ZSET_2,
        Type::Zset => code::ZSET_LISTPACK,
        Type::Hash => match (HashRef::of(entry), next_field_expiry(entry).is_some() && form != Form::Redis70) {
            (Some(HashRef::Packed(..)), false) => code::HASH_LISTPACK,
            (_, true) if form == Form::Valkey => code::HASH_2,
            (Some(HashRef::Packed(..)), true) => code::HASH_LISTPACK_EX,
            (_, false) => code::HASH,
            (_, true) => code::HASH_METADATA,
        },
    }
}

/// Appends the body of a value of this type byte, which `kind_of` named.
pub fn value(out: &mut impl Out, entry: EntryRef<'_>, kind: u8, compression: Compression) {
    let mut writer = Writer { out, compression };
    match entry.type_() {
        Type::String => writer.string_value(entry),
        Type::Stream => writer.stream(entry, kind),
        Type::List => writer.list(entry),
        Type::Set => writer.set(entry, kind),
        Type::Zset => writer.zset(entry, kind),
        Type::Hash => writer.hash(entry, kind),
    }
}

/// As `value`, of an entry that is not needed any more: a large value is freed part by part as it is written, so that whoever goes
/// on changing the original does not copy what is on the disk already.
pub fn value_of_copy(out: &mut impl Out, copy: &mut EntryCopy<'_>, kind: u8, compression: Compression) {
    let entry = copy.entry();
    let is_dict = entry.encoding() == Encoding::Dict;
    let (type_, soonest) = (entry.type_(), next_field_expiry(entry).unwrap_or(0));
    if !is_dict && entry.encoding() != Encoding::Tree {
        return value(out, entry, kind, compression);
    }
    let mut writer = Writer { out, compression };
    match copy.take_object() {
        Some(Object::Dict(dict)) => {
            writer.elements_head(kind, soonest, dict.len());
            dict.consume(|field| match type_ {
                Type::Set => writer.member(field.field),
                _ => writer.field(Field::from(field), kind, soonest),
            });
        }
        Some(Object::Zset(zset)) => {
            writer.len(zset.len());
            zset.consume_backward(|score, member| writer.scored(Element::Str(member), score));
        }
        _ => writer.len(0),
    }
}

/// Appends a string as keys are written.
pub fn string(out: &mut impl Out, bytes: &[u8], compression: Compression) {
    Writer { out, compression }.string(bytes);
}

/// Appends a length.
pub fn length(out: &mut impl Out, len: u64) {
    Writer { out, compression: Compression::None }.len(len);
}

struct Writer<'o, O: Out> {
    out: &'o mut O,
    compression: Compression,
}

impl<O: Out> Writer<'_, O> {
    fn len(&mut self, len: u64) {
        match len {
            0..64 => self.out.buffer().push(len as u8),
            64..16_384 => self.out.buffer().extend_from_slice(&[0x40 | (len >> 8) as u8, len as u8]),
            16_384..=0xffff_ffff => {
                self.out.buffer().push(0x80);
                self.out.buffer().extend_from_slice(&(len as u32).to_be_bytes());
            }
            _ => {
                self.out.buffer().push(0x81);
                self.out.buffer().extend_from_slice(&len.to_be_bytes());
            }
        }
    }

    /// A small integer in place of its digits. False if it is too large for that.
    fn int(&mut self, number: i64) -> bool {
        if let Ok(small) = i8::try_from(number) {
            self.out.buffer().extend_from_slice(&[0xc0, small as u8]);
        } else if let Ok(small) = i16::try_from(number) {
            self.out.buffer().push(0xc1);
            self.out.buffer().extend_from_slice(&small.to_le_bytes());
        } else if let Ok(small) = i32::try_from(number) {
            self.out.buffer().push(0xc2);
            self.out.buffer().extend_from_slice(&small.to_le_bytes());
        } else {
            return false;
        }
        true
    }

    fn string(&mut self, bytes: &[u8]) {
        if bytes.len() <= 11
            && let Some(number) = crate::base::number::parse_i64(bytes)
            && self.int(number)
        {
            return;
        }
        self.blob(bytes);
    }

    /// A string that is no number.
    fn blob(&mut self, bytes: &[u8]) {
        let compress = self.compression == Compression::Lzf && bytes.len() >= COMPRESS_MIN;
        if compress && self.out.compressed(bytes) {
            return;
        }
        self.len(bytes.len() as u64);
        self.out.buffer().extend_from_slice(bytes);
    }

    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Int(number) => {
                if !self.int(number) {
                    self.blob(itoa::Buffer::new().format(number).as_bytes());
                }
            }
            Element::Str(bytes) => self.string(bytes),
        }
    }

    fn string_value(&mut self, entry: EntryRef<'_>) {
        match entry.value() {
            Value::Int(number) => self.element(Element::Int(number)),
            Value::Bytes(bytes) => self.string(bytes),
            Value::Object(Object::Blob(blob)) => self.string(blob),
            Value::Object(_) => self.string(b""),
        }
    }

    fn list(&mut self, entry: EntryRef<'_>) {
        match entry.value() {
            Value::Object(Object::List(list)) => {
                self.len(list.node_count() as u64);
                for node in list.nodes() {
                    match node {
                        NodeRef::Plain(bytes) => {
                            self.len(1);
                            self.string(bytes);
                        }
                        NodeRef::Listpack(bytes) => {
                            self.len(2);
                            self.blob(bytes);
                        }
                    }
                    self.out.spill();
                }
            }
            Value::Bytes(bytes) => {
                self.len(1);
                self.len(2);
                self.blob(bytes);
            }
            _ => self.len(0),
        }
    }

    fn set(&mut self, entry: EntryRef<'_>, kind: u8) {
        match SetRef::of(entry) {
            Some(SetRef::Intset(bytes)) => self.blob(bytes),
            Some(SetRef::Packed(bytes)) if kind == code::SET_LISTPACK => {
                self.blob(&listpack_of(packed::iter(bytes).filter_map(|item| item.element())));
            }
            Some(SetRef::Packed(bytes)) => {
                self.len(packed::iter(bytes).filter_map(|item| item.element()).count() as u64);
                packed::iter(bytes).filter_map(|item| item.element()).for_each(|member| self.element(member));
            }
            Some(SetRef::Dict(dict)) => {
                self.elements_head(kind, 0, dict.len());
                dict.iter().for_each(|field| self.member(field.field));
            }
            None => self.len(0),
        }
    }

    fn zset(&mut self, entry: EntryRef<'_>, kind: u8) {
        let Some(zset) = ZsetRef::of(entry) else { return self.len(0) };
        if kind == code::ZSET_2 {
            self.len(zset.len() as u64);
            // The greatest first, as Redis does: a reader that builds a list then always adds at its head.
            zset.range(0..zset.len(), Direction::Backward).for_each(|(member, score)| self.scored(member, score));
            return;
        }
        let mut bytes = listpack::EMPTY.to_vec();
        for (member, score) in zset.iter() {
            listpack::push_back(&mut bytes, member);
            let text = crate::base::number::format_f64(score);
            listpack::push_back(&mut bytes, Element::from_text(text.as_bytes()));
        }
        self.blob(&bytes);
    }

    fn hash(&mut self, entry: EntryRef<'_>, kind: u8) {
        let Some(hash) = HashRef::of(entry) else { return self.len(0) };
        let soonest = next_field_expiry(entry).unwrap_or(0);
        match kind {
            code::HASH_LISTPACK => self.blob(&listpack_of(hash.iter().flat_map(|field| [field.name, field.value]))),
            code::HASH_LISTPACK_EX => {
                self.out.buffer().extend_from_slice(&soonest.to_le_bytes());
                let mut fields: Vec<_> = hash.iter().collect();
                // The soonest first; fields without an expiry last.
                fields.sort_by_key(|field| field.expire_at.unwrap_or(i64::MAX));
                let mut bytes = listpack::EMPTY.to_vec();
                for field in &fields {
                    listpack::push_back(&mut bytes, field.name);
                    listpack::push_back(&mut bytes, field.value);
                    listpack::push_back(&mut bytes, Element::Int(field.expire_at.unwrap_or(0)));
                }
                self.blob(&bytes);
            }
            _ => {
                self.elements_head(kind, soonest, hash.len());
                hash.iter().for_each(|field| self.field(field, kind, soonest));
            }
        }
    }

    /// What comes before the elements of a table of fields or members.
    fn elements_head(&mut self, kind: u8, soonest: i64, len: usize) {
        if kind == code::HASH_METADATA {
            self.out.buffer().extend_from_slice(&soonest.to_le_bytes());
        }
        self.len(len as u64);
    }

    fn member(&mut self, member: &[u8]) {
        self.string(member);
        self.out.spill();
    }

    fn scored(&mut self, member: Element<'_>, score: f64) {
        self.element(member);
        self.out.buffer().extend_from_slice(&score.to_le_bytes());
        self.out.spill();
    }

    fn field(&mut self, field: Field<'_>, kind: u8, soonest: i64) {
        if kind == code::HASH_METADATA {
            // Relative to the soonest, plus one: zero means none.
            self.len(field.expire_at.map_or(0, |at| (at - soonest).max(0) as u64 + 1));
        }
        self.element(field.name);
        self.element(field.value);
        if kind == code::HASH_2 {
            self.out.buffer().extend_from_slice(&field.expire_at.unwrap_or(-1).to_le_bytes());
        }
        self.out.spill();
    }
}

impl<O: Out> Writer<'_, O> {
    fn stream(&mut self, entry: EntryRef<'_>, kind: u8) {
        let Some(stream) = stream::read(entry) else { return self.len(0) };
        self.len(stream.node_count() as u64);
        for (id, node) in stream.nodes() {
            self.blob(&id.to_bytes());
            self.blob(node.listpack());
            self.out.spill();
        }
        self.len(stream.len());
        self.stream_id(stream.last_id);
        self.stream_id(stream.first_id().unwrap_or(StreamId::MIN));
        self.stream_id(stream.max_deleted_id);
        self.len(stream.entries_added);
        self.len(stream.group_count() as u64);
        for (name, group) in stream.groups() {
            self.string(name.bytes());
            self.stream_id(group.last_id);
            self.len(group.entries_read.unwrap_or(u64::MAX));
            self.len(group.pending().len() as u64);
            for (id, pending) in group.pending().iter() {
                self.out.buffer().extend_from_slice(&id.to_bytes());
                self.out.buffer().extend_from_slice(&pending.delivered_at().to_le_bytes());
                self.len(pending.deliveries);
                self.out.spill();
            }
            self.consumers(group, kind);
        }
        if kind == code::STREAM_5 {
            self.additions(stream);
        }
    }

    fn stream_id(&mut self, id: StreamId) {
        self.len(id.ms);
        self.len(id.seq);
    }

    fn ids(&mut self, ids: impl ExactSizeIterator<Item = StreamId>) {
        self.len(ids.len() as u64);
        for id in ids {
            self.out.buffer().extend_from_slice(&id.to_bytes());
            self.out.spill();
        }
    }

    /// The consumers of a group. A form that does not know entries without an owner has a consumer without a name for them.
    fn consumers(&mut self, group: &ConsumerGroup, kind: u8) {
        let mut given_back: Vec<StreamId> = group.given_back().collect();
        let is_known = kind == code::STREAM_5;
        let nobodys = if is_known { &[][..] } else { &given_back[..] };
        let adds_nobody = !nobodys.is_empty() && group.consumer(b"").is_none();
        self.len((group.consumer_count() + usize::from(adds_nobody)) as u64);
        if adds_nobody {
            self.consumer_head(b"", 0, Some(0), kind);
            let mut ids = nobodys.to_vec();
            ids.sort_unstable();
            self.ids(ids.into_iter());
        }
        for (name, consumer) in group.consumers() {
            self.consumer_head(name.bytes(), consumer.seen_time, consumer.active_time, kind);
            let mut ids: Vec<StreamId> = consumer.pending().iter().map(|(id, ())| *id).collect();
            if name.bytes().is_empty() {
                ids.extend_from_slice(nobodys);
                ids.sort_unstable();
            }
            self.ids(ids.into_iter());
        }
        if is_known {
            self.ids(given_back.drain(..));
        }
    }

    fn consumer_head(&mut self, name: &[u8], seen: i64, active: Option<i64>, kind: u8) {
        self.string(name);
        self.out.buffer().extend_from_slice(&seen.to_le_bytes());
        if kind != code::STREAM_2 {
            self.out.buffer().extend_from_slice(&active.unwrap_or(-1).to_le_bytes());
        }
    }

    /// What a stream remembers of additions.
    fn additions(&mut self, stream: &Stream) {
        self.len(u64::from(stream.idmp_duration));
        self.len(u64::from(stream.idmp_maxsize));
        let additions = stream.additions.as_deref();
        self.len(additions.map_or(0, |additions| additions.producers(0).count()) as u64);
        for (producer, remembered) in additions.iter().flat_map(|additions| additions.producers(0)) {
            self.string(producer.bytes());
            self.len(remembered.clone().count() as u64);
            for (id, entry) in remembered {
                self.string(id.bytes());
                self.stream_id(entry);
                self.out.spill();
            }
        }
        self.len(additions.map_or(0, |additions| additions.added));
        self.len(additions.map_or(0, |additions| additions.duplicates));
    }
}

fn listpack_of<'a>(elements: impl Iterator<Item = Element<'a>>) -> Vec<u8> {
    let mut bytes = listpack::EMPTY.to_vec();
    elements.for_each(|element| listpack::push_back(&mut bytes, element));
    bytes
}
