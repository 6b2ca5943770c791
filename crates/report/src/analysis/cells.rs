//! What one configuration did in one block.

use harness::record::Resources;
use stats::{median, median_with_interval, quantile};

use super::samples::{BlockSamples, by_incarnation};
use crate::model::{Cell, Counts, Figures, Outcome, Phases, ResourceFigures, Spread};

/// One cell for each configuration of the block, in its order.
pub(crate) fn all(samples: &BlockSamples<'_>, seed: u64) -> Vec<Cell> {
    (0..samples.record.configurations.len()).map(|place| cell(samples, place, seed)).collect()
}

fn cell(samples: &BlockSamples<'_>, place: usize, seed: u64) -> Cell {
    let configuration = samples.record.configurations[place].clone();
    let mut lives = samples.incarnations.iter().filter(|life| life.configuration == place);
    let outcome = match (samples.failure(place), figures(samples, place, seed)) {
        (Some(failure), _) => Outcome::Failed { failure: failure.clone() },
        (None, Some(figures)) => Outcome::Measured { figures: Box::new(figures) },
        (None, None) => Outcome::NotMeasured,
    };
    Cell {
        oversubscribed: configuration.workers.get() > samples.record.available_cores,
        configuration,
        input: lives.find_map(|life| life.input),
        counts: counts(samples, place),
        outcome,
    }
}

fn counts(samples: &BlockSamples<'_>, place: usize) -> Counts {
    let measured = samples.rounds.iter().filter(|round| round.total_ns(place).is_some());
    let used = samples.usable(|round| round.total_ns(place));
    let mut incarnations: Vec<u32> = used.iter().map(|&(incarnation, ..)| incarnation).collect();
    incarnations.sort_unstable();
    incarnations.dedup();
    Counts {
        measured: measured.clone().count(),
        used: used.len(),
        contaminated: measured.filter(|round| round.contaminated).count(),
        failed: samples.rounds.iter().filter(|round| round.failed(place)).count(),
        incarnations: incarnations.len(),
        contaminated_used: used.iter().any(|&(_, contaminated, _)| contaminated),
    }
}

fn figures(samples: &BlockSamples<'_>, place: usize, seed: u64) -> Option<Figures> {
    let job = samples.record.job;
    let workers = samples.record.configurations[place].workers;
    let time_ns = spread(&samples.groups(|round| round.total_ns(place)).concat())?;
    let run_ns = median(&samples.groups(|round| round.run_ns(place)).concat())?;
    let ratio = |baseline: usize| median_with_interval(&samples.ratios(baseline, place), seed);
    let speed_up = samples.serial().and_then(ratio);
    let efficiency = |speed_up| stats::efficiency(speed_up, workers);
    // A clock that reads 0 ns must not make a rate infinite: JSON has no infinity.
    let per_second = |count: usize| count as f64 / run_ns.max(1.0) * 1e9;
    Some(Figures {
        time_ns,
        run_ns,
        speed_up,
        relative_speed_up: one_worker(samples, place).and_then(ratio),
        efficiency: speed_up.map(|speed_up| speed_up.map_monotonic(efficiency)),
        granularity_ns: (job.tasks > 0).then(|| run_ns * workers.get() as f64 / job.tasks as f64),
        tasks_per_s: per_second(job.tasks),
        elements_per_s: per_second(job.elements()),
        payload_bytes_per_s: per_second(job.payload_bytes()),
        phases: phases(samples, place, seed),
        resources: resources(samples, place),
    })
}

fn spread(values: &[f64]) -> Option<Spread> {
    Some(Spread {
        lower_quartile: quantile(values, 0.25)?,
        median: median(values)?,
        upper_quartile: quantile(values, 0.75)?,
    })
}

/// The same strategy with one worker, if the block has it and it did not fail.
fn one_worker(samples: &BlockSamples<'_>, place: usize) -> Option<usize> {
    let configurations = &samples.record.configurations;
    let strategy = &configurations[place].strategy;
    configurations
        .iter()
        .position(|other| other.strategy == *strategy && other.workers.get() == 1)
        .filter(|&one| samples.failure(one).is_none())
}

fn phases(samples: &BlockSamples<'_>, place: usize, seed: u64) -> Phases {
    let estimate = |groups: Vec<Vec<f64>>| median_with_interval(&groups, seed);
    if samples.record.kind.is_cold() {
        let part = |phase: usize| {
            estimate(samples.groups(|round| Some(round.cold_phases_ns(place)?[phase])))
        };
        return Phases {
            start_up_ns: part(0),
            first_task_ns: part(1),
            run_ns: part(2),
            shutdown_ns: part(3),
            cold_ns: estimate(samples.groups(|round| round.total_ns(place))),
        };
    }
    let lives = lives(samples, place);
    let part =
        |phase: usize| estimate(lives.iter().filter_map(|life| Some(vec![life[phase]?])).collect());
    let cold =
        lives.iter().filter_map(|life| Some(vec![life.iter().copied().sum::<Option<f64>>()?]));
    Phases {
        start_up_ns: part(0),
        first_task_ns: part(1),
        run_ns: estimate(samples.groups(|round| round.run_ns(place))),
        shutdown_ns: part(3),
        cold_ns: estimate(cold.collect()),
    }
}

/// Start-up, first task, median warm run and shutdown of each incarnation.
fn lives(samples: &BlockSamples<'_>, place: usize) -> Vec<[Option<f64>; 4]> {
    let of_this = samples.incarnations.iter().filter(|life| life.configuration == place);
    let runs = samples.usable(|round| round.run_ns(place));
    let run_of = |incarnation: u32| {
        let here = runs.iter().filter(|&&(of, ..)| of == incarnation);
        median(&by_incarnation(here.map(|&(of, _, ns)| (of, ns))).concat())
    };
    let ns = |ns: Option<u64>| ns.map(|ns| ns as f64);
    of_this
        .map(|life| {
            [
                ns(life.start_up_ns),
                ns(life.first_task_ns),
                run_of(life.incarnation),
                ns(life.shutdown_ns),
            ]
        })
        .collect()
}

fn resources(samples: &BlockSamples<'_>, place: usize) -> Option<ResourceFigures> {
    let of_this = samples.incarnations.iter().filter(|life| life.configuration == place);
    let seen: Vec<Resources> = of_this.filter_map(|life| life.resources).collect();
    let sum = |pick: fn(&Resources) -> u64| seen.iter().map(pick).sum::<u64>();
    let runs = sum(|r| r.runs);
    if runs == 0 {
        return None;
    }
    let per_run = |pick| sum(pick) as f64 / runs as f64;
    Some(ResourceFigures {
        runs,
        cpu_s_per_run: per_run(|r| r.cpu_ns) / 1e9,
        voluntary_switches_per_run: per_run(|r| r.voluntary_switches),
        involuntary_switches_per_run: per_run(|r| r.involuntary_switches),
        minor_faults_per_run: per_run(|r| r.minor_faults),
        major_faults_per_run: per_run(|r| r.major_faults),
        peak_pss_bytes: seen.iter().map(|r| r.peak_pss_bytes).max()?,
        processes: seen.iter().map(|r| r.processes).max()?,
    })
}
