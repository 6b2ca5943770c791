//! Rows, for people.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use crate::{
    Outcome, Row, Spread,
    goal::{Unit, three_digits},
};

const HEADER: [&str; 4] = ["figure", "goal", "measured", "met"];
const GAP: &str = "  ";

/// Columns of all but the first, which gets the rest.
const GOAL: usize = 8;
const MEASURED: usize = 24;
const MET: usize = 4;

/// The least that is left to the first.
const LEAST_FIGURE: usize = 20;

/// A table of `width` columns: `figure | goal | measured | met`. What was
/// measured is the median of the rounds, with its quartiles. A verdict with `!`
/// was reached while others used the machine.
#[must_use]
pub fn terminal(rows: &[Row], width: usize) -> String {
    let fixed = GOAL + MEASURED + MET + 3 * GAP.len();
    let figure = width.saturating_sub(fixed).max(LEAST_FIGURE);
    let mut text = line([HEADER[0], HEADER[1], HEADER[2], HEADER[3]], figure);
    let _ = writeln!(text, "{}", "─".repeat(figure + fixed));
    for row in rows {
        let titles = textwrap::wrap(&row.title, figure);
        let (measured, met) = match &row.outcome {
            Outcome::Measured(spread) => (vec![shown(row, spread)], marked(row)),
            Outcome::NotMeasured { .. } | Outcome::Failed { .. } => {
                let why = missing(&row.outcome);
                let wrapped = textwrap::wrap(&why, MEASURED + GAP.len() + MET);
                (wrapped.into_iter().map(String::from).collect(), String::new())
            }
        };
        let goal = row.goal.to_string();
        for place in 0..titles.len().max(measured.len()) {
            let (goal, met) = if place == 0 { (&*goal, &*met) } else { ("", "") };
            let title = titles.get(place).map_or("", |title| title);
            let measured = measured.get(place).map_or("", |measured| measured);
            text += &line([title, goal, measured, met], figure);
        }
    }
    text
}

/// The same as Markdown, and below it what each figure was computed from.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from("| figure | goal | measured | met |\n| :-- | --: | --: | :-- |\n");
    for row in rows {
        let measured = match &row.outcome {
            Outcome::Measured(spread) => shown(row, spread),
            missed => missing(missed),
        };
        let _ = writeln!(text, "| {} | {} | {measured} | {} |", row.title, row.goal, marked(row));
    }
    for row in rows {
        let _ = write!(text, "\n## {}\n\n{} (`{}`). ", row.title, row.goal, row.figure);
        let _ = writeln!(text, "{:.1} s.", row.seconds);
        for note in row.notes.iter().chain(&row.disturbances) {
            let _ = writeln!(text, "\n- {note}");
        }
        if !row.rounds.is_empty() {
            text += &details(row);
        }
        if let Outcome::NotMeasured { why } | Outcome::Failed { why } = &row.outcome {
            let _ = writeln!(text, "\n{why}");
        }
    }
    text
}

/// How many goals are met, missed, and not measured, how long it took, and what
/// `!` means if there is one.
#[must_use]
pub fn summary(rows: &[Row], seconds: f64) -> String {
    let count = |is_met| rows.iter().filter(|row| row.is_met == is_met).count();
    let counts = format!(
        "{} of {} goals met, {} missed, {} not measured; {seconds:.0} s",
        count(Some(true)),
        rows.len(),
        count(Some(false)),
        count(None),
    );
    let disturbed = rows.iter().filter(|row| !row.disturbances.is_empty()).count();
    match disturbed {
        0 => counts,
        _ => format!(
            "{counts}\n! others used the machine meanwhile ({disturbed} rows): measure again"
        ),
    }
}

fn details(row: &Row) -> String {
    let mut text = format!("\n| series | rounds | figure | medians, {} |\n", row.sample_unit);
    text += "| :-- | --: | --: | :-- |\n";
    for spread in row.series() {
        let contestants = row.contestants(&spread.series).into_iter();
        let medians = contestants.map(|(name, value)| format!("{name}: {}", three_digits(value)));
        let medians = medians.collect::<Vec<_>>().join("; ");
        let (series, rounds) = (&spread.series, spread.rounds);
        let _ = writeln!(text, "| {series} | {rounds} | {} | {medians} |", shown(row, &spread));
    }
    text
}

/// Whether the goal is met, with a mark if the row was disturbed.
fn marked(row: &Row) -> String {
    let verdict = match row.is_met {
        Some(true) => "yes",
        Some(false) => "no",
        None => return String::new(),
    };
    format!("{verdict}{}", if row.disturbances.is_empty() { "" } else { "!" })
}

