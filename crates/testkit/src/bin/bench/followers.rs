//! Verifiers that follow a real authority, many in this one process.

use std::time::Duration;

use anyhow::Result;
use nt_feed::client::{Follower, Following, follow_any};
use nt_testkit::{World, process};
use nt_token::Expected;
use nt_verifier::{Options, Verifier};
use tokio::runtime::Runtime;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;

/// So many connect at once: the authority's listener has a queue of finite length.
const AT_ONCE: usize = 100;
const SOON: Duration = Duration::from_mins(1);

/// They follow for as long as this lives.
pub(crate) struct Followers {
    verifiers: Vec<Verifier>,
    following: Vec<Following>,
}

impl Followers {
    /// So many, all with a lease.
    pub(crate) fn start(world: &World, runtime: &Runtime, count: usize) -> Result<Self> {
        Self::of_several(&[world], &world.url(), runtime, count)
    }

    /// So many that know all these nodes, spread over them, all with a lease.
    pub(crate) fn of_several(
        nodes: &[&World],
        issuer: &str,
        runtime: &Runtime,
        count: usize,
    ) -> Result<Self> {
        let _within = runtime.enter();
        let mut all = Self { verifiers: Vec::new(), following: Vec::new() };
        let authorization: MetadataValue<Ascii> = "Bearer dev".parse()?;
        while all.verifiers.len() < count {
            let before = all.verifiers.len();
            for number in before..(before + AT_ONCE).min(count) {
                let expected = Expected { issuer: issuer.to_owned(), audience: issuer.to_owned() };
                // They check a single token each: a cache for thousands would be measured, not they.
                let mut options = Options::new(expected);
                options.cache_bytes = 1 << 12;
                let (verifier, state) = Verifier::new(options);
                let follower = Follower {
                    name: format!("bench-{number}"),
                    instance: u128::try_from(number)?.to_be_bytes(),
                    authorization: authorization.clone(),
                };
                let from = number % nodes.len();
                let turned = nodes[from..].iter().chain(&nodes[..from]);
                let endpoints = turned.map(|node| Endpoint::from_shared(node.url()));
                let endpoints = endpoints.collect::<Result<Vec<_>, _>>()?;
                all.following.push(follow_any(endpoints, follower, state));
                all.verifiers.push(verifier);
            }
            process::until(SOON, || {
                Ok((all.with_a_lease(before) == all.len() - before).then_some(()))
            })?;
        }
        Ok(all)
    }

    pub(crate) fn len(&self) -> usize {
        self.verifiers.len()
    }

    /// How many may say "good", of those behind the first `skip`.
    pub(crate) fn with_a_lease(&self, skip: usize) -> usize {
        let may = |verifier: &&Verifier| !verifier.stats().lease_left.is_zero();
        self.verifiers.iter().skip(skip).filter(may).count()
    }

    /// How many accept this token.
    pub(crate) fn accept(&self, token: &str) -> usize {
        self.verifiers.iter().filter(|verifier| verifier.verify(token).is_ok()).count()
    }

    /// Ends all of them in order.
    pub(crate) fn stop(self, runtime: &Runtime) {
        for following in self.following {
            runtime.block_on(following.stop());
        }
    }
}
