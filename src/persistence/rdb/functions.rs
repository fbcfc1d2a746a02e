//! Libraries of functions in files and in the payload of FUNCTION DUMP: one opcode and the code of the library, as a string.

use crate::base::crc;

use super::encode::{self, Compression, Out};
use super::reader::Reader;
use super::{VERSION_OLDEST, opcode};

/// Appends a library.
pub fn write(out: &mut impl Out, code: &[u8]) {
    out.buffer().push(opcode::FUNCTION);
    encode::string(out, code, Compression::Lzf);
}

/// The payload of FUNCTION DUMP.
pub fn dump<'a>(codes: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    codes.for_each(|code| write(&mut out, code));
    out.extend_from_slice(&VERSION_OLDEST.to_le_bytes());
    let checksum = crc::crc64(0, &out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// The libraries of a payload whose footer is valid.
///
/// # Errors
/// What FUNCTION RESTORE answers.
pub fn read(payload: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let body = payload.get(..payload.len().saturating_sub(10)).unwrap_or_default();
    let mut reader = Reader::of_bytes(body);
    let mut codes = Vec::new();
    while reader.offset() < body.len() as u64 {
        match reader.array() {
            Ok([opcode::FUNCTION]) => {}
            Ok([opcode::FUNCTION_OLD]) => return Err("Pre-GA function format not supported"),
            Ok(_) => return Err("given type is not a function"),
            Err(_) => return Err("failed loading functions"),
        }
        codes.push(reader.string().map_err(|_| "failed loading functions")?);
    }
    Ok(codes)
}
