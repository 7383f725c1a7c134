//! Clerk: its Frontend API is an OpenID issuer; besides, its session tokens are accepted as they
//! are, and its Backend API can be asked whether a session still is.

mod backend;
pub mod session_token;

use std::sync::Arc;

use nt_token::clock::Clock;
use nt_token::jws::Compact;
use nt_token::{KeySet, Secret, Timestamp, VerifyingKey};

use self::backend::Backend;
use self::session_token::{ExpectedSession, SessionTokenRefused};
use crate::http_client::{HttpClient, Question, TOTAL, unusable};
use crate::id_token::{self, ExpectedLogin, IdTokenRefused, OLDEST, Person, Proof};
use crate::oidc::{login_settings, named_key, secure};
use crate::provider::{
    BadSettings, Identified, IdentifyError, IdentityRefused, Liveness, ProviderSession, Unavailable,
};
use crate::provider_keys::ProviderKeys;

/// Where the Backend API is, unless the settings say otherwise.
pub const BACKEND_API: &str = "https://api.clerk.com";

/// The longest answer of the userinfo endpoint, in bytes.
const LONGEST_USER_INFO: usize = 64 * 1_024;

/// What a Clerk instance is configured with.
#[derive(Debug, Clone)]
pub struct ClerkSettings {
    /// The Frontend API, which is the issuer: `https://clerk.example.com`, or its host alone.
    pub frontend_api: String,
    /// The public OAuth application that signs people in.
    pub client_id: String,
    /// The scopes to ask for; `openid` among them.
    pub scopes: Vec<String>,
    /// The origins whose session tokens are accepted (`azp`). Without any, every origin's are.
    pub authorized_parties: Vec<String>,
    /// The instance's public key in PEM: with it no keys are fetched.
    pub jwt_key: Option<String>,
    /// The key of the Backend API: with it can be asked whether sessions still are, and to whom
    /// access tokens were given; without it the latter are refused.
    pub secret_key: Option<Secret>,
    /// Where the Backend API is; [`BACKEND_API`] if nothing is said.
    pub api_url: Option<String>,
}

/// A Clerk instance whose tokens are accepted.
#[derive(Debug)]
pub struct ClerkProvider {
    issuer: String,
    client_id: String,
    scopes: Vec<String>,
    expected_session: ExpectedSession,
    client: HttpClient,
    fixed: Option<Arc<KeySet>>,
    keys: ProviderKeys,
    backend: Option<Backend>,
}

impl ClerkProvider {
    /// A provider with these settings. Nobody is asked yet.
    pub fn new(settings: ClerkSettings) -> Result<Arc<Self>, BadSettings> {
        let issuer = issuer(&settings.frontend_api);
        secure("clerk.frontend_api", &issuer)?;
        login_settings("clerk.client_id", &settings.client_id, &settings.scopes)?;
        let fixed = settings.jwt_key.as_deref().map(|pem| {
            let key = VerifyingKey::from_spki_pem(pem, None).map_err(|_| BadSettings::JwtKey)?;
            Ok(Arc::new(KeySet::sole(key)))
        });
        let client = HttpClient::new()?;
        let api_url = settings.api_url.unwrap_or_else(|| BACKEND_API.to_owned());
        secure("clerk.api_url", &api_url)?;
        let backend =
            settings.secret_key.map(|secret| Backend::new(client.clone(), &api_url, secret));
        let expected_session = ExpectedSession {
            issuer: issuer.clone(),
            authorized_parties: settings.authorized_parties,
        };
        Ok(Arc::new(Self {
            keys: ProviderKeys::of(issuer.clone(), client.clone()),
            issuer,
            client_id: settings.client_id,
            scopes: settings.scopes,
            expected_session,
            client,
            fixed: fixed.transpose()?,
            backend,
        }))
    }

