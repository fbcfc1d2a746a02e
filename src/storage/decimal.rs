//! Which byte strings are integers: the one rule by which every packed encoding decides to store a string as a
//! number. A string counts only if printing the number gives the same bytes back.

/// The value of `text` if it is the canonical decimal form of an `i64`: no sign but `-`, no leading zeros, no
/// `-0`, no spaces.
#[inline]
pub fn parse_canonical(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] => return (!negative).then_some(0),
        // 19 digits cannot overflow 64 unsigned bits, and no i64 has 20.
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut magnitude: u64 = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if negative {
        (magnitude <= i64::MIN.unsigned_abs()).then(|| (magnitude as i64).wrapping_neg())
    } else {
        i64::try_from(magnitude).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn only_what_prints_back_the_same_is_an_integer() {
        let others: [&[u8]; 12] = [
            b"",
            b"-",
            b"-0",
            b"00",
            b"01",
            b"+1",
            b" 1",
            b"1 ",
            b"1a",
            b"--1",
            b"9223372036854775808",
            b"-9223372036854775809",
        ];
        for text in others {
            assert_eq!(parse_canonical(text), None, "{text:?}");
        }
        assert_eq!(parse_canonical(b"18446744073709551616"), None);
        let mut rng = Rng::new(1);
        for value in [0, 1, -1, i64::MAX, i64::MIN, i64::MIN + 1] {
            assert_eq!(parse_canonical(value.to_string().as_bytes()), Some(value));
        }
        for _ in 0..1000 {
            let value = (rng.next_u64() as i64) >> rng.below(64);
            assert_eq!(parse_canonical(value.to_string().as_bytes()), Some(value));
        }
    }
}
