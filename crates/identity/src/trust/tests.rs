//! Rules that can be used, and the jobs that they let in.

use nt_token::sign::sign_jws;
use nt_token::{KeySet, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use super::job_token::checked;
use super::*;

const NOW: Timestamp = Timestamp::from_unix(1_723_000_000);
const GITHUB: &str = "https://token.actions.githubusercontent.com";

fn rule(issuer: &str, claims: &[(&str, &str)]) -> TrustRule {
    TrustRule {
        name: "release".to_owned(),
        issuer: issuer.to_owned(),
        audience: "https://tokens.example.com".to_owned(),
        claims: claims.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect(),
        workspace: WorkspaceId::mint([7; 16]),
        role: "developer".to_owned(),
        may_revoke: false,
    }
}

struct Fixture {
    key: SigningKey,
    keys: KeySet,
}

impl Fixture {
    fn new() -> Self {
        let (key, _) = SigningKey::generate().expect("entropy");
        let public = VerifyingKey::from_jwk(&key.jwk()).expect("our own key");
        Self { key, keys: KeySet::new([public]).expect("one key") }
    }

    fn admit(&self, changes: &Value, rules: &[TrustRule]) -> Result<TrustedJob, TrustRefused> {
        let mut claims = json!({
            "iss": GITHUB, "sub": "repo:acme/app:ref:refs/heads/main", "jti": "j-1",
            "aud": "https://tokens.example.com", "iat": NOW.unix(), "exp": NOW.unix() + 300,
            "repository": "acme/app", "repository_id": "77", "repository_owner_id": 12,
            "ref": "refs/heads/main", "ref_protected": true, "run_attempt": 1.5, "nothing": null,
        });
        let members = claims.as_object_mut().expect("an object");
        for (name, value) in changes.as_object().expect("an object") {
            members.remove(name);
            if !value.is_null() {
                members.insert(name.clone(), value.clone());
            }
        }
        let rules: Vec<_> =
            rules.iter().map(|rule| ReadRule::read(rule.clone()).expect("usable")).collect();
        let token = sign_jws("JWT", &claims, &self.key);
        checked(&token, &self.keys, GITHUB, NOW)?.admitted_by(&rules)
    }
}

#[test]
fn a_job_is_let_in_by_the_first_rule_that_matches() {
    let f = Fixture::new();
    let named = |name: &str, claims: &[(&str, &str)]| TrustRule {
        name: name.to_owned(),
        ..rule(GITHUB, claims)
    };
    let rules = [
        named("other branch", &[("repository", "acme/app"), ("ref", "refs/heads/next")]),
        named("any branch", &[("repository", "acme/*"), ("ref", "refs/heads/*")]),
        named("too late", &[("repository", "acme/app")]),
    ];
    let job = f.admit(&json!({}), &rules).expect("let in");
    assert_eq!(job.rule.name, "any branch");
    assert_eq!(job.identity.issuer, GITHUB);
    assert_eq!(job.identity.subject, format!("{GITHUB} repo:acme/app:ref:refs/heads/main"));
    assert_eq!((job.expires_at, job.jti.as_deref()), (NOW.plus_seconds(300), Some("j-1")));
}

#[test]
fn every_claim_of_a_rule_must_be_there_and_match_as_text() {
    let f = Fixture::new();
    for (claim, pattern, admitted) in [
        ("ref_protected", "true", true),
        ("ref_protected", "false", false),
        ("repository_owner_id", "12", true),
        ("repository_owner_id", "1*", true),
        ("repository_owner_id", "13", false),
        ("repository_id", "77", true),
        ("run_attempt", "1.5", false),
        ("nothing", "null", false),
        ("missing", "*", false),
        ("ref", "refs/heads/mai", false),
    ] {
        let rules = [rule(GITHUB, &[("repository", "acme/app"), (claim, pattern)])];
        let outcome = f.admit(&json!({}), &rules).err();
        let expected = (!admitted).then_some(TrustRefused::NoRule);
        assert_eq!(outcome, expected, "{claim}={pattern}");
    }
}

#[test]
fn claims_that_are_not_those_of_a_job_of_now_are_refused() {
    use TrustRefused as R;
    let now = NOW.unix();
    let f = Fixture::new();
    let rules = [rule(GITHUB, &[("repository", "acme/app")])];
    for (changes, refusal) in [
        (json!({"iss": "https://gitlab.com"}), R::Issuer),
        (json!({"iss": null}), R::Issuer),
        (json!({"aud": "https://other.example.com"}), R::Audience),
        (json!({"aud": ["https://tokens.example.com", "https://other.example.com"]}), R::Audience),
        (json!({"aud": null}), R::Audience),
        (json!({"sub": null}), R::Claims),
        (json!({"sub": ""}), R::Subject),
        (json!({"sub": "a\nb"}), R::Subject),
        (json!({"exp": null}), R::Claims),
        (json!({"exp": "soon"}), R::Claims),
        (json!({"exp": now - 5}), R::Expired),
        (json!({"iat": null}), R::Claims),
        (json!({"iat": now + 6}), R::NotYet),
        (json!({"nbf": now + 6}), R::NotYet),
        (json!({"repository": "acme/app2"}), R::NoRule),
    ] {
        assert_eq!(f.admit(&changes, &rules).err(), Some(refusal), "{changes}");
    }
    assert!(f.admit(&json!({"aud": ["https://tokens.example.com"]}), &rules).is_ok());
}

#[test]
fn a_rule_that_does_not_say_whose_jobs_is_refused() {
    let gitlab = "https://gitlab.com";
    let own = "https://gitlab.example.com";
    for (issuer, claims, usable) in [
        (own, &[][..], false),
        (own, &[("iss", own)], false),
        (own, &[("aud", "a")], false),
        (own, &[("sub", "*")], false),
        (own, &[("ref", "main")], true),
        (GITHUB, &[("ref", "refs/heads/main")], false),
        (GITHUB, &[("repository", "acme/app")], true),
        (GITHUB, &[("repository", "acme/*")], true),
        (GITHUB, &[("repository", "*/app")], false),
        (GITHUB, &[("repository", "acme*/app")], false),
        (GITHUB, &[("sub", "repo:acme/app:ref:refs/heads/main")], true),
        (GITHUB, &[("sub", "repo:*/app:ref:refs/heads/main")], false),
        (GITHUB, &[("sub", "repo:acme*/app:ref:refs/heads/main")], false),
        (GITHUB, &[("repository_owner", "acme")], true),
        (GITHUB, &[("repository_owner", "acm*")], false),
        (GITHUB, &[("repository_owner_id", "12")], true),
        (gitlab, &[("ref", "main")], false),
        (gitlab, &[("project_path", "acme/*")], true),
        (gitlab, &[("namespace_path", "acme")], true),
        (gitlab, &[("namespace_path", "*")], false),
        (own, &[("ref", "**")], false),
        (own, &[("ref", "")], false),
        ("http://gitlab.example.com", &[("ref", "main")], false),
    ] {
        let read = ReadRule::read(rule(issuer, claims));
        assert_eq!(read.is_ok(), usable, "{issuer} {claims:?}: {:?}", read.err());
    }
}

#[test]
fn two_rules_of_one_name_are_refused() {
    let rules = vec![rule(GITHUB, &[("repository", "acme/app")]); 2];
    let error = TrustedIssuers::new(rules).expect_err("not usable").to_string();
    assert!(error.contains("another rule of this name"), "{error}");
}
