//! The real `ntcli`, with a home and an environment of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
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
        let login = self.begin_login(&[])?;
        let page = follow(&format!("{}&login_hint={email}", login.url));
        let output = login.end()?;
        ensure!(output.code == Some(0), "the browser got {page:?}: {output:#?}");
        page.map(drop)
    }

    /// Starts `ntcli auth login` with these arguments and waits until it has printed where to go.
    pub fn begin_login(&self, args: &[&str]) -> Result<Login> {
        let port = crate::world::free_port()?.to_string();
        let mut all = vec!["auth", "login", "--no-browser"];
        if !args.contains(&"--port") {
            all.extend(["--port", &port]);
        }
        all.extend(args);
        let mut command = self.command(&all);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stderr = BufReader::new(child.stderr.take().context("stderr is piped")?);
        let mut login = Login { child, stderr, said: String::new(), url: String::new() };
        loop {
            let mut line = String::new();
            if login.stderr.read_line(&mut line)? == 0 {
                anyhow::bail!("ntcli auth login printed no URL: {:#?}", login.end()?);
            }
            login.said.push_str(&line);
            if line.starts_with("http://") || line.starts_with("https://") {
                line.trim().clone_into(&mut login.url);
                return Ok(login);
            }
        }
    }
}

/// An `ntcli auth login` that waits for the browser.
#[derive(Debug)]
pub struct Login {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
    /// Where the browser is to go.
    pub url: String,
}

impl Login {
    /// Waits until it has ended.
    pub fn end(mut self) -> Result<Output> {
        let status = process::wait(&mut self.child, SIGN_IN)?;
        self.stderr.read_to_string(&mut self.said)?;
        let mut stdout = String::new();
        let mut piped = self.child.stdout.take().context("stdout is piped")?;
        piped.read_to_string(&mut stdout)?;
        Ok(Output { stdout, stderr: self.said, code: status.code() })
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
