//! The settings of who signs people and CI jobs in.

use std::collections::BTreeMap;

use nt_identity::clerk::ClerkSettings;
use nt_identity::oidc::OidcSettings;
use nt_identity::trust::TrustRule;
use nt_store::Role;
use nt_token::{Secret, WorkspaceId};
use serde::Deserialize;

use super::ConfigError;

/// The section `[clerk]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClerkLayer {
    /// The Frontend API: `https://clerk.example.com`, or its host alone.
    pub frontend_api: Option<String>,
    /// The public OAuth application that `ntcli` signs in as.
    pub client_id: Option<String>,
    /// The scopes to ask for.
    pub scopes: Option<Vec<String>>,
    /// The origins whose session tokens are accepted.
    pub authorized_parties: Option<Vec<String>>,
    /// The key of the Backend API.
    pub secret_key: Option<Secret>,
    /// The instance's public key in PEM.
    pub jwt_key: Option<String>,
    /// Where the Backend API is.
    pub api_url: Option<String>,
}

impl ClerkLayer {
    pub(super) fn over(self, other: Self) -> Self {
        Self {
            frontend_api: self.frontend_api.or(other.frontend_api),
            client_id: self.client_id.or(other.client_id),
            scopes: self.scopes.or(other.scopes),
            authorized_parties: self.authorized_parties.or(other.authorized_parties),
            secret_key: self.secret_key.or(other.secret_key),
            jwt_key: self.jwt_key.or(other.jwt_key),
            api_url: self.api_url.or(other.api_url),
        }
    }
}

/// The section `[oidc]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcLayer {
    /// The issuer, exactly as it names itself.
    pub issuer: Option<String>,
    /// The public client that `ntcli` signs in as.
    pub client_id: Option<String>,
    /// The scopes to ask for.
    pub scopes: Option<Vec<String>>,
}

impl OidcLayer {
    pub(super) fn over(self, other: Self) -> Self {
        Self {
            issuer: self.issuer.or(other.issuer),
            client_id: self.client_id.or(other.client_id),
            scopes: self.scopes.or(other.scopes),
        }
    }
}

/// A section `[[trust]]`: which CI jobs are let in, where and as what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustLayer {
    /// Names the rule in the log.
    pub name: String,
    /// The CI platform's issuer.
    pub issuer: String,
    /// The audience that the job must have asked for.
    pub audience: String,
    /// What the job's token must say.
    pub claims: BTreeMap<String, String>,
    /// The one workspace.
    pub workspace: String,
    /// What the job is there.
    pub role: String,
    /// Whether the job may revoke.
    #[serde(default)]
    pub may_revoke: bool,
}

impl TrustLayer {
    pub(super) fn rule(self) -> Result<TrustRule, ConfigError> {
        let bad = |what| ConfigError::Trust { name: self.name.clone(), what };
        let workspace: WorkspaceId =
            self.workspace.parse().map_err(|_| bad("'workspace' must be a workspace's UUID"))?;
        let known = Role::named(&self.role).filter(|role| *role != Role::Owner);
        known.ok_or_else(|| bad("'role' must be admin, developer or viewer"))?;
        Ok(TrustRule {
            name: self.name,
            issuer: self.issuer,
            audience: self.audience,
            claims: self.claims,
            workspace,
            role: self.role,
            may_revoke: self.may_revoke,
        })
    }
}

/// Who signs people in.
#[derive(Debug, Clone)]
pub enum ProviderSettings {
    /// A Clerk instance.
    Clerk(ClerkSettings),
    /// Any OpenID Connect issuer.
    Oidc(OidcSettings),
}

/// The one provider that is configured, if one is.
pub(super) fn provider(
    clerk: Option<ClerkLayer>,
    oidc: Option<OidcLayer>,
) -> Result<Option<ProviderSettings>, ConfigError> {
    let scopes = |scopes: Option<Vec<String>>| {
        scopes.unwrap_or_else(|| ["openid", "email", "profile"].map(str::to_owned).to_vec())
    };
    match (clerk, oidc) {
        (Some(_), Some(_)) => Err(ConfigError::TwoProviders),
        (Some(clerk), None) => Ok(Some(ProviderSettings::Clerk(ClerkSettings {
            frontend_api: clerk.frontend_api.ok_or(ConfigError::Missing("clerk.frontend_api"))?,
            client_id: clerk.client_id.ok_or(ConfigError::Missing("clerk.client_id"))?,
            scopes: scopes(clerk.scopes),
            authorized_parties: clerk.authorized_parties.unwrap_or_default(),
            jwt_key: clerk.jwt_key,
            secret_key: clerk.secret_key,
            api_url: clerk.api_url,
        }))),
        (None, Some(oidc)) => Ok(Some(ProviderSettings::Oidc(OidcSettings {
            issuer: oidc.issuer.ok_or(ConfigError::Missing("oidc.issuer"))?,
            client_id: oidc.client_id.ok_or(ConfigError::Missing("oidc.client_id"))?,
            scopes: scopes(oidc.scopes),
        }))),
        (None, None) => Ok(None),
    }
}
