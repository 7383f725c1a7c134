//! Wall time in whole seconds, and how long a token may live.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z: a `NumericDate` of RFC 7519 without a fraction.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time this many seconds after the Unix epoch.
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// This time and a lifetime; the largest time where that overflows.
    pub const fn plus(self, lifetime: Lifetime) -> Self {
        Self(self.0.saturating_add(lifetime.0))
    }

    /// This time moved by some seconds; the nearest representable time where that overflows.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// `2024-08-07 10:30:00`, UTC: for people.
    pub fn civil(self) -> String {
        jiff::Timestamp::from_second(self.0)
            .map_or_else(|_| self.0.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }
}

/// RFC 3339 in UTC with whole seconds: `2024-08-07T12:30:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(at) => write!(f, "{}", at.strftime("%Y-%m-%dT%H:%M:%SZ")),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

/// Why a text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Invalid time: use RFC 3339, such as 2024-08-07T12:30:00Z, or a date")]
pub struct InvalidTime;

impl FromStr for Timestamp {
    type Err = InvalidTime;

    /// Reads RFC 3339, a bare date (midnight UTC) or seconds since the Unix epoch.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        if let Ok(seconds) = text.parse::<i64>() {
            return Ok(Self(seconds));
        }
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(at.as_second()));
        }
        let date = text.parse::<jiff::civil::Date>().map_err(|_| InvalidTime)?;
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| InvalidTime)?;
        Ok(Self(midnight.timestamp().as_second()))
    }
}

/// Why a lifetime is refused. The text is the documented one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Invalid expiration time")]
pub struct InvalidExpiration;

/// How long something lives, in seconds: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Lifetime(i64);

impl Lifetime {
    /// One year of 365 days: what a token gets when nothing is said.
    pub const YEAR: Self = Self(31_536_000);
    /// Ten years of 365 days: the policy's default maximum, and what "never" means in the claims.
    pub const TEN_YEARS: Self = Self(315_360_000);

    /// A lifetime of this many seconds; zero and less are refused, never guessed.
    pub const fn from_seconds(seconds: i64) -> Result<Self, InvalidExpiration> {
        if seconds > 0 { Ok(Self(seconds)) } else { Err(InvalidExpiration) }
    }

    /// The lifetime in seconds.
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// This lifetime, unless it is longer than the policy allows.
    pub fn at_most(self, longest: Self) -> Result<Self, InvalidExpiration> {
        if self <= longest { Ok(self) } else { Err(InvalidExpiration) }
    }
}

impl TryFrom<i64> for Lifetime {
    type Error = InvalidExpiration;

    fn try_from(seconds: i64) -> Result<Self, InvalidExpiration> {
        Self::from_seconds(seconds)
    }
}

impl From<Lifetime> for i64 {
    fn from(lifetime: Lifetime) -> Self {
        lifetime.0
    }
}

impl FromStr for Lifetime {
    type Err = InvalidExpiration;

    /// Reads seconds (`3600`) or a whole number of minutes, hours, days, weeks or years of 365 days
    /// (`15m`, `24h`, `90d`, `2w`, `1y`). Signs, fractions, exponents and spaces are refused.
    fn from_str(text: &str) -> Result<Self, InvalidExpiration> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            "y" => 31_536_000,
            _ => return Err(InvalidExpiration),
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidExpiration);
        }
        let count: i64 = digits.parse().map_err(|_| InvalidExpiration)?;
        Self::from_seconds(count.checked_mul(unit).ok_or(InvalidExpiration)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_written_in_utc_with_whole_seconds() {
        let at = Timestamp::from_unix(1_723_033_800);
        assert_eq!(at.to_string(), "2024-08-07T12:30:00Z");
        assert_eq!(at.civil(), "2024-08-07 12:30:00");
        assert_eq!("2024-08-07T14:30:00+02:00".parse(), Ok(at));
        assert_eq!("2024-08-07".parse(), Ok(Timestamp::from_unix(1_722_988_800)));
    }

    #[test]
    fn lifetimes_that_are_no_lifetimes_are_refused() {
        let bad = [
            "",
            "0",
            "-5",
            "+5",
            "abc",
            "1e9",
            "1.5",
            " 5",
            "5 ",
            "5x",
            "d",
            "0d",
            "٣",
            "99999999999999999999",
            "9223372036854775807y",
        ];
        for text in bad {
            assert_eq!(text.parse::<Lifetime>(), Err(InvalidExpiration), "{text:?}");
        }
        let too_long: Lifetime = "99999999999".parse().expect("a number of seconds");
        assert_eq!(too_long.at_most(Lifetime::TEN_YEARS), Err(InvalidExpiration));
    }

    #[test]
    fn lifetimes_have_units() {
        for (text, seconds) in [("24h", 86_400), ("90d", 7_776_000), ("1y", 31_536_000), ("7", 7)] {
            assert_eq!(text.parse::<Lifetime>().map(Lifetime::seconds), Ok(seconds));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parsers_panic(text in "\\PC{0,30}") {
            let _ = text.parse::<Lifetime>();
            let _ = text.parse::<Timestamp>();
        }

        #[test]
        fn a_written_time_reads_back(seconds in 0_i64..4_000_000_000) {
            let at = Timestamp::from_unix(seconds);
            prop_assert_eq!(at.to_string().parse(), Ok(at));
        }
    }
}
