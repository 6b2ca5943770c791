//! Who moves a pool on, and what happens when it is closed or a user's code runs.
#![allow(missing_docs, reason = "the names of tests say what they check")]

use std::{
    sync::{
        Arc, Barrier, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    time::Duration,
};

use multiproc::{
    Error, Process, SharedValue, StartMethod,
    pool::{Bulk, Pool},
};

use super::{
    door::{Door, Way, visit},
    two,
};

pub fn workers_that_retire_do_all_of_a_large_chunk_first<T: Bulk>(method: StartMethod) {
    let builder = Pool::<T>::builder().workers(2).start_method(method);
    let pool = builder.max_tasks_per_worker(3).build().unwrap();
    let mut array = pool.array_from(&[1u64; 40_000]).unwrap();
    pool.for_each_chunk(&mut array, 2_000, 5, |n: u64, chunk: &mut [u64]| {
        chunk.iter_mut().for_each(|x| *x += n);
    })
    .unwrap();
    assert!(array.iter().all(|&x| x == 6));
    pool.shutdown().unwrap();
}

pub fn a_pool_goes_on_by_itself_when_all_of_its_workers_have_died<T: Bulk>(method: StartMethod) {
    let pool = Pool::<T>::builder().workers(1).start_method(method).build().unwrap();
    let mut door = Door::new();
    for _ in 0..12 {
        let running = pool.apply_async(visit, door.way_in());
        // Nobody waits for the pool; it begins, or goes on, by itself.
        door.await_knocks(1);
        running.cancel();
    }
    pool.shutdown().unwrap();
}

pub fn whoever_waits_hears_of_what_another_thread_has_ended<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let door = Door::new();
    let mut stream = pool.call().ahead(1).imap(visit, std::iter::repeat(door.way_past()));
    stream.next().unwrap().unwrap();
    let busy: Vec<_> = (0..2).map(|_| pool.apply_async(visit, door.way_in())).collect();
    let waiting = pool.apply_async(visit, door.way_past());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| waiting.wait(None));
        std::thread::sleep(Duration::from_millis(20));
        waiting.cancel();
        assert!(waiter.join().unwrap());
        busy.iter().for_each(|busy| _ = busy.cancel());
        pool.close();
        let joined = scope.spawn(|| pool.join());
        std::thread::sleep(Duration::from_millis(20));
        drop(stream);
        joined.join().unwrap().unwrap();
    });
}

pub fn shutdown_ends_a_stream_with_what_it_has<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut stream = pool.call().ahead(4).imap(|x: u64| x, 0..);
    assert_eq!(stream.next().unwrap().unwrap(), 0);
    pool.shutdown().unwrap();
    let rest: Vec<_> = stream.collect();
    let (last, done) = rest.split_last().unwrap();
    assert!(matches!(last, Err(Error::PoolClosed)), "{last:?}");
    for (x, outcome) in (1..).zip(done) {
        assert_eq!(*outcome.as_ref().unwrap(), x);
    }
}

pub fn a_result_that_is_being_shown_cannot_be_cancelled<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let (in_callback, cancelled) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let theirs = (Arc::clone(&in_callback), Arc::clone(&cancelled));
    let result = pool.apply_async(|x: u64| x, 7).on_result(move |_| {
        theirs.0.wait();
        theirs.1.wait();
    });
    in_callback.wait();
    assert!(!result.cancel());
    cancelled.wait();
    assert_eq!(result.get().unwrap(), 7);
    pool.shutdown().unwrap();
}

pub fn nobody_waits_for_a_callback_that_takes_its_time<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let (tell, told) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel::<()>();
    let slow = pool.apply_async(|x: u64| x, 7).on_result(move |_| {
        begin.send(()).unwrap();
        told.recv().unwrap();
    });
    // On the pool's thread, since this one does not wait for the pool.
    begun.recv().unwrap();
    // It would wait for ever if this one waited for it.
    assert_eq!(pool.map(|x: u64| x * x, 0..100).unwrap().len(), 100);
    assert_eq!(pool.apply_async(|x: u64| x + 1, 1).get().unwrap(), 2);
    tell.send(()).unwrap();
    assert_eq!(slow.get().unwrap(), 7);
    pool.shutdown().unwrap();
}

/// How many workers were initialised.
static INITIALISED: OnceLock<SharedValue<u64>> = OnceLock::new();

