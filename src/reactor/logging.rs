//! The log file: `PID:M 21 Nov 2026 05:15:00.123 * text`, as Redis writes it, to a file, standard output or syslog.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::log::{self, Level};
use crate::config::{Config, LogLevel};

use super::sys;

static MIN_LEVEL: AtomicU8 = AtomicU8::new(Level::Notice as u8);
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Sets the least level that is written.
pub(super) fn set_level(config: &Config) {
    let level = match config.loglevel {
        LogLevel::Debug => Level::Debug as u8,
        LogLevel::Verbose => Level::Verbose as u8,
        LogLevel::Notice => Level::Notice as u8,
        LogLevel::Warning => Level::Warning as u8,
        LogLevel::Nothing => u8::MAX,
    };
    MIN_LEVEL.store(level, Ordering::Relaxed);
}

/// Directs the log as the configuration says.
pub(super) fn start(config: &Config) {
    set_level(config);
    let path = (!config.logfile.is_empty()).then(|| config.logfile.display().into_owned());
    let syslog = config.syslog_enabled;
    if syslog {
        sys::open_syslog(&config.syslog_ident.display(), libc::LOG_LOCAL0);
    }
    let pid = std::process::id();
    // One writer at a time, so that lines never mix.
    let out = Arc::new(Mutex::new(()));
    log::set_sink(Box::new(move |level, text| {
        if (level as u8) < MIN_LEVEL.load(Ordering::Relaxed) {
            return;
        }
        let line = format_line(pid, level, text);
        let _one_at_a_time = out.lock();
        match &path {
            // Opened for each line, so that a file moved away by log rotation is written anew.
            Some(path) => {
                if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path) {
                    // Nowhere is left to tell of a log that cannot be written.
                    let _ = file.write_all(line.as_bytes());
                }
            }
            None => {
                let mut stdout = std::io::stdout().lock();
                let _ = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
            }
        }
        if syslog {
            let priority = [libc::LOG_DEBUG, libc::LOG_INFO, libc::LOG_NOTICE, libc::LOG_WARNING][level as usize];
            sys::syslog(priority, text);
        }
    }));
}

fn format_line(pid: u32, level: Level, text: &str) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let [year, month, day, hour, minute, second] = sys::local_time(since.as_secs() as i64);
    let month = MONTHS[month.rem_euclid(12) as usize];
    let mark = [".", "-", "*", "#"][level as usize];
    let ms = since.subsec_millis();
    format!("{pid}:M {day:02} {month} {year} {hour:02}:{minute:02}:{second:02}.{ms:03} {mark} {text}\n")
}
