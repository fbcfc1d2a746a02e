//! Conditions on the string that a command is about to replace or remove.

use crate::resp::CommandError;
use crate::storage::{EntryRef, Type};
use crate::types::string;

/// What must hold of the string there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    /// It equals this.
    Equals(&'a [u8]),
    /// It differs from this, or is not there.
    Differs(&'a [u8]),
    /// Its digest is this.
    DigestEquals(&'a [u8]),
    /// Its digest differs from this, or it is not there.
    DigestDiffers(&'a [u8]),
}

impl<'a> Condition<'a> {
    /// The condition that a word with its operand states.
    pub fn parse(word: &[u8], operand: &'a [u8]) -> Option<Condition<'a>> {
        let make = match word.to_ascii_uppercase().as_slice() {
            b"IFEQ" => Condition::Equals,
            b"IFNE" => Condition::Differs,
            b"IFDEQ" => Condition::DigestEquals,
            b"IFDNE" => Condition::DigestDiffers,
            _ => return None,
        };
        Some(make(operand))
    }

    /// Does it hold of this entry?
    ///
    /// # Errors
    /// If the entry is no string, or the digest given is none.
    pub fn holds(self, entry: Option<EntryRef<'_>>) -> Result<bool, CommandError> {
        let Some(entry) = entry else {
            return Ok(matches!(self, Condition::Differs(_) | Condition::DigestDiffers(_)));
        };
        if entry.type_() != Type::String {
            return Err(CommandError::WrongType);
        }
        let is_digest = |given: &[u8]| {
            if given.len() != string::DIGEST_LEN {
                return Err(CommandError::err("must be exactly 16 hexadecimal characters"));
            }
            Ok(string::digest(entry).eq_ignore_ascii_case(given))
        };
        match self {
            Condition::Equals(value) => Ok(*string::bytes(entry) == *value),
            Condition::Differs(value) => Ok(*string::bytes(entry) != *value),
            Condition::DigestEquals(given) => is_digest(given),
            Condition::DigestDiffers(given) => Ok(!is_digest(given)?),
        }
    }
}
