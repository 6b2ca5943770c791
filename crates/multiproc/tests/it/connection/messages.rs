//! What a message is, whatever its size and kind.

use std::{collections::BTreeMap, time::Duration};

use multiproc::{Error, one_way_pipe, pipe};
use serde::{Deserialize, Serialize};

#[test]
fn values_of_all_shapes_arrive_as_they_were_sent() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Nothing,
        Text(String),
        Map { entries: BTreeMap<String, Vec<u16>> },
    }
    let (receiver, sender) = one_way_pipe().unwrap();
    let entries = (0..3).map(|i| (i.to_string(), vec![i; 5])).collect();
    for value in [Shape::Nothing, Shape::Text("日本".to_owned()), Shape::Map { entries }] {
        sender.send(&value).unwrap();
        assert_eq!(receiver.recv::<Shape>().unwrap(), value);
    }
}

/// Around what a packet of a pipe and one of a socket holds, a socket's buffer,
/// and above.
const LENGTHS: [usize; 16] = [
    0,
    1,
    4091,
    4092,
    4093,
    4096,
    (1 << 16) - 4,
    (1 << 16) - 1,
    1 << 16,
    (1 << 16) + 1,
    212_991,
    212_992,
    212_993,
    1 << 20,
    (1 << 20) + 1,
    20_000_003,
];

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[test]
fn bytes_of_every_length_arrive_whole_and_in_order() {
    let (one, other) = pipe().unwrap();
    for len in LENGTHS {
        one.send_bytes(&pattern(len)).unwrap();
        one.send_bytes(b"next").unwrap();
        assert!(other.recv_bytes().unwrap() == pattern(len), "{len}");
        assert_eq!(other.recv_bytes().unwrap(), b"next");
    }
}

#[test]
fn values_of_every_length_arrive_whole_and_in_order() {
    let (one, other) = pipe().unwrap();
    for len in LENGTHS {
        let numbers: Vec<u64> = (0..len as u64 / 4).map(|i| i << (i % 50)).collect();
        let text = "x".repeat(len);
        // Large parts before, between and after small ones.
        one.send(&(1u8, &numbers, &text, 2u8)).unwrap();
        one.send(&(&text, &numbers)).unwrap();
        let received: (u8, Vec<u64>, String, u8) = other.recv().unwrap();
        assert!(received == (1, numbers.clone(), text.clone(), 2), "{len}");
        assert!(other.recv::<(String, Vec<u64>)>().unwrap() == (text, numbers), "{len}");
    }
}

#[test]
fn a_long_message_that_does_not_fit_into_a_buffer_is_not_lost() {
    let (one, other) = pipe().unwrap();
    for len in [11, 100_000, 2_000_000] {
        let mut buffer = vec![7; len - 1];
        one.send_bytes(&pattern(len)).unwrap();
        match other.recv_into(&mut buffer).unwrap_err() {
            Error::BufferTooShort { message, room } => {
                assert_eq!(room, len - 1);
                assert!(message == pattern(len));
            }
            error => panic!("{error}"),
        }
        assert!(buffer.iter().all(|&byte| byte == 7), "untouched");
        buffer.push(7);
        one.send_bytes(&pattern(len)).unwrap();
        assert_eq!(other.recv_into(&mut buffer).unwrap(), len);
        assert!(buffer == pattern(len));
    }
}

#[test]
fn bytes_are_no_value_and_a_value_is_no_bytes() {
    let (one, other) = pipe().unwrap();
    one.send_bytes(b"bytes").unwrap();
    one.send("value").unwrap();
    one.send(&7).unwrap();
    let error = other.recv::<String>().unwrap_err();
    assert!(matches!(error, Error::OtherKind { .. }), "{error}");
    assert!(error.to_string().contains("help: receive it with `recv_bytes`"), "{error}");
    let error = other.recv_bytes().unwrap_err();
    assert!(error.to_string().contains("help: receive it with `recv`"), "{error}");
    assert_eq!(other.recv::<i32>().unwrap(), 7);
}

#[test]
fn a_value_of_another_type_is_an_error_and_the_next_one_arrives() {
    let (one, other) = pipe().unwrap();
    one.send(&(1u8, 2u8, 3u8)).unwrap();
    one.send(&7u8).unwrap();
    assert!(matches!(other.recv::<u8>(), Err(Error::Decode { .. })));
    assert_eq!(other.recv::<u8>().unwrap(), 7);
}

