//! What `ntd serve` serves from: a file of its own, or as one of several nodes a database on a server.

use std::fs;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use nt_revocation::protocol::Lengths;
use nt_store::{Gate, Store};
use nt_token::clock::Clock;

use crate::authority::cluster::identity::Identity;
use crate::authority::cluster::node::Takes;
use crate::authority::cluster::peers::PeerKey;
use crate::authority::follow::Following;
use crate::commands::database::{open_shared, open_sqlite};
use crate::commands::export::refuse_left;
use crate::config::{Config, Database};
use crate::data_dir::DataDir;
use crate::key_secret::{IfMissing, KeySecretSource};

/// What is served from.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    pub(super) following: Following,
    pub(super) node: Option<Takes>,
    pub(super) key_secret: KeySecretSource,
}

/// Opens what the settings name, or what is in the data directory. On a server this process is one of
/// several nodes.
pub(super) fn open(
    config: &Config,
    data_dir: &DataDir,
    base: &str,
    clock: &Arc<dyn Clock>,
    dev: bool,
) -> anyhow::Result<Opened> {
    let failed = "the authority cannot start";
    let Some(Database::Postgres(url)) = &config.database else {
        refuse_left(data_dir)?;
        let following = Following::new(Arc::clone(clock));
        let store = open_sqlite(config, data_dir, following.follower()).context(failed)?;
        let key_secret = config.key_secret();
        return Ok(Opened { store: Arc::new(store), following, node: None, key_secret });
    };
    let key_secret = match &config.key_secret {
        Some(source) => source.clone(),
        None if dev => KeySecretSource::Development,
        None => bail!(
            "a database on a server may have several nodes, which need one key secret: name it by \
             --key-secret-file or NTD_KEY_SECRET"
        ),
    };
    let following = Following::of_several(Arc::clone(clock), Lengths::default());
    // Whoever tries it out has no fail-over to lose anything in.
    let gate = if dev { Gate::AllowLoss } else { config.gate() };
    let shared = open_shared(url, gate, data_dir, following.follower()).context(failed)?;
    let peer_ca = config.peer_ca.as_ref();
    let ca =
        peer_ca.map(|file| fs::read_to_string(file).with_context(|| file.display().to_string()));
    let takes = Takes {
        identity: Identity::begin(data_dir)?,
        address: address(config, base)?,
        key: PeerKey::new(&key_secret.open(IfMissing::Refuse)?.derive(PeerKey::LABEL)),
        ca: ca.transpose()?,
        hint: shared.hint,
        doubted: shared.doubted,
    };
    Ok(Opened { store: shared.store, following, node: Some(takes), key_secret })
}

/// Where other nodes reach this one.
fn address(config: &Config, base: &str) -> anyhow::Result<String> {
    match &config.advertise {
        Some(address) => Ok(address.clone()),
        None if config.listen.ip().is_unspecified() => bail!(
            "this node listens on all addresses of its machine: say by --advertise at which URL the \
             other nodes reach it"
        ),
        None => Ok(base.to_owned()),
    }
}
