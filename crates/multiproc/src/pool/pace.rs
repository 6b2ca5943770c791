//! How many tasks a worker is given ahead: learned from how long they take.
//!
//! A task that waits behind another one waits for a worker; one that is handed
//! over when its worker has nothing to do costs two wake-ups between
//! processes, some 80 µs. So of tasks that take longer than that one is given
//! at a time and the next as it finishes, and short ones in batches.
//!
//! What is learned holds for one *series* of tasks: those of one `map`, or of
//! calls of one function that were outstanding together. Another series may
//! take any time, so it begins with one task again.

/// The tasks that wait behind the one that is executed take at most this long
/// together: little enough for nobody to miss them. Half of them are answered,
/// and replaced, while the other half is executed.
const MOST_NS: u64 = 400_000;

/// So many times as long must a series have gone on in a worker before more than
/// that waits there.
const EVIDENCE: u64 = 4;

/// Then it is at most this. Where all cores are busy the parent is woken, but
/// often does not get to run before a worker sleeps, whose core is lost until
/// it has been given more: some 15 µs each time.
const MOST_OF_LONG_NS: u64 = 2_000_000;

/// Tasks that take no longer than this together are not shared out finer: it
/// is what one wake-up costs, and dividing them would cost several.
const FEWEST_NS: u64 = 40_000;

/// Most tasks that a worker is given ahead: two runs of the most small ones that
/// travel together.
const MOST_AHEAD: usize = 8192;

/// One worker's pace in one series of tasks.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    series: u64,
    tasks: u64,
    busy_ns: u64,
    /// The fewest and the most tasks that the worker is to have while there
    /// are enough for all.
    limits: Option<(usize, usize)>,
}

impl Pace {
    /// A task of `series` is given; all tasks of earlier ones are answered.
    pub(crate) fn enter(&mut self, series: u64) {
        if self.series != series {
            *self = Self { series, ..Self::default() };
        }
    }

    /// The worker took `busy_ns` for its last `tasks` tasks.
    ///
    /// Their mean is believed or that of the whole series, whichever is
    /// longer: neither a few long tasks among many short ones nor the change
    /// from short to long must be overlooked.
    pub(crate) fn learn(&mut self, tasks: u64, busy_ns: u64) {
        self.tasks = self.tasks.saturating_add(tasks);
        self.busy_ns = self.busy_ns.saturating_add(busy_ns);
        let mean_ns = (self.busy_ns / self.tasks.max(1)).max(busy_ns / tasks.max(1)).max(1);
        let within = |ns: u64| (1 + ns / mean_ns).min(MOST_AHEAD as u64) as usize;
        let most_ns = (self.busy_ns / EVIDENCE).clamp(MOST_NS, MOST_OF_LONG_NS);
        self.limits = Some((within(FEWEST_NS), within(most_ns)));
    }

    /// How many tasks of `series` the worker is to have, executed and ahead,
    /// if its fair share is `share`.
    pub(crate) fn depth(&self, series: u64, share: usize) -> usize {
        match self.limits {
            Some((fewest, most)) if self.series == series => share.clamp(fewest, most),
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: usize = 1_000_000;

    fn after(answers: &[(u64, u64)]) -> Pace {
        let mut pace = Pace::default();
        pace.enter(1);
        answers.iter().for_each(|&(tasks, busy_ns)| pace.learn(tasks, busy_ns));
        pace
    }

    #[test]
    fn a_series_begins_with_one_task() {
        assert_eq!(after(&[]).depth(1, MANY), 1);
        let mut pace = after(&[(10, 1_000)]);
        assert_eq!(pace.depth(2, MANY), 1);
        pace.enter(2);
        assert_eq!(pace.depth(2, MANY), 1);
    }

    #[test]
    fn long_tasks_are_taken_one_by_one() {
        assert_eq!(after(&[(1, 100_000_000)]).depth(1, MANY), 1);
        assert_eq!(after(&[(1, 100_000_000)]).depth(1, 0), 1);
    }

    #[test]
    fn short_tasks_are_given_ahead_for_two_fifths_of_a_millisecond() {
        assert_eq!(after(&[(1, 1_000)]).depth(1, MANY), 401);
        assert_eq!(after(&[(1, 0)]).depth(1, MANY), MOST_AHEAD);
    }

    #[test]
    fn more_is_given_ahead_in_a_series_that_has_gone_on_for_long() {
        assert_eq!(after(&[(100, 1_000_000)]).depth(1, MANY), 41);
        assert_eq!(after(&[(400, 4_000_000)]).depth(1, MANY), 101);
        assert_eq!(after(&[(4_000, 40_000_000)]).depth(1, MANY), 201);
    }

    #[test]
    fn the_share_of_what_is_left_decides_between_the_limits() {
        assert_eq!(after(&[(1, 1_000)]).depth(1, 77), 77);
        assert_eq!(after(&[(1, 1_000)]).depth(1, 0), 41);
    }

    #[test]
    fn a_slow_first_task_is_soon_outweighed() {
        let cold = [(1, 30_000), (7, 700), (60, 6_000)];
        assert!(after(&cold).depth(1, MANY) > 300);
    }

    #[test]
    fn one_long_task_ends_the_belief_in_short_ones() {
        assert_eq!(after(&[(1_000, 100_000), (1, 5_000_000)]).depth(1, MANY), 1);
    }

    #[test]
    fn a_few_long_tasks_among_short_ones_are_not_forgotten() {
        assert_eq!(after(&[(1, 100_000_000), (9, 900)]).depth(1, MANY), 1);
    }

    #[test]
    fn rubbish_does_no_harm() {
        let depth = after(&[(0, u64::MAX), (u64::MAX, u64::MAX), (0, 0)]).depth(1, MANY);
        assert!((1..=MOST_AHEAD).contains(&depth), "{depth}");
    }
}