pub fn a_replacement_that_never_becomes_ready_is_replaced<T: Bulk>(method: StartMethod) {
    let count = SharedValue::new(0u64).unwrap();
    let second_hangs = |count: SharedValue<u64>| {
        let number = count.update(|n| {
            *n += 1;
            *n
        });
        if number.unwrap() == 2 {
            std::thread::sleep(Duration::from_secs(3600));
        }
        INITIALISED.set(count).map_err(drop).unwrap();
    };
    let pool = Pool::<T>::builder()
        .workers(1)
        .start_method(method)
        .start_timeout(Duration::from_millis(500))
        .initialiser(second_hangs, count.clone())
        .build()
        .unwrap();
    let died = pool.apply(|_: u64| -> u64 { std::process::abort() }, 1);
    assert!(matches!(died, Err(Error::WorkerDied { .. })), "{died:?}");
    let initialised = pool.apply(|_: ()| INITIALISED.get().unwrap().get().unwrap(), ()).unwrap();
    assert!(initialised >= 3, "{initialised}");
    pool.shutdown().unwrap();
}

pub fn callbacks_are_called_after_the_end_of_the_pool_too<T: Bulk>(method: StartMethod) {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let pool = two::<T>(method);
    let done = pool.apply_async(|x: u64| x, 7);
    pool.shutdown().unwrap();
    let done = done.on_result(|&x| _ = SEEN.fetch_add(x, Relaxed));
    assert_eq!(SEEN.load(Relaxed), 7);
    assert_eq!(done.get().unwrap(), 7);
}

pub fn a_panic_on_a_thread_that_a_task_has_started_is_that_threads<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let joins = |x: u64| {
        let thread = std::thread::spawn(move || assert_ne!(x, 3, "this is printed"));
        thread.join().map_err(|panic| *panic.downcast::<String>().unwrap())
    };
    let outcomes = pool.map(joins, 2..4).unwrap();
    assert_eq!(outcomes[0], Ok(()));
    assert!(outcomes[1].as_ref().unwrap_err().contains("this is printed"), "{outcomes:?}");
    pool.shutdown().unwrap();
}

pub fn a_worker_waits_for_its_own_children_at_its_end<T: Bulk>(method: StartMethod) {
    let pool = two::<T>(method);
    let mut door = Door::new();
    let begin = |way: Way| {
        let mut child = Process::new(|way: Way| _ = visit(way), way);
        child.start().unwrap();
        std::process::id() as i32
    };
    let parent = pool.apply(begin, door.way_in()).unwrap();
    door.await_knocks(1);
    pool.close();
    std::thread::scope(|scope| {
        let joined = scope.spawn(|| pool.join());
        while pool.pids().len() == 2 {
            std::thread::yield_now();
        }
        // The other one has gone. This one has nothing more to say, and is not
        // given up for that.
        for _ in 0..20 {
            assert_eq!(pool.pids().collect::<Vec<_>>(), [parent]);
            std::thread::sleep(Duration::from_millis(10));
        }
        door.open(1);
        joined.join().unwrap().unwrap();
    });
}

pub fn what_a_stream_has_done_can_be_had_after_the_end_of_the_pool<T: Bulk>(method: StartMethod) {
    for in_order in [true, false] {
        let pool = two::<T>(method);
        let mut door = Door::new();
        let mut ways = vec![door.way_past(); 8];
        ways[5] = door.way_in();
        let call = pool.call().ahead(8).chunk_len(1);
        let mut outcomes: Vec<_> = if in_order {
            let stream = call.imap(visit, ways);
            take_and_end(pool, stream, &mut door)
        } else {
            let stream = call.imap_unordered(visit, ways);
            take_and_end(pool, stream, &mut door)
        };
        let last = outcomes.pop().unwrap();
        assert!(matches!(last, Err(Error::PoolDropped)), "{last:?}");
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(outcomes.len(), if in_order { 5 } else { 7 });
    }
}

/// One outcome, and those after the end of the pool.
fn take_and_end<T: Bulk>(
    pool: Pool<T>,
    mut stream: impl Iterator<Item = Result<u32, Error>>,
    door: &mut Door,
) -> Vec<Result<u32, Error>> {
    let first = stream.next();
    door.await_knocks(8);
    // All have answered but the one that waits.
    while pool.statistics().tasks_done < 7 {
        std::thread::yield_now();
    }
    pool.terminate();
    first.into_iter().chain(stream).collect()
}
