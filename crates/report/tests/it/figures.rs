//! The figures that go into a sweep come out of its report.

use harness::{Configuration, FailureKind, Job, Workload};
use report::{
    Report, analyse,
    model::{Cell, Fit, Outcome},
};
use stats::{BreakEven, Metg};

use crate::synthetic::{self, CORES, STRATEGIES, Synthetic, configuration, configurations, run_ns};

fn cell<'a>(report: &'a Report, block: &str, configuration: &Configuration) -> &'a Cell {
    let blocks = report.experiments.iter().flat_map(|experiment| &experiment.blocks);
    let block = blocks.into_iter().find(|b| b.block == block).unwrap();
    block.cells.iter().find(|cell| cell.configuration == *configuration).unwrap()
}

#[test]
fn speed_ups_are_those_of_the_cost_model() {
    let report = analyse(&synthetic::whole_sweep(5));
    for name in STRATEGIES {
        let configuration = configuration(name, if name == "serial" { 1 } else { CORES });
        let cell = cell(&report, "speed-up/cube", &configuration);
        let job = Job { workload: Workload::Cube, tasks: 64, task_size: 16_384 };
        let expected = run_ns(&Configuration::serial(), job) / run_ns(&configuration, job);
        let measured = cell.figures().unwrap().speed_up.unwrap().value;
        assert!((measured / expected - 1.0).abs() < 0.03, "{name}: {measured}, not {expected}");
    }
}

#[test]
fn contaminated_rounds_are_left_out_while_enough_clean_ones_remain() {
    let mut sweep = Synthetic::new(2);
    sweep.contaminated = 0.25;
    sweep.speed_up();
    let report = analyse(&sweep.finish());
    for block in &report.experiments[0].blocks {
        assert!(block.contaminated_rounds > 0);
        for cell in &block.cells {
            assert_eq!(cell.counts.used, block.rounds - block.contaminated_rounds);
            assert!(!cell.counts.contaminated_used);
        }
    }
}

#[test]
fn contaminated_rounds_are_used_and_marked_when_there_is_nothing_better() {
    let mut sweep = Synthetic::new(2);
    sweep.contaminated = 1.0;
    sweep.speed_up();
    let report = analyse(&sweep.finish());
    let cell = cell(&report, "speed-up/cube", &configuration("rayon", 2));
    assert_eq!(cell.counts.used, cell.counts.measured);
    assert!(cell.counts.contaminated_used);
    assert!(report::terminal::render(&report, 80, false).contains("! contaminated rounds"));
}

#[test]
fn one_failed_sample_makes_a_failed_cell() {
    let report = analyse(&synthetic::whole_sweep(1));
    let cell = cell(&report, "speed-up/square", &configuration("threads", 4));
    let Outcome::Failed { failure } = &cell.outcome else { panic!("{:?}", cell.outcome) };
    assert_eq!(failure.kind, FailureKind::WorkerDied);
    assert_eq!(cell.counts.measured, 0);
}

#[test]
fn metg_is_twice_the_overhead_of_a_task() {
    let report = analyse(&synthetic::whole_sweep(5));
    let granularity = report.experiments.iter().find(|e| e.name == "granularity").unwrap();
    let finding =
        granularity.granularity.iter().find(|f| f.configuration.strategy.backend == "threads");
    let Metg::At { granularity_ns } = finding.unwrap().metg else { panic!("{finding:?}") };
    // 60 ns a task and 9 µs a job of 2 000 tasks, against 1.5 ns of serial dispatch.
    assert!((granularity_ns.value / 138.0 - 1.0).abs() < 0.1, "{granularity_ns:?}");
    assert!(granularity_ns.interval().is_some());
}

#[test]
fn processes_in_shared_memory_pay_from_the_size_that_the_cost_model_says() {
    let report = analyse(&synthetic::whole_sweep(5));
    let payload = report.experiments.iter().find(|e| e.name == "payload").unwrap();
    let finding = payload
        .payload
        .iter()
        .find(|f| f.configuration == configuration("shm-pool/fork", 2))
        .unwrap();
    // A job costs 6 µs, and half of 0.2 ns an element is saved: 60 000 elements.
    let BreakEven::From { size } = finding.against_serial else { panic!("{finding:?}") };
    assert!((200e3..1_200e3).contains(&size.value), "{size:?}");
}

#[test]
fn two_cores_identify_a_karp_flatt_figure_but_no_model() {
    let report = analyse(&synthetic::whole_sweep(5));
    for finding in &report.experiments[0].scaling {
        assert_eq!(finding.serial_fractions.len(), 1);
        assert!(matches!(&finding.amdahl, Fit::Refused(why) if why.contains("Amdahl")));
        assert!(matches!(&finding.usl, Fit::Refused(_)));
    }
}

#[test]
fn of_several_jobs_of_a_workload_laws_are_fitted_to_the_largest() {
    let sizes = [100, 16_384];
    let finding = |sizes: &[usize]| {
        let mut sweep = Synthetic::new(5);
        // There is no memory for anything but serial with the largest of all.
        let none = Job { workload: Workload::Cube, tasks: 64, task_size: 1 << 20 };
        sweep.block("speed-up", "none", none, &[Configuration::serial()]);
        for &task_size in sizes {
            let job = Job { workload: Workload::Cube, tasks: 64, task_size };
            sweep.block("speed-up", &task_size.to_string(), job, &configurations(&[1, 2]));
        }
        let report = analyse(&sweep.finish());
        let text = report::markdown::render(&report, &report::plots(&report));
        (report.experiments[0].scaling[0].serial_fractions.clone(), text)
    };
    let (fractions, text) = finding(&sizes);
    let (of_small, _) = finding(&sizes[..1]);
    assert_eq!(fractions.len(), 1);
    let (at, small) = (fractions[0].serial_fraction.value, of_small[0].serial_fraction.value);
    assert!(at < 0.2 && small > 0.8, "{at}, {small}");
    assert!(
        text.contains("Of the largest tasks that were measured, 16\u{a0}384 elements"),
        "{text}"
    );
}

#[test]
fn without_a_baseline_there_is_no_speed_up() {
    let mut sweep = Synthetic::new(1);
    let job = Job { workload: Workload::Cube, tasks: 8, task_size: 100 };
    sweep.block("speed-up", "cube", job, &configurations(&[2])[1..]);
    let report = analyse(&sweep.finish());
    let cell = cell(&report, "speed-up/cube", &configuration("rayon", 2));
    assert_eq!(cell.figures().unwrap().speed_up, None);
    assert!(report.headline.contains("no baseline"));
}

#[test]
fn a_job_without_tasks_gives_no_infinite_figures() {
    let mut sweep = Synthetic::new(1);
    for (name, tasks, task_size) in [("no-tasks", 0, 10), ("no-elements", 10, 0)] {
        let job = Job { workload: Workload::Square, tasks, task_size };
        sweep.block("granularity", name, job, &configurations(&[2]));
        sweep.block("payload", name, job, &configurations(&[2]));
    }
    let report = analyse(&sweep.finish());
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    assert!(report::plots(&report).iter().all(|plot| !plot.svg.contains("NaN")));
}

#[test]
fn a_sweep_is_complete_only_when_every_planned_block_has_ended() {
    let mut data = synthetic::whole_sweep(1);
    assert!(analyse(&data).complete);
    data.planned_blocks += 1;
    assert!(!analyse(&data).complete);
}
