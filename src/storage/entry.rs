//! An entry: one key with everything about it, in one allocation.
//!
//! ```text
//! byte 0     type (low 4 bits), encoding (high 4 bits)
//! bytes 1-3  LRU clock, or LFU minutes (16 bits) and counter (8 bits); little endian
//! byte 4     flags: 1 expiry present, 2 long key length, 4 long value length, 8 raw string, 16 taken by a cut
//! 8 bytes    expiry, milliseconds since the epoch (if flagged)
//! 1 or 4     key length          key bytes
//! value      an integer: 8 bytes | an object: a pointer | otherwise 1 or 4 bytes of length, then the bytes
//! ```
//! The allocation is always the size class of what is used, so its size follows from the content and is stored nowhere.

use std::alloc::Layout;
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::alloc::good_size;
use super::{ByteRegion, Object};

/// The types of values, with the numbers that Redis gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    String = 0,
    List = 1,
    Set = 2,
    Zset = 3,
    Hash = 4,
    Stream = 6,
}

impl Type {
    /// The name that TYPE answers.
    pub const fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::List => "list",
            Type::Set => "set",
            Type::Zset => "zset",
            Type::Hash => "hash",
            Type::Stream => "stream",
        }
    }
}

/// How a value is stored. Several share a name in OBJECT ENCODING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// A string that is a 64-bit integer.
    Int = 0,
    /// A string inline in the entry.
    Inline = 1,
    /// A long string, `Object::Blob`.
    Blob = 2,
    /// A small list, a listpack inline in the entry.
    Listpack = 3,
    /// A large list.
    Quicklist = 4,
    /// A set of integers, inline.
    Intset = 5,
    /// A small set, hash or sorted set, inline, in the packed format.
    Packed = 6,
    /// A small hash some of whose fields expire, inline.
    PackedEx = 7,
    /// A large set or hash.
    Dict = 8,
    /// A large sorted set.
    Tree = 9,
    /// A stream.
    Stream = 10,
}

impl Encoding {
    const fn is_object(self) -> bool {
        matches!(self, Encoding::Blob | Encoding::Quicklist | Encoding::Dict | Encoding::Tree | Encoding::Stream)
    }

    fn from_bits(bits: u8) -> Encoding {
        match bits {
            0 => Encoding::Int,
            1 => Encoding::Inline,
            2 => Encoding::Blob,
            3 => Encoding::Listpack,
            4 => Encoding::Quicklist,
            5 => Encoding::Intset,
            6 => Encoding::Packed,
            7 => Encoding::PackedEx,
            8 => Encoding::Dict,
            9 => Encoding::Tree,
            _ => Encoding::Stream,
        }
    }
}

/// What an entry holds, read.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// `Encoding::Int`.
    Int(i64),
    /// Any inline encoding.
    Bytes(&'a [u8]),
    /// Any boxed encoding.
    Object(&'a Object),
}

/// What to put into a new or overwritten entry.
#[derive(Debug)]
pub enum NewValue<'a> {
    /// A string that is an integer.
    Int(i64),
    /// An inline value.
    Bytes(Encoding, &'a [u8]),
    /// A boxed value.
    Object(Encoding, Box<Object>),
}

const EXPIRES: u8 = 1;
const LONG_KEY: u8 = 2;
const LONG_VALUE: u8 = 4;
const RAW: u8 = 8;
const TAKEN: u8 = 16;
const HEADER: usize = 5;

/// The raw pointer of an entry, as buckets hold it. Who holds it owns the entry: the table.
pub(super) type RawEntry = NonNull<u8>;

/// Where the parts of an entry lie.
#[derive(Clone, Copy)]
struct Parts {
    key_at: usize,
    key_len: usize,
    /// First byte of the value's length, integer or pointer.
    value_at: usize,
}

impl NewValue<'_> {
    fn encoding(&self) -> Encoding {
        match self {
            NewValue::Int(_) => Encoding::Int,
            NewValue::Bytes(encoding, _) | NewValue::Object(encoding, _) => *encoding,
        }
    }

    fn tail_len(&self) -> usize {
        match self {
            NewValue::Int(_) | NewValue::Object(..) => 8,
            NewValue::Bytes(_, bytes) => inline_tail(bytes.len()),
        }
    }
}

/// Bytes taken by an inline value of `len` bytes with its length.
const fn inline_tail(len: usize) -> usize {
    if len < 256 { len + 1 } else { len + 4 }
}

