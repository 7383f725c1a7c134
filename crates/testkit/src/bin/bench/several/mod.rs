//! Several nodes on one PostgreSQL: what a revoke costs there, how many there can be, what a node
//! costs that does nothing, and what much of everything costs.

mod bare;
mod idle;
mod large;
mod rates;
mod revoke;
mod rolling;
mod start;

use anyhow::{Context as _, Result, ensure};
use nt_postgres_testing::Cluster;
use nt_testkit::operator::Issued;
use nt_testkit::{Operator, Options, World};

use self::bare::Plain;
pub(crate) use self::idle::measure as idle;
pub(crate) use self::large::measure as large;
pub(crate) use self::rates::measure as rates;
pub(crate) use self::revoke::measure as revoke;
pub(crate) use self::rolling::measure as rolling;
pub(crate) use self::start::measure as start;

/// Of one authority.
const NODES: usize = 3;
const OWNER: &str = "owner@example.com";

/// A database with an owner and a workspace in it, and nobody who uses it.
struct Ground {
    cluster: Cluster,
    url: String,
    /// What tokens name: where the first node was.
    issuer: String,
    session: String,
    /// The workspace's first token.
    first: Issued,
    /// The number of the last token that was added.
    last: i64,
}

impl Ground {
    fn make() -> Result<Self> {
        let cluster = Cluster::start()?;
        // As much as a small server has. The rest is as it comes: commits wait for the disk.
        cluster.config("shared_buffers", "512MB")?;
        cluster.config("maintenance_work_mem", "512MB")?;
        cluster.config("max_wal_size", "4GB")?;
        cluster.restart()?;
        let url = cluster.database()?;
        let mut world = World::with(node(&url))?;
        let owner = world.operator(OWNER)?;
        let first = owner.create_workspace("measured")?;
        let status = world.stop()?;
        ensure!(status.success(), "ntd stopped with {status}");
        let issuer = world.url();
        Ok(Self { cluster, url, issuer, session: owner.session, first, last: 0 })
    }

    /// Adds so many tokens like the workspace's first; their identifiers. They are in a list that is
    /// full, so that no other token gets in between.
    fn add_tokens(&mut self, count: i64) -> Result<Vec<String>> {
        const SQL: &str = "WITH list AS (
                INSERT INTO lists SELECT l.list + 1, l.bucket, 1048576, 1048576
                FROM lists l ORDER BY l.list DESC LIMIT 1 RETURNING list)
            SELECT list FROM list";
        let database = Plain::open(&self.url)?;
        let list = database.number(SQL)?;
        let (from, to) = (self.last + 1, self.last + count);
        self.last = to;
        database.run(&format!(
            "INSERT INTO tokens (jti, workspace, created_by, created_at, expires_at, never, scope,
                kid, audience, rv, list, idx, request_digest)
             SELECT 'jti_' || lpad(CAST(n AS TEXT), 26, '0'), t.workspace, t.created_by,
                t.created_at, t.expires_at, t.never, t.scope, t.kid, t.audience, t.rv, {list},
                n - {from}, t.request_digest
             FROM tokens t, generate_series({from}, {to}) n WHERE t.jti = '{}'",
            self.first.jti
        ))?;
        Ok((from..=to).map(jti).collect())
    }

    /// The URL of a copy of the database as it is now.
    fn copy(&self) -> Result<String> {
        self.cluster.copy_of(&self.url)
    }

    /// Nodes that share the database.
    fn nodes(&self, count: usize) -> Result<Vec<World>> {
        let mut nodes =
            (0..count).map(|_| World::prepare(node(&self.url))).collect::<Result<Vec<_>>>()?;
        nodes.iter_mut().try_for_each(World::restart)?;
        Ok(nodes)
    }

    /// The owner, at a node.
    fn owner(&self, node: &World) -> Operator {
        Operator::with_session(node.address(), &self.session)
    }

    /// The path of a token of the workspace.
    fn path(&self, jti: &str) -> String {
        format!("/v1/workspaces/{}/tokens/{jti}", self.first.workspace)
    }
}

/// A node on this database.
fn node(url: &str) -> Options {
    Options { args: vec!["--database".to_owned(), url.to_owned()], ..Options::default() }
}

fn jti(number: i64) -> String {
    format!("jti_{number:026}")
}

/// For rates and sizes: no count here is beyond what a double holds.
fn float(count: usize) -> Result<f64> {
    Ok(f64::from(u32::try_from(count).context("a count")?))
}
