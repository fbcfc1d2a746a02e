//! Changes within one leaf of a quicklist's spine: a run of nodes that are split, merged and replaced together. The
//! spine counts anew and balances afterwards. Nodes are merged with neighbours of their own leaf only.

use super::NodeLimits;
use super::node::Node;
use super::spine::Slot;
use crate::storage::listpack::{Needle, Order};
use crate::storage::shared::Shared;

/// Inserts `value` before element number `offset` of the node at `at` (or behind its last).
pub(super) fn insert(slots: &mut Vec<Slot>, at: usize, offset: usize, value: &[u8], limits: NodeLimits) {
    let count = slots[at].count as usize;
    if slots[at].node.accepts(value.len(), limits) {
        return slots[at].change(|node| node.insert(offset, value));
    }
    if offset == 0 && at > 0 && slots[at - 1].node.accepts(value.len(), limits) {
        return slots[at - 1].change(|node| node.insert(node.count(), value));
    }
    let single = Slot::new(Shared::new(Node::single(value, limits)));
    if offset == 0 {
        return slots.insert(at, single);
    }
    if offset < count {
        let rest = slots[at].change(|node| node.split_off(offset));
        slots.insert(at + 1, Slot::new(Shared::new(rest)));
    }
    slots.insert(at + 1, single);
    merge_at(slots, at + 1, limits);
    merge_at(slots, at, limits);
}

/// Overwrites element number `offset` of the node at `at`.
pub(super) fn replace(slots: &mut Vec<Slot>, at: usize, offset: usize, value: &[u8], limits: NodeLimits) {
    if slots[at].node.listpack().is_some() && slots[at].change(|node| node.replace(offset, value, limits)) {
        return;
    }
    if slots[at].count == 1 {
        slots[at] = Slot::new(Shared::new(Node::single(value, limits)));
        merge_at(slots, at, limits);
    } else {
        slots[at].change(|node| node.remove(offset, 1));
        insert(slots, at, offset, value, limits);
    }
}

/// Removes up to `left` elements from number `offset` of the node at `at` on, to the end of the leaf at most; returns
/// how many.
pub(super) fn remove(slots: &mut Vec<Slot>, at: usize, offset: usize, left: usize, limits: NodeLimits) -> usize {
    let mut removed = 0;
    let mut next = at;
    if offset > 0 {
        removed = slots[at].change(|node| node.remove(offset, left));
        next = at + 1;
    }
    let mut behind = next;
    while let Some(slot) = slots.get(behind)
        && removed + slot.count as usize <= left
    {
        removed += slot.count as usize;
        behind += 1;
    }
    slots.drain(next..behind);
    if removed < left && next < slots.len() {
        removed += slots[next].change(|node| node.remove(0, left - removed));
    }
    if !slots.is_empty() {
        merge_at(slots, next.min(slots.len() - 1), limits);
    }
    removed
}

/// Removes up to `left` elements that are `needle` from the node at `at`, which has one; returns how many.
pub(super) fn remove_matches(
    slots: &mut Vec<Slot>,
    at: usize,
    needle: &Needle<'_>,
    left: usize,
    order: Order,
    limits: NodeLimits,
) -> usize {
    if slots[at].node.listpack().is_none() {
        slots.remove(at);
        return 1;
    }
    let removed = slots[at].change(|node| node.remove_matches(needle, left, order));
    if slots[at].count == 0 {
        slots.remove(at);
    } else {
        merge_at(slots, at, limits);
    }
    removed
}

/// Joins the node at `at` with the one before it and the one behind it, where the two fit into one.
fn merge_at(slots: &mut Vec<Slot>, at: usize, limits: NodeLimits) {
    for left in [at, at.wrapping_sub(1)] {
        let Some([a, b]) = slots.get(left..).and_then(|rest| rest.first_chunk::<2>()) else {
            continue;
        };
        if a.node.may_absorb(&b.node, limits) {
            let right = slots.remove(left + 1);
            slots[left].change(|node| node.absorb(&right.node));
        }
    }
}
