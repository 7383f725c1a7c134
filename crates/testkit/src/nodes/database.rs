//! What the nodes of an authority keep everything in.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use nt_postgres_testing::{Cluster, Replicated};

/// A database for nodes to share.
#[derive(Debug, Clone, Copy)]
pub enum Database<'a> {
    /// A file of one node's own, in its data folder.
    Sqlite,
    /// A fresh database of this server's.
    Cluster(&'a Cluster),
    /// A fresh database of this pair's: whichever takes writes.
    Replicated(&'a Replicated),
}

/// A database, by its name and the servers that may have it; none for SQLite.
#[derive(Debug, Clone)]
pub(super) struct Place {
    servers: Vec<SocketAddr>,
    name: String,
    /// Arguments that go with it.
    more: Vec<String>,
}

impl Database<'_> {
    fn servers(&self) -> Vec<&Cluster> {
        match self {
            Self::Sqlite => Vec::new(),
            Self::Cluster(cluster) => vec![cluster],
            Self::Replicated(pair) => vec![pair.primary(), pair.standby()],
        }
    }

    /// Makes it, for nodes that are told this too.
    pub(super) fn make(&self, more: &[&str]) -> Result<Place> {
        let servers = self.servers();
        let url = servers.first().map(|first| first.database()).transpose()?;
        let name = url.as_deref().and_then(|url| url.rsplit_once('/'));
        let name = name.map_or_else(String::new, |(_, name)| name.to_owned());
        let servers = servers.iter().map(|server| server.address()).collect();
        Ok(Place { servers, name, more: more.iter().map(ToString::to_string).collect() })
    }

    /// Lets its servers be reached at these addresses, one each.
    pub(super) fn listen(&self, at: &[Ipv4Addr]) -> Result<()> {
        // The standby finds its primary on loopback, where both are.
        let mut servers = self.servers().into_iter().zip(at);
        servers.try_for_each(|(server, at)| server.also_listen((*at).into()))
    }
}

impl Place {
    pub(super) fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// The same database, its servers reached at other addresses.
    pub(super) fn at(&self, servers: Vec<SocketAddr>) -> Self {
        Self { servers, ..self.clone() }
    }

    /// The arguments of `ntd serve`.
    pub(super) fn args(&self) -> Vec<String> {
        let servers: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        let attributes = if servers.len() > 1 { "?target_session_attrs=read-write" } else { "" };
        let url = format!("postgres://postgres@{}/{}{attributes}", servers.join(","), self.name);
        let database = ["--database".to_owned(), url];
        let database = database.into_iter().filter(|_| !servers.is_empty());
        database.chain(self.more.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_all_servers_and_asks_for_the_one_that_takes_writes() {
        let server = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let place = Place { servers: vec![server(1)], name: "test".to_owned(), more: Vec::new() };
        assert_eq!(place.args(), ["--database", "postgres://postgres@127.0.0.1:1/test"]);
        let both = place.at(vec![server(1), server(2)]).args();
        let wanted =
            "postgres://postgres@127.0.0.1:1,127.0.0.1:2/test?target_session_attrs=read-write";
        assert_eq!(both, ["--database", wanted]);
        assert!(place.at(Vec::new()).args().is_empty());
    }
}
