//! What waits to be sent to one client: bytes, long values that are sent from where they lie, and replies without end that
//! are written as the client takes them.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io::IoSlice;

use crate::storage::Shared;

/// Up to this size a buffer is lent to clients in turn.
const LENT_MAX: usize = 16 * 1024;
/// From this size on a value is shared with its key instead of copied.
pub const SHARE_MIN: usize = 32 * 1024;

/// A part of a reply that may be too long to be held, or to be written in one turn: it is written in slices, each when
/// everything before it is sent.
pub trait LongReply: Debug {
    /// Writes some more, `SLICE_BYTES` or little over.
    fn write(&mut self, out: &mut Output);
    /// At least so many bytes are left; zero at the end.
    fn left_bytes_min(&self) -> u64;
    /// Bytes of memory that it holds on to.
    fn memory_bytes(&self) -> usize;
}

/// About how much of a long reply is written at a time.
pub const SLICE_BYTES: usize = 16 * 1024;

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    Blob(Shared<Vec<u8>>),
    Long(Box<dyn LongReply>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Bytes(bytes) => bytes,
            Piece::Blob(blob) => blob,
            Piece::Long(_) => &[],
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Piece::Bytes(_) | Piece::Blob(_) => self.bytes().len(),
            Piece::Long(long) => long.memory_bytes(),
        }
    }
}

/// A position in the output, where a header can still be put.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    piece: u64,
    offset: usize,
}

/// A queue of bytes with cheap appending. Bounded by the client's output limits, which the owner checks.
#[derive(Debug, Default)]
pub struct Output {
    tail: Vec<u8>,
    pieces: VecDeque<Piece>,
    /// Pieces sent whole so far: the number of the first one in the queue.
    first_piece: u64,
    /// Bytes of the first piece (or of the tail) already sent.
    sent: usize,
    /// Bytes in `pieces`, sent or not.
    queued: usize,
    /// Long replies among the pieces.
    long_replies: usize,
    /// Bytes sent since the beginning.
    sent_total: u64,
}

impl Output {
    /// Bytes that wait, without those of long replies that are not written yet.
    pub fn len(&self) -> usize {
        self.queued + self.tail.len() - self.sent
    }

    /// Bytes appended since the beginning: where the next reply will stand.
    #[inline]
    pub fn position(&self) -> u64 {
        self.sent_total + self.len() as u64
    }

    /// Bytes that wait before this position.
    pub fn len_before(&self, position: u64) -> usize {
        usize::try_from(position.saturating_sub(self.sent_total)).unwrap_or(usize::MAX).min(self.len())
    }

