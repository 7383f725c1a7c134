//! Nodes of one authority: real `ntd serve` processes that share a database, verifiers that know them
//! all, and what lies between them.
//!
//! With proxies, nodes are as `ntd serve --dev` on one machine; with namespaces each is a machine of
//! its own in production, with nobody to sign in at: the owner has a session from before.

mod database;
mod link;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tempfile::TempDir;

pub use self::database::Database;
use self::database::Place;
pub use self::link::Link;
use crate::cli::Output;
use crate::namespaces::Namespaces;
use crate::operator::Operator;
use crate::process;
use crate::proxy::Proxy;
use crate::service::Service;
use crate::world::{Options, SignIn, World, free_port};

/// Whose the workspaces are.
const OWNER: &str = "owner@example.com";

/// What nodes in production encrypt the keys by that they share.
const SECRET: &str = "04738d338f802bf101b8122e31ff21f17219f5d3c1ed2caa03c4a679c34de981";

/// What lies between the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wires {
    /// Proxies on loopback.
    Proxies,
    /// Namespaces of the kernel's, and a router. They need root.
    Namespaces,
}

/// A node, and what connects it.
#[derive(Debug)]
pub struct Node {
    /// The process.
    pub world: World,
    /// Between it and the database.
    pub database: Link,
    /// Between it and its peers: through proxies what they say to it, in namespaces all.
    pub peers: Link,
}

/// A process that checks tokens itself and knows all nodes.
#[derive(Debug)]
pub struct Follower {
    /// The process.
    pub service: Service,
    /// What stands between it and each node.
    pub proxies: Vec<Proxy>,
}

/// The nodes. Dropping them kills them.
#[derive(Debug)]
pub struct Nodes {
    /// Each of them.
    pub nodes: Vec<Node>,
    owner: Operator,
    credential: String,
    dir: TempDir,
}

impl Nodes {
    /// Starts as many and waits until each is ready.
    pub fn start(count: u8, database: Database<'_>, wires: Wires) -> Result<Self> {
        Self::with(count, database, wires, &[])
    }

    /// The same, each with more arguments.
    pub fn with(count: u8, database: Database<'_>, wires: Wires, more: &[&str]) -> Result<Self> {
        let place = database.make(more)?;
        let mut nodes = match wires {
            Wires::Proxies => proxied(count, &place)?,
            Wires::Namespaces => networked(count, &place, database)?,
        };
        let dir = tempfile::Builder::new().prefix("nt-nodes-").tempdir()?;
        let (owner, credential) = match wires {
            Wires::Proxies => {
                let first = &mut nodes.first_mut().context("one node at least")?.world;
                first.restart()?;
                introduced(first)?
            }
            Wires::Namespaces => before(nodes.first().context("one node at least")?, &place)?,
        };
        for node in nodes.iter_mut().skip(usize::from(wires == Wires::Proxies)) {
            node.world.launch()?;
        }
        nodes.iter_mut().try_for_each(|node| node.world.until_ready())?;
        Ok(Self { nodes, owner, credential, dir })
    }

    /// The owner, at each of the nodes.
    pub fn owners(&self) -> Vec<Operator> {
        let session = &self.owner.session;
        let at = |node: &Node| Operator::with_session(node.world.address(), session);
        self.nodes.iter().map(at).collect()
    }

    /// A process on a copy of a node's data folder, with all that it was told but for where it listens,
    /// as if its disk had been cloned; not started yet.
    pub fn twin(&self, nth: usize) -> Result<World> {
        let copy = self.copy(nth, "twin")?;
        let original = self.nodes[nth].world.options().clone();
        World::prepare(Options { data_dir: Some(copy), listen: None, ..original })
    }

    /// `ntd recover` at a node that does not run, with these arguments more.
    pub fn recover(&self, nth: usize, more: &[&str]) -> Result<Output> {
        let world = &self.nodes[nth].world;
        let told = world.options();
        let mut command = Command::new(&world.binaries().ntd);
        command.arg("recover").arg("--data-dir").arg(world.data_dir());
        let database = told.args.windows(2).find(|pair| pair[0] == "--database");
        command.args(database.context("a database that is shared")?).args(more);
        command.env_clear().envs(told.env.iter().map(|(name, value)| (name, value)));
        process::run(&mut command, None)
    }

