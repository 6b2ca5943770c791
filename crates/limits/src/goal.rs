//! What a figure is to reach.

use std::fmt;

use serde::{Deserialize, Serialize};

/// On which side of the goal's number the figure has to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The more the better.
    AtLeast,
    /// The less the better.
    AtMost,
}

/// What a figure's number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// One time or throughput divided by another.
    Times,
    /// Microseconds.
    Microseconds,
    /// Hundredths of one core.
    PercentOfACore,
    /// Things that happened.
    Count,
}

/// A comparison with a number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The comparison.
    pub bound: Bound,
    /// The number.
    pub value: f64,
    /// What it counts.
    pub unit: Unit,
}

impl Goal {
    /// At least `value`.
    pub(crate) const fn at_least(value: f64, unit: Unit) -> Self {
        Self { bound: Bound::AtLeast, value, unit }
    }

    /// At most `value`.
    pub(crate) const fn at_most(value: f64, unit: Unit) -> Self {
        Self { bound: Bound::AtMost, value, unit }
    }

    /// Whether `measured` reaches it. What is not a number does not.
    #[must_use]
    pub fn is_met(&self, measured: f64) -> bool {
        match self.bound {
            Bound::AtLeast => measured >= self.value,
            Bound::AtMost => measured <= self.value,
        }
    }

    /// Whether `a` is farther from reaching it than `b`.
    #[must_use]
    pub fn is_worse(&self, a: f64, b: f64) -> bool {
        match self.bound {
            Bound::AtLeast => a < b,
            Bound::AtMost => a > b,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.bound {
            Bound::AtLeast => "≥",
            Bound::AtMost => "≤",
        };
        let (value, unit) = (self.value, self.unit.suffix());
        // A goal is written as it was set, thousands apart.
        match value as u64 {
            whole if value >= 1_000.0 => {
                write!(f, "{sign} {} {:03}{unit}", whole / 1_000, whole % 1_000)
            }
            _ => write!(f, "{sign} {value}{unit}"),
        }
    }
}

impl Unit {
    /// What stands behind a number of it.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Times => "×",
            Self::Microseconds => " µs",
            Self::PercentOfACore => " %",
            Self::Count => "",
        }
    }

    /// `value` in three digits or so.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        format!("{}{}", three_digits(value), self.suffix())
    }
}

/// A number in as many digits as it deserves.
#[must_use]
pub(crate) fn three_digits(value: f64) -> String {
    if value.abs() >= 1e5 {
        return format!("{value:.1e}");
    }
    let decimals = match value.abs() {
        0.0 => 0,
        ..0.1 => 4,
        ..1.0 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_from_its_own_number_on() {
        let least = Goal::at_least(3.5, Unit::Times);
        assert_eq!([3.499, 3.5, 9.0].map(|x| least.is_met(x)), [false, true, true]);
        let most = Goal::at_most(0.25, Unit::Times);
        assert_eq!([0.0, 0.25, 0.2501].map(|x| most.is_met(x)), [true, true, false]);
    }

    #[test]
    fn what_is_not_a_number_meets_no_goal() {
        for goal in [Goal::at_least(1.0, Unit::Times), Goal::at_most(1.0, Unit::Times)] {
            assert!(!goal.is_met(f64::NAN), "{goal}");
        }
    }

    #[test]
    fn the_worse_of_two_is_the_one_farther_from_the_goal() {
        assert!(Goal::at_least(1.0, Unit::Times).is_worse(0.9, 2.0));
        assert!(Goal::at_most(1.0, Unit::Times).is_worse(2.0, 0.9));
    }

    #[test]
    fn goals_are_written_as_they_were_set() {
        let goals = [
            Goal::at_least(3.5, Unit::Times),
            Goal::at_least(4_000.0, Unit::Times),
            Goal::at_most(1.0, Unit::Microseconds),
            Goal::at_most(0.1, Unit::PercentOfACore),
            Goal::at_most(0.0, Unit::Count),
        ];
        let shown = goals.map(|goal| goal.to_string());
        assert_eq!(shown, ["≥ 3.5×", "≥ 4 000×", "≤ 1 µs", "≤ 0.1 %", "≤ 0"]);
    }
}
