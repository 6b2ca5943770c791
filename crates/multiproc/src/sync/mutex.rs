//! A mutex between processes that survives its owner.
//!
//! A POSIX mutex, shared between processes and robust: the kernel knows which
//! of them each thread holds, and when a thread ends, however it ends, marks
//! them and wakes the next taker, which is told. (Robust futexes, Linux
//! `Documentation/locking/robust-futexes.rst`.)

use std::{
    cell::UnsafeCell,
    io,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

use crate::{Error, Result, process::this_process};

/// How a mutex was got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Acquired {
    /// Its last owner gave it back.
    Cleanly,
    /// Its last owner, this process, ended while it had it. What the mutex
    /// protects may be half-changed.
    AfterDeathOf(u32),
}

/// A mutex in shared memory.
///
/// Invariant: initialised by [`initialise`](Self::initialise) before any use.
/// Memory that holds a mutex stays mapped while a thread of this process has
/// it ([`is_held_here`](Self::is_held_here)), for the C library links the
/// mutexes that a thread has into a list.
#[repr(C)]
pub(crate) struct RobustMutex {
    raw: UnsafeCell<libc::pthread_mutex_t>,
    /// Process that has it; written by whoever has it. 0: nobody.
    holder: AtomicU32,
    /// How often its holder has taken it; written by whoever has it.
    depth: AtomicU32,
}

// SAFETY: a process-shared POSIX mutex may be used by all threads of all
// processes that map it.
unsafe impl Send for RobustMutex {}
// SAFETY: as above.
unsafe impl Sync for RobustMutex {}

unsafe extern "C" {
    /// glibc 2.30 and newer; `pthread_mutex_timedlock` follows the wall clock, which jumps.
    fn pthread_mutex_clocklock(
        mutex: *mut libc::pthread_mutex_t,
        clock: libc::clockid_t,
        deadline: *const libc::timespec,
    ) -> libc::c_int;
}

impl RobustMutex {
    /// Makes zeroed memory a mutex; a `recursive` one can be taken again by
    /// the thread that has it.
    ///
    /// # Safety
    ///
    /// Once, before anybody else can see it.
    pub(crate) unsafe fn initialise(&self, recursive: bool) -> Result<()> {
        let kind =
            if recursive { libc::PTHREAD_MUTEX_RECURSIVE } else { libc::PTHREAD_MUTEX_NORMAL };
        let mut attributes = std::mem::MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are initialised first and destroyed last; the
        // mutex is not in use (contract).
        let outcome = unsafe {
            checked(libc::pthread_mutexattr_init(attributes)).and_then(|()| {
                let made = checked(libc::pthread_mutexattr_settype(attributes, kind))
                    .and_then(|()| {
                        let shared = libc::PTHREAD_PROCESS_SHARED;
                        checked(libc::pthread_mutexattr_setpshared(attributes, shared))
                    })
                    .and_then(|()| {
                        let robust = libc::PTHREAD_MUTEX_ROBUST;
                        checked(libc::pthread_mutexattr_setrobust(attributes, robust))
                    })
                    .and_then(|()| checked(libc::pthread_mutex_init(self.raw.get(), attributes)));
                libc::pthread_mutexattr_destroy(attributes);
                made
            })
        };
        outcome.map_err(Error::system("make a mutex"))
    }

    /// Waits for it.
    pub(crate) fn lock(&self) -> Acquired {
        // SAFETY: initialised (invariant).
        let code = unsafe { libc::pthread_mutex_lock(self.raw.get()) };
        self.acquired(code).expect("nothing but the mutex is waited for")
    }

    /// Waits for it until `deadline`; `None` if that passes.
    pub(crate) fn lock_until(&self, deadline: Instant) -> Option<Acquired> {
        if let Some(acquired) = self.try_lock() {
            return Some(acquired);
        }
        let deadline = monotonic(deadline);
        // SAFETY: initialised (invariant); the time is valid.
        let code = unsafe {
            pthread_mutex_clocklock(self.raw.get(), libc::CLOCK_MONOTONIC, &raw const deadline)
        };
        self.acquired(code)
    }

