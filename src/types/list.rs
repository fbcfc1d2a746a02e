//! Lists: a listpack inline in the entry while it is small, a quicklist above.
//!
//! A listpack that would grow beyond the limits of a node becomes a quicklist. A quicklist that has shrunk to one node of at
//! most half these limits becomes a listpack again, so that a list at the border does not change its form at every step.

use crate::storage::listpack::{self, Element, Needle, Order};
use crate::storage::quicklist::{Entry, Iter, NodeLimits, Quicklist};
use crate::storage::{ByteRegion, Encoding, EntryMut, EntryRef, NewValue, Object, Value};

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Front,
    Back,
}

/// A list, to read.
#[derive(Clone, Copy)]
pub enum ListRef<'a> {
    Packed(&'a [u8]),
    Quick(&'a Quicklist),
}

/// Elements of a list in either direction.
pub enum Elements<'a> {
    Forward(listpack::Iter<'a>),
    Backward(listpack::Iter<'a>),
    Quick(Iter<'a>),
}

impl<'a> Iterator for Elements<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        match self {
            Elements::Forward(elements) => elements.next().map(Entry::Packed),
            Elements::Backward(elements) => elements.next_back().map(Entry::Packed),
            Elements::Quick(elements) => elements.next(),
        }
    }
}

impl<'a> ListRef<'a> {
    /// The list that an entry holds; None if it holds another type.
    #[inline]
    pub fn of(entry: EntryRef<'a>) -> Option<ListRef<'a>> {
        match (entry.encoding(), entry.value()) {
            (Encoding::Listpack, Value::Bytes(bytes)) => Some(ListRef::Packed(bytes)),
            (Encoding::Quicklist, Value::Object(Object::List(list))) => Some(ListRef::Quick(list)),
            _ => None,
        }
    }

    /// Number of elements.
    pub fn len(self) -> usize {
        match self {
            ListRef::Packed(lp) => listpack::count(lp),
            ListRef::Quick(list) => list.len(),
        }
    }

    /// Has it no elements?
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Element number `index`.
    pub fn get(self, index: usize) -> Option<Entry<'a>> {
        match self {
            ListRef::Packed(lp) => listpack::seek(lp, index).map(|at| Entry::Packed(listpack::get(lp, at))),
            ListRef::Quick(list) => list.get(index),
        }
    }

    /// The elements from number `index` on, to the last or back to the first.
    pub fn iter_from(self, index: usize, order: Order) -> Elements<'a> {
        let lp = match self {
            ListRef::Quick(list) => return Elements::Quick(list.iter_from(index, order)),
            ListRef::Packed(lp) => lp,
        };
        let end = listpack::end(lp);
        match (listpack::seek(lp, index), order) {
            (None, _) => Elements::Forward(listpack::iter_between(lp, end, end)),
            (Some(at), Order::Forward) => Elements::Forward(listpack::iter_between(lp, at, end)),
            (Some(at), Order::Backward) => {
                let behind = listpack::next(lp, at).unwrap_or(end);
                Elements::Backward(listpack::iter_between(lp, listpack::HEADER, behind))
            }
        }
    }

    /// All elements from the first on.
    pub fn iter(self) -> Elements<'a> {
        self.iter_from(0, Order::Forward)
    }

    /// Visits up to `count` elements from number `start` on.
    #[inline]
    pub fn for_range(self, start: usize, count: usize, visit: impl FnMut(Entry<'_>)) {
        match self {
            ListRef::Packed(_) => self.iter_from(start, Order::Forward).take(count).for_each(visit),
            ListRef::Quick(list) => list.for_range(start, count, visit),
        }
    }
}

