//! What the nodes of an authority keep everything in.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, bail};
use nt_postgres_testing::{Bouncer, Cluster, Replicated};

/// A database for nodes to share.
#[derive(Debug, Clone, Copy)]
pub enum Database<'a> {
    /// A file of one node's own, in its data folder.
    Sqlite,
    /// A fresh database of this server's.
    Cluster(&'a Cluster),
    /// The same, where no node is woken by what another has committed.
    Silent(&'a Cluster),
    /// The same, through PgBouncer.
    Bounced(&'a Cluster, &'a Bouncer),
    /// A fresh database of this pair's: whichever takes writes.
    Replicated(&'a Replicated),
}

/// A database, by its name and the servers that may have it; none for SQLite.
#[derive(Debug, Clone)]
pub(super) struct Place {
    servers: Vec<SocketAddr>,
    name: String,
    /// How it is used: the URL's query.
    query: &'static str,
    /// Arguments that go with it.
    more: Vec<String>,
}

impl Database<'_> {
    fn servers(&self) -> Vec<&Cluster> {
        match self {
            Self::Sqlite => Vec::new(),
            Self::Cluster(cluster) | Self::Silent(cluster) | Self::Bounced(cluster, _) => {
                vec![cluster]
            }
            Self::Replicated(pair) => vec![pair.primary(), pair.standby()],
        }
    }

    /// Makes it, for nodes that are told this too.
    pub(super) fn make(&self, more: &[&str]) -> Result<Place> {
        let servers = self.servers();
        let url = servers.first().map(|first| first.database()).transpose()?;
        let name = url.as_deref().and_then(|url| url.rsplit_once('/'));
        let name = name.map_or_else(String::new, |(_, name)| name.to_owned());
        let servers = match self {
            Self::Bounced(_, bouncer) => vec![bouncer.address()],
            _ => servers.iter().map(|server| server.address()).collect(),
        };
        let query = match self {
            Self::Sqlite | Self::Cluster(_) => "",
            Self::Silent(_) => "?notify=off",
            Self::Bounced(..) => "?pooling=transaction",
            Self::Replicated(_) => "?target_session_attrs=read-write",
        };
        Ok(Place { servers, name, query, more: more.iter().map(ToString::to_string).collect() })
    }

    /// Lets its servers be reached at these addresses, one each.
    pub(super) fn listen(&self, at: &[Ipv4Addr]) -> Result<()> {
        if matches!(self, Self::Bounced(..)) {
            bail!("PgBouncer listens on loopback only");
        }
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
        let (name, query) = (&self.name, self.query);
        let url = format!("postgres://postgres@{}/{name}{query}", servers.join(","));
        let database = ["--database".to_owned(), url];
        let database = database.into_iter().filter(|_| !servers.is_empty());
        database.chain(self.more.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_all_servers_and_how_they_are_used() {
        let server = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let name = "test".to_owned();
        let place = Place { servers: vec![server(1)], name, query: "", more: Vec::new() };
        assert_eq!(place.args(), ["--database", "postgres://postgres@127.0.0.1:1/test"]);
        let used = Place { query: "?notify=off", ..place.at(vec![server(1), server(2)]) };
        let wanted = "postgres://postgres@127.0.0.1:1,127.0.0.1:2/test?notify=off";
        assert_eq!(used.args(), ["--database", wanted]);
        assert!(place.at(Vec::new()).args().is_empty());
    }
}
