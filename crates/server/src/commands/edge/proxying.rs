//! The flags of an edge that is a proxy.

use std::path::PathBuf;

use nt_token::Scope;

use crate::edge::listener::{Address, Listener};
use crate::edge::proxy::public::PublicPath;
use crate::edge::proxy::resource::Resource;
use crate::edge::proxy::settings::{Bound, Origin, Settings};
use crate::edge::serve::Proxying;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "In front of a server")]
pub(super) struct Flags {
    /// Pass what has a good token on to this server, without the token and with X-Auth-Workspace, -Jti,
    /// -Scope and -Expires, and cut what is open when the token is revoked
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_UPSTREAM",
        value_name = "http://…|https://…|h2c://…|unix:PATH"
    )]
    upstream: Option<Origin>,
    /// Trust the certificates in this PEM file for the upstream's https, in place of the system's
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_UPSTREAM_CA",
        value_name = "FILE",
        requires = "upstream"
    )]
    upstream_ca: Option<PathBuf>,
    /// Where /v1/token_auth, /readyz, /livez, /health and /metrics are beside an upstream, without TLS:
    /// an address with a port, or unix:PATH
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_ADMIN_LISTEN",
        value_name = "ADDRESS|unix:PATH",
        requires = "upstream"
    )]
    admin_listen: Option<Address>,
    /// The URL that clients have of the upstream. It is described at
    /// /.well-known/oauth-protected-resource (RFC 9728), and refusals say so, as MCP has it
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_RESOURCE",
        value_name = "URL",
        requires = "upstream"
    )]
    resource: Option<Resource>,
    /// Demand this scope of every token; may be given several times
    #[arg(
        long = "scope",
        hide_env = true,
        env = "NTD_EDGE_SCOPE",
        value_name = "SCOPE",
        value_delimiter = ',',
        requires = "upstream"
    )]
    scopes: Vec<Scope>,
    /// Demand that the token is for this workspace; or, with path, for the one that the path names by
    /// its first segment that is a UUID
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_WORKSPACE",
        value_name = "UUID|path",
        requires = "upstream"
    )]
    workspace: Option<Bound>,
    /// Pass this path and what is below it without a token; may be given several times
    #[arg(
        long = "public-path",
        hide_env = true,
        env = "NTD_EDGE_PUBLIC_PATH",
        value_name = "PATH",
        value_delimiter = ',',
        requires = "upstream"
    )]
    public: Vec<PublicPath>,
}

impl Flags {
    /// What they say, where there is an upstream. The edge's own doors are open after this.
    pub(super) async fn proxying(self) -> anyhow::Result<Option<Proxying>> {
        let Some(upstream) = self.upstream else { return Ok(None) };
        let admin = match &self.admin_listen {
            None => None,
            Some(address) => Some(Listener::bind(address).await?),
        };
        if let Some(admin) = &admin {
            tracing::info!("the edge's own doors are on {}", admin.address()?);
        }
        tracing::info!("in front of {upstream}");
        let settings = Settings {
            upstream,
            ca: self.upstream_ca,
            resource: self.resource,
            scopes: self.scopes,
            public: self.public,
            workspace: self.workspace.unwrap_or_default(),
        };
        Ok(Some(Proxying { settings, admin }))
    }
}
