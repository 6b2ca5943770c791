//! Tasks that a worker was given and has not answered.

use std::collections::VecDeque;

use super::TaskId;
use crate::pool::{jobs::JobId, status::Tag};

/// They are answered in the order in which they were given, and their tags
/// follow upon each other. Kept by stretches, so that many short tasks of one
/// job cost no more than one.
pub(super) struct InFlight {
    /// Oldest first; none is empty.
    stretches: VecDeque<Stretch>,
    len: usize,
    /// Tag of the oldest of them, or else of the next task.
    oldest: Tag,
}

/// Tasks of one job whose numbers follow upon each other.
#[derive(Clone, Copy)]
struct Stretch {
    first: TaskId,
    count: u64,
}

impl Stretch {
    fn tasks(self) -> impl DoubleEndedIterator<Item = TaskId> {
        let Self { first: TaskId { job, task }, count } = self;
        (task..task + count).map(move |task| TaskId { job, task })
    }
}

impl InFlight {
    pub(super) fn none() -> Self {
        Self { stretches: VecDeque::new(), len: 0, oldest: 1 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Of the task that is given next.
    pub(super) fn next_tag(&self) -> Tag {
        self.oldest.wrapping_add(self.len as Tag)
    }

    /// The next `count` tasks from `first` on are given; not 0.
    pub(super) fn push(&mut self, first: TaskId, count: u64) {
        self.len += count as usize;
        match self.stretches.back_mut() {
            Some(last)
                if last.first.job == first.job && last.first.task + last.count == first.task =>
            {
                last.count += count;
            }
            _ => self.stretches.push_back(Stretch { first, count }),
        }
    }

    /// The oldest task, how many are left of its stretch, itself among them,
    /// and its tag.
    pub(super) fn oldest(&self) -> Option<(TaskId, u64, Tag)> {
        self.stretches.front().map(|stretch| (stretch.first, stretch.count, self.oldest))
    }

    /// The oldest `count` tasks, which are of one stretch, are answered.
    pub(super) fn pop(&mut self, count: u64) {
        let Some(front) = self.stretches.front_mut() else { return };
        front.first.task += count;
        front.count -= count;
        if front.count == 0 {
            self.stretches.pop_front();
        }
        self.len -= count as usize;
        self.oldest = self.oldest.wrapping_add(count as Tag);
    }

    pub(super) fn task(&self, tag: Tag) -> Option<TaskId> {
        let mut place = u64::from(tag.wrapping_sub(self.oldest));
        for Stretch { first, count } in &self.stretches {
            if place < *count {
                return Some(TaskId { task: first.task + place, ..*first });
            }
            place -= count;
        }
        None
    }

    /// Oldest first, with their tags.
    pub(super) fn tasks(&self) -> impl Iterator<Item = (Tag, TaskId)> {
        let tasks = self.stretches.iter().copied().flat_map(Stretch::tasks);
        tasks.enumerate().map(|(place, task)| (self.oldest.wrapping_add(place as Tag), task))
    }

    /// Each once for every stretch of its tasks, oldest first.
    pub(super) fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.stretches.iter().map(|stretch| stretch.first.job)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn task(task: u64) -> TaskId {
        TaskId { job: JobId(0), task }
    }

    #[test]
    fn tasks_come_in_the_order_in_which_they_were_given() {
        let mut tasks = InFlight::none();
        tasks.push(task(5), 2);
        tasks.push(task(7), 1);
        tasks.push(task(3), 1);
        assert_eq!((tasks.len(), tasks.next_tag()), (4, 5));
        assert_eq!(tasks.oldest(), Some((task(5), 3, 1)));
        let all = [(1, task(5)), (2, task(6)), (3, task(7)), (4, task(3))];
        assert_eq!(tasks.tasks().collect::<Vec<_>>(), all);
        for (tag, id) in all {
            assert_eq!(tasks.task(tag), Some(id));
        }
        assert_eq!((tasks.task(0), tasks.task(5)), (None, None));
        assert_eq!(tasks.jobs().count(), 2);
    }

    #[test]
    fn what_is_answered_is_gone() {
        let mut tasks = InFlight::none();
        tasks.push(task(0), 3);
        tasks.pop(2);
        assert_eq!(tasks.oldest(), Some((task(2), 1, 3)));
        assert_eq!((tasks.task(2), tasks.task(3)), (None, Some(task(2))));
        tasks.pop(1);
        assert_eq!((tasks.oldest(), tasks.len(), tasks.next_tag()), (None, 0, 4));
        tasks.push(task(9), 1);
        assert_eq!(tasks.oldest(), Some((task(9), 1, 4)));
    }
}
