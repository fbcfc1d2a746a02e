//! What the fuzz targets do with their bytes: parsers are fed them, structures are driven by them beside a simple model.
//! The same functions run on seeded bytes in the normal tests (tests/fuzz_smoke.rs).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use russet::acl::{self, Acl, NewChannels};
use russet::base::glob::{self, Case};
use russet::base::hash::HashSeed;
use russet::base::time::UnixMillis;
use russet::config::Config;
use russet::persistence::aof::manifest::Manifest;
use russet::persistence::aof::reader::{CommandReader, Source, Stop};
use russet::persistence::rdb::build::{BuildLimits, Head};
use russet::persistence::rdb::load::{Item as RdbItem, LoadOptions, RdbLoader};
use russet::persistence::rdb::reader::Reader;
use russet::persistence::rdb::{decode, encode};
use russet::resp::parser::{RequestLimits, Status};
use russet::resp::{Parser, Proto};
use russet::scripting::{End, Engine, Kind, Random, Run, Step, Versions};
use russet::server::{CommandTable, permission};
use russet::storage::dict::Dict;
use russet::storage::expiry::ExpiryIndex;
use russet::storage::listpack::{self, Element};
use russet::storage::packed::{self, Item};
use russet::storage::quicklist::{NodeLimits, Quicklist};
use russet::storage::stream::{
    ConsumerGroup, Deletion, NodeLimits as StreamLimits, References, Stream, StreamId, Threshold, Trim,
};
use russet::storage::table::Table;
use russet::storage::zset::Zset;
use russet::storage::{ByteRegion, Encoding, NewValue, Type, Value, alloc, intset};

/// Steps of one run, at most: a bound on time.
const STEPS_MAX: usize = 2000;

/// Bytes as choices.
struct Choices<'a> {
    data: &'a [u8],
}

impl Choices<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(first)
    }

    /// A number below `bound`; zero when the bytes are used up.
    fn below(&mut self, bound: usize) -> usize {
        let wide = usize::from(self.byte().unwrap_or(0)) << 8 | usize::from(self.byte().unwrap_or(0));
        if bound == 0 { 0 } else { wide % bound }
    }

    /// A short text, sometimes a number, seldom a long one.
    fn text(&mut self) -> Vec<u8> {
        let kind = self.byte().unwrap_or(0);
        let n = self.below(1 << 16) as i64 - 300;
        match kind {
            0..100 => format!("m{}", n.rem_euclid(200)).into_bytes(),
            100..180 => n.to_string().into_bytes(),
            180..200 => (n.wrapping_mul(0x1234_5678_9abc)).to_string().into_bytes(),
            200..245 => vec![kind; (n.rem_euclid(90)) as usize],
            _ => vec![kind; n.unsigned_abs() as usize % 9000],
        }
    }
}

/// A seed that never changes: leaking one for each run would look like a leak.
fn seed() -> HashSeed {
    static SEED: std::sync::OnceLock<HashSeed> = std::sync::OnceLock::new();
    *SEED.get_or_init(|| HashSeed::new(7))
}

/// A request parsed at once and one that comes in two parts end the same way.
pub fn request_parser(data: &[u8]) {
    let limits = RequestLimits { bulk_max: 1 << 20, authenticated: data.len().is_multiple_of(2) };
    let mut whole = Parser::default();
    let at_once = whole.parse(data, limits);
    let mut parts = Parser::default();
    let cut = data.first().map_or(0, |&byte| usize::from(byte) % (data.len() + 1));
    let mut in_parts = parts.parse(&data[..cut], limits);
    if matches!(in_parts, Ok(Status::Incomplete)) {
        in_parts = parts.parse(data, limits);
        assert_eq!(at_once, in_parts);
    }
    if let Ok(Status::Complete { consumed }) = at_once {
        assert!(consumed <= data.len() && !whole.args.is_empty());
    }
}

/// A manifest that is understood says the same when it is written and read again.
pub fn aof_manifest(data: &[u8]) {
    if let Ok(manifest) = Manifest::parse(data) {
        let text = manifest.emit();
        if !text.is_empty() {
            let again = Manifest::parse(&text).expect("what was written can be read");
            assert_eq!(again.emit(), text);
        }
    }
}

/// A file of these bytes.
struct AofBytes(Vec<u8>);

