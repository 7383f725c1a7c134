use nt_token::{EntryId, Place};
use nt_token::{Jti, KeyId, OperatorId, SignedClaims, WorkspaceId};
use proptest::prelude::*;

use super::*;
use crate::entry::{Entry, Fact, ScopeOf};
use crate::set::RevocationSet;
use crate::set::tests::Mint;
use crate::status::Status;

/// Few of everything, so that random entries and random tokens meet.
fn places() -> impl Strategy<Value = Place> {
    let idx = prop_oneof![0_u32..4, 65_530_u32..65_540, Just(Place::LIST_MAX - 1)];
    (prop_oneof![0_u32..3, Just(RevocationSet::LISTS_MAX - 1)], idx)
        .prop_map(|(list, idx)| Place { list, idx })
}

fn scopes() -> impl Strategy<Value = ScopeOf> {
    (0_u8..5, 0_u8..3, 0_u8..3).prop_map(|(of, workspace, operator)| {
        let workspace = WorkspaceId::mint([workspace; 16]);
        let operator = OperatorId::mint(1, [operator; 10]);
        match of {
            0 | 1 => ScopeOf::Workspace(workspace),
            2 => ScopeOf::Operator(operator),
            3 => ScopeOf::Member(workspace, operator),
            _ => ScopeOf::All,
        }
    })
}

fn facts(mine: KeyId) -> impl Strategy<Value = Fact> {
    let token = |place| Fact::TokenRevoked {
        place,
        jti: Jti::mint(1, [0; 10]),
        exp: Timestamp::from_unix(2),
    };
    let other: KeyId = "other".parse().expect("a kid");
    let added = other.clone();
    prop_oneof![
        8 => places().prop_map(token),
        6 => (scopes(), prop::collection::vec(places(), 0..3))
            .prop_map(|(scope, except)| Fact::ScopeRevoked { scope, except }),
        1 => prop::bool::weighted(0.2)
            .prop_map(move |it| if it { mine.clone() } else { other.clone() })
            .prop_map(|kid| Fact::KeyRevoked { kid }),
        1 => "[a-z]{0,9}".prop_map(move |jwk| Fact::KeyAdded { kid: added.clone(), jwk }),
        1 => Just(Fact::NodeGone { node: 1, incarnation: 1 }),
        1 => (0_i64..4).prop_map(|at| Fact::Horizon { through: Timestamp::from_unix(at) }),
    ]
}

/// Random histories, and tokens to ask for, of one mint: making keys anew takes long.
fn world() -> impl Strategy<Value = (Vec<Entry>, Vec<SignedClaims>)> {
    let mint = Arc::new(Mint::new());
    let history = prop::collection::vec((facts(mint.kid()), any::<[u8; 16]>()), 0..30);
    let token = (1_i64..7, 0_u64..32, places(), (0_u8..3, 0_u8..3));
    let tokens = prop::collection::vec(token, 12).prop_map(move |of| {
        of.into_iter().map(|(exp, rv, place, who)| mint.token_until(exp, rv, place, who)).collect()
    });
    let history = history.prop_map(|of| {
        (1..).zip(of).map(|(seq, (fact, id))| Entry { seq, id: EntryId(id), fact }).collect()
    });
    (history, tokens)
}

fn replay(history: &[Entry]) -> RevocationSet {
    let set = RevocationSet::new();
    for entry in history {
        set.apply(entry).expect("in order");
    }
    set
}

fn answers(set: &RevocationSet, tokens: &[SignedClaims]) -> Vec<Status> {
    tokens.iter().map(|token| set.status(token)).collect()
}

/// A snapshot with something of everything in it.
fn sample() -> Vec<u8> {
    let place = Place { list: 1, idx: 70_000 };
    let kid: KeyId = "kid".parse().expect("a kid");
    let revoked =
        Fact::TokenRevoked { place, jti: Jti::mint(1, [0; 10]), exp: Timestamp::from_unix(2) };
    let workspace = WorkspaceId::mint([1; 16]);
    let facts = [
        revoked,
        Fact::ScopeRevoked { scope: ScopeOf::Workspace(workspace), except: vec![place] },
        Fact::ScopeRevoked {
            scope: ScopeOf::Member(workspace, OperatorId::mint(1, [1; 10])),
            except: vec![],
        },
        Fact::ScopeRevoked { scope: ScopeOf::All, except: vec![] },
        Fact::KeyAdded { kid: kid.clone(), jwk: "{}".to_owned() },
        Fact::KeyRevoked { kid },
        Fact::Horizon { through: Timestamp::from_unix(1) },
    ];
    let entry = |(seq, fact)| Entry { seq, id: EntryId([5; 16]), fact };
    replay(&(1..).zip(facts).map(entry).collect::<Vec<_>>()).snapshot()
}

/// With a checksum that is right.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = digest(&SHA256, &bytes);
    bytes.extend(checksum.as_ref());
    bytes
}

#[test]
fn an_empty_set_has_a_snapshot_too() {
    let set = RevocationSet::from_snapshot(&RevocationSet::new().snapshot()).expect("reads");
    assert_eq!(set.position(), Position::START);
}

#[test]
fn a_snapshot_cut_short_or_longer_anywhere_is_refused() {
    let whole = sample();
    Snapshot::read(&whole).expect("the whole one is right");
    for end in 0..whole.len() {
        Snapshot::read(&whole[..end]).expect_err("cut short");
    }
    Snapshot::read(&[&whole[..], &[0]].concat()).expect_err("longer");
}

