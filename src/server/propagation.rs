//! What follows a write into the append-only file and to replicas: the request as it was sent, or a deterministic
//! rewriting of it.

use crate::keyspace::DbIndex;

/// A command to be repeated elsewhere.
pub type Argv = Vec<Vec<u8>>;

/// The commands that the command in hand leaves behind. Emptied by dispatch.
#[derive(Debug, Default)]
pub struct Propagation {
    /// Does anyone listen? If not, nothing is gathered.
    pub enabled: bool,
    /// What to repeat instead of the request.
    pub(crate) instead: Vec<(DbIndex, Argv)>,
    /// Everything to be repeated since the last turn's end, in order.
    pub log: Vec<(DbIndex, Argv)>,
}

impl Propagation {
    /// Repeat this instead of the request; called several times, all of them.
    pub fn instead(&mut self, db: DbIndex, argv: &[&[u8]]) {
        if self.enabled {
            self.instead.push((db, argv.iter().map(|arg| arg.to_vec()).collect()));
        }
    }
}
