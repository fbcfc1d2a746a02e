//! What a node asks of the machine it runs on. The reactor answers for the real one, the simulator and the tests for
//! theirs; no other room touches files, sockets or the process.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::disk::Disk;
use super::job::{Breathe, Job, Sleep, Wake};

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

    /// Brings sockets, limits and process properties in line with changed directives (by name).
    ///
    /// # Errors
    /// What CONFIG SET answers; nothing has changed then.
    fn apply(&mut self, directives: &[&str], config: &dyn std::any::Any) -> Result<(), String>;

    /// Fills these bytes so that nobody can guess them.
    ///
    /// # Errors
    /// If the system has no source of such.
    fn fill_secret(&mut self, into: &mut [u8]) -> io::Result<()>;

    /// Facts about the process.
    fn process_facts(&mut self) -> ProcessFacts;

    /// Stops the whole server for a while (DEBUG SLEEP).
    fn sleep_us(&mut self, us: u64);

    /// The disk.
    fn disk(&self) -> Arc<dyn Disk>;

    /// Runs a job beside this node until it is done.
    ///
    /// # Errors
    /// If the system gives no thread.
    fn spawn(&mut self, name: &'static str, job: Box<dyn Job>) -> io::Result<()>;

    /// Wakes this node's owner; for jobs.
    fn wake(&self) -> Wake;

    /// Sleeps; for jobs.
    fn sleep(&self) -> Sleep;

    /// Gives way to the node; for jobs.
    fn breathe(&self) -> Breathe;

    /// Gives way for a moment to a job that shares the node's processor and is behind.
    fn give_way(&mut self);

    /// Lets jobs go on, until one wakes this node or a few milliseconds have passed. For commands that wait for a job.
    fn wait_for_jobs(&mut self);

    /// As `wait_for_jobs`, but for so many microseconds at most. For what a job does sooner than others would miss this node.
    fn wait_for_jobs_at_most(&mut self, us: u64);

    /// The monotonic clock, for measuring how long a command takes.
    fn mono_us(&self) -> u64;
}
