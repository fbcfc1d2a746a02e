//! Sets. Small ones lie inline in the entry: integers alone as an intset, others packed. Large ones are a `Dict` whose values
//! are empty. A set never goes back.

use crate::base::hash::HashSeed;
use crate::storage::decimal::parse_canonical;
use crate::storage::dict::Dict;
use crate::storage::intset;
use crate::storage::listpack::Element;
use crate::storage::packed::{self, Item};
use crate::storage::{ByteRegion, Encoding, EntryMut, EntryRef, NewValue, Object, Type, Value};

use super::{Limits, PACKED_BYTES_MAX};

/// Up to where a set is small.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// Members of an intset.
    pub intset: usize,
    /// Those of a packed set.
    pub packed: Limits,
}

/// A set, to read.
#[derive(Clone, Copy)]
pub enum SetRef<'a> {
    /// Integers, ascending.
    Intset(&'a [u8]),
    /// A small one.
    Packed(&'a [u8]),
    /// A large one.
    Dict(&'a Dict),
}

impl<'a> SetRef<'a> {
    /// The set that an entry holds; none if it holds another type.
    #[inline]
    pub fn of(entry: EntryRef<'a>) -> Option<SetRef<'a>> {
        if entry.type_() != Type::Set {
            return None;
        }
        Some(match entry.value() {
            Value::Bytes(bytes) if entry.encoding() == Encoding::Intset => SetRef::Intset(bytes),
            Value::Bytes(bytes) => SetRef::Packed(bytes),
            Value::Object(Object::Dict(dict)) => SetRef::Dict(dict),
            _ => SetRef::Packed(&packed::EMPTY),
        })
    }

    /// Number of members.
    pub fn len(self) -> usize {
        match self {
            SetRef::Intset(bytes) => intset::len(bytes),
            SetRef::Packed(bytes) => packed::count(bytes),
            SetRef::Dict(dict) => dict.len(),
        }
    }

    /// Has it no members?
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Is this a member?
    #[inline]
    pub fn contains(self, member: &[u8]) -> bool {
        match self {
            SetRef::Intset(bytes) => parse_canonical(member).is_some_and(|number| intset::contains(bytes, number)),
            SetRef::Packed(bytes) => packed::find(bytes, 1, member).is_some(),
            SetRef::Dict(dict) => dict.contains(member),
        }
    }

    /// The member number `index` in the order of `iter`; for a large set, in another order that no reading changes.
    pub fn nth(self, index: usize) -> Option<Element<'a>> {
        match self {
            SetRef::Intset(bytes) => intset::get(bytes, index).map(Element::Int),
            SetRef::Packed(bytes) => packed::get(bytes, packed::seek(bytes, index)?).element(),
            SetRef::Dict(dict) => dict.nth(index as u64).map(|entry| Element::Str(entry.field)),
        }
    }

    /// All members.
    pub fn iter(self) -> Box<dyn Iterator<Item = Element<'a>> + 'a> {
        match self {
            SetRef::Intset(bytes) => Box::new(intset::iter(bytes).map(Element::Int)),
            SetRef::Packed(bytes) => Box::new(packed::iter(bytes).filter_map(Item::element)),
            SetRef::Dict(dict) => Box::new(dict.iter().map(|entry| Element::Str(entry.field))),
        }
    }
}

/// What OBJECT ENCODING calls a set.
pub fn encoding_name(entry: EntryRef<'_>) -> &'static str {
    match entry.encoding() {
        Encoding::Intset => "intset",
        Encoding::Packed => "listpack",
        _ => "hashtable",
    }
}

/// A value without members for a key that is to get `count` members, of which `first` is one.
pub fn new_value(first: &[u8], count: usize, limits: SetLimits, seed: HashSeed) -> NewValue<'static> {
    if count <= limits.intset && parse_canonical(first).is_some() {
        return NewValue::Bytes(Encoding::Intset, &intset::EMPTY);
    }
    if count <= limits.packed.entries {
        return NewValue::Bytes(Encoding::Packed, &packed::EMPTY);
    }
    NewValue::Object(Encoding::Dict, Box::new(Object::Dict(Dict::new(seed))))
}

/// Makes the set large ahead of `count` members being added, if so many could not be small.
pub fn reserve(entry: &mut EntryMut<'_>, count: usize, limits: SetLimits, seed: HashSeed) {
    let is_over = match entry.encoding() {
        Encoding::Intset => count > limits.intset,
        Encoding::Packed => count > limits.packed.entries,
        _ => false,
    };
    if is_over {
        convert(entry, Encoding::Dict, seed);
    }
}

/// Adds a member. False if it was one.
#[inline]
pub fn add(entry: &mut EntryMut<'_>, member: &[u8], limits: SetLimits, seed: HashSeed) -> bool {
    loop {
        let encoding = entry.encoding();
        if encoding == Encoding::Dict {
            let Some(Object::Dict(dict)) = entry.object_mut() else { return false };
            return !dict.contains(member) && dict.insert(member, b"", None);
        }
        match add_small(&mut entry.region(), encoding, member, limits) {
            Addition::Done(is_new) => return is_new,
            Addition::Convert(to) => convert(entry, to, seed),
        }
    }
}

/// Removes a member. False if it was none. The caller deletes a set without members.
pub fn remove(entry: &mut EntryMut<'_>, member: &[u8]) -> bool {
    match entry.encoding() {
        Encoding::Intset => parse_canonical(member).is_some_and(|number| intset::remove(&mut entry.region(), number)),
        Encoding::Packed => {
            let mut region = entry.region();
            let Some(at) = packed::find(region.bytes(), 1, member) else { return false };
            packed::remove(&mut region, at, 1);
            true
        }
        _ => {
            let Some(Object::Dict(dict)) = entry.object_mut() else { return false };
            dict.remove(member)
        }
    }
}

/// A set in the making, to be stored or read.
#[derive(Debug)]
pub struct SetBuilder {
    set: Building,
    limits: SetLimits,
    seed: HashSeed,
}

#[derive(Debug)]
enum Building {
    Small(Encoding, Vec<u8>),
    Large(Box<Object>),
}

impl SetBuilder {
    /// A set without members.
    pub fn new(limits: SetLimits, seed: HashSeed) -> SetBuilder {
        SetBuilder { set: Building::Small(Encoding::Intset, intset::EMPTY.to_vec()), limits, seed }
    }

    /// Adds a member. False if it was one.
    pub fn add(&mut self, member: &[u8]) -> bool {
        loop {
            match &mut self.set {
                Building::Large(object) => {
                    let Object::Dict(dict) = &mut **object else { return false };
                    return !dict.contains(member) && dict.insert(member, b"", None);
                }
                Building::Small(encoding, bytes) => match add_small(bytes, *encoding, member, self.limits) {
                    Addition::Done(is_new) => return is_new,
                    Addition::Convert(to) => self.set = converted(self.view(), to, self.seed),
                },
            }
        }
    }

    /// Removes a member. False if it was none.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.set {
            Building::Small(Encoding::Intset, bytes) => {
                parse_canonical(member).is_some_and(|number| intset::remove(bytes, number))
            }
            Building::Small(_, bytes) => {
                let Some(at) = packed::find(bytes, 1, member) else { return false };
                packed::remove(bytes, at, 1);
                true
            }
            Building::Large(object) => match &mut **object {
                Object::Dict(dict) => dict.remove(member),
                _ => false,
            },
        }
    }

    /// The set as it is so far.
    pub fn view(&self) -> SetRef<'_> {
        match &self.set {
            Building::Small(Encoding::Intset, bytes) => SetRef::Intset(bytes),
            Building::Small(_, bytes) => SetRef::Packed(bytes),
            Building::Large(object) => match &**object {
                Object::Dict(dict) => SetRef::Dict(dict),
                _ => SetRef::Packed(&packed::EMPTY),
            },
        }
    }

    /// Shows the finished set as a value to be stored.
    pub fn store<R>(self, store: impl FnOnce(NewValue<'_>) -> R) -> R {
        match self.set {
            Building::Small(encoding, bytes) => store(NewValue::Bytes(encoding, &bytes)),
            Building::Large(object) => store(NewValue::Object(Encoding::Dict, object)),
        }
    }
}

