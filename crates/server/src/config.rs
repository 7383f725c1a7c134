//! The settings of `ntd`: flags over environment over file over defaults.
//!
//! The one file that reads the environment. A key that is not known is refused wherever it stands: a
//! misspelt setting must not pass for one that was made.

mod people;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use nt_identity::trust::TrustRule;
use nt_store::Gate;
use nt_token::{Lifetime, Secret};
use serde::Deserialize;

use self::people::provider;
pub use self::people::{ClerkLayer, OidcLayer, ProviderSettings, TrustLayer};
use crate::key_secret::KeySecretSource;
use crate::tls::clients::Demanding;
use crate::tls::{Clients, Files};

/// Where a setting comes from when nothing is said: see each field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Addresses to listen on.
    pub listen: Option<SocketAddr>,
    /// Where everything is kept.
    pub data_dir: Option<PathBuf>,
    /// The database.
    pub database: Option<Secret>,
    /// Whether a database is used that may lose what it has acknowledged, in a fail-over.
    pub allow_lossy_failover: Option<bool>,
    /// Where other nodes reach this one.
    pub advertise: Option<String>,
    /// The certificates that other nodes' are checked by, in PEM.
    pub peer_ca: Option<PathBuf>,
    /// The `iss` of every token; fixed at the first start.
    pub issuer: Option<String>,
    /// The `aud` of every token.
    pub audience: Option<String>,
    /// The certificate to serve TLS by, in PEM.
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, in PEM.
    pub tls_key: Option<PathBuf>,
    /// The certificates that clients' are checked by, in PEM.
    pub tls_client_ca: Option<PathBuf>,
    /// Which doors demand one of them.
    pub client_certificates: Option<Vec<Demanding>>,
    /// What the private signing keys are encrypted under, itself.
    pub key_secret: Option<Secret>,
    /// The same, in a file.
    pub key_secret_file: Option<PathBuf>,
    /// Whose forwarded addresses count.
    pub trusted_proxies: Option<Vec<IpNet>>,
    /// Who may do what belongs to no workspace.
    pub admins: Option<Vec<String>>,
    /// The longest life of a token, in seconds.
    pub token_max_lifetime: Option<Lifetime>,
    /// How long a session lasts at the most, in seconds.
    pub session_lifetime: Option<Lifetime>,
    /// How long a session lasts without being used, in seconds.
    pub session_idle: Option<Lifetime>,
    /// How long a CI job's session lasts at the most, in seconds.
    pub job_session_lifetime: Option<Lifetime>,
    /// How often a canary is revoked, in seconds; 0 for never.
    pub canary_interval: Option<u32>,
    /// Sign in with Clerk.
    pub clerk: Option<ClerkLayer>,
    /// Sign in with any OpenID Connect issuer.
    pub oidc: Option<OidcLayer>,
    /// Which CI jobs are let in without a stored secret.
    pub trust: Option<Vec<TrustLayer>>,
    /// What is logged, as a `tracing` filter.
    pub log: Option<String>,
    /// How it is logged.
    pub log_format: Option<LogFormat>,
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A file, for one process.
    Sqlite(PathBuf),
    /// On a PostgreSQL server, for several nodes: its URL, which may have a password in it.
    Postgres(Secret),
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document a line.
    Json,
}

