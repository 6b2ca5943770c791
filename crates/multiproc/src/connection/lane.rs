//! Messages that do not fit into a pipe: over a socket, each announced by a
//! token in the pipe.

use std::{
    io,
    ops::Range,
    os::fd::AsRawFd,
    os::fd::BorrowedFd,
    thread,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags},
    sys::socket::{MsgFlags, recv},
};

use super::{
    message::{Long, MAGIC, NUMBER_LEN},
    pipe,
    readiness::poll_until,
    turns::{Turn, Turns},
};
use crate::{
    Error, Result,
    socket::{self, Received},
};

/// How long a message is left to the reader that has taken its token. It needs
/// a microsecond, and some hundred milliseconds on a machine with too much to do.
const PATIENCE: Duration = Duration::from_secs(1);

/// Says that there is a message on the socket, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Numbers of messages that have lost their writer.
    unsettled: Range<u64>,
    number: u64,
}

/// A token in the pipe: `mp1`, this, and two numbers, little-endian.
const IS_TOKEN: u8 = 4;
const TOKEN_LEN: usize = 4 + 2 * NUMBER_LEN;

impl Token {
    fn of(turn: &Turn<'_>) -> Self {
        Self { unsettled: turn.unsettled(), number: turn.number() }
    }

    fn to_packet(&self) -> [u8; TOKEN_LEN] {
        let mut packet = [0; TOKEN_LEN];
        packet[..3].copy_from_slice(&MAGIC);
        packet[3] = IS_TOKEN;
        packet[4..12].copy_from_slice(&self.unsettled.start.to_le_bytes());
        packet[12..].copy_from_slice(&self.number.to_le_bytes());
        packet
    }

    /// `None` if the packet is something else.
    #[inline]
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        let (head, numbers) = packet.split_first_chunk::<4>()?;
        let (first, second) = numbers.split_first_chunk()?;
        if head[..3] != MAGIC || head[3] != IS_TOKEN {
            return None;
        }
        let number = u64::from_le_bytes(second.try_into().ok()?);
        Some(Self { unsettled: u64::from_le_bytes(*first)..number, number })
    }
}

/// Sends a message over `socket`, then its token into `pipe`.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    pipe: BorrowedFd<'_>,
    turns: &Turns,
    message: Long<'_>,
    deadline: Option<Instant>,
) -> Result<()> {
    let turn = turns.take(deadline)?;
    send_content(socket, &turn, message, deadline)?;
    send_token(pipe, turn, deadline)
}

fn send_content(
    socket: BorrowedFd<'_>,
    turn: &Turn<'_>,
    message: Long<'_>,
    deadline: Option<Instant>,
) -> Result<()> {
    let transmit = |message: &Long<'_>, ballast| {
        message.with_parts(turn.number(), ballast, |parts, descriptors| {
            patiently(socket, deadline, |flags| socket::send(socket, parts, descriptors, flags))
        })
    };
    match transmit(&message, true) {
        // Somebody has made this socket's buffer smaller than a message.
        Err(error) if is(&error, libc::EMSGSIZE) => transmit(&message.into_parcel()?, false),
        sent => sent,
    }
    .map(drop)
}

fn send_token(pipe: BorrowedFd<'_>, turn: Turn<'_>, deadline: Option<Instant>) -> Result<()> {
    pipe::write(pipe, &Token::of(&turn).to_packet(), true, deadline)?;
    turn.settle();
    Ok(())
}

/// Makes `attempt` to send until it does not have to wait any more.
fn patiently<T>(
    socket: BorrowedFd<'_>,
    deadline: Option<Instant>,
    mut attempt: impl FnMut(MsgFlags) -> io::Result<T>,
) -> Result<T> {
    let flags = if deadline.is_some() { MsgFlags::MSG_DONTWAIT } else { MsgFlags::empty() };
    loop {
        match attempt(flags) {
            Ok(done) => return Ok(done),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN) => {
                    if !poll_until(&mut [PollFd::new(socket, PollFlags::POLLOUT)], deadline)? {
                        return Err(Error::TimedOut);
                    }
                }
                Some(libc::EPIPE | libc::ECONNRESET | libc::ENOTCONN) => {
                    return Err(Error::Disconnected);
                }
                _ => return Err(Error::system("use a connection")(error)),
            },
        }
    }
}

fn is(error: &Error, code: i32) -> bool {
    matches!(error, Error::System { source, .. } if source.raw_os_error() == Some(code))
}