enum Addition {
    /// The member is in; was it new?
    Done(bool),
    /// It does not fit before the set has this encoding.
    Convert(Encoding),
}

#[inline]
fn add_small<R: ByteRegion>(region: &mut R, encoding: Encoding, member: &[u8], limits: SetLimits) -> Addition {
    let packs = |count: usize, longest: usize| {
        count < limits.packed.entries
            && longest <= limits.packed.bytes
            && region.bytes().len() + longest < PACKED_BYTES_MAX
    };
    if encoding == Encoding::Packed {
        let bytes = region.bytes();
        if packed::find(bytes, 1, member).is_some() {
            return Addition::Done(false);
        }
        if !packs(packed::count(bytes), member.len()) {
            return Addition::Convert(Encoding::Dict);
        }
        packed::push_back(region, &[Item::from_text(member)]);
        return Addition::Done(true);
    }
    let count = intset::len(region.bytes());
    if let Some(number) = parse_canonical(member) {
        if count < limits.intset {
            return Addition::Done(intset::insert(region, number));
        }
        let is_there = intset::contains(region.bytes(), number);
        return if is_there { Addition::Done(false) } else { Addition::Convert(Encoding::Dict) };
    }
    // The longest integer stands at one of the ends.
    let ends = [intset::min(region.bytes()), intset::max(region.bytes())];
    let longest = ends.into_iter().flatten().map(crate::base::number::decimal_len).max().unwrap_or(0);
    let to = if packs(count, longest.max(member.len())) { Encoding::Packed } else { Encoding::Dict };
    Addition::Convert(to)
}

#[cold]
fn convert(entry: &mut EntryMut<'_>, to: Encoding, seed: HashSeed) {
    let Some(set) = SetRef::of(entry.read()) else { return };
    match converted(set, to, seed) {
        Building::Small(encoding, bytes) => entry.set_value(Type::Set, NewValue::Bytes(encoding, &bytes)),
        Building::Large(object) => entry.set_value(Type::Set, NewValue::Object(Encoding::Dict, object)),
    };
}

fn converted(set: SetRef<'_>, to: Encoding, seed: HashSeed) -> Building {
    let mut digits = itoa::Buffer::new();
    if to == Encoding::Packed {
        let mut bytes = packed::EMPTY.to_vec();
        for member in set.iter() {
            packed::push_back(&mut bytes, &[Item::from(member)]);
        }
        return Building::Small(Encoding::Packed, bytes);
    }
    let mut dict = Dict::new(seed);
    for member in set.iter() {
        dict.insert(member.as_bytes(&mut digits), b"", None);
    }
    Building::Large(Box::new(Object::Dict(dict)))
}
