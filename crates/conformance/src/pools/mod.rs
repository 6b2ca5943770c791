//! One suite that every kind of pool must pass, with every start method.
//!
//! Tests that carry the name of one of CPython's (`test_…`) port its behaviour;
//! all others are sentences.

mod async_results;
mod door;
mod endurance;
mod methods;
mod orphans;

use std::time::Duration;

use multiproc::{
    StartMethod,
    pool::{Bulk, Pool},
};

pub use self::{async_results::*, endurance::*, methods::*, orphans::*};
use crate::isolated;

/// Longer than anything here takes on a machine that is not on fire.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Runs `test` once with every start method, each time in a process of its own
/// that must leave nothing behind.
///
/// # Panics
///
/// If it does, or fails or hangs.
pub fn with_every_start_method<F: Fn(StartMethod) + Copy + Send + 'static>(test: F) {
    for method in StartMethod::ALL {
        eprintln!("with {method}:");
        isolated(WATCHDOG, vec![method as u8], move |payload| {
            test(StartMethod::ALL[payload[0] as usize]);
        })
        .passes();
    }
}

/// A pool of two workers.
fn two<T: Bulk>(method: StartMethod) -> Pool<T> {
    let pool = Pool::builder().workers(2).start_method(method).build();
    pool.unwrap_or_else(|error| panic!("{error}"))
}

/// Makes a test of every check of the suite, for one kind of pool.
#[macro_export]
macro_rules! pool_suite {
    ($transport:ty) => {
        $crate::pool_suite! { $transport:
            test_apply test_map test_starmap test_async test_map_async test_map_chunksize
            test_map_unplicklable test_async_timeout test_imap test_imap_unordered
            test_empty_iterable test_make_pool test_terminate test_context test_traceback
            test_map_no_failfast test_enter test_async_error_callback test_unpickleable_result
            test_pool_worker_lifetime test_release_unused_processes
            a_panic_is_the_error_of_its_own_result_and_of_nothing_else
            large_payloads_of_several_jobs_flow_past_each_other
            thousands_of_results_can_be_outstanding
            threads_share_a_pool
            nobody_waits_for_the_call_of_another_thread
            a_result_can_be_had_once
            tasks_begin_at_once_and_run_in_parallel
            nothing_waits_behind_a_long_task_while_another_worker_is_free
            of_one_map_too_nothing_waits_behind_a_long_task
            a_dropped_result_abandons_itself_only
            results_outlive_their_pool
            results_are_futures
            a_cancelled_task_that_runs_is_stopped
            a_cancelled_task_that_waits_never_begins
            an_endless_iterator_is_taken_as_far_as_it_is_needed
            pools_can_be_nested
            workers_killed_all_the_time_cost_no_result_and_leave_nothing
            many_tasks_and_many_pools_leave_no_more_than_few
            nothing_outlives_a_parent_killed_at_any_instant
        }
    };
    ($transport:ty: $($check:ident)+) => {
        $(
            #[test]
            fn $check() {
                $crate::pools::with_every_start_method($crate::pools::$check::<$transport>);
            }
        )+
    };
}
