//! Running the steps of a batch, each of which takes back what it did if it is refused.

use super::append;
use super::fault::Fault;
use super::link::PATIENCE;
use super::revoke::{Revoked, Wanted, revoke_all};
use super::writer::Writer;
use crate::error::StoreError;
use crate::sql::Writing;
use crate::sql::job::Step;
use crate::sql::revocation::Revocation;

const SAVE: &str = "SAVEPOINT step";
const SAVE_ANEW: &str = "RELEASE SAVEPOINT step; SAVEPOINT step";

impl Writer {
    /// Runs the steps in order; revocations that stand together are done together.
    pub(super) fn steps<'a>(
        &'a self,
        batch: &mut [Step],
        writing: &mut Writing<'a>,
        revoked: &mut Revoked,
    ) -> Result<(), StoreError> {
        let mut saved = Saved::Nothing;
        let mut rest = batch;
        while !rest.is_empty() {
            let (now, later) = split_revocations(rest);
            let mut asked = revocations(now);
            if !asked.is_empty() {
                let wanted = Wanted::by(&asked);
                let found = self.link.wait(PATIENCE, |session| wanted.ask(session))?;
                revoke_all(writing, &mut asked, &found, revoked)?;
            }
            let Some((step, later)) = later.split_first_mut() else { break };
            if !revoked.is_empty() {
                append::write_revoked(&self.link, revoked)?;
                saved = saved.used();
            }
            self.one_step(writing, step, &mut saved)?;
            rest = later;
        }
        Ok(())
    }

    /// A lone step has no savepoint; answers whether it was not refused. If it was, everything is to be
    /// taken back.
    pub(super) fn lone_step<'a>(
        &'a self,
        writing: &mut Writing<'a>,
        step: &mut Step,
    ) -> Result<bool, StoreError> {
        let Err(failure) = step.run(writing) else { return Ok(true) };
        match self.link.take_fault() {
            Some(fault @ (Fault::Lost | Fault::TryAgain)) => {
                self.link.note(fault);
                Err(failure.error())
            }
            Some(Fault::Refused) | None => Ok(false),
        }
    }

    /// A step that is refused takes back what it did and nothing else.
    fn one_step<'a>(
        &'a self,
        writing: &mut Writing<'a>,
        step: &mut Step,
        saved: &mut Saved,
    ) -> Result<(), StoreError> {
        let mark = writing.mark();
        match saved {
            Saved::Nothing => self.link.send_ahead(SAVE),
            Saved::Used => self.link.send_ahead(SAVE_ANEW),
            Saved::Fresh => {}
        }
        let Err(failure) = step.run(writing) else {
            // A step that asked nothing has left what was to be sent ahead of its first question.
            if self.link.take_ahead().is_none() {
                *saved = Saved::Used;
            }
            return Ok(());
        };
        writing.back_to(mark);
        match self.link.take_fault() {
            Some(fault @ (Fault::Lost | Fault::TryAgain)) => {
                self.link.note(fault);
                Err(failure.error())
            }
            _ if self.link.take_ahead().is_some() => Ok(()),
            _ => {
                *saved = Saved::Fresh;
                self.link.batch("ROLLBACK TO SAVEPOINT step")
            }
        }
    }
}

/// The revocations with which these steps begin, and the others.
pub(super) fn split_revocations(steps: &mut [Step]) -> (&mut [Step], &mut [Step]) {
    let count = steps.iter_mut().map_while(|step| step.revocation().map(drop)).count();
    steps.split_at_mut(count)
}

pub(super) fn revocations(steps: &mut [Step]) -> Vec<&mut Revocation> {
    steps.iter_mut().filter_map(|step| step.revocation()).collect()
}

/// Whether a step can be taken back alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saved {
    /// There is no savepoint yet.
    Nothing,
    /// There is one, and nothing was done since.
    Fresh,
    /// There is one, from before what must stay.
    Used,
}

impl Saved {
    fn used(self) -> Self {
        if self == Self::Nothing { Self::Nothing } else { Self::Used }
    }
}
