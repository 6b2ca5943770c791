//! The report's plots, drawn with plotters' SVG backend.
//!
//! - `palette`: one colour, marker and dash for each strategy, in every plot.
//! - `axis`: scales and where their ticks stand.
//! - `chart`: lines with error bars over an axis. `bars`: stacked phases.
//! - `canvas`: what both draw on, and how the result becomes a page's SVG.

mod axis;
mod bars;
mod canvas;
mod chart;
mod efficiency;
mod laws;
mod palette;
mod payload;
mod phases;
mod predictions;
mod speed_up;

use harness::record::ExperimentKind;

use crate::model::{Experiment, Report};

/// One drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plot {
    /// Unique in the report, made of letters, digits and dashes: a file's stem.
    pub name: String,
    /// The experiment that it belongs to.
    pub experiment: String,
    /// What it shows.
    pub title: String,
    /// What is to be seen, in words, for those who do not see it.
    pub description: String,
    /// The SVG document; it adapts to light and dark surroundings.
    pub svg: String,
}

impl Plot {
    /// Where it is written, relative to the report: `plots/NAME.svg`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("plots/{}.svg", self.name)
    }
}

/// Draws every plot that the report has figures for, in the report's order.
#[must_use]
pub fn plots(report: &Report) -> Vec<Plot> {
    let mut plots: Vec<Plot> = report.experiments.iter().flat_map(of).collect();
    for index in 0..plots.len() {
        // Names are made from what a config says, so two may be the same.
        let earlier = plots[..index].iter().filter(|plot| plot.name == plots[index].name).count();
        if earlier > 0 {
            plots[index].name += &format!("-{}", index + 1);
        }
    }
    plots
}

fn of(experiment: &Experiment) -> Vec<Plot> {
    match experiment.kind {
        ExperimentKind::SpeedUp => {
            let mut plots = speed_up::plots(experiment);
            plots.extend(laws::plots(experiment));
            plots
        }
        ExperimentKind::Granularity => {
            let mut plots = efficiency::plots(experiment);
            plots.extend(predictions::plots(experiment));
            plots
        }
        ExperimentKind::StartMethods | ExperimentKind::Table => phases::plots(experiment),
        ExperimentKind::Payload => payload::plots(experiment),
    }
}

/// A file's stem from what a config or a record says.
fn stem(parts: &[&str]) -> String {
    let name: String = parts
        .join("-")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_hold_nothing_that_a_path_could_misread() {
        assert_eq!(stem(&["speed-up", "../Sum of²", "x/y"]), "speed-up-sum-of-x-y");
    }
}
