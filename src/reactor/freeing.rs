//! The lazy-free thread: drops what it is sent, away from the reactor.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Sender, channel};

use crate::config::Text;
use crate::keyspace::lazyfree::Waste;
use crate::storage::alloc;

use super::affinity;

/// The reactor's end of the lazy-free thread.
pub(super) struct Freeing {
    sender: Sender<Vec<Waste>>,
}

impl Freeing {
    /// Starts the thread on the processors of `cpulist`. It raises `done` by the keys that it frees.
    pub(super) fn start(done: Arc<AtomicU64>, cpulist: Text) -> std::io::Result<Freeing> {
        let (sender, receiver) = channel::<Vec<Waste>>();
        std::thread::Builder::new().name("lazyfree".to_owned()).spawn(move || {
            affinity::bind_thread("bio-cpulist", &cpulist.display());
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
