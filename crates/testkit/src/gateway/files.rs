//! The files of each gateway, and what is changed of them: the addresses, and where the other files are.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, ensure};

use super::{Addresses, Program};

/// A file of a configuration that we ship, and what is changed of it to run it here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shipped {
    pub(super) name: &'static str,
    text: &'static str,
    changes: fn(&Addresses, &Path) -> Vec<(&'static str, String)>,
}

impl Shipped {
    /// Its text with other addresses. Each of those it names must be there, once.
    pub(super) fn with(&self, addresses: &Addresses, dir: &Path) -> Result<String> {
        let mut text = self.text.to_owned();
        for (shipped, own) in (self.changes)(addresses, dir) {
            let times = text.matches(shipped).count();
            ensure!(times == 1, "{shipped:?} is {times} times in {}", self.name);
            text = text.replace(shipped, &own);
        }
        Ok(text)
    }
}

impl Program {
    /// What is written where it starts.
    pub(super) fn files(self) -> &'static [Shipped] {
        match self {
            Self::Nginx => NGINX,
            Self::Caddy => CADDY,
            Self::Envoy => ENVOY,
            Self::EnvoyHttp => ENVOY_HTTP,
            Self::Haproxy => HAPROXY,
            Self::Apache => APACHE,
            Self::ApacheIntrospecting => APACHE_INTROSPECTING,
            Self::Traefik => TRAEFIK,
        }
    }
}

const NGINX: &[Shipped] = &[
    Shipped {
        name: "ntd.conf",
        text: include_str!("../../../../deploy/nginx/ntd.conf"),
        changes: |at, _| {
            vec![
                ("listen 127.0.0.1:8080;", format!("listen {};", at.clients)),
                ("server 127.0.0.1:8480;", format!("server {};", at.ntd)),
                ("server 127.0.0.1:9000;", format!("server {};", at.api)),
            ]
        },
    },
    Shipped {
        name: "nginx.conf",
        text: AROUND_NGINX,
        changes: |_, dir| vec![("DIR/pid", format!("{}/pid", dir.display()))],
    },
];

const CADDY: &[Shipped] = &[Shipped {
    name: "Caddyfile",
    text: include_str!("../../../../deploy/caddy/Caddyfile"),
    changes: |at, _| {
        vec![
            ("http://:8080 {", format!("http://:{} {{", at.clients.port())),
            ("forward_auth 127.0.0.1:8480", format!("forward_auth {}", at.ntd)),
            ("reverse_proxy 127.0.0.1:9000", format!("reverse_proxy {}", at.api)),
        ]
    },
}];

const ENVOY: &[Shipped] = &[Shipped {
    name: "envoy.yaml",
    text: include_str!("../../../../deploy/envoy/envoy.yaml"),
    changes: |at, _| {
        let port = |at: SocketAddr| format!("port_value: {} }}", at.port());
        vec![
            ("port_value: 8080 }", port(at.clients)),
            ("port_value: 8480 }", port(at.ntd)),
            ("port_value: 9000 }", port(at.api)),
        ]
    },
}];

const ENVOY_HTTP: &[Shipped] = &[Shipped {
    name: "envoy.yaml",
    text: include_str!("../../../../deploy/envoy/http.yaml"),
    changes: |at, _| {
        let port = |at: SocketAddr| format!("port_value: {} }}", at.port());
        vec![
            ("port_value: 8080 }", port(at.clients)),
            ("port_value: 8480 }", port(at.ntd)),
            ("http://127.0.0.1:8480", format!("http://{}", at.ntd)),
            ("port_value: 9000 }", port(at.api)),
        ]
    },
}];

const HAPROXY: &[Shipped] = &[
    Shipped {
        name: "haproxy.cfg",
        text: include_str!("../../../../deploy/haproxy/haproxy.cfg"),
        changes: |at, dir| {
            let script = format!("lua-load-per-thread {}/ntd.lua", dir.display());
            vec![
                ("bind 127.0.0.1:8080 ", format!("bind {} ", at.clients)),
                ("lua.ntd http://127.0.0.1:8480/", format!("lua.ntd http://{}/", at.ntd)),
                ("server api 127.0.0.1:9000 ", format!("server api {} ", at.api)),
                ("lua-load-per-thread /etc/haproxy/ntd.lua", script),
            ]
        },
    },
    Shipped {
        name: "ntd.lua",
        text: include_str!("../../../../deploy/haproxy/ntd.lua"),
        changes: |_, _| Vec::new(),
    },
];

