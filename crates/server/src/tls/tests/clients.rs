//! Client certificates in handshakes in memory.

use rcgen::{BasicConstraints, DnType, IsCa, Issuer, SanType, date_time_ymd};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::*;

struct Ca {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new() -> Self {
        let key = KeyPair::generate().expect("randomness");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, params: &CertificateParams) -> Shown {
        let key = KeyPair::generate().expect("randomness");
        let signed = params.signed_by(&key, &self.issuer).expect("signed");
        (signed.pem(), key.serialize_pem())
    }

    fn client(&self, name: &str) -> Shown {
        self.sign(&CertificateParams::new([name.to_owned()]).expect("a name"))
    }
}

/// A certificate and its key.
type Shown = (String, String);

/// A server, whose own certificate is its root, and how clients connect to it.
struct Server {
    tls: Tls,
    ca: PathBuf,
    roots: RootCertStore,
    _dir: TempDir,
}

impl Server {
    fn new(ca: &Ca, clients: impl FnOnce(PathBuf) -> Clients) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (certificate, key) = made();
        let file = dir.path().join("clients.pem");
        fs::write(&file, &ca.pem).expect("a file");
        let given = files(&dir, (&certificate, &key));
        let tls = Tls::open(Files { clients: clients(file.clone()), ..given }).expect("usable");
        let mut roots = RootCertStore::empty();
        roots.add(der(&certificate)).expect("a root");
        Self { tls, ca: file, roots, _dir: dir }
    }

    fn client(&self, shown: Option<&Shown>) -> TlsConnector {
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.tls.kept.crypto))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(self.roots.clone());
        let mut config = match shown {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
                config.with_client_auth_cert(vec![der(certificate)], key).expect("a pair")
            }
        };
        config.resumption = Resumption::in_memory_sessions(8);
        Arc::new(config).into()
    }

    /// What the server knows after a handshake: `Err` if there is no connection.
    async fn meets(&self, client: &TlsConnector) -> Result<Option<ClientCertificate>, String> {
        let (ours, theirs) = tokio::io::duplex(16 * 1024);
        let name = ServerName::try_from("localhost").expect("a name");
        let talk = async {
            let mut stream = client.connect(name, theirs).await.map_err(|e| e.to_string())?;
            let mut said = [0; 2];
            // In TLS 1.3 only now is it heard that the certificate was refused.
            stream.read_exact(&mut said).await.map_err(|e| e.to_string())?;
            Ok::<_, String>(said)
        };
        let serve = async {
            let (mut stream, certificate) = self.tls.accept(ours).await?;
            stream.write_all(b"ok").await.ok()?;
            stream.flush().await.ok()?;
            Some((stream, certificate))
        };
        let (told, served) = tokio::join!(talk, serve);
        told?;
        let (stream, certificate) = served.expect("whoever heard something was served");
        let kind = stream.get_ref().1.handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Full), "nothing is resumed");
        Ok(certificate)
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

fn expired(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
    params
}

#[tokio::test]
async fn who_is_asked_for_a_certificate_shows_a_good_one_or_none() {
    let ca = Ca::new();
    let server = Server::new(&ca, Clients::Asked);
    let nobody = server.meets(&server.client(None)).await;
    assert_eq!(nobody, Ok(None));
    let good = server.meets(&server.client(Some(&ca.client("edge-1")))).await;
    assert_eq!(good, Ok(Some(ClientCertificate::naming(["edge-1"]))));
    let strange = server.meets(&server.client(Some(&Ca::new().client("edge-1")))).await;
    let why = strange.expect_err("another CA's");
    assert!(why.contains("UnknownCA") || why.contains("DecryptError"), "{why}");
    let late = server.meets(&server.client(Some(&ca.sign(&expired("edge-1"))))).await;
    assert!(late.expect_err("expired").contains("CertificateExpired"));
}

#[tokio::test]
async fn who_has_to_show_a_certificate_and_has_none_gets_no_further() {
    let ca = Ca::new();
    let server = Server::new(&ca, Clients::Demanded);
    let why = server.meets(&server.client(None)).await.expect_err("none is shown");
    assert!(why.contains("CertificateRequired"), "{why}");
    server.meets(&server.client(Some(&ca.client("gateway")))).await.expect("a good one");
}

#[tokio::test]
async fn a_certificate_is_checked_in_each_handshake_and_by_the_ca_of_that_time() {
    let (first, second) = (Ca::new(), Ca::new());
    let server = Server::new(&first, Clients::Asked);
    let (old, new) = (first.client("edge-1"), second.client("edge-1"));
    let client = server.client(Some(&old));
    // A client that would resume its session, if it could: its certificate would not be looked at.
    for _ in 0..2 {
        server.meets(&client).await.expect("of the first CA");
    }
    fs::write(&server.ca, format!("{}{}", first.pem, second.pem)).expect("a file");
    server.tls.kept.renew();
    for shown in [&old, &new] {
        server.meets(&server.client(Some(shown))).await.expect("both count meanwhile");
    }
    fs::write(&server.ca, &second.pem).expect("a file");
    server.tls.kept.renew();
    server.meets(&client).await.expect_err("the first CA counts no more");
    server.meets(&server.client(Some(&new))).await.expect("of the second");
}

#[test]
fn names_are_those_of_the_subject_alternative_names_and_no_others() {
    let mut params = CertificateParams::new(["Edge-1.Example.com".to_owned()]).expect("a name");
    let uri = "spiffe://example.com/verifiers/edge-2".try_into().expect("ASCII");
    params.subject_alt_names.push(SanType::URI(uri));
    params.subject_alt_names.push(SanType::Rfc822Name("edge-3".try_into().expect("ASCII")));
    params.distinguished_name.push(DnType::CommonName, "edge-4");
    let (certificate, _) = Ca::new().sign(&params);
    let shown = ClientCertificate::of(&der(&certificate));
    assert_eq!(shown.names(), ["edge-1.example.com", "edge-2"]);
}
