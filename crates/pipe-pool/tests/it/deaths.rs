//! A worker's death is told to everyone whom it concerns.

use pipe_pool::{Error, Pool};

use crate::{
    door::{Door, Way, visit},
    with_pools_of_two,
};

fn dies(_: u64) -> u64 {
    std::process::abort()
}

fn is_broken(pool: Pool) {
    assert_eq!(pool.workers(), 0);
    assert!(matches!(pool.map(|x: u64| x, [1]), Err(Error::Broken)));
    let later = pool.apply_async(|x: u64| x, 1);
    assert!(later.is_ready());
    assert!(matches!(later.get(), Err(Error::Broken)));
    assert!(matches!(pool.shutdown(), Err(Error::Broken)));
}

#[test]
fn a_death_fails_every_result_that_was_not_ready_and_names_its_task_to_its_own() {
    with_pools_of_two(|pool| {
        let mut door = Door::new();
        let ready = pool.apply_async(|x: u64| x, 1);
        assert!(ready.wait(None));
        let innocent = pool.apply_async(visit, door.way_in());
        door.await_knocks(1);
        let pids: Vec<i32> = pool.pids().collect();
        let victim = pool.map_async(dies, [7, 8, 9]).get().unwrap_err();
        let innocent = innocent.get().unwrap_err();
        for (error, its_task) in [(victim, Some(0)), (innocent, None)] {
            match error {
                Error::WorkerDied { pid, task, .. } if task == its_task => {
                    assert!(pids.contains(&pid));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(ready.get().unwrap(), 1);
        is_broken(pool);
    });
}

#[test]
fn a_death_during_a_map_is_told_by_the_map_and_by_what_is_outstanding() {
    with_pools_of_two(|pool| {
        let mut door = Door::new();
        let innocent = pool.apply_async(visit, door.way_in());
        door.await_knocks(1);
        let error = pool.map(dies, 0..10).unwrap_err();
        assert!(matches!(error, Error::WorkerDied { task: Some(0), .. }), "{error}");
        assert!(matches!(innocent.get(), Err(Error::WorkerDied { task: None, .. })));
        is_broken(pool);
    });
}

#[test]
fn a_death_while_nobody_looks_is_told_by_shutdown() {
    with_pools_of_two(|pool| {
        let mut door = Door::new();
        let visit_and_die = |way: Way| -> u32 {
            visit(way);
            std::process::abort()
        };
        drop(pool.apply_async(visit_and_die, door.way_in()));
        door.open(1);
        let error = pool.shutdown().unwrap_err();
        assert!(matches!(error, Error::WorkerDied { task: Some(0), .. }), "{error}");
    });
}
