//! `ntd serve`: runs the authority until it is told to stop.

mod opening;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use nt_identity::clerk::ClerkProvider;
use nt_identity::development::DevelopmentProvider;
use nt_identity::oidc::OidcProvider;
use nt_identity::provider::Provider;
use nt_identity::trust::TrustedIssuers;
use nt_token::Secret;
use nt_token::clock::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::opening::{Opened, open};
use crate::authority::feed::Admission;
use crate::authority::start::Start;
use crate::authority::{Authority, Policy};
use crate::config::{Config, Database, Layer, LogFormat, ProviderSettings};
use crate::data_dir::DataDir;
use crate::http::serve::Stopped;
use crate::tls::Tls;
use crate::tls::clients::Demanding;
use crate::{http, telemetry};

/// What a supervisor is told by, as sysexits.h has it for what is to be tried again: a process that
/// starts anew goes on where this one could not.
const START_ANEW: u8 = 75;

/// Run the authority.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ntd serve --dev                                   try it out: loopback, development sign-in
  ntd serve --listen 10.0.0.5:8480 --data-dir /var/lib/ntd
  ntd serve --listen 0.0.0.0:443 --tls-certificate fullchain.pem --tls-key key.pem \\
      --issuer https://tokens.example.com
  ntd serve --config /etc/ntd.toml

SIGTERM and SIGINT stop it in order: what was accepted is answered first. SIGHUP reads the TLS
certificate, its key and the client CA again.")]
pub(super) struct Args {
    /// For trying things out: loopback only, with a sign-in whose users have no passwords
    #[arg(long)]
    dev: bool,
    /// Address to listen on [default: 127.0.0.1:8480]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where keys and database are kept [default: ./ntd-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The database, as sqlite:PATH, or for several nodes postgres://USER:PASSWORD@HOST/NAME
    /// [default: ntd.db in the data directory]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Use a database that has standbys and does not wait for them: a fail-over may bring revoked
    /// tokens back
    #[arg(long)]
    allow_lossy_failover: bool,
    /// Where other nodes reach this one [default: http://<listen address>, with TLS https://]
    #[arg(long, value_name = "URL")]
    advertise: Option<String>,
    /// Check the other nodes' certificates by those in this PEM file, in place of the system's
    #[arg(long, value_name = "FILE")]
    peer_ca: Option<PathBuf>,
    /// The `iss` of every token; fixed at the first start [default: http://<listen
    /// address>, with TLS https://]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The `aud` of every token [default: the issuer]
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// Serve TLS by this certificate, a PEM file with those between it and its root
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key, a PEM file; readable by nobody else
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Ask clients for certificates too, and check them by those in this PEM file: verifiers and callers
    /// of /oauth2/* then need one (setting client_certificates)
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// The file with the secret that the private signing keys are encrypted under; readable by nobody
    /// else [default: key-secret in the data directory, made at the first start]
    #[arg(long, value_name = "FILE")]
    key_secret_file: Option<PathBuf>,
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What is logged: error, warn, info, debug, or a filter by module [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How it is logged [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

impl Args {
    /// Runs the authority.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let flags = Layer {
            listen: self.listen,
            data_dir: self.data_dir,
            database: self.database.map(Secret::from),
            allow_lossy_failover: self.allow_lossy_failover.then_some(true),
            advertise: self.advertise,
            peer_ca: self.peer_ca,
            issuer: self.issuer,
            audience: self.audience,
            tls_certificate: self.tls_certificate,
            tls_key: self.tls_key,
            tls_client_ca: self.tls_client_ca,
            key_secret_file: self.key_secret_file,
            log: self.log,
            log_format: self.log_format,
            ..Layer::default()
        };
        let config = Config::load(flags, self.config.as_deref())?;
        telemetry::start(&config.log, config.log_format)?;
        if self.dev && !config.listen.ip().is_loopback() {
            bail!(
                "--dev listens on loopback addresses only, and {} is none: its users have no \
                 passwords. Leave --listen out, or configure an identity provider and leave --dev out",
                config.listen
            );
        }
        let data_dir = DataDir::create(&config.data_dir)?;
        let runtime = tokio::runtime::Runtime::new().context("no threads to run on")?;
        Ok(match runtime.block_on(serve(config, &data_dir, self.dev))? {
            Stopped::InOrder => ExitCode::SUCCESS,
            Stopped::ToStartAnew => ExitCode::from(START_ANEW),
        })
    }
}

async fn serve(config: Config, data_dir: &DataDir, dev: bool) -> anyhow::Result<Stopped> {
    // Before anything that may take time: a signal that arrives meanwhile is an orderly stop too.
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let tls = config.tls.clone().map(Tls::open).transpose()?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let base = format!("{scheme}://{address}");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (provider, development) = provider(&config, dev, &base, &clock)?;
    let trusted = TrustedIssuers::new(config.trust.clone())?;
    announce(provider.as_ref());
    let opened = open(&config, data_dir, &base, &clock, dev)?;
    let mut start = start(&config, data_dir, &base, opened, &clock, provider, trusted);
    if dev {
        start.admission = Admission::Everybody;
    }
    let authority = Authority::start(start).await.context("the authority cannot start")?;
    let authority = Arc::new(authority);
    let doors = http::Doors {
        authority: Arc::clone(&authority),
        proxies: config.trusted_proxies,
        client_certificate: Demanding::Oauth2.of(&config.client_certificates),
    };
    tracing::info!("listening on {base}");
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
    };
    http::serve::run(listener, tls, doors, development, stop).await
}

