//! The real `ntd serve` and `ntd edge` with certificates of their own, and whoever trusts them or not.

mod clients;

use std::fs::{self, File, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nt_testkit::world::{Options, free_port};
use nt_testkit::{Cli, Request, World, process};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::{OWNER, text_of};

const SOON: Duration = Duration::from_secs(20);

/// Somebody who signs certificates, and those of one server.
struct Certificates {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Certificates {
    fn make(dir: &Path, name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        // OpenSSL takes whoever has its issuer's name for its own issuer.
        params
            .distinguished_name
            .push(DnType::CommonName, format!("CA of {}", dir.join(name).display()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let file = |kind: &str| dir.join(format!("{name}.{kind}"));
        fs::write(file("ca.pem"), params.self_signed(&key)?.pem())?;
        let made = Self {
            ca: file("ca.pem"),
            certificate: file("pem"),
            key: file("key"),
            issuer: Issuer::new(params, key),
        };
        made.issue()?;
        Ok(made)
    }

    /// Issues the server's certificate, or another in its place.
    fn issue(&self) -> Result<()> {
        let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        self.sign(&params, &self.certificate, &self.key)
    }

    fn sign(&self, params: &CertificateParams, certificate: &Path, private: &Path) -> Result<()> {
        let key = KeyPair::generate()?;
        fs::write(private, key.serialize_pem())?;
        fs::set_permissions(private, Permissions::from_mode(0o600))?;
        Ok(fs::write(certificate, params.signed_by(&key, &self.issuer)?.pem())?)
    }

    fn issued(&self) -> Result<CertificateDer<'static>> {
        CertificateDer::from_pem_file(&self.certificate).context("a certificate")
    }

    /// A connection to this address, if whoever is there has a certificate of ours.
    fn connect(&self, address: SocketAddr, alpn: &[u8]) -> Result<Connection> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.ca)?)?;
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(crypto);
        let config = config.with_safe_default_protocol_versions()?.with_root_certificates(roots);
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let name = ServerName::from(address.ip());
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SOON))?;
        let mut client = ClientConnection::new(config.into(), name)?;
        while client.is_handshaking() {
            client.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(client, stream))
    }

    /// The status and the text of an answer.
    fn ask(&self, address: SocketAddr, request: &Request) -> Result<(u16, String)> {
        let mut stream = self.connect(address, b"http/1.1")?;
        stream.write_all(&request.clone().header("connection", "close").render())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.with_context(|| format!("no HTTP: {answer}"))?, answer))
    }
}

type Connection = StreamOwned<ClientConnection, TcpStream>;

