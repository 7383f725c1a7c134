//! Forged, stale and misdirected ID tokens, in tables.

use nt_token::sign::sign_jws;
use nt_token::{SigningKey, VerifyingKey};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::from_unix(1_723_000_000);

struct Fixture {
    key: SigningKey,
    keys: KeySet,
    expected: ExpectedLogin,
}

impl Fixture {
    fn new() -> Self {
        let (key, _) = SigningKey::generate().expect("entropy");
        let public = VerifyingKey::from_jwk(&key.jwk()).expect("our own key");
        let expected = ExpectedLogin {
            issuer: "https://id.example.com".to_owned(),
            client_id: "ntcli".to_owned(),
            nonce: Some("n-1".to_owned()),
        };
        Self { key, keys: KeySet::new([public]).expect("one key"), expected }
    }

    fn check(&self, typ: &str, claims: &Value) -> Result<VerifiedIdentity, IdTokenRefused> {
        let token = sign_jws(typ, claims, &self.key);
        check(&token, &self.keys, &self.expected, NOW)
    }
}

fn good() -> Value {
    json!({
        "iss": "https://id.example.com", "sub": "u1", "aud": "ntcli", "azp": "ntcli",
        "iat": NOW.unix(), "exp": NOW.unix() + 600, "nonce": "n-1",
        "email": "a@example.com", "email_verified": true, "name": "A. B.",
    })
}

