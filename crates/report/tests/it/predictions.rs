//! What is foretold for more cores, and that it is never taken for measured.

use report::{
    Report, analyse,
    model::{Fit, Foretold, PredictionFinding},
};

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
    assert!(terminal.contains("no prediction for more workers"));
}

#[test]
fn laws_that_could_be_fitted_are_carried_on_to_more_workers_and_drawn_as_predictions() {
    let eight_cores = |worker_counts: &[usize]| {
        let mut sweep = Synthetic::new(1);
        let job = harness::Job {
            workload: harness::Workload::SumOfSquares,
            tasks: 64,
            task_size: 4_000_000,
        };
        sweep.block("speed-up", "sum", job, &synthetic::configurations(worker_counts));
        let mut data = sweep.finish();
        for record in &mut data.records {
            if let harness::record::Record::Block(block) = record {
                block.available_cores = 8;
            }
        }
        analyse(&data)
    };
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
    assert!(report::plots(&refused).iter().all(|plot| !plot.name.contains("predicted")));
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
        let job = harness::Job {
            workload: harness::Workload::SumOfSquares,
            tasks: 64,
            task_size: 4_000_000,
        };
        sweep.block("speed-up", "last", job, &synthetic::configurations(worker_counts));
        foretold(&analyse(&sweep.finish()), "rayon").walls
    };
    assert_eq!(costs(&[1, 2, 4, 8]), costs(&[1, 2]));
}

#[test]
fn reports_from_before_there_were_predictions_can_still_be_read() {
    let report = analyse(&synthetic::whole_sweep(1));
    let mut json = serde_json::to_value(&report).unwrap();
    for experiment in json["experiments"].as_array_mut().unwrap() {
        experiment.as_object_mut().unwrap().remove("predictions");
    }
    let read: Report = serde_json::from_value(json).unwrap();
    assert!(findings(&read).is_empty());
}
