//! Clerk: its emulator signs in end to end, and its own verifier agrees with ours.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use nt_identity::clerk::{ClerkProvider, ClerkSettings};
use nt_identity::login::{LoginSettings, SignedIn, begin};
use nt_identity::provider::{IdentifyError, Liveness, Organisation, Provider};
use nt_token::Secret;
use nt_token::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::keys::{Key, base64url, with};
use crate::misbehaving::answering;
use crate::node::ask;
use crate::script::Script;

const SECRET_KEY: &str = "sk_test_admin";
const PARTY: &str = "https://app.example.com";
const ISSUER: &str = "https://clerk.example.com";

fn settings(frontend_api: &str) -> ClerkSettings {
    ClerkSettings {
        frontend_api: frontend_api.to_owned(),
        client_id: "ntcli".to_owned(),
        scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
        authorized_parties: Vec::new(),
        jwt_key: None,
        secret_key: Some(Secret::from(SECRET_KEY.to_owned())),
        api_url: Some(frontend_api.to_owned()),
    }
}

fn provider(settings: ClerkSettings) -> Provider {
    Provider::Clerk(ClerkProvider::new(settings).expect("usable"))
}

/// The emulator, and the port of the redirect that it knows.
fn emulator() -> (Script, String, u16) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    let port = free.local_addr().expect("bound").port().min(u16::MAX - 10);
    drop(free);
    // Where the port is taken after all, the client takes one of the next ten.
    let redirects: Vec<_> =
        (port..=port + 10).map(|port| format!("http://127.0.0.1:{port}/callback")).collect();
    let script = Script::start("clerk.mjs", &[&redirects.join(",")]);
    let issuer = script.line();
    (script, issuer, port)
}

/// Signs in at the emulator's page.
fn sign_in(provider: &Provider, port: u16) -> SignedIn {
    let agent = ureq::agent();
    let settings = LoginSettings {
        issuer: provider.issuer().to_owned(),
        client_id: provider.client_id().to_owned(),
        scopes: provider.scopes(),
        port,
        timeout: Duration::from_mins(1),
        login_hint: None,
    };
    let login = begin(&agent, settings).expect("the emulator answers");
    let url = login.url().to_owned();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut browser = Browser::new();
            let page = browser.open(&url);
            assert!(page.body.contains("user_ada"), "{}", page.body);
            let (endpoint, query) = url.split_once('?').expect("a query");
            let mut form: Vec<(String, String)> =
                form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            form.push(("user_ref".to_owned(), "user_ada".to_owned()));
            let form: Vec<_> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let page = browser.send(&format!("{endpoint}/callback"), &form);
            assert!(
                page.body.contains("The identity provider knows you"),
                "{}: {}",
                page.status,
                page.body
            );
        });
        login.wait(&agent, None, |_| {}).expect("signed in")
    })
}

/// Asks the Backend API.
fn backend(url: &str, body: &Value) -> Value {
    let response = ureq::post(url).header("authorization", &format!("Bearer {SECRET_KEY}"));
    let mut response = response.send_json(body).expect("an answer");
    response.body_mut().read_json().expect("JSON")
}

