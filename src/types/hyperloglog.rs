//! HyperLogLog in Redis's string format, so that values go both ways.
//!
//! ```text
//! "HYLL"  encoding (0 dense, 1 sparse)  3 zero bytes  8 bytes cached cardinality, little endian, top bit: stale
//! dense   16384 registers of 6 bits, least significant bits first
//! sparse  00nnnnnn                  n + 1 registers are zero (up to 64)
//!         01nnnnnn nnnnnnnn         n + 1 registers are zero (up to 16384)
//!         1vvvvvnn                  n + 1 registers (up to 4) hold v + 1 (up to 32)
//! ```
//! The estimate follows O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017).

/// Number of registers.
pub const REGISTERS: usize = 1 << P;
const P: u32 = 14;
const Q: usize = 64 - P as usize;
const HEADER: usize = 16;
const DENSE_LEN: usize = HEADER + REGISTERS * 6 / 8;
const SPARSE_VALUE_MAX: u8 = 32;
const MAGIC: &[u8; 4] = b"HYLL";
const HASH_SEED: u64 = 0xadc8_3b19;

/// The bytes are no HyperLogLog, or a broken one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Not one at all.
    NotHyperLogLog,
    /// The registers do not add up.
    Corrupted,
}

/// How registers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Dense,
    Sparse,
}

/// An empty one.
pub fn new() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&[1, 0, 0, 0]);
    bytes.extend_from_slice(&[0; 8]);
    put_zeros(&mut bytes, REGISTERS);
    bytes
}

/// How its registers are stored.
///
/// # Errors
/// If the bytes are no HyperLogLog.
pub fn layout(bytes: &[u8]) -> Result<Layout, Invalid> {
    if bytes.len() < HEADER || &bytes[..4] != MAGIC {
        return Err(Invalid::NotHyperLogLog);
    }
    match bytes[4] {
        0 if bytes.len() == DENSE_LEN => Ok(Layout::Dense),
        1 => Ok(Layout::Sparse),
        _ => Err(Invalid::NotHyperLogLog),
    }
}

/// MurmurHash64A by A. Appleby (public domain), which decides what Redis's registers hold.
fn murmur64a(key: &[u8], seed: u64) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut h = seed ^ (key.len() as u64).wrapping_mul(M);
    let (words, rest) = key.as_chunks::<8>();
    for word in words {
        let k = u64::from_le_bytes(*word).wrapping_mul(M);
        h = (h ^ (k ^ k >> 47).wrapping_mul(M)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        h = (h ^ u64::from_le_bytes(last)).wrapping_mul(M);
    }
    h = (h ^ h >> 47).wrapping_mul(M);
    h ^ h >> 47
}

/// The register of an element and the least value it must hold.
pub fn register_of(element: &[u8]) -> (usize, u8) {
    let hash = murmur64a(element, HASH_SEED);
    let index = hash as usize & (REGISTERS - 1);
    let rest = hash >> P | 1 << Q;
    (index, rest.trailing_zeros() as u8 + 1)
}

fn dense_get(registers: &[u8], index: usize) -> u8 {
    let (byte, shift) = (index * 6 / 8, index * 6 % 8);
    let next = registers.get(byte + 1).copied().unwrap_or(0);
    ((u16::from(registers[byte]) | u16::from(next) << 8) >> shift) as u8 & 63
}

fn dense_set(registers: &mut [u8], index: usize, value: u8) {
    let (byte, shift) = (index * 6 / 8, index * 6 % 8);
    let mask = 63u16 << shift;
    let value = u16::from(value) << shift;
    registers[byte] = registers[byte] & !(mask as u8) | value as u8;
    if mask >> 8 != 0 {
        registers[byte + 1] = registers[byte + 1] & !((mask >> 8) as u8) | (value >> 8) as u8;
    }
}

/// One run of equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    at: usize,
    bytes: usize,
    value: u8,
    len: usize,
}

