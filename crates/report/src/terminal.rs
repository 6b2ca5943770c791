//! The report as plain text for a terminal.

use harness::record::ExperimentKind;
use unicode_width::UnicodeWidthStr;

use crate::{
    comparison::drawing::Sheet,
    format,
    model::{Experiment, Report},
    tables::{self, Entry, Row, Table, Tone, Values},
};

/// Blanks between columns.
const GAP: usize = 2;

/// Below this width, lines are allowed to be longer than asked: the longest
/// strategy's name and one value need that much.
const NARROWEST: usize = 40;

/// Draws the verdicts and the tables that answer the questions, at most
/// `width` columns wide, with ANSI colours if `color` is set.
///
/// Tables that are wider are continued below themselves.
#[must_use]
pub fn render(report: &Report, width: usize, color: bool) -> String {
    let mut page = Page { text: String::new(), width: width.max(NARROWEST), color };
    page.paragraph(&report.headline, Style::Strong);
    if let Some(detail) = &report.headline_detail {
        page.paragraph(detail, Style::Plain);
    }
    if !report.complete {
        page.paragraph("The sweep was interrupted; what follows is what it had.", Style::Failed);
    }
    for experiment in &report.experiments {
        page.experiment(experiment);
    }
    if let Some(share) = &report.driver {
        page.text.push('\n');
        let cost = format!("The driver itself {}.", format::driver_share(share));
        page.paragraph(&cost, Style::Faint);
    }
    page.text
}

/// Draws the classic table alone, 80 columns wide, without colours: seconds
/// with four decimals and the ratio beside. Empty if the sweep has none.
#[must_use]
pub fn classic_table(report: &Report) -> String {
    let mut page = Page { text: String::new(), width: 80, color: false };
    let of_kind = report.experiments.iter().filter(|e| e.kind == ExperimentKind::Table);
    for experiment in of_kind {
        page.table(&tables::classic(experiment));
    }
    page.text
}

/// Draws a comparison as [`render`] draws a report.
pub(crate) fn draw(sheet: &Sheet, width: usize, color: bool) -> String {
    let mut page = Page { text: String::new(), width: width.max(NARROWEST), color };
    page.paragraph(&sheet.title, Style::Strong);
    for paragraph in &sheet.paragraphs {
        page.paragraph(paragraph, Style::Plain);
    }
    page.items(&sheet.differences);
    for table in &sheet.tables {
        page.text.push('\n');
        page.table(table);
    }
    page.text.push('\n');
    for note in &sheet.notes {
        page.paragraph(note, Style::Faint);
    }
    page.items(&sheet.missing);
    page.text
}

struct Page {
    text: String,
    width: usize,
    color: bool,
}

#[derive(Clone, Copy)]
enum Style {
    Plain,
    Strong,
    Faint,
    Better,
    Worse,
    Failed,
}

impl Style {
    /// Select Graphic Rendition parameters, ECMA-48 section 8.3.117.
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Faint => Some("2"),
            Self::Better => Some("32"),
            Self::Worse => Some("33"),
            Self::Failed => Some("31"),
        }
    }
}

impl Page {
    fn experiment(&mut self, experiment: &Experiment) {
        self.text.push('\n');
        self.paragraph(&format!("── {} ──", experiment.name), Style::Strong);
        if let Some(question) = &experiment.question {
            self.paragraph(question, Style::Faint);
        }
        self.items(&experiment.verdicts);
        for table in tables::of(experiment).iter().filter(|table| !table.detail) {
            self.text.push('\n');
            self.table(table);
        }
        let notes = [tables::placement(experiment), tables::stopping(experiment)];
        for note in notes.into_iter().flatten() {
            self.paragraph(&note, Style::Faint);
        }
    }

    fn table(&mut self, table: &Table) {
        self.paragraph(&table.title, Style::Strong);
        let shortened = without_spare_columns(table, self.width);
        let table = shortened.as_ref().unwrap_or(table);
        for part in parts(table, self.width) {
            self.part(table, &part);
        }
        for note in &table.notes {
            self.paragraph(note, Style::Faint);
        }
    }

