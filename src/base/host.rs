//! What a node asks of the machine it runs on. The reactor answers for the real one, the simulator and the tests for
//! theirs; no other room touches files, sockets or the process.

use std::io;
use std::path::Path;

/// Facts about the process, for INFO.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessFacts {
    /// Resident memory, bytes.
    pub rss: usize,
    /// Memory of the machine, bytes.
    pub total_memory: usize,
    /// Seconds in the kernel and in user mode: process, then main thread, then children.
    pub cpu: [f64; 6],
}

/// The machine, as far as a node may touch it.
pub trait Host {
    /// The content of a file.
    ///
    /// # Errors
    /// As the system's.
    fn read_file(&mut self, path: &Path) -> io::Result<Vec<u8>>;

    /// Replaces a file's content so that either the old or the new one is there after a crash.
    ///
    /// # Errors
    /// As the system's; the old content is still there.
    fn replace_file(&mut self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// Files that match a glob pattern, sorted.
    fn glob(&mut self, pattern: &str) -> Vec<std::path::PathBuf>;

    /// Brings sockets, limits and process properties in line with changed directives (by name).
    ///
    /// # Errors
    /// What CONFIG SET answers; nothing has changed then.
    fn apply(&mut self, directives: &[&str], config: &dyn std::any::Any) -> Result<(), String>;

    /// Facts about the process.
    fn process_facts(&mut self) -> ProcessFacts;

    /// Stops the whole server for a while (DEBUG SLEEP).
    fn sleep_us(&mut self, us: u64);

    /// The monotonic clock, for measuring how long a command takes.
    fn mono_us(&self) -> u64;
}
