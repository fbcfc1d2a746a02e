//! The LZF format, in which RDB files and list nodes hold compressed strings.
//! <http://oldhome.schmorp.de/marc/liblzf.html>
//!
//! A stream is a row of two kinds of items, told apart by the top three bits of the first byte:
//! ```text
//! 000LLLLL                     L + 1 literal bytes follow
//! LLLooooo oooooooo            copy L + 2 bytes (L from 1 to 6) from `o` + 1 bytes back
//! 111ooooo LLLLLLLL oooooooo   copy L + 9 bytes from `o` + 1 bytes back
//! ```
//! A copy may overlap what it makes.

/// A stream that is not LZF, or does not unpack to the promised length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLzf;

const LITERALS_MAX: usize = 32;
const OFFSET_MAX: usize = 1 << 13;
const COPY_MAX: usize = 264;
const HASH_BITS: u32 = 13;

/// Compresses `input`, if that takes at most `len_max` bytes. For many inputs a `Compressor` is faster.
pub fn compress(input: &[u8], len_max: usize) -> Option<Vec<u8>> {
    let mut compressor = Compressor::default();
    compressor.compress(input, len_max).map(<[u8]>::to_vec)
}

/// Compresses one input after the other without clearing its table in between.
pub struct Compressor {
    /// `base` plus the position of the last triple with each hash. What lies below `base` is of earlier inputs.
    last_seen: Vec<u32>,
    base: u32,
    out: Vec<u8>,
}

impl Default for Compressor {
    fn default() -> Compressor {
        Compressor { last_seen: vec![0; 1 << HASH_BITS], base: 1, out: Vec::new() }
    }
}

impl Compressor {
    /// Compresses `input`, if that takes at most `len_max` bytes. An `input` below four bytes is never worth it.
    /// Positions are kept in 31 bits: an input of 2 GiB or more is not compressed.
    pub fn compress(&mut self, input: &[u8], len_max: usize) -> Option<&[u8]> {
        if input.len() < 4 || input.len() > i32::MAX as usize {
            return None;
        }
        if self.base.checked_add(input.len() as u32).is_none() {
            self.last_seen.fill(0);
            self.base = 1;
        }
        self.out.clear();
        // A short input touches a part of the table only, which stays in the nearest cache.
        let bits = (input.len().ilog2() + 2).min(HASH_BITS);
        let fits = fill(&mut self.out, &mut self.last_seen, self.base, bits, input, len_max);
        self.base += input.len() as u32;
        fits.then_some(&self.out)
    }
}

/// Writes the stream of `input`; false if it takes more than `len_max` bytes.
fn fill(out: &mut Vec<u8>, last_seen: &mut [u32], base: u32, bits: u32, input: &[u8], len_max: usize) -> bool {
    let (mut position, mut literals_from) = (0, 0);
    while position + 3 <= input.len() {
        let triple = triple_at(input, position);
        let slot = &mut last_seen[hash_of(triple, bits)];
        let candidate = std::mem::replace(slot, base + position as u32);
        let from = candidate.wrapping_sub(base) as usize;
        let is_copy = candidate >= base && position - from <= OFFSET_MAX && triple_at(input, from) == triple;
        if !is_copy {
            position += 1;
            continue;
        }
        let ahead = &input[position..input.len().min(position + COPY_MAX)];
        let len = 3 + ahead[3..].iter().zip(&input[from + 3..]).take_while(|(a, b)| a == b).count();
        push_literals(out, &input[literals_from..position]);
        push_copy(out, position - from - 1, len);
        if out.len() > len_max {
            return false;
        }
        let end = position + len;
        // The last two triples of the copy are worth knowing, those within it rarely are.
        for p in (end - 2..end).filter(|p| p + 3 <= input.len()) {
            last_seen[hash_of(triple_at(input, p), bits)] = base + p as u32;
        }
        (position, literals_from) = (end, end);
    }
    push_literals(out, &input[literals_from..]);
    out.len() <= len_max
}

