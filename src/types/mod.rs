//! The types of values: their encodings and when they change. Deliberately absent: keys, commands, replies, clocks. Called by
//! `keyspace` and `commands`.

pub mod bitmap;
pub mod digest;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod list;
pub mod set;
pub mod stream;
pub mod string;
pub mod zset;

/// Up to where a collection is packed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Elements.
    pub entries: usize,
    /// Bytes of an element.
    pub bytes: usize,
}

impl Limits {
    /// The limits that two directives set. An element longer than a megabyte is never packed.
    pub fn new(entries: u64, bytes: u64) -> Limits {
        Limits { entries: usize::try_from(entries).unwrap_or(usize::MAX), bytes: bytes.min(1 << 20) as usize }
    }
}

/// No packed collection grows beyond this many bytes, whatever the limits say.
const PACKED_BYTES_MAX: usize = 1 << 30;
