//! `/v1/token_auth` under load, beside bare hyper servers; each server is a process of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use nt_testkit::world::free_port;
use nt_testkit::{Connection, Operator, Request, Service, World, load, process};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::compare::{ROUNDS, compare};
use crate::nginx::Nginx;
use crate::table::{Aim, Table};

const CONNECTIONS: usize = 32;
const SEEN_REQUESTS: usize = 30_000;
const THROUGH_REQUESTS: usize = 10_000;
const FIRST_REQUESTS: usize = 2_000;

/// A bare server; dropping it ends it.
struct Bare {
    child: Child,
    address: SocketAddr,
}

impl Bare {
    fn start(verify: bool) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare").arg(address.to_string()).args(verify.then_some("--verify"));
        let child = command.stdin(Stdio::null()).spawn()?;
        let bare = Self { child, address };
        process::until(Duration::from_secs(10), || {
            Ok(Connection::open(address).is_ok().then_some(()))
        })?;
        Ok(bare)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It has ended, or it ends now.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Requests a second, each answered with 200.
fn rate(
    runtime: &Runtime,
    at: SocketAddr,
    requests: &Arc<Vec<Vec<u8>>>,
    total: usize,
) -> Result<f64> {
    let run = load::run(at, CONNECTIONS, Arc::clone(requests), total, 200);
    Ok(runtime.block_on(run)?.per_second())
}

pub(crate) fn measure(world: &World, runtime: &Runtime, table: &mut Table) -> Result<()> {
    let operator = world.operator("owner@example.com")?;
    let workspace = operator.create_workspace("forward-auth")?;
    let one = Arc::new(vec![ask(&workspace.token)]);
    let (plain, verifying) = (Bare::start(false)?, Bare::start(true)?);
    let seen = compare(
        || rate(runtime, plain.address, &one, SEEN_REQUESTS),
        || rate(runtime, world.address(), &one, SEEN_REQUESTS),
    )?;
    let what = "forward-auth, token seen before";
    table.add(what, "bare hyper answering 200", "requests/s", Aim::AtLeast(0.85), &seen);

    let edge = Service::edge(world, "edge", world.address())?;
    edge.until_ready()?;
    let at_edge = compare(
        || rate(runtime, plain.address, &one, SEEN_REQUESTS),
        || rate(runtime, edge.address(), &one, SEEN_REQUESTS),
    )?;
    let what = "forward-auth at an edge, token seen before";
    table.add(what, "bare hyper answering 200", "requests/s", Aim::AtLeast(0.85), &at_edge);
    drop(edge);

    let (api, backend) = (Nginx::static_200(world.dir())?, Nginx::static_200(world.dir())?);
    let control = Nginx::shipped(world.dir(), backend.address, api.address)?;
    let asking = Nginx::shipped(world.dir(), world.address(), api.address)?;
    let through = compare(
        || rate(runtime, control.address, &one, THROUGH_REQUESTS),
        || rate(runtime, asking.address, &one, THROUGH_REQUESTS),
    )?;
    let what = "through nginx with auth_request to ntd";
    let control = "nginx with auth_request to an nginx saying 200";
    table.add(what, control, "requests/s", Aim::AtLeast(0.90), &through);

    let who = Request::get("/v1/auth/session").bearer(&operator.session).render();
    let who = Arc::new(vec![who]);
    let session = compare(
        || rate(runtime, plain.address, &who, SEEN_REQUESTS),
        || rate(runtime, world.address(), &who, SEEN_REQUESTS),
    )?;
    let what = "an operator's request, by session";
    table.add(what, "bare hyper answering 200", "requests/s", Aim::None, &session);

    let mut batches = Vec::new();
    for _ in 0..=ROUNDS {
        batches.push(Arc::new(new_tokens(world, runtime, &operator, &workspace.workspace)?));
    }
    let first = compare(
        || rate(runtime, verifying.address, &one, FIRST_REQUESTS),
        || {
            let batch = batches.pop().unwrap_or_default();
            rate(runtime, world.address(), &batch, FIRST_REQUESTS)
        },
    )?;
    let what = "forward-auth, token never seen";
    let control = "bare hyper with one bare verification";
    table.add(what, control, "requests/s", Aim::AtLeast(0.90), &first);
    Ok(())
}

fn ask(token: &str) -> Vec<u8> {
    Request::get("/v1/token_auth").bearer(token).render()
}

/// Requests with tokens that the authority has issued and never seen used.
fn new_tokens(
    world: &World,
    runtime: &Runtime,
    operator: &Operator,
    workspace: &str,
) -> Result<Vec<Vec<u8>>> {
    let path = format!("/v1/workspaces/{workspace}/tokens");
    let create = Request::new("POST", &path).bearer(&operator.session).json(&json!({})).render();
    let create = Arc::new(vec![create; FIRST_REQUESTS]);
    let answers = runtime.block_on(load::answers(world.address(), 64, create, 201))?;
    answers
        .iter()
        .map(|body| {
            Ok(ask(serde_json::from_slice::<serde_json::Value>(body)?["access_token"]
                .as_str()
                .unwrap_or_default()))
        })
        .collect()
}
