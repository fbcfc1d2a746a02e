//! The log: four levels, one sink that the program sets. Without a sink nothing is written.

use std::sync::RwLock;

/// How much a line matters, as `loglevel` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Verbose,
    Notice,
    Warning,
}

type Sink = Box<dyn Fn(Level, &str) + Send + Sync>;

static SINK: RwLock<Option<Sink>> = RwLock::new(None);

/// Sets where lines go. The sink filters by level and adds time and process.
pub fn set_sink(sink: Sink) {
    if let Ok(mut slot) = SINK.write() {
        *slot = Some(sink);
    }
}

/// Writes one line.
pub fn log(level: Level, text: &str) {
    if let Ok(slot) = SINK.read()
        && let Some(sink) = slot.as_ref()
    {
        sink(level, text);
    }
}

/// Something that deserves the operator's eye.
pub fn warning(text: &str) {
    log(Level::Warning, text);
}

/// Something that production wants to know.
pub fn notice(text: &str) {
    log(Level::Notice, text);
}

/// A detail, rarely useful.
pub fn verbose(text: &str) {
    log(Level::Verbose, text);
}
