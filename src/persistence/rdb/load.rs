//! A whole RDB file into keys, one at a time, of every version that Redis 2.8 to 8 and Valkey 7.2 to 9 write.

use std::io;

use crate::base::disk::reason;
use crate::base::hash::HashSeed;
use crate::base::log;
use crate::base::time::UnixMillis;
use crate::keyspace::load::LoadedKey;
use crate::keyspace::{DbIndex, KeyspacePolicy, lru};

use super::build::{BuildLimits, Head};
use super::check::kind_name;
use super::decode::Decoder;
use super::reader::Reader;
use super::{BadFormat, VERSION_MAX, VERSION_VALKEY, code, opcode};

/// The first version that ends in a checksum.
const VERSION_CHECKSUM: u32 = 5;

/// Why a file was not loaded to its end.
#[derive(Debug)]
pub enum LoadError {
    /// It cannot be read.
    Io(io::Error),
    /// It is no RDB file.
    Signature,
    /// It is of a version that is not known.
    Version(u32),
    /// Its content is not what its checksum says.
    Checksum { expected: u64, got: u64 },
    /// It needs more databases than there are.
    Databases(usize),
    /// It holds a key twice.
    Duplicate { db: DbIndex, key: Vec<u8> },
    /// It holds something of a type that no server has.
    Kind(u8),
    /// Something in it cannot be understood.
    Format(BadFormat),
    /// A library of functions cannot be taken in, for this reason.
    Function(String),
    /// It is an append-only file that cannot be loaded, for this reason.
    Aof(String),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LoadError::Io(error) => f.write_str(&reason(error)),
            LoadError::Signature => f.write_str("Wrong signature trying to load DB from file"),
            LoadError::Version(version) => write!(f, "Can't handle RDB format version {version}"),
            LoadError::Checksum { expected, got } => {
                write!(f, "Wrong RDB checksum expected: ({expected:x}) but got ({got:x}). RDB CRC error. Aborting now.")
            }
            LoadError::Databases(count) => write!(
                f,
                "FATAL: Data file was created with a Redis server configured to handle more than {count} databases. Exiting"
            ),
            LoadError::Duplicate { db, key } => {
                let key = key.escape_ascii();
                write!(f, "Internal error in RDB reading: RDB has duplicated key '{key}' in DB {}", db.0)
            }
            LoadError::Aof(why) | LoadError::Function(why) => f.write_str(why),
            LoadError::Kind(kind) => write!(f, "Unknown RDB object type {kind}"),
            LoadError::Format(bad) => write!(f, "Internal error in RDB reading: integrity check failed: {bad}"),
        }
    }
}

impl From<BadFormat> for LoadError {
    fn from(bad: BadFormat) -> LoadError {
        LoadError::Format(bad)
    }
}

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Where small encodings end.
    pub limits: BuildLimits,
    /// The keyspace's.
    pub seed: HashSeed,
    /// How many databases there are.
    pub databases: usize,
    /// Keys that expired before this time are left out: a master does so, a replica waits for its master. Fields of hashes
    /// always come in; they are due then.
    pub drop_before: Option<i64>,
    /// Is the checksum looked at? (rdbchecksum)
    pub checksum: bool,
    /// Are unknown versions tried? (rdb-version-check)
    pub any_version: bool,
    /// How access is counted.
    pub policy: KeyspacePolicy,
    /// The time of loading.
    pub now: UnixMillis,
}

/// What was found in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Keys that were made.
    pub keys_loaded: u64,
    /// Keys left out because their time had come.
    pub keys_expired: u64,
    /// Collections without elements, left out.
    pub empty_keys_skipped: u64,
    /// Did it tell when keys were accessed last?
    pub notes_idle: bool,
    /// Did it tell how often keys are accessed?
    pub notes_frequency: bool,
    /// Does it end in a checksum? None before that was looked at, and for versions that have none.
    pub has_checksum: Option<bool>,
    /// AUX fields as they came.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// The version in the header.
    pub version: u32,
    /// Bytes read.
    pub bytes: u64,
}

