//! Hashes. Small ones are packed inline in the entry: pairs of field and value, or, once a field expires, triples of field,
//! value and expiry in order of expiry (fields that do not expire last). Large ones are a `Dict`. A hash never goes back.

use std::borrow::Cow;

use crate::base::hash::HashSeed;
use crate::storage::dict::{Dict, FieldRef};
use crate::storage::listpack::Element;
use crate::storage::packed::{self, Item};
use crate::storage::{ByteRegion, Encoding, EntryMut, EntryRef, NewValue, Object, Type, Value};

use super::{Limits, PACKED_BYTES_MAX};

/// A hash, to read.
#[derive(Clone, Copy)]
pub enum HashRef<'a> {
    /// Pairs, or triples with an expiry each.
    Packed(&'a [u8], Stride),
    /// A large one.
    Dict(&'a Dict),
}

/// How many items of a packed hash belong to one field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stride {
    /// Field and value.
    Pair = 2,
    /// Field, value and expiry.
    Triple = 3,
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Its name.
    pub name: Element<'a>,
    /// Its value.
    pub value: Element<'a>,
    /// When it expires, in milliseconds since the epoch.
    pub expire_at: Option<i64>,
}

impl<'a> From<FieldRef<'a>> for Field<'a> {
    fn from(field: FieldRef<'a>) -> Field<'a> {
        Field { name: Element::Str(field.field), value: Element::Str(field.value), expire_at: field.expire_at }
    }
}

/// What becomes of the expiry of a field that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldTtl {
    /// It goes.
    Clear,
    /// It stays.
    Keep,
    /// It becomes this time.
    At(i64),
}

/// The value of a key without fields, from which `set` goes on.
pub const NEW: NewValue<'static> = NewValue::Bytes(Encoding::Packed, &packed::EMPTY);

impl<'a> HashRef<'a> {
    /// The hash that an entry holds; none if it holds another type.
    #[inline]
    pub fn of(entry: EntryRef<'a>) -> Option<HashRef<'a>> {
        if entry.type_() != Type::Hash {
            return None;
        }
        Some(match entry.value() {
            Value::Bytes(bytes) if entry.encoding() == Encoding::PackedEx => HashRef::Packed(bytes, Stride::Triple),
            Value::Bytes(bytes) => HashRef::Packed(bytes, Stride::Pair),
            Value::Object(Object::Dict(dict)) => HashRef::Dict(dict),
            _ => HashRef::Packed(&packed::EMPTY, Stride::Pair),
        })
    }

    /// Number of fields, due ones included.
    pub fn len(self) -> usize {
        match self {
            HashRef::Packed(bytes, stride) => packed::count(bytes) / stride as usize,
            HashRef::Dict(dict) => dict.len(),
        }
    }

    /// Has it no fields?
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The field of this name.
    #[inline]
    pub fn get(self, name: &[u8]) -> Option<Field<'a>> {
        match self {
            HashRef::Packed(bytes, stride) => {
                let at = packed::find(bytes, stride as usize, name)?;
                Some(field_at(bytes, at, stride))
            }
            HashRef::Dict(dict) => dict.get(name).map(Field::from),
        }
    }

    /// The earliest expiry of any field.
    pub fn next_expiry(self) -> Option<i64> {
        match self {
            HashRef::Packed(_, Stride::Pair) => None,
            HashRef::Packed(bytes, Stride::Triple) => {
                let at = packed::start(bytes);
                if at >= bytes.len() { None } else { field_at(bytes, at, Stride::Triple).expire_at }
            }
            HashRef::Dict(dict) => dict.next_expiry(),
        }
    }

    /// All fields, due ones included.
    pub fn iter(self) -> Fields<'a> {
        match self {
            HashRef::Packed(bytes, stride) => Fields::Packed(bytes, packed::start(bytes), stride),
            HashRef::Dict(dict) => Fields::Dict(Box::new(dict.iter().map(Field::from))),
        }
    }
}

/// See `HashRef::iter`.
pub enum Fields<'a> {
    /// The bytes and the offset of the next field.
    Packed(&'a [u8], usize, Stride),
    /// A large hash.
    Dict(Box<dyn Iterator<Item = Field<'a>> + 'a>),
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        match self {
            Fields::Packed(bytes, at, stride) => {
                if *at >= bytes.len() {
                    return None;
                }
                let field = field_at(bytes, *at, *stride);
                *at = packed::skip(bytes, *at, *stride as usize);
                Some(field)
            }
            Fields::Dict(fields) => fields.next(),
        }
    }
}

/// The earliest expiry of any field of an entry of any type.
#[inline]
pub fn next_field_expiry(entry: EntryRef<'_>) -> Option<i64> {
    match (entry.type_(), entry.encoding()) {
        (Type::Hash, Encoding::PackedEx | Encoding::Dict) => HashRef::of(entry)?.next_expiry(),
        _ => None,
    }
}

