//! A real Chromium without a screen, driven as the WebDriver specification (W3C) has it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nt_testkit::{process, settings, world};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Long enough for a machine under load; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// The key under which an element's reference stands (section 12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a profile of its own. It ends when dropped.
#[derive(Debug)]
pub(crate) struct Chromium {
    driver: Child,
    agent: ureq::Agent,
    url: String,
    profile: TempDir,
}

impl Chromium {
    pub(crate) fn start() -> Result<Self> {
        let profile = tempfile::Builder::new().prefix("nt-chromium-").tempdir()?;
        let port = world::free_port()?;
        let mut driver = Command::new("chromedriver");
        driver.arg(format!("--port={port}")).env_clear().env("PATH", settings::path());
        driver.env("HOME", profile.path()).current_dir(profile.path());
        driver.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let driver =
            driver.spawn().context("chromedriver is needed: apt install chromium-driver")?;
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let url = format!("http://127.0.0.1:{port}");
        let mut this = Self { driver, agent, url, profile };
        process::until(PATIENCE, || {
            Ok(this.ask("GET", "/status", None).is_ok_and(|is| is["ready"] == true).then_some(()))
        })?;
        let session = this.ask("POST", "/session", Some(&this.capabilities()))?;
        let id = session["sessionId"].as_str().context("a session")?;
        this.url = format!("{}/session/{id}", this.url);
        Ok(this)
    }

    fn capabilities(&self) -> Value {
        let data = format!("--user-data-dir={}", self.profile.path().join("data").display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1000,800",
            &data,
        ];
        json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": args },
        } } })
    }

    /// Opens a page.
    pub(crate) fn open(&self, url: &str) -> Result<()> {
        self.ask("POST", "/url", Some(&json!({ "url": url }))).map(drop)
    }

    /// Clicks on what this selector finds, as soon as it is there.
    pub(crate) fn click(&self, selector: &str) -> Result<()> {
        let element = self.find(selector)?;
        self.ask("POST", &format!("/element/{element}/click"), Some(&json!({}))).map(drop)
    }

    /// Types into what this selector finds.
    pub(crate) fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.find(selector)?;
        let path = format!("/element/{element}/value");
        self.ask("POST", &path, Some(&json!({ "text": text }))).map(drop)
    }

    /// Waits until what this selector finds shows this text.
    pub(crate) fn await_text(&self, selector: &str, wanted: &str) -> Result<()> {
        let mut shown = String::new();
        let found = process::until(PATIENCE, || {
            // The page may go away between the two questions.
            let Ok(element) = self.find_now(selector) else { return Ok(None) };
            let text = self.ask("GET", &format!("/element/{element}/text"), None);
            text.ok()
                .and_then(|text| text.as_str().map(str::to_owned))
                .unwrap_or_default()
                .clone_into(&mut shown);
            Ok(shown.contains(wanted).then_some(()))
        });
        found.with_context(|| format!("'{selector}' shows '{shown}', not '{wanted}'"))
    }

    /// Sets the size of the window.
    pub(crate) fn resize(&self, width: u32, height: u32) -> Result<()> {
        let size = json!({ "width": width, "height": height });
        self.ask("POST", "/window/rect", Some(&size)).map(drop)
    }

    /// Takes a picture of the page into the tests' output folder.
    pub(crate) fn screenshot(&self, name: &str) -> Result<()> {
        let picture = self.ask("GET", "/screenshot", None)?;
        let bytes = STANDARD.decode(picture.as_str().context("a picture")?)?;
        ensure!(bytes.starts_with(b"\x89PNG"), "no picture");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-output");
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(format!("{name}.png")), bytes)?)
    }

    fn find(&self, selector: &str) -> Result<String> {
        let found = process::until(PATIENCE, || Ok(self.find_now(selector).ok()));
        found.with_context(|| format!("no '{selector}' on the page"))
    }

    fn find_now(&self, selector: &str) -> Result<String> {
        let by = json!({ "using": "css selector", "value": selector });
        let element = self.ask("POST", "/element", Some(&by))?;
        element[ELEMENT].as_str().map(str::to_owned).context("an element")
    }

    /// One command; its value.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}{path}", self.url);
        let mut answer = match (method, body) {
            (_, Some(body)) => {
                self.agent.post(&url).content_type("application/json").send(body.to_string())?
            }
            ("DELETE", None) => self.agent.delete(&url).call()?,
            _ => self.agent.get(&url).call()?,
        };
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string()?;
        ensure!(status.is_success(), "{method} {path}: {text}");
        Ok(serde_json::from_str::<Value>(&text)?["value"].take())
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Ends the browser; then its driver.
        if self.ask("DELETE", "", None).is_err() {
            eprintln!("Chromium was not ended");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
