use super::*;
use crate::base::rng::Rng;
use crate::storage::listpack::tests::random_text;

#[derive(Clone, Debug, PartialEq)]
enum Model {
    Int(i64),
    Float(u64),
    Str(Vec<u8>),
}

fn model_of(item: Item<'_>) -> Model {
    match item {
        Item::Int(value) => Model::Int(value),
        Item::Float(value) => Model::Float(value.to_bits()),
        Item::Str(text) => Model::Str(text.to_vec()),
    }
}

fn item_of(model: &Model) -> Item<'_> {
    match model {
        Model::Int(value) => Item::Int(*value),
        Model::Float(bits) => Item::Float(f64::from_bits(*bits)),
        Model::Str(text) => Item::Str(text),
    }
}

fn random_item(rng: &mut Rng) -> Model {
    match rng.below(6) {
        0 => model_of(Item::from_f64(f64::from_bits(rng.next_u64()))),
        1 => Model::Str(vec![b'w'; 188 + rng.below(4) as usize]),
        2 if rng.below(20) == 0 => Model::Str(vec![b'W'; 65_534 + rng.below(4) as usize]),
        _ => model_of(Item::from_text(&random_text(rng))),
    }
}

#[test]
fn agrees_with_a_vec_under_random_changes() {
    for seed in 0..if cfg!(miri) { 3 } else { 60 } {
        let mut rng = Rng::new(seed);
        let stride = 1 + rng.below(3) as usize;
        let mut packed = EMPTY.to_vec();
        let mut model: Vec<Model> = Vec::new();
        for _ in 0..if cfg!(miri) { 40 } else { 300 } {
            let group: Vec<Model> = (0..stride).map(|_| random_item(&mut rng)).collect();
            let items: Vec<Item<'_>> = group.iter().map(item_of).collect();
            let groups = model.len() / stride;
            let index = rng.below(groups as u64 + 1) as usize * stride;
            let at = seek(&packed, index).unwrap_or(packed.len());
            match rng.below(6) {
                0 | 1 => {
                    let at = insert_at(&mut packed, at, &items);
                    assert_eq!(index_of(&packed, at), index);
                    model.splice(index..index, group);
                }
                2 | 3 => {
                    let at = push_back(&mut packed, &items);
                    assert_eq!(index_of(&packed, at), model.len());
                    model.extend(group);
                }
                4 if index < model.len() => {
                    replace(&mut packed, at, items[0]);
                    model[index] = group[0].clone();
                }
                _ => {
                    let n = rng.below(3) as usize * stride;
                    let at = remove(&mut packed, at, n);
                    model.drain(index..model.len().min(index + n));
                    assert_eq!(seek(&packed, index).unwrap_or(packed.len()), at);
                }
            }
            check_invariants(&packed, stride);
            assert_eq!(count(&packed), model.len());
            assert!(iter(&packed).map(model_of).eq(model.iter().cloned()));
            for first in model.chunks(stride).map(|group| &group[0]) {
                let Some(element) = item_of(first).element() else {
                    continue;
                };
                let needle = element.as_bytes(&mut itoa::Buffer::new()).to_vec();
                let expected = model.chunks(stride).position(|group| group[0] == *first).unwrap();
                let found = find(&packed, stride, &needle).unwrap();
                assert_eq!(index_of(&packed, found), expected * stride);
            }
            assert_eq!(find(&packed, stride, b"no such text"), None);
        }
    }
}

#[test]
fn scores_come_back_bit_for_bit() {
    let mut rng = Rng::new(3);
    let mut scores = vec![0.0, -0.0, 1.0, -1.5, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE];
    scores.extend([2f64.powi(53), 2f64.powi(62), 2f64.powi(63), -(2f64.powi(63)), 2f64.powi(64)]);
    scores.extend((0..200).map(|_| f64::from_bits(rng.next_u64())));
    scores.extend((0..200).map(|_| ((rng.next_u64() as i64) >> rng.below(64)) as f64));
    for score in scores {
        let mut packed = EMPTY.to_vec();
        let at = push_back(&mut packed, &[Item::from_f64(score)]);
        assert_eq!(get(&packed, at).as_f64().map(f64::to_bits), Some(score.to_bits()), "{score}");
    }
    assert_eq!(item_bytes(Item::from_f64(53.0)), 1);
    assert_eq!(item_bytes(Item::from_f64(-128.0)), 2);
}

#[test]
fn a_hash_of_ten_small_fields_costs_191_bytes() {
    let mut packed = EMPTY.to_vec();
    for i in 0..10 {
        let (field, value) = (format!("field{i}"), b"value123456");
        push_back(&mut packed, &[Item::from_text(field.as_bytes()), Item::from_text(value)]);
    }
    assert_eq!((packed.len(), count(&packed)), (191, 20));
}

#[test]
fn integers_take_the_fewest_bytes() {
    for (value, bytes) in [(-1, 1), (53, 1), (-2, 2), (54, 2), (127, 2), (-128, 2), (128, 3), (-129, 3), (1 << 39, 7)] {
        assert_eq!(item_bytes(Item::Int(value)), bytes, "{value}");
    }
    assert_eq!((item_bytes(Item::Int(i64::MIN)), item_bytes(Item::Int(i64::MAX))), (9, 9));
}
