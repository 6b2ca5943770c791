//! What a process is told before it begins: its name, its cores.

use multiproc::{Error, Process, StartMethod, active_children, current_process};
use nix::{
    sched::{CpuSet, sched_getaffinity},
    sys::wait::{WaitStatus, waitpid},
    unistd::Pid,
};

use super::started;
use crate::{in_a_process_of_its_own, with_every_start_method};

/// The names of this process and of two children of its own.
fn names(method: StartMethod) -> Vec<String> {
    let name_of_child = |()| current_process().name().to_owned();
    let mut children = [started(method, name_of_child, ()), started(method, name_of_child, ())];
    let names = children.iter_mut().map(|child| child.result().unwrap());
    std::iter::once(current_process().name().to_owned()).chain(names).collect()
}

#[test]
fn default_names_count_the_processes_of_each_generation() {
    with_every_start_method(|method| {
        let mut first = started(method, names, method);
        assert_eq!(first.name(), "Process-1");
        assert_eq!(first.result().unwrap(), ["Process-1", "Process-1:1", "Process-1:2"]);
        // The number is counted even if the name is not used.
        let mut second = Process::new(names, method).start_method(method).named("a name");
        second.start().unwrap();
        assert_eq!(second.result().unwrap(), ["a name", "Process-2:1", "Process-2:2"]);
        assert_eq!(Process::new(|()| (), ()).name(), "Process-3");
    });
}

#[test]
fn the_name_is_what_ps_shows() {
    with_every_start_method(|method| {
        let comm = |()| std::fs::read_to_string("/proc/self/comm").unwrap();
        let mut process = Process::new(comm, ()).start_method(method).named("a-name-of-sixteen");
        process.start().unwrap();
        assert_eq!(process.result().unwrap(), "a-name-of-sixte\n", "the kernel keeps 15 bytes");
        // A NUL, which no name of the system's can hold, does no harm.
        let mut process = Process::new(comm, ()).start_method(method).named("nul\0 in it");
        process.start().unwrap();
        assert_eq!(process.result().unwrap(), "nul\n");
    });
}

#[test]
fn a_process_is_pinned_to_the_cores_that_were_asked_for() {
    with_every_start_method(|method| {
        let available = |()| {
            let set = sched_getaffinity(Pid::from_raw(0)).unwrap();
            (0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap()).collect::<Vec<usize>>()
        };
        let before = available(());
        let last = *before.last().unwrap();
        let mut process = Process::new(available, ()).start_method(method).pin_to(&[last]);
        process.start().unwrap();
        assert_eq!(process.result().unwrap(), [last]);
        assert_eq!(available(()), before, "this process is not");
    });
}

#[test]
fn a_process_that_is_pinned_to_one_core_counts_one() {
    with_every_start_method(|method| {
        let cores = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let first = (0..CpuSet::count()).find(|&core| cores.is_set(core).unwrap()).unwrap();
        let counts = |()| (multiproc::cpu_count(), multiproc::host_cpu_count());
        let mut pinned = Process::new(counts, ()).start_method(method).pin_to(&[first]);
        pinned.start().unwrap();
        let host = multiproc::host_cpu_count();
        assert_eq!(pinned.result().unwrap(), (std::num::NonZeroUsize::MIN, host));
        assert!(multiproc::cpu_count() <= host);
    });
}

#[test]
fn cores_that_there_are_not_are_refused() {
    with_every_start_method(|method| {
        let there_is = 0;
        for cores in [vec![CpuSet::count() - 1], vec![usize::MAX], vec![there_is, 1_000]] {
            let mut process = Process::new(|()| (), ()).start_method(method).pin_to(&cores);
            let error = process.start().unwrap_err();
            assert!(matches!(error, Error::CoresNotAvailable { .. }), "{error}");
        }
        assert!(active_children().is_empty());
    });
}

#[test]
fn a_process_can_be_started_from_any_thread_and_joined_in_another() {
    in_a_process_of_its_own(|| {
        for method in [StartMethod::Spawn, StartMethod::ForkServer] {
            let starter = std::thread::spawn(move || started(method, |x: u64| x + 1, 41));
            let mut process = starter.join().unwrap();
            assert_eq!(process.result().unwrap(), 42);
        }
    });
}

#[test]
fn a_process_that_was_forked_by_other_means_starts_children_of_its_own() {
    in_a_process_of_its_own(|| {
        let start_one_of_each = || {
            StartMethod::ALL.iter().all(|&method| {
                let mut process = Process::new(|x: u64| x + 1, 1).start_method(method);
                process.start().is_ok() && process.result().is_ok_and(|x| x == 2)
            })
        };
        assert!(start_one_of_each());
        // SAFETY: this process has a single thread.
        let pid = match unsafe { libc::fork() } {
            0 => {
                let code = if start_one_of_each() { 0 } else { 1 };
                // SAFETY: _exit has no preconditions.
                unsafe { libc::_exit(code) }
            }
            pid => Pid::from_raw(pid),
        };
        assert_eq!(waitpid(pid, None), Ok(WaitStatus::Exited(pid, 0)));
        assert!(start_one_of_each());
    });
}
