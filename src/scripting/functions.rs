//! Libraries of functions: what FUNCTION LOAD keeps, by library and by function.

use std::collections::BTreeMap;

use crate::base::shown::shown;
use crate::resp::parser::split_args;

use super::engine::{Registration, Slot};
use super::shebang::ScriptFlags;
use super::words::Words;

/// The complaint about a name.
pub const BAD_NAME: &str =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// May a library or a function have this name?
pub fn is_valid_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Function {
    pub name: Vec<u8>,
    pub description: Option<Vec<u8>>,
    pub flags: ScriptFlags,
    pub slot: Slot,
    pub words: Words,
}

/// A library.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Library {
    pub name: Vec<u8>,
    /// With its first line.
    pub code: Vec<u8>,
    pub functions: Vec<Function>,
}

/// Takes the first line off a library's code. Returns its name and what follows the line.
///
/// # Errors
/// What FUNCTION LOAD answers.
pub fn parse_metadata(code: &[u8]) -> Result<(Vec<u8>, &[u8]), String> {
    if !code.starts_with(b"#!") {
        return Err("Missing library metadata".to_owned());
    }
    let invalid = || "Invalid library metadata".to_owned();
    let end = code.iter().position(|&byte| byte == b'\n').ok_or_else(invalid)?;
    let parts = split_args(&code[..end]).filter(|parts| !parts.is_empty()).ok_or_else(invalid)?;
    let mut name: Option<Vec<u8>> = None;
    for part in &parts[1..] {
        match part.strip_prefix(b"name=") {
            Some(_) if name.is_some() => {
                return Err("Invalid metadata value, name argument was given multiple times".to_owned());
            }
            Some(given) => name = Some(given.to_vec()),
            None => return Err(format!("Invalid metadata value given: {}", shown(part))),
        }
    }
    let name = name.ok_or_else(|| "Library name was not given".to_owned())?;
    if !is_valid_name(&name) {
        return Err(BAD_NAME.to_owned());
    }
    let engine = &parts[0][2..];
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(format!("Engine '{}' not found", shown(engine)));
    }
    Ok((name, &code[end..]))
}

/// All libraries.
#[derive(Clone, Debug, Default)]
pub struct Libraries {
    libraries: BTreeMap<Vec<u8>, Library>,
    /// The library of each function, whose name counts in lower case.
    owners: BTreeMap<Vec<u8>, Vec<u8>>,
    bytes: usize,
}

impl Libraries {
    /// A library.
    pub fn get(&self, name: &[u8]) -> Option<&Library> {
        self.libraries.get(name)
    }

    /// A function.
    pub fn function(&self, name: &[u8]) -> Option<&Function> {
        let library = self.libraries.get(self.owners.get(&name.to_ascii_lowercase())?)?;
        library.functions.iter().find(|function| function.name.eq_ignore_ascii_case(name))
    }

    /// The function of this name that a library other than `but` has.
    pub fn has_function_elsewhere(&self, name: &[u8], but: &[u8]) -> bool {
        self.owners.get(&name.to_ascii_lowercase()).is_some_and(|owner| owner != but)
    }

    /// Takes a library in, in place of the one of its name. Returns that one.
    pub fn insert(&mut self, library: Library) -> Option<Library> {
        let old = self.remove(&library.name);
        for function in &library.functions {
            self.owners.insert(function.name.to_ascii_lowercase(), library.name.clone());
        }
        self.bytes += library.code.len();
        self.libraries.insert(library.name.clone(), library);
        old
    }

    /// Takes a library away.
    pub fn remove(&mut self, name: &[u8]) -> Option<Library> {
        let library = self.libraries.remove(name)?;
        self.bytes -= library.code.len();
        for function in &library.functions {
            self.owners.remove(&function.name.to_ascii_lowercase());
        }
        Some(library)
    }

    /// All of them, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Library> {
        self.libraries.values()
    }

    /// The code of each, as files hold it.
    pub fn codes(&self) -> Vec<Vec<u8>> {
        self.iter().map(|library| library.code.clone()).collect()
    }

    /// How many libraries there are.
    pub fn len(&self) -> usize {
        self.libraries.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.libraries.is_empty()
    }

    /// How many functions there are.
    pub fn function_count(&self) -> usize {
        self.owners.len()
    }

    /// Bytes of memory that they take outside of Lua.
    pub fn bytes(&self) -> usize {
        self.bytes + self.libraries.len() * size_of::<Library>() + self.owners.len() * (size_of::<Function>() + 64)
    }
}

/// A library of what its code registered, with where that is kept.
pub fn library_of(name: &[u8], code: &[u8], registered: Vec<Registration>, slots: Vec<Slot>) -> Library {
    let functions = registered
        .into_iter()
        .zip(slots)
        .map(|(registration, slot)| Function {
            slot,
            flags: registration
                .flags
                .iter()
                .fold(ScriptFlags::NONE, |flags, name| ScriptFlags::named(name).map_or(flags, |flag| flags.or(flag))),
            name: registration.name,
            words: registration.words,
            description: registration.description,
        })
        .collect();
    Library { name: name.to_vec(), code: code.to_vec(), functions }
}
