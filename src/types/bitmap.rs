//! Strings as rows of bits, and as rows of integers of any width.

use std::ops::Range;

use crate::storage::{ByteRegion, Encoding, EntryMut, NewValue, Object, Shared, Type, Value};

use super::string::INLINE_MAX;

/// Room for growth beyond a string's length is at most so many bytes.
const SPARE_MAX: usize = 1 << 20;

/// What the bounds of a range count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Byte,
    Bit,
}

/// A string of bytes that is not to be looked at as a number.
pub fn new_bytes(bytes: &[u8]) -> NewValue<'_> {
    if bytes.len() <= INLINE_MAX {
        return NewValue::Bytes(Encoding::Inline, bytes);
    }
    NewValue::Object(Encoding::Blob, Box::new(Object::Blob(Shared::new(bytes.to_vec()))))
}

/// Changes the bytes of a string in place, grown with zeros to at least `len_min` first.
pub fn change_bytes<R>(entry: &mut EntryMut<'_>, len_min: usize, edit: impl FnOnce(&mut [u8]) -> R) -> R {
    if let Value::Int(number) = entry.value() {
        let mut digits = itoa::Buffer::new();
        entry.set_value(Type::String, NewValue::Bytes(Encoding::Inline, digits.format(number).as_bytes()));
    }
    if let Value::Bytes(bytes) = entry.value()
        && bytes.len().max(len_min) > INLINE_MAX
    {
        let blob = Shared::new(bytes.to_vec());
        entry.set_value(Type::String, NewValue::Object(Encoding::Blob, Box::new(Object::Blob(blob))));
    }
    entry.set_raw(true);
    if let Some(Object::Blob(blob)) = entry.object_mut() {
        let bytes = blob.make_mut();
        if bytes.len() < len_min {
            grow(bytes, len_min);
        }
        return edit(bytes);
    }
    let mut region = entry.region();
    let len = region.bytes().len();
    if len < len_min {
        region.splice(len, 0, len_min - len);
        region.bytes_mut()[len..].fill(0);
    }
    edit(region.bytes_mut())
}

/// Lengthens a string with zeros. One that grows step by step finds room for its next steps, though never much of it: what
/// is spare counts as used memory. A new one has just its length.
fn grow(bytes: &mut Vec<u8>, len: usize) {
    if bytes.capacity() < len {
        let spare = if bytes.is_empty() { 0 } else { len.min(SPARE_MAX) };
        bytes.reserve_exact(len - bytes.len() + spare);
    }
    bytes.resize(len, 0);
}

/// The bits between two bounds, each counted from the end if negative; None if there are none.
pub fn bit_range(len_bytes: usize, start: i64, end: i64, unit: Unit) -> Option<Range<usize>> {
    let scale = if unit == Unit::Byte { 8 } else { 1 };
    let total = (len_bytes * 8 / scale) as i64;
    let clip = |bound: i64| if bound < 0 { (bound + total).max(0) } else { bound };
    let (start, end) = (clip(start), clip(end).min(total - 1));
    (start <= end).then(|| start as usize * scale..(end as usize + 1) * scale)
}

/// How many bits of a range are set. The range must lie inside.
pub fn count(bytes: &[u8], bits: Range<usize>) -> u64 {
    let (first, last) = (bits.start / 8, (bits.end - 1) / 8);
    let head = 0xffu8 >> (bits.start % 8);
    let tail = !(0x7fu8 >> ((bits.end - 1) % 8));
    if first == last {
        return u64::from((bytes[first] & head & tail).count_ones());
    }
    let (words, rest) = bytes[first + 1..last].as_chunks::<8>();
    let inner: u64 = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    let rest: u64 = rest.iter().map(|byte| u64::from(byte.count_ones())).sum();
    u64::from((bytes[first] & head).count_ones()) + inner + rest + u64::from((bytes[last] & tail).count_ones())
}

