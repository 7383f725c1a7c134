//! A snapshot is as good as the entries that it stands for, and nobody un-revokes.

use nt_token::{EntryId, Place};
use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::*;
use crate::status::Why;

#[test]
fn an_empty_set_has_a_snapshot_too() {
    let set = RevocationSet::from_snapshot(&RevocationSet::new().snapshot()).expect("reads");
    assert_eq!(set.position(), Position::START);
}

#[test]
fn a_snapshot_of_another_history_at_the_same_position_is_refused() {
    let entry = |id| Entry {
        seq: 1,
        id: EntryId([id; 16]),
        fact: Fact::Horizon { through: Timestamp::from_unix(i64::from(id)) },
    };
    let (mine, other) = (replay(&[entry(1)]), replay(&[entry(2)]));
    assert_eq!(mine.absorb(&other.freeze()), Err(BadSnapshot::OtherHistory));
    assert_eq!(mine.horizon(), Timestamp::from_unix(1), "nothing of it was taken over");
}

#[test]
fn a_snapshot_of_a_later_epoch_moves_the_position_and_an_earlier_one_does_not() {
    let mut later = Snapshot::read(&sample()).expect("reads");
    later.position = Position { epoch: 2, seq: 1 << 32, ..later.position };
    let set = RevocationSet::from_snapshot(&sample()).expect("reads");
    assert_eq!(set.absorb(&later), Ok(later.position));
    assert_eq!(set.absorb(&Snapshot::read(&sample()).expect("reads")), Ok(later.position));
    assert_eq!((set.position(), set.applied()), (later.position, 1 << 32));
    let next = Entry { seq: (1 << 32) + 1, id: EntryId([6; 16]), fact: last_fact() };
    set.apply(&next).expect("goes on in the new epoch");
    assert_eq!(set.position(), Position { epoch: 2, seq: next.seq, entry: next.id });
}

#[test]
fn no_entry_follows_the_last_number_that_there_is() {
    let mut end = Snapshot::read(&sample()).expect("reads");
    end.position.seq = u64::MAX;
    let set = RevocationSet::from_snapshot(&end.to_bytes()).expect("reads");
    let next = Entry { seq: 0, id: EntryId([6; 16]), fact: last_fact() };
    set.apply(&next).expect_err("there is no such entry");
}

#[test]
fn dense_lists_travel_as_they_are() {
    let mut snapshot = Snapshot::read(&sample()).expect("reads");
    let mut most: RoaringBitmap = (0..Place::LIST_MAX).collect();
    most.remove(12_345);
    let odd = (0..Place::LIST_MAX).filter(|idx| idx % 2 == 1).collect();
    let few = RoaringBitmap::from_iter([0, 63, 64, 65_535, 65_536, Place::LIST_MAX - 1]);
    let list = |(number, bits): (u32, RoaringBitmap)| ListBits {
        number,
        last: Timestamp::from_unix(9),
        bits: portable(&bits).into(),
    };
    snapshot.lists = [(3, most), (1_024, odd), (1_025, few)].map(list).to_vec();
    let set = RevocationSet::from_snapshot(&snapshot.to_bytes()).expect("reads");
    assert_eq!(set.freeze(), snapshot);
}

