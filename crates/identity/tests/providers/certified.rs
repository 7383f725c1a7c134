//! A certified OpenID provider that is not ours: the whole way from the command line's login to the
//! authority's verdict, with each type of key.

use std::time::Duration;

use nt_identity::key_cache::COOL_DOWN;
use nt_identity::login::{LoginSettings, RefreshError, SignedIn, begin, refresh};
use nt_identity::oidc::{OidcProvider, OidcSettings};
use nt_identity::provider::{Identified, IdentifyError, Provider};
use nt_token::Timestamp;
use nt_token::clock::{Clock as _, SystemClock};

use crate::browser::Browser;
use crate::script::Script;

fn scopes() -> Vec<String> {
    ["openid", "email", "profile"].map(str::to_owned).to_vec()
}

/// Signs in at the provider's own pages: who, and that the client may know.
fn sign_in(issuer: &str, who: &str) -> SignedIn {
    let agent = ureq::agent();
    let settings = LoginSettings {
        issuer: issuer.to_owned(),
        client_id: "ntcli".to_owned(),
        scopes: scopes(),
        port: 0,
        timeout: Duration::from_mins(1),
        login_hint: None,
    };
    let login = begin(&agent, settings).expect("the provider answers");
    let url = login.url().to_owned();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut browser = Browser::new();
            let page = browser.open(&url);
            let form = [("prompt", "login"), ("login", who), ("password", "x")];
            let page = browser.send(&page.url, &form);
            let page = browser.send(&page.url, &[("prompt", "consent")]);
            assert!(
                page.body.contains("The identity provider knows you"),
                "{}: {}",
                page.url,
                page.body
            );
        });
        login.wait(&agent, None, |_| {}).expect("signed in")
    })
}

async fn identify(
    provider: &Provider,
    signed_in: &SignedIn,
    now: Timestamp,
) -> Result<Identified, IdentifyError> {
    let (token, nonce) = (signed_in.id_token.expose(), Some(signed_in.nonce.as_str()));
    provider.identify(token, nonce, now).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certified_provider_signs_in_renews_and_rotates_its_keys() {
    for (algorithm, next) in [("RS256", "ES256"), ("ES256", "EdDSA"), ("EdDSA", "RS256")] {
        let mut script = Script::start("oidc_provider.mjs", &[algorithm]);
        let issuer = script.line();
        let settings = OidcSettings {
            issuer: issuer.clone(),
            client_id: "ntcli".to_owned(),
            scopes: scopes(),
        };
        let provider = Provider::Oidc(OidcProvider::new(settings).expect("usable"));

        let signed_in = sign_in(&issuer, "ada");
        let identified = identify(&provider, &signed_in, SystemClock.now()).await;
        let identity = identified.expect("vouched for").identity;
        assert_eq!((identity.issuer.as_str(), identity.subject.as_str()), (issuer.as_str(), "ada"));
        assert_eq!(identity.email.as_deref(), Some("ada@example.com"));
        let other = provider.identify(signed_in.id_token.expose(), Some("n"), SystemClock.now());
        assert!(matches!(other.await, Err(IdentifyError::Refused(_))));

        // Renewed, by a token that is good once.
        let agent = ureq::agent();
        let first = signed_in.refresh_token.clone().expect("offline access was granted");
        let renewed = refresh(&agent, &issuer, "ntcli", &first).expect("the login goes on");
        let identified =
            provider.identify(renewed.id_token.expose(), None, SystemClock.now()).await;
        assert_eq!(identified.expect("vouched for").identity.subject, "ada");
        for token in [&first, &renewed.refresh_token] {
            let refused = refresh(&agent, &issuer, "ntcli", token);
            assert!(matches!(refused, Err(RefreshError::Refused { .. })), "{refused:?}");
        }

        // Another key, of another type, in mid-run.
        script.tell(next);
        assert_eq!(script.line(), "rotated");
        let again = sign_in(&issuer, "grace");
        let later = SystemClock.now().plus_seconds(COOL_DOWN);
        let identified = identify(&provider, &again, later).await.expect("vouched for");
        assert_eq!(identified.identity.subject, "grace");
        let old = identify(&provider, &signed_in, later).await;
        assert!(matches!(old, Err(IdentifyError::Refused(_))), "{algorithm}: {old:?}");
    }
}
