//! How long objects live.

use std::time::Duration;

use multiproc::{Connection, CounterProxy, Error, ListProxy, Manager, Portable, Proxy, pipe};
use serde::{Deserialize, Serialize};

use super::{manager, run, started};
use crate::{
    WATCHDOG, in_a_process_of_its_own, isolation::open_descriptors, with_every_start_method,
};

/// An object that is noticed: the other end of its connection is closed with
/// it.
fn noticed(manager: &Manager) -> (Proxy<Connection>, Connection) {
    let (ours, theirs) = pipe().unwrap();
    (manager.create(|connection: Connection| connection, theirs).unwrap(), ours)
}

/// Waits until the object is gone.
fn is_dropped(noticed: &Connection) {
    assert!(noticed.poll(WATCHDOG).unwrap(), "the object lives on");
    assert!(matches!(noticed.recv::<()>(), Err(Error::Disconnected)));
}

fn is_there(noticed: &Connection, proxy: &Proxy<Connection>) {
    proxy.call(|connection, ()| connection.send(&7).unwrap(), ()).unwrap();
    assert_eq!(noticed.recv::<i32>().unwrap(), 7);
    assert!(!noticed.poll(Duration::ZERO).unwrap());
}

#[test]
fn an_object_lives_until_its_last_proxy_anywhere_is_gone() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let (proxy, object) = noticed(&manager);
        let again = proxy.clone();
        drop(proxy);
        is_there(&object, &again);

        let (ours, theirs) = pipe().unwrap();
        let arguments = (again.clone(), theirs);
        let mut child = started(
            method,
            |(proxy, connection): (Proxy<Connection>, Connection)| {
                // Two references of one process: one that it was started with.
                let sent: Proxy<Connection> = connection.recv().unwrap();
                drop(proxy);
                connection.send(&()).unwrap();
                connection.recv::<()>().unwrap();
                sent.call(|connection, ()| connection.send(&8).unwrap(), ()).unwrap();
                connection.recv::<()>().unwrap();
            },
            arguments,
        );
        ours.send(&again).unwrap();
        drop(again);
        ours.recv::<()>().unwrap();
        ours.send(&()).unwrap();
        assert_eq!(object.recv::<i32>().unwrap(), 8);
        assert!(!object.poll(Duration::ZERO).unwrap());
        // What a killed client held is gone with it.
        child.kill();
        child.join().unwrap();
        is_dropped(&object);
    });
}

#[test]
fn a_proxy_that_never_arrives_does_not_keep_its_object() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let (proxy, object) = noticed(&manager);
        let (ours, theirs) = pipe().unwrap();
        ours.send(&proxy).unwrap();
        drop(proxy);
        // In transit it is held …
        assert_eq!(manager.counter().unwrap().add(1).unwrap(), 1);
        assert!(!object.poll(Duration::ZERO).unwrap());
        // … until what carries it is gone.
        drop((ours, theirs));
        is_dropped(&object);
    });
}

#[test]
fn an_object_that_holds_a_proxy_keeps_the_other_one_alive() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let (inner, object) = noticed(&manager);
        let outer = manager.value(inner.clone()).unwrap();
        drop(inner);
        is_there(&object, &outer.get().unwrap());
        drop(outer);
        is_dropped(&object);
    });
}

#[test]
fn objects_call_each_other_in_the_manager() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let counter = manager.counter().unwrap();
        let caller = manager.value(counter.clone()).unwrap();
        let sum = caller.update(|counter: &mut CounterProxy, n: i64| counter.add(n).unwrap(), 5);
        assert_eq!(sum.unwrap(), 5);
        assert_eq!(counter.get().unwrap(), 5);
    });
}

#[test]
fn an_object_that_calls_itself_is_told_so() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let myself: Proxy<Option<Proxy<i32>>> = manager.create(|()| None, ()).unwrap();
        // It is not an i32, but that is found out only when it is its turn.
        let (ours, theirs) = pipe().unwrap();
        ours.send(&myself).unwrap();
        let claimed: Proxy<i32> = theirs.recv().unwrap();
        myself.call(|slot, claimed| *slot = Some(claimed), claimed).unwrap();
        let said = myself.call(
            |slot, ()| {
                let myself = slot.as_ref().unwrap();
                myself.call(|n, ()| *n, ()).unwrap_err().to_string()
            },
            (),
        );
        assert!(said.unwrap().contains("cannot call itself"));
    });
}