/// A process that ends with its test, and its log.
struct Running {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Running {
    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?)
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn until_logged(&self, what: &str) -> Result<()> {
        let found = process::until(SOON, || Ok(self.log().contains(what).then_some(())));
        found.with_context(|| format!("{what} in {}", self.log()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// An authority with `--dev` whose only listener does TLS.
struct Encrypted {
    world: World,
    made: Certificates,
    authority: Running,
}

impl Encrypted {
    fn start() -> Result<Self> {
        Self::start_with("", |_| Ok(()))
    }

    /// With more settings, and files that they name.
    fn start_with(more: &str, files: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        // In the folder that the authority runs in.
        let tls = "tls_certificate = 'authority.pem'\ntls_key = 'authority.key'\n";
        let settings = Some(format!("{tls}{more}"));
        let world = World::prepare(Options { settings, ..Options::default() })?;
        let made = Certificates::make(world.dir(), "authority")?;
        files(world.dir())?;
        let authority = Self::serve(&world, &made)?;
        Ok(Self { world, made, authority })
    }

    fn serve(world: &World, made: &Certificates) -> Result<Running> {
        let address = world.address();
        let child = world.spawn_ntd("ntd-tls", address)?;
        let log = world.dir().join("ntd-tls.stderr");
        let authority = Running { child, address, log };
        process::until(SOON, || Ok(made.ask(address, &Request::get("/readyz")).ok()))
            .with_context(|| authority.log())?;
        Ok(authority)
    }

    fn url(&self) -> String {
        format!("https://{}", self.authority.address)
    }

    fn edge(&self, name: &str, trusted: &Certificates) -> Result<Running> {
        let edge = self.launch_edge(name, trusted, &[])?;
        let there = process::until(SOON, || Ok(self.ask(&edge, "/livez").ok()));
        there.with_context(|| edge.log())?;
        Ok(edge)
    }

    /// An edge with more arguments, which may not be there yet.
    fn launch_edge(&self, name: &str, trusted: &Certificates, more: &[&str]) -> Result<Running> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let log = self.world.dir().join(format!("{name}.stderr"));
        let mut command = Command::new(&self.world.binaries().ntd);
        command.args(["edge", "--authority", &self.url(), "--listen", &address.to_string()]);
        command.arg("--ca").arg(&trusted.ca);
        command.arg("--tls-certificate").arg(&self.made.certificate);
        command.arg("--tls-key").arg(&self.made.key);
        command.args(more);
        command.env_clear().current_dir(self.world.dir()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(File::create(&log)?);
        Ok(Running { child: command.spawn()?, address, log })
    }

    fn until_ready(&self, edge: &Running) -> Result<()> {
        let ready = || Ok((self.ask(edge, "/readyz").ok() == Some(200)).then_some(()));
        process::until(SOON, ready).with_context(|| edge.log())
    }

    fn ask(&self, of: &Running, target: &str) -> Result<u16> {
        Ok(self.made.ask(of.address, &Request::get(target))?.0)
    }

    fn check(&self, of: &Running, token: &str) -> Result<u16> {
        Ok(self.made.ask(of.address, &Request::get("/v1/token_auth").bearer(token))?.0)
    }

    /// An `ntcli` that trusts this authority's certificate alone.
    fn ntcli(&self) -> Result<Cli> {
        let cli = self.world.ntcli("tls")?.with_env("NTCLI_API_URL", &self.url());
        Ok(cli.with_env("SSL_CERT_FILE", &self.made.ca.display().to_string()))
    }
}

#[test]
fn a_revoke_over_tls_is_in_force_at_an_edge_that_follows_over_tls() {
    tell(|encrypted| {
        let cli = encrypted.ntcli()?;
        cli.ok(&["health"])?;
        let strange = cli.with_env("SSL_CERT_FILE", "/dev/null").run(&["health"])?;
        ensure!(strange.code != Some(0), "an unknown certificate is refused: {strange:?}");
        sign_in(encrypted, &cli)?;
        cli.ok(&["workspace", "create", "main"])?;
        let edge = encrypted.edge("edge", &encrypted.made)?;
        encrypted.until_ready(&edge)?;
        revoke_in_force_at(encrypted, &cli, &edge)
    });
}

/// Three tokens pass at the edge until their revocation was answered, and never after.
fn revoke_in_force_at(encrypted: &Encrypted, cli: &Cli, edge: &Running) -> Result<()> {
    for _ in 0..3 {
        let made = cli.json(&["token", "create"])?;
        let (jti, token) = (text_of(&made, "jti"), text_of(&made, "token"));
        assert_eq!(encrypted.check(edge, token)?, 200);
        assert_eq!(encrypted.check(&encrypted.authority, token)?, 200);
        cli.ok(&["token", "revoke", jti, "--force"])?;
        assert_eq!(encrypted.check(edge, token)?, 401);
        assert_eq!(encrypted.check(&encrypted.authority, token)?, 401);
    }
    Ok(())
}

#[test]
fn an_edge_that_does_not_trust_the_authority_says_why_and_knows_nothing() {
    tell(|encrypted| {
        let others = Certificates::make(encrypted.world.dir(), "others")?;
        let edge = encrypted.edge("edge", &others)?;
        edge.until_logged("the authority does not answer yet")?;
        edge.until_logged("invalid peer certificate")?;
        assert_eq!(encrypted.ask(&edge, "/readyz")?, 503);
        assert_eq!(encrypted.check(&edge, "wst_any")?, 503);
        Ok(())
    });
}

#[test]
fn a_renewed_certificate_is_served_from_the_signal_on_and_a_bad_one_never() {
    tell(|encrypted| {
        let (made, authority) = (&encrypted.made, &encrypted.authority);
        let served = || -> Result<CertificateDer<'static>> {
            let connection = made.connect(authority.address, b"h2")?;
            assert_eq!(connection.conn.alpn_protocol(), Some(&b"h2"[..]));
            let shown = connection.conn.peer_certificates().context("a certificate")?;
            Ok(shown.first().context("a certificate")?.clone())
        };
        let first = made.issued()?;
        assert_eq!(served()?, first);
        made.issue()?;
        let second = made.issued()?;
        assert_eq!(served()?, first, "nothing was said yet");
        authority.signal(Signal::SIGHUP)?;
        authority.until_logged("the TLS certificate was read again")?;
        assert_eq!(served()?, second);
        fs::write(&made.certificate, "no certificate")?;
        authority.signal(Signal::SIGHUP)?;
        authority.until_logged("the TLS certificate stays as it was")?;
        assert_eq!(served()?, second);
        Ok(())
    });
}

#[test]
fn whoever_speaks_no_tls_gets_no_answer_and_does_no_harm() {
    tell(|encrypted| {
        for bytes in [Request::get("/v1/token_auth").render(), vec![0; 4_096], vec![0x16; 64]] {
            let mut stream = TcpStream::connect(encrypted.authority.address)?;
            stream.set_read_timeout(Some(SOON))?;
            stream.write_all(&bytes)?;
            let mut answer = Vec::new();
            // An alert, or a connection that was reset: each is an end.
            let ended = stream.read_to_end(&mut answer);
            let is_open =
                matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
            assert!(!is_open, "the connection is still open");
            assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
        }
        // A handshake that never comes holds an orderly stop up no more than it holds others up.
        let _silent = TcpStream::connect(encrypted.authority.address)?;
        assert_eq!(encrypted.ask(&encrypted.authority, "/readyz")?, 200);
        encrypted.authority.signal(Signal::SIGTERM)?;
        let ended = process::wait(&mut encrypted.authority.child, Duration::from_secs(8))?;
        assert!(ended.success(), "{}", encrypted.authority.log());
        assert!(!encrypted.authority.log().contains("panicked"));
        Ok(())
    });
}

fn tell(story: impl FnOnce(&mut Encrypted) -> Result<()>) {
    tell_of(Encrypted::start().expect("an authority starts"), story);
}

fn tell_of(mut encrypted: Encrypted, story: impl FnOnce(&mut Encrypted) -> Result<()>) {
    let told = story(&mut encrypted);
    told.with_context(|| encrypted.authority.log()).expect("the story holds");
}

/// Signs in through the development provider, with the browser's part played by hand.
fn sign_in(encrypted: &Encrypted, cli: &Cli) -> Result<()> {
    let login = cli.begin_login(&[])?;
    let (_, target) = login.url.split_once(&encrypted.url()).context("a page of the authority")?;
    let target = format!("{target}&login_hint={OWNER}");
    let (status, answer) =
        encrypted.made.ask(encrypted.authority.address, &Request::get(&target))?;
    let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
    let back = location.with_context(|| format!("{status}: {answer}"))?;
    let (host, path) = back.trim_start_matches("http://").split_once('/').context("a path")?;
    let page = nt_testkit::http::once(host.parse()?, &Request::get(&format!("/{path}")));
    let output = login.end()?;
    ensure!(output.code == Some(0), "the browser got {page:?}: {output:#?}");
    Ok(())
}
