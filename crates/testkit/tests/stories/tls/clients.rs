//! Client certificates at the real `ntd serve` and `ntd edge`: who shows a good one, a bad one or none,
//! with programs of ours, curl and OpenSSL.

use nt_feed::ask::HttpAsk;
use nt_feed::client::{Identity, Settings};
use nt_testkit::Output;
use nt_verifier::{Answer, Ask as _, NotReady};
use rcgen::date_time_ymd;

use super::*;

const SETTINGS: &str = "tls_client_ca = 'clients.ca.pem'\n";

/// An authority that demands client certificates, and whoever signs them.
fn demanding() -> Result<(Encrypted, Certificates)> {
    let mut clients = None;
    let encrypted = Encrypted::start_with(SETTINGS, |dir| {
        clients = Some(Certificates::make(dir, "clients")?);
        Ok(())
    })?;
    Ok((encrypted, clients.context("they were made")?))
}

fn tell(story: impl FnOnce(&mut Encrypted, &Certificates) -> Result<()>) {
    let (encrypted, clients) = demanding().expect("an authority starts");
    tell_of(encrypted, |encrypted| story(encrypted, &clients));
}

/// A client's certificate and its key, as files.
struct Client {
    certificate: String,
    key: String,
}

impl Certificates {
    fn client(&self, name: &str) -> Result<Client> {
        self.client_with(name, &CertificateParams::new([name.to_owned()])?)
    }

    fn client_with(&self, name: &str, params: &CertificateParams) -> Result<Client> {
        let dir = self.ca.parent().context("in a folder")?;
        let file = |kind: &str| dir.join(format!("client-{name}.{kind}"));
        self.sign(params, &file("pem"), &file("key"))?;
        let text = |path: PathBuf| path.display().to_string();
        Ok(Client { certificate: text(file("pem")), key: text(file("key")) })
    }
}

impl Encrypted {
    /// Registers a verifier; the file that has its credential.
    fn register(&self, cli: &Cli, name: &str) -> Result<String> {
        let file = self.world.dir().join(format!("{name}.credential"));
        fs::write(&file, cli.ok(&["verifiers", "add", name])?)?;
        fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        Ok(file.display().to_string())
    }

    /// An edge that shows this credential, and this certificate.
    fn edge_as(&self, name: &str, credential: &str, client: Option<&Client>) -> Result<Running> {
        let mut more = vec!["--credential-file", credential];
        if let Some(Client { certificate, key }) = client {
            more.extend(["--client-certificate", certificate, "--client-key", key]);
        }
        self.launch_edge(name, &self.made, &more)
    }

    /// What curl makes of a request. `client` is `None` for no certificate.
    fn curl(&self, client: Option<&Client>, args: &[&str]) -> Result<Output> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "10", "--cacert"]).arg(&self.made.ca);
        curl.args(["--write-out", "\n%{http_code}"]).args(args);
        if let Some(Client { certificate, key }) = client {
            curl.args(["--cert", certificate, "--key", key]);
        }
        process::run(&mut curl, None)
    }
}

#[test]
fn a_verifier_follows_with_its_credential_and_its_certificate_and_revokes_wait_for_it() {
    tell(|encrypted, clients| {
        let cli = encrypted.ntcli()?;
        // People sign in, and work, without a certificate.
        sign_in(encrypted, &cli)?;
        cli.ok(&["workspace", "create", "main"])?;
        let credential = encrypted.register(&cli, "edge-1")?;
        encrypted.register(&cli, "edge-2")?;
        let edge = encrypted.edge_as("edge", &credential, Some(&clients.client("edge-1")?))?;
        encrypted.until_ready(&edge)?;
        let listed = cli.json(&["verifiers", "list"])?;
        assert_eq!(listed["verifiers"][0]["connected"], true, "{listed}");
        revoke_in_force_at(encrypted, &cli, &edge)?;

        let without = encrypted.edge_as("without", &credential, None)?;
        without.until_logged("a client certificate is demanded beside the credential")?;
        encrypted.authority.until_logged("at the feed: it shows no client certificate")?;
        let borrowed = clients.client("edge-2")?;
        let other = encrypted.edge_as("borrowed", &credential, Some(&borrowed))?;
        other.until_logged("the client certificate names another verifier than the credential")?;
        for edge in [&without, &other] {
            assert_eq!(encrypted.ask(edge, "/readyz")?, 503);
            assert_eq!(encrypted.check(edge, "wst_any")?, 503);
        }
        // Of nobody in particular: the credential says who it is.
        let shared = encrypted.edge_as("shared", &credential, Some(&clients.client("fleet")?))?;
        encrypted.until_ready(&shared)
    });
}

