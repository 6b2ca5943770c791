//! Deaths, exhaustion and rubbish.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{IoSlice, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    time::{Duration, Instant},
};

use multiproc::{
    Connection, Descriptor, Error, Receiver, Sender, StartMethod, one_way_pipe, pipe, wait,
};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigHandler, Signal, raise, signal},
        socket::{ControlMessage, MsgFlags, getsockopt, sendmsg, setsockopt, sockopt},
    },
};

use super::{asleep, ends_well, started};
use crate::{in_a_process_of_its_own, with_every_start_method};

/// Numbers without a pattern (the generator of Knuth's MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

/// A message that says what it should look like: its number, its writer, and
/// as many bytes as follow from the number.
fn message(writer: u8, number: u32) -> (u8, u32, String) {
    const LENGTHS: [usize; 8] = [0, 10, 5000, 65_000, 65_530, 66_000, 300_000, 2_000_000];
    let letter = char::from(b'a' + (number % 26) as u8);
    (writer, number, letter.to_string().repeat(LENGTHS[number as usize % LENGTHS.len()]))
}

fn send_for_ever((writer, sender): (u8, Sender)) {
    for number in 0.. {
        sender.send(&message(writer, number)).unwrap();
    }
}

#[test]
fn a_writer_killed_at_any_instant_leaves_whole_messages_and_then_the_end() {
    with_every_start_method(|method| {
        let mut random = Random(method as u64);
        for _ in 0..25 {
            let (receiver, sender) = one_way_pipe().unwrap();
            let mut process = started(method, send_for_ever, (0, sender));
            let killed_at = Instant::now() + Duration::from_micros(random.below(6000));
            let mut number = 0;
            let end = loop {
                if Instant::now() >= killed_at {
                    process.kill();
                }
                match receiver.recv_timeout::<(u8, u32, String)>(Duration::from_micros(500)) {
                    Ok(received) => assert!(received == message(0, number), "message {number}"),
                    Err(Error::TimedOut) => continue,
                    Err(error) => break error,
                }
                number += 1;
            };
            assert!(matches!(end, Error::Disconnected), "{end}");
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(-9));
        }
    });
}

#[test]
fn a_writer_that_waits_learns_that_its_reader_was_killed() {
    with_every_start_method(|method| {
        let (ours, theirs) = pipe().unwrap();
        let child = |(writer, connection): (u32, Connection)| {
            let _: u64 = connection.recv().unwrap();
            // Nobody reads any more, so it sleeps as soon as the buffer is full.
            asleep(writer as i32);
            raise(Signal::SIGKILL).unwrap();
        };
        let mut process = started(method, child, (std::process::id(), theirs));
        let error = (0u64..).find_map(|number| ours.send(&number).err()).unwrap();
        assert!(matches!(error, Error::Disconnected), "{error}");
        assert!(matches!(ours.recv::<u8>(), Err(Error::Disconnected)));
        process.join().unwrap();
        assert_eq!(process.exit_code(), Some(-9));
    });
}

#[test]
fn two_writers_and_two_readers_on_one_pipe_harm_no_message() {
    const PER_WRITER: u32 = 150;
    with_every_start_method(|method| {
        let (receiver, sender) = one_way_pipe().unwrap();
        let write = |(writer, sender): (u8, Sender)| {
            (0..PER_WRITER).for_each(|number| sender.send(&message(writer, number)).unwrap());
        };
        let read = |(receiver, results): (Receiver, Sender)| {
            while let Ok((writer, number, text)) = receiver.recv::<(u8, u32, String)>() {
                assert!((writer, number, text) == message(writer, number));
                results.send(&(writer, number)).unwrap();
            }
        };
        let mut processes = Vec::new();
        let mut results = Vec::new();
        for writer in 0..2 {
            processes.push(started(method, write, (writer, sender.try_clone().unwrap())));
            let (result, to_result) = one_way_pipe().unwrap();
            processes.push(started(method, read, (receiver.try_clone().unwrap(), to_result)));
            results.push(result);
        }
        drop((receiver, sender));
        let mut seen: BTreeMap<u8, Vec<u32>> = BTreeMap::new();
        let mut last: BTreeMap<(usize, u8), u32> = BTreeMap::new();
        let mut open = vec![true; results.len()];
        while open.contains(&true) {
            let waited: Vec<usize> = (0..results.len()).filter(|&reader| open[reader]).collect();
            for index in wait(waited.iter().map(|&reader| &results[reader]), None).unwrap() {
                let reader = waited[index];
                let Ok((writer, number)) = results[reader].recv::<(u8, u32)>() else {
                    open[reader] = false;
                    continue;
                };
                seen.entry(writer).or_default().push(number);
                let before = last.insert((reader, writer), number);
                assert!(before.is_none_or(|before| before < number), "in order");
            }
        }
        for numbers in seen.values_mut() {
            numbers.sort_unstable();
            assert!(numbers.iter().copied().eq(0..PER_WRITER), "each exactly once: {numbers:?}");
        }
        assert_eq!(seen.len(), 2);
        processes.into_iter().for_each(ends_well);
    });
}

