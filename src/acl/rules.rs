//! Rules: the words of ACL SETUSER, of `user` lines and of ACL files.
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/#acl-rules>

use std::collections::BTreeSet;

use crate::base::sha;
use crate::base::shown::shown;
use crate::resp::parser::split_args;

use super::catalog::{self, Catalog};
use super::selector::{Grant, KeyAccess, NewChannels, Selector};
use super::user::User;

/// Why a rule cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Why {
    Syntax,
    Unknown,
    KeysAfterAll,
    ChannelsAfterAll,
    NoSuchPassword,
    BadHash,
    NoSuchDatabase,
    FirstArgOfSubcommand,
}

impl Why {
    /// As users read it.
    pub fn text(self) -> &'static str {
        match self {
            Why::Syntax => "Syntax error",
            Why::Unknown => "Unknown command or category name in ACL",
            Why::KeysAfterAll => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. \
                 Try 'resetkeys' to start with an empty list of patterns"
            }
            Why::ChannelsAfterAll => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            Why::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            Why::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            Why::NoSuchDatabase => "The provided database ID is out of range",
            Why::FirstArgOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        }
    }
}

/// A rule that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// This one, for this reason.
    Rule(Vec<u8>, Why),
    /// A parenthesis that is not closed, in the words from here on.
    Unmatched(Vec<u8>),
}

impl RuleError {
    /// What is wrong, without the rule.
    pub fn bare_text(&self) -> String {
        match self {
            RuleError::Rule(_, why) => why.text().to_owned(),
            RuleError::Unmatched(_) => self.text(),
        }
    }

    /// As ACL SETUSER answers.
    pub fn text(&self) -> String {
        match self {
            RuleError::Rule(rule, why) => {
                format!("Error in ACL SETUSER modifier '{}': {}", shown(up_to_nul(rule)), why.text())
            }
            RuleError::Unmatched(words) => {
                format!("Unmatched parenthesis in acl selector starting at '{}'.", shown(words))
            }
        }
    }
}

