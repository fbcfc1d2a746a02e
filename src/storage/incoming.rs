//! `Incoming`: the one allocation into which a long argument is read. It begins small; once so many bytes have come
//! that the sender is in earnest, the rest of the room is taken at a stroke, so that nothing large is ever copied while it
//! grows. Room that holds no bytes yet has no pages either, so it is no used memory.

use super::alloc;

/// What the allocation begins with; it doubles up to `EARNEST`.
const FIRST: usize = 256 * 1024;
/// From so many bytes on, the whole length is asked for.
const EARNEST: usize = 1 << 20;
/// The most that is offered to one read.
const SPACE_MAX: usize = 256 * 1024;

/// Bytes on their way into one allocation.
#[derive(Debug)]
pub struct Incoming {
    /// What has come, and behind it room that is cleared once, however little each read brings.
    bytes: Vec<u8>,
    filled: usize,
    total: usize,
    /// Room without bytes that is not counted as used.
    aside: usize,
}

impl Incoming {
    /// Begins with the bytes that are there of `total`; there may be more than `total`.
    pub fn new(beginning: &[u8], total: usize) -> Incoming {
        let mut bytes = Vec::with_capacity(total.min(FIRST).max(beginning.len()));
        bytes.extend_from_slice(beginning);
        Incoming { bytes, filled: beginning.len(), total, aside: 0 }
    }

    /// Bytes that are there.
    #[allow(clippy::len_without_is_empty, reason = "whether it is complete is what matters")]
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Bytes still to come.
    pub fn missing(&self) -> usize {
        self.total.saturating_sub(self.filled)
    }

    /// Lets `read` write into the next part of the room, which is not empty unless all is there. Returns what `read` returned, which is how many
    /// bytes it wrote, from the beginning.
    pub fn read<E>(&mut self, read: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<usize, E> {
        let filled = self.filled;
        if filled == self.bytes.capacity() {
            self.grow();
        }
        let space = self.missing().min(SPACE_MAX).min(self.bytes.capacity() - filled);
        if self.bytes.len() < filled + space {
            self.bytes.resize(filled + space, 0);
        }
        let result = read(&mut self.bytes[filled..filled + space]);
        self.filled += result.as_ref().map_or(0, |count| (*count).min(space));
        self.count_aside();
        result
    }

    fn grow(&mut self) {
        let missing = self.missing();
        // Without memory for the whole, it goes on by doubling: perhaps the rest never comes.
        if self.bytes.len() < EARNEST || self.bytes.try_reserve_exact(missing).is_err() {
            self.bytes.reserve_exact(missing.min(self.bytes.len().max(FIRST)));
        }
    }

    fn count_aside(&mut self) {
        let capacity = self.bytes.capacity();
        let now = if capacity > EARNEST { capacity - self.bytes.len() } else { 0 };
        alloc::set_aside(now as i64 - self.aside as i64);
        self.aside = now;
    }

    /// The bytes, and those that came behind them.
    pub fn into_bytes(mut self) -> (Vec<u8>, Vec<u8>) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.truncate(self.filled);
        let rest = bytes.split_off(self.total.min(bytes.len()));
        (bytes, rest)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        alloc::set_aside(-(self.aside as i64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arguments_are_moved_only_while_they_are_short_and_count_as_much_as_came() {
        const TOTAL: usize = (64 << 20) + 2;
        let before = alloc::thread_balance() as usize;
        let mut incoming = Incoming::new(b"abc", TOTAL);
        let (mut moves, mut moved, mut place) = (0, 0, incoming.bytes.as_ptr());
        while incoming.missing() > 0 {
            let offered = incoming.read(|space| {
                Ok::<_, ()>({
                    let count = space.len().min(100_000);
                    space[..count].fill(b'x');
                    count
                })
            });
            assert!(offered.expect("no error") > 0);
            if place != incoming.bytes.as_ptr() {
                (moves, moved, place) = (moves + 1, moved + incoming.len(), incoming.bytes.as_ptr());
            }
            if cfg!(not(any(miri, fuzzing))) {
                let counted = alloc::thread_balance() as usize - before - incoming.aside;
                assert!(counted <= incoming.len() + EARNEST, "{counted} bytes for {}", incoming.len());
            }
        }
        assert!(moves <= 3 && moved <= 3 << 20, "{moves} moves, {moved} bytes");
        assert!(matches!(incoming.read(|space| Err(space.len())), Err(0)));
        let (bytes, rest) = incoming.into_bytes();
        assert!(bytes.starts_with(b"abcx") && bytes.len() == TOTAL && rest.is_empty());
    }

    #[test]
    fn room_is_cleared_once_however_little_comes_at_a_time() {
        let mut incoming = Incoming::new(b"ab", 100_000);
        for _ in 0..3 {
            let _ = incoming.read(|space| {
                space.fill(b'x');
                Ok::<_, ()>(1)
            });
        }
        let _ = incoming.read(|space| {
            assert!(space.iter().all(|&byte| byte == b'x'));
            Ok::<_, ()>(0)
        });
        assert_eq!((incoming.len(), incoming.missing()), (5, 99_995));
        assert_eq!(incoming.into_bytes(), (b"abxxx".to_vec(), Vec::new()));
    }

    #[test]
    fn what_came_behind_is_given_back() {
        let incoming = Incoming::new(b"hello\r\nPING", 7);
        assert_eq!(incoming.missing(), 0);
        assert_eq!(incoming.into_bytes(), (b"hello\r\n".to_vec(), b"PING".to_vec()));
    }

    #[test]
    fn memory_set_aside_comes_back_when_nothing_more_is_read() {
        let mut incoming = Incoming::new(&[b'x'; EARNEST], 100 << 20);
        let _ = incoming.read(|_| Err::<usize, ()>(()));
        assert!(incoming.aside >= (99 << 20) - SPACE_MAX && incoming.len() == EARNEST);
        drop(incoming);
    }
}
