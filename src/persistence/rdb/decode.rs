//! RDB bytes to entries. The bytes may be anyone's: every packed part is validated in depth, what a type forbids (duplicate
//! members, NaN) is refused, and memory grows with what was read, not with what was promised.

use crate::base::crc;
use crate::base::number::{parse_f64, parse_i64};
use crate::storage::OwnedEntry;
use crate::storage::listpack::{self, Element};
use crate::storage::{Type, intset};

use super::build::{self, BuildLimits, Building, Duplicate, Elements, Head};
use super::reader::Reader;
use super::{BadFormat, VERSION_MAX, VERSION_VALKEY, code, legacy, stream};

/// Elements that are read before they are added to a collection.
const BATCH: usize = 512;
/// The latest expiry of a field that Redis loads, in milliseconds since the epoch: a bigger one is damage.
const FIELD_EXPIRE_MAX: i64 = (1 << 48) - 1;

/// Does a DUMP payload end in a version that is known here and (unless skipped) the right checksum?
pub fn has_valid_footer(payload: &[u8], skip_checksum: bool) -> bool {
    let Some((_, footer)) = payload.split_last_chunk::<10>() else { return false };
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let Some((body, checksum)) = payload.split_last_chunk::<8>() else { return false };
    let known = version <= VERSION_MAX || version == VERSION_VALKEY;
    known && (skip_checksum || crc::crc64(0, body).to_le_bytes() == *checksum)
}

/// The entry of a DUMP payload whose footer is valid.
///
/// # Errors
/// Where and why the bytes are no value.
pub fn payload(payload: &[u8], head: Head<'_>, limits: &BuildLimits) -> Result<OwnedEntry, BadFormat> {
    let body = payload.split_last_chunk::<10>().map_or(payload, |(body, _)| body);
    let mut reader = Reader::of_bytes(body);
    let Ok([kind]) = reader.array() else { return Err(reader.bad("no type")) };
    let mut decoder = Decoder::new(*limits);
    let entry = decoder.value(&mut reader, kind, head)?;
    if !reader.is_at_end() {
        return Err(reader.bad("bytes after the value"));
    }
    entry.ok_or_else(|| reader.bad("an empty collection"))
}

/// Makes entries of values. Its buffers are used again for each.
pub struct Decoder {
    limits: BuildLimits,
    elements: Elements,
    scores: Vec<f64>,
    expiries: Vec<Option<i64>>,
    blob: Vec<u8>,
}

/// How the elements of a collection are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Score {
    Text,
    Binary,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldForm {
    Plain,
    /// Valkey's: an expiry after each field.
    Expiry,
    /// Redis's: an expiry before each field, relative to the soonest.
    Relative(i64),
}

impl Decoder {
    /// A decoder that makes encodings within these limits.
    pub fn new(limits: BuildLimits) -> Decoder {
        Decoder { limits, elements: Elements::default(), scores: Vec::new(), expiries: Vec::new(), blob: Vec::new() }
    }

