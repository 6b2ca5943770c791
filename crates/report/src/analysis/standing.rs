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
    /// Every one is slower than the baseline; the best one's speed-up.
    SerialWins(&'a Cell, Estimate),
    /// None is faster than the baseline; the best one's speed-up.
    NoneFaster(Estimate, Contest<'a>),
    /// The best one's speed-up, and what it was compared with.
    Faster(Estimate, Contest<'a>),
}

/// How the configurations of a block compare with the best of them, and with
/// the baseline.
///
/// Compared within rounds, where drift cancels: two speed-ups whose intervals
/// overlap can still differ in every single round. The best is named after
/// looking at all, so each interval is at the level at which these claims hold
/// together: that the baseline stands as is said, and that whoever is truly the
/// quickest is the best or among those tied with it. For the latter it takes as
/// many comparisons as that one has rivals, whoever was named: Hsu,
/// "Simultaneous confidence intervals for all distances from the 'best'", Annals
/// of Statistics 9 (1981).
pub(crate) struct Contest<'a> {
    /// The quickest of those that are faster than the baseline, else of all.
    pub(crate) best: &'a Cell,
    /// How many comparisons the level allows for.
    pub(crate) compared: usize,
    /// `None` if the block has none.
    pub(crate) baseline: Option<Baseline>,
    /// The quickest of the others, and its time ÷ the best one's.
    pub(crate) runner_up: Option<(&'a Cell, Estimate)>,
    /// Those of which no difference from the best is shown.
    pub(crate) tied: Vec<&'a Cell>,
}

/// How the baseline stands against the configurations of a contest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Baseline {
    /// Slower than the best.
    Slower,
    /// Faster than every one.
    Faster,
    /// Neither is shown.
    Level,
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
    let Some(&(_, quickest, speed_up)) = ranked.first() else {
        return Standing::NoComparison;
    };
    if speed_up.interval().is_none() {
        return Standing::TooFewRounds(quickest, speed_up);
    }
    let places: Vec<(usize, &Cell)> =
        ranked.iter().map(|&(place, cell, _)| (place, cell)).collect();
    let contest = contest(&places, samples, seed);
    let of_best = ranked.iter().find(|(_, cell, _)| std::ptr::eq(*cell, contest.best));
    let speed_up = of_best.map_or(speed_up, |&(.., speed_up)| speed_up);
    match contest.baseline {
        Some(Baseline::Faster) => Standing::SerialWins(contest.best, speed_up),
        Some(Baseline::Slower) => Standing::Faster(speed_up, contest),
        _ => Standing::NoneFaster(speed_up, contest),
    }
}

/// The cells with a pool of one number of workers.
pub(crate) struct Pools<'a> {
    /// From the quickest to the slowest; not empty.
    pub(crate) ranked: Vec<&'a Cell>,
    pub(crate) contest: Contest<'a>,
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
    if ranked.is_empty() {
        return None;
    }
    let places: Vec<(usize, &Cell)> =
        ranked.iter().map(|&(place, cell, _)| (place, cell)).collect();
    let contest = contest(&places, samples, seed);
    Some(Pools { ranked: ranked.iter().map(|&(_, cell, _)| cell).collect(), contest })
}

/// Compares configurations, each with its place in the block, from the quickest
/// to the slowest; at least one.
fn contest<'a>(ranked: &[(usize, &'a Cell)], samples: &BlockSamples<'_>, seed: u64) -> Contest<'a> {
    let serial = samples.serial();
    let compared = ranked.len() - 1 + usize::from(serial.is_some());
    let level = corrected_level(LEVEL, compared);
    let times_as_long = |above: usize, below: usize| {
        let logs = |ratios: Vec<f64>| ratios.into_iter().map(f64::ln).collect();
        let ratios = samples.ratios(above, below);
        log_ratio(&ratios.into_iter().map(logs).collect::<Vec<_>>(), level, seed)
    };
    let of_serial: Vec<Option<Estimate>> =
        ranked.iter().map(|&(place, _)| times_as_long(serial?, place)).collect();
    // The very quickest may be too unsteady to be told apart from the baseline
    // where another one is not.
    let ahead = of_serial.iter().position(|ratio| ratio.is_some_and(|ratio| ratio.is_above(1.0)));
    let is_behind = |ratio: &Option<Estimate>| ratio.is_none_or(|ratio| ratio.is_below(1.0));
    let baseline = match ahead {
        Some(_) => Baseline::Slower,
        None if of_serial.iter().all(is_behind) => Baseline::Faster,
        None => Baseline::Level,
    };
    let best = ahead.unwrap_or_default();
    let others = ranked.iter().enumerate().filter(|&(rank, _)| rank != best);
    let ratios: Vec<(&Cell, Option<Estimate>)> =
        others.map(|(_, &(place, cell))| (cell, times_as_long(place, ranked[best].0))).collect();
    let is_slower = |ratio: &Option<Estimate>| ratio.is_some_and(|ratio| ratio.is_above(1.0));
    Contest {
        best: ranked[best].1,
        compared,
        baseline: serial.map(|_| baseline),
        runner_up: ratios.first().and_then(|&(cell, ratio)| Some((cell, ratio?))),
        tied: ratios.iter().filter(|(_, ratio)| !is_slower(ratio)).map(|&(cell, _)| cell).collect(),
    }
}