    /// A copy of a node's data folder, as somebody takes it who carries it elsewhere.
    pub fn copy(&self, nth: usize, name: &str) -> Result<PathBuf> {
        let copy = self.dir.path().join(format!("{name}-of-{nth}"));
        let original = self.nodes[nth].world.data_dir();
        let copied = Command::new("cp").arg("-a").arg(original).arg(&copy).status()?;
        ensure!(copied.success(), "the data folder cannot be copied");
        Ok(copy)
    }

    /// Starts a program that takes the options of the tests' `verifier`, told where all nodes are.
    pub fn verifier(&self, name: &str, mut command: Command) -> Result<Follower> {
        command.args(["--credential", &self.credential]);
        let before = |node: &Node| Proxy::before(node.world.address());
        let proxies = self.nodes.iter().map(before).collect::<Result<Vec<_>>>()?;
        let addresses: Vec<SocketAddr> = proxies.iter().map(Proxy::address).collect();
        let service = Service::start(self.dir.path(), name, &addresses, command, "/check")?;
        Ok(Follower { service, proxies })
    }
}

/// Nodes on loopback, each with proxies of its own, and none started yet.
fn proxied(count: u8, place: &Place) -> Result<Vec<Node>> {
    let node = |_| {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let before = |server: &SocketAddr| Proxy::before(*server);
        let databases = place.servers().iter().map(before).collect::<Result<Vec<_>>>()?;
        let peers = Proxy::before(listen)?;
        let mut args = place.at(databases.iter().map(Proxy::address).collect()).args();
        if !databases.is_empty() {
            args.extend(["--advertise".to_owned(), format!("http://{}", peers.address())]);
        }
        let options = Options { args, listen: Some(listen), ..Options::default() };
        let world = World::prepare(options)?;
        Ok(Node { world, database: Link::through(databases), peers: Link::through(vec![peers]) })
    };
    (0..count).map(node).collect()
}

/// Nodes in namespaces of their own, and none started yet.
fn networked(count: u8, place: &Place, database: Database<'_>) -> Result<Vec<Node>> {
    let network = Arc::new(Namespaces::make(count)?);
    database.listen(&network.databases())?;
    let ports = place.servers().iter().map(SocketAddr::port);
    let servers: Vec<SocketAddr> =
        network.databases().into_iter().zip(ports).map(Into::into).collect();
    let node = |nth| {
        let own = network.node(nth);
        let peers = (0..count).filter(|peer| *peer != nth).map(|peer| (own, network.node(peer)));
        let databases = network.databases().map(|database| (own, database));
        let args = place.at(servers.clone()).args();
        let options = Options {
            env: secret(place),
            args,
            wrapper: network.wrapper(nth).map(Into::into).to_vec(),
            listen: Some((own, 8480).into()),
            sign_in: SignIn::Elsewhere,
            ..Options::default()
        };
        let world = World::prepare(options)?;
        Ok(Node {
            world,
            database: Link::between(&network, databases.to_vec()),
            peers: Link::between(&network, ordered(peers)),
        })
    };
    (0..count).map(node).collect()
}

/// The key secret for nodes that share a database; one with a file of its own has one beside it.
fn secret(place: &Place) -> Vec<(String, String)> {
    let secret = ("NTD_KEY_SECRET".to_owned(), SECRET.to_owned());
    if place.servers().is_empty() { Vec::new() } else { vec![secret] }
}

/// A pair is the same whoever names it.
fn ordered(pairs: impl Iterator<Item = (Ipv4Addr, Ipv4Addr)>) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    pairs.map(|(one, other)| (one.min(other), one.max(other))).collect()
}

/// The owner's session and a credential for verifiers, from where one can sign in.
fn introduced(world: &World) -> Result<(Operator, String)> {
    let owner = world.operator(OWNER)?;
    let added = owner.expect(201, "POST", "/v1/verifiers", Some(&json!({ "name": "fleet" })))?;
    let credential = added["credential"].as_str().context("a credential")?;
    Ok((owner, credential.to_owned()))
}

/// The same, from a node in development that was there before and left in order.
fn before(first: &Node, place: &Place) -> Result<(Operator, String)> {
    let args = place.args();
    let options = Options {
        data_dir: Some(first.world.data_dir()),
        env: secret(place),
        args,
        ..Options::default()
    };
    let mut world = World::with(options)?;
    let told = introduced(&world)?;
    world.stop()?;
    Ok(told)
}
