//! Shortest decimal digits of a double, by Grisu2 (Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately
//! with Integers", PLDI 2010). Redis prints doubles so: the digits always read back to the same double, and in one of some
//! hundred cases there is a shorter text that would, too. An exact shortest printer would differ there.

/// A number `mantissa * 2^exponent`.
#[derive(Clone, Copy)]
struct Wide {
    mantissa: u64,
    exponent: i32,
}

const HIDDEN_BIT: u64 = 1 << 52;
const POWER_FIRST: i32 = -348;
const POWER_STEP: i32 = 8;
/// A scaled number's exponent lies between these, so that its whole part fits 32 bits.
const EXPONENT_MIN: i32 = -60;
const EXPONENT_MAX: i32 = -32;

/// The digits of a finite number above zero, and the power of ten of the last one.
pub(super) fn digits(value: f64) -> (Vec<u8>, i32) {
    let bits = value.to_bits();
    let fraction = bits & (HIDDEN_BIT - 1);
    let own = match (bits >> 52 & 0x7ff) as i32 {
        0 => Wide { mantissa: fraction, exponent: -1074 },
        biased => Wide { mantissa: fraction | HIDDEN_BIT, exponent: biased - 1075 },
    };
    // Half way to the neighbours: what lies between reads back to this number. Below a power of two they are closer.
    let upper = Wide { mantissa: 2 * own.mantissa + 1, exponent: own.exponent - 1 }.normalized();
    let shift = if own.mantissa == HIDDEN_BIT { 2 } else { 1 };
    let lower = Wide { mantissa: (own.mantissa << shift) - 1, exponent: own.exponent - shift }.at(upper.exponent);
    let (power, ten_exponent) = scaling_power(upper.exponent);
    let (own, upper, lower) = (own.normalized().times(power), upper.times(power), lower.times(power));
    // One unit less on either side, for what multiplying rounded.
    let (digits, kappa) = generate(own.mantissa, lower.mantissa + 1, upper.mantissa - 1, -upper.exponent as u32);
    (digits, kappa - ten_exponent)
}

impl Wide {
    fn normalized(self) -> Wide {
        let shift = self.mantissa.leading_zeros();
        Wide { mantissa: self.mantissa << shift, exponent: self.exponent - shift as i32 }
    }

    fn at(self, exponent: i32) -> Wide {
        Wide { mantissa: self.mantissa << (self.exponent - exponent), exponent }
    }

    fn times(self, other: Wide) -> Wide {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa) + (1 << 63);
        Wide { mantissa: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }
}

/// A power of ten that brings numbers of this exponent into range, and its exponent of ten.
fn scaling_power(exponent: i32) -> (Wide, i32) {
    // Sometimes two powers serve; the digits depend on which is taken, and Redis begins with this estimate.
    let estimate = (-f64::from(exponent + POWERS.len() as i32) * std::f64::consts::LOG10_2) as i32;
    let mut index = ((estimate - POWER_FIRST) / POWER_STEP).clamp(0, POWERS.len() as i32 - 1) as usize;
    let scaled = |index: usize| exponent + POWERS[index].1 + 64;
    while index + 1 < POWERS.len() && scaled(index) < EXPONENT_MIN {
        index += 1;
    }
    while index > 0 && scaled(index) > EXPONENT_MAX {
        index -= 1;
    }
    let (mantissa, power) = POWERS[index];
    (Wide { mantissa, exponent: power }, POWER_FIRST + POWER_STEP * index as i32)
}

/// Digits of `upper` until what is left lies above `lower`, the last one then moved towards `own`. All three have `point` bits
/// after the point. Returns the power of ten of the last digit, too.
fn generate(own: u64, lower: u64, upper: u64, point: u32) -> (Vec<u8>, i32) {
    let (to_own, mut room) = (upper - own, upper - lower);
    let one = 1u64 << point;
    let (mut whole, mut part) = (upper >> point, upper & (one - 1));
    let mut digits = Vec::with_capacity(20);
    let push = |digit: u64, digits: &mut Vec<u8>| {
        if digit != 0 || !digits.is_empty() {
            digits.push(b'0' + digit as u8);
        }
    };
    for kappa in (0..10).rev() {
        let unit = 10u64.pow(kappa);
        push(whole / unit, &mut digits);
        whole %= unit;
        let rest = (whole << point) + part;
        if rest <= room {
            round_last(&mut digits, room, rest, unit << point, to_own);
            return (digits, kappa as i32);
        }
    }
    let (mut kappa, mut scale) = (0, 1u64);
    loop {
        part *= 10;
        room *= 10;
        scale = scale.wrapping_mul(10);
        kappa -= 1;
        push(part >> point, &mut digits);
        part &= one - 1;
        if part < room {
            round_last(&mut digits, room, part, one, to_own.wrapping_mul(scale));
            return (digits, kappa);
        }
    }
}

/// Lowers the last digit while that comes nearer to the number and stays in the room.
fn round_last(digits: &mut [u8], room: u64, mut rest: u64, unit: u64, to_own: u64) {
    let Some(last) = digits.last_mut() else { return };
    while rest < to_own && room - rest >= unit && (rest + unit < to_own || to_own - rest > rest + unit - to_own) {
        *last -= 1;
        rest += unit;
    }
}

