//! The seam between the authority and whichever identity provider it is configured with.

use std::sync::Arc;

use nt_token::Timestamp;
use nt_token::clock::Clock;

use crate::clerk::ClerkProvider;
use crate::clerk::session_token::SessionTokenRefused;
#[cfg(feature = "development")]
use crate::development::DevelopmentProvider;
use crate::id_token::{IdTokenRefused, VerifiedIdentity};
use crate::oidc::OidcProvider;
use crate::trust::TrustRefused;

/// The provider that vouches for operators.
#[derive(Debug, Clone)]
pub enum Provider {
    /// The embedded one, for one machine.
    #[cfg(feature = "development")]
    Development(Arc<DevelopmentProvider>),
    /// Any issuer of OpenID Connect.
    Oidc(Arc<OidcProvider>),
    /// Clerk.
    Clerk(Arc<ClerkProvider>),
}

/// Somebody whom the provider vouches for, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// Who.
    pub identity: VerifiedIdentity,
    /// The provider's own session, where the proof names one.
    pub session: Option<ProviderSession>,
    /// When the proof stops being one.
    pub expires_at: Timestamp,
}

/// A session at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSession {
    /// Its identifier (`sid`), for [`Provider::session_is_live`].
    pub sid: String,
    /// The organisation that the person acts for in it.
    pub organisation: Option<Organisation>,
}

/// An organisation at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Its identifier, such as `org_2abc`.
    pub id: String,
    /// What the person is in it, such as `org:admin`; the older and the newer form of a session
    /// token read the same.
    pub role: Option<String>,
}

