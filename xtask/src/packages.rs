//! The real parts that the tests run against, installed where they are missing.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{run, say};

/// A program that the tests call, and the Debian package that brings it.
struct Part {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

const PARTS: [Part; 18] = [
    Part { program: "nginx", package: "nginx", why: "a real gateway in front of an API" },
    Part { program: "haproxy", package: "haproxy", why: "another" },
    Part { program: "apache2", package: "apache2", why: "another" },
    // No programs, but joined to a folder their names stay what they are.
    Part {
        program: "/usr/share/lua/5.3/socket.lua",
        package: "lua-socket",
        why: "how apache2 asks",
    },
    Part {
        program: "/usr/lib/apache2/modules/mod_oauth2.so",
        package: "libapache2-mod-oauth2",
        why: "another way how it asks",
    },
    Part { program: "jq", package: "jq", why: "the documented scripts use it" },
    Part { program: "curl", package: "curl", why: "what ntcli is compared with" },
    Part { program: "setsid", package: "util-linux", why: "terminals of their own" },
    Part { program: "bash", package: "bash", why: "the documented scripts are written for it" },
    Part { program: "npm", package: "npm", why: "brings the identity providers of others" },
    Part { program: "chromium", package: "chromium", why: "a real browser signs in" },
    Part { program: "chromedriver", package: "chromium-driver", why: "drives that browser" },
    Part { program: "dbus-daemon", package: "dbus", why: "a bus of the tests' own" },
    Part { program: "dbus-send", package: "dbus-bin", why: "asks on that bus" },
    Part {
        program: "gnome-keyring-daemon",
        package: "gnome-keyring",
        why: "a real keyring on that bus",
    },
    Part { program: "initdb", package: "postgresql", why: "the database of several authorities" },
    Part { program: "pgbouncer", package: "pgbouncer", why: "what often stands before it" },
    Part { program: "ip", package: "iproute2", why: "networks of the tests' own, to cut" },
];

/// Installs what is missing by apt, and says so first.
pub(crate) fn install() -> Result<()> {
    let missing: Vec<&Part> = PARTS.iter().filter(|part| !is_there(part.program)).collect();
    if missing.is_empty() {
        let programs = PARTS.map(|part| part.program).join(", ");
        say(&format!("Everything that the tests need is installed: {programs}."));
        return Ok(());
    }
    say("Installing what the tests need and this machine does not have:");
    for part in &missing {
        println!("    {:<15} {}", part.package, part.why);
    }
    let packages: Vec<&str> = missing.iter().map(|part| part.package).collect();
    let by_hand = format!("please install by hand: {}", packages.join(" "));
    if !is_there("apt-get") {
        bail!("this is no Debian-like machine (no apt-get); {by_hand}");
    }
    run::demand(apt(&["update", "-q"]).with_context(|| by_hand.clone())?.arg("-q"))
        .with_context(|| by_hand.clone())?;
    let mut apt = apt(&["install", "-y", "-q", "--no-install-recommends"])?;
    run::demand(apt.args(&packages)).with_context(|| by_hand.clone())?;
    match missing.iter().find(|part| !is_there(part.program)) {
        Some(part) => {
            bail!("{} is still not there after installing {}", part.program, part.package)
        }
        None => Ok(()),
    }
}

/// `apt-get` with the rights that it needs.
fn apt(args: &[&str]) -> Result<Command> {
    let id = Command::new("id").arg("-u").output().context("cannot run id")?;
    let mut command = if id.stdout.trim_ascii() == b"0" {
        Command::new("apt-get")
    } else if is_there("sudo") {
        let mut sudo = Command::new("sudo");
        sudo.arg("apt-get");
        sudo
    } else {
        bail!("installing needs root or sudo");
    };
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}

/// Whether a program is on the path or where Debian keeps those of the administrator and of PostgreSQL.
fn is_there(program: &str) -> bool {
    let path = option_path();
    let postgresql = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = postgresql.map(|version| version.path().join("bin"));
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    dirs.chain(versions).map(|dir| dir.join(program)).any(|file| Path::is_file(&file))
}

#[expect(clippy::disallowed_methods, reason = "the one place of this program that reads it")]
fn option_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}