/// The median with its unit, and the quartiles without.
fn shown(row: &Row, spread: &Spread) -> String {
    let unit: Unit = row.goal.unit;
    let [low, high] = spread.quartiles.map(three_digits);
    format!("{} [{low}–{high}]", unit.show(spread.median))
}

/// What stands in the place of a figure.
fn missing(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Measured(_) => String::new(),
        Outcome::NotMeasured { why } => format!("not measured: {}", first_line(why)),
        Outcome::Failed { why } => format!("failed: {}", first_line(why)),
    }
}

/// Messages may have a line of help, for which a table has no room.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn line([title, goal, measured, met]: [&str; 4], figure: usize) -> String {
    let padded = |text: &str, width: usize| " ".repeat(width.saturating_sub(text.width()));
    let line = format!(
        "{title}{}{GAP}{}{goal}{GAP}{measured}{}{GAP}{met}",
        padded(title, figure),
        padded(goal, GOAL),
        padded(measured, MEASURED),
    );
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{FIGURES, Line, Round, Sample};

    /// Every figure, measured as `value`.
    fn rows(value: f64) -> Vec<Row> {
        let row = |figure| {
            let samples = vec![Sample { contestant: "shm-pool".to_owned(), value }];
            let round = Round { series: "all".to_owned(), value, samples };
            Row::new(figure, vec![Line::Round(round), Line::Done], None, Duration::from_secs(1))
        };
        FIGURES.iter().map(row).collect()
    }

    fn absent(why: &str) -> Vec<Row> {
        let row = |figure| {
            let line = Line::NotMeasured { why: why.to_owned() };
            Row::new(figure, vec![line], None, Duration::from_secs(1))
        };
        FIGURES.iter().map(row).collect()
    }

    fn failed(why: &str) -> Vec<Row> {
        let row = |figure| Row::new(figure, Vec::new(), Some(why.to_owned()), Duration::ZERO);
        FIGURES.iter().map(row).collect()
    }

    #[test]
    fn no_line_is_wider_than_asked_whatever_the_numbers() {
        let reasons = [
            absent("no python3"),
            failed("the pool's worker was killed by signal 9\nhelp: look for what kills it"),
        ];
        let values = [0.0, 0.012_345, 1.0, 123.4, 98_765.4, 1_234_567.8].map(rows);
        for rows in values.iter().chain(&reasons) {
            for width in [80, 100] {
                let text = terminal(rows, width);
                let widest = text.lines().map(UnicodeWidthStr::width).max();
                assert!(widest <= Some(width), "{widest:?}:\n{text}");
            }
        }
    }

    #[test]
    fn a_row_says_goal_median_quartiles_and_whether_it_is_met() {
        let text = terminal(&rows(3.6)[..1], 80);
        let row = text.lines().nth(2).expect("a row");
        for part in ["shm-pool, trivial task", "≥ 3.5×", "3.60× [3.60–3.60]", "yes"] {
            assert!(row.contains(part), "{part}: {text}");
        }
        assert!(terminal(&rows(3.4)[..1], 80).contains("no\n"));
    }

    #[test]
    fn a_verdict_that_was_disturbed_is_marked_and_the_summary_says_what_that_means() {
        let mut rows = rows(3.6);
        rows.truncate(1);
        rows[0].disturbances.push("other processes used 40 % of the cores".to_owned());
        assert!(terminal(&rows, 80).contains("  yes!\n"));
        assert!(summary(&rows, 1.0).contains("! others used the machine meanwhile (1 rows)"));
        assert!(markdown(&rows).contains("- other processes used 40 % of the cores"));
    }

    #[test]
    fn what_was_not_measured_says_why_in_its_place() {
        let text = terminal(&absent("no python3\nhelp: install it")[..1], 80);
        assert!(text.contains("not measured: no python3\n"), "{text}");
    }

    #[test]
    fn markdown_has_a_row_a_figure_and_the_medians_of_its_contestants() {
        let text = markdown(&rows(2.0));
        for figure in FIGURES {
            assert!(text.contains(&format!("| {} |", figure.title)), "{}", figure.name);
        }
        assert!(text.contains("| all | 1 | 2.00× [2.00–2.00] | shm-pool: 2.00 |"), "{text}");
    }

    #[test]
    fn the_summary_counts_what_is_met_missed_and_missing() {
        let all: Vec<Row> = rows(1e9).into_iter().chain(absent("no python3")).collect();
        let met = rows(1e9).iter().filter(|row| row.is_met == Some(true)).count();
        let said = summary(&all, 3.2);
        let missed = FIGURES.len() - met;
        assert_eq!(
            said,
            format!(
                "{met} of {} goals met, {missed} missed, {} not measured; 3 s",
                2 * FIGURES.len(),
                FIGURES.len()
            )
        );
    }
}
