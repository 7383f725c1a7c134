//! The promise's price: a revoke with verifiers connected, and what a crowd of them costs `ntd`.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nt_testkit::world::free_port;
use nt_testkit::{Connection, Operator, World, load, process};
use nt_token::clock::Stopwatch;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;

use crate::bare::NEWS;
use crate::compare::{ROUNDS, compare, median, percentile};
use crate::followers::Followers;
use crate::table::{Aim, Table};
use crate::writes::{Bare, create, revokes};

/// How many revokes a sample with eight verifiers is the median of, and one with a thousand.
const FEW: usize = 150;
const MANY: usize = 20;
const CROWD: usize = 5_000;
/// For so long the crowd is left to itself.
const IDLE: Duration = Duration::from_secs(10);

/// The bare broadcaster, those who send its news back, and who asks for news.
pub(crate) struct Broadcaster {
    child: Child,
    asker: TcpStream,
}

impl Broadcaster {
    pub(crate) fn start(runtime: &Runtime, echoes: usize) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("broadcast").arg(address.to_string());
        let child = command.stdin(Stdio::null()).spawn()?;
        let listens = || Ok(TcpStream::connect(address).ok());
        drop(process::until(Duration::from_secs(10), listens)?);
        for _ in 0..echoes {
            runtime.block_on(async {
                let mut stream = tokio::net::TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                stream.write_all(&[1]).await?;
                tokio::spawn(async move {
                    let mut news = [0; NEWS];
                    while stream.read_exact(&mut news).await.is_ok() {
                        if stream.write_all(&news).await.is_err() {
                            break;
                        }
                    }
                });
                anyhow::Ok(())
            })?;
        }
        let mut asker = TcpStream::connect(address)?;
        asker.set_nodelay(true)?;
        asker.write_all(&[0])?;
        Ok(Self { child, asker })
    }

    /// Until everybody has answered.
    pub(crate) fn ask(&mut self) -> Result<()> {
        self.asker.write_all(&[1])?;
        self.asker.read_exact(&mut [0])?;
        Ok(())
    }
}

