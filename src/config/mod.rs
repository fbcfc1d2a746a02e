//! The configuration: one table of directives, from which come the typed [`Config`], the redis.conf and TOML names,
//! CONFIG GET, SET and REWRITE, and the sample files. Deliberately absent: IO (file contents are handed in), the
//! effects of a change (the caller of [`set`](set::set) applies them), Sentinel's own directives, ACL rules.
//! `main` loads it, `commands/config` reads and changes it, everybody reads its fields.

mod choice;
mod directive;
pub mod file;
pub mod rewrite;
pub mod samples;
pub mod set;
mod setting;
mod special;
mod table;
pub mod toml;
pub mod words;

pub use choice::*;
pub use directive::{Directive, Flags};
pub use setting::{Line, Origin, Setting, Shape, Text};
pub use special::*;
pub use table::{Config, DIRECTIVES};

impl Config {
    /// Pulls values to where the server can honour them: what Redis takes and silently bounds.
    pub(crate) fn settle(&mut self) {
        self.hz = self.hz.clamp(1, 500);
        self.repl_backlog_size = self.repl_backlog_size.max(16 << 10);
    }

    /// Checks that each value lies within what its own directive would take.
    pub fn check_invariants(&self) {
        assert!((1..=500).contains(&self.hz));
        assert!(self.bind.0.len() <= Addresses::COUNT_MAX);
        assert!(self.save.0.iter().all(|point| point.seconds >= 1 && point.changes >= 0));
        for directive in DIRECTIVES {
            let number = match directive.shape {
                Shape::Int { min, max } | Shape::Memory { min, max } => Some((min, max)),
                _ => None,
            };
            if let Some((min, max)) = number {
                let shown = directive.show(self);
                let value = crate::base::number::parse_i64(&shown).unwrap_or(i64::MIN);
                assert!((min..=max).contains(&value), "{}", directive.name());
            }
        }
    }
}
