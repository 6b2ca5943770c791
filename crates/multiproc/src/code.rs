//! Functions as data: their place in the executable, and a tag that proves it.
//!
//! Parent and child run the same executable, so the distance of a function
//! from a fixed place in it ([`ANCHOR`]) means the same function in both, wherever
//! the loader has put them, if both lie in one object: the loader moves a program
//! and each of its shared libraries by distances of their own. The tag is keyed
//! with a number that the processes of one family share and nobody else knows;
//! bytes that did not come from [`Place::of`] do not get past
//! [`Place::address`], so rubbish in a message is an error and not a jump into
//! the unknown.

use std::{
    hash::{BuildHasher, RandomState},
    marker::PhantomData,
    ops::Range,
    sync::OnceLock,
};

use bytemuck::{Pod, Zeroable};

use crate::Inheritance;

/// What a function is for; a place made for one purpose is not valid for
/// another, whose signature differs.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(crate) enum Purpose {
    Entry = 1,
    Task = 2,
    Call = 3,
    /// What a worker of a pool calls with encoded values.
    Job = 4,
    /// What a worker of a pool calls before its first task, or after its last.
    Hook = 5,
}

/// The place of a function in the executable, ready to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Place {
    offset: u64,
    tag: u64,
}

/// Parent and child measure from here. Not a function: a compiler may make
/// several copies of one, each with an address of its own.
static ANCHOR: u8 = 0;

fn anchor() -> usize {
    std::ptr::from_ref(&ANCHOR).addr()
}

impl Place {
    /// The place of the function at `address`.
    ///
    /// # Panics
    ///
    /// If that is not in the same object as this crate.
    pub(crate) fn of(address: usize, purpose: Purpose) -> Self {
        assert!(
            own_object().contains(&address),
            "a function in another shared library than multiproc has no place that another \
             process could find\nhelp: link multiproc and the functions of processes and tasks \
             statically into one program (no `prefer-dynamic`, no `dylib`)"
        );
        let offset = address.wrapping_sub(anchor()) as u64;
        Self { offset, tag: tag(offset, purpose) }
    }

    /// Where that function is in this process, or `None` if this is not the
    /// place of a function of `purpose`.
    pub(crate) fn address(self, purpose: Purpose) -> Option<*const ()> {
        // Where it came from: `of` was given the address of a function as a number.
        (self.tag == tag(self.offset, purpose))
            .then(|| std::ptr::with_exposed_provenance(anchor().wrapping_add(self.offset as usize)))
    }
}

/// The addresses of the program or shared library that this crate is in.
fn own_object() -> &'static Range<usize> {
    static OWN_OBJECT: OnceLock<Range<usize>> = OnceLock::new();
    OWN_OBJECT.get_or_init(find_own_object)
}

/// Miri has no loader, and nothing but the program.
#[cfg(miri)]
fn find_own_object() -> Range<usize> {
    0..usize::MAX
}

#[cfg(not(miri))]
fn find_own_object() -> Range<usize> {
    use std::ffi::{c_int, c_void};

    /// Sets the range that `found` leads to and ends the search at the object
    /// that the anchor is in.
    unsafe extern "C" fn look(
        object: *mut libc::dl_phdr_info,
        _: usize,
        found: *mut c_void,
    ) -> c_int {
        // SAFETY: the loader lends a description of an object that is loaded.
        let object = unsafe { &*object };
        // SAFETY: so many headers belong to it.
        let headers =
            unsafe { std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) };
        let loaded = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        let segments = loaded.map(|header| {
            let start = (object.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
            start..start + header.p_memsz as usize
        });
        // The loader reserves one range for all segments of an object.
        let Some(range) = segments.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)) else {
            return 0;
        };
        let is_own = range.contains(&anchor());
        if is_own {
            // SAFETY: it leads to the range below, which nobody else borrows.
            unsafe { *found.cast::<Range<usize>>() = range };
        }
        is_own.into()
    }

    let mut found = 0..0;
    // SAFETY: `look` keeps to what the function promises it.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut found).cast()) };
    found
}

