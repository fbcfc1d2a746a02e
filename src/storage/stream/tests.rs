use std::collections::BTreeMap;

use super::*;
use crate::base::rng::Rng;
use crate::storage::listpack::tests::random_text;

type Model = BTreeMap<StreamId, Vec<Vec<u8>>>;

fn content(entry: Entry<'_>) -> (StreamId, Vec<Vec<u8>>) {
    let mut pairs = Vec::new();
    for (name, value) in entry.fields() {
        for element in [name, value] {
            let mut text = Vec::new();
            element.write_to(&mut text);
            pairs.push(text);
        }
    }
    (entry.id, pairs)
}

fn check_against(stream: &Stream, model: &Model) {
    stream.check_invariants();
    assert_eq!(stream.len(), model.len() as u64);
    assert_eq!(stream.first_id(), model.first_key_value().map(|(id, _)| *id));
    let all = || model.iter().map(|(id, pairs)| (*id, pairs.clone()));
    assert!(stream.range(StreamId::MIN, StreamId::MAX).map(content).eq(all()));
    assert!(stream.range_back(StreamId::MIN, StreamId::MAX).map(content).eq(all().rev()));
}

/// Fields and values: mostly of the same names, sometimes others.
fn random_pairs(rng: &mut Rng) -> Vec<Vec<u8>> {
    let names: &[&str] = match rng.below(5) {
        0 => &["other"],
        1 => &["17", "b", "c"],
        _ => &["item", "value"],
    };
    names.iter().flat_map(|name| [name.as_bytes().to_vec(), random_text(rng)]).collect()
}

#[test]
fn agrees_with_a_map_and_clones_do_not_change() {
    for seed in 0..if cfg!(miri) { 2 } else { 60 } {
        let mut rng = Rng::new(seed);
        let limits = NodeLimits {
            bytes: [100, 400, 4096][rng.below(3) as usize],
            entries: [0, 1, 3, 200][rng.below(4) as usize],
        };
        let (mut stream, mut model) = (Stream::default(), Model::new());
        let mut copies: Vec<(Stream, Model)> = Vec::new();
        for step in 0..if cfg!(miri) { 40 } else { 500 } {
            let known = |rng: &mut Rng, model: &Model| {
                model.keys().nth(rng.below(model.len().max(1) as u64) as usize).copied().unwrap_or_default()
            };
            match rng.below(20) {
                0..12 => {
                    let ms = stream.last_id.ms + rng.below(3);
                    let id =
                        StreamId::new(ms, stream.last_id.seq * u64::from(ms == stream.last_id.ms) + 1 + rng.below(300));
                    let pairs = random_pairs(&mut rng);
                    let texts: Vec<&[u8]> = pairs.iter().map(Vec::as_slice).collect();
                    stream.push(id, &texts, limits);
                    model.insert(id, pairs);
                }
                12..16 => {
                    let id = if rng.below(4) == 0 { StreamId::new(rng.below(50), 1) } else { known(&mut rng, &model) };
                    let there = model.remove(&id).is_some();
                    assert_eq!(stream.delete(id, References::Keep) == Deletion::Deleted, there);
                }
                16 => {
                    let len = (model.len() as u64).saturating_sub(rng.below(9));
                    let trim =
                        Trim { threshold: Threshold::MaxLen(len), approximate: None, references: References::Keep };
                    let trimmed = stream.trim(trim);
                    assert_eq!(trimmed, model.len() as u64 - len);
                    (0..trimmed).for_each(|_| drop(model.pop_first()));
                }
                17 => {
                    let least = known(&mut rng, &model);
                    if rng.below(4) == 0 {
                        let trim = Trim {
                            threshold: Threshold::MinId(least),
                            approximate: None,
                            references: References::Keep,
                        };
                        let trimmed = stream.trim(trim);
                        let kept = model.split_off(&least);
                        assert_eq!(trimmed, model.len() as u64);
                        model = kept;
                    }
                }
                18 => {
                    let least = known(&mut rng, &model);
                    let trim = Trim {
                        threshold: Threshold::MinId(least),
                        approximate: Some(5),
                        references: References::Delete,
                    };
                    let trimmed = stream.trim(trim);
                    assert!(trimmed <= 5);
                    (0..trimmed).for_each(|_| drop(model.pop_first()));
                    assert!(trimmed == 0 || model.first_key_value().is_none_or(|(id, _)| *id <= least));
                }
                _ => {
                    let (from, to) = (known(&mut rng, &model), known(&mut rng, &model));
                    if from <= to {
                        let expected = || model.range(from..=to).map(|(id, pairs)| (*id, pairs.clone()));
                        assert!(stream.range(from, to).map(content).eq(expected()));
                        assert!(stream.range_back(from, to).map(content).eq(expected().rev()));
                    }
                    assert_eq!(
                        stream.get(from).map(content),
                        model.get_key_value(&from).map(|(id, p)| (*id, p.clone()))
                    );
                }
            }
            if step % 50 == 49 {
                check_against(&stream, &model);
                copies.push((stream.clone(), model.clone()));
            }
        }
        copies.iter().for_each(|(stream, model)| check_against(stream, model));
    }
}

