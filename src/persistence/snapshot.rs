//! A snapshot: the pieces of a cut on their way to what writes them, on another thread. The node sends pieces as it takes
//! them and looks for the outcome; dropping a snapshot before its end abandons it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::job::{Job, Progress, Received, Sleep, Wait, Wake, receive};
use crate::keyspace::CutPiece;
use crate::storage::alloc;

/// What becomes of the pieces of a cut: a file, commands, a stream to replicas.
pub trait PieceSink: Send {
    /// Takes the next piece; calls `after_key` after each key.
    ///
    /// # Errors
    /// As the disk's or the link's.
    fn piece(&mut self, piece: &CutPiece, after_key: &mut dyn FnMut()) -> io::Result<()>;

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

/// The longest sleep in one piece.
const SLEEP_STEP_US: u64 = 1000;

enum Order {
    Piece(CutPiece),
    Finish,
}

#[derive(Default)]
struct Shared {
    keys: AtomicUsize,
    /// Microseconds to sleep at each key; negative: one microsecond at so many keys (rdb-key-save-delay).
    key_delay_us: AtomicU64,
    /// Nobody waits for it any more.
    is_abandoned: AtomicBool,
    end: Mutex<Option<SnapshotEnd>>,
}

/// The node's end of a snapshot.
pub struct Snapshot {
    orders: Sender<Order>,
    shared: Arc<Shared>,
}

impl Snapshot {
    /// A snapshot that goes to `sink`, and the job that writes it.
    pub fn new(sink: Box<dyn PieceSink>, key_delay_us: i32, wake: Wake, sleep: Sleep) -> (Snapshot, Box<dyn Job>) {
        let (sender, orders) = channel();
        let shared = Arc::new(Shared::default());
        shared.key_delay_us.store(i64::from(key_delay_us) as u64, Ordering::Relaxed);
        let job = SnapshotJob { orders, sink: Some(sink), shared: shared.clone(), wake, sleep };
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

    /// Is not wanted any more. What it leaves is there until its job has cleaned up.
    pub fn abandon(self) -> Abandoned {
        self.shared.is_abandoned.store(true, Ordering::Relaxed);
        Abandoned { shared: self.shared }
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<SnapshotEnd> {
        self.shared.end()
    }
}

impl Shared {
    fn is_abandoned(&self) -> bool {
        self.is_abandoned.load(Ordering::Relaxed)
    }

    /// Sleeps for as long as the snapshot is wanted.
    fn sleep(&self, sleep: &Sleep, us: u64) {
        let mut left = us;
        while left > 0 && !self.is_abandoned() {
            let step = left.min(SLEEP_STEP_US);
            sleep(step);
            left -= step;
        }
    }

    fn end(&self) -> Option<SnapshotEnd> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A snapshot that nobody waits for. Until its job is done it may still remove its temporary file or give it its name, so
/// that no other may write to the same place.
pub struct Abandoned {
    shared: Arc<Shared>,
}

impl Abandoned {
    /// Has its job touched the disk for the last time?
    pub fn is_gone(&self) -> bool {
        self.shared.end().is_some()
    }
}

struct SnapshotJob {
    orders: Receiver<Order>,
    /// None once it failed: what comes is dropped.
    sink: Option<Box<dyn PieceSink>>,
    shared: Arc<Shared>,
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
        self.end(SnapshotEnd::Failed(error.to_string()));
    }

    fn take(&mut self, piece: &CutPiece) {
        if self.shared.is_abandoned() {
            return;
        }
        let Some(sink) = &mut self.sink else { return };
        let (shared, sleep) = (&self.shared, &self.sleep);
        let mut after_key = || {
            let done = shared.keys.fetch_add(1, Ordering::Relaxed) as u64 + 1;
            match shared.key_delay_us.load(Ordering::Relaxed) as i64 {
                0 => {}
                us @ 1.. => shared.sleep(sleep, us as u64),
                every => {
                    if done.is_multiple_of(every.unsigned_abs()) {
                        sleep(1);
                    }
                }
            }
        };
        if let Err(error) = sink.piece(piece, &mut after_key) {
            self.fail(&error);
        }
    }
}

impl Job for SnapshotJob {
    fn run(&mut self, wait: Wait) -> Progress {
        loop {
            match receive(&self.orders, wait) {
                Received::Item(Order::Piece(piece)) => {
                    self.take(&piece);
                    drop(piece);
                    alloc::publish_thread();
                    // Whoever slowed down for want of room may go on.
                    (self.wake)();
                }
                Received::Item(Order::Finish) if !self.shared.is_abandoned() => {
                    if let Some(mut sink) = self.sink.take() {
                        match sink.finish() {
                            Ok(bytes) => self.end(SnapshotEnd::Written(bytes)),
                            Err(error) => {
                                sink.abandon();
                                self.end(SnapshotEnd::Failed(error.to_string()));
                            }
                        }
                    }
                    return Progress::Done;
                }
                Received::Empty => return Progress::Idle,
                Received::Item(Order::Finish) | Received::Closed => {
                    if self.sink.is_some() {
                        self.fail(&io::ErrorKind::Interrupted.into());
                    }
                    return Progress::Done;
                }
            }
        }
    }
}
