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
    if memory.len() < LEAST {
        return;
    }
    let Ok(Some(page)) = sysconf(SysconfVar::PAGE_SIZE) else { return };
    let page = page as usize;
    let skipped = memory.as_ptr().addr().next_multiple_of(page) - memory.as_ptr().addr();
    let len = (memory.len() - skipped) / page * page;
    let start = memory[skipped..].as_mut_ptr();
    // SAFETY: whole pages inside of memory that is borrowed exclusively. What
    // they contain does not change, only what they are made of.
    unsafe { libc::madvise(start.cast(), len, libc::MADV_HUGEPAGE) };
}