/// The first bit of a range that is `wanted`.
pub fn position(bytes: &[u8], bits: Range<usize>, wanted: bool) -> Option<usize> {
    let skip = if wanted { 0 } else { 0xff };
    let mut at = bits.start;
    while at < bits.end {
        if at.is_multiple_of(8) {
            let whole = &bytes[at / 8..bits.end / 8];
            at += whole.iter().take_while(|&&byte| byte == skip).count() * 8;
            if at >= bits.end {
                return None;
            }
        }
        if (bytes[at / 8] >> (7 - at % 8) & 1 == 1) == wanted {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// What BITOP does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// The first without all others.
    Diff,
    /// All others without the first.
    Diff1,
    /// The first where any other is set.
    AndOr,
    /// Bits set in exactly one.
    One,
}

impl Operation {
    /// The operation of this upper-case name.
    pub fn parse(name: &[u8]) -> Option<Operation> {
        Some(match name {
            b"AND" => Operation::And,
            b"OR" => Operation::Or,
            b"XOR" => Operation::Xor,
            b"NOT" => Operation::Not,
            b"DIFF" => Operation::Diff,
            b"DIFF1" => Operation::Diff1,
            b"ANDOR" => Operation::AndOr,
            b"ONE" => Operation::One,
            _ => return None,
        })
    }

    /// Does it make no sense with one source?
    pub fn needs_two(self) -> bool {
        matches!(self, Operation::Diff | Operation::Diff1 | Operation::AndOr)
    }
}

/// Combines strings; shorter ones are taken to be followed by zeros. At least one must be given.
pub fn combine(operation: Operation, strings: &[Vec<u8>]) -> Vec<u8> {
    let len = strings.iter().map(Vec::len).max().unwrap_or(0);
    let mut result = strings[0].clone();
    result.resize(len, 0);
    if operation == Operation::Not {
        result.iter_mut().for_each(|byte| *byte = !*byte);
        return result;
    }
    // Bits seen in any of the others, and (for ONE) in more than one of all.
    let mut others = vec![0u8; len];
    let mut twice = vec![0u8; len];
    for string in &strings[1..] {
        for (index, other) in others.iter_mut().enumerate() {
            let byte = string.get(index).copied().unwrap_or(0);
            match operation {
                Operation::And => result[index] &= byte,
                Operation::Or => result[index] |= byte,
                Operation::Xor => result[index] ^= byte,
                Operation::One => {
                    twice[index] |= (result[index] | *other) & byte;
                    *other |= byte;
                }
                _ => *other |= byte,
            }
        }
    }
    for (index, byte) in result.iter_mut().enumerate() {
        match operation {
            Operation::Diff => *byte &= !others[index],
            Operation::Diff1 => *byte = others[index] & !*byte,
            Operation::AndOr => *byte &= others[index],
            Operation::One => *byte = (*byte | others[index]) & !twice[index],
            _ => {}
        }
    }
    result
}

/// What happens to a number that does not fit its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

/// An integer type of BITFIELD: up to 64 bits signed, 63 unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Field {
    pub is_signed: bool,
    pub bits: u32,
}

impl Field {
    /// `i16`, `u8` and the like.
    pub fn parse(text: &[u8]) -> Option<Field> {
        let (kind, digits) = text.split_first()?;
        let is_signed = match kind {
            b'i' => true,
            b'u' => false,
            _ => return None,
        };
        let bits = crate::base::number::parse_i64(digits)?;
        let most = if is_signed { 64 } else { 63 };
        (1..=most).contains(&bits).then_some(Field { is_signed, bits: bits as u32 })
    }

    /// The least and the greatest number of this type.
    fn bounds(self) -> (i128, i128) {
        if self.is_signed {
            (-(1i128 << (self.bits - 1)), (1i128 << (self.bits - 1)) - 1)
        } else {
            (0, (1i128 << self.bits) - 1)
        }
    }

    /// The number at a bit offset; what lies beyond the end is zero.
    pub fn read(self, bytes: &[u8], offset: u64) -> i64 {
        let mut number = 0u64;
        for bit in offset..offset + u64::from(self.bits) {
            let byte = bytes.get((bit >> 3) as usize).copied().unwrap_or(0);
            number = number << 1 | u64::from(byte >> (7 - (bit & 7)) & 1);
        }
        if self.is_signed && self.bits < 64 && number >> (self.bits - 1) & 1 == 1 {
            return (number | u64::MAX << self.bits) as i64;
        }
        number as i64
    }

    /// Writes the number's low bits at an offset inside.
    pub fn write(self, bytes: &mut [u8], offset: u64, number: i64) {
        for index in 0..self.bits {
            let bit = offset + u64::from(index);
            let mask = 128u8 >> (bit & 7);
            let byte = &mut bytes[(bit >> 3) as usize];
            let on = number >> (self.bits - 1 - index) & 1 == 1;
            *byte = if on { *byte | mask } else { *byte & !mask };
        }
    }

    fn clip(self, number: i128, overflow: Overflow) -> Option<i64> {
        let (least, greatest) = self.bounds();
        if (least..=greatest).contains(&number) {
            return Some(number as i64);
        }
        match overflow {
            Overflow::Fail => None,
            Overflow::Saturate => Some(if number < least { least } else { greatest } as i64),
            Overflow::Wrap => {
                let span = 1i128 << self.bits;
                let wrapped = number.rem_euclid(span);
                Some(if wrapped > greatest { wrapped - span } else { wrapped } as i64)
            }
        }
    }

    /// A number made to fit; None if it does not and must not be made to. An unsigned field sees it as unsigned.
    pub fn fit(self, number: i64, overflow: Overflow) -> Option<i64> {
        self.clip(if self.is_signed { i128::from(number) } else { i128::from(number as u64) }, overflow)
    }

    /// A sum made to fit; None if it does not and must not be made to.
    pub fn add(self, number: i64, by: i64, overflow: Overflow) -> Option<i64> {
        self.clip(i128::from(number) + i128::from(by), overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn counting_and_finding_agree_with_one_bit_at_a_time() {
        let mut rng = Rng::new(5);
        for _ in 0..2000 {
            let bytes: Vec<u8> =
                (0..rng.below(40)).map(|_| [0, 0xff, rng.next_u64() as u8][rng.below(3) as usize]).collect();
            let (a, b) = (rng.below(100) as i64 - 50, rng.below(100) as i64 - 50);
            let unit = if rng.below(2) == 0 { Unit::Byte } else { Unit::Bit };
            let Some(range) = bit_range(bytes.len(), a, b, unit) else { continue };
            assert!(range.start < range.end && range.end <= bytes.len() * 8);
            let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1 == 1;
            assert_eq!(count(&bytes, range.clone()), range.clone().filter(|&at| bit(at)).count() as u64);
            for wanted in [false, true] {
                assert_eq!(position(&bytes, range.clone(), wanted), range.clone().find(|&at| bit(at) == wanted));
            }
        }
    }

    #[test]
    fn fields_are_read_as_written() {
        let mut rng = Rng::new(6);
        for _ in 0..2000 {
            let is_signed = rng.below(2) == 0;
            let field = Field { is_signed, bits: 1 + rng.below(if is_signed { 64 } else { 63 }) as u32 };
            let mut bytes = vec![rng.next_u64() as u8; 20];
            let (offset, number) = (rng.below(90), rng.next_u64() as i64);
            let fitted = field.fit(number, Overflow::Wrap).unwrap();
            field.write(&mut bytes, offset, fitted);
            assert_eq!(field.read(&bytes, offset), fitted, "{field:?}");
            let saturated = field.add(fitted, i64::MAX, Overflow::Saturate).unwrap();
            assert!(saturated >= fitted);
        }
    }
}
