//! Fork server: a small single-threaded process, started afresh, that forks
//! on request.
//!
//! One a process, started on first use and again if it has died. It is the
//! parent of what it forks, so it also collects their exit statuses; its
//! death takes them along, as this process's death takes the server along.
//!
//! A request is a [`Request`], with a [`Birth`] behind it if it is to fork;
//! the answer is a number, with the child's pidfd attached.

use std::{
    io::{self, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytemuck::Zeroable;
use nix::{errno::Errno, sys::wait::waitpid, unistd::Pid};

use super::{
    Biography, Birth, Child, ExitStatus, Inheritance,
    dialogue::{ABANDON, Dialogue, FORK, REAP, Request, ask},
    exec, fork,
    line::Line,
    supervised::{LAST_BREATH, Reaper, Supervised, is_readable_within, kill_and_reap, open_pidfd},
    this_process,
};
use crate::{
    EntryPoint, Error, ParentEnd, Result, StartMethod,
    socket::{receive_all, send_with_descriptors},
};

/// Longer than the first lines of any `main` take.
const SERVER_STARTS_WITHIN: Duration = Duration::from_secs(30);

/// The answer about a child whose exit status the server does not have.
const UNKNOWN: i32 = i32::MIN;

/// This process's fork server.
#[derive(Debug)]
pub(super) struct Server {
    dialogue: Dialogue,
    process: Mutex<Child>,
}

/// The server and the process that it belongs to: a forked child inherits the
/// memory but must not speak on its parent's socket.
static SERVER: Mutex<Option<(u32, Arc<Server>)>> = Mutex::new(None);

type Forked = (libc::pid_t, OwnedFd);

pub(super) fn start(
    biography: Biography,
    entry: EntryPoint,
    inheritance: Inheritance,
) -> Result<Supervised> {
    let refused = |source| Error::Start { method: StartMethod::ForkServer, source };
    let birth = Birth::new(biography, entry, inheritance);
    let mut server = current()?;
    let forked = match server.fork(&birth) {
        // It was killed before it had the whole birth, so it has forked nothing.
        Err(_) if server.has_ended()? => {
            server = replace(&server)?;
            server.fork(&birth)
        }
        forked => forked,
    };
    let (pid, pidfd) = forked.and_then(|answer| answer).map_err(refused)?;
    Ok(Supervised::new(&birth.biography.name, pid, pidfd, Reaper::Server(server)))
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
    tracing::warn!(target: "multiproc", pid = server.pid(), "fork server relaunched");
    Ok(server)
}

impl Server {
    fn launch() -> Result<Self> {
        let refused = |source| Error::Start { method: StartMethod::ForkServer, source };
        let (ours, theirs) = UnixStream::pair().map_err(refused)?;
        let ours = ParentEnd::new(ours);
        let inheritance = Inheritance { payload: Vec::new(), descriptors: vec![theirs.into()] };
        let biography = Biography::of_child("forkserver", StartMethod::Spawn);
        let (process, line) =
            exec::start(biography, EntryPoint::new(serve), inheritance, false).map_err(refused)?;
        Self::await_begin(Child::new(process, Some(line)), ours)
    }

    /// A program that is executed but never reaches `init` would not answer.
    fn await_begin(mut process: Child, socket: ParentEnd<UnixStream>) -> Result<Self> {
        let has_spoken = process.line().is_none_or(|line| {
            is_readable_within(line.as_fd(), Some(SERVER_STARTS_WITHIN)).unwrap_or(false)
        });
        if !has_spoken {
            let (pid, seconds) = (process.pid(), SERVER_STARTS_WITHIN.as_secs());
            return Err(Error::StartTimedOut { pid, seconds });
        }
        if !process.line().is_none_or(Line::has_begun)
            && let Some(status) = process.wait(Some(LAST_BREATH))?
        {
            return Err(process.death(status));
        }
        Ok(Self { dialogue: Dialogue::new(socket), process: Mutex::new(process) })
    }

    fn pid(&self) -> i32 {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).pid()
    }

    /// Whether the server has ended, asked when it does not answer.
    fn has_ended(&self) -> Result<bool> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(process.wait(Some(LAST_BREATH))?.is_some())
    }

    /// An error if the server has ended without having read the birth, so that
    /// another one can be asked; otherwise what came of it.
    fn fork(&self, birth: &Birth) -> io::Result<io::Result<Forked>> {
        let mut turn = self.dialogue.turn(None).expect("a turn comes if there is no deadline");
        let socket = turn.talk().socket()?;
        let request = Request { kind: FORK, pid: 0 };
        if let Err(error) = birth.send(bytemuck::bytes_of(&request), socket) {
            // Nothing was sent: more descriptors than a message carries, or than may be under way.
            return if exec::is_hung_up(&error) { Err(error) } else { Ok(Err(error)) };
        }
        let forked = match hear_forked(socket) {
            // The socket says so if something was left unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(error),
            forked => forked,
        };
        if let Ok((pid, _)) = &forked {
            turn.talk().forget(*pid);
        }
        Ok(forked)
    }

    /// Lets `process`, a child of the server that has ended, know its exit
    /// status; `None` if the server does not answer by `deadline`.
    pub(super) fn reap(
        &self,
        process: &Supervised,
        deadline: Option<Instant>,
    ) -> Result<Option<ExitStatus>> {
        let Some(mut turn) = self.dialogue.turn(deadline) else { return Ok(None) };
        // Another thread may have had its turn.
        if let Some(status) = process.status() {
            return Ok(Some(status));
        }
        let status = match turn.talk().reap(process.pid(), deadline) {
            Ok(None) => return Ok(None),
            Ok(Some(UNKNOWN)) => return Err(Error::errno("reap a process")(Errno::ECHILD)),
            Ok(Some(code)) => ExitStatus { code },
            // A server that does not answer is dead, and its death has killed its children.
            Err(_) => ExitStatus::KILLED,
        };
        // Before the turn is another's, who would ask again.
        process.settle(status);
        Ok(Some(status))
    }
}

