//! The report's tables as Markdown.

use crate::{
    comparison::drawing::Sheet,
    format,
    model::Report,
    plots::Plot,
    tables::{self, Table, Values},
};

/// Writes `tables.md`: verdicts, all tables, and links to the plots beside it.
#[must_use]
pub fn render(report: &Report, plots: &[Plot]) -> String {
    let mut page = format!("# {}\n", escape(&report.headline));
    if let Some(detail) = &report.headline_detail {
        page += &format!("\n{}\n", escape(detail));
    }
    if !report.complete {
        page += "\n**The sweep was interrupted; what follows is what it had.**\n";
    }
    for experiment in &report.experiments {
        page += &format!("\n## {}\n", escape(&experiment.name));
        if let Some(question) = &experiment.question {
            page += &format!("\n*{}*\n", escape(question));
        }
        page += &items(&experiment.verdicts);
        let notes = [tables::placement(experiment), tables::stopping(experiment)];
        for note in notes.into_iter().flatten() {
            page += &format!("\n{}\n", escape(&note));
        }
        for plot in plots.iter().filter(|plot| plot.experiment == experiment.name) {
            page += &format!("\n![{}]({})\n", escape(&plot.title), plot.path());
        }
        for table in tables::of(experiment) {
            page += &render_table(&table);
        }
    }
    if let Some(share) = &report.driver {
        page += &format!("\nThe driver itself {}.\n", format::driver_share(share));
    }
    page
}

/// Writes a comparison as [`render`] writes a report.
pub(crate) fn draw(sheet: &Sheet) -> String {
    let mut page = format!("# {}\n", sheet.title);
    for paragraph in &sheet.paragraphs {
        page += &format!("\n{}\n", escape(paragraph));
    }
    page += &items(&sheet.differences);
    for table in &sheet.tables {
        page += &render_table(table);
    }
    for note in &sheet.notes {
        page += &format!("\n{}\n", escape(note));
    }
    page += &items(&sheet.missing);
    page
}

/// A list after an empty line; nothing if there are none.
fn items(texts: &[String]) -> String {
    let lines: String = texts.iter().map(|text| format!("- {}\n", escape(text))).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

fn render_table(table: &Table) -> String {
    let mut text = format!("\n### {}\n\n", escape(&table.title));
    text += &line(table.columns.iter().map(|column| column.title.as_str()));
    text += &line(table.columns.iter().map(|column| if column.right { "--:" } else { ":--" }));
    let values = table.columns.len() - table.keys;
    for row in &table.rows {
        let keys = row.keys.iter().map(String::as_str);
        text += &match &row.values {
            Values::Entries(entries) => line(keys.chain(entries.iter().map(|e| e.text.as_str()))),
            Values::Instead(why) => line(keys.chain(std::iter::repeat_n(why.as_str(), values))),
        };
    }
    for note in &table.notes {
        text += &format!("\n{}\n", escape(note));
    }
    text
}

fn line<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let fields: Vec<String> = fields.map(escape).collect();
    format!("| {} |\n", fields.join(" | "))
}

/// Takes from `text` what Markdown would read as markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => escaped.push(' '),
            '\\' | '|' | '*' | '_' | '`' | '<' | '[' | ']' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_stays_text() {
        assert_eq!(escape("a|b *c* <script> [x]\ny"), r"a\|b \*c\* \<script> \[x\] y");
    }
}
