//! How one kind of value is read from words, shown by CONFIG GET and written to a file. One implementation per field
//! type; [`super::special`] and [`super::choice`] hold the types that only directives have.

use crate::base::number::{MemoryError, parse_i64, parse_memory};
use std::ops::Deref;

/// Where words come from: it decides whether a repeated directive adds to what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The first line of this name in a file or on the command line: the default is replaced.
    FirstLine,
    /// A further line of this name.
    FurtherLine,
    /// CONFIG SET: the whole value is replaced.
    Set,
}

/// What may stand in a directive: bounds for numbers, names for choices.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// `yes` or `no`.
    Bool,
    /// A decimal integer within bounds, both included.
    Int {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// Bytes, with a unit if one is given.
    Memory {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// Bytes, or a percentage of maxmemory.
    MemoryOrPercent,
    /// Permission bits in octal.
    Octal {
        /// Greatest value.
        max: i64,
    },
    /// One of these names.
    Choice(&'static [&'static str]),
    /// Any bytes that pass the check, which says what is wrong with them.
    Text(fn(&[u8]) -> Result<(), &'static str>),
    /// Words with a grammar of their own; this is how it is described to people.
    Words(&'static str),
}

/// One line that CONFIG REWRITE wants in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What follows the name, quoted where it must be.
    pub words: Vec<u8>,
    /// Whether the line must be there even if the file has none of this name yet.
    pub is_forced: bool,
}

/// A field type of [`super::Config`].
pub trait Setting: Clone + PartialEq {
    /// The shape, unless the table narrows it.
    const SHAPE: Shape;
    /// Whether the value is made of several words.
    const IS_LIST: bool = false;

    /// Replaces or extends the value by what the words say. On an error, whose text goes to the user, the value is
    /// unspecified: callers work on a copy.
    fn read(&mut self, words: &[&[u8]], shape: &Shape, origin: Origin) -> Result<(), String>;

    /// The value as CONFIG GET shows it.
    fn show(&self, shape: &Shape) -> Vec<u8>;

    /// The lines that say the value in a file.
    fn lines(&self, default: &Self, shape: &Shape) -> Vec<Line> {
        vec![Line { words: self.show(shape), is_forced: self != default }]
    }
}

/// The single word that most directives take.
pub(super) fn only_word<'a>(words: &[&'a [u8]]) -> Result<&'a [u8], String> {
    match words {
        [word] => Ok(word),
        _ => Err("wrong number of arguments".to_owned()),
    }
}

impl Setting for bool {
    const SHAPE: Shape = Shape::Bool;

    fn read(&mut self, words: &[&[u8]], _: &Shape, _: Origin) -> Result<(), String> {
        let word = only_word(words)?;
        if word.eq_ignore_ascii_case(b"yes") {
            *self = true;
        } else if word.eq_ignore_ascii_case(b"no") {
            *self = false;
        } else {
            return Err("argument must be 'yes' or 'no'".to_owned());
        }
        Ok(())
    }

    fn show(&self, _: &Shape) -> Vec<u8> {
        if *self { b"yes".to_vec() } else { b"no".to_vec() }
    }
}

/// Numbers are fields of the narrowest type that holds their bounds.
macro_rules! number_settings {
    ($($number:ty, $is_unsigned:literal;)*) => {$(
        impl Setting for $number {
            const SHAPE: Shape = Shape::Int { min: 0, max: i32::MAX as i64 };

            fn read(&mut self, words: &[&[u8]], shape: &Shape, _: Origin) -> Result<(), String> {
                let value = read_number(only_word(words)?, shape, $is_unsigned)?;
                *self = <$number>::try_from(value).map_err(|_| "argument is out of range".to_owned())?;
                Ok(())
            }

            fn show(&self, shape: &Shape) -> Vec<u8> {
                match shape {
                    Shape::Octal { .. } => format!("{self:o}"),
                    _ => self.to_string(),
                }
                .into_bytes()
            }

            fn lines(&self, default: &Self, shape: &Shape) -> Vec<Line> {
                let words = match shape {
                    Shape::Memory { .. } => format_memory(*self as i64).into_bytes(),
                    _ => self.show(shape),
                };
                vec![Line { words, is_forced: self != default }]
            }
        }
    )*};
}

