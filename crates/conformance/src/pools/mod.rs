//! One suite that every kind of pool must pass, with every start method.
//!
//! Tests that carry the name of one of CPython's (`test_…`) port its behaviour;
//! all others are sentences.

mod async_results;
mod building;
mod door;
mod endurance;
mod faults;
pub mod interrupts;
mod lives;
mod loads;
mod methods;
mod orphans;
mod turns;
mod users_code;

use std::time::Duration;

use multiproc::{
    StartMethod,
    pool::{Bulk, Pool},
};

pub use self::interrupts::{
    a_program_that_survives_ctrl_c_keeps_its_pool,
    ctrl_c_ends_the_program_and_its_workers_in_silence,
    ctrl_c_ends_the_programs_that_tasks_have_started,
};
pub use self::{
    async_results::*, building::*, endurance::*, faults::*, lives::*, loads::*, methods::*,
    orphans::*, turns::*, users_code::*,
};
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
            a_call_returns_results_of_every_size_and_runs_once
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
            every_worker_that_ends_in_order_runs_the_exit_hook_once
            a_panic_of_the_exit_hook_is_told_by_shutdown
            workers_run_on_the_cores_that_they_were_given
            a_core_that_is_not_there_fails_the_build
            workers_and_their_replacements_have_the_names_of_their_seats
            an_initialiser_that_panics_fails_the_build
            progress_is_told_while_somebody_waits_and_a_panic_in_it_stops_nobody
            progress_is_not_told_before_its_time
            progress_is_never_told_by_two_threads_at_once
            statistics_tell_what_waits_what_runs_and_what_was_done
            statistics_tell_who_was_busy_and_who_was_idle
            workers_that_retire_do_all_of_a_large_chunk_first
            the_successor_of_a_worker_that_retires_begins_meanwhile
            a_seat_has_two_workers_at_most
            a_pool_that_ends_while_a_seat_is_vacant_sleeps_until_it_has_ended
            a_task_that_cannot_be_given_costs_no_worker_one_of_its_tasks
            a_worker_is_busy_as_long_as_its_task_takes
            a_worker_that_retires_and_does_not_end_is_killed
            a_worker_that_retires_has_as_long_as_it_takes_for_its_last_task
            a_worker_that_does_not_end_at_a_shutdown_is_killed_and_told
            a_pool_goes_on_by_itself_when_all_of_its_workers_have_died
            whoever_waits_hears_of_what_another_thread_has_ended
            shutdown_ends_a_stream_with_what_it_has
            a_result_that_is_being_shown_cannot_be_cancelled
            nobody_waits_for_a_callback_that_takes_its_time
            a_replacement_that_never_becomes_ready_is_replaced
            callbacks_are_called_after_the_end_of_the_pool_too
            a_panic_on_a_thread_that_a_task_has_started_is_that_threads
            a_worker_waits_for_its_own_children_at_its_end
            what_a_stream_has_done_can_be_had_after_the_end_of_the_pool
            arguments_whose_drop_panics_cost_nothing
            a_waker_that_panics_costs_nothing
            of_all_who_poll_a_result_the_last_is_woken
            a_drop_may_ask_the_pool
            the_drop_of_a_waker_may_ask_the_pool
            a_value_that_asks_its_own_pool_is_an_error_and_no_hang
            workers_killed_all_the_time_cost_no_result_and_leave_nothing
            many_tasks_and_many_pools_leave_no_more_than_few
            nothing_outlives_a_parent_killed_at_any_instant
            a_worker_killed_before_it_takes_a_task_costs_nothing
            a_worker_killed_while_it_takes_a_task_costs_nothing
            a_worker_killed_in_the_middle_of_a_task_fails_that_task_and_no_other
            a_worker_killed_before_it_writes_a_result_costs_that_task_at_most
            a_worker_killed_half_way_through_a_result_costs_that_task_at_most
            a_worker_killed_after_it_has_written_a_result_costs_nothing
            an_answer_that_is_found_when_its_worker_is_buried_counts
            a_worker_killed_while_it_returns_a_large_result_fails_that_call_and_no_other
            a_worker_killed_in_the_middle_of_a_chunk_fails_that_chunk_and_no_other
            every_way_to_end_a_worker_is_the_error_of_its_task_and_of_no_other
            tasks_that_all_end_their_workers_have_all_failed_and_the_pool_goes_on
            a_task_without_memory_fails_and_nothing_else_does
            test_crash_at_task_unpickle
            test_crash_during_result_pickle_on_worker
            test_exit_during_func_exec_on_worker
            test_killed_child
            test_idle_process_reuse_one
            test_max_tasks_early_shutdown
            a_dead_worker_is_never_an_error_of_the_pool
            workers_killed_while_idle_cost_nothing
            idle_workers_that_die_again_and_again_are_replaced_again_and_again
            workers_that_all_die_at_once_are_all_replaced
            a_pool_heals_though_what_starts_its_workers_was_stopped
            a_pool_heals_though_what_starts_its_workers_was_killed
            a_pool_that_cannot_start_workers_any_more_says_so
            replacements_that_die_a_few_times_are_replaced_themselves
            if_no_replacement_lives_every_result_is_an_error_that_says_so
            who_lives_goes_on_while_others_cannot_be_replaced
            a_seat_that_cannot_be_filled_keeps_no_other_vacant
            nothing_is_stranded_when_workers_retire_and_die
            by_default_a_task_that_ends_its_worker_is_not_begun_again
            with_retries_a_task_is_begun_again_so_often_and_not_once_more
            under_random_kills_no_task_of_a_pool_that_forbids_it_begins_twice
            retries_and_at_most_once_exclude_each_other
            a_task_that_hangs_ends_at_its_deadline_and_harms_no_neighbour
            a_task_has_all_of_the_time_until_its_deadline
            a_deadline_is_that_of_its_call
            a_task_is_asked_to_stop_and_can_return_what_it_has
            a_task_that_does_not_stop_when_asked_is_ended
            a_worker_stopped_in_a_task_ends_at_the_deadline
            a_worker_stopped_before_a_task_with_a_deadline_costs_nothing
            to_cancel_a_task_harms_no_neighbour
            of_thousands_of_short_tasks_those_that_panic_fail_and_no_other
            of_thousands_of_short_tasks_those_that_end_their_worker_fail_and_no_other
            of_thousands_of_short_tasks_those_that_hang_end_at_their_deadline_and_no_other
            thousands_of_short_tasks_that_are_cancelled_harm_no_others
            a_large_argument_cancelled_while_it_is_written_harms_no_others
            thousands_of_short_tasks_with_results_of_any_type_come_in_order
            an_answer_of_no_known_kind_is_the_error_of_its_task
            an_answer_that_says_it_is_endless_is_the_error_of_its_task
            an_answer_to_what_was_not_asked_is_the_error_of_its_task
            an_answer_that_cannot_be_decoded_is_the_error_of_its_task
            an_answer_that_promises_too_much_costs_no_memory
            an_answer_that_lacks_its_end_ends_at_the_deadline
            a_worker_that_hangs_up_and_lives_on_is_replaced
            nobody_waits_for_a_worker_that_hangs_up_and_lives_on
            fork_is_refused_in_a_process_with_threads
            a_pool_that_was_forked_heals_in_a_process_with_threads
            a_pool_is_joined_before_anybody_has_seen_its_results
            five_gigabytes_without_the_memory_for_them_are_an_error_of_their_task
            an_argument_that_is_more_than_a_worker_may_have_is_the_error_of_its_task
            a_result_that_the_parent_has_no_memory_for_is_the_error_of_its_task
            what_large_values_took_is_given_back
            without_descriptors_a_pool_is_not_built_and_leaves_nothing
            without_descriptors_nobody_is_replaced_until_there_are_some
            of_many_short_pools_nothing_is_left
            ctrl_c_ends_the_program_and_its_workers_in_silence
            ctrl_c_ends_the_programs_that_tasks_have_started
            a_program_that_survives_ctrl_c_keeps_its_pool
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
