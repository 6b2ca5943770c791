//! What a worker executes again and again.

use std::{
    backtrace::Backtrace,
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::{
        Once,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytemuck::{AnyBitPattern, NoUninit, Pod};

use crate::{
    bulk::Strip,
    code::{Place, Purpose, conjure},
};

/// A task as a worker sees it: bytes that all tasks of a job share (its
/// context), and chunks to execute it for, each with an input and a place for
/// its output.
type RawTask = fn(context: &[u8], chunks: &mut Strip<'_>);

/// A function that workers can execute: a plain function or a closure that
/// captures nothing.
#[derive(Clone, Copy, Debug)]
pub struct TaskFn {
    run: RawTask,
}

/// A [`TaskFn`] as plain data, valid in every process of this family.
pub type Token = [u64; 2];

impl TaskFn {
    /// A task that changes a chunk of an array in place.
    ///
    /// Context: the bytes of one `C`. Input: none. Output: the chunk, aligned
    /// for `T`.
    pub fn chunk<C, T, F>(_: F) -> Self
    where
        C: AnyBitPattern,
        T: Pod,
        F: Fn(C, &mut [T]) + Copy + Send + 'static,
    {
        Self {
            run: |context, chunks| {
                let (f, context) = (conjure::<F>(), bytemuck::pod_read_unaligned::<C>(context));
                while let Some((_, chunk)) = chunks.next() {
                    f(context, bytemuck::cast_slice_mut(chunk));
                }
            },
        }
    }

    /// A task that computes a chunk of one array from a chunk of another.
    ///
    /// Context: the bytes of one `C`. Input and output: the chunks, aligned
    /// for `I` and `O`.
    pub fn map_chunk<C, I, O, F>(_: F) -> Self
    where
        C: AnyBitPattern,
        I: Pod,
        O: Pod,
        F: Fn(C, &[I], &mut [O]) + Copy + Send + 'static,
    {
        Self {
            run: |context, chunks| {
                let (f, context) = (conjure::<F>(), bytemuck::pod_read_unaligned::<C>(context));
                while let Some((input, output)) = chunks.next() {
                    f(context, bytemuck::cast_slice(input), bytemuck::cast_slice_mut(output));
                }
            },
        }
    }

    /// A task that computes one result from one argument.
    ///
    /// Context: none. Input: the bytes of one `A`. Output: those of one `R`.
    pub fn map<A, R, F>(_: F) -> Self
    where
        A: AnyBitPattern,
        R: NoUninit,
        F: Fn(A) -> R + Copy + Send + 'static,
    {
        Self {
            run: |_, chunks| {
                let f = conjure::<F>();
                while let Some((argument, result)) = chunks.next() {
                    let value = f(bytemuck::pod_read_unaligned(argument));
                    result.copy_from_slice(bytemuck::bytes_of(&value));
                }
            },
        }
    }

    /// This function as plain data.
    #[must_use]
    pub fn token(self) -> Token {
        bytemuck::must_cast(Place::of(self.run as usize, Purpose::Task))
    }

    /// The function that `token` was made from, or `None` if it was not made
    /// by [`token`](Self::token) in this family of processes.
    #[must_use]
    pub fn from_token(token: Token) -> Option<Self> {
        let place: Place = bytemuck::must_cast(token);
        let address = place.address(Purpose::Task)?;
        // SAFETY: the tag proves that the token was made by `TaskFn::token` in
        // a process of this family, which runs the same executable; there it
        // was the address of a `RawTask`.
        let run = unsafe { std::mem::transmute::<*const (), RawTask>(address) };
        Some(Self { run })
    }

    /// Executes the task once.
    ///
    /// # Errors
    ///
    /// If it panics; a worker that called [`TaskPanic::capture`] learns where.
    #[inline]
    pub fn run(self, context: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), TaskPanic> {
        // After a panic the output is not read.
        self.run_all(context, &mut Strip::one(input, output))
    }

    /// Executes the task for each of `chunks`, as far as none panics.
    pub(crate) fn run_all(self, context: &[u8], chunks: &mut Strip<'_>) -> Result<(), TaskPanic> {
        TaskPanic::catch(|| (self.run)(context, chunks))
    }
}

/// Where and why a task panicked: `src/main.rs:7:5: index out of bounds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskPanic {
    /// File, line, column and message.
    pub message: String,
    /// The calls that led there, if they were asked for.
    pub backtrace: Option<String>,
}

/// Whether a panic that is kept is kept with its backtrace.
static WANTS_BACKTRACES: AtomicBool = AtomicBool::new(false);

thread_local! {
    static LAST_PANIC: RefCell<Option<TaskPanic>> = const { RefCell::new(None) };
    /// Inside of [`TaskPanic::catch`].
    static IS_CATCHING: Cell<bool> = const { Cell::new(false) };
}

impl TaskPanic {
    /// Makes this process keep the place and message of a panic for
    /// [`TaskFn::run`] instead of printing them. For worker processes, whose
    /// parent reports the panic. One outside a task ends the process, which
    /// prints it then.
    pub fn capture() {
        panic::set_hook(Box::new(|info| {
            LAST_PANIC.with(|last| *last.borrow_mut() = Some(describe(info)));
        }));
    }

    /// Makes this process keep the backtraces of panics too.
    pub(crate) fn want_backtraces() {
        WANTS_BACKTRACES.store(true, Relaxed);
    }

    /// Makes this process keep the place and message of a panic, and print
    /// them as before. For processes whose parent wants to know.
    pub(crate) fn keep() {
        // A forked child inherits the hook along with this.
        static KEPT: Once = Once::new();
        KEPT.call_once(|| {
            let print = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                LAST_PANIC.with(|last| *last.borrow_mut() = Some(describe(info)));
                print(info);
            }));
        });
    }

    /// The same as [`capture_caught`](Self::capture_caught), once, in a process
    /// that executes tasks of its own pool.
    pub(crate) fn capture_here() {
        // A forked child inherits the hook along with this.
        static CAPTURED: Once = Once::new();
        CAPTURED.call_once(Self::capture_caught);
    }

    /// Makes this process keep the place and message of a panic inside of
    /// [`catch`](Self::catch), and print all others as before. For processes
    /// that run code of several users' making.
    pub(crate) fn capture_caught() {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_CATCHING.get() {
                LAST_PANIC.set(Some(describe(info)));
            } else {
                print(info);
            }
        }));
    }

    /// Runs `f`; if it panics, says where.
    pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Self> {
        let outer = IS_CATCHING.replace(true);
        // Unwind safe: callers say what they do with what is half-changed.
        let outcome = panic::catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
            let first = Self::take();
            // Its own drop can panic too, and so on: one is enough.
            let dropped = panic::catch_unwind(AssertUnwindSafe(|| drop(payload)));
            let _ = dropped.map_err(std::mem::forget);
            LAST_PANIC.set(None);
            first
        });
        IS_CATCHING.set(outer);
        outcome
    }

    fn take() -> Self {
        LAST_PANIC
            .take()
            .unwrap_or_else(|| Self { message: "an unknown place".to_owned(), backtrace: None })
    }

    /// Place and message of the last panic that was kept and not told yet.
    pub(crate) fn captured() -> Option<String> {
        LAST_PANIC.take().map(|last| last.message)
    }
}

