//! The request parser. It is incremental: fed the bytes of an unfinished request again with more behind them, it goes
//! on where it stopped, so a request that trickles in costs no more than one that comes at once.

use std::fmt;

use memchr::memchr2;

use crate::base::shown::shown;

const INLINE_MAX: usize = 64 * 1024;
const UNAUTHENTICATED_ARGS_MAX: i64 = 10;
const UNAUTHENTICATED_BULK_MAX: i64 = 16 * 1024;
/// An unfinished argument of at least this size is read into an allocation of its own.
pub const BIG_ARG: usize = 32 * 1024;

/// A request that cannot be one. The connection is closed after the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    InvalidMultibulkLength,
    UnauthenticatedMultibulk,
    TooBigMultibulkCount,
    ExpectedDollar(u8),
    TooBigBulkCount,
    InvalidBulkLength,
    UnauthenticatedBulk,
    TooBigInline,
    UnbalancedQuotes,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ERR Protocol error: ")?;
        match self {
            ProtocolError::InvalidMultibulkLength => f.write_str("invalid multibulk length"),
            ProtocolError::UnauthenticatedMultibulk => f.write_str("unauthenticated multibulk length"),
            ProtocolError::TooBigMultibulkCount => f.write_str("too big mbulk count string"),
            ProtocolError::ExpectedDollar(got) => write!(f, "expected '$', got '{}'", shown(&[*got])),
            ProtocolError::TooBigBulkCount => f.write_str("too big bulk count string"),
            ProtocolError::InvalidBulkLength => f.write_str("invalid bulk length"),
            ProtocolError::UnauthenticatedBulk => f.write_str("unauthenticated bulk length"),
            ProtocolError::TooBigInline => f.write_str("too big inline request"),
            ProtocolError::UnbalancedQuotes => f.write_str("unbalanced quotes in request"),
        }
    }
}

/// The bounds of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Longest argument: proto-max-bulk-len.
    pub bulk_max: i64,
    /// Has the client authenticated (or need not)? If not, requests must be small.
    pub authenticated: bool,
}

/// Where an argument lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgAt {
    /// `len` bytes from `start`, counted from the request's first byte.
    Buffer { start: usize, len: usize },
    /// The n-th argument that has an allocation of its own.
    Big(usize),
}

/// Room for so many arguments is kept from one request to the next.
const ARGS_KEPT: usize = 4096;

/// What a call of `parse` found.
#[derive(Debug, PartialEq, Eq)]
pub enum Status {
    /// A whole request of `consumed` bytes; its arguments are in `Parser::args`.
    Complete { consumed: usize },
    /// A whole inline request; its arguments had to be unquoted.
    Inline { consumed: usize, argv: Vec<Vec<u8>> },
    /// `consumed` bytes that ask for nothing (an empty line, `*0`).
    Nothing { consumed: usize },
    /// More bytes are needed.
    Incomplete,
    /// All `consumed` bytes up to the argument's first are parsed; the argument of `len` bytes and its line end
    /// should be collected in an allocation of its own. `Parser::big_done` goes on from there.
    Big { consumed: usize, len: usize },
}

/// The state of one request in the making.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    /// The arguments found so far.
    pub args: Vec<ArgAt>,
    /// Arguments still to come; zero before the header.
    left: usize,
    /// The length of the argument whose header was read.
    bulk_len: Option<usize>,
    /// Bytes of the buffer that are parsed.
    pos: usize,
    bigs: usize,
}

impl Parser {
    /// Forgets everything, for the next request.
    #[inline]
    pub fn reset(&mut self) {
        self.args.clear();
        if self.args.capacity() > ARGS_KEPT {
            self.args = Vec::new();
        }
        self.left = 0;
        self.bulk_len = None;
        self.pos = 0;
        self.bigs = 0;
    }

    /// Bytes of the buffer that are parsed.
    pub fn parsed(&self) -> usize {
        self.pos
    }

