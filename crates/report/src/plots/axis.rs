//! Scales and where their ticks stand.

use std::ops::Range;

use plotters::coord::ranged1d::{
    AsRangedCoord, KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter,
};

use crate::format::round_label;

/// An axis in the coordinates that it is drawn in: logarithmic axes hold
/// exponents, so that every axis is linear to the drawing code.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) title: String,
    pub(super) low: f64,
    pub(super) high: f64,
    /// Positions and labels, ascending.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From zero to a little above `largest`, about six round ticks.
    pub(super) fn from_zero(title: &str, largest: f64, label: impl Fn(f64) -> String) -> Self {
        let largest = if largest.is_finite() && largest > 0.0 { largest } else { 1.0 };
        let step = round_step(largest / 5.0);
        let high = largest * 1.1;
        let ticks = (0..).map(|k| f64::from(k) * step).take_while(|&tick| tick <= high);
        let ticks = ticks.map(|tick| (tick, round_label(&label(tick)))).collect();
        Self { title: title.to_owned(), low: 0.0, high, ticks }
    }

    /// Powers of `base` around `values`, which must be positive; at most
    /// about eight ticks. Coordinates are logarithms to that base.
    pub(super) fn logarithmic(
        title: &str,
        base: f64,
        values: impl Iterator<Item = f64>,
        label: impl Fn(f64) -> String,
    ) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for exponent in values.map(|value| value.log(base)) {
            (low, high) = (low.min(exponent), high.max(exponent));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let margin = ((high - low) * 0.03).max(0.05);
        (low, high) = (low - margin, high + margin);
        let every = ((high - low) / 8.0).ceil().max(1.0) as i32;
        let exponents = low.ceil() as i32..=high.floor() as i32;
        let ticks = exponents
            .filter(|exponent| exponent.rem_euclid(every) == 0)
            .map(|exponent| (f64::from(exponent), round_label(&label(base.powi(exponent)))))
            .collect();
        Self { title: title.to_owned(), low, high, ticks }
    }

    /// One place for each of `labels`, at 0, 1, 2, …
    pub(super) fn places(title: &str, labels: Vec<String>) -> Self {
        let high = labels.len() as f64 - 0.5;
        let ticks = labels.into_iter().enumerate().map(|(i, label)| (i as f64, label)).collect();
        Self { title: title.to_owned(), low: -0.5, high, ticks }
    }
}

/// An axis as plotters wants it: it places the ticks and labels them.
pub(super) struct Scale<'a>(&'a Axis);

impl<'a> From<&'a Axis> for Scale<'a> {
    fn from(axis: &'a Axis) -> Self {
        Self(axis)
    }
}

impl<'a> AsRangedCoord for &'a Axis {
    type CoordDescType = Scale<'a>;
    type Value = f64;
}

impl Ranged for Scale<'_> {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.0.low) / (self.0.high - self.0.low);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.0.ticks.iter().map(|&(position, _)| position).collect()
    }

    fn range(&self) -> Range<f64> {
        self.0.low..self.0.high
    }
}

impl ValueFormatter<f64> for Scale<'_> {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.0.ticks.iter().find(|(position, _)| position == value);
        tick.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let found = steps.into_iter().map(|s| s * power).find(|&s| s >= step * 0.999);
    found.unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_from_zero_are_round_and_few() {
        let axis = Axis::from_zero("", 3.7, |tick| format!("{tick}"));
        let labels: Vec<&str> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["0", "1", "2", "3", "4"]);
    }

    #[test]
    fn a_logarithmic_axis_has_its_ticks_at_powers() {
        let axis = Axis::logarithmic("", 10.0, [20.0, 3e6].into_iter(), |tick| format!("{tick}"));
        let labels: Vec<&str> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["100", "1000", "10000", "100000", "1000000"]);
    }

    #[test]
    fn an_axis_without_values_can_still_be_drawn() {
        assert!(Axis::from_zero("", f64::NAN, |_| String::new()).high > 0.0);
        let empty = Axis::logarithmic("", 2.0, std::iter::empty(), |_| String::new());
        assert!(empty.low < empty.high);
    }
}
