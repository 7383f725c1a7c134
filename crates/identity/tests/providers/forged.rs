//! Forged identities, in a table: each is refused with its reason.

use aws_lc_rs::hmac;
use nt_identity::oidc::{OidcProvider, OidcSettings};
use nt_identity::provider::{IdentifyError, Provider};
use nt_token::Timestamp;
use serde_json::{Value, json};

use crate::keys::{Key, base64url, with};
use crate::misbehaving::{Jwks, Misbehaving};

pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_723_000_000);

pub(crate) fn provider(issuer: &str) -> Provider {
    let settings = OidcSettings {
        issuer: issuer.to_owned(),
        client_id: "ntcli".to_owned(),
        scopes: vec!["openid".to_owned()],
    };
    Provider::Oidc(OidcProvider::new(settings).expect("usable"))
}

pub(crate) fn good(issuer: &str) -> Value {
    json!({
        "iss": issuer, "sub": "u1", "aud": "ntcli", "azp": "ntcli", "iat": NOW.unix(),
        "exp": NOW.unix() + 300, "nonce": "n-1", "email": "a@example.com", "name": "A",
    })
}

/// What becomes of the token: the person's address, or why not.
async fn verdict(provider: &Provider, token: &str) -> Result<Option<String>, String> {
    match provider.identify(token, Some("n-1"), NOW).await {
        Ok(identified) => Ok(identified.identity.email),
        Err(IdentifyError::Refused(reason)) => Err(reason.to_string()),
        Err(IdentifyError::Unavailable(reason)) => Err(format!("unavailable: {reason}")),
    }
}

#[tokio::test]
async fn tokens_of_all_three_key_types_are_accepted() {
    for key in [Key::rs256(), Key::es256(), Key::eddsa()] {
        let server = Misbehaving::start(Jwks::Set(vec![key.jwk("k-1")]));
        let provider = provider(&server.issuer);
        let token = key.token("k-1", &good(&server.issuer));
        let email = Some("a@example.com".to_owned());
        assert_eq!(verdict(&provider, &token).await, Ok(email), "{}", key.alg());
        let direct = provider.identify_direct(&token, NOW).await.expect_err("not directly");
        assert!(direct.to_string().contains("not accepted directly"), "{direct}");
        let changed = key.token("k-1", &with(&good(&server.issuer), &json!({"sub": "u2"})));
        let (input, _) = changed.rsplit_once('.').expect("three parts");
        let (_, signature) = token.rsplit_once('.').expect("three parts");
        let mixed = format!("{input}.{signature}");
        let refused = verdict(&provider, &mixed).await.expect_err("another's signature");
        assert!(refused.contains("signature does not match"), "{refused}");
    }
}

#[tokio::test]
async fn claims_that_are_not_this_logins_are_refused_with_their_reason() {
    let key = Key::es256();
    let server = Misbehaving::start(Jwks::Set(vec![key.jwk("k-1")]));
    let provider = provider(&server.issuer);
    let now = NOW.unix();
    for (changes, reason) in [
        (json!({"iss": "https://evil.example.com"}), "issued by another provider"),
        (json!({"iss": format!("{}/", server.issuer)}), "issued by another provider"),
        (json!({"aud": "other"}), "meant for another client"),
        (json!({"azp": "other"}), "given to another client"),
        (json!({"aud": ["ntcli", "other"], "azp": null}), "given to another client"),
        (json!({"nonce": "n-2"}), "does not carry the nonce"),
        (json!({"nonce": null}), "does not carry the nonce"),
        (json!({"exp": now - 5}), "has expired"),
        (json!({"nbf": now + 6}), "not valid yet"),
        (json!({"iat": now + 6}), "not valid yet"),
        (json!({"iat": now - 606}), "issued too long ago"),
        (json!({"sub": null}), "claims are not those of an ID token"),
        (json!({"sub": ""}), "no usable subject"),
    ] {
        let token = key.token("k-1", &with(&good(&server.issuer), &changes));
        let refused = verdict(&provider, &token).await.expect_err("forged");
        assert!(refused.contains(reason), "{changes}: {refused}");
    }
    assert_eq!(server.fetches(), 1);
}

