//! Wilcoxon's rank-sum test, far into its tails.

/// Sizes of the smaller sample up to which the distribution is exact. What is used
/// beyond is too large far out, and the more so the smaller a sample is: of 5 values
/// among 60 it makes a p-value of 3 · 10⁻⁷ one of 2 · 10⁻³.
const EXACT: usize = 20;

/// Distributions of the rank sum of some of `len` values.
pub(super) struct RankSums {
    len: usize,
    /// By size of the smaller sample: how many of its choices have a U of at most
    /// the index, U being the rank sum less its smallest possible value.
    cumulative: Vec<Vec<f64>>,
}

impl RankSums {
    /// Counts all choices of up to [`EXACT`] of the ranks 1 to `len`.
    pub(super) fn of(len: usize) -> Self {
        let sizes = 0..=EXACT.min(len / 2);
        let mut counts: Vec<Vec<f64>> =
            sizes.map(|size| vec![0.0; size * (len - size) + 1]).collect();
        counts[0][0] = 1.0;
        for rank in 1..=len {
            // The largest first: each rank is chosen once at most.
            for size in (1..counts.len().min(rank + 1)).rev() {
                let (smaller, larger) = counts.split_at_mut(size);
                let (without, with) = (&smaller[size - 1], &mut larger[0]);
                // Chosen as the largest of `size` it adds that much to U.
                for (u, count) in without.iter().enumerate() {
                    if let Some(sum) = with.get_mut(u + rank - size) {
                        *sum += count;
                    }
                }
            }
        }
        for counts in &mut counts {
            for u in 1..counts.len() {
                counts[u] += counts[u - 1];
            }
        }
        Self { len, cumulative: counts }
    }

    /// The probability that the ranks of `size` of the values sum up to `sum` or to
    /// something that is at least as far from the middle, if they are any of them;
    /// where that is not known exactly, rather more.
    ///
    /// `tied` counts the pairs of one of these values and an equal one of the others.
    /// Each could come out either way if ties were broken; the sum counts as the one
    /// nearest to the middle that this could make of it. Broken at random, ties
    /// leave ranks in any order with the same probability, so that the table holds, and
    /// no such sum is less probable than what is told here.
    ///
    /// Beyond [`EXACT`] values it is Chernoff's bound with the variance of the sum,
    /// 2 exp(−z² ÷ 2), which holds for both tails together: with m and n values,
    /// the generating function of U (Mann and Whitney, Annals of Mathematical Statistics
    /// 18, 1947) makes the mean of exp(λ (U − mn ÷ 2)) the product over i = 1 … m of
    /// s((n + i) λ ÷ 2) ÷ s(i λ ÷ 2), where s(x) = sinh x ÷ x. ln s is a concave function
    /// of x² with slope 1 ÷ 6 at 0, so that mean is at most exp(λ² mn (m + n + 1) ÷ 24),
    /// as a normal number's would be.
    pub(super) fn p_value(&self, size: usize, sum: f64, tied: usize) -> f64 {
        let pairs = (size * (self.len - size)) as f64;
        let u = sum - (size * (size + 1)) as f64 / 2.0;
        // Whole: shared ranks make u what is sure, and half of what is tied.
        let from_end = u.min(pairs - u) + tied as f64 / 2.0;
        match self.cumulative.get(size.min(self.len - size)) {
            Some(cumulative) => {
                let all = cumulative.last().copied().unwrap_or(1.0);
                let tail = cumulative.get(from_end as usize).copied().unwrap_or(all);
                (2.0 * tail / all).min(1.0)
            }
            None => {
                let variance = pairs * (self.len + 1) as f64 / 12.0;
                let off = (pairs / 2.0 - from_end).max(0.0);
                (2.0 * (-off.powi(2) / variance / 2.0).exp()).min(1.0)
            }
        }
    }
}

