//! The cells of a sweep, and the ratios of two of them.

use harness::record::{Failure, Record};
use stats::{
    Estimate, median,
    paired::{Verdict, verdict},
    ratio_of_medians,
};

use super::{CellName, CellSide, ComparedCell, MARGIN};
use crate::analysis::samples::{BlockSamples, collect};

/// Everything that a sweep has of a cell. A job that two of its experiments
/// share is one cell: the incarnations of both are put together.
pub(crate) struct Gathered {
    pub(crate) name: CellName,
    /// Nanoseconds, one group an incarnation.
    pub(crate) times: Vec<Vec<f64>>,
    pub(crate) speed_ups: Vec<Vec<f64>>,
    contaminated_used: bool,
    pub(crate) oversubscribed: bool,
    pub(crate) failure: Option<Failure>,
}

/// All cells that were measured or have failed, in the order of the records.
pub(crate) fn gather(records: &[Record]) -> Vec<Gathered> {
    let mut cells: Vec<Gathered> = Vec::new();
    for block in collect(records) {
        for place in 0..block.record.configurations.len() {
            let Some(cell) = Gathered::of(&block, place) else { continue };
            match cells.iter_mut().find(|known| known.name == cell.name) {
                Some(known) => known.add(cell),
                None => cells.push(cell),
            }
        }
    }
    cells
}

/// The seed in the records' header.
pub(crate) fn seed(records: &[Record]) -> u64 {
    let header = records.iter().find_map(|record| match record {
        Record::Sweep(sweep) => Some(sweep.seed),
        _ => None,
    });
    header.unwrap_or_default()
}

/// `b` against `a`, which have the same name.
pub(super) fn compared(a: &Gathered, b: &Gathered, seed: u64) -> ComparedCell {
    let any_failed = a.failure.is_some() || b.failure.is_some();
    let ratio = |above: &[Vec<f64>], below: &[Vec<f64>]| {
        ratio_of_medians(above, below, seed).filter(|_| !any_failed)
    };
    let time_ratio = ratio(&b.times, &a.times);
    let is_serial = a.name.configuration.strategy.is_serial();
    let speed_up_ratio = ratio(&b.speed_ups, &a.speed_ups).filter(|_| !is_serial);
    ComparedCell {
        name: a.name.clone(),
        a: a.side(),
        b: b.side(),
        time_ratio,
        speed_up_ratio,
        verdict: judge(time_ratio, speed_up_ratio),
    }
}

/// A speed-up that is higher by a tenth is a time that is lower by it.
fn judge(time_ratio: Option<Estimate>, speed_up_ratio: Option<Estimate>) -> Verdict {
    let of_times = speed_up_ratio.map(|ratio| ratio.map_monotonic(f64::recip)).or(time_ratio);
    verdict(of_times.and_then(|ratio| ratio.interval()), MARGIN)
}

impl Gathered {
    fn of(block: &BlockSamples<'_>, place: usize) -> Option<Self> {
        let (times, failure) =
            (block.groups(|round| round.total_ns(place)), block.failure(place).cloned());
        if times.is_empty() && failure.is_none() {
            return None;
        }
        let used = block.usable(|round| round.total_ns(place));
        let configuration = block.record.configurations[place].clone();
        Some(Self {
            times,
            speed_ups: block.serial().map_or(Vec::new(), |serial| block.ratios(serial, place)),
            contaminated_used: used.iter().any(|&(_, contaminated, _)| contaminated),
            oversubscribed: configuration.workers.get() > block.record.available_cores,
            failure,
            name: CellName {
                job: block.record.job,
                is_cold: block.record.kind.is_cold(),
                configuration,
                placement: block.record.placement,
            },
        })
    }

    fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.speed_ups.extend(other.speed_ups);
        self.contaminated_used |= other.contaminated_used;
        self.failure = self.failure.take().or(other.failure);
    }

    fn side(&self) -> CellSide {
        CellSide {
            time_ns: median(&self.times.concat()),
            speed_up: median(&self.speed_ups.concat()),
            rounds: self.times.iter().map(Vec::len).sum(),
            incarnations: self.times.len(),
            contaminated_used: self.contaminated_used,
            oversubscribed: self.oversubscribed,
            failure: self.failure.clone(),
        }
    }
}
