//! `ntd edge --upstream` in front of servers that know nothing of tokens: what is open with a token
//! ends with it, and nobody else notices.

mod http2;
mod mcp;
mod programs;
mod streams;

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use nt_testkit::http::once;
use nt_testkit::{Request, process};
use nt_token::clock::Stopwatch;
use serde_json::Value;

use self::programs::{Proxy, Server};
use crate::{OWNER, report, story};

const SOON: Duration = Duration::from_secs(20);

/// The lines of this name that the upstream saw.
fn seen<'a>(headers: &'a Value, name: &str) -> Vec<&'a str> {
    let raw: Vec<_> = headers.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let lines = raw.chunks_exact(2).filter(|line| line[0].eq_ignore_ascii_case(name));
    lines.map(|line| line[1]).collect()
}

#[test]
fn a_server_in_node_learns_whose_request_it_is_and_never_the_token() {
    story(|world| {
        let made = world.operator(OWNER)?.create_workspace("main")?;
        let upstream = Server::start("upstream.mjs", &[])?;
        let proxy = Proxy::start(world, upstream.port, &[])?;
        let forged = Request::get("/a?b=c").bearer(&made.token);
        let forged = forged.header("connection", "x-auth-workspace, x-auth-jti");
        let forged = ["X-Auth-Workspace", "x_auth_workspace", "X-Auth_Jti", "x-auth-admin"]
            .iter()
            .fold(forged, |request, name| request.header(name, "forged"));
        let answer = once(proxy.address, &forged.header("x-forwarded-for", "1.1.1.1"))?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!answer.text().contains("forged") && !answer.text().contains(&made.token));
        let headers = &answer.json()["headers"];
        assert_eq!(seen(headers, "x-auth-workspace"), [made.workspace.as_str()]);
        assert_eq!(seen(headers, "x-auth-jti"), [made.jti.as_str()]);
        assert_eq!(seen(headers, "x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(seen(headers, "host"), ["localhost"]);
        for gone in ["authorization", "x_auth_workspace", "x-auth-admin", "forwarded"] {
            assert!(seen(headers, gone).is_empty(), "{gone}");
        }

        // Whoever counts by Content-Length sees a second request in the body.
        let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
        let smuggled = format!(
            "POST /one HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: 5\r\n\
             transfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
            made.token
        );
        let said = raw(proxy.address, smuggled.as_bytes())?;
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
        assert!(!said.contains("hidden"), "{said}");
        Ok(())
    });
}

/// Sends this, and reads until the other side ends the connection.
fn raw(address: SocketAddr, bytes: &[u8]) -> Result<String> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SOON))?;
    stream.write_all(bytes)?;
    let mut all = Vec::new();
    // A reset is an end too.
    let _ended = stream.read_to_end(&mut all);
    Ok(String::from_utf8_lossy(&all).into_owned())
}

#[test]
fn bodies_are_carried_with_the_memory_of_a_few_buffers() {
    story(|world| {
        let token = world.operator(OWNER)?.create_workspace("main")?.token;
        let upstream = Server::start("upstream.mjs", &[])?;
        let proxy = Proxy::start(world, upstream.port, &[])?;
        once(proxy.address, &Request::get("/").bearer(&token))?;
        let before = proxy.peak_kib()?;
        let download =
            Request::get("/download?mib=64").bearer(&token).header("connection", "close");
        let mut stream = std::net::TcpStream::connect(proxy.address)?;
        stream.write_all(&download.render())?;
        let got = std::io::copy(&mut stream, &mut std::io::sink())?;
        assert!(got > 64 << 20, "{got}");
        let upload = Request::new("POST", "/upload").bearer(&token);
        let upload = upload.header("content-length", &(64 << 20).to_string()).render();
        let mut stream = std::net::TcpStream::connect(proxy.address)?;
        stream.write_all(&upload)?;
        for _ in 0..64 {
            stream.write_all(&vec![b'x'; 1 << 20])?;
        }
        let mut answer = [0; 4_096];
        let read = stream.read(&mut answer)?;
        let said = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
        let grown = proxy.peak_kib()?.saturating_sub(before);
        report(&format!("the proxy: 128 MiB carried in {grown} KiB more than before"))?;
        assert!(grown < 16 * 1024, "{grown} KiB");
        Ok(())
    });
}

#[test]
fn an_upstream_may_go_and_come_and_without_the_authority_nothing_passes() {
    story(|world| {
        let token = world.operator(OWNER)?.create_workspace("main")?.token;
        let upstream = Server::start("upstream.mjs", &[])?;
        let port = upstream.port;
        let proxy = Proxy::start(world, port, &[])?;
        let get = || {
            Ok::<_, anyhow::Error>(once(proxy.address, &Request::get("/").bearer(&token))?.status)
        };
        assert_eq!(get()?, 200);
        drop(upstream);
        process::until(SOON, || Ok((get()? == 502).then_some(())))?;
        let _back = Server::start("upstream.mjs", &[("PORT", &port.to_string())])?;
        process::until(SOON, || Ok((get()? == 200).then_some(())))?;

        let mut open = streams::Open::new(
            proxy.address,
            &Request::get("/events").bearer(&token),
            Stopwatch::start(),
        )?;
        // Stopped, it neither renews leases nor says that it is gone.
        world.signal(Signal::SIGSTOP)?;
        let watch = Stopwatch::start();
        process::until(SOON, || Ok((get()? == 503).then_some(())))?;
        let refused = watch.elapsed();
        let ended = open.ended(SOON).context("the stream ends too")?;
        world.signal(Signal::SIGCONT)?;
        report(&format!("the proxy: cut off from its authority, 503 after {refused:?}"))?;
        assert!(!ended.is_whole(), "it is seen to be cut off");
        process::until(SOON, || Ok((get()? == 200).then_some(())))
    });
}
