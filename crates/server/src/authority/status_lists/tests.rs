//! What lists say, compared with what is said of the tokens themselves.

use std::io::Read as _;
use std::time::Duration;

use flate2::read::ZlibDecoder;
use nt_api::members::{AddMember, RemoveMember, RoleName};
use nt_api::tokens::{CreateToken, TokenCreated};
use nt_store::{Purpose, RevokedKey, SharedMemory};
use nt_token::clock::ManualClock;
use nt_token::key::KeyKind;
use nt_token::{Claims, EntryId};
use serde_json::Value;
use tokio::task::JoinSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::authority::janitor::Janitor;
use crate::authority::keyring::Keyring;
use crate::authority::keys::{by_itself, make};
use crate::authority::tests::{World, refusal};
use crate::authority::{Demand, NotAccepted};

const START: Timestamp = Timestamp::from_unix(1_723_000_000);

/// A list as a third party reads it.
struct Read {
    claims: Value,
    kid: String,
    bits: Vec<u8>,
}

impl Read {
    fn of(list: &SignedList, keys: &Keyring) -> Self {
        let text = std::str::from_utf8(&list.published(Form::Jwt).bytes).expect("a JWS");
        let mut parts = text.split('.');
        let [header, payload, signature] = [(); 3].map(|()| parts.next().expect("three parts"));
        let decode = |part| URL_SAFE_NO_PAD.decode(part).expect("base64url");
        let header: Value = serde_json::from_slice(&decode(header)).expect("JSON");
        assert_eq!(header["typ"], "statuslist+jwt");
        let kid = header["kid"].as_str().expect("named").to_owned();
        let key = keys.checking().key(&kid).expect("a key of ours");
        let signed = text.rsplit_once('.').expect("three parts").0;
        assert!(key.verifies(signed.as_bytes(), &decode(signature)));
        let claims: Value = serde_json::from_slice(&decode(payload)).expect("JSON");
        let list = claims["status_list"]["lst"].as_str().expect("a text");
        let mut bits = Vec::new();
        ZlibDecoder::new(&decode(list)[..]).read_to_end(&mut bits).expect("zlib");
        Self { claims, kid, bits }
    }

    fn refuses(&self, place: Place) -> bool {
        self.bits[place.idx as usize / 8] >> (place.idx % 8) & 1 == 1
    }

    fn refused(&self) -> u32 {
        self.bits.iter().map(|byte| byte.count_ones()).sum()
    }
}

impl World {
    async fn list(&self, number: u32) -> Read {
        let list = self.authority.status_list(number).await.expect("such a list");
        Read::of(&list, &self.authority.keyring())
    }

    async fn list_refuses(&self, token: &TokenCreated) -> bool {
        let place = claims(token).place;
        self.list(place.list).await.refuses(place)
    }

    /// Lets a list be made anew.
    fn later(&self) {
        self.clock.advance(limits::STATUS_LIST_EACH);
    }
}

fn claims(token: &TokenCreated) -> Claims {
    let payload = token.access_token.expose().split('.').nth(1).expect("three parts");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice(&payload).expect("claims")
}

