//! `history.html`: one self-contained page.

use maud::{Markup, html};

use super::{
    CellTrend, History, Trend,
    drawing::{self, Form},
    figure,
};
use crate::{
    comparison::drawing::timed_job,
    html::{document, table_box},
    tables::{Column, Entry, Row, Table, Values},
};

/// What only this page has: a grid of small figures.
const TRENDS: &str = include_str!("trends.css");

pub(super) fn render(history: &History) -> String {
    let runs: usize = history.trends.iter().map(|trend| trend.runs.len()).sum();
    let headline = format!("History of {}", drawing::plural(runs, "sweep"));
    let body = html! {
        header {
            p.brand { "Manyhands" }
            h1 { (headline) }
            p.detail { (drawing::found(history)) }
            nav aria-label="Identities" {
                @for trend in &history.trends {
                    a href=(format!("#{}", trend.identity)) { (trend.identity) }
                }
            }
        }
        main {
            @for trend in &history.trends {
                (section(history, trend))
            }
            (skipped(history))
        }
    };
    document(&headline, TRENDS, &body)
}

fn section(history: &History, trend: &Trend) -> Markup {
    html! {
        section aria-labelledby=(trend.identity) {
            h2 id=(trend.identity) { (drawing::heading(trend)) }
            p.question { (trend.question) }
            p.machine { (drawing::about(trend)) }
            @if trend.runs.len() > 1 {
                (changed(trend))
                @for note in drawing::notes(history) {
                    p.note { (note) }
                }
                @for job in drawing::trend_jobs(trend) {
                    @let cells = trend.cells.iter().filter(|cell| timed_job(&cell.name) == job);
                    (table_box(&drawing::table(trend, job, Form::Page)))
                    details {
                        summary { "Figures of these cells" }
                        (figures(trend, cells))
                    }
                }
            } @else {
                p { "A single run has no trend yet." }
            }
            (table_box(&runs(trend)))
            details {
                summary { "The config as it was run" }
                pre tabindex="0" { (trend.config_toml) }
            }
        }
    }
}

/// The cells with changes, job by job, before everything else.
fn changed(trend: &Trend) -> Markup {
    html! {
        @if trend.cells.iter().all(|cell| !cell.tested) {
            p { "Too few runs for change points, which take " (trend.fewest_runs) "." }
        } @else if trend.changed().next().is_none() {
            p { "No change points." }
        }
        @for job in drawing::trend_jobs(trend) {
            @let cells: Vec<&CellTrend> =
                trend.changed().filter(|cell| timed_job(&cell.name) == job).collect();
            @if !cells.is_empty() {
                h3 { "Changed: " (crate::comparison::drawing::title(job)) }
                (figures(trend, cells.into_iter()))
            }
        }
    }
}

fn figures<'a>(trend: &Trend, cells: impl Iterator<Item = &'a CellTrend>) -> Markup {
    html! {
        div.trends {
            @for cell in cells {
                figure { (figure::draw(trend, cell)) }
            }
        }
    }
}

fn runs(trend: &Trend) -> Table {
    let heading = |title: &str| Column { title: title.to_owned(), right: false, spare: false };
    let row = |(index, run): (usize, &super::Run)| Row {
        keys: vec![drawing::number(index)],
        values: Values::Entries(vec![
            Entry::plain(run.started.clone()),
            Entry::plain(run.commit.clone().unwrap_or_else(|| "unknown".to_owned())),
            Entry::plain(run.folder.clone()),
        ]),
    };
    Table {
        title: "Runs".to_owned(),
        notes: Vec::new(),
        columns: ["run", "started", "commit", "folder"].map(heading).to_vec(),
        keys: 1,
        rows: trend.runs.iter().enumerate().map(row).collect(),
        detail: false,
    }
}

fn skipped(history: &History) -> Markup {
    html! {
        @if !history.skipped.is_empty() {
            section aria-labelledby="skipped" {
                h2 id="skipped" { "Not used" }
                ul {
                    @for skipped in &history.skipped {
                        li { code { (skipped.folder) } ": " (skipped.reason) }
                    }
                }
            }
        }
    }
}
