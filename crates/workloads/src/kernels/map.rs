//! Kernels that replace every element.

use pulp::{Simd, WithSimd};

use super::ARCH;

/// Replaces every x by x², modulo 2⁶⁴.
pub fn square(stretch: &mut [u64]) {
    ARCH.dispatch(Map { stretch, f: |x: u64| x.wrapping_mul(x) });
}

/// Replaces every x by x³, modulo 2⁶⁴.
pub fn cube(stretch: &mut [u64]) {
    ARCH.dispatch(Map { stretch, f: |x: u64| x.wrapping_mul(x).wrapping_mul(x) });
}

/// The longest vector, and a cache line of every processor that has such.
const VECTOR_BYTES: usize = 64;

/// Elements from which on it pays to do those before the first cache line's
/// border one by one: a vector across the border costs two accesses, which a
/// few vectors do not make up for.
const ALIGNED_FROM: usize = 64;

struct Map<'a, F> {
    stretch: &'a mut [u64],
    f: F,
}

impl<F: Fn(u64) -> u64> WithSimd for Map<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { mut stretch, f } = self;
        if stretch.len() >= ALIGNED_FROM {
            let before = stretch.as_ptr().align_offset(VECTOR_BYTES).min(stretch.len());
            let (unaligned, rest) = stretch.split_at_mut(before);
            unaligned.iter_mut().for_each(|x| *x = f(*x));
            stretch = rest;
        }
        // Plain, because compilers vectorise it as well as it can be done.
        stretch.iter_mut().for_each(|x| *x = f(*x));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Around whole vectors, groups of them, and [`ALIGNED_FROM`].
    const LENS: [usize; 12] = [0, 1, 2, 7, 8, 9, 31, 63, 64, 65, 100, 1_000];

    fn input(len: usize) -> Vec<u64> {
        let borders = [0, 1, 3, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, u64::MAX - 1, u64::MAX];
        let rest = (0..).map(|i: u64| i.wrapping_add(5).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        borders.into_iter().chain(rest).take(len).collect()
    }

    #[test]
    fn square_and_cube_wrap_modulo_two_to_the_64_for_every_length_and_alignment() {
        // Eight elements are a cache line: no offset within one is left out.
        for (len, offset) in LENS.into_iter().flat_map(|len| (0..8).map(move |o| (len, o))) {
            for (kernel, power) in [(square as fn(&mut [u64]), 2), (cube, 3)] {
                let before = input(offset + len + 1);
                let mut elements = before.clone();
                kernel(&mut elements[offset..offset + len]);
                for (i, (&after, &x)) in elements.iter().zip(&before).enumerate() {
                    let inside = (offset..offset + len).contains(&i);
                    let right = if inside { x.wrapping_pow(power) } else { x };
                    assert_eq!(after, right, "{x} to the {power}, {len} from {offset}");
                }
            }
        }
    }
}
