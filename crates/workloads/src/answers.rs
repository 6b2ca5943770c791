//! Closed forms for the answers, and the checksum that is held against them.
//!
//! All arithmetic is modulo 2⁶⁴, where division is not defined; sums of
//! powers are therefore built from binomial coefficients, whose division is
//! exact before the reduction: Σ iᵖ = Σⱼ S(p, j) · j! · C(n, j+1), with S the
//! Stirling numbers of the second kind (Graham, Knuth, Patashnik, *Concrete
//! Mathematics*, §6.1 and §2.6).

use crate::input::Progression;

/// Position-weighted sum of `part`, which starts at element `first` of the
/// buffer: Σ (2i + 1) · xᵢ, modulo 2⁶⁴.
///
/// Checksums of adjoining parts add up (wrapping) to that of the whole. The
/// weights are odd, hence units modulo 2⁶⁴: one wrong element always changes
/// the sum, and so do two different elements that changed places, unless
/// twice their difference times their distance is a multiple of 2⁶⁴.
#[must_use]
pub fn checksum(part: &[u64], first: usize) -> u64 {
    let start = 2 * first as u64 + 1;
    part.iter().enumerate().fold(0, |sum, (i, &x)| {
        let weight = start.wrapping_add(2 * i as u64);
        sum.wrapping_add(weight.wrapping_mul(x))
    })
}

/// Σ i² for i in `0..n`, modulo 2⁶⁴.
#[must_use]
pub fn sum_of_squares(n: u64) -> u64 {
    power_sums(n)[2]
}

/// Highest power that the checksum of a cube needs: i · i³.
const MAX_POWER: usize = 4;

/// Σ (2i + 1) · x(i)ᵏ for i in `0..n`, modulo 2⁶⁴, for k ≤ 3.
pub(crate) fn weighted_power_sum(x: Progression, k: usize, n: u64) -> u64 {
    // The summand is a polynomial in i; coefficients in ascending order.
    let mut summand = vec![1, 2];
    for _ in 0..k {
        summand = times_linear(&summand, x.first, x.step);
    }
    summand.iter().zip(power_sums(n)).fold(0, |sum, (&c, s)| sum.wrapping_add(c.wrapping_mul(s)))
}

/// `polynomial` · (`constant` + `slope` · i).
fn times_linear(polynomial: &[u64], constant: u64, slope: u64) -> Vec<u64> {
    let mut product = vec![0u64; polynomial.len() + 1];
    for (power, &c) in polynomial.iter().enumerate() {
        product[power] = product[power].wrapping_add(c.wrapping_mul(constant));
        product[power + 1] = product[power + 1].wrapping_add(c.wrapping_mul(slope));
    }
    product
}

/// Σ iᵖ for i in `0..n`, modulo 2⁶⁴, for p from 0 to [`MAX_POWER`].
fn power_sums(n: u64) -> [u64; MAX_POWER + 1] {
    // stirling[p][j] · j!
    const SURJECTIONS: [[u64; MAX_POWER + 1]; MAX_POWER + 1] =
        [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 1, 2, 0, 0], [0, 1, 6, 6, 0], [0, 1, 14, 36, 24]];
    let binomials: [u64; MAX_POWER + 1] = std::array::from_fn(|j| binomial(n, j as u64 + 1));
    SURJECTIONS.map(|row| {
        row.iter().zip(binomials).fold(0u64, |sum, (&s, c)| sum.wrapping_add(s.wrapping_mul(c)))
    })
}

/// C(n, k) modulo 2⁶⁴.
fn binomial(n: u64, k: u64) -> u64 {
    if n < k {
        return 0;
    }
    let mut factors: Vec<u64> = (0..k).map(|i| n - i).collect();
    // k! divides the product of k consecutive integers, so every divisor can
    // be cancelled completely before anything overflows.
    for divisor in 2..=k {
        let mut left = divisor;
        for factor in &mut factors {
            let common = gcd(*factor, left);
            *factor /= common;
            left /= common;
        }
    }
    factors.into_iter().fold(1, u64::wrapping_mul)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;

    const COUNTS: [u64; 9] = [0, 1, 2, 3, 4, 5, 97, 1_000, 4_099];
    const HUGE: [u64; 4] = [1 << 20, 4_294_967_291, (1 << 40) + 7, u64::MAX];

    fn low_64_bits(x: &BigUint) -> u64 {
        x.iter_u64_digits().next().unwrap_or(0)
    }

    #[test]
    fn power_sums_equal_the_sums_in_big_integers() {
        for n in COUNTS {
            for (p, sum) in power_sums(n).into_iter().enumerate() {
                let exact: BigUint = (0..n).map(|i| BigUint::from(i).pow(p as u32)).sum();
                assert_eq!(sum, low_64_bits(&exact), "n = {n}, p = {p}");
            }
        }
    }

    #[test]
    fn sum_of_squares_equals_the_textbook_formula_for_counts_that_overflow() {
        for n in COUNTS.into_iter().chain(HUGE) {
            let big = BigUint::from(n);
            let exact = if n == 0 {
                BigUint::ZERO
            } else {
                &big * (&big - 1u32) * (&big * 2u32 - 1u32) / 6u32
            };
            assert_eq!(sum_of_squares(n), low_64_bits(&exact), "n = {n}");
        }
    }

    #[test]
    fn fourth_powers_equal_the_textbook_formula_for_counts_that_overflow() {
        for n in HUGE {
            let m = BigUint::from(n) - 1u32;
            let exact =
                &m * (&m + 1u32) * (&m * 2u32 + 1u32) * (&m * &m * 3u32 + &m * 3u32 - 1u32) / 30u32;
            assert_eq!(power_sums(n)[4], low_64_bits(&exact), "n = {n}");
        }
    }

    #[test]
    fn weighted_power_sums_equal_the_sums_in_big_integers() {
        for k in 1..=3 {
            for (n, nonce) in [(0, 1), (1, 2), (97, 3), (1_000, u64::MAX)] {
                let x = Progression::new(nonce);
                let exact: BigUint = (0..n)
                    .map(|i| {
                        let element: BigUint = BigUint::from(x.first) + BigUint::from(x.step) * i;
                        element.pow(k as u32) * (2 * i + 1)
                    })
                    .sum();
                assert_eq!(weighted_power_sum(x, k, n), low_64_bits(&exact), "n = {n}, k = {k}");
            }
        }
    }

    #[test]
    fn checksums_of_parts_add_up_and_notice_one_wrong_element() {
        let mut buffer: Vec<u64> = (0..1_000).map(|i| i * i + 7).collect();
        let whole = checksum(&buffer, 0);
        let (left, right) = buffer.split_at(333);
        assert_eq!(checksum(left, 0).wrapping_add(checksum(right, 333)), whole);
        buffer.swap(17, 500);
        assert_ne!(checksum(&buffer, 0), whole);
        buffer.swap(17, 500);
        buffer[999] ^= 1 << 63;
        assert_ne!(checksum(&buffer, 0), whole);
    }
}
