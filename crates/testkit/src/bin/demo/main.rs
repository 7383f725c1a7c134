//! The demo: a real workspace token is created, used, revoked with the real `ntcli`, and refused from
//! that moment on.

mod timeline;
mod traffic;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use nt_testkit::checker::examine;
use nt_testkit::gate::Api;
use nt_testkit::{Cli, Revoke, Service, World};
use nt_token::clock::Stopwatch;

use crate::timeline::Timeline;
use crate::traffic::Traffic;

/// Who signs in.
const OPERATOR: &str = "owner@example.com";

/// How long traffic flows before the revoke, and after it.
const FLOW: Duration = Duration::from_millis(700);

/// The token that is revoked, and the one that is not.
pub(crate) const LEAKED: usize = 0;
pub(crate) const OTHER: usize = 1;

/// Watch a workspace token being created, used, revoked, and refused from that moment on.
#[derive(Parser)]
#[command(name = "cargo xtask demo", bin_name = "cargo xtask demo")]
struct Args {
    /// Leave the authority running at the end, to try things by hand.
    #[arg(long)]
    keep: bool,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    println!("\nTaking a workspace token back\n");
    let world = World::start()?;
    step("An authority", &format!("ntd serve --dev, at {}", world.url()));
    let cli = world.signed_in(OPERATOR)?;
    step("Signed in", &format!("ntcli auth login, as {OPERATOR} of the development provider"));
    cli.ok(&["workspace", "create", "demo"])?;
    step("A workspace", "ntcli workspace create demo");
    let tokens = [create_token(&cli, "leaked")?, create_token(&cli, "nightly build")?];
    for token in &tokens {
        step("A token", &format!("{}  {}", token.jti, token.shown()));
    }
    let edge = Service::edge(&world, "demo-edge", world.address())?;
    edge.until(&tokens[OTHER].value, 200)?;
    let local = "checks tokens from memory and follows the authority's log";
    step("A verifier", &format!("ntd edge, at http://{}, {local}", edge.address()));
    let api = Api::start(edge.address())?;
    let asks = "asks the verifier about each request";
    step("A protected API", &format!("at http://{}, {asks}", api.address()));

    let watch = Stopwatch::start();
    let traffic = Traffic::start(api.address(), watch, tokens.each_ref().map(|t| t.value.clone()));
    step("Steady traffic", "a client with each token, a request every millisecond or so");
    std::thread::sleep(FLOW);
    let jti = &tokens[LEAKED].jti;
    println!("\n  $ ntcli token revoke {jti} --force --reason \"found in a public log\"");
    let start = watch.elapsed();
    let said = cli.ok(&["token", "revoke", jti, "--force", "--reason", "found in a public log"])?;
    let end = watch.elapsed();
    println!("  {}", said.trim_end());
    std::thread::sleep(FLOW);
    let checks = traffic.stop()?;

    let revoke = Revoke { token: LEAKED, start, end };
    let timeline = Timeline::of(&checks, revoke);
    print!("\n{timeline}");
    println!("\n  $ ntcli receipt show {jti}");
    let receipt = cli.ok(&["receipt", "show", jti])?;
    receipt.trim_end().lines().for_each(|line| println!("  {line}"));
    let report = examine(&checks, &[revoke]);
    let good = timeline.verdict(&report);
    drop(api);
    drop(edge);
    if args.keep {
        keep(world, &cli)?;
    } else {
        by_hand(&world);
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A token as `ntcli` gave it.
struct Token {
    jti: String,
    value: String,
    purpose: &'static str,
}

impl Token {
    /// Enough of the token to recognise it, and what it is for.
    fn shown(&self) -> String {
        format!("{}…  ({})", self.value.chars().take(12).collect::<String>(), self.purpose)
    }
}

fn create_token(cli: &Cli, purpose: &'static str) -> Result<Token> {
    let made = cli.json(&["token", "create", "--description", purpose])?;
    let text = |name: &str| made[name].as_str().map(str::to_owned).context("a created token");
    Ok(Token { jti: text("jti")?, value: text("token")?, purpose })
}

fn step(what: &str, how: &str) {
    println!("  {what:<16} {how}");
}

/// What to try when nothing of the demo is left.
fn by_hand(world: &World) {
    let ntd = world.binaries().ntd.display();
    let programs = world.binaries().ntcli.parent().map(Path::display);
    let programs = programs.map(|dir| dir.to_string()).unwrap_or_default();
    println!(
        "\nNothing of this is left running. To try it by hand, in one terminal:\n\n\
         \x20 {ntd} serve --dev\n\n\
         and in another:\n\n\
         \x20 export PATH=\"{programs}:$PATH\"\n\
         \x20 ntcli auth login\n\
         \x20 ntcli workspace create my-workspace\n\
         \x20 ntcli token create\n\
         \x20 curl -i -H \"Authorization: Bearer wst_…\" http://127.0.0.1:8480/v1/token_auth\n\
         \x20 ntcli token list\n\
         \x20 ntcli token revoke jti_…\n\n\
         or run `cargo xtask demo --keep` to go on with the one above. The README's tour says more."
    );
}

/// Leaves the authority running and says how to go on with it, and how to end it.
fn keep(world: World, cli: &Cli) -> Result<()> {
    let ntcli = world.binaries().ntcli.display();
    let (url, pid) = (world.url(), world.pid()?);
    println!(
        "\nThe authority is left running. To go on with it:\n\n\
         \x20 export NTCLI_API_URL={url}\n\
         \x20 export NTCLI_CONFIG_DIR={config}\n\
         \x20 alias ntcli={ntcli}\n\
         \x20 ntcli token list --show-expired\n\
         \x20 ntcli audit list\n\
         \x20 ntcli token show --show-token\n\
         \x20 ntcli token refresh\n\n\
         To end it: kill {pid} && rm -r {dir}",
        config = cli.config_dir().display(),
        dir = world.dir().display(),
    );
    world.leave_running();
    Ok(())
}
