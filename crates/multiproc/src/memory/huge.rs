//! Pages for large private memory.

use nix::{
    libc,
    unistd::{SysconfVar, sysconf},
};

/// Smaller pieces have no huge page in them, as a rule.
const LEAST: usize = 4 << 20;

/// Asks the system for huge pages behind memory that nobody has written yet: to
/// touch it for the first time takes a third of the time then. It may refuse.
pub(crate) fn prefer_huge_pages(memory: &mut [u8]) {
    if memory.len() >= LEAST {
        // SAFETY: `MADV_HUGEPAGE` changes what the pages are made of, not what is in them.
        unsafe { advise(memory, libc::MADV_HUGEPAGE) };
    }
}

/// Lets the system take back the pages behind memory until they are written
/// again. If it does they are zeros, at whatever time: what was there must not be
/// relied on. If it does not, to write them costs no more than before.
pub(crate) fn may_be_reclaimed(memory: &mut [u8]) {
    // SAFETY: after `MADV_FREE` there are the same bytes or zeros.
    unsafe { advise(memory, libc::MADV_FREE) };
}

/// Gives advice about the whole pages in `memory`, which the system may take.
///
/// # Safety
///
/// The `advice` must leave the pages mapped, and bytes in them, of whatever
/// value: `MADV_HUGEPAGE` and `MADV_FREE` do.
unsafe fn advise(memory: &mut [u8], advice: libc::c_int) {
    // The interpreter has no pages.
    if cfg!(miri) {
        return;
    }
    let (start, len) = whole_pages(memory);
    // SAFETY: whole pages inside of memory that is borrowed exclusively, so that
    // nobody relies on its bytes meanwhile; they stay bytes (contract).
    unsafe { libc::madvise(start, len, advice) };
}

/// Where the whole pages in `memory` begin, and their bytes.
fn whole_pages(memory: &mut [u8]) -> (*mut libc::c_void, usize) {
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(0) as usize;
    if page == 0 {
        return (memory.as_mut_ptr().cast(), 0);
    }
    let start = memory.as_ptr().addr();
    let skipped = (start.next_multiple_of(page) - start).min(memory.len());
    let rest = &mut memory[skipped..];
    (rest.as_mut_ptr().cast(), rest.len() / page * page)
}