/// Receives the message that `token` announces; `None` if it is gone, for then
/// the token means nothing. Never waits for a writer: who sends a token has
/// sent the message.
pub(super) fn fetch(
    socket: BorrowedFd<'_>,
    token: &Token,
    buffer: &mut [u8],
) -> Result<Option<Received>> {
    let mut patience = None;
    loop {
        match first_number(socket)? {
            First::None => return Ok(None),
            First::Message(number) if number > token.number => return Ok(None),
            // Another reader has its token, and is about to fetch it or dead.
            First::Message(number) if number < token.unsettled.start => {
                let until = *patience.get_or_insert_with(|| Instant::now() + PATIENCE);
                if Instant::now() < until {
                    thread::sleep(Duration::from_micros(20));
                    continue;
                }
            }
            First::Message(_) | First::Rubbish => {}
        }
        let nowait = MsgFlags::MSG_DONTWAIT;
        match told_once(|| socket::receive(socket, buffer, nowait)) {
            // What is before ours has lost its writer or its reader, or is rubbish.
            Ok(received) => {
                if number_of(&buffer[..received.len]).is_some_and(|it| it >= token.number) {
                    return Ok(Some(received));
                }
            }
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => return Ok(None),
            Err(error) => return Err(Error::system("use a connection")(error)),
        }
    }
}

/// What is at the head of the socket's queue.
enum First {
    None,
    Message(u64),
    Rubbish,
}

/// Looks at the head of the queue, which opens no descriptors.
fn first_number(socket: BorrowedFd<'_>) -> Result<First> {
    let mut head = [0; NUMBER_LEN + MAGIC.len()];
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    let look = || Ok(recv(socket.as_raw_fd(), &mut head, flags)?);
    match told_once(look) {
        Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => Ok(First::None),
        Err(error) => Err(Error::system("use a connection")(error)),
        // An empty packet, or the end.
        Ok(0) if is_closed(socket)? => Ok(First::None),
        Ok(len) => Ok(number_of(&head[..len]).map_or(First::Rubbish, First::Message)),
    }
}

/// The number of the message in a packet of the socket.
fn number_of(packet: &[u8]) -> Option<u64> {
    let (number, message) = packet.split_first_chunk()?;
    message.starts_with(&MAGIC).then(|| u64::from_le_bytes(*number))
}

/// Linux tells once, and before it hands out what was sent, that the other end
/// was closed while messages of ours were waiting there.
fn told_once<T>(mut receive: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match receive() {
            Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => return receive(),
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            received => return received,
        }
    }
}

