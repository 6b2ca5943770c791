//! Tasks that a worker was given side by side.

use super::{
    frame::reply,
    outbox::Outbox,
    plain,
    status::{Status, Tag},
};
use crate::TaskPanic;

/// Tasks of one job that follow upon each other, and how far their worker has
/// come with them. Their arguments and results are plain data.
pub(super) struct Run<'a> {
    pub(super) arguments: &'a [u8],
    pub(super) count: usize,
    /// Those that are over.
    pub(super) done: usize,
    /// Of the first task.
    pub(super) first: Tag,
    pub(super) status: &'a Status,
    pub(super) is_timed: bool,
}

impl Run<'_> {
    pub(super) fn is_over(&self) -> bool {
        self.done == self.count
    }

    fn tag(&self) -> Tag {
        self.first.wrapping_add(self.done as Tag)
    }

    /// Executes what is left of it, or up to the first task that panics, and
    /// says what comes of it.
    pub(super) fn go_on<A: 'static, R: 'static>(
        &mut self,
        outbox: &mut Outbox,
        f: impl Fn(A) -> R,
    ) {
        let before = self.done;
        let mut panic = None;
        outbox.say_outputs(self.tag(), (self.count - before, size_of::<R>()), |outputs| {
            panic = TaskPanic::catch(|| self.call_each(outputs, f)).err();
            self.done - before
        });
        if let Some(panic) = panic {
            outbox.say_failure(reply::FAILED, self.tag(), panic.into());
            self.status.end(self.tag());
            self.done += 1;
        }
    }

    /// One store to the status for each, before it begins, so that whoever
    /// finds this process dead knows which it was. That one has ended is
    /// shown by the beginning of the next: all of them are of one job, so that
    /// it does no harm if a kill for the sake of one hits the next, unless they
    /// have deadlines.
    #[inline]
    fn call_each<A: 'static, R: 'static>(&mut self, outputs: &mut [u8], f: impl Fn(A) -> R) {
        const SHAPED: &str = "the parent sends runs of plain data only";
        let arguments = self.arguments.chunks_exact(size_of::<A>()).skip(self.done);
        for (argument, output) in arguments.zip(outputs.chunks_exact_mut(size_of::<R>())) {
            let tag = self.tag();
            self.status.begin(tag, self.is_timed);
            let result = f(plain::read(argument).expect(SHAPED));
            output.copy_from_slice(plain::bytes(&result).expect(SHAPED));
            if self.is_timed {
                self.status.end(tag);
            }
            self.done += 1;
        }
        if !self.is_timed {
            self.status.end(self.tag().wrapping_sub(1));
        }
    }
}
