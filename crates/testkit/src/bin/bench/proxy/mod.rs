//! `ntd edge --upstream` beside nginx: as a proxy that asks nobody, and as one that asks `ntd` about
//! each request (`auth_request`). All three are in front of the same nginx with static files.

mod nginx;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nt_testkit::{Connection, Request, Service, World, load};
use nt_token::clock::Stopwatch;
use tokio::runtime::Runtime;

use self::nginx::{auth_request, files, plain};
use crate::compare::{compare, percentile};
use crate::nginx::Nginx;
use crate::table::{Aim, Table};

const CONNECTIONS: usize = 32;
const REQUESTS: usize = 10_000;
/// One after the other.
const ALONE: usize = 1_000;
const DOWNLOADS: u32 = 8;
const MIB: usize = 1 << 20;
/// Of one download.
const LENGTH: usize = 16 * MIB;

/// An edge in front of this server.
fn edge(world: &World, upstream: SocketAddr, token: &str) -> Result<Service> {
    let mut command = Command::new(&world.binaries().ntd);
    command.args(["edge", "--upstream", &format!("http://{upstream}"), "--log", "warn"]);
    let edge = Service::start(world.dir(), "proxy", &[world.address()], command, "/small")?;
    edge.until(token, 200)?;
    Ok(edge)
}

pub(crate) fn measure(world: &World, runtime: &Runtime, table: &mut Table) -> Result<()> {
    let token = world.operator("owner@example.com")?.create_workspace("proxy")?.token;
    let upstream = Nginx::start(world.dir(), files)?;
    let edge = edge(world, upstream.address, &token)?;
    let open = Nginx::start(world.dir(), |_, at| Ok(plain(at, upstream.address)))?;
    let asking =
        Nginx::start(world.dir(), |_, at| Ok(auth_request(at, upstream.address, world.address())))?;
    let controls = [
        (open.address, "nginx that asks nobody", 0.8),
        (asking.address, "nginx with `auth_request` to `ntd`", 1.0),
    ];
    let small = Request::get("/small").bearer(&token).render();
    let many = Arc::new(vec![small.clone()]);
    let rate = |at: SocketAddr| {
        let run = load::run(at, CONNECTIONS, Arc::clone(&many), REQUESTS, 200);
        Ok(runtime.block_on(run)?.per_second())
    };
    let large = Request::get("/large").bearer(&token).render();
    for (control, name, share) in controls {
        let found = compare(|| rate(control), || rate(edge.address()))?;
        let what = format!("`ntd edge --upstream`: small answers, beside {name}");
        table.add(&what, name, "requests/s", Aim::AtLeast(share), &found);
        for (what, share) in [("p50", 0.5), ("p99", 0.99)] {
            let alone = |at| latency(at, &small, share);
            let found = compare(|| alone(control), || alone(edge.address()))?;
            let what = format!("`ntd edge --upstream`: one after the other, {what}, beside {name}");
            table.add(&what, name, "µs", Aim::None, &found);
        }
        let found = compare(|| download(control, &large), || download(edge.address(), &large))?;
        let what = format!("`ntd edge --upstream`: downloads of 16 MiB, beside {name}");
        table.add(&what, name, "MB/s", Aim::AtLeast(share), &found);
    }
    Ok(())
}

/// How long a request takes where there is no other, in microseconds: what this share is below.
fn latency(at: SocketAddr, request: &[u8], share: f64) -> Result<f64> {
    let mut connection = Connection::open(at)?;
    let mut took = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let watch = Stopwatch::start();
        ensure!(connection.exchange(request)?.status == 200, "it is answered");
        took.push(watch.elapsed().as_secs_f64() * 1e6);
    }
    Ok(percentile(&took, share))
}

/// Megabytes a second over one connection.
fn download(at: SocketAddr, request: &[u8]) -> Result<f64> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut buffer = vec![0; 256 * 1024];
    let watch = Stopwatch::start();
    for _ in 0..DOWNLOADS {
        stream.write_all(request)?;
        let (mut head, mut got) = (Vec::new(), 0);
        let mut body = loop {
            let read = stream.read(&mut buffer)?;
            ensure!(read > 0, "it ended in the head");
            head.extend_from_slice(&buffer[..read]);
            if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
                break head.len() - end - 4;
            }
        };
        while got + body < LENGTH {
            got += body;
            body = stream.read(&mut buffer)?;
            ensure!(body > 0, "it ended after {got} bytes");
        }
    }
    let bytes = f64::from(DOWNLOADS) * f64::from(u32::try_from(LENGTH).context("it fits")?);
    Ok(bytes / 1e6 / watch.elapsed().as_secs_f64())
}