/// What a file holds, in order.
pub enum Item {
    /// A database is to have about so many keys.
    Room(DbIndex, usize),
    /// A key.
    Key(LoadedKey),
    /// The code of a library of functions.
    Function(Vec<u8>),
    /// An AUX field, if all is to be told.
    Aux(Vec<u8>, Vec<u8>),
    /// The database of the keys that follow, if all is to be told.
    Selected(DbIndex),
}

/// What is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Start,
    ReadType,
    ReadExpire,
    ReadLength,
    ReadAux,
    ReadModuleAux,
    ReadFunctions,
    ReadKey,
    ReadValue,
    CheckSum,
}

impl Doing {
    /// As redis-check-rdb says.
    pub fn name(self) -> &'static str {
        match self {
            Doing::Start => "start",
            Doing::ReadType => "read-type",
            Doing::ReadExpire => "read-expire",
            Doing::ReadLength => "read-len",
            Doing::ReadAux => "read-aux",
            Doing::ReadModuleAux => "read-module-aux",
            Doing::ReadFunctions => "read-functions",
            Doing::ReadKey => "read-key",
            Doing::ReadValue => "read-object-value",
            Doing::CheckSum => "check-sum",
        }
    }
}

/// What stands before a key.
#[derive(Clone, Copy, Default)]
struct Notes {
    expire: Option<i64>,
    lru: Option<u32>,
}

/// Reads one file.
pub struct RdbLoader<'a> {
    reader: Reader<'a>,
    options: LoadOptions,
    decoder: Decoder,
    db: DbIndex,
    notes: Notes,
    /// Keys for which room was asked so far.
    promised: u64,
    key: Vec<u8>,
    begun: bool,
    report: LoadReport,
    tells_all: bool,
    doing: Doing,
    /// The type of the value in hand; before the first one that of a string.
    kind: Option<u8>,
}

impl<'a> RdbLoader<'a> {
    /// A loader of what `reader` reads.
    pub fn new(reader: Reader<'a>, options: LoadOptions) -> RdbLoader<'a> {
        RdbLoader {
            reader,
            options,
            decoder: Decoder::new(options.limits),
            db: DbIndex(0),
            notes: Notes::default(),
            promised: 0,
            key: Vec::new(),
            begun: false,
            report: LoadReport::default(),
            tells_all: false,
            doing: Doing::Start,
            kind: Some(code::STRING),
        }
    }

    /// What was found so far.
    pub fn report(&self) -> LoadReport {
        LoadReport { bytes: self.reader.offset(), ..self.report.clone() }
    }

    /// The seed of the tables that keys are made for.
    pub fn seed(&self) -> HashSeed {
        self.options.seed
    }

    /// How far the file is read.
    pub fn offset(&self) -> u64 {
        self.reader.offset()
    }

    /// Makes AUX fields and changes of the database items, too.
    pub fn tell_all(&mut self) {
        self.tells_all = true;
    }

    /// What is being read, or was when it failed.
    pub fn doing(&self) -> Doing {
        self.doing
    }

    /// The key whose value was being read when it failed.
    pub fn key_in_hand(&self) -> Option<&[u8]> {
        (self.doing == Doing::ReadValue).then_some(&self.key)
    }

    /// The type of that value.
    pub fn kind_in_hand(&self) -> Option<u8> {
        self.kind
    }

    /// The reader, after the end: what follows an RDB preamble is read from it.
    pub fn into_reader(self) -> Reader<'a> {
        self.reader
    }

    /// The next item; None at the end.
    ///
    /// # Errors
    /// Why the rest cannot be loaded.
    pub fn next_item(&mut self) -> Result<Option<Item>, LoadError> {
        let result = if self.begun { Ok(()) } else { self.header() };
        let result = result.and_then(|()| self.scan());
        match (result, self.reader.take_failure()) {
            (Err(_), Some(failure)) => Err(LoadError::Io(failure)),
            (result, _) => result,
        }
    }

    fn header(&mut self) -> Result<(), LoadError> {
        self.begun = true;
        let mut signature = [0; 9];
        let Ok(bytes) = self.reader.take(9) else { return Err(LoadError::Signature) };
        signature.copy_from_slice(bytes);
        let (digits, known) = match (signature.strip_prefix(b"REDIS"), signature.strip_prefix(b"VALKEY")) {
            (Some(digits), _) => (digits, 1..=u32::from(VERSION_MAX)),
            (_, Some(digits)) => (digits, u32::from(VERSION_VALKEY)..=u32::from(VERSION_VALKEY)),
            _ => return Err(LoadError::Signature),
        };
        let version = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        if !known.contains(&version) && !self.options.any_version {
            return Err(LoadError::Version(version));
        }
        self.report.version = version;
        Ok(())
    }

