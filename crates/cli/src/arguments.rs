//! The command line: what holds for all commands, and how a mistake in it is told. What a command
//! takes is in its own file below [`crate::commands`].

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, ValueEnum};

use crate::commands::Command;
use crate::error::{Code, Error};
use crate::ui;

/// Workspaces and their tokens, from the command line.
#[derive(Debug, Parser)]
#[command(
    name = "ntcli",
    version,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  ntcli auth login
  ntcli workspace create my-workspace
  ntcli token list
  ntcli token revoke jti_abc123def456

`ntcli help exit-codes` says what the exit codes mean."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    #[arg(help_heading = "Global options")]
    pub(crate) color: Color,
    /// Say more
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub(crate) verbose: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// `--format text|json`.
#[derive(Debug, clap::Args)]
pub(crate) struct TextOrJson {
    /// How to print the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    #[arg(value_parser = FormatParser(&["text", "json"]))]
    pub(crate) format: Format,
}

/// `--format table|json`.
#[derive(Debug, clap::Args)]
pub(crate) struct TableOrJson {
    /// How to print the result
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    #[arg(value_parser = FormatParser(&["table", "json"]))]
    pub(crate) format: Format,
}

/// Reads a format under the names that a command gives to it.
#[derive(Debug, Clone)]
struct FormatParser(&'static [&'static str]);

impl clap::builder::TypedValueParser for FormatParser {
    type Value = Format;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Format, clap::Error> {
        let names = clap::builder::PossibleValuesParser::new(self.0);
        let name = names.parse_ref(command, argument, value)?;
        Ok(if name == "json" { Format::Json } else { Format::Text })
    }

    fn possible_values(
        &self,
    ) -> Option<Box<dyn Iterator<Item = clap::builder::PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(clap::builder::PossibleValue::new)))
    }
}

/// Reads the command line, and sets the colours before anything can be printed.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    let choice = match last_value(&arguments, "--color").as_deref() {
        Some("always") => anstream::ColorChoice::Always,
        Some("never") => anstream::ColorChoice::Never,
        _ => anstream::ColorChoice::Auto,
    };
    choice.write_global();
    Cli::try_parse_from(arguments)
}

/// The whole command line, for help, completions and manual pages.
pub(crate) fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// How errors are to be told. It must be known before the command line is understood.
pub(crate) fn error_format(arguments: &[OsString]) -> Format {
    match last_value(arguments, "--format").as_deref() {
        Some("json") => Format::Json,
        _ => Format::Text,
    }
}

/// The value of the last `--name value` or `--name=value` before `--`.
fn last_value(arguments: &[OsString], name: &str) -> Option<String> {
    let mut found = None;
    let mut texts = arguments.iter().map(|a| a.to_string_lossy()).take_while(|a| a != "--");
    while let Some(text) = texts.next() {
        if text == name {
            found = texts.next().map(std::borrow::Cow::into_owned);
        } else if let Some(value) = text.strip_prefix(name).and_then(|t| t.strip_prefix('=')) {
            found = Some(value.to_owned());
        }
    }
    found
}

/// Prints help or the version if that was asked for, else what is wrong with the command line.
/// Returns the exit code.
pub(crate) fn report(refused: &clap::Error, arguments: &[OsString], format: Format) -> u8 {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    let asked = matches!(refused.kind(), DisplayHelp | DisplayVersion);
    let is_help = asked || refused.kind() == DisplayHelpOnMissingArgumentOrSubcommand;
    if asked || (is_help && format == Format::Text) {
        // Nowhere is left to say that it could not be said.
        let _ = refused.print();
        return if asked { 0 } else { Code::Usage.exit() };
    }
    ui::report(&as_error(refused, &help_of(arguments)), format)
}

/// Prints the help of a command as its `--help` does.
pub(crate) fn print_help(command: &[String]) -> Result<(), Error> {
    let words = command.iter().map(String::as_str);
    let line = ["ntcli"].into_iter().chain(words).chain(["--help"]);
    match Cli::try_parse_from(line) {
        Err(help) if help.kind() == ErrorKind::DisplayHelp => {
            help.print().map_err(|e| Error::failed(format!("Could not print help: {e}")))
        }
        Err(refused) => Err(as_error(&refused, "ntcli --help")),
        Ok(_) => Ok(()),
    }
}

/// How the help of the command that was meant is asked for.
fn help_of(arguments: &[OsString]) -> String {
    let (root, mut words) = (command(), vec!["ntcli"]);
    let mut meant = &root;
    // What is no subcommand is an option, its value, or what the command is to work on.
    for word in arguments.iter().skip(1).take_while(|word| *word != "--") {
        if let Some(sub) = meant.find_subcommand(word) {
            words.push(sub.get_name());
            meant = sub;
        }
    }
    words.push("--help");
    words.join(" ")
}

/// A mistake in the command line, told as every other error. The parser tells the mistake in a first
/// paragraph, and suggestions and the usage in later ones.
fn as_error(refused: &clap::Error, help: &str) -> Error {
    let rendered = refused.render().to_string();
    let first: Vec<_> = rendered.lines().take_while(|l| !l.is_empty()).map(str::trim).collect();
    let first = first.join(" ");
    let message = match refused.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a subcommand is missing",
        _ => first.strip_prefix("error: ").unwrap_or(&first),
    };
    let usage = rendered.lines().find_map(|line| line.strip_prefix("Usage: "));
    let hint = suggestion(refused).map_or_else(
        || usage.map_or(help.to_owned(), |usage| format!("usage: {usage}")),
        |name| format!("did you mean '{name}'?"),
    );
    Error::usage(message).hint(hint)
}

fn suggestion(refused: &clap::Error) -> Option<&str> {
    use ContextKind::{SuggestedArg, SuggestedSubcommand, SuggestedValue};
    let mut kinds = [SuggestedSubcommand, SuggestedArg, SuggestedValue].into_iter();
    match kinds.find_map(|kind| refused.get(kind))? {
        ContextValue::String(one) => Some(one),
        ContextValue::Strings(some) => some.first().map(String::as_str),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n  ntcli "), "{path}: {help}");
            command.get_subcommands().for_each(|sub| check(sub, &path));
        }
        check(&Cli::command(), "");
    }

    #[test]
    fn a_mistake_is_told_with_the_help_of_the_command_that_was_meant() {
        let help = |line: &[&str]| help_of(&line.iter().map(OsString::from).collect::<Vec<_>>());
        let line = ["ntcli", "--color", "always", "token", "revoke", "jti_a", "--format", "yaml"];
        assert_eq!(help(&line), "ntcli token revoke --help");
        assert_eq!(
            help(&["ntcli", "verifiers", "ls", "--format=x"]),
            "ntcli verifiers list --help"
        );
        assert_eq!(help(&["ntcli", "--", "token"]), "ntcli --help");
        assert_eq!(help(&["ntcli"]), "ntcli --help");
    }

    #[test]
    fn the_format_of_errors_is_known_early() {
        let format =
            |line: &[&str]| error_format(&line.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(format(&["ntcli", "tokne", "--format", "json"]), Format::Json);
        assert_eq!(format(&["ntcli", "--format=json", "x"]), Format::Json);
        assert_eq!(format(&["ntcli", "--format"]), Format::Text);
        assert_eq!(format(&["ntcli", "--", "--format=json"]), Format::Text);
        assert_eq!(format(&["ntcli", "--formatted=json"]), Format::Text);
    }
}
