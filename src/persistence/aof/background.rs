//! What the append-only file needs of the disk that may take long: syncs, manifests, removals. One job does it in the
//! order in which it was asked for, so that a sync of a file that only a new manifest names never counts before that
//! manifest does. The node sends orders and looks at how far they are.
//!
//! Of a removal only taking the name away is done in that order. The content, which may take the system long to free, is held
//! open until a second job lets go of it: no sync waits for that, and no name is taken away that was given to a new file since.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::disk::{Disk, DiskFile, Unlinked, append_all, parent, reason};
use crate::base::job::{Job, Progress, Received, Urgency, Wait, Wake, receive};

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
    /// Bring the names in a directory to the disk.
    SyncDir(PathBuf),
    /// Let go of a file that has no name any more.
    Free(Unlinked),
    /// Trust the disk again after a failure: what follows is about files that had no part in it.
    Trust,
}

#[derive(Default)]
struct Shared {
    /// Has the job ended?
    is_gone: AtomicBool,
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
    /// A background, the job that does its work, and the one that frees what was removed.
    pub fn new(disk: Arc<dyn Disk>, wake: Wake) -> (Background, Box<dyn Job>, Box<dyn Job>) {
        let (sender, orders) = channel();
        let (removed, contents) = channel();
        let shared = Arc::new(Shared::default());
        let job = BackgroundJob { orders, disk, removed, shared: shared.clone(), wake, distrusts: false };
        (Background { orders: sender, sent: 0, shared }, Box::new(job), Box::new(FreeingJob { contents }))
    }

    /// Asks for something to be done.
    pub fn send(&mut self, order: Order) {
        self.sent += 1;
        // Where nobody takes it, `is_gone` says so.
        let _ = self.orders.send(order);
    }

    /// Has the job ended by a fault of ours? Nothing that it had not done will be done.
    pub fn is_gone(&self) -> bool {
        self.shared.is_gone.load(Ordering::Acquire)
    }

    /// Orders that were given.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Orders that are carried out.
    pub fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Acquire)
    }

    /// Orders that are not carried out yet, and will be.
    pub fn waiting(&self) -> u64 {
        if self.is_gone() { 0 } else { self.sent - self.done() }
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
    let named = persisted.and_then(|()| disk.sync_dir(&pin.dir)).and_then(|()| disk.sync_dir(parent(&pin.dir)));
    named.map_err(|_| PinFailure::Manifest)
}

struct BackgroundJob {
    orders: Receiver<Order>,
    disk: Arc<dyn Disk>,
    /// Where what was removed is freed.
    removed: Sender<Unlinked>,
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
            Order::Remove(paths) => self.remove(&paths),
            Order::SyncDir(dir) => {
                if let Err(error) = self.disk.sync_dir(&dir) {
                    self.fail("Fail to fsync the directory of the AOF files", &error);
                }
            }
            Order::Free(content) => self.free(content),
            Order::Trust => self.distrusts = false,
        }
    }

    fn remove(&self, paths: &[PathBuf]) {
        // One that is not there, or cannot be removed, is of no use, and does no harm.
        paths.iter().filter_map(|path| self.disk.unlink(path).ok()).for_each(|content| self.free(content));
    }

    fn free(&self, content: Unlinked) {
        // Without the job that does it, it is freed here.
        let _ = self.removed.send(content);
    }

    fn commit(&self, commit: &Commit) -> io::Result<()> {
        for (from, to) in &commit.renames {
            self.disk.rename(from, to)?;
        }
        commit.manifest.persist(&*self.disk)?;
        if let Some(cleaned) = &commit.cleaned {
            self.remove(&commit.removals);
            cleaned.persist(&*self.disk)?;
        }
        Ok(())
    }
}

