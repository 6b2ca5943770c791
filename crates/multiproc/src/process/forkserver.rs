//! Fork server: a small single-threaded process, started afresh, that forks
//! on request.
//!
//! One a process, started on first use and again if it has died. What it forks
//! are its [siblings](super::sibling): children of the process that asked, which
//! waits for them and whose death they share. The server has nothing more to do
//! with them.
//!
//! When it begins, the server says whether it can fork; a request is a [`Birth`],
//! the answer a number: the child's id, or what was wrong, negative.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use nix::unistd::Pid;

use super::{
    BEGINS_WITHIN, Biography, Birth, Child, Inheritance, Order, die_with_parent, exec, fork,
    interrupts::{leave_interrupts_to_the_parent, restore_interrupts},
    make_line,
    newborn::Newborn,
    sibling::Siblings,
    supervised::{LAST_BREATH, Supervised, kill_and_reap},
    this_process,
};
use crate::{
    EntryPoint, Error, ParentEnd, Result, StartMethod, bootstrap, descriptors, looking::ask_for,
    polling::is_readable_by,
};

/// This process's fork server.
#[derive(Debug)]
pub(super) struct Server {
    /// Held from a question to its answer.
    socket: Mutex<ParentEnd<UnixStream>>,
    newborn: Newborn,
    process: Mutex<Child>,
    /// How it was started.
    method: StartMethod,
    /// What it says first, once it was heard.
    can_fork: OnceLock<bool>,
}

/// How long the server may take to say whether it can fork, to read a birth, and
/// to answer. It needs fractions of a millisecond, and a pool waits for it with
/// its lock held. One that does not answer is killed, and another launched.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// On both sides of a fork.
enum Forked {
    Parent(libc::pid_t),
    Child(Birth),
}

/// The server and the process that it belongs to: a forked child inherits the
/// memory but must not speak on its parent's socket.
static SERVER: Mutex<Option<(u32, Arc<Server>)>> = Mutex::new(None);

pub(super) fn start(mut order: Order) -> Result<Supervised> {
    let refused = |source| Error::Start { method: StartMethod::ForkServer, source };
    let mut server = current()?;
    if !server.can_fork()? {
        // What it would have forked is executed; it takes longer, and that is all.
        return exec::start(order);
    }
    let line = make_line(&mut order).map_err(refused)?;
    let birth = Birth::new(order.biography, order.entry, order.inheritance);
    let forked = match server.fork(&birth) {
        // It was killed before it had the whole birth, so it has forked nothing.
        Err(_) if server.has_ended()? => {
            server = replace(&server)?;
            server.fork(&birth)
        }
        forked => forked,
    };
    let pid = forked.and_then(|answer| answer).map_err(refused)?;
    let process = Supervised::new(&birth.biography.name, pid).map_err(refused)?;
    Ok(process.on_line(line))
}

/// A server that is a copy of this process as it is now. It may not have begun
/// yet.
pub(super) fn fork_here() -> Result<Arc<Server>> {
    Server::begin(StartMethod::Fork, "nursery", fork::start).map(Arc::new)
}

/// Starts a process from a server that is not replaced if it has died.
pub(super) fn start_from(server: &Server, mut order: Order) -> Result<Supervised> {
    let refused = |source| Error::Start { method: StartMethod::Fork, source };
    let line = make_line(&mut order).map_err(refused)?;
    let birth = Birth::new(order.biography, order.entry, order.inheritance);
    let pid = server.fork(&birth).flatten().map_err(refused)?;
    let process = Supervised::new(&birth.biography.name, pid).map_err(refused)?;
    Ok(process.on_line(line))
}

/// This process's server; starts one if there is none.
fn current() -> Result<Arc<Server>> {
    let mut slot = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    match slot.take() {
        Some((owner, server)) if owner == this_process() => {
            return Ok(Arc::clone(&slot.insert((owner, server)).1));
        }
        // The parent's: dropping it would close descriptors that are not ours.
        Some((_, server)) => std::mem::forget(server),
        None => {}
    }
    let server = Arc::new(Server::launch()?);
    *slot = Some((this_process(), Arc::clone(&server)));
    Ok(server)
}