    /// Reads a value of this type byte. None if it is a collection without elements, which no key may hold.
    ///
    /// # Errors
    /// Where and why the bytes are no value.
    pub fn value(
        &mut self,
        reader: &mut Reader<'_>,
        kind: u8,
        head: Head<'_>,
    ) -> Result<Option<OwnedEntry>, BadFormat> {
        self.elements.clear();
        self.expiries.clear();
        self.scores.clear();
        match kind {
            code::STRING => self.string(reader, head).map(Some),
            code::LIST => {
                let count = reader.count(1)?;
                self.list(
                    head,
                    count,
                    |reader, building, _| {
                        building.push(&reader.string()?);
                        Ok(())
                    },
                    reader,
                )
            }
            code::LIST_QUICKLIST_2 => {
                let nodes = reader.count(2)?;
                self.list(head, nodes, quicklist_node, reader)
            }
            code::LIST_QUICKLIST => {
                let nodes = reader.count(1)?;
                self.list(
                    head,
                    nodes,
                    |reader, building, _| {
                        ziplist(reader, "Quicklist ziplist integrity check failed")?
                            .iter()
                            .for_each(|element| building.push(element));
                        Ok(())
                    },
                    reader,
                )
            }
            code::LIST_ZIPLIST => self.list(
                head,
                1,
                |reader, building, _| {
                    ziplist(reader, "List ziplist integrity check failed")?
                        .iter()
                        .for_each(|element| building.push(element));
                    Ok(())
                },
                reader,
            ),
            code::SET => {
                let count = reader.count(1)?;
                self.large_set(reader, head, count)
            }
            code::SET_INTSET => {
                self.read_blob(reader)?;
                intset::validate(&self.blob).map_err(|bad| reader.bad(bad.what))?;
                for number in intset::iter(&self.blob) {
                    self.elements.push(itoa::Buffer::new().format(number).as_bytes());
                }
                self.set(reader, head)
            }
            code::SET_LISTPACK => {
                self.read_listpack(reader)?;
                self.set(reader, head)
            }
            code::ZSET | code::ZSET_2 => {
                let count = reader.count(2)?;
                let form = if kind == code::ZSET_2 { Score::Binary } else { Score::Text };
                self.large_zset(reader, head, count, form)
            }
            code::ZSET_LISTPACK => {
                self.read_listpack(reader)?;
                self.zset_of_pairs(reader, head)
            }
            code::ZSET_ZIPLIST => {
                self.read_ziplist(reader, "Zset ziplist integrity check failed")?;
                self.zset_of_pairs(reader, head)
            }
            code::HASH => {
                let count = reader.count(2)?;
                self.large_hash(reader, head, count, FieldForm::Plain)
            }
            code::HASH_2 => {
                let count = reader.count(3)?;
                self.large_hash(reader, head, count, FieldForm::Expiry)
            }
            code::HASH_METADATA => {
                let soonest = i64::from_le_bytes(reader.array()?);
                let count = reader.count(3)?;
                self.large_hash(reader, head, count, FieldForm::Relative(soonest))
            }
            code::HASH_LISTPACK => {
                self.read_listpack(reader)?;
                self.hash_of_pairs(reader, head)
            }
            code::HASH_ZIPLIST => {
                self.read_ziplist(reader, "Hash ziplist integrity check failed")?;
                self.hash_of_pairs(reader, head)
            }
            code::HASH_ZIPMAP => {
                self.read_blob(reader)?;
                let all = legacy::zipmap(&self.blob)
                    .filter(|all| !all.is_empty())
                    .ok_or_else(|| reader.bad("Zipmap integrity check failed"))?;
                all.iter().for_each(|element| self.elements.push(element));
                self.hash_of_pairs(reader, head)
            }
            code::HASH_LISTPACK_EX => {
                reader.take(8)?;
                self.read_listpack(reader)?;
                self.hash_of_triples(reader, head)
            }
            code::STREAM | code::STREAM_2 | code::STREAM_3 | code::STREAM_4 | code::STREAM_5 => {
                let defaults = self.limits.idmp();
                stream::read(reader, kind, defaults, &mut self.blob)
                    .map(|stream| Some(build::stream_entry(head, stream)))
            }
            _ => Err(reader.bad(unknown(kind))),
        }
    }

    fn string(&mut self, reader: &mut Reader<'_>, head: Head<'_>) -> Result<OwnedEntry, BadFormat> {
        self.read_blob(reader)?;
        if self.blob.len() > crate::types::string::INLINE_MAX {
            return Ok(build::owned_string_entry(head, std::mem::take(&mut self.blob)));
        }
        Ok(build::string_entry(head, &self.blob))
    }

    fn read_blob(&mut self, reader: &mut Reader<'_>) -> Result<(), BadFormat> {
        self.blob.clear();
        reader.string_to(&mut self.blob)
    }

    fn read_listpack(&mut self, reader: &mut Reader<'_>) -> Result<(), BadFormat> {
        self.read_blob(reader)?;
        listpack::validate(&self.blob).map_err(|bad| reader.bad(bad.what))?;
        for element in listpack::iter(&self.blob) {
            match element {
                Element::Int(number) => self.elements.push(itoa::Buffer::new().format(number).as_bytes()),
                Element::Str(bytes) => self.elements.push(bytes),
            }
        }
        Ok(())
    }

    fn read_ziplist(&mut self, reader: &mut Reader<'_>, broken: &'static str) -> Result<(), BadFormat> {
        ziplist(reader, broken)?.iter().for_each(|element| self.elements.push(element));
        Ok(())
    }

    /// A list of so many parts.
    fn list(
        &mut self,
        head: Head<'_>,
        parts: usize,
        mut read: impl FnMut(&mut Reader<'_>, &mut Building<'_>, &mut Vec<u8>) -> Result<(), BadFormat>,
        reader: &mut Reader<'_>,
    ) -> Result<Option<OwnedEntry>, BadFormat> {
        let mut building = Building::new(&self.limits, head, Type::List, parts, b"");
        for _ in 0..parts {
            read(reader, &mut building, &mut self.blob)?;
        }
        let entry = building.finish();
        let is_empty = crate::types::list::ListRef::of(entry.read()).is_none_or(|list| list.is_empty());
        Ok((!is_empty).then_some(entry))
    }

