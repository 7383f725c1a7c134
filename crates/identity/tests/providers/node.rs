//! A script that answers one question.

use std::io::Write as _;

use crate::script::node;

/// Runs a script with this input, and returns what it prints.
pub(crate) fn ask(name: &str, input: &str) -> String {
    let mut child = node(name, &[]).spawn().expect("installed");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8(output.stdout).expect("a text")
}
