//! Key specifications: where in a request the keys stand. <https://redis.io/docs/latest/develop/reference/key-specs/>

use std::ops::Range;

use crate::base::bits::bits;

bits! {
    /// What a command does with a key, and how sure the specification is.
    KeyFlags: u16 {
        RW = 0, "RW";
        RO = 1, "RO";
        OW = 2, "OW";
        RM = 3, "RM";
        ACCESS = 4, "access";
        UPDATE = 5, "update";
        INSERT = 6, "insert";
        DELETE = 7, "delete";
        NOT_KEY = 8, "not_key";
        INCOMPLETE = 9, "incomplete";
        VARIABLE_FLAGS = 10, "variable_flags";
    }
}

/// Where to begin looking for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this argument.
    Index(i64),
    /// After this word, looked for from an argument on (negative: backwards from the end).
    Keyword(&'static str, i64),
    /// Only the command itself knows.
    Unknown,
}

/// Which of the arguments from there on are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Up to `last` (relative to the beginning; negative: from the end of the request; -1 with `limit` n: only the
    /// first 1/n of the rest), every `step`.
    Range { last: i64, step: i64, limit: i64 },
    /// An argument `index` places on holds the number of keys, which begin `first` places on.
    KeyNum { index: i64, first: i64, step: i64 },
    /// Only the command itself knows.
    Unknown,
}

/// One place where keys stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// What is done with them.
    pub flags: KeyFlags,
    /// Where they begin.
    pub begin: Begin,
    /// Which they are.
    pub find: Find,
}

impl KeySpec {
    /// One key, the first argument.
    pub const fn first(flags: KeyFlags) -> KeySpec {
        KeySpec::at(1, flags)
    }

    /// One key, this argument.
    pub const fn at(index: i64, flags: KeyFlags) -> KeySpec {
        KeySpec::range(index, 0, 1, flags)
    }

    /// Keys from `index` to `last` (relative, or negative from the end), every `step`.
    pub const fn range(index: i64, last: i64, step: i64, flags: KeyFlags) -> KeySpec {
        KeySpec { flags, begin: Begin::Index(index), find: Find::Range { last, step, limit: 0 } }
    }

    /// The argument `index` holds the number of keys that follow it.
    pub const fn counted(index: i64, flags: KeyFlags) -> KeySpec {
        KeySpec { flags, begin: Begin::Index(index), find: Find::KeyNum { index: 0, first: 1, step: 1 } }
    }

    /// The argument after a keyword.
    pub const fn after(keyword: &'static str, from: i64, flags: KeyFlags) -> KeySpec {
        KeySpec { flags, begin: Begin::Keyword(keyword, from), find: Find::Range { last: 0, step: 1, limit: 0 } }
    }

    /// Keys that only the command itself can find.
    pub const fn unknown(flags: KeyFlags) -> KeySpec {
        KeySpec { flags, begin: Begin::Unknown, find: Find::Unknown }
    }

    /// The positions in `argv` of the keys of this specification. None where the request does not fit it.
    pub fn positions(&self, argv: &[&[u8]]) -> Option<Vec<usize>> {
        let argc = argv.len() as i64;
        let begin = match self.begin {
            Begin::Index(index) => index,
            Begin::Keyword(word, from) => {
                let is_word = |at: &i64| argv[*at as usize].eq_ignore_ascii_case(word.as_bytes());
                let found = if from >= 0 {
                    (from..argc).find(is_word)
                } else {
                    (1..(argc + from + 1).min(argc)).rev().find(is_word)
                };
                // A keyword that is absent names no keys.
                match found {
                    Some(at) => at + 1,
                    None => return Some(Vec::new()),
                }
            }
            Begin::Unknown => return None,
        };
        let (first, last, step) = match self.find {
            Find::Range { last, step, limit } => {
                let last = if last >= 0 {
                    begin + last
                } else if limit <= 1 {
                    argc + last
                } else {
                    begin + (argc - begin) / limit + last
                };
                (begin, last, step)
            }
            Find::KeyNum { index, first, step } => {
                let count: i64 =
                    std::str::from_utf8(argv.get(usize::try_from(begin + index).ok()?)?).ok()?.parse().ok()?;
                if count < 0 || count > argc {
                    return None;
                }
                (begin + first, begin + first + (count - 1) * step, step)
            }
            Find::Unknown => return None,
        };
        if last >= argc || first < 1 {
            return None;
        }
        Some((first..=last).step_by(step.max(1) as usize).map(|at| at as usize).collect())
    }
}