    /// A set of the elements that were read.
    fn set(&mut self, reader: &Reader<'_>, head: Head<'_>) -> Result<Option<OwnedEntry>, BadFormat> {
        let Some(first) = self.elements.iter().next() else { return Ok(None) };
        let mut building = Building::new(&self.limits, head, Type::Set, self.elements.len(), first);
        for member in self.elements.iter() {
            building.member(member).map_err(|Duplicate| reader.bad("a set with a member twice"))?;
        }
        Ok(Some(building.finish()))
    }

    fn large_set(
        &mut self,
        reader: &mut Reader<'_>,
        head: Head<'_>,
        count: usize,
    ) -> Result<Option<OwnedEntry>, BadFormat> {
        let mut building: Option<Building<'_>> = None;
        for _ in 0..count {
            self.blob.clear();
            reader.string_to(&mut self.blob)?;
            let building =
                building.get_or_insert_with(|| Building::new(&self.limits, head, Type::Set, count, &self.blob));
            building.member(&self.blob).map_err(|Duplicate| reader.bad("a set with a member twice"))?;
        }
        Ok(building.map(Building::finish))
    }

    fn zset_of_pairs(&mut self, reader: &Reader<'_>, head: Head<'_>) -> Result<Option<OwnedEntry>, BadFormat> {
        if !self.elements.len().is_multiple_of(2) {
            return Err(reader.bad("an element without its pair"));
        }
        let mut members = Elements::default();
        let mut all = self.elements.iter();
        while let (Some(member), Some(score)) = (all.next(), all.next()) {
            let score = parse_f64(score).filter(|score| !score.is_nan());
            self.scores.push(score.ok_or_else(|| reader.bad("a score that is no number"))?);
            members.push(member);
        }
        if members.is_empty() {
            return Ok(None);
        }
        let twice = |Duplicate| reader.bad("a sorted set with a member twice");
        if let Some(made) = build::small_zset(&self.limits, head, &members, &self.scores) {
            return made.map(Some).map_err(twice);
        }
        let mut building = Building::new(&self.limits, head, Type::Zset, members.len(), b"");
        for (member, &score) in members.iter().zip(&self.scores) {
            building.scored(member, score).map_err(twice)?;
        }
        Ok(Some(building.finish()))
    }

    fn large_zset(
        &mut self,
        reader: &mut Reader<'_>,
        head: Head<'_>,
        count: usize,
        form: Score,
    ) -> Result<Option<OwnedEntry>, BadFormat> {
        let mut building = Building::new(&self.limits, head, Type::Zset, count, b"");
        for _ in 0..count {
            self.blob.clear();
            reader.string_to(&mut self.blob)?;
            let score = match form {
                Score::Binary => f64::from_le_bytes(reader.array()?),
                Score::Text => text_score(reader)?,
            };
            if score.is_nan() {
                return Err(reader.bad("a score that is no number"));
            }
            building.scored(&self.blob, score).map_err(|Duplicate| reader.bad("a sorted set with a member twice"))?;
        }
        Ok((count > 0).then(|| building.finish()))
    }

    fn hash_of_pairs(&mut self, reader: &Reader<'_>, head: Head<'_>) -> Result<Option<OwnedEntry>, BadFormat> {
        if !self.elements.len().is_multiple_of(2) {
            return Err(reader.bad("an element without its pair"));
        }
        if self.elements.is_empty() {
            return Ok(None);
        }
        let twice = |Duplicate| reader.bad("Hash listpack with dup elements");
        if let Some(made) = build::small_hash(&self.limits, head, &self.elements, &mut self.blob) {
            return made.map(Some).map_err(twice);
        }
        let mut building = Building::new(&self.limits, head, Type::Hash, self.elements.len() / 2, b"");
        let mut all = self.elements.iter();
        while let (Some(name), Some(value)) = (all.next(), all.next()) {
            building.field(name, value, None).map_err(twice)?;
        }
        Ok(Some(building.finish()))
    }

