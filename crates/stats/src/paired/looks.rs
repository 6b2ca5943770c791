//! Looking at a measurement before it is over.

/// Of what may err, the part that is left to the look halfway.
///
/// Half of the incarnations have a wide interval at any level, so that look shows what
/// is plain, and the last has to show the rest. Of 16 incarnations at 99.5 % this
/// makes the last interval 4 % wider; giving half away would make it 10 %.
const HALFWAY_SHARE: f64 = 0.25;

/// One of the looks at a measurement that ends halfway if nothing is open then.
///
/// Who looks twice and takes whichever look suits him errs nearly twice as often.
/// So each look gets a share of the errors that are allowed, and both shares together
/// are all of them: Bonferroni's inequality over the looks, as
/// [`corrected_level`](super::corrected_level) is over the cells. It holds
/// whatever decides about going on, and however the looks depend on each other.
///
/// The boundaries of Pocock ("Group sequential methods in the design and analysis of
/// clinical trials", Biometrika 64, 1977) and of O'Brien and Fleming ("A multiple
/// testing procedure for clinical trials", Biometrics 35, 1979) are a little narrower,
/// since the second look has the data of the first. They ask for statistics that are
/// normal, of variance known, and those of a few incarnations are not.
///
/// ```
/// use stats::paired::{Look, corrected_level};
///
/// // Of 2 % that may err in all, over four cells.
/// let level = |look: Look| corrected_level(look.level(0.98), 4);
/// assert!((level(Look::Halfway) - 0.99875).abs() < 1e-12);
/// assert!((level(Look::Last) - 0.99625).abs() < 1e-12);
/// assert!((level(Look::Only) - 0.995).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// After half of the incarnations.
    Halfway,
    /// At the end, after one halfway that left something open.
    Last,
    /// At the end, and none before.
    Only,
}

impl Look {
    /// The level of this look's intervals, taken together, for those of all looks to
    /// hold with a probability of at least `level`.
    #[must_use]
    pub fn level(self, level: f64) -> f64 {
        let share = match self {
            Self::Halfway => HALFWAY_SHARE,
            Self::Last => 1.0 - HALFWAY_SHARE,
            Self::Only => 1.0,
        };
        1.0 - (1.0 - level) * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_err_at_both_looks_is_what_may_err_at_one() {
        for level in [0.5, 0.95, 0.98, 0.999] {
            let errors = |look: Look| 1.0 - look.level(level);
            let both = errors(Look::Halfway) + errors(Look::Last);
            assert!((both - errors(Look::Only)).abs() < 1e-12, "{level}");
            assert!((Look::Only.level(level) - level).abs() < 1e-12, "{level}");
        }
    }
}
