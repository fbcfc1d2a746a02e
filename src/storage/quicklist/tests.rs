use super::*;
use crate::base::rng::Rng;
use crate::storage::listpack::tests::random_text;
use std::collections::VecDeque;

type Model = VecDeque<Vec<u8>>;

fn text(entry: Entry<'_>) -> Vec<u8> {
    entry.as_bytes(&mut itoa::Buffer::new()).to_vec()
}

fn check_against(list: &Quicklist, model: &Model) {
    list.check_invariants();
    assert_eq!(list.len(), model.len());
    assert!(list.iter().map(text).eq(model.iter().cloned()));
}

/// Short texts, few of them, so that values repeat; sometimes longer ones.
fn random_value(rng: &mut Rng) -> Vec<u8> {
    match rng.below(8) {
        0..=5 => rng.below(20).to_string().into_bytes(),
        6 => vec![b'm'; rng.below(3000) as usize],
        _ => random_text(rng),
    }
}

fn random_limits(rng: &mut Rng) -> NodeLimits {
    NodeLimits {
        fill: [1, 2, 5, 30, -1, -2, 0][rng.below(7) as usize],
        packed_threshold: [None, None, Some(2), Some(100)][rng.below(4) as usize],
    }
}

#[test]
fn agrees_with_a_deque_and_clones_do_not_change() {
    for seed in 0..if cfg!(miri) { 3 } else { 150 } {
        let mut rng = Rng::new(seed);
        let mut limits = random_limits(&mut rng);
        let (mut list, mut model) = (Quicklist::new(), Model::new());
        let mut snapshots: Vec<(Quicklist, Model)> = Vec::new();
        let grow = 1 + rng.below(12);
        for step in 0..if cfg!(miri) { 60 } else { 400 } {
            for _ in 0..rng.below(grow) {
                let value = random_value(&mut rng);
                let index = rng.below(model.len() as u64 + 1) as usize;
                match rng.below(4) {
                    0 => {
                        list.push_front(&value, limits);
                        model.push_front(value);
                    }
                    1 => {
                        list.push_back(&value, limits);
                        model.push_back(value);
                    }
                    _ => {
                        list.insert(index, &value, limits);
                        model.insert(index, value);
                    }
                }
            }
            change(&mut list, &mut model, &mut rng, limits);
            list.check_invariants();
            assert_eq!(list.len(), model.len());
            if step % 8 == 0 {
                check_against(&list, &model);
                check_reads(&list, &model, &mut rng);
            }
            if rng.below(40) == 0 {
                snapshots.push((list.clone(), model.clone()));
                limits = random_limits(&mut rng);
            }
        }
        check_against(&list, &model);
        for (list, model) in &snapshots {
            check_against(list, model);
        }
    }
}

/// One random change other than growth.
fn change(list: &mut Quicklist, model: &mut Model, rng: &mut Rng, limits: NodeLimits) {
    let index = rng.below(model.len() as u64 + 1) as usize;
    let value = random_value(rng);
    match rng.below(8) {
        0 => assert_eq!(list.pop_front(text), model.pop_front()),
        1 => assert_eq!(list.pop_back(text), model.pop_back()),
        2..=4 => {
            assert_eq!(list.replace(index, &value, limits), index < model.len());
            if let Some(slot) = model.get_mut(index) {
                *slot = value;
            }
        }
        5 => {
            let most = [4, 4, 4, 100][rng.below(4) as usize];
            let n = rng.below(most) as usize;
            let removed = list.remove_range(index, n, limits);
            assert_eq!(removed, n.min(model.len() - index));
            model.drain(index..index + removed);
        }
        6 => {
            let n = rng.below(6) as usize;
            let order = if rng.below(2) == 0 { Order::Forward } else { Order::Backward };
            let mut hits: Vec<usize> = (0..model.len()).filter(|&i| model[i] == value).collect();
            if order == Order::Backward {
                hits.reverse();
            }
            hits.truncate(n);
            assert_eq!(list.remove_values(&value, n, order, limits), hits.len());
            hits.sort_unstable_by(|a, b| b.cmp(a));
            hits.into_iter().for_each(|i| drop(model.remove(i)));
        }
        _ if rng.below(30) == 0 => {
            let count = rng.below(model.len() as u64 + 1) as usize;
            list.trim(index, count, limits);
            model.drain(..index);
            model.truncate(count);
        }
        _ => {}
    }
}

