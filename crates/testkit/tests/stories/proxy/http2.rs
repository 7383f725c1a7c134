//! HTTP/2 by a client that is not ours.

use std::process::Command;

use anyhow::Context as _;
use nt_testkit::process;

use super::programs::{Proxy, Server};
use crate::{OWNER, story};

#[test]
fn curl_speaks_http_2_with_the_proxy_and_sees_a_cut_as_an_error() {
    story(|world| {
        let owner = world.operator(OWNER)?;
        let made = owner.create_workspace("main")?;
        let upstream = Server::start("upstream.mjs", &[])?;
        let proxy = Proxy::start(world, upstream.port, &[])?;
        let curl = |path: &str| {
            let mut curl = Command::new("curl");
            curl.args([
                "-sS",
                "--http2-prior-knowledge",
                "--max-time",
                "20",
                "-w",
                "%{http_version} ",
            ]);
            curl.args(["-H", &format!("Authorization: Bearer {}", made.token), "-o"]);
            curl.arg(world.dir().join(path.trim_start_matches('/')));
            curl.arg(format!("http://{}{path}", proxy.address));
            curl
        };
        let whole = process::run(&mut curl("/download?mib=16"), None)?;
        assert_eq!((whole.code, whole.stdout.trim()), (Some(0), "2"), "{}", whole.stderr);
        let got = std::fs::metadata(world.dir().join("download?mib=16"))?.len();
        assert_eq!(got, 16 << 20);

        let mut events = curl("/events").spawn().context("curl is needed for this test")?;
        let file = world.dir().join("events");
        let begun = || Ok(std::fs::metadata(&file).is_ok_and(|it| it.len() > 0).then_some(()));
        process::until(super::SOON, begun)?;
        owner.revoke(&made.workspace, &made.jti)?;
        let status = process::wait(&mut events, super::SOON)?;
        // 92: the stream was reset; 18: less came than was announced.
        assert!(matches!(status.code(), Some(92 | 18)), "{status}");
        Ok(())
    });
}
