//! Values to RDB bytes, in the oldest types that hold them.

use crate::base::{crc, lzf};
use crate::storage::listpack::{self, Element};
use crate::storage::quicklist::NodeRef;
use crate::storage::{Encoding, EntryRef, Object, Type, Value, packed};
use crate::types::hash::HashRef;
use crate::types::set::SetRef;
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

/// The payload of DUMP: the value with its type, version and checksum.
pub fn dump(entry: EntryRef<'_>) -> Vec<u8> {
    let mut out = vec![0];
    out[0] = value(&mut out, entry, Compression::Lzf);
    let version = version_of(out[0]);
    out.extend_from_slice(&version.to_le_bytes());
    let checksum = crc::crc64(0, &out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// Appends the body of a value and returns its type byte.
pub fn value(out: &mut Vec<u8>, entry: EntryRef<'_>, compression: Compression) -> u8 {
    let mut writer = Writer { out, compression };
    match entry.type_() {
        Type::String | Type::Stream => {
            writer.string_value(entry);
            code::STRING
        }
        Type::List => writer.list(entry),
        Type::Set => writer.set(entry),
        Type::Zset => writer.zset(entry),
        Type::Hash => writer.hash(entry),
    }
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    compression: Compression,
}

impl Writer<'_> {
    fn len(&mut self, len: u64) {
        match len {
            0..64 => self.out.push(len as u8),
            64..16_384 => self.out.extend_from_slice(&[0x40 | (len >> 8) as u8, len as u8]),
            16_384..=0xffff_ffff => {
                self.out.push(0x80);
                self.out.extend_from_slice(&(len as u32).to_be_bytes());
            }
            _ => {
                self.out.push(0x81);
                self.out.extend_from_slice(&len.to_be_bytes());
            }
        }
    }

    /// A small integer in place of its digits. False if it is too large for that.
    fn int(&mut self, number: i64) -> bool {
        if let Ok(small) = i8::try_from(number) {
            self.out.extend_from_slice(&[0xc0, small as u8]);
        } else if let Ok(small) = i16::try_from(number) {
            self.out.push(0xc1);
            self.out.extend_from_slice(&small.to_le_bytes());
        } else if let Ok(small) = i32::try_from(number) {
            self.out.push(0xc2);
            self.out.extend_from_slice(&small.to_le_bytes());
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
        if self.compression == Compression::Lzf
            && bytes.len() >= COMPRESS_MIN
            && let Some(packed) = lzf::compress(bytes, bytes.len() - 4)
        {
            self.out.push(0xc3);
            self.len(packed.len() as u64);
            self.len(bytes.len() as u64);
            self.out.extend_from_slice(&packed);
            return;
        }
        self.len(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
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

    fn list(&mut self, entry: EntryRef<'_>) -> u8 {
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
                }
            }
            Value::Bytes(bytes) => {
                self.len(1);
                self.len(2);
                self.blob(bytes);
            }
            _ => self.len(0),
        }
        code::LIST_QUICKLIST_2
    }

    fn set(&mut self, entry: EntryRef<'_>) -> u8 {
        let Some(set) = SetRef::of(entry) else { return code::SET };
        match set {
            SetRef::Intset(bytes) => {
                self.blob(bytes);
                code::SET_INTSET
            }
            SetRef::Packed(bytes) => {
                self.blob(&listpack_of(packed::iter(bytes).filter_map(|item| item.element())));
                code::SET_LISTPACK
            }
            SetRef::Dict(dict) => {
                self.len(dict.len() as u64);
                dict.iter().for_each(|field| self.string(field.field));
                code::SET
            }
        }
    }

    fn zset(&mut self, entry: EntryRef<'_>) -> u8 {
        let Some(zset) = ZsetRef::of(entry) else { return code::ZSET_2 };
        if entry.encoding() == Encoding::Tree {
            self.len(zset.len() as u64);
            // The greatest first, as Redis does: a reader that builds a list then always adds at its head.
            for (member, score) in zset.range(0..zset.len(), Direction::Backward) {
                self.element(member);
                self.out.extend_from_slice(&score.to_le_bytes());
            }
            return code::ZSET_2;
        }
        let mut bytes = listpack::EMPTY.to_vec();
        for (member, score) in zset.iter() {
            listpack::push_back(&mut bytes, member);
            let text = crate::base::number::format_f64(score);
            listpack::push_back(&mut bytes, Element::from_text(text.as_bytes()));
        }
        self.blob(&bytes);
        code::ZSET_LISTPACK
    }

    fn hash(&mut self, entry: EntryRef<'_>) -> u8 {
        let Some(hash) = HashRef::of(entry) else { return code::HASH };
        let soonest = hash.iter().filter_map(|field| field.expire_at).min();
        match (hash, soonest) {
            (HashRef::Packed(..), None) => {
                self.blob(&listpack_of(hash.iter().flat_map(|field| [field.name, field.value])));
                code::HASH_LISTPACK
            }
            (HashRef::Packed(..), Some(soonest)) => {
                self.out.extend_from_slice(&soonest.to_le_bytes());
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
                code::HASH_LISTPACK_EX
            }
            (HashRef::Dict(_), None) => {
                self.len(hash.len() as u64);
                for field in hash.iter() {
                    self.element(field.name);
                    self.element(field.value);
                }
                code::HASH
            }
            (HashRef::Dict(_), Some(soonest)) => {
                self.out.extend_from_slice(&soonest.to_le_bytes());
                self.len(hash.len() as u64);
                for field in hash.iter() {
                    // Relative to the soonest, plus one: zero means none.
                    self.len(field.expire_at.map_or(0, |at| (at - soonest) as u64 + 1));
                    self.element(field.name);
                    self.element(field.value);
                }
                code::HASH_METADATA
            }
        }
    }
}

fn listpack_of<'a>(elements: impl Iterator<Item = Element<'a>>) -> Vec<u8> {
    let mut bytes = listpack::EMPTY.to_vec();
    elements.for_each(|element| listpack::push_back(&mut bytes, element));
    bytes
}
