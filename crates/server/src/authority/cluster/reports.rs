//! Which reports of other nodes count here: those that are of this very log.
//!
//! Only rules. After a fail-over that lost commits two histories can have the same numbers, and a node
//! that does not know it yet may speak of the one that was lost. So a report names its entry, and
//! counts where the log here has that entry under that number. One that does not count costs nothing
//! but time: what is complete at a node stands in its row of the database too.

use std::collections::{BTreeMap, VecDeque};

use nt_revocation::Entry;
use nt_revocation::protocol::Member;
use nt_token::EntryId;

/// So many of the last entries are known by their identifiers: more than are committed in the time that
/// the slowest verifier has.
const RECENT_MAX: usize = 65_536;
/// So many reports wait for their entries.
const EARLY_MAX: usize = 1_024;

/// What a node reports: everything up to an entry is complete there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Which node, and which of its lives.
    pub member: Member,
    /// The entry's number.
    pub seq: u64,
    /// Its identifier.
    pub entry: EntryId,
}

/// The last entries of this log, and the reports that were here before their entries.
#[derive(Debug, Default)]
pub struct Reports {
    recent: BTreeMap<u64, EntryId>,
    early: VecDeque<Report>,
}

impl Reports {
    /// Takes in entries of this log, in order; answers which reports count now.
    pub fn note(&mut self, entries: &[Entry]) -> Vec<Report> {
        self.recent.extend(entries.iter().map(|entry| (entry.seq, entry.id)));
        while self.recent.len() > RECENT_MAX {
            self.recent.pop_first();
        }
        let Some(head) = self.head() else { return Vec::new() };
        let waited = std::mem::take(&mut self.early);
        let (mut known, early): (Vec<_>, Vec<_>) =
            waited.into_iter().partition(|report| report.seq <= head);
        self.early = early.into();
        known.retain(|report| self.entry_at(report.seq) == Some(report.entry));
        known
    }

    /// Takes in a report; answers whether it counts. One whose entry is not known here yet may count
    /// later.
    pub fn counts(&mut self, report: Report) -> bool {
        if self.head().is_some_and(|head| report.seq <= head) {
            return self.entry_at(report.seq) == Some(report.entry);
        }
        if self.early.len() == EARLY_MAX {
            self.early.pop_front();
        }
        self.early.push_back(report);
        false
    }

    /// Which entry has this number, if that is not too long ago to be known.
    pub fn entry_at(&self, seq: u64) -> Option<EntryId> {
        self.recent.get(&seq).copied()
    }

    fn head(&self) -> Option<u64> {
        self.recent.last_key_value().map(|(seq, _)| *seq)
    }
}

#[cfg(test)]
mod tests {
    use nt_revocation::Fact;
    use nt_revocation::protocol::{Incarnation, NodeId};

    use super::*;

    fn entry(seq: u64, history: u8) -> Entry {
        let fact = Fact::KeyRevoked { kid: "k".parse().expect("a key's identifier") };
        Entry { seq, id: EntryId([history; 16]), fact }
    }

    fn report(seq: u64, history: u8) -> Report {
        let member = Member { node: NodeId(1), incarnation: Incarnation(1) };
        Report { member, seq, entry: EntryId([history; 16]) }
    }

    #[test]
    fn a_report_counts_where_its_entry_is_in_the_log() {
        let mut reports = Reports::default();
        assert_eq!(reports.note(&[entry(1, 1), entry(2, 1)]), []);
        assert!(reports.counts(report(2, 1)) && reports.counts(report(1, 1)));
        assert!(!reports.counts(report(2, 2)), "of another history");
    }

    #[test]
    fn a_report_that_came_before_its_entry_is_judged_when_that_comes() {
        let mut reports = Reports::default();
        reports.note(&[entry(1, 1)]);
        for early in [report(2, 1), report(3, 2), report(4, 1)] {
            assert!(!reports.counts(early));
        }
        assert_eq!(reports.note(&[entry(2, 1), entry(3, 1)]), [report(2, 1)]);
        assert_eq!(reports.note(&[entry(4, 1)]), [report(4, 1)], "the others were judged before");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_forgotten_does_not_count() {
        let mut reports = Reports::default();
        let many = u64::try_from(RECENT_MAX).expect("small") + 1;
        let entries: Vec<Entry> = (1..=many).map(|seq| entry(seq, 1)).collect();
        reports.note(&entries);
        assert!(!reports.counts(report(1, 1)) && reports.counts(report(2, 1)));
        let early = u64::try_from(EARLY_MAX).expect("small") + 1;
        for nth in 1..=early {
            reports.counts(report(many + nth, 1));
        }
        assert_eq!(reports.note(&[entry(many + 1, 1)]), [], "the oldest gave way");
        assert_eq!(reports.note(&[entry(many + 2, 1)]).len(), 1);
    }
}
