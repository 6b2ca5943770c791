//! What somebody who has a connection's descriptors can do to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{IoSlice, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    time::Duration,
};

use multiproc::{Connection, Descriptor, Error, Sender, StartMethod, pipe};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::socket::{ControlMessage, MsgFlags, getsockopt, sendmsg, setsockopt, sockopt},
};

use super::{asleep, ends_well, message, started};
use crate::{dice::Dice, in_a_process_of_its_own};

/// The descriptors of a new connection, both ends', and the connection.
fn with_descriptors() -> (Connection, Connection, Vec<RawFd>) {
    let open = || -> BTreeSet<RawFd> {
        let fds = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let all: Vec<_> = fds.map(|fd| fd.file_name().to_str().unwrap().parse().unwrap()).collect();
        // One was of the directory.
        all.into_iter().filter(|&fd| nix::sys::stat::fstat(borrowed(fd)).is_ok()).collect()
    };
    let before = open();
    let (one, other) = pipe().unwrap();
    let made = open().difference(&before).copied().collect();
    (one, other, made)
}

fn borrowed(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: asked about only, and nothing else is opened or closed meanwhile.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

fn sockets(fds: &[RawFd]) -> Vec<BorrowedFd<'static>> {
    let is_socket = |fd: &BorrowedFd<'_>| getsockopt(fd, sockopt::SockType).is_ok();
    fds.iter().copied().map(borrowed).filter(is_socket).collect()
}

/// What somebody who has an end can do to the other.
struct Vandal {
    pipe: File,
    sockets: Vec<BorrowedFd<'static>>,
    number: u64,
}

impl Vandal {
    /// At the other end of `victim`, whose descriptors are among `fds`.
    fn of(victim: &Connection, fds: &[RawFd]) -> Self {
        let path = format!("/proc/self/fd/{}", victim.as_fd().as_raw_fd());
        let pipe = File::options().write(true).open(path).unwrap();
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_DIRECT)).unwrap();
        // Far from the numbers of honest messages.
        Self { pipe, sockets: sockets(fds), number: 1 << 40 }
    }

    fn write(&mut self, packet: &[u8]) {
        assert_eq!(self.pipe.write(packet).unwrap(), packet.len());
    }

    /// To both ends: which socket is whose does not matter.
    fn send(&self, packet: &[u8], descriptors: &[RawFd]) {
        let rights = [ControlMessage::ScmRights(descriptors)];
        for socket in &self.sockets {
            let parts = [IoSlice::new(packet)];
            sendmsg::<()>(socket.as_raw_fd(), &parts, &rights, MsgFlags::empty(), None).unwrap();
        }
    }

    /// Over the socket, with a number and a token as they should be.
    fn announce(&mut self, message: &[u8], descriptors: &[RawFd]) {
        let number = self.number.to_le_bytes();
        self.number += 1;
        self.send(&[&number, message].concat(), descriptors);
        self.write(&[&b"mp1\x04"[..], &number, &number].concat());
    }
}

#[test]
fn rubbish_in_the_pipe_and_on_the_socket_is_an_error_and_harms_nothing() {
    in_a_process_of_its_own(|| {
        let (one, other, fds) = with_descriptors();
        let mut vandal = Vandal::of(&other, &fds);
        let null = File::open("/dev/null").unwrap();
        let many = [null.as_raw_fd(); 253];
        let expect_rubbish = || {
            one.send("right").unwrap();
            let error = other.recv::<String>().unwrap_err();
            assert!(matches!(error, Error::NotAMessage { .. }), "{error}");
            assert_eq!(other.recv::<String>().unwrap(), "right");
        };
        let packets: [&[u8]; 9] = [
            b"m",
            b"mp1",
            b"mp2\x01",
            b"mp1\xff",
            b"nonsense",
            &[0; 4096],
            // A parcel without a file, and tokens that are cut.
            b"mp1\x02",
            b"mp1\x04",
            b"mp1\x04too short",
        ];
        for packet in packets {
            vandal.write(packet);
            expect_rubbish();
        }
        let too_long = [&b"mp1\0"[..], &[0; 70_000]].concat();
        let announced: [(&[u8], &[RawFd]); 6] = [
            (b"mp1", &many),
            (b"mp1\xff", &[]),
            (&too_long, &many),
            // A parcel that is none, cannot be trusted, or is not where it should be.
            (b"mp1\x02", &[]),
            (b"mp1\x03", &many[..1]),
            (b"mp1\x02content", &many),
        ];
        for (message, descriptors) in announced {
            vandal.announce(message, descriptors);
            expect_rubbish();
        }
        // What nothing leads to is passed over, and so is what leads to nothing.
        let long = "long".repeat(2000);
        let unannounced: [(&[u8], &[RawFd]); 4] =
            [(b"", &[]), (b"m", &many), (&too_long, &many), (b"nonsense", &[])];
        for (packet, descriptors) in unannounced {
            vandal.send(packet, descriptors);
            vandal.write(&[&b"mp1\x04"[..], &[0; 16]].concat());
            one.send(&long).unwrap();
            assert_eq!(other.recv::<String>().unwrap(), long, "after {packet:?}");
        }
        drop((one, vandal.pipe));
        assert!(matches!(other.recv_bytes(), Err(Error::Disconnected)));
    });
}

