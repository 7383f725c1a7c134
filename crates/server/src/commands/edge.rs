//! `ntd edge`: checks tokens beside a service, for an authority elsewhere.

mod proxying;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args as _;
use ipnet::IpNet;
use nt_feed::ask::HttpAsk;
use nt_feed::client::{AuthorityUrl, Identity, PlainHttp, Settings};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{LogFormat, refuse_unknown_of_edge};
use crate::data_dir::private;
use crate::edge::WithoutLease;
use crate::edge::link::{Link, PROGRAM, authorities, credential};
use crate::edge::listener::{Address, Listener};
use crate::edge::serve;
use crate::telemetry;
use crate::tls::{Clients, Files, Tls};

/// The longest name that the feed takes, in bytes.
const NAME_BYTES: usize = 128;

/// Check tokens beside a service, in the stead of an authority elsewhere.
///
/// Answers /v1/token_auth as the authority does, but from its own memory: it follows what the
/// authority revokes, and a revoke is answered only when this process refuses the token too. Without
/// the authority it answers 503 after two seconds, never 401.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ntd edge --authority http://127.0.0.1:8480 --listen 127.0.0.1:8481    beside ntd serve --dev
  ntcli verifiers add gateway-1 > /etc/ntd/edge.credential; chmod 600 /etc/ntd/edge.credential
  ntd edge --authority https://tokens.example.com --listen 127.0.0.1:8481 \\
      --credential-file /etc/ntd/edge.credential
  ntd edge --authority https://tokens.example.com --listen unix:/run/ntd/edge.sock \\
      --credential-file /etc/ntd/edge.credential --name gateway-1
  ntd edge --authority https://a.internal,https://b.internal,https://c.internal \\
      --listen 127.0.0.1:8481 --credential-file edge.credential    an authority of three nodes
  ntd edge --authority https://tokens.internal:8480 --ca ca.pem --listen 0.0.0.0:8481 \\
      --credential-file /etc/ntd/edge.credential --tls-certificate edge.pem --tls-key edge.key
  ntd edge --authority https://tokens.example.com --listen 127.0.0.1:8481 \\
      --credential-file /etc/ntd/edge.credential \\
      --client-certificate gateway-1.pem --client-key gateway-1.key    where it demands one
  curl --unix-socket /run/ntd/edge.sock -H \"Authorization: Bearer $TOKEN\" \\
      http://edge/v1/token_auth

  ntd edge --authority https://tokens.example.com --listen 0.0.0.0:8443 \\
      --credential-file /etc/ntd/edge.credential --tls-certificate edge.pem --tls-key edge.key \\
      --upstream http://127.0.0.1:9000 --resource https://mcp.example.com/mcp --scope read \\
      --admin-listen 127.0.0.1:8482    in front of an MCP server

With --upstream whatever comes to --listen goes there, and the paths below are on --admin-listen.
/v1/token_auth?freshness=sync asks the authority about this very token, for what cannot bear a
lease's delay. Beside it: /readyz (200 while it can answer), /livez, /health, /metrics.
SIGTERM and SIGINT stop it in order: it tells the authority first, so that no revoke waits for it.
SIGHUP reads its TLS certificate, key and client CA again.