fn layout(used: usize) -> Layout {
    // SAFETY: the alignment is a power of two; sizes stay far below isize::MAX (keys and inline values are below 1 GiB).
    unsafe { Layout::from_size_align_unchecked(good_size(used), 8) }
}

fn allocate(used: usize) -> RawEntry {
    let layout = layout(used);
    // SAFETY: the layout's size is at least 8.
    let pointer = unsafe { std::alloc::alloc(layout) };
    NonNull::new(pointer).unwrap_or_else(|| std::alloc::handle_alloc_error(layout))
}

/// Makes an entry and returns its pointer, owned by the caller. Used by the table.
pub(super) fn create(key: &[u8], value: NewValue<'_>, type_: Type, expire: Option<i64>, lru: u32) -> RawEntry {
    let mut flags = 0;
    let mut used = HEADER + key.len() + value.tail_len();
    if expire.is_some() {
        flags |= EXPIRES;
        used += 8;
    }
    if key.len() < 256 {
        used += 1;
    } else {
        flags |= LONG_KEY;
        used += 4;
    }
    let entry = allocate(used);
    let mut writer = Writer { at: entry.as_ptr() };
    writer.byte(type_ as u8 | (value.encoding() as u8) << 4);
    writer.bytes(&lru.to_le_bytes()[..3]);
    let flags_at = writer.at;
    writer.byte(flags);
    if let Some(expire) = expire {
        writer.bytes(&expire.to_le_bytes());
    }
    if flags & LONG_KEY == 0 {
        writer.byte(key.len() as u8);
    } else {
        writer.bytes(&(key.len() as u32).to_le_bytes());
    }
    writer.bytes(key);
    if writer.value(value) {
        // SAFETY: the flags byte was written above.
        unsafe { *flags_at |= LONG_VALUE };
    }
    entry
}

/// Writes the parts of an entry one after the other. Private to this file: every use sums up the same sizes first.
struct Writer {
    at: *mut u8,
}

impl Writer {
    fn byte(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        // SAFETY: the caller allocated the sum of all parts, and a part never overlaps its source.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at, bytes.len());
            self.at = self.at.add(bytes.len());
        }
    }

    /// Writes the value; true if its length took four bytes.
    fn value(&mut self, value: NewValue<'_>) -> bool {
        match value {
            NewValue::Int(number) => self.bytes(&number.to_le_bytes()),
            NewValue::Object(_, object) => {
                // SAFETY: the caller allocated eight bytes for the pointer.
                unsafe { self.at.cast::<*mut Object>().write_unaligned(Box::into_raw(object)) };
            }
            NewValue::Bytes(_, bytes) => {
                if bytes.len() < 256 {
                    self.byte(bytes.len() as u8);
                } else {
                    self.bytes(&(bytes.len() as u32).to_le_bytes());
                }
                self.bytes(bytes);
                return bytes.len() >= 256;
            }
        }
        false
    }
}

/// Frees an entry and what it holds. The pointer must be owned and is dead afterwards.
pub(super) fn destroy(entry: RawEntry) {
    // SAFETY: the caller owns the entry, so reading its parts and its object once more is sound.
    let reference = unsafe { EntryRef::from_raw(entry) };
    let used = reference.used();
    if reference.encoding().is_object() {
        // SAFETY: the object's box is owned by this entry, which dies here.
        drop(unsafe { Box::from_raw(reference.object_ptr()) });
    }
    // SAFETY: entries are always allocated with the layout of their used size.
    unsafe { std::alloc::dealloc(entry.as_ptr(), layout(used)) };
}

/// Read access to an entry.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    at: RawEntry,
    lives: PhantomData<&'a Object>,
}

