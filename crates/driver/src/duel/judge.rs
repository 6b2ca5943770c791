//! What the rounds of a duel come to.

use harness::record::Failure;
use serde::Serialize;
use stats::{
    Estimate,
    estimate::FEWEST_VALUES,
    paired::{self, Look, Verdict},
};

use super::{Cell, Terms};
use crate::gate::Outcome;

/// With fewer lives nothing is shown: one alone says nothing of the luck of
/// others, and two next to nothing.
pub(super) const FEWEST_LIVES: usize = 3;

/// A cell and what it comes to.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) cell: Cell,
    /// Head's time over base's; absent without rounds that count, and without an
    /// interval if there are too few of them, or too few lives.
    pub(crate) ratio: Option<Estimate>,
    /// The interval of the sign test at the same level, which supposes nothing of
    /// how rounds scatter, but takes them for independent; absent where the other is.
    pub(crate) sign: Option<(f64, f64)>,
    pub(crate) verdict: Verdict,
    pub(crate) ended: Ended,
}

/// Why no more of a cell was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ended {
    /// Nothing of its block was open halfway.
    Settled,
    /// It had its time and all of its lives.
    Time,
}

/// Makes verdicts of the cells of a duel, whose intervals hold together: how often
/// equal builds end in an alarm is at most the share that the terms allow, however
/// many cells there are.
///
/// A block is looked at halfway ([`Terms::halfway`]), and if that leaves something
/// open, at its end. Every cell is told by one of the two intervals that it has or
/// would have had, and all of those together miss with at most twice that share: it
/// is divided over the looks ([`Look`]: a quarter halfway, three at the end, or all
/// of it if there is no look before the end) and then over the cells of the whole
/// duel, by Bonferroni both times, since sums of probabilities hold whatever depends
/// on what, and whatever a look decides. Only one end of an interval can raise an
/// alarm, hence the twice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge<'a> {
    terms: &'a Terms,
    /// Of the whole duel.
    cells: usize,
}

impl<'a> Judge<'a> {
    pub(super) const fn new(terms: &'a Terms, cells: usize) -> Self {
        Self { terms, cells }
    }

    /// The verdicts on a block after half of its lives.
    ///
    /// # Errors
    ///
    /// The cells, to be measured on, if something of them is open.
    pub(super) fn halfway(&self, cells: Vec<Cell>) -> Result<Vec<Judged>, Vec<Cell>> {
        let judged = self.look(cells, Look::Halfway);
        match judged.iter().any(|one| one.is_open(self.terms.margin)) {
            true => Err(judged.into_iter().map(|one| one.cell).collect()),
            false => Ok(judged),
        }
    }

    /// The verdicts on a block that was not settled before its time was over.
    pub(super) fn at_the_end(&self, cells: Vec<Cell>) -> Vec<Judged> {
        let look = self.terms.halfway().map_or(Look::Only, |_| Look::Last);
        self.look(cells, look)
    }

    fn look(&self, cells: Vec<Cell>, look: Look) -> Vec<Judged> {
        let level = look.level(1.0 - 2.0 * self.terms.false_alarms);
        let level = paired::corrected_level(level, self.cells);
        let ended = if look == Look::Halfway { Ended::Settled } else { Ended::Time };
        cells.into_iter().map(|cell| judge_cell(cell, self.terms, level, ended)).collect()
    }
}

fn judge_cell(cell: Cell, terms: &Terms, level: f64, ended: Ended) -> Judged {
    let rounds = cell.counting();
    let ratio = paired::log_ratio(&rounds, level, terms.seed);
    let rounds = rounds.concat();
    let are_enough = rounds.len() >= FEWEST_VALUES && cell.lives_used() >= FEWEST_LIVES;
    let is_told = cell.failure.is_none() && are_enough;
    let sign = paired::sign_test(&rounds, level).filter(|_| is_told);
    let sign = sign.map(|(low, high)| (low.exp(), high.exp()));
    // An interval that nothing may be concluded from would only mislead.
    let ratio = ratio.map(|ratio| match is_told {
        true => ratio,
        false => Estimate { low: None, high: None, ..ratio },
    });
    let verdict = paired::verdict(ratio.and_then(|ratio| ratio.interval()), terms.margin);
    Judged { cell, ratio, sign, verdict, ended }
}