number_settings! {
    i32, false;
    i64, false;
    u16, false;
    u32, true;
    u64, true;
}

/// Reads a number and holds it against its bounds. Unsigned fields word a negative value differently.
fn read_number(word: &[u8], shape: &Shape, is_unsigned: bool) -> Result<i64, String> {
    let (value, min, max) = match *shape {
        // Redis reads no digits as zero here.
        Shape::Memory { min, max } if word.is_empty() => (0, min, max),
        Shape::Memory { min, max } => match parse_memory(word) {
            // Beyond 63 bits Redis sees a negative number; so does the check below.
            Ok(bytes) => (i64::try_from(bytes).unwrap_or(i64::MIN), min, max),
            Err(MemoryError::TooLarge) => (i64::MIN, min, max),
            Err(MemoryError::Malformed) => match parse_i64(word) {
                Some(value) if min < 0 => (value, min, max),
                _ => return Err("argument must be a memory value".to_owned()),
            },
        },
        Shape::Octal { max } => {
            let is_octal = !word.is_empty() && word.len() <= 20 && word.iter().all(|byte| matches!(byte, b'0'..=b'7'));
            if !is_octal {
                return Err("argument couldn't be parsed as an octal number".to_owned());
            }
            let value = word.iter().fold(0i64, |value, byte| value.saturating_mul(8) + i64::from(byte - b'0'));
            if value > max {
                return Err(format!("argument must be between 0 and {max:o} inclusive"));
            }
            (value, 0, max)
        }
        Shape::Int { min, max } => {
            let value = parse_i64(word).ok_or("argument couldn't be parsed into an integer")?;
            (value, min, max)
        }
        _ => return Err("argument couldn't be parsed into an integer".to_owned()),
    };
    if value < 0 && min >= 0 && is_unsigned {
        return Err("argument must be greater or equal to 0".to_owned());
    }
    if value < min || value > max {
        return Err(format!("argument must be between {min} and {max} inclusive"));
    }
    Ok(value)
}

/// Bytes with the largest unit that divides them, as files have them.
pub(super) fn format_memory(bytes: i64) -> String {
    for (unit, suffix) in [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")] {
        if bytes != 0 && bytes % unit == 0 {
            return format!("{}{suffix}", bytes / unit);
        }
    }
    bytes.to_string()
}

/// A string of a directive: bytes, for paths and passwords need not be UTF-8. Empty means not given.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(pub Vec<u8>);

impl Text {
    /// The text for people, with what is not UTF-8 replaced.
    pub fn display(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.display())
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(text.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Text {
        Text(bytes.to_vec())
    }
}

impl Setting for Text {
    const SHAPE: Shape = Shape::Text(|_| Ok(()));

    fn read(&mut self, words: &[&[u8]], shape: &Shape, _: Origin) -> Result<(), String> {
        let word = only_word(words)?;
        if let Shape::Text(check) = shape {
            check(word)?;
        }
        self.0 = word.to_vec();
        Ok(())
    }

    fn show(&self, _: &Shape) -> Vec<u8> {
        self.0.clone()
    }

    fn lines(&self, default: &Self, _: &Shape) -> Vec<Line> {
        if self.is_empty() && default.is_empty() {
            return Vec::new();
        }
        vec![Line { words: super::words::quote(&self.0), is_forced: self != default }]
    }
}

/// Checks of texts, named for the table.
pub(super) mod check {
    /// A file name, not a path.
    pub fn filename(word: &[u8], empty: &'static str, path: &'static str) -> Result<(), &'static str> {
        if word.is_empty() {
            return Err(empty);
        }
        if word.contains(&b'/') { Err(path) } else { Ok(()) }
    }