fn hear_forked(socket: &UnixStream) -> io::Result<Forked> {
    let mut answer = [0; 4];
    let descriptors = receive_all(socket, &mut answer)?.ok_or_else(|| {
        // It had read the whole birth. To send it again could call a function twice.
        io::Error::other(
            "the fork server was killed when it was about to fork; what it had forked has died \
             with it\nhelp: start it again, if its function may have begun once already",
        )
    })?;
    let pid = i32::from_ne_bytes(answer);
    if pid < 0 {
        return Err(io::Error::from_raw_os_error(-pid));
    }
    match descriptors.map(|mut list| list.pop()) {
        Ok(Some(pidfd)) => Ok((pid, pidfd)),
        Ok(None) => Err(io::ErrorKind::InvalidData.into()),
        Err(error) => {
            // The child runs, but this process has no descriptor left for it. A
            // server that does not answer is dead, and so is the child.
            let _ = ask(socket, Request { kind: ABANDON, pid });
            Err(error)
        }
    }
}

/// The server process: answers requests until its parent closes the socket.
fn serve(inheritance: Inheritance) {
    let [socket] = <[OwnedFd; 1]>::try_from(inheritance.descriptors).expect("one socket");
    // A forked child that kept it could answer in the server's place.
    let socket = ParentEnd::new(UnixStream::from(socket));
    let mut request = Request::zeroed();
    while let Ok(Some(descriptors)) = receive_all(&socket, bytemuck::bytes_of_mut(&mut request)) {
        let answered = match request.kind {
            FORK => answer_fork(&socket, descriptors),
            REAP => answer_reap(&socket, request.pid),
            _ => {
                kill_and_reap(request.pid);
                answer(&socket, 0)
            }
        };
        // The parent is gone, or it and this server no longer understand each other.
        if answered.is_err() {
            return;
        }
    }
}

fn answer_fork(socket: &UnixStream, descriptors: io::Result<Vec<OwnedFd>>) -> io::Result<()> {
    match Birth::receive_after_prefix(socket, descriptors)?.and_then(fork_child) {
        Ok((pid, pidfd)) => {
            let sent = send_with_descriptors(socket, &pid.to_ne_bytes(), &[pidfd.as_raw_fd()]);
            sent.inspect_err(|_| kill_and_reap(pid))
        }
        Err(error) => answer(socket, -error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

fn fork_child(birth: Birth) -> io::Result<Forked> {
    let entry = EntryPoint::at(birth.entry).ok_or(io::ErrorKind::InvalidData)?;
    let pid = fork::fork_into(birth.biography, entry, birth.inheritance)?;
    let pidfd = open_pidfd(pid).inspect_err(|_| kill_and_reap(pid))?;
    Ok((pid, pidfd))
}

fn answer_reap(socket: &UnixStream, pid: i32) -> io::Result<()> {
    // What cannot be told of one child is no reason to end all the others.
    let status = waitpid(Pid::from_raw(pid), None).ok().and_then(ExitStatus::from_wait);
    answer(socket, status.map_or(UNKNOWN, |status| status.code))
}

fn answer(mut socket: &UnixStream, number: i32) -> io::Result<()> {
    socket.write_all(&number.to_ne_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "asks the system")]
    fn only_a_server_that_had_not_read_the_whole_birth_is_said_to_have_forked_nothing() {
        let die_after = |read: usize| {
            let (mut ours, mut theirs) = UnixStream::pair().unwrap();
            ours.write_all(b"birth").unwrap();
            theirs.read_exact(&mut vec![0; read]).unwrap();
            drop(theirs);
            hear_forked(&ours).unwrap_err()
        };
        for read in 0..5 {
            assert_eq!(die_after(read).kind(), io::ErrorKind::ConnectionReset, "{read}");
        }
        let error = die_after(5);
        assert_ne!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(error.to_string().contains("help:"), "{error}");
    }
}
