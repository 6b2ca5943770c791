//! Finds from which size on something pays.

use crate::trouble::Result;

/// What was found at one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    /// Rises with the size; the crossing is where it reaches the threshold.
    pub(crate) benefit: f64,
    /// What the size costs; the crossing is told in it.
    pub(crate) cost: f64,
}

/// Where the threshold is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Crossing {
    /// In what [`Probe::cost`] is in. If it is not reached, that of the largest
    /// size; if already at the smallest, that of the smallest.
    pub(crate) cost: f64,
    /// The size from which on it is reached.
    pub(crate) size: u64,
    /// Whether the threshold was reached at all.
    pub(crate) is_reached: bool,
}

/// The first crossing of `threshold` between the sizes `from` and `most`: the
/// size is doubled until the threshold is reached and at twice that size too,
/// for once may be noise; then halved in between until the two neighbours are
/// within a tenth of each other. The cost is interpolated between them, both
/// axes logarithmic.
pub(crate) fn crossing(
    from: u64,
    most: u64,
    threshold: f64,
    mut probe: impl FnMut(u64) -> Result<Probe>,
) -> Result<Crossing> {
    let mut low: Option<(u64, Probe)> = None;
    let mut candidate: Option<(u64, Probe)> = None;
    let mut size = from.min(most);
    let mut high = loop {
        let found = (size, probe(size)?);
        let is_enough = found.1.benefit >= threshold;
        match candidate {
            Some(candidate) if is_enough => break candidate,
            _ if is_enough && size == most => break found,
            _ if size == most => {
                return Ok(Crossing { cost: found.1.cost, size, is_reached: false });
            }
            _ if is_enough => candidate = Some(found),
            _ => (low, candidate) = (Some(found), None),
        }
        size = (size * 2).clamp(1, most);
    };
    let Some(mut low) = low else {
        return Ok(Crossing { cost: high.1.cost, size: high.0, is_reached: true });
    };
    while high.0 - low.0 > 1.max(low.0 / 10) {
        let middle = low.0 + (high.0 - low.0) / 2;
        let found = (middle, probe(middle)?);
        if found.1.benefit >= threshold { high = found } else { low = found }
    }
    Ok(Crossing { cost: between(low.1, high.1, threshold), size: high.0, is_reached: true })
}

fn between(low: Probe, high: Probe, threshold: f64) -> f64 {
    let share = (threshold / low.benefit).ln() / (high.benefit / low.benefit).ln();
    let cost = low.cost * (high.cost / low.cost).powf(share);
    // A benefit of nothing has no logarithm.
    if cost.is_finite() { cost } else { high.cost }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two workers with an overhead of `overhead` a task of as many nanoseconds
    /// as its size: the efficiency is size / (size + overhead).
    fn efficiency(overhead: f64) -> impl FnMut(u64) -> Result<Probe> {
        move |size| {
            let cost = size as f64;
            Ok(Probe { benefit: cost / (cost + overhead), cost })
        }
    }

    #[test]
    fn half_efficiency_is_where_a_task_takes_as_long_as_its_dispatch() {
        for overhead in [7.0, 333.0, 41_000.0] {
            let found = crossing(1, 1 << 30, 0.5, efficiency(overhead)).expect("no trouble");
            let error = (found.cost / overhead - 1.0).abs();
            assert!(found.is_reached && error < 0.02, "{overhead}: {found:?}");
        }
    }

    #[test]
    fn what_pays_from_the_smallest_size_on_costs_that_size() {
        let found = crossing(4, 100, 0.5, efficiency(1.0)).expect("no trouble");
        assert_eq!(found, Crossing { cost: 4.0, size: 4, is_reached: true });
    }

    #[test]
    fn what_never_pays_says_so_at_the_largest_size() {
        let found = crossing(1, 100, 0.5, efficiency(1e6)).expect("no trouble");
        assert_eq!(found, Crossing { cost: 100.0, size: 100, is_reached: false });
    }

    #[test]
    fn what_pays_once_and_not_at_twice_the_size_does_not_pay() {
        let found = crossing(1, 1 << 20, 0.5, |size| {
            let benefit = if size == 4 || size >= 100 { 1.0 } else { 0.1 };
            Ok(Probe { benefit, cost: size as f64 })
        });
        let found = found.expect("no trouble");
        assert!((95..=110).contains(&found.size) && found.is_reached, "{found:?}");
    }

    #[test]
    fn the_search_ends_even_if_it_begins_at_nothing_or_benefits_jump() {
        let found = crossing(0, 64, 0.5, |size| {
            Ok(Probe { benefit: f64::from(u8::from(size >= 5)), cost: size as f64 })
        });
        let found = found.expect("no trouble");
        assert_eq!((found.size, found.is_reached), (5, true));
    }
}
