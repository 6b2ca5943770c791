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
        // Compared within rounds, where drift cancels: two speed-ups whose
        // intervals overlap can still differ in every single round.
        let slower = |place| median_with_interval(&samples.ratios(place, best_place), seed);
        let tied = others
            .iter()
            .filter(|&&(place, ..)| !slower(place).is_some_and(|ratio| ratio.is_above(1.0)))
            .map(|&(_, cell, _)| cell)
            .collect();
        Standing::Faster(best, speed_up, tied)
    }
}
