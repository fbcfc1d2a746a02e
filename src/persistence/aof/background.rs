//! What the append-only file needs of the disk that may take long: syncs, manifests, removals. One job does it in the
//! order in which it was asked for, so that a sync of a file that only a new manifest names never counts before that
//! manifest does. The node sends orders and looks at how far they are.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::disk::{Disk, DiskFile, append_all, parent, reason};
use crate::base::job::{Job, Progress, Received, Wait, Wake, receive};

/// A manifest to take the place of the old one.
#[derive(Clone, Debug)]
pub struct NewManifest {
    /// Its name while it is written.
    pub temp: PathBuf,
    /// Its name.
    pub path: PathBuf,
    /// Its text.
    pub text: Vec<u8>,
}

impl NewManifest {
    /// Writes it so that a crash leaves either the old one or this.
    ///
    /// # Errors
    /// As the disk's.
    pub fn persist(&self, disk: &dyn Disk) -> io::Result<()> {
        let file = disk.create(&self.temp)?;
        append_all(&*file, &self.text)?;
        file.sync()?;
        disk.rename(&self.temp, &self.path)?;
        disk.sync_dir(parent(&self.path))
    }
}

/// The end of a rewrite.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Files that get the names under which the manifest knows them.
    pub renames: Vec<(PathBuf, PathBuf)>,
    /// The manifest that names them.
    pub manifest: NewManifest,
    /// Files that it does not need.
    pub removals: Vec<PathBuf>,
    /// The manifest that names those no more; None if they stay.
    pub cleaned: Option<NewManifest>,
}

/// Second names for files, in the directory of a backup.
#[derive(Clone, Debug)]
pub struct Pin {
    /// By which the answer is known.
    pub number: u64,
    /// The files and their second names.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// The manifest that comes beside them.
    pub manifest: Option<NewManifest>,
    /// The directory.
    pub dir: PathBuf,
}

/// Why files did not get second names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinFailure {
    /// They are not to be trusted, as a sync failed before.
    Distrust,
    /// The system refused a name.
    Link,
    /// The system refused the manifest.
    Manifest,
}

/// One thing to do.
pub enum Order {
    /// Bring a file to the disk.
    Sync {
        /// Which.
        file: Arc<dyn DiskFile>,
        /// The last epoch it holds.
        epoch: u64,
        /// The offset of propagation up to which it holds everything.
        offset: u64,
    },
    /// Put a manifest in place.
    Persist(NewManifest),
    /// Finish a rewrite.
    Commit(Box<Commit>),
    /// Give files second names.
    Pin(Box<Pin>),
    /// Remove files that are not needed; whether they are there does not matter.
    Remove(Vec<PathBuf>),
    /// Trust the disk again after a failure: what follows is about files that had no part in it.
    Trust,
}

#[derive(Default)]
struct Shared {
    done: AtomicU64,
    epoch: AtomicU64,
    offset: AtomicU64,
    /// Why something failed since the last look.
    failure: Mutex<Option<String>>,
    commit: Mutex<Option<Result<(), String>>>,
    pin: Mutex<Option<(u64, Result<(), PinFailure>)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The node's end.
pub struct Background {
    orders: Sender<Order>,
    sent: u64,
    shared: Arc<Shared>,
}

impl Background {
    /// A background, and the job that does its work.
    pub fn new(disk: Arc<dyn Disk>, wake: Wake) -> (Background, Box<dyn Job>) {
        let (sender, orders) = channel();
        let shared = Arc::new(Shared::default());
        let job = BackgroundJob { orders, disk, shared: shared.clone(), wake, distrusts: false };
        (Background { orders: sender, sent: 0, shared }, Box::new(job))
    }

    /// Asks for something to be done.
    pub fn send(&mut self, order: Order) {
        self.sent += 1;
        if self.orders.send(order).is_err() {
            locked(&self.shared.failure).get_or_insert_with(|| "the background thread is gone".to_owned());
        }
    }

