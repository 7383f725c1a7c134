//! The operator, who hears that history was lost, and recovers it: `ntd recover`.

use std::collections::BTreeSet;

use nt_revocation::protocol::Rules;
use nt_revocation::{Position, first_of_epoch};

use super::contents::Contents;
use super::known::{Fact, Row, id};
use super::life::{Life, Token};

/// By the slowest clock every lease from before is over then: Ln / (1 − ρ).
const LEASES_MS: u64 = 11_400;

#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Operator {
    #[default]
    Idle,
    /// Somebody refuses what the database says, since then.
    Hears(u64),
    /// Nobody reaches the database; the recovery is at this time.
    Recovers(u64),
}

impl Operator {
    /// Whether the database is in somebody's hands.
    pub(super) fn busy(self) -> bool {
        !matches!(self, Self::Idle)
    }
}

impl<R: Rules> Life<R> {
    /// Somebody says loudly that history was lost.
    pub(super) fn alarm(&mut self) {
        self.figures.quarantined += 1;
        self.heard_at = self.t;
        if matches!(self.operator, Operator::Idle) {
            self.operator = Operator::Hears(self.t + 1_000 + self.dice.below(3_000));
        }
    }

    pub(super) fn operate(&mut self) {
        match self.operator {
            Operator::Hears(at) if self.t >= at => {
                // It may have been the wrong server, which is gone.
                if self.t > self.heard_at + 900 {
                    self.operator = Operator::Idle;
                    return;
                }
                self.db.zombie = None;
                self.db.primary.waiting.clear();
                self.operator = Operator::Recovers(self.t + LEASES_MS);
            }
            Operator::Recovers(at) if self.t >= at => {
                self.recover();
                self.operator = Operator::Idle;
            }
            _ => {}
        }
    }

    /// Whether the database answers nobody but the operator.
    pub(super) fn closed(&self) -> bool {
        matches!(self.operator, Operator::Recovers(_))
    }

    fn recover(&mut self) {
        let disk = self.db.primary.disk.clone();
        let (mut missing, mut complete) = (Vec::new(), true);
        let mut has: BTreeSet<_> = disk.log.iter().map(|row| row.at.entry).collect();
        for i in 0..self.nodes.len() {
            let stands = self.nodes[i].host.stands_until(self.t).is_some();
            let journal = &mut self.nodes[i].journal;
            // What stands still for longer is given up.
            complete &= !stands && !journal.incomplete;
            if !stands {
                let rows = journal.rows.iter().filter(|row| has.insert(row.at.entry));
                missing.extend(rows.copied());
            }
        }
        missing.sort_by_key(|row: &Row| (row.at.epoch, row.at.seq));
        self.figures.brought_back += missing.len() as u64;
        self.begin_epoch(disk, &missing, complete);
    }

    fn begin_epoch(&mut self, mut disk: Contents, missing: &[Row], complete: bool) {
        let journals = self.nodes.iter().flat_map(|seat| &seat.journal.rows);
        let witnesses = journals.chain(&disk.log).map(|row| row.at);
        let verifiers = self.verifiers.iter().map(|verifier| verifier.state.at);
        let epoch = witnesses.chain(verifiers).map(|at| at.epoch).max().unwrap_or_default();
        let first = first_of_epoch(disk.head().seq);
        disk.epoch = epoch.max(disk.epoch) + 1;
        disk.recorded = self.db.primary.lineage;
        disk.active.fill(None);
        let mut facts = vec![(None, Fact::EpochBegan { after: disk.head() })];
        facts.extend(missing.iter().map(|row| (Some(row.at.entry), row.fact)));
        if !complete {
            facts.push((None, Fact::RevokedBefore(self.tokens.len())));
            self.tokens.push(Token::default());
            self.figures.revoked_before += 1;
        }
        for (seq, (entry, fact)) in (first..).zip(facts) {
            self.ids += 1;
            let entry = entry.unwrap_or(id(self.ids));
            disk.log.push(Row { at: Position { epoch: disk.epoch, seq, entry }, fact });
        }
        let lineage = self.db.primary.lineage;
        self.db.replace(lineage, disk);
        self.db.old = false;
        self.figures.recovered += 1;
        let t = self.t;
        for seat in self.nodes.iter_mut().filter(|seat| seat.host.stands_until(t).is_none()) {
            seat.journal.incomplete = false;
        }
    }
}