    pub fn dbfilename(word: &[u8]) -> Result<(), &'static str> {
        if word.contains(&b'/') { Err("dbfilename can't be a path, just a filename") } else { Ok(()) }
    }

    pub fn appendfilename(word: &[u8]) -> Result<(), &'static str> {
        filename(word, "appendfilename can't be empty", "appendfilename can't be a path, just a filename")
    }

    pub fn appenddirname(word: &[u8]) -> Result<(), &'static str> {
        filename(word, "appenddirname can't be empty", "appenddirname can't be a path, just a dirname")
    }

    pub fn backupdirname(word: &[u8]) -> Result<(), &'static str> {
        filename(word, "backupdirname can't be empty", "backupdirname can't be a path, just a dirname")
    }

    pub fn cluster_config_file(word: &[u8]) -> Result<(), &'static str> {
        if word.is_empty() { Err("cluster-config-file can't be empty") } else { Ok(()) }
    }

    /// Up to 255 bytes of letters, digits, hyphens and dots.
    pub fn hostname(word: &[u8]) -> Result<(), &'static str> {
        if word.len() >= 256 {
            return Err("Hostnames must be less than 256 characters");
        }
        if word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) {
            Ok(())
        } else {
            Err("Hostnames may only contain alphanumeric characters, hyphens or dots")
        }
    }

    /// A name for people in nodes.conf, where some characters would break the line.
    pub fn human_nodename(word: &[u8]) -> Result<(), &'static str> {
        if word.len() >= 256 {
            return Err("Node name must be less than 256 characters");
        }
        let breaks_line = |byte: &u8| {
            matches!(
                byte,
                b'!'..=b'&'
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b';'
                    | b'<'
                    | b'>'
                    | b'?'
                    | b'@'
                    | b'['
                    | b']'
                    | b'^'
                    | b'{'
                    | b'|'
                    | b'}'
                    | b'~'
                    | b','
                    | b'='
            ) || byte.is_ascii_control()
        };
        if word.iter().any(breaks_line) {
            return Err("Announced human node name contained invalid character");
        }
        Ok(())
    }

    pub fn announced_ip(word: &[u8]) -> Result<(), &'static str> {
        if word.len() >= 46 { Err("Announced IP is too long") } else { Ok(()) }
    }

    pub fn ipv4(word: &[u8]) -> Result<(), &'static str> {
        let text = std::str::from_utf8(word).unwrap_or("?");
        if text.is_empty() || text.parse::<std::net::Ipv4Addr>().is_ok() { Ok(()) } else { Err("Invalid IPv4 address") }
    }

    pub fn ipv6(word: &[u8]) -> Result<(), &'static str> {
        let text = std::str::from_utf8(word).unwrap_or("?");
        if text.is_empty() || text.parse::<std::net::Ipv6Addr>().is_ok() { Ok(()) } else { Err("Invalid IPv6 address") }
    }

    /// Braces must name a known variable.
    pub fn proc_title(word: &[u8]) -> Result<(), &'static str> {
        const VARIABLES: [&[u8]; 7] =
            [b"title", b"listen-addr", b"server-mode", b"port", b"tls-port", b"unixsocket", b"config-file"];
        const REFUSED: &str = "template format is invalid or contains unknown variables";
        if word.is_empty() {
            return Err(REFUSED);
        }
        let mut rest = word;
        while let Some(open) = rest.iter().position(|byte| *byte == b'{') {
            let inside = &rest[open + 1..];
            let close = inside.iter().position(|byte| *byte == b'}').ok_or(REFUSED)?;
            if !VARIABLES.contains(&&inside[..close]) {
                return Err(REFUSED);
            }
            rest = &inside[close + 1..];
        }
        Ok(())
    }

    /// Names separated by spaces, or nothing.
    pub fn peer_names(word: &[u8]) -> Result<(), &'static str> {
        if word.iter().any(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)) {
            return Err(
                "tls-expected-peer-name must not contain whitespace other than spaces separating names; use an empty \
                        string to disable it",
            );
        }
        if !word.is_empty() && word.iter().all(|byte| *byte == b' ') {
            return Err("tls-expected-peer-name contains no usable name; use an empty string to disable it");
        }
        Ok(())
    }

    /// Only the collations that need no tables: the C locale.
    pub fn locale(word: &[u8]) -> Result<(), &'static str> {
        match word {
            b"" | b"C" | b"POSIX" | b"C.UTF-8" | b"C.utf8" => Ok(()),
            _ => Err("Invalid locale name"),
        }
    }

    /// `aof:` or `rdb:` before a file name.
    pub fn preload_file(word: &[u8]) -> Result<(), &'static str> {
        let is_known = word.is_empty() || word.starts_with(b"aof:") || word.starts_with(b"rdb:");
        if is_known { Ok(()) } else { Err("preload-file must be in the form aof:filename or rdb:filename") }
    }
}
