//! Why a figure cannot be computed.

/// Why a figure cannot be computed from what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatsError {
    /// A time of zero: the job is too small for the clock.
    #[error("a time is zero: the job is too small for the clock\nhelp: raise the task size")]
    ZeroTime,
    /// A speed-up that is not a positive number.
    #[error("a speed-up is not a positive number\nhelp: leave failed samples out")]
    NotPositive,
    /// A serial fraction of one worker: there is nothing parallel to judge.
    #[error("one worker has no serial fraction\nhelp: measure with two workers or more")]
    OneWorker,
    /// A model with more freedom than the points can pin down.
    #[error(
        "{model} needs {needed} different worker counts{} that are not oversubscribed, and there \
         are {found}\nhelp: measure more worker counts on a machine with more cores",
        if *fewest_workers > 1 { " above one" } else { "" }
    )]
    TooFewWorkerCounts {
        /// Name of the model.
        model: &'static str,
        /// The smallest number of workers that tells it anything: 1, or 2.
        fewest_workers: usize,
        /// Distinct usable worker counts that it needs.
        needed: usize,
        /// Distinct usable worker counts that there are.
        found: usize,
    },
    /// The points agree with any parameters.
    #[error(
        "the points do not tell the parameters of {model} apart\nhelp: measure more worker counts"
    )]
    NotIdentified {
        /// Name of the model.
        model: &'static str,
    },
    /// The times agree with any such cost.
    #[error("{cost} cannot be told from these times: it takes {missing}\nhelp: measure {missing}")]
    CostNotIdentified {
        /// The cost.
        cost: &'static str,
        /// What would tell it.
        missing: &'static str,
    },
}
