use super::*;
use crate::base::rng::Rng;
use std::collections::VecDeque;

fn text(element: Element<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    element.write_to(&mut out);
    out
}

/// Texts of every encoding and length class, often with neighbours of the borders between them.
pub(in crate::storage) fn random_text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(10) {
        0..=3 => ((rng.next_u64() as i64) >> rng.below(64)).to_string().into_bytes(),
        4 => rng.below(8).to_string().into_bytes(),
        5 => {
            let borders = [0, 63, 64, 125, 126, 127, 128, 4095, 4096];
            vec![b'b'; borders[rng.below(9) as usize] + rng.below(2) as usize]
        }
        _ => (0..rng.below(20)).map(|_| b'a' + rng.below(3) as u8).collect(),
    }
}

#[test]
fn bytes_are_those_of_the_format() {
    let mut lp = EMPTY.to_vec();
    for part in [&b"hello"[..], b"1", b"-1", b"4096", b"100000", b"-8388609", b"9223372036854775807"] {
        push_back(&mut lp, Element::from_text(part));
    }
    let expected: &[u8] = &[
        &[57, 0, 0, 0, 7, 0][..],
        b"\x85hello\x06",
        &[1, 1],
        &[0xdf, 0xff, 2],
        &[0xf1, 0x00, 0x10, 3],
        &[0xf2, 0xa0, 0x86, 0x01, 4],
        &[0xf3, 0xff, 0xff, 0x7f, 0xff, 5],
        &[0xf4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 9],
        &[0xff],
    ]
    .concat();
    assert_eq!(lp[6..], expected[6..]);
    assert_eq!(usize::from(lp[0]), lp.len());
    let mut lp = EMPTY.to_vec();
    push_back(&mut lp, Element::Str(&[b'x'; 300]));
    assert_eq!((lp[6], lp[7], &lp[308..]), (0xe1, 44, &[2, 0x80 | 46, 0xff][..]));
}

#[test]
fn agrees_with_a_deque_under_random_changes() {
    for seed in 0..if cfg!(miri) { 2 } else { 60 } {
        let mut rng = Rng::new(seed);
        let mut lp = EMPTY.to_vec();
        let mut model: VecDeque<Vec<u8>> = VecDeque::new();
        for _ in 0..if cfg!(miri) { 60 } else { 400 } {
            let value = random_text(&mut rng);
            let element = Element::from_text(&value);
            let index = rng.below(model.len() as u64 + 1) as usize;
            let at = seek(&lp, index);
            assert_eq!(at.is_some(), index < model.len());
            match (rng.below(9), at) {
                (0, _) => {
                    push_front(&mut lp, element);
                    model.push_front(value);
                }
                (1 | 2, _) => {
                    push_back(&mut lp, element);
                    model.push_back(value);
                }
                (3 | 4, at) => {
                    let end = end(&lp);
                    insert_at(&mut lp, at.unwrap_or(end), element);
                    model.insert(index, value);
                }
                (5 | 6, Some(at)) => {
                    replace(&mut lp, at, element);
                    model[index] = value;
                }
                (7, Some(at)) => {
                    let n = rng.below(4) as usize;
                    let removed = remove(&mut lp, at, n);
                    assert_eq!(removed, n.min(model.len() - index));
                    model.drain(index..index + removed);
                }
                (8, Some(at)) => {
                    let value = text(get(&lp, at));
                    let n = 1 + rng.below(3) as usize;
                    let order = if rng.below(2) == 0 { Order::Forward } else { Order::Backward };
                    let removed = remove_matches(&mut lp, &Needle::new(&value), n, order);
                    assert_eq!(removed, remove_from_model(&mut model, &value, n, order));
                }
                _ => {}
            }
            check_invariants(&lp);
            check_against(&lp, &model);
        }
    }
}

fn remove_from_model(model: &mut VecDeque<Vec<u8>>, value: &[u8], n: usize, order: Order) -> usize {
    let mut hits: Vec<usize> = (0..model.len()).filter(|&i| model[i] == value).collect();
    match order {
        Order::Forward => hits.truncate(n),
        Order::Backward => drop(hits.drain(..hits.len().saturating_sub(n))),
    }
    for &i in hits.iter().rev() {
        model.remove(i);
    }
    hits.len()
}

fn check_against(lp: &[u8], model: &VecDeque<Vec<u8>>) {
    assert_eq!(count(lp), model.len());
    assert!(iter(lp).map(text).eq(model.iter().cloned()));
    assert!(iter(lp).rev().map(text).eq(model.iter().rev().cloned()));
    let mut at = first(lp);
    for (i, value) in model.iter().enumerate() {
        assert_eq!(seek(lp, i), at);
        let here = at.unwrap();
        assert_eq!(last(lp) == Some(here), i + 1 == model.len());
        let found = find(lp, HEADER, &Needle::new(value), 0).unwrap();
        assert_eq!(text(get(lp, found)), *value);
        assert!(found <= here);
        at = next(lp, here);
        if let Some(after) = at {
            assert_eq!(prev(lp, after), Some(here));
        }
    }
    assert_eq!(at, None);
}

#[test]
fn long_strings_have_long_backlens() {
    for len in [16376, 16377, 16378, 16379, 2_097_144, 2_097_145, 2_097_146, 2_097_147] {
        if cfg!(miri) && len > 20_000 {
            continue;
        }
        let long = vec![b'z'; len];
        let mut lp = EMPTY.to_vec();
        for _ in 0..2 {
            push_back(&mut lp, Element::Str(&long));
        }
        assert_eq!(validate(&lp), Ok(2));
        assert!(iter(&lp).rev().all(|e| e == Element::Str(&long)));
    }
}

#[test]
fn the_count_saturates_and_is_then_walked() {
    if cfg!(miri) {
        return;
    }
    let mut lp = EMPTY.to_vec();
    for i in 0..70_000 {
        push_back(&mut lp, Element::Int(i % 100));
    }
    assert_eq!((count(&lp), header_count(&lp)), (70_000, COUNT_UNKNOWN));
    assert_eq!(get(&lp, seek(&lp, 69_999).unwrap()), Element::Int(99));
    assert_eq!(seek(&lp, 70_000), None);
    assert_eq!(remove(&mut lp, HEADER, 60_000), 60_000);
    assert_eq!(validate(&lp), Ok(10_000));
    let half = seek(&lp, 5_000).unwrap();
    let copy = copy_between(&lp, HEADER, half, 5_000);
    assert_eq!((validate(&copy), header_count(&copy)), (Ok(5_000), 5_000));
    let mut joined = copy.clone();
    append(&mut joined, &copy);
    assert_eq!(validate(&joined), Ok(10_000));
}

#[test]
fn validate_refuses_or_the_bytes_can_be_walked() {
    let mut accepted = 0;
    for seed in 0..if cfg!(miri) { 50 } else { 20_000 } {
        let mut rng = Rng::new(seed);
        let mut lp = EMPTY.to_vec();
        for _ in 0..rng.below(6) {
            push_back(&mut lp, Element::from_text(&random_text(&mut rng)));
        }
        for _ in 0..1 + rng.below(2) {
            let at = rng.below(lp.len() as u64) as usize;
            lp[at] = rng.next_u64() as u8;
        }
        if rng.below(4) == 0 {
            lp.truncate(rng.below(lp.len() as u64 + 1) as usize);
        }
        if let Ok(elements) = validate(&lp) {
            accepted += 1;
            assert_eq!(iter(&lp).count(), elements);
            assert_eq!(iter(&lp).rev().count(), elements);
        }
    }
    assert!(accepted > 0);
    assert!(validate(&[]).is_err());
}