impl Job for BackgroundJob {
    fn urgency(&self) -> Urgency {
        Urgency::Prompt
    }

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

impl Drop for BackgroundJob {
    fn drop(&mut self) {
        self.shared.is_gone.store(true, Ordering::Release);
        (self.wake)();
    }
}

struct FreeingJob {
    contents: Receiver<Unlinked>,
}

impl Job for FreeingJob {
    fn run(&mut self, wait: Wait) -> Progress {
        loop {
            match receive(&self.contents, wait) {
                Received::Item(content) => drop(content),
                Received::Empty => return Progress::Idle,
                Received::Closed => return Progress::Done,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::Path;

    use super::*;
    use crate::base::disk::MemoryDisk;

    type Events = Arc<Mutex<Vec<String>>>;

    /// A disk that notes what is asked of it.
    struct Noting(MemoryDisk, Events);

    /// What was removed; it notes when it is let go of.
    struct Removed(PathBuf, Events);

    impl Drop for Removed {
        fn drop(&mut self) {
            locked(&self.1).push(format!("free {}", self.0.display()));
        }
    }

    impl Noting {
        fn note(&self, verb: &str, path: &Path) {
            locked(&self.1).push(format!("{verb} {}", path.display()));
        }
    }

    impl Disk for Noting {
        fn absolute(&self, path: &Path) -> PathBuf {
            path.to_owned()
        }

        fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
            self.0.create(path)
        }

        fn open_append(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
            self.0.open_append(path)
        }

        fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
            self.0.open(path)
        }

        fn open_at(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
            self.0.open_at(path, offset)
        }

        fn sync(&self, path: &Path) -> io::Result<()> {
            self.0.sync(path)
        }

        fn size(&self, path: &Path) -> io::Result<u64> {
            self.0.size(path)
        }

        fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
            self.0.truncate(path, len)
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.note("rename", from);
            self.0.rename(from, to)
        }

        fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.0.link(from, to)
        }

        fn remove(&self, path: &Path) -> io::Result<()> {
            self.note("remove", path);
            self.0.remove(path)
        }

        fn unlink(&self, path: &Path) -> io::Result<Unlinked> {
            self.note("unlink", path);
            self.0.unlink(path)?;
            Ok(Box::new(Removed(path.to_owned(), self.1.clone())))
        }

        fn create_dir(&self, path: &Path) -> io::Result<bool> {
            self.0.create_dir(path)
        }

        fn sync_dir(&self, path: &Path) -> io::Result<()> {
            self.0.sync_dir(path)
        }

        fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
            self.0.list(dir)
        }
    }

    fn manifest(text: &str) -> NewManifest {
        NewManifest { temp: "temp".into(), path: "manifest".into(), text: text.into() }
    }

    #[test]
    fn no_sync_waits_until_what_was_removed_is_freed() {
        let (disk, events) = (MemoryDisk::default(), Events::default());
        for name in ["new", "base", "incr"] {
            disk.put(Path::new(name), b"content");
        }
        let noting = Arc::new(Noting(disk.clone(), events.clone()));
        let (mut background, mut job, mut freeing) = Background::new(noting, Arc::new(|| {}));
        background.send(Order::Commit(Box::new(Commit {
            renames: vec![("new".into(), "base.2".into())],
            manifest: manifest("with history"),
            removals: vec!["base".into(), "incr".into()],
            cleaned: Some(manifest("without")),
        })));
        background.send(Order::Remove(vec!["absent".into()]));
        let file = disk.create(Path::new("incr.2")).unwrap();
        background.send(Order::Sync { file, epoch: 7, offset: 70 });
        job.run(Wait::Never);
        assert_eq!((background.waiting(), background.synced(), disk.syncs()), (0, (7, 70), 3));
        // What has no name any more is still there to be freed.
        let named = ["rename new", "rename temp", "unlink base", "unlink incr", "rename temp", "unlink absent"];
        assert_eq!(*locked(&events), named);
        freeing.run(Wait::Never);
        assert_eq!(locked(&events)[named.len()..], ["free base", "free incr"]);
        drop(job);
        assert!(background.is_gone() && freeing.run(Wait::Never) == Progress::Done);
    }
}
