//! `driver sweep` of a config with `[limits]`: a table of goals.
//!
//! Each figure is measured by a process of its own. One that crashes or falls
//! silent is a row that says so, and nothing else is lost.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use harness::environment::Environment;
use limits::{Figure, Outcome, Row};
use serde::{Deserialize, Serialize};

use super::measuring::watch_signals;
use crate::{
    client::figure,
    config::{Config, Limits},
    error::Error,
    interrupt::{Interrupt, Interrupted},
    measure::validity::Span,
    outcome::End,
    printing,
    storage::{self, Folder, StorageError},
};

const JSON: &str = "limits.json";
const MARKDOWN: &str = "limits.md";
const PYTHON: &str = "limits_python.py";

/// The time of a sweep with `--quick`.
const QUICK: Duration = Duration::from_secs(60);

/// What a figure takes besides its rounds: starting, filling, and trying the
/// peers.
const PREPARING: f64 = 2.0;

/// `limits.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Results {
    /// How long everything took.
    seconds: f64,
    rows: Vec<Row>,
}

/// Where the results go.
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    /// Whether `reports/latest` is to point at it.
    pub(super) is_latest: bool,
}

/// Measures the figures of `config`, prints their table and writes it to the
/// folder, raw samples and all.
///
/// Goals that are missed are no failure.
///
/// # Errors
///
/// If the folder cannot be written or signals cannot be watched.
pub(super) fn execute(
    config: &mut Config,
    limits: &Limits,
    is_quick: bool,
    environment: &Environment,
    place: &Place<'_>,
) -> Result<End, Error> {
    let begun = Instant::now();
    if is_quick {
        config.time_budget = config.time_budget.min(QUICK);
    }
    let folder = Folder::found(place.path, environment, config)?;
    folder.replace(PYTHON, limits::PYTHON_SCRIPT)?;
    let interrupt = watch_signals()?;
    printing::note(&config.question);
    let figures: Vec<&Figure> =
        limits.figures.iter().filter_map(|name| limits::find(name)).collect();
    let pace = pace(&figures, config.time_budget);
    let mut results = Results { seconds: 0.0, rows: Vec::new() };
    for (number, figure) in (1..).zip(&figures) {
        let terms = limits::Terms {
            time: Duration::from_secs_f64(figure.seconds * pace),
            python_script: Some(folder.path().join(PYTHON)),
        };
        let Ok(row) = measure(figure, &terms, config, &interrupt) else { break };
        printing::note(&format!("[{number:>2}/{}] {}", figures.len(), in_a_line(&row)));
        results.rows.push(row);
        results.seconds = begun.elapsed().as_secs_f64();
        write(&folder, &results)?;
    }
    // What has no rows was not written.
    if !results.rows.is_empty() {
        show(&folder, &results)?;
    }
    if interrupt.check().is_err() {
        printing::note(&format!("interrupted after {} figures", results.rows.len()));
        return Ok(End::Interrupted);
    }
    if place.is_latest {
        storage::point_latest(folder.path())?;
    }
    Ok(end_of(&results))
}

/// Prints the table of `folder` again and writes its Markdown anew.
///
/// # Errors
///
/// If the results are damaged, or cannot be printed.
pub(super) fn redraw(folder: &Folder) -> Result<End, Error> {
    let text = folder.text(JSON)?;
    let results: Results = serde_json::from_str(&text)
        .map_err(|error| StorageError::damaged(&folder.path().join(JSON), error))?;
    write(folder, &results)?;
    show(folder, &results)?;
    Ok(end_of(&results))
}

/// By what the time of each figure is multiplied to fit into `budget`; a
/// generous budget lengthens none.
fn pace(figures: &[&Figure], budget: Duration) -> f64 {
    let preparing = PREPARING * figures.len() as f64;
    let rounds: f64 = figures.iter().map(|figure| figure.seconds).sum();
    ((budget.as_secs_f64() - preparing) / rounds).clamp(0.0, 1.0)
}

fn measure(
    figure: &Figure,
    terms: &limits::Terms,
    config: &Config,
    interrupt: &Interrupt,
) -> Result<Row, Interrupted> {
    let (begun, span) = (Instant::now(), Span::begin(config.validity));
    let (lines, failure) = figure::measure(figure, terms, config.deadline, interrupt)?;
    let mut row = Row::new(figure, lines, failure, begun.elapsed());
    row.disturbances = span.end().contaminated;
    Ok(row)
}

/// Complete, unless a measurement failed; a goal is no measurement.
fn end_of(results: &Results) -> End {
    let has_failed = |row: &Row| matches!(row.outcome, Outcome::Failed { .. });
    End::failed_if(results.rows.iter().any(has_failed))
}

fn in_a_line(row: &Row) -> String {
    let found = match &row.outcome {
        Outcome::Measured(spread) => {
            let median = row.goal.unit.show(spread.median);
            let disturbed = if row.disturbances.is_empty() { "" } else { ", disturbed" };
            format!("{median} ({}), {} rounds{disturbed}", row.goal, spread.rounds)
        }
        Outcome::NotMeasured { why } => format!("not measured: {why}"),
        Outcome::Failed { why } => format!("failed: {why}"),
    };
    format!("{}: {found} in {:.1} s", row.figure, row.seconds)
}

fn write(folder: &Folder, results: &Results) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(results).expect("results are plain data");
    folder.replace(JSON, &json)?;
    let summary = limits::table::summary(&results.rows, results.seconds);
    let text = format!("# Limits\n\n{}\n{summary}.\n", limits::table::markdown(&results.rows));
    Ok(folder.replace(MARKDOWN, &text)?)
}

fn show(folder: &Folder, results: &Results) -> Result<(), Error> {
    let Results { seconds, rows } = results;
    let table = limits::table::terminal(rows, printing::width());
    let summary = limits::table::summary(rows, *seconds);
    printing::print(&format!("{table}\n{summary}\n"))
        .map_err(|cause| Error::output_of(folder.path(), cause))?;
    printing::note(&format!("report: {}", folder.path().join(MARKDOWN).display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_shortens_every_figure_alike_and_lengthens_none() {
        let figures: Vec<&Figure> = limits::FIGURES.iter().collect();
        let total: f64 = figures.iter().map(|figure| figure.seconds + PREPARING).sum();
        let pace = |seconds| pace(&figures, Duration::from_secs_f64(seconds));
        assert!((pace(total) - 1.0).abs() < 1e-9);
        assert!(pace(total * 10.0) <= 1.0);
        assert!((0.2..0.8).contains(&pace(total / 1.6)));
        assert!(pace(1.0) <= 0.0);
    }
}