/// The set as it would be if nothing could be forgotten: horizons are left out.
fn remembering(history: &[Entry]) -> RevocationSet {
    let nothing = Fact::NodeGone { node: 1, incarnation: 1 };
    let all = history.iter().map(|entry| match entry.fact {
        Fact::Horizon { .. } => Entry { fact: nothing.clone(), ..entry.clone() },
        _ => entry.clone(),
    });
    replay(&all.collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_horizon_changes_no_answer_about_a_token_beyond_it((history, tokens) in worlds()) {
        let (set, all) = (replay(&history), remembering(&history));
        let copy = RevocationSet::from_snapshot(&set.snapshot()).expect("reads");
        for token in &tokens {
            let expected = if token.claims().exp <= set.horizon() {
                Status::Revoked(Why::Horizon)
            } else {
                all.status(token)
            };
            prop_assert_eq!(set.status(token), expected);
            prop_assert_eq!(copy.status(token), expected);
        }
    }

    #[test]
    fn a_snapshot_answers_as_the_set_that_it_was_taken_of((history, tokens) in worlds()) {
        let set = replay(&history);
        let copy = RevocationSet::from_snapshot(&set.snapshot()).expect("reads");
        prop_assert_eq!(answers(&copy, &tokens), answers(&set, &tokens));
        prop_assert_eq!(copy.position(), set.position());
        prop_assert_eq!(copy.keys(), set.keys());
        prop_assert_eq!(copy.snapshot(), set.snapshot());
        // What was forgotten is free in the copy.
        prop_assert!(copy.memory() <= set.memory());
    }

    #[test]
    fn snapshots_on_the_way_and_later_entries_come_to_the_same_as_all_entries(
        (history, tokens) in worlds(),
        stops in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let stops: Vec<usize> = stops.iter().map(|at| at.index(history.len() + 1)).collect();
        let mut set = RevocationSet::new();
        for (at, entry) in history.iter().enumerate() {
            if stops.contains(&at) {
                set = RevocationSet::from_snapshot(&set.snapshot()).expect("reads");
            }
            set.apply(entry).expect("in order");
        }
        prop_assert_eq!(answers(&set, &tokens), answers(&replay(&history), &tokens));
        prop_assert_eq!(set.snapshot(), replay(&history).snapshot());
    }

    #[test]
    fn of_one_log_an_absorbed_snapshot_comes_to_the_same_as_the_entries_between(
        (history, _) in worlds(),
        here in any::<prop::sample::Index>(),
        there in any::<prop::sample::Index>(),
    ) {
        let (here, there) = (here.index(history.len() + 1), there.index(history.len() + 1));
        let set = replay(&history[..here]);
        let further = replay(&history[..here.max(there)]);
        let snapshot = replay(&history[..there]).freeze();
        prop_assert_eq!(set.absorb(&snapshot), Ok(further.position()));
        prop_assert_eq!(set.snapshot(), further.snapshot());
    }

    #[test]
    fn absorbing_never_brings_a_token_back_and_loses_none_that_the_snapshot_has(
        (mine, tokens) in world(),
        (other, _) in world(),
    ) {
        let (set, other) = (replay(&mine), replay(&other));
        let before = answers(&set, &tokens);
        let mut snapshot = other.freeze();
        snapshot.position.epoch += 1;
        set.absorb(&snapshot).expect("of a later epoch");
        let theirs = answers(&other, &tokens);
        for ((mine, theirs), after) in before.iter().zip(theirs).zip(answers(&set, &tokens)) {
            let dead = |status: &Status| matches!(status, Status::Revoked(_));
            if dead(mine) || dead(&theirs) {
                prop_assert!(dead(&after), "{:?}", after);
            }
        }
        let again = set.snapshot();
        set.absorb(&snapshot).expect("again");
        prop_assert_eq!(set.snapshot(), again, "twice is as once");
    }

    #[test]
    fn what_was_lost_stays_revoked_where_it_was_known_when_a_new_epoch_is_taken_over(
        (mine, tokens) in world(),
        kept in any::<prop::sample::Index>(),
    ) {
        // The recovered log lost what stands here behind one of the entries.
        let mut recovered = mine[..kept.index(mine.len() + 1)].to_vec();
        let end = recovered.len();
        begin_epoch(&mut recovered, end);
        let (set, there) = (replay(&mine), replay(&recovered));
        let before = answers(&set, &tokens);
        let first = recovered.last().expect("the epoch's first");
        let stands_there = recovered.len() == mine.len() + 1;
        prop_assert_eq!(replay(&mine).apply(first).is_ok(), stands_there);
        prop_assert_eq!(set.absorb(&there.freeze()), Ok(there.position()));
        for (before, after) in before.iter().zip(answers(&set, &tokens)) {
            if let Status::Revoked(_) = before {
                prop_assert!(matches!(after, Status::Revoked(_)), "{:?}", after);
            }
        }
    }

    #[test]
    fn an_entry_that_is_not_the_next_changes_nothing((history, _) in worlds(), seq in 0_u64..40) {
        let set = replay(&history);
        let before = set.snapshot();
        let next = history.last().map_or(0, |last| last.seq) + 1;
        let entry = Entry { seq, id: EntryId([6; 16]), fact: last_fact() };
        prop_assert_eq!(set.apply(&entry).is_ok(), seq == next);
        prop_assert_eq!(set.snapshot() == before, seq != next);
    }
}
