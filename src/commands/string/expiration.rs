//! The expiry that options of SET and its kin ask for.

use crate::base::time::UnixMillis;
use crate::resp::CommandError;
use crate::server::context::{Args, integer};

/// A time to expire at, as written: taken for a number only when it is needed.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct Expiration<'a> {
    text: &'a [u8],
    unit: Unit,
    base: Base,
}

/// What a time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Unit {
    Seconds,
    Milliseconds,
}

/// From when a time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Base {
    Now,
    Epoch,
}

impl<'a> Expiration<'a> {
    pub fn new(text: &'a [u8], unit: Unit, base: Base) -> Expiration<'a> {
        Expiration { text, unit, base }
    }

    /// Takes `EX seconds`, `PX ms`, `EXAT seconds` or `PXAT ms` if that comes next.
    pub fn take(args: &mut Args<'a>) -> Option<Expiration<'a>> {
        if args.left() < 2 {
            return None;
        }
        let forms = [
            ("EX", Unit::Seconds, Base::Now),
            ("PX", Unit::Milliseconds, Base::Now),
            ("EXAT", Unit::Seconds, Base::Epoch),
            ("PXAT", Unit::Milliseconds, Base::Epoch),
        ];
        let (_, unit, base) = forms.into_iter().find(|(word, ..)| args.take_word(word))?;
        let text = args.next()?;
        Some(Expiration { text, unit, base })
    }

    /// Is it given by the same option as `other`? Repeating an option is allowed, a second one is not.
    pub fn is_same_form(self, other: Expiration<'_>) -> bool {
        (self.unit, self.base) == (other.unit, other.base)
    }

    /// The time, in milliseconds since the epoch. It must lie after the epoch, but may have passed.
    ///
    /// # Errors
    /// If it is no number, not positive, or beyond the end of time; `command` is named then.
    pub fn at(self, now: UnixMillis, command: &'static str) -> Result<i64, CommandError> {
        let number = integer(self.text)?;
        let ms = match self.unit {
            _ if number <= 0 => None,
            Unit::Seconds => number.checked_mul(1000),
            Unit::Milliseconds => Some(number),
        };
        let at = match self.base {
            Base::Now => ms.and_then(|ms| ms.checked_add(now.0)),
            Base::Epoch => ms,
        };
        at.ok_or(CommandError::InvalidExpire(command))
    }
}
