//! RDB bytes to values. The bytes may be anyone's: every length is checked against what is there before memory is taken for
//! it, every packed part is validated in depth, and what a type forbids (duplicate members, NaN, empty collections) is refused.

use std::borrow::Cow;

use crate::base::number::{parse_f64, parse_i64};
use crate::base::{crc, lzf};
use crate::storage::listpack::{self, Element};
use crate::storage::{Type, intset};

use super::{BadFormat, VERSION_MAX, VERSION_VALKEY, code, legacy};

/// A value, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// A string.
    String(Vec<u8>),
    /// A list's elements in order.
    List(Vec<Vec<u8>>),
    /// A set's members.
    Set(Vec<Vec<u8>>),
    /// A sorted set's members with their scores.
    Zset(Vec<(Vec<u8>, f64)>),
    /// A hash's fields with their values and expiries.
    Hash(Vec<(Vec<u8>, Vec<u8>, Option<i64>)>),
}

impl Decoded {
    /// The type of key it makes.
    pub fn type_(&self) -> Type {
        match self {
            Decoded::String(_) => Type::String,
            Decoded::List(_) => Type::List,
            Decoded::Set(_) => Type::Set,
            Decoded::Zset(_) => Type::Zset,
            Decoded::Hash(_) => Type::Hash,
        }
    }

    /// Number of elements; a string counts as one.
    pub fn len(&self) -> usize {
        match self {
            Decoded::String(_) => 1,
            Decoded::List(all) | Decoded::Set(all) => all.len(),
            Decoded::Zset(all) => all.len(),
            Decoded::Hash(all) => all.len(),
        }
    }

    /// Is it a collection without elements, which no key may hold?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Does a DUMP payload end in a version that is known here and (unless skipped) the right checksum?
pub fn has_valid_footer(payload: &[u8], skip_checksum: bool) -> bool {
    let Some((_, footer)) = payload.split_last_chunk::<10>() else { return false };
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let Some((body, checksum)) = payload.split_last_chunk::<8>() else { return false };
    let known = version <= VERSION_MAX || version == VERSION_VALKEY;
    known && (skip_checksum || crc::crc64(0, body).to_le_bytes() == *checksum)
}

/// The value of a DUMP payload whose footer is valid.
///
/// # Errors
/// Where and why the bytes are no value.
pub fn payload(payload: &[u8]) -> Result<Decoded, BadFormat> {
    let body = payload.split_last_chunk::<10>().map_or(payload, |(body, _)| body);
    let Some((&kind, _)) = body.split_first() else { return Err(BadFormat { offset: 0, what: "no type" }) };
    let mut reader = Reader::new(body, 1);
    let decoded = value(&mut reader, kind)?;
    if reader.at != body.len() {
        return Err(reader.bad("bytes after the value"));
    }
    if decoded.is_empty() {
        return Err(reader.bad("an empty collection"));
    }
    Ok(decoded)
}

/// Bytes, and how far they are read.
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// The next byte to read.
    pub at: usize,
}

