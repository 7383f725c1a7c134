//! Bytes that are no snapshot: damaged, cut short, or made to do harm.

use nt_token::Place;
use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::*;

/// What a snapshot says, or why it says nothing: the same to who only reads it and to who makes a set
/// of it meanwhile.
fn read(bytes: &[u8]) -> Result<Snapshot, BadSnapshot> {
    let (read, set) = (Snapshot::read(bytes), RevocationSet::from_snapshot(bytes));
    assert_eq!(read.as_ref().err(), set.err().as_ref());
    read
}

/// With a checksum that is right.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = digest(&SHA256, &bytes);
    bytes.extend(checksum.as_ref());
    bytes
}

#[test]
fn a_snapshot_cut_short_or_longer_anywhere_is_refused() {
    let whole = sample();
    read(&whole).expect("the whole one is right");
    for end in 0..whole.len() {
        read(&whole[..end]).expect_err("cut short");
    }
    read(&[&whole[..], &[0]].concat()).expect_err("longer");
}

#[test]
fn contents_cut_short_or_longer_are_refused_even_with_the_right_checksum() {
    let whole = sample();
    let contents = &whole[..whole.len() - 32];
    for end in 0..contents.len() {
        read(&sealed(contents[..end].to_vec())).expect_err("cut short");
    }
    let longer = sealed([contents, &[0]].concat());
    assert_eq!(read(&longer), Err(BadSnapshot::Malformed));
}

#[test]
fn another_version_and_other_files_are_told_from_damage() {
    let mut bytes = sample();
    assert_eq!(read(b"SQLite format 3"), Err(BadSnapshot::Magic));
    bytes[5] = 1;
    assert_eq!(read(&bytes), Err(BadSnapshot::Version(1)));
}

#[test]
fn a_count_or_length_that_lies_is_refused_without_memory_for_it() {
    let header = &sample()[..46];
    let lies: [&[u32]; 3] = [&[u32::MAX], &[1, 0, 0, 9, u32::MAX], &[0, u32::MAX]];
    for lie in lies {
        let lie = lie.iter().flat_map(|number| number.to_be_bytes());
        let bytes = header.iter().copied().chain(lie).collect();
        assert_eq!(read(&sealed(bytes)), Err(BadSnapshot::Malformed));
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
        let mut snapshot = read(&sample()).expect("reads");
        let list = |(number, bits): &(u32, RoaringBitmap)| ListBits {
            number: *number,
            last: Timestamp::from_unix(9),
            bits: portable(bits).into(),
        };
        snapshot.lists = lists.iter().map(list).collect();
        let mut bytes = header.to_vec();
        snapshot.put_lists(&mut bytes);
        snapshot.put_rules(&mut bytes);
        assert_eq!(read(&sealed(bytes)), Err(BadSnapshot::Malformed), "{lists:?}");
    }
}

#[test]
fn rules_out_of_order_or_there_twice_are_refused() {
    let before = [&sample()[..46], &[0; 4]].concat();
    let all = |seq: u64| [&[3, 0][..], &seq.to_be_bytes(), &[0]].concat();
    let read = |rules: &[Vec<u8>]| {
        let count = u32::try_from(rules.len()).expect("few").to_be_bytes();
        read(&sealed([&before[..], &count, &rules.concat(), &[0; 8]].concat()))
    };
    read(&[all(1), all(2)]).expect("in order");
    for rules in [[all(2), all(1)], [all(1), all(1)]] {
        assert_eq!(read(&rules), Err(BadSnapshot::Malformed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_byte_that_changed_anywhere_is_noticed(flip in 1_u8..) {
        let whole = sample();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            prop_assert!(read(&bytes).is_err(), "at {}", at);
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
        let _whatever = read(&sealed(bytes));
    }
}
