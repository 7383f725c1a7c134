//! `ntd keys`: the signing keys. They are changed in the database; the nodes that run on it follow.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use nt_revocation::protocol::Lengths;
use nt_revocation::protocol::time::kappa;
use nt_store::{Act, AddedKey, KeyState, Purpose, RetiredKey, RevokedKey, StoredKey};
use nt_token::clock::{Clock as _, SystemClock};
use nt_token::key::KeyKind;
use nt_token::{KeyId, Secret};

use crate::authority::entropy::entry_id;
use crate::authority::feed::granted::Granted;
use crate::authority::keys::{by_itself, make, secret_for};
use crate::authority::limits;
use crate::commands::database::Tool;
use crate::config::{Config, Layer};
use crate::key_secret::KeySecretSource;

/// Show and change the signing keys.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:
  ntd keys list --data-dir /var/lib/ntd
  ntd keys rotate                        another Ed25519 key; it signs when everybody knows it
  ntd keys rotate --algorithm ES256
  ntd keys revoke KID                    nothing that this key signed counts any more

With SQLite, stop the authority first: the database belongs to one process at a time. It knows the
new keys when it is started again. On a server's database the nodes run on, and follow.")]
pub(super) enum Keys {
    /// List the keys, and which of them signs. Private halves are never shown.
    List(List),
    /// Make another key. It is announced to all verifiers first, and signs when they know it.
    Rotate(Rotate),
    /// Give an announced key up: it will not sign. The key that signs is retired by rotating.
    Retire(Retire),
    /// Revoke keys, and with them every token that they signed, for good.
    Revoke(Revoke),
}

/// Where the keys are.
#[derive(Debug, clap::Args)]
struct Place {
    /// Where the secret and the database are kept [default: ./ntd-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The database, as sqlite:PATH or postgres://… [default: ntd.db in the data directory]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The file with the key secret [default: key-secret in the data directory]
    #[arg(long, value_name = "FILE")]
    key_secret_file: Option<PathBuf>,
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Which keys.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  ntd keys list --data-dir /var/lib/ntd")]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
}

/// Which key comes next.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ntd keys rotate --data-dir /var/lib/ntd
  ntd keys rotate --algorithm RS256

The key before goes on checking what it signed; nobody has to sign in or change a token. Verifiers
of this authority follow by themselves. Others fetch /.well-known/jwks.json, which they may keep for
a minute: so long the new key waits before it signs, unless --now says otherwise.")]
pub(super) struct Rotate {
    #[command(flatten)]
    place: Place,
    /// What the new key signs with
    #[arg(long, value_name = "NAME", default_value = "EdDSA")]
    algorithm: Chosen,
    /// Bits of an RSA key
    #[arg(long, value_name = "BITS", default_value = "2048", value_parser = ["2048", "3072"])]
    rsa_bits: String,
    /// Do not wait for who keeps the published keys; verifiers that follow are waited for all the same
    #[arg(long)]
    now: bool,
}

/// An algorithm, by its name in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Chosen {
    #[value(name = "EdDSA")]
    EdDsa,
    #[value(name = "ES256")]
    Es256,
    #[value(name = "RS256")]
    Rs256,
}

/// Which key.
#[derive(Debug, clap::Args)]
pub(super) struct Retire {
    #[command(flatten)]
    place: Place,
    /// The key, as `ntd keys list` names it
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    kid: KeyId,
}

/// Which keys.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ntd keys revoke KID --data-dir /var/lib/ntd
  ntd keys revoke KID OTHER --force

If the key that signs is revoked, the announced one signs from then on, and where there is none, a
new one. If the key secret is lost: keep a new one in its place, and revoke all keys at once.")]
pub(super) struct Revoke {
    #[command(flatten)]
    place: Place,
    /// The keys, as `ntd keys list` names them
    #[arg(value_name = "KID", required = true, allow_hyphen_values = true)]
    kids: Vec<KeyId>,
    /// Do not ask
    #[arg(long)]
    force: bool,
}