/// An access token, by hand: the client has no use for one.
fn access_token(issuer: &str, port: u16) -> String {
    let redirect_uri = format!("http://127.0.0.1:{port}/callback");
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .max_redirects(0)
        .max_redirects_will_error(false)
        .build()
        .into();
    let form = [
        ("user_ref", "user_ada"),
        ("client_id", "ntcli"),
        ("redirect_uri", &redirect_uri),
        ("scope", "openid"),
    ];
    let response = agent.post(&format!("{issuer}/oauth/authorize/callback")).send_form(form);
    let response = response.expect("an answer");
    let location = response.headers()["location"].to_str().expect("ASCII");
    let code = location.split_once("code=").expect("a code").1;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "ntcli"),
        ("redirect_uri", &redirect_uri),
        ("code", code),
    ];
    let mut response =
        agent.post(&format!("{issuer}/oauth/token")).send_form(form).expect("tokens");
    let tokens: Value = response.body_mut().read_json().expect("JSON");
    tokens["access_token"].as_str().expect("an access token").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emulator_signs_in_and_its_sessions_are_accepted_while_they_live() {
    let (_script, issuer, port) = emulator();
    let provider = provider(settings(&issuer));
    let now = SystemClock.now();

    let signed_in = sign_in(&provider, port);
    let id_token = signed_in.id_token.expose();
    let identified = provider.identify(id_token, Some(&signed_in.nonce), now).await;
    let identified = identified.expect("vouched for");
    assert_eq!(identified.identity.subject, "user_ada");
    assert_eq!(identified.identity.email.as_deref(), Some("ada@example.com"));
    let direct = provider.identify_direct(id_token, now).await.expect_err("not directly");
    assert!(direct.to_string().contains("audience"), "{direct}");

    let session = backend(&format!("{issuer}/v1/sessions"), &json!({"user_id": "user_ada"}));
    let sid = session["id"].as_str().expect("a session").to_owned();
    let token = backend(&format!("{issuer}/v1/sessions/{sid}/tokens"), &json!({}));
    let token = token["jwt"].as_str().expect("a session token");
    for identified in
        [provider.identify_direct(token, now).await, provider.identify(token, Some("n"), now).await]
    {
        let identified = identified.expect("vouched for");
        assert_eq!(identified.identity.subject, "user_ada");
        let session = identified.session.expect("named");
        let role = Some("org:admin".to_owned());
        assert_eq!(session.organisation, Some(Organisation { id: "org_acme".to_owned(), role }));
        assert_eq!(session.sid, sid);
    }
    let strict = ClerkSettings { authorized_parties: vec![PARTY.to_owned()], ..settings(&issuer) };
    let refused = self::provider(strict).identify_direct(token, now).await.expect_err("no azp");
    assert!(refused.to_string().contains("another origin"), "{refused}");

    assert_eq!(provider.session_is_live(&sid).await, Liveness::Live);
    assert_eq!(provider.session_is_live("sess_unknown").await, Liveness::Ended);
    assert_eq!(provider.session_is_live("../users").await, Liveness::Ended);
    backend(&format!("{issuer}/v1/sessions/{sid}/revoke"), &json!({}));
    assert_eq!(provider.session_is_live(&sid).await, Liveness::Ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_is_exchanged_only_if_it_was_given_to_our_client() {
    let (_script, issuer, port) = emulator();
    let (access, now) = (access_token(&issuer, port), SystemClock.now());
    // The emulator lacks this part of the Backend API.
    let verdict = async |status: u16, answer: Value| {
        let api_url = Some(answering(status, &answer));
        let clerk = provider(ClerkSettings { api_url, ..settings(&issuer) });
        clerk.identify(&access, None, now).await
    };
    let ours = json!({"client_id": "ntcli", "subject": "user_ada", "revoked": false});
    let identified = verdict(200, ours.clone()).await.expect("vouched for");
    assert_eq!(identified.identity.email.as_deref(), Some("ada@example.com"));
    for (status, answer, reason) in [
        (200, with(&ours, &json!({"client_id": "other"})), "as this client's"),
        (200, with(&ours, &json!({"revoked": true})), "as this client's"),
        (200, with(&ours, &json!({"expired": true})), "as this client's"),
        (200, with(&ours, &json!({"subject": "user_eve"})), "somebody else"),
        (404, json!({}), "as this client's"),
        (401, json!({}), "unavailable"),
        (200, json!({}), "unavailable"),
    ] {
        let error = verdict(status, answer.clone()).await.expect_err("not ours").to_string();
        assert!(error.contains(reason), "{answer}: {error}");
    }
    let without = provider(ClerkSettings { secret_key: None, ..settings(&issuer) });
    let refused = without.identify(&access, None, now).await.expect_err("unchecked");
    assert!(refused.to_string().contains("only with clerk.secret_key"), "{refused}");
    let direct = without.identify_direct(&access, now).await;
    assert!(matches!(direct, Err(IdentifyError::Refused(_))), "{direct:?}");
}

#[tokio::test]
async fn without_an_answer_it_is_not_known_whether_a_session_lives() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    let api_url = format!("http://{}", closed.local_addr().expect("bound"));
    let silent = provider(ClerkSettings { api_url: Some(api_url.clone()), ..settings(ISSUER) });
    // Nobody accepts: the question times out.
    let liveness = silent.session_is_live("sess_1").await;
    assert!(matches!(liveness, Liveness::Unavailable(_)), "{liveness:?}");
    drop(closed);
    let liveness = silent.session_is_live("sess_1").await;
    assert!(matches!(liveness, Liveness::Unavailable(_)), "{liveness:?}");
    let without = provider(ClerkSettings { secret_key: None, ..settings(ISSUER) });
    assert_eq!(without.session_is_live("sess_1").await, Liveness::NotChecked);
}

#[tokio::test]
async fn an_id_token_is_for_our_client_and_carries_no_other_nonce() {
    let key = Key::rs256();
    let clerk = provider(ClerkSettings { jwt_key: Some(key.pem()), ..settings(ISSUER) });
    let now = SystemClock.now();
    let claims = json!({
        "iss": ISSUER, "sub": "user_1", "aud": "ntcli", "iat": now.unix(), "nonce": "n-1",
        "exp": now.unix() + 600, "sid": "sess_1",
    });
    let verdict = async |changes: Value, nonce: Option<&str>| {
        let token = key.token("ins_1", &with(&claims, &changes));
        clerk.identify(&token, nonce, now).await.map_err(|error| error.to_string())
    };
    for (changes, nonce, reason) in [
        (json!({}), Some("n-2"), "nonce"),
        (json!({"aud": "other"}), Some("n-1"), "meant for another client"),
        (json!({"azp": "other"}), Some("n-1"), "given to another client"),
        (json!({"iss": "https://clerk.evil.com"}), Some("n-1"), "issued by another"),
        (json!({"exp": now.unix() - 60}), Some("n-1"), "expired"),
        (json!({"sub": ""}), Some("n-1"), "no usable subject"),
    ] {
        let refused = verdict(changes.clone(), nonce).await.expect_err("not this login's");
        assert!(refused.contains(reason), "{changes}: {refused}");
    }
    for (changes, nonce) in
        [(json!({}), Some("n-1")), (json!({}), None), (json!({"nonce": null}), Some("n-1"))]
    {
        let session = verdict(changes, nonce).await.expect("vouched for").session;
        assert_eq!(session.expect("named").sid, "sess_1");
    }
}

/// Whether both accept, neither does, or only Clerk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreed {
    Accepted,
    Refused,
    OnlyByUs,
}

