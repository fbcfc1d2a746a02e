//! The real machine, as a node may touch it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::base::disk::{Disk, reason};
use crate::base::host::{Host, ProcessFacts};
use crate::base::job::{Breathe, Job, Sleep, Wake};
use crate::base::log;
use crate::base::time::{MonoTime, Now};
use crate::config::{Config, OomScoreAdj};
use crate::storage::alloc;

use super::disk::RealDisk;
use super::jobs::{Jobs, LOOK_AGAIN};
use super::listener::{self, Listener};
use super::start::RESERVED_FILES;
use super::title::Title;
use super::tls::Configured;
use super::{logging, sys, tls};

/// The clocks. Between two readings of the system's clock (once a turn) the processor's cycle counter tells how time goes
/// on: a command is timed at a fraction of the cost of a system clock.
#[derive(Clone)]
pub(super) struct Clock {
    state: Rc<ClockState>,
}

struct ClockState {
    start: Instant,
    /// Cycles a microsecond; zero where the counter cannot be trusted.
    cycles_per_us: u64,
    /// The last reading: microseconds, and the counter then.
    us: Cell<u64>,
    cycles: Cell<u64>,
}

impl Clock {
    pub(super) fn new() -> Clock {
        let start = Instant::now();
        let cycles_per_us = if sys::has_steady_cycles() { measure_cycles_per_us() } else { 0 };
        Clock {
            state: Rc::new(ClockState { start, cycles_per_us, us: Cell::new(1), cycles: Cell::new(sys::cycles()) }),
        }
    }

    /// Microseconds since the program's start, never zero, never going back.
    #[inline]
    pub(super) fn mono_us(&self) -> u64 {
        let state = &*self.state;
        if state.cycles_per_us == 0 {
            return state.start.elapsed().as_micros() as u64 + 1;
        }
        // A reading may lag behind the counter a little, so time is taken from whichever is later.
        let passed = sys::cycles().wrapping_sub(state.cycles.get()) / state.cycles_per_us;
        state.us.get() + passed
    }

    pub(super) fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let state = &*self.state;
        let us = (state.start.elapsed().as_micros() as u64 + 1).max(self.mono_us());
        state.us.set(us);
        state.cycles.set(sys::cycles());
        Now { mono: MonoTime(us), unix_us: unix.as_micros() as i64 }
    }

    /// What the log and INFO say of the clock.
    pub(super) fn describe(&self) -> String {
        match self.state.cycles_per_us {
            0 => "POSIX clock_gettime".to_owned(),
            cycles => format!("X86 TSC @ {cycles} ticks/us"),
        }
    }
}

fn measure_cycles_per_us() -> u64 {
    let (start, first) = (Instant::now(), sys::cycles());
    while start.elapsed() < Duration::from_millis(2) {
        std::hint::spin_loop();
    }
    let (elapsed, last) = (start.elapsed(), sys::cycles());
    // Rounded up: the counter then never runs ahead of the system's clock by more than a turn's rounding.
    (last.wrapping_sub(first) as u128 * 1000).div_ceil(elapsed.as_nanos()) as u64
}

/// What CONFIG SET changed in the world and the loop has yet to take over.
#[derive(Default)]
pub(super) struct Changes {
    /// Listeners that replace all those of plain TCP.
    pub(super) tcp_listeners: Option<Vec<Listener>>,
    /// Listeners that replace all those of TLS.
    pub(super) tls_listeners: Option<Vec<Listener>>,
    /// What connections on those speak from here on.
    pub(super) tls: Option<Configured>,
}

/// The real machine.
pub(super) struct RealHost {
    pub(super) clock: Clock,
    pub(super) changes: Rc<RefCell<Changes>>,
    pub(super) jobs: Jobs,
    /// None if the process title is to be left alone.
    pub(super) title: Option<Title>,
}

/// The answer to CONFIG SET of a port that cannot be had.
const CANNOT_LISTEN: &str = "Unable to listen on this port, check server logs.";

impl RealHost {
    /// Reads the files of TLS, where it is wanted, and has the loop take them over.
    fn configure_tls(&mut self, config: &Config) -> Result<(), String> {
        let made = tls::configure(config);
        let made = made.map_err(|()| "Unable to update TLS configuration. Check server logs.".to_owned())?;
        if made.is_some() {
            self.changes.borrow_mut().tls = made;
        }
        Ok(())
    }
}

impl Host for RealHost {
    fn read_file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn replace_file(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let temp = dir.join(format!("{name}.{}.tmp", std::process::id()));
        let write = |temp: &Path| {
            let mut file = File::create(temp)?;
            file.write_all(content)?;
            if let Ok(old) = fs::metadata(path) {
                fs::set_permissions(temp, old.permissions())?;
            }
            file.sync_all()?;
            fs::rename(temp, path)?;
            File::open(dir)?.sync_all()
        };
        let result = write(&temp);
        if result.is_err() {
            // The temporary file may not exist; the first error is the one to tell.
            let _ = fs::remove_file(&temp);
        }
        result
    }

