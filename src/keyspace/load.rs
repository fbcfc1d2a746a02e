//! Keys that come from a file or a master: made on another thread, put into their databases here.

use crate::storage::table::prefix_of_hash;
use crate::storage::{OwnedEntry, Table, Type};
use crate::types::hash::next_field_expiry;
use crate::types::stream;

use super::{DbIndex, DbState, Keyspace};

/// How many keys ahead the processor is asked for the place of a key.
const AHEAD: usize = 8;

/// A key with everything that its place in a database follows from.
pub struct LoadedKey {
    /// Its database.
    pub db: DbIndex,
    /// Its hash, by the keyspace's seed.
    pub hash: u64,
    /// Its expiry.
    pub expire: Option<i64>,
    /// The first expiry of its fields.
    pub field_expire: Option<i64>,
    /// The entry.
    pub entry: OwnedEntry,
}

impl LoadedKey {
    /// Looks at an entry made for this database.
    pub fn new(db: DbIndex, hash: u64, entry: OwnedEntry) -> LoadedKey {
        let (expire, field_expire) = (entry.read().expire_at(), next_field_expiry(entry.read()));
        LoadedKey { db, hash, expire, field_expire, entry }
    }
}

/// What becomes of a key that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExisting {
    /// Loading ends there: the file has the key twice.
    Refuse,
    /// The loaded one takes its place.
    Replace,
}

impl Keyspace {
    /// Gives a database an empty table with room, made on another thread, unless it has keys or is being saved.
    pub fn adopt_table(&mut self, db: DbIndex, table: Table) {
        let state = &mut self.dbs[usize::from(db.0)];
        if state.table.is_empty() && table.is_empty() && self.cut.is_none() {
            let resizing = std::mem::replace(&mut state.table, table).resizing;
            state.table.resizing = resizing;
        }
    }

    /// Looks at a value that comes from elsewhere: whether it is a stream that files of old versions cannot hold in full.
    pub(super) fn note_stream(&mut self, entry: &OwnedEntry) {
        if entry.read().type_() == Type::Stream {
            self.has_stream_extras |= stream::read(entry.read()).is_some_and(stream::has_extras);
        }
    }

    /// Puts keys into their databases. Nobody is told: these keys were always there.
    ///
    /// # Errors
    /// The first key that exists already, if that is refused; the keys after it are dropped.
    pub fn insert_loaded(&mut self, keys: Vec<LoadedKey>, on_existing: OnExisting) -> Result<(), (DbIndex, Vec<u8>)> {
        let places: Vec<(DbIndex, u64)> = keys.iter().map(|key| (key.db, key.hash)).collect();
        for (index, key) in keys.into_iter().enumerate() {
            if let Some(&(db, hash)) = places.get(index + AHEAD) {
                self.dbs[usize::from(db.0)].table.prefetch_bucket(hash);
            }
            let LoadedKey { db, hash, expire, field_expire, entry } = key;
            self.note_stream(&entry);
            self.before_change(db, hash);
            if self.dbs[usize::from(db.0)].table.get(hash, entry.read().key()).is_some() {
                if on_existing == OnExisting::Refuse {
                    return Err((db, entry.read().key().to_vec()));
                }
                drop(self.db(db).take(entry.read().key()));
            }
            let DbState { table, expires, field_expires, .. } = &mut self.dbs[usize::from(db.0)];
            if let Some(at) = expire {
                expires.insert(at, prefix_of_hash(hash));
            }
            if let Some(at) = field_expire {
                field_expires.insert(at, prefix_of_hash(hash));
            }
            table.insert_owned(hash, entry);
        }
        Ok(())
    }
}
