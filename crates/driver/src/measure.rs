//! The sweep itself: block after block, each within its share of the time.

mod block;
mod budget;
mod cast;
mod history;
mod precision;
pub(crate) mod resources;
pub(crate) mod sample;
pub(crate) mod validity;

use std::time::{Duration, Instant};

use crate::{
    config::Config,
    interrupt::{Interrupt, Interrupted},
    plan::PlannedBlock,
    progress::Progress,
    storage::{Journal, StorageError},
};
use history::History;

/// What measuring needs, whatever the block.
pub(crate) struct Bench<'a> {
    pub(crate) config: &'a Config,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) journal: &'a mut Journal,
    pub(crate) progress: &'a mut Progress,
}

/// What ends a sweep early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The user asked for it; everything up to the last round is saved.
    Interrupted,
    /// The records cannot be written.
    Storage(StorageError),
}

impl From<Interrupted> for Stop {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Kept back for analysing, drawing and printing.
///
/// Drawing takes well under a second; the share grows with the budget since
/// more rounds take longer to analyse.
pub(crate) fn time_for_report(budget: Duration) -> Duration {
    Duration::from_millis(500) + budget / 50
}

/// Measures every block of `plan` that is not complete yet.
///
/// A resumed sweep has as much of the time budget as its blocks had.
///
/// # Errors
///
/// If interrupted, or if the records cannot be written.
pub(crate) fn sweep(
    bench: &mut Bench<'_>,
    plan: &[PlannedBlock],
    begun: Instant,
) -> Result<(), Stop> {
    let complete: Vec<bool> = plan
        .iter()
        .map(|block| History::of(bench.journal.records(), &block.record).complete)
        .collect();
    let weight = |only_open: bool| -> f64 {
        let blocks = plan.iter().zip(&complete);
        blocks.filter(|&(_, &done)| !(only_open && done)).map(|(block, _)| block.weight).sum()
    };
    let (total, mut open) = (weight(false), weight(true));
    let budget = bench.config.time_budget;
    let for_rounds = budget.saturating_sub(time_for_report(budget)).mul_f64(share(open, total));
    let until = begun + for_rounds;
    bench.progress.begin(plan.len(), total, total - open);
    for (index, block) in plan.iter().enumerate() {
        if complete[index] {
            continue;
        }
        let left = until.saturating_duration_since(Instant::now());
        let slice = left.mul_f64(share(block.weight, open));
        bench.progress.enter(index, block);
        block::measure(bench, block, index, slice)?;
        open -= block.weight;
    }
    Ok(())
}

/// `part / whole`, kept within what a duration can be multiplied by.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}
