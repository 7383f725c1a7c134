//! A server to be in front of, a running proxy, and a client that sends exactly what it is given.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::{IntervalStream, ReceiverStream};

use crate::edge::listener::{Address, Listener};
use crate::edge::proxy::settings::{Bound, Settings};
use crate::edge::serve::{self, Proxying};
use crate::edge::tests::world::{Authority, until};
use crate::tls::Tls;

/// What the upstream has taken of uploads.
type Taken = Arc<AtomicU64>;

/// The server behind.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    pub(super) taken: Taken,
    task: JoinHandle<()>,
}

impl Upstream {
    pub(super) async fn start() -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into()).await
    }

    pub(super) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let taken = Taken::default();
        let router = Router::new()
            .route("/sse", get(ticks))
            .route("/hold", get(std::future::pending::<Response>))
            .route("/ws", get(mirror))
            .route("/big", get(big))
            .route("/empty", any(async || [("etag", "\"1\""), ("content-length", "12")]))
            .route(
                "/not-modified",
                get(async || (axum::http::StatusCode::NOT_MODIFIED, [("etag", "\"1\"")])),
            )
            .route("/breaks", get(breaks))
            .route("/trailers", get(trailers))
            .fallback(echo)
            .with_state(Arc::clone(&taken));
        let served = async { axum::serve(listener, router).await.expect("serves") };
        Self { address, taken, task: tokio::spawn(served) }
    }

    pub(super) async fn stop(self) {
        self.task.abort();
        let _aborted = self.task.await;
    }
}

/// What came, as JSON. Of a body its length alone; it is read as it comes.
async fn echo(State(taken): State<Taken>, request: Request) -> Response {
    let (parts, mut body) = request.into_parts();
    let mut length = 0;
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return "cut".into_response() };
        match frame.into_data() {
            Ok(data) => {
                length += data.len();
                taken.fetch_add(data.len() as u64, Ordering::Relaxed);
            }
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    let lines = |headers: &HeaderMap| {
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
        lines.collect::<Vec<_>>()
    };
    let seen = json!({
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "version": format!("{:?}", parts.version),
        "headers": lines(&parts.headers),
        "length": length,
        "trailers": lines(&trailers),
    });
    ([("connection", "x-secret"), ("x-secret", "between neighbours")], axum::Json(seen))
        .into_response()
}

async fn ticks() -> Response {
    let ticks = IntervalStream::new(tokio::time::interval(Duration::from_millis(5)));
    let ticks = ticks.map(|_| Ok::<_, Infallible>("data: tick\n\n"));
    ([("content-type", "text/event-stream")], Body::from_stream(ticks)).into_response()
}

/// Whatever is said over the upgraded connection is said back.
async fn mirror(mut request: Request) -> Response {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
        let _ended = tokio::io::copy(&mut read, &mut write).await;
    });
    let headers =
        [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "x")];
    (axum::http::StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// 64 MiB.
async fn big() -> Response {
    let piece = axum::body::Bytes::from(vec![7; 64 * 1024]);
    let pieces = tokio_stream::iter(0..1_024).map(move |_| Ok::<_, Infallible>(piece.clone()));
    Body::from_stream(pieces).into_response()
}

/// Announces more than it sends.
async fn breaks() -> Response {
    let (send, receive) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let _taken = send.send(Ok("begun")).await;
        // Long enough for the head to be on its way.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _taken = send.send(Err(std::io::Error::other("broken"))).await;
    });
    Body::from_stream(ReceiverStream::new(receive)).into_response()
}

async fn trailers() -> Response {
    let trailers =
        HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("1"))]);
    let frames = [Ok::<_, Infallible>(Frame::data("data".into())), Ok(Frame::trailers(trailers))];
    let body = Body::new(StreamBody::new(tokio_stream::iter::<
        [Result<Frame<axum::body::Bytes>, _>; 2],
    >(frames)));
    ([("trailer", "x-sum")], body).into_response()
}

