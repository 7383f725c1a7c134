//! A small real service that checks tokens itself: what a team that embeds `nt-verifier` would write.
//! The stories run several of it, kill it, stop it and cut it off.
//!
//! With `--mutant` it keeps one of the rules no longer, so that a story can show that the checker sees
//! it. The mutants are made here, from the parts that everybody has; the product has no such switch.

mod mutant;
mod routes;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::serve::ListenerExt as _;
use clap::Parser;
use nt_feed::client::{Follower, follow_any, introduce};
use nt_verifier::{Options, Verifier};
use tokio::net::TcpListener;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;

use crate::mutant::Mutant;

/// Between two attempts to hear the authority for the first time.
const RETRY_EACH: Duration = Duration::from_millis(50);

/// A service that checks tokens itself.
#[derive(Parser)]
struct Args {
    /// Where the authority is, or each of its nodes
    #[arg(long, required = true)]
    authority: Vec<String>,
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// What the authority calls it
    #[arg(long)]
    name: String,
    /// What it shows the authority; one in development takes anything
    #[arg(long, default_value = "dev")]
    credential: String,
    /// Which rule to break
    #[arg(long)]
    mutant: Option<Mutant>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let endpoints = args.authority.into_iter().map(Endpoint::from_shared);
    let mut endpoints: Vec<Endpoint> = endpoints.collect::<Result<_, _>>()?;
    let mut instance = [0; 16];
    aws_lc_rs::rand::fill(&mut instance).ok().context("the system has randomness")?;
    let authorization = MetadataValue::try_from(format!("Bearer {}", args.credential))?;
    let follower = Follower { name: args.name, instance, authorization };
    // A fleet spreads over the nodes, as `connect` makes it.
    let first = usize::from(follower.instance[0]) % endpoints.len();
    endpoints.rotate_left(first);
    // The port is closed until there is somebody whose tokens could be checked.
    let mut nodes = endpoints.iter().cycle();
    let expected = loop {
        let node = nodes.next().context("clap asks for one")?;
        match introduce(node, &follower).await {
            Ok(expected) => break expected,
            Err(_) => tokio::time::sleep(RETRY_EACH).await,
        }
    };
    let (verifier, state) = Verifier::new(Options::new(expected));
    let _following = match args.mutant {
        None | Some(Mutant::VerdictCached) => Some(follow_any(endpoints, follower, state)),
        Some(mutant) => {
            tokio::spawn(mutant::follow(endpoints, follower, state, mutant));
            None
        }
    };
    let mut routes = routes::guarded(verifier);
    if args.mutant == Some(Mutant::VerdictCached) {
        routes = mutant::with_cached_verdicts(routes);
    }
    let listener = TcpListener::bind(args.listen).await.context("cannot listen")?;
    // Answers are small and wanted at once.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, routes).await.context("cannot serve")
}