impl Source for AofBytes {
    fn open_at(&self, offset: u64) -> std::io::Result<Box<dyn std::io::Read + Send>> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..));
        Ok(Box::new(std::io::Cursor::new(rest.unwrap_or_default().to_vec())))
    }

    fn bytes(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Reading commands ends, with as many bytes in order as there are; what is in order is read again to the same end.
pub fn aof_commands(data: &[u8]) {
    let read = |bytes: &[u8]| {
        let file = Arc::new(AofBytes(bytes.to_vec()));
        let stream = file.open_at(0).expect("bytes in memory");
        let mut reader = CommandReader::new(file, "file".into(), 1 << 20, (Vec::new(), stream), 0);
        let mut commands: Vec<Vec<Vec<u8>>> = Vec::new();
        loop {
            match reader.next_batch() {
                Ok(mut batch) => {
                    assert!(!batch.is_empty());
                    let visit = |argv: &[&[u8]]| {
                        commands.push(argv.iter().map(|arg| arg.to_vec()).collect());
                        Ok::<(), ()>(())
                    };
                    assert!(!batch.visit_some(usize::MAX, visit).expect("nothing is refused"));
                }
                Err(stop) => return (commands, stop),
            }
        }
    };
    let (commands, stop) = read(data);
    assert!(!matches!(stop, Stop::Io(_)), "{stop:?}");
    if let Stop::Short { valid, .. } | Stop::Format { valid } = stop {
        let valid = usize::try_from(valid).expect("an offset in memory");
        assert!(valid <= data.len());
        let (again, stop) = read(&data[..valid]);
        assert!(again == commands && matches!(stop, Stop::End));
    }
}

fn shown(element: Element<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    element.write_to(&mut bytes);
    bytes
}

/// A listpack beside a deque.
pub fn listpack(data: &[u8]) {
    let mut choices = Choices { data };
    let (mut lp, mut model) = (listpack::EMPTY.to_vec(), VecDeque::new());
    for _ in 0..STEPS_MAX {
        let Some(verb) = choices.byte() else { break };
        let index = choices.below(model.len() + 1);
        let at = listpack::seek(&lp, index);
        let text = choices.text();
        match (verb % 6, at) {
            (0, _) => {
                listpack::push_front(&mut lp, Element::from_text(&text));
                model.push_front(text);
            }
            (1, _) => {
                listpack::push_back(&mut lp, Element::from_text(&text));
                model.push_back(text);
            }
            (2, Some(at)) => {
                listpack::insert_at(&mut lp, at, Element::from_text(&text));
                model.insert(index, text);
            }
            (3, Some(at)) => {
                listpack::replace(&mut lp, at, Element::from_text(&text));
                model[index] = text;
            }
            (4, Some(at)) => {
                let count = choices.below(4);
                let removed = listpack::remove(&mut lp, at, count);
                model.drain(index..index + removed);
            }
            _ => assert!(listpack::iter(&lp).map(shown).eq(model.iter().cloned())),
        }
    }
    assert_eq!(listpack::validate(&lp).ok(), Some(model.len()));
    assert!(listpack::iter(&lp).map(shown).eq(model.iter().cloned()));
    assert!(listpack::iter(&lp).rev().map(shown).eq(model.iter().rev().cloned()));
}

/// The packed format, in pairs, beside a vector.
pub fn packed(data: &[u8]) {
    let mut choices = Choices { data };
    let mut bytes = packed::EMPTY.to_vec();
    let mut model: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for _ in 0..STEPS_MAX.min(400) {
        let Some(verb) = choices.byte() else { break };
        let (field, value) = (choices.text(), choices.text());
        let known = model.iter().position(|(name, _)| *name == field);
        let found = packed::find(&bytes, 2, &field);
        assert_eq!(found.is_some(), known.is_some());
        match (verb % 3, found, known) {
            (0, Some(at), Some(index)) => {
                let after = packed::next(&bytes, at);
                packed::replace(&mut bytes, after, Item::from_text(&value));
                model[index].1 = value;
            }
            (1, Some(at), Some(index)) => {
                packed::remove(&mut bytes, at, 2);
                model.remove(index);
            }
            (_, None, None) => {
                packed::push_back(&mut bytes, &[Item::from_text(&field), Item::from_text(&value)]);
                model.push((field, value));
            }
            _ => {}
        }
        packed::check_invariants(&bytes, 2);
        assert_eq!(packed::count(&bytes), model.len() * 2);
    }
}

/// An intset beside a set.
pub fn intset(data: &[u8]) {
    let mut choices = Choices { data };
    let (mut set, mut model) = (intset::EMPTY.to_vec(), BTreeSet::new());
    for _ in 0..STEPS_MAX {
        let Some(verb) = choices.byte() else { break };
        let shift = choices.below(48) as u32;
        let number = (choices.below(1 << 16) as i64 - 30_000) << shift;
        if verb % 3 == 0 {
            assert_eq!(intset::remove(&mut set, number), model.remove(&number));
        } else {
            assert_eq!(intset::insert(&mut set, number), model.insert(number));
        }
    }
    assert_eq!(intset::validate(&set).ok(), Some(model.len()));
    assert!(intset::iter(&set).eq(model.into_iter()));
}

/// A quicklist beside a deque; a clone taken on the way must not change.
pub fn quicklist(data: &[u8]) {
    let mut choices = Choices { data };
    let limits = NodeLimits::new([-1, -2, 3, 16][choices.below(4)]);
    let (mut list, mut model) = (Quicklist::new(), VecDeque::new());
    let mut kept = None;
    let texts = |list: &Quicklist| {
        let mut scratch = Vec::new();
        list.iter().map(|entry| entry_text(entry, &mut scratch)).collect::<Vec<_>>()
    };
    for step in 0..STEPS_MAX {
        let Some(verb) = choices.byte() else { break };
        let index = choices.below(model.len() + 1);
        let text = choices.text();
        match verb % 8 {
            0 => {
                list.push_front(&text, limits);
                model.push_front(text);
            }
            1 | 2 => {
                list.push_back(&text, limits);
                model.push_back(text);
            }
            3 => assert_eq!(list.pop_front(|_| ()).is_some(), model.pop_front().is_some()),
            4 => assert_eq!(list.pop_back(|_| ()).is_some(), model.pop_back().is_some()),
            5 => {
                list.insert(index, &text, limits);
                model.insert(index, text);
            }
            6 => {
                let count = choices.below(20).min(model.len() - index);
                list.remove_range(index, count, limits);
                model.drain(index..index + count);
            }
            _ if index < model.len() => {
                assert!(list.replace(index, &text, limits));
                model[index] = text;
            }
            _ => {}
        }
        if step == 100 {
            kept = Some((list.clone(), texts(&list)));
        }
    }
    list.check_invariants();
    assert!(texts(&list).into_iter().eq(model));
    if let Some((clone, before)) = kept {
        assert_eq!(texts(&clone), before);
    }
}

fn entry_text(entry: russet::storage::quicklist::Entry<'_>, scratch: &mut Vec<u8>) -> Vec<u8> {
    scratch.clear();
    match entry {
        russet::storage::quicklist::Entry::Packed(element) => element.write_to(scratch),
        russet::storage::quicklist::Entry::Plain(bytes) => scratch.extend_from_slice(bytes),
    }
    scratch.clone()
}

/// A dict beside a map.
pub fn dict(data: &[u8]) {
    let mut choices = Choices { data };
    let mut dict = Dict::new(seed());
    let mut model: BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)> = BTreeMap::new();
    for _ in 0..STEPS_MAX {
        let Some(verb) = choices.byte() else { break };
        let (field, value) = (choices.text(), choices.text());
        match verb % 5 {
            0 | 1 => {
                let expire = (verb % 2 == 1).then_some(value.len() as i64);
                let is_new = dict.insert(&field, &value, expire);
                assert_eq!(is_new, model.insert(field, (value, expire)).is_none());
            }
            2 => assert_eq!(dict.remove(&field), model.remove(&field).is_some()),
            3 => {
                let got = dict.get(&field).map(|got| (got.value.to_vec(), got.expire_at));
                assert_eq!(got.as_ref(), model.get(&field));
            }
            _ => assert_eq!(dict.next_expiry(), model.values().filter_map(|(_, at)| *at).min()),
        }
    }
    dict.check_invariants();
    let mut seen = BTreeMap::new();
    let mut cursor = 0;
    loop {
        cursor = dict.scan(cursor, 10, |field| {
            seen.insert(field.field.to_vec(), (field.value.to_vec(), field.expire_at));
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen, model);
}

/// A sorted set beside a map.
pub fn zset(data: &[u8]) {
    let mut choices = Choices { data };
    let (mut zset, mut model) = (Zset::new(seed()), BTreeMap::<Vec<u8>, f64>::new());
    for _ in 0..STEPS_MAX {
        let Some(verb) = choices.byte() else { break };
        let member = choices.text();
        let score = (choices.below(1000) as f64 - 500.0) / f64::from(1 + verb % 3);
        match verb % 4 {
            0 | 1 => {
                zset.insert(&member, score);
                model.insert(member, score);
            }
            2 => assert_eq!(zset.remove(&member), model.remove(&member)),
            _ => assert_eq!(zset.score(&member), model.get(&member).copied()),
        }
    }
    zset.check_invariants();
    let mut sorted: Vec<(f64, &Vec<u8>)> = model.iter().map(|(member, &score)| (score, member)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
    assert_eq!(zset.len(), sorted.len() as u64);
    for (rank, (entry, wanted)) in zset.tree().iter().zip(&sorted).enumerate() {
        assert_eq!((entry.0, entry.1), (wanted.0, wanted.1.as_slice()));
        assert_eq!(zset.rank(entry.1), Some((rank as u64, entry.0)));
    }
}

/// The table of keys beside a map.
pub fn table(data: &[u8]) {
    let mut choices = Choices { data };
    let mut table = Table::new(seed());
    let mut model: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    for step in 0..STEPS_MAX as i64 {
        let Some(verb) = choices.byte() else { break };
        let key = choices.text();
        let hash = table.hash(&key);
        match verb % 3 {
            0 => {
                assert_eq!(table.remove(hash, &key).is_some(), model.remove(&key).is_some());
            }
            _ if model.contains_key(&key) => {
                table.get_mut(hash, &key).expect("the model has it").set_int(step);
                model.insert(key, step);
            }
            _ => {
                table.insert(hash, &key, NewValue::Int(step), Type::String, None, 0);
                model.insert(key, step);
            }
        }
    }
    table.check_invariants();
    let mut seen = BTreeMap::new();
    table.for_each(|entry| {
        let Value::Int(number) = entry.value() else { panic!("integers were stored") };
        seen.insert(entry.key().to_vec(), number);
    });
    assert_eq!(seen, model);
}

/// A stream with a group beside a map of entries and one of pending entries.
pub fn stream(data: &[u8]) {
    let mut choices = Choices { data };
    let limits = StreamLimits { bytes: 200 + choices.below(5000), entries: choices.below(20) };
    let mut stream = Stream::new(100, 100);
    stream.add_group(b"g", ConsumerGroup::new(StreamId::MIN, None));
    let mut model: BTreeMap<StreamId, Vec<Vec<u8>>> = BTreeMap::new();
    let mut pending: BTreeMap<StreamId, u64> = BTreeMap::new();
    for step in 0..STEPS_MAX as u64 {
        let Some(verb) = choices.byte() else { break };
        let some = model.keys().nth(choices.below(model.len().max(1))).copied().unwrap_or(StreamId::new(5, 5));
        match verb % 10 {
            0..=4 => {
                let ms = stream.last_id.ms + choices.below(2) as u64;
                let id = StreamId::new(ms, stream.last_id.seq + 1 + choices.below(70_000) as u64);
                let names: &[&[u8]] = if verb < 200 { &[b"a", b"b"] } else { &[b"other"] };
                let pairs: Vec<Vec<u8>> = names.iter().flat_map(|name| [name.to_vec(), choices.text()]).collect();
                let texts: Vec<&[u8]> = pairs.iter().map(Vec::as_slice).collect();
                stream.push(id, &texts, limits);
                model.insert(id, pairs);
            }
            5 => {
                let deleted = stream.delete(some, References::Delete) == Deletion::Deleted;
                assert_eq!(deleted, model.remove(&some).is_some());
                pending.remove(&some);
            }
            6 => {
                let len = (model.len() as u64).saturating_sub(choices.below(4) as u64);
                let trim = Trim { threshold: Threshold::MaxLen(len), approximate: None, references: References::Keep };
                let trimmed = stream.trim(trim);
                (0..trimmed).for_each(|_| drop(model.pop_first()));
                assert_eq!(stream.len(), len);
            }
            7 | 8 => {
                let group = stream.group_mut(b"g").expect("the group");
                let name: &[u8] = if verb < 128 { b"c" } else { b"d" };
                group.add_consumer(name, 0);
                let owner = group.name_of(name).expect("a consumer");
                if verb % 20 == 7 {
                    group.give_back(some, step)
                } else {
                    group.assign(some, owner, step as i64, step)
                }
                pending.insert(some, step);
            }
            _ => {
                let removed = stream.group_mut(b"g").is_some_and(|group| group.remove(some));
                assert_eq!(removed, pending.remove(&some).is_some());
            }
        }
    }
    stream.check_invariants();
    let read = |entry: russet::storage::stream::Entry<'_>| {
        let pairs = entry.fields().flat_map(|(name, value)| [shown(name), shown(value)]).collect::<Vec<_>>();
        (entry.id, pairs)
    };
    assert!(stream.range(StreamId::MIN, StreamId::MAX).map(read).eq(model.clone()));
    assert!(stream.range_back(StreamId::MIN, StreamId::MAX).map(read).eq(model.into_iter().rev()));
    let group = stream.group(b"g").expect("the group");
    assert!(group.pending().iter().map(|(id, state)| (*id, state.deliveries)).eq(pending));
}

/// The expiry index beside a set.
pub fn expiry_index(data: &[u8]) {
    let mut choices = Choices { data };
    let (mut index, mut model) = (ExpiryIndex::default(), BTreeSet::new());
    for _ in 0..STEPS_MAX {
        let Some(verb) = choices.byte() else { break };
        let at = (choices.below(1 << 16) as i64) << choices.below(24);
        let hash = choices.below(50) as u64;
        match verb % 4 {
            0 | 1 => {
                if model.insert((at, hash)) {
                    index.insert(at, hash);
                }
            }
            2 => assert_eq!(index.remove(at, hash), model.remove(&(at, hash))),
            _ => {
                let mut due = Vec::new();
                index.pop_due(at, 5, &mut due);
                assert!(due.len() == 5 || model.range(..=(at, u64::MAX)).count() == due.len());
                due.iter().for_each(|record| assert!(record.0 <= at && model.remove(record)));
            }
        }
    }
    index.check_invariants();
    assert_eq!(index.len(), model.len());
}

/// The inline value of an entry beside a vector.
pub fn entry(data: &[u8]) {
    let mut choices = Choices { data };
    let mut table = Table::new(seed());
    let key = choices.text();
    let hash = table.hash(&key);
    let mut model = choices.text();
    table.insert(hash, &key, NewValue::Bytes(Encoding::Packed, &model), Type::Hash, None, 3);
    for _ in 0..STEPS_MAX {
        let Some(verb) = choices.byte() else { break };
        let mut entry = table.get_mut(hash, &key).expect("it is never removed");
        if verb % 8 == 0 {
            entry.set_expire((verb > 100).then_some(i64::from(verb)));
        }
        let at = choices.below(model.len() + 1);
        let remove = choices.below(model.len() - at + 1).min(100);
        let insert = choices.below(100);
        let mut region = entry.region();
        region.splice(at, remove, insert);
        region.bytes_mut()[at..at + insert].fill(verb);
        ByteRegion::splice(&mut model, at, remove, insert);
        model[at..at + insert].fill(verb);
        let read = entry.into_ref();
        assert!(matches!(read.value(), Value::Bytes(bytes) if bytes == model) && read.key() == key);
    }
}

/// A payload of RESTORE: a value or a refusal.
pub fn dump_payload(data: &[u8]) {
    let mut payload = data.to_vec();
    payload.extend_from_slice(&[11, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(decode::has_valid_footer(&payload, true));
    let limits = BuildLimits::new(&Config::default(), seed());
    let head = Head { key: b"k", expire: None, lru: 0 };
    if let Ok(entry) = decode::payload(&payload, head, &limits) {
        // What was taken can be written, and read again.
        let again = encode::dump(entry.read());
        assert!(decode::payload(&again, head, &limits).is_ok());
    }
}

/// A stream as RDB files and RESTORE hold it, of each kind that there is: what is taken is whole, and stays so when it is used.
pub fn stream_payload(data: &[u8]) {
    let Some((&kind, content)) = data.split_first() else { return };
    // The newest and the older kinds of streams, whatever the first byte says.
    const KINDS: [u8; 4] = [15, 19, 21, 27];
    let payload = [&[KINDS[usize::from(kind) % KINDS.len()]], content, &[11, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let limits = BuildLimits::new(&Config::default(), seed());
    let head = Head { key: b"k", expire: None, lru: 0 };
    let before = alloc::thread_balance();
    let Ok(entry) = decode::payload(&payload, head, &limits) else { return };
    let held = alloc::thread_balance() - before;
    assert!(held <= rdb_bytes_max(payload.len()), "{held} bytes for a payload of {}", payload.len());
    let again = encode::dump(entry.read());
    assert!(decode::payload(&again, head, &limits).is_ok());
    let mut stream = russet::types::stream::read(entry.read()).expect("a stream").clone();
    stream.check_invariants();
    let ids: Vec<StreamId> = stream.range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id).collect();
    assert_eq!(ids.len() as u64, stream.len());
    assert!(stream.range_back(StreamId::MIN, StreamId::MAX).map(|entry| entry.id).eq(ids.iter().rev().copied()));
    for id in ids.iter().step_by(3) {
        assert_eq!(stream.delete(*id, References::Delete), Deletion::Deleted);
    }
    if let Some(next) = stream.last_id.next() {
        stream.push(next, &[b"field", b"value"], StreamLimits { bytes: 4096, entries: 100 });
        assert_eq!(stream.range_back(StreamId::MIN, StreamId::MAX).next().map(|entry| entry.id), Some(next));
    }
    let trim = Trim { threshold: Threshold::MaxLen(1), approximate: None, references: References::Delete };
    stream.trim(trim);
    assert!(stream.len() <= 1);
    stream.check_invariants();
}

/// A whole RDB file, taken as it is and with its checksum put right: its keys or a refusal, in memory that is bounded by
/// the file's size.
pub fn rdb_file(data: &[u8]) {
    load_rdb(data.to_vec(), false);
    let Some((content, _)) = data.split_last_chunk::<8>() else { return };
    let sum = russet::base::crc::crc64(0, content).to_le_bytes();
    load_rdb([content, &sum].concat(), true);
}

/// Bytes that a file of so many bytes may make the loader hold: LZF unpacks a byte to 90 at most, small elements of large
/// collections take some tens of bytes beside their own.
fn rdb_bytes_max(file: usize) -> i64 {
    (file as i64) * 400 + (1 << 20)
}

fn load_rdb(file: Vec<u8>, checksum: bool) {
    let limits = BuildLimits::new(&Config::default(), seed());
    let options = LoadOptions {
        limits,
        seed: seed(),
        databases: 16,
        drop_before: Some(1_700_000_000_000),
        checksum,
        any_version: false,
        policy: Default::default(),
        now: UnixMillis(1_700_000_000_000),
    };
    let before = alloc::thread_balance();
    let mut loader = RdbLoader::new(
        Reader::of_stream(Box::new(std::io::Cursor::new(file.clone())), Some(file.len() as u64)),
        options,
    );
    let mut keys = Vec::new();
    loop {
        match loader.next_item() {
            Ok(Some(RdbItem::Key(key))) => keys.push(key),
            Ok(Some(RdbItem::Room(_, count))) => assert!(count <= file.len()),
            Ok(Some(RdbItem::Aux(..) | RdbItem::Selected(_) | RdbItem::Function(_))) => {}
            Ok(None) => break,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                break;
            }
        }
        let held = alloc::thread_balance() - before;
        assert!(held <= rdb_bytes_max(file.len()), "{held} bytes for a file of {}", file.len());
    }
    assert!(loader.offset() <= file.len() as u64);
    // What was taken can be written.
    keys.iter().for_each(|key| drop(encode::dump(key.entry.read())));
}

/// Bytes that may be a listpack or an intset: refused, or readable to the end.
pub fn packed_bytes(data: &[u8]) {
    if let Ok(count) = listpack::validate(data) {
        assert_eq!(listpack::iter(data).count(), count);
        assert_eq!(listpack::iter(data).rev().count(), count);
    }
    if let Ok(count) = intset::validate(data) {
        assert_eq!(intset::iter(data).count(), count);
    }
}

/// Patterns: any bytes match in bounded time.
pub fn glob_pattern(data: &[u8]) {
    let (pattern, text) = data.split_at(data.len() / 2);
    let case = if data.len().is_multiple_of(2) { Case::Sensitive } else { Case::Ignored };
    let _ = glob::is_match(pattern, text, case);
    assert!(!glob::is_literal(pattern) || glob::is_match(pattern, pattern, Case::Sensitive));
}

struct NoFiles;

impl russet::config::file::ConfigFiles for NoFiles {
    fn read(&mut self, _path: &[u8]) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn expand(&mut self, _pattern: &[u8]) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn enter(&mut self, _dir: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
}

/// A configuration: taken or refused with a report.
pub fn config_file(data: &[u8]) {
    use russet::config::file::{Role, Sources, load};
    let sources = Sources { path: None, stdin: Some(data), options: b"" };
    if let Err(error) = load(sources, Role::Server, &mut NoFiles) {
        assert!(!error.report("x").is_empty());
    }
}

/// Bytes as the rules of a user, one a line: the user or a refusal. What a user's rules are written as makes the same user,
/// and whom they let do what does not fail. The same bytes are an ACL file too.
pub fn acl_rules(data: &[u8]) {
    static ACL: std::sync::OnceLock<Acl> = std::sync::OnceLock::new();
    let acl = ACL.get_or_init(|| Acl::new(permission::catalog(&CommandTable::new(russet::commands::FAMILIES))));
    let rules: Vec<&[u8]> = data.split(|&byte| byte == b'\n').collect();
    let new = if data.len().is_multiple_of(2) { NewChannels::All } else { NewChannels::None };
    match acl.edited(b"somebody", &rules, new) {
        Ok(user) => {
            let text = user.text();
            let line = [b"user ".as_slice(), &text, b"\n"].concat();
            let written: Vec<&[u8]> = text.split(|&byte| byte == b' ').skip(1).collect();
            assert!(text.starts_with(b"somebody "));
            if !rules.iter().any(|rule| is_ambiguous(rule)) {
                let again = acl::file::parse_user(acl, b"somebody", &written, new).expect("rules that were written");
                assert_eq!(again.text(), text);
                assert_eq!(acl::file::parse(acl, "file", &line, new).expect("a file that was written").len(), 1);
            }
            for (number, _) in acl.catalog.iter() {
                let argv: [&[u8]; 3] = [b"command", rules[0], data];
                let (reads, writes) = (number % 2 == 0, number % 3 == 0);
                let keys = vec![(1, acl::Access { reads, writes }), (2, acl::Access { reads: true, writes })];
                let request = acl::Request { command: number, argv: &argv, first_arg: 1, keys, ..Default::default() };
                let may = user.check(&request);
                assert!(may.is_ok() || !user.is_unrestricted());
            }
        }
        Err(error) => assert!(!error.text().is_empty()),
    }
    if let Ok(users) = acl::file::parse(acl, "file", data, new) {
        users.iter().for_each(|user| assert!(!user.text().is_empty()));
    }
}

/// Does a rule hold what ends a word, a line or a selector? As text it says something else then.
fn is_ambiguous(rule: &[u8]) -> bool {
    let inner = rule.strip_prefix(b"(").map_or(rule, |rest| rest.strip_suffix(b")").unwrap_or(rest));
    let is_selector = inner.len() < rule.len();
    inner.iter().any(|&byte| match byte {
        b' ' => !is_selector,
        b'(' | b')' | 0 | 0x0b => true,
        _ => byte.is_ascii_whitespace(),
    })
}

/// Runs a script on these bytes, with a bound on time. What it calls is answered by the bytes themselves. Whatever it
/// returns is one reply of the protocol.
fn run_lua(script: &str, data: &[u8]) {
    // Making a state takes longer than most scripts, and scripts are not to change it.
    thread_local! {
        static ENGINE: std::cell::RefCell<Option<Engine>> = const { std::cell::RefCell::new(None) };
    }
    let versions = Versions { redis: "7.4.0", server: "0.1.0", server_name: "russet" };
    let kept = ENGINE.take();
    let new = || Engine::new(Kind::Eval, 16 << 20, versions, Random::default()).expect("room for a Lua state");
    let mut engine = kept.unwrap_or_else(new);
    let slot = engine.compile(script.as_bytes()).expect("a script");
    let (first, second) = data.split_at(data.len().min(usize::from(data.first().copied().unwrap_or(0)) % 32));
    for proto in [Proto::Resp2, Proto::Resp3] {
        let args = vec![data.to_vec(), first.to_vec(), second.to_vec()];
        let mut step = engine.start(Run { slot, id: b"s".to_vec(), keys: Vec::new(), args, proto });
        for ticks in 0.. {
            step = match step {
                Step::End(end) => {
                    if let End::Reply(reply) = end {
                        assert_eq!(after_reply(&reply), Some(&b""[..]), "{:?}", String::from_utf8_lossy(&reply));
                    }
                    break;
                }
                Step::Call(_) => engine.answer(data.to_vec()),
                Step::MayCall(_) => engine.permit(Ok(false)),
                Step::Tick if ticks < 20 => engine.go_on(),
                Step::Tick => engine.kill("ERR killed"),
            };
        }
    }
    engine.forget(slot);
    ENGINE.set(Some(engine));
}

/// What follows the first reply in these bytes; None if there is no whole one.
fn after_reply(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    let mut left: usize = 1;
    while left > 0 {
        left -= 1;
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let (line, after) = (rest.get(1..end)?, &rest[end + 2..]);
        let count = std::str::from_utf8(line).ok().and_then(|text| text.parse::<i64>().ok());
        let kind = rest[0];
        rest = after;
        match (kind, count) {
            (b'$', Some(-1)) => {}
            (b'$' | b'=', Some(len)) => {
                let len = usize::try_from(len).ok()?;
                (rest.get(len..len + 2)? == b"\r\n").then_some(())?;
                rest = &rest[len + 2..];
            }
            (b'*' | b'~' | b'>', Some(count)) => left += usize::try_from(count).ok()?,
            (b'%', Some(count)) => left += usize::try_from(count).ok()? * 2,
            (b':', Some(_)) | (b'+' | b'-' | b',' | b'(' | b'#' | b'_', _) => {}
            _ => return None,
        }
    }
    Some(rest)
}

/// A value of Lua, written as a script: tables that look like replies of all kinds, within each other.
fn lua_value(choices: &mut Choices<'_>, depth: usize, out: &mut String) {
    const SPECIAL: [&str; 12] = [
        "err",
        "ok",
        "double",
        "map",
        "set",
        "big_number",
        "verbatim_string",
        "format",
        "string",
        "attributes",
        "ignore_error_stats_update",
        "other",
    ];
    match choices.byte().unwrap_or(0) % 14 {
        0 => out.push_str("nil"),
        1 => out.push_str("true"),
        2 => out.push_str("false"),
        3 => out.push_str(["1e308*10", "-1e308*10", "0/0", "2^53", "-2^63", "2^64", "1.5", "-0.0"][choices.below(8)]),
        4 => out.push_str(&(choices.below(1 << 16) as i64 - 300).to_string()),
        5 => out
            .push_str(["print", "function() end", "coroutine.create(function() end)", "redis", "_G"][choices.below(5)]),
        6 | 7 => {
            let text = choices.text();
            let text = &text[..text.len().min(64)];
            out.push('"');
            text.iter().for_each(|byte| out.push_str(&format!("\\{byte:03}")));
            out.push('"');
        }
        8 => out.push_str("shared"),
        _ if depth == 0 => out.push_str("{}"),
        kind => {
            out.push('{');
            for _ in 0..choices.below(5) {
                if kind != 9 {
                    out.push_str(&format!("[\"{}\"]=", SPECIAL[choices.below(SPECIAL.len())]));
                }
                lua_value(choices, depth - 1, out);
                out.push(',');
            }
            out.push('}');
        }
    }
}

/// A value that a script returns.
pub fn lua_result(data: &[u8]) {
    let mut choices = Choices { data };
    let mut value = String::new();
    lua_value(&mut choices, 8, &mut value);
    let of_itself =
        ["", "shared[1]=shared", "shared.map={[shared]=shared}", "shared.set={[shared]=1}"][choices.below(4)];
    let proto = 2 + choices.below(2);
    let script = format!("redis.setresp({proto}) local print,_G=1,2 local shared={{1,2}} {of_itself} return {value}");
    run_lua(&script, data);
}

/// Bytes as a reply to a command, and what becomes of it as the reply to the script.
pub fn lua_reply(data: &[u8]) {
    run_lua("redis.setresp(3) return {redis.pcall('PING'), redis.pcall('PING')}", data);
}

/// Bytes as MessagePack, and what was read written and read again.
pub fn lua_cmsgpack(data: &[u8]) {
    run_lua("local v=cmsgpack.unpack(ARGV[1]) return {v, cmsgpack.unpack(cmsgpack.pack(v))}", data);
}

/// Bytes as a format of `struct` and the data for it.
pub fn lua_struct(data: &[u8]) {
    run_lua(
        "pcall(struct.size,ARGV[2]) pcall(struct.pack,ARGV[2],1,ARGV[3],2) return {struct.unpack(ARGV[2],ARGV[3])}",
        data,
    );
}

/// Bytes as JSON, and what was read written and read again.
pub fn lua_cjson(data: &[u8]) {
    run_lua("local v=cjson.decode(ARGV[1]) return {v, cjson.decode(cjson.encode(v))}", data);
}

/// Bytes as a pattern and a text.
pub fn lua_pattern(data: &[u8]) {
    run_lua("return {pcall(string.find,ARGV[3],ARGV[2]), pcall(string.gsub,ARGV[3],ARGV[2],'%1'), ('x'):rep(3)}", data);
}
