//! ACL files: a line `user <name> <rule>...` for each user, and lines of comment that begin with `#`.

use std::collections::BTreeSet;

use crate::base::shown::shown;

use super::rules::{self, RuleError, Why};
use super::selector::NewChannels;
use super::user::User;
use super::{Acl, is_name};

/// The users of a file.
///
/// # Errors
/// All that is wrong with it, in one line. `name` is what the file is called there.
pub fn parse(acl: &Acl, name: &str, content: &[u8], new: NewChannels) -> Result<Vec<User>, String> {
    let (mut users, mut seen, mut errors) = (Vec::new(), BTreeSet::new(), String::new());
    for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let number = index + 1;
        let mut words = line.split(|&byte| byte == b' ');
        let (Some(b"user"), Some(user)) = (words.next(), words.next()) else {
            errors.push_str(&format!("{name}:{number} should start with user keyword followed by the username. "));
            continue;
        };
        if !is_name(user) {
            errors.push_str(&format!("'{name}:{number}: username '{}' contains invalid characters. ", shown(user)));
            continue;
        }
        if !seen.insert(user.to_vec()) {
            errors.push_str(&format!("WARNING: Duplicate user '{}' found on line {number}. ", shown(user)));
            continue;
        }
        match parse_user(acl, user, &words.collect::<Vec<_>>(), new) {
            Ok(user) => users.push(user),
            Err(error) => errors.push_str(&format!("{name}:{number}: {}. ", in_file(&error))),
        }
    }
    if errors.is_empty() {
        return Ok(users);
    }
    errors.push_str("WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
    Err(errors)
}

/// A user as a line of a file makes it: from nothing.
///
/// # Errors
/// The first rule that cannot be.
pub fn parse_user(acl: &Acl, name: &[u8], words: &[&[u8]], new: NewChannels) -> Result<User, RuleError> {
    let mut user = User::new(name, &acl.catalog, new);
    for rule in rules::merge(words)? {
        user.apply(&rule, &acl.catalog, new)?;
    }
    Ok(user)
}

fn in_file(error: &RuleError) -> String {
    match error {
        RuleError::Rule(rule, Why::Unknown) => {
            format!("Error in applying operation '{}': {}", shown(rule), Why::Unknown.text())
        }
        RuleError::Rule(_, why) => why.text().to_owned(),
        RuleError::Unmatched(words) => format!("Unmatched parenthesis in selector definition: '{}'", shown(words)),
    }
}

/// The content of a file with all users.
pub fn write(acl: &Acl) -> Vec<u8> {
    acl.users().flat_map(|user| [b"user ".as_slice(), &user.file_text(), b"\n"].concat()).collect()
}
