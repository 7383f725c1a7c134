//! A tower layer: requests without a good token do not reach the service (RFC 6750).
//!
//! ```text
//! no token                        401  WWW-Authenticate: Bearer
//! two tokens, or not a token      400  … error="invalid_request"
//! refused                         401  … error="invalid_token"
//! good, but without the scope     403  … error="insufficient_scope", scope="…"
//! not ready                       503  Retry-After: 1
//! ```
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

use std::pin::Pin;
use std::task::{Context, Poll};

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
    scope: Option<Scope>,
}

impl BearerLayer {
    /// A layer that asks this verifier, [`Freshness::Local`], and demands no scope.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, freshness: Freshness::Local, scope: None }
    }

    /// Demands verdicts as fresh as this.
    pub fn fresh(self, freshness: Freshness) -> Self {
        Self { freshness, ..self }
    }

    /// Demands that the token has this scope.
    pub fn scope(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    async fn admit(&self, token: Result<String, Denied>) -> Result<VerifiedToken, Denied> {
        let verified = self.verifier.verify_or_ask(&token?, self.freshness).await;
        let verified = verified.map_err(|not| match not {
            NotAccepted::Refused(_) => Denied::Refused,
            NotAccepted::NotReady(_) => Denied::NotReady,
        })?;
        match &self.scope {
            Some(scope) if !verified.claims().scope.contains(scope) => {
                Err(Denied::Scope(scope.clone()))
            }
            _ => Ok(verified),
        }
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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The service that was found ready is the one to call; its clone has to become ready first.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            match layer.admit(credential::bearer(request.headers())).await {
                Err(denied) => Ok(denied.answer()),
                Ok(token) => {
                    request.extensions_mut().insert(token.clone());
                    let response = inner.call(request).await?;
                    Ok(response.map(|body| CutBody::new(body, token)))
                }
            }
        })
    }
}
