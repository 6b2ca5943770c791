//! How a child process begins.
//!
//! An executed child is the whole program again. It must become a child
//! before the program does anything of its own: in [`init`], on the first
//! line of `main`, or, where the program's `main` is not the user's (`cargo
//! test`, criterion), before `main`, from a function that the loader calls.
//! The parent decides: if it has called `init` itself, so will its children.
//!
//! A child that was told to begin in `init` may never come there: the call
//! is conditional, or comes late. It runs the program's `main` then and
//! would start children of its own, and they theirs. So it must not start any
//! ([`awaits_init`]), and its parent is told that it has never begun.

use std::{
    fs::File,
    io::Write,
    os::{fd::AsFd, unix::net::UnixStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use nix::unistd::dup2_stdin;

use crate::{
    EntryPoint, TaskPanic,
    code::join_family,
    process::{
        Biography, Birth, CHILD_VARIABLE, Doorway, Inheritance, die_with_parent,
        keep_exit_statuses, leave, say_begun, take_over_exit,
    },
    start_method,
};

static INIT_CALLED: AtomicBool = AtomicBool::new(false);

/// Set in an executed child from before `main` until it comes to `init`.
static AWAITS_INIT: AtomicBool = AtomicBool::new(false);

/// Lets child processes start here; in them it never returns.
///
/// Call it on the first line of `main`, always: what stands before it is
/// executed by every child too. A child that does not come here, because the
/// call depends on a condition or follows upon something that ends the
/// program, runs `main` instead; it may not start processes
/// ([`Error::InitNotReached`](crate::Error::InitNotReached)), and its parent
/// learns that it has [never begun](crate::Error::NeverBegan).
///
/// A program that cannot call it, such as a test under `cargo test`, may leave
/// it out; then its children start before `main`, without what the standard
/// library sets up there (the message of a stack overflow, which is a plain
/// segmentation fault then).
pub fn init() {
    INIT_CALLED.store(true, Relaxed);
    if AWAITS_INIT.swap(false, Relaxed) {
        become_child();
    }
}

/// Where this process's children are to begin.
pub(crate) fn doorway_of_children() -> Doorway {
    if INIT_CALLED.load(Relaxed) { Doorway::Init } else { Doorway::BeforeMain }
}

/// Whether this is a child that should have begun in `init` and has not.
pub(crate) fn awaits_init() -> bool {
    AWAITS_INIT.load(Relaxed)
}

extern "C" fn before_main() {
    let Some(doorway) = std::env::var_os(CHILD_VARIABLE) else { return };
    // SAFETY: `main` has not begun: there is no other thread. Programs that
    // this process starts must not see the variable.
    unsafe { std::env::remove_var(CHILD_VARIABLE) };
    if doorway == Doorway::Init.name() {
        AWAITS_INIT.store(true, Relaxed);
    } else {
        become_child();
    }
}

// SAFETY: the loader calls the functions of this section, with arguments that
// `before_main` does not look at, once, on the only thread. The standard
// library may be used there as in code that C calls.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

fn become_child() -> ! {
    match receive_birth() {
        Ok(Some(birth)) => begin(birth),
        // The parent died or changed its mind.
        Ok(None) => leave(0),
        Err(error) => refuse(&error.to_string()),
    }
}

fn refuse(why: &str) -> ! {
    let _ = writeln!(std::io::stderr(), "multiproc: this process cannot begin: {why}");
    leave(1)
}

/// Reads what the parent sent to descriptor 0, and replaces that by nothing.
fn receive_birth() -> std::io::Result<Option<Birth>> {
    let stdin = std::io::stdin();
    let socket = UnixStream::from(stdin.as_fd().try_clone_to_owned()?);
    dup2_stdin(File::open("/dev/null")?)?;
    let Some(birth) = Birth::receive(&socket)? else { return Ok(None) };
    let mut birth = birth?;
    say_begun(&socket);
    if birth.keeps_line {
        birth.inheritance.descriptors.push(socket.into());
    }
    Ok(Some(birth))
}

fn begin(birth: Birth) -> ! {
    join_family(birth.family_key);
    die_with_parent(nix::unistd::Pid::from_raw(birth.biography.parent_pid));
    live_as(birth)
}

/// The life of a child process that was told what to do.
pub(crate) fn live_as(birth: Birth) -> ! {
    match EntryPoint::at(birth.entry) {
        Some(entry) => live(birth.biography, entry, birth.inheritance),
        None => refuse("its entry point is not in this executable"),
    }
}

/// Exit code of a process whose entry point panicked, as of a Rust program's.
const PANICKED: i32 = 101;

/// The life of a child process, however it was started.
pub(crate) fn live(biography: Biography, entry: EntryPoint, inheritance: Inheritance) -> ! {
    // SAFETY: SIG_IGN is a valid disposition. The standard library sets it
    // before `main`, which a child that begins before `main` has not seen: a
    // write to a closed pipe must be an error here too.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    keep_exit_statuses();
    take_over_exit();
    // A NUL in the name ends it, which is all that can go wrong.
    let name = std::ffi::CString::new(biography.name.split('\0').next().unwrap_or_default());
    let _ = name.map(|name| nix::sys::prctl::set_name(&name));
    start_method::inherit_default(biography.start_method);
    biography.adopt();
    let lived = catch_unwind(AssertUnwindSafe(|| (entry.run)(inheritance)));
    if lived.is_err()
        && let Some(panic) = TaskPanic::captured()
    {
        let pid = std::process::id();
        // A standard error that is closed must not be another panic.
        let _ = writeln!(std::io::stderr(), "multiproc: process {pid} panicked at {panic}");
    }
    leave(if lived.is_ok() { 0 } else { PANICKED })
}