impl Keys {
    /// Does it.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let place = match &self {
            Self::List(List { place })
            | Self::Rotate(Rotate { place, .. })
            | Self::Retire(Retire { place, .. })
            | Self::Revoke(Revoke { place, .. }) => place.open(),
        }?;
        runtime.block_on(async {
            let done = match &self {
                Self::List(_) => place.list().await,
                Self::Rotate(args) => place.rotate(args).await,
                Self::Retire(args) => place.retire(&args.kid).await,
                Self::Revoke(args) => place.revoke(args).await,
            };
            place.tool.store.close().await;
            done
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The keys, open.
struct Opened {
    tool: Tool,
    secret: KeySecretSource,
}

impl Place {
    fn open(&self) -> anyhow::Result<Opened> {
        let flags = Layer {
            data_dir: self.data_dir.clone(),
            database: self.database.clone().map(Secret::from),
            key_secret_file: self.key_secret_file.clone(),
            ..Layer::default()
        };
        let config = Config::load(flags, self.config.as_deref())?;
        Ok(Opened { tool: Tool::open(&config)?, secret: config.key_secret() })
    }
}

fn act(command: &str) -> Act {
    by_itself(SystemClock.now(), Some(command))
}

impl Opened {
    async fn keys(&self) -> anyhow::Result<Vec<StoredKey>> {
        let keys = self.tool.store.keys().await?;
        ensure!(!keys.is_empty(), "there are no keys yet: `ntd serve` makes the first");
        Ok(keys)
    }

    async fn list(&self) -> anyhow::Result<()> {
        for StoredKey { kid, algorithm, state, since, .. } in self.keys().await? {
            let name = state.name();
            let does = match state {
                KeyState::Announced { signs_from } => format!("will sign from {signs_from}"),
                KeyState::Active => format!("signs since {since}"),
                KeyState::Retired => format!("checks since {since}"),
                KeyState::Revoked => format!("counts no more since {since}"),
            };
            println!("{kid}  {:<5}  {name:<9}  {does}", algorithm.name());
        }
        Ok(())
    }

    async fn rotate(&self, args: &Rotate) -> anyhow::Result<()> {
        let wanted = match (args.algorithm, args.rsa_bits.as_str()) {
            (Chosen::EdDsa, _) => KeyKind::Ed25519,
            (Chosen::Es256, _) => KeyKind::P256,
            (Chosen::Rs256, "3072") => KeyKind::Rsa3072,
            (Chosen::Rs256, _) => KeyKind::Rsa2048,
        };
        // A key that the nodes could not read must not get in.
        let (secret, _) = secret_for(&self.keys().await?, &self.secret)?;
        let wait = if args.now { 0 } else { limits::JWKS_SECONDS };
        let signs_from = SystemClock.now().plus_seconds(wait);
        let new = make(&secret, wanted, Purpose::Next(signs_from))?;
        let kid = new.kid.clone();
        match self.tool.store.add_key(new, act("ntd keys rotate")).await? {
            AddedKey::Added | AddedKey::Known => {}
            AddedKey::Taken(other) => bail!(
                "the key {other} is announced already and will sign soon; `ntd keys retire {other}` \
                 gives it up"
            ),
        }
        println!(
            "{kid} is announced. It signs from {signs_from} on, when every verifier knows it."
        );
        Ok(())
    }

    async fn retire(&self, kid: &KeyId) -> anyhow::Result<()> {
        match self.tool.store.retire_key(kid, act("ntd keys retire")).await? {
            RetiredKey::Retired => println!("{kid} will not sign."),
            RetiredKey::Before => println!("{kid} does not sign; nothing was changed."),
            RetiredKey::Signs => bail!(
                "{kid} is the key that signs: `ntd keys rotate` makes another, which retires this one"
            ),
            RetiredKey::NotFound => bail!("there is no key {kid}: see `ntd keys list`"),
        }
        Ok(())
    }

    async fn revoke(&self, args: &Revoke) -> anyhow::Result<()> {
        let keys = self.keys().await?;
        let mut named = Vec::new();
        for kid in &args.kids {
            let key = keys.iter().find(|key| key.kid == *kid);
            named.push(key.with_context(|| format!("there is no key {kid}: see `ntd keys list`"))?);
        }
        // What is left must be of this secret; what is revoked needs none.
        let left = |key: &&StoredKey| !args.kids.contains(&key.kid);
        let left: Vec<StoredKey> = keys.iter().filter(left).cloned().collect();
        let (secret, _) = secret_for(&left, &self.secret)?;
        if !args.force && !confirmed(args.kids.len())? {
            bail!("nothing was revoked");
        }
        // The one that signs comes last: its successor is then none of the others.
        named.sort_by_key(|key| key.state == KeyState::Active);
        for StoredKey { kid, algorithm, .. } in named {
            let like_it = match algorithm {
                nt_token::key::Algorithm::EdDsa => KeyKind::Ed25519,
                nt_token::key::Algorithm::Es256 => KeyKind::P256,
                nt_token::key::Algorithm::Rs256 => KeyKind::Rsa2048,
            };
            let successor = make(&secret, like_it, Purpose::First)?;
            let act = act("ntd keys revoke");
            let revoked = self.tool.store.revoke_key(kid, entry_id()?, successor, act).await?;
            let RevokedKey::Revoked { tokens, successor, .. } = revoked else {
                bail!("there is no key {kid}: see `ntd keys list`");
            };
            let tokens = if tokens == 1 {
                "1 live token".to_owned()
            } else {
                format!("{tokens} live tokens")
            };
            println!("{kid} is being revoked, with {tokens}.");
            if let Some(successor) = successor {
                println!("{successor} signs from now on.");
            }
        }
        let wait = self.longest_lease();
        if !wait.is_zero() {
            println!("Waiting {} s for verifiers that may not know it yet.", wait.as_secs() + 1);
            tokio::time::sleep(wait).await;
        }
        println!("Revoked.");
        Ok(())
    }

    /// How long somebody may still accept what was revoked just now: "revoked" is said only after
    /// that. Nobody grants leases while this process has a file, so those of before are the last;
    /// beside the nodes of a server, none of before that can run any more.
    fn longest_lease(&self) -> Duration {
        let Some(data_dir) = &self.tool.alone else { return Lengths::default().floor() };
        let may_be_out = Granted::at(data_dir.granted()).by_the_process_before();
        if may_be_out { kappa(Lengths::default().verifier) } else { Duration::ZERO }
    }
}

/// Asks, where there is somebody to be asked.
fn confirmed(keys: usize) -> anyhow::Result<bool> {
    let these = if keys == 1 { "this key" } else { "these keys" };
    if !std::io::stdin().is_terminal() {
        bail!("revoking {these} kills every token that they signed: say --force to do it");
    }
    eprint!("Every token that {these} signed will be refused, for good. Are you sure? (y/N): ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
