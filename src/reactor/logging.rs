//! The log: `PID:M 21 Nov 2026 05:15:00.123 * text`, as Redis writes it, or in one of Valkey's other shapes, to a file,
//! standard output or syslog.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::base::disk::reason;
use crate::base::log::{self, Level};
use crate::config::{Config, LogFormat, LogLevel, LogTimestampFormat, SyslogFacility};

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

/// The shape of lines.
static FORMAT: Mutex<(LogFormat, LogTimestampFormat)> = Mutex::new((LogFormat::Legacy, LogTimestampFormat::Legacy));

/// Sets the shape of lines.
pub(super) fn set_format(config: &Config) {
    *FORMAT.lock().unwrap_or_else(PoisonError::into_inner) = (config.log_format, config.log_timestamp_format);
}

/// Syslog's number for a facility.
fn facility(named: SyslogFacility) -> i32 {
    match named {
        SyslogFacility::User => libc::LOG_USER,
        SyslogFacility::Local0 => libc::LOG_LOCAL0,
        SyslogFacility::Local1 => libc::LOG_LOCAL1,
        SyslogFacility::Local2 => libc::LOG_LOCAL2,
        SyslogFacility::Local3 => libc::LOG_LOCAL3,
        SyslogFacility::Local4 => libc::LOG_LOCAL4,
        SyslogFacility::Local5 => libc::LOG_LOCAL5,
        SyslogFacility::Local6 => libc::LOG_LOCAL6,
        SyslogFacility::Local7 => libc::LOG_LOCAL7,
    }
}

/// Why the log file cannot be written, if it cannot.
pub(super) fn probe(config: &Config) -> Result<(), String> {
    if config.logfile.is_empty() {
        return Ok(());
    }
    let opened = OpenOptions::new().create(true).append(true).open(config.logfile.display().as_ref());
    opened.map(drop).map_err(|error| format!("Can't open the log file: {}", reason(&error)))
}

/// Directs the log as the configuration says.
pub(super) fn start(config: &Config) {
    set_level(config);
    set_format(config);
    let path = (!config.logfile.is_empty()).then(|| config.logfile.display().into_owned());
    let syslog = config.syslog_enabled;
    if syslog {
        sys::open_syslog(&config.syslog_ident.display(), facility(config.syslog_facility));
    }
    let pid = std::process::id();
    // One writer at a time, so that lines never mix.
    let out = Arc::new(Mutex::new(()));
    log::set_sink(Box::new(move |level, text| {
        if (level as u8) < MIN_LEVEL.load(Ordering::Relaxed) {
            return;
        }
        let (format, time) = *FORMAT.lock().unwrap_or_else(PoisonError::into_inner);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = format_line(format, pid, &timestamp(time, since), level, text);
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

fn timestamp(format: LogTimestampFormat, since: Duration) -> String {
    let ms = since.subsec_millis();
    let ([year, month, day, hour, minute, second], offset) = sys::local_time(since.as_secs() as i64);
    match format {
        LogTimestampFormat::Legacy => {
            let name = MONTHS[month.rem_euclid(12) as usize];
            format!("{day:02} {name} {year} {hour:02}:{minute:02}:{second:02}.{ms:03}")
        }
        LogTimestampFormat::Iso8601 => {
            let (sign, offset) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
            let zone = format!("{sign}{:02}:{:02}", offset / 60, offset % 60);
            format!("{year}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}{zone}", month + 1)
        }
        LogTimestampFormat::Milliseconds => since.as_millis().to_string(),
    }
}

fn format_line(format: LogFormat, pid: u32, time: &str, level: Level, text: &str) -> String {
    let name = ["debug", "info", "notice", "warning"][level as usize];
    match format {
        LogFormat::Legacy => {
            let mark = [".", "-", "*", "#"][level as usize];
            format!("{pid}:M {time} {mark} {text}\n")
        }
        LogFormat::Logfmt => {
            let text = text.replace('"', "'").replace(['\n', '\r'], " ");
            format!("pid={pid} role=primary timestamp=\"{time}\" level={name} message=\"{text}\"\n")
        }
        LogFormat::Json => {
            let text: String = text.chars().map(json_char).collect();
            let head = format!("\"pid\":{pid},\"role\":\"primary\",\"timestamp\":\"{time}\"");
            format!("{{{head},\"level\":\"{name}\",\"message\":\"{text}\"}}\n")
        }
    }
}

fn json_char(c: char) -> String {
    match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        c if c < ' ' => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_take_the_shape_that_is_asked_for() {
        let line = |format| format_line(format, 7, "T", Level::Notice, "a\"b\\c\td\n\u{1}\u{e9}");
        assert_eq!(line(LogFormat::Legacy), "7:M T * a\"b\\c\td\n\u{1}\u{e9}\n");
        assert_eq!(
            line(LogFormat::Logfmt),
            "pid=7 role=primary timestamp=\"T\" level=notice message=\"a'b\\c\td \u{1}\u{e9}\"\n"
        );
        assert_eq!(
            line(LogFormat::Json),
            "{\"pid\":7,\"role\":\"primary\",\"timestamp\":\"T\",\"level\":\"notice\",\
             \"message\":\"a\\\"b\\\\c\\td\\n\\u0001\u{e9}\"}\n"
        );
    }

    #[test]
    fn times_take_the_shape_that_is_asked_for() {
        let since = Duration::from_millis(1_795_247_357_062);
        assert_eq!(timestamp(LogTimestampFormat::Milliseconds, since), "1795247357062");
        let legacy = timestamp(LogTimestampFormat::Legacy, since);
        assert!(legacy.ends_with(":17.062") && legacy.contains(" Nov 2026 "), "{legacy}");
        let iso = timestamp(LogTimestampFormat::Iso8601, since);
        assert!(iso.starts_with("2026-11-2") && iso.contains(":17.062"), "{iso}");
        assert_eq!(iso.len(), "2026-11-21T07:49:17.062+00:00".len());
    }
}
