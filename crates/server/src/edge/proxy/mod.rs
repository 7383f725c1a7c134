//! A reverse proxy that lets in who has a good token (`ntd edge --upstream`).
//!
//! ```text
//! client ── request, token ──▶ proxy ── request, X-Auth-… ──▶ upstream
//!        ◀── answer, body ───        ◀── answer, body ────
//!                  cut ✂ when the token was revoked, has expired, or nobody knows any more
//! ```
//!
//! Whether a token is good is decided as everywhere (`nt_verifier`); what is added here is that both
//! bodies, and what a connection became (`tunnel`), end with it. Each frame is looked after before it
//! passes, in both directions, so that after a revoke was answered nothing is passed on that was not
//! taken over before; that the other side sees it follows at once, as an abort. The acknowledgement
//! does not wait for that (`nt_verifier::Drain`): a client that does not read could hold it up.
//!
//! Bodies are never kept, only carried. An answer that came is never asked for again.

mod answer;
mod body;
mod cut;
mod head;
pub mod public;
pub mod resource;
pub mod serve;
pub mod settings;
#[cfg(test)]
mod tests;
mod tunnel;
mod upstream;

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONNECTION, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request, Version};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use nt_verifier::{End, Freshness, VerifiedToken};
use tokio::sync::OwnedSemaphorePermit;

use crate::authority::seen::Texts;
use crate::authority::{Binding, Demand};
use crate::edge::Edge;
use crate::edge::proxy::answer::Answer;
use crate::edge::proxy::body::{Download, Upload};
use crate::edge::proxy::cut::Cut;
use crate::edge::proxy::head::{Aim, Credential, Sender};
use crate::edge::proxy::resource::Challenge;
use crate::edge::proxy::settings::{Bound, Settings};
use crate::edge::proxy::upstream::{Failed, Upstream, Use};
use crate::http::client_address::Neighbour;
use crate::http::error::ApiError;
use crate::http::extract::bearer;
use crate::http::forward_auth::denied::Denied;
use crate::http::forward_auth::original::binding_of_path;
use crate::http::forward_auth::question::credential;
use crate::http::forward_auth::refused;
use crate::http::identity;
use crate::http::request::{named, request_id};

/// A connection's place among those that may be open: it is kept by what it becomes.
type Held = Arc<OwnedSemaphorePermit>;

/// The proxy.
pub struct Proxy {
    edge: Arc<Edge>,
    settings: Settings,
    challenge: Challenge,
    upstream: Upstream,
}

/// Over what a request comes.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    neighbour: Neighbour,
    encrypted: bool,
    held: Held,
    cut: Arc<Cut>,
}

impl Proxy {
    /// A proxy that asks this edge.
    pub fn new(edge: Arc<Edge>, settings: Settings) -> anyhow::Result<Self> {
        let challenge = Challenge::new(settings.resource.clone(), settings.scopes.clone());
        let upstream = Upstream::new(&settings)?;
        Ok(Self { edge, settings, challenge, upstream })
    }

    async fn answer(&self, request: Request<Incoming>, from: &Connection) -> Response {
        let (method, path) = (request.method(), request.uri().path());
        let issuer = self.edge.issuer.get().map(String::as_str);
        if let Some(described) = self.challenge.describe(method, path, issuer) {
            return described;
        }
        match self.pass(request, from).await {
            Ok(response) => response,
            Err(Refused(mut response)) => {
                self.challenge.complete(response.headers_mut());
                response
            }
        }
    }

    async fn pass(
        &self,
        request: Request<Incoming>,
        from: &Connection,
    ) -> Result<Response, Refused> {
        let (parts, body) = request.into_parts();
        let aim = head::aim(&parts)?;
        let version = parts.version;
        let (token, credential) = self.admit(&parts, from).await?;
        let upgrade = (head::is_web_socket(&parts) && self.upstream.upgrades()).then_some(());
        let mut request = Request::from_parts(parts, Upload::new(body, token.clone()));
        let client = upgrade.map(|()| hyper::upgrade::on(&mut request));
        self.prepare(&mut request, &aim, from, token.as_ref(), credential);
        let purpose = if client.is_some() {
            switch_to_web_socket(request.headers_mut());
            Use::ForAnother
        } else {
            Use::Again
        };
        let answered = tokio::select! {
            biased;
            answered = self.upstream.send(request, &aim, purpose) => answered,
            why = until_ended(token.as_ref()) => return Err(Denied::from(why).into()),
        };
        let response = match (answered, &token) {
            (Ok(response), _) => response,
            // The request's body was cut, which the connection noticed first.
            (Err(_), Some(token)) if let Some(why) = token.has_ended() => {
                return Err(Denied::from(why).into());
            }
            (Err(failed), _) => return Err(failed.into()),
        };
        let cut = (version != Version::HTTP_2).then(|| Arc::clone(&from.cut));
        Ok(pass_back(response, token, client, (cut, Arc::clone(&from.held))))
    }