#[tokio::test]
async fn tokens_that_the_provider_did_not_sign_are_refused_with_their_reason() {
    let key = Key::rs256();
    let server = Misbehaving::start(Jwks::Set(vec![key.jwk("k-1")]));
    let (provider, claims) = (provider(&server.issuer), good(&server.issuer));
    let unsigned = |header: Value| {
        format!("{}.{}.", base64url(header.to_string()), base64url(claims.to_string()))
    };
    // The public key, as everybody can read it, taken for a shared secret.
    let with_hmac = |secret: &str| {
        let input = unsigned(json!({"alg": "HS256", "kid": "k-1", "typ": "JWT"}));
        let input = input.trim_end_matches('.');
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        format!("{input}.{}", base64url(hmac::sign(&secret, input.as_bytes())))
    };
    let relabelled = |alg: &str| key.sign(&json!({"alg": alg, "kid": "k-1"}), &claims);
    let not_the_keys = "algorithm is not that of the key";
    for (token, reason) in [
        (unsigned(json!({"alg": "none"})), "key that is not known"),
        (unsigned(json!({"alg": "none", "kid": "k-1"})), not_the_keys),
        (unsigned(json!({"alg": "RS256", "kid": "k-1"})), "signature does not match"),
        (with_hmac(&key.pem()), not_the_keys),
        (with_hmac(&key.jwk("k-1").to_string()), not_the_keys),
        (relabelled("ES256"), not_the_keys),
        (relabelled("PS256"), not_the_keys),
        (relabelled("RS512"), not_the_keys),
        (Key::rs256().token("k-1", &claims), "signature does not match"),
        (Key::es256().token("k-1", &claims), not_the_keys),
        (Key::rs256().token("k-2", &claims), "key that is not known"),
        (key.sign(&json!({"alg": "RS256"}), &claims), "key that is not known"),
        (
            key.sign(&json!({"alg": "RS256", "kid": "k-1", "jwk": key.jwk("k-1")}), &claims),
            "never accepted",
        ),
        (
            key.sign(&json!({"alg": "RS256", "kid": "k-1", "typ": "at+jwt"}), &claims),
            "another type",
        ),
        ("not a token".to_owned(), "malformed"),
        (String::new(), "malformed"),
        ("x".repeat(20_000), "longer than the limit"),
    ] {
        let refused = verdict(&provider, &token).await.expect_err("forged");
        assert!(refused.contains(reason), "{token}: {refused}");
    }
    assert!(verdict(&provider, &key.token("k-1", &claims)).await.is_ok());
    assert_eq!(server.fetches(), 1);
}

#[tokio::test]
async fn keys_that_share_a_kid_verify_nothing_and_the_others_do() {
    let (one, two, other) = (Key::es256(), Key::es256(), Key::eddsa());
    let keys = vec![one.jwk("same"), two.jwk("same"), other.jwk("k-1")];
    let server = Misbehaving::start(Jwks::Set(keys));
    let (provider, claims) = (provider(&server.issuer), good(&server.issuer));
    for key in [&one, &two] {
        let refused = verdict(&provider, &key.token("same", &claims)).await.expect_err("ambiguous");
        assert!(refused.contains("key that is not known"), "{refused}");
    }
    assert!(verdict(&provider, &other.token("k-1", &claims)).await.is_ok());

    let server = Misbehaving::start(Jwks::Set(vec![one.jwk("same"), two.jwk("same")]));
    let provider = self::provider(&server.issuer);
    let refused = verdict(&provider, &one.token("same", &good(&server.issuer))).await;
    let refused = refused.expect_err("ambiguous");
    assert!(refused.starts_with("unavailable:"), "{refused}");
    assert!(refused.contains("no key of the set can be used"), "{refused}");
}
