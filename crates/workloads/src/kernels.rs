//! The three kernels: plain loops, compiled for each instruction set and
//! chosen at run time, so that a portable binary measures the machine and not
//! the year 2003.

use std::{hint::black_box, sync::LazyLock};

use pulp::{Arch, Simd, WithSimd};

static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Name of the instruction set that the kernels are dispatched to on this
/// machine, e.g. `V4` for AVX-512.
#[must_use]
pub fn instruction_set() -> String {
    let name = format!("{:?}", *ARCH);
    // pulp's variants carry a token: only the name in front of it is a fact.
    name.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}

/// Elements in a block of [`sum_of_squares`]: 8 KiB of offsets, a quarter of
/// a first-level cache.
const BLOCK: usize = 1024;

static OFFSETS: [u64; BLOCK] = {
    let mut offsets = [0; BLOCK];
    let mut i = 0;
    while i < BLOCK {
        offsets[i] = i as u64;
        i += 1;
    }
    offsets
};

/// Σ i² for i in `0..n`, modulo 2⁶⁴, in time linear in `n`.
///
/// A compiler folds the plain loop into a polynomial that costs the same for
/// every `n`, and with an opaque bound it still folds each block. Here every
/// i is the sum of its block's base and an offset read from a table that the
/// compiler cannot see through, which it can vectorise but not fold.
#[must_use]
pub fn sum_of_squares(n: u64) -> u64 {
    struct Kernel(u64);
    impl WithSimd for Kernel {
        type Output = u64;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> u64 {
            let offsets: &[u64; BLOCK] = black_box(&OFFSETS);
            let mut sum = 0u64;
            let mut base = 0;
            while base < self.0 {
                let len = (self.0 - base).min(BLOCK as u64);
                for &offset in &offsets[..len as usize] {
                    let i = base.wrapping_add(offset);
                    sum = sum.wrapping_add(i.wrapping_mul(i));
                }
                base += len;
            }
            sum
        }
    }
    ARCH.dispatch(Kernel(n))
}

/// Replaces every x by x², modulo 2⁶⁴.
pub fn square(stretch: &mut [u64]) {
    struct Kernel<'a>(&'a mut [u64]);
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for x in self.0 {
                *x = x.wrapping_mul(*x);
            }
        }
    }
    ARCH.dispatch(Kernel(stretch));
}

/// Replaces every x by x³, modulo 2⁶⁴.
pub fn cube(stretch: &mut [u64]) {
    struct Kernel<'a>(&'a mut [u64]);
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for x in self.0 {
                *x = x.wrapping_mul(*x).wrapping_mul(*x);
            }
        }
    }
    ARCH.dispatch(Kernel(stretch));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers;

    #[test]
    fn sum_of_squares_equals_the_closed_form_at_every_block_boundary() {
        let edges = [0, 1, 2, 1_023, 1_024, 1_025, 2_048, 99_991, 3_000_017];
        for n in edges {
            assert_eq!(sum_of_squares(n), answers::sum_of_squares(n), "n = {n}");
        }
    }

    #[test]
    fn square_and_cube_wrap_modulo_two_to_the_64() {
        let input = [0, 1, 3, 1 << 32, u64::MAX, 0x1234_5678_9ABC_DEF1, 7, 8, 9];
        let mut squares = input;
        square(&mut squares);
        let mut cubes = input;
        cube(&mut cubes);
        for (i, x) in input.into_iter().enumerate() {
            assert_eq!(squares[i], x.wrapping_pow(2));
            assert_eq!(cubes[i], x.wrapping_pow(3));
        }
    }
}
