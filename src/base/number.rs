//! Numbers to and from their text, with Redis's notion of what is a number: strict integers, floats as `strtod` takes
//! them, doubles printed as `fpconv` lays them out, memory sizes.

/// Parses a signed decimal integer in canonical form: an optional `-`, no leading zero, no `+`, no space.
/// What does not print back to the same bytes is not an integer.
pub fn parse_i64(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let magnitude = parse_u64(digits)?;
    if !negative {
        return i64::try_from(magnitude).ok();
    }
    if magnitude == 0 {
        return None;
    }
    0i64.checked_sub_unsigned(magnitude)
}

/// Parses an unsigned decimal integer in canonical form.
pub fn parse_u64(bytes: &[u8]) -> Option<u64> {
    match bytes {
        [] => return None,
        [b'0', rest @ ..] => return rest.is_empty().then_some(0),
        _ if bytes.len() > 20 => return None,
        _ => {}
    }
    let mut value = 0u64;
    for &byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// Parses a double as scores and float arguments are written: decimal with an optional exponent, a leading `+`,
/// `inf` and `infinity` in any case, hexadecimal with an optional binary exponent (`0x1.8p3`). Refused: the empty
/// text, spaces anywhere, `nan`, and what over- or underflows to infinity or zero.
pub fn parse_f64(bytes: &[u8]) -> Option<f64> {
    let (negative, unsigned) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    let value = match unsigned {
        [b'0', b'x' | b'X', digits @ ..] => parse_hex_f64(digits)?,
        [b'0'..=b'9' | b'.', ..] => parse_decimal_f64(unsigned)?,
        _ if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") => f64::INFINITY,
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

fn parse_decimal_f64(unsigned: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(unsigned).ok()?;
    let value: f64 = text.parse().ok()?;
    let mantissa = unsigned.split(|byte| byte | 0x20 == b'e').next().unwrap_or(unsigned);
    let is_zero_written = mantissa.iter().all(|byte| !matches!(byte, b'1'..=b'9'));
    if value.is_infinite() || (value == 0.0 && !is_zero_written) {
        return None;
    }
    Some(value)
}

/// The digits after `0x`: rounded to nearest, ties to even, by keeping 64 bits and a sticky one.
fn parse_hex_f64(digits: &[u8]) -> Option<f64> {
    let (mantissa, exponent) = parse_hex_parts(digits)?;
    if mantissa == 0 {
        return Some(0.0);
    }
    // `mantissa` may carry 68 bits of which the lowest is sticky; one rounding to the target's precision follows.
    let bit_length = i64::from(128 - mantissa.leading_zeros());
    let top = exponent + bit_length - 1;
    if top > 1023 {
        return None;
    }
    let lowest = (top - 52).max(-1074);
    let shift = lowest - exponent;
    let kept = if shift <= 0 {
        mantissa << (-shift)
    } else if shift > 126 {
        0
    } else {
        let half = 1u128 << (shift - 1);
        let rest = mantissa & ((half << 1) - 1);
        let floor = mantissa >> shift;
        floor + u128::from(rest > half || (rest == half && floor & 1 == 1))
    };
    // At most 2^53, exact as a double; the scaling by two powers is exact too, for the rounding is done.
    let scale = lowest as i32;
    let value = kept as f64 * 2f64.powi(scale / 2) * 2f64.powi(scale - scale / 2);
    (value.is_finite() && value != 0.0).then_some(value)
}

/// Splits hexadecimal digits with an optional point and `p` exponent into a mantissa (its lowest bit sticky when
/// digits were dropped) and a binary exponent, clamped to what no number reaches.
pub(super) fn parse_hex_parts(digits: &[u8]) -> Option<(u128, i64)> {
    let (mut mantissa, mut exponent) = (0u128, 0i64);
    let (mut point, mut any) = (false, false);
    let mut rest = digits;
    while let [byte, tail @ ..] = rest {
        if *byte == b'.' && !point {
            point = true;
        } else if let Some(digit) = (*byte as char).to_digit(16) {
            any = true;
            if mantissa >> 116 == 0 {
                mantissa = mantissa << 4 | u128::from(digit);
                exponent -= if point { 4 } else { 0 };
            } else {
                mantissa |= u128::from(digit != 0);
                exponent += if point { 0 } else { 4 };
            }
        } else {
            break;
        }
        rest = tail;
    }
    if !any {
        return None;
    }
    match rest {
        [] => {}
        [b'p' | b'P', power @ ..] => exponent += parse_exponent(power)?,
        _ => return None,
    }
    Some((mantissa, exponent))
}

/// A decimal exponent with its optional sign, clamped to a million: beyond every format's reach.
pub(super) fn parse_exponent(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude = digits.iter().fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1_000_000));
    Some(if negative { -magnitude } else { magnitude })
}

/// The integer that `value` is, if it is one and at most 2^62 in magnitude: what Redis prints as an integer.
pub fn f64_as_i64(value: f64) -> Option<i64> {
    const LIMIT: f64 = (1u64 << 62) as f64;
    (value.abs() <= LIMIT && value.trunc() == value).then_some(value as i64)
}

/// Prints a double as replies do: digits that read back to the same value, the shortest with rare exceptions. Integers up to 2^62 print as
/// integers (so -0 prints `0`), others in the layout of `fpconv`: plain when that is short, `1.5e+20` otherwise;
/// `inf`, `-inf`, `nan`.
pub fn format_f64(value: f64) -> String {
    f64_as_i64(value).map_or_else(|| format_shortest(value), |integer| integer.to_string())
}

/// As `format_f64` without its view of integers: `-0` and `1e+17` keep their forms.
pub fn format_shortest(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let (digits, last) = super::grisu::digits(value.abs());
    let digits = String::from_utf8_lossy(&digits);
    let exponent = last + digits.len() as i32 - 1;
    let mut out = String::with_capacity(28);
    if value < 0.0 {
        out.push('-');
    }
    let count = digits.len() as i32;
    // The value is `digits` times ten to the `scale`.
    let scale = exponent - count + 1;
    if scale >= 0 && exponent < count + 7 {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', scale as usize));
    } else if scale < 0 && (scale > -7 || exponent.abs() < 4) {
        push_plain(&mut out, &digits, exponent);
    } else {
        out.push_str(&digits[..1]);
        if count > 1 {
            out.push('.');
            out.push_str(&digits[1..]);
        }
        out.push('e');
        out.push(if exponent < 0 { '-' } else { '+' });
        out.push_str(&exponent.abs().to_string());
    }
    out
}

/// Prints a double as C's `%.17g`: up to 17 significant digits, trailing zeros dropped, the exponent at least two digits.
pub fn format_17g(value: f64) -> String {
    format_g(value, 17)
}

/// Prints a double as C's `%.<precision>g`, `precision` counted in significant digits, at least one.
pub fn format_g(value: f64, precision: usize) -> String {
    let precision = precision.max(1);
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let (mut digits, exponent) = decimal_digits(&format!("{:.*e}", precision - 1, value.abs()));
    digits.truncate(digits.trim_end_matches('0').len().max(1));
    let mut out = String::with_capacity(precision + 8);
    if value.is_sign_negative() {
        out.push('-');
    }
    if (-4..precision as i32).contains(&exponent) {
        push_plain(&mut out, &digits, exponent);
    } else {
        out.push_str(&digits[..1]);
        if digits.len() > 1 {
            out.push('.');
            out.push_str(&digits[1..]);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        out.push_str(&format!("e{sign}{:02}", exponent.abs()));
    }
    out
}

/// Splits Rust's `d.ddde-n` into its digits and the exponent of the first one.
fn decimal_digits(scientific: &str) -> (String, i32) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    (mantissa.chars().filter(|c| *c != '.').collect(), exponent.parse().unwrap_or(0))
}

/// Appends `digits`, the first of which stands for ten to the `exponent`, without an exponent.
fn push_plain(out: &mut String, digits: &str, exponent: i32) {
    if exponent < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', (-exponent - 1) as usize));
        out.push_str(digits);
        return;
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        out.push_str(digits);
        out.extend(std::iter::repeat_n('0', whole - digits.len()));
    } else {
        out.push_str(&digits[..whole]);
        out.push('.');
        out.push_str(&digits[whole..]);
    }
}

