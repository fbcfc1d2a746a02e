//! The lazy-free thread: drops what it is sent, away from the reactor.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Sender, channel};

use crate::keyspace::lazyfree::Waste;
use crate::storage::alloc;

/// The reactor's end of the lazy-free thread.
pub(super) struct Freeing {
    sender: Sender<Vec<Waste>>,
}

impl Freeing {
    /// Starts the thread. It raises `done` by the keys that it frees.
    pub(super) fn start(done: Arc<AtomicU64>) -> std::io::Result<Freeing> {
        let (sender, receiver) = channel::<Vec<Waste>>();
        std::thread::Builder::new().name("lazyfree".to_owned()).spawn(move || {
            while let Ok(wastes) = receiver.recv() {
                for waste in wastes {
                    waste.free(&done);
                    alloc::publish_thread();
                }
            }
        })?;
        Ok(Freeing { sender })
    }

    /// Hands values over.
    pub(super) fn send(&self, wastes: Vec<Waste>) {
        // If the thread is gone, dropping here frees all the same.
        drop(self.sender.send(wastes));
    }
}