/// Takes all descriptors that this process may have but `but`.
fn take_all_descriptors(but: usize) -> Vec<File> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 64, hard).unwrap();
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken.truncate(taken.len() - but);
    taken
}

fn null() -> Descriptor {
    File::open("/dev/null").unwrap().into()
}

#[test]
fn a_receiver_without_descriptors_loses_that_message_and_no_other() {
    in_a_process_of_its_own(|| {
        let (one, other) = pipe().unwrap();
        let large = "x".repeat(100_000);
        for free in [0, 2] {
            one.send(&[null(), null(), null()]).unwrap();
            one.send("small").unwrap();
            one.send(&(&large, [null(), null()])).unwrap();
            one.send_bytes(b"small").unwrap();
            one.send(&[null(), null(), null()]).unwrap();
            one.send(&large).unwrap();

            let taken = take_all_descriptors(free);
            let error = other.recv::<[Descriptor; 3]>().unwrap_err();
            assert!(error.to_string().contains("help: raise the limit of open files"), "{error}");
            assert_eq!(other.recv::<String>().unwrap(), "small");
            let error = other.recv::<(String, [Descriptor; 2])>().unwrap_err();
            assert!(error.to_string().contains("help: raise the limit of open files"), "{error}");
            assert_eq!(other.recv_bytes().unwrap(), b"small");
            drop(taken);
            assert_eq!(other.recv::<[Descriptor; 3]>().unwrap().len(), 3);
            assert!(other.recv::<String>().unwrap() == large);
        }
    });
}

#[test]
fn a_sender_without_descriptors_is_told_and_can_still_send_what_needs_none() {
    in_a_process_of_its_own(|| {
        let (one, other) = pipe().unwrap();
        let large = "x".repeat(100_000);
        let file = null();
        let taken = take_all_descriptors(0);
        for error in [
            one.send(&file).unwrap_err(),
            one.send(&large).unwrap_err(),
            one.send_bytes(large.as_bytes()).unwrap_err(),
            one.try_clone().unwrap_err(),
            pipe().unwrap_err(),
            one_way_pipe().unwrap_err(),
        ] {
            assert!(error.to_string().contains("help: raise the limit of open files"), "{error}");
        }
        one.send("small").unwrap();
        assert_eq!(other.recv::<String>().unwrap(), "small");
        drop(taken);
        one.send(&(file, &large)).unwrap();
        assert!(other.recv::<(Descriptor, String)>().unwrap().1 == large);
    });
}

#[test]
fn a_message_for_which_there_is_no_memory_is_an_error_before_anything_is_sent() {
    in_a_process_of_its_own(|| {
        let (one, other) = pipe().unwrap();
        // A terabyte of address space without memory behind it.
        let len = std::num::NonZeroUsize::new(1 << 40).unwrap();
        use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        // SAFETY: a new mapping.
        let base = unsafe { mmap_anonymous(None, len, ProtFlags::PROT_READ, flags) }.unwrap();
        // SAFETY: mapped for reading just now, and nobody writes.
        let huge = unsafe { std::slice::from_raw_parts(base.as_ptr().cast::<u8>(), len.get()) };
        let error = one.send_bytes(huge).unwrap_err();
        assert!(matches!(error, Error::Memory { bytes, .. } if bytes == len.get()), "{error}");
        assert!(error.to_string().contains("help:"), "{error}");
        // SAFETY: the slice is not used again.
        unsafe { munmap(base, len.get()) }.unwrap();

        // The kernel would end this process by SIGXFSZ.
        let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, 1 << 20, hard).unwrap();
        let large = "x".repeat(2 << 20);
        for error in [one.send(&large).unwrap_err(), one.send_bytes(large.as_bytes()).unwrap_err()]
        {
            assert!(matches!(error, Error::Memory { .. }), "{error}");
        }
        one.send(&large[..1 << 19]).unwrap();
        assert_eq!(other.recv::<String>().unwrap().len(), 1 << 19);
    });
}

