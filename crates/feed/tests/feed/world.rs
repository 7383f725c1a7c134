//! An authority with a log in memory, and verifiers, over real sockets on the loopback.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use nt_feed::client::{Follower, Following, follow_any};
use nt_feed::proto::feed_server::FeedServer;
use nt_feed::server::{Authority, Feed, Listed, NotAdmitted, Source, Unavailable, Who};
use nt_revocation::protocol::{Lengths, Tenure};
use nt_revocation::{Entry, Fact, Position, RevocationSet};
use nt_token::{EntryId, Expected, Jti, Place, Timestamp};
use nt_verifier::Verifier;
use nt_verifier::verifier::Options;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Extensions;
use tonic::codegen::Bytes;
use tonic::metadata::MetadataMap;
use tonic::transport::{Endpoint, Server};

pub(crate) const SECRET: &str = "Bearer of the test";
pub(crate) const LEASE: Duration = Duration::from_millis(800);

/// A log in memory.
#[derive(Default)]
pub(crate) struct Log {
    entries: Mutex<Vec<Entry>>,
    /// What followers were given.
    pub(crate) given: Mutex<Vec<&'static str>>,
    /// Where followers had been.
    pub(crate) asked_at: Mutex<Vec<u64>>,
    /// Who knew what this log has not.
    pub(crate) contradictions: Mutex<Vec<(Position, String)>>,
}

/// The log's entries are all made by one rule, so that each test knows them.
pub(crate) fn entry(seq: u64) -> Entry {
    let place = Place { list: 0, idx: u32::try_from(seq).expect("few entries") };
    let jti = Jti::mint(seq, [0; 10]);
    let fact = Fact::TokenRevoked { place, jti, exp: Timestamp::from_unix(2) };
    Entry { seq, id: EntryId(u128::from(seq).to_be_bytes()), fact }
}

impl Log {
    pub(crate) fn with_entries(entries: u64) -> Arc<Self> {
        let log = Self::default();
        log.entries.lock().expect("new").extend((1..=entries).map(entry));
        Arc::new(log)
    }

    fn head(&self) -> u64 {
        self.entries.lock().expect("no panic under it").last().map_or(0, |entry| entry.seq)
    }

    pub(crate) fn position(&self) -> Position {
        self.at(self.head()).expect("the end is there")
    }

    /// Where the log is at this number, by what it says itself.
    fn at(&self, seq: u64) -> Option<Position> {
        let entries = self.entries.lock().expect("no panic under it");
        let entries = entries.iter().take_while(|entry| entry.seq <= seq);
        let at = entries.fold(Position::START, |at, entry| match entry.fact {
            Fact::EpochBegan { epoch, .. } => Position { epoch, seq: entry.seq, entry: entry.id },
            _ => Position { seq: entry.seq, entry: entry.id, ..at },
        });
        Some(at).filter(|at| at.seq == seq)
    }

    /// Adds an entry without telling anybody.
    pub(crate) fn add(&self, entry: Entry) {
        self.entries.lock().expect("no panic under it").push(entry);
    }

    pub(crate) fn next(&self) -> Entry {
        let seq = self.head() + 1;
        Entry { seq, id: EntryId(u128::from(seq).to_be_bytes()), fact: entry(seq % (1 << 20)).fact }
    }
}

#[async_trait]
impl Source for Log {
    async fn authenticate(
        &self,
        metadata: &MetadataMap,
        _: &Extensions,
    ) -> Result<String, NotAdmitted> {
        let shown = metadata.get("authorization").and_then(|shown| shown.to_str().ok());
        match shown {
            Some(SECRET) => Ok("the test's".to_owned()),
            _ => Err(NotAdmitted::Unauthenticated),
        }
    }

    async fn snapshot(&self) -> Result<(Position, Bytes), Unavailable> {
        self.given.lock().expect("no panic under it").push("snapshot");
        let set = RevocationSet::new();
        let entries = self.entries.lock().expect("no panic under it");
        entries.iter().try_for_each(|entry| set.apply(entry)).map_err(|_| Unavailable)?;
        Ok((set.position(), set.snapshot().into()))
    }

