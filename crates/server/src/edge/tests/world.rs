//! An authority that is nothing but a feed, and a running edge.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use nt_feed::ask::HttpAsk;
use nt_feed::client::{AuthorityUrl, Settings};
use nt_feed::server::{self, Feed, NotAdmitted, Source, Stream, Unavailable};
use nt_revocation::protocol::{Lengths, Tenure};
use nt_revocation::{Entry, Fact, Position, RevocationSet};
use nt_token::check::check_signature;
use nt_token::clock::{Clock as _, SystemClock};
use nt_token::jwk::Jwks;
use nt_token::sign::sign;
use nt_token::{
    Claims, EntryId, Jti, KeySet, Networks, OperatorId, Place, Scopes, Secret, SigningKey,
    Timestamp, WorkspaceId,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Extensions;
use tonic::codegen::Bytes;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;

use crate::edge::link::Link;
use crate::edge::listener::{Address, Listener};
use crate::edge::{WithoutLease, serve};

pub(in crate::edge) const LEASE: Duration = Duration::from_millis(800);
const SECRET: &str = "ntv_of-the-test";

#[derive(Default)]
pub(in crate::edge) struct Log(Mutex<Vec<Entry>>);

impl Log {
    fn position(&self) -> Position {
        let entries = self.0.lock().expect("no panic under it");
        let last = entries.last();
        last.map_or(Position::START, |last| Position { epoch: 1, seq: last.seq, entry: last.id })
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
        let shown = shown.and_then(|shown| shown.strip_prefix("Bearer "));
        shown.filter(|shown| *shown == SECRET).ok_or(NotAdmitted::Unauthenticated)?;
        Ok("the test's".to_owned())
    }

    async fn snapshot(&self) -> Result<(Position, Bytes), Unavailable> {
        let set = RevocationSet::new();
        let entries = self.0.lock().expect("no panic under it");
        entries.iter().try_for_each(|entry| set.apply(entry)).map_err(|_| Unavailable)?;
        Ok((set.position(), set.snapshot().into()))
    }

    async fn entries_after(&self, known: Position) -> Result<Option<Vec<Entry>>, Unavailable> {
        let entries = self.0.lock().expect("no panic under it");
        Ok(Some(entries.iter().filter(|entry| entry.seq > known.seq).cloned().collect()))
    }

    async fn position_at(&self, seq: u64) -> Result<Option<Position>, Unavailable> {
        let entries = self.0.lock().expect("no panic under it");
        let at = entries.iter().find(|entry| entry.seq == seq);
        Ok(at.map(|entry| Position { epoch: 1, seq, entry: entry.id }))
    }
}

/// An authority with one key, whose address stays when it stops.
pub(in crate::edge) struct Authority {
    log: Arc<Log>,
    key: Arc<SigningKey>,
    pub(in crate::edge) feed: Feed<Log>,
    address: std::net::SocketAddr,
    server: Option<JoinHandle<()>>,
}

fn feed(log: &Arc<Log>) -> Feed<Log> {
    let whose = server::Authority { issuer: "http://a".to_owned(), audience: "b".to_owned() };
    let lengths = Lengths { verifier: LEASE, ..Lengths::default() };
    Feed::new(Arc::clone(log), whose, lengths, Tenure::Sole { before: None }, log.position())
}

impl Authority {
    pub(in crate::edge) async fn start() -> Self {
        let log = Arc::new(Log::default());
        let (key, _) = SigningKey::generate().expect("randomness");
        let jwk = serde_json::to_string(&key.jwk()).expect("a JWK is JSON");
        let fact = Fact::KeyAdded { kid: key.kid().clone(), jwk };
        let first = Entry { seq: 1, id: EntryId([1; 16]), fact };
        log.0.lock().expect("new").push(first);
        let address = "127.0.0.1:0".parse().expect("an address");
        let mut authority =
            Self { feed: feed(&log), log, key: Arc::new(key), address, server: None };
        authority.serve().await;
        authority
    }

    /// Another node of it.
    pub(in crate::edge) async fn another_node(&self) -> Self {
        let address = "127.0.0.1:0".parse().expect("an address");
        let (log, key) = (Arc::clone(&self.log), Arc::clone(&self.key));
        let mut node = Self { feed: feed(&log), log, key, address, server: None };
        node.serve().await;
        node
    }

    /// Begins to serve, as a new process would.
    pub(in crate::edge) async fn serve(&mut self) {
        self.feed = feed(&self.log);
        let listener = TcpListener::bind(self.address).await.expect("its port");
        self.address = listener.local_addr().expect("bound");
        let door = get(token_auth).with_state(Arc::clone(&self.log));
        let doors = Routes::new(self.feed.service()).into_axum_router();
        let doors = doors.route("/v1/token_auth", door);
        let served = async { axum::serve(listener, doors).await.expect("serves") };
        self.server = Some(tokio::spawn(served));
    }

    /// Whether an edge follows this node.
    pub(in crate::edge) fn is_followed(&self) -> bool {
        self.feed.sessions().iter().any(|session| session.stream == Stream::Open)
    }

    /// Ends the feed for good; the node answers as before.
    pub(in crate::edge) fn cut_feed(&self) {
        self.feed.close();
    }

    /// Ends all at once, releasing nobody.
    pub(in crate::edge) async fn stop(&mut self) {
        self.feed.close();
        if let Some(server) = self.server.take() {
            server.abort();
            let _aborted = server.await;
        }
    }

    fn url(&self) -> AuthorityUrl {
        format!("http://{}", self.address).parse().expect("an origin")
    }

    /// To this node and to another.
    pub(in crate::edge) fn link_to_both(&self, other: &Self) -> Link {
        let mut link = self.link();
        link.settings.others = vec![other.url()];
        link.settings.ask = Some(HttpAsk::any(&[self.url(), other.url()], None).expect("a client"));
        link
    }

    pub(in crate::edge) fn link(&self) -> Link {
        let mut settings = Settings::new(self.url(), "edge");
        settings.credential = Some(Secret::from(SECRET.to_owned()));
        settings.ask = Some(HttpAsk::new(&settings.authority, None).expect("a client"));
        let without_lease = WithoutLease::Refuse;
        Link { settings, issuer: None, audience: None, without_lease, proxies: Vec::new() }
    }

    /// A token, told apart by its number, and its workspace.
    pub(in crate::edge) fn token(&self, idx: u32) -> (String, WorkspaceId) {
        let claims = claims(idx);
        (sign(&claims, &self.key).expose().to_owned(), claims.sub)
    }

    /// A token that may be used from there alone.
    pub(super) fn token_from(&self, idx: u32, network: &str) -> String {
        let source_networks = Networks::new([network.parse().expect("a network")]).expect("one");
        sign(&Claims { source_networks, ..claims(idx) }, &self.key).expose().to_owned()
    }

    /// Revokes it, and waits until that is in force.
    pub(in crate::edge) async fn revoke(&self, idx: u32) {
        let Claims { place, jti, exp, .. } = claims(idx);
        let seq = self.log.position().seq + 1;
        let id = EntryId(u128::from(seq).to_be_bytes());
        let entry = Entry { seq, id, fact: Fact::TokenRevoked { place, jti, exp } };
        self.log.0.lock().expect("no panic under it").push(entry.clone());
        self.feed.push(&[entry]);
        self.feed.wait_complete(seq).await;
    }
}

/// A node's own answer, by the signature and what the log says.
async fn token_auth(State(log): State<Arc<Log>>, headers: HeaderMap) -> (StatusCode, HeaderMap) {
    let shown = headers.get("authorization").and_then(|shown| shown.to_str().ok());
    let token = shown.and_then(|shown| shown.strip_prefix("Bearer ")).expect("a token");
    let entries = log.0.lock().expect("no panic under it");
    let Fact::KeyAdded { jwk, .. } = &entries[0].fact else { panic!("a key is first") };
    let keys = Jwks { keys: vec![serde_json::from_str(jwk).expect("a JWK")] };
    let keys = KeySet::from_jwks(&keys).expect("one key");
    let place = check_signature(token, &keys).ok().map(|signed| signed.claims().place);
    let revoked = entries.iter().any(|entry| {
        matches!(&entry.fact, Fact::TokenRevoked { place: there, .. } if Some(*there) == place)
    });
    let (status, name, value) = if revoked || place.is_none() {
        (401, "www-authenticate", r#"Bearer realm="ntd", error="invalid_token""#)
    } else {
        (200, "x-auth-jti", "jti_x")
    };
    let headers = [(name.parse().expect("a name"), value.parse().expect("a value"))];
    (StatusCode::from_u16(status).expect("a status"), HeaderMap::from_iter(headers))
}

fn claims(idx: u32) -> Claims {
    let now = SystemClock.now().unix();
    Claims {
        iss: "http://a".to_owned(),
        aud: "b".to_owned(),
        sub: WorkspaceId::mint([1; 16]),
        jti: Jti::mint(u64::from(idx), [0; 10]),
        iat: Timestamp::from_unix(now),
        exp: Timestamp::from_unix(now + 3_600),
        scope: Scopes::default(),
        source_networks: Networks::default(),
        client_id: OperatorId::mint(1, [1; 10]),
        rv: 1,
        place: Place { list: 0, idx },
    }
}

/// A running edge.
pub(in crate::edge) struct Running {
    address: Address,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

pub(in crate::edge) struct Answer {
    pub(in crate::edge) status: u16,
    pub(in crate::edge) head: String,
    pub(in crate::edge) body: String,
}

impl Running {
    pub(in crate::edge) async fn start(link: Link) -> Self {
        Self::start_on(&"127.0.0.1:0".parse().expect("an address"), link).await
    }

    pub(in crate::edge) async fn start_on(address: &Address, link: Link) -> Self {
        let listener = Listener::bind(address).await.expect("it can listen");
        let address = listener.address().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let stopped = async { stopped.await.unwrap_or_default() };
        Self { address, stop, task: tokio::spawn(serve::run(listener, None, link, None, stopped)) }
    }

    pub(in crate::edge) async fn stop(self) {
        self.stop.send(()).expect("it runs");
        self.task.await.expect("no panic").expect("it stops in order");
    }

    pub(in crate::edge) async fn ended(self) -> anyhow::Result<()> {
        let _not_told_to = self.stop;
        self.task.await.expect("no panic")
    }

    pub(in crate::edge) async fn until_ready(&self) {
        until("ready", || async { self.ask("GET /readyz", "").await.status == 200 }).await;
    }

    pub(in crate::edge) async fn token_auth(&self, token: &str, query: &str) -> Answer {
        let header = format!("authorization: Bearer {token}\r\n");
        self.ask(&format!("GET /v1/token_auth{query}"), &header).await
    }

    pub(in crate::edge) async fn ask(&self, line: &str, headers: &str) -> Answer {
        let request = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
        match &self.address {
            Address::Tcp(at) => {
                exchange(TcpStream::connect(at).await.expect("it listens"), &request).await
            }
            Address::Unix(at) => {
                exchange(UnixStream::connect(at).await.expect("it listens"), &request).await
            }
        }
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Answer {
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("it answers");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.expect("a status");
    Answer { status, head: format!("{head}\r\n"), body: body.to_owned() }
}

/// Waits until something is so; the test fails if it never is.
pub(in crate::edge) async fn until<F: Future<Output = bool>>(
    what: &str,
    mut is_so: impl FnMut() -> F,
) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}
