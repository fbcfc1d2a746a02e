//! The spine of a quicklist: a counted B+tree of nodes behind shared pointers. Cloning it is cloning one pointer; a
//! writer then copies the branches on its way to one leaf. Elements are found by number through the counts.

use super::node::Node;
use crate::storage::shared::Shared;

/// The most slots or children of a branch. At 64 a leaf is scanned in 1 KiB, and 16 M nodes make four levels. Tests
/// make deep trees of few nodes.
const FANOUT: usize = if cfg!(test) { 8 } else { 64 };
/// A branch with fewer is merged with a neighbour when both fit into one.
const FANOUT_MIN: usize = FANOUT / 4;
/// The most slots that one edit may add to a leaf.
const EDIT_GROWTH_MAX: usize = 3;

/// A sequence of nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Spine {
    root: Option<Child>,
}

/// A node and the number of its elements.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) count: u32,
    pub(super) node: Shared<Node>,
}

impl Slot {
    pub(super) fn new(node: Shared<Node>) -> Slot {
        Slot { count: node.count() as u32, node }
    }

    /// Changes the node, copying it first if it is shared, and takes its count anew.
    pub(super) fn change<R>(&mut self, change: impl FnOnce(&mut Node) -> R) -> R {
        let node = self.node.make_mut();
        let result = change(node);
        self.count = node.count() as u32;
        result
    }
}

#[derive(Clone, Debug)]
struct Child {
    elements: usize,
    branch: Shared<Branch>,
}

#[derive(Clone, Debug)]
enum Branch {
    Leaf(Vec<Slot>),
    Inner(Vec<Child>),
}

