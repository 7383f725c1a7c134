//! Jobs of a CI platform, through discovery and keys.

use nt_identity::provider::IdentifyError;
use nt_identity::trust::{TrustRule, TrustedIssuers};
use nt_token::WorkspaceId;
use serde_json::json;

use crate::forged::NOW;
use crate::keys::{Key, with};
use crate::misbehaving::{Jwks, Misbehaving};

#[tokio::test]
async fn a_job_signs_in_where_a_rule_says_so_and_nowhere_else() {
    let key = Key::rs256();
    let server = Misbehaving::start(Jwks::Set(vec![key.jwk("ci")]));
    let workspace = WorkspaceId::mint([7; 16]);
    let rule = TrustRule {
        name: "release".to_owned(),
        issuer: server.issuer.clone(),
        audience: "https://tokens.example.com".to_owned(),
        claims: [("project_path".to_owned(), "acme/*".to_owned())].into(),
        workspace,
        role: "developer".to_owned(),
        may_revoke: false,
    };
    let trusted = TrustedIssuers::new(vec![rule]).expect("usable");
    let claims = json!({
        "iss": server.issuer, "sub": "project_path:acme/app:ref_type:branch:ref:main",
        "aud": "https://tokens.example.com", "project_path": "acme/app",
        "iat": NOW.unix(), "exp": NOW.unix() + 300,
    });
    let token = key.token("ci", &claims);
    assert!(trusted.knows_issuer_of(&token));
    let job = trusted.identify(&token, NOW).await.expect("let in");
    assert_eq!((job.rule.workspace, job.rule.role.as_str()), (workspace, "developer"));
    for (token, reason) in [
        (Key::rs256().token("ci", &claims), "signature does not match"),
        (
            key.token("ci", &with(&claims, &json!({"iss": "https://gitlab.com"}))),
            "names the issuer",
        ),
        (key.token("ci", &with(&claims, &json!({"project_path": "evil/app"}))), "no trust rule"),
        (key.token("ci", &with(&claims, &json!({"aud": "ntcli"}))), "audience"),
        ("nothing".to_owned(), "malformed"),
    ] {
        let refused = trusted.identify(&token, NOW).await.expect_err("not let in");
        assert!(matches!(refused, IdentifyError::Refused(_)), "{refused:?}");
        assert!(refused.to_string().contains(reason), "{refused}");
    }
    assert_eq!(server.fetches(), 1);
}