impl<'a> EntryRef<'a> {
    /// # Safety
    /// `at` must be a live entry that is not changed or freed while the reference is in use.
    pub(super) unsafe fn from_raw(at: RawEntry) -> EntryRef<'a> {
        EntryRef { at, lives: PhantomData }
    }

    #[inline]
    fn byte(self, at: usize) -> u8 {
        // SAFETY: callers read only inside the parts that the header announces.
        unsafe { *self.at.as_ptr().add(at) }
    }

    #[inline]
    fn slice(self, at: usize, len: usize) -> &'a [u8] {
        // SAFETY: as for `byte`; the entry outlives 'a.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr().add(at), len) }
    }

    #[inline]
    fn word(self, at: usize) -> u32 {
        // SAFETY: as for `byte`.
        unsafe { self.at.as_ptr().add(at).cast::<u32>().read_unaligned() }
    }

    #[inline]
    fn long(self, at: usize) -> i64 {
        // SAFETY: as for `byte`.
        unsafe { self.at.as_ptr().add(at).cast::<i64>().read_unaligned() }
    }

    #[inline]
    fn flags(self) -> u8 {
        self.byte(4)
    }

    #[inline]
    fn parts(self) -> Parts {
        let flags = self.flags();
        let len_at = HEADER + usize::from(flags & EXPIRES) * 8;
        let (key_at, key_len) = if flags & LONG_KEY == 0 {
            (len_at + 1, usize::from(self.byte(len_at)))
        } else {
            (len_at + 4, self.word(len_at) as usize)
        };
        Parts { key_at, key_len, value_at: key_at + key_len }
    }

    /// Bytes of the allocation in use.
    pub(super) fn used(self) -> usize {
        let parts = self.parts();
        match self.value() {
            Value::Int(_) | Value::Object(_) => parts.value_at + 8,
            Value::Bytes(bytes) => parts.value_at + inline_tail(bytes.len()),
        }
    }

    /// Appends a copy of the entry's bytes. An object is cloned (its nodes are shared), and the copy owns the clone.
    pub(super) fn copy_to(self, out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(self.slice(0, self.used()));
        if let Value::Object(object) = self.value() {
            let clone = Box::into_raw(Box::new(object.clone_for_cut()));
            let place = at + self.parts().value_at;
            assert!(place + 8 <= out.len());
            // SAFETY: eight bytes from `place` on were just appended: the copied pointer, replaced before anyone reads it.
            unsafe { out.as_mut_ptr().add(place).cast::<*mut Object>().write_unaligned(clone) };
        }
    }

    /// Frees what a copy made by `copy_to` owns beside its bytes.
    ///
    /// # Safety
    /// The entry must be such a copy, and nobody may look at its object afterwards.
    pub(super) unsafe fn drop_copied_object(self) {
        if self.encoding().is_object() {
            // SAFETY: the copy owns the box, as the caller promises.
            drop(unsafe { Box::from_raw(self.object_ptr()) });
        }
    }

    /// The object that a copy made by `copy_to` owns, for as long as `'a` lasts.
    ///
    /// # Safety
    /// The entry must be such a copy of an object, and nobody else may look at its object meanwhile.
    pub(super) unsafe fn copied_object_mut(&mut self) -> Option<&mut Object> {
        // SAFETY: the copy owns the box, and lends it to nobody else, as the caller promises.
        self.encoding().is_object().then(|| unsafe { &mut *self.object_ptr() })
    }

    fn object_ptr(self) -> *mut Object {
        // SAFETY: called for object encodings only, whose value is a pointer.
        unsafe { self.at.as_ptr().add(self.parts().value_at).cast::<*mut Object>().read_unaligned() }
    }

    /// The address of the entry, as DEBUG OBJECT shows it.
    pub fn address(self) -> usize {
        self.at.as_ptr().addr()
    }

    /// The key.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        let parts = self.parts();
        self.slice(parts.key_at, parts.key_len)
    }

    /// The type of the value.
    #[inline]
    pub fn type_(self) -> Type {
        match self.byte(0) & 15 {
            0 => Type::String,
            1 => Type::List,
            2 => Type::Set,
            3 => Type::Zset,
            4 => Type::Hash,
            _ => Type::Stream,
        }
    }

    /// How the value is stored.
    #[inline]
    pub fn encoding(self) -> Encoding {
        Encoding::from_bits(self.byte(0) >> 4)
    }

    /// Was this string made by changing one in place (OBJECT ENCODING says `raw` then)?
    pub fn is_raw(self) -> bool {
        self.flags() & RAW != 0
    }

    /// Did a cut take this entry before the walk came to it, or was it born after the cut began? The table's to know.
    #[inline]
    pub(super) fn is_taken(self) -> bool {
        self.flags() & TAKEN != 0
    }

    /// The 24 bits of access information.
    #[inline]
    pub fn lru(self) -> u32 {
        u32::from_le_bytes([self.byte(1), self.byte(2), self.byte(3), 0])
    }

    /// When the key expires, in milliseconds since the epoch.
    #[inline]
    pub fn expire_at(self) -> Option<i64> {
        (self.flags() & EXPIRES != 0).then(|| self.long(HEADER))
    }

    /// The value.
    #[inline]
    pub fn value(self) -> Value<'a> {
        let at = self.parts().value_at;
        let encoding = self.encoding();
        if encoding == Encoding::Int {
            return Value::Int(self.long(at));
        }
        if encoding.is_object() {
            // SAFETY: the entry owns the box, and is borrowed for 'a.
            return Value::Object(unsafe { &*self.object_ptr() });
        }
        Value::Bytes(if self.flags() & LONG_VALUE == 0 {
            self.slice(at + 1, usize::from(self.byte(at)))
        } else {
            self.slice(at + 4, self.word(at) as usize)
        })
    }

    /// Bytes of a long string, which a copy of the entry shares with it; 0 of any other value.
    pub fn shared_bytes(self) -> usize {
        if self.encoding() != Encoding::Blob {
            return 0;
        }
        match self.value() {
            Value::Object(Object::Blob(blob)) => blob.len(),
            _ => 0,
        }
    }

    /// Bytes of the entry's own allocation, and of a long string; other objects count their own.
    pub fn allocated_bytes(self) -> usize {
        good_size(self.used())
    }
}

