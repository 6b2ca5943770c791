//! What is said to the fork server and what it answers, one question at a
//! time.
//!
//! A server may be stopped, and whoever asks may have no time to wait for it.
//! What it still owes to such a one is heard by whoever asks next, and kept.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{Condvar, Mutex, PoisonError},
    time::Instant,
};

use bytemuck::{Pod, Zeroable};

use super::supervised::is_readable_within;
use crate::ParentEnd;

/// Fork; a birth follows.
pub(super) const FORK: u32 = 1;
/// Reap `pid`, which has ended.
pub(super) const REAP: u32 = 2;
/// Kill and reap `pid`: the other side could not take its pidfd.
pub(super) const ABANDON: u32 = 3;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Request {
    pub(super) kind: u32,
    pub(super) pid: i32,
}

/// The parent's side.
#[derive(Debug)]
pub(super) struct Dialogue {
    /// `None` while a thread talks with the server.
    talk: Mutex<Option<Talk>>,
    is_free: Condvar,
}

#[derive(Debug)]
pub(super) struct Talk {
    socket: ParentEnd<UnixStream>,
    /// The child whose end was asked for and has not been told.
    owed: Option<libc::pid_t>,
    /// Ends that were told.
    told: BTreeMap<libc::pid_t, i32>,
}

/// The right to talk, until it is dropped.
pub(super) struct Turn<'a> {
    dialogue: &'a Dialogue,
    talk: Option<Talk>,
}

impl Dialogue {
    pub(super) fn new(socket: ParentEnd<UnixStream>) -> Self {
        let talk = Talk { socket, owed: None, told: BTreeMap::new() };
        Self { talk: Mutex::new(Some(talk)), is_free: Condvar::new() }
    }

    /// Waits until no other thread talks; `None` if that is not so by
    /// `deadline`.
    pub(super) fn turn(&self, deadline: Option<Instant>) -> Option<Turn<'_>> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(talk) = talk.take() {
                return Some(Turn { dialogue: self, talk: Some(talk) });
            }
            talk = match deadline {
                None => self.is_free.wait(talk).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.checked_duration_since(Instant::now())?;
                    let waited = self.is_free.wait_timeout(talk, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Turn<'_> {
    pub(super) fn talk(&mut self) -> &mut Talk {
        self.talk.as_mut().expect("taken by nothing but the drop")
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.dialogue.talk.lock().unwrap_or_else(PoisonError::into_inner) = self.talk.take();
        self.dialogue.is_free.notify_one();
    }
}

impl Talk {
    /// For a question whose answer is more than a number, when nothing is
    /// owed any more.
    pub(super) fn socket(&mut self) -> io::Result<&UnixStream> {
        self.hear_owed(None)?;
        Ok(&self.socket)
    }

    /// A number that was a child's is a new child's.
    pub(super) fn forget(&mut self, pid: libc::pid_t) {
        self.told.remove(&pid);
    }

    /// How the child `pid`, which has ended, did so; `None` if that is not
    /// told by `deadline`.
    pub(super) fn reap(
        &mut self,
        pid: libc::pid_t,
        deadline: Option<Instant>,
    ) -> io::Result<Option<i32>> {
        if !self.hear_owed(deadline)? {
            return Ok(None);
        }
        if !self.told.contains_key(&pid) {
            let request = Request { kind: REAP, pid };
            // Nothing else is on its way, so there is room for it.
            (&*self.socket).write_all(bytemuck::bytes_of(&request))?;
            self.owed = Some(pid);
            self.hear_owed(deadline)?;
        }
        Ok(self.told.remove(&pid))
    }

    /// Whether nothing is owed, at the latest at `deadline`.
    fn hear_owed(&mut self, deadline: Option<Instant>) -> io::Result<bool> {
        let Some(pid) = self.owed else { return Ok(true) };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if !is_readable_within(self.socket.as_fd(), left)? {
            return Ok(false);
        }
        self.told.insert(pid, hear(&self.socket)?);
        self.owed = None;
        Ok(true)
    }
}

/// Asks for a number.
pub(super) fn ask(mut socket: &UnixStream, request: Request) -> io::Result<i32> {
    socket.write_all(bytemuck::bytes_of(&request))?;
    hear(socket)
}

fn hear(mut socket: &UnixStream) -> io::Result<i32> {
    let mut answer = [0; 4];
    socket.read_exact(&mut answer)?;
    Ok(i32::from_ne_bytes(answer))
}
