//! Two sweeps side by side, cell by cell.
//!
//! They were measured at different times, so a ratio of their times has in it
//! whatever the machine did differently: that is what makes this comparison
//! *weak*. A ratio of their speed-ups has less of it, since each speed-up is
//! taken within rounds, and slow drift has cancelled there.

pub(crate) mod cells;
mod differences;
pub(crate) mod drawing;

use harness::{
    Configuration, Job, Placement,
    environment::Environment,
    record::{Failure, Record},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stats::{Estimate, paired::Verdict};

/// Version of the JSON that [`Comparison`] is written as.
pub const COMPARISON_VERSION: u32 = 1;

/// A ratio within this share of 1 counts as no change: what one sweep and its
/// repetition differ by on a machine that is well set up.
pub const MARGIN: f64 = 0.03;

/// What is compared with another of its kind.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// How it is called in the comparison, e.g. its folder.
    pub name: &'a str,
    /// The machine and the build, if they are known.
    pub environment: Option<&'a Environment>,
    /// What was measured.
    pub records: &'a [Record],
}

/// What B is against A.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// [`COMPARISON_VERSION`] of the writer.
    pub version: u32,
    /// Whether both were measured in the same rounds; always false.
    pub paired: bool,
    /// Share that counts as no change.
    pub margin: f64,
    /// A's name.
    pub a: String,
    /// B's name.
    pub b: String,
    /// Names of the sides whose machine and build are not known.
    pub unknown_environments: Vec<String>,
    /// What differs between the machines and the builds.
    pub differences: Vec<Difference>,
    /// Cells that both have, in the order in which A measured them.
    pub cells: Vec<ComparedCell>,
    /// Cells that B lacks.
    pub only_in_a: Vec<CellName>,
    /// Cells that A lacks.
    pub only_in_b: Vec<CellName>,
}

/// A fact of the environment that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which fact.
    pub fact: &'static str,
    /// As it was for A.
    pub a: String,
    /// As it was for B.
    pub b: String,
}

/// What is measured in a cell, whatever the experiment was called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CellName {
    /// What was computed.
    pub job: Job,
    /// Whether start-up, first task and shutdown are in the time.
    pub is_cold: bool,
    /// Who computed.
    pub configuration: Configuration,
    /// Where the workers ran.
    #[serde(default, skip_serializing_if = "Placement::is_free")]
    pub placement: Placement,
}

/// A cell that both sides have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedCell {
    /// What it measures.
    #[serde(flatten)]
    pub name: CellName,
    /// How A measured it.
    pub a: CellSide,
    /// How B measured it.
    pub b: CellSide,
    /// B's median time ÷ A's; absent if either failed.
    pub time_ratio: Option<Estimate>,
    /// B's median speed-up over serial ÷ A's; absent for serial itself, and
    /// without a baseline on both sides.
    pub speed_up_ratio: Option<Estimate>,
    /// On the speed-up where there is one, on the time otherwise.
    pub verdict: Verdict,
}

/// How one side measured a cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CellSide {
    /// Median time in nanoseconds.
    pub time_ns: Option<f64>,
    /// Median speed-up over serial, from ratios within a round.
    pub speed_up: Option<f64>,
    /// Rounds that the figures rest on.
    pub rounds: usize,
    /// Incarnations that those come from.
    pub incarnations: usize,
    /// Whether rounds disturbed by other load had to be used.
    pub contaminated_used: bool,
    /// Whether it had more workers than there were cores.
    pub oversubscribed: bool,
    /// Why there is no time.
    pub failure: Option<Failure>,
}

/// Compares every cell that both sides have. The same sides give the same
/// comparison: what is drawn at random is drawn from A's seed.
#[must_use]
pub fn compare(a: &Side<'_>, b: &Side<'_>) -> Comparison {
    let sides = [a, b];
    let unknown = sides.iter().filter(|side| side.environment.is_none());
    let [of_a, of_b] = sides.map(|side| cells::gather(side.records));
    let only = |these: &[cells::Gathered], others: &[cells::Gathered]| {
        let is_missing =
            |cell: &&cells::Gathered| others.iter().all(|other| other.name != cell.name);
        these.iter().filter(is_missing).map(|cell| cell.name.clone()).collect()
    };
    let seed = cells::seed(a.records);
    let both = of_a.iter().filter_map(|cell| {
        let other = of_b.iter().find(|other| other.name == cell.name)?;
        Some(cells::compared(cell, other, seed))
    });
    Comparison {
        version: COMPARISON_VERSION,
        paired: false,
        margin: MARGIN,
        a: a.name.to_owned(),
        b: b.name.to_owned(),
        unknown_environments: unknown.map(|side| side.name.to_owned()).collect(),
        differences: match (a.environment, b.environment) {
            (Some(a), Some(b)) => differences::between(a, b),
            _ => Vec::new(),
        },
        cells: both.collect(),
        only_in_a: only(&of_a, &of_b),
        only_in_b: only(&of_b, &of_a),
    }
}

impl Comparison {
    /// For machines.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("the model has only string keys") + "\n"
    }

    /// For a terminal of `width` columns, with ANSI colours if `color` is set.
    #[must_use]
    pub fn terminal(&self, width: usize, color: bool) -> String {
        crate::terminal::draw(&drawing::of(self), width, color)
    }

    /// As a page of Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        crate::markdown::draw(&drawing::of(self))
    }
}
