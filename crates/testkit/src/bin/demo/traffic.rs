//! Steady traffic: a client for each token, each on a connection of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};
use nt_testkit::{Check, Connection, Request, Verdict};
use nt_token::clock::Stopwatch;

/// How long a client rests between an answer and its next request.
const REST: Duration = Duration::from_millis(1);

/// The running clients.
pub(crate) struct Traffic {
    done: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Result<Vec<Check>>>>,
}

impl Traffic {
    pub(crate) fn start<const N: usize>(
        api: SocketAddr,
        watch: Stopwatch,
        tokens: [String; N],
    ) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let clients = tokens.into_iter().enumerate().map(|(token, value)| {
            let done = Arc::clone(&done);
            thread::spawn(move || client(api, watch, token, &value, &done))
        });
        Self { clients: clients.collect(), done }
    }

    /// Stops the clients; what they saw.
    pub(crate) fn stop(self) -> Result<Vec<Check>> {
        self.done.store(true, Ordering::SeqCst);
        let mut checks = Vec::new();
        for client in self.clients {
            checks.extend(client.join().map_err(|_| anyhow!("a client panicked"))??);
        }
        Ok(checks)
    }
}

fn client(
    api: SocketAddr,
    watch: Stopwatch,
    token: usize,
    value: &str,
    done: &AtomicBool,
) -> Result<Vec<Check>> {
    let request = Request::get("/tools").bearer(value).render();
    let mut connection = Connection::open(api)?;
    let mut checks = Vec::new();
    while !done.load(Ordering::SeqCst) {
        let start = watch.elapsed();
        let verdict = match connection.exchange(&request)?.status {
            200 => Verdict::Accepted,
            401 => Verdict::Refused,
            _ => Verdict::Unknown,
        };
        checks.push(Check {
            token,
            client: token,
            verifier: 0,
            start,
            end: watch.elapsed(),
            verdict,
        });
        thread::sleep(REST);
    }
    Ok(checks)
}