    /// Draws the keys and the values of some columns.
    fn part(&mut self, table: &Table, part: &Part) {
        let key_columns = table.columns[..table.keys].iter();
        let columns: Vec<_> = key_columns.chain(&table.columns[part.columns.clone()]).collect();
        let fields = columns.iter().zip(&part.widths);
        let heading =
            fields.map(|(column, &width)| (pad(&column.title, width, column.right), Style::Faint));
        self.line(heading.collect());
        for row in &table.rows {
            let key = |(key, (column, &width)): (&String, (&&_, &usize))| {
                let column: &tables::Column = column;
                (pad(key, width, column.right), Style::Plain)
            };
            let mut fields: Vec<(String, Style)> =
                row.keys.iter().zip(columns.iter().zip(&part.widths)).map(key).collect();
            match &row.values {
                Values::Instead(why) => fields.push((why.clone(), Style::Failed)),
                Values::Entries(entries) => {
                    let values = columns.iter().zip(&part.widths).skip(table.keys);
                    let first = part.columns.start - table.keys;
                    fields.extend(entries[first..].iter().zip(values).map(
                        |(entry, (column, &width))| {
                            (pad(&entry.text, width, column.right), style(entry))
                        },
                    ));
                }
            }
            self.line(fields);
        }
    }

    fn line(&mut self, fields: Vec<(String, Style)>) {
        let mut line = String::new();
        for (index, (field, style)) in fields.iter().enumerate() {
            let gap = if index == 0 { 0 } else { GAP };
            line.push_str(&" ".repeat(gap));
            line.push_str(&self.styled(field, *style));
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn paragraph(&mut self, text: &str, style: Style) {
        for line in textwrap::wrap(text, wrapping(self.width)) {
            self.line(vec![(line.into_owned(), style)]);
        }
    }

    fn items(&mut self, texts: &[String]) {
        let options = wrapping(self.width).initial_indent("• ").subsequent_indent("  ");
        for line in texts.iter().flat_map(|text| textwrap::wrap(text, &options)) {
            self.line(vec![(line.into_owned(), Style::Plain)]);
        }
    }

    fn styled(&self, text: &str, style: Style) -> String {
        match style.code().filter(|_| self.color && !text.trim().is_empty()) {
            Some(code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            None => text.to_owned(),
        }
    }
}

/// Breaks lines at blanks only: names such as `shm-pool` stay whole.
fn wrapping(width: usize) -> textwrap::Options<'static> {
    textwrap::Options::new(width)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
}

/// The table without the columns that can be spared, if it is too wide with them.
fn without_spare_columns(table: &Table, width: usize) -> Option<Table> {
    let last = table.columns.len() - 1;
    if !table.columns[last].spare || parts(table, width).len() == 1 {
        return None;
    }
    let mut shortened = table.clone();
    shortened.columns.truncate(last);
    for row in &mut shortened.rows {
        if let Values::Entries(entries) = &mut row.values {
            entries.truncate(last - table.keys);
        }
    }
    Some(shortened)
}

/// Columns of a table that fit on one line beside its keys.
struct Part {
    columns: std::ops::Range<usize>,
    /// Of the keys and of these columns.
    widths: Vec<usize>,
}

/// Splits a table's value columns so that each part is at most `width` wide.
fn parts(table: &Table, width: usize) -> Vec<Part> {
    let widths: Vec<usize> = (0..table.columns.len()).map(|c| column_width(table, c)).collect();
    let (keys, values) = widths.split_at(table.keys);
    let key_width: usize = keys.iter().sum::<usize>() + GAP * keys.len().saturating_sub(1);
    let mut parts: Vec<Part> = Vec::new();
    let mut used = usize::MAX;
    for (value, &column_width) in values.iter().enumerate() {
        let column = table.keys + value;
        if used.saturating_add(GAP + column_width) > width {
            parts.push(Part { columns: column..column, widths: keys.to_vec() });
            used = key_width;
        }
        if let Some(part) = parts.last_mut() {
            part.columns.end = column + 1;
            part.widths.push(column_width);
        }
        used += GAP + column_width;
    }
    parts
}

fn column_width(table: &Table, column: usize) -> usize {
    let text = |row: &Row| match (column.checked_sub(table.keys), &row.values) {
        (None, _) => row.keys[column].width(),
        (Some(value), Values::Entries(entries)) => entries[value].text.width(),
        (Some(_), Values::Instead(_)) => 0,
    };
    table.rows.iter().map(text).chain([table.columns[column].title.width()]).max().unwrap_or(0)
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(text.width()));
    if right { blanks + text } else { text.to_owned() + &blanks }
}

fn style(entry: &Entry) -> Style {
    match entry.tone {
        Tone::Plain => Style::Plain,
        Tone::Better => Style::Better,
        Tone::Worse => Style::Worse,
        Tone::Failed => Style::Failed,
    }
}