/// Write access to an entry. It borrows the slot of the table that points to the entry, so a change that moves the
/// entry updates the slot.
pub struct EntryMut<'a> {
    slot: &'a mut RawEntry,
}

impl<'a> EntryMut<'a> {
    /// # Safety
    /// The slot must hold a live entry that nobody else refers to.
    pub(super) unsafe fn from_slot(slot: &'a mut RawEntry) -> EntryMut<'a> {
        EntryMut { slot }
    }

    /// Read access for as long as this borrow.
    #[inline]
    pub fn read(&self) -> EntryRef<'_> {
        // SAFETY: the slot holds a live entry, borrowed with self.
        unsafe { EntryRef::from_raw(*self.slot) }
    }

    /// Gives up write access, for the whole borrow of the slot.
    pub fn into_ref(self) -> EntryRef<'a> {
        // SAFETY: as for `read`; the exclusive borrow of the slot lasts for 'a.
        unsafe { EntryRef::from_raw(*self.slot) }
    }

    /// The type of the value.
    pub fn type_(&self) -> Type {
        self.read().type_()
    }

    /// How the value is stored.
    pub fn encoding(&self) -> Encoding {
        self.read().encoding()
    }

    /// The value.
    pub fn value(&self) -> Value<'_> {
        self.read().value()
    }

    /// Sets the 24 bits of access information.
    #[inline]
    pub fn set_lru(&mut self, lru: u32) {
        let bytes = lru.to_le_bytes();
        // SAFETY: bytes 1 to 3 belong to every entry.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.slot.as_ptr().add(1), 3) };
    }

    /// Notes whether a cut has taken the entry. The table's to decide.
    #[inline]
    pub(super) fn set_taken(&mut self, taken: bool) {
        self.set_flag(TAKEN, taken);
    }

    #[inline]
    fn set_flag(&mut self, flag: u8, on: bool) {
        // SAFETY: byte 4 belongs to every entry.
        let flags = unsafe { &mut *self.slot.as_ptr().add(4) };
        *flags = if on { *flags | flag } else { *flags & !flag };
    }

    /// Marks a string as changed in place, or unmarks it.
    pub fn set_raw(&mut self, raw: bool) {
        self.set_flag(RAW, raw);
    }

    /// Sets or removes the expiry. The expiry index is the keyspace's to update.
    pub fn set_expire(&mut self, expire: Option<i64>) {
        let had = self.read().expire_at().is_some();
        match expire {
            Some(_) if !had => {
                self.splice_raw(HEADER, 0, 8);
                self.set_flag(EXPIRES, true);
            }
            None if had => {
                // The flag goes last: the size of the allocation is computed from it.
                self.splice_raw(HEADER, 8, 0);
                self.set_flag(EXPIRES, false);
            }
            _ => {}
        }
        if let Some(expire) = expire {
            // SAFETY: eight bytes at HEADER are the expiry of a flagged entry.
            unsafe { self.slot.as_ptr().add(HEADER).cast::<i64>().write_unaligned(expire) };
        }
    }

    /// Overwrites an integer in place. The value must be one.
    pub fn set_int(&mut self, number: i64) {
        debug_assert!(self.encoding() == Encoding::Int);
        let at = self.read().parts().value_at;
        // SAFETY: an integer value takes eight bytes there.
        unsafe { self.slot.as_ptr().add(at).cast::<i64>().write_unaligned(number) };
    }

    /// Replaces type and value; key, expiry and access information stay. Returns a replaced object, so that
    /// the caller decides which thread frees it.
    pub fn set_value(&mut self, type_: Type, value: NewValue<'_>) -> Option<Box<Object>> {
        let old = self.read();
        let at = old.parts().value_at;
        let used = old.used();
        // SAFETY: the object's box belongs to this entry, whose pointer to it is overwritten below.
        let object = old.encoding().is_object().then(|| unsafe { Box::from_raw(old.object_ptr()) });
        let kind = type_ as u8 | (value.encoding() as u8) << 4;
        let new_used = at + value.tail_len();
        if good_size(new_used) != good_size(used) {
            let entry = allocate(new_used);
            // SAFETY: both allocations hold at least `at` bytes; the old one is owned by the slot.
            unsafe {
                std::ptr::copy_nonoverlapping(self.slot.as_ptr(), entry.as_ptr(), at);
                std::alloc::dealloc(self.slot.as_ptr(), layout(used));
            }
            *self.slot = entry;
        }
        // SAFETY: the first byte and the tail lie inside the allocation of the new size.
        let long = unsafe {
            *self.slot.as_ptr() = kind;
            Writer { at: self.slot.as_ptr().add(at) }.value(value)
        };
        self.set_flag(LONG_VALUE, long);
        self.set_flag(RAW, false);
        object
    }

    /// The boxed value, if the encoding has one.
    pub fn object_mut(&mut self) -> Option<&mut Object> {
        let reference = self.read();
        if !reference.encoding().is_object() {
            return None;
        }
        // SAFETY: the box is owned by the entry, which is borrowed exclusively.
        Some(unsafe { &mut *reference.object_ptr() })
    }

    /// The inline value as a region of bytes. The encoding must be an inline one.
    pub fn region(&mut self) -> InlineRegion<'_> {
        let encoding = self.encoding();
        assert!(!encoding.is_object() && encoding != Encoding::Int);
        let reference = self.read();
        let at = reference.parts().value_at;
        let long = reference.flags() & LONG_VALUE != 0;
        let len = if long { reference.word(at) as usize } else { usize::from(reference.byte(at)) };
        InlineRegion { slot: self.slot, len_at: at, long, len }
    }

    /// Opens or closes a gap anywhere in the entry, moving it to another size class when needed. Flags and lengths
    /// are the caller's to mend, before anyone reads the entry again.
    fn splice_raw(&mut self, at: usize, remove: usize, insert: usize) {
        let used = self.read().used();
        splice_entry(self.slot, used, at, remove, insert);
    }
}

