//! Jobs in shared memory, worked off by real processes.

use std::time::Duration;

use multiproc::{Board, Error, PoolConfig, StartMethod, TaskFn};

fn board(workers: usize) -> Board {
    let config = PoolConfig {
        workers: workers.try_into().unwrap(),
        start_method: StartMethod::ForkServer,
        name: "board".to_owned(),
        start_timeout: Duration::from_secs(30),
    };
    Board::start(&config).unwrap_or_else(|error| panic!("{error}"))
}

const DOUBLE: fn() -> TaskFn =
    || TaskFn::chunk(|(): (), chunk: &mut [u64]| chunk.iter_mut().for_each(|x| *x *= 2));

#[test]
fn every_task_is_executed_exactly_once_however_many_jobs() {
    let mut board = board(3);
    let mut array = board.array::<u64>(1_000).unwrap();
    array.fill(1);
    for job in 1..=50 {
        board.execute(DOUBLE(), &[], 1_000, None, array.stretches_mut(1)).unwrap();
        assert!(array.iter().all(|&x| x == 1 << job), "job {job}");
    }
    board.shutdown(Duration::from_secs(5)).unwrap();
}

#[test]
fn the_last_stretch_may_be_shorter() {
    let mut board = board(2);
    let mut array = board.array::<u64>(10).unwrap();
    array.fill(1);
    board.execute(DOUBLE(), &[], 4, None, array.stretches_mut(3)).unwrap();
    assert_eq!(*array, [2; 10]);
}

#[test]
#[should_panic(expected = "every stretch lies in an array of this board")]
fn stretches_beyond_the_array_are_refused() {
    let mut board = board(1);
    let mut array = board.array::<u64>(10).unwrap();
    let _ = board.execute(DOUBLE(), &[], 5, None, array.stretches_mut(3));
}

#[test]
#[should_panic(expected = "every stretch lies in an array of this board")]
fn an_array_of_another_board_is_refused() {
    let mut array = board(1).array::<u64>(10).unwrap();
    let _ = board(1).execute(DOUBLE(), &[], 1, None, array.stretches_mut(1));
}

#[test]
fn a_panic_is_told_with_its_task_and_place_and_spares_the_others() {
    let mut board = board(2);
    let mut array = board.array::<u64>(100).unwrap();
    array.iter_mut().zip(0..).for_each(|(x, i)| *x = i);
    let task = TaskFn::chunk(|(): (), chunk: &mut [u64]| match chunk[0] {
        37 => panic!("I do not like 37"),
        x => chunk[0] = x + 1_000,
    });
    let error = board.execute(task, &[], 100, None, array.stretches_mut(1)).unwrap_err();
    let Error::TaskPanicked { task: 37, message, .. } = &error else { panic!("{error}") };
    assert!(message.contains("board.rs:") && message.ends_with("I do not like 37"), "{message}");
    let changed = array.iter().filter(|&&x| x >= 1_000).count();
    assert_eq!(changed, 99);
    // The board is as good as before.
    board.execute(DOUBLE(), &[], 100, None, array.stretches_mut(1)).unwrap();
}

#[test]
fn a_worker_that_ends_in_a_task_is_told_with_pid_code_and_task() {
    let mut board = board(2);
    let pids: Vec<i32> = board.pids().collect();
    let mut array = board.array::<u64>(100).unwrap();
    array[50] = 1;
    let task = TaskFn::chunk(|(): (), chunk: &mut [u64]| {
        if chunk[0] == 1 {
            std::process::exit(42);
        }
    });
    let error = board.execute(task, &[], 100, None, array.stretches_mut(1)).unwrap_err();
    let Error::WorkerDied { pid, status, task: Some(50), .. } = &error else { panic!("{error}") };
    assert!(pids.contains(pid) && status.code == 42, "{error}");
    let after = board.execute(DOUBLE(), &[], 1, None, array.stretches_mut(1));
    assert!(matches!(after, Err(Error::Broken)));
}

#[test]
fn dropped_arrays_are_let_go_of() {
    let mut board = board(1);
    for _ in 0..300 {
        let mut array = board.array::<u64>(1_000).unwrap();
        board.execute(DOUBLE(), &[], 1_000, None, array.stretches_mut(1)).unwrap();
    }
    let pid = board.pids().next().unwrap();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    // The board, the last array, and what the fork server may hold.
    let mapped = maps.lines().filter(|line| line.contains("memfd:multiproc")).count();
    assert!(mapped <= 4, "{maps}");
}

#[test]
fn too_many_tasks_and_too_much_context_are_errors() {
    let mut board = board(1);
    let mut array = board.array::<u64>(0).unwrap();
    let tasks = u32::MAX as usize;
    let error = board.execute(DOUBLE(), &[], tasks, None, array.stretches_mut(0)).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    let error = board.execute(DOUBLE(), &[0; 65], 1, None, array.stretches_mut(0)).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}
