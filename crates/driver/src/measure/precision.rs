//! How narrow the intervals of a block are, and where the variance behind them lies.

use stats::{
    paired::{VarianceShares, variance},
    precision::Precision,
};

use super::history::{CleanRound, History};

/// The precision of every live configuration's speed-up; of its time, if the
/// baseline has none. `widest_at` is the configuration's index. `None` if nothing
/// lives that has a figure.
pub(super) fn reached(history: &History, configurations: usize, seed: u64) -> Option<Precision> {
    let over_baseline = has_baseline(history);
    let first = usize::from(over_baseline);
    let judged: Vec<usize> =
        (first..configurations).filter(|index| !history.failed.contains(index)).collect();
    let estimate = |&index: &usize| {
        let groups = groups(&history.clean, |round| figure(round, index, over_baseline));
        stats::median_with_interval(&groups, seed)
    };
    let estimates: Vec<_> = judged.iter().map(estimate).collect();
    let precision = Precision::of(&estimates)?;
    Some(Precision { widest_at: judged[precision.widest_at], ..precision })
}

/// Where the variance of a configuration's logarithms lies: between incarnations
/// or within them. `None` until two incarnations have rounds.
pub(super) fn shares(history: &History, configuration: usize) -> Option<VarianceShares> {
    variance(&logarithms(history, configuration))
}

/// The logarithms of a configuration's figures, by incarnation.
pub(super) fn logarithms(history: &History, configuration: usize) -> Vec<Vec<f64>> {
    let over_baseline = has_baseline(history);
    let figure = |round: &CleanRound| figure(round, configuration, over_baseline).map(f64::ln);
    groups(&history.clean, figure)
}

pub(super) fn has_baseline(history: &History) -> bool {
    !history.failed.contains(&0)
}

/// The speed-up over the baseline in this round, or the time.
fn figure(round: &CleanRound, index: usize, over_baseline: bool) -> Option<f64> {
    let time = (*round.total_ns.get(index)?)?.max(1) as f64;
    if !over_baseline {
        return Some(time);
    }
    Some((*round.total_ns.first()?)? as f64 / time)
}

/// One group an incarnation, as the bootstrap resamples them.
fn groups(rounds: &[CleanRound], figure: impl Fn(&CleanRound) -> Option<f64>) -> Vec<Vec<f64>> {
    rounds
        .chunk_by(|a, b| a.incarnation == b.incarnation)
        .map(|rounds| rounds.iter().filter_map(&figure).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(times: impl Fn(u64) -> Vec<Option<u64>>) -> History {
        let round = |i| CleanRound { incarnation: (i / 10) as u32, total_ns: times(i) };
        History { clean: (0..20).map(round).collect(), ..History::default() }
    }

    #[test]
    fn steady_ratios_are_precise_even_if_the_machine_drifts() {
        let drifting = history(|i| vec![Some(2_000 + 100 * i), Some(1_000 + 50 * i)]);
        assert!(reached(&drifting, 2, 1).is_some_and(|precision| precision.is_within(0.01)));
    }

    #[test]
    fn scattered_ratios_are_not_precise() {
        let scattered = history(|i| vec![Some(2_000), Some(500 + 997 * i % 1_500)]);
        let precision = reached(&scattered, 2, 1).expect("there are figures");
        assert!(!precision.is_within(0.01) && precision.widest_at == 1, "{precision:?}");
    }

    #[test]
    fn nothing_is_precise_before_there_are_rounds() {
        let precision = reached(&History::default(), 2, 1).expect("one is to be judged");
        assert!(!precision.is_within(1.0) && precision.without == 1);
    }

    #[test]
    fn variance_is_found_where_it_lies() {
        // Incarnations differ by a tenth, rounds by a thousandth; and the reverse.
        let lucky =
            history(|i| vec![Some(2_000_000), Some(1_000_000 + 100_000 * (i / 10) + i % 2)]);
        let shares_of = |history| shares(&history, 1).expect("two incarnations");
        let found = shares_of(lucky);
        assert!(found.between > 100.0 * found.within, "{found:?}");
        let noisy = history(|i| vec![Some(2_000_000), Some(1_000_000 + 100_000 * (i % 2))]);
        assert_eq!(shares_of(noisy).between, 0.0);
    }
}
