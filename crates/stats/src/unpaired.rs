//! Two contestants that were not measured in the same rounds.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use crate::{
    estimate::{Estimate, FEWEST_VALUES, LEVEL, RESAMPLES, draw, non_empty, percentile_interval},
    quantile::median_in_place,
    student::{self, Centre},
};

/// Median of `above` ÷ median of `below`, with a 95 % interval.
///
/// Groups are incarnations, each with a value a round. With several on both
/// sides, the interval is Welch's over the logarithms of the incarnations'
/// medians, each side with a variance of its own (Welch, "The Generalization
/// of 'Student's' Problem when Several Different Population Variances Are
/// Involved", Biometrika 34, 1947; degrees of freedom by Satterthwaite, rounded
/// down). With one incarnation on a side, nothing tells what others would have
/// given: each side is then resampled by itself, incarnations first, then
/// rounds, from `seed`, and the interval holds the middle of [`RESAMPLES`] ratios.
///
/// It knows what differs from round to round and from incarnation to
/// incarnation, and nothing of what differed between the two occasions: if the
/// machine was slower on one of them, the ratio is off by that, however
/// narrow the interval.
///
/// `None` if a side has no values, or one that is not positive. Without an
/// interval if a side has fewer than [`FEWEST_VALUES`].
///
/// ```
/// let base = [vec![10.0, 10.1, 9.9, 10.0], vec![10.2, 10.1, 10.0, 9.9]];
/// let head = base.clone().map(|group| group.iter().map(|time| time * 1.2).collect());
/// let ratio = stats::ratio_of_medians(&head, &base, 42).unwrap();
/// assert!((ratio.value - 1.2).abs() < 1e-9 && ratio.is_above(1.1));
/// ```
#[must_use]
pub fn ratio_of_medians(above: &[Vec<f64>], below: &[Vec<f64>], seed: u64) -> Option<Estimate> {
    let sides = [above, below].map(non_empty);
    let pooled = sides.each_ref().map(|side| side.concat());
    if pooled.iter().flatten().any(|&value| value <= 0.0 || !value.is_finite()) {
        return None;
    }
    let is_enough = pooled.iter().all(|values| values.len() >= FEWEST_VALUES);
    let value = ratio(pooled.map(|mut values| median_in_place(&mut values)))?;
    if !is_enough {
        return Some(Estimate::without_interval(value));
    }
    if sides.iter().any(|side| side.len() < 2) {
        return Some(resampled(value, &sides, seed));
    }
    let (low, high) = welch(&sides)?;
    // The median of all can lie outside where groups differ in size.
    Some(Estimate::with_interval(value, low.min(value), high.max(value)))
}

/// The interval of the ratio of sides that have two incarnations or more.
fn welch(sides: &[Vec<&[f64]>; 2]) -> Option<(f64, f64)> {
    let centres = |side: &Vec<&[f64]>| -> Option<Vec<f64>> {
        side.iter().map(|group| median_in_place(&mut group.to_vec()).map(f64::ln)).collect()
    };
    let [above, below] = sides.each_ref().map(|side| centres(side).map(|logs| Centre::of(&logs)));
    let (above, below) = above.zip(below)?;
    let error = above.error + below.error;
    let part = |side: &Centre| side.error.powi(2) / side.degrees;
    // Without any variance the degrees of freedom do not matter.
    let degrees = (error.powi(2) / (part(&above) + part(&below))).max(1.0);
    let half = student::quantile(LEVEL, degrees as usize) * error.sqrt();
    let middle = above.mean - below.mean;
    Some(((middle - half).exp(), (middle + half).exp()))
}

fn resampled(value: f64, sides: &[Vec<&[f64]>; 2], seed: u64) -> Estimate {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut resample = Vec::new();
    let ratios: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            ratio(sides.each_ref().map(|side| {
                draw(side, &mut rng, &mut resample);
                median_in_place(&mut resample)
            }))
        })
        .collect();
    percentile_interval(value, &ratios)
}