fn tag(offset: u64, purpose: Purpose) -> u64 {
    // Two rounds of a 64-bit finaliser (SplitMix64): not cryptography, which
    // a peer that shares our memory would not be stopped by, but 2⁻⁶⁴ odds
    // for anything that is not ours.
    mix(mix(offset ^ family_key()) ^ purpose as u64)
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

static FAMILY_KEY: OnceLock<u64> = OnceLock::new();

/// The number that all processes of one family share.
pub(crate) fn family_key() -> u64 {
    // `RandomState` is seeded by the operating system.
    *FAMILY_KEY.get_or_init(|| RandomState::new().hash_one(std::process::id()))
}

/// Makes this process a member of its parent's family.
pub(crate) fn join_family(key: u64) {
    // A process that is only being born has had no use for a key of its own.
    FAMILY_KEY.set(key).expect("a process joins a family before it uses a key");
}

/// What a child process runs: a plain function or a closure that captures
/// nothing.
#[derive(Clone, Copy, Debug)]
pub struct EntryPoint {
    pub(crate) run: fn(Inheritance),
}

impl EntryPoint {
    /// The entry point that runs `f`.
    pub fn new<F: Fn(Inheritance) + Copy + Send + 'static>(_: F) -> Self {
        Self { run: |inheritance| conjure::<F>()(inheritance) }
    }

    pub(crate) fn place(self) -> Place {
        Place::of(self.run as usize, Purpose::Entry)
    }

    pub(crate) fn at(place: Place) -> Option<Self> {
        let address = place.address(Purpose::Entry)?;
        // SAFETY: the tag proves that `place` was made by `EntryPoint::place`
        // in a process of this family, which runs the same executable; there
        // it was the address of a `fn(Inheritance)`.
        let run = unsafe { std::mem::transmute::<*const (), fn(Inheritance)>(address) };
        Some(Self { run })
    }
}

/// A value of the zero-sized type `F`, without having one.
///
/// Callers take an `F` by value first: that one exists, is `Copy`, and has no
/// bytes that could differ from this one's.
pub(crate) fn conjure<F: Copy + Send + 'static>() -> F {
    struct ZeroSized<F>(PhantomData<F>);
    impl<F> ZeroSized<F> {
        const ASSERT: () = assert!(
            size_of::<F>() == 0,
            "only plain functions and closures that capture nothing can cross to another process"
        );
    }
    let () = ZeroSized::<F>::ASSERT;
    // SAFETY: the assertion above, at compile time: `F` has no bytes that
    // could be uninitialised. Callers were given a value of type `F`, so the
    // type is inhabited, and `Copy` allows another.
    #[allow(clippy::uninit_assumed_init, reason = "nothing to initialise")]
    unsafe {
        std::mem::MaybeUninit::<F>::uninit().assume_init()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_leads_back_to_its_function_and_only_for_its_purpose() {
        let address = mix as fn(u64) -> u64 as usize;
        let place = Place::of(address, Purpose::Task);
        assert_eq!(place.address(Purpose::Task).map(<*const ()>::addr), Some(address));
        assert_eq!(place.address(Purpose::Entry), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no loader")]
    #[should_panic(expected = "in another shared library")]
    fn what_lies_in_another_object_has_no_place() {
        // So does the heap.
        let elsewhere = Box::new(0u8);
        let _ = Place::of(&raw const *elsewhere as usize, Purpose::Task);
    }

    #[test]
    fn rubbish_is_not_a_place() {
        let good = Place::of(anchor(), Purpose::Task);
        for bit in 0..128 {
            let mut bytes = bytemuck::bytes_of(&good).to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let bad: Place = bytemuck::pod_read_unaligned(&bytes);
            assert_eq!(bad.address(Purpose::Task), None, "bit {bit}");
        }
        assert_eq!(Place::zeroed().address(Purpose::Task), None);
    }
}
