//! The authority's keys, as its log brings them.

use nt_revocation::{Entry, Fact, RevocationSet};
use nt_token::KeySet;
use nt_token::jwk::{Jwk, Jwks};

use super::known::Misfit;

/// Those known so far. A revoked one stays: the set then says that what it signed is revoked.
#[derive(Default)]
pub(super) struct Keys(Vec<Jwk>);

impl Keys {
    /// All that a snapshot knows of; `None` if none, so that keys which were given otherwise stay.
    pub(super) fn replace(&mut self, set: &RevocationSet) -> Result<Option<KeySet>, Misfit> {
        self.0 = set.keys().iter().map(|jwk| read(jwk)).collect::<Result<_, _>>()?;
        if self.0.is_empty() { Ok(None) } else { self.set().map(Some) }
    }

    /// With the one that an entry adds, if it does.
    pub(super) fn add(&mut self, entry: &Entry) -> Result<Option<KeySet>, Misfit> {
        let Fact::KeyAdded { jwk, .. } = &entry.fact else { return Ok(None) };
        self.0.push(read(jwk)?);
        self.set().map(Some)
    }

    fn set(&self) -> Result<KeySet, Misfit> {
        KeySet::from_jwks(&Jwks { keys: self.0.clone() }).map_err(|e| Misfit(e.to_string()))
    }
}

fn read(jwk: &str) -> Result<Jwk, Misfit> {
    serde_json::from_str(jwk).map_err(|_| Misfit("a key that cannot be read here".to_owned()))
}
