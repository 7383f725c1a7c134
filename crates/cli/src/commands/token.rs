//! Tokens of a workspace.

mod create;
mod list;
mod refresh;
mod revoke;
mod show;

use clap::Subcommand;
use nt_api::tokens::CreateToken;
use nt_token::scope::InvalidScope;
use nt_token::{Lifetime, Network, Networks, Scope, Scopes};

use crate::context::Context;
use crate::error::{Code, Error};

/// Create, list, show, refresh and revoke workspace tokens
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ntcli token list
  ntcli token create --expires-in 90d --description ci
  ntcli token revoke jti_abc123def456")]
pub(crate) enum Command {
    Create(create::Args),
    List(list::Args),
    Show(show::Args),
    Refresh(refresh::Args),
    Revoke(revoke::Args),
}

pub(super) fn run(command: Command, context: &Context) -> Result<(), Error> {
    match command {
        Command::Create(args) => create::run(args, context),
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Refresh(args) => refresh::run(&args, context),
        Command::Revoke(args) => revoke::run(&args, context),
    }
}

/// Which workspace.
#[derive(Debug, clap::Args)]
pub(super) struct InWorkspace {
    /// The workspace, by name or UUID; otherwise the active one
    #[arg(short, long, value_name = "NAME|UUID")]
    pub(super) workspace: Option<String>,
}

/// How long a token lasts.
#[derive(Debug, clap::Args)]
struct Expiry {
    /// How long the token lasts: seconds, or a number with m, h, d, w or y; a year if not said
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    expires_in: Option<String>,
    /// The token does not expire
    #[arg(long, conflicts_with = "expires_in")]
    no_expiry: bool,
}

impl Expiry {
    /// The request for a token that lasts this long. How long it may last at most is the
    /// authority's policy, and not known here.
    fn request(&self) -> Result<CreateToken, Error> {
        let lifetime: Option<Lifetime> =
            self.expires_in.as_deref().map(str::parse).transpose().map_err(
                |e: nt_token::InvalidExpiration| {
                    Error::new(Code::InvalidExpiration, e.to_string())
                        .hint("use seconds or a time such as 24h, 90d or 1y")
                },
            )?;
        let expires_in = lifetime.map(Lifetime::seconds);
        Ok(CreateToken { expires_in, no_expiry: self.no_expiry, ..CreateToken::default() })
    }
}

/// What a token may be used for, and from where.
#[derive(Debug, clap::Args)]
struct Restrictions {
    /// What the token may be used for: read, write, or names of your own; may be given several
    /// times, or separated by commas
    #[arg(long, value_name = "SCOPE", value_delimiter = ',')]
    scope: Vec<String>,
    /// From where the token may be used: an address, or a network such as 192.0.2.0/24; may be given
    /// several times, or separated by commas
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    source_network: Vec<String>,
}

impl Restrictions {
    /// Puts them into a request, each as it will be shown.
    fn put_into(&self, request: &mut CreateToken) -> Result<(), Error> {
        let scopes: Result<Vec<Scope>, _> = self.scope.iter().map(|name| name.parse()).collect();
        let invalid = |e: InvalidScope| Error::usage(e.to_string());
        let scopes = scopes.and_then(Scopes::new).map_err(invalid)?;
        if !self.scope.is_empty() {
            request.scope = scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
        }
        let networks: Result<Vec<Network>, _> =
            self.source_network.iter().map(|text| text.parse()).collect();
        let networks = networks.and_then(Networks::new);
        let networks = networks.map_err(|e| Error::usage(e.to_string()))?;
        request.source_networks = networks.iter().map(ToString::to_string).collect();
        Ok(())
    }
}

/// From where a token may be used, for people.
fn networks_shown(networks: &[String]) -> String {
    if networks.is_empty() { "anywhere".to_owned() } else { networks.join(" ") }
}
