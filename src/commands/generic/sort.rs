//! SORT: elements in order of themselves or of other keys, with other keys' values in their place.

use std::cmp::Ordering;

use crate::base::number::parse_f64;
use crate::base::partial_sort::sort_range;
use crate::commands::store_nothing;
use crate::keyspace::{KeepTtl, Notify, lru};
use crate::persistence::rdb::build::{BuildLimits, Building, Head};
use crate::resp::CommandError;
use crate::server::context::Args;
use crate::server::{Command, CommandResult, DataContext, Handler, Outcome};
use crate::spec::*;
use crate::storage::Type;
use crate::storage::listpack::{Element, Order};
use crate::types::hash::HashRef;
use crate::types::list::ListRef;
use crate::types::set::SetRef;
use crate::types::string;
use crate::types::zset::{Direction, ZsetRef};

pub(super) const SORT: Command = Command {
    info: CommandInfo {
        name: "sort",
        arity: Arity::AtLeast(2),
        since: "1.0.0",
        group: Group::Generic,
        complexity: "O(N+M*log(M)) where N is the number of elements and M the number answered",
        summary: "Sorts a list, a set or a sorted set, and stores the result if asked.",
        flags: Flags::DENYOOM.or(Flags::MOVABLEKEYS).or(Flags::WRITE),
        categories: Categories::DANGEROUS.or(Categories::LIST).or(Categories::SET).or(Categories::SORTEDSET),
        keys: &[
            KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS)),
            KeySpec::unknown(KeyFlags::RO.or(KeyFlags::ACCESS)),
            KeySpec::unknown(KeyFlags::OW.or(KeyFlags::UPDATE)),
        ],
        arguments: &[
            key("key", 0),
            pattern("by-pattern").key_spec(1).token("BY").optional().display("pattern"),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
            pattern("get-pattern").key_spec(1).token("GET").multiple_token().optional().display("pattern"),
            oneof("order", &[token("asc", "ASC"), token("desc", "DESC")]).optional(),
            token("sorting", "ALPHA").optional(),
            key("destination", 2).token("STORE").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(sort),
};
pub(super) const SORT_RO: Command = Command {
    info: CommandInfo {
        name: "sort_ro",
        arity: Arity::AtLeast(2),
        since: "7.0.0",
        group: Group::Generic,
        complexity: "O(N+M*log(M)) where N is the number of elements and M the number answered",
        summary: "Sorts a list, a set or a sorted set.",
        flags: Flags::MOVABLEKEYS.or(Flags::READONLY),
        categories: Categories::DANGEROUS.or(Categories::LIST).or(Categories::SET).or(Categories::SORTEDSET),
        keys: &[KeySpec::first(KeyFlags::RO.or(KeyFlags::ACCESS)), KeySpec::unknown(KeyFlags::RO.or(KeyFlags::ACCESS))],
        arguments: &[
            key("key", 0),
            pattern("by-pattern").key_spec(1).token("BY").optional().display("pattern"),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
            pattern("get-pattern").key_spec(1).token("GET").multiple_token().optional().display("pattern"),
            oneof("order", &[token("asc", "ASC"), token("desc", "DESC")]).optional(),
            token("sorting", "ALPHA").optional(),
        ],
        ..INFO
    },
    handler: Handler::Data(sort_ro),
};

/// The options of SORT.
#[derive(Default)]
struct Options<'a> {
    descending: bool,
    alpha: bool,
    limit: Option<(i64, i64)>,
    by: Option<&'a [u8]>,
    get: Vec<&'a [u8]>,
    store: Option<&'a [u8]>,
}

/// The answer to who may not read every key: patterns might name any.
fn denied(option: &str) -> CommandError {
    CommandError::err(format!("{option} option of SORT denied due to insufficient ACL permissions."))
}