/// Powers of ten from 10^-348 on, every eighth, rounded to 64 bits: mantissa and exponent of two.
#[rustfmt::skip]
const POWERS: [(u64, i32); 87] = [
    (0xfa8fd5a0081c0288, -1220), (0xbaaee17fa23ebf76, -1193), (0x8b16fb203055ac76, -1166),
    (0xcf42894a5dce35ea, -1140), (0x9a6bb0aa55653b2d, -1113), (0xe61acf033d1a45df, -1087),
    (0xab70fe17c79ac6ca, -1060), (0xff77b1fcbebcdc4f, -1034), (0xbe5691ef416bd60c, -1007),
    (0x8dd01fad907ffc3c, -980), (0xd3515c2831559a83, -954), (0x9d71ac8fada6c9b5, -927),
    (0xea9c227723ee8bcb, -901), (0xaecc49914078536d, -874), (0x823c12795db6ce57, -847),
    (0xc21094364dfb5637, -821), (0x9096ea6f3848984f, -794), (0xd77485cb25823ac7, -768),
    (0xa086cfcd97bf97f4, -741), (0xef340a98172aace5, -715), (0xb23867fb2a35b28e, -688),
    (0x84c8d4dfd2c63f3b, -661), (0xc5dd44271ad3cdba, -635), (0x936b9fcebb25c996, -608),
    (0xdbac6c247d62a584, -582), (0xa3ab66580d5fdaf6, -555), (0xf3e2f893dec3f126, -529),
    (0xb5b5ada8aaff80b8, -502), (0x87625f056c7c4a8b, -475), (0xc9bcff6034c13053, -449),
    (0x964e858c91ba2655, -422), (0xdff9772470297ebd, -396), (0xa6dfbd9fb8e5b88f, -369),
    (0xf8a95fcf88747d94, -343), (0xb94470938fa89bcf, -316), (0x8a08f0f8bf0f156b, -289),
    (0xcdb02555653131b6, -263), (0x993fe2c6d07b7fac, -236), (0xe45c10c42a2b3b06, -210),
    (0xaa242499697392d3, -183), (0xfd87b5f28300ca0e, -157), (0xbce5086492111aeb, -130),
    (0x8cbccc096f5088cc, -103), (0xd1b71758e219652c, -77), (0x9c40000000000000, -50),
    (0xe8d4a51000000000, -24), (0xad78ebc5ac620000, 3), (0x813f3978f8940984, 30),
    (0xc097ce7bc90715b3, 56), (0x8f7e32ce7bea5c70, 83), (0xd5d238a4abe98068, 109),
    (0x9f4f2726179a2245, 136), (0xed63a231d4c4fb27, 162), (0xb0de65388cc8ada8, 189),
    (0x83c7088e1aab65db, 216), (0xc45d1df942711d9a, 242), (0x924d692ca61be758, 269),
    (0xda01ee641a708dea, 295), (0xa26da3999aef774a, 322), (0xf209787bb47d6b85, 348),
    (0xb454e4a179dd1877, 375), (0x865b86925b9bc5c2, 402), (0xc83553c5c8965d3d, 428),
    (0x952ab45cfa97a0b3, 455), (0xde469fbd99a05fe3, 481), (0xa59bc234db398c25, 508),
    (0xf6c69a72a3989f5c, 534), (0xb7dcbf5354e9bece, 561), (0x88fcf317f22241e2, 588),
    (0xcc20ce9bd35c78a5, 614), (0x98165af37b2153df, 641), (0xe2a0b5dc971f303a, 667),
    (0xa8d9d1535ce3b396, 694), (0xfb9b7cd9a4a7443c, 720), (0xbb764c4ca7a44410, 747),
    (0x8bab8eefb6409c1a, 774), (0xd01fef10a657842c, 800), (0x9b10a4e5e9913129, 827),
    (0xe7109bfba19c0c9d, 853), (0xac2820d9623bf429, 880), (0x80444b5e7aa7cf85, 907),
    (0xbf21e44003acdd2d, 933), (0x8e679c2f5e44ff8f, 960), (0xd433179d9c8cb841, 986),
    (0x9e19db92b4e31ba9, 1013), (0xeb96bf6ebadf77d9, 1039), (0xaf87023b9bf0ee6b, 1066),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    fn text(value: f64) -> String {
        let (digits, exponent) = digits(value);
        format!("{}e{exponent}", String::from_utf8_lossy(&digits))
    }

    #[test]
    fn digits_read_back_and_are_nearly_always_the_shortest() {
        let mut rng = Rng::new(17);
        let (mut longer, count) = (0, 20_000);
        for round in 0..count {
            let bits = rng.next_u64() & !(1 << 63);
            let value = if round % 2 == 0 { f64::from_bits(bits) } else { rng.unit() * 100.0 };
            if value.is_finite() && value > 0.0 {
                assert_eq!(text(value).parse(), Ok(value));
                let shortest = format!("{value:e}");
                longer += usize::from(
                    digits(value).0.len() > shortest.split('e').next().unwrap_or("").replace('.', "").len(),
                );
            }
        }
        assert!(longer < count / 50, "{longer}");
        for value in [f64::MIN_POSITIVE, 5e-324, f64::MAX, 1.0, 0.1, 1e22, 1e23, 9007199254740993.0, 2f64.powi(-1022)] {
            assert_eq!(text(value).parse(), Ok(value));
        }
    }

    #[test]
    fn digits_are_those_of_redis_where_shorter_ones_exist() {
        assert_eq!(text(42.186_166_494_125_1), "42186166494125096e-15");
        assert_eq!(text(144.468_447_268_009_2), "14446844726800919e-14");
    }
}
