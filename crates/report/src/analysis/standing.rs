//! Who is best in a block, and who cannot be told apart from the best.

use stats::{Estimate, median_with_interval};

use super::samples::BlockSamples;
use crate::model::{Block, Cell};

/// How the configurations of a block stand against the baseline.
pub(crate) enum Standing<'a> {
    /// Nothing but failures.
    NothingMeasured,
    /// There is no speed-up to rank by: the baseline is missing or failed, or
    /// there is nothing but the baseline.
    NoComparison,
    /// The best one's speed-up has no interval.
    TooFewRounds(&'a Cell, Estimate),
    /// Even the best one is slower than the baseline.
    SerialWins(&'a Cell, Estimate),
    /// The best one's interval includes 1.
    NoneFaster(&'a Cell, Estimate),
    /// The best, its speed-up, and those that cannot be told apart from it.
    Faster(&'a Cell, Estimate, Vec<&'a Cell>),
}

/// Ranks the cells of `block`, whose records are `samples`.
pub(crate) fn of<'a>(block: &'a Block, samples: &BlockSamples<'_>, seed: u64) -> Standing<'a> {
    if block.cells.iter().all(|cell| cell.figures().is_none()) {
        return Standing::NothingMeasured;
    }
    let mut ranked: Vec<(usize, &Cell, Estimate)> = block
        .cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| !cell.configuration.strategy.is_serial())
        .filter_map(|(place, cell)| Some((place, cell, cell.figures()?.speed_up?)))
        .collect();
    // More workers than cores only repeat what as many workers as cores do:
    // they are ranked where there is nothing else.
    if ranked.iter().any(|(_, cell, _)| !cell.oversubscribed) {
        ranked.retain(|(_, cell, _)| !cell.oversubscribed);
    }
    ranked.sort_by(|a, b| b.2.value.total_cmp(&a.2.value));
    let Some((&(best_place, best, speed_up), others)) = ranked.split_first() else {
        return Standing::NoComparison;
    };
    if speed_up.interval().is_none() {
        Standing::TooFewRounds(best, speed_up)
    } else if speed_up.is_below(1.0) {
        Standing::SerialWins(best, speed_up)
    } else if !speed_up.is_above(1.0) {
        Standing::NoneFaster(best, speed_up)
    } else {
        let others = others.iter().map(|&(place, cell, _)| (place, cell));
        Standing::Faster(best, speed_up, tied(best_place, others, samples, seed))
    }
}

/// The cells with a pool of one number of workers.
pub(crate) struct Pools<'a> {
    /// From the quickest to the slowest; not empty.
    pub(crate) ranked: Vec<&'a Cell>,
    /// Those that cannot be told apart from the quickest.
    pub(crate) tied: Vec<&'a Cell>,
}

/// Ranks the pools of `block` that have `workers` workers by their speed-ups,
/// by their times where there is no baseline; `None` if none was measured.
pub(crate) fn pools<'a>(
    block: &'a Block,
    samples: &BlockSamples<'_>,
    workers: usize,
    seed: u64,
) -> Option<Pools<'a>> {
    let slowness = |cell: &Cell| {
        let figures = cell.figures()?;
        let inverse = figures.speed_up.map(|speed_up| 1.0 / speed_up.value);
        // Times and ratios do not compare: cells without a speed-up come last.
        Some((inverse.is_none(), inverse.unwrap_or(figures.time_ns.median)))
    };
    let mut ranked: Vec<(usize, &Cell, (bool, f64))> = block
        .cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| !cell.configuration.strategy.is_serial() && cell.workers() == workers)
        .filter_map(|(place, cell)| Some((place, cell, slowness(cell)?)))
        .collect();
    ranked.sort_by(|a, b| a.2.0.cmp(&b.2.0).then_with(|| a.2.1.total_cmp(&b.2.1)));
    let (&(best, ..), others) = ranked.split_first()?;
    let others = others.iter().map(|&(place, cell, _)| (place, cell));
    let tied = tied(best, others, samples, seed);
    Some(Pools { ranked: ranked.iter().map(|&(_, cell, _)| cell).collect(), tied })
}

/// Those of `others`, with their places in the block, that cannot be told apart
/// from the `best` one.
///
/// Compared within rounds, where drift cancels: two speed-ups whose intervals
/// overlap can still differ in every single round.
fn tied<'a>(
    best: usize,
    others: impl Iterator<Item = (usize, &'a Cell)>,
    samples: &BlockSamples<'_>,
    seed: u64,
) -> Vec<&'a Cell> {
    let slower = |place| median_with_interval(&samples.ratios(place, best), seed);
    others
        .filter(|&(place, _)| !slower(place).is_some_and(|ratio| ratio.is_above(1.0)))
        .map(|(_, cell)| cell)
        .collect()
}