    /// Notes that the argument announced by `Status::Big` is complete. The buffer that follows is a new one, as the
    /// argument was read past it: it begins with `kept` bytes of this request.
    pub fn big_done(&mut self) {
        self.args.push(ArgAt::Big(self.bigs));
        self.bigs += 1;
        self.left -= 1;
        self.bulk_len = None;
    }

    /// Are all arguments there? (Asked after `big_done`.)
    pub fn is_complete(&self) -> bool {
        self.left == 0 && !self.args.is_empty()
    }

    /// Parses on in `buf`, which starts at the request's first byte and holds at least what it held last time.
    ///
    /// # Errors
    /// When the bytes are no request; the connection must be closed.
    pub fn parse(&mut self, buf: &[u8], limits: RequestLimits) -> Result<Status, ProtocolError> {
        if self.left == 0 {
            match buf.first() {
                None => return Ok(Status::Incomplete),
                Some(b'*') => {}
                Some(_) => return parse_inline(buf),
            }
            let Some((count, next)) = number_line(buf, 1, ProtocolError::TooBigMultibulkCount)? else {
                return Ok(Status::Incomplete);
            };
            let count = count.filter(|&count| count <= i64::from(i32::MAX));
            let count = count.ok_or(ProtocolError::InvalidMultibulkLength)?;
            if count > UNAUTHENTICATED_ARGS_MAX && !limits.authenticated {
                return Err(ProtocolError::UnauthenticatedMultibulk);
            }
            if count <= 0 {
                return Ok(Status::Nothing { consumed: next });
            }
            self.pos = next;
            self.left = count as usize;
        }
        while self.left > 0 {
            let len = match self.bulk_len {
                Some(len) => len,
                None => {
                    match buf.get(self.pos) {
                        None => return Ok(Status::Incomplete),
                        Some(b'$') => {}
                        Some(&other) => {
                            // Redis waits for the whole line before it complains.
                            return match line_end(b'\r', &buf[self.pos..]) {
                                None if buf.len() - self.pos <= INLINE_MAX => Ok(Status::Incomplete),
                                None => Err(ProtocolError::TooBigBulkCount),
                                Some(_) => Err(ProtocolError::ExpectedDollar(other)),
                            };
                        }
                    }
                    let Some((len, next)) = number_line(buf, self.pos + 1, ProtocolError::TooBigBulkCount)? else {
                        return Ok(Status::Incomplete);
                    };
                    let len = len.filter(|&len| (0..=limits.bulk_max).contains(&len));
                    let len = len.ok_or(ProtocolError::InvalidBulkLength)?;
                    if len > UNAUTHENTICATED_BULK_MAX && !limits.authenticated {
                        return Err(ProtocolError::UnauthenticatedBulk);
                    }
                    self.pos = next;
                    self.bulk_len = Some(len as usize);
                    len as usize
                }
            };
            if buf.len() - self.pos < len + 2 {
                if len >= BIG_ARG {
                    return Ok(Status::Big { consumed: self.pos, len });
                }
                return Ok(Status::Incomplete);
            }
            self.args.push(ArgAt::Buffer { start: self.pos, len });
            self.pos += len + 2;
            self.bulk_len = None;
            self.left -= 1;
        }
        Ok(Status::Complete { consumed: self.pos })
    }
}

/// The number from `at` to the line's end (None if it is no integer) and where the next line begins; None while
/// the line has no end.
#[inline(always)]
fn number_line(buf: &[u8], at: usize, too_big: ProtocolError) -> Result<Option<(Option<i64>, usize)>, ProtocolError> {
    let digit = |byte: u8| i64::from(byte - b'0');
    // Nearly all numbers are of one or two digits.
    match buf[at..] {
        [one @ b'0'..=b'9', b'\r', _, ..] => Ok(Some((Some(digit(one)), at + 3))),
        [ten @ b'1'..=b'9', one @ b'0'..=b'9', b'\r', _, ..] => Ok(Some((Some(digit(ten) * 10 + digit(one)), at + 4))),
        _ => any_number_line(buf, at, too_big),
    }
}

