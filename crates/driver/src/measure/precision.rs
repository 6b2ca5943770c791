//! Whether every interval of a block is as narrow as was asked.

use super::history::{CleanRound, History};

/// Whether the relative half-width of every live configuration's speed-up is
/// at most `precision`; of its time, if the baseline has none.
pub(super) fn reached(history: &History, configurations: usize, precision: f64, seed: u64) -> bool {
    let live = (0..configurations).filter(|index| !history.failed.contains(index));
    let baseline_lives = !history.failed.contains(&0);
    let mut live = live.filter(|&index| !baseline_lives || index != 0).peekable();
    live.peek().is_some()
        && live.all(|index| {
            let groups = groups(&history.clean, |round| figure(round, index, baseline_lives));
            stats::median_with_interval(&groups, seed)
                .and_then(|estimate| estimate.relative_half_width())
                .is_some_and(|half_width| half_width <= precision)
        })
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
        assert!(reached(&drifting, 2, 0.01, 1));
    }

    #[test]
    fn scattered_ratios_are_not_precise() {
        let scattered = history(|i| vec![Some(2_000), Some(500 + 997 * i % 1_500)]);
        assert!(!reached(&scattered, 2, 0.01, 1));
    }

    #[test]
    fn nothing_is_precise_before_there_are_rounds() {
        assert!(!reached(&History::default(), 2, 1.0, 1));
    }
}