impl Drop for Broadcaster {
    fn drop(&mut self) {
        // It has ended, or it ends now.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Requests that revoke tokens, and the tokens.
struct Stock {
    connection: Connection,
    requests: Vec<(Vec<u8>, String)>,
}

impl Stock {
    fn new(world: &World, runtime: &Runtime, count: usize) -> Result<Self> {
        let operator: Operator = world.operator("owner@example.com")?;
        let workspace = operator.create_workspace("promise")?.workspace;
        let creates = Arc::new(vec![create(&operator, &workspace); count]);
        let answers = runtime.block_on(load::answers(world.address(), 64, creates, 201))?;
        let token = |answer: &Vec<u8>| -> Result<String> {
            let answer: Value = serde_json::from_slice(answer)?;
            Ok(answer["access_token"].as_str().context("a token")?.to_owned())
        };
        let tokens = answers.iter().map(token).collect::<Result<Vec<_>>>()?;
        let revokes = revokes(&operator, &workspace, &answers)?;
        let connection = Connection::open(world.address())?;
        Ok(Self { connection, requests: revokes.into_iter().zip(tokens).collect() })
    }

    /// Revokes the next; in how many milliseconds it was answered "revoked", and its token.
    fn revoke(&mut self) -> Result<(f64, String)> {
        let (request, token) = self.requests.pop().context("a token for each revoke")?;
        let watch = Stopwatch::start();
        let answer = self.connection.exchange(&request)?;
        let took = watch.elapsed();
        ensure!(answer.status == 200, "{}", answer.text());
        Ok((took.as_secs_f64() * 1e3, token))
    }
}

/// The median of so many, in milliseconds.
pub(crate) fn timed(times: usize, mut act: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let watch = Stopwatch::start();
        act()?;
        took.push(watch.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(&took))
}

pub(crate) fn with_eight(runtime: &Runtime, table: &mut Table) -> Result<()> {
    let world = World::start()?;
    let mut stock = Stock::new(&world, runtime, FEW * (ROUNDS + 1))?;
    let followers = Followers::start(&world, runtime, 8)?;
    let mut bare = Bare::open(&world)?;
    let mark = File::create(world.dir().join("mark"))?;
    mark.write_all_at(&[0; 4_096], 0)?;
    mark.sync_all()?;
    let mut echo = Broadcaster::start(runtime, 0)?;
    let found = compare(
        || {
            timed(FEW, || {
                bare.revokes(1, 1)?;
                // In place, as the authority's: a file that grows costs more.
                mark.write_all_at(&[7; 64], 0)?;
                mark.sync_data()?;
                echo.ask()
            })
        },
        || {
            let took = (0..FEW).map(|_| Ok(stock.revoke()?.0)).collect::<Result<Vec<_>>>()?;
            Ok(median(&took))
        },
    )?;
    ensure!(followers.with_a_lease(0) == 8, "a verifier was lost");
    let what = "revoke over HTTP until in force, p50, 8 verifiers";
    let control = "bare SQLite commit, `fdatasync` of a mark, and one TCP echo, p50";
    table.add(what, control, "ms", Aim::AtMost(1.3), &found);
    followers.stop(runtime);
    Ok(())
}

pub(crate) fn with_a_thousand(runtime: &Runtime, table: &mut Table) -> Result<()> {
    raise_the_limit_of_files()?;
    let count = 1_000;
    let world = World::start()?;
    let pid = world.pid()?.as_raw();
    let mut stock = Stock::new(&world, runtime, MANY * (ROUNDS + 1))?;
    let followers = Followers::start(&world, runtime, count)?;
    let mut bare = Broadcaster::start(runtime, count)?;
    let (all, busy) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let found = compare(
        || timed(MANY, || bare.ask()),
        || {
            let mut round = Vec::new();
            for _ in 0..MANY {
                let before = processor_micros(pid)?;
                let (took, token) = stock.revoke()?;
                busy.borrow_mut().push(processor_micros(pid)? - before);
                ensure!(followers.accept(&token) == 0, "accepted after \"revoked\" was answered");
                round.push(took);
            }
            all.borrow_mut().extend(&round);
            Ok(median(&round))
        },
    )?;
    ensure!(followers.with_a_lease(0) == count, "a verifier was lost");
    let what = "revoke over HTTP until in force, p50, 1,000 verifiers";
    let control = "bare tokio: 100 bytes to 1,000 connections and back, p50";
    table.add(what, control, "ms", Aim::AtMost(1.5), &found);
    let p99 = percentile(&all.borrow(), 0.99);
    let what = "revoke over HTTP until in force, p99, 1,000 verifiers";
    table.note(what, p99, "ms", Some(50.0));
    let each = median(&busy.borrow()) / f64::from(u32::try_from(count)?);
    let what = "`ntd`'s processor time for a revoke, for each of 1,000 verifiers";
    table.note(what, each, "µs", None);
    followers.stop(runtime);
    Ok(())
}

pub(crate) fn crowd(runtime: &Runtime, table: &mut Table) -> Result<()> {
    raise_the_limit_of_files()?;
    let world = World::start()?;
    let pid = world.pid()?.as_raw();
    let (before, idle) = (resident_kib(pid)?, busy_over(pid, IDLE)?);
    let followers = Followers::start(&world, runtime, CROWD)?;
    let busy = busy_over(pid, IDLE)?;
    let after = resident_kib(pid)?;
    let lost = CROWD - followers.with_a_lease(0);
    let each = (after - before) / f64::from(u32::try_from(CROWD)?);
    let what = "`ntd`'s memory for each of 5,000 verifiers that follow";
    table.note(what, each, "KiB", None);
    let what = "`ntd`'s processor time for the heartbeats and renewals of 5,000 verifiers";
    table.note(what, (busy - idle) * 1e3, "ms a second", None);
    let what = "verifiers of 5,000 without a lease after 10 s of nothing but renewals";
    table.note(what, f64::from(u32::try_from(lost)?), "verifiers", Some(0.0));
    followers.stop(runtime);
    Ok(())
}

/// For this process and those that it starts, as far as is allowed.
pub(crate) fn raise_the_limit_of_files() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    ensure!(most > 12_000, "only {most} open files are allowed: raise `ulimit -Hn`");
    Ok(())
}

pub(crate) fn resident_kib(pid: i32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("VmRSS")?;
    Ok(kib.parse()?)
}

/// Seconds of processor time a second, over this long.
pub(crate) fn busy_over(pid: i32, span: Duration) -> Result<f64> {
    let before = processor_seconds(pid)?;
    let watch = Stopwatch::start();
    std::thread::sleep(span);
    Ok((processor_seconds(pid)? - before) / watch.elapsed().as_secs_f64())
}

/// For how long its threads have run, by the scheduler's own count: for spans of a few milliseconds.
fn processor_micros(pid: i32) -> Result<f64> {
    let mut nanos = 0.0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that has ended since counts no more.
        let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let ran = text.split_whitespace().next().context("a time")?;
        nanos += ran.parse::<f64>()?;
    }
    Ok(nanos / 1e3)
}

pub(crate) fn processor_seconds(pid: i32) -> Result<f64> {
    // Linux counts in hundredths here, on every architecture that we run on.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(')').context("a process's name")?.1;
    let mut ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    let mut next = || -> Result<f64> { Ok(ticks.next().context("times")??) };
    Ok((next()? + next()?) / TICKS_A_SECOND)
}