fn run_at(bytes: &[u8], at: usize) -> Option<Run> {
    let first = *bytes.get(at)?;
    Some(match first >> 6 {
        0 => Run { at, bytes: 1, value: 0, len: usize::from(first & 63) + 1 },
        1 => {
            let second = *bytes.get(at + 1)?;
            Run { at, bytes: 2, value: 0, len: (usize::from(first & 63) << 8 | usize::from(second)) + 1 }
        }
        _ => Run { at, bytes: 1, value: (first >> 2 & 31) + 1, len: usize::from(first & 3) + 1 },
    })
}

fn put_zeros(out: &mut Vec<u8>, len: usize) {
    match len {
        0 => {}
        1..=64 => out.push(len as u8 - 1),
        _ => out.extend_from_slice(&[0x40 | ((len - 1) >> 8) as u8, (len - 1) as u8]),
    }
}

fn put_values(out: &mut Vec<u8>, value: u8, len: usize) {
    if len > 0 {
        out.push(0x80 | (value - 1) << 2 | (len as u8 - 1));
    }
}

/// All registers.
///
/// # Errors
/// If they do not add up.
pub fn registers(bytes: &[u8]) -> Result<Vec<u8>, Invalid> {
    if layout(bytes)? == Layout::Dense {
        return Ok((0..REGISTERS).map(|index| dense_get(&bytes[HEADER..], index)).collect());
    }
    let mut all = Vec::with_capacity(REGISTERS);
    let mut at = HEADER;
    while at < bytes.len() {
        let run = run_at(bytes, at).ok_or(Invalid::Corrupted)?;
        if all.len() + run.len > REGISTERS {
            return Err(Invalid::Corrupted);
        }
        all.resize(all.len() + run.len, run.value);
        at += run.bytes;
    }
    if all.len() == REGISTERS { Ok(all) } else { Err(Invalid::Corrupted) }
}

/// Turns a sparse one into a dense one.
///
/// # Errors
/// If its registers do not add up.
pub fn to_dense(bytes: &mut Vec<u8>) -> Result<(), Invalid> {
    if layout(bytes)? == Layout::Dense {
        return Ok(());
    }
    let all = registers(bytes)?;
    let mut dense = vec![0; DENSE_LEN];
    dense[..HEADER].copy_from_slice(&bytes[..HEADER]);
    dense[4] = 0;
    for (index, &value) in all.iter().enumerate().filter(|(_, value)| **value > 0) {
        dense_set(&mut dense[HEADER..], index, value);
    }
    *bytes = dense;
    Ok(())
}

/// Raises a register of a dense one. True if it was lower.
pub fn raise_dense(bytes: &mut [u8], index: usize, value: u8) -> bool {
    let registers = &mut bytes[HEADER..];
    let raised = dense_get(registers, index) < value;
    if raised {
        dense_set(registers, index, value);
    }
    raised
}

/// Raises a register; a sparse one that would grow beyond `sparse_max` bytes, or cannot hold the value, becomes dense.
/// True if it was lower.
///
/// # Errors
/// If its registers do not add up.
pub fn raise(bytes: &mut Vec<u8>, index: usize, value: u8, sparse_max: usize) -> Result<bool, Invalid> {
    if layout(bytes)? == Layout::Dense {
        return Ok(raise_dense(bytes, index, value));
    }
    if value > SPARSE_VALUE_MAX {
        to_dense(bytes)?;
        return Ok(raise_dense(bytes, index, value));
    }
    let (mut at, mut first, mut previous) = (HEADER, 0, None);
    let run = loop {
        let run = run_at(bytes, at).ok_or(Invalid::Corrupted)?;
        if index < first + run.len {
            break run;
        }
        first += run.len;
        previous = Some(at);
        at += run.bytes;
    };
    if run.value >= value {
        return Ok(false);
    }
    // The run, cut in three around the register.
    let mut parts = Vec::with_capacity(5);
    let (before, after) = (index - first, first + run.len - 1 - index);
    let put = |out: &mut Vec<u8>, len: usize| {
        if run.value == 0 { put_zeros(out, len) } else { put_values(out, run.value, len) }
    };
    put(&mut parts, before);
    put_values(&mut parts, value, 1);
    put(&mut parts, after);
    if parts.len() > run.bytes && bytes.len() + parts.len() - run.bytes > sparse_max {
        to_dense(bytes)?;
        return Ok(raise_dense(bytes, index, value));
    }
    bytes.splice(run.at..run.at + run.bytes, parts);
    merge_runs(bytes, previous.unwrap_or(HEADER));
    Ok(true)
}