Each flag can stand in the environment too (NTD_EDGE_AUTHORITY=…); flags win over it. With
--without-lease ask it goes on by asking, which needs no credential: one whose verifier was removed
does so too.")]
pub(super) struct Args {
    /// Where the authority is. Of an authority of several nodes give each, by commas or by further
    /// flags: one is followed, and another when that one ends or is out of reach
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_AUTHORITY",
        value_name = "URL",
        required = true,
        value_delimiter = ','
    )]
    authority: Vec<AuthorityUrl>,
    /// Where to listen: an address with a port, or unix:PATH for a socket
    #[arg(long, hide_env = true, env = "NTD_EDGE_LISTEN", value_name = "ADDRESS|unix:PATH")]
    listen: Address,
    /// The file with the credential that `ntcli verifiers add` printed; readable by nobody else.
    /// Only an authority that was started with --dev does without
    #[arg(long, hide_env = true, env = "NTD_EDGE_CREDENTIAL_FILE", value_name = "FILE")]
    credential_file: Option<PathBuf>,
    /// Trust the certificates in this PEM file for the authority's https, in place of the system's
    #[arg(long, hide_env = true, env = "NTD_EDGE_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Show the authority this client certificate, where it demands one beside the credential: a PEM
    /// file. Renewed on disk, it is shown at the next connection
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_CLIENT_CERTIFICATE",
        value_name = "FILE",
        requires = "client_key"
    )]
    client_certificate: Option<PathBuf>,
    /// The client certificate's private key, a PEM file; readable by nobody else
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_CLIENT_KEY",
        value_name = "FILE",
        requires = "client_certificate"
    )]
    client_key: Option<PathBuf>,
    /// Serve TLS by this certificate, a PEM file with those between it and its root
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_TLS_CERTIFICATE",
        value_name = "FILE",
        requires = "tls_key"
    )]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key, a PEM file; readable by nobody else
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_TLS_KEY",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    tls_key: Option<PathBuf>,
    /// Let only those ask here whose certificate those in this PEM file have signed; others come no
    /// further than the TLS handshake, also where they ask for /livez, /readyz and /metrics
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_CLIENT_CA",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    client_ca: Option<PathBuf>,
    /// What this process calls itself: listings show it beside the name that its credential is
    /// registered under. Receipts and logs have that name, and this one where there is no credential
    /// [default: edge]
    #[arg(long, hide_env = true, env = "NTD_EDGE_NAME", value_name = "NAME", default_value = "edge", value_parser = name, hide_default_value = true)]
    name: String,
    /// End if the authority's tokens name another issuer than this
    #[arg(long, hide_env = true, env = "NTD_EDGE_ISSUER", value_name = "URL")]
    issuer: Option<String>,
    /// End if the authority's tokens name another audience than this
    #[arg(long, hide_env = true, env = "NTD_EDGE_AUDIENCE", value_name = "AUDIENCE")]
    audience: Option<String>,
    /// What to do about a token while there is no lease; to ask makes each check as slow as the
    /// authority is far
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_WITHOUT_LEASE",
        value_name = "WHAT",
        default_value = "refuse"
    )]
    without_lease: WithoutLease,
    /// Keep here how far this process has been, so that also after a restart it refuses an authority
    /// that has lost revocations since. Made if it is not there; one for each process
    #[arg(long, hide_env = true, env = "NTD_EDGE_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Follow the authority over http:// beyond this machine, where something else encrypts it
    #[arg(long, hide_env = true, env = "NTD_EDGE_PLAIN_HTTP")]
    plain_http: bool,
    /// Believe X-Forwarded-For of these, the networks or addresses of gateways in front; whoever asks
    /// through a Unix socket is believed in any case. Give several by commas or by further flags
    #[arg(
        long = "trusted-proxy",
        hide_env = true,
        env = "NTD_EDGE_TRUSTED_PROXIES",
        value_name = "CIDR",
        value_delimiter = ',',
        value_parser = network
    )]
    trusted_proxies: Vec<IpNet>,
    /// What is logged: error, warn, info, debug, or a filter by module [default: info]
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_LOG",
        value_name = "FILTER",
        default_value = "info",
        hide_default_value = true
    )]
    log: String,
    /// How it is logged [default: text]
    #[arg(
        long,
        hide_env = true,
        env = "NTD_EDGE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true
    )]
    log_format: LogFormat,
    #[command(flatten)]
    proxying: proxying::Flags,
}

