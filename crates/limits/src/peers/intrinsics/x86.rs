//! For x86-64 with AVX2 or AVX-512.

use std::arch::x86_64::{__m256i, __m512i};

use pulp::{
    NullaryFnOnce, cast,
    x86::{V3, V4},
};

use super::{Map, Sum, Variant};

/// Vectors that are worked on together, so that one's latency hides another's.
const UNROLLED: usize = 4;

/// What lies before the first border of a cache line, and what begins there: a
/// vector across the border costs two accesses.
#[inline(always)]
fn at_cache_line(elements: &mut [u64]) -> (&mut [u64], &mut [u64]) {
    let before = elements.as_ptr().align_offset(64).min(elements.len());
    elements.split_at_mut(before)
}

/// The three kernels for one kind of vector and one way to multiply.
macro_rules! kernels {
    ($module:ident, $token:ty, $vector:ty, $lanes:literal, $way:path) => {
        mod $module {
            use super::*;
            use $way as way;

            const LANES: usize = $lanes;
            const GROUP: usize = LANES * UNROLLED;

            struct Square<'a>($token, &'a mut [u64]);

            impl NullaryFnOnce for Square<'_> {
                type Output = ();

                #[inline(always)]
                fn call(self) {
                    let (before, elements) = at_cache_line(self.1);
                    before.iter_mut().for_each(|x| *x = x.wrapping_mul(*x));
                    let (groups, rest) = elements.as_chunks_mut::<GROUP>();
                    for group in groups {
                        for vector in group.as_chunks_mut::<LANES>().0 {
                            let x: $vector = cast(*vector);
                            *vector = cast(way::square(self.0, x));
                        }
                    }
                    rest.iter_mut().for_each(|x| *x = x.wrapping_mul(*x));
                }
            }

            struct Cube<'a>($token, &'a mut [u64]);

            impl NullaryFnOnce for Cube<'_> {
                type Output = ();

                #[inline(always)]
                fn call(self) {
                    let (before, elements) = at_cache_line(self.1);
                    before.iter_mut().for_each(|x| *x = x.wrapping_mul(*x).wrapping_mul(*x));
                    let (groups, rest) = elements.as_chunks_mut::<GROUP>();
                    for group in groups {
                        for vector in group.as_chunks_mut::<LANES>().0 {
                            let x: $vector = cast(*vector);
                            *vector = cast(way::times(self.0, way::square(self.0, x), x));
                        }
                    }
                    rest.iter_mut().for_each(|x| *x = x.wrapping_mul(*x).wrapping_mul(*x));
                }
            }

            struct Sum($token, u64);

            impl NullaryFnOnce for Sum {
                type Output = u64;

                #[inline(always)]
                fn call(self) -> u64 {
                    let Self(token, n) = self;
                    let first = |group: usize| -> $vector {
                        let lanes: [u64; LANES] =
                            std::array::from_fn(|lane| (group * LANES + lane) as u64);
                        cast(lanes)
                    };
                    let step: $vector = cast([GROUP as u64; LANES]);
                    let mut numbers: [$vector; UNROLLED] = std::array::from_fn(first);
                    let mut sums: [$vector; UNROLLED] = [cast([0u64; LANES]); UNROLLED];
                    let groups = n / GROUP as u64;
                    for _ in 0..groups {
                        for (sum, number) in sums.iter_mut().zip(&mut numbers) {
                            *sum = way::plus(token, *sum, way::small_square(token, *number));
                            *number = way::plus(token, *number, step);
                        }
                    }
                    let all = sums.iter().fold(0u64, |all, &sum| {
                        let lanes: [u64; LANES] = cast(sum);
                        lanes.iter().fold(all, |all, &lane| all.wrapping_add(lane))
                    });
                    (groups * GROUP as u64..n)
                        .fold(all, |all, i| all.wrapping_add(i.wrapping_mul(i)))
                }
            }

            pub(super) fn square(token: $token) -> Map {
                Box::new(move |elements| token.vectorize(Square(token, elements)))
            }

            pub(super) fn cube(token: $token) -> Map {
                Box::new(move |elements| token.vectorize(Cube(token, elements)))
            }

            pub(super) fn sum(token: $token) -> super::Sum {
                Box::new(move |n| {
                    // A small square is that of a number of 32 bits.
                    assert!(n <= 1 << 32, "tried with fewer numbers only");
                    token.vectorize(Sum(token, n))
                })
            }
        }
    };
}

kernels!(whole_512, V4, __m512i, 8, super::whole_multiply_512);
kernels!(halves_512, V4, __m512i, 8, super::multiply_halves_512);
kernels!(whole_256, V4, __m256i, 4, super::whole_multiply_256);
kernels!(halves_256, V3, __m256i, 4, super::multiply_halves_256);

/// `vpmullq` on 512 bits.
mod whole_multiply_512 {
    use super::*;

    #[inline(always)]
    pub(super) fn plus(token: V4, a: __m512i, b: __m512i) -> __m512i {
        token.avx512f._mm512_add_epi64(a, b)
    }

    #[inline(always)]
    pub(super) fn times(token: V4, a: __m512i, b: __m512i) -> __m512i {
        token.avx512dq._mm512_mullo_epi64(a, b)
    }

    #[inline(always)]
    pub(super) fn square(token: V4, a: __m512i) -> __m512i {
        times(token, a, a)
    }

    #[inline(always)]
    pub(super) fn small_square(token: V4, a: __m512i) -> __m512i {
        times(token, a, a)
    }
}

