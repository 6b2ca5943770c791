//! When tasks begin, and what becomes of results that nobody waits for.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::{Duration, Instant},
};

use multiproc::{
    Error, StartMethod,
    pool::{AsyncResult, Bulk},
};

use super::{
    door::{Door, visit},
    two,
};

const MOMENT: Duration = Duration::from_millis(10);

pub fn test_async_timeout<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut door = Door::new();
    let mut result = pool.apply_async(visit, door.way_in());
    assert!(!result.is_ready());
    let begun = Instant::now();
    assert!(matches!(result.get_timeout(MOMENT), Err(Error::TimedOut)));
    assert!(begun.elapsed() >= MOMENT, "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert!(!result.wait(Some(MOMENT)));
    assert!(begun.elapsed() >= MOMENT, "{:?}", begun.elapsed());
    door.open(1);
    assert!(result.wait(None));
    assert!(result.is_ready());
    let pid = result.get_timeout(MOMENT).unwrap();
    assert!(pool.pids().any(|worker| worker == pid as i32));
    pool.shutdown().unwrap();
}

pub fn a_result_can_be_had_once<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut result = pool.apply_async(|x: u64| x * x, 3);
    assert_eq!(result.get_timeout(Duration::MAX).unwrap(), 9);
    assert!(matches!(result.get_timeout(Duration::MAX), Err(Error::OutcomeTaken)));
    assert!(matches!(result.get(), Err(Error::OutcomeTaken)));
    pool.shutdown().unwrap();
}

pub fn tasks_begin_at_once_and_run_in_parallel<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut door = Door::new();
    let first = pool.apply_async(visit, door.way_in());
    let second = pool.apply_async(visit, door.way_in());
    // Nobody asks the pool for anything until both have begun.
    door.await_knocks(2);
    door.open(2);
    assert_ne!(first.get().unwrap(), second.get().unwrap());
    pool.shutdown().unwrap();
}

pub fn nothing_waits_behind_a_long_task_while_another_worker_is_free<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
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
}

pub fn of_one_map_too_nothing_waits_behind_a_long_task<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut door = Door::new();
    let mut ways = vec![door.way_past(); 50];
    ways[0] = door.way_in();
    let result = pool.map_async(visit, ways);
    // Nobody asks the pool for anything until all have begun.
    door.await_knocks(50);
    assert!(!result.is_ready());
    door.open(1);
    let pids = result.get().unwrap();
    assert!(pids[1..].iter().all(|&pid| pid != pids[0]));
    pool.shutdown().unwrap();
}

pub fn a_dropped_result_abandons_itself_only<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut door = Door::new();
    let waiting = pool.apply_async(visit, door.way_in());
    let others: Vec<_> = (0..10).map(|_| pool.apply_async(visit, door.way_past())).collect();
    drop(waiting);
    for other in others {
        other.get().unwrap();
    }
    // It is executed all the same.
    door.open(1);
    pool.shutdown().unwrap();
    door.await_knocks(11);
}

pub fn results_outlive_their_pool<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let done = pool.apply_async(|x: u64| x + 1, 1);
    let picky = pool.apply_async(|x: u64| -> u64 { panic!("{x}") }, 1);
    pool.shutdown().unwrap();
    assert_eq!(done.get().unwrap(), 2);
    assert!(matches!(picky.get(), Err(Error::TaskPanicked { .. })));

    let pool = two::<T>(method);
    let door = Door::new();
    let never_done = pool.apply_async(visit, door.way_in());
    drop(pool);
    assert!(never_done.is_ready());
    assert!(matches!(never_done.get(), Err(Error::PoolDropped)));
}

pub fn nobody_waits_for_the_call_of_another_thread<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut door = Door::new();
    std::thread::scope(|scope| {
        let long = scope.spawn({
            let (pool, way) = (&pool, door.way_in());
            move || pool.apply(visit, way)
        });
        door.await_knocks(1);
        let mut other = pool.apply_async(visit, door.way_in());
        assert!(!other.is_ready());
        assert!(matches!(other.get_timeout(MOMENT), Err(Error::TimedOut)));
        drop(other);
        door.await_knocks(1);
        door.open(2);
        long.join().unwrap().unwrap();
    });
    pool.shutdown().unwrap();
}