/// The settings, complete.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on; 127.0.0.1:8480 by default.
    pub listen: SocketAddr,
    /// Where everything is kept; `./ntd-data` by default.
    pub data_dir: PathBuf,
    /// The database; a file in the data directory by default.
    pub database: Option<Database>,
    /// Whether a database is used that may lose what it has acknowledged, in a fail-over; not by
    /// default.
    pub allow_lossy_failover: bool,
    /// Where other nodes reach this one; where it listens by default.
    pub advertise: Option<String>,
    /// The certificates that other nodes' are checked by; the system's by default.
    pub peer_ca: Option<PathBuf>,
    /// The `iss` of every token; `http://<listen>` by default, with TLS `https://`.
    pub issuer: Option<String>,
    /// The `aud` of every token; the issuer by default.
    pub audience: Option<String>,
    /// What TLS is served by; no TLS by default.
    pub tls: Option<Files>,
    /// Which doors demand a client certificate; all that can where there is a client CA, by default.
    pub client_certificates: Vec<Demanding>,
    /// Where the key secret is; in the data directory by default.
    pub key_secret: Option<KeySecretSource>,
    /// Whose forwarded addresses count; nobody's by default.
    pub trusted_proxies: Vec<IpNet>,
    /// Who may do what belongs to no workspace; nobody by default.
    pub admins: Vec<String>,
    /// The longest life of a token; ten years by default.
    pub token_max_lifetime: Lifetime,
    /// How long a session lasts at the most; a week by default.
    pub session_lifetime: Lifetime,
    /// How long a session lasts without being used; a day by default.
    pub session_idle: Lifetime,
    /// How long a CI job's session lasts at the most; an hour by default.
    pub job_session_lifetime: Lifetime,
    /// How often a canary is revoked, in seconds; 60 by default, and 0 for never.
    pub canary_interval: u32,
    /// Who signs operators in; nobody by default.
    pub provider: Option<ProviderSettings>,
    /// Which CI jobs are let in; none by default.
    pub trust: Vec<TrustRule>,
    /// What is logged; `info` by default.
    pub log: String,
    /// How it is logged; text by default.
    pub log_format: LogFormat,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not as it should be.
    #[error("{path}", path = .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// An environment variable that is no setting.
    #[error("unknown setting {0} in the environment; the settings are {known}", known = KEYS.map(variable).join(", "))]
    UnknownVariable(String),
    /// An environment variable that is no flag of an edge.
    #[error("unknown setting {name} in the environment; those of an edge are {known}")]
    UnknownOfEdge {
        /// The variable.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// An environment variable whose value is not as it should be.
    #[error("{0} in the environment: {1}")]
    Variable(String, String),
    /// A database that this version does not have.
    #[error(
        "unknown database '{0}…': use sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME, or leave it \
         out for a file in the data directory"
    )]
    Database(String),
    /// An address that nobody can be reached at.
    #[error("'advertise' is '{0}': it must be a URL that begins with http:// or https://")]
    Advertise(String),
    /// Two providers.
    #[error("both [clerk] and [oidc] are configured: people sign in with one identity provider")]
    TwoProviders,
    /// Half of TLS.
    #[error("'{0}' is missing: a certificate and its key go together")]
    HalfOfTls(&'static str),
    /// A client CA without TLS.
    #[error(
        "'tls_client_ca' is set, and 'tls_certificate' and 'tls_key' are missing: clients show their \
         certificates in a TLS handshake"
    )]
    ClientCaWithoutTls,
    /// Client certificates that nobody could check.
    #[error(
        "'client_certificates' names doors, and 'tls_client_ca' is missing: no client certificate \
         could be checked"
    )]
    NoClientCa,
    /// Two secrets.
    #[error("both 'key_secret' and 'key_secret_file' are set: there is one key secret")]
    TwoSecrets,
    /// Half a provider.
    #[error("'{0}' is missing: it goes with the other settings of its section")]
    Missing(&'static str),
    /// A trust rule that cannot be used.
    #[error("trust rule '{name}': {what}")]
    Trust {
        /// The rule.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

const KEYS: [&str; 33] = [
    "listen",
    "data_dir",
    "database",
    "allow_lossy_failover",
    "advertise",
    "peer_ca",
    "issuer",
    "audience",
    "tls_certificate",
    "tls_key",
    "tls_client_ca",
    "client_certificates",
    "key_secret",
    "key_secret_file",
    "trusted_proxies",
    "admins",
    "token_max_lifetime",
    "session_lifetime",
    "session_idle",
    "job_session_lifetime",
    "canary_interval",
    "clerk.frontend_api",
    "clerk.client_id",
    "clerk.scopes",
    "clerk.authorized_parties",
    "clerk.secret_key",
    "clerk.jwt_key",
    "clerk.api_url",
    "oidc.issuer",
    "oidc.client_id",
    "oidc.scopes",
    "log",
    "log_format",
];

const PREFIX: &str = "NTD_";
/// The flags of `ntd edge` are read by the command line.
const EDGE_PREFIX: &str = "NTD_EDGE_";

/// A default; defaults are not zero.
const fn seconds(seconds: i64) -> Lifetime {
    match Lifetime::from_seconds(seconds) {
        Ok(lifetime) => lifetime,
        Err(_) => Lifetime::YEAR,
    }
}

fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "_"))
}

