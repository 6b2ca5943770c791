//! Two builds of the driver against each other: the runners of both take turns
//! within seconds, so what drifts on the machine meets both.
//!
//! A *cell* is a job in a configuration. In each of several *lives* every cell
//! has a runner of either build, started afresh, since luck with layout and
//! placement lives as long as a process. A round has a *bout* of every cell, in a
//! balanced order: both builds run the job in the order A B B A, so that what
//! drifts in a straight line cancels, and the ratio of their geometric means is
//! one value. What a cell comes to is a verdict over the lives and their rounds. A
//! block of cells ends after half of its lives if nothing of it is open by then
//! ([`judge`]).

mod bout;
mod fight;
mod judge;
mod suitable;
pub(crate) mod telling;

use std::{path::PathBuf, time::Duration};

use harness::{Configuration, Job, record::Failure};
use serde::Serialize;

pub(crate) use fight::{Ring, fight};
pub(crate) use judge::{Ended, Judged, outcome, was_settled};
pub(crate) use suitable::require_duel;

/// One of the two.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    /// A driver.
    pub(crate) program: PathBuf,
    /// For its runners, besides what they are told by every driver.
    pub(crate) arguments: Vec<String>,
}

/// How often a duel of two equal builds may end in an alarm.
pub(crate) const FALSE_ALARMS: f64 = 0.01;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    /// What is known to be good.
    Base,
    /// What is to be judged.
    Head,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Base, Self::Head];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Head => "head",
        }
    }
}

/// What a duel is about.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// For all rounds of all cells, if nothing is settled before.
    pub(crate) time: Duration,
    /// How often the runners are started, if nothing is settled before.
    pub(crate) lives: u32,
    /// By how much head may be slower, as a share.
    pub(crate) margin: f64,
    /// How often a duel of two equal builds may end in an alarm, over all of its
    /// cells together.
    pub(crate) false_alarms: f64,
    /// Of every random choice.
    pub(crate) seed: u64,
}

impl Terms {
    /// After so many lives of a block there is a look at whether anything of it is
    /// open, unless so few show nothing.
    pub(crate) fn halfway(&self) -> Option<u32> {
        let half = self.lives / 2;
        (half as usize >= judge::FEWEST_LIVES).then_some(half)
    }
}

/// What was measured of one cell.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) job: Job,
    pub(crate) configuration: Configuration,
    /// By life.
    pub(crate) lives: Vec<Rounds>,
    /// Whose runner failed, and how, or why neither was started. It has no rounds after
    /// that.
    pub(crate) failure: Option<(Option<Side>, Failure)>,
}

/// The rounds of a life: logarithms of head's time over base's.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rounds {
    pub(crate) clean: Vec<f64>,
    /// Those during which the machine did something else as well.
    pub(crate) disturbed: Vec<f64>,
}

/// A life does not count if less than this share of its rounds is clean: the middle of
/// the few scatters more than twice as much as others do, and all lives weigh the same.
const LEAST_CLEAN: f64 = 0.25;

/// So many lives are not made fewer for that: Student's factor rises steeply.
const KEPT_LIVES: usize = 6;

impl Rounds {
    fn clean_share(&self) -> f64 {
        self.clean.len() as f64 / (self.clean.len() + self.disturbed.len()).max(1) as f64
    }
}

impl Cell {
    /// The rounds that count, by life: the clean ones of lives that were not disturbed
    /// most of the time, or all rounds where most are disturbed.
    ///
    /// Leaving some out makes the interval narrower. It does not decide whether it
    /// holds: a disturbance meets both builds alike, and no ratio has a say in it.
    pub(crate) fn counting(&self) -> Vec<Vec<f64>> {
        if self.uses_disturbed() {
            let all = |life: &Rounds| [life.clean.as_slice(), &life.disturbed].concat();
            return self.lives.iter().map(all).collect();
        }
        let mut shares: Vec<f64> = self.lives.iter().map(Rounds::clean_share).collect();
        shares.sort_unstable_by(|a, b| b.total_cmp(a));
        let least = shares.get(KEPT_LIVES - 1).map_or(0.0, |&last| last.min(LEAST_CLEAN));
        let clean = |life: &Rounds| match life.clean_share() >= least {
            true => life.clean.clone(),
            false => Vec::new(),
        };
        self.lives.iter().map(clean).collect()
    }

    /// Whether disturbed rounds count, being more than half.
    pub(crate) fn uses_disturbed(&self) -> bool {
        let clean: usize = self.lives.iter().map(|life| life.clean.len()).sum();
        clean < self.disturbed()
    }

    /// Disturbed rounds, whether they count or not.
    pub(crate) fn disturbed(&self) -> usize {
        self.lives.iter().map(|life| life.disturbed.len()).sum()
    }

    /// Rounds that count.
    pub(crate) fn rounds(&self) -> usize {
        self.counting().iter().map(Vec::len).sum()
    }

    /// Lives with rounds that count.
    pub(crate) fn lives_used(&self) -> usize {
        self.counting().iter().filter(|life| !life.is_empty()).count()
    }

    /// As the tables name it.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}", self.job, self.configuration)
    }
}
