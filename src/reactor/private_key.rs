//! Private keys in PEM, encrypted or not: PKCS #8 (RFC 5958) encrypted as RFC 8018 says, and the form in which OpenSSL
//! wrote encrypted keys before, with a header that names the cipher.

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use des::TdesEde3;
use md5::{Digest, Md5};
use pem::Pem;
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

/// What a wrong pass phrase looks like: padding that is none, or a key that is none.
const WRONG_PASS: &str = "it cannot be decrypted with the pass phrase given";

/// The first private key of a file. Its pass phrase is only looked at if it is encrypted.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn parse(content: &[u8], pass: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let sections = pem::parse_many(content).map_err(|error| error.to_string())?;
    let is_key = |section: &&Pem| section.tag().ends_with("PRIVATE KEY");
    let section = sections.iter().find(is_key).ok_or("no private key in it")?;
    let cipher = section.headers().get("DEK-Info");
    let is_encrypted = cipher.is_some() || section.tag() == "ENCRYPTED PRIVATE KEY";
    if is_encrypted && pass.is_empty() {
        return Err("it is encrypted, and no pass phrase is given".to_owned());
    }
    let der = match cipher {
        Some(cipher) => decrypt(section.contents(), cipher, pass)?,
        None if is_encrypted => {
            let sealed = EncryptedPrivateKeyInfoRef::try_from(section.contents()).map_err(|error| error.to_string())?;
            let opened = sealed.decrypt(pass).map_err(|error| format!("{WRONG_PASS}: {error}"))?;
            opened.as_bytes().to_vec()
        }
        None => section.contents().to_vec(),
    };
    match section.tag() {
        "RSA PRIVATE KEY" => Ok(PrivatePkcs1KeyDer::from(der).into()),
        "EC PRIVATE KEY" => Ok(PrivateSec1KeyDer::from(der).into()),
        "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => Ok(PrivatePkcs8KeyDer::from(der).into()),
        other => Err(format!("keys of this kind are not supported: {other}")),
    }
}

/// Decrypts what a `DEK-Info` header describes: the name of a cipher and, in hexadecimal digits, what it begins with.
fn decrypt(content: &[u8], cipher: &str, pass: &[u8]) -> Result<Vec<u8>, String> {
    let unknown = || format!("it is encrypted in a way that is not supported: {cipher}");
    let (name, digits) = cipher.split_once(',').ok_or_else(unknown)?;
    let iv = from_hex(digits.trim()).ok_or_else(unknown)?;
    let salt = iv.first_chunk::<8>().ok_or_else(unknown)?;
    let key = stretch(pass, salt);
    let opened = match name.trim() {
        "AES-128-CBC" => open::<Decryptor<Aes128>>(&key[..16], &iv, content),
        "AES-192-CBC" => open::<Decryptor<Aes192>>(&key[..24], &iv, content),
        "AES-256-CBC" => open::<Decryptor<Aes256>>(&key, &iv, content),
        "DES-EDE3-CBC" => open::<Decryptor<TdesEde3>>(&key[..24], &iv, content),
        _ => return Err(unknown()),
    };
    opened.ok_or_else(|| WRONG_PASS.to_owned())
}

fn open<C: KeyIvInit + BlockModeDecrypt>(key: &[u8], iv: &[u8], content: &[u8]) -> Option<Vec<u8>> {
    C::new_from_slices(key, iv).ok()?.decrypt_padded_vec::<Pkcs7>(content).ok()
}

/// The key that a pass phrase stands for: the digest of phrase and salt, then the digest of that, phrase and salt.
fn stretch(pass: &[u8], salt: &[u8; 8]) -> [u8; 32] {
    let digest = |before: &[u8]| -> [u8; 16] {
        Md5::new().chain_update(before).chain_update(pass).chain_update(salt).finalize().into()
    };
    let first = digest(&[]);
    let second = digest(&first);
    let mut key = [0; 32];
    key[..16].copy_from_slice(&first);
    key[16..].copy_from_slice(&second);
    key
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok().filter(|_| pair.len() == 2);
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key in one of the forms that OpenSSL writes.
    fn file(name: &str) -> Vec<u8> {
        let path = format!("{}/tests/data/keys/{name}.pem", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).expect("a file of the tests")
    }

    fn parsed(name: &str, pass: &str) -> Result<Vec<u8>, String> {
        parse(&file(name), pass.as_bytes()).map(|key| key.secret_der().to_vec())
    }

    #[test]
    fn encrypted_keys_are_what_they_were_before() {
        let plain = parsed("plain", "").expect("a key");
        for name in ["aes", "scrypt", "des"] {
            assert_eq!(parsed(name, "open").as_ref(), Ok(&plain), "{name}");
        }
        let plain = parsed("old-plain", "not looked at").expect("a key");
        for name in ["old-aes128", "old-aes192", "old-aes256", "old-des3"] {
            assert_eq!(parsed(name, "open").as_ref(), Ok(&plain), "{name}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_opened_says_why() {
        for name in ["aes", "scrypt", "des", "old-aes256", "old-des3"] {
            let none = parsed(name, "").expect_err("no pass phrase");
            assert_eq!(none, "it is encrypted, and no pass phrase is given");
            let wrong = parsed(name, "closed");
            // In one case of 256 the padding looks right; what comes out is no key then.
            assert!(wrong.is_err_and(|why| why.starts_with(WRONG_PASS)), "{name}");
        }
        assert!(parsed("unsupported", "open").is_err());
        assert_eq!(parse(b"nothing", b"").err().as_deref(), Some("no private key in it"));
        let of_another_kind = b"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n";
        assert!(parse(of_another_kind, b"").is_err_and(|why| why.ends_with("DSA PRIVATE KEY")));
        for cipher in [
            "AES-256-CBC",
            "AES-256-CBC,00",
            "AES-256-CBC,0",
            "AES-256-CBC,zz",
            "AES-256-GCM,0123456789ABCDEF0123456789ABCDEF",
            "DES-EDE3-CBC,0123456789ABCDEF01",
        ] {
            let text = format!(
                "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: {cipher}\n\nAAAA\n-----END EC PRIVATE KEY-----\n"
            );
            assert!(parse(text.as_bytes(), b"open").is_err(), "{cipher}");
        }
    }

    #[test]
    fn a_torn_or_changed_file_is_no_danger() {
        for name in ["aes", "old-aes256"] {
            let whole = file(name);
            for at in 0..whole.len() {
                let mut changed = whole.clone();
                changed[at] ^= 1;
                // Deriving a key takes long: only what comes before that is tried.
                let _ = (parse(&whole[..at], b""), parse(&changed, b""));
            }
        }
    }
}
