//! Machines of our own, as far as networks go: namespaces that can be cut off from each other.
//!
//! ```text
//!  tests, verifiers  .1 ┐                      ┌ .11  node 0
//!  first database    .2 ├─ here ── router ─────┼ .12  node 1
//!  second database   .3 ┘                      └ .13  node 2
//! ```
//! What is cut is dropped by the router, in both directions, and nobody is told: connections stay
//! open and silent, new ones get no answer. A proxy cannot do that to those who do not pass it. It
//! needs root.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process;

/// Where the tests are, and in it two addresses for databases.
const HERE: u8 = 1;
const DATABASES: [u8; 2] = [2, 3];
/// The first node.
const FIRST: u8 = 11;
/// The router.
const ROUTER: u8 = 254;

/// Ends what runs in the namespaces and removes them, however we end.
const REAPER: &str = r#"read -r _
ip link del "$1"
shift
for name; do
  ip netns pids "$name" | xargs -r kill -KILL
  ip netns del "$name"
done"#;

/// The namespaces, and the router between them. Dropping it removes them.
#[derive(Debug)]
pub struct Namespaces {
    /// The third byte of all addresses.
    subnet: u8,
    count: u8,
    /// Pairs between which nothing passes.
    cut: Mutex<BTreeSet<(Ipv4Addr, Ipv4Addr)>>,
    reaper: Child,
}

impl Namespaces {
    /// As many machines, all of which reach each other and us.
    pub fn make(count: u8) -> Result<Self> {
        ensure!(nix::unistd::Uid::effective().is_root(), "networks of our own need root");
        let subnet = claim()?;
        let names = (0..count).map(|nth| name(subnet, nth)).chain([router(subnet)]);
        let mut command = Command::new("sh");
        command
            .args(["-c", REAPER, "reaper", &uplink(subnet)])
            .args(names)
            .current_dir("/")
            .process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let reaper = command.spawn().context("cannot run sh")?;
        let made = Self { subnet, count, cut: Mutex::default(), reaper };
        made.build()?;
        Ok(made)
    }

    fn build(&self) -> Result<()> {
        let (router, gateway) = (router(self.subnet), self.at(ROUTER));
        let uplink = uplink(self.subnet);
        ip(&format!("link add {uplink} type veth peer name wire netns {router}"))?;
        for host in [HERE].into_iter().chain(DATABASES) {
            ip(&format!("addr add {}/32 dev {uplink}", self.at(host)))?;
        }
        ip(&format!("link set {uplink} up"))?;
        ip(&format!("-n {router} addr add {gateway}/32 dev wire"))?;
        ip(&format!("-n {router} link set wire up"))?;
        for host in [HERE].into_iter().chain(DATABASES) {
            ip(&format!("-n {router} route replace {} dev wire", self.at(host)))?;
        }
        let here = self.here();
        ip(&format!("route add {gateway} dev {uplink}"))?;
        ip(&format!("route add {}/24 via {gateway} dev {uplink} src {here}", self.at(0)))?;
        forward(&router)?;
        for nth in 0..self.count {
            let (name, address) = (name(self.subnet, nth), self.node(nth));
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {router} link add n{nth} type veth peer name wire netns {name}"))?;
            ip(&format!("-n {router} addr add {gateway}/32 dev n{nth}"))?;
            ip(&format!("-n {router} link set n{nth} up"))?;
            ip(&format!("-n {router} route add {address} dev n{nth}"))?;
            ip(&format!("-n {name} addr add {address}/32 dev wire"))?;
            ip(&format!("-n {name} link set wire up"))?;
            ip(&format!("-n {name} link set lo up"))?;
            ip(&format!("-n {name} route add default via {gateway} dev wire onlink"))?;
        }
        Ok(())
    }

    /// What runs a program at a node: it is followed by the program and its arguments.
    pub fn wrapper(&self, nth: u8) -> [String; 4] {
        ["ip".into(), "netns".into(), "exec".into(), name(self.subnet, nth)]
    }

    /// Where a node is.
    pub fn node(&self, nth: u8) -> Ipv4Addr {
        self.at(FIRST + nth)
    }

    /// Where the tests are, and whoever they start without a wrapper.
    pub fn here(&self) -> Ipv4Addr {
        self.at(HERE)
    }

    /// Where databases may listen: addresses of this machine that only they have.
    pub fn databases(&self) -> [Ipv4Addr; 2] {
        DATABASES.map(|host| self.at(host))
    }

    /// Lets nothing more pass between these two.
    pub fn cut(&self, one: Ipv4Addr, other: Ipv4Addr) -> Result<()> {
        if self.pairs().insert((one, other)) { self.rules("add", one, other) } else { Ok(()) }
    }

