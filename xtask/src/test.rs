//! `cargo xtask test`: everything that must hold, in one command.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result};

use crate::run::cargo;
use crate::{BUILD, packages, run, say};

/// What the runner counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

pub(crate) fn run(root: &Path, full: bool) -> Result<ExitCode> {
    packages::install()?;
    let mut failed_steps = Vec::new();
    let steps: [(&str, &[&str]); 3] = [
        ("Checking the style", &["fmt", "--all", "--check"]),
        ("Linting", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        ("Building ntd and ntcli", &BUILD),
    ];
    for (what, args) in steps {
        say(what);
        let mut command = cargo(root);
        command.args(args);
        run::show(&command);
        if !command.status().context("cannot run cargo")?.success() {
            failed_steps.push(what);
        }
    }
    say("Running all tests, doc tests included");
    let mut tests = cargo(root);
    tests.args(["test", "--workspace", "--no-fail-fast"]);
    // Each story starts processes of its own; more at once would only make them wait.
    tests.env("RUST_TEST_THREADS", "2").env("NT_TESTKIT_FULL", if full { "1" } else { "0" });
    let (mut count, all_well) = run_tests(&mut tests)?;
    if !all_well && count.failed == 0 {
        failed_steps.push("Running all tests (cargo says why)");
    }
    for step in &failed_steps {
        println!("failed: {step}");
    }
    // A step that failed is one failure, so that the last line never looks better than it is.
    count.failed += u64::try_from(failed_steps.len())?;
    println!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped);
    Ok(if count.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests, shows what they say as they say it, and sums up their results.
fn run_tests(tests: &mut Command) -> Result<(Count, bool)> {
    run::show(tests);
    let mut child = tests.stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
    let mut count = Count::default();
    for line in BufReader::new(child.stdout.take().context("stdout is piped")?).lines() {
        let line = line.context("cannot read what cargo says")?;
        println!("{line}");
        if let Some(result) = parse(&line) {
            count.passed += result.passed;
            count.failed += result.failed;
            count.skipped += result.skipped;
        }
    }
    Ok((count, child.wait().context("cannot wait for cargo")?.success()))
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; …`.
fn parse(line: &str) -> Option<Count> {
    let result = line.strip_prefix("test result: ")?;
    let number = |word: &str| {
        let mut parts = result.split([';', '.']).map(str::trim);
        parts.find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    Some(Count {
        passed: number("passed")?,
        failed: number("failed")?,
        skipped: number("ignored")? + number("filtered out")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_line_is_understood() {
        let line = "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(parse(line), Some(Count { passed: 12, failed: 2, skipped: 4 }));
        assert_eq!(parse("test check::tests::good ... ok"), None);
    }
}
