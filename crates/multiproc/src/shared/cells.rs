//! Elements that others may change at the same moment.
//!
//! An element is read and written in units of 1, 2, 4 or 8 bytes, the largest
//! that its size is a multiple of, each by one atomic access. Elements of one
//! type always have the same units, so accesses that race are of the same
//! size, as the memory model of `std::sync::atomic` wants it.

use std::{
    marker::PhantomData,
    ptr::NonNull,
    slice,
    sync::atomic::{
        AtomicU8, AtomicU16, AtomicU32, AtomicU64,
        Ordering::{self, Acquire, Relaxed, Release, SeqCst},
        fence,
    },
};

use bytemuck::{Pod, bytes_of, bytes_of_mut, cast_slice, cast_slice_mut};

/// Bytes in a unit of `T`.
pub(super) const fn unit_of<T>() -> usize {
    assert!(size_of::<T>() > 0, "an element of a shared array has a size");
    let factors_of_two = size_of::<T>().trailing_zeros();
    1 << if factors_of_two < 3 { factors_of_two } else { 3 }
}

/// An atomic integer that makes up elements.
trait Unit {
    fn read(&self, into: &mut [u8], ordering: Ordering);
    fn write(&self, from: &[u8], ordering: Ordering);
    fn replace(&self, bytes: &mut [u8]);
    /// Adds to it; `bytes` become what it was.
    fn increase(&self, bytes: &mut [u8]);
    /// Whether it was `expected`; that becomes what it was.
    fn replace_if(&self, expected: &mut [u8], new: &[u8]) -> bool;
}

macro_rules! unit {
    ($atomic:ty, $integer:ty) => {
        impl Unit for $atomic {
            #[inline]
            fn read(&self, into: &mut [u8], ordering: Ordering) {
                into.copy_from_slice(&self.load(ordering).to_ne_bytes());
            }

            #[inline]
            fn write(&self, from: &[u8], ordering: Ordering) {
                self.store(<$integer>::from_ne_bytes(whole(from)), ordering);
            }

            #[inline]
            fn replace(&self, bytes: &mut [u8]) {
                let old = self.swap(<$integer>::from_ne_bytes(whole(bytes)), SeqCst);
                bytes.copy_from_slice(&old.to_ne_bytes());
            }

            #[inline]
            fn increase(&self, bytes: &mut [u8]) {
                let old = self.fetch_add(<$integer>::from_ne_bytes(whole(bytes)), SeqCst);
                bytes.copy_from_slice(&old.to_ne_bytes());
            }

            #[inline]
            fn replace_if(&self, expected: &mut [u8], new: &[u8]) -> bool {
                let (current, new) = (whole(expected), whole(new));
                let (current, new) =
                    (<$integer>::from_ne_bytes(current), <$integer>::from_ne_bytes(new));
                let outcome = self.compare_exchange(current, new, SeqCst, SeqCst);
                let (Ok(old) | Err(old)) = outcome;
                expected.copy_from_slice(&old.to_ne_bytes());
                outcome.is_ok()
            }
        }
    };
}

unit!(AtomicU8, u8);
unit!(AtomicU16, u16);
unit!(AtomicU32, u32);
unit!(AtomicU64, u64);

#[inline]
fn whole<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("all bytes of a unit")
}

/// Elements of shared memory.
///
/// Invariant: the variant of `units` is that of `unit_of::<T>()`, and they make
/// up whole elements.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a, T> {
    units: Units<'a>,
    element: PhantomData<T>,
}

