//! The 80-bit extended float of the x87, in which Redis computes INCRBYFLOAT and HINCRBYFLOAT: 64 bits of mantissa,
//! 15 of exponent, round to nearest, ties to even. Emulated with integers, so that every machine gives the same digits.
//!
//! A finite value is `mantissa * 2^exponent`. The mantissa has its top bit set, unless the exponent stands at its
//! minimum (a denormal) or the value is zero. Text is read and printed exactly: what does not fit in 128 bits goes
//! through [`Big`], whose size is bounded by the longest text taken.

use super::number::{parse_exponent, parse_hex_parts};
use std::cmp::Ordering;

/// Texts of this many bytes or more are not numbers: the bound of Redis's own buffer.
const TEXT_LEN_MAX: usize = 5 * 1024;
/// The exponent of the lowest bit of a denormal.
const EXPONENT_MIN: i64 = -16445;
/// The exponent of the lowest bit of the largest finite value.
const EXPONENT_MAX: i64 = 16383 - 63;
/// Digits that Redis prints after the point before it drops trailing zeros.
const FRACTION_DIGITS: usize = 17;

/// An extended float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Magnitude {
    Finite { mantissa: u64, exponent: i64 },
    Infinite,
    NotANumber,
}

impl LongDouble {
    /// Parses text as `strtold` does, with Redis's refusals: empty, spaces, `nan`, trailing bytes, overflow to
    /// infinity, underflow to zero. `inf` and hexadecimal floats are taken.
    pub fn parse(bytes: &[u8]) -> Option<LongDouble> {
        if bytes.len() >= TEXT_LEN_MAX {
            return None;
        }
        let (negative, unsigned) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, bytes),
        };
        if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
            return Some(LongDouble { negative, magnitude: Magnitude::Infinite });
        }
        let (mantissa, exponent, sticky) = match unsigned {
            [b'0', b'x' | b'X', digits @ ..] => {
                let (mantissa, exponent) = parse_hex_parts(digits)?;
                (mantissa, exponent, Sticky::Exact)
            }
            _ => parse_decimal(unsigned)?,
        };
        let value = LongDouble::rounded(negative, mantissa, exponent, sticky);
        let is_lost = value.is_zero() && mantissa != 0;
        (value.is_finite() && !is_lost).then_some(value)
    }

    /// The value of an integer: always exact.
    pub fn from_i64(value: i64) -> LongDouble {
        LongDouble::rounded(value < 0, u128::from(value.unsigned_abs()), 0, Sticky::Exact)
    }

    /// The value of a double: always exact.
    pub fn from_f64(value: f64) -> LongDouble {
        let bits = value.to_bits();
        let negative = value.is_sign_negative();
        if value.is_nan() {
            return LongDouble { negative, magnitude: Magnitude::NotANumber };
        }
        if value.is_infinite() {
            return LongDouble { negative, magnitude: Magnitude::Infinite };
        }
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) = match (bits >> 52 & 0x7ff) as i64 {
            0 => (fraction, -1074),
            biased => (fraction | 1 << 52, biased - 1075),
        };
        LongDouble::rounded(negative, u128::from(mantissa), exponent, Sticky::Exact)
    }

    /// Neither infinite nor NaN: what INCRBYFLOAT demands of its result.
    pub fn is_finite(self) -> bool {
        matches!(self.magnitude, Magnitude::Finite { .. })
    }

    /// The sum, rounded once.
    #[expect(clippy::should_implement_trait, reason = "an operator would hide that this is not f64")]
    pub fn add(self, other: LongDouble) -> LongDouble {
        let ((m1, e1), (m2, e2)) = match (self.magnitude, other.magnitude) {
            (Magnitude::Finite { mantissa: m1, exponent: e1 }, Magnitude::Finite { mantissa: m2, exponent: e2 }) => {
                ((m1, e1), (m2, e2))
            }
            (Magnitude::Infinite, Magnitude::Infinite) if self.negative != other.negative => {
                return LongDouble { negative: true, magnitude: Magnitude::NotANumber };
            }
            (Magnitude::NotANumber, _) | (Magnitude::Infinite, Magnitude::Finite { .. } | Magnitude::Infinite) => {
                return self;
            }
            _ => return other,
        };
        // The operand with the larger exponent gets 62 bits of room below it; what the other loses under them is
        // remembered in its lowest bit, far beneath the place where rounding looks.
        let (big, small) = if e1 >= e2 {
            ((self.negative, m1, e1), (other.negative, m2, e2))
        } else {
            ((other.negative, m2, e2), (self.negative, m1, e1))
        };
        let exponent = big.2 - 62;
        let a = u128::from(big.1) << 62;
        let b = shift_right_sticky(u128::from(small.1) << 62, big.2 - small.2);
        let (negative, sum) = if big.0 == small.0 {
            (big.0, a + b)
        } else if a >= b {
            (big.0 && a != b, a - b)
        } else {
            (small.0, b - a)
        };
        LongDouble::rounded(negative, sum, exponent, Sticky::Exact)
    }

    /// The same number with the other sign.
    pub fn negated(self) -> LongDouble {
        LongDouble { negative: !self.negative, ..self }
    }

    /// Does it lie below `other`? Never so for NaN.
    pub fn is_less(self, other: LongDouble) -> bool {
        let difference = other.add(self.negated());
        let is_nothing = difference.is_zero() || difference.magnitude == Magnitude::NotANumber;
        !is_nothing && !difference.negative
    }

    /// Prints as INCRBYFLOAT replies: no exponent, 17 digits after the point (ties to even), trailing zeros dropped,
    /// and never `-0`.
    pub fn format(self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let (mantissa, exponent) = match self.magnitude {
            Magnitude::NotANumber => return format!("{sign}nan"),
            Magnitude::Infinite => return format!("{sign}inf"),
            Magnitude::Finite { mantissa, exponent } => (mantissa, exponent),
        };
        if exponent >= 0 {
            let mut whole = Big::from(u128::from(mantissa));
            whole.shift_left(exponent as usize);
            let digits = whole.into_decimal();
            return if digits == "0" { digits } else { sign.to_owned() + &digits };
        }
        // Below 2^121, so one shift of 128 bits does it.
        let scaled = u128::from(mantissa) * 10u128.pow(FRACTION_DIGITS as u32);
        let mut digits = format!("{:0>18}", shift_right_rounded(scaled, -exponent, Sticky::Exact));
        digits.insert(digits.len() - FRACTION_DIGITS, '.');
        let kept = digits.trim_end_matches('0').trim_end_matches('.');
        if kept == "0" { kept.to_owned() } else { sign.to_owned() + kept }
    }

    /// Checks that the representation is the only one of its value.
    pub fn check_invariants(&self) {
        if let Magnitude::Finite { mantissa, exponent } = self.magnitude {
            assert!((EXPONENT_MIN..=EXPONENT_MAX).contains(&exponent));
            assert!(mantissa >> 63 == 1 || exponent == EXPONENT_MIN);
        }
    }

    fn is_zero(self) -> bool {
        matches!(self.magnitude, Magnitude::Finite { mantissa: 0, .. })
    }

    /// The value nearest to `mantissa * 2^exponent`, or a little more than that if `sticky` says so.
    fn rounded(negative: bool, mantissa: u128, exponent: i64, sticky: Sticky) -> LongDouble {
        if mantissa == 0 {
            return LongDouble { negative, magnitude: Magnitude::Finite { mantissa: 0, exponent: EXPONENT_MIN } };
        }
        let bit_length = i64::from(128 - mantissa.leading_zeros());
        let mut lowest = (exponent + bit_length - 64).max(EXPONENT_MIN);
        let shift = lowest - exponent;
        let mut kept = if shift <= 0 { mantissa << -shift } else { shift_right_rounded(mantissa, shift, sticky) };
        if kept >> 64 != 0 {
            kept >>= 1;
            lowest += 1;
        }
        let magnitude = match lowest <= EXPONENT_MAX {
            true => Magnitude::Finite { mantissa: kept as u64, exponent: lowest },
            false => Magnitude::Infinite,
        };
        LongDouble { negative, magnitude }
    }
}

