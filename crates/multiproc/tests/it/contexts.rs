//! Start methods and contexts.

use multiproc::{
    Context, Error, Event, Lock, Process, StartMethod, context, default_start_method,
    set_start_method,
};

use crate::{in_a_process_of_its_own, with_every_start_method};

#[test]
fn test_context() {
    with_every_start_method(|method| {
        let context = context(method);
        assert_eq!(context, Context::new(method));
        assert_eq!(context.start_method(), method);
        // A child's own default is the way it was started.
        let mut process = context.process(|()| (default_start_method(), Context::default()), ());
        process.start().unwrap();
        assert_eq!(process.result().unwrap().0, method);
    });
}

#[test]
fn several_contexts_live_in_one_program() {
    in_a_process_of_its_own(|| {
        let contexts = StartMethod::ALL.map(Context::new);
        let mut processes =
            contexts.map(|context| context.process(|()| default_start_method(), ()));
        processes.iter_mut().for_each(|process| process.start().unwrap());
        let methods = processes.map(|mut process| process.result().unwrap());
        assert_eq!(methods, StartMethod::ALL);
    });
}

#[test]
fn test_set_get() {
    // In Python it can be set again by force; here a process of its own each.
    with_every_start_method(|method| {
        // The isolated process was spawned, which is its default and settled.
        let error = set_start_method(method).unwrap_err();
        assert!(matches!(error, Error::StartMethodSet { is: StartMethod::Spawn }), "{error}");
        assert!(error.to_string().contains("the default start method is spawn"), "{error}");

        // Children of a context inherit its method, which is settled too.
        let mut process = context(method).process(
            |()| {
                assert!(set_start_method(StartMethod::Spawn).is_err());
                let mut grandchild = Process::new(|()| default_start_method(), ());
                grandchild.start().unwrap();
                (default_start_method(), grandchild.result().unwrap())
            },
            (),
        );
        process.start().unwrap();
        assert_eq!(process.result().unwrap(), (method, method));
    });
}

#[test]
fn test_get_all() {
    let names = StartMethod::ALL.map(StartMethod::name);
    assert_eq!(names, ["spawn", "fork", "forkserver"]);
    for method in StartMethod::ALL {
        assert_eq!(method.name().parse(), Ok(method));
    }
    assert!("threads".parse::<StartMethod>().is_err());
}

#[test]
fn test_mixed_startmethod() {
    // Python refuses a lock of one context in a process of another. A handle
    // of ours has no start method: it goes wherever it is given.
    with_every_start_method(|method| {
        let make = |()| (Lock::new().unwrap(), Event::new().unwrap());
        let mut maker = context(method).process(make, ());
        maker.start().unwrap();
        let (lock, event) = maker.result().unwrap();
        for other in StartMethod::ALL {
            let guard = lock.acquire().unwrap();
            let wait_and_lock = |(lock, event): (Lock, Event)| {
                event.set();
                drop(lock.acquire().unwrap());
            };
            let mut process = context(other).process(wait_and_lock, (lock.clone(), event.clone()));
            process.start().unwrap();
            event.wait();
            event.clear();
            assert!(process.is_alive(), "the lock is taken");
            drop(guard);
            process.result().unwrap();
        }
    });
}
