//! Fork server: a small single-threaded process, started afresh, that forks
//! on request.
//!
//! One a process, started on first use and again if it has died. It is the
//! parent of what it forks, so it also collects their exit statuses; its
//! death takes them along, as this process's death takes the server along.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nix::{sys::wait::waitpid, unistd::Pid};

use super::{
    Birth, Child, ExitStatus, Inheritance,
    child::{LAST_BREATH, Reaper, open_pidfd},
    exec, fork,
};
use crate::{
    EntryPoint, Error, ParentEnd, Result, StartMethod,
    socket::{receive_with_descriptors, send_with_descriptors},
};

/// The first byte of a request.
const FORK: u8 = b'F';
const REAP: u8 = b'R';

/// This process's fork server.
#[derive(Debug)]
pub(super) struct Server {
    socket: Mutex<ParentEnd<UnixStream>>,
    process: Child,
}

/// The server and the process that it belongs to: a forked child inherits the
/// memory but must not speak on its parent's socket.
static SERVER: Mutex<Option<(Pid, Arc<Server>)>> = Mutex::new(None);

pub(super) fn start(name: &str, entry: EntryPoint, inheritance: Inheritance) -> Result<Child> {
    let birth = Birth::new(name, entry, inheritance);
    let server = current()?;
    let forked = match server.fork(&birth) {
        // It was killed. What it may have forked has died with it.
        Err(_) if server.process.has_ended(Some(LAST_BREATH))? => {
            let server = current()?;
            server.fork(&birth).map(|forked| (server, forked))
        }
        forked => forked.map(|forked| (server, forked)),
    };
    let (server, (pid, pidfd)) =
        forked.map_err(|source| Error::Start { method: StartMethod::ForkServer, source })?;
    Ok(Child::new(pid, pidfd, Reaper::Server(server)))
}

/// The running server of this process; starts one if there is none.
fn current() -> Result<Arc<Server>> {
    let mut slot = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let this_process = nix::unistd::getpid();
    if let Some((owner, server)) = slot.take() {
        if owner != this_process {
            // The parent's: dropping it would close descriptors that are not ours.
            std::mem::forget(server);
        } else if !server.process.has_ended(Some(Duration::ZERO))? {
            *slot = Some((owner, Arc::clone(&server)));
            return Ok(server);
        }
    }
    let server = Arc::new(Server::launch()?);
    *slot = Some((this_process, Arc::clone(&server)));
    Ok(server)
}

impl Server {
    fn launch() -> Result<Self> {
        let pair_error = Error::system("create a socket pair");
        let (ours, theirs) = UnixStream::pair().map_err(pair_error)?;
        let inheritance = Inheritance { payload: Vec::new(), descriptors: vec![theirs.into()] };
        let process = exec::start("forkserver", EntryPoint::new(serve), inheritance)?;
        Ok(Self { socket: Mutex::new(ParentEnd::new(ours)), process })
    }

    fn fork(&self, birth: &Birth) -> io::Result<(libc::pid_t, OwnedFd)> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        (&**socket).write_all(&[FORK])?;
        birth.send(&socket)?;
        let mut reply = [0; 4];
        let descriptors = receive_with_descriptors(&socket, &mut reply)?;
        let pid = i32::from_ne_bytes(reply);
        match descriptors.unwrap_or_default().pop() {
            Some(pidfd) => Ok((pid, pidfd)),
            None if pid < 0 => Err(io::Error::from_raw_os_error(-pid)),
            None => Err(io::Error::other("the fork server ended")),
        }
    }

    /// The exit status of a child of the server that has ended.
    pub(super) fn reap(&self, pid: libc::pid_t) -> ExitStatus {
        let ask = || -> io::Result<i32> {
            let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
            (&**socket).write_all(&[REAP])?;
            (&**socket).write_all(&pid.to_ne_bytes())?;
            let mut code = [0; 4];
            (&**socket).read_exact(&mut code)?;
            Ok(i32::from_ne_bytes(code))
        };
        // A server that does not answer is dead, and its death has killed its children.
        ask().map_or(ExitStatus::KILLED, |code| ExitStatus { code })
    }
}

/// The server process: answers requests until its parent closes the socket.
fn serve(inheritance: Inheritance) {
    let [socket] = <[OwnedFd; 1]>::try_from(inheritance.descriptors).expect("one socket");
    // A forked child that kept it could answer in the server's place.
    let socket = ParentEnd::new(UnixStream::from(socket));
    let mut kind = [0];
    while matches!((&*socket).read(&mut kind), Ok(1)) {
        let answered = match kind[0] {
            FORK => answer_fork(&socket),
            _ => answer_reap(&socket),
        };
        // The parent is gone, or it and this server no longer understand each other.
        if answered.is_err() {
            return;
        }
    }
}

fn answer_fork(socket: &UnixStream) -> io::Result<()> {
    let birth = Birth::receive(socket)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    match fork_child(birth) {
        Ok((pid, pidfd)) => send_with_descriptors(socket, &pid.to_ne_bytes(), &[pidfd.as_raw_fd()]),
        Err(error) => {
            let code = error.raw_os_error().unwrap_or(libc::EIO);
            send_with_descriptors(socket, &(-code).to_ne_bytes(), &[])
        }
    }
}

fn fork_child(birth: Birth) -> io::Result<(libc::pid_t, OwnedFd)> {
    let entry = EntryPoint::at(birth.entry).ok_or(io::ErrorKind::InvalidData)?;
    let pid = fork::fork_into(&birth.name, entry, birth.inheritance)?;
    open_pidfd(pid).map(|pidfd| (pid, pidfd)).inspect_err(|_| {
        let _ = nix::sys::signal::kill(Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        let _ = waitpid(Pid::from_raw(pid), None);
    })
}

fn answer_reap(mut socket: &UnixStream) -> io::Result<()> {
    let mut pid = [0; 4];
    socket.read_exact(&mut pid)?;
    let status = waitpid(Pid::from_raw(i32::from_ne_bytes(pid)), None)?;
    let status = ExitStatus::from_wait(status).ok_or(io::ErrorKind::InvalidData)?;
    socket.write_all(&status.code.to_ne_bytes())
}
