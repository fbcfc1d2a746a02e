//! A base made of commands: the keys of a cut as the fewest commands that make them anew (aof-use-rdb-preamble no).

use std::io;

use crate::keyspace::{CutPiece, DbIndex};
use crate::persistence::rdb::writer::ByteSink;
use crate::persistence::snapshot::PieceSink;
use crate::storage::listpack::Element;
use crate::storage::quicklist::Entry;
use crate::storage::stream::{ConsumerGroup, Stream, StreamId};
use crate::storage::{EntryRef, Object, Type, Value};
use crate::types::hash::HashRef;
use crate::types::list::ListRef;
use crate::types::set::SetRef;
use crate::types::stream;
use crate::types::zset::ZsetRef;

/// Elements of one command.
const ITEMS_MAX: usize = 64;
/// Bytes that gather before they are handed on.
const SPILL_BYTES: usize = 256 * 1024;

/// Writes one base.
pub struct CommandSink {
    sink: Box<dyn ByteSink>,
    buffer: Vec<u8>,
    written: u64,
    db: Option<DbIndex>,
    /// Seconds since the epoch, if the time is to be noted at the head.
    timestamp: Option<i64>,
    /// The code of the libraries of functions, until it is written.
    functions: Vec<Vec<u8>>,
}

impl CommandSink {
    /// A base that goes to `sink`, with these libraries of functions, each by its code.
    pub fn new(sink: Box<dyn ByteSink>, timestamp: Option<i64>, functions: Vec<Vec<u8>>) -> CommandSink {
        CommandSink { sink, buffer: Vec::new(), written: 0, db: None, timestamp, functions }
    }

    fn head(&mut self, args: usize) {
        self.buffer.push(b'*');
        self.buffer.extend_from_slice(itoa::Buffer::new().format(args).as_bytes());
        self.buffer.extend_from_slice(b"\r\n");
    }

    fn arg(&mut self, arg: &[u8]) {
        self.buffer.push(b'$');
        self.buffer.extend_from_slice(itoa::Buffer::new().format(arg.len()).as_bytes());
        self.buffer.extend_from_slice(b"\r\n");
        self.buffer.extend_from_slice(arg);
        self.buffer.extend_from_slice(b"\r\n");
    }

    fn number(&mut self, number: i64) {
        self.arg(itoa::Buffer::new().format(number).as_bytes());
    }

    fn element(&mut self, element: Element<'_>) {
        self.arg(element.as_bytes(&mut itoa::Buffer::new()));
    }

    /// A command for each group of items. `width` is how many arguments an item is.
    fn groups<T>(
        &mut self,
        name: &[u8],
        key: &[u8],
        count: usize,
        width: usize,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut CommandSink, T),
    ) -> io::Result<()> {
        for (index, item) in items.enumerate() {
            if index.is_multiple_of(ITEMS_MAX) {
                let these = ITEMS_MAX.min(count.saturating_sub(index));
                self.head(2 + these * width);
                self.arg(name);
                self.arg(key);
            }
            write(self, item);
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.buffer.len() >= SPILL_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.written += self.buffer.len() as u64;
        let result = self.sink.write(&self.buffer);
        self.buffer.clear();
        result
    }

    fn begin(&mut self) {
        if let Some(timestamp) = self.timestamp.take() {
            self.buffer.extend_from_slice(format!("#TS:{timestamp}\r\n").as_bytes());
        }
        for code in std::mem::take(&mut self.functions) {
            self.head(3);
            self.arg(b"FUNCTION");
            self.arg(b"LOAD");
            self.arg(&code);
        }
    }

    fn entry(&mut self, entry: EntryRef<'_>) -> io::Result<()> {
        let key = entry.key();
        match entry.type_() {
            Type::Stream => self.stream(key, entry)?,
            Type::String => {
                self.head(3);
                self.arg(b"SET");
                self.arg(key);
                match entry.value() {
                    Value::Int(number) => self.number(number),
                    Value::Bytes(bytes) => self.arg(bytes),
                    Value::Object(Object::Blob(blob)) => self.arg(blob),
                    Value::Object(_) => self.arg(b""),
                }
            }
            Type::List => {
                if let Some(list) = ListRef::of(entry) {
                    self.groups(b"RPUSH", key, list.len(), 1, list.iter(), |sink, item| match item {
                        Entry::Packed(element) => sink.element(element),
                        Entry::Plain(bytes) => sink.arg(bytes),
                    })?;
                }
            }
            Type::Set => {
                if let Some(set) = SetRef::of(entry) {
                    self.groups(b"SADD", key, set.len(), 1, set.iter(), CommandSink::element)?;
                }
            }
            Type::Zset => {
                if let Some(zset) = ZsetRef::of(entry) {
                    self.groups(b"ZADD", key, zset.len(), 2, zset.iter(), |sink, (member, score)| {
                        sink.arg(crate::base::number::format_f64(score).as_bytes());
                        sink.element(member);
                    })?;
                }
            }
            Type::Hash => {
                if let Some(hash) = HashRef::of(entry) {
                    self.groups(b"HMSET", key, hash.len(), 2, hash.iter(), |sink, field| {
                        sink.element(field.name);
                        sink.element(field.value);
                    })?;
                    for field in hash.iter() {
                        let Some(at) = field.expire_at else { continue };
                        self.head(6);
                        self.arg(b"HPEXPIREAT");
                        self.arg(key);
                        self.number(at);
                        self.arg(b"FIELDS");
                        self.arg(b"1");
                        self.element(field.name);
                        self.spill()?;
                    }
                }
            }
        }
        if let Some(at) = entry.expire_at() {
            self.head(3);
            self.arg(b"PEXPIREAT");
            self.arg(key);
            self.number(at);
        }
        self.spill()
    }
}

