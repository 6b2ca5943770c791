//! When tasks begin, and what becomes of results that nobody waits for.

use std::time::Duration;

use pipe_pool::Error;

use crate::{
    door::{Door, visit},
    with_pools_of_two,
};

const MOMENT: Duration = Duration::from_millis(10);

#[test]
fn test_async_timeout() {
    with_pools_of_two(|pool| {
        let mut door = Door::new();
        let mut result = pool.apply_async(visit, door.way_in());
        assert!(!result.is_ready());
        assert!(matches!(result.get_timeout(MOMENT), Err(Error::TimedOut)));
        assert!(!result.wait(Some(MOMENT)));
        door.open(1);
        assert!(result.wait(None));
        assert!(result.is_ready());
        assert!(pool.pids().any(|pid| result.get_timeout(MOMENT).unwrap() == pid as u32));
        pool.shutdown().unwrap();
    });
}

#[test]
fn tasks_begin_at_once_and_run_in_parallel() {
    with_pools_of_two(|pool| {
        let mut door = Door::new();
        let first = pool.apply_async(visit, door.way_in());
        let second = pool.apply_async(visit, door.way_in());
        // Nobody asks the pool for anything until both have begun.
        door.await_knocks(2);
        door.open(2);
        assert_ne!(first.get().unwrap(), second.get().unwrap());
        pool.shutdown().unwrap();
    });
}

#[test]
fn nothing_waits_behind_a_long_task_while_another_worker_is_free() {
    with_pools_of_two(|pool| {
        let mut door = Door::new();
        let long = pool.apply_async(visit, door.way_in());
        door.await_knocks(1);
        // Each of them would wait for ever if it were given to the first worker.
        let short: Vec<_> = (0..200).map(|_| pool.apply_async(visit, door.way_past())).collect();
        let pids: Vec<u32> = short.into_iter().map(|result| result.get().unwrap()).collect();
        let map = pool.map(visit, vec![door.way_past(); 200]).unwrap();
        assert!(!long.is_ready());
        door.open(1);
        let busy = long.get().unwrap();
        assert!(pids.iter().chain(&map).all(|&pid| pid != busy));
        pool.shutdown().unwrap();
    });
}

#[test]
fn of_one_map_too_nothing_waits_behind_a_long_task() {
    with_pools_of_two(|pool| {
        let mut door = Door::new();
        let mut ways = vec![door.way_past(); 50];
        ways[0] = door.way_in();
        let result = pool.map_async(visit, ways);
        // Every call into the pool moves the map on, up to the task at the door.
        let mut knocks = 0;
        while knocks < 50 {
            assert!(!result.wait(Some(Duration::from_millis(1))));
            knocks += door.knocks();
        }
        door.open(1);
        let pids = result.get().unwrap();
        assert!(pids[1..].iter().all(|&pid| pid != pids[0]));
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_dropped_result_abandons_itself_only() {
    with_pools_of_two(|pool| {
        let mut door = Door::new();
        let waiting = pool.apply_async(visit, door.way_in());
        let others: Vec<_> = (0..10).map(|_| pool.apply_async(visit, door.way_past())).collect();
        drop(waiting);
        for other in others {
            other.get().unwrap();
        }
        drop(pool.map_async(visit, vec![door.way_past(); 10]));
        door.open(1);
        pool.shutdown().unwrap();
        door.await_knocks(21);
    });
}

#[test]
fn shutdown_finishes_what_was_asked_for() {
    with_pools_of_two(|pool| {
        let mut door = Door::new();
        let calls: Vec<_> = (0..20).map(|_| pool.apply_async(visit, door.way_past())).collect();
        let map = pool.map_async(visit, vec![door.way_past(); 20]);
        let panics = pool.apply_async(|x: u64| -> u64 { panic!("{x}") }, 1);
        pool.shutdown().unwrap();
        door.await_knocks(40);
        for call in calls {
            assert!(call.is_ready());
            call.get().unwrap();
        }
        assert_eq!(map.get().unwrap().len(), 20);
        assert!(matches!(panics.get(), Err(Error::TaskPanicked { .. })));
    });
}

#[test]
fn test_terminate() {
    with_pools_of_two(|pool| {
        let mut door = Door::new();
        let done = pool.apply_async(visit, door.way_past());
        assert!(done.wait(None));
        let endless = pool.map_async(visit, vec![door.way_in(); 100]);
        door.await_knocks(3);
        drop(pool);
        done.get().unwrap();
        assert!(endless.is_ready());
        let error = endless.get().unwrap_err();
        assert!(matches!(error, Error::PoolDropped), "{error}");
    });
}
