//! LCS: the longest common subsequence of two strings.

use std::ops::RangeInclusive;

use crate::resp::CommandError;
use crate::server::context::Args;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::Type;
use crate::types;

pub(super) const LCS: Command = Command {
    info: CommandInfo {
        name: "lcs",
        arity: Arity::AtLeast(3),
        since: "7.0.0",
        group: Group::String,
        complexity: "O(N*M) where N and M are the lengths of the strings",
        summary: "Finds the longest sequence of bytes that two strings share.",
        flags: Flags::READONLY,
        categories: Categories::STRING,
        keys: &[KeySpec::range(1, 1, 1, KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key1", 0),
            key("key2", 0),
            token("len", "LEN").optional(),
            token("idx", "IDX").optional(),
            integer("min-match-len").token("MINMATCHLEN").optional(),
            token("withmatchlen", "WITHMATCHLEN").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(lcs),
};

/// What is asked about the subsequence.
#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    min_match_len: i64,
    with_match_len: bool,
}

impl Options {
    fn parse(argv: &[&[u8]]) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut args = Args::new(argv, 3);
        while args.left() > 0 {
            if args.take_word("IDX") {
                options.idx = true;
            } else if args.take_word("LEN") {
                options.len = true;
            } else if args.take_word("WITHMATCHLEN") {
                options.with_match_len = true;
            } else if args.left() > 1 && args.take_word("MINMATCHLEN") {
                options.min_match_len = args.integer()?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

fn lcs(cx: &mut DataContext<'_>) -> CommandResult {
    let mut read = |key| match cx.db.lookup_read(key) {
        None => Ok(Vec::new()),
        Some(entry) if entry.type_() != Type::String => {
            Err(CommandError::err("The specified keys must contain string values"))
        }
        Some(entry) => Ok(types::string::bytes(entry).into_owned()),
    };
    let (a, b) = (read(cx.argv[1])?, read(cx.argv[2])?);
    let options = Options::parse(cx.argv)?;
    if options.idx && options.len {
        return Err(CommandError::err("If you want both the length and indexes, please just use IDX."));
    }
    if a.len() >= u32::MAX as usize - 1 || b.len() >= u32::MAX as usize - 1 {
        return Err(CommandError::err("String too long for LCS"));
    }
    let cells = (a.len() as u64 + 1) * (b.len() as u64 + 1);
    if cells.saturating_mul(4) > cx.config.proto_max_bulk_len {
        return Err(CommandError::err("Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"));
    }
    let lengths = Lengths::new(&a, &b);
    let total = lengths.at(a.len(), b.len());
    if options.len {
        cx.reply.int(i64::from(total));
        return Ok(Outcome::Done);
    }
    if !options.idx {
        let common: Vec<u8> =
            lengths.matches(&a, &b).into_iter().rev().flat_map(|(in_a, _)| a[in_a].to_vec()).collect();
        cx.reply.bulk(&common);
        return Ok(Outcome::Done);
    }
    let matches = lengths.matches(&a, &b);
    let shown = || matches.iter().filter(|(in_a, _)| len_of(in_a) >= options.min_match_len);
    cx.reply.map(2);
    cx.reply.bulk(b"matches");
    cx.reply.array(shown().count());
    for (in_a, in_b) in shown() {
        cx.reply.array(if options.with_match_len { 3 } else { 2 });
        for range in [in_a, in_b] {
            cx.reply.array(2);
            cx.reply.int(*range.start() as i64);
            cx.reply.int(*range.end() as i64);
        }
        if options.with_match_len {
            cx.reply.int(len_of(in_a));
        }
    }
    cx.reply.bulk(b"len");
    cx.reply.int(i64::from(total));
    Ok(Outcome::Done)
}

fn len_of(range: &RangeInclusive<usize>) -> i64 {
    (range.end() - range.start() + 1) as i64
}

/// The length of the longest common subsequence of each pair of beginnings.
struct Lengths {
    cells: Vec<u32>,
    width: usize,
}

impl Lengths {
    fn new(a: &[u8], b: &[u8]) -> Lengths {
        let width = b.len() + 1;
        let mut cells = vec![0u32; (a.len() + 1) * width];
        for (i, byte) in a.iter().enumerate() {
            let (done, rest) = cells.split_at_mut((i + 1) * width);
            let (above, row) = (&done[i * width..], &mut rest[..width]);
            for (j, other) in b.iter().enumerate() {
                row[j + 1] = if byte == other { above[j] + 1 } else { above[j + 1].max(row[j]) };
            }
        }
        Lengths { cells, width }
    }

    fn at(&self, in_a: usize, in_b: usize) -> u32 {
        self.cells[in_a * self.width + in_b]
    }

    /// The runs of bytes that make up the subsequence, the last first: where they lie in either string.
    fn matches(&self, a: &[u8], b: &[u8]) -> Vec<(RangeInclusive<usize>, RangeInclusive<usize>)> {
        let mut matches: Vec<(RangeInclusive<usize>, RangeInclusive<usize>)> = Vec::new();
        let (mut i, mut j) = (a.len(), b.len());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                match matches.last_mut() {
                    Some((in_a, in_b)) if *in_a.start() == i + 1 && *in_b.start() == j + 1 => {
                        *in_a = i..=*in_a.end();
                        *in_b = j..=*in_b.end();
                    }
                    _ => matches.push((i..=i, j..=j)),
                }
            } else if self.at(i - 1, j) > self.at(i, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        matches
    }
}
