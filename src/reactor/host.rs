//! The real machine, as a node may touch it.

use std::any::Any;
use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::base::host::{Host, ProcessFacts};
use crate::base::log;
use crate::base::time::{MonoTime, Now};
use crate::config::{Config, OomScoreAdj};

use super::listener::{self, Listener};
use super::{logging, sys};

/// The clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Microseconds since the program's start, never zero.
    #[inline]
    pub(super) fn mono_us(self) -> u64 {
        self.start.elapsed().as_micros() as u64 + 1
    }

    pub(super) fn now(self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: MonoTime(self.mono_us()), unix_us: unix.as_micros() as i64 }
    }
}

/// What CONFIG SET changed in the world and the loop has yet to take over.
#[derive(Default)]
pub(super) struct Changes {
    /// Listeners that replace all TCP listeners.
    pub(super) listeners: Option<Vec<Listener>>,
}

/// The real machine.
pub(super) struct RealHost {
    pub(super) clock: Clock,
    pub(super) changes: Rc<RefCell<Changes>>,
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

    fn glob(&mut self, pattern: &str) -> Vec<PathBuf> {
        glob::glob(pattern).map(|paths| paths.flatten().collect()).unwrap_or_default()
    }

    fn apply(&mut self, directives: &[&str], config: &dyn Any) -> Result<(), String> {
        let Some(config) = config.downcast_ref::<Config>() else { return Ok(()) };
        for &name in directives {
            match name {
                "port" | "bind" => {
                    let listeners = listener::listen_tcp(config)
                        .map_err(|_| "Unable to listen on this port, check server logs.".to_owned())?;
                    self.changes.borrow_mut().listeners = Some(listeners);
                }
                "maxclients" => {
                    let wanted = u64::from(config.maxclients) + 32;
                    if sys::raise_open_files(wanted) < wanted {
                        let text =
                            "The operating system is not able to handle the specified number of clients, try with";
                        return Err(format!("{text} {}", sys::raise_open_files(0).saturating_sub(32)));
                    }
                }
                "loglevel" => logging::set_level(config),
                "oom-score-adj" | "oom-score-adj-values" => set_oom_score(config)?,
                "dir" => std::env::set_current_dir(config.dir.display().as_ref()).map_err(|e| os_text(&e))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn process_facts(&mut self) -> ProcessFacts {
        let page = 4096;
        let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: usize = statm.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = meminfo.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
        ProcessFacts {
            rss: pages * page,
            total_memory: total.unwrap_or(0) * 1024,
            cpu: sys::cpu_seconds(),
            open_files: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        }
    }

    fn sleep_us(&mut self, us: u64) {
        std::thread::sleep(Duration::from_micros(us));
    }

    #[inline]
    fn mono_us(&self) -> u64 {
        self.clock.mono_us()
    }
}

/// An error as the C library words it, without std's number.
pub(super) fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Tells the kernel's out-of-memory killer how to treat this process.
pub(super) fn set_oom_score(config: &Config) -> Result<(), String> {
    let path = "/proc/self/oom_score_adj";
    let base = match config.oom_score_adj {
        OomScoreAdj::No => return Ok(()),
        OomScoreAdj::Absolute => 0,
        OomScoreAdj::Relative | OomScoreAdj::Yes => {
            fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
        }
    };
    let score = (base + config.oom_score_adj_values.0[0]).clamp(-1000, 1000);
    fs::write(path, score.to_string()).map_err(|error| {
        log::warning(&format!("Unable to write oom_score_adj: {}", os_text(&error)));
        "Failed to apply new oom_score_adj configuration, check server logs.".to_owned()
    })
}