    fn hash_of_triples(&mut self, reader: &Reader<'_>, head: Head<'_>) -> Result<Option<OwnedEntry>, BadFormat> {
        if !self.elements.len().is_multiple_of(3) {
            return Err(reader.bad("a hash without whole triples"));
        }
        let mut building = None;
        let mut all = self.elements.iter();
        while let (Some(name), Some(value), Some(at)) = (all.next(), all.next(), all.next()) {
            let at = parse_i64(at).ok_or_else(|| reader.bad("an expiry that is no number"))?;
            if !(0..=FIELD_EXPIRE_MAX).contains(&at) {
                return Err(reader.bad("a field whose expiry is out of range"));
            }
            let expire = (at > 0).then_some(at);
            let count = self.elements.len() / 3;
            let building = building.get_or_insert_with(|| Building::new(&self.limits, head, Type::Hash, count, b""));
            let added = building.field(name, value, expire);
            added.map_err(|Duplicate| reader.bad("Hash listpack with dup elements"))?;
        }
        Ok(building.map(Building::finish))
    }

    fn large_hash(
        &mut self,
        reader: &mut Reader<'_>,
        head: Head<'_>,
        count: usize,
        form: FieldForm,
    ) -> Result<Option<OwnedEntry>, BadFormat> {
        let mut building: Option<Building<'_>> = None;
        let mut left = count;
        while left > 0 {
            self.elements.clear();
            self.expiries.clear();
            for _ in 0..left.min(BATCH) {
                read_field(reader, &mut self.elements, &mut self.expiries, form)?;
            }
            left -= left.min(BATCH);
            let mut all = self.elements.iter();
            for expire in &self.expiries {
                let (Some(name), Some(value)) = (all.next(), all.next()) else { break };
                let building =
                    building.get_or_insert_with(|| Building::new(&self.limits, head, Type::Hash, count, b""));
                let added = building.field(name, value, *expire);
                added.map_err(|Duplicate| reader.bad("a hash with a field twice"))?;
            }
        }
        Ok(building.map(Building::finish))
    }
}

fn read_field(
    reader: &mut Reader<'_>,
    elements: &mut Elements,
    expiries: &mut Vec<Option<i64>>,
    form: FieldForm,
) -> Result<(), BadFormat> {
    let mut expire = None;
    if let FieldForm::Relative(soonest) = form {
        let after = reader.number()?;
        expire = (after > 0).then(|| soonest.saturating_add_unsigned(after - 1));
        if expire.is_some_and(|at| !(0..=FIELD_EXPIRE_MAX).contains(&at)) {
            return Err(reader.bad("a field whose expiry is out of range"));
        }
    }
    for _ in 0..2 {
        reader.string_to(&mut elements.bytes)?;
        elements.close();
    }
    if form == FieldForm::Expiry {
        let at = i64::from_le_bytes(reader.array()?);
        expire = (at >= 0).then_some(at);
    }
    expiries.push(expire);
    Ok(())
}

fn quicklist_node(reader: &mut Reader<'_>, building: &mut Building<'_>, blob: &mut Vec<u8>) -> Result<(), BadFormat> {
    let kind = reader.number()?;
    blob.clear();
    reader.string_to(blob)?;
    match kind {
        1 if blob.is_empty() => return Err(reader.bad("a list node without an element")),
        1 => building.push(blob),
        2 => {
            listpack::validate(blob).map_err(|bad| reader.bad(bad.what))?;
            if listpack::count(blob) > 0 {
                building.push_listpack(blob);
            }
        }
        _ => return Err(reader.bad("an unknown kind of list node")),
    }
    Ok(())
}

fn ziplist(reader: &mut Reader<'_>, broken: &'static str) -> Result<Vec<Vec<u8>>, BadFormat> {
    let bytes = reader.string()?;
    legacy::ziplist(&bytes).ok_or_else(|| reader.bad(broken))
}

/// A score of the oldest kind: its digits, or a sign for what has none.
fn text_score(reader: &mut Reader<'_>) -> Result<f64, BadFormat> {
    let [len] = reader.array()?;
    match len {
        253 => Err(reader.bad("a score that is no number")),
        254 => Ok(f64::INFINITY),
        255 => Ok(f64::NEG_INFINITY),
        _ => {
            let score = parse_f64(reader.take(usize::from(len))?);
            score.ok_or_else(|| reader.bad("a score that is no number"))
        }
    }
}

/// What a type byte that cannot be read stands for.
fn unknown(kind: u8) -> &'static str {
    match kind {
        6 | 7 => "a value of a module, which this server does not have",
        28 => "an array, which this server does not have",
        29..=31 => "a hash of a template, which this server does not have",
        _ => "a type that this server does not have",
    }
}
