//! Ctrl-C.

use multiproc::{Event, Process, StartMethod};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::{Pid, setpgid},
};

use super::{sleep_for_ever, started};
use crate::{isolation::leaves_nothing, with_every_start_method};

#[test]
fn an_interrupt_ends_a_program_that_joins_its_processes_and_all_of_them() {
    type Arguments = (StartMethod, Event);
    with_every_start_method(|method| {
        let running = Event::new().unwrap();
        let program = |(method, running): Arguments| {
            setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap();
            let runs = |running: Event| {
                running.set();
                sleep_for_ever(());
            };
            let has_children = move |(method, running): Arguments| {
                started(method, runs, running).join().unwrap();
            };
            let mut processes: Vec<Process> =
                (0..3).map(|_| started(method, sleep_for_ever, ())).collect();
            // The last one to run, a grandchild.
            processes.push(started(method, has_children, (method, running)));
            processes.iter_mut().for_each(|process| process.join().unwrap());
        };
        let mut program = started(method, program, (method, running.clone()));
        running.wait();
        let group = program.pid().unwrap();
        killpg(Pid::from_raw(group), Signal::SIGINT).unwrap();
        program.join().unwrap();
        assert_eq!(program.exit_code(), Some(-(Signal::SIGINT as i32)));
        leaves_nothing(group);
    });
}
