//! Contestants, and what is common to all of their measurements.

use std::time::{Duration, Instant};

use crate::trouble::Result;

/// Somebody who can be measured again and again.
pub(crate) struct Contestant<'a> {
    pub(crate) name: String,
    /// Does it once and says what it took, in the figure's unit of samples.
    pub(crate) run: Box<dyn FnMut() -> Result<f64> + 'a>,
}

impl<'a> Contestant<'a> {
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut() -> Result<f64> + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// Rounds of the trial that finds out who is fastest.
const TRIAL_ROUNDS: usize = 5;

/// The one of `candidates` whose median is lowest; all of them are tried in
/// alternation, after one run each that does not count.
pub(crate) fn fastest(candidates: &mut [Contestant<'_>]) -> Result<usize> {
    let mut samples = vec![Vec::new(); candidates.len()];
    for round in 0..=TRIAL_ROUNDS {
        for place in order(candidates.len(), round) {
            let value = (candidates[place].run)()?;
            if round > 0 {
                samples[place].push(value);
            }
        }
    }
    let medians: Vec<f64> =
        samples.iter().map(|samples| stats::median(samples).unwrap_or(f64::INFINITY)).collect();
    let best = (0..medians.len()).min_by(|&a, &b| medians[a].total_cmp(&medians[b]));
    Ok(best.unwrap_or_default())
}

/// Who comes when: backwards in every second round, so that nobody is always
/// behind the same one.
pub(crate) fn order(contestants: usize, round: usize) -> Vec<usize> {
    match round % 2 {
        0 => (0..contestants).collect(),
        _ => (0..contestants).rev().collect(),
    }
}

/// Nanoseconds that each of `count` takes in `work`.
pub(crate) fn each<E>(
    count: usize,
    work: impl FnOnce() -> std::result::Result<(), E>,
) -> std::result::Result<f64, E> {
    let begun = Instant::now();
    work()?;
    Ok(nanoseconds(begun.elapsed()) / count as f64)
}

pub(crate) fn nanoseconds(time: Duration) -> f64 {
    time.as_nanos() as f64
}

/// How often something has to be done for that to take about `time`, if
/// `run(n)` does it so many times and says how long each took, in nanoseconds.
pub(crate) fn count_for(
    time: Duration,
    mut run: impl FnMut(usize) -> Result<f64>,
) -> Result<usize> {
    let mut count = 4;
    loop {
        let took = run(count)? * count as f64;
        if took * 4.0 >= nanoseconds(time) || count >= 1 << 24 {
            let wanted = count as f64 * nanoseconds(time) / took.max(1.0);
            return Ok((wanted as usize).max(1));
        }
        count *= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_is_the_one_whose_median_is_lowest_not_its_best() {
        let mut lucky = [1.0, 90.0, 1.0, 90.0, 90.0, 90.0].into_iter().cycle();
        let mut candidates = [
            Contestant::new("slow", || Ok(100.0)),
            Contestant::new("steady", || Ok(50.0)),
            Contestant::new("lucky", move || Ok(lucky.next().unwrap_or_default())),
        ];
        assert_eq!(fastest(&mut candidates).ok(), Some(1));
    }

    #[test]
    fn a_count_is_found_that_fills_the_time() {
        let count = count_for(Duration::from_millis(1), |_| Ok(100.0)).expect("no trouble");
        assert_eq!(count, 10_000);
        let slow = count_for(Duration::from_millis(1), |_| Ok(5e9)).expect("no trouble");
        assert_eq!(slow, 1);
    }

    #[test]
    fn every_second_round_is_backwards() {
        assert_eq!(order(3, 0), [0, 1, 2]);
        assert_eq!(order(3, 1), [2, 1, 0]);
    }
}