/// A word up to its first zero byte: what comes after it counts in passwords only.
fn up_to_nul(word: &[u8]) -> &[u8] {
    word.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Joins the words of each pair of parentheses into one rule.
///
/// # Errors
/// A parenthesis that is not closed.
pub fn merge(words: &[&[u8]]) -> Result<Vec<Vec<u8>>, RuleError> {
    let mut merged: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<(Vec<u8>, &[u8])> = None;
    for &word in words {
        let (mut rule, first) = match open.take() {
            Some((mut rule, first)) => {
                rule.push(b' ');
                rule.extend_from_slice(up_to_nul(word));
                (rule, first)
            }
            None if word.starts_with(b"(") => (word.to_vec(), word),
            None => {
                merged.push(word.to_vec());
                continue;
            }
        };
        if word.ends_with(b")") {
            merged.push(std::mem::take(&mut rule));
        } else {
            open = Some((rule, first));
        }
    }
    match open {
        Some((_, first)) => Err(RuleError::Unmatched(first.to_vec())),
        None => Ok(merged),
    }
}

impl User {
    /// Applies one rule (see `merge`).
    ///
    /// # Errors
    /// Why it cannot be; the user may be half changed then.
    pub fn apply(&mut self, rule: &[u8], catalog: &Catalog, new: NewChannels) -> Result<(), RuleError> {
        self.apply_word(rule, catalog, new).map_err(|why| RuleError::Rule(rule.to_vec(), why))
    }

    fn apply_word(&mut self, rule: &[u8], catalog: &Catalog, new: NewChannels) -> Result<(), Why> {
        let is = |word: &str| up_to_nul(rule).eq_ignore_ascii_case(word.as_bytes());
        match rule {
            [] => {}
            _ if is("on") => self.is_on = true,
            _ if is("off") => self.is_on = false,
            _ if is("nopass") => {
                self.no_password = true;
                self.passwords.clear();
            }
            _ if is("resetpass") => {
                self.no_password = false;
                self.passwords.clear();
            }
            _ if is("sanitize-payload") => self.skips_sanitizing = false,
            _ if is("skip-sanitize-payload") => self.skips_sanitizing = true,
            _ if is("clearselectors") => self.selectors.clear(),
            _ if is("reset") => self.reset(catalog, new),
            [b'>', password @ ..] => self.add_password(sha::sha256_hex(password)),
            [b'#', hash @ ..] => {
                let hash = hash_text(hash)?;
                self.add_password(hash);
            }
            [b'<', password @ ..] => self.remove_password(&sha::sha256_hex(password))?,
            [b'!', hash @ ..] => self.remove_password(&hash_text(hash)?)?,
            [b'(', inner @ .., b')'] => {
                let mut selector = Selector::none(catalog);
                if new == NewChannels::All {
                    selector.set_all_channels();
                }
                // A quote that is not closed leaves nothing.
                for word in split_args(up_to_nul(inner)).unwrap_or_default() {
                    apply_to_selector(&mut selector, &word, catalog)?;
                }
                self.selectors.push(selector);
            }
            _ => apply_to_selector(&mut self.root, rule, catalog)?,
        }
        Ok(())
    }

    fn add_password(&mut self, hash: String) {
        self.no_password = false;
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
    }

    fn remove_password(&mut self, hash: &str) -> Result<(), Why> {
        let at = self.passwords.iter().position(|known| known == hash).ok_or(Why::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }
}

fn hash_text(hash: &[u8]) -> Result<String, Why> {
    let is_hash = hash.len() == 64 && hash.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hash {
        return Err(Why::BadHash);
    }
    Ok(String::from_utf8_lossy(hash).into_owned())
}

fn apply_to_selector(selector: &mut Selector, rule: &[u8], catalog: &Catalog) -> Result<(), Why> {
    let word = up_to_nul(rule);
    let is = |other: &str| word.eq_ignore_ascii_case(other.as_bytes());
    // Patterns are looked at as a whole, so that none with a zero byte is taken.
    let is_pattern = matches!(rule, [b'~' | b'%' | b'&', ..]) && !is("~*") && !is("&*");
    match if is_pattern { rule } else { word } {
        _ if is("allkeys") || is("~*") => selector.set_all_keys(),
        _ if is("resetkeys") => selector.reset_keys(),
        _ if is("allchannels") || is("&*") => selector.set_all_channels(),
        _ if is("resetchannels") => selector.reset_channels(),
        _ if is("alldbs") => selector.set_dbs(None),
        _ if is("resetdbs") => selector.set_dbs(Some(BTreeSet::new())),
        _ if is("allcommands") || is("+@all") => selector.set_all_commands(Grant::Allow),
        _ if is("nocommands") || is("-@all") => selector.set_all_commands(Grant::Deny),
        [b'~' | b'%', ..] if selector.has_all_keys() => return Err(Why::KeysAfterAll),
        [b'~', pattern @ ..] => add_keys(selector, pattern, KeyAccess { reads: true, writes: true })?,
        [b'%', rest @ ..] => {
            let tilde = rest.iter().position(|&byte| byte == b'~').ok_or(Why::Syntax)?;
            let mut access = KeyAccess::default();
            for letter in &rest[..tilde] {
                match letter.to_ascii_uppercase() {
                    b'R' if !access.reads => access.reads = true,
                    b'W' if !access.writes => access.writes = true,
                    _ => return Err(Why::Syntax),
                }
            }
            if access == KeyAccess::default() {
                return Err(Why::Syntax);
            }
            add_keys(selector, &rest[tilde + 1..], access)?;
        }
        [b'&', pattern @ ..] => {
            if selector.has_all_channels() {
                return Err(Why::ChannelsAfterAll);
            }
            check_pattern(pattern)?;
            selector.add_channels(pattern);
        }
        [b'd' | b'D', b'b' | b'B', b'=', list @ ..] => {
            let dbs: Result<BTreeSet<i64>, Why> = list.split(|&byte| byte == b',').map(database).collect();
            selector.set_dbs(Some(dbs?));
        }
        [b'+', b'@', name @ ..] => set_category(selector, catalog, name, Grant::Allow)?,
        [b'-', b'@', name @ ..] => set_category(selector, catalog, name, Grant::Deny)?,
        [b'+', name @ ..] => allow_command(selector, catalog, name)?,
        [b'-', name @ ..] => {
            selector.set_command(catalog, catalog.find(name).ok_or(Why::Unknown)?, Grant::Deny);
        }
        _ => return Err(Why::Syntax),
    }
    Ok(())
}

/// Patterns are words: they could not be written to a file otherwise.
fn check_pattern(pattern: &[u8]) -> Result<(), Why> {
    if super::is_name(pattern) { Ok(()) } else { Err(Why::Syntax) }
}

/// The number of a database in a rule.
fn database(word: &[u8]) -> Result<i64, Why> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Why::Syntax);
    }
    let number = std::str::from_utf8(word).ok().and_then(|word| word.parse::<i32>().ok());
    number.filter(|&db| db >= 0).map(i64::from).ok_or(Why::NoSuchDatabase)
}

fn add_keys(selector: &mut Selector, pattern: &[u8], access: KeyAccess) -> Result<(), Why> {
    check_pattern(pattern)?;
    selector.add_keys(pattern, access);
    Ok(())
}

fn set_category(selector: &mut Selector, catalog: &Catalog, name: &[u8], grant: Grant) -> Result<(), Why> {
    let category = catalog::category(name).ok_or(Why::Unknown)?;
    let name = category.names().next().unwrap_or_default();
    selector.set_category(catalog, category, name, grant);
    Ok(())
}

fn allow_command(selector: &mut Selector, catalog: &Catalog, name: &[u8]) -> Result<(), Why> {
    if let Some(number) = catalog.find(name) {
        selector.set_command(catalog, number, Grant::Allow);
        return Ok(());
    }
    let bar = name.iter().rposition(|&byte| byte == b'|').ok_or(Why::Unknown)?;
    let (container, arg) = (&name[..bar], &name[bar + 1..]);
    let number = catalog.find(container).ok_or(Why::Unknown)?;
    if container.contains(&b'|') {
        return Err(Why::FirstArgOfSubcommand);
    }
    let has_subcommands = catalog.entry(number).is_some_and(|entry| !entry.subcommands.is_empty());
    if has_subcommands || arg.is_empty() {
        return Err(if arg.is_empty() { Why::Syntax } else { Why::Unknown });
    }
    let arg = std::str::from_utf8(arg).map_err(|_| Why::Syntax)?.to_ascii_lowercase();
    selector.allow_first_arg(catalog, number, &arg);
    Ok(())
}
