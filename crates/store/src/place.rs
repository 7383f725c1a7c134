//! Which list a token's place is drawn from, and how large lists are. The drawing itself is with the
//! stores.

use nt_token::{Place, Timestamp};

/// How many places the first list of a bucket has: a small authority's lists stay small.
pub(crate) const FIRST_CAPACITY: u32 = 1_024;

/// More draws than it takes to find a free place in a list that still accepts tokens: at seven
/// eighths full each draw succeeds with probability 1/8 or better.
pub(crate) const DRAWS: usize = 4_096;

/// How many places the next list of a bucket has.
pub(crate) fn next_capacity(last: Option<u32>) -> u32 {
    last.map_or(FIRST_CAPACITY, |capacity| capacity.saturating_mul(2).min(Place::LIST_MAX))
}

/// Whether a list still takes tokens: up to seven eighths, so that drawing stays quick.
pub(crate) fn accepts(capacity: u32, issued: u32) -> bool {
    issued < capacity / 8 * 7
}

/// The month in which a token expires, counted from year 0: tokens of a bucket are forgotten
/// together.
pub(crate) fn bucket(exp: Timestamp) -> i64 {
    let (year, month) = civil_month(exp.unix().div_euclid(86_400));
    year * 12 + month - 1
}

/// The end of the latest month that was over for more than a day: every token that ends at this time or
/// before it has ended more than a day ago, and no bucket has tokens on both sides of it.
pub fn forgettable(now: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400;
    let mut first = now.unix().saturating_sub(DAY).div_euclid(DAY);
    let month = civil_month(first);
    // At most 30 steps.
    while civil_month(first - 1) == month {
        first -= 1;
    }
    Timestamp::from_unix(first.saturating_mul(DAY).saturating_sub(1))
}

/// The year and month (1 to 12) of a day counted from 1970-01-01, in the proleptic Gregorian
/// calendar: years begin in March here, so that the leap day comes last, and are grouped into eras
/// of 400 years, which all have 146,097 days.
fn civil_month(day: i64) -> (i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + i64::from(month <= 2), month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_calendar_months() {
        let of = |text: &str| bucket(text.parse().expect("a time"));
        assert_eq!(of("2024-02-29T23:59:59Z"), 2024 * 12 + 1);
        assert_eq!(of("2024-03-01T00:00:00Z"), 2024 * 12 + 2);
        assert_eq!(of("1999-12-31T23:59:59Z") + 1, of("2000-01-01T00:00:00Z"));
        assert_eq!(of("1970-01-01"), 1970 * 12);
        assert_eq!(of("1969-12-31"), 1970 * 12 - 1);
        let mut last = of("1990-01-01");
        for day in 0..40_000 {
            let at = Timestamp::from_unix(631_152_000 + day * 86_400);
            let text = at.to_string();
            let expected = text[..4].parse::<i64>().expect("a year") * 12
                + text[5..7].parse::<i64>().expect("a month")
                - 1;
            assert_eq!(bucket(at), expected, "{text}");
            assert!(bucket(at) - last <= 1);
            last = bucket(at);
        }
    }

    #[test]
    fn what_may_be_forgotten_ended_a_day_ago_and_is_whole_buckets() {
        let of = |text: &str| forgettable(text.parse().expect("a time")).to_string();
        assert_eq!(of("2024-03-01T23:59:59Z"), "2024-01-31T23:59:59Z");
        assert_eq!(of("2024-03-02T00:00:00Z"), "2024-02-29T23:59:59Z");
        assert_eq!(of("2024-03-31T12:00:00Z"), "2024-02-29T23:59:59Z");
        assert_eq!(of("2025-01-05T00:00:00Z"), "2024-12-31T23:59:59Z");
        for day in 0..2_000 {
            let now = Timestamp::from_unix(1_700_000_000 + day * 43_217);
            let through = forgettable(now);
            assert!(through.unix() + 86_400 < now.unix());
            let next = Timestamp::from_unix(through.unix() + 1);
            assert_eq!(bucket(through) + 1, bucket(next), "{through}");
        }
        forgettable(Timestamp::from_unix(i64::MIN));
        forgettable(Timestamp::from_unix(i64::MAX));
    }

    #[test]
    fn no_time_makes_the_bucket_overflow() {
        assert!(
            bucket(Timestamp::from_unix(i64::MIN)) < bucket(Timestamp::from_unix(i64::MAX)),
            "in order"
        );
    }

    #[test]
    fn lists_double_up_to_the_largest() {
        let mut capacity = None;
        let mut seen = Vec::new();
        for _ in 0..12 {
            capacity = Some(next_capacity(capacity));
            seen.extend(capacity);
        }
        assert_eq!(seen[..3], [1_024, 2_048, 4_096]);
        assert_eq!(seen[10..], [Place::LIST_MAX, Place::LIST_MAX]);
        assert!(accepts(1_024, 895) && !accepts(1_024, 896));
    }
}
