//! Bytes of the RDB format, read from memory or from a stream. Memory grows with what was read, never with what a length
//! promises.

use std::borrow::Cow;
use std::io::Read;

use crate::base::{crc, lzf};

use super::{BadFormat, TOO_EARLY};

/// How much is read from a stream at a time.
const STEP_BYTES: usize = 256 * 1024;
/// What a string in LZF can at most unpack to: a copy makes up to 264 bytes of three.
const UNPACK_MAX: u64 = 90;

/// Bytes, and how far they are read.
pub struct Reader<'a> {
    source: Option<Box<dyn Read + Send + 'a>>,
    window: Cow<'a, [u8]>,
    at: usize,
    /// Offset of the window's first byte.
    start: u64,
    /// Offset of the end, if it is known.
    end: Option<u64>,
    /// Checksum of what lies before the window, and of its first bytes.
    crc: u64,
    summed: usize,
    failure: Option<std::io::Error>,
}

/// A length, or what stands in place of one.
enum Length {
    Plain(u64),
    Encoded(u8),
}

impl<'a> Reader<'a> {
    /// Reads these bytes.
    pub fn of_bytes(bytes: &'a [u8]) -> Reader<'a> {
        Reader {
            source: None,
            window: Cow::Borrowed(bytes),
            at: 0,
            start: 0,
            end: Some(bytes.len() as u64),
            crc: 0,
            summed: 0,
            failure: None,
        }
    }

    /// Reads a stream, of so many bytes if that is known.
    pub fn of_stream(source: Box<dyn Read + Send + 'a>, size: Option<u64>) -> Reader<'a> {
        Reader { source: Some(source), window: Cow::Owned(Vec::new()), end: size, ..Reader::of_bytes(&[]) }
    }

    /// The offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.start + self.at as u64
    }

    /// Why the stream could not be read, if that is what went wrong.
    pub fn take_failure(&mut self) -> Option<std::io::Error> {
        self.failure.take()
    }

    /// An error at this place.
    pub fn bad(&self, what: &'static str) -> BadFormat {
        BadFormat { offset: self.offset() as usize, what }
    }

    /// Bytes that may still come.
    pub fn left(&self) -> u64 {
        self.end.map_or(u64::MAX, |end| end.saturating_sub(self.offset()))
    }

    /// The checksum of all that was read so far.
    pub fn checksum(&mut self) -> u64 {
        self.crc = crc::crc64(self.crc, &self.window[self.summed..self.at]);
        self.summed = self.at;
        self.crc
    }

    /// Makes `count` bytes from `at` on part of the window, if they exist.
    #[cold]
    fn fill(&mut self, count: usize) -> Result<(), BadFormat> {
        if self.source.is_none() || count as u64 > self.left() {
            return Err(self.bad(TOO_EARLY));
        }
        self.checksum();
        let window = self.window.to_mut();
        window.drain(..self.at);
        (self.start, self.at, self.summed) = (self.start + self.at as u64, 0, 0);
        while window.len() < count {
            let (from, step) = (window.len(), STEP_BYTES.max(window.len() / 4));
            window.resize(from + step, 0);
            let read = match &mut self.source {
                Some(source) => source.read(&mut window[from..]),
                None => Ok(0),
            };
            window.truncate(from + read.as_ref().copied().unwrap_or(0));
            match read {
                Ok(0) => return Err(BadFormat { offset: self.start as usize + from, what: TOO_EARLY }),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(error);
                    return Err(BadFormat { offset: self.start as usize + from, what: "the file cannot be read" });
                }
            }
        }
        Ok(())
    }

