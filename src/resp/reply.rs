//! The reply writer: one call per RESP element, in the protocol version that the client speaks.

use crate::base::shown::write_shown;
use crate::storage::Shared;

use super::output::{LongReply, Mark, Output, SHARE_MIN};

/// The protocol version of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proto {
    #[default]
    Resp2,
    Resp3,
}

/// Writes one client's replies.
pub struct Reply<'a> {
    out: &'a mut Output,
    proto: Proto,
}

impl<'a> Reply<'a> {
    /// Appends to `out` in this protocol version.
    pub fn new(out: &'a mut Output, proto: Proto) -> Reply<'a> {
        Reply { out, proto }
    }

    /// The protocol version spoken.
    pub fn proto(&self) -> Proto {
        self.proto
    }

    /// Changes the protocol version, from the next element on (HELLO).
    pub fn set_proto(&mut self, proto: Proto) {
        self.proto = proto;
    }

    /// Is this RESP3?
    #[inline]
    pub fn is_resp3(&self) -> bool {
        self.proto == Proto::Resp3
    }

    /// Bytes written and not sent.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Has nothing been written?
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Bytes that already are RESP.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.tail().extend_from_slice(bytes);
    }

    #[inline]
    fn header(&mut self, kind: u8, number: i64) {
        let tail = self.out.tail();
        if (0..10).contains(&number) {
            tail.extend_from_slice(&[kind, b'0' + number as u8, b'\r', b'\n']);
            return;
        }
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        tail.reserve(digits.len() + 3);
        tail.push(kind);
        tail.extend_from_slice(digits);
        tail.extend_from_slice(b"\r\n");
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A simple string. It must hold no line end.
    pub fn simple(&mut self, text: &str) {
        let tail = self.out.tail();
        tail.push(b'+');
        tail.extend_from_slice(text.as_bytes());
        tail.extend_from_slice(b"\r\n");
    }

    /// An error line. Only dispatch calls this; handlers return a `CommandError`. Line ends become spaces.
    pub fn error(&mut self, line: &str) {
        let tail = self.out.tail();
        tail.push(b'-');
        let start = tail.len();
        write_shown(line, tail);
        tail[start..].iter_mut().filter(|byte| matches!(byte, b'\r' | b'\n')).for_each(|byte| *byte = b' ');
        tail.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, number: i64) {
        self.header(b':', number);
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        let tail = self.out.tail();
        tail.reserve(bytes.len() + 16);
        self.header(b'$', bytes.len() as i64);
        let tail = self.out.tail();
        tail.extend_from_slice(bytes);
        tail.extend_from_slice(b"\r\n");
    }

    /// A bulk string that is a text with the bytes that it shows.
    pub fn bulk_shown(&mut self, text: &str) {
        let mut bytes = Vec::with_capacity(text.len());
        write_shown(text, &mut bytes);
        self.bulk(&bytes);
    }

    /// A bulk string that is a number in decimal.
    pub fn bulk_int(&mut self, number: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(number).as_bytes());
    }

    /// A bulk string that is sent from where it lies when it is long.
    pub fn bulk_shared(&mut self, blob: &Shared<Vec<u8>>) {
        if blob.len() < SHARE_MIN {
            return self.bulk(blob);
        }
        self.header(b'$', blob.len() as i64);
        self.out.push_blob(blob.clone());
        self.raw(b"\r\n");
    }

    /// Elements that are written while they are sent.
    pub fn long(&mut self, long: Box<dyn LongReply>) {
        self.out.push_long(long);
    }

    /// No value.
    #[inline]
    pub fn null(&mut self) {
        self.raw(if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// No array.
    pub fn null_array(&mut self) {
        self.raw(if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// The header of an array of `count` elements, which follow.
    #[inline]
    pub fn array(&mut self, count: usize) {
        self.header(b'*', count as i64);
    }

    /// The header of a map of `count` pairs; RESP2: an array of twice as many.
    pub fn map(&mut self, count: usize) {
        if self.is_resp3() { self.header(b'%', count as i64) } else { self.header(b'*', count as i64 * 2) }
    }

    /// The header of a set; RESP2: an array.
    pub fn set(&mut self, count: usize) {
        self.header(if self.is_resp3() { b'~' } else { b'*' }, count as i64);
    }

    /// The header of an out-of-band push; RESP2: an array.
    pub fn push(&mut self, count: usize) {
        self.header(if self.is_resp3() { b'>' } else { b'*' }, count as i64);
    }

    /// The header of an attribute, RESP3 only.
    pub fn attribute(&mut self, count: usize) {
        self.header(b'|', count as i64);
    }

    /// A boolean; RESP2: 1 or 0.
    pub fn bool(&mut self, value: bool) {
        self.raw(match (self.is_resp3(), value) {
            (true, true) => b"#t\r\n",
            (true, false) => b"#f\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        });
    }

    /// A number whose decimal text is given; RESP2: a bulk string.
    pub fn double_text(&mut self, text: &[u8]) {
        if !self.is_resp3() {
            return self.bulk(text);
        }
        let tail = self.out.tail();
        tail.push(b',');
        tail.extend_from_slice(text);
        tail.extend_from_slice(b"\r\n");
    }

    /// A big number in decimal; RESP2: a bulk string.
    pub fn big_number(&mut self, digits: &[u8]) {
        if !self.is_resp3() {
            return self.bulk(digits);
        }
        let tail = self.out.tail();
        tail.push(b'(');
        tail.extend_from_slice(digits);
        tail.extend_from_slice(b"\r\n");
    }

    /// A text with its kind (`txt`, `mkd`); RESP2: a bulk string.
    pub fn verbatim(&mut self, kind: &[u8; 3], text: &[u8]) {
        if !self.is_resp3() {
            return self.bulk(text);
        }
        self.header(b'=', text.len() as i64 + 4);
        let tail = self.out.tail();
        tail.extend_from_slice(kind);
        tail.push(b':');
        tail.extend_from_slice(text);
        tail.extend_from_slice(b"\r\n");
    }

    /// The place of a header whose count is not known yet; what follows is its content.
    pub fn mark(&self) -> Mark {
        self.out.mark()
    }

    fn insert_header(&mut self, mark: Mark, kind: u8, count: usize) {
        let mut line = Vec::with_capacity(24);
        line.push(kind);
        line.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
        line.extend_from_slice(b"\r\n");
        self.out.insert(mark, &line);
    }

    /// Puts an array header at a mark.
    pub fn array_at(&mut self, mark: Mark, count: usize) {
        self.insert_header(mark, b'*', count);
    }

    /// Puts a set header at a mark.
    pub fn set_at(&mut self, mark: Mark, count: usize) {
        self.insert_header(mark, if self.is_resp3() { b'~' } else { b'*' }, count);
    }

    /// Puts a map header of `count` pairs at a mark.
    pub fn map_at(&mut self, mark: Mark, count: usize) {
        if self.is_resp3() {
            self.insert_header(mark, b'%', count);
        } else {
            self.insert_header(mark, b'*', count * 2);
        }
    }

    /// Forgets everything written since the mark.
    pub fn truncate(&mut self, mark: Mark) {
        self.out.truncate(mark);
    }
}
