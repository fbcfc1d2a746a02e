//! The cut: a consistent view of all databases at one instant, for saving, rewriting the append-only file and full
//! syncs, without a fork.
//!
//! Beginning a cut flips the parity of every table; nothing is copied. From then on `cut_step` walks the tables and takes one
//! segment at a time, and **whoever is about to change an entry takes it first** (`before_change`). Taking an entry
//! copies it into the current piece (a large value: the root of its nodes); full pieces are carried off by `take_pieces`
//! to whoever writes them. A database that is flushed meanwhile is kept until it has been walked; SWAPDB exchanges which
//! part of the cut a database's number means.
//!
//! Deliberately absent: time (the node decides how many steps a slice has), threads, what becomes of the pieces.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::storage::{EntryCopies, EntryCopy, EntryRef, Table};

use super::{DbIndex, DbState, Keyspace};

/// A piece is handed over when it holds so many bytes.
const PIECE_BYTES: usize = 128 * 1024;

/// Of one string that the cut shares so many bytes count at most, so that a single one is never too much.
const HELD_MAX: usize = 256 * 1024;

/// Some entries of a cut, in runs of one database each.
pub struct CutPiece {
    /// How many entries of which database follow each other.
    runs: Vec<(DbIndex, usize)>,
    entries: EntryCopies,
    /// Bytes that were counted as being on their way.
    counted: usize,
    /// Bytes of long strings that are shared with their keys, or only here: whoever changes one makes another.
    held: usize,
    in_flight: Arc<InFlight>,
}

/// What pieces on their way cost.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Bytes of copies.
    copies: AtomicUsize,
    /// Bytes of what is not copied, but held.
    held: AtomicUsize,
}

impl CutPiece {
    fn new(in_flight: &Arc<InFlight>) -> CutPiece {
        CutPiece {
            runs: Vec::new(),
            entries: EntryCopies::with_capacity(PIECE_BYTES + PIECE_BYTES / 8),
            counted: 0,
            held: 0,
            in_flight: in_flight.clone(),
        }
    }

    fn push(&mut self, db: DbIndex, entry: EntryRef<'_>) {
        match self.runs.last_mut() {
            Some((last, count)) if *last == db => *count += 1,
            _ => self.runs.push((db, 1)),
        }
        self.entries.push(entry);
        self.held += entry.shared_bytes().min(HELD_MAX);
    }

    /// The entries with the numbers that their databases had when the cut began.
    pub fn iter(&self) -> impl Iterator<Item = (DbIndex, EntryRef<'_>)> {
        dbs_of(&self.runs).zip(self.entries.iter())
    }

    /// As `iter`; whoever takes large values out can free them part by part.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (DbIndex, EntryCopy<'_>)> {
        dbs_of(&self.runs).zip(self.entries.iter_mut())
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn dbs_of(runs: &[(DbIndex, usize)]) -> impl Iterator<Item = DbIndex> + '_ {
    runs.iter().flat_map(|&(db, count)| std::iter::repeat_n(db, count))
}

impl Drop for CutPiece {
    fn drop(&mut self) {
        if self.counted > 0 {
            self.in_flight.copies.fetch_sub(self.counted, Ordering::Relaxed);
            self.in_flight.held.fetch_sub(self.held, Ordering::Relaxed);
        }
    }
}

/// What a cut is of, known when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutSize {
    /// Every database that has keys: its number, its keys, those that expire.
    pub dbs: Vec<(DbIndex, usize, usize)>,
    /// Do fields of any hash expire?
    pub has_field_expiry: bool,
    /// May there be a stream that files of old versions cannot hold in full?
    pub has_stream_extras: bool,
}

impl CutSize {
    /// All keys.
    pub fn keys(&self) -> usize {
        self.dbs.iter().map(|(_, keys, _)| keys).sum()
    }
}

/// How far a cut is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutStep {
    /// There is more to take.
    More,
    /// All is taken; the last pieces wait to be carried off.
    Done,
}

/// One database in the cut.
struct Part {
    /// Its number when the cut began.
    db: DbIndex,
    /// Where it is: its number at present, or itself if it was flushed since.
    place: Place,
    cursor: u64,
}

enum Place {
    At(DbIndex),
    Flushed(Box<DbState>),
}

/// A cut that is going on.
pub(crate) struct Cut {
    /// Parts that are not wholly taken; the walk is in the last.
    parts: Vec<Part>,
    filling: CutPiece,
    full: Vec<CutPiece>,
    in_flight: Arc<InFlight>,
    /// Nobody wants the rest: the walk goes on, nothing is copied.
    discarding: bool,
}

impl Cut {
    fn part_at(&mut self, db: DbIndex) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| matches!(part.place, Place::At(at) if at == db))
    }

    /// Takes what a change of an entry of this hash may touch. `table` is that of `db`.
    #[cold]
    pub(super) fn take_before_change(&mut self, table: &mut Table, db: DbIndex, hash: u64) {
        let Some(Part { db: number, .. }) = self.part_at(db) else { return };
        let number = *number;
        let Cut { filling, discarding, .. } = self;
        table.take_before_change(hash, |entry| {
            if !*discarding {
                filling.push(number, entry);
            }
        });
        self.close_full_piece();
    }

    fn close_full_piece(&mut self) {
        if self.filling.entries.bytes() + self.filling.held >= PIECE_BYTES {
            self.close_piece();
        }
    }

    fn close_piece(&mut self) {
        if self.filling.is_empty() {
            return;
        }
        let mut piece = std::mem::replace(&mut self.filling, CutPiece::new(&self.in_flight));
        piece.counted = piece.entries.bytes();
        self.in_flight.copies.fetch_add(piece.counted, Ordering::Relaxed);
        self.in_flight.held.fetch_add(piece.held, Ordering::Relaxed);
        self.full.push(piece);
    }
}

