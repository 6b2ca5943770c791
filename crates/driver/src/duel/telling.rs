//! A duel's verdicts, for people and for programs.

use std::fmt::Write;

use serde::Serialize;
use serde_json::json;
use stats::paired::Verdict;

use super::{Judged, Outcome, Terms};
use crate::trackers::Figure;

/// Everything about a duel that is told.
#[derive(Clone, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) judged: &'a [Judged],
    pub(crate) terms: &'a Terms,
    /// Base, then head, as the user has named them.
    pub(crate) builds: [&'a str; 2],
    pub(crate) outcome: Outcome,
}

/// A cell, for programs.
#[derive(Serialize)]
struct CellJson<'a> {
    cell: String,
    ratio: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    level: Option<f64>,
    /// Of the sign test.
    sign_test: Option<(f64, f64)>,
    verdict: String,
    rounds: usize,
    disturbed: u32,
    failure: Option<String>,
    /// Logarithms of head's time over base's, by life.
    log_ratios: &'a [Vec<f64>],
}

impl Told<'_> {
    /// The table, within 80 columns.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{:<44} {:<22} verdict\n", "cell", "head ÷ base");
        text += &format!("{}\n", "─".repeat(80));
        for one in self.judged {
            let _ = writeln!(text, "{:<44} {:<22} {}", shortened(one), figure(one), word(one));
        }
        for one in self.judged {
            if let Some(failure) = failure(one) {
                let _ = writeln!(text, "\n{}: {failure}", one.cell.name());
            }
        }
        let _ = writeln!(text, "\n{}\n{}", self.counts(), self.sentence());
        text
    }

    /// For the summary of a CI job or a comment.
    pub(crate) fn markdown(&self) -> String {
        let [base, head] = self.builds;
        let mut text = format!("## Duel: {}\n\n", self.sentence());
        let _ = writeln!(text, "`{head}` against `{base}`.\n");
        text += "| cell | head ÷ base | verdict |\n| :-- | --: | :-- |\n";
        for one in self.judged {
            let _ = writeln!(text, "| {} | {} | {} |", one.cell.name(), figure(one), word(one));
        }
        for one in self.judged {
            if let Some(failure) = failure(one) {
                let _ = write!(text, "\n{}: {failure}\n", one.cell.name());
            }
        }
        let _ = write!(text, "\n{}\n", self.counts());
        text
    }

    /// All of it.
    pub(crate) fn json(&self) -> serde_json::Value {
        let Terms { time, lives, margin, false_alarms, seed } = self.terms;
        let [base, head] = self.builds;
        json!({
            "outcome": self.outcome.name(),
            "base": base,
            "head": head,
            "terms": {
                "seconds": time.as_secs_f64(),
                "lives": lives,
                "margin": margin,
                "false_alarms": false_alarms,
                "seed": seed,
            },
            "cells": self.judged.iter().map(cell_json).collect::<Vec<_>>(),
        })
    }

    /// A ratio a cell, with its interval, for trackers of benchmarks.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let figures = self.judged.iter().filter_map(|one| {
            let ratio = one.ratio?;
            Some(Figure {
                name: one.cell.name(),
                measure: "head-over-base",
                unit: "× base".to_owned(),
                value: ratio.value,
                interval: ratio.interval(),
            })
        });
        figures.collect()
    }

    /// Lines that GitHub shows at the change.
    pub(crate) fn annotations(&self) -> String {
        let mut text = String::new();
        for one in self.judged {
            let kind = match (one.verdict, &one.cell.failure) {
                (_, Some(_)) | (Verdict::Slower, _) => "error",
                (Verdict::Inconclusive, _) => "notice",
                (Verdict::Faster | Verdict::Same, _) => continue,
            };
            let _ = writeln!(
                text,
                "::{kind} title=duel::{}: {} {}",
                one.cell.name(),
                figure(one),
                word(one)
            );
        }
        text
    }

    fn counts(&self) -> String {
        let rounds: usize = self.judged.iter().map(|one| one.cell.rounds()).sum();
        let disturbed: u32 = self.judged.iter().map(|one| one.cell.disturbed).sum();
        let lives = self.judged.iter().map(|one| one.cell.lives.len()).max().unwrap_or(0);
        format!(
            "{} cells, {lives} lives, {rounds} rounds; {disturbed} more were disturbed and do \
             not count",
            self.judged.len()
        )
    }

    fn sentence(&self) -> String {
        let margin = self.terms.margin * 100.0;
        match self.outcome {
            Outcome::Pass => format!("pass: nothing is slower by more than {margin} %"),
            Outcome::Regression => {
                let slower = |one: &&Judged| one.verdict == Verdict::Slower;
                let count = self.judged.iter().filter(slower).count();
                format!("regression: {count} slower by more than {margin} %")
            }
            Outcome::Inconclusive => {
                format!("inconclusive: whether anything is slower by more than {margin} % is open")
            }
            Outcome::Broken => "broken: not everything could be measured".to_owned(),
        }
    }
}

fn cell_json(one: &Judged) -> CellJson<'_> {
    CellJson {
        cell: one.cell.name(),
        ratio: one.ratio.map(|ratio| ratio.value),
        low: one.ratio.and_then(|ratio| ratio.low),
        high: one.ratio.and_then(|ratio| ratio.high),
        level: one.ratio.map(|ratio| ratio.level),
        sign_test: one.sign,
        verdict: word(one),
        rounds: one.cell.rounds(),
        disturbed: one.cell.disturbed,
        failure: failure(one),
        log_ratios: &one.cell.lives,
    }
}

fn word(one: &Judged) -> String {
    match one.cell.failure {
        Some(_) => "failed".to_owned(),
        None => one.verdict.to_string(),
    }
}

fn figure(one: &Judged) -> String {
    match one.ratio {
        None => "–".to_owned(),
        Some(ratio) => match ratio.interval() {
            Some((low, high)) => format!("{:.3} [{low:.3}–{high:.3}]", ratio.value),
            None => format!("{:.3}", ratio.value),
        },
    }
}

fn failure(one: &Judged) -> Option<String> {
    let (side, failure) = one.cell.failure.as_ref()?;
    Some(format!("{} failed ({}): {}", side.name(), failure.kind, failure.message))
}

/// Its name, as far as there is room.
fn shortened(one: &Judged) -> String {
    const COLUMNS: usize = 44;
    let name = one.cell.name();
    match name.char_indices().nth(COLUMNS) {
        None => name,
        Some(_) => name.chars().take(COLUMNS - 1).chain(['…']).collect(),
    }
}