    /// Orders that were given.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Orders that are carried out.
    pub fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Acquire)
    }

    /// Orders that are not carried out yet.
    pub fn waiting(&self) -> u64 {
        self.sent - self.done()
    }

    /// The last epoch, and the offset, up to which everything is on the disk.
    pub fn synced(&self) -> (u64, u64) {
        (self.shared.epoch.load(Ordering::Acquire), self.shared.offset.load(Ordering::Acquire))
    }

    /// Why a sync or a manifest failed since this was last asked.
    pub fn take_failure(&self) -> Option<String> {
        locked(&self.shared.failure).take()
    }

    /// How the last pinning ended, and its number, if it has.
    pub fn take_pin(&self) -> Option<(u64, Result<(), PinFailure>)> {
        locked(&self.shared.pin).take()
    }

    /// How the commit ended, if it has.
    pub fn take_commit(&self) -> Option<Result<(), String>> {
        locked(&self.shared.commit).take()
    }
}

fn pin(disk: &dyn Disk, pin: &Pin) -> Result<(), PinFailure> {
    for (from, to) in &pin.links {
        disk.link(from, to).map_err(|error| {
            let why = reason(&error);
            crate::base::log::warning(&format!(
                "BACKUP: can't hard-link {} into {}: {why}",
                from.display(),
                to.display()
            ));
            PinFailure::Link
        })?;
    }
    let persisted = pin.manifest.as_ref().map_or(Ok(()), |manifest| manifest.persist(disk));
    persisted.and_then(|()| disk.sync_dir(&pin.dir)).map_err(|_| PinFailure::Manifest)
}

struct BackgroundJob {
    orders: Receiver<Order>,
    disk: Arc<dyn Disk>,
    shared: Arc<Shared>,
    wake: Wake,
    /// Something failed: no sync counts until `Order::Trust`.
    distrusts: bool,
}

impl BackgroundJob {
    fn fail(&mut self, what: &str, error: &io::Error) {
        self.distrusts = true;
        crate::base::log::warning(&format!("{what}: {}", reason(error)));
        *locked(&self.shared.failure) = Some(reason(error));
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Sync { file, epoch, offset } => {
                if self.distrusts {
                    return;
                }
                match file.sync() {
                    Ok(()) => {
                        self.shared.epoch.fetch_max(epoch, Ordering::AcqRel);
                        self.shared.offset.fetch_max(offset, Ordering::AcqRel);
                    }
                    Err(error) => self.fail("Fail to fsync the AOF file", &error),
                }
            }
            Order::Persist(manifest) => {
                if let Err(error) = manifest.persist(&*self.disk) {
                    self.fail("Fail to persist the AOF manifest file", &error);
                }
            }
            Order::Commit(commit) => {
                let result = self.commit(&commit).map_err(|error| reason(&error));
                *locked(&self.shared.commit) = Some(result);
            }
            Order::Pin(order) => {
                let result = if self.distrusts { Err(PinFailure::Distrust) } else { pin(&*self.disk, &order) };
                *locked(&self.shared.pin) = Some((order.number, result));
            }
            Order::Remove(paths) => paths.iter().for_each(|path| {
                // It may never have been made.
                let _ = self.disk.remove(path);
            }),
            Order::Trust => self.distrusts = false,
        }
    }

    fn commit(&self, commit: &Commit) -> io::Result<()> {
        for (from, to) in &commit.renames {
            self.disk.rename(from, to)?;
        }
        commit.manifest.persist(&*self.disk)?;
        if let Some(cleaned) = &commit.cleaned {
            for path in &commit.removals {
                // One that cannot be removed is of no use, and does no harm.
                let _ = self.disk.remove(path);
            }
            cleaned.persist(&*self.disk)?;
        }
        Ok(())
    }
}

impl Job for BackgroundJob {
    fn run(&mut self, wait: Wait) -> Progress {
        loop {
            match receive(&self.orders, wait) {
                Received::Item(order) => {
                    self.carry_out(order);
                    self.shared.done.fetch_add(1, Ordering::AcqRel);
                    (self.wake)();
                }
                Received::Empty => return Progress::Idle,
                Received::Closed => return Progress::Done,
            }
        }
    }
}