/// The server after `dead`, which another thread may have replaced already.
fn replace(dead: &Arc<Server>) -> Result<Arc<Server>> {
    let mut slot = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, server)) = &*slot
        && !Arc::ptr_eq(server, dead)
    {
        return Ok(Arc::clone(server));
    }
    *slot = None;
    drop(slot);
    let server = current()?;
    tracing::warn!(target: "multiproc", pid = server.process().pid(), "fork server relaunched");
    Ok(server)
}

impl Server {
    fn launch() -> Result<Self> {
        let server = Self::begin(StartMethod::ForkServer, "forkserver", exec::start)?;
        server.process().await_begin()?;
        server.can_fork()?;
        Ok(server)
    }

    /// A server that `start` starts.
    fn begin(
        method: StartMethod,
        name: &str,
        start: fn(Order) -> Result<Supervised>,
    ) -> Result<Self> {
        let refused = |source| Error::Start { method, source };
        let (ours, theirs) = UnixStream::pair().map_err(refused)?;
        let socket = ParentEnd::new(ours);
        socket.set_read_timeout(Some(ANSWERS_WITHIN)).map_err(refused)?;
        socket.set_write_timeout(Some(ANSWERS_WITHIN)).map_err(refused)?;
        let (newborn, file) = Newborn::new().map_err(refused)?;
        let descriptors = vec![theirs.into(), file];
        let process = Child::new(start(Order {
            biography: Biography::of_child(name, method),
            entry: EntryPoint::new(serve),
            inheritance: Inheritance { payload: Vec::new(), descriptors },
            has_line: false,
            patience: BEGINS_WITHIN,
        })?);
        let (socket, process) = (Mutex::new(socket), Mutex::new(process));
        Ok(Self { socket, newborn, process, method, can_fork: OnceLock::new() })
    }

    /// Whether it can fork, which it says as soon as it has begun. One that does
    /// not say so is ended.
    pub(super) fn can_fork(&self) -> Result<bool> {
        if let Some(known) = self.can_fork.get() {
            return Ok(*known);
        }
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have heard it meanwhile.
        if let Some(known) = self.can_fork.get() {
            return Ok(*known);
        }
        // Stopped by whomever, it would say nothing for ever.
        self.process().go_on();
        let mut answer = [0];
        look_out(&socket);
        let heard = (&**socket).read_exact(&mut answer).map_err(|error| {
            // Whoever asks next finds that it has ended, and another can be asked.
            self.end();
            let source = if is_late(&error) { late() } else { mute(&error) };
            Error::Start { method: self.method, source }
        });
        heard.map(|()| *self.can_fork.get_or_init(|| answer != [0]))
    }

    fn process(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server has ended.
    pub(super) fn has_ended_already(&self) -> bool {
        self.process().wait(Some(Duration::ZERO)).is_ok_and(|status| status.is_some())
    }

    /// Whether the server has ended, asked when it does not answer.
    fn has_ended(&self) -> Result<bool> {
        Ok(self.process().wait(Some(LAST_BREATH))?.is_some())
    }

    /// An error if the server has ended without having forked, so that another
    /// one can be asked; otherwise what came of it.
    fn fork(&self, birth: &Birth) -> io::Result<io::Result<libc::pid_t>> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        self.newborn.clear();
        // Stopped by whomever, it would be of no use to anybody.
        self.process().go_on();
        if let Err(error) = birth.send(&socket) {
            if is_late(&error) {
                self.end();
                return Err(late());
            }
            // Nothing was sent: more descriptors than a message carries, or than may be under way.
            return if exec::is_hung_up(&error) { Err(error) } else { Ok(Err(error)) };
        }
        match hear(&socket) {
            Err(error) if is_late(&error) => {
                self.end();
                // It has forked, or it never will.
                self.newborn.pid().map(Ok).ok_or_else(late)
            }
            // The socket says so if something was left unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(error),
            Err(_) => {
                self.end_newborn();
                // It had read the whole birth. To send it again could call a function twice.
                Ok(Err(io::Error::other(
                    "the fork server was killed when it was about to fork; what it had forked was \
                     ended\nhelp: start it again, if its function may have begun once already",
                )))
            }
            Ok(number) if number < 0 => Ok(Err(io::Error::from_raw_os_error(-number))),
            Ok(pid) => Ok(Ok(pid)),
        }
    }

    /// Kills the server and waits until it has ended.
    fn end(&self) {
        let mut server = self.process();
        server.kill();
        // In the middle of a fork it ends after it; if its status cannot be had it has ended.
        let _ = server.wait(None);
    }

