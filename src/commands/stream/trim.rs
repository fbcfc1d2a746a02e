//! How XADD and XTRIM are told what to cut off, and how what they cut off is repeated.

use crate::keyspace::Notify;
use crate::resp::CommandError;
use crate::server::DataContext;
use crate::server::context::integer;
use crate::storage::stream::{References, Stream, Threshold, Trim};

use super::id;

/// Without a limit of its own, an approximate trimming removes the entries of so many full nodes at most.
const NODES_MAX: u64 = 100;
/// ... and never more entries than this.
const LIMIT_MAX: u64 = 1_000_000;

/// MAXLEN or MINID as it was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strategy {
    threshold: Threshold,
    is_approximate: bool,
    /// Where the threshold stands in the request, and whether an operator stands before it.
    at: usize,
    has_operator: bool,
}

/// What stands before the ID of XADD, and all of XTRIM's options.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrimOptions {
    strategy: Option<Strategy>,
    limit: Option<u64>,
    references: Option<References>,
}

impl TrimOptions {
    /// Takes the option at `at`, if one of these stands there. Returns where the next argument is.
    pub fn take(&mut self, argv: &[&[u8]], at: usize) -> Result<Option<usize>, CommandError> {
        let word = argv[at].to_ascii_uppercase();
        let has_more = at + 1 < argv.len();
        match word.as_slice() {
            b"MAXLEN" | b"MINID" if has_more => {
                if self.strategy.is_some() {
                    return Err(CommandError::err(
                        "syntax error, MAXLEN and MINID options at the same time are not compatible",
                    ));
                }
                let operator = argv.get(at + 2).and(argv.get(at + 1)).filter(|arg| matches!(**arg, b"~" | b"="));
                let place = at + 1 + usize::from(operator.is_some());
                let threshold = if word == b"MAXLEN" {
                    let len = u64::try_from(integer(argv[place])?);
                    Threshold::MaxLen(len.map_err(|_| CommandError::err("The MAXLEN argument must be >= 0."))?)
                } else {
                    Threshold::MinId(id(argv[place], 0)?)
                };
                let is_approximate = operator.is_some_and(|operator| *operator == b"~");
                self.strategy =
                    Some(Strategy { threshold, is_approximate, at: place, has_operator: operator.is_some() });
                Ok(Some(place + 1))
            }
            b"LIMIT" if has_more => {
                let limit = u64::try_from(integer(argv[at + 1])?);
                self.limit = Some(limit.map_err(|_| CommandError::err("The LIMIT argument must be >= 0."))?);
                Ok(Some(at + 2))
            }
            _ => match references(argv[at]) {
                Some(references) if self.references.is_none() => {
                    self.references = Some(references);
                    Ok(Some(at + 1))
                }
                _ => Ok(None),
            },
        }
    }

    /// Checks what can be wrong between the options.
    pub fn check(&self, is_repeated: bool) -> Result<(), CommandError> {
        let is_approximate = self.strategy.map(|strategy| strategy.is_approximate);
        match (self.limit, is_approximate) {
            (Some(_), None) => {
                Err(CommandError::err("syntax error, LIMIT cannot be used without specifying a trimming strategy"))
            }
            // A trimming is repeated with the very length that came of it, beside the limit that led there.
            (Some(_), Some(false)) if !is_repeated => {
                Err(CommandError::err("syntax error, LIMIT cannot be used without the special ~ option"))
            }
            _ => Ok(()),
        }
    }

    /// The trimming, if one is asked for. `entries` is how many a node takes.
    pub fn trim(&self, entries: i64) -> Option<Trim> {
        let strategy = self.strategy?;
        let usual = match u64::try_from(entries) {
            Ok(0) | Err(_) => NODES_MAX * 100,
            Ok(entries) => entries.saturating_mul(NODES_MAX).min(LIMIT_MAX),
        };
        Some(Trim {
            threshold: strategy.threshold,
            approximate: strategy.is_approximate.then(|| self.limit.unwrap_or(usual)),
            references: self.references.unwrap_or(References::Keep),
        })
    }

    /// Writes into a request what came of an approximate trimming, so that it comes of it again.
    pub fn settle(&self, stream: &Stream, argv: &mut [Vec<u8>]) {
        let Some(strategy) = self.strategy.filter(|strategy| strategy.is_approximate) else { return };
        if strategy.has_operator {
            argv[strategy.at - 1] = b"=".to_vec();
        }
        argv[strategy.at] = match strategy.threshold {
            Threshold::MaxLen(_) => stream.len().to_string().into_bytes(),
            Threshold::MinId(_) => {
                // The first entry, though it may be deleted: what stands before it is gone.
                let first = stream.nodes().next().map_or(stream.last_id, |(id, _)| id);
                first.to_string().into_bytes()
            }
        };
    }

    /// Must the request be rewritten to be repeated?
    pub fn is_approximate(&self) -> bool {
        self.strategy.is_some_and(|strategy| strategy.is_approximate)
    }
}

/// What KEEPREF, DELREF and ACKED stand for.
pub(super) fn references(word: &[u8]) -> Option<References> {
    match word.to_ascii_uppercase().as_slice() {
        b"KEEPREF" => Some(References::Keep),
        b"DELREF" => Some(References::Delete),
        b"ACKED" => Some(References::Acknowledged),
        _ => None,
    }
}

/// Tells of entries that were cut off.
pub(super) fn announce(cx: &mut DataContext<'_>, key: &[u8], trimmed: u64) {
    if trimmed > 0 {
        cx.db.notify(Notify::STREAM, "xtrim", key);
        cx.db.modified_times(key, trimmed);
    }
}

/// A request to be repeated in another form.
pub(super) fn owned(argv: &[&[u8]]) -> Vec<Vec<u8>> {
    argv.iter().map(|arg| arg.to_vec()).collect()
}

/// Repeats this request.
pub(super) fn propagate_owned(cx: &mut DataContext<'_>, argv: &[Vec<u8>]) {
    let argv: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
    cx.propagate_as(&argv);
}
