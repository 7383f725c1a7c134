//! The real `ntcli`, with a home and an environment of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{process, settings};

/// How long a sign-in may take.
const SIGN_IN: Duration = Duration::from_secs(30);

/// What a command wrote, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Data.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
}

impl Output {
    /// Demands this exit code.
    pub fn expect_code(self, code: i32) -> Result<Self> {
        ensure!(self.code == Some(code), "exit code is not {code}: {self:#?}");
        Ok(self)
    }

    /// The standard output as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON: {self:#?}"))
    }
}

/// An `ntcli` of one person on one machine.
#[derive(Debug, Clone)]
pub struct Cli {
    home: PathBuf,
    env: Vec<(String, String)>,
}

impl Cli {
    /// One that finds itself in this folder, lives in this home and speaks to this authority.
    pub fn new(bin: &Path, home: &Path, url: &str) -> Result<Self> {
        fs::create_dir_all(home)?;
        let path = format!("{}:{}", bin.display(), settings::path().to_string_lossy());
        let config = home.join("config");
        let env = [
            ("PATH", path),
            ("HOME", home.display().to_string()),
            ("NTCLI_CONFIG_DIR", config.display().to_string()),
            ("NTCLI_API_URL", url.to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("TERM", "xterm".to_owned()),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Ok(Self { home: home.to_owned(), env })
    }

    /// The same one with another value in its environment.
    #[must_use]
    pub fn with_env(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.env.retain(|(have, _)| have != name);
        other.env.push((name.to_owned(), value.to_owned()));
        other
    }

    /// Where it keeps its files.
    pub fn config_dir(&self) -> PathBuf {
        self.home.join("config")
    }

    /// A program in this one's surroundings: `ntcli` is on its path.
    pub fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.home);
        command
    }

    /// `ntcli` with these arguments.
    pub fn command(&self, args: &[&str]) -> Command {
        // A path looked up by name would be looked up in our own environment.
        let path = self.env.iter().find(|(name, _)| name == "PATH");
        let bin = path.and_then(|(_, path)| path.split(':').next()).unwrap_or_default();
        let mut command = self.program(&format!("{bin}/ntcli"));
        command.args(args);
        command
    }

    /// Runs it to its end without a terminal and without input.
    pub fn run(&self, args: &[&str]) -> Result<Output> {
        process::run(&mut self.command(args), None)
    }

    /// Runs it to its end with this on its standard input.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Result<Output> {
        process::run(&mut self.command(args), Some(input.as_bytes()))
    }

    /// Runs it; it must succeed. What it wrote to its standard output.
    pub fn ok(&self, args: &[&str]) -> Result<String> {
        let output = self.run(args)?.expect_code(0);
        Ok(output.with_context(|| format!("ntcli {}", args.join(" ")))?.stdout)
    }

    /// Runs it with `--format json`; it must succeed.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let text = self.ok(&[args, &["--format", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// Runs a bash script in this one's surroundings.
    pub fn bash(&self, script: &str) -> Result<Output> {
        let file = self.home.join("script.sh");
        fs::write(&file, script)?;
        process::run(self.program("bash").arg(&file), None)
    }

    /// Signs in through the development provider, with the browser's part played by a client that
    /// follows redirects.
    pub fn sign_in(&self, email: &str) -> Result<()> {
        let port = crate::world::free_port()?.to_string();
        let mut child = self
            .command(&["auth", "login", "--no-browser", "--port", &port])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stderr = BufReader::new(child.stderr.take().context("stderr is piped")?);
        let mut said = String::new();
        let url = loop {
            let mut line = String::new();
            if stderr.read_line(&mut line)? == 0 {
                let status = process::wait(&mut child, SIGN_IN)?;
                anyhow::bail!("ntcli auth login printed no URL, ended with {status}:\n{said}");
            }
            said.push_str(&line);
            let line = line.trim();
            if line.starts_with("http://") || line.starts_with("https://") {
                break line.to_owned();
            }
        };
        let page = follow(&format!("{url}&login_hint={email}"));
        let status = process::wait(&mut child, SIGN_IN)?;
        std::io::Read::read_to_string(&mut stderr, &mut said)?;
        ensure!(status.success(), "sign-in ended with {status}; the browser got {page:?}:\n{said}");
        page.map(drop)
    }
}

/// Fetches a page as a browser would, through its redirects.
fn follow(url: &str) -> Result<String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(15)))
        .max_redirects(5)
        .build()
        .into();
    let mut answer = agent.get(url).call().with_context(|| format!("cannot fetch {url}"))?;
    Ok(answer.body_mut().read_to_string()?)
}
