//! The lists of places, for whoever publishes which of them count.

use nt_token::Timestamp;

use crate::place::bucket;

/// A list that tokens have or had their places in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownList {
    /// Its number.
    pub number: u32,
    /// The month in which its tokens end.
    pub(crate) bucket: i64,
    /// How many places it has.
    pub(crate) capacity: u32,
    /// How many of them are taken.
    pub(crate) issued: u32,
}

impl KnownList {
    /// Whether all its tokens end at this time or before it.
    pub fn ended_by(&self, through: Timestamp) -> bool {
        bucket(Timestamp::from_unix(through.unix().saturating_add(1))) > self.bucket
    }

    /// Whether a recovery has closed it: it takes no token any more, and may have taken some of which
    /// no record is left. A list that fills up never comes so far.
    pub(crate) fn was_closed(&self) -> bool {
        self.issued >= self.capacity
    }
}

/// Which places of a list do not count, as far as the records know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListedPlaces {
    /// These are of revoked tokens; the others are of live ones, or free.
    Revoked(Vec<u32>),
    /// Only these are of live tokens. What the others are of may have been lost with its record, so
    /// that nobody can say that it counts.
    LiveOnly(Vec<u32>),
}

impl ListedPlaces {
    /// The same as bits, the lowest of each byte first: 1 for what does not count.
    pub fn bits(&self, list: &KnownList) -> Vec<u8> {
        let mut bits = vec![0_u8; list.capacity.div_ceil(8) as usize];
        let mut flip = |idx: &u32| {
            if let Some(byte) = bits.get_mut((idx / 8) as usize) {
                *byte ^= 1 << (idx % 8);
            }
        };
        match self {
            Self::Revoked(places) => places.iter().for_each(flip),
            Self::LiveOnly(places) => {
                (0..list.capacity).for_each(|idx| flip(&idx));
                places.iter().for_each(flip);
            }
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(issued: u32) -> KnownList {
        let bucket = bucket("2030-01-15T00:00:00Z".parse().expect("a time"));
        KnownList { number: 0, bucket, capacity: 16, issued }
    }

    #[test]
    fn a_list_has_ended_when_its_month_has() {
        let by = |text: &str| list(1).ended_by(text.parse().expect("a time"));
        assert!(!by("2029-12-31T23:59:59Z") && !by("2030-01-31T23:59:58Z"));
        assert!(by("2030-01-31T23:59:59Z") && by("2031-06-01T00:00:00Z"));
        assert!(!list(1).ended_by(Timestamp::from_unix(i64::MIN)));
    }

    #[test]
    fn the_lowest_bit_comes_first_and_what_has_no_record_in_a_closed_list_does_not_count() {
        assert!(!list(14).was_closed() && list(16).was_closed());
        let bits = |places: ListedPlaces| places.bits(&list(1));
        assert_eq!(bits(ListedPlaces::Revoked(vec![0, 9, 99])), [0b1, 0b10]);
        assert_eq!(bits(ListedPlaces::LiveOnly(vec![0, 9])), [0b1111_1110, 0b1111_1101]);
    }
}
