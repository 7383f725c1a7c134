//! Any issuer of OpenID Connect: Keycloak, Zitadel, Auth0 and the rest.

use std::sync::Arc;

use nt_token::Timestamp;
use nt_token::jws::Compact;

use crate::address::{is_secure, shown};
use crate::http_client::HttpClient;
use crate::id_token::{self, ExpectedLogin, IdTokenRefused, Proof};
use crate::provider::{BadSettings, Identified, IdentifyError, IdentityRefused};
use crate::provider_keys::ProviderKeys;

/// The scope without which there is no ID token.
const OPENID: &str = "openid";

/// What an issuer is configured with.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// The issuer, exactly as it names itself.
    pub issuer: String,
    /// The public client that signs people in.
    pub client_id: String,
    /// The scopes to ask for; `openid` among them.
    pub scopes: Vec<String>,
}

/// An issuer whose ID tokens are accepted.
#[derive(Debug)]
pub struct OidcProvider {
    settings: OidcSettings,
    keys: ProviderKeys,
}

impl OidcProvider {
    /// A provider with these settings. Nobody is asked yet.
    pub fn new(settings: OidcSettings) -> Result<Arc<Self>, BadSettings> {
        secure("oidc.issuer", &settings.issuer)?;
        login_settings("oidc.client_id", &settings.client_id, &settings.scopes)?;
        let keys = ProviderKeys::of(settings.issuer.clone(), HttpClient::new()?);
        Ok(Arc::new(Self { settings, keys }))
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// The public client that signs people in.
    pub fn client_id(&self) -> &str {
        &self.settings.client_id
    }

    /// The scopes to ask for.
    pub fn scopes(&self) -> &[String] {
        &self.settings.scopes
    }

    /// The issuer's keys.
    pub fn keys(&self) -> &ProviderKeys {
        &self.keys
    }

    /// Who presents this ID token.
    pub async fn identify(
        &self,
        id_token: &str,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<Identified, IdentifyError> {
        let kid = named_key(id_token)?;
        let keys = self.keys.for_token(kid.as_deref(), now).await?;
        let expected = ExpectedLogin {
            issuer: self.settings.issuer.clone(),
            client_id: self.settings.client_id.clone(),
            nonce: nonce.map(str::to_owned),
        };
        let proof = id_token::prove(id_token, &keys, &expected, now);
        let Proof { identity, expires_at, .. } = proof.map_err(IdentityRefused::from)?;
        Ok(Identified { identity, session: None, expires_at })
    }
}

/// The key that a token says it is signed with. What is no token asks nobody for keys.
pub(crate) fn named_key(token: &str) -> Result<Option<String>, IdentityRefused> {
    let jws = Compact::parse(token, id_token::LONGEST).map_err(IdTokenRefused::from)?;
    Ok(jws.header.kid)
}

pub(crate) fn secure(setting: &'static str, url: &str) -> Result<(), BadSettings> {
    // Discovery 1.0, section 3: an issuer has neither query nor fragment.
    if is_secure(url) && !url.contains('?') {
        return Ok(());
    }
    Err(BadSettings::Url { setting, url: shown(url) })
}

pub(crate) fn login_settings(
    setting: &'static str,
    client_id: &str,
    scopes: &[String],
) -> Result<(), BadSettings> {
    if client_id.is_empty() {
        return Err(BadSettings::Empty(setting));
    }
    if scopes.iter().any(|scope| scope == OPENID) { Ok(()) } else { Err(BadSettings::Scopes) }
}
