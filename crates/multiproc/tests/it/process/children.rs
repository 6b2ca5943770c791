//! Entry points with raw payloads: what the pools build on.

use std::{
    fs::File,
    io::{Read, Write},
    time::Duration,
};

use multiproc::{EntryPoint, Error, Inheritance, StartMethod};

use crate::{end_of, in_a_process_of_its_own, isolation::open_descriptors, start};

#[test]
fn a_child_gets_its_payload_and_descriptors_with_every_start_method() {
    in_a_process_of_its_own(|| {
        for method in StartMethod::ALL {
            let (mut reader, writer) = std::io::pipe().unwrap();
            // Larger than a socket's buffer.
            let payload = vec![7; 1_000_000];
            let inheritance = Inheritance { payload, descriptors: vec![writer.into()] };
            let entry = EntryPoint::new(|mut inheritance: Inheritance| {
                let mut pipe = File::from(inheritance.descriptors.pop().unwrap());
                let sum: u64 = inheritance.payload.iter().map(|&byte| u64::from(byte)).sum();
                pipe.write_all(&sum.to_ne_bytes()).unwrap();
            });
            let mut child = start(method, entry, inheritance);
            let mut answer = Vec::new();
            // Ends only if nobody but the child holds the writing end.
            reader.read_to_end(&mut answer).unwrap();
            assert_eq!(answer, 7_000_000u64.to_ne_bytes(), "{method}");
            assert!(end_of(&mut child).success(), "{method}");
        }
    });
}

#[test]
fn exit_codes_and_signals_are_told_with_every_start_method() {
    in_a_process_of_its_own(|| {
        for method in StartMethod::ALL {
            let exits = EntryPoint::new(|_| std::process::exit(3));
            assert_eq!(
                end_of(&mut start(method, exits, Inheritance::default())).code,
                3,
                "{method}"
            );

            let aborts = EntryPoint::new(|_| std::process::abort());
            let status = end_of(&mut start(method, aborts, Inheritance::default()));
            assert_eq!(status.to_string(), "was killed by SIGABRT", "{method}");

            let sleeps = EntryPoint::new(|_| std::thread::sleep(Duration::from_secs(60)));
            let mut child = start(method, sleeps, Inheritance::default());
            assert_eq!(child.wait(Some(Duration::ZERO)).unwrap(), None, "{method}");
            child.kill();
            assert_eq!(end_of(&mut child).code, -9, "{method}");
        }
    });
}

#[test]
fn fork_is_refused_in_a_process_with_threads_and_says_what_to_do() {
    // The harness has started at least the thread that this runs on.
    let entry = EntryPoint::new(|_| ());
    let error = multiproc::start(StartMethod::Fork, "test", entry, Inheritance::default());
    let error = error.unwrap_err();
    assert!(matches!(error, Error::ForkWithThreads { threads: 2.. }), "{error}");
    assert!(error.to_string().contains("forkserver"), "{error}");
}

#[test]
fn a_child_outlives_the_thread_that_started_it() {
    for method in [StartMethod::Spawn, StartMethod::ForkServer] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let (mut go, stop) = {
            let (stop, go) = std::io::pipe().unwrap();
            (go, stop)
        };
        let starter = std::thread::spawn(move || {
            let inheritance =
                Inheritance { payload: Vec::new(), descriptors: vec![writer.into(), stop.into()] };
            let entry = EntryPoint::new(|inheritance: Inheritance| {
                let [writer, go] = inheritance.descriptors.try_into().unwrap();
                File::from(go).read_exact(&mut [0]).unwrap();
                File::from(writer).write_all(b"alive").unwrap();
            });
            start(method, entry, inheritance)
        });
        let mut child = starter.join().unwrap();
        // The starting thread is gone; its parent-death signal would have come by now.
        std::thread::sleep(Duration::from_millis(20));
        go.write_all(&[1]).unwrap();
        let mut answer = String::new();
        reader.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "alive", "{method}");
        assert!(end_of(&mut child).success());
    }
}

#[test]
fn a_thousand_processes_leave_no_descriptor_and_no_zombie() {
    in_a_process_of_its_own(|| {
        let nothing = EntryPoint::new(|_| ());
        // The fork server stays; it is started before the count.
        end_of(&mut start(StartMethod::ForkServer, nothing, Inheritance::default()));
        let before = open_descriptors();
        for round in 0..500 {
            let method = if round % 2 == 0 { StartMethod::Fork } else { StartMethod::ForkServer };
            end_of(&mut start(method, nothing, Inheritance::default()));
            // Dropped alive: killed and reaped.
            drop(start(method, nothing, Inheritance::default()));
        }
        assert_eq!(open_descriptors(), before);
        let children = children();
        assert_eq!(children.split_whitespace().count(), 1, "only the fork server: {children}");
    });
}

/// Ids of the children that this thread has started.
fn children() -> String {
    std::fs::read_to_string("/proc/thread-self/children").unwrap()
}

#[test]
fn a_killed_fork_server_is_replaced() {
    in_a_process_of_its_own(|| {
        let nothing = EntryPoint::new(|_| ());
        end_of(&mut start(StartMethod::ForkServer, nothing, Inheritance::default()));
        let server = children();
        let killed =
            std::process::Command::new("kill").args(["-9", server.trim()]).status().unwrap();
        assert!(killed.success());
        let mut child = start(StartMethod::ForkServer, nothing, Inheritance::default());
        assert!(end_of(&mut child).success());
    });
}

#[test]
fn a_child_is_known_by_its_name() {
    let entry = EntryPoint::new(|_| {
        let name = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(name.trim_end(), "a-name-of-sixte", "the kernel keeps 15 bytes");
    });
    let child =
        multiproc::start(StartMethod::Spawn, "a-name-of-sixteen", entry, Inheritance::default());
    assert!(end_of(&mut child.unwrap()).success());
}

#[test]
fn too_many_descriptors_are_an_error_and_leave_no_process() {
    in_a_process_of_its_own(|| {
        let before = children();
        let descriptors = (0..254).map(|_| File::open("/dev/null").unwrap().into()).collect();
        let inheritance = Inheritance { payload: Vec::new(), descriptors };
        let entry = EntryPoint::new(|_| ());
        let error = multiproc::start(StartMethod::Spawn, "test", entry, inheritance).unwrap_err();
        assert!(error.to_string().contains("254 descriptors"), "{error}");
        assert_eq!(children(), before);
    });
}

#[test]
fn running_out_of_descriptors_is_an_error_that_says_what_to_do() {
    in_a_process_of_its_own(|| {
        // Takes every descriptor that the limit allows.
        let mut taken = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        let entry = EntryPoint::new(|_| ());
        for method in StartMethod::ALL {
            let error =
                multiproc::start(method, "test", entry, Inheritance::default()).unwrap_err();
            assert!(error.to_string().contains("help: raise the limit of open files"), "{error}");
        }
        drop(taken);
        assert!(end_of(&mut start(StartMethod::Spawn, entry, Inheritance::default())).success());
    });
}
