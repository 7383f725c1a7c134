//! Connections that can be cut.

use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tonic::transport::Endpoint;

pub(crate) struct Proxy {
    endpoint: Endpoint,
    target: Arc<Mutex<String>>,
    lines: Arc<Mutex<JoinSet<()>>>,
    listening: AbortHandle,
    frozen: watch::Sender<bool>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Proxy {
    pub(crate) async fn to(endpoint: &Endpoint) -> Self {
        let target = Arc::new(Mutex::new(address_of(endpoint)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let lines = Arc::new(Mutex::new(JoinSet::new()));
        let (accepted, leads_to) = (Arc::clone(&lines), Arc::clone(&target));
        let frozen = watch::Sender::new(false);
        let freezes = frozen.subscribe();
        let listening = tokio::spawn(async move {
            while let Ok((mut inward, _)) = listener.accept().await {
                let target = leads_to.lock().expect("no panic under it").clone();
                let mut outward = TcpStream::connect(target).await.expect("the target");
                let mut freezes = freezes.clone();
                accepted.lock().expect("no panic under it").spawn(async move {
                    let freezes = async { freezes.wait_for(|frozen| *frozen).await.is_ok() };
                    let froze = tokio::select! {
                        biased;
                        froze = freezes => froze,
                        _either_ended = copy_bidirectional(&mut inward, &mut outward) => false,
                    };
                    if froze {
                        std::future::pending::<()>().await;
                    }
                });
            }
        })
        .abort_handle();
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        Self { endpoint, target, lines, listening, frozen }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    /// New connections go there.
    pub(crate) fn turn_to(&self, endpoint: &Endpoint) {
        *self.target.lock().expect("no panic under it") = address_of(endpoint);
    }

    /// As a process that is stopped: connections stand, and can be made, and nothing is said on them.
    pub(crate) fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    /// As the end of the process at the other end: its connections end, and there is nobody to connect to.
    pub(crate) fn kill(&self) {
        self.listening.abort();
        self.cut();
    }

    pub(crate) fn cut(&self) {
        self.lines.lock().expect("no panic under it").abort_all();
    }
}

fn address_of(endpoint: &Endpoint) -> String {
    endpoint.uri().authority().expect("an address").to_string()
}
