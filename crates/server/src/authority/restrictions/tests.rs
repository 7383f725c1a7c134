use std::net::IpAddr;

use nt_api::tokens::{CreateToken, ListTokens, TokenCreated};
use nt_token::check::LONGEST;
use nt_token::key::{KeyKind, SigningKey};
use nt_token::{Scopes, WorkspaceId};

use crate::authority::error::{Error, Refusal};
use crate::authority::tests::World;
use crate::authority::{Caller, Demand, NotAccepted, Source, Unmet};

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn asked(scope: &[&str], source_networks: &[&str]) -> CreateToken {
    CreateToken {
        scope: texts(scope),
        source_networks: texts(source_networks),
        ..CreateToken::default()
    }
}

async fn issue(
    world: &World,
    by: &Caller,
    of: WorkspaceId,
    request: CreateToken,
) -> Result<TokenCreated, Refusal> {
    world.authority.issue(by, of, request, None).await.map_err(|error| match error {
        Error::Refused(refusal) => refusal,
        Error::Failed(failure) => panic!("{failure:?}"),
    })
}

fn field(refused: Result<TokenCreated, Refusal>) -> &'static str {
    match refused {
        Err(Refusal::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_token_is_restricted_to_is_in_its_answer_its_record_and_its_claims() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let first = world.workspace(&owner, "production").await;
    let id = first.workspace_id;
    let request = asked(&["deploy:eu", "read"], &["::ffff:192.0.2.0/120", "2001:db8::7"]);
    let key = Some("one-key".to_owned());
    let made = world.authority.issue(&owner, id, request.clone(), key.clone()).await.expect("may");
    let (scope, networks) = (["deploy:eu", "read"], ["192.0.2.0/24", "2001:db8::7/128"]);
    assert_eq!(
        (made.scope.as_slice(), made.source_networks.as_slice()),
        (&texts(&scope)[..], &texts(&networks)[..])
    );
    let shown = world.authority.show(&owner, id, made.jti.clone()).await.expect("may");
    assert_eq!((shown.scope, shown.source_networks), (texts(&scope), texts(&networks)));
    let listed = world.authority.list(&owner, id, ListTokens::default()).await.expect("may");
    let of = |jti| listed.tokens.iter().find(|token| token.jti == jti).expect("listed");
    assert_eq!(of(made.jti.clone()).source_networks, texts(&networks));
    assert!(
        of(first.jti).source_networks.is_empty(),
        "a workspace's first token is not restricted"
    );
    let verified = world.authority.verify(made.access_token.expose(), &Demand::NOTHING);
    let verified = verified.expect("good");
    assert_eq!(verified.claims().source_networks.to_string(), networks.join(" "));
    // After a restart the same claims are signed again.
    let world = world.restart().await;
    let again = world.authority.issue(&owner, id, request, key).await.expect("the same again");
    assert_eq!(again.access_token, made.access_token);
}

#[tokio::test]
async fn what_is_no_scope_and_no_network_is_refused_and_the_field_is_named() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let id = world.workspace(&owner, "production").await.workspace_id;
    for bad in ["", "a b", "Read", "read,write"] {
        assert_eq!(field(issue(&world, &owner, id, asked(&[bad], &[])).await), "scope", "{bad}");
    }
    for bad in ["", "10.0.0.1/8", "10.0.0.0/8 ::1", "example.com", "10.0.0.0/33"] {
        let refused = issue(&world, &owner, id, asked(&[], &[bad])).await;
        assert_eq!(field(refused), "source_networks", "{bad}");
    }
    let many: Vec<String> = (0..17).map(|n| format!("10.0.{n}.0/24")).collect();
    let many = CreateToken { source_networks: many, ..CreateToken::default() };
    assert_eq!(field(issue(&world, &owner, id, many).await), "source_networks");
}

