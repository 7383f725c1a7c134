//! Receipts: what the authority states of a revocation, shown and checked.

mod show;
mod verify;

use clap::Subcommand;
use nt_revocation::Position;
use nt_revocation::receipt::{CutOff, Proven, Receipt};
use nt_token::Timestamp;

use crate::context::Context;
use crate::error::Error;

/// Show and check the proof that a token is refused everywhere
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ntcli receipt show jti_abc123def456
  ntcli receipt verify receipt.jws")]
pub(crate) enum Command {
    Show(show::Args),
    Verify(verify::Args),
}

pub(super) fn run(command: &Command, context: &Context) -> Result<(), Error> {
    match command {
        Command::Show(args) => show::run(args, context),
        Command::Verify(args) => verify::run(args, context),
    }
}

/// What a receipt states, for people.
pub(super) fn summary(receipt: &Receipt) -> String {
    let Position { epoch, seq, entry } = receipt.position;
    let in_force = utc_ms(receipt.in_force_at_ms);
    let in_force = match receipt.waited_ms {
        Some(waited) => format!("{in_force}, after {waited} ms"),
        None => format!("{in_force} at the latest"),
    };
    let mut lines = vec![
        "Receipt of a Revocation".to_owned(),
        "─".repeat(23),
        format!("JTI:         {}", receipt.jti),
        format!("Workspace:   {}", receipt.workspace_id),
        format!("Committed:   {}", committed(receipt)),
        format!("In force:    {in_force}"),
        format!("Proven:      {}", proven(receipt)),
    ];
    let cut_offs = receipt.verifiers.iter().flat_map(|counted| &counted.cut_off);
    lines.extend(cut_offs.map(cut_off));
    lines.push(format!("Position:    entry {seq} of epoch {epoch} ({entry})"));
    lines.push(format!("Stated by:   {} at {} UTC", receipt.iss, receipt.iat.civil()));
    lines.join("\n")
}

/// Stated later it is known to the second only.
fn committed(receipt: &Receipt) -> String {
    if receipt.waited_ms.is_some() || receipt.verifiers.is_some() {
        return utc_ms(receipt.committed_at_ms);
    }
    let seconds = i64::try_from(receipt.committed_at_ms / 1_000).unwrap_or(i64::MAX);
    format!("{} UTC", Timestamp::from_unix(seconds).civil())
}

fn proven(receipt: &Receipt) -> String {
    let nodes = counted(u64::from(receipt.nodes), "node");
    let by = match &receipt.verifiers {
        Some(verifiers) => {
            format!("{nodes} and {}", counted(u64::from(verifiers.acknowledged), "verifier"))
        }
        None => format!("{nodes}; by which verifiers is not known any more"),
    };
    match receipt.proven {
        Proven::Expired if receipt.verifiers.is_some() => {
            format!("acknowledged by {by}; every other lease has expired")
        }
        Proven::Acked | Proven::Expired => format!("acknowledged by {by}"),
    }
}

fn cut_off(verifier: &CutOff) -> String {
    let silent = verifier.silent_for_ms.map(|ms| format!(", silent for {ms} ms"));
    format!("Cut off:     {}{}", verifier.name, silent.unwrap_or_default())
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// `2024-08-07 10:30:00.042 UTC`.
fn utc_ms(ms: u64) -> String {
    let seconds = Timestamp::from_unix(i64::try_from(ms / 1_000).unwrap_or(i64::MAX));
    format!("{}.{:03} UTC", seconds.civil(), ms % 1_000)
}

#[cfg(test)]
mod tests {
    use nt_revocation::receipt::Verifiers;
    use nt_token::{EntryId, WorkspaceId};

    use super::*;

    #[test]
    fn a_receipt_is_told_with_all_that_were_counted_and_cut_off() {
        let silent = |name: &str, silent_for_ms| CutOff { name: name.to_owned(), silent_for_ms };
        let receipt = Receipt {
            iss: "https://auth.example.com".to_owned(),
            iat: Timestamp::from_unix(1_723_033_800),
            jti: "jti_abc123def456".parse().expect("a JTI"),
            workspace_id: WorkspaceId::from_bytes([0x11; 16]),
            position: Position { epoch: 1, seq: 42, entry: EntryId([0x0f; 16]) },
            committed_at_ms: 1_723_033_800_004,
            in_force_at_ms: 1_723_033_800_042,
            waited_ms: Some(38),
            proven: Proven::Expired,
            nodes: 1,
            verifiers: Some(Verifiers {
                acknowledged: 6,
                cut_off: vec![silent("edge-7", Some(2_100)), silent("edge-8", None)],
            }),
        };
        let expected = "\
Receipt of a Revocation
───────────────────────
JTI:         jti_abc123def456
Workspace:   11111111-1111-1111-1111-111111111111
Committed:   2024-08-07 12:30:00.004 UTC
In force:    2024-08-07 12:30:00.042 UTC, after 38 ms
Proven:      acknowledged by 1 node and 6 verifiers; every other lease has expired
Cut off:     edge-7, silent for 2100 ms
Cut off:     edge-8
Position:    entry 42 of epoch 1 (0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f)
Stated by:   https://auth.example.com at 2024-08-07 12:30:00 UTC";
        assert_eq!(summary(&receipt), expected);
        let later = Receipt { waited_ms: None, verifiers: None, ..receipt };
        let told = summary(&later);
        assert!(told.contains("Committed:   2024-08-07 12:30:00 UTC\n"), "{told}");
        assert!(told.contains("2024-08-07 12:30:00.042 UTC at the latest\n"), "{told}");
        assert!(told.contains("by 1 node; by which verifiers is not known any more\n"), "{told}");
    }
}
