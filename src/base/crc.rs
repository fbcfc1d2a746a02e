//! CRC-64/Jones, the checksum of RDB files and DUMP payloads: polynomial 0xad93d23594c935a9, reflected in and out,
//! initial value 0, no final xor. Eight bytes are folded a step by eight tables made at compile time.

/// Bytes of each of the three stretches that are summed side by side: each step waits for the one before it, and three
/// that do not wait for each other keep the processor busy.
const STRETCH: usize = 512;

/// The checksum of the bytes summed up in `crc` followed by `bytes`. Start with 0.
pub fn crc64(mut crc: u64, bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<{ 3 * STRETCH }>();
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        let (first, others) = words.split_at(STRETCH / 8);
        let (second, third) = others.split_at(STRETCH / 8);
        let mut sums = [crc, 0, 0];
        for ((a, b), c) in first.iter().zip(second).zip(third) {
            sums = [fold(sums[0], *a), fold(sums[1], *b), fold(sums[2], *c)];
        }
        crc = advance(advance(sums[0]) ^ sums[1]) ^ sums[2];
    }
    let (words, tail) = rest.as_chunks::<8>();
    for word in words {
        crc = fold(crc, *word);
    }
    for byte in tail {
        crc = TABLES[0][(crc as u8 ^ byte) as usize] ^ (crc >> 8);
    }
    crc
}

/// The checksum of eight more bytes.
#[inline]
fn fold(crc: u64, word: [u8; 8]) -> u64 {
    let x = (crc ^ u64::from_le_bytes(word)).to_le_bytes();
    TABLES[7][x[0] as usize]
        ^ TABLES[6][x[1] as usize]
        ^ TABLES[5][x[2] as usize]
        ^ TABLES[4][x[3] as usize]
        ^ TABLES[3][x[4] as usize]
        ^ TABLES[2][x[5] as usize]
        ^ TABLES[1][x[6] as usize]
        ^ TABLES[0][x[7] as usize]
}

/// The checksum of as many zeros as a stretch has bytes.
fn advance(crc: u64) -> u64 {
    crc.to_le_bytes().iter().zip(&ADVANCE).fold(0, |sum, (&byte, table)| sum ^ table[byte as usize])
}

/// The polynomial with its bits in reflected order.
const POLYNOMIAL: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();

/// `TABLES[n][b]` is the checksum of the byte `b` followed by `n` zero bytes.
static TABLES: [[u64; 256]; 8] = make_tables();

const fn make_tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut n = 1;
    while n < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[n - 1][byte];
            tables[n][byte] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            byte += 1;
        }
        n += 1;
    }
    tables
}

/// `ADVANCE[n][b]` is the checksum `b << 8n` followed by a stretch of zeros. A checksum of zeros is linear in what came
/// before: each bit is followed on its way once, a byte is the sum of its bits.
static ADVANCE: [[u64; 256]; 8] = make_advance();

const fn make_advance() -> [[u64; 256]; 8] {
    let tables = make_tables();
    let mut all = [[0; 256]; 8];
    let mut n = 0;
    while n < 8 {
        let mut byte = 1;
        while byte < 256 {
            let low = byte & (byte - 1);
            all[n][byte] = if low != 0 {
                all[n][low] ^ all[n][byte ^ low]
            } else {
                let mut crc = (byte as u64) << (8 * n);
                let mut step = 0;
                while step < STRETCH {
                    crc = tables[0][(crc & 0xff) as usize] ^ (crc >> 8);
                    step += 1;
                }
                crc
            };
            byte += 1;
        }
        n += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn the_check_value_holds_and_pieces_sum_to_the_whole() {
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        let zeros = [&b"123456789"[..], &[0; 9999]].concat();
        assert_eq!(crc64(0, &zeros), zeros.iter().fold(0, |crc, byte| crc64(crc, &[*byte])));
        let mut rng = Rng::new(4);
        let bytes: Vec<u8> = (0..10_000).map(|_| rng.next_u64() as u8).collect();
        let whole = crc64(0, &bytes);
        for _ in 0..200 {
            let cut = rng.below(10_001) as usize;
            assert_eq!(crc64(crc64(0, &bytes[..cut]), &bytes[cut..]), whole);
        }
    }
}