/// Streams: entries, then all that the entries do not tell, then groups with what they have pending.
impl CommandSink {
    fn command(&mut self, argv: &[&[u8]]) {
        self.head(argv.len());
        argv.iter().for_each(|arg| self.arg(arg));
    }

    fn stream(&mut self, key: &[u8], entry: EntryRef<'_>) -> io::Result<()> {
        let Some(stream) = stream::read(entry) else { return Ok(()) };
        for entry in stream.range(StreamId::MIN, StreamId::MAX) {
            self.head(3 + 2 * entry.field_count);
            self.arg(b"XADD");
            self.arg(key);
            self.arg(entry.id.to_string().as_bytes());
            for (name, value) in entry.fields() {
                self.element(name);
                self.element(value);
            }
            self.spill()?;
        }
        if stream.is_empty() {
            self.command(&[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]);
        }
        let (last, deleted) = (stream.last_id.to_string(), stream.max_deleted_id.to_string());
        let added = stream.entries_added.to_string();
        let (last, added, deleted) = (last.as_bytes(), added.as_bytes(), deleted.as_bytes());
        self.command(&[b"XSETID", key, last, b"ENTRIESADDED", added, b"MAXDELETEDID", deleted]);
        for (name, group) in stream.groups() {
            self.group(key, name.bytes(), group)?;
        }
        self.additions(key, stream)
    }

    fn group(&mut self, key: &[u8], name: &[u8], group: &ConsumerGroup) -> io::Result<()> {
        let last = group.last_id.to_string();
        let read = group.entries_read.map_or_else(|| "-1".to_owned(), |read| read.to_string());
        self.command(&[b"XGROUP", b"CREATE", key, name, last.as_bytes(), b"ENTRIESREAD", read.as_bytes()]);
        for (consumer, state) in group.consumers() {
            if state.pending().is_empty() {
                self.command(&[b"XGROUP", b"CREATECONSUMER", key, name, consumer.bytes()]);
            }
            for (id, ()) in state.pending().iter() {
                let Some(pending) = group.pending().get(id) else { continue };
                let (id, time) = (id.to_string(), pending.delivered_at().to_string());
                let deliveries = pending.deliveries.to_string();
                let (id, time, deliveries) = (id.as_bytes(), time.as_bytes(), deliveries.as_bytes());
                let head = [b"XCLAIM", key, name, consumer.bytes(), b"0", id, b"TIME", time];
                self.command(&[&head[..], &[b"RETRYCOUNT", deliveries, b"JUSTID", b"FORCE"]].concat());
                self.spill()?;
            }
        }
        for id in group.given_back() {
            let Some(pending) = group.pending().get(&id) else { continue };
            let (id, deliveries) = (id.to_string(), pending.deliveries.to_string());
            let head = [b"XNACK", key, name, b"FAIL", b"IDS", b"1", id.as_bytes()];
            self.command(&[&head[..], &[b"RETRYCOUNT", deliveries.as_bytes(), b"FORCE"]].concat());
            self.spill()?;
        }
        Ok(())
    }

    /// What the stream remembers of additions. Only those of entries that are there can be told of.
    fn additions(&mut self, key: &[u8], stream: &Stream) -> io::Result<()> {
        if (stream.idmp_duration, stream.idmp_maxsize) != stream::IDMP_DEFAULTS {
            let (duration, maxsize) = (stream.idmp_duration.to_string(), stream.idmp_maxsize.to_string());
            let (duration, maxsize) = (duration.as_bytes(), maxsize.as_bytes());
            self.command(&[b"XCFGSET", key, b"IDMP-DURATION", duration, b"IDMP-MAXSIZE", maxsize]);
        }
        for (producer, remembered) in stream.additions.iter().flat_map(|additions| additions.producers(0)) {
            for (id, entry) in remembered.filter(|(_, entry)| stream.get(*entry).is_some()) {
                let entry = entry.to_string();
                self.command(&[b"XIDMPRECORD", key, producer.bytes(), id.bytes(), entry.as_bytes()]);
                self.spill()?;
            }
        }
        Ok(())
    }
}

impl PieceSink for CommandSink {
    fn piece(&mut self, piece: &mut CutPiece, after_key: &mut dyn FnMut()) -> io::Result<()> {
        self.begin();
        for (db, entry) in piece.iter() {
            if self.db != Some(db) {
                self.db = Some(db);
                self.head(2);
                self.arg(b"SELECT");
                self.number(i64::from(db.0));
            }
            self.entry(entry)?;
            after_key();
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<u64> {
        self.begin();
        self.flush()?;
        self.sink.commit()?;
        Ok(self.written)
    }

    fn abandon(&mut self) {
        self.sink.abandon();
    }
}
