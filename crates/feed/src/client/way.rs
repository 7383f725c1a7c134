//! The way to a node: an endpoint, and the client certificate that is shown there, if any.

use std::sync::Arc;

use tonic::transport::{ClientTlsConfig, Endpoint, Identity as Shown};

use super::identity::{Identity, NoIdentity, Pem, Shows};

/// Cheap to clone, and small: what connects is held by many futures.
#[derive(Clone)]
pub(super) struct Way {
    endpoint: Arc<Endpoint>,
    showing: Option<Arc<Showing>>,
}

struct Showing {
    tls: ClientTlsConfig,
    identity: Shows<Arc<Endpoint>>,
}

impl From<Endpoint> for Way {
    fn from(endpoint: Endpoint) -> Self {
        Self { endpoint: Arc::new(endpoint), showing: None }
    }
}

impl Way {
    /// Showing this identity, which must be usable now.
    pub(super) fn showing(
        endpoint: Endpoint,
        tls: ClientTlsConfig,
        identity: Identity,
    ) -> Result<Self, NoIdentity> {
        let pem = identity.read()?;
        with(&endpoint, &tls, &pem).ok_or_else(|| identity.unusable())?;
        let showing = Showing { tls, identity: Shows::new(identity) };
        Ok(Self { endpoint: Arc::new(endpoint), showing: Some(Arc::new(showing)) })
    }

    /// The same way with other settings. To be called before the first [`Self::endpoint`].
    pub(super) fn map(self, change: impl FnOnce(Endpoint) -> Endpoint) -> Self {
        Self { endpoint: Arc::new(change(Arc::unwrap_or_clone(self.endpoint))), ..self }
    }

    /// Which node it leads to.
    pub(super) fn node(&self) -> String {
        self.endpoint.uri().to_string()
    }

    /// To connect to now.
    pub(super) fn endpoint(&self) -> Result<Arc<Endpoint>, NoIdentity> {
        match self.showing.as_deref() {
            None => Ok(Arc::clone(&self.endpoint)),
            Some(Showing { tls, identity }) => {
                identity.now(|pem| with(&self.endpoint, tls, pem).map(Arc::new))
            }
        }
    }
}

fn with(endpoint: &Endpoint, tls: &ClientTlsConfig, pem: &Pem) -> Option<Endpoint> {
    let shown = Shown::from_pem(&pem.certificate, pem.key.expose());
    // The library's reason may show what it read.
    endpoint.clone().tls_config(tls.clone().identity(shown)).ok()
}
