//! How managers end, in order and otherwise.

use std::{process::Command, sync::OnceLock, time::Duration};

use multiproc::{Connection, CounterProxy, Error, Manager, Proxy, StartMethod, pipe};
use nix::{
    sys::signal::{self, SigHandler, Signal, kill},
    unistd::Pid,
};

use super::{Stop, ends_well, manager, started, stop};
use crate::{WATCHDOG, in_a_process_of_its_own, with_every_start_method};

fn signal(manager: &Manager, signal: Signal) {
    kill(Pid::from_raw(manager.pid() as i32), signal).unwrap();
}

fn has_ended(error: Error, pid: u32) {
    assert!(matches!(error, Error::ManagerEnded { pid: ended } if ended == pid), "{error}");
}

#[test]
fn test_shutdown() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let pid = manager.pid();
        let counter = manager.counter().unwrap();
        let handle = (*manager).clone();
        manager.shutdown().unwrap();
        has_ended(counter.get().unwrap_err(), pid);
        has_ended(counter.clone().add(1).unwrap_err(), pid);
        has_ended(handle.counter().unwrap_err(), pid);
        let error = pipe().unwrap().0.send(&counter).unwrap_err();
        assert!(error.to_string().contains("has ended"), "{error}");
    });
}

#[test]
fn a_shutdown_finishes_the_call_that_runs_and_drops_the_objects() {
    struct Speaks(Connection);

    impl Drop for Speaks {
        fn drop(&mut self) {
            self.0.send(&"dropped".to_owned()).unwrap();
        }
    }

    with_every_start_method(|method| {
        let manager = manager(method);
        let (object, theirs) = pipe().unwrap();
        let speaks = manager.create(Speaks, theirs).unwrap();
        let (stop, inside) = Stop::new();
        let caller = started(
            method,
            |(speaks, inside): (Proxy<Speaks>, Connection)| {
                let wait = |_: &mut Speaks, inside: Connection| {
                    Stop::at(&inside);
                    "finished".to_owned()
                };
                assert_eq!(speaks.call(wait, inside).unwrap(), "finished");
            },
            (speaks.clone(), inside),
        );
        stop.is_reached();
        let counter = manager.counter().unwrap();
        std::thread::scope(|scope| {
            let shutdown = scope.spawn(|| manager.shutdown());
            // No call begins any more, so the shutdown has begun.
            while counter.get().is_ok() {}
            assert!(!shutdown.is_finished());
            stop.go_on();
            shutdown.join().unwrap().unwrap();
        });
        ends_well(caller);
        assert_eq!(object.recv::<String>().unwrap(), "dropped");
    });
}

#[test]
fn a_call_that_never_ends_is_given_up_by_shutdown() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let pid = manager.pid();
        let counter = manager.counter().unwrap();
        let (stop, inside) = Stop::new();
        let caller = started(
            method,
            |(counter, inside, pid): (Proxy<i64>, Connection, u32)| {
                let error = counter.call(|_, inside: Connection| Stop::at(&inside), inside);
                has_ended(error.unwrap_err(), pid);
            },
            (manager.create(|()| 0, ()).unwrap(), inside, pid),
        );
        stop.is_reached();
        let error = manager.shutdown_timeout(Duration::from_millis(20)).unwrap_err();
        let Error::ManagerDied { pid: died, status } = error else { panic!("{error}") };
        assert_eq!((died, status.code), (pid, -9));
        has_ended(counter.get().unwrap_err(), pid);
        ends_well(caller);
    });
}

#[test]
fn a_killed_manager_is_an_error_for_every_pending_and_later_call() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let pid = manager.pid();
        let (stop, inside) = Stop::new();
        let call = |(object, inside, pid): (Proxy<i64>, Option<Connection>, u32)| {
            let wait = |_: &mut i64, inside: Option<Connection>| {
                inside.iter().for_each(Stop::at);
            };
            has_ended(object.call(wait, inside).unwrap_err(), pid);
            has_ended(object.call(|n, ()| *n, ()).unwrap_err(), pid);
        };
        let object = manager.create(|()| 0, ()).unwrap();
        let executed = started(method, call, (object.clone(), Some(inside), pid));
        stop.is_reached();
        let queued = started(method, call, (object.clone(), None, pid));
        signal(&manager, Signal::SIGKILL);
        ends_well(executed);
        ends_well(queued);
        has_ended(object.call(|n, ()| *n, ()).unwrap_err(), pid);
        let error = manager.shutdown().unwrap_err();
        assert!(error.to_string().contains("was killed by SIGKILL"), "{error}");
    });
}

