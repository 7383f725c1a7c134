//! An authority's key, a verifier, and the hand that feeds it.

use std::sync::Arc;
use std::time::Duration;

use nt_revocation::{Entry, Fact, ScopeOf};
use nt_token::clock::{Boot, Clock};
use nt_token::sign::sign;
use nt_token::{
    Claims, EntryId, Expected, Jti, KeyId, KeySet, Networks, OperatorId, Place, Scope, Scopes,
    SigningKey, Timestamp, VerifyingKey, WorkspaceId,
};

use crate::{Ask, Drain, NotAccepted, NotReady, Options, Refused, State, VerifiedToken, Verifier};

pub(super) const ISSUED: Timestamp = Timestamp::from_unix(1_723_033_800);
pub(super) const LEASE: Duration = Duration::from_secs(2);
pub(super) const LIFETIME: Duration = Duration::from_hours(1);
pub(super) const HERE: Place = Place { list: 1, idx: 70_000 };
const ISSUER: &str = "https://authority.example";

/// The clock of tokio's tests: leases and timers move together.
pub(super) struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn wall_ms(&self) -> u64 {
        let ms = u64::try_from(ISSUED.unix()).expect("after 1970") * 1_000;
        ms + u64::try_from(self.0.elapsed().as_millis()).expect("short")
    }

    fn boot(&self) -> Boot {
        Boot::from_nanos(1).after(self.0.elapsed())
    }
}

pub(super) struct World {
    pub(super) key: SigningKey,
    pub(super) verifier: Verifier,
    pub(super) state: State,
}

impl World {
    /// A verifier without a lease that goes by this clock.
    pub(super) fn at(clock: Arc<dyn Clock>, ask: Option<Arc<dyn Ask>>) -> Self {
        let (key, _) = SigningKey::generate().expect("entropy");
        let expected = Expected { issuer: ISSUER.to_owned(), audience: ISSUER.to_owned() };
        let keys = keys([&key]);
        let (verifier, state) =
            Verifier::new(Options { keys, clock, ask, ..Options::new(expected) });
        Self { key, verifier, state }
    }

    /// A verifier without a lease that waits for what is under way, or does not.
    pub(super) fn draining(clock: Arc<dyn Clock>, drain: Drain) -> Self {
        let (key, _) = SigningKey::generate().expect("entropy");
        let expected = Expected { issuer: ISSUER.to_owned(), audience: ISSUER.to_owned() };
        let keys = keys([&key]);
        let (verifier, state) =
            Verifier::new(Options { keys, clock, drain, ..Options::new(expected) });
        Self { key, verifier, state }
    }

    /// A verifier with a fresh lease, in a test of tokio's whose time is paused.
    pub(super) fn leased() -> Self {
        let world = Self::at(Arc::new(TokioClock(tokio::time::Instant::now())), None);
        world.renew();
        world
    }

    pub(super) fn renew(&self) {
        self.state.extend_lease(self.state.clock().boot().after(LEASE));
    }

    pub(super) fn token(&self, rv: u64, place: Place) -> String {
        sign(&claims(rv, place), &self.key).expose().to_owned()
    }

    /// A token that may be used from these networks.
    pub(super) fn restricted_token(&self, networks: &str) -> String {
        let source_networks = networks.parse().expect("networks");
        let claims = Claims { source_networks, ..claims(0, HERE) };
        sign(&claims, &self.key).expose().to_owned()
    }

    pub(super) fn verify(&self, token: &str) -> Result<VerifiedToken, NotAccepted> {
        self.verifier.verify(token)
    }

    /// Applies a fact as the log's next entry.
    pub(super) fn apply(&self, fact: Fact) {
        let seq = self.state.applied() + 1;
        self.state.apply(&entry(seq, fact)).expect("the next entry");
    }
}

pub(super) fn entry(seq: u64, fact: Fact) -> Entry {
    Entry { seq, id: EntryId([0; 16]), fact }
}

pub(super) fn keys<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> KeySet {
    let public = |key: &SigningKey| VerifyingKey::from_jwk(&key.jwk()).expect("our own key");
    KeySet::new(keys.into_iter().map(public)).expect("different keys")
}

pub(super) fn revoke(place: Place) -> Fact {
    Fact::TokenRevoked { place, jti: Jti::mint(1, [0; 10]), exp: ISSUED }
}

pub(super) fn revoke_all() -> Fact {
    Fact::ScopeRevoked { scope: ScopeOf::All, except: vec![] }
}

pub(super) fn revoke_key(kid: &KeyId) -> Fact {
    Fact::KeyRevoked { kid: kid.clone() }
}

fn claims(rv: u64, place: Place) -> Claims {
    let scope: Scope = "read".parse().expect("a scope");
    Claims {
        iss: ISSUER.to_owned(),
        aud: ISSUER.to_owned(),
        sub: WorkspaceId::mint([1; 16]),
        jti: Jti::mint(1, [0; 10]),
        iat: ISSUED,
        exp: ISSUED.plus_seconds(i64::try_from(LIFETIME.as_secs()).expect("short")),
        scope: Scopes::new([scope]).expect("one scope"),
        source_networks: Networks::default(),
        client_id: OperatorId::mint(1, [1; 10]),
        rv,
        place,
    }
}

#[track_caller]
pub(super) fn assert_refused(result: Result<VerifiedToken, NotAccepted>) -> Refused {
    match result {
        Err(NotAccepted::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
pub(super) fn assert_not_ready(result: Result<VerifiedToken, NotAccepted>) -> NotReady {
    match result {
        Err(NotAccepted::NotReady(why)) => why,
        other => panic!("not 'not ready': {other:?}"),
    }
}