    async fn entries_after(&self, known: Position) -> Result<Option<Vec<Entry>>, Unavailable> {
        if self.at(known.seq) != Some(known) {
            return Ok(None);
        }
        self.given.lock().expect("no panic under it").push("entries");
        let entries = self.entries.lock().expect("no panic under it");
        Ok(Some(entries.iter().filter(|entry| entry.seq > known.seq).cloned().collect()))
    }

    async fn position_at(&self, seq: u64) -> Result<Option<Position>, Unavailable> {
        self.asked_at.lock().expect("no panic under it").push(seq);
        Ok(self.at(seq))
    }

    async fn contradicted(&self, witness: Position, by: &Who) {
        self.contradictions.lock().expect("no panic under it").push((witness, by.name.clone()));
    }
}

/// A running authority.
pub(crate) struct World {
    pub(crate) log: Arc<Log>,
    pub(crate) feed: Feed<Log>,
    pub(crate) endpoint: Endpoint,
    server: JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl World {
    pub(crate) async fn with_entries(entries: u64, before: Option<Duration>) -> Self {
        Self::node(&Log::with_entries(entries), Tenure::Sole { before }).await
    }

    /// A node of an authority with this log.
    pub(crate) async fn node(log: &Arc<Log>, tenure: Tenure) -> Self {
        let lengths = Lengths { verifier: LEASE, ..Lengths::default() };
        let authority = Authority { issuer: "http://a".to_owned(), audience: "b".to_owned() };
        let feed = Feed::new(Arc::clone(log), authority, lengths, tenure, log.position());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let service: FeedServer<_> = feed.service();
        let server = tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            let served = Server::builder().add_service(service).serve_with_incoming(incoming);
            served.await.expect("serves until aborted");
        });
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        Self { log: Arc::clone(log), feed, endpoint, server }
    }

    /// Adds the log's next entry and tells the verifiers.
    pub(crate) fn revoke(&self) -> u64 {
        self.push(self.log.next())
    }

    pub(crate) fn append(&self, fact: Fact) -> u64 {
        self.push(Entry { fact, ..self.log.next() })
    }

    /// Adds the next entry as another log has it.
    pub(crate) fn append_as(&self, id: EntryId) -> u64 {
        self.push(Entry { id, ..self.log.next() })
    }

    fn push(&self, entry: Entry) -> u64 {
        let seq = entry.seq;
        self.log.add(entry.clone());
        self.feed.push(&[entry]);
        seq
    }

    pub(crate) fn follower(name: &str) -> Follower {
        Follower {
            name: name.to_owned(),
            instance: [7; 16],
            authorization: SECRET.parse().expect("ASCII"),
        }
    }

    pub(crate) fn follow(&self, name: &str) -> (Verifier, Following) {
        Self::follow_through(name, self.endpoint.clone())
    }

    pub(crate) fn follow_through(name: &str, endpoint: Endpoint) -> (Verifier, Following) {
        Self::follow_any(name, vec![endpoint])
    }

    pub(crate) fn follow_any(name: &str, endpoints: Vec<Endpoint>) -> (Verifier, Following) {
        let expected = Expected { issuer: "http://a".to_owned(), audience: "b".to_owned() };
        let (verifier, state) = Verifier::new(Options::new(expected));
        (verifier, follow_any(endpoints, Self::follower(name), state))
    }

    pub(crate) fn session(&self, name: &str) -> Option<Listed> {
        self.feed.sessions().into_iter().find(|listed| listed.who.name == name)
    }
}

/// Waits until something is so; the test fails if it never is.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

/// Waits until a verifier may say "good" by what the log says up to here.
pub(crate) async fn ready(verifier: &Verifier, seq: u64) {
    until("a lease, and everything applied", || {
        let stats = verifier.stats();
        stats.applied >= seq && !stats.lease_left.is_zero()
    })
    .await;
}
