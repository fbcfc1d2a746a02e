//! What can be the client's fault, with Redis's texts. Dispatch writes them to the wire; nobody else writes `-`.

use crate::base::shown::shown;
use std::borrow::Cow;
use std::fmt;

/// A refusal, as the client reads it. `Display` gives the whole line without the leading `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The options do not parse.
    Syntax,
    /// The key holds another type.
    WrongType,
    /// An argument should be a 64-bit integer.
    NotInteger,
    /// An argument should be a floating point number.
    NotFloat,
    /// An index lies outside.
    OutOfRange,
    /// The key must exist.
    NoSuchKey,
    /// Wrong number of arguments for this command (full name, lower case).
    Arity(Cow<'static, str>),
    /// The result of an addition does not fit 64 bits.
    IncrOverflow,
    /// An expiry that lies outside of time, for this command.
    InvalidExpire(&'static str),
    /// A string would exceed proto-max-bulk-len.
    StringTooLong,
    /// A value that must not be negative is.
    NotPositive,
    /// A timeout that is not a number.
    TimeoutNotFloat,
    /// A timeout below zero.
    TimeoutNegative,
    /// A timeout that lies outside of time.
    TimeoutRange,
    /// `ERR` and a text.
    Err(Cow<'static, str>),
    /// A whole line with a code of its own (`NOAUTH ...`, `OOM ...`).
    Coded(Cow<'static, str>),
}

impl CommandError {
    /// `ERR` and this text.
    pub fn err(text: impl Into<Cow<'static, str>>) -> CommandError {
        CommandError::Err(text.into())
    }

    /// This line, which begins with its own code.
    pub fn coded(line: impl Into<Cow<'static, str>>) -> CommandError {
        CommandError::Coded(line.into())
    }

    /// The answer to an unknown subcommand of a container.
    pub fn unknown_subcommand(container: &str, given: &[u8]) -> CommandError {
        let name = shown(&given[..given.len().min(128)]);
        CommandError::Err(format!("unknown subcommand '{name}'. Try {} HELP.", container.to_ascii_uppercase()).into())
    }

    /// The answer to a subcommand that exists but does not take these arguments.
    pub fn subcommand_syntax(container: &str, given: &[u8]) -> CommandError {
        let name = shown(&given[..given.len().min(128)]);
        CommandError::Err(
            format!("unknown subcommand or wrong number of arguments for '{name}'. Try {container} HELP.").into(),
        )
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Syntax => f.write_str("ERR syntax error"),
            CommandError::WrongType => f.write_str("WRONGTYPE Operation against a key holding the wrong kind of value"),
            CommandError::NotInteger => f.write_str("ERR value is not an integer or out of range"),
            CommandError::NotFloat => f.write_str("ERR value is not a valid float"),
            CommandError::OutOfRange => f.write_str("ERR index out of range"),
            CommandError::NoSuchKey => f.write_str("ERR no such key"),
            CommandError::Arity(name) => write!(f, "ERR wrong number of arguments for '{name}' command"),
            CommandError::IncrOverflow => f.write_str("ERR increment or decrement would overflow"),
            CommandError::InvalidExpire(name) => write!(f, "ERR invalid expire time in '{name}' command"),
            CommandError::StringTooLong => f.write_str("ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
            CommandError::NotPositive => f.write_str("ERR value is out of range, must be positive"),
            CommandError::TimeoutNotFloat => f.write_str("ERR timeout is not a float or out of range"),
            CommandError::TimeoutNegative => f.write_str("ERR timeout is negative"),
            CommandError::TimeoutRange => f.write_str("ERR timeout is out of range"),
            CommandError::Err(text) => write!(f, "ERR {text}"),
            CommandError::Coded(line) => f.write_str(line),
        }
    }
}