impl Config {
    /// Puts the layers together. `NTD_CONFIG` names the file where the flag does not.
    pub fn load(flags: Layer, file: Option<&Path>) -> Result<Self, ConfigError> {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(PREFIX) && !name.starts_with(EDGE_PREFIX))
            .collect();
        let named = environment.iter().find(|(name, _)| name == "NTD_CONFIG");
        let file = file.map(Path::to_owned).or_else(|| named.map(|(_, path)| path.into()));
        let file = file.map_or_else(|| Ok(Layer::default()), |path| read_file(&path))?;
        Self::complete(flags.over(read_environment(&environment)?).over(file))
    }

    /// Where the key secret is. Where nothing is said it is in the data directory, which is made for
    /// one node: of several, each would have another.
    pub fn key_secret(&self) -> KeySecretSource {
        let of_data_dir = || KeySecretSource::DataDir(self.data_dir.clone());
        self.key_secret.clone().unwrap_or_else(of_data_dir)
    }

    /// Which databases on a server are accepted.
    pub fn gate(&self) -> Gate {
        if self.allow_lossy_failover { Gate::AllowLossyFailover } else { Gate::Safe }
    }

    fn complete(layer: Layer) -> Result<Self, ConfigError> {
        let database = layer.database.map(database).transpose()?;
        let demanding = demanding(layer.client_certificates, layer.tls_client_ca.is_some())?;
        Ok(Self {
            listen: layer.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8480))),
            data_dir: layer.data_dir.unwrap_or_else(|| "./ntd-data".into()),
            database,
            allow_lossy_failover: layer.allow_lossy_failover.unwrap_or(false),
            advertise: layer.advertise.map(advertised).transpose()?,
            peer_ca: layer.peer_ca,
            issuer: layer.issuer,
            audience: layer.audience,
            tls: tls(layer.tls_certificate, layer.tls_key, layer.tls_client_ca)?,
            client_certificates: demanding,
            key_secret: key_secret(layer.key_secret, layer.key_secret_file)?,
            trusted_proxies: layer.trusted_proxies.unwrap_or_default(),
            admins: layer.admins.unwrap_or_default(),
            token_max_lifetime: layer.token_max_lifetime.unwrap_or(Lifetime::TEN_YEARS),
            session_lifetime: layer.session_lifetime.unwrap_or(seconds(604_800)),
            session_idle: layer.session_idle.unwrap_or(seconds(86_400)),
            job_session_lifetime: layer.job_session_lifetime.unwrap_or(seconds(3_600)),
            canary_interval: layer.canary_interval.unwrap_or(60),
            provider: provider(layer.clerk, layer.oidc)?,
            trust: layer
                .trust
                .unwrap_or_default()
                .into_iter()
                .map(TrustLayer::rule)
                .collect::<Result<_, _>>()?,
            log: layer.log.unwrap_or_else(|| "info,refinery_core=warn".to_owned()),
            log_format: layer.log_format.unwrap_or_default(),
        })
    }
}

impl Layer {
    /// This layer, and the other where this one says nothing.
    fn over(self, other: Self) -> Self {
        // A layer that names one of the two means it instead of the other of a lower layer.
        let named = self.key_secret.is_some() || self.key_secret_file.is_some();
        let (key_secret, key_secret_file) = if named {
            (self.key_secret, self.key_secret_file)
        } else {
            (other.key_secret, other.key_secret_file)
        };
        Self {
            listen: self.listen.or(other.listen),
            data_dir: self.data_dir.or(other.data_dir),
            database: self.database.or(other.database),
            allow_lossy_failover: self.allow_lossy_failover.or(other.allow_lossy_failover),
            advertise: self.advertise.or(other.advertise),
            peer_ca: self.peer_ca.or(other.peer_ca),
            issuer: self.issuer.or(other.issuer),
            audience: self.audience.or(other.audience),
            tls_certificate: self.tls_certificate.or(other.tls_certificate),
            tls_key: self.tls_key.or(other.tls_key),
            tls_client_ca: self.tls_client_ca.or(other.tls_client_ca),
            client_certificates: self.client_certificates.or(other.client_certificates),
            key_secret,
            key_secret_file,
            trusted_proxies: self.trusted_proxies.or(other.trusted_proxies),
            admins: self.admins.or(other.admins),
            token_max_lifetime: self.token_max_lifetime.or(other.token_max_lifetime),
            session_lifetime: self.session_lifetime.or(other.session_lifetime),
            session_idle: self.session_idle.or(other.session_idle),
            job_session_lifetime: self.job_session_lifetime.or(other.job_session_lifetime),
            canary_interval: self.canary_interval.or(other.canary_interval),
            clerk: merged(self.clerk, other.clerk, ClerkLayer::over),
            oidc: merged(self.oidc, other.oidc, OidcLayer::over),
            trust: self.trust.or(other.trust),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
        }
    }
}

