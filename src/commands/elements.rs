//! What the commands on elements of collections share: the options of a scan of one key, and choosing elements by chance.

use std::collections::BTreeSet;

use crate::base::glob::{self, Case};
use crate::base::number;
use crate::base::rng::Rng;
use crate::resp::{CommandError, Reply};
use crate::server::DataContext;
use crate::server::context::{Args, integer};
use crate::spec::Group;
use crate::storage::listpack::Element;

/// Writes an element.
#[inline]
pub(super) fn reply_element(reply: &mut Reply<'_>, element: Element<'_>) {
    match element {
        Element::Int(number) => reply.bulk_int(number),
        Element::Str(bytes) => reply.bulk(bytes),
    }
}

/// Writes a number as RESP3's double, or as its text. Zero keeps its sign.
pub(super) fn reply_double(reply: &mut Reply<'_>, number: f64) {
    if number == 0.0 && number.is_sign_negative() {
        return reply.double_text(b"-0");
    }
    reply.double_text(number::format_f64(number).as_bytes());
}

/// The options of HSCAN, SSCAN and ZSCAN.
pub(super) struct ScanOptions<'a> {
    /// About how many elements are wanted.
    pub count: usize,
    /// What elements must match.
    pub pattern: Option<&'a [u8]>,
    /// HSCAN NOVALUES, ZSCAN NOSCORES: the fields or members alone.
    pub alone: bool,
}

/// The cursor of a scan.
pub(super) fn scan_cursor(arg: &[u8]) -> Result<u64, CommandError> {
    number::parse_u64(arg).ok_or(CommandError::err("invalid cursor"))
}

impl<'a> ScanOptions<'a> {
    /// The options from argument 3 on.
    pub fn parse(argv: &'a [&'a [u8]], group: Group) -> Result<ScanOptions<'a>, CommandError> {
        let mut options = ScanOptions { count: 10, pattern: None, alone: false };
        let mut args = Args::new(argv, 3);
        while args.left() > 0 {
            if args.left() > 1 && args.take_word("COUNT") {
                let count = args.integer()?;
                if count < 1 {
                    return Err(CommandError::Syntax);
                }
                options.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if args.left() > 1 && args.take_word("MATCH") {
                options.pattern = args.next().filter(|pattern| *pattern != b"*");
            } else if args.take_word("NOVALUES") {
                if group != Group::Hash {
                    return Err(CommandError::err("NOVALUES option can only be used in HSCAN"));
                }
                options.alone = true;
            } else if group == Group::SortedSet && args.take_word("NOSCORES") {
                options.alone = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// Does an element of this text belong to the reply?
    pub fn wants(&self, text: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::is_match(pattern, text, Case::Sensitive))
    }
}

/// Writes the reply of a scan.
pub(super) fn reply_scan(reply: &mut Reply<'_>, cursor: u64, elements: &[Vec<u8>]) {
    reply.array(2);
    reply.bulk(number::Decimal::new().u64(cursor));
    reply.array(elements.len());
    for element in elements {
        reply.bulk(element);
    }
}

/// How many random elements are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RandomCount {
    /// So many different ones, or all.
    Distinct(usize),
    /// Just so many, each chosen anew.
    Repeating(usize),
}

/// The answer to the one integer whose negative is none.
pub(super) fn beyond_negation() -> CommandError {
    CommandError::err(format!("value is out of range, value must between {} and {}", -i64::MAX, i64::MAX))
}

/// The count of SRANDMEMBER, HRANDFIELD, ZRANDMEMBER: negative for repetitions.
pub(super) fn random_count(arg: &[u8]) -> Result<RandomCount, CommandError> {
    let count = integer(arg)?;
    if count == i64::MIN {
        return Err(beyond_negation());
    }
    let size = count.unsigned_abs() as usize;
    Ok(if count < 0 { RandomCount::Repeating(size) } else { RandomCount::Distinct(size) })
}

/// As `random_count`, where two elements of the reply belong to each: twice the count must be a number, too.
pub(super) fn random_count_of_pairs(count: RandomCount) -> Result<(), CommandError> {
    let (RandomCount::Distinct(size) | RandomCount::Repeating(size)) = count;
    if size > (i64::MAX / 2) as usize {
        return Err(CommandError::err("value is out of range"));
    }
    Ok(())
}

/// Writes randomly chosen elements of `size` (at least one); `show` writes the element of a number, or its two parts if the
/// reply is of `pairs`.
pub(super) fn reply_random(
    reply: &mut Reply<'_>,
    rng: &mut Rng,
    count: RandomCount,
    size: usize,
    pairs: bool,
    mut show: impl FnMut(&mut Reply<'_>, usize),
) {
    let is_nested = pairs && reply.is_resp3();
    let (RandomCount::Distinct(wanted) | RandomCount::Repeating(wanted)) = count;
    let wanted = if matches!(count, RandomCount::Distinct(_)) { wanted.min(size) } else { wanted };
    reply.array(if pairs && !is_nested { wanted * 2 } else { wanted });
    let mut show = |index| {
        if is_nested {
            reply.array(2);
        }
        show(reply, index);
        !reply.is_in_vain()
    };
    match count {
        RandomCount::Repeating(_) => (0..wanted).all(|_| show(rng.below(size as u64) as usize)),
        RandomCount::Distinct(_) => distinct_below(rng, wanted, size).into_iter().all(show),
    };
}

/// A generator for one command, whose history follows from the node's.
pub(super) fn fork_rng(cx: &mut DataContext<'_>) -> Rng {
    Rng::new(cx.db.keyspace().rng.next_u64())
}

/// `count` different numbers below `size`, all sets of them equally likely (Floyd's sampling). `count` must not exceed `size`.
fn distinct_below(rng: &mut Rng, count: usize, size: usize) -> BTreeSet<usize> {
    let mut chosen = BTreeSet::new();
    for bound in size - count..size {
        let pick = rng.below(bound as u64 + 1) as usize;
        if !chosen.insert(pick) {
            chosen.insert(bound);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_distinct_and_fair() {
        let mut rng = Rng::new(3);
        let mut counts = [0; 10];
        for _ in 0..10_000 {
            let chosen = distinct_below(&mut rng, 3, 10);
            assert_eq!(chosen.len(), 3);
            chosen.iter().for_each(|&n| counts[n] += 1);
        }
        assert!(counts.iter().all(|&n| (2700..3300).contains(&n)), "{counts:?}");
        assert_eq!(distinct_below(&mut rng, 4, 4).len(), 4);
    }
}