impl<'a> Options<'a> {
    fn parse(argv: &'a [&'a [u8]], may_store: bool, reads_every_key: bool) -> Result<Options<'a>, CommandError> {
        let mut options = Options::default();
        let mut args = Args::new(argv, 2);
        while args.left() > 0 {
            if args.take_word("ASC") {
                options.descending = false;
            } else if args.take_word("DESC") {
                options.descending = true;
            } else if args.take_word("ALPHA") {
                options.alpha = true;
            } else if args.left() >= 3 && args.take_word("LIMIT") {
                options.limit = Some((args.integer()?, args.integer()?));
            } else if may_store && args.left() >= 2 && args.take_word("STORE") {
                options.store = args.next();
            } else if args.left() >= 2 && args.take_word("BY") {
                if !reads_every_key {
                    return Err(denied("BY"));
                }
                options.by = args.next();
            } else if args.left() >= 2 && args.take_word("GET") {
                if !reads_every_key {
                    return Err(denied("GET"));
                }
                options.get.extend(args.next());
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

fn bytes_of(element: Element<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    element.write_to(&mut bytes);
    bytes
}

/// The elements of a list, set or sorted set, in its own order.
fn elements_of(
    cx: &mut DataContext<'_>,
    key: &[u8],
    direction: Direction,
) -> Result<(Option<Type>, Vec<Vec<u8>>), CommandError> {
    let Some(entry) = cx.db.lookup_read(key) else { return Ok((None, Vec::new())) };
    let type_ = entry.type_();
    let elements = match type_ {
        Type::List => {
            let Some(list) = ListRef::of(entry) else { return Ok((Some(type_), Vec::new())) };
            let elements = match direction {
                Direction::Forward => list.iter(),
                Direction::Backward => list.iter_from(list.len().saturating_sub(1), Order::Backward),
            };
            let mut scratch = itoa::Buffer::new();
            elements.map(|entry| entry.as_bytes(&mut scratch).to_vec()).collect()
        }
        Type::Set => SetRef::of(entry).map(|set| set.iter().map(bytes_of).collect()).unwrap_or_default(),
        Type::Zset => ZsetRef::of(entry)
            .map(|zset| zset.range(0..zset.len(), direction).map(|(member, _)| bytes_of(member)).collect())
            .unwrap_or_default(),
        _ => return Err(CommandError::WrongType),
    };
    Ok((Some(type_), elements))
}

/// What a pattern leads to for one element: `#` is the element, `a*b` a string key, `a*b->f` a field of a hash.
fn look_up(cx: &mut DataContext<'_>, pattern: &[u8], element: &[u8]) -> Option<Vec<u8>> {
    if pattern == b"#" {
        return Some(element.to_vec());
    }
    let star = pattern.iter().position(|&byte| byte == b'*')?;
    let arrow = pattern[star..].windows(2).position(|pair| pair == b"->").map(|at| star + at);
    let (name, field) = match arrow {
        Some(at) if at + 2 < pattern.len() => (&pattern[..at], Some(&pattern[at + 2..])),
        _ => (pattern, None),
    };
    let key = [&name[..star], element, &name[star + 1..]].concat();
    let entry = cx.db.lookup_read(&key)?;
    match field {
        None if entry.type_() == Type::String => Some(string::bytes(entry).into_owned()),
        Some(field) => HashRef::of(entry)?.get(field).map(|field| bytes_of(field.value)),
        None => None,
    }
}

/// What an element is sorted by.
enum Weight {
    Number(f64),
    Text(Option<Vec<u8>>),
}

fn compare(a: &(Weight, Vec<u8>), b: &(Weight, Vec<u8>), is_by: bool) -> Ordering {
    match (&a.0, &b.0) {
        (Weight::Number(x), Weight::Number(y)) => {
            // Equal numbers are put in order of the elements, so that the result is the same every time.
            x.partial_cmp(y).unwrap_or(Ordering::Equal).then_with(|| a.1.cmp(&b.1))
        }
        (Weight::Text(x), Weight::Text(y)) if is_by => x.cmp(y),
        _ => a.1.cmp(&b.1),
    }
}

fn sort_command(cx: &mut DataContext<'_>, may_store: bool) -> CommandResult {
    let argv = cx.argv;
    let mut options = Options::parse(argv, may_store, cx.reads_every_key)?;
    let mut is_sorted = options.by.is_none_or(|pattern| pattern.contains(&b'*'));
    let is_reversed = options.descending && !is_sorted;
    let direction = if is_reversed { Direction::Backward } else { Direction::Forward };
    let (type_, elements) = elements_of(cx, argv[1], direction)?;
    // A set has no order of its own; what is stored, or a script sees, must not depend on chance.
    if (options.store.is_some() || cx.db.keyspace().for_script) && type_ == Some(Type::Set) && !is_sorted {
        (is_sorted, options.alpha, options.by) = (true, true, None);
    }
    let count = elements.len() as i64;
    let (start, end) = match options.limit {
        None => (0, count),
        Some((offset, many)) => {
            let start = offset.clamp(0, count);
            (start, if many < 0 { count } else { start.saturating_add(many).min(count) })
        }
    };
    let mut rows: Vec<(Weight, Vec<u8>)> = Vec::with_capacity(elements.len());
    for element in elements {
        let weight = match (is_sorted, options.by) {
            (false, _) => Weight::Text(None),
            (true, None) if options.alpha => Weight::Text(None),
            (true, by) => {
                let text = match by {
                    Some(pattern) => look_up(cx, pattern, &element),
                    None => Some(element.clone()),
                };
                if options.alpha {
                    Weight::Text(text)
                } else {
                    // As for strtod, nothing at all is zero.
                    let number = text
                        .filter(|text| !text.is_empty())
                        .map_or(Some(0.0), |text| parse_f64(&text))
                        .filter(|number| !number.is_nan());
                    let refusal = || CommandError::err("One or more scores can't be converted into double");
                    Weight::Number(number.ok_or_else(refusal)?)
                }
            }
        };
        rows.push((weight, element));
    }
    if is_sorted {
        let is_by = options.by.is_some();
        let order = |a: &_, b: &_| if options.descending { compare(b, a, is_by) } else { compare(a, b, is_by) };
        // In what order elements of the same text come, and which of them do, is as in Redis.
        if is_by && (start, end) != (0, count) {
            sort_range(&mut rows, start as usize..end.max(start) as usize, order);
        } else {
            rows.sort_by(order);
        }
    }
    let chosen = &rows[start as usize..end.max(start) as usize];
    let mut results: Vec<Option<Vec<u8>>> = Vec::with_capacity(chosen.len() * options.get.len().max(1));
    for (_, element) in chosen {
        if options.get.is_empty() {
            results.push(Some(element.clone()));
        }
        for pattern in &options.get {
            results.push(look_up(cx, pattern, element));
        }
    }
    match options.store {
        Some(destination) => store(cx, destination, results),
        None => {
            cx.reply.array(results.len());
            for result in results {
                match result {
                    Some(bytes) => cx.reply.bulk(&bytes),
                    None => cx.reply.null(),
                }
            }
        }
    }
    Ok(Outcome::Done)
}

fn store(cx: &mut DataContext<'_>, destination: &[u8], results: Vec<Option<Vec<u8>>>) {
    let count = results.len();
    if count == 0 {
        store_nothing(cx, destination);
    } else {
        let limits = BuildLimits::new(cx.config, cx.db.keyspace().hash_seed());
        let lru = lru::initial(&cx.db.keyspace().policy, cx.now);
        let head = Head { key: destination, expire: None, lru };
        let mut list = Building::new(&limits, head, Type::List, count, b"");
        results.iter().for_each(|element| list.push(element.as_deref().unwrap_or_default()));
        list.finish().into_value(|value| cx.db.set_value(destination, Type::List, value, KeepTtl::Clear));
        cx.db.modified_times(destination, count as u64);
        cx.db.notify(Notify::LIST, "sortstore", destination);
    }
    cx.reply.int(count as i64);
}

fn sort(cx: &mut DataContext<'_>) -> CommandResult {
    sort_command(cx, true)
}

fn sort_ro(cx: &mut DataContext<'_>) -> CommandResult {
    sort_command(cx, false)
}
