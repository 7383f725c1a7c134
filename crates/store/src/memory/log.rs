//! The log, and the drawing of places.

use nt_revocation::{Entry, Fact, Position, RevocationSet};
use nt_token::{EntryId, Place, Timestamp};

use super::state::{List, State};
use crate::error::StoreError;
use crate::place::{DRAWS, accepts, bucket, next_capacity};

impl State {
    pub(super) fn head(&self) -> Position {
        self.log.last().map_or(Position::START, |last| Position {
            seq: last.seq,
            entry: last.id,
            ..Position::START
        })
    }

    pub(super) fn entries_after(&self, seq: u64, limit: u32) -> Vec<Entry> {
        self.log.iter().filter(|entry| entry.seq > seq).take(limit as usize).cloned().collect()
    }

    pub(super) fn append_all(
        &mut self,
        facts: Vec<(EntryId, Fact)>,
    ) -> Result<Position, StoreError> {
        for (at, (id, fact)) in facts.iter().enumerate() {
            self.may_append(*id, fact)?;
            if facts[..at].iter().any(|(other, said)| other == id && said != fact) {
                return Err(StoreError::EntryReused(*id));
            }
        }
        for (id, fact) in facts {
            self.append(id, fact);
        }
        Ok(self.head())
    }

    /// An id stands for one fact: under it nothing else can be appended.
    pub(super) fn may_append(&self, id: EntryId, fact: &Fact) -> Result<(), StoreError> {
        match self.log.iter().find(|entry| entry.id == id) {
            Some(entry) if entry.fact != *fact => Err(StoreError::EntryReused(id)),
            _ => Ok(()),
        }
    }

    /// Appends a fact, unless the log has it already; answers its number. Asked for only where
    /// [`State::may_append`] allows it.
    pub(super) fn append(&mut self, id: EntryId, fact: Fact) -> u64 {
        if let Some(entry) = self.log.iter().find(|entry| entry.id == id) {
            return entry.seq;
        }
        let seq = self.head().seq + 1;
        self.log.push(Entry { seq, id, fact });
        seq
    }

    /// Takes a free place in a list of tokens that expire in the same month.
    pub(super) fn take_place(&mut self, exp: Timestamp) -> Result<Place, StoreError> {
        let list = self.open_list(bucket(exp))?;
        let at = list as usize;
        for _ in 0..DRAWS {
            let place = Place { list, idx: self.draw() & (self.lists[at].capacity - 1) };
            if self.taken.insert(place) {
                self.lists[at].issued += 1;
                return Ok(place);
            }
        }
        Err(StoreError::Corrupt("a list that is fuller than it says"))
    }

    fn open_list(&mut self, bucket: i64) -> Result<u32, StoreError> {
        let last = self.lists.iter().rposition(|list| list.bucket == bucket);
        let capacity = last.map(|at| self.lists[at].capacity);
        let at = match last {
            Some(at) if accepts(self.lists[at].capacity, self.lists[at].issued) => at,
            _ => {
                self.lists.push(List { bucket, capacity: next_capacity(capacity), issued: 0 });
                self.lists.len() - 1
            }
        };
        u32::try_from(at)
            .ok()
            .filter(|list| *list < RevocationSet::CANARIES)
            .ok_or(StoreError::Full)
    }

    /// The next number of a fixed sequence (SplitMix64): a model must do the same in every run.
    fn draw(&mut self) -> u32 {
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.draws;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z >> 32) as u32
    }
}