/// Whether a truncated value is exact, or lies strictly between itself and the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sticky {
    Exact,
    More,
}

/// `value / 2^shift`, ties to even; `shift` is positive.
fn shift_right_rounded(value: u128, shift: i64, sticky: Sticky) -> u128 {
    debug_assert!(shift > 0);
    if shift > 128 {
        return 0;
    }
    let half = 1u128 << (shift - 1);
    let floor = value.checked_shr(shift as u32).unwrap_or(0);
    let rest = value & (half | (half - 1));
    let is_up = rest > half || (rest == half && (sticky == Sticky::More || floor & 1 == 1));
    floor + u128::from(is_up)
}

/// `value / 2^shift` with its lowest bit set if any bit was lost.
fn shift_right_sticky(value: u128, shift: i64) -> u128 {
    if shift > 127 {
        return u128::from(value != 0);
    }
    let kept = value >> shift;
    kept | u128::from(kept << shift != value)
}

/// Reads unsigned decimal text into `mantissa * 2^exponent`, with at least 67 bits of mantissa if it is not exact.
fn parse_decimal(text: &[u8]) -> Option<(u128, i64, Sticky)> {
    let split = text.iter().position(|byte| byte | 0x20 == b'e').unwrap_or(text.len());
    let power = if split < text.len() { parse_exponent(&text[split + 1..])? } else { 0 };
    let mut parts = text[..split].split(|byte| *byte == b'.');
    let (whole, fraction) = (parts.next()?, parts.next().unwrap_or_default());
    let is_number = whole.len() + fraction.len() > 0
        && parts.next().is_none()
        && whole.iter().chain(fraction).all(u8::is_ascii_digit);
    if !is_number {
        return None;
    }
    let digits: Vec<u8> = whole.iter().chain(fraction).copied().skip_while(|digit| *digit == b'0').collect();
    let kept = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    let power = power - fraction.len() as i64 + (digits.len() - kept) as i64;
    let digits = &digits[..kept];
    if digits.is_empty() {
        return Some((0, 0, Sticky::Exact));
    }
    // The value is below 10^order and at least a tenth of that; the type ends near 10^4932 and 10^-4951.
    let order = digits.len() as i64 + power;
    if !(-4960..=4940).contains(&order) {
        return None;
    }
    let mut numerator = Big::from_decimal(digits);
    let mut denominator = Big::from(1);
    let scaled = if power >= 0 { &mut numerator } else { &mut denominator };
    scaled.multiply_pow10(power.unsigned_abs());
    Some(divide(numerator, denominator))
}

