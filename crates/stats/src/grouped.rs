//! The interval of a centre of values that come in groups.

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

use crate::{
    estimate::{FEWEST_VALUES, LEVEL, RESAMPLES, draw},
    quantile::quantile,
    student::Centre,
};

/// The mean of what `centre` finds in the middle of each group, and its
/// interval at `level`, unless there are fewer than [`FEWEST_VALUES`] values.
///
/// With several groups it is Student's interval. Whatever a group's values
/// share is in its centre, so the spread of the centres holds both sources of
/// chance, in whatever proportion they come. One group tells nothing of what
/// groups differ in: its interval is a percentile bootstrap of its values,
/// which speaks for this group alone.
///
/// `None` without groups. None of them may be empty.
pub(crate) fn centre(
    groups: &[&[f64]],
    level: f64,
    seed: u64,
    centre: impl Fn(&mut [f64]) -> Option<f64>,
) -> Option<(f64, Option<(f64, f64)>)> {
    let centres: Option<Vec<f64>> =
        groups.iter().map(|group| centre(&mut group.to_vec())).collect();
    let centres = centres?;
    let values: usize = groups.iter().map(|group| group.len()).sum();
    let interval = match centres.len() {
        0 => return None,
        _ if values < FEWEST_VALUES => None,
        1 => bootstrap(groups, level, seed, centre),
        _ => Some(Centre::of(&centres).interval(level)),
    };
    Some((Centre::of(&centres).mean, interval))
}

fn bootstrap(
    groups: &[&[f64]],
    level: f64,
    seed: u64,
    centre: impl Fn(&mut [f64]) -> Option<f64>,
) -> Option<(f64, f64)> {
    let tail = (1.0 - level) / 2.0;
    // As many beyond an end as the usual number leaves at the usual level.
    let resamples = RESAMPLES as f64 * (1.0 - LEVEL) / (1.0 - level);
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut resample = Vec::new();
    let centres: Vec<f64> = (0..resamples.ceil() as usize)
        .filter_map(|_| {
            draw(groups, &mut rng, &mut resample);
            centre(&mut resample)
        })
        .collect();
    quantile(&centres, tail).zip(quantile(&centres, 1.0 - tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantile::median_in_place;

    /// Medians 1, 2 and 6: mean 3, standard deviation √7; t is 4.3027.
    #[test]
    fn several_groups_give_students_interval_of_their_centres() {
        let groups: [&[f64]; 3] = [&[0.0, 1.0, 9.0], &[2.0], &[5.0, 7.0]];
        let (value, interval) = centre(&groups, 0.95, 1, median_in_place).unwrap();
        let (low, high) = interval.unwrap();
        assert!((value - 3.0).abs() < 1e-12);
        let half = 4.302_65 * (7.0f64 / 3.0).sqrt();
        assert!((low - (3.0 - half)).abs() < 1e-4 && (high - (3.0 + half)).abs() < 1e-4);
    }

    #[test]
    fn a_higher_level_needs_a_wider_interval() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i * 17 % 40)).collect();
        let halves: Vec<&[f64]> = values.chunks(20).collect();
        for groups in [&[values.as_slice()], halves.as_slice()] {
            let width = |level| {
                let (_, interval) = centre(groups, level, 1, median_in_place).unwrap();
                let (low, high) = interval.unwrap();
                high - low
            };
            assert!(width(0.99875) > width(0.95));
        }
    }
}