/// Unpacks a stream that must make exactly `len` bytes, after what `out` holds already. Memory grows with what is made, not
/// with what is promised. On failure some of it may have been made.
pub fn decompress_to(input: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), BadLzf> {
    let begin = out.len();
    let end = begin.checked_add(len).ok_or(BadLzf)?;
    let mut rest = input;
    while let [control, tail @ ..] = rest {
        let control = *control as usize;
        if control < LITERALS_MAX {
            let (literals, after) = tail.split_at_checked(control + 1).ok_or(BadLzf)?;
            out.extend_from_slice(literals);
            rest = after;
        } else {
            let (copy_len, low, after) = match (control >> 5, tail) {
                (7, [more, low, after @ ..]) => (*more as usize + 9, *low, after),
                (short @ 1..7, [low, after @ ..]) => (short + 2, *low, after),
                _ => return Err(BadLzf),
            };
            let back = ((control & 0x1f) << 8 | low as usize) + 1;
            let from = out.len().checked_sub(back).filter(|&from| from >= begin).ok_or(BadLzf)?;
            if out.len() + copy_len > end {
                return Err(BadLzf);
            }
            if back >= copy_len {
                out.extend_from_within(from..from + copy_len);
            } else {
                for p in from..from + copy_len {
                    out.push(out[p]);
                }
            }
            rest = after;
        }
        if out.len() > end {
            return Err(BadLzf);
        }
    }
    if out.len() == end { Ok(()) } else { Err(BadLzf) }
}

/// Three bytes as a number. Four are read where there are so many: that is one load.
#[inline]
fn triple_at(input: &[u8], at: usize) -> u32 {
    match input[at..].first_chunk::<4>() {
        Some(four) => u32::from_le_bytes(*four) & 0x00ff_ffff,
        None => u32::from_le_bytes([input[at], input[at + 1], input[at + 2], 0]),
    }
}

#[inline]
fn hash_of(triple: u32, bits: u32) -> usize {
    (triple.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize
}

fn push_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

/// Appends a copy of `len` bytes (3 to 264) from `offset` + 1 bytes back.
fn push_copy(out: &mut Vec<u8>, offset: usize, len: usize) {
    debug_assert!(offset < OFFSET_MAX && (3..=COPY_MAX).contains(&len));
    let high = (offset >> 8) as u8;
    if len <= 8 {
        out.push(((len - 2) << 5) as u8 | high);
    } else {
        out.push(7 << 5 | high);
        out.push((len - 9) as u8);
    }
    out.push(offset as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decompress(input: &[u8], len: usize) -> Result<Vec<u8>, BadLzf> {
        let mut out = Vec::new();
        decompress_to(input, len, &mut out).map(|()| out)
    }
    use crate::base::rng::Rng;

    #[test]
    fn random_inputs_come_back_whole() {
        let mut rng = Rng::new(5);
        for round in 0..3000 {
            let letters = 1 + rng.below(if round % 2 == 0 { 4 } else { 256 });
            let mut input: Vec<u8> = (0..rng.below(2000)).map(|_| rng.below(letters) as u8).collect();
            if round % 50 == 0 {
                let copy = input.clone();
                input.extend((0..9000).map(|_| rng.next_u64() as u8));
                input.extend_from_slice(&copy);
            }
            if let Some(packed) = compress(&input, usize::MAX) {
                assert_eq!(decompress(&packed, input.len()).as_deref(), Ok(input.as_slice()));
                assert_eq!(decompress(&packed, input.len() + 1), Err(BadLzf));
                assert_eq!(decompress(&packed, input.len() - 1), Err(BadLzf));
                assert!(compress(&input, packed.len()).is_some() && compress(&input, packed.len() - 1).is_none());
            }
        }
        let zeros = vec![0; 100_000];
        assert!(compress(&zeros, 2000).is_some());
        assert_eq!(compress(b"abc", 100), None);
    }

    #[test]
    fn hostile_streams_are_refused_not_believed() {
        let mut rng = Rng::new(6);
        for _ in 0..20_000 {
            let input: Vec<u8> = (0..rng.below(40)).map(|_| rng.next_u64() as u8).collect();
            let len = rng.below(600) as usize;
            if let Ok(out) = decompress(&input, len) {
                assert_eq!(out.len(), len);
            }
        }
        assert_eq!(decompress(&[0x20, 0x00], 3), Err(BadLzf));
        assert_eq!(decompress(&[0x05, b'a'], 6), Err(BadLzf));
        assert_eq!(decompress(b"", usize::MAX), Err(BadLzf));
    }
}
