//! Where a barrier stands, in one word.

use std::fmt;

/// Why a barrier is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum WhyBroken {
    /// A process called [`abort`](crate::Barrier::abort).
    Aborted {
        /// Which.
        pid: i32,
    },
    /// A process called [`reset`](crate::Barrier::reset) while parties waited.
    Reset {
        /// Which.
        pid: i32,
    },
    /// A party did not want to wait any longer.
    TimedOut {
        /// Which.
        pid: i32,
    },
    /// A party died while it waited or executed its action.
    PartyDied {
        /// Which.
        pid: i32,
    },
    /// The action of a party panicked.
    ActionPanicked {
        /// Which.
        pid: i32,
    },
}

impl WhyBroken {
    /// The process that did it, or that it happened to.
    pub(super) fn pid(self) -> i32 {
        let (Self::Aborted { pid }
        | Self::Reset { pid }
        | Self::TimedOut { pid }
        | Self::PartyDied { pid }
        | Self::ActionPanicked { pid }) = self;
        pid
    }

    /// What happened, in a word or two.
    pub(super) const fn cause(self) -> &'static str {
        match self {
            Self::Aborted { .. } => "aborted",
            Self::Reset { .. } => "reset",
            Self::TimedOut { .. } => "timed out",
            Self::PartyDied { .. } => "party died",
            Self::ActionPanicked { .. } => "action panicked",
        }
    }
}

impl fmt::Display for WhyBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted { pid } => write!(f, "process {pid} aborted it"),
            Self::Reset { pid } => write!(f, "process {pid} reset it while others waited"),
            Self::TimedOut { pid } => write!(f, "process {pid} timed out waiting for the others"),
            Self::PartyDied { pid } => write!(f, "process {pid} died after it had arrived"),
            Self::ActionPanicked { pid } => write!(f, "the action of process {pid} panicked"),
        }
    }
}

/// The generation of parties that is expected, and why it will not come
/// together, if it will not: the generation in the upper half, then 8 bits
/// that say why, then 24 for the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase(u64);

const PROCESS_BITS: u32 = 24;
const GENERATION_SHIFT: u32 = 32;

impl Phase {
    /// Not broken.
    pub(super) const fn of(generation: u32) -> Self {
        Self((generation as u64) << GENERATION_SHIFT)
    }

    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    pub(super) const fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32
    }

    /// The next generation, whole.
    pub(super) const fn next(self) -> Self {
        Self::of(self.generation().wrapping_add(1))
    }

    /// The same generation, broken.
    pub(super) fn broken(self, why: WhyBroken) -> Self {
        let code = match why {
            WhyBroken::Aborted { .. } => 1,
            WhyBroken::Reset { .. } => 2,
            WhyBroken::TimedOut { .. } => 3,
            WhyBroken::PartyDied { .. } => 4,
            WhyBroken::ActionPanicked { .. } => 5,
        };
        Self(Self::of(self.generation()).0 | code << PROCESS_BITS | why.pid() as u64)
    }

    pub(super) const fn why_broken(self) -> Option<WhyBroken> {
        let pid = (self.0 & ((1 << PROCESS_BITS) - 1)) as i32;
        match self.0 >> PROCESS_BITS & 0xFF {
            0 => None,
            1 => Some(WhyBroken::Aborted { pid }),
            2 => Some(WhyBroken::Reset { pid }),
            3 => Some(WhyBroken::TimedOut { pid }),
            4 => Some(WhyBroken::PartyDied { pid }),
            _ => Some(WhyBroken::ActionPanicked { pid }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_says_which_generation_it_is_and_why_it_is_broken() {
        let pid = 4_194_304;
        for why in [
            WhyBroken::Aborted { pid },
            WhyBroken::Reset { pid },
            WhyBroken::TimedOut { pid },
            WhyBroken::PartyDied { pid },
            WhyBroken::ActionPanicked { pid },
        ] {
            let phase = Phase::of(u32::MAX).broken(why);
            assert_eq!(phase.why_broken(), Some(why));
            assert_eq!(phase.generation(), u32::MAX);
            assert_eq!(phase.next(), Phase::of(0));
            assert_eq!(phase.next().why_broken(), None);
        }
    }
}
