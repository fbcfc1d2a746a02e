//! Values too large to lie in their entry: one box per key, whose content is shared nodes.

use super::Shared;

/// A value with an allocation of its own.
#[derive(Clone, Debug)]
pub enum Object {
    /// A long string. Shared, so that a reply can hold on to it while the key changes.
    Blob(Shared<Vec<u8>>),
}

impl Object {
    /// Roughly how many allocations freeing this value takes: what decides whether another thread frees it.
    pub fn free_effort(&self) -> usize {
        match self {
            Object::Blob(_) => 1,
        }
    }
}
