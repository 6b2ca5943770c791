//! Every answer is right.

use std::time::Duration;

use harness::{Configuration, Input, Job, Placement, Running, Strategy};
use procfs::process::{MMPermissions, Process};

use crate::{Constructor, cells, configuration, isolation::isolated};

/// Checks the answers of every cell against the closed forms, with every
/// number of workers that the strategy allows.
///
/// # Panics
///
/// If one is wrong, a run fails or hangs, or something is left behind.
pub fn gives_right_answers(backend: impl Constructor, strategy: &Strategy) {
    let strategy = serde_json::to_vec(strategy).expect("a strategy is plain data");
    let hundreds_of_cells = Duration::from_secs(300);
    isolated(hundreds_of_cells, strategy, move |strategy| {
        let strategy: Strategy = serde_json::from_slice(&strategy).expect("it was written above");
        for workers in cells::WORKERS {
            if workers == 1 || !strategy.is_serial() {
                check_all_jobs(backend, &strategy, workers);
            }
        }
    })
    .passes();
}

fn check_all_jobs(backend: impl Constructor, strategy: &Strategy, workers: usize) {
    let configuration = configuration(strategy, workers);
    let backend =
        backend(&configuration).unwrap_or_else(|error| panic!("{configuration}: {error}"));
    let mut running =
        backend.start(Placement::Free).unwrap_or_else(|error| panic!("{configuration}: {error}"));
    for job in cells::jobs(workers) {
        running.load(job).unwrap_or_else(|error| panic!("{configuration}, load {job}: {error}"));
        check_input(&mut *running, &configuration);
        // Twice: a result that was left from the first run must not pass.
        for nonce in [1, 2] {
            check(&mut *running, job, nonce)
                .unwrap_or_else(|why| panic!("{configuration}, {job}: {why}"));
        }
    }
    running.stop().unwrap_or_else(|error| panic!("{configuration}, stop: {error}"));
}

/// The buffer lies where the strategy says.
fn check_input(running: &mut dyn Running, configuration: &Configuration) {
    let told = running.input();
    let has_processes = configuration.strategy.start_method.is_some();
    running.visit_buffer(&mut |_, part| {
        // What is empty lies nowhere.
        if let Some(element) = part.first() {
            let is_shared = is_shared(std::ptr::from_ref(element).addr() as u64);
            let found = match (is_shared, has_processes) {
                (true, _) => Input::BornShared,
                (false, true) => Input::CopiedIn,
                (false, false) => Input::InProcess,
            };
            assert_eq!(told, found, "{configuration}");
        }
    });
}

/// Whether other processes can have the same memory.
fn is_shared(address: u64) -> bool {
    let maps = Process::myself().and_then(|me| me.maps()).expect("/proc can be read");
    let map = maps.into_iter().find(|map| (map.address.0..map.address.1).contains(&address));
    map.expect("it is mapped").perms.contains(MMPermissions::SHARED)
}

/// Runs `job`, which is loaded, once and compares the answer.
pub(crate) fn check(running: &mut dyn Running, job: Job, nonce: u64) -> Result<(), String> {
    running.visit_buffer(&mut |first, part| job.workload.fill(part, first, nonce));
    running.run().map_err(|error| error.to_string())?;
    let mut checksum = 0u64;
    running.visit_buffer(&mut |first, part| {
        checksum = checksum.wrapping_add(harness::workloads::checksum(part, first));
    });
    let expected = job.expected_checksum(nonce);
    if checksum == expected {
        Ok(())
    } else {
        Err(format!("checksum {checksum}, expected {expected}"))
    }
}
