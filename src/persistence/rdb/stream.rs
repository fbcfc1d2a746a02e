//! Streams from RDB bytes. The bytes may be anyone's: nodes are checked in depth, and every pending entry has one owner.

use std::collections::BTreeMap;

use crate::storage::stream::{Additions, ConsumerGroup, Node, Stream, StreamId};
use crate::types::stream::entries_before;

use super::reader::Reader;
use super::{BadFormat, code};

/// Reads a stream of this type byte. `defaults` are for how long and how many additions are remembered, if it does not say.
///
/// # Errors
/// Where and why the bytes are no stream.
pub fn read(reader: &mut Reader<'_>, kind: u8, defaults: (u32, u32), blob: &mut Vec<u8>) -> Result<Stream, BadFormat> {
    let mut stream = Stream::new(defaults.0, defaults.1);
    for _ in 0..reader.count(2)? {
        blob.clear();
        reader.string_to(blob)?;
        let key = <[u8; 16]>::try_from(&blob[..]);
        let id = StreamId::from_bytes(key.map_err(|_| reader.bad("a stream node without an ID"))?);
        blob.clear();
        reader.string_to(blob)?;
        let (node, count) =
            Node::from_listpack(id, blob).map_err(|_| reader.bad("Stream listpack integrity check failed"))?;
        if !stream.push_node(id, node, count) {
            return Err(reader.bad("a stream node out of order"));
        }
    }
    if reader.number()? != stream.len() {
        return Err(reader.bad("a stream whose length differs from its entries"));
    }
    stream.last_id = stream_id(reader)?;
    let last = stream.range_back(StreamId::MIN, StreamId::MAX).next();
    if last.is_some_and(|last| last.id > stream.last_id) {
        return Err(reader.bad("a stream whose last ID is less than that of an entry"));
    }
    if kind == code::STREAM {
        stream.entries_added = stream.len();
    } else {
        // The first ID follows from the entries.
        stream_id(reader)?;
        stream.max_deleted_id = stream_id(reader)?;
        stream.entries_added = reader.number()?;
    }
    for _ in 0..reader.count(4)? {
        blob.clear();
        reader.string_to(blob)?;
        let group = group(reader, kind, &stream)?;
        if !stream.add_group(blob, group) {
            return Err(reader.bad("a stream with a group twice"));
        }
    }
    if matches!(kind, code::STREAM_4 | code::STREAM_5) {
        additions(reader, &mut stream)?;
    }
    Ok(stream)
}

fn stream_id(reader: &mut Reader<'_>) -> Result<StreamId, BadFormat> {
    Ok(StreamId::new(reader.number()?, reader.number()?))
}

fn group(reader: &mut Reader<'_>, kind: u8, stream: &Stream) -> Result<ConsumerGroup, BadFormat> {
    let last = stream_id(reader)?;
    let entries_read = if kind == code::STREAM {
        entries_before(stream, last)
    } else {
        // Valkey lets a group be told that it read more than was ever added; no lag can be told then.
        i64::try_from(reader.number()?).ok().map(|count| count.unsigned_abs().min(stream.entries_added))
    };
    let mut group = ConsumerGroup::new(last, entries_read);
    // Pending entries come first without their owners.
    let mut pending: BTreeMap<StreamId, (i64, u64)> = BTreeMap::new();
    for _ in 0..reader.count(25)? {
        let id = StreamId::from_bytes(reader.array()?);
        let time = i64::from_le_bytes(reader.array()?).max(0);
        if pending.insert(id, (time, reader.number()?)).is_some() {
            return Err(reader.bad("a group with a pending entry twice"));
        }
    }
    let mut name = Vec::new();
    for _ in 0..reader.count(10)? {
        name.clear();
        reader.string_to(&mut name)?;
        let seen = i64::from_le_bytes(reader.array()?);
        let active = match kind {
            code::STREAM | code::STREAM_2 => seen,
            _ => i64::from_le_bytes(reader.array()?),
        };
        if !group.add_consumer(&name, seen) {
            return Err(reader.bad("Duplicate stream consumer detected"));
        }
        let Some(owner) = group.name_of(&name) else { return Err(reader.bad("a group without its consumer")) };
        if let Some(consumer) = group.consumer_mut(&name) {
            consumer.active_time = (active >= 0).then_some(active);
        }
        for _ in 0..reader.count(16)? {
            let id = StreamId::from_bytes(reader.array()?);
            let Some((time, deliveries)) = pending.remove(&id) else {
                return Err(reader.bad("a consumer with a pending entry that its group does not have"));
            };
            group.assign(id, owner.clone(), time, deliveries);
        }
    }
    if kind == code::STREAM_5 {
        for _ in 0..reader.count(16)? {
            let id = StreamId::from_bytes(reader.array()?);
            let Some((_, deliveries)) = pending.remove(&id) else {
                return Err(reader.bad("an entry given back that is not pending"));
            };
            group.give_back(id, deliveries);
        }
    }
    if pending.is_empty() { Ok(group) } else { Err(reader.bad("a pending entry without a consumer")) }
}

fn additions(reader: &mut Reader<'_>, stream: &mut Stream) -> Result<(), BadFormat> {
    let (duration, maxsize) = (reader.number()?, reader.number()?);
    if !(1..=86_400).contains(&duration) || !(1..=10_000).contains(&maxsize) {
        return Err(reader.bad("a stream that remembers additions for no time or too long"));
    }
    (stream.idmp_duration, stream.idmp_maxsize) = (duration as u32, maxsize as u32);
    let mut additions = Additions::default();
    let (mut producer, mut id) = (Vec::new(), Vec::new());
    for _ in 0..reader.count(2)? {
        producer.clear();
        reader.string_to(&mut producer)?;
        for _ in 0..reader.count(3)? {
            id.clear();
            reader.string_to(&mut id)?;
            let entry = stream_id(reader)?;
            if producer.is_empty() || id.is_empty() || additions.find(&producer, &id, 0).is_some() {
                return Err(reader.bad("an addition without a name, or twice"));
            }
            additions.remember(&producer, &id, entry, 0, maxsize as usize);
        }
    }
    (additions.added, additions.duplicates) = (reader.number()?, reader.number()?);
    if additions.added > 0 || additions.producers(0).next().is_some() {
        stream.additions = Some(Box::new(additions));
    }
    Ok(())
}
