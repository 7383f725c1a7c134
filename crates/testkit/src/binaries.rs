//! The real `ntd` and `ntcli`, built once a process with the profile of whoever asks.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::settings;

/// Where the two programs are.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The authority.
    pub ntd: PathBuf,
    /// The command line.
    pub ntcli: PathBuf,
}

/// Builds both programs, the first time it is asked, and says where they are.
pub fn binaries() -> Result<&'static Binaries> {
    static BUILT: OnceLock<Result<Binaries, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.as_ref().map_err(|error| anyhow!("{error}"))
}

fn build() -> Result<Binaries> {
    let (profile_dir, target_dir) = (profile_dir()?, target_dir()?);
    let mut cargo = Command::new(settings::cargo());
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    // For the whole workspace, as everybody builds it: packages picked one by one would be built
    // anew, with another set of features of what they share.
    cargo.args(["build", "--quiet", "--workspace", "--bin", "ntd", "--bin", "ntcli"]);
    cargo.arg("--target-dir").arg(target_dir);
    if profile_dir.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    let built = cargo.output().context("cargo runs")?;
    let stderr = String::from_utf8_lossy(&built.stderr);
    ensure!(built.status.success(), "ntd and ntcli do not build:\n{stderr}");
    Ok(Binaries { ntd: profile_dir.join("ntd"), ntcli: profile_dir.join("ntcli") })
}

/// `target`, wherever it is.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let profile_dir = profile_dir()?;
    let above = profile_dir.parent().context("the profile's folder is in the target folder")?;
    Ok(above.to_owned())
}

/// `target/<profile>`: the folder of our own program, or the one above it for a test.
fn profile_dir() -> Result<PathBuf> {
    let own = std::env::current_exe().context("a process knows its program")?;
    let dir = own.parent().context("a program is in a folder")?;
    let above = dir.parent().filter(|_| dir.file_name().is_some_and(|name| name == "deps"));
    Ok(above.map_or_else(|| dir.to_owned(), Path::to_owned))
}
