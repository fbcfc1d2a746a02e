//! Loading: files are decoded on another thread, what comes out is put into the keyspace by the reactor.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

use crate::base::job::{Job, Progress, Sleep, Wait, Wake};
use crate::keyspace::DbIndex;
use crate::keyspace::load::LoadedKey;
use crate::storage::{Table, alloc};

use super::aof::loader::FileToLoad;
use super::aof::reader::CommandBatch;
use super::rdb::load::{Item, LoadError, LoadReport, RdbLoader};

/// Keys that travel together.
const BATCH_KEYS: usize = 512;
/// Batches that wait to be inserted, at most: the decoding thread waits then.
const BATCHES_MAX: usize = 16;

/// What a loading thread sends.
pub enum Loaded {
    /// A table with room for the keys of a database, for it to take if it has none yet.
    Room(DbIndex, Box<Table>),
    /// Keys of an RDB file.
    Keys(Vec<LoadedKey>),
    /// A library of functions of an RDB file.
    Function(Vec<u8>),
    /// Commands of an append-only file.
    Commands(CommandBatch),
    /// Everything of this file was sent.
    FileEnd(FileToLoad),
    /// Everything was sent.
    End(LoadReport),
    /// The rest cannot be loaded.
    Failed(LoadError),
}

/// What yields loaded things in order, on the loading thread. After an end or a failure it is not asked again.
pub trait LoadSource: Send {
    /// The next.
    fn next(&mut self) -> Loaded;

    /// Bytes read so far.
    fn bytes(&self) -> u64;
}

/// The keys of one RDB file.
pub struct RdbSource {
    loader: RdbLoader<'static>,
    /// What came after some keys of a batch.
    next: Option<Loaded>,
}

impl RdbSource {
    /// All keys of this loader.
    pub fn new(loader: RdbLoader<'static>) -> RdbSource {
        RdbSource { loader, next: None }
    }

    /// The loader, after the end.
    pub fn into_loader(self) -> RdbLoader<'static> {
        self.loader
    }
}

impl LoadSource for RdbSource {
    fn next(&mut self) -> Loaded {
        if let Some(next) = self.next.take() {
            return next;
        }
        let mut keys = Vec::with_capacity(BATCH_KEYS);
        while keys.len() < BATCH_KEYS {
            let other = match self.loader.next_item() {
                Ok(Some(Item::Key(key))) => {
                    keys.push(key);
                    continue;
                }
                Ok(Some(Item::Room(db, keys))) => {
                    let mut table = Box::new(Table::new(self.loader.seed()));
                    table.reserve(keys);
                    Loaded::Room(db, table)
                }
                Ok(Some(Item::Function(code))) => Loaded::Function(code),
                // The others are not asked for.
                Ok(Some(Item::Aux(..) | Item::Selected(_))) => continue,
                Ok(None) => Loaded::End(self.loader.report()),
                Err(error) => Loaded::Failed(error),
            };
            if keys.is_empty() {
                return other;
            }
            self.next = Some(other);
            break;
        }
        Loaded::Keys(keys)
    }

    fn bytes(&self) -> u64 {
        self.loader.offset()
    }
}

#[derive(Default)]
struct Shared {
    bytes: AtomicU64,
    /// Microseconds to sleep at each key; negative: one microsecond at so many keys (key-load-delay).
    key_delay_us: AtomicI64,
}

/// The node's end of a loading.
pub struct Loading {
    receiver: Receiver<Loaded>,
    shared: Arc<Shared>,
}

impl Loading {
    /// A loading of what `source` yields, and the job that does it.
    pub fn new(source: Box<dyn LoadSource>, key_delay_us: i64, wake: Wake, sleep: Sleep) -> (Loading, Box<dyn Job>) {
        let (sender, receiver) = sync_channel(BATCHES_MAX);
        let shared = Arc::new(Shared::default());
        shared.key_delay_us.store(key_delay_us, Ordering::Relaxed);
        let job = LoadJob { source, sender, unsent: None, shared: shared.clone(), wake, sleep, ended: false };
        (Loading { receiver, shared }, Box::new(job))
    }

    /// What came next, if anything did. A thread that is gone without a word counts as a failure.
    pub fn poll(&self) -> Option<Loaded> {
        match self.receiver.try_recv() {
            Ok(loaded) => Some(loaded),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Loaded::Failed(LoadError::Io(std::io::Error::other("the loading thread is gone"))))
            }
        }
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Changes how long it sleeps at each key.
    pub fn set_key_delay(&self, us: i64) {
        self.shared.key_delay_us.store(us, Ordering::Relaxed);
    }
}

struct LoadJob {
    source: Box<dyn LoadSource>,
    sender: SyncSender<Loaded>,
    /// What found no room.
    unsent: Option<Loaded>,
    shared: Arc<Shared>,
    wake: Wake,
    sleep: Sleep,
    ended: bool,
}

impl LoadJob {
    fn delay(&self, keys: usize) {
        let per_key = || self.shared.key_delay_us.load(Ordering::Relaxed);
        match per_key() {
            0 => {}
            // Looked at anew for each key: CONFIG SET may end it.
            1.. => (0..keys).for_each(|_| (self.sleep)(per_key().max(0) as u64)),
            every => (self.sleep)(keys as u64 / every.unsigned_abs()),
        }
    }
}

impl Job for LoadJob {
    fn run(&mut self, wait: Wait) -> Progress {
        loop {
            let loaded = match self.unsent.take() {
                Some(loaded) => loaded,
                None if self.ended => return Progress::Done,
                None => self.source.next(),
            };
            self.ended = matches!(loaded, Loaded::End(_) | Loaded::Failed(_));
            self.shared.bytes.store(self.source.bytes(), Ordering::Relaxed);
            match &loaded {
                Loaded::Keys(keys) => self.delay(keys.len()),
                Loaded::Commands(batch) => self.delay(batch.len()),
                Loaded::Room(..) | Loaded::Function(_) | Loaded::FileEnd(_) | Loaded::End(_) | Loaded::Failed(_) => {}
            }
            alloc::publish_thread();
            let sent = match wait {
                Wait::Block => self.sender.send(loaded).map_err(|_| None),
                Wait::Never => self.sender.try_send(loaded).map_err(|error| match error {
                    TrySendError::Full(loaded) => Some(loaded),
                    TrySendError::Disconnected(_) => None,
                }),
            };
            (self.wake)();
            match sent {
                Ok(()) => {}
                Err(Some(loaded)) => {
                    self.unsent = Some(loaded);
                    return Progress::Idle;
                }
                // Nobody wants it any more.
                Err(None) => return Progress::Done,
            }
        }
    }
}
