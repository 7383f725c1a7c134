//! Where PostgreSQL's programs are, and as whom they run: it refuses to run as root.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::unistd::{Uid, User, chown};

/// Where Debian keeps PostgreSQL: a folder a major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The user that Debian's package makes.
const USER: &str = "postgres";

/// A program of PostgreSQL, run as whom a cluster belongs to; silent, in the root folder, so that it
/// neither keeps the pipes of the tests open nor needs a right to be where they run.
pub(crate) fn command(program: &str) -> Result<Command> {
    let mut command = Command::new(find(program)?);
    command.current_dir("/").env_remove("LC_ALL").env("LANG", "C").env("TZ", "UTC");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(owner) = owner()? {
        command.uid(owner.uid.as_raw()).gid(owner.gid.as_raw());
    }
    Ok(command)
}

/// Runs a command to its end; it must succeed. What it printed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}:\n{said}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Gives a folder or file of ours to whom PostgreSQL runs as.
pub(crate) fn give(path: &Path) -> Result<()> {
    let Some(owner) = owner()? else { return Ok(()) };
    chown(path, Some(owner.uid), Some(owner.gid))
        .with_context(|| format!("cannot give {}", path.display()))
}

/// Whom PostgreSQL must run as, where it may not run as us.
fn owner() -> Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = User::from_name(USER).context("cannot ask for users")?;
    let user = user.context("there is no user postgres; `cargo xtask test` installs PostgreSQL")?;
    Ok(Some(user))
}

/// All of PostgreSQL is taken from one folder, so that no two versions meet; others from the path.
fn find(program: &str) -> Result<PathBuf> {
    let beside = server_dir()?.join(program);
    if beside.is_file() {
        return Ok(beside);
    }
    let found = path_dirs().map(|dir| dir.join(program)).find(|file| file.is_file());
    found.with_context(|| format!("{program} is not there; `cargo xtask test` installs it"))
}

/// Where a whole server is: Debian's newest, or what the path leads to.
fn server_dir() -> Result<PathBuf> {
    let debian = fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut versions: Vec<PathBuf> = debian.collect();
    versions.sort_by_key(|dir| std::cmp::Reverse(version(dir)));
    let dirs = versions.into_iter().map(|dir| dir.join("bin")).chain(path_dirs());
    // On the path there may be links to some of the programs only.
    let mut files = dirs.filter_map(|dir| fs::canonicalize(dir.join("initdb")).ok());
    let found = files.find_map(|file| file.parent().map(Path::to_owned));
    found.context("PostgreSQL is not there; `cargo xtask test` installs it")
}

fn version(dir: &Path) -> u32 {
    let name = dir.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.parse().unwrap_or_default()
}

/// The path, and where Debian keeps the programs of the administrator.
fn path_dirs() -> impl Iterator<Item = PathBuf> {
    let dirs: Vec<PathBuf> = std::env::split_paths(&path()).collect();
    dirs.into_iter().chain(["/usr/sbin".into(), "/sbin".into()])
}

#[expect(clippy::disallowed_methods, reason = "the one place of this crate that reads it")]
fn path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}
