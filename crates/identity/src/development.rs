//! The embedded development provider: a small OpenID provider for trying things out on one machine.
//!
//! Its users have no passwords. The flow is the real one all the same: authorization code with PKCE
//! (RFC 6749, RFC 7636, OpenID Connect Core 1.0), so that nothing about a client or an authority is
//! different when a real provider takes its place. Logins can be renewed (refresh tokens that rotate)
//! and ended from the provider's page; all of it is forgotten when the process ends.

mod authorize;
mod codes;
mod end;
mod page;
mod refresh;
mod request;
mod token;
mod user;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
#[cfg(feature = "providers")]
use nt_token::Timestamp;
use nt_token::clock::Clock;
use nt_token::jwk::Jwks;
use nt_token::key::BadKey;
use nt_token::{KeySet, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use self::codes::Codes;
use self::refresh::Logins;
pub use self::user::{USERS, User};
use crate::form;
#[cfg(feature = "providers")]
use crate::id_token::{self, ExpectedLogin, Proof};
#[cfg(feature = "providers")]
use crate::provider::{Identified, IdentityRefused};

/// The one client: the command line, which is public (it has no secret).
pub const CLIENT_ID: &str = "ntcli";

/// The scopes that can be asked for.
pub const SCOPES: [&str; 3] = ["openid", "email", "profile"];

/// The scope that asks for a refresh token; a client that can keep one adds it.
const OFFLINE_ACCESS: &str = "offline_access";

/// As whose its users are remembered where several nodes have a provider each.
const EVERYWHERE: &str = "urn:ntd:development";

/// The provider: its name, its key, and the codes and refresh tokens it has handed out.
#[derive(Debug)]
pub struct DevelopmentProvider {
    issuer: String,
    /// Under which issuer its users are remembered.
    known_as: String,
    signing: SigningKey,
    keys: KeySet,
    codes: Codes,
    logins: Logins,
}

/// The provider at work: with a clock.
struct Served {
    provider: Arc<DevelopmentProvider>,
    clock: Arc<dyn Clock>,
}

fn issuer_at(base_url: &str) -> String {
    format!("{}/dev", base_url.trim_end_matches('/'))
}

impl DevelopmentProvider {
    /// A provider whose issuer is `<base_url>/dev`, with a key that lives as long as it does.
    pub fn new(base_url: &str) -> Result<Arc<Self>, BadKey> {
        let issuer = issuer_at(base_url);
        Self::known_as(issuer.clone(), issuer)
    }

    /// The same at one of several nodes: its users are those of the other nodes' providers.
    pub fn of_several(base_url: &str) -> Result<Arc<Self>, BadKey> {
        Self::known_as(issuer_at(base_url), EVERYWHERE.to_owned())
    }

    fn known_as(issuer: String, known_as: String) -> Result<Arc<Self>, BadKey> {
        let (signing, _) = SigningKey::generate()?;
        let keys = KeySet::new([VerifyingKey::from_jwk(&signing.jwk())?])?;
        Ok(Arc::new(Self {
            issuer,
            known_as,
            signing,
            keys,
            codes: Codes::default(),
            logins: Logins::default(),
        }))
    }

    /// The issuer, as it stands in the discovery document and in every ID token.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The client that may sign people in.
    pub fn client_id(&self) -> &'static str {
        CLIENT_ID
    }

    /// The scopes that a client should ask for.
    pub fn scopes(&self) -> &'static [&'static str] {
        &SCOPES
    }

    /// The public keys of the ID tokens.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// Who presents this ID token.
    #[cfg(feature = "providers")]
    pub(crate) fn identify(
        &self,
        id_token: &str,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<Identified, IdentityRefused> {
        let expected = ExpectedLogin {
            issuer: self.issuer.clone(),
            client_id: CLIENT_ID.to_owned(),
            nonce: nonce.map(str::to_owned),
        };
        let proof = id_token::prove(id_token, &self.keys, &expected, now)?;
        let Proof { mut identity, expires_at, .. } = proof;
        identity.issuer.clone_from(&self.known_as);
        Ok(Identified { identity, session: None, expires_at })
    }

    /// The provider's pages and endpoints, all below `/dev`.
    pub fn router(self: Arc<Self>, clock: Arc<dyn Clock>) -> Router {
        let (discovery, jwks) = (Arc::clone(&self), Arc::clone(&self));
        Router::new()
            .route(
                "/dev/.well-known/openid-configuration",
                get(async move || Json(discovery.metadata())),
            )
            .route("/dev/jwks", get(async move || jwks.published_keys()))
            .route("/dev/authorize", get(authorize::link).post(authorize::form))
            .route("/dev/token", post(token::exchange))
            .route("/dev/end", post(end::logins))
            .layer(DefaultBodyLimit::max(form::LONGEST))
            .with_state(Arc::new(Served { provider: self, clock }))
    }

    /// The origin that the provider's own pages have: the issuer without its path.
    fn origin(&self) -> &str {
        let after_scheme = self.issuer.find("://").map_or(0, |at| at + 3);
        let path = self.issuer[after_scheme..].find('/');
        path.map_or(&self.issuer, |at| &self.issuer[..after_scheme + at])
    }

    /// OpenID Connect Discovery 1.0, section 3; RFC 8414; RFC 9207.
    fn metadata(&self) -> Value {
        let issuer = &self.issuer;
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "scopes_supported": SCOPES.iter().chain(&[OFFLINE_ACCESS]).collect::<Vec<_>>(),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.signing.algorithm().name()],
            "token_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": [crate::pkce::METHOD],
            "claims_supported":
                ["iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "email", "email_verified", "name"],
            "authorization_response_iss_parameter_supported": true,
            "request_uri_parameter_supported": false,
        })
    }

    fn published_keys(&self) -> impl IntoResponse + use<> {
        let jwks = Jwks { keys: vec![self.signing.jwk()] };
        ([(header::CACHE_CONTROL, "no-cache")], Json(jwks))
    }
}
