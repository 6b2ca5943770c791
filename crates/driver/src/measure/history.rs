//! What the records say about a block, so that a resumed sweep goes on where
//! the interrupted one stopped.

use std::{collections::BTreeSet, time::Duration};

use harness::record::{BlockRecord, Outcome, Record, RoundRecord};

/// What has been measured of a block so far.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The block was begun: its record is written.
    pub(super) begun: bool,
    /// The block has ended.
    pub(super) complete: bool,
    /// Number of the next round.
    pub(super) next_round: u32,
    /// Number of the next incarnation.
    pub(super) next_incarnation: u32,
    /// What its rounds have taken, those that do not count included.
    pub(super) spent: Duration,
    /// Configurations that failed and are left out.
    pub(super) failed: BTreeSet<usize>,
    /// Times of the rounds that count, in nanoseconds, by incarnation.
    pub(super) clean: Vec<CleanRound>,
}

/// A round that is not contaminated.
#[derive(Debug)]
pub(super) struct CleanRound {
    pub(super) incarnation: u32,
    /// By configuration; `None` where there is no time.
    pub(super) total_ns: Vec<Option<u64>>,
}

impl History {
    /// What `records` say about `block`.
    pub(super) fn of(records: &[Record], block: &BlockRecord) -> Self {
        let mut history = Self::default();
        for record in records {
            match record {
                Record::Block(begun) if begun.block == block.block => history.begun = true,
                Record::BlockEnd(end) if end.block == block.block => history.complete = true,
                Record::Incarnation(life) if life.block == block.block => {
                    history.next_incarnation = history.next_incarnation.max(life.incarnation + 1);
                }
                Record::Round(round) if round.block == block.block => {
                    history.add(round, block.configurations.len());
                }
                _ => {}
            }
        }
        history
    }

    /// Takes a round into account.
    pub(super) fn add(&mut self, round: &RoundRecord, configurations: usize) {
        self.next_round = self.next_round.max(round.round + 1);
        let elapsed_ns = round.driver.map_or(0, |driver| driver.elapsed_ns);
        self.spent += Duration::from_nanos(elapsed_ns);
        let mut total_ns = vec![None; configurations];
        for sample in &round.samples {
            if let Outcome::Failed(_) = sample.outcome {
                self.failed.insert(sample.configuration);
            }
            if let Some(slot) = total_ns.get_mut(sample.configuration) {
                *slot = sample.outcome.total_ns();
            }
        }
        if total_ns.iter().all(Option::is_none) {
            // Failures alone are told under the number of a life to come.
            return;
        }
        self.next_incarnation = self.next_incarnation.max(round.incarnation + 1);
        if round.validity.contaminated.is_empty() {
            self.clean.push(CleanRound { incarnation: round.incarnation, total_ns });
        }
    }

    /// Rounds that count.
    pub(super) fn clean_rounds(&self) -> u32 {
        u32::try_from(self.clean.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::{
        Configuration, FailureKind, Job, Placement, Workload,
        protocol::Phase,
        record::{ExperimentKind, Failure, Sample, Validity},
    };

    fn block() -> BlockRecord {
        BlockRecord {
            block: "a".to_owned(),
            experiment: "e".to_owned(),
            kind: ExperimentKind::SpeedUp,
            job: Job { workload: Workload::Square, tasks: 1, task_size: 1 },
            configurations: vec![Configuration::serial(); 2],
            available_cores: 1,
            placement: Placement::Free,
        }
    }

    fn round(round: u32, outcomes: [Outcome; 2], contaminated: &[&str]) -> Record {
        let samples = outcomes
            .into_iter()
            .enumerate()
            .map(|(configuration, outcome)| Sample { configuration, outcome })
            .collect();
        let contaminated = contaminated.iter().map(|&reason| reason.to_owned()).collect();
        let validity = Validity { contaminated, ..Validity::default() };
        Record::Round(RoundRecord {
            block: "a".to_owned(),
            round,
            incarnation: 0,
            samples,
            validity,
            driver: None,
        })
    }

    fn failed() -> Outcome {
        let (kind, phase) = (FailureKind::WorkerDied, Phase::Run);
        Outcome::Failed(Failure { kind, phase, message: String::new() })
    }

    #[test]
    fn contaminated_rounds_are_numbered_but_do_not_count_and_failures_are_remembered() {
        let warm = || Outcome::Warm { wall_ns: 5 };
        let records = [
            Record::Block(block()),
            round(0, [warm(), warm()], &["steal"]),
            round(1, [warm(), failed()], &[]),
        ];
        let history = History::of(&records, &block());
        assert!(history.begun && !history.complete);
        assert_eq!((history.next_round, history.clean_rounds()), (2, 1));
        assert_eq!(history.failed, BTreeSet::from([1]));
    }

    #[test]
    fn a_round_of_nothing_but_failures_is_a_round_and_no_incarnation() {
        let history = History::of(&[round(0, [failed(), failed()], &[])], &block());
        assert_eq!((history.next_round, history.next_incarnation), (1, 0));
        let warm = Outcome::Warm { wall_ns: 5 };
        let history = History::of(&[round(0, [warm, failed()], &["steal"])], &block());
        assert_eq!((history.next_round, history.next_incarnation), (1, 1));
    }
}