#[test]
fn random_bytes_in_a_value_are_an_error_or_a_value_and_never_a_huge_one() {
    in_a_process_of_its_own(|| {
        type Value = (Vec<String>, Option<Descriptor>, BTreeMap<u32, Vec<u64>>, Vec<Sender>);
        let (one, other, fds) = with_descriptors();
        // The same packets go the other way, where nothing leads to them, and
        // would fill that socket.
        let socket = sockets(&fds)[0];
        let mut vandals = [&one, &other].map(|victim| Vandal::of(victim, &fds));
        vandals.iter_mut().for_each(|vandal| vandal.sockets = vec![socket]);
        let null = File::open("/dev/null").unwrap();
        let mut dice = Dice::new(1);
        let mut errors = 0;
        // Of the two, the one that the socket leads to.
        vandals[0].announce(b"mp1\0", &[]);
        let victim = if one.recv_bytes_timeout(Duration::ZERO).is_ok() { 0 } else { 1 };
        let vandal = &mut vandals[victim];
        for _ in 0..20_000 {
            let mut packet = b"mp1\x01".to_vec();
            let limit = if dice.below(2) == 0 { 256 } else { 4 };
            packet.extend((0..dice.below(40)).map(|_| dice.below(limit) as u8));
            vandal.announce(&packet, &[null.as_raw_fd()][..dice.below(2) as usize]);
            errors += i32::from([&one, &other][victim].recv::<Value>().is_err());
        }
        assert!((10_000..20_000).contains(&errors), "{errors} errors");
    });
}

#[test]
fn messages_pass_although_somebody_has_made_the_buffers_tiny() {
    in_a_process_of_its_own(|| {
        let (ours, theirs, fds) = with_descriptors();
        sockets(&fds).iter().for_each(|socket| setsockopt(socket, sockopt::SndBuf, &1).unwrap());
        let child = |connection: Connection| {
            while let Ok(message) = connection.recv::<(u8, u32, String)>() {
                connection.send(&message).unwrap();
            }
        };
        let process = started(StartMethod::Fork, child, theirs);
        for number in 0..50 {
            ours.send(&message(1, number)).unwrap();
            assert!(ours.recv::<(u8, u32, String)>().unwrap() == message(1, number));
        }
        drop(ours);
        ends_well(process);
    });
}

#[test]
fn what_somebody_has_made_non_blocking_is_waited_for_all_the_same() {
    in_a_process_of_its_own(|| {
        let (ours, theirs, fds) = with_descriptors();
        for fd in fds.into_iter().map(borrowed) {
            let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).unwrap());
            fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).unwrap();
        }
        let child = |connection: Connection| {
            asleep(nix::unistd::getppid().as_raw());
            connection.send("awake").unwrap();
            asleep(nix::unistd::getppid().as_raw());
            while connection.recv::<u64>().is_ok() {}
        };
        let process = started(StartMethod::Fork, child, theirs);
        assert_eq!(ours.recv::<String>().unwrap(), "awake");
        (0..2000u64).for_each(|number| ours.send(&number).unwrap());
        drop(ours);
        ends_well(process);
    });
}