/// `numerator / denominator` as 68 bits of quotient, an exponent, and whether there is a remainder.
fn divide(mut numerator: Big, mut denominator: Big) -> (u128, i64, Sticky) {
    const BITS: i64 = 68;
    let shift = numerator.bit_length() as i64 - denominator.bit_length() as i64;
    let shifted = if shift >= 0 { &mut denominator } else { &mut numerator };
    shifted.shift_left(shift.unsigned_abs() as usize);
    let mut quotient = 0u128;
    for _ in 0..BITS {
        quotient <<= 1;
        if numerator.compare(&denominator) != Ordering::Less {
            numerator.subtract(&denominator);
            quotient |= 1;
        }
        numerator.shift_left(1);
    }
    let sticky = if numerator.0.is_empty() { Sticky::Exact } else { Sticky::More };
    (quotient, shift - (BITS - 1), sticky)
}

/// An unsigned integer of any size: words from the lowest, the highest not zero.
#[derive(Clone, Debug)]
struct Big(Vec<u64>);

impl From<u128> for Big {
    fn from(value: u128) -> Big {
        let mut big = Big(vec![value as u64, (value >> 64) as u64]);
        big.trim();
        big
    }
}

impl Big {
    fn from_decimal(digits: &[u8]) -> Big {
        let mut big = Big(Vec::new());
        for chunk in digits.chunks(19) {
            let value = chunk.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
            big.multiply_add(10u64.pow(chunk.len() as u32), value);
        }
        big
    }