    /// The issuer: the Frontend API.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The public OAuth application that signs people in.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The scopes to ask for.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Who presents this token to be exchanged: an ID token, a session token, or what is no JWT and
    /// hence an access token.
    pub async fn identify(
        &self,
        login_token: &str,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<Identified, IdentifyError> {
        if Compact::parse(login_token, id_token::LONGEST).is_err() && is_opaque(login_token) {
            return self.identify_access(login_token, now).await;
        }
        match self.identify_session(login_token, now).await {
            Err(IdentifyError::Refused(IdentityRefused::SessionToken(
                SessionTokenRefused::Audience,
            ))) => self.identify_login(login_token, nonce, now).await,
            outcome => outcome,
        }
    }

    /// Who presents this session token.
    pub async fn identify_session(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Identified, IdentifyError> {
        let keys = self.keys_for(token, now).await?;
        let checked = session_token::check(token, &keys, &self.expected_session, now);
        Ok(checked.map_err(IdentityRefused::from)?)
    }

    /// Whether Clerk says that the session still is.
    pub async fn liveness(&self, sid: &str) -> Liveness {
        let Some(backend) = &self.backend else { return Liveness::NotChecked };
        match backend.session_is_live(sid).await {
            Ok(true) => Liveness::Live,
            Ok(false) => Liveness::Ended,
            Err(reason) => Liveness::Unavailable(reason),
        }
    }

    /// Fetches the keys now and again before they grow old; with a PEM key there is nothing to do.
    /// Never ends.
    pub async fn keep_keys_fresh(&self, clock: &dyn Clock) {
        if self.fixed.is_some() {
            std::future::pending::<()>().await;
        }
        self.keys.keep_fresh(clock).await;
    }

    async fn keys_for(&self, token: &str, now: Timestamp) -> Result<Arc<KeySet>, IdentifyError> {
        let kid = named_key(token)?;
        match &self.fixed {
            Some(keys) => Ok(Arc::clone(keys)),
            None => Ok(self.keys.for_token(kid.as_deref(), now).await?),
        }
    }

    /// An ID token without any nonce is accepted, because Clerk's emulator makes them so: what a
    /// nonce protects from, PKCE does as well (RFC 9700, section 2.1.1). Another nonce is refused.
    async fn identify_login(
        &self,
        id_token: &str,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<Identified, IdentifyError> {
        let keys = self.keys_for(id_token, now).await?;
        let expected = ExpectedLogin {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            nonce: None,
        };
        let proof = id_token::prove(id_token, &keys, &expected, now);
        let Proof { identity, sid, nonce: carried, expires_at } =
            proof.map_err(IdentityRefused::from)?;
        if nonce.is_some() && carried.is_some() && carried.as_deref() != nonce {
            return Err(IdentityRefused::from(IdTokenRefused::Nonce).into());
        }
        let session = sid
            .filter(|sid| session_token::is_session_id(sid))
            .map(|sid| ProviderSession { sid, organisation: None });
        Ok(Identified { identity, session, expires_at })
    }

    /// The Backend API says to which client an access token was given: without its word, whoever runs
    /// another OAuth application of the instance could sign in as those who use that one. The
    /// userinfo endpoint (OpenID Connect Core 1.0, section 5.3) says who that is.
    async fn identify_access(
        &self,
        access_token: &str,
        now: Timestamp,
    ) -> Result<Identified, IdentifyError> {
        let backend = self.backend.as_ref().ok_or(IdentityRefused::AccessTokenUnchecked)?;
        let subject = backend.subject_of(access_token, &self.client_id).await?;
        let subject = subject.ok_or(IdentityRefused::AccessToken)?;
        let (url, person) = self.user_info(access_token, now).await?;
        let person: Person =
            serde_json::from_slice(&person).map_err(|_| unusable(&url, "is no user info"))?;
        let identity = person.identity(self.issuer.clone());
        let identity = identity.filter(|identity| identity.subject == subject);
        let identity = identity.ok_or(IdentityRefused::UserInfo)?;
        Ok(Identified { identity, session: None, expires_at: now.plus_seconds(OLDEST) })
    }

    async fn user_info(
        &self,
        access_token: &str,
        now: Timestamp,
    ) -> Result<(String, Vec<u8>), IdentifyError> {
        let endpoint = self.keys.userinfo_endpoint(now).await?;
        let url = endpoint.ok_or_else(|| unusable(&self.issuer, "names no userinfo endpoint"))?;
        let bearer = Secret::from(access_token.to_owned());
        let question = Question {
            url: &url,
            bearer: Some(&bearer),
            json: None,
            longest: LONGEST_USER_INFO,
            total: TOTAL,
        };
        let answer = self.client.ask(question).await?;
        match answer.status {
            200 => Ok((url, answer.body)),
            400 | 401 | 403 => Err(IdentityRefused::AccessToken.into()),
            status => Err(Unavailable::Status { url, status }.into()),
        }
    }
}

/// Clerk's dashboard shows the Frontend API with or without its scheme.
fn issuer(frontend_api: &str) -> String {
    let url = frontend_api.trim().trim_end_matches('/');
    if url.contains("://") { url.to_owned() } else { format!("https://{url}") }
}

/// RFC 6750, section 2.1: the characters of a bearer token; a JWT has two dots.
fn is_opaque(token: &str) -> bool {
    let bearer = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    (1..=id_token::LONGEST).contains(&token.len())
        && token.bytes().all(bearer)
        && token.matches('.').count() != 2
}

#[cfg(test)]
mod tests;
