//! A browser without a screen, for pages that need no script.

use std::time::Duration;

use ureq::http::Response;

/// Long enough for a machine under load; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_mins(2);

/// It keeps cookies and follows redirects when told to.
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
