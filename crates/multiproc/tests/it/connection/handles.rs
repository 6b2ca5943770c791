//! Ends and files as parts of values, and who may hold them.

use std::{os::fd::AsFd, time::Duration};

use multiproc::{
    Connection, Descriptor, Error, Process, Receiver, Sender, SharedMemory, StartMethod,
    one_way_pipe, pipe, wait,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{ends_well, started};
use crate::{in_a_process_of_its_own, with_every_start_method};

#[test]
fn connections_travel_over_connections_and_hold_their_end_open_meanwhile() {
    let (carrier_in, carrier_out) = one_way_pipe().unwrap();
    let (receiver, sender) = one_way_pipe().unwrap();
    sender.send("sent before").unwrap();
    carrier_out.send(&vec![receiver]).unwrap();
    drop(carrier_out);
    sender.send("sent while the other end was on its way").unwrap();
    let received: Vec<Receiver> = carrier_in.recv().unwrap();
    assert_eq!(received[0].recv::<String>().unwrap(), "sent before");
    assert!(received[0].recv::<String>().unwrap().ends_with("on its way"));
    drop(received);
    assert!(matches!(sender.send(&1), Err(Error::Disconnected)));
}

#[test]
fn an_end_on_its_way_is_closed_with_the_connection_that_carries_it() {
    let (carrier_in, carrier_out) = one_way_pipe().unwrap();
    let (receiver, sender) = one_way_pipe().unwrap();
    carrier_out.send(&sender).unwrap();
    drop((sender, carrier_out, carrier_in));
    assert!(matches!(receiver.recv::<u8>(), Err(Error::Disconnected)));
}

#[test]
fn an_end_is_not_taken_for_another_kind_of_end() {
    let (one, other) = pipe().unwrap();
    let (_receiver, sender) = one_way_pipe().unwrap();
    one.send(&sender).unwrap();
    let error = other.recv::<Receiver>().unwrap_err();
    assert!(error.to_string().contains("what was sent is not a Receiver"), "{error}");
    // Looks like a receiver, but its descriptors are a file's.
    let file = || Descriptor::new(std::fs::File::open("/dev/null").unwrap());
    one.send(&(Some(file()), None::<()>, file())).unwrap();
    let error = other.recv::<Receiver>().unwrap_err();
    assert!(error.to_string().contains("not an end of a connection"), "{error}");
}

#[test]
fn shared_memory_travels_over_a_connection_to_another_process() {
    with_every_start_method(|method| {
        let (ours, theirs) = pipe().unwrap();
        let child = |connection: Connection| {
            let memory: SharedMemory = connection.recv().unwrap();
            connection.send(&(memory.len(), memory)).unwrap();
        };
        let process = started(method, child, theirs);
        let memory = SharedMemory::new(12_345).unwrap();
        ours.send(&memory).unwrap();
        let (len, same) = ours.recv::<(usize, SharedMemory)>().unwrap();
        assert_eq!((len, same.len()), (12_345, 12_345));
        let inode = |memory: &SharedMemory| nix::sys::stat::fstat(memory.as_fd()).unwrap().st_ino;
        assert_eq!(inode(&same), inode(&memory));
        ends_well(process);
    });
}

#[test]
fn siblings_talk_to_each_other_without_their_parent() {
    with_every_start_method(|method| {
        let (receiver, sender) = one_way_pipe().unwrap();
        let (results, to_results) = one_way_pipe().unwrap();
        let cube = |(receiver, results): (Receiver, Sender)| {
            while let Ok(number) = receiver.recv::<u64>() {
                results.send(&number.pow(3)).unwrap();
            }
        };
        let numbers = |sender: Sender| (1..=19).for_each(|n: u64| sender.send(&n).unwrap());
        let cuber = started(method, cube, (receiver, to_results));
        let counter = started(method, numbers, sender);
        for number in 1..=19u64 {
            assert_eq!(results.recv::<u64>().unwrap(), number.pow(3));
        }
        // The parent holds no end of theirs, so their end of file is not held up.
        assert!(matches!(results.recv::<u64>(), Err(Error::Disconnected)));
        ends_well(cuber);
        ends_well(counter);
    });
}

#[test]
fn a_grandchild_answers_its_grandparent() {
    with_every_start_method(|method| {
        let (ours, theirs) = pipe().unwrap();
        let child = |(number, connection): (u8, Connection)| {
            let grandchild = |connection: Connection| {
                let question: String = connection.recv().unwrap();
                connection.send(&format!("{question} Yes.")).unwrap();
            };
            ends_well(started(StartMethod::ALL[number as usize], grandchild, connection));
        };
        let process = started(method, child, (method as u8, theirs));
        ours.send("Are you there?").unwrap();
        assert_eq!(ours.recv::<String>().unwrap(), "Are you there? Yes.");
        assert!(matches!(ours.recv::<String>(), Err(Error::Disconnected)));
        ends_well(process);
    });
}

#[test]
fn the_sentinel_of_a_process_can_be_waited_for_among_connections() {
    with_every_start_method(|method| {
        let (receiver, _sender) = one_way_pipe().unwrap();
        let (theirs, go) = one_way_pipe().unwrap();
        let entry = multiproc::EntryPoint::new(|mut inheritance: multiproc::Inheritance| {
            // Ends when the parent closes its end.
            let mut file = std::fs::File::from(inheritance.descriptors.pop().unwrap());
            std::io::Read::read(&mut file, &mut [0]).unwrap();
        });
        let inheritance = multiproc::Inheritance {
            payload: Vec::new(),
            descriptors: vec![theirs.as_fd().try_clone_to_owned().unwrap()],
        };
        let mut child = multiproc::start(method, "waits", entry, inheritance).unwrap();
        let waited: [&dyn AsFd; 2] = [&receiver, &child.sentinel()];
        assert_eq!(wait(waited, Some(std::time::Duration::ZERO)).unwrap(), []);
        drop((theirs, go));
        assert_eq!(wait(waited, None).unwrap(), [1]);
        assert!(crate::end_of(&mut child).success());
    });
}

#[test]
fn two_hundred_and_fifty_three_descriptors_fit_into_a_message_and_one_more_does_not() {
    in_a_process_of_its_own(|| {
        let (one, other) = pipe().unwrap();
        let null = || Descriptor::new(std::fs::File::open("/dev/null").unwrap());
        let mut descriptors: Vec<Descriptor> = (0..253).map(|_| null()).collect();
        one.send(&descriptors).unwrap();
        assert_eq!(other.recv::<Vec<Descriptor>>().unwrap().len(), 253);
        // One is needed for what is long about the message.
        let error = one.send(&(&descriptors, "x".repeat(100_000))).unwrap_err();
        assert!(error.to_string().contains("help: use at most 252"), "{error}");
        descriptors.push(null());
        let error = one.send(&descriptors).unwrap_err();
        assert!(matches!(error, Error::TooLarge { got: 254, most: 253, .. }), "{error}");
        one.send("still works").unwrap();
        assert_eq!(other.recv::<String>().unwrap(), "still works");
    });
}

/// So many handles fit into a message, which may be long, and no more.
fn fit_into_a_message<End: Serialize + DeserializeOwned>(end: &End, most: usize) {
    let (one, other) = pipe().unwrap();
    let long = "x".repeat(100_000);
    one.send(&(vec![end; most], &long)).unwrap();
    assert_eq!(other.recv::<(Vec<End>, String)>().unwrap().0.len(), most);
    let error = one.send(&vec![end; most + 1]).unwrap_err();
    assert!(matches!(error, Error::TooLarge { most: 253, .. }), "{error}");
}

#[test]
fn sixty_three_connections_fit_into_a_message_and_one_more_does_not() {
    in_a_process_of_its_own(|| {
        let (connection, _other) = pipe().unwrap();
        let (receiver, sender) = one_way_pipe().unwrap();
        fit_into_a_message(&connection, 63);
        fit_into_a_message(&sender, 84);
        fit_into_a_message(&receiver, 126);
    });
}

#[test]
fn at_the_end_of_the_messages_there_is_something_to_be_told_each_time() {
    let (receiver, sender) = one_way_pipe().unwrap();
    sender.send(&7).unwrap();
    drop(sender);
    assert!(receiver.poll(Duration::ZERO).unwrap());
    assert_eq!(receiver.recv::<i32>().unwrap(), 7);
    for _ in 0..2 {
        assert!(receiver.poll(Duration::ZERO).unwrap());
        assert!(matches!(receiver.recv::<i32>(), Err(Error::Disconnected)));
    }
}

#[test]
fn dropping_a_handle_closes_an_end_only_if_it_was_the_last_one() {
    let (receiver, sender) = one_way_pipe().unwrap();
    let second = sender.try_clone().unwrap();
    drop(sender);
    second.send(&1).unwrap();
    drop(second);
    assert_eq!(receiver.recv::<i32>().unwrap(), 1);
    assert!(matches!(receiver.recv::<i32>(), Err(Error::Disconnected)));
}

#[test]
fn a_process_that_is_never_started_closes_the_ends_that_it_was_given() {
    let (receiver, sender) = one_way_pipe().unwrap();
    drop(Process::new(|_: Sender| (), sender));
    assert!(matches!(receiver.recv::<i32>(), Err(Error::Disconnected)));
}