#[test]
fn a_certificate_that_is_not_good_ends_the_handshake_and_both_sides_say_why() {
    tell(|encrypted, clients| {
        let cli = encrypted.ntcli()?;
        sign_in(encrypted, &cli)?;
        let credential = encrypted.register(&cli, "edge-1")?;
        let mut params = CertificateParams::new(["edge-1".to_owned()])?;
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        let expired = clients.client_with("expired", &params)?;
        let strange = Certificates::make(encrypted.world.dir(), "others")?.client("edge-1")?;
        for (name, client, here, there) in [
            ("strange", &strange, "(received fatal alert: UnknownCA)", "UnknownIssuer"),
            (
                "expired",
                &expired,
                "(received fatal alert: CertificateExpired)",
                "certificate expired",
            ),
        ] {
            let edge = encrypted.edge_as(name, &credential, Some(client))?;
            edge.until_logged(here)?;
            encrypted.authority.until_logged("a client was refused in the TLS handshake")?;
            encrypted.authority.until_logged(there)?;
            assert_eq!(encrypted.ask(&edge, "/readyz")?, 503);
        }
        Ok(())
    });
}

#[test]
fn a_renewed_client_ca_counts_from_the_signal_on_and_a_bad_one_never() {
    tell(|encrypted, clients| {
        let cli = encrypted.ntcli()?;
        sign_in(encrypted, &cli)?;
        let credential = encrypted.register(&cli, "edge-1")?;
        let client = clients.client("edge-1")?;
        let edge = encrypted.edge_as("edge", &credential, Some(&client))?;
        encrypted.until_ready(&edge)?;

        let dir = encrypted.world.dir().join("next");
        fs::create_dir(&dir)?;
        let next = Certificates::make(&dir, "clients")?;
        let url = format!("{}/oauth2/introspect", encrypted.url());
        // A connection, and no session on it; or not even that.
        let met = |client: &Client, is_met: bool| -> Result<()> {
            let told = encrypted.curl(Some(client), &["--data", "token=x", &url])?;
            ensure!(told.stdout.ends_with(if is_met { "\n401" } else { "\n000" }), "{told:?}");
            Ok(())
        };
        let renewed = next.client("edge-1")?;
        met(&renewed, false)?;
        fs::write(&clients.ca, "no certificate")?;
        encrypted.authority.signal(Signal::SIGHUP)?;
        encrypted.authority.until_logged("the TLS certificate stays as it was")?;
        met(&client, true)?;
        fs::copy(&next.ca, &clients.ca)?;
        encrypted.authority.signal(Signal::SIGHUP)?;
        encrypted.authority.until_logged("the TLS certificate was read again")?;
        met(&renewed, true)?;
        met(&client, false)?;
        assert_eq!(encrypted.ask(&edge, "/readyz")?, 200, "connections that are open stay");

        // An edge shows at its next connection what has been put on its disk meanwhile.
        fs::copy(&renewed.key, &client.key)?;
        fs::copy(&renewed.certificate, &client.certificate)?;
        encrypted.authority.signal(Signal::SIGTERM)?;
        let ended = process::wait(&mut encrypted.authority.child, SOON)?;
        assert!(ended.success(), "{}", encrypted.authority.log());
        encrypted.authority = Encrypted::serve(&encrypted.world, &encrypted.made)?;
        edge.until_logged("the client certificate was read again")?;
        encrypted.until_ready(&edge)
    });
}