    fn fill_secret(&mut self, into: &mut [u8]) -> io::Result<()> {
        File::open("/dev/urandom")?.read_exact(into)
    }

    fn apply(&mut self, directives: &[&str], config: &dyn Any) -> Result<(), String> {
        let Some(config) = config.downcast_ref::<Config>() else { return Ok(()) };
        for &name in directives {
            match name {
                "port" => {
                    let listeners = listener::listen_tcp(config).map_err(|_| CANNOT_LISTEN.to_owned())?;
                    self.changes.borrow_mut().tcp_listeners = Some(listeners);
                }
                "tls-port" => {
                    self.configure_tls(config)?;
                    let listeners = listener::listen_tls(config).map_err(|_| CANNOT_LISTEN.to_owned())?;
                    self.changes.borrow_mut().tls_listeners = Some(listeners);
                }
                "bind" => {
                    let refusal = |_| "Failed to bind to specified addresses.".to_owned();
                    let tcp = listener::listen_tcp(config).map_err(refusal)?;
                    let tls = listener::listen_tls(config).map_err(refusal)?;
                    let mut changes = self.changes.borrow_mut();
                    (changes.tcp_listeners, changes.tls_listeners) = (Some(tcp), Some(tls));
                }
                name if name.starts_with("tls-") => self.configure_tls(config)?,
                "maxclients" => {
                    let wanted = u64::from(config.maxclients) + RESERVED_FILES;
                    if sys::raise_open_files(wanted) < wanted {
                        let text =
                            "The operating system is not able to handle the specified number of clients, try with";
                        return Err(format!("{text} {}", sys::raise_open_files(0).saturating_sub(RESERVED_FILES)));
                    }
                }
                "loglevel" => logging::set_level(config),
                "log-format" | "log-timestamp-format" => logging::set_format(config),
                "proc-title-template" => self.title.iter().for_each(|title| title.show(config)),
                "bind-source-addr" => listener::warn_of_source_address(config),
                "oom-score-adj" | "oom-score-adj-values" => set_oom_score(config)?,
                "jemalloc-bg-thread" => set_background_thread(config),
                "dir" => std::env::set_current_dir(config.dir.display().as_ref()).map_err(|e| reason(&e))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn process_facts(&mut self) -> ProcessFacts {
        let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: usize = statm.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = meminfo.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
        ProcessFacts {
            rss: pages * sys::page_bytes(),
            total_memory: total.unwrap_or(0) * 1024,
            cpu: sys::cpu_seconds(),
        }
    }

    fn sleep_us(&mut self, us: u64) {
        std::thread::sleep(Duration::from_micros(us));
    }

    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(RealDisk)
    }

    fn spawn(&mut self, name: &'static str, job: Box<dyn Job>) -> io::Result<()> {
        self.jobs.spawn(name, job)
    }

    fn wake(&self) -> Wake {
        self.jobs.wake()
    }

    fn sleep(&self) -> Sleep {
        Arc::new(|us| std::thread::sleep(Duration::from_micros(us)))
    }

    fn breathe(&self) -> Breathe {
        self.jobs.breathe()
    }

    fn give_way(&mut self) {
        self.jobs.give_way();
    }

    fn wait_for_jobs(&mut self) {
        self.jobs.wait(LOOK_AGAIN);
    }

    fn wait_for_jobs_at_most(&mut self, us: u64) {
        self.jobs.wait(Duration::from_micros(us));
    }

    #[inline]
    fn mono_us(&self) -> u64 {
        self.clock.mono_us()
    }
}

/// The process's own score before this server changed it, while it has.
static OOM_SCORE_BEFORE: Mutex<Option<i32>> = Mutex::new(None);

/// Has unused memory given back by a thread of its own, as configured. The log tells if there can be none.
pub(super) fn set_background_thread(config: &Config) {
    if let Err(error) = alloc::set_background_thread(config.jemalloc_bg_thread) {
        log::warning(&format!("Unable to set jemalloc-bg-thread: {}", reason(&error)));
    }
}

/// Tells the kernel's out-of-memory killer how to treat this process; takes it back where the operator turned it off.
pub(super) fn set_oom_score(config: &Config) -> Result<(), String> {
    let path = "/proc/self/oom_score_adj";
    let mut before = OOM_SCORE_BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
    let read = || fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let ours = config.oom_score_adj_values.0[0];
    let score = match config.oom_score_adj {
        OomScoreAdj::No => match before.take() {
            Some(base) => base,
            None => return Ok(()),
        },
        OomScoreAdj::Absolute => {
            before.get_or_insert_with(read);
            ours
        }
        OomScoreAdj::Relative | OomScoreAdj::Yes => *before.get_or_insert_with(read) + ours,
    };
    fs::write(path, score.clamp(-1000, 1000).to_string()).map_err(|error| {
        log::warning(&format!("Unable to write oom_score_adj: {}", reason(&error)));
        "Failed to set current oom_score_adj. Check server logs.".to_owned()
    })
}
