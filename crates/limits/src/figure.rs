//! The figures, in the order of the table.

use crate::{
    arrays, dispatch,
    goal::{Goal, Unit},
    idle, kernels, payload, single_calls, small_jobs,
    stage::Stage,
    start_up, storm, supervision,
    trouble::Result,
};

/// A number that the pools are to reach.
#[derive(Debug)]
pub struct Figure {
    /// As in configs and records.
    pub name: &'static str,
    /// What it is, for the table.
    pub title: &'static str,
    /// What it is to be.
    pub goal: Goal,
    /// What the samples of its rounds count.
    pub sample_unit: &'static str,
    /// Seconds that its rounds take where nothing presses.
    pub seconds: f64,
    pub(crate) measure: Measure,
}

type Measure = fn(&mut Stage<'_>) -> Result<()>;

const fn figure(
    name: &'static str,
    title: &'static str,
    goal: Goal,
    (sample_unit, seconds): (&'static str, f64),
    measure: Measure,
) -> Figure {
    Figure { name, title, goal, sample_unit, seconds, measure }
}

const fn at_least(value: f64) -> Goal {
    Goal::at_least(value, Unit::Times)
}

const fn at_most(value: f64) -> Goal {
    Goal::at_most(value, Unit::Times)
}

/// The figure called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|figure| figure.name == name)
}

/// Samples of tasks and calls.
const TASK: &str = "ns a task";
const CALL: &str = "ns a call";
const MILLISECONDS: &str = "ms";

/// All of them.
pub static FIGURES: &[Figure] = &[
    figure(
        "trivial-rayon",
        "shm-pool, trivial task one by one: speed against expert rayon",
        at_least(3.5),
        (TASK, 8.0),
        dispatch::shm_against_rayon,
    ),
    figure(
        "trivial-chili",
        "the same against chili's join tree",
        at_least(1.0),
        (TASK, 6.0),
        dispatch::shm_against_chili,
    ),
    figure(
        "metg-rayon",
        "shm-pool, METG(50%) ÷ expert rayon's",
        at_most(0.25),
        ("ns", 14.0),
        dispatch::shm_metg,
    ),
    figure(
        "trivial-python",
        "shm-pool, trivial task: speed against CPython's Pool.map(chunksize=1)",
        at_least(4_000.0),
        (TASK, 6.0),
        dispatch::shm_against_python,
    ),
    figure(
        "call-spin",
        "shm-pool, single call back to back ÷ bare spinning hand-over",
        at_most(2.5),
        (CALL, 6.0),
        single_calls::against_spinning,
    ),
    figure(
        "call-idle",
        "shm-pool, single call from idle ÷ bare futex round trip across cores",
        at_most(1.15),
        (CALL, 6.0),
        single_calls::from_idle,
    ),
    figure(
        "small-job",
        "smallest job worth two cores, shm-pool back to back",
        Goal::at_most(1.0, Unit::Microseconds),
        ("ns of serial work", 6.0),
        small_jobs::smallest,
    ),
    figure(
        "small-job-rayon",
        "the same ÷ expert rayon's",
        at_most(0.01),
        ("ns of serial work", 16.0),
        small_jobs::against_rayon,
    ),
    figure(
        "pipe-trivial-rayon",
        "pipe-pool, trivial task one by one: time ÷ expert rayon's",
        at_most(1.5),
        (TASK, 8.0),
        dispatch::pipe_against_rayon,
    ),
    figure(
        "pipe-metg-crossbeam",
        "pipe-pool, METG(50%) ÷ a crossbeam-channel pool's",
        at_most(0.2),
        ("ns", 14.0),
        dispatch::pipe_metg,
    ),
    figure(
        "pipe-call",
        "pipe-pool, single call ÷ bare pipe round trip",
        at_most(1.15),
        (CALL, 6.0),
        single_calls::against_pipe,
    ),
    figure(
        "payload-array",
        "pipe-pool, 64 MiB of an array: bandwidth ÷ the best bare pipe's",
        at_least(0.85),
        (MILLISECONDS, 8.0),
        payload::array_against_pipe,
    ),
    figure(
        "payload-apply",
        "pipe-pool, 64 MiB argument of a call: bandwidth ÷ the best bare pipe's",
        at_least(0.85),
        (MILLISECONDS, 8.0),
        payload::argument_against_pipe,
    ),
    figure(
        "payload-python",
        "pipe-pool, 64 MiB payload: speed against CPython's Connection",
        at_least(4.0),
        (MILLISECONDS, 6.0),
        payload::against_python,
    ),
    figure(
        "arrays-square",
        "square of 10⁷ numbers: shm-pool's speed ÷ threads'",
        at_least(0.97),
        (MILLISECONDS, 6.0),
        arrays::square,
    ),
    figure(
        "arrays-cube",
        "cube of 10⁷ numbers: shm-pool's speed ÷ threads'",
        at_least(0.97),
        (MILLISECONDS, 6.0),
        arrays::cube,
    ),
    figure(
        "efficiency-shm",
        "shm-pool, efficiency of two workers, tasks of 1 µs",
        at_least(0.97),
        (TASK, 6.0),
        dispatch::shm_efficiency,
    ),
    figure(
        "efficiency-pipe",
        "pipe-pool, efficiency of two workers, tasks of 10 µs",
        at_least(0.95),
        (TASK, 6.0),
        dispatch::pipe_efficiency,
    ),
    figure(
        "start-fork",
        "pool of two up and first map done: speed against CPython, fork",
        at_least(10.0),
        (MILLISECONDS, 5.0),
        start_up::fork,
    ),
    figure(
        "start-forkserver",
        "the same, forkserver",
        at_least(30.0),
        (MILLISECONDS, 6.0),
        start_up::fork_server,
    ),
    figure("start-spawn", "the same, spawn", at_least(30.0), (MILLISECONDS, 7.0), start_up::spawn),
    figure(
        "start-large",
        "start-up with 1 GiB touched in the parent ÷ with little, spawn and forkserver",
        at_most(1.1),
        (MILLISECONDS, 12.0),
        start_up::large_parent,
    ),
    figure(
        "kernel-sum",
        "sum of squares: speed ÷ the best hand-written intrinsics'",
        at_least(0.9),
        ("ns an element", 4.0),
        kernels::sum_of_squares,
    ),
    figure(
        "kernel-square",
        "square: speed ÷ the best hand-written intrinsics'",
        at_least(0.9),
        ("ns an element", 5.0),
        kernels::square,
    ),
    figure(
        "kernel-cube",
        "cube: speed ÷ the best hand-written intrinsics'",
        at_least(0.9),
        ("ns an element", 5.0),
        kernels::cube,
    ),
    figure(
        "idle",
        "idle pool after 5 ms: processor time",
        Goal::at_most(0.1, Unit::PercentOfACore),
        ("% of a core", 8.0),
        idle::processor_time,
    ),
    figure(
        "idle-wakeups",
        "idle pool after 5 ms: wake-ups in a second",
        Goal::at_most(0.0, Unit::Count),
        ("wake-ups", 8.0),
        idle::wake_ups,
    ),
    figure(
        "oversubscribed",
        "8 workers on 2 cores: throughput ÷ that of 2 workers",
        at_least(0.9),
        (TASK, 8.0),
        dispatch::oversubscribed,
    ),
    figure(
        "supervision",
        "supervision on ÷ off, tasks of 100 ns",
        at_most(1.03),
        (TASK, 6.0),
        supervision::on_against_off,
    ),
    figure(
        "kill-storm",
        "kill storm of the reliability suite: failures",
        Goal::at_most(0.0, Unit::Count),
        ("failures", 15.0),
        storm::failures,
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_find_their_figure() {
        let names: BTreeSet<&str> = FIGURES.iter().map(|figure| figure.name).collect();
        assert_eq!(names.len(), FIGURES.len());
        for name in names {
            assert_eq!(find(name).map(|figure| figure.name), Some(name));
        }
    }

    #[test]
    fn all_figures_together_take_less_than_five_minutes_of_rounds() {
        let seconds: f64 = FIGURES.iter().map(|figure| figure.seconds).sum();
        assert!(seconds < 300.0, "{seconds}");
    }
}
