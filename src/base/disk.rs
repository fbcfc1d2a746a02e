//! The disk, as far as persistence may touch it: few verbs, so that a simulator can answer for them and lose what was not
//! synced. The reactor answers for the real one.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file that is written from its end on. Several threads may hold it: one appends while another syncs.
pub trait DiskFile: Send + Sync {
    /// Writes at the end. Returns how much of it was written, which may be less than asked for.
    ///
    /// # Errors
    /// As the system's; nothing was written then.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Returns once all that was appended so far is on the disk.
    ///
    /// # Errors
    /// As the system's. What was not on the disk before may never get there: the file is not to be trusted again.
    fn sync(&self) -> io::Result<()>;

    /// Lets the system begin to write what was appended, without waiting.
    fn start_sync(&self) {}

    /// Cuts the file to this length.
    ///
    /// # Errors
    /// As the system's.
    fn truncate(&self, len: u64) -> io::Result<()>;
}

/// Appends all of it.
///
/// # Errors
/// As `append`'s; some of it may have been written.
pub fn append_all(file: &dyn DiskFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.append(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The content of a file that has no name any more.
pub type Unlinked = Box<dyn Send>;

/// A disk. Relative paths start at the working directory.
pub trait Disk: Send + Sync {
    /// The path as it is from anywhere, so that work on another thread does not depend on the working directory.
    fn absolute(&self, path: &Path) -> PathBuf;

    /// A new, empty file; one that was there is emptied.
    ///
    /// # Errors
    /// As the system's.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// A file to go on writing; created if there is none.
    ///
    /// # Errors
    /// As the system's.
    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// A file to read from its beginning.
    ///
    /// # Errors
    /// As the system's.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;

    /// As `open`, from this offset on.
    ///
    /// # Errors
    /// As the system's.
    fn open_at(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>>;

    /// Returns once the content of a file, whoever wrote it, is on the disk.
    ///
    /// # Errors
    /// As the system's.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Bytes of a file.
    ///
    /// # Errors
    /// As the system's.
    fn size(&self, path: &Path) -> io::Result<u64>;

    /// Cuts a file to this length.
    ///
    /// # Errors
    /// As the system's.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;

    /// Gives a file another name; one of that name is replaced.
    ///
    /// # Errors
    /// As the system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name; the content is shared.
    ///
    /// # Errors
    /// As the system's.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Takes a file's name away. What it holds is there until what is returned is dropped, which may take long.
    ///
    /// # Errors
    /// As the system's.
    fn unlink(&self, path: &Path) -> io::Result<Unlinked>;

    /// Makes a directory, if there is none of that name. Returns whether it is new: then its name is to be brought to the disk.
    ///
    /// # Errors
    /// As the system's.
    fn create_dir(&self, path: &Path) -> io::Result<bool>;

    /// Returns once names in a directory (new, changed, removed) are on the disk.
    ///
    /// # Errors
    /// As the system's.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Names of the files of a directory, sorted.
    ///
    /// # Errors
    /// As the system's.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;
}

/// The directory that a file is in.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The whole content of a file.
///
/// # Errors
/// As the system's.
pub fn read_all(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    disk.open(path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Why something failed, as the C library words it, without std's number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// A disk of nothing but memory, for tests. Clones are the same disk. It can fail, and it can lose what was not synced.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    files: Files,
    /// The names as they would be found after a crash.
    durable: Files,
    /// Directories that were made, and whether a crash leaves them there.
    dirs: Arc<Mutex<BTreeMap<PathBuf, bool>>>,
    faults: Arc<Faults>,
}

type Files = Arc<Mutex<BTreeMap<PathBuf, MemoryFile>>>;
type MemoryFile = Arc<Mutex<Content>>;

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    /// What is on the disk.
    synced: Vec<u8>,
}

#[derive(Default)]
struct Faults {
    /// Is room limited, to the bytes in `room`?
    is_limited: AtomicBool,
    room: AtomicU64,
    fails_syncs: AtomicBool,
    /// Syncs of files that succeeded.
    syncs: AtomicU64,
    /// What would be found after a crash, and after a kill, at each step since `record`.
    records: Mutex<Option<Vec<MemoryDisk>>>,
}

struct Handle(MemoryFile, MemoryDisk);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DiskFile for Handle {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut count = bytes.len();
        let faults = &self.1.faults;
        if faults.is_limited.load(Ordering::Relaxed) {
            let room = faults.room.load(Ordering::Relaxed) as usize;
            count = count.min(room);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            faults.room.store((room - count) as u64, Ordering::Relaxed);
        }
        locked(&self.0).bytes.extend_from_slice(&bytes[..count]);
        self.1.note();
        Ok(count)
    }

    fn sync(&self) -> io::Result<()> {
        if self.1.faults.fails_syncs.load(Ordering::Relaxed) {
            return Err(io::Error::other("Input/output error"));
        }
        {
            let content = &mut *locked(&self.0);
            content.synced.clone_from(&content.bytes);
        }
        self.1.faults.syncs.fetch_add(1, Ordering::Relaxed);
        self.1.note();
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        locked(&self.0).bytes.truncate(len as usize);
        self.1.note();
        Ok(())
    }
}

impl MemoryDisk {
    /// Begins to record what would be found after a crash, and after a kill, at each step.
    pub fn record(&self) {
        *locked(&self.faults.records) = Some(Vec::new());
    }

    /// What was recorded.
    pub fn take_records(&self) -> Vec<MemoryDisk> {
        locked(&self.faults.records).take().unwrap_or_default()
    }

    /// Ends a step.
    fn note(&self) {
        if let Some(records) = &mut *locked(&self.faults.records) {
            records.push(self.after_crash());
            records.push(self.after_kill());
        }
    }

    fn file(&self, path: &Path) -> io::Result<MemoryFile> {
        locked(&self.files).get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Lets writes fail for want of room, or lets them succeed again.
    pub fn set_full(&self, full: bool) {
        self.faults.room.store(0, Ordering::Relaxed);
        self.faults.is_limited.store(full, Ordering::Relaxed);
    }

    /// Leaves room for so many bytes: the write that reaches the end is a short one, the next fails.
    pub fn set_room(&self, bytes: u64) {
        self.faults.room.store(bytes, Ordering::Relaxed);
        self.faults.is_limited.store(true, Ordering::Relaxed);
    }

    /// Lets syncs fail, or lets them succeed again.
    pub fn fail_syncs(&self, fail: bool) {
        self.faults.fails_syncs.store(fail, Ordering::Relaxed);
    }

    /// How often a file was synced.
    pub fn syncs(&self) -> u64 {
        self.faults.syncs.load(Ordering::Relaxed)
    }

    /// The disk as it is found after a power failure at this moment: of names and content only what was synced.
    pub fn after_crash(&self) -> MemoryDisk {
        let (disk, dirs) = (MemoryDisk::default(), locked(&self.dirs));
        for (path, file) in locked(&self.durable).iter().filter(|(path, _)| dirs.get(parent(path)) != Some(&false)) {
            disk.put(path, &locked(file).synced);
        }
        disk
    }

    /// The disk as it is found after the process was killed at this moment: a copy.
    pub fn after_kill(&self) -> MemoryDisk {
        let disk = MemoryDisk::default();
        for (path, file) in locked(&self.files).iter() {
            disk.put(path, &locked(file).bytes);
        }
        disk
    }

    /// The paths of all files, in order.
    pub fn names(&self) -> Vec<String> {
        locked(&self.files).keys().map(|path| path.display().to_string()).collect()
    }

    /// Puts a file there, safe from crashes.
    pub fn put(&self, path: &Path, content: &[u8]) {
        let content = Content { bytes: content.to_vec(), synced: content.to_vec() };
        let file = Arc::new(Mutex::new(content));
        locked(&self.durable).insert(path.to_owned(), file.clone());
        locked(&self.files).insert(path.to_owned(), file);
    }
}

impl Disk for MemoryDisk {
    fn absolute(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = MemoryFile::default();
        locked(&self.files).insert(path.to_owned(), file.clone());
        self.note();
        Ok(Arc::new(Handle(file, self.clone())))
    }

    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = locked(&self.files).entry(path.to_owned()).or_default().clone();
        self.note();
        Ok(Arc::new(Handle(file, self.clone())))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let content = locked(&*self.file(path)?).bytes.clone();
        Ok(Box::new(io::Cursor::new(content)))
    }

    fn open_at(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut content = io::Cursor::new(locked(&*self.file(path)?).bytes.clone());
        content.set_position(offset);
        Ok(Box::new(content))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        Handle(self.file(path)?, self.clone()).sync()
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(locked(&*self.file(path)?).bytes.len() as u64)
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let file = self.file(path)?;
        {
            let content = &mut *locked(&file);
            content.bytes.truncate(len as usize);
            content.synced.clone_from(&content.bytes);
        }
        self.note();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let file = locked(&self.files).remove(from).ok_or(io::ErrorKind::NotFound)?;
        locked(&self.files).insert(to.to_owned(), file);
        self.note();
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.file(from)?;
        locked(&self.files).insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = locked(&self.files).remove(path);
        self.note();
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn unlink(&self, path: &Path) -> io::Result<Unlinked> {
        let file = self.file(path)?;
        self.remove(path)?;
        Ok(Box::new(file))
    }

    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        let is_used = locked(&self.files).keys().any(|file| parent(file) == path);
        let mut dirs = locked(&self.dirs);
        if is_used || dirs.contains_key(path) {
            return Ok(false);
        }
        dirs.insert(path.to_owned(), false);
        Ok(true)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if self.faults.fails_syncs.load(Ordering::Relaxed) {
            return Err(io::Error::other("Input/output error"));
        }
        {
            let (files, mut durable) = (locked(&self.files), locked(&self.durable));
            durable.retain(|name, _| parent(name) != path);
            for (name, file) in files.iter().filter(|(name, _)| parent(name) == path) {
                durable.insert(name.clone(), file.clone());
            }
            let mut dirs = locked(&self.dirs);
            dirs.iter_mut().filter(|(dir, _)| parent(dir) == path).for_each(|(_, is_durable)| *is_durable = true);
        }
        self.note();
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let files = locked(&self.files);
        let names = files.keys().filter(|path| parent(path) == dir).filter_map(|path| path.file_name());
        Ok(names.map(PathBuf::from).collect())
    }
}
