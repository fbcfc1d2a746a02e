//! Lines of a redis.conf into words and back: the quoting rules of configuration files, also used by inline commands.
//!
//! Words are separated by spaces. `"..."` knows `\xHH`, `\n` `\r` `\t` `\b` `\a` and `\` before any other byte;
//! `'...'` knows only `\'`. A closing quote must be followed by a space or the end.

/// A quote that is not closed, or closed in the middle of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbalanced;

/// Splits a line into words.
pub fn split_words(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        // A vertical tab is a space to C; a NUL ends a line of C.
        match rest {
            [] | [0, ..] => return Ok(words),
            [0x0b, tail @ ..] => rest = tail,
            _ => {
                let (word, after) = take_word(rest)?;
                words.push(word);
                rest = after;
            }
        }
    }
}

/// A word in double quotes with everything unprintable escaped: [`split_words`] gives it back.
pub fn quote(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len() + 2);
    out.push(b'"');
    for byte in word {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', *byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(*byte),
            _ => out.extend(format!("\\x{byte:02x}").into_bytes()),
        }
    }
    out.push(b'"');
    out
}

/// The word as it is where that is safe, else in quotes.
pub fn quote_if_needed(word: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'\'' | b'\\' | b'#');
    if !word.is_empty() && word.iter().all(is_plain) { word.to_vec() } else { quote(word) }
}

/// The word that starts at the first byte, and what follows it.
fn take_word(line: &[u8]) -> Result<(Vec<u8>, &[u8]), Unbalanced> {
    let mut word = Vec::new();
    let mut rest = line;
    loop {
        rest = match rest {
            [] | [0, ..] => return Ok((word, rest)),
            [byte, ..] if is_space(*byte) => return Ok((word, rest)),
            [b'"', tail @ ..] => return take_double_quoted(word, tail),
            [b'\'', tail @ ..] => return take_single_quoted(word, tail),
            [byte, tail @ ..] => {
                word.push(*byte);
                tail
            }
        };
    }
}

fn take_double_quoted(mut word: Vec<u8>, mut rest: &[u8]) -> Result<(Vec<u8>, &[u8]), Unbalanced> {
    loop {
        rest = match rest {
            [] => return Err(Unbalanced),
            [b'\\', b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                word.push(hex_digit(*high) << 4 | hex_digit(*low));
                tail
            }
            [b'\\', escaped, tail @ ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                tail
            }
            [b'"', tail @ ..] => return after_quote(word, tail),
            [byte, tail @ ..] => {
                word.push(*byte);
                tail
            }
        };
    }
}

fn take_single_quoted(mut word: Vec<u8>, mut rest: &[u8]) -> Result<(Vec<u8>, &[u8]), Unbalanced> {
    loop {
        rest = match rest {
            [] => return Err(Unbalanced),
            [b'\\', b'\'', tail @ ..] => {
                word.push(b'\'');
                tail
            }
            [b'\'', tail @ ..] => return after_quote(word, tail),
            [byte, tail @ ..] => {
                word.push(*byte);
                tail
            }
        };
    }
}

fn after_quote(word: Vec<u8>, rest: &[u8]) -> Result<(Vec<u8>, &[u8]), Unbalanced> {
    match rest.first() {
        Some(byte) if !is_space(*byte) && *byte != 0 => Err(Unbalanced),
        _ => Ok((word, rest)),
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0x0b | 0x0c)
}

fn hex_digit(byte: u8) -> u8 {
    (byte as char).to_digit(16).unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn quotes_and_escapes_follow_the_rules() {
        let words = |line: &str| split_words(line.as_bytes());
        assert_eq!(
            words(r#" a  "b c" 'd\'e' "" "\x41\n\q" "#),
            Ok(vec![b"a".to_vec(), b"b c".to_vec(), b"d'e".to_vec(), vec![], b"A\nq".to_vec()])
        );
        assert_eq!(words(r#"a"b c""#), Ok(vec![b"ab c".to_vec()]));
        for bad in [r#""a"#, "'a", r#""a"b"#, "'a'b", "\"\\"] {
            assert_eq!(words(bad), Err(Unbalanced), "{bad}");
        }
        assert_eq!(words("\x0b \t"), Ok(vec![]));
    }

    #[test]
    fn what_is_quoted_comes_back() {
        let mut rng = Rng::new(11);
        for _ in 0..5000 {
            let word: Vec<u8> = (0..rng.below(20)).map(|_| rng.next_u64() as u8).collect();
            assert_eq!(split_words(&quote(&word)), Ok(vec![word.clone()]));
            assert_eq!(split_words(&quote_if_needed(&word)), Ok(vec![word]));
            let noise: Vec<u8> = (0..rng.below(20)).map(|_| b"\"'\\ xa4"[rng.below(7) as usize]).collect();
            let _ = split_words(&noise);
        }
    }
}
