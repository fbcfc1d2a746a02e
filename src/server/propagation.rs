//! What follows a write into the append-only file and to replicas: the request as it was sent, or a deterministic
//! rewriting of it. All commands of a turn are gathered as one run of RESP, with marks where their database changes; whoever
//! takes it on puts a SELECT there if its own stream needs one.

use crate::keyspace::DbIndex;

/// The commands that the turn in hand leaves behind.
#[derive(Debug, Default)]
pub struct Propagation {
    /// Does anyone listen? If not, nothing is gathered.
    pub enabled: bool,
    /// What to repeat instead of the request, and where each command's bytes end.
    instead: Vec<u8>,
    instead_ends: Vec<(DbIndex, usize)>,
    /// Everything to be repeated since the last turn's end, in order.
    bytes: Vec<u8>,
    /// From which byte on commands are for another database.
    marks: Vec<(usize, DbIndex)>,
    /// Where the commands that must be repeated as one begin, and how many there are.
    unit: Option<(usize, usize)>,
    /// Bytes of all turns so far.
    offset: u64,
}

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

fn write_command(bytes: &mut Vec<u8>, argv: &[&[u8]]) {
    let mut digits = itoa::Buffer::new();
    bytes.reserve(argv.iter().map(|arg| arg.len() + 16).sum::<usize>() + 16);
    bytes.push(b'*');
    bytes.extend_from_slice(digits.format(argv.len()).as_bytes());
    for arg in argv {
        bytes.extend_from_slice(b"\r\n$");
        bytes.extend_from_slice(digits.format(arg.len()).as_bytes());
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(arg);
    }
    bytes.extend_from_slice(b"\r\n");
}

impl Propagation {
    /// Repeat this instead of the request; called several times, all of them.
    pub fn instead(&mut self, db: DbIndex, argv: &[&[u8]]) {
        if self.enabled {
            write_command(&mut self.instead, argv);
            self.instead_ends.push((db, self.instead.len()));
        }
    }

    /// What the command in hand leaves behind: its rewriting, or itself if it changed anything.
    pub fn settle(&mut self, db: DbIndex, argv: &[&[u8]], changed: bool) {
        if !self.enabled {
            // Writes are counted all the same: WAITAOF tells by it what an append-only file still lacks.
            self.offset += u64::from(changed);
        } else if !self.instead_ends.is_empty() {
            let mut start = 0;
            let (instead, mut ends) = (std::mem::take(&mut self.instead), std::mem::take(&mut self.instead_ends));
            for (db, end) in ends.drain(..) {
                self.begin_command(db);
                self.bytes.extend_from_slice(&instead[start..end]);
                start = end;
            }
            (self.instead, self.instead_ends) = (instead, ends);
            self.instead.clear();
        } else if changed {
            self.command(db, argv);
        }
    }

    /// Repeat this command.
    #[inline]
    pub fn command(&mut self, db: DbIndex, argv: &[&[u8]]) {
        self.begin_command(db);
        write_command(&mut self.bytes, argv);
    }

    fn begin_command(&mut self, db: DbIndex) {
        if let Some((start, count)) = &mut self.unit {
            *count += 1;
            if *count == 2 {
                // What must be repeated as one becomes a transaction; its database is selected within.
                self.bytes.splice(*start..*start, MULTI.iter().copied());
                let moved = self.marks.iter_mut().filter(|(at, _)| *at >= *start);
                moved.for_each(|(at, _)| *at += MULTI.len());
            }
        }
        if self.marks.last().is_none_or(|&(_, last)| last != db) {
            self.marks.push((self.bytes.len(), db));
        }
    }

    /// What follows until `end_unit` must be repeated as one.
    #[inline]
    pub fn begin_unit(&mut self) {
        self.unit = Some((self.bytes.len(), 0));
    }

    /// Ends what must be repeated as one.
    #[inline]
    pub fn end_unit(&mut self) {
        if let Some((_, 2..)) = self.unit.take() {
            self.bytes.extend_from_slice(EXEC);
        }
    }

    /// Sets aside what must be repeated as one, until it goes on in a later turn. Nothing may be gathered meanwhile.
    pub fn suspend_unit(&mut self) -> Option<(usize, usize)> {
        self.unit.take()
    }

    /// Goes on with what was set aside.
    pub fn resume_unit(&mut self, unit: Option<(usize, usize)>) {
        self.unit = unit;
    }

    /// Forgets what was set aside.
    pub fn discard_unit(&mut self, unit: Option<(usize, usize)>) {
        if let Some((start, _)) = unit {
            self.bytes.truncate(start);
            self.marks.retain(|(at, _)| *at < start);
        }
    }

    /// Would a division tear apart what must be repeated as one?
    pub fn is_within_unit(&self) -> bool {
        matches!(self.unit, Some((_, 1..)))
    }

    /// Bytes gathered since the server began, as they stand between commands.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// Goes on from the offset that the last run reached.
    pub fn resume(&mut self, offset: u64) {
        self.offset = self.offset.max(offset);
    }

    /// The commands of this turn, and from which byte on they are for which database.
    /// A unit in the making is divided there.
    pub fn gathered(&mut self) -> (&mut Vec<u8>, &[(usize, DbIndex)]) {
        if self.unit.is_some() {
            self.end_unit();
            self.unit = Some((0, 0));
        }
        self.offset += self.bytes.len() as u64;
        (&mut self.bytes, &self.marks)
    }

    /// Forgets the commands of this turn; whoever wants them has them.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.marks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_commands_of_one_unit_become_a_transaction() {
        let mut propagation = Propagation { enabled: true, ..Propagation::default() };
        propagation.begin_unit();
        propagation.settle(DbIndex(0), &[b"SET", b"a", b"1"], true);
        propagation.end_unit();
        propagation.begin_unit();
        propagation.settle(DbIndex(1), &[b"GET", b"a"], false);
        propagation.instead(DbIndex(1), &[b"DEL", b"b"]);
        propagation.instead(DbIndex(0), &[b"DEL", b"c"]);
        propagation.settle(DbIndex(1), &[b"X"], true);
        propagation.end_unit();
        let offset = propagation.offset();
        let (bytes, marks) = propagation.gathered();
        assert_eq!(offset, bytes.len() as u64);
        let text = String::from_utf8(bytes.clone()).unwrap().replace("\r\n", " ");
        assert_eq!(text, "*3 $3 SET $1 a $1 1 *1 $5 MULTI *2 $3 DEL $1 b *2 $3 DEL $1 c *1 $4 EXEC ");
        let at: Vec<(u8, u16)> = marks.iter().map(|&(at, db)| (bytes[at + 1], db.0)).collect();
        assert_eq!(at, [(b'3', 0), (b'2', 1), (b'2', 0)]);
    }

    #[test]
    fn a_unit_that_does_not_go_on_leaves_nothing_behind() {
        let mut propagation = Propagation { enabled: true, ..Propagation::default() };
        propagation.command(DbIndex(2), &[b"SET", b"a", b"1"]);
        let (bytes, marks) = (propagation.bytes.clone(), propagation.marks.clone());
        propagation.begin_unit();
        for (db, key) in [(2, b"b"), (3, b"c")] {
            propagation.settle(DbIndex(db), &[b"DEL", key], true);
        }
        let unit = propagation.suspend_unit();
        propagation.discard_unit(unit);
        assert_eq!((propagation.bytes, propagation.marks), (bytes, marks));
    }
}
