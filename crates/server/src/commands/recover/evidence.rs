//! What can be known of a history from outside its database: journals of nodes, and how far verifiers
//! have been.
//!
//! A journal says nothing of whose it is; the file `node` of its data directory does. So a copy of a
//! data directory is a witness with a name, and a journal alone is one if `node` stands in it or beside
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use nt_feed::client::read_position;
use nt_revocation::{Entry, Fact, Position};
use nt_store::{Findings, Witness};

/// A journal that is at hand.
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Which node's it is, if that is known.
    pub(super) node: Option<u64>,
    pub(super) witness: Witness,
}

impl Found {
    /// Reads the journal in a copy of a node's data directory, or of its journal.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let inside = path.join("journal");
        let journal = if inside.is_dir() { inside } else { path.to_owned() };
        ensure!(journal.is_dir(), "{} is no directory", journal.display());
        let witness = Witness::read(&journal);
        let witness = witness.with_context(|| journal.display().to_string())?;
        ensure!(witness.last.is_some(), "there is no journal in {}", path.display());
        let beside = journal.parent().map(|parent| parent.join("node"));
        let names = [Some(journal.join("node")), beside];
        let text = names.into_iter().flatten().find_map(|name| std::fs::read_to_string(name).ok());
        let node = text.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
        Ok(Self { path: path.to_owned(), node, witness })
    }
}

/// What is known altogether.
pub(super) struct Evidence {
    pub(super) journals: Vec<Found>,
    pub(super) verifiers: Vec<(PathBuf, Position)>,
}

impl Evidence {
    pub(super) fn gather(journals: &[PathBuf], positions: &[PathBuf]) -> anyhow::Result<Self> {
        let journals = journals.iter().map(|path| Found::read(path)).collect::<Result<_, _>>()?;
        let read = |path: &PathBuf| Ok((path.clone(), read_position(path)?));
        let verifiers = positions.iter().map(read).collect::<anyhow::Result<_>>()?;
        Ok(Self { journals, verifiers })
    }

    /// All entries, a journal's after the other's: the furthest first, whose order is that of the log.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut journals: Vec<_> = self.journals.iter().map(|found| &found.witness).collect();
        let reach = |witness: &Witness| witness.last.map(|last| (last.epoch, last.seq));
        journals.sort_by_key(|witness| std::cmp::Reverse(reach(witness)));
        journals.into_iter().flat_map(|witness| witness.entries.iter().cloned()).collect()
    }

    /// The furthest positions of all.
    pub(super) fn seen(&self) -> Vec<Position> {
        let journals = self.journals.iter().filter_map(|found| found.witness.last);
        journals.chain(self.verifiers.iter().map(|(_, position)| *position)).collect()
    }

    /// The nodes that may have answered for something that no journal here has.
    pub(super) fn absent(&self, findings: &Findings) -> Vec<u64> {
        let facts =
            || self.journals.iter().flat_map(|found| &found.witness.entries).map(|one| &one.fact);
        let gone: BTreeSet<_> = facts()
            .filter_map(|fact| match fact {
                Fact::NodeGone { node, incarnation } => Some((*node, *incarnation)),
                _ => None,
            })
            .collect();
        let joined = facts().filter_map(|fact| match fact {
            Fact::NodeJoined { node, incarnation } => Some((*node, *incarnation)),
            _ => None,
        });
        let listed = findings.nodes.iter().map(|node| node.member);
        let members = listed.map(|member| (member.node.0, member.incarnation.0)).chain(joined);
        let at_hand: BTreeSet<_> = self.journals.iter().filter_map(|found| found.node).collect();
        let absent: BTreeSet<_> = members
            .filter(|member| !gone.contains(member))
            .map(|(node, _)| node)
            .filter(|node| !at_hand.contains(node))
            .collect();
        absent.into_iter().collect()
    }

    /// The verifier that has been furthest, if it has been further than everything that is known here.
    pub(super) fn ahead(&self, head: Position) -> Option<&(PathBuf, Position)> {
        let order = |at: Position| (at.epoch, at.seq);
        let journals = self.journals.iter().filter_map(|found| found.witness.last);
        let known = journals.map(order).fold(order(head), Ord::max);
        let ahead = self.verifiers.iter().filter(|(_, position)| order(*position) > known);
        ahead.max_by_key(|(_, position)| order(*position))
    }
}

