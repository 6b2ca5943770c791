//! What the report claims, and what it does not.

use harness::{Configuration, Job, Workload};
use report::analyse;

use crate::synthetic::{Synthetic, configuration, configurations, whole_sweep};

fn headline(job: Job, all: &[Configuration], rounds: u32) -> String {
    let mut sweep = Synthetic::new(9);
    sweep.rounds = rounds;
    sweep.incarnations = sweep.incarnations.min(rounds);
    sweep.block("speed-up", "block", job, all);
    let report = analyse(&sweep.finish());
    [Some(report.headline), report.headline_detail]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
}

const LARGE: Job = Job { workload: Workload::SumOfSquares, tasks: 64, task_size: 16_000_000 };
const SMALL: Job = Job { workload: Workload::Square, tasks: 64, task_size: 16 };

#[test]
fn the_headline_names_job_winner_speed_up_and_from_where_processes_pay() {
    let report = analyse(&whole_sweep(1));
    let (headline, detail) = (report.headline, report.headline_detail.unwrap());
    assert!(headline.starts_with("For sum of squares with tasks of 26"), "{headline}");
    assert!(headline.contains("2 workers, 2.0"), "{headline}");
    assert!(!headline.contains("told apart") && headline.ends_with(')'), "{headline}");
    assert!(detail.starts_with("Cannot be told apart from"), "{detail}");
    assert!(detail.contains("; processes pay from tasks of"), "{detail}");
    assert!(detail.contains("in jobs of 2\u{a0}000 tasks on a running pool"), "{detail}");
}

#[test]
fn equals_are_not_ranked() {
    let all = [
        Configuration::serial(),
        configuration("rayon", 2),
        configuration("shm-pool/fork", 2),
        configuration("pipe-pool/fork", 2),
    ];
    let headline = headline(LARGE, &all, 24);
    assert!(headline.contains("Cannot be told apart from"), "{headline}");
}

#[test]
fn a_clear_winner_stands_alone() {
    let all = [
        Configuration::serial(),
        configuration("shm-pool/fork", 2),
        configuration("pipe-pool/fork", 2),
    ];
    let job = Job { workload: Workload::Square, tasks: 64, task_size: 16_384 };
    let headline = headline(job, &all, 24);
    assert!(headline.contains("shm-pool/fork, 2 workers, 1.9"), "{headline}");
    assert!(!headline.contains("told apart"), "{headline}");
    // 0.6 ns a byte against 0.1 ns, both on two workers.
    assert!(headline.contains("The runner-up, pipe-pool/fork, takes "), "{headline}");
    assert!(headline.contains("as long, 2 comparisons allowed for"), "{headline}");
}

/// In how many of 200 sweeps of `equals` and serial the verdict is wrong.
fn wrong_verdicts(equals: &[&str], is_wrong: impl Fn(&str) -> bool) -> usize {
    let mut all = vec![Configuration::serial()];
    all.extend(equals.iter().map(|name| configuration(name, 2)));
    let verdict = |seed: u64| {
        let mut sweep = Synthetic::new(seed);
        sweep.incarnations = 4;
        sweep.block("speed-up", "block", LARGE, &all);
        analyse(&sweep.finish()).experiments.remove(0).verdicts.remove(0)
    };
    (0..200).filter(|&seed| is_wrong(&verdict(seed))).count()
}

#[test]
fn of_equals_none_is_ahead_of_any_other_more_often_than_one_time_in_twenty() {
    let equals = ["shm-pool/fork", "shm-pool/forkserver", "shm-pool/spawn"];
    let wrong = wrong_verdicts(&equals, |verdict| {
        let tied = verdict.split("cannot be told apart from ").nth(1);
        tied.is_none_or(|tied| !tied.contains(" and "))
    });
    assert!(wrong <= 10, "{wrong} of 200");
}

#[test]
fn who_is_truly_the_quickest_is_named_or_tied_nineteen_times_in_twenty() {
    let equals = ["shm-pool/fork", "shm-pool/forkserver", "shm-pool/spawn", "threads"];
    let left_out = wrong_verdicts(&equals, |verdict| {
        !verdict.replace("shm-pool/forkserver", "").contains("shm-pool/fork")
    });
    assert!(left_out <= 10, "{left_out} of 200");
}

