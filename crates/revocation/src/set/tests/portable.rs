//! Bits travel in bytes that other implementations write, too, and no others are taken.

use roaring::RoaringBitmap;

use super::*;
use crate::set::chunks::Bitmaps;
use crate::set::portable::{WORDS, write};

const UNTIL: Timestamp = Timestamp::from_unix(2);

fn list(number: u32, bits: Vec<u8>) -> ListBits<'static> {
    ListBits { number, last: UNTIL, bits: bits.into() }
}

fn bytes(bits: &RoaringBitmap) -> Vec<u8> {
    let mut out = Vec::new();
    bits.serialize_into(&mut out).expect("memory takes all that is written");
    out
}

/// Containers of both kinds, up to their limits.
fn bits() -> impl Strategy<Value = RoaringBitmap> {
    let chunk = (0_u32..16, prop_oneof![1_u32..6, 4_094_u32..4_099, Just(65_536)], any::<u32>());
    prop::collection::vec(chunk, 1..4).prop_map(|chunks| {
        let places = |(chunk, bits, seed): (u32, u32, u32)| {
            // An odd multiplier: different places for different numbers.
            (0..bits).map(move |n| (chunk << 16) | ((n + seed % 7).wrapping_mul(seed | 1) & 0xffff))
        };
        chunks.into_iter().flat_map(places).collect()
    })
}

#[test]
fn containers_that_say_other_than_they_have_are_refused() {
    let few = bytes(&RoaringBitmap::from_iter([1, 2, 70_000]));
    let many = bytes(&(0..65_536).step_by(9).collect());
    list(0, few.clone()).check().expect("as written");
    list(0, many.clone()).check().expect("as written");
    // Of `few`: cookie, containers, chunk, bits, chunk again, offset, a place twice, places that descend.
    let changes = [(&few, 0, 1), (&few, 4, 1), (&few, 8, 1), (&few, 10, 1), (&few, 12, 16)];
    let more = [(&few, 16, 1), (&few, 24, 3), (&few, 24, 2), (&many, 10, 1), (&many, 16, 2)];
    for (whole, at, flip) in changes.into_iter().chain(more) {
        let mut bytes = whole.clone();
        bytes[at] ^= flip;
        assert_eq!(list(0, bytes.clone()).check(), None, "byte {at}");
        assert_eq!(Bitmaps::new().unite(&list(0, bytes)), None, "byte {at}");
    }
    assert_eq!(list(0, bytes(&RoaringBitmap::new())).check(), None, "no bit");
    let beyond = RoaringBitmap::from_iter([Place::LIST_MAX]);
    assert_eq!(list(0, bytes(&beyond)).check(), None, "a chunk that no list has");
    assert_eq!(write([(0, [0; WORDS])]), None, "no bit");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn bits_are_written_as_another_implementation_writes_them(bits in bits()) {
        let list = list(7, bytes(&bits));
        let set = Bitmaps::new();
        set.unite(&list).expect("read");
        prop_assert_eq!(set.lists(), [list]);
    }

    #[test]
    fn united_bits_are_those_of_either_and_of_no_other(mine in bits(), other in bits()) {
        let set = Bitmaps::new();
        set.unite(&list(7, bytes(&mine))).expect("read");
        set.unite(&list(7, bytes(&other))).expect("read");
        prop_assert_eq!(set.lists(), [list(7, bytes(&(mine | other)))]);
    }

    #[test]
    fn whatever_is_taken_is_what_would_be_written_and_means_the_same_elsewhere(
        bits in bits(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut forged = bytes(&bits);
        for (at, to) in changes {
            // Mostly where the lengths are.
            let among = if to % 2 == 0 { forged.len() } else { forged.len().min(40) };
            forged[at.index(among)] = to;
        }
        forged.truncate(cut.map_or(usize::MAX, |at| at.index(forged.len())));
        let (set, forged) = (Bitmaps::new(), list(7, forged));
        prop_assert_eq!(set.unite(&forged), forged.check());
        if forged.check().is_some() {
            let elsewhere = RoaringBitmap::deserialize_from(&*forged.bits).expect("takes it, too");
            prop_assert_eq!(bytes(&elsewhere), &*forged.bits);
            prop_assert_eq!(set.lists(), [forged]);
        }
    }
}