#[test]
fn pending_entries_agree_in_all_views() {
    for seed in 0..if cfg!(miri) { 2 } else { 40 } {
        let mut rng = Rng::new(seed);
        let mut group = ConsumerGroup::new(StreamId::MIN, Some(0));
        let mut model: BTreeMap<StreamId, Pending> = BTreeMap::new();
        let mut line: Vec<StreamId> = Vec::new();
        let mut copies: Vec<(ConsumerGroup, BTreeMap<StreamId, Pending>)> = Vec::new();
        for step in 0..if cfg!(miri) { 60 } else { 600 } {
            let id = StreamId::new(rng.below(80), rng.below(2));
            let name = [&b"alice"[..], b"bob", b"carol"][rng.below(3) as usize];
            match rng.below(10) {
                0..6 => {
                    group.add_consumer(name, 1);
                    let (time, deliveries) = (rng.below(30) as i64, rng.below(5));
                    if rng.below(8) == 0 {
                        group.give_back(id, deliveries);
                        line.retain(|other| *other != id);
                        line.push(id);
                        model.insert(id, group.pending().get(&id).expect("an entry").clone());
                    } else {
                        let owner = group.name_of(name).expect("a consumer");
                        group.assign(id, owner.clone(), time, deliveries);
                        line.retain(|other| *other != id);
                        model.insert(id, Pending { consumer: Some(owner), time, deliveries });
                    }
                }
                6..9 => {
                    assert_eq!(group.remove(id), model.remove(&id).is_some());
                    line.retain(|other| *other != id);
                }
                _ if rng.below(8) == 0 => {
                    let before = model.len();
                    model.retain(|_, pending| pending.consumer.as_ref().is_none_or(|owner| owner.bytes() != name));
                    let removed = group.remove_consumer(name).unwrap_or(0);
                    assert_eq!(removed, (before - model.len()) as u64);
                }
                _ => {}
            }
            assert!(group.given_back().eq(line.iter().copied()));
            if step % 40 == 0 {
                copies.push((group.clone(), model.clone()));
            }
        }
        copies.push((group, model));
        for (group, model) in copies {
            group.check_invariants();
            assert!(group.pending().iter().eq(model.iter()));
        }
    }
}

#[test]
fn an_entry_stays_while_a_group_needs_it() {
    let mut stream = Stream::default();
    let limits = NodeLimits { bytes: 4096, entries: 100 };
    let id = |n| StreamId::new(n, 0);
    (1..=3).for_each(|n| stream.push(id(n), &[b"f", b"v"], limits));
    stream.add_group(b"g", ConsumerGroup::new(id(2), None));
    let group = stream.group_mut(b"g").expect("the group");
    group.add_consumer(b"c", 0);
    let owner = group.name_of(b"c").expect("a consumer");
    group.assign(id(1), owner, 5, 1);
    assert_eq!(stream.delete(id(1), References::Acknowledged), Deletion::Referenced);
    assert_eq!(stream.delete(id(3), References::Acknowledged), Deletion::Referenced);
    assert_eq!(stream.delete(id(2), References::Acknowledged), Deletion::Deleted);
    assert_eq!(stream.delete(id(1), References::Delete), Deletion::Deleted);
    assert!(stream.group(b"g").is_some_and(|group| group.pending().is_empty()));
    assert_eq!(stream.delete(id(9), References::Keep), Deletion::Absent);
}

#[test]
fn bytes_that_are_no_node_are_refused() {
    let mut rng = Rng::new(4);
    let mut stream = Stream::default();
    let limits = NodeLimits { bytes: 4096, entries: 0 };
    for n in 1..20u64 {
        stream.push(StreamId::new(n, n % 3), &[b"item", n.to_string().as_bytes()], limits);
    }
    stream.push(StreamId::new(20, 0), &[b"other", b"x", b"more", b"y"], limits);
    stream.delete(StreamId::new(3, 0), References::Keep);
    let (id, sample) = stream.nodes().map(|(id, node)| (id, node.listpack().to_vec())).next().expect("a node");
    for _ in 0..if cfg!(miri) { 50 } else { 30_000 } {
        let mut bytes = sample.clone();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = if rng.below(2) == 0 { rng.next_u64() as u8 } else { bytes[at].wrapping_add(1) };
        }
        if let Ok((node, count)) = Node::from_listpack(id, &bytes) {
            let forward: Vec<_> = node.entries(id).filter(|entry| !entry.is_deleted).map(content).collect();
            let mut back: Vec<_> = node.entries(id).rev().filter(|entry| !entry.is_deleted).map(content).collect();
            back.reverse();
            assert_eq!(forward.len() as u64, count);
            assert_eq!(forward, back);
        }
    }
}