    /// Ends what a server has forked that has ended itself and not told.
    fn end_newborn(&self) {
        self.end();
        // A child of this process that nobody has reaped: the number is its.
        if let Some(pid) = self.newborn.pid() {
            kill_and_reap(pid);
        }
    }
}

/// Whether the server has not read or not answered in time.
fn is_late(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn late() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!(
            "the process that forks has not answered within {ANSWERS_WITHIN:?} and was \
             killed\nhelp: see what stops it, or use `StartMethod::Spawn`"
        ),
    )
}

fn mute(error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        "the process that forks has ended before it had forked anything\nhelp: see its standard \
         error; the next attempt makes another",
    )
}

/// Looks a while whether there is an answer: a fork takes less than twice as
/// long as to be woken when it is done.
fn look_out(socket: &UnixStream) {
    const A_WHILE: Duration = Duration::from_micros(200);
    let now = Instant::now();
    let has_answer = || is_readable_by(socket.as_fd(), Some(now)).unwrap_or(true);
    ask_for(A_WHILE, || has_answer().then_some(()));
}

fn hear(mut socket: &UnixStream) -> io::Result<i32> {
    let mut answer = [0; 4];
    look_out(socket);
    socket.read_exact(&mut answer)?;
    Ok(i32::from_ne_bytes(answer))
}

/// The server process, and the beginning of what it forks.
fn serve(inheritance: Inheritance) {
    let [socket, file] = <[OwnedFd; 2]>::try_from(inheritance.descriptors).expect("two");
    let newborn = Newborn::open(&file).expect("one more page can be mapped");
    drop(file);
    // What `main` has printed before `init` would be written by every child.
    let _ = io::stdout().flush();
    if let Some(birth) = answer_requests(UnixStream::from(socket), &newborn) {
        // Of what the program has made before `init`; the server itself has none.
        // SAFETY: a forked child that has run nothing of the program yet.
        unsafe { descriptors::give_up_parent_ends() };
        bootstrap::live_as(birth);
    }
}

