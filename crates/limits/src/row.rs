//! A figure's row of the table, from what its measurement said.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Figure, Goal, Line, Round};

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The figure's name.
    pub figure: String,
    /// What it is.
    pub title: String,
    /// What it is to be.
    pub goal: Goal,
    /// What was found.
    pub outcome: Outcome,
    /// Whether the goal is met; `None` if nothing was measured.
    pub is_met: Option<bool>,
    /// What the samples count.
    pub sample_unit: String,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// What else the machine did meanwhile, where that was too much.
    pub disturbances: Vec<String>,
    /// Every round, with every sample.
    pub rounds: Vec<Round>,
    /// How long it took.
    pub seconds: f64,
}

/// What became of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was measured.
    Measured(Spread),
    /// It cannot be had here.
    NotMeasured {
        /// Why.
        why: String,
    },
    /// Its measurement crashed, fell silent or went wrong.
    Failed {
        /// How.
        why: String,
    },
}

/// The middle of the rounds and where most of them lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The series that it is of: the one farthest from the goal.
    pub series: String,
    /// The median of its rounds.
    pub median: f64,
    /// The first and the third quartile.
    pub quartiles: [f64; 2],
    /// How many rounds.
    pub rounds: usize,
}

impl Row {
    /// The row of `figure` from all lines of its measurement. `failure` is why
    /// it did not come to its end, if it did not.
    #[must_use]
    pub fn new(figure: &Figure, lines: Vec<Line>, failure: Option<String>, time: Duration) -> Self {
        let (mut notes, mut rounds) = (Vec::new(), Vec::new());
        let mut end = None;
        for line in lines {
            match line {
                Line::Note { text } => notes.push(text),
                Line::Round(round) => rounds.push(round),
                last => end = Some(last),
            }
        }
        let outcome = outcome(end, failure, worst(&figure.goal, &rounds));
        let is_met = match &outcome {
            Outcome::Measured(spread) => Some(figure.goal.is_met(spread.median)),
            Outcome::NotMeasured { .. } | Outcome::Failed { .. } => None,
        };
        Self {
            figure: figure.name.to_owned(),
            title: figure.title.to_owned(),
            goal: figure.goal,
            outcome,
            is_met,
            sample_unit: figure.sample_unit.to_owned(),
            notes,
            disturbances: Vec::new(),
            rounds,
            seconds: time.as_secs_f64(),
        }
    }

    /// All series, in the order of their first rounds.
    #[must_use]
    pub fn series(&self) -> Vec<Spread> {
        series(&self.rounds)
    }

    /// By contestant of `series`: the median of its samples.
    #[must_use]
    pub fn contestants(&self, series: &str) -> Vec<(String, f64)> {
        let mut names = Vec::new();
        let mut samples: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for round in self.rounds.iter().filter(|round| round.series == series) {
            for sample in &round.samples {
                let values = samples.entry(&sample.contestant).or_default();
                if values.is_empty() {
                    names.push(sample.contestant.clone());
                }
                values.push(sample.value);
            }
        }
        let median = |name: String| {
            let median = stats::median(&samples[&*name]).unwrap_or(f64::NAN);
            (name, median)
        };
        names.into_iter().map(median).collect()
    }
}

/// What became of a measurement, by its last line and what is known besides.
fn outcome(end: Option<Line>, failure: Option<String>, found: Option<Spread>) -> Outcome {
    match (end, failure, found) {
        (Some(Line::NotMeasured { why }), ..) => Outcome::NotMeasured { why },
        (Some(Line::Failed { why }), ..) | (_, Some(why), _) => Outcome::Failed { why },
        (Some(Line::Done), None, Some(spread)) => Outcome::Measured(spread),
        _ => Outcome::Failed { why: "its measurement ended early".to_owned() },
    }
}

/// The series whose median is farthest from the goal.
fn worst(goal: &Goal, rounds: &[Round]) -> Option<Spread> {
    series(rounds)
        .into_iter()
        .reduce(|worst, next| if goal.is_worse(next.median, worst.median) { next } else { worst })
}

fn series(rounds: &[Round]) -> Vec<Spread> {
    let mut names: Vec<&str> = Vec::new();
    for round in rounds {
        if !names.contains(&&*round.series) {
            names.push(&round.series);
        }
    }
    names.into_iter().filter_map(|name| spread(name, rounds)).collect()
}

fn spread(series: &str, rounds: &[Round]) -> Option<Spread> {
    let values: Vec<f64> =
        rounds.iter().filter(|round| round.series == series).map(|round| round.value).collect();
    Some(Spread {
        series: series.to_owned(),
        median: stats::median(&values)?,
        quartiles: [stats::quantile(&values, 0.25)?, stats::quantile(&values, 0.75)?],
        rounds: values.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sample, find};

    fn round(series: &str, value: f64) -> Line {
        let samples = vec![Sample { contestant: "ours".to_owned(), value: 2.0 * value }];
        Line::Round(Round { series: series.to_owned(), value, samples })
    }

    fn row(lines: Vec<Line>, failure: Option<&str>) -> Row {
        let figure = find("kernel-square").expect("a figure");
        Row::new(figure, lines, failure.map(str::to_owned), Duration::from_secs(2))
    }

    #[test]
    fn the_series_farthest_from_the_goal_counts_and_only_its_rounds() {
        let lines = [0.95, 0.97, 1.1].map(|value| round("near", value)).into_iter();
        let lines = lines.chain([0.5, 0.6, 0.9].map(|value| round("far", value)));
        let row = row(lines.chain([Line::Done]).collect(), None);
        let Outcome::Measured(spread) = &row.outcome else { panic!("{row:?}") };
        assert_eq!((&*spread.series, spread.median, spread.rounds), ("far", 0.6, 3));
        assert_eq!(spread.quartiles, [0.55, 0.75]);
        assert_eq!(row.is_met, Some(false));
        assert_eq!(row.contestants("near"), [("ours".to_owned(), 1.94)]);
    }

    #[test]
    fn a_measurement_that_broke_off_is_no_figure_but_keeps_its_rounds() {
        let broken = "a worker died".to_owned();
        let cases = [
            (None, Some("it was ended by SIGSEGV"), "it was ended by SIGSEGV"),
            (None, None, "its measurement ended early"),
            (Some(Line::Failed { why: broken.clone() }), None, &*broken),
        ];
        for (end, failure, why) in cases {
            let lines = [round("all", 1.0)].into_iter().chain(end).collect();
            let row = row(lines, failure);
            assert_eq!(row.outcome, Outcome::Failed { why: why.to_owned() });
            assert_eq!((row.is_met, row.rounds.len()), (None, 1));
        }
    }
    #[test]
    fn what_cannot_be_had_here_has_not_failed() {
        let why = "no python3".to_owned();
        let row = row(vec![Line::NotMeasured { why: why.clone() }], None);
        assert_eq!((row.outcome, row.is_met), (Outcome::NotMeasured { why }, None));
    }
}