/// A decimal integer in a buffer on the stack.
#[derive(Clone, Copy, Default)]
pub struct Decimal(itoa::Buffer);

impl std::fmt::Debug for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decimal")
    }
}

impl Decimal {
    /// An empty buffer, to be used again and again.
    pub fn new() -> Decimal {
        Decimal(itoa::Buffer::new())
    }

    /// The digits of `value`, valid until the next call.
    pub fn i64(&mut self, value: i64) -> &[u8] {
        self.0.format(value).as_bytes()
    }

    /// The digits of `value`, valid until the next call.
    pub fn u64(&mut self, value: u64) -> &[u8] {
        self.0.format(value).as_bytes()
    }
}

/// How many bytes [`Decimal::i64`] prints: the length a stored integer has as a string.
pub fn decimal_len(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1);
    digits + usize::from(value < 0)
}

/// Why a memory size was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryError {
    /// Not digits with a known unit.
    Malformed,
    /// More than 64 bits of bytes.
    TooLarge,
}

/// Parses a memory size in bytes: digits and an optional unit in any case: `b`, `k` `m` `g` (powers of 1000),
/// `kb` `mb` `gb` (powers of 1024). Source: the head of every redis.conf.
pub fn parse_memory(bytes: &[u8]) -> Result<u64, MemoryError> {
    let split = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let (digits, unit) = bytes.split_at(split);
    let factor = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return Err(MemoryError::Malformed),
    };
    if digits.is_empty() {
        return Err(MemoryError::Malformed);
    }
    let mut value = 0u64;
    for digit in digits {
        let next = value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit - b'0')));
        value = next.ok_or(MemoryError::TooLarge)?;
    }
    value.checked_mul(factor).ok_or(MemoryError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn only_canonical_integers_are_integers() {
        for good in ["0", "1", "-1", "10", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(parse_i64(good.as_bytes()).map(|v| v.to_string()).as_deref(), Some(good));
        }
        for bad in
            ["", "-", "+1", "01", "-0", "-01", " 1", "1 ", "9223372036854775808", "-9223372036854775809", "1a", "0x1"]
        {
            assert_eq!(parse_i64(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        let mut rng = Rng::new(1);
        let mut buffer = Decimal::new();
        for _ in 0..10_000 {
            let value = (rng.next_u64() as i64) >> rng.below(64);
            assert_eq!(parse_i64(buffer.i64(value)), Some(value));
            assert_eq!(decimal_len(value), buffer.i64(value).len());
        }
        assert_eq!(decimal_len(i64::MIN), 20);
    }

    #[test]
    fn floats_are_read_as_strtod_reads_them() {
        let good: &[(&str, f64)] = &[
            ("0x10", 16.0),
            ("+5", 5.0),
            ("1e3", 1000.0),
            ("inf", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
            ("+inf", f64::INFINITY),
            ("iNfinity", f64::INFINITY),
            (".5", 0.5),
            ("5.", 5.0),
            ("0x1p3", 8.0),
            ("-0x.8", -0.5),
            ("1e-320", 1e-320),
            ("0e999", 0.0),
            ("0x1.fffffffffffff8p0", 2.0),
            ("0x1p-1074", 5e-324),
            ("0x10000000000000000000000000000000000", 2f64.powi(136)),
        ];
        for (text, value) in good {
            assert_eq!(parse_f64(text.as_bytes()), Some(*value), "{text}");
        }
        let bad = [
            "", "nan", "-nan", " 1", "1 ", "1e400", "1e-400", "1e", "0x", ".", "-", "+", "1_0", "1.2.3", "infin",
            "0x1p", "0x1p1024", "--1", ".x8", "e5",
        ];
        for text in bad {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn doubles_print_as_redis_prints_them() {
        let table = [
            ("-0.0", "0"),
            ("4503599627370497", "4503599627370497"),
            ("123456789012345678", "123456789012345680"),
            ("1e17", "100000000000000000"),
            ("1e20", "1e+20"),
            ("1.5e20", "1.5e+20"),
            ("1234567e10", "12345670000000000"),
            ("0.0001", "0.0001"),
            ("0.00001", "0.00001"),
            ("1e-7", "1e-7"),
            ("1.23e-5", "1.23e-5"),
            ("123456.7891234", "1.234567891234e+5"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("inf", "inf"),
            ("-inf", "-inf"),
            ("123456789.125", "123456789.125"),
        ];
        for (text, printed) in table {
            assert_eq!(format_f64(parse_f64(text.as_bytes()).unwrap_or(f64::NAN)), printed);
        }
        assert_eq!(format_17g(0.1), "0.10000000000000001");
        assert_eq!(format_17g(1e20), "1e+20");
        assert_eq!(format_17g(100.0), "100");
        assert_eq!(format_17g(1e-5), "1.0000000000000001e-05");
        let shortest = [-0.0, 1e6, 1e17, 0.1, 1e300, f64::NEG_INFINITY].map(format_shortest);
        assert_eq!(shortest, ["-0", "1000000", "1e+17", "0.1", "1e+300", "-inf"]);
        assert_eq!(format_g(99.9, 6), "99.9");
        let mut rng = Rng::new(2);
        for _ in 0..20_000 {
            let value = f64::from_bits(rng.next_u64());
            if value.is_finite() && value != 0.0 {
                assert_eq!(parse_f64(format_f64(value).as_bytes()), Some(value));
                assert_eq!(parse_f64(format_17g(value).as_bytes()), Some(value));
            }
        }
    }

    #[test]
    fn memory_sizes_have_two_kinds_of_units() {
        assert_eq!(parse_memory(b"1k"), Ok(1000));
        assert_eq!(parse_memory(b"1Kb"), Ok(1024));
        assert_eq!(parse_memory(b"100mb"), Ok(100 << 20));
        assert_eq!(parse_memory(b"2G"), Ok(2_000_000_000));
        assert_eq!(parse_memory(b"7b"), Ok(7));
        for bad in ["", "mb", "-1", "1 mb", "1tb", "1.5gb", "1mbx"] {
            assert_eq!(parse_memory(bad.as_bytes()), Err(MemoryError::Malformed), "{bad}");
        }
        assert_eq!(parse_memory(b"99999999999gb"), Err(MemoryError::TooLarge));
    }
}