    /// The next bytes.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn take(&mut self, count: usize) -> Result<&[u8], BadFormat> {
        if self.window.len() - self.at < count {
            self.fill(count)?;
        }
        let from = self.at;
        self.at += count;
        Ok(&self.window[from..self.at])
    }

    /// Is everything read?
    pub fn is_at_end(&mut self) -> bool {
        self.at == self.window.len() && self.fill(1).is_err() && self.failure.is_none()
    }

    /// What was read of the stream beyond the last byte taken, and the stream.
    pub fn into_rest(self) -> (Vec<u8>, Option<Box<dyn Read + Send + 'a>>) {
        (self.window[self.at..].to_vec(), self.source)
    }

    /// So many bytes.
    ///
    /// # Errors
    /// As `take`.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], BadFormat> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn length(&mut self) -> Result<Length, BadFormat> {
        let [first] = self.array()?;
        Ok(match (first >> 6, first) {
            (0, _) => Length::Plain(u64::from(first & 63)),
            (1, _) => {
                let [second] = self.array()?;
                Length::Plain(u64::from(first & 63) << 8 | u64::from(second))
            }
            (3, _) => Length::Encoded(first & 63),
            (_, 0x80) => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            (_, 0x81) => Length::Plain(u64::from_be_bytes(self.array()?)),
            _ => return Err(self.bad("an unknown form of length")),
        })
    }

    /// A number of things.
    ///
    /// # Errors
    /// If there is none.
    pub fn number(&mut self) -> Result<u64, BadFormat> {
        match self.length()? {
            Length::Plain(number) => Ok(number),
            Length::Encoded(_) => Err(self.bad("a string where a length should be")),
        }
    }

    /// A number of elements that take at least `least` bytes each.
    ///
    /// # Errors
    /// If there cannot be so many.
    pub fn count(&mut self, least: u64) -> Result<usize, BadFormat> {
        let count = self.number()?;
        if count > self.left() / least {
            return Err(self.bad("more elements than bytes"));
        }
        usize::try_from(count).map_err(|_| self.bad("more elements than bytes"))
    }

    fn size(&mut self) -> Result<usize, BadFormat> {
        let size = self.number()?;
        usize::try_from(size).map_err(|_| self.bad("a string too long"))
    }

    /// Appends a string, unpacked.
    ///
    /// # Errors
    /// If there is none.
    pub fn string_to(&mut self, out: &mut Vec<u8>) -> Result<(), BadFormat> {
        let number = match self.length()? {
            Length::Plain(len) => {
                let len = usize::try_from(len).map_err(|_| self.bad("a string too long"))?;
                out.extend_from_slice(self.take(len)?);
                return Ok(());
            }
            Length::Encoded(0) => i64::from(i8::from_le_bytes(self.array()?)),
            Length::Encoded(1) => i64::from(i16::from_le_bytes(self.array()?)),
            Length::Encoded(2) => i64::from(i32::from_le_bytes(self.array()?)),
            Length::Encoded(3) => {
                let (packed, len) = (self.size()?, self.size()?);
                if len as u64 > (packed as u64).saturating_mul(UNPACK_MAX).saturating_add(64) {
                    return Err(self.bad("a packed string that is too short for its length"));
                }
                let packed = self.take(packed)?;
                if lzf::decompress_to(packed, len, out).is_err() {
                    return Err(self.bad("a broken packed string"));
                }
                return Ok(());
            }
            Length::Encoded(_) => return Err(self.bad("an unknown form of string")),
        };
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        Ok(())
    }

    /// A string, unpacked.
    ///
    /// # Errors
    /// If there is none.
    pub fn string(&mut self) -> Result<Vec<u8>, BadFormat> {
        let mut string = Vec::new();
        self.string_to(&mut string)?;
        Ok(string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_length_is_too_long_to_be_refused() {
        for form in [0x80u8, 0x81, 0xc3] {
            let bytes = [&[form][..], &[0x81], &[0xff; 8], &[0x81], &[0xff; 8]].concat();
            assert!(Reader::of_bytes(&bytes).string().is_err(), "{form:x}");
            let stream = Box::new(std::io::Cursor::new(bytes));
            assert!(Reader::of_stream(stream, None).string().is_err(), "{form:x}");
        }
    }
}
