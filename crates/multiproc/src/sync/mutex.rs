//! A mutex between processes that survives its owner.
//!
//! A POSIX mutex, shared between processes and robust: the kernel knows which
//! of them each thread holds, and when a thread ends, however it ends, marks
//! them and wakes the next taker, which is told. (Robust futexes, Linux
//! `Documentation/locking/robust-futexes.rst`.)

use std::{
    cell::UnsafeCell,
    io,
    sync::atomic::{
        AtomicU64,
        Ordering::{AcqRel, Relaxed, Release},
        compiler_fence,
    },
    time::{Duration, Instant},
};

use super::{spin::spin, wait_queue::LONGEST_SLEEP};
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
    /// Which process has it, and where that has mapped it (see
    /// [`here`](Self::here)); written by whoever has it. 0: nobody.
    holder: AtomicU64,
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
    #[inline]
    pub(crate) fn lock(&self) -> Acquired {
        self.try_lock().unwrap_or_else(|| self.wait_and_lock())
    }

    /// Waits for it until `deadline`, for ever if there is none; `None` if
    /// that passes.
    pub(crate) fn lock_until(&self, deadline: impl Into<Option<Instant>>) -> Option<Acquired> {
        let Some(deadline) = deadline.into() else { return Some(self.lock()) };
        if let Some(acquired) = self.try_lock().or_else(|| self.spin_and_lock()) {
            return Some(acquired);
        }
        self.sleep_and_lock(Some(deadline))
    }

    #[cold]
    fn wait_and_lock(&self) -> Acquired {
        let acquired = self.spin_and_lock().or_else(|| self.sleep_and_lock(None));
        acquired.expect("there is no deadline")
    }

    /// Sleeps until it is free and takes it, but no longer than
    /// [`LONGEST_SLEEP`] at a time.
    ///
    /// Of several that sleep one is woken, and says in the mutex, when it takes
    /// it, that others do still. If it is killed before that, and somebody else
    /// has taken the mutex meanwhile who never slept, nothing says so any more:
    /// neither the C library nor the kernel would ever wake the others.
    fn sleep_and_lock(&self, deadline: Option<Instant>) -> Option<Acquired> {
        loop {
            let look = Instant::now() + LONGEST_SLEEP;
            let until = monotonic(deadline.map_or(look, |deadline| deadline.min(look)));
            // SAFETY: initialised (invariant); the time is valid.
            let code = unsafe {
                pthread_mutex_clocklock(self.raw.get(), libc::CLOCK_MONOTONIC, &raw const until)
            };
            let acquired = self.acquired(code);
            if acquired.is_some() || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return acquired;
            }
        }
    }

    /// Takes it if it becomes free while it makes sense to look.
    fn spin_and_lock(&self) -> Option<Acquired> {
        // Looks at the holder, which costs it less than attempts would.
        spin(|| (self.holder.load(Relaxed) == 0).then(|| self.try_lock()).flatten())
    }

    /// Takes it if nobody else has it.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Acquired> {
        // SAFETY: initialised (invariant).
        let code = unsafe { libc::pthread_mutex_trylock(self.raw.get()) };
        self.acquired(code)
    }

    /// Gives it back, if it is not recursive or was taken once.
    ///
    /// # Safety
    ///
    /// The calling thread has it.
    #[inline]
    pub(crate) unsafe fn unlock(&self) {
        // Who dies from here on has left everything in order.
        compiler_fence(Release);
        self.holder.store(0, Relaxed);
        // SAFETY: the caller has it (contract).
        unsafe { self.unlock_inner() };
    }

    /// Gives a recursive one back once, of several times that it was taken.
    ///
    /// # Safety
    ///
    /// The calling thread has it, and will call [`unlock`](Self::unlock) last.
    #[inline]
    pub(crate) unsafe fn unlock_inner(&self) {
        // SAFETY: initialised (invariant); the caller has it (contract).
        unsafe { libc::pthread_mutex_unlock(self.raw.get()) };
    }

    /// Whether a thread of this process has it by way of this mapping, or had
    /// when it ended.
    pub(crate) fn is_held_here(&self) -> bool {
        self.holder.load(Relaxed) == self.here()
    }

    /// The process that has it, or had when it ended.
    pub(crate) fn holder(&self) -> Option<u32> {
        match self.holder.load(Relaxed) {
            0 => None,
            holder => Some(process_of(holder)),
        }
    }

    /// This process and this mapping in one word. A process id has 22 bits at
    /// most (`PID_MAX_LIMIT`), the number of a page 36 (47 bits of address
    /// unless asked for more, which nobody does here).
    #[inline]
    fn here(&self) -> u64 {
        let page = std::ptr::from_ref(self).addr() as u64 >> 12;
        page << PROCESS_BITS | u64::from(this_process())
    }

    #[inline]
    fn acquired(&self, code: libc::c_int) -> Option<Acquired> {
        let how = match code {
            0 => Acquired::Cleanly,
            libc::EBUSY | libc::ETIMEDOUT => return None,
            code => self.acquired_after_death(code),
        };
        // A recursive one that this thread has already, perhaps by way of another
        // mapping, stays held by way of that: the C library has linked it there.
        if code != 0 || self.holder.load(Relaxed) == 0 {
            self.holder.store(self.here(), Relaxed);
        }
        // Who dies before has changed nothing.
        compiler_fence(AcqRel);
        Some(how)
    }

    #[cold]
    fn acquired_after_death(&self, code: libc::c_int) -> Acquired {
        let error = io::Error::from_raw_os_error(code);
        assert_eq!(code, libc::EOWNERDEAD, "a mutex in order: {error}");
        // SAFETY: this thread has the mutex, in the state that wants this call.
        unsafe { libc::pthread_mutex_consistent(self.raw.get()) };
        // Who died while it took the mutex or gave it back has not changed
        // what it protects, or had come to the end of it.
        self.holder().map_or(Acquired::Cleanly, Acquired::AfterDeathOf)
    }
}