#[inline(never)]
fn any_number_line(
    buf: &[u8],
    at: usize,
    too_big: ProtocolError,
) -> Result<Option<(Option<i64>, usize)>, ProtocolError> {
    let rest = &buf[at..];
    let mut number = 0i64;
    for (index, &byte) in rest.iter().take(7).enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + i64::from(byte - b'0'),
            b'\r' if index > 0 && (rest[0] != b'0' || index == 1) => {
                return Ok((rest.len() > index + 1).then_some((Some(number), at + index + 2)));
            }
            _ => break,
        }
    }
    let Some(end) = line_end(b'\r', rest) else {
        return if rest.len() > INLINE_MAX { Err(too_big) } else { Ok(None) };
    };
    if rest.len() <= end + 1 {
        return Ok(None);
    }
    Ok(Some((strict_integer(&rest[..end]), at + end + 2)))
}

/// Where a line ends. As in Redis, one that holds a NUL has no end, and is too long at some point.
fn line_end(end: u8, bytes: &[u8]) -> Option<usize> {
    memchr2(end, 0, bytes).filter(|&at| bytes[at] == end)
}

/// A canonical decimal integer: no plus sign, no leading zeros.
fn strict_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [] => false,
        [b'0'] => text.len() == 1,
        [first, ..] => *first != b'0' && digits.iter().all(u8::is_ascii_digit),
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn parse_inline(buf: &[u8]) -> Result<Status, ProtocolError> {
    let Some(end) = line_end(b'\n', buf) else {
        return if buf.len() > INLINE_MAX { Err(ProtocolError::TooBigInline) } else { Ok(Status::Incomplete) };
    };
    let consumed = end + 1;
    let line = buf[..end].strip_suffix(b"\r").unwrap_or(&buf[..end]);
    let argv = split_args(line).ok_or(ProtocolError::UnbalancedQuotes)?;
    Ok(if argv.is_empty() { Status::Nothing { consumed } } else { Status::Inline { consumed, argv } })
}

/// Splits a line as redis-cli and redis.conf do: words, `'literal'` (with `\'`), `"escaped"` (with `\n \r \t \b \a
/// \xHH`). None if a quote is not closed or not followed by a space.
pub fn split_args(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut argv = Vec::new();
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|byte| byte.is_ascii_whitespace() || *byte == 0x0b) {
            at += 1;
        }
        if at >= line.len() {
            return Some(argv);
        }
        let mut word = Vec::new();
        while let Some(&byte) = line.get(at) {
            match byte {
                b'"' | b'\'' => {
                    at = unquote(line, at + 1, byte, &mut word)?;
                    // A closing quote ends the word.
                    if line.get(at).is_some_and(|byte| !byte.is_ascii_whitespace()) {
                        return None;
                    }
                    break;
                }
                b' ' | b'\n' | b'\r' | b'\t' | 0 => break,
                _ => {
                    word.push(byte);
                    at += 1;
                }
            }
        }
        argv.push(word);
        // A NUL ends a word as in C; step over it.
        if line.get(at) == Some(&0) {
            at += 1;
        }
    }
}