#[tokio::test]
async fn we_accept_no_session_token_that_clerks_verifier_refuses() {
    use Agreed::{Accepted, OnlyByUs, Refused};
    let key = Key::rs256();
    let now = SystemClock.now().unix();
    let claims = json!({
        "azp": PARTY, "exp": now + 600, "iat": now, "iss": ISSUER, "nbf": now - 10,
        "sid": "sess_1", "sub": "user_1", "v": 2, "fva": [0, -1],
    });
    let header = json!({"alg": "RS256", "kid": "ins_1", "typ": "JWT", "cat": "cl_B7d4PD111AAA"});
    let changed = |changes: Value| key.sign(&header, &with(&claims, &changes));
    let under = |changes: Value| key.sign(&with(&header, &changes), &claims);
    let good = key.sign(&header, &claims);
    let (input, signature) = good.rsplit_once('.').expect("three parts");
    let unsigned =
        format!("{}.{}", base64url(r#"{"alg":"none","typ":"JWT"}"#), base64url(claims.to_string()));
    let hmac = {
        let input = format!(
            "{}.{}",
            base64url(r#"{"alg":"HS256","kid":"ins_1","typ":"JWT"}"#),
            base64url(claims.to_string())
        );
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.pem().as_bytes());
        let tag = aws_lc_rs::hmac::sign(&secret, input.as_bytes());
        format!("{input}.{}", base64url(tag))
    };
    let table = [
        ("good", good.clone(), Accepted),
        ("no category", under(json!({"cat": null})), Accepted),
        ("no typ", under(json!({"typ": null})), Accepted),
        ("another kid", under(json!({"kid": "ins_2"})), Accepted),
        ("no kid", under(json!({"kid": null})), Accepted),
        ("no nbf", changed(json!({"nbf": null})), Accepted),
        ("no iat", changed(json!({"iat": null})), Accepted),
        ("unknown claims", changed(json!({"x": {"y": 1}})), Accepted),
        ("an organisation", changed(json!({"o": {"id": "org_1", "rol": "admin"}})), Accepted),
        ("another issuer", changed(json!({"iss": "https://clerk.evil.com"})), Refused),
        ("no issuer", changed(json!({"iss": null})), Refused),
        ("another party", changed(json!({"azp": "https://evil.com"})), Refused),
        ("no party", changed(json!({"azp": null})), Refused),
        ("empty party", changed(json!({"azp": ""})), Refused),
        ("expired", changed(json!({"exp": now - 60})), Refused),
        ("no exp", changed(json!({"exp": null})), Refused),
        ("exp as text", changed(json!({"exp": (now + 600).to_string()})), Refused),
        ("not yet", changed(json!({"nbf": now + 60})), Refused),
        ("nbf as text", changed(json!({"nbf": "0"})), Refused),
        ("issued in the future", changed(json!({"iat": now + 60})), Refused),
        ("no subject", changed(json!({"sub": null})), Refused),
        ("subject as a number", changed(json!({"sub": 7})), Refused),
        ("another typ", under(json!({"typ": "at+jwt"})), Refused),
        ("machine token", under(json!({"cat": "cl_B7d4PD333AAA"})), Refused),
        ("unsigned", format!("{unsigned}."), Refused),
        ("public key as secret", hmac, Refused),
        ("another key", Key::rs256().sign(&header, &claims), Refused),
        ("another key type", Key::es256().token("ins_1", &claims), Refused),
        ("no signature", format!("{input}."), Refused),
        ("cut short", good[..good.len() - 8].to_owned(), Refused),
        ("two parts", input.to_owned(), Refused),
        ("four parts", format!("{good}.{signature}"), Refused),
        ("empty", String::new(), Refused),
        // Where we are stricter.
        ("empty subject", changed(json!({"sub": ""})), OnlyByUs),
        ("no session", changed(json!({"sid": null})), OnlyByUs),
        ("pending", changed(json!({"sts": "pending"})), OnlyByUs),
        ("an audience", changed(json!({"aud": "ntcli"})), OnlyByUs),
        ("of a template", under(json!({"cat": "cl_B7d4PD222AAA"})), OnlyByUs),
        ("a key in the header", under(json!({"jwk": key.jwk("x")})), OnlyByUs),
        ("a critical member", under(json!({"crit": ["b64"], "b64": true})), OnlyByUs),
        ("padding", format!("{good}=="), OnlyByUs),
    ];
    let tokens: Vec<_> = table.iter().map(|(_, token, _)| token).collect();
    let question = json!({
        "pem": key.pem(), "issuer": ISSUER, "authorizedParties": [PARTY], "tokens": tokens,
    });
    let verdicts = ask("clerk_verdicts.mjs", &question.to_string());
    let verdicts: Vec<Option<String>> = serde_json::from_str(&verdicts).expect("verdicts");
    let ours = provider(ClerkSettings {
        authorized_parties: vec![PARTY.to_owned()],
        jwt_key: Some(key.pem()),
        ..settings(ISSUER)
    });
    assert_eq!(verdicts.len(), table.len());
    let mut differing = Vec::new();
    for ((name, token, expected), clerks) in table.iter().zip(verdicts) {
        let our = ours.identify_direct(token, SystemClock.now()).await;
        let actual = match (clerks.is_none(), our.is_ok()) {
            (true, true) => Some(Accepted),
            (false, false) => Some(Refused),
            (true, false) => Some(OnlyByUs),
            (false, true) => None,
        };
        if actual != Some(*expected) {
            differing.push(format!("{name}: Clerk {clerks:?}, we {our:?}"));
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
}
