//! How connections are made: nothing is set up that the address does not need.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const USER_AGENT: &str = concat!("ntcli/", env!("CARGO_PKG_VERSION"));

/// An agent for one address. It follows no redirects: a credential goes where it was meant to go.
/// To this machine itself it uses no proxy, and without encryption it loads no certificates.
pub(crate) fn agent(is_encrypted: bool, is_loopback: bool) -> Agent {
    let mut config = Agent::config_builder()
        .user_agent(USER_AGENT)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT_LIMIT))
        .timeout_global(Some(super::LIMIT));
    if is_loopback {
        config = config.proxy(None);
    }
    if is_encrypted {
        config = config.tls_config(tls());
    }
    Agent::with_parts(config.build(), DefaultConnector::new(), LiteralsFirst::default())
}

/// The platform says which certificates are trusted, as for every other program on this machine.
fn tls() -> TlsConfig {
    TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build()
}

/// Resolves an address that is already one without the thread that a name service needs.
#[derive(Debug, Default)]
struct LiteralsFirst(DefaultResolver);

impl Resolver for LiteralsFirst {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        match bare.parse::<IpAddr>() {
            Ok(address) => {
                let mut found = self.empty();
                found.push(SocketAddr::new(address, uri.port_u16().unwrap_or(usual)));
                Ok(found)
            }
            Err(_) => self.0.resolve(uri, config, timeout),
        }
    }
}
