//! A tower layer: requests without a good token do not reach the service (RFC 6750).
//!
//! ```text
//! no token                        401  WWW-Authenticate: Bearer
//! two tokens, or not a token      400  … error="invalid_request"
//! refused                         401  … error="invalid_token"
//! good, but without the scope     403  … error="insufficient_scope", scope="…"
//! good, but not from there        403  X-Auth-Unmet: source
//! not ready                       503  Retry-After: 1
//! ```
//!
//! A token that is restricted to networks does not pass unless the layer is told where to read from
//! where a request comes ([`BearerLayer::source`]). RFC 6750 has no error for one that is used from
//! elsewhere: it is good, and its holder is to keep it, so there is no challenge.
//!
//! A request that passes carries a [`VerifiedToken`] in its extensions. The body of its answer is cut
//! when the token ends, so that no stream outlives what allowed it. Of an upgraded connection
//! (WebSocket) the layer sees no more; there it is for the service to watch:
//!
//! ```
//! # use nt_verifier::VerifiedToken;
//! # async fn next_message() -> Option<String> { None }
//! # async fn talk(token: VerifiedToken) {
//! let ended = token.ended();
//! tokio::pin!(ended);
//! loop {
//!     tokio::select! {
//!         biased;
//!         why = &mut ended => return eprintln!("closing the connection: {why}"),
//!         message = next_message() => match message {
//!             Some(message) => println!("{message}"),
//!             None => return,
//!         },
//!     }
//! }
//! # }
//! ```

mod answer;
mod body;
mod credential;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use nt_token::Scope;
use tower_layer::Layer;
use tower_service::Service;

pub use body::{CutBody, CutError};

use crate::layer::answer::Denied;
use crate::refusal::NotAccepted;
use crate::{Freshness, VerifiedToken, Verifier};

/// Lets requests through that carry a good token.
#[derive(Clone)]
pub struct BearerLayer {
    verifier: Verifier,
    freshness: Freshness,
    scopes: Vec<Scope>,
    source: Option<Arc<Source>>,
}

/// Tells from where a request comes, by its head.
type Source = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

impl BearerLayer {
    /// A layer that asks this verifier, [`Freshness::Local`], demands no scope, and does not know from
    /// where its requests come.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, freshness: Freshness::Local, scopes: Vec::new(), source: None }
    }

    /// Demands verdicts as fresh as this.
    pub fn fresh(self, freshness: Freshness) -> Self {
        Self { freshness, ..self }
    }

    /// Demands that the token has this scope, besides those that are demanded already.
    pub fn scope(mut self, scope: Scope) -> Self {
        if !self.scopes.contains(&scope) {
            self.scopes.push(scope);
        }
        self
    }

    /// Tells from where a request comes: the address of the peer, or what a proxy that is trusted says of
    /// its own. It is asked only for tokens that are restricted to networks. Without it, and where it does
    /// not know, such a token does not pass.
    ///
    /// ```
    /// # fn doors(verifier: nt_verifier::Verifier, service: axum::Router) {
    /// use std::net::SocketAddr;
    ///
    /// use axum::extract::ConnectInfo;
    /// use nt_verifier::layer::BearerLayer;
    ///
    /// let bearer = BearerLayer::new(verifier).source(|head| {
    ///     head.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
    /// });
    /// service.layer(bearer).into_make_service_with_connect_info::<SocketAddr>();
    /// # }
    /// ```
    pub fn source(self, tell: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(tell)), ..self }
    }

    async fn admit(&self, head: &Parts) -> Result<VerifiedToken, Denied> {
        let token = credential::bearer(&head.headers)?;
        let verified = self.verifier.verify_or_ask(&token, self.freshness).await;
        let verified = verified.map_err(|not| match not {
            NotAccepted::Refused(_) => Denied::Refused,
            NotAccepted::NotReady(_) => Denied::NotReady,
        })?;
        let claims = verified.claims();
        if !self.scopes.iter().all(|scope| claims.scope.contains(scope)) {
            return Err(Denied::Scope(self.scopes.clone()));
        }
        let from = || self.source.as_ref().and_then(|source| source(head));
        if !claims.source_networks.is_empty() && !claims.source_networks.allow(from()) {
            return Err(Denied::Source);
        }
        Ok(verified)
    }
}

impl<S> Layer<S> for BearerLayer {
    type Service = Bearer<S>;

    fn layer(&self, inner: S) -> Bearer<S> {
        Bearer { layer: self.clone(), inner }
    }
}

/// A service behind a [`BearerLayer`].
#[derive(Clone)]
pub struct Bearer<S> {
    layer: BearerLayer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Bearer<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<CutBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was found ready is the one to call; its clone has to become ready first.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            match layer.admit(&head).await {
                Err(denied) => Ok(denied.answer()),
                Ok(token) => {
                    head.extensions.insert(token.clone());
                    let response = inner.call(Request::from_parts(head, body)).await?;
                    Ok(response.map(|body| CutBody::new(body, token)))
                }
            }
        })
    }
}