/// Does this SET also read what was there?
pub(super) fn set_reads(argv: &[&[u8]]) -> bool {
    argv.iter().skip(3).any(|arg| arg.eq_ignore_ascii_case(b"get"))
}

/// May this BITFIELD write? It may unless it is made of complete GET and OVERFLOW alone.
pub(super) fn bitfield_writes(argv: &[&[u8]]) -> bool {
    let mut rest = argv.get(2..).unwrap_or_default();
    while let [word, operands @ ..] = rest {
        let taken = match word.to_ascii_lowercase().as_slice() {
            b"get" => 2,
            b"overflow" => 1,
            _ => return true,
        };
        let Some(after) = operands.get(taken..) else { return true };
        rest = after;
    }
    false
}

/// Where SORT stores its result: after the last STORE that stands where an option may.
pub(super) fn store_of_sort(argv: &[&[u8]]) -> Option<usize> {
    let mut at = 2;
    let mut store = None;
    while at < argv.len() {
        let is = |word: &str| argv[at].eq_ignore_ascii_case(word.as_bytes());
        if is("limit") {
            at += 3;
        } else if is("get") || is("by") {
            at += 2;
        } else if is("store") && at + 1 < argv.len() {
            store = Some(at + 1);
            at += 2;
        } else {
            at += 1;
        }
    }
    store
}

/// Where GEORADIUS and GEORADIUSBYMEMBER store their result: after the last STORE or STOREDIST.
pub(super) fn store_of_georadius(argv: &[&[u8]]) -> Option<usize> {
    // No option stands before the fifth place, where the unit of GEORADIUS is.
    let mut at = 5;
    let mut store = None;
    while let Some(word) = argv.get(at) {
        let is_store = word.eq_ignore_ascii_case(b"store") || word.eq_ignore_ascii_case(b"storedist");
        if is_store && at + 1 < argv.len() {
            at += 1;
            store = Some(at);
        }
        at += 1;
    }
    store
}

/// Where the keys of XREAD and XREADGROUP are. None where the options are not theirs.
pub(super) fn streams_of_read(argv: &[&[u8]]) -> Option<Range<usize>> {
    let mut at = 1;
    loop {
        let word = argv.get(at)?;
        let is = |other: &str| word.eq_ignore_ascii_case(other.as_bytes());
        at += 1;
        if is("streams") {
            let left = argv.len() - at;
            return left.is_multiple_of(2).then_some(at..at + left / 2);
        } else if is("group") {
            at += 2;
        } else if ["block", "count", "maxcount", "maxsize", "claim"].into_iter().any(is) {
            at += 1;
        } else if !is("noack") {
            return None;
        }
    }
}

/// See `CommandInfo::legacy_range`: the specs that are plain index ranges, joined when they follow one another.
pub(super) fn legacy_range(keys: &[KeySpec]) -> (i64, i64, i64) {
    let mut joined: Option<(i64, i64, i64)> = None;
    for spec in keys {
        let (Begin::Index(index), Find::Range { last, step, limit: 0 | 1 }) = (spec.begin, spec.find) else { continue };
        let last = if last >= 0 { index + last } else { last };
        joined = Some(match joined {
            None => (index, last, step),
            Some((first, before, old_step)) if before >= 0 && before + 1 == index => (first, last, old_step.max(step)),
            Some(other) => (other.0.min(index), if last < 0 { last } else { other.1 }, other.2),
        });
    }
    joined.unwrap_or((0, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(spec: KeySpec, request: &str) -> Option<Vec<usize>> {
        let argv: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        spec.positions(&argv)
    }

    #[test]
    fn keys_are_found_where_the_specification_says() {
        let flags = KeyFlags::RO;
        assert_eq!(positions(KeySpec::first(flags), "get k"), Some(vec![1]));
        assert_eq!(positions(KeySpec::range(1, -1, 2, flags), "mset a 1 b 2"), Some(vec![1, 3]));
        assert_eq!(positions(KeySpec::counted(2, flags), "zunionstore d 2 a b weights"), Some(vec![3, 4]));
        assert_eq!(positions(KeySpec::counted(2, flags), "zunionstore d 9 a b"), None);
        let streams =
            KeySpec { flags, begin: Begin::Keyword("STREAMS", 1), find: Find::Range { last: -1, step: 1, limit: 2 } };
        assert_eq!(positions(streams, "xread count 1 streams a b 0 0"), Some(vec![4, 5]));
        assert_eq!(positions(KeySpec::after("STORE", 6, flags), "georadius k 1 1 1 m STORE d"), Some(vec![7]));
        assert_eq!(positions(KeySpec::after("STORE", 6, flags), "georadius k 1 1 1 m"), Some(vec![]));
    }
}
