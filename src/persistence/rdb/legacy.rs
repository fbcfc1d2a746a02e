//! Packed forms that only old files hold: ziplist (before Redis 7.0) and zipmap (before 2.6).

/// The elements of a ziplist; None if the bytes are none.
///
/// ```text
/// u32 bytes, u32 offset of the last entry, u16 count (65535: unknown), entries, 0xFF
/// entry: length of the one before (1 byte, or 0xFE and 4), encoding, content
/// ```
pub fn ziplist(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let header = bytes.get(..10)?;
    let total = u32::from_le_bytes(header[..4].try_into().ok()?) as usize;
    let tail = u32::from_le_bytes(header[4..8].try_into().ok()?) as usize;
    let count = usize::from(u16::from_le_bytes([header[8], header[9]]));
    if total != bytes.len() || bytes.last() != Some(&0xff) {
        return None;
    }
    let mut all = Vec::new();
    let (mut at, mut before, mut last) = (10, 0, 10);
    while at < bytes.len() - 1 {
        let start = at;
        let (previous, size) = match bytes[at] {
            0xfe => (u32::from_le_bytes(bytes.get(at + 1..at + 5)?.try_into().ok()?) as usize, 5),
            0xff => return None,
            short => (usize::from(short), 1),
        };
        if previous != before {
            return None;
        }
        at += size;
        let (element, next) = ziplist_element(bytes, at)?;
        if next > bytes.len() - 1 {
            return None;
        }
        all.push(element);
        (before, last, at) = (next - start, start, next);
    }
    let is_counted = count == all.len() || count == usize::from(u16::MAX);
    (is_counted && (tail == last || all.is_empty())).then_some(all)
}

fn ziplist_element(bytes: &[u8], at: usize) -> Option<(Vec<u8>, usize)> {
    let first = *bytes.get(at)?;
    let text = |start: usize, len: usize| {
        let end = start.checked_add(len)?;
        Some((bytes.get(start..end)?.to_vec(), end))
    };
    let number = |size: usize| {
        let content = bytes.get(at + 1..at + 1 + size)?;
        let mut wide = if content[size - 1] & 0x80 == 0 { [0u8; 8] } else { [0xff; 8] };
        wide[..size].copy_from_slice(content);
        Some((i64::from_le_bytes(wide).to_string().into_bytes(), at + 1 + size))
    };
    match first {
        0x00..0x40 => text(at + 1, usize::from(first)),
        0x40..0x80 => text(at + 2, usize::from(first & 63) << 8 | usize::from(*bytes.get(at + 1)?)),
        0x80 => text(at + 5, u32::from_be_bytes(bytes.get(at + 1..at + 5)?.try_into().ok()?) as usize),
        0xc0 => number(2),
        0xd0 => number(4),
        0xe0 => number(8),
        0xf0 => number(3),
        0xfe => number(1),
        0xf1..=0xfd => Some((i64::from(first - 0xf1).to_string().into_bytes(), at + 1)),
        _ => None,
    }
}

/// The fields and values of a zipmap in turns; None if the bytes are none.
///
/// ```text
/// u8 count, then: length (1 byte, or 0xFE and 4), field, length, u8 free bytes, value, the free bytes; 0xFF
/// ```
pub fn zipmap(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    let mut at = 1;
    let length = |at: usize| match *bytes.get(at)? {
        0xfe => Some((u32::from_le_bytes(bytes.get(at + 1..at + 5)?.try_into().ok()?) as usize, at + 5)),
        0xff => None,
        short => Some((usize::from(short), at + 1)),
    };
    while *bytes.get(at)? != 0xff {
        let (len, start) = length(at)?;
        all.push(bytes.get(start..start.checked_add(len)?)?.to_vec());
        let (len, start) = length(start + len)?;
        let free = usize::from(*bytes.get(start)?);
        all.push(bytes.get(start + 1..(start + 1).checked_add(len)?)?.to_vec());
        at = start + 1 + len + free;
    }
    let fields = all.len() / 2;
    (at == bytes.len() - 1 && (fields == usize::from(bytes[0]) || bytes[0] >= 254)).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    const ZIPLIST: &[u8] =
        b"\x18\x00\x00\x00\x13\x00\x00\x00\x04\x00\x00\x02hi\x04\xf3\x02\xfe\x85\x03\xc0\xe8\x03\xff";
    const ZIPMAP: &[u8] = b"\x02\x03foo\x03\x00bar\x05hello\x05\x01world.\xff";

    #[test]
    fn elements_come_out() {
        let text = |all: Vec<Vec<u8>>| all.into_iter().map(|e| String::from_utf8(e).unwrap()).collect::<Vec<_>>();
        assert_eq!(text(ziplist(ZIPLIST).unwrap()), ["hi", "2", "-123", "1000"]);
        assert_eq!(text(zipmap(ZIPMAP).unwrap()), ["foo", "bar", "hello", "world"]);
    }

    #[test]
    fn broken_bytes_never_panic() {
        let mut rng = Rng::new(3);
        for _ in 0..if cfg!(miri) { 100 } else { 50_000 } {
            let mut bytes = if rng.below(2) == 0 { ZIPLIST } else { ZIPMAP }.to_vec();
            for _ in 0..1 + rng.below(3) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = rng.next_u64() as u8;
            }
            bytes.truncate(bytes.len() - rng.below(3) as usize);
            let _ = (ziplist(&bytes), zipmap(&bytes));
        }
    }
}
