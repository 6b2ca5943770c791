//! Values, arrays and lists that processes share.

mod dying;
mod huge;
mod refused;
mod typed;

use multiproc::{Process, ShareableList, SharedArray, SharedMemory, SharedValue, StartMethod};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    sync::{ends_well, run, started},
    with_every_start_method,
};

/// Hands `shared` to a child, to its sibling, and to the child of a child, one
/// after the other; each does `work`.
fn among_relatives<T, F>(method: StartMethod, shared: &T, work: F)
where
    T: Serialize + DeserializeOwned + Clone + Send + 'static,
    F: Fn(T) + Copy + Send + 'static,
{
    run(method, work, shared.clone());
    run(method, work, shared.clone());
    run(
        method,
        move |(method, shared): (u8, T)| run(StartMethod::ALL[method as usize], work, shared),
        (method as u8, shared.clone()),
    );
}

fn bytes<const N: usize>(memory: &SharedMemory, offset: usize) -> [u8; N] {
    let mut bytes = [0; N];
    memory.read_at(offset, &mut bytes).unwrap();
    bytes
}

#[test]
fn test_shared_memory_basics() {
    with_every_start_method(|method| {
        let memory = SharedMemory::new(512).unwrap();
        assert_eq!(memory.len(), 512);
        assert_eq!(memory.to_vec(), [0; 512]);
        memory.write_at(0, &[42]).unwrap();
        assert_eq!(bytes(&memory, 0), [42]);

        // The same memory elsewhere, as by its name in Python.
        let elsewhere = |also: SharedMemory| {
            assert_eq!(also.len(), 512);
            assert_eq!(bytes(&also, 0), [42]);
            also.write_at(511, &[7]).unwrap();
            refuses_what_is_out_of_range(&also);
        };
        run(method, elsewhere, memory.clone());
        assert_eq!(bytes(&memory, 511), [7]);
        refuses_what_is_out_of_range(&memory);
        assert_eq!(bytes(&memory, 511), [7], "nothing was written");
    });
}

fn refuses_what_is_out_of_range(memory: &SharedMemory) {
    let error = memory.write_at(512, &[1]).unwrap_err();
    assert_eq!(error.to_string(), "index 512 is out of range: the length is 512");
    let error = memory.read_at(510, &mut [0; 5]).unwrap_err();
    assert_eq!(error.to_string(), "indices 510..515 are out of range: the length is 512");
    assert!(memory.read_at(usize::MAX, &mut [0; 5]).is_err());
    memory.write_at(512, &[]).unwrap();
}

#[test]
fn test_shared_memory_across_processes() {
    with_every_start_method(|method| {
        let memory = SharedMemory::new(512).unwrap();
        run(method, |memory: SharedMemory| memory.write_at(0, b"howdy").unwrap(), memory.clone());
        assert_eq!(&bytes::<5>(&memory, 0), b"howdy");

        among_relatives(method, &memory, |memory| {
            let [visits] = bytes(&memory, 101);
            memory.write_at(101, &[visits + 1]).unwrap();
        });
        assert_eq!(bytes(&memory, 101), [3]);
    });
}

#[test]
fn memory_that_its_maker_has_dropped_lives_on_in_others() {
    with_every_start_method(|method| {
        let (memory, done) = (SharedMemory::new(8).unwrap(), SharedMemory::new(1).unwrap());
        memory.write_at(0, b"survives").unwrap();
        let child = |(memory, done): (SharedMemory, SharedMemory)| {
            assert_eq!(&bytes::<8>(&memory, 0), b"survives");
            done.write_at(0, &[1]).unwrap();
        };
        let mut process = Process::new(child, (memory, done.clone())).start_method(method);
        process.start().unwrap();
        ends_well(process);
        assert_eq!(bytes(&done, 0), [1]);
    });
}

#[test]
fn several_processes_write_neighbouring_bytes_at_once() {
    with_every_start_method(|method| {
        let memory = SharedMemory::new(64).unwrap();
        let writer = |(memory, index): (SharedMemory, usize)| {
            for round in 0..20_000u32 {
                memory.write_at(index * 3, &[round as u8; 3]).unwrap();
                assert_eq!(bytes(&memory, index * 3), [round as u8; 3]);
            }
        };
        let writers: Vec<_> =
            (0..2).map(|index| started(method, writer, (memory.clone(), index))).collect();
        writers.into_iter().for_each(ends_well);
    });
}

#[test]
fn handles_travel_over_connections_and_another_kind_is_an_error_of_that_message() {
    with_every_start_method(|method| {
        let (ours, theirs) = multiproc::pipe().unwrap();
        let child = |connection: multiproc::Connection| {
            let error = connection.recv::<SharedArray<u32>>().unwrap_err();
            assert!(error.to_string().contains("not a SharedArray"), "{error}");
            let error = connection.recv::<SharedMemory>().unwrap_err();
            assert!(error.to_string().contains("not a SharedMemory"), "{error}");
            let (value, list): (SharedValue<u32>, ShareableList) = connection.recv().unwrap();
            value.set(2).unwrap();
            list.set(0, "there").unwrap();
        };
        let process = started(method, child, theirs);
        let value = SharedValue::new(1u32).unwrap();
        let list = ShareableList::new(["here"]).unwrap();
        ours.send(&value).unwrap();
        ours.send(&value).unwrap();
        ours.send(&(&value, &list)).unwrap();
        ends_well(process);
        assert_eq!((value.get().unwrap(), list.get(0).unwrap()), (2, "there".into()));
    });
}