/// What OBJECT ENCODING calls a list.
pub fn encoding_name(entry: EntryRef<'_>) -> &'static str {
    if entry.encoding() == Encoding::Listpack { "listpack" } else { "quicklist" }
}

/// The empty list, for a key about to be added.
pub const EMPTY: NewValue<'static> = NewValue::Bytes(Encoding::Listpack, &listpack::EMPTY);

/// Prepares for `count` elements of `bytes` in all to be added: a listpack that cannot take them becomes a quicklist.
#[inline]
pub fn reserve(entry: &mut EntryMut<'_>, bytes: usize, count: usize, limits: NodeLimits) {
    if let (Encoding::Listpack, Value::Bytes(lp)) = (entry.encoding(), entry.value())
        && !limits.allow(lp.len().saturating_add(bytes), listpack::count(lp) + count)
    {
        let list = Quicklist::from_listpack(lp.to_vec());
        entry.set_value(entry.type_(), NewValue::Object(Encoding::Quicklist, Box::new(Object::List(list))));
    }
}

/// Makes a quicklist that has shrunk enough a listpack again.
pub fn shrink(entry: &mut EntryMut<'_>, limits: NodeLimits) {
    let Value::Object(Object::List(list)) = entry.value() else { return };
    let Some(lp) = list.single_node_listpack() else { return };
    if limits.allow(lp.len() * 2, list.len() * 2) {
        let lp = lp.to_vec();
        entry.set_value(entry.type_(), NewValue::Bytes(Encoding::Listpack, &lp));
    }
}

/// Adds an element at an end. `reserve` was called.
#[inline]
pub fn push(entry: &mut EntryMut<'_>, end: End, value: &[u8], limits: NodeLimits) {
    match (entry.object_mut(), end) {
        (Some(Object::List(list)), End::Front) => list.push_front(value, limits),
        (Some(Object::List(list)), End::Back) => list.push_back(value, limits),
        (Some(_), _) => {}
        (None, End::Front) => listpack::push_front(&mut entry.region(), Element::from_text(value)),
        (None, End::Back) => listpack::push_back(&mut entry.region(), Element::from_text(value)),
    }
}

/// Takes the element at an end and returns what `read` makes of it; None if there is none. `shrink` is the caller's to call.
#[inline]
pub fn pop<R>(entry: &mut EntryMut<'_>, end: End, read: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
    if let Some(object) = entry.object_mut() {
        let Object::List(list) = object else { return None };
        return match end {
            End::Front => list.pop_front(read),
            End::Back => list.pop_back(read),
        };
    }
    let Value::Bytes(lp) = entry.value() else { return None };
    let at = match end {
        End::Front => listpack::first(lp),
        End::Back => listpack::last(lp),
    }?;
    let result = read(Entry::Packed(listpack::get(lp, at)));
    listpack::remove(&mut entry.region(), at, 1);
    Some(result)
}

/// Inserts an element that becomes number `index`, which is at most the length.
pub fn insert(entry: &mut EntryMut<'_>, index: usize, value: &[u8], limits: NodeLimits) {
    reserve(entry, value.len(), 1, limits);
    match entry.object_mut() {
        Some(Object::List(list)) => list.insert(index, value, limits),
        Some(_) => {}
        None => {
            let mut region = entry.region();
            let lp = region.bytes();
            let at = listpack::seek(lp, index).unwrap_or(listpack::end(lp));
            listpack::insert_at(&mut region, at, Element::from_text(value));
        }
    }
}

/// Overwrites element number `index`; false if there is none.
pub fn replace(entry: &mut EntryMut<'_>, index: usize, value: &[u8], limits: NodeLimits) -> bool {
    // Counted as one more element, as Redis does, though it takes the place of one.
    reserve(entry, value.len(), 1, limits);
    let is_replaced = match entry.object_mut() {
        Some(Object::List(list)) => list.replace(index, value, limits),
        Some(_) => false,
        None => {
            let mut region = entry.region();
            let at = listpack::seek(region.bytes(), index);
            if let Some(at) = at {
                listpack::replace(&mut region, at, Element::from_text(value));
            }
            at.is_some()
        }
    };
    shrink(entry, limits);
    is_replaced
}

/// Removes up to `count` elements from number `start` on.
pub fn remove_range(entry: &mut EntryMut<'_>, start: usize, count: usize, limits: NodeLimits) {
    match entry.object_mut() {
        Some(Object::List(list)) => {
            list.remove_range(start, count, limits);
        }
        Some(_) => {}
        None => {
            let mut region = entry.region();
            if let Some(at) = listpack::seek(region.bytes(), start) {
                listpack::remove(&mut region, at, count);
            }
        }
    }
    shrink(entry, limits);
}

/// Keeps the `count` elements from number `start` on.
pub fn trim(entry: &mut EntryMut<'_>, start: usize, count: usize, limits: NodeLimits) {
    if let Some(Object::List(list)) = entry.object_mut() {
        list.trim(start, count, limits);
        return shrink(entry, limits);
    }
    remove_range(entry, start.saturating_add(count), usize::MAX, limits);
    remove_range(entry, 0, start, limits);
}

/// Removes up to `count` elements that equal `value`, from the first or from the last on. Returns how many.
pub fn remove_values(entry: &mut EntryMut<'_>, value: &[u8], count: usize, order: Order, limits: NodeLimits) -> usize {
    let removed = match entry.object_mut() {
        Some(Object::List(list)) => list.remove_values(value, count, order, limits),
        Some(_) => 0,
        None => listpack::remove_matches(&mut entry.region(), &Needle::new(value), count, order),
    };
    shrink(entry, limits);
    removed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::HashSeed;
    use crate::base::rng::Rng;
    use crate::storage::{Table, Type};

    #[test]
    fn lists_behave_as_a_vec_in_either_encoding() {
        let mut rng = Rng::new(5);
        let mut table = Table::new(HashSeed::new(1));
        for fill in [-2, 4, 32] {
            let limits = NodeLimits::new(fill);
            let key = [fill as u8];
            let hash = table.hash(&key);
            table.insert(hash, &key, EMPTY, Type::List, None, 0);
            let mut model: Vec<Vec<u8>> = Vec::new();
            let mut seen = [false; 2];
            for step in 0..3000 {
                let mut entry = table.get_mut(hash, &key).expect("the key was added");
                let grow = if (step / 500) % 2 == 0 { 8 } else { 1 };
                let value = rng.below(50).to_string().repeat(rng.below(60) as usize + 1).into_bytes();
                let index = rng.below(model.len() as u64 + 1) as usize;
                if rng.below(9) < grow {
                    reserve(&mut entry, value.len(), 1, limits);
                    match rng.below(4) {
                        0 => {
                            push(&mut entry, End::Front, &value, limits);
                            model.insert(0, value);
                        }
                        1 => {
                            push(&mut entry, End::Back, &value, limits);
                            model.push(value);
                        }
                        2 => {
                            insert(&mut entry, index, &value, limits);
                            model.insert(index, value);
                        }
                        _ => {
                            let found = replace(&mut entry, index, &value, limits);
                            assert_eq!(found, index < model.len());
                            if found {
                                model[index] = value;
                            }
                        }
                    }
                } else {
                    let count = rng.below(4) as usize;
                    match rng.below(4) {
                        0 => {
                            let popped = pop(&mut entry, End::Front, |e| e.as_bytes(&mut itoa::Buffer::new()).to_vec());
                            assert_eq!(popped, (!model.is_empty()).then(|| model.remove(0)));
                            shrink(&mut entry, limits);
                        }
                        1 => {
                            let popped = pop(&mut entry, End::Back, |e| e.as_bytes(&mut itoa::Buffer::new()).to_vec());
                            assert_eq!(popped, model.pop());
                            shrink(&mut entry, limits);
                        }
                        2 => {
                            remove_range(&mut entry, index, count, limits);
                            model.drain(index..(index + count).min(model.len()));
                        }
                        _ => {
                            let removed = remove_values(&mut entry, &value, 1, Order::Backward, limits);
                            let at = model.iter().rposition(|element| *element == value);
                            assert_eq!(removed, usize::from(at.is_some()));
                            at.map(|at| model.remove(at));
                        }
                    }
                }
                let read = entry.read();
                seen[usize::from(read.encoding() == Encoding::Quicklist)] = true;
                let list = ListRef::of(read).expect("a list");
                assert_eq!(list.len(), model.len());
                let text = |entry: Entry<'_>| entry.as_bytes(&mut itoa::Buffer::new()).to_vec();
                assert!(list.iter().map(text).eq(model.iter().cloned()));
                let from = rng.below(model.len() as u64 + 1) as usize;
                assert_eq!(list.get(from).map(text), model.get(from).cloned());
                if from < model.len() {
                    let back = model[..=from].iter().rev().cloned();
                    assert!(list.iter_from(from, Order::Backward).map(text).eq(back));
                }
            }
            assert_eq!(seen, [true, true], "{fill}");
        }
    }
}
