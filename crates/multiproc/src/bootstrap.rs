//! How a child process begins.
//!
//! An executed child is the whole program again. It must become a child
//! before the program does anything of its own: in [`init`], on the first
//! line of `main`, or, where the program's `main` is not the user's (`cargo
//! test`, criterion), before `main`, from a function that the loader calls.
//! The parent decides: if it has called `init` itself, so will its children.

use std::{
    fs::File,
    io::Write,
    os::{fd::AsFd, unix::net::UnixStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

use nix::unistd::dup2_stdin;

use crate::{
    EntryPoint, TaskPanic,
    code::join_family,
    process::{Birth, CHILD_VARIABLE, Doorway, Inheritance, die_with_parent},
};

static INIT_CALLED: AtomicBool = AtomicBool::new(false);

/// Lets child processes start here; in them it never returns.
///
/// Call it on the first line of `main`: what stands before it is executed by
/// every child too. A program that cannot, such as a test, may leave it out;
/// then its children start before `main`, without what the standard library
/// sets up there (the message of a stack overflow, which is a plain
/// segmentation fault then).
pub fn init() {
    INIT_CALLED.store(true, Ordering::Relaxed);
    enter(Doorway::Init);
}

/// Where this process's children are to begin.
pub(crate) fn doorway_of_children() -> Doorway {
    if INIT_CALLED.load(Ordering::Relaxed) { Doorway::Init } else { Doorway::BeforeMain }
}

extern "C" fn before_main() {
    enter(Doorway::BeforeMain);
}

// SAFETY: the loader calls the functions of this section, with arguments that
// `before_main` does not look at, once, on the only thread. The standard
// library may be used there as in code that C calls.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

/// Becomes a child if this process is one and is to begin here.
fn enter(here: Doorway) {
    if std::env::var_os(CHILD_VARIABLE).is_none_or(|doorway| doorway != here.name()) {
        return;
    }
    // SAFETY: `main` has not begun or is on its first line: there is no other
    // thread. Programs that this process starts must not see the variable.
    unsafe { std::env::remove_var(CHILD_VARIABLE) };
    match receive_birth() {
        Ok(Some(birth)) => begin(birth),
        // The parent died or changed its mind.
        Ok(None) => exit(0),
        Err(error) => {
            eprintln!("multiproc: this process cannot begin: {error}");
            exit(1);
        }
    }
}

/// Reads what the parent sent to descriptor 0, and replaces that by nothing.
fn receive_birth() -> std::io::Result<Option<Birth>> {
    let stdin = std::io::stdin();
    let socket = UnixStream::from(stdin.as_fd().try_clone_to_owned()?);
    dup2_stdin(File::open("/dev/null")?)?;
    Birth::receive(&socket)
}

fn begin(birth: Birth) -> ! {
    join_family(birth.family_key);
    die_with_parent(birth.parent);
    let Some(entry) = EntryPoint::at(birth.entry) else {
        eprintln!(
            "multiproc: this process cannot begin: its entry point is not in this executable"
        );
        exit(1);
    };
    live(&birth.name, entry, birth.inheritance)
}

/// Exit code of a process whose entry point panicked, as of a Rust program's.
const PANICKED: i32 = 101;

/// The life of a child process, however it was started.
pub(crate) fn live(name: &str, entry: EntryPoint, inheritance: Inheritance) -> ! {
    // SAFETY: SIG_IGN is a valid disposition. The standard library sets it
    // before `main`, which a child that begins before `main` has not seen: a
    // write to a closed pipe must be an error here too.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    // A NUL in the name ends it, which is all that can go wrong.
    let name = std::ffi::CString::new(name.split('\0').next().unwrap_or_default());
    let _ = name.map(|name| nix::sys::prctl::set_name(&name));
    let lived = catch_unwind(AssertUnwindSafe(|| (entry.run)(inheritance)));
    if lived.is_err()
        && let Some(panic) = TaskPanic::captured()
    {
        eprintln!("multiproc: process {} panicked at {panic}", std::process::id());
    }
    exit(if lived.is_ok() { 0 } else { PANICKED })
}

/// Ends a child without what belongs to its parent: a forked child must not
/// run the parent's exit handlers.
fn exit(code: i32) -> ! {
    let _ = std::io::stdout().flush();
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}
