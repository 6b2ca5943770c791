//! What is foretold for more cores, and that it is never taken for measured.

use harness::{Job, Workload, record::Record};
use report::{
    Report, analyse,
    model::{Fit, Foretold, Outcome, PredictionFinding},
};
use serde_json::Value;
use stats::Metg;

use crate::synthetic::{self, CORES, STRATEGIES, Synthetic};

fn findings(report: &Report) -> &[PredictionFinding] {
    let of_any = report.experiments.iter().map(|experiment| experiment.predictions.as_slice());
    of_any.max_by_key(|predictions| predictions.len()).unwrap()
}

fn foretold<'a>(report: &'a Report, strategy: &str) -> &'a Foretold {
    let finding = findings(report).iter().find(|f| f.strategy.to_string() == strategy).unwrap();
    match &finding.prediction {
        Fit::Fitted(foretold) => foretold,
        Fit::Refused(why) => panic!("{strategy}: {why}"),
    }
}

/// What a terminal shows, wherever its lines end.
fn words(report: &Report) -> String {
    let terminal = report::terminal::render(report, 80, false);
    terminal.split([' ', '\n']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_costs_that_a_sweep_was_made_with_are_found_again_and_tell_more_cores() {
    let report = analyse(&synthetic::whole_sweep(1));
    assert_eq!(findings(&report).len(), STRATEGIES.len() - 1);
    for (strategy, wake_ns, claim_ns) in
        [("threads", 9_000.0, 60.0), ("rayon", 17_000.0, 12.0), ("shm-pool/fork", 6_000.0, 3.5)]
    {
        let foretold = foretold(&report, strategy);
        let costs = foretold.model.costs;
        assert!((costs.wake_ns / wake_ns - 1.0).abs() < 0.2, "{strategy}: {costs:?}");
        let errors = foretold.model.check.jobs.unwrap();
        assert!(errors.median < 0.1, "{strategy}: {errors:?}");
        // Nothing is shared in these, which the range has to allow for: a task
        // of its overhead keeps half the efficiency however many workers.
        let overhead_ns = claim_ns + wake_ns / foretold.tasks_per_worker as f64;
        let metg = foretold.at.last().unwrap().metg_ns.unwrap();
        assert!(metg.low < 2.5 * overhead_ns && metg.low <= metg.value, "{strategy}: {metg:?}");
    }
    let pipes = foretold(&report, "pipe-pool/fork").model.costs;
    assert!((pipes.copy_ns_per_byte / 0.6 - 1.0).abs() < 0.2, "{pipes:?}");
}

#[test]
fn only_worker_counts_beyond_the_cores_are_marked_as_such() {
    let report = analyse(&synthetic::whole_sweep(1));
    let at = &foretold(&report, "rayon").at;
    let workers: Vec<usize> = at.iter().map(|at| at.workers).collect();
    assert_eq!(workers, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]);
    assert!(at.iter().all(|at| at.beyond_cores == (at.workers > CORES)));
    assert!(at.iter().all(|at| at.efficiency.low <= at.efficiency.value));
}

#[test]
fn every_table_and_plot_of_predictions_says_that_it_is_one() {
    let report = analyse(&synthetic::whole_sweep(1));
    let plots = report::plots(&report);
    let predicted = plots.iter().filter(|plot| plot.name.ends_with("-predicted"));
    assert_eq!(predicted.clone().count(), 2);
    for plot in predicted {
        assert!(plot.title.contains("PREDICTED"));
        assert!(plot.description.starts_with("Predicted by simulation, not measured."));
        assert!(plot.svg.contains("this machine has no such cores"));
    }
    let tables = report::markdown::render(&report, &plots);
    let of_many = tables.split("\n### ").filter(|table| table.contains("| 1\u{a0}024 |"));
    assert!(of_many.clone().count() >= 2);
    for table in of_many {
        assert!(table.lines().next().unwrap().contains("redicted") && table.contains("PREDICTED"));
    }
    let terminal = words(&report);
    assert!(terminal.contains("PREDICTED with w=1\u{a0}024") && terminal.contains("off by"));
    assert!(terminal.contains("No prediction for more workers"));
}

/// A sweep like the default one on `cores` cores: speed-ups by `speed_up` workers,
/// everything else by those of `others`.
fn sweep_on(cores: usize, speed_up: &[usize], others: &[usize]) -> Report {
    let mut sweep = Synthetic::new(1);
    let job = |workload, tasks, task_size| Job { workload, tasks, task_size };
    let large = job(Workload::SumOfSquares, 64, 4_000_000);
    sweep.block("speed-up", "sum", large, &synthetic::configurations(speed_up));
    for task_size in [10, 100, 1_000, 100_000] {
        let small = job(Workload::SumOfSquares, 1_000, task_size);
        let all = synthetic::configurations(others);
        sweep.block("granularity", &task_size.to_string(), small, &all);
    }
    let mut data = sweep.finish();
    for record in &mut data.records {
        if let Record::Block(block) = record {
            block.available_cores = cores;
        }
    }
    analyse(&data)
}

#[test]
fn why_no_prediction_could_be_held_against_a_measurement_is_told_as_it_is() {
    // Small tasks by the most workers only tell nothing about fewer.
    let refused = words(&sweep_on(4, &[1, 2, 4], &[4]));
    assert!(
        refused.contains(
            "could be held against a measurement: without the jobs of the most workers, what \
             waking costs cannot be told from these times: it takes jobs of few and of many tasks."
        ),
        "{refused}"
    );
    assert!(!refused.contains("fewer than three worker counts"));
    let told = words(&sweep_on(4, &[1, 2, 4], &[2, 4]));
    assert!(told.contains("predicted from fewer: off by") && !told.contains("No prediction"));
    let two = words(&sweep_on(2, &[1, 2], &[2]));
    assert!(two.contains("measurement: fewer than three worker counts have cores here."), "{two}");
}

#[test]
fn a_task_of_two_experiments_is_one_task() {
    let mut sweep = Synthetic::new(1);
    let job = |tasks, task_size| Job { workload: Workload::SumOfSquares, tasks, task_size };
    for (kind, tasks) in [("granularity", 1_000), ("speed-up", 64)] {
        for task_size in [10, 1_000] {
            let all = synthetic::configurations(&[1, 2]);
            sweep.block(kind, &task_size.to_string(), job(tasks, task_size), &all);
        }
    }
    let report = analyse(&sweep.finish());
    for finding in findings(&report) {
        let Fit::Refused(why) = &finding.prediction else { panic!("{finding:?}") };
        assert!(why.contains("three sizes of tasks"), "{why}");
    }
}

#[test]
fn tables_tell_how_many_times_were_predicted_without_them() {
    let report = analyse(&synthetic::whole_sweep(1));
    let (walls, checked) = {
        let foretold = foretold(&report, "threads");
        (foretold.walls, foretold.model.check.jobs.unwrap().walls)
    };
    let tables = report::markdown::render(&report, &[]);
    assert!(tables.contains(&format!("| {walls} times | {checked} of them |")), "{tables}");
}

#[test]
fn another_workload_than_the_one_that_can_be_predicted_is_refused_with_the_reason() {
    let mut sweep = Synthetic::new(1);
    let job = Job { workload: Workload::Cube, tasks: 1_000, task_size: 100 };
    sweep.block("granularity", "cube", job, &synthetic::configurations(&[CORES]));
    let report = analyse(&sweep.finish());
    assert_eq!(findings(&report).len(), STRATEGIES.len() - 1);
    let terminal = words(&report);
    assert!(terminal.contains("Refused: tasks of cube have more bytes the longer they take"));
    assert!(report::plots(&report).iter().all(|plot| !plot.name.contains("predicted")));
}

/// The plot whose name ends so.
fn plot(report: &Report, end: &str) -> report::Plot {
    report::plots(report).into_iter().find(|plot| plot.name.ends_with(end)).unwrap()
}

#[test]
fn measurements_stand_beside_predictions_whatever_the_number_of_cores() {
    let report = sweep_on(3, &[1, 2, 3], &[2, 3]);
    let at = &foretold(&report, "threads").at;
    let workers: Vec<usize> = at.iter().map(|at| at.workers).take(4).collect();
    assert_eq!(workers, [2, 3, 4, 8]);
    assert!(at.iter().all(|at| at.beyond_cores == (at.workers > 3)));
    // Without what was measured at one such count the plots look otherwise.
    let mut without = report.clone();
    for cell in without.experiments[0].blocks.iter_mut().flat_map(|block| &mut block.cells) {
        if cell.configuration.workers.get() == 3 {
            cell.outcome = Outcome::NotMeasured;
        }
    }
    for finding in &mut without.experiments[1].granularity {
        if finding.configuration.workers.get() == 3 {
            finding.metg = Metg::NotMeasured;
        }
    }
    for end in ["sum-of-squares-predicted", "metg-predicted"] {
        assert!(plot(&report, end).svg != plot(&without, end).svg, "{end}");
    }
}

#[test]
fn a_line_of_a_law_is_of_one_law_and_has_a_gap_where_that_has_no_sense() {
    let mut report = sweep_on(8, &[1, 2, 4, 8], &[8]);
    let whole = plot(&report, "sum-of-squares-predicted");
    assert!(whole.description.contains("with 1024 by USL"), "{}", whole.description);
    for finding in &mut report.experiments[0].scaling {
        assert!(matches!((&finding.usl, &finding.amdahl), (Fit::Fitted(_), Fit::Fitted(_))));
        finding.predicted[10].usl = None;
        finding.predicted[5].usl = None;
    }
    let cut = plot(&report, "sum-of-squares-predicted");
    assert!(!cut.description.contains("Amdahl"), "{}", cut.description);
    assert!(cut.description.contains("rayon: USL has no sense with 1024"), "{}", cut.description);
    let dots = |plot: &report::Plot| plot.svg.matches(" r=\"2\"").count();
    assert_eq!(dots(&whole), dots(&cut) + 2 * (STRATEGIES.len() - 1));
}

#[test]
fn laws_that_could_be_fitted_are_carried_on_to_more_workers_and_drawn_as_predictions() {
    let eight_cores = |worker_counts: &[usize]| sweep_on(8, worker_counts, &[8]);
    let report = eight_cores(&[1, 2, 4, 8]);
    // Two of the made-up machine's cores work, so half of it is as good as serial.
    for finding in &report.experiments[0].scaling {
        assert_eq!(finding.predicted.len(), 11);
        let last = finding.predicted.last().unwrap();
        assert!(last.beyond_cores && last.workers == 1024);
        let amdahl = last.amdahl.unwrap();
        assert!(1.5 < amdahl.value && amdahl.value < 4.0, "{amdahl:?}");
        assert!(amdahl.low.unwrap() <= amdahl.value && amdahl.value <= amdahl.high.unwrap());
        assert!(!finding.predicted[3].beyond_cores && finding.predicted[4].beyond_cores);
    }
    let plots = report::plots(&report);
    let plot = plots.iter().find(|plot| plot.name == "speed-up-sum-of-squares-predicted").unwrap();
    assert!(plot.title.contains("PREDICTED") && plot.svg.contains("no such cores"));
    assert!(!plot.svg.contains("NaN") && !plot.svg.contains("inf"));
    let tables = report::markdown::render(&report, &plots);
    assert!(tables.contains("speed-up with more workers, PREDICTED by laws"));
    // With one and two workers both laws are refused, and nothing is foretold.
    let refused = eight_cores(&[1, 2]);
    assert!(refused.experiments[0].scaling.iter().all(|finding| finding.predicted.is_empty()));
    let names = |report| report::plots(report).into_iter().map(|plot| plot.name);
    let of_laws = |name: &String| name.starts_with("speed-up") && name.ends_with("predicted");
    assert_eq!(
        (names(&report).filter(of_laws).count(), names(&refused).filter(of_laws).count()),
        (1, 0)
    );
}

#[test]
fn a_sweep_that_cannot_tell_the_costs_refuses_with_the_reason_and_draws_nothing() {
    let mut sweep = Synthetic::new(1);
    sweep.granularity();
    let report = analyse(&sweep.finish());
    assert!(findings(&report).iter().all(|f| matches!(f.prediction, Fit::Refused(_))));
    let plots = report::plots(&report);
    assert!(plots.iter().all(|plot| !plot.name.contains("predicted")));
    let terminal = words(&report);
    assert!(terminal.contains("refused") && terminal.contains("2 different worker counts"));
}

#[test]
fn more_workers_than_cores_have_no_say_in_the_costs() {
    let costs = |worker_counts: &[usize]| {
        let mut sweep = Synthetic::new(1);
        sweep.granularity();
        sweep.payload();
        let job = Job { workload: Workload::SumOfSquares, tasks: 64, task_size: 4_000_000 };
        sweep.block("speed-up", "last", job, &synthetic::configurations(worker_counts));
        foretold(&analyse(&sweep.finish()), "rayon").walls
    };
    assert_eq!(costs(&[1, 2, 4, 8]), costs(&[1, 2]));
}

/// Takes `key` out of every object that has it.
fn forget(json: &mut Value, key: &str) {
    match json {
        Value::Object(members) => {
            members.remove(key);
            members.values_mut().for_each(|member| forget(member, key));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| forget(element, key)),
        _ => {}
    }
}

#[test]
fn reports_from_before_there_were_predictions_and_reached_precisions_can_still_be_read() {
    let report = analyse(&synthetic::whole_sweep(1));
    let mut json = serde_json::to_value(&report).unwrap();
    for key in ["predictions", "driver", "precision", "precision_asked", "predicted"] {
        forget(&mut json, key);
    }
    for experiment in json["experiments"].as_array_mut().unwrap() {
        for block in experiment["blocks"].as_array_mut().unwrap() {
            block.as_object_mut().unwrap().remove("incarnations");
        }
    }
    let read: Report = serde_json::from_value(json).unwrap();
    assert!(findings(&read).is_empty());
    let blocks = read.experiments.iter().flat_map(|experiment| &experiment.blocks);
    assert!(blocks.clone().all(|block| block.incarnations == 0 && block.precision.is_none()));
}

#[test]
fn predictions_from_before_refusals_of_their_check_were_told_can_still_be_read() {
    let report = analyse(&synthetic::whole_sweep(1));
    let mut json = serde_json::to_value(&report).unwrap();
    forget(&mut json, "most_workers_refused");
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
}
