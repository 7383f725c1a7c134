//! What a gateway asks: a token, for which workspace it must be, and which scopes it must have.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use nt_token::Scope;

use crate::authority::{Binding, Demand, Source};
use crate::http::extract::bearer;
use crate::http::forward_auth::denied::Denied;
use crate::http::forward_auth::original::binding;
use crate::http::forward_auth::{own_query, scopes};

/// What a gateway asks, whoever answers it.
#[derive(Debug)]
pub struct Question<'a> {
    /// The token that was sent.
    pub token: &'a str,
    /// Which workspace it must be for.
    pub binding: Binding,
    /// Which scopes it must have.
    pub scopes: Vec<Scope>,
}

impl<'a> Question<'a> {
    /// What is asked; what the gateway's settings got wrong is told before what its client did.
    pub fn of(headers: &'a HeaderMap, uri: &Uri) -> Result<Self, Denied> {
        let scopes = scopes::demanded(headers, own_query(uri))?;
        Ok(Self { token: credential(headers)?, binding: binding(headers, uri), scopes })
    }

    /// The token, and what is demanded of it where it is used from there.
    pub fn demand(self, source: Source) -> (&'a str, Demand) {
        (self.token, Demand { binding: self.binding, scopes: self.scopes, source })
    }
}

/// The one credential. Of two, the service behind the gateway might read the other.
pub(crate) fn credential(headers: &HeaderMap) -> Result<&str, Denied> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Denied::SeveralTokens),
        _ => bearer(headers).ok_or(Denied::NoToken),
    }
}
