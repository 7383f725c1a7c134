//! nginx, as server and as proxy.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::LENGTH;

/// The server behind.
pub(super) fn files(dir: &Path, listen: SocketAddr) -> Result<String> {
    fs::write(dir.join("small"), [b'x'; 128])?;
    fs::write(dir.join("large"), vec![b'x'; LENGTH])?;
    let dir = dir.display();
    Ok(format!("server {{ listen {listen}; root {dir}; open_file_cache max=8; }}\n"))
}

fn upstreams(named: &[(&str, SocketAddr)]) -> String {
    let one = |(name, at): &(&str, SocketAddr)| {
        format!("upstream {name} {{ server {at}; keepalive 64; keepalive_requests 10000000; }}\n")
    };
    named.iter().map(one).collect()
}

const KEPT: &str = "proxy_http_version 1.1; proxy_set_header Connection \"\";";

/// A proxy that asks nobody.
pub(super) fn plain(listen: SocketAddr, files: SocketAddr) -> String {
    format!(
        "{}server {{ listen {listen}; location / {{ proxy_pass http://files; {KEPT}\n\
         proxy_set_header Host $host; proxy_set_header Authorization \"\"; }} }}\n",
        upstreams(&[("files", files)])
    )
}

/// A proxy that asks about each request, as `deploy/nginx` does.
pub(super) fn auth_request(listen: SocketAddr, files: SocketAddr, ntd: SocketAddr) -> String {
    let names = ["workspace", "jti", "scope", "expires"];
    let taken: String = names
        .map(|name| {
            format!(
                "auth_request_set $ntd_{name} $upstream_http_x_auth_{name};\n\
                 proxy_set_header X-Auth-{name} $ntd_{name};\n"
            )
        })
        .concat();
    format!(
        "{}server {{ listen {listen};\n\
         location = /_ntd {{ internal; proxy_pass http://ntd/v1/token_auth; {KEPT}\n\
         proxy_method HEAD; proxy_pass_request_body off; proxy_set_header Content-Length \"\";\n\
         proxy_set_header X-Original-URI $request_uri; }}\n\
         location / {{ auth_request /_ntd;\n{taken}\
         proxy_pass http://files; {KEPT} proxy_set_header Host $host;\n\
         proxy_set_header Authorization \"\"; }} }}\n",
        upstreams(&[("files", files), ("ntd", ntd)])
    )
}