fn read_file(path: &Path) -> Result<Layer, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
    toml::from_str(&text)
        .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source: source.into() })
}

/// Refuses a variable that begins as those of an edge do and is none of these.
pub fn refuse_unknown_of_edge(known: &[String]) -> Result<(), ConfigError> {
    let mut names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let unknown = names.find(|name| name.starts_with(EDGE_PREFIX) && !known.contains(name));
    match unknown {
        None => Ok(()),
        Some(name) => Err(ConfigError::UnknownOfEdge { name, known: known.join(", ") }),
    }
}

/// Reads `NTD_LISTEN` and so on. Lists are separated by commas.
fn read_environment(variables: &[(String, String)]) -> Result<Layer, ConfigError> {
    let mut table = toml::Table::new();
    for (name, value) in variables.iter().filter(|(name, _)| name != "NTD_CONFIG") {
        let key = KEYS.into_iter().find(|key| variable(key) == *name);
        let key = key.ok_or_else(|| ConfigError::UnknownVariable(name.clone()))?;
        let value = match key {
            "trusted_proxies"
            | "admins"
            | "client_certificates"
            | "clerk.authorized_parties"
            | "clerk.scopes"
            | "oidc.scopes" => list(value),
            "token_max_lifetime"
            | "session_lifetime"
            | "session_idle"
            | "job_session_lifetime"
            | "canary_interval" => {
                let bad = |_| ConfigError::Variable(name.clone(), "not a number of seconds".into());
                toml::Value::Integer(value.parse().map_err(bad)?)
            }
            "allow_lossy_failover" => {
                let bad = |_| ConfigError::Variable(name.clone(), "not true or false".into());
                toml::Value::Boolean(value.parse().map_err(bad)?)
            }
            _ => toml::Value::String(value.clone()),
        };
        let mut one = toml::Table::new();
        insert(&mut one, key, value.clone());
        let read: Result<Layer, _> = one.try_into();
        read.map_err(|e| ConfigError::Variable(name.clone(), e.message().to_owned()))?;
        insert(&mut table, key, value);
    }
    table.try_into().map_err(|e: toml::de::Error| {
        ConfigError::Variable("NTD_*".to_owned(), e.message().to_owned())
    })
}

/// Puts a value where its dotted key says.
fn insert(table: &mut toml::Table, key: &str, value: toml::Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, key)) => {
            let section = table.entry(section).or_insert_with(|| toml::Table::new().into());
            if let Some(section) = section.as_table_mut() {
                section.insert(key.to_owned(), value);
            }
        }
    }
}

fn merged<T>(first: Option<T>, second: Option<T>, over: impl FnOnce(T, T) -> T) -> Option<T> {
    match (first, second) {
        (Some(first), Some(second)) => Some(over(first, second)),
        (first, second) => first.or(second),
    }
}

fn list(value: &str) -> toml::Value {
    let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
    toml::Value::Array(items.map(|item| toml::Value::String(item.to_owned())).collect())
}

fn tls(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
) -> Result<Option<Files>, ConfigError> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let clients = client_ca.map_or(Clients::NotAsked, Clients::Asked);
            Ok(Some(Files { certificate, key, clients }))
        }
        (None, None) if client_ca.is_some() => Err(ConfigError::ClientCaWithoutTls),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(ConfigError::HalfOfTls("tls_certificate")),
        (Some(_), None) => Err(ConfigError::HalfOfTls("tls_key")),
    }
}

/// Which doors demand a client certificate: all, where one can be checked and nothing is said.
fn demanding(
    named: Option<Vec<Demanding>>,
    can_be_checked: bool,
) -> Result<Vec<Demanding>, ConfigError> {
    match named {
        Some(doors) if !doors.is_empty() && !can_be_checked => Err(ConfigError::NoClientCa),
        Some(doors) => Ok(doors),
        None if can_be_checked => Ok(Demanding::ALL.to_vec()),
        None => Ok(Vec::new()),
    }
}

