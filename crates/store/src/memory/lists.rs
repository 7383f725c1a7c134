//! The lists of places, as they are published.

use super::state::State;
use crate::key::KeyState;
use crate::list::{KnownList, ListedPlaces};

impl State {
    /// All lists, by number.
    pub(super) fn known_lists(&self) -> Vec<KnownList> {
        let numbered = (0..).zip(&self.lists);
        let known = numbered.map(|(number, list)| KnownList {
            number,
            bucket: list.bucket,
            capacity: list.capacity,
            issued: list.issued,
        });
        known.collect()
    }

    /// Which places of a list do not count: whatever the log says so of, and what was signed with a
    /// revoked key after that.
    pub(super) fn listed_places(&self, list: &KnownList) -> ListedPlaces {
        let tokens = self.tokens.values().map(|issued| &issued.token);
        let here = tokens.filter(|token| token.place.list == list.number);
        let by_revoked_key =
            |kid| self.keys.get(kid).is_some_and(|key| key.state == KeyState::Revoked);
        let revoked =
            here.filter(|token| self.revocation_of(token).is_some() || by_revoked_key(&token.kid));
        ListedPlaces::Revoked(revoked.map(|token| token.place.idx).collect())
    }
}