/// Until the parent closes the socket, in the server; in a child of its making,
/// what that is to do.
fn answer_requests(mut socket: UnixStream, newborn: &Newborn) -> Option<Birth> {
    let siblings = Siblings::of_this_process();
    socket.write_all(&[siblings.is_some().into()]).ok()?;
    let Some(siblings) = siblings else {
        // There is nothing to do, until the parent closes the socket.
        let _ = is_readable_by(socket.as_fd(), None);
        return None;
    };
    // A program that survives Ctrl-C needs its server still.
    let interrupts = leave_interrupts_to_the_parent();
    while let Ok(Some(birth)) = Birth::receive(&socket) {
        // SAFETY: since it was counted, this thread has started no other.
        let forked = birth.and_then(|birth| match unsafe { siblings.fork(newborn) }? {
            Some(pid) => Ok(Forked::Parent(pid)),
            None => Ok(Forked::Child(birth)),
        });
        let answer = match forked {
            Ok(Forked::Child(birth)) => {
                die_with_parent(Pid::from_raw(birth.biography.parent_pid));
                if let Some(before) = &interrupts {
                    restore_interrupts(before);
                }
                return Some(birth);
            }
            Ok(Forked::Parent(pid)) => pid,
            Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
        };
        // If the parent is gone, so is this process.
        socket.write_all(&answer.to_ne_bytes()).ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use nix::sys::wait::{WaitPidFlag, WaitStatus};

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn only_a_server_that_had_not_read_the_whole_birth_is_said_to_have_forked_nothing() {
        let die_after = |read: usize| {
            let (mut ours, mut theirs) = UnixStream::pair().unwrap();
            ours.write_all(b"birth").unwrap();
            theirs.read_exact(&mut vec![0; read]).unwrap();
            drop(theirs);
            hear(&ours).unwrap_err().kind()
        };
        for read in 0..5 {
            assert_eq!(die_after(read), io::ErrorKind::ConnectionReset, "{read}");
        }
        assert_eq!(die_after(5), io::ErrorKind::UnexpectedEof);
    }

    /// What runs until it is ended.
    fn endless() -> libc::pid_t {
        let mut command = std::process::Command::new("sleep");
        command.arg("1000").spawn().unwrap().id() as libc::pid_t
    }

    fn server(socket: UnixStream) -> Server {
        let process = Child::new(Supervised::new("server", endless()).unwrap());
        Server {
            socket: Mutex::new(ParentEnd::new(socket)),
            newborn: Newborn::new().unwrap().0,
            process: Mutex::new(process),
            method: StartMethod::ForkServer,
            can_fork: OnceLock::from(true),
        }
    }

    fn birth(payload: Vec<u8>) -> Birth {
        let biography = Biography::of_child("child", StartMethod::ForkServer);
        let inheritance = Inheritance { payload, descriptors: Vec::new() };
        Birth::new(biography, EntryPoint::new(|_| ()), inheritance)
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn a_server_that_reads_nothing_or_does_not_answer_is_killed_and_another_one_can_be_asked() {
        // One fits into the buffer of a socket, the other does not.
        for payload in [10, 10 << 20] {
            let (ours, _theirs) = UnixStream::pair().unwrap();
            ours.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
            ours.set_write_timeout(Some(Duration::from_millis(10))).unwrap();
            let server = server(ours);
            let error = server.fork(&birth(vec![0; payload])).unwrap_err();
            assert!(error.to_string().contains("\nhelp: "), "{error}");
            assert!(server.has_ended().unwrap());
        }
    }

    /// Longer than anything takes on a machine that is not on fire.
    const LONG: Duration = Duration::from_secs(60);

    /// A server of which nobody has heard, and what runs `script` in its place,
    /// with the other end of its socket as standard output; it may take so long to
    /// say something.
    fn unheard(script: &str, patience: Duration) -> Server {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]).stdout(OwnedFd::from(theirs));
        let pid = command.spawn().unwrap().id() as libc::pid_t;
        ours.set_read_timeout(Some(patience)).unwrap();
        let process = Mutex::new(Child::new(Supervised::new("server", pid).unwrap()));
        Server { process, can_fork: OnceLock::new(), ..server(ours) }
    }

    fn await_stop(server: &Server) {
        let pid = Pid::from_raw(server.process().pid());
        let stopped = nix::sys::wait::waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn a_server_that_was_stopped_before_it_said_anything_goes_on() {
        let server = unheard("kill -STOP $$; printf '\\001'; exec sleep 1000", LONG);
        await_stop(&server);
        assert!(server.can_fork().unwrap());
        assert!(!server.has_ended_already());
        // It is not asked again.
        server.end();
        assert!(server.can_fork().unwrap());
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn a_server_that_says_nothing_is_ended_so_that_another_one_can_be_asked() {
        let short = Duration::from_millis(10);
        for (script, patience, words) in
            [("exec sleep 1000", short, "not answered"), ("exit 3", LONG, "has ended")]
        {
            let server = unheard(script, patience);
            let error = server.can_fork().unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("\nhelp: "), "{error}");
            assert!(server.has_ended_already());
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn what_a_server_that_does_not_answer_has_forked_counts() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let (server, child) = (server(ours), endless());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                Birth::receive(&theirs).unwrap().unwrap().unwrap();
                // SAFETY: the word is mapped; as from the kernel, nobody else writes.
                unsafe { server.newborn.word().write_volatile(child) };
            });
            assert_eq!(server.fork(&birth(Vec::new())).unwrap().unwrap(), child);
        });
        assert!(server.has_ended().unwrap());
        kill_and_reap(child);
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn a_server_killed_between_fork_and_answer_leaves_no_process_and_calls_nothing_twice() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = server(ours);
        let child = std::thread::scope(|scope| {
            let dies = scope.spawn(|| {
                // The server reads, the kernel forks and writes, and nobody answers.
                Birth::receive(&theirs).unwrap().unwrap().unwrap();
                let child = endless();
                // SAFETY: the word is mapped; as from the kernel, nobody else writes.
                unsafe { server.newborn.word().write_volatile(child) };
                theirs.shutdown(std::net::Shutdown::Both).unwrap();
                child
            });
            let error = server.fork(&birth(Vec::new())).unwrap().unwrap_err();
            assert!(error.to_string().contains("\nhelp: "), "{error}");
            dies.join().unwrap()
        });
        let gone = nix::sys::wait::waitpid(Pid::from_raw(child), None);
        assert_eq!(gone, Err(nix::errno::Errno::ECHILD), "killed and reaped");
        assert!(server.has_ended().unwrap());
    }
}
