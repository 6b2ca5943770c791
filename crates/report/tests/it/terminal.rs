//! What the terminal shows.

use report::{analyse, terminal};
use unicode_width::UnicodeWidthStr;

use crate::synthetic::{self, STRATEGIES, Synthetic};

#[test]
fn no_line_is_wider_than_the_terminal() {
    let report = analyse(&synthetic::whole_sweep(1));
    for width in [60, 80, 100, 160] {
        for line in terminal::render(&report, width, false).lines() {
            assert!(line.width() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn every_strategy_and_every_failure_is_in_the_tables() {
    let text = terminal::render(&analyse(&synthetic::whole_sweep(1)), 80, false);
    let tables: Vec<&str> = text.split("\nstrategy ").skip(1).collect();
    assert!(tables.len() >= 10);
    for table in tables {
        for name in &STRATEGIES[1..] {
            assert!(table.lines().any(|line| line.starts_with(name)), "{name} in {table}");
        }
    }
    for kind in ["worker died (in run)", "deadline passed (in run)", "skipped"] {
        assert!(text.contains(kind), "{kind}");
    }
}

#[test]
fn colours_are_an_addition_and_change_no_text() {
    let report = analyse(&synthetic::whole_sweep(1));
    let colored = terminal::render(&report, 80, true);
    assert!(colored.contains("\u{1b}[32m"));
    let mut plain = String::new();
    for (index, part) in colored.split('\u{1b}').enumerate() {
        plain += if index == 0 { part } else { part.split_once('m').unwrap().1 };
    }
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&plain), trimmed(&terminal::render(&report, 80, false)));
}

#[test]
fn the_classic_table_shows_seconds_with_four_decimals_and_the_ratio_beside() {
    let mut sweep = Synthetic::new(1);
    sweep.table();
    let table = terminal::classic_table(&analyse(&sweep.finish()));
    for name in STRATEGIES {
        let row = table.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        let fields: Vec<&str> = row.split_whitespace().collect();
        for seconds in &fields[2..4] {
            let seconds = seconds.trim_end_matches('!');
            assert_eq!(seconds.split_once('.').unwrap().1.len(), 4, "{row}");
        }
        assert!(fields[4].parse::<f64>().unwrap() > 0.0);
    }
}