fn check_reads(list: &Quicklist, model: &Model, rng: &mut Rng) {
    for _ in 0..4 {
        let index = rng.below(model.len() as u64 + 1) as usize;
        assert_eq!(list.get(index).map(text), model.get(index).cloned());
        assert!(list.iter_from(index, Order::Forward).map(text).eq(model.iter().skip(index).cloned()));
        let n = rng.below(100) as usize;
        let mut range = Vec::new();
        list.for_range(index, n, |entry| range.push(text(entry)));
        assert!(model.iter().skip(index).take(n).eq(&range));
        let back = if index < model.len() { index + 1 } else { 0 };
        assert!(list.iter_from(index, Order::Backward).map(text).eq(model.iter().take(back).rev().cloned()));
    }
    let mut again = Quicklist::new();
    for node in list.nodes() {
        match node {
            NodeRef::Listpack(lp) => again.push_listpack(lp.to_vec()),
            NodeRef::Plain(text) => again.push_plain(text.clone()),
        }
    }
    check_against(&again, model);
    assert_eq!(again.node_count(), list.node_count());
    assert_eq!(list.nodes().count(), list.node_count());
}

#[test]
fn nodes_keep_to_the_limits() {
    let limits = NodeLimits::new(3);
    let mut list = Quicklist::new();
    for i in 0..10 {
        list.push_back(i.to_string().as_bytes(), limits);
    }
    assert_eq!(list.node_count(), 4);
    list.push_back(&[b'x'; 8193], limits);
    assert!(matches!(list.get(10), Some(Entry::Plain(_))));
    list.push_back(&[b'x'; 8192], limits);
    assert!(matches!(list.get(11), Some(Entry::Packed(_))));
    assert_eq!(list.node_count(), 6);

    let limits = NodeLimits::default();
    let mut list = Quicklist::new();
    for _ in 0..20_000 / if cfg!(miri) { 20 } else { 1 } {
        list.push_front(b"0123456789", limits);
    }
    for node in list.nodes() {
        let NodeRef::Listpack(lp) = node else { panic!("small elements are packed") };
        assert!(lp.len() <= 8192);
    }
    let bytes = list.len() * 12;
    assert!(list.memory_bytes(usize::MAX) < bytes + bytes / 8 + 2048, "{}", list.memory_bytes(usize::MAX));
}

#[test]
fn one_node_is_a_listpack_again() {
    let limits = NodeLimits::default();
    let mut lp = listpack::EMPTY.to_vec();
    listpack::push_back(&mut lp, Element::Str(b"a"));
    let mut list = Quicklist::from_listpack(lp.clone());
    assert_eq!(list.single_node_listpack(), Some(&lp[..]));
    list.push_front(b"7", limits);
    listpack::push_front(&mut lp, Element::Int(7));
    assert_eq!(list.single_node_listpack(), Some(&lp[..]));
    list.push_back(&[b'x'; 9000], limits);
    assert_eq!(list.single_node_listpack(), None);
    assert_eq!(list.remove_range(2, 1, limits), 1);
    assert_eq!(list.single_node_listpack(), Some(&lp[..]));
    assert_eq!(Quicklist::new().single_node_listpack(), None);
}

#[test]
fn removing_in_the_middle_leaves_no_crumbs() {
    let limits = NodeLimits::new(16);
    let mut list = Quicklist::new();
    let n = if cfg!(miri) { 200 } else { 4000 };
    for i in 0..n {
        list.push_back(i.to_string().as_bytes(), limits);
    }
    for i in 0..n / 2 {
        list.remove_range(i, 1, limits);
    }
    list.check_invariants();
    assert_eq!(list.len(), n / 2);
    assert!(list.node_count() <= n / 2 / 8 + 2, "{} nodes", list.node_count());
}

#[test]
fn removing_values_leaves_no_crumbs() {
    let limits = NodeLimits::new(16);
    let n = if cfg!(miri) { 200 } else { 4000 };
    for order in [Order::Forward, Order::Backward] {
        let mut list = Quicklist::new();
        for i in 0..n {
            list.push_back(if i % 8 == 0 { b"keep" } else { b"drop" }, limits);
        }
        assert_eq!(list.remove_values(b"drop", usize::MAX, order, limits), n / 8 * 7);
        list.check_invariants();
        assert!(list.node_count() <= n / 8 / 8 + 2, "{} nodes", list.node_count());
    }
}
