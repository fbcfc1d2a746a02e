//! What the commands on elements of collections share: the options of a scan of one key, and choosing elements by chance.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};

use crate::base::glob::{self, Case};
use crate::base::number;
use crate::base::rng::Rng;
use crate::keyspace::lazyfree::{Bin, KeptEntry};
use crate::resp::output::{LongReply, SLICE_BYTES};
use crate::resp::{CommandError, Output, Proto, Reply};
use crate::server::DataContext;
use crate::server::context::{Args, integer};
use crate::spec::Group;
use crate::storage::listpack::Element;
use crate::storage::{EntryRef, OwnedEntry, Value};

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

/// The count of HRANDFIELD or ZRANDMEMBER, if it is given, and whether `word` follows it: what belongs to each element.
pub(super) fn random_options(argv: &[&[u8]], word: &str) -> Result<(Option<RandomCount>, bool), CommandError> {
    let count = argv.get(2).map(|count| random_count(count)).transpose()?;
    let pairs = match &argv[argv.len().min(3)..] {
        [] => false,
        [arg] if arg.eq_ignore_ascii_case(word.as_bytes()) => true,
        _ => return Err(CommandError::Syntax),
    };
    if let (true, Some(RandomCount::Distinct(size) | RandomCount::Repeating(size))) = (pairs, count)
        && size > (i64::MAX / 2) as usize
    {
        // Twice the count must be a number, too.
        return Err(CommandError::err("value is out of range"));
    }
    Ok((count, pairs))
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

/// What the commands for random elements answer where there are none.
pub(super) fn reply_nothing(reply: &mut Reply<'_>, count: Option<RandomCount>) {
    if count.is_some() { reply.array(0) } else { reply.null() }
}

/// From so many elements on, which may repeat, a reply is written while it is sent.
const LONG_MIN: usize = 1024;
/// Bytes of the shortest bulk string.
const BULK_BYTES_MIN: u64 = 6;

/// Writes elements of an entry: asks for the number of each, and tells how long the reply is by then, until there is none.
pub(super) trait Show:
    Fn(EntryRef<'_>, &mut dyn FnMut(usize) -> Option<usize>, &mut Reply<'_>) + 'static
{
}

impl<F> Show for F where F: Fn(EntryRef<'_>, &mut dyn FnMut(usize) -> Option<usize>, &mut Reply<'_>) + 'static {}

/// A choice of random elements.
pub(super) struct RandomChoice {
    /// Decides.
    pub rng: Rng,
    /// How many.
    pub count: RandomCount,
    /// Of how many, at least one.
    pub size: usize,
    /// Does a value or a score come with each?
    pub pairs: bool,
    /// Where the copy goes that a long reply is written from.
    pub bin: Bin,
}

impl RandomChoice {
    /// Replies with the elements as `show` writes them. A long reply is written from what `copy` makes of the entry, since the
    /// key may change before all is sent.
    pub fn reply(
        mut self,
        reply: &mut Reply<'_>,
        entry: EntryRef<'_>,
        copy: impl FnOnce(EntryRef<'_>) -> OwnedEntry,
        show: impl Show,
    ) {
        let parts = if self.pairs && !reply.is_resp3() { 2 } else { 1 };
        match self.count {
            RandomCount::Distinct(wanted) => {
                let wanted = wanted.min(self.size);
                reply.array(wanted * parts);
                let mut chosen = distinct_below(&mut self.rng, wanted, self.size).into_iter();
                show(entry, &mut |_| chosen.next(), reply);
            }
            RandomCount::Repeating(wanted) => {
                reply.array(wanted * parts);
                if wanted < LONG_MIN {
                    let mut left = wanted;
                    return show(entry, &mut |_| self.next(&mut left), reply);
                }
                let entry = self.bin.keep(copy(entry));
                reply.long(Box::new(LongChoice { choice: self, left: wanted, entry, proto: reply.proto(), show }));
            }
        }
    }

    /// Counts one of the elements that are left, and picks any.
    fn next(&mut self, left: &mut usize) -> Option<usize> {
        *left = left.checked_sub(1)?;
        Some(self.rng.below(self.size as u64) as usize)
    }
}

/// The elements of a choice that are still to be written.
struct LongChoice<S> {
    choice: RandomChoice,
    left: usize,
    entry: KeptEntry,
    proto: Proto,
    show: S,
}

impl<S> Debug for LongChoice<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LongChoice").field("left", &self.left).finish_non_exhaustive()
    }
}

impl<S: Show> LongReply for LongChoice<S> {
    fn write(&mut self, out: &mut Output) {
        let LongChoice { choice, left, entry, proto, show } = self;
        let mut next = |written: usize| if written < SLICE_BYTES { choice.next(left) } else { None };
        if let Some(entry) = entry.read() {
            show(entry, &mut next, &mut Reply::new(out, *proto));
        }
    }

    fn left_bytes_min(&self) -> u64 {
        let parts = if self.choice.pairs { 2 } else { 1 };
        (self.left as u64).saturating_mul(parts * BULK_BYTES_MIN)
    }

    fn memory_bytes(&self) -> usize {
        let nodes =
            |entry: EntryRef<'_>| if let Value::Object(object) = entry.value() { object.memory_bytes() } else { 0 };
        self.entry.read().map_or(0, |entry| entry.allocated_bytes() + nodes(entry))
    }
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
