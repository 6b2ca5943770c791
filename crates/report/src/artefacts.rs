//! Everything that is written beside the records, in one call.

use crate::{Report, SweepData, analyse, html, markdown, plots, summary};

/// One file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artefact {
    /// Relative to the report's folder, with `/`: `plots/speed-up-cube.svg`.
    pub path: String,
    /// All of it.
    pub contents: String,
}

/// Analyses `data` and renders `report.json`, `summary.csv`, `tables.md`,
/// `plots/*.svg` and `index.html`. The same data give the same bytes.
#[must_use]
pub fn artefacts(data: &SweepData) -> Vec<Artefact> {
    of_report(&analyse(data))
}

fn of_report(report: &Report) -> Vec<Artefact> {
    let plots = plots(report);
    let mut json = serde_json::to_string_pretty(report).expect("the model has only string keys");
    json.push('\n');
    let file = |path: &str, contents: String| Artefact { path: path.to_owned(), contents };
    let mut artefacts = vec![
        file("index.html", html::render(report, &plots)),
        file("report.json", json),
        file("summary.csv", summary::render(report)),
        file("tables.md", markdown::render(report, &plots)),
    ];
    artefacts
        .extend(plots.into_iter().map(|plot| Artefact { path: plot.path(), contents: plot.svg }));
    artefacts
}
