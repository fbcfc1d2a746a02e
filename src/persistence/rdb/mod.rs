//! The RDB format: values and files to bytes and back. One value is a type byte and a body; DUMP adds a footer of two bytes of
//! version and eight of CRC-64. <https://rdb.fnordig.de/file_format.html> describes the older types.

pub mod build;
pub mod check;
pub mod decode;
pub mod encode;
pub mod functions;
pub mod legacy;
pub mod load;
pub mod reader;
pub mod save;
mod stream;
pub mod writer;

/// The oldest version that a value may be written in: every server since Redis 7.0 reads it.
pub const VERSION_OLDEST: u16 = 10;
/// The version that knows sets as listpacks.
pub const VERSION_SET_LISTPACK: u16 = 11;
/// The version that knows fields with an expiry.
pub const VERSION_FIELD_TTL: u16 = 12;
/// The newest version of Redis's that is read.
pub const VERSION_MAX: u16 = 15;
/// The version that knows streams which remember additions, and pending entries that were given back.
pub const VERSION_STREAM_5: u16 = 15;
/// The version of Valkey 9's that is read.
pub const VERSION_VALKEY: u16 = 80;

/// The oldest version that has this type byte.
pub fn version_of(kind: u8) -> u16 {
    match kind {
        code::HASH_METADATA | code::HASH_LISTPACK_EX => VERSION_FIELD_TTL,
        code::SET_LISTPACK | code::STREAM_3 => VERSION_SET_LISTPACK,
        code::STREAM_4 | code::STREAM_5 => VERSION_STREAM_5,
        _ => VERSION_OLDEST,
    }
}

/// Type bytes.
#[allow(missing_docs)]
pub mod code {
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    pub const ZSET_2: u8 = 5;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_3: u8 = 21;
    pub const HASH_2: u8 = 22;
    pub const HASH_METADATA: u8 = 24;
    pub const HASH_LISTPACK_EX: u8 = 25;
    pub const STREAM_4: u8 = 26;
    pub const STREAM_5: u8 = 27;
}

/// What stands between values in a file, where a type byte could stand.
#[allow(missing_docs)]
pub mod opcode {
    pub const SLOT_INFO: u8 = 0xf4;
    pub const FUNCTION: u8 = 0xf5;
    pub const FUNCTION_OLD: u8 = 0xf6;
    pub const MODULE_AUX: u8 = 0xf7;
    pub const IDLE: u8 = 0xf8;
    pub const FREQUENCY: u8 = 0xf9;
    pub const AUX: u8 = 0xfa;
    pub const RESIZE_DB: u8 = 0xfb;
    pub const EXPIRE_MS: u8 = 0xfc;
    pub const EXPIRE_S: u8 = 0xfd;
    pub const SELECT_DB: u8 = 0xfe;
    pub const EOF: u8 = 0xff;
}

/// What is wrong with bytes that end before they should.
pub(crate) const TOO_EARLY: &str = "the end comes too early";

/// The bytes are no value, or not a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFormat {
    /// How far they could be read.
    pub offset: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl std::fmt::Display for BadFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at offset {}", self.what, self.offset)
    }
}