/// Joins neighbouring runs of the same value, near the place that changed.
fn merge_runs(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let Some(run) = run_at(bytes, at) else { return };
        if run.value > 0
            && let Some(next) = run_at(bytes, at + 1)
            && next.value == run.value
            && run.len + next.len <= 4
        {
            bytes[at] = 0x80 | (run.value - 1) << 2 | (run.len + next.len - 1) as u8;
            bytes.remove(at + 1);
            // The joined run may take in its next neighbour too.
            continue;
        }
        at += run.bytes;
    }
}

/// Notes that the cached cardinality no longer holds.
pub fn invalidate_cache(bytes: &mut [u8]) {
    bytes[15] |= 0x80;
}

/// The cached cardinality, if it holds.
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let cache = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?);
    (cache >> 63 == 0).then_some(cache)
}

/// Caches the cardinality.
pub fn set_cached(bytes: &mut [u8], cardinality: u64) {
    bytes[8..16].copy_from_slice(&cardinality.to_le_bytes());
}

/// How many different elements these registers have seen.
pub fn estimate(registers: &[u8]) -> u64 {
    let mut histogram = [0u32; 64];
    registers.iter().for_each(|&value| histogram[usize::from(value & 63)] += 1);
    let m = REGISTERS as f64;
    let mut z = m * tau((m - f64::from(histogram[Q + 1])) / m);
    for value in (1..=Q).rev() {
        z += f64::from(histogram[value]);
        z *= 0.5;
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    let alpha = 0.5 / std::f64::consts::LN_2;
    (alpha * m * m / z).round() as u64
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

/// The runs of a sparse one as PFDEBUG DECODE shows them.
///
/// # Errors
/// If its registers do not add up.
pub fn describe_sparse(bytes: &[u8]) -> Result<String, Invalid> {
    registers(bytes)?;
    let mut words = Vec::new();
    let mut at = HEADER;
    while let Some(run) = run_at(bytes, at) {
        words.push(match (run.value, run.bytes) {
            (0, 1) => format!("z:{}", run.len),
            (0, _) => format!("Z:{}", run.len),
            (value, _) => format!("v:{value},{}", run.len),
        });
        at += run.bytes;
    }
    Ok(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn sparse_and_dense_agree_with_plain_registers() {
        let mut rng = Rng::new(8);
        for _ in 0..6 {
            let mut sparse = new();
            let mut dense = new();
            to_dense(&mut dense).unwrap();
            let mut model = vec![0u8; REGISTERS];
            for _ in 0..1500 {
                let (index, value) = (rng.below(400) as usize * 41 % REGISTERS, 1 + rng.below(34) as u8);
                let raised = model[index] < value;
                model[index] = model[index].max(value);
                assert_eq!(raise(&mut sparse, index, value, 3000), Ok(raised));
                assert_eq!(raise(&mut dense, index, value, 3000), Ok(raised));
            }
            assert_eq!(registers(&sparse).unwrap(), model);
            assert_eq!(registers(&dense).unwrap(), model);
        }
    }

    #[test]
    fn estimates_are_close() {
        let mut bytes = new();
        for n in 0..100_000 {
            let (index, value) = register_of(format!("element {n}").as_bytes());
            raise(&mut bytes, index, value, 3000).unwrap();
            if [100, 1000, 10_000, 99_999].contains(&n) {
                let estimate = estimate(&registers(&bytes).unwrap()) as f64;
                assert!((estimate / f64::from(n + 1) - 1.0).abs() < 0.03, "{n}: {estimate}");
            }
        }
    }

    #[test]
    fn broken_bytes_are_refused() {
        assert_eq!(layout(b"HYLL"), Err(Invalid::NotHyperLogLog));
        let mut bytes = new();
        bytes.push(0);
        assert_eq!(registers(&bytes), Err(Invalid::Corrupted));
        bytes.truncate(HEADER + 1);
        assert_eq!(registers(&bytes), Err(Invalid::Corrupted));
        assert_eq!(raise(&mut bytes, 5, 5, 3000), Err(Invalid::Corrupted));
    }
}
