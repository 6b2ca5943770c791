//! The sweep itself: passes over its blocks, each block within its share of the time.

mod block;
mod budget;
mod cast;
mod decision;
mod history;
mod precision;
mod purse;
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
use block::{Standing, Visit};
use purse::Purse;
use validity::Observer;

/// What measuring needs, whatever the block.
pub(crate) struct Bench<'a> {
    pub(crate) config: &'a Config,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) journal: &'a mut Journal,
    pub(crate) progress: &'a mut Progress,
    pub(crate) observer: Observer,
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
/// A resumed sweep has as much of the time budget as its blocks have not spent.
///
/// # Errors
///
/// If interrupted, or if the records cannot be written.
pub(crate) fn sweep(
    bench: &mut Bench<'_>,
    plan: &[PlannedBlock],
    begun: Instant,
) -> Result<(), Stop> {
    let budget = bench.config.time_budget;
    let for_rounds = budget.saturating_sub(time_for_report(budget));
    let mut purse = Purse::new(for_rounds, plan.iter().map(|block| block.weight));
    let mut open: Vec<Standing<'_>> = Vec::new();
    for (index, block) in plan.iter().enumerate() {
        let standing = Standing::of(bench, &block.record, index);
        if standing.is_complete() {
            purse.close(index);
        } else {
            purse.pay(index, standing.spent(), 1.0);
            open.push(standing);
        }
    }
    let time = purse.total();
    let until = begun + time;
    let passes = purse::passes(time, open.len(), bench.config.incarnations);
    bench.progress.begin(plan.len(), time);
    for pass in 1..=passes {
        for standing in &mut open {
            let left = until.saturating_duration_since(Instant::now());
            call(bench, standing, (pass, passes), &mut purse, left)?;
        }
        open.retain(|standing| !standing.is_complete());
        bench.journal.sync()?;
        bench.progress.pass(pass, passes);
    }
    Ok(())
}

/// Visits a block, if that is worth its while, and lets it pay.
fn call(
    bench: &mut Bench<'_>,
    standing: &mut Standing<'_>,
    (pass, passes): (u32, u32),
    purse: &mut Purse,
    left: Duration,
) -> Result<(), Stop> {
    let (index, worth) = (standing.index(), purse.worth(left));
    let visit = Visit { slice: purse.slice(index, passes + 1 - pass, worth), pass, passes };
    if !visit.is_last() && !standing.affords_life(visit.slice) {
        // The time is kept for a later one, which is longer then.
        return Ok(());
    }
    let begun = Instant::now();
    let is_content = block::measure(bench, standing, visit)?;
    let spent = begun.elapsed();
    purse.pay(index, spent, worth);
    if standing.is_complete() {
        purse.close(index);
    } else if is_content {
        purse.needs(index, spent * (passes - pass), worth);
    }
    Ok(())
}
