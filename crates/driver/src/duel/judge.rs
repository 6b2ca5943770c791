//! What the rounds of a duel come to.

use stats::{
    Estimate,
    estimate::FEWEST_VALUES,
    paired::{self, Verdict},
};

use super::{Cell, Terms};

/// With fewer lives nothing is shown: one alone says nothing of the luck of
/// others, and two next to nothing.
const FEWEST_LIVES: usize = 3;

/// A cell and what it comes to.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) cell: Cell,
    /// Head's time over base's; absent without rounds that count, and without an
    /// interval if there are too few of them, or too few lives.
    pub(crate) ratio: Option<Estimate>,
    /// The interval of the sign test at the same level, which supposes nothing of
    /// how rounds scatter, but takes them for independent.
    pub(crate) sign: Option<(f64, f64)>,
    pub(crate) verdict: Verdict,
}

/// What a whole duel comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Every cell is shown not to be slower by more than the margin.
    Pass,
    /// Some cell is shown to be slower by more than the margin.
    Regression,
    /// Neither.
    Inconclusive,
    /// Some cell could not be measured.
    Broken,
}

/// Verdicts over all cells, whose intervals hold together: how often equal
/// builds end in an alarm is the share that the terms allow, however many cells
/// there are. Only one end of an interval can raise an alarm, hence the 2.
pub(crate) fn judge(cells: Vec<Cell>, terms: &Terms) -> Vec<Judged> {
    let level = paired::corrected_level(1.0 - 2.0 * terms.false_alarms, cells.len());
    cells.into_iter().map(|cell| judge_cell(cell, terms, level)).collect()
}

fn judge_cell(cell: Cell, terms: &Terms, level: f64) -> Judged {
    let ratio = paired::log_ratio(&cell.lives, level, terms.seed);
    let sign = paired::sign_test(&cell.lives.concat(), level);
    let sign = sign.map(|(low, high)| (low.exp(), high.exp()));
    let lives = cell.lives.iter().filter(|life| !life.is_empty()).count();
    let is_told = cell.failure.is_none() && cell.rounds() >= FEWEST_VALUES && lives >= FEWEST_LIVES;
    // An interval that nothing may be concluded from would only mislead.
    let ratio = ratio.map(|ratio| match is_told {
        true => ratio,
        false => Estimate::without_interval(ratio.value),
    });
    let verdict = paired::verdict(ratio.and_then(|ratio| ratio.interval()), terms.margin);
    Judged { cell, ratio, sign, verdict }
}

impl Outcome {
    pub(crate) fn of(judged: &[Judged], margin: f64) -> Self {
        let any = |wanted| judged.iter().any(|one| one.verdict == wanted);
        let is_open = |one: &Judged| match one.verdict {
            Verdict::Same | Verdict::Faster | Verdict::Slower => false,
            // Faster or the same, it does not matter which.
            Verdict::Inconclusive => !one.ratio.is_some_and(|ratio| ratio.is_below(1.0 + margin)),
        };
        if judged.iter().any(|one| one.cell.failure.is_some()) {
            Self::Broken
        } else if any(Verdict::Slower) {
            Self::Regression
        } else if judged.iter().any(is_open) {
            Self::Inconclusive
        } else {
            Self::Pass
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Regression => "regression",
            Self::Inconclusive => "inconclusive",
            Self::Broken => "broken",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use harness::{Configuration, FailureKind, Job, Workload, protocol::Phase, record::Failure};

    use super::{super::Side, *};

    fn cell(log_ratio: f64, scatter: f64) -> Cell {
        let noise = |i: usize| scatter * ((i * 7919 % 101) as f64 / 50.5 - 1.0);
        let life = |life: usize| (0..20).map(|i| log_ratio + noise(20 * life + i)).collect();
        Cell {
            job: Job { workload: Workload::SumOfSquares, tasks: 4, task_size: 100 },
            configuration: Configuration::serial(),
            lives: (0..8).map(life).collect(),
            disturbed: 0,
            failure: None,
        }
    }

    fn terms() -> Terms {
        let time = Duration::from_secs(1);
        Terms { time, lives: 8, margin: 0.03, false_alarms: 0.01, seed: 1 }
    }

    fn outcome(cells: Vec<Cell>) -> Outcome {
        Outcome::of(&judge(cells, &terms()), terms().margin)
    }

    #[test]
    fn equal_builds_pass_and_one_slow_cell_is_a_regression() {
        assert_eq!(outcome(vec![cell(0.0, 0.01); 4]), Outcome::Pass);
        assert_eq!(outcome(vec![cell(-0.2, 0.01); 4]), Outcome::Pass);
        let cells = vec![cell(0.0, 0.01), cell(0.0, 0.01), cell(0.1, 0.01)];
        assert_eq!(outcome(cells), Outcome::Regression);
    }

    #[test]
    fn a_slowdown_within_the_margin_is_none_and_scatter_decides_nothing() {
        assert_eq!(outcome(vec![cell(0.01, 0.005)]), Outcome::Pass);
        assert_eq!(outcome(vec![cell(0.03, 0.3)]), Outcome::Inconclusive);
    }

    #[test]
    fn a_cell_that_could_not_be_measured_breaks_the_duel_whatever_the_others_say() {
        let failure = Failure {
            kind: FailureKind::WrongAnswer,
            phase: Phase::Check,
            message: "no".to_owned(),
        };
        let broken = Cell { failure: Some((Side::Head, failure)), ..cell(0.0, 0.01) };
        assert_eq!(outcome(vec![cell(0.2, 0.01), broken]), Outcome::Broken);
    }

    #[test]
    fn too_few_rounds_show_nothing() {
        let few = Cell { lives: vec![vec![0.5; 3]], ..cell(0.0, 0.0) };
        assert_eq!(outcome(vec![few]), Outcome::Inconclusive);
        // However many: all of them had the same luck.
        let one = Cell { lives: vec![vec![0.5; 300]], ..cell(0.0, 0.0) };
        assert_eq!(outcome(vec![one]), Outcome::Inconclusive);
        let none = Cell { lives: Vec::new(), ..cell(0.0, 0.0) };
        assert_eq!(outcome(vec![none]), Outcome::Inconclusive);
    }
}
