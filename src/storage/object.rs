//! Values too large to lie in their entry: one box per key, whose content is shared nodes.

use super::Shared;
use super::dict::Dict;
use super::quicklist::Quicklist;
use super::stream::Stream;
use super::zset::Zset;

/// A value with an allocation of its own.
#[derive(Clone)]
pub enum Object {
    /// A long string. Shared, so that a reply can hold on to it while the key changes.
    Blob(Shared<Vec<u8>>),
    /// A large list.
    List(Quicklist),
    /// A large set or hash.
    Dict(Dict),
    /// A large sorted set.
    Zset(Box<Zset>),
    /// A stream.
    Stream(Box<Stream>),
}

impl Object {
    /// A clone to be written elsewhere, which shares its nodes with this one. Of a sorted set it holds the members in order.
    pub fn clone_for_cut(&self) -> Object {
        match self {
            Object::Zset(zset) => Object::Zset(Box::new(zset.clone_in_order())),
            other => other.clone(),
        }
    }

    /// Roughly how many allocations freeing this value takes: what decides whether another thread frees it.
    pub fn free_effort(&self) -> usize {
        match self {
            Object::Blob(_) => 1,
            Object::List(list) => list.node_count(),
            // A segment, a leaf holds some tens of elements.
            Object::Dict(dict) => dict.len() / 32 + 1,
            Object::Zset(zset) => zset.len() as usize / 24 + 1,
            Object::Stream(stream) => stream.free_effort() + 1,
        }
    }

    /// Bytes of all allocations of this value, for MEMORY USAGE.
    pub fn memory_bytes(&self) -> usize {
        let own = size_of::<Object>();
        own + match self {
            Object::Blob(bytes) => super::alloc::good_size(bytes.capacity()) + 32,
            Object::List(list) => list.memory_bytes(64),
            Object::Dict(dict) => dict.memory_bytes(),
            Object::Zset(zset) => zset.memory_bytes(),
            Object::Stream(stream) => stream.memory_bytes(),
        }
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Object::Blob(bytes) => write!(f, "Blob({} bytes)", bytes.len()),
            Object::List(list) => write!(f, "List({} elements)", list.len()),
            Object::Dict(dict) => write!(f, "Dict({} elements)", dict.len()),
            Object::Zset(zset) => write!(f, "Zset({} members)", zset.len()),
            Object::Stream(stream) => write!(f, "Stream({} entries)", stream.len()),
        }
    }
}
