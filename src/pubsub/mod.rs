//! Publish and subscribe: who listens to which channel, pattern or shard channel. Deliberately absent: delivering (dispatch
//! writes the messages to the clients found here) and slots. Called by `commands`, `dispatch`.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::glob::{self, Case};

/// A listener: the number of a client.
pub type Listener = u64;

/// What one client listens to.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Subscriptions {
    pub channels: BTreeSet<Vec<u8>>,
    pub patterns: BTreeSet<Vec<u8>>,
    pub shard_channels: BTreeSet<Vec<u8>>,
}

impl Subscriptions {
    /// Does it listen to nothing?
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }

    /// The set of this kind.
    pub fn of(&mut self, kind: Kind) -> &mut BTreeSet<Vec<u8>> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }

    /// How many subscriptions count together with this kind: shard channels alone, the others as one.
    pub fn count_like(&self, kind: Kind) -> usize {
        match kind {
            Kind::Shard => self.shard_channels.len(),
            Kind::Channel | Kind::Pattern => self.channels.len() + self.patterns.len(),
        }
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        let all = self.channels.iter().chain(&self.patterns).chain(&self.shard_channels);
        all.map(|name| name.capacity() + 64).sum()
    }
}

/// What is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A channel by its name.
    Channel,
    /// All channels that match a glob pattern.
    Pattern,
    /// A shard channel, bound to a slot in a cluster.
    Shard,
}

type Listeners = BTreeMap<Vec<u8>, BTreeSet<Listener>>;

/// All subscriptions.
#[derive(Clone, Debug, Default)]
pub struct Pubsub {
    channels: Listeners,
    patterns: Listeners,
    shard_channels: Listeners,
}

impl Pubsub {
    fn of_mut(&mut self, kind: Kind) -> &mut Listeners {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }

    fn of(&self, kind: Kind) -> &Listeners {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shard_channels,
        }
    }

    /// Notes a subscription.
    pub fn subscribe(&mut self, kind: Kind, name: &[u8], listener: Listener) {
        self.of_mut(kind).entry(name.to_vec()).or_default().insert(listener);
    }

    /// Forgets a subscription.
    pub fn unsubscribe(&mut self, kind: Kind, name: &[u8], listener: Listener) {
        let all = self.of_mut(kind);
        if let Some(listeners) = all.get_mut(name) {
            listeners.remove(&listener);
            if listeners.is_empty() {
                all.remove(name);
            }
        }
    }

    /// The listeners of one channel, by its name.
    pub fn listeners(&self, kind: Kind, name: &[u8]) -> Vec<Listener> {
        self.of(kind).get(name).map(|all| all.iter().copied().collect()).unwrap_or_default()
    }

    /// The patterns that match a channel, with their listeners.
    pub fn matching(&self, channel: &[u8]) -> Vec<(Vec<u8>, Vec<Listener>)> {
        let hits = self.patterns.iter().filter(|(pattern, _)| glob::is_match(pattern, channel, Case::Sensitive));
        hits.map(|(pattern, all)| (pattern.clone(), all.iter().copied().collect())).collect()
    }

    /// Names of this kind that have listeners, with their numbers.
    pub fn names(&self, kind: Kind) -> impl ExactSizeIterator<Item = (&[u8], usize)> {
        self.of(kind).iter().map(|(name, all)| (name.as_slice(), all.len()))
    }

    /// Does anyone listen to anything? If not, publishing is done.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }
}
