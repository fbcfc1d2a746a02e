//! A snapshot: the pieces of a cut on their way to what writes them, on another thread. The node sends pieces as it takes
//! them and looks for the outcome; dropping a snapshot before its end abandons it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::disk::reason;
use crate::base::job::{Job, Progress, Received, Sleep, Urgency, Wait, Wake, receive};
use crate::keyspace::CutPiece;
use crate::storage::alloc;

/// What becomes of the pieces of a cut: a file, commands, a stream to replicas.
pub trait PieceSink: Send {
    /// Takes the next piece, of whose large values it may free parts as it goes; calls `after_key` after each key.
    ///
    /// # Errors
    /// As the disk's or the link's.
    fn piece(&mut self, piece: &mut CutPiece, after_key: &mut dyn FnMut()) -> io::Result<()>;

    /// That was all. Returns the bytes written.
    ///
    /// # Errors
    /// As the disk's or the link's.
    fn finish(&mut self) -> io::Result<u64>;

    /// It is not wanted any more, or failed: leaves no trace.
    fn abandon(&mut self);
}

/// How a snapshot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotEnd {
    /// Whole, with so many bytes.
    Written(u64),
    /// For this reason.
    Failed(String),
}

/// A delay is slept in steps of so many microseconds, so that it can be cut short.
const SLEEP_STEP_US: i64 = 10_000;

enum Order {
    Piece(CutPiece),
    Finish,
}

#[derive(Default)]
struct Shared {
    keys: AtomicUsize,
    /// Microseconds to sleep at each key; negative: one microsecond at so many keys (rdb-key-save-delay).
    key_delay_us: AtomicU64,
    /// Is the node's end gone?
    unwanted: AtomicBool,
    end: Mutex<Option<SnapshotEnd>>,
}

impl Shared {
    fn key_delay_us(&self) -> i64 {
        self.key_delay_us.load(Ordering::Relaxed) as i64
    }

    /// Sleeps after a key. A delay that is changed, and a snapshot that is not wanted any more, end it within a moment.
    fn delay(&self, done: u64, sleep: &Sleep) {
        if self.unwanted.load(Ordering::Relaxed) {
            return;
        }
        match self.key_delay_us() {
            0 => {}
            1.. => {
                let mut slept = 0;
                while slept < self.key_delay_us() && !self.unwanted.load(Ordering::Relaxed) {
                    let step = (self.key_delay_us() - slept).clamp(1, SLEEP_STEP_US);
                    sleep(step as u64);
                    slept += step;
                }
            }
            every => {
                if done.is_multiple_of(every.unsigned_abs()) {
                    sleep(1);
                }
            }
        }
    }
}

/// How a snapshot is to be written.
#[derive(Clone, Debug)]
pub struct SnapshotOptions {
    /// Microseconds to sleep at each key; negative: one microsecond at so many keys (rdb-key-save-delay).
    pub key_delay_us: i32,
    /// Does somebody wait for it?
    pub urgency: Urgency,
    /// A directive and its list of the processors to use.
    pub processors: (&'static str, String),
}

/// The node's end of a snapshot.
pub struct Snapshot {
    orders: Sender<Order>,
    shared: Arc<Shared>,
}

impl Snapshot {
    /// A snapshot that goes to `sink`, and the job that writes it.
    pub fn new(
        sink: Box<dyn PieceSink>,
        options: SnapshotOptions,
        wake: Wake,
        sleep: Sleep,
    ) -> (Snapshot, Box<dyn Job>) {
        let (sender, orders) = channel();
        let shared = Arc::new(Shared::default());
        shared.key_delay_us.store(i64::from(options.key_delay_us) as u64, Ordering::Relaxed);
        let job = SnapshotJob { orders, sink: Some(sink), shared: shared.clone(), options, wake, sleep };
        (Snapshot { orders: sender, shared }, Box::new(job))
    }

    /// Sends the next piece. If the job is gone, its end says why.
    pub fn send(&self, piece: CutPiece) {
        let _ = self.orders.send(Order::Piece(piece));
    }

    /// Says that all pieces were sent.
    pub fn finish(&self) {
        let _ = self.orders.send(Order::Finish);
    }

    /// Keys written so far.
    pub fn keys_written(&self) -> usize {
        self.shared.keys.load(Ordering::Relaxed)
    }

    /// Changes how long it sleeps at each key.
    pub fn set_key_delay(&self, us: i32) {
        self.shared.key_delay_us.store(i64::from(us) as u64, Ordering::Relaxed);
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<SnapshotEnd> {
        self.shared.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.shared.unwanted.store(true, Ordering::Relaxed);
    }
}

struct SnapshotJob {
    orders: Receiver<Order>,
    /// None once it failed: what comes is dropped.
    sink: Option<Box<dyn PieceSink>>,
    shared: Arc<Shared>,
    options: SnapshotOptions,
    wake: Wake,
    sleep: Sleep,
}

impl SnapshotJob {
    fn end(&mut self, end: SnapshotEnd) {
        *self.shared.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        (self.wake)();
    }

    fn fail(&mut self, error: &io::Error) {
        if let Some(mut sink) = self.sink.take() {
            sink.abandon();
        }
        self.end(SnapshotEnd::Failed(reason(error)));
    }

    /// Drops a snapshot that nobody wants any more, also where everything is there to finish it.
    fn drop_unwanted(&mut self) {
        if self.shared.unwanted.load(Ordering::Relaxed)
            && let Some(mut sink) = self.sink.take()
        {
            sink.abandon();
        }
    }

    fn has_ended(&self) -> bool {
        self.shared.end.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn take(&mut self, piece: &mut CutPiece) {
        self.drop_unwanted();
        let Some(sink) = &mut self.sink else { return };
        let (shared, sleep) = (&self.shared, &self.sleep);
        let mut after_key = || {
            let done = shared.keys.fetch_add(1, Ordering::Relaxed) as u64 + 1;
            shared.delay(done, sleep);
        };
        if let Err(error) = sink.piece(piece, &mut after_key) {
            self.fail(&error);
        }
    }
}

/// A job that goes before its work is done, as one that panics does, leaves an end too.
impl Drop for SnapshotJob {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        if let Some(mut sink) = self.sink.take() {
            sink.abandon();
        }
        self.end(SnapshotEnd::Failed("the thread that wrote it is gone".to_owned()));
    }
}

impl Job for SnapshotJob {
    fn urgency(&self) -> Urgency {
        self.options.urgency
    }

    fn processors(&self) -> (&'static str, &str) {
        (self.options.processors.0, &self.options.processors.1)
    }

    fn run(&mut self, wait: Wait) -> Progress {
        loop {
            match receive(&self.orders, wait) {
                Received::Item(Order::Piece(mut piece)) => {
                    self.take(&mut piece);
                    drop(piece);
                    alloc::publish_thread();
                    // Whoever slowed down for want of room may go on.
                    (self.wake)();
                }
                Received::Item(Order::Finish) => {
                    self.drop_unwanted();
                    if let Some(mut sink) = self.sink.take() {
                        match sink.finish() {
                            Ok(bytes) => self.end(SnapshotEnd::Written(bytes)),
                            Err(error) => {
                                sink.abandon();
                                self.end(SnapshotEnd::Failed(reason(&error)));
                            }
                        }
                    }
                    return Progress::Done;
                }
                Received::Empty => return Progress::Idle,
                Received::Closed => {
                    self.drop_unwanted();
                    return Progress::Done;
                }
            }
        }
    }
}
