//! What lies between two processes, and can be cut.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Result;

use crate::namespaces::Namespaces;
use crate::proxy::Proxy;

/// Everything over which somebody reaches somebody.
#[derive(Debug)]
pub struct Link(Way);

#[derive(Debug)]
enum Way {
    /// Through these, one before each target.
    Proxies(Vec<Proxy>),
    /// Through the router, between these.
    Pairs(Arc<Namespaces>, Vec<(Ipv4Addr, Ipv4Addr)>),
}

impl Link {
    pub(super) fn through(proxies: Vec<Proxy>) -> Self {
        Self(Way::Proxies(proxies))
    }

    pub(super) fn between(network: &Arc<Namespaces>, pairs: Vec<(Ipv4Addr, Ipv4Addr)>) -> Self {
        Self(Way::Pairs(Arc::clone(network), pairs))
    }

    /// Cuts it: through proxies, connections are closed, which both ends are told; between namespaces,
    /// nothing passes and nobody is told.
    pub fn cut(&self) -> Result<()> {
        match &self.0 {
            Way::Proxies(proxies) => proxies.iter().for_each(Proxy::cut),
            Way::Pairs(network, pairs) => {
                pairs.iter().try_for_each(|(one, other)| network.cut(*one, *other))?;
            }
        }
        Ok(())
    }

    /// Holds back what is said over it, and nobody is told.
    pub fn stall(&self) -> Result<()> {
        match &self.0 {
            Way::Proxies(proxies) => {
                proxies.iter().for_each(Proxy::stall);
                Ok(())
            }
            Way::Pairs(..) => self.cut(),
        }
    }

    /// Lets everything pass again.
    pub fn heal(&self) -> Result<()> {
        match &self.0 {
            Way::Proxies(proxies) => proxies.iter().for_each(Proxy::heal),
            Way::Pairs(network, pairs) => {
                pairs.iter().try_for_each(|(one, other)| network.heal(*one, *other))?;
            }
        }
        Ok(())
    }
}