#[test]
fn a_receiver_without_memory_loses_that_message_and_no_other() {
    in_a_process_of_its_own(|| {
        let (one, other) = pipe().unwrap();
        let large = vec![7; 256 << 20];
        one.send_bytes(&large).unwrap();
        drop(large);
        one.send_bytes(b"small").unwrap();
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
        let (_, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
        setrlimit(Resource::RLIMIT_AS, pages * 4096 + (64 << 20), hard).unwrap();
        let error = other.recv_bytes().unwrap_err();
        assert!(matches!(error, Error::Memory { bytes: 0x1000_0000, .. }), "{error}");
        assert_eq!(other.recv_bytes().unwrap(), b"small");
        setrlimit(Resource::RLIMIT_AS, hard, hard).unwrap();
    });
}

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
        let mut random = Random(1);
        let mut errors = 0;
        // Of the two, the one that the socket leads to.
        vandals[0].announce(b"mp1\0", &[]);
        let victim = if one.recv_bytes_timeout(Duration::ZERO).is_ok() { 0 } else { 1 };
        let vandal = &mut vandals[victim];
        for _ in 0..20_000 {
            let mut packet = b"mp1\x01".to_vec();
            let limit = if random.below(2) == 0 { 256 } else { 4 };
            packet.extend((0..random.below(40)).map(|_| random.below(limit) as u8));
            vandal.announce(&packet, &[null.as_raw_fd()][..random.below(2) as usize]);
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

#[test]
fn a_reader_killed_at_any_instant_takes_one_message_along_at_most() {
    with_every_start_method(|method| {
        let mut random = Random(method as u64);
        for _ in 0..8 {
            let (receiver, sender) = one_way_pipe().unwrap();
            let read = |receiver: Receiver| while receiver.recv::<(u8, u32, String)>().is_ok() {};
            let mut reader = started(method, read, receiver.try_clone().unwrap());
            let writer = started(method, send_for_ever_or_until_the_end, (0, sender));
            let received = |receiver: &Receiver| receiver.recv::<(u8, u32, String)>().unwrap();
            let killed_at = Instant::now() + Duration::from_micros(random.below(6000));
            let mut last = received(&receiver).1;
            while Instant::now() < killed_at {
                last = last.max(received(&receiver).1);
            }
            reader.kill();
            reader.join().unwrap();
            // What the reader has had is unknown, and from now on nothing is missing.
            let first = received(&receiver);
            assert!(first.1 > last && first == message(0, first.1));
            let mut next = first.1 + 1;
            let mut missing = 0;
            while next < first.1 + 50 {
                let message = received(&receiver);
                assert!(message == self::message(0, message.1));
                assert!(message.1 >= next, "in order");
                missing += message.1 - next;
                next = message.1 + 1;
            }
            // The one that the reader had a token of may be in between.
            assert!(missing <= 1, "{missing} messages are missing");
            drop(receiver);
            ends_well(writer);
        }
    });
}

fn send_for_ever_or_until_the_end((writer, sender): (u8, Sender)) {
    let end = (0..).find_map(|number| sender.send(&message(writer, number)).err()).unwrap();
    assert!(matches!(end, Error::Disconnected), "{end}");
}

#[test]
fn a_closed_end_is_an_error_also_where_its_signal_would_kill() {
    in_a_process_of_its_own(|| {
        // SAFETY: no handler.
        unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.unwrap();
        let (one, other) = pipe().unwrap();
        drop(other);
        assert!(matches!(one.send("nobody reads it"), Err(Error::Disconnected)));
        assert!(matches!(one.send(&"x".repeat(10_000)), Err(Error::Disconnected)));
    });
}
