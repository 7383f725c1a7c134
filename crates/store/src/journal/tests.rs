//! What a journal survives, and what it refuses.

use nt_token::EntryId;
use tempfile::TempDir;

use super::*;

const START: Position = Position::START;

fn entries(range: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
    range
        .map(|seq| Entry {
            seq,
            id: EntryId(u128::from(seq).to_be_bytes()),
            fact: Fact::NodeGone { node: seq, incarnation: 1 },
        })
        .collect()
}

fn made(batches: &[std::ops::RangeInclusive<u64>]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = Journal::open(directory.path()).expect("made");
    assert_eq!(journal.last(), None);
    journal.begin_at(START).expect("begun");
    for batch in batches {
        journal.append(&entries(batch.clone())).expect("written");
        journal.sync().expect("synced");
    }
    directory
}

fn said(directory: &TempDir) -> Vec<u64> {
    let mut seqs = Vec::new();
    let read = read_journal(directory.path(), |record| {
        seqs.extend(record.entry.is_some().then_some(record.position.seq));
        Ok(())
    });
    read.expect("readable");
    seqs
}

fn newest(directory: &TempDir) -> PathBuf {
    let number = segment::numbers(directory.path()).expect("files").pop().expect("one");
    segment::path(directory.path(), number)
}

#[test]
fn what_was_written_is_read_back_and_gone_on_from() {
    let directory = made(&[1..=3, 4..=4]);
    let mut journal = Journal::open(directory.path()).expect("opens");
    let last = Position { epoch: 1, seq: 4, entry: EntryId(4_u128.to_be_bytes()) };
    assert_eq!(journal.last(), Some(last));
    journal.append(&entries(5..=6)).expect("written");
    let began = Fact::EpochBegan { epoch: 2, after: 6, entry: EntryId(6_u128.to_be_bytes()) };
    let seq = nt_revocation::first_of_epoch(6);
    journal.append(&[Entry { seq, id: EntryId([9; 16]), fact: began }]).expect("written");
    journal.sync().expect("synced");
    assert_eq!(journal.last().map(|last| last.epoch), Some(2), "an epoch's entry begins it");
    assert_eq!(said(&directory), [1, 2, 3, 4, 5, 6, seq]);
}

#[test]
fn a_second_process_is_told_that_it_is_in_use() {
    let directory = made(&[1..=1]);
    let _held = Journal::open(directory.path()).expect("opens");
    assert!(matches!(Journal::open(directory.path()), Err(StoreError::InUse)));
}

#[test]
fn a_write_that_was_cut_off_anywhere_is_passed_over_and_written_over() {
    let directory = made(&[1..=3]);
    let path = newest(&directory);
    let whole = std::fs::read(&path).expect("the file");
    let mut journal = Journal::open(directory.path()).expect("opens");
    journal.append(&entries(4..=6)).expect("written");
    drop(journal);
    let longer = std::fs::read(&path).expect("the file");
    for end in whole.len()..longer.len() {
        std::fs::write(&path, &longer[..end]).expect("cut");
        let mut journal = Journal::open(directory.path()).expect("a torn end");
        let last = journal.last().expect("a position").seq;
        assert!((3..6).contains(&last), "{last}");
        journal.append(&entries(last + 1..=7)).expect("written");
        journal.sync().expect("synced");
        drop(journal);
        assert_eq!(said(&directory), [1, 2, 3, 4, 5, 6, 7], "cut at {end}");
    }
}

#[test]
fn damage_before_what_was_once_safe_is_refused_and_in_a_torn_batch_is_not() {
    let directory = made(&[1..=3, 4..=6]);
    let path = newest(&directory);
    let whole = std::fs::read(&path).expect("the file");
    let (mut refused, mut torn) = (0, 0);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).expect("damaged");
        match Journal::open(directory.path()) {
            Err(StoreError::Journal(damaged)) => {
                assert_eq!(damaged, path);
                refused += 1;
            }
            Ok(journal) => {
                let last = journal.last().expect("a position").seq;
                assert!((3..6).contains(&last), "byte {at}: only the last batch may be missing");
                torn += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > torn && torn > 0, "{refused} refused, {torn} torn");
}

#[test]
fn a_full_file_is_followed_by_the_next_and_old_ones_are_kept_long_enough() {
    let directory = made(&[]);
    let mut journal = Journal::open(directory.path()).expect("opens");
    let now = Timestamp::from_unix(4_000_000_000);
    let full = 64;
    journal.full = 64;
    let mut next = 1;
    for _ in 0..KEPT + 3 {
        journal.append(&entries(next..=next + full - 1)).expect("written");
        next += full;
        journal.rotate(Timestamp::from_unix(0)).expect("rotated");
    }
    assert_eq!(segment::numbers(directory.path()).expect("files").len(), KEPT + 4, "too young");
    journal.append(&entries(next..=next + full - 1)).expect("written");
    journal.rotate(now).expect("rotated");
    assert_eq!(segment::numbers(directory.path()).expect("files").len(), KEPT + 1);
    drop(journal);
    let journal = Journal::open(directory.path()).expect("opens");
    assert_eq!(journal.last().map(|last| last.seq), Some(next + full - 1), "of the file before");
    assert_eq!(said(&directory).len() as u64, full * KEPT as u64, "what is kept is whole");
}