/// `vpmullq` on 256 bits, which some processors run at a higher frequency.
mod whole_multiply_256 {
    use super::*;

    #[inline(always)]
    pub(super) fn plus(token: V4, a: __m256i, b: __m256i) -> __m256i {
        token.avx2._mm256_add_epi64(a, b)
    }

    #[inline(always)]
    pub(super) fn times(token: V4, a: __m256i, b: __m256i) -> __m256i {
        token.avx512dq._mm256_mullo_epi64(a, b)
    }

    #[inline(always)]
    pub(super) fn square(token: V4, a: __m256i) -> __m256i {
        times(token, a, a)
    }

    #[inline(always)]
    pub(super) fn small_square(token: V4, a: __m256i) -> __m256i {
        times(token, a, a)
    }
}

/// `vpmuludq` on 512 bits: a product of 64 bits from products of 32. Of a
/// square the two mixed products are one, twice.
mod multiply_halves_512 {
    use super::*;

    #[inline(always)]
    pub(super) fn plus(token: V4, a: __m512i, b: __m512i) -> __m512i {
        token.avx512f._mm512_add_epi64(a, b)
    }

    #[inline(always)]
    pub(super) fn times(token: V4, a: __m512i, b: __m512i) -> __m512i {
        let f = token.avx512f;
        let (high_a, high_b) = (f._mm512_srli_epi64::<32>(a), f._mm512_srli_epi64::<32>(b));
        let mixed =
            f._mm512_add_epi64(f._mm512_mul_epu32(high_a, b), f._mm512_mul_epu32(a, high_b));
        f._mm512_add_epi64(f._mm512_mul_epu32(a, b), f._mm512_slli_epi64::<32>(mixed))
    }

    #[inline(always)]
    pub(super) fn square(token: V4, a: __m512i) -> __m512i {
        let f = token.avx512f;
        let mixed = f._mm512_mul_epu32(f._mm512_srli_epi64::<32>(a), a);
        f._mm512_add_epi64(f._mm512_mul_epu32(a, a), f._mm512_slli_epi64::<33>(mixed))
    }

    #[inline(always)]
    pub(super) fn small_square(token: V4, a: __m512i) -> __m512i {
        token.avx512f._mm512_mul_epu32(a, a)
    }
}

/// `vpmuludq` on 256 bits.
mod multiply_halves_256 {
    use super::*;

    #[inline(always)]
    pub(super) fn plus(token: V3, a: __m256i, b: __m256i) -> __m256i {
        token.avx2._mm256_add_epi64(a, b)
    }

    #[inline(always)]
    pub(super) fn times(token: V3, a: __m256i, b: __m256i) -> __m256i {
        let avx2 = token.avx2;
        let (high_a, high_b) = (avx2._mm256_srli_epi64::<32>(a), avx2._mm256_srli_epi64::<32>(b));
        let mixed = avx2
            ._mm256_add_epi64(avx2._mm256_mul_epu32(high_a, b), avx2._mm256_mul_epu32(a, high_b));
        avx2._mm256_add_epi64(avx2._mm256_mul_epu32(a, b), avx2._mm256_slli_epi64::<32>(mixed))
    }

    #[inline(always)]
    pub(super) fn square(token: V3, a: __m256i) -> __m256i {
        let avx2 = token.avx2;
        let mixed = avx2._mm256_mul_epu32(avx2._mm256_srli_epi64::<32>(a), a);
        avx2._mm256_add_epi64(avx2._mm256_mul_epu32(a, a), avx2._mm256_slli_epi64::<33>(mixed))
    }

    #[inline(always)]
    pub(super) fn small_square(token: V3, a: __m256i) -> __m256i {
        token.avx2._mm256_mul_epu32(a, a)
    }
}

/// A name, and how to make the kernel where its instructions are there.
type Wide<K> = (&'static str, fn(V4) -> K);

/// Those of `wide`, which take AVX-512, and those of `narrow`, which take AVX2,
/// as far as this processor has them.
fn variants<K>(wide: [Wide<K>; 3], narrow: fn(V3) -> K) -> Vec<Variant<K>> {
    let mut variants = Vec::new();
    if let Some(token) = V4::try_new() {
        variants.extend(wide.map(|(name, kernel)| Variant { name, run: kernel(token) }));
    }
    if let Some(token) = V3::try_new() {
        variants.push(Variant { name: "vpmuludq, 256 bits", run: narrow(token) });
    }
    variants
}

const WHOLE_512: &str = "vpmullq, 512 bits";
const HALVES_512: &str = "vpmuludq, 512 bits";
const WHOLE_256: &str = "vpmullq, 256 bits";

pub(crate) fn sums() -> Vec<Variant<Sum>> {
    let wide: [Wide<Sum>; 3] =
        [(WHOLE_512, whole_512::sum), (HALVES_512, halves_512::sum), (WHOLE_256, whole_256::sum)];
    variants(wide, halves_256::sum)
}

pub(crate) fn squares() -> Vec<Variant<Map>> {
    let wide: [Wide<Map>; 3] = [
        (WHOLE_512, whole_512::square),
        (HALVES_512, halves_512::square),
        (WHOLE_256, whole_256::square),
    ];
    variants(wide, halves_256::square)
}

pub(crate) fn cubes() -> Vec<Variant<Map>> {
    let wide: [Wide<Map>; 3] = [
        (WHOLE_512, whole_512::cube),
        (HALVES_512, halves_512::cube),
        (WHOLE_256, whole_256::cube),
    ];
    variants(wide, halves_256::cube)
}