const APACHE: &[Shipped] = &[
    Shipped {
        name: "ntd.conf",
        text: include_str!("../../../../deploy/apache/ntd.conf"),
        changes: |at, dir| {
            let script = format!("{}/ntd.lua ask", dir.display());
            vec![
                ("Listen 127.0.0.1:8080", format!("Listen {}", at.clients)),
                ("<VirtualHost 127.0.0.1:8080>", format!("<VirtualHost {}>", at.clients)),
                ("http://127.0.0.1:9000/", format!("http://{}/", at.api)),
                ("/etc/apache2/ntd.lua ask", script),
            ]
        },
    },
    Shipped {
        name: "ntd.lua",
        text: include_str!("../../../../deploy/apache/ntd.lua"),
        changes: |at, _| vec![("http://127.0.0.1:8480/", format!("http://{}/", at.ntd))],
    },
    Shipped { name: "apache2.conf", text: AROUND_APACHE, changes: |_, _| Vec::new() },
];

const TRAEFIK: &[Shipped] = &[
    Shipped {
        name: "traefik.yaml",
        text: include_str!("../../../../deploy/traefik/traefik.yaml"),
        changes: |at, dir| {
            let dynamic = format!("filename: {}/ntd.yaml", dir.display());
            vec![
                ("address: 127.0.0.1:8080", format!("address: {}", at.clients)),
                ("filename: /etc/traefik/ntd.yaml", dynamic),
            ]
        },
    },
    Shipped {
        name: "ntd.yaml",
        text: include_str!("../../../../deploy/traefik/ntd.yaml"),
        changes: |at, _| {
            vec![
                ("http://127.0.0.1:8480/", format!("http://{}/", at.ntd)),
                ("http://127.0.0.1:9000", format!("http://{}", at.api)),
            ]
        },
    },
];

/// What a distribution's nginx.conf has around the file that we ship. Paths are of the prefix.
const AROUND_NGINX: &str = "pid DIR/pid;
worker_processes 2;
events { worker_connections 256; }
http {
    access_log access.log;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include ntd.conf;
}
";

/// What more it loads for a module that asks by introspection.
const TO_INTROSPECT: &str = "LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule oauth2_module /usr/lib/apache2/modules/mod_oauth2.so
Include ntd.conf
";

/// What Debian's configuration has around the files that we ship, as far as it matters. Paths are of
/// the folder that Apache is started with.
const AROUND_APACHE: &str = "PidFile apache2.pid
ErrorLog error.log
ServerName localhost
User www-data
Group www-data
Mutex pthread
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule setenvif_module /usr/lib/apache2/modules/mod_setenvif.so
LoadModule lua_module /usr/lib/apache2/modules/mod_lua.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
Include ntd.conf
";

const APACHE_INTROSPECTING: &[Shipped] = &[
    Shipped {
        name: "ntd.conf",
        text: include_str!("../../../../deploy/apache/introspection.conf"),
        changes: |at, _| {
            vec![
                ("Listen 127.0.0.1:8080", format!("Listen {}", at.clients)),
                ("<VirtualHost 127.0.0.1:8080>", format!("<VirtualHost {}>", at.clients)),
                ("http://127.0.0.1:8480/", format!("http://{}/", at.ntd)),
                ("http://127.0.0.1:9000/", format!("http://{}/", at.api)),
                ("client_secret=SECRET&", format!("client_secret={}&", at.secret)),
            ]
        },
    },
    Shipped {
        name: "apache2.conf",
        text: AROUND_APACHE,
        changes: |_, _| vec![("Include ntd.conf\n", TO_INTROSPECT.to_owned())],
    },
];
