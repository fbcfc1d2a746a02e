//! What a certificate says of its owner: the few fields of X.509 that rustls does not tell. Every length is checked; what
//! is malformed says nothing.

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
/// A time with two digits for its year, and one with four.
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]`, the version, which a certificate of version 1 lacks.
const VERSION: u8 = 0xa0;
/// `[3]`, the extensions.
const EXTENSIONS: u8 = 0xa3;
/// A URI among the alternative names.
const URI: u8 = 0x86;
/// Strings whose bytes are the text: UTF-8, printable, teletex and IA5.
const STRINGS: [u8; 4] = [0x0c, 0x13, 0x14, 0x16];

/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.17
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// The first common name of the subject.
pub(super) fn common_name(certificate: &[u8]) -> Option<Vec<u8>> {
    let names = Fields(parse(certificate)?.subject);
    names.filter(|&(tag, _)| tag == SET).find_map(|(_, set)| {
        Fields(set).filter(|&(tag, _)| tag == SEQUENCE).find_map(|(_, pair)| {
            let mut pair = Fields(pair);
            let (OBJECT_ID, COMMON_NAME) = pair.next()? else { return None };
            let (tag, text) = pair.next()?;
            STRINGS.contains(&tag).then(|| text.to_vec())
        })
    })
}

/// The URIs among the alternative names of the subject.
pub(super) fn uris(certificate: &[u8]) -> Vec<Vec<u8>> {
    let names = || {
        let (SEQUENCE, extensions) = Fields(parse(certificate)?.extensions?).next()? else { return None };
        Fields(extensions).find_map(|(_, extension)| {
            let mut fields = Fields(extension);
            let (OBJECT_ID, ALTERNATIVE_NAMES) = fields.next()? else { return None };
            let (_, wrapped) = fields.find(|&(tag, _)| tag == OCTET_STRING)?;
            Fields(wrapped).next().map(|(_, names)| names)
        })
    };
    Fields(names().unwrap_or_default()).filter(|&(tag, _)| tag == URI).map(|(_, uri)| uri.to_vec()).collect()
}

/// The public key (SubjectPublicKeyInfo) without its outermost tag and length.
pub(super) fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    parse(certificate).map(|parts| parts.public_key)
}

/// The serial number, in hexadecimal digits.
pub(super) fn serial(certificate: &[u8]) -> Option<String> {
    let serial = parse(certificate)?.serial;
    // A number whose first bit is set has a byte of zero before it.
    let digits = serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(serial);
    Some(digits.iter().map(|byte| format!("{byte:02X}")).collect())
}

/// The last second in which it is valid, since 1970.
pub(super) fn not_after(certificate: &[u8]) -> Option<i64> {
    let (tag, text) = Fields(parse(certificate)?.validity).nth(1)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let digits_of_year = match tag {
        UTC_TIME => 2,
        GENERALIZED_TIME => 4,
        _ => return None,
    };
    let (year, rest) = text.split_at_checked(digits_of_year)?;
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten();
    let year = match (tag, number(year)?) {
        (UTC_TIME, year @ ..50) => 2000 + year,
        (UTC_TIME, year) => 1900 + year,
        (_, year) => year,
    };
    let mut parts = [0; 5];
    for (at, part) in parts.iter_mut().enumerate() {
        *part = number(rest.get(2 * at..2 * at + 2)?)?;
    }
    let [month, day, hour, minute, second] = parts;
    if rest.len() != 10 || !(1..=12).contains(&month) {
        return None;
    }
    Some((days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second)
}

/// Days from 1970 to a date. Years are counted from March on, so that the day of a leap year is their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
}

/// The content of the outermost element of some DER.
pub(super) fn content(der: &[u8]) -> Option<&[u8]> {
    Fields(der).next().map(|(_, content)| content)
}

struct Parts<'a> {
    serial: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
    public_key: &'a [u8],
    extensions: Option<&'a [u8]>,
}

fn parse(certificate: &[u8]) -> Option<Parts<'_>> {
    let (SEQUENCE, signed) = Fields(content(certificate)?).next()? else { return None };
    let mut fields = Fields(signed);
    let mut serial = fields.next()?;
    if serial.0 == VERSION {
        serial = fields.next()?;
    }
    if serial.0 != INTEGER {
        return None;
    }
    // Signature algorithm and issuer come first.
    let (_, validity) = fields.nth(2)?;
    let (_, subject) = fields.next()?;
    let (_, public_key) = fields.next()?;
    let extensions = fields.find(|&(tag, _)| tag == EXTENSIONS).map(|(_, extensions)| extensions);
    Some(Parts { serial: serial.1, validity, subject, public_key, extensions })
}

/// The elements of some DER in a row, as tag and content, up to the first that is malformed.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
                (bytes.iter().fold(0, |len, &byte| len << 8 | usize::from(byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> (Vec<u8>, Vec<u8>) {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Some Organization");
        params.distinguished_name.push(rcgen::DnType::CommonName, "an-user");
        let uris = ["urn:one", "urn:two"].map(|uri| rcgen::SanType::URI(uri.try_into().expect("an URI")));
        params.subject_alt_names.extend(uris);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        (certificate.der().to_vec(), rcgen::PublicKeyData::subject_public_key_info(&key))
    }

    #[test]
    fn names_and_the_key_are_found() {
        let (certificate, key) = made();
        assert_eq!(common_name(&certificate).as_deref(), Some(b"an-user".as_slice()));
        assert_eq!(uris(&certificate), [b"urn:one".to_vec(), b"urn:two".to_vec()]);
        assert_eq!(public_key(&certificate), content(&key));
    }

    #[test]
    fn serial_number_and_end_are_found() {
        let mut params = rcgen::CertificateParams::default();
        params.serial_number = Some(vec![0x82, 0x6f, 0x01, 0x14].into());
        let key = rcgen::KeyPair::generate().expect("a key");
        let seconds = [
            ((1970, 1, 1), 0),
            ((2000, 2, 29), 951_782_400),
            ((2049, 12, 31), 2_524_521_600),
            ((2100, 3, 1), 4_107_542_400),
        ];
        for ((year, month, day), wanted) in seconds {
            params.not_after = rcgen::date_time_ymd(year, month, day);
            let certificate = params.self_signed(&key).expect("a certificate");
            assert_eq!(not_after(certificate.der()), Some(wanted), "{year}-{month}-{day}");
            assert_eq!(serial(certificate.der()).as_deref(), Some("826F0114"));
        }
    }

    #[test]
    fn a_torn_or_changed_certificate_is_no_danger() {
        let (certificate, _) = made();
        for end in 0..certificate.len() {
            let torn = &certificate[..end];
            assert_eq!((common_name(torn), uris(torn)), (None, Vec::new()));
            assert_eq!((serial(torn), not_after(torn)), (None, None));
        }
        for at in 0..certificate.len() {
            for byte in [0, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = certificate.clone();
                changed[at] = byte;
                // Whatever it says, saying it must not fail.
                let _ = (common_name(&changed), uris(&changed), public_key(&changed));
                let _ = (serial(&changed), not_after(&changed));
            }
        }
    }
}
