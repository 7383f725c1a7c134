//! The provider on a loopback port, and a browser of sorts.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use nt_identity::development::DevelopmentProvider;
use nt_identity::login::{LoginSettings, PendingLogin, begin};
use nt_token::Timestamp;
use nt_token::clock::ManualClock;
use tokio::runtime::{Builder, Runtime};
use ureq::http::Response;

/// Long enough for a machine under load; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running development provider. It stops when dropped.
pub(crate) struct World {
    pub(crate) provider: Arc<DevelopmentProvider>,
    pub(crate) clock: Arc<ManualClock>,
    /// The browser.
    pub(crate) agent: ureq::Agent,
    /// The command line's, which has not been told to leave redirects and errors alone.
    pub(crate) client: ureq::Agent,
    _runtime: Runtime,
}

/// What a browser shows.
pub(crate) struct Shown {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) policy: String,
    pub(crate) body: String,
}

impl World {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let provider = DevelopmentProvider::new(&format!("http://{address}")).expect("entropy");
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix(1_723_000_000)));
        let router = Arc::clone(&provider).router(clock.clone());
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime");
            axum::serve(listener, router).await.expect("serves until dropped");
        });
        Self { provider, clock, agent: agent(), client: ureq::agent(), _runtime: runtime }
    }

    pub(crate) fn settings(&self, login_hint: Option<&str>) -> LoginSettings {
        LoginSettings {
            issuer: self.provider.issuer().to_owned(),
            client_id: self.provider.client_id().to_owned(),
            scopes: self.provider.scopes().iter().map(|scope| (*scope).to_owned()).collect(),
            port: 0,
            timeout: PATIENCE,
            login_hint: login_hint.map(str::to_owned),
        }
    }

    pub(crate) fn begin(&self, login_hint: Option<&str>) -> PendingLogin {
        begin(&self.client, self.settings(login_hint)).expect("the provider answers")
    }

    /// A login whose code is not redeemed: where the browser is sent, with the code.
    pub(crate) fn redirect(&self, login: &PendingLogin) -> String {
        show(self.agent.get(login.url()).call().expect("an answer")).location.expect("a redirect")
    }

    /// An endpoint of the provider.
    pub(crate) fn endpoint(&self, name: &str) -> String {
        format!("{}/{name}", self.provider.issuer())
    }
}

/// An agent that shows redirects and errors instead of acting on them.
fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into()
}

pub(crate) fn show(mut response: Response<ureq::Body>) -> Shown {
    let header = |name: &str| {
        response.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned())
    };
    Shown {
        status: response.status().as_u16(),
        location: header("location"),
        policy: header("content-security-policy").unwrap_or_default(),
        body: response.body_mut().read_to_string().expect("a text"),
    }
}

/// Opens a URL, and follows redirects.
pub(crate) fn browse(url: &str) -> Shown {
    let (agent, mut url) = (agent(), url.to_owned());
    loop {
        let shown = show(agent.get(&url).call().expect("an answer"));
        match shown.location {
            Some(next) => url = next,
            None => return shown,
        }
    }
}

/// A parameter of a URL's query.
pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut all = form_urlencoded::parse(query.as_bytes());
    all.find(|(each, _)| each == name).map(|(_, value)| value.into_owned())
}

/// The URL with one parameter of its query replaced, or taken away.
pub(crate) fn changed(url: &str, name: &str, value: Option<&str>) -> String {
    let (base, query) = url.split_once('?').expect("a query");
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(each, _)| each != name);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(kept).extend_pairs(value.map(|value| (name, value)));
    format!("{base}?{}", query.finish())
}

/// A server that answers one request with this, whatever was asked, and its URL.
pub(crate) fn answering_once(response: String) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("asked");
        let mut request = [0; 8_192];
        let _ = stream.read(&mut request);
        // A client that has read enough goes away in the middle.
        let _ = stream.write_all(response.as_bytes());
    });
    format!("http://{address}")
}
