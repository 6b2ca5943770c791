//! The kill storm of the reliability suite, for some seconds.

use conformance::storm::Storm;
use multiproc::{SharedMemoryRings, StartMethod, pool::Bulk};
use pipe_pool::Pipes;

use crate::{Sample, machine::WORKERS, stage::Stage, trouble::Result};

/// As many as the suite kills.
const KILLS_PER_SECOND: f64 = 25.0;

/// Both pools with all start methods, one round each.
pub(crate) fn failures(stage: &mut Stage<'_>) -> Result<()> {
    let seconds = stage.part(2 * METHODS.len()).as_secs_f64();
    for method in METHODS {
        of::<SharedMemoryRings>(stage, "shm-pool", method, seconds)?;
        of::<Pipes>(stage, "pipe-pool", method, seconds)?;
    }
    Ok(())
}

const METHODS: [StartMethod; 3] = [StartMethod::Fork, StartMethod::ForkServer, StartMethod::Spawn];

fn of<T: Bulk>(stage: &mut Stage<'_>, pool: &str, method: StartMethod, seconds: f64) -> Result<()> {
    let storm = Storm {
        seconds,
        workers: WORKERS.try_into().expect("not zero"),
        kills_per_second: KILLS_PER_SECOND,
        start_method: Some(method),
        seed: 1,
    };
    let report = storm.rage::<T>(method)?;
    let failures = report.failures();
    let series = format!("{pool}, {}", method.name());
    for failure in &failures {
        stage.note(format!("{series}: {failure}"))?;
    }
    let sample = |contestant: &str, value| Sample { contestant: contestant.to_owned(), value };
    let samples = vec![
        sample("failures", failures.len() as f64),
        sample("kills_per_second", report.kills_per_second()),
    ];
    stage.report(&series, failures.len() as f64, samples)
}