/// Wakes a thread, and counts how often.
struct Alarm {
    sleeper: Thread,
    rings: AtomicU64,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rings.fetch_add(1, Relaxed);
        self.sleeper.unpark();
    }
}

fn block_on<R: Send + 'static>(result: AsyncResult<R>) -> multiproc::Result<R> {
    let alarm = Arc::new(Alarm { sleeper: std::thread::current(), rings: AtomicU64::new(0) });
    let waker = Waker::from(Arc::clone(&alarm));
    let mut result = std::pin::pin!(result);
    loop {
        let heard = alarm.rings.load(Relaxed);
        match result.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => {
                // Nothing but the waker moves this on.
                while alarm.rings.load(Relaxed) == heard {
                    std::thread::park();
                }
            }
        }
    }
}

pub fn results_are_futures<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut door = Door::new();
    let waiting = pool.apply_async(visit, door.way_in());
    let map = pool.map_async(|x: u64| x * x, 0..1_000);
    assert_eq!(block_on(map).unwrap().len(), 1_000);
    assert!(matches!(
        block_on(pool.apply_async(|x: u64| -> u64 { panic!("{x}") }, 1)),
        Err(Error::TaskPanicked { .. })
    ));
    door.open(1);
    block_on(waiting).unwrap();
    pool.shutdown().unwrap();
}

pub fn a_cancelled_task_that_runs_is_stopped<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut door = Door::new();
    let cancelled = pool.apply_async(visit, door.way_in());
    let other = pool.apply_async(visit, door.way_in());
    door.await_knocks(2);
    assert!(cancelled.cancel());
    assert!(cancelled.is_ready());
    assert!(!cancelled.cancel());
    assert!(matches!(cancelled.get(), Err(Error::Cancelled)));
    // Its worker is replaced, the other one's task is unharmed.
    let (a, b) = (pool.apply_async(visit, door.way_past()), pool.map(visit, [door.way_past()]));
    a.get().unwrap();
    b.unwrap();
    door.open(1);
    other.get().unwrap();
    let statistics = pool.statistics();
    assert_eq!((statistics.workers_healed, statistics.tasks_done), (1, 3), "{statistics:?}");
    pool.shutdown().unwrap();
}

pub fn a_cancelled_task_that_waits_never_begins<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut door = Door::new();
    let busy: Vec<_> = (0..2).map(|_| pool.apply_async(visit, door.way_in())).collect();
    door.await_knocks(2);
    let cancelled = pool.map_async(visit, vec![door.way_past(); 10]);
    let kept = pool.apply_async(visit, door.way_past());
    assert!(cancelled.cancel());
    door.open(2);
    assert!(busy.into_iter().all(|result| result.get().is_ok()));
    kept.get().unwrap();
    pool.shutdown().unwrap();
    assert_eq!(door.knocks(), 1);
}

pub fn an_endless_iterator_is_taken_as_far_as_it_is_needed<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    for in_order in [true, false] {
        let mut taken = 0;
        let endless = std::iter::repeat_with(|| {
            taken += 1;
            taken
        });
        let call = pool.call().ahead(10);
        let double = |x: u64| 2 * x;
        let results: Vec<u64> = if in_order {
            call.imap(double, endless).take(100).map(Result::unwrap).collect()
        } else {
            call.imap_unordered(double, endless).take(100).map(Result::unwrap).collect()
        };
        assert_eq!(results.len(), 100);
        assert!(taken <= 110, "{taken} were taken");
    }
    // Without a word about it too there is an end.
    let mut taken = 0u64;
    let endless = std::iter::repeat_with(|| {
        taken += 1;
        taken
    });
    assert_eq!(
        pool.imap(|x: u64| x, endless).take(50_000).map(Result::unwrap).last(),
        Some(50_000)
    );
    assert!(taken <= 60_000, "{taken} were taken");
    pool.shutdown().unwrap();
}