fn splice_entry(slot: &mut RawEntry, used: usize, at: usize, remove: usize, insert: usize) {
    debug_assert!(at + remove <= used);
    let new_used = used - remove + insert;
    let tail = used - at - remove;
    if good_size(new_used) == good_size(used) {
        // SAFETY: source and target lie inside the allocation, which holds both sizes. What the gap takes of bytes never
        // used before is zeroed, so that no uninitialised byte is ever readable.
        unsafe {
            let base = slot.as_ptr();
            std::ptr::copy(base.add(at + remove), base.add(at + insert), tail);
            if at + insert > used {
                std::ptr::write_bytes(base.add(used), 0, at + insert - used);
            }
        }
        return;
    }
    let entry = allocate(new_used);
    // SAFETY: the new allocation holds new_used bytes = at + insert + tail; the old one is owned by the slot. The gap is
    // zeroed so that no uninitialised byte is ever readable.
    unsafe {
        let (old, new) = (slot.as_ptr(), entry.as_ptr());
        std::ptr::copy_nonoverlapping(old, new, at);
        std::ptr::write_bytes(new.add(at), 0, insert);
        std::ptr::copy_nonoverlapping(old.add(at + remove), new.add(at + insert), tail);
        std::alloc::dealloc(old, layout(used));
    }
    *slot = entry;
}

/// The inline value of an entry, growing and shrinking in place or with its entry.
pub struct InlineRegion<'a> {
    slot: &'a mut RawEntry,
    len_at: usize,
    long: bool,
    len: usize,
}

