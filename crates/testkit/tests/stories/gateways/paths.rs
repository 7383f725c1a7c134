//! Paths that one party might read otherwise than another.

use anyhow::Result;
use nt_testkit::Request;

use super::Stand;

/// Whatever a path looks like: a token for one workspace never brings a request to the API that the
/// API may read as one about another.
pub(super) fn bind_as_the_api_reads(stand: &Stand) -> Result<()> {
    let (own, other) = (&stand.own.workspace, &stand.other.workspace);
    let encoded = format!("%{:02x}{}", other.as_bytes()[0], &other[1..]);
    let upper = other.to_ascii_uppercase();
    let targets = [
        format!("//{other}/x"),
        format!("/./{other}/x"),
        format!("/x/../{other}/x"),
        format!("/%2e%2e/{other}/x"),
        format!("/{own}/../{other}/x"),
        format!("/{own}/%2e%2e/{other}/x"),
        format!("/{own}/%2E./{other}/x"),
        format!("/{own}/..%2f{other}/x"),
        format!("/{own}%2f..%2f{other}/x"),
        format!("/{own}/..\\{other}/x"),
        format!("/%2f{other}/x"),
        format!("/x%2f{other}/{own}"),
        format!("/{encoded}/x"),
        format!("/{upper}/x"),
        format!("/{other}/http://x/y"),
        format!("/{other}/http://{own}/{own}"),
        format!("/{other}/x?y=/{own}/"),
        format!("/{other}/x#/{own}/"),
        format!("/{other}%3f/{own}"),
        format!("http://localhost/{other}/x"),
        format!("http://{own}/{other}/x"),
    ];
    for target in targets {
        stand.api.take();
        let answer = stand.send(&Request::get(&target).bearer(&stand.own.token))?;
        for seen in stand.api.take() {
            for reading in readings(&seen.target) {
                let first = first_workspace(&reading, &[own, other]);
                assert_ne!(
                    first.as_deref(),
                    Some(other.as_str()),
                    "{target}: {} {}",
                    answer.status,
                    seen.target
                );
            }
        }
    }
    Ok(())
}

/// How an API may read the path of a target: as it is, decoded, and with its dots resolved.
fn readings(target: &str) -> Vec<String> {
    let origin = target.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
    let path = origin.map_or(target.to_owned(), |(_, path)| format!("/{path}"));
    let path = path.split(['?', '#']).next().unwrap_or_default().to_owned();
    let decoded = decoded(&path);
    vec![resolved(&path), resolved(&decoded), path, decoded]
}

fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        let byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let escaped = byte.filter(|_| *first == b'%');
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn resolved(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

/// The first segment that is one of these workspaces, whatever its case.
fn first_workspace(path: &str, workspaces: &[&String]) -> Option<String> {
    let mut segments = path.split(['/', '\\']).map(str::to_ascii_lowercase);
    segments.find(|segment| workspaces.contains(&segment))
}
