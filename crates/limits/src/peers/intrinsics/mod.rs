//! The kernels by hand, in the processor's own instructions: vectors named,
//! loops unrolled, every way to multiply that may be the fastest. `pulp`'s
//! tokens prove that the instructions are there, so nothing here is unsafe.

#[cfg(target_arch = "x86_64")]
mod x86;

/// A kernel by hand.
pub(crate) struct Variant<K> {
    pub(crate) name: &'static str,
    pub(crate) run: K,
}

/// Σ i² for i below the argument, modulo 2⁶⁴.
pub(crate) type Sum = Box<dyn Fn(u64) -> u64>;

/// Changes every element.
pub(crate) type Map = Box<dyn Fn(&mut [u64])>;

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{cubes, squares, sums};

#[cfg(not(target_arch = "x86_64"))]
mod none {
    use super::{Map, Sum, Variant};

    pub(crate) fn sums() -> Vec<Variant<Sum>> {
        Vec::new()
    }

    pub(crate) fn squares() -> Vec<Variant<Map>> {
        Vec::new()
    }

    pub(crate) fn cubes() -> Vec<Variant<Map>> {
        Vec::new()
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use none::{cubes, squares, sums};

#[cfg(test)]
mod tests {
    use super::*;

    /// Around whole vectors and unrolled groups of them.
    const LENS: [usize; 9] = [0, 1, 7, 8, 31, 32, 33, 100, 1_000];

    fn input(len: usize) -> Vec<u64> {
        (0..len as u64).map(|i| (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect()
    }

    fn check(variants: Vec<Variant<Map>>, power: u32) {
        for Variant { name, run } in variants {
            for len in LENS {
                let mut elements = input(len);
                run(&mut elements);
                let right: Vec<u64> = input(len).iter().map(|x| x.wrapping_pow(power)).collect();
                assert_eq!(elements, right, "{name}, {len}");
            }
        }
    }

    #[test]
    fn squares_and_cubes_by_hand_are_right_modulo_two_to_the_64() {
        check(squares(), 2);
        check(cubes(), 3);
    }

    #[test]
    fn sums_by_hand_equal_the_closed_form() {
        for Variant { name, run } in sums() {
            for n in LENS.map(|len| len as u64).into_iter().chain([3_000_017]) {
                assert_eq!(run(n), workloads::answers::sum_of_squares(n), "{name}, {n}");
            }
        }
    }
}