impl InlineRegion<'_> {
    fn start(&self) -> usize {
        self.len_at + if self.long { 4 } else { 1 }
    }

    fn write_len(&mut self, len: usize) {
        self.len = len;
        // SAFETY: the length field lies at len_at, one or four bytes wide as `long` says.
        unsafe {
            let at = self.slot.as_ptr().add(self.len_at);
            if self.long {
                at.cast::<u32>().write_unaligned(len as u32);
            } else {
                *at = len as u8;
            }
        }
    }

    /// Makes the length field one or four bytes wide.
    fn set_long(&mut self, long: bool) {
        let used = self.start() + self.len;
        let (remove, insert) = if long { (1, 4) } else { (4, 1) };
        splice_entry(self.slot, used, self.len_at, remove, insert);
        // SAFETY: byte 4 belongs to every entry.
        unsafe {
            let flags = &mut *self.slot.as_ptr().add(4);
            *flags = if long { *flags | LONG_VALUE } else { *flags & !LONG_VALUE };
        }
        self.long = long;
        self.write_len(self.len);
    }
}

impl ByteRegion for InlineRegion<'_> {
    #[inline]
    fn bytes(&self) -> &[u8] {
        // SAFETY: the value's bytes follow the length field.
        unsafe { std::slice::from_raw_parts(self.slot.as_ptr().add(self.start()), self.len) }
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the slot is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.slot.as_ptr().add(self.start()), self.len) }
    }

    fn splice(&mut self, at: usize, remove: usize, insert: usize) {
        assert!(at <= self.len && remove <= self.len - at);
        let new_len = self.len - remove + insert;
        assert!(new_len <= u32::MAX as usize);
        if new_len >= 256 && !self.long {
            self.set_long(true);
        }
        let used = self.start() + self.len;
        splice_entry(self.slot, used, self.start() + at, remove, insert);
        self.write_len(new_len);
        if new_len < 256 && self.long {
            self.set_long(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    struct Owned(RawEntry);

    impl Owned {
        fn edit(&mut self) -> EntryMut<'_> {
            // SAFETY: the test owns the entry.
            unsafe { EntryMut::from_slot(&mut self.0) }
        }
    }

    impl Drop for Owned {
        fn drop(&mut self) {
            destroy(self.0);
        }
    }

    #[test]
    fn an_inline_value_behaves_as_a_vec() {
        let mut rng = Rng::new(1);
        for round in 0..if cfg!(miri) { 3 } else { 60 } {
            let key = vec![b'k'; rng.below(400) as usize];
            let mut model: Vec<u8> = vec![7; rng.below(300) as usize];
            let mut entry = Owned(create(&key, NewValue::Bytes(Encoding::Packed, &model), Type::Hash, None, round));
            let mut expire = None;
            for _ in 0..if cfg!(miri) { 20 } else { 200 } {
                if rng.below(10) == 0 {
                    expire = if rng.below(2) == 0 { Some(rng.next_u64() as i64) } else { None };
                    entry.edit().set_expire(expire);
                }
                let at = rng.below(model.len() as u64 + 1) as usize;
                let remove = rng.below((model.len() - at) as u64 + 1).min(rng.below(60)) as usize;
                let insert = rng.below(60) as usize;
                let byte = rng.below(256) as u8;
                let mut edit = entry.edit();
                let mut region = edit.region();
                region.splice(at, remove, insert);
                region.bytes_mut()[at..at + insert].fill(byte);
                ByteRegion::splice(&mut model, at, remove, insert);
                model[at..at + insert].fill(byte);
                let read = entry.edit().into_ref();
                assert_eq!(read.key(), key);
                assert_eq!((read.expire_at(), read.lru(), read.type_()), (expire, round, Type::Hash));
                assert!(matches!(read.value(), Value::Bytes(bytes) if bytes == model));
            }
        }
    }

    #[test]
    fn values_of_all_kinds_replace_each_other() {
        let mut entry = Owned(create(b"key", NewValue::Int(5), Type::String, Some(9), 0xabcdef));
        entry.edit().set_int(-6);
        assert!(matches!(entry.edit().value(), Value::Int(-6)));
        let blob = || Box::new(Object::Blob(crate::storage::Shared::new(vec![1; 100])));
        for size in [0, 1, 40, 255, 256, 300, 4000, 3] {
            assert!(entry.edit().set_value(Type::String, NewValue::Bytes(Encoding::Inline, &vec![2; size])).is_none());
            assert!(matches!(entry.edit().value(), Value::Bytes(bytes) if bytes.len() == size));
            assert!(entry.edit().set_value(Type::String, NewValue::Object(Encoding::Blob, blob())).is_none());
            assert!(entry.edit().object_mut().is_some());
            let read = entry.edit().into_ref();
            assert_eq!((read.key(), read.expire_at(), read.lru()), (&b"key"[..], Some(9), 0xabcdef));
            assert!(entry.edit().set_value(Type::String, NewValue::Int(1)).is_some());
        }
    }
}