impl Spine {
    /// The number of elements in all nodes.
    #[inline]
    pub(super) fn elements(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.elements)
    }

    /// The number of nodes.
    pub(super) fn nodes(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.branch.nodes())
    }

    /// The node that holds element number `index`, and the element's number within it. `index` must be below
    /// [`Spine::elements`].
    pub(super) fn locate(&self, index: usize) -> (&Shared<Node>, usize) {
        let mut branch = &self.root.as_ref().expect("an index within the spine").branch;
        let mut index = index;
        loop {
            match &**branch {
                Branch::Inner(children) => {
                    let (at, offset) = position(children, index, |child| child.elements);
                    (branch, index) = (&children[at].branch, offset);
                }
                Branch::Leaf(slots) => {
                    let (at, offset) = position(slots, index, |slot| slot.count as usize);
                    return (&slots[at].node, offset);
                }
            }
        }
    }

    /// Hands the leaf that holds element number `index` to `change`, with the slot's place in it and the element's
    /// number within its node. `change` may alter and remove slots and add up to three; it leaves none that
    /// is empty.
    pub(super) fn edit<R>(&mut self, index: usize, change: impl FnOnce(&mut Vec<Slot>, usize, usize) -> R) -> R {
        let root = self.root.as_mut().expect("an index within the spine");
        let (result, sibling) = root.branch.make_mut().edit(index, change);
        root.elements = root.branch.elements();
        if let Some(sibling) = sibling {
            *root = Child::new(Branch::Inner(vec![root.clone(), sibling]));
        }
        while let Branch::Inner(children) = &*root.branch
            && let [only] = &children[..]
        {
            *root = only.clone();
        }
        if root.elements == 0 {
            self.root = None;
        }
        result
    }

    pub(super) fn push_front(&mut self, node: Shared<Node>) {
        let slot = Slot::new(node);
        match self.elements() {
            0 => self.root = Some(Child::new(Branch::Leaf(vec![slot]))),
            _ => self.edit(0, |slots, _, _| slots.insert(0, slot)),
        }
    }

    pub(super) fn push_back(&mut self, node: Shared<Node>) {
        let slot = Slot::new(node);
        match self.elements() {
            0 => self.root = Some(Child::new(Branch::Leaf(vec![slot]))),
            n => self.edit(n - 1, |slots, _, _| slots.push(slot)),
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Shared<Node>> {
        match self.elements() {
            0 => None,
            _ => Some(self.edit(0, |slots, _, _| slots.remove(0).node)),
        }
    }

    pub(super) fn pop_back(&mut self) -> Option<Shared<Node>> {
        match self.elements() {
            0 => None,
            n => self.edit(n - 1, |slots, _, _| slots.pop()).map(|slot| slot.node),
        }
    }

    /// Bytes of the heap held by the branches, taking the leaves to be full.
    pub(super) fn branch_bytes(&self) -> usize {
        self.nodes() * (size_of::<Slot>() + size_of::<Child>() / FANOUT)
    }

    /// Asserts the counts, the limits of branches and that all leaves are equally deep.
    pub(super) fn check_invariants(&self) {
        if let Some(root) = &self.root {
            assert!(root.elements > 0);
            root.check();
        }
    }
}

impl Child {
    fn new(branch: Branch) -> Child {
        Child { elements: branch.elements(), branch: Shared::new(branch) }
    }

    /// Returns the height.
    fn check(&self) -> usize {
        assert_eq!(self.elements, self.branch.elements());
        assert!((1..=FANOUT).contains(&self.branch.len()));
        match &*self.branch {
            Branch::Leaf(slots) => {
                for slot in slots {
                    assert_eq!(slot.count as usize, slot.node.count());
                    slot.node.check_invariants();
                }
                0
            }
            Branch::Inner(children) => {
                let heights: Vec<usize> = children.iter().map(Child::check).collect();
                assert!(heights.iter().all(|&height| height == heights[0]));
                heights[0] + 1
            }
        }
    }
}

impl Branch {
    fn len(&self) -> usize {
        match self {
            Branch::Leaf(slots) => slots.len(),
            Branch::Inner(children) => children.len(),
        }
    }

    fn elements(&self) -> usize {
        match self {
            Branch::Leaf(slots) => slots.iter().map(|slot| slot.count as usize).sum(),
            Branch::Inner(children) => children.iter().map(|child| child.elements).sum(),
        }
    }

    fn nodes(&self) -> usize {
        match self {
            Branch::Leaf(slots) => slots.len(),
            Branch::Inner(children) => children.iter().map(|child| child.branch.nodes()).sum(),
        }
    }

    /// See [`Spine::edit`]. Returns what belongs behind this branch because it would be too wide with it.
    fn edit<R>(&mut self, index: usize, change: impl FnOnce(&mut Vec<Slot>, usize, usize) -> R) -> (R, Option<Child>) {
        match self {
            Branch::Leaf(slots) => {
                let (at, offset) = position(slots, index, |slot| slot.count as usize);
                let result = change(slots, at, offset);
                (result, overflow(slots, at, Branch::Leaf))
            }
            Branch::Inner(children) => {
                let (at, offset) = position(children, index, |child| child.elements);
                let child = &mut children[at];
                let (result, sibling) = child.branch.make_mut().edit(offset, change);
                child.elements = child.branch.elements();
                if let Some(sibling) = sibling {
                    children.insert(at + 1, sibling);
                } else if children[at].elements == 0 {
                    children.remove(at);
                } else if children[at].branch.len() < FANOUT_MIN {
                    merge_neighbours(children, at);
                }
                (result, overflow(children, at, Branch::Inner))
            }
        }
    }

    /// Moves all of `next` behind this branch's own.
    fn absorb(&mut self, next: &Branch) {
        match (self, next) {
            (Branch::Leaf(slots), Branch::Leaf(more)) => slots.extend_from_slice(more),
            (Branch::Inner(children), Branch::Inner(more)) => children.extend_from_slice(more),
            _ => unreachable!("neighbours are equally deep"),
        }
    }
}

/// Which of `items` holds element number `index`, and its number within that item. An index at the end belongs to
/// no item; callers stay below it.
#[inline]
fn position<T>(items: &[T], index: usize, elements: impl Fn(&T) -> usize) -> (usize, usize) {
    let mut rest = index;
    for (at, item) in items.iter().enumerate() {
        let here = elements(item);
        if rest < here {
            return (at, rest);
        }
        rest -= here;
    }
    panic!("an index within the spine");
}

/// If `items` are too many for one branch, cuts off the rest into another. A branch that grew at an end leaves a full
/// one behind, so that pushing makes full branches; one that grew in the middle is halved.
fn overflow<T>(items: &mut Vec<T>, grown_at: usize, branch: fn(Vec<T>) -> Branch) -> Option<Child> {
    let len = items.len();
    assert!(len <= FANOUT + EDIT_GROWTH_MAX);
    if len <= FANOUT {
        return None;
    }
    let cut = if grown_at == 0 {
        len - FANOUT
    } else if grown_at + EDIT_GROWTH_MAX + 1 >= len {
        FANOUT
    } else {
        len / 2
    };
    Some(Child::new(branch(items.split_off(cut))))
}

/// Joins `children[at]` with the neighbour before or behind it, if both fit into one branch.
fn merge_neighbours(children: &mut Vec<Child>, at: usize) {
    for left in [at.wrapping_sub(1), at] {
        let Some([a, b]) = children.get(left..).and_then(|rest| rest.first_chunk::<2>()) else {
            continue;
        };
        if a.branch.len() + b.branch.len() > FANOUT {
            continue;
        }
        let right = children.remove(left + 1);
        let child = &mut children[left];
        child.branch.make_mut().absorb(&right.branch);
        child.elements += right.elements;
        return;
    }
}
