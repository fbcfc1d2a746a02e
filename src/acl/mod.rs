//! Access control: who may connect, and which commands, keys, channels and databases each user may touch.
//! Deliberately absent: clients and what becomes of them when a user changes (`server::permission`), the commands ACL and AUTH
//! (`commands`), files (`commands` and `reactor` read and write them). Called by those.
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>

pub mod catalog;
pub mod check;
pub mod file;
pub mod log;
pub mod rules;
pub mod selector;
pub mod user;

use std::collections::BTreeMap;

pub use catalog::Catalog;
pub use check::{Access, Denied, Request};
pub use log::{Context, Log, Reason};
pub use rules::RuleError;
pub use selector::NewChannels;
pub use user::User;

/// The user of a connection that has not said who it is.
pub const DEFAULT_USER: &[u8] = b"default";

/// All users, and who was turned away lately.
pub struct Acl {
    users: BTreeMap<Vec<u8>, User>,
    /// The commands that rules speak of.
    pub catalog: Catalog,
    /// Refusals.
    pub log: Log,
}

impl Acl {
    /// Only the default user, who may do everything without a password.
    pub fn new(catalog: Catalog) -> Acl {
        let default = User::default_user(&catalog);
        Acl { users: BTreeMap::from([(DEFAULT_USER.to_vec(), default)]), catalog, log: Log::default() }
    }

    /// The user of this name.
    pub fn user(&self, name: &[u8]) -> Option<&User> {
        self.users.get(name)
    }

    /// The default user.
    ///
    /// # Panics
    /// Never: this user cannot be removed.
    pub fn default_user(&self) -> &User {
        &self.users[DEFAULT_USER]
    }

    /// All users in order of their names.
    pub fn users(&self) -> impl ExactSizeIterator<Item = &User> {
        self.users.values()
    }

    /// Adds a user, or puts it in the place of the one of the same name.
    pub fn put(&mut self, user: User) {
        self.users.insert(user.name.clone(), user);
    }

    /// Removes a user. The default user stays. Returns whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        name != DEFAULT_USER && self.users.remove(name).is_some()
    }

    /// Puts these users in the place of all. Without a default user among them the present one stays.
    pub fn replace_all(&mut self, users: Vec<User>) {
        let default = self.users.remove(DEFAULT_USER);
        self.users = default.into_iter().chain(users).map(|user| (user.name.clone(), user)).collect();
    }

    /// Makes this the one password of the default user; an empty one: it needs none (requirepass).
    pub fn set_default_password(&mut self, password: &[u8]) {
        if let Some(user) = self.users.get_mut(DEFAULT_USER) {
            user.set_only_password(password);
        }
    }

    /// A copy of this user, or a new one, with these rules applied.
    ///
    /// # Errors
    /// The first rule that cannot be, and why. Nothing has changed.
    pub fn edited(&self, name: &[u8], rules: &[&[u8]], new: NewChannels) -> Result<User, RuleError> {
        let merged = rules::merge(rules)?;
        let mut user = self.users.get(name).cloned().unwrap_or_else(|| User::new(name, &self.catalog, new));
        for rule in &merged {
            user.apply(rule, &self.catalog, new)?;
        }
        Ok(user)
    }
}

/// May a user be called so? A name has no spaces and no zero bytes.
pub fn is_name(name: &[u8]) -> bool {
    !name.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b))
}