/// Why somebody is not identified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifyError {
    /// The proof is none. The reason is for the log.
    #[error("{0}")]
    Refused(#[from] IdentityRefused),
    /// It is not known whether the proof is one. The reason is for the log.
    #[error("the identity provider is unavailable: {0}")]
    Unavailable(#[from] Unavailable),
}

/// Why a proof of identity is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityRefused {
    /// As an ID token.
    #[error(transparent)]
    IdToken(#[from] IdTokenRefused),
    /// As a session token of Clerk's.
    #[error(transparent)]
    SessionToken(#[from] SessionTokenRefused),
    /// As the token of a CI platform.
    #[error(transparent)]
    Trust(#[from] TrustRefused),
    /// The provider does not know the access token (any more), or gave it to another client.
    #[error("the provider does not accept the access token as this client's")]
    AccessToken,
    /// Nobody can say to which client the access token was given.
    #[error("access tokens are accepted only with clerk.secret_key")]
    AccessTokenUnchecked,
    /// What the provider says of the access token names nobody, or somebody else.
    #[error("the provider's answer names nobody, or somebody else")]
    UserInfo,
    /// This provider's tokens are exchanged, never presented directly.
    #[error("tokens of this provider are not accepted directly")]
    NotDirectly,
}

/// No answer from the provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// It cannot be reached, or takes too long.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It answers with another status than 200.
    #[error("{url} answers with status {status}")]
    Status {
        /// What was asked.
        url: String,
        /// The answer.
        status: u16,
    },
    /// What it answers cannot be used.
    #[error("the answer of {url} {what}")]
    Answer {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// Its keys could not be had a moment ago, and it is not asked again yet.
    #[error("its keys could not be had a moment ago: {0}")]
    CoolingDown(String),
}

/// Whether a session at the provider still is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Liveness {
    /// The provider says yes.
    Live,
    /// The provider says no, or knows no such session.
    Ended,
    /// Nobody can be asked: this provider has no such question, or no secret key is configured.
    NotChecked,
    /// The provider gives no answer.
    Unavailable(Unavailable),
}

/// A provider's settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadSettings {
    /// A URL is not `https` (or `http` on this machine), or has more in it than it should.
    #[error("{setting} is not an https URL (http only on this machine): {url}")]
    Url {
        /// Which setting.
        setting: &'static str,
        /// Its value, shortened and in printable characters.
        url: String,
    },
    /// A setting that cannot be left empty is.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// The scopes do not contain `openid`.
    #[error("the scopes must contain openid")]
    Scopes,
    /// The PEM key is no RSA public key of 2048 to 8192 bits.
    #[error("jwt_key is not an RSA public key in PEM (BEGIN PUBLIC KEY)")]
    JwtKey,
    /// The client for HTTP cannot be made.
    #[error("no HTTP client: {0}")]
    Client(String),
    /// A trust rule cannot be used.
    #[error("trust rule {name:?}: {what}")]
    TrustRule {
        /// Which rule.
        name: String,
        /// What is wrong with it.
        what: String,
    },
}

impl Provider {
    /// The issuer, as clients must find it.
    pub fn issuer(&self) -> &str {
        match self {
            #[cfg(feature = "development")]
            Self::Development(provider) => provider.issuer(),
            Self::Oidc(provider) => provider.issuer(),
            Self::Clerk(provider) => provider.issuer(),
        }
    }

    /// The public client that signs people in.
    pub fn client_id(&self) -> &str {
        match self {
            #[cfg(feature = "development")]
            Self::Development(provider) => provider.client_id(),
            Self::Oidc(provider) => provider.client_id(),
            Self::Clerk(provider) => provider.client_id(),
        }
    }

    /// The scopes that the client should ask for.
    pub fn scopes(&self) -> Vec<String> {
        match self {
            #[cfg(feature = "development")]
            Self::Development(provider) => {
                provider.scopes().iter().map(|scope| (*scope).to_owned()).collect()
            }
            Self::Oidc(provider) => provider.scopes().to_vec(),
            Self::Clerk(provider) => provider.scopes().to_vec(),
        }
    }

    /// Whether this is the provider without passwords.
    pub fn is_development(&self) -> bool {
        match self {
            #[cfg(feature = "development")]
            Self::Development(_) => true,
            Self::Oidc(_) | Self::Clerk(_) => false,
        }
    }

    /// Who presents this token to be exchanged for a session: an ID token; with Clerk also a session
    /// token, or the opaque access token of a login.
    pub async fn identify(
        &self,
        login_token: &str,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<Identified, IdentifyError> {
        match self {
            #[cfg(feature = "development")]
            Self::Development(provider) => Ok(provider.identify(login_token, nonce, now)?),
            Self::Oidc(provider) => provider.identify(login_token, nonce, now).await,
            Self::Clerk(provider) => provider.identify(login_token, nonce, now).await,
        }
    }

    /// Who presents this token as the credential of a request. Only session tokens of Clerk's are
    /// accepted so. With the keys at hand it asks nobody and waits for nothing.
    pub async fn identify_direct(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Identified, IdentifyError> {
        match self {
            #[cfg(feature = "development")]
            Self::Development(_) => Err(IdentityRefused::NotDirectly.into()),
            Self::Oidc(_) => Err(IdentityRefused::NotDirectly.into()),
            Self::Clerk(provider) => provider.identify_session(token, now).await,
        }
    }

    /// Whether the session at the provider still is.
    pub async fn session_is_live(&self, sid: &str) -> Liveness {
        match self {
            #[cfg(feature = "development")]
            Self::Development(_) => Liveness::NotChecked,
            Self::Oidc(_) => Liveness::NotChecked,
            Self::Clerk(provider) => provider.liveness(sid).await,
        }
    }

    /// Fetches the provider's keys now and again before they grow old, so that requests need not.
    /// Never ends: the caller owns the task, and drops it to stop.
    pub async fn keep_keys_fresh(&self, clock: Arc<dyn Clock>) {
        match self {
            #[cfg(feature = "development")]
            Self::Development(_) => std::future::pending().await,
            Self::Oidc(provider) => provider.keys().keep_fresh(clock.as_ref()).await,
            Self::Clerk(provider) => provider.keep_keys_fresh(clock.as_ref()).await,
        }
    }
}