    /// Whether a request may pass, and by which token.
    async fn admit(
        &self,
        parts: &Parts,
        from: &Connection,
    ) -> Result<(Option<VerifiedToken>, Credential), Refused> {
        let path = parts.uri.path();
        let is_public = self.settings.public.iter().any(|public| public.covers(path));
        if is_public {
            return Ok((None, self.whose(bearer(&parts.headers))));
        }
        let token = credential(&parts.headers)?;
        let demand = Demand {
            binding: match self.settings.workspace {
                Bound::Any => Binding::None,
                Bound::To(workspace) => Binding::To(workspace),
                Bound::ByPath => binding_of_path(path, None),
            },
            scopes: self.settings.scopes.clone(),
            source: from.neighbour.source(&parts.headers, &self.edge.proxies),
        };
        let admitted = self.edge.admit(token, &demand, Freshness::Local).await;
        let token = admitted.map_err(|why| Refused(refused(why, &demand.scopes)))?;
        Ok((Some(token), Credential::IsOurs))
    }

    /// Whose credential it is that is sent to where none is needed: ours is not for the upstream. What
    /// nobody can tell now is taken for ours.
    fn whose(&self, sent: Option<&str>) -> Credential {
        let Some(sent) = sent else { return Credential::IsTheirs };
        let verifier = self.edge.verifier.get();
        let is_theirs = !sent.starts_with(nt_token::sign::PREFIX)
            && verifier.is_some_and(|verifier| {
                matches!(verifier.verify(sent), Err(nt_verifier::NotAccepted::Refused(_)))
            });
        if is_theirs { Credential::IsTheirs } else { Credential::IsOurs }
    }

    fn sender(&self, from: &Connection) -> Sender {
        let neighbour = from.neighbour;
        let (address, trusted) = (neighbour.address(), neighbour.is_trusted(&self.edge.proxies));
        Sender { address, trusted, encrypted: from.encrypted }
    }

    /// Makes a request's head the one that the upstream gets.
    fn prepare(
        &self,
        request: &mut Request<Upload>,
        aim: &Aim,
        from: &Connection,
        token: Option<&VerifiedToken>,
        credential: Credential,
    ) {
        let sender = self.sender(from);
        let headers = request.headers_mut();
        head::strip_hop_by_hop(headers);
        head::strip_reserved(headers, sender, credential);
        head::add_forwarded(headers, sender, aim.host.as_ref());
        if let Some(token) = token {
            identity::say(headers, &Texts::of(token.claims()));
        }
    }
}

/// The upstream's answer as the client gets it.
fn pass_back(
    response: axum::http::Response<Download>,
    token: Option<VerifiedToken>,
    client: Option<OnUpgrade>,
    (cut, held): (Option<Arc<Cut>>, Held),
) -> Response {
    let (mut parts, body) = response.into_parts();
    head::strip_hop_by_hop(&mut parts.headers);
    // Its own; the client's is the connection's matter.
    parts.version = Version::HTTP_11;
    if parts.status == axum::http::StatusCode::SWITCHING_PROTOCOLS
        && let Some(client) = client
    {
        switch_to_web_socket(&mut parts.headers);
        let mut response = axum::http::Response::from_parts(parts, Body::empty());
        let upstream = hyper::upgrade::on(&mut response);
        tokio::spawn(tunnel::carry(client, upstream, token, cut, held));
        return response;
    }
    let body = match token {
        Some(token) => Body::new(Answer::new(body, token, cut)),
        None => Body::new(body),
    };
    Response::from_parts(parts, body)
}

fn switch_to_web_socket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Resolves when a token ends; never without one.
async fn until_ended(token: Option<&VerifiedToken>) -> End {
    match token {
        Some(token) => token.ended().await,
        None => std::future::pending().await,
    }
}

impl From<End> for Denied {
    fn from(end: End) -> Self {
        match end {
            End::Revoked => Self::Revoked,
            End::Expired => Self::Expired,
            End::NotKnown => Self::NotReady,
        }
    }
}

/// The answer to what does not pass.
struct Refused(Response);

impl From<Denied> for Refused {
    fn from(why: Denied) -> Self {
        Self(refused(why, &[]))
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self(named(&error, &request_id()))
    }
}

impl From<Failed> for Refused {
    fn from(failed: Failed) -> Self {
        tracing::warn!("the upstream: {failed}");
        match failed {
            Failed::NotInTime => ApiError::gateway_timeout().into(),
            _ => ApiError::bad_gateway().into(),
        }
    }
}