/// The rank of each value, from 1; ties share the mean of theirs.
pub(super) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = below as f64 + (tied.len() + 1) as f64 / 2.0;
        tied.iter().for_each(|&index| ranks[index] = rank);
        below += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest U that is significant at 5 % and at 1 %, two-sided: Mann and Whitney's
    /// tables as in Zar, "Biostatistical Analysis", table B.11.
    #[test]
    fn critical_values_are_the_published_ones() {
        let table = [
            (5, 5, Some(2), Some(0)),
            (3, 5, Some(0), None),
            (4, 10, Some(5), Some(2)),
            (8, 8, Some(13), Some(7)),
            (10, 10, Some(23), Some(16)),
            (15, 15, Some(64), Some(51)),
            (20, 20, Some(127), Some(105)),
        ];
        for (size, others, of_5, of_1) in table {
            let sums = RankSums::of(size + others);
            let least = (size * (size + 1) / 2) as f64;
            let critical = |level: f64| {
                let significant = |u: &usize| sums.p_value(size, least + *u as f64, 0) <= level;
                (0..=size * others / 2).take_while(significant).last()
            };
            assert_eq!((critical(0.05), critical(0.01)), (of_5, of_1), "{size} and {others}");
        }
    }

    #[test]
    fn both_samples_and_both_tails_are_judged_alike() {
        let sums = RankSums::of(12);
        // Ranks 1 to 4 against 5 to 12, seen from either side and upside down.
        let p = 2.0 / 495.0;
        for (size, sum) in [(4, 10.0), (8, 68.0), (4, 42.0), (8, 36.0)] {
            assert!((sums.p_value(size, sum, 0) - p).abs() < 1e-12, "{size}, {sum}");
        }
        assert_eq!(sums.p_value(6, 39.0, 0), 1.0);
    }

    /// Chosen so large that both forms could be used.
    #[test]
    fn beyond_the_exact_table_the_probability_is_rather_too_large() {
        for others in [EXACT, 3 * EXACT] {
            let exact = RankSums::of(EXACT + others);
            let bound = RankSums { len: EXACT + others, cumulative: Vec::new() };
            let least = (EXACT * (EXACT + 1) / 2) as f64;
            for u in 0..=EXACT * others / 2 {
                let [exact, bound] =
                    [&exact, &bound].map(|sums| sums.p_value(EXACT, least + u as f64, 0));
                assert!(bound >= exact, "{u}: {bound}, {exact}");
            }
        }
        assert!(RankSums::of(100).p_value(50, 1_275.0, 0) < 1e-15);
        assert_eq!(RankSums::of(100).p_value(50, 2_525.0, 0), 1.0);
    }

    /// Every sample of every size of twelve values, by its bits: how often one
    /// looks as improbable as `p`, or more, is at most `p`.
    #[test]
    fn ties_make_nothing_look_less_probable_than_it_is() {
        for values in [
            [1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10],
            [1, 1, 2, 3, 4, 5, 5, 5, 5, 6, 7, 7],
            [1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2],
        ] {
            let ranks = ranks(&values.map(f64::from));
            let sums = RankSums::of(values.len());
            let p_value = |size: usize, sample: u32| {
                let is_in = |place: &usize| sample >> place & 1 == 1;
                let (sample, others): (Vec<usize>, Vec<usize>) = (0..12).partition(is_in);
                let pairs =
                    sample.iter().flat_map(|one| others.iter().map(move |other| (one, other)));
                let tied = pairs.filter(|&(&one, &other)| ranks[one] == ranks[other]).count();
                sums.p_value(size, sample.iter().map(|&place| ranks[place]).sum(), tied)
            };
            for size in 1..12 {
                let samples = (0u32..1 << 12).filter(|s| s.count_ones() as usize == size);
                let mut found: Vec<f64> = samples.map(|sample| p_value(size, sample)).collect();
                found.sort_by(f64::total_cmp);
                let all = found.len() as f64;
                for (place, &p) in found.iter().enumerate() {
                    assert!((place + 1) as f64 / all <= p + 1e-12, "{size} of {values:?}: {p}");
                }
            }
        }
    }

    #[test]
    fn ties_share_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0, 3.0]), [4.0, 1.0, 4.0, 2.0, 4.0]);
        // U is 0.5 of 4, and could be 0 or 1.
        assert_eq!(RankSums::of(4).p_value(2, 3.5, 1), RankSums::of(4).p_value(2, 4.0, 0));
    }
}
