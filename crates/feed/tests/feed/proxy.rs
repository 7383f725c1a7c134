//! Connections that can be cut.

use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tonic::transport::Endpoint;

pub(crate) struct Proxy {
    endpoint: Endpoint,
    lines: Arc<Mutex<JoinSet<()>>>,
    listening: AbortHandle,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Proxy {
    pub(crate) async fn to(endpoint: &Endpoint) -> Self {
        let target = endpoint.uri().authority().expect("an address").to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let lines = Arc::new(Mutex::new(JoinSet::new()));
        let accepted = Arc::clone(&lines);
        let listening = tokio::spawn(async move {
            while let Ok((mut inward, _)) = listener.accept().await {
                let mut outward = TcpStream::connect(&target).await.expect("the target");
                accepted.lock().expect("no panic under it").spawn(async move {
                    let _either_ended = copy_bidirectional(&mut inward, &mut outward).await;
                });
            }
        })
        .abort_handle();
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        Self { endpoint, lines, listening }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    pub(crate) fn cut(&self) {
        self.lines.lock().expect("no panic under it").abort_all();
    }
}