impl Keyspace {
    /// Begins a cut of all databases as they are now. One at a time.
    pub fn begin_cut(&mut self) -> CutSize {
        assert!(self.cut.is_none(), "a cut ends before the next begins");
        let in_flight = self.cut_in_flight.clone();
        let mut cut = Cut {
            parts: Vec::new(),
            filling: CutPiece::new(&in_flight),
            full: Vec::new(),
            in_flight,
            discarding: false,
        };
        let mut size = CutSize { dbs: Vec::new(), has_field_expiry: false, has_stream_extras: self.has_stream_extras };
        for (index, state) in self.dbs.iter_mut().enumerate() {
            if state.table.is_empty() {
                continue;
            }
            let db = DbIndex(index as u16);
            state.table.begin_cut();
            size.dbs.push((db, state.table.len(), state.expires.len()));
            size.has_field_expiry |= !state.field_expires.is_empty();
            cut.parts.push(Part { db, place: Place::At(db), cursor: 0 });
        }
        // The walk takes the last part first, and databases in their order.
        cut.parts.reverse();
        self.cut = Some(Box::new(cut));
        size
    }

    /// Is a cut going on?
    pub fn is_cutting(&self) -> bool {
        self.cut.is_some()
    }

    /// Takes one segment, some hundred entries at most, or a part of one whose entries are large. After `Done` no cut is
    /// going on.
    pub fn cut_step(&mut self) -> CutStep {
        let Some(cut) = &mut self.cut else { return CutStep::Done };
        let Cut { parts, filling, discarding, .. } = &mut **cut;
        if let Some(Part { db, place, cursor }) = parts.last_mut() {
            let table = match place {
                Place::At(at) => &mut self.dbs[usize::from(at.0)].table,
                Place::Flushed(state) => &mut state.table,
            };
            *cursor = table.take_segment(*cursor, |entry| {
                if !*discarding {
                    filling.push(*db, entry);
                }
            });
            if *cursor == 0 {
                table.end_cut();
                if let Some(Part { place: Place::Flushed(state), .. }) = parts.pop() {
                    self.garbage.push_db(*state);
                }
            }
            cut.close_full_piece();
        }
        if !cut.parts.is_empty() {
            return CutStep::More;
        }
        cut.close_piece();
        let full = std::mem::take(&mut cut.full);
        self.cut_pieces.extend(full);
        self.cut = None;
        CutStep::Done
    }

    /// The pieces that are full (after `Done`: all that were left).
    pub fn take_cut_pieces(&mut self) -> Vec<CutPiece> {
        let mut pieces = std::mem::take(&mut self.cut_pieces);
        if let Some(cut) = &mut self.cut {
            pieces.append(&mut cut.full);
        }
        pieces
    }

    /// Nobody wants the rest of this cut. The walk goes on through every segment, but copies nothing; another cut
    /// can begin after that.
    pub fn discard_cut(&mut self) {
        self.cut_pieces.clear();
        if let Some(cut) = &mut self.cut {
            cut.discarding = true;
            cut.full.clear();
            cut.filling = CutPiece::new(&cut.in_flight);
        }
    }

    /// Is the rest of a cut only being marked?
    pub fn is_discarding_cut(&self) -> bool {
        self.cut.as_ref().is_some_and(|cut| cut.discarding)
    }

    /// Bytes of copied entries that were handed over and not dropped yet, and of those that wait to be.
    pub fn cut_bytes_in_flight(&self) -> usize {
        let filling = self.cut.as_ref().map_or(0, |cut| cut.filling.entries.bytes());
        self.cut_in_flight.copies.load(Ordering::Relaxed) + filling
    }

    /// The same with long strings, which are not copied but kept from being freed. Not counted are nodes of large collections, which
    /// writers copy one by one while a cut shares them.
    pub fn cut_bytes_held(&self) -> usize {
        let filling = self.cut.as_ref().map_or(0, |cut| cut.filling.held);
        self.cut_bytes_in_flight() + self.cut_in_flight.held.load(Ordering::Relaxed) + filling
    }

    /// Keeps the content of a database that is emptied if the cut still needs it; gives it back otherwise.
    pub(super) fn keep_for_cut(&mut self, db: DbIndex, state: DbState) -> Option<DbState> {
        match self.cut.as_mut().filter(|cut| !cut.discarding).and_then(|cut| cut.part_at(db)) {
            Some(part) => {
                part.place = Place::Flushed(Box::new(state));
                None
            }
            None => {
                // A cut that is being discarded forgets it.
                if let Some(cut) = &mut self.cut {
                    cut.parts.retain(|part| !matches!(part.place, Place::At(at) if at == db));
                }
                Some(state)
            }
        }
    }

    /// Follows SWAPDB.
    pub(super) fn swap_in_cut(&mut self, a: DbIndex, b: DbIndex) {
        for part in self.cut.iter_mut().flat_map(|cut| &mut cut.parts) {
            if let Place::At(at) = &mut part.place {
                *at = if *at == a {
                    b
                } else if *at == b {
                    a
                } else {
                    *at
                };
            }
        }
    }
}
