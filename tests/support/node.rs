//! A node on a machine of nothing but memory: no sockets, no files, a clock that stands still until it is moved.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use russet::base::disk::{self, Disk, MemoryDisk};
use russet::base::host::{Host, ProcessFacts};
use russet::base::job::{Breathe, Job, Progress, Sleep, Wait, Wake};
use russet::base::time::{MonoTime, Now};
use russet::config::{Config, Directive, Origin};
use russet::node::Node;
use russet::server::Identity;

/// The time at which every in-process test begins, microseconds since the epoch.
pub const EPOCH_US: i64 = 1_700_000_000_000_000;

type NamedJob = (&'static str, Box<dyn Job>);

/// A machine of nothing but memory.
#[derive(Clone, Default)]
pub struct TestHost {
    pub disk: MemoryDisk,
    pub clock_us: Rc<RefCell<u64>>,
    /// Microseconds that pass with each reading of the clock while something runs.
    pub tick_us: Rc<Cell<u64>>,
    /// Those that go on.
    pub jobs: Rc<RefCell<Vec<NamedJob>>>,
    /// Do jobs stand still, as on a machine that is busy elsewhere?
    pub holds_jobs: Rc<Cell<bool>>,
    /// Jobs of this name stand still, whatever others do.
    pub held_job: Rc<Cell<Option<&'static str>>>,
    /// Do jobs get done what there is to do while a turn waits for them for a moment, even where they stand still otherwise?
    pub quick_jobs: Rc<Cell<bool>>,
}

impl TestHost {
    /// Lets every job do what there is to do.
    pub fn run_jobs(&self) {
        if self.holds_jobs.get() {
            return;
        }
        let held = self.held_job.get();
        self.jobs.borrow_mut().retain_mut(|(name, job)| held == Some(*name) || job.run(Wait::Never) != Progress::Done);
    }
}

impl Host for TestHost {
    fn read_file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        disk::read_all(&self.disk, path)
    }

    fn replace_file(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.disk.put(path, content);
        Ok(())
    }

    fn fill_secret(&mut self, into: &mut [u8]) -> io::Result<()> {
        into.iter_mut().zip((1u8..=255).cycle()).for_each(|(byte, number)| *byte = number.wrapping_mul(37));
        Ok(())
    }

    fn apply(&mut self, _directives: &[&str], _config: &dyn std::any::Any) -> Result<(), String> {
        Ok(())
    }

    fn process_facts(&mut self) -> ProcessFacts {
        ProcessFacts::default()
    }

    fn sleep_us(&mut self, us: u64) {
        *self.clock_us.borrow_mut() += us;
    }

    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.disk.clone())
    }

    fn spawn(&mut self, name: &'static str, job: Box<dyn Job>) -> io::Result<()> {
        self.jobs.borrow_mut().push((name, job));
        Ok(())
    }

    fn wake(&self) -> Wake {
        Arc::new(|| {})
    }

    fn sleep(&self) -> Sleep {
        Arc::new(|_| {})
    }

    fn breathe(&self) -> Breathe {
        Arc::new(|| {})
    }

    fn give_way(&mut self) {}

    fn wait_for_jobs(&mut self) {
        self.run_jobs();
    }

    fn wait_for_jobs_at_most(&mut self, us: u64) {
        if self.quick_jobs.get() {
            let held = self.holds_jobs.replace(false);
            self.run_jobs();
            self.holds_jobs.set(held);
        } else {
            *self.clock_us.borrow_mut() += us;
        }
    }

    fn mono_us(&self) -> u64 {
        *self.clock_us.borrow_mut() += self.tick_us.get();
        *self.clock_us.borrow()
    }
}

/// A node with this configuration, as `name value` lines, and its machine.
pub fn new(lines: &[(&str, &str)]) -> (Node, TestHost) {
    new_on(MemoryDisk::default(), lines)
}

/// As `new`, with what a disk holds.
pub fn new_on(disk: MemoryDisk, lines: &[(&str, &str)]) -> (Node, TestHost) {
    let mut config = Config::default();
    for (name, value) in lines {
        let directive = Directive::find(name.as_bytes()).expect("a known directive");
        directive.read(&mut config, &[value.as_bytes()], Origin::Set).expect("a valid value");
    }
    let host = TestHost { disk, ..TestHost::default() };
    *host.clock_us.borrow_mut() = 1_000_000;
    let identity = Identity { run_id: "0".repeat(40), started: MonoTime(1_000_000), ..Identity::default() };
    let now = Now { mono: MonoTime(1_000_000), unix_us: EPOCH_US };
    (Node::new(config, 1, now, identity, Box::new(host.clone())), host)
}
