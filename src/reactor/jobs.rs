//! Threads for the node's jobs, and how they wake the loop.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::base::job::{Job, Progress, Wait, Wake};
use crate::storage::alloc;

/// How long a command that waits for a job sleeps at most before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What jobs and the loop share.
pub(super) struct Jobs {
    /// Wakes the loop's poll.
    waker: Arc<mio::Waker>,
    /// Raised by whoever wakes, lowered by who waits.
    woken: Arc<(Mutex<bool>, Condvar)>,
}

impl Jobs {
    /// Jobs that wake a poll by this.
    pub(super) fn new(waker: mio::Waker) -> Jobs {
        Jobs { waker: Arc::new(waker), woken: Arc::default() }
    }

    pub(super) fn wake(&self) -> Wake {
        let (waker, woken) = (self.waker.clone(), self.woken.clone());
        Arc::new(move || {
            *woken.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            woken.1.notify_one();
            // Should the poll not be reached, the loop still looks at its jobs when its timer ends.
            let _ = waker.wake();
        })
    }

    /// Runs a job on a thread of its own.
    pub(super) fn spawn(&self, name: &'static str, mut job: Box<dyn Job>) -> io::Result<()> {
        let wake = self.wake();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while job.run(Wait::Block) != Progress::Done {}
            drop(job);
            alloc::publish_thread();
            wake();
        })?;
        Ok(())
    }

    /// Sleeps until a job wakes the loop, or a little.
    pub(super) fn wait(&self) {
        let (mutex, condvar) = &*self.woken;
        let woken = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = condvar.wait_timeout_while(woken, LOOK_AGAIN, |woken| !*woken);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}
