//! The sum of squares.
//!
//! A compiler folds the plain loop into a polynomial that costs the same for
//! every n. Explicit vectors, which it does not see through, a step that it does
//! not know, so that halves of numbers may wrap, and a mask that it does not
//! know keep the work at every number.

use std::{array, hint::black_box, slice};

use pulp::{
    Simd, WithSimd,
    bytemuck::{Pod, cast_slice_mut},
};

use super::ARCH;

/// Σ i² for i in `0..n`, modulo 2⁶⁴, in time linear in `n`.
#[must_use]
pub fn sum_of_squares(n: u64) -> u64 {
    ARCH.dispatch(Sum { from: 0, to: n })
}

/// Vectors that are worked on together, so that one's latency hides another's.
const TOGETHER: usize = 4;

/// The numbers from here on have more than 32 bits.
const WIDE: u64 = 1 << 32;

/// Σ i² for i in `from..to`, of which `from` is not the larger.
struct Sum {
    from: u64,
    to: u64,
}

impl WithSimd for Sum {
    type Output = u64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> u64 {
        let group = (TOGETHER * S::U64_LANES) as u64;
        let groups = self.to.min(WIDE).saturating_sub(self.from) / group;
        let rest = self.from + groups * group;
        narrow(simd, self.from, groups).wrapping_add(wide(rest, self.to))
    }
}

/// Σ i² for so many groups of consecutive numbers below [`WIDE`].
///
/// Only their lower halves are multiplied: one instruction, where a product of
/// 64-bit numbers takes three or is made of three.
#[inline(always)]
fn narrow<S: Simd>(simd: S, from: u64, groups: u64) -> u64 {
    let mut numbers: [S::u64s; TOGETHER] = array::from_fn(|vector| {
        let mut numbers = simd.splat_u64s(from);
        for (lane, number) in lanes(&mut numbers).iter_mut().enumerate() {
            *number = number.wrapping_add((vector * S::U64_LANES + lane) as u64);
        }
        numbers
    });
    let mut sums = [simd.splat_u64s(0); TOGETHER];
    // A step that the compiler knew would show it bits of the numbers, and it
    // would trade the multiplication of halves for a longer one.
    let step = simd.splat_u64s(black_box((TOGETHER * S::U64_LANES) as u64));
    for _ in 0..groups {
        for (sum, numbers) in sums.iter_mut().zip(&mut numbers) {
            let mut squares = *numbers;
            for x in lanes(&mut squares) {
                let half = *x & (WIDE - 1);
                *x = half * half;
            }
            *sum = simd.add_u64s(*sum, squares);
            *numbers = simd.add_u64s(*numbers, step);
        }
    }
    sums.iter_mut().flat_map(lanes).fold(0, |sum, &mut lane| sum.wrapping_add(lane))
}

/// Σ i² for i in `from..to`, of any size.
#[inline(always)]
fn wide(from: u64, to: u64) -> u64 {
    // Keeps every number as it is, but the compiler cannot know that.
    let all = black_box(u64::MAX);
    (from..to).fold(0, |sum: u64, i| {
        let i = i & all;
        sum.wrapping_add(i.wrapping_mul(i))
    })
}

/// The numbers in a vector.
#[inline(always)]
fn lanes<V: Pod>(vector: &mut V) -> &mut [u64] {
    cast_slice_mut(slice::from_mut(vector))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use pulp::Scalar;

    use super::*;
    use crate::answers;

    /// The sum with each instruction set that this machine has.
    fn sums(from: u64, to: u64) -> Vec<u64> {
        let sum = || Sum { from, to };
        let mut sums = vec![Scalar.vectorize(sum()), ARCH.dispatch(sum())];
        #[cfg(target_arch = "x86_64")]
        sums.extend(pulp::x86::V3::try_new().map(|v3| Simd::vectorize(v3, sum())));
        sums
    }

    fn one_by_one(from: u64, to: u64) -> u64 {
        (from..to).fold(0, |sum, i| sum.wrapping_add(i.wrapping_pow(2)))
    }

    #[test]
    fn a_sum_of_few_is_that_of_the_plain_loop_for_every_count() {
        for n in 0..300 {
            assert_eq!(sum_of_squares(n), one_by_one(0, n), "n = {n}");
            for sum in sums(0, n) {
                assert_eq!(sum, one_by_one(0, n), "n = {n}");
            }
        }
    }

    #[test]
    fn a_sum_of_many_equals_the_closed_form() {
        for n in [99_991, 1 << 20, (1 << 20) + 1, 3_000_017] {
            assert_eq!(sum_of_squares(n), answers::sum_of_squares(n), "n = {n}");
        }
    }

    #[test]
    fn a_sum_over_any_border_of_the_numbers_is_that_of_the_plain_loop() {
        for border in [1 << 31, WIDE, WIDE + 100, 1 << 33, 1 << 63, u64::MAX - 70] {
            for (before, after) in [(0, 1), (1, 0), (1, 1), (31, 33), (32, 32), (33, 70), (70, 0)] {
                let (from, to) = (border - before, border + after);
                for sum in sums(from, to) {
                    assert_eq!(sum, one_by_one(from, to), "{from}..{to}");
                }
            }
        }
    }

    #[test]
    fn wide_numbers_too_are_squared_one_by_one() {
        // A polynomial takes the same time for both.
        let (few, many) = (10_000, 200_000);
        let mut shortest = [Duration::MAX; 2];
        for _ in 0..20 {
            for (shortest, count) in shortest.iter_mut().zip([few, many]) {
                let start = Instant::now();
                black_box(
                    ARCH.dispatch(Sum { from: black_box(WIDE), to: WIDE + black_box(count) }),
                );
                *shortest = start.elapsed().min(*shortest);
            }
        }
        let [few, many] = shortest;
        assert!(many > 5 * few, "{few:?} for few, {many:?} for twenty times as many");
    }
}
