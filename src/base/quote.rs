//! Arguments as people read them, in logs, MONITOR and manifests.

/// An argument in double quotes, with escapes for what is not printable.
pub fn quoted(arg: &[u8]) -> String {
    let mut text = String::with_capacity(arg.len() + 2);
    text.push('"');
    for &byte in arg {
        match byte {
            b'\\' | b'"' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            7 => text.push_str("\\a"),
            8 => text.push_str("\\b"),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}