    fn into_decimal(mut self) -> String {
        const CHUNK: u64 = 10u64.pow(19);
        let mut chunks = Vec::new();
        while !self.0.is_empty() {
            let mut rest = 0u128;
            for word in self.0.iter_mut().rev() {
                let value = rest << 64 | u128::from(*word);
                *word = (value / u128::from(CHUNK)) as u64;
                rest = value % u128::from(CHUNK);
            }
            self.trim();
            chunks.push(rest);
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.iter().rev() {
            text.push_str(&format!("{chunk:019}"));
        }
        text
    }

    fn multiply_pow10(&mut self, mut power: u64) {
        while power > 0 {
            let step = power.min(19);
            self.multiply_add(10u64.pow(step as u32), 0);
            power -= step;
        }
    }

    fn multiply_add(&mut self, factor: u64, addend: u64) {
        let mut carry = u128::from(addend);
        for word in &mut self.0 {
            carry += u128::from(*word) * u128::from(factor);
            *word = carry as u64;
            carry >>= 64;
        }
        if carry != 0 {
            self.0.push(carry as u64);
        }
    }

    fn shift_left(&mut self, bits: usize) {
        if self.0.is_empty() {
            return;
        }
        let within = bits % 64;
        if within != 0 {
            let mut carry = 0;
            for word in &mut self.0 {
                let value = *word;
                *word = value << within | carry;
                carry = value >> (64 - within);
            }
            if carry != 0 {
                self.0.push(carry);
            }
        }
        self.0.splice(0..0, std::iter::repeat_n(0, bits / 64));
    }

    fn subtract(&mut self, other: &Big) {
        let mut borrow = false;
        for (place, word) in self.0.iter_mut().enumerate() {
            let (value, first) = word.overflowing_sub(other.0.get(place).copied().unwrap_or(0));
            let (value, second) = value.overflowing_sub(u64::from(borrow));
            *word = value;
            borrow = first || second;
        }
        debug_assert!(!borrow);
        self.trim();
    }

    fn compare(&self, other: &Big) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    fn bit_length(&self) -> usize {
        self.0.last().map_or(0, |top| self.0.len() * 64 - top.leading_zeros() as usize)
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    /// A value, an increment and what Redis 8.2 on x86-64 replied to INCRBYFLOAT.
    const CASES: &[(&str, &str, &str)] = &[
        ("0.1", "0.2", "0.3"),
        ("3.0", "1.5", "4.5"),
        ("5.0e3", "2.0e2", "5200"),
        ("10.50", "0.1", "10.6"),
        ("1", "-1.1", "-0.1"),
        ("0.3", "-0.3", "0"),
        ("1e-17", "0", "0.00000000000000001"),
        ("5e-18", "0", "0"),
        ("1.5e-17", "0", "0.00000000000000002"),
        ("2.5e-17", "0", "0.00000000000000002"),
        ("4e-18", "0", "0"),
        ("6e-18", "0", "0.00000000000000001"),
        ("-4e-18", "0", "0"),
        ("-5e-18", "0", "0"),
        ("-6e-18", "0", "-0.00000000000000001"),
        ("9223372036854775807", "0.5", "9223372036854775807.5"),
        ("9223372036854775807", "0.25", "9223372036854775807"),
        ("18446744073709551615", "0.5", "18446744073709551616"),
        ("18446744073709551615", "1", "18446744073709551616"),
        ("18446744073709551616", "0.5", "18446744073709551616"),
        ("18446744073709551616", "1", "18446744073709551616"),
        ("18446744073709551616", "3", "18446744073709551620"),
        ("18446744073709551617", "1.00000000000000000001", "18446744073709551616"),
        ("9223372036854775808.5", "0", "9223372036854775808"),
        ("9223372036854775808.49999999999999999999", "0", "9223372036854775808"),
        ("-9223372036854775808", "0.75", "-9223372036854775807"),
        ("4611686018427387904.25", "0.125", "4611686018427387904"),
        ("1e4932", "-1e4932", "0"),
        ("1e20", "1e-20", "100000000000000000000"),
        ("1e17", "0.00000000000000001", "100000000000000000"),
        ("123456789.123456789", "0.000000000000000001", "123456789.12345678899873747"),
        ("99999999999999999.99999999999999999", "0", "100000000000000000"),
        ("0.99999999999999999999", "0", "1"),
        ("0.99999999999999999", "0.00000000000000001", "1"),
        ("1.17549435e-38", "1", "1"),
        ("3.6e-4951", "0", "0"),
        ("-3.6e-4951", "0", "0"),
        ("0x10", "0x.8", "16.5"),
        ("0x1.ffffffffffffffffp0", "0", "2"),
        ("0xffffffffffffffff.8p0", "0", "18446744073709551616"),
        ("0xffffffffffffffff8", "0", "295147905179352825856"),
        ("1.18973149535723176502e4932", "1e4930", "not finite"),
        ("inf", "1", "not finite"),
        ("-inf", "inf", "not finite"),
        ("nan", "1", "not a number"),
        ("1e4933", "0", "not a number"),
        ("1.8e-4951", "0", "not a number"),
        ("1.9e-4951", "0", "0"),
        ("1.", ".5", "1.5"),
        (".", "1", "not a number"),
        ("-0", "0", "0"),
        ("-0.0", "-0.0", "0"),
        (
            "3.14159265358979323846264338327950288419716939937510",
            "2.71828182845904523536028747135266249775724709369995",
            "5.85987448204883847",
        ),
        ("2.220446049250313e-16", "1", "1.00000000000000022"),
        (
            "12345678901234567890123456789012345678901234567890",
            "1",
            "12345678901234567890019423336468287027557880037376",
        ),
        ("1e", "1", "not a number"),
        ("+5", "-5", "0"),
        ("179769313486231570000000000000000000000", "0.5", "179769313486231569995377937612657393664"),
    ];

    #[test]
    fn sums_are_those_of_a_real_x87() {
        for (value, increment, reply) in CASES {
            let sum = match (LongDouble::parse(value.as_bytes()), LongDouble::parse(increment.as_bytes())) {
                (Some(a), Some(b)) if a.add(b).is_finite() => a.add(b).format(),
                (Some(_), Some(_)) => "not finite".to_owned(),
                _ => "not a number".to_owned(),
            };
            assert_eq!(sum, *reply, "{value} + {increment}");
        }
    }

    #[test]
    fn doubles_and_integers_convert_exactly() {
        let mut rng = Rng::new(7);
        for _ in 0..20_000 {
            let integer = rng.next_u64() as i64;
            assert_eq!(LongDouble::from_i64(integer).format(), integer.to_string());
            let double = f64::from_bits(rng.next_u64());
            let value = LongDouble::from_f64(double);
            value.check_invariants();
            if double.is_finite() {
                assert!(LongDouble::parse(format!("{double:e}").as_bytes()).is_some());
                assert!(value.add(LongDouble::from_f64(-double)).is_zero());
                let rounded = format!("{double:.17}");
                let trimmed =
                    if rounded.contains('.') { rounded.trim_end_matches('0').trim_end_matches('.') } else { &rounded };
                assert_eq!(value.format(), if trimmed == "-0" { "0" } else { trimmed });
            }
        }
    }

    #[test]
    fn small_integers_agree_with_integer_arithmetic() {
        let mut rng = Rng::new(8);
        for _ in 0..20_000 {
            let (a, b) = ((rng.next_u64() as i64) >> rng.below(63), (rng.next_u64() as i64) >> rng.below(63));
            let sum = LongDouble::from_i64(a).add(LongDouble::from_i64(b));
            sum.check_invariants();
            let exact = i128::from(a) + i128::from(b);
            assert_eq!(sum.format(), exact.to_string());
        }
    }
}