#[test]
fn a_manager_that_exits_in_a_call_is_an_error_and_its_shutdown_tells_how() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let object = manager.create(|()| 0, ()).unwrap();
        let exit = |_: &mut i32, code: i32| {
            std::process::exit(code);
        };
        let error = object.call::<_, (), _>(exit, 3).unwrap_err();
        has_ended(error, manager.pid());
        let error = manager.shutdown().unwrap_err();
        assert!(error.to_string().contains("ended with exit code 3"), "{error}");
    });
}

#[test]
fn a_stopped_manager_lets_calls_time_out_and_goes_on_afterwards() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let object = manager.create(|()| 0, ()).unwrap();
        let add = |n: &mut i64, by: i64| {
            *n += by;
            *n
        };
        assert_eq!(object.call(add, 1).unwrap(), 1);
        stop(manager.pid() as i32);
        for _ in 0..3 {
            let error = object.call_timeout(add, 10, Duration::from_millis(10)).unwrap_err();
            assert!(matches!(error, Error::TimedOut), "{error}");
        }
        // References are given up without waiting for anybody.
        drop(object.clone());
        signal(&manager, Signal::SIGCONT);
        // None of those that timed out has begun or ever will.
        assert_eq!(object.call(add, 1).unwrap(), 2);
        assert_eq!(object.call_timeout(add, 1, WATCHDOG).unwrap(), 3);
    });
}

#[test]
fn an_interrupt_does_not_end_a_manager() {
    with_every_start_method(|method| {
        let manager = manager(method);
        signal(&manager, Signal::SIGINT);
        assert_eq!(manager.counter().unwrap().add(1).unwrap(), 1);
        manager.shutdown().unwrap();
    });
}

#[test]
fn a_program_that_a_manager_executes_ignores_interrupts_only_if_all_do() {
    let is_ignored = |manager: &Manager| {
        let object = manager.create(|()| (), ()).unwrap();
        let look = |_: &mut (), (): ()| {
            let output = Command::new("grep").args(["SigIgn", "/proc/self/status"]).output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        let signals = object.call(look, ()).unwrap();
        let signals = u64::from_str_radix(signals.trim_start_matches("SigIgn:").trim(), 16);
        signals.unwrap() & 1 << (Signal::SIGINT as u32 - 1) != 0
    };
    with_every_start_method(move |method| {
        assert!(!is_ignored(&manager(method)));
        // As in a script, of what is started in the background.
        // SAFETY: to ignore is no code.
        unsafe { signal::signal(Signal::SIGINT, SigHandler::SigIgn) }.unwrap();
        // A fork server is as this process was when it was launched.
        assert_eq!(is_ignored(&manager(method)), method != StartMethod::ForkServer);
    });
}

#[test]
fn a_manager_ends_with_the_process_that_has_started_it() {
    with_every_start_method(|method| {
        let (ours, theirs) = pipe().unwrap();
        let mut parent = started(
            method,
            |(method, connection): (u8, Connection)| {
                let manager = manager(StartMethod::ALL[usize::from(method)]);
                connection.send(&manager.counter().unwrap()).unwrap();
                let _: () = connection.recv().unwrap();
            },
            (method as u8, theirs),
        );
        let counter: CounterProxy = ours.recv().unwrap();
        assert_eq!(counter.add(1).unwrap(), 1);
        parent.kill();
        parent.join().unwrap();
        // Its death follows its parent's; a call that is quicker ends_well.
        let error = std::iter::repeat_with(|| counter.get()).find_map(Result::err).unwrap();
        assert!(matches!(error, Error::ManagerEnded { .. }), "{error}");
    });
}

#[test]
fn a_forked_child_is_told_that_it_must_be_given_a_proxy() {
    static COUNTER: OnceLock<CounterProxy> = OnceLock::new();
    in_a_process_of_its_own(|| {
        {
            let manager = manager(StartMethod::Fork);
            let counter = COUNTER.get_or_init(|| manager.counter().unwrap());
            let child = started(
                StartMethod::Fork,
                |given: CounterProxy| {
                    let error = COUNTER.get().unwrap().get().unwrap_err();
                    assert!(matches!(error, Error::NotInherited), "{error}");
                    let error = pipe().unwrap().0.send(COUNTER.get().unwrap()).unwrap_err();
                    assert!(error.to_string().contains("as an argument"), "{error}");
                    // The one that it was given it has its own connection for.
                    assert_eq!(given.add(1).unwrap(), 1);
                },
                counter.clone(),
            );
            ends_well(child);
            assert_eq!(counter.add(1).unwrap(), 2);
        }
        // The static keeps two connections open, to be counted as left behind.
        std::process::exit(0);
    });
}
