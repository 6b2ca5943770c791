//! The records of a block as one matrix of times: rounds × configurations.

use harness::record::{
    BlockRecord, Failure, IncarnationRecord, Outcome, Record, RoundRecord, StopReason,
};

/// Clean rounds that must remain before contaminated ones are left out, beside half of
/// all: with fewer, a median would rest on one or two rounds.
const FEWEST_CLEAN: usize = 3;

/// What the records tell about one block.
pub(crate) struct BlockSamples<'a> {
    pub(crate) record: &'a BlockRecord,
    pub(crate) rounds: Vec<Round<'a>>,
    pub(crate) incarnations: Vec<&'a IncarnationRecord>,
    /// Reasons of all contaminated rounds, with repetitions.
    pub(crate) contamination: Vec<&'a str>,
    pub(crate) stop: Option<StopReason>,
    pub(crate) precision_asked: Option<f64>,
}

/// One round; `outcomes` has a place for each configuration of the block.
pub(crate) struct Round<'a> {
    pub(crate) incarnation: u32,
    pub(crate) contaminated: bool,
    outcomes: Vec<Option<&'a Outcome>>,
}

/// Sorts `records` by block. Records of blocks that were not announced are
/// left out; a block that a resumed sweep announced again is one block.
pub(crate) fn collect(records: &[Record]) -> Vec<BlockSamples<'_>> {
    let mut blocks: Vec<BlockSamples> = Vec::new();
    for record in records {
        match record {
            Record::Sweep(_) => {}
            Record::Block(record) => {
                if find(&mut blocks, &record.block).is_none() {
                    blocks.push(BlockSamples::new(record));
                }
            }
            Record::Incarnation(record) => {
                if let Some(block) = find(&mut blocks, &record.block) {
                    block.incarnations.push(record);
                }
            }
            Record::Round(record) => {
                if let Some(block) = find(&mut blocks, &record.block) {
                    block.add_round(record);
                }
            }
            Record::BlockEnd(record) => {
                if let Some(block) = find(&mut blocks, &record.block) {
                    block.stop = Some(record.reason);
                    block.precision_asked = record.precision_asked;
                }
            }
        }
    }
    blocks
}

fn find<'a, 'b>(blocks: &'a mut [BlockSamples<'b>], id: &str) -> Option<&'a mut BlockSamples<'b>> {
    // The block in progress is the last one, so this is quick on long files.
    blocks.iter_mut().rev().find(|block| block.record.block == id)
}

impl<'a> BlockSamples<'a> {
    fn new(record: &'a BlockRecord) -> Self {
        let (rounds, incarnations, contamination) = (Vec::new(), Vec::new(), Vec::new());
        Self { record, rounds, incarnations, contamination, stop: None, precision_asked: None }
    }

    fn add_round(&mut self, record: &'a RoundRecord) {
        let mut outcomes = vec![None; self.record.configurations.len()];
        for sample in &record.samples {
            if let Some(place) = outcomes.get_mut(sample.configuration) {
                *place = Some(&sample.outcome);
            }
        }
        let reasons = &record.validity.contaminated;
        self.contamination.extend(reasons.iter().map(String::as_str));
        let contaminated = !reasons.is_empty();
        self.rounds.push(Round { incarnation: record.incarnation, contaminated, outcomes });
    }

    /// The first failure of a configuration.
    pub(crate) fn failure(&self, configuration: usize) -> Option<&'a Failure> {
        self.rounds.iter().find_map(|round| match round.outcomes[configuration] {
            Some(Outcome::Failed(failure)) => Some(failure),
            _ => None,
        })
    }

    /// Place of the baseline, if it is there and has not failed.
    pub(crate) fn serial(&self) -> Option<usize> {
        let is_serial = |c: &harness::Configuration| c.strategy.is_serial();
        self.record.configurations.iter().position(is_serial).filter(|&c| self.failure(c).is_none())
    }

    /// Rounds in which `pick` finds a value: the clean ones, or all of them if too few
    /// are clean. What is left between disturbances that rule the time is little, of few
    /// incarnations, and not far from the next disturbance.
    pub(crate) fn usable<T>(&self, pick: impl Fn(&Round<'a>) -> Option<T>) -> Vec<(u32, bool, T)> {
        let mut picked: Vec<(u32, bool, T)> = self
            .rounds
            .iter()
            .filter_map(|round| Some((round.incarnation, round.contaminated, pick(round)?)))
            .collect();
        let clean = picked.iter().filter(|(_, contaminated, _)| !contaminated).count();
        if clean >= FEWEST_CLEAN.max(picked.len().div_ceil(2)) {
            picked.retain(|(_, contaminated, _)| !contaminated);
        }
        picked
    }

    /// Values of the usable rounds, one group an incarnation.
    pub(crate) fn groups(&self, pick: impl Fn(&Round<'a>) -> Option<f64>) -> Vec<Vec<f64>> {
        let picked = self.usable(pick).into_iter();
        by_incarnation(picked.map(|(incarnation, _, value)| (incarnation, value)))
    }

    /// Time of `numerator` ÷ time of `denominator` in the rounds that have
    /// both, one group an incarnation.
    pub(crate) fn ratios(&self, numerator: usize, denominator: usize) -> Vec<Vec<f64>> {
        self.groups(|round| {
            let (above, below) = (round.total_ns(numerator)?, round.total_ns(denominator)?);
            (above > 0.0 && below > 0.0).then(|| above / below)
        })
    }
}

impl Round<'_> {
    /// What the block compares: the warm run or the whole cold cycle.
    pub(crate) fn total_ns(&self, configuration: usize) -> Option<f64> {
        self.outcomes[configuration]?.total_ns().map(|ns| ns as f64)
    }

    /// Whether anything has a time in it.
    pub(crate) fn has_time(&self) -> bool {
        self.outcomes.iter().flatten().any(|outcome| outcome.total_ns().is_some())
    }

    /// Start-up, first task, run and shutdown of a cold sample.
    pub(crate) fn cold_phases_ns(&self, configuration: usize) -> Option<[f64; 4]> {
        match *self.outcomes[configuration]? {
            Outcome::Cold { start_up_ns, first_task_ns, wall_ns, shutdown_ns } => {
                Some([start_up_ns, first_task_ns, wall_ns, shutdown_ns].map(|ns| ns as f64))
            }
            _ => None,
        }
    }

    /// The job alone.
    pub(crate) fn run_ns(&self, configuration: usize) -> Option<f64> {
        match *self.outcomes[configuration]? {
            Outcome::Warm { wall_ns } | Outcome::Cold { wall_ns, .. } => Some(wall_ns as f64),
            Outcome::Failed(_) => None,
        }
    }

    /// Whether the configuration was tried and has no time.
    pub(crate) fn failed(&self, configuration: usize) -> bool {
        matches!(self.outcomes[configuration], Some(Outcome::Failed(_)))
    }
}

/// Groups values by incarnation, in order of first appearance.
pub(crate) fn by_incarnation(values: impl Iterator<Item = (u32, f64)>) -> Vec<Vec<f64>> {
    let mut groups: Vec<(u32, Vec<f64>)> = Vec::new();
    for (incarnation, value) in values {
        match groups.iter_mut().find(|(known, _)| *known == incarnation) {
            Some((_, group)) => group.push(value),
            None => groups.push((incarnation, vec![value])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