const PROCESS_BITS: u32 = 24;

const fn process_of(holder: u64) -> u32 {
    holder as u32 & ((1 << PROCESS_BITS) - 1)
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
    use std::sync::atomic::AtomicU32;

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
    #[cfg_attr(miri, ignore = "needs memory files")]
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
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn who_sleeps_gets_it_though_whoever_was_woken_died_and_nothing_says_that_somebody_sleeps() {
        /// In the C library's word: others sleep. The kernel's `FUTEX_WAITERS`.
        const WAITERS: u32 = 1 << 31;
        let mutex = mutex(false);
        assert_eq!(mutex.lock(), Acquired::Cleanly);
        // SAFETY: a mutex begins with its word (the C library's layout, which the
        // kernel relies on), which is accessed atomically.
        let word = unsafe { AtomicU32::from_ptr(mutex.raw.get().cast()) };
        std::thread::scope(|scope| {
            let (tell, told) = std::sync::mpsc::channel();
            let mutex = &mutex;
            let sleeper = scope.spawn(move || {
                tell.send(nix::unistd::gettid()).unwrap();
                assert_eq!(mutex.lock(), Acquired::Cleanly);
                // SAFETY: just taken.
                unsafe { mutex.unlock() };
            });
            let stat = format!("/proc/self/task/{}/stat", told.recv().unwrap());
            let sleeps = || std::fs::read_to_string(&stat).unwrap().contains(") S ");
            while word.load(Relaxed) & WAITERS == 0 || !sleeps() {
                std::thread::yield_now();
            }
            // What a thief leaves who came between the woken one's wake-up and death.
            word.fetch_and(!WAITERS, Relaxed);
            // SAFETY: taken above.
            unsafe { mutex.unlock() };
            sleeper.join().unwrap();
        });
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
    fn a_recursive_one_is_free_when_it_was_given_back_as_often_as_taken() {
        let mutex = mutex(true);
        assert_eq!(mutex.lock(), Acquired::Cleanly);
        assert_eq!(mutex.lock(), Acquired::Cleanly);
        // SAFETY: taken twice.
        unsafe { mutex.unlock_inner() };
        assert!(mutex.is_held_here());
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(mutex.try_lock(), None));
        });
        // SAFETY: taken twice, given back once.
        unsafe { mutex.unlock() };
        assert!(!mutex.is_held_here());
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs memory files")]
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