enum Length {
    Plain(u64),
    Encoded(u8),
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from `at` on.
    pub fn new(bytes: &'a [u8], at: usize) -> Reader<'a> {
        Reader { bytes, at }
    }

    fn bad(&self, what: &'static str) -> BadFormat {
        BadFormat { offset: self.at, what }
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], BadFormat> {
        if count > self.left() {
            return Err(self.bad("the end comes too early"));
        }
        let part = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadFormat> {
        let part = self.take(N)?;
        part.try_into().map_err(|_| self.bad("the end comes too early"))
    }

    fn length(&mut self) -> Result<Length, BadFormat> {
        let [first] = self.array()?;
        Ok(match (first >> 6, first) {
            (0, _) => Length::Plain(u64::from(first & 63)),
            (1, _) => {
                let [second] = self.array()?;
                Length::Plain(u64::from(first & 63) << 8 | u64::from(second))
            }
            (3, _) => Length::Encoded(first & 63),
            (_, 0x80) => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            (_, 0x81) => Length::Plain(u64::from_be_bytes(self.array()?)),
            _ => return Err(self.bad("an unknown form of length")),
        })
    }

    /// A number of things.
    ///
    /// # Errors
    /// If there is none.
    pub fn number(&mut self) -> Result<u64, BadFormat> {
        match self.length()? {
            Length::Plain(number) => Ok(number),
            Length::Encoded(_) => Err(self.bad("a string where a length should be")),
        }
    }

    /// A number of elements that take at least `least` bytes each, so that a false one cannot ask for memory.
    fn count(&mut self, least: usize) -> Result<usize, BadFormat> {
        let count = self.number()?;
        if count > (self.left() / least) as u64 {
            return Err(self.bad("more elements than bytes"));
        }
        Ok(count as usize)
    }

    /// A string, unpacked.
    ///
    /// # Errors
    /// If there is none.
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>, BadFormat> {
        let number = match self.length()? {
            Length::Plain(len) => {
                let len = usize::try_from(len).map_err(|_| self.bad("a string too long"))?;
                return self.take(len).map(Cow::Borrowed);
            }
            Length::Encoded(0) => i64::from(i8::from_le_bytes(self.array()?)),
            Length::Encoded(1) => i64::from(i16::from_le_bytes(self.array()?)),
            Length::Encoded(2) => i64::from(i32::from_le_bytes(self.array()?)),
            Length::Encoded(3) => {
                let (packed, len) = (self.number()?, self.number()?);
                let packed = self.take(usize::try_from(packed).map_err(|_| self.bad("a string too long"))?)?;
                // LZF packs at most some 264 bytes into three.
                if len > packed.len() as u64 * 90 + 64 {
                    return Err(self.bad("a packed string that is too short for its length"));
                }
                let bytes = lzf::decompress(packed, len as usize).map_err(|_| self.bad("a broken packed string"))?;
                return Ok(Cow::Owned(bytes));
            }
            Length::Encoded(_) => return Err(self.bad("an unknown form of string")),
        };
        Ok(Cow::Owned(itoa::Buffer::new().format(number).as_bytes().to_vec()))
    }

    fn score(&mut self) -> Result<f64, BadFormat> {
        let score = f64::from_le_bytes(self.array()?);
        if score.is_nan() { Err(self.bad("a score that is no number")) } else { Ok(score) }
    }

    /// A score of the oldest kind: its digits, or a sign for what has none.
    fn text_score(&mut self) -> Result<f64, BadFormat> {
        let [len] = self.array()?;
        match len {
            253 => Err(self.bad("a score that is no number")),
            254 => Ok(f64::INFINITY),
            255 => Ok(f64::NEG_INFINITY),
            _ => {
                let text = self.take(usize::from(len))?;
                parse_f64(text).ok_or_else(|| self.bad("a score that is no number"))
            }
        }
    }
}

/// Reads a value of this type byte.
///
/// # Errors
/// Where and why the bytes are no value.
pub fn value(reader: &mut Reader<'_>, kind: u8) -> Result<Decoded, BadFormat> {
    match kind {
        code::STRING => Ok(Decoded::String(reader.string()?.into_owned())),
        code::LIST => strings(reader).map(Decoded::List),
        code::SET => set_of(reader, strings),
        code::ZSET | code::ZSET_2 => {
            let count = reader.count(2)?;
            let mut members = Vec::with_capacity(count);
            for _ in 0..count {
                let member = reader.string()?.into_owned();
                let score = if kind == code::ZSET_2 { reader.score()? } else { reader.text_score()? };
                members.push((member, score));
            }
            zset_of(reader, members)
        }
        code::HASH => {
            let count = reader.count(2)?;
            let mut fields = Vec::with_capacity(count);
            for _ in 0..count {
                fields.push((reader.string()?.into_owned(), reader.string()?.into_owned(), None));
            }
            hash_of(reader, fields)
        }
        code::HASH_2 => {
            let count = reader.count(3)?;
            let mut fields = Vec::with_capacity(count);
            for _ in 0..count {
                let (field, value) = (reader.string()?.into_owned(), reader.string()?.into_owned());
                let at = i64::from_le_bytes(reader.array()?);
                fields.push((field, value, (at >= 0).then_some(at)));
            }
            hash_of(reader, fields)
        }
        code::HASH_METADATA => {
            let soonest = i64::from_le_bytes(reader.array()?);
            let count = reader.count(3)?;
            let mut fields = Vec::with_capacity(count);
            for _ in 0..count {
                let after = reader.number()?;
                let (field, value) = (reader.string()?.into_owned(), reader.string()?.into_owned());
                let at = (after > 0).then(|| soonest.saturating_add_unsigned(after - 1));
                fields.push((field, value, at));
            }
            hash_of(reader, fields)
        }
        code::HASH_LISTPACK_EX => {
            reader.take(8)?;
            let all = listpack(reader)?;
            if !all.len().is_multiple_of(3) {
                return Err(reader.bad("a hash without whole triples"));
            }
            let mut fields = Vec::with_capacity(all.len() / 3);
            let mut all = all.into_iter();
            while let (Some(field), Some(value), Some(at)) = (all.next(), all.next(), all.next()) {
                let at = parse_i64(&at).ok_or_else(|| reader.bad("an expiry that is no number"))?;
                fields.push((field, value, (at > 0).then_some(at)));
            }
            hash_of(reader, fields)
        }
        code::SET_INTSET => {
            let bytes = reader.string()?;
            intset::validate(&bytes).map_err(|bad| BadFormat { offset: reader.at, what: bad.what })?;
            Ok(Decoded::Set(intset::iter(&bytes).map(|number| number.to_string().into_bytes()).collect()))
        }
        code::SET_LISTPACK => set_of(reader, listpack),
        code::ZSET_LISTPACK => {
            let all = listpack(reader)?;
            zset_of_pairs(reader, all)
        }
        code::HASH_LISTPACK => {
            let all = listpack(reader)?;
            hash_of_pairs(reader, all)
        }
        code::LIST_QUICKLIST_2 => {
            let nodes = reader.count(2)?;
            let mut elements = Vec::new();
            for _ in 0..nodes {
                match reader.number()? {
                    1 => elements.push(reader.string()?.into_owned()),
                    2 => elements.extend(listpack(reader)?),
                    _ => return Err(reader.bad("an unknown kind of list node")),
                }
            }
            Ok(Decoded::List(elements))
        }
        code::LIST_QUICKLIST => {
            let nodes = reader.count(1)?;
            let mut elements = Vec::new();
            for _ in 0..nodes {
                elements.extend(ziplist(reader)?);
            }
            Ok(Decoded::List(elements))
        }
        code::LIST_ZIPLIST => ziplist(reader).map(Decoded::List),
        code::ZSET_ZIPLIST => {
            let all = ziplist(reader)?;
            zset_of_pairs(reader, all)
        }
        code::HASH_ZIPLIST => {
            let all = ziplist(reader)?;
            hash_of_pairs(reader, all)
        }
        code::HASH_ZIPMAP => {
            let bytes = reader.string()?;
            let all = legacy::zipmap(&bytes).ok_or_else(|| reader.bad("a broken zipmap"))?;
            hash_of_pairs(reader, all)
        }
        _ => Err(reader.bad("a type that this server does not have")),
    }
}

fn strings(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, BadFormat> {
    let count = reader.count(1)?;
    (0..count).map(|_| Ok(reader.string()?.into_owned())).collect()
}

/// The elements of a listpack in a string.
fn listpack(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, BadFormat> {
    let bytes = reader.string()?;
    let count = listpack::validate(&bytes).map_err(|bad| BadFormat { offset: reader.at, what: bad.what })?;
    let mut all = Vec::with_capacity(count);
    for element in listpack::iter(&bytes) {
        all.push(match element {
            Element::Int(number) => number.to_string().into_bytes(),
            Element::Str(bytes) => bytes.to_vec(),
        });
    }
    Ok(all)
}

fn ziplist(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, BadFormat> {
    let bytes = reader.string()?;
    legacy::ziplist(&bytes).ok_or_else(|| reader.bad("a broken ziplist"))
}

fn has_duplicates<'a>(names: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut sorted: Vec<&[u8]> = names.collect();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}

fn set_of(
    reader: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Result<Vec<Vec<u8>>, BadFormat>,
) -> Result<Decoded, BadFormat> {
    let members = read(reader)?;
    if has_duplicates(members.iter().map(Vec::as_slice)) {
        return Err(reader.bad("a set with a member twice"));
    }
    Ok(Decoded::Set(members))
}

fn zset_of(reader: &Reader<'_>, members: Vec<(Vec<u8>, f64)>) -> Result<Decoded, BadFormat> {
    if has_duplicates(members.iter().map(|(member, _)| member.as_slice())) {
        return Err(reader.bad("a sorted set with a member twice"));
    }
    Ok(Decoded::Zset(members))
}

fn zset_of_pairs(reader: &Reader<'_>, all: Vec<Vec<u8>>) -> Result<Decoded, BadFormat> {
    let pairs = pairs_of(reader, all)?;
    let mut members = Vec::with_capacity(pairs.len());
    for (member, score) in pairs {
        let score = parse_f64(&score).filter(|score| !score.is_nan());
        members.push((member, score.ok_or_else(|| reader.bad("a score that is no number"))?));
    }
    zset_of(reader, members)
}

fn hash_of(reader: &Reader<'_>, fields: Vec<(Vec<u8>, Vec<u8>, Option<i64>)>) -> Result<Decoded, BadFormat> {
    if has_duplicates(fields.iter().map(|(field, _, _)| field.as_slice())) {
        return Err(reader.bad("a hash with a field twice"));
    }
    Ok(Decoded::Hash(fields))
}

fn hash_of_pairs(reader: &Reader<'_>, all: Vec<Vec<u8>>) -> Result<Decoded, BadFormat> {
    let pairs = pairs_of(reader, all)?;
    hash_of(reader, pairs.into_iter().map(|(field, value)| (field, value, None)).collect())
}

type Pair = (Vec<u8>, Vec<u8>);

fn pairs_of(reader: &Reader<'_>, all: Vec<Vec<u8>>) -> Result<Vec<Pair>, BadFormat> {
    if !all.len().is_multiple_of(2) {
        return Err(reader.bad("an element without its pair"));
    }
    let mut all = all.into_iter();
    let mut pairs = Vec::with_capacity(all.len() / 2);
    while let (Some(first), Some(second)) = (all.next(), all.next()) {
        pairs.push((first, second));
    }
    Ok(pairs)
}