#[test]
fn who_is_too_unsteady_to_tell_does_not_hide_who_is_faster_than_serial() {
    let mut sweep = Synthetic::new(9);
    let (unsteady, steady) = (configuration("rayon", 2), configuration("threads", 2));
    sweep.unsteady.push(unsteady.clone());
    let all = [Configuration::serial(), unsteady, steady];
    sweep.block("speed-up", "block", LARGE, &all);
    let report = analyse(&sweep.finish());
    let speed_up = |place: usize| {
        report.experiments[0].blocks[0].cells[place].figures().unwrap().speed_up.unwrap().value
    };
    assert!(speed_up(1) > speed_up(2), "the unsteady one is ahead");
    assert!(report.headline.contains("threads, 2 workers, 2.0"), "{}", report.headline);
    assert_eq!(report.headline_detail.as_deref(), Some("Cannot be told apart from rayon."));
}

#[test]
fn arrays_for_which_there_was_no_memory_hide_no_smaller_one() {
    let mut sweep = Synthetic::new(9);
    let job = |task_size| Job { workload: Workload::Square, tasks: 64, task_size };
    sweep.block("payload", "small", job(16_384), &configurations(&[2]));
    sweep.block("payload", "large", job(524_288), &[Configuration::serial()]);
    let verdict = analyse(&sweep.finish()).experiments.remove(0).verdicts.remove(0);
    assert!(verdict.starts_with("For square over an array of 8.00\u{a0}MiB: "), "{verdict}");
}

#[test]
fn more_workers_than_cores_are_not_what_pays() {
    let mut sweep = Synthetic::new(9);
    for task_size in [10, 1_000, 100_000] {
        let job = Job { workload: Workload::SumOfSquares, tasks: 2_000, task_size };
        let all = [
            Configuration::serial(),
            configuration("threads", 2),
            configuration("shm-pool/fork", 4),
        ];
        sweep.block("granularity", &task_size.to_string(), job, &all);
    }
    let verdicts = analyse(&sweep.finish()).experiments.remove(0).verdicts.join(" ");
    assert!(!verdicts.contains("shm-pool"), "{verdicts}");
}

#[test]
fn serial_wins_small_jobs() {
    let headline = headline(SMALL, &configurations(&[2]), 24);
    assert!(headline.contains("serial wins"), "{headline}");
}

#[test]
fn one_worker_is_not_clearly_faster_than_serial() {
    let all = [Configuration::serial(), configuration("threads", 1)];
    let headline = headline(LARGE, &all, 24);
    assert!(headline.contains("nothing is clearly faster than serial"), "{headline}");
}

#[test]
fn four_rounds_are_too_few_to_tell() {
    let headline = headline(LARGE, &configurations(&[2]), 4);
    assert!(headline.contains("too few rounds (4)"), "{headline}");
}

#[test]
fn the_order_of_start_methods_is_told_with_their_times() {
    let report = analyse(&whole_sweep(1));
    let starts = report.experiments.iter().find(|e| e.name == "start-methods").unwrap();
    let verdict = &starts.verdicts[0];
    for part in ["With 1 worker,", "fork 36", "forkserver 4", "spawn 1."] {
        assert!(verdict.contains(part), "{part} in {verdict}");
    }
}

fn start_methods(all: &[Configuration], task_size: usize) -> String {
    let mut sweep = Synthetic::new(9);
    let job = Job { workload: Workload::SumOfSquares, tasks: 4, task_size };
    sweep.block("start-methods", "block", job, all);
    analyse(&sweep.finish()).experiments[0].verdicts[0].clone()
}

#[test]
fn no_pool_is_praised_where_serial_has_the_shorter_cycle() {
    let all = [Configuration::serial(), configuration("threads", 1), configuration("rayon", 1)];
    let verdict = start_methods(&all, 1_000);
    assert!(verdict.starts_with("With 1 worker, serial (no pool at all) has the shortest"));
    assert!(verdict.contains("The quickest pool is"), "{verdict}");
}

#[test]
fn equal_cycles_are_not_ranked() {
    let all = configurations(&[2]);
    let verdict = start_methods(&all, 400_000_000);
    assert!(verdict.contains("has the shortest whole cycle"), "{verdict}");
    assert!(verdict.contains("cannot be told apart from"), "{verdict}");
    assert!(verdict.contains("Process pools at best: fork"), "{verdict}");
    let all = [Configuration::serial(), configuration("threads", 1)];
    let verdict = start_methods(&all, 400_000_000);
    assert!(verdict.contains("no pool has a clearly shorter whole cycle"), "{verdict}");
}

#[test]
fn arrays_that_pay_are_told_for_each_workload() {
    let report = analyse(&whole_sweep(1));
    let payload = report.experiments.iter().find(|e| e.name == "payload").unwrap();
    for workload in ["square", "cube"] {
        let opening = format!("For {workload}, processes pay from arrays of ");
        let told = payload.verdicts.iter().filter(|verdict| verdict.starts_with(&opening));
        assert_eq!(told.count(), 1, "{:?}", payload.verdicts);
    }
}
