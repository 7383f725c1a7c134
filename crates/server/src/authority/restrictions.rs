//! What a token may be used for and from where, as far as issuing it goes: what was asked for is read,
//! kept within what the token had that it replaces, and small enough for every verifier.

use nt_api::tokens::CreateToken;
use nt_store::NewToken;
use nt_token::check::LONGEST;
use nt_token::sign::length;
use nt_token::{Claims, Networks, OperatorId, Place, Scopes, TokenRecord};

use crate::authority::Authority;
use crate::authority::error::Refusal;

const SCOPE: &str = "scope";
const SOURCE_NETWORKS: &str = "source_networks";

/// The scopes that are asked for.
pub(super) fn scopes(request: &CreateToken) -> Result<Scopes, Refusal> {
    let scopes = request.scope.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>();
    scopes.and_then(Scopes::new).map_err(|e| Refusal::invalid(SCOPE, e.to_string()))
}

/// The networks that are asked for.
pub(super) fn networks(request: &CreateToken) -> Result<Networks, Refusal> {
    let networks = request.source_networks.iter().map(|text| text.parse());
    let networks = networks.collect::<Result<Vec<_>, _>>().and_then(Networks::new);
    networks.map_err(|e| Refusal::invalid(SOURCE_NETWORKS, e.to_string()))
}

/// Lets a token that replaces another do what that one could, and no more (RFC 6749, section 6): what
/// the request is silent about is kept.
pub(super) fn replace(
    old: &TokenRecord,
    new: &mut NewToken,
    request: &CreateToken,
) -> Result<(), Refusal> {
    if request.scope.is_empty() {
        new.scope = old.scope.clone();
    }
    if request.source_networks.is_empty() {
        new.source_networks = old.source_networks.clone();
    }
    if !new.scope.within(&old.scope) {
        let message = "A refreshed token has no scope that the old one had not";
        return Err(Refusal::invalid(SCOPE, message));
    }
    if !new.source_networks.within(&old.source_networks) {
        let message = "A refreshed token may be used from nowhere that the old one might not";
        return Err(Refusal::invalid(SOURCE_NETWORKS, message));
    }
    Ok(())
}

impl Authority {
    /// Refuses a token that would be longer than a verifier looks at: its holder would be refused
    /// everywhere.
    pub(super) fn demand_short(&self, new: &NewToken, by: &OperatorId) -> Result<(), Refusal> {
        let keys = self.keys.now();
        let Some(signer) = keys.signing(&new.kid) else { return Ok(()) };
        let claims = Claims {
            iss: self.expected.issuer.clone(),
            aud: new.audience.clone(),
            sub: new.workspace,
            jti: new.jti.clone(),
            iat: self.clock.now(),
            exp: new.expiry.claimed(),
            scope: new.scope.clone(),
            source_networks: new.source_networks.clone(),
            client_id: by.clone(),
            // Not known yet, and longer than they will be.
            rv: u64::MAX,
            place: Place { list: u32::MAX, idx: u32::MAX },
        };
        if length(&claims, &signer.key) <= LONGEST {
            return Ok(());
        }
        let (scope, networks) = (new.scope.to_string(), new.source_networks.to_string());
        let field = if scope.len() >= networks.len() { SCOPE } else { SOURCE_NETWORKS };
        let message = format!(
            "The token would be longer than {LONGEST} bytes, which no verifier takes: use fewer or \
             shorter scopes and networks"
        );
        Err(Refusal::invalid(field, message))
    }
}

/// The texts of networks, for JSON.
pub(super) fn network_names(networks: &Networks) -> Vec<String> {
    networks.iter().map(ToString::to_string).collect()
}

/// The names of scopes, for JSON.
pub(super) fn scope_names(scope: &Scopes) -> Vec<String> {
    scope.iter().map(|scope| scope.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests;
