//! What a certificate says of its owner: the few fields of X.509 that rustls does not tell. Every length is checked; what
//! is malformed says nothing.

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
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

/// The content of the outermost element of some DER.
pub(super) fn content(der: &[u8]) -> Option<&[u8]> {
    Fields(der).next().map(|(_, content)| content)
}

struct Parts<'a> {
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
    // Signature algorithm, issuer, validity.
    let (_, subject) = fields.nth(3)?;
    let (_, public_key) = fields.next()?;
    let extensions = fields.find(|&(tag, _)| tag == EXTENSIONS).map(|(_, extensions)| extensions);
    Some(Parts { subject, public_key, extensions })
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
    fn a_torn_or_changed_certificate_is_no_danger() {
        let (certificate, _) = made();
        for end in 0..certificate.len() {
            let torn = &certificate[..end];
            assert_eq!((common_name(torn), uris(torn)), (None, Vec::new()));
        }
        for at in 0..certificate.len() {
            for byte in [0, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = certificate.clone();
                changed[at] = byte;
                // Whatever it says, saying it must not fail.
                let _ = (common_name(&changed), uris(&changed), public_key(&changed));
            }
        }
    }
}