    /// Takes it if nobody else has it.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Acquired> {
        // SAFETY: initialised (invariant).
        let code = unsafe { libc::pthread_mutex_trylock(self.raw.get()) };
        self.acquired(code)
    }

    /// Gives it back once.
    ///
    /// # Safety
    ///
    /// The calling thread has it.
    #[inline]
    pub(crate) unsafe fn unlock(&self) {
        let depth = self.depth.load(Relaxed) - 1;
        self.depth.store(depth, Relaxed);
        if depth == 0 {
            self.holder.store(0, Relaxed);
        }
        // SAFETY: initialised (invariant).
        unsafe { libc::pthread_mutex_unlock(self.raw.get()) };
    }

    /// Whether a thread of this process has it, or had it when it ended.
    pub(crate) fn is_held_here(&self) -> bool {
        self.holder.load(Relaxed) == this_process()
    }

    #[inline]
    fn acquired(&self, code: libc::c_int) -> Option<Acquired> {
        let (how, depth) = match code {
            0 => (Acquired::Cleanly, self.depth.load(Relaxed) + 1),
            libc::EOWNERDEAD => {
                // SAFETY: this thread has the mutex, in the state that wants this call.
                unsafe { libc::pthread_mutex_consistent(self.raw.get()) };
                (Acquired::AfterDeathOf(self.holder.load(Relaxed)), 1)
            }
            libc::EBUSY | libc::ETIMEDOUT => return None,
            code => unreachable!("a mutex in order: {}", io::Error::from_raw_os_error(code)),
        };
        self.holder.store(this_process(), Relaxed);
        self.depth.store(depth, Relaxed);
        Some(how)
    }
}

fn checked(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

/// The same moment on the clock that the kernel wants.
fn monotonic(deadline: Instant) -> libc::timespec {
    let left = deadline.saturating_duration_since(Instant::now());
    let now = nix::time::ClockId::CLOCK_MONOTONIC.now().expect("the clock can be read");
    // Beyond a century there is no difference to never.
    let at = Duration::from(now) + left.min(Duration::from_secs(100 * 365 * 86_400));
    libc::timespec { tv_sec: at.as_secs() as libc::time_t, tv_nsec: at.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Placed, SharedLayout};

    // SAFETY: a mutex is made to be shared.
    unsafe impl SharedLayout for RobustMutex {
        const KIND: &'static str = "test mutex";

        fn is_held_here(&self) -> bool {
            self.is_held_here()
        }
    }

    fn mutex(recursive: bool) -> Placed<RobustMutex> {
        // SAFETY: nobody else sees it yet.
        Placed::new(0, |mutex: &RobustMutex| unsafe { mutex.initialise(recursive) }).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(5)
    }

    #[test]
    fn it_excludes_other_threads_until_it_is_given_back() {
        let mutex = mutex(false);
        assert_eq!(mutex.lock(), Acquired::Cleanly);
        assert!(mutex.is_held_here());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(mutex.try_lock(), None);
                assert_eq!(mutex.lock_until(soon()), None);
            });
        });
        // SAFETY: taken above.
        unsafe { mutex.unlock() };
        assert!(!mutex.is_held_here());
    }

    #[test]
    fn a_recursive_one_is_free_when_it_was_given_back_as_often_as_taken() {
        let mutex = mutex(true);
        assert_eq!(mutex.lock(), Acquired::Cleanly);
        assert_eq!(mutex.lock(), Acquired::Cleanly);
        // SAFETY: taken twice.
        unsafe { mutex.unlock() };
        assert!(mutex.is_held_here());
        // SAFETY: taken twice, given back once.
        unsafe { mutex.unlock() };
        assert!(!mutex.is_held_here());
    }

    #[test]
    fn the_next_taker_is_told_of_an_owner_that_ended() {
        let mutex = mutex(false);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(mutex.lock(), Acquired::Cleanly));
        });
        assert_eq!(mutex.lock(), Acquired::AfterDeathOf(std::process::id()));
        // SAFETY: taken above.
        unsafe { mutex.unlock() };
        assert_eq!(mutex.lock_until(soon()), Some(Acquired::Cleanly));
        // SAFETY: taken above.
        unsafe { mutex.unlock() };
    }
}
