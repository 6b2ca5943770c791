//! A duel's verdicts, for people and for programs.

use std::fmt::Write;

use serde::Serialize;
use serde_json::json;
use stats::paired::Verdict;

use super::{Ended, Judged, Terms, was_settled};
use crate::{gate::Outcome, trackers::Figure};

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
    ended: Ended,
    rounds: usize,
    disturbed: usize,
    /// Whether those count, being more than half.
    disturbed_used: bool,
    /// Lives with rounds that count.
    lives_used: usize,
    failure: Option<String>,
    /// Logarithms of head's time over base's in clean rounds, by life.
    log_ratios: Vec<&'a [f64]>,
    /// The same of disturbed rounds.
    disturbed_log_ratios: Vec<&'a [f64]>,
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
            if let Some(failure) = one.failure() {
                let _ = writeln!(text, "\n{}: {failure}", one.cell.name());
            }
        }
        let _ = writeln!(text, "\n{}\n{}\n{}", self.counts(), self.ending(), self.sentence());
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
            if let Some(failure) = one.failure() {
                let _ = write!(text, "\n{}: {failure}\n", one.cell.name());
            }
        }
        let _ = write!(text, "\n{}; {}.\n", self.counts(), self.ending());
        text
    }

    /// All of it.
    pub(crate) fn json(&self) -> serde_json::Value {
        let Terms { time, lives, margin, false_alarms, seed } = self.terms;
        let [base, head] = self.builds;
        json!({
            "outcome": self.outcome.name(),
            "ended": if was_settled(self.judged) { Ended::Settled } else { Ended::Time },
            "base": base,
            "head": head,
            "terms": {
                "seconds": time.as_secs_f64(),
                "lives": lives,
                "look_after_lives": self.terms.halfway(),
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
        let (mut rounds, mut counting, mut left_out) = (0, 0, 0);
        for Judged { cell, .. } in self.judged {
            rounds += cell.rounds();
            *if cell.uses_disturbed() { &mut counting } else { &mut left_out } += cell.disturbed();
        }
        let lives = self.judged.iter().map(|one| one.cell.lives.len()).max().unwrap_or(0);
        let used = self.judged.iter().map(|one| one.cell.lives_used()).min().unwrap_or(0);
        let lives = if used < lives { format!("{used} of {lives}") } else { lives.to_string() };
        let cells = self.judged.len();
        let disturbed = match (counting, left_out) {
            (0, left_out) => format!("; {left_out} more were disturbed and do not count"),
            (counting, 0) => format!(", {counting} of them disturbed, as most were"),
            (counting, left_out) => {
                format!(", {counting} of them disturbed; {left_out} left out")
            }
        };
        format!("{cells} cells, {lives} lives, {rounds} rounds{disturbed}")
    }

    /// Why it ended when it did.
    fn ending(&self) -> String {
        let (all, lives) = (self.judged.len(), self.terms.lives);
        let settled = self.judged.iter().filter(|one| one.ended == Ended::Settled).count();
        match self.terms.halfway() {
            Some(half) if settled == all => format!("settled after {half} of {lives} lives"),
            Some(half) if settled > 0 => {
                format!(
                    "{settled} of {all} cells settled after {half} of {lives} lives, the others \
                     took their time"
                )
            }
            _ => format!("not settled early: took all {lives} lives and their time"),
        }
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
        ended: one.ended,
        rounds: one.cell.rounds(),
        disturbed: one.cell.disturbed(),
        disturbed_used: one.cell.uses_disturbed(),
        lives_used: one.cell.lives_used(),
        failure: one.failure(),
        log_ratios: one.cell.lives.iter().map(|life| life.clean.as_slice()).collect(),
        disturbed_log_ratios: one.cell.lives.iter().map(|life| life.disturbed.as_slice()).collect(),
    }
}

fn word(one: &Judged) -> String {
    match &one.cell.failure {
        Some((Some(_), _)) => "failed".to_owned(),
        Some((None, failure)) => failure.kind.to_string(),
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

/// Its name, as far as there is room.
fn shortened(one: &Judged) -> String {
    const COLUMNS: usize = 44;
    let name = one.cell.name();
    match name.char_indices().nth(COLUMNS) {
        None => name,
        Some(_) => name.chars().take(COLUMNS - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use harness::{Configuration, Job, Workload};

    use super::{
        super::{Cell, Rounds},
        *,
    };

    fn judged(ended: Ended) -> Judged {
        let cell = Cell {
            job: Job { workload: Workload::SumOfSquares, tasks: 4, task_size: 100 },
            configuration: Configuration::serial(),
            lives: Vec::new(),
            failure: None,
        };
        Judged { cell, ratio: None, sign: None, verdict: Verdict::Inconclusive, ended }
    }

    fn terms(lives: u32) -> Terms {
        let time = Duration::from_secs(1);
        Terms { time, lives, margin: 0.03, false_alarms: 0.01, seed: 1 }
    }

    fn ending(lives: u32, ended: &[Ended]) -> String {
        let terms = terms(lives);
        let judged: Vec<Judged> = ended.iter().copied().map(judged).collect();
        let (builds, outcome) = (["base", "head"], Outcome::Inconclusive);
        let told = Told { judged: &judged, terms: &terms, builds, outcome };
        assert!(told.text().lines().all(|line| line.chars().count() <= 80), "{}", told.text());
        assert!(told.text().contains(&told.ending()) && told.markdown().contains(&told.ending()));
        told.ending()
    }

    #[test]
    fn disturbed_rounds_that_count_are_told_apart_from_those_that_do_not() {
        let counts = |cells: &[(usize, usize)]| {
            let cell = |&(clean, disturbed): &(usize, usize)| {
                let life = Rounds { clean: vec![0.1; clean], disturbed: vec![0.2; disturbed] };
                let judged = judged(Ended::Time);
                Judged { cell: Cell { lives: vec![life], ..judged.cell }, ..judged }
            };
            let judged: Vec<Judged> = cells.iter().map(cell).collect();
            let terms = terms(16);
            let (builds, outcome) = (["base", "head"], Outcome::Inconclusive);
            let told = Told { judged: &judged, terms: &terms, builds, outcome };
            assert!(told.text().lines().all(|line| line.chars().count() <= 80), "{}", told.text());
            told.counts()
        };
        let few = counts(&[(700, 700), (900, 20)]);
        assert_eq!(few, "2 cells, 1 lives, 1600 rounds; 720 more were disturbed and do not count");
        let most = counts(&[(699, 700), (0, 20)]);
        assert_eq!(most, "2 cells, 1 lives, 1419 rounds, 720 of them disturbed, as most were");
        let both = counts(&[(1_000, 2_000), (2_000, 1_000)]);
        assert_eq!(both, "2 cells, 1 lives, 5000 rounds, 2000 of them disturbed; 1000 left out");
    }

    #[test]
    fn what_was_settled_halfway_and_what_was_not_is_told_apart() {
        let (settled, time) = (Ended::Settled, Ended::Time);
        assert_eq!(ending(16, &[settled, settled]), "settled after 8 of 16 lives");
        assert_eq!(
            ending(16, &[settled, time, time]),
            "1 of 3 cells settled after 8 of 16 lives, the others took their time"
        );
        let none = "not settled early: took all 16 lives and their time";
        assert_eq!(ending(16, &[time, time]), none);
        // Too few for a look.
        assert!(ending(4, &[time]).contains("all 4 lives"));
    }
}
