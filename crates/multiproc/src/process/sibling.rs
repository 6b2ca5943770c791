//! A fork whose child is not this process's but its parent's: a sibling.
//!
//! The fork server's. What it forks is a child of the process that wanted it,
//! which so waits for it as for any other, and hears of its end from the kernel
//! and not from the server.
//!
//! The C library's `fork` cannot do that, so the system call is made here, and
//! so is what that function does in the child of a process with one thread. It
//! does not run the handlers that were registered with `pthread_atfork`; they
//! keep order between threads, of which the server has one. Where that is not
//! known to be enough there are no [`Siblings`].

use std::{io, ptr::NonNull};

use super::{forget_this_process, fork::thread_count, newborn::Newborn};

/// The right to fork siblings.
///
/// Invariant: this process has a single thread, whose C library keeps the
/// thread's id at `thread_id` and its list of robust mutexes at `robust_list`;
/// both stay there as long as the thread lives.
pub(super) struct Siblings {
    thread_id: NonNull<libc::pid_t>,
    robust_list: (*mut libc::c_void, usize),
}

impl Siblings {
    /// `None` where it is not known how, for instance with another C library
    /// than glibc, or where somebody has started a thread.
    pub(super) fn of_this_process() -> Option<Self> {
        // What the system call's arguments are on s390 differs from all others.
        let is_known = cfg!(all(target_env = "gnu", not(target_arch = "s390x")));
        if !is_known || thread_count().ok()? != 1 {
            return None;
        }
        Some(Self { thread_id: thread_id()?, robust_list: robust_list()? })
    }

    /// Forks; `None` in the child. The kernel writes its id to `newborn` before
    /// it runs.
    ///
    /// # Safety
    ///
    /// This process still has a single thread.
    pub(super) unsafe fn fork(&self, newborn: &Newborn) -> io::Result<Option<libc::pid_t>> {
        // The signal of the child's end is the one of this process's own.
        let flags = libc::CLONE_PARENT | libc::CLONE_PARENT_SETTID;
        // SAFETY: no memory is shared, so the child returns from the call on a
        // stack of its own, a copy of this one. With a single thread (contract) no
        // lock is held by a thread that does not exist in the child, which may
        // therefore run any code. The kernel writes to a word that may change at any
        // time.
        let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, newborn.word(), 0, 0) };
        match pid {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                self.settle_in();
                Ok(None)
            }
            pid => Ok(Some(pid as libc::pid_t)),
        }
    }

    /// In the child: what the C library keeps of its parent becomes its own.
    fn settle_in(&self) {
        let (head, len) = self.robust_list;
        // SAFETY: the thread is a copy of the server's, with the same addresses
        // (the type's invariant). Nobody else runs, nobody borrows the id, and a robust
        // mutex that the server held would be its own: it holds none.
        unsafe {
            let id = libc::syscall(libc::SYS_set_tid_address, self.thread_id.as_ptr());
            self.thread_id.write(id as libc::pid_t);
            libc::syscall(libc::SYS_set_robust_list, head, len);
        }
        forget_this_process();
    }
}

/// Where the C library keeps the id of this thread, which is where it has told
/// the kernel to clear it when the thread ends (prctl(2), since Linux 3.5 where
/// the kernel was built with `CONFIG_CHECKPOINT_RESTORE`).
fn thread_id() -> Option<NonNull<libc::pid_t>> {
    let mut address: *mut libc::pid_t = std::ptr::null_mut();
    // SAFETY: the kernel writes an address to the variable.
    let asked = unsafe { libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut address) };
    let address = NonNull::new(address).filter(|address| asked == 0 && address.is_aligned())?;
    // SAFETY: the kernel writes there when the thread ends, so it stays mapped;
    // nobody else writes to the id of a thread that lives.
    let id = unsafe { address.read() };
    // With another library it may be something else.
    (id == nix::unistd::gettid().as_raw()).then_some(address)
}

/// Where the robust mutexes of this thread are listed (get_robust_list(2)).
fn robust_list() -> Option<(*mut libc::c_void, usize)> {
    let (mut head, mut len) = (std::ptr::null_mut(), 0usize);
    // SAFETY: the kernel writes an address and a length to the variables.
    let asked = unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut len) };
    (asked == 0).then_some((head, len))
}