#[derive(Clone, Copy)]
enum Units<'a> {
    One(&'a [AtomicU8]),
    Two(&'a [AtomicU16]),
    Four(&'a [AtomicU32]),
    Eight(&'a [AtomicU64]),
}

/// The same expression for units of any size.
macro_rules! with_units {
    ($cells:expr, $units:ident => $result:expr) => {
        match $cells.units {
            Units::One($units) => $result,
            Units::Two($units) => $result,
            Units::Four($units) => $result,
            Units::Eight($units) => $result,
        }
    };
}

impl<'a, T: Pod> Cells<'a, T> {
    /// Units in an element.
    const UNITS: usize = size_of::<T>() / unit_of::<T>();

    /// A compile error for elements that are larger than a unit.
    const AT_ONCE: () = assert!(
        Self::UNITS == 1,
        "only values of 1, 2, 4 or 8 bytes are replaced at once; use one with a lock"
    );

    /// # Safety
    ///
    /// For as long as `'a`, `len` elements lie at `base`, which is aligned to
    /// 8 bytes, and are accessed as the `Cells` of a type of the same size
    /// only.
    #[inline]
    pub(super) unsafe fn new(base: NonNull<u8>, len: usize) -> Self {
        let units = len * Self::UNITS;
        // SAFETY: the elements are there and aligned for every unit, and all
        // accesses are atomic and of this size (contract).
        let units = unsafe {
            match unit_of::<T>() {
                1 => Units::One(slice::from_raw_parts(base.cast().as_ptr(), units)),
                2 => Units::Two(slice::from_raw_parts(base.cast().as_ptr(), units)),
                4 => Units::Four(slice::from_raw_parts(base.cast().as_ptr(), units)),
                _ => Units::Eight(slice::from_raw_parts(base.cast().as_ptr(), units)),
            }
        };
        Self { units, element: PhantomData }
    }

    #[inline]
    pub(super) fn load(self, index: usize) -> T {
        let mut value = T::zeroed();
        let (start, bytes) = (index * Self::UNITS, bytes_of_mut(&mut value));
        // Pairs with the Release in `store`: whoever sees an element sees
        // everything that its writer had done before.
        with_units!(self, units => read(&units[start..][..Self::UNITS], bytes, Acquire));
        value
    }

    #[inline]
    pub(super) fn store(self, index: usize, value: T) {
        let (start, bytes) = (index * Self::UNITS, bytes_of(&value));
        // Pairs with the Acquire in `load`.
        with_units!(self, units => write(&units[start..][..Self::UNITS], bytes, Release));
    }

    /// Copies elements from number `index` on.
    pub(super) fn copy_to(self, index: usize, into: &mut [T]) {
        let count = into.len() * Self::UNITS;
        let (start, bytes) = (index * Self::UNITS, cast_slice_mut(into));
        with_units!(self, units => read(&units[start..][..count], bytes, Relaxed));
        // Pairs with the Release in `store` and the fence in `copy_from`.
        fence(Acquire);
    }

    /// Replaces elements from number `index` on.
    pub(super) fn copy_from(self, index: usize, from: &[T]) {
        let count = from.len() * Self::UNITS;
        let (start, bytes) = (index * Self::UNITS, cast_slice(from));
        // Pairs with the Acquire in `load` and the fence in `copy_to`.
        fence(Release);
        with_units!(self, units => write(&units[start..][..count], bytes, Relaxed));
    }

    /// Replaces an element of one unit; what it was.
    #[inline]
    pub(super) fn swap(self, index: usize, mut value: T) -> T {
        const { Self::AT_ONCE };
        with_units!(self, units => units[index].replace(bytes_of_mut(&mut value)));
        value
    }

    /// Adds to an integer of one unit, wrapping around; what it was.
    #[inline]
    pub(super) fn add(self, index: usize, mut value: T) -> T {
        const { Self::AT_ONCE };
        with_units!(self, units => units[index].increase(bytes_of_mut(&mut value)));
        value
    }

    /// Replaces an element of one unit if its bytes are those of `current`;
    /// what it was.
    #[inline]
    pub(super) fn compare_exchange(self, index: usize, mut current: T, new: T) -> Result<T, T> {
        const { Self::AT_ONCE };
        let (expected, new) = (bytes_of_mut(&mut current), bytes_of(&new));
        let replaced = with_units!(self, units => units[index].replace_if(expected, new));
        if replaced { Ok(current) } else { Err(current) }
    }
}

#[inline]
fn read<U: Unit>(units: &[U], bytes: &mut [u8], ordering: Ordering) {
    for (bytes, unit) in bytes.chunks_exact_mut(size_of::<U>()).zip(units) {
        unit.read(bytes, ordering);
    }
}

#[inline]
fn write<U: Unit>(units: &[U], bytes: &[u8], ordering: Ordering) {
    for (bytes, unit) in bytes.chunks_exact(size_of::<U>()).zip(units) {
        unit.write(bytes, ordering);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn memory() -> Vec<u64> {
        vec![0; 12]
    }

    fn cells<T: Pod>(memory: &mut [u64], len: usize) -> Cells<'_, T> {
        assert!(len * size_of::<T>() <= size_of_val(memory));
        // SAFETY: as many elements are there, aligned, borrowed exclusively.
        unsafe { Cells::new(NonNull::from(memory).cast(), len) }
    }

    fn elements_are_kept_apart<T: Pod + PartialEq + Debug>(values: [T; 3]) {
        let mut memory = memory();
        let cells = cells::<T>(&mut memory, 4);
        for (index, value) in values.into_iter().enumerate() {
            cells.store(index, value);
        }
        assert_eq!([0, 1, 2].map(|index| cells.load(index)), values);
        cells.copy_from(1, &values);
        let mut read = [T::zeroed(); 4];
        cells.copy_to(0, &mut read);
        assert_eq!(read, [values[0], values[0], values[1], values[2]]);
    }

    #[test]
    fn elements_of_every_size_are_kept_apart() {
        elements_are_kept_apart([1u8, 2, 255]);
        elements_are_kept_apart([-1i16, 2, i16::MIN]);
        elements_are_kept_apart([1.5f32, -2.5, f32::MAX]);
        elements_are_kept_apart([u64::MAX, 2, 3]);
        elements_are_kept_apart([[1u8, 2, 3], [4, 5, 6], [7, 8, 9]]);
        elements_are_kept_apart([[1u32, 2, 3], [4, 5, 6], [7, 8, 9]]);
        elements_are_kept_apart([u128::MAX, 2, 3]);
    }

    #[test]
    fn a_unit_is_as_large_as_the_size_allows() {
        assert_eq!(
            [unit_of::<[u8; 7]>(), unit_of::<[u16; 3]>(), unit_of::<[f32; 3]>(), unit_of::<u128>()],
            [1, 2, 4, 8]
        );
    }

    #[test]
    fn an_element_is_replaced_at_once_and_tells_what_it_was() {
        let mut memory = memory();
        let cells = cells::<i16>(&mut memory, 4);
        assert_eq!(cells.swap(2, -5), 0);
        assert_eq!(cells.add(2, i16::MIN), -5);
        assert_eq!(cells.load(2), i16::MIN.wrapping_sub(5), "it wraps around");
        assert_eq!(cells.compare_exchange(2, 0, 1), Err(i16::MIN.wrapping_sub(5)));
        assert_eq!(
            cells.compare_exchange(2, i16::MIN.wrapping_sub(5), 1),
            Ok(i16::MIN.wrapping_sub(5))
        );
        assert_eq!([0, 1, 2, 3].map(|index| cells.load(index)), [0, 0, 1, 0]);
    }

    #[test]
    fn an_element_of_one_unit_is_never_torn() {
        let mut memory = memory();
        let cells = cells::<[u32; 2]>(&mut memory, 1);
        let rounds = if cfg!(miri) { 50 } else { 100_000 };
        std::thread::scope(|scope| {
            scope.spawn(move || (0..rounds).for_each(|n| cells.store(0, [n; 2])));
            scope.spawn(move || {
                for _ in 0..rounds {
                    let [low, high] = cells.load(0);
                    assert_eq!(low, high);
                }
            });
        });
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn an_element_beyond_the_end_is_not_touched() {
        cells::<u32>(&mut memory(), 4).load(4);
    }
}