#[test]
fn a_thousand_objects_and_proxies_leave_nothing() {
    in_a_process_of_its_own(|| {
        let manager = Manager::start().unwrap();
        let open = manager.create(|()| (), ()).unwrap();
        let list = manager.list().unwrap();
        // What is made once, at the first need, is not counted.
        list.push(manager.value(0).unwrap()).unwrap();
        drop(list.pop().unwrap());
        let _kept = settled(&open);
        let (before, ours) = (descriptors(&open), open_descriptors().len());
        for n in 0..1000 {
            list.push(manager.value(n).unwrap()).unwrap();
        }
        // References, not connections, are what a process has many of. The
        // manager closes its end of a connection a moment after the client.
        while descriptors(&open) != before {}
        let values = in_parts(&list);
        assert_eq!(values.len(), 1000);
        assert_eq!(values[999].get().unwrap(), 999);
        assert_eq!(open_descriptors().len(), ours);
        drop((values, list));
        while descriptors(&open) != before {}
    });
}

/// Waits until the manager has closed its ends of all connections whose other
/// ends are closed: until it has made two tickets, one after the other.
///
/// It looks what there is to do, and does all of that before it looks again.
/// What was closed it sees with the first ticket at the latest, though it may
/// come to it after that; before it sees the second it has done it.
fn settled<T: Send + 'static>(proxy: &Proxy<T>) -> [Ticket; 2] {
    [ticket_of(proxy), ticket_of(proxy)]
}

/// How many descriptors the manager has open.
fn descriptors(object: &Proxy<()>) -> usize {
    object.call(|_, ()| std::fs::read_dir("/proc/self/fd").unwrap().count(), ()).unwrap()
}

/// A copy of the items, one by one: a message carries at most 253 descriptors.
fn in_parts<T: Portable>(list: &ListProxy<T>) -> Vec<T> {
    (0..list.len().unwrap()).map(|index| list.get(index).unwrap().unwrap()).collect()
}

/// What a proxy is on its way, to play tricks with.
#[derive(Serialize, Deserialize)]
struct Ticket {
    server: (u32, u64),
    holder: u64,
    object: Option<u64>,
    connection: Connection,
}

fn ticket_of<T>(proxy: &Proxy<T>) -> Ticket {
    let (ours, theirs) = pipe().unwrap();
    ours.send(proxy).unwrap();
    theirs.recv().unwrap()
}

#[test]
fn rubbish_from_a_client_costs_it_its_references_and_nobody_else_anything() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let (proxy, object) = noticed(&manager);
        let ticket = ticket_of(&proxy);
        ticket.connection.send(&"rubbish").unwrap();
        assert!(matches!(ticket.connection.recv::<()>(), Err(Error::Disconnected)));
        is_there(&object, &proxy);

        // What it has not got it cannot give up.
        let ticket = ticket_of(&proxy);
        let release = 2u32;
        ticket.connection.send(&(release, vec![ticket.object.unwrap(); 5])).unwrap();
        ticket.connection.send(&"rubbish").unwrap();
        assert!(matches!(ticket.connection.recv::<()>(), Err(Error::Disconnected)));
        is_there(&object, &proxy);

        // A call of something that is no function.
        let ticket = ticket_of(&proxy);
        let (ours, caller) = pipe().unwrap();
        let answer = 1u32;
        ticket.connection.send(&(answer, caller)).unwrap();
        ours.send(&([1u64, 2], ticket.object, None::<u64>)).unwrap();
        let (refused, no_such_function) = (1u32, 4u32);
        assert_eq!(ours.recv::<(u32, u32)>().unwrap(), (refused, no_such_function));
        assert!(matches!(ours.recv::<()>(), Err(Error::Disconnected)));
        is_there(&object, &proxy);
    });
}

#[test]
fn a_proxy_of_a_manager_that_has_ended_arrives_and_says_so() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let (proxy, _object) = noticed(&manager);
        let (ours, theirs) = pipe().unwrap();
        ours.send(&proxy).unwrap();
        manager.shutdown().unwrap();
        run(
            method,
            |connection: Connection| {
                let proxy: Proxy<Connection> = connection.recv().unwrap();
                let error = proxy.call(|_, ()| (), ()).unwrap_err();
                assert!(matches!(error, Error::ManagerEnded { .. }), "{error}");
            },
            theirs,
        );
    });
}
