//! What a caller prefers (RFC 7240): only for how long it waits.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::authority::limits;

/// For how long the caller prefers to wait at the most: `Prefer: wait=N`, in seconds. More than a
/// request may take counts as that; what is no number is passed over, as that document has it.
pub struct PreferredWait(pub Option<Duration>);

impl<S: Send + Sync> FromRequestParts<S> for PreferredWait {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(wait(&parts.headers)))
    }
}

fn wait(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all("prefer").iter().filter_map(|line| line.to_str().ok());
    let seconds = lines.flat_map(|line| line.split(',')).find_map(seconds);
    seconds.map(|seconds| Duration::from_secs(seconds.min(limits::PREFERRED_WAIT)))
}

fn seconds(preference: &str) -> Option<u64> {
    let (name, value) = preference.split(';').next()?.split_once('=')?;
    let is_wait = name.trim().eq_ignore_ascii_case("wait");
    let value = value.trim().trim_matches('"');
    let is_number = is_wait && !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    // A number that does not fit is longer than any wait.
    is_number.then(|| value.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_leaves_a_request_time_for_its_answer() {
        let longest = Duration::from_secs(limits::PREFERRED_WAIT);
        assert!(longest + Duration::from_secs(5) <= limits::REQUEST_WAIT);
    }

    #[test]
    fn a_wait_is_found_among_preferences_and_never_longer_than_a_request_may_take() {
        for (preferences, expected) in [
            (vec!["wait=0"], Some(0)),
            (vec!["respond-async, Wait = 7"], Some(7)),
            (vec!["handling=lenient", "wait=\"3\"; note=x"], Some(3)),
            (vec!["wait=31"], Some(25)),
            (vec!["wait=99999999999999999999999"], Some(25)),
            (vec![], None),
            (vec!["wait", "wait=", "wait=-1", "wait=+1", "wait=soon", "waits=1"], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in &preferences {
                headers.append("prefer", line.parse().expect("visible characters"));
            }
            assert_eq!(wait(&headers), expected.map(Duration::from_secs), "{preferences:?}");
        }
    }
}
