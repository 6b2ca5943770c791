//! What one client suffers, and nobody else.

use std::{fs::File, os::fd::AsFd, time::Duration};

use multiproc::{Connection, CounterProxy, Error, ListProxy, Manager, Proxy, pipe};
use nix::{
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Stop, ends_well, manager, run, started, stop};
use crate::{in_a_process_of_its_own, with_every_start_method};

#[test]
fn a_panic_is_the_callers_error_with_its_place_and_the_object_stays_usable() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let list = manager.list_from([1, 2, 3]).unwrap();
        let error = list.remove(7).unwrap_err();
        assert!(matches!(&error, Error::CallPanicked { message } if message.contains("should be")));
        let half = |items: &mut Vec<i32>, (): ()| {
            items.push(4);
            assert!(items.is_empty(), "there are {} items", items.len());
        };
        let error = list.proxy().call(half, ()).unwrap_err().to_string();
        assert!(error.contains("faults.rs") && error.contains("there are 4 items"), "{error}");
        assert_eq!(list.to_vec().unwrap(), [1, 2, 3, 4]);
        let error = manager.create(|n: i32| assert_eq!(n, 0, "not made"), 1).unwrap_err();
        assert!(error.to_string().contains("not made"), "{error}");
        manager.shutdown().unwrap();
    });
}

/// Arrives nowhere, or leaves nowhere, or panics on its way.
struct Stubborn(u8);

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => Err(serde::ser::Error::custom("it will not leave")),
            1 => panic!("it panics on leaving"),
            n => n.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            2 => Err(serde::de::Error::custom("it will not arrive")),
            3 => panic!("it panics on arriving"),
            n => Ok(Self(n)),
        }
    }
}

#[test]
fn what_cannot_be_encoded_or_decoded_is_the_error_of_that_call() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let object = manager.create(|()| 7, ()).unwrap();
        let take = |_: &mut i32, _: Stubborn| ();
        let give = |_: &mut i32, kind: u8| Stubborn(kind);

        let error = object.call(take, Stubborn(0)).unwrap_err();
        assert!(matches!(error, Error::Encode { .. }), "{error}");
        let error = object.call(take, Stubborn(2)).unwrap_err();
        assert!(
            matches!(&error, Error::Decode { type_name, .. } if type_name.contains("Stubborn"))
        );
        let error = object.call(take, Stubborn(3)).unwrap_err();
        assert!(error.to_string().contains("panics on arriving"), "{error}");

        let failed = |kind| object.call(give, kind).map(|_| ()).unwrap_err();
        assert!(
            matches!(failed(0), Error::Encode { type_name, .. } if type_name.contains("Stubborn"))
        );
        assert!(failed(1).to_string().contains("panics on leaving"));
        assert!(matches!(failed(2), Error::Decode { .. }));

        assert_eq!(object.call(|n, ()| *n, ()).unwrap(), 7);
        manager.shutdown().unwrap();
    });
}

#[test]
fn a_proxy_of_another_type_is_an_error() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let (ours, theirs) = pipe().unwrap();
        ours.send(&manager.value("text".to_owned()).unwrap()).unwrap();
        let numbers: ListProxy<u64> = theirs.recv().unwrap();
        let error = numbers.push(1).unwrap_err();
        assert!(matches!(error, Error::NoSuchObject), "{error}");
    });
}

#[test]
fn a_long_call_holds_up_its_object_only() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let busy = manager.create(|()| 0, ()).unwrap();
        let counter = manager.counter().unwrap();
        let (stop, inside) = Stop::new();
        let caller = started(
            method,
            |(busy, inside): (Proxy<i32>, Connection)| {
                busy.call(|_, inside: Connection| Stop::at(&inside), inside).unwrap();
            },
            (busy.clone(), inside),
        );
        stop.is_reached();
        assert_eq!(counter.add(1).unwrap(), 1);
        drop(manager.counter().unwrap());
        let soon = Duration::from_millis(10);
        let error = busy.call_timeout(|n, ()| *n += 1, (), soon).unwrap_err();
        assert!(matches!(error, Error::TimedOut), "{error}");
        stop.go_on();
        ends_well(caller);
        assert_eq!(busy.call(|n, ()| *n, ()).unwrap(), 0, "what timed out has never begun");
    });
}

#[test]
fn a_client_killed_in_the_middle_of_a_call_harms_nobody() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let object = manager.create(|()| 0, ()).unwrap();
        let (stop, inside) = Stop::new();
        let mut caller = started(
            method,
            |(object, inside): (Proxy<i32>, Connection)| {
                let wait = |n: &mut i32, inside: Connection| {
                    Stop::at(&inside);
                    *n += 1;
                };
                object.call(wait, inside).unwrap();
            },
            (object.clone(), inside),
        );
        stop.is_reached();
        caller.kill();
        caller.join().unwrap();
        stop.go_on();
        assert_eq!(object.call(|n, ()| *n, ()).unwrap(), 1, "the call is executed as a whole");
        manager.shutdown().unwrap();
    });
}

#[test]
fn a_stopped_client_holds_up_nobody() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let counter = manager.counter().unwrap();
        let (ours, theirs) = pipe().unwrap();
        let caller = started(
            method,
            |(list, counter, connection): (ListProxy<u8>, CounterProxy, Connection)| {
                connection.send(&()).unwrap();
                // Until it is stopped; the answers are of all sizes.
                while !connection.poll(Duration::ZERO).unwrap() {
                    counter.add(1).unwrap();
                    list.to_vec().unwrap();
                }
            },
            (manager.list_from(vec![7; 300_000]).unwrap(), counter.clone(), theirs),
        );
        ours.recv::<()>().unwrap();
        stop(caller.pid().unwrap());
        for _ in 0..20 {
            counter.add(1).unwrap();
            drop(manager.list_from([1]).unwrap());
        }
        run(method, |counter: CounterProxy| drop(counter.add(1)), counter);
        kill(Pid::from_raw(caller.pid().unwrap()), Signal::SIGCONT).unwrap();
        ours.send(&()).unwrap();
        ends_well(caller);
        manager.shutdown().unwrap();
    });
}