#[tokio::test]
async fn a_list_refuses_what_the_authority_refuses_however_it_was_revoked() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let (member, _) = world.operator("member@example.com").await;
    let id = world.workspace(&owner, "main").await.workspace_id;
    let other = world.workspace(&owner, "other").await.workspace_id;
    let authority = &world.authority;
    let add = AddMember {
        email: Some("member@example.com".to_owned()),
        operator_id: None,
        role: RoleName::Developer,
    };
    authority.add_member(&owner, id, add).await.expect("an owner may");
    let year = 31_536_000;
    let good = world.token(&owner, id, year).await;
    let alone = world.token(&owner, id, year).await;
    let replaced = world.token(&owner, id, year).await;
    let of_member = world.token(&member, id, year).await;
    let of_workspace = world.token(&owner, other, year).await;
    let kid = authority.keyring().active().expect("one signs").key.kid().clone();
    let tokens = [&good, &alone, &replaced, &of_member, &of_workspace];
    let agree = async |refused: &[&TokenCreated]| {
        world.later();
        for token in tokens {
            let verdict = authority.verify(token.access_token.expose(), &Demand::NOTHING);
            let is_revoked = matches!(verdict, Err(NotAccepted::Revoked));
            assert_eq!(is_revoked, refused.iter().any(|one| one.jti == token.jti));
            assert_eq!(world.list_refuses(token).await, is_revoked, "{}", token.jti);
        }
    };
    agree(&[]).await;
    authority.revoke(&owner, id, alone.jti.clone(), None, None).await.expect("an owner may");
    agree(&[&alone]).await;
    let new = CreateToken::default();
    authority.refresh(&owner, id, replaced.jti.clone(), new, None).await.expect("an owner may");
    agree(&[&alone, &replaced]).await;
    let removal = RemoveMember { revoke_their_tokens: true };
    let removed = authority.remove_member(&owner, id, "member@example.com", removal);
    removed.await.expect("an owner may");
    agree(&[&alone, &replaced, &of_member]).await;
    authority.delete_workspace(&owner, other, None).await.expect("an owner may");
    agree(&[&alone, &replaced, &of_member, &of_workspace]).await;

    let successor = make(&authority.key_secret, KeyKind::P256, Purpose::First).expect("entropy");
    let act = by_itself(world.clock.now(), None);
    let revoked = authority.store.revoke_key(&kid, EntryId([9; 16]), successor, act).await;
    assert!(matches!(revoked, Ok(RevokedKey::Revoked { .. })));
    agree(&tokens).await;
    let list = world.list(claims(&good).place.list).await;
    assert_ne!(list.kid, kid.as_str(), "and it is not signed with that key");
}

#[tokio::test]
async fn a_list_says_who_states_it_for_how_long_and_nothing_of_free_places() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let made = world.workspace(&owner, "main").await;
    let list = world.list(0).await;
    let (issuer, now) = (world.authority.issuer(), world.clock.now().unix());
    assert_eq!(list.claims["iss"], issuer);
    assert_eq!(list.claims["sub"], format!("{issuer}/v1/status-lists/0"));
    assert_eq!(list.claims["sub"].as_str(), Some(&*path::status_list(issuer, claims_list(&made))));
    assert_eq!((&list.claims["iat"], &list.claims["ttl"]), (&now.into(), &60.into()));
    assert_eq!(list.claims["exp"], now + 180);
    assert_eq!(list.claims["status_list"]["bits"], 1);
    assert_eq!(list.claims["status_list"]["aggregation_uri"], format!("{issuer}/v1/status-lists"));
    assert_eq!((list.bits.len(), list.refused()), (1 << 17, 0), "as long as any, and all free");
}

fn claims_list(made: &nt_api::workspaces::WorkspaceCreated) -> u32 {
    let payload = made.access_token.expose().split('.').nth(1).expect("three parts");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice::<Claims>(&payload).expect("claims").place.list
}

#[tokio::test]
async fn a_list_is_made_once_for_what_the_log_says_and_signed_anew_before_it_gets_old() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let made = world.workspace(&owner, "main").await;
    let get = async || world.authority.status_list(0).await.expect("such a list");
    let first = get().await;
    for _ in 0..5 {
        world.clock.advance(Duration::from_secs(5));
        assert!(Arc::ptr_eq(&get().await, &first), "nothing happened");
    }
    let id = made.workspace_id;
    world.authority.revoke(&owner, id, made.jti.clone(), None, None).await.expect("may");
    let second = get().await;
    assert!(!Arc::ptr_eq(&second, &first));
    let token = world.token(&owner, id, 31_536_000).await;
    world.authority.revoke(&owner, id, token.jti, None, None).await.expect("may");
    assert!(Arc::ptr_eq(&get().await, &second), "not twice within a moment");
    world.later();
    let third = get().await;
    assert!(!Arc::ptr_eq(&third, &second));
    assert_eq!(Read::of(&third, &world.authority.keyring()).refused(), 2);
    world.clock.advance(Duration::from_secs(30));
    let again = get().await;
    let again = Read::of(&again, &world.authority.keyring());
    assert_eq!((&again.claims["iat"], again.refused()), (&world.clock.now().unix().into(), 2));
}