/// How many entries of each kind there are, in words.
pub(super) fn by_kind(entries: &[Entry]) -> String {
    let mut counts = BTreeMap::new();
    for entry in entries {
        let kind = match entry.fact {
            Fact::TokenRevoked { .. } => "revoked tokens",
            Fact::ScopeRevoked { .. } => "revoked scopes",
            Fact::KeyAdded { .. } => "new keys",
            Fact::KeyRevoked { .. } => "revoked keys",
            Fact::LeaseLengths { .. } | Fact::Horizon { .. } => "settings",
            Fact::NodeJoined { .. }
            | Fact::NodeFenced { .. }
            | Fact::NodeGone { .. }
            | Fact::EpochBegan { .. } => "of nodes and epochs",
        };
        *counts.entry(kind).or_insert(0_u64) += 1;
    }
    let counted: Vec<_> = counts.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    if counted.is_empty() { "nothing".to_owned() } else { counted.join(", ") }
}

/// A position as people read it.
pub(super) fn place(position: Position) -> String {
    format!("entry {} of epoch {}", position.seq, position.epoch)
}

#[cfg(test)]
mod tests {
    use nt_store::journal::Journal;
    use nt_token::EntryId;

    use super::*;

    fn entry(seq: u64, fact: Fact) -> Entry {
        Entry { seq, id: EntryId([u8::try_from(seq).expect("small"); 16]), fact }
    }

    fn joined(node: u64) -> Fact {
        Fact::NodeJoined { node, incarnation: 1 }
    }

    fn data_dir(node: u64, facts: &[Fact]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        let mut journal = Journal::open(&directory.path().join("journal")).expect("made");
        journal.begin_at(Position::START).expect("begun");
        let entries: Vec<_> =
            (1..).zip(facts).map(|(seq, fact)| entry(seq, fact.clone())).collect();
        journal.append(&entries).expect("written");
        journal.sync().expect("synced");
        let name = format!("{node:016x}\n");
        std::fs::write(directory.path().join("node"), name).expect("written");
        directory
    }

    fn nothing_found() -> Findings {
        Findings { head: Position::START, doubt: None, nodes: Vec::new(), missing: Vec::new() }
    }

    #[test]
    fn a_node_is_absent_that_joined_and_is_not_gone_and_whose_journal_is_not_here() {
        let gone = Fact::NodeGone { node: 2, incarnation: 1 };
        let one = data_dir(1, &[joined(1), joined(2), joined(3), gone]);
        let gathered = Evidence::gather(&[one.path().to_owned()], &[]).expect("readable");
        assert_eq!(gathered.journals[0].node, Some(1));
        assert_eq!(gathered.absent(&nothing_found()), [3]);
        let three = data_dir(3, &[joined(1)]);
        let both = [three.path().join("journal"), one.path().to_owned()];
        let gathered = Evidence::gather(&both, &[]).expect("readable");
        assert!(gathered.absent(&nothing_found()).is_empty());
        let seqs: Vec<_> = gathered.entries().iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, [1, 2, 3, 4, 1], "the furthest first");
    }

    #[test]
    fn a_verifier_that_was_further_than_every_journal_is_told_of() {
        let one = data_dir(1, &[joined(1)]);
        let mut gathered = Evidence::gather(&[one.path().to_owned()], &[]).expect("readable");
        let at = |seq| Position { epoch: 1, seq, entry: EntryId([9; 16]) };
        gathered.verifiers = vec![(PathBuf::from("a"), at(1))];
        assert!(gathered.ahead(Position::START).is_none());
        gathered.verifiers.push((PathBuf::from("b"), at(2)));
        assert_eq!(gathered.ahead(Position::START).map(|(_, found)| found.seq), Some(2));
        assert!(gathered.ahead(at(2)).is_none(), "the database has it");
    }

    #[test]
    fn a_directory_without_a_journal_is_no_witness() {
        let empty = tempfile::tempdir().expect("a directory");
        assert!(Found::read(empty.path()).is_err());
        assert!(Found::read(&empty.path().join("gone")).is_err());
    }
}