    /// Lets everything pass between them again.
    pub fn heal(&self, one: Ipv4Addr, other: Ipv4Addr) -> Result<()> {
        if self.pairs().remove(&(one, other)) { self.rules("del", one, other) } else { Ok(()) }
    }

    fn rules(&self, verb: &str, one: Ipv4Addr, other: Ipv4Addr) -> Result<()> {
        for (from, to) in [(one, other), (other, one)] {
            let router = router(self.subnet);
            ip(&format!("-n {router} rule {verb} from {from} to {to} blackhole"))?;
        }
        Ok(())
    }

    fn pairs(&self) -> MutexGuard<'_, BTreeSet<(Ipv4Addr, Ipv4Addr)>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of the range that is kept for measuring networks (RFC 2544): nobody else has it.
    fn at(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.subnet, host)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        drop(self.reaper.stdin.take());
        // What it could not remove is named after a range that the next one does not take.
        let _ended = self.reaper.wait();
    }
}

/// Our own end of what leads to the router.
fn uplink(subnet: u8) -> String {
    format!("ntd{subnet}")
}

fn router(subnet: u8) -> String {
    format!("ntd-{subnet}-router")
}

fn name(subnet: u8, nth: u8) -> String {
    format!("ntd-{subnet}-{nth}")
}

/// Takes a range of addresses by making its router, which only one can.
fn claim() -> Result<u8> {
    let own = std::process::id();
    for step in 0..250 {
        let subnet = u8::try_from((own + step) % 250)?;
        if ip(&format!("netns add {}", router(subnet))).is_ok() {
            return Ok(subnet);
        }
    }
    bail!("no range of addresses is free")
}

/// Lets it pass on what is for others.
fn forward(router: &str) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", router, "tee", "/proc/sys/net/ipv4/ip_forward"]);
    let done = process::run(&mut command, Some(b"1"))?;
    ensure!(done.code == Some(0), "{router} does not forward: {}", done.stderr);
    Ok(())
}

fn ip(words: &str) -> Result<()> {
    let mut command = Command::new("ip");
    let done = process::run(command.args(words.split(' ')), None)?;
    ensure!(done.code == Some(0), "ip {words}: {}", done.stderr);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::thread;
    use std::time::Duration;

    use nix::sched::{CloneFlags, setns};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);
    const SILENCE: Duration = Duration::from_millis(300);

    /// Does something as if at a node: sockets belong to where they were made.
    fn at<T: Send>(network: &Namespaces, nth: u8, act: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", name(network.subnet, nth));
        thread::scope(|scope| {
            let there = scope.spawn(|| {
                let namespace = File::open(path).expect("it was made");
                setns(namespace, CloneFlags::CLONE_NEWNET).expect("we are root");
                act()
            });
            there.join().expect("nobody panics there")
        })
    }

    fn listen(address: Ipv4Addr) -> TcpListener {
        TcpListener::bind((address, 0)).expect("the address is ours")
    }

    fn connect(to: SocketAddr, patience: Duration) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&to, patience)?;
        stream.set_read_timeout(Some(patience))?;
        Ok(stream)
    }

    #[test]
    fn what_is_cut_is_silent_to_both_and_whole_again_when_it_is_healed() {
        let network = Namespaces::make(3).expect("this test runs as root");
        let [database, _] = network.databases();
        let databases = listen(database);
        let peers = at(&network, 1, || listen(network.node(1)));
        for (target, listener) in [(database, &databases), (network.node(1), &peers)] {
            let to = listener.local_addr().expect("bound");
            let mut before = at(&network, 0, || connect(to, PATIENCE)).expect("it is reached");
            let (mut accepted, from) = listener.accept().expect("it came");
            assert_eq!(from.ip(), network.node(0), "nobody stands between them");
            network.cut(network.node(0), target).expect("cut");
            let error = at(&network, 0, || connect(to, SILENCE)).expect_err("no answer");
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            accepted.write_all(b"late").expect("nobody is told");
            before.set_read_timeout(Some(SILENCE)).expect("a socket");
            let error = before.read(&mut [0; 4]).expect_err("nothing comes");
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            at(&network, 2, || connect(to, PATIENCE)).expect("others reach it");
            network.heal(network.node(0), target).expect("healed");
            before.set_read_timeout(Some(PATIENCE)).expect("a socket");
            let mut heard = [0; 4];
            before.read_exact(&mut heard).expect("it was only late");
            assert_eq!(&heard, b"late");
            at(&network, 0, || connect(to, PATIENCE)).expect("it is reached");
        }
    }
}