#[tokio::test]
async fn many_who_ask_at_once_have_one_list_made_and_one_question_asked() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    world.workspace(&owner, "main").await;
    let lists = &world.authority.status_lists;
    let asks = |number| {
        let each = std::iter::repeat_n(lists.clone(), 50);
        each.map(move |lists| async move { lists.list(number).await })
    };
    let mut there = asks(0).collect::<JoinSet<_>>().join_all().await.into_iter();
    let first = there.next().expect("fifty").expect("made").expect("there");
    for other in there {
        assert!(Arc::ptr_eq(&first, &other.expect("made").expect("there")));
    }
    let before = lists.0.known().asked;
    for answer in asks(7).collect::<JoinSet<_>>().join_all().await {
        assert!(answer.expect("answers").is_none());
    }
    assert!(lists.0.known().asked - before <= 2, "one may have been under way");
}

#[tokio::test]
async fn a_list_that_is_not_there_is_not_found_until_a_token_is_in_it() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let missing = |number| world.authority.status_list(number);
    for number in [0, 1, RevocationSet::CANARIES, u32::MAX] {
        assert_eq!(refusal(missing(number).await), Refusal::NoStatusList);
    }
    assert_eq!(world.authority.status_lists().await.expect("answers"), [""; 0]);
    world.workspace(&owner, "main").await;
    assert_eq!(world.list(0).await.refused(), 0, "at once");
    world.later();
    let all = world.authority.status_lists().await.expect("answers");
    assert_eq!(all, ["http://127.0.0.1:8480/v1/status-lists/0"]);
}

#[tokio::test]
async fn behind_the_horizon_a_list_refuses_every_place_and_is_not_named_any_more() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let id = world.workspace(&owner, "main").await.workspace_id;
    let short = world.token(&owner, id, 86_400).await;
    let revoked = world.token(&owner, id, 86_400).await;
    world.authority.revoke(&owner, id, revoked.jti.clone(), None, None).await.expect("may");
    assert!(!world.list_refuses(&short).await && world.list_refuses(&revoked).await);
    let mut janitor = Janitor::default();
    for _ in 0..2 {
        world.clock.advance(Duration::from_hours(24 * 40));
        janitor.sweep(&world.authority).await.expect("answers");
    }
    let list = world.list(claims(&short).place.list).await;
    assert_eq!(list.refused(), Place::LIST_MAX, "which of them were taken is not told");
    let all = world.authority.status_lists().await.expect("answers");
    assert_eq!(all, ["http://127.0.0.1:8480/v1/status-lists/0"], "of the token of a year");
}

#[tokio::test]
async fn every_node_publishes_what_another_has_revoked() {
    let (memory, clock) = (SharedMemory::default(), Arc::new(ManualClock::at(START)));
    let a = World::node(&memory, &clock, None).await;
    let b = World::node(&memory, &clock, Some(&a)).await;
    let (owner, _) = a.operator("owner@example.com").await;
    let id = a.workspace(&owner, "main").await.workspace_id;
    let (alone, other) =
        (a.token(&owner, id, 31_536_000).await, a.token(&owner, id, 31_536_000).await);
    assert!(!b.list_refuses(&alone).await && !b.list_refuses(&other).await);
    a.authority.revoke(&owner, id, alone.jti.clone(), None, None).await.expect("may");
    b.later();
    assert!(b.list_refuses(&alone).await && !b.list_refuses(&other).await);
    a.authority.delete_workspace(&owner, id, None).await.expect("may");
    b.later();
    assert!(b.list_refuses(&alone).await && b.list_refuses(&other).await);
}

#[tokio::test]
async fn whoever_cannot_know_publishes_nothing() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    world.workspace(&owner, "main").await;
    world.list(0).await;
    world.authority.doubt.begin("a test".to_owned());
    assert_eq!(refusal(world.authority.status_list(0).await), Refusal::NotServing);
    assert_eq!(refusal(world.authority.status_lists().await), Refusal::NotServing);
}