/// What takes all descriptors of a manager.
struct Hoard {
    files: Vec<File>,
    stop: Connection,
}

impl Hoard {
    fn new(stop: Connection) -> Self {
        Self { files: Vec::new(), stop }
    }

    fn take_all(&mut self, (): ()) {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, 64, most).unwrap();
        self.files.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
    }

    fn len(&mut self, (): ()) -> usize {
        self.files.len()
    }
}

#[test]
fn a_manager_without_descriptors_refuses_new_clients_and_serves_the_others() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let (stop, inside) = Stop::new();
        let hoard = manager.create(Hoard::new, inside).unwrap();
        let counter = manager.counter().unwrap();
        // One that the manager was about to close may become free once more.
        let take_all_and_send = || {
            hoard.call(Hoard::take_all, ()).unwrap();
            pipe().unwrap().0.send(&hoard)
        };
        let error = std::iter::repeat_with(take_all_and_send).find_map(Result::err).unwrap();
        assert!(error.to_string().contains("no descriptor or no thread left"), "{error}");
        hoard.call(Hoard::take_all, ()).unwrap();
        let error = manager.counter().unwrap_err();
        assert!(matches!(error, Error::ManagerOverloaded { .. }), "{error}");
        let (_ours, theirs) = pipe().unwrap();
        let error = hoard.call(|_, connection: Connection| drop(connection), theirs).unwrap_err();
        assert!(error.to_string().contains("ulimit -n"), "{error}");
        // A second call at the same time would need a second connection.
        std::thread::scope(|scope| {
            let first = scope.spawn(|| hoard.call(|hoard, ()| Stop::at(&hoard.stop), ()));
            stop.is_reached();
            let error = counter.add(1).unwrap_err();
            assert!(matches!(error, Error::ManagerOverloaded { .. }), "{error}");
            stop.go_on();
            first.join().unwrap().unwrap();
        });
        assert_eq!(counter.add(1).unwrap(), 1);
        assert!(hoard.call(Hoard::len, ()).unwrap() > 10);

        hoard.call(|hoard, ()| hoard.files.clear(), ()).unwrap();
        run(
            method,
            |hoard: Proxy<Hoard>| assert_eq!(hoard.call(Hoard::len, ()).unwrap(), 0),
            hoard,
        );
        manager.shutdown().unwrap();
    });
}

#[test]
fn threads_of_a_process_call_at_the_same_time() {
    in_a_process_of_its_own(|| {
        let manager = Manager::start().unwrap();
        let counter = manager.counter().unwrap();
        let stops: Vec<_> = (0..12).map(|_| Stop::new()).collect();
        std::thread::scope(|scope| {
            let mut outside = Vec::new();
            for (stop, inside) in stops {
                let object = manager.create(|()| (), ()).unwrap();
                let call = |_: &mut (), inside: Connection| Stop::at(&inside);
                scope.spawn(move || object.call(call, inside).unwrap());
                outside.push(stop);
            }
            // All of them are in the middle of their calls now.
            outside.iter().for_each(Stop::is_reached);
            assert_eq!(counter.add(1).unwrap(), 1);
            outside.iter().for_each(Stop::go_on);
        });
    });
}

#[test]
fn arguments_and_results_may_be_large_or_handles() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let list = manager.list_from(vec![1u8; 10_000_000]).unwrap();
        list.extend(vec![2; 10_000_000]).unwrap();
        let bytes = list.to_vec().unwrap();
        assert_eq!(bytes.len(), 20_000_000);
        assert_eq!((bytes[0], bytes[19_999_999]), (1, 2));

        let object = manager.create(|()| None, ()).unwrap();
        let (ours, theirs) = pipe().unwrap();
        object.call(|slot, connection: Connection| *slot = Some(connection), theirs).unwrap();
        let theirs = object.call(|slot, ()| slot.take(), ()).unwrap().unwrap();
        theirs.send(&"through").unwrap();
        assert_eq!(ours.recv::<String>().unwrap(), "through");
        assert!(theirs.as_fd().try_clone_to_owned().is_ok());
    });
}

#[test]
fn clients_killed_at_random_harm_nobody() {
    with_every_start_method(|method| {
        let manager = manager(method);
        let counter = manager.counter().unwrap();
        let list = manager.list::<(u32, String)>().unwrap();
        let work = |(manager, list): (multiproc::ManagerHandle, ListProxy<(u32, String)>)| {
            for n in 0.. {
                list.push((n, "x".repeat(n as usize % 1000))).unwrap();
                let mine = manager.value(list.clone()).unwrap();
                mine.get().unwrap().pop().unwrap();
            }
        };
        let handle = (*manager).clone();
        for round in 0..12u64 {
            let mut victims =
                [(); 2].map(|()| started(method, work, (handle.clone(), list.clone())));
            // Somewhere in the middle of things; where, differs from round to round.
            std::thread::sleep(Duration::from_micros(700 * round + 500));
            for victim in &mut victims {
                victim.kill();
                victim.join().unwrap();
            }
            assert_eq!(counter.add(1).unwrap(), round as i64 + 1);
            for (n, text) in list.to_vec().unwrap() {
                assert_eq!(text.len(), n as usize % 1000);
            }
            // A killed client's last push may be executed after its death.
            list.clear().unwrap();
        }
        manager.shutdown().unwrap();
    });
}
