//! Session tokens as Clerk makes them, and as nobody should.

use nt_token::sign::sign_jws;
use nt_token::{SigningKey, VerifyingKey};
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::from_unix(1_723_000_000);

struct Fixture {
    key: SigningKey,
    keys: KeySet,
    expected: ExpectedSession,
}

impl Fixture {
    fn new() -> Self {
        let (key, _) = SigningKey::generate().expect("entropy");
        let public = VerifyingKey::from_jwk(&key.jwk()).expect("our own key");
        let expected = ExpectedSession {
            issuer: "https://clerk.example.com".to_owned(),
            authorized_parties: vec!["https://app.example.com".to_owned()],
        };
        Self { key, keys: KeySet::new([public]).expect("one key"), expected }
    }

    fn check(&self, claims: &Value) -> Result<Identified, SessionTokenRefused> {
        check(&sign_jws("JWT", claims, &self.key), &self.keys, &self.expected, NOW)
    }
}

fn good() -> Value {
    let now = NOW.unix();
    json!({
        "azp": "https://app.example.com", "exp": now + 60, "fva": [0, -1], "iat": now,
        "iss": "https://clerk.example.com", "nbf": now - 10, "sid": "sess_1", "sts": "active",
        "sub": "user_1", "v": 2,
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
fn a_good_session_token_names_a_person_and_a_session() {
    let claims = with(&json!({"email": "a@example.com", "name": "A"}));
    let identified = Fixture::new().check(&claims).expect("all is well");
    assert_eq!(identified.identity.subject, "user_1");
    assert_eq!((identified.identity.email, identified.identity.name), (None, None));
    assert_eq!(identified.expires_at, NOW.plus_seconds(60));
    let session = identified.session.expect("named");
    assert_eq!((session.sid.as_str(), session.organisation), ("sess_1", None));
}

#[test]
fn an_organisation_reads_the_same_in_both_versions() {
    let f = Fixture::new();
    let organisation = |changes: Value| {
        f.check(&with(&changes)).expect("all is well").session.expect("named").organisation
    };
    let admin = Some(Organisation { id: "org_1".to_owned(), role: Some("org:admin".to_owned()) });
    let o = json!({"id": "org_1", "slg": "acme", "rol": "admin", "per": "x", "fpm": "1"});
    assert_eq!(organisation(json!({"o": o})), admin);
    let old = json!({"v": null, "org_id": "org_1", "org_role": "org:admin", "org_slug": "acme"});
    assert_eq!(organisation(old), admin);
    // As Clerk reads it: the version says which of the two counts.
    assert_eq!(organisation(json!({"org_id": "org_1", "org_role": "org:admin"})), None);
    assert_eq!(organisation(json!({"v": 1, "o": o})), None);
    let custom = json!({"o": {"id": "org_1", "rol": "org:billing"}});
    let role = organisation(custom).expect("an organisation").role;
    assert_eq!(role.as_deref(), Some("org:billing"));
}

#[test]
fn claims_that_are_not_a_session_of_ours_are_refused() {
    use SessionTokenRefused as R;
    let now = NOW.unix();
    let f = Fixture::new();
    for (changes, refusal) in [
        (json!({"iss": "https://clerk.example.com/"}), R::Issuer),
        (json!({"iss": null}), R::Claims),
        (json!({"azp": "https://evil.example.com"}), R::AuthorizedParty),
        (json!({"azp": "https://app.example.com/"}), R::AuthorizedParty),
        (json!({"azp": ""}), R::AuthorizedParty),
        (json!({"azp": null}), R::AuthorizedParty),
        (json!({"aud": "ntcli"}), R::Audience),
        (json!({"aud": []}), R::Audience),
        (json!({"sts": "pending"}), R::Pending),
        (json!({"sid": null}), R::Session),
        (json!({"sid": ""}), R::Session),
        (json!({"sid": "../users"}), R::Session),
        (json!({"sub": null}), R::Claims),
        (json!({"sub": ""}), R::Subject),
        (json!({"sub": 1}), R::Claims),
        (json!({"exp": now - 5}), R::Expired),
        (json!({"exp": null}), R::Claims),
        (json!({"exp": "1723000600"}), R::Claims),
        (json!({"nbf": now + 6}), R::NotYet),
        (json!({"iat": now + 6}), R::NotYet),
        (json!({"o": {"id": "org\n1"}}), R::Claims),
        (json!({"o": {"rol": "admin"}}), R::Claims),
    ] {
        assert_eq!(f.check(&with(&changes)).err(), Some(refusal), "{changes}");
    }
    for changes in [
        json!({"exp": now - 4}),
        json!({"nbf": now + 5, "iat": now + 5}),
        json!({"nbf": null, "iat": null, "sts": null, "v": null}),
    ] {
        assert!(f.check(&with(&changes)).is_ok(), "{changes}");
    }
}

#[test]
fn without_authorized_parties_the_origin_is_not_looked_at() {
    let mut f = Fixture::new();
    f.expected.authorized_parties.clear();
    for azp in [json!(null), json!("https://elsewhere.example.com")] {
        assert!(f.check(&with(&json!({ "azp": azp }))).is_ok());
    }
}

#[test]
fn tokens_of_other_categories_and_types_are_refused() {
    let header = |text: &str| format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(text));
    for (text, is) in [
        (r#"{"alg":"RS256"}"#, true),
        (r#"{"alg":"RS256","cat":null}"#, true),
        (r#"{"alg":"RS256","cat":"cl_B7d4PD111AAA"}"#, true),
        (r#"{"alg":"RS256","cat":"cl_I7d4PD111III"}"#, true),
        (r#"{"alg":"RS256","cat":"cl_B7d4PD222AAA"}"#, false),
        (r#"{"alg":"RS256","cat":"cl_B7d4PD333AAA"}"#, false),
        (r#"{"alg":"RS256","cat":""}"#, false),
        (r#"{"alg":"RS256","cat":7}"#, false),
    ] {
        assert_eq!(is_of_a_session(&header(text)), is, "{text}");
    }
    let f = Fixture::new();
    for typ in ["at+jwt", "jwt", ""] {
        let token = sign_jws(typ, &good(), &f.key);
        let refusal = check(&token, &f.keys, &f.expected, NOW).err();
        assert_eq!(refusal, Some(SessionTokenRefused::Type), "{typ}");
    }
}
