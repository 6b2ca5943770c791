//! Cache lines that are fetched ahead.

/// Has the processor fetch the line that `place` lies in, to be written. From
/// another core that takes as long as a hand-over; if it is called for before it
/// is needed, several come at once. Any address will do: nothing is accessed.
#[inline]
pub(crate) fn prefetch_to_write<T>(place: *const T) {
    // SAFETY: a hint, which has no effect but on caches, whatever the address.
    // A processor that does not know it does nothing instead.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) place, options(nostack, preserves_flags));
    }
    // SAFETY: as above.
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    unsafe {
        std::arch::asm!("prfm pstl1keep, [{}]", in(reg) place, options(nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = place;
    #[cfg(miri)]
    let _ = place;
}
