//! Walking a quicklist, by element or by node. Each node is found from the root anew: that costs far less than the
//! node's elements do.

use super::node::Node;
use super::{Entry, NodeRef, Quicklist};
use crate::storage::listpack::{self, Order};
use crate::storage::region::ByteRegion;
use crate::storage::shared::Shared;

/// Elements in either direction; see [`Quicklist::iter_from`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    list: &'a Quicklist,
    order: Order,
    run: Run<'a>,
    /// Forward: the number of the first element behind the run. Backward: of the run's first element.
    border: usize,
}

/// What is left of the node in hand.
#[derive(Clone, Debug)]
enum Run<'a> {
    Packed(listpack::Iter<'a>),
    Plain(Option<&'a Shared<Vec<u8>>>),
}

impl<'a> Iter<'a> {
    pub(super) fn new(list: &'a Quicklist, index: usize, order: Order) -> Iter<'a> {
        let border = match order {
            _ if index >= list.len() => {
                return Iter { list, order, run: Run::Plain(None), border: list.border(order) };
            }
            Order::Forward => index,
            Order::Backward => index + 1,
        };
        Iter { list, order, run: Run::Plain(None), border }
    }

    /// Takes the next node in hand; false at the end of the list.
    fn advance(&mut self) -> bool {
        if self.border == self.list.border(self.order) {
            return false;
        }
        let index = match self.order {
            Order::Forward => self.border,
            Order::Backward => self.border - 1,
        };
        let (node, offset) = self.list.locate(index);
        self.run = match &**node {
            Node::Plain(text) => Run::Plain(Some(text)),
            Node::Packed { bytes, .. } => Run::Packed(part(bytes.bytes(), offset, self.order)),
        };
        self.border = match self.order {
            Order::Forward => index - offset + node.count(),
            Order::Backward => index - offset,
        };
        true
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let entry = match (&mut self.run, self.order) {
                (Run::Packed(elements), Order::Forward) => elements.next().map(Entry::Packed),
                (Run::Packed(elements), Order::Backward) => elements.next_back().map(Entry::Packed),
                (Run::Plain(text), _) => text.take().map(Entry::Plain),
            };
            if entry.is_some() {
                return entry;
            }
            if !self.advance() {
                return None;
            }
        }
    }
}

/// The elements of `lp` from number `offset` on, to the last or back to the first.
pub(super) fn part(lp: &[u8], offset: usize, order: Order) -> listpack::Iter<'_> {
    let end = listpack::end(lp);
    let at = listpack::seek(lp, offset).unwrap_or(end);
    match order {
        Order::Forward => listpack::iter_between(lp, at, end),
        Order::Backward => listpack::iter_between(lp, listpack::HEADER, listpack::next(lp, at).unwrap_or(end)),
    }
}

impl Quicklist {
    /// Where an iteration in `order` is at its end.
    fn border(&self, order: Order) -> usize {
        match order {
            Order::Forward => self.len(),
            Order::Backward => 0,
        }
    }
}

/// The nodes of a list; see [`Quicklist::nodes`].
#[derive(Clone, Debug)]
pub struct Nodes<'a> {
    list: &'a Quicklist,
    /// The number of the next node's first element.
    index: usize,
}

impl<'a> Nodes<'a> {
    pub(super) fn new(list: &'a Quicklist) -> Nodes<'a> {
        Nodes { list, index: 0 }
    }
}

impl<'a> Iterator for Nodes<'a> {
    type Item = NodeRef<'a>;

    fn next(&mut self) -> Option<NodeRef<'a>> {
        if self.index >= self.list.len() {
            return None;
        }
        let (node, _) = self.list.locate(self.index);
        self.index += node.count();
        Some(match &**node {
            Node::Plain(text) => NodeRef::Plain(text),
            Node::Packed { bytes, .. } => NodeRef::Listpack(bytes.bytes()),
        })
    }
}
