//! `driver verify`: answers only, of everything, through real runners.

use std::{collections::BTreeSet, num::NonZeroUsize};

use harness::{Configuration, Job, Placement, Strategy, Workload, record::Failure};

use super::measuring::watch_signals;
use crate::{
    cli::VerifyArgs,
    client::{Runner, Trouble, launch},
    config::Config,
    environment,
    error::Error,
    interrupt::{Interrupt, Interrupted},
    measure::sample::{Nonces, checked_run},
    outcome::End,
    plan, printing,
};

/// Tasks and task size: nothing at all, tasks of nothing, a single element,
/// fewer tasks than workers, primes that no worker count divides, many tasks.
const JOBS: [(usize, usize); 6] =
    [(0, 1_000), (5, 0), (1, 1), (2, 4_099), (13, 1_009), (1_000, 17)];

/// What one strategy answered.
struct Verdict {
    strategy: Strategy,
    workers: Vec<usize>,
    /// By workload: right answers, and failures with their worker count.
    answers: Vec<(usize, Vec<(NonZeroUsize, Failure)>)>,
}

/// Runs every strategy on every workload and prints a table of the verdicts.
///
/// # Errors
///
/// If the arguments are not usable, or standard output cannot be written.
pub(super) fn execute(arguments: &VerifyArgs) -> Result<End, Error> {
    let named = arguments.config.as_deref().unwrap_or("default");
    let mut config = Config::load(named)?;
    config.require_experiments(named)?;
    config.choose_backends(&arguments.backends)?;
    config.choose_start_methods(&arguments.start_methods);
    let interrupt = watch_signals()?;
    let mut verdicts = Vec::new();
    for strategy in strategies(&config) {
        match verify(&config, &interrupt, strategy) {
            Ok(verdict) => verdicts.push(verdict),
            Err(Interrupted) => {
                printing::note("interrupted");
                return Ok(End::Interrupted);
            }
        }
    }
    printing::print(&table(&verdicts)).map_err(Error::output)?;
    let failures: Vec<String> = verdicts.iter().flat_map(Verdict::complaints).collect();
    for failure in &failures {
        printing::note(failure);
    }
    Ok(End::failed_if(!failures.is_empty()))
}

/// Every strategy of the config, each once, in the order of the experiments.
fn strategies(config: &Config) -> Vec<Strategy> {
    let mut seen = BTreeSet::new();
    let blocks = plan::blocks(config, environment::available_cores());
    let all = blocks.into_iter().flat_map(|block| block.record.configurations);
    all.map(|configuration| configuration.strategy)
        .filter(|strategy| seen.insert(strategy.clone()))
        .collect()
}

fn verify(
    config: &Config,
    interrupt: &Interrupt,
    strategy: Strategy,
) -> Result<Verdict, Interrupted> {
    let workers = match strategy.is_serial() {
        true => vec![1],
        false => vec![1, 2, 3],
    };
    let mut verdict = Verdict { strategy, workers, answers: Vec::new() };
    for workload in Workload::ALL {
        let (mut right, mut failures) = (0, Vec::new());
        for workers in verdict.workers.iter().copied().filter_map(NonZeroUsize::new) {
            let configuration = Configuration { strategy: verdict.strategy.clone(), workers };
            match cycle(config, interrupt, &configuration, workload) {
                Ok(answers) => right += answers,
                Err(Trouble::Failed(failure)) => failures.push((workers, failure)),
                Err(Trouble::Interrupted) => return Err(Interrupted),
            }
        }
        verdict.answers.push((right, failures));
    }
    Ok(verdict)
}

/// One runner: all jobs of a workload, a stop, and the last job once more on
/// a pool that was started again. The number of right answers.
fn cycle(
    config: &Config,
    interrupt: &Interrupt,
    configuration: &Configuration,
    workload: Workload,
) -> Result<usize, Trouble> {
    let process = launch::launch(configuration, Placement::Free, &config.runners)?;
    let (deadline, interrupt) = (config.deadline, interrupt.clone());
    let mut runner = Runner::new(process, configuration, Placement::Free, deadline, interrupt);
    let mut nonces =
        Nonces::new(config.seed, [workload as u64, configuration.workers.get() as u64, 0]);
    runner.greet()?;
    let mut right = 0;
    for jobs in [&JOBS[..], &JOBS[JOBS.len() - 1..]] {
        runner.start()?;
        for &(tasks, task_size) in jobs {
            let job = Job { workload, tasks, task_size };
            runner.load(job)?;
            checked_run(&mut runner, job, &mut nonces)?;
            right += 1;
        }
        runner.stop()?;
    }
    runner.quit();
    runner.ended();
    Ok(right)
}

impl Verdict {
    fn complaints(&self) -> Vec<String> {
        let failures = self.answers.iter().flat_map(|(_, failures)| failures);
        failures
            .map(|(workers, failure)| {
                let Failure { kind, phase, message } = failure;
                format!("failed: {} × {workers}: {kind} in {phase}: {message}", self.strategy)
            })
            .collect()
    }
}

fn table(verdicts: &[Verdict]) -> String {
    let header = ["strategy", "workers"].into_iter().chain(Workload::ALL.map(Workload::name));
    let mut rows = vec![header.map(str::to_owned).collect::<Vec<_>>()];
    rows.extend(verdicts.iter().map(|verdict| {
        let workers: Vec<String> = verdict.workers.iter().map(ToString::to_string).collect();
        let cells = verdict.answers.iter().map(|(right, failures)| match failures.first() {
            None => format!("ok ({right} answers)"),
            Some((workers, failure)) => format!("{} (× {workers})", failure.kind),
        });
        [verdict.strategy.to_string(), workers.join(", ")].into_iter().chain(cells).collect()
    }));
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
