//! Threads for the node's jobs, and how they wake the loop.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::base::job::{Breathe, Job, Progress, Urgency, Wait, Wake};
use crate::storage::alloc;

use super::{affinity, sys};

/// How long a command that waits for a job sleeps at most before it looks again.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How long a prompt job may have a processor that others want, in microseconds. The less it is, the sooner it gets one.
const SLICE_US: u64 = 100;

/// How much a job of low urgency yields to others, as `nice` counts: a third of a processor that one other thread wants.
const NICENESS: i32 = 5;

/// What jobs and the loop share.
pub(super) struct Jobs {
    /// Wakes the loop's poll.
    waker: Arc<mio::Waker>,
    woken: Arc<(Mutex<Woken>, Condvar)>,
    places: Arc<Places>,
}

/// Whether the loop's thread is woken.
#[derive(Default)]
struct Woken {
    /// Raised by whoever wakes, lowered by who waits.
    woken: bool,
    /// Is the thread waiting here, rather than in its poll?
    waiting: bool,
}

/// The processors on which the loop and the last job that breathed were seen, plus one; zero is none.
#[derive(Default)]
struct Places {
    node: AtomicUsize,
    job: AtomicUsize,
}

/// Notes where this thread runs. Is the other one there too? Left alone, two busy threads on one processor take turns of several
/// milliseconds.
fn meet(own: &AtomicUsize, other: &AtomicUsize) -> bool {
    let Some(cpu) = sys::current_cpu() else { return false };
    own.store(cpu + 1, Ordering::Relaxed);
    other.load(Ordering::Relaxed) == cpu + 1
}

impl Jobs {
    /// Jobs that wake a poll by this.
    pub(super) fn new(waker: mio::Waker) -> Jobs {
        Jobs { waker: Arc::new(waker), woken: Arc::default(), places: Arc::default() }
    }

    pub(super) fn wake(&self) -> Wake {
        let (waker, woken) = (self.waker.clone(), self.woken.clone());
        Arc::new(move || {
            let mut state = woken.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.woken = true;
            if state.waiting {
                drop(state);
                woken.1.notify_one();
            } else {
                drop(state);
                // Should the poll not be reached, the loop still looks at its jobs when its timer ends.
                let _ = waker.wake();
            }
        })
    }

    pub(super) fn breathe(&self) -> Breathe {
        let places = self.places.clone();
        Arc::new(move || {
            meet(&places.job, &places.node);
            // Whoever is there: a client that waits for a processor asks for nothing meanwhile.
            std::thread::yield_now();
        })
    }

    pub(super) fn give_way(&self) {
        if meet(&self.places.node, &self.places.job) {
            std::thread::yield_now();
        }
    }

    /// Runs a job on a thread of its own.
    pub(super) fn spawn(&self, name: &'static str, mut job: Box<dyn Job>) -> io::Result<()> {
        let (wake, places) = (self.wake(), self.places.clone());
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            match job.urgency() {
                Urgency::Prompt => sys::shorten_slice(SLICE_US),
                Urgency::Usual => {}
                Urgency::Low => sys::lower_priority(NICENESS),
            }
            let (directive, processors) = job.processors();
            affinity::bind_thread(directive, processors);
            while job.run(Wait::Block) != Progress::Done {}
            drop(job);
            places.job.store(0, Ordering::Relaxed);
            alloc::publish_thread();
            wake();
        })?;
        Ok(())
    }

    /// Sleeps until a job wakes the loop, or so long. Whoever calls this looks at what jobs did before the next poll, which
    /// they do not wake then.
    pub(super) fn wait(&self, at_most: Duration) {
        let (mutex, condvar) = &*self.woken;
        let mut state = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting = true;
        let waited = condvar.wait_timeout_while(state, at_most, |state| !state.woken);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = Woken::default();
    }
}