#[test]
fn a_value_that_cannot_be_encoded_is_an_error_and_sends_nothing() {
    struct Stubborn(usize);
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::{Error, SerializeSeq};
            let mut seq = serializer.serialize_seq(Some(self.0 + 1))?;
            (0..self.0).try_for_each(|i| seq.serialize_element(&i))?;
            Err(S::Error::custom("no"))
        }
    }
    let (one, other) = pipe().unwrap();
    for len in [0, 1_000_000] {
        let error = one.send(&Stubborn(len)).unwrap_err();
        assert!(matches!(error, Error::Encode { .. }), "{error}");
    }
    one.send(&7u8).unwrap();
    assert_eq!(other.recv::<u8>().unwrap(), 7);
}

#[test]
fn a_value_may_send_and_receive_while_it_is_sent_and_received() {
    use std::cell::RefCell;

    use multiproc::{Receiver, Sender};

    thread_local! {
        static SIDE: RefCell<Option<(Receiver, Sender)>> = const { RefCell::new(None) };
    }
    #[derive(Debug, PartialEq)]
    struct Chatty;
    impl Serialize for Chatty {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            SIDE.with_borrow(|side| side.as_ref().unwrap().1.send("aside").unwrap());
            7u8.serialize(serializer)
        }
    }
    impl<'de> Deserialize<'de> for Chatty {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let aside: String = SIDE.with_borrow(|side| side.as_ref().unwrap().0.recv().unwrap());
            assert_eq!(aside, "aside");
            assert_eq!(u8::deserialize(deserializer)?, 7);
            Ok(Self)
        }
    }
    SIDE.set(Some(one_way_pipe().unwrap()));
    let (one, other) = pipe().unwrap();
    one.send(&("before", Chatty, "after")).unwrap();
    let received: (String, Chatty, String) = other.recv().unwrap();
    assert_eq!(received, ("before".to_owned(), Chatty, "after".to_owned()));
}

#[test]
fn every_blocking_call_ends_when_its_time_is_over() {
    let (one, other) = pipe().unwrap();
    let soon = Duration::from_millis(5);
    assert!(matches!(other.recv_timeout::<u8>(soon), Err(Error::TimedOut)));
    assert!(matches!(other.recv_bytes_timeout(soon), Err(Error::TimedOut)));
    assert!(matches!(other.recv_into_timeout(&mut [0], soon), Err(Error::TimedOut)));
    let mut sent = 0u64;
    while one.send_timeout(&sent, soon).is_ok() {
        sent += 1;
    }
    assert!(matches!(one.send_timeout(&sent, soon), Err(Error::TimedOut)));
    assert!(matches!(one.send_bytes_timeout(b"x", soon), Err(Error::TimedOut)));
    assert!(sent > 100, "{sent} messages fit");
    for expected in 0..sent {
        assert_eq!(other.recv_timeout::<u64>(soon).unwrap(), expected);
    }
    assert!(matches!(other.recv_timeout::<u64>(Duration::ZERO), Err(Error::TimedOut)));
}

#[test]
fn a_slow_reader_holds_up_the_writer_of_large_messages_too() {
    let (one, other) = pipe().unwrap();
    let message = pattern(200_000);
    let mut sent = 0;
    while one.send_bytes_timeout(&message, Duration::from_millis(5)).is_ok() {
        sent += 1;
    }
    assert!((1..10).contains(&sent), "{sent} messages are on their way");
    for _ in 0..sent {
        assert!(other.recv_bytes().unwrap() == message);
    }
}

#[test]
fn what_was_sent_before_a_close_arrives_although_the_closer_had_unread_messages() {
    let (one, other) = pipe().unwrap();
    one.send("never read").unwrap();
    other.send("last words").unwrap();
    drop(other);
    assert_eq!(one.recv::<String>().unwrap(), "last words");
    assert!(matches!(one.recv::<String>(), Err(Error::Disconnected)));
    assert!(matches!(one.send("too late"), Err(Error::Disconnected)));
    assert!(matches!(one.send_bytes(&pattern(100_000)), Err(Error::Disconnected)));
}
