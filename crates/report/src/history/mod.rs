//! Sweeps that ask the same of the same machine, over time.
//!
//! A sweep's identity is its whole configuration and the machine that it ran on.
//! Only sweeps of one identity share a trend. What a trend shows of a cell is its
//! speed-up over serial in the same rounds: that holds from one day to the next
//! where a time does not.

mod drawing;
mod figure;
mod page;
mod trends;

use harness::{environment::Environment, record::Record};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stats::{Estimate, median, median_with_interval};

pub use crate::comparison::CellName;
use crate::comparison::cells::{gather, seed};

/// Version of `history.json`. It changes when a reader of the previous version
/// would misunderstand.
pub const HISTORY_VERSION: u32 = 1;

/// Probability, at one look, of any change point at all where nothing has changed.
pub const ALARM_RATE: f64 = 0.01;

/// One finished sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// Where it lies.
    pub folder: String,
    /// The machine, the build, and when it was.
    pub environment: Environment,
    /// The config as run, in a form in which equal configs are equal texts.
    pub config_toml: String,
    /// What it was to find out.
    pub question: String,
    /// What came of it: see [`cells`].
    pub cells: Vec<SweepCell>,
}

/// What a sweep found of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepCell {
    /// What was measured.
    pub name: CellName,
    /// Whether it had more workers than there were cores.
    pub oversubscribed: bool,
    /// Speed-up over serial and median time in nanoseconds; absent if it failed.
    pub figures: Option<(Estimate, f64)>,
}

/// The cells of a sweep that are compared with serial.
#[must_use]
pub fn cells(records: &[Record]) -> Vec<SweepCell> {
    let seed = seed(records);
    let parallel = gather(records).into_iter();
    let parallel = parallel.filter(|cell| !cell.name.configuration.strategy.is_serial());
    let cell = |cell: crate::comparison::cells::Gathered| {
        let speed_up = median_with_interval(&cell.speed_ups, seed);
        let time = median(&cell.times.concat());
        SweepCell {
            oversubscribed: cell.oversubscribed,
            figures: speed_up.zip(time).filter(|_| cell.failure.is_none()),
            name: cell.name,
        }
    };
    parallel.map(cell).collect()
}

/// All that is known of many sweeps: the content of `history.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// [`HISTORY_VERSION`] of the writer.
    pub version: u32,
    /// Probability, at one look, of any change point at all where nothing has changed.
    pub alarm_rate: f64,
    /// Cells that were looked at for change points: the rate is for all together.
    pub cells_tested: usize,
    /// Runs from which on cells were looked at; if none were, the fewest that any of
    /// the trends needs.
    pub fewest_runs: usize,
    /// One for each identity, that of the latest run first.
    pub trends: Vec<Trend>,
    /// Folders that no trend is made of.
    pub skipped: Vec<Skipped>,
}

/// A folder that is in no trend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Where it lies.
    pub folder: String,
    /// Why.
    pub reason: String,
}

/// All runs of one identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trend {
    /// The FNV-1a hash of config and machine, in hexadecimal digits: a name for
    /// people. Runs are told apart by config and machine themselves.
    pub identity: String,
    /// Processor, if it is known.
    pub cpu: Option<String>,
    /// Cores that could be used.
    pub available_cores: usize,
    /// What is to be found out.
    pub question: String,
    /// The whole configuration.
    pub config_toml: String,
    /// In order of time.
    pub runs: Vec<Run>,
    /// Runs that all its cells must have for a change to be shown in any of them, as
    /// long as there are no more of the other trends; 0 if that was not told.
    #[serde(default)]
    pub fewest_runs: usize,
    /// In the order of the latest run that has them.
    pub cells: Vec<CellTrend>,
}

/// When and where a run was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Where it lies.
    pub folder: String,
    /// Seconds since 1970-01-01 UTC.
    pub started_unix_s: u64,
    /// The same as a date: `2026-11-21 03:04 UTC`.
    pub started: String,
    /// Commit of the driver, with `-dirty` if the tree had changes.
    pub commit: Option<String>,
}

/// A cell over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellTrend {
    /// What it measures.
    #[serde(flatten)]
    pub name: CellName,
    /// Whether it has more workers than there are cores.
    pub oversubscribed: bool,
    /// Runs that have figures of it, in order of time.
    pub points: Vec<TrendPoint>,
    /// Whether it has enough of them to be looked at for change points.
    pub tested: bool,
    /// In order of time.
    pub changes: Vec<Change>,
}

/// What a run found of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrendPoint {
    /// Index into [`Trend::runs`].
    pub run: usize,
    /// Serial time ÷ this time in the same round.
    pub speed_up: Estimate,
    /// Median time in nanoseconds. Weak: those of two runs do not compare.
    pub time_ns: f64,
}

/// A cell leaves its level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Index into [`Trend::runs`] of the first run at the new level.
    pub run: usize,
    /// Median speed-up of the runs from here to the next change ÷ that of the runs
    /// back to the last one. The interval takes the place of the change as known.
    pub speed_up_ratio: Estimate,
    /// How probable so clear a change would be in this cell if there was none.
    pub p_value: f64,
}

/// Makes trends of all `sweeps`, whatever their order. A sweep that lies in two
/// folders is one run.
#[must_use]
pub fn history(sweeps: Vec<Sweep>, skipped: Vec<Skipped>) -> History {
    trends::history(sweeps, skipped)
}

impl History {
    /// For machines: `history.json`.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("the model has only string keys") + "\n"
    }

    /// The JSON schema of this model, as `history.schema.json` holds it.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// For a terminal of `width` columns, with ANSI colours if `color` is set.
    #[must_use]
    pub fn terminal(&self, width: usize, color: bool) -> String {
        let sheets = drawing::sheets(self);
        sheets.iter().map(|sheet| crate::terminal::draw(sheet, width, color)).collect()
    }

    /// As a self-contained page: `history.html`.
    #[must_use]
    pub fn html(&self) -> String {
        page::render(self)
    }
}

impl Trend {
    /// What changed, cell by cell.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &CellTrend> {
        self.cells.iter().filter(|cell| !cell.changes.is_empty())
    }
}
