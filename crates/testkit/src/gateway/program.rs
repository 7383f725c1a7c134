//! How each gateway is started, and where it differs from the others. Its files are in `files`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::install::venv;

/// Gateways that Python's package index has as wheels.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// A gateway, with one of the configurations that we ship for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// nginx, by its `auth_request`.
    Nginx,
    /// Caddy, by its `forward_auth`.
    Caddy,
    /// Traefik, by its `forwardAuth`.
    Traefik,
    /// Envoy, by its `ext_authz` and gRPC.
    Envoy,
    /// Envoy, by its `ext_authz` and HTTP.
    EnvoyHttp,
    /// `HAProxy`, by a script in Lua.
    Haproxy,
    /// Apache, by a script in Lua.
    Apache,
    /// Apache, by introspection with `mod_oauth2`.
    ApacheIntrospecting,
}

/// How a gateway asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// By HTTP/1.1, which a recorder in between can read.
    Http,
    /// By gRPC.
    Grpc,
}

impl Program {
    /// What it answers where nobody says whether a token is good.
    pub fn cannot_say(self) -> u16 {
        match self {
            // They have no other word for it.
            Self::Traefik => 500,
            Self::ApacheIntrospecting => 401,
            _ => 503,
        }
    }

    /// How long it waits for an authority that does not answer.
    pub fn patience(self) -> Duration {
        match self {
            // It has no setting for it.
            Self::Traefik => Duration::from_secs(30),
            _ => Duration::from_secs(5),
        }
    }

    /// How it asks the authority.
    pub fn asks(self) -> Asks {
        if self == Self::Envoy { Asks::Grpc } else { Asks::Http }
    }

    pub(super) fn command(self, dir: &Path) -> Result<Command> {
        let mut command;
        match self {
            Self::Nginx => {
                command = Command::new(debian("nginx")?);
                command.arg("-p").arg(dir).arg("-e").arg(dir.join("error.log"));
                command.arg("-c").arg(dir.join("nginx.conf")).args(["-g", "daemon off;"]);
            }
            Self::Caddy => {
                command = Command::new(wheels()?.join("bin/caddy"));
                command.args(["run", "--adapter", "caddyfile", "--config"]);
                command.arg(dir.join("Caddyfile"));
            }
            Self::Envoy | Self::EnvoyHttp => {
                command = envoy()?;
                command.arg("-c").arg(dir.join("envoy.yaml"));
            }
            Self::Haproxy => {
                command = Command::new(debian("haproxy")?);
                command.arg("-db").arg("-f").arg(dir.join("haproxy.cfg"));
            }
            Self::Apache | Self::ApacheIntrospecting => {
                command = Command::new(debian("apache2")?);
                command.args(["-D", "FOREGROUND", "-d"]).arg(dir).args(["-f", "apache2.conf"]);
                // Started by root, its workers are somebody else, who must find the script.
                let above = dir.parent().context("a folder in the world's")?;
                fs::set_permissions(above, Permissions::from_mode(0o711))?;
            }
            Self::Traefik => {
                command = Command::new(wheels()?.join("bin/traefik"));
                command.arg("--configFile").arg(dir.join("traefik.yaml"));
            }
        }
        Ok(command)
    }
}

/// A program of Debian's, which keeps those of the administrator in a place of their own.
fn debian(name: &str) -> Result<PathBuf> {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"].map(|dir| Path::new(dir).join(name));
    let found = places.into_iter().find(|file| file.is_file());
    found.with_context(|| format!("{name} is not installed"))
}

/// The program itself: what the wheel has on the path is a script.
fn envoy() -> Result<Command> {
    let lib = fs::read_dir(wheels()?.join("lib"))?.flatten();
    let places = lib.map(|python| python.path().join("site-packages/envoy/_bin/envoy"));
    let found = places.into_iter().find(|file| file.is_file());
    let mut command = Command::new(found.context("envoy is not in its wheel")?);
    // Several of them share nothing, and each has few threads.
    command.args(["--use-dynamic-base-id", "--concurrency", "2"]);
    Ok(command)
}

/// The virtual environment of the gateways that come as wheels.
fn wheels() -> Result<PathBuf> {
    let bin = venv("gateways", REQUIREMENTS)?;
    Ok(bin.parent().context("programs are in a folder of the environment")?.to_owned())
}