fn key_secret(
    text: Option<Secret>,
    file: Option<PathBuf>,
) -> Result<Option<KeySecretSource>, ConfigError> {
    match (text, file) {
        (Some(_), Some(_)) => Err(ConfigError::TwoSecrets),
        (Some(text), None) => Ok(Some(KeySecretSource::Setting(text))),
        (None, file) => Ok(file.map(KeySecretSource::File)),
    }
}

fn database(url: Secret) -> Result<Database, ConfigError> {
    let text = url.expose();
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Database::Postgres(url));
    }
    let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
    let path = path.filter(|path| !path.is_empty());
    // What stands behind may be a password.
    let shown = || text.split(':').next().unwrap_or_default().chars().take(16).collect();
    path.map(|path| Database::Sqlite(path.into())).ok_or_else(|| ConfigError::Database(shown()))
}

fn advertised(url: String) -> Result<String, ConfigError> {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if host.is_some_and(|host| !host.trim_matches('/').is_empty()) {
        Ok(url)
    } else {
        Err(ConfigError::Advertise(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str, value: &str) -> Result<Layer, ConfigError> {
        read_environment(&[(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let flags = Layer { audience: Some("flag".to_owned()), ..Layer::default() };
        let mut middle = environment("NTD_AUDIENCE", "environment").expect("a setting");
        middle.issuer = Some("environment".to_owned());
        let file: Layer = toml::from_str("audience = 'file'\nissuer = 'file'\nlog = 'file'")
            .expect("three settings");
        let config = Config::complete(flags.over(middle).over(file)).expect("complete");
        assert_eq!(config.audience.as_deref(), Some("flag"));
        assert_eq!(config.issuer.as_deref(), Some("environment"));
        assert_eq!(config.log, "file");
    }

    #[test]
    fn unknown_settings_are_refused_wherever_they_stand() {
        assert!(toml::from_str::<Layer>("listn = '127.0.0.1:1'").is_err());
        let refused = environment("NTD_LISTN", "127.0.0.1:1").expect_err("misspelt").to_string();
        assert!(refused.contains("NTD_LISTN") && refused.contains("NTD_LISTEN"), "{refused}");
    }

    #[test]
    fn a_client_ca_goes_with_tls_and_closes_the_doors_unless_others_are_named() {
        let complete = |text: &str| {
            let layer: Layer = toml::from_str(text).expect("settings that there are");
            Config::complete(layer)
        };
        let tls = "tls_certificate = 'a'\ntls_key = 'b'\n";
        let with_ca = format!("{tls}tls_client_ca = 'c'\n");
        let plain = complete(tls).expect("TLS alone");
        assert_eq!(plain.tls.map(|files| files.clients), Some(Clients::NotAsked));
        assert!(plain.client_certificates.is_empty());
        let all = complete(&with_ca).expect("complete");
        assert_eq!(all.tls.map(|files| files.clients), Some(Clients::Asked("c".into())));
        assert_eq!(all.client_certificates, [Demanding::Feed, Demanding::Oauth2]);
        let one = complete(&format!("{with_ca}client_certificates = ['feed']")).expect("complete");
        assert_eq!(one.client_certificates, [Demanding::Feed]);
        let none = complete(&format!("{with_ca}client_certificates = []")).expect("complete");
        assert!(none.client_certificates.is_empty(), "asked for, and not demanded");
        let refused = complete("tls_client_ca = 'c'").expect_err("no TLS");
        assert!(matches!(refused, ConfigError::ClientCaWithoutTls), "{refused}");
        let refused = complete("client_certificates = ['feed']").expect_err("no CA");
        assert!(matches!(refused, ConfigError::NoClientCa), "{refused}");
        let listed = environment("NTD_CLIENT_CERTIFICATES", "feed, oauth2").expect("a list");
        assert_eq!(listed.client_certificates, Some(Demanding::ALL.to_vec()));
    }

    #[test]
    fn values_of_another_kind_are_refused_with_the_name_of_the_setting() {
        for (name, value) in [
            ("NTD_LISTEN", "here"),
            ("NTD_TRUSTED_PROXIES", "10.0.0.0/33"),
            ("NTD_SESSION_LIFETIME", "-1"),
            ("NTD_TOKEN_MAX_LIFETIME", "soon"),
            ("NTD_CANARY_INTERVAL", "-1"),
            ("NTD_LOG_FORMAT", "xml"),
            ("NTD_CLIENT_CERTIFICATES", "feed,page"),
        ] {
            let refused = environment(name, value).expect_err(value).to_string();
            assert!(refused.contains(name), "{refused}");
        }
    }

    #[test]
    fn a_certificate_and_its_key_go_together() {
        let mut layer = environment("NTD_TLS_CERTIFICATE", "c.pem").expect("a setting");
        let refused = Config::complete(layer.clone()).expect_err("half").to_string();
        assert!(refused.contains("'tls_key' is missing"), "{refused}");
        layer.tls_key = Some("k.pem".into());
        let tls = Config::complete(layer).expect("both").tls.expect("TLS");
        assert_eq!((tls.certificate, tls.key), ("c.pem".into(), "k.pem".into()));
    }

    #[test]
    fn the_key_secret_is_one_and_is_not_shown() {
        let mut layer = environment("NTD_KEY_SECRET", "hunter2").expect("a setting");
        assert!(!format!("{layer:?}").contains("hunter2"));
        // What stands higher is meant in place of what stands lower.
        let file = Layer { key_secret_file: Some("secret".into()), ..Layer::default() };
        let config = Config::complete(file.clone().over(layer.clone())).expect("the file");
        assert_eq!(config.key_secret(), KeySecretSource::File("secret".into()));
        let config = Config::complete(layer.clone().over(file.clone())).expect("the text");
        assert!(matches!(config.key_secret(), KeySecretSource::Setting(_)));
        layer.key_secret_file = file.key_secret_file;
        let refused = Config::complete(layer).expect_err("two").to_string();
        assert!(refused.contains("key_secret_file"), "{refused}");
        let config = Config::complete(Layer::default()).expect("nothing");
        assert_eq!(config.key_secret(), KeySecretSource::DataDir("./ntd-data".into()));
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let layer = environment("NTD_TRUSTED_PROXIES", "10.0.0.0/8, 192.168.1.1/32").expect("two");
        assert_eq!(layer.trusted_proxies.map(|proxies| proxies.len()), Some(2));
    }

    #[test]
    fn a_database_is_a_file_or_on_a_server() {
        let read = |url: &str| database(Secret::from(url.to_owned()));
        let sqlite = Database::Sqlite("/x/y.db".into());
        assert_eq!(read("sqlite:/x/y.db").expect("a path"), sqlite);
        assert!(matches!(read("postgres://ntd@db/ntd"), Ok(Database::Postgres(_))));
        for refused in ["sqlite:", "mysql://ntd:secret@db/ntd", "secret"] {
            let told = read(refused).expect_err("none that there is").to_string();
            assert!(!told.contains("secret@"), "{told}");
        }
    }

    #[test]
    fn a_node_is_reached_by_a_url() {
        assert!(advertised("https://one.example.com:8480".to_owned()).is_ok());
        for refused in ["one.example.com", "http://", "ftp://one"] {
            assert!(advertised(refused.to_owned()).is_err(), "{refused}");
        }
    }

    /// What stands in `deploy/` under a name that no setting has would keep `ntd` from starting.
    #[test]
    fn what_is_shipped_for_deploying_names_settings_that_there_are() {
        let shipped = [
            include_str!("../../../deploy/compose/compose.yaml"),
            include_str!("../../../deploy/docker/Dockerfile"),
            include_str!("../../../deploy/helm/ntd/templates/statefulset.yaml"),
            include_str!("../../../deploy/systemd/ntd.service"),
        ];
        let known: Vec<String> = KEYS.map(variable).to_vec();
        let mut found = 0;
        for text in shipped {
            let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for name in words.by_ref().filter(|word| word.starts_with(PREFIX)) {
                // A Service's variables, which the chart speaks of to keep them out.
                if name != PREFIX {
                    assert!(known.iter().any(|known| known == name), "{name}");
                    found += 1;
                }
            }
        }
        assert!(found > 20, "{found}");
        let layer: Layer = toml::from_str(include_str!("../../../deploy/systemd/ntd.toml"))
            .expect("settings that there are");
        let config = Config::complete(layer).expect("complete");
        assert!(matches!(config.database, Some(Database::Postgres(_))));
        assert_eq!(config.advertise.as_deref(), Some("https://ntd-1.internal.example:8480"));
    }
}
