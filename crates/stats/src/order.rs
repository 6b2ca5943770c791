//! In which order a round samples its configurations.

use rand::{SeedableRng, seq::SliceRandom};
use rand_pcg::Pcg64Mcg;

/// An endless sequence of orders of 0..n that is balanced for position and
/// for first-order carry-over.
///
/// Rounds come in cycles of n orders (2n if n is odd). Within a cycle every
/// item stands in every position equally often, and follows every other item
/// equally often, so that neither warming up within a round nor what a
/// predecessor leaves in the caches favours one configuration. Williams,
/// "Experimental designs balanced for the estimation of residual effects of
/// treatments", Australian Journal of Scientific Research A 2 (1949).
///
/// Every cycle labels the items anew and shuffles its orders, both from the
/// seed, so that a sequence cut short is not biased in a fixed direction.
///
/// ```
/// let order = stats::BalancedOrder::new(4, 42);
/// let mut round = order.round(17);
/// assert_eq!(round, stats::BalancedOrder::new(4, 42).round(17), "the same after a resume");
/// round.sort();
/// assert_eq!(round, [0, 1, 2, 3]);
/// ```
#[derive(Clone, Debug)]
pub struct BalancedOrder {
    items: usize,
    seed: u64,
}

impl BalancedOrder {
    /// Orders of `n` items, chosen by `seed`.
    #[must_use]
    pub const fn new(n: usize, seed: u64) -> Self {
        Self { items: n, seed }
    }

    /// Rounds until every balance is complete: n, or 2n if n is odd.
    #[must_use]
    pub const fn cycle_len(&self) -> usize {
        if self.items.is_multiple_of(2) { self.items } else { 2 * self.items }
    }

    /// The order of round `k`, counted from 0: a permutation of 0..n.
    ///
    /// Any round can be asked for at any time, so a resumed sweep goes on
    /// with the sequence that it began.
    #[must_use]
    pub fn round(&self, k: u32) -> Vec<usize> {
        let cycle_len = self.cycle_len();
        if cycle_len == 0 {
            return Vec::new();
        }
        let (cycle, place) = (k as usize / cycle_len, k as usize % cycle_len);
        let mut rng = self.rng(cycle as u64);
        let mut labels: Vec<usize> = (0..self.items).collect();
        labels.shuffle(&mut rng);
        let mut rows: Vec<usize> = (0..cycle_len).collect();
        rows.shuffle(&mut rng);
        self.row(rows[place]).into_iter().map(|item| labels[item]).collect()
    }

    /// A generator of its own for every cycle. The odd multiplier is 2⁶⁴
    /// divided by the golden ratio, which keeps the cycles' seeds apart.
    fn rng(&self, cycle: u64) -> Pcg64Mcg {
        Pcg64Mcg::seed_from_u64(self.seed.wrapping_add(cycle.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// Row `row` of the Williams design: the zigzag 0, 1, n−1, 2, n−2, …
    /// moved on by `row`; for odd n, rows from n on are the first n reversed.
    fn row(&self, row: usize) -> Vec<usize> {
        let n = self.items;
        let zigzag = (0..n).map(|j| if j.is_multiple_of(2) { n - j / 2 } else { j.div_ceil(2) });
        let mut items: Vec<usize> = zigzag.map(|item| (item + row) % n).collect();
        if row >= n {
            items.reverse();
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// How often each item stands in each position, and each item directly
    /// before each other, over one cycle.
    fn counts(order: &BalancedOrder, cycle: u32) -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
        let n = order.items;
        let (mut positions, mut neighbours) = (vec![vec![0; n]; n], vec![vec![0; n]; n]);
        let cycle_len = order.cycle_len() as u32;
        for k in cycle * cycle_len..(cycle + 1) * cycle_len {
            let round = order.round(k);
            for (position, &item) in round.iter().enumerate() {
                positions[item][position] += 1;
            }
            for pair in round.windows(2) {
                neighbours[pair[0]][pair[1]] += 1;
            }
        }
        (positions, neighbours)
    }

    #[test]
    fn every_cycle_is_balanced_for_position_and_for_carry_over() {
        for n in 1..=30 {
            let order = BalancedOrder::new(n, 99);
            let each = (order.cycle_len() / n) as u32;
            for cycle in [0, 3] {
                let (positions, neighbours) = counts(&order, cycle);
                assert!(positions.iter().flatten().all(|&count| count == each), "n = {n}");
                for (before, row) in neighbours.iter().enumerate() {
                    for (after, &count) in row.iter().enumerate() {
                        let expected = if before == after { 0 } else { each };
                        assert_eq!(count, expected, "n = {n}, {after} after {before}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_items_give_empty_rounds() {
        assert!(BalancedOrder::new(0, 1).round(5).is_empty());
    }

    #[test]
    fn seeds_and_cycles_give_different_sequences() {
        let first: Vec<_> = (0..8).map(|k| BalancedOrder::new(8, 1).round(k)).collect();
        let other_seed: Vec<_> = (0..8).map(|k| BalancedOrder::new(8, 2).round(k)).collect();
        let next_cycle: Vec<_> = (8..16).map(|k| BalancedOrder::new(8, 1).round(k)).collect();
        assert_ne!(first, other_seed);
        assert_ne!(first, next_cycle);
    }

    #[test]
    fn which_item_comes_first_in_a_sweep_depends_on_the_seed() {
        let firsts: BTreeSet<usize> =
            (0..100).map(|seed| BalancedOrder::new(9, seed).round(0)[0]).collect();
        assert_eq!(firsts.len(), 9);
    }
}