fn ratio([above, below]: [Option<f64>; 2]) -> Option<f64> {
    above.zip(below).map(|(above, below)| above / below)
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    /// Times about `centre`, whose incarnations share a nearly normal luck
    /// (Irwin and Hall) with a standard deviation of 2 %.
    fn simulated(centre: f64, groups: usize, rng: &mut Pcg64Mcg) -> Vec<Vec<f64>> {
        (0..groups)
            .map(|_| {
                let bell = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
                let luck = (0.02 * bell).exp();
                (0..15).map(|_| centre * luck * (1.0 + 0.05 * rng.random::<f64>())).collect()
            })
            .collect()
    }

    /// How often in 1000 the interval of a ratio of 1.1 holds it.
    fn coverage(groups: [usize; 2]) -> usize {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let holds = |trial| {
            let [a, b] = [(100.0, groups[0]), (110.0, groups[1])]
                .map(|(centre, groups)| simulated(centre, groups, &mut rng));
            let (low, high) = ratio_of_medians(&b, &a, trial).unwrap().interval().unwrap();
            (low..=high).contains(&1.1)
        };
        (0..1_000).map(holds).filter(|&holds| holds).count()
    }

    #[test]
    fn the_interval_covers_the_true_ratio_as_often_as_it_says() {
        for groups in [[3, 3], [3, 8], [8, 8]] {
            let covered = coverage(groups);
            assert!((930..=975).contains(&covered), "{groups:?}: {covered} of 1000");
        }
    }

    #[test]
    fn swapping_the_sides_inverts_ratio_and_interval() {
        let mut rng = Pcg64Mcg::seed_from_u64(5);
        let (a, b) = (simulated(100.0, 4, &mut rng), simulated(150.0, 3, &mut rng));
        let there = ratio_of_medians(&b, &a, 1).unwrap();
        let back = ratio_of_medians(&a, &b, 1).unwrap().map_monotonic(f64::recip);
        let ends = |e: Estimate| [e.value, e.low.unwrap(), e.high.unwrap()];
        for (there, back) in ends(there).into_iter().zip(ends(back)) {
            assert!((there - back).abs() < 1e-9, "{there} {back}");
        }
    }

    #[test]
    fn welchs_interval_is_the_one_that_is_worked_by_hand() {
        // Logarithms 0, 1, 2 and 0, 4: means 1 and 2, squared errors 1/3 and 4,
        // degrees (13/3)² ÷ (1/18 + 16) = 1.17, so 1; t is 12.706.
        let side = |logs: &[f64]| logs.iter().map(|log: &f64| vec![log.exp(); 3]).collect();
        let (above, below): (Vec<_>, Vec<_>) = (side(&[0.0, 1.0, 2.0]), side(&[0.0, 4.0]));
        let estimate = ratio_of_medians(&above, &below, 1).unwrap();
        let half = 12.7062 * (13.0_f64 / 3.0).sqrt();
        assert!((estimate.low.unwrap().ln() - (-1.0 - half)).abs() < 1e-3);
        assert!((estimate.high.unwrap().ln() - (-1.0 + half)).abs() < 1e-3);
    }

    #[test]
    fn one_incarnation_on_a_side_is_resampled_and_the_seed_decides() {
        let mut rng = Pcg64Mcg::seed_from_u64(7);
        let (one, more) = (simulated(100.0, 1, &mut rng), simulated(100.0, 3, &mut rng));
        let estimate = ratio_of_medians(&one, &more, 1).unwrap();
        assert_eq!(ratio_of_medians(&one, &more, 1), Some(estimate));
        let (low, high) = estimate.interval().unwrap();
        assert!(low < high && high - low < 0.2, "{estimate:?}");
    }

    #[test]
    fn times_without_variance_have_an_interval_without_width() {
        let steady = |time: f64| vec![vec![time; 6]; 2];
        let estimate = ratio_of_medians(&steady(3.0), &steady(2.0), 1).unwrap();
        let (low, high) = estimate.interval().unwrap();
        assert!((low - 1.5).abs() < 1e-9 && (high - 1.5).abs() < 1e-9, "{estimate:?}");
    }

    #[test]
    fn too_few_values_on_either_side_give_no_interval_and_none_no_ratio() {
        let (few, many) = (vec![vec![2.0; 5]], vec![vec![4.0; 6]]);
        assert_eq!(ratio_of_medians(&few, &many, 1), Some(Estimate::without_interval(0.5)));
        assert_eq!(ratio_of_medians(&many, &few, 1), Some(Estimate::without_interval(2.0)));
        assert_eq!(ratio_of_medians(&many, &[vec![]], 1), None);
        assert_eq!(ratio_of_medians(&many, &[vec![0.0; 6]], 1), None);
    }
}