fn describe(info: &PanicHookInfo<'_>) -> TaskPanic {
    let message = info.payload_as_str().unwrap_or("a payload that is not a string");
    let message = match info.location() {
        Some(place) => format!("{place}: {message}"),
        None => message.to_owned(),
    };
    let backtrace = || Backtrace::force_capture().to_string();
    TaskPanic { message, backtrace: WANTS_BACKTRACES.load(Relaxed).then(backtrace) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_survives_the_way_through_its_token() {
        let task = TaskFn::from_token(TaskFn::map(|x: u64| x.pow(3)).token()).unwrap();
        let mut output = [0; 8];
        task.run(&[], &7u64.to_ne_bytes(), &mut output).unwrap();
        assert_eq!(u64::from_ne_bytes(output), 343);
    }

    #[test]
    fn a_token_that_was_not_made_here_is_refused() {
        assert!(TaskFn::from_token([0, 0]).is_none());
        let [place, tag] = TaskFn::map(|x: u64| x).token();
        assert!(TaskFn::from_token([place + 1, tag]).is_none());
    }

    #[test]
    fn a_panic_is_an_error_and_not_the_end() {
        let task = TaskFn::map(|x: u64| if x == 0 { panic!("no zero") } else { x });
        assert!(task.run(&[], &0u64.to_ne_bytes(), &mut [0; 8]).is_err());
        assert!(task.run(&[], &1u64.to_ne_bytes(), &mut [0; 8]).is_ok());
    }
}