#[tokio::test]
async fn a_token_that_no_verifier_would_take_is_not_issued_and_the_longest_other_one_is_good() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let id = world.workspace(&owner, "production").await.workspace_id;
    let names =
        |length: usize| (0..Scopes::MAX).map(move |n| format!("{n:02}{}", "x".repeat(length - 2)));
    let networks: Vec<String> =
        (0..16).map(|n| format!("2001:db8:1111:1111:1111:1111:1111:11{n:02x}")).collect();
    let mut refused = 0;
    for length in (8..=64).rev() {
        let request = CreateToken {
            scope: names(length).collect(),
            source_networks: networks.clone(),
            ..CreateToken::default()
        };
        match issue(&world, &owner, id, request).await {
            Err(Refusal::Invalid { field: "scope", message }) => {
                assert!(message.contains("longer than 4096 bytes"), "{message}");
                refused += 1;
            }
            Ok(made) => {
                let token = made.access_token.expose();
                assert!((LONGEST - 200..=LONGEST).contains(&token.len()), "{}", token.len());
                assert_eq!(world.verdict(token), Ok(()));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(refused > 0, "the largest that is well-formed is too long");
}

#[test]
fn with_the_longest_signature_there_is_room_for_16_networks_and_32_ordinary_scopes() {
    let (key, _) = SigningKey::generate_kind(KeyKind::Rsa3072).expect("entropy");
    let networks =
        (0..16).map(|n| format!("2001:db8:1111:1111:1111:1111:1111:{n:04x}").parse().expect("one"));
    let scopes = (0..32).map(|n| format!("resource:action{n:02}").parse().expect("a scope"));
    let claims = nt_token::Claims {
        iss: "https://tokens.a-company.example".to_owned(),
        aud: "https://api.a-company.example".to_owned(),
        sub: WorkspaceId::mint([7; 16]),
        jti: nt_token::Jti::mint(1, [1; 10]),
        iat: nt_token::Timestamp::from_unix(1_723_000_000),
        exp: nt_token::Timestamp::from_unix(1_754_536_000),
        scope: Scopes::new(scopes).expect("32"),
        source_networks: nt_token::Networks::new(networks).expect("16"),
        client_id: nt_token::OperatorId::mint(1, [1; 10]),
        rv: 1 << 40,
        place: nt_token::Place { list: 9_999, idx: 1_048_575 },
    };
    let long = nt_token::sign::length(&claims, &key);
    assert!(long <= LONGEST, "{long}");
}

#[tokio::test]
async fn a_refreshed_token_keeps_what_the_old_one_was_restricted_to_and_never_does_more() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let id = world.workspace(&owner, "production").await.workspace_id;
    let old = issue(&world, &owner, id, asked(&["deploy", "read"], &["192.0.2.0/24"])).await;
    let old = old.expect("an owner may");
    let refresh = |jti: &nt_token::Jti, request, key: &str| {
        world.authority.refresh(&owner, id, jti.clone(), request, Some(key.to_owned()))
    };
    for (wider, named) in [
        (asked(&["read", "write"], &[]), "scope"),
        (asked(&[], &["192.0.2.0/24", "198.51.100.7"]), "source_networks"),
        (asked(&[], &["0.0.0.0/0"]), "source_networks"),
    ] {
        match refresh(&old.jti, wider, "wider").await {
            Err(Error::Refused(Refusal::Invalid { field, .. })) => assert_eq!(field, named),
            other => panic!("{other:?}"),
        }
        assert_eq!(world.verdict(old.access_token.expose()), Ok(()), "nothing was revoked");
    }
    let kept = refresh(&old.jti, CreateToken::default(), "kept").await.expect("may").new_token;
    assert_eq!(kept.scope, ["deploy", "read"]);
    assert_eq!(kept.source_networks, ["192.0.2.0/24"]);
    let again = refresh(&old.jti, CreateToken::default(), "kept").await.expect("the same again");
    assert_eq!(again.new_token.access_token, kept.access_token);
    let narrow = asked(&["read"], &["192.0.2.128/25"]);
    let less = refresh(&kept.jti, narrow, "less").await.expect("may").new_token;
    assert_eq!((less.scope, less.source_networks), (texts(&["read"]), texts(&["192.0.2.128/25"])));
}

#[tokio::test]
async fn a_restricted_token_is_good_from_inside_its_networks_and_from_nowhere_else() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let first = world.workspace(&owner, "production").await;
    let made = issue(&world, &owner, first.workspace_id, asked(&[], &["192.0.2.0/24"])).await;
    let made = made.expect("an owner may");
    let verdict = |token: &str, source| {
        world.authority.verify(token, &Demand { source, ..Demand::NOTHING }).map(drop)
    };
    let at = |address: &str| Source::At(address.parse::<IpAddr>().expect("an address"));
    let token = made.access_token.expose();
    let outside = Err(NotAccepted::Unmet(Unmet::Source));
    for (source, expected) in [
        (at("192.0.2.9"), Ok(())),
        (at("::ffff:192.0.2.9"), Ok(())),
        (at("192.0.3.9"), outside),
        (at("::1"), outside),
        (Source::Unknown, outside),
        (Source::LeftToCaller, Ok(())),
    ] {
        assert_eq!(verdict(token, source), expected, "{source:?}");
        assert_eq!(verdict(first.access_token.expose(), source), Ok(()), "not restricted");
    }
    let text = crate::metrics::text(world.authority.measured());
    assert!(text.contains("ntd_used_elsewhere_total 3\n"), "{text}");
    // Revoked wins: its holder learns that it is dead wherever it is.
    let revoke = world.authority.revoke(&owner, made.workspace_id, made.jti.clone(), None, None);
    revoke.await.expect("may");
    assert_eq!(verdict(token, at("192.0.3.9")), Err(NotAccepted::Revoked));
}

#[tokio::test]
async fn a_token_lacks_a_scope_unless_it_has_all_that_are_demanded() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let id = world.workspace(&owner, "production").await.workspace_id;
    let made = issue(&world, &owner, id, asked(&["deploy", "read"], &[])).await.expect("may");
    let verdict = |demanded: &[&str]| {
        let scopes = demanded.iter().map(|name| name.parse().expect("a scope")).collect();
        let demand = Demand { scopes, ..Demand::NOTHING };
        world.authority.verify(made.access_token.expose(), &demand).map(drop)
    };
    assert_eq!(verdict(&["read", "deploy"]), Ok(()));
    for lacking in [&["write"][..], &["read", "write"], &["dep"]] {
        assert_eq!(verdict(lacking), Err(NotAccepted::Unmet(Unmet::Scope)), "{lacking:?}");
    }
}