/// Whether nobody can send over it any more.
fn is_closed(socket: BorrowedFd<'_>) -> Result<bool> {
    // Has no name in nix.
    let end_of_file = PollFlags::from_bits_retain(libc::POLLRDHUP);
    poll_until(&mut [PollFd::new(socket, end_of_file)], Some(Instant::now()))
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};

    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

    use super::*;
    use crate::{connection::message::Outgoing, memory::Placed};

    /// Both ends, in one process.
    struct Ends {
        reader: OwnedFd,
        writer: OwnedFd,
        receives: OwnedFd,
        sends: OwnedFd,
        turns: Placed<Turns>,
    }

    /// What a writer may have done last.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Step {
        TookItsTurn,
        SentTheMessage,
        SentTheToken,
    }

    impl Ends {
        fn new() -> Self {
            let (reader, writer) = pipe::packet_pipe().unwrap();
            let flags = SockFlag::SOCK_CLOEXEC;
            let (receives, sends) =
                socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
            Self { reader, writer, receives, sends, turns: Turns::new().unwrap() }
        }

        fn with_message(letter: u8, send: impl FnOnce(Long<'_>) -> Result<()>) {
            let sent = Outgoing::with_bytes(&[letter; 5000], |message| match message {
                Outgoing::Long(long) => send(long),
                Outgoing::Short(_) => panic!("5000 bytes are not short"),
            });
            sent.unwrap();
        }

        fn send(&self, letter: u8) {
            Self::with_message(letter, |message| {
                send(self.sends.as_fd(), self.writer.as_fd(), &self.turns, message, None)
            });
        }

        /// A thread that ends while it has a mutex is to the kernel what a
        /// process that is killed is.
        fn die_after(&self, last: Step, letter: u8) {
            let die = || {
                Self::with_message(letter, |message| {
                    let turn = self.turns.take(None)?;
                    if last != Step::TookItsTurn {
                        send_content(self.sends.as_fd(), &turn, message, None)?;
                    }
                    if last == Step::SentTheToken {
                        let token = Token::of(&turn).to_packet();
                        pipe::write(self.writer.as_fd(), &token, true, None)?;
                    }
                    std::mem::forget(turn);
                    Ok(())
                });
            };
            thread::scope(|scope| scope.spawn(die).join()).unwrap();
        }

        fn token(&self) -> Token {
            let mut packet = [0; pipe::PIPE_PACKET_LIMIT];
            let now = Some(Instant::now());
            let len = pipe::read(self.reader.as_fd(), &mut packet, now).unwrap();
            Token::read(&packet[..len]).unwrap()
        }

        /// The letter of the message that the token leads to.
        fn fetch(&self, token: &Token) -> Option<u8> {
            let mut buffer = [0; 6000];
            let received = fetch(self.receives.as_fd(), token, &mut buffer).unwrap()?;
            assert_eq!(received.len, NUMBER_LEN + 4 + 5000);
            Some(buffer[received.len - 1])
        }

        fn nothing_is_left(&self) {
            assert!(matches!(first_number(self.receives.as_fd()), Ok(First::None)));
            let now = Some(Instant::now());
            let read = pipe::read(self.reader.as_fd(), &mut [0; 8], now);
            assert!(matches!(read, Err(Error::TimedOut)));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs sockets")]
    fn a_writer_that_dies_after_any_step_has_sent_its_message_or_not() {
        for last in [Step::TookItsTurn, Step::SentTheMessage, Step::SentTheToken] {
            let ends = Ends::new();
            ends.send(b'a');
            ends.die_after(last, b'b');
            ends.send(b'c');
            ends.send(b'd');
            assert_eq!(ends.fetch(&ends.token()), Some(b'a'));
            if last == Step::SentTheToken {
                assert_eq!(ends.fetch(&ends.token()), Some(b'b'));
            }
            assert_eq!(ends.fetch(&ends.token()), Some(b'c'), "{last:?}");
            assert_eq!(ends.fetch(&ends.token()), Some(b'd'));
            ends.nothing_is_left();
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs sockets")]
    fn several_writers_that_die_in_a_row_are_passed_over_at_once() {
        let ends = Ends::new();
        for _ in 0..3 {
            ends.die_after(Step::SentTheMessage, b'x');
            ends.die_after(Step::TookItsTurn, b'x');
        }
        ends.send(b'a');
        assert_eq!(ends.fetch(&ends.token()), Some(b'a'));
        ends.nothing_is_left();
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs sockets")]
    fn a_reader_that_dies_with_a_token_takes_that_message_along_and_no_other() {
        let ends = Ends::new();
        (b'a'..=b'c').for_each(|letter| ends.send(letter));
        let _lost = ends.token();
        assert_eq!(ends.fetch(&ends.token()), Some(b'b'));
        assert_eq!(ends.fetch(&ends.token()), Some(b'c'));
        ends.nothing_is_left();
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs sockets")]
    fn a_reader_with_a_later_token_waits_for_the_one_before() {
        let ends = Ends::new();
        (b'a'..=b'b').for_each(|letter| ends.send(letter));
        let (first, second) = (ends.token(), ends.token());
        thread::scope(|scope| {
            let later = scope.spawn(|| ends.fetch(&second));
            thread::yield_now();
            assert_eq!(ends.fetch(&first), Some(b'a'));
            assert_eq!(later.join().unwrap(), Some(b'b'));
        });
        ends.nothing_is_left();
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs sockets")]
    fn a_token_without_a_message_means_nothing() {
        let ends = Ends::new();
        ends.send(b'a');
        let token = ends.token();
        assert_eq!(ends.fetch(&token), Some(b'a'));
        assert_eq!(ends.fetch(&token), None);
        ends.send(b'b');
        assert_eq!(ends.fetch(&token), None, "that of another token");
        assert_eq!(ends.fetch(&ends.token()), Some(b'b'));
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs sockets")]
    fn a_message_whose_token_is_out_of_time_was_not_sent() {
        let ends = Ends::new();
        let now = Some(Instant::now());
        while pipe::write(ends.writer.as_fd(), b"x", true, now).is_ok() {}
        Ends::with_message(b'a', |message| {
            let (sends, writer) = (ends.sends.as_fd(), ends.writer.as_fd());
            let sent = send(sends, writer, &ends.turns, message, now);
            assert!(matches!(sent, Err(Error::TimedOut)));
            Ok(())
        });
        while pipe::read(ends.reader.as_fd(), &mut [0; 8], now).is_ok() {}
        ends.send(b'b');
        assert_eq!(ends.fetch(&ends.token()), Some(b'b'));
        ends.nothing_is_left();
    }
}
