//! Sorting the part of a slice that is wanted, by the quicksort of Bentley and McIlroy ("Engineering a Sort Function", 1993).
//!
//! Redis sorts so where a LIMIT or COUNT asks for less than all, and in which order elements that compare as equal come out
//! is part of its replies. What comes out here is the same; only for input made to let the algorithm degenerate
//! another takes over, so that the work is bounded.

use std::cmp::Ordering;
use std::ops::Range;

/// Up to so many elements are sorted by insertion.
const INSERTION_MAX: usize = 6;
/// From so many elements on the pivot is the median of nine, not of three.
const NINE_MIN: usize = 41;

/// Puts those elements in place that belong into `wanted` of the sorted slice.
pub fn sort_range<T>(items: &mut [T], wanted: Range<usize>, compare: impl Fn(&T, &T) -> Ordering) {
    // Twice the depth of a perfect partition, with room for small slices.
    let depth_max = 2 * (items.len().max(2).ilog2() as usize) + 8;
    let mut parts = vec![(0..items.len(), depth_max)];
    while let Some((part, depth_left)) = parts.pop() {
        let is_wanted = part.len() > 1 && part.start < wanted.end && wanted.start < part.end;
        if !is_wanted {
            continue;
        }
        let slice = &mut items[part.clone()];
        if depth_left == 0 {
            slice.sort_by(&compare);
        } else if slice.len() <= INSERTION_MAX {
            sort_by_insertion(slice, &compare);
        } else {
            let (less, greater) = partition(slice, &compare);
            parts.push((part.end - greater..part.end, depth_left - 1));
            parts.push((part.start..part.start + less, depth_left - 1));
        }
    }
}

fn sort_by_insertion<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    for sorted in 1..items.len() {
        let mut at = sorted;
        while at > 0 && compare(&items[at - 1], &items[at]) == Ordering::Greater {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// Puts what is less than a pivot before, and what is greater behind, all that equals it. Returns how many these are.
fn partition<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> (usize, usize) {
    let len = items.len();
    items.swap(0, pivot(items, compare));
    // Elements equal to the pivot gather at both ends: before `left_end`, and from `right_start` on. What is less
    // lies before `low`, what is greater from `high` on.
    let (mut left_end, mut low, mut high, mut right_start) = (1, 1, len, len);
    loop {
        while low < high {
            match compare(&items[low], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(left_end, low);
                    left_end += 1;
                }
                Ordering::Less => {}
            }
            low += 1;
        }
        while low < high {
            match compare(&items[high - 1], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    right_start -= 1;
                    items.swap(high - 1, right_start);
                }
                Ordering::Greater => {}
            }
            high -= 1;
        }
        if low >= high {
            break;
        }
        items.swap(low, high - 1);
        low += 1;
        high -= 1;
    }
    let (less, greater) = (low - left_end, right_start - high);
    let moved = left_end.min(less);
    swap_runs(items, 0, low - moved, moved);
    let moved = greater.min(len - right_start);
    swap_runs(items, low, len - moved, moved);
    (less, greater)
}

/// Where the pivot is: in the middle, or a median.
fn pivot<T>(items: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let (len, middle) = (items.len(), items.len() / 2);
    let median = |a: usize, b: usize, c: usize| {
        let is_less = |x: usize, y: usize| compare(&items[x], &items[y]) == Ordering::Less;
        if is_less(a, b) {
            if is_less(b, c) {
                b
            } else if is_less(a, c) {
                c
            } else {
                a
            }
        } else if compare(&items[b], &items[c]) == Ordering::Greater {
            b
        } else if is_less(a, c) {
            a
        } else {
            c
        }
    };
    if len == INSERTION_MAX + 1 {
        return middle;
    }
    let last = len - 1;
    if len < NINE_MIN {
        return median(0, middle, last);
    }
    let step = len / 8;
    median(
        median(0, step, 2 * step),
        median(middle - step, middle, middle + step),
        median(last - 2 * step, last - step, last),
    )
}

fn swap_runs<T>(items: &mut [T], a: usize, b: usize, len: usize) {
    (0..len).for_each(|index| items.swap(a + index, b + index));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn the_wanted_part_is_that_of_the_sorted_slice() {
        let mut rng = Rng::new(5);
        for round in 0..2000 {
            let len = rng.below(if round % 10 == 0 { 2000 } else { 60 }) as usize;
            let kinds = 1 + rng.below(2 * len as u64 + 1);
            let items: Vec<(u64, usize)> = (0..len).map(|index| (rng.below(kinds), index)).collect();
            let start = rng.below(len as u64 + 1) as usize;
            let wanted = start..start + rng.below((len - start) as u64 + 1) as usize;
            let mut got = items.clone();
            sort_range(&mut got, wanted.clone(), |a, b| a.0.cmp(&b.0));
            let mut sorted = items.clone();
            sorted.sort();
            let keys = |items: &[(u64, usize)]| items.iter().map(|item| item.0).collect::<Vec<_>>();
            assert_eq!(keys(&got[wanted.clone()]), keys(&sorted[wanted]));
            got.sort();
            assert_eq!(got, sorted);
        }
    }

    /// An adversary after McIlroy ("A Killer Adversary for Quicksort", 1999): values are fixed only when they are compared, as
    /// badly as can be.
    #[test]
    fn no_input_makes_the_work_quadratic() {
        use std::cell::{Cell, RefCell};
        const LEN: usize = 20_000;
        let values = RefCell::new(vec![usize::MAX; LEN]);
        let (solid, candidate, compared) = (Cell::new(0), Cell::new(0), Cell::new(0usize));
        let freeze = |item: usize| {
            values.borrow_mut()[item] = solid.get();
            solid.set(solid.get() + 1);
        };
        let mut items: Vec<usize> = (0..LEN).collect();
        sort_range(&mut items, 0..LEN, |&a, &b| {
            compared.set(compared.get() + 1);
            let is_gas = |item: usize| values.borrow()[item] == usize::MAX;
            if is_gas(a) && is_gas(b) {
                freeze(if a == candidate.get() { a } else { b });
            }
            if is_gas(a) {
                candidate.set(a);
            } else if is_gas(b) {
                candidate.set(b);
            }
            values.borrow()[a].cmp(&values.borrow()[b])
        });
        assert!(compared.get() < 60 * LEN, "{} comparisons", compared.get());
    }
}
