//! Whether a block's decision is settled: which configurations pay.

use harness::{
    Configuration,
    record::{BlockRecord, ExperimentKind},
};
use stats::paired::{corrected_level, log_ratio};

use super::{
    history::History,
    precision::{has_baseline, logarithms},
};

/// At which all that is shown holds together, over all looks.
const LEVEL: f64 = 0.95;

/// With fewer incarnations nothing is settled: the interval of two is as wide as the
/// guess that their variance is.
const FEWEST_LIVES: usize = 3;

/// Whether one of `looks` shows of every configuration that it pays, or that it does
/// not: its speed-up's interval lies on one side of [`threshold`]. All intervals of
/// all looks hold together at 95 % (Bonferroni), so stopping at whichever look suits
/// is no more likely to err. Never settled without a baseline.
pub(super) fn is_settled(history: &History, block: &BlockRecord, looks: u32, seed: u64) -> bool {
    let judged: Vec<usize> =
        (1..block.configurations.len()).filter(|index| !history.failed.contains(index)).collect();
    let level = corrected_level(LEVEL, judged.len() * looks.max(1) as usize);
    let is_clear = |&index: &usize| {
        let threshold = threshold(block.kind, &block.configurations[index]);
        let lives = logarithms(history, index);
        lives.iter().filter(|life| !life.is_empty()).count() >= FEWEST_LIVES
            && log_ratio(&lives, level, seed)
                .is_some_and(|ratio| ratio.is_above(threshold) || ratio.is_below(threshold))
    };
    has_baseline(history) && !judged.is_empty() && judged.iter().all(is_clear)
}

/// The speed-up from which on a configuration pays: more than serial; where the size of
/// tasks is in question half of its workers, which is what METG(50 %) asks.
fn threshold(kind: ExperimentKind, configuration: &Configuration) -> f64 {
    match kind {
        ExperimentKind::Granularity => configuration.workers.get() as f64 / 2.0,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use harness::{Job, Placement, Strategy, Workload};

    use super::{super::history::CleanRound, *};

    fn block(kind: ExperimentKind, workers: &[usize]) -> BlockRecord {
        let parallel = |&workers: &usize| Configuration {
            strategy: Strategy::named("threads"),
            workers: NonZeroUsize::new(workers).expect("workers"),
        };
        BlockRecord {
            block: "b".to_owned(),
            experiment: "e".to_owned(),
            kind,
            job: Job { workload: Workload::Square, tasks: 4, task_size: 4 },
            configurations: std::iter::once(Configuration::serial())
                .chain(workers.iter().map(parallel))
                .collect(),
            available_cores: 4,
            placement: Placement::Free,
        }
    }

    /// So many incarnations of eight rounds with these speed-ups, give or take 3 %.
    fn history(lives: u32, speed_ups: &[f64]) -> History {
        let round = |i: u32| {
            let noise = 1.0 + 0.01 * f64::from(i * 3 % 7) - 0.03;
            let time = |speed_up: &f64| Some((1e6 * noise / speed_up) as u64);
            let total_ns = std::iter::once(Some(1_000_000)).chain(speed_ups.iter().map(time));
            CleanRound { incarnation: i / 8, total_ns: total_ns.collect() }
        };
        History { clean: (0..8 * lives).map(round).collect(), ..History::default() }
    }

    fn settled(kind: ExperimentKind, lives: u32, workers: &[usize], speed_ups: &[f64]) -> bool {
        is_settled(&history(lives, speed_ups), &block(kind, workers), 5, 1)
    }

    #[test]
    fn it_is_settled_when_every_configuration_is_faster_or_slower_than_serial() {
        let speed_up = ExperimentKind::SpeedUp;
        assert!(settled(speed_up, 4, &[2, 2], &[1.9, 0.5]));
        assert!(!settled(speed_up, 4, &[2, 2], &[1.9, 1.0]), "of one it is open");
        assert!(!settled(speed_up, 2, &[2, 2], &[1.9, 0.5]), "two lives are too few");
    }

    #[test]
    fn where_the_size_of_tasks_is_in_question_half_of_the_workers_is_the_threshold() {
        let granularity = ExperimentKind::Granularity;
        assert!(settled(granularity, 4, &[4], &[1.5]), "efficiency 38 %");
        assert!(!settled(granularity, 4, &[4], &[2.0]), "efficiency 50 %");
        assert!(settled(ExperimentKind::SpeedUp, 4, &[4], &[2.0]));
    }

    #[test]
    fn without_a_baseline_or_anything_else_nothing_is_ever_settled() {
        let speed_up = ExperimentKind::SpeedUp;
        assert!(!settled(speed_up, 4, &[], &[]));
        let mut failed = history(4, &[1.9]);
        failed.failed.insert(0);
        assert!(!is_settled(&failed, &block(speed_up, &[2]), 1, 1));
    }
}
