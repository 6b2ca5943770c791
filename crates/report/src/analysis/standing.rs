//! Who is best in a block, and who cannot be told apart from the best.

use stats::{
    Estimate,
    estimate::LEVEL,
    paired::{corrected_level, log_ratio},
};

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
    /// The best one cannot be told apart from the baseline.
    NoneFaster(&'a Cell, Estimate, Rivals<'a>),
    /// The best, its speed-up, and what it was compared with.
    Faster(&'a Cell, Estimate, Rivals<'a>),
}

/// How the best configuration of a block compares with the others.
///
/// It is named after looking at all, and any of them might have been: each
/// interval is at the level at which all hold together. Compared within rounds,
/// where drift cancels: two speed-ups whose intervals overlap can still differ
/// in every single round.
pub(crate) struct Rivals<'a> {
    /// With how many it was compared, the baseline counted.
    pub(crate) compared: usize,
    /// The baseline's time ÷ the best one's.
    pub(crate) serial: Option<Estimate>,
    /// The second quickest, and its time ÷ the best one's.
    pub(crate) runner_up: Option<(&'a Cell, Estimate)>,
    /// Those of which no difference from the best is shown.
    pub(crate) tied: Vec<&'a Cell>,
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
        return Standing::TooFewRounds(best, speed_up);
    }
    let others: Vec<(usize, &Cell)> =
        others.iter().map(|&(place, cell, _)| (place, cell)).collect();
    let rivals = rivals(best_place, &others, samples, seed);
    match rivals.serial {
        Some(serial) if serial.is_below(1.0) => Standing::SerialWins(best, speed_up),
        Some(serial) if serial.is_above(1.0) => Standing::Faster(best, speed_up, rivals),
        _ => Standing::NoneFaster(best, speed_up, rivals),
    }
}

/// The cells with a pool of one number of workers.
pub(crate) struct Pools<'a> {
    /// From the quickest to the slowest; not empty.
    pub(crate) ranked: Vec<&'a Cell>,
    /// What the quickest was compared with.
    pub(crate) rivals: Rivals<'a>,
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
    let others: Vec<(usize, &Cell)> =
        others.iter().map(|&(place, cell, _)| (place, cell)).collect();
    let rivals = rivals(best, &others, samples, seed);
    Some(Pools { ranked: ranked.iter().map(|&(_, cell, _)| cell).collect(), rivals })
}

/// Compares the `best` configuration with the baseline and with `others`, from
/// the quickest to the slowest, each with its place in the block.
fn rivals<'a>(
    best: usize,
    others: &[(usize, &'a Cell)],
    samples: &BlockSamples<'_>,
    seed: u64,
) -> Rivals<'a> {
    let serial = samples.serial();
    let compared = others.len() + usize::from(serial.is_some());
    let level = corrected_level(LEVEL, compared);
    let times_as_long = |place| {
        let logs = |ratios: Vec<f64>| ratios.into_iter().map(f64::ln).collect();
        log_ratio(
            &samples.ratios(place, best).into_iter().map(logs).collect::<Vec<_>>(),
            level,
            seed,
        )
    };
    let ratios: Vec<(&Cell, Option<Estimate>)> =
        others.iter().map(|&(place, cell)| (cell, times_as_long(place))).collect();
    let is_slower = |ratio: &Option<Estimate>| ratio.is_some_and(|ratio| ratio.is_above(1.0));
    Rivals {
        compared,
        serial: serial.and_then(times_as_long),
        runner_up: ratios.first().and_then(|&(cell, ratio)| Some((cell, ratio?))),
        tied: ratios.iter().filter(|(_, ratio)| !is_slower(ratio)).map(|&(cell, _)| cell).collect(),
    }
}
