//! The first line of a script or library: `#!lua name=... flags=...`.

use crate::base::bits::bits;
use crate::base::shown::shown;
use crate::resp::parser::split_args;

bits! {
    /// What a script says of itself, as FUNCTION LIST shows it.
    ScriptFlags: u32 {
        NO_WRITES = 0, "no-writes";
        ALLOW_OOM = 1, "allow-oom";
        ALLOW_STALE = 2, "allow-stale";
        NO_CLUSTER = 3, "no-cluster";
        ALLOW_CROSS_SLOT_KEYS = 4, "allow-cross-slot-keys";
    }
}

impl ScriptFlags {
    /// The flag of this name.
    pub fn named(name: &[u8]) -> Option<ScriptFlags> {
        ScriptFlags::ALL.iter().find(|(_, known)| known.as_bytes() == name).map(|(flag, _)| *flag)
    }
}

/// What the first line of a script says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shebang {
    /// None where there is no such line: the script is of the old kind.
    pub flags: Option<ScriptFlags>,
    /// Where the code begins: at the end of that line.
    pub code_at: usize,
}

impl Shebang {
    /// Reads the first line of a script.
    ///
    /// # Errors
    /// What EVAL answers.
    pub fn of_script(script: &[u8]) -> Result<Shebang, String> {
        if !script.starts_with(b"#!") {
            return Ok(Shebang { flags: None, code_at: 0 });
        }
        let Some(code_at) = script.iter().position(|&byte| byte == b'\n') else {
            return Err("Invalid script shebang".to_owned());
        };
        let parts = split_args(&script[..code_at]).filter(|parts| !parts.is_empty());
        let Some(parts) = parts else { return Err("Invalid engine in script shebang".to_owned()) };
        if parts[0] != b"#!lua" {
            return Err(format!("Unexpected engine in script shebang: {}", shown(&parts[0])));
        }
        let mut flags = ScriptFlags::NONE;
        for part in &parts[1..] {
            let Some(names) = part.strip_prefix(b"flags=") else {
                return Err(format!("Unknown lua shebang option: {}", shown(part)));
            };
            for name in names.split(|&byte| byte == b',').filter(|name| !name.is_empty()) {
                match ScriptFlags::named(name) {
                    Some(flag) => flags = flags.or(flag),
                    None => return Err(format!("Unexpected flag in script shebang: {}", shown(name))),
                }
            }
        }
        Ok(Shebang { flags: Some(flags), code_at })
    }
}
