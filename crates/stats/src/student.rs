//! Student's t distribution, as far as intervals need it.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// The t between whose negative and itself Student's distribution with
/// `degrees` degrees of freedom has probability `level`.
///
/// # Panics
///
/// If there are no degrees of freedom, or `level` is not between 0 and 1.
pub(crate) fn quantile(level: f64, degrees: usize) -> f64 {
    assert!(degrees > 0, "Student's distribution needs a degree of freedom");
    assert!(0.0 < level && level < 1.0, "a level lies between 0 and 1");
    // The angle is bounded where t is not, so that halving finds it.
    let (mut below, mut above) = (0.0, FRAC_PI_2);
    // Each step is a bit; a double has 53.
    for _ in 0..60 {
        let angle = f64::midpoint(below, above);
        if between(angle, degrees) < level { below = angle } else { above = angle }
    }
    (degrees as f64).sqrt() * f64::midpoint(below, above).tan()
}

/// The probability between −t and t, where t = √degrees · tan(angle).
///
/// Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964,
/// formulas 26.7.3 and 26.7.4: exact sums for whole degrees of freedom.
fn between(angle: f64, degrees: usize) -> f64 {
    let (sin, cos) = angle.sin_cos();
    let odd = degrees % 2;
    let (mut term, mut sum) = (if odd == 1 { cos } else { 1.0 }, 0.0);
    for power in (odd..degrees.saturating_sub(1)).step_by(2) {
        sum += term;
        term *= cos * cos * (power + 1) as f64 / (power + 2) as f64;
    }
    if odd == 1 { FRAC_2_PI * (angle + sin * sum) } else { sin * sum }
}

/// A mean, the square of its standard error, and its degrees of freedom.
pub(crate) struct Centre {
    pub(crate) mean: f64,
    pub(crate) error: f64,
    pub(crate) degrees: f64,
}

impl Centre {
    pub(crate) fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { mean, error: squares / (count - 1.0) / count, degrees: count - 1.0 }
    }

    /// Student's interval of the mean, of at least two values.
    pub(crate) fn interval(&self, level: f64) -> (f64, f64) {
        let half = quantile(level, self.degrees as usize) * self.error.sqrt();
        (self.mean - half, self.mean + half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 26.10 of Abramowitz and Stegun.
    #[test]
    fn published_values_are_met() {
        let table = [
            (0.95, 1, 12.706),
            (0.95, 2, 4.303),
            (0.95, 3, 3.182),
            (0.95, 4, 2.776),
            (0.95, 5, 2.571),
            (0.95, 10, 2.228),
            (0.95, 30, 2.042),
            (0.95, 120, 1.980),
            (0.99, 4, 4.604),
            (0.999, 1, 636.619),
            (0.999, 2, 31.598),
            (0.999, 5, 6.869),
            (0.999, 10, 4.587),
            (0.999, 29, 3.659),
        ];
        for (level, degrees, expected) in table {
            let found = quantile(level, degrees);
            assert!((found - expected).abs() < 1.1e-3, "{level}, {degrees}: {found}");
        }
    }

    /// One and two degrees have closed forms.
    #[test]
    fn closed_forms_are_met_far_out() {
        for level in [0.2, 0.9, 0.99875, 0.99999] {
            let one = (FRAC_PI_2 * level).tan();
            let two = level * (2.0 / (1.0 - level * level)).sqrt();
            assert!((quantile(level, 1) / one - 1.0).abs() < 1e-9);
            assert!((quantile(level, 2) / two - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn many_degrees_are_nearly_normal() {
        assert!((quantile(0.95, 10_000) - 1.959_964).abs() < 1e-3);
    }
}
