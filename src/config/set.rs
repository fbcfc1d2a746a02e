//! CONFIG GET and CONFIG SET.

use super::directive::{Directive, Flags};
use super::setting::Origin;
use super::table::{Config, DIRECTIVES};
use crate::base::glob::{Case, is_match};
use crate::base::shown::shown;

/// The pairs of names and values that CONFIG GET replies. A name without wildcards finds hidden directives too and is
/// replied as it was asked; a pattern finds every visible name it matches, aliases included. No name comes twice.
pub fn get(config: &Config, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut add = |name: &[u8], directive: &Directive| {
        if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            found.push((name.to_vec(), directive.show(config)));
        }
    };
    for pattern in patterns {
        if !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
            if let Some(directive) = Directive::find(pattern) {
                add(pattern, directive);
            }
            continue;
        }
        for directive in DIRECTIVES.iter().filter(|directive| !directive.flags.contains(Flags::HIDDEN)) {
            for name in directive.names.iter().filter(|name| is_match(pattern, name.as_bytes(), Case::Ignored)) {
                add(name.as_bytes(), directive);
            }
        }
    }
    found
}

/// What CONFIG SET may do at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// `enable-protected-configs` lets this client change protected directives.
    pub protected: bool,
    /// The data is being loaded.
    pub loading: bool,
}

/// Sets several directives, all or none: first every name is checked, then every value read into a copy, then the copy
/// becomes the configuration and `apply` is told of each directive that changed or is volatile. If `apply` refuses one, the old
/// configuration is put back and `apply` is told again of those it had taken and of the one it refused. The error is the whole text of
/// the reply after the `-`.
pub fn set(
    config: &mut Config,
    pairs: &[(&[u8], &[u8])],
    permit: Permit,
    apply: &mut dyn FnMut(&'static Directive, &Config) -> Result<(), String>,
) -> Result<(), String> {
    let directives = check_names(pairs, permit)?;
    let mut candidate = config.clone();
    for (directive, (name, value)) in directives.iter().zip(pairs) {
        let words: Vec<&[u8]> = match directive.is_list {
            true => value.split(|byte| *byte == b' ').collect(),
            false => vec![value],
        };
        directive.read(&mut candidate, &words, Origin::Set).map_err(|reason| failed(name, &reason))?;
    }
    candidate.settle();
    let before = std::mem::replace(config, candidate);
    let is_changed =
        |directive: &Directive| directive.flags.contains(Flags::VOLATILE) || !directive.is_equal(&before, config);
    let changed = || directives.iter().zip(pairs).filter(|(directive, _)| is_changed(directive));
    let refusal = changed().enumerate().find_map(|(count, (directive, (name, _)))| {
        apply(directive, config).err().map(|reason| (count, failed(name, &reason)))
    });
    let Some((count, error)) = refusal else { return Ok(()) };
    let taken: Vec<&'static Directive> = changed().take(count + 1).map(|(directive, _)| *directive).collect();
    *config = before;
    for directive in taken {
        // Going back to a value that was in force a moment ago: there is nobody left to tell of a failure.
        let _ = apply(directive, config);
    }
    Err(error)
}

/// The directives of all names, if each may be set.
fn check_names(pairs: &[(&[u8], &[u8])], permit: Permit) -> Result<Vec<&'static Directive>, String> {
    let mut directives: Vec<&'static Directive> = Vec::with_capacity(pairs.len());
    for (name, _) in pairs {
        let Some(directive) = Directive::find(name) else {
            let name = shown(name);
            return Err(format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'"));
        };
        let flags = directive.flags;
        if flags.contains(Flags::IMMUTABLE) {
            return Err(failed(name, "can't set immutable config"));
        }
        if flags.contains(Flags::PROTECTED) && !permit.protected {
            return Err(failed(name, "can't set protected config"));
        }
        if flags.contains(Flags::DENY_LOADING) && permit.loading {
            return Err("LOADING Redis is loading the dataset in memory".to_owned());
        }
        // A name and its alias may stand side by side, as in Redis: the later one wins.
        if pairs[..directives.len()].iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Err(failed(name, "duplicate parameter"));
        }
        directives.push(directive);
    }
    Ok(directives)
}

fn failed(name: &[u8], reason: &str) -> String {
    let name = shown(name);
    format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
}

#[cfg(test)]
mod tests;
