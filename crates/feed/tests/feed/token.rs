//! What it is all for: a token is good at a verifier until its revocation is complete.

use nt_revocation::{Fact, Why};
use nt_token::clock::{Clock, SystemClock};
use nt_token::sign::sign;
use nt_token::{
    Claims, Jti, Networks, OperatorId, Place, Scopes, SigningKey, Timestamp, WorkspaceId,
};
use nt_verifier::{NotAccepted, Refused};

use super::world::{World, ready};

const HERE: Place = Place { list: 2, idx: 70_000 };

pub(crate) fn claims(rv: u64) -> Claims {
    let now = SystemClock.now().unix();
    Claims {
        iss: "http://a".to_owned(),
        aud: "b".to_owned(),
        sub: WorkspaceId::mint([1; 16]),
        jti: Jti::mint(1, [0; 10]),
        iat: Timestamp::from_unix(now),
        exp: Timestamp::from_unix(now + 3_600),
        scope: Scopes::default(),
        source_networks: Networks::default(),
        client_id: OperatorId::mint(1, [1; 10]),
        rv,
        place: HERE,
    }
}

pub(crate) fn key_added(key: &SigningKey) -> Fact {
    let jwk = serde_json::to_string(&key.jwk()).expect("a JWK is JSON");
    Fact::KeyAdded { kid: key.kid().clone(), jwk }
}

pub(crate) fn revoked(rv: u64) -> Fact {
    let claims = claims(rv);
    Fact::TokenRevoked { place: HERE, jti: claims.jti, exp: claims.exp }
}

#[tokio::test]
async fn a_token_is_good_by_a_key_of_the_log_until_its_revocation_is_complete_and_never_after() {
    let world = World::with_entries(0, None).await;
    let (verifier, _following) = world.follow("service");
    ready(&verifier, 0).await;
    let (key, _) = SigningKey::generate().expect("randomness");
    let head = world.append(key_added(&key));
    world.feed.wait_complete(head).await;
    let token = sign(&claims(head), &key);
    verifier.verify(token.expose()).expect("good");
    let seq = world.append(revoked(head));
    world.feed.wait_complete(seq).await;
    let refused = verifier.verify(token.expose()).map(drop);
    assert_eq!(refused, Err(NotAccepted::Refused(Refused::Revoked(Why::Token))));
}

#[tokio::test]
async fn a_snapshot_brings_the_keys_and_what_was_revoked() {
    let world = World::with_entries(0, None).await;
    let (key, _) = SigningKey::generate().expect("randomness");
    let head = world.append(key_added(&key));
    let seq = world.append(revoked(head));
    let (verifier, _following) = world.follow("late");
    ready(&verifier, seq).await;
    let refused = verifier.verify(sign(&claims(head), &key).expose()).map(drop);
    assert_eq!(refused, Err(NotAccepted::Refused(Refused::Revoked(Why::Token))));
    let neighbour = Claims { place: Place { idx: 1, ..HERE }, ..claims(head) };
    verifier.verify(sign(&neighbour, &key).expose()).expect("good");
}
