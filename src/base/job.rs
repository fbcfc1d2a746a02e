//! Work that goes on beside the reactor: saving, loading, syncing. A job owns no keyspace; it talks to the node by
//! channels and wakes it. The reactor gives each job a thread; tests and the simulator run jobs step by step instead, so
//! that one seed replays one history.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

/// What a job does when nothing is there for it to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It sleeps until there is: it has a thread of its own.
    Block,
    /// It returns.
    Never,
}

/// How a step of a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The job is done, and is not run again.
    Done,
    /// There may be more to do later.
    Idle,
}

/// How a job's claim to a processor compares with that of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It works for moments, for which somebody waits: it goes before who has had a processor for long.
    Prompt,
    /// As any other.
    Usual,
    /// Nobody waits for it: it leaves a processor that is wanted to commands.
    Low,
}

/// Background work.
pub trait Job: Send {
    /// Does what there is to do. With `Wait::Block` it returns only when it is done.
    fn run(&mut self, wait: Wait) -> Progress;

    /// Its claim to a processor.
    fn urgency(&self) -> Urgency {
        Urgency::Usual
    }

    /// The processors that it may run on, as a list of numbers and ranges, and the directive that says so; an empty list is all.
    fn processors(&self) -> (&'static str, &str) {
        ("", "")
    }
}

/// Wakes the node's owner, so that a turn begins.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Sleeps so many microseconds (delays that tests ask for).
pub type Sleep = Arc<dyn Fn(u64) + Send + Sync>;

/// Gives way for a moment to whoever wants this job's processor, the node or its clients. A job of low urgency calls it at
/// least at each hundred microseconds of work, so that commands need not wait for it longer than that.
pub type Breathe = Arc<dyn Fn() + Send + Sync>;

/// What a job was sent.
#[derive(Debug)]
pub enum Received<T> {
    /// This.
    Item(T),
    /// Nothing yet.
    Empty,
    /// Nothing, and nothing will come.
    Closed,
}

/// The next thing that a job was sent.
pub fn receive<T>(receiver: &Receiver<T>, wait: Wait) -> Received<T> {
    match wait {
        Wait::Block => receiver.recv().map_or(Received::Closed, Received::Item),
        Wait::Never => match receiver.try_recv() {
            Ok(item) => Received::Item(item),
            Err(TryRecvError::Empty) => Received::Empty,
            Err(TryRecvError::Disconnected) => Received::Closed,
        },
    }
}
