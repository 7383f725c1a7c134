use nt_revocation::Fact;
use nt_revocation::protocol::Incarnation;
use nt_store::{Home, Standing};
use nt_token::{EntryId, Timestamp};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::service::Routes;

use super::*;

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Entries(Vec<Entry>),
    Complete(Member, u64),
}

struct Notes(mpsc::UnboundedSender<Said>);

impl Heard for Notes {
    fn entries(&self, entries: Vec<Entry>) {
        self.0.send(Said::Entries(entries)).expect("the test listens");
    }

    fn complete(&self, report: Report) {
        let said = Said::Complete(report.member, report.seq);
        assert_eq!(Some(report.entry), self.entry_at(report.seq));
        self.0.send(said).expect("the test listens");
    }

    fn entry_at(&self, seq: u64) -> Option<EntryId> {
        Some(EntryId([u8::try_from(seq).expect("few"); 16]))
    }
}

struct Node {
    peers: Arc<Peers>,
    complete: watch::Sender<u64>,
    heard: mpsc::UnboundedReceiver<Said>,
    known: KnownNode,
    _serving: JoinHandle<()>,
}

use nt_store::KnownNode;

fn member(node: u64) -> Member {
    Member { node: NodeId(node), incarnation: Incarnation(10 + node) }
}

impl Node {
    async fn start(number: u64, epoch: u64, key: u8) -> Self {
        let (said, heard) = mpsc::unbounded_channel();
        let complete = watch::Sender::new(number);
        let (me, key) = (member(number), PeerKey::new(&[key; 32]));
        let notes = Box::new(Notes(said));
        let peers = Peers::new(me, epoch, key, complete.subscribe(), notes);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let doors = Routes::new(Listening::service(&peers)).into_axum_router();
        let serving = tokio::spawn(async { axum::serve(listener, doors).await.expect("serves") });
        let known = KnownNode {
            member: me,
            address,
            home: Home([0; 16]),
            version: "1".to_owned(),
            standing: Standing::Active,
            renewals: 0,
            acked: 0,
            last_seen: Timestamp::from_unix(0),
        };
        Self { peers, complete, heard, known, _serving: serving }
    }

    fn dials(&self, other: &Self) -> JoinHandle<()> {
        let nodes = watch::Sender::new(vec![self.known.clone(), other.known.clone()]);
        let dialling = Dialling::new(Arc::clone(&self.peers), nodes.subscribe(), None);
        tokio::spawn(async move {
            dialling.run().await;
            drop(nodes);
        })
    }

    async fn hears(&mut self) -> Said {
        let heard = timeout(Duration::from_secs(5), self.heard.recv()).await;
        heard.expect("soon").expect("it listens")
    }
}

fn entry(seq: u64) -> Entry {
    let kid = "k".parse().expect("a key's identifier");
    Entry { seq, id: EntryId([7; 16]), fact: Fact::KeyRevoked { kid } }
}

#[tokio::test]
async fn two_nodes_tell_each_other_what_is_new_over_one_stream() {
    let (mut a, mut b) = (Node::start(1, 1, 7).await, Node::start(2, 1, 7).await);
    let _dialling = a.dials(&b);
    assert_eq!(a.hears().await, Said::Complete(member(2), 2), "what it knew before");
    assert_eq!(b.hears().await, Said::Complete(member(1), 1));
    a.peers.tell(vec![entry(5), entry(6)]);
    assert_eq!(b.hears().await, Said::Entries(vec![entry(5), entry(6)]));
    b.complete.send_replace(6);
    assert_eq!(a.hears().await, Said::Complete(member(2), 6));
    assert_eq!((a.peers.connected(), b.peers.connected()), (1, 1));
    b.peers.close();
    timeout(Duration::from_secs(5), async {
        while a.peers.connected() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the stream has ended");
}

#[tokio::test]
async fn nobody_without_the_key_and_nobody_else_than_who_was_meant_is_heard() {
    let a = Node::start(1, 1, 7).await;
    let mut other_key = Node::start(2, 1, 8).await;
    let _first = a.dials(&other_key);
    let mut another = Node::start(3, 1, 7).await;
    // Under the address of the one there is another by now.
    another.known.member = member(4);
    let _second = a.dials(&another);
    let either = async {
        tokio::select! {
            said = other_key.heard.recv() => said,
            said = another.heard.recv() => said,
        }
    };
    let heard = timeout(Duration::from_millis(400), either).await;
    assert!(heard.is_err(), "{heard:?}");
    assert_eq!(a.peers.connected(), 0);
}

#[tokio::test]
async fn what_is_said_of_another_epoch_counts_for_nothing() {
    let (mut a, mut b) = (Node::start(1, 1, 7).await, Node::start(2, 2, 7).await);
    let _dialling = a.dials(&b);
    timeout(Duration::from_secs(5), async {
        while b.peers.connected() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("they meet");
    a.peers.tell(vec![entry(5)]);
    let either = async {
        tokio::select! {
            said = a.heard.recv() => said,
            said = b.heard.recv() => said,
        }
    };
    let heard = timeout(Duration::from_millis(300), either).await;
    assert!(heard.is_err(), "{heard:?}");
}
