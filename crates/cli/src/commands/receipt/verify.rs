//! `ntcli receipt verify`: nobody is asked.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nt_revocation::receipt::{LONGEST, Receipt, verify};
use nt_token::KeySet;
use nt_token::jwk::Jwks;
use serde::Serialize;

use super::summary;
use crate::arguments::{Format, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::pinned;
use crate::ui;

/// No authority publishes more.
const LONGEST_JWKS: usize = 1024 * 1024;

/// Check a receipt without asking anybody: by the keys that were kept at sign-in, or by a file's
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli receipt verify receipt.jws
  ntcli receipt show jti_abc123def456 --raw | ntcli receipt verify -
  ntcli receipt verify receipt.jws --jwks jwks.json

An authority publishes its keys at /.well-known/jwks.json.")]
pub(crate) struct Args {
    /// The receipt; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The keys (RFC 7517) to check it with, instead of those that were kept at sign-in
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    is_valid: bool,
    #[serde(flatten)]
    receipt: &'a Receipt,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let (keys, whose) = match &args.jwks {
        Some(file) => (keys_in(file)?, file.display().to_string()),
        None => (pinned_keys(context)?, format!("{} at sign-in", context.authority()?)),
    };
    let text = read(&args.file, LONGEST)?;
    let receipt = verify(text.trim(), &keys).map_err(|e| {
        let hint = format!("it was checked with the keys of {whose}");
        Error::failed(format!("The receipt is not valid: {e}.")).hint(hint)
    })?;
    if args.output.format == Format::Json {
        return ui::json(&Output { is_valid: true, receipt: &receipt });
    }
    ui::data(&format!("{}\n\nThe receipt is valid by the keys of {whose}.", summary(&receipt)))
}

fn pinned_keys(context: &Context) -> Result<KeySet, Error> {
    let authority = context.authority()?;
    pinned::keys_of(&context.folder, authority)?.ok_or_else(|| {
        Error::failed(format!("The keys of {authority} are not known here."))
            .hint("ntcli auth login keeps them; or name them with --jwks FILE")
    })
}

fn keys_in(file: &Path) -> Result<KeySet, Error> {
    let name = file.display().to_string();
    let jwks: Jwks = serde_json::from_str(&read(file, LONGEST_JWKS)?)
        .map_err(|_| Error::failed(format!("There are no keys (RFC 7517) in {name}.")))?;
    pinned::keys(&jwks, &name)
}

/// Reads a file, or standard input; one that is too long is not read to its end.
fn read(file: &Path, longest: usize) -> Result<String, Error> {
    let is_input = file.as_os_str() == "-";
    let name = if is_input { "standard input".to_owned() } else { file.display().to_string() };
    let failed = |e: io::Error| Error::failed(format!("Could not read {name}: {e}"));
    // Room for a line end.
    let limit = longest as u64 + 2;
    let mut text = String::new();
    if is_input {
        io::stdin().lock().take(limit).read_to_string(&mut text).map_err(failed)?;
    } else {
        File::open(file).map_err(failed)?.take(limit).read_to_string(&mut text).map_err(failed)?;
    }
    Ok(text)
}
