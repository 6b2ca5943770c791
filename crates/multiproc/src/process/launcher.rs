//! A thread to start processes from.
//!
//! A child's parent-death signal fires when the thread that started it ends,
//! not when the process does. The main thread lives as long as the process;
//! any other may end long before the pool that it started. Those hand the
//! start to one permanent thread. (A process with such a thread cannot fork,
//! but neither could it before: it had a second thread already.)

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Mutex, OnceLock, PoisonError,
        mpsc::{Sender, channel},
    },
};

type Start = Box<dyn FnOnce() + Send>;

static LAUNCHER: OnceLock<Mutex<Sender<Start>>> = OnceLock::new();

/// Runs `start` on a thread that lives as long as the process.
pub(super) fn on_permanent_thread<T: Send + 'static>(
    start: impl FnOnce() -> T + Send + 'static,
) -> T {
    if nix::unistd::gettid() == nix::unistd::getpid() {
        return start();
    }
    let (reply, answer) = channel();
    let start = Box::new(move || {
        // A panic is the caller's, not the end of the thread that others need.
        let started = catch_unwind(AssertUnwindSafe(start));
        // The receiver below waits for it.
        let _ = reply.send(started);
    });
    launcher().send(start).expect("the launcher thread never ends");
    match answer.recv().expect("the launcher thread answers") {
        Ok(started) => started,
        Err(panic) => resume_unwind(panic),
    }
}

fn launcher() -> Sender<Start> {
    let sender = LAUNCHER.get_or_init(|| {
        let (sender, receiver) = channel::<Start>();
        std::thread::Builder::new()
            .name("launcher".to_owned())
            .spawn(move || receiver.into_iter().for_each(|start| start()))
            .expect("one more thread can be started");
        Mutex::new(sender)
    });
    sender.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
