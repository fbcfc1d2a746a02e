//! A run of bytes that can grow and shrink in the middle: what the packed encodings are written on, so that
//! the same code serves a value inline in its entry and one in an allocation of its own.

/// Bytes with a splice. Implemented by `Vec<u8>` and by the inline value of an entry.
pub trait ByteRegion {
    /// All bytes of the region.
    fn bytes(&self) -> &[u8];
    /// All bytes of the region, writable in place.
    fn bytes_mut(&mut self) -> &mut [u8];
    /// Replaces `remove` bytes at `at` by a gap of `insert` bytes. The gap's content is unspecified (but
    /// initialised): the caller writes it.
    ///
    /// # Panics
    /// When `at + remove` lies beyond the end.
    fn splice(&mut self, at: usize, remove: usize, insert: usize);
}

impl ByteRegion for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }

    fn splice(&mut self, at: usize, remove: usize, insert: usize) {
        let old = self.len();
        assert!(at <= old && remove <= old - at);
        if insert > remove {
            self.resize(old + insert - remove, 0);
            self.copy_within(at + remove..old, at + insert);
        } else {
            self.copy_within(at + remove..old, at + insert);
            self.truncate(old + insert - remove);
        }
    }
}