fn start(
    config: &Config,
    data_dir: &DataDir,
    base: &str,
    opened: Opened,
    clock: &Arc<dyn Clock>,
    provider: Option<Provider>,
    trusted: TrustedIssuers,
) -> Start {
    let Opened { store, following, node, key_secret } = opened;
    Start {
        store,
        following,
        node,
        granted: data_dir.granted(),
        admission: Admission::Registered,
        client_certificate: Demanding::Feed.of(&config.client_certificates),
        key_secret,
        keys: data_dir.keys(),
        issuer: config.issuer.clone().unwrap_or_else(|| base.to_owned()),
        audience: config.audience.clone(),
        policy: Policy {
            longest_token: config.token_max_lifetime,
            session: config.session_lifetime,
            session_idle: config.session_idle,
            job_session: config.job_session_lifetime,
            admins: config.admins.clone(),
            canary_each: (config.canary_interval > 0)
                .then(|| Duration::from_secs(config.canary_interval.into())),
        },
        clock: Arc::clone(clock),
        provider,
        trusted,
    }
}

/// Who signs operators in, and where that is this process, its pages.
fn provider(
    config: &Config,
    dev: bool,
    base: &str,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(Option<Provider>, Option<Router>)> {
    match &config.provider {
        Some(_) if dev => bail!(
            "--dev has an identity provider of its own, and another is configured: leave one out"
        ),
        Some(ProviderSettings::Clerk(settings)) => {
            Ok((Some(Provider::Clerk(ClerkProvider::new(settings.clone())?)), None))
        }
        Some(ProviderSettings::Oidc(settings)) => {
            Ok((Some(Provider::Oidc(OidcProvider::new(settings.clone())?)), None))
        }
        None if dev => {
            let provider = development_provider(config, base)?;
            let router = Arc::clone(&provider).router(Arc::clone(clock));
            Ok((Some(Provider::Development(provider)), Some(router)))
        }
        None => Ok((None, None)),
    }
}

fn development_provider(config: &Config, base: &str) -> anyhow::Result<Arc<DevelopmentProvider>> {
    tracing::warn!(
        "DEVELOPMENT: anybody on this machine can sign in as any of the development users; do not \
         use --dev for anything else"
    );
    // Whoever signs in at one node is the same person at the others.
    let provider = match &config.database {
        Some(Database::Postgres(_)) => DevelopmentProvider::of_several(base),
        Some(Database::Sqlite(_)) | None => DevelopmentProvider::new(base),
    };
    provider.context("the development provider cannot start")
}

fn announce(provider: Option<&Provider>) {
    if let Some(provider) = provider {
        tracing::info!(issuer = provider.issuer(), "operators sign in");
    } else {
        tracing::warn!("no identity provider is configured: nobody can sign in");
    }
}
