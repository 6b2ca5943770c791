//! How many rounds a comparison needs, from the noise of a few.

use crate::quantile::quantile;

/// Fewest rounds that any interval of a median can rest on; see
/// [`FEWEST_VALUES`](crate::estimate::FEWEST_VALUES).
const FEWEST: u32 = crate::estimate::FEWEST_VALUES as u32;

/// Half of the middle 95 % of a standard normal distribution.
const Z: f64 = 1.959_964;

/// Half the width of the 95 % interval of a median of `rounds` values, if
/// they scatter as `values` do.
///
/// The sign test's interval of a median reaches from the (1/2 − δ)- to the
/// (1/2 + δ)-quantile of the values, δ = 1.96 / (2 √rounds), whatever their
/// distribution (Conover, "Practical Nonparametric Statistics", 1999, section
/// 3.2). Quantiles beyond the quartiles are taken from the values as they
/// are; between the quartiles they are interpolated linearly, since a few
/// hundred values do not tell them apart so near the median.
///
/// `None` if there are fewer than six values or rounds.
#[must_use]
pub fn half_width(values: &[f64], rounds: u32) -> Option<f64> {
    const QUARTER: f64 = 0.25;
    if values.len() < FEWEST as usize || rounds < FEWEST {
        return None;
    }
    let delta = Z / 2.0 / f64::from(rounds).sqrt();
    let half =
        |delta: f64| Some((quantile(values, 0.5 + delta)? - quantile(values, 0.5 - delta)?) / 2.0);
    if delta > QUARTER { half(delta) } else { Some(half(QUARTER)? * delta / QUARTER) }
}

/// The fewest rounds after which the 95 % interval of the median of values
/// like these is at most ± `precision`, in the unit of `values`.
///
/// For the logarithms of in-round ratios, `0.01` is "± 1 %".
///
/// `None` if there are fewer than six values, or if more than 2³² rounds
/// would be needed.
///
/// ```
/// // A spread of which the quartiles are 4 % apart.
/// let ratios: Vec<f64> = (0..=100).map(|i| f64::from(i - 50) * 0.0008).collect();
/// let rounds = stats::rounds_for(&ratios, 0.01).unwrap();
/// assert_eq!(rounds, 62, "(1.96 x 0.04 / 0.01) squared");
/// ```
#[must_use]
pub fn rounds_for(values: &[f64], precision: f64) -> Option<u32> {
    let enough = |rounds: u32| half_width(values, rounds).map(|half| half <= precision);
    if !enough(u32::MAX)? {
        return None;
    }
    // More rounds never widen the interval, so the range can be halved.
    let (mut low, mut high) = (FEWEST, u32::MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        if enough(middle)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;
    use crate::median;

    /// Irwin and Hall: nearly normal, with a standard deviation of one.
    fn bell(rng: &mut Pcg64Mcg) -> f64 {
        (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
    }

    #[test]
    fn medians_of_as_many_rounds_as_promised_lie_within_the_precision() {
        let mut rng = Pcg64Mcg::seed_from_u64(11);
        let pilot: Vec<f64> = (0..400).map(|_| bell(&mut rng) * 0.03).collect();
        let rounds = rounds_for(&pilot, 0.01).unwrap();
        // Theory for a normal distribution: (1.96 x 1.2533 x 0.03 / 0.01)².
        assert!((40..80).contains(&rounds), "{rounds}");
        let within = (0..1_000)
            .filter(|_| {
                let values: Vec<f64> = (0..rounds).map(|_| bell(&mut rng) * 0.03).collect();
                median(&values).unwrap().abs() <= 0.01
            })
            .count();
        assert!((920..=990).contains(&within), "{within} of 1000");
    }

    #[test]
    fn more_rounds_never_widen_the_interval() {
        let mut rng = Pcg64Mcg::seed_from_u64(2);
        let values: Vec<f64> = (0..100).map(|_| bell(&mut rng).powi(3)).collect();
        let halves: Vec<f64> = (6..500).map(|n| half_width(&values, n).unwrap()).collect();
        assert!(halves.windows(2).all(|pair| pair[1] <= pair[0]), "{halves:?}");
    }

    #[test]
    fn a_machine_without_noise_needs_the_fewest_rounds_that_give_an_interval() {
        assert_eq!(rounds_for(&[0.0; 50], 0.01), Some(6));
    }

    #[test]
    fn too_few_values_tell_nothing() {
        assert_eq!(rounds_for(&[0.1; 5], 0.01), None);
        assert_eq!(half_width(&[0.1; 50], 5), None);
    }
}
