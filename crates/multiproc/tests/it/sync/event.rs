//! A flag that processes wait for.

use std::time::{Duration, Instant};

use multiproc::{Event, Process, StartMethod};
use nix::sys::signal::Signal;

use super::{SHORT, ends_well, event, killed, run, signal, started};
use crate::with_every_start_method;

#[test]
fn test_event() {
    with_every_start_method(|method| {
        let event = event();
        assert!(!event.is_set());
        assert!(!event.wait_timeout(Duration::ZERO));
        let start = Instant::now();
        assert!(!event.wait_timeout(Duration::from_millis(20)));
        assert!(start.elapsed() >= Duration::from_millis(20));
        event.set();
        assert!(event.is_set());
        event.wait();
        assert!(event.wait_timeout(Duration::ZERO));
        event.clear();
        assert!(!event.is_set());

        let child = started(method, |event: Event| event.set(), event.clone());
        event.wait();
        ends_well(child);
    });
}

#[test]
fn one_set_wakes_every_process_that_waits() {
    with_every_start_method(|method| {
        let go = event();
        let waiters = [(); 4].map(|()| waiter(method, &go));
        go.set();
        waiters.into_iter().for_each(ends_well);
    });
}

/// A process that waits for the event, or is about to.
fn waiter(method: StartMethod, event: &Event) -> Process {
    let ready = super::event();
    let waits = |(event, ready): (Event, Event)| {
        ready.set();
        event.wait();
    };
    let process = started(method, waits, (event.clone(), ready.clone()));
    ready.wait();
    process
}

#[test]
fn an_event_goes_back_and_forth_between_siblings_without_being_lost() {
    with_every_start_method(|method| {
        let (ping, pong) = (event(), event());
        let plays = |(mine, theirs): (Event, Event)| {
            for _ in 0..2000 {
                mine.wait();
                mine.clear();
                theirs.set();
            }
        };
        let players = [(&ping, &pong), (&pong, &ping)]
            .map(|(mine, theirs)| started(method, plays, (mine.clone(), theirs.clone())));
        ping.set();
        players.into_iter().for_each(ends_well);
        assert!(ping.is_set() && !pong.is_set());
    });
}

#[test]
fn a_waiter_that_is_killed_harms_nobody() {
    with_every_start_method(|method| {
        let event = event();
        let [unlucky, lucky] = [(); 2].map(|()| waiter(method, &event));
        std::thread::sleep(SHORT);
        killed(unlucky);
        event.set();
        ends_well(lucky);
    });
}

#[test]
fn a_waiter_that_is_stopped_delays_nobody_and_hears_of_it_later() {
    with_every_start_method(|method| {
        let event = event();
        let [stopped, other] = [(); 2].map(|()| waiter(method, &event));
        signal(&stopped, Signal::SIGSTOP);
        event.set();
        ends_well(other);
        signal(&stopped, Signal::SIGCONT);
        ends_well(stopped);
    });
}

#[test]
fn a_grandchild_sets_what_its_grandparent_waits_for() {
    with_every_start_method(|method| {
        let event = event();
        let child = |(event, method): (Event, u8)| {
            run(StartMethod::ALL[method as usize], |event: Event| event.set(), event);
        };
        let child = started(method, child, (event.clone(), method as u8));
        event.wait();
        ends_well(child);
    });
}
