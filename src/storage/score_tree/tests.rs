//! The tree against a BTreeSet, step by step.

use std::collections::BTreeSet;

use super::*;
use crate::base::rng::Rng;

type Model = BTreeSet<(i64, Vec<u8>)>;

fn member_of(rng: &mut Rng, spread: u64) -> Vec<u8> {
    let long = if rng.below(200) == 0 { 500 + rng.below(200) as usize } else { rng.below(40) as usize };
    let mut member = format!("{:x}", rng.below(spread)).into_bytes();
    member.resize(member.len() + if rng.below(4) == 0 { long } else { 0 }, b'.');
    member
}

fn assert_same(tree: &ScoreTree, model: &Model, scale: f64) {
    tree.check_invariants();
    assert_eq!(tree.len(), model.len() as u64);
    let expected = || model.iter().map(|entry| (entry.0 as f64 * scale, &entry.1[..]));
    assert!(tree.iter().eq(expected()));
    assert!(tree.iter().rev().eq(expected().rev()));
}

/// Random steps; scores are whole, or not, or all alike.
fn run(seed: u64, steps: usize, scores: u64, scale: f64, spread: u64) {
    let mut rng = Rng::new(seed);
    let (mut tree, mut model) = (ScoreTree::new(), Model::new());
    let mut cut: Option<(ScoreTree, Model)> = None;
    for step in 0..steps {
        let growing = (step / (steps / 4)).is_multiple_of(2);
        let (whole, member) = (rng.below(scores) as i64 - scores as i64 / 2, member_of(&mut rng, spread));
        let score = whole as f64 * scale;
        match rng.below(20) {
            0..12 if growing => {
                assert_eq!(tree.insert(score, &member), model.insert((whole, member.clone())));
            }
            0..14 => {
                let rank = rng.below(model.len() as u64 + 1);
                let victim = tree.select(rank).map(|(score, member)| (score, member.to_vec()));
                if let Some((score, member)) = victim {
                    assert_eq!(tree.rank(score, &member), Some(rank));
                    assert!(tree.remove(score, &member));
                    assert!(model.remove(&((score / scale).round() as i64, member)));
                }
            }
            14 => assert_eq!(tree.remove(score, &member), model.remove(&(whole, member.clone()))),
            15 => {
                let before = model.iter().filter(|entry| entry.0 < whole).count() as u64;
                let until = model.iter().filter(|entry| entry.0 <= whole).count() as u64;
                assert_eq!(tree.score_range(Bound::Included(score), Bound::Included(score)), before..until);
                assert_eq!(tree.score_range(Bound::Unbounded, Bound::Excluded(score)), 0..before);
                assert_eq!(tree.score_range(Bound::Excluded(score), Bound::Unbounded), until..tree.len());
            }
            16 if scores == 1 => {
                let before = model.iter().filter(|entry| entry.1 < member).count() as u64;
                let until = model.iter().filter(|entry| entry.1 <= member).count() as u64;
                let included = Bound::Included(&member[..]);
                assert_eq!(tree.lex_range(included, included), before..until);
                assert_eq!(tree.lex_range(Bound::Excluded(&member), Bound::Unbounded), until..tree.len());
            }
            17 if !growing && rng.below(10) == 0 => {
                let start = rng.below(model.len() as u64 + 1);
                let ranks = start..start + rng.below(300);
                let gone: Vec<_> =
                    model.iter().skip(start as usize).take((ranks.end - start) as usize).cloned().collect();
                let mut shown = Vec::new();
                let removed = tree
                    .remove_range(ranks, |score, member| shown.push(((score / scale).round() as i64, member.to_vec())));
                assert_eq!((removed as usize, &shown), (gone.len(), &gone));
                gone.iter().for_each(|entry| assert!(model.remove(entry)));
            }
            18 if rng.below(steps as u64 / 8) == 0 => {
                if let Some((tree, model)) = &cut {
                    assert_same(tree, model, scale);
                }
                cut = Some((tree.clone(), model.clone()));
            }
            _ => {
                let found = tree.contains(score, &member);
                assert_eq!(found, model.contains(&(whole, member.clone())));
                assert_eq!(tree.rank(score, &member).is_some(), found);
            }
        }
        if step % (steps / 100) == 0 || model.len() < 4 {
            assert_same(&tree, &model, scale);
        }
    }
    assert_same(&tree, &model, scale);
    if let Some((tree, model)) = &cut {
        assert_same(tree, model, scale);
    }
}

#[test]
fn behaves_as_an_ordered_set() {
    let steps = if cfg!(miri) { 400 } else { 40_000 };
    run(1, steps, 1000, 1.0, 1 << 16);
    run(2, steps, 50, 0.37, 1 << 16);
    run(3, steps, 1, 1.0, 1 << 16);
    run(4, steps / 4, 3, 1e9, 300);
}

#[test]
fn members_that_come_in_order_fill_their_leaves() {
    let mut tree = ScoreTree::new();
    let count = if cfg!(miri) { 300 } else { 20_000 };
    for n in 0..count {
        tree.insert(f64::from(n), format!("member:{n:06}").as_bytes());
    }
    tree.check_invariants();
    assert!(tree.memory_bytes() < 24 * count as usize);
    assert_eq!(tree.range(10..13).map(|(score, _)| score).collect::<Vec<_>>(), [10.0, 11.0, 12.0]);
    assert_eq!((tree.first().unwrap().0, tree.last().unwrap().0), (0.0, f64::from(count - 1)));
}

#[test]
fn odd_scores_keep_their_bits() {
    let mut tree = ScoreTree::new();
    let scores = [f64::NEG_INFINITY, -1e300, -0.0, f64::MIN_POSITIVE, 2147483648.0, f64::INFINITY];
    for score in scores {
        assert!(tree.insert(score, b"m"));
        tree.check_invariants();
    }
    assert!(!tree.insert(0.0, b"m"));
    assert!(tree.iter().map(|(score, _)| score.to_bits()).eq(scores.map(f64::to_bits)));
}
