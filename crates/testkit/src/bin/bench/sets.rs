//! The revocation set: what it takes in memory, and how soon after a snapshot it can be asked.

use std::hint::black_box;

use anyhow::{Context as _, Result, ensure};
use nt_revocation::RevocationSet;
use nt_token::clock::Stopwatch;
use roaring::RoaringBitmap;

use crate::compare::{Comparison, compare};
use crate::library::{Service, set_of};
use crate::table::{Aim, Table};

const MILLION: u64 = 1_000_000;
const MEBIBYTE: f64 = 1_048_576.0;

/// Counted by the set itself, so there is nothing to repeat.
pub(crate) fn memory(table: &mut Table) -> Result<()> {
    for millions in [1, 10] {
        let revoked = millions * MILLION;
        let set = set_of(revoked)?;
        let roaring: usize = lists(&set.snapshot())?.iter().map(|list| list.len()).sum();
        let issued = u32::try_from(revoked * 10)?;
        let control = (f64::from(issued) / 8.0).max(f64::from(u32::try_from(roaring)?));
        let memory = f64::from(u32::try_from(set.memory())?);
        let found = Comparison::once(control / MEBIBYTE, memory / MEBIBYTE);
        let what = format!("memory of a set, {millions} M revoked of {} M issued", millions * 10);
        let control = "the larger of serialised Roaring and 1 bit per issued token";
        table.add(&what, control, "MiB", Aim::AtMost(1.05), &found);
    }
    Ok(())
}

/// From the bytes to a verdict by a verifier that has a lease already.
pub(crate) fn snapshot(table: &mut Table) -> Result<()> {
    let bytes = set_of(10 * MILLION)?.snapshot();
    let lists = lists(&bytes)?;
    let found = compare(
        || {
            let watch = Stopwatch::start();
            for list in &lists {
                black_box(RoaringBitmap::deserialize_from(black_box(*list))?);
            }
            Ok(watch.elapsed().as_secs_f64() * 1e3)
        },
        || {
            let service = Service::new()?;
            let token = service.token(1);
            let watch = Stopwatch::start();
            service.state.replace(RevocationSet::from_snapshot(black_box(&bytes))?)?;
            let good = service.verifier.verify(&token).is_ok();
            let took = watch.elapsed();
            ensure!(good, "a token was refused that nobody revoked");
            Ok(took.as_secs_f64() * 1e3)
        },
    )?;
    let what = "snapshot of 10 M revocations to the first verdict";
    let control = "deserialising its bitmaps with `roaring`, without the checksum";
    table.add(what, control, "ms", Aim::AtMost(2.0), &found);
    Ok(())
}

/// The bitmaps in a snapshot's bytes, as its format has them.
fn lists(snapshot: &[u8]) -> Result<Vec<&[u8]>> {
    const HEADER: usize = 5 + 1 + 8 + 8 + 16 + 8;
    let number = |at: usize| -> Result<usize> {
        let four = snapshot.get(at..at + 4).context("a number")?;
        Ok(usize::try_from(u32::from_be_bytes(four.try_into()?))?)
    };
    let mut at = HEADER + 4;
    let mut found = Vec::new();
    for _ in 0..number(HEADER)? {
        let length = number(at + 12)?;
        found.push(snapshot.get(at + 16..at + 16 + length).context("a bitmap")?);
        at += 16 + length;
    }
    Ok(found)
}
