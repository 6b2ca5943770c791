//! The report as one self-contained page: no script, no network, no other file.

mod facts;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    model::{Experiment, Report},
    plots::Plot,
    tables::{self, Entry, Row, Table, Tone, Values},
};

/// Colours and layout; a file of its own so that it can be read as CSS.
const STYLE: &str = include_str!("style.css");

/// Draws the page: the verdict first, then each experiment's question,
/// answers, plots and tables, then the machine and the method.
#[must_use]
pub fn render(report: &Report, plots: &[Plot]) -> String {
    let body = html! {
        (header(report))
        main {
            @for (index, experiment) in report.experiments.iter().enumerate() {
                (section(index, experiment, plots))
            }
            (facts::environment(report))
            (facts::method())
        }
    };
    document(&report.headline, "", &body)
}

/// A whole page, with `style` besides that of all pages.
pub(crate) fn document(headline: &str, style: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Manyhands: " (headline) }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

fn header(report: &Report) -> Markup {
    html! {
        header {
            p.brand { "Manyhands" }
            h1 { (prose(&report.headline)) }
            @if let Some(detail) = &report.headline_detail {
                p.detail { (prose(detail)) }
            }
            @if !report.complete {
                p.alert { "The sweep was interrupted; this page shows what it had." }
            }
            p.machine { (facts::machine_line(report)) }
            nav aria-label="Experiments" {
                @for (index, experiment) in report.experiments.iter().enumerate() {
                    a href=(format!("#experiment-{index}")) { (experiment.name) }
                }
                a href="#environment" { "environment" }
                a href="#method" { "method" }
            }
        }
    }
}

fn section(index: usize, experiment: &Experiment, plots: &[Plot]) -> Markup {
    let (details, tables): (Vec<Table>, Vec<Table>) =
        tables::of(experiment).into_iter().partition(|table| table.detail);
    let heading = format!("experiment-{index}");
    html! {
        section aria-labelledby=(heading) {
            h2 id=(heading) { (experiment.name) }
            @if let Some(question) = &experiment.question {
                p.question { (question) }
            }
            ul.verdicts {
                @for verdict in &experiment.verdicts {
                    li { (prose(verdict)) }
                }
            }
            @for note in [tables::placement(experiment), tables::stopping(experiment)] {
                @if let Some(note) = note { p.note { (prose(&note)) } }
            }
            @for plot in plots.iter().filter(|plot| plot.experiment == experiment.name) {
                figure tabindex="0" {
                    // Drawn by this crate, which escapes every text in it.
                    (PreEscaped(&plot.svg))
                }
            }
            @for table in &tables {
                (table_box(table))
            }
            @if !details.is_empty() {
                details {
                    summary { "More tables (" (details.len()) ")" }
                    @for table in &details {
                        (table_box(table))
                    }
                }
            }
        }
    }
}

/// Running text in which names such as `shm-pool/fork` are not torn apart.
fn prose(text: &str) -> Markup {
    html! {
        @for (index, word) in text.split(' ').enumerate() {
            @if index > 0 { " " }
            @if word.contains('-') { span.whole { (word) } } @else { (word) }
        }
    }
}

/// A table that scrolls in its own box where the page is narrow.
pub(crate) fn table_box(table: &Table) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(table.title) {
            table {
                caption { (table.title) }
                thead {
                    tr {
                        @for column in &table.columns {
                            th scope="col" class=[(!column.right).then_some("text")] {
                                (column.title)
                            }
                        }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        (table_row(table, row))
                    }
                }
            }
        }
        @for note in &table.notes {
            p.note { (note) }
        }
    }
}

fn table_row(table: &Table, row: &Row) -> Markup {
    html! {
        tr {
            @for (key, column) in row.keys.iter().zip(&table.columns) {
                th scope="row" class=[(!column.right).then_some("text")] { (key) }
            }
            @match &row.values {
                Values::Instead(why) => {
                    td.failed colspan=(table.columns.len() - table.keys) { (why) }
                }
                Values::Entries(entries) => {
                    @for (entry, column) in entries.iter().zip(&table.columns[table.keys..]) {
                        (value(entry, column.right))
                    }
                }
            }
        }
    }
}

fn value(entry: &Entry, right: bool) -> Markup {
    let class = match (entry.tone, right) {
        (Tone::Better, _) => Some("better"),
        (Tone::Worse, _) => Some("worse"),
        (Tone::Failed, _) => Some("failed"),
        (Tone::Plain, false) => Some("text"),
        (Tone::Plain, true) => None,
    };
    html! { td class=[class] { (entry.text) } }
}
