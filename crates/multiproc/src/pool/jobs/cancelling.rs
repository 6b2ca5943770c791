//! Jobs that end before their tasks have.

use super::{JobId, Jobs, Outcome};
use crate::Error;

impl Jobs {
    /// Fails every job that is not done.
    pub(crate) fn fail_all(&mut self, mut error: impl FnMut() -> Error) {
        self.queue.clear();
        self.waiting = 0;
        for slot in 0..self.slots.len() {
            let Some(job) = &mut self.slots[slot] else { continue };
            if job.left > 0 || job.is_open {
                (job.left, job.is_open, job.is_queued) = (0, false, false);
                job.fail(error());
                self.finished(JobId(slot as u32));
            }
        }
    }

    /// Fails a job: its tasks that nobody was given never begin, and what
    /// comes of the others is thrown away. Whether it was not finished.
    pub(crate) fn cancel(&mut self, id: JobId) -> bool {
        let job = self.job_mut(id);
        let is_over = job.left == 0 && !job.is_open;
        if is_over || !matches!(job.outcome, Outcome::Work(_)) {
            return false;
        }
        let waiting = job.count - job.next + job.returned.len() as u64;
        job.next = job.count;
        job.returned.clear();
        job.fail(Error::Cancelled);
        job.is_open = false;
        job.left -= waiting;
        let is_over = job.left == 0;
        if std::mem::take(&mut job.is_queued) {
            self.queue.retain(|&queued| queued != id);
        }
        self.waiting -= waiting;
        if is_over {
            self.finished(id);
        } else {
            let waker = self.job_mut(id).waker.take();
            self.woken.extend(waker);
            self.cancelled.push(id);
        }
        true
    }

    /// Whether its tasks that are under way are to be stopped.
    pub(crate) fn is_cancelled(&self, id: JobId) -> bool {
        self.cancelled.contains(&id)
    }

    pub(crate) fn has_cancelled(&self) -> bool {
        !self.cancelled.is_empty()
    }
}
