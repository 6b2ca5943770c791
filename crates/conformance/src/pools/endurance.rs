//! What a pool takes for long, in short forms; the examples have the long ones.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::num::NonZeroUsize;

use multiproc::{StartMethod, pool::Bulk};

use crate::{soak::Soak, storm::Storm};

pub fn workers_killed_all_the_time_cost_no_result_and_leave_nothing<T: Bulk>(method: StartMethod) {
    const KILLS_PER_SECOND: f64 = 25.0;
    let storm = Storm {
        seconds: 7.0,
        workers: NonZeroUsize::new(4).expect("not 0"),
        kills_per_second: KILLS_PER_SECOND,
        start_method: None,
        seed: 1,
    };
    let report = storm.rage::<T>(method).unwrap_or_else(|error| panic!("{error}"));
    eprintln!("{report}");
    // It was a storm, on a machine that has much else to do too.
    assert!(report.kills_per_second() > KILLS_PER_SECOND / 2.5, "{report}");
    assert_eq!(report.failures(), [""; 0]);
}

pub fn many_tasks_and_many_pools_leave_no_more_than_few<T: Bulk>(method: StartMethod) {
    let workers = NonZeroUsize::new(2).expect("not 0");
    let soak = Soak { tasks: 200_000, pools: 100, workers, start_method: None };
    let failures = soak.run::<T>(method, |line| eprintln!("{line}"));
    assert_eq!(failures.unwrap_or_else(|error| panic!("{error}")), [""; 0]);
}
