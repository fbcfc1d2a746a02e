//! Bytes that a client sent, inside a text that is shown to it again. Texts are `String`s, while what clients send need not be
//! UTF-8 and is to come back unchanged: a byte that is part of no character stands as a character of a private range.

use std::fmt::Write;

/// The private characters: this one stands for byte 0, and so on.
const FIRST: u32 = 0x10_ff00;
const LAST: u32 = FIRST + 0xff;

/// Bytes as a text shows them: up to the first NUL, as Redis prints C strings.
pub fn shown(bytes: &[u8]) -> String {
    let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_private(c) {
                let mut utf8 = [0; 4];
                push_bytes(&mut text, c.encode_utf8(&mut utf8).as_bytes());
            } else {
                text.push(c);
            }
        }
        push_bytes(&mut text, chunk.invalid());
    }
    text
}

/// Appends a text with the bytes that it shows.
pub fn write_shown(text: &str, out: &mut Vec<u8>) {
    // All private characters begin with this byte.
    if !text.as_bytes().contains(&0xf4) {
        return out.extend_from_slice(text.as_bytes());
    }
    let mut utf8 = [0; 4];
    for c in text.chars() {
        if is_private(c) {
            out.push((u32::from(c) - FIRST) as u8);
        } else {
            out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
        }
    }
}

fn is_private(c: char) -> bool {
    (FIRST..=LAST).contains(&u32::from(c))
}

fn push_bytes(text: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        let private = char::from_u32(FIRST + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER);
        // Writing to a String cannot fail.
        let _ = text.write_char(private);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_comes_back() {
        for bytes in [
            &b"plain"[..],
            b"\xff\xfe",
            "\u{e4}\u{20ac}\u{10ffff}\u{10ff00}".as_bytes(),
            b"a\xc3",
            b"\xf4\x8f\xbf",
            b"",
        ] {
            let mut out = b"-".to_vec();
            write_shown(&format!("x{}y", shown(bytes)), &mut out);
            assert_eq!(out, [b"-x", bytes, b"y"].concat());
        }
        assert_eq!(shown(b"ab\0cd"), "ab");
    }
}
