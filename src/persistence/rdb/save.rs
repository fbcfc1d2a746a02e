//! An RDB file on its way to the disk: written under another name, synced, renamed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::disk::{Disk, DiskFile, append_all, parent, reason};
use crate::base::job::Breathe;
use crate::base::log;

use super::writer::ByteSink;

/// How much is written before the system is asked to begin bringing it to the disk.
const SYNC_STEP_BYTES: u64 = 4 << 20;

/// A file that takes its name when it is whole.
pub struct FileSink {
    disk: Arc<dyn Disk>,
    temp: PathBuf,
    path: PathBuf,
    file: Option<Arc<dyn DiskFile>>,
    incremental_sync: bool,
    unsynced: u64,
    breathe: Breathe,
}

impl FileSink {
    /// A file that will be `path` and is `temp` until then. `incremental_sync` is rdb-save-incremental-fsync.
    pub fn new(disk: Arc<dyn Disk>, temp: &Path, path: &Path, incremental_sync: bool, breathe: Breathe) -> FileSink {
        let (temp, path) = (disk.absolute(temp), disk.absolute(path));
        FileSink { disk, temp, path, file: None, incremental_sync, unsynced: 0, breathe }
    }

    fn file(&mut self) -> io::Result<&Arc<dyn DiskFile>> {
        if self.file.is_none() {
            let created = self.disk.create(&self.temp);
            if let Err(error) = &created {
                let (temp, dir, why) = (self.temp.display(), parent(&self.path).display(), reason(error));
                log::warning(&format!(
                    "Failed opening the temp RDB file {temp} (in server root dir {dir}) for saving: {why}"
                ));
            }
            self.file = Some(created?);
        }
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl ByteSink for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file()?;
        append_all(&**file, bytes)?;
        self.unsynced += bytes.len() as u64;
        if self.incremental_sync && self.unsynced >= SYNC_STEP_BYTES {
            self.unsynced = 0;
            self.file()?.start_sync();
        }
        (self.breathe)();
        Ok(())
    }

    fn commit(&mut self) -> io::Result<()> {
        self.file()?.sync()?;
        self.disk.rename(&self.temp, &self.path)?;
        self.file = None;
        self.disk.sync_dir(parent(&self.path))
    }

    fn abandon(&mut self) {
        if self.file.take().is_some() {
            // If it stays it does no harm: no other save has its name.
            let _ = self.disk.remove(&self.temp);
        }
    }
}