/// What OBJECT ENCODING calls a hash.
pub fn encoding_name(entry: EntryRef<'_>) -> &'static str {
    match entry.encoding() {
        Encoding::Packed => "listpack",
        Encoding::PackedEx => "listpackex",
        _ => "hashtable",
    }
}

/// Makes the hash large ahead of `count` fields being set, if it could not hold them packed.
pub fn reserve(entry: &mut EntryMut<'_>, count: usize, limits: Limits, seed: HashSeed) {
    if count > limits.entries && entry.encoding() != Encoding::Dict {
        make_dict(entry, seed);
    }
}

/// Sets a field. True if it is new.
#[inline]
pub fn set(entry: &mut EntryMut<'_>, name: &[u8], value: &[u8], ttl: FieldTtl, limits: Limits, seed: HashSeed) -> bool {
    if entry.encoding() == Encoding::Packed && matches!(ttl, FieldTtl::At(_)) {
        make_triples(entry);
    }
    let is_short = name.len().max(value.len()) <= limits.bytes;
    match entry.encoding() {
        Encoding::Packed if is_short && fits(&entry.region(), name, value) => {
            let mut region = entry.region();
            if let Some(at) = packed::find(region.bytes(), Stride::Pair as usize, name) {
                let at = packed::next(region.bytes(), at);
                packed::replace(&mut region, at, Item::from_text(value));
                return false;
            }
            if packed::count(region.bytes()) / 2 < limits.entries {
                packed::push_back(&mut region, &[Item::from_text(name), Item::from_text(value)]);
                return true;
            }
        }
        Encoding::PackedEx if is_short && fits(&entry.region(), name, value) => {
            if let Some(created) = set_triple(&mut entry.region(), name, value, ttl, limits) {
                return created;
            }
        }
        _ => {}
    }
    if entry.encoding() != Encoding::Dict {
        make_dict(entry, seed);
    }
    let Some(Object::Dict(dict)) = entry.object_mut() else { return false };
    let expire_at = match ttl {
        FieldTtl::Clear => None,
        FieldTtl::At(at) => Some(at),
        FieldTtl::Keep if dict.next_expiry().is_none() => None,
        FieldTtl::Keep => dict.get(name).and_then(|field| field.expire_at),
    };
    dict.insert(name, value, expire_at)
}

/// Removes a field. False if there is no such field. The caller deletes a hash without fields.
pub fn remove(entry: &mut EntryMut<'_>, name: &[u8]) -> bool {
    let stride = match entry.encoding() {
        Encoding::Packed => Stride::Pair,
        Encoding::PackedEx => Stride::Triple,
        _ => {
            let Some(Object::Dict(dict)) = entry.object_mut() else { return false };
            return dict.remove(name);
        }
    };
    let mut region = entry.region();
    let Some(at) = packed::find(region.bytes(), stride as usize, name) else { return false };
    packed::remove(&mut region, at, stride as usize);
    true
}

/// Makes a small hash ready for fields that expire, as every command that may set an expiry does, whether it then sets one
/// or not: what OBJECT ENCODING says shows it.
pub fn make_expirable(entry: &mut EntryMut<'_>) {
    if entry.encoding() == Encoding::Packed {
        make_triples(entry);
    }
}

/// Gives a field another expiry, or none. False if there is no such field.
pub fn set_expire(entry: &mut EntryMut<'_>, name: &[u8], expire_at: Option<i64>) -> bool {
    if entry.encoding() == Encoding::Packed {
        if expire_at.is_none() {
            return packed::find(entry.region().bytes(), Stride::Pair as usize, name).is_some();
        }
        make_expirable(entry);
    }
    if entry.encoding() == Encoding::PackedEx {
        let mut region = entry.region();
        let Some(at) = packed::find(region.bytes(), Stride::Triple as usize, name) else { return false };
        let value = text_of(packed::get(region.bytes(), packed::next(region.bytes(), at))).into_owned();
        packed::remove(&mut region, at, Stride::Triple as usize);
        insert_triple(&mut region, name, &value, expire_at);
        return true;
    }
    let Some(Object::Dict(dict)) = entry.object_mut() else { return false };
    dict.set_expire(name, expire_at)
}

#[inline]
fn fits<R: ByteRegion>(region: &R, name: &[u8], value: &[u8]) -> bool {
    region.bytes().len() + name.len() + value.len() < PACKED_BYTES_MAX
}

/// Removes up to `limit` fields whose expiry is `now` or earlier, in order of time, showing each.
pub fn pop_due(entry: &mut EntryMut<'_>, now: i64, limit: usize, mut visit: impl FnMut(&[u8])) {
    if entry.encoding() != Encoding::PackedEx {
        if let Some(Object::Dict(dict)) = entry.object_mut() {
            dict.pop_due(now, limit, |field| visit(field.field));
        }
        return;
    }
    let mut region = entry.region();
    let (mut at, mut count) = (packed::start(region.bytes()), 0);
    let mut digits = itoa::Buffer::new();
    while at < region.bytes().len() && count < limit {
        let field = field_at(region.bytes(), at, Stride::Triple);
        if field.expire_at.is_none_or(|at| at > now) {
            break;
        }
        visit(field.name.as_bytes(&mut digits));
        at = packed::skip(region.bytes(), at, Stride::Triple as usize);
        count += 1;
    }
    let start = packed::start(region.bytes());
    packed::remove(&mut region, start, count * Stride::Triple as usize);
}

/// Sets a field of a hash of triples; `None`, and nothing done, if there is no room.
fn set_triple<R: ByteRegion>(region: &mut R, name: &[u8], value: &[u8], ttl: FieldTtl, limits: Limits) -> Option<bool> {
    let stride = Stride::Triple as usize;
    let found = packed::find(region.bytes(), stride, name);
    let old = found.and_then(|at| field_at(region.bytes(), at, Stride::Triple).expire_at);
    let new = match ttl {
        FieldTtl::Clear => None,
        FieldTtl::Keep => old,
        FieldTtl::At(at) => Some(at),
    };
    if let Some(at) = found {
        if old == new {
            let at = packed::next(region.bytes(), at);
            packed::replace(region, at, Item::from_text(value));
        } else {
            packed::remove(region, at, stride);
            insert_triple(region, name, value, new);
        }
        return Some(false);
    }
    let has_room = packed::count(region.bytes()) / stride < limits.entries;
    has_room.then(|| insert_triple(region, name, value, new))?;
    Some(true)
}

fn insert_triple<R: ByteRegion>(region: &mut R, name: &[u8], value: &[u8], expire_at: Option<i64>) {
    let bytes = region.bytes();
    let mut at = bytes.len();
    if let Some(expiry) = expire_at {
        at = packed::start(bytes);
        while at < bytes.len() && field_at(bytes, at, Stride::Triple).expire_at.is_some_and(|other| other <= expiry) {
            at = packed::skip(bytes, at, Stride::Triple as usize);
        }
    }
    // Zero stands for none, and no expiry is zero: it would lie in the past and delete the field.
    let items = [Item::from_text(name), Item::from_text(value), Item::Int(expire_at.map_or(0, |at| at.max(1)))];
    packed::insert_at(region, at, &items);
}

fn make_triples(entry: &mut EntryMut<'_>) {
    let region = entry.region();
    let mut triples = Vec::with_capacity(region.bytes().len() * 3 / 2);
    triples.extend_from_slice(&packed::EMPTY);
    let mut items = packed::iter(region.bytes());
    while let (Some(name), Some(value)) = (items.next(), items.next()) {
        packed::push_back(&mut triples, &[name, value, Item::Int(0)]);
    }
    entry.set_value(Type::Hash, NewValue::Bytes(Encoding::PackedEx, &triples));
}

fn make_dict(entry: &mut EntryMut<'_>, seed: HashSeed) {
    let mut dict = Dict::new(seed);
    let (mut name_digits, mut value_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    for field in HashRef::of(entry.read()).into_iter().flat_map(HashRef::iter) {
        dict.insert(field.name.as_bytes(&mut name_digits), field.value.as_bytes(&mut value_digits), field.expire_at);
    }
    entry.set_value(Type::Hash, NewValue::Object(Encoding::Dict, Box::new(Object::Dict(dict))));
}

#[inline]
fn field_at(bytes: &[u8], at: usize, stride: Stride) -> Field<'_> {
    let value_at = packed::next(bytes, at);
    let expire_at = match stride {
        Stride::Pair => None,
        Stride::Triple => match packed::get(bytes, packed::next(bytes, value_at)) {
            Item::Int(at) if at != 0 => Some(at),
            _ => None,
        },
    };
    Field { name: element_at(bytes, at), value: element_at(bytes, value_at), expire_at }
}

/// Fields and values are packed by `Item::from_text`, so that they are never floats.
#[inline]
fn element_at(bytes: &[u8], at: usize) -> Element<'_> {
    packed::get(bytes, at).element().unwrap_or(Element::Str(&[]))
}

fn text_of(item: Item<'_>) -> Cow<'_, [u8]> {
    match item {
        Item::Str(text) => Cow::Borrowed(text),
        Item::Int(value) => Cow::Owned(itoa::Buffer::new().format(value).as_bytes().to_vec()),
        Item::Float(_) => Cow::Borrowed(&[]),
    }
}
