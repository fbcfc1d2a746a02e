//! The incremental file that is being written: what gathers in a turn, SELECTs and timestamps, and what is left of a write
//! that failed.

use std::io;
use std::sync::Arc;

use crate::base::disk::{DiskFile, reason};
use crate::base::log;
use crate::keyspace::DbIndex;

/// Room for so much is kept from one turn to the next.
const PENDING_KEPT: usize = 1 << 20;

/// An incremental file, open at its end.
pub struct Writer {
    file: Arc<dyn DiskFile>,
    /// Bytes of it that are whole commands.
    len: u64,
    /// What is to be written.
    pending: Vec<u8>,
    /// The database that the file selected last.
    selected: Option<DbIndex>,
    /// The last `#TS`, seconds since the epoch.
    timestamp: i64,
}

impl Writer {
    /// Goes on with a file of this length.
    pub fn new(file: Arc<dyn DiskFile>, len: u64) -> Writer {
        Writer { file, len, pending: Vec::new(), selected: None, timestamp: 0 }
    }

    /// The file.
    pub fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    /// Bytes written.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Has nothing been written?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that wait to be written.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Forgets what waits to be written.
    pub fn forget_pending(&mut self) {
        self.pending = Vec::new();
        self.selected = None;
    }

    /// Takes a turn's commands on, with the places where their database changes. `now` in seconds, if the time is to be
    /// noted.
    pub fn gather(&mut self, commands: &mut Vec<u8>, marks: &[(usize, DbIndex)], now: Option<i64>) {
        if commands.is_empty() {
            return;
        }
        let noted = now.filter(|&now| now > self.timestamp);
        if let Some(now) = noted {
            self.timestamp = now;
            self.pending.extend_from_slice(format!("#TS:{now}\r\n").as_bytes());
        }
        let is_selected = matches!(marks, [(0, db)] if self.selected == Some(*db));
        if is_selected && self.pending.is_empty() {
            std::mem::swap(&mut self.pending, commands);
            return;
        }
        // A transaction begins before its database is selected.
        self.pending.extend_from_slice(&commands[..marks.first().map_or(commands.len(), |&(at, _)| at)]);
        for (index, &(from, db)) in marks.iter().enumerate() {
            let to = marks.get(index + 1).map_or(commands.len(), |&(next, _)| next);
            if self.selected != Some(db) {
                self.selected = Some(db);
                let number = db.0.to_string();
                let select = format!("*2\r\n$6\r\nSELECT\r\n${}\r\n{number}\r\n", number.len());
                self.pending.extend_from_slice(select.as_bytes());
            }
            self.pending.extend_from_slice(&commands[from..to]);
        }
    }

    /// Writes what waits. On failure the file is cut back to what it was, and everything still waits.
    ///
    /// # Errors
    /// As the system's.
    pub fn write(&mut self) -> io::Result<()> {
        let mut written = 0;
        let result = loop {
            if written == self.pending.len() {
                break Ok(());
            }
            match self.file.append(&self.pending[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = result {
            self.undo(written);
            return Err(error);
        }
        self.len += written as u64;
        if self.pending.capacity() > PENDING_KEPT {
            self.pending = Vec::new();
        }
        self.pending.clear();
        Ok(())
    }

    /// Cuts off the beginning of what could not be written whole.
    fn undo(&mut self, written: usize) {
        if written == 0 {
            return;
        }
        let expected = self.pending.len();
        log::warning(&format!("Short write while writing to the AOF file: (nwritten={written}, expected={expected})"));
        if let Err(error) = self.file.truncate(self.len) {
            log::warning(&format!(
                "Could not remove short write from the append-only file. The server may refuse to load the AOF the next \
                 time it starts. ftruncate: {}",
                reason(&error)
            ));
            // These bytes stay; the rest of the command follows them.
            self.pending.drain(..written);
            self.len += written as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::disk::{Disk, MemoryDisk, read_all};

    #[test]
    fn databases_are_selected_and_times_noted_where_they_change() {
        let disk = MemoryDisk::default();
        let path = Path::new("aof");
        let mut writer = Writer::new(disk.create(path).unwrap(), 0);
        let mut turn = |text: &str, marks: &[(usize, DbIndex)], now: Option<i64>| {
            writer.gather(&mut text.as_bytes().to_vec(), marks, now);
            writer.write().unwrap();
        };
        turn("aabb", &[(0, DbIndex(0)), (2, DbIndex(12))], None);
        turn("cc", &[(0, DbIndex(12))], Some(100));
        turn("dd", &[(0, DbIndex(12))], Some(100));
        turn("ee", &[(0, DbIndex(12))], Some(99));
        let text = String::from_utf8(read_all(&disk, path).unwrap()).unwrap().replace("\r\n", " ");
        assert_eq!(text, "*2 $6 SELECT $1 0 aa*2 $6 SELECT $2 12 bb#TS:100 ccddee");
    }

    #[test]
    fn a_short_write_leaves_no_trace_and_is_repeated() {
        let disk = MemoryDisk::default();
        let path = Path::new("aof");
        let mut writer = Writer::new(disk.create(path).unwrap(), 0);
        writer.selected = Some(DbIndex(0));
        writer.gather(&mut b"whole".to_vec(), &[(0, DbIndex(0))], None);
        writer.write().unwrap();
        disk.set_room(3);
        writer.gather(&mut b"second".to_vec(), &[(0, DbIndex(0))], None);
        assert!(writer.write().is_err());
        assert_eq!(read_all(&disk, path).unwrap(), b"whole");
        assert!(writer.write().is_err());
        disk.set_full(false);
        writer.gather(&mut b"third".to_vec(), &[(0, DbIndex(0))], None);
        writer.write().unwrap();
        assert_eq!((read_all(&disk, path).unwrap().as_slice(), writer.len()), (b"wholesecondthird".as_slice(), 16));
    }
}