    fn scan(&mut self) -> Result<Option<Item>, LoadError> {
        loop {
            self.doing = Doing::ReadType;
            let [kind] = self.reader.array()?;
            match kind {
                opcode::EXPIRE_MS => {
                    self.doing = Doing::ReadExpire;
                    self.notes.expire = Some(i64::from_le_bytes(self.reader.array()?));
                }
                opcode::EXPIRE_S => {
                    self.doing = Doing::ReadExpire;
                    let seconds = i32::from_le_bytes(self.reader.array()?);
                    self.notes.expire = Some(i64::from(seconds) * 1000);
                }
                opcode::IDLE => {
                    let seconds = self.reader.number()?;
                    self.notes.lru = Some(lru::lru_of_idle(seconds, self.options.now));
                    self.report.notes_idle = true;
                }
                opcode::FREQUENCY => {
                    let [counter] = self.reader.array()?;
                    self.notes.lru = Some(lru::lfu_of_counter(counter, self.options.now));
                    self.report.notes_frequency = true;
                }
                opcode::SELECT_DB => {
                    self.doing = Doing::ReadLength;
                    let number = self.reader.number()?;
                    if number >= self.options.databases as u64 {
                        return Err(LoadError::Databases(self.options.databases));
                    }
                    self.db = DbIndex(number as u16);
                    if self.tells_all {
                        return Ok(Some(Item::Selected(self.db)));
                    }
                }
                opcode::RESIZE_DB => {
                    self.doing = Doing::ReadLength;
                    // Each key takes four bytes of the file at least, whatever these numbers say one by one or in all.
                    let possible = self.reader.offset().saturating_add(self.reader.left()) / 4;
                    let keys = self.reader.number()?.min(possible - self.promised);
                    self.promised += keys;
                    self.reader.number()?;
                    return Ok(Some(Item::Room(self.db, keys as usize)));
                }
                opcode::SLOT_INFO => {
                    for _ in 0..3 {
                        self.reader.number()?;
                    }
                }
                opcode::AUX => {
                    self.doing = Doing::ReadAux;
                    let (name, value) = (self.reader.string()?, self.reader.string()?);
                    if self.tells_all {
                        return Ok(Some(Item::Aux(name, value)));
                    }
                    self.note_aux(name, value);
                }
                opcode::MODULE_AUX => {
                    self.doing = Doing::ReadModuleAux;
                    self.skip_module_aux()?;
                }
                opcode::FUNCTION => {
                    self.doing = Doing::ReadFunctions;
                    let code = self.reader.string()?;
                    return Ok(Some(Item::Function(code)));
                }
                opcode::FUNCTION_OLD => {
                    self.doing = Doing::ReadFunctions;
                    return Err(self.reader.bad("a function in the form of a release candidate of Redis 7.0").into());
                }
                opcode::EOF => {
                    self.doing = Doing::CheckSum;
                    self.check_sum()?;
                    return Ok(None);
                }
                8 | 33..opcode::SLOT_INFO => return Err(LoadError::Kind(kind)),
                _ => {
                    if let Some(key) = self.key(kind)? {
                        return Ok(Some(Item::Key(key)));
                    }
                }
            }
        }
    }

    fn note_aux(&mut self, name: Vec<u8>, value: Vec<u8>) {
        let text = String::from_utf8_lossy(&value);
        match name.as_slice() {
            b"redis-ver" | b"valkey-ver" => log::notice(&format!("Loading RDB produced by version {text}")),
            b"ctime" => {
                let now = self.options.now.seconds();
                let age = now.saturating_sub(text.parse().unwrap_or(now));
                log::notice(&format!("RDB age {} seconds", age.max(0)));
            }
            b"used-mem" => {
                let bytes: f64 = text.parse().unwrap_or(0.0);
                log::notice(&format!("RDB memory usage when created {:.2} Mb", bytes / 1024.0 / 1024.0));
            }
            _ => {}
        }
        self.report.aux.push((name, value));
    }

