//! A whole RDB file out of the pieces of a cut: header, AUX fields, databases, keys, end and checksum.
//!
//! ```text
//! "REDIS" or "VALKEY", version in digits (nine bytes in all)
//! FA name value ...                 AUX fields
//! F5 code ...                       libraries of functions
//! FE db  FB keys expires            a database, and how large its tables will be
//! [FC expiry ms] [F8 idle s | F9 frequency] type key value
//! FF crc64
//! ```
//! Databases may alternate: a cut takes what is about to change first, wherever it is.

use std::io;

use crate::base::time::UnixMillis;
use crate::base::{crc, lzf};
use crate::keyspace::{CutPiece, CutSize, DbIndex, KeyspacePolicy, lru};
use crate::persistence::snapshot::PieceSink;
use crate::storage::EntryCopy;

use super::encode::{self, Compression, Form, Out};
use super::{
    VERSION_FIELD_TTL, VERSION_OLDEST, VERSION_SET_LISTPACK, VERSION_STREAM_5, VERSION_VALKEY, functions, opcode,
};

/// Bytes that gather before they are handed on: some hundred microseconds of work at most, since the sink breathes then.
const SPILL_BYTES: usize = 16 * 1024;

/// Where the bytes of the file go.
pub trait ByteSink: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// As the disk's or the link's; the file is spoiled then.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// The file is whole: makes it count.
    ///
    /// # Errors
    /// As for `write`.
    fn commit(&mut self) -> io::Result<()>;

    /// The file is not wanted, or spoiled: leaves no trace of it.
    fn abandon(&mut self);
}

/// What is written beside a key of its access.
#[derive(Clone, Copy, Debug)]
pub enum AccessNote {
    /// Nothing: nobody evicts by it.
    None,
    /// Seconds since the last access.
    Idle,
    /// The frequency counter.
    Frequency,
}

/// How a file is written.
pub struct RdbOptions {
    /// Whose types are used.
    pub form: Form,
    /// Are strings compressed?
    pub compression: Compression,
    /// Does the file end in a checksum of its content? (rdbchecksum)
    pub checksum: bool,
    /// AUX fields, in order.
    pub aux: Vec<(&'static str, Vec<u8>)>,
    /// The code of the libraries of functions.
    pub functions: Vec<Vec<u8>>,
    /// What the cut is of.
    pub size: CutSize,
    /// What is told of the access of keys.
    pub access: AccessNote,
    /// How access is counted, for `access`.
    pub policy: KeyspacePolicy,
    /// When the cut began.
    pub now: UnixMillis,
}

impl RdbOptions {
    /// The first nine bytes: the oldest version that holds the data.
    pub fn signature(&self) -> String {
        match (self.form, self.size.has_field_expiry) {
            (Form::Redis70, _) => format!("REDIS{VERSION_OLDEST:04}"),
            (Form::Redis, _) if self.size.has_stream_extras => format!("REDIS{VERSION_STREAM_5:04}"),
            (_, false) => format!("REDIS{VERSION_SET_LISTPACK:04}"),
            (Form::Redis, true) => format!("REDIS{VERSION_FIELD_TTL:04}"),
            (Form::Valkey, true) => format!("VALKEY{VERSION_VALKEY:03}"),
        }
    }
}

/// Writes one file.
pub struct RdbWriter {
    options: RdbOptions,
    sink: Box<dyn ByteSink>,
    buffer: Vec<u8>,
    lzf: lzf::Compressor,
    crc: u64,
    written: u64,
    /// The first error; nothing is written after it.
    failed: Option<io::Error>,
    db: Option<DbIndex>,
    begun: bool,
}

impl Out for RdbWriter {
    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    fn spill(&mut self) {
        if self.buffer.len() >= SPILL_BYTES {
            self.flush();
        }
    }

    fn compressed(&mut self, bytes: &[u8]) -> bool {
        encode::compress_to(&mut self.buffer, &mut self.lzf, bytes)
    }
}

impl RdbWriter {
    /// A writer of a file that goes to `sink`.
    pub fn new(options: RdbOptions, sink: Box<dyn ByteSink>) -> RdbWriter {
        let buffer = Vec::with_capacity(SPILL_BYTES + SPILL_BYTES / 8);
        RdbWriter {
            options,
            sink,
            buffer,
            lzf: lzf::Compressor::default(),
            crc: 0,
            written: 0,
            failed: None,
            db: None,
            begun: false,
        }
    }

    fn flush(&mut self) {
        if self.options.checksum {
            self.crc = crc::crc64(self.crc, &self.buffer);
        }
        if self.failed.is_none() {
            self.written += self.buffer.len() as u64;
            self.failed = self.sink.write(&self.buffer).err();
        }
        self.buffer.clear();
    }

    fn outcome(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn begin(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let signature = self.options.signature();
        self.buffer.extend_from_slice(signature.as_bytes());
        for (name, value) in std::mem::take(&mut self.options.aux) {
            self.buffer.push(opcode::AUX);
            encode::string(self, name.as_bytes(), Compression::None);
            encode::string(self, &value, Compression::None);
        }
        for code in std::mem::take(&mut self.options.functions) {
            functions::write(self, &code);
        }
        // The file is there from now on, however long the first keys take.
        self.flush();
    }

    fn select(&mut self, db: DbIndex) {
        self.buffer.push(opcode::SELECT_DB);
        encode::length(self, u64::from(db.0));
        if let Some(place) = self.options.size.dbs.iter().position(|(index, ..)| *index == db) {
            let (_, keys, expires) = self.options.size.dbs.remove(place);
            self.buffer.push(opcode::RESIZE_DB);
            encode::length(self, keys as u64);
            encode::length(self, expires as u64);
        }
        self.db = Some(db);
    }

    fn entry(&mut self, copy: &mut EntryCopy<'_>) {
        let entry = copy.entry();
        if let Some(at) = entry.expire_at() {
            self.buffer.push(opcode::EXPIRE_MS);
            self.buffer.extend_from_slice(&at.to_le_bytes());
        }
        match self.options.access {
            AccessNote::None => {}
            AccessNote::Idle => {
                self.buffer.push(opcode::IDLE);
                encode::length(self, lru::idle_ms(entry.lru(), self.options.now) / 1000);
            }
            AccessNote::Frequency => {
                let counter = lru::lfu_counter(entry.lru(), &self.options.policy, self.options.now);
                self.buffer.extend_from_slice(&[opcode::FREQUENCY, counter]);
            }
        }
        let kind = encode::kind_of(entry, self.options.form);
        self.buffer.push(kind);
        let compression = self.options.compression;
        encode::string(self, entry.key(), compression);
        encode::value_of_copy(self, copy, kind, compression);
        self.spill();
    }
}

impl PieceSink for RdbWriter {
    fn piece(&mut self, piece: &mut CutPiece, after_key: &mut dyn FnMut()) -> io::Result<()> {
        self.begin();
        for (db, mut copy) in piece.iter_mut() {
            if self.db != Some(db) {
                self.select(db);
            }
            self.entry(&mut copy);
            after_key();
        }
        self.outcome()
    }

    fn finish(&mut self) -> io::Result<u64> {
        self.begin();
        self.buffer.push(opcode::EOF);
        self.flush();
        let checksum = if self.options.checksum { self.crc } else { 0 };
        self.buffer.extend_from_slice(&checksum.to_le_bytes());
        self.flush();
        self.outcome()?;
        self.sink.commit()?;
        Ok(self.written)
    }

    fn abandon(&mut self) {
        self.sink.abandon();
    }
}