/// The good claims with some of them changed; `null` takes a claim away.
fn with(changes: &Value) -> Value {
    let mut claims = good();
    let members = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        members.remove(name);
        if !value.is_null() {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

#[test]
fn a_good_id_token_names_a_person() {
    let identity = Fixture::new().check("JWT", &good()).expect("all is well");
    assert_eq!(
        identity,
        VerifiedIdentity {
            issuer: "https://id.example.com".to_owned(),
            subject: "u1".to_owned(),
            email: Some("a@example.com".to_owned()),
            name: Some("A. B.".to_owned()),
        }
    );
}

#[test]
fn claims_that_do_not_answer_this_login_are_refused() {
    use IdTokenRefused as R;
    let now = NOW.unix();
    let f = Fixture::new();
    for (changes, refusal) in [
        (json!({"iss": "https://id.example.com/"}), R::Issuer),
        (json!({"iss": "https://ID.example.com"}), R::Issuer),
        (json!({"iss": null}), R::Claims),
        (json!({"aud": "other"}), R::Audience),
        (json!({"aud": []}), R::Audience),
        (json!({"aud": ["other"]}), R::Audience),
        (json!({"aud": null}), R::Claims),
        (json!({"aud": ["ntcli", 1]}), R::Claims),
        (json!({"aud": ["ntcli", "other"], "azp": null}), R::AuthorizedParty),
        (json!({"aud": ["ntcli", "other"], "azp": "other"}), R::AuthorizedParty),
        (json!({"azp": "other"}), R::AuthorizedParty),
        (json!({"azp": ""}), R::AuthorizedParty),
        (json!({"exp": now - 5}), R::Expired),
        (json!({"exp": null}), R::Claims),
        (json!({"exp": "1723000600"}), R::Claims),
        (json!({"exp": 1e300}), R::Claims),
        (json!({"exp": -0.5}), R::Claims),
        (json!({"iat": null}), R::Claims),
        (json!({"iat": now + 6}), R::NotYet),
        (json!({"nbf": now + 6}), R::NotYet),
        (json!({"nbf": "soon"}), R::Claims),
        (json!({"iat": now - 606}), R::TooOld),
        (json!({"nonce": "n-2"}), R::Nonce),
        (json!({"nonce": null}), R::Nonce),
        (json!({"nonce": ""}), R::Nonce),
        (json!({"sub": ""}), R::Subject),
        (json!({"sub": "x".repeat(256)}), R::Subject),
        (json!({"sub": "u1\n"}), R::Subject),
        (json!({"sub": 7}), R::Claims),
        (json!({"sub": null}), R::Claims),
    ] {
        assert_eq!(f.check("JWT", &with(&changes)).err(), Some(refusal), "{changes}");
    }
}

#[test]
fn claims_at_the_edge_are_good() {
    let now = NOW.unix();
    let f = Fixture::new();
    for changes in [
        json!({"aud": ["ntcli"], "azp": null}),
        json!({"aud": ["other", "ntcli"]}),
        json!({"exp": now - 4}),
        json!({"exp": 1_723_000_600.75}),
        json!({"iat": now + 5, "nbf": now + 5}),
        json!({"iat": now - 605}),
        json!({"sub": "x".repeat(255)}),
        json!({"unknown": {"deep": [1, 2]}}),
    ] {
        assert!(f.check("JWT", &with(&changes)).is_ok(), "{changes}");
    }
}

#[test]
fn a_nonce_is_demanded_only_where_one_was_sent() {
    let mut f = Fixture::new();
    f.expected.nonce = None;
    assert!(f.check("JWT", &good()).is_ok());
    assert!(f.check("JWT", &with(&json!({"nonce": null}))).is_ok());
}

#[test]
fn no_other_type_of_token_passes_as_an_id_token() {
    let f = Fixture::new();
    for typ in ["at+jwt", "jwt", "application/jwt", "logout+jwt", ""] {
        assert_eq!(f.check(typ, &good()).err(), Some(IdTokenRefused::Type), "{typ}");
    }
}

#[test]
fn a_token_that_the_provider_did_not_sign_is_refused() {
    let f = Fixture::new();
    let (other, _) = SigningKey::generate().expect("entropy");
    let foreign = sign_jws("JWT", &good(), &other);
    let at = |token: &str| check(token, &f.keys, &f.expected, NOW).err();
    assert_eq!(at(&foreign), Some(IdTokenRefused::NotOpened(NotOpened::UnknownKey)));

    let ours = sign_jws("JWT", &good(), &f.key);
    let (input, _) = ours.rsplit_once('.').expect("three parts");
    let (_, signature) = foreign.rsplit_once('.').expect("three parts");
    let mixed = format!("{input}.{signature}");
    assert_eq!(at(&mixed), Some(IdTokenRefused::NotOpened(NotOpened::Signature)));
    assert_eq!(at(&format!("{input}.")), Some(IdTokenRefused::NotOpened(NotOpened::Signature)));

    // `{"alg":"none"}` without a signature, as in every list of attacks.
    let none = format!("eyJhbGciOiJub25lIn0.{}.", input.rsplit_once('.').expect("two parts").1);
    assert_eq!(at(&none), Some(IdTokenRefused::NotOpened(NotOpened::UnknownKey)));
    assert!(matches!(at(""), Some(IdTokenRefused::Malformed(_))));
    assert!(matches!(at(&ours[1..]), Some(IdTokenRefused::Malformed(_))));
}

#[test]
fn a_token_above_the_limit_is_not_looked_at() {
    let long = with(&json!({"padding": "x".repeat(LONGEST)}));
    let refusal = Fixture::new().check("JWT", &long).err();
    assert_eq!(refusal, Some(IdTokenRefused::Malformed(Malformed::TooLong)));
}

#[test]
fn an_email_is_kept_only_if_it_can_be_believed_and_shown() {
    let f = Fixture::new();
    let longest = format!("{}@example.com", "x".repeat(LONGEST_EMAIL - 12));
    for (changes, kept) in [
        (json!({"email_verified": null}), Some("a@example.com")),
        (json!({"email_verified": "true"}), Some("a@example.com")),
        (json!({"email_verified": false}), None),
        (json!({"email_verified": "false"}), None),
        (json!({"email_verified": "yes"}), None),
        (json!({"email": null}), None),
        (json!({"email": ""}), None),
        (json!({"email": "nobody"}), None),
        (json!({"email": "@example.com"}), None),
        (json!({"email": "a@"}), None),
        (json!({"email": "a@example.com\r\nx: y"}), None),
        (json!({"email": "a\u{1b}[2J@example.com"}), None),
        (json!({"email": "a\u{202e}@example.com"}), None),
        (json!({"email": "a b@example.com"}), None),
        (json!({"email": longest}), Some(longest.as_str())),
        (json!({"email": format!("x{longest}")}), None),
    ] {
        let identity = f.check("JWT", &with(&changes)).expect("the email alone never refuses");
        assert_eq!(identity.email.as_deref(), kept, "{changes}");
    }
    let identity = f.check("JWT", &with(&json!({"name": "A\u{7}"}))).expect("nor does the name");
    assert_eq!(identity.name, None);
}

/// The good claims, and a second subject behind them.
struct Twice;

impl Serialize for Twice {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        let mut map = output.serialize_map(None)?;
        for (name, value) in good().as_object().expect("an object") {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("sub", "someone-else")?;
        map.end()
    }
}

#[test]
fn a_claim_given_twice_is_refused() {
    let f = Fixture::new();
    let token = sign_jws("JWT", &Twice, &f.key);
    let refusal = check(&token, &f.keys, &f.expected, NOW).err();
    assert_eq!(refusal, Some(IdTokenRefused::Claims));
}
