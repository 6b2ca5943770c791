//! The event queue.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, VecDeque},
};

use super::{Costs, Job, Outcome};

/// Two periods that differ by less than this share are the same: sums of
/// nanoseconds in other orders differ in their last bits.
const SAME: f64 = 1e-9;

/// Simulates `job` with tasks of `task_ns`, event by event.
///
/// An event is a worker that asks for its next task. Once every worker's last
/// two turns lay equally far apart, all further turns do, as the queue then is
/// what it was, only later; whole rounds of those are added instead of played.
///
/// The model is a closed queueing network of one server, with constant times
/// and as many customers as workers; Denning and Buzen, "The Operational
/// Analysis of Queueing Network Models", ACM Computing Surveys 10 (1978).
#[must_use]
pub fn simulate(costs: &Costs, job: &Job, task_ns: f64) -> Outcome {
    let mut queue = Queue::new(costs, job, task_ns);
    while queue.tasks_left > 0 {
        queue.serve_next();
        if queue.is_periodic() {
            queue.skip_rounds();
        }
    }
    let wall_ns = queue.last_done_ns();
    let work_ns = task_ns * job.tasks.get() as f64;
    let spent_ns = wall_ns * job.workers.get() as f64;
    Outcome { wall_ns, efficiency: if spent_ns > 0.0 { work_ns / spent_ns } else { 1.0 } }
}

/// A worker asks for its next task.
#[derive(Clone, Copy, PartialEq)]
struct Request {
    at_ns: f64,
    worker: usize,
}

impl Eq for Request {}

impl Ord for Request {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at_ns.total_cmp(&other.at_ns).then(self.worker.cmp(&other.worker))
    }
}

impl PartialOrd for Request {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

struct Queue {
    /// One for each worker, the earliest on top.
    requests: BinaryHeap<Reverse<Request>>,
    tasks_left: usize,
    /// From when on the shared resource is free.
    free_ns: f64,
    shared_ns: f64,
    private_ns: f64,
    /// When the last tasks were served, one for each worker; oldest first.
    served_ns: VecDeque<f64>,
    /// How long before the last task the one a round earlier was served.
    period_ns: f64,
    /// Tasks in a row with that period.
    repeated: usize,
}

impl Queue {
    fn new(costs: &Costs, job: &Job, task_ns: f64) -> Self {
        // Who gets no task changes nothing.
        let workers = job.workers.get().min(job.tasks.get());
        let request = |worker| Reverse(Request { at_ns: costs.wake_ns, worker });
        Self {
            requests: (0..workers).map(request).collect(),
            tasks_left: job.tasks.get(),
            free_ns: 0.0,
            shared_ns: costs.shared_ns(job),
            private_ns: costs.claim_ns + task_ns,
            served_ns: VecDeque::with_capacity(workers),
            period_ns: f64::NAN,
            repeated: 0,
        }
    }

    /// Serves who asked first; when its task is done, it asks again.
    fn serve_next(&mut self) {
        let mut first = self.requests.peek_mut().expect("there are tasks, so there are workers");
        let served_ns = first.0.at_ns.max(self.free_ns);
        self.free_ns = served_ns + self.shared_ns;
        first.0.at_ns = self.free_ns + self.private_ns;
        drop(first);
        self.tasks_left -= 1;
        self.remember(served_ns);
    }

    /// When the last task was done: then its worker asked again, in vain.
    fn last_done_ns(&self) -> f64 {
        self.requests.iter().map(|Reverse(request)| request.at_ns).fold(0.0, f64::max)
    }

    fn remember(&mut self, served_ns: f64) {
        let workers = self.requests.len();
        if self.served_ns.len() == workers
            && let Some(a_round_ago) = self.served_ns.pop_front()
        {
            let period_ns = served_ns - a_round_ago;
            let same = (period_ns - self.period_ns).abs() <= SAME * period_ns;
            self.repeated = if same { self.repeated + 1 } else { 1 };
            self.period_ns = period_ns;
        }
        self.served_ns.push_back(served_ns);
    }

    fn is_periodic(&self) -> bool {
        self.repeated >= self.requests.len()
    }