impl Args {
    /// Runs the edge.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        refuse_unknown_of_edge(&variables())?;
        telemetry::start(&self.log, self.log_format)?;
        let open = self.authority.iter().find(|authority| !authority.is_private());
        if let Some(open) = open.filter(|_| !self.plain_http) {
            bail!(
                "{open} is not encrypted: whoever is on the way could say which keys sign. Use https, \
                 or --plain-http where something else encrypts it"
            );
        }
        let runtime = tokio::runtime::Runtime::new().context("no threads to run on")?;
        runtime.block_on(self.serve())?;
        Ok(ExitCode::SUCCESS)
    }

    async fn serve(self) -> anyhow::Result<()> {
        // Before anything that may take time: a signal that arrives meanwhile is an orderly stop too.
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (first, others) = self.authority.split_first().context("no authority to follow")?;
        let mut settings = Settings::new(first.clone(), self.name);
        settings.others = others.to_vec();
        settings.program = Some(PROGRAM.to_owned());
        settings.credential = self.credential_file.as_deref().map(credential).transpose()?;
        if self.plain_http {
            settings.plain_http = PlainHttp::Anywhere;
        }
        if let Some(dir) = &self.state_dir {
            std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
            settings.position_file = Some(dir.join("position"));
        }
        settings.ca = self.ca.as_deref().map(authorities).transpose()?;
        let identity = self.client_certificate.zip(self.client_key);
        settings.identity = identity.map(|(certificate, key)| Identity { certificate, key });
        if let Some(Err(wide)) = settings.identity.as_ref().map(|shown| private(&shown.key, 0o600))
        {
            tracing::warn!("{wide}");
        }
        settings.ask = Some(HttpAsk::of(&settings)?);
        let link = Link {
            settings,
            issuer: self.issuer,
            audience: self.audience,
            without_lease: self.without_lease,
            proxies: self.trusted_proxies,
        };
        let files = self.tls_certificate.zip(self.tls_key);
        let clients = self.client_ca.map_or(Clients::NotAsked, Clients::Demanded);
        let files = files.map(|(certificate, key)| Files { certificate, key, clients });
        let tls = files.map(Tls::open).transpose()?;
        let listener = Listener::bind(&self.listen).await?;
        let proxying = self.proxying.proxying().await?;
        let (address, is_encrypted) = (listener.address()?, tls.is_some());
        let authority =
            self.authority.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        tracing::info!(authority, tls = is_encrypted, "listening on {address}");
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
                _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
            }
        };
        Box::pin(serve::run(listener, tls, link, proxying, stop)).await
    }
}

/// The environment variables that stand for flags.
fn variables() -> Vec<String> {
    let command = Args::augment_args(clap::Command::new("edge"));
    let named = command.get_arguments().filter_map(clap::Arg::get_env);
    named.filter_map(|name| name.to_str().map(str::to_owned)).collect()
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, &'static str> {
    let address = text.parse::<IpAddr>().map(|address| address.to_canonical().into());
    address.or_else(|_| text.parse()).map_err(|_| "use a network such as 10.0.0.0/8, or an address")
}

fn name(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || text.len() > NAME_BYTES || text.chars().any(char::is_control) {
        return Err("a name has 1 to 128 bytes and no control characters");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    fn authorities_of(flags: &[&str]) -> Result<Vec<String>, clap::Error> {
        let command = Args::augment_args(clap::Command::new("edge"));
        let all = ["edge", "--listen", "127.0.0.1:1"].iter().chain(flags);
        let args = Args::from_arg_matches(&command.try_get_matches_from(all)?)?;
        Ok(args.authority.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_nodes_of_an_authority_are_given_by_commas_or_by_flags_and_one_at_least() {
        let three = ["https://a/", "https://b/", "https://c/"].map(str::to_owned).to_vec();
        let by_commas = authorities_of(&["--authority", "https://a,https://b,https://c"]);
        assert_eq!(by_commas.expect("origins"), three);
        let by_flags = ["--authority=https://a", "--authority", "https://b,https://c"];
        assert_eq!(authorities_of(&by_flags).expect("origins"), three);
        assert!(authorities_of(&[]).is_err());
        assert!(authorities_of(&["--authority", "https://a,"]).is_err());
    }

    #[test]
    fn trusted_proxies_are_networks_or_addresses() {
        let command = Args::augment_args(clap::Command::new("edge"));
        let flags = ["edge", "--listen", "127.0.0.1:1", "--authority", "https://a"];
        let more = ["--trusted-proxy", "10.0.0.0/8,192.0.2.7", "--trusted-proxy=::1"];
        let matches = command.clone().try_get_matches_from(flags.iter().chain(&more));
        let args = Args::from_arg_matches(&matches.expect("flags")).expect("flags");
        let read: Vec<String> = args.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(read, ["10.0.0.0/8", "192.0.2.7/32", "::1/128"]);
        let bad = flags.iter().chain(&["--trusted-proxy", "somewhere"]);
        assert!(command.try_get_matches_from(bad).is_err());
    }
}