/// Settings that demand nothing.
pub(super) fn in_front_of(upstream: &str) -> Settings {
    Settings {
        upstream: upstream.parse().expect("an origin"),
        ca: None,
        resource: None,
        scopes: Vec::new(),
        public: Vec::new(),
        workspace: Bound::Any,
    }
}

/// A running proxy.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) admin: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// One that is ready.
    pub(super) async fn start(authority: &Authority, settings: Settings) -> Self {
        let running = Self::launch(authority, settings).await;
        until("ready", || async {
            exchange(running.admin, "GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                .await
                .status
                == 200
        })
        .await;
        running
    }

    pub(super) async fn launch(authority: &Authority, settings: Settings) -> Self {
        Self::launch_with(authority, settings, None).await
    }

    /// One that serves TLS.
    pub(super) async fn with_tls(authority: &Authority, settings: Settings, tls: Tls) -> Self {
        Self::launch_with(authority, settings, Some(tls)).await
    }

    async fn launch_with(authority: &Authority, settings: Settings, tls: Option<Tls>) -> Self {
        let any: Address = "127.0.0.1:0".parse().expect("an address");
        let (listener, admin) = (Listener::bind(&any).await, Listener::bind(&any).await);
        let (listener, admin) = (listener.expect("it can listen"), admin.expect("it can listen"));
        let (address, at_admin) = (tcp(&listener), tcp(&admin));
        let (stop, stopped) = oneshot::channel();
        let stopped = async { stopped.await.unwrap_or_default() };
        let proxying = Proxying { settings, admin: Some(admin) };
        let running = serve::run(listener, tls, authority.link(), Some(proxying), stopped);
        Self { address, admin: at_admin, stop, task: tokio::spawn(running) }
    }

    pub(super) fn begin_to_stop(self) -> JoinHandle<anyhow::Result<()>> {
        self.stop.send(()).expect("it runs");
        self.task
    }

    /// What a request with this token is answered.
    pub(super) async fn get(&self, path: &str, token: &str) -> Answer {
        let bearer = format!("authorization: Bearer {token}\r\n");
        self.ask(&format!("GET {path}"), &bearer).await
    }

    pub(super) async fn ask(&self, line: &str, headers: &str) -> Answer {
        let request =
            format!("{line} HTTP/1.1\r\nhost: h.example\r\nconnection: close\r\n{headers}\r\n");
        exchange(self.address, &request).await
    }

    /// A connection over which this was sent.
    pub(super) async fn open(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        stream
    }
}

fn tcp(listener: &Listener) -> SocketAddr {
    match listener.address().expect("bound") {
        Address::Tcp(address) => address,
        Address::Unix(_) => panic!("it is TCP"),
    }
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_default();
        Self { status, head: format!("{head}\r\n"), body: body.to_owned() }
    }

    /// What the upstream saw.
    pub(super) fn seen(&self) -> Value {
        let json = self.body.find('{').map(|at| &self.body[at..]).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(json).into_iter();
        values.next().and_then(Result::ok).unwrap_or_else(|| panic!("the echo: {self:?}"))
    }

    /// The lines of this name that the upstream saw.
    pub(super) fn lines(&self, name: &str) -> Vec<String> {
        let seen = self.seen();
        let lines = seen["headers"].as_array().expect("lines").iter().filter_map(Value::as_str);
        lines
            .filter_map(|line| line.strip_prefix(&format!("{name}: ")))
            .map(str::to_owned)
            .collect()
    }
}

/// Sends this, and reads until the other side ends the connection.
pub(super) async fn exchange(at: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(at).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    Answer::of(&rest(&mut stream).await)
}

/// Everything until the other side ends the connection.
pub(super) async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut all));
    // A reset is an end too.
    let _ended = read.await.expect("it ends");
    String::from_utf8_lossy(&all).into_owned()
}

/// Reads until this was said.
pub(super) async fn until_said(stream: &mut TcpStream, what: &str) -> String {
    let mut all = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&all).contains(what) {
            let read = stream.read_buf(&mut all).await.expect("it goes on");
            assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&all));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("it is said");
    String::from_utf8_lossy(&all).into_owned()
}
