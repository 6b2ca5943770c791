//! A bulk job as the table of jobs sees it: its tasks are participations.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    claims::{Claims, settle},
    job::Job,
    record::{Failure, Record},
    region::RegionId,
    ticket::Fields,
};
use crate::{
    Error, Result, codec,
    pool::{Failures, Loss, Work},
};

/// The work of a bulk job. Task p is what participant p claims.
#[derive(Debug)]
pub(super) struct Participations {
    job: Arc<Job>,
    /// How often a chunk is begun again whose worker died while it ran.
    retries: u32,
    /// How often chunks have brought a worker down, for those that have.
    charges: BTreeMap<u32, u32>,
    /// By chunk.
    failures: Failures,
    /// Why somebody could not participate.
    trouble: Option<Error>,
}

impl Participations {
    pub(super) fn new(job: Job, retries: u32) -> Self {
        let (charges, failures) = (BTreeMap::new(), Failures::default());
        Self { job: Arc::new(job), retries, charges, failures, trouble: None }
    }

    pub(super) fn job(&self) -> Arc<Job> {
        Arc::clone(&self.job)
    }

    /// Becomes the work of one more job if that is about the same, but for its
    /// context; whether it is. Nobody participates, and the last one has ended
    /// [well](Self::has_ended_well).
    pub(super) fn renew(&mut self, fields: &Fields, context: &[u8], retries: u32) -> bool {
        self.retries = retries;
        let fields = bytemuck::bytes_of(fields);
        Arc::get_mut(&mut self.job).is_some_and(|job| job.ticket.renew(fields, context))
    }

    /// Of a job whose [outcome](Self::outcome) is no error: whether everybody
    /// could participate, and no chunk was charged for a worker's death.
    pub(super) fn has_ended_well(&self) -> bool {
        self.trouble.is_none() && self.charges.is_empty()
    }

    /// Whether the job has this region mapped.
    pub(super) fn is_about(&self, region: RegionId) -> bool {
        self.job.ticket.names(region)
    }

    /// The first error, once nobody participates any more.
    pub(super) fn outcome(&mut self) -> Result<()> {
        for (chunk, failure) in self.job.board.records().iter().filter_map(Record::failure) {
            let Failure { pid, name, message, backtrace } = failure;
            let task = chunk as usize;
            let error = Error::TaskPanicked { task, pid, name, message, backtrace };
            self.failures.add(u64::from(chunk), error);
        }
        std::mem::take(&mut self.failures).into_first()?;
        let is_complete = self.job.board.claims().iter().all(Claims::is_exhausted);
        if is_complete { Ok(()) } else { Err(self.trouble.take().unwrap_or(Error::Broken)) }
    }

    /// To be claimed again, which is `what` was lost.
    fn give_back(&mut self, chunk: u32, me: usize, what: Loss) -> Loss {
        if self.job.board.claims()[me].give_back(chunk) {
            return what;
        }
        let damaged = Error::Damaged { what: "the board of a bulk job" };
        self.failures.add(u64::from(chunk), damaged);
        Loss::Failed
    }
}

impl Work for Participations {
    fn stage(&mut self, task: u64, frame: &mut Vec<u8>) -> Result<usize> {
        codec::encode_plain_into(&(task, &self.job.ticket), frame)?;
        Ok(0)
    }

    fn accept(&mut self, _: u64, output: &[u8]) -> Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        if let Err(why) = codec::decode::<Result<(), String>>(output, Vec::new())? {
            let source = std::io::Error::other(why);
            self.fail(0, Error::System { what: "share memory with a worker", source });
        }
        Ok(())
    }

    /// Others may claim what this participant has not; if not, this is why.
    fn fail(&mut self, _: u64, error: Error) {
        self.trouble.get_or_insert(error);
    }

    /// The chunk that was in progress is charged. What the participant had not
    /// claimed is claimed by whoever goes on in its place.
    fn lost(&mut self, task: u64, may_retry: bool, death: &dyn Fn(u64) -> Error) -> Loss {
        let me = task as usize;
        let Some(chunk) = settle(self.job.board.claims(), me) else { return Loss::Nothing };
        if chunk >= self.job.chunks {
            // The board is damaged; those who claim will find it so.
            return Loss::Nothing;
        }
        if self.job.is_timed && !self.job.board.records()[me].has_begun(chunk) {
            // Killed for the sake of the one before, which has ended.
            return self.give_back(chunk, me, Loss::Nothing);
        }
        self.job.undo(chunk, me);
        let charges = self.charges.entry(chunk).or_default();
        *charges += 1;
        if may_retry && *charges <= self.retries {
            return self.give_back(chunk, me, Loss::Retried);
        }
        self.failures.add(u64::from(chunk), death(u64::from(chunk)));
        Loss::Failed
    }
}
