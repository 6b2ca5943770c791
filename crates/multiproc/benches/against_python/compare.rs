//! Two ways to do the same, measured in turns.

use std::{fmt, time::Duration};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// Performs so many operations; the time that they took.
pub(crate) type Side = Box<dyn FnMut(u32) -> Duration>;

/// Where the two processes of a side run.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Cores {
    /// Wherever the scheduler puts them, and moves them to.
    Any,
    /// Both on the same core.
    One,
    /// Each on one of its own.
    Two,
}

/// Two ways to do the same.
pub(crate) struct Comparison {
    pub(crate) name: &'static str,
    /// The core of the process that measures and that of its peer; a side
    /// pins its peer to what it is given.
    pub(crate) cores: Cores,
    pub(crate) ours: fn(&[usize]) -> Side,
    /// Operations in a block of ours, and of the other's: a few hundredths of
    /// a second.
    pub(crate) counts: [u32; 2],
    pub(crate) other: fn(&[usize]) -> Side,
    pub(crate) other_name: &'static str,
    pub(crate) goal: Goal,
}

/// What is wanted.
pub(crate) enum Goal {
    /// So many times as fast as the other.
    Faster(f64),
    /// At most so many times the other's time.
    AtMost(f64),
    /// So few nanoseconds, whatever the other takes.
    Under(f64),
    /// Nothing but the figure.
    None,
}

/// Median and quartiles.
#[derive(Clone, Copy)]
pub(crate) struct Quartiles {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

/// What came out.
pub(crate) struct Outcome {
    /// Nanoseconds an operation.
    pub(crate) ours: Quartiles,
    pub(crate) other: Quartiles,
    /// The other's time ÷ ours, round by round; above 1, ours is faster.
    pub(crate) ratio: Quartiles,
}

impl Comparison {
    /// Measures both in turns, in changing order, so that what changes slowly
    /// on the machine touches both alike.
    ///
    /// `None` if there are not enough cores.
    pub(crate) fn run(&self, rounds: usize) -> Option<Outcome> {
        let before = sched_getaffinity(THIS_THREAD).expect("the affinity can be asked for");
        let peer_core = self.cores.pin(&before)?;
        let outcome = self.run_beside(&peer_core, rounds);
        sched_setaffinity(THIS_THREAD, &before).expect("it was so before");
        Some(outcome)
    }

    fn run_beside(&self, peer_core: &[usize], rounds: usize) -> Outcome {
        let mut sides = [(self.ours)(peer_core), (self.other)(peer_core)];
        let mut block = |side: usize| {
            let count = self.counts[side];
            sides[side](count).as_nanos() as f64 / f64::from(count)
        };
        // Once unmeasured: what is done for the first time takes longer.
        block(0);
        block(1);
        let times: Vec<[f64; 2]> = (0..rounds)
            .map(|round| {
                if round % 2 == 0 {
                    let ours = block(0);
                    [ours, block(1)]
                } else {
                    let other = block(1);
                    [block(0), other]
                }
            })
            .collect();
        Outcome {
            ours: Quartiles::of(times.iter().map(|[ours, _]| *ours)),
            other: Quartiles::of(times.iter().map(|[_, other]| *other)),
            ratio: Quartiles::of(times.iter().map(|[ours, other]| other / ours)),
        }
    }
}

const THIS_THREAD: Pid = Pid::from_raw(0);

impl Cores {
    /// Pins this thread to a core of the `allowed`, if that is wanted; the
    /// cores for its peer (none: any), or `None` if there are too few.
    fn pin(self, allowed: &CpuSet) -> Option<Vec<usize>> {
        let mut cores = (0..CpuSet::count()).filter(|&core| allowed.is_set(core) == Ok(true));
        let own = cores.next()?;
        let peer = match self {
            Self::Any => return Some(Vec::new()),
            Self::One => own,
            Self::Two => cores.next()?,
        };
        let mut only = CpuSet::new();
        only.set(own).expect("it is a core");
        sched_setaffinity(THIS_THREAD, &only).expect("the core is allowed");
        Some(vec![peer])
    }
}

impl Goal {
    /// Whether it is met, by the medians.
    pub(crate) fn is_met(&self, outcome: &Outcome) -> Option<bool> {
        match self {
            Self::Faster(times) => Some(outcome.ratio.median >= *times),
            Self::AtMost(times) => Some(1.0 / outcome.ratio.median <= *times),
            Self::Under(nanoseconds) => Some(outcome.ours.median < *nanoseconds),
            Self::None => None,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Faster(times) => f.pad(&format!("≥ {times:.0}x")),
            // The table shows how many times as fast ours is.
            Self::AtMost(times) => f.pad(&format!("≥ {:.2}x", 1.0 / times)),
            Self::Under(nanoseconds) => f.pad(&format!("< {nanoseconds:.0} ns")),
            Self::None => f.pad("-"),
        }
    }
}

impl Quartiles {
    /// Interpolated linearly (type 7 of Hyndman and Fan, "Sample quantiles in
    /// statistical packages", 1996).
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let quantile = |p: f64| {
            let place = p * (sorted.len() - 1) as f64;
            let below = sorted[place.floor() as usize];
            below + (sorted[place.ceil() as usize] - below) * place.fract()
        };
        Self { low: quantile(0.25), median: quantile(0.5), high: quantile(0.75) }
    }
}