    /// Has everything been sent?
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.long_replies == 0
    }

    /// At least so many bytes of long replies are still to be written.
    #[inline]
    pub fn unwritten_bytes_min(&self) -> u64 {
        if self.long_replies == 0 { 0 } else { self.long_bytes_min() }
    }

    #[cold]
    fn long_bytes_min(&self) -> u64 {
        let left = |piece: &Piece| if let Piece::Long(long) = piece { long.left_bytes_min() } else { 0 };
        self.pieces.iter().map(left).fold(0, u64::saturating_add)
    }

    #[cold]
    fn pieces_before_long(&self) -> usize {
        self.pieces.iter().take_while(|piece| !matches!(piece, Piece::Long(_))).count()
    }

    /// The buffer to append to.
    #[inline]
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Bytes of memory this output holds on to; shared values count, as each keeps its key's old content alive. A buffer
    /// of usual size does not: it goes from client to client.
    pub fn memory_bytes(&self) -> usize {
        self.tail.capacity().saturating_sub(LENT_MAX)
            + self.pieces.iter().map(|piece| 32 + piece.memory_bytes()).sum::<usize>()
    }

    /// Number of separate pieces, as CLIENT LIST's `oll` counts reply nodes.
    pub fn piece_count(&self) -> usize {
        self.pieces.len()
    }

    /// Bytes that wait beyond a buffer of usual size: what output limits bound.
    #[inline]
    pub fn limited_bytes(&self) -> usize {
        if self.pieces.is_empty() && self.len() <= LENT_MAX { 0 } else { self.len() }
    }

    /// Lends an empty buffer, if this output has none, so that idle clients hold none.
    pub fn lend(&mut self, buffer: Vec<u8>) {
        if self.tail.capacity() == 0 {
            self.tail = buffer;
        }
    }

    /// Takes the buffer back once everything is sent.
    pub fn reclaim(&mut self) -> Option<Vec<u8>> {
        if !self.is_empty() || self.tail.capacity() == 0 {
            return None;
        }
        self.sent = 0;
        let mut buffer = std::mem::take(&mut self.tail);
        buffer.clear();
        Some(buffer)
    }

    /// Appends a long value without copying it.
    pub fn push_blob(&mut self, blob: Shared<Vec<u8>>) {
        self.seal();
        self.queued += blob.len();
        self.pieces.push_back(Piece::Blob(blob));
    }

    /// Appends a reply that is written when it is its turn.
    pub fn push_long(&mut self, long: Box<dyn LongReply>) {
        self.seal();
        self.long_replies += 1;
        self.pieces.push_back(Piece::Long(long));
    }

    /// Is a long reply next, of which nothing more is written?
    pub fn awaits_writing(&self) -> bool {
        matches!(self.pieces.front(), Some(Piece::Long(_)))
    }

    /// Writes a slice of the long reply that is next, if one is.
    pub fn write_on(&mut self) {
        if !self.awaits_writing() {
            return;
        }
        let Some(Piece::Long(mut long)) = self.pieces.pop_front() else { return };
        let mut slice = Output::default();
        long.write(&mut slice);
        slice.seal();
        if long.left_bytes_min() > 0 {
            self.pieces.push_front(Piece::Long(long));
        } else {
            self.long_replies -= 1;
        }
        self.queued += slice.queued;
        slice.pieces.into_iter().rev().for_each(|piece| self.pieces.push_front(piece));
    }

    /// Moves the tail into the queue, so that what follows starts a piece of its own.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.queued += self.tail.len();
            self.pieces.push_back(Piece::Bytes(std::mem::take(&mut self.tail)));
        }
    }

    /// Appends all of another output.
    pub fn append(&mut self, other: &mut Output) {
        for piece in other.pieces.drain(..) {
            match piece {
                Piece::Bytes(bytes) => self.tail.extend_from_slice(&bytes),
                Piece::Blob(blob) => self.push_blob(blob),
                Piece::Long(long) => self.push_long(long),
            }
        }
        self.tail.extend_from_slice(&other.tail);
        *other = Output::default();
    }

    /// The present end, where a header may be inserted later.
    pub fn mark(&self) -> Mark {
        Mark { piece: self.first_piece + self.pieces.len() as u64, offset: self.tail.len() }
    }

    /// Inserts `bytes` at a mark taken since anything was last sent.
    pub fn insert(&mut self, mark: Mark, bytes: &[u8]) {
        let index = (mark.piece - self.first_piece) as usize;
        if index == self.pieces.len() {
            self.tail.splice(mark.offset..mark.offset, bytes.iter().copied());
            return;
        }
        self.queued += bytes.len();
        if let Some(Piece::Bytes(piece)) = self.pieces.get_mut(index)
            && mark.offset <= piece.len()
        {
            piece.splice(mark.offset..mark.offset, bytes.iter().copied());
        } else {
            // The tail was empty at the mark, so another piece took its place: the header goes before it.
            self.pieces.insert(index, Piece::Bytes(bytes.to_vec()));
        }
    }

    /// Drops everything from a mark on.
    pub fn truncate(&mut self, mark: Mark) {
        let index = (mark.piece - self.first_piece) as usize;
        if index < self.pieces.len() {
            let mut cut: Vec<Piece> = self.pieces.drain(index..).collect();
            self.queued -= cut.iter().map(|piece| piece.bytes().len()).sum::<usize>();
            self.long_replies -= cut.iter().filter(|piece| matches!(piece, Piece::Long(_))).count();
            self.tail = match cut.swap_remove(0) {
                Piece::Bytes(bytes) => bytes,
                Piece::Blob(_) | Piece::Long(_) => Vec::new(),
            };
        }
        self.tail.truncate(mark.offset);
    }

    /// The first `len_max` of the waiting bytes as up to `N` slices, in order.
    pub fn slices<const N: usize>(&self, len_max: usize) -> ([IoSlice<'_>; N], usize) {
        let mut slices = [IoSlice::new(&[]); N];
        let (mut count, mut left) = (0, len_max);
        let tail = (!self.tail.is_empty() && self.long_replies == 0).then_some(self.tail.as_slice());
        let pieces_max = if self.long_replies == 0 { N } else { N.min(self.pieces_before_long()) };
        for bytes in self.pieces.iter().map(Piece::bytes).chain(tail).take(pieces_max) {
            let bytes = if count == 0 { &bytes[self.sent..] } else { bytes };
            let bytes = &bytes[..bytes.len().min(left)];
            if left == 0 {
                break;
            }
            left -= bytes.len();
            slices[count] = IoSlice::new(bytes);
            count += 1;
        }
        (slices, count)
    }

    /// Notes that `count` bytes have been sent.
    pub fn advance(&mut self, mut count: usize) {
        self.sent_total += count as u64;
        while let Some(first) = self.pieces.front() {
            if self.awaits_writing() {
                assert!(count == 0);
                return;
            }
            let size = first.bytes().len();
            let left = size - self.sent;
            if count < left {
                self.sent += count;
                return;
            }
            count -= left;
            self.sent = 0;
            self.queued -= size;
            self.first_piece += 1;
            self.pieces.pop_front();
        }
        self.sent += count;
        assert!(self.sent <= self.tail.len());
        if self.sent == self.tail.len() {
            self.tail.clear();
            self.sent = 0;
        } else if self.sent > 64 * 1024 && self.sent > self.tail.len() / 2 {
            self.tail.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// All waiting bytes in one piece, for tests and for queued replies.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all: Vec<u8> = self.pieces.iter().flat_map(|piece| piece.bytes().iter().copied()).collect();
        all.extend_from_slice(&self.tail);
        all.drain(..self.sent);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_out_in_order_and_headers_go_where_they_were_marked() {
        let mut out = Output::default();
        out.tail().extend_from_slice(b"a");
        let early = out.mark();
        out.push_blob(Shared::new(vec![b'B'; 5]));
        let late = out.mark();
        out.tail().extend_from_slice(b"z");
        out.insert(late, b"2");
        out.insert(early, b"1");
        assert_eq!(out.to_vec(), b"a1BBBBB2z");
        out.advance(4);
        assert_eq!((out.to_vec(), out.len()), (b"BBB2z".to_vec(), 5));
        let (slices, count) = out.slices::<8>(usize::MAX);
        assert_eq!(slices[..count].iter().map(|slice| slice.len()).sum::<usize>(), 5);
        out.advance(4);
        out.tail().extend_from_slice(b"!");
        assert_eq!(out.to_vec(), b"z!");
        out.advance(2);
        assert!(out.is_empty() && out.reclaim().is_some() && out.reclaim().is_none());
    }

    /// Letters, one a slice.
    #[derive(Debug)]
    struct Letters(std::ops::RangeInclusive<u8>);

    impl LongReply for Letters {
        fn write(&mut self, out: &mut Output) {
            out.tail().extend(self.0.next());
        }

        fn left_bytes_min(&self) -> u64 {
            self.0.len() as u64
        }

        fn memory_bytes(&self) -> usize {
            100
        }
    }

    fn take(out: &mut Output, len_max: usize) -> Vec<u8> {
        out.write_on();
        let (slices, count) = out.slices::<8>(len_max);
        let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
        out.advance(bytes.len());
        bytes
    }

    #[test]
    fn long_replies_are_written_when_what_comes_before_is_sent() {
        let mut out = Output::default();
        out.tail().extend_from_slice(b"1");
        out.push_long(Box::new(Letters(b'a'..=b'c')));
        out.push_blob(Shared::new(vec![b'B'; 2]));
        let mark = out.mark();
        out.push_long(Box::new(Letters(b'x'..=b'y')));
        out.tail().extend_from_slice(b"2");
        assert_eq!((out.len(), out.unwritten_bytes_min()), (4, 5));
        let mut other = Output::default();
        other.append(&mut out);
        other.insert(mark, b"!");
        let taken: Vec<Vec<u8>> =
            std::iter::from_fn(|| Some(take(&mut other, 2)).filter(|taken| !taken.is_empty())).collect();
        assert_eq!(taken, [&b"1"[..], b"a", b"b", b"cB", b"B!", b"x", b"y2"]);
        assert!(other.is_empty() && other.unwritten_bytes_min() == 0);
        let mark = other.mark();
        other.push_long(Box::new(Letters(b'a'..=b'c')));
        assert!(!other.is_empty() && other.memory_bytes() >= 100);
        other.truncate(mark);
        assert!(other.is_empty());
    }

    #[test]
    fn truncating_forgets_what_came_after_the_mark() {
        let mut out = Output::default();
        out.tail().extend_from_slice(b"keep");
        let mark = out.mark();
        out.tail().extend_from_slice(b"drop");
        out.push_blob(Shared::new(vec![1; 9]));
        out.tail().extend_from_slice(b"this");
        out.truncate(mark);
        assert_eq!((out.to_vec(), out.len()), (b"keep".to_vec(), 4));
    }
}