impl Judged {
    /// In words, whose runner failed and how, if one did, or why neither was started.
    pub(crate) fn failure(&self) -> Option<String> {
        let (side, Failure { kind, message, .. }) = self.cell.failure.as_ref()?;
        Some(match side {
            Some(side) => format!("{} failed ({kind}): {message}", side.name()),
            None => format!("{kind}: {message}"),
        })
    }

    /// Whether more rounds could tell if head is slower. Faster or the same, it does
    /// not matter which; and of a cell that has failed there are no more.
    fn is_open(&self, margin: f64) -> bool {
        let interval = self.ratio.and_then(|ratio| ratio.interval());
        self.cell.failure.is_none() && !paired::is_settled(interval, margin)
    }
}

/// Whether all of a duel was settled before its time was over.
pub(crate) fn was_settled(judged: &[Judged]) -> bool {
    judged.iter().all(|one| one.ended == Ended::Settled)
}

/// What the whole duel comes to: broken if some cell could not be measured, a
/// regression if one is shown to be slower by more than the margin, a pass if all are
/// shown not to be.
pub(crate) fn outcome(judged: &[Judged], margin: f64) -> Outcome {
    if judged.iter().any(|one| one.cell.failure.is_some()) {
        Outcome::Broken
    } else if judged.iter().any(|one| one.verdict == Verdict::Slower) {
        Outcome::Regression
    } else if judged.iter().any(|one| one.is_open(margin)) {
        Outcome::Inconclusive
    } else {
        Outcome::Pass
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use harness::{Configuration, FailureKind, Job, Workload, protocol::Phase};

    use super::{
        super::{Rounds, Side},
        *,
    };

    fn cell(log_ratio: f64, scatter: f64) -> Cell {
        let noise = |i: usize| scatter * ((i * 7919 % 101) as f64 / 50.5 - 1.0);
        let life = |life: usize| (0..20).map(|i| log_ratio + noise(20 * life + i)).collect();
        Cell {
            job: Job { workload: Workload::SumOfSquares, tasks: 4, task_size: 100 },
            configuration: Configuration::serial(),
            lives: (0..8).map(life).map(clean).collect(),
            failure: None,
        }
    }

    fn clean(rounds: Vec<f64>) -> Rounds {
        Rounds { clean: rounds, disturbed: Vec::new() }
    }

    fn terms() -> Terms {
        let time = Duration::from_secs(1);
        Terms { time, lives: 8, margin: 0.03, false_alarms: 0.01, seed: 1 }
    }

    fn outcome(cells: Vec<Cell>) -> Outcome {
        let judged = Judge::new(&terms(), cells.len()).at_the_end(cells);
        super::outcome(&judged, terms().margin)
    }

    /// The first four lives of eight.
    fn half(cell: Cell) -> Cell {
        Cell { lives: cell.lives[..4].to_vec(), ..cell }
    }

    fn failed(cell: Cell) -> Cell {
        let (kind, phase) = (FailureKind::WrongAnswer, Phase::Check);
        let failure = Failure { kind, phase, message: "no".to_owned() };
        Cell { failure: Some((Some(Side::Head), failure)), ..cell }
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
        let broken = failed(cell(0.0, 0.01));
        assert_eq!(outcome(vec![cell(0.2, 0.01), broken]), Outcome::Broken);
    }

    #[test]
    fn disturbed_rounds_count_where_they_are_most() {
        let life = |clean: usize, disturbed: usize| Rounds {
            clean: vec![0.1; clean],
            disturbed: vec![0.5; disturbed],
        };
        let cell = |lives: Vec<Rounds>| Cell { lives, ..cell(0.0, 0.0) };
        let few = cell(vec![life(10, 3), life(10, 0), life(2, 19)]);
        assert_eq!((few.rounds(), few.disturbed(), few.uses_disturbed()), (22, 22, false));
        let most = cell(vec![life(10, 3), life(10, 0), life(2, 20)]);
        assert_eq!((most.rounds(), most.disturbed(), most.uses_disturbed()), (45, 23, true));
        assert_eq!(most.counting()[2].len(), 22);
        // What is always disturbed is judged all the same.
        assert_eq!(outcome(vec![cell(vec![life(0, 20); 4])]), Outcome::Regression);
    }

    #[test]
    fn lives_that_were_disturbed_most_of_the_time_do_not_count_as_long_as_six_do() {
        let life = |clean: usize, disturbed: usize| Rounds {
            clean: vec![0.1; clean],
            disturbed: vec![0.5; disturbed],
        };
        let kept = |lives: Vec<Rounds>| -> Vec<usize> {
            Cell { lives, ..cell(0.0, 0.0) }.counting().iter().map(Vec::len).collect()
        };
        // A slow life has few rounds, which nobody has disturbed, and must be heard.
        let seven = [life(70, 0), life(2, 0), life(70, 2), life(17, 53), life(3, 9)];
        let lives = [seven.to_vec(), vec![life(70, 0); 2]].concat();
        assert_eq!(kept(lives), [70, 2, 70, 0, 3, 70, 70]);
        let few = [vec![life(17, 53), life(1, 69)], vec![life(70, 0); 5]].concat();
        assert_eq!(kept(few), [17, 0, 70, 70, 70, 70, 70]);
        let five = [vec![life(17, 53), life(1, 69)], vec![life(70, 0); 3]].concat();
        assert_eq!(kept(five), [17, 1, 70, 70, 70]);
        assert_eq!(kept(Vec::new()), [0; 0]);
    }

    #[test]
    fn too_few_rounds_show_nothing() {
        let few = Cell { lives: vec![clean(vec![0.5; 3])], ..cell(0.0, 0.0) };
        assert_eq!(outcome(vec![few]), Outcome::Inconclusive);
        // However many: all of them had the same luck.
        let one = Cell { lives: vec![clean(vec![0.5; 300])], ..cell(0.0, 0.0) };
        assert_eq!(outcome(vec![one]), Outcome::Inconclusive);
        let none = Cell { lives: Vec::new(), ..cell(0.0, 0.0) };
        assert_eq!(outcome(vec![none]), Outcome::Inconclusive);
    }

    #[test]
    fn what_shows_nothing_has_no_interval_of_either_kind_and_keeps_its_level() {
        let two = Cell { lives: vec![clean(vec![0.5; 300]); 2], ..cell(0.0, 0.0) };
        let judged = &Judge::new(&terms(), 1).at_the_end(vec![two])[0];
        let ratio = judged.ratio.expect("a ratio");
        assert_eq!((ratio.interval(), judged.sign), (None, None));
        assert!((ratio.level - 0.985).abs() < 1e-12, "{}", ratio.level);
    }

    #[test]
    fn a_block_in_which_nothing_is_open_ends_halfway_and_keeps_those_verdicts() {
        let halves = [cell(0.0, 0.005), cell(0.2, 0.005), failed(cell(0.0, 0.3))].map(half);
        let terms = terms();
        let settled = Judge::new(&terms, 3).halfway(halves.to_vec()).expect("nothing is open");
        assert!(was_settled(&settled));
        assert_eq!(settled[0].verdict, Verdict::Same);
        assert_eq!(settled[1].verdict, Verdict::Slower);
        // A quarter of 2 %, over the cells of the whole duel and not of the block.
        let level = |cells| {
            let settled = Judge::new(&terms, cells).halfway(halves.to_vec());
            settled.expect("nothing is open")[0].ratio.expect("a ratio").level
        };
        assert!((level(5) - 0.999).abs() < 1e-12, "{}", level(5));
    }

    #[test]
    fn one_open_cell_has_its_whole_block_go_on() {
        let halves = [cell(0.0, 0.005), cell(0.0, 0.5)].map(half);
        let terms = terms();
        let open = Judge::new(&terms, 2).halfway(halves.to_vec()).expect_err("one is open");
        assert_eq!(open.len(), 2);
        assert_eq!(open[1].lives, halves[1].lives);
    }

    #[test]
    fn the_end_has_three_quarters_of_what_may_err_or_all_if_there_was_no_look_before() {
        let level = |lives| {
            let terms = Terms { lives, ..terms() };
            let judged = Judge::new(&terms, 1).at_the_end(vec![cell(0.0, 0.01)]);
            assert!(!was_settled(&judged));
            judged[0].ratio.expect("a ratio").level
        };
        assert!((level(8) - 0.985).abs() < 1e-12);
        assert!((level(6) - 0.985).abs() < 1e-12);
        assert!((level(5) - 0.98).abs() < 1e-12);
    }
}
