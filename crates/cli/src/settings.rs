//! What the environment says. The only file that reads it; a variable that is set to nothing counts
//! as not set.

use std::path::PathBuf;
use std::time::Duration;

use nt_token::Secret;

use crate::client::address::Authority;
use crate::error::Error;

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where configuration and credentials are kept.
    pub(crate) folder: PathBuf,
    /// `NTCLI_API_URL`: the authority.
    pub(crate) authority: Option<Authority>,
    /// `NTCLI_WORKSPACE`: the workspace, by name or UUID.
    pub(crate) workspace: Option<String>,
    /// `NTCLI_WORKSPACE_TOKEN`, else `NTCLI_TOKEN`: the current workspace token for this run.
    pub(crate) workspace_token: Option<Secret>,
    /// `NTCLI_SESSION_TOKEN`: an operator's session.
    pub(crate) session_token: Option<Secret>,
    /// `NTCLI_DEFAULT_PORT`: where the sign-in callback listens.
    pub(crate) callback_port: Option<u16>,
    /// `NTCLI_OAUTH_TIMEOUT`, in milliseconds: how long a sign-in may take.
    pub(crate) login_timeout: Option<Duration>,
    /// `NTCLI_DEBUG`: whether requests are told on standard error.
    pub(crate) debug: bool,
    /// Whether there is a display on which a browser could open.
    pub(crate) has_display: bool,
    /// Whether the environment names a session bus, on which a keyring could be.
    pub(crate) has_session_bus: bool,
    /// `NTCLI_TEST_CRASH_AT`: the step of a refresh at which to abort.
    #[cfg(debug_assertions)]
    pub(crate) crash_at: Option<String>,
}

impl Settings {
    pub(crate) fn from_environment() -> Result<Self, Error> {
        Ok(Self {
            folder: folder()?,
            authority: text("NTCLI_API_URL")?.map(|url| parse_authority(&url)).transpose()?,
            workspace: text("NTCLI_WORKSPACE")?,
            workspace_token: secret("NTCLI_WORKSPACE_TOKEN")?
                .map_or_else(|| secret("NTCLI_TOKEN"), |token| Ok(Some(token)))?,
            session_token: secret("NTCLI_SESSION_TOKEN")?,
            callback_port: number("NTCLI_DEFAULT_PORT")?,
            login_timeout: number("NTCLI_OAUTH_TIMEOUT")?.map(Duration::from_millis),
            debug: flag("NTCLI_DEBUG")?,
            has_display: has_display(),
            has_session_bus: path("DBUS_SESSION_BUS_ADDRESS").is_some()
                || path("XDG_RUNTIME_DIR").is_some(),
            #[cfg(debug_assertions)]
            crash_at: text("NTCLI_TEST_CRASH_AT")?,
        })
    }
}

fn folder() -> Result<PathBuf, Error> {
    if let Some(folder) = path("NTCLI_CONFIG_DIR") {
        return Ok(folder);
    }
    // A relative XDG_CONFIG_HOME is invalid and to be ignored (XDG Base Directory Specification).
    if let Some(base) = path("XDG_CONFIG_HOME").filter(|base| base.is_absolute()) {
        return Ok(base.join("ntcli"));
    }
    let home = path("HOME").ok_or_else(|| {
        Error::failed("There is no home directory to keep the configuration in.")
            .hint("set NTCLI_CONFIG_DIR")
    })?;
    Ok(home.join(".config").join("ntcli"))
}

fn parse_authority(url: &str) -> Result<Authority, Error> {
    Authority::parse(url).map_err(|e| Error::usage(format!("NTCLI_API_URL: {e}")))
}

#[expect(clippy::disallowed_methods, reason = "this is the one file that reads the environment")]
fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn text(name: &str) -> Result<Option<String>, Error> {
    path(name)
        .map(|value| value.into_os_string().into_string())
        .transpose()
        .map_err(|_| Error::usage(format!("{name} is not UTF-8.")))
}

/// A secret ends up in a header: only visible ASCII may be in it (RFC 6750, section 2.1).
fn secret(name: &str) -> Result<Option<Secret>, Error> {
    const LONGEST: usize = 16 * 1024;
    match text(name)? {
        Some(value) if value.len() > LONGEST || !value.bytes().all(|b| b.is_ascii_graphic()) => {
            Err(Error::usage(format!("{name} is not a token.")))
        }
        value => Ok(value.map(Secret::from)),
    }
}

fn number<T: std::str::FromStr>(name: &str) -> Result<Option<T>, Error> {
    text(name)?
        .map(|value| value.parse())
        .transpose()
        .map_err(|_| Error::usage(format!("{name} is not a number that fits.")))
}

fn flag(name: &str) -> Result<bool, Error> {
    let value = text(name)?.unwrap_or_default();
    Ok(["1", "true", "yes"].iter().any(|yes| value.eq_ignore_ascii_case(yes)))
}

fn has_display() -> bool {
    cfg!(any(target_os = "macos", target_os = "windows"))
        || path("DISPLAY").is_some()
        || path("WAYLAND_DISPLAY").is_some()
        || path("BROWSER").is_some()
}