#[test]
fn at_introspection_a_client_certificate_is_a_second_factor() {
    tell(|encrypted, clients| {
        let cli = encrypted.ntcli()?;
        sign_in(encrypted, &cli)?;
        cli.ok(&["workspace", "create", "main"])?;
        let made = cli.json(&["token", "create"])?;
        let form = format!("token={}", text_of(&made, "token"));
        let kept = fs::read_to_string(cli.config_dir().join("credentials.json"))?;
        let (_, session) = kept.split_once("nts_").context("a session")?;
        let session = session.split('"').next().unwrap_or_default();
        let bearer = format!("Authorization: Bearer nts_{session}");
        let url = format!("{}/oauth2/introspect", encrypted.url());
        let client = clients.client("resource-server")?;
        let asked = ["--header", bearer.as_str(), "--data", &form, &url];
        let both = encrypted.curl(Some(&client), &asked)?;
        assert!(
            both.stdout.contains("\"active\":true") && both.stdout.ends_with("200"),
            "{both:?}"
        );
        let session_alone = encrypted.curl(None, &asked)?;
        assert!(session_alone.stdout.contains("client certificate"), "{session_alone:?}");
        assert!(session_alone.stdout.ends_with("\n401"), "{session_alone:?}");
        let certificate_alone = encrypted.curl(Some(&client), &asked[2..])?;
        assert!(certificate_alone.stdout.ends_with("\n401"), "{certificate_alone:?}");
        assert!(!certificate_alone.stdout.contains("client certificate"), "{certificate_alone:?}");
        // Forward-auth needs no certificate: nginx and others ask without a credential of their own.
        let header = format!("Authorization: Bearer {}", text_of(&made, "token"));
        let url = format!("{}/v1/token_auth", encrypted.url());
        let open = encrypted.curl(None, &["--header", &header, &url])?;
        assert!(open.stdout.ends_with("\n200"), "{open:?}");
        Ok(())
    });
}

/// What is heard about a token that is none.
fn answer(ask: &HttpAsk) -> Result<Result<Answer, NotReady>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(ask.ask("wst_x")))
}

#[test]
fn an_edge_with_a_client_ca_answers_only_gateways_that_it_has_signed() {
    tell_of(Encrypted::start().expect("an authority starts"), |encrypted| {
        let clients = Certificates::make(encrypted.world.dir(), "gateways")?;
        let ca = clients.ca.display().to_string();
        let edge = encrypted.launch_edge("edge", &encrypted.made, &["--client-ca", &ca])?;
        let gateway = clients.client("nginx")?;
        let url = format!("https://{}", edge.address);
        let ready = format!("{url}/readyz");
        process::until(SOON, || {
            Ok(encrypted.curl(Some(&gateway), &[&ready])?.stdout.ends_with("\n200").then_some(()))
        })
        .with_context(|| edge.log())?;
        let asked = format!("{url}/v1/token_auth");
        let shown =
            encrypted.curl(Some(&gateway), &["-H", "Authorization: Bearer wst_x", &asked])?;
        assert!(shown.stdout.ends_with("\n401"), "the edge's answer about the token: {shown:?}");
        let other = Certificates::make(encrypted.world.dir(), "others")?.client("stranger")?;
        for client in [None, Some(&other)] {
            for url in [&asked, &ready] {
                let refused = encrypted.curl(client, &[url])?;
                assert!(
                    refused.code != Some(0) && refused.stdout.ends_with("\n000"),
                    "{refused:?}"
                );
            }
        }
        // A verifier that asks about single tokens shows its certificate too, as it is on its disk then.
        let mut settings = Settings::new(url.parse()?, "asks");
        settings.ca = Some(fs::read_to_string(&encrypted.made.ca)?);
        assert_eq!(answer(&HttpAsk::of(&settings)?)?, Err(NotReady::NoAnswer));
        let certificate = PathBuf::from(&gateway.certificate);
        settings.identity = Some(Identity { certificate, key: PathBuf::from(&gateway.key) });
        let ask = HttpAsk::of(&settings)?;
        assert_eq!(answer(&ask)?, Ok(Answer::Refused));
        fs::copy(&other.key, &gateway.key)?;
        assert_eq!(answer(&ask)?, Ok(Answer::Refused), "half a renewal changes nothing");
        fs::copy(&other.certificate, &gateway.certificate)?;
        assert_eq!(answer(&ask)?, Err(NotReady::NoAnswer), "this one is nobody's here");
        // OpenSSL, too, is told what is wanted and by whom it has to be signed.
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-ign_eof", "-connect", &edge.address.to_string(), "-CAfile"]);
        openssl.arg(&encrypted.made.ca);
        let told = process::run(&mut openssl, Some(b""))?;
        let told = format!("{}{}", told.stdout, told.stderr);
        let wanted = format!("CN = CA of {}", encrypted.world.dir().join("gateways").display());
        assert!(told.contains(&wanted) && told.contains("certificate required"), "{told}");
        edge.until_logged("peer sent no certificates")
    });
}
