//! Workers retire, others take their seats, and all leave in the end.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use multiproc::{
    StartMethod,
    pool::{Builder, Bulk, Pool},
};

use super::door::{Door, visit};

/// A pool of one worker in the making.
fn one<T: Bulk>(method: StartMethod) -> Builder<T> {
    Pool::builder().workers(1).start_method(method)
}

pub fn the_successor_of_a_worker_that_retires_begins_meanwhile<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = one(method).max_tasks_per_worker(1).build().unwrap();
    let mut door = Door::new();
    let last = pool.apply_async(visit, door.way_in());
    door.await_knocks(1);
    // Nobody but the pool itself sees to it that this one begins.
    let first = pool.apply_async(visit, door.way_past());
    door.await_knocks(1);
    assert!(!last.is_ready());
    door.open(1);
    assert_ne!(last.get().unwrap(), first.get().unwrap());
    pool.shutdown().unwrap();
}

pub fn a_seat_has_two_workers_at_most<T: Bulk>(method: StartMethod) {
    let pool: Pool<T> = one(method).max_tasks_per_worker(1).build().unwrap();
    let mut door = Door::new();
    let visits: Vec<_> = (0..5).map(|_| pool.apply_async(visit, door.way_in())).collect();
    door.await_knocks(2);
    for _ in 2..5 {
        // A third would have been started by now, and been given its task.
        assert_eq!((pool.pids().len(), pool.statistics().in_flight), (2, 2));
        door.open(1);
        door.await_knocks(1);
    }
    door.open(2);
    visits.into_iter().for_each(|visit| _ = visit.get().unwrap());
    pool.shutdown().unwrap();
}