/// Appends what stands up to the closing quote; returns where the text goes on.
fn unquote(line: &[u8], mut at: usize, quote: u8, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        let byte = *line.get(at)?;
        let next = line.get(at + 1).copied();
        match (byte, next) {
            _ if byte == quote => return Some(at + 1),
            (b'\\', Some(b'\'')) if quote == b'\'' => {
                word.push(b'\'');
                at += 2;
            }
            (b'\\', Some(b'x')) if quote == b'"' && hex_pair(line, at + 2).is_some() => {
                word.push(hex_pair(line, at + 2)?);
                at += 4;
            }
            (b'\\', Some(escaped)) if quote == b'"' => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                at += 2;
            }
            _ => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

fn hex_pair(line: &[u8], at: usize) -> Option<u8> {
    let digit = |index: usize| line.get(index).and_then(|&byte| char::from(byte).to_digit(16));
    Some((digit(at)? * 16 + digit(at + 1)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RequestLimits = RequestLimits { bulk_max: 1 << 20, authenticated: true };

    fn texts(parser: &Parser, buf: &[u8]) -> Vec<String> {
        let text = |arg: &ArgAt| match *arg {
            ArgAt::Buffer { start, len } => String::from_utf8_lossy(&buf[start..start + len]).into_owned(),
            ArgAt::Big(index) => format!("big {index}"),
        };
        parser.args.iter().map(text).collect()
    }

    #[test]
    fn a_request_may_come_in_any_number_of_parts() {
        let request = b"*3\r\n$3\r\nSET\r\n$4\r\nke\r\n\r\n$11\r\nhello world\r\nrest";
        for first in 0..request.len() {
            let mut parser = Parser::default();
            let mut status = Status::Incomplete;
            for end in [first, (first + request.len()) / 2, request.len()] {
                if status == Status::Incomplete {
                    status = parser.parse(&request[..end.max(first)], LIMITS).unwrap();
                }
            }
            assert_eq!(status, Status::Complete { consumed: request.len() - 4 });
            assert_eq!(texts(&parser, request), ["SET", "ke\r\n", "hello world"]);
        }
    }

    #[test]
    fn a_long_argument_asks_for_its_own_room() {
        let mut parser = Parser::default();
        let request = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$40000\r\nxx";
        assert_eq!(parser.parse(request, LIMITS).unwrap(), Status::Big { consumed: request.len() - 2, len: 40000 });
        parser.big_done();
        assert!(parser.is_complete());
        assert_eq!(texts(&parser, request), ["SET", "k", "big 0"]);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let refusal = |text: &[u8]| Parser::default().parse(text, LIMITS).unwrap_err().to_string();
        assert_eq!(refusal(b"*3000000000\r\n"), "ERR Protocol error: invalid multibulk length");
        assert_eq!(refusal(b"*x\r\n"), "ERR Protocol error: invalid multibulk length");
        assert_eq!(refusal(b"*1\r\n:1\r\n"), "ERR Protocol error: expected '$', got ':'");
        assert_eq!(refusal(b"*1\r\n$-1\r\n"), "ERR Protocol error: invalid bulk length");
        assert_eq!(refusal(b"*1\r\n$01\r\n"), "ERR Protocol error: invalid bulk length");
        assert_eq!(refusal(b"get \"a\r\n"), "ERR Protocol error: unbalanced quotes in request");
        assert_eq!(refusal(&[b'a'; INLINE_MAX + 1]), "ERR Protocol error: too big inline request");
        let strangers = RequestLimits { authenticated: false, ..LIMITS };
        assert!(Parser::default().parse(b"*11\r\n", strangers).is_err());
        assert!(Parser::default().parse(b"*1\r\n$16385\r\n", strangers).is_err());
    }

    #[test]
    fn inline_requests_are_split_and_unquoted() {
        let words = |line: &str| split_args(line.as_bytes());
        let expect = |list: &[&str]| Some(list.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!(words("  set k  v "), expect(&["set", "k", "v"]));
        assert_eq!(words(r#""a\x41\n\"" 'it\'s' """#), expect(&["aA\n\"", "it's", ""]));
        assert_eq!(words(r#"pre"fix""#), expect(&["prefix"]));
        assert_eq!(words(r#""a"b"#), None);
        let parsed = Parser::default().parse(b"PING\r\nmore", LIMITS).unwrap();
        assert_eq!(parsed, Status::Inline { consumed: 6, argv: vec![b"PING".to_vec()] });
        assert_eq!(Parser::default().parse(b"\r\n", LIMITS).unwrap(), Status::Nothing { consumed: 2 });
    }
}
