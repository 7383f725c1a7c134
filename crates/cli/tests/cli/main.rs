//! `ntcli` as a process, without a real authority: texts, exit codes, what is sent and what is not,
//! and its files under stress. Stories with a real authority are the testkit's.

mod authority;
mod clients;
mod files;
mod keyring;
mod receipts;
#[cfg(debug_assertions)]
mod refresh;
mod refusals;
mod renewal;
mod requests;
mod sign_in;
mod snapshot;
mod texts;
mod verifiers;
mod world;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A workspace that nobody has.
const WORKSPACE: &str = "6f0b7c52-89d3-4c6e-8f0a-3f6f5d0c1b2a";

/// A configuration folder of its own, and `ntcli` in it.
struct Home {
    root: tempfile::TempDir,
}

/// What a run left behind.
#[derive(Debug)]
struct Run {
    stdout: String,
    stderr: String,
    exit: Option<i32>,
}

impl Home {
    fn new() -> Self {
        Self { root: tempfile::tempdir().expect("a temporary directory") }
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("ntcli")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// A file as if an earlier run had left it.
    fn with_file(self, name: &str, text: &str) -> Self {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        let folder = self.folder();
        if !folder.exists() {
            let built = std::fs::DirBuilder::new().mode(0o700).create(&folder);
            built.expect("the folder is ours");
        }
        let mut options = std::fs::OpenOptions::new();
        let file =
            options.write(true).create(true).truncate(true).mode(0o600).open(self.file(name));
        std::io::Write::write_all(&mut file.expect("the file is ours"), text.as_bytes())
            .expect("the file is writable");
        self
    }

    /// The program, with nothing in its environment that could answer for it.
    fn ntcli(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ntcli"));
        command
            .args(arguments)
            .env_clear()
            .env("NTCLI_CONFIG_DIR", self.folder())
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
        command
    }

    /// The program as an operator with a session and a workspace.
    fn operator(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = self.ntcli(arguments);
        command
            .env("NTCLI_API_URL", url)
            .env("NTCLI_SESSION_TOKEN", "nts_test")
            .env("NTCLI_WORKSPACE", WORKSPACE);
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.ntcli(arguments))
    }
}

impl Run {
    fn of(command: &mut Command) -> Self {
        Self::from(command.output().expect("the program starts"))
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self {
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            exit: output.status.code(),
        }
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).expect("is there").permissions().mode() & 0o777
}
