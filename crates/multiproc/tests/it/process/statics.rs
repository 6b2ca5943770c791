//! What a forked child can reach of its parent's.

use std::{fs::File, os::unix::fs::MetadataExt, sync::Mutex, time::Duration};

use multiproc::{Connection, Error, Process, Queue, Receiver, StartMethod, one_way_pipe, pipe};

use super::started;
use crate::in_a_process_of_its_own;

static QUEUE: Mutex<Option<Queue<Vec<u8>>>> = Mutex::new(None);
static CONNECTION: Mutex<Option<Connection>> = Mutex::new(None);

/// Larger than what a queue keeps when it is empty.
const LARGE: usize = 6 << 20;

/// A file that covers all of the queue's areas, open under every number that
/// might be free.
fn files() -> Vec<File> {
    let path = std::env::temp_dir().join(format!("multiproc-statics-{}", std::process::id()));
    std::fs::write(&path, vec![1; 4 * LARGE]).unwrap();
    let files = (0..40).map(|_| File::options().read(true).write(true).open(&path).unwrap());
    let files = files.collect();
    std::fs::remove_file(path).unwrap();
    files
}

#[test]
fn a_forked_child_that_uses_its_parents_statics_is_told_and_harms_no_file_of_its_own() {
    in_a_process_of_its_own(|| {
        let queue = Queue::new().unwrap();
        queue.put(&vec![7; LARGE]).unwrap();
        *QUEUE.lock().unwrap() = Some(queue);
        let (ours, theirs) = pipe().unwrap();
        *CONNECTION.lock().unwrap() = Some(ours);

        let child = |()| {
            let files = files();
            let before: Vec<u64> =
                files.iter().map(|file| file.metadata().unwrap().blocks()).collect();
            let queue = QUEUE.lock().unwrap().take().unwrap();
            // Would shrink, then grow; the second cannot be had here.
            assert_eq!(queue.get().unwrap().len(), LARGE);
            let error = queue.put(&vec![8; 2 * LARGE]).unwrap_err();
            assert!(matches!(error, Error::NotInherited), "{error}");
            drop(queue);

            let connection = CONNECTION.lock().unwrap().take().unwrap();
            let error = connection.send(&1).unwrap_err();
            assert!(matches!(error, Error::NotInherited), "{error}");
            let error = connection.recv::<u8>().unwrap_err();
            assert!(matches!(error, Error::NotInherited), "{error}");
            assert!(matches!(connection.try_clone(), Err(Error::NotInherited)));
            let (_one, other) = pipe().unwrap();
            let error = other.send(&connection).unwrap_err();
            assert!(error.to_string().contains("was forked from"), "{error}");
            drop(connection);

            let after: Vec<u64> =
                files.iter().map(|file| file.metadata().unwrap().blocks()).collect();
            assert_eq!(after, before);
        };
        let mut process = started(StartMethod::Fork, child, ());
        process.join().unwrap();
        assert_eq!(process.exit_code(), Some(0), "its message is above");
        drop(process);

        // The parent's are as they were.
        let connection = CONNECTION.lock().unwrap().take().unwrap();
        connection.send(&1).unwrap();
        assert_eq!(theirs.recv::<i32>().unwrap(), 1);
        let queue = QUEUE.lock().unwrap().take().unwrap();
        queue.put(&vec![9; 2 * LARGE]).unwrap();
        assert_eq!(queue.get().unwrap().len(), 2 * LARGE);
    });
}

static PROCESS: Mutex<Option<Process<u64>>> = Mutex::new(None);

#[test]
fn a_forked_child_cannot_wait_for_a_process_of_its_parents() {
    in_a_process_of_its_own(|| {
        for method in StartMethod::ALL {
            let (receiver, sender) = one_way_pipe().unwrap();
            let wait = |receiver: Receiver| receiver.recv::<u64>().unwrap();
            *PROCESS.lock().unwrap() = Some(started(method, wait, receiver));

            let child = |()| {
                let mut parents = PROCESS.lock().unwrap().take().unwrap();
                // The first of the child's own has the same number in its family.
                let mut own = started(StartMethod::Fork, |()| (), ());
                let errors = [
                    parents.join().unwrap_err(),
                    parents.join_timeout(Duration::ZERO).unwrap_err(),
                    parents.result().unwrap_err(),
                    parents.sentinel().unwrap_err(),
                ];
                for error in errors {
                    assert!(matches!(error, Error::NotAChild { .. }), "{error}");
                    assert!(error.to_string().contains("\nhelp: "), "{error}");
                }
                assert!(!parents.is_alive());
                assert_eq!(parents.exit_code(), None);
                parents.kill();
                drop(parents);
                own.join().unwrap();
            };
            let mut process = started(StartMethod::Fork, child, ());
            process.join().unwrap();
            assert_eq!(process.exit_code(), Some(0), "its message is above");

            // The parent's is as it was.
            sender.send(&7u64).unwrap();
            assert_eq!(PROCESS.lock().unwrap().take().unwrap().result().unwrap(), 7);
        }
    });
}