    /// Moves everything on by as many whole rounds as there are tasks for.
    fn skip_rounds(&mut self) {
        let workers = self.requests.len();
        let skipped_ns = (self.tasks_left / workers) as f64 * self.period_ns;
        self.tasks_left %= workers;
        self.free_ns += skipped_ns;
        let later = |Reverse(request): Reverse<Request>| {
            Reverse(Request { at_ns: request.at_ns + skipped_ns, ..request })
        };
        self.requests = std::mem::take(&mut self.requests).into_iter().map(later).collect();
        self.served_ns.iter_mut().for_each(|served_ns| *served_ns += skipped_ns);
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    fn job(workers: usize, tasks: usize) -> Job {
        Job {
            workers: workers.try_into().unwrap(),
            tasks: tasks.try_into().unwrap(),
            task_bytes: 0.0,
        }
    }

    fn wall_ns(costs: Costs, workers: usize, tasks: usize, task_ns: f64) -> f64 {
        simulate(&costs, &job(workers, tasks), task_ns).wall_ns
    }

    #[test]
    fn without_costs_every_worker_is_busy_to_the_end() {
        for workers in [1, 2, 8, 1024] {
            let outcome = simulate(&Costs::default(), &job(workers, 10 * workers), 7.0);
            assert_eq!(outcome, Outcome { wall_ns: 70.0, efficiency: 1.0 });
        }
    }

    #[test]
    fn tasks_that_do_not_divide_among_the_workers_leave_some_idle() {
        // 3 workers, 10 tasks of 5: three rounds of three, and one more.
        let outcome = simulate(&Costs::default(), &job(3, 10), 5.0);
        assert_eq!(outcome.wall_ns, 20.0);
        assert!((outcome.efficiency - 10.0 / 12.0).abs() < 1e-12);
        // More workers than tasks are no help.
        assert_eq!(wall_ns(Costs::default(), 64, 10, 5.0), 5.0);
    }

    #[test]
    fn a_private_cost_makes_every_task_longer_and_wakes_delay_all_once() {
        let costs = Costs { claim_ns: 3.0, wake_ns: 40.0, ..Costs::default() };
        assert_eq!(wall_ns(costs, 4, 20, 7.0), 40.0 + 5.0 * 10.0);
    }

    #[test]
    fn a_shared_cost_bounds_throughput_however_many_workers_there_are() {
        let costs = Costs { dispatch_ns: 2.0, ..Costs::default() };
        // One worker pays for all; 5 are enough for tasks of 8; 50 only wait.
        assert_eq!(wall_ns(costs, 1, 100, 8.0), 1000.0);
        assert_eq!(wall_ns(costs, 5, 100, 8.0), 100.0 * 2.0 + 8.0);
        assert_eq!(wall_ns(costs, 50, 100, 8.0), 100.0 * 2.0 + 8.0);
    }

    #[test]
    fn workers_take_turns_at_what_they_share() {
        // Served at 0, 1, 10 + 1, …: the second worker starts a turn later.
        let costs = Costs { dispatch_ns: 1.0, ..Costs::default() };
        assert_eq!(wall_ns(costs, 2, 2, 9.0), 11.0);
        assert_eq!(wall_ns(costs, 2, 3, 9.0), 20.0);
        assert_eq!(wall_ns(costs, 2, 4, 9.0), 21.0);
    }

    #[test]
    fn a_copy_costs_by_the_byte_and_only_one_worker_at_a_time() {
        let costs = Costs { copy_ns_per_byte: 0.5, ..Costs::default() };
        let job = Job { task_bytes: 20.0, ..job(4, 100) };
        assert_eq!(simulate(&costs, &job, 5.0).wall_ns, 100.0 * 10.0 + 5.0);
    }

    /// The same job without the queue: in a network of one server and constant
    /// times, task j is served no sooner than one turn of the server after
    /// task j − 1, and one whole cycle after task j − P.
    fn recurrence(costs: &Costs, job: &Job, task_ns: f64) -> f64 {
        let (shared, workers) = (costs.shared_ns(job), job.workers.get());
        let cycle = shared + costs.claim_ns + task_ns;
        let mut served: Vec<f64> = Vec::new();
        for index in 0..job.tasks.get() {
            let after_last = served.last().map_or(costs.wake_ns, |last| last + shared);
            let after_own = index.checked_sub(workers).map_or(0.0, |own| served[own] + cycle);
            served.push(after_last.max(after_own));
        }
        served.last().unwrap() + cycle
    }

    #[test]
    fn skipped_rounds_are_as_long_as_played_ones() {
        let mut rng = Pcg64Mcg::seed_from_u64(5);
        for _ in 0..300 {
            let mut cost = |largest: f64| rng.random::<f64>() * largest;
            let costs = Costs {
                dispatch_ns: cost(50.0),
                claim_ns: cost(100.0),
                wake_ns: cost(10_000.0),
                copy_ns_per_byte: cost(1.0),
            };
            let (task_ns, task_bytes) = (cost(1_000.0), cost(64.0));
            let workers = 1 + cost(60.0) as usize;
            let job = Job { task_bytes, ..job(workers, 1 + cost(3_000.0) as usize) };
            let (wall, expected) =
                (simulate(&costs, &job, task_ns).wall_ns, recurrence(&costs, &job, task_ns));
            assert!((wall / expected - 1.0).abs() < 1e-7, "{wall} for {expected}: {job:?}");
        }
    }

    #[test]
    fn a_job_that_takes_no_time_is_ideal() {
        assert_eq!(simulate(&Costs::default(), &job(2, 5), 0.0).efficiency, 1.0);
    }
}
