//! A user: how it says who it is, and what its selectors allow.

use crate::base::sha;

use super::catalog::Catalog;
use super::selector::{Grant, KeyAccess, NewChannels, Selector};

/// See the file's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: Vec<u8>,
    /// May it log in?
    pub is_on: bool,
    /// Does any password do?
    pub no_password: bool,
    /// Does its flag say that payloads it restores need not be looked through? They are all the same: it is only kept and shown.
    pub skips_sanitizing: bool,
    /// SHA-256 of its passwords, in lower-case hexadecimal digits.
    pub passwords: Vec<String>,
    /// What the rules outside parentheses allow.
    pub root: Selector,
    /// One for each pair of parentheses.
    pub selectors: Vec<Selector>,
}

impl User {
    /// A new user, who may do nothing.
    pub fn new(name: &[u8], catalog: &Catalog, new: NewChannels) -> User {
        let mut user = User {
            name: name.to_vec(),
            is_on: false,
            no_password: false,
            skips_sanitizing: false,
            passwords: Vec::new(),
            root: Selector::none(catalog),
            selectors: Vec::new(),
        };
        user.reset(catalog, new);
        user
    }

    /// The default user at first: on, without a password, allowed everything.
    pub fn default_user(catalog: &Catalog) -> User {
        let mut user = User::new(super::DEFAULT_USER, catalog, NewChannels::None);
        (user.is_on, user.no_password) = (true, true);
        user.root.set_all_commands(Grant::Allow);
        user.root.set_all_keys();
        user.root.set_all_channels();
        user
    }

    /// Makes it as it was when it was new.
    pub fn reset(&mut self, catalog: &Catalog, new: NewChannels) {
        (self.is_on, self.no_password, self.skips_sanitizing) = (false, false, false);
        self.passwords.clear();
        self.selectors.clear();
        self.root = Selector::none(catalog);
        if new == NewChannels::All {
            self.root.set_all_channels();
        }
    }

    /// Makes this its one password; with an empty one it needs none.
    pub fn set_only_password(&mut self, password: &[u8]) {
        self.passwords.clear();
        self.no_password = password.is_empty();
        if !password.is_empty() {
            self.passwords.push(sha::sha256_hex(password));
        }
    }

    /// Is this the right password, and may the user log in at all?
    pub fn admits(&self, password: &[u8]) -> bool {
        // All are compared, so that the time tells nothing.
        let hash = sha::sha256_hex(password);
        let known = self.passwords.iter().fold(false, |known, each| known | is_same(each.as_bytes(), hash.as_bytes()));
        self.is_on && (self.no_password || known)
    }

    /// All selectors, the root first.
    pub fn all_selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Is nothing kept from it?
    pub fn is_unrestricted(&self) -> bool {
        self.all_selectors().any(Selector::is_unrestricted)
    }

    /// May it read every key? (SORT BY and GET look at any.)
    pub fn reads_every_key(&self) -> bool {
        let reading = KeyAccess { reads: true, writes: false };
        self.all_selectors().any(|selector| selector.allows_every_key(reading))
    }

    /// May it use this channel, by any of its selectors?
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.all_selectors().any(|selector| selector.allows_channel(channel, is_pattern))
    }

    /// The words of its flags.
    pub fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.is_on { "on" } else { "off" }];
        if self.no_password {
            flags.push("nopass");
        }
        flags.push(if self.skips_sanitizing { "skip-sanitize-payload" } else { "sanitize-payload" });
        flags
    }

    /// The rules that make it, as ACL LIST has them after `user `.
    pub fn text(&self) -> Vec<u8> {
        self.text_with(Selector::text)
    }

    /// The same for a file, which makes an equal user again whatever the patterns in parentheses are made of.
    pub fn file_text(&self) -> Vec<u8> {
        self.text_with(Selector::quoted_text)
    }

    fn text_with(&self, inner: fn(&Selector) -> Vec<u8>) -> Vec<u8> {
        let mut text = self.name.clone();
        for flag in self.flags() {
            text.push(b' ');
            text.extend_from_slice(flag.as_bytes());
        }
        for password in &self.passwords {
            text.extend_from_slice(b" #");
            text.extend_from_slice(password.as_bytes());
        }
        text.push(b' ');
        text.extend_from_slice(&self.root.text());
        for selector in &self.selectors {
            text.extend_from_slice(b" (");
            text.extend_from_slice(&inner(selector));
            text.push(b')');
        }
        text
    }
}

fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}
