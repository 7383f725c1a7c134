//! Clients that ask every verifier about every token, and write down what they were told.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nt_token::clock::Stopwatch;

use crate::checker::{Check, Revoke, Verdict};
use crate::http::Connection;
use crate::operator::{Issued, Operator};
use crate::process;

/// Clients at each verifier: one waits for a stopped process while the other has given up on it, so
/// that there is always a question which was asked just now.
const CLIENTS: usize = 2;

/// A client gives up on an answer after this, and asks anew. A verifier that was stopped finds
/// questions waiting which were asked while it did not run.
const PATIENCE: Duration = Duration::from_millis(250);

/// A client rests between two questions.
const REST: Duration = Duration::from_millis(4);

/// How long a token is asked about before it is revoked, and after.
const AROUND: Duration = Duration::from_millis(200);

/// How long a revoke may take in all, with an authority that is killed meanwhile.
const LONGEST_REVOKE: Duration = Duration::from_mins(1);

/// A verifier, and what is to be asked there: a request for each token.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// The request for each token, rendered.
    pub questions: Vec<Vec<u8>>,
}

/// The clients, and the clock that all of them share.
#[derive(Debug)]
pub struct Hammer {
    watch: Stopwatch,
    targets: Vec<Target>,
    /// Tokens that each second question is about.
    hot: Mutex<BTreeSet<usize>>,
    done: AtomicBool,
    patience: Duration,
}

impl Hammer {
    /// Clients for these verifiers. Each has a question for each token.
    pub fn new(targets: Vec<Target>) -> Self {
        let hot = Mutex::default();
        let done = AtomicBool::new(false);
        Self { watch: Stopwatch::start(), targets, hot, done, patience: PATIENCE }
    }

    /// The same, whose clients give up on an answer after this: for where no process is stopped, and
    /// no answer means that something is wrong.
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Lets the clients ask while this work is done; what they saw.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> (T, Vec<Check>) {
        /// Also where the work panics: nobody would end the clients then.
        struct Done<'a>(&'a AtomicBool);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        thread::scope(|scope| {
            let mut clients = Vec::new();
            for client in 0..self.targets.len() * CLIENTS {
                clients.push(scope.spawn(move || self.ask_on(client)));
            }
            let done = Done(&self.done);
            let worked = work();
            drop(done);
            let seen = |client: thread::ScopedJoinHandle<'_, Vec<Check>>| {
                client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            (worked, clients.into_iter().flat_map(seen).collect())
        })
    }

    /// Asks about this token most of all, from now on.
    pub fn heat(&self, token: usize) {
        self.hot().insert(token);
    }

    /// And no more than about the others.
    pub fn cool(&self, token: usize) {
        self.hot().remove(&token);
    }

    /// Revokes a token, and tries again while the authority is not there: at the next node, where the
    /// owner may ask at several.
    pub fn revoke(&self, owners: &[Operator], made: &Issued, token: usize) -> Result<Revoke> {
        let path = format!("/v1/workspaces/{}/tokens/{}", made.workspace, made.jti);
        let start = self.watch.elapsed();
        let mut owners = owners.iter().cycle().skip(token);
        process::until(LONGEST_REVOKE, || {
            let owner = owners.next().context("somebody who may revoke")?;
            let Ok(answer) = owner.call("DELETE", &path, None) else { return Ok(None) };
            let end = self.watch.elapsed();
            match answer.status {
                200 => {
                    ensure!(answer.json()["status"] == "revoked", "{}", answer.text());
                    Ok(Some(Revoke { token, start, end }))
                }
                // Not in force yet, or the authority is stopping.
                202 | 503 => Ok(None),
                status => bail!("{status} {}", answer.text()),
            }
        })
    }

    /// Revokes all tokens from this one on, so many at once, each of which is asked about for a while
    /// before and after. Meanwhile there is something to do, which is told whether that goes on.
    pub fn revoke_all<T>(
        &self,
        owners: &[Operator],
        tokens: &[Issued],
        from: usize,
        at_once: usize,
        meanwhile: impl FnOnce(&dyn Fn() -> bool) -> Result<T>,
    ) -> Result<(Vec<Revoke>, T)> {
        let next = AtomicUsize::new(from);
        let worker = || {
            let mut revokes = Vec::new();
            loop {
                let token = next.fetch_add(1, Ordering::SeqCst);
                let Some(made) = tokens.get(token) else { return Ok(revokes) };
                self.heat(token);
                thread::sleep(AROUND);
                let revoke = self.revoke(owners, made, token);
                revokes.push(revoke.with_context(|| format!("token {token}"))?);
                thread::sleep(AROUND);
                self.cool(token);
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
            let told = meanwhile(&|| workers.iter().any(|worker| !worker.is_finished()))?;
            let mut revokes = Vec::new();
            for worker in workers {
                let done: Result<Vec<Revoke>> =
                    worker.join().map_err(|_| anyhow!("a revoker panicked"))?;
                revokes.extend(done?);
            }
            Ok((revokes, told))
        })
    }

    fn hot(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.hot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One client, until it is told to stop.
    fn ask_on(&self, client: usize) -> Vec<Check> {
        let verifier = client / CLIENTS;
        let target = &self.targets[verifier];
        let (mut checks, mut connection) = (Vec::new(), None);
        for turn in client.. {
            if self.done.load(Ordering::SeqCst) {
                break;
            }
            let half = turn / 2;
            let hot = {
                let hot = self.hot();
                let nth = half % hot.len().max(1);
                hot.iter().nth(nth).copied().filter(|_| turn % 2 == 0)
            };
            let token = hot.unwrap_or(half % target.questions.len());
            let start = self.watch.elapsed();
            let verdict = self.ask(target, &mut connection, token);
            let end = self.watch.elapsed();
            checks.push(Check { token, client, verifier, start, end, verdict });
            thread::sleep(REST);
        }
        checks
    }

    fn ask(&self, target: &Target, connection: &mut Option<Connection>, token: usize) -> Verdict {
        if connection.is_none() {
            *connection = Connection::open_for(target.address, self.patience).ok();
        }
        let answer = connection.as_mut().map(|open| open.exchange(&target.questions[token]));
        match answer {
            Some(Ok(answer)) if answer.status == 200 => Verdict::Accepted,
            Some(Ok(answer)) if answer.status == 401 => Verdict::Refused,
            Some(Ok(_)) => Verdict::Unknown,
            Some(Err(_)) | None => {
                *connection = None;
                Verdict::Unknown
            }
        }
    }
}