#[test]
fn contents_cut_short_or_longer_are_refused_even_with_the_right_checksum() {
    let whole = sample();
    let contents = &whole[..whole.len() - 32];
    for end in 0..contents.len() {
        Snapshot::read(&sealed(contents[..end].to_vec())).expect_err("cut short");
    }
    let longer = sealed([contents, &[0]].concat());
    assert_eq!(Snapshot::read(&longer), Err(BadSnapshot::Malformed));
}

#[test]
fn another_version_and_other_files_are_told_from_damage() {
    let mut bytes = sample();
    assert_eq!(Snapshot::read(b"SQLite format 3"), Err(BadSnapshot::Magic));
    bytes[5] = 2;
    assert_eq!(Snapshot::read(&bytes), Err(BadSnapshot::Version(2)));
}

#[test]
fn a_count_or_length_that_lies_is_refused_without_memory_for_it() {
    let header = &sample()[..46];
    let lies: [&[u32]; 3] = [&[u32::MAX], &[1, 0, u32::MAX], &[0, u32::MAX]];
    for lie in lies {
        let lie = lie.iter().flat_map(|number| number.to_be_bytes());
        let bytes = header.iter().copied().chain(lie).collect();
        assert_eq!(Snapshot::read(&sealed(bytes)), Err(BadSnapshot::Malformed));
    }
}

#[test]
fn lists_that_are_empty_too_large_in_runs_or_out_of_order_are_refused() {
    let header = &sample()[..46];
    let one = RoaringBitmap::from_iter([1]);
    let mut runs: RoaringBitmap = (0..65_536).collect();
    assert!(runs.optimize(), "has a run container now");
    let cases: [&[(u32, RoaringBitmap)]; 6] = [
        &[(0, runs)],
        &[(0, RoaringBitmap::new())],
        &[(0, RoaringBitmap::from_iter([Place::LIST_MAX]))],
        &[(RevocationSet::LISTS_MAX, one.clone())],
        &[(1, one.clone()), (1, one.clone())],
        &[(1, one.clone()), (0, one)],
    ];
    for lists in cases {
        let mut snapshot = Snapshot::read(&sample()).expect("reads");
        snapshot.lists = lists.to_vec();
        let mut bytes = header.to_vec();
        snapshot.put_lists(&mut bytes);
        snapshot.put_rules(&mut bytes);
        assert_eq!(Snapshot::read(&sealed(bytes)), Err(BadSnapshot::Malformed), "{lists:?}");
    }
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

fn last_fact() -> Fact {
    Fact::Horizon { through: Timestamp::from_unix(3) }
}

#[test]
fn dense_lists_travel_as_they_are() {
    let mut snapshot = Snapshot::read(&sample()).expect("reads");
    let mut most: RoaringBitmap = (0..Place::LIST_MAX).collect();
    most.remove(12_345);
    let odd = (0..Place::LIST_MAX).filter(|idx| idx % 2 == 1).collect();
    let few = RoaringBitmap::from_iter([0, 63, 64, 65_535, 65_536, Place::LIST_MAX - 1]);
    snapshot.lists = vec![(3, most), (1_024, odd), (1_025, few)];
    let set = RevocationSet::from_snapshot(&snapshot.to_bytes()).expect("reads");
    assert_eq!(set.freeze(), snapshot);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_snapshot_answers_as_the_set_that_it_was_taken_of((history, tokens) in world()) {
        let set = replay(&history);
        let copy = RevocationSet::from_snapshot(&set.snapshot()).expect("reads");
        prop_assert_eq!(answers(&copy, &tokens), answers(&set, &tokens));
        prop_assert_eq!(copy.position(), set.position());
        prop_assert_eq!(copy.keys(), set.keys());
        prop_assert_eq!(copy.snapshot(), set.snapshot());
        prop_assert_eq!(copy.memory(), set.memory());
    }

    #[test]
    fn snapshots_on_the_way_and_later_entries_come_to_the_same_as_all_entries(
        (history, tokens) in world(),
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
        (history, _) in world(),
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
                prop_assert_ne!(after, Status::Good);
            }
        }
        let again = set.snapshot();
        set.absorb(&snapshot).expect("again");
        prop_assert_eq!(set.snapshot(), again, "twice is as once");
    }

    #[test]
    fn an_entry_that_is_not_the_next_changes_nothing((history, _) in world(), seq in 0_u64..40) {
        let set = replay(&history);
        let before = set.snapshot();
        let next = history.len() as u64 + 1;
        let entry = Entry { seq, id: EntryId([6; 16]), fact: last_fact() };
        prop_assert_eq!(set.apply(&entry).is_ok(), seq == next);
        prop_assert_eq!(set.snapshot() == before, seq != next);
    }

    #[test]
    fn a_byte_that_changed_anywhere_is_noticed(flip in 1_u8..) {
        let whole = sample();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            prop_assert!(Snapshot::read(&bytes).is_err(), "at {}", at);
        }
    }

    #[test]
    fn forged_contents_with_a_right_checksum_make_nobody_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let whole = sample();
        let mut bytes = whole[..whole.len() - 32].to_vec();
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        if let Ok(set) = RevocationSet::from_snapshot(&sealed(bytes)) {
            let again = RevocationSet::from_snapshot(&set.snapshot()).expect("reads");
            prop_assert_eq!(again.snapshot(), set.snapshot());
        }
    }

    #[test]
    fn no_bytes_with_a_right_checksum_make_the_reader_panic(
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = sample()[..46].to_vec();
        bytes.extend(noise);
        let _whatever = Snapshot::read(&sealed(bytes));
    }
}