    /// The data of a module that is not here: a row of tagged values up to a zero.
    fn skip_module_aux(&mut self) -> Result<(), LoadError> {
        let id = self.reader.number()?;
        log::notice(&format!("Skipping AUX data of a module (id {id:x}) that this server does not have"));
        // When it was written: an opcode and a number.
        self.reader.number()?;
        self.reader.number()?;
        loop {
            match self.reader.number()? {
                0 => return Ok(()),
                1 | 2 => drop(self.reader.number()?),
                3 => drop(self.reader.array::<4>()?),
                4 => drop(self.reader.array::<8>()?),
                5 => drop(self.reader.string()?),
                _ => return Err(self.reader.bad("broken data of a module").into()),
            }
        }
    }

    /// Reads a key with its value. None if it is left out.
    fn key(&mut self, kind: u8) -> Result<Option<LoadedKey>, LoadError> {
        let Notes { expire, lru } = std::mem::take(&mut self.notes);
        (self.doing, self.kind) = (Doing::ReadKey, Some(kind));
        self.key.clear();
        self.reader.string_to(&mut self.key)?;
        self.doing = Doing::ReadValue;
        let lru = lru.unwrap_or_else(|| lru::initial(&self.options.policy, self.options.now));
        let head = Head { key: &self.key, expire, lru };
        let entry = self.decoder.value(&mut self.reader, kind, head).inspect_err(|_| {
            if !self.tells_all {
                let (key, kind) = (self.key.escape_ascii(), kind_name(kind));
                log::warning(&format!("Reading key '{key}' of type {kind}: integrity check failed"));
            }
        })?;
        self.kind = None;
        let Some(entry) = entry else {
            log::notice(&format!("rdbLoadObject skipping empty key: {}", self.key.escape_ascii()));
            self.report.empty_keys_skipped += 1;
            return Ok(None);
        };
        if expire.is_some_and(|at| self.options.drop_before.is_some_and(|now| at < now)) {
            self.report.keys_expired += 1;
            return Ok(None);
        }
        self.report.keys_loaded += 1;
        Ok(Some(LoadedKey::new(self.db, self.options.seed.hash(&self.key), entry)))
    }

    fn check_sum(&mut self) -> Result<(), LoadError> {
        if self.report.version < VERSION_CHECKSUM {
            return Ok(());
        }
        let got = self.reader.checksum();
        let expected = u64::from_le_bytes(self.reader.array()?);
        // Zero says that whoever wrote the file made no checksum.
        self.report.has_checksum = Some(expected != 0);
        if self.options.checksum && expected != 0 && expected != got {
            return Err(LoadError::Checksum { expected, got });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persistence::convert;

    fn loader(bytes: &[u8]) -> RdbLoader<'_> {
        let options = convert::load_options(HashSeed::new(1), 16, UnixMillis(1_700_000_000_000));
        RdbLoader::new(Reader::of_bytes(bytes), options)
    }

    #[test]
    fn no_more_room_is_made_than_the_file_can_need() {
        let resize = [&[opcode::RESIZE_DB, 0x81][..], &[0x7f; 8], &[0]].concat();
        let bytes = [&b"REDIS0011"[..], &resize.repeat(1000), &[opcode::EOF], &[0; 8]].concat();
        let mut loader = loader(&bytes);
        let mut room = 0;
        while let Some(item) = loader.next_item().expect("a whole file") {
            room += if let Item::Room(_, keys) = item { keys } else { 0 };
        }
        assert!((1..=bytes.len() / 4).contains(&room), "room for {room} keys");
    }

    #[test]
    fn a_file_may_be_of_any_age() {
        for ctime in [i64::MIN, -1, i64::MAX] {
            let text = ctime.to_string();
            let aux = [&[opcode::AUX, 5][..], b"ctime", &[text.len() as u8], text.as_bytes()].concat();
            let bytes = [&b"REDIS0011"[..], &aux, &[opcode::EOF], &[0; 8]].concat();
            assert!(matches!(loader(&bytes).next_item(), Ok(None)), "{ctime}");
        }
    }
}
